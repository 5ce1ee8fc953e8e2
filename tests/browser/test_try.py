"""The page "Try it" in a browser: the answers of Python, by mouse and by keyboard, and links that say a case."""

import json
import random
from urllib.parse import parse_qsl

import pytest

import covrules
import try_page
from browser.conftest import PHONE, WIDE, violations
from covrules.library import shipped
from covrules.typed import typed
from generators import case_for

pytestmark = pytest.mark.browser

START = "Partly covered: 4 of 6 units."


def said(page):
    return page.locator(".try-headline").evaluate("headline => headline.lastChild.textContent")


def waits_for(page, text):
    """Wait until the headline says something, or the page that it cannot run."""
    page.wait_for_function(
        "text => document.querySelector('.try-failed') "
        "|| document.querySelector('.try-headline')?.textContent.includes(text)",
        arg=text,
        timeout=60_000,
    )
    assert page.locator(".try-failed .try-status").all_inner_texts() == []


def fact(page, path):
    return page.locator(f'[data-path="{path}"]')


def address_of(page):
    """Return the ruleset, the stage and the facts in the address of a page."""
    return dict(parse_qsl(page.url.partition("#")[2], keep_blank_values=True))


@pytest.fixture(scope="module")
def page(context_of, address):
    """The page, started once for all that only look at it or change its case."""
    made = context_of(permissions=["clipboard-read", "clipboard-write"])
    made.goto(f"{address}try.html")
    waits_for(made, START)
    return made


@pytest.fixture
def start(page):
    """The page with the case it starts with."""
    page.locator("#try-filter").fill("")
    page.locator("#try-only").uncheck()
    page.locator("#try-ruleset").select_option("medical-massage")
    page.locator("#try-stage").select_option("planned")
    page.locator("#try-case").select_option(label="Ninety minutes against four units")
    page.get_by_role("button", name="Start", exact=True).click()
    waits_for(page, START)
    return page


@pytest.fixture
def blank(start):
    """The page with nothing known."""
    start.get_by_role("button", name="Clear all answers").click()
    waits_for(start, "Not decided yet.")
    return start


# --- the library in the browser -------------------------------------------------------------------------------------

ASK_WORKER = """async (requests) => {
  const base = new URL("_static/try/", location.href);
  const manifest = await (await fetch(new URL("manifest.json", base))).json();
  const worker = new Worker(new URL(`worker.mjs?v=${manifest.worker}`, base), { type: "module" });
  const answers = [];
  for (const message of [{ manifest }, ...requests.map((request) => ({ request }))]) {
    answers.push(await new Promise((resolve) => {
      worker.onmessage = ({ data }) => { if (!data.progress) resolve(data); };
      worker.postMessage({ id: 1, ...message });
    }));
  }
  worker.terminate();
  return JSON.stringify(answers.slice(1).map(({ answer, error }) => error ?? answer));
}"""


def test_the_browser_decides_as_python_does(page):
    rnd, cases = random.Random(7), []
    for id in shipped():
        ruleset = covrules.load(id)
        for _ in range(4):
            cases.append((ruleset, case_for(rnd, ruleset), rnd.choice(["planned", "delivered", "billed"])))
    requests = []
    for ruleset, case, stage in cases:
        values = {path: (fact, case.get(path)) for path, fact in try_page.read_by(ruleset).items()}
        facts = {path: typed(fact.kind, value) for path, (fact, value) in values.items() if value is not None}
        requests.append({"do": "answer", "ruleset": ruleset.id, "stage": stage, "facts": facts})
    answers = json.loads(page.evaluate(ASK_WORKER, requests))
    decided = 0
    for (ruleset, case, stage), answer in zip(cases, answers, strict=True):
        if answer["verdict"] is None:
            with pytest.raises(covrules.FactError):
                ruleset.evaluate(case, stage=stage)
        else:
            decided += 1
            assert answer["verdict"] == ruleset.evaluate(case, stage=stage, engine="compiled").to_dict()
    assert decided > len(cases) / 2


# --- what is shown --------------------------------------------------------------------------------------------------


def test_a_changed_fact_changes_the_verdict(start):
    fact(start, "visit.minutes").get_by_role("spinbutton").fill("60")
    waits_for(start, "Covered: 4 units.")
    assert address_of(start)["visit.minutes"] == "60"
    fact(start, "plan.massage_benefit").get_by_role("combobox").select_option("excluded")
    waits_for(start, "Not covered.")
    assert "The massage benefit of the plan: excluded." in start.locator(".try-verdict").inner_text()


def test_the_verdict_is_announced_in_a_short_sentence(start):
    live = start.locator(".try-live")
    assert live.get_attribute("aria-live") == "polite"
    assert live.text_content() == f"{START} Nothing more to ask."
    fact(start, "visit.minutes").get_by_role("combobox").select_option("")
    waits_for(start, "Not decided yet.")
    assert live.text_content().startswith("Not decided yet. 1 question open.")


def test_a_reason_leads_to_the_page_of_its_rule(start, site):
    link = start.locator(".try-verdict").get_by_role("link", name="Units in one visit").first
    target = link.get_attribute("href").removeprefix(start.url.partition("try.html")[0])
    assert target == "reference/rules/medical-massage/units-per-visit.html"
    assert (site / target).is_file()


def test_every_rule_is_told_and_has_its_page(start, site):
    links = start.locator(".try-rules a").evaluate_all("links => links.map((link) => link.href)")
    top = start.url.partition("try.html")[0]
    assert len(links) == len(covrules.load("medical-massage").rules)
    assert [link for link in links if not (site / link.removeprefix(top)).is_file()] == []


def test_a_remedy_can_be_tried(start):
    start.get_by_role("button", name="Try it: Clinic: Book 60 minutes.").click()
    waits_for(start, "Covered: 4 units.")
    assert fact(start, "visit.minutes").get_by_role("spinbutton").input_value() == "60"
    assert start.evaluate("document.activeElement.id") == "try-verdict-title"


def test_a_question_leads_to_its_control_and_its_answer_decides(blank):
    question = "Does an auto insurer, a work insurer or another plan pay first?"
    blank.locator("#try-filter").fill("nothing has these words")
    assert blank.locator(".try-count").text_content().startswith("0 of ")
    blank.locator(".try-verdict").get_by_role("button", name=question).click()
    inside = "document.activeElement.closest('[data-path]').dataset.path"
    assert blank.evaluate(inside) == "visit.liability"
    fact(blank, "visit.liability").get_by_role("combobox").select_option("auto")
    waits_for(blank, "Not covered.")


def test_what_is_still_asked_can_be_shown_alone(blank):
    blank.locator("#try-only").check()
    shown = blank.locator("[data-path]:visible").evaluate_all("boxes => boxes.map((box) => box.dataset.path)")
    assert {*shown} == {
        question.fact for question in covrules.load("medical-massage").evaluate(covrules.Case()).questions
    }


def test_not_known_is_a_choice_of_every_control(blank):
    boxes = blank.locator("[data-path]")
    first = boxes.evaluate_all(
        """boxes => boxes.map((box) => {
          const select = box.querySelector("select");
          if (select) return select.selectedOptions[0].text;
          return box.querySelector("input:checked").parentElement.textContent;
        })"""
    )
    assert len(first) == len(try_page.read_by(covrules.load("medical-massage")))
    assert {*first} == {"Not known", "Worked out"}


def test_sets_are_ticked_and_numbers_have_words(start):
    prescribers = fact(start, "plan.accepted_prescribers")
    prescribers.get_by_label("MD", exact=True).uncheck()
    waits_for(start, "Not covered.")
    assert address_of(start)["plan.accepted_prescribers"] == "DO,NP,PA"
    prescribers.get_by_role("combobox").select_option("any")
    waits_for(start, START)
    fact(start, "plan.units_per_visit").get_by_role("combobox").select_option("unlimited")
    waits_for(start, "Covered: 6 units.")
    assert address_of(start)["plan.units_per_visit"] == "unlimited"


def test_what_cannot_be_used_is_told_at_its_control(start):
    code = fact(start, "prescription.diagnosis")
    code.get_by_role("combobox").nth(0).fill("sore neck")
    code.locator(".try-problem", has_text="ICD-10-CM").wait_for()
    assert "sore" not in start.url
    assert code.get_by_role("combobox").nth(0).get_attribute("aria-invalid") == "true"
    assert "Some answers cannot be used" in start.locator(".try-live").text_content()
    known = start.locator("details", has=code).locator(".try-known")
    assert known.text_content() == "10 of 14 known"
    code.get_by_role("combobox").nth(0).fill("M54.50")
    code.locator(".try-problem").wait_for(state="hidden")
    assert known.text_content() == "11 of 14 known"


def test_a_number_that_is_half_typed_is_told(start):
    minutes = fact(start, "visit.minutes")
    minutes.get_by_role("spinbutton").fill("")
    minutes.get_by_role("spinbutton").press_sequentially("1e")
    minutes.locator(".try-problem", has_text="whole number").wait_for()


def test_what_was_unfolded_stays_open(blank):
    for name in ("try-rules", "try-more"):
        blank.locator(f".{name} > summary").click()
    fact(blank, "visit.minutes").get_by_role("spinbutton").fill("60")
    blank.wait_for_function("location.hash.includes('visit.minutes=60')")
    assert blank.locator(".try-rules[open], .try-more[open]").count() == 2


def test_what_a_plan_fixes_is_shown_and_cannot_be_changed(start):
    start.locator("#try-ruleset").select_option("ohio-clinic")
    fixed = fact(start, "provider.credential")
    fixed.get_by_text("LMT (fixed by ohio-clinic)").wait_for()
    assert fixed.get_by_role("combobox").count() == 0


def test_facts_of_a_ruleset_s_own_come_first(start):
    start.locator("#try-ruleset").select_option("washington-labor-industries")
    start.get_by_text("This ruleset's own").wait_for()
    assert start.locator("[data-path]").first.get_attribute("data-path").startswith("own.")


def test_where_the_day_matters_the_page_leads_to_it(blank):
    blank.locator("#try-ruleset").select_option("uniform-medical-plan")
    waits_for(blank, "No verdict yet.")
    blank.get_by_role("button", name="Date of the visit").click()
    assert blank.evaluate("document.activeElement.type") == "date"
    blank.keyboard.type("06152024")
    waits_for(blank, "Not decided yet.")


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_link_says_the_same_case_in_another_browser(start, context_of):
    fact(start, "visit.minutes").get_by_role("spinbutton").fill("75")
    waits_for(start, "Partly covered: 4 of 5 units.")
    start.get_by_role("button", name="Copy link to this case").click()
    start.get_by_text("Link copied.").wait_for()
    link = start.evaluate("navigator.clipboard.readText()")
    other = context_of()
    other.goto(link)
    waits_for(other, "Partly covered: 4 of 5 units.")
    assert other.url == start.url == link
    assert fact(other, "visit.minutes").get_by_role("spinbutton").input_value() == "75"
    assert fact(other, "plan.accepted_prescribers").get_by_label("NP").is_checked()
    assert said(other) == said(start)


def test_a_link_in_the_address_is_followed_at_once(start):
    start.evaluate("location.hash = 'v=1&ruleset=medical-massage&stage=billed&visit.liability=work'")
    waits_for(start, "Not covered.")
    assert start.locator("#try-stage").input_value() == "billed"


def test_the_way_back_takes_a_large_step_back(start):
    before = address_of(start)
    start.get_by_role("button", name="Clear all answers").click()
    waits_for(start, "Not decided yet.")
    start.locator("#try-ruleset").select_option("washington-labor-industries")
    waits_for(start, "No verdict yet.")
    start.go_back()
    waits_for(start, "Not decided yet.")
    assert start.locator("#try-ruleset").input_value() == "medical-massage"
    start.go_back()
    waits_for(start, START)
    assert address_of(start) == before
    assert fact(start, "visit.minutes").get_by_role("spinbutton").input_value() == "90"


@pytest.mark.parametrize(
    ("link", "note"),
    [
        ("ruleset=nowhere&visit.liability=work", "The link names a ruleset that there is not"),
        ("v=9&stage=soon&visit.liability=work", "The link names a stage that there is not"),
        ("plan.unknown=3&visit.liability=work", "The link names a fact that there is not: plan.unknown."),
        ("visit.minutes=lots&visit.liability=work", "The link's hands-on minutes cannot be used."),
        ("%ff%fe=%00&visit.liability=work", "The link names a fact that there is not"),
        (
            "visit.liability=work&<img%20src=x>=1",
            "The link names a fact that there is not: a name that cannot be shown.",
        ),
    ],
)
def test_what_a_link_cannot_say_is_told_and_the_rest_is_used(start, link, note):
    start.evaluate("link => { location.hash = link; }", link)
    start.locator(".try-note", has_text=note).wait_for()
    assert said(start) == "Not covered."
    assert address_of(start)["visit.liability"] == "work"


def test_an_address_that_holds_no_case_is_told(context_of, address):
    page = context_of()
    page.goto(f"{address}try.html#nothing-to-read")
    waits_for(page, START)
    assert "The address holds no case that can be read." in page.locator(".try-verdict").inner_text()


# --- for everybody --------------------------------------------------------------------------------------------------


def tab_to(page, condition, most=150):
    """Press Tab until the element with the focus is as said, which it must show."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"(() => {{ const at = document.activeElement; return Boolean({condition}); }})()"):
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none", condition
            return
    pytest.fail(f"no way by Tab to {condition}")


def test_all_can_be_done_with_the_keyboard(start):
    start.locator("#try-ruleset").focus()
    tab_to(start, "at.textContent === 'Clear all answers'")
    start.keyboard.press("Enter")
    waits_for(start, "Not decided yet.")
    tab_to(start, "at.textContent.startsWith('Does an auto insurer')")
    start.keyboard.press("Enter")
    assert start.evaluate("document.activeElement.closest('[data-path]').dataset.path") == "visit.liability"
    start.keyboard.press("n")  # a list is answered by its first letters
    start.keyboard.press("o")
    start.keyboard.press("Home")
    start.keyboard.press("ArrowDown")
    start.wait_for_function("location.hash.includes('visit.liability=none')")
    start.locator("#try-filter").focus()
    start.keyboard.type("does my plan need a prescription")
    tab_to(start, "at.name === 'plan.prescription_required'")
    start.keyboard.press("ArrowRight")
    start.wait_for_function("location.hash.includes('plan.prescription_required=yes')")
    start.locator("#try-filter").focus()
    start.keyboard.press("Control+a")
    start.keyboard.type("kinds of doctor may prescribe")
    tab_to(start, "at.closest('[data-path=\"plan.accepted_prescribers\"]')")
    start.keyboard.press("ArrowDown")
    tab_to(start, "at.type === 'checkbox' && at.value === 'MD'")
    start.keyboard.press("Space")
    start.wait_for_function("location.hash.includes('plan.accepted_prescribers=MD')")
    start.locator("#try-filter").focus()
    start.keyboard.press("Control+a")
    start.keyboard.type("kind of doctor wrote")
    tab_to(start, "at.closest('[data-path=\"prescription.prescriber\"]')")
    start.keyboard.type("LMT")
    waits_for(start, "Not covered.")
    start.locator("#try-stage").focus()
    tab_to(start, "at.textContent === 'Try it'")
    start.keyboard.press("Enter")
    start.wait_for_function("location.hash.includes('prescription.prescriber=MD')")


def test_the_verdict_stays_in_sight(start):
    fact(start, "history.visits_this_year").scroll_into_view_if_needed()
    bar = start.locator(".try-bar")
    bar.wait_for(state="visible")
    assert START in bar.inner_text()
    bar.get_by_role("button", name="See why").click()
    bar.wait_for(state="hidden")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_anybody(context_of, address, scheme, viewport):
    page = context_of(scheme=scheme, viewport=viewport)
    page.goto(f"{address}try.html#v=9&ruleset=washington-labor-industries&visit.date=2026-06-15&visit.minutes=x")
    waits_for(page, "Not decided yet.")
    page.evaluate("document.querySelectorAll('#try-page details').forEach((details) => { details.open = true; })")
    fact(page, "prescription.diagnosis").locator("input").fill("?")
    fact(page, "prescription.diagnosis").locator(".try-problem").wait_for()
    assert violations(page) == []
    page.locator("#try-ruleset").select_option("medical-massage")
    page.locator("#try-case").select_option(label="Car accident")
    page.get_by_role("button", name="Start", exact=True).click()
    waits_for(page, "Not covered.")
    assert violations(page) == []
    for width in (viewport["width"], 360):
        page.set_viewport_size({"width": width, "height": viewport["height"]})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# --- where it cannot run --------------------------------------------------------------------------------------------


def test_without_scripts_the_page_says_so(context_of, address):
    page = context_of(java_script_enabled=False)
    page.goto(f"{address}try.html")
    assert "This page needs JavaScript" in page.locator("#main-content noscript").inner_text()


def test_opened_as_a_file_it_says_how_to_serve_it(browser, site):
    page = browser.new_page()
    page.goto((site / "try.html").as_uri())
    page.get_by_text("python -m http.server -d docs/_build").wait_for()
    page.close()


def test_a_part_that_is_missing_is_told(browser, address):
    page = browser.new_page()
    page.route("**/*.whl", lambda route: route.fulfill(status=404))
    page.goto(f"{address}try.html")
    page.get_by_role("alert").filter(has_text="404").wait_for(timeout=60_000)
    page.close()


def test_it_does_not_wait_for_ever(browser, address):
    page = browser.new_page()
    page.clock.install()
    page.route("**/*.wasm", lambda route: None)
    page.goto(f"{address}try.html")
    page.get_by_text("Starting Python.").wait_for()
    page.clock.fast_forward(61_000)
    page.get_by_role("alert").filter(has_text="Nothing has been heard").wait_for()
    page.close()

"""What the page "Try it" asks of the library: forms, answers as Python gives them, and links, be they broken."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import covrules
import try_page
from covrules import kinds
from covrules.case_files import read_case
from covrules.facts import FACTS
from covrules.library import shipped
from covrules.typed import read_answer, typed
from generators import case_for, plain_value

EXAMPLES = Path(__file__).parents[1] / "examples"
RULESETS = sorted(shipped())
STAGES = ("planned", "delivered", "billed")


def case_of_file(name):
    return read_case((EXAMPLES / name).read_bytes(), name)


def as_typed(case, ruleset):
    """Return the known facts of a case as the form for a ruleset has them."""
    known = {path: (fact, case.get(path)) for path, fact in try_page.read_by(ruleset).items()}
    return {path: typed(fact.kind, value) for path, (fact, value) in known.items() if value is not None}


def fields(ruleset):
    return {field["path"]: field for group in try_page.form(ruleset)["groups"] for field in group["facts"]}


@pytest.mark.parametrize("id", RULESETS)
def test_a_form_has_every_fact_that_bears_on_its_ruleset_and_no_other(id):
    ruleset = covrules.load(id)
    assert (
        fields(id).keys() == try_page.read_by(ruleset).keys() >= {*ruleset.facts, *ruleset.declares} & {*ruleset.facts}
    )
    assert all(field["unknown"] in ("Not known", "Worked out") for field in fields(id).values())


def test_groups_are_told_of_in_one_sentence_without_code():
    abouts = [group["about"] for id in RULESETS for group in try_page.form(id)["groups"]]
    assert [about for about in abouts if not about.endswith(".") or {*"`=\n"} & {*about}] == []


def offered(field, text):
    """Return whether a control as it is described can give a text."""
    if text in [word for word, _ in field.get("words", [])]:
        return True
    options = [option for option, _ in field.get("options", [])]
    match field["draw"]:
        case "choice":
            return text in options
        case "many":
            return {*text.split(", ")} <= {*options}
    if field["input"] == "number":
        return text.lstrip("-").isdigit()
    return field["input"] == "text" or (field["input"] == "date" and len(text) == len("2026-06-15"))


@pytest.mark.parametrize("id", RULESETS)
def test_controls_can_give_every_value_and_it_is_read_back(id):
    ruleset, drawn, rnd = covrules.load(id), fields(id), random.Random(id)
    for path, fact in try_page.read_by(ruleset).items():
        for _ in range(10):
            parsed = fact.kind.parse(plain_value(rnd, fact.kind))
            text = typed(fact.kind, parsed)
            assert offered(drawn[path], text), (path, text)
            assert read_answer(fact.kind, text) == parsed


@pytest.mark.parametrize("id", RULESETS)
def test_answers_are_those_of_the_library(id):
    ruleset, rnd = covrules.load(id), random.Random(id)
    for _ in range(6):
        case, stage = case_for(rnd, ruleset), rnd.choice(STAGES)
        answer = try_page.answer(id, stage, as_typed(case, ruleset))
        if answer["verdict"] is None:
            with pytest.raises(covrules.FactError):
                ruleset.evaluate(case, stage=stage)
            assert answer["problems"]
        else:
            assert answer["verdict"] == ruleset.evaluate(case, stage=stage).to_dict()
            assert answer["problems"] == {}
        json.dumps(answer)


def test_everything_asked_can_be_answered_in_the_form():
    for id in RULESETS:
        drawn = fields(id)
        answer = try_page.answer(id, "planned", {"visit.date": "2026-06-15"})
        asked = [question["fact"] for person in answer.get("asked", []) for question in person["questions"]]
        assert {*asked} <= {*drawn}
        assert sum(q["first"] for person in answer.get("asked", []) for q in person["questions"]) == bool(asked)


@pytest.mark.parametrize("name", sorted(json.loads((EXAMPLES / "expected.json").read_text())))
def test_remedies_do_in_the_form_what_they_promise(name):
    facts = as_typed(case_of_file(name), covrules.load("medical-massage"))
    for remedy in try_page.answer("medical-massage", "planned", facts)["remedies"]:
        changed = {path: text for path, text in {**facts, **remedy["set"]}.items() if text is not None}
        then = try_page.answer("medical-massage", "planned", changed)
        assert then["headline"].lower().startswith(remedy["then"].partition(",")[0])


def test_what_cannot_be_used_counts_as_not_known_and_is_told_without_the_value():
    facts = {"visit.minutes": "ninety-nine", "plan.payer": "Example Health", "plan.accepted_prescribers": "MD, Quack"}
    answer = try_page.answer("medical-massage", "planned", facts)
    without = try_page.answer("medical-massage", "planned", {"plan.payer": "Example Health"})
    assert answer["verdict"] == without["verdict"]
    assert answer["problems"].keys() == {"visit.minutes", "plan.accepted_prescribers"}
    assert "whole number" in answer["problems"]["visit.minutes"]
    assert "ninety" not in str(answer["problems"])
    assert "Quack" not in str(answer["problems"])
    assert "ninety" not in answer["link"]


def test_what_a_plan_fixes_stands_and_other_answers_are_left_aside():
    day = {"visit.date": "2026-06-15"}
    fixed = try_page.answer("ohio-clinic", "planned", day)["fixed"]
    assert fixed == {"provider.credential": "LMT (fixed by ohio-clinic)"}
    other = try_page.answer("ohio-clinic", "planned", day | {"provider.credential": "PT"})
    same = try_page.answer("ohio-clinic", "planned", day | {"provider.credential": "LMT"})
    assert other["notes"] == ["Left aside, which the plan itself says: therapist's credential."]
    two = {"plan.payer": "Another", "plan.visits_per_year": "1", "visit.date": "2024-06-15"}
    assert try_page.answer("uniform-medical-plan", "planned", two)["notes"] == [
        "Left aside, which the plan itself says: insurer, visits paid a year."
    ]
    assert same["notes"] == []
    assert other["verdict"] == same["verdict"]


def test_facts_that_no_rule_reads_are_left_aside():
    answer = try_page.answer("medical-massage", "planned", {"plan.id": "x", "own.visits_on_claim": "3"})
    assert answer["notes"] == ["Left aside, which no rule here asks for: plan's key, own.visits_on_claim."]
    assert answer["link"] == "v=1&ruleset=medical-massage&stage=planned"


def test_where_the_day_matters_it_is_asked_for_first():
    unknown = try_page.answer("uniform-medical-plan", "planned", {"visit.minutes": "60"})
    assert unknown["verdict"] is None
    assert unknown["problems"].keys() == {"visit.date"}
    outside = try_page.answer("uniform-medical-plan", "planned", {"visit.date": "1999-01-01"})
    assert outside["verdict"] is None
    assert "in force" in outside["problems"]["visit.date"]
    wrong = try_page.answer("uniform-medical-plan", "planned", {"visit.date": "soon"})
    assert "not a date" in wrong["problems"]["visit.date"]


def test_rules_lead_to_their_pages_by_where_they_are_from():
    answer = try_page.answer("washington-labor-industries", "planned", {"visit.date": "2026-06-15"})
    ruleset = covrules.load("washington-labor-industries")
    pages = [f"reference/rules/{rule.origin}/{rule.id}.html" for rule in ruleset.rules]
    assert [rule["page"] for rule in answer["rules"]] == pages
    assert len({rule.origin for rule in ruleset.rules}) > 1


def test_a_request_and_its_answer_are_json():
    request = {"do": "answer", "ruleset": "medical-massage", "stage": "planned", "facts": {"visit.liability": "work"}}
    assert json.loads(try_page.respond(json.dumps(request)))["verdict"]["coverage"] == "not-covered"


# --- links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", RULESETS)
def test_a_link_says_the_same_case_again(id):
    ruleset, rnd = covrules.load(id), random.Random(id)
    for _ in range(3):
        first = try_page.answer(id, rnd.choice(STAGES), as_typed(case_for(rnd, ruleset), ruleset))
        read = try_page.read_link(first["link"], RULESETS)
        assert read["notes"] == []
        again = try_page.answer(read["ruleset"], read["stage"], read["facts"])
        assert again["link"] == first["link"]
        assert again["verdict"] == first["verdict"]


@given(st.sampled_from(["plan.payer", "prescription.diagnosis_text"]), st.text(max_size=80))
def test_any_text_travels_in_a_link(path, text):
    kind = FACTS[path].kind
    try:
        value = read_answer(kind, text)
    except kinds.Unfit:
        return
    made = try_page.link("medical-massage", "planned", {path: typed(kind, value)})
    assert try_page.read_link(made, RULESETS)["facts"] == {path: value}


@given(
    st.text() | st.lists(st.sampled_from(["v=1", "&", "=", "%", "ruleset", "plan.payer", "%ff", "#", ";"])).map("".join)
)
def test_no_link_breaks_the_page(text):
    read = try_page.read_link(text, RULESETS)
    try_page.answer(read["ruleset"] or "medical-massage", read["stage"] or "planned", read["facts"])


@pytest.mark.parametrize(
    ("part", "note"),
    [
        ("ruleset=medical-masage", "The link names a ruleset that there is not: did you mean medical-massage?"),
        ("stage=later", "The link names a stage that there is not."),
        ("v=7", "The link was made by another version of this page: what could be read of it is used."),
        ("visit.minute=60", "The link names a fact that there is not: visit.minute. Did you mean visit.minutes?"),
        ("Jane%20Doe=60", "The link names a fact that there is not: a name that cannot be shown."),
        (
            "visit.minutes=Jane%20Doe",
            "The link's hands-on minutes cannot be used. Found text that is not a whole number; "
            "expected a whole number, 0 or more.",
        ),
        ("visit.liability=none&visit.liability=work", "The link says visit.liability twice: the first is used."),
        ("&".join(["a=b"] * 1000), "The link is too long to be read."),
    ],
)
def test_what_a_link_cannot_say_is_told_in_words(part, note):
    read = try_page.read_link(f"#{part}", RULESETS)
    assert read["notes"] == [note]
    assert "Jane" not in str(read)


def test_the_cases_to_start_from_are_those_of_the_files():
    for name in json.loads((EXAMPLES / "expected.json").read_text()):
        case = case_of_file(name)
        facts = try_page.typed_facts(case)
        assert {path: read_answer(FACTS[path].kind, text) for path, text in facts.items()} == {
            path: case.get(path) for path in FACTS if case.get(path) is not None
        }

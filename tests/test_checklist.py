"""The checklist: everything once, with who acts, on one page."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import covrules
import generators
from covrules import Case, Plan, Visit
from covrules.api import evaluate
from covrules.case_files import read_case
from covrules.checklist import FORMS, checklist_of
from covrules.declaring import PEOPLE
from covrules.facts import FACTS
from covrules.library import shipped
from covrules.loading import read_ruleset
from covrules.rule import STAGES

BASE = covrules.load("medical-massage")
EXAMPLES = sorted(path for path in (Path(__file__).parents[1] / "examples").glob("*.yaml"))
PAGE = 66
"""The lines of a printed page."""


def verdicts(id, many):
    ruleset, rnd = covrules.load(id), random.Random(id)
    day = generators.days_that_tell(ruleset)[0]
    for number in range(many):
        case = generators.case_for(rnd, ruleset)
        yield evaluate(ruleset, case, stage=STAGES[number % 3], engine="compiled", as_of=case.visit.date or day)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_fits_a_page(path):
    verdict = BASE.evaluate(read_case(path.read_bytes(), path.name))
    lines = verdict.checklist().splitlines()
    assert len(lines) <= PAGE
    assert max(map(len, lines)) <= 96


def test_with_nothing_known_it_fits_a_page_and_says_how_much_more_may_be_asked():
    verdict = BASE.evaluate(Case())
    lines = verdict.checklist().splitlines()
    assert len(lines) <= PAGE
    printed = sum(line.startswith("  [ ]") and "?" in line for line in lines)
    more = sum(int(number) for number in re.findall(r"and (\d+) more, depending on the answers", "\n".join(lines)))
    assert more > 0
    assert printed + more >= len(verdict.questions) - 4  # a question of two lines ends on the second


@pytest.mark.parametrize("id", shipped())
def test_all_that_is_met_is_done_and_all_steps_and_questions_are_open(id):
    for verdict in verdicts(id, 12):
        parts = checklist_of(verdict).parts
        assert [part.heading for part in parts] == [
            heading
            for heading in ("Patient", "Doctor's office", "Clinic", "Insurer", "Later", "Good to know")
            if heading in {part.heading for part in parts}
        ]
        done = " ".join(item.text for part in parts for item in part.items if item.done)
        open_ = [item.text for part in parts for item in part.items if item.done is False]
        for rule, finding in zip(verdict._ruleset.rules, verdict.findings, strict=True):
            if rule.decides and finding.status == "met":
                assert finding.title in done
            if finding.status == "later":
                assert f"{finding.title}." in open_
        for remedy in verdict.remedies:
            for step in remedy.steps:
                assert any(text.endswith(step.action) for text in open_)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_shows_a_fact_path_or_a_rule_id(form):
    for verdict in verdicts("medical-massage", 20):
        said = verdict.checklist(form)
        assert not any(path in said for path in FACTS)
        assert not any(re.search(rf"\b{rule.id}\b", said) for rule in BASE.rules if "-" in rule.id)
        assert verdict.disclaimer.split()[0] in said


def test_several_ways_are_told_apart_and_a_way_that_is_barred_is_said():
    case = read_case((EXAMPLES[0].parent / "left-ankle-prescribed-low-back-treated.yaml").read_bytes(), "a.yaml")
    said = BASE.evaluate(case).checklist()
    assert "Way A: " in said
    assert "Way B: " in said
    barred = BASE.evaluate(Case(plan=Plan(massage_benefit="excluded"))).checklist()
    assert "Nothing that people can still change makes the insurer pay for this visit." in barred
    assert "[ ] Ask whether any other part of the plan pays for massage." in barred


def test_who_acts_is_in_order():
    headings = [part.heading for part in checklist_of(BASE.evaluate(Case())).parts]
    assert headings[: len(PEOPLE)] == ["Patient", "Doctor's office", "Clinic", "Insurer"]
    assert headings[len(PEOPLE) :] == ["Later"]


def test_markdown_and_html_take_texts_from_strangers_as_texts():
    because = "*bold* <b>{plan.payer}</b> [link](x)"
    data = f'{{"schema": "covrules/1", "id": "made", "title": "M", "status": "illustrative", "version": "1", "rules": [{{"id": "a", "title": "A", "requires": {{"visit.purpose": "treatment"}}, "because": "{because}"}}]}}'  # noqa: E501
    made = read_ruleset(data.encode(), "made.yaml")
    verdict = made.evaluate(Case(plan=Plan(payer="<script>x</script>"), visit=Visit(purpose="wellness")))
    markdown, page = verdict.checklist("markdown"), verdict.checklist("html")
    assert "\\*bold\\* \\<b\\>\\<script\\>" in markdown
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_markdown_is_a_list_of_tasks():
    lines = BASE.evaluate(Case(plan=Plan(massage_benefit="covered"))).checklist("markdown").splitlines()
    assert "- [x] Massage is a benefit of the plan" in lines
    assert any(line.startswith("- [ ] Does an auto insurer") for line in lines)
    assert lines[0] == "# Not decided yet."


def test_there_are_three_forms():
    with pytest.raises(ValueError, match="there is no form 'pdf': text, markdown or html"):
        BASE.evaluate(Case()).checklist("pdf")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium to print with")
def test_the_page_prints_as_one_page(tmp_path):
    for name in ("nothing-known-yet", "left-ankle-prescribed-low-back-treated", "ninety-minutes-against-four-units"):
        path = EXAMPLES[0].parent / f"{name}.yaml"
        page, pdf = tmp_path / f"{name}.html", tmp_path / f"{name}.pdf"
        page.write_text(BASE.evaluate(read_case(path.read_bytes(), path.name)).checklist("html"))
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={pdf}", str(page)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        assert len(re.findall(rb"/Type\s*/Pages\b.*?/Count (\d+)", pdf.read_bytes(), re.S)) == 1
        assert re.search(rb"/Count (\d+)", pdf.read_bytes())[1] == b"1"

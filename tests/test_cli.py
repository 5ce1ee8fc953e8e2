"""The command line: what it prints and what it exits with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from covrules import RulesetError, load
from covrules.cli import main
from covrules.library import shipped

ROOT = Path(__file__).parents[1]
WRONG = """\
schema: covrules/1
id: wrong
title: Wrong
status: illustrative
version: "1"
rules:
  - id: only
    title: Only
    requires: {visit.purpose: treatment}
    examples: [{given: {visit.purpose: wellness}, then: met}]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, input=None, **files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return CliRunner().invoke(main, list(arguments), input=input)

    return invoke


CASE = "visit: {liability: work}\n"


def test_evaluate_says_why(run):
    result = run("evaluate", "case.yaml", "--ruleset", "medical-massage", case_yaml=CASE)
    assert result.exit_code == 0
    assert result.stdout.startswith("Not covered.")
    assert "Another payer comes first" in result.stdout


def test_evaluate_as_json_from_standard_input(run):
    for text in (CASE, '{"visit": {"liability": "work"}}', "{visit: {liability: work}}"):
        result = run("evaluate", "-", "--ruleset", "medical-massage", "--format", "json", input=text)
        assert result.exit_code == 0
        assert json.loads(result.stdout)["coverage"] == "not-covered"


def test_evaluate_as_html(run):
    result = run("evaluate", "-", "--ruleset", "medical-massage", "--format", "html", input=CASE)
    assert result.stdout.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert '<div class="covrules-verdict"' in result.stdout


@pytest.mark.parametrize(("form", "start"), [("", "Not covered."), ("-markdown", "# Not covered."), ("-html", "<!doc")])
def test_evaluate_as_a_checklist(run, form, start):
    result = run("evaluate", "-", "--ruleset", "medical-massage", "--format", f"checklist{form}", input=CASE)
    assert result.exit_code == 0
    assert result.stdout.startswith(start)


def test_today_bounds_the_dates_that_remedies_set(run):
    case = """
        {"plan": {"prescription_required": true, "accepted_prescribers": ["MD"]}, "prescription": {"prescriber": "LMT"},
        "visit": {"date": "2026-06-15"}}"""
    options = ("evaluate", "-", "--ruleset", "medical-massage", "--format", "json")
    for more, day in (((), "2026-06-15"), (("--today", "2026-06-02"), "2026-06-02")):
        (remedy,) = json.loads(run(*options, *more, input=case).stdout)["remedies"]
        assert remedy["steps"][0]["set"]["prescription.issued_on"] == day


def test_questions_by_whom_to_ask(run):
    said = run("questions", "-", "--ruleset", "medical-massage", input="{}").stdout
    assert "Ask the insurer\n" in said
    assert "Does my plan need a referral before massage is covered?" in said
    assert "If no: not covered." in said
    assert "plan.referral_required" not in said
    said = run("questions", "-", "--ruleset", "medical-massage", input=CASE).stdout
    assert said.startswith("Not covered. Whether this clinic takes it is open: 3 questions may be left,")
    excluded = '{"plan": {"massage_benefit": "excluded", "out_of_network_benefit": true}}'
    said = run("questions", "-", "--ruleset", "medical-massage", input=excluded).stdout
    assert said == "Not covered. Nothing more is to be asked.\n"


def test_questions_as_json_carry_the_rules_and_what_would_decide(run):
    asked = json.loads(run("questions", "-", "--ruleset", "medical-massage", "--format", "json", input="{}").stdout)
    by_fact = {question["fact"]: question for question in asked}
    liability = by_fact["visit.liability"]
    assert liability["who"] == "patient"
    assert liability["rules"] == ["no-other-payer"]
    deciding = {"answers": ["auto", "work", "other-plan"], "coverage": "not-covered", "accepted_here": None}
    assert liability["deciding"] == [deciding]


def test_evaluate_for_who_reads_it(run):
    for form in ("text", "html"):
        options = ("evaluate", "-", "--ruleset", "medical-massage", "--format", form)
        desk, patient, biller = (
            run(*options, *more, input=CASE).stdout for more in ((), ("--for", "patient"), ("--for", "biller"))
        )
        assert "CARC" not in desk + patient
        assert "CARC 19" in biller
        assert desk != patient
    wrong = run("evaluate", "-", "--ruleset", "medical-massage", "--for", "judge", input=CASE)
    assert (wrong.exit_code, "'judge' is not one of" in wrong.stderr) == (2, True)


def test_stage_and_engine(run):
    options = ("--stage", "billed", "--engine", "compiled", "--format", "json")
    said = json.loads(run("evaluate", "-", "--ruleset", "medical-massage", *options, input=CASE).stdout)
    assert (said["stage"], said["engine"]) == ("billed", "compiled")


def test_fail_unless_covered(run):
    arguments = ("evaluate", "-", "--ruleset", "medical-massage", "--fail-unless", "covered")
    assert run(*arguments, input=CASE).exit_code == 1
    assert run("evaluate", "-", "--ruleset", "./empty.yaml", "--fail-unless", "covered", input=CASE,
               empty_yaml=WRONG.split("rules:")[0]).exit_code == 0  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("evaluate", "-", "--ruleset", "medical-masage"), "did you mean medical-massage?"),
        (("evaluate", "-", "--ruleset", "none.yaml"), "none.yaml: No such file or directory"),
        (("evaluate", "none.yaml", "--ruleset", "medical-massage"), "none.yaml: No such file or directory"),
        (("evaluate", "-", "--ruleset", "medical-massage", "--stage", "paid"), "'paid' is not one of"),
        (("check", "none.yaml"), "none.yaml: No such file or directory"),
        (("check", "."), "no ruleset"),
        (("show", "medical-masage"), "did you mean medical-massage?"),
    ],
)
def test_unusable_input_ends_with_2(run, arguments, said):
    result = run(*arguments, input=CASE)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_a_case_with_errors_ends_with_2_and_shows_no_value(run):
    text = "visit: {minutes: ninety-minutes, dat: 2026-06-15}\npatient: {name: Jane}\n"
    result = run("evaluate", "case.yaml", "--ruleset", "medical-massage", case_yaml=text)
    assert result.exit_code == 2
    assert "case.yaml:1:18: visit.minutes: found text that is not a whole number" in result.stderr
    assert "did you mean date?" in result.stderr
    assert "ninety" not in result.stderr
    assert "Jane" not in result.stderr


def test_check_runs_the_examples(run):
    result = run("check", "wrong.yaml", wrong_yaml=WRONG)
    assert result.exit_code == 1
    assert "wrong: wrong.yaml:10: only should be met and is unmet" in result.stdout
    assert "not exercised: only met" in result.stdout
    assert "only has no because" in result.stdout


def test_check_notes_denial_codes_that_are_never_reached(run):
    text = WRONG.replace("examples:", 'denial: [{carc: "50"}, {carc: "49"}]\n    examples:')
    assert "only has denial codes after one without when" in run("check", "wrong.yaml", wrong_yaml=text).stdout


@pytest.mark.parametrize("path", ["a\0b.yaml", Path("none.yaml")])
def test_paths_that_cannot_be_read(path):
    with pytest.raises(RulesetError, match="expected a file that can be read"):
        load(path)


def test_check_of_what_cannot_be_loaded_still_checks_the_rest(run):
    result = run("check", "wrong.yaml", "bad.yaml", wrong_yaml=WRONG, bad_yaml="schema: covrules/2\n")
    assert result.exit_code == 2
    assert "should be met" in result.stdout
    assert "bad.yaml:1:" in result.stderr


def test_check_takes_folders():
    result = CliRunner().invoke(main, ["check", str(ROOT / "rules")])
    assert result.exit_code == 0, result.output
    assert "medical-massage" in result.stdout


def test_list_and_show(run):
    head, *rows = run("list").stdout.splitlines()
    assert head.split("  ")[0] == "id"
    assert [row.split()[0] for row in rows] == list(shipped())
    plan = next(row for row in rows if row.startswith("uniform-medical-plan"))
    said = [cell.strip() for cell in plan.split("  ") if cell]
    assert said[2:5] == ["Uniform Medical Plan", "sourced", "from 2020-01-01 until 2025-01-01"]
    assert said[5:7] == ["51", "4"]
    shown = run("show", "medical-massage").stdout
    shown = " ".join(shown.split())
    assert "prescriber-type (plan): Prescribed by an accepted prescriber" in shown
    assert 'Applies where the answer to "Does my plan need a prescription before massage is covered?" is yes.' in shown
    assert "Requires that the prescriber is one of the accepted prescribers." in shown
    assert "Denial code: CARC 184 (prescribing provider may not prescribe it)." in shown
    assert "[insurer] accepts prescriptions from [accepted prescribers]" in shown


RULESETS = Path(__file__).parents[1] / "examples" / "rulesets"


def test_show_says_where_each_rule_comes_from_and_what_became_of_it(run):
    shown = run("show", str(RULESETS / "limits-by-year.yaml")).stdout
    said = " ".join(shown.split())
    assert "Extends medical-massage, early-visits-mandate." in said
    assert "In force from 2025-01-01." in said
    assert "plan.units_per_visit: 6 from January 1, 2025; 4 from January 1, 2026" in said
    assert (
        "Waived by early-visits of early-visits-mandate where the visits so far for this condition are below 6" in said
    )
    assert "From medical-massage (rules/medical-massage.yaml:" in said
    assert "spread-visits-as-prescribed: Spread visits as prescribed From medical-massage" in said
    assert "Disabled by limits-by-year" in said
    replaced = " ".join(run("show", "ohio-clinic").stdout.split())
    assert "From ohio-clinic (rules/plans/ohio-clinic.yaml:" in replaced
    assert "Replaces that of medical-massage (rules/medical-massage.yaml:171): This clinic accepts the" in replaced
    assert "which required that the date of the visit is on or after the day from which the clinic takes" in replaced
    own = " ".join(run("show", str(RULESETS / "progress-reports.yaml")).stdout.split())
    assert "own.last_report_on (date) When was the last progress report sent? The clinic can say." in own
    assert "The days from the day of the last progress report to the date of the visit." in own


def test_own_facts_are_read_from_a_case_file_and_wrong_ones_placed(run):
    ruleset = str(RULESETS / "progress-reports.yaml")
    facts = "history: {visits_this_episode: 6}\nvisit: {date: 2026-06-15}\nown:\n  last_report_on: "
    said = run("evaluate", "-", "--ruleset", ruleset, "--format", "json", input=f"{facts}2026-05-01\n")
    found = {finding["rule"]: finding for finding in json.loads(said.stdout)["findings"]}["progress-report"]
    assert (found["status"], found["facts"]["own.days_since_report"]) == ("unmet", 45)
    wrong = run("evaluate", "-", "--ruleset", ruleset, input=f"{facts}[May]\n  last_report: 2026-05-01\n")
    assert wrong.exit_code == 2
    assert "standard input:4:19: own.last_report_on: found a list" in wrong.stderr
    assert "standard input:5:3: own.last_report: there is no such fact of the ruleset's own" in wrong.stderr
    assert "did you mean last_report_on?" in wrong.stderr
    twice = run("evaluate", "-", "--ruleset", ruleset, input="own: {last_report_on: {b: c}, last_report_on: 1}\n")
    assert "standard input:1:23: own.last_report_on: found a mapping" in twice.stderr
    assert "standard input:1:31: own.last_report_on: this name comes twice" in twice.stderr
    names = run("evaluate", "-", "--ruleset", ruleset, input="own: {Jane Doe: 1, Jane Doe: 2}\n")
    assert names.exit_code == 2
    assert "Jane" not in names.stderr
    strict = '{"visit": {"date": "2026-06-15"},\n "own": {"last_report_on": 5,\n "last_report": 1}}'
    assert "there is no such group" in run("evaluate", "-", "--ruleset", ruleset, input='{"vist": {}}').stderr
    placed = run("evaluate", "-", "--ruleset", ruleset, input=strict)
    assert "standard input:2:28: own.last_report_on: found a number" in placed.stderr
    assert "standard input:3:17: own.last_report: there is no such fact" in placed.stderr


@pytest.mark.parametrize(
    "case",
    [
        "visit: {date: 2026-06-15}\nplan:\n  units_per_visit: 12345\n",
        '{"visit": {"date": "2026-06-15"},\n"plan":\n  {"units_per_visit": 12345}}',
    ],
)
def test_a_fact_that_contradicts_the_plan_is_placed(run, case):
    said = run("evaluate", "-", "--ruleset", str(RULESETS / "limits-by-year.yaml"), input=case)
    assert said.exit_code == 2
    assert "standard input:3:" in said.stderr
    assert "plan.units_per_visit: contradicts what limits-by-year fixes" in said.stderr
    assert "12345" not in said.stderr


def test_a_visit_without_a_date_is_dated_by_as_of(run):
    ruleset = str(RULESETS / "limits-by-year.yaml")
    case = "visit: {minutes: 90}\n"
    assert run("evaluate", "-", "--ruleset", ruleset, input=case).exit_code == 2
    said = run("evaluate", "-", "--ruleset", ruleset, "--as-of", "2026-03-01", "--format", "json", input=case)
    assert json.loads(said.stdout)["ruleset"]["as_of"] == "2026-03-01"
    early = run("evaluate", "-", "--ruleset", ruleset, input="visit: {date: 2024-03-01}\n")
    assert early.exit_code == 2
    assert "limits-by-year 2026.1 is not in force on that day" in early.stderr
    assert "limits-by-year 2026.1 (from 2025-01-01)" in early.stderr
    assert "2024" not in early.stderr
    assert run("evaluate", "-", "--ruleset", ruleset, "--as-of", "soon", input=case).exit_code == 2


def test_the_installed_command():
    command = Path(sys.executable).with_name("covrules")
    if not command.exists():
        pytest.skip("covrules is not installed in this environment")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("covrules, version")

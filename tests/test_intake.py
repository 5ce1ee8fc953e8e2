"""The intake: whoever answers all that is asked gets the verdict on all they know; files, and a real terminal."""

import datetime as dt
import os
import random
import tempfile
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import covrules
from covrules import ANY, UNLIMITED, Case, FactError, RulesetError, Visit, case_from_dict, questions
from covrules.api import evaluate
from covrules.case_files import read_case
from covrules.cli import main
from covrules.deciding_words import deciding_words
from covrules.declaring import Fact
from covrules.facts import FACTS
from covrules.intake import Intake
from covrules.kinds import Enum, SetOf, Text
from covrules.typed import typed
from generators import DAY, OWN_KINDS, case_for, declared, needed, plain_value, resolved, ruleset
from terminals import terminals

EXAMPLES = Path(__file__).parents[1] / "examples"
BASE = covrules.load("medical-massage")
BY_YEAR = covrules.load(EXAMPLES / "rulesets" / "limits-by-year.yaml")
EARLY = "2025-12-31"


def own_ruleset():
    """Return a ruleset with a fact of its own of every kind."""
    kinds = [*OWN_KINDS, Enum(("null", "none")), SetOf(Enum(("null", "true", "12")))]
    facts = [
        Fact(path=f"own.fact_{number}", name=f"fact_{number}", kind=kind, label="fact", ask="What is it?", who="clinic")
        for number, kind in enumerate(kinds)
    ]
    data = {
        "schema": "covrules/1", "id": "own", "title": "Own", "status": "illustrative", "version": "1",
        "declares": {fact.path: declared(fact) for fact in facts},
        "rules": [{"id": "only", "title": "Only", "requires": {"own.fact_0": True}}],
    }  # fmt: skip
    return resolved([data])


OWN_RULESET = own_ruleset()


def state(intake):
    """Return all that an intake shows."""
    verdict = intake.verdict
    return (
        intake.case,
        intake.left_open,
        intake.question,
        intake.progress,
        verdict and (verdict.coverage, verdict.accepted_here, [finding.status for finding in verdict.findings]),
    )


def asked(path, intake=None):
    """Return an intake that asks for a fact, all before it being left open."""
    intake = intake or begun(BASE)
    while intake.question.fact != path:
        intake = after(intake)
    return intake


@cache
def begun(made):
    return Intake.start(made)


@cache
def after(intake):
    return intake.dont_know()


@pytest.fixture(scope="module")
def soon():
    """Have a fact asked for after a short search, so that random rulesets take no time: more is asked, never less."""
    most, questions.MOST_STEPS = questions.MOST_STEPS, 100
    yield
    questions.MOST_STEPS = most


# --- whatever is answered ---------------------------------------------------------------------------------------


def hidden_case(rnd, made):
    """Return a case that knows all that can be asked by a ruleset."""
    data = {"visit": {"date": DAY.isoformat()}}
    for fact in needed(made):
        if not fact.derived_from:
            data.setdefault(fact.group, {}).setdefault(fact.name, plain_value(rnd, fact.kind))
    for path in made.fixed_on(dt.date.fromisoformat(data["visit"]["date"])):
        group, _, name = path.partition(".")
        data.get(group, {}).pop(name, None)
    return case_from_dict(data)


def value_in(case, fact):
    value = case.get(fact.path)
    return fact.kind.parse(value) if fact.group == "own" else value


@pytest.mark.usefixtures("soon")
@settings(max_examples=12, deadline=None)
@given(st.randoms(use_true_random=False))
def test_answering_all_that_is_asked_gives_the_verdict_on_all_that_is_known(rnd):
    made = ruleset(rnd)
    for _ in range(3):
        hidden = hidden_case(rnd, made)
        intake = Intake.start(made)
        while intake.question is not None:
            value = value_in(hidden, intake.fact)
            intake = intake.answer(typed(intake.fact.kind, value) if rnd.random() < 0.5 else value)
        whole = evaluate(made, hidden)
        assert (intake.verdict.coverage, intake.verdict.accepted_here) == (whole.coverage, whole.accepted_here)


@pytest.mark.parametrize(
    "name", ["medical-massage", "ohio-clinic", "regence-washington", "washington-labor-industries"]
)
def test_a_shipped_ruleset_is_decided_once_all_is_answered(name):
    made, rnd = covrules.load(name), random.Random(name)
    for _ in range(3):
        hidden = hidden_case(rnd, made)
        intake = Intake.start(made, as_of=DAY)
        while intake.question is not None:
            assert intake.progress[0] <= intake.progress[1]
            intake = intake.answer(value_in(hidden, intake.fact))
        whole = evaluate(made, hidden)
        assert intake.verdict.coverage == whole.coverage != "undetermined"
        assert intake.verdict.accepted_here is whole.accepted_here is not None


@pytest.mark.usefixtures("soon")
@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_back_undoes_exactly_and_what_nobody_knows_is_not_asked_again(rnd):
    made = ruleset(rnd)
    hidden = hidden_case(rnd, made)
    intake, states, open_ = Intake.start(made), [], []
    for _ in range(30):
        if states and rnd.random() < 0.3:
            intake = intake.back()
            assert state(intake) == states.pop()
            del open_[len(intake.left_open) :]
        elif intake.question is not None:
            assert intake.question.fact not in open_
            states.append(state(intake))
            unknown = rnd.random() < 0.4
            open_ += [intake.question.fact] if unknown else []
            intake = intake.dont_know() if unknown else intake.answer(value_in(hidden, intake.fact))
        assert intake.left_open == tuple(open_)
        assert len(intake.past) == len(states)


def test_back_before_the_first_answer_does_nothing():
    intake = Intake.start(BASE)
    assert intake.back() is intake
    assert intake.dont_know().back().question == intake.question


HOSTILE = [
    "null", "~", "", " ", "true", "12", "97124", "2026-01-01", "none", "any", "unlimited", "a: b", "- item", "# no",
    "[a", "{", "*a", "&a", "!t", "%", "@", "\"'`\\", "two\nlines", "tab\t", "\x00", "\x07", "\x85", "\u2028", "\ufeff",
    "\U0010ffff", "---", "...", "y", "=", "<<", "ends ", "Hälth",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.data())
def test_a_case_is_saved_and_read_back_as_it_is(rnd, data):
    known: dict = {}
    for fact in OWN_RULESET.vocabulary.values():
        if rnd.random() < 0.5:
            value = plain_value(rnd, fact.kind)
            if Text() in (fact.kind, getattr(fact.kind, "of", None)):
                value = data.draw(TEXTS) if fact.kind == Text() else data.draw(st.lists(TEXTS, max_size=3))
            known.setdefault(fact.group, {})[fact.name] = value
    case = case_from_dict(known)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.yaml"
        intake = Intake.start(OWN_RULESET, case).save(path)
        read = read_case(path.read_bytes(), "case.yaml", OWN_RULESET.declares)
        again = Intake.resume(path, OWN_RULESET)
        assert read == again.case == intake.case
        assert os.listdir(folder) == ["case.yaml"]
        assert again.save(path) is again
        for fact in OWN_RULESET.vocabulary.values():
            given_ = case.get(fact.path)
            assert read.get(fact.path) == (None if given_ is None else fact.kind.parse(given_))


@pytest.mark.usefixtures("soon")
@settings(max_examples=9, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_sitting_goes_on_where_it_was_left(rnd):
    made = ruleset(rnd)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.yaml"
        intake = Intake.start(made, case_for(rnd, made), as_of=DAY)
        while intake.question is not None and rnd.random() < 0.8:
            kind = intake.fact.kind
            intake = intake.answer(kind.parse(plain_value(rnd, kind)))
        intake = intake.save(path)
        again = Intake.resume(path, made, as_of=DAY)
        assert again.case == intake.case
        assert (again.question, again.verdict.coverage) == (intake.question, intake.verdict.coverage)


# --- answers that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answer", "found", "expected"),
    [
        ("visit.liability", "Zebra", "a word that is not among them", "none, auto, work or other-plan"),
        ("visit.minutes", "Zebra", "text that is not a whole number", "a whole number, 0 or more"),
        ("visit.minutes", -7531, "a negative number", "a whole number, 0 or more"),
        ("visit.minutes", True, "true or false", "a whole number, 0 or more"),
        ("provider.licensed", "Zebra", "text that is neither", "yes or no"),
        ("provider.licensed", 7531, "a number", "true or false"),
        ("plan.massage_benefit", "coverd", "a word that is not among them", None),
        ("visit.date", "2026-02-30", "a date that is not in the calendar", "a date such as 2026-06-15"),
        ("prescription.diagnosis", "Zebra pain", "text that is not such a code", None),
        ("plan.payer", "", "nothing", "text"),
        ("plan.payer", "\x1b[31mZebra", "a control character (U+001B)", "text"),
        ("plan.payer", "Zebra" * 101, "505 characters, and 500 are the most", "text"),
        ("visit.body_sites", " , ", "nothing", None),
        ("visit.body_sites", ["Zebra"], "a list with a word that is not among them", None),
        ("visit.minutes", None, "nothing", "a whole number, 0 or more"),
        ("visit.minutes", " ", "nothing", "a whole number, 0 or more"),
    ],
)
def test_a_refused_answer_says_what_is_expected_and_changes_nothing(path, answer, found, expected):
    if path == "plan.payer":  # no rule of the base asks for a text
        intake = asked("own.fact_3", Intake.start(text_ruleset()))
        path = "own.fact_3"
    else:
        intake = asked(path)
    before = state(intake)
    with pytest.raises(FactError) as error:
        intake.answer(answer)
    (problem,) = error.value.problems
    assert (problem.path, problem.message) == (path, f"found {found}")
    assert problem.expected == (expected or problem.expected)
    assert problem.expected
    for secret in ("zebra", "7531", "02-30", "did you mean"):
        assert secret not in str(error.value).lower()
    assert error.value.__cause__ is None
    assert state(intake) == before


def text_ruleset():
    """Return a ruleset that asks for a text."""
    data = {
        "schema": "covrules/1", "id": "text", "title": "Text", "status": "illustrative", "version": "1",
        "declares": {"own.fact_3": {"type": "text", "who": "clinic", "ask": "Which claim is it?"}},
        "rules": [{"id": "only", "title": "Only", "requires": {"own.fact_3": "A-17"}}],
    }  # fmt: skip
    return resolved([data])


def test_answers_are_read_as_they_are_typed_or_taken_as_values():
    for given_, value in ((" Unlimited ", UNLIMITED), (UNLIMITED, UNLIMITED), ("4", 4), (4, 4)):
        assert asked("plan.units_per_visit").answer(given_).case.plan.units_per_visit is value
    for given_, value in (("md, lac", {"MD", "LAc"}), ({"MD"}, {"MD"}), ("any", ANY), (ANY, ANY), ("none", set())):
        assert asked("plan.accepted_prescribers").answer(given_).case.plan.accepted_prescribers == value
    for given_, value in (("left ankle, Low Back", {"ankle-left", "low-back"}), ("back", {"back"})):
        assert asked("visit.body_sites").answer(given_).case.visit.body_sites == value
    assert asked("visit.liability").answer("Other plan").case.visit.liability == "other-plan"
    assert asked("prescription.diagnosis").answer("None").case.prescription.diagnosis == "none"
    assert asked("own.fact_3", Intake.start(text_ruleset())).answer("A-17").verdict.coverage == "covered"


def test_nothing_can_be_answered_where_nothing_is_asked():
    intake = Intake.start(text_ruleset()).answer("A-17")
    assert intake.question is None
    for do in (lambda: intake.answer("A-17"), intake.dont_know, lambda: intake.expected):
        with pytest.raises(ValueError, match="no question is open"):
            do()


# --- the day of the visit ---------------------------------------------------------------------------------------


def test_where_it_matters_the_day_is_asked_first():
    intake = Intake.start(BY_YEAR)
    assert intake.verdict is None
    assert (intake.question.fact, intake.question.ask) == ("visit.date", FACTS["visit.date"].ask)
    assert intake.progress[0] == 1
    assert intake.progress[1] > 10
    later = intake.answer(EARLY)
    assert later.verdict.coverage == "undetermined"
    assert later.question.fact != "visit.date"
    assert later.back().verdict is None
    unknown = intake.dont_know()
    assert (unknown.verdict, unknown.question) == (None, None)
    assert Intake.start(BY_YEAR, as_of=EARLY).verdict is not None
    assert Intake.start(BY_YEAR, Case(visit=Visit(date=EARLY))).verdict is not None


def test_what_the_ruleset_refuses_changes_nothing():
    intake = Intake.start(BY_YEAR, case_from_dict({"plan": {"units_per_visit": 6}}))
    with pytest.raises(FactError, match=r"plan\.units_per_visit: contradicts what limits-by-year fixes"):
        intake.answer("2026-01-02")
    assert intake.verdict is None
    assert intake.answer(EARLY).verdict.coverage == "undetermined"
    text = (EXAMPLES / "rulesets" / "progress-reports.yaml").read_text()
    assert "\nrules:" in text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "progress-reports.yaml"
        path.write_text(text.replace("\nrules:", "\neffective: {from: 2026-01-01}\nrules:"))
        made = covrules.load(path)
    intake = Intake.start(made)
    with pytest.raises(FactError, match="outside the days progress-reports"):
        intake.answer(EARLY)
    assert (intake.question.fact, intake.case.visit.date) == ("visit.date", None)
    assert intake.answer("2026-01-01").verdict is not None


def test_a_case_that_cannot_be_used_is_refused_to_begin_with(tmp_path):
    with pytest.raises(FactError, match="contradicts"):
        Intake.start(BY_YEAR, case_from_dict({"visit": {"date": EARLY}, "plan": {"units_per_visit": 5}}))
    with pytest.raises(FactError, match=r"own\.step: there is no such fact"):
        Intake.start(BASE, Case(own={"step": 1}))
    (tmp_path / "case.yaml").write_text(f"visit: {{date: {EARLY}}}\nplan: {{units_per_visit: 5}}\n")
    with pytest.raises(FactError, match=r"case\.yaml:2:25: plan\.units_per_visit: contradicts"):
        Intake.resume(tmp_path / "case.yaml", BY_YEAR)
    with pytest.raises(RulesetError, match="No such file"):
        Intake.resume(tmp_path / "none.yaml", BY_YEAR)


# --- files ------------------------------------------------------------------------------------------------------


def test_what_was_left_open_is_asked_again_another_time(tmp_path):
    intake = Intake.start(BASE)
    first = intake.question
    intake = intake.dont_know().save(tmp_path / "case.yaml")
    assert intake.question != first
    assert Intake.resume(tmp_path / "case.yaml", BASE).question == first
    assert (tmp_path / "case.yaml").read_text().endswith("\n{}\n")


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text("visit: {minutes: 60}\n")
    with pytest.raises(RulesetError, match="there already, and would be lost"):
        Intake.start(BASE).save(path)
    intake = Intake.resume(path, BASE).dont_know()
    path.write_text("visit: {minutes: 90}\n")
    with pytest.raises(RulesetError, match="somebody else has changed the file"):
        intake.save(path)
    assert path.read_text() == "visit: {minutes: 90}\n"
    intake = asked("visit.liability", Intake.resume(path, BASE)).answer("work").save(path).back().save(path)
    assert Intake.resume(path, BASE).case == intake.case == Case(visit=Visit(minutes=90))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_whole_is_not_written_at_all(tmp_path, step, monkeypatch):
    intake = Intake.start(BASE).save(tmp_path / "case.yaml")
    before = (tmp_path / "case.yaml").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(RulesetError, match="No space left on device"):
        asked("visit.liability", intake).answer("work").save(tmp_path / "case.yaml")
    assert (tmp_path / "case.yaml").read_bytes() == before
    assert os.listdir(tmp_path) == ["case.yaml"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("case.json", "read as JSON, and what is saved is YAML"),
        ("nul\0byte.yaml", "this cannot be the name of a file"),
        (".", "there already"),
        ("held.yaml/case.yaml", "a place where a file can be written"),
        ("x" * 300, "too long"),
    ],
)
def test_a_file_that_cannot_be(tmp_path, name, said):
    (tmp_path / "held.yaml").write_text("")
    with pytest.raises(RulesetError, match=said):
        Intake.start(BASE).save(f"{tmp_path}/{name}")
    assert os.listdir(tmp_path) == ["held.yaml"]


def test_a_case_too_large_for_a_file_is_not_written(tmp_path):
    case = case_from_dict({"prescription": {"diagnosis_text": "x" * 1_000_001}})
    with pytest.raises(FactError, match="larger than"):
        Intake.start(BASE, case).save(tmp_path / "case.yaml")
    assert os.listdir(tmp_path) == []


# --- the command ------------------------------------------------------------------------------------------------

SMALL = """\
schema: covrules/1
id: small
title: Small
status: illustrative
version: "1"
declares:
  own.known_here: {type: bool, who: clinic, ask: "Has the patient been here before?"}
rules:
  - {id: no-other-payer, title: No other payer, requires: {visit.liability: none}, because: "Other: {visit.liability}."}
  - {id: licensed, title: Licensed, requires: {provider.licensed: true}}
  - {id: known-here, title: Known here, layer: clinic, requires: {own.known_here: true}}
"""


def told(path, **known):
    """Return the lines that say which answers decide at once, as a question of the small ruleset is asked."""
    made = resolved([yaml.safe_load(SMALL)])
    intake = asked(path, Intake.start(made, case_from_dict(known)))
    return "".join(f"  {sentence}\n" for sentence in deciding_words(intake.question, intake.fact))


PAYER, LICENSE, HERE = FACTS["visit.liability"].ask, FACTS["provider.licensed"].ask, "Has the patient been here before?"


@pytest.fixture
def take_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)

    def invoke(*arguments, typed=(), ruleset="./small.yaml"):
        lines = typed if isinstance(typed, bytes) else "".join(f"{line}\n" for line in typed)
        result = CliRunner().invoke(main, ["intake", "--ruleset", str(ruleset), *arguments], input=lines)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return invoke


def saved(name="case.yaml"):
    return read_case(Path(name).read_bytes(), name, covrules.load("./small.yaml").declares).to_dict()


def test_an_intake_on_the_command_line(take_in):
    result = take_in(typed=["don't know", "back", "wrok", "WORK", "yes", ""])
    assert result.exit_code == 0, result.output
    sitting, _, ending = result.stdout.partition("Enter ends, back takes the last answer back")
    pays, licensed = told("visit.liability"), told("provider.licensed")
    here = told("own.known_here", visit={"liability": "work"})
    assert "  If no: not covered.\n" in licensed
    first = f"\nQuestion 1 of about 3 (the patient can answer)\n{PAYER}\n  none, auto, work or other-plan\n{pays}> "
    unknown = "So far: not decided yet; whether this clinic takes it is not known; 2 questions may be left.\n"
    undone = "So far: not decided yet; whether this clinic takes it is not known; 3 questions may be left.\n"
    assert f"{first}don't know\n{unknown}" in sitting
    second = f"Question 2 of about 3 (the clinic can answer)\n{LICENSE}\n  yes or no\n{licensed}> back\n"
    assert f"{second}{undone}{first}wrok\n" in sitting
    assert (
        "  found a word that is not among them\n  expected none, auto, work or other-plan\n  did you mean work?\n"
        "> WORK\nSo far: not covered; whether this clinic takes it is not known; 1 question may be left.\n"
    ) in sitting
    assert (
        f"Question 2 of about 2 (the clinic can answer)\n{HERE}\n  yes or no\n{here}> yes\nSo far: not covered.\n"
        in sitting
    )
    assert sitting.endswith("\nNo more need be asked.\n")
    known = case_from_dict({"visit": {"liability": "work"}, "own": {"known_here": True}})
    verdict = covrules.load("./small.yaml").evaluate(known)
    assert ending.endswith(f"\n\n{verdict.explain()}\n\n{verdict.checklist()}\n")


def test_no_path_of_a_fact_is_ever_shown(take_in):
    for word in ("?", "~"):
        result = take_in(typed=[word] * 80, ruleset="medical-massage")
        assert result.exit_code == 0
        assert "Question 1 of about" in result.stdout
        assert not [path for path in FACTS if path in result.stdout.partition("Rule: ")[0]]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["none", "yes", "yes"], "So far: covered.\n"),
        (["none", "yes", "no"], "So far: covered, but not at this clinic.\n"),
        (["none", "yes"], "So far: covered; whether this clinic takes it is not known; 1 question may be left.\n"),
        (["none", "no", "no"], "So far: not covered; this clinic does not take it.\n"),
    ],
)
def test_how_the_verdict_stands(take_in, answers, said):
    assert said in take_in(typed=answers).stdout


def test_what_was_left_open_is_counted_in_the_end(take_in):
    assert "That was the last question; 1 is left open.\n" in take_in(typed=["none", "yes", "?"]).stdout
    assert "That was the last question; 3 are left open.\n" in take_in(typed=["?", "?", "?"]).stdout


def test_at_the_end_one_can_still_go_back_and_save(take_in):
    result = take_in(typed=["work", "no", "back", "yes", "save other.yaml", "", "never read"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("No more need be asked.") == 3
    assert "  Saved in other.yaml.\n" in result.stdout
    assert saved("other.yaml") == {"visit": {"liability": "work"}, "own": {"known_here": True}}
    again = take_in("other.yaml")
    assert "\nNothing is to be asked.\n\nNot covered.\n" in again.stdout


def test_every_answer_is_saved_at_once_and_gone_on_with(take_in):
    result = take_in("case.yaml", "--save", "case.yaml", typed=["none", "?", "stop"])
    assert result.exit_code == 0, result.output
    assert "Every answer is saved at once in case.yaml.\n" in result.stdout
    assert saved() == {"visit": {"liability": "none"}}
    again = take_in("case.yaml", "--save", "case.yaml", typed=["yes", "back", "no"])
    assert f"Question 1 of about 2 (the clinic can answer)\n{LICENSE}\n" in again.stdout
    assert saved() == {"visit": {"liability": "none"}, "provider": {"licensed": False}}
    evaluated = CliRunner().invoke(main, ["evaluate", "case.yaml", "--ruleset", "./small.yaml"])
    assert evaluated.stdout.startswith("Not covered.")


def test_the_day_comes_first_on_the_command_line(take_in, tmp_path):
    (tmp_path / "given.yaml").write_text("plan: {units_per_visit: 6}\n")
    ruleset, day = EXAMPLES / "rulesets" / "limits-by-year.yaml", FACTS["visit.date"].ask
    result = take_in("given.yaml", typed=["2026-01-02", EARLY, "stop"], ruleset=ruleset)
    assert result.stdout.count(day) == 1
    assert f"  {FACTS['plan.units_per_visit'].label}: contradicts what limits-by-year fixes" in result.stdout
    assert "\nNot decided yet." in result.stdout
    result = take_in(typed=["?"], ruleset=ruleset)
    assert result.exit_code == 0
    assert "So far: these rules depend on the day of the visit, and nothing can be said without it" in result.stdout
    result = take_in("--as-of", EARLY, "--stage", "billed", "--today", EARLY, typed=["stop"], ruleset=ruleset)
    assert day not in result.stdout.partition("> ")[0]
    assert "for a billed visit" in result.stdout.replace("\n", " ")


def test_a_ruleset_cannot_steer_the_terminal(take_in, tmp_path):
    text = (
        "schema: covrules/1\nid: steering\ntitle: T\nstatus: illustrative\nversion: '1'\ndeclares:\n"
        '  own.word: {type: text, who: clinic, ask: "Which\\u202eword?"}\n'
        "rules: [{id: only, title: Only, requires: {own.word: secret}}]\n"
    )
    (tmp_path / "steering.yaml").write_text(text)
    result = take_in(typed=["secret", ""], ruleset="./steering.yaml")
    assert result.exit_code == 0, result.output
    assert "\u202e" not in result.stdout
    assert "Which\ufffdword?" in result.stdout


def test_what_can_be_typed_beside_answers(take_in):
    result = take_in(typed=["back", "save", "save case.json", "save case.yaml", "SAVE case.yaml", "Stop"])
    assert result.exit_code == 0, result.output
    assert "There is no answer to take back." in result.stdout
    assert "After save comes the name of a file." in result.stdout
    assert "a file of this name is read as JSON" in result.stdout
    assert result.stdout.count("Saved in case.yaml.") == 2
    assert "So far" not in result.stdout


def test_where_back_is_a_part_of_the_body_it_is_an_answer(take_in):
    text = SMALL.replace("type: bool", "type: set of body site").replace(
        "{own.known_here: true}", "{own.known_here: {has: back}}"
    )
    Path("small.yaml").write_text(text)
    result = take_in(typed=["none", "?", "left ankle", "back", "Go back", "yes", "back", "save case.yaml"])
    assert result.exit_code == 0, result.output
    assert "  here back is an answer: go back takes the last one back\n" in result.stdout
    assert saved() == {
        "visit": {"liability": "none"}, "provider": {"licensed": True}, "own": {"known_here": ["back"]},
    }  # fmt: skip


def test_where_saving_fails_the_sitting_goes_on(take_in, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    put = os.replace
    calls = []

    def once(*arguments):
        calls.append(arguments)
        return put(*arguments) if len(calls) != 2 else full()

    monkeypatch.setattr(os, "replace", once)
    result = take_in("case.yaml", "--save", "case.yaml", typed=["none", "yes", "back", "stop"])
    assert result.exit_code == 0, result.output
    assert "  This answer is not saved:\n  No space left on device\n" in result.stdout
    assert saved() == {"visit": {"liability": "none"}}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], "CASE must be a file: standard input is where the answers are typed"),
        (["none.yaml"], "none.yaml: No such file or directory"),
        (["none.yaml", "--save", "other.yaml"], "none.yaml: No such file or directory"),
        (["--save", "held.yaml"], "held.yaml: this is there already, and would be lost"),
        (["held.yaml"], "held.yaml:1:1: visti: there is no such group of facts"),
        (["--save", "held.yaml/case.yaml"], "expected a place where a file can be written"),
        (["--today", "tomorrow"], "Invalid value for '--today'"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_asked(take_in, tmp_path, arguments, said):
    (tmp_path / "held.yaml").write_text("visti: {}\n")
    result = take_in(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Question" not in result.stdout
    assert (tmp_path / "held.yaml").read_text() == "visti: {}\n"


def test_what_is_typed_and_is_no_text_ends_it(take_in):
    result = take_in(typed=b"work\n\xff\xfe\n")
    assert result.exit_code == 2
    assert result.stderr == "standard input: a byte that is not text\n    expected text in UTF-8\n"


# --- on a real terminal -----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    with terminals(tmp_path) as open_:
        yield lambda *more: open_("intake", "--ruleset", "./small.yaml", *more)


def test_a_sitting_on_a_terminal(terminal, tmp_path):
    on = terminal()
    for text, said in (
        ("?\n", "So far: not decided yet; whether this clinic takes it is not known; 2 questions may be left."),
        ("back\n", "Question 1 of about 3"),
        ("wx\x7fork\n", "So far: not covered; whether this clinic takes it is not known; 1 question may be left."),
        ("save my case.yaml\n", "Saved in my case.yaml."),
        ("stop\n", "Not covered."),
    ):
        on.type(text)
        on.wait_for(said)
    assert on.end("the insurer\r\ndecides on the claim.") == 0
    assert "liability: work" in (tmp_path / "my case.yaml").read_text()


@pytest.mark.parametrize("last", ["\x03", "\x04"], ids=["control-c", "control-d"])
def test_on_a_terminal_every_way_out_keeps_what_was_answered(terminal, tmp_path, last):
    on = terminal("case.yaml", "--save", "case.yaml")
    on.type("work\n")
    on.wait_for("Question 2 of about 2")
    on.type(last)
    on.wait_for("So far: not covered;")
    assert on.end("The answers are in case.yaml: an intake of that case goes on with them.") == 0
    assert sorted(os.listdir(tmp_path)) == ["case.yaml", "small.yaml"]
    again = terminal("case.yaml", "--save", "case.yaml")
    again.wait_for(f"Question 1 of about 1 (the clinic can answer)\r\n{HERE}")

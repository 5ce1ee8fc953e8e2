"""The plan interview: whatever is answered, the file loads and says exactly that; then its stories."""

import datetime as dt
import json
import os
import random
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import covrules
from covrules import FactError, RulesetError
from covrules.checking import check
from covrules.cli import main
from covrules.facts import FACTS
from covrules.interview.answers_file import Answers, read_answers
from covrules.interview.asking import TITLE, Interview, Unconfirmed
from covrules.interview.plan_file import MANDATES, PLAN_FACTS, Call
from covrules.library import rules_folder
from covrules.typed import read_typed, typed
from generators import plain_value
from terminals import terminals

EXAMPLES = Path(__file__).parents[1] / "examples"
DAY = dt.date(2026, 11, 23)
HOSTILE = [
    'quotes " and \' and `', "a: b", "- item", "# no comment", "{value: 1}", "[a, b", "*alias", "&anchor", "!tag", "%",
    "@", "null", "~", "true", "2026-01-01", "back\\slash", "two\nlines", "tab\tin it", "...", "---", "|", ">", "?x",
    "\u2028line", "\ufeffmark", "e\u0301", "\U0001f600", "right\u202eleft", "ends with #", ": ", "x: 'y", "\x85",
    "\x07bell", "\x1b[31mred", "lone \ud800 half", "a" * 501, "{plan.payer}", "${HOME}", "\\u0041", "Ж", "名前",
]  # fmt: skip
ANY_TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), st.text(st.characters(), max_size=8))


def values(path):
    """Return values of a plan's fact."""
    kind = FACTS[path].kind
    return st.integers(0, 2**32).map(lambda seed: kind.parse(plain_value(random.Random(seed), kind)))


def session(path, day=DAY):
    return Interview.begin(Path(path), day)


def fixed(path):
    """Return what a file fixes of its plan, having seen that every fact cites one call."""
    ruleset = covrules.load(Path(path))
    assert ruleset.status == "sourced"
    report = check(ruleset)
    assert (report.failures, report.unexercised, report.notes) == ((), (), ())
    for each in ruleset.fixed.values():
        assert each.cites
        assert all(source.id.startswith("call-") and source.read is not None for source in each.cites)
    return {path: each.values[0][1] for path, each in ruleset.fixed.items() if path.startswith("plan.")}


# --- whatever is answered ---------------------------------------------------------------------------------------

STEPS = st.lists(st.sampled_from(["answer"] * 12 + ["skip", "enter", "back", "back", "stop", "wrong"]), max_size=70)


@settings(max_examples=20, deadline=None)
@given(STEPS, st.data())
def test_the_file_says_exactly_what_was_answered(steps, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my-plan.yaml"
        day, known = DAY, {}
        interview = session(path)
        for step in steps:
            question = interview.next_question
            if step == "back":
                interview = interview.back()
            elif step == "stop":
                interview = interview.save()
                day += dt.timedelta(days=data.draw(st.sampled_from([0, 1, 100, 200])))
                resumed = session(path, day)
                assert resumed.known == interview.known == known
                assert resumed.text() == interview.text()
                interview = resumed
            elif question is None:
                continue
            elif step == "skip":
                interview = interview.skip()
                known.pop(question.key, None)
            elif step == "enter":
                assert question.key not in FACTS or (question.known is not None) == (question.key in known)
                interview = interview.answer("")
            elif step == "wrong":
                with pytest.raises(FactError):
                    interview.answer("\x07")
            elif question.key in FACTS:
                known[question.key] = data.draw(values(question.key))
                interview = interview.answer(typed(FACTS[question.key].kind, known[question.key]), sure=True)
            else:
                interview = interview.answer({"call.on": str(day)}.get(question.key, "something"))
            assert interview.known == known
            assert set(interview.open).isdisjoint(known)
        interview = interview.save()
        assert fixed(path) == known
        assert path.read_text() == interview.text()
        assert session(path, day).text() == interview.text()
        assert os.listdir(folder) == ["my-plan.yaml"]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_answers_taken_together_in_any_order(data):
    order = data.draw(st.permutations(PLAN_FACTS))[: data.draw(st.integers(0, len(PLAN_FACTS)))]
    facts = {path: data.draw(values(path)) for path in order}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my-plan.yaml"
        session(path).merge(Answers("A plan", Call(DAY), facts)).save()
        assert fixed(path) == facts
        assert session(path).known == facts
        said = {FACTS[each].name: FACTS[each].kind.plain(value) for each, value in facts.items()}
        as_json = json.dumps(
            {"call": {"on": str(DAY)}, "plan": said}, indent=data.draw(st.sampled_from([None, 1, "\t"]))
        )
        assert read_answers(as_json.encode(), "x", DAY).facts == facts


@settings(max_examples=30, deadline=None)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_the_file_is_safe_whatever_is_typed(title, payer, who, reference):
    given_ = dict(
        zip((TITLE, "plan.payer", "call.with", "call.reference"), (title, payer, who, reference), strict=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my-plan.yaml"
        interview = session(path)
        while (question := interview.next_question).key != "plan.massage_benefit":
            text = given_.get(question.key, "")
            try:
                interview = interview.answer(text)
            except FactError:
                assert question.key in given_
                given_[question.key] = ""
        taken = {key: text.strip().removeprefix("?" if text.strip() == "?" else "") for key, text in given_.items()}
        interview.answer("covered").save()
        ruleset = covrules.load(path)
        assert ruleset.title == (taken[TITLE] or "My plan")
        assert fixed(path) == {"plan.massage_benefit": "covered"} | (
            {"plan.payer": taken["plan.payer"]} if taken["plan.payer"] else {}
        )
        (call,) = ruleset.sources
        answered = f", answered by {taken['call.with']}" if taken["call.with"] else ""
        assert call.title == f"Telephone call with {taken['plan.payer'] or 'the insurer'}{answered}"
        assert call.section == (f"Reference number {taken['call.reference']}" if taken["call.reference"] else None)
        assert session(path).text() == path.read_text()
        assert path.read_bytes().decode().splitlines() == path.read_text().split("\n")[:-1]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLAN_FACTS), st.data())
def test_what_is_typed_for_a_value_is_read_as_that_value(path, data):
    value = data.draw(values(path))
    assert read_typed(FACTS[path].kind, typed(FACTS[path].kind, value)) == value


IN_ORDER = dict.fromkeys(["met", "waived", "not-applicable"], "in order")
"""That a rule does not stand in the way is certain before it is certain why."""


def statuses(verdict):
    return [finding.status for finding in verdict.findings]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_question_left_out_cannot_matter(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my-plan.yaml"
        some = data.draw(st.lists(st.sampled_from(PLAN_FACTS), unique=True, max_size=12))
        facts = {path: data.draw(values(path)) for path in some}
        interview = session(path).merge(Answers(None, Call(DAY), facts)).save()
        ruleset = covrules.load(path)
        left_out = [path for path in PLAN_FACTS if path not in interview.open and path not in ruleset.fixed]
        if not left_out:
            return
        rnd = random.Random(data.draw(st.integers(0, 2**32)))
        case = {}
        for fact in FACTS.values():
            if fact.group != "plan" and not fact.derived_from and rnd.random() < 0.7:
                case.setdefault(fact.group, {})[fact.name] = plain_value(rnd, fact.kind)
        case.setdefault("visit", {})["date"] = str(DAY + dt.timedelta(days=rnd.choice([0, 1, 30, 1000])))
        asked = data.draw(st.sampled_from(left_out))
        found = set()
        for value in (None, data.draw(values(asked)), data.draw(values(asked))):
            plan = {} if value is None else {"plan": {FACTS[asked].name: FACTS[asked].kind.plain(value)}}
            verdict = ruleset.evaluate(covrules.case_from_dict(case | plan), "billed", engine="compiled")
            found.add(verdict.coverage if interview.certain else tuple(IN_ORDER.get(s, s) for s in statuses(verdict)))
        assert len(found) == 1
        assert interview.certain is None or found == {interview.certain.coverage}


# --- stories ----------------------------------------------------------------------------------------------------

TOLD = {
    "title": "Example Health PPO",
    "plan.payer": "Example Health",
    "call.with": "Maria",
    "call.on": "",
    "call.reference": "884213",
    "plan.massage_benefit": "covered",
    "plan.coverage_start": "2026-01-01",
    "plan.coverage_end": "open",
    "plan.covered_procedures": "97124, 97140",
    "plan.prescription_required": "yes",
    "plan.accepted_prescribers": "MD, DO, NP, PA",
    "plan.prescription_valid_days": "180",
    "plan.visits_on_prescription_required": "n",
    "plan.diagnosis_code_required": "Y",
    "plan.minimum_specificity": "general",
    "plan.covered_diagnoses": "any",
    "plan.excluded_diagnoses": "none",
    "plan.referral_required": "no",
    "plan.referral_to_payer_required": "no",
    "plan.visits_before_authorization": "unlimited",
    "plan.treatment_plan_required": "no",
    "plan.maintenance_covered": "no",
    "plan.unit_minutes": "15",
    "plan.unit_rounding": "cms",
    "plan.units_per_visit": "4",
    "plan.units_per_day": "unlimited",
    "plan.minutes_per_visit": "unlimited",
    "plan.visits_per_year": "20",
    "plan.units_per_year": "unlimited",
    "plan.out_of_network_benefit": "no",
    "plan.out_of_network_needs_referral": "no",
    "plan.location_bound_network": "yes",
    "plan.accepted_credentials": "LMT",
    "plan.itemized_receipt_required": "?",
    "plan.timely_filing_days": "",
    "plan.mandates": "none",
}
"""What an insurer says on the telephone of the plan in the text "How to get medical insurance to cover massage"."""

WRITTEN = """\
# A plan as its insurer described it, asked for and written by `covrules new`. The same command on this file
# asks what is still open, and again what was said too long ago. What is wrong here may be corrected by hand;
# rules and facts of your own go into another file beside it, which says `extends: my-plan`: this one is
# written anew each time. Nothing about a patient belongs here.
schema: covrules/1
id: my-plan
title: "Example Health PPO"
status: sourced
version: "2026-11-23"
extends: medical-massage

sources:
  call-2026-11-23:
    title: "Telephone call with Example Health, answered by Maria"
    section: "Reference number 884213"
    read: 2026-11-23

facts:
  # Which insurer is the plan with?
  plan.payer: {value: "Example Health", cites: [call-2026-11-23]}
  # Is massage covered, covered only with physical therapy, or excluded?
  plan.massage_benefit: {value: excluded, cites: [call-2026-11-23]}
  # The day of the oldest call that still counts.
  own.verified_on: {value: 2026-11-23, cites: [call-2026-11-23]}

declares:
  own.verified_on:
    type: date
    who: insurer
    ask: "When did the insurer last say what this plan pays?"
    label: day of the oldest call that counts
  own.days_since_verified:
    type: days
    from: own.verified_on
    to: visit.date
    label: age of what the insurer said

rules:
  - id: verify-again
    title: What the insurer said is not too old
    applies: {own.days_since_verified: {above: 180}}
    advises: "What the insurer said of this plan is more than 180 days old: call again before relying on it."
    cites: [call-2026-11-23]
    examples:
      - {given: {own.days_since_verified: 181}, then: advised}
      - {given: {own.days_since_verified: 180}, then: not-applicable}
      - {given: {}, then: unknown}

# Nothing is still open.
"""
"""The file after an excluded benefit. Files like this are on people's disks: what is changed must still read it."""


def told(interview, **answers):
    """Return the interview once all that is asked was answered as it is told, saved, and the questions asked."""
    said = TOLD | {name.replace("__", "."): text for name, text in answers.items()}
    asked = []
    while (question := interview.next_question) is not None:
        asked.append(question.key)
        interview = interview.answer(said[question.key])
    return interview.save(), asked


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my-plan.yaml"


def test_the_whole_story_of_text_a(path):
    interview, asked = told(session(path))
    assert asked == list(TOLD)
    known = fixed(path)
    assert known["plan.accepted_prescribers"] == {"MD", "DO", "NP", "PA"}
    assert (known["plan.excluded_diagnoses"], known["plan.mandates"]) == (frozenset(), frozenset())
    assert interview.open == ("plan.itemized_receipt_required", "plan.timely_filing_days")
    case = covrules.case_files.read_case((EXAMPLES / "ninety-minutes-against-four-units.yaml").read_bytes(), "x.yaml")
    facts = {**case.to_dict(), "plan": {}}
    verdict = covrules.load(path).evaluate(covrules.case_from_dict(facts))
    assert (verdict.coverage, verdict.units.covered, verdict.units.requested) == ("partial", 4, 6)
    assert not any("call again" in advice for advice in verdict.advice)


def test_an_excluded_benefit_ends_the_interview(path):
    interview, asked = told(session(path), plan__massage_benefit="excluded")
    assert asked == [*TOLD][:6]
    assert path.read_text() == WRITTEN
    assert interview.certain.finding("benefit-exists").because == "The massage benefit of the plan: excluded."
    again = interview.back()
    assert (again.next_question.key, again.next_question.known) == ("plan.massage_benefit", "excluded")
    assert again.answer("covered").next_question.key == "plan.coverage_start"


def test_a_coverage_that_has_ended_ends_the_interview(path):
    _, asked = told(session(path), plan__coverage_start="2025-01-01", plan__coverage_end="2026-11-22")
    assert asked == [*TOLD][:8]
    for start, end in (("2025-01-01", "2026-11-23"), ("2027-01-01", "2027-12-31")):
        path.unlink()
        assert len(told(session(path), plan__coverage_start=start, plan__coverage_end=end)[1]) == len(TOLD)
    path.unlink()
    assert len(told(session(path), plan__coverage_start="2027-01-01", plan__coverage_end="2026-12-31")[1]) == 8


def test_questions_that_cannot_matter_are_left_out(path):
    _, asked = told(session(path), plan__prescription_required="no", plan__minutes_per_visit="60")
    assert {*TOLD} - {*asked} == {"plan.accepted_prescribers", "plan.prescription_valid_days"}
    path.unlink()
    _, asked = told(session(path), plan__out_of_network_benefit="yes", plan__out_of_network_needs_referral="no")
    assert "plan.out_of_network_needs_referral" in asked


def test_an_interruption_loses_nothing(path):
    interview = session(path)
    for text in [*TOLD.values()][:12]:
        interview = interview.answer(text).save()
    resumed, asked = told(session(path), call__with="John", call__reference="")
    assert asked == ["call.with", "call.on", "call.reference", *[*TOLD][12:]]
    assert [source.id for source in covrules.load(path).sources] == ["call-2026-11-23", "call-2026-11-23-2"]
    assert covrules.load(path).sources[1].title == "Telephone call with Example Health, answered by John"
    assert resumed.facts["plan.unit_minutes"].source.section is None
    unfinished = session(path)
    assert unfinished.progress == (1, 5)
    same = unfinished.answer("Maria").answer("").answer("884213").answer("yes").save()
    assert same.facts["plan.itemized_receipt_required"].source.id == "call-2026-11-23"


def test_an_answer_is_corrected(path):
    interview = session(path)
    assert interview.back() is interview
    for text in [*TOLD.values()][:11]:
        interview = interview.answer(text)
    assert interview.next_question.key == "plan.prescription_valid_days"
    interview = interview.back().back()
    assert (interview.next_question.key, interview.next_question.known) == ("plan.prescription_required", "yes")
    corrected = interview.answer("no")
    assert corrected.next_question.key == "plan.visits_on_prescription_required"
    kept = interview.answer("").next_question
    assert (kept.key, kept.known) == ("plan.accepted_prescribers", "MD, DO, NP, PA")
    unknown = interview.answer("?").answer("?")
    assert not {"plan.prescription_required", "plan.accepted_prescribers"} & unknown.known.keys()
    named = session(path).answer("A").answer("B").answer("C").back().back()
    assert (named.next_question.key, named.next_question.known) == ("plan.payer", "B")
    assert named.answer("D").next_question.known == "C"


@pytest.mark.parametrize(
    ("key", "text", "message", "expected", "hint"),
    [
        ("plan.massage_benefit", "Coverd", "a word that is not among them",
         "covered, with-physical-therapy or excluded", "did you mean covered?"),
        ("plan.coverage_start", "tomorrow", "text that is not a date", "a date such as 2026-06-15", None),
        ("plan.covered_procedures", "97124 97140", "text that is not such a code",
         "a procedure code of five characters, such as 97124; several with commas between; or none; or any", None),
        ("plan.prescription_required", "maybe", "text that is neither", "yes or no", None),
        ("plan.prescription_valid_days", "-1", "a negative number", "a whole number, 0 or more; or unlimited", None),
        ("plan.covered_diagnoses", "M54, back pain", "text that is not such a code",
         "an ICD-10-CM code or the beginning of one, such as M54; several with commas between; or none; or any",
         None),
        ("plan.payer", "x" * 501, "501 characters, and 500 are the most", "text", None),
        ("call.on", "2026-11-24", "a day to come", "a day that is not after 2026-11-23", None),
        ("call.with", "Ma\x07ria", "a control character (U+0007)", "a name", None),
    ],
)  # fmt: skip
def test_a_wrong_answer_says_what_was_wrong(path, key, text, message, expected, hint):
    interview = session(path)
    while interview.next_question.key != key:
        interview = interview.answer(TOLD[interview.next_question.key])
    with pytest.raises(FactError) as error:
        interview.answer(text)
    (problem,) = error.value.problems
    assert (problem.path, problem.message, problem.expected, problem.hint) == (key, f"found {message}", expected, hint)


# --- mandates ---------------------------------------------------------------------------------------------------

MANDATE = (EXAMPLES / "rulesets" / "early-visits-mandate.yaml").read_text()


def mandated(path, mandates):
    answers = Answers(None, Call(DAY), {"plan.payer": "Example Health", MANDATES: frozenset(mandates)})
    return session(path).merge(answers).save()


def test_a_mandate_that_is_a_ruleset_is_extended(path):
    (path.parent / "early-visits-mandate.yaml").write_text(MANDATE)
    interview = mandated(path, ["early-visits-mandate", "xx-none"])
    ruleset = covrules.load(path)
    assert ruleset.extends == ("medical-massage", "early-visits-mandate")
    assert ruleset.rule("early-visits").origin == "early-visits-mandate"
    assert interview.strangers == ("xx-none",)
    assert session(path).text() == path.read_text()


@pytest.mark.parametrize("mandate", sorted(path.stem for path in (rules_folder() / "mandates").glob("*.yaml")))
def test_every_shipped_mandate_can_be_extended(path, mandate):
    interview = mandated(path, [mandate])
    assert covrules.load(path).extends == ("medical-massage", mandate)
    assert (interview.strangers, interview.certain) == ((), None)
    assert set(told(session(path))[0].open) == {"plan.itemized_receipt_required", "plan.timely_filing_days"}


def test_mandates_that_no_ruleset_is_there_for_are_confirmed(path):
    (path.parent / "early-visits-mandate.yaml").write_text(MANDATE)
    interview = session(path)
    while interview.next_question.key != MANDATES:
        interview = interview.answer(TOLD[interview.next_question.key])
    with pytest.raises(Unconfirmed) as doubt:
        interview.answer("early-visit-mandate, my-plan")
    assert [problem.hint for problem in doubt.value.problems] == ["did you mean early-visits-mandate?", None]
    assert interview.answer("early-visit-mandate", sure=True).plan.extends == ("medical-massage",)
    assert interview.answer("early-visits-mandate").plan.extends == ("medical-massage", "early-visits-mandate")
    for other in ("medical-massage", "ohio-clinic"):
        with pytest.raises(Unconfirmed, match="is the id of no mandate"):
            interview.answer(other)
        assert interview.answer(other, sure=True).plan.extends == ("medical-massage",)


def test_a_mandate_that_cannot_be_extended_is_refused(path):
    mandate = path.parent / "early-visits-mandate.yaml"
    mandate.write_text(MANDATE.replace("waives:", "wavies:"))
    with pytest.raises(RulesetError, match="did you mean waives"):
        mandated(path, ["early-visits-mandate"])
    mandate.write_text(MANDATE.replace("rules:", "effective: {from: 2027-01-01}\nrules:"))
    with pytest.raises(RulesetError, match="early-visits-mandate is in force from 2027-01-01, and the call is on 2026"):
        mandated(path, ["early-visits-mandate"])
    assert not path.exists()


def test_what_a_mandate_fixes_is_not_asked_and_may_be_said_otherwise(path):
    mandate = MANDATE.replace("rules:", "facts: {plan.visits_per_year: {value: 30}}\nrules:")
    (path.parent / "early-visits-mandate.yaml").write_text(mandate)
    interview = mandated(path, ["early-visits-mandate"])
    assert "plan.visits_per_year" not in interview.open
    answers = Answers(None, Call(DAY), {"plan.visits_per_year": 0})
    interview = interview.merge(answers).save()
    assert interview.certain.coverage == "not-covered"
    assert covrules.load(path).fixed["plan.visits_per_year"].values == ((None, 0),)


# --- what was said long ago -------------------------------------------------------------------------------------


def test_what_was_said_long_ago_is_asked_again(path):
    told(session(path))
    later = session(path, DAY + dt.timedelta(days=180))
    assert later.stale == ()
    later = session(path, DAY + dt.timedelta(days=181))
    assert set(later.stale) == later.known.keys()
    assert later.next_question.key == "plan.payer"
    assert (later.next_question.known, later.next_question.said_on) == ("Example Health", DAY)
    while later.next_question.key != "plan.coverage_start":
        later = later.answer("same" if later.next_question.said_on else "")
    later = later.answer("").save()
    assert later.facts["plan.massage_benefit"].source.id == "call-2027-05-23"
    assert later.facts["plan.coverage_start"].source.id == "call-2026-11-23"
    assert "plan.coverage_start" in session(path, later.day).stale
    assert later.facts["plan.unit_minutes"].source.id == "call-2026-11-23"
    assert covrules.load(path).fixed["own.verified_on"].values == ((None, DAY),)
    later = session(path, later.day)
    while (question := later.next_question) is not None:
        later = later.answer("?" if question.key == "plan.visits_per_year" else "Same" if question.said_on else "")
    later.save()
    ruleset = covrules.load(path)
    assert [source.id for source in ruleset.sources] == ["call-2027-05-23"]
    assert ruleset.fixed["own.verified_on"].values == ((None, dt.date(2027, 5, 23)),)
    assert "plan.visits_per_year" not in fixed(path)


@pytest.mark.parametrize(("days", "advised"), [(90, False), (91, True)])
def test_a_verdict_advises_to_call_again(path, days, advised):
    told(Interview.begin(path, DAY, 90))
    visit = {"visit": {"date": str(DAY + dt.timedelta(days=days))}}
    verdict = covrules.load(path).evaluate(covrules.case_from_dict(visit))
    said = "What the insurer said of this plan is more than 90 days old: call again before relying on it."
    assert (said in verdict.advice) is advised
    assert verdict.finding("verify-again").cites[0].section == "Reference number 884213"


def test_what_no_longer_matters_does_not_count(path):
    told(session(path))
    later = session(path, dt.date(2027, 11, 23)).merge(
        Answers(None, Call(dt.date(2027, 11, 23)), {"plan.massage_benefit": "excluded"})
    )
    assert later.next_question is None
    later.save()
    assert covrules.load(path).fixed["own.verified_on"].values == ((None, dt.date(2027, 11, 23)),)
    assert fixed(path)["plan.units_per_visit"] == 4


def test_the_days_are_those_of_the_file_unless_others_are_told(path):
    told(Interview.begin(path, DAY, 30))
    assert session(path).verify_after == 30
    told(Interview.begin(path, DAY, 60))
    assert session(path).verify_after == 60


# --- files that somebody else has a hand in ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\nrules:\n", "\nrules:\n  - {id: own-rule, title: Own, advises: Hello., cites: [call-2026-11-23]}\n",
         "my-plan.yaml:39:10: rules: own-rule"),
        ("\nfacts:\n", "\nfacts:\n  provider.network: {value: out, cites: [call-2026-11-23]}\n",
         "my-plan.yaml:19:3: facts: provider.network"),
        ("{value: excluded, ", "{value: {2026-01-01: excluded}, ", "my-plan.yaml:22:3: facts: plan.massage_benefit"),
        ("status: sourced", "status: illustrative", "my-plan.yaml:8:9: status: illustrative"),
        ('version: "2026-11-23"', 'version: "2"', "my-plan.yaml:9:10: version: 2"),
        ("\nsources:", "\neffective: {from: 2026-01-01}\nsources:", "my-plan.yaml:12:1: effective"),
        ("\nsources:", "\ndisables: [leave-visits-open]\nsources:", "my-plan.yaml:12:1: disables"),
        ("extends: medical-massage", "extends: [medical-massage, other-plan]",
         "my-plan.yaml:10:28: extends: other-plan"),
        ("\nsources:", "\nsources:\n  policy: {title: Policy}", "my-plan.yaml:13:3: sources: policy"),
        ("    read:", "    url: https://example.org\n    read:", "my-plan.yaml:13:3: sources: call-2026-11-23"),
        ("\ndeclares:", "\ndeclares:\n  own.other: {type: bool, who: clinic, ask: Other?}",
         "my-plan.yaml:27:3: declares: own.other"),
        ("    applies: {own.days_since_verified: {above: 180}}", "    applies: {own.days_since_verified: {above: 99}}",
         "my-plan.yaml:39:9: rules: verify-again"),
    ],
)  # fmt: skip
def test_what_no_interview_writes_is_never_lost(path, old, new, found, monkeypatch):
    (path.parent / "other-plan.yaml").write_text(MANDATE.replace("id: early-visits-mandate", "id: other-plan"))
    assert WRITTEN.count(old) == 1
    path.write_text(WRITTEN.replace(old, new))
    monkeypatch.chdir(path.parent)
    assert covrules.load(path)
    result = CliRunner().invoke(main, ["new", "my-plan.yaml"])
    assert result.exit_code == 2
    assert f"{found}: no interview writes this, and to go on with one would lose it\n" in result.stderr
    assert result.stderr.endswith(
        "the file is left as it was\n"
        "    put it into another file beside this one, which says `extends: my-plan`, and take it out here\n"
    )
    assert path.read_text() == WRITTEN.replace(old, new)


def test_values_may_be_corrected_and_notes_written_by_hand(path):
    text = WRITTEN.replace("value: excluded", "value: covered").replace("Health PPO", "Health HMO")
    text = text.replace("\nfacts:", "# Maria was kind.\n\nfacts: # she said\n    # so").replace(
        "{value: 2026-11-23,", "{value: 2026-11-20,"
    )
    path.write_text(text)
    interview = session(path)
    assert interview.next_question.key == "call.with"
    assert interview.known["plan.massage_benefit"] == "covered"
    interview = interview.answer("").answer("").answer("").answer("2026-01-01").save()
    notes = "\n\n# Notes that were in this file:\n# Maria was kind.\n# she said\n# so\n"
    assert path.read_text().endswith(notes)
    assert session(path).answer("").answer("").answer("").answer("open").save().text().endswith(notes)
    assert 'title: "Example Health HMO"' in path.read_text()


def test_a_file_that_somebody_else_changed_meanwhile_is_left_alone(path):
    interview = session(path).answer("Mine").save()
    path.write_text(WRITTEN)
    with pytest.raises(RulesetError, match="somebody else has changed the file"):
        interview.answer("Example Health").save()
    assert path.read_text() == WRITTEN
    path.unlink()
    with pytest.raises(RulesetError, match="somebody else has changed the file"):
        interview.answer("Example Health").save()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_whole_is_not_written_at_all(path, step, monkeypatch):
    path.write_text(WRITTEN)
    interview = session(path).merge(Answers("Another title", Call(DAY), {}))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(RulesetError, match="No space left on device"):
        interview.save()
    assert path.read_text() == WRITTEN
    assert os.listdir(path.parent) == ["my-plan.yaml"]


def test_the_file_keeps_its_rights_and_its_links(path):
    path.write_text(WRITTEN.replace("excluded", "covered"))
    path.chmod(0o640)
    link = path.parent / "linked.yaml"
    link.symlink_to(path)
    session(link).answer("Maria").answer("").answer("").answer("2026-01-01").save()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert "coverage_start: {value: 2026-01-01" in path.read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My Plan.yaml", "a file named in lower-case words joined by hyphens, such as my-plan.yaml"),
        ("my-plan", "a file named in lower-case words"),
        ("my-plan.json", "a file named in lower-case words"),
        ("ohio-clinic.yaml", "there is a shipped ruleset ohio-clinic already"),
        (".", "directory"),
        ("broken.yaml", "the ruleset has no schema"),
        ("held.yaml/my-plan.yaml", "expected a place where a file can be written"),
    ],
)
def test_a_file_that_cannot_be(tmp_path, name, said):
    (tmp_path / "broken.yaml").write_text("id: broken\n")
    (tmp_path / "held.yaml").write_text("")
    result = CliRunner().invoke(main, ["new", str(tmp_path / name)], input="A title\n")
    assert result.exit_code == 2
    assert said in result.stderr


# --- the command ------------------------------------------------------------------------------------------------

CALLED = "2024-03-01"
"""A day that is past wherever the clock stands."""


@pytest.fixture
def new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, input="", **files):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return CliRunner().invoke(main, ["new", *arguments], input=input)

    return invoke


def test_an_interview_on_the_command_line(new):
    typed = ["Example Health PPO", "Example Health", "Maria", CALLED, "884213", "coverd", "excluded", "back", "covered"]
    result = new("plans/my-plan.yaml", input="\n".join([*typed, "2024-01-01", "open", "stop", "never read"]))
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "Question 1 of about 36\nWhat is the plan called?\n  a title, such as Example Health PPO\n" in said
    assert "Question 6 of about 36\nIs massage covered, covered only with physical therapy, or excluded?\n" in said
    assert "  found a word that is not among them\n  expected covered, with-physical-therapy or excluded\n" in said
    assert "  did you mean covered?\n" in said
    assert (
        f"\nNo more need be asked.\nWhat the plan says now: not covered, for every visit from {CALLED} on.\n"
        "  The massage benefit of the plan: excluded.\nEnter ends, back asks the last question again.\n"
    ) in said
    assert "  Enter for: excluded\n" in said
    assert "plans/my-plan.yaml: 4 facts are known.\nStill to ask the insurer:\n  Which procedure codes" in said
    assert said.endswith("What the plan says now: nothing that is certain of every visit.\n")
    assert fixed("plans/my-plan.yaml")["plan.massage_benefit"] == "covered"
    again = new("plans/my-plan.yaml", "--verify-after", "36500", input="back\n\n\n\nback\n\n97124\n?\n")
    assert again.exit_code == 0
    assert again.stdout.count("Question 1 of about 31\nWith whom do you speak at Example Health?") == 2
    assert again.stdout.count("Question 3 of about 31\nWhich reference number has the call?") == 2
    assert fixed("plans/my-plan.yaml")["plan.covered_procedures"] == {"97124"}


def test_an_interview_with_nothing_to_ask(new):
    assert new("my-plan.yaml", input="").stdout.endswith("Nothing was answered, and nothing is written.\n")
    assert not Path("my-plan.yaml").exists()
    lasting = WRITTEN.replace("180", "36500").replace("181", "36501")
    for _ in "12":
        result = new("my-plan.yaml", "--verify-after", "36500", **{"my-plan_yaml": WRITTEN})
        assert result.exit_code == 0
        assert "\nNothing is to be asked.\nmy-plan.yaml: 2 facts are known.\n" in result.stdout
        assert Path("my-plan.yaml").read_text() == lasting


def test_what_is_typed_and_is_no_text_ends_the_interview(new):
    result = new("my-plan.yaml", input=b"A plan\n\xff\xfe\n")
    assert result.exit_code == 2
    assert result.stderr == "standard input: a byte that is not text\n    expected text in UTF-8\n"


def test_old_answers_are_listed_and_kept_with_enter(new):
    told_long_ago = (
        f"call: {{on: {CALLED}}}\nplan: {{payer: Example Health, massage_benefit: covered, visits_per_year: 12}}"
    )
    new("my-plan.yaml", "--answers", "-", input=told_long_ago)
    result = new("my-plan.yaml", "--verify-after", "90", input="\nJohn\n\n\nexcluded\n")
    said = result.stdout
    assert (
        "Said more than 90 days ago, and asked again where it still matters:\n"
        f"  insurer: Example Health (said on {CALLED})\n"
        f"  massage benefit: covered (said on {CALLED})\n"
        f"  visits paid a year: 12 (said on {CALLED})\n"
    ) in said
    assert f"  said on {CALLED}: covered\n  same if it was said again, Enter if it was not asked, ? if it is" in said
    older = (f"  insurer: Example Health (said on {CALLED})\n", f"  visits paid a year: 12 (said on {CALLED})\n")
    assert f"Older than 90 days:\n{''.join(older)}" in said
    today = dt.date.today()
    assert covrules.load(Path("my-plan.yaml")).fixed["own.verified_on"].values == ((None, today),)
    assert f"not covered, for every visit from {today} on.\n  The massage benefit of the plan: excluded.\n" in said


def test_unknown_mandates_are_confirmed_on_the_command_line(new):
    facts = [FACTS[path] for path, text in TOLD.items() if path in FACTS and path != MANDATES and text not in ("?", "")]
    plan = {fact.name: fact.kind.plain(read_typed(fact.kind, TOLD[fact.path])) for fact in facts}
    new("my-plan.yaml", "--answers", "-", input=json.dumps({"call": {"on": CALLED}, "plan": plan}))
    result = new("my-plan.yaml", "--verify-after", "36500", input="\n\n\n\n\nxx-none\nn\nxx-none\ny\n")
    assert "  xx-none is the id of no mandate there is a ruleset of, so it would have no effect\n" in result.stdout
    assert result.stdout.count("Keep it all the same? yes or no") == 2
    assert "xx-none is the id of no mandate there is a ruleset of: it has no effect.\n" in result.stdout
    assert fixed("my-plan.yaml")[MANDATES] == {"xx-none"}


# --- answers from a file ----------------------------------------------------------------------------------------

ANSWERS = f"""\
title: Example Health PPO
call: {{with: Maria, on: {CALLED}, reference: "884213"}}
plan:
  payer: Example Health
  massage_benefit: covered
  accepted_prescribers: [MD, DO]
  units_per_visit: 4
  excluded_diagnoses: []
  mandates: [xx-none]
  visits_per_year:
"""


def test_answers_from_a_file(new):
    result = new("my-plan.yaml", "--answers", "answers.yaml", answers_yaml=ANSWERS)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("my-plan.yaml: 6 facts are known.\nStill to ask the insurer:\n  On which day does")
    assert "xx-none is the id of no mandate there is a ruleset of: it has no effect.\n" in result.stdout
    assert fixed("my-plan.yaml") == {
        "plan.payer": "Example Health", "plan.massage_benefit": "covered", "plan.units_per_visit": 4,
        "plan.accepted_prescribers": {"MD", "DO"}, "plan.excluded_diagnoses": frozenset(), MANDATES: {"xx-none"},
    }  # fmt: skip
    (call,) = covrules.load(Path("my-plan.yaml")).sources
    assert (call.id, call.title) == (f"call-{CALLED}", "Telephone call with Example Health, answered by Maria")
    assert (call.section, str(call.read)) == ("Reference number 884213", CALLED)
    more = '{"call": {"on": "2024-03-02"}, "plan":\n\t{"units_per_visit": 6, "unit_minutes": "15"}}'
    result = new("my-plan.yaml", "--answers", "-", input=more)
    assert result.exit_code == 0, result.output
    ruleset = covrules.load(Path("my-plan.yaml"))
    assert {path: each.cites[0].id for path, each in ruleset.fixed.items() if "unit" in path} == {
        "plan.units_per_visit": "call-2024-03-02", "plan.unit_minutes": "call-2024-03-02",
    }  # fmt: skip
    assert (ruleset.title, ruleset.version, len(ruleset.sources)) == ("Example Health PPO", "2024-03-02", 2)


def test_three_things_wrong_in_answers_are_said_at_once(new):
    wrong = ANSWERS.replace("title", "tilte").replace("units_per_visit", "units_per_vist").replace("[MD, DO]", "[LPN]")
    result = new("my-plan.yaml", "--answers", "answers.yaml", answers_yaml=wrong)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "answers.yaml:1:1: a file of answers has no key tilte\n"
        "    did you mean title?\n"
        "answers.yaml:6:25: plan.accepted_prescribers: found a list with a word that is not among them\n"
        "    expected a list, each of them MD, DO, NP, PA, DC, ND, DPM, DDS, PT, OT, LAc, LMT or other; or any\n"
        "answers.yaml:7:3: plan has no key units_per_vist\n"
        "    did you mean units_per_visit?\n"
    )
    assert not Path("my-plan.yaml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plan: {}", "1:1: a file of answers has no call\n    add the key call"),
        ("call: {with: Maria}", "1:7: the call has no on\n    add the key on"),
        ("call: {on: 2024-02-30}", "1:12: the on of the call: found a date that is not in the calendar"),
        ("call: {on: 9000-01-01}", "1:12: the on of the call is a day to come"),
        ("call: Maria", "1:7: the call is text\n    expected a mapping such as {with: Maria"),
        ("[]", "1:1: a file of answers is a list"),
        ("", "1:1: the file is empty"),
        ("{", "not readable as YAML"),
        (f"call: {{on: {CALLED}, with: {'x' * 501}}}", "the with of the call has 501 characters\n    expected at most"),
        (f"call: {{on: {CALLED}}}\nplan: {{mandates: [{'x' * 501}]}}", "2:19: plan.mandates has 501 characters"),
        (f"call: {{on: {CALLED}}}\nprescription: {{on_file: true}}", "2:1: a file of answers has no key prescription"),
        (f"call: {{on: {CALLED}}}\nplan: {{id: 1}}", "2:8: plan has no key id"),
        (f"call: {{on: {CALLED}}}\nplan: {{payer: [a]}}", "2:15: plan.payer: found a list\n    expected text"),
        (f"call: {{on: {CALLED}}}\nplan: {{payer: a, payer: b}}", "2:18: payer comes twice"),
        ("a: 1\n" * 300, "and 50 more problems"),
    ],
)  # fmt: skip
def test_what_can_be_wrong_in_answers(new, text, said):
    result = new("my-plan.yaml", "--answers", "-", input=text)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_was_said_later_is_not_overwritten_by_an_earlier_call(new):
    new("my-plan.yaml", "--answers", "-", input=ANSWERS)
    earlier = "call: {on: 2024-02-01}\nplan:\n  units_per_visit: 4\n  unit_minutes: 15\n"
    assert new("my-plan.yaml", "--answers", "-", input=earlier).exit_code == 0
    ruleset = covrules.load(Path("my-plan.yaml"))
    assert ruleset.fixed["plan.units_per_visit"].cites[0].id == f"call-{CALLED}"
    assert ruleset.fixed["plan.unit_minutes"].cites[0].id == "call-2024-02-01"
    result = new("my-plan.yaml", "--answers", "-", input=earlier.replace("4\n", "6\n"))
    assert result.exit_code == 2
    assert result.stderr == (
        f"standard input:3:20: plan.units_per_visit: the insurer said otherwise on {CALLED}, after this call\n"
        "    leave it out; if the later call was mistaken, correct the file of the plan\n"
    )


def test_answers_that_cannot_be_read(new):
    assert "No such file" in new("my-plan.yaml", "--answers", "none.yaml").stderr
    assert new("my-plan.yaml", "--verify-after", "-1").exit_code == 2


# --- on a real terminal -----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path):
    with terminals(tmp_path) as open_:
        yield lambda: open_("new", "my-plan.yaml")


@pytest.mark.parametrize("last", ["stop\n", "\x03", "\x04"], ids=["stop", "control-c", "control-d"])
def test_on_a_terminal_every_way_out_keeps_what_was_answered(terminal, path, last):
    on = terminal()
    for text in ("Example PPO\n", "Example Hälth\n", "Maria\n", "\n", "884213\n", "cov\x7f\x7f\x7fcovered\n"):
        on.type(text)
    on.wait_for("On which day does the coverage start?")
    on.type(last)
    assert on.end("What the plan says now") == 0
    assert fixed(path) == {"plan.payer": "Example Hälth", "plan.massage_benefit": "covered"}
    again = terminal()
    again.wait_for("With whom do you speak at Example Hälth?")


def test_on_a_terminal_that_is_gone_nothing_is_lost(terminal, path):
    on = terminal()
    for text in ("Example PPO\n", "Example Health\n", "Maria\n", "\n", "884213\n", "covered\n"):
        on.type(text)
    on.wait_for("On which day does the coverage start?")
    on.process.kill()
    on.process.wait()
    assert fixed(path) == {"plan.payer": "Example Health", "plan.massage_benefit": "covered"}
    assert os.listdir(path.parent) == ["my-plan.yaml"]


def test_the_answers_in_the_documentation(path):
    docs = (Path(__file__).parents[1] / "docs" / "how-to" / "write-a-plan.md").read_text("utf-8")
    answers = docs.split("```yaml\n")[1].split("```")[0]
    session(path).merge(read_answers(answers.encode(), "answers.yaml", DAY)).save()
    assert fixed(path)["plan.visits_per_year"] == 24
    assert covrules.load(path).extends == ("medical-massage", "wa-rcw-48-43-016")


def test_answers_may_be_typed_in_small_letters_or_capitals(path):
    interview = session(path)
    while interview.next_question.key != "plan.massage_benefit":
        interview = interview.answer("")
    assert interview.answer("COVERED").known == {"plan.massage_benefit": "covered"}
    assert read_typed(FACTS["plan.accepted_prescribers"].kind, "md, LAC, Other") == {"MD", "LAc", "other"}
    assert read_typed(FACTS["plan.accepted_prescribers"].kind, "Any") == covrules.ANY
    assert read_typed(FACTS["plan.covered_diagnoses"].kind, "m54, m25.5") == {"M54", "M25.5"}


def test_words_put_otherwise_by_an_older_version_are_taken_as_they_are_now(path):
    told(session(path).answer("Example"))
    text = path.read_text()
    older = text.replace("call again before", "ring up before").replace("label: age of", "label: days of")
    older = older.replace("#   plan.mandates: Which", "#   plan.mandates: Under which of the")
    path.write_text(older)
    assert older != text
    resumed = session(path)
    assert resumed.notes == ()
    assert resumed.text() == text


def test_what_a_mandate_leaves_open_on_the_day_is_asked_and_what_it_changes_later_is_not_certain(path):
    facts = "plan.visits_per_year: {value: {2020-01-01: 12, 2025-01-01: null}}"
    later = "plan.massage_benefit: {value: {2020-01-01: excluded, 2027-01-01: covered}}"
    mandate = path.parent / "early-visits-mandate.yaml"
    mandate.write_text(MANDATE.replace("rules:", f"facts: {{{facts}}}\nrules:"))
    assert "plan.visits_per_year" in mandated(path, ["early-visits-mandate"]).open
    mandate.write_text(MANDATE.replace("rules:", f"facts: {{{later}}}\nrules:"))
    assert mandated(path, ["early-visits-mandate"]).certain is None


def test_a_copy_of_a_plan_is_a_plan_of_its_own(path):
    told(session(path))
    copy = path.with_name("other-plan.yaml")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(RulesetError, match="the plan in it is my-plan, and the file is not named so"):
        session(copy)
    copy.write_text(path.read_text().replace("id: my-plan", "id: other-plan"))
    assert session(copy).id == "other-plan"


def test_a_mandate_that_has_ended_is_named_and_can_be_taken_back(path):
    (path.parent / "early-visits-mandate.yaml").write_text(
        MANDATE.replace("rules:", f"effective: {{until: {DAY + dt.timedelta(days=9)}}}\nrules:")
    )
    mandated(path, ["early-visits-mandate"]).save()
    later = session(path, DAY + dt.timedelta(days=9))
    with pytest.raises(RulesetError, match="early-visits-mandate is in force until"):
        _ = later.next_question
    answers = Answers(None, Call(later.day), {MANDATES: frozenset()})
    assert later.merge(answers).save().plan.extends == ("medical-massage",)

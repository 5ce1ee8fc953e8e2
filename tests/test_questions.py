"""What is asked is what can matter, no more and no less."""

import datetime as dt
import json
import random
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covrules
import generators
from covrules import Case, Plan, Visit, case_from_dict
from covrules.api import evaluate
from covrules.facts import by_group, case_of
from covrules.library import shipped
from covrules.loading import read_ruleset
from covrules.questions import Deciding, _Asking, _Unfinished, by_person, questions_on
from covrules.rule import STAGES
from generators import DAY

BASE = covrules.load("medical-massage")
seeds = st.integers(0, 2**32)


def drawn(seed, most_unknown=None):
    """Return a generated ruleset, a verdict on a case, and what is given of the case by path."""
    rnd = random.Random(seed)
    ruleset = generators.ruleset(rnd)
    verdict = evaluate(
        ruleset, generators.case_for(rnd, ruleset), stage=rnd.choice(STAGES), engine="compiled", as_of=DAY
    )
    return rnd, ruleset, verdict, given_in(verdict)


def given_in(verdict):
    values = {path: verdict._case.get(path) for path in verdict._ruleset.vocabulary}
    return {path: value for path, value in values.items() if value is not None}


def decider(verdict):
    from covrules.api import _way

    find = _way(verdict._ruleset, verdict.stage, "compiled")[1]
    return lambda values: find(case_of(by_group(values)))[:2]


def pools(rnd, verdict, known):
    """Return a few answers to every fact that is unknown and could bear on the verdict."""
    ruleset = verdict._ruleset
    made = {}
    for fact in generators.needed(ruleset):
        if fact.path in known or fact.derived_from:
            continue
        answers = {fact.kind.parse(generators.plain_value(rnd, fact.kind)): None for _ in range(12)}
        if fact.path == "visit.date":
            day = verdict._as_of
            answers = [a for a in answers if ruleset.effective.holds(a) and ruleset.edition(a) == ruleset.edition(day)]
        made[fact.path] = [*answers]
    return {path: answers for path, answers in made.items() if answers}


# --- sound and complete ---------------------------------------------------------------------------------------------


def missed(seed, walks):
    """Return the facts that made a difference on random walks from a case to a complete one, and were not asked for."""
    rnd, _, verdict, known = drawn(seed)
    asked = {question.fact for question in questions_on(verdict)}
    decide, pool = decider(verdict), pools(rnd, verdict, known)
    told = set()
    for _ in range(walks if asked or verdict.coverage == "undetermined" or verdict.accepted_here is None else 1):
        values, before = dict(known), (verdict.coverage, verdict.accepted_here)
        for path in rnd.sample([*pool], len(pool)):
            values[path] = rnd.choice(pool[path])
            after = decide(values)
            told |= {path} if after != before else set()
            before = after
    return told - asked


@given(seeds)
@settings(deadline=None, max_examples=80)
def test_whatever_can_make_a_difference_is_asked(seed):
    assert missed(seed, 12) == set()


@pytest.mark.long
def test_whatever_can_make_a_difference_is_asked_over_many_rulesets():
    assert [seed for seed in range(4_000) if missed(seed, 150)] == []


def unsound(verdict):
    """Return the facts asked for of which the answers that are said to matter do not."""
    asking, decide = _Asking(verdict), decider(verdict)
    known = given_in(verdict)
    wrong = []
    for question in verdict.questions:
        try:
            others, answer = next(filter(None, (asking.witness(question.fact, board) for board in asking.open)))
        except _Unfinished:
            continue
        without = known | others
        assert question.fact not in without
        if decide(without) == decide(without | {question.fact: answer}):
            wrong.append(question.fact)
    return wrong


@given(seeds)
@settings(deadline=None, max_examples=120)
def test_for_whatever_is_asked_there_are_answers_with_which_it_matters(seed):
    assert unsound(drawn(seed)[2]) == []


@pytest.mark.parametrize("id", shipped())
def test_what_is_asked_for_the_shipped_rulesets_matters(id):
    ruleset = covrules.load(id)
    rnd = random.Random(id)
    for case in [Case(), *[generators.case_for(rnd, ruleset) for _ in range(8)]]:
        assert unsound(evaluate(ruleset, case, engine="compiled", as_of=generators.days_that_tell(ruleset)[0])) == []


@given(seeds)
@settings(deadline=None, max_examples=100)
def test_answering_all_that_is_asked_decides(seed):
    rnd, _, verdict, known = drawn(seed)
    pool = pools(rnd, verdict, known)
    questions = [question.fact for question in verdict.questions]
    if all(path in pool for path in questions):
        coverage, accepted = decider(verdict)(known | {path: rnd.choice(pool[path]) for path in questions})
        assert coverage != "undetermined"
        assert accepted is not None


def test_a_fact_that_can_only_help_is_asked_for_all_the_same():
    rule = {"requires": {"any": [{"visit.purpose": "treatment"}, {"not": {"visit.purpose": "treatment"}}]}}
    verdict = made(rule).evaluate(Case())
    assert [question.fact for question in verdict.questions] == ["visit.purpose"]


def test_what_another_rule_denies_first_is_not_asked():
    first = {"requires": {"plan.massage_benefit": "covered"}}
    second = {"applies": {"plan.massage_benefit": "excluded"}, "requires": {"visit.purpose": "treatment"}}
    facts = [question.fact for question in made(first, second).evaluate(Case()).questions]
    assert facts == ["plan.massage_benefit"]


def test_a_decided_side_asks_no_more_for_the_other():
    clinic = {"requires": {"visit.purpose": "treatment"}, "layer": "clinic"}
    insurer = {"requires": {"visit.liability": "none"}}
    verdict = made(clinic, insurer).evaluate(Case(visit=Visit(liability="auto")))
    assert [question.fact for question in verdict.questions] == ["visit.purpose"]


def test_a_day_on_which_the_ruleset_says_otherwise_is_no_answer():
    rule = {"requires": {"visit.date": {"before": "2026-03-01"}}}
    made_ = made(rule, facts={"plan.units_per_visit": {"value": {"2026-01-01": 4, "2026-06-01": 5}}})
    assert [question.fact for question in made_.evaluate(Case(), as_of="2026-01-01").questions] == ["visit.date"]
    (question,) = made_.evaluate(Case(), as_of="2026-07-01").questions
    (deciding,) = question.deciding
    assert deciding.coverage == "not-covered"
    assert deciding.answers == deciding.among
    assert min(deciding.among) == dt.date(2026, 6, 1)


def made(*rules, **more):
    data = {"schema": "covrules/1", "id": "made", "title": "Made", "status": "illustrative", "version": "1"}
    numbered = [{"id": f"r{n}", "title": f"Rule {n}", **rule} for n, rule in enumerate(rules)]
    return read_ruleset(json.dumps({**data, "rules": numbered, **more}).encode(), "rules/made.yaml")


NEVER_MET = {"requires": {"all": [{"visit.liability": "none"}, {"visit.liability": "auto"}]}}
WELLNESS = {"visit.purpose": "wellness"}


def asked_where_all_must_be(*tests, **more):
    """Return what is asked where a rule fails if all of these hold, beside a rule that no answer can meet."""
    ruleset = made({"requires": {"not": {"all": [*tests, WELLNESS]}}}, NEVER_MET, **more)
    return {question.fact for question in ruleset.evaluate(Case()).questions} - {"visit.liability"}


def test_a_set_of_a_middle_size_is_an_answer():
    exact = [*[{"plan.mandates": {"has": x}} for x in "ab"], *[{"not": {"plan.mandates": {"has": x}}} for x in "cd"]]
    assert asked_where_all_must_be(*exact) == {"plan.mandates", "visit.purpose"}


def test_facts_compared_in_a_chain_are_asked():
    counts = ["history.visits_this_week", "history.visits_this_episode", "history.visits_on_prescription"]
    counts += ["history.visits_this_year", "history.visits_on_referral"]
    chain = [{one: {"below": f"${other}"}} for one, other in pairwise(counts)]
    assert asked_where_all_must_be(*chain) == {*counts, "visit.purpose"}


def test_a_code_that_is_not_complete_is_an_answer():
    tests = [
        {"prescription.diagnosis_valid": False},
        {"prescription.specificity": "specific"},
        {"prescription.diagnosis": {"within": ["M25.5"]}},
    ]
    assert asked_where_all_must_be(*tests) >= {"prescription.diagnosis", "visit.purpose"}


def test_the_ends_of_what_a_cap_leaves_are_answers():
    cap = {"caps": {"visit.units": "$plan.units_per_year", "less": "history.units_this_year"}}
    case = case_from_dict({"plan": {"units_per_year": 20}, "visit": {"units": 4}})
    (question,) = made(cap).evaluate(case).questions
    said = {deciding.coverage: deciding.answers for deciding in question.deciding}
    assert max(said["covered"]) == 16
    assert {17, 19} <= set(said["partial"])
    assert min(said["not-covered"]) == 20


# --- what a question carries ----------------------------------------------------------------------------------------


def test_a_question_says_the_rules_it_decides_and_the_answers_that_would_decide_at_once():
    by_fact = {question.fact: question for question in BASE.evaluate(Case()).questions}
    assert by_fact["visit.liability"].rules == ("no-other-payer",)
    (deciding,) = by_fact["visit.liability"].deciding
    assert (deciding.answers, deciding.coverage) == (("auto", "work", "other-plan"), "not-covered")
    (deciding,) = by_fact["plan.out_of_network_benefit"].deciding
    assert (deciding.answers, deciding.coverage, deciding.accepted_here) == ((True,), None, True)
    assert by_fact["plan.referral_required"].deciding == ()
    assert set(by_fact["plan.referral_required"].rules) == {"referral-on-file", "referral-current", "referral-visits"}


@given(seeds)
@settings(deadline=None, max_examples=60)
def test_an_answer_that_is_said_to_decide_decides(seed):
    _, _, verdict, known = drawn(seed)
    decide = decider(verdict)
    for question in verdict.questions:
        for deciding in question.deciding:
            for answer in deciding.among:
                coverage, accepted = decide(known | {question.fact: answer})
                said = Deciding(deciding.answers, deciding.among, coverage, None)
                if deciding.coverage is None:
                    said = Deciding(deciding.answers, deciding.among, None, accepted)
                assert (said == deciding) == (answer in deciding.answers)


def test_the_last_question_decides_whatever_the_answer():
    cap = {"caps": {"visit.units": "$plan.units_per_visit"}}
    (question,) = made(cap).evaluate(Case(visit=Visit(units=4))).questions
    said = {deciding.coverage: deciding.answers for deciding in question.deciding}
    assert set(said) == {"covered", "partial", "not-covered"}
    assert said["not-covered"] == (0,)
    assert 4 in said["covered"]
    assert 3 in said["partial"]


def test_as_plain_values_a_question_is_its_fact_whom_and_how_to_ask():
    asked = BASE.evaluate(Case()).to_dict()["questions"]
    assert all(set(question) == {"fact", "who", "ask"} for question in asked)


def test_by_person_each_is_called_once():
    questions = BASE.evaluate(Case()).questions
    grouped = by_person(questions)
    assert sorted(question.fact for each in grouped.values() for question in each) == sorted(q.fact for q in questions)
    assert next(iter(grouped)) == questions[0].who
    for who, each in grouped.items():
        assert [question for question in questions if question.who == who] == [*each]


def test_what_may_become_needless_is_asked_after_what_can_make_it_so():
    places = {question.fact: place for place, question in enumerate(BASE.evaluate(Case()).questions)}
    assert places["plan.prescription_required"] < places["prescription.prescriber"]
    assert places["plan.referral_required"] < places["referral.issued_on"]
    assert places["plan.massage_benefit"] < places["visit.with_physical_therapy"]


def test_questions_are_worked_out_when_they_are_read_and_once(monkeypatch):
    calls = []
    monkeypatch.setattr("covrules.questions.questions_on", lambda verdict: calls.append(verdict) or pytest.fail("read"))
    verdict = BASE.evaluate(Case())
    assert verdict.findings
    assert verdict.units
    assert not calls
    monkeypatch.undo()
    assert verdict.questions is verdict.questions != ()


def test_own_facts_are_asked_in_their_own_words():
    declares = {"own.step": {"type": "int", "who": "doctor", "ask": "Which step?"}}
    (question,) = made({"requires": {"own.step": {"at_least": 2}}}, declares=declares).evaluate(Case()).questions
    assert (question.fact, question.who, question.ask) == ("own.step", "doctor", "Which step?")


def test_nothing_is_asked_once_all_is_known():
    plan = Plan(units_per_visit=4, unit_minutes=15)
    cap = {"caps": {"visit.units": "$plan.units_per_visit"}}
    assert made(cap).evaluate(Case(plan=plan, visit=Visit(minutes=90))).questions == ()
    assert [*islice(made(cap).evaluate(case_from_dict({})).questions, 1)] != []

"""Every engine says of every rule what the plain reference says."""

import json
import os
import pickle
import random
import sys
import threading

import attrs
import pytest
from benchmarks.cases import case_data
from hypothesis import given, settings

import covrules
import generators
import reference
from covrules import Case, EngineDisagreement, EngineUnavailable, Plan, Prescription, Visit, api, case_from_dict
from covrules.engines import durable
from covrules.facts import FACTS
from covrules.library import shipped
from covrules.loading import read_ruleset
from covrules.rule import STAGES
from generators import DAY

ENGINES = ["compiled", "durable", "checked"]
BASE = covrules.load("medical-massage")


def disagreements(seeds, cases):
    """Return where an engine and the reference differ over generated rulesets and cases."""
    found = []
    for seed in seeds:
        rnd = random.Random(seed)
        ruleset = generators.ruleset(rnd)
        for number in range(cases):
            case, stage = generators.case_for(rnd, ruleset), rnd.choice(STAGES)
            expected = reference.verdict(ruleset, case, stage, DAY)
            found += [
                (seed, number, engine, stage)
                for engine in ENGINES
                if reference.said_by(ruleset.evaluate(case, stage, engine, DAY)) != expected
            ]
    return found


@given(generators.rulesets_with_cases())
@settings(deadline=None, max_examples=150)
def test_engines_agree_with_the_reference(drawn):
    ruleset, cases = drawn
    for case in cases:
        for stage in STAGES:
            expected = reference.verdict(ruleset, case, stage, DAY)
            for engine in ENGINES:
                assert reference.said_by(ruleset.evaluate(case, stage, engine, DAY)) == expected


def test_engines_agree_with_the_reference_over_many_rulesets():
    assert disagreements(range(400), 20) == []


@pytest.mark.long
def test_engines_agree_with_the_reference_over_200_000_pairs():
    assert disagreements(range(10_000, 20_000), 20) == []


@pytest.mark.parametrize("id", [id for id in shipped() if id != BASE.id])
def test_engines_agree_on_what_is_shipped(id):
    ruleset = covrules.load(id)
    rnd = random.Random(id)
    for number in range(120):
        case = generators.case_for(rnd, ruleset)
        stage = STAGES[number % 3]
        expected = reference.verdict(ruleset, case, stage, DAY)
        for engine in ENGINES:
            assert reference.said_by(ruleset.evaluate(case, stage, engine, DAY)) == expected


def test_engines_agree_on_the_base_ruleset():
    rnd = random.Random(7)
    cases = [generators.case_for(rnd, BASE) for _ in range(200)] + [case_from_dict(data) for data in case_data(300)]
    coverages = {BASE.evaluate(case, engine="compiled").coverage for case in cases}
    assert coverages == {"covered", "partial", "not-covered", "undetermined"}
    for case in cases:
        stage = rnd.choice(STAGES)
        expected = reference.verdict(BASE, case, stage)
        for engine in ENGINES:
            assert reference.said_by(BASE.evaluate(case, stage=stage, engine=engine)) == expected


def test_the_generators_reach_every_status_and_coverage():
    rnd = random.Random(3)
    statuses, coverages = set(), set()
    for _ in range(150):
        ruleset = generators.ruleset(rnd)
        for _ in range(10):
            said = reference.verdict(ruleset, generators.case_for(rnd, ruleset), as_of=DAY)
            statuses |= set(said["statuses"].values())
            coverages.add(said["coverage"])
    assert statuses == set(covrules.rule.STATUSES)
    assert coverages == {"covered", "partial", "not-covered", "undetermined"}


# --- what is certain stays -------------------------------------------------------------------------------------


def answered(rnd, ruleset, case, facts, rate=0.5):
    """Return the case with some of its unknown facts answered, and on the same day."""
    data = case.to_dict()
    fixed = ruleset.fixed_on(case.visit.date or DAY)
    for fact in facts:
        if not fact.derived_from and case.get(fact.path) is None and fact.path not in fixed and rnd.random() < rate:
            value = DAY.isoformat() if fact.path == "visit.date" else generators.plain_value(rnd, fact.kind)
            data.setdefault(fact.group, {})[fact.name] = value
    return case_from_dict(data)


@pytest.mark.parametrize("seed", range(40))
def test_no_later_answer_turns_a_determined_verdict(seed):
    rnd = random.Random(seed)
    for ruleset in (BASE, *[generators.ruleset(rnd) for _ in range(10)]):
        facts = generators.needed(ruleset)
        for _ in range(10):
            case = generators.case_for(rnd, ruleset)
            before = ruleset.evaluate(case, engine="compiled", as_of=DAY)
            for _ in range(3):
                after = ruleset.evaluate(answered(rnd, ruleset, case, facts), engine="compiled", as_of=DAY)
                if before.coverage != "undetermined":
                    assert after.coverage == before.coverage
                if before.units.covered is not None:
                    assert after.units.covered == before.units.covered
                if before.accepted_here is not None:
                    assert after.accepted_here is before.accepted_here
                for one, other in zip(before.findings, after.findings, strict=True):
                    if one.status in ("unmet", "capped", "advised", "waives"):
                        assert other.status == one.status
                    elif one.status != "unknown":
                        assert other.status in ("met", "waived", "not-applicable", "later")


def test_answering_every_question_determines_the_verdict():
    rnd = random.Random(11)
    for _ in range(60):
        ruleset = generators.ruleset(rnd)
        case = generators.case_for(rnd, ruleset)
        verdict = ruleset.evaluate(case, engine="compiled", as_of=DAY)
        for _ in range(len(FACTS)):
            if not verdict.questions:
                break
            asked = [ruleset.vocabulary[question.fact] for question in verdict.questions]
            case = answered(rnd, ruleset, case, asked, rate=1)
            verdict = ruleset.evaluate(case, engine="compiled", as_of=DAY)
        assert verdict.coverage != "undetermined"
        assert verdict.accepted_here is not None


# --- the two that must agree -----------------------------------------------------------------------------------


def one_rule(requires, **more):
    data = {
        "schema": "covrules/1", "id": "one", "title": "One", "status": "illustrative", "version": "1",
        "rules": [{"id": "only", "title": "Only", "requires": requires, **more}],
    }  # fmt: skip
    return read_ruleset(json.dumps(data).encode(), "one.yaml")


def test_a_disagreement_gives_no_verdict_and_names_no_fact():
    ruleset = one_rule({"plan.payer": "Example Health"})
    case = Case(plan=Plan(payer="Another Insurer"))
    right = api._decider(ruleset, "planned", "compiled")

    def wrong(case):
        return right(case)._replace(statuses=("met",))

    with pytest.raises(EngineDisagreement, match="only: durable says met, compiled says unmet") as caught:
        api._checked(ruleset, right.find, wrong)(case)
    assert "Insurer" not in str(caught.value)
    assert ruleset.digest in str(caught.value)


def test_a_disagreement_about_units_alone_is_one_too():
    ruleset = BASE
    right = api._decider(ruleset, "planned", "compiled")

    def wrong(case):
        outcome = right(case)
        return outcome._replace(allowed=tuple(None if a is None else a + 1 for a in outcome.allowed))

    case = Case(plan=Plan(units_per_visit=2), visit=Visit(units=3))
    with pytest.raises(EngineDisagreement, match="units-per-visit: the engines allow different units"):
        api._checked(ruleset, right.find, wrong)(case)


def test_a_disagreement_about_what_the_statuses_add_up_to_is_one_too():
    right = api._decider(BASE, "planned", "compiled")

    def wrong(case):
        _, accepted, outcome = right.find(case)
        return "covered", accepted, outcome

    with pytest.raises(EngineDisagreement, match="they add them up otherwise"):
        api._checked(BASE, wrong, right)(Case())


def test_checked_without_durable_rules_says_so(monkeypatch):
    monkeypatch.setattr(durable, "available", lambda: False)
    verdict = BASE.evaluate(Case())
    assert verdict.engine == verdict.to_dict()["engine"] == "compiled"
    assert BASE.evaluate(Case(), engine="compiled").engine == "compiled"


def test_durable_where_it_cannot_be_had_is_a_clear_error(monkeypatch):
    def refuse(*_):
        raise durable.NetworkUnavailable("durable_rules cannot be used here (gone); install it")

    monkeypatch.setattr(durable, "compile_ruleset", refuse)
    with pytest.raises(EngineUnavailable, match="install it"):
        one_rule({"visit.liability": "none"}).evaluate(Case(), engine="durable")


@pytest.mark.parametrize(("wrong", "said"), [({"stage": "planed"}, "planned"), ({"engine": "compile"}, "compiled")])
def test_a_misspelt_stage_or_engine_names_the_nearest(wrong, said):
    with pytest.raises(ValueError, match=f"did you mean {said}"):
        BASE.evaluate(Case(), **wrong)


def test_only_a_case_can_be_evaluated():
    with pytest.raises(TypeError, match="case_from_dict"):
        BASE.evaluate({"visit": {"minutes": 60}})


# --- what durable_rules gets wrong cannot be reached ------------------------------------------------------------


def same_by_all(ruleset, case):
    expected = reference.verdict(ruleset, case)
    for engine in ENGINES:
        assert reference.said_by(ruleset.evaluate(case, engine=engine)) == expected
    return expected["statuses"]


@pytest.mark.parametrize("payer", ["a" * 65537, "ab!", 'quo"te\\', "\x00", "true", "1", "", "ünïcödé \u2028"])
def test_texts_are_compared_whole(payer):
    for other in ("a", "ab", 'quo"te\\', "true", "1"):
        ruleset = one_rule({"plan.payer": other})
        status = same_by_all(ruleset, Case(plan=Plan(payer=payer)))["only"]
        assert status == ("met" if payer == other else "unmet")


def test_true_is_not_one_and_false_is_not_absent():
    flags = one_rule({"prescription.on_file": True}, applies={"history.visits_this_year": 1})
    assert same_by_all(flags, Case())["only"] == "unknown"
    case = case_from_dict({"prescription": {"on_file": False}, "history": {"visits_this_year": 1}})
    assert same_by_all(flags, case)["only"] == "unmet"


def test_the_largest_numbers_keep_their_precision():
    ruleset = one_rule({"history.visits_this_year": {"below": "$plan.visits_per_year"}})
    most = covrules.kinds.MAX_COUNT
    for used, limit, status in [(most, most, "unmet"), (most - 1, most, "met"), (most, covrules.UNLIMITED, "met")]:
        case = Case(plan=Plan(visits_per_year=limit), history=covrules.History(visits_this_year=used))
        assert same_by_all(ruleset, case)["only"] == status


def test_hundreds_of_equal_rules_that_all_match():
    rule = {"title": "Same", "requires": {"visit.liability": "none"}, "applies": {"visit.purpose": "treatment"}}
    data = json.loads(json.dumps({"schema": "covrules/1", "id": "many", "title": "Many", "status": "illustrative"}))
    data |= {"version": "1", "rules": [{"id": f"r-{n}", **rule} for n in range(300)]}
    ruleset = read_ruleset(json.dumps(data).encode(), "many.yaml")
    for liability, status in [("none", "met"), ("auto", "unmet"), (None, "unknown")]:
        assert set(same_by_all(ruleset, Case(visit=Visit(liability=liability, purpose="treatment"))).values()) == {
            status
        }


def test_a_condition_that_would_multiply_out_is_inferred_in_steps():
    either = [
        {"any": [{"visit.minutes": n}, {"history.visits_this_year": n}, {"history.units_this_day": n}]}
        for n in range(9)
    ]
    ruleset = one_rule({"all": either})
    assert same_by_all(ruleset, Case())["only"] == "unknown"
    assert same_by_all(ruleset, Case(visit=Visit(minutes=1)))["only"] == "unknown"
    case = case_from_dict({"visit": {"minutes": 1}, "history": {"visits_this_year": 2, "units_this_day": 3}})
    assert same_by_all(ruleset, case)["only"] == "unmet"
    two = one_rule({"all": either[1:4]})
    assert same_by_all(two, case)["only"] == "met"


def test_a_conjunction_of_hundreds_of_tests():
    ruleset = one_rule({"all": [{"visit.minutes": {"above": n}} for n in range(300)]})
    assert same_by_all(ruleset, Case(visit=Visit(minutes=300)))["only"] == "met"
    assert same_by_all(ruleset, Case(visit=Visit(minutes=299)))["only"] == "unmet"


def test_deep_nesting_up_to_what_the_loader_takes():
    condition = {"visit.minutes": 60}
    for level in range(16):
        condition = {"not": condition} if level % 2 else {"any": [condition, {"visit.purpose": "wellness"}]}
    assert same_by_all(one_rule(condition), Case(visit=Visit(minutes=60, purpose="treatment")))["only"] == "met"


# --- shared, and leaving nothing behind -------------------------------------------------------------------------


def base_cases(count):
    rnd = random.Random(5)
    return [generators.case_for(rnd, BASE) for _ in range(count)]


def test_one_ruleset_serves_eight_threads():
    cases = base_cases(40)
    expected = [BASE.evaluate(case, engine="compiled").coverage for case in cases]
    wrong = []

    def work(start):
        for turn in range(3 * len(cases)):
            place = (start + turn) % len(cases)
            if BASE.evaluate(cases[place]).coverage != expected[place]:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(number * 5,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_decides_as_its_parent_does():
    cases = base_cases(10)
    expected = [BASE.evaluate(case).coverage for case in cases]
    for _ in range(3):
        child = os.fork()
        if child == 0:
            same = [BASE.evaluate(case).coverage for case in cases] == expected
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert [BASE.evaluate(case).coverage for case in cases] == expected


def test_evaluations_leave_nothing_behind():
    case = Case(plan=Plan(prescription_required=True), prescription=Prescription(on_file=False))
    first = BASE.evaluate(case).to_dict()
    for other in base_cases(20):
        BASE.evaluate(other)
    assert BASE.evaluate(case).to_dict() == first
    assert BASE.evaluate(Case()).coverage == "undetermined"


def test_a_ruleset_is_immutable_and_travels():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        BASE.id = "other"
    BASE.evaluate(Case())
    twin = pickle.loads(pickle.dumps(BASE))
    assert twin == BASE
    assert hash(twin) == hash(BASE)
    assert twin.evaluate(Case()).to_dict() == BASE.evaluate(Case()).to_dict()


@pytest.mark.skipif(sys.platform != "linux", reason="durable_rules is left out elsewhere")
def test_durable_rules_is_there():
    assert durable.available()
    assert BASE.evaluate(Case()).engine == "checked"

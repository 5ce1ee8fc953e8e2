"""The yardstick of the benchmarks decides as the engines do, and the benchmarks run; nothing here is timed."""

import random

import pytest
from benchmarks import __main__ as benchmarks
from benchmarks import by_hand, documented
from benchmarks.cases import case_data
from benchmarks.copies import repeated, turned

import covrules
import generators
import reference
from covrules import case_from_dict
from covrules.api import _decider
from covrules.engines import durable

# durable_rules' own Python, which nothing but the benchmarks imports, brings it along.
pytestmark = pytest.mark.filterwarnings("ignore:.*utcfromtimestamp:DeprecationWarning")

BASE = covrules.load("medical-massage")
DECIDE = _decider(BASE, "planned", "compiled")


def by_compiled(case):
    verdict, outcome = BASE.evaluate(case, engine="compiled"), DECIDE(case)
    return verdict.coverage, verdict.accepted_here, outcome.statuses, outcome.allowed


def test_what_is_written_by_hand_decides_as_compiled_does():
    rnd = random.Random(11)
    for _ in range(500):
        case = generators.case_for(rnd, BASE)
        assert by_hand.decide(case) == by_compiled(case)


def test_the_cases_timed_decide_alike_and_reach_every_coverage_and_status():
    decisions = []
    for data in case_data(1_500):
        case = case_from_dict(data)
        decisions.append(by_hand.decide(case))
        assert decisions[-1] == by_compiled(case)
    assert {coverage for coverage, *_ in decisions} == {"covered", "partial", "not-covered", "undetermined"}
    assert {accepted for _, accepted, *_ in decisions} == {True, False, None}
    for place, rule in enumerate(BASE.rules):
        if rule.stage == "planned":
            assert {statuses[place] for _, _, statuses, _ in decisions} == set(rule.reachable), rule.id


def test_the_same_seed_gives_the_same_cases():
    assert case_data(6) == case_data(6) != case_data(6, seed=2)


def test_the_benchmarks_print_a_row_for_everything_timed(capsys, monkeypatch):
    monkeypatch.setattr(benchmarks, "READ", 3)
    benchmarks.main(["--quick", "--cases", "6"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "3 rounds over 6 cases" in printed.out
    rows = ["by hand", "compiled, statuses only", "compiled, every finding built and explained", "case_from_dict"]
    rows += ["490 rules against 49", "compiled, evaluate, equal copies", "compiled, evaluate, about other facts"]
    rows += ["questions, nothing known", "remedies, not or partly covered"]
    for row in (*rows, "import covrules"):
        assert row in printed.out
    for target in ("at least 0.7: ", "at least 0.1: ", "at most 4.1: "):
        assert target in printed.out
    for table in printed.out.split("\n\n")[1:]:
        assert len({len(line) for line in table.strip("\n").split("\n")}) == 1


def test_equal_copies_come_out_alike():
    copies = repeated(BASE, 3)
    for data in case_data(30):
        case = case_from_dict(data)
        one, many = BASE.evaluate(case, engine="compiled"), copies.evaluate(case, engine="compiled")
        assert many._outcome.statuses == one._outcome.statuses * 3
        assert (many.coverage, many.accepted_here, many.units.covered) == (
            one.coverage,
            one.accepted_here,
            one.units.covered,
        )


def test_copies_about_other_facts_read_no_more_and_are_decided_as_the_reference_does():
    copies = turned(BASE, 3)
    assert copies.facts == BASE.facts
    count = len(BASE.rules)
    conditions = [(rule.applies, rule.requires, rule.unless, rule.caps) for rule in copies.rules]
    assert conditions[:count] == [(rule.applies, rule.requires, rule.unless, rule.caps) for rule in BASE.rules]
    # What is left asks only about facts that are the only ones of their kind.
    same = [one == other for one, other in zip(conditions[:count], conditions[count : 2 * count], strict=True)]
    assert sum(same) < count / 5
    for data in case_data(9):
        case = case_from_dict(data)
        said = reference.said_by(copies.evaluate(case, engine="compiled"))
        assert said == reference.verdict(copies, case)


@pytest.mark.skipif(not durable.available(), reason="durable_rules cannot be had here")
def test_durable_rules_as_documented_tells_what_fails():
    failing = documented.failing(BASE, "planned")
    for case in map(case_from_dict, case_data(300, seed=9)):
        statuses = zip(BASE.rules, by_hand.decide(case)[2], strict=True)
        assert failing(case) == sorted(rule.id for rule, status in statuses if status in ("unmet", "capped"))


def test_nothing_is_timed_where_decisions_differ(capsys, monkeypatch):
    monkeypatch.setattr(by_hand, "decide", lambda case: ("covered", True, ("met",) * len(BASE.rules), (None,) * 5))
    with pytest.raises(SystemExit, match=r"by_hand and compiled differ on case 0: .*itemized-receipt"):
        benchmarks.main(["--cases", "1"])
    assert capsys.readouterr().out == ""

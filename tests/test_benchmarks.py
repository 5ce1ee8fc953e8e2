"""The yardstick of the benchmarks decides as the engines do, and the benchmarks run; nothing here is timed."""

import random

import pytest
from benchmarks import __main__ as benchmarks
from benchmarks import by_hand
from benchmarks.cases import case_data

import covrules
import generators
from covrules import case_from_dict
from covrules.api import _decider

BASE = covrules.load("medical-massage")
DECIDE = _decider(BASE, "planned", "compiled")


def by_compiled(case):
    verdict, outcome = BASE.evaluate(case, engine="compiled"), DECIDE(case)
    return verdict.coverage, verdict.accepted_here, outcome.statuses, outcome.allowed


def test_what_is_written_by_hand_decides_as_compiled_does():
    rnd = random.Random(11)
    paths = generators.needed(BASE)
    for _ in range(500):
        case = generators.case(rnd, paths)
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


def test_the_benchmarks_print_a_row_for_everything_timed(capsys):
    benchmarks.main(["--quick", "--cases", "6"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "3 rounds over 6 cases" in printed.out
    for row in ("by hand", "compiled, statuses only", "case_from_dict", "490 rules against 49", "import covrules"):
        assert row in printed.out
    for table in printed.out.split("\n\n")[1:]:
        assert len({len(line) for line in table.strip("\n").split("\n")}) == 1


def test_nothing_is_timed_where_decisions_differ(capsys, monkeypatch):
    monkeypatch.setattr(by_hand, "decide", lambda case: ("covered", True, ("met",) * len(BASE.rules), (None,) * 5))
    with pytest.raises(SystemExit, match=r"by_hand and compiled differ on case 0: .*itemized-receipt"):
        benchmarks.main(["--cases", "1"])
    assert capsys.readouterr().out == ""

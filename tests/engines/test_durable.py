"""What the durable engine makes of conditions: fewer conjunctions that hold, and the facts it asserts of a case."""

import datetime as dt
import gc
import json
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conjunctions import COMPARE, holds
from covrules import case_from_dict, kinds
from covrules.engines import _network, durable
from covrules.engines._network import Network, Test, Texts
from covrules.loading import read_ruleset

needs_engine = pytest.mark.skipif(not _network.available(), reason="durable_rules cannot be loaded")


def all_hold(tests: Sequence[Test], values: Sequence[int | None]) -> bool:
    return all(holds(test, values) for test in tests)


def first(ways: Sequence[Sequence[Sequence[Test]]], values: Sequence[int | None]) -> int | None:
    """The way that decides."""
    return next((way for way, products in enumerate(ways) if any(all_hold(tests, values) for tests in products)), None)


def holding(ways: Sequence[Sequence[Sequence[Test]]], values: Sequence[int | None]) -> int:
    return sum(all_hold(tests, values) for products in ways for tests in products)


small = st.integers(0, 2)
some_tests = st.builds(Test, small, st.sampled_from(list(COMPARE)), small) | st.builds(
    lambda one, op, other: Test(one, op, other=other), small, st.sampled_from(list(COMPARE)), small
)
some_ways = st.lists(st.lists(st.lists(some_tests, max_size=3).map(tuple), max_size=4), min_size=1, max_size=4)


@settings(max_examples=1000, deadline=None)
@given(some_ways, st.lists(st.tuples(*[st.none() | st.integers(-1, 3)] * 3), min_size=1, max_size=10))
def test_apart_the_same_way_decides(ways: Any, rows: list[tuple[int | None, ...]]) -> None:
    apart = durable._apart(ways)
    for values in rows:
        assert first(apart, values) == first(ways, values)
        assert holding(apart, values) <= holding(ways, values)


def test_a_special_value_and_the_comparison_it_decides_do_not_hold_together() -> None:
    used_below_limit, unlimited = (Test(0, "<", other=1),), (Test(1, "==", 99),)
    for order in ([used_below_limit, unlimited], [unlimited, used_below_limit]):
        (products,) = durable._apart([order])
        assert [holding([products], values) for values in ([1, 2], [1, 99], [None, 99], [2, 1])] == [1, 1, 1, 0]


def test_what_an_earlier_way_says_anyway_is_left_out() -> None:
    way, more = (Test(0, "==", 1),), (Test(0, "==", 1), Test(1, "==", 1))
    assert durable._apart([[way], [more]]) == [[way], []]
    assert durable._apart([[more], [way]]) == [[more], [way]]  # what else the first reads may be unknown
    assert durable._apart([[(Test(0, ">=", 1),)], [(Test(0, "==", 2), Test(1, "==", 1))]])[1] == []


def one_rule(**rule: Any) -> Any:
    data = {
        "schema": "covrules/1", "id": "one", "title": "One", "status": "illustrative", "version": "1",
        "rules": [{"id": "only", "title": "Only", **rule}],
    }  # fmt: skip
    return read_ruleset(json.dumps(data).encode(), "one.yaml")


@needs_engine
@pytest.mark.parametrize(
    ("rule", "given", "status", "fired"),
    [
        ({"caps": {"visit.units": "$plan.units_per_day"}}, {"plan.units_per_day": "unlimited"}, "met", 1),
        ({"caps": {"visit.units": "$plan.units_per_day"}}, {"plan.units_per_day": 4}, "met", 1),
        ({"caps": {"visit.units": "$plan.units_per_day"}}, {"plan.units_per_day": 2}, "capped", 1),
        ({"caps": {"visit.units": "$plan.units_per_day"}}, {}, "unknown", 0),
        ({"requires": {"visit.procedure": {"in": "$plan.covered_procedures"}}}, {}, "unknown", 0),
        (
            {"requires": {"visit.procedure": {"in": "$plan.covered_procedures"}}},
            {"plan.covered_procedures": "any"},
            "met",
            1,
        ),
        (
            {"requires": {"visit.procedure": {"in": "$plan.covered_procedures"}}},
            {"plan.covered_procedures": []},
            "unmet",
            1,
        ),
        (
            {"requires": {"visit.date": {"on_or_before": "$plan.coverage_end"}}},
            {"plan.coverage_end": "open"},
            "met",
            1,
        ),
    ],
)
def test_one_conjunction_holds_for_one_reason(
    monkeypatch: pytest.MonkeyPatch, rule: Any, given: dict[str, Any], status: str, fired: int
) -> None:
    seen: list[list[int]] = []
    infer = Network.infer

    def spy(network: Network, facts: Sequence[str]) -> list[int]:
        seen.append(infer(network, facts))
        return seen[-1].copy()

    monkeypatch.setattr(Network, "infer", spy)
    decide = durable.compile_ruleset(one_rule(**rule), "planned")
    data: dict[str, dict[str, Any]] = {"visit": {"units": 3, "procedure": "97124", "date": "2026-06-15"}, "plan": {}}
    for path, value in given.items():
        group, _, name = path.partition(".")
        data[group][name] = value
    assert decide(case_from_dict(data)).statuses == (status,)
    assert [len(conclusions) for conclusions in seen] == [fired]


def test_dates_are_said_by_their_order_and_kept_up_to_a_bound() -> None:
    dates = durable._Dates(Texts("a"))
    assert [dates[date] for date in (None, dt.date(1, 1, 2), kinds.OPEN, kinds.NEVER)] == [
        "",
        ',"a":2',
        ',"a":3652059',
        ',"a":3652059',
    ]
    for ordinal in range(1, 5000):
        assert dates[dt.date.fromordinal(ordinal)] == f',"a":{ordinal}'
    assert len(dates) <= 1024


@needs_engine
def test_a_network_goes_with_what_it_was_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Network]] = []
    init = Network.__init__

    def spy(network: Network, conjunctions: Any) -> None:
        made.append(weakref.ref(network))
        init(network, conjunctions)

    monkeypatch.setattr(Network, "__init__", spy)
    gc.collect()
    gc.disable()
    try:
        decide = durable.compile_ruleset(one_rule(requires={"visit.units": 1}), "planned")
        assert [network() is None for network in made] == [False]
        del decide
        assert [network() is None for network in made] == [True]
    finally:
        gc.enable()

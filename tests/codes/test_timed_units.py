"""Timed units: the published table, the worked examples, and what holds for any visit."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covrules.codes.timed_units import Allocation, Rounding, allocate, units

ROUNDINGS = get_args(Rounding)

# Medicare's table for units of fifteen minutes: the first minute of each number of units.
FIRST_MINUTE = {1: 8, 2: 23, 3: 38, 4: 53, 5: 68, 6: 83, 7: 98, 8: 113, 9: 128, 10: 143}

visits = st.dictionaries(st.sampled_from(["97010", "97110", "97112", "97124", "97140"]), st.integers(0, 240))
lengths = st.integers(1, 60)


@pytest.mark.parametrize("rounding", ["cms", "midpoint"])
@pytest.mark.parametrize(("count", "first"), FIRST_MINUTE.items())
def test_table(rounding: Rounding, count: int, first: int) -> None:
    assert units(first - 1, 15, rounding) == count - 1
    assert units(first, 15, rounding) == count
    assert units(first + 14, 15, rounding) == count


@pytest.mark.parametrize(("minutes", "expected"), [(0, 0), (14, 0), (15, 1), (22, 1), (53, 3), (60, 4), (90, 6)])
def test_whole(minutes: int, expected: int) -> None:
    assert units(minutes, 15, "whole") == expected


@pytest.mark.parametrize("rounding", ["cms", "midpoint"])
@pytest.mark.parametrize(
    ("unit_minutes", "last_of_none"), [(1, 0), (2, 1), (5, 2), (10, 5), (15, 7), (20, 10), (30, 15), (60, 30)]
)
def test_more_than_half_of_a_unit_counts(rounding: Rounding, unit_minutes: int, last_of_none: int) -> None:
    assert units(last_of_none, unit_minutes, rounding) == 0
    assert units(last_of_none + 1, unit_minutes, rounding) == 1


@pytest.mark.parametrize(
    ("minutes", "cms", "midpoint"),
    [
        ({"97124": 60}, {"97124": 4}, {"97124": 4}),
        ({"97124": 90}, {"97124": 6}, {"97124": 6}),
        ({"97112": 24, "97110": 23}, {"97112": 2, "97110": 1}, {"97112": 2, "97110": 2}),
        ({"97110": 33, "97140": 7}, {"97110": 2, "97140": 1}, {"97110": 2, "97140": 0}),
        (
            {"a": 18, "b": 13, "c": 10, "d": 8},
            {"a": 1, "b": 1, "c": 1, "d": 0},
            {"a": 1, "b": 1, "c": 1, "d": 1},
        ),
        ({"97124": 45, "97140": 15}, {"97124": 3, "97140": 1}, {"97124": 3, "97140": 1}),
        ({"97124": 60, "97140": 30}, {"97124": 4, "97140": 2}, {"97124": 4, "97140": 2}),
        ({}, {}, {}),
        ({"97124": 0, "97140": 8}, {"97124": 0, "97140": 1}, {"97124": 0, "97140": 1}),
    ],
)
def test_worked_examples(minutes: dict[str, int], cms: dict[str, int], midpoint: dict[str, int]) -> None:
    assert allocate(minutes, 15, "cms") == Allocation(sum(cms.values()), cms, tie=False)
    assert allocate(minutes, 15, "midpoint") == Allocation(sum(midpoint.values()), midpoint, tie=False)


@pytest.mark.parametrize(
    ("minutes", "cms", "midpoint"),
    [
        ({"97140": 20, "97124": 20}, {"97140": 1, "97124": 2}, {"97140": 1, "97124": 1}),
        ({"97140": 10, "97124": 10}, {"97140": 0, "97124": 1}, {"97140": 1, "97124": 1}),
        ({"c": 7, "b": 7, "a": 7}, {"a": 1, "b": 0, "c": 0}, {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_ties_are_broken_by_the_code_and_reported(
    minutes: dict[str, int], cms: dict[str, int], midpoint: dict[str, int]
) -> None:
    assert allocate(minutes, 15, "cms").by_procedure == cms
    assert allocate(minutes, 15, "cms").tie
    assert allocate(minutes, 15, "midpoint").by_procedure == midpoint
    assert not allocate(minutes, 15, "midpoint").tie


def test_equal_remainders_are_a_tie_only_when_one_goes_without() -> None:
    result = allocate({"97140": 8, "97124": 8, "97112": 8}, 10, "cms")
    assert result.by_procedure == {"97112": 1, "97124": 1, "97140": 0}
    assert result.tie
    result = allocate({"97124": 9, "97140": 9}, 10, "cms")
    assert result.by_procedure == {"97124": 1, "97140": 1}
    assert not result.tie


def test_whole_is_rounded_by_procedure() -> None:
    assert allocate({"97124": 29, "97140": 14}, 15, "whole").by_procedure == {"97124": 1, "97140": 0}


@pytest.mark.parametrize(
    ("minutes", "unit_minutes", "rounding", "message"),
    [
        ({"97124": -1}, 15, "cms", "97124 has -1 minutes"),
        ({"97124": 60}, 0, "cms", "at least one minute, not 0"),
        ({"97124": 60}, -15, "whole", "at least one minute, not -15"),
        ({}, 15, "half", "unknown rounding 'half'"),
    ],
)
def test_what_cannot_be_allocated(minutes: dict[str, int], unit_minutes: int, rounding: Rounding, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(minutes, unit_minutes, rounding)


@given(st.integers(0, 1000), lengths, st.sampled_from(ROUNDINGS))
def test_another_minute_never_takes_a_unit_away(minutes: int, length: int, rounding: Rounding) -> None:
    assert 0 <= units(minutes + 1, length, rounding) - units(minutes, length, rounding) <= 1


@given(st.integers(0, 1000), lengths)
def test_units_follow_from_more_than_half(minutes: int, length: int) -> None:
    full, rest = divmod(minutes, length)
    assert units(minutes, length, "whole") == full
    assert units(minutes, length, "cms") == units(minutes, length, "midpoint") == full + (2 * rest > length)


@given(st.integers(0, 1000), lengths, st.sampled_from(ROUNDINGS))
def test_one_procedure_is_the_plain_rule(minutes: int, length: int, rounding: Rounding) -> None:
    result = allocate({"97124": minutes}, length, rounding)
    assert (result.total, result.by_procedure["97124"]) == (units(minutes, length, rounding),) * 2
    assert not result.tie


@given(visits, lengths, st.sampled_from(ROUNDINGS))
def test_totals_agree_and_shares_stay_within_bounds(minutes: dict[str, int], length: int, rounding: Rounding) -> None:
    result = allocate(minutes, length, rounding)
    assert result.total == sum(result.by_procedure.values())
    assert list(result.by_procedure) == list(minutes)
    for procedure, done in minutes.items():
        assert done // length <= result.by_procedure[procedure] <= -(-done // length)
    if rounding == "cms":
        assert result.total == units(sum(minutes.values()), length, "cms")


@given(visits, lengths)
def test_a_tie_is_exactly_a_choice_between_equal_remainders(minutes: dict[str, int], length: int) -> None:
    result = allocate(minutes, length, "cms")
    extra = {code: result.by_procedure[code] > done // length for code, done in minutes.items()}
    winners = [minutes[code] % length for code in minutes if extra[code]]
    losers = [minutes[code] % length for code in minutes if not extra[code]]
    if winners and losers:
        assert min(winners) >= max(losers)
    assert result.tie == (bool(winners) and bool(losers) and min(winners) == max(losers))


@given(visits, lengths, st.sampled_from(ROUNDINGS))
def test_the_order_of_the_procedures_does_not_matter(minutes: dict[str, int], length: int, rounding: Rounding) -> None:
    backwards = dict(reversed(minutes.items()))
    assert allocate(backwards, length, rounding) == allocate(minutes, length, rounding)

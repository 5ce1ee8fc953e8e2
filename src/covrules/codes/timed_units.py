"""How many units of a timed procedure the hands-on minutes of a visit make."""

from collections.abc import Mapping
from typing import Literal, get_args

from attrs import frozen

__all__ = ["Allocation", "allocate", "units"]

Rounding = Literal["cms", "midpoint", "whole"]
"""How minutes become units.

- ``cms``: Medicare's total-time rule (Medicare Claims Processing Manual, chapter 5, section 20.2.C): the
  minutes of all timed procedures are added up first, and then rounded;
- ``midpoint``: the rule of the procedure code set's publisher, the AMA: each procedure is rounded by itself;
- ``whole``: each procedure by itself, and only full units count.

Under the first two a unit counts once more than half of it is done: from 8 of 15 minutes, from 16 of 30.
"""


@frozen
class Allocation:
    """The units of one visit, and how they are shared out among its procedures.

    `tie` says that procedures with equal remainders competed for the last unit; the payer leaves the choice to
    whoever bills, and the procedure that comes first in the order of the codes got it. `total` are the units of the
    visit, `by_procedure` those of each procedure by its code.
    """

    total: int
    by_procedure: Mapping[str, int]
    tie: bool


def units(minutes: int, unit_minutes: int, rounding: Rounding) -> int:
    """The units of a visit with a single timed procedure.

    `minutes` must not be negative, `unit_minutes` must be at least 1 and `rounding` must be a `Rounding`:
    this is called for every visit evaluated, and does not look.

    >>> [units(minutes, 15, "cms") for minutes in (7, 8, 22, 23, 60)]
    [0, 1, 1, 2, 4]
    >>> units(53, 15, "whole")
    3
    """
    if rounding == "whole":
        return minutes // unit_minutes
    return (2 * minutes + unit_minutes - 1) // (2 * unit_minutes)


def allocate(minutes: Mapping[str, int], unit_minutes: int, rounding: Rounding) -> Allocation:
    """The units of a visit with several timed procedures, from the minutes of each by its code.

    Under ``cms`` every procedure first gets its full units, and those still missing from the total go to the
    largest remainders.

    Raises ValueError for negative minutes, a unit of less than a minute, and an unknown rounding.

    >>> allocate({"97110": 33, "97140": 7}, 15, "cms")
    Allocation(total=3, by_procedure={'97110': 2, '97140': 1}, tie=False)
    >>> allocate({"97110": 33, "97140": 7}, 15, "midpoint").by_procedure
    {'97110': 2, '97140': 0}
    """
    if rounding not in get_args(Rounding):
        raise ValueError(f"unknown rounding {rounding!r}")
    if unit_minutes < 1:
        raise ValueError(f"a unit must have at least one minute, not {unit_minutes}")
    for procedure, done in minutes.items():
        if done < 0:
            raise ValueError(f"{procedure} has {done} minutes")
    if rounding == "cms":
        return _allocate_total(minutes, unit_minutes)
    each = {procedure: units(done, unit_minutes, rounding) for procedure, done in minutes.items()}
    return Allocation(total=sum(each.values()), by_procedure=each, tie=False)


def _allocate_total(minutes: Mapping[str, int], unit_minutes: int) -> Allocation:
    total = units(sum(minutes.values()), unit_minutes, "cms")
    each = {procedure: done // unit_minutes for procedure, done in minutes.items()}
    remainder = {procedure: done % unit_minutes for procedure, done in minutes.items()}
    ranked = sorted(minutes, key=lambda procedure: (-remainder[procedure], procedure))
    missing = total - sum(each.values())
    for procedure in ranked[:missing]:
        each[procedure] += 1
    last_in_and_first_out = ranked[missing - 1 : missing + 1] if missing else []
    tie = len(last_in_and_first_out) == 2 and len({remainder[each] for each in last_in_and_first_out}) == 1
    return Allocation(total=total, by_procedure=each, tie=tie)

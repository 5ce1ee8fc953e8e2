"""Facts computed from facts; unknown only while what is unknown of their inputs leaves more than one value open."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from covrules.codes import body_sites, icd10cm, timed_units
from covrules.declaring import Fact
from covrules.facts import Case
from covrules.kinds import NO_CODE, UNLIMITED


def units(minutes: int | None, unit_minutes: int | None, rounding: Any) -> int | None:
    """Return the billing units of so many hands-on minutes.

    Sixty minutes are four units of fifteen however they are rounded:

    >>> units(60, 15, None), units(55, 15, None), units(0, None, None)
    (4, None, 0)
    """
    if minutes is None:
        return None
    if minutes == 0:
        return 0
    if unit_minutes is None:
        return None
    if rounding is None:
        whole, rest = divmod(minutes, unit_minutes)
        return whole if 2 * rest <= unit_minutes else None
    return timed_units.units(minutes, unit_minutes, rounding)


def units_in_longest_visit(minutes: int | None, unit_minutes: int | None, rounding: Any) -> int | None:
    """Return the units of the longest visit paid; unlimited minutes are unlimited units."""
    return UNLIMITED if minutes is UNLIMITED else units(minutes, unit_minutes, rounding)


def within_prescribed_sites(treated: Collection[str] | None, prescribed: Collection[str] | None) -> bool | None:
    """Return whether every treated site lies in a prescribed one.

    >>> within_prescribed_sites(["low-back"], None), within_prescribed_sites(None, ["whole-body"])
    (None, True)
    """
    if treated is not None and not treated:
        return True
    if prescribed is not None and "whole-body" in prescribed:
        return True
    if treated is None or prescribed is None:
        return None
    return body_sites.all_within(treated, prescribed)


def days_between(later: dt.date | None, earlier: dt.date | None) -> int | None:
    """Return the days from the earlier date to the later; negative if they lie the other way round."""
    return None if later is None or earlier is None else (later - earlier).days


def prescription_age(issued_on: dt.date | None, visit_date: dt.date | None) -> int | None:
    """Return how many days old a prescription is on the day of the visit."""
    return days_between(visit_date, issued_on)


def diagnosis_valid(diagnosis: str | None, on: dt.date | None) -> bool | None:
    """Return whether the code is complete and in force on the day of the visit; `none` is no code at all."""
    if diagnosis is None:
        return None
    return False if diagnosis == NO_CODE else icd10cm.is_valid(diagnosis, on)


def specificity(diagnosis: str | None) -> str | None:
    """Return how closely the diagnosis names a site of the body: general, regional or specific."""
    return None if diagnosis is None else icd10cm.specificity(diagnosis)


DERIVE: Final[Mapping[str, Callable[..., Any]]] = {
    "plan.units_in_longest_visit": units_in_longest_visit,
    "prescription.age_days": prescription_age,
    "prescription.diagnosis_valid": diagnosis_valid,
    "prescription.specificity": specificity,
    "visit.units": units,
    "visit.within_prescribed_sites": within_prescribed_sites,
    "claim.age_days": days_between,
}
"""How each derived fact is computed, from the facts it is declared to be derived from, in that order."""


def derivation(fact: Fact) -> Callable[..., Any]:
    """Return how a derived fact is computed; one that a ruleset declares is the days between two dates."""
    return DERIVE.get(fact.path, days_between)


def value_of(case: Case, fact: Fact) -> Any:
    """Return a fact of the case, derived where it is not given; None where it is unknown."""
    value = case.get(fact.path)
    if value is None and fact.derived_from:
        return derivation(fact)(*[case.get(source) for source in fact.derived_from])
    return value

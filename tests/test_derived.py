"""Derived facts: unknown only while what is unknown leaves more than one value open."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covrules import UNLIMITED, Case, Claim, Plan, Prescription, Visit, derived
from covrules.derived import DERIVE, value_of
from covrules.facts import FACTS

ROUNDINGS = ["cms", "midpoint", "whole"]


def test_every_derived_fact_is_computed():
    assert set(DERIVE) == {path for path, fact in FACTS.items() if fact.derived_from}


def all_values(compute, inputs, could_be):
    """Return every value the unknown inputs leave open."""
    choices = [could_be[place] if value is None else [value] for place, value in enumerate(inputs)]
    return {compute(*picked) for picked in itertools.product(*choices)}


MINUTES = [0, 1, 7, 8, 15, 22, 23, 50, 60, 90, 1000, 1_000_000]
LENGTHS = [1, 7, 15, 30, 10_000]


@given(
    st.one_of(st.none(), st.sampled_from(MINUTES)),
    st.one_of(st.none(), st.sampled_from(LENGTHS)),
    st.one_of(st.none(), st.sampled_from(ROUNDINGS)),
)
def test_units_are_unknown_exactly_while_several_are_open(minutes, length, rounding):
    open_ = all_values(derived.units, (minutes, length, rounding), (MINUTES, LENGTHS, ROUNDINGS))
    found = derived.units(minutes, length, rounding)
    assert found == (open_.pop() if len(open_) == 1 else None)


@given(st.integers(0, 500), st.integers(1, 200))
def test_units_without_a_rounding_are_those_all_roundings_agree_on(minutes, length):
    agreed = {derived.units(minutes, length, rounding) for rounding in ROUNDINGS}
    assert derived.units(minutes, length, None) == (agreed.pop() if len(agreed) == 1 else None)


SITES = [None, [], ["ankle-left"], ["whole-body"], ["leg"], ["leg-left", "neck"]]


@pytest.mark.parametrize(("treated", "prescribed"), [*itertools.product(SITES, SITES)])
def test_sites_are_undecided_exactly_while_both_answers_are_open(treated, prescribed):
    could_be = [site for site in SITES if site is not None]
    open_ = all_values(derived.within_prescribed_sites, (treated, prescribed), (could_be, could_be))
    found = derived.within_prescribed_sites(treated, prescribed)
    assert found == (open_.pop() if len(open_) == 1 else None)


def test_the_longest_visit_without_a_limit_has_units_without_a_limit():
    assert value_of(Case(plan=Plan(minutes_per_visit=UNLIMITED)), FACTS["plan.units_in_longest_visit"]) is UNLIMITED
    assert value_of(Case(plan=Plan(minutes_per_visit=60, unit_minutes=15)), FACTS["plan.units_in_longest_visit"]) == 4


def test_ages():
    visit, before = Visit(date=dt.date(2026, 6, 15)), dt.date(2026, 6, 1)
    assert (
        value_of(Case(visit=visit, prescription=Prescription(issued_on=before)), FACTS["prescription.age_days"]) == 14
    )
    assert value_of(Case(visit=visit, claim=Claim(submitted_on=before)), FACTS["claim.age_days"]) == -14
    assert value_of(Case(visit=visit), FACTS["claim.age_days"]) is None


@pytest.mark.parametrize(
    ("diagnosis", "on", "valid", "specificity"),
    [
        ("M54.50", dt.date(2026, 6, 15), True, "regional"),
        ("M54.50", dt.date(2021, 9, 30), False, "regional"),
        ("M54.50", None, None, "regional"),
        ("M54.5", dt.date(2026, 6, 15), False, "regional"),
        ("M54.5", dt.date(2021, 9, 30), True, "regional"),
        ("M25.572", None, True, "specific"),
        ("M54.77", None, False, "general"),
        ("I89.0", None, True, "general"),
        ("M79.10", None, True, "general"),
        ("R52", None, True, "general"),
        ("none", None, False, "general"),
        (None, dt.date(2026, 6, 15), None, None),
    ],
)
def test_diagnoses(diagnosis, on, valid, specificity):
    case = Case(prescription=Prescription(diagnosis=diagnosis), visit=Visit(date=on))
    assert value_of(case, FACTS["prescription.diagnosis_valid"]) is valid
    assert value_of(case, FACTS["prescription.specificity"]) == specificity


def test_a_given_value_wins():
    case = Case(visit=Visit(minutes=60, units=2), plan=Plan(unit_minutes=15))
    assert value_of(case, FACTS["visit.units"]) == 2

"""What one known side decides by itself, and which tests there are."""

import datetime as dt

import pytest

from covrules import ANY, NEVER, OPEN, UNLIMITED, case_from_dict
from covrules.conditions import Mistyped, make_test, to_data

from covrules.conditions import AllOf, AnyOf, Not  # isort: skip
from covrules.derived import value_of
from covrules.facts import FACTS
from covrules.lowering import ALWAYS, NEVER_HOLDS, conjunction, disjunction, lower
from covrules.truth import tester as written


def truth(condition, values):
    """Return what the two forms of a condition say, as engines try them."""
    forms = lower(condition)
    return True if written(forms.true)(values) else False if written(forms.false)(values) else None


def decided(fact, op, right, data, ref=False):
    case = case_from_dict(data)
    values = {path: value for path, fact_ in FACTS.items() if (value := value_of(case, fact_)) is not None}
    return truth(make_test(fact, op, right, ref=ref), values)


def plan(**facts):
    return {"plan": facts}


VISITS = ("history.visits_this_year", "below", "plan.visits_per_year")
EPISODE = ("history.visits_this_episode", "at_least", "plan.visits_before_authorization")
AGE = ("prescription.age_days", "at_most", "plan.prescription_valid_days")
ENDS = ("visit.date", "on_or_before", "plan.coverage_end")
ACCEPTS = ("visit.date", "on_or_after", "clinic.accepts_payer_from")
SPECIFIC = ("prescription.specificity", "at_least", "plan.minimum_specificity")
PRESCRIBER = ("prescription.prescriber", "in", "plan.accepted_prescribers")
EXCLUDED = ("prescription.diagnosis", "within", "plan.excluded_diagnoses")
COVERED = ("prescription.diagnosis", "within", "plan.covered_diagnoses")


@pytest.mark.parametrize(
    ("test", "data", "expected"),
    [
        (VISITS, {}, None),
        (VISITS, plan(visits_per_year="unlimited"), True),
        (VISITS, plan(visits_per_year=0), False),
        (VISITS, plan(visits_per_year=5), None),
        (VISITS, {"history": {"visits_this_year": 0}}, None),
        (EPISODE, plan(visits_before_authorization=0), True),
        (EPISODE, plan(visits_before_authorization="unlimited"), False),
        (EPISODE, plan(visits_before_authorization=6), None),
        (AGE, plan(prescription_valid_days="unlimited"), True),
        (AGE, plan(prescription_valid_days=0), None),
        (AGE, {"prescription": {"age_days": 0}}, True),
        (AGE, {"prescription": {"age_days": -1}}, None),
        (ENDS, plan(coverage_end="open"), True),
        (ENDS, {"visit": {"date": "2026-06-15"}}, None),
        (ACCEPTS, {"clinic": {"accepts_payer_from": "never"}}, False),
        (ACCEPTS, {"clinic": {"accepts_payer_from": "2026-01-01"}}, None),
        (SPECIFIC, plan(minimum_specificity="general"), True),
        (SPECIFIC, plan(minimum_specificity="regional"), None),
        (SPECIFIC, plan(minimum_specificity="specific"), None),
        (SPECIFIC, {"prescription": {"specificity": "specific"}}, True),
        (SPECIFIC, {"prescription": {"specificity": "general"}}, None),
        (PRESCRIBER, plan(accepted_prescribers="any"), True),
        (PRESCRIBER, plan(accepted_prescribers=[]), False),
        (PRESCRIBER, plan(accepted_prescribers=["MD"]), None),
        (PRESCRIBER, {"prescription": {"prescriber": "MD"}}, None),
        (EXCLUDED, plan(excluded_diagnoses=[]), False),
        (COVERED, plan(covered_diagnoses="any"), True),
        (COVERED, {"plan": {"covered_diagnoses": ["M54"]}, "prescription": {"diagnosis": "M54.50"}}, True),
        (COVERED, {"plan": {"covered_diagnoses": ["M54"]}, "prescription": {"diagnosis": "none"}}, False),
    ],
)
def test_what_one_side_decides_alone(test, data, expected):
    assert decided(*test, data, ref=True) is expected


@pytest.mark.parametrize(
    ("test", "data", "expected"),
    [
        (("visit.minutes", "at_least", "0"), {}, True),
        (("visit.minutes", "below", "0"), {}, False),
        (("visit.minutes", "at_most", "0"), {}, None),
        (("prescription.age_days", "at_least", "0"), {}, None),
        (("plan.visits_per_year", "at_most", "unlimited"), {}, True),
        (("plan.visits_per_year", "above", "unlimited"), {}, False),
        (("plan.visits_per_year", "equals", "unlimited"), {}, None),
        (("plan.coverage_end", "on_or_before", "open"), {}, True),
        (("prescription.specificity", "at_least", "general"), {}, True),
        (("prescription.specificity", "above", "specific"), {}, False),
        (("visit.purpose", "in", ["treatment", "maintenance", "wellness"]), {}, None),
        (("visit.body_sites", "has", "neck"), {"visit": {"body_sites": []}}, False),
        (("plan.accepted_prescribers", "has", "MD"), plan(accepted_prescribers="any"), True),
    ],
)
def test_what_a_constant_decides(test, data, expected):
    assert decided(*test, data) is expected


def test_unlimited_against_a_count_that_has_none():
    data = plan(visits_per_year="unlimited")
    assert decided("plan.visits_per_year", "equals", "history.visits_this_year", data, ref=True) is False
    assert decided("plan.visits_per_year", "above", "history.visits_this_year", data, ref=True) is True
    assert decided("plan.visits_per_year", "above", "plan.units_per_year", data, ref=True) is None


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (("visit.purpose", "at_most", "treatment"), "cannot be tested with at_most"),
        (("visit.body_sites", "equals", "neck"), "cannot be tested with equals"),
        (("visit.date", "below", "2026-01-01"), "cannot be tested with below"),
        (("visit.minutes", "before", "60"), "cannot be tested with before"),
        (("visit.minutes", "equals", "sixty"), "not a whole number"),
        (("visit.minutes", "equals", "unlimited"), "found text"),
        (("visit.purpose", "equals", "treatmnt"), "a word that is not among them"),
        (("plan.payer", "within", "M54"), "cannot be tested with within"),
        (("visit.purpose", "in", []), "empty list"),
    ],
)
def test_tests_that_cannot_be(test, said):
    with pytest.raises(Mistyped, match=said):
        make_test(*test)


@pytest.mark.parametrize(
    ("fact", "op", "other"),
    [
        ("visit.minutes", "equals", "visit.date"),
        ("prescription.prescriber", "in", "plan.accepted_credentials"),
        ("prescription.prescriber", "equals", "provider.credential"),
        ("visit.procedure", "equals", "prescription.diagnosis"),
        ("prescription.diagnosis", "in", "plan.covered_diagnoses"),
        ("plan.payer", "in", "plan.accepted_prescribers"),
    ],
)
def test_facts_that_cannot_be_compared(fact, op, other):
    with pytest.raises(Mistyped, match="cannot be compared"):
        make_test(fact, op, other, ref=True)


def test_kleene():
    yes, no = make_test("visit.minutes", "equals", "1"), make_test("visit.minutes", "equals", "2")
    values = {"visit.minutes": 1}
    open_ = make_test("visit.purpose", "equals", "treatment")
    for first, second, both, either in [
        (yes, yes, True, True),
        (yes, no, False, True),
        (yes, open_, None, True),
        (no, no, False, False),
        (no, open_, False, None),
        (open_, open_, None, None),
    ]:
        for pair in ((first, second), (second, first)):
            assert truth(AllOf(pair), values) is both
            assert truth(AnyOf(pair), values) is either
    assert [truth(Not(part), values) for part in (yes, no, open_)] == [False, True, None]


def test_nothing_and_everything():
    assert conjunction([]) == ALWAYS
    assert disjunction([]) == NEVER_HOLDS
    assert conjunction([ALWAYS, NEVER_HOLDS]) == NEVER_HOLDS
    assert disjunction([ALWAYS, NEVER_HOLDS]) == ALWAYS


def test_words_compare_as_what_they_stand_for():
    assert dt.date(9999, 12, 30) < OPEN == NEVER
    assert UNLIMITED > 10**9
    assert "anything" in ANY


def test_plain_data_of_a_condition():
    test = make_test("visit.date", "on_or_before", "2026-06-15")
    assert to_data(Not(test)) == {"not": {"visit.date": {"on_or_before": "2026-06-15"}}}

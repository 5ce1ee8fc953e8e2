"""Populations: every value legal, the history counted from the visits, everything drawn as it is declared."""

import datetime as dt
import itertools
import re
import subprocess
import sys
from collections import Counter
from types import MappingProxyType

import attrs
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import covrules
from covrules import UNLIMITED, case_from_dict, derived, populations
from covrules.codes import icd10cm
from covrules.facts import FACTS, by_group
from covrules.kinds import SetOf

YEAR = 2026
SMALL = populations.generate(visits=3_000, plans=40, seed=5)
LARGE = populations.generate(visits=40_000, plans=4_000, seed=3)
WITH_GAPS = populations.generate(visits=3_000, plans=40, seed=5, unknown=0.2)
GIVEN = [path for path, fact in FACTS.items() if not fact.derived_from]
KEYS = ["patient", "plan.id", "visit.date"]
DOCUMENTS = {
    "prescription": "prescription.issued_on",
    "referral": "referral.issued_on",
    "authorization": "authorization.valid_from",
}


def given(path, value):
    """Return a cell as a case takes it."""
    return "any" if isinstance(FACTS[path].kind, SetOf) and value == ["any"] else value


def case(row):
    known = {path: given(path, value) for path, value in row.items() if path != "patient" and value is not None}
    return case_from_dict(by_group(known))


def visits_by_patient(wide):
    patients = {}
    for row in wide.iter_rows(named=True):
        patients.setdefault(row["patient"], []).append(row)
    return patients.values()


def counted_by_hand(row, before):
    """Return the history of a visit from the visits before it, as the facts are worded."""

    def units(visits):
        paths = FACTS["visit.units"].derived_from
        return sum(derived.units(*(visit[path] for path in paths)) for visit in visits)

    def on(document):
        start = DOCUMENTS[document]
        same = [visit for visit in before if visit[start] == row[start] and visit[f"{document}.on_file"]]
        return [visit for visit in same if visit["visit.date"] >= row[start]]

    def week(visit):
        return visit["visit.date"].isocalendar()[:2]

    return {
        "history.visits_this_year": len(before),
        "history.units_this_year": units(before),
        "history.visits_this_episode": len(
            [each for each in before if each["prescription.diagnosis"] == row["prescription.diagnosis"]]
        ),
        "history.visits_this_week": len([each for each in before if week(each) == week(row)]),
        "history.units_this_day": units(each for each in before if each["visit.date"] == row["visit.date"]),
        "history.visits_on_prescription": len(on("prescription")),
        "history.visits_on_referral": len(on("referral")),
        "history.visits_on_authorization": len(on("authorization")),
        "history.units_on_authorization": units(on("authorization")),
    }


# --- the frames -----------------------------------------------------------------------------------------------


def test_visits_and_plans_have_every_fact_that_is_not_derived():
    assert SMALL.visits.columns == ["patient", "plan.id", *(path for path in GIVEN if FACTS[path].group != "plan")]
    assert SMALL.plans.columns == [path for path in GIVEN if FACTS[path].group == "plan"]
    assert SMALL.wide().columns == ["patient", *GIVEN]
    assert SMALL.visits.height == SMALL.wide().height == 3_000
    assert SMALL.plans["plan.id"].n_unique() == SMALL.plans.height == 40


def test_columns_have_the_types_of_their_kinds():
    types = {"bool": pl.Boolean, "number": pl.Int32, "date": pl.Date, "set": pl.List(pl.String)}
    for path in GIVEN:
        assert SMALL.wide().schema[path] == types.get(FACTS[path].kind.family, pl.String), path
    assert SMALL.visits.schema["patient"] == pl.Int64


@pytest.mark.parametrize("population", [SMALL, WITH_GAPS], ids=["all-known", "with-gaps"])
def test_every_value_is_legal(population):
    wide = population.wide()
    for path in GIVEN:
        for value in wide[path].drop_nulls().unique():
            FACTS[path].kind.parse(given(path, value.to_list() if isinstance(value, pl.Series) else value))


def test_visits_are_in_order_of_date_and_then_patient():
    assert_frame_equal(SMALL.visits, SMALL.visits.sort("visit.date", "patient", maintain_order=True))
    assert SMALL.visits["visit.date"].dt.year().unique().to_list() == [YEAR]


def test_the_plan_of_a_visit_stands_beside_it():
    plans = {row["plan.id"]: row for row in SMALL.plans.iter_rows(named=True)}
    for row in SMALL.wide().head(200).iter_rows(named=True):
        assert plans[row["plan.id"]].items() <= row.items()


def test_every_payer_is_an_invented_one():
    assert all(payer.startswith("Example ") for payer in populations.DISTRIBUTIONS["plan.payer"].values)


def test_every_mandate_is_shipped():
    for mandates in populations.DISTRIBUTIONS["plan.mandates"].values:
        assert all(covrules.load(mandate).id == mandate for mandate in mandates)


def test_the_diagnoses_are_complete_but_for_a_few_mistakes():
    drawn = populations.DISTRIBUTIONS["prescription.diagnosis"].values
    assert set(drawn) == set(populations.CONDITIONS)
    invalid = {code for code in drawn if not icd10cm.is_valid(code, dt.date(YEAR, 1, 1))}
    assert invalid == {"M54.5", "M25.51", "none"}
    assert sum(drawn[code] for code in invalid) < 0.05 * sum(drawn.values())


# --- what is consistent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_history_is_what_counting_by_hand_finds(seed):
    wide = populations.generate(visits=1_500, plans=15, seed=seed, year=2024).wide()
    seen = Counter()
    for visits in visits_by_patient(wide):
        for place, row in enumerate(visits):
            counted = counted_by_hand(row, visits[:place])
            assert {path: row[path] for path in counted} == counted
            seen.update(path for path, number in counted.items() if number)
    assert set(seen) == {path for path in GIVEN if FACTS[path].group == "history"}


def test_a_patient_keeps_the_plan_the_clinic_and_the_therapist():
    one_each = ["plan.id", "clinic.accepts_payer_from", "provider.credential", "provider.network", "visit.liability"]
    assert SMALL.visits.group_by("patient").agg(pl.col(one_each).n_unique()).select(one_each).max().row(0) == (1,) * 5


def test_counting_starts_again_on_a_second_prescription():
    for visits in visits_by_patient(SMALL.visits):
        pairs = itertools.pairwise(visits)
        renewed = [each for before, each in pairs if before["prescription.issued_on"] != each["prescription.issued_on"]]
        if renewed:
            assert {visit["history.visits_on_prescription"] for visit in renewed} == {0}
            assert all(visit["history.visits_this_year"] > 0 for visit in renewed)
            break
    else:
        pytest.fail("nobody has a second prescription")


@pytest.mark.parametrize(("document", "start"), DOCUMENTS.items())
def test_a_later_document_comes_after_the_visit_before(document, start):
    later = 0
    for visits in visits_by_patient(SMALL.visits):
        for before, visit in itertools.pairwise(visits):
            if before[start] != visit[start]:
                assert visit[start] > before["visit.date"] or visit["visit.date"] == before["visit.date"]
                later += 1
    assert later > 5


def test_no_authorization_is_on_file_before_one_is_due():
    due = pl.col("history.visits_this_year") >= pl.col("plan.visits_before_authorization")
    limited = SMALL.wide().filter(pl.col("plan.visits_before_authorization") != UNLIMITED)
    assert not limited.filter(~due)["authorization.on_file"].any()
    assert limited.filter(due)["authorization.on_file"].mean() > 0.7


def test_nothing_is_counted_on_a_document_that_is_not_on_file():
    for document in DOCUMENTS:
        without = SMALL.visits.filter(~pl.col(f"{document}.on_file"))
        assert without.height > 20
        assert without[f"history.visits_on_{document}"].max() == 0


def test_visits_are_a_week_or_so_apart():
    apart = LARGE.visits.sort("patient", "visit.date").select(pl.col("visit.date").diff().over("patient")).to_series()
    days = apart.drop_nulls().dt.total_days()
    assert 6 <= days.median() <= 8
    assert days.min() == 0


def test_a_location_is_in_network_only_where_the_therapist_is():
    out = LARGE.visits.filter(pl.col("provider.network") == "out")
    assert out.height > 1_000
    assert not out["provider.location_in_network"].any()


def test_plans_are_of_very_different_sizes():
    sizes = populations.generate(visits=20_000, plans=100).visits["plan.id"].value_counts(sort=True)["count"]
    assert sizes[0] > 10 * sizes[len(sizes) // 2]


# --- what is drawn --------------------------------------------------------------------------------------------


def one_row_each(drawn):
    if drawn.each == "plan":
        return LARGE.plans
    return LARGE.visits.unique("patient", keep="first") if drawn.each == "patient" else LARGE.visits


PLAIN = [
    name
    for name, drawn in populations.DISTRIBUTIONS.items()
    if name in FACTS and drawn.each in ("plan", "patient", "visit")
]


@pytest.mark.parametrize("name", PLAIN)
def test_values_come_about_as_often_as_declared(name):
    drawn = populations.DISTRIBUTIONS[name]
    cells = one_row_each(drawn)[name].to_list()
    found = Counter(tuple(cell) if isinstance(cell, list) else cell for cell in cells)
    total = sum(drawn.values.values())
    shares = {("any",) if value is covrules.ANY else value: weight / total for value, weight in drawn.values.items()}
    assert set(found) == set(shares)
    for value, share in shares.items():
        # Four standard deviations of a binomial share.
        assert abs(found[value] / len(cells) - share) < 4 * (share * (1 - share) / len(cells)) ** 0.5, value


def test_what_a_plan_requires_is_there_more_often():
    wide = LARGE.wide().unique("patient", keep="first")
    for path, required in {
        "prescription.on_file": pl.col("plan.prescription_required"),
        "prescription.treatment_plan": pl.col("plan.treatment_plan_required"),
        "referral.on_file": pl.col("plan.referral_required")
        | (pl.col("provider.network") == "out") & pl.col("plan.out_of_network_needs_referral"),
        "referral.sent_to_payer": pl.col("plan.referral_to_payer_required"),
        "visit.with_physical_therapy": pl.col("plan.massage_benefit") == "with-physical-therapy",
    }.items():
        for suffix, rows in (("required", wide.filter(required)), ("not required", wide.filter(~required))):
            chance = populations.DISTRIBUTIONS[f"{path} ({suffix})"].values[True] / 100
            assert abs(rows[path].mean() - chance) < 4 * (chance * (1 - chance) / rows.height) ** 0.5


def only(value):
    return populations.Span(value.most, value.most) if isinstance(value, populations.Span) else {[*value][-1]: 1}


@pytest.mark.parametrize("name", populations.DISTRIBUTIONS)
def test_what_is_declared_is_what_is_drawn_from(name, monkeypatch):
    changed = attrs.evolve(populations.DISTRIBUTIONS[name], values=only(populations.DISTRIBUTIONS[name].values))
    monkeypatch.setattr(populations, "DISTRIBUTIONS", {**populations.DISTRIBUTIONS, name: changed})
    usual = populations.generate(visits=3_000, plans=40, seed=5)
    assert not (usual.visits.equals(SMALL.visits) and usual.plans.equals(SMALL.plans))
    if name in FACTS and name != "prescription.diagnosis":
        assert usual.wide()[name].n_unique() == 1


def test_the_distributions_cannot_be_changed():
    assert isinstance(populations.DISTRIBUTIONS, MappingProxyType)
    assert isinstance(populations.DISTRIBUTIONS["visit.minutes"].values, MappingProxyType)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        populations.DISTRIBUTIONS["visit.minutes"].source = "measured"


def test_every_source_says_what_is_assumed_and_cites_what_is_shipped():
    rulesets = set()
    for name, drawn in populations.DISTRIBUTIONS.items():
        assert drawn.source.endswith("an assumption"), name
        rulesets.update(re.findall(r"ruleset ([\w-]+)", drawn.source))
    assert len(rulesets) > 5
    assert all(covrules.load(each).id == each for each in rulesets)


@pytest.mark.parametrize(
    ("name", "ruleset"),
    [
        ("plan.visits_per_year", "uniform-medical-plan"),
        ("plan.visits_before_authorization", "uniform-medical-plan"),
        ("plan.visits_before_authorization", "evicore-massage"),
        ("plan.visits_before_authorization", "kaiser-permanente-northwest"),
        ("plan.minutes_per_visit", "evicore-massage"),
        ("plan.units_per_day", "regence-washington"),
        ("plan.massage_benefit", "uhc-california-bip029"),
    ],
)
def test_what_a_ruleset_is_cited_for_it_says(name, ruleset):
    drawn = populations.DISTRIBUTIONS[name]
    assert f"ruleset {ruleset}" in drawn.source
    said = {value for _, value in covrules.load(ruleset).fixed[name].values if value is not None}
    assert said
    assert said <= set(drawn.values)


def test_the_description_tells_every_distribution_and_its_source():
    said = " ".join(populations.describe().split())
    for name, drawn in populations.DISTRIBUTIONS.items():
        assert f"{name}: {drawn.what} (for each {drawn.each}) {drawn.said} Source: {drawn.source}" in said
    assert "unlimited 45 %; 4 45 %; 6 10 %" in said
    assert "any 30 %; MD, DO, NP, PA 45 %" in said
    assert "(nothing) 80 %" in said
    assert "yes 60 %; no 40 %" in said


# --- seeds, gaps and edges ------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_population():
    again = populations.generate(visits=3_000, plans=40, seed=5, unknown=0.2)
    assert_frame_equal(again.visits, WITH_GAPS.visits)
    assert_frame_equal(again.plans, WITH_GAPS.plans)
    other = populations.generate(visits=3_000, plans=40, seed=6)
    assert not other.visits.equals(SMALL.visits)


@pytest.mark.parametrize("frame", ["visits", "plans"])
def test_gaps_are_made_last_and_leave_the_keys_alone(frame):
    full, gaps = getattr(SMALL, frame), getattr(WITH_GAPS, frame)
    assert sum(full.null_count().row(0)) == 0
    names = [name for name in full.columns if name not in KEYS]
    for name in full.columns:
        known = gaps[name].is_not_null()
        assert known.all() == (name in KEYS), name
        assert gaps[name].filter(known).equals(full[name].filter(known)), name
    share = sum(gaps.select(names).null_count().row(0)) / (full.height * len(names))
    assert 0.17 < share < 0.23


def test_everything_but_the_keys_can_be_unknown():
    nothing = populations.generate(visits=20, plans=3, unknown=1.0)
    assert all(nothing.wide()[name].is_null().all() == (name not in KEYS) for name in nothing.wide().columns)


@pytest.mark.parametrize(("visits", "plans"), [(0, 1), (0, 7), (1, 1), (1, 50), (2, 3), (5, 500), (500, 1)])
def test_any_number_of_visits_and_plans_will_do(visits, plans):
    for unknown in (0.0, 0.5):
        population = populations.generate(visits=visits, plans=plans, unknown=unknown)
        assert population.visits.height == population.wide().height == visits
        assert population.plans.height == plans
        assert population.visits.schema == SMALL.visits.schema
        assert population.plans.schema == SMALL.plans.schema
        assert population.wide().schema == SMALL.wide().schema


@pytest.mark.parametrize("year", [1900, 2024, 2999])
def test_visits_stay_within_their_year(year):
    days = populations.generate(visits=2_000, plans=3, year=year).visits["visit.date"]
    assert days.dt.year().unique().to_list() == [year]
    assert days.dt.month().n_unique() == 12


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"visits": -1}, "visits: found -1; expected a whole number, 0 or more"),
        ({"visits": 10.0}, "visits: found 10.0; expected a whole number, 0 or more"),
        ({"visits": True}, "visits: found true or false; expected a whole number, 0 or more"),
        ({"visits": "10"}, "visits: found text; expected a whole number, 0 or more"),
        ({"plans": 0}, "plans: found 0; expected a whole number, 1 or more"),
        ({"plans": None}, "plans: found nothing; expected a whole number, 1 or more"),
        ({"seed": -3}, "seed: found -3; expected a whole number, 0 or more"),
        ({"seed": 1.5}, "seed: found 1.5; expected a whole number, 0 or more"),
        ({"year": 26}, "year: found 26; expected a whole number from 1900 to 2999"),
        ({"year": 9999}, "year: found 9999; expected a whole number from 1900 to 2999"),
        ({"unknown": -0.1}, "unknown: found -0.1; expected a number from 0 to 1"),
        ({"unknown": 1.01}, "unknown: found 1.01; expected a number from 0 to 1"),
        ({"unknown": float("nan")}, "unknown: found nan; expected a number from 0 to 1"),
        ({"unknown": "half"}, "unknown: found text; expected a number from 0 to 1"),
        ({"unknown": True}, "unknown: found true or false; expected a number from 0 to 1"),
    ],
)
def test_an_argument_out_of_range_is_named_with_what_was_expected(wrong, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        populations.generate(**wrong)


@pytest.mark.parametrize("missing", ["polars", "numpy"])
def test_without_polars_or_numpy_it_says_what_to_install(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=re.escape("pip install 'covrules[frames]'")):
        populations.generate(visits=1)


def test_importing_and_describing_needs_neither_polars_nor_numpy():
    code = "import sys; from covrules import populations; populations.describe(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "covrules.populations" in loaded
    assert {"polars", "numpy"}.isdisjoint(loaded)


# --- what comes of them ---------------------------------------------------------------------------------------


def coverages(population):
    base = covrules.load("medical-massage")
    rows = population.wide().sample(300, seed=1).iter_rows(named=True)
    return Counter(base.evaluate(case(row), engine="compiled").coverage for row in rows)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_all_is_known_most_visits_are_covered_and_some_are_not(seed):
    found = coverages(populations.generate(visits=5_000, plans=100, seed=seed))
    assert set(found) == {"covered", "partial", "not-covered"}
    assert 0.3 < found["covered"] / 300 < 0.9


def test_where_something_is_unknown_some_visits_are_undetermined():
    found = coverages(populations.generate(visits=5_000, plans=100, unknown=0.03))
    assert set(found) == {"covered", "partial", "not-covered", "undetermined"}

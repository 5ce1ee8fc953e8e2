"""Columns of Polars read as facts: quick ways of finding words and of uniting sets say what slow ones say."""

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import covrules
from covrules import derived
from covrules.codes.body_sites import BODY_SITES
from covrules.facts import FACTS
from covrules.frames import polars_columns
from covrules.frames.polars_columns import places_in, sets_of
from covrules.kinds import MAX_COUNT

TREATED, PRESCRIBED = FACTS["visit.body_sites"], FACTS["prescription.body_sites"]
DIAGNOSES = FACTS["plan.covered_diagnoses"]
BASE = covrules.load("medical-massage")

texts = st.text("ab-", min_size=1, max_size=16)
set_of_sites = st.none() | st.lists(st.sampled_from(BODY_SITES), max_size=6)


@given(st.lists(texts, unique=True, max_size=20), st.lists(st.none() | texts, max_size=40), st.integers(0, 8))
@example([str(number) for number in range(255)], [str(number) for number in range(300)], 0)
@example([str(number) for number in range(300)], [str(number) for number in range(400)], 0)
def test_the_place_of_a_text_is_where_it_stands(there, cells, strangers):
    cells = [*cells, *there, None, *["z" * (number + 9) for number in range(strangers)]]
    places = places_in(there, pl.Series(cells, dtype=pl.String))
    assert places.to_list() == [there.index(cell) if cell in there else None for cell in cells]


def test_texts_whose_hashes_end_alike_are_not_taken_for_one_another(monkeypatch):
    monkeypatch.setattr(polars_columns, "_HASHES", [1 << 8])
    there = [str(number) for number in range(8)]
    cells = pl.Series([str(number) for number in range(5000)])
    assert places_in(there, cells).to_list() == [*range(8), *[None] * 4992]


@given(st.lists(st.tuples(set_of_sites, set_of_sites), min_size=1, max_size=30))
@example([([site, site], [other]) for site, other in zip(BODY_SITES, reversed(BODY_SITES), strict=True)])
@example([([site], [other]) for site in BODY_SITES for other in BODY_SITES])
@example([(list(BODY_SITES), list(BODY_SITES)), ([], []), (None, [])])
def test_sets_are_asked_what_is_so_of_their_elements(rows):
    treated, prescribed = (
        sets_of(fact, pl.Series(column, dtype=pl.List(pl.String)))
        for fact, column in zip((TREATED, PRESCRIBED), zip(*rows, strict=True), strict=True)
    )
    known = [None not in row for row in rows]
    assert treated.is_empty().to_list() == [None if sites is None else not sites for sites, _ in rows]
    for site in ("back", BODY_SITES[-1]):
        assert treated.has(site).to_list() == [None if sites is None else site in sites for sites, _ in rows]
    within = [derived.within_prescribed_sites(*row) if there else None for row, there in zip(rows, known, strict=True)]
    told = (treated.lie_within(prescribed) | treated.is_empty() | prescribed.has("whole-body")).to_list()
    assert [each if there else None for each, there in zip(told, known, strict=True)] == within


@pytest.mark.parametrize("count", [1, 8, 32, 33, 64, 65, 200])
def test_sets_of_many_texts_are_told_apart(count):
    codes = [f"M{number:02}.{more}" for number in range(20) for more in range(10)][:count]
    lists = [[code] for code in codes] + [codes, codes[:1] * 2, [], None, ["any"]]
    sets = sets_of(DIAGNOSES, pl.Series(lists, dtype=pl.List(pl.String)))
    for code in (codes[0], codes[-1]):
        assert sets.has(code).to_list() == [None if each is None else code in each or each == ["any"] for each in lists]


counts = st.none() | st.integers(0, 200) | st.integers(0, MAX_COUNT)


@given(st.lists(st.tuples(counts, st.none() | st.integers(1, 200), st.sampled_from([None, "whole", "midpoint"]))))
@example(
    [(22, 15, "midpoint"), (23, 15, "midpoint"), (7, 15, None), (MAX_COUNT, MAX_COUNT - 1, "whole"), (0, None, None)]
)
def test_units_are_counted_as_those_of_one_visit(rows):
    names = ("visit.minutes", "plan.unit_minutes", "plan.unit_rounding")
    frame = pl.DataFrame(rows, schema=dict(zip(names, (pl.Int64, pl.Int64, pl.String), strict=True)), orient="row")
    told = BASE.evaluate_frame(frame, reasons=False)["units_requested"]
    assert told.to_list() == [derived.units(*row) for row in rows]

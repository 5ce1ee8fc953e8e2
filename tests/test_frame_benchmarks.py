"""The Polars written by hand says what covrules says, and the benchmarks of frames run through."""

import polars as pl
import pytest
from benchmarks import frames, polars_by_hand

import covrules
from covrules import populations

BASE = covrules.load("medical-massage")


@pytest.mark.parametrize("unknown", [0.0, 0.1, 0.5])
def test_polars_by_hand_says_what_covrules_says(unknown):
    population = populations.generate(visits=3_000, plans=40, seed=5, unknown=unknown)
    added = [
        name for name in BASE.evaluate_frame(population.wide().head(0)).columns if name not in population.wide().columns
    ]
    wide = population.wide()
    for by_hand, by_rules in (
        (polars_by_hand.decide_wide(wide), BASE.evaluate_frame(wide)),
        (
            polars_by_hand.decide_with_plans(population.visits, population.plans),
            BASE.evaluate_frame(population.visits, population.plans),
        ),
    ):
        for name in added:
            assert by_hand[name].cast(by_rules[name].dtype).to_list() == by_rules[name].to_list(), name


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("visit.purpose", "leisure", pl.exceptions.InvalidOperationError),
        ("plan.accepted_prescribers", ["MD", "XX"], pl.exceptions.InvalidOperationError),
        ("visit.minutes", -1, ValueError),
    ],
)
def test_polars_by_hand_finds_what_covrules_finds(path, value, error):
    wide = populations.generate(visits=50, plans=3, seed=5).wide()
    polars_by_hand.check(wide)
    wrong = wide.with_columns(pl.lit(value, dtype=wide.schema[path]).alias(path))
    with pytest.raises(error):
        polars_by_hand.decide_wide_checked(wrong)
    with pytest.raises(covrules.FactError):
        BASE.evaluate_frame(wrong)


@pytest.mark.long
def test_the_benchmarks_of_frames_name_their_targets(capsys):
    frames.main(["--quick", "--rows", "500", "--without", "spark", "--without", "duckdb"])
    printed = capsys.readouterr().out
    assert [target for target in frames.TARGETS if target not in printed] == []

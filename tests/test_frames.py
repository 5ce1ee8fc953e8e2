"""Frames of every kind: the verdict on every row is the one on its case, and nothing wrong goes unsaid."""

import random

import pytest
from benchmarks.cases import case_data

import covrules
import generators
from covrules import Case, case_from_dict
from covrules.facts import FACTS
from covrules.library import shipped
from covrules.rule import STAGES
from dataframes import KINDS, Spark, differences, rows_of, said_of
from generators import DAY

BASE = covrules.load("medical-massage")


@pytest.fixture(scope="module")
def spark():
    session = Spark()
    yield session
    session.stop()


def some_cases(seed, count):
    rnd = random.Random(seed)
    cases = [case_from_dict(data) for data in case_data(count // 2, seed)]
    cases += [generators.case_for(rnd, BASE) for _ in range(count // 2 - 1)]
    return [*cases, Case()]


CASES = some_cases(5, 400)
ROWS = rows_of(CASES, FACTS)
SAID = said_of(BASE, CASES, "planned")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_says_what_evaluate_says(kind):
    make, back = KINDS[kind]
    result = BASE.evaluate_frame(make(ROWS), reasons=True)
    assert type(result) is type(make(ROWS))
    assert differences(back(result), SAID, ROWS.columns) == []


def test_spark_says_what_evaluate_says(spark):
    result = BASE.evaluate_frame(spark.frame(ROWS), reasons=True)
    assert differences(spark.back(result), SAID, ROWS.columns) == []


def generated(seed, count):
    rnd = random.Random(seed)
    ruleset = generators.ruleset(rnd)
    return ruleset, [generators.case_for(rnd, ruleset) for _ in range(count)], rnd.choice(STAGES)


def wrong_on_generated(kind, seeds, count=25):
    make, back = KINDS[kind]
    found = []
    for seed in seeds:
        ruleset, cases, stage = generated(seed, count)
        rows = rows_of(cases, ruleset.vocabulary, also=["visit.minutes"])
        result = back(ruleset.evaluate_frame(make(rows), stage=stage, reasons=True, as_of=DAY))
        found += [(seed, *each) for each in differences(result, said_of(ruleset, cases, stage, DAY), rows.columns)]
    return found


@pytest.mark.parametrize(("kind", "seeds"), [("polars", 120), ("duckdb", 20), ("pandas-classic", 20)])
def test_frames_say_what_evaluate_says_by_generated_rulesets(kind, seeds):
    assert wrong_on_generated(kind, range(seeds)) == []


@pytest.mark.parametrize("id", shipped())
def test_frames_say_what_evaluate_says_by_shipped_rulesets(id):
    ruleset = covrules.load(id)
    rnd = random.Random(id)
    cases = [generators.case_for(rnd, ruleset) for _ in range(60)]
    rows = rows_of(cases, ruleset.vocabulary)
    for stage in STAGES:
        said = said_of(ruleset, cases, stage, DAY)
        for kind in ("polars", "duckdb") if stage == "planned" else ("polars",):
            make, back = KINDS[kind]
            result = back(ruleset.evaluate_frame(make(rows), stage=stage, reasons=True, as_of=DAY))
            assert differences(result, said, rows.columns) == []

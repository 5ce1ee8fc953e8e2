"""Frames of every kind: the verdict on every row is the one on its case, and nothing wrong goes unsaid."""

import datetime as dt
import os
import random
import re
import shutil
from pathlib import Path

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from benchmarks.cases import case_data

import covrules
import generators
from covrules import Case, FactError, case_from_dict, case_from_row, kinds, populations
from covrules.facts import FACTS
from covrules.frames import polars_columns, polars_engine
from covrules.library import shipped
from covrules.rule import STAGES
from dataframes import KINDS, Spark, arrow_backed, differences, relation, rows_of, said_of
from generators import DAY
from test_comparing import FINE, SMALL, frame_of

BASE = covrules.load("medical-massage")


@pytest.fixture(scope="module")
def spark():
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none")
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


def test_sets_of_more_words_than_a_number_has_bits_are_lists(monkeypatch):
    many = kinds.SetOf(kinds.Enum((*kinds.BODY_SITES, *[f"site-{number}" for number in range(20)])))
    monkeypatch.setattr(generators, "OWN_KINDS", [many])
    assert any(fact.kind == many for seed in range(8) for fact in generated(seed, 1)[0].vocabulary.values())
    assert wrong_on_generated("duckdb", range(8)) == []


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


@pytest.mark.parametrize(("first", "few"), [(0, 0), (3, 2), (3, 16), (400, 2)])
def test_words_that_the_first_cells_do_not_have_are_read_too(monkeypatch, first, few):
    monkeypatch.setattr(polars_columns, "_FIRST", first)
    monkeypatch.setattr(polars_columns, "_FEW", few)
    assert differences(BASE.evaluate_frame(ROWS, reasons=True), SAID, ROWS.columns) == []
    rows, plans, cases = two_frames()
    result = BASE.evaluate_frame(rows, plans, reasons=True)
    assert differences(result, said_of(BASE, cases, "planned"), rows.columns) == []


@pytest.mark.parametrize("at", [0, 399])
def test_a_word_that_is_none_is_found_wherever_it_is(monkeypatch, at):
    monkeypatch.setattr(polars_columns, "_FIRST", 3)
    column = ["treatment"] * 400
    column[at] = "leisure"
    lists = [["back"]] * 400
    lists[at] = ["back", "beak"]
    with pytest.raises(FactError) as error:
        BASE.evaluate_frame(pl.DataFrame({"visit.purpose": column, "visit.body_sites": lists}))
    assert len(error.value.problems) == 2
    assert all(f"(row {at}, from 0)" in str(problem) for problem in error.value.problems)


# --- plans in a frame of their own ------------------------------------------------------------------------------

PLAN_COLUMNS = [name for name in ROWS.columns if name.startswith("plan.") and name != "plan.id"]


def two_frames(count=12):
    """Return rows and plans, and the cases that they are together; some rows have no plan, or one that is not there."""
    rnd = random.Random(3)
    plans = (
        ROWS.select(PLAN_COLUMNS).head(count).insert_column(0, pl.Series("plan.id", [f"P{n}" for n in range(count)]))
    )
    ids = [rnd.choice([*plans["plan.id"], "P99", None]) for _ in CASES]
    together = []
    for case, id in zip(CASES, ids, strict=True):
        data = case.to_dict()
        plan = CASES[int(id[1:])].to_dict().get("plan", {}) if id in set(plans["plan.id"]) else {}
        together.append(case_from_dict({**data, "plan": plan | ({"id": id} if id else {})}))
    rows = ROWS.drop([*PLAN_COLUMNS, "plan.id"], strict=False).with_columns(pl.Series("plan.id", ids))
    return rows, plans, together


@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_plans_come_from_a_frame_of_plans(kind):
    make, back = KINDS[kind]
    rows, plans, cases = two_frames()
    if kind == "duckdb":
        connection = duckdb.connect()
        frames = []
        for name, frame in (("rows", rows), ("plans", plans)):
            connection.register(f"{name}_there", frame.to_arrow())
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_there")
            frames.append(connection.table(name))
    else:
        frames = [make(rows), make(plans)]
    result = back(BASE.evaluate_frame(*frames, reasons=True))
    if kind == "duckdb":
        result = result.sort("coverage")
        assert (
            result["coverage"]
            .cast(pl.String)
            .value_counts(sort=True)
            .equals(pl.Series("coverage", said_of(BASE, cases, "planned")["coverage"]).value_counts(sort=True))
        )
    else:
        assert differences(result, said_of(BASE, cases, "planned"), rows.columns) == []


def test_plans_of_duckdb_are_joined_row_by_row():
    rows, plans, cases = two_frames()
    connection = duckdb.connect()
    connection.register("rows", rows.with_row_index("number").to_arrow())
    connection.register("plans", plans.to_arrow())
    result = BASE.evaluate_frame(connection.table("rows"), connection.table("plans"), reasons=True).pl().sort("number")
    assert differences(result, said_of(BASE, cases, "planned"), ["number", *rows.columns]) == []


def test_plans_of_spark_are_joined(spark):
    rows, plans, cases = two_frames()
    frame = spark.frame(rows.with_row_index("number").cast({"number": pl.Int64}))
    result = spark.back(BASE.evaluate_frame(frame, spark.frame(plans), reasons=True)).sort("number")
    assert differences(result, said_of(BASE, cases, "planned"), ["number", *rows.columns]) == []


A = {"plan.id": ["a"]}
TWICE = "plan.id: found no id, or one that another plan has too"


@pytest.mark.parametrize(
    ("rows", "plans", "told"),
    [
        (A, {"plan.id": ["a", "b", "a"]}, f"{TWICE} in 2 rows of plans (first 0, 2, from 0)"),
        (A, {"plan.id": ["a", None]}, TWICE),
        (A, {"plan.payer": ["a"]}, "plan.id: the plans have no such column"),
        ({"visit.minutes": [60]}, A, "plan.id: there is no such column, by which to find the plan of a row"),
        (
            A | {"plan.payer": ["b"]},
            A | {"plan.payer": ["b"]},
            "plan.payer: the frame has a column of it, and the plans",
        ),
        (A, A | {"visit.minutes": [60]}, "visit.minutes: the plans have a column of it, and it is no fact of a plan"),
        (
            A,
            A | {"plan.unit_minutes": [0]},
            "plan.unit_minutes: found a number that is too small in 1 row of plans (row 0",
        ),
    ],
)
def test_plans_that_cannot_be_used_are_refused(rows, plans, told):
    with pytest.raises(FactError) as refused:
        BASE.evaluate_frame(pl.DataFrame(rows), pl.DataFrame(plans))
    assert told in str(refused.value)


# --- what cannot be used ----------------------------------------------------------------------------------------


def test_columns_that_cannot_be_used_are_told_all_at_once():
    frame = pl.DataFrame({
        "plan.units_per_vist": [4], "vist.minutes": [60], "own.report": [1], "visit.minutes": ["60"],
        "plan.accepted_prescribers": ["MD"], "plan.referral_required": [1], "visit.date": [2026], "coverage": ["paid"],
        "clinic.name": ["x"], "patient": [17], "notes.of.mine": ["y"],
    })  # fmt: skip
    with pytest.raises(FactError) as refused:
        BASE.evaluate_frame(frame)
    told = {problem.path: str(problem) for problem in refused.value.problems}
    assert [*told] == [
        "plan.units_per_vist", "vist.minutes", "own.report", "visit.minutes", "plan.accepted_prescribers",
        "plan.referral_required", "visit.date", "coverage", "clinic.name",
    ]  # fmt: skip
    assert "did you mean plan.units_per_visit?" in told["plan.units_per_vist"]
    assert "did you mean visit.minutes?" in told["vist.minutes"]
    assert "found a column of text" in told["visit.minutes"]
    assert "expected a column of whole numbers, null where unknown" in told["visit.minutes"]
    assert "expected a column of lists of text" in told["plan.accepted_prescribers"]
    assert "there is a column of this name already" in told["coverage"]


WRONG = pl.DataFrame({
    "patient": range(6),
    "plan.unit_minutes": [15, 0, -1, None, 15, 2147483647],
    "plan.units_per_visit": [2147483647, 4, -7, None, 4, 2147483647],
    "prescription.prescriber": ["MD", "md", "Dr. Smith", None, "LMT", "MD"],
    "prescription.diagnosis": ["M54.50", "M5450", "back pain", None, "none", "M54.50"],
    "plan.accepted_prescribers": [["MD"], ["any", "MD"], ["MD", None], None, [], ["any"]],
    "plan.covered_diagnoses": [["M54"], ["m54"], ["any", "M"], None, [], ["any"]],
    "visit.date": [dt.date(2026, 1, 1), dt.date(9999, 12, 31), None, None, dt.date(2026, 1, 1), dt.date(2026, 1, 1)],
    "plan.coverage_end": [dt.date(9999, 12, 31)] * 6,
})  # fmt: skip
TOLD = [
    ("plan.unit_minutes: found a number that is too small in 1 row (row 1, from 0)", [1]),
    ("plan.unit_minutes: found a negative number in 1 row (row 2, from 0)", [2]),
    ("plan.unit_minutes: found a number that is too large in 1 row (row 5, from 0)", [5]),
    ("plan.units_per_visit: found a negative number in 1 row (row 2, from 0)", [2]),
    ("prescription.prescriber: found a word that is not among them in 2 rows (first 1, 2, from 0)", [1, 2]),
    ("prescription.diagnosis: found text that is not such a code in 2 rows (first 1, 2, from 0)", [1, 2]),
    ("plan.accepted_prescribers: found a list with a word that is not among them in 1 row (row 1, from 0)", [1]),
    ("plan.accepted_prescribers: found a list with nothing in 1 row (row 2, from 0)", [2]),
    ("plan.covered_diagnoses: found a list with text that is not such a code in 2 rows (first 1, 2, from 0)", [1, 2]),
    ("visit.date: found a date that stands for open or never in 1 row (row 1, from 0)", [1]),
]


def test_values_that_cannot_be_used_are_told_all_at_once_with_counts_and_first_rows():
    for make in (lambda rows: rows, pl.DataFrame.to_arrow, arrow_backed):
        with pytest.raises(FactError) as refused:
            BASE.evaluate_frame(make(WRONG))
        told = str(refused.value)
        assert sorted(f"{p.path}: {p.message}" for p in refused.value.problems) == sorted(text for text, _ in TOLD)
        assert "Smith" not in told
        assert "M5450" not in told


@pytest.mark.parametrize("kind", ["polars", "polars-lazy", "pandas-arrow", "pyarrow", "duckdb"])
def test_rows_that_cannot_be_used_are_set_aside(kind):
    make, back = KINDS[kind]
    result = back(BASE.evaluate_frame(make(WRONG), errors="collect", reasons=True))
    assert result["patient"].to_list() == [*range(6)]
    expected = {row: sorted(text.partition(" in ")[0] for text, rows in TOLD if row in rows) for row in range(6)}
    told = result["problems"].to_list()
    assert [None if each is None else sorted({text.partition("\n")[0] for text in each}) for each in told] == [
        expected[row] or None for row in range(6)
    ]
    added = result.columns[len(WRONG.columns) : -1]
    aside = [all(result[name][row] is None for name in added) for row in range(6)]
    assert aside == [bool(expected[row]) for row in range(6)]
    good = BASE.evaluate_frame(WRONG[[0, 3, 4]], reasons=True)
    for name in added:
        assert result[name].cast(good[name].dtype)[[0, 3, 4]].to_list() == good[name].to_list(), name


def test_duckdb_refuses_when_it_is_asked():
    result = BASE.evaluate_frame(relation(WRONG))
    with pytest.raises(duckdb.Error, match='errors="collect" sets such rows aside'):
        result.fetchall()


UNITS = ("plan.unit_minutes", "visit.minutes")


@pytest.mark.parametrize(
    ("path", "wrong"), [("plan.timely_filing_days", -1), ("plan.unit_minutes", -1), ("visit.minutes", 2**63 - 1)]
)
@pytest.mark.parametrize("kept", ["coverage", "finding.benefit-exists"])
def test_spark_and_duckdb_check_facts_that_do_not_matter_for_what_is_kept(spark, path, wrong, kept):
    rows = pl.DataFrame({path: [1, wrong], "plan.massage_benefit": ["covered", "covered"]})
    rows = rows.with_columns(pl.lit(15).alias(each) for each in UNITS if each != path)
    with pytest.raises(duckdb.Error, match=path):
        BASE.evaluate_frame(relation(rows), reasons=True).project(f'"{kept}"').fetchall()
    with pytest.raises(Exception, match=path):
        BASE.evaluate_frame(spark.frame(rows), reasons=True).select(f"`{kept}`").collect()


def test_spark_checks_plans_that_do_not_matter_for_what_is_kept(spark):
    visits = pl.DataFrame({"plan.id": ["P1"], "visit.minutes": [60]})
    plans = pl.DataFrame({"plan.id": ["P1"], "plan.massage_benefit": ["covered"], "plan.timely_filing_days": [-1]})
    result = BASE.evaluate_frame(spark.frame(visits), spark.frame(plans))
    with pytest.raises(Exception, match=r"plan\.timely_filing_days"):
        result.select("`finding.benefit-exists`").collect()


def test_spark_refuses_when_it_is_asked_and_sets_aside(spark):
    frame = spark.frame(WRONG)
    with pytest.raises(Exception, match='errors="collect" sets such rows aside'):
        BASE.evaluate_frame(frame).collect()
    result = spark.back(BASE.evaluate_frame(frame, errors="collect"))
    aside = sorted({row for _, rows in TOLD for row in rows})
    assert result.filter(pl.col("problems").is_not_null())["patient"].to_list() == aside
    assert result.filter(pl.col("coverage").is_null())["patient"].to_list() == aside


@pytest.mark.parametrize(
    ("rows", "threads", "pieces"),
    [(0, 2, 1), (1, 2, 1), (200_000, 2, 1), (300_000, 2, 2), (300_000, 1, 2), (1_000_000, 2, 4), (1_000_000, 8, 7)],
)
def test_threads_have_pieces_of_the_same_length(rows, threads, pieces):
    length = polars_engine._length_of_pieces(rows, threads)
    assert len(range(0, rows, length) or [0]) == pieces
    assert length <= polars_engine._AT_ONCE
    assert pieces * length - rows < max(2, pieces)


def test_the_rows_of_a_long_frame_are_told_by_their_places_in_it():
    rows = pl.DataFrame({"visit.minutes": [60] * 300_000}).with_columns(
        pl.when(pl.int_range(pl.len()).is_in([140_000, 299_999]))
        .then(-1)
        .otherwise("visit.minutes")
        .alias("visit.minutes")
    )
    with pytest.raises(FactError, match=r"a negative number in 2 rows \(first 140000, 299999, from 0\)"):
        BASE.evaluate_frame(rows)
    with pytest.raises(FactError, match=r"a negative number in \d rows? or more \((row|first) (140000|299999)"):
        BASE.evaluate_frame(rows.lazy()).collect()


def test_decimal_numbers_that_are_whole_are_numbers_and_nan_is_unknown():
    rows = {"visit.minutes": [60.0, float("nan"), None], "plan.unit_minutes": [15.0, 15.0, 15.0]}
    for frame in (pl.DataFrame(rows), pl.DataFrame(rows).to_arrow(), pd.DataFrame(rows)):
        statuses = nw.from_native(BASE.evaluate_frame(frame))["finding.billable-time"].cast(nw.String).to_list()
        assert statuses == ["met", "unknown", "unknown"]
    statuses = BASE.evaluate_frame(relation(pl.DataFrame(rows))).pl()["finding.billable-time"].cast(pl.String).to_list()
    assert statuses == ["met", "unknown", "unknown"]
    with pytest.raises(FactError, match=r"found a decimal number in 1 row \(row 1, from 0\)"):
        BASE.evaluate_frame(pl.DataFrame({"visit.minutes": [60.0, 7.5]}))


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match="evaluate_frame takes a dataframe and got a list"):
        BASE.evaluate_frame([1])
    with pytest.raises(ValueError, match="there is no stage 'plan'"):
        BASE.evaluate_frame(ROWS, stage="plan")
    with pytest.raises(ValueError, match="there is no way with errors 'colect': did you mean collect"):
        BASE.evaluate_frame(ROWS, errors="colect")
    with pytest.raises(TypeError, match="the plans must be a frame of duckdb"):
        BASE.evaluate_frame(relation(pl.DataFrame({"plan.id": ["a"]})), pl.DataFrame({"plan.id": ["a"]}))


# --- a row as a case --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["polars", "pandas-classic", "pandas-nullable", "pandas-arrow"])
def test_a_row_of_a_frame_is_the_case_it_came_from(kind):
    frame = KINDS[kind][0](ROWS)
    decided = BASE.evaluate_frame(frame)
    for number, case in enumerate(CASES[:60]):
        row = decided.row(number, named=True) if kind == "polars" else decided.iloc[number]
        given = {
            path: case.get(path) for path, fact in FACTS.items() if fact.derived_from and case.get(path) is not None
        }
        if not given:
            assert case_from_row(row) == case


def test_a_row_that_cannot_be_a_case_is_refused_without_its_values():
    with pytest.raises(FactError) as refused:
        case_from_row({"visit.minutes": 7.5, "prescription.prescriber": "Dr. Smith", "notes": "x"})
    assert [problem.path for problem in refused.value.problems] == ["prescription.prescriber", "visit.minutes"]
    assert "Smith" not in str(refused.value)


# --- Spark, and long runs ---------------------------------------------------------------------------------------


def test_spark_runs_no_python_on_rows_and_nothing_before_it_is_asked(spark):
    frame, plans = spark.frame(ROWS.head(5).drop(PLAN_COLUMNS)), spark.frame(two_frames()[1])
    jobs = spark.session.sparkContext.statusTracker()
    before = len(jobs.getJobIdsForGroup())
    result = BASE.evaluate_frame(frame.withColumn("plan.id", sql_text("P1")), plans, reasons=True, errors="collect")
    assert len(jobs.getJobIdsForGroup()) == before
    plan = result._jdf.queryExecution().executedPlan().toString()
    assert "Project" in plan
    assert not [word for word in ("Python", "Arrow", "Pandas", "MapIn", "UDF") if word in plan]


def test_spark_makes_no_step_one_long_method_whatever_is_kept(spark):
    frame = spark.frame(ROWS)
    for errors in ("raise", "collect"):
        result = BASE.evaluate_frame(frame, errors=errors)
        findings = [f"`{name}`" for name in result.columns if name.startswith("finding.")]
        for kept in (["coverage"], ["units_covered"], findings, ["coverage", "units_covered", *findings], ["*"]):
            plan = result.select(*kept)._jdf.queryExecution().executedPlan().toString()
            assert "Project" in plan
            assert not re.findall(r"\*\(\d+\) Project", plan), (errors, kept)


def sql_text(text):
    from pyspark.sql.functions import lit

    return lit(text)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id", shipped())
def test_100_000_rows_say_what_evaluate_says(kind, id):
    ruleset = covrules.load(id)
    rnd = random.Random(f"long {id}")
    cases = [generators.case_for(rnd, ruleset) for _ in range(100_000 // len(shipped()))]
    rows = rows_of(cases, ruleset.vocabulary, also=[path for path, fact in FACTS.items() if not fact.derived_from])
    make, back = KINDS[kind]
    for stage in STAGES:
        result = back(ruleset.evaluate_frame(make(rows), stage=stage, reasons=True, as_of=DAY))
        assert differences(result, said_of(ruleset, cases, stage, DAY), rows.columns) == []


@pytest.mark.long
def test_100_000_rows_of_spark_say_what_evaluate_says(spark):
    rnd = random.Random("spark")
    for id in shipped():
        ruleset = covrules.load(id)
        cases = [generators.case_for(rnd, ruleset) for _ in range(100_000 // len(shipped()))]
        rows = rows_of(cases, ruleset.vocabulary)
        result = spark.back(ruleset.evaluate_frame(spark.frame(rows), reasons=True, as_of=DAY))
        assert differences(result, said_of(ruleset, cases, "planned", DAY), rows.columns) == []


@pytest.mark.parametrize("kind", ["polars", "pandas-classic", "pandas-nullable", "pyarrow"])
def test_a_frame_in_which_nothing_is_known_says_what_an_empty_case_does(kind):
    rows = rows_of([Case(), Case()], FACTS, also=[path for path, fact in FACTS.items() if not fact.derived_from])
    make, back = KINDS[kind]
    assert (
        differences(
            back(BASE.evaluate_frame(make(rows), reasons=True)), said_of(BASE, [Case()] * 2, "planned"), rows.columns
        )
        == []
    )


def test_a_frame_without_rows_or_without_facts_is_decided_too():
    assert BASE.evaluate_frame(ROWS.clear()).height == 0
    assert BASE.evaluate_frame(pl.DataFrame({"patient": [1, 2]}))["coverage"].to_list() == ["undetermined"] * 2
    assert BASE.evaluate_frame(pd.DataFrame({"patient": [1]}))["coverage"].tolist() == ["undetermined"]


@pytest.mark.parametrize("collect", [False, True])
def test_verdicts_in_pandas_can_be_written_over(collect):
    errors = "collect" if collect else "raise"
    decided = BASE.evaluate_frame(pd.DataFrame({"visit.minutes": [60, -1 if collect else 30]}), errors=errors)
    decided.loc[0, ["coverage", "units_requested", "finding.billable-time"]] = ["partial", 3, "met"]
    assert decided.loc[0, ["coverage", "units_requested", "finding.billable-time"]].tolist() == ["partial", 3, "met"]
    assert decided["coverage"].isna().tolist() == [False, collect]


def test_rulesets_are_compared_and_swept_on_spark_too(spark):
    what_if = SMALL.vary({"plan.units_per_visit": 3, "rules.purpose": None})
    visits = frame_of([FINE, FINE | {"visit.purpose": "wellness"}]).with_columns(pl.Series("plan.id", ["a", "b"]))
    plans = pl.DataFrame({"plan.id": ["a", "b"], "plan.payer": ["One", None]})
    frames = spark.frame(visits.drop("plan.units_per_visit")), spark.frame(plans)
    expected = covrules.compare(SMALL, what_if, visits.drop("plan.units_per_visit"), plans, by=["plan.payer"])
    assert expected.total_changed == 2
    compared = covrules.compare(SMALL, what_if, *frames, by=["plan.payer"])
    assert compared.flows == expected.flows
    changed = spark.back(compared.changed)
    assert changed.columns == expected.changed.columns
    assert changed.sort("plan.id").to_dicts() == expected.changed.sort("plan.id").to_dicts()
    grid = {"plan.units_per_visit": [2, "unlimited"]}
    swept = covrules.sweep(SMALL, grid, spark.frame(visits), frames[1])
    assert swept.points == covrules.sweep(SMALL, grid, visits, plans).points


def test_the_block_for_a_cluster_in_the_documentation_runs(spark, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "a-million-rows.md").read_text("utf-8")
    code = page.split("```{code-block} python\n")[1].split("```")[0]
    population = populations.generate(visits=50, plans=3, seed=1)
    population.visits.write_parquet(tmp_path / "visits")
    population.plans.write_parquet(tmp_path / "plans")
    monkeypatch.chdir(tmp_path)
    exec(code.replace('parquet("', f'parquet("{tmp_path}/'), {})
    assert pl.read_parquet(tmp_path / "decided" / "*.parquet").height == 50

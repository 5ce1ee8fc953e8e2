"""Times covrules on frames against the same decisions written by hand in Polars: `python -m benchmarks.frames`.

Every figure of a run comes from that run. What is timed begins with lists, codes and dates in columns and ends with
coverage, units and every status; engines of SQL end with these alone, the others have them beside their own columns.
A candidate is paired with its yardstick in every round, the yardstick first; printed are the median of the rounds'
ratios and their quartiles. The clock is the one on the wall, as several threads are at work: what else the machine
does disturbs it. Nothing is timed before all that decide agree on a sample.
"""

import argparse
import gc
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from unittest.mock import patch

import attrs
import polars as pl
from rich.console import Console
from rich.progress import Progress

import covrules
from benchmarks import polars_by_hand
from benchmarks.__main__ import RULESET, STAGE, Disagreement, Table, Turns, _held, _ratio, _turns
from covrules import populations
from covrules.frames.polars_engine import _WORTH_A_THREAD
from covrules.frames.polars_rows import Rows
from covrules.frames.program import added_columns
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

PLANS: Final = 200
SEED: Final = 1
SAMPLE: Final = 20_000
"""How many rows all that decide must agree on."""
UNKNOWN: Final = 0.05
"""The share of facts that is unknown in the sample."""
PARTS: Final = 8
"""How many files of the same length Spark reads."""
KEY: Final = "visit"
"""The column with the number of each visit, by which results are put in order."""
PACKAGES: Final = {"pandas": "pandas", "duckdb": "duckdb", "spark": "pyspark"}
"""Kinds of frames that can be left out, and what each needs."""

Shape = Literal["wide", "with plans"]
"""Whether the facts of plans stand beside each visit or in a frame of their own."""
SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)

POLARS, ARROW_BACKED, DUCKDB, SPARK = "Polars", "pandas, Arrow-backed", "DuckDB", "Spark"
Bound = Literal["at least", "at most"]
TARGETS: Final[Mapping[str, tuple[Bound, float]]] = {
    "speed of Polars to by hand, wide": ("at least", 1.0),
    "speed of Polars to by hand, with plans": ("at least", 1.0),
    "speed with plans to wide, Polars": ("at least", 2.5),
    "speed of DuckDB to Polars, wide": ("at least", 0.5),
    "speed of Spark to DuckDB, wide": ("at least", 0.3),
    "speed of labels to integers of 8 bits": ("at least", 0.6),
    "time of pandas, Arrow-backed, to Polars, wide": ("at most", 1.5),
}
"""What figures are held to."""


# --- what is decided, and by what -------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Data:
    """Visits with a number each, in both shapes."""

    wide: pl.DataFrame
    visits: pl.DataFrame
    plans: pl.DataFrame

    @classmethod
    def made_up(cls, rows: int, unknown: float = 0.0) -> "Data":
        """Return so many visits."""
        population = populations.generate(rows, PLANS, SEED, unknown=unknown)
        return cls(_numbered(population.wide()), _numbered(population.visits), population.plans)

    def frames(self, shape: Shape) -> list[pl.DataFrame]:
        """Return the visits, and the plans if they are in a frame of their own."""
        return [self.wide] if shape == "wide" else [self.visits, self.plans]


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_row_index(KEY).cast({KEY: pl.Int64})


@attrs.frozen(eq=False)
class Ready:
    """Something that can decide certain frames.

    `begin` does what is not timed and returns what is, `result` decides and returns the verdicts in Polars; `plan`, of
    an engine that plans before it runs, plans and returns the seconds that took.
    """

    begin: Callable[[], Callable[[], object]]
    result: Callable[[], pl.DataFrame]
    plan: Callable[[], float] | None = None

    def seconds(self) -> float:
        """Decide, and return the seconds it took."""
        decide = self.begin()
        gc.collect()
        began = time.perf_counter()
        result = decide()
        spent = time.perf_counter() - began
        # What the result holds is given back after the clock has stopped.
        del result
        return spent


@attrs.frozen
class Candidate:
    """A way to decide visits, in the shapes in which it is timed; it is made ready for frames given in Polars."""

    what: str
    ready: Callable[[list[pl.DataFrame]], AbstractContextManager[Ready]]
    shapes: tuple[Shape, ...] = ("wide",)


_BY_HAND: Final[Mapping[tuple[int, bool], Callable[..., pl.DataFrame]]] = {
    (1, False): polars_by_hand.decide_wide,
    (2, False): polars_by_hand.decide_with_plans,
    (1, True): polars_by_hand.decide_wide_checked,
    (2, True): polars_by_hand.decide_with_plans_checked,
}
"""What decides so many frames, and whether it checks their values."""


@contextmanager
def by_hand(frames: list[pl.DataFrame], checked: bool = False) -> Iterator[Ready]:
    """Give the yardstick, which takes values to be right, or has them `checked` as covrules does."""
    function = _BY_HAND[len(frames), checked]
    decide = partial(function, *frames)
    yield Ready(lambda: decide, lambda: frames[0].select(KEY).hstack(decide()))


def candidates(ruleset: Ruleset, left_out: Collection[str], sessions: ExitStack) -> list[Candidate]:
    """Return covrules on every kind of frame that is not left out; what is to be ended at last goes to `sessions`."""
    found = [
        Candidate("by hand in Polars, values checked", partial(by_hand, checked=True), SHAPES),
        Candidate(POLARS, partial(in_memory, ruleset), SHAPES),
        Candidate("Polars, lazy", partial(in_memory, ruleset, made=pl.DataFrame.lazy, done=pl.LazyFrame.collect)),
        Candidate("PyArrow", partial(in_memory, ruleset, made=pl.DataFrame.to_arrow, back=_of_arrow)),
    ]
    if "pandas" not in left_out:
        found += [
            Candidate(ARROW_BACKED, partial(in_memory, ruleset, made=_arrow_backed, back=_of_pandas)),
            Candidate("pandas, nullable", partial(in_memory, ruleset, made=_nullable, back=_of_pandas)),
        ]
    if "duckdb" not in left_out:
        found.append(Candidate(DUCKDB, partial(in_duckdb, ruleset), SHAPES))
    if "spark" not in left_out:
        session = sessions.enter_context(spark_session())
        found.append(Candidate(SPARK, partial(in_spark, ruleset, session), SHAPES))
    return found


def lacking(kind: str) -> str | None:
    """Return what a kind of frame needs and is not here, if anything is not."""
    if importlib.util.find_spec(PACKAGES[kind]) is None:
        return PACKAGES[kind]
    return "Java" if kind == "spark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")) else None


def verdict_columns(ruleset: Ruleset) -> list[str]:
    """Return the number of the visit and the columns that are added to it."""
    return [KEY, *added_columns(ruleset, reasons=False, collect=False)]


# --- frames in memory -------------------------------------------------------------------------------------------


def _same(frame: Any) -> Any:
    return frame


@contextmanager
def in_memory(
    ruleset: Ruleset,
    frames: list[pl.DataFrame],
    made: Callable[[pl.DataFrame], Any] = _same,
    done: Callable[[Any], Any] = _same,
    back: Callable[[Any], pl.DataFrame] = _same,
) -> Iterator[Ready]:
    """Give covrules on frames made of those in Polars; when a result is `done` it can be brought `back` to Polars."""
    given = [made(frame) for frame in frames]

    def decide() -> Any:
        return done(ruleset.evaluate_frame(*given))

    yield Ready(lambda: decide, lambda: back(decide()))


def _of_arrow(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _arrow_backed(frame: pl.DataFrame) -> Any:
    return frame.to_pandas(use_pyarrow_extension_array=True)


def _nullable(frame: pl.DataFrame) -> Any:
    """Return a frame of pandas' own types that know nulls, and lists of Python."""
    import pandas as pd
    import pyarrow as pa

    types = {
        pa.bool_(): pd.BooleanDtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.large_string(): pd.StringDtype(),
    }
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    others = frame.drop(lists).to_arrow(compat_level=pl.CompatLevel.oldest())
    typed = others.to_pandas(types_mapper=types.get, date_as_object=False)
    return typed.join(pd.DataFrame({name: pd.Series(frame[name].to_list(), dtype=object) for name in lists}))


def _of_pandas(frame: Any) -> pl.DataFrame:
    import pyarrow as pa

    # Lists of Python are left behind: they take long, and are no part of the verdict.
    plain = [name for name in frame.columns if not name.endswith(("_sites", "_diagnoses", "mandates"))]
    return _of_arrow(pa.Table.from_pandas(frame[plain], preserve_index=False))


# --- DuckDB and Spark -------------------------------------------------------------------------------------------


@contextmanager
def in_duckdb(ruleset: Ruleset, frames: list[pl.DataFrame]) -> Iterator[Ready]:
    """Give covrules on tables of DuckDB."""
    import duckdb

    names = ("visits", "plans")[: len(frames)]
    with duckdb.connect() as connection:
        for name, frame in zip(names, frames, strict=True):
            connection.from_arrow(frame.to_arrow()).create(name)
        decide = partial(decide_tables, ruleset, connection, names)
        yield Ready(lambda: decide, lambda: decide().pl())


def decide_tables(ruleset: Ruleset, connection: "DuckDBPyConnection", names: Sequence[str]) -> "DuckDBPyRelation":
    """Decide what tables of DuckDB have, into a temporary table."""
    columns = ", ".join(f'"{name}"' for name in verdict_columns(ruleset))
    result = ruleset.evaluate_frame(*map(connection.table, names))
    result.query("result", f"CREATE OR REPLACE TEMPORARY TABLE decided AS SELECT {columns} FROM result")
    return connection.table("decided")


@contextmanager
def spark_session() -> Iterator[Any]:
    """Give a session of Spark on two cores of this machine."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        # As the documentation advises where Spark is slow.
        "spark.sql.codegen.wholeStage": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    with _silence():
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what a process started here writes to standard error to itself, for as long as it lives."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def in_spark(ruleset: Ruleset, session: Any, frames: list[pl.DataFrame]) -> Iterator[Ready]:
    """Give covrules on frames of Spark, read from Parquet files and run into a sink that keeps nothing."""
    with TemporaryDirectory() as folder:
        given = []
        for number, frame in enumerate(frames):
            path = Path(folder) / str(number)
            path.mkdir()
            # In one file the pieces that cores take are of different lengths, so that some have nothing left to do.
            for part, rows in enumerate(frame.iter_slices(-(-len(frame) // PARTS))):
                rows.write_parquet(path / f"{part}.parquet")
            given.append(session.read.parquet(str(path)))
        columns = [f"`{name}`" for name in verdict_columns(ruleset)]

        def asked() -> Any:
            return ruleset.evaluate_frame(*given).select(*columns)

        def begin() -> Callable[[], object]:
            return asked().write.format("noop").mode("overwrite").save  # type: ignore[no-any-return]

        def plan() -> float:
            began = time.perf_counter()
            asked()._jdf.queryExecution().executedPlan()
            return time.perf_counter() - began

        yield Ready(begin, lambda: _of_arrow(asked().toArrow()), plan)


# --- agreement --------------------------------------------------------------------------------------------------


def check_agreement(ruleset: Ruleset, all_: Sequence[Candidate], data: Data) -> None:
    """Raise Disagreement unless every candidate says in every shape what is written by hand says of visits wide."""
    with by_hand(data.frames("wide")) as yardstick:
        expected = _said(ruleset, yardstick)
    for candidate in (Candidate("by hand", by_hand, ("with plans",)), *all_):
        for shape in candidate.shapes:
            with candidate.ready(data.frames(shape)) as ready:
                said = _said(ruleset, ready)
            differing = [name for name in expected.columns if not expected[name].equals(said[name])]
            if differing:
                raise Disagreement(f"by hand and {candidate.what}, {shape}, differ in: {', '.join(differing)}")


def _said(ruleset: Ruleset, ready: Ready) -> pl.DataFrame:
    """Return the verdicts in the order of the visits, statuses as text and units as numbers of 64 bits."""
    said = ready.result().select(verdict_columns(ruleset)).sort(KEY)
    return said.select(pl.all().exclude(KEY, "^units_.*$").cast(pl.String), pl.col("^units_.*$").cast(pl.Int64))


# --- speed ------------------------------------------------------------------------------------------------------


@attrs.frozen
class Timed:
    """The seconds of a yardstick and of a candidate in every round, and those an engine plans, if it does."""

    pairs: Sequence[tuple[float, float]]
    planning: Sequence[float] = ()

    @property
    def seconds(self) -> float:
        """What the candidate takes."""
        return statistics.median(other for _, other in self.pairs)

    @property
    def speed(self) -> float:
        """How fast the candidate is, where the yardstick's speed is 1."""
        return statistics.median(one / other for one, other in self.pairs)

    def cells(self, rows: int) -> tuple[str, str, str]:
        """Return rows in a second, the speed and its quartiles."""
        return (_per_second(rows, self.seconds), *_ratio([one / other for one, other in self.pairs]))


def _per_second(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}"


def paired(yardstick: Ready, candidate: Ready, rounds: int, turns: Turns, what: str) -> Timed:
    """Return the seconds of both, round by round, after one round that does not count."""
    for each in (yardstick, candidate):
        each.seconds()
    pairs = [(yardstick.seconds(), candidate.seconds()) for _ in turns(what, rounds)]
    return Timed(pairs, [candidate.plan() for _ in range(rounds)] if candidate.plan else ())


def time_candidates(all_: Sequence[Candidate], data: Data, shape: Shape, rounds: int, turns: Turns) -> dict[str, Timed]:
    """Return how long each candidate takes for visits in a shape beside what is written by hand."""
    timed = {}
    with by_hand(data.frames(shape)) as yardstick:
        for candidate in all_:
            if shape in candidate.shapes:
                with candidate.ready(data.frames(shape)) as ready:
                    timed[candidate.what] = paired(yardstick, ready, rounds, turns, f"{candidate.what}, {shape}")
    return timed


def table_of_speeds(timed: Mapping[str, Timed], shape: Shape, rows: int) -> Table:
    """Return the table of one shape."""
    hand = statistics.median(one for each in timed.values() for one, _ in each.pairs)
    lines = [("by hand in Polars", _per_second(rows, hand), f"{1:#.3g}", "-")]
    lines += [(what, *each.cells(rows)) for what, each in timed.items()]
    return Table((f"{rows:,} visits, {shape}", "rows/s", "speed", "quartiles"), lines)


def table_of_planning(timed: Mapping[Shape, Mapping[str, Timed]]) -> Table:
    """Return how long engines plan before they run, which is not in their speed."""
    lines = [
        (f"{what}, {shape}", f"{statistics.median(each.planning):.2f}")
        for shape, of_shape in timed.items()
        for what, each in of_shape.items()
        if each.planning
    ]
    return Table(("planned before it runs, not counted above", "s"), lines or [("nothing", "-")])


def time_plans(ruleset: Ruleset, data: Data, rounds: int, turns: Turns) -> Timed:
    """Return how long covrules takes for visits with plans beside the same visits wide, in Polars."""
    with (
        in_memory(ruleset, data.frames("wide")) as wide,
        in_memory(ruleset, data.frames("with plans")) as with_plans,
    ):
        return paired(wide, with_plans, rounds, turns, "with plans against wide")


def time_sizes(ruleset: Ruleset, data: Data, rounds: int, turns: Turns) -> Table:
    """Return how fast covrules is on fewer rows."""
    rows = len(data.wide)
    lines = []
    for count in sorted({max(1, rows // 100), max(1, rows // 10), rows}):
        few = [data.wide.head(count)]
        with by_hand(few) as yardstick, in_memory(ruleset, few) as ready:
            timed = paired(yardstick, ready, rounds, turns, f"{count:,} rows")
        hand = statistics.median(one for one, _ in timed.pairs)
        lines.append((f"{count:,}", *timed.cells(count), _per_second(count, hand)))
    return Table(("rows in Polars, wide", "rows/s", "speed", "quartiles", "rows/s by hand"), lines)


def time_labels(ruleset: Ruleset, data: Data, rounds: int, turns: Turns) -> tuple[Table, Timed]:
    """Return what statuses as labels are beside the same as integers and as text, and the times of the integers.

    There is no way to be given integers alone, so they are made of the labels.
    """
    labels = pl.col("coverage", "^finding\\..*$")
    frames = data.frames("wide")
    result = ruleset.evaluate_frame(*frames).select(labels)
    lines = [("labels, as they are", _megabytes(result.estimated_size()), f"{1:#.3g}", "-")]
    timed = {}
    for what, other in (("integers of 8 bits", labels.to_physical().cast(pl.Int8)), ("text", labels.cast(pl.String))):
        done = partial(_with_columns, other)
        with in_memory(ruleset, frames, done=done) as others, in_memory(ruleset, frames) as ready:
            timed[what] = paired(others, ready, rounds, turns, what)
        speed, quartiles = _ratio([labelled / made for made, labelled in timed[what].pairs])
        lines.append((what, _megabytes(result.select(other).estimated_size()), speed, quartiles))
    return Table(("coverage and statuses as", "MB", "speed", "quartiles"), lines), timed["integers of 8 bits"]


def _with_columns(columns: pl.Expr, result: pl.DataFrame) -> pl.DataFrame:
    return result.with_columns(columns)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}"


def time_parts(ruleset: Ruleset, data: Data, rounds: int, turns: Turns) -> Table:
    """Return what share of the CPU seconds goes into which part of deciding as many rows as one thread decides.

    A compiled kernel would take the place of the last part alone.
    """
    lines = []
    for shape in SHAPES:
        visits, *plans = data.frames(shape)
        frames = [visits.head(_WORTH_A_THREAD), *plans]
        ruleset.evaluate_frame(*frames)
        shares = [_shares(ruleset, frames) for _ in turns(f"parts, {shape}", rounds)]
        lines.append((shape, *(f"{statistics.median(part):.0%}" for part in zip(*shares, strict=True))))
    rows = f"{min(_WORTH_A_THREAD, len(data.wide)):,}"
    return Table((f"of the CPU time for {rows} rows", "reading columns", "looking into sets", "the rest"), lines)


def _shares(ruleset: Ruleset, frames: Sequence[pl.DataFrame]) -> tuple[float, float, float]:
    spent = {"read": 0.0, "test": 0.0}

    def clocked(name: str) -> Callable[..., Any]:
        function = getattr(Rows, name)

        def call(*arguments: Any) -> Any:
            began = time.process_time()
            result = function(*arguments)
            spent[name] += time.process_time() - began
            return result

        return call

    with patch.multiple(Rows, read=clocked("read"), test=clocked("test")):
        began = time.process_time()
        ruleset.evaluate_frame(*frames)
        whole = time.process_time() - began
    read, test = spent["read"] / whole, spent["test"] / whole
    return read, test, 1 - read - test


# --- memory -----------------------------------------------------------------------------------------------------


def _polars_by_hand(folder: Path) -> Callable[[], object]:
    wide = pl.read_parquet(folder / "wide.parquet")
    return partial(polars_by_hand.decide_wide, wide)


def _polars(folder: Path) -> Callable[[], object]:
    wide = pl.read_parquet(folder / "wide.parquet")
    return partial(covrules.load(RULESET).evaluate_frame, wide)


def _polars_with_plans(folder: Path) -> Callable[[], object]:
    visits, plans = (pl.read_parquet(folder / name) for name in ("visits.parquet", "plans.parquet"))
    return partial(covrules.load(RULESET).evaluate_frame, visits, plans)


def _duckdb(folder: Path) -> Callable[[], object]:
    import duckdb

    connection = duckdb.connect()
    connection.read_parquet(str(folder / "wide.parquet")).create("visits")
    return partial(decide_tables, covrules.load(RULESET), connection, ["visits"])


def _streamed(times: int, folder: Path) -> Callable[[], object]:
    wide = pl.scan_parquet([folder / "wide.parquet"] * times)
    return partial(wide.pipe(covrules.load(RULESET).evaluate_frame).sink_parquet, folder / "streamed.parquet")


def _batch(folder: Path) -> Callable[[], object]:
    from covrules.batch import run

    return partial(run, folder / "wide.parquet", covrules.load(RULESET), folder / "batch.parquet")


_IN_PROCESSES: Final[Mapping[str, tuple[str, int, Callable[[Path], Callable[[], object]]]]] = {
    "by hand in Polars, wide": ("wide", 1, _polars_by_hand),
    "Polars, wide": ("wide", 1, _polars),
    "Polars, with plans": ("visits", 1, _polars_with_plans),
    "DuckDB, wide": ("wide", 1, _duckdb),
    "Polars, Parquet to Parquet": ("wide", 1, partial(_streamed, 1)),
    "Polars, Parquet ten times to Parquet": ("wide", 10, partial(_streamed, 10)),
    "covrules batch, Parquet to Parquet": ("wide", 1, _batch),
}
"""What a process of its own is given: on which visits, how often, and what reads them and returns what decides."""


def write_visits(rows: int, folder: str) -> None:
    """Write made-up visits to files, and print the bytes each takes in memory."""
    data = Data.made_up(rows)
    for name in ("wide", "visits", "plans"):
        frame: pl.DataFrame = getattr(data, name)
        frame.write_parquet(Path(folder) / f"{name}.parquet")
        print(frame.estimated_size())


def measure(what: str, folder: str) -> None:
    """Decide visits from files; print the seconds, and the peaks of memory after reading and after deciding."""
    _, _, ready = _IN_PROCESSES[what]
    decide = ready(Path(folder))
    read, began = _peak(), time.perf_counter()
    decide()
    print(time.perf_counter() - began, read, _peak(), sep="\n")


def _peak() -> int:
    """Return the most bytes this process has had so far."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _apart(call: str, *arguments: object) -> list[float]:
    """Call a function of this module in a new process, and return the numbers it prints."""
    code = f"from benchmarks.frames import {call}; {call}{arguments!r}"
    path = os.pathsep.join([str(Path(covrules.__file__).parents[1]), str(Path(__file__).parents[1])])
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(line) for line in said.stdout.split()]


def measure_memory(rows: int, full: bool, left_out: Collection[str], turns: Turns) -> Table:
    """Return the most memory that processes take, which do nothing but read visits and decide them once.

    The peak of a process counts from the one that starts it, so this comes before anything large is made.
    """
    lines = []
    with TemporaryDirectory() as folder:
        wide, visits, _ = _apart("write_visits", rows, folder)
        sizes = {"wide": wide, "visits": visits}
        chosen = [
            what
            for what, (_, times, _) in _IN_PROCESSES.items()
            if (times == 1 or full) and not ("duckdb" in left_out and "DuckDB" in what)
        ]
        for _, what in zip(turns("memory", len(chosen)), chosen, strict=False):
            of, times, _ = _IN_PROCESSES[what]
            seconds, read, most = _apart("measure", what, folder)
            file = (Path(folder) / f"{of}.parquet").stat().st_size
            lines.append((
                what,
                f"{rows * times:,}",
                *(_megabytes(size) for size in (sizes[of] * times, file * times, read, most)),
                _per_second(rows * times, seconds),
            ))  # fmt: skip
    return Table(
        ("in a process of its own", "rows", "MB in memory", "MB in files", "peak MB, read", "decided", "rows/s, once"),
        lines,
    )


# --- all of it --------------------------------------------------------------------------------------------------


def table_of_targets(timed: Mapping[Shape, Mapping[str, Timed]], plans: Timed, labels: Timed) -> Table:
    """Return the figures that are held to something, and whether they keep to it."""
    wide, with_plans = timed["wide"], timed["with plans"]

    def speed(what: str, other: str) -> float | None:
        return wide[what].speed / wide[other].speed if what in wide and other in wide else None

    figures = (
        wide[POLARS].speed,
        with_plans[POLARS].speed,
        plans.speed,
        speed(DUCKDB, POLARS),
        speed(SPARK, DUCKDB),
        labels.speed,
        speed(POLARS, ARROW_BACKED),
    )
    lines = [
        (what, "-", "not measured") if figure is None else (what, f"{figure:#.3g}", _held(bound, target, figure))
        for (what, (bound, target)), figure in zip(TARGETS.items(), figures, strict=True)
    ]
    return Table(("what is held to a target", "measured", "target"), lines)


def main(arguments: list[str] | None = None) -> None:
    """Time what can be timed here and print the tables; exits with an error where ways to decide differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds in place of 7")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, metavar="N", help="how many visits (default: %(default)s)"
    )
    parser.add_argument("--full", action="store_true", help="ten times as many visits too, from Parquet to Parquet")
    parser.add_argument("--without", action="append", default=[], choices=PACKAGES, help="a kind of frame to leave out")
    given = parser.parse_args(arguments)
    if given.rows < 1:
        parser.error("--rows must be at least 1")
    left_out = {kind: lacks for kind in PACKAGES if (lacks := lacking(kind))} | dict.fromkeys(given.without, "as asked")
    rounds = 3 if given.quick else 7
    ruleset = covrules.load(RULESET)
    # A thread that redraws would take time from what is timed, so it is drawn between the rounds.
    with (
        ExitStack() as sessions,
        Progress(
            console=Console(stderr=True), auto_refresh=False, transient=True, disable=not sys.stderr.isatty()
        ) as progress,
    ):
        turns = partial(_turns, progress)
        memory = measure_memory(given.rows, given.full, left_out, turns)
        all_ = candidates(ruleset, left_out, sessions)
        try:
            check_agreement(ruleset, all_, Data.made_up(min(given.rows, SAMPLE), UNKNOWN))
        except Disagreement as disagreement:
            sys.exit(f"benchmarks.frames: {disagreement}")
        tables = [*time_all(ruleset, all_, Data.made_up(given.rows), rounds, turns), memory]
    print(describe(given.rows, rounds))
    for kind, why in left_out.items():
        print(f"left out: {kind} ({why})")
    for table in tables:
        print(f"\n{table}")


def time_all(ruleset: Ruleset, all_: Sequence[Candidate], data: Data, rounds: int, turns: Turns) -> Iterator[Table]:
    """Yield the tables of everything that is timed in this process."""
    timed = {shape: time_candidates(all_, data, shape, rounds, turns) for shape in SHAPES}
    plans = time_plans(ruleset, data, rounds, turns)
    of_labels, labels = time_labels(ruleset, data, rounds, turns)
    yield table_of_targets(timed, plans, labels)
    for shape, of_shape in timed.items():
        yield table_of_speeds(of_shape, shape, len(data.wide))
    yield table_of_planning(timed)
    yield of_labels
    yield time_sizes(ruleset, data, rounds, turns)
    yield time_parts(ruleset, data, rounds, turns)


def describe(rows: int, rounds: int) -> str:
    """Return what was timed, and on what machine."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {system}, covrules {covrules.__version__}\n"
        f"{RULESET} at stage {STAGE}, {rows:,} visits under {PLANS} plans, {rounds} rounds; seconds are those\n"
        "on the wall, which whatever else the machine does disturbs"
    )


if __name__ == "__main__":
    main()

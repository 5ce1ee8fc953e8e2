"""Cases as frames of every kind, as a user would have them, and what is said of each case by the compiled engine."""

import datetime as dt
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED, Bool, Count, Date, Days, SetOf

TYPES = {Bool: pl.Boolean, Count: pl.Int64, Days: pl.Int64, Date: pl.Date, SetOf: pl.List(pl.String)}


def cell(value):
    """Return a value of a case as a typed column has it."""
    if value is UNLIMITED:
        return 2147483647
    if value is OPEN or value is NEVER:
        return dt.date(9999, 12, 31)
    if value is ANY:
        return ["any"]
    return sorted(value) if isinstance(value, frozenset | tuple | list) else value


def rows_of(cases, vocabulary, also=()):
    """Return cases as a Polars frame with a column for each fact that some case has, and for those of `also`."""
    columns = []
    for path, fact in vocabulary.items():
        values = [case.get(path) for case in cases]
        if path.startswith("own."):
            values = [None if value is None else fact.kind.parse(value) for value in values]
        if path in also or any(value is not None for value in values):
            columns.append(pl.Series(path, [*map(cell, values)], dtype=TYPES.get(type(fact.kind), pl.String)))
    return pl.DataFrame(columns)


def said_of(ruleset, cases, stage, day=None):
    """Return the columns that are to be added to a frame of these cases, as lists."""
    verdicts = [ruleset.evaluate(case, stage, "compiled", day) for case in cases]
    failing = [[f.rule for f in verdict.findings if f.status in ("unmet", "capped")] for verdict in verdicts]
    statuses = {
        f"finding.{rule.id}": [verdict.findings[place].status for verdict in verdicts]
        for place, rule in enumerate(ruleset.rules)
    }
    return {
        "coverage": [verdict.coverage for verdict in verdicts],
        "units_requested": [verdict.units.requested for verdict in verdicts],
        "units_covered": [verdict.units.covered for verdict in verdicts],
        **statuses,
        "reasons": failing,
    }


def differences(result, expected, before):
    """Return where a result (in Polars) differs from what is expected of it beside the columns there were before."""
    assert result.columns == [*before, *expected]
    found = []
    for name, values in expected.items():
        column = result[name]
        got = (column.cast(pl.String) if isinstance(column.dtype, pl.Enum | pl.Categorical) else column).to_list()
        found += [(name, row, a, b) for row, (a, b) in enumerate(zip(got, values, strict=True)) if a != b]
    return found


# --- kinds of frames --------------------------------------------------------------------------------------------


def classic(rows):
    """Return a pandas frame of the types pandas has always had: what is missing makes numbers floats, flags objects."""
    return pd.DataFrame({name: rows[name].to_list() for name in rows.columns}, index=range(7, 7 + len(rows)))


def nullable(rows):
    return classic(rows).convert_dtypes()


def arrow_backed(rows):
    return rows.to_pandas(use_pyarrow_extension_array=True)


def relation(rows):
    connection = duckdb.connect()
    connection.register("rows", rows.to_arrow())
    connection.execute("CREATE TABLE there AS SELECT * FROM rows")
    return connection.table("there")


def of_pandas(frame):
    units = [name for name in frame.columns if name.startswith("units_")]
    assert all(str(frame[name].dtype) == "Int64" for name in units)
    return pl.from_arrow(pa.Table.from_pandas(frame, preserve_index=False))


KINDS = {
    "polars": (lambda rows: rows, lambda frame: frame),
    "polars-lazy": (pl.DataFrame.lazy, lambda frame: frame.collect()),
    "polars-streaming": (pl.DataFrame.lazy, lambda frame: frame.collect(engine="streaming")),
    "pandas-classic": (classic, of_pandas),
    "pandas-nullable": (nullable, of_pandas),
    "pandas-arrow": (arrow_backed, of_pandas),
    "pyarrow": (pl.DataFrame.to_arrow, pl.from_arrow),
    "duckdb": (relation, lambda frame: frame.pl()),
}
"""How rows in Polars become a frame of each kind, and how a frame of the kind becomes one in Polars again."""


class Spark:
    """A session of Spark on this machine, and frames in it that come from Parquet files."""

    def __init__(self):
        from pyspark.sql import SparkSession

        self.folder = TemporaryDirectory()
        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.memory": "2g",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.session.timeZone": "UTC",
        }
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("OFF")
        self.files = 0

    def frame(self, rows):
        self.files += 1
        path = Path(self.folder.name) / f"{self.files}.parquet"
        rows.write_parquet(path)
        return self.session.read.parquet(str(path))

    def back(self, frame):
        self.files += 1
        path = Path(self.folder.name) / f"{self.files}"
        frame.write.parquet(str(path))
        return pl.read_parquet(path / "*.parquet")

    def stop(self):
        self.session.stop()
        self.folder.cleanup()

"""Frames that Polars works on: its own, eager and lazy, and those of others that are in memory, such as pandas'."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from covrules.errors import FactError, Problem
from covrules.frames.columns import Fault, fact_columns
from covrules.frames.polars_columns import holds
from covrules.frames.polars_engine import Work
from covrules.frames.polars_rows import Plans, held
from covrules.frames.program import added_columns
from covrules.rule import Stage
from covrules.rulesets import Ruleset

_ROW: Final = "row of covrules"


def evaluate(
    frame: "nw.DataFrame[Any] | nw.LazyFrame[Any]",
    plans: Any,
    ruleset: Ruleset,
    stage: Stage,
    reasons: bool,
    collect: bool,
    as_of: dt.date | None,
) -> Any:
    """Return a frame with the verdict on every row; of a lazy one nothing is worked out before it is collected."""
    columns = frame.collect_schema().names()
    given = in_polars(frame, [name for name in columns if name in ruleset.vocabulary])
    types = given.collect_schema()
    known = None if plans is None else Plans.of(collected(plans), ruleset)
    of_plans = None if known is None else known.given.columns
    all_ = {name: holds(types[name]) if name in types else "else" for name in columns}
    facts = fact_columns(all_, ruleset, added_columns(ruleset, reasons, collect), of_plans)
    work = Work(ruleset, stage, facts, known, as_of, reasons, collect)
    if isinstance(given, pl.LazyFrame):
        return _lazily(frame.to_native(), work)
    results = work.results(given)
    native = frame.to_native()
    if isinstance(native, pl.DataFrame):
        return native.hstack(results)
    if frame.implementation.is_pandas():
        return _beside(native, results)
    assert isinstance(frame, nw.DataFrame)
    added = nw.from_arrow(results.to_arrow(), backend=frame.implementation)
    return nw.concat([frame, added], how="horizontal").to_native()


def decider(
    ruleset: Ruleset,
    types: Mapping[str, Any],
    plans: pl.DataFrame | None,
    *,
    stage: Stage,
    as_of: dt.date | None,
    as_text: bool = False,
    plans_as_text: bool = False,
) -> Callable[[pl.DataFrame, pl.Series | None], tuple[pl.DataFrame, list[Fault]]]:
    """Return what decides batches of a long frame with columns of these types, rows that cannot be used set aside.

    It takes a batch and the numbers of its rows, and returns the columns to add, `reasons` and `problems` among them,
    and what cannot be used. Columns of text are read as a CSV file has them. Raises FactError for the columns.
    """
    known = None if plans is None else Plans.of(plans, ruleset, plans_as_text)
    of_plans = None if known is None else known.given.columns
    facts = fact_columns(held(types, as_text), ruleset, added_columns(ruleset, True, True), of_plans)
    return Work(ruleset, stage, facts, known, as_of, True, True, as_text).results_and_faults


def in_polars(frame: "nw.DataFrame[Any] | nw.LazyFrame[Any]", names: Sequence[str]) -> pl.DataFrame | pl.LazyFrame:
    """Return columns of a frame in Polars; raises FactError for those that are of no one type."""
    if isinstance(frame, nw.LazyFrame):
        lazy: pl.LazyFrame = frame.to_native().select(names)
        return lazy
    if not names:
        # Without any column there would be no rows.
        return pl.select(pl.int_range(len(frame)).alias(_ROW))
    try:
        given: pl.DataFrame = frame.select(names).to_polars()
        # What is unknown in every row has no type that matters: pandas calls a column of nothing but None text.
        unknown = [name for name in names if given[name].null_count() == len(given)]
        return given.with_columns(pl.lit(None, dtype=pl.Null).alias(name) for name in unknown)
    except Exception:
        mixed = [name for name in names if not _convertible(frame, name)]
        if not mixed:
            raise
    wrong = "found values of several types, or of one that no column can have"
    raise FactError(Problem(path=name, message=wrong, expected="a column of one type") for name in mixed) from None


def _convertible(frame: "nw.DataFrame[Any]", name: str) -> bool:
    try:
        frame.select(name).to_polars()
    except Exception:
        return False
    return True


def collected(plans: Any) -> pl.DataFrame:
    """Return the frame of plans in Polars: there are few of them."""
    from covrules.frames import known_frame

    frame = known_frame(plans)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect("polars")
    given = in_polars(frame, frame.columns)
    assert isinstance(given, pl.DataFrame)
    return given


def _lazily(frame: pl.LazyFrame, work: Work) -> pl.LazyFrame:
    def decide(batch: pl.DataFrame) -> pl.DataFrame:
        numbers = batch[_ROW]
        batch = batch.drop(_ROW)
        return batch.hstack(work.results(batch, numbers))

    schema = {**frame.collect_schema(), **work.added}
    return frame.with_row_index(_ROW).map_batches(decide, schema=schema, streamable=True)


def _beside(frame: Any, results: pl.DataFrame) -> Any:
    """Return a pandas frame with the results beside it: labels as categories, counts in a type that knows nulls."""
    import pandas as pd

    # A type for each column would have its words looked at anew.
    types = {str(words): pd.CategoricalDtype(words) for words in (_words(dtype) for dtype in results.dtypes) if words}

    def column(values: pl.Series) -> Any:
        words = _words(values.dtype)
        if words:
            places = values.to_physical()
            # There are few words, so a place is the same number with a sign as without; no word is -1.
            codes = (places.fill_null(255) if places.null_count() else places).to_numpy(writable=True).view(np.int8)
            return pd.Categorical.from_codes(codes, dtype=types[str(words)], validate=False)
        if values.dtype == pl.Int64:
            numbers, unknown = values.fill_null(0), values.is_null()
            return pd.arrays.IntegerArray(numbers.to_numpy(writable=True), unknown.to_numpy(writable=True))
        return values.to_pandas().to_numpy()

    added = pd.DataFrame({name: column(results[name]) for name in results.columns}, index=frame.index, copy=False)
    return pd.concat([frame, added], axis=1)


def _words(dtype: pl.DataType) -> list[str]:
    """Return the words of a type of labels; there are none of others."""
    return dtype.categories.to_list() if isinstance(dtype, pl.Enum) else []

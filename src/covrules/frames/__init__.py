"""A population of cases: the same rules over every row of a dataframe, worked on by the engine it comes from."""

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from covrules.declaring import problem_with
from covrules.errors import FactError, did_you_mean, one_of
from covrules.extras import needed
from covrules.kinds import Date, Unfit, describe
from covrules.rule import STAGES, Stage
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    import narwhals as nw

_DOT: Final = "\ue000"
"""Stands for a dot in names: a character for private use, so that no column has it."""
ERRORS: Final = ("raise", "collect")
"""What can be done about rows that cannot be used: refuse the frame, or set them aside."""


def evaluate_frame(
    ruleset: Ruleset,
    df: Any,
    plans: Any = None,
    *,
    stage: Stage = "planned",
    reasons: bool = False,
    errors: str = "raise",
    as_of: dt.date | str | None = None,
) -> Any:
    """Return a frame with the verdict on every row: see `Ruleset.evaluate_frame`."""
    for what, word, words in (("stage", stage, STAGES), ("way with errors", errors, ERRORS)):
        if word not in words:
            raise ValueError(f"there is no {what} {word!r}: {did_you_mean(str(word), words) or one_of(words)}")
    try:
        day = None if as_of is None else Date().parse(as_of)
    except Unfit as unfit:
        raise FactError([problem_with("as_of", Date(), unfit)]) from None
    frame = known_frame(df)
    how = (ruleset, stage, reasons, errors == "collect", day)
    if frame.implementation.is_duckdb() or _is_of_spark(frame):
        from covrules.frames import sql_frames

        return sql_frames.evaluate(frame, plans, *how)
    from covrules.frames import polars_frames

    return polars_frames.evaluate(frame, plans, *how)


def known_frame(df: Any) -> "nw.DataFrame[Any] | nw.LazyFrame[Any]":
    """Return a frame as narwhals has it; raises TypeError for what is none."""
    narwhals = needed("narwhals", "frames")
    needed("polars", "frames")
    try:
        frame: nw.DataFrame[Any] | nw.LazyFrame[Any] = narwhals.from_native(df)
    except TypeError:
        raise TypeError(f"evaluate_frame takes a dataframe and got {describe(df)}") from None
    kind = frame.implementation
    if isinstance(frame, narwhals.LazyFrame) and not (kind.is_polars() or kind.is_duckdb() or _is_of_spark(frame)):
        raise TypeError(
            f"evaluate_frame cannot work lazily on a frame of {kind.value}: "
            "it takes Polars, DuckDB, PySpark, and every frame in memory that narwhals knows (pandas, PyArrow)"
        )
    return frame


def dotless(name: str) -> str:
    """Return the name that a column has in a frame without dots: Narwhals takes them for paths within structs of Spark.

    >>> dotless("plan.payer")
    'plan\\ue000payer'
    """
    return name.replace(".", _DOT)


def without_dots(frame: Any) -> Any:
    """Return a frame of Narwhals whose columns are named without dots."""
    return _renamed(frame, dotless)


def with_dots(frame: Any) -> Any:
    """Return the frame of which `without_dots` made this one, with what columns there have come to it since."""
    return _renamed(frame, lambda name: name.replace(_DOT, "."))


def _renamed(frame: Any, new: Callable[[str], str]) -> Any:
    names = {name: new(name) for name in frame.collect_schema().names()}
    if _is_of_spark(frame):
        return needed("narwhals", "frames").from_native(frame.to_native().toDF(*names.values()))
    return frame.rename(names)


def _is_of_spark(frame: Any) -> bool:
    return bool(frame.implementation.is_pyspark() or frame.implementation.is_pyspark_connect())

"""Polars decides: a frame in memory, read once into numbers, and then every rule an expression over its columns."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, reduce
from operator import or_
from typing import Any, Final, get_args

import attrs
import polars as pl

from covrules.conditions import Symbol
from covrules.declaring import Fact
from covrules.errors import Problem
from covrules.frames.columns import Fault, fault, joined, unusable
from covrules.frames.polars_columns import Column, place_of, type_of
from covrules.frames.polars_rows import Plans, Rows
from covrules.frames.program import (
    COVERAGE,
    COVERS,
    PROBLEMS,
    REASONS,
    REQUESTS,
    Algebra,
    Layer,
    SetTest,
    added_columns,
    facts_read,
    layers_of,
    set_tests,
)
from covrules.kinds import UNLIMITED, Enum, SetOf
from covrules.rule import STATUSES, Stage, Status
from covrules.rulesets import Ruleset
from covrules.truth import with_sources
from covrules.verdicts import Coverage

_STATUSES: Final = pl.Enum(STATUSES)
_COVERAGES: Final = pl.Enum(get_args(Coverage))
_BITS: Final = 60
_AT_ONCE: Final = 1 << 18
"""How many rows are worked on at once at most: few enough that what is worked out in between stays small."""
_WORTH_A_THREAD: Final = 1 << 17
"""How many rows are too few for a thread of their own."""


class _Expressions(Algebra[pl.Expr]):
    """What Polars says; facts that no column has are unknown, those in `fixed` the same in every row."""

    finds_repeats = False

    def __init__(self, ruleset: Ruleset, there: Iterable[str], tests: Mapping[SetTest, str]) -> None:
        self.vocabulary = ruleset.vocabulary
        self.there = frozenset(there)
        self.tests = tests

    def fact(self, path: str) -> pl.Expr:
        return pl.col(path) if path in self.there else pl.lit(None, dtype=type_of(self.vocabulary[path].kind))

    def column(self, name: str) -> pl.Expr:
        return pl.col(name)

    def value(self, value: Any, like: str | None = None) -> pl.Expr:
        kind = self.vocabulary[like].kind if like is not None else None
        if isinstance(kind, Enum):
            return pl.lit(place_of(value, kind), dtype=type_of(kind))
        if isinstance(value, dt.date):
            return pl.lit(dt.date(value.year, value.month, value.day), dtype=pl.Date)
        return pl.lit(int(value) if value is UNLIMITED else value)

    def both(self, parts: Sequence[pl.Expr]) -> pl.Expr:
        return _folded(parts, pl.Expr.__and__)

    def either(self, parts: Sequence[pl.Expr]) -> pl.Expr:
        return _folded(parts, pl.Expr.__or__)

    def negated(self, part: pl.Expr) -> pl.Expr:
        return ~part

    def known(self, part: pl.Expr) -> pl.Expr:
        return part.is_not_null()

    def compare(self, left: pl.Expr, symbol: Symbol, right: pl.Expr) -> pl.Expr:
        return _COMPARED[symbol](left, right)

    def rank(self, words: tuple[str, ...], path: str) -> pl.Expr:
        return self.fact(path)

    def test_of_set(self, test: SetTest) -> pl.Expr:
        return pl.col(self.tests[test])

    def rest(self, limit: pl.Expr, used: Sequence[pl.Expr]) -> pl.Expr:
        left = limit.cast(pl.Int64)
        for each in used:
            left = left - each.cast(pl.Int64)
        return left.clip(lower_bound=0) if used else left

    def least(self, parts: Sequence[pl.Expr]) -> pl.Expr:
        return _folded(parts, lambda one, other: pl.when(one < other).then(one).otherwise(other))

    def choose(self, cases: Sequence[tuple[pl.Expr, pl.Expr]], otherwise: pl.Expr) -> pl.Expr:
        if not cases:
            return otherwise
        (first, value), *others = cases
        chosen: Any = pl.when(first).then(value)
        for holds_, value in others:
            chosen = chosen.when(holds_).then(value)
        said: pl.Expr = chosen.otherwise(otherwise)
        return said

    def status(self, status: Status) -> pl.Expr:
        return pl.lit(status, dtype=_STATUSES)

    def coverage(self, word: str) -> pl.Expr:
        return pl.lit(word, dtype=_COVERAGES)

    def nothing(self) -> pl.Expr:
        return pl.lit(None, dtype=pl.Int64)


_COMPARED: Final[Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "==": pl.Expr.eq, "!=": pl.Expr.ne, "<": pl.Expr.lt, "<=": pl.Expr.le, ">": pl.Expr.gt, ">=": pl.Expr.ge,
}  # fmt: skip


def _folded(parts: Sequence[pl.Expr], join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> pl.Expr:
    first, *others = parts
    for part in others:
        first = join(first, part)
    return first


# --- a population -----------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Work:
    """How rows are decided by a ruleset at a stage.

    `columns` are the facts among the columns of the frame, `plans` the plans that `plan.id` names. With `collect`, rows
    that cannot be used are set aside: they have no verdict, and in the column `problems` what is wrong with them.
    `cells` says that the columns are text as a CSV file has it.
    """

    ruleset: Ruleset
    stage: Stage
    columns: tuple[str, ...]
    plans: Plans | None
    as_of: dt.date | None
    reasons: bool
    collect: bool
    cells: bool = False

    def results(self, frame: pl.DataFrame, rows: pl.Series | None = None) -> pl.DataFrame:
        """Return the columns to add to a frame; `rows` are the numbers of its rows, if it is some of a longer one.

        Raises FactError of all that cannot be used, unless it is collected.
        """
        result, faults = self.results_and_faults(frame, rows)
        faults += self.plans.faults if self.plans is not None else []
        if faults and not self.collect:
            raise unusable(faults, all_rows=rows is None)
        return result

    def results_and_faults(self, frame: pl.DataFrame, rows: pl.Series | None) -> tuple[pl.DataFrame, list[Fault]]:
        """Return the columns to add to a frame, and all that cannot be used of its rows."""
        numbers = pl.int_range(len(frame), eager=True) if rows is None else rows
        length = _length_of_pieces(len(frame), pl.thread_pool_size())
        starts = [*range(0, len(frame), length)] or [0]

        def decide(start: int) -> tuple[pl.DataFrame, list[Fault]]:
            return self.decided(frame.slice(start, length), numbers.slice(start, length))

        if len(starts) == 1:
            decided = [decide(0)]
        else:
            with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
                decided = [*pool.map(decide, starts)]
        faults = joined(each for _, found in decided for each in found)
        return pl.concat([result for result, _ in decided]), faults

    def decided(self, frame: pl.DataFrame, numbers: pl.Series) -> tuple[pl.DataFrame, list[Fault]]:
        """Return the columns to add to some rows, and what cannot be used of them."""
        rows = Rows(self.ruleset, frame, self.plans, self.as_of, self.cells)
        rows.read(self.columns, self.facts)
        table = pl.DataFrame([
            numbers.alias("row"),
            *[column.values.alias(path) for path, column in rows.facts.items() if isinstance(column, Column)],
            *[rows.test(test).alias(name) for test, name in self.tests.items()],
        ])  # fmt: skip
        for layer in self.layers:
            table = table.with_columns(**layer)
        there = {*table.columns}
        added: list[Any] = [pl.col(name) for name in self.added if name in there]
        added += [self.why(table)] if self.reasons else []
        result = table.select(added)
        wrong = rows.wrong
        if self.collect:
            wrong += self.of_their_plans(rows)
            result = _set_aside(result, wrong)
        return result, [fault(problem, numbers.filter(where).to_list()) for problem, where in wrong]

    def of_their_plans(self, rows: Rows) -> list[tuple[Problem, pl.Series]]:
        """Return what is wrong with the plans of rows, and in which rows."""
        wrong = self.plans.wrong if self.plans is not None else ()
        in_rows = ((problem, where.gather(rows.plan).fill_null(False)) for problem, where in wrong)
        return [(problem, where) for problem, where in in_rows if where.any()]

    def why(self, table: pl.DataFrame) -> pl.Series:
        """Return in each row the ids of the rules that are unmet or capped, worked out once for each such list."""
        there = {*table.columns}
        deciding = [
            (place, rule) for place, rule in enumerate(self.ruleset.rules) if f"s{place}" in there and rule.decides
        ]
        failing = [(~pl.col(f"s{place}")).fill_null(False).cast(pl.UInt64) for place, _ in deciding]
        words = [failing[start : start + _BITS] for start in range(0, len(failing), _BITS)]
        words = words or [[pl.lit(0, dtype=pl.UInt64)]]
        masks = table.select(
            "row",
            **{
                f"word {number}": _folded([bit * (1 << place) for place, bit in enumerate(word)], pl.Expr.__add__)
                for number, word in enumerate(words)
            },
        )
        names = masks.columns[1:]
        different = masks.select(names).unique()
        lists = [
            [rule.id for place, (_, rule) in enumerate(deciding) if row[place // _BITS] >> (place % _BITS) & 1]
            for row in different.iter_rows()
        ]
        different = different.with_columns(pl.Series(REASONS, lists, dtype=pl.List(pl.String)))
        return masks.join(different, on=names, how="left", maintain_order="left")[REASONS]

    @cached_property
    def added(self) -> dict[str, Any]:
        """The columns that are added, with their types."""
        types: dict[str, Any] = {COVERAGE: _COVERAGES, REQUESTS: pl.Int64, COVERS: pl.Int64}
        types |= dict.fromkeys((REASONS, PROBLEMS), pl.List(pl.String))
        return {name: types.get(name, _STATUSES) for name in added_columns(self.ruleset, self.reasons, self.collect)}

    @cached_property
    def tests(self) -> Mapping[SetTest, str]:
        """The column of each test of a set."""
        return {test: f"set {number}" for number, test in enumerate(set_tests(self.ruleset, self.stage))}

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that are read, those that others are derived from before them."""
        return tuple(with_sources(facts_read(self.ruleset, self.stage), self.ruleset.vocabulary))

    @cached_property
    def layers(self) -> list[Layer[pl.Expr]]:
        """What is asked of every row."""
        known = {*self.columns, *self.ruleset.fixed, *(self.plans.facts if self.plans is not None else ())}
        there = [
            fact.path
            for fact in self.facts
            if (fact.path in known or fact.derived_from) and not isinstance(fact.kind, SetOf)
        ]
        return layers_of(self.ruleset, self.stage, _Expressions(self.ruleset, there, self.tests))


def _length_of_pieces(rows: int, threads: int) -> int:
    """Return how many rows are worked on at once, so that all threads have as much to do where there are many rows."""
    rounds = -(-rows // (_AT_ONCE * threads))
    pieces = rounds * threads if rounds > 1 else min(threads, rows // _WORTH_A_THREAD)
    return -(-rows // max(1, pieces)) or 1


def _set_aside(result: pl.DataFrame, wrong: Sequence[tuple[Problem, pl.Series]]) -> pl.DataFrame:
    """Return results without a verdict in rows that cannot be used, and what is wrong with them."""
    if not wrong:
        return result.with_columns(pl.lit(None, dtype=pl.List(pl.String)).alias(PROBLEMS))
    any_ = reduce(or_, [where for _, where in wrong])
    told = pl.concat_list([pl.when(where).then(pl.lit(str(problem))) for problem, where in wrong]).list.drop_nulls()
    return result.with_columns(
        *[pl.when(~any_).then(pl.col(name)).alias(name) for name in result.columns],
        pl.when(any_).then(told).alias(PROBLEMS),
    )

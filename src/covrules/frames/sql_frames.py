"""Frames that work lazily in SQL: DuckDB's relations and Spark's frames. Nothing runs before the user asks for it."""

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs
import narwhals as nw

from covrules.errors import Problem
from covrules.frames.columns import PLAN, PLAN_TWICE, Holds, fact_columns, plan_columns
from covrules.frames.program import FINDING, PROBLEMS, REASONS, added_columns, facts_read, layers_of
from covrules.frames.sql import Dialect, DuckDb, Spark, Sql, derived
from covrules.frames.sql_facts import Given, Wrong, coded, contradictions, day_of, fixed, given, out_of_force
from covrules.kinds import describe
from covrules.rule import Stage
from covrules.rulesets import Ruleset
from covrules.truth import with_sources

Named = Mapping[str, str]
"""Expressions by the names of the columns they become."""

_OURS: Final = "covrules "
"""How the columns begin that are worked out on the way."""
_CODED: Final = "covrules code of "
"""How the columns begin that have lists of words as numbers, before these have been checked."""
_CHECKED: Final = "checked"
_PLAN_CHECKED: Final = "plan checked"
"""The columns that check a row and its plan: see `_Asked.checked`."""
_SEE_ALL: Final = '\n    errors="collect" sets such rows aside and says what is wrong with each'


_DUCKDB: Final = DuckDb()
_SPARK: Final = Spark()


class Lazy(ABC):
    """A frame that is worked out when it is asked for."""

    dialect: ClassVar[Dialect]

    @property
    @abstractmethod
    def columns(self) -> dict[str, Holds]:
        """What each column holds."""

    @abstractmethod
    def select(self, columns: Named, keep: Iterable[str]) -> "Lazy":
        """Return these columns, after those that are kept as they are."""

    @abstractmethod
    def where(self, condition: str) -> "Lazy":
        """Return the rows of which a condition is true."""

    @abstractmethod
    def joined(self, other: "Lazy", on: str) -> "Lazy":
        """Return the rows, each with the columns of the row of another frame that has the same in one column."""

    @property
    @abstractmethod
    def native(self) -> Any:
        """The frame as its engine has it."""


@attrs.frozen
class Relation(Lazy):
    """A relation of DuckDB."""

    native: Any
    dialect = _DUCKDB

    @property
    def columns(self) -> dict[str, Holds]:
        return {name: _held(str(type_)) for name, type_ in zip(self.native.columns, self.native.types, strict=True)}

    def select(self, columns: Named, keep: Iterable[str]) -> "Relation":
        name = self.dialect.name
        said = [*map(name, keep), *[f"{expression} AS {name(column)}" for column, expression in columns.items()]]
        return Relation(self.native.project(", ".join(said)))

    def where(self, condition: str) -> "Relation":
        return Relation(self.native.filter(condition))

    def joined(self, other: Lazy, on: str) -> "Relation":
        left, right = self.native.set_alias("covrules_rows"), other.native.set_alias("covrules_plans")
        name = self.dialect.name(on)
        joined = left.join(right, f"covrules_rows.{name} = covrules_plans.{name}", how="left")
        theirs = ", ".join(f"covrules_plans.{self.dialect.name(column)}" for column in other.columns if column != on)
        return Relation(joined.project(f"covrules_rows.*, {theirs}"))


# Spark writes steps that follow each other as one method. Java leaves it uncompiled where it is long, which takes five
# times as long; a step with something that Spark has no code for, such as this null, is written as many short methods.
_UNKNOWN: Final = "element_at(zip_with(CAST(NULL AS ARRAY<INT>), CAST(NULL AS ARRAY<INT>), (one, other) -> NULL), 1)"


@attrs.frozen
class SparkFrame(Lazy):
    """A frame of Spark."""

    native: Any
    dialect = _SPARK

    @property
    def columns(self) -> dict[str, Holds]:
        return {field.name: _held(field.dataType.simpleString()) for field in self.native.schema.fields}

    def select(self, columns: Named, keep: Iterable[str]) -> "SparkFrame":
        name = self.dialect.name
        said = [f"coalesce({expression}, {_UNKNOWN}) AS {name(column)}" for column, expression in columns.items()]
        return SparkFrame(self.native.selectExpr(*map(name, keep), *said))

    def where(self, condition: str) -> "SparkFrame":
        return SparkFrame(self.native.where(condition))

    def joined(self, other: Lazy, on: str) -> "SparkFrame":
        key = f"{_OURS}key"
        theirs = other.select({key: self.dialect.name(on)}, [column for column in other.columns if column != on])
        condition = self.native[self.dialect.name(on)] == theirs.native[self.dialect.name(key)]
        return SparkFrame(self.native.join(theirs.native, condition, "left").drop(key))


_HELD: Final[tuple[tuple[str, Holds], ...]] = (
    (r"boolean", "bool"),
    (r"(u?(tiny|small|big|huge)?int(eger)?|byte|short|long)", "number"),
    (r"(float|double|real|decimal.*)", "decimal"),
    (r"date", "date"),
    (r"timestamp(_ntz|_s|_ms|_ns|_us)?", "moment"),
    (r"(varchar|string|enum\(.*\)|char.*)", "text"),
    (r"((varchar|enum\(.*\))\[\d*\]|array<string>)", "texts"),
    (r"(\"null\"|void|null)(\[\])?", "nothing"),
)


def _held(type_: str) -> Holds:
    """Return what a column of a type holds, by the name of the type."""
    return next((holds for pattern, holds in _HELD if re.fullmatch(pattern, type_, re.IGNORECASE | re.DOTALL)), "else")


# --- a population -----------------------------------------------------------------------------------------------


def evaluate(
    frame: "nw.DataFrame[Any] | nw.LazyFrame[Any]",
    plans: Any,
    ruleset: Ruleset,
    stage: Stage,
    reasons: bool,
    collect: bool,
    as_of: dt.date | None,
) -> Any:
    """Return a frame with the verdict on every row; nothing is worked out before its engine is asked."""
    kind: Callable[[Any], Lazy] = Relation if frame.implementation.is_duckdb() else SparkFrame
    native = frame.to_native()
    if plans is not None and type(plans) is not type(native):
        raise TypeError(
            f"the plans must be a frame of {frame.implementation.value}, as the rows are, and got {describe(plans)}"
        )
    rows = kind(native)
    asked = _Asked(ruleset, stage, as_of, reasons, collect, rows.dialect)
    return asked.decided(rows, None if plans is None else kind(plans)).native


@attrs.frozen
class _Asked:
    """What is asked of frames."""

    ruleset: Ruleset
    stage: Stage
    as_of: dt.date | None
    reasons: bool
    collect: bool
    dialect: Dialect

    def decided(self, rows: Lazy, plans: Lazy | None) -> Lazy:
        """Return the rows with the verdict beside them."""
        added = added_columns(self.ruleset, self.reasons, self.collect)
        facts = fact_columns(rows.columns, self.ruleset, added, None if plans is None else plans.columns)
        held = rows.columns
        own = [*held]
        rows, read = self.read(rows, held, facts)
        ours: list[str] = []
        of_plans: tuple[str, ...] = ()
        if plans is not None:
            checked, of_plans, ours = self.plans(plans)
            rows = rows.joined(checked, PLAN)
        known = {path: each.value for path, each in read.items()}
        known |= {path: self.dialect.name(_OURS + path) for path in of_plans}
        columns, wrong = self.settled(known, read)
        if self.by_rows:
            rows = rows.where(self.checked(wrong, False))
        else:
            columns[_CHECKED] = self.checked(wrong, _OURS + _PLAN_CHECKED in ours)
        rows, ours = self.grown(rows, columns, own, ours)
        known |= {path: self.dialect.name(_OURS + path) for path in columns if path != _CHECKED}
        for layer in self.steps(known):
            rows, ours = self.grown(rows, layer, own, ours)
        return rows.select(self.results(added), own)

    @property
    def by_rows(self) -> bool:
        """Whether a condition on rows ends the query where one cannot be used."""
        return self.dialect.checks_rows and not self.collect

    def grown(self, rows: Lazy, columns: Named, own: Sequence[str], ours: Sequence[str]) -> tuple[Lazy, list[str]]:
        """Return rows with columns of ours added to those there are, and the names of ours."""
        named = {_OURS + name: expression for name, expression in columns.items()}
        return (rows.select(named, [*own, *ours]) if named else rows), [*ours, *named]

    # --- facts ----------------------------------------------------------------------------------------------

    def read(self, rows: Lazy, columns: Mapping[str, Holds], facts: Iterable[str]) -> tuple[Lazy, dict[str, Given]]:
        """Return rows, with what is coded of their columns beside these if need be, and how the facts are read."""
        d, vocabulary = self.dialect, self.ruleset.vocabulary
        columns_of = {path: (d, vocabulary[path], d.name(path), columns[path]) for path in facts}
        codes = {path: said for path, column in columns_of.items() if (said := coded(*column)) is not None}
        if codes and d.codes_apart:
            rows = rows.select({_CODED + path: said for path, said in codes.items()}, rows.columns)
            codes = {path: d.name(_CODED + path) for path in codes}
        return rows, {path: given(*column, codes.get(path, "")) for path, column in columns_of.items()}

    def plans(self, plans: Lazy) -> tuple[Lazy, tuple[str, ...], list[str]]:
        """Return the plans, checked and read, with the facts there are of them and the names of our columns."""
        facts = plan_columns(plans.columns, self.ruleset)
        key, same = self.dialect.name(PLAN), self.dialect.name(_OURS + "same")
        plans, read = self.read(plans, plans.columns, facts)
        own = [*plans.columns]
        plans = plans.select({_OURS + "same": f"count(*) OVER (PARTITION BY {key})"}, own)
        twice = self.dialect.error(str(PLAN_TWICE))
        wrong = [each for column in read.values() for each in column.wrong]
        columns = {_OURS + path: self.clean(each) for path, each in read.items()}
        if self.by_rows:
            plans = plans.where(self.checked(wrong, False))
        else:
            columns[_OURS + _PLAN_CHECKED] = self.checked(wrong, False)
        single = f"CASE WHEN {same} > 1 OR {key} IS NULL THEN {twice} ELSE {key} END"
        return plans.select({PLAN: single, **columns}, []), facts, [*columns]

    def checked(self, wrong: Sequence[Wrong], of_plans: bool) -> str:
        """Return what a row is checked by, and its plan if that has been checked.

        It is true or ends the query with an error; where rows are set aside it is the list of what is wrong, or null.
        """
        d = self.dialect
        before = d.name(_OURS + _PLAN_CHECKED)
        if not self.collect:
            cases = [f"WHEN NOT {before} THEN FALSE"] if of_plans else []
            ends = " ".join(f"WHEN {where} THEN {self.ended(problem)}" for problem, where in wrong)
            any_ = " OR ".join(f"({where})" for _, where in wrong)
            cases += [f"WHEN {any_} THEN CASE {ends} END"] if wrong else []
            return f"CASE {' '.join(cases)} ELSE TRUE END" if cases else "TRUE"
        told = d.known_of([f"CASE WHEN {where} THEN {d.text(str(problem))} END" for problem, where in wrong])
        any_ = " OR ".join(f"coalesce({where}, FALSE)" for _, where in wrong)
        said = f"CASE WHEN {any_} THEN {told} END" if wrong else d.null_list()
        return d.both_lists(before, said) if of_plans else said

    def ended(self, problem: Problem) -> str:
        """Return what ends the query with an error that tells of a problem."""
        return self.dialect.error(f"{problem}{_SEE_ALL}")

    def clean(self, column: Given) -> str:
        """Return the value of a column where it can be used, if rows that cannot are set aside and have none."""
        if not column.wrong or not self.collect:
            return column.value
        wrong = " OR ".join(f"coalesce({where}, FALSE)" for _, where in column.wrong)
        return f"CASE WHEN NOT ({wrong}) THEN {column.value} END"

    def settled(self, known: Named, read: Mapping[str, Given]) -> tuple[dict[str, str], list[Wrong]]:
        """Return the columns that facts become, if a rule reads them, and what is wrong where a row cannot be used."""
        d, ruleset = self.dialect, self.ruleset
        day = day_of(d, known, self.as_of)
        wanted = {fact.path for fact in with_sources(facts_read(ruleset, self.stage), ruleset.vocabulary)}
        wrong = [*out_of_force(d, ruleset, known, self.as_of)] if ruleset.dated else []
        columns: dict[str, str] = {}
        for path, fact in ruleset.vocabulary.items():
            if path in read:
                wrong += read[path].wrong
            if path in ruleset.fixed and path in known:
                wrong += contradictions(d, ruleset, fact, known[path], day)
            if path not in wanted or not (path in read or path in ruleset.fixed):
                continue
            value = self.clean(read[path]) if path in read else known.get(path)
            if path in ruleset.fixed:
                ours = fixed(d, ruleset, fact, day)
                value = ours if value is None else f"coalesce({ours}, {value})"
            assert value is not None
            columns[path] = value
        return columns, wrong

    # --- the rules ------------------------------------------------------------------------------------------

    def steps(self, known: dict[str, str]) -> Iterator[Named]:
        """Yield the columns to add, one after the other: derived facts, then the layers of the rules."""
        facts = with_sources(facts_read(self.ruleset, self.stage), self.ruleset.vocabulary)
        say = Sql(self.dialect, self.ruleset, known, _OURS)
        grown = {}
        for fact in facts:
            if fact.derived_from:
                worked_out = derived(say, fact)
                grown[fact.path] = f"coalesce({known[fact.path]}, {worked_out})" if fact.path in known else worked_out
        # What is given of a derived fact has a column of its own already.
        named = {f"{path} derived": expression for path, expression in grown.items()}
        yield named
        known |= {path: self.dialect.name(f"{_OURS}{path} derived") for path in grown}
        yield from layers_of(self.ruleset, self.stage, say)

    def results(self, added: Iterable[str]) -> dict[str, str]:
        """Return the columns of the verdict; a row that cannot be used has none, and none goes unchecked."""
        checked = self.dialect.name(_OURS + _CHECKED)
        results = {}
        for column in added:
            value = self.why() if column == REASONS else self.dialect.name(_OURS + column)
            if self.collect:
                value = checked if column == PROBLEMS else f"CASE WHEN {checked} IS NULL THEN {value} END"
            elif not self.by_rows:
                value = f"CASE WHEN {checked} THEN {value} END"
            results[column] = value
        return results

    def why(self) -> str:
        """Return the list of the ids of the rules that are unmet or capped."""
        name = self.dialect.name
        failing = [
            f"CASE WHEN {name(_OURS + FINDING + rule.id)} = {self.dialect.text(rule.concludes)} "
            f"THEN {self.dialect.text(rule.id)} END"
            for rule in self.ruleset.rules
            if rule.decides and not rule.starts_after(self.stage)
        ]
        return self.dialect.known_of(failing)

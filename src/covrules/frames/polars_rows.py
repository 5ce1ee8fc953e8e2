"""The facts of the rows of a Polars frame: their own, their plans', what the ruleset fixes, and what follows."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import attrs
import polars as pl

from covrules.codes import icd10cm
from covrules.conditions import Ref
from covrules.declaring import Fact
from covrules.derived import diagnosis_valid, specificity
from covrules.errors import FactError, Problem
from covrules.frames.columns import PLAN, PLAN_TWICE, Fault, Holds, fault, plan_columns, unusable
from covrules.frames.polars_columns import (
    Column,
    Sets,
    Vocabulary,
    as_raw,
    cells_of,
    column_of,
    holds,
    place_of,
    raw,
    sets_of,
    type_of,
    wrongs,
)
from covrules.frames.program import SetTest
from covrules.kinds import UNLIMITED, Enum, SetOf
from covrules.lowering import Member, Size
from covrules.meeting import contradiction, in_force
from covrules.rulesets import Ruleset


@attrs.frozen(eq=False)
class Plans:
    """The facts of plans, read once a plan: by their paths, and in the order of the ids."""

    ids: pl.Series
    given: pl.DataFrame
    facts: Mapping[str, Column | Sets]
    wrong: tuple[tuple[Problem, pl.Series], ...]
    cells: bool

    @classmethod
    def of(cls, frame: pl.DataFrame, ruleset: Ruleset, cells: bool = False) -> "Plans":
        """Return the plans in a frame, which is of typed columns or of the cells of a CSV file.

        Raises FactError where two have one id or one has none, and for columns of other facts than those of plans.
        """
        paths = plan_columns(held(frame.schema, cells), ruleset)
        ids = frame[PLAN].cast(pl.String)
        twice = ids.is_duplicated() | ids.is_null()
        if twice.any():
            raise unusable([fault(PLAN_TWICE, twice.arg_true().to_list(), of_plans=True)])
        facts = {path: read(ruleset.vocabulary[path], frame[path], cells) for path in paths}
        wrong = tuple(each for column in facts.values() for each in wrongs(column))
        rows = Rows(ruleset, frame, None, None, cells)
        rows.facts |= facts
        for fact in ruleset.vocabulary.values():
            if _of_plans_alone(fact, ruleset):
                rows.derive(fact)
        return cls(ids, frame, rows.facts, wrong, cells)

    @property
    def faults(self) -> list[Fault]:
        """What cannot be used of the plans."""
        return [fault(problem, rows.arg_true().to_list(), of_plans=True) for problem, rows in self.wrong]

    def places(self, ids: pl.Series) -> pl.Series:
        """Return the place of each plan by its id, null where there is none such."""
        return ids.cast(pl.String).cast(pl.Enum(self.ids), strict=False).to_physical().cast(pl.UInt32)


def _of_plans_alone(fact: Fact, ruleset: Ruleset) -> bool:
    """Return whether a fact follows from facts that a frame of plans has, so that it is worked out once a plan."""
    sources = fact.derived_from
    return bool(sources) and all(
        path.startswith("plan.") and path not in ruleset.fixed for path in (fact.path, *sources)
    )


def held(types: Mapping[str, Any], cells: bool) -> dict[str, Holds]:
    """Return what each column of these types holds."""
    return {name: "cells" if cells else holds(dtype) for name, dtype in types.items()}


def read(fact: Fact, given: pl.Series, cells: bool = False) -> Column | Sets:
    """Return the values of a fact, read from a column of its type or of cells."""
    if cells and given.dtype == pl.String:
        return cells_of(fact, given)
    return sets_of(fact, given) if isinstance(fact.kind, SetOf) else column_of(fact, given)


class Rows:
    """The facts of some rows: their own, those of their plans, what the ruleset fixes, and what follows from these."""

    def __init__(
        self, ruleset: Ruleset, frame: pl.DataFrame, plans: Plans | None, as_of: dt.date | None, cells: bool
    ) -> None:
        self.ruleset = ruleset
        self.cells = cells
        self.frame = frame
        self.plans = plans
        self.as_of = as_of
        self.facts: dict[str, Column | Sets] = {}
        self.wrong: list[tuple[Problem, pl.Series]] = []
        self.words: dict[str, Vocabulary] = {}

    def read(self, columns: Iterable[str], facts: Iterable[Fact]) -> None:
        """Read what columns of the frame give, then all facts; what others are derived from comes before them."""
        for path in columns:
            self.facts[path] = read(self.ruleset.vocabulary[path], self.frame[path], self.cells)
            self.wrong += wrongs(self.facts[path])
        if self.ruleset.dated:
            self.wrong += self.out_of_force()
        for fact in facts:
            self.take_from_plan(fact)
            if fact.path in self.ruleset.fixed:
                self.fix(fact)
            if fact.derived_from and not (self.plans is not None and _of_plans_alone(fact, self.ruleset)):
                self.derive(fact)

    def take_from_plan(self, fact: Fact) -> None:
        """Take a fact from the plan of each row, if the plans have it."""
        if self.plans is not None and fact.path in self.plans.facts:
            self.facts[fact.path] = self.plans.facts[fact.path].take(self.plan)

    @cached_property
    def plan(self) -> pl.Series:
        """The place of each row's plan."""
        assert self.plans is not None
        return self.plans.places(self.frame[PLAN])

    # --- what the ruleset fixes -----------------------------------------------------------------------------

    @cached_property
    def days(self) -> pl.Series:
        """The day on which each row is evaluated."""
        given = self.facts.get("visit.date")
        days = self.nulls(pl.Date) if given is None else given.values  # type: ignore[union-attr]
        return days if self.as_of is None else days.fill_null(self.as_of)

    @cached_property
    def edition(self) -> pl.Series:
        """The number of the stretch of days, in each of which the same is fixed, that each row lies in."""
        edition = pl.zeros(len(self.frame), dtype=pl.UInt32, eager=True)
        for turn in self.ruleset.turns:
            edition += (self.days >= turn).fill_null(False).cast(pl.UInt32)
        return edition

    def out_of_force(self) -> Iterator[tuple[Problem, pl.Series]]:
        """Yield in which rows the ruleset is not in force on the day, or needs one and has none."""
        given = self.facts.get("visit.date")
        missing = self.nulls(pl.Date).is_null() if given is None else given.values.is_null()  # type: ignore[union-attr]
        for day in self.days.unique().to_list():
            for path, where in (("as_of", missing), ("visit.date", ~missing)):
                rows = where & (self.days.is_null() if day is None else self.days == day).fill_null(False)
                if given is not None and given.bad is not None:
                    rows &= ~given.bad
                if rows.any():
                    try:
                        in_force(self.ruleset, day, path)
                    except FactError as error:
                        yield error.problems[0], rows

    def fix(self, fact: Fact) -> None:
        """Take what is fixed of a fact where something is, and note where something else is given."""
        editions = [self.ruleset.fixed_on(day).get(fact.path) for day in (None, *self.ruleset.turns)]
        fixed = raw(fact, editions)
        given = self.facts.get(fact.path)
        if given is None:
            self.facts[fact.path] = read(fact, fixed).take(self.edition)
            return
        theirs = self.given_of(fact).set(given.bad, None) if given.bad is not None else self.given_of(fact)
        ours = fixed.gather(self.edition)
        for place, value in enumerate(editions):
            other = _differ(fact, theirs, ours) & (self.edition == place)
            if other.any():
                self.wrong.append((contradiction(self.ruleset, fact.path, value), other))
        self.facts[fact.path] = read(fact, ours.zip_with(ours.is_not_null(), theirs))

    def given_of(self, fact: Fact) -> pl.Series:
        """Return what is given of a fact, as a column like those of what is fixed."""
        if self.plans is not None and fact.path in self.plans.facts:
            return as_raw(fact, self.plans.given[fact.path], self.plans.cells).gather(self.plan)
        return as_raw(fact, self.frame[fact.path], self.cells)

    # --- what follows ---------------------------------------------------------------------------------------

    def derive(self, fact: Fact) -> None:
        """Work a fact out where it is not given."""
        given = self.facts.get(fact.path)
        derived = _DERIVE.get(fact.path, Rows.days_between)(self, fact)
        values = derived if given is None else given.values.zip_with(given.values.is_not_null(), derived)  # type: ignore[union-attr]
        self.facts[fact.path] = Column(fact, values)

    def sources(self, fact: Fact) -> dict[str, pl.Series]:
        """Return the values of what a fact is derived from, in that order."""
        vocabulary = self.ruleset.vocabulary
        return {
            path: self.facts[path].values if path in self.facts else self.nulls(type_of(vocabulary[path].kind))  # type: ignore[union-attr]
            for path in fact.derived_from
        }

    def units(self, fact: Fact) -> pl.Series:
        """Return how many units so many minutes are."""
        minutes, unit, rounding = self.sources(fact).values()
        kind = self.ruleset.vocabulary["plan.unit_rounding"].kind
        assert isinstance(kind, Enum)
        # Numbers of no more than 32 bits are divided without loss, and several times as fast, as decimal ones.
        units = minutes / unit
        whole, nearest = units.floor(), (units - 0.5).ceil()
        sure = rounding.is_not_null() | (whole == nearest)
        counted = whole.zip_with(rounding == place_of("whole", kind), nearest).set(~sure, None).cast(pl.Int64)
        itself = (minutes == 0) | (minutes == int(UNLIMITED))
        return minutes.cast(pl.Int64).zip_with(itself, counted)

    def days_between(self, fact: Fact) -> pl.Series:
        """Return the days from the second date to the first."""
        later, earlier = self.sources(fact).values()
        return (later.to_physical() - earlier.to_physical()).cast(pl.Int64)

    def prescription_age(self, fact: Fact) -> pl.Series:
        """Return the days from the first date to the second."""
        return -self.days_between(fact)

    def specificity(self, fact: Fact) -> pl.Series:
        """Return how closely each diagnosis names a site."""
        assert isinstance(fact.kind, Enum)
        kind = fact.kind
        return self.vocabulary(fact.derived_from[0]).look_up(
            lambda code: place_of(specificity(code) or "", kind), type_of(kind)
        )

    def diagnosis_valid(self, fact: Fact) -> pl.Series:
        """Return whether each diagnosis is valid on its day."""
        _, days = self.sources(fact).values()
        vocabulary = self.vocabulary(fact.derived_from[0])
        valid = vocabulary.look_up(lambda code: diagnosis_valid(code, None), pl.Boolean)
        for split in icd10cm.DATED:
            there = [code for code in (split.old, *split.new) if code in vocabulary.texts]
            since = days >= split.effective if there else valid
            for code in there:
                of_code = (vocabulary.places == vocabulary.texts.index(code)).fill_null(False)
                valid = (~since if code == split.old else since).zip_with(of_code, valid)
        return valid

    def within_prescribed_sites(self, fact: Fact) -> pl.Series:
        """Return whether what is treated lies within what is prescribed."""
        treated, prescribed = (self.facts.get(path) for path in fact.derived_from)
        within = self.nulls(pl.Boolean)
        if isinstance(treated, Sets) and isinstance(prescribed, Sets):
            within = treated.lie_within(prescribed)
        if isinstance(treated, Sets):
            within = within | treated.is_empty()
        if isinstance(prescribed, Sets):
            within = within | prescribed.has("whole-body")
        return within

    # --- sets -----------------------------------------------------------------------------------------------

    def test(self, test: SetTest) -> pl.Series:
        """Return where a test of a set holds, where it does not, and null where that is unknown."""
        if isinstance(test, Size):
            sets = self.facts.get(test.collection.path)
            if not isinstance(sets, Sets):
                return self.nulls(pl.Boolean)
            return sets.is_any() if test.is_ == "any" else sets.is_empty()
        element: Any = test.element if isinstance(test, Member) else test.code
        collection: Any = test.collection if isinstance(test, Member) else test.prefixes
        fitting = _itself if isinstance(test, Member) else _beginnings
        if not isinstance(collection, Ref):
            if element.path not in self.facts:
                return self.nulls(pl.Boolean)
            return self.vocabulary(element.path).look_up(
                lambda word: any(each in collection for each in fitting(word)), pl.Boolean
            )
        sets = self.facts.get(collection.path)
        if not isinstance(sets, Sets):
            return self.nulls(pl.Boolean)
        if not isinstance(element, Ref):
            return sets.has(element)
        if element.path not in self.facts:
            return self.nulls(pl.Boolean)
        return sets.meets(self.vocabulary(element.path), fitting)

    def vocabulary(self, path: str) -> Vocabulary:
        """Return the words of a fact and where they are."""
        if path not in self.words:
            fact = self.ruleset.vocabulary[path]
            column = self.facts.get(path) or Column(fact, self.nulls(type_of(fact.kind)))
            self.words[path] = column.words  # type: ignore[union-attr]
        return self.words[path]

    def nulls(self, dtype: Any) -> pl.Series:
        """Return a column in which nothing is known."""
        return pl.Series([None], dtype=dtype).new_from_index(0, len(self.frame))


_DERIVE: Final[Mapping[str, Callable[[Rows, Fact], pl.Series]]] = {
    "plan.units_in_longest_visit": Rows.units,
    "prescription.age_days": Rows.prescription_age,
    "prescription.diagnosis_valid": Rows.diagnosis_valid,
    "prescription.specificity": Rows.specificity,
    "visit.units": Rows.units,
    "visit.within_prescribed_sites": Rows.within_prescribed_sites,
}
"""How facts are derived; all others are the days between two dates."""


def _itself(word: str) -> tuple[str, ...]:
    return (word,)


def _beginnings(code: str) -> tuple[str, ...]:
    return tuple(code[:end] for end in range(1, len(code) + 1))


def _differ(fact: Fact, one: pl.Series, other: pl.Series) -> pl.Series:
    """Return where two columns both have a value, and not the same."""
    if isinstance(fact.kind, SetOf):
        one, other = (each.list.unique().list.sort().list.join("|") for each in (one, other))
    return (one != other).fill_null(False)

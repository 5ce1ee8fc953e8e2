"""Columns of a frame as facts: which there are, and what is wrong with them, said once for every engine."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import attrs

from covrules.case_reading import undeclared, unknown_fact
from covrules.declaring import Fact
from covrules.errors import MAX_PROBLEMS, FactError, Problem, nearest, printable
from covrules.facts import FACTS, GROUPS, OWN
from covrules.rulesets import Ruleset

__all__ = ["Fault"]

Holds = Literal["bool", "number", "decimal", "text", "date", "moment", "texts", "cells", "nothing", "else"]
"""What a column holds, as all engines have it.

A `moment` is a date with a time, `texts` are lists of text, and `cells` are text that is read as the type of its fact.
"""

_WORDS: Final[Mapping[Holds, str]] = {
    "bool": "true and false", "number": "whole numbers", "decimal": "decimal numbers", "text": "text", "date": "dates",
    "moment": "dates with a time", "texts": "lists of text", "cells": "cells", "nothing": "nothing",
    "else": "something else",
}  # fmt: skip
_TEXTUAL: Final = frozenset[Holds]({"text"})
_TAKES: Final[Mapping[str, frozenset[Holds]]] = {
    "bool": frozenset({"bool"}),
    "number": frozenset({"number", "decimal"}),
    "date": frozenset({"date", "moment", "text"}),
    "text": _TEXTUAL,
    "code": _TEXTUAL,
    "enum": _TEXTUAL,
    "set": frozenset({"texts"}),
}
"""What columns of each family of facts may hold; all may hold nothing."""

PLAN: Final = "plan.id"
"""The fact by which the plan of a row is found among plans."""
PLAN_TWICE: Final = Problem(
    path=PLAN, message="found no id, or one that another plan has too", expected="an id of its own"
)

_FIRST_ROWS: Final = 3


@attrs.frozen
class Fault:
    """Values of a column that cannot be used: what was found, in how many rows, and in which first, counted from 0.

    `problem` says what was found; `of_plans` tells rows of plans from those of visits.
    """

    problem: Problem
    rows: int
    first: tuple[int, ...]
    of_plans: bool = False

    def told(self, all_rows: bool = True) -> Problem:
        """Return the problem with the rows it is in, of all the rows there are or of those that were looked at."""
        where = f"row{'' if self.rows == 1 else 's'}{' of plans' if self.of_plans else '' if all_rows else ' or more'}"
        first = ", ".join(map(str, self.first))
        listed = f"row {first}" if self.rows == 1 else f"first {first}"
        return attrs.evolve(self.problem, message=f"{self.problem.message} in {self.rows} {where} ({listed}, from 0)")


def fault(problem: Problem, rows: Iterable[int], of_plans: bool = False) -> Fault:
    """Return the fault of a problem that is in these rows, in order."""
    all_ = [*rows]
    return Fault(problem, len(all_), tuple(all_[:_FIRST_ROWS]), of_plans)


def joined(faults: Iterable[Fault]) -> list[Fault]:
    """Return faults with those of one problem made one; they come in the order of their rows."""
    found: dict[tuple[Problem, bool], Fault] = {}
    for each in faults:
        key = (each.problem, each.of_plans)
        same = found.get(key)
        found[key] = (
            each
            if same is None
            else attrs.evolve(same, rows=same.rows + each.rows, first=(*same.first, *each.first)[:_FIRST_ROWS])
        )
    return [*found.values()]


def unusable(faults: Iterable[Fault], all_rows: bool = True) -> FactError:
    """Return the error that tells of faults, all at once."""
    return FactError(each.told(all_rows) for each in joined(faults))


def fact_columns(
    columns: Mapping[str, Holds], ruleset: Ruleset, added: Collection[str] = (), of_plans: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return the columns that are facts, in the order of the vocabulary, by what each column holds.

    A column whose name is like no fact's is passed over. Raises one FactError for all that are like a fact's and are
    none, that hold what their fact does not take, that are called as one of those `added`, or that are in the frame of
    plans too, whose columns are `of_plans` if there is one.
    """
    problems: list[Problem] = []
    for name, holds in columns.items():
        fact = ruleset.vocabulary.get(name)
        if name in added:
            problems.append(_taken(name))
        elif fact is None:
            problems += [] if (wrong := _stranger(name, ruleset)) is None else [wrong]
        elif holds not in (*_TAKES[fact.kind.family], "cells", "nothing"):
            expected = f"a column of {held_by(fact)}, null where unknown"
            problems.append(Problem(path=name, message=f"found a column of {_WORDS[holds]}", expected=expected))
        elif of_plans is not None and name in of_plans and name != PLAN:
            problems.append(Problem(path=name, message="the frame has a column of it, and the plans have one too"))
    if of_plans is not None and PLAN not in columns:
        problems.append(Problem(path=PLAN, message="there is no such column, by which to find the plan of a row"))
    if problems:
        raise FactError(problems[:MAX_PROBLEMS])
    return tuple(path for path in ruleset.vocabulary if path in columns)


def plan_columns(columns: Mapping[str, Holds], ruleset: Ruleset) -> tuple[str, ...]:
    """Return the facts of plans among the columns of the frame of plans, but for the id; raises FactError likewise."""
    facts = fact_columns(columns, ruleset)
    problems = [] if PLAN in facts else [Problem(path=PLAN, message="the plans have no such column")]
    problems += [
        Problem(path=path, message="the plans have a column of it, and it is no fact of a plan")
        for path in facts
        if not path.startswith("plan.")
    ]
    if problems:
        raise FactError(problems)
    return tuple(path for path in facts if path != PLAN)


def held_by(fact: Fact) -> str:
    """Return what a column of a fact holds, in words."""
    takes = _TAKES[fact.kind.family]
    return next(words for holds, words in _WORDS.items() if holds in takes)


def _taken(name: str) -> Problem:
    return Problem(
        path=name,
        message="there is a column of this name already, and the verdict adds one",
        hint="rename it, or leave it out",
    )


def _stranger(name: str, ruleset: Ruleset) -> Problem | None:
    """Return the problem of a column that must have been meant as a fact, else None."""
    group, dot, rest = name.partition(".")
    if not dot:
        return None
    if group == OWN:
        return undeclared(rest, ruleset.declares)
    meant = nearest(name, FACTS)
    if group in GROUPS:
        unknown = unknown_fact(rest, group)
        return unknown if meant is None else attrs.evolve(unknown, hint=f"did you mean {meant}?")
    if meant is None or nearest(group, GROUPS) is None:
        return None
    return Problem(path=printable(name), message="there is no such fact", hint=f"did you mean {meant}?")

"""A case as a ruleset meets it: in force on the day, its own facts checked, what the plan fixes filled in."""

import datetime as dt
from typing import Any, TypeVar

import attrs

from covrules.case_reading import own_values
from covrules.errors import FactError, Problem
from covrules.facts import OWN, Case, Own
from covrules.rulesets import Ruleset

T = TypeVar("T", bound=attrs.AttrsInstance)


def meet(ruleset: Ruleset, case: Case, day: dt.date | None) -> Case:
    """Return the case with what the ruleset adds to it: the values fixed on the day, its own facts as their kinds.

    Raises FactError where the ruleset is not in force on the day, or needs one and has none; where the case
    contradicts what the plan fixes; and for own facts that are not declared or not of their kind.
    """
    if ruleset.dated:
        _in_force(ruleset, day)
    if not (ruleset.fixed or case.own):
        return case
    own = own_values(case.own, ruleset.declares) if case.own else {}
    problems: list[Problem] = []
    fixed = ruleset.fixed_on(day)
    groups: dict[str, dict[str, Any]] = {}
    for path, value in fixed.items():
        group, _, name = path.partition(".")
        given = own.get(name) if group == OWN else case.get(path)
        if given is None:
            groups.setdefault(group, {})[name] = value
        elif given != value:
            problems.append(_contradiction(ruleset, path))
    if problems:
        raise FactError(problems)
    met = {group: _with(getattr(case, group), values) for group, values in groups.items() if group != OWN}
    return _with(case, {**met, OWN: Own(own | groups.get(OWN, {}))})


def _with(thing: T, values: dict[str, Any]) -> T:
    """Return a copy with other values; they have been checked already, so it is not made anew."""
    copy = object.__new__(type(thing))
    for field in attrs.fields(type(thing)):
        name = field.name
        object.__setattr__(copy, name, values[name] if name in values else getattr(thing, name))
    return copy


def _in_force(ruleset: Ruleset, day: dt.date | None) -> None:
    if day is None:
        raise FactError([
            Problem(
                path="visit.date",
                message=f"unknown, and what {ruleset.id} says depends on the day",
                expected="the day of the visit, or as_of in its place",
            )
        ])  # fmt: skip
    if not ruleset.effective.holds(day):
        versions = ", ".join(map(str, ruleset.versions)) or "this one alone"
        raise FactError([
            Problem(
                path="visit.date",
                message=f"outside the days {ruleset.id} {ruleset.version} is in force",
                expected=f"a day {ruleset.effective}",
                hint=f"versions there are: {versions}; covrules.load(id, on=day) chooses the one of a day",
            )
        ])  # fmt: skip


def _contradiction(ruleset: Ruleset, path: str) -> Problem:
    fixed = ruleset.fixed[path]
    return Problem(
        path=path,
        message=f"contradicts what {fixed.origin} fixes ({fixed.place})",
        expected="that value, or none",
        hint="leave the fact out of the case, or use another ruleset",
    )

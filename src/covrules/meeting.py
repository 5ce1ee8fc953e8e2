"""A case as a ruleset meets it: in force on the day, its own facts checked, what the plan fixes filled in."""

import datetime as dt
from typing import Any

from covrules.case_reading import own_values
from covrules.declaring import filled
from covrules.errors import FactError, Problem
from covrules.facts import NOTHING_OWN, OWN, Case, Own, with_groups
from covrules.rulesets import Ruleset


def meet(ruleset: Ruleset, case: Case, day: dt.date | None) -> Case:
    """Return the case with what the ruleset adds to it: the values fixed on the day, its own facts as their kinds.

    Raises FactError where the ruleset is not in force on the day, or needs one and has none; where the case
    contradicts what the plan fixes; and for own facts that are not declared or not of their kind.
    """
    if ruleset.dated:
        in_force(ruleset, day, "as_of" if case.visit.date is None else "visit.date")
    if not (ruleset.fixed or case.own):
        return case
    given = own_values(case.own, ruleset.declares) if case.own else {}
    problems: list[Problem] = []
    groups: dict[str, Any] = {}
    for group, fixed in ruleset.fixed_by_group(day).items():
        facts = getattr(case, group)
        for name, value in fixed.items():
            theirs = given.get(name) if group == OWN else getattr(facts, name)
            if theirs is not None and theirs != value:
                problems.append(contradiction(ruleset, f"{group}.{name}", value))
        groups[group] = {**fixed, **given} if group == OWN else filled(facts, fixed)
    if problems:
        raise FactError(problems)
    groups[OWN] = Own(groups.get(OWN, given)) if given or OWN in groups else NOTHING_OWN
    return with_groups(case, groups)


def in_force(ruleset: Ruleset, day: dt.date | None, path: str) -> None:
    """Raise FactError where a ruleset is not in force on a day, or needs one and has none; `path` says which day."""
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
                path=path,
                message=f"outside the days {ruleset.id} {ruleset.version} is in force",
                expected=f"a day {ruleset.effective}",
                hint=f"versions there are: {versions}",
            )
        ])  # fmt: skip


def contradiction(ruleset: Ruleset, path: str, value: Any) -> Problem:
    """Return the problem of a case that has another value of a fact than the one the ruleset fixes."""
    fixed = ruleset.fixed[path]
    return Problem(
        path=path,
        message=f"contradicts what {fixed.origin} fixes ({fixed.place})",
        expected=f"{fixed.fact.kind.words(value)}, or nothing",
        hint="leave the fact out of the case, or use another ruleset",
    )

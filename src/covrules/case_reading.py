"""A case from nested plain values, as JSON has them; all that is wrong is said at once, and no value is repeated."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from covrules.declaring import Fact, make, names_in, problem_with
from covrules.errors import MAX_PROBLEMS, FactError, Problem, did_you_mean
from covrules.facts import FACTS, GROUPS, OWN, Case
from covrules.kinds import Unfit, describe

# No digits: a name with some may be a patient's number.
_NAME = re.compile(r"[a-z][a-z_]{0,39}(\.[a-z][a-z_]{0,39})?")


def case_from_row(row: Mapping[str, Any]) -> Case:
    """Return the case in a row of a frame, such as `df.row(0, named=True)` in Polars or `df.iloc[0]` in pandas.

    Values are those of typed columns: 2147483647 is `unlimited`, 9999-12-31 is `open` or `never`, `["any"]` is `any`;
    null and NaN are unknown. What is no fact is passed over, such as the columns of a verdict. Raises one FactError
    listing every value that cannot be used.

    >>> case = case_from_row({"patient": 7, "visit.minutes": 60.0, "plan.units_per_visit": 2147483647})
    >>> case.visit.minutes, case.plan.units_per_visit
    (60, UNLIMITED)
    """
    facts: dict[str, dict[str, Any]] = {}
    for name, value in row.items():
        group, _, fact = str(name).partition(".")
        if name in FACTS or (group == OWN and fact):
            facts.setdefault(group, {})[fact] = _of_cell(value)
    return case_from_dict(facts)


def _of_cell(value: Any) -> Any:
    """Return a value of a typed column as JSON has it."""
    if hasattr(value, "tolist"):
        value = value.tolist()  # numpy's numbers, flags and lists
    if isinstance(value, dt.datetime) and value == value:
        value = value.date() if value.time() == dt.time() else value
    # What equals nothing, not even itself, is how pandas says that it does not know.
    if value is None or type(value).__name__ == "NAType" or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "any" if value == ["any"] else value


def looks_like_a_name(name: object) -> bool:
    """Return whether this could be meant as a fact's name, so that it may be repeated."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def unknown_fact(name: object, within: str | None = None, **place: Any) -> Problem:
    """Return the problem of a name that is no fact's; it is repeated only if it looks like one."""
    known = _names(within)
    what = f"fact of {within}" if within else "group of facts"
    if not isinstance(name, str) or not looks_like_a_name(name):
        return Problem(
            path=within, message=f"a name that is no {what}", expected=f"one of: {', '.join(known)}", **place
        )
    path = f"{within}.{name}" if within else name
    if name in FACTS:
        group, _, inner = name.partition(".")
        hint = f"facts stand in their groups: {inner} under {group}"
    else:
        near = did_you_mean(path, FACTS) if "." in name else did_you_mean(name, known) or did_you_mean(path, FACTS)
        hint = near or f"the names are: {', '.join(known)}"
    return Problem(path=path, message=f"there is no such {what}", hint=hint, **place)


def own_values(own: Mapping[str, Any], declares: Mapping[str, Fact]) -> dict[str, Any]:
    """Return the own facts of a case by name, each as its kind has it; raises FactError."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in own.items():
        fact = declares.get(f"{OWN}.{name}")
        if len(problems) == MAX_PROBLEMS:
            break
        if fact is None:
            problems.append(undeclared(name, declares))
            continue
        try:
            values[name] = fact.kind.parse(value)
        except Unfit as unfit:
            problems.append(problem_with(fact.path, fact.kind, unfit))
    if problems:
        raise FactError(problems)
    return values


def undeclared(name: object, declares: Mapping[str, Fact], **place: Any) -> Problem:
    """Return the problem of an own fact that a ruleset does not declare; its name is repeated if it looks like one."""
    names = [fact.name for fact in declares.values()]
    known = f"those are: {', '.join(names)}" if names else "it has none"
    hint = (did_you_mean(name, names) if isinstance(name, str) else None) or known
    message = "there is no such fact of the ruleset's own"
    return Problem(path=f"{OWN}.{name}" if looks_like_a_name(name) else OWN, message=message, hint=hint, **place)


def _names(within: str | None) -> list[str]:
    return [f.name for f in FACTS.values() if f.group == within] if within else [*GROUPS, OWN]


def _strangers(names: Iterable[object], within: str | None) -> list[Problem]:
    known = _names(within)
    unknown = (name for name in names if name not in known)
    return [unknown_fact(name, within) for name in islice(unknown, MAX_PROBLEMS)]


def case_from_dict(data: Mapping[str, Any]) -> Case:
    """Return the case that nested plain values describe: `{"plan": {"units_per_visit": 4}, ...}`.

    Values are those of JSON (dates may also be date objects); null and absent mean unknown. What stands under `own`
    is checked by the ruleset that declares it. Raises one FactError listing every unknown name and every value of the
    wrong type by its path.

    >>> case_from_dict({"visit": {"minutes": 60, "date": "2026-06-15"}}).visit.minutes
    60
    """
    if not isinstance(data, Mapping):
        raise FactError([Problem(message=f"found {describe(data)}", expected="a mapping of groups of facts")])
    groups: dict[str, Any] = {}
    problems = _strangers(data, None)
    for group, cls in GROUPS.items():
        values = data.get(group)
        if values is None:
            continue
        if not isinstance(values, Mapping):
            found = f"found {describe(values)}"
            problems.append(Problem(path=group, message=found, expected="a mapping of facts to values"))
        else:
            problems += _strangers(values, group) if not names_in(cls).issuperset(values) else []
            try:
                groups[group] = make(cls, values)
            except FactError as error:
                problems += error.problems
    own = data.get(OWN)
    if own is not None and not isinstance(own, Mapping):
        problems.append(Problem(path=OWN, message=f"found {describe(own)}", expected="a mapping of names to values"))
    if problems:
        raise FactError(problems)
    return Case(**groups, own=own)

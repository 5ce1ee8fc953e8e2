"""How a fact is declared, and what a group of declared facts does: check its values when one is built."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeVar, cast, get_args, get_type_hints

import attrs

from covrules.errors import FactError, Problem
from covrules.kinds import Kind, Unfit

__all__ = ["PEOPLE", "Act", "Change", "Fact"]

G = TypeVar("G", bound="Group")

Joined = Literal["and", "or"]

Who = Literal["patient", "doctor", "clinic", "insurer"]
PEOPLE: Final[tuple[Who, ...]] = get_args(Who)
"""Who can answer a question or mend what is wrong."""


@attrs.frozen(eq=False)
class Act:
    """Something a person can do, as the beginning of a sentence; what it sets is said after it.

    `new` is the date of the document that it makes anew, which can lie no earlier than the day it is asked for.
    What is not done `after_visit` can no longer be done once the visit has been. `who` does it; `words` are that
    beginning.
    """

    who: Who
    words: str
    new: str | None = None
    after_visit: bool = False


@attrs.frozen
class Change:
    """How people can change a fact: by which acts, said how (`{}` is the value), and to which values if not to all.

    `endless` says it of a value without end: unlimited, or open. `words` go on after those of the act.
    """

    words: str
    by: tuple[Act, ...]
    to: tuple[Any, ...] | None = None
    endless: str | None = None


@attrs.frozen(kw_only=True)
class Fact:
    """What is declared of one fact.

    `label` names it in a sentence after "the"; `ask` is the question that asks for it; `who` can answer; `change`
    says how people can change it (not at all, if empty); `unit` is what a number counts; `unknown` stands for it in
    a sentence while it is unknown, where that of its kind does not do; `joined` is "or" where any one of what it
    lists is enough; no rule may test what is not `testable`. A derived fact is computed from the facts in
    `derived_from`, unless a case gives it. `path` is its group and `name` with a dot between.
    """

    path: str
    name: str
    kind: Kind
    label: str
    ask: str
    who: Who
    change: tuple[Change, ...] = ()
    unit: str | None = None
    derived_from: tuple[str, ...] = ()
    unknown: str | None = None
    joined: Joined = "and"
    testable: bool = True

    def said(self, value: Any) -> str:
        """Return a value, or what stands for one that is unknown (None), as a sentence for people says it."""
        if value is None:
            return self.kind.unknown if self.unknown is None else self.unknown
        return self.kind.said(value, self.joined)

    @property
    def group(self) -> str:
        """The group the fact belongs to: the part of the path before the dot."""
        return self.path.partition(".")[0]


def fact(
    label: str,
    ask: str,
    who: Who,
    *,
    change: tuple[Change, ...] = (),
    unit: str | None = None,
    derived_from: tuple[str, ...] = (),
    unknown: str | None = None,
    joined: Joined = "and",
    testable: bool = True,
) -> Any:
    """Declare a fact of a group; its type is the annotation's."""
    declared = {
        "label": label,
        "ask": ask,
        "who": who,
        "change": change,
        "unit": unit,
        "derived_from": derived_from,
        "unknown": unknown,
        "joined": joined,
        "testable": testable,
    }
    return attrs.field(default=None, metadata={"fact": declared})


class Group:
    """What all groups of facts share: their values are checked, and made canonical, when one is built."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        problems = []
        for slot in _table(type(self)).slots:
            value = getattr(self, slot.fact.name)
            if value is not None:
                try:
                    slot.put(self, slot.parse(value))
                except Unfit as unfit:
                    problems.append(problem_with(slot.fact.path, slot.fact.kind, unfit))
        if problems:
            raise FactError(problems)

    def __repr__(self) -> str:
        values = ((fact_.name, getattr(self, fact_.name)) for fact_ in declared(type(self)))
        known = ", ".join(f"{name}={value!r}" for name, value in values if value is not None)
        return f"{type(self).__name__}({known})"


class _Slot(NamedTuple):
    """Where a fact has its place in a group, and how a value for it is checked."""

    fact: Fact
    name: str
    parse: Callable[[Any], Any]
    put: Callable[[Group, Any], None]


@attrs.frozen
class _Table:
    """What is declared in a group, in order."""

    facts: tuple[Fact, ...]
    names: frozenset[str]
    slots: tuple[_Slot, ...]


_TABLES: dict[type[Group], _Table] = {}


def _table(group: type[Group]) -> _Table:
    if group not in _TABLES:
        hints = get_type_hints(group, include_extras=True)
        facts = tuple(
            Fact(
                path=f"{group.__name__.lower()}.{field.name}",
                name=field.name,
                kind=get_args(hints[field.name])[1],
                **field.metadata["fact"],
            )
            for field in attrs.fields(cast(type[attrs.AttrsInstance], group))
        )
        slots = (_Slot(each, each.name, each.kind.parse, getattr(group, each.name).__set__) for each in facts)
        _TABLES[group] = _Table(facts, frozenset(each.name for each in facts), tuple(slots))
    return _TABLES[group]


def declared(group: type[Group]) -> tuple[Fact, ...]:
    """Return what is declared of each fact of a group; a group's class is called as the group is."""
    return _table(group).facts


def names_in(group: type[Group]) -> frozenset[str]:
    """Return the names of the facts of a group."""
    return _table(group).names


def make(group: type[G], given: Mapping[str, Any]) -> G:
    """Return the group of the values given by name, each checked once; what is missing is unknown.

    Names that are no fact's are passed over. Raises FactError.
    """
    made = object.__new__(group)
    problems = []
    for fact_, name, parse, put in _table(group).slots:
        value = given.get(name)
        if value is not None:
            try:
                value = parse(value)
            except Unfit as unfit:
                problems.append(problem_with(fact_.path, fact_.kind, unfit))
        put(made, value)
    if problems:
        raise FactError(problems)
    return made


def filled(group: G, values: Mapping[str, Any]) -> G:
    """Return the group with these values where it has none; they have been checked already."""
    made = object.__new__(type(group))
    for slot in _table(type(group)).slots:
        given = getattr(group, slot.name)
        slot.put(made, values.get(slot.name) if given is None else given)
    return made


def problem_with(path: str, kind: Kind, unfit: Unfit, **place: Any) -> Problem:
    """Return the problem of a value that its fact does not take, without the value."""
    hint = None if unfit.telling else unfit.hint
    return Problem(path=path, message=f"found {unfit.found}", expected=kind.expected, hint=hint, **place)

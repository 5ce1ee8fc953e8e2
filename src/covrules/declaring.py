"""How a fact is declared, and what a group of declared facts does: check its values when one is built."""

from typing import Any, Final, Literal, cast, get_args, get_type_hints

import attrs

from covrules.errors import FactError, Problem
from covrules.kinds import Kind, Unfit

Who = Literal["patient", "doctor", "clinic", "insurer"]
PEOPLE: Final[tuple[Who, ...]] = get_args(Who)
"""Who can answer a question or mend what is wrong."""


@attrs.frozen(kw_only=True)
class Fact:
    """What is declared of one fact.

    `label` names it in a sentence after "the"; `ask` is the question that asks for it; `who` can answer; `change`
    lists who can change it (nobody, if empty); `unit` is what a number counts; `unknown` stands for it in a sentence
    while it is unknown; no rule may test what is not `testable`. A derived fact is computed from the facts in
    `derived_from`, unless a case gives it.
    """

    path: str
    name: str
    kind: Kind
    label: str
    ask: str
    who: Who
    change: tuple[Who, ...] = ()
    unit: str | None = None
    derived_from: tuple[str, ...] = ()
    unknown: str = "(not known)"
    testable: bool = True

    @property
    def group(self) -> str:
        """The group the fact belongs to: the part of the path before the dot."""
        return self.path.partition(".")[0]


def fact(
    label: str,
    ask: str,
    who: Who,
    *,
    change: tuple[Who, ...] = (),
    unit: str | None = None,
    derived_from: tuple[str, ...] = (),
    unknown: str = "(not known)",
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
        "testable": testable,
    }
    return attrs.field(default=None, metadata={"fact": declared})


class Group:
    """What all groups of facts share: their values are checked, and made canonical, when one is built."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        problems = []
        for fact_ in declared(type(self)):
            value = getattr(self, fact_.name)
            if value is None:
                continue
            try:
                canonical = fact_.kind.parse(value)
            except Unfit as unfit:
                problems.append(problem_with(fact_.path, fact_.kind, unfit))
            else:
                if canonical is not value:
                    object.__setattr__(self, fact_.name, canonical)
        if problems:
            raise FactError(problems)

    def __repr__(self) -> str:
        values = ((fact_.name, getattr(self, fact_.name)) for fact_ in declared(type(self)))
        known = ", ".join(f"{name}={value!r}" for name, value in values if value is not None)
        return f"{type(self).__name__}({known})"


def declared(group: type[Group]) -> tuple[Fact, ...]:
    """Return what is declared of each fact of a group; a group's class is called as the group is."""
    if group not in _DECLARED:
        hints = get_type_hints(group, include_extras=True)
        _DECLARED[group] = tuple(
            Fact(
                path=f"{group.__name__.lower()}.{field.name}",
                name=field.name,
                kind=get_args(hints[field.name])[1],
                **field.metadata["fact"],
            )
            for field in attrs.fields(cast(type[attrs.AttrsInstance], group))
        )
    return _DECLARED[group]


_DECLARED: dict[type[Group], tuple[Fact, ...]] = {}


def problem_with(path: str, kind: Kind, unfit: Unfit, **place: Any) -> Problem:
    """Return the problem of a value that its fact does not take, without the value."""
    hint = None if unfit.telling else unfit.hint
    return Problem(path=path, message=f"found {unfit.found}", expected=kind.expected, hint=hint, **place)

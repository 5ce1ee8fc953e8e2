"""Conditions lowered into two positive forms, certainly true and certainly false: what engines are given."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final, Literal

import attrs

from covrules.conditions import OPERATORS, AllOf, Condition, Not, Operator, Ref, Symbol, Test
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED, Count, Date, Enum, Kind


@attrs.frozen
class Left:
    """What is left of a limit: max(0, limit less what is used); present when all it reads is present."""

    limit: Any
    used: tuple[str, ...]


Operand = Ref | Left | Any


@attrs.frozen
class Compare:
    """Holds where both sides are present and compare so; a side is a Ref, a Left or a value.

    Where `words` has any, both sides are words of that ordered enum, and compare by their places in it.
    """

    left: Operand
    symbol: Symbol
    right: Operand
    words: tuple[str, ...] = ()


@attrs.frozen
class Member:
    """Holds where both are present and the element is (or, if not `holds`, is not) in the collection."""

    element: Operand
    collection: Operand
    holds: bool


@attrs.frozen
class Within:
    """Holds where both are present and the code begins (or, if not `holds`, does not) with one of the prefixes."""

    code: Operand
    prefixes: Operand
    holds: bool


@attrs.frozen
class Size:
    """Holds where the set is present and is `any`, or is empty."""

    collection: Ref
    is_: Literal["any", "empty"]


@attrs.frozen
class And:
    """Holds when every part holds; with no parts, always."""

    parts: tuple["Form", ...] = ()


@attrs.frozen
class Or:
    """Holds when some part holds; with no parts, never."""

    parts: tuple["Form", ...] = ()


Atom = Compare | Member | Within | Size
Form = Atom | And | Or
ALWAYS: Final = And()
NEVER_HOLDS: Final = Or()


@attrs.frozen
class Forms:
    """A condition lowered: when it is certainly true, and when it is certainly false; else it is unknown."""

    true: Form
    false: Form


@lru_cache(maxsize=10_000)
def lower(condition: Condition) -> Forms:
    """Return the two positive forms of a condition (Kleene's strong three-valued logic).

    No form has a negation or needs to know of unknown facts: its atoms hold only where all they read is
    present.
    """
    if isinstance(condition, Not):
        forms = lower(condition.part)
        return Forms(forms.false, forms.true)
    if isinstance(condition, Test):
        return _lower_test(condition)
    parts = [lower(part) for part in condition.parts]
    if isinstance(condition, AllOf):
        return Forms(conjunction([p.true for p in parts]), disjunction([p.false for p in parts]))
    return Forms(disjunction([p.true for p in parts]), conjunction([p.false for p in parts]))


def lower_cap(asked: Ref, limit: Any, used: tuple[str, ...]) -> Forms:
    """Return the forms of "no more is asked than is allowed"."""
    left = Left(limit, used)
    true: list[Form] = [Compare(asked, "<=", left), Compare(asked, "==", 0)]
    if isinstance(limit, Ref):
        true.append(Compare(limit, "==", UNLIMITED))
    elif limit is UNLIMITED:
        return Forms(ALWAYS, NEVER_HOLDS)
    return Forms(disjunction(true), Compare(asked, ">", left))


def conjunction(parts: list[Form]) -> Form:
    """Return the form that holds when all parts do, as flat as can be."""
    flat = _flat(parts, And)
    if NEVER_HOLDS in flat:
        return NEVER_HOLDS
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disjunction(parts: list[Form]) -> Form:
    """Return the form that holds when some part does, as flat as can be."""
    flat = _flat(parts, Or)
    if ALWAYS in flat:
        return ALWAYS
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def _flat(parts: list[Form], same: type[And] | type[Or]) -> list[Form]:
    flat: list[Form] = []
    for part in parts:
        flat += part.parts if isinstance(part, same) else (part,)
    return list(dict.fromkeys(flat))


def _lower_test(test: Test) -> Forms:
    left, right = test.fact, test.right
    kind, other = left.kind, right.kind if isinstance(right, Ref) else None
    match OPERATORS[test.op]:
        case Operator(right="values"):
            forms = _membership(left, right, right)
            return forms if test.op == "in" else Forms(forms.false, forms.true)
        case Operator(right="element"):
            return _membership(right, left, left)
        case Operator(right="prefixes"):
            return _alone(Forms(Within(left, right, True), Within(left, right, False)), right)
        case Operator(symbol="=="):
            return _equal(left, kind, right, other)
        case Operator(symbol="<="):
            return _at_most(left, kind, right, other)
        case Operator(symbol=">="):
            return _at_most(right, other, left, kind)
        case Operator(symbol="<"):
            forms = _at_most(right, other, left, kind)
        case _:
            forms = _at_most(left, kind, right, other)
    return Forms(forms.false, forms.true)


def _membership(element: Operand, collection: Operand, alone: Operand) -> Forms:
    return _alone(Forms(Member(element, collection, True), Member(element, collection, False)), alone)


def _alone(forms: Forms, collection: Operand) -> Forms:
    """Add what the collection decides by itself: `any` holds whatever is asked for, an empty one nothing."""
    if not isinstance(collection, Ref):
        return forms
    return Forms(
        disjunction([forms.true, Size(collection, "any")]),
        disjunction([forms.false, Size(collection, "empty")]),
    )


def _equal(left: Operand, kind: Kind | None, right: Operand, other: Kind | None) -> Forms:
    false: list[Form] = [Compare(left, "!=", right)]
    for side, mine, theirs in ((left, kind, other), (right, other, kind)):
        if mine is not None and theirs is not None and _beyond(mine, theirs):
            false.append(Compare(side, "==", mine.high))
    return Forms(Compare(left, "==", right), disjunction(false))


def _at_most(left: Operand, kind: Kind | None, right: Operand, other: Kind | None) -> Forms:
    """Return the forms of left <= right; a side of no kind is a value.

    One side alone decides where it is the greatest or least value there is: unlimited, open, never, the
    ends of an ordered enum, 0 for counts.
    """
    words = next((each.values for each in (kind, other) if isinstance(each, Enum)), ())
    true: list[Form] = [Compare(left, "<=", right, words)]
    false: list[Form] = [Compare(left, ">", right, words)]
    if kind is not None:
        if other is None:
            true += [ALWAYS] if _is_top(right, kind) else []
        elif other.high is not None:
            true.append(Compare(right, "==", other.high))
    if other is not None:
        if kind is None:
            true += [ALWAYS] if other.low is not None and left == other.low else []
        elif other.low is not None:
            true.append(Compare(left, "==", other.low))
        if kind is not None and _beyond(kind, other):
            false.append(Compare(left, "==", kind.high))
    return Forms(disjunction(true), disjunction(false))


def _is_top(value: Any, kind: Kind) -> bool:
    return any(value is word for word in (UNLIMITED, OPEN, NEVER)) or (kind.high is not None and value == kind.high)


def _beyond(kind: Kind, other: Kind) -> bool:
    """Return whether the greatest value of one kind is greater than every value of the other."""
    return isinstance(kind, (Count, Date)) and kind.high is not None and other.high is None


def begins(code: str, prefixes: Collection[str]) -> bool:
    """Return whether a code begins with one of the prefixes; with `any`, always."""
    return prefixes is ANY or code.startswith(tuple(prefixes))

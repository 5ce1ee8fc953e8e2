"""The condition tree of a rule, and its lowering into two positive forms: certainly true, certainly false."""

import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import attrs

from covrules.errors import one_of
from covrules.facts import FACTS
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED, Code, Count, Date, Enum, Kind, SetOf, Unfit

Symbol = Literal["==", "!=", "<", "<=", ">", ">="]


@attrs.frozen
class Operator:
    """A word that compares: the families of facts it takes, and what stands on its right."""

    takes: tuple[str, ...]
    right: Literal["value", "values", "element", "prefixes"]
    symbol: Symbol | None = None


_SCALARS = ("bool", "number", "text", "date", "code", "enum")
OPERATORS: Final[Mapping[str, Operator]] = {
    "equals": Operator(_SCALARS, "value", "=="),
    "in": Operator(_SCALARS, "values"),
    "not_in": Operator(_SCALARS, "values"),
    "has": Operator(("set",), "element"),
    "within": Operator(("code",), "prefixes"),
    "at_most": Operator(("number", "enum"), "value", "<="),
    "at_least": Operator(("number", "enum"), "value", ">="),
    "below": Operator(("number", "enum"), "value", "<"),
    "above": Operator(("number", "enum"), "value", ">"),
    "on_or_before": Operator(("date",), "value", "<="),
    "on_or_after": Operator(("date",), "value", ">="),
    "before": Operator(("date",), "value", "<"),
    "after": Operator(("date",), "value", ">"),
}
"""Every comparing word; `equals` and `in` are also written as a bare value and a bare list."""


@attrs.frozen(cache_hash=True)
class Ref:
    """Another fact, written `$group.name`."""

    path: str


@attrs.frozen(cache_hash=True)
class Test:
    """A fact compared with a value (canonical, of the right kind) or with another fact."""

    fact: str
    op: str
    right: Any


@attrs.frozen(cache_hash=True)
class AllOf:
    """True when every part is."""

    parts: tuple["Condition", ...]


@attrs.frozen(cache_hash=True)
class AnyOf:
    """True when some part is."""

    parts: tuple["Condition", ...]


@attrs.frozen(cache_hash=True)
class Not:
    """True when the part is false."""

    part: "Condition"


Condition = Test | AllOf | AnyOf | Not


class Mistyped(Exception):
    """A test that cannot be: says what is wrong, what was expected and what to do."""

    def __init__(self, message: str, expected: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.expected, self.hint = message, expected, hint


def operators_for(kind: Kind) -> list[str]:
    """Return the words that can compare a fact of this kind."""
    return [
        name
        for name, op in OPERATORS.items()
        if kind.family in op.takes and (op.symbol in (None, "==") or kind.ordered or kind.high is not None)
    ]


def make_test(fact: str, op: str, right: Any, *, ref: bool = False) -> Test:
    """Return the test of a fact, checked against the kinds of both sides.

    `right` is a text or list of texts as a file has it, or with `ref` the path of another fact. Raises
    Mistyped.
    """
    kind = FACTS[fact].kind
    if op not in operators_for(kind):
        raise Mistyped(f"{fact} ({kind.name}) cannot be tested with {op}", one_of(operators_for(kind)))
    wanted = _right_kind(kind, OPERATORS[op].right)
    if ref:
        other = FACTS[right].kind
        if not _comparable(wanted, other):
            hint = "use within" if op in ("in", "not_in") and kind.family == "code" else None
            raise Mistyped(f"{fact} ({kind.name}) cannot be compared with {right} ({other.name})", hint=hint)
        return Test(fact, op, Ref(right))
    if OPERATORS[op].right == "prefixes" and isinstance(right, str):
        right = [right]
    try:
        value = wanted.read(right)
    except Unfit as unfit:
        raise Mistyped(f"found {unfit.found}", wanted.expected, unfit.hint) from None
    if isinstance(wanted, SetOf) and not value:
        raise Mistyped("found an empty list, which nothing can match", wanted.expected)
    return Test(fact, op, value)


def _right_kind(kind: Kind, right: str) -> Kind:
    if right == "values":
        return SetOf(kind)
    if right == "element":
        assert isinstance(kind, SetOf)
        return kind.of
    if right == "prefixes" and isinstance(kind, Code):
        return SetOf(Code("ICD-10-CM prefix") if kind.system == "ICD-10-CM" else attrs.evolve(kind, none=False))
    return kind


def _comparable(wanted: Kind, other: Kind) -> bool:
    if isinstance(wanted, SetOf):
        return isinstance(other, SetOf) and _comparable(wanted.of, other.of)
    if isinstance(wanted, Code):
        return isinstance(other, Code) and wanted.system == other.system
    if wanted.family == "enum":
        return wanted == other
    return wanted.family == other.family


def facts_in(condition: Condition) -> Iterator[str]:
    """Yield the facts a condition reads, in the order they are written (a fact may come twice)."""
    if isinstance(condition, Test):
        yield condition.fact
        if isinstance(condition.right, Ref):
            yield condition.right.path
    else:
        for part in parts_of(condition):
            yield from facts_in(part)


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """Return what a condition is directly made of."""
    if isinstance(condition, Test):
        return ()
    return (condition.part,) if isinstance(condition, Not) else condition.parts


def to_data(condition: Condition) -> dict[str, Any]:
    """Return the condition as plain data, in the file's own form."""
    if isinstance(condition, Not):
        return {"not": to_data(condition.part)}
    if isinstance(condition, Test):
        right = condition.right
        kind = _right_kind(FACTS[condition.fact].kind, OPERATORS[condition.op].right)
        return {condition.fact: {condition.op: f"${right.path}" if isinstance(right, Ref) else kind.plain(right)}}
    return {"all" if isinstance(condition, AllOf) else "any": [to_data(part) for part in condition.parts]}


# --- the positive forms: what engines are given -------------------------------------------------------------


@attrs.frozen
class Left:
    """What is left of a limit: max(0, limit less what is used); present when all it reads is present."""

    limit: Any
    used: tuple[str, ...]


Operand = Ref | Left | Any


@attrs.frozen
class Compare:
    """Holds where both sides are present and compare so; a side is a Ref, a Left or a value."""

    left: Operand
    symbol: Symbol
    right: Operand


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


def lower_cap(requested: str, limit: Any, used: tuple[str, ...]) -> Forms:
    """Return the forms of "no more is asked than is allowed"."""
    asked, left = Ref(requested), Left(limit, used)
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
    left = Ref(test.fact)
    right, kind = test.right, FACTS[test.fact].kind
    other = FACTS[right.path].kind if isinstance(right, Ref) else None
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
    true: list[Form] = [Compare(left, "<=", right)]
    false: list[Form] = [Compare(left, ">", right)]
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


# --- one case, for explanations: what a form or condition says of given values ----------------------------------


def operand_value(operand: Operand, values: Mapping[str, Any]) -> Any:
    """Return what an operand stands for among the known values; None where that is unknown."""
    if isinstance(operand, Ref):
        return values.get(operand.path)
    if not isinstance(operand, Left):
        return operand
    limit = operand_value(operand.limit, values)
    used: list[Any] = [values.get(path) for path in operand.used]
    if limit is None or limit is UNLIMITED:
        return limit
    return None if None in used else max(0, limit - sum(used))


def holds(form: Form, values: Mapping[str, Any]) -> bool:
    """Return whether a form holds for the known values; unknown facts are left out of them."""
    if isinstance(form, And):
        return all(holds(part, values) for part in form.parts)
    if isinstance(form, Or):
        return any(holds(part, values) for part in form.parts)
    if isinstance(form, Size):
        collection = values.get(form.collection.path)
        return collection is ANY if form.is_ == "any" else collection is not ANY and collection == frozenset()
    if isinstance(form, Compare):
        left, right = operand_value(form.left, values), operand_value(form.right, values)
        return left is not None and right is not None and compares(left, form.symbol, right)
    element, collection = (form.element, form.collection) if isinstance(form, Member) else (form.code, form.prefixes)
    element, collection = operand_value(element, values), operand_value(collection, values)
    if element is None or collection is None:
        return False
    inside = element in collection if isinstance(form, Member) else begins(element, collection)
    return inside is form.holds


def compares(left: Any, symbol: Symbol, right: Any) -> bool:
    """Return whether two known values compare so; words of an ordered enum by their rank."""
    if isinstance(left, str) and symbol not in ("==", "!="):
        left, right = RANKS[left], RANKS[right]
    return _SYMBOLS[symbol](left, right)


def begins(code: str, prefixes: Collection[str]) -> bool:
    """Return whether a code begins with one of the prefixes; with `any`, always."""
    return prefixes is ANY or code.startswith(tuple(prefixes))


def truth(condition: Condition, values: Mapping[str, Any]) -> bool | None:
    """Return whether a condition is certainly true or certainly false for the known values, or None."""
    forms = lower(condition)
    return True if holds(forms.true, values) else False if holds(forms.false, values) else None


def undecided(condition: Condition, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the facts of the undecided parts of a condition, known ones included."""
    if truth(condition, values) is None:
        if isinstance(condition, Test):
            yield from facts_in(condition)
        for part in parts_of(condition):
            yield from undecided(part, values)


_SYMBOLS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
RANKS: Final[Mapping[str, int]] = {
    word: place
    for fact in FACTS.values()
    if isinstance(fact.kind, Enum) and fact.kind.ranked
    for place, word in enumerate(fact.kind.values)
}
"""The rank of every word of an ordered enum; no two ordered enums share a word."""

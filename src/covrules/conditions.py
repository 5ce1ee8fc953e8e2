"""The condition tree of a rule: which tests there are, and that each fits the fact it tests."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from covrules.declaring import Fact
from covrules.errors import one_of
from covrules.facts import FACTS
from covrules.kinds import DIAGNOSIS_PREFIX, Code, Kind, SetOf, Unfit

__all__ = [
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "Not",
    "Operator",
    "Ref",
    "Test",
    "facts_in",
    "in_short",
    "tests_in",
    "to_data",
]

Symbol = Literal["==", "!=", "<", "<=", ">", ">="]
CONTRARY: Final[Mapping[Symbol, Symbol]] = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
"""The comparison that holds where this one does not, both sides being present."""


@attrs.frozen
class Operator:
    """A word that compares: the families of facts it takes, and what stands on its right.

    `symbol` is how Python writes it, where it does.
    """

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
    """A fact with the kind of its values; on the right of a test it is written `$group.name`.

    `path` names the fact.
    """

    path: str
    kind: Kind


@attrs.frozen(cache_hash=True)
class Test:
    """A fact compared with a value (canonical, of the right kind) or with another fact.

    `op` is a key of `OPERATORS`.
    """

    fact: Ref
    op: str
    right: Any


@attrs.frozen(cache_hash=True)
class AllOf:
    """True when every part is.

    `parts` are at least one.
    """

    parts: tuple["Condition", ...]


@attrs.frozen(cache_hash=True)
class AnyOf:
    """True when some part is.

    `parts` are at least one.
    """

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


def make_test(fact: str, op: str, right: Any, *, ref: bool = False, vocabulary: Mapping[str, Fact] = FACTS) -> Test:
    """Return the test of a fact, checked against the kinds of both sides.

    `right` is a text or list of texts as a file has it, or with `ref` the path of another fact. Raises
    Mistyped.
    """
    for path in (fact, right) if ref else (fact,):
        if not vocabulary[path].testable:
            raise Mistyped(f"{path} is tested by no rule", "a fact that says something of the plan, such as plan.payer")
    kind = vocabulary[fact].kind
    left = Ref(fact, kind)
    if op not in operators_for(kind):
        raise Mistyped(f"{fact} ({kind.name}) cannot be tested with {op}", one_of(operators_for(kind)))
    wanted = _right_kind(kind, OPERATORS[op].right)
    if ref:
        other = vocabulary[right].kind
        if not _comparable(wanted, other):
            raise Mistyped(
                f"{fact} ({kind.name}) cannot be compared with {right} ({other.name})",
                _fitting(fact, wanted, vocabulary),
                "use within" if op in ("in", "not_in") and kind.family == "code" else None,
            )
        return Test(left, op, Ref(right, other))
    if OPERATORS[op].right == "prefixes" and isinstance(right, str):
        right = [right]
    try:
        value = wanted.read(right)
    except Unfit as unfit:
        raise Mistyped(f"found {unfit.found}", wanted.expected, unfit.hint) from None
    if isinstance(wanted, SetOf) and not value:
        raise Mistyped("found an empty list, which leaves nothing to compare", wanted.expected)
    return Test(left, op, value)


def _fitting(fact: str, wanted: Kind, vocabulary: Mapping[str, Fact]) -> str:
    """Return what the fact could be compared with instead."""
    fitting = [
        path
        for path, other in vocabulary.items()
        if path != fact and other.testable and _comparable(wanted, other.kind)
    ]
    return f"a fact such as {one_of(fitting[:3])}" if fitting else wanted.expected


def _right_kind(kind: Kind, right: str) -> Kind:
    if right == "values":
        return SetOf(kind)
    if right == "element":
        assert isinstance(kind, SetOf)
        return kind.of
    if right == "prefixes" and isinstance(kind, Code):
        return SetOf(DIAGNOSIS_PREFIX if kind.system == "ICD-10-CM" else attrs.evolve(kind, none=False))
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
    """Yield the facts a condition reads, in order (a fact may come twice)."""
    if isinstance(condition, Test):
        yield condition.fact.path
        if isinstance(condition.right, Ref):
            yield condition.right.path
    else:
        for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
            yield from facts_in(part)


def tests_in(condition: Condition) -> Iterator[Test]:
    """Yield the tests of a condition, in order (one may come twice)."""
    if isinstance(condition, Test):
        yield condition
    else:
        for part in (condition.part,) if isinstance(condition, Not) else condition.parts:
            yield from tests_in(part)


def to_data(condition: Condition) -> dict[str, Any]:
    """Return the condition as plain data, in the file's own form."""
    if isinstance(condition, Not):
        return {"not": to_data(condition.part)}
    if isinstance(condition, Test):
        right = condition.right
        kind = _right_kind(condition.fact.kind, OPERATORS[condition.op].right)
        return {condition.fact.path: {condition.op: f"${right.path}" if isinstance(right, Ref) else kind.plain(right)}}
    return {"all" if isinstance(condition, AllOf) else "any": [to_data(part) for part in condition.parts]}


def in_short(condition: Condition) -> str:
    """Return the condition in one line, close to the words of the file.

    >>> in_short(Not(make_test("plan.payer", "in", ["Example Health", "Example PPO"])))
    'not plan.payer in [Example Health, Example PPO]'
    """
    if isinstance(condition, Not):
        return f"not {_bracketed(condition.part)}"
    if isinstance(condition, Test):
        return f"{condition.fact.path} {comparison(condition)}"
    return (" and " if isinstance(condition, AllOf) else " or ").join(map(_bracketed, condition.parts))


def comparison(test: Test) -> str:
    """Return how a test compares its fact.

    >>> comparison(make_test("history.visits_this_episode", "at_least", "6"))
    'at_least 6'
    """
    right = to_data(test)[test.fact.path][test.op]
    said = f"[{', '.join(map(str, right))}]" if isinstance(right, list) else str(right)
    return f"{test.op} {said.lower() if isinstance(right, bool) else said}"


def _bracketed(condition: Condition) -> str:
    return f"({in_short(condition)})" if isinstance(condition, (AllOf, AnyOf)) else in_short(condition)

"""The mutants of a rule: the rule with one slip in it, as an author could make, which its examples should notice."""

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import attrs

from covrules.conditions import OPERATORS, AllOf, AnyOf, Condition, Not, Ref, Test, comparison, in_short, operators_for
from covrules.kinds import Count
from covrules.rule import LAYERS, Cap, Rule
from covrules.values_to_try import element_of, near

__all__ = ["Mutant"]

T = TypeVar("T")

_LIMIT: Final = Count(unlimited=True)


@attrs.frozen
class Mutant:
    """A rule with one thing changed, and the change in words.

    `among_others` says that the change is to what the rule is to others, its layer or what it waives: it has no say in
    the status that the rule has by itself.
    """

    rule: Rule
    change: str
    among_others: bool = False


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Yield the mutants of a rule: of its conditions, then of its cap, of what it waives and of its layer."""

    def changed(change: str, **changes: Any) -> Mutant:
        return Mutant(attrs.evolve(rule, **changes), change)

    for name in ("applies", "requires", "unless"):
        condition: Condition | None = getattr(rule, name)
        if condition is not None:
            for other, change in _conditions(condition):
                yield changed(f"{change} in {name}", **{name: other})
            if name != "requires":
                yield changed(f"{name} is left out", **{name: None})
    for cap, change in _caps(rule.caps) if rule.caps is not None else ():
        yield changed(f"{change} in caps", caps=cap)
    for waived, others in _without_one(rule.waives or ()):
        yield Mutant(attrs.evolve(rule, waives=others), f"{waived} is left out in waives", among_others=True)
    for layer in LAYERS:
        if layer != rule.layer:
            yield Mutant(attrs.evolve(rule, layer=layer), f"layer {rule.layer} becomes {layer}", among_others=True)


def _conditions(condition: Condition) -> Iterator[tuple[Condition, str]]:
    """Yield what a condition can become, with the change in words."""
    match condition:
        case Test():
            yield from _tests(condition)
        case Not(part):
            yield part, f"{in_short(condition)} becomes its contrary"
            yield from ((Not(other), change) for other, change in _conditions(part) if other != Not(part))
        case AllOf(parts) | AnyOf(parts):
            same, swapped = (AllOf, AnyOf) if isinstance(condition, AllOf) else (AnyOf, AllOf)
            if len(parts) > 1:
                yield (
                    swapped(parts),
                    f"{'all becomes any' if same is AllOf else 'any becomes all'} of {in_short(condition)}",
                )
            for part, others in _without_one(parts):
                if others:
                    yield others[0] if len(others) == 1 else same(others), f"{in_short(part)} is left out"
            for place, part in enumerate(parts):
                for other, change in _conditions(part):
                    yield same((*parts[:place], other, *parts[place + 1 :])), change


def _tests(test: Test) -> Iterator[tuple[Condition, str]]:
    """Yield what a test can become: compared otherwise, its contrary, with the value beside it or a value less."""
    symbol = OPERATORS[test.op].symbol
    comparing = [op for op in operators_for(test.fact.kind) if OPERATORS[op].symbol and symbol and op != test.op]
    others = [attrs.evolve(test, op=op) for op in comparing]
    if isinstance(test.right, frozenset):
        fewer = [test.right - {value} for value in sorted(test.right)]
        others += [attrs.evolve(test, right=right) for right in fewer if right]
    elif not isinstance(test.right, Ref):
        others += [attrs.evolve(test, right=right) for right in near(element_of(test.fact.kind), test.right)]
    for each in others:
        yield each, f"{in_short(test)} becomes {comparison(each)}"
    # Of yes the contrary is no, and of at_most above: these have been yielded.
    if not isinstance(test.right, bool) and (symbol == "==" or not comparing):
        yield Not(test), f"{in_short(test)} becomes its contrary"


def _caps(cap: Cap) -> Iterator[tuple[Cap, str]]:
    """Yield what a cap can become."""
    for limit in near(_LIMIT, cap.limit) if isinstance(cap.limit, int) else ():
        yield attrs.evolve(cap, limit=limit), f"{cap.limit} becomes {limit}"
    for used, others in _without_one(cap.less):
        yield attrs.evolve(cap, less=others), f"less {used} is left out"


def _without_one(items: tuple[T, ...]) -> Iterator[tuple[T, tuple[T, ...]]]:
    """Yield every item, and what is left without it."""
    for place, item in enumerate(items):
        yield item, (*items[:place], *items[place + 1 :])

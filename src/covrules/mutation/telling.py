"""What to give of the facts of a rule, so that rules that differ come out differently on some of it."""

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations, islice, product
from math import prod
from typing import Any, Final

from covrules.conditions import Ref, Test, tests_in
from covrules.declaring import Fact
from covrules.rule import Rule
from covrules.values_to_try import element_of, values

MOST: Final = 20_000
"""How many combinations of values are tried; of more, half of these with the fewest facts, half drawn by lot."""

Constants = Mapping[str, frozenset[Any]]
"""The values that conditions name, by the family of their kind."""


def constants_in(rule: Rule) -> Constants:
    """Return the values that the tests and the cap of a rule name."""
    named: dict[str, set[Any]] = {"number": set()}
    for test in tests_of(rule):
        if not isinstance(test.right, Ref):
            right = test.right if isinstance(test.right, frozenset) else (test.right,)
            named.setdefault(element_of(test.fact.kind).family, set()).update(right)
    if rule.caps is not None and not isinstance(rule.caps.limit, Ref):
        named["number"].add(rule.caps.limit)
    return {family: frozenset(values) for family, values in named.items()}


def tests_of(rule: Rule) -> tuple[Test, ...]:
    """Return every test of the conditions of a rule and of its denials, once."""
    conditions = (rule.applies, rule.requires, rule.unless, *[denial.when for denial in rule.denial])
    return tuple(dict.fromkeys(test for condition in conditions if condition for test in tests_in(condition)))


def givens(facts: Iterable[Fact], constants: Constants) -> Iterator[dict[str, Any]]:
    """Yield what can be given of facts: each unknown or of one of its values worth trying, fewer facts first.

    >>> from covrules.facts import FACTS
    >>> [*givens([FACTS["visit.minutes"], FACTS["provider.licensed"]], {})][:5]
    [{}, {'visit.minutes': 0}, {'visit.minutes': 1}, {'visit.minutes': 2}, {'provider.licensed': True}]
    """
    known = {fact.path: values(fact.kind, constants.get(element_of(fact.kind).family, frozenset())) for fact in facts}
    if prod(len(each) + 1 for each in known.values()) <= MOST:
        yield from _fewer_first(known)
        return
    yield from islice(_fewer_first(known), MOST // 2)
    lots = random.Random(0)
    drawn = ({path: lots.choice((None, *each)) for path, each in known.items()} for _ in range(MOST // 2))
    said = ({path: value for path, value in given.items() if value is not None} for given in drawn)
    yield from sorted(said, key=len)


def _fewer_first(known: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for paths in chain.from_iterable(combinations(known, size) for size in range(len(known) + 1)):
        for each in product(*[known[path] for path in paths]):
            yield dict(zip(paths, each, strict=True))

"""The durable engine: every way a rule can come to a status is a conjunction that durable_rules infers from facts.

Its comparisons and conjunctions decide. Prepared for it are only what it cannot be trusted with: numbers for
dates and words, membership in sets, beginnings of codes, and what is left of a limit.
"""

from collections.abc import Callable
from itertools import product
from operator import attrgetter
from typing import Any, Final

from covrules.conditions import Ref, Symbol
from covrules.derived import DERIVE
from covrules.engines._network import Conjunction, Network, NetworkUnavailable, Test, available
from covrules.facts import FACTS, Case
from covrules.kinds import ANY, UNLIMITED, Enum
from covrules.lowering import And, Compare, Form, Left, Member, Or, Size, Within, begins, conjunction
from covrules.rulesets import REQUESTED, Rule, Ruleset, Stage, Status
from covrules.verdicts import Outcome

__all__ = ["NetworkUnavailable", "available", "compile_ruleset"]

_WAYS: Final = 4
"""The ways a rule can come to a certain status; where several hold, the first decides."""
_MOST_PRODUCTS: Final = 16
_LONGEST: Final = 40
_FLIPPED: Final[dict[Symbol, Symbol]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Value = int | None
Products = list[tuple[Test, ...]]


def compile_ruleset(ruleset: Ruleset, stage: Stage) -> Callable[[Case], Outcome]:
    """Return the function that has durable_rules decide every rule for a case at a stage.

    Raises NetworkUnavailable where durable_rules cannot be had.
    """
    attributes = _Attributes()
    levels = _Levels(attributes)
    conclusions: list[Conjunction] = []
    statuses: dict[int, tuple[int, Status]] = {}
    for place, rule in enumerate(ruleset.rules):
        for way, (form, status) in enumerate(_ways(rule, stage)):
            statuses[place * _WAYS + way] = (place, status)
            conclusions += [Conjunction(tests, place * _WAYS + way) for tests in levels.products(form)]
    lefts = [attributes.left(rule.caps.limit, rule.caps.less) if rule.caps else 0 for rule in ruleset.rules]
    caps = [(place, lefts[place]) for place in ruleset.caps]
    prior = [Network(level) for level in levels.definitions]
    network = Network(conclusions)
    encode = attributes.encoder()
    undecided: list[Status] = ["later" if rule.starts_after(stage) else "unknown" for rule in ruleset.rules]

    def decide(case: Case) -> Outcome:
        values = encode(case)
        for level in prior:
            for slot in level.run(values):
                values[slot] = 1
        found = undecided.copy()
        for fired in sorted(network.run(values), reverse=True):
            place, status = statuses[fired]
            found[place] = status
        return Outcome(
            tuple(found), tuple([values[left] if found[place] == "capped" else None for place, left in caps])
        )

    return decide


def _ways(rule: Rule, stage: Stage) -> list[tuple[Form, Status]]:
    """Return how the rule comes to each certain status, what decides first coming first."""
    applies, unless, demand = rule.application, rule.exception, rule.demand
    ways: list[tuple[Form, Status]] = [(applies.false, "not-applicable")] if applies else []
    if rule.starts_after(stage):
        return ways
    failing = [forms for forms in (applies and applies.true, demand and demand.false, unless and unless.false) if forms]
    if demand is not None:
        ways.append((demand.true, "met"))
    if unless is not None:
        ways.append((unless.true, "waived" if rule.decides else "not-applicable"))
    return [*ways, (conjunction(failing), rule.failing if rule.decides else "advised")]


class _Attributes:
    """The attributes of the fact that is asserted: which value each holds, and how it is made from a case."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}
        self.places: dict[Any, int] = {}
        self.makers: list[Callable[[list[Any]], Value]] = []
        self.texts: dict[str, int] = {}

    def encoder(self) -> Callable[[Case], list[Value]]:
        """Return the function that makes the values of a case."""
        given = attrgetter(*self.paths) if self.paths else None
        single = len(self.paths) == 1
        derived = [
            (place, DERIVE[path], [self.paths[source] for source in FACTS[path].derived_from])
            for path, place in self.paths.items()
            if path in DERIVE
        ]
        makers = self.makers

        def encode(case: Case) -> list[Value]:
            raw: list[Any] = [] if given is None else [given(case)] if single else list(given(case))
            for place, derive, sources in derived:
                if raw[place] is None:
                    raw[place] = derive(*[raw[source] for source in sources])
            return [make(raw) for make in makers]

        return encode

    def path(self, path: str) -> int:
        for source in FACTS[path].derived_from:
            self.path(source)
        return self.paths.setdefault(path, len(self.paths))

    def place(self, key: Any, make: Callable[[list[Any]], Value]) -> int:
        if key not in self.places:
            self.places[key] = len(self.makers)
            self.makers.append(make)
        return self.places[key]

    def left(self, limit: Any, used: tuple[str, ...]) -> int:
        if not isinstance(limit, Ref):
            read: Callable[[list[Any]], Value] = lambda raw: limit  # noqa: E731
        else:
            at = self.path(limit.path)
            read = lambda raw: raw[at]  # noqa: E731
        places = [self.path(path) for path in used]

        def make(raw: list[Any]) -> Value:
            value = read(raw)
            spent = [raw[place] for place in places]
            if value is None or None in spent:
                return None
            return int(value) if value is UNLIMITED else max(0, value - sum(spent))

        return self.place(Left(limit, used), make)

    def scalar(self, path: str) -> int:
        at, family = self.path(path), FACTS[path].kind.family
        encode = self.encode(path)
        return self.place((family, path), lambda raw: None if raw[at] is None else encode(raw[at]))

    def encode(self, path: str) -> Callable[[Any], int]:
        """Return how a value of the fact is said as a number, in its order where it has one."""
        kind = FACTS[path].kind
        if isinstance(kind, Enum):
            return kind.values.index
        if kind.family == "date":
            return lambda value: value.toordinal()
        if kind.family in ("text", "code"):
            return lambda value: self.texts.get(value, 0)
        return int

    def number(self, path: str, value: Any) -> int:
        """Return the number that stands for a value the fact is compared with."""
        if isinstance(value, str) and FACTS[path].kind.family in ("text", "code"):
            return self.texts.setdefault(value, len(self.texts) + 1)
        return self.encode(path)(value)

    def same(self, one: str, other: str) -> int:
        a, b = self.path(one), self.path(other)
        return self.place(
            ("same", one, other),
            lambda raw: None if raw[a] is None or raw[b] is None else int(raw[a] == raw[b]),
        )

    def member(self, element: Any, collection: Any, contains: Callable[[Any, Any], bool]) -> int:
        first, second = self.reader(element), self.reader(collection)

        def make(raw: list[Any]) -> Value:
            one, many = first(raw), second(raw)
            return None if one is None or many is None else int(contains(one, many))

        return self.place((contains, element, collection), make)

    def reader(self, operand: Any) -> Callable[[list[Any]], Any]:
        if not isinstance(operand, Ref):
            return lambda raw: operand
        at = self.path(operand.path)
        return lambda raw: raw[at]

    def size(self, path: str) -> int:
        at = self.path(path)
        return self.place(("size", path), lambda raw: None if raw[at] is None else _size(raw[at]))


_SIZES: Final = {"empty": 0, "any": 2}


def _size(collection: Any) -> int:
    return 2 if collection is ANY else 1 if collection else 0


def _contains(element: Any, collection: Any) -> bool:
    return element in collection


class _Levels:
    """Turns forms into conjunctions; what would multiply too far is inferred first, under a name of its own."""

    def __init__(self, attributes: _Attributes) -> None:
        self.attributes = attributes
        self.definitions: list[list[Conjunction]] = []
        self.names: dict[tuple[tuple[Test, ...], ...], int] = {}
        self.level_of: dict[int, int] = {}

    def products(self, form: Form) -> Products:
        """Return conjunctions of which one holds exactly when the form does."""
        if isinstance(form, Or):
            return list(dict.fromkeys(tests for part in form.parts for tests in self.products(part)))
        if not isinstance(form, And):
            return [(self.test(form),)]
        result: Products = [()]
        for part in form.parts:
            result = self.times(result, self.products(part))
        return result

    def times(self, one: Products, other: Products) -> Products:
        if len(one) * len(other) > _MOST_PRODUCTS and len(one) > 1 and len(other) > 1:
            one, other = (self.named(one), other) if len(one) > len(other) else (one, self.named(other))
        both = [tuple(dict.fromkeys(a + b)) for a, b in product(one, other)]
        if max(map(len, both), default=0) > _LONGEST:
            return [(a[0], b[0]) for a, b in product(self.named(one), self.named(other))]
        return both

    def named(self, products: Products) -> Products:
        """Have the products inferred on an earlier level, and return the test of what they conclude."""
        key = tuple(products)
        if key not in self.names:
            level = 1 + max((self.level_of.get(test.attribute, -1) for tests in products for test in tests), default=-1)
            slot = self.attributes.place(("named", key), lambda raw: None)
            self.names[key], self.level_of[slot] = slot, level
            self.definitions += [[]] if level == len(self.definitions) else []
            self.definitions[level] += [Conjunction(tests, slot) for tests in products]
        return [(Test(self.names[key], "==", 1),)]

    def test(self, atom: Compare | Member | Within | Size) -> Test:
        if isinstance(atom, Size):
            return Test(self.attributes.size(atom.collection.path), "==", _SIZES[atom.is_])
        if isinstance(atom, Member):
            return Test(self.attributes.member(atom.element, atom.collection, _contains), "==", int(atom.holds))
        if isinstance(atom, Within):
            return Test(self.attributes.member(atom.code, atom.prefixes, begins), "==", int(atom.holds))
        return self.comparison(atom.left, atom.symbol, atom.right)

    def comparison(self, left: Any, symbol: Symbol, right: Any) -> Test:
        if not isinstance(left, (Ref, Left)):
            return self.comparison(right, _FLIPPED[symbol], left)
        if isinstance(left, Ref) and isinstance(right, Ref) and FACTS[left.path].kind.family in ("text", "code"):
            return Test(self.attributes.same(left.path, right.path), "==", int(symbol == "=="))
        if isinstance(right, (Ref, Left)):
            return Test(self.operand(left), symbol, other=self.operand(right))
        path = left.path if isinstance(left, Ref) else REQUESTED
        return Test(self.operand(left), symbol, self.attributes.number(path, right))

    def operand(self, side: Ref | Left) -> int:
        return (
            self.attributes.scalar(side.path) if isinstance(side, Ref) else self.attributes.left(side.limit, side.used)
        )

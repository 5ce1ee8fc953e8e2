"""The durable engine: every way a rule can come to a status is a conjunction that durable_rules infers from facts.

Its comparisons and conjunctions decide. Prepared for it is only what it cannot be trusted with: numbers for
dates and words, membership in sets, beginnings of codes, and what is left of a limit.
"""

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Mapping
from itertools import islice, product
from typing import Any, Final

import attrs

from covrules.conditions import CONTRARY, Ref, Symbol
from covrules.declaring import Fact
from covrules.derived import derivation
from covrules.engines._network import Conjunction, Network, NetworkUnavailable, Test, Texts, available
from covrules.facts import OWN, Case
from covrules.kinds import ANY, UNLIMITED, Enum
from covrules.lowering import And, Compare, Form, Left, Member, Or, Size, Within, begins, conjunction
from covrules.rule import REQUESTED, Rule, Stage, Status
from covrules.rulesets import Ruleset
from covrules.verdicts import Outcome

__all__ = ["NetworkUnavailable", "available", "compile_ruleset"]

_MOST_PRODUCTS: Final = 16
"""More conjunctions than this are inferred first, under a name of their own."""
_MOST_TESTS: Final = 40
"""The tests of one conjunction."""
_SIZES: Final = {"empty": 0, "any": 2}
_AMONG: Final = "{} in {}"
_BEGINS: Final = "begins({}, {})"
_MOST_COMPARED: Final = 64
"""The earlier conjunctions by which one is narrowed."""
_MOST_DATES: Final = 1024
"""The dates whose text is kept."""
_FLIPPED: Final[dict[Symbol, Symbol]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARE: Final[dict[Symbol, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Value = int | None
Products = list[tuple[Test, ...]]


def compile_ruleset(ruleset: Ruleset, stage: Stage) -> Callable[[Case], Outcome]:
    """Return the function that has durable_rules decide every rule for a case at a stage.

    Raises NetworkUnavailable where durable_rules cannot be had.
    """
    attributes = _Attributes(ruleset.vocabulary)
    levels = _Levels(attributes)
    conclusions: list[Conjunction] = []
    statuses: list[tuple[int, Status]] = []
    for place, rule in enumerate(ruleset.rules):
        ways = _ways(ruleset, rule, stage)
        for number, products in enumerate(_apart([levels.products(form) for form, _ in ways]), len(statuses)):
            conclusions += [Conjunction(tests, number) for tests in products]
        statuses += [(place, status) for _, status in ways]
    lefts = [attributes.left(rule.caps.limit, rule.caps.less) for rule in ruleset.rules if rule.caps is not None]
    infer = attributes.function([Network(level) for level in levels.definitions], Network(conclusions), lefts)
    capped = ruleset.caps
    undecided: list[Status] = ["later" if rule.starts_after(stage) else "unknown" for rule in ruleset.rules]

    def decide(case: Case) -> Outcome:
        fired, left = infer(case)
        found = undecided.copy()
        fired.sort(reverse=True)  # so that of several ways of a rule the one that decides first is put down last
        for way in fired:
            place, status = statuses[way]
            found[place] = status
        allowed = [units if found[place] == "capped" else None for place, units in zip(capped, left, strict=True)]
        return Outcome(tuple(found), tuple(allowed))

    return decide


def _ways(ruleset: Ruleset, rule: Rule, stage: Stage) -> list[tuple[Form, Status]]:
    """Return how the rule comes to each certain status, what decides first coming first."""
    applies, excuse, demand = rule.application, ruleset.excuse(rule), rule.demand
    ways: list[tuple[Form, Status]] = [(applies.false, "not-applicable")] if applies else []
    if rule.starts_after(stage):
        return ways
    failing = [forms for forms in (applies and applies.true, demand and demand.false, excuse and excuse.false) if forms]
    if demand is not None:
        ways.append((demand.true, "met"))
    if excuse is not None:
        ways.append((excuse.true, "waived" if rule.decides else "not-applicable"))
    return [*ways, (conjunction(failing), rule.concludes)]


def _apart(ways: list[Products]) -> list[Products]:
    """Return the ways with fewer conjunctions holding at a time, for each that does costs an evaluation time.

    A conjunction is left out or narrowed where another one that decides as early, or earlier, holds as well.
    """
    earlier: list[frozenset[Test]] = []
    apart: list[Products] = []
    for products in ways:
        kept = []
        for tests in sorted(products, key=lambda tests: len(_read(tests))):
            narrowed = _narrowed(tests, earlier)
            earlier.append(frozenset(tests))
            kept += [] if narrowed is None else [narrowed]
        apart.append(kept)
    return apart


def _narrowed(tests: tuple[Test, ...], earlier: list[frozenset[Test]]) -> tuple[Test, ...] | None:
    """Return the tests with more, which fail where an earlier conjunction holds as well; None if it always does.

    That is left to the engine where it can tell: where all that is missing for the other one is a single test, which
    reads nothing these do not. As that is present then, the opposite holds exactly where the test does not.
    """
    fixed = {test.attribute: test.value for test in tests if test.op == "==" and test.value is not None}
    narrowed = dict.fromkeys(tests)
    for other in islice(earlier, _MOST_COMPARED):
        missing = other.difference(tests)
        if not missing:
            return None
        test, *more = missing
        if more or not _read(missing) <= _read(tests) or len(narrowed) > _MOST_TESTS:
            continue
        if test.value is None or test.attribute not in fixed:
            narrowed[attrs.evolve(test, op=CONTRARY[test.op])] = None
        elif _COMPARE[test.op](fixed[test.attribute], test.value):
            return None
    return tuple(narrowed)


def _read(tests: Iterable[Test]) -> set[int | None]:
    return {attribute for test in tests for attribute in (test.attribute, test.other)} - {None}


class _Dates(dict[dt.date | None, str]):
    """What a fact says of an attribute, by the date; kept for the next case, up to a bound."""

    def __init__(self, texts: Texts) -> None:
        super().__init__({None: ""})
        self._texts = texts

    def __missing__(self, value: dt.date) -> str:
        text = self._texts[value.toordinal()]
        if len(self) < _MOST_DATES:
            self[value] = text
        return text


@attrs.frozen
class _Attribute:
    """One attribute of the facts that are asserted: the local that holds its value, and what makes a text of it."""

    local: str
    said: Callable[[Texts], Mapping[Any, str]]


class _Attributes:
    """The attributes of the facts that are asserted, and the function that makes those facts of a case.

    It is generated source, for a fact of the case is then read once and turned into text in one step.
    """

    def __init__(self, vocabulary: Mapping[str, Fact]) -> None:
        self.vocabulary = vocabulary
        self.names: dict[str, Any] = {"ANY": ANY, "UNLIMITED": UNLIMITED, "begins": begins}
        self.facts: dict[str, str] = {}
        self.lines: list[str] = []
        self.places: dict[Any, int] = {}
        self.attributes: list[_Attribute] = []
        self.texts: dict[str, int] = {}

    def function(
        self, prior: list[Network], network: Network, results: list[int]
    ) -> Callable[[Case], tuple[list[int], tuple[Value, ...]]]:
        """Return the function that has a network infer from a case, and adds the values of some attributes.

        What the prior networks conclude are attributes too, for those that come after.
        """
        lines = ["def infer(case):", *self.lines]
        for level in prior:
            lines += [f"named = {self.inferred(level)}"]
            lines += [f"{self.attributes[slot].local} = 1 if {slot} in named else None" for slot in level.conclusions]
        values = "".join(f"{self.attributes[place].local}, " for place in results)
        lines.append(f"return {self.inferred(network)}, ({values})")
        exec(compile("\n    ".join(lines), "<facts>", "exec"), self.names)
        # Taken out, for a network in a circle of references would outlive its ruleset.
        infer: Callable[[Case], tuple[list[int], tuple[Value, ...]]] = self.names.pop("infer")
        return infer

    def inferred(self, network: Network) -> str:
        facts = []
        for fact in network.facts:
            said = [(self.attributes[place], texts) for place, texts in fact]
            parts = [f"{{{self.constant(attribute.said(texts))}[{attribute.local}]}}" for attribute, texts in said]
            facts.append(f"f'{''.join(parts)}', ")
        return f"{self.constant(network.infer)}(({''.join(facts)}))"

    def constant(self, value: Any) -> str:
        name = f"K{len(self.names)}"
        self.names[name] = value
        return name

    def fact(self, path: str) -> str:
        """Return the local that holds a fact of the case; the first call writes the line that reads it."""
        if path not in self.facts:
            fact = self.vocabulary[path]
            sources = [self.fact(source) for source in fact.derived_from]
            local = self.facts[path] = f"f{len(self.facts)}"
            self.lines.append(
                f"{local} = case.own.get({fact.name!r})" if fact.group == OWN else f"{local} = case.{path}"
            )
            if sources:
                derive = self.constant(derivation(fact))
                self.lines.append(f"if {local} is None: {local} = {derive}({', '.join(sources)})")
        return self.facts[path]

    def operand(self, operand: Any) -> str:
        return self.fact(operand.path) if isinstance(operand, Ref) else self.constant(operand)

    def place(self, key: Any, attribute: Callable[[], _Attribute]) -> int:
        if key not in self.places:
            made = attribute()
            self.places[key] = len(self.attributes)
            self.attributes.append(made)
        return self.places[key]

    def computed(self, key: Any, value: Callable[[], str]) -> int:
        """Return the attribute whose value is a number, or None, that an expression computes."""

        def attribute() -> _Attribute:
            expression, local = value(), f"v{len(self.attributes)}"
            self.lines.append(f"{local} = {expression}")
            return _Attribute(local, lambda texts: texts)

        return self.place(key, attribute)

    def named(self, key: Any) -> int:
        """Return the attribute that is 1 where a prior network concludes it."""
        return self.place(("named", key), lambda: _Attribute(f"v{len(self.attributes)}", lambda texts: texts))

    def left(self, limit: Any, used: tuple[str, ...]) -> int:
        """Return the attribute of what is left of a limit.

        None is present of one that is unlimited: that alone decides then, under an attribute of its own.
        """

        def value() -> str:
            of, less = self.operand(limit), [self.fact(path) for path in used]
            absent = " or ".join(f"{local} is None" for local in (of, *less))
            return f"None if {absent} or {of} == UNLIMITED else max(0, {' - '.join([of, *less])})"

        return self.computed(Left(limit, used), value)

    def scalar(self, path: str) -> int:
        kind = self.vocabulary[path].kind
        if kind.family in ("text", "code"):
            numbers = self.constant(self.texts)
            return self.computed(
                (kind.family, path),
                lambda: f"None if {self.fact(path)} is None else {numbers}.get({self.fact(path)}, 0)",
            )
        said: Callable[[Texts], Mapping[Any, str]] = lambda texts: texts  # noqa: E731
        if isinstance(kind, Enum):
            words = kind.values
            said = lambda texts: {None: "", **{word: texts[number] for number, word in enumerate(words)}}  # noqa: E731
        elif kind.family == "date":
            said = _Dates
        return self.place((kind.family, path), lambda: _Attribute(self.fact(path), said))

    def number(self, path: str, value: Any) -> int:
        """Return the number that stands for a value the fact is compared with, in its order where it has one."""
        kind = self.vocabulary[path].kind
        if isinstance(kind, Enum):
            return kind.values.index(value)
        if kind.family == "date":
            ordinal: int = value.toordinal()
            return ordinal
        return self.texts.setdefault(value, len(self.texts) + 1) if kind.family in ("text", "code") else int(value)

    def same(self, one: str, other: str) -> int:
        def value() -> str:
            a, b = self.fact(one), self.fact(other)
            return f"None if {a} is None or {b} is None else {a} == {b}"

        return self.computed(("same", one, other), value)

    def member(self, element: Any, collection: Any, test: str) -> int:
        """Return the attribute of whether an element is among a collection.

        It is not present of a fact that is `any` or empty: that alone decides then, under an attribute of its own.
        """

        def value() -> str:
            one, many = self.operand(element), self.operand(collection)
            absent = f"{one} is None or {many} is None"
            if isinstance(collection, Ref):
                absent += f" or {many} is ANY or not {many}"
            return f"None if {absent} else {test.format(one, many)}"

        return self.computed((test, element, collection), value)

    def size(self, path: str) -> int:
        def value() -> str:
            collection = self.fact(path)
            return f"{_SIZES['any']} if {collection} is ANY else None if {collection} is None or {collection} else 0"

        return self.computed(("size", path), value)


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
        if max(map(len, both), default=0) > _MOST_TESTS:
            return [(a[0], b[0]) for a, b in product(self.named(one), self.named(other))]
        return both

    def named(self, products: Products) -> Products:
        """Have the products inferred on an earlier level, and return the test of what they conclude."""
        key = tuple(products)
        if key not in self.names:
            level = 1 + max((self.level_of.get(test.attribute, -1) for tests in products for test in tests), default=-1)
            slot = self.attributes.named(key)
            self.names[key], self.level_of[slot] = slot, level
            self.definitions += [[]] if level == len(self.definitions) else []
            self.definitions[level] += [Conjunction(tests, slot) for tests in products]
        return [(Test(self.names[key], "==", 1),)]

    def test(self, atom: Compare | Member | Within | Size) -> Test:
        if isinstance(atom, Size):
            return Test(self.attributes.size(atom.collection.path), "==", _SIZES[atom.is_])
        if isinstance(atom, Member):
            return Test(self.attributes.member(atom.element, atom.collection, _AMONG), "==", int(atom.holds))
        if isinstance(atom, Within):
            return Test(self.attributes.member(atom.code, atom.prefixes, _BEGINS), "==", int(atom.holds))
        return self.comparison(atom.left, atom.symbol, atom.right)

    def comparison(self, left: Any, symbol: Symbol, right: Any) -> Test:
        if not isinstance(left, (Ref, Left)):
            return self.comparison(right, _FLIPPED[symbol], left)
        if isinstance(left, Ref) and isinstance(right, Ref) and left.kind.family in ("text", "code"):
            return Test(self.attributes.same(left.path, right.path), "==", int(symbol == "=="))
        if isinstance(right, (Ref, Left)):
            return Test(self.operand(left), symbol, other=self.operand(right))
        path = left.path if isinstance(left, Ref) else REQUESTED
        return Test(self.operand(left), symbol, self.attributes.number(path, right))

    def operand(self, side: Ref | Left) -> int:
        return (
            self.attributes.scalar(side.path) if isinstance(side, Ref) else self.attributes.left(side.limit, side.used)
        )

"""Which answers to a fact the rules of a ruleset tell apart: a few that stand for all there could be."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from covrules.codes import icd10cm
from covrules.conditions import Ref, Test, tests_in
from covrules.declaring import Fact
from covrules.derived import derivation
from covrules.kinds import ANY, UNLIMITED, SetOf, Unfit
from covrules.rule import REQUESTED, Cap, Rule
from covrules.rulesets import Ruleset
from covrules.truth import Values
from covrules.values_to_try import values

_UNIT_LENGTHS: Final = (15, 1)
_FARTHEST: Final = 4
"""How far from what is named answers are tried, at most: a chain of so many comparisons is told apart."""
_LISTED: Final = 5
"""Of how many elements all sets are tried."""
_NOTHING: Final[frozenset[Any]] = frozenset()
_Beside = tuple[str, Callable[..., Any] | None, tuple[str, ...]]
"""A fact that another is compared with, how it is derived, if it is, and from what."""


class Answers:
    """The answers worth trying to each fact of a ruleset, which depend on what is known of the others."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.vocabulary: Final = ruleset.vocabulary
        self._kin: Final = _Kin()
        for rule in ruleset.rules:
            for one, other in _compared(rule):
                self._kin.join(one, other)
        for path in ruleset.facts:
            sources = self.vocabulary[path].derived_from
            if sources == ("visit.body_sites", "prescription.body_sites"):
                self._kin.join(*sources)
        self._reach: Final[dict[str, int]] = {}
        for rule in ruleset.rules:
            compared: dict[str, set[str]] = {}
            for pair in _compared(rule):
                compared.setdefault(self._kin.first(pair[0]), set()).update(pair)
            for first, facts in compared.items():
                self._reach[first] = max(self._reach.get(first, 1), min(len(facts) - 1, _FARTHEST))
        constants: dict[str, set[Any]] = {}
        for rule in ruleset.rules:
            for path, value in _named(rule):
                constants.setdefault(self._kin.first(path), set()).add(value)
        self._constants: Final = {first: frozenset(named) for first, named in constants.items()}
        self._feeds: Final[dict[str, list[Fact]]] = {}
        for fact in self.vocabulary.values():
            for source in fact.derived_from:
                self._feeds.setdefault(source, []).append(fact)
        self._caps: Final[dict[str, list[Cap]]] = {}
        for rule in ruleset.rules:
            if rule.caps is not None:
                limit = [rule.caps.limit.path] if isinstance(rule.caps.limit, Ref) else []
                for path in dict.fromkeys((REQUESTED, *limit, *rule.caps.less)):
                    self._caps.setdefault(path, []).append(rule.caps)
        self._around: Final[dict[str, list[_Beside]]] = {}

    def to(self, path: str, known: Values, *, alone: bool = False) -> tuple[Any, ...]:
        """Return answers to a fact, where these others are known: what differs to some rule, differs among them.

        If it is to be answered `alone`, there are fewer, as what is unknown of the others stays so.
        """
        kind, named = self.vocabulary[path].kind, self._named_with(path, known)
        reach = 1 if alone else self._reach.get(self._kin.first(path), 1)
        found = values(kind, named, reach, _LISTED)
        feeds = self._feeds.get(path)
        if not feeds:
            return found
        tried = dict.fromkeys(found)
        for fact in feeds:
            for value in self._leading_to(fact, path, known, named):
                try:
                    tried[kind.parse(value)] = None
                except Unfit:
                    continue
        return tuple(tried)

    def is_chained(self, path: str) -> bool:
        """Return whether there is a rule that compares a fact with others in a chain."""
        return self._reach.get(self._kin.first(path), 1) > 1

    def _named_with(self, path: str, known: Values) -> frozenset[Any]:
        """Return what the rules name where they test a fact or one it is compared with, and what is known of these."""
        around = self._around.get(path)
        if around is None:
            kin = [self.vocabulary[other] for other in self._kin.of(path) if other != path]
            around = [(fact.path, derivation(fact) if fact.derived_from else None, fact.derived_from) for fact in kin]
            self._around[path] = around
        named = self._constants.get(self._kin.first(path), _NOTHING)
        for other, derive, sources in around:
            value = known.get(other)
            if value is None and derive is not None:
                value = derive(*map(known.get, sources))
            if value is not None and value is not ANY:
                named |= value if isinstance(value, frozenset) else {value}
        for cap in self._caps.get(path, ()):
            named |= self._meeting(cap, path, known)
        return named

    def _meeting(self, cap: Cap, path: str, known: Values) -> set[int]:
        """Return the numbers at which all, and nothing, is allowed by a cap, where its other numbers are known."""
        used = [known[each] for each in cap.less if each != path and known.get(each) is not None]
        limit = known.get(cap.limit.path) if isinstance(cap.limit, Ref) else cap.limit
        asked = known.get(REQUESTED)
        if asked is None:
            fact = self.vocabulary[REQUESTED]
            asked = derivation(fact)(*map(known.get, fact.derived_from))
        if len(used) < sum(each != path for each in cap.less):
            return set()
        if limit is None or limit is UNLIMITED or path not in (REQUESTED, *cap.less):
            return {sum(used)} | ({asked + sum(used)} if asked is not None and path != REQUESTED else set())
        left = limit - sum(used)
        if path == REQUESTED:
            return {max(0, left)}
        return {each for each in (left, left - (asked or 0)) if each >= 0}

    def _leading_to(self, derived: Fact, path: str, known: Values, named: frozenset[Any]) -> Iterator[Any]:
        """Yield values of a source that lead to different values of what is derived from it."""
        sources = derived.derived_from
        others = {source: known.get(source) for source in sources if source != path}
        if derived.path in ("prescription.diagnosis_valid", "prescription.specificity"):
            if path == "prescription.diagnosis":
                for prefix in ("", *[each for each in named if each.isupper()]):
                    yield from (*icd10cm.examples(prefix), *icd10cm.incomplete(prefix))
                yield from (code for split in icd10cm.DATED for code in (split.old, *split.new))
            else:
                yield from (day for s in icd10cm.DATED for day in (s.effective, s.effective - dt.timedelta(days=1)))
        elif derived.kind.family == "number" and not isinstance(derived.kind, SetOf):
            numbers = [
                number
                for number in values(derived.kind, self._named_with(derived.path, known))
                if number is not UNLIMITED
            ]
            if len(sources) == 2:
                yield from _days_apart(numbers, others)
            else:
                yield from _making_units(numbers, path == sources[0], sources, known)


def _days_apart(numbers: Iterable[int], others: Mapping[str, Any]) -> Iterator[dt.date]:
    """Yield the days that lie so far from the other of two, on either side of it."""
    (other,) = others.values()
    for number in numbers if other is not None else ():
        for day in (other.toordinal() + number, other.toordinal() - number):
            if 0 < day < dt.date.max.toordinal():
                yield dt.date.fromordinal(day)


def _making_units(numbers: Iterable[int], minutes: bool, sources: tuple[str, ...], known: Values) -> Iterator[int]:
    """Yield the minutes, or the lengths of a unit, that make about so many units, however they are rounded."""
    of_minutes, of_length, _ = sources
    if minutes:
        lengths = [known[of_length]] if known.get(of_length) is not None else _UNIT_LENGTHS
        for number in numbers:
            for length in lengths:
                yield from (number * length, number * length + length // 2, number * length + length // 2 + 1)
        return
    yield from _UNIT_LENGTHS
    long = known.get(of_minutes)
    if long is not None and long is not UNLIMITED:
        yield from (long, 2 * long + 1, *[long // number for number in numbers if number])
        yield from (long // (number + 1) + 1 for number in numbers if number >= 0)


def _compared(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the pairs of facts that a rule compares with each other."""
    for test in _tests(rule):
        if isinstance(test.right, Ref):
            yield test.fact.path, test.right.path
    if rule.caps is not None:
        for path in ([rule.caps.limit.path] if isinstance(rule.caps.limit, Ref) else []) + [*rule.caps.less]:
            yield REQUESTED, path


def _named(rule: Rule) -> Iterator[tuple[str, Any]]:
    """Yield what a rule names, after the fact it is compared with."""
    for test in _tests(rule):
        if not isinstance(test.right, Ref):
            for value in test.right if isinstance(test.right, frozenset) else (test.right,):
                yield test.fact.path, value
    if rule.caps is not None and not isinstance(rule.caps.limit, Ref):
        yield REQUESTED, rule.caps.limit


def _tests(rule: Rule) -> Iterator[Test]:
    for condition in (rule.applies, rule.requires, rule.unless):
        if condition is not None:
            yield from tests_in(condition)


class _Kin:
    """Facts that are compared with one another, be it by way of others."""

    def __init__(self) -> None:
        self._groups: dict[str, list[str]] = {}

    def join(self, one: str, other: str) -> None:
        group, more = self.of(one), self.of(other)
        if group is not more:
            group += more
            for path in group:
                self._groups[path] = group

    def of(self, path: str) -> list[str]:
        return self._groups.setdefault(path, [path])

    def first(self, path: str) -> str:
        return self.of(path)[0]


def answers_of(ruleset: Ruleset) -> Answers:
    """Return the answers that a ruleset tells apart, worked out when first asked for."""
    answers: Answers | None = ruleset.made.get(Answers)
    if answers is None:
        answers = ruleset.made[Answers] = Answers(ruleset)
    return answers

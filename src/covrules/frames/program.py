"""What a ruleset asks of every row, said once for all engines of frames: layers of columns, each from those before.

Columns may be unknown in any row, and engines of frames know what that means: their `and`, `or` and `not` are those of
Kleene's three-valued logic. So a condition becomes one expression, true, false or unknown, and needs no second form.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, TypeVar

import attrs

from covrules.conditions import AllOf, Condition, Not, Ref, Symbol, Test, tests_in
from covrules.kinds import UNLIMITED
from covrules.lowering import ALWAYS, And, Compare, Form, Forms, Left, Member, Or, Size, Within, lower
from covrules.rule import REQUESTED, Rule, Stage, Status
from covrules.rulesets import Ruleset
from covrules.truth import contrary_of, facts_of

E = TypeVar("E")

SetTest = Member | Within | Size
"""A test of a set: what engines of frames say in ways of their own, before everything else."""

Layer = dict[str, E]
"""Columns to add by their names, none of which reads another of them."""

COVERAGE, REQUESTS, COVERS = "coverage", "units_requested", "units_covered"
FINDING = "finding."
REASONS, PROBLEMS = "reasons", "problems"


def added_columns(ruleset: Ruleset, reasons: bool, collect: bool) -> tuple[str, ...]:
    """Return the columns of the verdict, in order."""
    findings = (FINDING + rule.id for rule in ruleset.rules)
    return (COVERAGE, REQUESTS, COVERS, *findings, *([REASONS] if reasons else []), *([PROBLEMS] if collect else []))


class Algebra(ABC, Generic[E]):
    """What an engine of frames must be able to say; unknown in, unknown out, but for what `and` and `or` settle."""

    finds_repeats: ClassVar[bool]
    """Whether the engine works out once what is said several times in a layer, so that it needs no column for it."""

    @abstractmethod
    def fact(self, path: str) -> E:
        """Return the values of a fact."""

    @abstractmethod
    def column(self, name: str) -> E:
        """Return a column of a layer before."""

    @abstractmethod
    def value(self, value: Any, like: str | None = None) -> E:
        """Return a number, a date, a text or a truth: of a word, as the values of the fact it is `like`."""

    @abstractmethod
    def both(self, parts: Sequence[E]) -> E:
        """Return whether all parts are so; there is at least one."""

    @abstractmethod
    def either(self, parts: Sequence[E]) -> E:
        """Return whether some part is so; there is at least one."""

    @abstractmethod
    def negated(self, part: E) -> E:
        """Return whether a part is not so."""

    @abstractmethod
    def known(self, part: E) -> E:
        """Return whether something is known; never unknown itself."""

    @abstractmethod
    def compare(self, left: E, symbol: Symbol, right: E) -> E:
        """Return whether two values compare so."""

    @abstractmethod
    def rank(self, words: tuple[str, ...], path: str) -> E:
        """Return the place of a fact's word among the words of its ordered enum."""

    @abstractmethod
    def test_of_set(self, test: SetTest) -> E:
        """Return what a test of a set says, positively: that it holds."""

    @abstractmethod
    def rest(self, limit: E, used: Sequence[E]) -> E:
        """Return what is left of a limit, and never less than 0."""

    @abstractmethod
    def least(self, parts: Sequence[E]) -> E:
        """Return the least of some numbers, all of them known."""

    @abstractmethod
    def choose(self, cases: Sequence[tuple[E, E]], otherwise: E) -> E:
        """Return the value of the first case that is certainly so."""

    @abstractmethod
    def status(self, status: Status) -> E:
        """Return the word of a status."""

    @abstractmethod
    def coverage(self, word: str) -> E:
        """Return a word of coverage."""

    @abstractmethod
    def nothing(self) -> E:
        """Return a number that is not known."""


def layers_of(ruleset: Ruleset, stage: Stage, say: Algebra[E]) -> list[Layer[E]]:
    """Return what a ruleset asks at a stage as an engine says it, in the order to be worked out."""
    return _Programmer(ruleset, stage, say).layers()


def forms_read(ruleset: Ruleset, stage: Stage) -> Iterator[Forms]:
    """Yield the forms of everything that a ruleset's rules ask at a stage."""
    for rule in ruleset.rules:
        for condition in _conditions_of(ruleset, rule, stage):
            yield from map(lower, tests_in(condition))
        if rule.caps is not None and not rule.starts_after(stage):
            assert rule.demand is not None
            yield rule.demand


def facts_read(ruleset: Ruleset, stage: Stage) -> tuple[str, ...]:
    """Return every fact that has a say in a ruleset's verdicts at a stage, in the order of the vocabulary."""
    read = {REQUESTED}
    for forms in forms_read(ruleset, stage):
        read |= {*facts_of(forms.true), *facts_of(forms.false)}
    return tuple(path for path in ruleset.vocabulary if path in read)


def set_tests(ruleset: Ruleset, stage: Stage) -> tuple[SetTest, ...]:
    """Return every test of a set, positively said, that a ruleset makes at a stage."""
    found: dict[SetTest, None] = {}
    for forms in forms_read(ruleset, stage):
        for form in (forms.true, forms.false):
            found |= dict.fromkeys(_positive(atom) for atom in _atoms(form) if _is_of_set(atom))
    return tuple(found)


class _Programmer(Generic[E]):
    """Makes the layers; the same test, asked by several rules, is one column."""

    def __init__(self, ruleset: Ruleset, stage: Stage, say: Algebra[E]) -> None:
        self.ruleset = ruleset
        self.stage = stage
        self.say = say
        self.names: dict[Forms | Condition, str] = {}
        self.truths: Layer[E] = {}
        self.standings: Layer[E] = {}
        self.decisions: Layer[E] = {}

    def layers(self) -> list[Layer[E]]:
        findings = {FINDING + rule.id: self.finding(place, rule) for place, rule in enumerate(self.ruleset.rules)}
        results = findings | self.verdict()
        # Some engines copy all columns from layer to layer, so there are few of them, and words come with the last.
        return [layer for layer in (self.truths, self.standings, self.decisions, results) if layer]

    def added(self, layer: Layer[E], name: str, said: Callable[[], E]) -> E:
        """Return a column of a layer, to which it is added if it is not there."""
        if name not in layer:
            layer[name] = said()
        return self.say.column(name)

    def repeated(self, layer: Layer[E], name: str, said: Callable[[], E]) -> E:
        """Return what is said several times, as a column of a layer if an engine needs that."""
        return said() if self.say.finds_repeats else self.added(layer, name, said)

    # --- conditions -----------------------------------------------------------------------------------------

    def holds(self, condition: Condition) -> E:
        """Return whether a condition holds, as a column of its own if it is more than one test."""
        if isinstance(condition, Test):
            return self.test(lower(condition))
        return self.named("c", condition, lambda: self.combined(condition))

    def combined(self, condition: Condition) -> E:
        if isinstance(condition, Test):
            return self.truth(lower(condition))
        if isinstance(condition, Not):
            return self.say.negated(self.combined(condition.part))
        parts = [self.combined(part) for part in condition.parts]
        return self.say.both(parts) if isinstance(condition, AllOf) else self.say.either(parts)

    def test(self, forms: Forms) -> E:
        """Return what has these forms, as a column of its own."""
        return self.named("t", forms, lambda: self.truth(forms))

    def named(self, letter: str, what: Forms | Condition, said: Callable[[], E]) -> E:
        """Return a column of the first layer, which has no two of the same."""
        return self.added(self.truths, self.names.setdefault(what, f"{letter}{len(self.names)}"), said)

    def truth(self, forms: Forms) -> E:
        """Return the one expression that is true where one form holds, false where the other does, else unknown.

        What the false form says beyond the contrary of the true one is what one side decides by itself.
        """
        true, false = _parts(forms.true), _parts(forms.false)
        if ALWAYS in true:
            return self.say.value(True)
        if ALWAYS in false:
            return self.say.value(False)
        contraries = {contrary for part in true if (contrary := contrary_of(part)) is not None}
        alone = [part for part in false if part not in contraries]
        holds = self.say.either([*map(self.atom, true)])
        return self.say.both([holds, self.say.negated(self.say.either([*map(self.atom, alone)]))]) if alone else holds

    def atom(self, atom: Form) -> E:
        if isinstance(atom, Compare):
            like = next((side.path for side in (atom.left, atom.right) if isinstance(side, Ref)), None)
            left, right = (self.side(side, atom.words, like) for side in (atom.left, atom.right))
            return self.say.compare(left, atom.symbol, right)
        assert isinstance(atom, (Member, Within, Size))
        listed = _listed(atom)
        if listed is not None:
            positive = self.say.either([self.atom(each) for each in listed])
        else:
            positive = self.say.test_of_set(_positive(atom))
        return positive if _positive(atom) == atom else self.say.negated(positive)

    def side(self, side: Any, words: tuple[str, ...], like: str | None) -> E:
        if isinstance(side, Left):
            return self.left(side.limit, side.used)
        if isinstance(side, Ref):
            return self.say.rank(words, side.path) if words else self.say.fact(side.path)
        return self.say.value(words.index(side)) if words else self.say.value(side, like)

    def left(self, limit: Any, used: tuple[str, ...]) -> E:
        return self.say.rest(self.side(limit, (), None), [self.say.fact(path) for path in used])

    # --- rules ----------------------------------------------------------------------------------------------

    def stands(self, place: int) -> E:
        """Return whether nothing is wrong with a rule: S of the definition of a finding, for those that have a say.

        Of a waiver and of advice it is whether they do not apply.
        """
        return self.repeated(self.standings, f"s{place}", lambda: self.standing(self.ruleset.rules[place]))

    def standing(self, rule: Rule) -> E:
        say = self.say
        parts = [say.negated(self.holds(rule.applies))] if rule.applies is not None else []
        parts += [each for each in (self.demand(rule), self.excuse(rule)) if each is not None]
        return say.either(parts) if parts else say.value(False)

    def demand(self, rule: Rule) -> E | None:
        if rule.caps is not None:
            assert rule.demand is not None
            return self.test(rule.demand)
        return self.holds(rule.requires) if rule.requires is not None else None

    def excuse(self, rule: Rule) -> E | None:
        excuses = [self.holds(rule.unless)] if rule.unless is not None else []
        excuses += [self.waiving(waiver) for waiver in self.ruleset.waivers(rule)]
        return self.say.either(excuses) if excuses else None

    def waiving(self, waiver: Rule) -> E:
        parts = [self.holds(waiver.applies)] if waiver.applies is not None else []
        parts += [self.say.negated(self.holds(waiver.unless))] if waiver.unless is not None else []
        return self.say.both(parts) if parts else self.say.value(True)

    def finding(self, place: int, rule: Rule) -> E:
        """Return the status of a rule."""
        say = self.say
        cases = [(say.negated(self.holds(rule.applies)), say.status("not-applicable"))] if rule.applies else []
        if rule.starts_after(self.stage):
            return say.choose(cases, say.status("later")) if cases else say.status("later")
        demand, excuse = self.demand(rule), self.excuse(rule)
        if demand is not None:
            cases.append((demand, say.status("met")))
        if excuse is not None:
            cases.append((excuse, say.status("waived" if rule.decides else "not-applicable")))
        cases.append((self.wrong(place), say.status(rule.concludes)))
        return say.choose(cases, say.status("unknown"))

    def wrong(self, place: int) -> E:
        """Return whether something is wrong with a rule: of a cap, whether more is asked for than it allows."""
        return self.say.negated(self.stands(place))

    def limit(self, place: int) -> E:
        """Return how many units a cap leaves, as a column of the first layer."""
        caps = self.ruleset.rules[place].caps
        assert caps is not None
        return self.added(self.truths, f"l{place}", lambda: self.left(caps.limit, caps.less))

    # --- the verdict ----------------------------------------------------------------------------------------

    def has_a_say(self, rule: Rule) -> bool:
        """Return whether a rule has a say in what the insurer owes."""
        return rule.decides and rule.layer != "clinic" and not rule.starts_after(self.stage)

    @cached_property
    def required(self) -> list[int]:
        """The places of the rules that must be met for anything to be covered."""
        rules = enumerate(self.ruleset.rules)
        return [place for place, rule in rules if rule.caps is None and self.has_a_say(rule)]

    @cached_property
    def caps(self) -> list[int]:
        """The places of the caps on what is covered."""
        rules = enumerate(self.ruleset.rules)
        return [place for place, rule in rules if rule.caps is not None and self.has_a_say(rule)]

    def allowance(self, place: int) -> E:
        """Return what a cap allows where it is capped, else without end."""
        no_end = self.say.value(int(UNLIMITED))
        return self.say.choose([(self.wrong(place), self.limit(place))], no_end)

    def refused(self) -> E:
        """Return whether nothing is covered."""
        say = self.say
        wrong = [say.negated(say.both([*map(self.stands, self.required)]))] if self.required else []
        wrong += [say.both([self.wrong(cap), say.compare(self.limit(cap), "==", say.value(0))]) for cap in self.caps]
        return say.either(wrong) if wrong else say.value(False)

    def unsure(self) -> E:
        """Return whether it is not known if something is covered, or how much, where it is not refused."""
        say = self.say
        known = [say.known(self.stands(place)) for place in (*self.required, *self.caps)]
        return say.negated(say.both(known)) if known else say.value(False)

    def verdict(self) -> Layer[E]:
        """Return the columns of coverage and units, of what the rules with a say for the insurer come to."""
        say = self.say

        def decision(name: str, said: Callable[[], E]) -> E:
            return self.repeated(self.decisions, name, said)

        words = {
            "not-covered": (decision("refused", self.refused), say.value(0)),
            "undetermined": (decision("unsure", self.unsure), say.nothing()),
        }
        if self.caps:
            allowed = [decision(f"a{place}", partial(self.allowance, place)) for place in self.caps]
            words["partial"] = (say.either([*map(self.wrong, self.caps)]), say.least(allowed))
        requested = say.fact(REQUESTED)
        cases = [(holds, say.coverage(word)) for word, (holds, _) in words.items()]
        return {
            COVERAGE: say.choose(cases, say.coverage("covered")),
            REQUESTS: requested,
            COVERS: say.choose([*words.values()], requested),
        }


def _conditions_of(ruleset: Ruleset, rule: Rule, stage: Stage) -> Iterator[Condition]:
    later = rule.starts_after(stage)
    excused = [waiver.applies for waiver in ruleset.waivers(rule)] + [waiver.unless for waiver in ruleset.waivers(rule)]
    for condition in (rule.applies, *(() if later else (rule.requires, rule.unless, *excused))):
        if condition is not None:
            yield condition


def _parts(form: Form) -> tuple[Form, ...]:
    return form.parts if isinstance(form, Or) else (form,)


def _atoms(form: Form) -> Iterator[Form]:
    if isinstance(form, (And, Or)):
        for part in form.parts:
            yield from _atoms(part)
    else:
        yield form


def _is_of_set(form: Form) -> bool:
    return isinstance(form, (Member, Within, Size)) and _listed(form) is None


def _listed(form: Form) -> list[Form] | None:
    """Return the comparisons, one of which holds where a fact is one of some values that are listed; else None."""
    if not isinstance(form, Member) or isinstance(form.collection, Ref):
        return None
    values: Any = form.collection
    return [Compare(form.element, "==", value) for value in sorted(values, key=str)]


def _positive(form: Any) -> Any:
    return form if isinstance(form, Size) or form.holds else attrs.evolve(form, holds=True)

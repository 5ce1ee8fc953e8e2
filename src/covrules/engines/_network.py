"""The one place that touches durable_rules: conjunctions in, the conclusions of those that hold out.

Only the C module of durable_rules is used, never its Python packages, and only the part of it that is sound:
one flat fact of whole numbers a case, and rules which are conjunctions of comparisons within that fact.

Two things carry the safety. A ruleset of the engine gets so few conjunctions and attributes that none of its
fixed tables can overflow; `Network` spreads what it is given over several. And an evaluation of all of them
(assert, read what fired, retract) is a single call of `list.extend` on iterators written in C. No bytecode
runs inside that call, so no thread is switched, no asynchronous exception raised and no process forked in it:
whenever Python code can look, a session is empty, and there is nothing to lose.

What an evaluation costs lies in the engine: every rule that fires, with the text of the whole fact copied for it,
and for every alpha node that matches a walk over all attributes of the fact. So rulesets are kept small.
"""

import functools
import importlib
import json
import operator
import os
import struct
import sys
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, chain, count, cycle, islice, product, repeat, starmap
from typing import Any, Literal, get_args

import attrs

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_Tests = frozenset["Test"]

_LIMIT = 2**53  # beyond it the engine loses precision
_MOST_TESTS = 100
_MOST_ATTRIBUTES = 120  # a ruleset; the engine refuses a fact of more than 252
_MOST_CONJUNCTIONS = 42  # a ruleset; more than 64 siblings that match are given up half way, and 60 take longer
_MOST_TEXTS = 1024  # kept of an attribute

_OPERATORS = {"==": "$eq", "!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RULES = _LETTERS + "01234567"  # names of one character, so that one index tells which rule fired
_SENTINEL = "8"  # the rule that always fires: a session in which none ever has cannot be deleted
_ALWAYS = "t"  # the key every fact has
_BUCKETS = 32  # of what follows a node; names go into them by the last bits of their hash
_HEAD = f'{{"{_ALWAYS}":1'
_FACT = "f"
_SESSIONS = ("0", "1")  # Python 3.11 may collect garbage, hence run bytecode, in one; then the other serves
_RESERVED = ("id", "sid", "$s", "$i", "$forward", _ALWAYS)
_ONCE: tuple[tuple[()], ...] = ((),)
_SENTINEL_FIRED = {_SENTINEL: True}.__getitem__
_NAME = operator.itemgetter(2)  # of the rule, in what the engine tells of one that fired
_MESSAGES = operator.itemgetter(1)  # of the state and the messages an action is started with
_NEEDED = (
    "create_ruleset",
    "delete_ruleset",
    "delete_state",
    "assert_fact",
    "retract_fact",
    "start_action_for_state",
    "complete_and_start_action",
)


class NetworkUnavailable(ImportError):
    """durable_rules is missing or cannot be loaded; the message says why and what to do."""


def available() -> bool:
    """Whether durable_rules can be used here; found out once."""
    return _load()[0] is not None


@functools.cache
def _load() -> tuple[Any, str]:
    """The C module, or None and why."""
    try:
        engine = _import_lazily()
    except (ImportError, OSError) as error:
        return None, str(error)
    if missing := [name for name in _NEEDED if not hasattr(engine, name)]:
        return None, f"it lacks {', '.join(missing)}"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None, "it is safe only under the global interpreter lock"
    if struct.calcsize("l") < 8:
        return None, "its whole numbers have 32 bits on this platform"
    return engine, ""


def _import_lazily() -> Any:
    # The module names a function which Python 3.13 no longer has and which nothing here reaches. Bound
    # lazily, it is never looked for.
    if not hasattr(sys, "setdlopenflags"):
        return importlib.import_module("durable_rules_engine")
    flags = sys.getdlopenflags()
    try:
        sys.setdlopenflags((flags & ~os.RTLD_NOW) | os.RTLD_LAZY)
        return importlib.import_module("durable_rules_engine")
    finally:
        sys.setdlopenflags(flags)


def _in_range(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and not (type(value) is int and -_LIMIT <= value <= _LIMIT):
        raise ValueError(f"{attribute.name} must be a whole number between -2**53 and 2**53")


@attrs.frozen
class Test:
    """One comparison of an attribute with a whole number or with another attribute.

    It holds only where all it reads is present.
    """

    __test__ = False  # or pytest takes it for one of its own

    attribute: int = attrs.field(validator=attrs.validators.ge(0))
    op: Operator = attrs.field(validator=attrs.validators.in_(get_args(Operator)))
    value: int | None = attrs.field(default=None, validator=_in_range)
    other: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))

    def __attrs_post_init__(self) -> None:
        if (self.value is None) == (self.other is None):
            raise ValueError("a test compares either with a value or with another attribute")


@attrs.frozen
class Conjunction:
    """What to conclude where all of some tests hold; without tests, always."""

    tests: tuple[Test, ...]
    concludes: int

    def __attrs_post_init__(self) -> None:
        if len(self.tests) > _MOST_TESTS or len(_reads(self.tests)) > _MOST_ATTRIBUTES:
            raise ValueError(
                f"a conjunction may have {_MOST_TESTS} tests and read {_MOST_ATTRIBUTES} attributes at most"
            )


def _reads(tests: Iterable[Test]) -> frozenset[int]:
    return frozenset(i for test in tests for i in (test.attribute, test.other) if i is not None)


class Texts(dict[int | None, str]):
    """What a fact says of one attribute: the text for every value, for None nothing.

    Texts are kept for the next case, up to a bound; only whole numbers the engine reads without loss have any.
    """

    def __init__(self, key: str) -> None:
        super().__init__({None: ""})
        self._start = f',"{key}":'

    def __missing__(self, value: int) -> str:
        if not (isinstance(value, int) and -_LIMIT <= value <= _LIMIT):
            raise ValueError("a value must be a whole number between -2**53 and 2**53")
        text = f"{self._start}{int(value)}"
        if len(self) < _MOST_TEXTS:
            self[int(value)] = text
        return text


class Network:
    """Conjunctions compiled once and decided together, for one case after another.

    Any number of threads may use one network, and so may the children of a fork.

    `facts` has, for each fact that is asserted of a case, the attributes read of it and their texts: joined in that
    order they are what `infer` takes. `conclusions` are all there can be.
    """

    facts: tuple[tuple[tuple[int, Texts], ...], ...]
    conclusions: frozenset[int]

    def __init__(self, conjunctions: Sequence[Conjunction]) -> None:
        engine, reason = _load()
        if engine is None:
            raise NetworkUnavailable(
                f"durable_rules cannot be used here ({reason}): install durable_rules 2.0.28, which needs a C"
                " compiler, or choose another engine"
            )
        self.conclusions = frozenset(conjunction.concludes for conjunction in conjunctions)
        handles: list[int] = []
        sessions: list[tuple[int, str]] = []
        self._free = weakref.finalize(self, _free, engine, handles, sessions)
        self._free.atexit = False
        conclusions: dict[_Tests, list[int]] = {}
        for conjunction in conjunctions:
            conclusions.setdefault(frozenset(conjunction.tests), []).append(conjunction.concludes)
        self._always = conclusions.pop(frozenset(), [])
        self._rulesets = [
            _ruleset(engine, handles, {tests: tuple(conclusions[tests]) for tests in shard})
            for shard in _shards(list(conclusions))
        ]
        self.facts = tuple(ruleset.attributes for ruleset in self._rulesets)
        self._sessions: list[_Session] = []
        for place, name in enumerate(_SESSIONS, 1):
            session = _session(engine, self._rulesets, name, place)
            session.evaluate([""] * len(handles))
            sessions += [(handle, name) for handle in handles]
            self._sessions.append(session)

    def run(self, values: Sequence[int | None]) -> set[int]:
        """The conclusions of every conjunction whose tests all hold; a value of None is absent."""
        return set(
            self.infer(["".join([texts[values[attribute]] for attribute, texts in fact]) for fact in self.facts])
        )

    def infer(self, facts: Sequence[str]) -> list[int]:
        """The same, from the texts of the facts; what several conjunctions conclude may be there several times."""
        if not self._free.alive:
            raise RuntimeError("the network is closed")
        if len(facts) != len(self.facts):
            raise ValueError(f"there must be {len(self.facts)} facts")
        for session in self._sessions:
            concluded = session.evaluate(facts)
            if concluded is not None:
                return concluded + self._always
        raise RuntimeError("the engine did not free a session")

    def close(self) -> None:
        """Free what the engine holds; done too when the network is garbage collected."""
        self._free()


def _free(engine: Any, handles: list[int], sessions: list[tuple[int, str]]) -> None:
    # In one call, so that no evaluation finds a ruleset without its sessions: it would make one that stays.
    deletions = starmap(engine.delete_state, sessions), map(engine.delete_ruleset, handles)
    deque(chain.from_iterable(deletions), maxlen=0)


def _shards(conjunctions: Sequence[_Tests]) -> Iterator[list[_Tests]]:
    """Neighbours together, in parts of much the same size, within both limits of a ruleset.

    Neighbours mostly read the same: they are the ways of one rule, and its neighbours in the file.
    """
    size = -(-len(conjunctions) // max(1, -(-len(conjunctions) // _MOST_CONJUNCTIONS)))
    shard: list[_Tests] = []
    read: frozenset[int] = frozenset()
    for tests in conjunctions:
        more = read | _reads(tests)
        if len(shard) == size or len(more) > _MOST_ATTRIBUTES:
            yield shard
            shard, more = [], _reads(tests)
        shard.append(tests)
        read = more
    if shard:
        yield shard


@attrs.frozen
class _Condition:
    """What the engine is to check of an attribute: that it is there, or how it compares."""

    operator: str
    attribute: int
    value: int
    other: int | None = None

    @property
    def reads(self) -> tuple[int, ...]:
        return (self.attribute,) if self.other is None else (self.attribute, self.other)

    def text(self, keys: Mapping[int, str]) -> dict[str, Any]:
        right = self.value if self.other is None else {"$m": keys[self.other]}
        return {self.operator: {keys[self.attribute]: right}}


def _conditions(conjunctions: Sequence[_Tests]) -> list[list[_Condition]]:
    """What the engine is to check for each conjunction, in order.

    Attributes are compared only where both are known to exist: a condition before says so, or compares them with a
    value. What many conjunctions share comes first, for the engine decides a common beginning once.
    """
    unordered: list[set[_Condition]] = []
    for tests in conjunctions:
        known = {_Condition(_OPERATORS[t.op], t.attribute, t.value) for t in tests if t.value is not None}
        pairs = {_Condition(_OPERATORS[t.op], t.attribute, 0, t.other) for t in tests if t.other is not None}
        compared = {condition.attribute for condition in known}
        known |= {_Condition("$ex", i, 1) for pair in pairs for i in pair.reads if i not in compared}
        unordered.append(known | pairs)
    counts = Counter(chain.from_iterable(unordered))

    def order(condition: _Condition) -> tuple[Any, ...]:
        return condition.other is not None, -counts[condition], attrs.astuple(condition)

    return [sorted(conditions, key=order) for conditions in unordered]


def _hash(name: str) -> int:
    """The hash by which alone the engine tells names apart."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _names() -> Iterator[str]:
    """Short names whose hashes differ from each other's and from those of the engine's own names."""
    taken = {_hash(name) for name in _RESERVED}
    for length in count(1):
        for name in map("".join, product(_LETTERS, repeat=length)):
            if _hash(name) not in taken:
                taken.add(_hash(name))
                yield name


@functools.cache
def _buckets() -> dict[str, int]:
    """The shortest names, and the bucket the engine looks for each in."""
    return {name: _hash(name) % _BUCKETS for name in islice(_names(), 5 * _MOST_ATTRIBUTES)}


def _keys(conditions: Iterable[Sequence[_Condition]]) -> dict[int, str]:
    """A name for every attribute, chosen so that the engine looks at few nodes it has no use for.

    It hangs what follows a node up in buckets by name, what finds its bucket taken in the next free one, and looks for
    each attribute of the fact from its bucket on to the first free one. So where most hangs, below the condition that
    always holds, attributes stand apart by as many buckets as they need, and one more; those not needed there share
    the buckets between.
    """
    following: dict[int, set[_Condition]] = {}
    for ordered in conditions:
        for place, condition in enumerate(ordered):
            for attribute in condition.reads:
                following.setdefault(attribute, set())
            if not place:
                following[condition.attribute].add(condition)
    wide = {attribute: len(some) + 1 for attribute, some in following.items() if some}
    places = dict(zip(wide, accumulate(wide.values(), initial=0), strict=False))
    room = max(_BUCKETS, sum(wide.values()))
    between = cycle([(place + wide[attribute] - 1) * _BUCKETS // room for attribute, place in places.items()])
    buckets = {a: places[a] * _BUCKETS // room if a in places else next(between) for a in sorted(following)}
    unused = _buckets().copy()
    keys: dict[int, str] = {}
    for attribute, wanted in buckets.items():
        keys[attribute] = next((name for name, bucket in unused.items() if bucket == wanted), next(iter(unused)))
        del unused[keys[attribute]]
    return keys


@attrs.frozen
class _Ruleset:
    """One ruleset of the engine."""

    handle: int
    attributes: tuple[tuple[int, Texts], ...]  # what its conjunctions read
    conclusions: Mapping[str, tuple[int, ...]]


def _ruleset(engine: Any, handles: list[int], conclusions: Mapping[_Tests, tuple[int, ...]]) -> _Ruleset:
    conditions = _conditions(list(conclusions))
    keys = _keys(conditions)
    always = {"$eq": {_ALWAYS: 1}}
    rules = {_SENTINEL: [always]}
    # The engine looks for the next rule that fired from the first one on; those with few conditions fire most.
    for name, ordered in sorted(zip(_RULES, conditions, strict=False), key=lambda named: len(named[1])):
        rules[name] = [always, *[condition.text(keys) for condition in ordered]]
    text = json.dumps({name: {"all": [{"m": {"$and": checks}}]} for name, checks in rules.items()})
    handles.extend(map(engine.create_ruleset, ("covrules",), (text,)))  # none is made that is not also noted
    return _Ruleset(
        handle=handles[-1],
        attributes=tuple((attribute, Texts(key)) for attribute, key in keys.items()),
        conclusions=dict(zip(_RULES, conclusions.values(), strict=False)),
    )


@attrs.frozen
class _Session:
    """A place for one fact at a time in each of the rulesets, which are evaluated together."""

    tail: str
    free: list[bool]  # empty while an evaluation runs
    handled: Callable[[Any], bool]  # raises KeyError on any answer but the right one
    conclusions: tuple[Callable[[str], tuple[int, ...]], ...]  # and so do these, by the name of the rule
    asserts: tuple[Callable[[str], Any], ...]
    starts: tuple[Callable[[], Any], ...]
    completes: tuple[Callable[[], Any], ...]
    retracts: tuple[Callable[[], Any], ...]
    deletes: tuple[Callable[[], Any], ...]

    def evaluate(self, facts: Sequence[str]) -> list[int] | None:
        """What the rules that fired conclude; None where an evaluation runs."""
        answers: list[Any] = []
        try:
            answers.extend(self._steps(starmap(self.free.pop, _ONCE), facts))
        except BaseException as error:
            if not answers and isinstance(error, IndexError):
                return None
            if not answers or _ended(answers):  # an asynchronous exception, before or after
                raise
            with suppress(Exception):
                list(self._steps(map(operator.call, self.deletes), [""] * len(self.deletes)))
            raise RuntimeError("the engine did not decide a case") from error
        rulesets = len(self.asserts)
        return answers[1 + 2 * rulesets : -1 - rulesets]

    def _steps(self, first: Iterator[Any], facts: Sequence[str]) -> Iterator[Any]:
        """An evaluation that waits to be drawn; only a call in C may draw it.

        A wrong answer of the engine ends it by a KeyError: a fact not handled, a sentinel that does not fire first, a
        rule there is not.
        """
        texts = map(operator.add, map(operator.add, repeat(_HEAD), facts), repeat(self.tail))
        started = map(_NAME, map(_MESSAGES, map(operator.call, self.starts)))
        fired = map(map, repeat(_NAME), map(iter, self.completes, repeat(None)))
        concluded = chain.from_iterable(map(map, self.conclusions, fired))
        return chain(
            first,
            map(self.handled, map(operator.call, self.asserts, texts)),
            map(_SENTINEL_FIRED, started),
            chain.from_iterable(concluded),
            map(self.handled, map(operator.call, self.retracts)),
            map(self.free.append, (True,)),
        )


def _ended(answers: Sequence[Any]) -> bool:
    """Whether the last step was taken, which frees the session and alone answers None."""
    return answers[-1] is None


def _session(engine: Any, rulesets: Sequence[_Ruleset], name: str, place: int) -> _Session:
    identity = f'"sid":"{name}","id":"{_FACT}"}}'
    handles = [ruleset.handle for ruleset in rulesets]

    def each(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], ...]:
        return tuple(functools.partial(function, handle, *arguments) for handle in handles)

    return _Session(
        tail=f",{identity}",
        free=[True],
        handled={(0, place): True}.__getitem__,
        conclusions=tuple(ruleset.conclusions.__getitem__ for ruleset in rulesets),
        asserts=each(engine.assert_fact),
        starts=each(engine.start_action_for_state, place),
        completes=each(engine.complete_and_start_action, place),
        retracts=each(engine.retract_fact, f"{{{identity}"),
        deletes=each(engine.delete_state, name),
    )

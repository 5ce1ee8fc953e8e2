"""The one place that touches durable_rules: conjunctions in, the conclusions of those that hold out.

Only the C module of durable_rules is used, never its Python packages, and only the part of it that is sound:
one flat fact of whole numbers a case, and rules which are conjunctions of comparisons within that fact.

Two things carry the safety. A ruleset of the engine gets so few conjunctions and attributes that none of its
fixed tables can overflow; `Network` spreads what it is given over several. And an evaluation of a ruleset
(assert, read what fired, retract) is a single call of `list.extend` on iterators written in C. No bytecode
runs inside that call, so no thread is switched, no asynchronous exception raised and no process forked in it:
whenever Python code can look, a session is empty, and there is nothing to lose.
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
from itertools import chain, count, product, starmap
from typing import Any, Literal, get_args

import attrs

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_Tests = tuple["Test", ...]

_LIMIT = 2**53  # beyond it the engine loses precision
_MOST_TESTS = 100
_MOST_ATTRIBUTES = 120  # a ruleset; the engine refuses a fact of more than 252
_MOST_CONJUNCTIONS = 60  # a ruleset; a fact that matches more than 64 siblings is given up half way

_OPERATORS = {"==": "$eq", "!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RULES = _LETTERS + "01234567"  # names of one character, so that one index tells which rule fired
_SENTINEL = "8"  # the rule that always fires: a session in which none ever has cannot be deleted
_ALWAYS = "t"  # the key every fact has
_FACT = "f"
_SESSIONS = ("0", "1")  # Python 3.11 may collect garbage, hence run bytecode, in one; then the other serves
_RESERVED = ("id", "sid", "$s", "$i", "$forward", _ALWAYS)
_ONCE: tuple[tuple[()], ...] = ((),)
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


class Network:
    """Conjunctions compiled once and decided together, for one case after another.

    Any number of threads may use one network, and so may the children of a fork.
    """

    def __init__(self, conjunctions: Sequence[Conjunction]) -> None:
        engine, reason = _load()
        if engine is None:
            raise NetworkUnavailable(
                f"durable_rules cannot be used here ({reason}): install durable_rules 2.0.28, which needs a C"
                " compiler, or choose another engine"
            )
        handles: list[int] = []
        sessions: list[tuple[int, str]] = []
        self._free = weakref.finalize(self, _free, engine, handles, sessions)
        self._free.atexit = False
        conclusions = _grouped(conjunctions)
        self._always = frozenset(conclusions.pop((), ()))
        self._attributes = sorted(_reads(chain.from_iterable(conclusions)))
        keys = dict(zip(self._attributes, _keys(), strict=False))
        self._fragments = [f',"{keys[attribute]}":' for attribute in self._attributes]
        self._rulesets = [
            _ruleset(engine, handles, sessions, {tests: conclusions[tests] for tests in shard}, keys)
            for shard in _shards(list(conclusions))
        ]

    def run(self, values: Sequence[int | None]) -> set[int]:
        """The conclusions of every conjunction whose tests all hold; a value of None is absent."""
        if not self._free.alive:
            raise RuntimeError("the network is closed")
        texts = _TEXTS
        read = map(values.__getitem__, self._attributes)
        parts = [
            "" if value is None else fragment + texts[value]
            for fragment, value in zip(self._fragments, read, strict=True)
        ]
        concluded = set(self._always)
        for ruleset in self._rulesets:
            concluded.update(*ruleset.evaluate("".join(ruleset.pick(parts))))
        return concluded

    def close(self) -> None:
        """Free what the engine holds; done too when the network is garbage collected."""
        self._free()


def _free(engine: Any, handles: list[int], sessions: list[tuple[int, str]]) -> None:
    # In one call, so that no evaluation finds a ruleset without its sessions: it would make one that stays.
    deletions = starmap(engine.delete_state, sessions), map(engine.delete_ruleset, handles)
    deque(chain.from_iterable(deletions), maxlen=0)


class _Texts(dict[int, str]):
    """Numbers as the engine reads them; the frequent ones are stored, any other is checked and written."""

    def __missing__(self, value: int) -> str:
        if not (isinstance(value, int) and -_LIMIT <= value <= _LIMIT):
            raise ValueError("a value must be a whole number between -2**53 and 2**53")
        return str(int(value))


_TEXTS = _Texts({value: str(value) for value in range(-1, 1024)})


def _grouped(conjunctions: Sequence[Conjunction]) -> dict[_Tests, list[int]]:
    """What each distinct set of tests concludes.

    Tests which many conjunctions share come first, for the engine decides a common beginning once; and
    conjunctions with a common beginning stand together.
    """
    counts = Counter(test for conjunction in conjunctions for test in set(conjunction.tests))

    def order(test: Test) -> tuple[Any, ...]:
        compared = test.value if test.other is None else test.other
        return test.other is not None, -counts[test], test.attribute, test.op, compared

    rank = {test: place for place, test in enumerate(sorted(counts, key=order))}
    grouped: dict[_Tests, list[int]] = {}
    for conjunction in conjunctions:
        tests = tuple(sorted(set(conjunction.tests), key=rank.__getitem__))
        grouped.setdefault(tests, []).append(conjunction.concludes)
    return dict(sorted(grouped.items(), key=lambda item: [rank[test] for test in item[0]]))


def _shards(conjunctions: Sequence[_Tests]) -> Iterator[list[_Tests]]:
    """Neighbours together, in parts of much the same size, within both limits of a ruleset."""
    size = -(-len(conjunctions) // max(1, -(-len(conjunctions) // _MOST_CONJUNCTIONS)))
    shard: list[_Tests] = []
    for tests in conjunctions:
        if len(shard) == size or len(_reads(chain(tests, *shard))) > _MOST_ATTRIBUTES:
            yield shard
            shard = []
        shard.append(tests)
    if shard:
        yield shard


def _hash(name: str) -> int:
    """The hash by which alone the engine tells names apart."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _keys() -> Iterator[str]:
    """Short names whose hashes differ from each other's and from those of the engine's own names."""
    taken = {_hash(name) for name in _RESERVED}
    for length in count(1):
        for name in map("".join, product(_LETTERS, repeat=length)):
            if _hash(name) not in taken:
                taken.add(_hash(name))
                yield name


def _conditions(tests: _Tests, keys: Mapping[int, str]) -> list[dict[str, Any]]:
    """What the engine is to check, in order: attributes are compared only where both are known to exist."""
    known: list[dict[str, Any]] = [{"$eq": {_ALWAYS: 1}}]
    pairs: list[dict[str, Any]] = []
    for test in tests:
        if test.other is None:
            known.append({_OPERATORS[test.op]: {keys[test.attribute]: test.value}})
        else:
            pairs.append({_OPERATORS[test.op]: {keys[test.attribute]: {"$m": keys[test.other]}}})
            known += ({"$ex": {keys[attribute]: 1}} for attribute in (test.attribute, test.other))
    return known + pairs


@attrs.frozen
class _Session:
    """One place of a ruleset for one fact at a time."""

    head: str
    free: list[bool]  # empty while an evaluation runs
    assert_fact: Callable[[str], Any]
    handled: Callable[[Any], bool]  # raises KeyError on any answer but the right one
    start: Callable[[], Any]
    complete: Callable[[], Any]
    retract: Callable[[], Any]
    delete: Callable[[], Any]

    def evaluate(self, body: str) -> list[str] | None:
        """What fired, as the engine tells it; None where an evaluation runs."""
        answers: list[Any] = []
        try:
            answers.extend(self._steps(self.free.pop, body))
        except BaseException as error:
            if not answers and isinstance(error, IndexError):
                return None
            if not answers or _ended(answers):  # an asynchronous exception, before or after
                raise
            with suppress(Exception):
                list(self._steps(self.delete, ""))
            raise RuntimeError("the engine did not decide a case") from error
        if answers[2][2] != _SENTINEL:
            raise RuntimeError("the engine did not fire the rule that always fires")
        return answers[3:-2]

    def _steps(self, first: Callable[[], Any], body: str) -> Iterator[Any]:
        """An evaluation that waits to be drawn; only a call in C may draw it."""
        return chain(
            starmap(first, _ONCE),
            map(self.handled, map(self.assert_fact, (f"{self.head}{body}}}",))),
            map(_MESSAGES, starmap(self.start, _ONCE)),
            iter(self.complete, None),
            map(self.handled, starmap(self.retract, _ONCE)),
            map(self.free.append, (True,)),
        )


def _ended(answers: Sequence[Any]) -> bool:
    """Whether the last step was taken, which frees the session and alone answers None after others."""
    return len(answers) > 3 and answers[-1] is None


def _session(engine: Any, handle: int, name: str, place: int) -> _Session:
    identity = f'{{"sid":"{name}","id":"{_FACT}"'
    return _Session(
        head=f'{identity},"{_ALWAYS}":1',
        free=[True],
        assert_fact=functools.partial(engine.assert_fact, handle),
        handled={(0, place): True}.__getitem__,
        start=functools.partial(engine.start_action_for_state, handle, place),
        complete=functools.partial(engine.complete_and_start_action, handle, place),
        retract=functools.partial(engine.retract_fact, handle, f"{identity}}}"),
        delete=functools.partial(engine.delete_state, handle, name),
    )


@attrs.frozen
class _Ruleset:
    """One ruleset of the engine."""

    sessions: list[_Session]
    pick: Callable[[Sequence[str]], Iterable[str]]  # the parts of a fact its conjunctions read
    conclusions: Mapping[str, tuple[int, ...]]

    def evaluate(self, body: str) -> list[tuple[int, ...]]:
        for session in self.sessions:
            texts = session.evaluate(body)
            if texts is not None:
                concluded = [self.conclusions.get(text[2], ()) for text in texts]
                if () in concluded:
                    raise RuntimeError("the engine did not fire the rules it has")
                return concluded
        raise RuntimeError("the engine did not free a session")


def _ruleset(
    engine: Any,
    handles: list[int],
    sessions: list[tuple[int, str]],
    conclusions: Mapping[_Tests, list[int]],
    keys: Mapping[int, str],
) -> _Ruleset:
    named = dict(zip(_RULES, conclusions, strict=False))
    rules = {_SENTINEL: [{"$eq": {_ALWAYS: 1}}]}
    rules |= {name: _conditions(tests, keys) for name, tests in named.items()}
    text = json.dumps({name: {"all": [{"m": {"$and": conditions}}]} for name, conditions in rules.items()})
    handles.extend(map(engine.create_ruleset, ("covrules",), (text,)))  # none is made that is not also noted
    handle = handles[-1]
    opened = []
    for place, name in enumerate(_SESSIONS, 1):
        opened.append(_session(engine, handle, name, place))
        opened[-1].evaluate("")
        sessions.append((handle, name))
    places = {attribute: place for place, attribute in enumerate(keys)}
    return _Ruleset(
        sessions=opened,
        pick=operator.itemgetter(*(places[i] for i in sorted(_reads(chain(*conclusions))))),
        conclusions={name: tuple(conclusions[tests]) for name, tests in named.items()},
    )

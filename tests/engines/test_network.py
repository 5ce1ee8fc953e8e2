"""Networks of the engine: right against a plain oracle, and no trap of durable_rules within reach."""

import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from itertools import count, product
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conjunctions import COMPARE, holds
from covrules.engines import _network
from covrules.engines._network import Conjunction, Network, NetworkUnavailable, Test

needs_engine = pytest.mark.skipif(not _network.available(), reason="durable_rules cannot be loaded")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

OPERATORS = tuple(COMPARE)
MOST = 2**53


def oracle(conjunctions: Sequence[Conjunction], values: Sequence[int | None]) -> set[int]:
    return {c.concludes for c in conjunctions if all(holds(test, values) for test in c.tests)}


def random_conjunctions(rng: Random, number: int, attributes: int) -> list[Conjunction]:
    def test() -> Test:
        attribute, op = rng.randrange(attributes), rng.choice(OPERATORS)
        if rng.random() < 0.2:
            return Test(attribute, op, other=rng.randrange(attributes))
        return Test(attribute, op, rng.choice((0, 1, 2, -1, 7, -MOST, MOST, rng.randint(-50, 50))))

    return [Conjunction(tuple(test() for _ in range(rng.randrange(5))), rng.randrange(number)) for _ in range(number)]


def random_values(rng: Random, attributes: int) -> list[int | None]:
    choices = (None, 0, 1, 2, -1, 7, MOST, -MOST)
    return [rng.choice((*choices, rng.randint(-50, 50))) for _ in range(attributes)]


def resident() -> int:
    """Bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def is_clean(network: Network) -> bool:
    """Whether every session is free and the engine holds no fact in it."""
    engine, _ = _network._load()
    return all(session.free == [True] for session in network._sessions) and all(
        engine.get_facts(ruleset.handle, name) == "[]" for ruleset in network._rulesets for name in _network._SESSIONS
    )


def _condition(attribute: int) -> _network._Condition:
    return _network._Condition("$eq", attribute, 1)


numbers = st.one_of(st.integers(-3, 3), st.integers(-MOST, MOST), st.sampled_from((MOST, -MOST, MOST - 1)))


@st.composite
def comparisons(draw: st.DrawFn, attributes: int) -> Test:
    attribute, op = draw(st.integers(0, attributes - 1)), draw(st.sampled_from(OPERATORS))
    if draw(st.booleans()):
        return Test(attribute, op, draw(numbers))
    return Test(attribute, op, other=draw(st.integers(0, attributes - 1)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Conjunction], list[list[int | None]]]:
    attributes = draw(st.integers(1, 6))
    conjunction = st.builds(Conjunction, st.lists(comparisons(attributes), max_size=5).map(tuple), st.integers(-2, 20))
    values = st.lists(st.none() | numbers, min_size=attributes, max_size=attributes)
    return draw(st.lists(conjunction, max_size=12)), draw(st.lists(values, min_size=1, max_size=6))


@needs_engine
class TestDecisions:
    @settings(max_examples=300, deadline=None)
    @given(cases())
    def test_equals_a_plain_oracle(self, case: tuple[list[Conjunction], list[list[int | None]]]) -> None:
        conjunctions, rows = case
        network = Network(conjunctions)
        for values in rows:
            assert network.run(values) == oracle(conjunctions, values)
        assert is_clean(network)
        network.close()

    @pytest.mark.parametrize(("number", "attributes"), [(1, 1), (59, 4), (61, 40), (500, 30), (700, 900)])
    def test_equals_a_plain_oracle_over_many_rulesets(self, number: int, attributes: int) -> None:
        rng = Random(number)
        conjunctions = random_conjunctions(rng, number, attributes)
        network = Network(conjunctions)
        for _ in range(60):
            values = random_values(rng, attributes)
            assert network.run(values) == oracle(conjunctions, values)
        assert is_clean(network)

    @pytest.mark.parametrize("op", OPERATORS)
    @pytest.mark.parametrize("other", [False, True])
    def test_every_operator(self, op: Any, other: bool) -> None:
        edges = (None, 0, 1, -1, 9, 10, -10, MOST, MOST - 1, -MOST, 1 - MOST)
        for right in edges[1:]:
            test = Test(0, op, other=1) if other else Test(0, op, right)
            network = Network([Conjunction((test,), 5)])
            for values in product(edges, edges) if other else ((left, None) for left in edges):
                assert network.run(values) == ({5} if holds(test, values) else set())

    def test_no_conjunction(self) -> None:
        assert Network([]).run([]) == set()

    def test_a_conjunction_without_tests_always_fires(self) -> None:
        network = Network([Conjunction((), 1), Conjunction((), 2), Conjunction((Test(0, "==", 1),), 3)])
        assert network.run([None]) == {1, 2}
        assert network.run([1]) == {1, 2, 3}
        assert Network([Conjunction((), 4)]).run([]) == {4}

    def test_several_conjunctions_may_conclude_the_same(self) -> None:
        network = Network([Conjunction((Test(0, "==", i),), 7) for i in range(3)])
        assert [network.run([i]) for i in range(4)] == [{7}, {7}, {7}, set()]

    def test_the_longest_conjunction(self) -> None:
        conjunction = Conjunction(tuple(Test(i, ">=", i) for i in range(100)), 1)
        network = Network([conjunction])
        values: list[int | None] = list(range(100))
        assert network.run(values) == {1}
        assert network.run([*values[:99], 98]) == set()
        assert network.run([*values[:50], None, *values[51:]]) == set()

    def test_same_input_same_rulesets(self) -> None:
        conjunctions = random_conjunctions(Random(4), 300, 40)
        first, second = Network(conjunctions), Network(conjunctions)
        assert [r.conclusions for r in first._rulesets] == [r.conclusions for r in second._rulesets]
        said = [
            [[(attribute, texts[1]) for attribute, texts in fact] for fact in network.facts]
            for network in (first, second)
        ]
        assert said[0] == said[1]

    def test_a_true_is_one(self) -> None:
        assert Network([Conjunction((Test(0, "==", 1),), 1)]).run([True]) == {1}


class TestRefusals:
    @pytest.mark.parametrize("value", [MOST + 1, -MOST - 1, 1.5, True, "1"])
    def test_of_a_value_to_compare_with(self, value: Any) -> None:
        with pytest.raises(ValueError, match="whole number"):
            Test(0, "==", value)

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ((0, "=="), "either"),
            ((0, "==", 1, 1), "either"),
            ((-1, "==", 1), "attribute"),
            ((0, "=", 1), "op"),
            ((0, "==", None, -1), "other"),
        ],
    )
    def test_of_tests(self, arguments: Any, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            Test(*arguments)

    def test_of_conjunctions(self) -> None:
        with pytest.raises(ValueError, match="100 tests"):
            Conjunction(tuple(Test(0, "==", i) for i in range(101)), 1)
        with pytest.raises(ValueError, match="120 attributes"):
            Conjunction(tuple(Test(2 * i, "<", other=2 * i + 1) for i in range(61)), 1)

    @needs_engine
    @pytest.mark.parametrize("value", [MOST + 1, -MOST - 1, 10**400, float("nan"), float("inf"), 1e300, "x", 2.5])
    def test_of_a_value(self, value: Any) -> None:
        network = Network([Conjunction((Test(0, ">", 1),), 1)])
        with pytest.raises(ValueError, match="whole number"):
            network.run([value])
        assert is_clean(network)
        assert network.run([2]) == {1}


@needs_engine
class TestTraps:
    """Each trap of durable_rules that this interface could lead into."""

    def test_more_than_64_matching_siblings(self) -> None:
        conjunctions = [Conjunction((Test(0, ">=", -i),), i) for i in range(400)]
        assert Network(conjunctions).run([0]) == set(range(400))

    def test_a_ruleset_has_few_conjunctions(self) -> None:
        for number in (1, 59, 60, 61, 1000):
            network = Network([Conjunction((Test(0, ">=", -i),), i) for i in range(number)])
            assert max(len(ruleset.conclusions) for ruleset in network._rulesets) <= 60
            assert sum(len(ruleset.conclusions) for ruleset in network._rulesets) == number

    def test_more_than_512_siblings(self) -> None:
        conjunctions = [Conjunction((Test(0, "==", i),), i) for i in range(1500)]
        network = Network(conjunctions)
        assert network.run([1499]) == {1499}
        assert network.run([1500]) == set()

    def test_more_than_255_identical_conditions(self) -> None:
        conjunctions = [Conjunction((Test(0, "==", 1), Test(1, "<", other=0)), i) for i in range(600)]
        assert Network(conjunctions).run([1, 0]) == set(range(600))

    def test_more_attributes_than_a_fact_may_have(self) -> None:
        conjunctions = [Conjunction((Test(i, "==", 1), Test(i + 1, "==", 1)), i) for i in range(3000)]
        network = Network(conjunctions)
        assert network.run([1] * 3001) == set(range(3000))
        assert all(len(fact) <= 120 for fact in network.facts)
        wide = [Conjunction(tuple(Test(60 * i + j, "==", 1) for j in range(60)), i) for i in range(20)]
        network = Network(wide)
        assert network.run([1] * 1200) == set(range(20))
        assert {len(fact) for fact in network.facts} == {120}

    def test_comparison_with_a_missing_attribute(self) -> None:
        conjunctions = [Conjunction((Test(0, op, other=1),), i) for i, op in enumerate(OPERATORS)]
        network = Network(conjunctions)
        for values in ([None, 1], [1, None], [None, None]):
            for _ in range(50):
                assert network.run(values) == set()
        assert network.run([1, 1]) == oracle(conjunctions, [1, 1])

    def test_a_failing_comparison_of_attributes_last(self) -> None:
        tests = (*(Test(i, "<=", other=i + 1) for i in range(40)), Test(0, ">", other=41))
        network = Network([Conjunction(tests, 1)])
        assert network.run([1] * 42) == set()
        assert network.run([1] * 41 + [0]) == {1}

    def test_one_condition_twice_in_a_conjunction(self) -> None:
        test = Test(0, "<", other=1)
        assert Network([Conjunction((test, test, Test(0, "==", 1), Test(0, "==", 1)), 1)]).run([1, 2]) == {1}

    def test_nothing_present(self) -> None:
        """A fact without attributes is unmatched, and the engine's own state fact would match."""
        conjunctions = [Conjunction((Test(0, op, 0),), 1) for op in OPERATORS]
        network = Network(conjunctions)
        assert [network.run([None]) for _ in range(20)] == [set()] * 20

    def test_a_case_twice(self) -> None:
        """The engine takes no fact twice, so the first must be gone."""
        network = Network([Conjunction((Test(0, "==", 1),), 1)])
        assert [network.run([1]) for _ in range(50)] == [{1}] * 50

    def test_more_than_1024_cases(self) -> None:
        network = Network([Conjunction((Test(0, "==", i),), i) for i in range(5)])
        assert all(network.run([i % 7]) == {i % 7} & set(range(5)) for i in range(3000))
        assert len(network._sessions) == 2

    def test_texts_are_bounded(self) -> None:
        texts = _network.Texts("a")
        assert [texts[value] for value in (None, 0, -7, True, MOST)] == [
            "",
            ',"a":0',
            ',"a":-7',
            ',"a":1',
            f',"a":{MOST}',
        ]
        for value in range(5000):
            assert texts[value] == f',"a":{value}'
        assert len(texts) <= 1024

    def test_deleting_a_session_no_case_was_decided_in(self) -> None:
        for _ in range(20):
            Network([Conjunction((Test(0, "==", 1),), 1)]).close()

    def test_precision(self) -> None:
        for edge in (MOST, -MOST):
            near = edge - 1 if edge > 0 else edge + 1
            network = Network([Conjunction((Test(0, "==", edge),), 1), Conjunction((Test(0, "==", other=1),), 2)])
            assert network.run([edge, near]) == {1}
            assert network.run([near, near]) == {2}

    def test_names_have_distinct_hashes(self) -> None:
        keys = [key for key, _ in zip(_network._names(), range(5000), strict=False)]
        assert len({_network._hash(name) for name in (*keys, *_network._RESERVED)}) == 5006
        assert _network._hash("sid") == 3593476751  # as the source of the engine has them
        assert _network._hash("id") == 926444256
        facts = [_network._FACT, *(f"sid-{name}" for name in _network._SESSIONS)]
        assert len({*map(_network._hash, facts)}) == 3
        assert len({*map(_network._hash, _network._SESSIONS)}) == 2

    def test_the_attributes_of_a_fact_have_names_of_their_own(self) -> None:
        """Chosen by bucket, yet all differ, and those most looked for stand apart."""
        for number in (1, 10, 40, 120):
            tests = [Test(i, "==", 1) for i in range(number)]
            keys = _network._keys(_network._conditions([frozenset((test,)) for test in tests]))
            assert sorted(keys) == list(range(number))
            assert len({_network._hash(name) for name in (*keys.values(), *_network._RESERVED)}) == number + 6
            assert len({_network._hash(name) % 32 for name in keys.values()}) >= min(number, 30)
        apart = {_network._hash(name) % 32 for name in _network._keys([[_condition(i)] for i in range(16)]).values()}
        assert apart == set(range(0, 32, 2))

    def test_an_attribute_is_known_before_it_is_compared_with_another(self) -> None:
        compared = Test(0, "<", other=1)
        for tests in (
            (compared,),
            (compared, Test(0, "==", 1)),
            (compared, Test(1, ">", 1)),
            (compared, Test(2, ">", 1)),
        ):
            (ordered,) = _network._conditions([frozenset(tests)])
            assert ordered[-1].other == 1
            assert {0, 1} <= {condition.attribute for condition in ordered[:-1] if condition.other is None}

    def test_generated_code_uses_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine, _ = _network._load()
        used: set[str] = set()

        class Spy:
            def __getattr__(self, name: str) -> Any:
                used.add(name)
                return getattr(engine, name)

        monkeypatch.setattr(_network, "_load", lambda: (Spy(), ""))
        network = Network(random_conjunctions(Random(1), 100, 10))
        network.run([1] * 10)
        network.close()
        assert used <= set(_network._NEEDED)


class Faulty:
    """The engine, one function of which fails once when told to, at the call of that number."""

    def __init__(self, engine: Any, name: str, answer: Any) -> None:
        self.armed = 0

        def fail(*arguments: Any) -> Any:
            self.armed -= 1
            if self.armed:
                return getattr(engine, name)(*arguments)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.functions = SimpleNamespace(**{needed: getattr(engine, needed) for needed in _network._NEEDED})
        setattr(self.functions, name, fail)


@needs_engine
class TestFailures:
    @pytest.mark.parametrize(
        ("name", "answer"),
        [
            ("assert_fact", (1, 1)),
            ("assert_fact", (2, 1)),
            ("assert_fact", (0, 2)),
            ("assert_fact", MemoryError()),
            ("assert_fact", IndexError()),
            ("start_action_for_state", None),
            ("start_action_for_state", RuntimeError()),
            ("complete_and_start_action", ValueError()),
            ("retract_fact", (1, 1)),
            ("retract_fact", KeyError()),
        ],
    )
    def test_no_partial_answer_and_no_lost_session(
        self, monkeypatch: pytest.MonkeyPatch, name: str, answer: Any
    ) -> None:
        faulty = Faulty(_network._load()[0], name, answer)
        monkeypatch.setattr(_network, "_load", lambda: (faulty.functions, ""))
        network = Network([Conjunction((Test(0, "==", i),), i) for i in range(3)])
        monkeypatch.undo()
        for i in range(50):
            faulty.armed = 1
            with pytest.raises(RuntimeError, match=r"^the engine did not decide a case$"):
                network.run([i % 3])
            assert network.run([i % 4]) == {i % 4} & {0, 1, 2}
            assert is_clean(network)
        network.close()

    @pytest.mark.parametrize(
        "name", ["assert_fact", "start_action_for_state", "complete_and_start_action", "retract_fact"]
    )
    @pytest.mark.parametrize("call", range(1, 5))
    def test_in_any_of_several_rulesets(self, monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
        faulty = Faulty(_network._load()[0], name, RuntimeError())
        monkeypatch.setattr(_network, "_load", lambda: (faulty.functions, ""))
        conjunctions = [Conjunction((Test(i % 7, ">=", i),), i) for i in range(4 * _network._MOST_CONJUNCTIONS)]
        network = Network(conjunctions)
        monkeypatch.undo()
        assert len(network.facts) == 4
        for most in (0, 50, 200):
            faulty.armed = call
            with pytest.raises(RuntimeError, match=r"^the engine did not decide a case$"):
                network.run([most] * 7)
            assert is_clean(network)
            assert network.run([most] * 7) == oracle(conjunctions, [most] * 7)
        network.close()

    def test_facts_that_are_not_there(self) -> None:
        conjunctions = [Conjunction((Test(0, "==", i),), i) for i in range(100)]
        network = Network(conjunctions)
        for facts in ([], [""], [""] * (len(network.facts) + 1)):
            with pytest.raises(ValueError, match="there must be"):
                network.infer(facts)
        with pytest.raises(RuntimeError, match=r"^the engine did not decide a case$"):
            network.infer([*[""] * (len(network.facts) - 1), ',"a":'])
        assert is_clean(network)
        assert network.run([99]) == {99}

    @pytest.mark.parametrize(("first", "later"), [("a", "8"), ("8", "8"), ("8", "!")])
    def test_the_sentinel_must_fire_once(self, first: str, later: str) -> None:
        network = Network([Conjunction((Test(0, "==", 1),), 1)])
        texts = iter((f'{{"{later}":', None))
        network._sessions[0] = attrs.evolve(
            network._sessions[0],
            starts=(lambda: ("", f'{{"{first}":'),),
            completes=(lambda: next(texts),),
            asserts=(lambda _: (0, 1),),
            retracts=(lambda: (0, 1),),
            deletes=(lambda: None,),
        )
        with pytest.raises(RuntimeError, match=r"^the engine did not decide a case$"):
            network.run([1])

    def test_a_session_in_use_is_left_alone(self) -> None:
        network = Network([Conjunction((Test(0, "==", 1),), 1)])
        first, second = network._sessions
        first.free.clear()
        assert network.run([1]) == {1}
        second.free.clear()
        with pytest.raises(RuntimeError, match="did not free a session"):
            network.run([1])

    def test_within_a_garbage_collection(self) -> None:
        """Finalizers may run, and decide cases, in the midst of an evaluation."""
        network = Network([Conjunction((Test(0, "==", i),), i) for i in range(40)])
        seen: list[set[int]] = []

        class Ring:
            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                seen.append(network.run([3]))

        before = gc.get_threshold()
        gc.set_threshold(3, 2, 2)
        try:
            for i in range(3000):
                Ring()
                assert network.run([i % 40]) == {i % 40}
        finally:
            gc.set_threshold(*before)
            gc.collect()  # the last rings would else be collected after their network, in another test
        assert seen
        assert all(concluded == {3} for concluded in seen)
        assert is_clean(network)


@needs_engine
class TestThreads:
    def test_eight_threads_on_one_network(self) -> None:
        rng = Random(8)
        conjunctions = random_conjunctions(rng, 150, 20)
        network = Network(conjunctions)
        rows = [random_values(rng, 20) for _ in range(40)]
        expected = [oracle(conjunctions, row) for row in rows]
        wrong: list[Any] = []

        def work(start: int) -> None:
            try:
                for i in range(start, start + 400):
                    if network.run(rows[i % 40]) != expected[i % 40]:
                        wrong.append(i)
            except BaseException as error:
                wrong.append(error)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert not wrong
        assert is_clean(network)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_four_children_while_a_thread_decides(self) -> None:
        rng = Random(4)
        conjunctions = random_conjunctions(rng, 150, 20)
        network = Network(conjunctions)
        rows = [random_values(rng, 20) for _ in range(20)]
        expected = [oracle(conjunctions, row) for row in rows]
        stop = threading.Event()
        wrong: list[Any] = []

        def right() -> bool:
            return all(network.run(row) == wanted for row, wanted in zip(rows, expected, strict=True))

        def work() -> None:
            while not stop.is_set():
                if not right():
                    wrong.append(1)

        thread = threading.Thread(target=work)
        thread.start()
        children = []
        for _ in range(4):
            child = os.fork()
            if not child:
                try:
                    os._exit(0 if all(right() for _ in range(20)) and is_clean(network) else 1)
                finally:
                    os._exit(2)
            children.append(child)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        stop.set()
        thread.join()
        assert statuses == [0] * 4
        assert not wrong
        assert right()


class Boom(BaseException):
    """Thrown into evaluations."""


class Done(BaseException):
    """Thrown last."""


@needs_engine
class TestAsynchronousExceptions:
    @pytest.mark.parametrize("kind", [Boom, type("BoomIndex", (IndexError,), {}), type("BoomKey", (KeyError,), {})])
    def test_at_every_bytecode(self, kind: type[BaseException]) -> None:
        """A trace function raises before the first, second, third... instruction of an evaluation."""
        conjunctions = [Conjunction((Test(0, "==", i % 3), Test(1, "<", i)), i) for i in range(70)]
        network = Network(conjunctions)
        expected = oracle(conjunctions, [1, 30])
        left = 10**6

        def trace(frame: Any, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename != _network.__file__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                left -= 1
                if left < 0:
                    sys.settrace(None)
                    raise kind
            return trace

        before = sys.gettrace()
        sys.settrace(trace)  # Python 3.12 traces instructions only from the next time on
        network.run([1, 30])
        sys.settrace(before)
        thrown = 0
        for instructions in count():
            left = instructions
            try:
                sys.settrace(trace)
                concluded = network.run([1, 30])
            except kind:
                thrown += 1
            else:
                assert concluded == expected
                if left >= 0:
                    break
            finally:
                sys.settrace(before)
            assert is_clean(network)
            assert network.run([1, 30]) == expected
        assert thrown > 100

    @pytest.mark.parametrize("number", [2000, pytest.param(50_000, marks=pytest.mark.long)])
    def test_from_another_thread(self, number: int) -> None:
        rng = Random(2)
        conjunctions = random_conjunctions(rng, 90, 12)
        network = Network(conjunctions)
        rows = [random_values(rng, 12) for _ in range(20)]
        expected = [oracle(conjunctions, row) for row in rows]
        caught = 0
        wrong: list[Any] = []

        def decide() -> None:
            nonlocal caught
            while True:
                try:
                    for i in count():
                        if network.run(rows[i % 20]) != expected[i % 20]:
                            wrong.append(i)
                except Boom:
                    caught += 1

        def work() -> None:
            while True:
                try:
                    decide()
                except Done:
                    return
                except Boom:  # thrown while another was handled
                    pass
                except BaseException as error:
                    wrong.append(error)

        thread = threading.Thread(target=work)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        pause = threading.Event()
        try:
            thread.start()
            for i in range(number + 1):
                pause.wait(5e-5 + rng.random() * 1e-4)
                kind = ctypes.py_object(Done if i == number else Boom)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), kind)
        finally:
            sys.setswitchinterval(interval)
            thread.join(10)
        assert not thread.is_alive()
        assert not wrong
        assert caught > number / 2
        assert is_clean(network)
        assert all(network.run(row) == wanted for row, wanted in zip(rows, expected, strict=True))


@needs_engine
class TestMemory:
    @linux_only
    @pytest.mark.parametrize("number", [30_000, pytest.param(1_000_000, marks=pytest.mark.long)])
    def test_flat_over_many_cases(self, number: int) -> None:
        rng = Random(1)
        network = Network(random_conjunctions(rng, 40, 20))
        rows = [random_values(rng, 20) for _ in range(500)]
        for row in rows * 4:
            network.run(row)
        before = resident()
        for i in range(number):
            network.run(rows[i % 500])
        assert resident() - before < 2_000_000

    @linux_only
    @pytest.mark.parametrize("close", [True, False])
    def test_flat_over_200_networks(self, close: bool) -> None:
        conjunctions = random_conjunctions(Random(1), 130, 20)

        def use() -> None:
            network = Network(conjunctions)
            network.run([1] * 20)
            if close:
                network.close()

        for _ in range(40):
            use()
        before = resident()
        for _ in range(200):
            use()
        assert resident() - before < 4_000_000

    def test_closing(self) -> None:
        engine, _ = _network._load()
        network = Network([Conjunction((Test(0, "==", 1),), 1)])
        handle = network._rulesets[0].handle
        network.close()
        network.close()
        with pytest.raises(RuntimeError, match="closed"):
            network.run([1])
        with pytest.raises(engine.error):
            engine.get_facts(handle, "0")
        assert network._sessions[0].free == [True]

    def test_closing_while_threads_decide(self) -> None:
        conjunctions = random_conjunctions(Random(3), 130, 12)
        for _ in range(10):
            network = Network(conjunctions)
            ends: list[BaseException] = []

            def work(network: Network = network, ends: list[BaseException] = ends) -> None:
                try:
                    while True:
                        network.run([1] * 12)
                except RuntimeError as error:
                    ends.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            network.close()
            for thread in threads:
                thread.join(10)
            assert len(ends) == 3


def run_python(code: str, **environment: str) -> str:
    source = str(Path(_network.__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout.strip()


class TestAvailability:
    def test_importing_the_module_does_not_load_the_engine(self) -> None:
        code = "import sys; import covrules.engines._network; print('durable_rules_engine' in sys.modules)"
        assert run_python(code) == "False"

    @pytest.mark.parametrize("error", ["ImportError('no such thing')", "OSError('undefined symbol')"])
    def test_says_why_there_is_none(self, error: str) -> None:
        out = run_python(f"""
            import os, sys
            class Block:
                def find_spec(self, name, path=None, target=None):
                    if name == "durable_rules_engine":
                        raise {error}
            sys.meta_path.insert(0, Block())
            from covrules.engines._network import Network, NetworkUnavailable, available
            flags = getattr(sys, "getdlopenflags", int)()
            assert not available()
            assert getattr(sys, "getdlopenflags", int)() == flags
            try:
                Network([])
            except NetworkUnavailable as error:
                print(isinstance(error, ImportError), error)
        """)
        assert out.startswith("True durable_rules cannot be used here (")
        assert "install durable_rules" in out

    def test_a_module_that_lacks_a_function(self) -> None:
        out = run_python("""
            import sys, types
            sys.modules["durable_rules_engine"] = types.ModuleType("durable_rules_engine")
            from covrules.engines._network import _load, available
            print(available(), _load()[1])
        """)
        assert out.startswith("False it lacks create_ruleset")

    @needs_engine
    @pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="no such flags here")
    def test_lazy_binding_only_for_the_one_import(self) -> None:
        out = run_python("""
            import importlib, os, sys
            seen = []
            real = importlib.import_module
            def spy(name):
                seen.append((name, sys.getdlopenflags() & (os.RTLD_NOW | os.RTLD_LAZY)))
                return real(name)
            importlib.import_module = spy
            from covrules.engines import _network
            before = sys.getdlopenflags()
            assert _network.available() and _network.available()
            print(seen == [("durable_rules_engine", os.RTLD_LAZY)], sys.getdlopenflags() == before)
        """)
        assert out == "True True"

    @pytest.mark.skipif(
        not sys.platform.startswith("linux") or sys.version_info < (3, 13), reason="all symbols are there"
    )
    def test_not_available_where_lazy_binding_is_forbidden(self) -> None:
        code = "from covrules.engines._network import available; print(available())"
        assert run_python(code, LD_BIND_NOW="1") == "False"


def test_unavailable_is_raised_by_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_network, "_load", lambda: (None, "a reason"))
    assert not _network.available()
    with pytest.raises(NetworkUnavailable, match="a reason"):
        Network([])

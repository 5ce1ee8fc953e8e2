"""Every part of the long run runs, finds nothing wrong where nothing is, and finds what is."""

import mmap
import os
import re
import subprocess
import sys
from concurrent.futures import Future

import pytest

import generators
import reference
import trust
from covrules import FactError, RulesetError, api
from covrules.engines import durable
from covrules.errors import Problem
from covrules.loading import read_ruleset

pytestmark = pytest.mark.skipif(not durable.available(), reason="durable_rules cannot be loaded")

SMALL = ["--pairs", "320", "--evaluations", "400", "--files", "40", "--workers", "1"]
SCRIPT = """
import sys, trust
trust.CHILDREN = ["fork", "spawn"]
trust.ROWS = 20
{broken}
if __name__ == "__main__":
    sys.exit(trust.main({arguments}))
"""
BROKEN = """
import os, types, generators
from covrules import api
from covrules.engines import _network

def evaluate_wrongly(ruleset, case, evaluate=api.evaluate, **named):
    outcome = evaluate(ruleset, case, **named)._outcome
    return types.SimpleNamespace(_outcome=outcome._replace(statuses=("met",) * len(ruleset.rules)))

def infer_and_lose(network, facts, infer=_network.Network.infer):
    try:
        return infer(network, facts)
    except trust.Thrown:
        network._sessions[1].free.clear()
        raise

api.evaluate = evaluate_wrongly
_network.Network.infer = infer_and_lose
generators.ruleset = lambda rnd: os._exit(3)
"""


class Other:
    """A verdict of which something is other."""

    def __init__(self, verdict, **other):
        self._verdict = verdict
        self.__dict__.update(other)

    def __getattr__(self, name):
        return getattr(self._verdict, name)


class Here:
    """Runs calls in this process, where they find what a test has put in the place of the real thing."""

    def __init__(self, *_, **__):
        pass

    def submit(self, call, *arguments):
        future = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_):
        pass


@pytest.fixture
def here(monkeypatch, capsys):
    """Run some parts in this process, and return the exit status and what was printed."""

    def main(*arguments):
        return trust.main([*SMALL, *arguments]), capsys.readouterr().out

    monkeypatch.setattr(trust, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(trust, "shipped", lambda: [trust.BASE])
    monkeypatch.setattr(trust, "ROWS", 20)
    interval = sys.getswitchinterval()
    yield main
    sys.setswitchinterval(interval)


@pytest.fixture
def broken_rows():
    """Have cases with what is expected of them made anew, for what a test breaks and for the tests after it."""
    trust.rows.cache_clear()
    yield
    trust.rows.cache_clear()


def in_processes(tmp_path, broken, *arguments):
    """Run some parts in processes which all import the same script, and so find broken what it breaks."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(broken=broken, arguments=[*SMALL, *arguments]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120)


def test_parts_that_find_nothing_wrong(here):
    status, said = here("--only", "pairs", "memory", "threads", "files")
    assert status == 0
    assert [line.partition(" (")[0].partition(" checked")[0] for line in said.splitlines()] == [
        "pairs: 320 pairs of rulesets", "memory: 400", "threads: 40", "files: 40 mutated ruleset files",
    ]  # fmt: skip
    assert all("; seed 1; 0 wrong; " in line for line in said.splitlines())
    assert "grown by " in said


def test_parts_that_find_nothing_wrong_in_processes_of_their_own(tmp_path):
    ran = in_processes(tmp_path, "", "--only", "processes", "interruptions")
    assert ran.returncode == 0
    assert [line.split(":")[0] for line in ran.stdout.splitlines()] == ["processes", "interruptions"]
    assert ran.stderr == ""


def test_parts_that_find_what_is_wrong_in_processes_of_their_own(tmp_path):
    ran = in_processes(tmp_path, BROKEN, "--evaluations", "1000", "--only", "pairs", "processes", "interruptions")
    assert ran.returncode == 1
    pairs, _, others = ran.stdout.partition("\nprocesses: ")
    processes, _, interruptions = others.partition("\ninterruptions: ")
    assert "BrokenProcessPool" in pairs
    assert re.search(r"ForkProcess-\S+ ended with 1", processes)
    assert re.search(r"SpawnProcess-\S+ ended with 1", processes)
    assert "session 1 of a network is lost" in interruptions
    assert "prescription-on-file" in interruptions


@pytest.mark.parametrize(
    ("engine", "what"),
    [("compiled", "statuses"), ("durable", "statuses"), ("durable", "allowed"), ("compiled", "coverage"),
     ("durable", "accepted_here")],
)  # fmt: skip
def test_an_engine_that_is_wrong(here, monkeypatch, engine, what):
    evaluate = api.evaluate

    def other(ruleset, case, **named):
        verdict = evaluate(ruleset, case, **named)
        if named["engine"] != engine:
            return verdict
        if what in ("coverage", "accepted_here"):
            return Other(verdict, **{what: "other"})
        wrong = ("met",) * len(getattr(verdict._outcome, what))
        return Other(verdict, _outcome=verdict._outcome._replace(**{what: wrong}))

    monkeypatch.setattr(api, "evaluate", other)
    status, said = here("--only", "pairs")
    assert status == 1
    name = {"statuses": r"\w+-\d", "allowed": r"the units of \w+-\d"}.get(what, what)
    assert re.search(rf"  seed 10000000\d\d, case \d+, (planned|delivered|billed): {engine}: {name}", said)


@pytest.mark.parametrize("name", ["missing", "waived_by", "units"])
def test_a_verdict_that_differs(here, monkeypatch, name):
    verdict = reference.verdict

    def other(ruleset, *given):
        expected = verdict(ruleset, *given)
        by_rule = {rule.id: {"visit.date"} for rule in ruleset.rules}
        wrong = {"missing": by_rule, "waived_by": by_rule, "units": {"requested": -1, "covered": 0, "bound_by": None}}
        return expected | {name: wrong[name]}

    monkeypatch.setattr(reference, "verdict", other)
    status, said = here("--only", "pairs")
    assert status == 1
    assert f": {name}" in said


@pytest.mark.parametrize("error", [FactError, RulesetError])
def test_a_pair_that_raises(here, monkeypatch, error):
    def refuse(*_):
        raise error([Problem(message="no")])

    monkeypatch.setattr(generators, "case_for", refuse)
    status, said = here("--only", "pairs")
    assert status == 1
    assert error.__name__ in said


def test_evaluations_that_keep_memory(here, monkeypatch):
    kept = []
    evaluate = api.evaluate

    def keep(*given, **named):
        kept.append(mmap.mmap(-1, 50_000))  # pages of its own, whatever the tests before this one have freed
        kept[-1].write(b"x" * 50_000)
        return evaluate(*given, **named)

    monkeypatch.setattr(api, "evaluate", keep)
    status, said = here("--evaluations", "1000", "--only", "memory")
    assert status == 1
    assert "0 wrong; grown by " in said


@pytest.mark.parametrize("part", ["memory", "threads"])
@pytest.mark.usefixtures("broken_rows")
def test_evaluations_that_are_wrong(here, monkeypatch, part):
    verdict = reference.verdict

    def other(*given):
        expected = verdict(*given)
        return expected | {"statuses": dict.fromkeys(expected["statuses"], "met")}

    monkeypatch.setattr(reference, "verdict", other)
    status, said = here("--only", part)
    assert status == 1
    assert "prescription-on-file" in said


@pytest.mark.parametrize("part", ["memory", "threads"])
def test_evaluations_that_raise(here, monkeypatch, part):
    def fail(*_, **__):
        raise api.EngineDisagreement("they differ")

    trust.rows(1, trust.BASE)
    monkeypatch.setattr(api, "evaluate", fail)
    status, said = here("--only", part)
    assert status == 1
    assert "they differ" in said
    assert len(said.splitlines()) == 1 + trust.SHOWN


@pytest.mark.usefixtures("broken_rows")
def test_a_ruleset_of_which_nothing_can_be_tried(here, monkeypatch):
    def refuse(*_, **__):
        raise FactError([Problem(message="not in force")])

    monkeypatch.setattr(api, "evaluate", refuse)
    status, said = here("--only", "memory")
    assert status == 1
    assert "medical-massage takes none of the cases made for it" in said


def fail_to_read(data, file):
    raise KeyError("rules")


@pytest.mark.parametrize(("read", "said"), [(fail_to_read, "KeyError('rules')"), (lambda *_: None, "AttributeError")])
def test_files_that_are_neither_read_nor_refused(here, monkeypatch, read, said):
    monkeypatch.setattr(trust, "read_ruleset", read)
    status, printed = here("--only", "files")
    assert status == 1
    assert f"  seed 1000000000: {said}" in printed


def test_a_file_that_is_read_and_not_evaluated(here, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no verdict")

    monkeypatch.setattr(api, "evaluate", fail)
    status, said = here("--only", "files")
    assert status == 1
    assert "no verdict" in said
    assert "where FactError may be raised" in said


def test_mutated_files_are_read_and_refused_and_the_same_each_time():
    refused = 0
    for seed in range(60):
        data = trust.file_of(seed)
        assert data == trust.file_of(seed)
        try:
            read_ruleset(data, "mutated.yaml")
        except RulesetError:
            refused += 1
    assert 10 < refused < 55


def test_nothing_done_is_not_all_right(here):
    assert here("--pairs", "0", "--evaluations", "0", "--only", "pairs", "memory")[0] == 1


def test_a_seed_is_replayed(here, monkeypatch):
    status, said = here("--replay", "1000000000")
    assert status == 0
    assert '"schema": "covrules/1"' in said
    assert f"\ncase {trust.CASES - 1}, " in said
    assert said.endswith("\nnothing is wrong\n")
    assert here("--replay", "1", "--only", "files")[1].startswith(trust.file_of(1)[:20].decode())
    monkeypatch.setattr(generators, "case_for", lambda *_: None)
    status, said = here("--replay", "1000000000")
    assert status == 1
    assert "seed 1000000000, case 0: AttributeError" in said

"""The long run: what a verdict is trusted for, tried over and over from seeds; `python tests/trust.py --help`."""

import argparse
import ctypes
import gc
import json
import multiprocessing
import os
import pickle
import random
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console
from rich.progress import Progress

import covrules
import generators
import reference
from covrules import Case, FactError, RulesetError
from covrules.engines import _network, durable
from covrules.library import shipped
from covrules.loading import read_ruleset
from covrules.rule import STAGES
from covrules.rulesets import Ruleset
from covrules.verdicts import Outcome, Units, Verdict

BASE = "medical-massage"
DAY = generators.DAY  # of visits without a date
SEEDS = 10**9  # from the first ruleset of one --seed to that of the next, so that they share none
CASES = 40  # a generated ruleset, which costs as much to make and compile
ROWS = 200  # cases a shipped ruleset
THREADS = 8
CHILDREN = ["fork", "spawn"] * 4
MOST_GROWTH = 2_000  # kB
PATIENCE = 20_000  # evaluations in which an exception that was thrown must have come up
SHOWN = 20  # of what is wrong in a part; the rest is only counted


class Found(NamedTuple):
    """What was wrong in some of a part's numbers, and where that is measured, the kB of memory held after them."""

    wrong: list[str]
    held: int | None = None


class Part(NamedTuple):
    """What to call with the seed and so many of a part's numbers at a time, and in how many processes."""

    call: Callable[[int, range], Found]
    total: int
    size: int
    processes: int
    what: str


# --- pairs ------------------------------------------------------------------------------------------------------


def pairs(seed, numbers):
    return Found([wrong for n in numbers[::CASES] for wrong in pairs_of(seed * SEEDS + n // CASES)])


def pairs_of(seed, say=None):
    """Yield what is wrong in the pairs of one ruleset."""
    place = f"seed {seed}"
    try:
        rnd = random.Random(seed)
        ruleset = generators.ruleset(rnd)
        for number in range(CASES):
            place = f"seed {seed}, case {number}"
            case, stage = generators.case_for(rnd, ruleset), rnd.choice(STAGES)
            if say:
                say(f"case {number}, {stage}: {case.to_dict()}")
            yield from (f"{place}, {stage}: {found}" for found in disagreements(ruleset, case, stage))
    except Exception as error:
        yield f"{place}: {error!r}"


def disagreements(ruleset, case, stage):
    """Return where an engine, or the verdict on what one reports, differs from the reference."""
    expected = reference.verdict(ruleset, case, stage, DAY)
    outcome = outcome_of(ruleset, case, expected)
    verdict, inferred = (
        ruleset.evaluate(case, stage=stage, engine=engine, as_of=DAY) for engine in ("compiled", "durable")
    )
    found = []
    for by, said in (("compiled", verdict), ("durable", inferred)):
        found += [f"{by}: {differing(ruleset, said._outcome, outcome)}"] if said._outcome != outcome else []
        for name in ("coverage", "accepted_here"):
            found += [f"{by}: {name}"] if getattr(said, name) != expected[name] else []
    for name in ("missing", "waived_by"):
        said = {finding.rule: set(getattr(finding, name)) for finding in verdict.findings}
        found += [f"{name} of {rule}" for rule, them in said.items() if them != set(expected[name][rule])]
    return found if verdict.units == Units(**expected["units"]) else [*found, "units"]


def outcome_of(ruleset, case, expected):
    """Return what an engine must report where the reference says this."""
    statuses = tuple(expected["statuses"].values())
    known = reference.facts_known(ruleset, case, DAY) if "capped" in statuses else {}
    caps = [(statuses[place], ruleset.rules[place]) for place in ruleset.caps]
    allowed = [reference.allowance(rule, known) if status == "capped" else None for status, rule in caps]
    return Outcome(statuses, tuple(allowed))


def differing(ruleset, one, other):
    ids = [rule.id for rule, a, b in zip(ruleset.rules, one.statuses, other.statuses, strict=True) if a != b]
    caps = zip(ruleset.caps, one.allowed, other.allowed, strict=True)
    return ", ".join(ids or [f"the units of {ruleset.rules[place].id}" for place, a, b in caps if a != b])


# --- memory -----------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A case, and what both engines must report of it."""

    ruleset: Ruleset
    case: Case
    stage: str
    expected: Outcome

    def wrong(self):
        try:
            reported = self.ruleset.evaluate(self.case, stage=self.stage, as_of=DAY)._outcome
        except Exception as error:
            return [f"{error!r} for {self.case.to_dict()}, {self.stage}"]
        if reported == self.expected:
            return []
        return [f"{differing(self.ruleset, reported, self.expected)} for {self.case.to_dict()}, {self.stage}"]


@cache
def rows(seed, *ids):
    """Return cases over shipped rulesets, each evaluated once, so that nothing is left to be built."""
    rnd = random.Random(seed)
    made = []
    for ruleset in map(covrules.load, ids):
        drawn = [generators.case_for(rnd, ruleset) for _ in range(ROWS)]
        taken = [case for case in drawn if takes(ruleset, case)]
        assert taken, f"{ruleset.id} takes none of the cases made for it"
        for case in taken:
            stage = rnd.choice(STAGES)
            expected = outcome_of(ruleset, case, reference.verdict(ruleset, case, stage, DAY))
            made.append(Row(ruleset, case, stage, expected))
    rnd.shuffle(made)
    tried(made, range(len(made)))
    return made


def takes(ruleset, case):
    """Return whether a case is of a day on which the ruleset is in force, and contradicts nothing that it fixes."""
    try:
        ruleset.evaluate(case, engine="compiled", as_of=DAY)
    except FactError:
        return False
    return True


def tried(made, numbers):
    return [wrong for number in numbers for wrong in made[number % len(made)].wrong()]


def memory(total, seed, numbers):
    wrong = tried(rows(seed, *shipped()), numbers)
    if numbers.start > 0 and numbers.stop < total:
        return Found(wrong)
    gc.collect()
    return Found(wrong, resident())


def resident():
    """Return the kB of memory this process holds, or where that is not told, the most it ever held."""
    if Path("/proc/self/statm").exists():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


# --- threads and processes --------------------------------------------------------------------------------------


def threads(seed, numbers):
    made = rows(seed, BASE)
    sys.setswitchinterval(1e-5)
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda first: tried(made, numbers[first::THREADS]), range(THREADS))
    return Found([wrong for each in found for wrong in each])


def processes(seed, numbers):
    made, wrong, ended = rows(seed, BASE), [], threading.Event()

    def work():
        while not ended.is_set():
            wrong.extend(tried(made, range(20)))

    parents = [threading.Thread(target=work) for _ in range(2)]
    for thread in parents:
        thread.start()
    children = [
        multiprocessing.get_context(kind).Process(target=exit_status, args=(made, numbers[place :: len(CHILDREN)]))
        for place, kind in enumerate(CHILDREN)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(600)
    failed = [f"{child.name} ended with {child.exitcode}" for child in children if child.exitcode != 0]
    for child in children:
        child.kill()  # in case it did not end, and its exit code is None
    ended.set()
    for thread in parents:
        thread.join()
    return Found(failed + wrong)


def exit_status(made, numbers):
    sys.exit("\n".join(tried(made, numbers)[:SHOWN]) or 0)


# --- interruptions ----------------------------------------------------------------------------------------------


class Thrown(BaseException):
    """Thrown into an evaluation."""


def interruptions(seed, numbers):
    gc.collect()  # networks freed later would swallow exceptions: Python drops what is raised in a finalizer
    sys.setswitchinterval(1e-5)
    signal.signal(signal.SIGALRM, throw)
    rnd = random.Random(seed * SEEDS + numbers.start)
    twin = pickle.loads(pickle.dumps(rows(seed, BASE)[0].ruleset))  # without engines: building them is interrupted too
    made = [row._replace(ruleset=twin) for row in rows(seed, BASE)]
    wrong = []
    for number in numbers:
        delay = 1e-6 + rnd.random() * (0.05 if number - numbers.start < 6 else 0.0003)
        try:
            (throw_by_signal if number % 2 else throw_by_thread)(delay)
            for later in range(number, number + PATIENCE):
                wrong += tried(made, [later])
        except Thrown:
            pass
        else:
            wrong.append(f"an exception thrown after {delay} s never came up")
        wrong += tried(made, [number])
    return Found(lost_sessions() + wrong)


def throw(*_):
    raise Thrown


def throw_by_signal(delay):
    signal.setitimer(signal.ITIMER_REAL, delay)


def throw_by_thread(delay):
    here = ctypes.c_ulong(threading.get_ident())
    threading.Timer(delay, ctypes.pythonapi.PyThreadState_SetAsyncExc, (here, ctypes.py_object(Thrown))).start()


def lost_sessions():
    engine, _ = _network._load()
    return [
        f"session {name} of a network is lost"
        for network in gc.get_objects()
        if type(network) is _network.Network
        # There is none, or not yet the second, where making it was interrupted.
        for session, name in zip(getattr(network, "_sessions", ()), _network._SESSIONS, strict=False)
        if session.free != [True]
        or any(engine.get_facts(ruleset.handle, name) != "[]" for ruleset in network._rulesets)
    ]


# --- files ------------------------------------------------------------------------------------------------------

SHIPPED = sorted(Path(__file__).parents[1].glob("rules/**/*.yaml"))
ODD = [
    "", "null", "~", "true", "-1", "1.5", "9" * 40, "1e999", ".inf", "0x1f", "2026-02-30", "any", "unlimited", "never",
    "[]", "{}", "[[]]", "''", '"', "{", "- ", "&a [*a]", "*a", "!!python/none ''", "<<: {}", "---\n", "#",
    "{visit.date}", "$visit.units", "{{", "\\ud800", "\0", "\t", "\r", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\uffff",
    "\u202e", "é", "按", "١٢", "ｐｌａｎ", "\N{GRINNING FACE}",
]  # fmt: skip


def files(seed, numbers):
    return Found([wrong for number in numbers for wrong in wrong_of_file(seed * SEEDS + number)])


def wrong_of_file(seed):
    allowed = RulesetError
    try:
        ruleset = read_ruleset(file_of(seed), "mutated.yaml")
        allowed = FactError
        verdict = ruleset.evaluate(Case(), engine="compiled")
    except Exception as error:
        right = isinstance(error, allowed) and str(error)
        return [] if right else [f"seed {seed}: {error!r:.300} where {allowed.__name__} may be raised"]
    right = isinstance(ruleset, Ruleset) and isinstance(verdict, Verdict)
    return [] if right else [f"seed {seed}: {ruleset!r:.100} and {verdict!r:.100}"]


def file_of(seed):
    """Return a shipped or a generated ruleset's file with a few things wrong in it."""
    rnd = random.Random(seed)
    if rnd.random() < 0.1:
        text = rnd.choice(SHIPPED).read_text(encoding="utf-8")
    elif rnd.random() < 0.5:
        text = json.dumps(generators.ruleset_data(rnd), indent=1)
    else:
        text = yaml.safe_dump(generators.ruleset_data(rnd), sort_keys=False)
    for _ in range(rnd.choice([1, 1, 1, 2, 3, 8])):
        text = mutated(text, rnd)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rnd.choice([0, 0, 0, 0, 1, 3]) if data else 0):
        data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
    return bytes(data)


def mutated(text, rnd):
    lines = text.splitlines(keepends=True) or [""]
    place, other = rnd.randrange(len(lines)), rnd.randrange(len(lines))
    line = lines[place]
    at = rnd.randrange(len(line) + 1)
    match rnd.randrange(9):
        case 0:
            del lines[place : place + rnd.randrange(1, 6)]
        case 1:
            lines.insert(other, line)
        case 2:
            lines[place], lines[other] = lines[other], line
        case 3:
            word = rnd.choice(re.findall(r"[\w.$-]+", lines[other]) or ["id"])
            lines[place] = line[:at] + re.sub(r"[\w.$-]+", lambda _: word, line[at:], count=1)
        case 4:
            lines[place] = " " * rnd.randrange(9) + line.lstrip(" ")
        case 5:
            lines[place] = re.sub(r"(?<=: ).+", lambda _: rnd.choice(ODD), line, count=1)
        case 6:
            lines[place] = re.sub(r"\d+", lambda _: "9" * rnd.choice([3, 7, 16, 40, 5_000]), line, count=1)
        case 7:
            lines[place] = line[:at] + rnd.choice(ODD) + line[at:]
        case 8 if rnd.random() < 0.3:
            lines[place:] = [line[:at]]
    return "".join(lines)


# --- the run ----------------------------------------------------------------------------------------------------


def parts(options):
    first, workers, n = options.seed * SEEDS, options.workers, options.evaluations
    rulesets = -(-options.pairs // CASES)
    rulesets_from, files_from = (f"seeds {first} to {first + count - 1}" for count in (rulesets, options.files))
    return {
        "pairs": Part(pairs, rulesets * CASES, 50 * CASES, workers, f"pairs of rulesets ({rulesets_from}) and cases"),
        "memory": Part(partial(memory, n), n, -(-n // 20), 1, f"checked evaluations over {len(shipped())} rulesets"),
        "threads": Part(threads, -(-n // 10), 10_000, 1, f"checked evaluations by {THREADS} threads"),
        "processes": Part(processes, -(-n // 10), 20_000, 1, "checked evaluations by children, forked and spawned"),
        "interruptions": Part(interruptions, -(-n // 25), 500, workers, "exceptions thrown into checked evaluations"),
        "files": Part(files, options.files, 50, workers, f"mutated ruleset files ({files_from})"),
    }


def run(name, part, seed):
    """Run a part, print its figures, and return whether all was right."""
    began = time.monotonic()
    done, count, shown, held = 0, 0, [], []
    numbers = range(part.total)
    chunks = [numbers[at : at + part.size] for at in numbers[:: part.size or 1]]
    pool = ProcessPoolExecutor(
        part.processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=warnings.simplefilter,
        initargs=("error", SyntaxWarning),  # of Python that an engine wrote
    )
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(name, total=part.total)
        try:
            for chunk, future in [(chunk, pool.submit(part.call, seed, chunk)) for chunk in chunks]:
                try:
                    found = future.result()
                    done += len(chunk)
                except Exception as error:  # raised in a worker, or because it died
                    found = Found([f"{error!r} in {chunk}"])
                count += len(found.wrong)
                shown += found.wrong[: SHOWN - len(shown)]
                held += [] if found.held is None else [found.held]
                progress.update(task, completed=done)
        finally:
            pool.shutdown(cancel_futures=True)  # or a run that is interrupted would go on to its end
    seconds = time.monotonic() - began
    grown = held[-1] - held[0] if held else 0
    growth = f"grown by {grown:,} kB; " if held else ""
    rate = f"{seconds:,.1f} s, {done / seconds:,.0f} a second"
    print(f"{name}: {done:,} {part.what}; seed {seed}; {count:,} wrong; {growth}{rate}", flush=True)
    for wrong in shown:
        print(f"  {wrong:.500}", flush=True)
    return done > 0 and count == 0 and grown < MOST_GROWTH


def replay(seed, names):
    """Print what a seed of pairs or files makes, and what is wrong with it."""
    wrong = []
    if "pairs" in names:
        print(json.dumps(generators.family(random.Random(seed)), indent=1))
        wrong += pairs_of(seed, say=print)
    if "files" in names:
        print(file_of(seed).decode("utf-8", "backslashreplace"))
        wrong += wrong_of_file(seed)
    print("\n".join(wrong) or "nothing is wrong")
    return 1 if wrong else 0


def main(arguments=None):
    names = ["pairs", "memory", "threads", "processes", "interruptions", "files"]
    parser = argparse.ArgumentParser(description="Try, from seeds, what a verdict is trusted for.")
    parser.add_argument("--pairs", type=int, default=2_000_000)
    parser.add_argument("--evaluations", type=int, default=1_000_000, help="of memory; other parts do a share")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--replay", type=int, metavar="SEED", help="print what a seed of pairs (or --only files) makes")
    options = parser.parse_args(arguments)
    if not durable.available():
        parser.error("durable_rules cannot be had here, and without it little would be tried")
    if options.replay is not None:
        return replay(options.replay, options.only if options.only != names else ["pairs"])
    right = [run(name, parts(options)[name], options.seed) for name in options.only]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())

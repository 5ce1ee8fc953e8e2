"""Times covrules against the same decisions written by hand: `python -m benchmarks`.

Every figure of a run comes from that run. A candidate is paired with its yardstick in every round, the yardstick
first, both over the same cases and in CPU seconds, so that what else the machine does falls on both alike; printed are
the median of the rounds' ratios and their quartiles. The speed of the code written by hand is 1: what takes ten times
as long has 0.1. Microseconds are of the minute they were taken in; only ratios compare between rows. Nothing is timed
before all that decide agree on all cases.
"""

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final, Literal

import attrs
from rich.console import Console
from rich.progress import Progress

import covrules
from benchmarks import by_hand, documented
from benchmarks.cases import CaseData, case_data
from benchmarks.copies import repeated, turned
from benchmarks.patients import asked_of, plausible
from covrules import Case
from covrules.api import _decider
from covrules.engines import durable
from covrules.facts import by_group, case_of
from covrules.rulesets import Ruleset
from covrules.verdicts import Verdict

RULESET: Final = "medical-massage"
STAGE: Final = "planned"
READ: Final = 100
"""Of how many cases is read what a verdict works out only then."""
COPIES: Final = 10
"""How often each rule is there where more rules are timed."""
TARGETS: Final = {
    "compiled, evaluate": 0.7,
    "checked, evaluate": 0.05,
    "compiled, every finding built and explained": 0.1,
}
"""The least speed that some ways to decide are held to."""
MOST_TIME: Final = 4.1
"""The most that a case may take longer where every rule is there so often, if it is compiled."""

# Run in new processes. The first stamp leaves out what an empty interpreter takes; compiling is asked for by itself,
# as the first evaluation would do it; the verdict is on a diagnosis, as the first one reads the table of the codes.
_START: Final = f"""
import time
stamps = []
def stamp():
    stamps.append((time.process_time(), time.perf_counter()))
stamp()
import covrules
stamp()
import covrules.api
stamp()
ruleset = covrules.load({RULESET!r})
stamp()
covrules.load({RULESET!r})
stamp()
covrules.api._decider(ruleset, {STAGE!r}, "ENGINE")
stamp()
ruleset.evaluate(covrules.Case(prescription=covrules.Prescription(diagnosis="M54.50")), engine="ENGINE")
stamp()
for cpu, wall in stamps:
    print(cpu, wall)
"""


Turns = Callable[[str, int], Iterator[int]]
"""Counts so many turns of something with a name, and shows them where there is somebody to see."""


class Disagreement(Exception):
    """Ways to decide a case differ, so that their times are not worth comparing."""


@attrs.frozen
class Work:
    """Something to do with each of some inputs."""

    what: str
    do: Callable[[Any], object]
    inputs: Sequence[Any]

    def seconds(self) -> float:
        """Do it, and return the CPU seconds it took."""
        do = self.do
        began = time.process_time()
        for each in self.inputs:
            do(each)
        return time.process_time() - began


@attrs.frozen
class Table:
    """Rows under a heading for each column; the first column is text, the others are figures."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def __str__(self) -> str:
        lines = [self.heads, *self.rows]
        first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
        return "\n".join(
            "  ".join([line[0].ljust(first), *[cell.rjust(wide) for cell, wide in zip(line[1:], others, strict=True)]])
            for line in lines
        )


def main(arguments: list[str] | None = None) -> None:
    """Time what can be timed here and print the tables; exits with an error where ways to decide differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds in place of 15")
    parser.add_argument("--cases", type=int, default=2_000, metavar="N", help="how many cases (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.cases < 1:
        parser.error("--cases must be at least 1")
    rounds, starts = (3, 3) if given.quick else (15, 7)
    ruleset = covrules.load(RULESET)
    data = case_data(given.cases)
    cases = [covrules.case_from_dict(each) for each in data]
    as_documented = documented.failing(ruleset, STAGE) if durable.available() else None
    try:
        check_agreement(ruleset, cases)
        if as_documented is not None:
            check_failing(ruleset, cases, as_documented)
    except Disagreement as disagreement:
        sys.exit(f"benchmarks: {disagreement}")
    # A thread that redraws would spend CPU time that counts as a candidate's, so it is drawn between the rounds.
    with Progress(
        console=Console(stderr=True), auto_refresh=False, transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        turns = partial(_turns, progress)
        tables = [
            time_deciding(ruleset, cases, data, as_documented, rounds, turns),
            time_reading(ruleset, cases, rounds, turns),
            time_more_rules(ruleset, cases, rounds, turns),
            time_starting(starts, turns),
        ]
    print(describe(cases, rounds))
    for table in tables:
        print(f"\n{table}")


def _turns(progress: Progress, what: str, count: int) -> Iterator[int]:
    task = progress.add_task(what, total=count)
    yield from progress.track(range(count), task_id=task)
    progress.remove_task(task)


def describe(cases: Sequence[Case], rounds: int) -> str:
    """Return what was timed, and on what machine."""
    coverages = Counter(by_hand.decide(case)[0] for case in cases)
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {system}, covrules {covrules.__version__}\n"
        f"{RULESET} at stage {STAGE}, {rounds} rounds over {len(cases)} cases: "
        f"{', '.join(f'{count} {coverage}' for coverage, count in sorted(coverages.items()))}"
    )


def engines() -> list[str]:
    """Return the engines that can be had here; `checked` runs the two before it."""
    return ["compiled", "durable", "checked"] if durable.available() else ["compiled"]


def check_agreement(ruleset: Ruleset, cases: Sequence[Case]) -> None:
    """Raise Disagreement unless the code written by hand and every engine say the same of every case."""
    for number, case in enumerate(cases):
        expected = by_hand.decide(case)
        for engine in engines():
            outcome = _decider(ruleset, STAGE, engine)(case)
            verdict = ruleset.evaluate(case, STAGE, engine)
            if expected != (verdict.coverage, verdict.accepted_here, outcome.statuses, outcome.allowed):
                rules = zip(ruleset.rules, expected[2], outcome.statuses, strict=True)
                differing = [rule.id for rule, one, other in rules if one != other] or ["what the rules add up to"]
                raise Disagreement(f"by_hand and {engine} differ on case {number}: {', '.join(differing)}")


def check_failing(ruleset: Ruleset, cases: Sequence[Case], failing: Callable[[Case], list[str]]) -> None:
    """Raise Disagreement unless the rules that are told to fail are those that the code written by hand fails."""
    for number, case in enumerate(cases):
        statuses = zip(ruleset.rules, by_hand.decide(case)[2], strict=True)
        if failing(case) != sorted(rule.id for rule, status in statuses if status in ("unmet", "capped")):
            raise Disagreement(f"by_hand and durable_rules as documented differ on case {number}")


# --- one case at a time -----------------------------------------------------------------------------------------


def time_deciding(
    ruleset: Ruleset,
    cases: Sequence[Case],
    data: Sequence[CaseData],
    as_documented: Callable[[Case], list[str]] | None,
    rounds: int,
    turns: Turns,
) -> Table:
    """Return how fast each way to decide is, as a ratio to the code written by hand."""
    compiled = partial(ruleset.evaluate, engine="compiled")
    candidates = [
        Work("compiled, statuses only", _decider(ruleset, STAGE, "compiled"), cases),
        *[Work(f"{engine}, evaluate", partial(ruleset.evaluate, engine=engine), cases) for engine in engines()],
        Work("compiled, every finding built and explained", lambda case: read_findings(compiled(case)), cases),
        Work("case_from_dict, no deciding", covrules.case_from_dict, data),
    ]
    if as_documented is not None:
        candidates.append(Work("durable_rules as documented, what fails", as_documented, cases))
    yardstick = Work("by hand", by_hand.decide, cases)
    rows, all_by_hand = [], []
    for candidate in candidates:
        pairs = _paired(yardstick, candidate, rounds, turns)
        all_by_hand += [one for one, _ in pairs]
        cost = statistics.median(other for _, other in pairs) / len(cases)
        ratio, quartiles = _ratio([one / other for one, other in pairs])
        target = _held("at least", TARGETS.get(candidate.what), float(ratio))
        rows.append((candidate.what, _microseconds(cost), ratio, quartiles, target))
    by_itself = _microseconds(statistics.median(all_by_hand) / len(cases))
    return Table(
        ("one case at a time", "µs", "speed", "quartiles", "target"),
        [(yardstick.what, by_itself, f"{1:#.3g}", "-", "-"), *rows],
    )


def time_reading(ruleset: Ruleset, cases: Sequence[Case], rounds: int, turns: Turns) -> Table:
    """Return how long that takes which a verdict works out only when it is read, as ratios to plain evaluating."""
    compiled = partial(ruleset.evaluate, engine="compiled")
    asked, mended = [Case()] * READ, [*islice(_patients(ruleset, 1.0, _may_be_mended), READ)]
    half = [*islice(_patients(ruleset, 0.5, lambda verdict: verdict.coverage == "undetermined"), READ)]
    candidates = [
        Work("questions, nothing known", lambda case: compiled(case).questions, asked),
        Work("questions, half of all known", lambda case: compiled(case).questions, half),
        Work("remedies, not or partly covered", lambda case: compiled(case).remedies, mended),
        Work(".to_dict(), the cases above", lambda case: compiled(case).to_dict(), cases[:READ]),
        Work(".explain(), the cases above", lambda case: compiled(case).explain(), cases[:READ]),
    ]
    rows = []
    for candidate in candidates:
        pairs = _paired(Work("evaluate", compiled, candidate.inputs), candidate, rounds, turns)
        cost = statistics.median(other for _, other in pairs) / len(candidate.inputs)
        ratio, quartiles = _ratio([other / one for one, other in pairs])
        rows.append((candidate.what, _microseconds(cost), ratio, quartiles))
    return Table(("what is worked out when it is read", "µs", "times evaluate", "quartiles"), rows)


def _patients(ruleset: Ruleset, known: float, fit: Callable[[Verdict], bool]) -> Iterator[Case]:
    """Yield made-up patients of whom so much is known, where the verdict is as wanted."""
    rnd = random.Random(1)
    for patient in plausible(1):
        facts = {path: value for path, value in asked_of(ruleset, patient).items() if rnd.random() < known}
        case = case_of(by_group(facts))
        if fit(ruleset.evaluate(case, engine="compiled")):
            yield case


def _may_be_mended(verdict: Verdict) -> bool:
    return verdict.coverage in ("not-covered", "partial")


def read_findings(verdict: Verdict) -> None:
    """Read of every finding what varies with the case, so that whatever is put off till then is done."""
    for finding in verdict.findings:
        _ = (finding.status, finding.because, finding.missing, finding.denial, finding.waived_by, finding.facts)


def time_more_rules(ruleset: Ruleset, cases: Sequence[Case], rounds: int, turns: Turns) -> Table:
    """Return how much longer a case takes where every rule is there many times.

    Equal copies flatter an engine that asks only once what several rules ask, so others ask each about other facts.
    """
    rows = []
    for engine in engines():
        for how, copied in (("equal copies", repeated), ("about other facts", turned)):
            more = copied(ruleset, COPIES)
            one, many = (Work(engine, partial(each.evaluate, engine=engine), cases) for each in (ruleset, more))
            pairs = _paired(one, attrs.evolve(many, what=f"{engine}, {len(more.rules)} rules"), rounds, turns)
            ratio, quartiles = _ratio([longer / short for short, longer in pairs])
            most = MOST_TIME if engine == "compiled" else None
            target = _held("at most", most, float(ratio))
            rows.append((f"{engine}, evaluate, {how}", ratio, quartiles, target))
    count = len(ruleset.rules)
    return Table((f"{count * COPIES} rules against {count}", "time", "quartiles", "target"), rows)


def _held(bound: Literal["at least", "at most"], target: float | None, figure: float) -> str:
    """Return what a figure is held to, and whether it keeps to it."""
    if target is None:
        return "-"
    keeps = figure >= target if bound == "at least" else figure <= target
    return f"{bound} {target}: {'yes' if keeps else 'no'}"


def _paired(yardstick: Work, candidate: Work, rounds: int, turns: Turns) -> list[tuple[float, float]]:
    """Return the CPU seconds of both, round by round."""
    for work in (yardstick, candidate):
        attrs.evolve(work, inputs=work.inputs[:50]).seconds()
    return [(yardstick.seconds(), candidate.seconds()) for _ in turns(candidate.what, rounds)]


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}"


def _ratio(ratios: Sequence[float]) -> tuple[str, str]:
    low, middle, high = statistics.quantiles(ratios, method="inclusive")
    return f"{middle:#.3g}", f"{low:#.3g} to {high:#.3g}"


# --- starting ---------------------------------------------------------------------------------------------------


def time_starting(starts: int, turns: Turns) -> Table:
    """Return what a process spends up to its first verdict, over what an empty interpreter takes."""
    spent: dict[str, list[tuple[float, float]]] = {}
    for engine in engines()[:2]:
        steps = (
            "import covrules",
            "import what loads and decides",
            "load, first",
            "load, again",
            f"compile for {engine}",
            f"first verdict, {engine}",
        )
        for _ in turns(f"starting, {engine}", starts):
            for step, cost in zip(steps, _start(engine), strict=True):
                spent.setdefault(step, []).append(cost)
    rows = []
    for step, times in spent.items():
        low, middle, high = statistics.quantiles([cpu * 1e3 for cpu, _ in times], method="inclusive")
        wall = statistics.median(wall * 1e3 for _, wall in times)
        rows.append((step, f"{middle:.2f}", f"{low:.2f} to {high:.2f}", f"{wall:.2f}"))
    return Table(("once in a process, over an empty one", "ms CPU", "quartiles", "ms wall"), rows)


def _start(engine: str) -> list[tuple[float, float]]:
    """Return the CPU and wall seconds of every step of a new process."""
    path = os.pathsep.join(filter(None, (str(Path(covrules.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-c", _START.replace("ENGINE", engine)]
    said = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    stamps = [[float(number) for number in line.split()] for line in said.splitlines()]
    return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(stamps)]


if __name__ == "__main__":
    main()

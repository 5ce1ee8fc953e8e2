"""Counts the questions asked until a verdict is determined, in several orders: `python -m benchmarks.asking`.

Nothing is known at first. One question is asked at a time, and the answer is the made-up patient's, until coverage
and whether the clinic accepts the visit are both determined. Nothing is timed: the same seed gives the same figures.
"""

import argparse
import random
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from rich.console import Console
from rich.progress import Progress

import covrules
from benchmarks.__main__ import RULESET, STAGE, Table, Turns, _turns
from benchmarks.patients import POPULATIONS, Patient, asked_of
from covrules.facts import by_group, case_of
from covrules.questions import _Asking
from covrules.rulesets import Ruleset
from covrules.verdicts import Verdict

Order = Callable[[Verdict], str]
"""Chooses the fact to ask for next."""


def most_telling(verdict: Verdict) -> str:
    """Return the fact that comes first in the order of the questions."""
    return verdict.questions[0].fact


def first_in_file(verdict: Verdict) -> str:
    """Return the fact that comes first in the rules, of those that are asked for."""
    return _first_that_matters(verdict, missed(verdict))


def on_a_form(verdict: Verdict) -> str:
    """Return the fact that comes first of all that some undecided rule misses, whether it matters still or not."""
    return missed(verdict)[0]


def any_at_all(rnd: random.Random, verdict: Verdict) -> str:
    """Return any of the facts that are asked for, each as likely as another."""
    paths = missed(verdict)
    return _first_that_matters(verdict, rnd.sample(paths, len(paths)))


def missed(verdict: Verdict) -> list[str]:
    """Return the facts that undecided rules miss, in the order of the file."""
    pairs = zip(verdict._ruleset.rules, verdict.findings, strict=True)
    return [*dict.fromkeys(path for rule, finding in pairs if rule.decides for path in finding.missing)]


def _first_that_matters(verdict: Verdict, paths: Iterable[str]) -> str:
    """Return the first of these facts that is asked for; to look for all questions each time would take too long."""
    asking = _Asking(verdict)
    return next(path for path in paths if any(asking.matters(path, board) for board in asking.open))


class Interview:
    """Asks patients in one order; what comes next is kept where it may be, as many patients begin alike."""

    def __init__(self, ruleset: Ruleset, order: Order, kept: bool = True) -> None:
        self.ruleset = ruleset
        self.order = order
        self.kept: dict[frozenset[tuple[str, Any]], str | None] | None = {} if kept else None

    def count(self, patient: Patient) -> int:
        """Return how many questions it takes until coverage and acceptance are determined."""
        known: dict[str, Any] = {}
        while (path := self.next_after(known)) is not None:
            known[path] = patient[path]
        return len(known)

    def next_after(self, known: Mapping[str, Any]) -> str | None:
        """Return what to ask for after these answers, None once all is determined."""
        if self.kept is None:
            return self.chosen(known)
        key = frozenset(known.items())
        if key not in self.kept:
            self.kept[key] = self.chosen(known)
        return self.kept[key]

    def chosen(self, known: Mapping[str, Any]) -> str | None:
        verdict = verdict_on(self.ruleset, known)
        return None if is_determined(verdict) else self.order(verdict)


def verdict_on(ruleset: Ruleset, known: Mapping[str, Any]) -> Verdict:
    """Return the verdict where so much is known."""
    return ruleset.evaluate(case_of(by_group(known)), STAGE, "compiled")


def is_determined(verdict: Verdict) -> bool:
    """Return whether nothing need be asked any more."""
    return verdict.coverage != "undetermined" and verdict.accepted_here is not None


def interviews(ruleset: Ruleset, seed: int) -> dict[str, Interview]:
    """Return an interview in each order, by what the order is called."""
    return {
        "the order of the questions": Interview(ruleset, most_telling),
        "the order of the file, of what is asked for": Interview(ruleset, first_in_file),
        "the order of the file, of all that is missing": Interview(ruleset, on_a_form),
        "any order, of what is asked for": Interview(ruleset, partial(any_at_all, random.Random(seed)), kept=False),
    }


def counted(ruleset: Ruleset, patients: Sequence[Patient], seed: int, turns: Turns) -> dict[str, list[int]]:
    """Return how many questions each order takes for each patient."""
    return {
        what: [interview.count(patients[place]) for place in turns(what, len(patients))]
        for what, interview in interviews(ruleset, seed).items()
    }


def table_of(counts: Mapping[str, Sequence[int]]) -> Table:
    """Return the mean and the quartiles of how many questions each order takes, and the ratio to the first order."""
    least = statistics.mean(next(iter(counts.values())))
    rows = []
    for what, asked in counts.items():
        low, middle, high = statistics.quantiles(asked, method="inclusive")
        mean = statistics.mean(asked)
        rows.append((what, f"{mean:.2f}", f"{low:g}", f"{middle:g}", f"{high:g}", f"{mean / least:.2f}"))
    return Table(("questions until all is determined", "mean", "quartile", "median", "quartile", "ratio"), rows)


def describe(ruleset: Ruleset, name: str, patients: Sequence[Patient], seed: int) -> str:
    """Return who was asked, and what came out for them once all was known."""
    said = Counter(verdict_on(ruleset, patient).coverage for patient in patients)
    found = ", ".join(f"{count} {coverage}" for coverage, count in sorted(said.items()))
    return f"{ruleset.id} at stage {STAGE}, {len(patients)} {name} patients, seed {seed}: {found}"


def main(arguments: list[str] | None = None) -> None:
    """Ask made-up patients of either population in each order, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=1_000, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="for other patients (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.patients < 2:
        parser.error("--patients must be at least 2")
    ruleset = covrules.load(RULESET)
    said = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for name, population in POPULATIONS.items():
            patients = [asked_of(ruleset, patient) for patient in islice(population(given.seed), given.patients)]
            table = table_of(counted(ruleset, patients, given.seed, partial(_turns, progress)))
            said.append(f"{describe(ruleset, name, patients, given.seed)}\n\n{table}")
    print("\n\n".join(said))


if __name__ == "__main__":
    main()

"""Whether a ruleset says what its own examples say, each run against its rule alone, and what they would not notice."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import yaml

from covrules.api import evaluate
from covrules.extending import may_replace, why_not_waived
from covrules.kinds import plain
from covrules.mutation.branches import untaken
from covrules.mutation.mutants import Mutant, mutants
from covrules.mutation.trials import Trial
from covrules.rule import Disabled, Example, Place, Rule, Status
from covrules.rulesets import Ruleset

__all__ = ["Failure", "Report", "Survivor", "check"]


@attrs.frozen
class Failure:
    """An example that came out otherwise than it says.

    `rule` is its id, `place` where the example stands; `expected` is the status it says, `found` the one the rule
    has.
    """

    rule: str
    place: Place
    expected: Status
    found: Status


@attrs.frozen
class Survivor:
    """A mutant that no example notices, and one that would: facts on which the rule has another status.

    `given` are those facts by path, `then` is the status of the rule as it is written.
    """

    mutant: Mutant
    given: Mapping[str, Any]
    then: Status

    @property
    def example(self) -> str:
        """The example that would notice it, as a line of the file."""
        given = {path: value if type(value) is dt.date else plain(value) for path, value in self.given.items()}
        example = {"given": given, "then": self.then}
        line: str = yaml.dump(example, Dumper=_InOneLine, default_flow_style=True, sort_keys=False, width=math.inf)
        return line.strip()


class _InOneLine(yaml.SafeDumper):
    """Writes texts so that they can be shown and pasted: what cannot be seen stands in quotes, escaped."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isascii() and text.isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_InOneLine.add_representer(str, _text)


@attrs.frozen(kw_only=True)
class Report:
    """What checking found: examples run and failed, what no example exercises or notices, and what is worth a look.

    `unexercised` are the statuses, `branches` the branches that no example comes to, each after the id of its rule.
    Of the mutants, `noticed` are noticed, `survivors` could be, and for `alike` no example was found that would.
    `ruleset` was checked; `failures` are the examples that came out otherwise, `notes` sentences on what is odd.
    """

    ruleset: Ruleset
    run: int
    failures: tuple[Failure, ...]
    unexercised: tuple[tuple[str, Status], ...]
    branches: tuple[tuple[str, str], ...]
    noticed: tuple[Mutant, ...]
    survivors: tuple[Survivor, ...]
    alike: tuple[Mutant, ...]
    notes: tuple[str, ...]


def check(ruleset: Ruleset) -> Report:
    """Run every example of the rules it writes itself, and look for what may have been forgotten.

    Each rule is run alone, at its own stage, without what the ruleset fixes; inherited ones are checked where they
    are written. So are its mutants, by the compiled engine.
    """
    failures, unexercised, branches, run = [], [], [], 0
    survivors = []
    noticed: list[Mutant] = []
    alike: list[Mutant] = []
    notes = [*_notes(ruleset)]
    for rule in written_by(ruleset):
        trial = Trial.of(ruleset, rule)
        reached = set()
        for example, found in _run(trial):
            run += 1
            reached.add(found)
            if found != example.then:
                failures.append(Failure(rule.id, example.place, example.then, found))
        unexercised += [(rule.id, status) for status in rule.reachable if status not in reached]
        branches += [(rule.id, branch) for branch in untaken(trial)]
        for mutant in mutants(rule):
            if mutant.among_others:
                made = attrs.evolve(
                    ruleset, rules=tuple(mutant.rule if each is rule else each for each in ruleset.rules)
                )
                seen = _refused(made, mutant.rule) or [*_notes(made)] != notes
                (noticed if seen else alike).append(mutant)
                continue
            other = Trial.of(ruleset, mutant.rule)
            if trial.notices(other):
                noticed.append(mutant)
            elif told := trial.telling(other):
                survivors.append(Survivor(mutant, *told))
            else:
                alike.append(mutant)
    return Report(
        ruleset=ruleset,
        run=run,
        failures=tuple(failures),
        unexercised=tuple(unexercised),
        branches=tuple(branches),
        noticed=tuple(noticed),
        survivors=tuple(survivors),
        alike=tuple(alike),
        notes=tuple(notes),
    )


def run_examples(ruleset: Ruleset, rule: Rule) -> Iterator[tuple[Example, Status]]:
    """Yield the examples of a rule, each with the status that the rule alone has on it, at its own stage."""
    return _run(Trial.of(ruleset, rule))


def _run(trial: Trial) -> Iterator[tuple[Example, Status]]:
    for example, case in zip(trial.rule.examples, trial.examples, strict=True):
        yield example, evaluate(trial.alone, case, stage=trial.rule.stage).findings[0].status


def written_by(ruleset: Ruleset) -> tuple[Rule, ...]:
    """Return the rules that a ruleset writes itself."""
    return tuple(rule for rule in ruleset.rules if rule.origin == ruleset.id)


def _refused(ruleset: Ruleset, rule: Rule) -> bool:
    """Return whether a ruleset would not be read for the layer that one of its rules has."""
    older = rule.replaces.rule if isinstance(rule.replaces, Disabled) else rule.replaces
    if older is not None and not may_replace(rule, older):
        return True
    return any(why_not_waived(waiver, each) for waiver in ruleset.rules for each in ruleset.waived_by(waiver))


def _notes(ruleset: Ruleset) -> Iterator[str]:
    rules = written_by(ruleset)
    cites = [*[rule.cites for rule in rules], *[fixed.cites for fixed in ruleset.fixed.values()]]
    cited = {source for sources in cites for source in sources}
    for source in ruleset.sources:
        if source not in cited:
            yield f"the source {source.id} is cited by nothing"
    for rule in rules:
        if rule.waives is not None and not ruleset.waived_by(rule):
            yield f"{rule.id} waives nothing"
        if rule.decides and rule.because is None:
            yield f"{rule.id} has no because: a denial by it would give no reason"
        if rule.decides and rule.layer != "clinic" and not rule.denial:
            yield f"{rule.id} has no denial code"
        if rule.layer == "clinic" and rule.denial:
            yield f"{rule.id} is the clinic's own rule and has a denial code: no insurer sends one"
        if any(denial.when is None for denial in rule.denial[:-1]):
            yield f"{rule.id} has denial codes after one without when: they are never reached"

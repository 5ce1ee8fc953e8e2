"""Whether a ruleset says what its own examples say: each is run against its rule alone."""

from collections.abc import Iterator

import attrs

from covrules.api import evaluate
from covrules.facts import by_group, case_of
from covrules.rule import Place, Rule, Status
from covrules.rulesets import EVER, Ruleset


@attrs.frozen
class Failure:
    """An example that came out otherwise than it says."""

    rule: str
    place: Place
    expected: Status
    found: Status


@attrs.frozen
class Report:
    """What checking found: examples run and failed, what no example exercises, and what is worth a look."""

    ruleset: Ruleset
    run: int
    failures: tuple[Failure, ...]
    unexercised: tuple[tuple[str, Status], ...]
    notes: tuple[str, ...]


def check(ruleset: Ruleset) -> Report:
    """Run every example of the rules it writes itself, and look for what may have been forgotten.

    Each rule is run alone, at its own stage, without what the ruleset fixes; inherited ones are checked where they
    are written.
    """
    failures, unexercised, run = [], [], 0
    for rule in written_by(ruleset):
        alone = attrs.evolve(ruleset, rules=(rule,), fixed={}, effective=EVER)
        reached = set()
        for example in rule.examples:
            found = evaluate(alone, case_of(by_group(example.given)), stage=rule.stage).findings[0].status
            run += 1
            reached.add(found)
            if found != example.then:
                failures.append(Failure(rule.id, example.place, example.then, found))
        unexercised += [(rule.id, status) for status in rule.reachable if status not in reached]
    return Report(ruleset, run, tuple(failures), tuple(unexercised), tuple(_notes(ruleset)))


def written_by(ruleset: Ruleset) -> tuple[Rule, ...]:
    """Return the rules that a ruleset writes itself."""
    return tuple(rule for rule in ruleset.rules if rule.origin == ruleset.id)


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
        if any(denial.when is None for denial in rule.denial[:-1]):
            yield f"{rule.id} has denial codes after one without when: they are never reached"

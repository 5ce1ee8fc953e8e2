"""Each rule by itself, on facts that change: what questions and remedies are worked out from."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Literal

import attrs

from covrules.facts import Case
from covrules.findings import weighing_of
from covrules.lowering import conjunction, disjunction
from covrules.rule import Rule, Stage
from covrules.rulesets import Ruleset
from covrules.truth import Values, Writer, facts_of, in_values, with_sources

Standing = Literal["fine", "capped", "failed", "open"]
"""What a rule does to the thing it decides: nothing, lessen it, forbid it, or leave it open."""


class Judge:
    """A rule at a stage with all that can waive it, asked again and again as facts change.

    Values are the facts that are given, by path; one that is unknown is None or left out. Derived ones are derived.
    """

    def __init__(self, ruleset: Ruleset, rule: Rule) -> None:
        self.ruleset = ruleset
        self.rule = rule
        read = [*rule.facts, *[path for waiver in ruleset.waivers(rule) for path in waiver.facts]]
        facts = with_sources(read, ruleset.vocabulary)
        self.tested: Final = frozenset(read)
        self.derived: Final = tuple(fact for fact in facts if fact.derived_from)
        self.reads: Final = frozenset(fact.path for fact in facts)

    @cached_property
    def standing(self) -> Callable[[Values], Standing]:
        """Says how the rule stands."""
        rule, excuse, write = self.rule, self.ruleset.excuse(self.rule), Writer()
        assert rule.demand is not None
        others = [forms for forms in (rule.demand, excuse) if forms]
        holds = disjunction([forms.true for forms in others] + ([rule.application.false] if rule.application else []))
        fails = conjunction([forms.false for forms in others] + ([rule.application.true] if rule.application else []))
        failed = "'failed'"
        if rule.caps is not None and rule.layer != "clinic":
            failed = f"'capped' if {write.left(rule.caps.limit, rule.caps.less)} else 'failed'"
        lines = [f"if {write.form(holds)}: return 'fine'", f"if {write.form(fails)}: return {failed}", "return 'open'"]
        say: Callable[[Values], Standing]
        say = write.function("standing", "values", [*self._taking(write, [*facts_of(holds), *facts_of(fails)]), *lines])
        return say

    @cached_property
    def missing(self) -> Callable[[Values], tuple[str, ...]]:
        """Says which facts have a say still, where the rule is open: given ones, never derived ones."""
        write = Writer()
        asking = weighing_of(self.ruleset, self.rule, write).asking(self.ruleset.vocabulary)
        lines = [*self._taking(write, self.reads), *asking, "return tuple(asked)"]
        say: Callable[[Values], tuple[str, ...]] = write.function("missing", "values", lines)
        return say

    def _taking(self, write: Writer, paths: Iterable[str]) -> list[str]:
        """Return the lines that take facts from the values, and derive those that are not given."""
        return write.reading(with_sources(dict.fromkeys(paths), self.ruleset.vocabulary), set(), in_values)


@attrs.frozen(eq=False)
class Board:
    """The rules that together decide one thing at a stage: what the insurer owes, or whether the clinic takes it."""

    judges: tuple[Judge, ...]
    of_the_clinic: bool

    @cached_property
    def readers(self) -> Mapping[str, tuple[Judge, ...]]:
        """The rules that read each fact, by its path; a fact read by none is left out."""
        readers: dict[str, list[Judge]] = {}
        for judge in self.judges:
            for path in judge.reads:
                readers.setdefault(path, []).append(judge)
        return {path: tuple(judges) for path, judges in readers.items()}


@attrs.frozen(eq=False)
class Boards:
    """The insurer's board and the clinic's."""

    insurer: Board
    clinic: Board

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Every fact that some rule reads, by path."""
        return tuple(dict.fromkeys([*self.insurer.readers, *self.clinic.readers]))

    def given(self, case: Case) -> dict[str, Any]:
        """Return what a case gives of the facts that are read, once it has met its ruleset."""
        values = ((path, case.get(path)) for path in self.reads)
        return {path: value for path, value in values if value is not None}


def boards_of(ruleset: Ruleset, stage: Stage) -> Boards:
    """Return the boards of a ruleset at a stage, made when first asked for."""
    key = (Boards, stage)
    boards: Boards | None = ruleset.made.get(key)
    if boards is None:
        judges = [Judge(ruleset, rule) for rule in ruleset.rules if rule.decides and not rule.starts_after(stage)]
        boards = ruleset.made[key] = Boards(
            *[
                Board(tuple(judge for judge in judges if (judge.rule.layer == "clinic") == clinics), clinics)
                for clinics in (False, True)
            ]
        )
    return boards

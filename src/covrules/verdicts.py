"""A verdict: what an engine decided of each rule, what that adds up to, and what is still to be asked."""

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import attrs

from covrules.codes import icd10cm
from covrules.derived import value_of
from covrules.facts import FACTS, Case
from covrules.findings import Finding, Findings, findings_of, plain
from covrules.rule import REQUESTED, Rule, Stage, Status
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    from covrules.questions import Question
    from covrules.remedies import Remedies, Remedy

__all__ = ["DISCLAIMER", "Identity", "Units", "Verdict"]

Coverage = Literal["covered", "partial", "not-covered", "undetermined"]
COVERAGE_MEANS: Final[Mapping[Coverage, str]] = {
    "covered": "No rule that decides what the insurer owes is unmet, capped or unknown.",
    "partial": "None is unmet or unknown, and some cap leaves fewer units than are asked for, but not none.",
    "not-covered": "One is unmet, or a cap leaves no unit; what is unknown cannot change that.",
    "undetermined": "None is unmet and no cap leaves nothing, but one is unknown: what is asked next decides.",
}
"""What each word for what the insurer owes means, by the rules of all layers but the clinic's."""
assert tuple(COVERAGE_MEANS) == get_args(Coverage)

DISCLAIMER: Final = (
    "This says what the rules make of the facts given. It is no promise of payment: the insurer decides on the claim."
)
"""The sentence every verdict carries."""


class Outcome(NamedTuple):
    """What an engine reports: the status of every rule, and for each cap what it allows if it is capped."""

    statuses: tuple[Status, ...]
    allowed: tuple[int | None, ...]


Found = tuple[Coverage, bool | None, Outcome]
"""Coverage, acceptance by the clinic, and the outcome they follow from."""


@attrs.frozen(eq=False)
class Basis:
    """A ruleset at a stage and the engine that decides it: what all verdicts have in common that follow from them."""

    ruleset: Ruleset
    stage: Stage
    engine: str

    @cached_property
    def meets_every_case(self) -> bool:
        """Whether there is something to be met by cases that have no facts of their own too."""
        return bool(self.ruleset.fixed) or self.ruleset.dated


@attrs.frozen
class Units:
    """Billing units asked for and covered (None where that is open), and the cap that binds, if one does.

    `requested` is None where minutes or the length of a unit are unknown; `bound_by` is the id of that cap.
    """

    requested: int | None
    covered: int | None
    bound_by: str | None


@attrs.frozen
class Identity:
    """Which rules a verdict used, so that it can be replayed.

    `as_of` is the date of the visit, or what was given in its place. `id` and `version` are as in the file,
    `digest` is `Ruleset.digest`, `code_set` the release of the diagnosis codes.
    """

    id: str
    version: str
    digest: str
    code_set: dt.date
    as_of: dt.date | None


@attrs.frozen(eq=False, repr=False)
class Verdict:
    """Whether a visit is covered and accepted, how many units, why, and what to ask.

    `coverage` is what the insurer owes; `accepted_here` is what the clinic does (None: not known yet). The
    rest is worked out when first read. `engine` is the one that decided.
    """

    _basis: Basis
    _case: Case
    _found: Found
    _as_of: dt.date | None
    _given: Case
    _today: dt.date | None

    @property
    def coverage(self) -> Coverage:
        """What the insurer owes."""
        return self._found[0]

    @property
    def accepted_here(self) -> bool | None:
        """Whether the clinic takes the visit; None where that is not known yet."""
        return self._found[1]

    @property
    def stage(self) -> Stage:
        """How far the visit had come."""
        return self._basis.stage

    @property
    def engine(self) -> str:
        """The engine that decided."""
        return self._basis.engine

    @property
    def _ruleset(self) -> Ruleset:
        return self._basis.ruleset

    @property
    def _outcome(self) -> Outcome:
        return self._found[2]

    @property
    def disclaimer(self) -> str:
        """The sentence every verdict carries."""
        return DISCLAIMER

    @cached_property
    def units(self) -> Units:
        """The units asked for and covered."""
        requested: int | None = value_of(self._case, FACTS[REQUESTED])
        if self.coverage == "undetermined":
            return Units(requested, None, None)
        if self.coverage == "covered":
            return Units(requested, requested, None)
        bound_by = None if "unmet" in self._ruleset.insurers(self._outcome.statuses) else self._binding_cap()
        if bound_by is None:
            return Units(requested, 0, None)
        return Units(requested, bound_by[1], bound_by[0])

    def _binding_cap(self) -> tuple[str, int] | None:
        rules = [self._ruleset.rules[place] for place in self._ruleset.caps]
        allowed = [
            (rule.id, allows)
            for rule, allows in zip(rules, self._outcome.allowed, strict=True)
            if allows is not None and rule.layer != "clinic"
        ]
        return min(allowed, key=lambda cap: cap[1], default=None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found of each rule, in the order of the ruleset."""
        return self._explained[1]

    def finding(self, rule: str) -> Finding:
        """Return the finding of one rule by its id; raises KeyError."""
        return self.findings[self._ruleset.rules.index(self._ruleset.rule(rule))]

    @property
    def _values(self) -> dict[str, Any]:
        return self._explained[0]

    @cached_property
    def _explained(self) -> tuple[dict[str, Any], tuple[Finding, ...]]:
        return self._findings.of(self._case, self._outcome.statuses)

    @property
    def _findings(self) -> Findings:
        return findings_of(self._ruleset, self._as_of)

    @cached_property
    def questions(self) -> "tuple[Question, ...]":
        """What to ask, and whom, until coverage and acceptance are certain: see `covrules.questions.questions_on`."""
        from covrules.questions import questions_on

        return questions_on(self)

    @property
    def remedies(self) -> "tuple[Remedy, ...]":
        """What people can change to be covered, or to come as near as can be; see `covrules.remedies.remedies_for`."""
        return self._mending.found

    @property
    def unmendable(self) -> tuple[str, ...]:
        """The rules that stand in the way of coverage and that nobody can mend, by their ids."""
        return self._mending.unmendable

    @cached_property
    def _mending(self) -> "Remedies":
        from covrules.remedies import remedies_for

        return remedies_for(self)

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is worth knowing; it never touches coverage."""
        return tuple(text for _, text in self.advising)

    @cached_property
    def advising(self) -> tuple[tuple[Rule, str], ...]:
        """The rules that give advice here, each with what it says."""
        return tuple(
            (rule, rule.advises.render(self._values))
            for rule, status in zip(self._ruleset.rules, self._outcome.statuses, strict=True)
            if rule.advises is not None and status == "advised"
        )

    @property
    def ruleset(self) -> Identity:
        """Which version of the rules was used, and what they hash to."""
        rules = self._ruleset
        return Identity(rules.id, rules.version, rules.digest, icd10cm.CODE_SET, self._as_of)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain values, ready for JSON."""
        return {
            "coverage": self.coverage,
            "accepted_here": self.accepted_here,
            "stage": self.stage,
            "units": plain(self.units),
            "findings": self._findings.to_dicts(self.findings, self._values),
            "questions": [{"fact": asked.fact, "who": asked.who, "ask": asked.ask} for asked in self.questions],
            "remedies": [self._remedy_to_dict(remedy) for remedy in self.remedies],
            "advice": [*self.advice],
            "ruleset": plain(self.ruleset),
            "engine": self.engine,
            "disclaimer": self.disclaimer,
        }

    def _remedy_to_dict(self, remedy: "Remedy") -> dict[str, Any]:
        known = self._ruleset.vocabulary
        steps = []
        for step in remedy.steps:
            values = (
                (path, None if value is None else known[path].kind.plain(value)) for path, value in step.set.items()
            )
            steps.append({"who": step.who, "action": step.action, "set": dict(values)})
        return {"steps": steps, "coverage": remedy.coverage}

    def explain(self, for_: str = "front-desk") -> str:
        """Return the verdict as text for a `front-desk`, a `patient` or a `biller`; raises ValueError for others.

        A front desk is told the reasons, what to do and what to ask whom; a patient the same in plainer words; who
        bills also the denial codes, the rules by their ids and the sources.
        """
        from covrules.rendering import to_text

        return to_text(self, for_)

    def checklist(self, form: str = "text") -> str:
        """Return what is done, what is open and who acts, as `text`, `markdown` or a page of `html`.

        Raises ValueError for another form.
        """
        from covrules.checklist import printed

        return printed(self, form)

    def __rich__(self) -> Any:
        from covrules.rendering import to_rich

        return to_rich(self)

    def to_html(self, for_: str = "front-desk", rule_pages: str | None = None) -> str:
        """Return the verdict for some reader as a piece of HTML: see `covrules.rendering.to_html`."""
        from covrules.rendering import to_html

        return to_html(self, for_, rule_pages)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Verdict {self.coverage} by {self._ruleset.id} {self._ruleset.version}>"


def coverage_where(unmet: bool, nothing: bool, unknown: bool, capped: bool) -> Coverage:
    """Return what the insurer owes where some rule of its own is so; `nothing` is what some cap leaves of the units."""
    if unmet or nothing:
        return "not-covered"
    if unknown:
        return "undetermined"
    return "partial" if capped else "covered"


def accepted_where(failed: bool, unknown: bool) -> bool | None:
    """Return whether the clinic takes the visit where some rule of its own is so."""
    return False if failed else None if unknown else True


def add_up(ruleset: Ruleset, outcome: Outcome) -> Found:
    """Return what the statuses of a ruleset's rules add up to, with them."""
    owed, clinics = ruleset.insurers(outcome.statuses), ruleset.clinics(outcome.statuses)
    pairs = zip(ruleset.caps, outcome.allowed, strict=True)
    nothing = any(allows == 0 and ruleset.rules[place].layer != "clinic" for place, allows in pairs)
    return (
        coverage_where("unmet" in owed, nothing, "unknown" in owed, "capped" in owed),
        accepted_where("unmet" in clinics or "capped" in clinics, "unknown" in clinics),
        outcome,
    )

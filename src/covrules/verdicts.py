"""A verdict: what an engine decided of each rule, and all that is said of it, built in one place."""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import attrs

from covrules.codes import icd10cm
from covrules.conditions import Ref
from covrules.declaring import Who
from covrules.derived import unknown_of, value_of
from covrules.facts import FACTS, Case
from covrules.rulesets import REQUESTED, Denial, Layer, Rule, Ruleset, Source, Stage, Status
from covrules.truth import holds, weigh

if TYPE_CHECKING:
    from cattrs import Converter

Coverage = Literal["covered", "partial", "not-covered", "undetermined"]

DISCLAIMER: Final = (
    "This says what the rules make of the facts given. It is no promise of payment: the insurer decides on the claim."
)


class Outcome(NamedTuple):
    """What an engine reports: the status of every rule, and for each cap what it allows if it is capped."""

    statuses: tuple[Status, ...]
    allowed: tuple[int | None, ...]


@attrs.frozen
class Units:
    """Billing units asked for and covered (None where that is open), and the cap that binds, if one does."""

    requested: int | None
    covered: int | None
    bound_by: str | None


@attrs.frozen(kw_only=True)
class Finding:
    """What was found of one rule.

    `because` and `denial` are None except where the rule is unmet or capped; `facts` are the values its
    conditions used; `missing` are the facts to ask for where it is unknown.
    """

    rule: str
    title: str
    layer: Layer
    status: Status
    because: str | None
    facts: Mapping[str, Any]
    missing: tuple[str, ...]
    denial: Denial | None
    waived_by: tuple[str, ...]
    cites: tuple[Source, ...]
    where: str


@attrs.frozen
class Question:
    """A fact to ask for, of whom, and in which words."""

    fact: str
    who: Who
    ask: str


@attrs.frozen
class Identity:
    """Which rules a verdict used, so that it can be replayed."""

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

    coverage: Coverage
    accepted_here: bool | None
    stage: Stage
    engine: str
    _ruleset: Ruleset
    _case: Case
    _outcome: Outcome
    _as_of: dt.date | None

    @property
    def disclaimer(self) -> str:
        """The sentence every verdict carries."""
        return DISCLAIMER

    @cached_property
    def units(self) -> Units:
        """The units asked for and covered."""
        requested: int | None = value_of(self._case, REQUESTED)
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

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was found of each rule, in the order of the ruleset."""
        return tuple(
            self._finding(rule, status)
            for rule, status in zip(self._ruleset.rules, self._outcome.statuses, strict=True)
        )

    def finding(self, rule: str) -> Finding:
        """Return the finding of one rule by its id; raises KeyError."""
        return self.findings[self._ruleset.rules.index(self._ruleset.rule(rule))]

    def _finding(self, rule: Rule, status: Status) -> Finding:
        failed = status in ("unmet", "capped")
        values = self._values
        return Finding(
            rule=rule.id,
            title=rule.title,
            layer=rule.layer,
            status=status,
            because=rule.because.render(values) if failed and rule.because else None,
            facts={path: values[path] for path in rule.facts if path in values},
            missing=self._missing(rule) if status == "unknown" else (),
            denial=next((d for d in rule.denial if self._fits(d)), None) if failed else None,
            waived_by=(),
            cites=self._ruleset.cited(rule),
            where=str(rule.place),
        )

    @cached_property
    def _values(self) -> dict[str, Any]:
        paths = self._ruleset.facts
        return {path: value for path in paths if (value := value_of(self._case, path)) is not None}

    def _fits(self, denial: Denial) -> bool:
        return denial.forms is None or holds(denial.forms.true, self._values)

    def _missing(self, rule: Rule) -> tuple[str, ...]:
        paths = [fact for path in _undecided_facts(rule, self._values) for fact in unknown_of(self._case, path)]
        return tuple(dict.fromkeys(paths))

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """What to ask, and whom: the facts that unknown rules miss, where they still have a say.

        Once coverage is certain no answer turns it, so nothing is asked for its sake; likewise acceptance.
        """
        open_ = {"clinic"} if self.accepted_here is None else set()
        open_ |= {"mandate", "plan", "policy"} if self.coverage == "undetermined" else set()
        paths = dict.fromkeys(
            path
            for rule, finding in zip(self._ruleset.rules, self.findings, strict=True)
            if rule.decides and rule.layer in open_
            for path in finding.missing
        )
        return tuple(Question(path, FACTS[path].who, FACTS[path].ask) for path in paths)

    @property
    def remedies(self) -> tuple[()]:
        """What could be changed to be covered; none are worked out yet."""
        return ()

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is worth knowing; it never touches coverage."""
        return tuple(
            rule.advises.render(self._values)
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
        plain = _converter().unstructure
        return {
            "coverage": self.coverage,
            "accepted_here": self.accepted_here,
            "stage": self.stage,
            "units": plain(self.units),
            "findings": plain(self.findings),
            "questions": plain(self.questions),
            "remedies": plain(self.remedies),
            "advice": plain(self.advice),
            "ruleset": plain(self.ruleset),
            "engine": self.engine,
            "disclaimer": self.disclaimer,
        }

    def explain(self) -> str:
        """Return the verdict as text for a front desk."""
        from covrules.rendering import to_text

        return to_text(self)

    def __rich__(self) -> Any:
        from covrules.rendering import to_rich

        return to_rich(self)

    def _repr_html_(self) -> str:
        from covrules.rendering import to_html

        return to_html(self)

    def __repr__(self) -> str:
        return f"<Verdict {self.coverage} by {self._ruleset.id} {self._ruleset.version}>"


def reach(
    ruleset: Ruleset, case: Case, outcome: Outcome, *, stage: Stage, engine: str, as_of: dt.date | None
) -> Verdict:
    """Return the verdict that the statuses of a ruleset's rules add up to."""
    return Verdict(
        _coverage(ruleset, outcome),
        _acceptance(ruleset, outcome),
        stage,
        engine,
        ruleset,
        case,
        outcome,
        as_of,
    )


def _coverage(ruleset: Ruleset, outcome: Outcome) -> Coverage:
    statuses = ruleset.insurers(outcome.statuses)
    if "unmet" in statuses:
        return "not-covered"
    capped = "capped" in statuses
    if capped and 0 in _allowances(ruleset, outcome):
        return "not-covered"
    if "unknown" in statuses:
        return "undetermined"
    return "partial" if capped else "covered"


def _acceptance(ruleset: Ruleset, outcome: Outcome) -> bool | None:
    statuses = ruleset.clinics(outcome.statuses)
    if "unmet" in statuses or "capped" in statuses:
        return False
    return None if "unknown" in statuses else True


def _allowances(ruleset: Ruleset, outcome: Outcome) -> list[int | None]:
    rules = ruleset.rules
    pairs = zip(ruleset.caps, outcome.allowed, strict=True)
    return [allows for place, allows in pairs if rules[place].layer != "clinic"]


def _undecided_facts(rule: Rule, values: Mapping[str, Any]) -> Iterator[str]:
    for condition in (rule.applies, rule.requires):
        if condition is not None:
            yield from weigh(condition, values)[1]
    if rule.caps is not None:
        forms = rule.demand
        if forms and not holds(forms.true, values) and not holds(forms.false, values):
            yield from (rule.caps.limit.path,) if isinstance(rule.caps.limit, Ref) else ()
            yield from (*rule.caps.less, REQUESTED)
    if rule.unless is not None:
        yield from weigh(rule.unless, values)[1]


@cache
def _converter() -> "Converter":
    """Return what turns the parts of a verdict into plain values, as they are declared."""
    from cattrs import Converter
    from cattrs.gen import make_dict_unstructure_fn, override

    def plain_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
        return {path: FACTS[path].kind.plain(value) for path, value in facts.items()}

    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(dt.date, dt.date.isoformat)
    unsaid = override(omit=True)
    converter.register_unstructure_hook(Source, make_dict_unstructure_fn(Source, converter, id=unsaid, read=unsaid))
    converter.register_unstructure_hook(Denial, make_dict_unstructure_fn(Denial, converter, when=unsaid))
    facts = override(unstruct_hook=plain_facts)
    converter.register_unstructure_hook(Finding, make_dict_unstructure_fn(Finding, converter, facts=facts))
    return converter

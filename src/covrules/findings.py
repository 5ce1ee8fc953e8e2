"""Findings: what is told of each rule once it is decided, prepared once for a ruleset and filled in for a case."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import attrs

from covrules.conditions import AllOf, Not, Ref
from covrules.facts import Case
from covrules.kinds import Kind
from covrules.rule import REQUESTED, Denial, Layer, Rule, Source, Status
from covrules.rulesets import Ruleset
from covrules.truth import (
    Values,
    Weighing,
    Writer,
    groups_of,
    in_case,
    known,
    mapping,
    name_of,
    spreader,
    tester,
    with_sources,
)

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["Finding"]


@attrs.define(init=False, eq=False, repr=False, kw_only=True)
class _Draft:
    """A finding that is still being written, as to fill the fields of a frozen class takes eight times as long."""

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


@attrs.frozen(kw_only=True)
class Finding(_Draft):
    """What was found of one rule.

    `because` and `denial` are None except where the rule is unmet or capped; `facts` are the known values that its
    conditions name; `missing` are the facts to ask for where it is unknown; `waived_by` are the waivers that excuse
    it (none where its own `unless` does); `cites` are the sources of what the plan fixes of its facts, then its
    own; `where` is the file and line of the rule. `rule`, `title` and `layer` are those of the rule, `status` is
    what became of it.
    """


class Findings:
    """What of the findings of a ruleset is the same for every case of some days, and how the rest is found."""

    def __init__(self, ruleset: Ruleset, day: dt.date | None) -> None:
        self.ruleset = ruleset
        self.cites = [_cited(ruleset, rule, day) for rule in ruleset.rules]
        self.of = _maker(ruleset, self.cites)

    @cached_property
    def spread(self) -> Callable[[Iterable[Any]], tuple[dict[str, Any], ...]]:
        """Gives out values, in the order of the ruleset's facts, to the rules that read them."""
        return spreader(self.ruleset.facts, [rule.facts for rule in self.ruleset.rules])

    @cached_property
    def plain_values(self) -> list[Callable[[Any], Any] | None]:
        """How the values of each fact become plain, where they are not already."""
        kinds = [self.ruleset.vocabulary[path].kind for path in self.ruleset.facts]
        return [None if type(kind).plain is Kind.plain else kind.plain for kind in kinds]

    @cached_property
    def plain_cites(self) -> list[list[dict[str, Any]]]:
        """What is cited for each rule, as plain values."""
        return [plain(cites) for cites in self.cites]

    def to_dicts(self, findings: tuple[Finding, ...], values: dict[str, Any]) -> list[dict[str, Any]]:
        """Return findings as plain values, ready for JSON."""
        pairs = zip(values.values(), self.plain_values, strict=True)
        facts = self.spread([value if value is None or make is None else make(value) for value, make in pairs])
        return [
            {
                "rule": finding.rule,
                "title": finding.title,
                "layer": finding.layer,
                "status": finding.status,
                "because": finding.because,
                "facts": used,
                "missing": [*finding.missing],
                "denial": None if finding.denial is None else plain(finding.denial),
                "waived_by": [*finding.waived_by],
                "cites": [*map(dict.copy, cites)],
                "where": finding.where,
            }
            for finding, used, cites in zip(findings, facts, self.plain_cites, strict=True)
        ]


def _cited(ruleset: Ruleset, rule: Rule, day: dt.date | None) -> tuple[Source, ...]:
    """Return what is cited where the plan fixes a fact the rule reads on the day, then what the rule cites itself."""
    known = ruleset.fixed_on(day)
    read = [fact.path for fact in with_sources(rule.facts, ruleset.vocabulary) if fact.path in known]
    return tuple(dict.fromkeys([*[source for path in read for source in ruleset.fixed[path].cites], *rule.cites]))


def findings_of(ruleset: Ruleset, day: dt.date | None) -> Findings:
    """Return what is prepared for the findings of all verdicts by these rules on such days, made when first needed."""
    key = (Findings, ruleset.edition(day))
    prepared: Findings | None = ruleset.made.get(key)
    if prepared is None:
        prepared = ruleset.made[key] = Findings(ruleset, day)
    return prepared


def _maker(
    ruleset: Ruleset, cites: list[tuple[Source, ...]]
) -> Callable[[Case, tuple[Status, ...]], tuple[dict[str, Any], tuple[Finding, ...]]]:
    """Return the function that makes the findings on a case of what was decided, after the values of the facts."""
    facts = with_sources(ruleset.facts, ruleset.vocabulary)
    write = Writer(known=known, new=object.__new__, Draft=_Draft, Finding=Finding, telling=_MORE_TO_TELL)
    values = ", ".join(f"{path!r}: {name_of(path)}" for path in ruleset.facts)
    statuses, made = ("".join(f"{each}{number}, " for number in range(len(ruleset.rules))) for each in "sf")
    lines = [
        *groups_of(facts),
        *write.reading(facts, set(), in_case),
        f"values = {{{values}}}",
        *([f"{statuses} = statuses"] if statuses else []),
    ]
    for number, rule in enumerate(ruleset.rules):
        write.names |= {f"cites{number}": cites[number], f"tell{number}": _Telling(ruleset, rule).tell}
        said = {
            "rule": repr(rule.id), "title": repr(rule.title), "layer": repr(rule.layer), "status": f"s{number}",
            "because": "None", "facts": mapping(rule.facts), "missing": "()", "denial": "None", "waived_by": "()",
            "cites": f"cites{number}", "where": repr(str(rule.place)),
        }  # fmt: skip
        lines += [
            f"f{number} = new(Draft)",
            *[f"f{number}.{name} = {value}" for name, value in said.items()],
            f"if s{number} in telling:",
            f" if s{number} == 'unknown':",
            *[f"  {line}" for line in weighing_of(ruleset, rule, write).asking(ruleset.vocabulary)],
            f"  f{number}.missing = tuple(asked)",
            f" else: tell{number}(f{number}, values)",
            f"f{number}.__class__ = Finding",
        ]
    make: Callable[[Case, tuple[Status, ...]], tuple[dict[str, Any], tuple[Finding, ...]]]
    make = write.function("make", "case, statuses", [*lines, f"return values, ({made})"])
    return make


_MORE_TO_TELL: Final = frozenset[Status]({"unmet", "capped", "waived", "unknown"})
"""The statuses of which there is more to tell than that they are so."""


def weighing_of(ruleset: Ruleset, rule: Rule, write: Writer) -> Weighing:
    """Return what weighs the conditions of a rule, and of its waivers, in the order in which facts are asked for."""
    weighing = Weighing(write)
    for condition in (rule.applies, rule.requires):
        if condition is not None:
            weighing.of(condition)
    if rule.caps is not None and rule.demand is not None:
        limit = (rule.caps.limit.path,) if isinstance(rule.caps.limit, Ref) else ()
        weighing.of_forms(rule.demand, (*limit, *rule.caps.less, REQUESTED))
    if rule.unless is not None:
        weighing.of(rule.unless)
    for waiver in ruleset.waivers(rule):
        parts = [waiver.applies] if waiver.applies else []
        parts += [Not(waiver.unless)] if waiver.unless else []
        if parts:
            weighing.of(AllOf(tuple(parts)))  # of a waiver that certainly excuses nothing, nothing is missing
    return weighing


@attrs.frozen
class _Telling:
    """Fills in the finding of a rule that is not met, or waived."""

    ruleset: Ruleset
    rule: Rule

    def tell(self, finding: _Draft, values: Values) -> None:
        if finding.status == "waived":
            waivers = self.ruleset.waivers(self.rule)
            finding.waived_by = tuple([waiver.id for waiver in waivers if tester(waiver.waiving.true)(values)])
            return
        if self.rule.because is not None:
            finding.because = self.rule.because.render(values)
        finding.denial = denial_for(self.rule, values)


def denial_for(rule: Rule, values: Values) -> Denial | None:
    """Return the codes that a rule which is not met is denied with: the first that certainly fit, if any do."""
    for denial in rule.denial:
        if denial.forms is None or tester(denial.forms.true)(values):
            return denial
    return None


def plain(part: Any) -> Any:
    """Return a part of a verdict as plain values, ready for JSON."""
    return _converter().unstructure(part)


@cache
def _converter() -> "Converter":
    """Return what turns the parts of a verdict into plain values, as they are declared."""
    from cattrs import Converter
    from cattrs.gen import make_dict_unstructure_fn, override

    converter = Converter(unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(dt.date, dt.date.isoformat)
    unsaid = override(omit=True)
    converter.register_unstructure_hook(Source, make_dict_unstructure_fn(Source, converter, id=unsaid, read=unsaid))
    converter.register_unstructure_hook(Denial, make_dict_unstructure_fn(Denial, converter, when=unsaid))
    return converter

"""What a ruleset is: rules with their conditions, sources and examples; immutable, and known by its digest."""

import datetime as dt
import hashlib
import json
import string
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import attrs

from covrules.codes import icd10cm
from covrules.conditions import Condition, Ref, facts_in, to_data
from covrules.declaring import Who
from covrules.facts import FACTS
from covrules.lowering import Forms, lower, lower_cap

if TYPE_CHECKING:
    from covrules.facts import Case
    from covrules.verdicts import Verdict

Layer = Literal["mandate", "plan", "policy", "clinic"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
"""Whose rule it is, the highest first. All but the clinic's decide what the insurer owes."""

Stage = Literal["planned", "delivered", "billed"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""How far a visit has come, in order; a rule matters from its own stage on."""

Standing = Literal["illustrative", "sourced"]
STANDINGS: Final[tuple[Standing, ...]] = get_args(Standing)
"""Whether a ruleset shows how rules can be, or every rule of it cites what was read."""

Status = Literal["not-applicable", "met", "waived", "unmet", "capped", "unknown", "later", "advised"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""What a finding can say of its rule."""

SCHEMA: Final = "covrules/1"
"""The version of the file format."""

REQUESTED: Final = "visit.units"
"""The fact that caps bound."""


@attrs.frozen
class Place:
    """Where something stands: a file as its reader knows it, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@attrs.frozen
class Source:
    """What was read: a document, where in it, where it can be had and when it was read."""

    id: str
    title: str
    section: str | None = None
    url: str | None = None
    read: dt.date | None = None


@attrs.frozen
class Template:
    """A sentence with facts in it, each written `{group.name}`; braces themselves are doubled."""

    text: str

    def pieces(self) -> Iterator[tuple[str, str | None]]:
        """Yield runs of text, each with the fact that follows it (None at the end).

        Raises ValueError where the braces do not fit.
        """
        for literal, path, spec, conversion in string.Formatter().parse(self.text):
            if spec or conversion:
                raise ValueError("a fact in braces takes no format")
            yield literal, path

    def facts(self) -> list[str]:
        """Return the facts named."""
        return [path for _, path in self.pieces() if path is not None]

    def labelled(self) -> str:
        """Return the sentence with the label of each fact in square brackets."""
        return "".join(said + (f"[{FACTS[path].label}]" if path else "") for said, path in self.pieces())

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the sentence with the values in words, and what stands for those that are unknown."""
        said = ""
        for literal, path in self.pieces():
            said += literal
            if path is not None:
                fact, value = FACTS[path], values.get(path)
                unknown = fact.unknown if said else fact.unknown[:1].upper() + fact.unknown[1:]
                said += unknown if value is None else fact.kind.words(value)
        return said


@attrs.frozen
class Denial:
    """The X12 codes an insurer denies with, by number; `when` must be certainly true for them to fit."""

    carc: str
    rarc: tuple[str, ...] = ()
    when: Condition | None = None

    @cached_property
    def forms(self) -> Forms | None:
        """The lowered condition, if there is one."""
        return lower(self.when) if self.when is not None else None


@attrs.frozen
class Remedy:
    """What can be done about an unmet rule, and by whom."""

    who: Who
    action: str


@attrs.frozen
class Cap:
    """A bound on the units of the visit: a limit (a value or a fact) less what is already used."""

    limit: Any
    less: tuple[str, ...] = ()


@attrs.frozen
class Example:
    """Facts given to one rule alone, and the status it must then have."""

    given: Mapping[str, Any] = attrs.field(eq=lambda given: tuple(given.items()))
    then: Status
    place: Place = attrs.field(eq=False)


@attrs.frozen(kw_only=True)
class Rule:
    """One rule: a requirement, a cap or a piece of advice, with where and when it applies.

    Exactly one of `requires`, `caps` and `advises` is there; it tells the kind.
    """

    id: str
    title: str
    requires: Condition | None = None
    caps: Cap | None = None
    advises: Template | None = None
    applies: Condition | None = None
    unless: Condition | None = None
    layer: Layer = "plan"
    stage: Stage = "planned"
    because: Template | None = None
    remedy: Remedy | None = None
    denial: tuple[Denial, ...] = ()
    cites: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    place: Place = attrs.field(eq=False)

    @property
    def decides(self) -> bool:
        """Whether the rule has a say in coverage or acceptance; advice has none."""
        return self.advises is None

    def starts_after(self, stage: Stage) -> bool:
        """Whether the rule does not matter yet at a stage."""
        return STAGES.index(self.stage) > STAGES.index(stage)

    @property
    def failing(self) -> Literal["unmet", "capped"]:
        """What the rule says when it is certainly not fulfilled."""
        return "capped" if self.caps is not None else "unmet"

    @cached_property
    def demand(self) -> Forms | None:
        """The forms of what is asked; None for advice."""
        if self.caps is not None:
            return lower_cap(REQUESTED, self.caps.limit, self.caps.less)
        return lower(self.requires) if self.requires is not None else None

    @cached_property
    def application(self) -> Forms | None:
        """The forms of `applies`; None where the rule always applies."""
        return lower(self.applies) if self.applies is not None else None

    @cached_property
    def exception(self) -> Forms | None:
        """The forms of `unless`; None where there is no exception."""
        return lower(self.unless) if self.unless is not None else None

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact the rule's conditions read, once: of `applies`, then of what is asked, then of `unless`."""
        read: list[str] = list(facts_in(self.applies)) if self.applies else []
        read += facts_in(self.requires) if self.requires else []
        if self.caps is not None:
            read += [self.caps.limit.path] if isinstance(self.caps.limit, Ref) else []
            read += [*self.caps.less, REQUESTED]
        read += facts_in(self.unless) if self.unless else []
        return tuple(dict.fromkeys(read))

    @cached_property
    def spoken(self) -> tuple[str, ...]:
        """Every fact the rule's sentences and the conditions of its denial codes need, beside those it reads."""
        said = [path for template in (self.because, self.advises) if template for path in template.facts()]
        return (*said, *[path for denial in self.denial if denial.when for path in facts_in(denial.when)])

    @cached_property
    def reachable(self) -> tuple[Status, ...]:
        """The statuses the rule's own conditions can reach at its own stage."""
        if self.advises is not None:
            silent = self.applies is not None or self.unless is not None
            return ("advised", "not-applicable", "unknown") if silent else ("advised",)
        reached: list[Status] = ["met", self.failing, "unknown"]
        reached += ["not-applicable"] if self.applies is not None else []
        reached += ["waived"] if self.unless is not None else []
        return tuple(reached)


@attrs.frozen(kw_only=True, eq=False)
class Ruleset:
    """Rules in order, with what they cite. Immutable, safe to share between threads; equal if the digests are."""

    id: str
    title: str
    status: Standing
    version: str
    rules: tuple[Rule, ...]
    sources: Mapping[str, Source] = attrs.field(factory=dict)
    place: Place
    deciders: dict[tuple[str, str], Any] = attrs.field(factory=dict, init=False, repr=False)
    """What `covrules.api` has compiled of it, by stage and engine; it lives and dies with the ruleset."""

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Ruleset) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        given = {field.name: getattr(self, field.name) for field in attrs.fields(Ruleset) if field.init}
        return partial(Ruleset, **given), ()

    def rule(self, id: str) -> Rule:
        """Return the rule of this id; raises KeyError."""
        return self._by_id[id]

    def cited(self, rule: Rule) -> tuple[Source, ...]:
        """Return the sources a rule cites."""
        return self._cited[rule.id]

    @cached_property
    def _cited(self) -> dict[str, tuple[Source, ...]]:
        return {rule.id: tuple(self.sources[id] for id in rule.cites) for rule in self.rules}

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    @cached_property
    def digest(self) -> str:
        """`sha256:` of the whole ruleset in canonical JSON and of the shipped code set; no path is in it."""
        data = {"ruleset": ruleset_to_data(self), "codes": icd10cm.digest()}
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact the rules read or speak of, and what caps bound, in the order of the vocabulary."""
        read = {REQUESTED, *[path for rule in self.rules for path in (*rule.facts, *rule.spoken)]}
        return tuple(path for path in FACTS if path in read)

    @cached_property
    def insurers(self) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """Picks, of something for every rule, that of the rules which decide what the insurer owes."""
        return _picker([place for place, rule in enumerate(self.rules) if rule.decides and rule.layer != "clinic"])

    @cached_property
    def clinics(self) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """Picks, of something for every rule, that of the rules which decide what the clinic accepts."""
        return _picker([place for place, rule in enumerate(self.rules) if rule.decides and rule.layer == "clinic"])

    @cached_property
    def caps(self) -> tuple[int, ...]:
        """The places of the caps."""
        return tuple(place for place, rule in enumerate(self.rules) if rule.caps is not None)

    def evaluate(
        self, case: "Case", stage: Stage = "planned", engine: str = "checked", as_of: dt.date | str | None = None
    ) -> "Verdict":
        """Return the explained verdict on a case: see `covrules.api.evaluate`."""
        import covrules.api

        return covrules.api.evaluate(self, case, stage=stage, engine=engine, as_of=as_of)


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda all_: tuple([all_[place] for place in places])


def ruleset_to_data(ruleset: Ruleset) -> dict[str, Any]:
    """Return the ruleset as plain data in the file's own form; where it was read from is left out."""
    return {
        "schema": SCHEMA,
        "id": ruleset.id,
        "title": ruleset.title,
        "status": ruleset.status,
        "version": ruleset.version,
        "sources": {source.id: _source_to_data(source) for source in ruleset.sources.values()},
        "rules": [_rule_to_data(rule) for rule in ruleset.rules],
    }


def _source_to_data(source: Source) -> dict[str, Any]:
    data = {"title": source.title, "section": source.section, "url": source.url}
    data["read"] = source.read.isoformat() if source.read else None
    return {key: value for key, value in data.items() if value is not None}


def _rule_to_data(rule: Rule) -> dict[str, Any]:
    data: dict[str, Any] = {"id": rule.id, "title": rule.title, "layer": rule.layer, "from": rule.stage}
    for key, condition in (("applies", rule.applies), ("requires", rule.requires), ("unless", rule.unless)):
        if condition is not None:
            data[key] = to_data(condition)
    if rule.caps is not None:
        limit = rule.caps.limit
        said = f"${limit.path}" if isinstance(limit, Ref) else FACTS[REQUESTED].kind.plain(limit)
        data["caps"] = {REQUESTED: str(said)} | ({"less": list(rule.caps.less)} if rule.caps.less else {})
    for key, template in (("advises", rule.advises), ("because", rule.because)):
        if template is not None:
            data[key] = template.text
    if rule.remedy is not None:
        data["remedy"] = {"who": rule.remedy.who, "action": rule.remedy.action}
    data["denial"] = [
        {"carc": d.carc, "rarc": list(d.rarc)} | ({"when": to_data(d.when)} if d.when else {}) for d in rule.denial
    ]
    data["cites"] = list(rule.cites)
    data["examples"] = [
        {"given": {path: FACTS[path].kind.plain(value) for path, value in e.given.items()}, "then": e.then}
        for e in rule.examples
    ]
    return data

"""What a ruleset is: rules in order, what its plan fixes and declares, when it is in force; known by its digest."""

import datetime as dt
import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import attrs

from covrules.codes import icd10cm
from covrules.conditions import Ref, to_data
from covrules.declaring import Fact
from covrules.facts import FACTS, by_group
from covrules.kinds import declaration_of
from covrules.lowering import Forms, conjunction, disjunction

if TYPE_CHECKING:
    from covrules.facts import Case
    from covrules.verdicts import Verdict

from covrules.rule import REQUESTED, Disabled, Place, Rule, Source, Stage

__all__ = ["SCHEMA", "STANDINGS", "Fixed", "Period", "Ruleset", "Version"]

Standing = Literal["illustrative", "sourced"]
STANDINGS: Final[tuple[Standing, ...]] = get_args(Standing)
"""Whether a ruleset shows how rules can be, or every rule of it cites what was read."""

SCHEMA: Final = "covrules/1"
"""The version of the file format."""


@attrs.frozen
class Period:
    """The days a ruleset is in force: from `since` up to but not including `until`; None where there is no end.

    >>> str(Period(dt.date(2026, 1, 1), dt.date(2027, 1, 1)))
    'from 2026-01-01 until 2027-01-01'
    """

    since: dt.date | None = None
    until: dt.date | None = None

    def holds(self, day: dt.date) -> bool:
        """Return whether a day lies in the period."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def meet(self, other: "Period") -> "Period | None":
        """Return the days that lie in both, if there are any."""
        since = max(filter(None, (self.since, other.since)), default=None)
        until = min(filter(None, (self.until, other.until)), default=None)
        return None if since and until and until <= since else Period(since, until)

    def __str__(self) -> str:
        said = [f"from {self.since}"] if self.since else []
        said += [f"until {self.until}"] if self.until else []
        return " ".join(said) or "at all times"


EVER: Final = Period()
"""All days there are."""


@attrs.frozen
class Version:
    """One of the versions of a ruleset that stand side by side, and when it is in force.

    `id` and `version` are as in its file, `period` is when it is in force.
    """

    id: str
    version: str
    period: Period

    def __str__(self) -> str:
        return f"{self.id} {self.version} ({self.period})"


@attrs.frozen
class Fixed:
    """What a plan fixes of a fact: its values in order, each from a day on; with None from ever.

    A value of None says that from that day on it is not known: nobody has read what holds then. `origin` is the
    ruleset that fixes it, `replaces` what one that is extended fixed. `cites` are the sources it was read in,
    `place` is where it stands.
    """

    fact: Fact
    values: tuple[tuple[dt.date | None, Any], ...]
    cites: tuple[Source, ...] = attrs.field(eq=False)
    place: Place = attrs.field(eq=False)
    origin: str = attrs.field(eq=False)
    replaces: "Fixed | None" = attrs.field(default=None, eq=False, repr=False)

    def on(self, day: dt.date | None) -> Any:
        """Return the value on a day, None where it is not known. Without a day, only what holds on every day."""
        known = [value for since, value in self.values if since is None or (day is not None and since <= day)]
        return known[-1] if known else None


def _unchanging(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values))


@attrs.frozen(kw_only=True, eq=False)
class Ruleset:
    """Rules in order, with all that was taken from the rulesets extended.

    Immutable, safe to share between threads; equal if the digests are. `fixed` are the facts a plan fixes and
    `declares` the facts of its own, both by path; `extends` names the rulesets extended, `disabled` the rules of
    theirs left out, `sources` what this ruleset itself cites; `versions` are those that stand side by side of it,
    and of what it extends. `place` is where it begins.
    """

    id: str
    title: str
    status: Standing
    version: str
    rules: tuple[Rule, ...]
    effective: Period = EVER
    fixed: Mapping[str, Fixed] = attrs.field(factory=dict, converter=_unchanging)
    declares: Mapping[str, Fact] = attrs.field(factory=dict, converter=_unchanging)
    extends: tuple[str, ...] = ()
    disabled: tuple[Disabled, ...] = ()
    sources: tuple[Source, ...] = ()
    versions: tuple[Version, ...] = ()
    place: Place
    made: dict[Any, Any] = attrs.field(factory=dict, init=False, repr=False)
    """What others make of it once and use again: engines, what prepares its findings. It lives and dies with it."""

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Ruleset) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        given = {field.name: getattr(self, field.name) for field in attrs.fields(Ruleset) if field.init}
        given |= {name: dict(value) for name, value in given.items() if isinstance(value, MappingProxyType)}
        return partial(Ruleset, **given), ()

    def rule(self, id: str) -> Rule:
        """Return the rule of this id; raises KeyError."""
        return self._by_id[id]

    def waivers(self, rule: Rule) -> tuple[Rule, ...]:
        """Return the waivers that name a rule."""
        return self._waivers.get(rule.id, ())

    def waived_by(self, waiver: Rule) -> tuple[Rule, ...]:
        """Return the rules that a waiver names; those that were disabled are none any more."""
        return tuple(self._by_id[id] for id in waiver.waives or () if id in self._by_id)

    @cached_property
    def _waivers(self) -> dict[str, tuple[Rule, ...]]:
        named: dict[str, tuple[Rule, ...]] = {}
        for waiver in self.rules:
            for id in waiver.waives or ():
                named[id] = (*named.get(id, ()), waiver)
        return named

    def excuse(self, rule: Rule) -> Forms | None:
        """Return the forms of all that excuses a rule, its own `unless` and waivers; None where nothing can."""
        excuses = [rule.exception] if rule.exception else []
        excuses += [waiver.waiving for waiver in self.waivers(rule)]
        if not excuses:
            return None
        return Forms(disjunction([each.true for each in excuses]), conjunction([each.false for each in excuses]))

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
    def vocabulary(self) -> Mapping[str, Fact]:
        """Every fact a rule can read, by its path: those of all rulesets, then those declared here."""
        return {**FACTS, **self.declares}

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact the rules read or speak of, and what caps bound, in the order of the vocabulary."""
        read = {REQUESTED, *[path for rule in self.rules for path in (*rule.facts, *rule.spoken)]}
        return tuple(path for path in self.vocabulary if path in read)

    @cached_property
    def dated(self) -> bool:
        """Whether it matters on which day a case is evaluated, whatever the rules say."""
        return self.effective != EVER or bool(self.turns)

    @cached_property
    def turns(self) -> tuple[dt.date, ...]:
        """The days from which on something else is fixed."""
        return tuple(sorted({since for fixed in self.fixed.values() for since, _ in fixed.values if since is not None}))

    @cached_property
    def _editions(self) -> tuple[Mapping[str, Any], ...]:
        days = (None, *self.turns)
        return tuple(
            {path: value for path, fixed in self.fixed.items() if (value := fixed.on(day)) is not None} for day in days
        )

    def fixed_on(self, day: dt.date | None) -> Mapping[str, Any]:
        """Return the values of the facts that are fixed on a day; without one, what is fixed on every day."""
        return self._editions[self.edition(day)]

    def fixed_by_group(self, day: dt.date | None) -> Mapping[str, Mapping[str, Any]]:
        """Return the same by group and name."""
        return self._editions_by_group[self.edition(day)]

    def edition(self, day: dt.date | None) -> int:
        """Return the number of the stretch of days, in each of which the same is fixed, that a day lies in."""
        return 0 if day is None else bisect_right(self.turns, day)

    @cached_property
    def _editions_by_group(self) -> tuple[Mapping[str, Mapping[str, Any]], ...]:
        return tuple(by_group(edition) for edition in self._editions)

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
        self,
        case: "Case",
        stage: Stage = "planned",
        engine: str = "checked",
        as_of: dt.date | str | None = None,
        today: dt.date | str | None = None,
    ) -> "Verdict":
        """Return the explained verdict on a case: see `covrules.api.evaluate`."""
        import covrules.api

        return covrules.api.evaluate(self, case, stage=stage, engine=engine, as_of=as_of, today=today)

    def vary(self, changes: Mapping[str, Any], id: str | None = None) -> "Ruleset":
        """Return the ruleset with facts of its plan or rules of it otherwise: see `covrules.variations.vary`."""
        import covrules.variations

        return covrules.variations.vary(self, changes, id)

    def evaluate_frame(
        self,
        df: Any,
        plans: Any = None,
        *,
        stage: Stage = "planned",
        reasons: bool = False,
        errors: str = "raise",
        as_of: dt.date | str | None = None,
    ) -> Any:
        """Return the frame with the verdict on every row beside it; its own columns are left as they are.

        `df` is a frame of Polars, pandas, PyArrow, DuckDB or PySpark (or of another kind in memory that narwhals
        knows), and so is what is returned; a lazy one stays lazy. Columns are named by fact path (`plan.payer`), sets
        are lists of text (`["any"]` is the word `any`); `unlimited` is 2147483647, `open` and `never` are 9999-12-31.
        Null is unknown, and so is a fact that has no column. Other columns are passed over.

        With `plans` the facts of plans come from that frame, by the `plan.id` of both; the facts of a plan that is not
        in it are unknown. `stage` is as for `evaluate`; `as_of` stands for the date of a visit that has none.

        Added are `coverage`, `units_requested`, `units_covered`, for each rule its status as `finding.<rule id>`, and
        with `reasons` the ids of the unmet and capped rules as `reasons`. Every status is the one `evaluate` finds.

        Raises FactError for columns that are like a fact's and are none, or hold what their fact does not take; for
        values that a case could not have, with counts and first rows (lazy frames raise when they are run). With
        `errors="collect"` rows with such values have no verdict and in the column `problems` what is wrong with them.
        Raises TypeError for what is no such frame, ImportError where `covrules[frames]` is not installed.
        """
        from covrules.frames import evaluate_frame

        return evaluate_frame(self, df, plans, stage=stage, reasons=reasons, errors=errors, as_of=as_of)


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda all_: tuple([all_[place] for place in places])


def ruleset_to_data(ruleset: Ruleset) -> dict[str, Any]:
    """Return the resolved ruleset as plain data in the file's own form: one file that extends nothing.

    Where it was read from is left out, and sources are numbered anew.
    """
    cited = [*ruleset.sources, *[source for rule in ruleset.rules for source in rule.cites]]
    cited += [source for fixed in ruleset.fixed.values() for source in fixed.cites]
    sources = sorted({json.dumps(_source_to_data(source), sort_keys=True) for source in cited})
    ids = {source: f"source-{number}" for number, source in enumerate(sources, 1)}

    def cites(sources: tuple[Source, ...]) -> list[str]:
        return [ids[json.dumps(_source_to_data(source), sort_keys=True)] for source in sources]

    # Of a ruleset that is sourced, only its own rules must cite; of one file, all.
    sourced = all([*[rule.cites for rule in ruleset.rules], *[fixed.cites for fixed in ruleset.fixed.values()]])
    effective = _present(**{"from": _day(ruleset.effective.since), "until": _day(ruleset.effective.until)})
    return {
        "schema": SCHEMA,
        "id": ruleset.id,
        "title": ruleset.title,
        "status": ruleset.status if sourced else "illustrative",
        "version": ruleset.version,
        **({"effective": effective} if effective else {}),
        "sources": {id: json.loads(source) for source, id in ids.items()},
        "facts": {
            path: {"value": _values_to_data(fixed), "cites": cites(fixed.cites)}
            for path, fixed in ruleset.fixed.items()
        },
        "declares": {path: _fact_to_data(fact) for path, fact in ruleset.declares.items()},
        "rules": [_rule_to_data(ruleset, rule) | {"cites": cites(rule.cites)} for rule in ruleset.rules],
    }


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _present(**data: Any) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _source_to_data(source: Source) -> dict[str, Any]:
    return _present(title=source.title, section=source.section, url=source.url, read=_day(source.read))


def _values_to_data(fixed: Fixed) -> Any:
    plain = fixed.fact.kind.plain
    values = {_day(since): None if value is None else plain(value) for since, value in fixed.values}
    return values.get(None, values)


def _fact_to_data(fact: Fact) -> dict[str, Any]:
    if fact.derived_from:
        return {"type": "days", "from": fact.derived_from[1], "to": fact.derived_from[0], "label": fact.label}
    return declaration_of(fact.kind) | _present(who=fact.who, ask=fact.ask, label=fact.label, unit=fact.unit)


def _rule_to_data(ruleset: Ruleset, rule: Rule) -> dict[str, Any]:
    data: dict[str, Any] = {"id": rule.id, "title": rule.title, "layer": rule.layer}
    if rule.waives is not None:
        data["waives"] = [waived.id for waived in ruleset.waived_by(rule)]
    else:
        data["from"] = rule.stage
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
    if rule.denial:
        data["denial"] = [
            {"carc": d.carc, "rarc": list(d.rarc)} | ({"when": to_data(d.when)} if d.when else {}) for d in rule.denial
        ]
    vocabulary = ruleset.vocabulary
    data["examples"] = [
        {"given": {path: vocabulary[path].kind.plain(value) for path, value in e.given.items()}, "then": e.then}
        for e in rule.examples
    ]
    return data

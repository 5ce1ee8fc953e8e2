"""Many visits under two rulesets: how many change, from what to what, because of what, and for whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs

from covrules.deciding_words import COVERAGE
from covrules.errors import FactError, Problem, did_you_mean, printable
from covrules.extras import needed
from covrules.frames import dotless, known_frame, with_dots, without_dots
from covrules.kinds import Unfit
from covrules.rule import Rule, Stage
from covrules.rulesets import Ruleset
from covrules.sweeping import COVERAGES, collected, decided
from covrules.tables import Table, page, share
from covrules.truth import with_sources
from covrules.verdicts import Coverage

__all__ = ["Comparison", "Flow", "compare"]

_ADDED: Final = ("coverage_before", "coverage_after", "units_before", "units_after", "because_of")
"""The columns that the rows of a comparison have beside those of the frame."""
_OURS: Final = "covrules_"
"""Begins the names of columns that are there only while visits are compared."""
_PLAN: Final = "plan.id"


@attrs.frozen
class Flow:
    """Visits of one group with the same coverage before and after, and changed by the same rule if they change.

    `units_gained` and `units_lost` add up the units covered more and less, where both numbers are known.
    `because_of` is a rule by its id: None for visits that do not change, and where no one rule is the reason.
    `changes` says whether they do; `before` and `after` are what the insurer owes.
    """

    group: tuple[Any, ...]
    before: Coverage
    after: Coverage
    changes: bool
    because_of: str | None
    visits: int = attrs.field(converter=int)
    units_gained: int = attrs.field(converter=int)
    units_lost: int = attrs.field(converter=int)


@attrs.frozen(eq=False, repr=False)
class Comparison:
    """What becomes of visits that were decided by one ruleset and are decided by another.

    `flows` are all visits in groups, and `by` the columns that group them. `changed` are the visits that change as a
    frame of the kind compared: those with another coverage, or another number of units covered, each with its coverage
    and units before and after and the rule `because_of` which it changes.
    """

    before: Ruleset
    after: Ruleset
    by: tuple[str, ...]
    flows: tuple[Flow, ...]
    changed: Any

    @property
    def total(self) -> int:
        """How many visits were compared."""
        return sum(flow.visits for flow in self.flows)

    @property
    def total_changed(self) -> int:
        """How many of them change."""
        return sum(flow.visits for flow in self.flows if flow.changes)

    @property
    def units_gained(self) -> int:
        """The units covered after and not before, where both numbers are known."""
        return sum(flow.units_gained for flow in self.flows)

    @property
    def units_lost(self) -> int:
        """The units covered before and not after, where both numbers are known."""
        return sum(flow.units_lost for flow in self.flows)

    @property
    def counts(self) -> Any:
        """How many visits of each group change, from what to what and because of which rule, as a Polars frame.

        Raises ImportError where Polars is not installed.
        """
        return self._frame([flow for flow in self.flows if flow.changes])

    def to_frame(self) -> Any:
        """Return all visits as a Polars frame like `counts`, those that do not change included."""
        return self._frame(self.flows)

    def _frame(self, flows: Sequence[Flow]) -> Any:
        polars = needed("polars", "frames")
        columns: dict[str, Any] = {name: [flow.group[place] for flow in flows] for place, name in enumerate(self.by)}
        types = {"changes": polars.Boolean} | dict.fromkeys(("before", "after", "because_of", "reason"), polars.String)
        types |= dict.fromkeys(("visits", "units_gained", "units_lost"), polars.Int64)
        for name, type_ in types.items():
            values = [
                self.reason(flow) if name == "reason" and flow.changes else getattr(flow, name, None) for flow in flows
            ]
            columns[name] = polars.Series(values, dtype=type_)
        return polars.DataFrame(columns)

    def reason(self, flow: Flow) -> str:
        """Return the title of the rule because of which visits change, or that there is no one such rule."""
        titles = {rule.id: rule.title for rule in (*self.before.rules, *self.after.rules)}
        return "no one rule" if flow.because_of is None else titles[flow.because_of]

    def sentences(self) -> tuple[str, ...]:
        """Return what the comparison comes to, and what was compared."""
        many = f"{self.total_changed:,} of {self.total:,} visits change"
        part = f" ({share(self.total_changed, self.total)})" if self.total else ""
        units = f"{self.units_gained:,} units gained, {self.units_lost:,} lost"
        return (f"{many}{part}: {units}.", f"Before: {self.before.title}.", f"After: {self.after.title}.")

    def table(self) -> Table:
        """Return the visits that change in words; shares are of the visits of each group."""
        of_group: dict[tuple[Any, ...], int] = {}
        for flow in self.flows:
            of_group[flow.group] = of_group.get(flow.group, 0) + flow.visits
        rows = [
            (
                *[self._group_word(name, value) for name, value in zip(self.by, flow.group, strict=True)],
                COVERAGE[flow.before], COVERAGE[flow.after], self.reason(flow),
                f"{flow.visits:,}", share(flow.visits, of_group[flow.group]),
                f"{flow.units_gained:,}", f"{flow.units_lost:,}",
            )
            for flow in self.flows if flow.changes
        ]  # fmt: skip
        numbers = ("Visits", "Share", "Units gained", "Units lost")
        return Table((*self.by, "Before", "After", "Because of", *numbers), tuple(rows), len(self.by) + 3)

    def _group_word(self, name: str, value: Any) -> str:
        """Return a value that visits are grouped by in words; that of a fact as the fact says it."""
        fact = self.after.vocabulary.get(name)
        if value is None:
            return "unknown"
        if fact is not None:
            with suppress(Unfit):
                return fact.kind.words(fact.kind.parse("any" if value == ("any",) else value))
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    def to_text(self) -> str:
        """Return the comparison as plain text: what it comes to, then a table."""
        return "\n".join([*self.sentences(), "", self.table().to_text()])

    def to_html(self) -> str:
        """Return the comparison as a piece of HTML that stands by itself."""
        return page(self.sentences(), self.table())

    def plot(self) -> Any:
        """Return a figure of the visits flowing from coverage before to coverage after.

        Raises ImportError where Matplotlib is not installed.
        """
        from covrules.plots import flows_drawn

        return flows_drawn(self)

    def plot_reasons(self) -> Any:
        """Return a figure of the rules because of which visits change; raises ImportError as `plot` does."""
        from covrules.plots import reasons_drawn

        return reasons_drawn(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Comparison of {self.before.id} and {self.after.id}: {self.total_changed} of {self.total} change>"


def compare(
    a: Ruleset,
    b: Ruleset,
    df: Any,
    plans: Any = None,
    *,
    by: str | Iterable[str] | None = None,
    stage: Stage = "planned",
) -> Comparison:
    """Return what becomes of visits if ruleset `b` decides them in the place of `a`.

    `df` and `plans` are as `Ruleset.evaluate_frame` takes them. `by` is a column of either, or several, by whose values
    the visits are counted. Of a ruleset made by `vary`, the facts that it was told to fix stand in the place of their
    columns; a column of a fact that is derived from one of them stays as it is.

    A change of coverage is put down to the first rule, in order, that turned in a way which decides coverage: a
    requirement that is unmet in one of the two alone, a rule that is unknown in one alone, a cap that binds in one
    alone or is otherwise in both.

    Only counts are collected: of frames that are lazy, or kept in a database, no visit is.

    Raises what `evaluate_frame` raises; ValueError for a `by` that is no column; ImportError where Narwhals is not
    installed.
    """
    names = () if by is None else (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    return _Comparing(a, b, stage, names).comparison(df, plans)


class _Comparing:
    """How two rulesets decide every row of a frame, side by side, and how that adds up."""

    def __init__(self, before: Ruleset, after: Ruleset, stage: Stage, by: tuple[str, ...]) -> None:
        self.before, self.after, self.stage, self.by = before, after, stage, by
        self.nw = needed("narwhals", "frames")
        both = {rule.id: rule for rule in (*before.rules, *after.rules) if _has_a_say(rule)}
        self.rules = tuple(both)
        self.sides = ("a", {rule.id: rule for rule in before.rules}), ("b", {rule.id: rule for rule in after.rules})

    def comparison(self, df: Any, plans: Any) -> Comparison:
        visits = known_frame(df)
        named = visits.collect_schema().names()
        if taken := [name for name in _ADDED if name in named]:
            message = "there is a column of this name already, and a comparison adds one"
            raise FactError(Problem(path=name, message=message, hint="rename it") for name in taken)
        of_plans = self.of_plans(named, plans)
        visits, columns = without_dots(visits), [*map(dotless, named)]
        a = decided(self.before, visits, plans, self.stage).select(*columns, *self.kept("a", self.before))
        ours = [name for name in a.collect_schema().names() if name not in columns]
        b = decided(self.after, a, plans, self.stage)
        rows = self.compared(b.select(*columns, *ours, *self.kept("b", self.after)))
        shown = {f"{_OURS}{name}": name for name in _ADDED}
        changed = rows.filter(self.nw.col(f"{_OURS}changes")).select(*columns, *shown).rename(shown)
        return Comparison(self.before, self.after, self.by, self.flows(rows, of_plans), with_dots(changed).to_native())

    def of_plans(self, columns: list[str], plans: Any) -> dict[str, dict[Any, Any]]:
        """Return the values of the columns to group by that only the plans have, by plan; raises ValueError."""
        plans = None if plans is None else known_frame(plans)
        known = [] if plans is None else plans.collect_schema().names()
        for name in self.by:
            if name not in columns and name not in known:
                near = did_you_mean(name, [*columns, *known])
                raise ValueError(f"there is no column {printable(name)!r} to group by{': ' + near if near else ''}")
        wanted = [name for name in self.by if name not in columns]
        read = map(dotless, (_PLAN, *wanted))
        rows = collected(without_dots(plans).select(*read)) if plans is not None and wanted else []
        return {name: {row[0]: row[place] for row in rows} for place, name in enumerate(wanted, 1)}

    def kept(self, side: str, ruleset: Ruleset) -> Iterator[Any]:
        """Yield what is used of a verdict, under names of our own."""
        col, text = self.nw.col, self.nw.String
        words = "before" if side == "a" else "after"
        yield col("coverage").cast(text).alias(f"{_OURS}coverage_{words}")
        yield col("units_covered").alias(f"{_OURS}units_{words}")
        for rule in ruleset.rules:
            if rule.id in self.rules:
                yield col(dotless(f"finding.{rule.id}")).cast(text).alias(f"{_OURS}{side}_{rule.id}")

    def compared(self, rows: Any) -> Any:
        """Return the rows with whether each changes, by how many units, and because of which rule."""
        nw, col = self.nw, self.nw.col
        more = col(f"{_OURS}units_after") - col(f"{_OURS}units_before")
        rows = rows.with_columns(more.alias(f"{_OURS}more"))
        more, other = col(f"{_OURS}more"), col(f"{_OURS}coverage_before") != col(f"{_OURS}coverage_after")
        rows = rows.with_columns(
            nw.when(other | (more > 0) | (more < 0))
            .then(nw.lit(True))
            .otherwise(nw.lit(False))
            .alias(f"{_OURS}changes"),
            nw.when(more > 0).then(more).otherwise(nw.lit(0)).alias(f"{_OURS}gained"),
            nw.when(more < 0).then(-more).otherwise(nw.lit(0)).alias(f"{_OURS}lost"),
        )
        found = [nw.when(turned).then(nw.lit(id)) for id, turned in self.reasons()]
        reason = nw.coalesce(*found) if found else nw.lit(None, nw.String)
        reason = nw.when(col(f"{_OURS}changes")).then(reason)
        return rows.with_columns(reason.alias(f"{_OURS}because_of"))

    def reasons(self) -> Iterator[tuple[str, Any]]:
        """Yield the rules, each with whether it turned in a way that decides coverage, the most deciding way first."""
        before, after = (self.nw.col(f"{_OURS}coverage_{words}") for words in ("before", "after"))
        refused = (before == "not-covered") | (after == "not-covered")
        capped = [*self.turned("capped")]
        yield from self.turned("unmet")
        yield from ((id, turned & refused) for id, turned in capped)  # a cap that leaves nothing refuses
        yield from self.turned("unknown")
        yield from capped
        for id in filter(self.caps_otherwise, self.rules):
            yield id, (self.status(id, "a") == "capped") & (self.status(id, "b") == "capped")

    def turned(self, status: str) -> Iterator[tuple[str, Any]]:
        """Yield the rules that can have a status, each with whether it has it in one of the two alone."""
        for id in self.rules:
            held = [self.status(id, side) == status for side, rules in self.sides if _can_be(rules.get(id), status)]
            if held:
                yield id, held[0] if len(held) == 1 else held[0] != held[1]

    def status(self, id: str, side: str) -> Any:
        return self.nw.col(f"{_OURS}{side}_{id}")

    def caps_otherwise(self, id: str) -> bool:
        """Return whether both cap by this rule, and it is another, or reads a fact that one of them fixes otherwise."""
        (_, before), (_, after) = self.sides
        if not (_can_be(before.get(id), "capped") and _can_be(after.get(id), "capped")):
            return False
        read = [fact.path for fact in with_sources(after[id].facts, self.after.vocabulary)]
        fixed = self.before.fixed, self.after.fixed
        return before[id] != after[id] or any(fixed[0].get(path) != fixed[1].get(path) for path in read)

    def flows(self, rows: Any, of_plans: Mapping[str, Mapping[Any, Any]]) -> tuple[Flow, ...]:
        """Return how the rows add up; those that differ only in their plans, and are grouped by these, are joined."""
        nw = self.nw
        groups = [*dict.fromkeys(_PLAN if name in of_plans else name for name in self.by)]
        keys = [f"{_OURS}{name}" for name in ("coverage_before", "coverage_after", "changes", "because_of")]
        units = [f"{_OURS}gained", f"{_OURS}lost"]
        named = {dotless(name): f"{_OURS}by_{place}" for place, name in enumerate(groups)}
        rows = rows.select(*[nw.col(name).alias(ours) for name, ours in named.items()], *keys, *units)
        many = nw.len().alias(f"{_OURS}visits")
        added = rows.group_by(*named.values(), *keys).agg(many, nw.col(*units).sum())
        found: dict[tuple[Any, ...], Flow] = {}
        for row in collected(added.select(*named.values(), *keys, f"{_OURS}visits", *units)):
            values, rest = dict(zip(groups, row, strict=False)), row[len(groups) :]
            given = [of_plans[name].get(values[_PLAN]) if name in of_plans else values[name] for name in self.by]
            group = tuple([tuple(value) if isinstance(value, list) else value for value in given])
            flow = Flow(group, *rest)
            alike = (group, *rest[: len(keys)])
            found[alike] = _joined(found[alike], flow) if alike in found else flow
        return tuple(sorted(found.values(), key=self.place))

    def place(self, flow: Flow) -> tuple[Any, ...]:
        group = [(value is None, value) for value in flow.group]
        rule = len(self.rules) if flow.because_of is None else self.rules.index(flow.because_of)
        return (group, COVERAGES.index(flow.before), COVERAGES.index(flow.after), flow.changes, rule)


def _joined(one: Flow, other: Flow) -> Flow:
    sums = ("visits", "units_gained", "units_lost")
    return attrs.evolve(one, **{name: getattr(one, name) + getattr(other, name) for name in sums})


def _has_a_say(rule: Rule) -> bool:
    return rule.decides and rule.layer != "clinic"


def _can_be(rule: Rule | None, status: str) -> bool:
    return rule is not None and (status == "unknown" or rule.concludes == status)

"""What a ruleset decides of a population for each combination of some values of its plan's facts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final, get_args

import attrs

from covrules.deciding_words import COVERAGE
from covrules.declaring import Fact
from covrules.errors import Problem, RulesetError, did_you_mean, printable
from covrules.extras import needed
from covrules.frames import dotless, known_frame, with_dots, without_dots
from covrules.kinds import Unfit, describe
from covrules.rule import Stage
from covrules.rulesets import Ruleset
from covrules.tables import Table, page, share
from covrules.variations import Variation
from covrules.verdicts import Coverage

__all__ = ["Point", "Sweep", "sweep"]

COVERAGES: Final[tuple[Coverage, ...]] = get_args(Coverage)
_ASIDE: Final = "covrules_aside_"
"""Begins the names of columns that are set aside while visits are decided."""


@attrs.frozen
class Point:
    """What a ruleset makes of all visits where it fixes some facts to these values (None: it does not fix them).

    `visits` has how many come out in each way, `units_covered` adds up the billing units of all.
    """

    values: Mapping[str, Any]
    visits: Mapping[Coverage, int]
    units_covered: int

    @property
    def total(self) -> int:
        """How many visits there are."""
        return sum(self.visits.values())


@attrs.frozen(eq=False, repr=False)
class Sweep:
    """What becomes of visits at every point of a grid of values; `facts` are those that vary, in order.

    `ruleset` is what was varied, `points` are in the order of the grid.
    """

    ruleset: Ruleset
    facts: tuple[Fact, ...]
    points: tuple[Point, ...]

    def words(self, point: Point) -> tuple[str, ...]:
        """Return the values of a point in words."""
        values = ((fact, point.values[fact.path]) for fact in self.facts)
        return tuple("not fixed" if value is None else fact.kind.words(value) for fact, value in values)

    def to_frame(self) -> Any:
        """Return a Polars frame with a row for every point.

        It has the values (numbers as such, others in words), how many visits there are and of each coverage, their
        shares, the units covered, and how many these are more than at the first point. Raises ImportError where Polars
        is not installed.
        """
        polars = needed("polars", "frames")
        columns: dict[str, Any] = {}
        for place, fact in enumerate(self.facts):
            values = [point.values[fact.path] for point in self.points]
            numbers = all(value is None or type(value) is int for value in values)
            said = [None if point.values[fact.path] is None else self.words(point)[place] for point in self.points]
            columns[fact.path] = values if numbers else said
        columns["visits"] = [point.total for point in self.points]
        for coverage in COVERAGES:
            columns[coverage] = [point.visits[coverage] for point in self.points]
        for coverage in COVERAGES:
            shares = [point.visits[coverage] / point.total if point.total else None for point in self.points]
            columns[f"share {coverage}"] = polars.Series(shares, dtype=polars.Float64)
        columns["units_covered"] = [point.units_covered for point in self.points]
        columns["units_more"] = [point.units_covered - self.points[0].units_covered for point in self.points]
        return polars.DataFrame(columns)

    def table(self) -> Table:
        """Return every point in words."""
        first = self.points[0]
        rows = [
            (
                *self.words(point),
                *[f"{point.visits[each]:,} ({share(point.visits[each], point.total)})" for each in COVERAGES],
                f"{point.units_covered:,}",
                f"{point.units_covered - first.units_covered:+,}" if point is not first else "",
            )
            for point in self.points
        ]
        labels = [fact.label[:1].upper() + fact.label[1:] for fact in self.facts]
        return Table((*labels, *COVERAGE.values(), "Units covered", "Difference"), tuple(rows), len(labels))

    def sentences(self) -> tuple[str, ...]:
        """Return what was swept."""
        return (f"{self.points[0].total:,} visits under: {self.ruleset.title}.",)

    def to_text(self) -> str:
        """Return the sweep as plain text: a table."""
        return "\n".join([*self.sentences(), "", self.table().to_text()])

    def to_html(self) -> str:
        """Return the sweep as a piece of HTML that stands by itself."""
        return page(self.sentences(), self.table())

    def plot(self) -> Any:
        """Return a figure: curves where one fact varies, a heat map where two do.

        Raises ValueError where more do; ImportError where Matplotlib is not installed.
        """
        from covrules.plots import sweep_drawn

        return sweep_drawn(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Sweep of {self.ruleset.id}: {len(self.points)} points>"


def sweep(
    ruleset: Ruleset, grid: Mapping[str, Sequence[Any]], df: Any, plans: Any = None, *, stage: Stage = "planned"
) -> Sweep:
    """Return what becomes of visits at every point of a grid: of each fact in it, the plan fixes every value in turn.

    `df` and `plans` are as `Ruleset.evaluate_frame` takes them; the values are as `Ruleset.vary` takes them, None
    leaving the fact to the frame. A fact that is fixed stands in the place of its column. The last fact varies fastest.

    Raises RulesetError listing everything wrong with the grid, what `evaluate_frame` raises, and ImportError where
    Narwhals is not installed.
    """
    visits = without_dots(known_frame(df))
    points = [_point(values, ruled, visits, plans, stage) for values, ruled in _grid(ruleset, grid)]
    return Sweep(ruleset, tuple(ruleset.vocabulary[path] for path in grid), tuple(points))


def _grid(ruleset: Ruleset, grid: Mapping[str, Sequence[Any]]) -> list[tuple[dict[str, Any], Ruleset]]:
    """Return the points of a grid, each with the ruleset there; raises RulesetError."""
    problems = [] if grid else [Problem(message="a grid without facts", expected="at least one fact and its values")]
    read: dict[str, list[Any]] = {}
    for path, values in grid.items():
        if path not in ruleset.vocabulary:
            near = did_you_mean(str(path), ruleset.vocabulary)
            problems.append(Problem(path=printable(str(path)), message="there is no such fact", hint=near))
        elif not isinstance(values, (list, tuple, range)):
            problems.append(Problem(path=path, message=f"found {describe(values)}", expected="a list of values"))
        elif not values:
            problems.append(Problem(path=path, message="found a list without values", expected="at least one value"))
        else:
            read[path] = [*_read(ruleset.vocabulary[path], values, problems)]
    if problems:
        raise RulesetError(dict.fromkeys(problems))
    points = [dict(zip(grid, values, strict=True)) for values in product(*read.values())]
    return [(point, ruleset.vary(point)) for point in points]


def _read(fact: Fact, values: Sequence[Any], problems: list[Problem]) -> Iterator[Any]:
    for value in values:
        try:
            yield None if value is None else fact.kind.parse(value)
        except Unfit as unfit:
            found = f"found {unfit.found}"
            problems.append(Problem(path=fact.path, message=found, expected=fact.kind.expected, hint=unfit.hint))


def _point(values: dict[str, Any], ruleset: Ruleset, visits: Any, plans: Any, stage: Stage) -> Point:
    nw = needed("narwhals", "frames")
    visits = decided(ruleset, visits, plans, stage).select(
        nw.col("coverage").cast(nw.String).alias("coverage"), "units_covered"
    )
    added = visits.group_by("coverage").agg(nw.len().alias("visits"), nw.col("units_covered").sum().alias("units"))
    found = {
        coverage: (many, units) for coverage, many, units in collected(added.select("coverage", "visits", "units"))
    }
    visits_of = {coverage: int(found.get(coverage, (0, 0))[0]) for coverage in COVERAGES}
    # The sum of what is all unknown is nothing in some frames.
    return Point(values, visits_of, sum(int(units or 0) for _, units in found.values()))


def decided(ruleset: Ruleset, visits: Any, plans: Any, stage: Stage) -> Any:
    """Return visits, both without dots, with what a ruleset makes of them; what it was varied to fix has no column."""
    nw = needed("narwhals", "frames")
    varied = ruleset.varied if isinstance(ruleset, Variation) else frozenset()
    columns = visits.collect_schema().names()
    hidden = {dotless(path) for path in varied}
    aside = {name: f"{_ASIDE}{place}" for place, name in enumerate(columns) if name in hidden}
    if plans is not None:
        plans = with_dots(without_dots(known_frame(plans)).drop(*hidden, strict=False)).to_native()
    decided = ruleset.evaluate_frame(with_dots(visits.rename(aside)).to_native(), plans=plans, stage=stage)
    return without_dots(nw.from_native(decided)).rename({name: path for path, name in aside.items()})


def collected(frame: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a small frame, lazy or not, with None where nothing is known."""
    # By way of Polars, as pandas has several things that stand for what is not known.
    rows: list[tuple[Any, ...]] = (frame.collect("polars") if hasattr(frame, "collect") else frame).to_polars().rows()
    return rows

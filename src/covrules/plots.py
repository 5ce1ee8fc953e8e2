"""The figures of comparisons and sweeps: one colour for each coverage, named where it is drawn."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from covrules.deciding_words import COVERAGE
from covrules.errors import shown
from covrules.extras import needed
from covrules.verdicts import Coverage

if TYPE_CHECKING:
    from covrules.comparing import Comparison
    from covrules.sweeping import Point, Sweep

# Told apart also by who sees no red or no green, and in print: what is paid is blue, what is not is orange.
COLOURS: Final[Mapping[Coverage, str]] = {
    "covered": "#0072b2",
    "partial": "#56b4e9",
    "not-covered": "#d55e00",
    "undetermined": "#8f8f8f",
}
"""The colour of each coverage in every figure."""
_WORDS_IN: Final[Mapping[Coverage, str]] = {**COLOURS, "partial": "#2585bd", "undetermined": "#6b6b6b"}
"""The colour of the words that name a coverage: the same, or as near as can be read on white."""

_INK: Final = "#222222"
_FAINT: Final = "#6b6b6b"
_GRID: Final = "#e6e6e6"
_SMALL: Final = 9.5
_MARGIN: Final = 0.35
"""What is left free around a figure, in inches, as are all lengths here."""
_LINE: Final = 0.2
"""The height of a line of small text."""
_MOST_REASONS: Final = 15


def _figure(width: float, height: float, title: str, below: Iterable[str]) -> Any:
    """Return a figure with room of some height to draw in, under its title and what stands small below that."""
    lines = [line for part in below for line in textwrap.wrap(shown(part), int(width * 13))]
    head = _MARGIN + 0.3 + _LINE * len(lines) + 0.15
    figure = needed("matplotlib.figure", "plots").Figure(figsize=(width, height + head), dpi=110, facecolor="white")
    top = height + head
    left = _MARGIN / width
    figure.text(left, 1 - _MARGIN / top, shown(title), fontsize=13, fontweight="bold", color=_INK, va="top")
    said = "\n".join(lines)
    figure.text(left, 1 - (_MARGIN + 0.3) / top, said, fontsize=_SMALL, color=_FAINT, va="top", linespacing=1.4)
    return figure


def _axes(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Return a place to draw in, without a frame, where nothing but what is drawn takes ink."""
    whole, high = figure.get_size_inches()
    axes = figure.add_axes((left / whole, bottom / high, width / whole, height / high))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=_SMALL, labelcolor=_INK)
    axes.set_axisbelow(True)
    return axes


def _spread(wished: Sequence[float], apart: float) -> list[float]:
    """Return places for labels in the order of those wished, and near them, but no two nearer than `apart`."""
    blocks: list[list[int]] = []

    def start(block: list[int]) -> float:
        return sum(wished[each] for each in block) / len(block) - apart * (len(block) - 1) / 2

    for each in sorted(range(len(wished)), key=lambda place: wished[place]):
        blocks.append([each])
        while len(blocks) > 1 and start(blocks[-2]) + apart * len(blocks[-2]) > start(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    places = {each: start(block) + apart * step for block in blocks for step, each in enumerate(block)}
    return [places[each] for each in range(len(wished))]


# --- flows ------------------------------------------------------------------------------------------------------

_BAR: Final = 0.16
_BETWEEN: Final = 0.12
_LABELS: Final = 2.3


def flows_drawn(comparison: "Comparison") -> Any:
    """Return a figure of visits flowing from coverage before to coverage after; raises ImportError.

    Visits that keep their coverage are pale; those that do not have the colour of what they become.
    """
    title, *below = comparison.sentences()
    figure = _figure(9, 4.6, title.rstrip("."), below)
    tall, wide = 4.6 - 0.75, 9 - 2 * _MARGIN
    axes = _axes(figure, _MARGIN, _MARGIN, wide, tall)
    axes.set(xlim=(0, wide), ylim=(0, tall), xticks=[], yticks=[])
    many = {(before, after): 0 for before in COVERAGE for after in COVERAGE}
    for flow in comparison.flows:
        many[flow.before, flow.after] += flow.visits
    scale = (tall - _BETWEEN * (len(COVERAGE) - 1)) / max(comparison.total, 1)
    before = {each: sum(visits for (from_, _), visits in many.items() if from_ == each) for each in COVERAGE}
    after = {each: sum(visits for (_, to), visits in many.items() if to == each) for each in COVERAGE}
    left, right = _tops(before, scale, tall), _tops(after, scale, tall)
    for (from_, to), visits in many.items():
        if visits:
            ends = left[from_], right[to]
            _ribbon(axes, ends, visits * scale, COLOURS[to], 0.2 if from_ == to else 0.75)
            left[from_] -= visits * scale
            right[to] -= visits * scale
    for words, counts, at, label in (
        ("Before", before, _LABELS, _LABELS - 0.12),
        ("After", after, wide - _LABELS - _BAR, wide - _LABELS + 0.12),
    ):
        side = "right" if words == "Before" else "left"
        axes.text(label, tall + 0.18, words, ha=side, fontsize=_SMALL, fontweight="bold", color=_INK)
        _bars(axes, counts, _tops(counts, scale, tall), scale, at)
        _name(axes, counts, _tops(counts, scale, tall), scale, label, side)
    return figure


def _tops(counts: Mapping[Coverage, int], scale: float, top: float) -> dict[Coverage, float]:
    """Return where the bar of each coverage begins, from the top."""
    tops = {}
    for coverage, visits in counts.items():
        tops[coverage] = top
        top -= visits * scale + (_BETWEEN if visits else 0)
    return tops


def _ribbon(axes: Any, ends: tuple[float, float], thick: float, colour: str, alpha: float) -> None:
    path, patches = needed("matplotlib.path", "plots").Path, needed("matplotlib.patches", "plots")
    x0, x1 = _LABELS + _BAR, axes.get_xlim()[1] - _LABELS - _BAR
    middle = (x0 + x1) / 2
    (y0, y1), (low0, low1) = ends, (ends[0] - thick, ends[1] - thick)
    points = [
        *[(x0, y0), (middle, y0), (middle, y1), (x1, y1)],
        *[(x1, low1), (middle, low1), (middle, low0), (x0, low0), (x0, y0)],
    ]
    codes = [path.MOVETO, *[path.CURVE4] * 3, path.LINETO, *[path.CURVE4] * 3, path.CLOSEPOLY]
    axes.add_patch(patches.PathPatch(path(points, codes), color=colour, alpha=alpha, linewidth=0.4))


def _bars(axes: Any, counts: Mapping[Coverage, int], tops: Mapping[Coverage, float], scale: float, left: float) -> None:
    rectangle = needed("matplotlib.patches", "plots").Rectangle
    for coverage, visits in counts.items():
        if visits:
            corner = (left, tops[coverage] - visits * scale)
            axes.add_patch(rectangle(corner, _BAR, visits * scale, facecolor=COLOURS[coverage], linewidth=0))


def _name(
    axes: Any, counts: Mapping[Coverage, int], tops: Mapping[Coverage, float], scale: float, at: float, side: str
) -> None:
    """Name the bars, with how many visits each is."""
    total = sum(counts.values())
    drawn = [coverage for coverage, visits in counts.items() if visits]
    middles = [tops[coverage] - counts[coverage] * scale / 2 for coverage in drawn]
    for coverage, place in zip(drawn, _spread(middles, 0.42), strict=True):
        said = f"{counts[coverage]:,} ({counts[coverage] / total:.1%})"
        words = {"ha": side, "fontsize": _SMALL}
        axes.text(
            at, place + 0.02, COVERAGE[coverage], va="bottom", color=_WORDS_IN[coverage], fontweight="bold", **words
        )
        axes.text(at, place - 0.02, said, va="top", color=_FAINT, **words)


# --- reasons ----------------------------------------------------------------------------------------------------


def reasons_drawn(comparison: "Comparison") -> Any:
    """Return a figure of the rules because of which visits change, and what these become; raises ImportError."""
    reasons: dict[str, dict[Coverage, int]] = {}
    for flow in comparison.flows:
        if flow.changes:
            become = reasons.setdefault(comparison.reason(flow), dict.fromkeys(COVERAGE, 0))
            become[flow.after] += flow.visits
    rows = sorted(reasons.items(), key=lambda reason: -sum(reason[1].values()))
    title, *below = comparison.sentences()
    if len(rows) > _MOST_REASONS:
        below.append(f"The {_MOST_REASONS} most frequent of {len(rows)} reasons.")
        del rows[_MOST_REASONS:]
    height = 0.9 + 0.42 * max(len(rows), 1)
    figure = _figure(9, height, title.rstrip("."), below)
    axes = _axes(figure, 3.4, _MARGIN, 9 - 3.4 - 0.9, height - 0.75)
    axes.set(ylim=(max(len(rows), 1) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(rows)), [textwrap.fill(shown(reason), 44) for reason, _ in rows])
    for place, (_, become) in enumerate(rows):
        begin = 0
        for coverage, visits in become.items():
            if visits:
                axes.barh(place, visits, left=begin, height=0.66, color=COLOURS[coverage])
                begin += visits
        _beside(axes, f"{begin:,}", (begin, place), (5, 0), va="center", color=_INK)
    if rows:
        _key(figure, [each for each in COVERAGE if any(become[each] for _, become in rows)], _MARGIN, height - 0.2)
    return figure


def _key(figure: Any, coverages: Iterable[Coverage], left: float, bottom: float) -> None:
    """Say in one line which colour is what visits become."""
    wide, high = figure.get_size_inches()
    figure.text(left / wide, bottom / high, "They become", fontsize=_SMALL, color=_FAINT)
    left += 1
    for coverage in coverages:
        for said, colour, width in (("■", COLOURS, 0.17), (COVERAGE[coverage], _WORDS_IN, 0.0)):
            place = (left / wide, bottom / high)
            figure.text(*place, said, fontsize=_SMALL, color=colour[coverage], fontweight="bold")
            left += width
        left += 0.25 + 0.082 * len(COVERAGE[coverage])


# --- sweeps -----------------------------------------------------------------------------------------------------


def sweep_drawn(sweep: "Sweep") -> Any:
    """Return a figure of a sweep: curves over one fact, a heat map over two.

    Raises ValueError where it is over more, and ImportError.
    """
    if len(sweep.facts) > 2:
        raise ValueError(f"a figure shows one fact or two, and this sweep varies {len(sweep.facts)}: see to_frame()")
    return _curves(sweep) if len(sweep.facts) == 1 else _heat_map(sweep)


def _curves(sweep: "Sweep") -> Any:
    """Return the share of each coverage, and the units covered below, over the values of one fact."""
    label = sweep.facts[0].label
    height = 5.6
    figure = _figure(8.5, height, f"Coverage by {label}", sweep.sentences())
    at, said = _ticks(sweep)
    foot, low = 0.65 + _LINE * max(each.count("\n") + 1 for each in said), 1.3
    shares = _axes(figure, 0.9, foot + low + 0.55, 5.6, height - foot - low - 0.85)
    units = _axes(figure, 0.9, foot, 5.6, low)
    for axes, name in ((shares, "Share of visits"), (units, "Units covered")):
        axes.grid(axis="y", color=_GRID, linewidth=0.8)
        axes.set_title(name, loc="left", fontsize=_SMALL, color=_FAINT, pad=8)
    shares.set(ylim=(0, 1), xticks=[], yticks=[0, 0.25, 0.5, 0.75, 1], xlim=_wider(at))
    shares.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    _draw_shares(shares, at, sweep.points)
    covered = [point.units_covered for point in sweep.points]
    units.set(ylim=(0, max(*covered, 1) * 1.25), yticks=[0], xlim=_wider(at))
    units.set_xticks(at, said)
    units.set_xlabel(_axis(sweep, 0), fontsize=_SMALL, color=_INK)
    units.plot(at, covered, color=_INK, **_CURVE)
    for place, many in zip(at, covered, strict=True):
        _beside(units, f"{many:,}", (place, many), (0, 7), ha="center", color=_INK)
    return figure


_CURVE: Final = {"linewidth": 2.2, "marker": "o", "markersize": 5, "clip_on": False}


def _ticks(sweep: "Sweep") -> tuple[list[int], list[str]]:
    """Return where the values of the first fact stand, and what they are called.

    Numbers stand where they are, unless they come in another order or too near to be told apart.
    """
    values = [point.values[sweep.facts[0].path] for point in sweep.points]
    said = [textwrap.fill(sweep.words(point)[0], 16) for point in sweep.points]
    if all(type(value) is int for value in values) and len(values) > 1:
        apart = min(more - less for less, more in pairwise(values))
        if apart > (values[-1] - values[0]) * 0.05:
            return values, said
    return [*range(len(values))], said


def _wider(at: Sequence[int]) -> tuple[float, float]:
    """Return the ends of an axis on which all of this stands."""
    edge = (at[-1] - at[0]) * 0.05 or 0.5
    return at[0] - edge, at[-1] + edge


def _draw_shares(axes: Any, at: Sequence[int], points: Sequence["Point"]) -> None:
    """Draw a curve for each coverage there is, and name it where it ends."""
    lines = {coverage: [_share(point, coverage) for point in points] for coverage in COVERAGE}
    lines = {coverage: line for coverage, line in lines.items() if any(line)}
    names = _spread([line[-1] for line in lines.values()], 0.085)
    for (coverage, line), place in zip(lines.items(), names, strict=True):
        axes.plot(at, line, color=COLOURS[coverage], **_CURVE)
        said = f"{COVERAGE[coverage]} {line[-1]:.0%}"
        _beside(axes, said, (at[-1], place), (12, 0), va="center", color=_WORDS_IN[coverage], fontweight="bold")


def _beside(axes: Any, text: str, place: tuple[float, float], by: tuple[float, float], **how: Any) -> None:
    """Write something so many points beside a place."""
    axes.annotate(text, place, by, textcoords="offset points", fontsize=_SMALL, annotation_clip=False, **how)


def _share(point: "Point", coverage: Coverage) -> float:
    return point.visits[coverage] / point.total if point.total else 0


def _axis(sweep: "Sweep", place: int) -> str:
    label = sweep.facts[place].label
    return label[:1].upper() + label[1:]


def _heat_map(sweep: "Sweep") -> Any:
    """Return the share of visits covered in full, and the units covered, at every point of the values of two facts."""
    mesh = needed("matplotlib.colors", "plots").LinearSegmentedColormap.from_list("", ["#f4f8fb", COLOURS["covered"]])
    rows = list(dict.fromkeys(sweep.words(point)[0] for point in sweep.points))
    columns = list(dict.fromkeys(sweep.words(point)[1] for point in sweep.points))
    beside = [textwrap.fill(each, 24) for each in rows]
    below = [textwrap.fill(each, 14) for each in columns]
    wide, tall = max(1.15 * len(columns), 4.5), 0.75 * len(rows)
    names = 0.9 + 0.08 * max(len(line) for each in beside for line in each.split("\n"))
    foot = 0.65 + _LINE * max(each.count("\n") + 1 for each in below)
    title = f"Visits covered in full, of {sweep.points[0].total:,}, and units covered"
    figure = _figure(wide + names + _MARGIN, tall + foot, title, [sweep.ruleset.title])
    axes = _axes(figure, names, foot, wide, tall)
    shares = {sweep.words(point): _share(point, "covered") for point in sweep.points}
    highest = max(*shares.values(), 0.01)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xticks(range(len(columns)), below)
    axes.set_yticks(range(len(rows)), beside)
    axes.set_xlabel(_axis(sweep, 1), fontsize=_SMALL)
    axes.set_ylabel(_axis(sweep, 0), fontsize=_SMALL)
    rectangle = needed("matplotlib.patches", "plots").Rectangle
    for point in sweep.points:
        share = shares[sweep.words(point)]
        x, y = columns.index(sweep.words(point)[1]), rows.index(sweep.words(point)[0])
        axes.add_patch(rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=mesh(share / highest), linewidth=0))
        ink = "white" if share / highest > 0.6 else _INK
        axes.text(x, y - 0.1, f"{share:.0%}", ha="center", va="center", fontsize=12, fontweight="bold", color=ink)
        axes.text(x, y + 0.24, f"{point.units_covered:,} units", ha="center", va="center", fontsize=8, color=ink)
    return figure

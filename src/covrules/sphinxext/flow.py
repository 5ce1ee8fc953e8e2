"""A picture of a ruleset: stage after stage, layer under layer, what is looked at, and which rules waive which."""

import html
from collections.abc import Iterator
from typing import Final

import attrs

from covrules.facts import OWN
from covrules.outlines import many
from covrules.rule import LAYERS, STAGES, Layer, Rule, Stage
from covrules.rulesets import Ruleset
from covrules.sphinxext.catalogue import key_of

RULE_ADDRESS: Final = "covrules-rule:"
"""What the address of a rule's page begins with, until it is known where that page is."""

_MARKS: Final = {"unmet": "●", "capped": "▼", "waives": "→", "advised": "◆"}
_KINDS: Final = {"unmet": "requirement", "capped": "cap", "waives": "waiver", "advised": "advice"}
_LINE: Final = 17
_SMALL: Final = 13
_GAP: Final = 10
_PAD: Final = 8
_TRACK: Final = 5
_MARK: Final = 18
_CHARACTER: Final = 7.3
_BOLD: Final = 8.1
"""About how wide a character of the text is, and one in bold."""


def kind_of(rule: Rule) -> str:
    """Return in a word what a rule is: a requirement, a cap, a waiver or advice."""
    return _KINDS[rule.concludes]


def in_words(ruleset: Ruleset) -> list[str]:
    """Return what the picture shows, a sentence each."""
    said = []
    for stage in STAGES:
        rules = [rule for rule in ruleset.rules if rule.stage == stage]
        if rules:
            layers = (
                f"{many(number, 'rule')} of the layer {layer}"
                for layer in LAYERS
                if (number := sum(rule.layer == layer for rule in rules))
            )
            said.append(f"Once the visit is {stage}: {', '.join(layers)}.")
    for rule in ruleset.rules:
        if rule.waives is not None:
            waived = ", ".join(each.title for each in ruleset.waived_by(rule)) or "nothing that is left"
            said.append(f"“{rule.title}” waives: {waived}.")
    return said


def picture(ruleset: Ruleset, columns: int, width: int) -> str:
    """Return the picture as SVG, so many columns in so many pixels; the text in it is 13 pixels high.

    Rules are links whose addresses are `RULE_ADDRESS` and their keys.
    """
    return _Picture(ruleset, columns, width).drawn()


def looked_at(rule: Rule) -> str:
    """Return the group of the first fact that a rule tests which is not the plan's, or the plan's if all are.

    What a ruleset declares for itself comes last but for the plan.
    """
    groups = [path.partition(".")[0] for path in rule.facts]
    others = [group for group in groups if group not in ("plan", OWN)]
    return next(iter([*others, *[group for group in groups if group == OWN]]), "plan")


@attrs.frozen
class _Card:
    """Rules of a stage and a layer that look at the same group of facts, with the lines of their titles."""

    title: str
    rules: tuple[tuple[Rule, tuple[str, ...]], ...]

    @property
    def height(self) -> float:
        return _PAD + _LINE + sum(_LINE * len(lines) + 3 for _, lines in self.rules) + _PAD - 3


class _Picture:
    """Draws from the top to the bottom."""

    def __init__(self, ruleset: Ruleset, columns: int, width: int) -> None:
        self.ruleset = ruleset
        self.waivers = [rule for rule in ruleset.rules if rule.waives is not None and ruleset.waived_by(rule)]
        self.gutter = _GAP + _TRACK * len(self.waivers) + (6 if self.waivers else 0)
        self.columns, self.width = columns, width
        self.column = (width - columns * self.gutter - 2 * _GAP) / columns
        self.parts: list[str] = []
        self.arrows: list[str] = []
        self.y = 0.0
        self.channels: dict[Stage, float] = {}
        self.places: dict[str, tuple[int, float]] = {}
        """The column of each rule and how far down it is, by its id."""

    def drawn(self) -> str:
        stages = [stage for stage in STAGES if any(rule.stage == stage for rule in self.ruleset.rules)]
        for stage in stages:
            self.stage(stage)
        self.end()
        for track, waiver in enumerate(self.waivers):
            self.waiver(track, waiver)
        title = f"<title>The flow of {html.escape(self.ruleset.title)}</title>"
        words = f"<desc>{html.escape(' '.join(in_words(self.ruleset)))}</desc>"
        size = f'viewBox="0 0 {self.width} {self.y:.0f}" width="{self.width}" height="{self.y:.0f}"'
        body = "\n".join([title, words, *self.parts, *self.arrows])
        return f'<svg class="covrules-flow" role="group" {size} xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>'

    def stage(self, stage: Stage) -> None:
        rules = [rule for rule in self.ruleset.rules if rule.stage == stage]
        self.band(f"The visit is {stage}", many(len(rules), "rule"))
        if any(waiver.stage == stage for waiver in self.waivers):
            self.channels[stage] = self.y
            self.y += _TRACK * len(self.waivers) + 4
        for layer in LAYERS:
            of_layer = [rule for rule in rules if rule.layer == layer]
            if of_layer:
                self.layer(layer, of_layer)
        self.down()

    def band(self, said: str, small: str = "") -> None:
        """Draw a band across with words in it."""
        x, height = _GAP, 28
        self.parts.append(
            f'<rect class="flow-band" x="{x}" y="{self.y}" width="{self.width - 2 * _GAP}" height="{height}"/>'
        )
        self.text(x + 12, self.y + 19, said, "strong")
        if small:
            self.text(self.width - _GAP - 12, self.y + 19, small, "end")
        self.y += height + 8

    def down(self) -> None:
        """Draw the arrow from a stage to what comes next."""
        middle = self.width / 2
        path = f"M{middle - 9:.1f} {self.y + 2:.1f} h18 l-9 9 z"
        self.parts.append(f'<path class="flow-down" d="{path}"/>')
        self.y += 19

    def end(self) -> None:
        clinics = any(rule.decides and rule.layer == "clinic" for rule in self.ruleset.rules)
        said = ("The verdict: what the insurer owes", "The verdict: what is owed")[self.columns == 1]
        self.band(f"{said}{', and whether the clinic takes it' if clinics and self.columns > 1 else ''}")
        self.legend()

    def legend(self) -> None:
        kinds = dict.fromkeys(rule.concludes for rule in self.ruleset.rules)
        said = "   ".join(f"{_MARKS[kind]} {_KINDS[kind]}" for kind in _MARKS if kind in kinds)
        self.text(_GAP, self.y + 8, said, "label")
        if len({rule.origin for rule in self.ruleset.rules}) > 1:
            self.y += _LINE
            self.text(_GAP, self.y + 8, "in bold: defined by this ruleset itself", "label")
        self.y += _LINE

    def layer(self, layer: Layer, rules: list[Rule]) -> None:
        cards = self.cards(rules)
        top, start = self.y, self.y + _LINE + 6
        columns = _spread([card.height + _GAP for card in cards], self.columns)
        bottom = start
        for place, numbers in enumerate(columns):
            y = start
            for number in numbers:
                self.card(place, y, cards[number])
                y += cards[number].height + _GAP
            bottom = max(bottom, y)
        frame = f'x="{_GAP / 2}" y="{top}" width="{self.width - _GAP}" height="{bottom - top:.1f}"'
        self.parts.insert(self.frames(), f'<rect class="flow-lane" {frame}/>')
        self.text(_GAP / 2 + self.gutter, top + _LINE, f"Layer: {layer}", "label")
        self.y = bottom + 8

    def frames(self) -> int:
        """Return how many frames there are, which are drawn before all else."""
        return sum('class="flow-lane"' in part for part in self.parts)

    def cards(self, rules: list[Rule]) -> list[_Card]:
        groups: dict[str, list[Rule]] = {}
        for rule in rules:
            groups.setdefault(looked_at(rule), []).append(rule)
        return [
            _Card(
                "own facts" if group == OWN else group,
                tuple((rule, tuple(_wrapped(rule.title, self.room(rule)))) for rule in of_group),
            )
            for group, of_group in groups.items()
        ]

    def room(self, rule: Rule) -> int:
        """Return how many characters of a rule's title there is room for."""
        wide = _BOLD if rule.origin == self.ruleset.id else _CHARACTER
        return int((self.column - 2 * _PAD - _MARK) / wide)

    def card(self, place: int, y: float, card: _Card) -> None:
        x = _GAP / 2 + self.gutter + place * (self.column + self.gutter)
        frame = f'x="{x:.1f}" y="{y:.1f}" width="{self.column:.1f}" height="{card.height:.1f}"'
        self.parts.append(f'<rect class="flow-card" {frame}/>')
        self.text(x + _PAD, y + _PAD + 10, card.title, "label")
        y += _PAD + _LINE
        for rule, lines in card.rules:
            self.places[rule.id] = (place, y + 9)
            self.rule(x + _PAD, y, rule, lines)
            y += _LINE * len(lines) + 3

    def rule(self, x: float, y: float, rule: Rule, lines: tuple[str, ...]) -> None:
        own = "own" if rule.origin == self.ruleset.id else "inherited"
        rows = "".join(
            f'<tspan x="{x + _MARK:.1f}" y="{y + _SMALL + number * _LINE:.1f}">{html.escape(line)}</tspan>'
            for number, line in enumerate(lines)
        )
        mark = f'<tspan class="flow-mark" x="{x:.1f}" y="{y + _SMALL:.1f}">{_MARKS[rule.concludes]}</tspan>'
        said = f"<title>{html.escape(f'{kind_of(rule)}: {rule.title} ({key_of(rule)})')}</title>"
        address = html.escape(f"{RULE_ADDRESS}{key_of(rule)}")
        self.parts.append(f'<a href="{address}"><text class="flow-{own}">{said}{mark}{rows}</text></a>')

    def text(self, x: float, y: float, said: str, sort: str) -> None:
        self.parts.append(f'<text class="flow-{sort}" x="{x:.1f}" y="{y:.1f}">{html.escape(said)}</text>')

    # --- arrows -------------------------------------------------------------------------------------------------

    def lane(self, place: int, track: int) -> float:
        """Return where in the gutter before a column the arrows of a waiver run."""
        return _GAP + 2 + place * (self.column + self.gutter) + track * _TRACK

    def waiver(self, track: int, waiver: Rule) -> None:
        place, y = self.places[waiver.id]
        here = self.lane(place, track)
        lines, heads = [], []
        for waived in self.ruleset.waived_by(waiver):
            other, end = self.places[waived.id]
            there = self.lane(other, track)
            edge = _GAP / 2 + self.gutter + other * (self.column + self.gutter)
            start = _GAP / 2 + self.gutter + place * (self.column + self.gutter)
            across = "" if other == place else f" V{self.channels[waiver.stage] + track * _TRACK:.1f} H{there:.1f}"
            lines.append(f"M{start:.1f} {y:.1f} H{here:.1f}{across} V{end:.1f} H{edge - 1:.1f}")
            heads.append(f"M{edge:.1f} {end:.1f} l-6 -3.5 v7 z")
        self.arrows.append(f'<path class="flow-arrow" d="{" ".join(lines)}"/>')
        self.arrows.append(f'<path class="flow-head" d="{" ".join(heads)}"/>')


def _spread(heights: list[float], columns: int) -> Iterator[list[int]]:
    """Yield, for each column, which of the things of these heights stand in it, so that none is much longer."""
    numbers: list[list[int]] = [[] for _ in range(columns)]
    filled = [0.0] * columns
    for number in sorted(range(len(heights)), key=lambda number: -heights[number]):
        place = min(range(columns), key=filled.__getitem__)
        numbers[place].append(number)
        filled[place] += heights[number]
    # What comes first in the file is to be read first.
    return iter(sorted(sorted(each) for each in numbers if each))


def _wrapped(text: str, room: int) -> Iterator[str]:
    """Yield the lines of a text; a word that is too long for one has it for itself."""
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line

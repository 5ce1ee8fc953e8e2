"""What a ruleset takes over from those it extends, and where two of these say different things."""

from collections.abc import Iterator
from typing import TypeVar

import attrs

from covrules.declaring import Fact
from covrules.rule import LAYERS, Disabled, Rule
from covrules.rulesets import EVER, Fixed, Period, Ruleset

Entry = TypeVar("Entry", Rule | Disabled, Fixed, Fact)


@attrs.define
class Inheritance:
    """The rules by id in order (those left out included), the facts fixed and declared, the days all are in force."""

    parents: list[Ruleset] = attrs.field(factory=list)
    rules: dict[str, Rule | Disabled] = attrs.field(factory=dict)
    fixed: dict[str, Fixed] = attrs.field(factory=dict)
    declares: dict[str, Fact] = attrs.field(factory=dict)
    effective: Period = EVER

    def settle(self) -> list[tuple[str, str]]:
        """Take over from all parents; return what they say differently, each with the id of the later one."""
        entries: list[dict[str, Rule | Disabled]] = [
            {rule.id: rule for rule in parent.rules} | {left.rule.id: left for left in parent.disabled}
            for parent in self.parents
        ]
        self.rules, differing = _joined(self.parents, entries)
        self.fixed, more = _joined(self.parents, [dict(parent.fixed) for parent in self.parents])
        self.declares, last = _joined(self.parents, [dict(parent.declares) for parent in self.parents])
        return [*differing, *more, *last]


def _joined(parents: list[Ruleset], entries: list[dict[str, Entry]]) -> tuple[dict[str, Entry], list[tuple[str, str]]]:
    joined, differing = {}, []
    for name in dict.fromkeys(name for each in entries for name in each):
        written = [(parent, each[name]) for parent, each in zip(parents, entries, strict=True) if name in each]
        chosen = _chosen([entry for _, entry in written])
        if chosen is None:
            (first, one), *others = written
            parent, other = next((parent, entry) for parent, entry in others if entry != one)
            said = f"{first.id} and {parent.id} {_deed(one, other)} {name} differently{_places(one, other)}"
            differing.append((parent.id, said))
        joined[name] = chosen or written[0][1]
    return joined, differing


def _chosen(entries: list[Entry]) -> Entry | None:
    """Return the entry that stands in the place of all others; None where two differ and neither knew of the other."""
    for entry in entries:
        same = [other for other in entries if other == entry]
        replaced = [older for other in same for older in _older(other)]
        if all(other == entry or other in replaced for other in entries):
            return max(same, key=lambda each: len(list(_older(each))))
    return None


def _older(entry: Rule | Disabled | Fixed | Fact | None) -> Iterator[Rule | Disabled | Fixed]:
    while entry is not None and not isinstance(entry, Fact):
        entry = entry.rule if isinstance(entry, Disabled) else entry.replaces
        if entry is not None:
            yield entry


def _deed(*entries: Rule | Disabled | Fixed | Fact) -> str:
    kinds = {type(entry) for entry in entries}
    return "fix" if Fixed in kinds else "declare" if Fact in kinds else "treat" if Disabled in kinds else "define"


def _places(*entries: Rule | Disabled | Fixed | Fact) -> str:
    places = [str(entry.place) for entry in entries if not isinstance(entry, Fact)]
    return f" ({' and '.join(places)})" if places else ""


def may_replace(rule: Rule, old: Rule) -> bool:
    """Return whether a rule may stand in the place of another: its layer is the same or higher."""
    return LAYERS.index(rule.layer) <= LAYERS.index(old.layer)


def why_not_waived(waiver: Rule, rule: Rule) -> str | None:
    """Return why a waiver cannot excuse a rule, or None where it can."""
    if rule.waives is not None:
        return f"{rule.id} is a waiver itself"
    if rule.advises is not None:
        return f"{rule.id} is advice, which asks for nothing"
    if LAYERS.index(waiver.layer) > LAYERS.index(rule.layer):
        return f"{rule.id} is of the layer {rule.layer}, above {waiver.id} ({waiver.layer})"
    return None

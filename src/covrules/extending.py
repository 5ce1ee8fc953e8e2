"""What a ruleset takes over from those it extends, and where two of these say different things."""

from collections.abc import Iterator
from typing import TypeVar

import attrs

from covrules.declaring import Fact
from covrules.rule import LAYERS, Disabled, Rule
from covrules.rulesets import EVER, Fixed, Period, Ruleset, Version

Entry = TypeVar("Entry", Rule | Disabled, Fixed, Fact)


@attrs.define
class Inheritance:
    """The rules by id in order (those left out included), the facts fixed and declared, the days all are in force."""

    rules: dict[str, Rule | Disabled] = attrs.field(factory=dict)
    fixed: dict[str, Fixed] = attrs.field(factory=dict)
    declares: dict[str, Fact] = attrs.field(factory=dict)
    effective: Period | None = EVER
    versions: dict[Version, None] = attrs.field(factory=dict)

    def add(self, parent: Ruleset) -> list[str]:
        """Take over from one more ruleset; return what it says otherwise than those before, and keep that out."""
        entries: dict[str, Rule | Disabled] = {rule.id: rule for rule in parent.rules}
        entries |= {left_out.rule.id: left_out for left_out in parent.disabled}
        differing = _join(self.rules, entries, parent)
        differing += _join(self.fixed, dict(parent.fixed), parent)
        differing += _join(self.declares, dict(parent.declares), parent)
        self.versions |= dict.fromkeys(parent.versions)
        if self.effective is not None:
            self.effective = self.effective.meet(parent.effective)
        return differing


def _join(known: dict[str, Entry], more: dict[str, Entry], parent: Ruleset) -> list[str]:
    differing = []
    for name, entry in more.items():
        chosen = _later(known[name], entry) if name in known else entry
        if chosen is None:
            differing.append(f"{parent.id} and {_writer(known[name])} {_deed(known[name], entry)} {name} differently")
        else:
            known[name] = chosen
    return differing


def _later(one: Entry, other: Entry) -> Entry | None:
    """Return the entry that knew of the other; None where neither did and they differ."""
    if one == other or any(older == other for older in _older(one)):
        return one
    return other if any(older == one for older in _older(other)) else None


def _older(entry: Rule | Disabled | Fixed | Fact | None) -> Iterator[Rule | Disabled | Fixed]:
    while entry is not None and not isinstance(entry, Fact):
        entry = entry.rule if isinstance(entry, Disabled) else entry.replaces
        if entry is not None:
            yield entry


def _writer(entry: Rule | Disabled | Fixed | Fact) -> str:
    return "another that is extended" if isinstance(entry, Fact) else entry.origin


def _deed(*entries: Rule | Disabled | Fixed | Fact) -> str:
    kinds = {type(entry) for entry in entries}
    return "fix" if Fixed in kinds else "declare" if Fact in kinds else "treat" if Disabled in kinds else "define"


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

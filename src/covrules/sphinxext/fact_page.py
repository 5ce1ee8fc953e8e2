"""The page of a fact: its meaning, its values, who can say it, and the rules that test it; and the list of all."""

from collections.abc import Iterator
from typing import Final

from docutils import nodes

from covrules.declaring import Fact
from covrules.facts import OWN
from covrules.frames.columns import held_by
from covrules.kinds import Enum, SetOf
from covrules.showing import fixed_words
from covrules.sphinxext.building import (
    Made,
    Said,
    Target,
    bullets,
    fields,
    joined,
    paragraph,
    reference,
    rule_link,
    section,
    source,
    table,
)
from covrules.sphinxext.catalogue import Catalogue

_LONG: Final = 20
"""Of how many words a list is still shown within a field."""


def fact_page(catalogue: Catalogue, path: str) -> Made:
    """Return what is told of a fact; raises KeyError where there is none of this path."""
    declared = catalogue.facts[path]
    id = nodes.make_id(f"fact-{path}")
    (first, _), *_ = declared
    page = section(
        id,
        path,
        [node for fact, by in declared for node in _declared(catalogue, fact, by)],
        _values(first, id),
        _testers(catalogue, path, id),
        _fixing(catalogue, path, id),
    )
    return Made(page, (Target("fact", path, id, first.label),))


def _declared(catalogue: Catalogue, fact: Fact, by: tuple[str, ...]) -> Iterator[nodes.Node]:
    yield paragraph(f"{fact.label[:1].upper()}{fact.label[1:]}.", classes=["covrules-lead"])
    derived = joined(reference("fact", source) for source in fact.derived_from)
    yield fields(
        [
            ("Question", fact.ask),
            ("Who can answer", f"the {fact.who}" if fact.ask else ""),
            ("Type", fact.kind.name),
            ("Values", fact.kind.expected),
            ("Counted in", fact.unit or ""),
            ("Worked out from", [*derived, ", unless it is given itself"] if derived else ""),
            (
                "Others worked out from it",
                joined(reference("fact", path) for path in catalogue.derived_from(fact.path)),
            ),
            ("Column of a frame", f"{held_by(fact)}; null where it is unknown"),
            ("Declared by", joined(reference("ruleset", ruleset) for ruleset in by)),
            ("Tested by rules", "" if fact.testable else "never: it names something, and says nothing of it"),
        ]
    )


def _values(fact: Fact, id: str) -> list[nodes.Node]:
    """Return the words of a long list, of which the field of the values shows but the first."""
    kind = fact.kind.of if isinstance(fact.kind, SetOf) else fact.kind
    if not isinstance(kind, Enum) or len(kind.values) <= _LONG:
        return []
    words = joined(nodes.literal("", value) for value in kind.values)
    return [section(f"{id}-values", "All values", paragraph(words))]


def _testers(catalogue: Catalogue, path: str, id: str) -> nodes.Node:
    keys = catalogue.testers.get(path, ())
    said: list[Said] = [[rule_link(catalogue.rule(key).rule), " ", nodes.literal("", key)] for key in keys]
    none = paragraph("No rule tests it.")
    return section(f"{id}-rules", "Rules that test it", bullets(said) or none)


def _fixing(catalogue: Catalogue, path: str, id: str) -> list[nodes.Node]:
    rows: list[list[Said]] = [
        [reference("ruleset", fixed.origin), fixed_words(fixed), joined((source(read) for read in fixed.cites), "; ")]
        for fixed in catalogue.fixing(path)
    ]
    return [section(f"{id}-fixed", "Rulesets that fix it", table(["ruleset", "value", "source"], rows))] if rows else []


def facts_page(catalogue: Catalogue) -> Made:
    """Return the list of all facts, by their groups."""
    groups: dict[str, list[list[Said]]] = {}
    for path, declared in catalogue.facts.items():
        (fact, by), *_ = declared
        rules = str(len(catalogue.testers.get(path, ())))
        of: list[Said] = [" (", *joined(reference("ruleset", ruleset) for ruleset in by), ")"] if by else []
        row: list[Said] = [reference("fact", path), [fact.label, *of], fact.kind.name, fact.who, rules]
        groups.setdefault(fact.group, []).append(row)
    head = ["fact", "what it is", "type", "who can say", "rules"]
    sections = [
        section(f"covrules-facts-{group}", "facts of rulesets’ own" if group == OWN else group, table(head, rows))
        for group, rows in groups.items()
    ]
    return Made(section("covrules-facts", "Facts", *sections))

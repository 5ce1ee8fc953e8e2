"""The page of a ruleset: what it is and fixes, its flow as a picture, its rules in a table; and the list of all."""

from collections.abc import Iterable, Iterator

from docutils import nodes

from covrules.rule import Rule, Source
from covrules.rulesets import Fixed, Ruleset
from covrules.showing import IN_BRIEF, fixed_words, in_brief, sentences_of
from covrules.sphinxext.building import (
    Made,
    Said,
    Target,
    bullets,
    citing,
    denial_links,
    drawing,
    fields,
    joined,
    numbered,
    paragraph,
    pieces,
    reference,
    rule_link,
    section,
    table,
)
from covrules.sphinxext.catalogue import Catalogue, replaced_by
from covrules.sphinxext.flow import in_words, kind_of, picture

_WIDE: dict[str, int] = {"columns": 3, "width": 700}
_NARROW: dict[str, int] = {"columns": 1, "width": 340}


def ruleset_page(catalogue: Catalogue, ruleset_id: str) -> Made:
    """Return what is told of a ruleset; raises KeyError where there is none of this id."""
    ruleset = catalogue.rulesets[ruleset_id]
    id = nodes.make_id(f"ruleset-{ruleset_id}")
    page = section(
        id,
        ruleset.title,
        _in_brief(catalogue, ruleset),
        _versions(catalogue, ruleset, id),
        _fixes(ruleset, id),
        _declares(ruleset, id),
        section(f"{id}-flow", "How it goes", *_flow(ruleset)),
        _rules(ruleset, id),
        _left_out(ruleset, id),
        _sources(ruleset, id),
    )
    return Made(page, (Target("ruleset", ruleset_id, id, ruleset.title),))


def _in_brief(catalogue: Catalogue, ruleset: Ruleset) -> nodes.Node:
    extending = [id for id, other in catalogue.rulesets.items() if ruleset.id in other.extends]
    said: dict[str, Said] = dict(zip(IN_BRIEF, in_brief(ruleset), strict=True))
    own = sum(rule.origin == ruleset.id for rule in ruleset.rules)
    return fields(
        [
            ("Ruleset", nodes.literal("", ruleset.id)),
            ("Version", said["version"]),
            ("Payer", said["payer"]),
            ("Status", said["status"]),
            ("In force", said["in force"]),
            ("Extends", joined(reference("ruleset", parent) for parent in ruleset.extends)),
            ("Extended by", joined(reference("ruleset", other) for other in extending)),
            ("Rules", f"{len(ruleset.rules)}, {own or 'none'} of them its own"),
            ("Defined in", nodes.literal("", str(ruleset.place))),
        ]
    )


def _versions(catalogue: Catalogue, ruleset: Ruleset, id: str) -> list[nodes.Node]:
    """Return which versions there are, each with its rules and with what is fixed otherwise than in the one before."""
    versions = catalogue.versions[ruleset.id]
    if len(versions) == 1:
        return []
    rows: list[list[Said]] = []
    for number, each in enumerate(versions):
        older = versions[number - 1] if number else None
        rows.append([each.version, str(each.effective), str(len(each.rules)), joined(_otherwise(older, each), "; ")])
    return [section(f"{id}-versions", "Versions", table(["version", "in force", "rules", "what it changes"], rows))]


def _otherwise(older: Ruleset | None, newer: Ruleset) -> Iterator[Said]:
    if older is None:
        return
    before = {rule.id: rule for rule in older.rules}
    for rule in newer.rules:
        if before.get(rule.id) != rule:
            yield [rule_link(rule), " is new" if rule.id not in before else " is otherwise"]
    for id in before.keys() - {rule.id for rule in newer.rules}:
        yield [before[id].title, " is gone"]
    for path in dict.fromkeys([*older.fixed, *newer.fixed]):
        one, other = older.fixed.get(path), newer.fixed.get(path)
        if one != other:
            yield [reference("fact", path), f": {_fixed_words(one)}, now {_fixed_words(other)}"]


def _fixed_words(fixed: Fixed | None) -> str:
    return "not fixed" if fixed is None else fixed_words(fixed)


def _fixes(ruleset: Ruleset, id: str) -> list[nodes.Node]:
    rows: list[list[Said]] = []
    for path, fixed in ruleset.fixed.items():
        inherited: list[Said] = (
            [] if fixed.origin == ruleset.id else [" (fixed by ", reference("ruleset", fixed.origin), ")"]
        )
        replaced = [] if fixed.replaces is None else [f", in the place of {fixed_words(fixed.replaces)}"]
        cites = citing(fixed.cites, _read(ruleset), id)
        rows.append([reference("fact", path), [fixed_words(fixed), *replaced, *inherited], cites])
    return [section(f"{id}-fixed", "What it fixes", table(["fact", "value", "source"], rows))] if rows else []


def _declares(ruleset: Ruleset, id: str) -> list[nodes.Node]:
    rows: list[list[Said]] = [
        [reference("fact", path), fact.kind.name, fact.ask or fact.label] for path, fact in ruleset.declares.items()
    ]
    return [section(f"{id}-declared", "Facts of its own", table(["fact", "type", "question"], rows))] if rows else []


def _flow(ruleset: Ruleset) -> Iterator[nodes.Node]:
    """Yield the picture of the flow: one for wide windows and one for narrow ones, of which either is shown."""
    if not ruleset.rules:
        yield paragraph("There is no rule in it.")
        return
    shapes = (("wide", _WIDE), ("narrow", _NARROW))
    drawings = (f'<div class="covrules-{name}">{picture(ruleset, **shape)}</div>' for name, shape in shapes)
    markup = f'<div class="covrules-picture">{"".join(drawings)}</div>'
    yield drawing(markup, *bullets(in_words(ruleset)))


# --- the rules ------------------------------------------------------------------------------------------------------


def _rules(ruleset: Ruleset, id: str) -> Iterator[nodes.Node]:
    own = [rule for rule in ruleset.rules if rule.origin == ruleset.id]
    if own:
        yield section(f"{id}-rules", "Rules of its own", _table(ruleset, own))
    for origin in dict.fromkeys(rule.origin for rule in ruleset.rules if rule.origin != ruleset.id):
        rules = [rule for rule in ruleset.rules if rule.origin == origin]
        title: list[Said] = ["Inherited from ", reference("ruleset", origin)]
        yield section(f"{id}-from-{origin}", title, _table(ruleset, rules))


def _table(ruleset: Ruleset, rules: Iterable[Rule]) -> nodes.Node:
    return table(
        ["rule", "kind", "what it says", "denies with"], (_row(ruleset, rule) for rule in rules), "covrules-rules"
    )


def _row(ruleset: Ruleset, rule: Rule) -> list[Said]:
    older = replaced_by(rule)
    replaced: list[Said] = [] if older is None else [", in the place of ", rule_link(older, f"that of {older.origin}")]
    said: list[Said] = [pieces(sentence) for sentence in sentences_of(ruleset, rule)]
    waivers = joined(rule_link(waiver) for waiver in ruleset.waivers(rule))
    if waivers:
        said.append(["Waived by ", *waivers, "."])
    return [
        [rule_link(rule), *replaced],
        kind_of(rule) if rule.layer == "plan" else f"{kind_of(rule)} ({rule.layer})",
        joined(said, " "),
        joined((denial_links(denial) for denial in rule.denial), "; "),
    ]


def _left_out(ruleset: Ruleset, id: str) -> list[nodes.Node]:
    said: list[Said] = [
        [rule_link(left.rule), ", left out by ", reference("ruleset", left.origin), f" ({left.place})"]
        for left in ruleset.disabled
    ]
    return [section(f"{id}-left-out", "Rules left out", bullets(said))] if said else []


def _sources(ruleset: Ruleset, id: str) -> list[nodes.Node]:
    read = _read(ruleset)
    return [section(f"{id}-sources", "Sources", numbered(read, id))] if read else []


def _read(ruleset: Ruleset) -> list[Source]:
    """Return what was read for the ruleset, and for what it takes over of what others fix."""
    taken = [source for fixed in ruleset.fixed.values() for source in fixed.cites]
    return list(dict.fromkeys([*ruleset.sources, *taken]))


def rulesets_page(catalogue: Catalogue) -> Made:
    """Return the list of all rulesets."""
    rows: list[list[Said]] = []
    for id, ruleset in catalogue.rulesets.items():
        said = dict(zip(IN_BRIEF, in_brief(ruleset), strict=True))
        rows.append(
            [
                [reference("ruleset", id, said["title"]), " ", nodes.literal("", id)],
                *[said[name] for name in ("payer", "status", "version", "in force", "rules", "sources")],
            ]
        )
    head = ["ruleset", "payer", "status", "version", "in force", "rules", "sources"]
    return Made(section("covrules-rulesets", "Rulesets", table(head, rows)))

"""The page of a rule: what it says in words and as a table, its examples as they were run, and what it belongs to."""

from collections.abc import Iterator
from itertools import pairwise

from docutils import nodes

from covrules.outlines import meaning_of
from covrules.rule import Disabled, Rule, Status
from covrules.rulesets import EVER, Ruleset
from covrules.showing import (
    Vocabulary,
    condition_pieces,
    fixed_words,
    sentences_of,
    template_pieces,
)
from covrules.sphinxext.building import (
    Made,
    Said,
    Target,
    bullets,
    denial_links,
    fields,
    joined,
    paragraph,
    pieces,
    reference,
    rule_link,
    section,
    source,
    table,
)
from covrules.sphinxext.catalogue import Catalogue, Edition, key_of, replaced_by, tested_by
from covrules.sphinxext.changes import changes
from covrules.sphinxext.decision_table import Row, decision_table
from covrules.sphinxext.flow import kind_of


def rule_page(catalogue: Catalogue, key: str) -> Made:
    """Return what is told of a rule; raises KeyError where there is none of this key."""
    edition = catalogue.rule(key)
    rule, ruleset = edition.rule, edition.ruleset
    id = nodes.make_id(f"rule-{key}")
    examples, problems = _examples(catalogue, key)
    page = section(
        id,
        rule.title,
        _in_brief(edition),
        [paragraph(*pieces(sentence)) for sentence in sentences_of(ruleset, rule)],
        _deciding(edition, id),
        _denying(edition, id),
        section(f"{id}-examples", "Examples, as they were run", *examples) if examples else [],
        _sources(rule, id),
        _belonging(catalogue, edition, id),
        _changing(catalogue, key, id),
    )
    return Made(page, (Target("rule", key, id, rule.title),), problems)


def _in_brief(edition: Edition) -> nodes.Node:
    rule, ruleset = edition.rule, edition.ruleset
    return fields(
        [
            ("Rule", nodes.literal("", key_of(rule))),
            ("Ruleset", [reference("ruleset", ruleset.id, ruleset.title), f" ({ruleset.status})"]),
            ("Kind", kind_of(rule)),
            ("Layer", f"{rule.layer}{_whose(rule)}"),
            ("Stage", f"from {rule.stage} on"),
            ("Defined in", nodes.literal("", str(rule.place))),
        ]
    )


def _whose(rule: Rule) -> str:
    return ": what the clinic accepts, not what the insurer owes" if rule.layer == "clinic" else ""


# --- the table ------------------------------------------------------------------------------------------------------


def _deciding(edition: Edition, id: str) -> nodes.Node:
    known = edition.ruleset.vocabulary
    told = decision_table(edition.rule, known)
    head: list[Said] = [pieces([(known[path].label, known[path])]) for path in told.facts]
    rows = [_row(row, told.facts) for row in told.rows]
    words = (
        "The first row that fits tells. A row fits only where what it says is known to be so; where none does, "
        "something that matters is not known."
    )
    return section(
        f"{id}-table",
        "As a decision table",
        table([*(head or ["where"]), "status"], rows, "covrules-decision"),
        paragraph(words, classes=["covrules-small"]) if len(rows) > 1 else [],
    )


def _row(row: Row, facts: tuple[str, ...]) -> list[Said]:
    status = _status(row.status)
    if row.words is not None or not facts:
        return [nodes.emphasis("", row.words or "always"), *["" for _ in facts[1:]], status]
    return [*[pieces(row.cells[path]) if path in row.cells else "–" for path in facts], status]


def _status(status: Status) -> nodes.Node:
    return reference("status", status, status)


# --- what it denies with --------------------------------------------------------------------------------------------


def _denying(edition: Edition, id: str) -> list[nodes.Node]:
    rule, known = edition.rule, edition.ruleset.vocabulary
    said: list[tuple[str, Said]] = []
    if rule.because is not None:
        said.append(("It says", pieces(template_pieces(rule.because))))
    if rule.remedy is not None:
        said.append(("What to do", f"{rule.remedy.action} ({rule.remedy.who})"))
    for denial in rule.denial:
        where: list[Said] = []
        if denial.when is not None:
            where = [" where ", *pieces(condition_pieces(denial.when, known))]
        meaning = meaning_of(denial)
        said.append(("Denial code", [*denial_links(denial), f" ({meaning})" if meaning else "", *where]))
    return [section(f"{id}-denial", f"Where it is {rule.concludes}", fields(said))] if said else []


# --- examples -------------------------------------------------------------------------------------------------------


def _examples(catalogue: Catalogue, key: str) -> tuple[list[nodes.Node], tuple[str, ...]]:
    """Return the examples with the status that each has, and what is wrong with those that say another."""
    known = catalogue.rule(key).ruleset.vocabulary
    tried = catalogue.examples(key)
    if not tried:
        return [], ()
    paths = list(dict.fromkeys(path for example, _ in tried for path in example.given))
    head: list[Said] = [pieces([(known[path].label, known[path])]) for path in paths]
    rows: list[list[Said]] = []
    problems = []
    for example, found in tried:
        cells: list[Said] = [
            known[path].kind.words(example.given[path]) if path in example.given else "–" for path in paths
        ]
        wrong = [f" (the file says {example.then})"] if found != example.then else []
        if wrong:
            problems.append(f"{example.place}: {key} should be {example.then} and is {found}")
        rows.append([*(cells or ["nothing is known"]), [_status(found), *wrong]])
    words = "Each was given to this rule alone when this page was built; – is not known."
    made: list[nodes.Node] = [
        table([*(head or ["given"]), "status"], rows, "covrules-examples"),
        paragraph(words, classes=["covrules-small"]),
    ]
    return made, tuple(problems)


# --- where it comes from --------------------------------------------------------------------------------------------


def _sources(rule: Rule, id: str) -> list[nodes.Node]:
    return [section(f"{id}-sources", "Sources", bullets(source(read) for read in rule.cites))] if rule.cites else []


def _belonging(catalogue: Catalogue, edition: Edition, id: str) -> nodes.Node:
    key = key_of(edition.rule)
    holders = [reference("ruleset", ruleset.id, ruleset.title) for ruleset in catalogue.holders(key)]
    waivers = [rule_link(waiver, _titled(catalogue, waiver)) for waiver in catalogue.waivers_of(key)]
    facts = [reference("fact", path) for path in tested_by(edition.rule)]
    return section(
        f"{id}-links",
        "What it belongs to",
        fields(
            [
                ("Tests the facts", joined(facts)),
                ("Waived by", joined(waivers, "; ")),
                ("Inherited by", joined(holders, "; ")),
            ]
        ),
        _fixed(catalogue, edition),
    )


def _titled(catalogue: Catalogue, key: str) -> str:
    return f"{catalogue.rule(key).rule.title} ({key.partition('/')[0]})"


def _fixed(catalogue: Catalogue, edition: Edition) -> list[nodes.Node]:
    """Return what the rulesets that have the rule fix of the facts it tests."""
    having = {ruleset.id for ruleset in (edition.ruleset, *catalogue.holders(key_of(edition.rule)))}
    rows: list[list[Said]] = [
        [reference("fact", path), reference("ruleset", fixed.origin), fixed_words(fixed)]
        for path in tested_by(edition.rule)
        for fixed in catalogue.fixing(path)
        if fixed.origin in having
    ]
    return [table(["fact it tests", "fixed by", "to"], rows)] if rows else []


# --- what changed ---------------------------------------------------------------------------------------------------


def _changing(catalogue: Catalogue, key: str, id: str) -> nodes.Node:
    editions = catalogue.rules[key]
    return section(
        f"{id}-history",
        "Since when, and what changed",
        paragraph(*_since(catalogue, editions)),
        [node for older, newer in pairwise(editions) for node in _versions(older, newer)],
        [*_replaced(editions[-1])],
        bullets(
            [
                *[
                    ["Replaced by ", rule_link(other, _titled(catalogue, other)), "."]
                    for other in catalogue.replacing(key)
                ],
                *[_disabled(left) for left in catalogue.leaving_out(key)],
            ]
        ),
    )


def _since(catalogue: Catalogue, editions: tuple[Edition, ...]) -> Iterator[str]:
    first, last = editions[0].ruleset, editions[-1].ruleset
    yield f"In {first.id} since version {first.version}, in force {_when(first)}."
    if last is not first:
        yield f" As it stands here it is of version {last.version}, in force {_when(last)}."
    latest = catalogue.rulesets[first.id]
    if last is not latest:
        yield f" Version {latest.version}, in force {_when(latest)}, has it no more."


def _when(ruleset: Ruleset) -> str:
    return "at all times" if ruleset.effective == EVER else str(ruleset.effective)


def _versions(older: Edition, newer: Edition) -> list[nodes.Node]:
    words = f"From version {older.ruleset.version} to version {newer.ruleset.version} ({_when(newer.ruleset)})"
    known = {**older.ruleset.vocabulary, **newer.ruleset.vocabulary}
    return _difference(words, ("before", "now"), older.rule, newer.rule, known)


def _replaced(edition: Edition) -> Iterator[nodes.Node]:
    rule = edition.rule
    while (older := replaced_by(rule)) is not None:
        back = rule.replaces
        left = f", which {back.origin} had left out ({back.place})" if isinstance(back, Disabled) else ""
        yield paragraph("It stands in the place of ", rule_link(older), f" of {older.origin}{left}.")
        head = (f"in {older.origin}", f"in {rule.origin}")
        yield from _difference("What is different", head, older, rule, edition.ruleset.vocabulary)
        rule = older


def _difference(words: str, head: tuple[str, str], older: Rule, newer: Rule, known: Vocabulary) -> list[nodes.Node]:
    found = changes(older, newer, known)
    if not found:
        return [paragraph(f"{words}: it says the same.")]
    rows: list[list[Said]] = [[aspect, pieces(was), pieces(is_)] for aspect, was, is_ in found]
    return [paragraph(f"{words}:"), table(["", *head], rows, "covrules-changes")]


def _disabled(left: Disabled) -> Said:
    return ["Left out by ", reference("ruleset", left.origin), f" ({left.place})."]

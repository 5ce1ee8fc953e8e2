"""The pieces of which pages are built: references, sentences, lists, tables, sections, and HTML that is drawn."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import attrs
from docutils import nodes
from sphinx import addnodes
from sphinx.writers.html5 import HTML5Translator

from covrules.declaring import Fact
from covrules.errors import shown
from covrules.rule import Denial, Rule, Source
from covrules.showing import Piece
from covrules.sphinxext.catalogue import key_of
from covrules.sphinxext.flow import RULE_ADDRESS

Said: TypeAlias = "str | nodes.Node | Sequence[Said]"
"""What stands in a sentence or a cell: texts and nodes, in order."""


@attrs.frozen
class Target:
    """Something that can be referred to: its kind and name, the node it is at, and a title for who hovers."""

    kind: str
    name: str
    node: str
    title: str


@attrs.frozen(eq=False)
class Made:
    """What a directive puts on a page, what can be referred to there, and what was found wrong."""

    node: nodes.Element
    targets: tuple[Target, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes with whatever a reader would see."""
        said = f"{self.node.pformat()}\0{self.targets}\0{self.problems}"
        return hashlib.sha256(said.encode()).hexdigest()


def inline(*said: Said) -> list[nodes.Node]:
    """Return what is said as nodes of a line."""
    found: list[nodes.Node] = []
    for each in said:
        if isinstance(each, str):
            found.append(nodes.Text(shown(each)))
        elif isinstance(each, nodes.Node):
            found.append(each)
        else:
            found += inline(*each)
    return found


def reference(kind: str, name: str, said: str | None = None) -> nodes.Node:
    """Return a reference to something; where that is on no page, only what is said is left of it.

    What is said is the name, if not told otherwise.
    """
    node = addnodes.pending_xref(
        "", refdomain="covrules", reftype=kind, reftarget=name, refexplicit=said is not None, quiet=True
    )
    inner = nodes.literal if said is None and kind != "code" else nodes.inline
    node += inner("", shown(name if said is None else said), classes=["xref", "covrules", f"covrules-{kind}"])
    return node


def rule_link(rule: Rule | str, said: str | None = None) -> nodes.Node:
    """Return a reference to a rule, or to one by its key, which is said if nothing else is."""
    if isinstance(rule, str):
        return reference("rule", rule, said)
    return reference("rule", key_of(rule), rule.title if said is None else said)


def pieces(said: Iterable[Piece]) -> list[nodes.Node]:
    """Return words in which facts and rules are referred to."""
    return [_piece(words, named) for words, named in said]


def _piece(words: str, named: Fact | Rule | None) -> nodes.Node:
    if named is None:
        return nodes.Text(shown(words))
    return rule_link(named, words) if isinstance(named, Rule) else reference("fact", named.path, words)


def paragraph(*said: Said, classes: Iterable[str] = ()) -> nodes.paragraph:
    """Return a paragraph."""
    return nodes.paragraph("", "", *inline(*said), classes=[*classes])


def joined(said: Iterable[Said], with_: str = ", ") -> list[nodes.Node]:
    """Return things with something between them."""
    found: list[nodes.Node] = []
    for place, each in enumerate(said):
        found += inline(*([with_] if place else []), each)
    return found


def bullets(items: Iterable[Said]) -> list[nodes.Node]:
    """Return a list of things; nothing if there are none."""
    made = [nodes.list_item("", paragraph(item)) for item in items]
    return [nodes.bullet_list("", *made)] if made else []


def fields(rows: Iterable[tuple[str, Said]]) -> nodes.field_list:
    """Return what is said under short names; what has nothing said is left out."""
    made = nodes.field_list(classes=["covrules-fields"])
    for name, said in rows:
        if said:
            made += nodes.field("", nodes.field_name("", name), nodes.field_body("", paragraph(said)))
    return made


def table(head: Sequence[Said], rows: Iterable[Sequence[Said]], *classes: str) -> nodes.table:
    """Return a table."""
    made = nodes.table(classes=["covrules-table", "colwidths-auto", *classes])
    group = nodes.tgroup("", *[nodes.colspec(colwidth=100 // len(head)) for _ in head], cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    made += group
    return made


def _row(cells: Sequence[Said]) -> nodes.row:
    return nodes.row("", *[nodes.entry("", paragraph(said) if said else nodes.paragraph()) for said in cells])


def section(id: str, title: Said, *content: nodes.Node | Iterable[nodes.Node]) -> nodes.section:
    """Return a section; contents are nodes and lists of them."""
    made = nodes.section("", nodes.title("", "", *inline(title)), ids=[nodes.make_id(id)])
    for each in content:
        made += [each] if isinstance(each, nodes.Node) else [*each]
    return made


def source(read: Source) -> list[nodes.Node]:
    """Return what was read, linked to where it can be had, and when."""
    said = ", ".join(filter(None, (read.title, read.section)))
    day = f", read on {read.read}" if read.read else ""
    return inline(said if read.url is None else link(said, read.url), day)


def numbered(sources: Sequence[Source], id: str) -> nodes.enumerated_list:
    """Return a list of what was read, numbered from 1, to be cited from the same page."""
    items = [
        nodes.list_item("", paragraph(source(read)), ids=[_source_id(id, number)])
        for number, read in enumerate(sources, 1)
    ]
    return nodes.enumerated_list("", *items, enumtype="arabic", prefix="", suffix=".")


def citing(cites: Iterable[Source], sources: Sequence[Source], id: str) -> list[nodes.Node]:
    """Return the numbers of what is cited, each linked to where `numbered` lists it."""
    numbers = (sources.index(read) + 1 for read in cites)
    return joined(
        (nodes.reference("", f"[{number}]", refid=_source_id(id, number), internal=True) for number in numbers), " "
    )


def _source_id(id: str, number: int) -> str:
    return nodes.make_id(f"{id}-source-{number}")


def link(said: str, url: str) -> nodes.reference:
    """Return a link to another site."""
    return nodes.reference("", shown(said), refuri=url, internal=False)


def denial_links(denial: Denial) -> list[nodes.Node]:
    """Return the codes of a denial, each referred to."""
    carc = reference("code", f"CARC {denial.carc}")
    return joined([carc, *[reference("code", f"RARC {number}") for number in denial.rarc]])


# --- drawn --------------------------------------------------------------------------------------------------------


class drawn(nodes.General, nodes.Element):
    """HTML with the addresses of rules still open; other builders have its children in its place."""


_OPEN: Final = re.compile(f'<a href="{RULE_ADDRESS}([^"]*)"')


def drawing(markup: str, *otherwise: nodes.Node) -> drawn:
    """Return HTML that is drawn as it is, and what stands in its place where there is no HTML."""
    return drawn("", *otherwise, markup=markup)


def rules_in(node: drawn) -> list[str]:
    """Return the keys of the rules that are linked in what is drawn."""
    return _OPEN.findall(node["markup"])


def visit_drawn_html(self: HTML5Translator, node: drawn) -> None:
    """Write the HTML, with the addresses of rules that are on a page; other rules are not linked."""
    builder = self.builder
    domain: Any = builder.env.domains["covrules"]

    def linked(match: re.Match[str]) -> str:
        found = domain.place_of("rule", match[1])
        if found is None:
            return "<a"
        address = builder.get_relative_uri(builder.current_docname, found.docname)
        return f'<a href="{self.encode(address)}"'

    self.body.append(_OPEN.sub(linked, node["markup"]))
    raise nodes.SkipNode


def pass_drawn(self: Any, node: drawn) -> None:
    """Write the children in its place."""

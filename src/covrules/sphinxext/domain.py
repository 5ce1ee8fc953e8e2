"""The domain `covrules`: what can be referred to, where it is told of, and what of it is out of date."""

from collections.abc import Callable, Iterable, Iterator, Set
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, cast

import attrs
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.builders import Builder
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from covrules.conditions import OPERATORS
from covrules.errors import did_you_mean, one_of
from covrules.rule import STATUSES
from covrules.sphinxext import catalogue as catalogues
from covrules.sphinxext.building import Made, drawn, rules_in
from covrules.sphinxext.catalogue import Catalogue
from covrules.sphinxext.code_page import code_page, codes_page
from covrules.sphinxext.fact_page import fact_page, facts_page
from covrules.sphinxext.rule_page import rule_page
from covrules.sphinxext.ruleset_page import ruleset_page, rulesets_page
from covrules.sphinxext.verdict import embedded_verdict
from covrules.sphinxext.word_pages import statuses_page, tests_page
from covrules.verdicts import COVERAGE_MEANS

NAME: Final = "covrules"

logger = logging.getLogger(__name__)

MAKERS: Final[dict[str, Callable[..., Made]]] = {
    "ruleset": ruleset_page,
    "rule": rule_page,
    "fact": fact_page,
    "code": code_page,
    "rulesets": rulesets_page,
    "facts": facts_page,
    "codes": codes_page,
    "tests": tests_page,
    "statuses": statuses_page,
    "verdict": embedded_verdict,
}
"""What makes the content of each directive, of the catalogue and its other arguments."""


@attrs.frozen
class Place:
    """Where something is told of."""

    docname: str
    node: str
    title: str


@attrs.frozen
class Told:
    """What a directive put on a page: by which maker of which arguments, and its fingerprint."""

    maker: str
    arguments: tuple[Any, ...]
    fingerprint: str


def normal(kind: str, target: str) -> str:
    """Return a name as it is written in full.

    >>> normal("code", "carc  151"), normal("fact", " plan.payer ")
    ('CARC 151', 'plan.payer')
    """
    words = " ".join(target.split())
    return words.upper() if kind == "code" else words


def known_names(catalogue: Catalogue, kind: str) -> list[str]:
    """Return the names there are of a kind."""
    names: dict[str, Iterable[str]] = {
        "ruleset": catalogue.rulesets,
        "rule": [*catalogue.rules, *[key.partition("/")[2] for key in catalogue.rules]],
        "fact": catalogue.facts,
        "code": catalogue.codes,
        "test": OPERATORS,
        "status": [*STATUSES, *COVERAGE_MEANS],
    }
    return [*names[kind]]


def not_there(catalogue: Catalogue, kind: str, name: str) -> str:
    """Return the sentence that there is no such thing, or that it is not clear which, with what may have been meant."""
    several = catalogue.meant(name) if kind == "rule" else []
    if len(several) > 1:
        return f"there are several rules {name}: {one_of(several)}"
    if name in known_names(catalogue, kind):
        return f"the {kind} {name} is on no page of this documentation"
    hint = did_you_mean(name, known_names(catalogue, kind))
    return f"there is no {kind} {name}{f': {hint}' if hint else ''}"


class _Role(XRefRole):
    """Refers to something by its name, set as code, or by a title of one's own, set as words."""

    def result_nodes(
        self, document: nodes.document, env: BuildEnvironment, node: nodes.Element, is_ref: bool
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if is_ref and node.get("refexplicit"):
            for child in [*node.findall(nodes.literal)]:
                child.replace_self(nodes.inline("", child.astext(), classes=child["classes"]))
        return [node], []


class CovrulesDomain(Domain):
    """Rulesets, rules, facts, codes, tests and statuses, each told of on some page."""

    name = NAME
    label = "covrules"
    object_types: ClassVar[dict[str, ObjType]] = {
        kind: ObjType(kind, kind) for kind in ("ruleset", "rule", "fact", "code", "test", "status")
    }
    roles: ClassVar[dict[str, Any]] = {
        kind: _Role(warn_dangling=True, innernodeclass=nodes.inline if kind == "code" else nodes.literal)
        for kind in object_types
    }
    initial_data: ClassVar[dict[str, Any]] = {"places": {}, "said": {}, "references": {}, "last": {}, "read": ""}
    data_version = 1

    @property
    def places(self) -> dict[tuple[str, str], Place]:
        """Where each thing is told of, by its kind and name."""
        return cast(dict[tuple[str, str], Place], self.data["places"])

    @property
    def said(self) -> dict[str, list[Told]]:
        """What the directives of each page put there."""
        return cast(dict[str, list[Told]], self.data["said"])

    @property
    def references(self) -> dict[str, set[tuple[str, str]]]:
        """What each page refers to, by kind and name as written."""
        return cast(dict[str, set[tuple[str, str]]], self.data["references"])

    @cached_property
    def catalogue(self) -> Catalogue:
        """The rulesets of the documentation, as they are read for this build."""
        return catalogues.read(self.env.config.covrules_rulesets, Path(self.env.srcdir))

    # --- what is told of ----------------------------------------------------------------------------------------

    def note(self, docname: str, made: Made, said: Told, location: nodes.Node, index: bool) -> None:
        """Note what a directive put on a page; what is told of already warns, unless it is not to be referred to."""
        self.said.setdefault(docname, []).append(said)
        for target in made.targets if index else ():
            key = (target.kind, target.name)
            other = self.places.get(key)
            if other is not None:
                message = f"the {target.kind} {target.name} is told of in {other.docname} already"
                hint = "refer to that, or say no-index here"
                logger.warning("%s: %s", message, hint, location=location, type=NAME, subtype="duplicate")
                continue
            self.places[key] = Place(docname, target.node, target.title)

    def clear_doc(self, docname: str) -> None:
        self.said.pop(docname, None)
        self.references.pop(docname, None)
        for key in [key for key, place in self.places.items() if place.docname == docname]:
            del self.places[key]

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        for name in ("said", "references"):
            self.data[name].update({docname: each for docname, each in otherdata[name].items() if docname in docnames})
        for key, place in otherdata["places"].items():
            if place.docname not in docnames:
                continue
            other = self.places.get(key)
            if other is not None and other.docname != place.docname:
                message = f"the {key[0]} {key[1]} is told of in {other.docname} already"
                logger.warning(message, location=place.docname, type=NAME, subtype="duplicate")
                continue
            self.places[key] = place

    # --- what is referred to ------------------------------------------------------------------------------------

    def place_of(self, kind: str, target: str) -> Place | None:
        """Return where something is told of, if it is and its name leaves no doubt."""
        name = normal(kind, target)
        if kind == "rule":
            meant = self.catalogue.meant(name)
            name = meant[0] if len(meant) == 1 else name
        return self.places.get((kind, name))

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> nodes.reference | None:
        place = self.place_of(typ, target)
        if place is not None:
            return make_refnode(builder, fromdocname, place.docname, place.node, contnode, place.title)
        # What a directive refers to by itself is left as words where nothing tells of it.
        return cast(nodes.reference, contnode) if node.get("quiet") else None

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> list[tuple[str, nodes.reference]]:
        found = ((kind, self.place_of(kind, target)) for kind in self.object_types)
        return [
            (f"{NAME}:{kind}", make_refnode(builder, fromdocname, place.docname, place.node, contnode, place.title))
            for kind, place in found
            if place is not None
        ]

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        for (kind, name), place in self.places.items():
            said = place.title if kind in ("rule", "ruleset") else name
            yield name, said, kind, place.docname, place.node, 1

    # --- what is out of date ------------------------------------------------------------------------------------

    def outdated(self) -> Iterator[str]:
        """Yield the pages on which something else would be said now."""
        if self.data["read"] == self.catalogue.fingerprint:
            return
        for docname, all_ in self.said.items():
            if any(self._now(said) != said.fingerprint for said in all_):
                yield docname

    def _now(self, said: Told) -> str | None:
        try:
            return MAKERS[said.maker](self.catalogue, *said.arguments).fingerprint
        except KeyError:
            return None

    def note_references(self, docname: str, doctree: nodes.document) -> None:
        """Note what a page refers to."""
        written = [
            (node["reftype"], node["reftarget"])
            for node in doctree.findall(pending_xref)
            if node.get("refdomain") == NAME
        ]
        linked = [("rule", key) for node in doctree.findall(drawn) for key in rules_in(node)]
        if written or linked:
            self.references[docname] = {*written, *linked}

    def moved(self) -> Iterator[str]:
        """Yield the pages that refer to what is no longer where it was when they were written; called once a build."""
        now = {
            (docname, reference): self.place_of(*reference)
            for docname, references in self.references.items()
            for reference in references
        }
        last = self.data["last"]
        yield from {docname for (docname, reference), place in now.items() if last.get((docname, reference)) != place}
        self.data["last"], self.data["read"] = now, self.catalogue.fingerprint


def warn_missing(app: object, domain: Domain | None, node: pending_xref) -> bool | None:
    """Say of a reference that leads nowhere what may have been meant."""
    if not isinstance(domain, CovrulesDomain):
        return None
    kind = node["reftype"]
    words = not_there(domain.catalogue, kind, normal(kind, node["reftarget"]))
    logger.warning("%s", words, location=node, type="ref", subtype=kind)
    return True

"""The page of a denial code: its meaning in our own words, and the rules that deny with it; and the list of all."""

from collections.abc import Mapping
from typing import Final

from docutils import nodes

from covrules.codes.denials import CARC, CONFIRMED, RARC, Code
from covrules.showing import condition_pieces
from covrules.sphinxext.building import (
    Made,
    Said,
    Target,
    bullets,
    fields,
    paragraph,
    pieces,
    reference,
    rule_link,
    section,
    table,
)
from covrules.sphinxext.catalogue import Catalogue, codes_of

_LISTS: Final[Mapping[str, tuple[str, Mapping[str, Code]]]] = {
    "CARC": ("claim adjustment reason code", CARC),
    "RARC": ("remittance advice remark code", RARC),
}


def code_page(catalogue: Catalogue, code: str) -> Made:
    """Return what is told of a code; raises KeyError where there is none of this name."""
    keys = catalogue.codes[code]
    list_, _, number = code.partition(" ")
    name, _ = _LISTS[list_]
    known = _known(code)
    id = nodes.make_id(f"code-{code}")
    page = section(
        id,
        code,
        paragraph(_meaning(code), classes=["covrules-lead"]),
        fields(
            [
                ("List", f"{name} ({list_})"),
                ("Number", nodes.literal("", number)),
                ("Read in", CONFIRMED[known.source] if known else ""),
            ]
        ),
        section(f"{id}-rules", "Rules that deny with it", _deniers(catalogue, code, keys)),
    )
    return Made(page, (Target("code", code, id, _meaning(code)),))


def _known(code: str) -> Code | None:
    list_, _, number = code.partition(" ")
    return _LISTS[list_][1].get(number)


def _meaning(code: str) -> str:
    """Return in a sentence what a code means, in our own words."""
    known = _known(code)
    return f"{known.meaning[:1].upper()}{known.meaning[1:]}." if known else "There are no words of our own for it."


def _deniers(catalogue: Catalogue, code: str, keys: tuple[str, ...]) -> list[nodes.Node]:
    if not keys:
        return [paragraph("No rule denies with it.")]
    said: list[Said] = []
    for key in keys:
        edition = catalogue.rule(key)
        known = edition.ruleset.vocabulary
        for denial in edition.rule.denial:
            if code in codes_of(denial):
                where: list[Said] = []
                if denial.when is not None:
                    where = [" where ", *pieces(condition_pieces(denial.when, known))]
                said.append([rule_link(edition.rule), " ", nodes.literal("", key), *where])
    return bullets(said)


def codes_page(catalogue: Catalogue) -> Made:
    """Return the list of all codes."""
    sections = []
    for list_, (name, _) in _LISTS.items():
        rows: list[list[Said]] = [
            [reference("code", code), _meaning(code), str(len(keys))]
            for code, keys in catalogue.codes.items()
            if code.startswith(list_)
        ]
        title = f"{name[:1].upper()}{name[1:]}s ({list_})"
        sections.append(section(f"covrules-codes-{list_}", title, table(["code", "meaning", "rules"], rows)))
    words = "Numbers are those of X12; what they mean is said in words of our own."
    return Made(section("covrules-codes", "Denial codes", paragraph(words), *sections))

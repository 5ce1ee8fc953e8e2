"""The pages that are written for each thing before Sphinx reads: each is one directive, as by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from covrules.sphinxext.catalogue import Catalogue

_MARK: Final = "Written by covrules.sphinxext, and written anew in every build."


@attrs.frozen
class Page:
    """A page by its name: the directive on it, and the pages under it."""

    name: str
    directive: str
    argument: str = ""
    under: tuple[str, ...] = ()


def pages(catalogue: Catalogue) -> Iterator[Page]:
    """Yield the pages of all that a catalogue has."""
    rulesets = tuple(f"rulesets/{id}" for id in catalogue.rulesets)
    yield Page("rulesets/index", "rulesets", under=rulesets)
    for id in catalogue.rulesets:
        yield Page(f"rulesets/{id}", "ruleset", id, tuple(f"rules/{key}" for key in catalogue.keys_of(id)))
    for key in catalogue.rules:
        yield Page(f"rules/{key}", "rule", key)
    yield Page("facts/index", "facts", under=tuple(f"facts/{path}" for path in catalogue.facts))
    for path in catalogue.facts:
        yield Page(f"facts/{path}", "fact", path)
    yield Page("codes/index", "codes", under=tuple(map(_code_page, catalogue.codes)))
    for code in catalogue.codes:
        yield Page(_code_page(code), "code", code)
    yield Page("tests", "tests")
    yield Page("statuses", "statuses")


def _code_page(code: str) -> str:
    return f"codes/{code.lower().replace(' ', '-')}"


def write(catalogue: Catalogue, folder: Path, docname: str, suffixes: Sequence[str]) -> None:
    """Write the pages into a folder, called `docname` among the documents: in reST if Sphinx reads it, else in MyST.

    A page that somebody else wrote, with any of the suffixes, is left as it is. One that is no longer wanted goes.
    """
    suffix = ".rst" if ".rst" in suffixes else ".md"
    written = set()
    for page in pages(catalogue):
        path = folder / f"{page.name}{suffix}"
        if any(other.is_file() and not _ours(other) for other in (folder / f"{page.name}{each}" for each in suffixes)):
            continue
        written.add(path)
        text = _text(page, docname, suffix)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in [path for each in (".rst", ".md") for path in folder.rglob(f"*{each}")]:
        if path not in written and _ours(path):
            path.unlink()


def _ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return _MARK in file.readline()


def _text(page: Page, docname: str, suffix: str) -> str:
    under = [f"/{docname}/{name}" for name in page.under]
    if suffix == ".rst":
        toctree = ["   .. toctree::", "      :hidden:", "", *[f"      {name}" for name in under]] if under else []
        lines = [f".. {_MARK}", "", f".. covrules:{page.directive}:: {page.argument}".rstrip(), "", *toctree]
    else:
        toctree = ["```{toctree}", ":hidden:", "", *under, "```"] if under else []
        head = f"````{{covrules:{page.directive}}} {page.argument}".rstrip()
        lines = [f"% {_MARK}", "", head, *toctree, "````"]
    return "\n".join(lines).rstrip() + "\n"

"""A Sphinx extension that documents rulesets: pages of rulesets, rules, facts and codes, linked both ways.

`extensions = ["covrules.sphinxext"]` in a `conf.py` turns it on. It needs Sphinx, which `covrules[docs]` installs.
Its domain is `covrules.sphinxext.domain.CovrulesDomain`; the directives are in `covrules.sphinxext.directives`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covrules import __version__
from covrules.extras import needed

needed("sphinx", "docs")

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from covrules.sphinxext.domain import CovrulesDomain


def setup(app: "Sphinx") -> dict[str, Any]:
    """Tell Sphinx of the domain, of two settings, and of what is to be done when.

    `covrules_rulesets` lists shipped ids, and paths from the folder of the sources; without it, all that are shipped
    are documented. `covrules_pages` is the folder, within that of the sources, where a page is written for each thing;
    with None, none is, and one places the directives oneself.
    """
    from covrules.sphinxext.building import drawn, pass_drawn, visit_drawn_html
    from covrules.sphinxext.directives import DIRECTIVES
    from covrules.sphinxext.domain import CovrulesDomain, warn_missing

    app.add_config_value("covrules_rulesets", None, "env", (list, tuple, type(None)))
    app.add_config_value("covrules_pages", "reference", "env", (str, type(None)))
    app.add_domain(CovrulesDomain)
    for name, directive in DIRECTIVES.items():
        app.add_directive_to_domain(CovrulesDomain.name, name, directive)
    otherwise = (pass_drawn, pass_drawn)
    app.add_node(
        drawn,
        html=(visit_drawn_html, None),
        latex=otherwise,
        text=otherwise,
        man=otherwise,
        texinfo=otherwise,
    )
    app.add_css_file("covrules.css")
    app.connect("builder-inited", _begin)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-before-read-docs", _forget)
    app.connect("doctree-read", _read)
    app.connect("env-updated", _moved)
    app.connect("warn-missing-reference", warn_missing)
    return {"version": __version__, "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}


def _domain(env: "BuildEnvironment") -> "CovrulesDomain":
    domain: Any = env.domains["covrules"]
    found: CovrulesDomain = domain
    return found


def _begin(app: "Sphinx") -> None:
    """Read the rulesets, and write the pages that Sphinx is to read."""
    from sphinx.util import logging

    from covrules.sphinxext.stubs import write

    app.config.html_static_path.append(str(Path(__file__).parent / "static"))
    catalogue = _domain(app.env).catalogue
    for problem in catalogue.problems:
        logging.getLogger(__name__).warning("%s", problem, type="covrules", subtype="ruleset")
    pages = app.config.covrules_pages
    if pages is not None:
        write(catalogue, Path(app.srcdir) / pages, pages.strip("/"), [*app.config.source_suffix])


def _outdated(
    app: "Sphinx", env: "BuildEnvironment", added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    return [docname for docname in _domain(env).outdated() if docname not in removed]


def _forget(app: "Sphinx", env: "BuildEnvironment", docnames: list[str]) -> None:
    """Forget the pages that will be read, all at once: what moves from one to another is not told of twice."""
    for docname in docnames:
        _domain(env).clear_doc(docname)


def _read(app: "Sphinx", doctree: "nodes.document") -> None:
    _domain(app.env).note_references(app.env.docname, doctree)


def _moved(app: "Sphinx", env: "BuildEnvironment") -> Iterable[str]:
    return sorted(_domain(env).moved())

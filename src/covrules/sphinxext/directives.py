"""The directives of the domain, each of which puts on its page what a maker makes."""

import datetime as dt
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from covrules.errors import RulesetError
from covrules.library import read_file
from covrules.outlines import AUDIENCES
from covrules.rule import STAGES
from covrules.sphinxext.building import Made
from covrules.sphinxext.domain import MAKERS, NAME, CovrulesDomain, Told, known_names, normal, not_there
from covrules.sphinxext.verdict import Asked

logger = logging.getLogger(__name__)


class _Making(SphinxDirective):
    """What puts something on a page."""

    has_content = True

    @property
    def domain(self) -> CovrulesDomain:
        return cast(CovrulesDomain, self.env.domains[NAME])

    def put(self, maker: str, *arguments: Any) -> list[nodes.Node]:
        """Put what a maker makes on the page, and note it."""
        made: Made = MAKERS[maker](self.domain.catalogue, *arguments)
        for problem in made.problems:
            self.warn(problem)
        self.set_source_info(made.node)
        said = Told(maker, arguments, made.fingerprint)
        self.domain.note(self.env.docname, made, said, made.node, "no-index" not in self.options)
        if isinstance(made.node, nodes.section):
            self.note_ids(made.node)
            self.state.nested_parse(self.content, self.content_offset, made.node)
        return [made.node]

    def note_ids(self, made: nodes.Element) -> None:
        """Tell the page of the ids of what is put there; where one is taken already, another is given."""
        document = self.state.document
        for node in made.findall(nodes.Element):
            for place, id in enumerate(node["ids"]):
                number = 1
                while node["ids"][place] in document.ids:
                    number += 1
                    node["ids"][place] = f"{id}-{number}"
            if node["ids"]:
                document.set_id(node)

    def warn(self, problem: str) -> None:
        logger.warning("%s", problem, location=self.get_location(), type=NAME)


class ThingDirective(_Making):
    """Tells of one ruleset, rule, fact or code as a section; its content is put at the end."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"no-index": directives.flag}

    def run(self) -> list[nodes.Node]:
        kind = self.name.partition(":")[2]
        name = normal(kind, self.arguments[0])
        catalogue = self.domain.catalogue
        if kind == "rule":
            meant = catalogue.meant(name)
            name = meant[0] if len(meant) == 1 else name
        if name not in (catalogue.rules if kind == "rule" else known_names(catalogue, kind)):
            self.warn(not_there(catalogue, kind, name))
            return []
        return self.put(kind, name)


class ListDirective(_Making):
    """Tells of all rulesets, facts, codes, tests or statuses as a section; its content is put at the end."""

    option_spec: ClassVar[dict[str, Any]] = {"no-index": directives.flag}

    def run(self) -> list[nodes.Node]:
        return self.put(self.name.partition(":")[2])


def _day(argument: str) -> dt.date:
    return dt.date.fromisoformat(directives.unchanged_required(argument))


def _stage(argument: str) -> str:
    return directives.choice(argument, STAGES)


def _audience(argument: str) -> str:
    return directives.choice(argument, AUDIENCES)


class VerdictDirective(_Making):
    """Decides a case, the YAML in its content or a file, and tells the verdict; its path is as of an image."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "ruleset": directives.unchanged_required,
        "stage": _stage,
        "as-of": _day,
        "for": _audience,
    }

    def run(self) -> list[nodes.Node]:
        if "ruleset" not in self.options:
            self.warn("a verdict needs a ruleset: say it as the option ruleset")
            return []
        if bool(self.arguments) == bool(self.content):
            self.warn("a verdict needs a case: the path of a file, or YAML as the content, and not both")
            return []
        try:
            case, name = self._case()
        except RulesetError as error:
            self.warn(str(error))
            return []
        asked = Asked(
            case,
            name,
            self.options["ruleset"],
            self.options.get("stage", "planned"),
            self.options.get("as-of"),
            self.options.get("for", "front-desk"),
        )
        return self.put("verdict", asked)

    def _case(self) -> tuple[bytes, str]:
        """Return the bytes of the case and what errors call it; raises RulesetError where its file cannot be read."""
        if self.arguments:
            relative, path = self.env.relfn2path(self.arguments[0])
            self.env.note_dependency(relative)
            return read_file(path), relative
        source, line = self.get_source_info()
        # MyST counts from the line of the directive, docutils from the first of the page.
        before = self.content_offset if self.content.offset(0) == self.content_offset else line + self.content_offset
        # Empty lines before the case, so that errors name lines of the page.
        text = "\n" * before + "\n".join(self.content)
        return text.encode(), Path(source).name


DIRECTIVES: Final[dict[str, type[_Making]]] = {
    **dict.fromkeys(("ruleset", "rule", "fact", "code"), ThingDirective),
    **dict.fromkeys(("rulesets", "facts", "codes", "tests", "statuses"), ListDirective),
    "verdict": VerdictDirective,
}

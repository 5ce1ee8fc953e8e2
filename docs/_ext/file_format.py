"""Tables of the file format, made of what the readers of files go by."""

from collections.abc import Iterable
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from covrules import file_format
from covrules.conditions import OPERATORS, operators_for
from covrules.facts import FACTS
from covrules.kinds import declarable
from covrules.sphinxext.word_pages import RIGHT_SIDE


class Table(SphinxDirective):
    """A table written as Markdown, so that what is declared may use it."""

    def lines(self) -> Iterable[tuple[str, ...]]:
        """Yield the head and the rows."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        head, *rows = self.lines()
        written = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
        container = nodes.container()
        self.state.nested_parse(StringList(written, "covrules.file_format"), 0, container)
        return container.children


class FileKeys(Table):
    """`file-keys`: the keys of one kind of mapping, by the name it has in `covrules.file_format`."""

    required_arguments = 1

    def lines(self) -> Iterable[tuple[str, ...]]:
        """Yield each key with what it says."""
        yield "Key", "Needed", "What it says"
        for name, key in getattr(file_format, self.arguments[0]).items():
            yield f"`{name}`", "yes" if key.required else "", key.says


class Comparisons(Table):
    """`file-comparisons`: the words that compare a fact with something."""

    def lines(self) -> Iterable[tuple[str, ...]]:
        """Yield each word with the facts it compares and what stands on its right."""
        yield "Word", "Compares", "With", "Such as"
        for name, word in OPERATORS.items():
            such = next(path for path, fact in FACTS.items() if fact.testable and name in operators_for(fact.kind))
            yield f"`{name}`", ", ".join(word.takes), RIGHT_SIDE[word.right], f"`{such}`"


class Types(Table):
    """`file-types`: the types that a fact of a ruleset's own can have."""

    NAMES: ClassVar = ("Type", "Values")

    def lines(self) -> Iterable[tuple[str, ...]]:
        """Yield each type with the values it takes."""
        yield self.NAMES
        yield from ((f"`{name}`", expected) for name, expected in declarable().items())


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the tables."""
    app.add_lexer("csv", TextLexer)  # there is none of that name
    app.add_directive("file-keys", FileKeys)
    app.add_directive("file-comparisons", Comparisons)
    app.add_directive("file-types", Types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

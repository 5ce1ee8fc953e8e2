"""Nodes read as the shapes that are expected of them; every problem is noted with its place."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from covrules import yaml_nodes
from covrules.errors import MAX_PROBLEMS, Problem, did_you_mean, nearest, one_of, printable
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence

MAX_TEXT: Final = 2_000
"""The longest text in a ruleset, in characters."""

ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

RESERVED: Final = ("promises", "accepts")
"""Keys that no file has yet."""

T = TypeVar("T")


class Enough(Exception):
    """So many problems are noted that it is of no use to read on."""


class NodeReader:
    """Reads nodes of expected shapes; what is wrong is noted and reading goes on, giving None there."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.misnamed: dict[int, set[str | None]] = {}

    def fail(self, node: Node, message: str, expected: str | None = None, hint: str | None = None) -> None:
        """Note a problem where a node stands; raises Enough at the last that is noted."""
        if len(self.problems) == MAX_PROBLEMS:
            raise Enough
        self.problems.append(
            Problem(
                file=self.file,
                line=node.line,
                column=node.column,
                message=message,
                expected=expected,
                hint=hint,
            )
        )

    def mapping(
        self, node: Node, what: str, known: tuple[str, ...] | None = None, expected: str = "a mapping"
    ) -> Mapping | None:
        """Return the node if it is a mapping; note keys that come twice or are not known."""
        if not isinstance(node, Mapping):
            self.fail(node, f"{what} is {shape(node)}", expected)
            return None
        again = {id(key): first.line for key, first in yaml_nodes.duplicates(node)}
        for key, _ in node.items:
            if id(key) in again:
                self.fail(key, f"{said(key.text)} comes twice", hint=f"it is there first in line {again[id(key)]}")
            elif known is not None and key.text not in known:
                near = nearest(key.text, known) if key.text not in RESERVED else None
                self.misnamed.setdefault(id(node), set()).add(near)
                kept = "it is kept for a later version of the format" if key.text in RESERVED else None
                self.fail(
                    key,
                    f"{what} has no key {said(key.text)}",
                    *((None, kept) if kept else instead(near, one_of(known))),
                )
        return node

    def excused(self, node: Mapping, key: str) -> bool:
        """Return whether a key that is missing may be there under a wrong name, which is noted already."""
        return not self.misnamed.get(id(node), set()).isdisjoint((key, None))

    def sequence(self, node: Node, what: str, expected: str = "a list") -> list[Node]:
        """Return the items of the node if it is a list, else none."""
        if isinstance(node, Sequence):
            return node.items
        self.fail(node, f"{what} is {shape(node)}", expected)
        return []

    def text(self, node: Node, what: str, pattern: re.Pattern[str] | None = None, expected: str = "text") -> str | None:
        """Return the text of the node if it is one that can be shown and fits the pattern."""
        if not isinstance(node, Scalar):
            self.fail(node, f"{what} is {shape(node)}", expected, "put quotes around text that begins with { or [")
        elif node.null or not node.text.strip():
            self.fail(node, f"{what} is {shape(node)}", expected)
        elif len(node.text) > MAX_TEXT:
            self.fail(node, f"{what} has {len(node.text):,} characters", f"at most {MAX_TEXT:,}")
        elif control := CONTROL.search(node.text):
            self.fail(node, f"{what} has a control character (U+{ord(control[0]):04X})", hint="leave it out")
        elif pattern is not None and not pattern.fullmatch(node.text):
            self.fail(node, f"{said(node.text)} cannot be {what}", expected)
        else:
            return node.text
        return None

    def distinct(
        self, items: Iterable[Node], what: str, pattern: re.Pattern[str], expected: str
    ) -> Iterator[tuple[str | None, Node]]:
        """Yield the items with their texts, None where one is not what is expected; note those that come twice."""
        seen = set()
        for item in items:
            text = self.text(item, what, pattern, expected)
            if text is not None and text in seen:
                self.fail(item, f"{text} comes twice", hint="leave one of them out")
            else:
                seen.add(text)
                yield text, item

    def choice(self, node: Node, what: str, words: tuple[Any, ...]) -> Any:
        """Return the text of the node if it is one of the words."""
        text = self.text(node, what, expected=one_of(words))
        if text is None or text in words:
            return text
        self.fail(node, f"{said(text)} cannot be {what}", one_of(words), did_you_mean(text, words))
        return None

    def required(self, node: Mapping, key: str, what: str, read: Callable[[Node, str], T | None]) -> T | None:
        """Return what stands under a key that must be there, read."""
        value = node.get(key)
        if value is not None:
            return read(value, f"the {key} of {what}")
        if not self.excused(node, key):
            self.fail(node, f"{what} has no {key}", hint=f"add the key {key}")
        return None

    def optional(self, node: Mapping, key: str, read: Callable[[Node], T | None]) -> T | None:
        """Return what stands under a key, read, if it is there."""
        value = node.get(key)
        return None if value is None else read(value)

    def identifier(self, node: Node, what: str) -> str | None:
        """Return the text of the node if it is an id."""
        return self.text(node, what, ID, "lower-case words joined by hyphens, such as units-per-visit")


def instead(near: str | None, expected: str) -> tuple[str | None, str | None]:
    """Return what was expected in the place of a wrong name, and a hint: one of them says enough."""
    return (None, f"did you mean {near}?") if near is not None else (expected, None)


def said(text: str) -> str:
    """Return a text of the file as a message repeats it."""
    return printable(text) if text.strip() else f'"{printable(text)}"'


def shape(node: Node) -> str:
    """Return what sort of node this is."""
    if isinstance(node, Scalar):
        return "nothing" if node.null else "blank text" if not node.text.strip() else "text"
    return "a list" if isinstance(node, Sequence) else "a mapping"

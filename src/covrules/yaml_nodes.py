"""YAML text to nodes that know their line and column; a stranger's file can neither run, grow nor nest away."""

from collections.abc import Iterator
from typing import Any, Final

import attrs
import yaml

from covrules.errors import Problem, printable

MAX_BYTES: Final = 1_000_000
"""The largest file read; the largest shipped one has less than a tenth of that."""
MAX_DEPTH: Final = 40
MAX_NODES: Final = 200_000


@attrs.frozen
class Scalar:
    """A text as written; `plain` if without quotes. Lines and columns count from 1."""

    text: str
    plain: bool
    line: int
    column: int

    @property
    def null(self) -> bool:
        """Whether this is YAML's way to say nothing."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@attrs.frozen
class Sequence:
    """A list of nodes."""

    items: list["Node"]
    line: int
    column: int


@attrs.frozen
class Mapping:
    """Pairs of a key and a node, in the order written; no key comes twice."""

    items: list[tuple[Scalar, "Node"]]
    line: int
    column: int

    def get(self, key: str) -> "Node | None":
        """Return the node under a key, if there is one."""
        return next((value for name, value in self.items if name.text == key), None)


Node = Scalar | Sequence | Mapping


class Unreadable(Exception):
    """A text that is no usable YAML; carries the one problem that stopped the reading."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def decode(data: bytes, file: str) -> str:
    """Return the text of a file; raises Unreadable where it is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise Unreadable(_problem(file, 1, 1, f"the file is larger than {MAX_BYTES:,} bytes", "a ruleset or a case"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise Unreadable(_problem(file, line, column, "a byte that is not text", "text in UTF-8")) from None


def read(text: str, file: str) -> Node:
    """Return the one document of a text; raises Unreadable with the place where reading stopped."""
    try:
        return _build(_events(text), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = " ".join(filter(None, (error.context, error.problem)))
        raise Unreadable(_problem(file, line, column, f"not readable as YAML: {printable(said, 200)}")) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise Unreadable(_problem(file, line, column, "a character that YAML does not allow", "text")) from None


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _problem(file: str, line: int, column: int, message: str, expected: str | None = None) -> Problem:
    return Problem(file=file, line=line, column=column, message=message, expected=expected)


def _build(events: Iterator[Any], file: str) -> Node:
    """Build nodes without recursion, so that depth costs a message and not the stack."""
    documents: list[Node] = []
    open_: list[Sequence | Mapping] = []
    keys: list[Scalar | None] = []

    def refuse(event: Any, message: str, expected: str | None = None) -> Unreadable:
        return Unreadable(_problem(file, event.start_mark.line + 1, event.start_mark.column + 1, message, expected))

    def place(node: Node, event: Any) -> None:
        if not open_:
            documents.append(node)
            return
        holder, key = open_[-1], keys[-1]
        if isinstance(holder, Sequence):
            holder.items.append(node)
        elif key is not None:
            holder.items.append((key, node))
            keys[-1] = None
        elif not isinstance(node, Scalar):
            raise refuse(event, "a list or mapping as a key", "a name as the key")
        else:
            keys[-1] = node

    for count, event in enumerate(events):
        if count > MAX_NODES:
            raise refuse(event, f"more than {MAX_NODES:,} entries", "a ruleset or a case")
        if isinstance(event, yaml.AliasEvent):
            raise refuse(event, "an alias (*)", "the thing itself, written out")
        if getattr(event, "anchor", None) is not None:
            raise refuse(event, "an anchor (&)", "text without anchors")
        if getattr(event, "tag", None) is not None and isinstance(event, yaml.NodeEvent):
            raise refuse(event, "a tag (!)", "text without tags")
        line = event.start_mark.line + 1 if event.start_mark else 1
        column = event.start_mark.column + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):
            place(Scalar(event.value, event.style is None or event.style == "", line, column), event)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if len(open_) == MAX_DEPTH:
                raise refuse(event, f"nested more than {MAX_DEPTH} deep", "a flatter text")
            made = (Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping)([], line, column)
            place(made, event)
            open_.append(made)
            keys.append(None)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            open_.pop()
            keys.pop()
        elif isinstance(event, yaml.DocumentStartEvent) and documents:
            raise refuse(event, "a second document", "one document in a file")
    if not documents:
        raise Unreadable(_problem(file, 1, 1, "the file is empty", "a mapping"))
    return documents[0]


def duplicates(node: Mapping) -> Iterator[tuple[Scalar, Scalar]]:
    """Yield the keys that came before in the same mapping, each with the first of that name."""
    seen: dict[str, Scalar] = {}
    for key, _ in node.items:
        if key.text in seen:
            yield key, seen[key.text]
        else:
            seen[key.text] = key

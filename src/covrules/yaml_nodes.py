"""YAML text to nodes that know their line and column; a stranger's file can neither run, grow nor nest away."""

import re
from collections.abc import Iterator
from typing import Any, Final

import attrs
import yaml

from covrules.errors import Problem

MAX_BYTES: Final = 1_000_000
"""The largest file read; the largest shipped one has less than a tenth of that."""
MAX_DEPTH: Final = 40
MAX_NODES: Final = 200_000

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BARRED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_QUOTE: Final = "put quotes around text that"
_INDENT: Final = "indent the keys of a mapping alike"
_ENTRIES: Final = f"separate entries by commas, and {_QUOTE} has , : {{ }} [ ] in it"

# A part of what YAML's parsers say, what it means to an author, and what to do; the first that fits.
_MISTAKES: Final = (
    ("tab character", "a tab where only spaces may stand", "indent with spaces"),
    ("any token", "no text begins with this character", f"{_QUOTE} does"),
    ("mapping values", "a colon that follows no key", f"{_INDENT}; {_QUOTE} has a colon in it"),
    ("simple key", "a key without a value", "write `key: value`, with a space after the colon"),
    ("end of stream", "a quote that is never closed", "end the text with the quote it begins with"),
    ("Unicode", "an escape that is no character", "write the character itself"),
    ("quoted scalar", "a backslash that begins no character", "between single quotes a backslash is just that"),
    ("block scalar", "text beside | or >", "begin it on the next line"),
    ("alias", "an alias (*) is not allowed", f"{_QUOTE} begins with *"),
    ("anchor", "an anchor (&) is not allowed", f"{_QUOTE} begins with &"),
    ("tag", "a tag (!) is not allowed", f"{_QUOTE} begins with !"),
    ("flow mapping", "the braces that open in line {line} do not go on or close here", _ENTRIES),
    ("flow sequence", "the brackets that open in line {line} do not go on or close here", _ENTRIES),
    ("sequence entries", "a list that begins beside its key", "begin each - on a line of its own"),
    ("block mapping", "no key where one was expected", f"{_INDENT}; {_QUOTE} begins with a quote or a brace"),
    ("block collection", "no - where one was expected", "indent every - of a list alike"),
    ("document start", "text after the end of the document", "write one mapping of keys to values"),
    ("node content", "a sign where a value was expected", f"{_QUOTE} begins with it"),
)
_FOUND_LATE: Final = ("simple key", "end of stream")


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
        raise Unreadable(_problem(file, 1, 1, f"the file is larger than {MAX_BYTES:,} bytes"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place(error.object[: error.start].decode())
        hint = "it looks like UTF-16: save it as UTF-8" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise Unreadable(_problem(file, line, column, "a byte that is not text", "text in UTF-8", hint)) from None


def lines(text: str) -> list[str]:
    """Return the lines of a text as YAML counts them."""
    return _BREAK.split(text)


def read(text: str, file: str) -> Node:
    """Return the one document of a text; raises Unreadable with the place where reading stopped."""
    if barred := _BARRED.search(text):
        message = f"a character that YAML does not allow (U+{ord(barred[0]):04X})"
        raise Unreadable(_problem(file, *_place(text[: barred.start()]), message, "text in UTF-8"))
    try:
        return _build(_events(text), file)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_mistake(error, text, file)) from None
    except (ValueError, OverflowError):
        # The parser in Python lets these through from escapes and directives with huge numbers.
        raise Unreadable(_problem(file, 1, 1, "not readable as YAML")) from None


def peek(text: str, *keys: str) -> dict[str, str]:
    """Return the texts under some keys of the outermost mapping, reading no further than to the last of them."""
    found: dict[str, str] = {}
    depth, name = 0, None
    try:
        for event in _events(text):
            if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                depth += 1
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                depth -= 1
                name = None
            elif isinstance(event, yaml.ScalarEvent) and depth == 1:
                if name in keys:
                    found.setdefault(name, event.value)
                if len(found) == len(keys):
                    break
                name = event.value if name is None else None
    except (yaml.YAMLError, ValueError, OverflowError):
        pass
    return found


def _mistake(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """Return the problem in words of our own: those of YAML's parsers differ, and may repeat what was read."""
    said = f"{error.context} {error.problem}".partition(", but ")[0]
    late = any(sign in said for sign in _FOUND_LATE)
    mark = (error.context_mark if late else error.problem_mark) or error.problem_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "any token" in said and lines(text)[line - 1][column - 1 : column] == "\t":
        said = "tab character"
    opened = error.context_mark.line + 1 if error.context_mark else line
    for sign, message, hint in _MISTAKES:
        if sign in said:
            message = message.format(line=opened)
            return _problem(file, line, column, f"not readable as YAML: {message}", hint=hint)
    return _problem(file, line, column, "not readable as YAML")


def _events(text: str) -> Iterator[Any]:
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _place(before: str) -> tuple[int, int]:
    """Return the line and column of what follows a text."""
    above = lines(before)
    return len(above), len(above[-1]) + 1


def _problem(
    file: str, line: int, column: int, message: str, expected: str | None = None, hint: str | None = None
) -> Problem:
    return Problem(file=file, line=line, column=column, message=message, expected=expected, hint=hint)


def _build(events: Iterator[Any], file: str) -> Node:
    """Build nodes without recursion, so that depth costs a message and not the stack."""
    documents: list[Node] = []
    open_: list[Sequence | Mapping] = []
    keys: list[Scalar | None] = []

    def refuse(event: Any, message: str, expected: str | None = None, hint: str | None = None) -> Unreadable:
        mark = event.start_mark
        return Unreadable(_problem(file, mark.line + 1, mark.column + 1, message, expected, hint))

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
            raise refuse(event, "a list or mapping as a key", "a name as the key", f"{_QUOTE} begins with {{ or [")
        else:
            keys[-1] = node

    for count, event in enumerate(events):
        if count > MAX_NODES:
            raise refuse(event, f"more than {MAX_NODES:,} entries in one file")
        if isinstance(event, yaml.AliasEvent):
            raise refuse(event, "an alias (*) is not allowed", None, f"{_QUOTE} begins with *")
        if getattr(event, "anchor", None) is not None:
            raise refuse(event, "an anchor (&) is not allowed", None, f"{_QUOTE} begins with &")
        if getattr(event, "tag", None) is not None:
            raise refuse(event, "a tag (!) is not allowed", None, f"{_QUOTE} begins with !")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            place(Scalar(event.value, event.style is None or event.style == "", line, column), event)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if len(open_) == MAX_DEPTH:
                raise refuse(event, f"nested more than {MAX_DEPTH} deep")
            made = (Sequence if isinstance(event, yaml.SequenceStartEvent) else Mapping)([], line, column)
            place(made, event)
            open_.append(made)
            keys.append(None)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            open_.pop()
            keys.pop()
        elif isinstance(event, yaml.DocumentStartEvent) and documents:
            raise refuse(event, "a second document", "one document in a file", "leave out the line ---")
    if not documents:
        raise Unreadable(_problem(file, 1, 1, "the file is empty", "a mapping of keys to values"))
    return documents[0]


def duplicates(node: Mapping) -> Iterator[tuple[Scalar, Scalar]]:
    """Yield the keys that came before in the same mapping, each with the first of that name."""
    seen: dict[str, Scalar] = {}
    for key, _ in node.items:
        if key.text in seen:
            yield key, seen[key.text]
        else:
            seen[key.text] = key

"""The answers to a plan interview from a file, YAML or JSON: read with their places, all that is wrong said at once."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from covrules import yaml_nodes
from covrules.condition_reading import ConditionReader
from covrules.errors import FactError
from covrules.facts import FACTS
from covrules.interview.plan_file import PLAN_FACTS, Call
from covrules.kinds import Date
from covrules.node_reading import Enough
from covrules.typed import MAX_ANSWER
from covrules.yaml_nodes import Node, Scalar, Sequence, Unreadable

__all__ = ["Answers", "read_answers"]

_NAMES: Final = tuple(FACTS[path].name for path in PLAN_FACTS)
_CALL: Final = "a mapping such as {with: Maria, on: 2026-11-23, reference: ...}"


@attrs.frozen
class Answers:
    """What was said in a call: the facts by path, and what the plan is called if that is said.

    `title` is that; `call` is the call in which all of it was said.
    """

    title: str | None
    call: Call
    facts: Mapping[str, Any]


def read_answers(data: bytes, file: str, today: dt.date) -> Answers:
    """Return the answers in a file's bytes; `file` is what errors call it, no call is later than `today`.

    Raises FactError listing everything wrong.

    >>> read_answers(b"{call: {on: 2026-11-23}, plan: {units_per_visit: 4}}", "-", dt.date(2026, 11, 23)).facts
    {'plan.units_per_visit': 4}
    """
    reader = _Reader(file)
    try:
        root = yaml_nodes.read(_spaced(yaml_nodes.decode(data, file)), file)
        answers = reader.answers(root, today)
    except Unreadable as unreadable:
        raise FactError([unreadable.problem]) from None
    except Enough:
        answers = None
    if answers is None or reader.problems:
        raise FactError(sorted(reader.problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
    return answers


def _spaced(text: str) -> str:
    """Return JSON indented with tabs as the YAML that it is with spaces: within its texts a tab cannot be."""
    if "\t" not in text:
        return text
    try:
        json.loads(text, parse_int=str)
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


class _Reader(ConditionReader):
    """Reads answers, and notes what is wrong."""

    def answers(self, root: Node, today: dt.date) -> Answers | None:
        """Return the answers; None where something is so wrong that there are none."""
        table = self.mapping(
            root, "a file of answers", ("title", "call", "plan"), "a mapping with title, call and plan"
        )
        if table is None:
            return None
        title = self.optional(table, "title", lambda node: self.short(node, "the title"))
        call = self.required(table, "call", "a file of answers", lambda node, _: self.call(node, today))
        facts = self.optional(table, "plan", self.facts)
        return Answers(title, call, facts or {}) if call is not None else None

    def call(self, node: Node, today: dt.date) -> Call | None:
        """Return the call in which it was said."""
        table = self.mapping(node, "the call", ("with", "on", "reference"), _CALL)
        if table is None:
            return None
        day: dt.date | None = self.required(table, "on", "the call", lambda n, what: self.value(n, what, Date()))
        if day is not None and day > today:
            self.fail(
                table.get("on") or table, "the on of the call is a day to come", f"a day that is not after {today}"
            )
        who, reference = (
            self.optional(table, key, lambda n, key=key: self.short(n, f"the {key} of the call"))  # type: ignore[misc]
            for key in ("with", "reference")
        )
        return Call(day, who, reference) if day is not None else None

    def short(self, node: Node, what: str) -> str | None:
        """Return the text of a node, if it says anything."""
        if isinstance(node, Scalar) and node.null:
            return None
        text = self.text(node, what)
        return None if text is None else self.bounded(node, text.strip(), what)

    def facts(self, node: Node) -> dict[str, Any]:
        """Return the facts of the plan by path; those without a value stay as they are."""
        table = self.mapping(node, "plan", _NAMES, "a mapping of facts to what the insurer said")
        facts = {}
        for key, value in table.items if table is not None else ():
            if key.text in _NAMES and not (isinstance(value, Scalar) and value.null):
                path = f"plan.{key.text}"
                facts[path] = self.value(value, path, FACTS[path].kind)
                for part in value.items if isinstance(value, Sequence) else (value,):
                    if isinstance(part, Scalar):
                        self.bounded(part, part.text, path)
        return facts

    def bounded(self, node: Node, text: str, what: str) -> str | None:
        """Return a text that is not too long."""
        if len(text) <= MAX_ANSWER:
            return text
        self.fail(node, f"{what} has {len(text):,} characters", f"at most {MAX_ANSWER}")
        return None

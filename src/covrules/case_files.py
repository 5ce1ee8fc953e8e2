"""A case from a file: YAML, where text is read as each fact's type, or JSON, where types are strict."""

import datetime as dt
import json
from collections.abc import Iterator
from collections.abc import Mapping as Table
from types import MappingProxyType
from typing import Any

import attrs

from covrules import yaml_nodes
from covrules.case_reading import case_from_dict, own_values, undeclared, unknown_fact
from covrules.declaring import Fact, problem_with
from covrules.errors import MAX_PROBLEMS, FactError, Problem
from covrules.facts import FACTS, GROUPS, OWN, Case, Own, case_of
from covrules.kinds import Unfit
from covrules.node_reading import shape
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence, Unreadable

__all__ = ["read_case", "visit_date"]


def visit_date(data: bytes, file: str) -> dt.date | None:
    """Return the date of the visit in the bytes of a case, by which a ruleset may be chosen; raises FactError."""
    return _case(data, file, None).visit.date


def read_case(data: bytes, file: str, declares: Table[str, Fact] = MappingProxyType({})) -> Case:
    """Return the case in a file's bytes; `file` is what errors call it, `declares` the facts of its ruleset's own.

    A file named `.json` is JSON, one named `.yaml` or `.yml` is YAML; where the name says nothing, what can be read
    as JSON is JSON. Raises FactError listing everything wrong, by place and by fact, without a value.
    """
    return _case(data, file, declares)


def placed(error: FactError, data: bytes, file: str) -> FactError:
    """Return the error with the places in a case's file of the facts it names."""
    try:
        places = _places(yaml_nodes.read(yaml_nodes.decode(data, file), file))
    except Unreadable:
        return error
    return FactError(_placed(p, places, file) if p.path in places and p.file is None else p for p in error.problems)


def _case(data: bytes, file: str, declares: Table[str, Fact] | None) -> Case:
    """Return the case; without `declares` the facts of a ruleset's own are passed over."""
    try:
        text = yaml_nodes.decode(data, file)
        if file.endswith(".json") or (not file.endswith((".yaml", ".yml")) and _is_json(text)):
            return _json_case(text, file, declares)
        return _yaml_case(yaml_nodes.read(text, file), file, declares)
    except Unreadable as unreadable:
        raise FactError([unreadable.problem]) from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return False
    return True


def _json_case(text: str, file: str, declares: Table[str, Fact] | None) -> Case:
    try:
        return _of_json(json.loads(text, object_pairs_hook=_unique, parse_int=_integer), declares)
    except json.JSONDecodeError as error:
        wrong = Problem(file=file, line=error.lineno, column=error.colno, message=f"not readable as JSON: {error.msg}")
        raise FactError([wrong]) from None
    except RecursionError:
        raise FactError([Problem(file=file, line=1, column=1, message="nested too deep")]) from None
    except _Twice:
        reader = _Reader(file, declares)
        reader.case(_nodes(text, file))
        twice = Problem(file=file, line=1, column=1, message="a name comes twice in one mapping")
        raise FactError(sorted(reader.problems, key=_by_place) or [twice]) from None
    except FactError as error:
        places = _places(_nodes(text, file))
        raise FactError(sorted((_placed(p, places, file) for p in error.problems), key=_by_place)) from None


def _of_json(data: Any, declares: Table[str, Fact] | None) -> Case:
    """Return the case of plain data; raises one FactError of all that is wrong, own facts included."""
    problems: list[Problem] = []
    try:
        case = case_from_dict(data)
    except FactError as error:
        problems += error.problems
    own = data.get(OWN) if isinstance(data, dict) else None
    if declares is not None and isinstance(own, dict):
        try:
            own_values(Own(own), declares)
        except FactError as error:
            problems += error.problems
    if problems:
        raise FactError(problems)
    return case


class _Twice(Exception):
    """A name that comes twice in one mapping of JSON."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise _Twice
    return table


def _integer(digits: str) -> int:
    # Python refuses to read thousands of digits; the first twenty are too large for any fact already.
    return int(digits[:20])


def _nodes(text: str, file: str) -> Node | None:
    """Return JSON as nodes that know their places; None for the little of it that is no YAML."""
    try:
        return yaml_nodes.read(text, file)
    except Unreadable:
        return None


def _places(root: Node | None) -> dict[str, Node]:
    places: dict[str, Node] = {}
    for group, facts in root.items if isinstance(root, Mapping) else ():
        places[group.text] = facts if group.text in (*GROUPS, OWN) else group
        for name, value in facts.items if isinstance(facts, Mapping) else ():
            path = f"{group.text}.{name.text}"
            places[path] = value if path in FACTS or group.text == OWN else name
    return places


def _placed(problem: Problem, places: dict[str, Node], file: str) -> Problem:
    node = places.get(problem.path or "")
    line, column = (node.line, node.column) if node is not None else (1, 1)
    return attrs.evolve(problem, file=file, line=line, column=column)


def _by_place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0


def _yaml_case(root: Node, file: str, declares: Table[str, Fact] | None) -> Case:
    reader = _Reader(file, declares)
    groups = reader.case(root)
    if reader.problems:
        raise FactError(sorted(reader.problems, key=_by_place))
    return case_of(groups)


class _Reader:
    """Reads nodes into facts, and notes what is wrong."""

    def __init__(self, file: str, declares: Table[str, Fact] | None) -> None:
        self.file = file
        self.declares = declares
        self.vocabulary = FACTS if not declares else {**FACTS, **declares}
        self.problems: list[Problem] = []

    def case(self, root: Node | None) -> dict[str, dict[str, Any]]:
        entries = self.entries(root, None) if root is not None else ()
        return {
            group: dict(self.values(facts, group))
            for group, facts in entries
            if group != OWN or self.declares is not None
        }

    def place(self, node: Node) -> dict[str, Any]:
        return {"file": self.file, "line": node.line, "column": node.column}

    def entries(self, node: Node, group: str | None) -> Iterator[tuple[str, Node]]:
        """Yield the groups of a case, or the facts of a group, by name; a name that comes twice, once."""
        if not isinstance(node, Mapping):
            if group is None or not _null(node):
                expected = "a mapping of facts to values" if group else "a mapping of groups of facts"
                wrong = Problem(path=group, message=f"found {shape(node)}", expected=expected, **self.place(node))
                self.problems.append(wrong)
            return
        again = {id(key): first.line for key, first in yaml_nodes.duplicates(node)}
        for key, value in node.items:
            path = f"{group}.{key.text}" if group else key.text
            known = path in self.vocabulary if group else path in (*GROUPS, OWN)
            if len(self.problems) >= MAX_PROBLEMS:
                return
            if id(key) in again:
                hint = f"it is there first in line {again[id(key)]}"
                named = path if known else None
                self.problems.append(Problem(path=named, message="this name comes twice", hint=hint, **self.place(key)))
            elif known:
                yield key.text, value
            elif group == OWN:
                self.problems.append(undeclared(key.text, self.declares or {}, **self.place(key)))
            else:
                self.problems.append(unknown_fact(key.text, group, **self.place(key)))

    def values(self, node: Node, group: str) -> Iterator[tuple[str, Any]]:
        """Yield the known facts of a group with their values."""
        for name, value in self.entries(node, group):
            fact = self.vocabulary[f"{group}.{name}"]
            if not _null(value):
                try:
                    yield name, fact.kind.read(_texts(value))
                except Unfit as unfit:
                    self.problems.append(problem_with(fact.path, fact.kind, unfit, **self.place(value)))


def _null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.null


def _texts(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.text
    items = node.items if isinstance(node, Sequence) else []
    texts = [item.text for item in items if isinstance(item, Scalar) and not item.null]
    if isinstance(node, Mapping) or len(texts) < len(items):
        raise Unfit("a mapping" if isinstance(node, Mapping) else "a list of more than plain values")
    return texts

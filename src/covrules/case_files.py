"""A case from a file: YAML, where text is read as each fact's type, or JSON, where types are strict."""

import json
from typing import Any

from covrules import yaml_nodes
from covrules.errors import FactError, Problem
from covrules.facts import FACTS, GROUPS, Case, case_from_dict, problem_with, unknown_fact
from covrules.kinds import Unfit
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence


def read_case(data: bytes, file: str) -> Case:
    """Return the case in a file's bytes; `file` is what errors call it.

    A name ending in `.json`, or a text that begins with a brace where the name says nothing, is JSON; all
    else is YAML. Raises FactError listing everything wrong, by place and by fact, without a value.
    """
    try:
        text = yaml_nodes.decode(data, file)
        yaml_named = file.endswith((".yaml", ".yml"))
        if file.endswith(".json") or (not yaml_named and text.lstrip().startswith("{")):
            return case_from_dict(_json(text, file))
        return _case(yaml_nodes.read(text, file), file)
    except yaml_nodes.Unreadable as unreadable:
        raise FactError([unreadable.problem]) from None


def _json(text: str, file: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            raise FactError(
                [Problem(file=file, message="a name comes twice in one mapping", expected="each name once")]
            )
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        wrong = Problem(file=file, line=error.lineno, column=error.colno, message=f"not readable as JSON: {error.msg}")
        raise FactError([wrong]) from None
    except FactError:
        raise
    except (RecursionError, ValueError):
        raise FactError(
            [Problem(file=file, message="nested too deep, or a number too long", expected="a case")]
        ) from None


def _case(root: Node, file: str) -> Case:
    problems: list[Problem] = []
    groups: dict[str, dict[str, Any]] = {}

    def place(node: Node) -> dict[str, Any]:
        return {"file": file, "line": node.line, "column": node.column}

    def entries(node: Node, what: str) -> list[tuple[Scalar, Node]]:
        if isinstance(node, Scalar) and node.null:
            return []
        if not isinstance(node, Mapping):
            problems.append(
                Problem(message=f"{what} is no mapping", expected="a mapping of names to values", **place(node))
            )
            return []
        for key, first in yaml_nodes.duplicates(node):
            problems.append(
                Problem(message="a name comes twice", hint=f"it is there first in line {first.line}", **place(key))
            )
        return node.items

    for group, facts in entries(root, "the case"):
        if group.text not in GROUPS:
            problems.append(unknown_fact(group.text, **place(group)))
            continue
        for name, node in entries(facts, group.text):
            fact = FACTS.get(f"{group.text}.{name.text}")
            if fact is None:
                problems.append(unknown_fact(name.text, group.text, **place(name)))
            elif not (isinstance(node, Scalar) and node.null):
                try:
                    groups.setdefault(group.text, {})[fact.name] = fact.kind.read(_texts(node))
                except Unfit as unfit:
                    problems.append(problem_with(fact.path, fact.kind, unfit, **place(node)))
    if problems:
        raise FactError(problems)
    return Case(**{group: GROUPS[group](**values) for group, values in groups.items()})  # type: ignore[arg-type]


def _texts(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence) and all(isinstance(item, Scalar) for item in node.items):
        return [item.text for item in node.items if isinstance(item, Scalar)]
    raise Unfit("a mapping" if isinstance(node, Mapping) else "a list of more than plain values")

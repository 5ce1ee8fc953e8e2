"""What the reference makes of docstrings: names in backticks become links, and what is declared is told once."""

import ast
import inspect
import pkgutil
import sys
from importlib import import_module
from typing import Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.roles import XRefRole

import covrules
from covrules import file_format, rule, rulesets
from covrules.declaring import Group, declared

KEYS: Final = {
    rulesets.Period: {"since": file_format.EFFECTIVE["from"], "until": file_format.EFFECTIVE["until"]},
    rulesets.Ruleset: file_format.FILE,
    rule.Cap: {"limit": file_format.CAP[rule.REQUESTED], "less": file_format.CAP["less"]},
    rule.Denial: file_format.DENIAL,
    rule.Example: file_format.EXAMPLE,
    rule.Remedy: file_format.REMEDY,
    rule.Rule: {**file_format.RULE, "stage": file_format.RULE["from"]},
    rule.Source: file_format.SOURCE,
}
"""The classes whose fields are what keys of a ruleset file say."""


class Named(XRefRole):
    """A name in backticks: a link where it is the name of something in the reference, code where it is not."""

    def process_link(
        self, env: Any, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Look for the name from where it stands, as something of Python that may not be there."""
        refnode["refdomain"], refnode["reftype"] = "py", "obj"
        refnode["py:module"] = env.ref_context.get("py:module")
        refnode["py:class"] = env.ref_context.get("py:class")
        refnode["may_lead_nowhere"] = True
        return title, target


def left_as_code(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Return the name as it is where it leads nowhere and may."""
    return contnode if node.get("may_lead_nowhere") else None


def signature(app: Sphinx, what: str, name: str, thing: Any, options: Any, said: str, returns: str) -> Any:
    """Leave out what only covrules itself builds things with, and the names of facts, which are listed below."""
    if what != "class" or issubclass(thing, BaseException):
        return None
    return None if thing is covrules.Case else ("", None)


def docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Say of a group which facts it has, and of a field that a file writes what its key says."""
    if what == "class" and isinstance(thing, type) and issubclass(thing, Group):
        lines += ["", "Its facts, all by keyword and unknown if left out:"]
        for fact in declared(thing):
            lines += ["", f"- :covrules:fact:`{fact.name} <{fact.path}>` ({fact.kind.name}): {fact.ask}"]
    if what == "attribute" and not any(lines):
        path, _, field = name.rpartition(".")
        owner = getattr(sys.modules.get(path.rpartition(".")[0]), path.rpartition(".")[2], None)
        if owner in KEYS and field in KEYS[owner]:
            lines[:] = [KEYS[owner][field].says.replace("`", "``")]


def with_types_alone() -> None:
    """Import into each module what it imports for type checking alone, as signatures name it."""
    names = ["covrules", *[found.name for found in pkgutil.walk_packages(covrules.__path__, "covrules.")]]
    for module in [import_module(name) for name in names if not name.endswith("__main__")]:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
                exec(compile(ast.Module(node.body, []), module.__name__, "exec"), vars(module))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add it all."""
    with_types_alone()
    app.add_role("named", Named())
    app.connect("missing-reference", left_as_code)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

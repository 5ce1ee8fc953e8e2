"""What the reference makes of docstrings: names in backticks become links, facts and fields are listed once."""

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.roles import XRefRole

from covrules.declaring import Group, declared


class Named(XRefRole):
    """A name in backticks: a link where it is the name of something in the reference, code where it is not."""

    def result_nodes(self, document, env, node, is_ref):  # type: ignore[no-untyped-def]
        """Mark the reference as one that may lead nowhere."""
        node["refdomain"], node["reftype"] = "py", "obj"
        node["may_lead_nowhere"] = True
        node["py:module"] = env.ref_context.get("py:module")
        node["py:class"] = env.ref_context.get("py:class")
        return [node], []


def left_as_code(app: Sphinx, env: Any, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Return the name as it is where it leads nowhere and may."""
    return contnode if node.get("may_lead_nowhere") else None


def signature(app: Sphinx, what: str, name: str, thing: Any, options: Any, said: str, returns: str) -> Any:
    """Leave out what only covrules itself builds things with; of groups of facts, name the facts."""
    if what != "class" or issubclass(thing, BaseException):
        return None
    if issubclass(thing, Group):
        return f"(*, {', '.join(f'{fact.name}=None' for fact in declared(thing))})", None
    return None if name.endswith(".Case") else ("", None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add it all."""
    app.add_role("named", Named())
    app.connect("missing-reference", left_as_code)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

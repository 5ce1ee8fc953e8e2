"""Sphinx extension: names the arrows of the theme's side bar, of which a screen reader would say "button" alone."""

from typing import Any, Final

from sphinx.application import Sphinx

_WITHOUT: Final = '<summary><span class="toctree-toggle"'
_WITH: Final = '<summary aria-label="Pages under this one"><span class="toctree-toggle"'
_AFTER_THE_THEME: Final = 900


def setup(app: Sphinx) -> dict[str, Any]:
    """Join the build."""
    app.connect("html-page-context", _name, priority=_AFTER_THE_THEME)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _name(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    made = context.get("generate_toctree_html")
    if made is not None:

        def named(kind: str, **how: Any) -> Any:
            tree = made(kind, **how)
            return str(tree).replace(_WITHOUT, _WITH) if kind == "sidebar" else tree

        context["generate_toctree_html"] = named

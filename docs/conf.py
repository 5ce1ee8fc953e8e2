"""How Sphinx builds the documentation."""

from covrules import __version__

project = "covrules"
copyright = "2026, the covrules authors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
autodoc_member_order = "bysource"
autodoc_typehints = "none"

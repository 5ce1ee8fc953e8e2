"""How Sphinx builds the documentation."""

import os
from pathlib import Path

import covrules

project = "covrules"
copyright = "2026, the covrules authors"
release = version = covrules.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Executed notebooks are kept beside the folder of the pages, which may be within this one.
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1240px", "body_max_width": "none"}
html_static_path = ["_static"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"

# Notebooks are kept without outputs and run anew in every build, which fails where one of their cells does.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
# They run in another folder, from where a relative path to the library would lead nowhere.
if "PYTHONPATH" in os.environ:
    os.environ["PYTHONPATH"] = str(Path(covrules.__file__).resolve().parents[1])

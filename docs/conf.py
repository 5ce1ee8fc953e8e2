"""How Sphinx builds the documentation."""

import os
import sys
from pathlib import Path

import covrules

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "covrules"
author = "the covrules authors"
copyright = f"2026, {author}"
release = version = covrules.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.programoutput",
    "covrules.sphinxext",
    "docstrings",
    "file_format",
    "named_toggles",
    "try_it",
]
# Executed notebooks are kept beside the folder of the pages, which may be within this one.
exclude_patterns = ["_build", "jupyter_execute"]
root_doc = "index"

# --- how it looks --------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "covrules"
html_theme_options = {
    "logo": {"text": "covrules"},
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "try": []}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .go"

# --- the reference -------------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Left out is what engines and readers need of one another, and users do not.
_WITHIN = (
    "made", "demand", "application", "exception", "waiving", "excuse", "forms", "edition", "fixed_by_group", "insurers",
    "clinics", "around", "on_disk", "table",
)  # fmt: skip
autodoc_default_options = {"members": True, "undoc-members": True, "exclude-members": ",".join(_WITHIN)}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
default_role = "named"
# What belongs to other projects: their pages are elsewhere, and no build asks for them.
nitpick_ignore = [
    ("py:class", name)
    for name in (
        "collections.abc.Callable",
        "collections.abc.Collection",
        "collections.abc.Iterable",
        "collections.abc.Iterator",
        "collections.abc.Mapping",
        "collections.abc.Sequence",
        "contextlib.AbstractContextManager",
        "datetime.date",
        "os.PathLike",
        "pathlib.Path",
        "polars.dataframe.frame.DataFrame",
        "re.Pattern",
    )
]

# --- what is run ---------------------------------------------------------------------------------------------------

# Commands are run as they are shown, by the interpreter that builds, in the folder that holds `examples`.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["COLUMNS"] = "96"
programoutput_prompt_template = "$ {command}\n{output}"

# Notebooks are kept without outputs and run anew in every build, which fails where one of their cells does.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
# They run in another folder, from where a relative path to the library would lead nowhere.
if "PYTHONPATH" in os.environ:
    os.environ["PYTHONPATH"] = str(Path(covrules.__file__).resolve().parents[1])

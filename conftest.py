"""Runs the examples in the README, the documentation and the docstrings as tests."""

import os
from doctest import ELLIPSIS
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser
from tests.blocks import BlockParser

_HERE = Path(__file__).parent
_BEFORE = "folder of the tests"


def _begin(namespace: dict[str, Any]) -> None:
    """Run a page in a folder of its own, which holds what its reader has: the examples and the rules."""
    folder = TemporaryDirectory()
    for name in ("examples", "rules"):
        (Path(folder.name) / name).symlink_to(_HERE / name)
    namespace[_BEFORE] = os.getcwd(), folder
    os.chdir(folder.name)


def _end(namespace: dict[str, Any]) -> None:
    before, folder = namespace.pop(_BEFORE)
    os.chdir(before)
    folder.cleanup()


_markdown = Sybil(
    parsers=[PythonCodeBlockParser(), BlockParser()],
    patterns=["README.md", "examples/README.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"],
    # What the documentation writes itself when it is built.
    excludes=[f"docs/reference/{made}" for made in ("codes/*", "facts/*", "rulesets/*", "statuses.*", "tests.*")],
    setup=_begin,
    teardown=_end,
)
_docstrings = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS)], patterns=["src/**/*.py", "src/**/**/*.py", "docs/_ext/try_page.py"]
)

pytest_collect_file = (_markdown + _docstrings).pytest()

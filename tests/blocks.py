"""What is done with each fenced block of a page that is not plain Python: something must run it, or load it."""

import csv
import datetime as dt
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from tempfile import mkdtemp

import yaml
from click.testing import CliRunner
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.region import Lexeme

import covrules
from covrules.api import evaluate
from covrules.case_files import read_case
from covrules.checking import written_by
from covrules.cli import main
from covrules.file_format import FILE
from covrules.interview.answers_file import read_answers
from covrules.mutation.trials import Trial

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
OPTIONS = re.compile(r"\A(:[a-z-]+:[^\n]*\n)*\n?")
BY_SPHINX = (
    "click", "command-output", "eval-rst", "file-comparisons", "file-keys", "file-types", "include", "literalinclude",
    "program-output", "raw", "toctree",
)  # fmt: skip
"""Directives with no code of their own in them: Sphinx runs the commands, and includes files that are tested."""
README = Path(__file__).parents[1] / "README.md"
"""Its commands set everything up, and are run by .ci/run."""
ELSEWHERE = {"{code-block} python": "tests/test_frames.py"}
"""What another test runs, as it needs what that test has: Spark."""

LATER = dt.date(2030, 1, 1)
"""A day after every call that the pages tell of."""

run_python = PythonEvaluator()


class BlockParser:
    """Finds the fenced blocks that Sybil's own parser of Python leaves, so that none is passed over."""

    def __call__(self, document: Document) -> Iterator[Region]:
        """Yield each block with what runs it."""
        for found in FENCE.finditer(document.text):
            info, body = found["info"].strip(), found["body"]
            if info == "python" or info in ELSEWHERE or (info == "sh" and Path(document.path) == README):
                continue
            options = OPTIONS.match(body).end() if info.startswith("{") else 0
            line = document.text[found.start() : found.start("body") + options].count("\n")
            block = Lexeme(body[options:], found.start("body") + options - found.start(), line - 1)
            yield Region(found.start(), found.end(), block, RUN.get(info) or what_sphinx_runs)


def what_sphinx_runs(example: Example) -> None:
    """Accept a directive that Sphinx runs, and nothing else."""
    info = example.document.text[example.region.start :].splitlines()[0].strip("`")
    named = re.match(r"\{(.*?)\}", info)
    assert named is not None, f"nothing runs or loads a block of {info or 'no language'!r}"
    assert named[1] in BY_SPHINX or named[1].startswith("covrules:"), f"nothing runs or loads the directive {named[1]}"
    assert "code-block::" not in example.parsed, "nothing runs a code-block in reStructuredText"


def run_shell(example: Example) -> None:
    """Run commands as they are written, with the covrules that is tested."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euc", example.parsed], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def load_yaml(example: Example) -> None:
    """Load a ruleset, some keys or rules of one, a case, or the answers of a call."""
    text = example.parsed
    data = yaml.safe_load(text)
    if isinstance(data, list):
        text, data = f"rules:\n{textwrap.indent(text, '  ')}", {"rules": data}
    if "call" in data:
        assert read_answers(text.encode(), "answers.yaml", LATER).facts
    elif data.keys() <= FILE.keys():
        load_ruleset(text, data)
    else:
        assert read_case(text.encode(), "case.yaml").to_dict()


def load_ruleset(text: str, data: dict[str, object]) -> None:
    """Load a ruleset from the file it would be in, and run the examples of its rules."""
    around = {"schema": "covrules/1", "id": "documented", "title": "Documented", "status": "illustrative"}
    around |= {"version": '"1"', "extends": "medical-massage"}
    missing = [] if "schema" in data else [f"{key}: {value}\n" for key, value in around.items() if key not in data]
    file = Path(f"{data.get('id', 'documented')}.yaml")
    file.write_text("".join([*missing, text]), encoding="utf-8")
    ruleset = covrules.load(file)
    for rule in written_by(ruleset):
        trial = Trial.of(ruleset, rule)
        for said, case in zip(rule.examples, trial.examples, strict=True):
            assert evaluate(trial.alone, case, stage=rule.stage).findings[0].status == said.then, said


def decide_csv(example: Example) -> None:
    """Decide the rows of a CSV file; all of them can be used, and come back as they were."""
    given, made = Path("given.csv"), Path("made.csv")
    given.write_text(example.parsed, encoding="utf-8")
    ran = CliRunner().invoke(main, ["batch", str(given), "--ruleset", "medical-massage", "-o", str(made)])
    assert ran.exit_code == 0, ran.output
    with open(given, newline="") as before, open(made, newline="") as after:
        for row, decided in zip(csv.DictReader(before), csv.DictReader(after), strict=True):
            assert decided["coverage"]
            assert not decided["problems"]
            assert row.items() <= decided.items()


def build_markdown(example: Example) -> None:
    """Build a page of Markdown that uses the extension for documenting rulesets."""
    folder = Path(mkdtemp(dir="."))
    (folder / "index.md").write_text(f"# A page\n\n{example.parsed}", encoding="utf-8")
    warnings = StringIO()
    settings = {
        "extensions": ["myst_parser", "covrules.sphinxext"],
        "covrules_rulesets": ["medical-massage"],
        # A page that refers to those of the extension has them written.
        "covrules_pages": "reference" if "reference/" in example.parsed else None,
    }
    with patch_docutils(), docutils_namespace():
        Sphinx(folder, None, folder / "_build", folder / "_build", "dummy", settings, None, warnings).build()
    assert not warnings.getvalue(), warnings.getvalue()


RUN = {
    "{code-cell}": run_python,
    "{code-cell} python": run_python,
    "csv": decide_csv,
    "markdown": build_markdown,
    "sh": run_shell,
    "yaml": load_yaml,
}

"""What is shipped: a wheel built from this tree works by itself, rules included."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT], check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_what_it_needs_and_no_more(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "covrules/py.typed" in names
    assert "covrules/rules/medical-massage.yaml" in names
    assert "covrules/codes/icd10cm.txt.gz" in names
    assert "covrules/sphinxext/static/covrules.css" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "test" in name or name.startswith(("docs", "benchmarks"))]


def test_the_wheel_works_in_a_clean_environment(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The compiled engine alone is tried, so that no compiler has to run again.
    needed = ["attrs", "cattrs", "click", "pyyaml", "rich"]
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *needed], check=True)
    code = (
        "import covrules; from covrules import Case, Visit; "
        "verdict = covrules.load('medical-massage').evaluate(Case(visit=Visit(liability='work', minutes=60))); "
        "verdict.to_dict(); verdict.explain(); "
        "print(verdict.coverage, verdict.engine, verdict.finding('no-other-payer').where.split(':')[0])"
    )
    run = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout.split() == ["not-covered", "compiled", "rules/medical-massage.yaml"]
    command = [tmp_path / "venv" / "bin" / "covrules", "list"]
    assert "medical-massage" in subprocess.run(command, check=True, capture_output=True, text=True).stdout

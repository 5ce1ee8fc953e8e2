"""The direction of imports, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "covrules"

# A module may import, when it is itself imported, only what stands before it; modules in one row, not each other.
ORDER = [
    ["errors", "codes.body_sites", "codes.timed_units", "codes.icd10cm", "codes.denials", "codes"],
    ["kinds"],
    ["values_to_try"],
    ["declaring"],
    ["facts"],
    ["case_reading"],
    ["derived"],
    ["extras", "populations.distributions"],
    ["populations"],
    ["conditions"],
    ["lowering"],
    ["rule", "truth"],
    ["rulesets", "mutation.telling"],
    ["findings", "mutation.mutants", "file_format"],
    ["answers", "judging", "yaml_nodes"],
    ["node_reading"],
    ["condition_reading", "extending", "verdicts", "case_files", "meeting", "typed", "writing"],
    ["fact_reading", "questions", "remedies", "engines._network"],
    ["frames.columns", "frames.program"],
    ["frames.polars_columns", "frames.sql"],
    ["frames.polars_rows", "frames.sql_facts"],
    ["frames.polars_engine", "frames.sql_frames"],
    ["frames.polars_frames"],
    ["frames"],
    ["deciding_words"],
    ["outlines"],
    ["rendering"],
    ["batch.files"],
    ["batch.csv_files", "batch.parquet_files"],
    ["batch"],
    ["checklist", "rule_reading", "showing", "terminal"],
    ["loading"],
    ["library"],
    ["interview.plan_file"],
    ["interview.answers_file"],
    ["engines.compiled", "engines.durable", "engines"],
    ["mutation.trials"],
    ["mutation.branches", "mutation"],
    ["api"],
    ["variations"],
    ["plots", "tables"],
    ["sweeping"],
    ["comparing"],
    ["checking", "interview.asking", "intake.asking"],
    ["sphinxext"],
    ["sphinxext.catalogue", "sphinxext.changes", "sphinxext.decision_table"],
    ["sphinxext.flow", "sphinxext.stubs"],
    ["sphinxext.building"],
    ["sphinxext.code_page", "sphinxext.fact_page", "sphinxext.rule_page", "sphinxext.ruleset_page"],
    ["sphinxext.verdict", "sphinxext.word_pages"],
    ["sphinxext.domain"],
    ["sphinxext.directives"],
    ["interview", "intake"],
    ["interview.conversation", "intake.conversation"],
    ["cli"],
    ["__main__"],
]
RANK = {name: rank for rank, row in enumerate(ORDER) for name in row}


def modules():
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
        if path != SOURCE / "__init__.py"
    }


def top_level_imports(path):
    """Yield the modules of ours that a module imports as it is imported; those for type checking are left out."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("covrules"):
            base = node.module.removeprefix("covrules").lstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                if full in RANK or base:
                    yield full if full in RANK else base
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("covrules.") for a in node.names if a.name.startswith("covrules."))


def test_every_module_has_its_place():
    assert set(modules()) == set(RANK)


@pytest.mark.parametrize("name", sorted(RANK))
def test_imports_run_one_way(name):
    for imported in top_level_imports(modules()[name]):
        assert RANK[imported] < RANK[name], f"{name} imports {imported}"


def loaded_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_importing_the_library_imports_no_more_than_the_facts():
    loaded = loaded_by("import covrules")
    heavy = {"durable", "durable_rules_engine", "yaml", "click", "rich", "cattrs", "json", "covrules.api"}
    assert loaded & heavy == set()


def test_the_compiled_engine_does_not_import_durable_rules():
    loaded = loaded_by(
        "import covrules; covrules.load('medical-massage').evaluate(covrules.Case(), engine='compiled').to_dict()"
    )
    assert not {name for name in loaded if name.startswith("durable")}


def test_durable_rules_own_python_is_never_imported():
    loaded = loaded_by("import covrules; covrules.load('medical-massage').evaluate(covrules.Case())")
    assert not {name for name in loaded if name == "durable" or name.startswith("durable.")}


def test_every_module_says_in_its_first_line_what_it_is_for():
    for path in modules().values():
        first = ast.get_docstring(ast.parse(path.read_text()))
        assert first, path
        assert first.splitlines()[0].endswith((".", ":")), path

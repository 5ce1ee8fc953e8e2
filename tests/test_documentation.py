"""That the documentation has all that is public, that docstrings say it, and that nothing in it goes unrun."""

import ast
import codeop
import inspect
import pkgutil
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import attrs
import pytest
import yaml
from sybil import Document
from sybil.example import Example

import blocks
import covrules
from covrules import errors, file_format
from covrules.declaring import Group
from covrules.file_format import Key
from covrules.loading import read_ruleset

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = "\n".join(page.read_text("utf-8") for page in (DOCS / "reference" / "api").glob("*.md"))
EVERY_KEY = DOCS / "reference" / "every-key.yaml"
NOT_FOR_USERS = {"covrules.engines.durable"}


def public_modules():
    """Yield the modules that say what in them is public."""
    for found in pkgutil.walk_packages(covrules.__path__, "covrules."):
        if found.name not in {"covrules.__main__", *NOT_FOR_USERS}:
            module = import_module(found.name)
            if hasattr(module, "__all__"):
                yield module


def public():
    """Yield everything public with the name users know it by."""
    for module in (covrules, *public_modules()):
        for name in module.__all__:
            yield pytest.param(module, name, id=f"{module.__name__}.{name}")


def test_every_public_module_is_in_the_reference():
    documented = set(re.findall(r"automodule:: (\S+)", API))
    assert documented == {module.__name__ for module in public_modules()}


def test_every_name_of_the_top_level_is_in_the_reference():
    documented = set(re.findall(r"auto(?:class|function|exception|data):: covrules\.(\w+)$", API, re.MULTILINE))
    assert documented == set(covrules.__all__)


def test_only_what_another_page_has_is_left_out_of_a_module():
    left_out = re.findall(r"automodule:: (\S+)\n   :exclude-members: (.*)", API)
    shown = set(re.findall(r"auto\w+:: (\S+)", API))
    for module, names in left_out:
        for name in names.split(", "):
            assert {f"{module}.{name}", f"covrules.{name}"} & shown, name


HOMES = [
    import_module(found.name)
    for found in pkgutil.walk_packages(covrules.__path__, "covrules.")
    if found.name != "covrules.__main__"
]


def told(module, name):
    """Return what is said of a public name: its docstring, or that under the line which assigns it."""
    thing = getattr(module, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return inspect.getdoc(thing)
    for home in [each for each in HOMES if getattr(each, name, None) is thing]:
        for node, after in pairwise(ast.parse(inspect.getsource(home)).body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if name in [getattr(target, "id", None) for target in targets] and isinstance(after, ast.Expr):
                return ast.literal_eval(after.value)
    return None


@pytest.mark.parametrize(("module", "name"), [*public()])
def test_everything_public_has_a_docstring(module, name):
    said = told(module, name)
    assert said, "no docstring"
    assert said.strip().partition("\n\n")[0].endswith((".", ":")), said
    thing = getattr(module, name)
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property | classmethod)):
            assert inspect.getdoc(getattr(thing, member)), member


_CONF = (DOCS / "conf.py").read_text("utf-8")
WITHIN = set(re.findall(r'"(\w+)"', _CONF.partition("_WITHIN = (")[2].partition(")")[0]))
"""What the reference leaves out, as only engines and readers need it."""


def fields_of(thing):
    return [field.name for field in attrs.fields(thing) if not field.name.startswith("_") and field.name not in WITHIN]


def test_every_field_of_a_public_class_is_told_of():
    silent = []
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.isclass(thing) or not attrs.has(thing) or issubclass(thing, Group):
                continue
            said = " ".join([inspect.getdoc(each) or "" for each in thing.__mro__ if each is not object])
            said += " ".join(keys_of(name))
            source = inspect.getsource(thing)
            for field in fields_of(thing):
                under = re.search(rf'^    {field}: .*\n    """', source, re.MULTILINE)
                words = rf"\b{field.replace('_', '[ _]')}"
                if not under and not re.search(words, said, re.IGNORECASE):
                    silent.append(f"{module.__name__}.{name}.{field}")
    assert silent == []


def keys_of(name):
    """Return the keys of a file that the reference tells of where a class has them as fields."""
    same = ("Cap", "Denial", "Example", "Remedy", "Rule", "Source")
    tables = {"Ruleset": "FILE", "Variation": "FILE", **{name: name.upper() for name in same}}
    return getattr(file_format, tables[name]) if name in tables else ()


# --- the file format --------------------------------------------------------------------------------------------

PLACES = {
    "FILE": lambda file: [file],
    "EFFECTIVE": lambda file: [file["effective"]],
    "SOURCE": lambda file: [*file["sources"].values()],
    "FIXED": lambda file: [*file["facts"].values()],
    "DECLARED": lambda file: [*file["declares"].values()],
    "RULE": lambda file: file["rules"],
    "CAP": lambda file: [rule["caps"] for rule in file["rules"] if "caps" in rule],
    "REMEDY": lambda file: [rule["remedy"] for rule in file["rules"] if "remedy" in rule],
    "DENIAL": lambda file: [
        each
        for rule in file["rules"]
        if "denial" in rule
        for each in (rule["denial"] if isinstance(rule["denial"], list) else [rule["denial"]])
    ],
    "EXAMPLE": lambda file: [each for rule in file["rules"] for each in rule.get("examples", ())],
}


def every_key():
    """Return the file of the reference that has every key, as plain values; dates and numbers stay texts."""
    return yaml.load(EVERY_KEY.read_text("utf-8"), Loader=yaml.BaseLoader)


def wrong_with(file):
    """Return what is wrong with a file that is given as plain values."""
    from covrules.library import resolve, shipped

    known = shipped()
    find = lambda id, period: resolve(known[id][0], known, known[id], None)  # noqa: E731
    try:
        read_ruleset(yaml.safe_dump(file).encode(), "every-key.yaml", find)
    except errors.RulesetError as error:
        return [problem.message for problem in error.problems]
    return []


def tables():
    return {name: table for name, table in vars(file_format).items() if name.isupper() and isinstance(table, dict)}


def test_the_tables_are_all_in_the_reference():
    page = (DOCS / "reference" / "file-format.md").read_text("utf-8")
    assert set(re.findall(r"\{file-keys\} (\w+)", page)) == {*tables()} == {*PLACES}


def test_the_example_in_the_reference_uses_every_key():
    for name, table in tables().items():
        used = {key for place in PLACES[name](every_key()) for key in place}
        assert used == set(table), name


@pytest.mark.parametrize("name", PLACES)
def test_the_keys_that_the_reference_calls_needed_are_needed(name):
    for key, told_of in tables()[name].items():
        assert isinstance(told_of, Key)
        needed = []
        for number, place in enumerate(PLACES[name](every_key())):
            if key in place:
                file = every_key()
                del PLACES[name](file)[number][key]
                needed.append(any(f"has no {key}" in each for each in wrong_with(file)))
        assert told_of.required == all(needed) or (name == "DECLARED" and key in ("who", "ask", "from", "to", "system"))


# --- blocks -----------------------------------------------------------------------------------------------------


def run(text):
    document = Document(text, "page.md")
    regions = [*blocks.BlockParser()(document)]
    for region in regions:
        Example(document, 1, 1, region, {}).evaluate()
    return len(regions)


@pytest.mark.parametrize("info", ["", "console", "rust", "{code-block} yaml", "{doctest}", "json", "text"])
def test_a_block_that_nothing_runs_is_refused(info):
    with pytest.raises(AssertionError, match="nothing runs"):
        run(f"words\n\n```{info}\nx = 1\n```\n")


def test_blocks_are_run_and_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("```sh\ntouch made\n```\n\n```yaml\nvisit: {minutes: 60}\n```\n") == 2
    assert (tmp_path / "made").exists()
    with pytest.raises(AssertionError):
        run("```sh\nfalse\n```\n")
    with pytest.raises(covrules.FactError):
        run("```yaml\nvisit: {minuts: 60}\n```\n")
    with pytest.raises(covrules.RulesetError):
        run("```yaml\nfacts: {plan.payer: {valeu: X}}\n```\n")
    with pytest.raises(AssertionError):
        run("```yaml\n- {id: a, title: A, requires: {visit.minutes: 1}, examples: [{given: {}, then: met}]}\n```\n")


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "tutorials").glob("*.md")), ids=lambda page: page.stem)
def test_cells_of_a_tutorial_can_be_pasted_line_by_line(page):
    """Its reader is told to start a plain Python, in which an empty line ends a block."""
    for cell in re.findall(r"```\{code-cell\}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        typed = []
        for line in [*cell.splitlines(), ""]:
            typed.append(line)
            if codeop.compile_command("\n".join(typed)) is not None:
                typed = []
        assert typed == []


def test_what_another_test_runs_is_named_by_it():
    for info, test in blocks.ELSEWHERE.items():
        assert info in (ROOT / test).read_text("utf-8")


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    assert "docs/index.md" in links
    assert [link for link in links if "//" not in link and not (ROOT / link).exists()] == []

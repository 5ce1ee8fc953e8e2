"""A file is data from a stranger: whatever it holds, it is read or refused in its place, soon and in little memory."""

import copy
import json
import os
import random
import re
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import covrules
from covrules import FactError, RulesetError, yaml_nodes
from covrules.case_files import read_case
from covrules.loading import read_ruleset
from covrules.rulesets import ruleset_to_data
from covrules.yaml_nodes import MAX_BYTES, MAX_DEPTH, MAX_NODES
from test_loading import FULL, HEAD

BASE = (Path(__file__).parents[1] / "rules" / "medical-massage.yaml").read_text(encoding="utf-8")
RULE = "- id: sample\n  title: Sample\n  requires: {visit.purpose: treatment}\n"


def repeated(text, total=MAX_BYTES - 2_000):
    return text * (total // len(text))


def numbered(pattern, count):
    """Return a pattern many times, each with letters in the place of @, no two of them alike."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(
        pattern.replace("@", letters[n % 26] + letters[n // 26 % 26] + letters[n // 676 % 26] + letters[n // 17_576])
        for n in range(count)
    )


HOSTILE = {
    "alias bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "alias to itself": "a: &a [*a]\n",
    "anchors": repeated("&a "),
    "tags": repeated("!a "),
    "a tag that runs": "!!python/object/apply:os.system [exit]",
    "a tag directive": "%TAG ! tag:example.org,2000:\n---\n!a b",
    "a directive unknown": "%FOO bar\n---\na: 1\n",
    "a directive of a later version": "%YAML 3.0\n---\na: 1\n",
    "a directive with a huge version": f"%YAML 1.{'9' * 100_000}\n---\na: 1\n",
    "merge keys": HEAD + "<<: {rules: []}\n",
    "merge keys, many": HEAD + repeated("<<: {}\n", 300_000),
    "brackets": "[" * 20_000,
    "brackets that close": "[" * 20_000 + "]" * 20_000,
    "a megabyte of brackets": "[" * MAX_BYTES,
    "braces": "{a: " * 20_000,
    "braces and brackets": "[{a: " * 100_000,
    "a megabyte of dashes": repeated("- "),
    "a megabyte of question marks": repeated("? "),
    "a megabyte of colons": repeated(": "),
    "indentation": "\n".join(" " * depth + "a:" for depth in range(1_300)),
    "indented lists": "\n".join(" " * depth + "-" for depth in range(1_300)),
    "a condition nested": f"{HEAD}rules:\n- id: a\n  title: A\n  requires: {'{not: ' * 20_000}",
    "empty": "",
    "blank": " " * MAX_BYTES,
    "lines": "\n" * MAX_BYTES,
    "carriage returns": "\r" * MAX_BYTES,
    "comments": repeated("#\n"),
    "only a document": "---\n",
    "documents": repeated("---\n"),
    "ends of documents": repeated("...\n"),
    "nul": "\0",
    "nuls": "\0" * MAX_BYTES,
    "a control character": HEAD + "# \x1b[31m\n",
    "a mark within": HEAD + "# \ufeff\n",
    "no character": HEAD + "# \uffff\n",
    "half a character, escaped": 'title: "\\ud800"',
    "no character, escaped": 'title: "\\U00110000"',
    "no character at all, escaped": 'title: "\\UFFFFFFFF"',
    "control characters, escaped": '"\\e[31m": "\\e[2J\\a\\0"\n',
    "a control character as a value": HEAD + RULE.replace("treatment", '"\\e[2J"').replace("- id", "rules:\n- id"),
    "a long line": HEAD + "x: " + "y" * 900_000,
    "a long title": HEAD.replace("Sample", "y" * 900_000),
    "a long key": "k" * 900_000 + ": 1",
    "a long key in quotes": '"' + "k" * 900_000 + '": 1',
    "a long key in braces": "{" + "k" * 900_000 + ": 1}",
    "a long explicit key": "? " + "k" * 900_000 + "\n: 1",
    "a long fact": HEAD + f"rules:\n- id: a\n  title: A\n  requires:\n    ? {'k' * 900_000}\n    : 1\n",
    "a long word": HEAD + f"rules:\n- id: a\n  title: A\n  requires: {{visit.purpose: {'k' * 900_000}}}\n",
    "a long reference": HEAD + f"rules:\n- id: a\n  title: A\n  requires: {{visit.purpose: ${'k' * 900_000}}}\n",
    "digits": HEAD + f"rules:\n- id: a\n  title: A\n  requires: {{visit.units: {'9' * 10_000}}}\n",
    "digits as a date": HEAD + f"rules:\n- id: a\n  title: A\n  requires: {{visit.date: {'9' * 10_000}}}\n",
    "quotes": "'" * (MAX_BYTES - 1),
    "double quotes": '"' * (MAX_BYTES - 1),
    "an open quote": '"' + repeated("a\n"),
    "blocks": repeated("|\n"),
    "a long block": "title: |\n" + repeated(" x\n"),
    "a long folded text": "title: a\n" + repeated(" x\n"),
    "a long folded quote": 'title: "a' + repeated("\n") + 'b"',
    "colons in braces": "{" + repeated("a:"),
    "commas": "[" + repeated(","),
    "a list as a key": "? [a]\n: b",
    "a mapping as a key": "? {a: b}\n: c",
    "a list as a key in braces": "{[a]: b}",
    "a number as a key": "1: 2\n",
    "null as a key": "null: 1\n~: 2\n",
    "nothing as a key": "? \n: a\n",
    "keys": numbered("@: 1\n", 20_000),
    "keys alike": repeated("a: 1\n", 300_000),
    "keys near to some": numbered("schema@: 1\n", 20_000),
    "groups near to some": "{" + numbered('"plan_@": 1, ', 20_000) + '"a": 1}',
    "facts near to some": '{"plan": {' + numbered('"units_per_@": 1, ', 20_000) + '"a": 1}}',
    "scalars": HEAD + f"rules: [{repeated('a,')}]",
    "rules of nothing": HEAD + f"rules: [{'{},' * 50_000}]",
    "rules with an id alone": HEAD + "rules:\n" + numbered("- {id: @}\n", 20_000),
    "rules alike": HEAD + "rules:\n" + repeated(RULE, 400_000),
    "sources": HEAD + "sources:\n" + numbered("  @: a\n", 20_000),
    "cites unknown": HEAD
    + "sources:\n"
    + numbered("  a-@: {title: A}\n", 5_000)
    + f"rules:\n- id: a\n  title: A\n  advises: A\n  cites: [{numbered('b-@,', 10_000)}]\n",
    "facts unknown": HEAD + f"rules:\n- id: a\n  title: A\n  requires: {{{numbered('plan.unit_@: 1,', 20_000)}}}\n",
    "operators unknown": HEAD
    + f"rules:\n- id: a\n  title: A\n  requires: {{visit.units: {{{numbered('at_most_@: 1,', 20_000)}}}}}\n",
    "words unknown": HEAD
    + "rules:\n- id: a\n  title: A\n  requires:\n    any:\n"
    + numbered("    - {visit.body_sites: {has: ankle-@}}\n", 15_000),
    "braces in a text": HEAD + f"rules:\n- id: a\n  title: A\n  advises: '{'{a}' * 600}'\n",
    "an indented tab": "a:\n\tb: 1\n",
}  # fmt: skip
BYTES = {
    "larger than is read": b"a" * (MAX_BYTES + 1),
    "all bytes": bytes(range(256)) * 3_000,
    "random bytes": random.Random(1).randbytes(900_000),
    "utf-16": BASE.encode("utf-16"),
    "utf-16, unmarked": BASE.encode("utf-16-le"),
    "utf-32": BASE.encode("utf-32"),
    "latin-1": "title: Médecin".encode("latin-1"),
    "a mark alone": b"\xef\xbb\xbf",
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + BASE.encode(),
    "half a character": b"title: \xed\xa0\x80",
    "half a character at the end": BASE.encode() + b"# \xc3",
    "longer than needed": b"title: \xc0\xaf",
    **{name: text.encode() for name, text in HOSTILE.items()},
}


def checked(error, file):
    """Assert that every problem has its place, and that nothing in it can steer a terminal."""
    for problem in error.problems:
        assert problem.file == file
        assert problem.line >= 1
        assert problem.column >= 1
    said = str(error)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\ufeff]", said)
    assert len(said) < 100_000
    assert len(error.problems) <= 100
    places = [(problem.line, problem.column) for problem in error.problems]
    assert all(one <= other for one, other in pairwise(places))


@pytest.mark.parametrize("name", BYTES)
def test_hostile_rulesets(name):
    began = time.process_time()
    with pytest.raises(RulesetError) as caught:
        read_ruleset(BYTES[name], "hostile.yaml")
    checked(caught.value, "hostile.yaml")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("file", ["hostile.yaml", "hostile.json"])
@pytest.mark.parametrize("name", [name for name, data in BYTES.items() if not data.startswith(HEAD.encode())])
def test_hostile_cases(name, file):
    began = time.process_time()
    with pytest.raises(FactError) as caught:
        read_case(BYTES[name], file)
    checked(caught.value, file)
    assert all(problem.source is None for problem in caught.value.problems)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", ["rules of nothing", "a megabyte of brackets"])
def test_memory_is_bounded(name):
    tracemalloc.start()
    try:
        with pytest.raises(RulesetError):
            read_ruleset(BYTES[name], "hostile.yaml")
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_thousands_of_rules_are_read():
    rules = numbered(RULE.replace("sample", "@"), 5_000)
    began = time.process_time()
    assert len(read_ruleset(f"{HEAD}rules:\n{rules}".encode(), "many.yaml").rules) == 5_000
    assert time.process_time() - began < 5


def test_the_depths_and_sizes_that_are_read():
    inner = "{visit.purpose: treatment}"
    for _ in range(MAX_DEPTH - 4):
        inner = f"{{not: {inner}}}"
    text = f"{HEAD}rules: [{{id: a, title: A, requires: {inner}}}]"
    read_ruleset(text.encode(), "deep.yaml").rules[0].demand  # noqa: B018
    with pytest.raises(RulesetError, match="nested more than 40 deep"):
        read_ruleset(
            text.replace("{not: {visit", "{not: {not: {visit").replace("treatment}", "treatment}}").encode(), ""
        )
    root = yaml_nodes.read("[" + "a," * (MAX_NODES - 5) + "]", "")
    assert len(root.items) == MAX_NODES - 5
    with pytest.raises(yaml_nodes.Unreadable, match="more than 200,000 entries"):
        yaml_nodes.read("[" + "a," * MAX_NODES + "]", "")
    filled = HEAD + "#" * (MAX_BYTES - len(HEAD))
    assert read_ruleset(filled.encode(), "full.yaml").rules == ()


# --- files ------------------------------------------------------------------------------------------------------


def not_loaded(path):
    with pytest.raises(RulesetError) as caught:
        covrules.load(path)
    return str(caught.value)


def test_what_is_no_file(tmp_path):
    assert "Is a directory" in not_loaded(tmp_path) or os.name == "nt"
    assert "No such file" in not_loaded(tmp_path / "none.yaml")
    assert "ame too long" in not_loaded(tmp_path / ("a" * 5_000 + ".yaml"))
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert "loop.yaml" in not_loaded(tmp_path / "loop.yaml")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "none.yaml")
    assert "No such file" in not_loaded(tmp_path / "dangling.yaml")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.yaml"
    path.write_text(BASE)
    path.chmod(0)
    assert "Permission denied" in not_loaded(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
def test_a_file_without_end():
    assert "larger than" in not_loaded("/dev/zero")


def test_a_large_file_is_not_read_whole(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    try:
        assert "larger than" in not_loaded(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_file_whose_name_could_steer_a_terminal(tmp_path):
    path = tmp_path / "\x1b[31mred\udc80.yaml"
    try:
        path.write_text("a: 1\n")
    except (OSError, UnicodeEncodeError):
        pytest.skip("the file system takes no such name")
    said = not_loaded(path)
    assert "\x1b" not in said
    assert said.encode()
    assert "[31mred" in said


# --- lines ------------------------------------------------------------------------------------------------------


def test_lines_are_counted_as_yaml_counts_them():
    rnd = random.Random(5)
    words = ["a", "b: c", "- d", "# e", "'f", "'", '"', "|", "  ", " ", "é", "按", "\N{GRINNING FACE}"]
    breaks = ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\n\n", "\n\r", "\r\r\n"]
    compared = 0
    for _ in range(3_000):
        text = "".join(rnd.choice(words) + rnd.choice(["", "", *breaks]) for _ in range(rnd.randrange(1, 12)))
        lines = yaml_nodes.lines(text)
        assert "".join(lines) == re.sub("[\r\n\x85\u2028\u2029]", "", text)
        try:
            for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                if isinstance(event, yaml.ScalarEvent) and event.value and not event.style and event.value.isalpha():
                    assert lines[event.start_mark.line][event.start_mark.column :].startswith(event.value), repr(text)
                    compared += 1
        except yaml.YAMLError:
            continue
    assert compared > 1_000


def test_a_byte_that_is_not_text_is_found_in_its_place():
    for before, line, column in (
        (b"", 1, 1),
        (b"title: ", 1, 8),
        ("title: é按".encode(), 1, 10),
        (b"a: 1\r\nb: ", 2, 4),
        ("a: 1\u2028b\x85c".encode(), 3, 2),
        (b"\xef\xbb\xbfa: ", 1, 4),
    ):
        for junk in (b"\xff", b"\xc3(", b"\xed\xa0\x80"):
            with pytest.raises(RulesetError) as caught:
                read_ruleset(before + junk + b"\n", "junk.yaml")
            (problem,) = caught.value.problems
            assert (problem.line, problem.column) == (line, column)
            assert "^" in str(caught.value) or problem.source == ""


def test_a_character_that_yaml_does_not_allow_is_found_in_its_place():
    for bad in "\0\x01\x1b\x7f\x80\ufffe\uffff\ufeff":
        with pytest.raises(RulesetError) as caught:
            read_ruleset(f"a: é\r\nb: 按\u2028c: {bad}\n".encode(), "junk.yaml")
        (problem,) = caught.value.problems
        assert (problem.line, problem.column) == (3, 4)
        assert f"U+{ord(bad):04X}" in problem.message


# --- mutations --------------------------------------------------------------------------------------------------

JUNK = [
    *"{}[]:,-?&*!|>'\"%@`#~$. \n\t\\\r\0\x85\u2028\ufeffé按", "<<: ", "---\n", "...\n", "\\ud800", "null", "{{", "}}",
    "all: ", "any: []", "not: ", "  ", "- ", ": ", "plan.payer", "$visit.date", "\x1b[31m", "9" * 40,
]  # fmt: skip
RULES = BASE.index("\nrules:")
STARTS = [match.start() for match in re.finditer(r"^  - id: ", BASE, re.MULTILINE)] + [len(BASE)]


def some_rules(rnd):
    """Return the base ruleset with a few of its rules."""
    picked = sorted(rnd.sample(range(len(STARTS) - 1), 3))
    return BASE[:RULES] + "\nrules:\n" + "".join(BASE[STARTS[n] : STARTS[n + 1]] for n in picked)


def mutated(text, rnd):
    for _ in range(rnd.choice([1, 1, 1, 2, 3, 8])):
        lines = text.splitlines(keepends=True) or [""]
        place = rnd.randrange(len(lines))
        other = rnd.randrange(len(lines))
        match rnd.randrange(10):
            case 0:
                del lines[place]
            case 1:
                del lines[place : place + rnd.randrange(1, 9)]
            case 2:
                lines.insert(other, lines[place])
            case 3:
                lines[place], lines[other] = lines[other], lines[place]
            case 4:
                lines[place] = " " * rnd.choice([1, 2, 4]) + lines[place]
            case 5:
                lines[place] = lines[place].removeprefix(" " * rnd.choice([1, 2]))
            case 6 | 7:
                at = rnd.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:at] + rnd.choice(JUNK) + lines[place][at:]
            case 8:
                at = rnd.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:at] + lines[place][at + rnd.choice([1, 1, 2, 5]) :]
            case 9:
                words = lines[place].split(" ")
                rnd.shuffle(words)
                lines[place] = " ".join(words)
        text = "".join(lines)
    return text


def within(data, path=()):
    """Yield every place in plain data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from within(value, (*path, key))


def at(data, path):
    for key in path:
        data = data[key]
    return data


def rearranged(data, rnd):
    """Return plain data with parts of it in the places of others, under the names of others, or gone."""
    data = copy.deepcopy(data)
    for _ in range(rnd.choice([1, 1, 2, 3])):
        places = list(within(data))
        if not places:
            break
        place, other = rnd.choice(places), rnd.choice(places)
        holder, part = at(data, place[:-1]), copy.deepcopy(at(data, other))
        if rnd.random() < 0.2:
            part = rnd.choice(["", "~", None, True, 5, -1, 1.5, "$visit.units", "any", [], {}, [[]], "{", "\a"])
        match rnd.randrange(3):
            case 0:
                holder[place[-1]] = part
            case 1:
                del holder[place[-1]]
            case 2 if isinstance(holder, dict):
                holder[str(other[-1])] = holder.pop(place[-1])
    return data


def test_a_rearranged_ruleset_is_read_or_refused():
    full = yaml.load(FULL, yaml.BaseLoader)
    rnd = random.Random(6)
    read = 0
    for _ in range(800):
        data = rearranged(full, rnd)
        try:
            ruleset = read_ruleset(json.dumps(data).encode(), "rearranged.yaml")
        except RulesetError as error:
            checked(error, "rearranged.yaml")
        else:
            again = json.dumps(ruleset_to_data(ruleset)).encode()
            assert read_ruleset(again, "again.yaml") == ruleset
            read += 1
    assert 40 < read < 760


def fuzz(seed, count, whole):
    rnd = random.Random(seed)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(count):
        data = mutated(BASE if rnd.random() < whole else some_rules(rnd), rnd).encode("utf-8", "surrogatepass")
        if rnd.random() < 0.05:
            at = rnd.randrange(len(data))
            data = data[:at] + bytes([rnd.randrange(256)]) + data[at + 1 :]
        try:
            ruleset = read_ruleset(data, "mutated.yaml")
        except RulesetError as error:
            checked(error, "mutated.yaml")
            outcomes["refused"] += 1
        else:
            assert ruleset.digest.startswith("sha256:")
            for rule in ruleset.rules:
                assert rule.reachable
                assert rule.facts is not None
            outcomes["read"] += 1
    assert min(outcomes.values()) > count // 20, outcomes


def test_a_mutated_ruleset_is_read_or_refused():
    fuzz(1, 60, whole=1)
    fuzz(2, 600, whole=0)


@pytest.mark.long
def test_a_mutated_ruleset_is_read_or_refused_for_long():
    fuzz(3, 20_000, whole=0.2)

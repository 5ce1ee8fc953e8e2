"""Cases as files: text is typed by its fact in YAML, types are strict in JSON, and no error shows a patient's value."""

import json
import random
from pathlib import Path

import pytest
import yaml

import covrules
import generators
from covrules import ANY, NEVER, OPEN, UNLIMITED, Case, FactError, Plan, Visit
from covrules.case_files import read_case
from covrules.facts import FACTS, GROUPS
from covrules.yaml_nodes import MAX_BYTES

EXAMPLES = Path(__file__).parents[1] / "examples"


def refused(text, file="case.yaml"):
    with pytest.raises(FactError) as caught:
        read_case(text if isinstance(text, bytes) else text.encode(), file)
    for problem in caught.value.problems:
        assert (problem.file, problem.source) == (file, None)
        assert problem.line >= 1
        assert problem.column >= 1
    return caught.value.problems


def from_yaml(text):
    return read_case(text.encode(), "case.yaml")


def from_json(data):
    return read_case(json.dumps(data).encode(), "case.json")


# --- what is read -----------------------------------------------------------------------------------------------


def test_the_two_forms_say_the_same():
    rnd = random.Random(4)
    for _ in range(300):
        data = generators.case_data(rnd, rnd.sample(list(FACTS.values()), 12))
        case = from_json(data)
        assert from_yaml(yaml.safe_dump(data)) == case
        assert from_yaml(yaml.safe_dump(data, default_flow_style=True)) == case
        assert from_yaml(json.dumps(data)) == case
        assert from_yaml(yaml.safe_dump(case.to_dict())) == case
        assert from_json(case.to_dict()) == case


TEXTS = ["line\nbreak", "\ttab", "~", "null", "No", "1e5", "", " ", "#", "a: b", "按摩", "\0", "\ufeff",
         "\N{GRINNING FACE}", "'", '"', "\\", "2026-06-15", "\x1b[0m", "\x85", "\u2028"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_what_it_was(text):
    case = Case(plan=Plan(payer=text, mandates=[text]))
    assert from_yaml(yaml.safe_dump(case.to_dict())) == case
    assert from_json(case.to_dict()) == case
    assert read_case(json.dumps(case.to_dict(), ensure_ascii=False).encode(), "case.json") == case


def test_words_and_texts_in_yaml():
    case = from_yaml("""
plan: {payer: no, coverage_end: open, units_per_visit: unlimited, covered_procedures: any, mandates: [1E5, 00100, '~']}
prescription: {diagnosis: none, visits: "12", diagnosis_text: ~, body_sites: [neck]}
clinic: {accepts_payer_from: never}
visit: {date: 2026-06-15, procedure: 00100, minutes: "60", liability: none, with_physical_therapy: "true"}
history:
""")
    assert case.plan.payer == "no"
    assert case.plan.coverage_end is OPEN
    assert case.plan.units_per_visit is UNLIMITED
    assert case.plan.covered_procedures is ANY
    assert case.plan.mandates == {"1E5", "00100", "~"}
    assert (case.prescription.diagnosis, case.prescription.visits) == ("none", 12)
    assert case.prescription.diagnosis_text is None
    assert case.clinic.accepts_payer_from is NEVER
    assert (case.visit.procedure, case.visit.minutes, case.visit.with_physical_therapy) == ("00100", 60, True)


def test_types_are_strict_in_json():
    wrong = {
        "visit": {"minutes": "60", "procedure": 97124, "with_physical_therapy": "true", "body_sites": "neck"},
        "plan": {"units_per_visit": 4.0, "coverage_start": 20260101, "unit_minutes": True, "payer": 5},
    }
    problems = refused(json.dumps(wrong), "case.json")
    assert [problem.path for problem in problems] == [
        f"{group}.{name}" for group, facts in wrong.items() for name in facts
    ]


def test_null_and_absent_are_unknown():
    for text in ("{}", "plan:\n", "plan: ~\nvisit: {}\n", "plan: {payer: , mandates: null}\n", "{plan: Null}"):
        assert from_yaml(text) == Case()
    for data in ({}, {"plan": None}, {"plan": {"payer": None}}):
        assert from_json(data) == Case()


def test_a_quoted_null_is_text():
    assert from_yaml('plan: {payer: "null", mandates: ["~"]}') == Case(plan=Plan(payer="null", mandates=["~"]))


@pytest.mark.parametrize(
    ("file", "text", "json_"),
    [
        ("case.json", '{"visit": {"minutes": "60"}}', True),
        ("case.yaml", '{"visit": {"minutes": "60"}}', False),
        ("case.yml", '{"visit": {"minutes": "60"}}', False),
        ("standard input", '{"visit": {"minutes": "60"}}', True),
        ("standard input", ' \n\ufeff{"visit": {"minutes": "60"}}'.replace("\ufeff", ""), True),
        ("standard input", "visit: {minutes: '60'}", False),
        ("case", "visit: {minutes: '60'}", False),
    ],
)
def test_the_name_or_the_first_brace_tells_the_form(file, text, json_):
    if json_:
        assert "found text" in refused(text, file)[0].message
    else:
        assert read_case(text.encode(), file) == Case(visit=Visit(minutes=60))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_the_same_in_json(path):
    case = read_case(path.read_bytes(), path.name)
    assert from_json(case.to_dict()) == case


# --- what is refused --------------------------------------------------------------------------------------------


def test_errors_stand_where_they_are_made():
    text = """\
plan:
  payer: Example
  units_per_visit: four
  payr: Example
visit: {minutes: -1, date: 15.6.2026,
        body_sites: [neck, nek], body_sites: [neck]}
patients: {name: Jane}
history: [3]
plan: {}
"""
    said = [(p.line, p.column, p.path) for p in refused(text)]
    assert said == [
        (3, 20, "plan.units_per_visit"),
        (4, 3, "plan.payr"),
        (5, 18, "visit.minutes"),
        (5, 28, "visit.date"),
        (6, 21, "visit.body_sites"),
        (6, 34, "visit.body_sites"),
        (7, 1, "patients"),
        (8, 10, "history"),
        (9, 1, "plan"),
    ]


def test_errors_of_json_stand_where_they_are_made():
    text = """{
  "plan": {"payer": "Example", "units_per_visit": "four", "payr": "Example"},
  "visit": {"minutes": -1,
            "Full Name": "Jane"},
  "patients": {},
  "history": [3]
}"""
    said = [(p.line, p.column, p.path) for p in refused(text, "case.json")]
    assert said == [
        (2, 51, "plan.units_per_visit"),
        (2, 59, "plan.payr"),
        (3, 12, "visit"),
        (3, 24, "visit.minutes"),
        (5, 3, "patients"),
        (6, 14, "history"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "path"),
    [
        ('{"visit": {"minutes": 1,\n "minutes": 1}}', 2, 2, "visit.minutes"),
        ('{"visit": {},\n "visit": {}}', 2, 2, "visit"),
        ('{"visit": {"Jane": 1, "Jane": 1}}', 1, 12, "visit"),
        ('{"visit": {"minutes": {"a": 1, "a": 1}}}', 1, 23, "visit.minutes"),
        ('{"visit": {"minutes": 1, "minutes": 1, "purpose": "\\ud83d\\ude00"}}', 1, 1, None),
    ],
)
def test_a_name_that_comes_twice_in_json_is_refused(text, line, column, path):
    problem = refused(text, "case.json")[0]
    assert (problem.line, problem.column, problem.path) == (line, column, path)


def test_a_name_that_comes_twice_in_yaml_is_refused():
    (problem,) = refused("visit: {minutes: 60}\nvisit: {minutes: 90}\n")
    assert (problem.path, problem.message) == ("visit", "this name comes twice")
    assert problem.hint == "it is there first in line 1"


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "---\n", "~", "null", "[]", "text", "5", "- plan: {}\n", "plan: text", "plan: [payer]",
     "visit: {minutes: {a: 1}}", "visit: {minutes: [60]}", "plan: {mandates: [~]}", "plan: {mandates: [null, a]}",
     "plan: {mandates: [[a]]}", "plan: {mandates: {a: b}}", "plan: {mandates: a}", "? [plan]\n: {}\n", "1: 2\n",
     "plan: {? {a: b} : c}", "plan: {}\n---\nvisit: {}\n", "plan: &a {}\nvisit: *a\n", "plan: !!map {}\n",
     "<<: {plan: {}}\n", "plan: {<<: {payer: a}}\n"],
)  # fmt: skip
def test_what_is_no_case_in_yaml(text):
    assert len(refused(text)) == 1


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '"text"', "5", "{", "}", '{"plan": }', "{plan: {}}", '{"plan": {},}', "{} {}", "// a\n{}",
     '{"plan": []}', '{"visit": {"minutes": NaN}}', '{"visit": {"minutes": Infinity}}', '{"visit": {"minutes": 1e2}}',
     '{"plan": {"mandates": [null]}}', '{"plan": {"payer": "\\ud800"}}', '{"plan": {"payer": "\x01"}}',
     "[" * 100_000, '{"plan":' * 100_000, '{"visit": {"minutes": %s}}' % ("9" * 10_000),
     '{"visit": {"minutes": -%s}}' % ("9" * 10_000), '{"visit": {"minutes": 1.%s}}' % ("9" * 10_000),
     '{"visit": {"minutes": 1E%s}}' % ("9" * 10_000), '{"%s": {}}' % ("9" * 10_000)],
)  # fmt: skip
def test_what_is_no_case_in_json(text):
    assert len(refused(text, "case.json")) == 1


def test_too_many_digits_are_a_number_too_large():
    (problem,) = refused('{"visit": {"minutes": %s}}' % ("9" * 10_000), "case.json")
    assert (problem.path, problem.message) == ("visit.minutes", "found a number that is too large")


def test_what_is_too_large_or_no_text():
    for file in ("case.yaml", "case.json"):
        assert "larger than" in refused(b" " * (MAX_BYTES + 1), file)[0].message
        (problem,) = refused("plan: {payer: é\u2028é\r\né ".encode() + b"\xff}", file)
        assert (problem.line, problem.column, problem.message) == (3, 3, "a byte that is not text")
        (problem,) = refused(b"\xef\xbb\xbfplan: \xc3(", file)
        assert (problem.line, problem.column) == (1, 7)
    (problem,) = refused("plan: {}".encode("utf-16"))
    assert problem.hint == "it looks like UTF-16: save it as UTF-8"


# --- nothing of a patient is shown ------------------------------------------------------------------------------

CANARY = "Zq9Canary"


def secretive(text, file):
    """Return whether a text is refused; whatever is said of it repeats nothing marked as a patient's."""
    error = None
    try:
        read_case(text.encode(), file)
    except FactError as caught:
        error = caught
    if error is None:
        return False
    for said in (str(error), repr(error), repr(error.problems), repr(error.args)):
        assert "canary" not in said.lower(), text
        assert "98765" not in said, text
    assert error.__suppress_context__ or error.__context__ is None
    return True


VALUES = """\
C
[C]
{C: C}
'C
"C
"\\C"
"\\x0C"
*C
&C a
!C a
!C!a b
!<C
@C
%C
`C
C: C: a
[C
{C
C]
> C
| C
? C
- C
\tC
$plan.C
[~, C]
98765987659876598765987659876598765
-98765
98765.98765
""".replace("C", CANARY).splitlines()


def test_no_value_is_shown_whatever_is_wrong_with_it():
    shown = 0
    for path, fact in FACTS.items():
        for value in (*VALUES, f"\x01{CANARY}"):
            shown += secretive(f"{fact.group}:\n  {fact.name}: {value}\n", "case.yaml")
            shown += secretive(f"{fact.group}: {{{fact.name}: {value}, {path}: 1}}\n", "case.yaml")
            shown += secretive(f'{{"{fact.group}": {{"{fact.name}": {value}}}}}', "case.json")
            shown += secretive(f'{{"{fact.group}": {{"{fact.name}": "{CANARY}", "{CANARY}": 1}}, "a": 1}}', "case.json")
    assert shown > 5_000


YAML = """\
G: {C: 1}
G: {C: 1, C: 2}
C: G
C
- C
... C
%C
%TAG !C! a
G: {}: C
""".replace("C", CANARY).splitlines()
JSON = """\
{"G": {"C": 1}}
{"C": 1, "C": 2}
{"G": "C
"C"
{"G": {"a": "\\C"}}
C
""".replace("C", CANARY).splitlines()


def test_no_name_is_shown_that_is_no_facts():
    for group in (*GROUPS, CANARY):
        for text in YAML:
            assert secretive(text.replace("G", group), "case.yaml")
        for text in JSON:
            assert secretive(text.replace("G", group), "case.json")


def mutated(text, rnd):
    chars = list(text)
    for _ in range(rnd.choice([1, 1, 2, 4])):
        place = rnd.randrange(len(chars) + 1)
        what = rnd.choice(["insert", "delete", "swap", "cut"])
        if what == "insert":
            chars[place:place] = rnd.choice(
                [*"{}[]:,-?&*!|>'\"%@`#~ \n\t\\\r\x85\u2028\x00é按\ufeff0", "<<", "---\n", "\\ud800"]
            )
        elif what == "delete":
            del chars[place : place + rnd.choice([1, 1, 3, 20])]
        elif what == "swap" and len(chars) > 1:
            other = rnd.randrange(len(chars))
            place = min(place, len(chars) - 1)
            chars[place], chars[other] = chars[other], chars[place]
        else:
            del chars[place:]
    return "".join(chars)


def case_texts(rnd):
    """Yield cases as text in which everything that is a patient's is marked."""
    data = generators.case_data(rnd, rnd.sample(list(FACTS.values()), 6))
    data.setdefault("plan", {}).update(payer=CANARY, mandates=[CANARY])
    data.setdefault("prescription", {})["diagnosis_text"] = f"{CANARY} {CANARY}"
    data["visit"] = {**data.get("visit", {}), "minutes": 98765, "purpose": CANARY}
    return (yaml.safe_dump(data), "case.yaml"), (json.dumps(data), "case.json"), (json.dumps(data), "case.yaml")


def fuzz(seed, count):
    rnd = random.Random(seed)
    wrong = 0
    for _ in range(count):
        for text, file in case_texts(rnd):
            wrong += secretive(mutated(text, rnd), file)
    assert wrong > count


def test_mutated_cases_are_read_or_refused_in_silence():
    fuzz(1, 400)


@pytest.mark.long
def test_mutated_cases_are_read_or_refused_in_silence_for_long():
    fuzz(2, 30_000)


def test_json_tells_what_is_wrong_with_own_facts_and_with_others_at_once():
    declares = covrules.load(EXAMPLES / "rulesets" / "progress-reports.yaml").declares
    data = b'{"visit": {"minutes": "60"}, "own": {"last_report_on": 5}}'
    with pytest.raises(FactError) as caught:
        read_case(data, "case.json", declares)
    assert [(p.path, p.line, p.column) for p in caught.value.problems] == [
        ("visit.minutes", 1, 23), ("own.last_report_on", 1, 56),
    ]  # fmt: skip

"""Rulesets as files: what is read from them, what is refused, and what an author is told.

Each `snapshots/loading/NAME.yaml` is refused with the message in `NAME.txt`. After a change of messages,
COVRULES_RECORD=1 records them anew; read the difference before it is committed.
"""

import copy
import datetime as dt
import json
import os
import pickle
import random
import re
from pathlib import Path

import pytest
import yaml

import generators
from covrules import RulesetError, node_reading, yaml_nodes
from covrules.conditions import OPERATORS, AllOf, AnyOf, Not, Ref, make_test
from covrules.facts import FACTS
from covrules.kinds import ANY, OPEN, UNLIMITED, Days, Enum, SetOf
from covrules.loading import read_ruleset
from covrules.rule import Cap, Denial, Remedy, Template
from covrules.rulesets import Period, ruleset_to_data
from covrules.yaml_nodes import Mapping, Scalar, Sequence

SNAPSHOTS = Path(__file__).parent / "snapshots" / "loading"
needs_libyaml = pytest.mark.skipif(
    not hasattr(yaml, "CSafeLoader"), reason="the parser in Python places some mistakes a column further"
)

# Every key, every operator and every kind of value that a ruleset can have.
FULL = """\
schema: covrules/1
id: full
title: Every key there is
status: sourced
version: "2026.10"
sources:
  certificate: {title: Certificate of Coverage, section: "8.2", url: "https://example.org/coc", read: 2026-11-20}
  letter:
    title: A letter
rules:
  - id: requirement
    title: A requirement
    layer: policy
    from: delivered
    applies:
      all:
        - plan.prescription_required: true
          plan.minimum_specificity: {at_least: regional, below: specific}
        - {visit.date: {on_or_after: 2026-01-01, before: 2027-01-01}}
        - {plan.coverage_end: {after: open}}
    requires:
      any:
        - {prescription.prescriber: {in: $plan.accepted_prescribers}}
        - {prescription.prescriber: [MD, DO]}
        - {prescription.diagnosis: {within: [M54, G89.4]}}
        - not: {prescription.body_sites: {has: low-back}}
        - {visit.procedure: {not_in: [97124, "00100"]}}
        - {plan.visits_per_year: unlimited}
        - {history.visits_this_year: {above: 3, at_most: $plan.visits_per_year}}
    unless: {visit.liability: {equals: work}, visit.date: {on_or_before: $plan.coverage_end}}
    because: "{plan.payer} accepts {plan.accepted_prescribers}, not {prescription.prescriber} {{here}}."
    remedy: {who: doctor, action: Write it anew.}
    denial:
      - {when: {visit.liability: auto}, carc: 20}
      - {carc: "184", rarc: [N362, M76]}
    cites: [certificate, letter]
    examples:
      - {given: {plan.prescription_required: true, plan.accepted_prescribers: [MD], visit.units: 4}, then: unknown}
      - {given: {visit.liability: work, visit.date: 2026-06-15, plan.coverage_end: open}, then: waived}
  - id: cap
    title: A cap
    caps: {visit.units: $plan.units_per_day, less: history.units_this_day}
    denial: {carc: "151", rarc: N362}
    cites: [letter]
    examples: []
  - id: cap-of-four
    title: A cap by number
    caps: {visit.units: 4, less: [history.units_this_day, history.units_this_year]}
    cites: [letter]
  - id: advice
    title: Advice
    layer: clinic
    advises: Keep a copy for {plan.payer}.
    cites: [letter]
  - id: waiver
    title: A waiver
    layer: mandate
    applies: {own.days_since_report: {below: 30}, own.team: {has: home}, own.step: {above: first}}
    waives: [requirement, cap]
    cites: [letter]
effective: {from: 2025-01-01, until: 2027-01-01}
facts:
  plan.units_per_day: {value: {2025-01-01: 6, 2026-01-01: unlimited}, cites: [letter]}
  plan.accepted_prescribers:
    value: [MD, DO]
    cites: [certificate]
  own.team: {value: any, cites: [letter]}
declares:
  own.days_since_report: {type: days, from: own.last_report_on, to: visit.date, label: days since the report}
  own.last_report_on: {type: date, who: clinic, ask: "When was the last report sent?"}
  own.team: {type: set of enum or any, values: [home, away], who: doctor, ask: "Which team?", label: team}
  own.step: {type: ordered enum, values: [first, second], who: patient, ask: "Which step?"}
  own.machine: {type: code, system: CPT, who: insurer, ask: "Which code?"}
  own.spent: {type: int, who: insurer, ask: "How much?", unit: dollars}
"""
HEAD = 'schema: covrules/1\nid: sample\ntitle: Sample\nstatus: illustrative\nversion: "1"\n'


def load(text):
    return read_ruleset(text.encode(), "sample.yaml")


def refused(text):
    with pytest.raises(RulesetError) as caught:
        load(text)
    return caught.value.problems


def with_rule(**rule):
    """Return a ruleset of one rule as text; the rule is JSON, so that values are written exactly."""
    made = {"id": "sample", "title": "Sample", **rule}
    return HEAD + f"rules:\n  - {json.dumps(made)}\n"


def condition(text):
    return load(HEAD + f"rules:\n  - id: sample\n    title: Sample\n    requires: {text}\n").rules[0].requires


# --- what is read -----------------------------------------------------------------------------------------------


def test_every_key_is_read():
    ruleset = load(FULL)
    assert (ruleset.id, ruleset.title, ruleset.status, ruleset.version) == (
        "full", "Every key there is", "sourced", "2026.10",
    )  # fmt: skip
    certificate, letter = ruleset.sources
    assert certificate.read.isoformat() == "2026-11-20"
    assert certificate.section == "8.2"
    assert letter.url is None
    first, cap, by_number, advice, waiver = ruleset.rules
    assert (first.layer, first.stage, first.cites) == ("policy", "delivered", ruleset.sources)
    assert isinstance(first.applies, AllOf)
    assert isinstance(first.requires, AnyOf)
    assert isinstance(first.requires.parts[3], Not)
    assert first.remedy == Remedy("doctor", "Write it anew.")
    assert first.denial[0].when == make_test("visit.liability", "equals", "auto")
    assert first.denial[1] == Denial("184", ("N362", "M76"))
    assert first.examples[1].given["plan.coverage_end"] is OPEN
    assert str(first.place) == "sample.yaml:11"
    assert cap.caps == Cap(Ref("plan.units_per_day", FACTS["plan.units_per_day"].kind), ("history.units_this_day",))
    assert cap.denial == (Denial("151", ("N362",)),)
    assert by_number.caps == Cap(4, ("history.units_this_day", "history.units_this_year"))
    assert advice.advises == Template.of("Keep a copy for {plan.payer}.", FACTS)
    assert [rule.layer for rule in ruleset.rules] == ["policy", "plan", "plan", "clinic", "mandate"]
    assert waiver.waives == ("requirement", "cap")
    assert ruleset.waivers(first) == (waiver,)
    assert ruleset.effective == Period(dt.date(2025, 1, 1), dt.date(2027, 1, 1))
    units, prescribers, team = ruleset.fixed.values()
    assert [units.on(dt.date(year, 7, 1)) for year in (2024, 2025, 2026)] == [None, 6, UNLIMITED]
    assert (prescribers.on(None), team.on(None)) == ({"MD", "DO"}, ANY)
    assert (prescribers.cites, team.origin) == ((certificate,), "full")
    days = ruleset.declares["own.days_since_report"]
    assert (days.kind, days.derived_from) == (Days(), ("visit.date", "own.last_report_on"))
    assert ruleset.declares["own.team"].kind == SetOf(Enum(("home", "away")), any=True)
    assert ruleset.declares["own.step"].label == "step"
    assert ruleset.declares["own.spent"].unit == "dollars"


@pytest.mark.parametrize(
    ("written", "fact", "value"),
    [
        ("no", "plan.payer", "no"),
        ("1E5", "plan.payer", "1E5"),
        ("2026.10", "plan.payer", "2026.10"),
        ("0x10", "plan.payer", "0x10"),
        ("1_000", "plan.payer", "1_000"),
        ("2026-06-15", "plan.payer", "2026-06-15"),
        ('"~"', "plan.payer", "~"),
        ('"null"', "plan.payer", "null"),
        ("'true'", "plan.payer", "true"),
        ("unlimited", "plan.payer", "unlimited"),
        ("00100", "visit.procedure", "00100"),
        ("97124", "visit.procedure", "97124"),
        ("0278T", "visit.procedure", "0278T"),
        ("60", "visit.minutes", 60),
        ('"60"', "visit.minutes", 60),
        ("007", "visit.minutes", 7),
        ("2147483646", "visit.minutes", 2147483646),
        ("unlimited", "prescription.visits", UNLIMITED),
        ('"unlimited"', "prescription.visits", UNLIMITED),
        ("true", "visit.with_physical_therapy", True),
        ("FALSE", "visit.with_physical_therapy", False),
        ("open", "plan.coverage_end", OPEN),
        ("none", "prescription.diagnosis", "none"),
        ("none", "visit.liability", "none"),
        ("-3", "claim.age_days", -3),
    ],
)
def test_a_scalar_is_what_its_fact_is(written, fact, value):
    test = condition(f"{{{fact}: {written}}}")
    assert (test.fact.path, test.op) == (fact, "equals")
    assert (test.right, type(test.right)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("0x10", "visit.minutes"),
        ("1_000", "visit.minutes"),
        ("1E5", "visit.minutes"),
        ("60.0", "visit.minutes"),
        ("+60", "visit.minutes"),
        ('" 60"', "visit.minutes"),
        ("\N{ARABIC-INDIC DIGIT SIX}", "visit.minutes"),
        ("true", "visit.minutes"),
        ("unlimited", "visit.minutes"),
        ("2147483648", "visit.minutes"),
        ("9" * 10_000, "visit.minutes"),
        ("-" + "9" * 10_000, "claim.age_days"),
        ("any", "prescription.visits"),
        ("open", "prescription.visits"),
        ("no", "visit.with_physical_therapy"),
        ("1", "visit.with_physical_therapy"),
        ("2026-6-15", "visit.date"),
        ("2026-06-15T10:00:00", "visit.date"),
        ("20260615", "visit.date"),
        ("0000-01-01", "visit.date"),
        ("open", "visit.date"),
        ("9999-12-31", "visit.date"),
        ("never", "plan.coverage_end"),
        ("open", "clinic.accepts_payer_from"),
        ("m54.50", "prescription.diagnosis"),
        ("M5450", "prescription.diagnosis"),
        ("None", "prescription.diagnosis"),
        ("none", "visit.procedure"),
        ("9712", "visit.procedure"),
        ("Treatment", "visit.purpose"),
        ("none", "visit.purpose"),
    ],
)
def test_what_a_fact_cannot_be_is_refused(written, fact):
    (problem,) = refused(HEAD + f"rules: [{{id: sample, title: Sample, requires: {{{fact}: {written}}}}}]\n")
    assert problem.message.startswith(f"{fact}: found ")
    assert (problem.line, problem.column) == (6, 50 + len(fact))


def test_nothing_tests_whether_a_fact_is_known():
    for nothing in ("", "~", "null", "Null", "NULL", "{equals: ~}", "{in: ~}"):
        (problem,) = refused(HEAD + f"rules: [{{id: sample, title: Sample, requires: {{plan.payer: {nothing}}}}}]\n")
        assert "compared with nothing" in problem.message


def test_every_operator_is_read_and_no_other():
    seen = set()
    for path in generators.TESTABLE:
        rnd = random.Random(path)
        for _ in range(20):
            test = generators.a_test_of(rnd, path)
            loaded = condition(json.dumps(test))
            assert loaded.fact.path == path, test
            seen.add(loaded.op)
    assert seen == set(OPERATORS)


# --- the digest -------------------------------------------------------------------------------------------------


def shuffled(data, rnd):
    """Return plain data with the keys of every mapping in another order."""
    if isinstance(data, dict):
        keys = list(data)
        rnd.shuffle(keys)
        return {key: shuffled(data[key], rnd) for key in keys}
    return [shuffled(item, rnd) for item in data] if isinstance(data, list) else data


def texts(data):
    """Return plain data with every value as text."""
    if isinstance(data, dict):
        return {key: texts(value) for key, value in data.items()}
    if isinstance(data, list):
        return [texts(item) for item in data]
    return data if isinstance(data, str) else json.dumps(data)


def rulesets():
    """Yield rulesets as plain data, without parts that are shared: YAML would write those as aliases."""
    yield full()
    rnd = random.Random(8)
    for _ in range(60):
        yield json.loads(json.dumps(generators.ruleset_data(rnd)))


def full():
    return plain(yaml_nodes.read(FULL, "full.yaml"))


def plain(node):
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.items}


def test_the_same_data_in_another_form_is_the_same_ruleset():
    rnd = random.Random(3)
    for data in rulesets():
        ruleset = read_ruleset(json.dumps(data).encode(), "generated.json")
        forms = [
            json.dumps(data, indent=2),
            json.dumps(data, separators=(",", ":")),
            yaml.safe_dump(data),
            yaml.safe_dump(data, default_flow_style=True, width=40),
            yaml.safe_dump(data, sort_keys=False, indent=6).replace("\n", "  # said aside\n", 3),
            yaml.safe_dump(data).replace("\n", "\r\n"),
            "\ufeff# begins with a mark\n" + yaml.safe_dump(shuffled(data, rnd), sort_keys=False),
        ]
        if "null" not in json.dumps(data):  # in quotes it would be a word
            forms.append(yaml.safe_dump(texts(data), default_style='"'))
        for form in forms:
            again = read_ruleset(form.encode(), "elsewhere/other.yaml")
            assert again == ruleset, form
            assert again.digest == ruleset.digest


def test_a_ruleset_is_what_its_own_data_says():
    for data in rulesets():
        ruleset = read_ruleset(json.dumps(data).encode(), "generated.json")
        again = read_ruleset(json.dumps(ruleset_to_data(ruleset)).encode(), "again.json")
        assert again == ruleset
        assert ruleset_to_data(again) == ruleset_to_data(ruleset)


def leaves(data, path=()):
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    else:
        yield path


def changed(data, path, value):
    made = copy.deepcopy(data)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


def test_every_value_bears_on_the_digest():
    data = full()
    digest = load(FULL).digest
    others = ["Another text", "another-id", "5", "false", "2026-03-03", "MD", "ND", "M54", "97140", "N1", "letter",
              "certificate", "$plan.units_per_year", "regional", "general", "auto", "work", "unmet", "plan", "billed",
              "history.visits_this_week", "https://example.org", "clinic", "neck", "2026-04-04", "cap-of-four",
              "2025-06-06", "2025-07-07", "unlimited", "any", "away", "second", "doctor", "patient", "CPT", "ICD-10-CM",
              "limit", "plan.coverage_start", "referral.issued_on", "illustrative"]  # fmt: skip
    untouched = []
    for path in leaves(data):
        found = 0
        for other in others:
            if found == 2:
                break
            try:
                made = read_ruleset(json.dumps(changed(data, path, other)).encode(), "changed.json")
            except RulesetError:
                continue
            same = str(path_value(data, path)) == other
            found += not same
            assert (made.digest == digest) is same, (path, other)
        if not found:
            untouched.append(path)
    # What else it is held together with allows no other value: one schema is read, one fact says which prescribers
    # are accepted, a waiver names these rules, and conditions and values use these types.
    assert untouched == [
        ("schema",),
        ("rules", 0, "id"),
        ("rules", 0, "requires", "any", 0, "prescription.prescriber", "in"),
        ("rules", 1, "id"),
        ("facts", "own.team", "value"),
        *[("declares", f"own.{name}", "type") for name in ("days_since_report", "last_report_on", "team")],
        ("declares", "own.team", "values", 0),
        ("declares", "own.step", "type"),
        ("declares", "own.step", "values", 0),
        ("declares", "own.machine", "type"),
    ]


def path_value(data, path):
    for key in path:
        data = data[key]
    return data


def test_the_order_of_rules_bears_on_the_digest_and_that_of_sources_does_not():
    data = full()
    rules = read_ruleset(json.dumps({**data, "rules": data["rules"][::-1]}).encode(), "f")
    sources = read_ruleset(json.dumps({**data, "sources": dict(reversed(data["sources"].items()))}).encode(), "f")
    assert rules != load(FULL)
    assert sources == load(FULL)


# --- one mistake is one problem ---------------------------------------------------------------------------------


def keys_of(node, path=()):
    """Yield every key of a document with the keys above it."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from keys_of(item, path)
    elif isinstance(node, Mapping):
        for key, value in node.items:
            yield key, (*path, key.text)
            yield from keys_of(value, (*path, key.text))


def spelt(text, node, instead):
    lines = text.splitlines(keepends=True)
    line = lines[node.line - 1]
    start = node.column - 1
    assert line[start:].startswith(node.text), (line, node)
    lines[node.line - 1] = line[:start] + instead + line[start + len(node.text) :]
    return "".join(lines)


CHOSEN = [("sources",), ("declares",)]
"""Where the keys are names that an author chooses."""


def test_a_misspelt_key_is_one_problem_in_its_place():
    root = yaml_nodes.read(FULL, "full.yaml")
    keys = [(key, path) for key, path in keys_of(root) if path[:-1] not in CHOSEN]
    keys = [(key, path) for key, path in keys if not key.text.startswith("20")]
    assert len(keys) > 90
    for key, path in keys:
        (problem,) = refused(spelt(FULL, key, f"{key.text}z"))
        assert (problem.line, problem.column) == (key.line, key.column), path
        assert printed_key(problem) == f"{key.text}z"
        assert problem.hint == f"did you mean {key.text}?" or key.text in ("id", "all", "any", "not", "in", "has")


def printed_key(problem):
    return problem.message.split()[-1]


def test_an_unknown_key_is_one_problem_in_its_place():
    root = yaml_nodes.read(FULL, "full.yaml")
    for key, path in keys_of(root):
        if path[:-1] not in CHOSEN:
            (problem,) = refused(spelt(FULL, key, "qqqq"))
            assert (problem.line, problem.column) == (key.line, key.column), path
            assert problem.expected or problem.hint


def test_a_wrong_value_is_one_problem_in_its_place():
    root = yaml_nodes.read(FULL, "full.yaml")
    count = 0
    for node in scalars_of(root):
        for wrong in ("{a: {b: c}}", '"\\a"'):
            line = FULL.splitlines(keepends=True)[node.line - 1]
            if line[node.column - 1] in "\"'":
                continue
            (problem,) = refused(spelt(FULL, node, wrong))
            assert problem.line == node.line
            # Of a list of values it is the list that is wrong, of a wrong test its word.
            assert problem.column in (node.column, node.column + 1) or line[problem.column - 1] == "["
            count += 1
    assert count > 120


def scalars_of(node):
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from scalars_of(item)
    else:
        for _, value in node.items:
            yield from scalars_of(value)


def test_a_key_twice_is_one_problem_at_every_level():
    data = full()
    count = 0
    for path in inner(data):
        table = path_value(data, path)
        for key in table:
            (problem,) = refused(twice(data, path, key))
            assert problem.message == f"{key} comes twice"
            count += 1
    assert count > 90


def inner(data, path=()):
    """Yield the paths of all mappings."""
    if isinstance(data, dict):
        yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from inner(value, (*path, key))


def twice(data, path, key):
    mark = "XXX"
    table = path_value(data, path)
    made = json.dumps(changed(data, (*path, mark), table[key])) if path else json.dumps({**data, mark: table[key]})
    return made.replace(f'"{mark}"', json.dumps(key))


def test_an_error_in_one_rule_hides_none_in_another():
    rules = [
        {"id": "a", "title": "A", "requires": {"visit.purpos": "treatment"}},
        {"id": "b", "title": "B", "requires": {"visit.purpose": "treatmnt"}},
        "text",
        {"id": "c", "titel": "C", "requires": {"visit.purpose": "treatment"}},
        {"id": "a", "title": "D", "requires": {"visit.purpose": "treatment"}},
        {"id": "e", "title": "E"},
        {"id": "f", "title": "F", "advises": "{plan.payr}"},
    ]
    text = HEAD.replace("illustrative", "sourced") + "rules:\n" + "".join(f"  - {json.dumps(r)}\n" for r in rules)
    lines = [problem.line for problem in refused(text)]
    assert lines == sorted(lines)
    assert sorted(set(lines)) == [7, 8, 9, 10, 11, 12, 13]
    uncited = [p.line for p in refused(text) if "cites nothing" in p.message]
    assert uncited == [7, 8, 10, 11, 12, 13]


@pytest.mark.parametrize("sources", ["[a]", "text", "{a: text}", "{a: [b]}", "{a: {}}", "{a: {titel: A}}"])
def test_wrong_sources_are_not_also_missing_ones(sources):
    rule = "rules: [{id: sample, title: Sample, advises: Rest., cites: [a]}]\n"
    (problem,) = refused(f"{HEAD}sources: {sources}\n{rule}")
    assert problem.line == 6


def test_a_sound_rule_of_a_sourced_ruleset_cites():
    text = FULL.replace("    cites: [letter]\n    examples: []\n", "")
    (problem,) = refused(text)
    assert (problem.line, problem.message) == (40, "a rule cites nothing")


@pytest.mark.parametrize("key", ["promises", "accepts"])
def test_keys_kept_for_later_versions_are_unknown(key):
    for value in ("[a]", "{a: b}", "text", ""):
        (problem,) = refused(f"{HEAD}{key}: {value}\n")
        assert problem.message == f"the ruleset has no key {key}"
        assert problem.hint == "it is kept for a later version of the format"
        assert (problem.line, problem.column) == (6, 1)
    for rule in ({"requires": {"visit.purpose": "treatment"}}, {}):
        (problem,) = refused(with_rule(**rule, **{key: ["a"]}))
        assert problem.message == f"a rule has no key {key}"


def test_a_fact_of_ones_own_must_be_declared():
    (problem,) = refused(with_rule(requires={"own.last_report_on": "2026-01-01"}))
    assert problem.message == "there is no fact own.last_report_on"


def test_only_a_status_that_the_rule_can_have_is_an_example_of_it():
    requirement = {"requires": {"visit.purpose": "treatment"}}
    asks = {"plan.referral_required": True}
    rules = [
        (requirement, {"met", "unmet", "unknown"}),
        (requirement | {"applies": asks}, {"met", "unmet", "unknown", "not-applicable"}),
        (requirement | {"unless": asks}, {"met", "unmet", "unknown", "waived"}),
        ({"caps": {"visit.units": "4"}}, {"met", "capped", "unknown"}),
        ({"advises": "Rest."}, {"advised"}),
        ({"advises": "Rest.", "applies": asks}, {"advised", "not-applicable", "unknown"}),
    ]
    for rule, possible in rules:
        for then in ("met", "unmet", "unknown", "not-applicable", "waived", "capped", "advised", "later"):
            text = with_rule(**rule, examples=[{"given": {}, "then": then}])
            if then in possible:
                load(text)
            else:
                assert f"can never be {then}" in refused(text)[0].message


# --- limits -----------------------------------------------------------------------------------------------------


def test_the_longest_text():
    load(HEAD.replace("title: Sample", f"title: {'x' * node_reading.MAX_TEXT}"))
    (problem,) = refused(HEAD.replace("title: Sample", f"title: {'x' * (node_reading.MAX_TEXT + 1)}"))
    assert "2,001 characters" in problem.message


def test_no_more_than_a_hundred_problems_are_looked_for_and_fifty_shown():
    rules = "".join(f"  - {{id: r-{n}, title: R, requires: {{visit.purpos: treatment}}}}\n" for n in range(150))
    with pytest.raises(RulesetError) as caught:
        load(f"{HEAD}rules:\n{rules}")
    assert len(caught.value.problems) == 100
    said = str(caught.value)
    assert said.count("visit.purpose?") == 50
    assert said.endswith("\n... and 50 more problems")


# --- how it is said ---------------------------------------------------------------------------------------------


def names():
    return sorted(path.stem for path in SNAPSHOTS.glob("*.yaml"))


def test_every_message_has_its_file():
    assert sorted(path.stem for path in SNAPSHOTS.glob("*.txt")) == names()
    assert len(names()) >= 40


@needs_libyaml
@pytest.mark.parametrize("name", names())
def test_message(name):
    with pytest.raises(RulesetError) as caught:
        read_ruleset((SNAPSHOTS / f"{name}.yaml").read_bytes(), f"{name}.yaml")
    said = f"{caught.value}\n"
    wanted = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("COVRULES_RECORD"):
        wanted.write_text(said, encoding="utf-8", newline="\n")
    assert said == wanted.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names())
def test_every_message_says_where_and_what_to_do(name):
    with pytest.raises(RulesetError) as caught:
        read_ruleset((SNAPSHOTS / f"{name}.yaml").read_bytes(), f"{name}.yaml")
    problems = caught.value.problems
    places = [(p.line, p.column) for p in problems]
    assert places == sorted(places)
    for problem in problems:
        assert problem.file == f"{name}.yaml"
        assert problem.source is not None
        assert 1 <= problem.column <= len(problem.source) + 1
        assert problem.expected or problem.hint or re.search("cannot be compared|nested", problem.message)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"])
def test_the_line_shown_is_the_line_counted(line_break):
    text = (HEAD + "# aside\nrules: [{id: sample, title: Sample, requires: {visit.purpos: treatment}}]\n").replace(
        "\n", line_break
    )
    (problem,) = refused(text)
    assert problem.line == 7
    assert problem.source == "rules: [{id: sample, title: Sample, requires: {visit.purpos: treatment}}]"
    assert problem.source[problem.column - 1 :].startswith("visit.purpos:")


def test_a_break_within_a_comment_or_a_text_is_counted():
    for aside in ("# a\u2028# b", "title: a\u2028  b", "title: 'a\r\n\r  b'", "title: |\n  a\x85  b\u2029  c"):
        text = f"{aside}\nqq: 1\n"
        problems = refused(text)
        (wrong,) = [problem for problem in problems if problem.message.endswith("qq")]
        assert wrong.source == "qq: 1", aside


@needs_libyaml
@pytest.mark.parametrize(
    ("before", "width"),
    [
        ("Sample", 6),
        ("按摩", 4),
        ("\uff21", 2),
        ("\N{GRINNING FACE}", 2),
        ("e\u0301", 1),
        ("a\tb", 3),
        ("a\xa0b", 3),
        ("é", 1),
    ],
)
def test_the_caret_stands_below_the_place(before, width):
    with pytest.raises(RulesetError) as caught:
        load(HEAD + f"rules: [{{id: sample, title: {before}, requires: {{visit.purpos: treatment}}}}]\n")
    shown, caret = str(caught.value).split("\n")[1:3]
    assert shown.index("| ") == caret.index("| ")
    assert caret.index("^") - caret.index("| ") == len("| rules: [{id: sample, title: , requires: {") + width


def test_a_long_line_is_cut_around_the_place():
    title = "Sample " * 200
    with pytest.raises(RulesetError) as caught:
        load(
            HEAD + f"rules: [{{id: sample, title: {title}, requires: {{visit.purpos: treatment}}, because: {title}}}]\n"
        )
    shown, caret = str(caught.value).split("\n")[1:3]
    assert len(shown) < 115
    assert shown.startswith("    6 | …")
    assert shown.endswith("…")
    assert shown[caret.index("^") :].startswith("visit.purpos:")


def test_errors_travel():
    with pytest.raises(RulesetError) as caught:
        load("a: 1\n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is RulesetError
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)

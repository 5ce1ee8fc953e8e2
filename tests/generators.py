"""Random rulesets and cases, derived from the declared facts; Hypothesis and the long runs draw from the same."""

import json
from datetime import date, timedelta

from hypothesis import strategies as st

from covrules import kinds
from covrules.case_reading import case_from_dict
from covrules.conditions import OPERATORS, operators_for
from covrules.facts import FACTS
from covrules.loading import read_ruleset

CODES = ["M54.5", "M54.50", "M54.2", "M25.572", "M79.10", "X99.9", "G44.209", "I89.0"]
PREFIXES = ["M", "M54", "M54.5", "M25.57", "G", "I89.0", "Z"]
PROCEDURES = ["97124", "97140", "97112"]
TEXTS = ["wa-rcw-48-43-016", "Example Health", "b"]
SITES = ["whole-body", "back", "low-back", "leg", "leg-left", "ankle-left", "ankle-right", "ankle", "neck"]
DAY = date(2026, 6, 15)
KNOWN = (1.0, 0.95, 0.8, 0.5, 0.15)


def plain_value(rnd, kind):
    """Return a value of the kind as JSON says it; from small pools, so that comparisons come out both ways."""
    match kind:
        case kinds.Bool():
            return rnd.random() < 0.5
        case kinds.Count():
            if kind.unlimited and rnd.random() < 0.2:
                return "unlimited"
            return max(kind.least, rnd.choice([0, 0, 1, 2, 3, 4, 5, 6, 15, 30, 60, 90]))
        case kinds.Days():
            return rnd.choice([-3, 0, 1, 30, 60])
        case kinds.Date():
            if kind.word and rnd.random() < 0.2:
                return kind.word
            return (DAY + timedelta(days=rnd.choice([-60, -30, -1, 0, 0, 1, 30]))).isoformat()
        case kinds.Code(system="CPT"):
            return rnd.choice(PROCEDURES)
        case kinds.Code(system="ICD-10-CM prefix"):
            return rnd.choice(PREFIXES)
        case kinds.Code():
            return rnd.choice(CODES + (["none"] if kind.none else []))
        case kinds.Enum() if len(kind.values) > 20:
            return rnd.choice(SITES)
        case kinds.Enum():
            return rnd.choice(kind.values if rnd.random() < 0.3 else kind.values[:3])
        case kinds.Text():
            return rnd.choice(TEXTS)
        case kinds.SetOf():
            if kind.any and rnd.random() < 0.15:
                return "any"
            return [plain_value(rnd, kind.of) for _ in range(rnd.choice([0, 1, 1, 2, 3]))]
    raise AssertionError(kind)


def test_of(rnd, path):
    """Return a random test of a fact in the file's form."""
    kind = FACTS[path].kind
    op = rnd.choice(operators_for(kind))
    right = OPERATORS[op].right
    others = [p for p in FACTS if p != path and comparable(path, op, p)]
    if others and rnd.random() < 0.6:
        return {path: {op: f"${rnd.choice(others)}"}}
    if right == "values":
        return {path: {op: [plain_value(rnd, kind) for _ in range(rnd.choice([1, 2, 3]))]}}
    if right == "element":
        return {path: {op: plain_value(rnd, kind.of)}}
    if right == "prefixes":
        pool = PREFIXES if kind.system == "ICD-10-CM" else PROCEDURES
        return {path: {op: [rnd.choice(pool) for _ in range(rnd.choice([1, 2]))]}}
    value = plain_value(rnd, kind)
    return {path: value} if op == "equals" and rnd.random() < 0.5 else {path: {op: value}}


TESTABLE = [path for path, fact in FACTS.items() if fact.testable]
COMPARABLE = {}


def comparable(path, op, other):
    """Return whether the loader takes this comparison of two facts."""
    from covrules.conditions import Mistyped, make_test

    key = (FACTS[path].kind, op, FACTS[other].kind)
    if key not in COMPARABLE:
        try:
            make_test(path, op, other, ref=True)
            COMPARABLE[key] = True
        except Mistyped:
            COMPARABLE[key] = False
    return COMPARABLE[key]


def condition(rnd, paths, depth):
    """Return a random condition over some facts."""
    form = rnd.choice(["test", "test", "tests", "all", "any", "not"]) if depth else "test"
    if form == "test":
        return test_of(rnd, rnd.choice(paths))
    if form == "tests":
        tests = {}
        for _ in range(2):
            tests |= test_of(rnd, rnd.choice(paths))
        return tests
    if form == "not":
        return {"not": condition(rnd, paths, depth - 1)}
    return {form: [condition(rnd, paths, depth - 1) for _ in range(rnd.choice([1, 2, 2, 3]))]}


COUNTS = [path for path, fact in FACTS.items() if fact.kind == kinds.Count()]
LIMITS = [path for path, fact in FACTS.items() if isinstance(fact.kind, kinds.Count)]


def rule(rnd, number, paths):
    """Return a random rule in the file's form."""
    made = {"id": f"rule-{number}", "title": f"Rule {number}"}
    kind = rnd.choice(["requires", "requires", "requires", "caps", "caps", "advises"])
    if kind == "requires":
        made["requires"] = condition(rnd, paths, 2)
    elif kind == "caps":
        made["caps"] = {"visit.units": rnd.choice([f"${rnd.choice(LIMITS)}", 3, "unlimited", 0])}
        if rnd.random() < 0.5:
            made["caps"]["less"] = [rnd.choice(COUNTS) for _ in range(rnd.choice([1, 2]))]
    else:
        made["advises"] = "Advice on {visit.date}."
    if rnd.random() < 0.5:
        made["applies"] = condition(rnd, paths, 2)
    if rnd.random() < 0.4:
        made["unless"] = condition(rnd, paths, 1)
    if rnd.random() < 0.3:
        made["layer"] = rnd.choice(["mandate", "policy", "clinic", "clinic"])
    if rnd.random() < 0.15:
        made["from"] = rnd.choice(["delivered", "billed"])
    if kind != "advises":
        made["because"] = "Because of {visit.units} and {plan.accepted_prescribers}."
        made["denial"] = [{"carc": "151", "when": condition(rnd, paths, 1)}, {"carc": "50", "rarc": ["N362"]}]
    return made


def ruleset_data(rnd, rules=None):
    """Return a random ruleset as plain data; its rules share a few facts, so that they meet."""
    paths = [rnd.choice(TESTABLE) for _ in range(rnd.choice([2, 4, 8]))]
    count = rules or rnd.choice([1, 2, 3, 5])
    return {
        "schema": "covrules/1", "id": "generated", "title": "Generated", "status": "illustrative", "version": "1",
        "rules": [rule(rnd, number, paths) for number in range(count)],
    }  # fmt: skip


def ruleset(rnd, rules=None):
    """Return a random ruleset, read by the loader like any other."""
    return read_ruleset(json.dumps(ruleset_data(rnd, rules)).encode(), "generated.yaml")


def needed(ruleset):
    """Return the facts that bear on a ruleset, what derived ones are derived from included."""
    return list(dict.fromkeys(source for path in ruleset.facts for source in (path, *FACTS[path].derived_from)))


def case_data(rnd, paths):
    """Return a random case over some facts as plain data; some facts are unknown, derived ones seldom given."""
    known = rnd.choice(KNOWN)
    data = {}
    for path in paths:
        fact = FACTS[path]
        if rnd.random() < (known * 0.1 if fact.derived_from else known):
            data.setdefault(fact.group, {})[fact.name] = plain_value(rnd, fact.kind)
    return data


def case(rnd, paths):
    """Return a random case over some facts."""
    return case_from_dict(case_data(rnd, paths))


@st.composite
def rulesets_with_cases(draw, cases=8):
    """A ruleset and some cases that bear on it."""
    rnd = draw(st.randoms(use_true_random=False))
    made = ruleset(rnd)
    paths = needed(made)
    return made, [case(rnd, paths) for _ in range(cases)]

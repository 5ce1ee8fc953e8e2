"""Random rulesets and cases, derived from the declared facts; Hypothesis and the long runs draw from the same."""

import json
from datetime import date, timedelta

from hypothesis import strategies as st

from covrules import kinds
from covrules.case_reading import case_from_dict
from covrules.conditions import OPERATORS, Mistyped, make_test, operators_for
from covrules.declaring import Fact
from covrules.facts import FACTS
from covrules.library import File, resolve
from covrules.mutation.telling import tests_of
from covrules.rule import LAYERS

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


def a_test_of(rnd, path, vocabulary=FACTS):
    """Return a random test of a fact in the file's form."""
    kind = vocabulary[path].kind
    op = rnd.choice(operators_for(kind))
    right = OPERATORS[op].right
    others = [p for p in vocabulary if p != path and comparable(vocabulary, path, op, p)]
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


def comparable(vocabulary, path, op, other):
    """Return whether the loader takes this comparison of two facts."""
    if not vocabulary[other].testable:
        return False
    key = (vocabulary[path].kind, op, vocabulary[other].kind)
    if key not in COMPARABLE:
        try:
            make_test(path, op, other, ref=True, vocabulary=vocabulary)
            COMPARABLE[key] = True
        except Mistyped:
            COMPARABLE[key] = False
    return COMPARABLE[key]


def condition(rnd, paths, depth, vocabulary=FACTS):
    """Return a random condition over some facts."""
    form = rnd.choice(["test", "test", "tests", "all", "any", "not"]) if depth else "test"
    if form == "test":
        return a_test_of(rnd, rnd.choice(paths), vocabulary)
    if form == "tests":
        tests = {}
        for _ in range(2):
            tests |= a_test_of(rnd, rnd.choice(paths), vocabulary)
        return tests
    if form == "not":
        return {"not": condition(rnd, paths, depth - 1, vocabulary)}
    return {form: [condition(rnd, paths, depth - 1, vocabulary) for _ in range(rnd.choice([1, 2, 2, 3]))]}


LIMITS = [path for path, fact in FACTS.items() if isinstance(fact.kind, kinds.Count)]
OWN_KINDS = [
    kinds.Bool(),
    kinds.Count(),
    kinds.Count(unlimited=True),
    kinds.Text(),
    kinds.Date(),
    kinds.Date(word="open"),
    kinds.DIAGNOSIS,
    kinds.PRESCRIBER,
    kinds.Enum(("here", "there")),
    kinds.Enum(("low", "middle", "high"), ranked=True),
    kinds.SetOf(kinds.Enum(("here", "there"))),
    kinds.SetOf(kinds.PRESCRIBER, any=True),
    kinds.SetOf(kinds.DIAGNOSIS_PREFIX),
]


OWN_FACTS = {}
"""The facts last declared by the ruleset of an id."""


def own_facts(rnd, prefix):
    """Return facts that a ruleset may declare: some of random kinds, and now and then the days between two dates."""
    made = {}

    def add(name, kind, **more):
        path = f"own.{prefix}_{name}"
        made[path] = Fact(path=path, name=path[4:], kind=kind, label=name, ask="What is it?", who="clinic", **more)

    for number in range(rnd.choice([0, 0, 1, 2, 3])):
        add(f"fact_{number}", rnd.choice(OWN_KINDS))
    own_dates = [path for path, fact in made.items() if fact.kind == kinds.Date()]
    dates = ["visit.date", "prescription.issued_on", *own_dates]
    if rnd.random() < 0.3:
        add("days", kinds.Days(), derived_from=tuple(rnd.sample(dates, 2)))
    return made


def declared(fact):
    """Return the declaration of an own fact in the file's form."""
    if fact.derived_from:
        return {"type": "days", "to": fact.derived_from[0], "from": fact.derived_from[1]}
    return {**kinds.declaration_of(fact.kind), "who": fact.who, "ask": fact.ask, "label": fact.label}


def fixed(rnd, fact):
    """Return what a plan fixes of a fact in the file's form."""
    if rnd.random() < 0.5:
        return {"value": plain_value(rnd, fact.kind)}
    days = rnd.sample(["2025-01-01", "2026-06-01", "2026-06-15", "2026-07-01"], rnd.choice([1, 2, 3]))
    return {"value": {day: None if rnd.random() < 0.2 else plain_value(rnd, fact.kind) for day in days}}


def rule(rnd, id, paths, vocabulary, layer, waivable):
    """Return a random rule in the file's form; `waivable` are the ids of rules that one of its layer may waive."""
    made = {"id": id, "title": f"Rule {id}", "layer": layer}
    kind = rnd.choice(["requires"] * 6 + ["caps"] * 4 + ["advises"] * 2 + ["waives"] * (3 if waivable else 0))
    if kind == "requires":
        made["requires"] = condition(rnd, paths, 2, vocabulary)
    elif kind == "caps":
        made["caps"] = {"visit.units": rnd.choice([f"${rnd.choice(LIMITS)}", 3, "unlimited", 0])}
        if rnd.random() < 0.5:
            counts = [path for path, fact in vocabulary.items() if fact.kind == kinds.Count()]
            made["caps"]["less"] = [rnd.choice(counts) for _ in range(rnd.choice([1, 2]))]
    elif kind == "waives":
        made["waives"] = rnd.sample(waivable, min(len(waivable), rnd.choice([1, 2, 3])))
    else:
        made["advises"] = "Advice on {visit.date}."
    if rnd.random() < 0.5:
        made["applies"] = condition(rnd, paths, 2, vocabulary)
    if rnd.random() < 0.4:
        made["unless"] = condition(rnd, paths, 1, vocabulary)
    if kind != "waives" and rnd.random() < 0.15:
        made["from"] = rnd.choice(["delivered", "billed"])
    if kind in ("requires", "caps"):
        made["because"] = "Because of {visit.units} and {plan.accepted_prescribers}."
        made["denial"] = [
            {"carc": "151", "when": condition(rnd, paths, 1, vocabulary)},
            {"carc": "50", "rarc": ["N362"]},
        ]
    return made


def ruleset_data(rnd, rules=None, id="generated", parents=(), fixed_elsewhere=()):
    """Return a random ruleset as plain data; its rules share a few facts, so that they meet.

    Of the parents, some of which it replaces and some disables, the facts are known by their declarations.
    """
    own = own_facts(rnd, id)
    vocabulary = {**FACTS, **own}
    for parent in parents:
        vocabulary |= OWN_FACTS[parent["id"]]
    OWN_FACTS[id] = own
    own_paths = [path for path in vocabulary if path not in FACTS]
    paths = [rnd.choice([*TESTABLE, *own_paths * 20]) for _ in range(rnd.choice([2, 4, 8]))]
    inherited = [made for parent in parents for made in parent["rules"]]
    disables = [made["id"] for made in inherited if made["layer"] != "mandate" and rnd.random() < 0.15]
    layers = {made["id"]: made["layer"] for made in inherited if made["id"] not in disables}
    waivable = {made["id"] for made in inherited if not {"waives", "advises"} & set(made)} - set(disables)
    named = {id for made in inherited for id in made.get("waives", ())}
    made = []
    for number in range(rules or rnd.choice([1, 2, 3, 5])):
        replaced = rnd.choice(sorted(set(layers) - named - {each["id"] for each in made} | {""}))
        rule_id = replaced if replaced and rnd.random() < 0.3 else f"{id}-{number}"
        layer = rnd.choice(["plan", "plan", "plan", "policy", "clinic", "clinic", "mandate"])
        if rule_id == replaced:
            layer = rnd.choice(LAYERS[: LAYERS.index(layers[replaced]) + 1])
        may = [each for each in sorted(waivable - {rule_id}) if LAYERS.index(layer) <= LAYERS.index(layers[each])]
        made.append(rule(rnd, rule_id, paths, vocabulary, layer, may))
        layers[rule_id] = layer
        named |= set(made[-1].get("waives", ()))
        waivable -= {rule_id}
        waivable |= {rule_id} if not {"waives", "advises"} & set(made[-1]) else set()
    fixable = sorted({*paths, *LIMITS} - {"visit.date", *fixed_elsewhere})
    data = {
        "schema": "covrules/1", "id": id, "title": "Generated", "status": "illustrative", "version": "1", "rules": made,
        "declares": {path: declared(fact) for path, fact in own.items()},
        "facts": {path: fixed(rnd, vocabulary[path]) for path in rnd.sample(fixable, rnd.choice([0, 0, 0, 1, 2]))},
    }  # fmt: skip
    if parents:
        data |= {"extends": [parent["id"] for parent in parents], "disables": disables}
    if rnd.random() < 0.1:
        data["effective"] = {"from": "2026-01-01"}
    return data


def family(rnd, rules=None):
    """Return random rulesets as plain data: one, and those it extends."""
    parents = []
    for id in rnd.choice([(), (), ("one",), ("one", "other")]):
        parents.append(ruleset_data(rnd, rules, id, fixed_elsewhere=parents[0]["facts"] if parents else ()))
    return [ruleset_data(rnd, rules, parents=parents), *parents]


def resolved(family_):
    """Return the first of some rulesets with what it extends, read by the loader like any other."""
    child, *parents = [File(json.dumps(data).encode(), f"{data['id']}.yaml") for data in family_]
    return resolve(child, {parent.id: (parent,) for parent in parents}, (child,), None)


def ruleset(rnd, rules=None):
    """Return a random ruleset with what it extends."""
    return resolved(family(rnd, rules))


def needed(ruleset):
    """Return the facts that bear on a ruleset, what derived ones are derived from included."""
    known = ruleset.vocabulary
    return [known[path] for path in dict.fromkeys(s for p in ruleset.facts for s in (p, *known[p].derived_from))]


def case_data(rnd, facts):
    """Return a random case over some facts as plain data; some facts are unknown, derived ones seldom given."""
    known = rnd.choice(KNOWN)
    data = {}
    for fact in facts:
        if rnd.random() < (known * 0.1 if fact.derived_from else known):
            data.setdefault(fact.group, {})[fact.name] = plain_value(rnd, fact.kind)
    return data


def days_that_tell(made):
    """Return days on which a ruleset is in force: DAY if it can be, and those around which something changes in it."""
    ends = [made.effective.since, made.effective.until]
    turns = {since for each in made.fixed.values() for since, _ in each.values}
    turns |= {test.right for rule in made.rules for test in tests_of(rule) if isinstance(test.right, date)}
    turns.discard(kinds.OPEN)
    near = [day + timedelta(days=days) for day in sorted({*ends, *turns} - {None}) for days in (-1, 0, 40)]
    return [day for day in (DAY, *near) if made.effective.holds(day)]


def moved(data, days, vocabulary):
    """Return a case with all its dates moved by some days."""

    def value(group, name, said):
        dated = isinstance(vocabulary[f"{group}.{name}"].kind, kinds.Date) and said[0].isdigit()
        return (date.fromisoformat(said) + timedelta(days=days)).isoformat() if dated else said

    return {group: {name: value(group, name, said) for name, said in facts.items()} for group, facts in data.items()}


def case_for(rnd, made):
    """Return a random case that bears on a ruleset; it repeats or leaves out what the ruleset fixes."""
    data = case_data(rnd, needed(made))
    if made.dated and not made.effective.holds(DAY):
        data.setdefault("visit", {}).setdefault("date", DAY.isoformat())
    if made.dated and "date" in data.get("visit", {}) and (rnd.random() < 0.5 or not made.effective.holds(DAY)):
        around = date.fromisoformat(data["visit"]["date"])
        data = moved(data, (rnd.choice(days_that_tell(made)) - around).days, made.vocabulary)
    day = date.fromisoformat(data.get("visit", {}).get("date", DAY.isoformat()))
    for path, value in made.fixed_on(day).items():
        fact = made.vocabulary[path]
        data.get(fact.group, {}).pop(fact.name, None)
        if rnd.random() < 0.2:
            data.setdefault(fact.group, {})[fact.name] = fact.kind.plain(value)
    return case_from_dict(data)


@st.composite
def rulesets_with_cases(draw, cases=8):
    """A ruleset and some cases that bear on it."""
    rnd = draw(st.randoms(use_true_random=False))
    made = ruleset(rnd)
    return made, [case_for(rnd, made) for _ in range(cases)]

"""What-ifs: a varied ruleset is what a file that extends it and says the same would be, and is checked as such."""

import datetime as dt
import json
import pickle
import random

import attrs
import pytest
import yaml

import covrules
import generators
from covrules import ANY, NEVER, UNLIMITED, Case, FactError, Plan, RulesetError, Visit, case_from_dict
from covrules.library import shipped
from covrules.loading import read_ruleset
from covrules.rule import LAYERS
from covrules.rulesets import ruleset_to_data
from covrules.variations import Variation, changes_between, vary

BASE = covrules.load("medical-massage")
BY_YEAR = covrules.load("examples/rulesets/limits-by-year.yaml")


def file_extending(parent, **said):
    """Return the ruleset of a file that extends another, as it is read."""
    data = {
        "schema": "covrules/1", "id": f"{parent.id}-varied", "title": parent.title, "status": "illustrative",
        "version": parent.version, "extends": parent.id, **said,
    }  # fmt: skip
    return read_ruleset(yaml.safe_dump(data).encode(), "child.yaml", lambda id, period: parent)


def same(varied, read):
    """Return whether two rulesets say the same but for their titles."""
    return attrs.evolve(varied, title="") == attrs.evolve(read, title="")


# --- what a file would say --------------------------------------------------------------------------------------

VALUES = [
    ("plan.units_per_visit", 4, 4),
    ("plan.units_per_visit", "unlimited", "unlimited"),
    ("plan.units_per_visit", UNLIMITED, "unlimited"),
    ("plan.accepted_prescribers", ["MD", "DO"], ["DO", "MD"]),
    ("plan.accepted_prescribers", {"MD", "DO"}, ["DO", "MD"]),
    ("plan.accepted_prescribers", ANY, "any"),
    ("plan.accepted_prescribers", "any", "any"),
    ("plan.covered_procedures", [], []),
    ("plan.prescription_required", True, "true"),
    ("plan.coverage_start", dt.date(2026, 1, 1), "2026-01-01"),
    ("plan.coverage_start", "2026-01-01", "2026-01-01"),
    ("clinic.accepts_payer_from", NEVER, "never"),
    ("plan.payer", "none", "none"),
    ("plan.payer", 'A "plan": {of} \\ é\u2028 \U0001f600', 'A "plan": {of} \\ é\u2028 \U0001f600'),
    ("plan.units_per_visit", {"2026-01-01": 4, dt.date(2025, 1, 1): None}, {"2025-01-01": None, "2026-01-01": 4}),
]


@pytest.mark.parametrize(("path", "value", "written"), VALUES)
@pytest.mark.parametrize("parent", [BASE, BY_YEAR], ids=["base", "by-year"])
def test_a_fact_is_fixed_as_a_file_fixes_it(parent, path, value, written):
    varied = parent.vary({path: value})
    assert same(varied, file_extending(parent, facts={path: {"value": written}}))
    assert varied.fixed[path].replaces == parent.fixed.get(path)


def test_without_changes_it_is_the_ruleset_itself():
    assert BASE.vary({}) is BASE


def test_a_fact_of_the_rulesets_own_can_be_fixed():
    reports = covrules.load("examples/rulesets/progress-reports.yaml")
    varied = reports.vary({"own.last_report_on": "2026-06-01"})
    assert varied.evaluate(case_from_dict({"visit": {"date": "2026-06-15"}})).finding("progress-report").facts[
        "own.days_since_report"
    ] == 14  # fmt: skip


def test_none_frees_what_was_fixed():
    varied = BY_YEAR.vary({"plan.units_per_visit": None, "plan.prescription_required": None})
    assert varied.fixed.keys() == BY_YEAR.fixed.keys() - {"plan.units_per_visit"}
    case = Case(plan=Plan(units_per_visit=9), visit=Visit(minutes=120, date="2026-06-15"))
    with pytest.raises(FactError, match=r"plan\.units_per_visit: contradicts"):
        BY_YEAR.evaluate(case, engine="compiled")
    assert varied.evaluate(case, engine="compiled").finding("units-per-visit").status == "met"


def test_a_case_that_states_a_fixed_fact_otherwise_contradicts_it():
    varied = BASE.vary({"plan.units_per_visit": 4})
    with pytest.raises(FactError, match="contradicts what medical-massage-varied fixes"):
        varied.evaluate(Case(plan=Plan(units_per_visit=6)), engine="compiled")
    assert varied.evaluate(Case(plan=Plan(units_per_visit=4)), engine="compiled").coverage == "undetermined"


def written(rule, ruleset=BASE):
    """Return a rule as a file has it, without what tells of the rule as it was."""
    data = {made["id"]: made for made in ruleset_to_data(ruleset)["rules"]}[rule]
    return {key: value for key, value in data.items() if key not in ("cites", "examples")}


def without(data, *keys):
    return {key: value for key, value in data.items() if key not in keys}


RULES = [
    ("units-per-visit", {"caps": {"visit.units": 3}}, written("units-per-visit") | {"caps": {"visit.units": 3}}),
    ("units-per-visit", {"applies": {"provider.network": "in"}}, None),
    ("units-per-visit", {"title": "Other", "from": "billed", "because": None}, None),
    ("units-per-visit", {}, written("units-per-visit")),
    ("units-per-visit", {"id": "units-per-visit", "layer": "mandate"}, None),
    (
        "units-per-visit",
        {"requires": {"visit.units": {"at_most": 2}}},
        without(written("units-per-visit"), "caps") | {"requires": {"visit.units": {"at_most": 2}}},
    ),
    (
        "units-per-visit",
        {"advises": "Ask for {plan.units_per_visit}.", "because": None, "denial": None, "remedy": None},
        without(written("units-per-visit"), "caps", "because", "denial", "remedy")
        | {"advises": "Ask for {plan.units_per_visit}."},
    ),
    ("no-other-payer", {"requires": {"visit.liability": ["none", "auto"]}}, None),
    ("coverage-started", {"requires": {"plan.coverage_start": {"on_or_before": dt.date(2026, 1, 1)}}}, None),
    ("benefit-exists", {"examples": [{"given": {"plan.massage_benefit": "covered"}, "then": "met"}]}, None),
    ("units-per-visit", {"caps": {"visit.units": UNLIMITED}}, None),
]


@pytest.mark.parametrize(("rule", "change", "file"), RULES)
def test_a_rule_is_replaced_as_a_file_replaces_it(rule, change, file):
    if file is None:
        present = {key: value for key, value in written(rule).items() if change.get(key, 0) is not None}
        file = present | {key: value for key, value in change.items() if value is not None}
    varied = BASE.vary({f"rules.{rule}": change})
    assert same(varied, file_extending(BASE, rules=[json.loads(json.dumps(file, default=str))]))
    assert [each.id for each in varied.rules] == [each.id for each in BASE.rules]
    assert varied.rule(rule).replaces == BASE.rule(rule)
    assert varied.rule(rule).origin == "medical-massage-varied"


def test_a_rule_is_disabled_as_a_file_disables_it_and_put_back():
    varied = BASE.vary({"rules.benefit-exists": None})
    assert same(varied, file_extending(BASE, disables=["benefit-exists"]))
    again = varied.vary({"rules.benefit-exists": {}})
    assert {*again.rules} == {*BASE.rules}
    assert not again.disabled


@pytest.mark.parametrize("id", sorted(shipped()))
def test_every_shipped_rule_said_again_is_the_same_rule(id):
    ruleset = covrules.load(id)
    again = ruleset.vary({f"rules.{rule.id}": {} for rule in ruleset.rules})
    assert again.rules == ruleset.rules
    assert again.title == ruleset.title
    assert changes_between(ruleset, again) == ()


def test_sources_can_be_cited_by_the_ids_of_the_file():
    varied = BASE.vary({"rules.benefit-exists": {"cites": ["b-policy"]}})
    assert [source.id for source in varied.rule("benefit-exists").cites] == ["b-policy"]
    assert [source.id for source in varied.sources] == ["b-policy"]
    # What was read does not say what the rule became.
    assert BASE.rule("benefit-exists").cites
    assert not BASE.vary({"rules.benefit-exists": {"title": "Other"}}).rule("benefit-exists").cites


def test_random_changes_are_what_a_file_would_say():
    rnd = random.Random(7)
    for _ in range(60):
        family = generators.family(rnd)
        parent = generators.resolved(family)
        paths = [path for path, fact in parent.vocabulary.items() if path != "visit.date" and not fact.derived_from]
        facts = {path: generators.plain_value(rnd, parent.vocabulary[path].kind) for path in rnd.sample(paths, 2)}
        free = [rule.id for rule in parent.rules if rule.layer != "mandate"]
        disabled = rnd.sample(free, min(len(free), rnd.choice([0, 1, 2])))
        varied = parent.vary(facts | {f"rules.{id}": None for id in disabled})
        child = {
            "schema": "covrules/1", "id": varied.id, "title": "T", "status": "illustrative", "version": "1",
            "extends": parent.id, "facts": {path: {"value": value} for path, value in facts.items()},
            "disables": disabled,
        }  # fmt: skip
        assert same(varied, generators.resolved([child, *family]))
        read = read_ruleset(json.dumps(ruleset_to_data(varied)).encode(), "again.yaml")
        for _ in range(5):
            case = generators.case_for(rnd, varied)
            day = case.visit.date or generators.days_that_tell(varied)[0]
            verdicts = [each.evaluate(case, engine="compiled", as_of=day) for each in (varied, read)]
            assert len({(verdict.coverage, verdict._outcome) for verdict in verdicts}) == 1


# --- what is checked --------------------------------------------------------------------------------------------


def problems(parent, changes, id=None):
    with pytest.raises(RulesetError) as caught:
        parent.vary(changes, id)
    for problem in caught.value.problems:
        assert (problem.file, problem.line, problem.source) == (None, None, None)
        assert problem.expected or problem.hint
    return {(problem.path, problem.message): problem for problem in caught.value.problems}


def test_everything_wrong_is_said_at_once_each_by_its_key():
    found = problems(
        BASE,
        {
            "plan.unit_per_visit": 4,
            "plan.units_per_visit": "four",
            "plan.accepted_prescribers": ["md"],
            "plan.units_per_day": {"x": 3, "2026-01-01": -1},
            "plan.visits_per_year": {},
            "visit.date": "2026-01-01",
            "rules.unit-per-visit": None,
            "rules.in-network": 4,
            "rules.coverage-started": {"requirs": None, "layer": "clinic"},
            "rules.no-other-payer": {"id": "other"},
            "rules.benefit-exists": {"because": object()},
            "rules.units-per-day": {"caps": {"visit.units": "$plan.payer"}, "unless": {"plan.payr": "x"}},
            7: None,
        },
    )
    assert dict([*found]) == {
        "plan.unit_per_visit": "there is no such fact",
        "plan.units_per_visit": "found text",
        "plan.accepted_prescribers": "found a list with a word that is not among them",
        "plan.units_per_day": "found a negative number",
        "plan.visits_per_year": "has no value",
        "visit.date": "is of the visit: no plan can fix it",
        "rules.unit-per-visit": "there is no such rule",
        "rules.in-network": "found a number",
        "rules.coverage-started": "a rule has no key requirs",
        "rules.no-other-payer": "it has the id of another rule",
        "rules.benefit-exists": "found what no file can say",
        "rules.units-per-day": "there is no fact plan.payr",
        None: "a key that is a number",
    }
    assert ("plan.units_per_day", "a day: found text that is not a date") in found
    assert ("rules.units-per-day", "plan.payer (text) is no limit") in found
    hints = {path: problem.hint for (path, _), problem in found.items()}
    assert hints["plan.unit_per_visit"] == "did you mean plan.units_per_visit?"
    assert hints["rules.unit-per-visit"] == "did you mean rules.units-per-visit?"
    assert hints["rules.coverage-started"] == "did you mean requires?"
    assert hints["plan.accepted_prescribers"] == "did you mean MD?"
    assert hints["rules.units-per-day"] == "did you mean plan.payer?"


def test_what_yaml_could_mistake_is_said_of_its_key():
    assert ("rules.benefit-exists", "not readable as YAML: an escape that is no character") in problems(
        BASE, {"rules.benefit-exists": {"title": "\ud800"}}
    )
    assert ("plan.payer", "found a control character") in problems(BASE, {"plan.payer": "a\x85b"})
    lines = "a\nb\u2028c: [d"
    assert BASE.vary({"rules.benefit-exists": {"title": lines}}).rule("benefit-exists").title == lines
    circle = {}
    circle["all"] = [circle]
    assert ("rules.benefit-exists", "found what no file can say") in problems(
        BASE, {"rules.benefit-exists": {"requires": circle}}
    )


def test_no_mandate_is_disabled_and_no_rule_replaced_by_one_of_a_lower_layer():
    rnd = random.Random(3)
    refused = 0
    for _ in range(40):
        ruleset = generators.ruleset(rnd)
        for rule in ruleset.rules:
            if rule.layer == "mandate":
                found = problems(ruleset, {f"rules.{rule.id}": None})
                assert "is a mandate of" in next(iter(found))[1]
                refused += 1
            for layer in LAYERS[LAYERS.index(rule.layer) + 1 :]:
                found = problems(ruleset, {f"rules.{rule.id}": {"layer": layer}})
                assert any("cannot replace that of" in message for _, message in found)
    assert refused > 5


def test_a_waiver_no_longer_names_what_is_disabled():
    early = covrules.load("examples/rulesets/early-visits-mandate.yaml")
    varied = early.vary({"rules.prior-authorization": None})
    assert [rule.id for rule in varied.waived_by(varied.rule("early-visits"))] == [
        "authorization-current", "authorization-visits", "authorization-units",
    ]  # fmt: skip
    found = problems(early, {"rules.early-visits": {"waives": ["prior-authorisation"]}})
    assert (
        found["rules.early-visits", "there is no rule prior-authorisation"].hint == "did you mean prior-authorization?"
    )
    found = problems(
        early, {"rules.prior-authorization": {"layer": "mandate"}, "rules.early-visits": {"layer": "plan"}}
    )
    assert {path for path, _ in found} == {"rules.early-visits"}


def test_the_id_must_be_one_and_another():
    assert ("id", "that of the ruleset which is varied") in problems(BASE, {}, BASE.id)
    assert ("id", "Two Words cannot be the id of the ruleset") in problems(BASE, {}, "Two Words")
    with pytest.raises(TypeError, match="got a list"):
        BASE.vary(["plan.payer"])


# --- what is made -----------------------------------------------------------------------------------------------


def test_what_is_made_says_what_it_is():
    varied = BY_YEAR.vary({"plan.units_per_visit": 4, "rules.benefit-exists": None})
    assert (varied.id, varied.version, varied.status) == ("limits-by-year-varied", "2026.1", "illustrative")
    assert varied.extends == ("limits-by-year",)
    assert varied.effective == BY_YEAR.effective
    assert varied.title == (
        "Example PPO, other limits each year; varied: units paid a visit: 4 instead of 6 from 2025-01-01, 4 from "
        "2026-01-01; Massage is a benefit of the plan (benefit-exists): left out"
    )
    assert varied.digest != BY_YEAR.digest
    assert BY_YEAR.vary({"plan.payer": "Example PPO"}).title == BY_YEAR.title
    assert BASE.vary({}, "other").rules == BASE.rules
    assert BASE.vary({}, "other").id == "other"


def test_a_long_change_leaves_a_title_that_can_be_read_again():
    varied = BASE.vary({"plan.covered_diagnoses": [f"M{number}" for number in range(10, 99)], "plan.payer": "x" * 3000})
    assert len(varied.title) == 2000
    assert read_ruleset(json.dumps(ruleset_to_data(varied)).encode(), "again.yaml").title == varied.title


def test_nothing_made_of_the_ruleset_is_used_for_what_it_became():
    case = Case(visit=Visit(minutes=120))
    BASE.evaluate(case, engine="compiled")
    varied = BASE.vary({"plan.units_per_visit": 0, "plan.unit_minutes": 15})
    assert not varied.made
    assert varied.evaluate(case, engine="compiled").coverage == "not-covered"
    assert BASE.evaluate(case, engine="compiled").coverage == "undetermined"


def test_what_is_varied_is_remembered():
    once = BASE.vary({"plan.units_per_visit": 4, "rules.benefit-exists": None})
    twice = once.vary({"plan.visits_per_year": 3, "plan.units_per_visit": None})
    assert isinstance(once, Variation)
    assert isinstance(twice, Variation)
    assert (once.varied, twice.varied) == ({"plan.units_per_visit"}, {"plan.visits_per_year"})
    assert twice.id == "medical-massage-varied-varied"
    assert "plan.units_per_visit" not in twice.fixed
    again = pickle.loads(pickle.dumps(once))
    assert again == once
    assert again.varied == once.varied
    assert vary(once, {}) is once


def test_what_differs_is_said_in_plain_words():
    changed = BASE.vary(
        {
            "plan.units_per_visit": "unlimited",
            "plan.prescription_required": True,
            "rules.benefit-exists": None,
            "rules.in-network": {"unless": None, "because": "Not in network.", "denial": None},
            "rules.units-per-visit": {"caps": {"visit.units": 3, "less": "history.units_this_day"}},
            "rules.coverage-started": {"applies": {"plan.payer": "x"}, "from": "billed", "title": "Started"},
        }
    )
    said = changes_between(BASE, changed)
    assert said == (
        "units paid a visit: unlimited",
        "need for a prescription: yes",
        "Coverage has started (coverage-started): title Started instead of Coverage has started, applies plan.payer "
        "equals x, from billed instead of planned",
        "Massage is a benefit of the plan (benefit-exists): left out",
        "Therapist in network (in-network): no unless, other because, no denial",
        "Units in one visit (units-per-visit): caps 3 less history.units_this_day instead of plan.units_per_visit",
    )
    back = changes_between(changed, BASE)
    assert back[:2] == (
        "units paid a visit: no longer fixed (unlimited)",
        "need for a prescription: no longer fixed (yes)",
    )
    assert "Massage is a benefit of the plan (benefit-exists): added" in back
    assert changes_between(BASE, BASE) == ()
    early = covrules.load("examples/rulesets/early-visits-mandate.yaml")
    assert changes_between(early, early.vary({"rules.early-visits": {"waives": ["prior-authorization"]}})) == (
        "The first six visits of an episode need no authorization in network (early-visits): waives "
        "prior-authorization instead of prior-authorization and authorization-current and authorization-visits and "
        "authorization-units",
    )

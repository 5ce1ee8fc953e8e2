"""Rulesets that build on one another: what they take over, what they fix and declare, when they are in force.

Each folder `snapshots/extending/NAME` holds `child.yaml`, with what stands beside it, and the message it is refused
with. After a change of messages, COVRULES_RECORD=1 records them anew; read the difference before it is committed.
"""

import datetime as dt
import itertools
import json
import os
import pickle
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

import covrules
import generators
from covrules import FactError, RulesetError, case_from_dict, kinds
from covrules.checking import check
from covrules.cli import main
from covrules.facts import FACTS
from covrules.kinds import UNLIMITED
from covrules.loading import read_ruleset
from covrules.rule import Rule
from covrules.rulesets import ruleset_to_data
from covrules.showing import ruleset_to_text

SNAPSHOTS = Path(__file__).parent / "snapshots" / "extending"
NAMES = sorted(path.name for path in SNAPSHOTS.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_message(name, monkeypatch):
    monkeypatch.chdir(SNAPSHOTS / name)
    with pytest.raises(RulesetError) as caught:
        covrules.load("child.yaml")
    recorded = SNAPSHOTS / name / "message.txt"
    if os.environ.get("COVRULES_RECORD"):
        recorded.write_text(f"{caught.value}\n")
    assert f"{caught.value}\n" == recorded.read_text()
    for problem in caught.value.problems:
        assert problem.line is not None
        assert problem.source is not None
        assert problem.expected or problem.hint


# --- a folder of rulesets ---------------------------------------------------------------------------------------


def data_of(id, *rules, **more):
    return {
        "schema": "covrules/1", "id": id, "title": id.title(), "status": "illustrative", "version": "1",
        "rules": list(rules), **more,
    }  # fmt: skip


def requirement(id, purpose="treatment", **more):
    return {"id": id, "title": f"{id} {purpose}", "requires": {"visit.purpose": purpose}, **more}


@pytest.fixture
def folder(tmp_path):
    """Return what writes rulesets into a folder, each a file, and loads the first."""

    def load(*rulesets, on=None):
        for number, data in enumerate(rulesets):
            (tmp_path / f"{number}-{data['id']}.yaml").write_text(json.dumps(data))
        return covrules.load(tmp_path / f"0-{rulesets[0]['id']}.yaml", on)

    return load


def ids(ruleset):
    return [rule.id for rule in ruleset.rules]


def test_inherited_rules_come_first_and_a_replaced_one_in_its_place(folder):
    parent = data_of("parent", requirement("a"), requirement("b"), requirement("c"))
    child = data_of("child", requirement("d"), requirement("b", "wellness"), extends="parent", disables=["c"])
    ruleset = folder(child, parent)
    assert ids(ruleset) == ["a", "b", "d"]
    assert [rule.origin for rule in ruleset.rules] == ["parent", "child", "child"]
    replaced = ruleset.rule("b")
    assert (replaced.title, replaced.replaces.title) == ("b wellness", "b treatment")
    assert [(left.rule.id, left.origin) for left in ruleset.disabled] == [("c", "child")]
    assert ruleset.extends == ("parent",)


def test_what_is_met_twice_counts_once(folder):
    base = data_of("base", requirement("a"), requirement("b"))
    one = data_of("one", requirement("c"), extends="base")
    other = data_of("other", requirement("d"), extends=["base"])
    assert ids(folder(data_of("child", extends=["one", "base", "other"]), base, one, other)) == ["a", "b", "c", "d"]


def test_who_knew_of_a_rule_and_changed_it_is_followed(folder):
    base = data_of("base", requirement("a"), requirement("b"), facts={"plan.units_per_visit": {"value": 4}})
    mandate = data_of(
        "mandate", requirement("a", "wellness", layer="mandate"), extends="base", disables=["b"],
        facts={"plan.units_per_visit": {"value": 6}},
    )  # fmt: skip
    for order in (["base", "mandate"], ["mandate", "base"]):
        ruleset = folder(data_of("child", extends=order), base, mandate)
        assert ids(ruleset) == ["a"]
        assert ruleset.rule("a").layer == "mandate"
        assert ruleset.fixed_on(None) == {"plan.units_per_visit": 6}


def test_the_same_rule_in_two_rulesets_is_one(folder):
    same = [data_of(id, requirement("a"), facts={"plan.payer": {"value": "Example"}}) for id in ("one", "other")]
    assert ids(folder(data_of("child", extends=["one", "other"]), *same)) == ["a"]


def test_a_ruleset_that_is_shipped_and_beside_the_file_is_neither(folder, tmp_path):
    with pytest.raises(RulesetError, match="are both medical-massage, in force on the same days"):
        folder(data_of("child", extends="medical-massage"), data_of("medical-massage", requirement("a")))
    shipped = covrules.library.rules_folder() / "medical-massage.yaml"
    (tmp_path / "1-medical-massage.yaml").write_bytes(shipped.read_bytes())
    assert ids(covrules.load(tmp_path / "0-child.yaml")) == ids(covrules.load("medical-massage"))


def test_waivers_no_longer_name_what_is_disabled(folder):
    parent = data_of("parent", requirement("a"), requirement("b"), {"id": "w", "title": "W", "waives": ["a", "b"]})
    ruleset = folder(data_of("child", extends="parent", disables=["a"]), parent)
    assert ruleset_to_data(ruleset)["rules"][-1]["waives"] == ["b"]
    assert ruleset.evaluate(covrules.Case()).finding("b").waived_by == ("w",)


def expected_order(family):
    """Return where each rule of a child and its parents comes from, in order, read off the plain data."""
    child, *parents = family
    order = {made["id"]: made["title"] for parent in parents for made in parent["rules"]}
    order |= {made["id"]: made["title"] for made in child["rules"]}
    return [id for id in order if id not in child.get("disables", ())]


def test_generated_families_resolve_as_their_data_says():
    rnd = random.Random(4)
    several = 0
    for _ in range(300):
        family = generators.family(rnd)
        ruleset = generators.resolved(family)
        assert ids(ruleset) == expected_order(family)
        written = {made["id"]: made for data in reversed(family) for made in data["rules"]}
        for rule in ruleset.rules:
            assert rule.layer == written[rule.id]["layer"]
        for path, fixed in {k: v for data in reversed(family) for k, v in data["facts"].items()}.items():
            assert ruleset.fixed[path].fact == ruleset.vocabulary[path]
            assert len(ruleset.fixed[path].values) == (len(fixed["value"]) if isinstance(fixed["value"], dict) else 1)
        assert set(ruleset.declares) == {path for data in family for path in data["declares"]}
        several += len(family) > 1
    assert several > 100


def test_a_resolved_ruleset_written_as_one_file_is_the_same_ruleset():
    rnd = random.Random(5)
    for _ in range(150):
        ruleset = generators.ruleset(rnd)
        data = ruleset_to_data(ruleset)
        again = read_ruleset(json.dumps(data).encode(), "again.json")
        assert again == ruleset
        assert pickle.loads(pickle.dumps(ruleset)) == ruleset
        case = generators.case_for(rnd, ruleset)
        one, other = (each.evaluate(case, as_of=generators.DAY).to_dict() for each in (ruleset, again))
        for said in (one, other):
            for finding in said["findings"]:
                del finding["where"]
        assert one == other


def test_the_same_fact_fixed_alike_by_two_that_cite_their_own_documents_is_one(folder):
    def plan(id, source):
        fixed = {"plan.units_per_visit": {"value": 4, "cites": [source]}}
        rule = requirement("a", cites=[source], examples=[{"given": {"visit.purpose": id}, "then": "unmet"}])
        return data_of(id, rule, sources={source: {"title": id}}, facts=fixed)

    parents = plan("wellness", "s"), plan("maintenance", "t")
    ruleset = folder(data_of("child", extends=["wellness", "maintenance"]), *parents)
    assert (ids(ruleset), ruleset.fixed_on(None)) == (["a"], {"plan.units_per_visit": 4})


def test_whether_parents_agree_does_not_hang_on_their_order(folder):
    base = data_of("base", requirement("a"))
    knowing = data_of("knowing", requirement("a", "wellness"), extends="base")
    alike = data_of("alike", requirement("a", "wellness"))
    for order in itertools.permutations(["base", "knowing", "alike"]):
        ruleset = folder(data_of("child", extends=list(order)), base, knowing, alike)
        assert ruleset.rule("a").title == "a wellness"
        assert ruleset.rule("a").replaces.title == "a treatment"


def test_a_resolved_ruleset_that_cites_in_part_is_written_as_illustrative(folder):
    cited = requirement("b", cites=["s"])
    child = data_of("child", cited, extends="parent", sources={"s": {"title": "S"}}) | {"status": "sourced"}
    ruleset = folder(child, data_of("parent", requirement("a")))
    data = ruleset_to_data(ruleset)
    assert (ruleset.status, data["status"]) == ("sourced", "illustrative")
    assert read_ruleset(json.dumps(data).encode(), "again.json") == ruleset


def test_a_waiver_of_which_nothing_is_left_is_still_a_rule(folder):
    waiver = {"id": "w", "title": "W", "waives": ["a"]}
    ruleset = folder(data_of("child", extends="parent", disables=["a"]), data_of("parent", requirement("a"), waiver))
    assert ruleset.evaluate(covrules.Case()).finding("w").status == "waives"
    assert read_ruleset(json.dumps(ruleset_to_data(ruleset)).encode(), "again.json") == ruleset
    assert "Waives nothing that is left." in ruleset_to_text(ruleset)


# --- hostile folders --------------------------------------------------------------------------------------------


def test_layers_of_diamonds_are_read_once_each(folder):
    depth, files = 15, []
    for level in range(depth):
        parents = [f"l{level + 1}-a", f"l{level + 1}-b"] if level + 1 < depth else []
        files += [data_of(f"l{level}-{side}", extends=parents) for side in "ab"]
    assert folder(data_of("child", extends=["l0-a", "l0-b"]), *files).rules == ()


def test_a_chain_of_hundreds_is_a_problem_in_its_place(folder):
    chain = [data_of(f"step-{n}", extends=[f"step-{n + 1}"]) for n in range(1_200)]
    with pytest.raises(RulesetError, match="a line of more than 20 rulesets"):
        folder(*chain)


def test_what_stands_beside_and_is_no_ruleset_is_passed_over(folder, tmp_path):
    (tmp_path / "medical-massage.yaml").write_text("")
    (tmp_path / "notes.yaml").write_text("id: medical-massage\nabout: something else\n")
    shipped = (covrules.library.rules_folder() / "medical-massage.yaml").read_bytes()
    (tmp_path / "crlf.yaml").write_bytes(b"\xef\xbb\xbf" + shipped.replace(b"\n", b"\r\n"))
    (tmp_path / "folder.yaml").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.yaml")
    ruleset = folder(data_of("child", extends="medical-massage"))
    assert ids(ruleset) == ids(covrules.load("medical-massage"))


def test_the_nearest_ruleset_in_the_folder_is_named(folder):
    with pytest.raises(RulesetError, match="did you mean plan-one"):
        folder(data_of("child", extends="plan-on"), data_of("plan-one"))


def test_nothing_of_a_file_beside_steers_a_terminal(folder):
    early, late = versions()
    late["version"] = "\x1b]0;pwned\x07" + "v" * 3_000
    ruleset = folder(early, late)
    with pytest.raises(FactError) as caught:
        ruleset.evaluate(case_from_dict({"visit": {"date": "2026-03-01"}}))
    for said in (str(caught.value), ruleset_to_text(ruleset)):
        assert "\x1b" not in said
        assert "v" * 100 not in said


def test_titles_do_not_steer_a_terminal_either(folder):
    shown = ruleset_to_text(folder(data_of("child", requirement("a")) | {"title": "A \u202e title"}))
    assert "\u202e" not in shown


# --- waivers ----------------------------------------------------------------------------------------------------

AUTHORIZATION = ["prior-authorization", "authorization-current", "authorization-visits", "authorization-units"]
MANDATE = data_of(
    "early-visits",
    {
        "id": "six-visits-without-authorization",
        "title": "The first six visits of an episode need no authorization",
        "layer": "mandate",
        "applies": {"history.visits_this_episode": {"below": 6}, "provider.network": "in"},
        "waives": AUTHORIZATION,
    },
    extends="medical-massage",
)


def episode(before, network="in", **authorization):
    plan = {"visits_before_authorization": 0, "units_per_visit": 4}
    history = {} if before is None else {"visits_this_episode": before}
    provider = {} if network is None else {"network": network}
    visit = {"date": "2026-06-15", "units": 4}
    facts = {"plan": plan, "history": history, "provider": provider, "visit": visit, "authorization": authorization}
    return case_from_dict(facts)


@pytest.mark.parametrize("engine", ["checked", "compiled", "durable"])
def test_a_mandate_waives_all_four_authorization_rules_for_six_visits_in_network_only(folder, engine):
    ruleset = folder(MANDATE)
    expired = {"on_file": True, "valid_until": "2026-01-01", "valid_from": "2025-01-01", "visits": 0, "units": 0}

    def statuses(case):
        verdict = ruleset.evaluate(case, engine=engine)
        waiver = verdict.finding("six-visits-without-authorization")
        found = [verdict.finding(rule) for rule in AUTHORIZATION]
        waived = [finding.rule for finding in found if finding.waived_by == (waiver.rule,)]
        return waiver.status, [finding.status for finding in found], waived

    for before in range(6):
        assert statuses(episode(before, on_file=False)) == ("waives", ["waived"] + ["not-applicable"] * 3, [
            "prior-authorization"
        ])  # fmt: skip
    case = case_from_dict({**expired_case(expired, 3)})
    assert statuses(case) == ("waives", ["met", "waived", "waived", "waived"], AUTHORIZATION[1:])
    case = case_from_dict({**expired_case(expired, 6)})
    assert statuses(case) == ("not-applicable", ["met", "unmet", "unmet", "capped"], [])
    assert statuses(episode(6, on_file=False))[1][0] == "unmet"
    assert statuses(episode(0, "out", on_file=False)) == ("not-applicable", ["unmet"] + ["not-applicable"] * 3, [])


def expired_case(authorization, before):
    case = episode(before, **authorization).to_dict()
    case["history"] |= {"visits_on_authorization": 3, "units_on_authorization": 12}
    return case


def test_what_a_waiver_needs_to_know_is_missing_from_what_it_would_waive(folder):
    ruleset = folder(MANDATE)
    verdict = ruleset.evaluate(episode(3, network=None, on_file=False))
    assert verdict.finding("prior-authorization").status == "unknown"
    assert verdict.finding("prior-authorization").missing == ("provider.network",)
    assert verdict.finding("six-visits-without-authorization").missing == ("provider.network",)
    assert "provider.network" in [question.fact for question in verdict.questions]
    waived = ruleset.evaluate(episode(3, on_file=False))
    assert waived.finding("prior-authorization").missing == ()


def test_a_waiver_alone_leaves_nothing_undecided(folder):
    ruleset = folder(data_of("child", requirement("a"), {
        "id": "w", "title": "W", "applies": {"visit.minutes": {"above": 60}}, "waives": ["a"]
    }))  # fmt: skip
    verdict = ruleset.evaluate(case_from_dict({"visit": {"purpose": "treatment"}}))
    assert (verdict.coverage, verdict.finding("w").status) == ("covered", "unknown")
    assert ruleset.evaluate(case_from_dict({"visit": {"purpose": "wellness"}})).coverage == "undetermined"


def test_a_waived_cap_binds_nothing(folder):
    ruleset = folder(data_of(
        "child", {"id": "cap", "title": "Cap", "caps": {"visit.units": 4}},
        {"id": "w", "title": "W", "applies": {"visit.liability": "work"}, "waives": ["cap"]},
    ))  # fmt: skip
    case = {"visit": {"units": 6, "liability": "work"}}
    assert ruleset.evaluate(case_from_dict(case)).to_dict()["units"] == {
        "requested": 6, "covered": 6, "bound_by": None,
    }  # fmt: skip
    case["visit"]["liability"] = "none"
    assert ruleset.evaluate(case_from_dict(case)).units.covered == 4


# --- facts that a plan fixes ------------------------------------------------------------------------------------

DATED = data_of(
    "dated", {"id": "cap", "title": "Cap", "caps": {"visit.units": "$plan.units_per_visit"}, "because": "Too many."},
    facts={"plan.units_per_visit": {"value": {"2025-01-01": 6, "2026-01-01": 4}}, "plan.payer": {"value": "Example"}},
)  # fmt: skip


@pytest.mark.parametrize("engine", ["checked", "compiled", "durable"])
def test_one_file_gives_other_limits_in_another_year(folder, engine):
    ruleset = folder(DATED)

    def covered(date, **more):
        case = case_from_dict({"visit": {"units": 5, "date": date}, **more})
        verdict = ruleset.evaluate(case, engine=engine)
        return verdict.coverage, verdict.units.covered

    assert covered("2025-12-31") == ("covered", 5)
    assert covered("2026-01-01") == ("partial", 4)
    assert covered("2024-12-31") == ("undetermined", None)
    assert covered("2024-12-31", plan={"units_per_visit": 3}) == ("partial", 3)
    assert covered("2026-01-01", plan={"units_per_visit": 4, "payer": "Example"}) == ("partial", 4)


def test_what_a_source_leaves_open_for_some_days_is_unknown_on_them(folder):
    years = {"2020-01-01": 16, "2021-01-01": None, "2024-01-01": 24}
    rule = {
        "id": "visits",
        "title": "Visits",
        "requires": {"history.visits_this_year": {"below": "$plan.visits_per_year"}},
    }
    ruleset = folder(data_of("gap", rule, facts={"plan.visits_per_year": {"value": years}}))

    def said(date, **plan):
        verdict = ruleset.evaluate(
            case_from_dict({"visit": {"date": date}, "history": {"visits_this_year": 20}, "plan": plan})
        )
        return verdict.findings[0].status, verdict.findings[0].missing

    assert said("2020-12-31") == ("unmet", ())
    assert said("2021-01-01") == ("unknown", ("plan.visits_per_year",))
    assert said("2023-12-31", visits_per_year=30) == ("met", ())
    assert said("2024-01-01") == ("met", ())
    assert "16 from January 1, 2020; not known from January 1, 2021; 24 from" in ruleset_to_text(ruleset)
    assert json.loads(json.dumps(ruleset_to_data(ruleset)))["facts"]["plan.visits_per_year"]["value"] == years


def test_as_of_chooses_values_where_the_date_of_the_visit_is_unknown_and_nothing_else(folder):
    ruleset = folder(DATED)
    case = case_from_dict({"visit": {"units": 5}})
    assert ruleset.evaluate(case, as_of="2025-06-01").coverage == "covered"
    later = ruleset.evaluate(case, as_of=dt.date(2026, 6, 1))
    assert (later.coverage, later.ruleset.as_of) == ("partial", dt.date(2026, 6, 1))
    on = case_from_dict({"visit": {"units": 5, "date": "2026-06-01"}})
    assert ruleset.evaluate(on, as_of="2025-06-01").coverage == "partial"
    with pytest.raises(FactError, match=r"visit\.date: unknown, and what dated says depends on the day"):
        ruleset.evaluate(case)


def test_a_case_may_not_contradict_what_the_plan_fixes(folder):
    ruleset = folder(DATED)
    case = case_from_dict({"visit": {"date": "2026-01-01"}, "plan": {"units_per_visit": 7654321, "payer": "Nobody's"}})
    for engine in ("checked", "compiled", "durable"):
        with pytest.raises(FactError) as caught:
            ruleset.evaluate(case, engine=engine)
        units, payer = caught.value.problems
        assert units.path == "plan.units_per_visit"
        assert "contradicts what dated fixes" in units.message
        assert payer.path == "plan.payer"
        assert units.expected == "4, or nothing"
        assert "7654321" not in str(caught.value)
        assert "Nobody" not in str(caught.value)


def test_the_findings_show_what_the_plan_fixes(folder):
    verdict = folder(DATED).evaluate(case_from_dict({"visit": {"units": 5, "date": "2026-06-01"}}))
    assert verdict.to_dict()["findings"][0]["facts"] == {"plan.units_per_visit": 4, "visit.units": 5}
    assert verdict.questions == ()


def test_a_finding_cites_what_the_plan_fixes_of_its_facts_before_what_its_rule_cites(folder):
    sources = {id: {"title": id.title()} for id in ("certificate", "rulebook", "other")}
    cap = {"id": "cap", "title": "Cap", "caps": {"visit.units": "$plan.units_in_longest_visit"}, "cites": ["rulebook"]}
    facts = {
        "plan.minutes_per_visit": {"value": 60, "cites": ["certificate"]},
        "plan.payer": {"value": "Example", "cites": ["other"]},
    }
    ruleset = folder(data_of("cited", cap, sources=sources, facts=facts))
    verdict = ruleset.evaluate(case_from_dict({"visit": {"units": 9}, "plan": {"units_in_longest_visit": 4}}))
    assert [source.title for source in verdict.findings[0].cites] == ["Certificate", "Rulebook"]
    assert [source["title"] for source in verdict.to_dict()["findings"][0]["cites"]] == ["Certificate", "Rulebook"]
    years = {"2025-01-01": 60, "2026-01-01": None}
    ruleset = folder(
        data_of("cited", cap, sources=sources, facts={"plan.minutes_per_visit": {"value": years, "cites": ["other"]}})
    )

    def cited(day):
        case = case_from_dict({"visit": {"units": 9, "date": day}, "plan": {"units_in_longest_visit": 4}})
        return [source.title for source in ruleset.evaluate(case).findings[0].cites]

    assert (cited("2025-06-01"), cited("2026-06-01")) == (["Other", "Rulebook"], ["Rulebook"])


def test_a_child_fixes_anew_what_its_parent_fixes(folder):
    child = data_of("child", extends="dated", facts={"plan.units_per_visit": {"value": "unlimited"}})
    assert folder(child, DATED).fixed_on(dt.date(2026, 1, 1)) == {
        "plan.units_per_visit": UNLIMITED, "plan.payer": "Example",
    }  # fmt: skip


# --- facts of its own -------------------------------------------------------------------------------------------

REPORTS = data_of(
    "reports",
    {
        "id": "progress-report",
        "title": "A progress report every thirty days",
        "applies": {"own.reports_asked": True},
        "requires": {"own.days_since_report": {"at_most": 30}},
        "because": "The last report is {own.days_since_report} days old.",
        "examples": [
            {
                "given": {"own.reports_asked": True, "own.last_report_on": "2026-05-01", "visit.date": "2026-06-15"},
                "then": "unmet",
            },
            {"given": {"own.reports_asked": True, "own.days_since_report": 30}, "then": "met"},
            {"given": {"own.reports_asked": True, "visit.date": "2026-06-15"}, "then": "unknown"},
            {"given": {"own.reports_asked": False}, "then": "not-applicable"},
        ],
    },
    declares={
        "own.reports_asked": {"type": "bool", "who": "insurer", "ask": "Are reports asked for?"},
        "own.last_report_on": {"type": "date", "who": "clinic", "ask": "When was the last report sent?"},
        "own.days_since_report": {"type": "days", "from": "own.last_report_on", "to": "visit.date"},
    },
)


@pytest.mark.parametrize("engine", ["checked", "compiled", "durable"])
def test_a_plan_with_a_fact_of_its_own_and_the_days_between_two(folder, engine):
    ruleset = folder(REPORTS)
    assert check(ruleset).failures == ()
    assert check(ruleset).unexercised == ()

    def finding(**own):
        case = case_from_dict({"visit": {"date": "2026-06-15"}, "own": own})
        return ruleset.evaluate(case, engine=engine).finding("progress-report")

    late = finding(reports_asked=True, last_report_on="2026-05-01")
    assert (late.status, late.because) == ("unmet", "The last report is 45 days old.")
    assert finding(reports_asked=True, last_report_on="2026-06-01").status == "met"
    assert finding(reports_asked=True).missing == ("own.last_report_on",)
    assert finding().missing == ("own.reports_asked", "own.last_report_on")


def test_questions_ask_for_facts_of_its_own(folder):
    verdict = folder(REPORTS).evaluate(covrules.Case())
    assert [(q.fact, q.who, q.ask) for q in verdict.questions][:2] == [
        ("own.reports_asked", "insurer", "Are reports asked for?"),
        ("visit.date", "clinic", FACTS["visit.date"].ask),
    ]


@pytest.mark.parametrize(
    ("own", "path", "said"),
    [
        ({"reports_askd": True}, "own.reports_askd", "did you mean reports_asked"),
        ({"reports_asked": "yes"}, "own.reports_asked", "expected true or false"),
        ({"last_report_on": "May"}, "own.last_report_on", "text that is not a date"),
        ({"last_report_on": "2026-05-01T00:00"}, "own.last_report_on", "not a date"),
        ({"Jane Doe, 555-1234": 1}, "own", "there is no such fact of the ruleset's own"),
        ({3: 1}, "own", "there is no such fact"),
        ({"last_report_0n": "2026-05-01"}, "own", "did you mean last_report_on"),
    ],
)
def test_facts_of_its_own_are_checked_when_the_case_meets_the_ruleset(folder, own, path, said):
    with pytest.raises(FactError, match=said) as caught:
        folder(REPORTS).evaluate(case_from_dict({"own": own}))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert "Jane" not in str(caught.value)


def test_a_ruleset_without_facts_of_its_own_takes_none():
    with pytest.raises(FactError, match="it has none"):
        covrules.load("medical-massage").evaluate(case_from_dict({"own": {"reports_asked": True}}))


def test_unknown_own_facts_are_not_told_without_end(folder):
    with pytest.raises(FactError) as caught:
        folder(REPORTS).evaluate(case_from_dict({"own": {f"n{n}": n for n in range(1_000)}}))
    assert len(caught.value.problems) == 100


def test_what_is_no_path_of_a_fact_is_no_unknown_fact():
    for path in ("plan.typo", "reports_asked", ""):
        with pytest.raises(KeyError):
            case_from_dict({"own": {"reports_asked": True}}).get(path)


def test_words_of_its_own_are_said_as_they_are_written():
    kind = kinds.Enum(tuple(f"turn-{n}-right" for n in range(30)))
    assert kind.words("turn-3-right") == "turn 3 right"
    assert kind.expected.startswith("a word (turn-0-right")
    assert kinds.BODY_SITE.words("ankle-left") == "left ankle"


def test_a_waiver_that_certainly_excuses_nothing_asks_for_nothing(folder):
    waiver = {
        "id": "w",
        "title": "W",
        "applies": {"visit.liability": "work"},
        "unless": {"visit.minutes": 60},
        "waives": ["a"],
    }
    ruleset = folder(data_of("child", requirement("a"), waiver))
    assert ruleset.evaluate(case_from_dict({"visit": {"liability": "none"}})).finding("a").missing == ("visit.purpose",)
    assert ruleset.evaluate(case_from_dict({})).finding("a").missing == (
        "visit.purpose", "visit.liability", "visit.minutes",
    )  # fmt: skip


def test_own_facts_travel_in_the_case():
    case = case_from_dict({"own": {"a": 1, "b": ["x"], "c": None}})
    assert case.own == {"a": 1, "b": ("x",)}
    assert case.to_dict() == {"own": {"a": 1, "b": ["x"]}}
    assert case_from_dict(case.to_dict()) == case == pickle.loads(pickle.dumps(case))
    assert hash(case) == hash(case_from_dict({"own": {"b": ["x"], "a": 1}}))
    assert repr(case) == "Case(own=Own({'a': 1, 'b': ('x',)}))"
    for wrong in ([], "text", 5):
        with pytest.raises(FactError, match="a mapping of names to values"):
            case_from_dict({"own": wrong})
        with pytest.raises(FactError, match="a mapping of names to values"):
            covrules.Case(own=wrong)


# --- when a ruleset is in force ---------------------------------------------------------------------------------


def versions():
    cap = {"id": "cap", "title": "Cap", "caps": {"visit.units": "$plan.units_per_visit"}}
    fact = "plan.units_per_visit"
    early = data_of("plan", cap, effective={"from": "2025-01-01", "until": "2025-07-01"}, facts={fact: {"value": 6}})
    late = data_of("plan", cap, effective={"from": "2026-01-01"}, facts={fact: {"value": 4}})
    return early | {"version": "2025"}, late | {"version": "2026"}


def test_a_day_in_no_period_is_an_error_that_says_which_versions_there_are(folder):
    ruleset = folder(*versions())
    assert ruleset.version == "2025"
    covered = ruleset.evaluate(case_from_dict({"visit": {"date": "2025-06-30", "units": 5}}))
    assert covered.coverage == "covered"
    for day in ("2025-07-01", "2024-12-31", "2025-10-01", "2026-03-01"):
        with pytest.raises(FactError) as caught:
            ruleset.evaluate(case_from_dict({"visit": {"date": day}}))
        (problem,) = caught.value.problems
        assert problem.path == "visit.date"
        assert "plan 2025 (from 2025-01-01 until 2025-07-01), plan 2026 (from 2026-01-01)" in problem.hint
        assert day not in problem.message


def test_the_latest_version_is_extended_unless_a_day_is_named(folder):
    child = data_of("child", extends="plan")
    files = (child, *versions())
    assert folder(*files).fixed_on(None) == {"plan.units_per_visit": 4}
    assert folder(*files, on="2025-03-01").fixed_on(None) == {"plan.units_per_visit": 6}
    assert folder(*files, on=dt.date(2026, 3, 1)).effective.since == dt.date(2026, 1, 1)
    with pytest.raises(RulesetError, match="no version of plan is in force on that day"):
        folder(*files, on="2025-08-01")
    with pytest.raises(FactError, match="a date such as"):
        folder(*files, on="soon")


def test_a_child_takes_the_version_in_force_while_it_is(folder):
    child = data_of("child", extends="plan", effective={"until": "2026-01-01"})
    ruleset = folder(child, *versions())
    assert str(ruleset.effective) == "from 2025-01-01 until 2025-07-01"
    assert ruleset.fixed_on(None) == {"plan.units_per_visit": 6}


def test_a_period_reaches_the_versions_of_grandparents(folder):
    middle = data_of("middle", extends="plan")
    child = data_of("child", extends="middle", effective={"until": "2026-01-01"})
    assert folder(child, middle, *versions()).fixed_on(None) == {"plan.units_per_visit": 6}
    old = data_of("old", effective={"until": "2026-01-01"})
    for order in (["old", "plan"], ["plan", "old"], ["middle", "old"]):
        ruleset = folder(data_of("child", extends=order), old, middle, *versions())
        assert str(ruleset.effective) == "from 2025-01-01 until 2025-07-01"


def test_a_version_by_its_path_on_another_day_says_which_there_are(folder, tmp_path):
    folder(*versions())
    with pytest.raises(RulesetError) as caught:
        covrules.load(tmp_path / "0-plan.yaml", on="2026-03-01")
    (problem,) = caught.value.problems
    assert problem.file.endswith("0-plan.yaml")
    assert "plan 2025 (from 2025-01-01 until 2025-07-01), plan 2026 (from 2026-01-01)" in problem.hint
    (tmp_path / "0-plan.yaml").rename(tmp_path / "0-plan.yml")
    said = [str(version) for version in covrules.load(tmp_path / "0-plan.yml").versions]
    assert said == ["plan 2025 (from 2025-01-01 until 2025-07-01)", "plan 2026 (from 2026-01-01)"]


def test_an_as_of_outside_the_period_is_named_as_such(folder):
    with pytest.raises(FactError) as caught:
        folder(*versions()).evaluate(covrules.Case(), as_of="2026-03-01")
    assert caught.value.problems[0].path == "as_of"


@pytest.mark.parametrize("day", ["garbage", 5])
def test_an_as_of_that_is_no_date_is_refused_even_where_it_is_not_needed(day):
    with pytest.raises(FactError, match="as_of"):
        covrules.load("medical-massage").evaluate(case_from_dict({"visit": {"date": "2026-03-01"}}), as_of=day)


def test_every_day_has_one_version_or_none(folder):
    files = (data_of("child", extends="plan"), *versions())
    for day in (dt.date(2024, 11, 1) + dt.timedelta(days=n) for n in range(0, 900, 7)):
        inside = day < dt.date(2025, 7, 1) if day < dt.date(2026, 1, 1) else True
        if inside and day >= dt.date(2025, 1, 1):
            assert folder(*files, on=day).effective.holds(day)
        else:
            with pytest.raises(RulesetError, match="versions there are"):
                folder(*files, on=day)


def test_a_ruleset_in_force_needs_a_day(folder):
    ruleset = folder(*versions())
    with pytest.raises(FactError, match="as_of"):
        ruleset.evaluate(covrules.Case())
    assert ruleset.evaluate(covrules.Case(), as_of="2025-02-01").coverage == "undetermined"


def test_a_rule_knows_all_that_stood_in_its_place(folder):
    base = data_of("base", requirement("a"))
    middle = data_of("middle", requirement("a", "maintenance"), extends="base")
    rule = folder(data_of("child", requirement("a", "wellness"), extends="middle"), base, middle).rule("a")
    told = []
    while isinstance(rule, Rule):
        told.append(rule.origin)
        rule = rule.replaces
    assert told == ["child", "middle", "base"]


def test_of_several_shipped_versions_an_id_means_the_latest_and_a_day_chooses(folder, tmp_path, monkeypatch):
    folder(*versions())
    monkeypatch.setattr(covrules.library, "rules_folder", lambda: tmp_path)
    assert covrules.load("plan").version == "2026"
    assert covrules.load("plan", on="2025-03-01").version == "2025"
    assert [version.version for version in covrules.load("plan").versions] == ["2025", "2026"]
    with pytest.raises(RulesetError, match="no version of plan is in force on that day"):
        covrules.load("plan", on="2025-08-01")
    with pytest.raises(FactError, match=r"plan 2025 \(from 2025-01-01 until 2025-07-01\), plan 2026"):
        covrules.load("plan").evaluate(case_from_dict({"visit": {"date": "2025-03-01"}}))
    run = CliRunner().invoke
    assert [line.split()[:2] for line in run(main, ["list"]).stdout.splitlines()[1:]] == [
        ["plan", "2025"],
        ["plan", "2026"],
    ]
    assert "plan 2025, illustrative" in run(main, ["show", "plan", "--on", "2025-03-01"]).stdout
    for date, covered in (("2025-03-01", 5), ("2026-03-01", 4)):
        case = json.dumps({"visit": {"date": date, "units": 5}})
        said = run(main, ["evaluate", "-", "--ruleset", "plan", "--format", "json"], input=case).stdout
        assert json.loads(said)["units"]["covered"] == covered

"""What a verdict says, and that it says it in one way."""

import copy
import datetime as dt
import json
import pickle
import random

import attrs
import pytest
from rich.console import Console

import covrules
import generators
from covrules import Case, FactError, Plan, Prescription, Provider, Visit, case_from_dict
from covrules.findings import Finding
from covrules.loading import read_ruleset
from covrules.verdicts import DISCLAIMER, add_up

BASE = covrules.load("medical-massage")


def ruleset(*rules, **more):
    data = {"schema": "covrules/1", "id": "made", "title": "Made", "status": "illustrative", "version": "1"}
    made = [{"id": f"r{n}", "title": f"Rule {n}", **rule} for n, rule in enumerate(rules)]
    return read_ruleset(json.dumps({**data, "rules": made, **more}).encode(), "rules/made.yaml")


CAP = {"caps": {"visit.units": "$plan.units_per_visit"}, "denial": {"carc": "151", "rarc": ["N362"]}}


def test_a_verdict_as_plain_values():
    source = {"coc": {"title": "Certificate", "section": "8.2", "url": "https://example.org/coc", "read": "2026-11-20"}}
    because = "The plan pays {plan.units_per_visit} units a visit; this visit has {visit.units}."
    made = ruleset({**CAP, "because": because, "cites": ["coc"]}, sources=source)
    case = Case(plan=Plan(units_per_visit=4, unit_minutes=15), visit=Visit(minutes=90, date=dt.date(2026, 6, 15)))
    said = made.evaluate(case).to_dict()
    assert said == {
        "coverage": "partial",
        "accepted_here": True,
        "stage": "planned",
        "units": {"requested": 6, "covered": 4, "bound_by": "r0"},
        "findings": [
            {
                "rule": "r0",
                "title": "Rule 0",
                "layer": "plan",
                "status": "capped",
                "because": "The plan pays 4 units a visit; this visit has 6.",
                "facts": {"plan.units_per_visit": 4, "visit.units": 6},
                "missing": [],
                "denial": {"carc": "151", "rarc": ["N362"]},
                "waived_by": [],
                "cites": [{"title": "Certificate", "section": "8.2", "url": "https://example.org/coc"}],
                "where": "rules/made.yaml:1",
            }
        ],
        "questions": [],
        "remedies": [
            {
                "steps": [{"who": "clinic", "action": "Book 60 minutes.", "set": {"visit.minutes": 60}}],
                "coverage": "covered",
            }
        ],
        "advice": [],
        "ruleset": {
            "id": "made",
            "version": "1",
            "digest": made.digest,
            "code_set": "2026-04-01",
            "as_of": "2026-06-15",
        },
        "engine": "checked",
        "disclaimer": DISCLAIMER,
    }
    assert json.loads(json.dumps(said)) == said
    assert made.digest.startswith("sha256:")
    assert len(made.digest) == len("sha256:") + 64


def units(*rules, **facts):
    made = ruleset(*rules)
    found = made.evaluate(case_from_dict(facts))
    return found.coverage, found.units.requested, found.units.covered, found.units.bound_by


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("undetermined", None, None, None)),
        ({"visit": {"units": 3}}, ("undetermined", 3, None, None)),
        ({"visit": {"units": 0}}, ("covered", 0, 0, None)),
        ({"plan": {"units_per_visit": "unlimited"}}, ("covered", None, None, None)),
        ({"plan": {"units_per_visit": 4}, "visit": {"units": 4}}, ("covered", 4, 4, None)),
        ({"plan": {"units_per_visit": 4}, "visit": {"units": 5}}, ("partial", 5, 4, "r0")),
        ({"plan": {"units_per_visit": 0}, "visit": {"units": 5}}, ("not-covered", 5, 0, "r0")),
        ({"plan": {"units_per_visit": 0}}, ("undetermined", None, None, None)),
    ],
)
def test_one_cap(facts, expected):
    assert units(CAP, **facts) == expected


def test_the_smallest_cap_binds_and_of_equals_the_first():
    day = {"caps": {"visit.units": "$plan.units_per_day", "less": "history.units_this_day"}}
    visit = {"units": 9}
    facts = {"plan": {"units_per_visit": 4, "units_per_day": 6}, "history": {"units_this_day": 3}, "visit": visit}
    assert units(CAP, day, **facts) == ("partial", 9, 3, "r1")
    facts["history"] = {"units_this_day": 2}
    assert units(CAP, day, **facts) == ("partial", 9, 4, "r0")
    facts["history"] = {"units_this_day": 99}
    assert units(CAP, day, **facts) == ("not-covered", 9, 0, "r1")


def test_a_cap_of_nothing_beside_an_unmet_rule_binds_nothing():
    unmet = {"requires": {"visit.purpose": "treatment"}}
    facts = {"plan": {"units_per_visit": 0}, "visit": {"units": 5, "purpose": "wellness"}}
    assert units(CAP, unmet, **facts) == ("not-covered", 5, 0, None)


def test_the_clinics_layer_says_nothing_of_coverage():
    made = ruleset(
        {"requires": {"visit.purpose": "treatment"}, "layer": "clinic"}, {"caps": {"visit.units": 2}, "layer": "clinic"}
    )
    for visit, accepted in [
        ({"purpose": "treatment", "units": 2}, True),
        ({"purpose": "treatment", "units": 3}, False),
        ({"purpose": "wellness", "units": 2}, False),
        ({"purpose": "wellness"}, False),
        ({"purpose": "treatment"}, None),
        ({}, None),
    ]:
        verdict = made.evaluate(case_from_dict({"visit": visit}))
        assert (verdict.coverage, verdict.accepted_here) == ("covered", accepted)


def test_what_is_certain_decides_while_other_things_are_unknown():
    missing = {"requires": {"referral.on_file": True}}
    other = {"requires": {"visit.purpose": "treatment"}}
    verdict = ruleset(missing, other).evaluate(case_from_dict({"referral": {"on_file": False}}))
    assert verdict.coverage == "not-covered"
    assert verdict.questions == ()
    assert verdict.finding("r1").missing == ("visit.purpose",)


def test_a_clinic_that_refuses_for_certain_asks_no_more():
    rules = [{"requires": {"visit.purpose": "treatment"}}, {"requires": {"clinic.accepts_payer_from": "2026-01-01"}}]
    made = ruleset(*[{**rule, "layer": "clinic"} for rule in rules])
    assert made.evaluate(Case(visit=Visit(purpose="wellness"))).questions == ()
    asked = {question.fact for question in made.evaluate(Case()).questions}
    assert asked == {"visit.purpose", "clinic.accepts_payer_from"}


def test_the_digest_is_of_the_codes_too(monkeypatch):
    before = ruleset(CAP).digest
    monkeypatch.setattr("covrules.codes.icd10cm.digest", lambda: "other codes")
    assert ruleset(CAP).digest != before


def test_unknown_is_never_no():
    verdict = BASE.evaluate(Case())
    assert verdict.coverage == "undetermined"
    assert verdict.accepted_here is None
    assert {finding.status for finding in verdict.findings} <= {"unknown", "later"}
    asked = {question.fact for question in verdict.questions}
    assert "visit.units" not in asked
    assert {"visit.minutes", "plan.unit_minutes", "plan.payer"} - asked == {"plan.payer"}


def test_missing_facts_are_those_of_the_undecided_parts():
    rule = {
        "requires": {
            "any": [
                {"visit.purpose": "treatment"},
                {"all": [{"plan.maintenance_covered": True}, {"visit.liability": "none"}]},
            ]
        }
    }
    verdict = ruleset(rule).evaluate(case_from_dict({"visit": {"purpose": "wellness", "liability": "none"}}))
    assert verdict.findings[0].missing == ("plan.maintenance_covered",)
    assert verdict.findings[0].facts == {"visit.purpose": "wellness", "visit.liability": "none"}


def test_missing_names_what_a_derived_fact_is_derived_from():
    verdict = ruleset({"requires": {"visit.units": {"at_least": 1}}}).evaluate(Case(visit=Visit(minutes=50)))
    assert verdict.findings[0].missing == ("plan.unit_minutes", "plan.unit_rounding")
    assert [(q.fact, q.who) for q in verdict.questions] == [
        ("plan.unit_minutes", "insurer"),
        ("plan.unit_rounding", "insurer"),
    ]


def test_the_first_denial_that_certainly_fits():
    assert BASE.evaluate(Case(visit=Visit(liability="work"))).finding("no-other-payer").denial.carc == "19"
    assert BASE.evaluate(Case(visit=Visit(liability="auto"))).finding("no-other-payer").denial.carc == "20"
    assert BASE.evaluate(Case(visit=Visit(liability="other-plan"))).finding("no-other-payer").denial.carc == "22"
    maybe = ruleset(
        {
            "requires": {"visit.purpose": "treatment"},
            "denial": [{"when": {"visit.liability": "work"}, "carc": "19"}, {"carc": "50"}],
        }
    )
    assert maybe.evaluate(Case(visit=Visit(purpose="wellness"))).findings[0].denial.carc == "50"


def test_stages():
    assert BASE.evaluate(Case()).finding("timely-filing").status == "later"
    assert BASE.evaluate(Case(), stage="delivered").finding("timely-filing").status == "later"
    assert BASE.evaluate(Case(), stage="billed").finding("timely-filing").status == "unknown"
    within = Case(provider=Provider(network="in"))
    assert BASE.evaluate(within).finding("itemized-receipt").status == "not-applicable"
    assert BASE.evaluate(Case()).finding("itemized-receipt").status == "later"


def test_as_of_is_the_date_of_the_visit_else_what_is_said():
    day, other = dt.date(2026, 6, 15), dt.date(2026, 1, 1)
    assert BASE.evaluate(Case(visit=Visit(date=day)), as_of=other).ruleset.as_of == day
    assert BASE.evaluate(Case(), as_of=other).ruleset.as_of == other
    assert BASE.evaluate(Case()).to_dict()["ruleset"]["as_of"] is None
    assert BASE.evaluate(Case(), as_of="2026-01-01").ruleset.as_of == other
    for wrong in ("soon", 2026, dt.datetime(2026, 1, 1)):
        with pytest.raises(FactError, match="as_of: found"):
            BASE.evaluate(Case(), as_of=wrong)


def test_an_unknown_fact_in_a_reason_is_called_by_its_name():
    case = Case(
        plan=Plan(prescription_required=True, accepted_prescribers=["MD", "DO"]),
        prescription=Prescription(prescriber="LMT"),
    )
    because = BASE.evaluate(case).finding("prescriber-type").because
    assert because == "The insurer accepts prescriptions from MD or DO; this one was written by: LMT."


def test_an_insurers_name_is_said_as_it_is_written():
    rule = {"requires": {"visit.purpose": "treatment"}, "because": "{plan.payer} pays for treatment."}
    wellness = Visit(purpose="wellness")
    for payer, said in [("eHealth", "eHealth pays for treatment."), (None, "The insurer pays for treatment.")]:
        case = Case(plan=Plan(payer=payer), visit=wellness)
        assert ruleset(rule).evaluate(case).findings[0].because == said


def test_texts_from_strangers_are_escaped_in_html():
    made = ruleset({"requires": {"visit.purpose": "treatment"}, "because": "No <b>{plan.payer}</b>."})
    case = Case(plan=Plan(payer="<script>alert(1)</script>"), visit=Visit(purpose="wellness"))
    html = made.evaluate(case)._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_texts_from_strangers_are_not_markup_on_a_terminal():
    made = ruleset({"requires": {"visit.purpose": "treatment"}, "because": "[red]{plan.payer}[/red]"})
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(made.evaluate(Case(plan=Plan(payer="[bold]x[/bold]"), visit=Visit(purpose="wellness"))))
    assert "[red][bold]x[/bold][/red]" in console.export_text()
    console.file.close()


def test_texts_from_strangers_cannot_steer_a_terminal():
    made = ruleset({"requires": {"visit.purpose": "treatment"}, "because": "It is {plan.payer}"})
    said = made.evaluate(Case(plan=Plan(payer="\x1b]0;title\x07"), visit=Visit(purpose="wellness"))).explain()
    assert "\x1b" not in said
    assert "\x07" not in said


def test_the_explanation_reads_top_down():
    case = Case(
        plan=Plan(units_per_visit=4, unit_minutes=15),
        visit=Visit(minutes=90),
        prescription=Prescription(treatment_plan=False),
    )
    text = ruleset(
        {
            **CAP,
            "because": "The plan pays {plan.units_per_visit}.",
            "remedy": {"who": "clinic", "action": "Book less."},
        },
        {"requires": {"visit.liability": "none"}},
        {"advises": "Ask for a treatment plan.", "applies": {"prescription.treatment_plan": False}},
    )
    said = text.evaluate(case).explain(for_="biller")
    order = ["Not decided yet", "Why", "The plan pays 4.", "Book less.", "CARC 151, RARC N362"]
    order += [
        "Ask the patient",
        "Does an auto insurer",
        "Good to know",
        "Ask for a treatment plan.",
        "promise of payment",
    ]
    places = [said.index(part) for part in order]
    assert places == sorted(places)


def test_a_verdict_says_nothing_of_the_patient_in_its_repr():
    verdict = BASE.evaluate(Case(plan=Plan(payer="Example Health")))
    assert repr(verdict) == "<Verdict undetermined by medical-massage 2026.1>"


def test_a_case_takes_only_its_groups():
    with pytest.raises(FactError, match="visit: found a mapping"):
        Case(visit={"minutes": 60})


# --- what is prepared once -------------------------------------------------------------------------------------


def test_a_finding_is_immutable_and_compares_by_what_it_says():
    case = Case(plan=Plan(units_per_visit=4), visit=Visit(units=6))
    one, other = (ruleset(CAP).evaluate(case, engine="compiled").findings[0] for _ in range(2))
    assert one == other
    assert repr(one) == repr(other)
    assert repr(one).startswith(
        "Finding(rule='r0', title='Rule 0', layer='plan', status='capped', because=None, facts={"
    )
    built = Finding(**{field.name: getattr(one, field.name) for field in attrs.fields(Finding)})
    assert built == one
    assert attrs.evolve(one, status="met") != one
    for field in attrs.fields(Finding):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(one, field.name, None)


def test_the_findings_of_one_verdict_are_not_those_of_another():
    made = ruleset(CAP)
    many, few = (made.evaluate(Case(plan=Plan(units_per_visit=4), visit=Visit(units=units))) for units in (6, 3))
    many.findings[0].facts["visit.units"] = 99
    many.to_dict()["findings"][0]["facts"]["visit.units"] = 98
    assert few.findings[0].facts["visit.units"] == 3
    again = made.evaluate(Case(plan=Plan(units_per_visit=4), visit=Visit(units=6)))
    assert again.findings[0].facts["visit.units"] == 6


def test_what_is_done_to_plain_values_stays_with_them():
    source = {"coc": {"title": "Certificate"}}
    made = ruleset({**CAP, "cites": ["coc"]}, sources=source)
    verdict = made.evaluate(Case(plan=Plan(units_per_visit=4), visit=Visit(units=6)))
    before = json.dumps(verdict.to_dict())
    finding = verdict.to_dict()["findings"][0]
    finding["cites"][0]["title"] = "something else"
    finding["denial"]["rarc"].append("N1")
    finding["missing"].append("visit.date")
    assert json.dumps(verdict.to_dict()) == before


@pytest.mark.parametrize("read_first", [False, True])
def test_a_verdict_is_the_same_after_pickling_and_copying(read_first):
    verdict = BASE.evaluate(Case(plan=Plan(units_per_visit=4), visit=Visit(units=6)), engine="compiled")
    said = verdict.to_dict() if read_first else None
    for again in (pickle.loads(pickle.dumps(verdict)), copy.deepcopy(verdict)):
        assert again.to_dict() == (said or verdict.to_dict())
        assert (again.coverage, again.stage, again.engine) == (verdict.coverage, verdict.stage, verdict.engine)


def test_what_the_compiled_function_adds_up_on_the_way_is_what_the_statuses_add_up_to():
    rnd = random.Random(17)
    coverages = set()
    for _ in range(300):
        made = generators.ruleset(rnd)
        for _ in range(5):
            verdict = made.evaluate(generators.case_for(rnd, made), engine="compiled", as_of="2026-06-15")
            added_up = add_up(made, verdict._outcome)
            assert added_up == (verdict.coverage, verdict.accepted_here, verdict._outcome)
            coverages.add(added_up[:2])
    assert {coverage for coverage, _ in coverages} == {"covered", "partial", "not-covered", "undetermined"}
    assert {accepted for _, accepted in coverages} == {True, False, None}


def test_a_limit_that_is_a_number_leaves_what_is_not_used(recwarn):
    made = ruleset({"caps": {"visit.units": 10, "less": "history.units_this_year"}})
    for used, covered in ((7, 3), (12, 0), (0, None)):
        facts = {"visit": {"units": 8}, "history": {"units_this_year": used}}
        verdict = made.evaluate(case_from_dict(facts))
        assert (verdict.units.bound_by, verdict.units.covered) == (
            None if covered is None else "r0",
            covered or verdict.units.covered,
        )
    assert [str(warning.message) for warning in recwarn] == []


def test_missing_facts_are_asked_for_once_and_in_the_order_in_which_conditions_read_them():
    made = ruleset(
        {
            "applies": {"not": {"visit.purpose": "wellness"}},
            "requires": {"any": [{"visit.units": {"at_least": 2}}, {"visit.minutes": {"above": 20}}]},
            "unless": {"plan.out_of_network_benefit": True},
        },
        {"caps": {"visit.units": "$plan.units_per_visit", "less": "history.units_this_day"}},
    )
    rule, cap = made.evaluate(Case(), engine="compiled").findings
    of_units = ("visit.minutes", "plan.unit_minutes", "plan.unit_rounding")
    assert rule.missing == ("visit.purpose", *of_units, "plan.out_of_network_benefit")
    assert cap.missing == ("plan.units_per_visit", "history.units_this_day", *of_units)
    known = case_from_dict({"visit": {"purpose": "treatment", "minutes": 15}, "plan": {"unit_minutes": 8}})
    assert made.evaluate(known, engine="compiled").findings[0].missing == (
        "plan.unit_rounding",
        "plan.out_of_network_benefit",
    )

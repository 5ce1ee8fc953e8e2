"""The shipped rulesets: their ids, their codes, and that they say what their examples say."""

import json
from pathlib import Path

import pytest

import covrules
from covrules.case_files import read_case
from covrules.checking import check, written_by
from covrules.codes.denials import CARC, RARC
from covrules.library import shipped
from covrules.showing import ruleset_to_text

EXAMPLES = Path(__file__).parents[1] / "examples"
BASE = covrules.load("medical-massage")
IDS = """
billable-time coverage-started coverage-not-ended benefit-exists procedure-covered no-other-payer clinic-accepts-payer
prescription-on-file prescriber-type prescription-before-visit prescription-current prescription-names-massage
prescription-states-visits diagnosed-by-diagnoser diagnosis-code-present diagnosis-valid diagnosis-covered
diagnosis-not-excluded diagnosis-specificity within-prescribed-sites visits-prescribed treatment-plan referral-on-file
referral-sent-to-payer referral-current referral-visits prior-authorization authorization-current authorization-visits
authorization-units provider-credential provider-licensed in-network network-location out-of-network-referral
medical-purpose units-per-visit units-per-day minutes-per-visit visits-per-year units-per-year itemized-receipt
timely-filing ask-for-general-diagnosis leave-visits-open keep-a-copy-of-the-referral ask-for-receipt
ask-for-treatment-plan spread-visits-as-prescribed
""".split()


def test_the_base_has_its_ids_in_order():
    assert [rule.id for rule in BASE.rules] == IDS


@pytest.mark.parametrize("id", shipped())
def test_examples_say_what_the_rules_say_reach_every_status_and_branch_and_notice_every_mutant(id):
    report = check(covrules.load(id))
    assert report.run > 0
    assert report.failures == ()
    assert report.unexercised == ()
    assert report.branches == ()
    assert report.survivors == ()


@pytest.mark.parametrize("id", shipped())
def test_denial_codes_are_ones_that_were_confirmed(id):
    for rule in covrules.load(id).rules:
        for denial in rule.denial:
            assert denial.carc in CARC, rule.id
            assert CARC[denial.carc].source != "older list", rule.id
            assert set(denial.rarc) <= set(RARC), rule.id


@pytest.mark.parametrize("id", shipped())
def test_every_rule_that_can_fail_gives_a_reason_a_remedy_and_a_code(id):
    for rule in covrules.load(id).rules:
        if rule.decides:
            assert rule.because, rule.id
            assert rule.remedy, rule.id
            assert rule.denial or rule.layer == "clinic", rule.id


def test_every_source_is_cited():
    assert {id for rule in BASE.rules for id in rule.cites} == set(BASE.sources)


EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())


def test_every_example_case_has_an_expectation():
    cases = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".yaml", ".json")} - {"expected.json"}
    assert set(EXPECTED) == cases


@pytest.mark.parametrize("name", EXPECTED)
def test_example_cases(name):
    path = EXAMPLES / name
    said = BASE.evaluate(read_case(path.read_bytes(), path.name)).to_dict()
    failed = [finding["rule"] for finding in said["findings"] if finding["status"] in ("unmet", "capped")]
    found = {key: said[key] for key in ("coverage", "accepted_here", "units")} | {"unmet": failed}
    assert found == EXPECTED[name]


@pytest.mark.parametrize("id", shipped())
def test_what_is_sourced_shows_every_rule_and_fact_with_an_address_to_read(id):
    ruleset = covrules.load(id)
    said = ruleset_to_text(ruleset)
    if ruleset.status == "sourced":
        own = [*written_by(ruleset), *[fixed for fixed in ruleset.fixed.values() if fixed.origin == id]]
        assert all(each.cites for each in own)
        assert all(source.url and source.read for each in own for source in each.cites)
    assert all(source.url in said for source in ruleset.sources if source.url)

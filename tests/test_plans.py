"""The stories of the two source texts, told to the plans made of them; and the rulesets to start from in examples/."""

from pathlib import Path

import pytest

import covrules
from covrules import FactError
from covrules.case_files import read_case
from covrules.checking import check
from covrules.facts import GROUPS

EXAMPLES = Path(__file__).parents[1] / "examples"
OHIO = covrules.load("ohio-clinic")
NEW_YORK = covrules.load("new-york-studio")
ENGINES = ["checked", "compiled", "durable"]


def story(name, **changes):
    """Return an example case with other facts, each written `group__name`; None makes a fact unknown."""
    (path,) = EXAMPLES.glob(f"{name}.*")
    data = read_case(path.read_bytes(), path.name).to_dict()
    for change, value in changes.items():
        group, _, fact = change.partition("__")
        data.setdefault(group, {})[fact] = value
    return covrules.case_from_dict(data)


def failed(verdict):
    return [finding.rule for finding in verdict.findings if finding.status in ("unmet", "capped")]


# --- A: the clinic that takes one insurer, two more coming soon -------------------------------------------------

SUMMA, UNITED, PARAMOUNT = "Summa Healthcare", "United Healthcare", "Paramount"


def ohio(name="low-back-pain-prescribed-by-a-doctor", engine="checked", stage="planned", **changes):
    return OHIO.evaluate(story(name, **changes), engine=engine, stage=stage)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("payer", "accepts_from", "accepted"),
    [
        (SUMMA, None, True),
        (SUMMA, "never", True),
        (UNITED, "never", False),
        (PARAMOUNT, "never", False),
        (UNITED, "2026-07-01", False),
        (PARAMOUNT, "2026-06-15", True),
        (UNITED, "2026-01-01", True),
        (PARAMOUNT, None, None),
        ("Example Health", "2026-01-01", False),
    ],
)
def test_the_clinic_takes_one_insurer_and_two_are_coming_soon(engine, payer, accepts_from, accepted):
    verdict = ohio(engine=engine, plan__payer=payer, clinic__accepts_payer_from=accepts_from)
    assert verdict.coverage == "covered"
    assert verdict.accepted_here is accepted
    assert failed(verdict) == (["clinic-accepts-payer"] if accepted is False else [])


def test_coming_soon_says_nothing_about_what_the_insurer_covers():
    verdict = ohio(plan__payer=UNITED, clinic__accepts_payer_from="never")
    (finding,) = [each for each in verdict.findings if each.status == "unmet"]
    assert finding.because == (
        "This clinic takes Summa Healthcare; United Healthcare and Paramount are coming soon. On June 15, 2026 it does"
        " not take United Healthcare (accepted from: never)."
    )
    assert "that says nothing about what the insurer covers" in verdict.explain()


def test_the_day_an_insurer_comes_is_asked_for():
    verdict = ohio(plan__payer=PARAMOUNT, clinic__accepts_payer_from=None)
    assert [question.fact for question in verdict.questions] == ["clinic.accepts_payer_from"]


@pytest.mark.parametrize(
    ("name", "changes", "coverage", "rules"),
    [
        ("left-ankle-prescribed-low-back-treated", {}, "not-covered", ["within-prescribed-sites"]),
        ("left-ankle-prescribed-low-back-treated", {"prescription__body_sites": ["low-back"]}, "covered", []),
        ("muscle-pain-treated-where-the-cause-is", {}, "covered", []),
        ("prescription-written-by-a-massage-therapist", {}, "not-covered", ["prescriber-type"]),
        ("diagnosed-by-a-massage-therapist", {}, "not-covered", ["diagnosed-by-diagnoser"]),
        ("in-network-only-at-another-location", {}, "not-covered", ["network-location"]),
        ("yearly-visits-used-up", {}, "not-covered", ["visits-per-year"]),
        ("ninety-minutes-against-four-units", {}, "partial", ["units-per-visit"]),
        ("ninety-minutes-against-four-units", {"visit__minutes": 60}, "covered", []),
        ("maintenance-visit", {}, "not-covered", ["medical-purpose"]),
        ("number-of-visits-left-open", {}, "not-covered", ["prescription-states-visits"]),
        ("number-of-visits-left-open", {"plan__visits_on_prescription_required": False}, "covered", []),
    ],
)
def test_the_stories_of_text_a(name, changes, coverage, rules):
    verdict = ohio(name, **{"plan__payer": SUMMA, **changes})
    assert (verdict.coverage, failed(verdict)) == (coverage, rules)
    assert verdict.accepted_here is True


def test_the_general_diagnosis_is_advice_and_not_coverage():
    specific = ohio("left-ankle-prescribed-low-back-treated", plan__payer=SUMMA, prescription__diagnosis="M25.572")
    assert specific.finding("ask-for-general-diagnosis").status == "advised"
    assert any("number on the back of the insurance card" in advice for advice in specific.advice)


def test_the_therapist_of_the_clinic_is_a_massage_therapist():
    with pytest.raises(FactError, match=r"provider\.credential: contradicts what ohio-clinic fixes"):
        ohio(provider__credential="PT")
    assert ohio(plan__payer=SUMMA, plan__accepted_credentials=["PT"]).coverage == "not-covered"


def test_nothing_known_at_the_clinic_asks_for_the_insurer_first_of_all():
    verdict = OHIO.evaluate(covrules.Case())
    assert (verdict.coverage, verdict.accepted_here) == ("undetermined", None)
    assert {"plan.payer", "clinic.accepts_payer_from"} <= {question.fact for question in verdict.questions}
    assert "provider.credential" not in {question.fact for question in verdict.questions}


# --- B: the studio out of network -------------------------------------------------------------------------------

REFERRED = {"referral__on_file": True, "referral__sent_to_payer": True}


def new_york(name="out-of-network-with-a-referral", engine="checked", stage="planned", **changes):
    return NEW_YORK.evaluate(story(name, **changes), engine=engine, stage=stage)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("changes", "coverage", "units", "rules"),
    [
        ({"visit__minutes": 60}, "covered", 4, []),
        ({"visit__minutes": 90, "plan__units_per_visit": "unlimited"}, "covered", 6, []),
        ({"visit__minutes": 90, "plan__units_per_visit": 4}, "partial", 4, ["units-per-visit"]),
        ({"referral__on_file": False}, "not-covered", 0, ["out-of-network-referral"]),
        ({"referral__sent_to_payer": False}, "not-covered", 0, ["referral-sent-to-payer"]),
        ({"referral__on_file": None}, "undetermined", None, []),
        ({"prescription__on_file": False}, "not-covered", 0, ["prescription-on-file"]),
        ({"plan__massage_benefit": "excluded"}, "not-covered", 0, ["benefit-exists"]),
        ({"visit__liability": "auto"}, "not-covered", 0, ["no-other-payer"]),
    ],
)
def test_the_studio_out_of_network(engine, changes, coverage, units, rules):
    verdict = new_york(engine=engine, **{**REFERRED, **changes})
    assert (verdict.coverage, verdict.units.covered, failed(verdict)) == (coverage, units, rules)
    assert verdict.accepted_here is True


def test_the_studio_books_sixty_or_ninety_minutes():
    verdict = new_york(**REFERRED, visit__minutes=75, plan__units_per_visit=6)
    assert (verdict.coverage, verdict.accepted_here) == ("covered", False)
    assert failed(verdict) == ["session-length"]


def test_a_visit_is_out_of_network_whoever_the_insurer_is():
    with pytest.raises(FactError, match=r"provider\.network"):
        new_york(provider__network="in")
    assert new_york(**REFERRED).finding("clinic-accepts-payer").status == "waived"


def test_the_receipt_matters_once_the_massage_is_over():
    facts = {**REFERRED, "claim__receipt_complete": None}
    planned = new_york(**facts)
    assert (planned.coverage, planned.finding("itemized-receipt").status) == ("covered", "later")
    delivered = new_york(**facts, stage="delivered")
    assert (delivered.coverage, delivered.finding("itemized-receipt").missing) == (
        "undetermined", ("claim.receipt_complete",),
    )  # fmt: skip
    assert new_york(**{**facts, "claim__receipt_complete": False}, stage="delivered").coverage == "not-covered"
    assert new_york(**{**facts, "claim__receipt_complete": True}, stage="delivered").coverage == "covered"


@pytest.mark.parametrize(("asked", "status"), [(True, "advised"), (False, "not-applicable"), (None, "unknown")])
def test_who_asks_for_a_receipt_gets_one(asked, status):
    verdict = new_york(**REFERRED, own__receipt_requested=asked, stage="delivered")
    assert verdict.finding("print-the-receipt").status == status
    assert any("print it or send it" in advice for advice in verdict.advice) is (asked is True)
    assert new_york(**REFERRED, own__receipt_requested=asked).finding("print-the-receipt").status == (
        "not-applicable" if asked is False else "later"
    )


# --- rulesets to start from -------------------------------------------------------------------------------------

STARTS = sorted((EXAMPLES / "rulesets").glob("*.yaml"))


@pytest.mark.parametrize("path", STARTS, ids=lambda path: path.stem)
def test_the_rulesets_in_examples_say_what_their_examples_say(path):
    report = check(covrules.load(path))
    assert (report.failures, report.unexercised, report.branches, report.survivors) == ((), (), (), ())


@pytest.mark.parametrize(("date", "units"), [("2025-12-31", (6, "covered", 6)), ("2026-01-01", (6, "partial", 4))])
def test_one_file_with_other_limits_each_year(date, units):
    ruleset = covrules.load(EXAMPLES / "rulesets" / "limits-by-year.yaml")
    facts = story("ninety-minutes-against-four-units", visit__date=date).to_dict()
    for path in ruleset.fixed:
        group, _, name = path.partition(".")
        facts[group].pop(name, None)
    facts["plan"] |= {"coverage_start": "2025-01-01"}
    facts["prescription"] |= {"issued_on": date}
    verdict = ruleset.evaluate(covrules.case_from_dict(facts))
    assert (verdict.units.requested, verdict.coverage, verdict.units.covered) == units
    assert verdict.finding("prior-authorization").waived_by == ("early-visits",)


def test_every_group_of_an_example_is_known():
    assert {"own", *GROUPS} >= set(story("nothing-known-yet").to_dict())

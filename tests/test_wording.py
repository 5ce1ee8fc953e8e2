"""How verdicts are worded: as a careful colleague would, for each who reads them."""

import datetime as dt
import random
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

import covrules
import generators
from covrules import ANY, NEVER, OPEN, UNLIMITED, Case, Plan, Prescription, Provider, Visit, case_from_dict, truth
from covrules.case_files import read_case
from covrules.conditions import make_test
from covrules.deciding_words import deciding_words
from covrules.declaring import Fact
from covrules.derived import derivation
from covrules.facts import FACTS
from covrules.kinds import BODY_SITE, DIAGNOSIS_PREFIX, PRESCRIBER, Code, Count, Date, Enum, SetOf, Text
from covrules.library import shipped
from covrules.outlines import AUDIENCES, outline
from covrules.questions import Deciding, Question
from covrules.rendering import to_html, to_rich, wrapped
from covrules.rule import Template
from covrules.showing import condition_words

BASE = covrules.load("medical-massage")
MISCOUNTED = re.compile(r"\b1 (units|visits|days|minutes)\b")
DAY = dt.date(2026, 6, 15)


def said(text, **values):
    return Template.of(text, FACTS).render({path.replace("__", "."): value for path, value in values.items()})


# --- sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "It pays 0 units a visit."),
        (1, "It pays 1 unit a visit."),
        (2, "It pays 2 units a visit."),
        (UNLIMITED, "It pays unlimited units a visit."),
        (None, "It pays an unknown number of units a visit."),
    ],
)
def test_a_number_agrees_with_its_noun(number, expected):
    assert said("It pays {plan.units_per_visit} units a visit.", plan__units_per_visit=number) == expected


def test_only_the_noun_that_a_number_counts_agrees_with_it():
    assert said("{visit.units} unitsful", visit__units=1) == "1 unitsful"
    assert said("{visit.units} days", visit__units=1) == "1 days"
    assert said("{visit.units}, units", visit__units=1) == "1, units"
    assert said("{visit.units}", visit__units=None) == "An unknown number"
    assert said("{visit.units} units {visit.minutes} minutes", visit__units=1, visit__minutes=1) == "1 unit 1 minute"


def test_what_is_unknown_is_said_as_its_kind_is():
    assert said("until {plan.coverage_end}") == "until an unknown date"
    assert said("for: {plan.covered_diagnoses}") == "for: unknown"
    assert said("{prescription.diagnosis} is good on {visit.date}") == "The diagnosis is good on the day of the visit"
    assert Fact(path="own.a", name="a", kind=Text(), label="a", ask="A?", who="clinic").said(None) == "unknown"


def test_dates_are_written_out_and_words_stay():
    assert said("on {visit.date}", visit__date=DAY) == "on June 15, 2026"
    assert said("ends: {plan.coverage_end}", plan__coverage_end=OPEN) == "ends: open"
    assert said("from: {clinic.accepts_payer_from}", clinic__accepts_payer_from=NEVER) == "from: never"


def test_what_is_accepted_is_joined_by_or_and_all_else_by_and():
    of = frozenset({"MD", "DO", "NP"})
    assert said("{plan.accepted_prescribers}", plan__accepted_prescribers=of) == "MD, DO or NP"
    sites = frozenset({"back", "ankle-left"})
    assert said("{visit.body_sites}", visit__body_sites=sites) == "back and left ankle"
    assert {path for path, fact in FACTS.items() if fact.joined == "or"} == {
        "plan.covered_procedures",
        "plan.accepted_prescribers",
        "plan.covered_diagnoses",
        "plan.accepted_credentials",
    }


def test_empty_lists_and_any_and_other_are_words_of_a_sentence():
    doctors, codes = SetOf(PRESCRIBER, any=True), SetOf(DIAGNOSIS_PREFIX, any=True)
    assert (doctors.said(frozenset()), codes.said(frozenset())) == ("nobody", "none")
    assert (doctors.said(ANY), codes.said(ANY)) == ("anybody", "any")
    assert (PRESCRIBER.said("other"), Enum(("a", "other")).said("other")) == ("somebody else", "something else")


def test_a_long_list_is_cut_for_people_and_whole_in_data():
    codes = SetOf(DIAGNOSIS_PREFIX)
    many = frozenset(f"M{number}" for number in range(10, 19))
    assert codes.said(many) == "M10, M11, M12, M13, M14, M15 and 3 others"
    assert codes.said(many - {"M18"}, "or") == "M10, M11, M12, M13, M14, M15, M16 or M17"
    assert codes.words(many).count("M") == len(codes.plain(many)) == 9


# --- what is shipped ------------------------------------------------------------------------------------------------


def sentences():
    found = {}
    for id in shipped():
        ruleset = covrules.load(id)
        for rule in ruleset.rules:
            for template in (rule.because, rule.advises):
                if template is not None:
                    found.setdefault(template.text, pytest.param(ruleset, rule, template, id=f"{id}: {rule.id}"))
    return list(found.values())


def concluding(rule):
    """Return the tests that all hold where the rule certainly says what it has a sentence for."""
    wanted = [rule.application and rule.application.true, rule.demand and rule.demand.false]
    wanted.append(rule.exception and rule.exception.false)
    return [truth.tester(form) for form in wanted if form]


def a_value(rnd, fact):
    if isinstance(fact.kind, SetOf) and isinstance(fact.kind.of, Code) and rnd.random() < 0.2:
        return frozenset(f"M{number}.5" if "ICD" in fact.kind.of.system else f"971{number}" for number in range(10, 40))
    if fact.kind.family == "number" and rnd.random() < 0.4:
        return 1
    return fact.kind.parse(generators.plain_value(rnd, fact.kind))


def with_derived(ruleset, rule, given):
    values = dict(given)
    for path in (*rule.facts, *rule.spoken):
        fact = ruleset.vocabulary[path]
        if values.get(path) is None and fact.derived_from:
            values[path] = derivation(fact)(*map(given.get, fact.derived_from))
    return values


def cases_of(ruleset, rule, rnd):
    """Yield values on which the rule has something to say, many of them made from one of its examples."""
    told = [example.given for example in rule.examples if example.then == rule.concludes] or [{}]
    paths = dict.fromkeys((*rule.facts, *rule.spoken))
    paths |= dict.fromkeys(source for path in (*paths,) for source in ruleset.vocabulary[path].derived_from)
    tests = concluding(rule)
    for number in range(120):
        given = dict(rnd.choice(told))
        for path in paths if number else ():
            if rnd.random() < 0.5:
                given[path] = a_value(rnd, ruleset.vocabulary[path]) if rnd.random() < 0.6 else None
        values = with_derived(ruleset, rule, given)
        if all(holds(values) for holds in tests):
            yield values


@pytest.mark.parametrize(("ruleset", "rule", "template"), sentences())
def test_every_shipped_sentence_reads_well_whatever_the_values(ruleset, rule, template):
    tried = 0
    for values in cases_of(ruleset, rule, random.Random(rule.id)):
        tried += 1
        text = template.render(values)
        assert not MISCOUNTED.search(text), text
        assert not any(wrong in text for wrong in ("(not known)", "(none)", "{", "}", "  ")), text
        assert not any(path in text for path in ruleset.vocabulary), text
        assert text.endswith("."), text
        assert len(wrapped(text, "  • ")) <= 2, text
    assert tried


@pytest.mark.parametrize(("ruleset", "rule", "template"), sentences())
def test_no_verb_and_no_pronoun_depends_on_a_number(ruleset, rule, template):
    numbers = [fact.kind.family == "number" for _, fact in template.pieces if fact is not None]
    rest = [literal for literal, _ in template.pieces[1:]]
    for number, after in zip(numbers, rest, strict=False):
        assert not (number and re.match(r"( \w+)? (are|is|have|has|do|does|make|makes)\b", after)), template.text
        assert not (number and re.search(r"\bthem\b", after)), template.text


# --- who reads it ---------------------------------------------------------------------------------------------------

CODED = re.compile(r"CARC|RARC")


def everything(said):
    parts = [said.head.text, *[detail.text for detail in said.head.details], *said.foot]
    for section in said.sections:
        parts += [
            section.heading,
            *[text for line in section.lines for text in (line.text, *[detail.text for detail in line.details])],
        ]
    return "\n".join(parts)


@pytest.mark.parametrize("id", ["medical-massage", "washington-labor-industries", "uniform-medical-plan"])
def test_who_reads_it_is_told_what_is_of_use_there(id):
    ruleset, rnd, coded = covrules.load(id), random.Random(id), 0
    paths = re.compile("|".join(re.escape(path) for path in ruleset.vocabulary))
    ids = re.compile("|".join(rf"Rule: {re.escape(rule.id)}\b" for rule in ruleset.rules))
    hyphened = [rule.id for rule in ruleset.rules if rule.id.count("-") > 1]
    for _ in range(12):
        verdict = ruleset.evaluate(generators.case_for(rnd, ruleset), engine="compiled", as_of=DAY)
        if verdict.coverage == "undetermined":
            continue  # what to ask can take seconds to work out; other tests have cases that are undetermined
        told = {for_: everything(outline(verdict, for_)) for for_ in AUDIENCES}
        for text in told.values():
            assert not paths.search(text), paths.search(text)
            assert not MISCOUNTED.search(text), text
            assert verdict.disclaimer in text
        for for_ in ("front-desk", "patient"):
            assert not CODED.search(told[for_])
            assert not ids.search(told[for_])
            assert not [id for id in hyphened if id in told[for_]]
            assert "Source: " not in told[for_]
            assert "engine" not in told[for_]
        assert "Of " not in told["patient"].splitlines()[1]
        failed = [finding for finding in verdict.findings if finding.status in ("unmet", "capped")]
        for finding in [finding for finding in failed if finding.layer != "clinic"]:
            assert f"Rule: {finding.rule} (" in told["biller"]
            assert finding.because in told["patient"]
            if finding.denial is not None:
                assert f"CARC {finding.denial.carc}" in told["biller"]
                coded += 1
        assert ruleset.version in told["biller"]
    assert coded


def test_a_reader_there_is_none_of():
    verdict = BASE.evaluate(Case(), engine="compiled")
    for make in (outline, to_html, to_rich, lambda verdict, for_: verdict.explain(for_=for_)):
        with pytest.raises(ValueError, match="there is no audience 'judge': front-desk, patient or biller"):
            make(verdict, "judge")


def test_a_front_desk_is_the_reader_if_none_is_named():
    case = Case(plan=Plan(units_per_visit=4), visit=Visit(units=6))
    verdict = BASE.evaluate(case, engine="compiled")
    assert outline(verdict) == outline(verdict, "front-desk") != outline(verdict, "biller")
    assert verdict._repr_html_() == to_html(verdict, "front-desk")
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(verdict)
    console.print(to_rich(verdict, "biller"))
    first, _, second = console.export_text().partition("promise of payment")
    console.file.close()
    assert "CARC" not in first
    assert "CARC 151" in second


def test_a_biller_is_told_what_is_waived_and_what_codes_mean():
    given = "plan: {massage_benefit: excluded}"
    told = BASE.evaluate(read_case(given.encode(), "case.yaml"), engine="compiled").explain(for_="biller")
    assert "Denial code: CARC 204 (not a benefit of the patient's plan)" in told
    mandated = covrules.load("examples/rulesets/early-visits-mandate.yaml")
    facts = {
        "plan": {"mandates": ["early-visits-mandate"], "visits_before_authorization": 1, "massage_benefit": "excluded"},
        "history": {"visits_this_episode": 2},
        "provider": {"network": "in"},
        "authorization": {"on_file": False},
    }
    verdict = mandated.evaluate(case_from_dict(facts), engine="compiled")
    waived = [each.rule for each in verdict.findings if each.waived_by]
    told = {for_: verdict.explain(for_=for_) for for_ in AUDIENCES}
    assert waived == ["prior-authorization"]
    assert all(f"Rule: {id}, waived by early-visits" in told["biller"] for id in waived)
    assert "Waived" not in told["front-desk"] + told["patient"]


def test_what_would_turn_it_is_told_step_by_step():
    step = SimpleNamespace(who="clinic", action="Book 60 minutes", set={"visit.minutes": 60})
    other = SimpleNamespace(who="doctor", action="Write a plan.", set={})
    remedies = (
        SimpleNamespace(steps=(step,), coverage="covered", accepted_here=True),
        SimpleNamespace(steps=(step, other), coverage="partial", accepted_here=False),
    )
    verdict = BASE.evaluate(Case(), engine="compiled")
    told = SimpleNamespace(
        **{name: getattr(verdict, name) for name in ("coverage", "units", "accepted_here", "findings", "questions")},
        **{
            name: getattr(verdict, name)
            for name in ("advising", "disclaimer", "_ruleset", "ruleset", "stage", "engine")
        },
        remedies=remedies,
        unmendable=(),
    )
    for for_ in AUDIENCES:
        (section,) = [each for each in outline(told, for_).sections if each.heading == "What would change this"]
        assert [line.text for line in section.lines] == [
            "Clinic: Book 60 minutes. Then: covered, and this clinic takes it.",
            "1. Clinic: Book 60 minutes. 2. Doctor: Write a plan. Then: partly covered, but not at this clinic.",
        ]


# --- what an answer would decide ------------------------------------------------------------------------------------


def deciding(kind, answers, among, **outcome):
    fact = Fact(path="own.a", name="a", kind=kind, label="a", ask="A?", who="clinic")
    outcome = outcome or {"coverage": "not-covered"}
    asked = Question("own.a", "clinic", "A?", (), (Deciding(tuple(answers), tuple(among), **outcome),))
    return " ".join(deciding_words(asked, fact))


def days(*offsets):
    return [DAY + dt.timedelta(days=offset) for offset in offsets]


LIABLE = ("none", "auto", "work", "other-plan")
NUMBERS = (2, 3, 4, 0, 1, UNLIMITED)


@pytest.mark.parametrize(
    ("kind", "answers", "among", "expected"),
    [
        (FACTS["referral.on_file"].kind, [False], [True, False], "If no: not covered."),
        (Enum(LIABLE), LIABLE[1:], LIABLE, "If auto, work or other plan: not covered."),
        (Enum(("a", *LIABLE)), LIABLE, ("a", *LIABLE), "If anything but a: not covered."),
        (PRESCRIBER, [w for w in PRESCRIBER.values if w not in ("MD", "DO")], PRESCRIBER.values,
         "If anybody but MD or DO: not covered."),
        (PRESCRIBER, ["LMT"], PRESCRIBER.values, "If LMT: not covered."),
        (Count(unlimited=True), [0, 1, 2, 3], NUMBERS, "If 3 or fewer: not covered."),
        (Count(unlimited=True), [0], NUMBERS, "If 0: not covered."),
        (Count(unlimited=True), [3, 4, UNLIMITED], NUMBERS, "If 3 or more: not covered."),
        (Count(unlimited=True), [3, 4], NUMBERS, "If 3 or more, but not unlimited: not covered."),
        (Count(unlimited=True), [UNLIMITED], NUMBERS, "If unlimited: not covered."),
        (Count(unlimited=True), [0, 1, 2, 3, 4], NUMBERS, "If any number, but not unlimited: not covered."),
        (Count(unlimited=True), [1, 2], NUMBERS, "If from 1 to 2: not covered."),
        (Count(), [0, 2, 4], (0, 1, 2, 3, 4), "If 0, or 2, or 4 or more: not covered."),
        (Date(), days(1), days(-1, 0, 1), "If after June 15, 2026: not covered."),
        (Date(), days(0, 1), days(-1, 0, 1), "If on or after June 15, 2026: not covered."),
        (Date(), days(-1, 0), days(-1, 0, 1), "If on or before June 15, 2026: not covered."),
        (Date(), days(-1), days(-1, 0, 1), "If before June 15, 2026: not covered."),
        (Date(word="open"), days(-1), [*days(-1, 0, 1), OPEN], "If before June 15, 2026: not covered."),
        (Date(word="never"), [*days(1), NEVER], [*days(-1, 0, 1), NEVER],
         "If after June 15, 2026 or never: not covered."),
        (Date(word="never"), [NEVER], [*days(-1, 0, 1), NEVER], "If never: not covered."),
        (SetOf(PRESCRIBER, any=True), [frozenset()], [frozenset(), frozenset({"MD"}), ANY], "If none: not covered."),
        (SetOf(BODY_SITE), [frozenset({"back"})], [frozenset(), frozenset({"back"})], ""),
        (Code("ICD-10-CM", none=True), ["none"], ["M54.50", "none"], "If none: not covered."),
        (Code("ICD-10-CM", none=True), ["M54.50"], ["M54.50", "none"], "If any: not covered."),
        (Code("CPT"), ["97124"], ["97124", "97140"], ""),
        (Text(), ["none"], ["none", "other 1"], ""),
        (Text(), ["a", "b"], ["a", "b"], ""),
    ],
)  # fmt: skip
def test_deciding_answers_in_words(kind, answers, among, expected):
    assert deciding(kind, answers, among) == expected


def test_what_is_decided_in_words():
    yes_no = FACTS["referral.on_file"].kind
    for outcome, expected in [
        ({"coverage": "covered"}, "If yes: covered."),
        ({"coverage": "partial"}, "If yes: partly covered."),
        ({"accepted_here": True}, "If yes: this clinic takes it."),
        ({"accepted_here": False}, "If yes: this clinic does not take it."),
    ]:
        assert deciding(yes_no, [True], [True, False], **outcome) == expected


def test_questions_tell_what_their_answers_would_decide():
    verdict = BASE.evaluate(Case(), engine="compiled")
    words = {asked.fact: deciding_words(asked, FACTS[asked.fact]) for asked in verdict.questions}
    assert {path: told for path, told in words.items() if told} == {
        "plan.massage_benefit": ("If excluded: not covered.",),
        "plan.covered_procedures": ("If none: not covered.",),
        "plan.accepted_credentials": ("If none: not covered.",),
        "plan.visits_per_year": ("If 0: not covered.",),
        "plan.out_of_network_benefit": ("If yes: this clinic takes it.",),
        "visit.liability": ("If auto, work or other plan: not covered.",),
        "visit.minutes": ("If 0: not covered.",),
        "visit.purpose": ("If wellness: not covered.",),
        "provider.licensed": ("If no: not covered.",),
    }
    told = {for_: verdict.explain(for_=for_) for for_ in AUDIENCES}
    for for_ in ("front-desk", "biller"):
        assert "If excluded: not covered." in told[for_]
    assert "If auto, work or other plan: not covered." in told["patient"]
    assert "If excluded" not in told["patient"]


def test_dates_that_decide_are_told():
    case = Case(visit=Visit(date=DAY), plan=Plan(prescription_required=True), prescription=Prescription(on_file=True))
    asked = {each.fact: each for each in BASE.evaluate(case, engine="compiled").questions}
    assert deciding_words(asked["plan.coverage_start"], FACTS["plan.coverage_start"]) == (
        "If after June 15, 2026: not covered.",
    )
    assert deciding_words(asked["plan.coverage_end"], FACTS["plan.coverage_end"]) == (
        "If before June 15, 2026: not covered.",
    )


# --- conditions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "op", "right", "expected"),
    [
        ("visit.units", "at_least", "1", "the units of the visit are at least 1"),
        ("prescription.age_days", "at_most", "90", "the age of the prescription is at most 90 days"),
        ("prescription.age_days", "equals", "1", "the age of the prescription is 1 day"),
        ("plan.minutes_per_visit", "below", "60", "the longest visit paid is below 60 minutes"),
        ("plan.accepted_prescribers", "has", "MD", "the accepted prescribers include MD"),
        ("visit.purpose", "equals", "wellness", "the purpose of the visit is wellness"),
        ("plan.units_per_visit", "equals", "unlimited", "the units paid a visit are unlimited"),
    ],
)
def test_conditions_agree_with_what_they_test(path, op, right, expected):
    assert condition_words(make_test(path, op, right), FACTS) == expected


def test_a_patient_reads_what_it_means():
    told = BASE.evaluate(Case(provider=Provider(network="out")), engine="compiled").explain(for_="patient")
    assert told.startswith("Not decided yet.\nWhether the plan pays can be said once the questions below are answered.")
    assert "Of 43 rules" not in told

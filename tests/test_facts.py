"""The vocabulary: what it declares, which values each fact takes, and that a case survives being passed on."""

import copy
import datetime as dt
import enum
import json
import pickle
from decimal import Decimal
from fractions import Fraction

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covrules import ANY, NEVER, OPEN, UNLIMITED, Case, FactError, Plan, Prescription, Visit, case_from_dict, kinds
from covrules.codes.body_sites import BODY_SITES
from covrules.facts import FACTS, GROUPS
from covrules.kinds import MAX_COUNT

# The vocabulary that other work is checked against.
DECLARED = """
plan.id text
plan.payer text
plan.coverage_start date
plan.coverage_end date or open
plan.massage_benefit enum
plan.covered_procedures set of CPT code
plan.prescription_required bool
plan.accepted_prescribers set of enum
plan.prescription_valid_days limit
plan.visits_on_prescription_required bool
plan.diagnosis_code_required bool
plan.minimum_specificity ordered enum
plan.covered_diagnoses set of ICD-10-CM prefix code
plan.excluded_diagnoses set of ICD-10-CM prefix code
plan.referral_required bool
plan.referral_to_payer_required bool
plan.visits_before_authorization limit
plan.treatment_plan_required bool
plan.maintenance_covered bool
plan.unit_minutes int
plan.unit_rounding enum
plan.units_per_visit limit
plan.units_per_day limit
plan.minutes_per_visit limit
plan.visits_per_year limit
plan.units_per_year limit
plan.out_of_network_benefit bool
plan.out_of_network_needs_referral bool
plan.location_bound_network bool
plan.accepted_credentials set of enum
plan.itemized_receipt_required bool
plan.timely_filing_days limit
plan.mandates set of text
plan.units_in_longest_visit limit
prescription.on_file bool
prescription.prescriber enum
prescription.issued_on date
prescription.expires_on date or open
prescription.service enum
prescription.diagnosis ICD-10-CM code
prescription.diagnosis_text text
prescription.diagnosed_by enum
prescription.body_sites set of enum
prescription.visits limit
prescription.visits_per_week limit
prescription.treatment_plan bool
prescription.age_days days
prescription.diagnosis_valid bool
prescription.specificity ordered enum
referral.on_file bool
referral.sent_to_payer bool
referral.issued_on date
referral.valid_until date
referral.visits limit
authorization.on_file bool
authorization.valid_from date
authorization.valid_until date
authorization.visits limit
authorization.units limit
provider.credential enum
provider.licensed bool
provider.network enum
provider.location_in_network bool
clinic.accepts_payer_from date or never
visit.date date
visit.procedure CPT code
visit.minutes int
visit.body_sites set of enum
visit.purpose enum
visit.with_physical_therapy bool
visit.liability enum
visit.units int
visit.within_prescribed_sites bool
history.visits_this_year int
history.units_this_year int
history.visits_this_episode int
history.visits_this_week int
history.units_this_day int
history.visits_on_prescription int
history.visits_on_referral int
history.visits_on_authorization int
history.units_on_authorization int
claim.submitted_on date
claim.receipt_complete bool
claim.age_days days
"""


def one(path, value):
    """Return a fact's value once it has been through `case_from_dict`."""
    group, _, name = path.partition(".")
    return case_from_dict({group: {name: value}}).get(path)


def refused(data):
    with pytest.raises(FactError) as caught:
        case_from_dict(data)
    return caught.value.problems


def of(kind):
    """Return every fact of a kind, and one that it takes where there are several alike."""
    return [path for path, fact in FACTS.items() if isinstance(fact.kind, kind)]


# --- the declarations -------------------------------------------------------------------------------------------


def test_the_vocabulary():
    assert [f"{fact.path} {fact.kind.name}" for fact in FACTS.values()] == DECLARED.split("\n")[1:-1]


def test_every_fact_is_asked_for_in_a_question_of_its_own():
    for fact in FACTS.values():
        assert fact.ask.endswith("?"), fact.path
        assert fact.ask[0].isupper(), fact.path
        assert not fact.label.startswith(("the ", "The ")), fact.path
    assert len({(fact.ask, fact.who) for fact in FACTS.values()}) == len(FACTS)
    assert len({fact.label for fact in FACTS.values()}) == len(FACTS)


def test_nobody_changes_what_the_plan_says_the_past_or_what_is_derived():
    for fact in FACTS.values():
        if fact.group in ("plan", "history") or (fact.derived_from and fact.path != "visit.units"):
            assert fact.change == (), fact.path
    assert FACTS["prescription.diagnosis"].change == ()


def test_what_makes_a_document_anew_sets_its_date():
    acts = {act for fact in FACTS.values() for change in fact.change for act in change.by}
    for act in acts:
        if act.new is not None:
            assert any(act in change.by for change in FACTS[act.new].change)
            assert not act.after_visit


def test_counts_have_a_unit_and_nothing_else_has():
    for fact in FACTS.values():
        assert (fact.unit is not None) is isinstance(fact.kind, kinds.Count | kinds.Days), fact.path


def test_what_is_derived_is_derived_from_what_is_given():
    for fact in FACTS.values():
        assert not any(FACTS[source].derived_from for source in fact.derived_from), fact.path


def test_every_kind_says_what_it_expects():
    for fact in FACTS.values():
        assert fact.kind.expected
        if fact.kind.low is not None:
            assert fact.kind.parse(max(fact.kind.low, getattr(fact.kind, "least", 0)) if fact.kind.family == "number"
                                   else fact.kind.low) is not None  # fmt: skip
        if fact.kind.high is not None:
            assert fact.kind.parse(fact.kind.high) == fact.kind.high


# --- values -----------------------------------------------------------------------------------------------------


class Word(enum.StrEnum):
    MD = "MD"
    BENEFIT = "covered"


class Rank(enum.IntEnum):
    SIXTY = 60


WRONG = {
    kinds.Bool: ["true", "yes", "", 0, 1, 1.0, [], [True]],
    kinds.Count: ["60", "", 60.0, 60.5, float("nan"), True, False, -1, MAX_COUNT + 2, 10**5000, Decimal(60),
                  Fraction(60), [60], "any", OPEN, ANY, "none", "UNLIMITED", Rank.SIXTY],
    kinds.Days: ["60", 60.0, True, MAX_COUNT + 1, -MAX_COUNT - 1, "unlimited", UNLIMITED, 10**5000],
    kinds.Text: [1, True, 1.0, b"x", ["x"], "\ud800", "a\udfffb", UNLIMITED, OPEN, ANY, dt.date(2026, 1, 1)],
    kinds.Date: ["", "15.06.2026", "2026-6-15", "2026-06-31", "20260615", "2026-W25-1", "2026-06-15T00:00:00",
                 " 2026-06-15", "2026-06-15\n", "\u0662026-06-15", 20260615, 0, True, ["2026-06-15"],
                 dt.datetime(2026, 6, 15), dt.datetime(2026, 6, 15, tzinfo=dt.UTC), dt.time(1), "any", UNLIMITED],
    kinds.Code: [97124, 97124.0, True, "", "97", "m54.50", "M54500", "M54.50 ", "M54.50\n", "any", ["97124"], ANY],
    kinds.Enum: ["", "Covered", "other-plan ", 0, True, ["MD"], ("MD",), "any", ANY, Word.MD],
    kinds.SetOf: ["", "MD", 5, True, {}, {"MD": 1}, [None], [1], [["MD"]], [True], "none", "unlimited", UNLIMITED,
                  iter(()), (value for value in ()), [ANY], ["\ud800"]],
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_a_fact_does_not_take_is_refused(kind):
    for path in of(kind):
        for value in WRONG[kind]:
            group, _, name = path.partition(".")
            (problem,) = refused({group: {name: value}})
            assert problem.path == path
            assert problem.message.startswith("found ")
            assert problem.expected == FACTS[path].kind.expected


def test_every_kind_is_tried():
    assert {type(fact.kind) for fact in FACTS.values()} == set(WRONG)


@pytest.mark.parametrize(
    ("path", "given", "taken"),
    [
        ("visit.minutes", 0, 0),
        ("visit.minutes", MAX_COUNT, MAX_COUNT),
        ("plan.unit_minutes", 1, 1),
        ("prescription.visits", "unlimited", UNLIMITED),
        ("prescription.visits", UNLIMITED, UNLIMITED),
        ("prescription.visits", MAX_COUNT + 1, UNLIMITED),
        ("claim.age_days", -MAX_COUNT, -MAX_COUNT),
        ("visit.date", "2026-06-15", dt.date(2026, 6, 15)),
        ("visit.date", dt.date(2026, 6, 15), dt.date(2026, 6, 15)),
        ("visit.date", "2028-02-29", dt.date(2028, 2, 29)),
        ("plan.coverage_end", "open", OPEN),
        ("plan.coverage_end", OPEN, OPEN),
        ("plan.coverage_end", "9999-12-31", OPEN),
        ("plan.coverage_end", dt.date.max, OPEN),
        ("clinic.accepts_payer_from", "never", NEVER),
        ("clinic.accepts_payer_from", dt.date.max, NEVER),
        ("prescription.diagnosis", "none", "none"),
        ("prescription.diagnosis", "M54.50", "M54.50"),
        ("visit.procedure", "00100", "00100"),
        ("visit.procedure", "G0283", "G0283"),
        ("plan.payer", "", ""),
        ("plan.payer", "unlimited", "unlimited"),
        ("plan.payer", "none", "none"),
        ("plan.mandates", [], frozenset()),
        ("plan.mandates", ["any"], frozenset({"any"})),
        ("plan.accepted_prescribers", "any", ANY),
        ("plan.accepted_prescribers", ANY, ANY),
        ("plan.accepted_prescribers", ["MD", "MD"], frozenset({"MD"})),
        ("plan.accepted_prescribers", ("MD",), frozenset({"MD"})),
        ("plan.accepted_prescribers", {"MD"}, frozenset({"MD"})),
        ("plan.accepted_prescribers", frozenset({"MD"}), frozenset({"MD"})),
        ("plan.covered_diagnoses", ["M", "M5", "M54", "M54.", "M54.5"], frozenset({"M", "M5", "M54", "M54.", "M54.5"})),
    ],
)  # fmt: skip
def test_what_a_fact_takes(path, given, taken):
    value = one(path, given)
    assert (value, type(value)) == (taken, type(taken))
    group, _, name = path.partition(".")
    assert value is taken or not isinstance(taken, int | dt.date | type(ANY)) or taken not in (UNLIMITED, OPEN, NEVER)
    assert GROUPS[group](**{name: given}) == GROUPS[group](**{name: taken})


WORDS = {
    "unlimited": {path for path in FACTS if FACTS[path].kind == kinds.Count(unlimited=True)},
    "open": {"plan.coverage_end", "prescription.expires_on"},
    "never": {"clinic.accepts_payer_from"},
    "none": {"prescription.diagnosis", "visit.liability"},
    "any": {
        "plan.covered_procedures", "plan.accepted_prescribers", "plan.covered_diagnoses", "plan.accepted_credentials",
    },
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_the_words_belong_to_these_facts_and_no_others(word):
    for path, fact in FACTS.items():
        if isinstance(fact.kind, kinds.Text):
            assert one(path, word) == word
        elif path in WORDS[word]:
            assert fact.kind.plain(one(path, word)) == word
            assert fact.kind.read(word) == fact.kind.parse(word)
        else:
            group, _, name = path.partition(".")
            (problem,) = refused({group: {name: word}})
            assert problem.path == path
            with pytest.raises(kinds.Unfit):
                fact.kind.read(word)


@pytest.mark.parametrize("word", [UNLIMITED, OPEN, NEVER, ANY])
def test_the_words_stay_themselves(word):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(word, protocol)) is word
    assert copy.copy(word) is word
    assert copy.deepcopy(word) is word
    assert copy.deepcopy([word])[0] is word


def test_the_words_compare_as_what_they_mean():
    assert UNLIMITED > MAX_COUNT
    assert dt.date(9999, 12, 30) < OPEN
    assert dt.date(9999, 12, 30) < NEVER
    assert "whatever" in ANY
    assert [repr(word) for word in (UNLIMITED, OPEN, NEVER, ANY)] == ["UNLIMITED", "OPEN", "NEVER", "ANY"]
    for listing in (list, len):
        with pytest.raises(TypeError, match="any"):
            listing(ANY)


def test_only_the_word_of_its_own_fact():
    (problem,) = refused({"plan": {"coverage_end": NEVER}})
    assert problem.expected == "a date such as 2026-06-15; or open"
    (problem,) = refused({"clinic": {"accepts_payer_from": OPEN}})
    assert problem.path == "clinic.accepts_payer_from"
    (problem,) = refused({"visit": {"date": OPEN}})
    assert problem.path == "visit.date"


def test_a_number_of_another_library_is_named_by_its_type():
    (problem,) = refused({"visit": {"minutes": Decimal(60)}})
    assert problem.message == "found a value of type Decimal"


class Elementwise:
    """What compares as an array does: to no truth value."""

    def __eq__(self, other):
        return self

    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = None


def test_an_array_is_refused_like_anything_else():
    for path in FACTS:
        group, _, name = path.partition(".")
        (problem,) = refused({group: {name: Elementwise()}})
        assert problem.message == "found a value of type Elementwise"


# --- cases ------------------------------------------------------------------------------------------------------


def values(kind):
    """Return a strategy for all plain values of a kind: derived from the declaration, as everything is."""
    match kind:
        case kinds.Bool():
            return st.booleans()
        case kinds.Count():
            counts = st.integers(kind.least, MAX_COUNT) | st.integers(kind.least, 100)
            return counts | st.just("unlimited") if kind.unlimited else counts
        case kinds.Days():
            return st.integers(-MAX_COUNT, MAX_COUNT)
        case kinds.Text():
            return st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["null", "~", "no", "1", "1e5"])
        case kinds.Date():
            dates = st.dates(max_value=dt.date(9999, 12, 30)).map(dt.date.isoformat)
            return dates | st.just(kind.word) if kind.word else dates
        case kinds.Code():
            codes = {
                "ICD-10-CM": r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?",
                "ICD-10-CM prefix": r"[A-Z]([0-9]([0-9A-Z](\.[0-9A-Z]{0,4})?)?)?",
                "CPT": r"[0-9]{4}[0-9A-Z]",
            }
            found = st.from_regex(codes[kind.system], fullmatch=True)
            return found | st.just("none") if kind.none else found
        case kinds.Enum():
            return st.sampled_from(kind.values)
        case kinds.SetOf():
            lists = st.lists(values(kind.of), max_size=4)
            return lists | st.just("any") if kind.any else lists
    raise AssertionError(kind)


@st.composite
def plain_cases(draw):
    paths = draw(st.lists(st.sampled_from(list(FACTS)), max_size=12, unique=True))
    data = {}
    for path in paths:
        data.setdefault(FACTS[path].group, {})[FACTS[path].name] = draw(values(FACTS[path].kind))
    return data


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plain_cases())
def test_a_case_survives_every_way_of_passing_it_on(data):
    case = case_from_dict(data)
    said = case.to_dict()
    assert case_from_dict(said) == case
    assert case_from_dict(said).to_dict() == said
    assert case_from_dict(json.loads(json.dumps(said))) == case
    assert Case(**{group: GROUPS[group](**facts) for group, facts in data.items()}) == case
    assert {(group, name) for group, facts in said.items() for name in facts} == {
        (group, name) for group, facts in data.items() for name in facts
    }
    for again in (pickle.loads(pickle.dumps(case)), copy.copy(case), copy.deepcopy(case), attrs.evolve(case)):
        assert again == case
        assert hash(again) == hash(case)
        assert again.to_dict() == said
        for path in FACTS:
            value = case.get(path)
            same = again.get(path)
            assert type(same) is type(value)
            if any(value is word for word in (UNLIMITED, OPEN, NEVER, ANY)):
                assert same is value


def test_null_and_absent_are_unknown():
    nothing = Case()
    assert case_from_dict({}) == nothing
    assert case_from_dict(dict.fromkeys(GROUPS)) == nothing
    assert case_from_dict({group: {} for group in GROUPS}) == nothing
    everything = {group: {} for group in GROUPS}
    for fact in FACTS.values():
        everything[fact.group][fact.name] = None
    assert case_from_dict(everything) == nothing
    assert Case(**dict.fromkeys(GROUPS)) == nothing
    assert Case(plan=Plan(payer=None)) == nothing
    assert nothing.to_dict() == {}


def test_none_is_an_answer_and_nothing_is_not():
    assert Prescription(diagnosis=None) != Prescription(diagnosis="none")
    assert Case(prescription=Prescription(diagnosis="none")).to_dict() == {"prescription": {"diagnosis": "none"}}


def test_a_case_cannot_be_changed():
    case = Case(visit=Visit(minutes=60))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        case.visit.minutes = 90
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        case.visit = Visit()
    prescribers = ["MD"]
    plan = Plan(accepted_prescribers=prescribers)
    prescribers.append("LMT")
    assert plan.accepted_prescribers == {"MD"}


def test_groups_check_what_they_are_given():
    with pytest.raises(FactError) as caught:
        Visit(minutes="60", date="tomorrow", purpose="Treatment", procedure="97124")
    assert [problem.path for problem in caught.value.problems] == ["visit.date", "visit.minutes", "visit.purpose"]
    with pytest.raises(FactError):
        attrs.evolve(Visit(minutes=60), minutes="60")
    for wrong in ({"minutes": 60}, Plan(), "visit", 5):
        with pytest.raises(FactError, match="case_from_dict"):
            Case(visit=wrong)


# --- what is wrong with a case ----------------------------------------------------------------------------------


def test_all_errors_of_a_case_come_together():
    data = {
        "plan": {"units_per_visit": "4", "payr": "x", "coverage_start": "soon", "payer": "fine"},
        "visit": {"minutes": 60.0, "date": dt.datetime(2026, 6, 15)},
        "patient": {"age": 40},
        "referral": "yes",
        "history": None,
    }
    problems = refused(data)
    wrong = "patient plan.coverage_start plan.payr plan.units_per_visit referral visit.date visit.minutes"
    assert sorted(problem.path for problem in problems) == wrong.split()
    assert all(problem.line is None and problem.source is None for problem in problems)


@pytest.mark.parametrize(
    ("data", "path", "hint"),
    [
        ({"plan": {"units_per_vist": 4}}, "plan.units_per_vist", "did you mean units_per_visit?"),
        ({"plans": {}}, "plans", "did you mean plan?"),
        ({"plan.payer": "x"}, "plan.payer", "facts stand in their groups: payer under plan"),
        ({"plan.payr": "x"}, "plan.payr", "did you mean plan.payer?"),
        ({"units_per_visit": 4}, "units_per_visit", "did you mean plan.units_per_visit?"),
        ({"visit": {"units_per_visit": 4}}, "visit.units_per_visit", "did you mean plan.units_per_visit?"),
        ({"visit": {"visit.minutes": 4}}, "visit.visit.minutes", "facts stand in their groups: minutes under visit"),
        ({"claim": {"zzz": 4}}, "claim.zzz", "the names are: submitted_on, receipt_complete, age_days"),
    ],
)
def test_a_misspelt_name_is_met_with_the_nearest(data, path, hint):
    (problem,) = refused(data)
    assert (problem.path, problem.hint) == (path, hint)


CANARY = "Zq9Canary"


NAMELESS = [
    CANARY, "Jane Doe", "1980-01-01", "mrn_12345", "jane@example.org", "JANE", "x" * 90, "a.b.c", "a b", "", " ",
    "\x1b[31m", "\ud800", "jane\n", 5, 10**5000, 1.5, None, True, (), b"plan", ("plan",),
]  # fmt: skip


def test_a_name_that_looks_like_no_fact_is_not_repeated():
    for name in NAMELESS:
        for data, path in (({name: {"payer": "x"}}, None), ({"plan": {name: "x"}}, "plan")):
            (problem,) = refused(data)
            assert problem.path == path
            assert problem.message in ("a name that is no group of facts", "a name that is no fact of plan")
            if isinstance(name, str) and len(name) > 3:
                assert name not in str(FactError([problem]))


def test_no_value_is_repeated():
    for path, fact in FACTS.items():
        for value in (CANARY, [CANARY], {CANARY: CANARY}, CANARY.encode(), 98765432123456, 98765432.5):
            if isinstance(fact.kind, kinds.Text) and isinstance(value, str):
                continue
            if isinstance(fact.kind, kinds.SetOf) and isinstance(fact.kind.of, kinds.Text) and isinstance(value, list):
                continue
            group, _, name = path.partition(".")
            problems = refused({group: {name: value}})
            said = str(FactError(problems)) + repr(FactError(problems)) + repr(problems)
            assert "Canary" not in said
            assert "987654321" not in said


def test_a_word_is_not_given_away_by_the_nearest_one():
    (problem,) = refused({"visit": {"body_sites": ["ankle-lefft"]}})
    assert problem.hint is None
    assert "ankle-left" in BODY_SITES
    assert "ankle" not in str(FactError([problem]))
    (problem,) = refused({"visit": {"liability": "Work"}})
    assert problem.hint is None


def test_what_is_no_mapping_is_no_case():
    for data in (None, [], "plan", 5, [("plan", {})], Case(), Plan()):
        (problem,) = refused(data)
        assert problem.expected == "a mapping of groups of facts"
    for facts in ([], "x", 5, Plan(), [("payer", "x")], True):
        (problem,) = refused({"plan": facts})
        assert (problem.path, problem.expected) == ("plan", "a mapping of facts to values")


def test_thousands_of_unknown_names_are_not_all_looked_up():
    problems = refused({f"plan_{chr(97 + n % 26)}{'x' * (n // 26 % 30)}": {} for n in range(780)})
    assert len(problems) == 100
    assert str(FactError(problems)).endswith("... and 50 more problems")


def test_a_fact_that_is_wrong_is_found_among_thousands_of_unknown_names():
    names = {f"n_{chr(97 + n % 26)}{'x' * (n // 26 % 30)}": 1 for n in range(780)}
    assert "plan.units_per_visit" in {problem.path for problem in refused({"plan": {**names, "units_per_visit": "4"}})}


def test_errors_travel():
    with pytest.raises(FactError) as caught:
        case_from_dict({"visit": {"minutes": "60"}})
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.problems, str(again)) == (FactError, caught.value.problems, str(caught.value))
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "visit.minutes: found text\n    expected a whole number, 0 or more"


def test_a_case_shows_only_what_is_known():
    assert repr(Case(visit=Visit(minutes=60), plan=Plan(units_per_visit=UNLIMITED))) == (
        "Case(plan=Plan(units_per_visit=UNLIMITED), visit=Visit(minutes=60))"
    )
    assert repr(Case()) == "Case()"

"""The vocabulary: every fact, declared once, with its type, its question, who answers and who can change it."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, Any, Final

import attrs

from covrules import kinds
from covrules.declaring import Act, Change, Fact, Group, declared, fact
from covrules.errors import FactError, Problem

# Each alias is the type of a fact: what Python sees, and the kind that reads, checks and says its values.
Flag = Annotated[bool | None, kinds.Bool()]
Text = Annotated[str | None, kinds.Text()]
Count = Annotated[int | None, kinds.Count()]
Limit = Annotated[int | None, kinds.Count(unlimited=True)]
Days = Annotated[int | None, kinds.Days()]
UnitLength = Annotated[int | None, kinds.Count(least=1)]
Date = Annotated[dt.date | None, kinds.Date()]
EndDate = Annotated[dt.date | None, kinds.Date(word="open")]
StartDate = Annotated[dt.date | None, kinds.Date(word="never")]
Diagnosis = Annotated[str | None, kinds.DIAGNOSIS]
Procedure = Annotated[str | None, kinds.PROCEDURE]
Prescriber = Annotated[str | None, kinds.PRESCRIBER]
Credential = Annotated[str | None, kinds.CREDENTIAL]
Prescribers = Annotated[Collection[str] | None, kinds.SetOf(kinds.PRESCRIBER, any=True)]
Credentials = Annotated[Collection[str] | None, kinds.SetOf(kinds.CREDENTIAL, any=True)]
Procedures = Annotated[Collection[str] | None, kinds.SetOf(kinds.PROCEDURE, any=True)]
Diagnoses = Annotated[Collection[str] | None, kinds.SetOf(kinds.DIAGNOSIS_PREFIX, any=True)]
ExcludedDiagnoses = Annotated[Collection[str] | None, kinds.SetOf(kinds.DIAGNOSIS_PREFIX)]
BodySites = Annotated[Collection[str] | None, kinds.SetOf(kinds.BODY_SITE)]
Texts = Annotated[Collection[str] | None, kinds.SetOf(kinds.Text())]
Benefit = Annotated[str | None, kinds.Enum(("covered", "with-physical-therapy", "excluded"))]
Specificity = Annotated[str | None, kinds.Enum(("general", "regional", "specific"), ranked=True)]
Rounding = Annotated[str | None, kinds.Enum(("cms", "midpoint", "whole"))]
Service = Annotated[str | None, kinds.Enum(("massage", "physical-therapy", "other"))]
Network = Annotated[str | None, kinds.Enum(("in", "out"))]
Purpose = Annotated[str | None, kinds.Enum(("treatment", "maintenance", "wellness"))]
Liability = Annotated[str | None, kinds.Enum(("none", "auto", "work", "other-plan"))]

BRING_PRESCRIPTION: Final = Act("patient", "Bring", after_visit=True)
BRING_REFERRAL: Final = Act("patient", "Bring", after_visit=True)
NEW_PRESCRIPTION: Final = Act("doctor", "Write a new prescription", new="prescription.issued_on")
OTHER_PRESCRIBER: Final = Act("patient", "Get a new prescription", new="prescription.issued_on")
TREATMENT_PLAN: Final = Act("doctor", "Write")
SEND: Final = Act("doctor", "Send", after_visit=True)
NEW_REFERRAL: Final = Act("doctor", "Write a new referral", new="referral.issued_on")
AUTHORIZE: Final = Act("insurer", "Authorize the visit")
PLACE: Final = Act("patient", "Book")
THERAPIST: Final = Act("clinic", "Book a therapist")
MOVE: Final = Act("patient", "Move the visit")
LENGTH: Final = Act("clinic", "Book")
TREAT: Final = Act("clinic", "Treat")
RECEIPT: Final = Act("clinic", "Print", after_visit=True)
_PRESCRIPTIONS: Final = (NEW_PRESCRIPTION, OTHER_PRESCRIBER)
_YES: Final = (True,)


@attrs.frozen(kw_only=True, repr=False)
class Plan(Group):
    """What the patient's plan says."""

    id: Text = fact("plan's key", "Under which key is the plan kept in your tables?", "clinic", testable=False)
    payer: Text = fact("insurer", "Which insurer is the plan with?", "patient", unknown="the insurer")
    coverage_start: Date = fact("first day of coverage", "On which day does the coverage start?", "insurer")
    coverage_end: EndDate = fact("last day of coverage", "On which day does the coverage end, if any?", "insurer")
    massage_benefit: Benefit = fact(
        "massage benefit", "Is massage covered, covered only with physical therapy, or excluded?", "insurer"
    )
    covered_procedures: Procedures = fact(
        "covered procedures", "Which procedure codes does my plan cover for massage?", "insurer", joined="or"
    )
    prescription_required: Flag = fact(
        "need for a prescription", "Does my plan need a prescription before massage is covered?", "insurer"
    )
    accepted_prescribers: Prescribers = fact(
        "accepted prescribers", "What kinds of doctor may prescribe massage for me?", "insurer", joined="or"
    )
    prescription_valid_days: Limit = fact(
        "days a prescription stays valid", "For how many days is a prescription good?", "insurer", unit="days"
    )
    visits_on_prescription_required: Flag = fact(
        "need for a number of visits on the prescription",
        "Must the prescription state a number of visits?",
        "insurer",
    )
    diagnosis_code_required: Flag = fact(
        "need for a diagnosis code", "Must the prescription carry a diagnosis code?", "insurer"
    )
    minimum_specificity: Specificity = fact(
        "least specific diagnosis taken",
        "How specific must the diagnosis be: general (muscle pain), a region (low back) or a joint or limb?",
        "insurer",
    )
    covered_diagnoses: Diagnoses = fact(
        "covered diagnoses", "For which diagnosis codes does my plan cover massage?", "insurer", joined="or"
    )
    excluded_diagnoses: ExcludedDiagnoses = fact(
        "excluded diagnoses", "For which diagnosis codes does my plan refuse massage?", "insurer"
    )
    referral_required: Flag = fact(
        "need for a referral", "Does my plan need a referral before massage is covered?", "insurer"
    )
    referral_to_payer_required: Flag = fact(
        "need to send the referral to the insurer",
        "Must my doctor's office send the referral directly to you?",
        "insurer",
    )
    visits_before_authorization: Limit = fact(
        "visits before prior authorization",
        "How many visits of an episode may I have before I need prior authorization?",
        "insurer",
        unit="visits",
    )
    treatment_plan_required: Flag = fact(
        "need for a treatment plan", "Must there be a treatment plan from my doctor?", "insurer"
    )
    maintenance_covered: Flag = fact("cover for maintenance", "Is maintenance massage covered?", "insurer")
    unit_minutes: UnitLength = fact(
        "length of a billing unit", "How many minutes does one billing unit last?", "insurer", unit="minutes"
    )
    unit_rounding: Rounding = fact(
        "way of counting units",
        "Are part units counted by total time (cms), by each procedure's midpoint, or only when whole?",
        "insurer",
    )
    units_per_visit: Limit = fact(
        "units paid a visit", "How many billing units may one visit have?", "insurer", unit="units"
    )
    units_per_day: Limit = fact("units paid a day", "How many billing units may one day have?", "insurer", unit="units")
    minutes_per_visit: Limit = fact(
        "longest visit paid", "How many minutes may one visit last?", "insurer", unit="minutes"
    )
    visits_per_year: Limit = fact(
        "visits paid a year", "How many massage visits does a benefit year allow?", "insurer", unit="visits"
    )
    units_per_year: Limit = fact(
        "units paid a year", "How many billing units does a benefit year allow?", "insurer", unit="units"
    )
    out_of_network_benefit: Flag = fact(
        "out-of-network benefit", "Does my plan pay for massage outside its network?", "insurer"
    )
    out_of_network_needs_referral: Flag = fact(
        "need for a referral out of network", "Does the out-of-network benefit need a referral?", "insurer"
    )
    location_bound_network: Flag = fact(
        "tie of the network to a location",
        "Is the therapist in network with my plan only at the listed location?",
        "insurer",
    )
    accepted_credentials: Credentials = fact(
        "accepted credentials", "What license must the person who gives the massage hold?", "insurer", joined="or"
    )
    itemized_receipt_required: Flag = fact(
        "need for an itemized receipt", "Do you need an itemized receipt to pay me back?", "insurer"
    )
    timely_filing_days: Limit = fact(
        "days to file a claim", "Within how many days must a claim be filed?", "insurer", unit="days"
    )
    mandates: Texts = fact(
        "state mandates",
        "Which state mandates is the plan under, by the ids of their rulesets (such as wa-rcw-48-43-016)?",
        "insurer",
    )
    units_in_longest_visit: Limit = fact(
        "units in the longest visit paid",
        "How many billing units are there in the longest visit paid?",
        "insurer",
        unit="units",
        derived_from=("plan.minutes_per_visit", "plan.unit_minutes", "plan.unit_rounding"),
    )


@attrs.frozen(kw_only=True, repr=False)
class Prescription(Group):
    """The doctor's prescription.

    `diagnosis=None` is unknown, `diagnosis="none"` says it states no code.
    """

    on_file: Flag = fact(
        "prescription on file",
        "Is there a prescription on file?",
        "clinic",
        change=(Change("the prescription", (BRING_PRESCRIPTION,), _YES), Change("", _PRESCRIPTIONS, _YES)),
    )
    prescriber: Prescriber = fact(
        "prescriber",
        "What kind of doctor wrote the prescription?",
        "doctor",
        change=(Change("from a prescriber the plan accepts, such as: {}", (OTHER_PRESCRIBER,)),),
    )
    issued_on: Date = fact(
        "date of the prescription",
        "When was the prescription written?",
        "doctor",
        change=(Change("dated {}", _PRESCRIPTIONS),),
    )
    expires_on: EndDate = fact(
        "end of the prescription",
        "Until when is the prescription good, if it says so?",
        "doctor",
        change=(Change("good at least until {}", _PRESCRIPTIONS, endless="without an end"),),
    )
    service: Service = fact(
        "service prescribed", "What does the prescription order: massage, physical therapy or something else?",
        "doctor",
        change=(Change("for {}", _PRESCRIPTIONS),),
    )  # fmt: skip
    diagnosis: Diagnosis = fact(
        "diagnosis code",
        "Which ICD-10-CM code will this visit be billed under, if the prescription states one?",
        "doctor",
        unknown="the diagnosis",
    )
    diagnosis_text: Text = fact("diagnosis in words", "What does the diagnosis say in words?", "doctor")
    diagnosed_by: Prescriber = fact("maker of the diagnosis", "Who made the diagnosis?", "doctor")
    body_sites: BodySites = fact(
        "body sites prescribed",
        "Which parts of the body does the prescription name?",
        "doctor",
        change=(Change("that names {}", _PRESCRIPTIONS),),
    )
    visits: Limit = fact(
        "visits prescribed", "How many visits does the prescription state, if it does?", "doctor",
        change=(Change("for at least {} visits", _PRESCRIPTIONS, endless="without a number of visits"),), unit="visits",
    )  # fmt: skip
    visits_per_week: Limit = fact(
        "visits a week prescribed", "How many visits a week does the prescription state, if it does?", "doctor",
        change=(Change("for {} visits a week", _PRESCRIPTIONS),), unit="visits",
    )  # fmt: skip
    treatment_plan: Flag = fact(
        "treatment plan",
        "Has the doctor written a treatment plan?",
        "doctor",
        change=(Change("a treatment plan", (TREATMENT_PLAN,), _YES),),
    )
    age_days: Days = fact(
        "age of the prescription", "How many days old is the prescription on the day of the visit?", "clinic",
        unit="days", derived_from=("prescription.issued_on", "visit.date"),
    )  # fmt: skip
    diagnosis_valid: Flag = fact(
        "validity of the diagnosis code", "Is the diagnosis code complete and in force on the day of the visit?",
        "clinic",
        derived_from=("prescription.diagnosis", "visit.date"),
    )  # fmt: skip
    specificity: Specificity = fact(
        "specificity of the diagnosis", "Does the diagnosis name no site, a region, or a joint or limb?", "clinic",
        derived_from=("prescription.diagnosis",),
    )  # fmt: skip


@attrs.frozen(kw_only=True, repr=False)
class Referral(Group):
    """A referral: another document than the prescription, kept at the clinic and sent to the insurer."""

    on_file: Flag = fact(
        "copy of the referral",
        "Is a copy of the referral at the clinic?",
        "clinic",
        change=(Change("the copy of the referral", (BRING_REFERRAL,), _YES), Change("", (NEW_REFERRAL,), _YES)),
    )
    sent_to_payer: Flag = fact(
        "sending of the referral",
        "Has the doctor's office sent the referral to the insurer?",
        "doctor",
        change=(Change("the referral to the insurer", (SEND,), _YES),),
    )
    issued_on: Date = fact(
        "date of the referral",
        "When was the referral written?",
        "doctor",
        change=(Change("dated {}", (NEW_REFERRAL,)),),
    )
    valid_until: Date = fact(
        "end of the referral",
        "Until when is the referral good?",
        "doctor",
        change=(Change("good at least until {}", (NEW_REFERRAL,)),),
    )
    visits: Limit = fact(
        "visits referred",
        "How many visits does the referral allow?",
        "doctor",
        change=(Change("for at least {} visits in all", (NEW_REFERRAL,), endless="without a number of visits"),),
        unit="visits",
    )


@attrs.frozen(kw_only=True, repr=False)
class Authorization(Group):
    """The insurer's prior authorization."""

    on_file: Flag = fact(
        "prior authorization",
        "Has the insurer authorized these visits?",
        "clinic",
        change=(Change("", (AUTHORIZE,), _YES),),
    )
    valid_from: Date = fact(
        "start of the authorization",
        "From when is the authorization good?",
        "insurer",
        change=(Change("from {}", (AUTHORIZE,)),),
    )
    valid_until: Date = fact(
        "end of the authorization",
        "Until when is the authorization good?",
        "insurer",
        change=(Change("at least until {}", (AUTHORIZE,)),),
    )
    visits: Limit = fact(
        "visits authorized",
        "How many visits are authorized?",
        "insurer",
        change=(Change("for at least {} visits in all", (AUTHORIZE,), endless="without a number of visits"),),
        unit="visits",
    )
    units: Limit = fact(
        "units authorized",
        "How many billing units are authorized?",
        "insurer",
        change=(Change("for at least {} units in all", (AUTHORIZE,), endless="without a number of units"),),
        unit="units",
    )


@attrs.frozen(kw_only=True, repr=False)
class Provider(Group):
    """Who gives the massage, and where that stands with the plan."""

    credential: Credential = fact(
        "therapist's credential",
        "What license does the person who gives the massage hold?",
        "clinic",
        change=(Change("with the credential {}", (THERAPIST,)),),
    )
    licensed: Flag = fact(
        "therapist's license",
        "Is the therapist's license in force on the day of the visit?",
        "clinic",
        change=(Change("whose license is in force", (THERAPIST,), _YES),),
    )
    network: Network = fact(
        "therapist's network status",
        "Is the therapist in the plan's network or out of it?",
        "insurer",
        change=(Change("a therapist in the plan's network", (PLACE,), ("in",)),),
    )
    location_in_network: Flag = fact(
        "network status of the location",
        "Is the therapist in network at this location?",
        "insurer",
        change=(Change("at a location that is in network", (PLACE,), _YES),),
    )


@attrs.frozen(kw_only=True, repr=False)
class Clinic(Group):
    """What the clinic itself decides."""

    accepts_payer_from: StartDate = fact(
        "day from which the clinic takes the insurer",
        "From which day does the clinic accept this insurer, if ever?",
        "clinic",
    )


@attrs.frozen(kw_only=True, repr=False)
class Visit(Group):
    """The massage that is booked."""

    date: Date = fact(
        "date of the visit",
        "On which day is the visit?",
        "clinic",
        change=(Change("to {}", (MOVE,)),),
        unknown="the day of the visit",
    )
    procedure: Procedure = fact("procedure code", "Under which procedure code is the visit billed?", "clinic")
    minutes: Count = fact(
        "hands-on minutes",
        "How many minutes of hands-on massage?",
        "clinic",
        change=(Change("{} minutes", (LENGTH,)),),
        unit="minutes",
    )
    body_sites: BodySites = fact(
        "body sites treated",
        "Which parts of the body will be treated?",
        "clinic",
        change=(Change("only the {}", (TREAT,)),),
    )
    purpose: Purpose = fact("purpose of the visit", "Is the visit treatment, maintenance or wellness?", "clinic")
    with_physical_therapy: Flag = fact(
        "physical therapy alongside",
        "Is the massage part of physical therapy?",
        "clinic",
        change=(Change("within physical therapy", (TREAT,), _YES),),
    )
    liability: Liability = fact(
        "payer who comes first", "Does an auto insurer, a work insurer or another plan pay first?", "patient"
    )
    units: Count = fact(
        "units of the visit", "How many billing units does the visit have?", "clinic", unit="units",
        change=(Change("{} units", (LENGTH,)),),
        derived_from=("visit.minutes", "plan.unit_minutes", "plan.unit_rounding"),
    )  # fmt: skip
    within_prescribed_sites: Flag = fact(
        "keeping to the prescribed sites", "Does every treated site lie in a prescribed one?", "clinic",
        derived_from=("visit.body_sites", "prescription.body_sites"),
    )  # fmt: skip


@attrs.frozen(kw_only=True, repr=False)
class History(Group):
    """What has been used before this visit."""

    visits_this_year: Count = fact(
        "visits used this year",
        "How many massage visits have I used this benefit year?",
        "insurer",
        unit="visits",
    )
    units_this_year: Count = fact(
        "units used this year",
        "How many billing units have I used this benefit year?",
        "insurer",
        unit="units",
    )
    visits_this_episode: Count = fact(
        "visits so far for this condition",
        "How many treatment visits were there before in this episode of care for this condition?",
        "clinic",
        unit="visits",
    )
    visits_this_week: Count = fact(
        "visits so far this week", "How many visits were there before in this week?", "clinic", unit="visits"
    )
    units_this_day: Count = fact(
        "units billed this day",
        "How many billing units have all providers used on this day?",
        "clinic",
        unit="units",
    )
    visits_on_prescription: Count = fact(
        "visits used on the prescription",
        "How many visits were there before on this prescription?",
        "clinic",
        unit="visits",
    )
    visits_on_referral: Count = fact(
        "visits used on the referral",
        "How many visits were there before on this referral?",
        "clinic",
        unit="visits",
    )
    visits_on_authorization: Count = fact(
        "visits used on the authorization", "How many visits were there before on this authorization?", "clinic",
        unit="visits",
    )  # fmt: skip
    units_on_authorization: Count = fact(
        "units used on the authorization",
        "How many units were used before on this authorization?",
        "clinic",
        unit="units",
    )


@attrs.frozen(kw_only=True, repr=False)
class Claim(Group):
    """What is sent to the insurer after the visit."""

    submitted_on: Date = fact("day the claim was filed", "On which day was the claim filed?", "clinic")
    receipt_complete: Flag = fact(
        "itemized receipt",
        "Does the itemized receipt have every field the insurer needs?",
        "clinic",
        change=(Change("a receipt with every field the insurer needs", (RECEIPT,), _YES),),
    )
    age_days: Days = fact(
        "days until the claim was filed", "How many days after the visit was the claim filed?", "clinic", unit="days",
        derived_from=("claim.submitted_on", "visit.date"),
    )  # fmt: skip


class Own(Mapping[str, Any]):
    """The facts a ruleset declares for itself, by their names without `own.`; immutable.

    What they must be, only that ruleset can say: the values are checked when the case meets it.

    >>> Own({"last_report_on": "2026-05-01"})["last_report_on"]
    '2026-05-01'
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._values = {name: _unchanging(value) for name, value in values.items() if value is not None}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values))

    def __repr__(self) -> str:
        return f"Own({self._values!r})"


def _unchanging(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else frozenset(value) if isinstance(value, set) else value


def _own(given: object) -> object:
    if given is None or given == {}:
        return NOTHING_OWN
    return Own(given) if isinstance(given, Mapping) and not isinstance(given, Own) else given


NOTHING_OWN: Final = Own()
"""What `Case.own` is where a case has no facts of a ruleset's own."""


@attrs.frozen(kw_only=True, repr=False)
class Case:
    """Everything known of one visit; a group or a fact left out is unknown, which is never "no".

    >>> case = Case(plan=Plan(units_per_visit=4), visit=Visit(minutes=90))
    >>> case.plan.units_per_visit, case.plan.payer
    (4, None)
    """

    plan: Plan = Plan()
    prescription: Prescription = Prescription()
    referral: Referral = Referral()
    authorization: Authorization = Authorization()
    provider: Provider = Provider()
    clinic: Clinic = Clinic()
    visit: Visit = Visit()
    history: History = History()
    claim: Claim = Claim()
    own: Mapping[str, Any] = attrs.field(default=NOTHING_OWN, converter=_own)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.own, Own):
            found = f"found {kinds.describe(self.own)}"
            raise FactError([Problem(path="own", message=found, expected="a mapping of names to values")])
        for name, group in GROUPS.items():
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, group())
            elif type(value) is not group:
                article = f"a {group.__name__}; case_from_dict takes mappings"
                raise FactError([Problem(path=name, message=f"found {kinds.describe(value)}", expected=article)])

    def __repr__(self) -> str:
        groups = ((name, getattr(self, name)) for name in (*GROUPS, OWN))
        return f"Case({', '.join(f'{name}={group!r}' for name, group in groups if group != type(group)())})"

    def get(self, path: str) -> Any:
        """Return the value given for a fact, or None where it is unknown. Nothing is derived.

        Raises KeyError for what is no fact's path.
        """
        group, _, name = path.partition(".")
        return self.own.get(name) if group == OWN else _GETTERS[path](self)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return what is known as nested plain values; `case_from_dict` reads them back."""
        known: dict[str, dict[str, Any]] = {}
        for path, fact_ in FACTS.items():
            value = self.get(path)
            if value is not None:
                known.setdefault(fact_.group, {})[fact_.name] = fact_.kind.plain(value)
        if self.own:
            known[OWN] = {name: kinds.plain(value) for name, value in self.own.items()}
        return known


def with_groups(case: Case, groups: Mapping[str, Any]) -> Case:
    """Return the case with other groups; they have been checked already."""
    made = object.__new__(Case)
    for name, put in _CASE_SLOTS:
        put(made, groups[name] if name in groups else getattr(case, name))
    return made


_CASE_SLOTS: Final = tuple((field.name, getattr(Case, field.name).__set__) for field in attrs.fields(Case))

GROUPS: Final[Mapping[str, type[Group]]] = {
    group.__name__.lower(): group
    for group in (Plan, Prescription, Referral, Authorization, Provider, Clinic, Visit, History, Claim)
}
"""Every group of facts by its name, in the order of the vocabulary."""

OWN: Final = "own"
"""The group of the facts that a ruleset declares for itself."""


def by_group(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return facts by group and name, given by path.

    >>> by_group({"visit.minutes": 60, "own.step": 1})
    {'visit': {'minutes': 60}, 'own': {'step': 1}}
    """
    groups: dict[str, dict[str, Any]] = {}
    for path, value in facts.items():
        group, _, name = path.partition(".")
        groups.setdefault(group, {})[name] = value
    return groups


def case_of(facts: Mapping[str, Mapping[str, Any]]) -> Case:
    """Return the case of known facts by group and name; raises FactError."""
    groups: dict[str, Any] = {group: GROUPS[group](**values) for group, values in facts.items() if group != OWN}
    return Case(**groups, own=facts.get(OWN, NOTHING_OWN))


FACTS: Final[Mapping[str, Fact]] = {fact_.path: fact_ for group in GROUPS.values() for fact_ in declared(group)}
"""Every fact by its path, in the order of the vocabulary."""

_GETTERS: Final = {path: attrgetter(path) for path in FACTS}

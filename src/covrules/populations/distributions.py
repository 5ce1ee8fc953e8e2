"""How populations are drawn: every distribution, declared once, with where its figures come from."""

import textwrap
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import attrs

from covrules import kinds
from covrules.facts import FACTS
from covrules.kinds import ANY, UNLIMITED

Each = Literal["plan", "patient", "condition", "prescription", "referral", "authorization", "visit"]
"""What something is drawn for, once each."""


@attrs.frozen
class Span:
    """Every whole number from `least` to `most`, all of them equally likely."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least} to {self.most}, all equally likely"


def _unchanging(values: Mapping[Any, float] | Span) -> Mapping[Any, float] | Span:
    return values if isinstance(values, Span) else MappingProxyType(dict(values))


@attrs.frozen
class Distribution:
    """How something is drawn: what it is, its values with their weights (or a span), where they come from, for what.

    `source` says where from; `each` is what it is drawn for.

    >>> print(Distribution("massage benefit", {"covered": 3, "excluded": 1}, "an assumption", each="plan").said)
    covered 75 %; excluded 25 %
    """

    what: str
    values: Mapping[Any, float] | Span = attrs.field(converter=_unchanging)
    source: str
    each: Each

    @property
    def said(self) -> str:
        """The values in words, each with its share."""
        if isinstance(self.values, Span):
            return str(self.values)
        total = sum(self.values.values())
        return "; ".join(f"{_said(value)} {100 * weight / total:.3g} %" for value, weight in self.values.items())


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "(nothing)" if isinstance(value, tuple) else str(kinds.plain(value))


class Condition(NamedTuple):
    """What a diagnosis says in words, and the body sites that are treated for it."""

    words: str
    sites: tuple[str, ...]


CONDITIONS: Final[Mapping[str, Condition]] = MappingProxyType({
    "M54.50": Condition("low back pain", ("low-back",)), "M54.2": Condition("neck pain", ("neck",)),
    "M79.18": Condition("muscle pain, other site", ("back", "shoulder")), "M79.10": Condition("muscle pain", ("back",)),
    "M25.511": Condition("pain in the right shoulder", ("shoulder-right",)),
    "M25.512": Condition("pain in the left shoulder", ("shoulder-left",)),
    "M25.561": Condition("pain in the right knee", ("knee-right",)),
    "G44.209": Condition("tension-type headache", ("head", "neck")), "R51.9": Condition("headache", ("head",)),
    "M54.6": Condition("pain in the thoracic spine", ("upper-back",)),
    "M62.830": Condition("muscle spasm of the back", ("back",)),
    "M54.41": Condition("low back pain with sciatica on the right", ("low-back", "leg-right")),
    "S16.1XXA": Condition("strain of a neck muscle", ("neck",)), "M79.7": Condition("fibromyalgia", ("whole-body",)),
    "M54.5": Condition("low back pain", ("low-back",)), "M25.51": Condition("pain in a shoulder", ("shoulder",)),
    "none": Condition("back pain", ("back",)),
})  # fmt: skip
"""What is known of each diagnosis that is drawn; the incomplete ones are what a doctor may write by mistake."""

_ASSUMED: Final = "an assumption"
_CITED: Final[Mapping[str, str]] = {
    "plan.massage_benefit": "that some cover it only with physical therapy: ruleset uhc-california-bip029",
    "plan.covered_procedures": "the codes: ruleset uniform-medical-plan",
    "plan.visits_before_authorization": "6: ruleset uniform-medical-plan; 1: ruleset evicore-massage; "
    "unlimited: ruleset kaiser-permanente-northwest",
    "plan.minutes_per_visit": "60: ruleset evicore-massage",
    "plan.units_per_day": "4: ruleset regence-washington",
    "plan.visits_per_year": "16 and 24: ruleset uniform-medical-plan",
    "plan.accepted_credentials": "LMT alone: ruleset evicore-massage",
    "plan.mandates": "the mandate: ruleset wa-rcw-48-43-016",
    "plan.unit_rounding": "the ways of counting: covrules.codes.timed_units",
    "prescription.diagnosis": "which codes are complete: covrules.codes.icd10cm",
    "referral.visits": "12: ruleset va-community-care",
    "days to referral.valid_until": "90: ruleset va-community-care",
    "visit.procedure": "the codes: ruleset uniform-medical-plan",
    "visit.minutes": "60 and 90: ruleset new-york-studio",
}
_DOCTORS: Final = ("MD", "DO", "NP", "PA")
_WHO_PRESCRIBES: Final = {"MD": 48, "DO": 12, "NP": 19, "PA": 14, "DC": 4, "ND": 2, "LMT": 1}
REQUIRED, NOT_REQUIRED = " (required)", " (not required)"


def _chance(percent: float) -> dict[bool, float]:
    return {True: percent, False: 100 - percent}


def _facts(each: Each, values: Mapping[str, Mapping[Any, float] | Span]) -> dict[str, Distribution]:
    """Return the distributions of facts, which are called as the facts are, with what a plan requires behind."""
    return _drawn(each, {name: (FACTS[name.partition(" ")[0]].label, drawn) for name, drawn in values.items()})


def _drawn(each: Each, rows: Mapping[str, tuple[str, Mapping[Any, float] | Span]]) -> dict[str, Distribution]:
    source = {name: f"{_CITED[name]}; the rest is an assumption" if name in _CITED else _ASSUMED for name in rows}
    return {name: Distribution(what, values, source[name], each) for name, (what, values) in rows.items()}


DISTRIBUTIONS: Final[Mapping[str, Distribution]] = MappingProxyType(
    _facts("plan", {
        "plan.payer": {"Example Health": 40, "Example Mutual": 30, "Example Union": 20, "Example Care": 10},
        "plan.massage_benefit": {"covered": 90, "with-physical-therapy": 7, "excluded": 3},
        "plan.covered_procedures": {ANY: 40, ("97124", "97140"): 35, ("97124", "97140", "97112"): 20, ("97124",): 5},
        "plan.prescription_required": _chance(60),
        "plan.accepted_prescribers": {ANY: 30, _DOCTORS: 45, (*_DOCTORS, "DC", "ND"): 25},
        "plan.prescription_valid_days": {UNLIMITED: 30, 365: 45, 180: 20, 90: 5},
        "plan.visits_on_prescription_required": _chance(20),
        "plan.diagnosis_code_required": _chance(60),
        "plan.minimum_specificity": {"general": 85, "regional": 12, "specific": 3},
        "plan.covered_diagnoses": {ANY: 60, ("M", "G", "R", "S"): 30, ("M", "G44"): 10},
        "plan.excluded_diagnoses": {(): 75, ("F", "Z"): 18, ("R",): 4, ("M79",): 3},
        "plan.referral_required": _chance(20),
        "plan.referral_to_payer_required": _chance(8),
        "plan.visits_before_authorization": {UNLIMITED: 60, 12: 14, 6: 22, 1: 4},
        "plan.treatment_plan_required": _chance(15),
        "plan.maintenance_covered": _chance(15),
        "plan.unit_minutes": {15: 97, 30: 3},
        "plan.unit_rounding": {"cms": 70, "midpoint": 20, "whole": 10},
        "plan.units_per_visit": {UNLIMITED: 45, 4: 45, 6: 10},
        "plan.units_per_day": {UNLIMITED: 75, 4: 17, 6: 8},
        "plan.minutes_per_visit": {UNLIMITED: 80, 60: 15, 90: 5},
        "plan.visits_per_year": {UNLIMITED: 25, 12: 8, 16: 7, 20: 20, 24: 20, 30: 20},
        "plan.units_per_year": {UNLIMITED: 85, 100: 10, 60: 5},
        "plan.out_of_network_benefit": _chance(40),
        "plan.out_of_network_needs_referral": _chance(20),
        "plan.location_bound_network": _chance(20),
        "plan.accepted_credentials": {ANY: 40, ("LMT",): 35, ("LMT", "PT"): 25},
        "plan.itemized_receipt_required": _chance(50),
        "plan.timely_filing_days": {365: 45, 180: 30, 90: 25},
        "plan.mandates": {(): 80, ("wa-rcw-48-43-016",): 20},
    })
    | _drawn("plan", {
        "plan size": ("the chance of a patient to be in the plan, against other plans", {1: 50, 3: 30, 10: 15, 40: 5}),
        "days to plan.coverage_start": ("days from January 1 of the year", {0: 60, -365: 25, -1000: 13, 45: 2}),
        "days to plan.coverage_end": ("days from January 1 of the year, or open", {UNLIMITED: 80, 364: 17, 200: 3}),
    })
    | _facts("patient", {
        "provider.credential": {"LMT": 97, "PT": 2, "other": 1},
        "provider.licensed": _chance(99.5),
        "provider.network (required)": {"in": 96, "out": 4},
        "provider.network (not required)": {"in": 75, "out": 25},
        "visit.liability": {"none": 97, "auto": 1.5, "work": 1, "other-plan": 0.5},
        "visit.with_physical_therapy (required)": _chance(80),
        "visit.with_physical_therapy (not required)": _chance(10),
        "prescription.visits (required)": {12: 60, 6: 18, 24: 18, UNLIMITED: 4},
        "prescription.visits (not required)": {UNLIMITED: 60, 12: 30, 6: 10},
        "referral.visits": {UNLIMITED: 50, 12: 45, 6: 5},
        "authorization.visits": {12: 65, 24: 25, 6: 10},
    })
    | _drawn("patient", {
        "visits of a patient": ("visits in the year", {
            1: 12, 2: 10, 3: 9, 4: 9, 6: 16, 8: 12, 10: 10, 12: 10, 16: 6, 20: 4, 30: 1.5, 45: 0.5}),
        "first visit": ("the first visit, in thousandths of the days that leave room for the others", Span(0, 999)),
        "location in network": ("whether an in-network therapist is so at this location", _chance(96)),
        "days to clinic.accepts_payer_from": (
            "days from January 1 of the year, or never", {-700: 91, UNLIMITED: 5, 60: 4}),
        "visits without a number": ("visits after which a document that states no number is renewed", {12: 40, 24: 60}),
        "late renewal": ("visits beyond the number a document states before a new one comes; unlimited: none comes",
                         {0: 88, 1: 5, 3: 3, UNLIMITED: 4}),
    })
    | _facts("condition", {
        "prescription.diagnosis": {
            "M54.50": 24, "M54.2": 17, "M79.18": 11, "M25.511": 6, "M25.512": 6, "M25.561": 4, "G44.209": 7,
            "M79.10": 5, "M54.6": 5, "M62.830": 4, "M54.41": 3, "S16.1XXA": 2, "M79.7": 2, "R51.9": 1, "M54.5": 1.5,
            "M25.51": 0.5, "none": 2},
    })
    | _facts("prescription", {
        "prescription.on_file (required)": _chance(97),
        "prescription.on_file (not required)": _chance(60),
        "prescription.prescriber": _WHO_PRESCRIBES,
        "prescription.service": {"massage": 98, "physical-therapy": 1.5, "other": 0.5},
        "prescription.diagnosed_by": {**_WHO_PRESCRIBES, "LMT": 0.5},
        "prescription.visits_per_week": {UNLIMITED: 60, 1: 20, 2: 20},
        "prescription.treatment_plan (required)": _chance(95),
        "prescription.treatment_plan (not required)": _chance(30),
    })
    | _drawn("prescription", {
        "days from prescription.issued_on": (
            "days to its first visit, fewer if the visit before came later", {2: 25, 7: 35, 14: 25, 30: 14, -5: 1}),
        "days to prescription.expires_on": (
            "days from its issue, or open", {UNLIMITED: 75, 365: 15, 180: 8, 60: 2}),
        "another condition": ("whether it is for a condition drawn anew, not the patient's usual one", _chance(10)),
        "whole body": ("whether it names the whole body, whatever the diagnosis", _chance(15)),
    })
    | _facts("referral", {
        "referral.on_file (required)": _chance(95),
        "referral.on_file (not required)": _chance(20),
        "referral.sent_to_payer (required)": _chance(94),
        "referral.sent_to_payer (not required)": _chance(20),
    })
    | _drawn("referral", {
        "days from referral.issued_on": (
            "days to its first visit, fewer if the visit before came later", {2: 30, 7: 40, 21: 29, -3: 1}),
        "days to referral.valid_until": ("days from its issue", {365: 60, 180: 32, 90: 8}),
    })
    | _facts("authorization", {
        "authorization.on_file (required)": _chance(92),
        "authorization.on_file (not required)": _chance(4),
        "authorization.units": {UNLIMITED: 60, 96: 15, 48: 25},
    })
    | _drawn("authorization", {
        "days from authorization.valid_from": (
            "days to its first visit, fewer if the visit before came later", {0: 40, 3: 40, 10: 18, -7: 2}),
        "days to authorization.valid_until": ("days from its start", {365: 50, 180: 42, 90: 8}),
    })
    | _facts("visit", {
        "visit.procedure": {"97124": 86, "97140": 12, "97112": 2},
        "visit.minutes": {60: 62, 90: 14, 45: 10, 30: 8, 53: 3, 75: 2.5, 5: 0.5},
        "visit.purpose": {"treatment": 96, "maintenance": 2.5, "wellness": 1.5},
        "claim.receipt_complete": _chance(96),
    })
    | _drawn("visit", {
        "days between visits": (
            "days since the patient's visit before; all fewer in proportion where they would not fit in the year",
            {7: 45, 0: 1, 2: 5, 3: 8, 4: 8, 6: 5, 8: 6, 10: 5, 14: 12, 21: 3, 35: 2}),
        "elsewhere": ("whether another site than that of the condition is treated", _chance(2.5)),
        "other site": ("the site treated then", {("hip",): 40, ("foot",): 30, ("hand",): 30}),
        "days to claim.submitted_on": (
            "days from the visit", {1: 30, 3: 20, 7: 20, 14: 15, 30: 11, 75: 3, 120: 0.7, 400: 0.3}),
    })
)  # fmt: skip
"""How everything is drawn, by name: the path of its fact where it is one, with whether the plan requires it."""


def describe() -> str:
    """Return how everything is drawn, and where its figures come from, in plain text.

    >>> print(describe().partition("plan.massage_benefit")[2].partition("plan.covered_procedures")[0])
    : massage benefit (for each plan)
        covered 90 %; with-physical-therapy 7 %; excluded 3 %
        Source: that some cover it only with physical therapy: ruleset uhc-california-bip029; the rest is an
            assumption
    <BLANKLINE>
    """
    wrap = textwrap.TextWrapper(110, initial_indent=" " * 4, subsequent_indent=" " * 8, break_on_hyphens=False).wrap
    lines: list[str] = []
    for name, drawn in DISTRIBUTIONS.items():
        lines.append(f"{name}: {drawn.what} (for each {drawn.each})")
        for words in (drawn.said, f"Source: {drawn.source}"):
            lines += wrap(words)
    return "\n".join(lines)

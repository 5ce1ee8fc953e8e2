"""Made-up patients whose every fact is known, to see how many of the facts a clinic has to ask for.

The world they live in is invented: no payer, plan, clinic or person is meant, and no rate is taken from anywhere. Two
populations: one whose plans and papers fit together mostly, as a clinic might meet them, where each thing that can go
wrong does so seldom; and one in which every fact is drawn by itself, whatever the others are.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from covrules import kinds
from covrules.facts import FACTS
from covrules.rulesets import Ruleset

Patient = Mapping[str, Any]
"""The values of facts, by path, as a case holds them; derived facts are left out."""

_FIRST: Final = dt.date(2026, 1, 5)
_DOCTORS: Final = ("MD", "DO", "NP", "PA")
_SITES: Final = ["low-back", "neck", "shoulder-left", "knee-right", "back"]
_DIAGNOSES: Final = ["M54.50", "M54.2", "M79.18", "M25.511", "M25.561", "G44.209"]
_LEFT_OUT: Final = {"plan.id", "prescription.diagnosis_text"}


def plausible(seed: int) -> Iterator[Patient]:
    """Yield patients of a plausible world without end; the same seed gives the same patients."""
    rnd = random.Random(seed)
    while True:
        yield _parsed(_Drawn(rnd).facts())


def uniform(seed: int) -> Iterator[Patient]:
    """Yield patients without end, every fact of whom is drawn by itself from a few values."""
    rnd = random.Random(seed)
    while True:
        yield _parsed({path: _any_value(rnd, fact.kind) for path, fact in FACTS.items() if not fact.derived_from})


POPULATIONS: Final[Mapping[str, Callable[[int], Iterator[Patient]]]] = {"plausible": plausible, "uniform": uniform}
"""The populations by name."""


def asked_of(ruleset: Ruleset, patient: Patient) -> dict[str, Any]:
    """Return what a patient says to every fact a ruleset could ask for; raises KeyError for facts of its own."""
    paths = [source for path in ruleset.facts for source in (path, *ruleset.vocabulary[path].derived_from)]
    return {path: patient[path] for path in dict.fromkeys(paths) if not ruleset.vocabulary[path].derived_from}


def _parsed(facts: Mapping[str, Any]) -> Patient:
    return {path: FACTS[path].kind.parse(value) for path, value in facts.items() if path not in _LEFT_OUT}


class _Drawn:
    """One patient of the plausible world: first the plan, then the papers, the visit and what was used before."""

    def __init__(self, rnd: random.Random) -> None:
        self.rnd = rnd
        self.day = _FIRST + dt.timedelta(days=rnd.randrange(330))

    def facts(self) -> dict[str, Any]:
        plan = self.plan()
        return {**plan, **self.papers(plan), **self.visit(plan), **self.history(plan)}

    # --- how things are drawn -------------------------------------------------------------------------------

    def often(self, chance: float) -> bool:
        return self.rnd.random() < chance

    def wrong(self, rate: float = 0.012) -> bool:
        return self.often(rate)

    def there(self, needed: bool, anyway: float) -> bool:
        """Return whether a paper is there: nearly always where it is needed, else at some rate."""
        return not self.wrong(0.04) if needed else self.often(anyway)

    def one(self, weights: Mapping[Any, float]) -> Any:
        return self.rnd.choices([*weights], [*weights.values()])[0]

    def before(self, least: int, most: int) -> str:
        return (self.day - dt.timedelta(days=self.rnd.randint(least, most))).isoformat()

    def after(self, least: int, most: int) -> str:
        return (self.day + dt.timedelta(days=self.rnd.randint(least, most))).isoformat()

    def used(self, limit: Any, few: int, rate: float = 0.012) -> int:
        """Return how much is used of a limit: a few, less than there is, unless that goes wrong."""
        if limit == "unlimited":
            return self.rnd.randint(0, few)
        return int(limit) if self.wrong(rate) else self.rnd.randint(0, max(0, min(few, limit - 1)))

    # --- who and what ---------------------------------------------------------------------------------------

    def plan(self) -> dict[str, Any]:
        return {
            "plan.payer": self.rnd.choice(["Example Health", "Example Mutual", "Example Union"]),
            "plan.coverage_start": self.after(1, 60) if self.wrong() else self.before(0, 700),
            "plan.coverage_end": self.before(1, 90) if self.wrong() else self.one({"open": 7, self.after(0, 365): 3}),
            "plan.massage_benefit": self.one({"covered": 86, "with-physical-therapy": 10, "excluded": 4}),
            "plan.covered_procedures": self.one({"any": 4, ("97124",): 3, ("97124", "97140"): 3}),
            "plan.prescription_required": self.often(0.5),
            "plan.accepted_prescribers": self.one({"any": 3, _DOCTORS: 5, (*_DOCTORS, "DC", "ND"): 2}),
            "plan.prescription_valid_days": self.one({"unlimited": 4, 90: 3, 180: 2, 365: 1}),
            "plan.visits_on_prescription_required": self.often(0.2),
            "plan.diagnosis_code_required": self.often(0.5),
            "plan.minimum_specificity": self.one({"general": 7, "regional": 2, "specific": 1}),
            "plan.covered_diagnoses": self.one({"any": 5, ("M",): 3, ("M54", "M25", "M79", "G44"): 2}),
            "plan.excluded_diagnoses": self.one({(): 7, ("F",): 2, ("R", "Z"): 1}),
            "plan.referral_required": self.often(0.25),
            "plan.referral_to_payer_required": self.often(0.12),
            "plan.visits_before_authorization": self.one({"unlimited": 6, 6: 2, 12: 1, 0: 1}),
            "plan.treatment_plan_required": self.often(0.2),
            "plan.maintenance_covered": self.often(0.2),
            "plan.unit_minutes": 15,
            "plan.unit_rounding": self.one({"cms": 7, "midpoint": 2, "whole": 1}),
            "plan.units_per_visit": self.one({4: 6, "unlimited": 4}),
            "plan.units_per_day": self.one({"unlimited": 7, 4: 2, 6: 1}),
            "plan.minutes_per_visit": self.one({"unlimited": 7, 60: 2, 90: 1}),
            "plan.visits_per_year": self.one({"unlimited": 2, 12: 3, 20: 3, 30: 2}),
            "plan.units_per_year": self.one({"unlimited": 7, 60: 2, 100: 1}),
            "plan.out_of_network_benefit": self.often(0.4),
            "plan.out_of_network_needs_referral": self.often(0.25),
            "plan.location_bound_network": self.often(0.2),
            "plan.accepted_credentials": self.one({"any": 3, ("LMT",): 4, ("LMT", "PT"): 3}),
            "plan.itemized_receipt_required": self.often(0.5),
            "plan.timely_filing_days": self.one({90: 3, 180: 3, 365: 4}),
            "plan.mandates": [],
        }

    def papers(self, plan: dict[str, Any]) -> dict[str, Any]:
        diagnosis = self.rnd.choice(_DIAGNOSES)
        if plan["plan.minimum_specificity"] != "general":
            diagnosis = self.rnd.choice(["M25.511", "M25.561"])
        if not plan["plan.diagnosis_code_required"] and self.often(0.3):
            diagnosis = "none"
        if self.wrong(0.03):
            diagnosis = self.rnd.choice(["M54.5", "none", "R51.9", "F41.9"])
        free = plan["plan.visits_before_authorization"] == "unlimited"
        stated = plan["plan.visits_on_prescription_required"] and not self.wrong()
        age = self.rnd.randint(0, 80)
        if self.wrong():
            age = self.rnd.choice([-5, 200])
        ends = self.before(1, 30) if self.wrong() else self.one({"open": 7, self.after(0, 200): 3})
        prescribed = self.one({6: 2, 12: 5, 24: 2} if stated else {"unlimited": 6, 12: 4})
        referred, authorized = self.one({"unlimited": 6, 12: 4}), self.one({12: 6, 24: 4})
        units = self.one({"unlimited": 6, 48: 4})
        return {
            "prescription.on_file": not self.wrong(0.03 if plan["plan.prescription_required"] else 0.4),
            "prescription.prescriber": "LMT" if self.wrong() else self.rnd.choice(_DOCTORS),
            "prescription.issued_on": (self.day - dt.timedelta(days=age)).isoformat(),
            "prescription.expires_on": ends,
            "prescription.service": self.one({"massage": 97, "physical-therapy": 2, "other": 1}),
            "prescription.diagnosis": diagnosis,
            "prescription.diagnosed_by": "LMT" if self.wrong(0.005) else self.rnd.choice(_DOCTORS),
            "prescription.visits": prescribed,
            "prescription.visits_per_week": self.one({"unlimited": 6, 1: 2, 2: 2}),
            "prescription.treatment_plan": self.there(plan["plan.treatment_plan_required"], 0.3),
            "referral.on_file": self.there(plan["plan.referral_required"], 0.2),
            "referral.sent_to_payer": self.there(plan["plan.referral_to_payer_required"], 0.2),
            "referral.issued_on": self.after(1, 20) if self.wrong() else self.before(0, 90),
            "referral.valid_until": self.before(1, 20) if self.wrong() else self.after(0, 200),
            "referral.visits": referred,
            "authorization.on_file": self.often(0.05 if free else 0.85),
            "authorization.valid_from": self.after(1, 20) if self.wrong() else self.before(0, 60),
            "authorization.valid_until": self.before(1, 20) if self.wrong() else self.after(0, 120),
            "authorization.visits": authorized,
            "authorization.units": units,
            "history.visits_on_prescription": self.used(prescribed, 6),
            "history.visits_on_referral": self.used(referred, 6),
            "history.visits_on_authorization": self.used(authorized, 6),
            "history.units_on_authorization": self.used(units, 24),
        }

    def visit(self, plan: dict[str, Any]) -> dict[str, Any]:
        prescribed = self.rnd.sample(_SITES, self.rnd.choice([1, 1, 2]))
        treated = [self.rnd.choice(_SITES)] if self.wrong() else prescribed
        alongside = plan["plan.massage_benefit"] == "with-physical-therapy"
        return {
            "prescription.body_sites": ["whole-body"] if self.often(0.2) else prescribed,
            "provider.credential": "other" if self.wrong(0.01) else "LMT",
            "provider.licensed": not self.wrong(0.005),
            "provider.network": "out" if self.often(0.25 if plan["plan.out_of_network_benefit"] else 0.05) else "in",
            "provider.location_in_network": self.often(0.95),
            "clinic.accepts_payer_from": self.one({"2024-03-01": 88, "never": 8, self.after(-60, 120): 4}),
            "visit.date": self.day.isoformat(),
            "visit.procedure": self.one({"97124": 97, "97140": 3}),
            "visit.minutes": self.one({60: 53, 90: 30, 30: 10, 45: 6, 5: 1}),
            "visit.body_sites": treated,
            "visit.purpose": self.one({"treatment": 96, "maintenance": 2.5, "wellness": 1.5}),
            "visit.with_physical_therapy": self.often(0.8 if alongside else 0.1),
            "visit.liability": self.one({"none": 97, "auto": 1.5, "work": 1, "other-plan": 0.5}),
            "claim.submitted_on": self.after(0, 80),
            "claim.receipt_complete": not self.wrong(0.05),
        }

    def history(self, plan: dict[str, Any]) -> dict[str, Any]:
        return {
            "history.visits_this_year": self.used(plan["plan.visits_per_year"], 10, rate=0.03),
            "history.units_this_year": self.used(plan["plan.units_per_year"], 40),
            "history.visits_this_episode": self.rnd.randint(0, 8),
            "history.visits_this_week": self.one({0: 8, 1: 2}),
            "history.units_this_day": self.one({0: 97, 2: 3}),
        }


def _any_value(rnd: random.Random, kind: kinds.Kind) -> Any:
    """Return one of a few values of a kind, such that comparisons come out either way."""
    match kind:
        case kinds.Bool():
            return rnd.random() < 0.5
        case kinds.Count():
            if kind.unlimited and rnd.random() < 0.2:
                return "unlimited"
            return max(kind.least, rnd.choice([0, 1, 2, 3, 4, 6, 12, 15, 30, 60, 90]))
        case kinds.Date():
            if kind.word and rnd.random() < 0.2:
                return kind.word
            return _FIRST + dt.timedelta(days=rnd.choice([-60, -30, -1, 0, 1, 30]))
        case kinds.Code(system="CPT"):
            return rnd.choice(["97124", "97140", "97112"])
        case kinds.Code(system="ICD-10-CM prefix"):
            return rnd.choice(["M", "M54", "M25.5", "G", "F"])
        case kinds.Code():
            return rnd.choice([*_DIAGNOSES, "M54.5", *(["none"] if kind.none else [])])
        case kinds.Enum() if len(kind.values) > 20:
            return rnd.choice([*_SITES, "whole-body"])
        case kinds.Enum():
            return rnd.choice(kind.values if rnd.random() < 0.3 else kind.values[:3])
        case kinds.SetOf():
            if kind.any and rnd.random() < 0.15:
                return "any"
            return [_any_value(rnd, kind.of) for _ in range(rnd.choice([0, 1, 1, 2, 3]))]
    return "Example Health"

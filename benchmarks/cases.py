"""The cases that are timed: seeded, and mixed as a clinic meets them.

A third is fully known and mostly covered, in full or in part, as one fact or two in half of them do not fit what the
plan asks; a third is the same with up to twenty facts not known yet; in the last third every fact is as likely to fit
as not, and unknown at some rate. Derived facts are never given, and nothing of the claim, as the visit is planned.
"""

import random
from typing import Any, Final

CaseData = dict[str, dict[str, Any]]
"""A case as `case_from_dict` takes it."""

_YES, _NO = (True,), (False,)
_EITHER = (True, False)
_LEFT = (12, 20, "unlimited")
_FEW = (0, 1, 2)
_DAYS = ("2026-06-15", "2026-06-19", "2026-07-01")
_PASSED = ("2026-06-01", "2026-06-14")
_AHEAD = ("2026-07-02", "2026-08-31")

# For every fact, values that fit together whichever are drawn, and values that tend not to.
_POOLS: Final[dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]] = {
    "plan.payer": (("Example Health", "Example Mutual"), ("Example Union",)),
    "plan.coverage_start": (("2026-01-01", "2025-07-01"), _AHEAD),
    "plan.coverage_end": (("open", "open", "2026-12-31"), _PASSED),
    "plan.massage_benefit": (("covered",), ("with-physical-therapy", "excluded")),
    "plan.covered_procedures": ((["97124"], ["97124", "97140"], "any"), (["97140"], [])),
    "plan.prescription_required": (_EITHER, _YES),
    "plan.accepted_prescribers": ((["MD", "DO", "NP", "PA"], ["MD", "DO", "DC"], "any"), (["ND"], [])),
    "plan.prescription_valid_days": ((90, 180, "unlimited"), (10, 0)),
    "plan.visits_on_prescription_required": (_NO, _YES),
    "plan.diagnosis_code_required": (_EITHER, _YES),
    "plan.minimum_specificity": (("general", "regional"), ("specific",)),
    "plan.covered_diagnoses": (("any", ["M"], ["M25", "M54"]), (["G44"], [])),
    "plan.excluded_diagnoses": (([], ["F"]), (["M54", "M25.5"],)),
    "plan.referral_required": (_EITHER, _YES),
    "plan.referral_to_payer_required": (_EITHER, _YES),
    "plan.visits_before_authorization": (("unlimited", "unlimited", 6, 0), (0, 2)),
    "plan.treatment_plan_required": (_EITHER, _YES),
    "plan.maintenance_covered": (_EITHER, _NO),
    "plan.unit_minutes": ((15,), (30,)),
    "plan.unit_rounding": (("cms", "midpoint"), ("whole",)),
    "plan.units_per_visit": ((4, 4, 6, "unlimited"), (2, 0)),
    "plan.units_per_day": ((6, "unlimited"), (4, 3)),
    "plan.minutes_per_visit": ((60, 90, "unlimited"), (45,)),
    "plan.visits_per_year": (_LEFT, (2, 0)),
    "plan.units_per_year": ((48, 80, "unlimited"), (10,)),
    "plan.out_of_network_benefit": (_EITHER, _NO),
    "plan.out_of_network_needs_referral": (_EITHER, _YES),
    "plan.location_bound_network": (_EITHER, _YES),
    "plan.accepted_credentials": ((["LMT", "PT"], "any"), (["PT"], [])),
    "plan.itemized_receipt_required": (_EITHER, _YES),
    "plan.timely_filing_days": ((90, 365), (30,)),
    "prescription.on_file": (_YES, _NO),
    "prescription.prescriber": (("MD", "DO"), ("LMT", "ND", "PT")),
    "prescription.issued_on": (("2026-05-04", "2026-06-02"), ("2026-07-10", "2025-06-01")),
    "prescription.expires_on": (("open", "2026-12-01"), _PASSED),
    "prescription.service": (("massage",), ("physical-therapy", "other")),
    "prescription.diagnosis": (("M54.50", "M54.2", "M25.572"), ("M54.5", "M79.10", "none")),
    "prescription.diagnosed_by": (("MD", "DC"), ("LMT",)),
    "prescription.body_sites": ((["whole-body"], ["back"], ["low-back", "hip-left"]), (["ankle-left"], ["neck"])),
    "prescription.visits": ((12, 10, 8), ("unlimited", 2, 0)),
    "prescription.visits_per_week": ((1, 2, "unlimited"), (0,)),
    "prescription.treatment_plan": (_YES, _NO),
    "referral.on_file": (_YES, _NO),
    "referral.sent_to_payer": (_YES, _NO),
    "referral.issued_on": (("2026-05-04", "2026-06-02"), _AHEAD),
    "referral.valid_until": (("2026-12-31", "2026-09-30"), _PASSED),
    "referral.visits": (_LEFT, (2, 0)),
    "authorization.on_file": (_YES, _NO),
    "authorization.valid_from": (("2026-06-01",), _AHEAD),
    "authorization.valid_until": (("2026-12-31",), _PASSED),
    "authorization.visits": (_LEFT, (1, 0)),
    "authorization.units": ((48, "unlimited"), (6,)),
    "provider.credential": (("LMT",), ("ND", "other")),
    "provider.licensed": (_YES, _NO),
    "provider.network": (("in",), ("out",)),
    "provider.location_in_network": (_YES, _NO),
    "clinic.accepts_payer_from": (("2024-03-01", "2026-06-15"), ("never", "2026-08-01")),
    "visit.date": (_DAYS, ("2025-12-01", "2027-01-04")),
    "visit.procedure": (("97124",), ("97140", "97112")),
    "visit.minutes": ((60, 60, 53, 90), (120, 75, 7)),
    "visit.body_sites": ((["low-back"],), (["ankle-left", "low-back"], ["neck"])),
    "visit.purpose": (("treatment",), ("maintenance", "wellness")),
    "visit.with_physical_therapy": (_EITHER, _NO),
    "visit.liability": (("none",), ("auto", "work")),
    "history.visits_this_year": (_FEW, (12, 30)),
    "history.units_this_year": ((0, 4, 8), (46, 90)),
    "history.visits_this_episode": (_FEW, (6, 9)),
    "history.visits_this_week": ((0,), (1, 2)),
    "history.units_this_day": ((0,), (2, 4)),
    "history.visits_on_prescription": (_FEW, (8, 12)),
    "history.visits_on_referral": (_FEW, (12,)),
    "history.visits_on_authorization": (_FEW, (12,)),
    "history.units_on_authorization": ((0, 4), (46,)),
}


def case_data(count: int, seed: int = 1) -> list[CaseData]:
    """Return so many cases as plain data, the three thirds in turn; the same seed gives the same cases."""
    rnd = random.Random(seed)
    kinds = (_known, _partly_known, _random)
    return [_nested(kinds[number % 3](rnd)) for number in range(count)]


def _known(rnd: random.Random) -> dict[str, Any]:
    facts = {path: rnd.choice(fitting) for path, (fitting, _) in _POOLS.items()}
    for path in rnd.sample(list(_POOLS), rnd.choice((0, 0, 1, 2))):
        facts[path] = rnd.choice(_POOLS[path][1])
    return facts


def _partly_known(rnd: random.Random) -> dict[str, Any]:
    facts = _known(rnd)
    for path in rnd.sample(list(facts), rnd.randint(1, 20)):
        del facts[path]
    return facts


def _random(rnd: random.Random) -> dict[str, Any]:
    known = rnd.choice((1.0, 0.8, 0.5))
    return {path: rnd.choice(rnd.choice(pools)) for path, pools in _POOLS.items() if rnd.random() < known}


def _nested(facts: dict[str, Any]) -> CaseData:
    data: CaseData = {}
    for path, value in facts.items():
        group, _, name = path.partition(".")
        data.setdefault(group, {})[name] = value
    return data

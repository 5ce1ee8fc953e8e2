"""The base ruleset written out by hand: the yardstick that every engine is timed against.

It is what one would write who has this one ruleset, this one stage and no explanations to give. It decides nothing
that the rules do not, computes what several rules share once, and leaves out what a known answer makes idle.
"""

from typing import Final

from covrules.codes import body_sites, icd10cm
from covrules.facts import Case
from covrules.kinds import ANY, NEVER, NO_CODE, OPEN, UNLIMITED

Decision = tuple[str, bool | None, tuple[str, ...], tuple[int | None, ...]]
"""Coverage, acceptance by the clinic, the status of every rule in file order, what each cap allows if it is capped."""

_RANK: Final = {"general": 0, "regional": 1, "specific": 2}


def decide(case: Case) -> Decision:
    """Return what `medical-massage` says of a case at stage planned."""
    plan, visit, history, prescription = case.plan, case.visit, case.history, case.prescription
    referral, authorization, provider = case.referral, case.authorization, case.provider
    on = visit.date

    # --- the visit, the coverage, the benefit -------------------------------------------------------------------
    minutes = visit.minutes
    units = visit.units
    if units is None and minutes is not None:
        units = _units(minutes, plan.unit_minutes, plan.unit_rounding)
    billable_time = "unknown" if units is None else "met" if units >= 1 else "unmet"

    start = plan.coverage_start
    coverage_started = "unknown" if on is None or start is None else "met" if start <= on else "unmet"

    end = plan.coverage_end
    if end is OPEN:
        coverage_not_ended = "met"
    elif on is None or end is None:
        coverage_not_ended = "unknown"
    else:
        coverage_not_ended = "met" if on <= end else "unmet"

    benefit = plan.massage_benefit
    if benefit == "covered":
        benefit_exists = "met"
    elif benefit == "with-physical-therapy":
        alongside = visit.with_physical_therapy
        benefit_exists = "unknown" if alongside is None else "met" if alongside else "unmet"
    else:
        benefit_exists = "unknown" if benefit is None else "unmet"

    procedures = plan.covered_procedures
    if procedures is ANY:
        procedure_covered = "met"
    elif procedures is None:
        procedure_covered = "unknown"
    elif not procedures:
        procedure_covered = "unmet"
    elif visit.procedure is None:
        procedure_covered = "unknown"
    else:
        procedure_covered = "met" if visit.procedure in procedures else "unmet"

    liability = visit.liability
    no_other_payer = "unknown" if liability is None else "met" if liability == "none" else "unmet"

    out_of_network_benefit = plan.out_of_network_benefit
    accepts_from = case.clinic.accepts_payer_from
    too_early = True if accepts_from is NEVER else None if on is None or accepts_from is None else accepts_from > on
    if too_early is False:
        clinic_accepts_payer = "met"
    elif out_of_network_benefit:
        clinic_accepts_payer = "waived"
    elif too_early and out_of_network_benefit is False:
        clinic_accepts_payer = "unmet"
    else:
        clinic_accepts_payer = "unknown"

    # --- the prescription ---------------------------------------------------------------------------------------
    visits_prescribed = prescription.visits
    if plan.prescription_required is False:
        prescription_on_file = prescriber_type = prescription_before_visit = prescription_current = "not-applicable"
        prescription_names_massage = diagnosed_by_diagnoser = "not-applicable"
        within_prescribed_sites = visits_left_on_prescription = "not-applicable"
    else:
        # What lacks something is unmet only where it is known to be asked for.
        failed = "unmet" if plan.prescription_required else "unknown"

        prescribed = prescription.on_file
        prescription_on_file = "unknown" if prescribed is None else "met" if prescribed else failed

        prescribers = plan.accepted_prescribers
        if prescribers is ANY:
            prescriber_type = "met"
        elif prescribers is None:
            prescriber_type = "unknown"
        elif not prescribers:
            prescriber_type = failed
        elif prescription.prescriber is None:
            prescriber_type = "unknown"
        else:
            prescriber_type = "met" if prescription.prescriber in prescribers else failed

        issued = prescription.issued_on
        prescription_before_visit = "unknown" if on is None or issued is None else "met" if issued <= on else failed

        expires = prescription.expires_on
        expired = False if expires is OPEN else None if on is None or expires is None else on > expires
        valid_days = plan.prescription_valid_days
        too_old: bool | None = False
        if valid_days is not UNLIMITED:
            age = prescription.age_days
            if age is None and on is not None and issued is not None:
                age = (on - issued).days
            if age is None:
                too_old = None
            elif age != 0:
                too_old = None if valid_days is None else age > valid_days
        if expired or too_old:
            prescription_current = failed
        else:
            prescription_current = "unknown" if expired is None or too_old is None else "met"

        service = prescription.service
        prescription_names_massage = "unknown" if service is None else "met" if service == "massage" else failed

        diagnosed_by = prescription.diagnosed_by
        diagnosed_by_diagnoser = "unknown" if diagnosed_by is None else failed if diagnosed_by == "LMT" else "met"

        within = visit.within_prescribed_sites
        if within is None:
            treated, sites = visit.body_sites, prescription.body_sites
            if (treated is not None and not treated) or (sites is not None and "whole-body" in sites):
                within = True
            elif treated is not None and sites is not None:
                within = body_sites.all_within(treated, sites)
        within_prescribed_sites = "unknown" if within is None else "met" if within else failed

        used = history.visits_on_prescription
        if visits_prescribed is UNLIMITED:
            visits_left_on_prescription = "met"
        elif visits_prescribed == 0:
            visits_left_on_prescription = failed
        elif visits_prescribed is None or used is None:
            visits_left_on_prescription = "unknown"
        else:
            visits_left_on_prescription = "met" if used < visits_prescribed else failed

    visits_must_be_stated = plan.visits_on_prescription_required
    if visits_must_be_stated is False:
        prescription_states_visits = "not-applicable"
    elif visits_prescribed is None:
        prescription_states_visits = "unknown"
    elif visits_prescribed is not UNLIMITED:
        prescription_states_visits = "met"
    else:
        prescription_states_visits = "unmet" if visits_must_be_stated else "unknown"

    doctors_plan = prescription.treatment_plan
    if plan.treatment_plan_required is False:
        treatment_plan = "not-applicable"
    elif doctors_plan:
        treatment_plan = "met"
    else:
        treatment_plan = "unmet" if plan.treatment_plan_required and doctors_plan is False else "unknown"

    # --- the diagnosis ------------------------------------------------------------------------------------------
    diagnosis = prescription.diagnosis
    if plan.diagnosis_code_required is False:
        diagnosis_code_present = "not-applicable"
    elif diagnosis is None:
        diagnosis_code_present = "unknown"
    elif diagnosis != NO_CODE:
        diagnosis_code_present = "met"
    else:
        diagnosis_code_present = "unmet" if plan.diagnosis_code_required else "unknown"

    specificity = prescription.specificity
    if specificity is None and diagnosis is not None:
        specificity = icd10cm.specificity(diagnosis)
    if diagnosis == NO_CODE:
        diagnosis_valid = diagnosis_covered = diagnosis_not_excluded = diagnosis_specificity = "not-applicable"
    else:
        failed = "unknown" if diagnosis is None else "unmet"

        valid = prescription.diagnosis_valid
        if valid is None and diagnosis is not None:
            valid = icd10cm.is_valid(diagnosis, on)
        diagnosis_valid = "unknown" if valid is None else "met" if valid else failed

        covered = plan.covered_diagnoses
        if covered is ANY:
            diagnosis_covered = "met"
        elif covered is None:
            diagnosis_covered = "unknown"
        elif not covered or diagnosis is None:
            diagnosis_covered = failed
        else:
            diagnosis_covered = "met" if diagnosis.startswith(tuple(covered)) else "unmet"

        excluded = plan.excluded_diagnoses
        if excluded is None:
            diagnosis_not_excluded = "unknown"
        elif not excluded:
            diagnosis_not_excluded = "met"
        elif diagnosis is None:
            diagnosis_not_excluded = "unknown"
        else:
            diagnosis_not_excluded = "unmet" if diagnosis.startswith(tuple(excluded)) else "met"

        least = plan.minimum_specificity
        if least == "general" or specificity == "specific":
            diagnosis_specificity = "met"
        elif least is None or specificity is None:
            diagnosis_specificity = "unknown"
        else:
            diagnosis_specificity = "met" if _RANK[specificity] >= _RANK[least] else failed

    # --- the referral -------------------------------------------------------------------------------------------
    referred, sent = referral.on_file, referral.sent_to_payer
    if plan.referral_required is False:
        referral_on_file = "not-applicable"
    elif referred:
        referral_on_file = "met"
    else:
        referral_on_file = "unmet" if plan.referral_required and referred is False else "unknown"

    if plan.referral_to_payer_required is False:
        referral_sent_to_payer = "not-applicable"
    elif sent:
        referral_sent_to_payer = "met"
    else:
        referral_sent_to_payer = "unmet" if plan.referral_to_payer_required and sent is False else "unknown"

    network = provider.network
    out_needs_referral = plan.out_of_network_needs_referral
    if network == "in" or out_needs_referral is False:
        needed_out_of_network: bool | None = False
        out_of_network_referral = "not-applicable"
    else:
        needed_out_of_network = None if network is None or out_needs_referral is None else True
        if referred:
            out_of_network_referral = "met"
        else:
            out_of_network_referral = "unmet" if needed_out_of_network and referred is False else "unknown"

    if referred is False or (plan.referral_required is False and needed_out_of_network is False):
        referral_current = referral_visits = "not-applicable"
    else:
        failed = "unmet" if referred and (plan.referral_required or needed_out_of_network) else "unknown"

        issued, until = referral.issued_on, referral.valid_until
        if on is None:
            referral_current = "unknown"
        elif (issued is not None and issued > on) or (until is not None and until < on):
            referral_current = failed
        else:
            referral_current = "unknown" if issued is None or until is None else "met"

        limit, used = referral.visits, history.visits_on_referral
        if limit is UNLIMITED:
            referral_visits = "met"
        elif limit == 0:
            referral_visits = failed
        elif limit is None or used is None:
            referral_visits = "unknown"
        else:
            referral_visits = "met" if used < limit else failed

    # --- the prior authorization --------------------------------------------------------------------------------
    free, had = plan.visits_before_authorization, history.visits_this_episode
    if free is UNLIMITED:
        due: bool | None = False
    elif free == 0:
        due = True
    else:
        due = None if free is None or had is None else had >= free

    authorized = authorization.on_file
    units_authorized: int | None = None
    if due is False:
        prior_authorization = "not-applicable"
    elif authorized:
        prior_authorization = "met"
    else:
        prior_authorization = "unmet" if due and authorized is False else "unknown"
    if due is False or authorized is False:
        authorization_current = authorization_visits = authorization_units = "not-applicable"
    else:
        failed = "unmet" if due and authorized else "unknown"

        valid_from, until = authorization.valid_from, authorization.valid_until
        if on is None:
            authorization_current = "unknown"
        elif (valid_from is not None and valid_from > on) or (until is not None and until < on):
            authorization_current = failed
        else:
            authorization_current = "unknown" if valid_from is None or until is None else "met"

        limit, used = authorization.visits, history.visits_on_authorization
        if limit is UNLIMITED:
            authorization_visits = "met"
        elif limit == 0:
            authorization_visits = failed
        elif limit is None or used is None:
            authorization_visits = "unknown"
        else:
            authorization_visits = "met" if used < limit else failed

        limit, used = authorization.units, history.units_on_authorization
        if units == 0 or limit is UNLIMITED:
            authorization_units = "met"
        elif units is None or limit is None or used is None:
            authorization_units = "unknown"
        elif units <= limit - used:
            authorization_units = "met"
        elif due and authorized:
            authorization_units = "capped"
            units_authorized = max(0, limit - used)
        else:
            authorization_units = "unknown"

    # --- who gives the massage, and where -----------------------------------------------------------------------
    credentials = plan.accepted_credentials
    if credentials is ANY:
        provider_credential = "met"
    elif credentials is None:
        provider_credential = "unknown"
    elif not credentials:
        provider_credential = "unmet"
    elif provider.credential is None:
        provider_credential = "unknown"
    else:
        provider_credential = "met" if provider.credential in credentials else "unmet"

    licensed = provider.licensed
    provider_licensed = "unknown" if licensed is None else "met" if licensed else "unmet"

    if network == "in":
        in_network = "met"
    elif out_of_network_benefit:
        in_network = "waived"
    else:
        in_network = "unknown" if network is None or out_of_network_benefit is None else "unmet"

    bound, located = plan.location_bound_network, provider.location_in_network
    if bound is False:
        network_location = "not-applicable"
    elif located:
        network_location = "met"
    elif out_of_network_benefit:
        network_location = "waived"
    elif bound and located is False and out_of_network_benefit is False:
        network_location = "unmet"
    else:
        network_location = "unknown"

    purpose = visit.purpose
    if purpose == "treatment":
        medical_purpose = "met"
    elif purpose == "maintenance":
        kept = plan.maintenance_covered
        medical_purpose = "unknown" if kept is None else "met" if kept else "unmet"
    else:
        medical_purpose = "unknown" if purpose is None else "unmet"

    # --- how much -----------------------------------------------------------------------------------------------
    left_this_visit = left_this_day = left_in_longest = left_this_year = None

    limit = plan.units_per_visit
    if units == 0 or limit is UNLIMITED:
        units_per_visit = "met"
    elif units is None or limit is None:
        units_per_visit = "unknown"
    elif units <= limit:
        units_per_visit = "met"
    else:
        units_per_visit = "capped"
        left_this_visit = limit

    limit, used = plan.units_per_day, history.units_this_day
    if units == 0 or limit is UNLIMITED:
        units_per_day = "met"
    elif units is None or limit is None or used is None:
        units_per_day = "unknown"
    elif units <= limit - used:
        units_per_day = "met"
    else:
        units_per_day = "capped"
        left_this_day = max(0, limit - used)

    longest = plan.minutes_per_visit
    too_long = None if minutes is None or longest is None else minutes > longest
    if minutes == 0 or longest is UNLIMITED or too_long is False:
        minutes_per_visit = "not-applicable"
    else:
        limit = plan.units_in_longest_visit
        if limit is None and longest is not None:
            limit = _units(longest, plan.unit_minutes, plan.unit_rounding)
        if units == 0 or limit is UNLIMITED:
            minutes_per_visit = "met"
        elif units is None or limit is None:
            minutes_per_visit = "unknown"
        elif units <= limit:
            minutes_per_visit = "met"
        elif too_long:
            minutes_per_visit = "capped"
            left_in_longest = limit
        else:
            minutes_per_visit = "unknown"

    limit, used = plan.visits_per_year, history.visits_this_year
    if limit is UNLIMITED:
        visits_per_year = "met"
    elif limit == 0:
        visits_per_year = "unmet"
    elif limit is None or used is None:
        visits_per_year = "unknown"
    else:
        visits_per_year = "met" if used < limit else "unmet"

    limit, used = plan.units_per_year, history.units_this_year
    if units == 0 or limit is UNLIMITED:
        units_per_year = "met"
    elif units is None or limit is None or used is None:
        units_per_year = "unknown"
    elif units <= limit - used:
        units_per_year = "met"
    else:
        units_per_year = "capped"
        left_this_year = max(0, limit - used)

    # --- after the visit, and advice ----------------------------------------------------------------------------
    no_receipt_needed = network == "in" or plan.itemized_receipt_required is False
    itemized_receipt = "not-applicable" if no_receipt_needed else "later"

    ask_for_general = "unknown" if specificity is None else "advised" if specificity == "specific" else "not-applicable"

    if visits_prescribed is UNLIMITED or visits_must_be_stated:
        leave_visits_open = "not-applicable"
    else:
        leave_visits_open = "unknown" if visits_prescribed is None or visits_must_be_stated is None else "advised"

    if referred or sent is False:
        keep_a_copy = "not-applicable"
    else:
        keep_a_copy = "unknown" if referred is None or sent is None else "advised"

    ask_for_receipt = "unknown" if network is None else "advised" if network == "out" else "not-applicable"

    ask_for_plan = "unknown" if doctors_plan is None else "not-applicable" if doctors_plan else "advised"

    limit, used = prescription.visits_per_week, history.visits_this_week
    if limit is UNLIMITED:
        spread_visits = "not-applicable"
    elif limit == 0:
        spread_visits = "advised"
    elif limit is None or used is None:
        spread_visits = "unknown"
    else:
        spread_visits = "advised" if used >= limit else "not-applicable"

    # --- what it adds up to -------------------------------------------------------------------------------------
    before_clinic = (
        billable_time, coverage_started, coverage_not_ended, benefit_exists, procedure_covered, no_other_payer,
    )  # fmt: skip
    after_clinic = (
        prescription_on_file, prescriber_type, prescription_before_visit, prescription_current,
        prescription_names_massage, prescription_states_visits, diagnosed_by_diagnoser,
        diagnosis_code_present, diagnosis_valid, diagnosis_covered, diagnosis_not_excluded, diagnosis_specificity,
        within_prescribed_sites, visits_left_on_prescription, treatment_plan,
        referral_on_file, referral_sent_to_payer, referral_current, referral_visits,
        prior_authorization, authorization_current, authorization_visits, authorization_units,
        provider_credential, provider_licensed, in_network, network_location, out_of_network_referral, medical_purpose,
        units_per_visit, units_per_day, minutes_per_visit, visits_per_year, units_per_year,
        itemized_receipt, "later",
    )  # fmt: skip
    advice = (ask_for_general, leave_visits_open, keep_a_copy, ask_for_receipt, ask_for_plan, spread_visits)
    allowed = (units_authorized, left_this_visit, left_this_day, left_in_longest, left_this_year)

    if "unmet" in before_clinic or "unmet" in after_clinic or 0 in allowed:
        coverage = "not-covered"
    elif "unknown" in before_clinic or "unknown" in after_clinic:
        coverage = "undetermined"
    else:
        coverage = "partial" if "capped" in after_clinic else "covered"
    accepted_here = False if clinic_accepts_payer == "unmet" else None if clinic_accepts_payer == "unknown" else True
    return coverage, accepted_here, (*before_clinic, clinic_accepts_payer, *after_clinic, *advice), allowed


def _units(minutes: int, unit_minutes: int | None, rounding: str | None) -> int | None:
    """Return the billing units of so many minutes; with the rounding unknown, where it does not matter."""
    if minutes == 0:
        return 0
    if unit_minutes is None:
        return None
    whole = minutes // unit_minutes
    if rounding == "whole":
        return whole
    nearest = (2 * minutes + unit_minutes - 1) // (2 * unit_minutes)
    return None if rounding is None and nearest != whole else nearest

"""The base ruleset written out by hand in Polars: the yardstick that covrules is timed against on frames.

It is what one would write who knows Polars well and has this one ruleset, this one stage and no explanations to give.
Every fact that is not derived has its column, derived facts have none, and values are taken to be right: nothing looks
for a word that is not among them, or for a number out of range, but for `check`, which is timed apart. `&`, `|` and `~`
are those of Kleene's logic in Polars, so what is unknown stays so until something else decides.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from itertools import product
from operator import or_
from typing import Final, get_args

import attrs
import polars as pl
from polars import col, when

from covrules.codes import body_sites, icd10cm
from covrules.facts import FACTS
from covrules.kinds import Count, Enum, SetOf
from covrules.rule import STATUSES
from covrules.verdicts import Coverage

UNLIMITED: Final = 2147483647
OPEN: Final = dt.date(9999, 12, 31)
"""The date that stands for `open`, and for `never`."""

_STATUS: Final = pl.Enum(STATUSES)
_COVERAGE: Final = pl.Enum(get_args(Coverage))
_SPECIFICITY: Final = pl.Enum(get_args(icd10cm.Specificity))
_MET, _UNMET, _UNKNOWN = (pl.lit(word, dtype=_STATUS) for word in ("met", "unmet", "unknown"))
_WAIVED, _CAPPED, _LATER = (pl.lit(word, dtype=_STATUS) for word in ("waived", "capped", "later"))
_NOT_APPLICABLE, _ADVISED = (pl.lit(word, dtype=_STATUS) for word in ("not-applicable", "advised"))
_COVERED, _PARTIAL, _NOT_COVERED, _UNDETERMINED = (
    pl.lit(word, dtype=_COVERAGE) for word in ("covered", "partial", "not-covered", "undetermined")
)
_OF_CLINIC: Final = "clinic-accepts-payer"
"""The rule that decides what the clinic accepts, not what the insurer owes."""

_DIAGNOSIS: Final = "prescription.diagnosis"
_DIAGNOSES: Final = ("plan.covered_diagnoses", "plan.excluded_diagnoses")
"""Lists of what a diagnosis may begin with."""
_WORDS: Final = {
    "plan.covered_procedures": "visit.procedure",
    "plan.accepted_prescribers": "prescription.prescriber",
    "plan.accepted_credentials": "provider.credential",
}
"""Lists of words, and the fact that is looked for in each."""


def decide_wide(df: pl.DataFrame) -> pl.DataFrame:
    """Return what `medical-massage` says at stage planned of visits with the facts of their plans beside them."""
    listed = [_is_listed(word, path) for path, word in _WORDS.items()]
    looked_up = _collected([df.lazy().select(listed), _of_code(df)])
    facts = pl.concat([df, *looked_up, _of_diagnoses(df), _within_sites(df)], how="horizontal")
    return _verdict(facts.lazy().with_columns(_units_of_longest_visit()))


def check(df: pl.DataFrame) -> None:
    """Raise where a word is none of its fact's or a number is out of its range, as covrules finds out as well."""
    words, ranges = [], []
    for path in filter(FACTS.__contains__, df.columns):
        kind = FACTS[path].kind
        inner = kind.of if isinstance(kind, SetOf) else kind
        if isinstance(inner, Enum):
            of_one = pl.Enum(("any", *inner.values) if isinstance(kind, SetOf) else inner.values)
            words.append(col(path).cast(pl.List(of_one) if isinstance(kind, SetOf) else of_one))
        elif isinstance(kind, Count):
            ranges.append(col(path).is_between(kind.least, UNLIMITED).all().alias(path))
    df.select(words)
    if ranges and not all(df.select(ranges).row(0)):
        raise ValueError("a number is out of its range")


def decide_wide_checked(df: pl.DataFrame) -> pl.DataFrame:
    """Return what `decide_wide` does, once all values have been checked."""
    check(df)
    return decide_wide(df)


def decide_with_plans_checked(visits: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Return what `decide_with_plans` does, once all values have been checked."""
    check(visits)
    check(plans)
    return decide_with_plans(visits, plans)


def decide_with_plans(visits: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Return the same of visits, and of the plans that they name by `plan.id`.

    What asks of a list is asked once of each plan and each word there is, and then looked up.
    """
    of_plans = plans.lazy().with_columns(_units_of_longest_visit()).select(pl.exclude(pl.List(pl.String)))
    asked = [_of_code(visits), _beside(visits, of_plans, "plan.id")]
    for path, word in _WORDS.items():
        pairs = _pairs(plans, [path], visits, word).lazy()
        asked.append(_beside(visits, pairs.select("plan.id", word, _is_listed(word, path)), "plan.id", word))
    pairs_ = _pairs(plans, _DIAGNOSES, visits, _DIAGNOSIS)
    of_pairs = pairs_.select("plan.id", _DIAGNOSIS).hstack(_of_diagnoses(pairs_))
    asked.append(_beside(visits, of_pairs.lazy(), "plan.id", _DIAGNOSIS))
    return _verdict(pl.concat([visits, *_collected(asked), _within_sites(visits)], how="horizontal").lazy())


# --- what is looked up ------------------------------------------------------------------------------------------


def _collected(frames: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Return what lazy frames come to; joins that keep the order of rows are several times as fast in memory."""
    return pl.collect_all(frames, engine="in-memory")


def _beside(df: pl.DataFrame, table: pl.LazyFrame, *keys: str) -> pl.LazyFrame:
    """Return in each row what a table says of its keys; beside a plan, a word that is unknown is a key too."""
    rows = df.lazy().select(keys)
    return rows.join(table, on=keys, how="left", nulls_equal=len(keys) > 1, maintain_order="left").drop(keys)


def _pairs(plans: pl.DataFrame, lists: Sequence[str], visits: pl.DataFrame, word: str) -> pl.DataFrame:
    """Return every plan with these lists beside every word that some visit has."""
    return plans.select("plan.id", *lists).join(visits.select(col(word).unique()), how="cross")


def _is_listed(word: str, path: str) -> pl.Expr:
    """Return whether a word is in a list: in `any` whatever it is, in an empty one never."""
    listed = col(path).list
    found = (listed.first() == "any") | listed.contains(col(word), nulls_equal=False)
    return ((listed.len() > 0) & found).alias(f"in {path}")


def _of_diagnoses(df: pl.DataFrame) -> pl.DataFrame:
    """Return whether the diagnosis begins with something in each list: with `any` always, with an empty one never."""
    begun = _collected(_rows_that_begin(df, path) for path in _DIAGNOSES)
    return df.select(
        when(_marked(rows["row"], len(df)))
        .then(True)
        .when(col(_DIAGNOSIS).is_not_null() | (col(path).list.len() == 0), col(path).is_not_null())
        .then(False)
        .alias(f"in {path}")
        for path, rows in zip(_DIAGNOSES, begun, strict=True)
    )


def _rows_that_begin(df: pl.DataFrame, path: str) -> pl.LazyFrame:
    rows = df.lazy().select(_DIAGNOSIS, path).with_row_index("row")
    begins = col(_DIAGNOSIS).str.starts_with(col(path)) | (col(path) == "any")
    return rows.explode(path, empty_as_null=False, keep_nulls=False).filter(begins).select("row")


def _marked(places: pl.Series, count: int) -> pl.Series:
    """Return so many flags, of which those at some places are set."""
    return pl.repeat(False, count, eager=True).scatter(places, True)


def _within_sites(df: pl.DataFrame) -> pl.DataFrame:
    """Return whether each treated site lies in one that is prescribed."""
    treated, prescribed = "visit.body_sites", "prescription.body_sites"
    # Treated sites are numbered, so that those can be found that lie in no prescribed one.
    rows = df.select(treated, prescribed).with_row_index("row")
    sites = rows.explode(treated, empty_as_null=False, keep_nulls=False).with_row_index("site")
    tried = sites.select("site", treated, prescribed).explode(prescribed, empty_as_null=False, keep_nulls=False)
    inside = tried.join(_sites_in_sites(), on=[treated, prescribed], how="semi")["site"]
    outside = sites.filter(~_marked(inside, len(sites)))["row"]
    none_treated, whole_body = col(treated).list.len() == 0, col(prescribed).list.contains("whole-body")
    both_known = col(treated).is_not_null() & col(prescribed).is_not_null()
    return df.select(within=none_treated | whole_body | when(both_known).then(~_marked(outside, len(df))))


@cache
def _sites_in_sites() -> pl.DataFrame:
    """Return all pairs of body sites of which the first lies in the second."""
    pairs = [pair for pair in product(body_sites.BODY_SITES, repeat=2) if body_sites.lies_in(*pair)]
    return pl.DataFrame(pairs, schema=["visit.body_sites", "prescription.body_sites"], orient="row")


def _of_code(df: pl.DataFrame) -> pl.LazyFrame:
    """Return what is known of each diagnosis code; one that is in no table is general and not complete."""
    known = col(_DIAGNOSIS).is_not_null()
    rows = df.lazy().select(_DIAGNOSIS).join(codes().lazy(), on=_DIAGNOSIS, how="left", maintain_order="left")
    return rows.select(
        when(known).then(col("specificity").fill_null("general")),
        when(known).then(col("complete").fill_null(False)),
        "since",
        "until",
    )


@cache
def codes() -> pl.DataFrame:
    """Return every diagnosis code and what codes begin with: how closely it names a site, and when it is complete."""
    complete = icd10cm.complete_codes() | {split.old for split in icd10cm.DATED}
    names = sorted(complete | icd10cm.names_of("regional") | icd10cm.names_of("specific"))
    since = {new: split.effective for split in icd10cm.DATED for new in split.new}
    until = {split.old: split.effective for split in icd10cm.DATED}
    return pl.DataFrame({
        _DIAGNOSIS: names,
        "specificity": pl.Series([icd10cm.specificity(name) for name in names], dtype=_SPECIFICITY),
        "complete": [name in complete for name in names],
        "since": pl.Series([since.get(name) for name in names], dtype=pl.Date),
        "until": pl.Series([until.get(name) for name in names], dtype=pl.Date),
    })  # fmt: skip


# --- what is worked out -----------------------------------------------------------------------------------------


def _units(minutes: str) -> pl.Expr:
    """Return the billing units of so many minutes; with the rounding unknown, where it does not matter."""
    done, length = col(minutes).cast(pl.Int64), col("plan.unit_minutes").cast(pl.Int64)
    rounding, whole = col("plan.unit_rounding"), done // length
    more = (2 * (done - whole * length) > length).cast(pl.Int64)
    counted = when(rounding == "whole").then(whole).when(rounding.is_not_null() | (more == 0)).then(whole + more)
    return when(done == 0).then(0).otherwise(counted)


def _units_of_longest_visit() -> pl.Expr:
    longest = col("plan.minutes_per_visit")
    return when(longest == UNLIMITED).then(UNLIMITED).otherwise(_units(longest.meta.output_name())).alias("longest")


def _below(used: str, limit: str) -> pl.Expr:
    """Return whether less is used than a limit allows; one that allows all or nothing decides alone."""
    return ((col(used) < col(limit)) | (col(limit) == UNLIMITED)) & (col(limit) != 0)


def _reached(limit: str, used: str) -> pl.Expr:
    """Return whether as much is used as a limit allows; one that allows all or nothing decides alone."""
    return ((col(used) >= col(limit)) | (col(limit) == 0)) & (col(limit) != UNLIMITED)


_ON: Final = col("visit.date")
_WORKED_OUT: Final = {
    "units": _units("visit.minutes"),
    "age": (_ON - col("prescription.issued_on")).dt.total_days(),
    "valid": col("complete")
    & (col("since").is_null() | (col("since") <= _ON))
    & (col("until").is_null() | (col("until") > _ON)),
    "coded": col(_DIAGNOSIS) != "none",
    "due": _reached("plan.visits_before_authorization", "history.visits_this_episode"),
    "referral out of network": (col("provider.network") == "out") & col("plan.out_of_network_needs_referral"),
}


# --- the rules --------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Rule:
    """What a rule asks where it applies, unless something excuses it; a cap asks that the units be no more than left.

    Advice asks nothing: where it applies, it is given.
    """

    asks: pl.Expr | None = None
    applies: pl.Expr | None = None
    unless: pl.Expr | None = None
    left: pl.Expr | None = None

    @property
    def fine(self) -> pl.Expr:
        """Whether nothing is wrong."""
        parts = [part for part in (self.asks, self.unless) if part is not None]
        parts += [] if self.applies is None else [~self.applies]
        return reduce(or_, parts)

    def status(self, fine: pl.Expr) -> pl.Expr:
        """Return the status, by whether nothing is wrong."""
        if self.asks is None:
            return when(fine).then(_NOT_APPLICABLE).when(~fine).then(_ADVISED).otherwise(_UNKNOWN)
        status = when(~fine).then(_UNMET if self.left is None else _CAPPED).otherwise(_UNKNOWN)
        if self.unless is not None:
            status = when(self.unless).then(_WAIVED).otherwise(status)
        status = when(fine if self.unless is None else self.asks).then(_MET).otherwise(status)
        return status if self.applies is None else when(~self.applies).then(_NOT_APPLICABLE).otherwise(status)


def _cap(limit: str, used: str | None = None, applies: pl.Expr | None = None) -> _Rule:
    left = col(limit).cast(pl.Int64)
    if used is not None:
        left = (left - col(used)).clip(lower_bound=0)
    fits = (col("units") <= left) | (col("units") == 0) | (col(limit) == UNLIMITED)
    return _Rule(fits, applies, left=left)


_PRESCRIPTION: Final = col("plan.prescription_required")
_REFERRAL: Final = (col("plan.referral_required") | col("referral out of network")) & col("referral.on_file")
_AUTHORIZATION: Final = col("due") & col("authorization.on_file")
_OUT_OF_NETWORK: Final = col("plan.out_of_network_benefit")
_OVERLONG: Final = ~(
    (col("visit.minutes") <= col("plan.minutes_per_visit"))
    | (col("plan.minutes_per_visit") == UNLIMITED)
    | (col("visit.minutes") == 0)
)

_RULES: Final = {
    "billable-time": _Rule(col("units") >= 1),
    "coverage-started": _Rule(col("plan.coverage_start") <= _ON),
    "coverage-not-ended": _Rule((col("plan.coverage_end") >= _ON) | (col("plan.coverage_end") == OPEN)),
    "benefit-exists": _Rule(
        (col("plan.massage_benefit") == "covered")
        | ((col("plan.massage_benefit") == "with-physical-therapy") & col("visit.with_physical_therapy"))
    ),
    "procedure-covered": _Rule(col("in plan.covered_procedures")),
    "no-other-payer": _Rule(col("visit.liability") == "none"),
    "clinic-accepts-payer": _Rule(
        (col("clinic.accepts_payer_from") <= _ON) & (col("clinic.accepts_payer_from") != OPEN), unless=_OUT_OF_NETWORK
    ),
    "prescription-on-file": _Rule(col("prescription.on_file"), _PRESCRIPTION),
    "prescriber-type": _Rule(col("in plan.accepted_prescribers"), _PRESCRIPTION),
    "prescription-before-visit": _Rule(col("prescription.issued_on") <= _ON, _PRESCRIPTION),
    "prescription-current": _Rule(
        ((col("prescription.expires_on") >= _ON) | (col("prescription.expires_on") == OPEN))
        & (
            (col("age") <= col("plan.prescription_valid_days"))
            | (col("plan.prescription_valid_days") == UNLIMITED)
            | (col("age") == 0)
        ),
        _PRESCRIPTION,
    ),
    "prescription-names-massage": _Rule(col("prescription.service") == "massage", _PRESCRIPTION),
    "prescription-states-visits": _Rule(
        col("prescription.visits") != UNLIMITED, col("plan.visits_on_prescription_required")
    ),
    "diagnosed-by-diagnoser": _Rule(col("prescription.diagnosed_by") != "LMT", _PRESCRIPTION),
    "diagnosis-code-present": _Rule(col("coded"), col("plan.diagnosis_code_required")),
    "diagnosis-valid": _Rule(col("valid"), col("coded")),
    "diagnosis-covered": _Rule(col("in plan.covered_diagnoses"), col("coded")),
    "diagnosis-not-excluded": _Rule(~col("in plan.excluded_diagnoses"), col("coded")),
    "diagnosis-specificity": _Rule(
        (col("plan.minimum_specificity") == "general")
        | (col("specificity") == "specific")
        | ((col("plan.minimum_specificity") == "regional") & (col("specificity") == "regional")),
        col("coded"),
    ),
    "within-prescribed-sites": _Rule(col("within"), _PRESCRIPTION),
    "visits-prescribed": _Rule(_below("history.visits_on_prescription", "prescription.visits"), _PRESCRIPTION),
    "treatment-plan": _Rule(col("prescription.treatment_plan"), col("plan.treatment_plan_required")),
    "referral-on-file": _Rule(col("referral.on_file"), col("plan.referral_required")),
    "referral-sent-to-payer": _Rule(col("referral.sent_to_payer"), col("plan.referral_to_payer_required")),
    "referral-current": _Rule((col("referral.issued_on") <= _ON) & (col("referral.valid_until") >= _ON), _REFERRAL),
    "referral-visits": _Rule(_below("history.visits_on_referral", "referral.visits"), _REFERRAL),
    "prior-authorization": _Rule(col("authorization.on_file"), col("due")),
    "authorization-current": _Rule(
        (col("authorization.valid_from") <= _ON) & (col("authorization.valid_until") >= _ON), _AUTHORIZATION
    ),
    "authorization-visits": _Rule(_below("history.visits_on_authorization", "authorization.visits"), _AUTHORIZATION),
    "authorization-units": _cap("authorization.units", "history.units_on_authorization", _AUTHORIZATION),
    "provider-credential": _Rule(col("in plan.accepted_credentials")),
    "provider-licensed": _Rule(col("provider.licensed")),
    "in-network": _Rule(col("provider.network") == "in", unless=_OUT_OF_NETWORK),
    "network-location": _Rule(
        col("provider.location_in_network"), col("plan.location_bound_network"), unless=_OUT_OF_NETWORK
    ),
    "out-of-network-referral": _Rule(col("referral.on_file"), col("referral out of network")),
    "medical-purpose": _Rule(
        (col("visit.purpose") == "treatment")
        | ((col("visit.purpose") == "maintenance") & col("plan.maintenance_covered"))
    ),
    "units-per-visit": _cap("plan.units_per_visit"),
    "units-per-day": _cap("plan.units_per_day", "history.units_this_day"),
    "minutes-per-visit": _cap("longest", applies=_OVERLONG),
    "visits-per-year": _Rule(_below("history.visits_this_year", "plan.visits_per_year")),
    "units-per-year": _cap("plan.units_per_year", "history.units_this_year"),
}
_RECEIPT: Final = (col("provider.network") == "out") & col("plan.itemized_receipt_required")
_AFTER_THE_VISIT: Final = {
    "itemized-receipt": when(~_RECEIPT).then(_NOT_APPLICABLE).otherwise(_LATER),
    "timely-filing": _LATER,
}
_ADVICE: Final = {
    "ask-for-general-diagnosis": _Rule(applies=col("specificity") == "specific"),
    "leave-visits-open": _Rule(
        applies=col("prescription.visits") != UNLIMITED, unless=col("plan.visits_on_prescription_required")
    ),
    "keep-a-copy-of-the-referral": _Rule(applies=col("referral.sent_to_payer"), unless=col("referral.on_file")),
    "ask-for-receipt": _Rule(applies=col("provider.network") == "out"),
    "ask-for-treatment-plan": _Rule(applies=~col("prescription.treatment_plan")),
    "spread-visits-as-prescribed": _Rule(applies=_reached("prescription.visits_per_week", "history.visits_this_week")),
}


# --- the verdict ------------------------------------------------------------------------------------------------


def _verdict(facts: pl.LazyFrame) -> pl.DataFrame:
    """Return the columns of the verdict, from the facts and what was looked up beside them."""
    every = _RULES | _ADVICE
    caps = {id: rule.left for id, rule in _RULES.items() if rule.left is not None}
    fine = {id: col(f"fine {id}") for id in every}
    statuses = {id: rule.status(fine[id]) for id, rule in every.items()}
    # Caps that are not reached leave all there is.
    left = [when(~fine[id]).then(each).otherwise(UNLIMITED) for id, each in caps.items()]
    met = pl.all_horizontal(each for id, each in fine.items() if id in _RULES and id not in (*caps, _OF_CLINIC))
    open_ = pl.any_horizontal(fine[id].is_null() for id in caps)
    rows = facts.with_columns(**_WORKED_OUT).with_columns(**{f"fine {id}": rule.fine for id, rule in every.items()})
    rows = rows.with_columns(met=met, open=open_, least=pl.min_horizontal(left))
    refused, capped = ~col("met") | (col("least") == 0), col("least") < UNLIMITED
    unsure = col("met").is_null() | col("open")
    coverage = when(refused).then(_NOT_COVERED).when(unsure).then(_UNDETERMINED).when(capped).then(_PARTIAL)
    return rows.select(
        coverage=coverage.otherwise(_COVERED),
        units_requested=col("units"),
        units_covered=when(refused).then(0).when(unsure).then(None).when(capped).then(col("least")).otherwise("units"),
        **{f"finding.{id}": (statuses | _AFTER_THE_VISIT)[id] for id in (*_RULES, *_AFTER_THE_VISIT, *_ADVICE)},
    ).collect()

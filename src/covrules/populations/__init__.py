"""Made-up populations of massage visits, for teaching and for load tests: plans, patients, their papers and a year.

Payers, plans and patients are invented. `DISTRIBUTIONS` says how everything is drawn and where its figures come from,
which mostly is nowhere: they are assumptions. The history of a visit is not drawn but counted from the visits before.
All visits of a patient lie within the year, so its middle is busier than its ends.

In the frames a column is named by its fact, null is unknown, `unlimited` is 2147483647, `open` and `never` are
9999-12-31, and the set `any` is the list ["any"]. A document that is not on file has its columns all the same: they
say what is on it once it comes; nothing is counted as used on it.

>>> from covrules import populations
>>> population = populations.generate(visits=200, plans=5, seed=7)
>>> population.visits.height, population.plans.height, population.visits.columns[:2]
(200, 5, ['patient', 'plan.id'])
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from covrules import derived, kinds
from covrules.extras import needed
from covrules.facts import FACTS
from covrules.kinds import ANY, UNLIMITED
from covrules.populations.distributions import (
    CONDITIONS,
    DISTRIBUTIONS,
    NOT_REQUIRED,
    REQUIRED,
    Condition,
    Distribution,
    Each,
    Span,
    describe,
)

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Answers = NDArray[np.bool_]
    Columns = dict[str, pl.Series]

__all__ = ["CONDITIONS", "DISTRIBUTIONS", "Condition", "Distribution", "Population", "Span", "describe", "generate"]


@attrs.frozen(eq=False)
class Population:
    """Visits, in order of date and then patient, and the plans the patients have."""

    visits: "pl.DataFrame" = attrs.field(repr=False)
    plans: "pl.DataFrame" = attrs.field(repr=False)

    def wide(self) -> "pl.DataFrame":
        """Return the visits with the facts of their plan beside them, in the order of the vocabulary."""
        joined = self.visits.join(self.plans, on="plan.id", how="left", maintain_order="left")
        return joined.select("patient", *_GIVEN)


_GIVEN: Final = tuple(path for path, fact in FACTS.items() if not fact.derived_from)
_OF_PLANS: Final = tuple(path for path in _GIVEN if FACTS[path].group == "plan")
_OF_VISITS: Final = ("plan.id", *(path for path in _GIVEN if FACTS[path].group != "plan"))
_KEYS: Final = ("patient", "plan.id", "visit.date")
_DOCUMENTS: Final = ("prescription", "referral", "authorization")
_UNITS_FROM: Final = FACTS["visit.units"].derived_from
_EPOCH: Final = dt.date(1970, 1, 1)


def generate(
    visits: int = 100_000, plans: int = 200, seed: int = 1, year: int = 2026, unknown: float = 0.0
) -> Population:
    """Return so many visits of one year, under so many plans; the same arguments give the same population.

    `unknown` is the share of facts left unknown, any but the keys (the plan's and the date of a visit). Diagnosis
    codes are those in force since October 2021, whatever the year.

    Raises ValueError for an argument that is out of its range, and ImportError without numpy and polars.

    >>> generate(visits=3, plans=1).visits["plan.id"].to_list()
    ['plan-0001', 'plan-0001', 'plan-0001']
    """
    _check("visits", visits, 0)
    _check("plans", plans, 1)
    _check("seed", seed, 0)
    _check("year", year, 1900, 2999)
    if isinstance(unknown, bool) or not isinstance(unknown, (int, float)) or not 0 <= unknown <= 1:
        raise ValueError(f"unknown: found {_found(unknown)}; expected a number from 0 to 1")
    np = needed("numpy", "frames")
    needed("polars", "frames")

    draws = _Draws(np.random.default_rng(seed))
    start, end = ((dt.date(each, 1, 1) - _EPOCH).days for each in (year, year + 1))
    of_plans = _plans(draws, plans, start)
    of_visits = _visits(_setting(draws, of_plans, visits, start, end - start))
    return Population(draws.without(of_visits, unknown), draws.without(of_plans, unknown))


def _check(name: str, value: object, least: int, most: int | None = None) -> None:
    if type(value) is not int or value < least or (most is not None and value > most):
        bounds = f", {least} or more" if most is None else f" from {least} to {most}"
        raise ValueError(f"{name}: found {_found(value)}; expected a whole number{bounds}")


def _found(value: object) -> str:
    return str(value) if type(value) in (int, float) else kinds.describe(value)


@attrs.frozen(eq=False)
class _Draws:
    """What is drawn from the distributions, by their names."""

    rng: "np.random.Generator"

    def column(self, name: str, count: int) -> "pl.Series":
        import numpy as np
        import polars as pl

        values = DISTRIBUTIONS[name].values
        if isinstance(values, Span):
            return pl.Series(self.rng.integers(values.least, values.most, count, endpoint=True))
        weights = np.array([*values.values()], dtype=float)
        return _series([*values]).gather(self.rng.choice(weights.size, count, p=weights / weights.sum()))

    def numbers(self, name: str, count: int) -> "Numbers":
        return self.column(name, count).to_numpy()

    def facts(self, each: Each, count: int) -> "Columns":
        """Return every fact that is drawn for each of these, whatever the plan."""
        names = [name for name, drawn in DISTRIBUTIONS.items() if drawn.each == each and name in FACTS]
        return {name: self.column(name, count) for name in names}

    def either(self, path: str, required: "Answers") -> "pl.Series":
        """Return a fact that comes out otherwise where the plan requires it."""
        import polars as pl

        strict, lax = (self.column(f"{path}{suffix}", required.size) for suffix in (REQUIRED, NOT_REQUIRED))
        return strict.zip_with(pl.Series(required), lax)

    def without(self, frame: "pl.DataFrame", unknown: float) -> "pl.DataFrame":
        """Return the frame with this share of its cells unknown, the keys left alone."""
        import polars as pl

        if not unknown:
            return frame
        lost = {name: self.rng.random(frame.height) < unknown for name in frame.columns if name not in _KEYS}
        return frame.with_columns(pl.when(~pl.Series(cells)).then(pl.col(name)) for name, cells in lost.items())


@attrs.frozen(eq=False)
class _Setting:
    """The plans, the plan of each patient, and all visits, those of one patient together and in order.

    Of each visit: its `patient`, its `place` among the patient's and its `day`; of each patient: the `first` visit and
    the `last`. Patients, plans and visits are numbered from 0, days from 1970 on.
    """

    draws: _Draws
    new_year: int
    plans: "pl.DataFrame"
    plan_of: "Numbers"
    patient: "Numbers"
    place: "Numbers"
    day: "Numbers"
    first: "Numbers"
    last: "Numbers"

    def asked(self, path: str) -> "NDArray[Any]":
        """Return what the plan of each patient says."""
        return self.plans[path].to_numpy()[self.plan_of]


@attrs.frozen(eq=False)
class _Papers:
    """The documents of one group: whose each is, and from which day on it is good.

    Of each visit: which document it falls under, and whether one is `due` by then.
    """

    group: str
    setting: _Setting
    patient: "Numbers"
    since: "Numbers"
    of_visit: "Numbers"
    due: "Answers"

    def either(self, path: str, required: "Answers") -> "pl.Series":
        """Return a fact that comes out otherwise for patients whose plan requires it."""
        return self.setting.draws.either(path, required[self.patient])

    def until(self, path: str) -> "pl.Series":
        """Return the dates on which the documents end."""
        return _dates(self.since, self.setting.draws.numbers(f"days to {path}", self.patient.size))

    def beside_visits(self, columns: "Columns") -> "Columns":
        """Return what the documents say beside each visit, with which it is and whether the visit is counted on it."""
        import polars as pl

        spread = {path: column.gather(self.of_visit) for path, column in columns.items()}
        on_file = spread[f"{self.group}.on_file"] & pl.Series(self.due)
        counted = on_file & pl.Series(self.setting.day >= self.since[self.of_visit])
        own = {f"{self.group}.on_file": on_file, self.group: pl.Series(self.of_visit)}
        return spread | own | {f"counted on {self.group}": counted.cast(pl.Int64)}


def _series(values: Sequence[Any]) -> "pl.Series":
    import polars as pl

    if not isinstance(values[0], tuple) and values[0] is not ANY:
        return pl.Series(values)
    return pl.Series([["any"] if value is ANY else list(value) for value in values], dtype=pl.List(pl.String))


def _dates(start: "Numbers | int", days: "Numbers | int" = 0) -> "pl.Series":
    """Return the dates so many days after a start; unlimited days end on the date that stands for open and never."""
    import numpy as np
    import polars as pl

    numbers = np.where(np.equal(days, UNLIMITED), (dt.date.max - _EPOCH).days, np.add(start, days))
    return pl.Series(numbers.astype(np.int32)).cast(pl.Date)


def _typed(columns: "Columns", paths: Sequence[str]) -> "pl.DataFrame":
    """Return the columns of these facts, each of the type of its kind."""
    import polars as pl

    types = {"bool": pl.Boolean(), "number": pl.Int32(), "date": pl.Date(), "set": pl.List(pl.String())}
    return pl.DataFrame({path: columns[path].cast(types.get(FACTS[path].kind.family, pl.String())) for path in paths})


def _plans(draws: _Draws, count: int, new_year: int) -> "pl.DataFrame":
    columns = draws.facts("plan", count) | {
        "plan.id": _series([f"plan-{number:04}" for number in range(1, count + 1)]),
        "plan.coverage_start": _dates(new_year, draws.numbers("days to plan.coverage_start", count)),
        "plan.coverage_end": _dates(new_year, draws.numbers("days to plan.coverage_end", count)),
    }
    return _typed(columns, _OF_PLANS)


def _setting(draws: _Draws, plans: "pl.DataFrame", visits: int, new_year: int, days: int) -> _Setting:
    """Return who has which plan and which visits, in a year of so many days."""
    import numpy as np

    # There are never more patients than visits; the last of those needed has the visits that are left.
    totals = draws.numbers("visits of a patient", visits).cumsum()
    patients = int(np.searchsorted(totals, visits)) + (visits > 0)
    ends = np.minimum(totals[:patients], visits)
    first, last = ends - np.diff(ends, prepend=0), ends - 1
    patient = np.repeat(np.arange(patients), last - first + 1)
    gone = draws.numbers("days between visits", visits).cumsum()
    gone -= gone[first][patient]
    length, longest = gone[last], days - 1
    gone = np.where(length[patient] > longest, gone * longest // np.maximum(length, 1)[patient], gone)
    start = draws.numbers("first visit", patients) * (days - np.minimum(length, longest)) // 1000
    size = draws.numbers("plan size", plans.height)
    plan_of = draws.rng.choice(plans.height, patients, p=size / size.sum())
    place, day = np.arange(visits) - first[patient], new_year + start[patient] + gone
    return _Setting(draws, new_year, plans, plan_of, patient, place, day, first, last)


def _papers(setting: _Setting, start: str, stated: "pl.Series", due: "Numbers | int" = 0) -> _Papers:
    """Return the documents that are good from some fact on; those of each patient are for so many visits as `stated`.

    The first of them is for the visit at the place where it is due; one that is used up is renewed, in time or late.
    """
    import numpy as np

    draws, place, owner = setting.draws, setting.place, setting.patient
    visits, due = stated.to_numpy(), np.broadcast_to(due, stated.shape)
    lasts = np.where(visits == UNLIMITED, draws.numbers("visits without a number", visits.size), visits)
    lasts = lasts + draws.numbers("late renewal", visits.size)
    number = np.maximum(place - due[owner], 0) // lasts[owner]
    opens = np.flatnonzero((place == 0) | (np.diff(number, prepend=0) != 0))
    patient = owner[opens]
    first = setting.first[patient]
    visit = np.minimum(first + due[patient] + number[opens] * lasts[patient], setting.last[patient])
    # It comes after the visit before, so that counting the visits by document and by date is the same.
    room = np.where(visit > first, setting.day[visit] - setting.day[np.maximum(visit - 1, 0)] - 1, UNLIMITED)
    lead = np.minimum(draws.numbers(f"days from {start}", opens.size), np.maximum(room, 0))
    of_visit = np.repeat(np.arange(opens.size), np.diff(opens, append=place.size))
    group, since = FACTS[start].group, setting.day[visit] - lead
    return _Papers(group, setting, patient, since, of_visit, place >= due[owner])


def _prescription(setting: _Setting) -> "Columns":
    import polars as pl

    draws, asked = setting.draws, setting.asked
    stated = draws.either("prescription.visits", asked("plan.visits_on_prescription_required"))
    papers = _papers(setting, "prescription.issued_on", stated)
    count = papers.patient.size
    usual = draws.column("prescription.diagnosis", len(stated)).gather(papers.patient)
    diagnosis = draws.column("prescription.diagnosis", count).zip_with(draws.column("another condition", count), usual)
    condition = diagnosis.replace_strict([*CONDITIONS], range(len(CONDITIONS)), return_dtype=pl.Int64)
    sites = _series([each.sites for each in CONDITIONS.values()]).gather(condition)
    whole = pl.select(pl.repeat(["whole-body"], count)).to_series()
    return papers.beside_visits({
        **draws.facts("prescription", count),
        "prescription.on_file": papers.either("prescription.on_file", asked("plan.prescription_required")),
        "prescription.issued_on": _dates(papers.since),
        "prescription.expires_on": papers.until("prescription.expires_on"),
        "prescription.diagnosis": diagnosis,
        "prescription.diagnosis_text": _series([each.words for each in CONDITIONS.values()]).gather(condition),
        "prescription.body_sites": whole.zip_with(draws.column("whole body", count), sites),
        "prescription.visits": stated.gather(papers.patient),
        "prescription.treatment_plan": papers.either(
            "prescription.treatment_plan", asked("plan.treatment_plan_required")),
        "sites": sites,
    })  # fmt: skip


def _referral(setting: _Setting, out_of_network: "Answers") -> "Columns":
    asked, stated = setting.asked, setting.draws.column("referral.visits", out_of_network.size)
    papers = _papers(setting, "referral.issued_on", stated)
    wanted = asked("plan.referral_required") | (out_of_network & asked("plan.out_of_network_needs_referral"))
    return papers.beside_visits({
        "referral.on_file": papers.either("referral.on_file", wanted),
        "referral.sent_to_payer": papers.either("referral.sent_to_payer", asked("plan.referral_to_payer_required")),
        "referral.issued_on": _dates(papers.since),
        "referral.valid_until": papers.until("referral.valid_until"),
        "referral.visits": stated.gather(papers.patient),
    })  # fmt: skip


def _authorization(setting: _Setting) -> "Columns":
    import numpy as np

    free = setting.asked("plan.visits_before_authorization").astype(np.int64)
    stated = setting.draws.column("authorization.visits", free.size)
    # Where none is ever due, the few there are come before the first visit.
    papers = _papers(setting, "authorization.valid_from", stated, np.where(free == UNLIMITED, 0, free))
    return papers.beside_visits({
        **setting.draws.facts("authorization", papers.patient.size),
        "authorization.on_file": papers.either("authorization.on_file", free != UNLIMITED),
        "authorization.valid_from": _dates(papers.since),
        "authorization.valid_until": papers.until("authorization.valid_until"),
        "authorization.visits": stated.gather(papers.patient),
    })  # fmt: skip


def _patients(setting: _Setting) -> "Columns":
    """Return what is the same at every visit of a patient, beside each patient."""
    draws, count = setting.draws, setting.plan_of.size
    network = draws.either("provider.network", ~setting.asked("plan.out_of_network_benefit"))
    alongside = setting.asked("plan.massage_benefit") == "with-physical-therapy"
    accepts = draws.numbers("days to clinic.accepts_payer_from", count)
    return draws.facts("patient", count) | {
        "plan.id": setting.plans["plan.id"].gather(setting.plan_of),
        "provider.network": network,
        "provider.location_in_network": draws.column("location in network", count) & (network == "in"),
        "clinic.accepts_payer_from": _dates(setting.new_year, accepts),
        "visit.with_physical_therapy": draws.either("visit.with_physical_therapy", alongside),
    }


def _visits(setting: _Setting) -> "pl.DataFrame":
    import polars as pl

    draws, count = setting.draws, setting.day.size
    of_patient = _patients(setting)
    columns = {name: column.gather(setting.patient) for name, column in of_patient.items()}
    columns |= _prescription(setting) | _referral(setting, (of_patient["provider.network"] == "out").to_numpy())
    columns |= _authorization(setting) | draws.facts("visit", count)
    other = draws.column("other site", count)
    columns |= {
        "patient": pl.Series("patient", setting.patient + 1),
        "visit.date": _dates(setting.day),
        "visit.body_sites": other.zip_with(draws.column("elsewhere", count), columns["sites"]),
        "claim.submitted_on": _dates(setting.day, draws.numbers("days to claim.submitted_on", count)),
    }
    visits = _typed(columns | _history(columns, setting.plans), _OF_VISITS)
    return visits.insert_column(0, columns["patient"]).sort("visit.date", "patient", maintain_order=True)


def _history(columns: "Columns", plans: "pl.DataFrame") -> "Columns":
    """Return what was used before each visit, counted from the patient's visits before it."""
    import polars as pl

    counted = {document: f"counted on {document}" for document in _DOCUMENTS}
    names = ("patient", "plan.id", "visit.date", "visit.minutes", "prescription.diagnosis", *counted, *counted.values())
    visits = pl.DataFrame({name: columns[name] for name in names})
    visits = visits.join(plans.select("plan.id", *_UNITS_FROM[1:]), "plan.id", "left", maintain_order="left")
    # Each of the few ways to make units of minutes is counted once, by the rule that counts those of a case.
    ways = visits.select(_UNITS_FROM).unique()
    ways = ways.with_columns(pl.Series("units", [derived.units(*way) for way in ways.rows()], dtype=pl.Int64))
    visits = visits.join(ways, [*_UNITS_FROM], "left", maintain_order="left")
    units, on_authorization = pl.col("units"), pl.col(counted["authorization"])
    history = {
        "visits_this_year": _count_before(),
        "units_this_year": _sum_before(units),
        "visits_this_episode": _count_before("prescription.diagnosis"),
        "visits_this_week": _count_before(pl.col("visit.date").dt.truncate("1w")),
        "units_this_day": _sum_before(units, "visit.date"),
        **{f"visits_on_{document}": _sum_before(pl.col(name), document) for document, name in counted.items()},
        "units_on_authorization": _sum_before(units * on_authorization, "authorization"),
    }
    used = visits.select(what.alias(f"history.{name}") for name, what in history.items())
    return {column.name: column for column in used}


def _count_before(*same: "str | pl.Expr") -> "pl.Expr":
    import polars as pl

    return pl.int_range(pl.len()).over("patient", *same)


def _sum_before(what: "pl.Expr", *same: str) -> "pl.Expr":
    return (what.cum_sum() - what).over("patient", *same)

"""Explained coverage verdicts for medical massage: typed facts in, a verdict with its reasons out.

>>> import covrules
>>> from covrules import Case, Plan, Visit
>>> ruleset = covrules.load("medical-massage")
>>> verdict = ruleset.evaluate(Case(plan=Plan(massage_benefit="excluded"), visit=Visit(minutes=60)))
>>> verdict.coverage
'not-covered'
>>> verdict.finding("benefit-exists").because
'The massage benefit of the plan: excluded.'
"""

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covrules.case_reading import case_from_dict, case_from_row
from covrules.errors import CovrulesError, EngineDisagreement, EngineUnavailable, FactError, RulesetError
from covrules.facts import (
    Authorization,
    Case,
    Claim,
    Clinic,
    History,
    Plan,
    Prescription,
    Provider,
    Referral,
    Visit,
)
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED

if TYPE_CHECKING:
    from covrules.comparing import Comparison
    from covrules.rule import Stage
    from covrules.rulesets import Ruleset
    from covrules.sweeping import Sweep

__version__ = "0.1.0"

__all__ = [
    "ANY",
    "NEVER",
    "OPEN",
    "UNLIMITED",
    "Authorization",
    "Case",
    "Claim",
    "Clinic",
    "CovrulesError",
    "EngineDisagreement",
    "EngineUnavailable",
    "FactError",
    "History",
    "Plan",
    "Prescription",
    "Provider",
    "Referral",
    "RulesetError",
    "Visit",
    "case_from_dict",
    "case_from_row",
    "compare",
    "load",
    "sweep",
]


def load(ruleset: str | os.PathLike[str], on: dt.date | str | None = None) -> "Ruleset":
    """Return the ruleset of a shipped id or of a file, of several versions that of a day: see `covrules.api.load`."""
    from covrules.api import load as load_ruleset

    return load_ruleset(ruleset, on)


def compare(
    a: "Ruleset", b: "Ruleset", df: Any, plans: Any = None, *, by: Any = None, stage: "Stage" = "planned"
) -> "Comparison":
    """Return what changes for the visits of a frame from one ruleset to another: see `covrules.comparing.compare`."""
    from covrules.comparing import compare as compare_rulesets

    return compare_rulesets(a, b, df, plans, by=by, stage=stage)


def sweep(
    ruleset: "Ruleset", grid: Mapping[str, Sequence[Any]], df: Any, plans: Any = None, *, stage: "Stage" = "planned"
) -> "Sweep":
    """Return what a ruleset decides for each combination of some values: see `covrules.sweeping.sweep`."""
    from covrules.sweeping import sweep as sweep_ruleset

    return sweep_ruleset(ruleset, grid, df, plans, stage=stage)

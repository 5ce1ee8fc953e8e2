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
from typing import TYPE_CHECKING

from covrules.case_reading import case_from_dict
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
    from covrules.rulesets import Ruleset

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
    "load",
]


def load(ruleset: str | os.PathLike[str], on: dt.date | str | None = None) -> "Ruleset":
    """Return the ruleset of a shipped id or of a file, of several versions that of a day: see `covrules.api.load`."""
    from covrules.api import load as load_ruleset

    return load_ruleset(ruleset, on)

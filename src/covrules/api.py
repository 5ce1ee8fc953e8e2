"""The parts put together: load a ruleset, evaluate a case."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, cast, get_args

from covrules.declaring import problem_with
from covrules.engines import compiled, durable
from covrules.errors import (
    EngineDisagreement,
    EngineUnavailable,
    FactError,
    did_you_mean,
    one_of,
)
from covrules.facts import NOTHING_OWN, Case
from covrules.kinds import Date, Unfit, describe
from covrules.library import load_file, load_shipped
from covrules.meeting import meet
from covrules.rule import STAGES, Stage
from covrules.rulesets import Ruleset
from covrules.verdicts import Basis, Found, Outcome, Verdict, add_up

__all__ = ["ENGINES", "evaluate", "load"]

Engine = Literal["checked", "compiled", "durable"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
"""How a case can be decided; `checked` demands that the other two agree."""

Decide = Callable[[Case], Outcome]
Find = Callable[[Case], Found]


def evaluate(
    ruleset: Ruleset,
    case: Case,
    *,
    stage: Stage = "planned",
    engine: str = "checked",
    as_of: dt.date | str | None = None,
    today: dt.date | str | None = None,
) -> Verdict:
    """Return the explained verdict on a case.

    `stage` says how far the visit has come: rules that start later touch nothing yet. `engine` is `checked`
    (durable_rules infers and the compiled function must agree on every status and unit), `compiled` or `durable`.
    Where durable_rules cannot be had, `checked` runs compiled alone and the verdict's `engine` says so.
    `today` is the day before which no remedy sets a date: a date or its ISO 8601 text. Without it, no remedy sets one
    before the day of the visit, and none makes the visit earlier.
    `as_of` stands for the date of the visit where that is unknown, to choose dated values and to tell whether the
    ruleset is in force, and for nothing else: a date or its ISO 8601 text. It is needed only there.

    Raises FactError where the case contradicts what the plan fixes, where its own facts are not those declared, where
    the ruleset is not in force on the day of the visit or needs one and has none, and for an `as_of` or a `today` that
    is no date; EngineDisagreement where the engines differ, EngineUnavailable where `durable` is asked for and cannot
    be had, ValueError for a stage or an engine there is not, TypeError for what is no Case.
    """
    if not isinstance(case, Case):
        raise TypeError(f"evaluate takes a Case and got {describe(case)}; case_from_dict makes one from a mapping")
    if engine == "checked" and not durable.available():
        engine = "compiled"
    basis, find, _ = ruleset.made.get((stage, engine)) or _way(ruleset, stage, engine)
    day = case.visit.date
    if as_of is not None:
        otherwise = _date("as_of", as_of)
        day = otherwise if day is None else day
    if today is not None:
        today = _date("today", today)
    met = case
    if basis.meets_every_case or (case.own is not NOTHING_OWN and case.own):
        met = meet(ruleset, case, day)
    return Verdict(basis, met, find(met), day, case, today)


def _date(name: str, day: object) -> dt.date:
    try:
        return Date().parse(day)
    except Unfit as unfit:
        raise FactError([problem_with(name, Date(), unfit)]) from None


def _way(ruleset: Ruleset, stage: str, engine: str) -> tuple[Basis, Find, Decide]:
    """Return what a verdict needs of a way to decide, made when first asked for, and how it decides the rules."""
    way: tuple[Basis, Find, Decide] | None = ruleset.made.get((stage, engine))
    if way is None:
        _known("stage", stage, STAGES)
        _known("engine", engine, ENGINES)
        basis = Basis(ruleset, cast(Stage, stage), engine)
        way = ruleset.made[stage, engine] = basis, *_build(ruleset, basis.stage, engine)
    return way


def _decider(ruleset: Ruleset, stage: str, engine: str) -> Decide:
    return _way(ruleset, stage, engine)[2]


def _known(what: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ValueError(f"there is no {what} {word!r}: {did_you_mean(str(word), words) or one_of(words)}")


def _build(ruleset: Ruleset, stage: Stage, engine: str) -> tuple[Find, Decide]:
    if engine == "compiled":
        decider = compiled.compile_ruleset(ruleset, stage)
        return decider.find, decider
    if engine == "durable":
        try:
            infer = durable.compile_ruleset(ruleset, stage)
        except durable.NetworkUnavailable as error:
            raise EngineUnavailable(str(error)) from None
        return lambda case: add_up(ruleset, infer(case)), infer
    find = _checked(ruleset, _way(ruleset, stage, "compiled")[1], _decider(ruleset, stage, "durable"))
    return find, lambda case: find(case)[2]


def _checked(ruleset: Ruleset, by_function: Find, by_inference: Decide) -> Find:
    def find(case: Case) -> Found:
        inferred = by_inference(case)
        found = add_up(ruleset, inferred)
        computed = by_function(case)
        if found != computed:
            raise EngineDisagreement(_difference(ruleset, inferred, computed[2]))
        return found

    return find


def _difference(ruleset: Ruleset, inferred: Outcome, computed: Outcome) -> str:
    said = (
        [
            f"{rule.id}: durable says {one}, compiled says {other}"
            for rule, one, other in zip(ruleset.rules, inferred.statuses, computed.statuses, strict=True)
            if one != other
        ]
        or [
            f"{ruleset.rules[place].id}: the engines allow different units"
            for place, one, other in zip(ruleset.caps, inferred.allowed, computed.allowed, strict=True)
            if one != other
        ]
        or ["they add them up otherwise"]
    )
    return (
        f"the engines disagree on {ruleset.id} {ruleset.version} ({ruleset.digest}), so there is no verdict: "
        f"{'; '.join(said)}. This is a defect of covrules: please report it with this message."
    )


# --- loading ----------------------------------------------------------------------------------------------------


def load(ruleset: str | os.PathLike[str], on: dt.date | str | None = None) -> Ruleset:
    """Return the ruleset of a shipped id or of a file, with all it extends.

    A text with a slash or ending in `.yaml` is a path, as is any path object; else it is an id. What a file extends is
    looked for in its folder and among those shipped. Of the versions of an id, `on`, a date or its ISO 8601 text,
    chooses the one in force on that day, and without it the latest is chosen; a file must itself be in force then. Of
    what is extended the version is chosen likewise.

    Raises RulesetError listing everything wrong with the files, each with its place; FactError for an `on` that is no
    date.

    >>> load("medical-massage").rule("in-network").layer
    'plan'
    """
    day = None if on is None else _date("on", on)
    if isinstance(ruleset, str) and not ("/" in ruleset or os.sep in ruleset or ruleset.endswith(".yaml")):
        return load_shipped(ruleset, day)
    return load_file(Path(os.fsdecode(ruleset)), day)

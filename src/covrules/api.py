"""The parts put together: load a ruleset, evaluate a case."""

import datetime as dt
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, cast, get_args

from covrules.declaring import problem_with
from covrules.engines import compiled, durable
from covrules.errors import (
    EngineDisagreement,
    EngineUnavailable,
    FactError,
    Problem,
    RulesetError,
    did_you_mean,
    one_of,
)
from covrules.facts import Case
from covrules.kinds import Date, Unfit, describe
from covrules.loading import read_ruleset
from covrules.rulesets import STAGES, Ruleset, Stage
from covrules.verdicts import Outcome, Verdict, reach
from covrules.yaml_nodes import MAX_BYTES

Engine = Literal["checked", "compiled", "durable"]
ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)
"""How a case can be decided; `checked` demands that the other two agree."""

Decide = Callable[[Case], Outcome]


def evaluate(
    ruleset: Ruleset,
    case: Case,
    *,
    stage: Stage = "planned",
    engine: str = "checked",
    as_of: dt.date | str | None = None,
) -> Verdict:
    """Return the explained verdict on a case.

    `stage` says how far the visit has come: rules that start later touch nothing yet. `engine` is `checked`
    (durable_rules infers and the compiled function must agree, finding by finding), `compiled` or `durable`.
    Where durable_rules cannot be had, `checked` runs compiled alone and the verdict's `engine` says so.
    `as_of` is the date recorded where the visit's own is unknown: a date or its ISO 8601 text.

    Raises FactError for an `as_of` that is no date, EngineDisagreement where the engines differ, EngineUnavailable
    where `durable` is asked for and cannot be had, ValueError for a stage or an engine there is not, TypeError for
    what is no Case.
    """
    if not isinstance(case, Case):
        raise TypeError(f"evaluate takes a Case and got {describe(case)}; case_from_dict makes one from a mapping")
    if engine == "checked" and not durable.available():
        engine = "compiled"
    otherwise = None if as_of is None else _date(as_of)
    outcome = _decider(ruleset, stage, engine)(case)
    return reach(ruleset, case, outcome, stage=stage, engine=engine, as_of=case.visit.date or otherwise)


def _date(as_of: object) -> dt.date:
    try:
        return Date().parse(as_of)
    except Unfit as unfit:
        raise FactError([problem_with("as_of", Date(), unfit)]) from None


def _decider(ruleset: Ruleset, stage: str, engine: str) -> Decide:
    decide: Decide | None = ruleset.deciders.get((stage, engine))
    if decide is None:
        _known("stage", stage, STAGES)
        _known("engine", engine, ENGINES)
        decide = ruleset.deciders[stage, engine] = _build(ruleset, cast(Stage, stage), engine)
    return decide


def _known(what: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ValueError(f"there is no {what} {word!r}: {did_you_mean(str(word), words) or one_of(words)}")


def _build(ruleset: Ruleset, stage: Stage, engine: str) -> Decide:
    if engine == "compiled":
        return compiled.compile_ruleset(ruleset, stage)
    if engine == "durable":
        try:
            return durable.compile_ruleset(ruleset, stage)
        except durable.NetworkUnavailable as error:
            raise EngineUnavailable(str(error)) from None
    return _checked(ruleset, _decider(ruleset, stage, "compiled"), _decider(ruleset, stage, "durable"))


def _checked(ruleset: Ruleset, by_function: Decide, by_inference: Decide) -> Decide:
    def decide(case: Case) -> Outcome:
        outcome = by_inference(case)
        check = by_function(case)
        if outcome != check:
            raise EngineDisagreement(_difference(ruleset, outcome, check))
        return outcome

    return decide


def _difference(ruleset: Ruleset, inferred: Outcome, computed: Outcome) -> str:
    said = [
        f"{rule.id}: durable says {one}, compiled says {other}"
        for rule, one, other in zip(ruleset.rules, inferred.statuses, computed.statuses, strict=True)
        if one != other
    ] or [
        f"{ruleset.rules[place].id}: the engines allow different units"
        for place, one, other in zip(ruleset.caps, inferred.allowed, computed.allowed, strict=True)
        if one != other
    ]
    return (
        f"the engines disagree on {ruleset.id} {ruleset.version} ({ruleset.digest}), so there is no verdict: "
        f"{'; '.join(said)}. This is a defect of covrules: please report it with this message."
    )


# --- loading ----------------------------------------------------------------------------------------------------


def rules_folder() -> Path:
    """Return the folder of the shipped rulesets."""
    packaged = Path(__file__).parent / "rules"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "rules"


def shipped() -> dict[str, Path]:
    """Return the file of every shipped ruleset by its id, which is the file's name."""
    return {path.stem: path for path in sorted(rules_folder().rglob("*.yaml"))}


def load(ruleset: str | os.PathLike[str]) -> Ruleset:
    """Return the ruleset of a shipped id or of a file.

    A text with a slash or ending in `.yaml` is a path, as is any path object; else it is an id. Raises
    RulesetError listing everything wrong with the file, each with its place.

    >>> load("medical-massage").rule("in-network").layer
    'plan'
    """
    if isinstance(ruleset, str) and not ("/" in ruleset or os.sep in ruleset or ruleset.endswith(".yaml")):
        files = shipped()
        if ruleset not in files:
            hint = did_you_mean(ruleset, files) or f"shipped are {', '.join(files)}."
            message = f"there is no shipped ruleset {ruleset[:60]!r}"
            raise RulesetError([Problem(message=message, hint=f"{hint} A path has a slash or ends in .yaml.")])
        path = files[ruleset]
        return _read(read_file(path), f"rules/{path.relative_to(rules_folder()).as_posix()}")
    return _read(read_file(ruleset), os.fsdecode(ruleset))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes, never more than can be used; raises RulesetError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "it cannot be read"
        raise RulesetError(
            [Problem(file=os.fsdecode(path), message=what, expected="a file that can be read")]
        ) from None


@lru_cache(maxsize=64)
def _read(data: bytes, file: str) -> Ruleset:
    return read_ruleset(data, file)

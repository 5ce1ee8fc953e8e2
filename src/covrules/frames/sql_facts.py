"""The facts of rows in SQL: columns checked and read, what the ruleset fixes, and what cannot be used."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from covrules.declaring import Fact, problem_with
from covrules.errors import FactError, Problem
from covrules.frames.columns import Holds
from covrules.frames.sql import Dialect, bits_of, has_bits, literal, null_of, words_of
from covrules.kinds import ANY, MAX_COUNT, UNLIMITED, Code, Count, Date, Enum, Kind, SetOf, Unfit
from covrules.meeting import contradiction, in_force
from covrules.rulesets import Ruleset

Wrong = tuple[Problem, str]
"""What is wrong with a row, and the expression that is true where it is."""

_END: Final = "DATE '9999-12-31'"
_NO_DATE: Final = "CAST(NULL AS DATE)"
_START: Final = "DATE '0001-01-01'"
_ISO: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


@attrs.frozen
class Given:
    """A column read as a fact: the expression for its values, and what cannot be used of it."""

    value: str
    wrong: tuple[Wrong, ...]


def coded(d: Dialect, fact: Fact, column: str, holds: Holds) -> str | None:
    """Return the bits of the words in a column of lists, if it is of a kind that has such."""
    words = words_of(fact.kind)
    return d.bits(d.as_texts(column), words) if words and holds != "nothing" else None


def given(d: Dialect, fact: Fact, column: str, holds: Holds, bits: str) -> Given:
    """Return how a column that holds this is read as a fact; what cannot be used is no value.

    `bits` is what `coded` returns, or the name it has since.
    """
    if holds == "nothing":
        value = null_of(d, fact.kind)
        return Given(value, ())
    read = _bits(d, fact.kind, column, bits) if words_of(fact.kind) else None
    value, wrong = read or _READERS[fact.kind.family](d, fact.kind, column, holds)
    return Given(value, tuple((_problem(fact, sample), where) for where, sample in wrong))


def _problem(fact: Fact, sample: Any) -> Problem:
    """Return the problem of values like a sample."""
    try:
        fact.kind.parse(sample)
    except Unfit as unfit:
        return problem_with(fact.path, fact.kind, unfit)
    raise AssertionError(f"{fact.path} takes {sample!r}")


Read = tuple[str, list[tuple[str, Any]]]
"""An expression, and where it has no value that can be used, with a value like those found there."""


def _flags(d: Dialect, kind: Kind, column: str, holds: Holds) -> Read:
    return column, []


def _numbers(d: Dialect, kind: Kind, column: str, holds: Holds) -> Read:
    wrong: list[tuple[str, Any]] = []
    if holds == "decimal":
        column = f"CASE WHEN NOT isnan(CAST({column} AS DOUBLE)) THEN CAST({column} AS DOUBLE) END"
        wrong.append((f"{column} <> floor({column})", 0.5))
    most = int(UNLIMITED) if isinstance(kind, Count) and kind.unlimited else MAX_COUNT
    wrong.append((f"{column} > {most}", MAX_COUNT + 2))
    if isinstance(kind, Count):
        wrong.append((f"{column} < 0", -1))
        wrong += [(f"{column} >= 0 AND {column} < {kind.least}", kind.least - 1)] if kind.least else []
    else:
        wrong.append((f"{column} < {-MAX_COUNT}", MAX_COUNT + 2))
    return (f"TRY_CAST({column} AS BIGINT)" if holds == "decimal" else column), wrong


def _dates(d: Dialect, kind: Kind, column: str, holds: Holds) -> Read:
    assert isinstance(kind, Date)
    wrong: list[tuple[str, Any]] = []
    if holds == "text":
        word = f"WHEN {column} = '{kind.word}' THEN {_END} " if kind.word else ""
        value = f"CASE {word}WHEN {d.matches(column, _ISO)} THEN {d.day_of(column)} END"
        wrong.append((f"{column} IS NOT NULL AND {value} IS NULL", "no date"))
    elif holds == "moment":
        value = f"CAST({column} AS DATE)"
        wrong.append((f"{column} <> CAST({value} AS TIMESTAMP)", dt.datetime(2026, 1, 1, 12)))
    else:
        value = column
    if kind.word is None:
        wrong.append((f"{value} = {_END}", dt.date.max))
    wrong.append((f"{value} < {_START} OR {value} > {_END}", "0000-00-00"))
    return value, wrong


def _words(d: Dialect, kind: Kind, column: str, holds: Holds) -> Read:
    text = d.as_text(column)
    return text, [(where, "") for where in [_misfit(d, kind, text)] if where is not None]


def _misfit(d: Dialect, kind: Kind, text: str) -> str | None:
    """Return where a text is none that a kind takes; None where it takes all."""
    if isinstance(kind, Enum):
        return f"{text} NOT IN ({d.texts(kind.values)})"
    if isinstance(kind, Code):
        none = f" AND {text} <> 'none'" if kind.none else ""
        return f"NOT {d.matches(text, kind.pattern)}{none}"
    return None


def _sets(d: Dialect, kind: Kind, column: str, holds: Holds) -> Read:
    assert isinstance(kind, SetOf)
    lists = d.as_texts(column)
    wrong: list[tuple[str, Any]] = [(d.has_null(lists), [None])]
    if _misfit(d, kind.of, "e"):
        free = f"NOT ({d.size(lists)} = 1 AND {d.has(lists, d.text('any'))}) AND " if kind.any else ""
        wrong.append((free + d.some(lists, lambda each: str(_misfit(d, kind.of, each))), [""]))
    return lists, wrong


def _bits(d: Dialect, kind: Kind, column: str, bits: str) -> Read:
    assert isinstance(kind, SetOf)
    lists = d.as_texts(column)
    odd, nulls = has_bits(bits, 1), d.has_null(lists)
    wrong: list[tuple[str, Any]] = [(f"{odd} AND {nulls}", [None]), (f"{odd} AND NOT {nulls}", [""])]
    if kind.any:
        wrong.append((f"{has_bits(bits, bits_of(words_of(kind), ['any']))} AND {d.size(lists)} > 1", [""]))
    return bits, wrong


_READERS: Final = {
    "bool": _flags, "number": _numbers, "date": _dates, "enum": _words, "code": _words, "text": _words, "set": _sets,
}  # fmt: skip


# --- what the ruleset fixes -------------------------------------------------------------------------------------


def day_of(d: Dialect, facts: Mapping[str, str], as_of: dt.date | None) -> str:
    """Return the expression for the day on which a row is evaluated."""
    day = facts.get("visit.date") or _NO_DATE
    return day if as_of is None else f"coalesce({day}, DATE '{as_of}')"


def out_of_force(d: Dialect, ruleset: Ruleset, facts: Mapping[str, str], as_of: dt.date | None) -> Iterator[Wrong]:
    """Yield where a ruleset is not in force on the day, or needs one and has none."""
    day, given_day = day_of(d, facts, as_of), facts.get("visit.date") or _NO_DATE
    ends = [f"{day} < DATE '{ruleset.effective.since}'"] if ruleset.effective.since else []
    ends += [f"{day} >= DATE '{ruleset.effective.until}'"] if ruleset.effective.until else []
    before = [ruleset.effective.since and ruleset.effective.since - dt.timedelta(1), ruleset.effective.until]
    outside = next(filter(None, before), None)
    cases: list[tuple[str, dt.date | None, str]] = [(f"{day} IS NULL", None, "visit.date")]
    for end in ends:
        cases += [
            (f"({end}) AND {given_day} IS NULL", outside, "as_of"),
            (f"({end}) AND {given_day} IS NOT NULL", outside, "visit.date"),
        ]
    for where, sample, path in cases:
        try:
            in_force(ruleset, sample, path)
        except FactError as error:
            yield error.problems[0], where


def fixed(d: Dialect, ruleset: Ruleset, fact: Fact, day: str) -> str:
    """Return what is fixed of a fact on a day."""
    editions = [(turn, ruleset.fixed_on(turn).get(fact.path)) for turn in (None, *ruleset.turns)]
    (_, first), *others = editions
    said = " ".join(f"WHEN {day} >= DATE '{turn}' THEN {_fixed(d, fact, value)}" for turn, value in reversed(others))
    return f"CASE {said} ELSE {_fixed(d, fact, first)} END" if said else _fixed(d, fact, first)


def _fixed(d: Dialect, fact: Fact, value: Any) -> str:
    if value is None:
        return null_of(d, fact.kind)
    if not isinstance(fact.kind, SetOf):
        return literal(d, value)
    has = ["any"] if value is ANY else sorted(value)
    words = words_of(fact.kind)
    return str(bits_of(words, has)) if words else d.list_of(has)


def contradictions(d: Dialect, ruleset: Ruleset, fact: Fact, value: str, day: str) -> Iterator[Wrong]:
    """Yield where a row has another value than the one that is fixed on its day."""
    turns: Sequence[dt.date | None] = (None, *ruleset.turns)
    for turn, until in zip(turns, (*ruleset.turns, None), strict=True):
        ours = ruleset.fixed_on(turn).get(fact.path)
        if ours is None:
            continue
        said = _fixed(d, fact, ours)
        differs = (
            f"NOT {d.alike(value, said)}"
            if fact.kind.family == "set" and not words_of(fact.kind)
            else f"{value} <> {said}"
        )
        # A day that is unknown lies before all that turn.
        on = [f"{day} >= DATE '{turn}'"] if turn else []
        on += [f"({day} < DATE '{until}' OR {day} IS NULL)" if not turn else f"{day} < DATE '{until}'"] if until else []
        yield contradiction(ruleset, fact.path, ours), " AND ".join([f"({differs})", *on])

"""The errors users meet: each lists every problem found, where it is, what was expected and what to do."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import attrs

__all__ = [
    "MAX_PROBLEMS",
    "CovrulesError",
    "EngineDisagreement",
    "EngineUnavailable",
    "FactError",
    "Problem",
    "RulesetError",
]

MAX_PROBLEMS: Final = 100
"""How many problems of one file are looked for; whoever has made so many does not read on."""
_SHOWN = 50
_WINDOW = 100
_MAX_PATH = 1_000
_MAX_KNOWN = 500


@attrs.frozen(kw_only=True)
class Problem:
    """One thing wrong in what was read.

    `path` is the fact or key concerned; `line` and `column` count from 1; `source` is the line as written (only
    ever of a ruleset: the lines of a case belong to a patient). `message` says what was found, `expected` what
    could have been there, `hint` what to do; `file` is where it was read.
    """

    message: str
    path: str | None = None
    expected: str | None = None
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None

    def __str__(self) -> str:
        place = [printable(self.file, _MAX_PATH)] if self.file else []
        if self.line is not None:
            place += [str(self.line), str(self.column)]
        head = ":".join(place)
        subject = shown(f"{self.path}: {self.message}" if self.path else self.message)
        lines = [f"{head}: {subject}" if head else subject]
        if self.source and self.line is not None and self.column is not None:
            lines += _underlined(self.source, self.line, self.column)
        if self.expected:
            lines.append(f"    expected {shown(self.expected)}")
        if self.hint:
            lines.append(f"    {shown(self.hint)}")
        return "\n".join(lines)


class CovrulesError(ValueError):
    """What covrules could not use; `problems` lists all that was found wrong, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            shown.append(f"... and {len(self.problems) - _SHOWN} more problems")
        return "\n".join(shown)

    def __reduce__(self) -> tuple[type["CovrulesError"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class RulesetError(CovrulesError):
    """A ruleset that cannot be used; every problem in what a file says names file, line and column."""


class FactError(CovrulesError):
    """Facts that cannot be used; problems name the fact concerned, and none repeats a value of the case."""


class EngineDisagreement(RuntimeError):
    """The two engines reached different statuses or units, so there is no verdict. Names rules, no facts."""


class EngineUnavailable(RuntimeError):
    """An engine was asked for by name that cannot run here; says why and what to do."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word a misspelt one most likely means, if any is near.

    >>> nearest("plan.units_per_vist", ["plan.payer", "plan.units_per_visit"])
    'plan.units_per_visit'
    """
    names = {name.casefold(): name for name in islice(known, _MAX_KNOWN)}
    found = difflib.get_close_matches(word[:80].casefold(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return `did you mean X?` for the nearest known word, or None."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else None


def printable(text: str, limit: int = 60) -> str:
    """Return text from a stranger's file shortened, in one line and without control characters."""
    if len(text) <= limit and text.isprintable():
        return text
    spaced = (" " if ch.isspace() else ch for ch in text[: limit + 1])
    clean = "".join(ch if ch.isprintable() else "\N{REPLACEMENT CHARACTER}" for ch in spaced)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def shown(text: str) -> str:
    """Return text from a stranger's file whole, in one line and without what could steer a terminal."""
    return printable(text, len(text))


def one_of(words: Sequence[str]) -> str:
    """Return the words as a choice: `a`, `a or b`, `a, b or c`.

    >>> one_of(["in", "out"])
    'in or out'
    """
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _underlined(source: str, line: int, column: int) -> list[str]:
    start = max(0, column - 1 - _WINDOW // 2) if len(source) > _WINDOW else 0
    part = printable(source[start : start + _WINDOW], _WINDOW)
    if start:
        part = "…" + part[1:]
    if start + _WINDOW < len(source):
        part = part[:-1] + "…"
    gutter = f"    {line} | "
    return [gutter + part, " " * (len(gutter) - 2) + "| " + " " * _width(part[: column - 1 - start]) + "^"]


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for wide characters, none for combining ones."""
    return sum(0 if unicodedata.combining(ch) else 1 + (unicodedata.east_asian_width(ch) in "WF") for ch in text)

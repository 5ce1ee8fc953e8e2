"""Which answers to a question would decide at once, in words."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from covrules.declaring import Fact
from covrules.errors import one_of
from covrules.kinds import ANY, NO_CODE, OPEN, UNLIMITED, Bool, Code, Enum, Kind, SetOf
from covrules.questions import Deciding, Question
from covrules.verdicts import Coverage

COVERAGE: Final[Mapping[Coverage, str]] = {
    "covered": "Covered",
    "partial": "Partly covered",
    "not-covered": "Not covered",
    "undetermined": "Not decided yet",
}
"""What the insurer owes, in words."""


def coverage_word(coverage: Coverage) -> str:
    """Return what the insurer owes as it stands within a sentence."""
    return COVERAGE[coverage].lower()


def deciding_words(question: Question, fact: Fact) -> tuple[str, ...]:
    """Return in a sentence each which answers to a question would decide at once, and what.

    Of codes, texts and lists there are too many to be told, so only `none` and `any` are.
    """
    said = []
    for deciding in question.deciding:
        if len(deciding.answers) == len(deciding.among) and fact.kind.family not in ("set", "code", "text"):
            start = "Whatever the answer"
        else:
            answers = _answers(fact.kind, deciding)
            start = f"If {answers}" if answers else ""
        if start:
            said.append(f"{start}: {_outcome(deciding)}.")
    return tuple(said)


def _outcome(deciding: Deciding) -> str:
    if deciding.coverage is not None:
        return coverage_word(deciding.coverage)
    return "this clinic takes it" if deciding.accepted_here else "this clinic does not take it"


def _answers(kind: Kind, deciding: Deciding) -> str:
    """Return the answers as they stand after "if"; nothing where they cannot be told in a few words."""
    answers = deciding.answers
    match kind:
        case Bool():
            return _either([kind.words(answer) for answer in answers])
        case Enum():
            return _words(kind, answers)
        case SetOf():
            return _either([word for word, value in (("none", frozenset()), ("any", ANY)) if value in answers])
        case Code():
            others = {*deciding.among} - {NO_CODE}
            return _either(["none"] * (NO_CODE in answers) + ["any"] * (kind.none and others <= {*answers}))
        case _ if kind.ordered:
            return _ranges(kind, deciding)
    return ""


def _either(words: Sequence[str]) -> str:
    """Return the words as a choice, with a comma where one of them has an `or` of its own."""
    return ", or ".join(words) if any(" or " in word for word in words) else one_of(words) if words else ""


_FEW: Final = 3
"""How many words are read as easily as what they are not."""


def _words(kind: Enum, answers: Sequence[str]) -> str:
    others = [word for word in kind.values if word not in answers]
    if len(answers) > max(_FEW, len(others)) and others:
        return f"{'anybody' if kind.people else 'anything'} but {_either([kind.said(word) for word in others])}"
    return _either([kind.said(word) for word in kind.values if word in answers])


def _ranges(kind: Kind, deciding: Deciding) -> str:
    """Return the runs that the answers make among all that were tried, and beside them the word that ends the order."""
    tried = sorted(deciding.among)
    far = tried.pop() if tried[-1] in (UNLIMITED, OPEN) else None
    says = _Days(kind, tried) if kind.family == "date" else _Numbers(kind, tried)
    answers = {*deciding.answers}
    said, reached = [], False
    for decides, run in groupby(range(len(tried)), key=lambda place: tried[place] in answers):
        if decides:
            places = [*run]
            reached = places[-1] == len(tried) - 1
            said.append(says.run(places[0], places[-1]))
    if far is None:
        return _either(said)
    word = kind.words(far)
    if reached and far not in answers:
        said[-1] += f", but not {word}"
    elif far in answers and not (reached and kind.family == "number"):
        said.append(word)
    return _either(said)


class _Numbers:
    """Says runs among the numbers that were tried; what lies beyond the first and the last is as they are."""

    def __init__(self, kind: Kind, tried: Sequence[Any]) -> None:
        self.kind = kind
        self.tried = tried

    def run(self, first: int, last: int) -> str:
        """Return the run between two places in words."""
        if first == 0 and last == len(self.tried) - 1:
            return "any number" if self.kind.family == "number" else "any date"
        if first == 0:
            return self.up_to(last)
        if last == len(self.tried) - 1:
            return self.starting(first)
        return self.only(first) if first == last else f"from {self.word(first)} to {self.word(last)}"

    def word(self, place: int) -> str:
        return self.kind.words(self.tried[place])

    def only(self, place: int) -> str:
        return self.word(place)

    def up_to(self, place: int) -> str:
        lowest = self.tried[place] == self.kind.low
        return self.word(place) if lowest else f"{self.word(place)} or fewer"

    def starting(self, place: int) -> str:
        return f"{self.word(place)} or more"


class _Days(_Numbers):
    """Says runs among days; a day that was tried with both its neighbours is the one that rules or facts name."""

    def only(self, place: int) -> str:
        return f"on {self.word(place)}"

    def up_to(self, place: int) -> str:
        if self.named(place + 1) and not self.named(place):
            return f"before {self.word(place + 1)}"
        return f"on or before {self.word(place)}"

    def starting(self, place: int) -> str:
        if self.named(place - 1) and not self.named(place):
            return f"after {self.word(place - 1)}"
        return f"on or after {self.word(place)}"

    def named(self, place: int) -> bool:
        if not 0 < place < len(self.tried) - 1:
            return False
        before, day, after = (each.toordinal() for each in self.tried[place - 1 : place + 2])
        return bool(before + 1 == day == after - 1)

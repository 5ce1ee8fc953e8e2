"""What to ask, of whom, and in which order, until a verdict is determined."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import attrs

from covrules.answers import answers_of
from covrules.declaring import Who
from covrules.derived import derivation
from covrules.judging import Board, Judge, Standing, boards_of
from covrules.verdicts import Coverage, Verdict

__all__ = ["Deciding", "Question", "by_person", "questions_on"]

MOST_STEPS: Final = 500
"""After how many steps of the search for an answer that would matter a fact is asked for all the same."""


@attrs.frozen
class Deciding:
    """Answers after which nothing more need be asked of what the insurer owes, or of what the clinic does.

    `answers` are those of the answers `among` which it is so. `accepted_here` is None where they decide of coverage,
    `coverage` where they decide of acceptance.
    """

    answers: tuple[Any, ...]
    among: tuple[Any, ...] = attrs.field(repr=False)
    coverage: Coverage | None = None
    accepted_here: bool | None = None


@attrs.frozen
class Question:
    """A fact to ask for, of whom, and in which words.

    `rules` are the ids of the rules that are open for want of it; `deciding` the answers that would decide at once.
    """

    fact: str
    who: Who
    ask: str
    rules: tuple[str, ...] = ()
    deciding: tuple[Deciding, ...] = ()


def questions_on(verdict: Verdict) -> tuple[Question, ...]:
    """Return what to ask for a verdict, the most telling first.

    A fact is asked for if and only if, under some answers to some of the other unknown facts, the coverage or whether
    the clinic accepts the visit differs with and without its answer. The day of the visit is understood to be one for
    which the ruleset says the same as for the day the verdict is as of. Where such answers are not found, nor found not
    to be, in `MOST_STEPS` steps, the fact is asked for all the same.

    First come the facts of the open rule that wants the fewest answers still, so that what is begun is brought to an
    end; of these the one after whose answer the fewest questions are left, on average over the answers that the open
    rules tell apart, each of which counts as equally likely, and an answer that decides leaves none; of equals the one
    of whose answers more decide, and then the one that comes first in the ruleset.
    """
    return _Asking(verdict).questions()


def by_person(questions: Iterable[Question]) -> dict[Who, tuple[Question, ...]]:
    """Return questions by whom to ask, so that each is called once; whose first question tells the most comes first."""
    asked: dict[Who, list[Question]] = {}
    for question in questions:
        asked.setdefault(question.who, []).append(question)
    return {who: tuple(each) for who, each in asked.items()}


class _Asking:
    """The search for the facts that matter, and for the one that tells the most."""

    def __init__(self, verdict: Verdict) -> None:
        self.ruleset = verdict._ruleset
        self.answers = answers_of(self.ruleset)
        boards = boards_of(self.ruleset, verdict.stage)
        self.values = boards.given(verdict._case)
        self.now: dict[tuple[str, bool], tuple[Any, ...]] = {}
        self.day = verdict._as_of
        self.open: dict[Board, dict[Judge, tuple[str, ...]]] = {}
        if verdict.coverage == "undetermined":
            self.open[boards.insurer] = {}
        if verdict.accepted_here is None:
            self.open[boards.clinic] = {}
        for board, judges in self.open.items():
            standing = ((judge, judge.standing(self.values)) for judge in board.judges)
            judges |= {judge: judge.missing(self.values) for judge, stands in standing if stands == "open"}

    def questions(self) -> tuple[Question, ...]:
        missed = dict.fromkeys(path for judges in self.open.values() for missing in judges.values() for path in missing)
        asked = [path for path in missed if any(self.matters(path, board) for board in self.open)]
        self.bits = {path: 1 << place for place, path in enumerate(asked)}
        self.masks = {judge: self.mask(paths) for judges in self.open.values() for judge, paths in judges.items()}
        effects = {path: self.effects_of(path) for path in asked}
        left = {path: self.left_after(path, effects[path]) for path in asked}
        return tuple(self.question(path, effects[path]) for path in sorted(asked, key=left.__getitem__))

    def question(self, path: str, effects: "Effects") -> Question:
        fact = self.ruleset.vocabulary[path]
        judges = [judge for judges in self.open.values() for judge, missing in judges.items() if path in missing]
        return Question(
            fact.path, fact.who, fact.ask, tuple(judge.rule.id for judge in judges), tuple(self.deciding(effects))
        )

    def answers_to(self, path: str, values: Mapping[str, Any], *, alone: bool = False) -> Iterable[Any]:
        alone = alone and self.answers.is_chained(path)
        if values is not self.values:
            found = self.answers.to(path, values, alone=alone)
        elif (path, alone) in self.now:
            found = self.now[path, alone]
        else:
            found = self.now[path, alone] = self.answers.to(path, values, alone=alone)
        if path != "visit.date" or not self.ruleset.dated:
            return found
        return [day for day in dict.fromkeys((*found, *self.days)) if self.alike(day)]

    @cached_property
    def days(self) -> tuple[dt.date, ...]:
        """Days for which the ruleset says the same: that of the verdict, the first and the last."""
        assert self.day is not None
        ends = (self.ruleset.effective.since, self.ruleset.effective.until)
        near = [self.day, *self.ruleset.turns, *[day for day in ends if day is not None]]
        days = {day - dt.timedelta(days=before) for day in near for before in (0, 1) if day > dt.date.min}
        return tuple(sorted(day for day in days if self.alike(day)))

    def alike(self, day: dt.date) -> bool:
        """Return whether the ruleset says the same for a day as for that of the verdict."""
        return self.ruleset.effective.holds(day) and self.ruleset.edition(day) == self.ruleset.edition(self.day)

    # --- whether a fact matters -----------------------------------------------------------------------------

    def matters(self, path: str, board: Board) -> bool:
        """Return whether under some answers to the others an answer decides what a board has to decide."""
        try:
            return self.witness(path, board) is not None
        except _Unfinished:
            return True

    def witness(self, path: str, board: Board) -> "Witness | None":
        """Return answers to other facts, and one to this, with which the board has decided, and without which not."""
        missing_it = [judge for judge, missing in self.open[board].items() if path in missing]
        judges = sorted(missing_it, key=lambda judge: len(self.open[board][judge]))
        for judge in judges:
            found = _Failing(self, board, judge, path).witness(self.values)
            if found is not None:
                return found
        for judge in judges:
            found = _Settling(self, board, judge, path).witness()
            if found is not None:
                return found
        return None

    # --- how much a fact tells ------------------------------------------------------------------------------

    def effects_of(self, path: str) -> "Effects":
        """Return, for each answer to a fact, what it makes of the open rules that read the fact."""
        readers = [judge for judges in self.open.values() for judge in judges if path in judge.reads]
        effects: Effects = {}
        for answer in self.answers_to(path, self.values, alone=True):
            values = self.values | {path: answer}
            made = []
            for judge in readers:
                stands = judge.standing(values)
                made.append((judge, stands, self.mask(judge.missing(values)) if stands == "open" else 0))
            effects[answer] = tuple(made)
        return effects

    def mask(self, paths: Iterable[str]) -> int:
        """Return facts that are asked for as the bits of a number."""
        mask = 0
        for path in paths:
            mask |= self.bits.get(path, 0)
        return mask

    def left_after(self, path: str, effects: "Effects") -> tuple[int, float, float]:
        """Return the fewest answers wanted by a rule that wants this one, and how many questions are left on average.

        Last comes, as what is least comes first, the share of the answers that decide nothing.
        """
        untouched = {}
        for board, judges in self.open.items():
            untouched[board] = 0
            for judge in judges:
                if path not in judge.reads:
                    untouched[board] |= self.masks[judge]
        times = Counter(effects.values())
        left = sum(self.left(effect, untouched) for effect in times) / len(times)
        undecided = sum(many for effect, many in times.items() if not self.decides(effect)) / len(effects)
        return self.fewest_wanted[path], left, undecided

    @cached_property
    def fewest_wanted(self) -> dict[str, int]:
        """How many answers are wanted still by the open rule that wants the fewest, of those that want a fact."""
        fewest: dict[str, int] = {}
        for judges in self.open.values():
            for judge, missing in judges.items():
                wanted = self.masks[judge].bit_count()
                for path in missing:
                    fewest[path] = min(wanted, fewest.get(path, wanted))
        return fewest

    def left(self, effect: "Effect", untouched: Mapping[Board, int]) -> int:
        left = 0
        for board, mask in untouched.items():
            of_board = [(stands, missing) for judge, stands, missing in effect if judge in self.open[board]]
            if all(stands != "failed" for stands, _ in of_board):
                left |= mask
                for _, missing in of_board:
                    left |= missing
        return left.bit_count()

    def decides(self, effect: "Effect") -> bool:
        """Return whether an answer decides of coverage, or of acceptance."""
        return any(self.outcome(board, effect) is not None for board in self.open)

    def deciding(self, effects: "Effects") -> Iterator[Deciding]:
        """Yield the answers that decide of coverage, or of acceptance, at once."""
        among = tuple(effects)
        for board in self.open:
            outcomes: dict[Any, list[Any]] = {}
            for answer, effect in effects.items():
                outcomes.setdefault(self.outcome(board, effect), []).append(answer)
            outcomes.pop(None, None)
            for outcome, answers in outcomes.items():
                if board.of_the_clinic:
                    yield Deciding(tuple(answers), among, accepted_here=outcome)
                else:
                    yield Deciding(tuple(answers), among, coverage=outcome)

    def outcome(self, board: Board, effect: "Effect") -> Coverage | bool | None:
        """Return what an answer decides of a board, None where that stays open."""
        open_ = self.open[board]
        standings = [stands for judge, stands, _ in effect if judge in open_]
        if "failed" not in standings and ("open" in standings or len(standings) < len(open_)):
            return None
        if board.of_the_clinic:
            return "failed" not in standings
        if "failed" in standings:
            return "not-covered"
        capped = "capped" in standings or any(judge.standing(self.values) == "capped" for judge in board.judges)
        return "partial" if capped else "covered"


Effect = tuple[tuple[Judge, Standing, int], ...]
"""What an answer makes of open rules: how each then stands, and what it still misses, as bits."""
Effects = dict[Any, Effect]


Witness = tuple[dict[str, Any], Any]
"""What is known of other facts, and an answer to one, that show that it matters."""


class _Unfinished(Exception):
    """The search has taken too many steps to be finished."""


class _Search:
    """The search for answers to other facts under which an answer to one decides of a rule, and with it of a board."""

    def __init__(self, asking: _Asking, board: Board, judge: Judge, path: str) -> None:
        self.asking = asking
        self.board = board
        self.judge = judge
        self.path = path
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise _Unfinished

    def failing(self, path: str, values: Mapping[str, Any]) -> Judge | None:
        """Return the first rule that reads a fact and fails."""
        return next((judge for judge in self.board.readers[path] if judge.standing(values) == "failed"), None)


class _Failing(_Search):
    """Where the rule fails with the answer, the board has decided: nothing failed without it."""

    def witness(self, values: dict[str, Any], passed: frozenset[str] = frozenset()) -> Witness | None:
        """Return the first such answers beside what is known, where no answer is given to what is passed over."""
        missing = self.judge.missing(values)
        if self.path not in missing:
            return None
        for answer in self.asking.answers_to(self.path, values):
            if self.judge.standing(values | {self.path: answer}) == "failed":
                return values, answer
        others = [path for path in missing if path != self.path and path not in passed]
        if not others or self.is_mute(values, passed):
            return None
        self.step()
        other = next((path for path in others if path in self.companions), others[0])
        for answer in self.asking.answers_to(other, values):
            tried = values | {other: answer}
            found = None if self.failing(other, tried) else self.witness(tried, passed)
            if found is not None:
                return found
        return self.witness(values, passed | {other})

    @cached_property
    def companions(self) -> frozenset[str]:
        """The facts from which, together with this one, something follows that the rule reads."""
        return frozenset(
            path for fact in self.judge.derived for path in fact.derived_from if self.path in fact.derived_from
        )

    def is_mute(self, values: Mapping[str, Any], passed: frozenset[str]) -> bool:
        """Return whether the fact says nothing by itself, and nothing follows from it without what is passed over."""
        if passed.isdisjoint(self.companions) or self.path in self.judge.tested:
            return False
        for fact in self.judge.derived:
            if self.path in fact.derived_from and values.get(fact.path) is None:
                known = [values.get(path) for path in fact.derived_from]
                place = fact.derived_from.index(self.path)
                if any(path not in values and path not in passed for path in fact.derived_from if path != self.path):
                    return False
                for answer in self.asking.answers_to(self.path, values):
                    known[place] = answer
                    if derivation(fact)(*known) is not None:
                        return False
        return True


class _Settling(_Search):
    """Where all rules are settled with the answer and none fails, but this one is open without it, it has decided."""

    @cached_property
    def nearest(self) -> list[Judge]:
        """The open rules: this one, then those that miss what it misses, and so on, so that conflicts show soon."""
        open_ = self.asking.open[self.board]
        near, reached = [self.judge], set(open_[self.judge])
        others = [judge for judge in open_ if judge is not self.judge]
        while others:
            beside = [judge for judge in others if not reached.isdisjoint(open_[judge])] or others
            near += beside
            reached.update(path for judge in beside for path in open_[judge])
            others = [judge for judge in others if judge not in beside]
        return near

    def witness(self) -> Witness | None:
        """Return the first such answers beside what is known."""
        for answer in self.asking.answers_to(self.path, self.asking.values):
            values = self.asking.values | {self.path: answer}
            if self.failing(self.path, values) is None:
                found, blamed = self.settled(values, frozenset(), 0)
                if found is not None:
                    return {path: value for path, value in found.items() if path != self.path}, answer
                if self.path not in blamed:
                    break
        return None

    def settled(self, values: dict[str, Any], passed: frozenset[str], place: int) -> "_Settled":
        """Return what is known once the nearest rules from a place on are settled, the others being so already.

        Where they cannot be, return the facts of which some would have to be otherwise.
        """
        without = {path: value for path, value in values.items() if path != self.path}
        if self.judge.standing(without) != "open":
            return None, self.judge.reads
        while place < len(self.nearest) and self.nearest[place].standing(values) != "open":
            place += 1
        if place == len(self.nearest):
            return values, frozenset()
        judge = self.nearest[place]
        others = [path for path in judge.missing(values) if path not in passed]
        return self.branched(others[0], values, passed, place) if others else (None, judge.reads)

    def branched(self, other: str, values: dict[str, Any], passed: frozenset[str], place: int) -> "_Settled":
        """Return the same where an answer is given to another fact, or none."""
        self.step()
        all_blamed: frozenset[str] = frozenset()
        for answer in (*self.asking.answers_to(other, values), None):
            tried = values if answer is None else values | {other: answer}
            failing = None if answer is None else self.failing(other, tried)
            if failing is not None:
                all_blamed |= failing.reads
                continue
            found, blamed = self.settled(tried, passed | {other} if answer is None else passed, place)
            if found is not None or other not in blamed:
                return found, blamed
            all_blamed |= blamed
        return None, all_blamed


_Settled = tuple[dict[str, Any] | None, frozenset[str]]

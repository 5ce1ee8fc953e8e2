"""An intake on a terminal: it asks, takes what is typed, says how the verdict stands, and explains it in the end."""

import os
from collections.abc import Iterator
from typing import Final

import attrs
import click

from covrules.deciding_words import deciding_words
from covrules.declaring import Fact
from covrules.errors import CovrulesError, FactError, Problem
from covrules.intake.asking import Intake
from covrules.kinds import Enum, SetOf, Unfit
from covrules.outlines import headline
from covrules.questions import Question
from covrules.terminal import say, type_in, wrong
from covrules.typed import read_answer

_HELP: Final = (
    "Enter alone or ? says that nobody knows, back takes the last answer back, save FILE keeps the answers in a file, "
    "stop ends."
)
_UNKNOWN: Final = ("", "?", "don't know", "don’t know", "dont know")
_GO_BACK: Final = "go back"
_NO_DAY: Final = (
    "these rules depend on the day of the visit, and nothing can be said without it (--as-of stands for it)"
)


def converse(intake: Intake, save: str | os.PathLike[str] | None = None) -> Intake:
    """Ask until nothing is left or it is told to stop, explain the verdict, and return the intake as it is then.

    With `save`, every answer is saved there at once. Raises RulesetError where that file cannot be written from the
    start, FactError where what is typed is no text.
    """
    if save is not None:
        intake = intake.save(save)
    say([_HELP, *([] if save is None else [f"Every answer is saved at once in {os.fsdecode(save)}."])])
    try:
        while (after := _next(intake, save)) is not None:
            intake = after
    except (click.Abort, KeyboardInterrupt):
        click.echo()
        say([*_left_at(intake), *_kept_where(intake, save)])
        return intake
    _conclude(intake)
    say(_kept_where(intake, save))
    return intake


def _next(intake: Intake, save: str | os.PathLike[str] | None) -> Intake | None:
    """Return the intake after something was typed; None where it has come to its end."""
    question = intake.question
    if question is None and not intake.past:
        say(["", "Nothing is to be asked."])
        return None
    say(["", *(_end(intake) if question is None else _asking(intake, question))])
    while not _is(intake, text := type_in(), "stop"):
        if question is None and not (_goes_back(intake, text) or _saves(intake, text)):
            return None
        try:
            after = _done(intake, text)
        except CovrulesError as error:
            say(_wrong(intake, error, text))
            continue
        if len(after.past) != len(intake.past):
            say([_standing(after)])
            return _kept(after, save)
        if after is not intake:
            return after
    return None


def _is(intake: Intake, text: str, word: str) -> bool:
    """Return whether a word was typed, and not as the answer that it is to some questions."""
    return text.casefold() == word and not _is_answer(intake, word)


def _is_answer(intake: Intake, word: str) -> bool:
    kind = intake.fact.kind if intake.question is not None else None
    words = kind.of if isinstance(kind, SetOf) else kind
    return isinstance(words, Enum) and word in words.values


def _goes_back(intake: Intake, text: str) -> bool:
    return text.casefold() == _GO_BACK or _is(intake, text, "back")


def _saves(intake: Intake, text: str) -> bool:
    return text.casefold().startswith("save ") or _is(intake, text, "save")


def _done(intake: Intake, text: str) -> Intake:
    """Return the intake after what was typed was done, or the same where nothing was; raises CovrulesError."""
    if text.casefold() in _UNKNOWN:
        return intake.dont_know()
    if _goes_back(intake, text):
        if not intake.past:
            say(["  There is no answer to take back."])
        return intake.back()
    if not _saves(intake, text):
        return intake.answer(text)
    name = text[len("save") :].strip()
    if not name:
        say(["  After save comes the name of a file."])
        return intake
    saved = intake.save(name)
    say([f"  Saved in {name}."])
    return saved


def _kept(intake: Intake, save: str | os.PathLike[str] | None) -> Intake:
    """Return the intake once it is saved; where that fails it goes on all the same, to be saved elsewhere."""
    try:
        return intake if save is None else intake.save(save)
    except CovrulesError as error:
        say(["  This answer is not saved:", *wrong(error)])
        return intake


# --- what is said -----------------------------------------------------------------------------------------------


def _asking(intake: Intake, question: Question) -> Iterator[str]:
    number, all_ = intake.progress
    yield f"Question {number} of about {all_} (the {question.who} can answer)"
    yield question.ask
    yield f"  {intake.expected}"
    if _is_answer(intake, "back"):
        yield f"  here back is an answer: {_GO_BACK} takes the last one back"
    yield from (f"  {sentence}" for sentence in deciding_words(question, intake.fact))


def _end(intake: Intake) -> Iterator[str]:
    left = len(intake.left_open)
    last = f"That was the last question; {left} {'is' if left == 1 else 'are'} left open."
    yield last if left else "No more need be asked."
    yield "Enter ends, back takes the last answer back, save FILE keeps the answers in a file."


def _wrong(intake: Intake, error: CovrulesError, text: str) -> Iterator[str]:
    """Yield what is wrong with what was typed; whoever typed it may be told which word is near."""

    def told(problem: Problem) -> Problem:
        fact = intake.ruleset.vocabulary.get(problem.path or "")
        if fact is None:
            return problem
        if intake.question is None or fact.path != intake.question.fact:
            return attrs.evolve(problem, message=f"{fact.label}: {problem.message}")
        return attrs.evolve(problem, hint=_hint(fact, text) or problem.hint)

    return wrong(FactError(map(told, error.problems)))


def _hint(fact: Fact, text: str) -> str | None:
    try:
        read_answer(fact.kind, text)
    except Unfit as unfit:
        return unfit.hint
    return None


def _standing(intake: Intake) -> str:
    """Return in one line how the verdict stands."""
    verdict = intake.verdict
    if verdict is None:
        return f"So far: {_NO_DAY}."
    head = headline(verdict).removesuffix(".")
    said = [head[:1].lower() + head[1:]]
    if verdict.accepted_here is None:
        said.append("whether this clinic takes it is not known")
    elif not verdict.accepted_here and "clinic" not in head:
        said.append("this clinic does not take it")
    left = len(intake.questions)
    if left:
        said.append(f"{left} {'question' if left == 1 else 'questions'} may be left")
    return f"So far: {'; '.join(said)}."


def _left_at(intake: Intake) -> Iterator[str]:
    yield _standing(intake) if intake.past else "Nothing was answered."


def _kept_where(intake: Intake, save: str | os.PathLike[str] | None) -> list[str]:
    """Return where the answers are, or that they are nowhere."""
    if not intake.past:
        return []
    if save is not None:
        return ["", f"The answers are in {os.fsdecode(save)}: an intake of that case goes on with them."]
    return [] if intake.on_disk is not None else ["", "The answers were not saved: --save FILE saves each at once."]


def _conclude(intake: Intake) -> None:
    verdict = intake.verdict
    if verdict is None:
        say(["", f"{_NO_DAY[:1].upper()}{_NO_DAY[1:]}."])
        return
    click.echo()
    click.echo(verdict.explain())
    click.echo()
    click.echo(verdict.checklist())

"""A plan interview on a terminal: it asks, takes what is typed, saves it at once, and sums up in the end."""

from collections.abc import Iterator
from typing import Final

import click

from covrules.declaring import PEOPLE
from covrules.errors import FactError, RulesetError
from covrules.facts import FACTS
from covrules.interview.asking import Interview, Question, Unconfirmed
from covrules.terminal import say, type_in, wrong
from covrules.typed import typed

_HELP: Final = (
    "Every answer is saved at once. Enter alone leaves a question as it is, ? says that it is not known, back asks the "
    "one before again, stop ends."
)


def converse(interview: Interview) -> Interview:
    """Ask until no more need be asked, or until it is told to stop, and return the interview that was saved last.

    Raises RulesetError where the file cannot be written, FactError where what is typed is no text.
    """
    say([_HELP])
    if interview.stale:
        say(["", f"Said more than {interview.verify_after} days ago, and asked again where it still matters:"])
        say(_stale(interview))
    try:
        while (after := _next(interview)) is not None:
            interview = after
        return interview.save() if interview.on_disk is not None else interview
    except (click.Abort, KeyboardInterrupt):
        click.echo()
        return interview


def _next(interview: Interview) -> Interview | None:
    """Return the interview after one answer; None where it has come to its end."""
    question = interview.next_question
    if question is None:
        if not interview.asked:
            say(["", "Nothing is to be asked."])
            return None
        left = len(interview.open)
        last = f"That was the last question; {left} {'is' if left == 1 else 'are'} left open."
        say(["", last if left else "No more need be asked.", *_coverage(interview)])
        say(["Enter ends, back asks the last question again."])
        return interview.back() if type_in().casefold() == "back" else None
    number, all_ = interview.progress
    say(["", f"Question {number} of about {all_}", *_asking(question)])
    while (text := type_in()).casefold() != "stop":
        if text.casefold() == "back":
            return interview.back()
        try:
            after = _answered(interview, text)
        except (FactError, RulesetError) as error:
            say(wrong(error))
        else:
            return after.save()
    return None


def _answered(interview: Interview, text: str) -> Interview:
    try:
        return interview.answer(text)
    except Unconfirmed as doubt:
        say(wrong(doubt))
        say(["  Keep it all the same? yes or no"])
        return interview.answer(text, sure=True) if type_in().casefold() in ("yes", "y") else interview


def _asking(question: Question) -> Iterator[str]:
    yield question.ask
    yield f"  {question.expected}"
    if question.said_on is not None:
        yield f"  said on {question.said_on}: {question.known}"
        yield "  same if it was said again, Enter if it was not asked, ? if it is not known any more"
    elif question.known is not None:
        yield f"  Enter for: {question.known}"


def _stale(interview: Interview) -> Iterator[str]:
    facts = interview.facts
    for path in interview.stale:
        fact, said = FACTS[path], facts[path]
        yield f"  {fact.label}: {typed(fact.kind, said.value)} (said on {said.on})"


def summary(interview: Interview) -> Iterator[str]:
    """Yield what there is in the end, by line: the file, what is known, open and old, and what the plan says now."""
    if interview.on_disk is None:
        yield "Nothing was answered, and nothing is written."
        return
    many = len(interview.said)
    yield f"{interview.path}: {many} {'fact is' if many == 1 else 'facts are'} known."
    open_ = [FACTS[path] for path in interview.open]
    for who in PEOPLE:
        asks = [f"  {fact.ask}" for fact in open_ if fact.who == who]
        yield from [f"Still to ask the {who}:", *asks] if asks else []
    if interview.stale:
        yield f"Older than {interview.verify_after} days:"
        yield from _stale(interview)
    for id in interview.strangers:
        yield f"{id} is the id of no mandate there is a ruleset of: it has no effect."
    yield from _coverage(interview)


def _coverage(interview: Interview) -> Iterator[str]:
    verdict = interview.certain
    if verdict is None:
        yield "What the plan says now: nothing that is certain of every visit."
        return
    coverage = verdict.coverage.replace("-", " ")
    yield f"What the plan says now: {coverage}, for every visit from {interview.call.on} on."
    failed = [each for each in verdict.findings if each.status == "unmet" and each.layer != "clinic"]
    yield from (f"  {finding.because or finding.title}" for finding in failed)

"""A verdict as a list to be ticked off: what is done, what is open and who acts, on one page."""

import html
from collections.abc import Callable, Iterator, Mapping
from string import ascii_uppercase
from typing import Final, Literal, get_args

import attrs

from covrules.deciding_words import deciding_words
from covrules.declaring import PEOPLE, Who
from covrules.errors import one_of, shown
from covrules.facts import FACTS
from covrules.findings import Finding
from covrules.outlines import barred, headline, many
from covrules.questions import by_person
from covrules.remedies import Remedy
from covrules.rendering import page, wrapped
from covrules.rule import Rule
from covrules.verdicts import Verdict

Form = Literal["text", "markdown", "html"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
"""The forms a checklist can be printed in."""

_HEADINGS: Final[Mapping[Who, str]] = {
    "patient": "Patient",
    "doctor": "Doctor's office",
    "clinic": "Clinic",
    "insurer": "Insurer",
}
MOST_QUESTIONS: Final = 12
"""How many questions to one person are printed, the most telling ones, so that the list keeps to a page."""


@attrs.frozen
class Item:
    """One thing to tick off, with what is worth knowing of it; `done` is None where there is nothing to tick."""

    done: bool | None
    text: str = attrs.field(converter=shown)
    detail: str | None = attrs.field(default=None, converter=attrs.converters.optional(shown))


@attrs.frozen
class Part:
    """What one person has to do, or what comes later."""

    heading: str
    items: tuple[Item, ...]


@attrs.frozen
class Checklist:
    """What is done and what is open, by person, under what it comes to so far."""

    head: str
    notes: tuple[str, ...]
    parts: tuple[Part, ...]
    foot: tuple[str, ...]


def checklist_of(verdict: Verdict) -> Checklist:
    """Return the checklist of a verdict: patient, doctor, clinic, insurer, then what comes later.

    Done is what rules ask for and is so. Open are the steps of the remedies, each named by its way where there are
    several; what a rule says can be done where there is no remedy; and the most telling questions.
    """
    items: dict[Who, list[Item]] = {who: [] for who in PEOPLE}
    for who, item in (*_steps(verdict), *_failures(verdict), *_questions(verdict)):
        items[who].append(item)
    for who, titles in _done(verdict).items():
        items[who].append(Item(True, " · ".join(titles)))
    parts = [Part(_HEADINGS[who], tuple(each)) for who, each in items.items()]
    later = [finding.title for finding in verdict.findings if finding.status == "later"]
    parts.append(Part("Later", tuple(Item(False, f"{title}.") for title in later)))
    parts.append(Part("Good to know", tuple(Item(None, text) for text in verdict.advice)))
    rules = verdict.ruleset
    identity = f"Rules: {rules.id} {rules.version}, for a {verdict.stage} visit."
    return Checklist(
        headline(verdict), tuple(_notes(verdict)), tuple(part for part in parts if part.items),
        (identity, verdict.disclaimer),
    )  # fmt: skip


def printed(verdict: Verdict, form: str = "text") -> str:
    """Return the checklist of a verdict as `text`, `markdown` or a page of `html`; raises ValueError for others."""
    if form not in _PRINTERS:
        raise ValueError(f"there is no form {form!r}: {one_of(FORMS)}")
    return _PRINTERS[form](checklist_of(verdict))


# --- what is on it ----------------------------------------------------------------------------------------------


def _notes(verdict: Verdict) -> Iterator[str]:
    yield from filter(None, [_visit(verdict)])
    for _, finding in _decided(verdict):
        if finding.status in ("unmet", "capped"):
            yield finding.because or f"Not so: {finding.title}."
    ways = verdict.remedies
    if len(ways) > 1:
        names = [letter for letter, _ in zip(ascii_uppercase, ways, strict=False)]
        yield f"There are {len(ways)} ways on, {one_of(names)}: do every step of one of them."
    if verdict.unmendable:
        yield barred(verdict)


def _visit(verdict: Verdict) -> str:
    """Return which visit it is, as far as that is known, so that one page is told from another."""
    case = verdict._case
    said = [case.plan.payer] if case.plan.payer else []
    said += [f"visit on {FACTS['visit.date'].kind.words(case.visit.date)}"] if case.visit.date else []
    said += [many(case.visit.minutes, "minute")] if case.visit.minutes is not None else []
    return f"{', '.join(said)}." if said else ""


def _steps(verdict: Verdict) -> Iterator[tuple[Who, Item]]:
    for number, remedy in enumerate(verdict.remedies):
        way = f"Way {ascii_uppercase[number]}: " if len(verdict.remedies) > 1 else ""
        for step in remedy.steps:
            yield step.who, Item(False, way + step.action, _leads_to(verdict, remedy))


def _leads_to(verdict: Verdict, remedy: Remedy) -> str | None:
    """Return what a remedy leads to, where that is less than all."""
    if remedy.coverage == "covered":
        return "Covered then, but not at this clinic." if remedy.accepted_here is False else None
    return {
        "partial": "Partly covered then.",
        "undetermined": "Not decided then: the questions stay open.",
        "not-covered": None,
    }[remedy.coverage]


def _failures(verdict: Verdict) -> Iterator[tuple[Who, Item]]:
    """Yield what rules that fail say can be done, where no remedy was found."""
    if verdict.remedies:
        return
    for rule, finding in _decided(verdict):
        if finding.status in ("unmet", "capped") and rule.remedy is not None:
            yield rule.remedy.who, Item(False, rule.remedy.action)


def _questions(verdict: Verdict) -> Iterator[tuple[Who, Item]]:
    for who, questions in by_person(verdict.questions).items():
        for question in questions[:MOST_QUESTIONS]:
            deciding = deciding_words(question, verdict._ruleset.vocabulary[question.fact])
            yield who, Item(False, question.ask, " ".join(deciding) or None)
        more = len(questions) - MOST_QUESTIONS
        if more > 0:
            yield who, Item(None, f"and {more} more, depending on the answers.")


def _done(verdict: Verdict) -> dict[Who, list[str]]:
    done: dict[Who, list[str]] = {}
    for rule, finding in _decided(verdict):
        if finding.status in ("met", "waived"):
            said = finding.title if finding.status == "met" else f"{finding.title} (not asked)"
            done.setdefault(_who(verdict, rule), []).append(said)
    return done


def _decided(verdict: Verdict) -> Iterator[tuple[Rule, Finding]]:
    rules = zip(verdict._ruleset.rules, verdict.findings, strict=True)
    return ((rule, finding) for rule, finding in rules if rule.decides)


def _who(verdict: Verdict, rule: Rule) -> Who:
    """Return whose a rule is: who can mend it, else who can answer the first fact it reads."""
    return rule.remedy.who if rule.remedy is not None else verdict._ruleset.vocabulary[rule.facts[0]].who


# --- the forms --------------------------------------------------------------------------------------------------


_TICKS: Final[Mapping[bool | None, str]] = {True: "  [x] ", False: "  [ ] ", None: "  •   "}


def _text(said: Checklist) -> str:
    lines = [*wrapped(said.head), *[line for note in said.notes for line in wrapped(note)]]
    for part in said.parts:
        lines += ["", part.heading]
        for item in part.items:
            lines += wrapped(f"{item.text} {item.detail or ''}".strip(), _TICKS[item.done])
    return "\n".join([*lines, "", *[line for foot in said.foot for line in wrapped(foot)]])


def _markdown(said: Checklist) -> str:
    lines = [f"# {_escaped(said.head)}", *[f"\n{_escaped(note)}" for note in said.notes]]
    for part in said.parts:
        lines.append(f"\n## {part.heading}\n")
        for item in part.items:
            detail = f" *{_escaped(item.detail)}*" if item.detail else ""
            tick = "" if item.done is None else _TICKS[item.done].rstrip()[1:]
            lines.append(f"-{tick} {_escaped(item.text)}{detail}")
    return "\n".join([*lines, *[f"\n{_escaped(foot)}" for foot in said.foot]])


def _escaped(text: str) -> str:
    """Return a text in which nothing is Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|~" else sign for sign in text)


_STYLE: Final = """
body { font: 9.5pt/1.35 sans-serif; max-width: 48em; margin: 2em auto; padding: 0 1em; color: #1b1b1b; }
h1 { font-size: 1.35em; margin: 0 0 .3em; }
h2 { font-size: 1.05em; margin: .9em 0 .2em; border-bottom: 1px solid #999; break-after: avoid; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding-left: 1.7em; text-indent: -1.7em; margin: .15em 0; break-inside: avoid; }
li span { display: inline-block; width: 1.7em; text-indent: 0; }
small { color: #555; } .done { color: #555; } footer { margin-top: 1em; font-size: .85em; color: #555; }
.many { columns: 2; column-gap: 2em; } .many h2:first-child { margin-top: 0; }
@page { margin: 12mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } .many { font-size: 9pt; line-height: 1.25; } }
"""
_BOXES: Final[Mapping[bool | None, str]] = {
    True: '<span role="img" aria-label="done">☑</span>',
    False: '<span role="img" aria-label="open">☐</span>',
    None: '<span aria-hidden="true">•</span>',
}
_MANY: Final = 30
"""From how many items on a page has two columns."""


def _html(said: Checklist) -> str:
    many = " many" if sum(len(part.items) for part in said.parts) >= _MANY else ""
    lines = [
        f"<h1>{html.escape(said.head)}</h1>",
        *[f"<p>{html.escape(note)}</p>" for note in said.notes],
        f'<div class="parts{many}">',
    ]
    for part in said.parts:
        lines += [f"<h2>{html.escape(part.heading)}</h2>", "<ul>"]
        for item in part.items:
            detail = f" <small>{html.escape(item.detail)}</small>" if item.detail else ""
            done = ' class="done"' if item.done else ""
            lines.append(f"<li{done}>{_BOXES[item.done]}{html.escape(item.text)}{detail}</li>")
        lines.append("</ul>")
    foot = "<br>".join(map(html.escape, said.foot))
    return page(said.head, "\n".join([*lines, "</div>", f"<footer>{foot}</footer>"]), _STYLE)


_PRINTERS: Final[Mapping[str, Callable[[Checklist], str]]] = {"text": _text, "markdown": _markdown, "html": _html}

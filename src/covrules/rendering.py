"""A verdict in words: as plain text, on a terminal, as HTML; all three from one outline."""

import html
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from covrules.codes.denials import CARC, RARC
from covrules.declaring import Fact, Who
from covrules.errors import one_of, shown
from covrules.findings import Finding
from covrules.kinds import ANY, NO_CODE, OPEN, UNLIMITED, Bool, Code, Enum, Kind, SetOf
from covrules.questions import by_person
from covrules.rule import Denial, Source
from covrules.verdicts import Coverage, Verdict

if TYPE_CHECKING:
    from covrules.questions import Deciding, Question
    from covrules.remedies import Remedy

Mark = Literal["yes", "no", "part", "open", "note"]

_SIGNS: Final[dict[Mark, str]] = {"yes": "✓", "no": "✗", "part": "◐", "open": "?", "note": "•"}
_STYLES: Final[dict[Mark, str]] = {
    "yes": "green",
    "no": "red",
    "part": "yellow",
    "open": "cyan",
    "note": "default",
}
_HEADS: Final[dict[Coverage, tuple[Mark, str]]] = {
    "covered": ("yes", "Covered"),
    "partial": ("part", "Partly covered"),
    "not-covered": ("no", "Not covered"),
    "undetermined": ("open", "Not decided yet"),
}
_ASKED: Final[Mapping[Who, str]] = {
    "patient": "Ask the patient",
    "doctor": "Ask the doctor's office",
    "clinic": "Look up at the clinic",
    "insurer": "Ask the insurer",
}
_ASKED_OF: Final[Mapping[Who, str]] = {
    "patient": "What we need to know from you",
    "doctor": "What the doctor's office will be asked",
    "clinic": "What the clinic will look up",
    "insurer": "What the insurer will be asked",
}
_WITH: Final[Mapping[Who, str]] = {
    "patient": "",
    "doctor": " (with the doctor's office)",
    "clinic": " (at the clinic)",
    "insurer": " (with the insurer)",
}
_MEANING: Final[Mapping[Coverage, str]] = {
    "covered": "From what is known, the plan pays for this visit.",
    "partial": "From what is known, the plan pays for a part of this visit.",
    "not-covered": "From what is known, the plan does not pay for this visit.",
    "undetermined": "Whether the plan pays can be said once the questions below are answered.",
}
_ENGINES: Final = {
    "checked": "two engines agree",
    "compiled": "decided by the compiled engine alone",
    "durable": "decided by durable_rules alone",
}
_WIDTH: Final = 96


def _all_shown(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(shown, texts))


@attrs.frozen
class Line:
    """One thing said, with the smaller things said of it."""

    mark: Mark
    text: str = attrs.field(converter=shown)
    details: tuple[str, ...] = attrs.field(default=(), converter=_all_shown)


@attrs.frozen
class Section:
    """Lines under a heading."""

    heading: str
    lines: tuple[Line, ...]


@attrs.frozen
class Outline:
    """All that is said, before it is given a form."""

    head: Line
    sections: tuple[Section, ...]
    foot: tuple[str, ...]


def outline(verdict: Verdict, for_: str = "front-desk") -> Outline:
    """Return what is to be said of a verdict to some reader, the most important first.

    Raises ValueError where there is no such reader among `AUDIENCES`.
    """
    if for_ not in AUDIENCES:
        raise ValueError(f"there is no audience {for_!r}: {one_of(AUDIENCES)}")
    return _TELLERS[for_](verdict).outline()


class _Teller:
    """What is said of a verdict to a front desk; others are told more, or less, or otherwise."""

    asked: Mapping[Who, str] = _ASKED
    units = "unit"

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def outline(self) -> Outline:
        sections = (Section(heading, tuple(lines)) for heading, lines in self.sections())
        return Outline(self.head(), tuple(section for section in sections if section.lines), self.foot())

    def head(self) -> Line:
        mark, word = _HEADS[self.verdict.coverage]
        return Line(mark, f"{word}{_amount(self.verdict, self.units)}{_elsewhere(self.verdict)}.", (self.summary(),))

    def summary(self) -> str:
        """Return the sentence under the head."""
        return _tally(self.verdict)

    def sections(self) -> Iterator[tuple[str, Iterable[Line]]]:
        """Yield what is said under each heading, in order; a heading without lines is left out."""
        failed = [finding for finding in self.verdict.findings if finding.status in ("unmet", "capped")]
        yield "Why", (self.reason(finding) for finding in failed if finding.layer != "clinic")
        yield "At this clinic", self.acceptance(failed)
        yield "What would turn it", _remedies(self.verdict)
        for who, heading in self.asked.items():
            yield heading, (self.question(asked) for asked in self.verdict.questions if asked.who == who)
        yield from self.more()
        yield "Good to know", (Line("note", text) for text in self.verdict.advice)

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        """Yield what is said after the questions."""
        findings = self.verdict.findings
        yield "Later", (Line("note", f"{finding.title}.") for finding in findings if finding.status == "later")

    def foot(self) -> tuple[str, ...]:
        return (self.verdict.disclaimer,)

    def reason(self, finding: Finding) -> Line:
        mark: Mark = "part" if finding.status == "capped" else "no"
        rule = self.verdict._ruleset.rule(finding.rule)
        details = [self.to_do(rule.remedy.who, rule.remedy.action)] if rule.remedy is not None else []
        return Line(mark, finding.because or f"Not so: {finding.title}.", (*details, *self.evidence(finding)))

    def to_do(self, who: Who, action: str) -> str:
        return f"What to do ({who}): {action}"

    def evidence(self, finding: Finding) -> Iterable[str]:
        """Return what backs a reason: nothing that a front desk has to read."""
        return ()

    def acceptance(self, failed: list[Finding]) -> Iterator[Line]:
        if self.verdict.accepted_here is False:
            yield Line("no", "This clinic does not take the visit; that says nothing about what the insurer covers.")
            yield from (self.reason(finding) for finding in failed if finding.layer == "clinic")
        elif self.verdict.accepted_here is None:
            yield Line("open", "Whether this clinic takes it is not known yet.")

    def question(self, question: "Question") -> Line:
        return Line("open", question.ask, deciding_words(question, self.verdict._ruleset.vocabulary[question.fact]))


class _PatientTeller(_Teller):
    """What is said to a patient: what it means and what happens next, without what only an office can use."""

    asked = _ASKED_OF
    units = "billing unit"

    def summary(self) -> str:
        return _MEANING[self.verdict.coverage]

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        return iter(())

    def to_do(self, who: Who, action: str) -> str:
        return f"What to do{_WITH[who]}: {action}"

    def question(self, question: "Question") -> Line:
        return super().question(question) if question.who == "patient" else Line("open", question.ask)


class _BillerTeller(_Teller):
    """What is said to who bills: all of it, with the codes, the rules and what was read."""

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        yield "Waived", _waived(self.verdict)
        yield from super().more()

    def foot(self) -> tuple[str, ...]:
        rules = self.verdict.ruleset
        on = f" as of {rules.as_of}" if rules.as_of else ""
        by = f"for a {self.verdict.stage} visit; {_ENGINES[self.verdict.engine]}"
        return (f"Rules: {rules.id} {rules.version}{on}, {by}.", *super().foot())

    def evidence(self, finding: Finding) -> Iterable[str]:
        if finding.denial is not None:
            yield f"Denial code: {codes_in_words(finding.denial)}"
        yield f"Rule: {finding.rule} ({finding.title})"
        yield from (f"Source: {cited(source)}" for source in finding.cites)


_TELLERS: Final[Mapping[str, type[_Teller]]] = {
    "front-desk": _Teller,
    "patient": _PatientTeller,
    "biller": _BillerTeller,
}
AUDIENCES: Final = tuple(_TELLERS)
"""Who a verdict can be explained to."""


def _amount(verdict: Verdict, noun: str) -> str:
    units = verdict.units
    if units.requested is None or units.covered is None or verdict.coverage == "not-covered":
        return ""
    if verdict.coverage == "partial":
        return f": {units.covered} of {_many(units.requested, noun)}"
    return f": {_many(units.requested, noun)}"


def _elsewhere(verdict: Verdict) -> str:
    paid = verdict.coverage in ("covered", "partial")
    return ", but not at this clinic" if paid and verdict.accepted_here is False else ""


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tally(verdict: Verdict) -> str:
    names = {
        "unmet": "not met", "capped": "capped", "unknown": "not known yet", "met": "met", "waived": "waived",
        "not-applicable": "not asked here",
        "later": "not asked yet",
    }  # fmt: skip
    findings = zip(verdict._ruleset.rules, verdict.findings, strict=True)
    statuses = [finding.status for rule, finding in findings if rule.decides]
    counts = {word: statuses.count(status) for status, word in names.items()}  # type: ignore[arg-type]
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {_many(len(statuses), 'rule')}: {said}."


def codes(denial: Denial) -> str:
    """Return the codes of a denial as they are said."""
    return f"CARC {denial.carc}" + (f", RARC {', '.join(denial.rarc)}" if denial.rarc else "")


def codes_in_words(denial: Denial) -> str:
    """Return the codes of a denial, and in brackets what those mean that are known."""
    known = [CARC.get(denial.carc), *map(RARC.get, denial.rarc)]
    meaning = "; ".join(code.meaning for code in known if code)
    return codes(denial) + (f" ({meaning})" if meaning else "")


def cited(source: Source) -> str:
    """Return what was read, where in it, and where it can be had."""
    return ", ".join(filter(None, (source.title, source.section, source.url)))


def _waived(verdict: Verdict) -> Iterator[Line]:
    for finding in verdict.findings:
        if finding.waived_by:
            by = ", ".join(verdict._ruleset.rule(id).title for id in finding.waived_by)
            rules = f"Rule: {finding.rule}, waived by {', '.join(finding.waived_by)}"
            yield Line("note", f"{finding.title}: not asked. {by}.", (rules,))


BARRED: Final = "Nothing that people can still change leads to coverage."


def _remedies(verdict: Verdict) -> Iterator[Line]:
    if verdict.unmendable:
        barring = [verdict.finding(rule) for rule in verdict.unmendable]
        yield Line("no", f"{BARRED} In the way:", tuple(finding.because or finding.title for finding in barring))
    for remedy in verdict.remedies:
        steps = [f"{step.who.capitalize()}: {step.action.rstrip('.')}." for step in remedy.steps]
        if len(steps) > 1:
            steps = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
        yield Line("note", f"{' '.join(steps)} Then: {_coverage_word(remedy.coverage)}{_then_here(verdict, remedy)}.")


def _then_here(verdict: Verdict, remedy: "Remedy") -> str:
    if remedy.accepted_here is False:
        return ", but not at this clinic"
    return ", and this clinic takes it" if remedy.accepted_here and not verdict.accepted_here else ""


def _coverage_word(coverage: Coverage) -> str:
    return _HEADS[coverage][1].lower()


# --- what an answer would decide ------------------------------------------------------------------------------------


def deciding_words(question: "Question", fact: Fact) -> tuple[str, ...]:
    """Return in a sentence each which answers to a question would decide at once, and what.

    Of codes, texts and lists there are too many to be told, so only `none` and `any` are.
    """
    said = []
    for deciding in question.deciding:
        if len(deciding.answers) == len(deciding.among):
            start = "Whatever the answer"
        else:
            answers = _answers(fact.kind, deciding)
            start = f"If {answers}" if answers else ""
        if start:
            said.append(f"{start}: {_outcome(deciding)}.")
    return tuple(said)


def _outcome(deciding: "Deciding") -> str:
    if deciding.coverage is not None:
        return _coverage_word(deciding.coverage)
    return "this clinic takes it" if deciding.accepted_here else "this clinic does not take it"


def _answers(kind: Kind, deciding: "Deciding") -> str:
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


def _ranges(kind: Kind, deciding: "Deciding") -> str:
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


def questions_to_text(verdict: Verdict) -> str:
    """Return what to ask, by whom to ask, with what each answer decides."""
    teller, rules = _Teller(verdict), verdict._ruleset
    lines = []
    for who, questions in by_person(verdict.questions).items():
        lines += ["", _ASKED[who]]
        for question in questions:
            line = teller.question(question)
            lines += wrapped(line.text, f"  {_SIGNS[line.mark]} ")
            decides = "; ".join(rules.rule(id).title for id in question.rules)
            lines += [
                part for detail in (*line.details, f"For: {shown(decides)}.") for part in wrapped(detail, "      ")
            ]
    if not lines:
        return "\n".join(wrapped(f"{teller.head().text} Nothing more is to be asked."))
    many = _many(len(verdict.questions), "question")
    return "\n".join([*wrapped(f"{teller.head().text} {many} may be left, the most telling first."), *lines])


def questions_to_data(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the questions as plain values, the most telling first, with what each answer decides."""
    made = []
    for question in verdict.questions:
        plain = verdict._ruleset.vocabulary[question.fact].kind.plain
        deciding = [
            {
                "answers": [plain(answer) for answer in each.answers],
                "coverage": each.coverage,
                "accepted_here": each.accepted_here,
            }
            for each in question.deciding
        ]
        said = {"fact": question.fact, "who": question.who, "ask": question.ask}
        made.append({**said, "rules": [*question.rules], "deciding": deciding})
    return made


# --- the forms --------------------------------------------------------------------------------------------------


def to_text(verdict: Verdict, for_: str = "front-desk") -> str:
    """Return the verdict as plain text for some reader."""
    said = outline(verdict, for_)
    lines = [*wrapped(said.head.text), *[line for detail in said.head.details for line in wrapped(detail)]]
    for section in said.sections:
        lines += ["", section.heading]
        for line in section.lines:
            lines += wrapped(line.text, f"  {_SIGNS[line.mark]} ")
            lines += [part for detail in line.details for part in wrapped(detail, "      ")]
    return "\n".join([*lines, "", *[line for foot in said.foot for line in wrapped(foot)]])


def wrapped(text: str, first: str = "") -> list[str]:
    """Return a text as lines that fit a page, `first` before the first of them; an address stays whole."""
    if len(first) + len(text) <= _WIDTH and text.isprintable() and text.strip() == text != "":
        return [first + text]
    rest = " " * len(first)
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
    )
    return wrapper.wrap(text)


def to_rich(verdict: Verdict, for_: str = "front-desk") -> Any:
    """Return the verdict for some reader at a terminal, as rich draws it."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    def line_text(line: Line) -> Group:
        return Group(Text(line.text), *[Text(detail, "dim") for detail in line.details])

    said = outline(verdict, for_)
    style = _STYLES[said.head.mark]
    parts: list[Any] = [
        Panel(
            Text("\n".join(said.head.details)),
            title=Text(said.head.text, f"bold {style}"),
            border_style=style,
        )
    ]
    for section in said.sections:
        parts.append(Text(f"\n{section.heading}", "bold"))
        for line in section.lines:
            row = Table.grid(padding=(0, 1))
            row.add_row(Text(f"  {_SIGNS[line.mark]}", _STYLES[line.mark]), line_text(line))
            parts.append(row)
    return Group(*parts, Text(""), *[Text(foot, "dim") for foot in said.foot])


_HTML_COLOURS: Final[dict[Mark, str]] = {
    "yes": "#1a7f37", "no": "#b42318", "part": "#8a5a00", "open": "#0b6a8f", "note": "inherit",
}  # fmt: skip


def to_html(verdict: Verdict, for_: str = "front-desk") -> str:
    """Return the verdict for some reader as a piece of HTML that stands by itself."""
    said = outline(verdict, for_)
    head = f'<p style="font-size:1.2em;font-weight:bold;color:{_HTML_COLOURS[said.head.mark]}">{_mark(said.head.mark)}'
    parts = ['<div class="covrules-verdict">', f"{head}{html.escape(said.head.text)}</p>"]
    parts += [f"<p>{html.escape(detail)}</p>" for detail in said.head.details]
    for section in said.sections:
        parts.append(f'<h4 style="margin-bottom:0">{html.escape(section.heading)}</h4><ul style="list-style:none">')
        for line in section.lines:
            details = "".join(f"<br><small>{html.escape(detail)}</small>" for detail in line.details)
            parts.append(f"<li>{_mark(line.mark)}{html.escape(line.text)}{details}</li>")
        parts.append("</ul>")
    parts += [f"<p><small>{html.escape(foot)}</small></p>" for foot in said.foot]
    return "\n".join([*parts, "</div>"])


def _mark(mark: Mark) -> str:
    return f'<span aria-hidden="true" style="color:{_HTML_COLOURS[mark]}">{_SIGNS[mark]}</span> '

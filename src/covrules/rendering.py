"""A verdict in words: as plain text, on a terminal, as HTML; all three from one outline."""

import html
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import attrs

from covrules.errors import shown
from covrules.findings import Finding
from covrules.rule import Denial, Source
from covrules.verdicts import Coverage, Verdict

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
_ASKED: Final = {
    "patient": "Ask the patient",
    "doctor": "Ask the doctor's office",
    "clinic": "Look up at the clinic",
    "insurer": "Ask the insurer",
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


def outline(verdict: Verdict) -> Outline:
    """Return what is to be said of a verdict, the most important first."""
    mark, word = _HEADS[verdict.coverage]
    failed = [finding for finding in verdict.findings if finding.status in ("unmet", "capped")]
    sections = [
        Section("Why", tuple(_reason(verdict, finding) for finding in failed if finding.layer != "clinic")),
        Section("At this clinic", tuple(_acceptance(verdict, failed))),
        *_questions(verdict),
        Section("Waived", tuple(_waived(verdict))),
        Section("Later", tuple(Line("note", f"{f.title}.") for f in verdict.findings if f.status == "later")),
        Section("Good to know", tuple(Line("note", text) for text in verdict.advice)),
    ]
    rules = verdict.ruleset
    on = f" as of {rules.as_of}" if rules.as_of else ""
    identity = f"Rules: {rules.id} {rules.version}{on}, for a {verdict.stage} visit; {_ENGINES[verdict.engine]}."
    return Outline(
        Line(mark, f"{word}{_amount(verdict)}{_elsewhere(verdict)}.", (_tally(verdict),)),
        tuple(section for section in sections if section.lines),
        (identity, verdict.disclaimer),
    )


def _amount(verdict: Verdict) -> str:
    units = verdict.units
    if units.requested is None or units.covered is None or verdict.coverage == "not-covered":
        return ""
    if verdict.coverage == "partial":
        return f": {units.covered} of {_many(units.requested, 'unit')}"
    return f": {_many(units.requested, 'unit')}"


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


def _reason(verdict: Verdict, finding: Finding) -> Line:
    rule = verdict._ruleset.rule(finding.rule)
    details = []
    if rule.remedy is not None:
        details.append(f"What to do ({rule.remedy.who}): {rule.remedy.action}")
    if finding.denial is not None:
        details.append(f"Denial code: {codes(finding.denial)}")
    details.append(f"Rule: {rule.id} ({rule.title})")
    details += [f"Source: {cited(source)}" for source in finding.cites]
    mark: Mark = "part" if finding.status == "capped" else "no"
    return Line(mark, finding.because or f"Not so: {finding.title}.", tuple(details))


def codes(denial: Denial) -> str:
    """Return the codes of a denial as they are said."""
    return f"CARC {denial.carc}" + (f", RARC {', '.join(denial.rarc)}" if denial.rarc else "")


def cited(source: Source) -> str:
    """Return what was read, where in it, and where it can be had."""
    return ", ".join(filter(None, (source.title, source.section, source.url)))


def _acceptance(verdict: Verdict, failed: list[Finding]) -> Iterator[Line]:
    if verdict.accepted_here is False:
        yield Line("no", "This clinic does not take the visit; that says nothing about what the insurer covers.")
        yield from (_reason(verdict, finding) for finding in failed if finding.layer == "clinic")
    elif verdict.accepted_here is None:
        yield Line("open", "Whether this clinic takes it is not known yet.")


def _waived(verdict: Verdict) -> Iterator[Line]:
    for finding in verdict.findings:
        if finding.waived_by:
            by = ", ".join(verdict._ruleset.rule(id).title for id in finding.waived_by)
            yield Line("note", f"{finding.title}: not asked. {by}.", (f"Rule: {', '.join(finding.waived_by)}",))


def _questions(verdict: Verdict) -> Iterator[Section]:
    for who, heading in _ASKED.items():
        lines = [Line("open", question.ask) for question in verdict.questions if question.who == who]
        yield Section(heading, tuple(lines))


# --- the forms --------------------------------------------------------------------------------------------------


def to_text(verdict: Verdict) -> str:
    """Return the verdict as plain text."""
    said = outline(verdict)
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


def to_rich(verdict: Verdict) -> Any:
    """Return the verdict for a terminal, as rich draws it."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    def line_text(line: Line) -> Group:
        return Group(Text(line.text), *[Text(detail, "dim") for detail in line.details])

    said = outline(verdict)
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


def to_html(verdict: Verdict) -> str:
    """Return the verdict as a piece of HTML that stands by itself."""
    said = outline(verdict)
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

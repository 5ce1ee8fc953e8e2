"""A verdict, or its questions, as plain text, on a terminal, as HTML and as plain values."""

import html
import textwrap
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from covrules.errors import shown
from covrules.outlines import ASKED, Detail, Line, Mark, headline, many, outline, question_line
from covrules.questions import by_person
from covrules.rule import Rule
from covrules.verdicts import Verdict

_SIGNS: Final[dict[Mark, str]] = {"yes": "✓", "no": "✗", "part": "◐", "open": "?", "note": "•"}
_STYLES: Final[dict[Mark, str]] = {
    "yes": "green",
    "no": "red",
    "part": "yellow",
    "open": "cyan",
    "note": "default",
}
_WIDTH: Final = 96


def to_text(verdict: Verdict, for_: str = "front-desk") -> str:
    """Return the verdict as plain text for some reader."""
    said = outline(verdict, for_)
    lines = [*wrapped(said.head.text), *[line for detail in said.head.details for line in wrapped(detail.text)]]
    for section in said.sections:
        lines += ["", section.heading]
        for line in section.lines:
            lines += wrapped(line.text, f"  {_SIGNS[line.mark]} ")
            lines += [part for detail in line.details for part in wrapped(detail.text, "      ")]
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
        return Group(Text(line.text), *[Text(detail.text, "dim") for detail in line.details])

    said = outline(verdict, for_)
    style = _STYLES[said.head.mark]
    parts: list[Any] = [
        Panel(
            Text("\n".join(detail.text for detail in said.head.details)),
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
    "yes": "light-dark(#1a7f37,#5fcf80)",
    "no": "light-dark(#b42318,#ff9b8f)",
    "part": "light-dark(#8a5a00,#e8b04a)",
    "open": "light-dark(#0b6a8f,#6cc5ea)",
    "note": "inherit",
}
"""The second is for dark pages; a browser that knows no such pair takes the colour of the text."""


_ITEM: Final = "margin:.25em 0;padding-left:1.5em;text-indent:-1.5em"
_SIGN: Final = "display:inline-block;width:1.5em;text-indent:0"


def to_html(verdict: Verdict, for_: str = "front-desk", rule_pages: str | None = None) -> str:
    """Return the verdict for some reader as a piece of HTML that stands by itself.

    With `rule_pages`, the address of the rules' pages that `covrules.sphinxext` makes (such as
    `https://example.org/reference/rules/`), each finding that is told links to `<origin>/<rule>.html` there, the origin
    being the ruleset that defines the rule.
    """
    if rule_pages is None:
        return linked_html(verdict, for_, lambda rule: None)
    base = rule_pages.rstrip("/")
    return linked_html(verdict, for_, lambda rule: f"{base}/{quote(rule.origin)}/{quote(rule.id)}.html")


def linked_html(verdict: Verdict, for_: str, page_of: Callable[[Rule], str | None]) -> str:
    """Return the same with each finding linked to the page of its rule, where there is one."""

    def said_of(said: Line | Detail) -> str:
        address = None if said.rule is None else page_of(said.rule)
        text = html.escape(said.text)
        return text if address is None else f'<a href="{html.escape(address)}">{text}</a>'

    said = outline(verdict, for_)
    head = f'<p style="font-size:1.3em;font-weight:bold;margin:.3em 0;color:{_HTML_COLOURS[said.head.mark]}">'
    parts = ['<div class="covrules-verdict" style="max-width:46em;line-height:1.4">']
    parts.append(f"{head}{_mark(said.head.mark)}{said_of(said.head)}</p>")
    parts += [f'<p style="margin:.3em 0">{said_of(detail)}</p>' for detail in said.head.details]
    for section in said.sections:
        parts.append(f'<h4 style="margin:1em 0 .2em">{html.escape(section.heading)}</h4>')
        parts.append('<ul style="list-style:none;margin:0;padding:0">')
        for line in section.lines:
            details = "".join(f"<br><small>{said_of(detail)}</small>" for detail in line.details)
            parts.append(f'<li style="{_ITEM}">{_mark(line.mark)}{said_of(line)}{details}</li>')
        parts.append("</ul>")
    parts += [f'<p style="margin:1em 0"><small>{html.escape(foot)}</small></p>' for foot in said.foot]
    return "\n".join([*parts, "</div>"])


def _mark(mark: Mark) -> str:
    return f'<span aria-hidden="true" style="{_SIGN};color:{_HTML_COLOURS[mark]}">{_SIGNS[mark]}</span>'


def page(title: str, body: str, style: str = "body { font-family: sans-serif; margin: 1.5em; }") -> str:
    """Return a whole page of HTML; the title is a text, the body HTML."""
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>'


# --- questions by themselves ---------------------------------------------------------------------------------------


def questions_to_text(verdict: Verdict) -> str:
    """Return what to ask, by whom to ask, with what each answer decides."""
    rules = verdict._ruleset
    lines = []
    for who, questions in by_person(verdict.questions).items():
        lines += ["", ASKED[who]]
        for question in questions:
            line = question_line(verdict, question)
            lines += wrapped(line.text, f"  {_SIGNS[line.mark]} ")
            decides = "; ".join(rules.rule(id).title for id in question.rules)
            details = [*[detail.text for detail in line.details], f"For: {shown(decides)}."]
            lines += [part for detail in details for part in wrapped(detail, "      ")]
    if not lines:
        return "\n".join(wrapped(f"{headline(verdict)} Nothing more is to be asked."))
    clinics = " Whether this clinic takes it is open:" if verdict.coverage != "undetermined" else ""
    left = f"{many(len(verdict.questions), 'question')} may be left, the most telling first."
    return "\n".join([*wrapped(f"{headline(verdict)}{clinics} {left}"), *lines])


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

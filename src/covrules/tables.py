"""Tables of what populations come to, as text and as HTML."""

import html
from collections.abc import Iterable, Iterator

import attrs


@attrs.frozen
class Table:
    """Rows of texts under a head; `left` are the first columns, which hold words, the others hold numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int

    def to_text(self) -> str:
        """Return the table as lines of equal columns."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        return "\n".join(self._line(row, widths) for row in (self.head, *self.rows))

    def _line(self, row: tuple[str, ...], widths: list[int]) -> str:
        cells = [
            cell.ljust(width) if place < self.left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    def to_html(self) -> str:
        """Return the table as HTML."""
        head = "".join(self._cells(self.head, "th"))
        rows = "\n".join(f"<tr>{''.join(self._cells(row, 'td'))}</tr>" for row in self.rows)
        return f'<table style="border-collapse:collapse">\n<tr>{head}</tr>\n{rows}\n</table>'

    def _cells(self, row: tuple[str, ...], tag: str) -> Iterator[str]:
        for place, cell in enumerate(row):
            side = "left" if place < self.left else "right"
            yield f'<{tag} style="padding:.2em .7em;text-align:{side}">{html.escape(cell)}</{tag}>'


def page(sentences: Iterable[str], table: Table) -> str:
    """Return sentences and a table under them as HTML."""
    said = "\n".join(f'<p style="margin:.3em 0">{html.escape(sentence)}</p>' for sentence in sentences)
    return f'<div class="covrules-comparison">\n{said}\n{table.to_html()}\n</div>'


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent.

    >>> share(1, 8), share(0, 0)
    ('12.5%', '-')
    """
    return f"{part / whole:.1%}" if whole else "-"

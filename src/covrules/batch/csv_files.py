"""CSV files, read a block at a time, and written.

Everything is text: `true` and `false`, numbers, `unlimited`, ISO dates, `open` and `never`, sets with `|` between their
elements (`|` alone is the empty set), `any`. An empty cell is unknown. Fields stand between commas, in UTF-8; those
with commas, quotes or line breaks in quotes. The reasons in the output are joined as sets are, and problems with `; `.
"""

import csv
import datetime as dt
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs

from covrules.batch.files import Source, Write, naming_file, wrong
from covrules.errors import CovrulesError
from covrules.extras import needed
from covrules.frames.program import PROBLEMS, REASONS
from covrules.kinds import UNLIMITED, Count, Date, Kind
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    Places = np.ndarray[Any, np.dtype[np.int64]]
else:
    np, pl, pa = needed("numpy", "frames"), needed("polars", "frames"), needed("pyarrow", "frames")
    arrow_csv = needed("pyarrow.csv", "frames")

BLOCK_BYTES: Final = 1 << 26
"""How much of a file is read at once."""
_MAX_RECORD: Final = 1 << 27
_MAX_HEAD: Final = 1 << 20
"""How long a row can be, and the names of the columns: longer is a quote that was never closed."""

_BETWEEN: Final = "|"
"""What stands between the elements of a set, and alone for the empty set."""
_QUOTING: Final = "fields with quotes, commas or line breaks in quotes, their own quotes doubled"


# --- reading ----------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class CsvSource(Source):
    """A CSV file; its rows begin after so many bytes and lines."""

    cells = True
    start: int
    lines: int

    @classmethod
    def of(cls, path: Path) -> "CsvSource":
        """Return the file at a path; raises CovrulesError for one that cannot be read."""
        with naming_file(path, "it cannot be read"), open(path, "rb") as file:
            head = file.readline(_MAX_HEAD)
            # A name with a line break in it is in quotes.
            while head.count(b'"') % 2 and len(head) < _MAX_HEAD and (more := file.readline(_MAX_HEAD)):
                head += more
        schema = pa.schema([(name, pa.string()) for name in _names(path, head)])
        return cls(path, schema, len(head), head.count(b"\n"))

    def batches(self, rows: int) -> Iterator[tuple["pa.RecordBatch", float]]:
        """Yield all rows, at most so many at a time, and what share of the file is read by then."""
        with naming_file(self.path, "it cannot be read"), open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(self.start)
            line, rest, ended = self.lines + 1, b"", False
            while not ended:
                read = file.read(BLOCK_BYTES)
                ended = not read
                block = _Block(self.path, rest + read, line, ended)
                for batch in block.table(self.schema).to_batches(rows):
                    yield batch, file.tell() / size
                line, rest = line + block.rows.count(b"\n"), block.rest


def _names(path: Path, head: bytes) -> list[str]:
    """Return the names of the columns."""
    if not head:
        raise wrong(path, "the file is empty", "the names of the columns in the first line")
    try:
        # Only where lines end with \n: those that end otherwise would be passed over, and here they are an error.
        lines = io.StringIO(head.decode("utf-8-sig"), newline="\n")
        names = next(csv.reader(lines, strict=True), [])
    except UnicodeDecodeError:
        raise wrong(path, "found bytes that are no text", "text in UTF-8", 1) from None
    except csv.Error:
        raise wrong(path, "the names of the columns cannot be read", _QUOTING, 1) from None
    if not any(names):
        raise wrong(path, "found no name of a column", "the names of the columns in the first line", 1)
    if len(names) == 1 and any(other in names[0] for other in ";\t"):
        raise wrong(path, "found no commas between the names", "fields with commas between them", 1)
    return names


def _arrows_own(rows: bytes) -> "pa.Buffer":
    """Return a copy that Arrow's threads can let go by themselves.

    Python's bytes they let go through Python, which aborts where it has been interrupted and is about to end.
    """
    buffer = pa.allocate_buffer(len(rows))
    memoryview(buffer).cast("B")[:] = rows
    return buffer


@attrs.frozen(eq=False)
class _Block:
    """A part of a file: from where a row begins, in some line, into another row, or to the end of the file."""

    path: Path
    data: bytes
    line: int
    ended: bool

    @cached_property
    def quotes(self) -> "Places":
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord('"'))

    @cached_property
    def end(self) -> int:
        """Where the last whole row ends: after a line break with an even number of quotes before it."""
        if self.ended:
            return len(self.data)
        last = self.data.rfind(b"\n")
        before = int(np.searchsorted(self.quotes, last))
        if before % 2:
            last = self.data.rfind(b"\n", 0, int(self.quotes[before - 1]))
        if last < 0 and len(self.data) > _MAX_RECORD:
            raise self.wrong(0, "found a row that is too long: is a quote never closed?", _QUOTING)
        return last + 1

    @cached_property
    def rows(self) -> bytes:
        """The whole rows."""
        return self.data[: self.end]

    @property
    def rest(self) -> bytes:
        return self.data[self.end :]

    def table(self, schema: "pa.Schema") -> "pa.Table":
        """Return the whole rows."""
        self.check_quotes()
        alone = len(schema) == 1
        if not (self.rows if alone else self.rows.strip(b"\r\n")):
            return schema.empty_table()
        try:
            # Of a single column, an empty line is a row in which it is unknown.
            return arrow_csv.read_csv(
                pa.BufferReader(_arrows_own(self.rows)),
                arrow_csv.ReadOptions(column_names=schema.names, block_size=len(self.rows) + 1),
                arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=not alone),
                arrow_csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=True),
            )
        except pa.ArrowInvalid:
            raise self.misfit(len(schema)) from None

    def check_quotes(self) -> None:
        """Raise CovrulesError where quotes are not around a whole field: rows could be lost in what seems to be one."""
        if not len(self.quotes):
            return
        # With a line break at both ends every quote has neighbours; those of place n are framed[n] and framed[n + 2].
        framed = np.frombuffer(b"\n" + self.data + b"\n", np.uint8)
        opening, closing = self.quotes[::2], self.quotes[1::2]
        stray = [
            *opening[~np.isin(framed[opening], [*b',\n"'])],
            *closing[~np.isin(framed[closing + 2], [*b',\r\n"'])],
        ]
        if stray:
            raise self.wrong(min(stray), "found a quote within a field", _QUOTING)
        if self.ended and len(self.quotes) % 2:
            raise self.wrong(self.quotes[-1], "found a quote that is never closed", _QUOTING)

    def misfit(self, columns: int) -> CovrulesError:
        """Return what is wrong with rows that cannot be read."""
        try:
            text = self.rows.decode()
        except UnicodeDecodeError as error:
            return self.wrong(error.start, "found bytes that are no text", "text in UTF-8")
        reader, line = csv.reader(io.StringIO(text, newline="")), self.line
        with suppress(csv.Error):
            for fields in reader:
                if fields and len(fields) != columns:
                    found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
                    return wrong(self.path, f"found {found}", f"{columns}, as many as the first line has", line)
                line = self.line + reader.line_num
        return self.wrong(0, "these lines cannot be read", f"lines of {columns} fields; {_QUOTING}")

    def wrong(self, place: int, message: str, expected: str) -> CovrulesError:
        """Return the error of what is wrong at a place."""
        return wrong(self.path, message, expected, self.line + self.data.count(b"\n", 0, place))


# --- writing ----------------------------------------------------------------------------------------------------


@contextmanager
def csv_sink(path: Path, file: BinaryIO, schema: "pa.Schema", ruleset: Ruleset) -> Iterator[Write]:
    """Give what writes rows of a schema to a file; raises CovrulesError where a column or a value cannot be text."""
    types = pl.DataFrame(schema.empty_table()).schema
    for name, dtype in types.items():
        if not _can_be_text(dtype):
            raise wrong(path, f"column {name} cannot be written in CSV", "a name that ends in .parquet")
    kinds = {name: fact.kind for name, fact in ruleset.vocabulary.items()}
    cells = [_cells(name, dtype, kinds.get(name)) for name, dtype in types.items()]
    lists = [name for name, dtype in types.items() if _is_list(dtype) and name != PROBLEMS]

    def write(rows: "pa.Table", header: bool = False) -> None:
        frame = pl.DataFrame(rows)
        for name in lists:
            _check_list(path, frame[name])
        # Not straight to the file: Polars would not say why it cannot be written.
        written = io.BytesIO()
        frame.select(cells).write_csv(written, include_header=header)
        file.write(written.getbuffer())

    write(schema.empty_table(), header=True)
    yield write


def _is_list(dtype: Any) -> bool:
    return isinstance(dtype, (pl.List, pl.Array))


def _can_be_text(dtype: Any) -> bool:
    inner = dtype.inner if _is_list(dtype) else dtype
    return not (inner.is_nested() or inner in (pl.Binary, pl.Duration, pl.Object))


def _check_list(path: Path, lists: "pl.Series") -> None:
    """Raise CovrulesError where a list could be read as another, once its elements are joined."""
    elements = lists.cast(pl.List(pl.String)).explode(empty_as_null=False, keep_nulls=False)
    if (elements.is_null() | (elements == "") | elements.str.contains(_BETWEEN, literal=True)).any():
        message = f"column {lists.name} has a list with an element that is empty, or with {_BETWEEN} in it"
        raise wrong(path, f"{message}, which CSV has no way to write", "a name that ends in .parquet")


def _cells(name: str, dtype: Any, kind: Kind | None) -> "pl.Expr":
    """Return a column as CSV has it; one that is no fact as Polars writes it."""
    column = pl.col(name)
    if _is_list(dtype):
        return _joined(column.cast(pl.List(pl.String)), name)
    if kind is None:
        return column
    if dtype.is_numeric():
        return _numbers(column, dtype, kind)
    if isinstance(dtype, pl.Datetime):
        column = column.cast(pl.String).str.replace(r" 00:00:00\.0+$", "")
    if isinstance(kind, Date) and kind.word is not None:
        column = column.cast(pl.String).replace(str(dt.date.max), kind.word)
    return column


def _joined(lists: "pl.Expr", name: str) -> "pl.Expr":
    if name == PROBLEMS:
        # Each tells in a second line what was expected.
        return lists.list.join("; ").str.replace_all(r"\n\s*", ", ")
    joined = lists.list.join(_BETWEEN)
    return joined if name == REASONS else joined.replace("", _BETWEEN)


def _numbers(column: "pl.Expr", dtype: Any, kind: Kind) -> "pl.Expr":
    """Return numbers, those that are whole without a point."""
    given = column.fill_nan(None) if dtype.is_float() else column
    whole = given.cast(pl.Int64, strict=False)
    written = pl.when(whole == given).then(whole.cast(pl.String)).otherwise(given.cast(pl.String))
    if not isinstance(kind, Count) or not kind.unlimited:
        return written
    return written.replace(str(int(UNLIMITED)), str(UNLIMITED))

"""A file of rows to read, one to write, and what is wrong with either.

`Source` and `Sink` are what there is of each kind of file, in a module of its own.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import attrs

from covrules.errors import CovrulesError, FactError, Problem
from covrules.extras import needed
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl, pa = needed("polars", "frames"), needed("pyarrow", "frames")

Write = Callable[["pa.Table"], None]
"""Writes rows after those before."""
Sink = Callable[[Path, BinaryIO, "pa.Schema", Ruleset], AbstractContextManager[Write]]
"""Gives what writes rows of a schema to a file; it has the path only to name it."""


@attrs.frozen(eq=False)
class Source(ABC):
    """A file of rows; with `cells` all columns are text as a CSV file has it."""

    path: Path
    schema: "pa.Schema"
    cells: ClassVar[bool]

    @abstractmethod
    def batches(self, rows: int) -> Iterator[tuple["pa.RecordBatch", float]]:
        """Yield all rows, at most so many at a time, and what share of the file is read by then."""

    def facts(self, ruleset: Ruleset) -> list[str]:
        """Return the columns that are named by facts."""
        return [name for name in self.schema.names if name in ruleset.vocabulary]

    def types(self, ruleset: Ruleset) -> dict[str, Any]:
        """Return the types of the columns; of those that are no facts only the names matter."""
        facts = {field.name: field for field in self.schema if field.name in ruleset.vocabulary}
        types = pl.DataFrame(pa.schema(facts.values()).empty_table()).schema
        return {name: types.get(name, pl.Null()) for name in self.schema.names}

    def check_names(self, ruleset: Ruleset) -> None:
        """Raise CovrulesError for names that cannot be meant: without showing one, for it may be that of a patient."""
        if not self.facts(ruleset):
            where = " in the first line" if self.cells else ""
            raise wrong(self.path, "no column is named by a fact", f"names such as visit.minutes{where}")
        names = self.schema.names
        for place, name in enumerate(names):
            if name in names[:place]:
                raise wrong(
                    self.path, f"column {place + 1} has the name of one before it", "a name of its own for each"
                )


def wrong(path: Path, message: str, expected: str | None = None, line: int | None = None) -> CovrulesError:
    """Return the error of a file that cannot be used."""
    column = None if line is None else 1
    return CovrulesError([Problem(file=str(path), message=message, expected=expected, line=line, column=column)])


@contextmanager
def naming_file(path: Path, otherwise: str) -> Iterator[None]:
    """Name the file that cannot be read or written, and say why: in the system's words, or else in these."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise wrong(path, getattr(error, "strerror", None) or otherwise) from None


@contextmanager
def naming_columns_of(path: Path) -> Iterator[None]:
    """Name the file whose columns cannot be used."""
    try:
        yield
    except FactError as error:
        raise FactError(attrs.evolve(problem, file=str(path)) for problem in error.problems) from None


def check_place(out: Path, read: Iterable[Path]) -> None:
    """Raise CovrulesError where no file can be written, or where one is read."""
    if not out.parent.is_dir():
        raise wrong(out, "there is no such folder", "a place where a file can be written")
    if out.is_dir():
        raise wrong(out, "it is a folder", "a place where a file can be written")
    if out.exists() and any(path.exists() and path.samefile(out) for path in read):
        raise wrong(out, "it is read, and cannot be written as well", "another file")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of another as a whole or not at all."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)

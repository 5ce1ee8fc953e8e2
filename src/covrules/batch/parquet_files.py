"""Parquet files: rows as they are stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from covrules.batch.files import Source, Write, naming_file
from covrules.extras import needed
from covrules.rulesets import Ruleset

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as parquet
else:
    parquet = needed("pyarrow.parquet", "frames")

_DAMAGED: Final = "it is no Parquet file, or a damaged one"


class ParquetSource(Source):
    """A Parquet file."""

    cells = False

    @classmethod
    def of(cls, path: Path) -> "ParquetSource":
        """Return the file at a path; raises CovrulesError for one that cannot be read."""
        with naming_file(path, _DAMAGED), parquet.ParquetFile(path) as file:
            return cls(path, file.schema_arrow)

    def batches(self, rows: int) -> Iterator[tuple["pa.RecordBatch", float]]:
        """Yield all rows, at most so many at a time, and what share of the file is read by then."""
        # Without buffers of whole row groups: one can be as long as the file.
        with (
            naming_file(self.path, _DAMAGED),
            parquet.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False) as file,
        ):
            done = 0
            for batch in file.iter_batches(rows):
                done += batch.num_rows
                yield batch, done / file.metadata.num_rows


@contextmanager
def parquet_sink(path: Path, file: BinaryIO, schema: "pa.Schema", ruleset: Ruleset) -> Iterator[Write]:
    """Give what writes rows of a schema to a file."""
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        yield writer.write_table

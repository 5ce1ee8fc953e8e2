"""Long files of cases, CSV or Parquet: every row is decided, a batch at a time, in little memory."""

import datetime as dt
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import attrs

from covrules.batch.csv_files import CsvSource, csv_sink
from covrules.batch.files import Sink, Source, Write, check_place, naming_columns_of, naming_file, replacing, wrong
from covrules.batch.parquet_files import ParquetSource, parquet_sink
from covrules.errors import shown
from covrules.extras import needed
from covrules.frames.columns import Fault, joined
from covrules.frames.program import COVERAGE, PROBLEMS, REASONS
from covrules.rendering import wrapped
from covrules.rule import Stage
from covrules.rulesets import Ruleset
from covrules.verdicts import Coverage

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    needed("narwhals", "frames")
    pl, pa = needed("polars", "frames"), needed("pyarrow", "frames")

__all__ = ["Progress", "Summary", "progress_bar", "run"]

Progress = Callable[[int, float], None]
"""Is told how many rows are done, and what share of the file that is."""
_Decide = Callable[["pl.DataFrame", "pl.Series | None"], tuple["pl.DataFrame", list[Fault]]]

BATCH_ROWS: Final = 1 << 17
"""How many rows are decided at once."""
_SOURCES: Final[Mapping[str, Callable[[Path], Source]]] = {".parquet": ParquetSource.of, ".csv": CsvSource.of}
_SINKS: Final[Mapping[str, Sink]] = {".parquet": parquet_sink, ".csv": csv_sink}


@attrs.frozen(kw_only=True)
class Summary:
    """What became of the rows of a file.

    `coverage` has how many rows came out in each way; `reasons` for the ids of rules in how many rows they are
    unmet or capped, the most first; `set_aside` is how many have no verdict because they cannot be used, and
    `faults` why. `ruleset` decided them, and `out` is the file they were written to.
    """

    ruleset: Ruleset = attrs.field(repr=False)
    out: Path
    rows: int
    coverage: Mapping[Coverage, int]
    reasons: Mapping[str, int]
    set_aside: int
    faults: tuple[Fault, ...]

    def to_text(self) -> str:
        """Return it in words."""
        head = f"{_rows(self.rows)} decided by {self.ruleset.id} {self.ruleset.version}, written to {self.out}"
        parts = ([shown(head)], self._verdicts(), self._rules(), self._unusable())
        return "\n\n".join("\n".join(lines) for lines in parts if lines)

    def _verdicts(self) -> list[str]:
        if not self.rows:
            return []
        counts: list[tuple[str, int]] = [*self.coverage.items()]
        if self.set_aside:
            counts.append(("set aside", self.set_aside))
        return [f"  {word:<12}{self._count(count)}" for word, count in counts]

    def _rules(self) -> list[str]:
        if not self.reasons:
            return []
        lines = ["Rules unmet or capped, in how many rows (a row can have several):"]
        for id, count in self.reasons.items():
            lines += wrapped(shown(f"{id}: {self.ruleset.rule(id).title}"), f"{self._count(count)}  ")
        return lines

    def _unusable(self) -> list[str]:
        if not self.faults:
            return []
        head = f"Set aside, without a verdict: {_rows(self.set_aside)} with what cannot be used"
        return [head, *[f"  {line}" for fault in self.faults for line in str(fault.told()).splitlines()]]

    def _count(self, count: int) -> str:
        share = count / self.rows
        return f"  {count:>10,}  {'<0.1%' if 0 < share < 0.001 else f'{share:.1%}':>6}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


class _Tally:
    """What is counted while rows are decided."""

    def __init__(self) -> None:
        self.rows = 0
        self.coverage: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.set_aside = 0
        self.faults: list[Fault] = []

    def add(self, decided: "pl.DataFrame", faults: list[Fault]) -> None:
        """Count the rows of a batch."""
        self.rows += decided.height
        self.coverage += _counts(decided[COVERAGE])
        self.reasons += _counts(decided[REASONS].explode())
        self.set_aside += decided[PROBLEMS].count()
        self.faults = joined([*self.faults, *faults])

    def summary(self, ruleset: Ruleset, out: Path) -> Summary:
        """Return what was counted."""
        in_order = Counter({rule.id: self.reasons[rule.id] for rule in ruleset.rules if self.reasons[rule.id]})
        return Summary(
            ruleset=ruleset,
            out=out,
            rows=self.rows,
            coverage={word: self.coverage[word] for word in get_args(Coverage)},
            reasons=dict(in_order.most_common()),
            set_aside=self.set_aside,
            faults=tuple(self.faults),
        )


def _counts(words: "pl.Series") -> Counter[str]:
    return Counter(dict(words.drop_nulls().value_counts().iter_rows()))


def run(
    source: Path,
    ruleset: Ruleset,
    out: Path,
    plans: Path | None = None,
    stage: Stage = "planned",
    as_of: dt.date | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Decide every row of a file, write it to another with its verdict beside it, and return what came out.

    Columns, plans, stage and `as_of` are as for `Ruleset.evaluate_frame`; rows that cannot be used are set aside. The
    suffixes of the files say whether they are Parquet or CSV. `out` is written as a whole or not at all.

    Raises CovrulesError for a file that cannot be used.
    """
    rows = _opened(source)
    sink = _SINKS[_suffix(out)]
    check_place(out, [source, *([plans] if plans else [])])
    decide = _decider(rows, _opened(plans) if plans else None, ruleset, stage, as_of)
    facts = rows.facts(ruleset)
    nothing = rows.schema.empty_table()
    schema = _beside(nothing, decide(pl.DataFrame(nothing.select(facts)), None)[0]).schema
    tally = _Tally()
    with (
        naming_file(out, "it cannot be written"),
        replacing(out) as file,
        sink(out, file, schema, ruleset) as write,
        _meanwhile(write) as put,
    ):
        for batch, share in rows.batches(BATCH_ROWS):
            numbers = pl.int_range(tally.rows, tally.rows + batch.num_rows, eager=True)
            decided, faults = decide(pl.DataFrame(batch.select(facts)), numbers)
            tally.add(decided, faults)
            put(_beside(batch, decided))
            if progress is not None:
                progress(tally.rows, share)
    return tally.summary(ruleset, out)


@contextmanager
def _meanwhile(write: Write) -> Iterator[Write]:
    """Give what writes rows while the next are decided; at most one batch is being written."""
    writing: Future[None] | None = None

    def put(rows: "pa.Table") -> None:
        nonlocal writing
        if writing is not None:
            writing.result()
        writing = writer.submit(write, rows)

    with ThreadPoolExecutor(1) as writer:
        yield put
        if writing is not None:
            writing.result()


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SINKS:
        raise wrong(path, "its name does not say what it is", "a name that ends in .csv or .parquet")
    return suffix


def _opened(path: Path) -> Source:
    return _SOURCES[_suffix(path)](path)


def _decider(rows: Source, plans: Source | None, ruleset: Ruleset, stage: Stage, as_of: dt.date | None) -> _Decide:
    """Return what decides the rows of a file; raises CovrulesError for columns that cannot be used."""
    from covrules.frames.polars_frames import decider

    known = None if plans is None else _whole(plans, ruleset)
    with naming_columns_of(rows.path):
        decide = decider(
            ruleset,
            rows.types(ruleset),
            known,
            stage=stage,
            as_of=as_of,
            as_text=rows.cells,
            plans_as_text=plans is not None and plans.cells,
        )
    # Only now: where no column is a fact, but one nearly has the name of one, it is said above which is meant.
    rows.check_names(ruleset)
    return decide


def _whole(plans: Source, ruleset: Ruleset) -> "pl.DataFrame":
    """Return all plans; of columns that are no facts only the names matter."""
    from covrules.frames.polars_rows import Plans

    plans.check_names(ruleset)
    facts = plans.facts(ruleset)
    table = pa.Table.from_batches([batch for batch, _ in plans.batches(BATCH_ROWS)], plans.schema)
    others = [pl.lit(None).alias(name) for name in plans.schema.names if name not in facts]
    whole = pl.DataFrame(table.select(facts)).with_columns(others)
    # Here, where it is known that what is wrong is wrong with the plans.
    with naming_columns_of(plans.path):
        Plans.of(whole, ruleset, plans.cells)
    return whole


def _beside(rows: "pa.Table | pa.RecordBatch", decided: "pl.DataFrame") -> "pa.Table":
    """Return rows with what was decided of them beside them; their own columns are left as they are."""
    added = decided.to_arrow(compat_level=pl.CompatLevel.oldest())
    schema = pa.schema([*rows.schema, *added.schema], metadata=rows.schema.metadata)
    return pa.Table.from_arrays([*rows.columns, *added.columns], schema=schema)


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Give what draws, on a terminal, how far a run is; None where nobody sits before one."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    begun = time.monotonic()
    columns = (
        BarColumn(24),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("0 rows", total=1.0)

        def progress(rows: int, share: float) -> None:
            speed = rows / max(time.monotonic() - begun, 0.001)
            bar.update(task, completed=share, description=f"{rows:,} rows, {speed:,.0f} rows/s")

        yield progress

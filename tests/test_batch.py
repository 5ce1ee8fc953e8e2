"""Long files: of rows in a file is said what is said of them in a frame, or what is wrong with the file."""

import csv
import datetime as dt
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import covrules
import generators
from covrules import batch, populations
from covrules.batch import csv_files
from covrules.cli import main
from covrules.errors import CovrulesError
from covrules.facts import FACTS
from covrules.frames import polars_frames
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED
from dataframes import rows_of
from terminals import terminals

BASE = covrules.load("medical-massage")
SECRET = "Jane Roe"


RND = random.Random(3)
CASES = [generators.case_for(RND, BASE) for _ in range(60)]
ROWS = rows_of(CASES, FACTS).with_columns(pl.Series("note", [f'said "{n}",\nor\r\nso' for n in range(60)]))
SAID = BASE.evaluate_frame(ROWS, reasons=True, errors="collect")
ADDED = SAID.columns[ROWS.width :]


def cell(value):
    """Return a value of a case as it is written in CSV."""
    if value is None:
        return ""
    if value is ANY:
        return "any"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset | tuple | list):
        return "|".join(sorted(value)) or "|"
    return str(value)


def write_csv(path, cases, names, notes=(), **dialect):
    with open(path, "w", encoding=dialect.pop("encoding", "utf-8"), newline="") as file:
        writer = csv.writer(file, **dialect)
        writer.writerow([*names, *(["note"] if notes else [])])
        for place, case in enumerate(cases):
            writer.writerow([*[cell(case.get(name)) for name in names], *notes[place : place + 1]])


FACT_NAMES = [name for name in ROWS.columns if name in FACTS]


def text(name, value, row):
    """Return a value of a column of the result as it is written in CSV."""
    if name in FACTS:
        return cell(CASES[row].get(name))
    if isinstance(value, list):
        return "|".join(value)
    return "" if value is None else str(value)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(batch, "BATCH_ROWS", 36)
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 12_000)


def given(folder, suffix):
    path = folder / f"given{suffix}"
    if suffix == ".parquet":
        ROWS.write_parquet(path)
    else:
        write_csv(path, CASES, FACT_NAMES, ROWS["note"].to_list())
    return path


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]


def as_text(lines):
    cells = [[cell or None for cell in line] for line in lines[1:]]
    return pl.DataFrame(cells, dict.fromkeys(lines[0], pl.String), orient="row")


def python(folder, code, *arguments):
    """Start Python on some code, as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, env=environment, **pipes)


@pytest.mark.parametrize("out", [".parquet", ".CSV"])
@pytest.mark.parametrize("source", [".parquet", ".csv"])
def test_files_say_what_a_frame_says(tmp_path, source, out):
    target = tmp_path / f"out{out}"
    summary = batch.run(given(tmp_path, source), BASE, target)
    if out == ".CSV":
        head, *rows = read_csv(target)
        assert head == SAID.columns
        expected = [[text(name, value, row) for name, value in zip(head, values, strict=True)]
                    for row, values in enumerate(SAID.iter_rows())]  # fmt: skip
        assert rows == expected
    else:
        result = pl.read_parquet(target)
        own = ROWS if source == ".parquet" else as_text(read_csv(tmp_path / "given.csv"))
        assert result.select(ROWS.columns).equals(own)
        assert result.select(ADDED).equals(SAID.select(ADDED))
    assert summary.rows == 60
    assert dict(summary.coverage) == {word: (SAID["coverage"] == word).sum() for word in summary.coverage}
    counts = [*summary.reasons.values()]
    assert counts == sorted(counts, reverse=True)
    assert summary.reasons == {id: sum(id in each for each in SAID["reasons"]) for id in summary.reasons}
    assert set(summary.reasons) == set(SAID["reasons"].explode().drop_nulls())
    assert (summary.set_aside, summary.faults) == (0, ())


def test_batches_of_any_size_say_the_same(tmp_path, monkeypatch):
    for source, out in ((".parquet", "whole.parquet"), (".csv", "blocks.parquet")):
        results = []
        for rows, size in ((25, 5_000), (1000, 1 << 20)):
            monkeypatch.setattr(batch, "BATCH_ROWS", rows)
            monkeypatch.setattr(csv_files, "BLOCK_BYTES", size)
            summary = batch.run(given(tmp_path, source), BASE, tmp_path / out)
            results.append((pl.read_parquet(tmp_path / out).to_dicts(), summary))
        assert results[0] == results[1]


KINDS = {
    "plan.units_per_visit": [4, UNLIMITED, 0, None],
    "visit.date": [dt.date(2026, 1, 2), None, dt.date(1999, 12, 31), dt.date(2026, 1, 2)],
    "plan.coverage_end": [OPEN, dt.date(2026, 1, 2), None, OPEN],
    "clinic.accepts_payer_from": [NEVER, None, NEVER, dt.date(2020, 2, 29)],
    "plan.accepted_prescribers": [ANY, frozenset(), frozenset({"MD", "DO"}), None],
    "plan.payer": ['a "b", c', "any", "1e5", None],
    "prescription.diagnosis": ["M54.50", "none", None, "M54.2"],
    "prescription.prescriber": ["MD", "other", None, "LMT"],
    "prescription.on_file": [True, False, None, True],
}


def test_values_of_every_kind_are_the_same_again_after_they_were_csv(tmp_path):
    cases = [{name: values[place] for name, values in KINDS.items()} for place in range(4)]
    rows = rows_of(cases, FACTS)
    # As pandas has them: counts with a point and NaN for what is unknown, dates with a time.
    loose = rows.with_columns(
        pl.col("plan.units_per_visit").cast(pl.Float64).fill_null(float("nan")),
        pl.col("visit.date", "plan.coverage_end", "clinic.accepts_payer_from").cast(pl.Datetime("ms")),
        pl.col("prescription.prescriber").cast(pl.Categorical),
    )
    said = BASE.evaluate_frame(rows, reasons=True).drop(rows.columns)
    for frame in (rows, loose):
        frame.write_parquet(tmp_path / "typed.parquet")
        batch.run(tmp_path / "typed.parquet", BASE, tmp_path / "text.csv")
        head, *lines = read_csv(tmp_path / "text.csv")
        assert [line[: rows.width] for line in lines] == [[cell(case[name]) for name in rows.columns] for case in cases]
        own = as_text([head, *lines]).select(rows.columns)
        own.write_csv(tmp_path / "again.csv")
        batch.run(tmp_path / "again.csv", BASE, tmp_path / "again.parquet")
        assert pl.read_parquet(tmp_path / "again.parquet").drop(rows.columns, "problems").equals(said)


def test_a_csv_file_may_have_a_bom_and_be_as_excel_writes_it(tmp_path):
    results = []
    for way in ({}, {"encoding": "utf-8-sig"}, {"encoding": "utf-8-sig", "quoting": csv.QUOTE_ALL}):
        write_csv(tmp_path / "in.csv", CASES[:20], FACT_NAMES, ["a"] * 20, **way)
        batch.run(tmp_path / "in.csv", BASE, tmp_path / "out.parquet")
        results.append(pl.read_parquet(tmp_path / "out.parquet"))
    assert results[0].height == 20
    assert all(result.equals(results[0]) for result in results)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_last_line_may_end_or_not(tmp_path, end):
    for last in ("", end):
        (tmp_path / "in.csv").write_text(end.join(["visit.minutes,note", "60,a", "90,b"]) + last, newline="")
        batch.run(tmp_path / "in.csv", BASE, tmp_path / "out.parquet")
        assert pl.read_parquet(tmp_path / "out.parquet")["note"].to_list() == ["a", "b"]


def test_of_one_column_an_empty_line_is_a_row(tmp_path):
    for lines, rows in (("60\n\n90\n", 3), ("\n\n", 2), ("", 0)):
        (tmp_path / "one.csv").write_text(f"visit.minutes\n{lines}")
        assert batch.run(tmp_path / "one.csv", BASE, tmp_path / "out.parquet").rows == rows
    (tmp_path / "two.csv").write_text("visit.minutes,note\n\n60,\n\n,a\n\n\n")
    assert batch.run(tmp_path / "two.csv", BASE, tmp_path / "out.parquet").rows == 2


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_file_without_rows(tmp_path, out):
    ROWS.clear().write_parquet(tmp_path / "none.parquet")
    summary = batch.run(tmp_path / "none.parquet", BASE, tmp_path / out)
    assert summary.to_text() == f"0 rows decided by medical-massage {BASE.version}, written to {tmp_path / out}"
    read = pl.read_csv if out == "out.csv" else pl.read_parquet
    assert read(tmp_path / out).columns == SAID.columns


def test_other_columns_are_kept_as_they_are(tmp_path):
    others = pa.table({
        "visit.minutes": pa.array([60, None], pa.uint8()),
        "visit.purpose": pa.array(["treatment", None]).dictionary_encode(),
        "patient": pa.array([{"name": SECRET}, None]),
        "blob": pa.array([b"\0", None]),
        "scores": pa.array([[1.5], None]),
        "index": pa.array([dt.timedelta(1), None]),
    }).replace_schema_metadata({"said": "so"})  # fmt: skip
    pq.write_table(others, tmp_path / "in.parquet")
    batch.run(tmp_path / "in.parquet", BASE, tmp_path / "out.parquet")
    result = pq.read_table(tmp_path / "out.parquet")
    assert result.select(others.column_names).equals(pq.read_table(tmp_path / "in.parquet"))
    assert result.schema.metadata[b"said"] == b"so"
    assert pa.types.is_dictionary(result.schema.field("coverage").type)
    with pytest.raises(CovrulesError, match=r"out.csv: column patient cannot be written in CSV\n.*ends in \.parquet"):
        batch.run(tmp_path / "in.parquet", BASE, tmp_path / "out.csv")
    assert [*tmp_path.glob("*.csv")] == []


def test_plans_are_found_by_their_id(tmp_path):
    population = populations.generate(visits=80, plans=4, seed=2, unknown=0.1)
    population.visits.write_parquet(tmp_path / "visits.parquet")
    population.plans.write_parquet(tmp_path / "plans.parquet")
    kinds = {path: FACTS[path].kind for path in population.plans.columns}
    plans = [
        {
            path: kinds[path].parse("any" if value == ["any"] else value)
            for path, value in row.items()
            if value is not None
        }
        for row in population.plans.to_dicts()
    ]
    write_csv(tmp_path / "plans.csv", plans, [*kinds], ["", "a", "b", ""])
    want = BASE.evaluate_frame(population.visits, population.plans, reasons=True, errors="collect")
    for name in ("plans.parquet", "plans.csv"):
        batch.run(tmp_path / "visits.parquet", BASE, tmp_path / "out.parquet", tmp_path / name)
        assert pl.read_parquet(tmp_path / "out.parquet").equals(want)


# --- what cannot be used ----------------------------------------------------------------------------------------


BAD = {"visit.minutes": "-5", "visit.date": SECRET, "plan.accepted_prescribers": f"MD|{SECRET}", "plan.payer": "Good"}
BAD_TYPED = {**BAD, "visit.minutes": -5, "plan.accepted_prescribers": ["MD", SECRET]}


def with_bad_rows(folder, suffix):
    """Write seventy rows that can be used, three that cannot be, in two batches, and one more."""
    if suffix == ".csv":
        lines = [",".join(BAD), *[",,,"] * 70, *[",".join(BAD.values())] * 2, ",,MD|Any,", ",,,"]
        (folder / "bad.csv").write_text("\n".join(lines))
    else:
        unknown = dict.fromkeys(BAD)
        odd = {**unknown, "plan.accepted_prescribers": ["MD", "Any"]}
        pl.DataFrame([*[unknown] * 70, BAD_TYPED, BAD_TYPED, odd, unknown], infer_schema_length=None).write_parquet(
            folder / "bad.parquet"
        )
    return folder / f"bad{suffix}"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_that_cannot_be_used_are_set_aside_and_told_of(tmp_path, suffix):
    summary = batch.run(with_bad_rows(tmp_path, suffix), BASE, tmp_path / "out.parquet")
    result = pl.read_parquet(tmp_path / "out.parquet")
    assert (summary.rows, summary.set_aside) == (74, 3)
    assert result["problems"].is_not_null().arg_true().to_list() == [70, 71, 72]
    assert result["coverage"].is_null().arg_true().to_list() == [70, 71, 72]
    assert result["problems"].list.len()[70] == 3
    text = summary.to_text()
    assert "  visit.minutes: found a negative number in 2 rows (first 70, 71, from 0)\n      expected a whole" in text
    assert "  plan.accepted_prescribers: found a list with a word that is not among them in 3 rows (first 70, 7" in text
    assert SECRET not in text
    batch.run(with_bad_rows(tmp_path, suffix), BASE, tmp_path / "out.csv")
    head, *lines = read_csv(tmp_path / "out.csv")
    told = lines[70][head.index("problems")]
    assert "; visit.minutes: found a negative number, expected a whole number, 0 or more" in told
    assert SECRET not in told


HEAD = "visit.minutes,plan.payer,note\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "rows.csv: the file is empty"),
        ("\n", "rows.csv:1:1: found no name of a column"),
        (f"{SECRET},60\n90,a\n", "rows.csv: no column is named by a fact"),
        (f"{SECRET},{SECRET}\n", "rows.csv: no column is named by a fact"),
        ("visit.minutes;plan.payer\n60;a\n", "rows.csv:1:1: found no commas between the names"),
        (f"{HEAD}60,{SECRET},\n\n60,{SECRET}\n", "rows.csv:4:1: found 2 fields\n    expected 3, as many as the first"),
        (f"{HEAD}60,{SECRET},\n60,{SECRET},,\n", "rows.csv:3:1: found 4 fields"),
        (f'{HEAD}60,"{SECRET}\n\n",\n{SECRET}\n', "rows.csv:5:1: found 1 field\n"),
        ((HEAD + f"60,a,{SECRET * 20}\n" * 100 + "60,a\n") * 2, "rows.csv:102:1: found 2 fields"),
        (f"{HEAD}60,a,\n60,{SECRET}".encode() + b"\xff,\n", "rows.csv:3:1: found bytes that are no text"),
        (HEAD.encode("utf-16"), "rows.csv:1:1: found bytes that are no text\n    expected text in UTF-8"),
        (f'{HEAD}60,a,\n60,{SECRET},"\n60,a,\n', "rows.csv:3:1: found a quote that is never closed"),
        (f'{HEAD}60,a,"{SECRET}\n60,a,"b"\n60,"b",\n', "rows.csv:3:1: found a quote within a field"),
        (f'{HEAD}60,7" {SECRET},\n', "rows.csv:2:1: found a quote within a field"),
        (f"{HEAD}60,a,\n".replace("\n", "\r"), "rows.csv:1:1: the names of the columns cannot be read"),
        ("visit.minutes,note,visit.minutes\n1,2,3\n", "rows.csv: column 3 has the name of one before it"),
        ("visit.minutes,visit.date,coverage\n1,,3\n", "rows.csv: coverage: there is a column of this name already"),
        ("visit.minuts\n1\n", "did you mean visit.minutes?"),
        (f'"visit.minutes\n{SECRET}\n', "rows.csv:1:1: the names of the columns cannot be read"),
    ],
)
def test_csv_that_cannot_be_used_is_one_clear_error(tmp_path, data, said):
    source = tmp_path / "rows.csv"
    source.write_bytes(data if isinstance(data, bytes) else data.encode())
    (tmp_path / "out.csv").write_text("before")
    result = CliRunner().invoke(main, ["batch", str(source), "--ruleset", BASE.id, "-o", str(tmp_path / "out.csv")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr.replace(f"{tmp_path}/", "")
    assert SECRET not in result.stderr
    assert result.stderr.count("rows.csv") == 1
    assert (tmp_path / "out.csv").read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "rows.csv"]


def test_a_row_without_an_end_is_not_read_to_the_end_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "_MAX_RECORD", 50_000)
    (tmp_path / "rows.csv").write_text(HEAD + '60,a,"' + "60,a,\n" * 50_000)
    with pytest.raises(CovrulesError, match=r"rows\.csv:2:1: found a row that is too long: is a quote never closed"):
        batch.run(tmp_path / "rows.csv", BASE, tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("source", "out", "more", "said"),
    [
        ("none.csv", "out.csv", (), "none.csv: No such file or directory"),
        ("rows.csv.gz", "out.csv", (), "rows.csv.gz: its name does not say what it is"),
        ("rows.csv", "out.txt", (), "out.txt: its name does not say what it is\n    expected a name that ends in"),
        ("rows.csv", "rows.csv", (), "rows.csv: it is read, and cannot be written as well"),
        ("rows.csv", "link.csv", (), "link.csv: it is read, and cannot be written as well"),
        ("rows.csv", "plans.csv", ("--plans", "plans.csv"), "plans.csv: it is read, and cannot be written"),
        ("rows.csv", "none/out.csv", (), "none/out.csv: there is no such folder"),
        ("rows.csv", "folder.csv", (), "folder.csv: it is a folder"),
        ("folder.csv", "out.csv", (), "folder.csv: Is a directory"),
        ("text.parquet", "out.csv", (), "text.parquet: it is no Parquet file, or a damaged one"),
        ("cut.parquet", "out.csv", (), "cut.parquet: it is no Parquet file, or a damaged one"),
        ("rows.csv", "out.csv", ("--plans", "none.csv"), "none.csv: No such file or directory"),
        ("rows.csv", "out.csv", ("--plans", "rows.csv"), "rows.csv: plan.id: the plans have no such column"),
        (
            "rows.csv",
            "out.csv",
            ("--plans", "plans.csv"),
            "rows.csv: plan.id: there is no such column, by which to find",
        ),
        ("rows.csv", "out.csv", ("--plans", "twice.csv"), "twice.csv: plan.id: found no id, or one that another plan"),
        ("rows.csv", "out.csv", ("--ruleset", "none"), "there is no shipped ruleset 'none'"),
    ],
)
def test_files_that_cannot_be_used_end_with_2(tmp_path, monkeypatch, source, out, more, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(f"visit.minutes\n{SECRET}\n")
    (tmp_path / "link.csv").symlink_to("rows.csv")
    (tmp_path / "plans.csv").write_text("plan.id,plan.payer\na,b\n")
    (tmp_path / "twice.csv").write_text(f"plan.id,note\n{SECRET},\n{SECRET},\n")
    (tmp_path / "text.parquet").write_text(SECRET)
    (tmp_path / "folder.csv").mkdir()
    ROWS.write_parquet(tmp_path / "cut.parquet")
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:100] + b"\0" * 5000 + whole[5100:])
    before = sorted(os.listdir(tmp_path))
    result = CliRunner().invoke(main, ["batch", source, "--ruleset", BASE.id, "-o", out, *more])
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert SECRET not in result.stderr
    assert sorted(os.listdir(tmp_path)) == before


def test_lists_that_csv_would_change_are_refused(tmp_path):
    for element in ("a|b", "", None):
        pl.DataFrame({"visit.minutes": [60, 60], "tags": [["a"], ["b", element]]}).write_parquet(
            tmp_path / "in.parquet"
        )
        with pytest.raises(CovrulesError, match=r"column tags has a list with an element that is empty, or with \| in"):
            batch.run(tmp_path / "in.parquet", BASE, tmp_path / "out.csv")
    assert os.listdir(tmp_path) == ["in.parquet"]


@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_a_full_disk_is_told_of(tmp_path, monkeypatch, out):
    resource = pytest.importorskip("resource")
    given(tmp_path, ".parquet")
    monkeypatch.chdir(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        result = CliRunner().invoke(main, ["batch", "given.parquet", "--ruleset", BASE.id, "-o", out])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.exit_code, result.stderr) == (2, f"{out}: File too large\n")
    assert os.listdir(tmp_path) == ["given.parquet"]


def test_without_the_libraries_it_says_what_to_install(tmp_path, monkeypatch):
    given(tmp_path, ".csv")
    for name in [name for name in sys.modules if name.startswith("covrules.batch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(covrules, "batch")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ["batch", str(tmp_path / "given.csv"), "--ruleset", BASE.id, "-o", str(tmp_path / "out.csv")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (2, "this needs pyarrow: pip install 'covrules[frames]'\n")


def test_the_command_line_imports_none_of_the_libraries_before_they_are_needed(tmp_path):
    code = "import sys, covrules.cli; print({'polars', 'pyarrow', 'numpy'} & {*sys.modules})"
    with python(tmp_path, code) as process:
        assert process.communicate() == ("set()\n", "")


# --- interruptions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_a_run_that_ends_early_leaves_what_was_there(tmp_path, monkeypatch, out, error):
    source = given(tmp_path, ".parquet")
    real = polars_frames.decider

    def decider(*arguments, **how):
        decide = real(*arguments, **how)

        def some(frame, numbers):
            if numbers is not None and numbers[0] > 0:
                raise error
            return decide(frame, numbers)

        return some

    monkeypatch.setattr(polars_frames, "decider", decider)
    (tmp_path / out).write_text("before")
    result = CliRunner().invoke(main, ["batch", str(source), "--ruleset", BASE.id, "-o", str(tmp_path / out)])
    if error is KeyboardInterrupt:
        assert (result.exit_code, result.stderr) == (130, f"interrupted: nothing is written to {tmp_path / out}\n")
    else:
        assert result.exit_code == 1
    assert (tmp_path / out).read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == sorted(["given.parquet", out])


SLOW = """
import signal, sys, time
from covrules.cli import main
from covrules.frames import polars_frames
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
real = polars_frames.decider
def decider(*arguments, **how):
    decide = real(*arguments, **how)
    def slow(frame, numbers):
        if numbers is not None:
            print("deciding", flush=True)
            time.sleep(30)
        return decide(frame, numbers)
    return slow
polars_frames.decider = decider
main(sys.argv[1:])
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_control_c_and_termination_end_a_run(tmp_path, stop):
    given(tmp_path, ".csv")
    with python(tmp_path, SLOW, "batch", "given.csv", "--ruleset", BASE.id, "-o", "out.parquet") as process:
        assert process.stdout.readline() == "deciding\n"
        assert len(os.listdir(tmp_path)) == 2
        process.send_signal(stop)
        said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (130, "interrupted: nothing is written to out.parquet\n")
    assert os.listdir(tmp_path) == ["given.csv"]


def test_a_run_in_a_thread_ends_as_any_and_signals_are_as_before(tmp_path):
    source, before = given(tmp_path, ".csv"), signal.getsignal(signal.SIGTERM)
    arguments = ["batch", str(source), "--ruleset", BASE.id, "-o", str(tmp_path / "out.csv")]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(CliRunner().invoke, main, arguments).result().exit_code == 0
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert signal.getsignal(signal.SIGTERM) == before


# --- as a user sees it ------------------------------------------------------------------------------------------


def test_the_summary_is_all_that_is_said_where_nobody_watches(tmp_path, monkeypatch):
    given(tmp_path, ".csv")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["batch", "given.csv", "--ruleset", BASE.id, "-o", "out.csv"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"60 rows decided by medical-massage {BASE.version}, written to out.csv"
    assert [line.split()[0] for line in lines[2:6]] == ["covered", "partial", "not-covered", "undetermined"]
    assert "Set aside" not in result.stdout


def test_on_a_terminal_a_bar_shows_how_far_it_is(tmp_path):
    given(tmp_path, ".parquet")
    with terminals(tmp_path) as open_:
        terminal = open_("batch", "given.parquet", "--ruleset", BASE.id, "-o", "out.csv")
        terminal.wait_for("100%")
        terminal.wait_for("60 rows")
        terminal.wait_for("rows/s")
        assert terminal.end("60 rows decided by medical-massage") == 0


def test_stage_and_day_are_those_asked_for(tmp_path):
    source = given(tmp_path, ".parquet")
    arguments = ["batch", str(source), "--ruleset", BASE.id, "-o", str(tmp_path / "out.parquet")]
    result = CliRunner().invoke(main, [*arguments, "--stage", "billed", "--as-of", "2026-03-01"])
    assert result.exit_code == 0
    want = BASE.evaluate_frame(ROWS, reasons=True, errors="collect", stage="billed", as_of="2026-03-01")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(want)


MEASURED = """
import atexit, resource, sys
from covrules.cli import main
atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
main(sys.argv[1:])
"""


@pytest.mark.long
def test_a_million_rows_take_little_memory(tmp_path):
    frame = populations.generate(visits=250_000, plans=50, seed=1, unknown=0.02).wide().to_arrow()
    with pq.ParquetWriter(tmp_path / "in.parquet", frame.schema) as writer:
        for _ in range(4):
            writer.write_table(frame)
    for out in ("out.csv", "out.parquet"):
        with python(tmp_path, MEASURED, "batch", "in.parquet", "--ruleset", BASE.id, "-o", out) as process:
            said = process.communicate(timeout=300)[0]
        assert said.startswith("1,000,000 rows")
        assert int(said.splitlines()[-1]) < 1.5 * 2**20

"""The command line, one function a verb."""

import datetime as dt
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from covrules import __version__
from covrules.api import ENGINES, evaluate, load
from covrules.case_files import placed, read_case, visit_date
from covrules.checking import Report, check
from covrules.errors import CovrulesError, EngineDisagreement, EngineUnavailable, FactError, Problem, shown
from covrules.intake import Intake
from covrules.intake.conversation import converse as take_in
from covrules.interview.answers_file import read_answers
from covrules.interview.asking import Interview
from covrules.interview.conversation import converse, summary
from covrules.interview.plan_file import MAX_DAYS, VERIFY_AFTER
from covrules.library import read_file, resolve, shipped
from covrules.outlines import AUDIENCES, headline
from covrules.rendering import page, questions_to_data, questions_to_text, to_html, to_rich
from covrules.rule import STAGES
from covrules.showing import IN_BRIEF, in_brief, ruleset_to_text
from covrules.terminal import say
from covrules.verdicts import Verdict
from covrules.yaml_nodes import MAX_BYTES

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="covrules")
def main() -> None:
    """Explained coverage verdicts for medical massage.

    A ruleset is named by a shipped id (see `covrules list`) or by a path, which has a slash or ends in .yaml.
    The exit status is 0 if the command ran, 1 if it found something wrong, 2 if its input cannot be used.
    """


_RULESET = click.option("--ruleset", required=True, metavar="ID|PATH", help="The rules to use.")
_STAGE = click.option(
    "--stage", type=click.Choice(STAGES), default="planned", show_default=True, help="How far the visit has come."
)
_AS_OF = click.option(
    "--as-of", type=_DAY, metavar="DATE", help="The day that chooses versions and values, if the visit has no date."
)
_TODAY = click.option("--today", type=_DAY, metavar="DATE", help="The day before which no remedy sets a date.")
_FORMS = ("text", "json", "html", "checklist", "checklist-markdown", "checklist-html")


@main.command("evaluate")
@click.argument("case")
@_RULESET
@_STAGE
@click.option("--engine", type=click.Choice(ENGINES), default="checked", show_default=True, help="How to decide.")
@click.option("--format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
@click.option(
    "--for",
    "for_",
    type=click.Choice(AUDIENCES),
    help="Who is to read a text or HTML: if not told, the front desk.",
)
@_AS_OF
@_TODAY
@click.option(
    "--rule-pages", metavar="URL", help="Link the findings in HTML to the pages of their rules, which are under URL."
)
@click.option("--fail-unless", type=click.Choice(["covered"]), help="Exit with 1 unless the visit is covered.")
def evaluate_command(
    case: str,
    ruleset: str,
    form: str,
    for_: str | None,
    rule_pages: str | None,
    fail_unless: str | None,
    **how: Any,
) -> None:
    """Say whether CASE is covered, how many units, why, what to ask, and what would turn it.

    CASE is a YAML or JSON file of facts in their groups; - reads standard input. Of several versions of a shipped
    ruleset, the one in force on the day of the visit is used.
    """
    if for_ is not None and form not in ("text", "html"):
        raise click.UsageError(f"--for is for texts and HTML: {form} is the same for all who read it")
    if rule_pages is not None and form != "html":
        raise click.UsageError(f"--rule-pages is for HTML: {form} has no links")
    verdict = _decided(case, ruleset, **how)
    _print(verdict, form, for_ or "front-desk", rule_pages)
    if fail_unless is not None and verdict.coverage != fail_unless:
        sys.exit(1)


@main.command("questions")
@click.argument("case")
@_RULESET
@_STAGE
@_AS_OF
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def questions_command(case: str, ruleset: str, form: str, **how: Any) -> None:
    """Say what to ask about CASE, by whom to ask, the most telling first, and which answers would decide at once.

    CASE is as for evaluate.
    """
    verdict = _decided(case, ruleset, **how)
    if form == "json":
        _print_json(questions_to_data(verdict))
    else:
        click.echo(questions_to_text(verdict))


def _decided(
    case: str,
    ruleset: str,
    stage: Any,
    as_of: dt.datetime | None,
    today: dt.datetime | None = None,
    engine: str = "checked",
) -> Verdict:
    def decide() -> Verdict:
        data, name = _read(case)
        day = as_of.date() if as_of else None
        rules = load(ruleset, on=visit_date(data, name) or day)
        facts = read_case(data, name, rules.declares)
        before = today.date() if today else None
        try:
            return evaluate(rules, facts, stage=stage, engine=engine, as_of=day, today=before)
        except FactError as error:
            raise placed(error, data, name) from None

    verdict: Verdict = _usable(decide)
    return verdict


def _read(argument: str) -> tuple[bytes, str]:
    if argument == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1), "standard input"
    return read_file(argument), argument


def _print(verdict: Verdict, form: str, for_: str, rule_pages: str | None) -> None:
    if form == "json":
        _print_json(verdict.to_dict())
    elif form == "html":
        click.echo(page(headline(verdict), to_html(verdict, for_, rule_pages)))
    elif form.startswith("checklist"):
        click.echo(verdict.checklist(form.partition("-")[2] or "text"))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(to_rich(verdict, for_))
    else:
        click.echo(verdict.explain(for_))


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


@main.command("check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def check_command(paths: tuple[str, ...]) -> None:
    """Load rulesets, run their examples, and say what these leave untried and which slips they miss.

    PATH is a ruleset or a folder of them.
    """
    wrong = False
    told: dict[Problem, None] = {}
    for path in [file for argument in paths for file in _files(argument)]:
        try:
            report = check(load(path))
        except CovrulesError as error:
            # What is wrong with a file is wrong with all that extend it, and said once.
            for problem in error.problems:
                if problem not in told:
                    click.echo(str(problem), err=True)
            told |= dict.fromkeys(error.problems)
        except EngineDisagreement as error:
            click.echo(str(error), err=True)
            wrong = True
        else:
            _print_report(report)
            wrong = wrong or bool(report.failures)
    sys.exit(2 if told else 1 if wrong else 0)


def _files(argument: str) -> list[str | Path]:
    folder = Path(argument)
    if not folder.is_dir():
        return [folder if folder.is_file() else argument]
    files: list[str | Path] = [*filter(Path.is_file, sorted(folder.rglob("*.yaml")))]
    if not files:
        raise click.UsageError(f"{argument} holds no ruleset: there is no .yaml file in it")
    return files


def _print_report(report: Report) -> None:
    ruleset = report.ruleset
    passed = report.run - len(report.failures)
    noticed = len(report.noticed)
    alike = f" (and {len(report.alike)} that no example was found for)" if report.alike else ""
    click.echo(
        f"{ruleset.id} {ruleset.version}: {len(ruleset.rules)} rules, {passed} of {report.run} examples as they say, "
        f"{noticed} of {noticed + len(report.survivors)} mutants noticed{alike}"
    )
    for failure in report.failures:
        click.echo(f"  wrong: {failure.place}: {failure.rule} should be {failure.expected} and is {failure.found}")
    for rule, status in report.unexercised:
        click.echo(f"  not exercised: {rule} {status}")
    for rule, branch in report.branches:
        click.echo(f"  not exercised: {rule}: {shown(branch)}")
    for survivor in report.survivors:
        mutant = survivor.mutant
        click.echo(f"  survives: {mutant.rule.id}: {shown(mutant.change)}; this example would notice it:")
        click.echo(f"      - {survivor.example}")
    for note in report.notes:
        click.echo(f"  note: {note}")


@main.command("list")
def list_command() -> None:
    """List the shipped rulesets: payer, status, days in force, rules and sources."""
    known = shipped()
    rows = [in_brief(resolve(file, known, files, None)) for files in known.values() for file in files]
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(*IN_BRIEF, box=box.SIMPLE)
        table.columns[0].min_width = max(len(row[0]) for row in rows)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(IN_BRIEF, *rows, strict=True)]
    for row in (IN_BRIEF, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@main.command("show")
@click.argument("ruleset", metavar="ID|PATH")
@click.option("--on", type=_DAY, metavar="DATE", help="Of several versions, show the one in force on this day.")
def show_command(ruleset: str, on: dt.datetime | None) -> None:
    """Say a whole ruleset in plain words: every rule, where it comes from, and what replaced, waived or disabled it."""
    click.echo(ruleset_to_text(_usable(lambda: load(ruleset, on=on.date() if on else None))))


@main.command("new")
@click.argument("path")
@click.option("--answers", metavar="FILE", help="Take all answers from a YAML or JSON file (- is standard input).")
@click.option(
    "--verify-after",
    type=click.IntRange(0, MAX_DAYS),
    metavar="DAYS",
    help=f"After how many days to ask again what was said; if not told, as the file says or {VERIFY_AFTER}.",
)
def new_command(path: str, answers: str | None, verify_after: int | None) -> None:
    """Ask what a plan says, on the telephone with its insurer, and write the plan to PATH, a .yaml file.

    If the file is there already, the interview goes on where it stopped: it asks what is open, and again what was said
    too long ago.
    """
    today = dt.date.today()

    def ask() -> Interview:
        interview = Interview.begin(Path(path), today, verify_after)
        if answers is None:
            return converse(interview)
        data, name = _read(answers)
        given = read_answers(data, name, today)
        try:
            return interview.merge(given).save()
        except FactError as error:
            raise placed(error, data, name) from None

    say(summary(_usable(ask)))


@main.command("intake")
@click.argument("case", required=False)
@click.option("--ruleset", required=True, metavar="ID|PATH", help="The rules to use.")
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    default="planned",
    show_default=True,
    help="How far the visit has come.",
)
@click.option(
    "--as-of", type=_DAY, metavar="DATE", help="The day that chooses versions and values, if the visit has no date."
)
@click.option("--today", type=_DAY, metavar="DATE", help="The day before which nothing is proposed to be done.")
@click.option("--save", metavar="FILE", help="Save every answer at once in a case file, a .yaml file.")
def intake_command(
    case: str | None,
    ruleset: str,
    stage: Any,
    as_of: dt.datetime | None,
    today: dt.datetime | None,
    save: str | None,
) -> None:
    """Ask one question at a time until it is certain whether a visit is covered, and say why.

    CASE is a file of what is known already, as evaluate takes it. To go on another time, name one file as CASE and
    with --save: it need not be there to begin with.
    """
    if case == "-":
        raise click.UsageError("CASE must be a file: standard input is where the answers are typed")
    day = as_of.date() if as_of else None
    told = {"stage": stage, "as_of": day, "today": today.date() if today else None}

    def begin() -> Intake:
        if case is None or (save is not None and Path(case) == Path(save) and not Path(case).exists()):
            return Intake.start(load(ruleset, on=day), **told)
        rules = load(ruleset, on=visit_date(read_file(case), case) or day)
        return Intake.resume(case, rules, **told)

    _usable(lambda: take_in(begin(), save))


@main.command("batch")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@_RULESET
@click.option("-o", "out", required=True, metavar="OUT", type=click.Path(path_type=Path), help="The result.")
@click.option("--plans", metavar="FILE", type=click.Path(path_type=Path), help="The facts of plans, by their plan.id.")
@_STAGE
@_AS_OF
def batch_command(
    source: Path, ruleset: str, out: Path, plans: Path | None, stage: Any, as_of: dt.datetime | None
) -> None:
    """Decide every row of IN, a file of any length, and write it to OUT with its verdict beside it.

    IN, OUT and the plans are Parquet or CSV, as the ends of their names say (.parquet, .csv). Columns are named by
    their facts (visit.minutes), an empty cell is unknown; a set in CSV has | between its elements, and is empty if it
    is | alone. Rows with values that cannot be used are kept, without a verdict: the column problems says why.
    """
    day = as_of.date() if as_of else None

    def decide() -> Any:
        from covrules.batch import progress_bar, run

        with _ended_by_termination(), progress_bar() as progress:
            return run(source, load(ruleset, on=day), out, plans, stage, day, progress)

    try:
        click.echo(_usable(decide).to_text())
    except ImportError as error:
        _end(error, 2)
    except KeyboardInterrupt:
        click.echo(f"interrupted: nothing is written to {shown(str(out))}", err=True)
        sys.exit(130)


@contextmanager
def _ended_by_termination() -> Iterator[None]:
    """Let what stops a process from outside end it as Control-C does, so that nothing half-written stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _usable(make: Callable[[], Any]) -> Any:
    """Return what is made, or end with the status of what cannot be used."""
    try:
        return make()
    except (CovrulesError, EngineUnavailable) as error:
        _end(error, 2)
    except EngineDisagreement as error:
        _end(error, 1)


def _end(error: Exception, status: int) -> NoReturn:
    click.echo(str(error), err=True)
    sys.exit(status)

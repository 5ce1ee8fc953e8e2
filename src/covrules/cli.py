"""The command line, one function a verb."""

import datetime as dt
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from covrules import __version__
from covrules.api import ENGINES, evaluate, load
from covrules.case_files import placed, read_case, visit_date
from covrules.checking import Report, check
from covrules.errors import CovrulesError, EngineDisagreement, EngineUnavailable, FactError, Problem, shown
from covrules.interview.answers_file import read_answers
from covrules.interview.asking import Interview
from covrules.interview.conversation import converse, say, summary
from covrules.interview.plan_file import MAX_DAYS, VERIFY_AFTER
from covrules.library import read_file, resolve, shipped
from covrules.rule import STAGES
from covrules.showing import IN_BRIEF, in_brief, ruleset_to_text
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


@main.command("evaluate")
@click.argument("case")
@click.option("--ruleset", required=True, metavar="ID|PATH", help="The rules to use.")
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    default="planned",
    show_default=True,
    help="How far the visit has come.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="checked", show_default=True, help="How to decide.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option(
    "--as-of", type=_DAY, metavar="DATE", help="The day that chooses versions and values, if the visit has no date."
)
@click.option("--fail-unless", type=click.Choice(["covered"]), help="Exit with 1 unless the visit is covered.")
def evaluate_command(
    case: str, ruleset: str, stage: Any, engine: str, form: str, as_of: dt.datetime | None, fail_unless: str | None
) -> None:
    """Say whether CASE is covered, how many units, why, and what to ask.

    CASE is a YAML or JSON file of facts in their groups; - reads standard input. Of several versions of a shipped
    ruleset, the one in force on the day of the visit is used.
    """

    def decide() -> Verdict:
        data, name = _read(case)
        day = as_of.date() if as_of else None
        rules = load(ruleset, on=visit_date(data, name) or day)
        facts = read_case(data, name, rules.declares)
        try:
            return evaluate(rules, facts, stage=stage, engine=engine, as_of=day)
        except FactError as error:
            raise placed(error, data, name) from None

    verdict = _usable(decide)
    _print(verdict, form)
    if fail_unless is not None and verdict.coverage != fail_unless:
        sys.exit(1)


def _read(argument: str) -> tuple[bytes, str]:
    if argument == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1), "standard input"
    return read_file(argument), argument


def _print(verdict: Verdict, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(verdict.to_dict(), indent=2, ensure_ascii=False))
    elif form == "html":
        click.echo(verdict._repr_html_())
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(verdict)
    else:
        click.echo(verdict.explain())


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

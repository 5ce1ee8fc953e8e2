"""What conversations on a terminal share: how lines are printed, and how what is typed is taken."""

from collections.abc import Iterable, Iterator

import click

from covrules.errors import CovrulesError, FactError, Problem, shown
from covrules.rendering import wrapped


def say(lines: Iterable[str]) -> None:
    """Print lines, each wrapped where it is too long for a page."""
    for line in lines:
        text = line.lstrip()
        indent = " " * (len(line) - len(text))
        for part in wrapped(shown(text), indent) or [""]:
            click.echo(part)


def type_in() -> str:
    """Return what is typed, without the spaces around it.

    Raises FactError where it is no text, click.Abort where no more will be typed.
    """
    try:
        text: str = click.prompt(">", prompt_suffix=" ", default="", show_default=False)
    except UnicodeDecodeError:
        wrong = Problem(file="standard input", message="a byte that is not text", expected="text in UTF-8")
        raise FactError([wrong]) from None
    return text.strip()


def wrong(error: CovrulesError) -> Iterator[str]:
    """Yield what is wrong with what was typed, line by line, without the names of facts."""
    for problem in error.problems:
        yield f"  {problem.message}"
        yield from [f"  expected {problem.expected}"] if problem.expected else []
        yield from [f"  {problem.hint}"] if problem.hint else []

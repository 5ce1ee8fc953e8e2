"""An intake, without a terminal: the next question of a verdict, what each answer makes of it, and the case file."""

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import attrs

from covrules.api import evaluate
from covrules.case_files import placed, read_case
from covrules.case_reading import own_values
from covrules.declaring import Fact
from covrules.errors import FactError, Problem, RulesetError
from covrules.facts import GROUPS, OWN, Case, Own, with_groups
from covrules.kinds import Unfit
from covrules.library import read_file
from covrules.questions import Question
from covrules.rule import Stage
from covrules.rulesets import Ruleset
from covrules.truth import with_sources
from covrules.typed import expected, read_answer
from covrules.verdicts import Verdict
from covrules.writing import replace, written_value

_DAY: Final = "visit.date"
_HEADER: Final = (
    "# A case, as it was answered: covrules evaluate says whether it is covered, covrules intake asks what is open."
)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Intake:
    """An intake as it stands; every answer makes the next.

    `case` is what is known, `left_open` are the facts that nobody could answer, which are not asked again; `today`
    is the day on which it is asked, if that is told. `past` is the intake before each answer, and `on_disk` what
    its files hold, by place. `ruleset`, `stage` and `as_of` are as `covrules.api.evaluate` takes them.

    >>> import covrules
    >>> intake = Intake.start(covrules.load("medical-massage"))
    >>> while intake.question.fact != "visit.liability":
    ...     intake = intake.dont_know()
    >>> intake.question.ask
    'Does an auto insurer, a work insurer or another plan pay first?'
    >>> intake.answer("work").verdict.coverage
    'not-covered'
    """

    ruleset: Ruleset
    case: Case
    stage: Stage
    as_of: dt.date | str | None
    today: dt.date | str | None
    left_open: tuple[str, ...] = ()
    past: tuple["Intake", ...] = ()
    on_disk: Mapping[str, bytes] = attrs.field(factory=dict)

    # --- beginning ------------------------------------------------------------------------------------------

    @classmethod
    def start(
        cls,
        ruleset: Ruleset,
        case: Case = Case(),  # noqa: B008 - immutable
        *,
        stage: Stage = "planned",
        as_of: dt.date | str | None = None,
        today: dt.date | str | None = None,
    ) -> "Intake":
        """Return the intake of what a case leaves open; the rest is as `covrules.api.evaluate` takes it.

        Raises FactError where the ruleset cannot be used on the case.
        """
        if case.own:
            case = with_groups(case, {OWN: Own(own_values(case.own, ruleset.declares))})
        return cls(ruleset=ruleset, case=case, stage=stage, as_of=as_of, today=today)._sound()

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        ruleset: Ruleset,
        *,
        stage: Stage = "planned",
        as_of: dt.date | str | None = None,
        today: dt.date | str | None = None,
    ) -> "Intake":
        """Return the intake that goes on with a case file; what was left open is asked again.

        Raises RulesetError where the file cannot be read, FactError where the case in it cannot be used.
        """
        name, data = os.fsdecode(path), read_file(path)
        try:
            case = read_case(data, name, ruleset.declares)
            begun = cls.start(ruleset, case, stage=stage, as_of=as_of, today=today)
        except FactError as error:
            raise placed(error, data, name) from None
        return attrs.evolve(begun, on_disk={os.path.realpath(path): data})

    # --- what there is to say and to ask --------------------------------------------------------------------

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict on what is known; None where the ruleset needs the day of the visit and nobody has said it."""
        if self.ruleset.dated and self.as_of is None and self.case.visit.date is None:
            return None
        return evaluate(self.ruleset, self.case, stage=self.stage, as_of=self.as_of, today=self.today)

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """What is worth asking and was not left open, the most telling first."""
        asked = self._day_alone if self.verdict is None else self.verdict.questions
        return tuple(question for question in asked if question.fact not in self.left_open)

    @property
    def question(self) -> Question | None:
        """What to ask now; None where nothing is left."""
        return next(iter(self.questions), None)

    @property
    def fact(self) -> Fact:
        """The fact that the question asks for; raises ValueError where nothing is left to ask."""
        if self.question is None:
            raise ValueError("no question is open")
        return self.ruleset.vocabulary[self.question.fact]

    @property
    def expected(self) -> str:
        """What may be typed for the question; raises ValueError where nothing is left to ask."""
        return expected(self.fact.kind)

    @property
    def progress(self) -> tuple[int, int]:
        """Which question this is, and of about how many."""
        left = len(self.questions)
        if self.verdict is None and left:
            read = with_sources(self.ruleset.facts, self.ruleset.vocabulary)
            left = len({_DAY, *[fact.path for fact in read if self._may_be_asked(fact)]})
        return len(self.past) + 1, len(self.past) + left

    def _may_be_asked(self, fact: Fact) -> bool:
        known = self.case.get(fact.path) is not None or fact.path in self.ruleset.fixed
        return not (known or fact.derived_from)

    @property
    def _day_alone(self) -> tuple[Question]:
        day = self.ruleset.vocabulary[_DAY]
        return (Question(day.path, day.who, day.ask),)

    # --- answers --------------------------------------------------------------------------------------------

    def answer(self, given: Any) -> "Intake":
        """Return the intake after an answer to the question: text as it is typed, or any other value of its kind.

        Raises FactError where this is no answer, or the ruleset cannot be used with it, and never repeats it;
        ValueError where nothing is left to ask.
        """
        fact = self.fact
        group = getattr(self.case, fact.group)
        known = {fact.name: _read(fact, given)}
        knowing = Own({**group, **known}) if fact.group == OWN else attrs.evolve(group, **known)
        return self._after(case=with_groups(self.case, {fact.group: knowing}))

    def dont_know(self) -> "Intake":
        """Return the intake with the question left open; raises ValueError where nothing is left to ask."""
        return self._after(left_open=(*self.left_open, self.fact.path))

    def back(self) -> "Intake":
        """Return the intake before the last answer, be it that nobody knows; before the first, the intake itself."""
        return attrs.evolve(self.past[-1], on_disk=self.on_disk) if self.past else self

    def _after(self, **changes: Any) -> "Intake":
        return attrs.evolve(self, past=(*self.past, self), **changes)._sound()

    def _sound(self) -> "Intake":
        """Return the intake if the ruleset can be used on what is known; raises FactError."""
        _ = self.verdict
        return self

    # --- the file -------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Return what is known as a case file in YAML."""
        return "\n".join([_HEADER, *(list(self._lines()) or ["{}"]), ""])

    def _lines(self) -> Iterator[str]:
        for group in (*GROUPS, OWN):
            facts = [fact for fact in self.ruleset.vocabulary.values() if fact.group == group]
            values = [(fact, self.case.get(fact.path)) for fact in facts]
            lines = [f"  {fact.name}: {written_value(fact.kind, value)}" for fact, value in values if value is not None]
            yield from [f"{group}:", *lines] if lines else []

    def save(self, path: str | os.PathLike[str]) -> "Intake":
        """Write the case file, as a whole or not at all, and return the intake that knows it is there.

        A file that is there already is only written if the intake began with it or has saved it, and nobody else has
        changed it since. Raises RulesetError, and FactError for a case that no file can hold.
        """
        name = os.fsdecode(path)
        try:
            place = os.path.realpath(name)
        except ValueError:
            raise _no_place(name, "this cannot be the name of a file", "another name") from None
        if name.endswith(".json"):
            raise _no_place(name, "a file of this name is read as JSON, and what is saved is YAML", "a .yaml file")
        old, written = self.on_disk.get(place), self.text().encode()
        if written == old:
            return self
        if old is None and os.path.lexists(place):
            raise _no_place(name, "this is there already, and would be lost", "a new file, or the one it began with")
        read_case(written, name, self.ruleset.declares)
        replace(Path(name), old, written)
        return attrs.evolve(self, on_disk={**self.on_disk, place: written})


def _read(fact: Fact, given: Any) -> Any:
    """Return the value of an answer to a fact; raises FactError, which does not repeat it."""
    typed = isinstance(given, str)
    try:
        if not typed:
            return fact.kind.parse(given)
        if not given.strip():
            raise Unfit("nothing")
        return read_answer(fact.kind, given.strip())
    except Unfit as unfit:
        hint = None if unfit.telling else unfit.hint
        wanted = expected(fact.kind) if typed else fact.kind.expected
        raise FactError([Problem(path=fact.path, message=f"found {unfit.found}", expected=wanted, hint=hint)]) from None


def _no_place(name: str, message: str, expected: str) -> RulesetError:
    return RulesetError([Problem(file=name, message=message, expected=expected)])

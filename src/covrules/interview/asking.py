"""A plan interview, without a terminal: what is still to be asked of the insurer, and the plan the answers make."""

import datetime as dt
import os
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import attrs

from covrules.api import evaluate
from covrules.declaring import Fact
from covrules.errors import FactError, Problem, RulesetError, did_you_mean, printable
from covrules.facts import FACTS, Case, Plan, Visit
from covrules.interview.answers_file import Answers
from covrules.interview.plan_file import (
    BASE,
    MANDATES,
    PAYER,
    PLAN_FACTS,
    VERIFY_AFTER,
    Call,
    PlanFile,
    Said,
    loaded,
    read_plan,
)
from covrules.kinds import Date, Text, Unfit
from covrules.library import Files, among, beside, resolve, shipped
from covrules.node_reading import ID
from covrules.rule import Source
from covrules.rulesets import Ruleset
from covrules.truth import with_sources
from covrules.typed import expected, read_answer, typed
from covrules.verdicts import Verdict
from covrules.writing import replace

TITLE: Final = "title"
WITH, DAY, REFERENCE = CALL = ("call.with", "call.on", "call.reference")

_SOONEST: Final = (PAYER, "plan.massage_benefit", "plan.coverage_start", "plan.coverage_end")
"""What may show that no more need be asked, after the insurer's name."""
_ASKED: Final = (
    *_SOONEST,
    *sorted([path for path in PLAN_FACTS if path not in _SOONEST], key=lambda path: FACTS[path].who != "insurer"),
)
_LAST_DAY: Final = dt.date.max - dt.timedelta(days=1)


class Unconfirmed(FactError):
    """An answer that is taken once the person who gave it says that it is so."""


@attrs.frozen
class Question:
    """What is asked next, and what is expected; `known`, as it would be typed, stays if nothing is answered.

    `said_on` is the day on which the insurer said what is known, if that was in an earlier call: the answer `same`
    says that it was said again. `key` is the path of the fact asked for, or what of the call is asked.
    """

    key: str
    ask: str
    expected: str
    known: str | None = None
    said_on: dt.date | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Interview:
    """An interview as it stands; every answer makes the next.

    `asked` is what was answered or left open since it began, `again` what was taken back and comes first. `said`
    has None for the source of what is said in this call. `day` is that of this call; `id`, `title` and
    `verify_after` (in days) go into the file, and `notes` are what its header says beside them; `titled` tells
    whether somebody has said the title.

    >>> interview = Interview.start(Path("my-plan.yaml"), dt.date(2026, 11, 23))
    >>> for answer in ("Example PPO", "Example Health", "Maria", "", "884213"):
    ...     interview = interview.answer(answer)
    >>> interview.next_question.ask
    'Is massage covered, covered only with physical therapy, or excluded?'
    >>> interview = interview.answer("excluded")
    >>> interview.next_question is None, interview.certain.coverage
    (True, 'not-covered')
    """

    path: Path
    day: dt.date
    id: str
    title: str
    verify_after: int
    call: Call
    said: Mapping[str, tuple[Any, Source | None]] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    titled: bool = False
    around: Files
    on_disk: bytes | None = None

    # --- beginning ------------------------------------------------------------------------------------------

    @classmethod
    def begin(cls, path: Path, day: dt.date, verify_after: int | None = None) -> "Interview":
        """Return a new interview, or the one to go on with if there is such a file; raises RulesetError."""
        return (cls.resume if os.path.exists(path) else cls.start)(path, day, verify_after)

    @classmethod
    def start(cls, path: Path, day: dt.date, verify_after: int | None = None) -> "Interview":
        """Return the interview for a file that is still to be written, in a call on a day; raises RulesetError."""
        id = path.stem
        if path.suffix != ".yaml" or not ID.fullmatch(id):
            expected = "a file named in lower-case words joined by hyphens, such as my-plan.yaml"
            message = "this cannot be the file of a plan, which is known by its name"
            raise RulesetError([Problem(file=str(path), message=message, expected=expected)])
        if id in shipped():
            message = f"there is a shipped ruleset {id} already"
            raise RulesetError([Problem(file=str(path), message=message, expected="another name for the file")])
        title = id.replace("-", " ").capitalize()
        after = VERIFY_AFTER if verify_after is None else verify_after
        return cls(
            path=path, day=day, id=id, title=title, verify_after=after, call=Call(day), around=among(beside(path))
        )

    @classmethod
    def resume(cls, path: Path, day: dt.date, verify_after: int | None = None) -> "Interview":
        """Return the interview that goes on with a file, in another call on a day.

        Raises RulesetError where the file cannot be used, or holds what no interview writes.
        """
        around = among(beside(path))
        plan, data = read_plan(path, around)
        return cls(
            path=path,
            day=day,
            id=plan.id,
            title=plan.title,
            verify_after=plan.verify_after if verify_after is None else verify_after,
            call=Call(day),
            said={path: (said.value, said.source) for path, said in plan.facts.items()},
            notes=plan.notes,
            titled=True,
            around=around,
            on_disk=data,
        )

    # --- what is known --------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """This call, as the ruleset cites it."""
        earlier = [source for _, source in self.said.values() if source is not None]
        return self.call.source(self.known.get(PAYER), earlier)

    @property
    def facts(self) -> dict[str, Said]:
        """What is known, and the call in which it was said."""
        this = self.source
        return {path: Said(value, source or this) for path, (value, source) in self.said.items()}

    @property
    def known(self) -> dict[str, Any]:
        """The values that are known, by path."""
        return {path: value for path, (value, _) in self.said.items()}

    @property
    def open(self) -> tuple[str, ...]:
        """The facts that are not known, and worth asking for."""
        return self._wanted(self.known)

    @property
    def stale(self) -> tuple[str, ...]:
        """The facts that were said longer ago than they are good for, as seen on the day of this call."""
        return tuple(path for path in _ASKED if path in self.said and self._is_stale(path))

    def _is_stale(self, path: str) -> bool:
        source = self.said[path][1]
        return source is not None and source.read is not None and (self.call.on - source.read).days > self.verify_after

    @property
    def certain(self) -> Verdict | None:
        """The verdict on every visit from the day of the call on, if what is known suffices to tell."""
        return self._decided(self.known)

    @property
    def strangers(self) -> tuple[str, ...]:
        """The mandates that no ruleset is there for, so that they have no effect."""
        return tuple(id for id in self._mandates if not self._is_mandate(id))

    def _is_mandate(self, id: str) -> bool:
        """Return whether an id is that of a ruleset that writes a rule of the layer of mandates."""
        if id not in self.around or id == self.id:
            return False
        file, *_ = files = self.around[id]
        try:
            rules = resolve(file, self.around, files, None).rules
        except RulesetError:
            return True  # what is wrong in it is told where it is extended
        return any(rule.layer == "mandate" and rule.origin == id for rule in rules)

    @property
    def _mandates(self) -> list[str]:
        return sorted(self.known.get(MANDATES, ()))

    # --- what is to be asked --------------------------------------------------------------------------------

    @property
    def next_question(self) -> Question | None:
        """What to ask now; None where no more need be asked."""
        return self._question(self._due[0]) if self._due else None

    @property
    def progress(self) -> tuple[int, int]:
        """Which question this is, and of about how many."""
        return len(self.asked) + 1, len(self.asked) + len(self._due)

    @cached_property
    def _due(self) -> tuple[str, ...]:
        self._in_force()
        settled = {
            path: value for path, value in self.known.items() if path not in self.again and not self._is_stale(path)
        }
        wanted = [path for path in self._wanted(settled) if path not in self.asked]
        again = [key for key in self.again if key not in FACTS or key in wanted]
        title = [] if self.titled or TITLE in self.asked else [TITLE]
        call = [key for key in CALL if key not in self.asked] if wanted else []
        return tuple(dict.fromkeys([*again, *title, *[p for p in wanted if p == PAYER], *call, *wanted]))

    def _question(self, key: str) -> Question:
        if key in FACTS:
            fact = FACTS[key]
            value, source = self.said.get(key, (None, None))
            known = None if key not in self.said else typed(fact.kind, value)
            return Question(key, fact.ask, expected(fact.kind), known, source.read if source else None)
        insurer = self.known.get(PAYER) or "the insurer"
        if key == TITLE:
            return Question(key, "What is the plan called?", "a title, such as Example Health PPO", self.title)
        if key == WITH:
            return Question(key, f"With whom do you speak at {insurer}?", "a name", self.call.who)
        if key == DAY:
            return Question(key, "On which day is the call?", Date().expected, str(self.call.on))
        return Question(key, "Which reference number has the call?", "what the insurer says", self.call.reference)

    def _wanted(self, known: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the facts that are worth asking for while so much is known.

        A fact is worth it while some rule misses it, and always if no rule reads it; none is, once all is certain.
        """
        if self._decided(known) is not None:
            return ()
        verdict = self._verdict(known)
        missing = {path for finding in verdict.findings for path in finding.missing}
        rules = self._rules(known)
        fixed = rules.fixed_on(self.call.on)
        read = {
            fact.path for fact in with_sources([path for rule in rules.rules for path in rule.facts], rules.vocabulary)
        }
        return tuple(
            path for path in _ASKED if path not in known and path not in fixed and (path in missing or path not in read)
        )

    def _decided(self, known: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict if it is the same whatever else may be answered, for every visit from the call on."""
        verdict = self._verdict(known)
        if verdict.coverage != "undetermined" and not self._rules(known).dated:
            return verdict
        first, *days = self._turns(known)
        verdict = self._verdict(known, first)
        if verdict.coverage == "undetermined":
            return None
        return verdict if all(self._verdict(known, day).coverage == verdict.coverage for day in days) else None

    def _turns(self, known: Mapping[str, Any]) -> tuple[dt.date, ...]:
        """Return the days from the call on at which a comparison with a day that is known can change."""
        rules = self._rules(known)
        days = [value for value in known.values() if isinstance(value, dt.date)]
        days += [each for fixed in rules.fixed.values() for since, value in fixed.values for each in (since, value)
                 if isinstance(each, dt.date)]  # fmt: skip
        days = [each for day in days if day < _LAST_DAY for each in (day, day + dt.timedelta(days=1))]
        turns = {self.call.on, *[day for day in days if day > self.call.on], _LAST_DAY}
        return tuple(sorted(day for day in turns if rules.effective.holds(day)))

    def _verdict(self, known: Mapping[str, Any], visit: dt.date | None = None) -> Verdict:
        plan = Plan(**{FACTS[path].name: value for path, value in known.items()})
        case = Case(plan=plan, visit=Visit(date=visit))
        # The last stage, so that no rule is left for later.
        return evaluate(self._rules(known), case, stage="billed", engine="compiled", as_of=self.call.on)

    def _rules(self, known: Mapping[str, Any]) -> Ruleset:
        """Return the rules of the plan without what it fixes itself, which is known and stands in the case."""
        rules = self._inherited
        kept = frozenset(rules.fixed).difference(known)
        if len(kept) == len(rules.fixed):
            return rules
        if (Interview, kept) not in rules.made:
            fixed = {path: fixed for path, fixed in rules.fixed.items() if path in kept}
            rules.made[Interview, kept] = attrs.evolve(rules, fixed=fixed)
        made: Ruleset = rules.made[Interview, kept]
        return made

    @cached_property
    def _inherited(self) -> Ruleset:
        return loaded(PlanFile(id=self.id, title=self.id, extends=self._extends), self.path, self.around)

    @property
    def _extends(self) -> tuple[str, ...]:
        return (BASE, *[id for id in self._mandates if self._is_mandate(id)])

    # --- answers --------------------------------------------------------------------------------------------

    def answer(self, text: str, sure: bool = False) -> "Interview":
        """Return the interview after an answer to the next question, as it would be typed.

        Nothing leaves what is known as it is, in the call in which it was said; `same` says of what was said in an
        earlier call that it is said again. `?`, or nothing where nothing is known, leaves the question open. Raises
        FactError where this is no answer to the question, and its kind Unconfirmed where it is one only if one is
        `sure`; RulesetError where no ruleset could say so.
        """
        question = self._asking()
        text = text.strip()
        if text == "?" or (not text and question.known is None):
            return self.skip()
        if not text and question.said_on is not None:
            return self._asked(question.key)
        if not text or (question.said_on is not None and text.casefold() == "same"):
            return self._after(question.key, kept=True)
        value = _read(question, text)
        if question.key == DAY and value > self.day:
            raise _refused(question, "found a day to come", f"a day that is not after {self.day}")
        if question.key == MANDATES and not sure:
            self._doubt(question, value)
        return self._after(question.key, value)

    def skip(self) -> "Interview":
        """Return the interview with the next question left open: what was known of it is known no more."""
        return self._after(self._asking().key)

    def back(self) -> "Interview":
        """Return the interview with the last question asked again; before the first, the interview itself."""
        if not self.asked:
            return self
        return attrs.evolve(self, asked=self.asked[:-1], again=(self.asked[-1], *self.again))

    def merge(self, answers: Answers) -> "Interview":
        """Return the interview after a call in which all this was said; raises RulesetError, FactError.

        What a later call has said already may be repeated, and not contradicted.
        """
        later = {path: said for path, said in self.facts.items() if said.on > answers.call.on}
        problems = [
            Problem(
                path=path,
                message=f"the insurer said otherwise on {said.on}, after this call",
                hint="leave it out; if the later call was mistaken, correct the file of the plan",
            )
            for path, said in later.items()
            if answers.facts.get(path, said.value) != said.value
        ]
        if problems:
            raise FactError(problems)
        said = {**self.said, **{path: (value, None) for path, value in answers.facts.items() if path not in later}}
        title = answers.title or self.title
        return attrs.evolve(self, title=title, titled=True, call=answers.call, said=said)._sound()

    def _doubt(self, question: Question, mandates: Collection[str]) -> None:
        """Raise Unconfirmed if there is no ruleset, shipped or beside the file, for some of the mandates."""
        strange = [id for id in sorted(mandates) if not self._is_mandate(id)]
        known = [id for id in self.around if self._is_mandate(id)] if strange else []
        problems = [
            Problem(
                path=question.key,
                message=f"{printable(id)} is the id of no mandate there is a ruleset of, so it would have no effect",
                hint=did_you_mean(id, known),
            )
            for id in strange
        ]
        if problems:
            raise Unconfirmed(problems)

    def _asking(self) -> Question:
        if self.next_question is None:
            raise ValueError("no question is open")
        return self.next_question

    def _after(self, key: str, value: Any = None, kept: bool = False) -> "Interview":
        after: dict[str, Any] = {}
        if key in FACTS:
            said = dict(self.said)
            value = said.pop(key, (None, None))[0] if kept else value
            said.pop(key, None)
            after = {"said": said if value is None else {**said, key: (value, None)}}
        elif not kept and key in (WITH, REFERENCE):
            after = {"call": attrs.evolve(self.call, **{"who" if key == WITH else "reference": value})}
        elif not kept and value is not None:
            after = {"title": value} if key == TITLE else {"call": attrs.evolve(self.call, on=value)}
        return self._asked(key, **after)

    def _asked(self, key: str, **after: Any) -> "Interview":
        again = tuple(each for each in self.again if each != key)
        return attrs.evolve(self, asked=(*self.asked, key), again=again, **after)._sound()

    def _sound(self) -> "Interview":
        """Return the interview if there can be such a ruleset, and it is in force; raises RulesetError, FactError."""
        _ = self._due  # to tell, the plan so far is loaded and evaluated
        return self

    def _in_force(self) -> None:
        """Raise RulesetError where a mandate does not bind on the day of the call."""
        effective = self._inherited.effective
        if not effective.holds(self.call.on):
            ids = " and ".join(id for id in self._extends if id != BASE)
            message = f"{ids} is in force {effective}, and the call is on {self.call.on}"
            hint = f"answer {MANDATES} otherwise, or correct it in the file by hand"
            raise RulesetError(
                [Problem(file=str(self.path), message=message, expected="a mandate in force", hint=hint)]
            )

    # --- the file -------------------------------------------------------------------------------------------

    @property
    def plan(self) -> PlanFile:
        """The plan as its file says it."""
        return PlanFile(
            id=self.id,
            title=self.title,
            extends=self._extends,
            facts=self.facts,
            verify_after=self.verify_after,
            verified_on=self._verified_on(),
            open=self.open,
            notes=self.notes,
        )

    def text(self) -> str:
        """Return the file as it stands."""
        return self.plan.text()

    def save(self) -> "Interview":
        """Write the file, which must load and be as it was read, and return the interview that knows it is there.

        Raises RulesetError.
        """
        plan = self.plan
        written = plan.text().encode()
        if written == self.on_disk:
            return self
        loaded(plan, self.path, self.around)
        replace(self.path, self.on_disk, written)
        return attrs.evolve(self, on_disk=written)

    def _verified_on(self) -> dt.date | None:
        """Return the day of the oldest call that counts: what was said before it matters no more."""
        facts = self.facts
        for day in sorted({said.on for said in facts.values()}, reverse=True):
            since = {path: said.value for path, said in facts.items() if said.on >= day}
            if facts.keys().isdisjoint(self._wanted(since)):
                return day
        return None


def _read(question: Question, text: str) -> Any:
    fact: Fact | None = FACTS.get(question.key)
    kind = fact.kind if fact is not None else Date() if question.key == DAY else Text()
    try:
        return read_answer(kind, text)
    except Unfit as unfit:
        raise _refused(question, f"found {unfit.found}", question.expected, unfit.hint) from None


def _refused(question: Question, message: str, expected: str, hint: str | None = None) -> FactError:
    return FactError([Problem(path=question.key, message=message, expected=expected, hint=hint)])

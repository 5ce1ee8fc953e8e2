"""What people can change to be covered: the smallest sets of steps, each tried before it is offered."""

import datetime as dt
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import Any, Final, Literal, NamedTuple, get_args

import attrs

from covrules.answers import answers_of
from covrules.codes.body_sites import all_within, widest
from covrules.declaring import PEOPLE, Act, Change, Fact, Who
from covrules.derived import derivation
from covrules.errors import FactError
from covrules.facts import by_group, case_of
from covrules.judging import Judge, Standing, boards_of
from covrules.kinds import ANY, BODY_SITE, OPEN, UNLIMITED, Date, SetOf
from covrules.rule import Template
from covrules.truth import Values
from covrules.verdicts import Coverage, Verdict

__all__ = ["Remedies", "Remedy", "Step", "remedies_for"]

MOST_STEPS: Final = 10_000
"""After how many values tried a search for sets of acts ends with those found so far."""

_MOST_MINUTES: Final = 24 * 60
SITES: Final = SetOf(BODY_SITE)
_RANKS: Final[tuple[Coverage, ...]] = ("not-covered", "undetermined", "partial", "covered")
_ACCEPTED: Final = (False, None, True)
"""What a verdict can come to, the worst first."""


@attrs.frozen
class Step:
    """What one person does: who, in which words, and the facts it sets (None: not known any more).

    `action` is what to do, as a sentence; `set` has the values by path.
    """

    who: Who
    action: str
    set: Mapping[str, Any]


@attrs.frozen
class Remedy:
    """Steps that together lead to better coverage, and what they lead to; none of them can be left out.

    `accepted_here` is whether the clinic then takes the visit, None where that is not known.
    """

    steps: tuple[Step, ...]
    coverage: Coverage
    accepted_here: bool | None


@attrs.frozen
class Remedies:
    """What can be done about a verdict.

    `unmendable` are the ids of the rules that stand in the way of the insurer's paying and that nobody can mend;
    where each could be mended alone but not all together, these are all that stand in the way. `found` are the
    remedies, the best first.
    """

    found: tuple[Remedy, ...]
    unmendable: tuple[str, ...]


def remedies_for(verdict: Verdict) -> Remedies:
    """Return the smallest sets of steps that lead to `covered` and accepted here, else to the best that can be reached.

    What is known to stand in the way is changed by people who can change it, as the facts declare; what is unknown is
    asked for, and only said of a document that is made anew. Never changed are history, the diagnosis, what the plan
    says, and once the visit has been, what belongs to it. No date is set that lies before `today`, or, without it,
    before the day of the visit; a document made anew has a new date. Of several remedies each needs other people: the
    smallest for every set of people is kept, unless fewer of them can do as much in as many steps.
    """
    return _Mending(verdict).remedies()


class _Aim(NamedTuple):
    """How rules may stand in the end, the insurer's and the clinic's; what is open is not counted."""

    insurer: frozenset[Standing]
    clinic: frozenset[Standing]

    def takes(self, judge: Judge, stands: Standing) -> bool:
        return stands in (self.clinic if judge.rule.layer == "clinic" else self.insurer)


_FINE: Final[frozenset[Standing]] = frozenset({"fine", "open"})
_AIMS: Final = (
    _Aim(_FINE, _FINE),
    _Aim(_FINE, _FINE | {"failed"}),
    _Aim(_FINE | {"capped"}, _FINE),
    _Aim(_FINE | {"capped"}, _FINE | {"failed"}),
)
"""What is aimed at, the best first."""

Bearing = Literal["nothing", "what they cannot settle", "what was open", "anything"]
_BEARINGS: Final[tuple[Bearing, ...]] = get_args(Bearing)[1:]
"""What acts may leave open, the least first; those that leave nothing open are among the first."""

Changes = dict[str, Any]
DATE: Final = "visit.date"


class _TooLong(Exception):
    """The search has taken too many steps."""


class _Mending:
    """The search for remedies for one verdict."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.ruleset = verdict._ruleset
        self.today = verdict._today
        self.boards = boards_of(self.ruleset, verdict.stage)
        self.values = self.boards.given(verdict._case)
        if verdict._case.visit.date is not None:
            self.values[DATE] = verdict._case.visit.date
        self.answers = answers_of(self.ruleset)
        self.judges = (*self.boards.insurer.judges, *self.boards.clinic.judges)
        self.now = {judge: judge.standing(self.values) for judge in self.judges}
        self.steps = 0

    def remedies(self) -> Remedies:
        if not {"failed", "capped"}.intersection(self.now.values()):
            return Remedies((), ())
        for aim in _AIMS:
            if all(aim.takes(judge, stands) for judge, stands in self.now.items()):
                break
            for bearing in _BEARINGS:
                found: list[tuple[frozenset[Act], Changes]] = []
                self.steps = 0
                with suppress(_TooLong):
                    found.extend(self.sets_of_acts(aim, bearing))
                best = self.best(found)
                if best:
                    return Remedies(tuple(best), ())
        return Remedies((), tuple(self.unmendable()))

    # --- what can be done -----------------------------------------------------------------------------------

    @cached_property
    def acts(self) -> dict[Act, dict[str, Change]]:
        """The acts that are still possible, and how each changes the facts that rules read."""
        acts: dict[Act, dict[str, Change]] = {}
        dated = [DATE] if not self.dated.isdisjoint(self.boards.reads) else []
        documents = [act.new for path in self.boards.reads for act in self.acts_on(path) if act.new is not None]
        for path in dict.fromkeys((*self.boards.reads, *dated, *documents)):
            if path not in self.ruleset.fixed and self.is_changed_itself(path):
                for change in self.ruleset.vocabulary[path].change:
                    for act in change.by:
                        if act.after_visit or self.verdict.stage == "planned":
                            acts.setdefault(act, {})[path] = change
        return acts

    def given(self, path: str) -> Any:
        """Return what the case gave of a fact before it met the ruleset, as its kind has it."""
        value = self.verdict._given.get(path)
        return None if value is None else self.ruleset.vocabulary[path].kind.parse(value)

    def acts_on(self, path: str) -> Iterator[Act]:
        return (act for change in self.ruleset.vocabulary[path].change for act in change.by)

    def is_changed_itself(self, path: str) -> bool:
        """Return whether a fact is changed itself, not by what it is derived from or what is derived from it.

        Of a derived fact that is given, and what it is derived from, the latter is changed if it can tell.
        """
        fact = self.ruleset.vocabulary[path]
        if fact.derived_from:
            return path in self.values and not self.follows_from_known(fact)
        return not any(each.change and not self.follows_from_known(each) for each in self.given_from(path))

    def follows_from_known(self, fact: Fact) -> bool:
        """Return whether a derived fact would be known if it were not given."""
        return derivation(fact)(*map(self.values.get, fact.derived_from)) is not None

    def given_from(self, path: str) -> Iterator[Fact]:
        """Yield the facts that are given though they could be derived from this one."""
        facts = (self.ruleset.vocabulary[given] for given in self.values)
        return (fact for fact in facts if path in fact.derived_from)

    def only_by(self, act: Act) -> frozenset[str]:
        """Return what no other act changes that makes the same document anew."""
        others = [each for each in self.acts if act.new and each is not act and each.new == act.new]
        return frozenset(self.acts[act]).difference(*map(self.acts.__getitem__, others)) if others else frozenset()

    def touches(self, act: Act, judge: Judge) -> bool:
        """Return whether an act changes what a rule reads; another day of the visit changes what is fixed by date."""
        changed = self.acts[act]
        return not judge.reads.isdisjoint(changed) or (DATE in changed and not judge.reads.isdisjoint(self.dated))

    @cached_property
    def dated(self) -> frozenset[str]:
        """The facts that the ruleset fixes to other values on other days."""
        fixed = self.ruleset.fixed.items()
        return frozenset(path for path, each in fixed if len(each.values) > 1 or each.values[0][0] is not None)

    def sets_of_acts(self, aim: _Aim, bearing: Bearing) -> Iterator[tuple[frozenset[Act], Changes]]:
        """Yield the sets of acts that suffice, the smallest first and none that includes another, and what they change.

        One more act than the smallest is as many as are looked for.
        """
        wrong = [judge for judge, stands in self.now.items() if not aim.takes(judge, stands)]
        wanted = {path for judge, stands in self.now.items() if stands != "fine" for path in judge.reads}
        usable = [act for act in self.acts if not self.only_by(act) or not wanted.isdisjoint(self.only_by(act))]
        touching = {judge: [act for act in usable if self.touches(act, judge)] for judge in self.judges}
        if not all(touching[judge] for judge in wrong):
            return
        with_all = _Ways(self, frozenset(usable), aim, wrong, forced=False)
        if with_all.changes("what was open" if bearing == "what was open" else "anything") is None:
            return
        found: list[frozenset[Act]] = []
        waiting, seen = deque([frozenset[Act]()]), {frozenset[Act]()}
        while waiting:
            acts = waiting.popleft()
            if any(each <= acts for each in found) or (found and len(acts) > len(found[0]) + 1):
                continue
            unmended = [judge for judge in wrong if acts.isdisjoint(touching[judge])]
            more: Iterable[Act] = touching[unmended[0]] if unmended else ()
            if not unmended:
                ways = _Ways(self, acts, aim, wrong)
                changes = ways.changes("nothing") or ways.changes(bearing)
                if changes is not None:
                    found.append(acts)
                    yield acts, changes
                    continue
                changed = {path for act in acts for path in self.acts[act]}
                changed |= self.dated if DATE in changed else set()
                near = [judge for judge in self.judges if not judge.reads.isdisjoint(changed)]
                more = dict.fromkeys(chain.from_iterable(touching[judge] for judge in near))
            for act in more:
                wider = acts | {act}
                if wider not in seen and not any(act.new and act.new == each.new for each in acts):
                    seen.add(wider)
                    waiting.append(wider)

    def unmendable(self) -> Iterator[str]:
        """Yield the rules that stand in the way and cannot be mended, each by itself, else all of them."""
        for aim in (_AIMS[-1], _Aim(frozenset(get_args(Standing)), _FINE)):
            wrong = [judge for judge, stands in self.now.items() if not aim.takes(judge, stands)]
            if wrong:
                alone = [judge for judge in wrong if not self.can_be_mended(judge, aim)]
                yield from (judge.rule.id for judge in alone or wrong)
                return

    def can_be_mended(self, judge: Judge, aim: _Aim) -> bool:
        """Return whether a rule can be mended whatever becomes of the others."""
        self.steps = 0
        ways = _Ways(self, frozenset(self.acts), aim, [judge], [judge], forced=False)
        try:
            return ways.changes("anything") is not None
        except _TooLong:
            return True

    # --- what they lead to ----------------------------------------------------------------------------------

    def best(self, found: list[tuple[frozenset[Act], Changes]]) -> list[Remedy]:
        """Return the remedies that lead to the best that is better than now, the smallest for each set of people."""
        now = _rank(self.verdict.coverage, self.verdict.accepted_here)
        tried = [(self.tried(changes), acts, changes) for acts, changes in found]
        better = [
            (rank, self.steps_of(acts, changes)) for rank, acts, changes in tried if rank is not None and rank > now
        ]
        most = max((rank for rank, _ in better), default=now)
        people: dict[frozenset[Who], Remedy] = {}
        for rank, steps in better:
            whos = frozenset(step.who for step in steps)
            fewer = (whos > each and len(other.steps) <= len(steps) for each, other in people.items())
            if rank == most and whos not in people and not any(fewer) and self.all_needed(steps, rank):
                people[whos] = Remedy(steps, _RANKS[rank[0]], _ACCEPTED[rank[1]])
        return [*people.values()]

    def all_needed(self, steps: tuple[Step, ...], rank: tuple[int, int]) -> bool:
        """Return whether no step can be left out and the rest lead as far."""
        for left_out in steps if len(steps) > 1 else ():
            rest: Changes = {}
            for step in steps:
                rest |= step.set if step is not left_out else {}
            less = self.tried(rest)
            if less is not None and less >= rank:
                return False
        return True

    def tried(self, changes: Changes) -> tuple[int, int] | None:
        """Return what the case comes to with the changes; None where the ruleset cannot take it."""
        from covrules.api import evaluate

        given = self.verdict._given
        values = {path: given.get(path) for path in self.ruleset.vocabulary} | changes
        known = {path: value for path, value in values.items() if value is not None}
        case = case_of(by_group(known))
        try:
            verdict = evaluate(
                self.ruleset, case, stage=self.verdict.stage, engine=self.verdict.engine, as_of=self.verdict._as_of
            )
        except FactError:
            return None
        return _rank(verdict.coverage, verdict.accepted_here)

    def steps_of(self, acts: Iterable[Act], changes: Changes) -> tuple[Step, ...]:
        """Return the steps of acts, in the order of the people."""
        steps = []
        said: set[str] = set()
        for act in sorted(acts, key=lambda act: PEOPLE.index(act.who)):
            set_ = {path: changes[path] for path in changes if path in self.acts[act] and path not in said}
            said |= set_.keys()
            for path in [path for path in changes if path not in self.acts[act] and path not in said]:
                if self.follows(path, set_):
                    set_[path] = changes[path]
                    said.add(path)
            steps.append(Step(act.who, self.words(act, set_), set_))
        return tuple(steps)

    def follows(self, path: str, set_: Changes) -> bool:
        """Return whether a fact is not known any more as it follows from some that are set, or they from it."""
        fact = self.ruleset.vocabulary[path]
        if not set_.keys().isdisjoint(fact.derived_from):
            return True
        return any(path in self.ruleset.vocabulary[each].derived_from for each in set_)

    def words(self, act: Act, set_: Changes) -> str:
        """Return what to do, in words."""
        values = {**self.values, **set_}
        clauses = {}
        for path, change in self.acts[act].items():
            value = set_.get(path)
            if change.words and value is not None:
                text = change.endless if value in (UNLIMITED, OPEN) and change.endless else change.words
                template = Template.of(text.replace("{}", f"{{{path}}}"), self.ruleset.vocabulary)
                clauses[path] = template.render(values)
        dated = clauses.pop(act.new, None) if act.new is not None else None
        said = " and ".join(filter(None, (", ".join([*clauses.values()][:-1]), *[*clauses.values()][-1:])))
        return f"{', '.join(filter(None, (f'{act.words} {said}'.strip(), dated)))}."


def _rank(coverage: Coverage, accepted: bool | None) -> tuple[int, int]:
    return _RANKS.index(coverage), _ACCEPTED.index(accepted)


class _Ways:
    """The search for the values of what acts can change: the old one if it can stay, else what is nearest to it."""

    def __init__(
        self,
        mending: _Mending,
        acts: frozenset[Act],
        aim: _Aim,
        wrong: list[Judge],
        judges: Collection[Judge] | None = None,
        forced: bool = True,
    ) -> None:
        self.mending = mending
        self.aim = aim
        self.changes_of: dict[str, Change] = {}
        for act in acts:
            self.changes_of |= mending.acts[act]
        self.dates = {act.new for act in acts if act.new}
        self.anew = self.dates if forced else set()
        self.must = {path for act in acts for path in mending.only_by(act)} if forced else set()
        first = {path for judge in wrong for path in judge.reads}
        self.paths = sorted(self.changes_of, key=lambda path: (path != DATE, path not in first))
        self.judges = mending.judges if judges is None else judges
        self.readers = {path: [judge for judge in self.judges if path in judge.reads] for path in self.paths}
        self.old = mending.values
        self.by_date = mending.dated if DATE in self.changes_of else frozenset[str]()
        self.free = self.by_date | frozenset(self.paths)
        self.beside = {path: self.taken_back_with(path) for path in self.paths}
        kept_apart = self.free.union(*self.beside.values())
        self.start = {path: value for path, value in self.old.items() if path not in kept_apart}

    def taken_back_with(self, path: str) -> frozenset[str]:
        """Return what is not known any more once a fact is changed: what was given in its place, or it in theirs."""
        known = self.mending.ruleset.vocabulary
        given = {fact.path for fact in self.mending.given_from(path)}
        sources = {source for source in known[path].derived_from if known[source].change and source in self.old}
        return frozenset(given | sources) - self.free

    def changes(self, bearing: Bearing) -> Changes | None:
        """Return what is changed where this may be left open."""
        self.bearing = bearing
        if not all(self.bears(judge, self.start, self.free) for judge in self.judges):
            return None
        state = self.assigned(0, self.start)
        return None if state is None else self.changed(state)

    def assigned(self, place: int, state: dict[str, Any]) -> dict[str, Any] | None:
        """Return the state once every fact from a place on has a value that all rules bear."""
        if place == len(self.paths):
            return state
        path, later = self.paths[place], frozenset(self.paths[place + 1 :])
        for value in self.candidates(path, state):
            self.mending.steps += 1
            if self.mending.steps > MOST_STEPS:
                raise _TooLong
            after = self.with_value(state, path, value)
            if after is None:
                continue
            if all(self.bears(judge, after, later) for judge in (self.readers[path] if path != DATE else self.judges)):
                done = self.assigned(place + 1, after)
                if done is not None:
                    return done
        return None

    def with_value(self, state: dict[str, Any], path: str, value: Any) -> dict[str, Any] | None:
        """Return the state with a value; for another day of the visit, with what the plan fixes on that day."""
        after = state | {path: value}
        ruleset = self.mending.ruleset
        if path != DATE or not ruleset.dated:
            return after
        if value == self.old.get(path):
            return after | {each: self.old[each] for each in self.by_date if each in self.old}
        if value is None or not ruleset.effective.holds(value):
            return None
        after |= {each: self.mending.given(each) for each in self.by_date}
        for fixed, says in ruleset.fixed_on(value).items():
            if self.mending.given(fixed) not in (None, says):
                return None
            after[fixed] = says
        return after

    def bears(self, judge: Judge, state: Values, later: frozenset[str] = frozenset()) -> bool:
        """Return whether a rule may stand as it does, where these facts may still get a value."""
        stands = judge.standing(state)
        if stands != "open":
            return self.aim.takes(judge, stands)
        if self.bearing == "anything" or (self.bearing == "what was open" and self.mending.now[judge] == "open"):
            return True
        missing = judge.missing(state)
        return not later.isdisjoint(missing) or (
            self.bearing == "what they cannot settle" and self.free.isdisjoint(missing)
        )

    def changed(self, state: dict[str, Any]) -> Changes:
        """Return what is other than it was, without what could have stayed."""
        changes = {path: state.get(path) for path in self.paths if state.get(path) != self.old.get(path)}
        for path in [path for path in changes if path not in self.anew | self.must and path in self.old]:
            kept = state | {path: self.old[path]}
            if all(self.bears(judge, kept) for judge in self.readers[path]) and path != DATE:
                state = kept
                del changes[path]
        changes |= {path: state.get(path) for path in self.paths if path in self.anew}
        taken_back = {each for path in changes for each in self.beside[path]} - changes.keys()
        return changes | dict.fromkeys(sorted(taken_back))

    # --- values ---------------------------------------------------------------------------------------------

    def candidates(self, path: str, state: Values) -> Iterator[Any]:
        """Yield the values a fact may get, the old one first where it may stay, then those nearest to it."""
        old = self.old.get(path)
        if path not in self.anew and path not in self.must:
            yield old
        if path in self.dates and self.earliest(state) is None:
            yield None
        kind, to = self.mending.ruleset.vocabulary[path].kind, self.changes_of[path].to
        hints = self.old | {each: said for each, said in state.items() if said is not None}
        found = [
            value
            for value in dict.fromkeys((*self.likely(path, state), *self.mending.answers.to(path, hints)))
            if (value != old or path in self.anew)
            and (to is None or value in to)
            and value not in (0, frozenset())
            and not (path == "visit.minutes" and value > _MOST_MINUTES)
            and (not isinstance(kind, Date) or self.may_be(path, value, state))
        ]
        yield from sorted(found, key=lambda value: self.distance(path, old, value, state))

    def earliest(self, state: Values) -> dt.date | None:
        """Return the first day that may be set."""
        return self.mending.today or state.get(DATE) or self.old.get(DATE)

    def may_be(self, path: str, day: dt.date, state: Values) -> bool:
        if path == DATE and self.mending.today is None:
            before = self.old.get(path)
            return before is not None and day > before
        earliest = self.earliest(state)
        return earliest is not None and day >= earliest

    def likely(self, path: str, state: Values) -> Iterator[Any]:
        """Yield values that are likely to do, beside those that rules tell apart."""
        kind, old = self.mending.ruleset.vocabulary[path].kind, self.old.get(path)
        if isinstance(kind, Date):
            turns = self.mending.ruleset.turns if path == DATE else ()
            yield from (day for day in (self.earliest(state), state.get(DATE), *turns) if day is not None)
        elif isinstance(old, frozenset):
            named = {each for value in self.mending.answers.to(path, self.old) if value is not ANY for each in value}
            yield from (old | {each} for each in sorted(named - old))
            yield from (old - {each} for each in sorted(named & old))
        if path == "prescription.body_sites" and state.get("visit.body_sites") is not None:
            yield widest((old or frozenset()) | state["visit.body_sites"])
        elif path == "visit.body_sites" and old and state.get("prescription.body_sites") is not None:
            yield frozenset(site for site in old if all_within([site], state["prescription.body_sites"]))

    def distance(self, path: str, old: Any, value: Any, state: Values) -> tuple[int, int]:
        """Return how far a value is from the old one; of minutes, whole units come first."""
        if isinstance(value, (bool, str)):
            return 0, 0
        if isinstance(value, dt.date):
            near = old if path == DATE and old is not None else self.earliest(state)
            return 0, abs((value - near).days) if near is not None else 0
        if isinstance(value, int):
            if value is UNLIMITED:
                return 2, 0
            length = state.get("plan.unit_minutes") if path == "visit.minutes" else None
            known = old is not None and old is not UNLIMITED
            return int(length is not None and value % length != 0), abs(value - old) if known else value
        if isinstance(value, frozenset):
            beside = int(self.mending.ruleset.vocabulary[path].kind == SITES and value != widest(value))
            return beside, len(value ^ old) if isinstance(old, frozenset) else len(value)
        return 1, 0

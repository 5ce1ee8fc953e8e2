"""What-ifs: a ruleset with facts of its plan or rules of it otherwise, and what differs between two, in words."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any, Final

import attrs

from covrules.conditions import AllOf, AnyOf, Not, Ref, Test, in_short
from covrules.errors import Problem, RulesetError, did_you_mean, printable
from covrules.kinds import Date, Kind, Unfit, describe, plain
from covrules.loading import read_ruleset
from covrules.node_reading import MAX_TEXT
from covrules.rule import Cap, Rule, Source, Template
from covrules.rulesets import SCHEMA, Fixed, Ruleset, ruleset_to_data

__all__ = ["Variation", "changes_between", "vary"]

_RULES: Final = "rules."
_ASKS: Final = ("requires", "caps", "waives", "advises")
"""What a rule has one of."""
_OF_THE_OLD_RULE: Final = ("cites", "examples")
"""What is said of a rule as it was, and of a changed one no longer holds."""
_SAID: Final = ("because", "remedy", "denial")
"""What a rule says where it is not met, too long to be repeated where it changes."""
# What YAML takes for the end of a line, or does not take at all, where JSON has it as it is.
_ODD: Final = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@attrs.frozen(kw_only=True, eq=False)
class Variation(Ruleset):
    """A ruleset made of another by `vary`; `varied` are the facts that it was told to fix, by their paths."""

    varied: frozenset[str] = frozenset()

    def __reduce__(self) -> tuple[Any, ...]:
        of_a_ruleset = super().__reduce__()[0].keywords
        return partial(Variation, **of_a_ruleset, varied=self.varied), ()


def vary(ruleset: Ruleset, changes: Mapping[str, Any], id: str | None = None) -> Ruleset:
    """Return the ruleset with changes, checked as a file that extends it would be.

    A key of `changes` is one of these:

    - the path of a fact, such as `plan.units_per_visit`: the plan fixes it to the value, or to the values of a mapping
      by the days from which they hold, in the place of whatever was fixed; None: it is no longer fixed.
    - `rules.` and the id of a rule: None disables it. A mapping has keys of a rule as a file has them, and what it says
      stands in the place of what the rule says under these keys; None leaves a key out. Of `requires`, `caps`, `waives`
      and `advises` a rule has one, so one that is given replaces the other. Sources and examples of the rule as it was
      are not kept. An empty mapping puts back a rule that was disabled, after the others.

    The ruleset made is illustrative; its title says what was changed. Its `id` is that of the ruleset with `-varied`
    if none is given. Without changes and without an `id`, the ruleset itself is returned.

    Raises RulesetError listing everything wrong with the changes, each with its key; TypeError for what is no mapping.

    >>> import covrules
    >>> ruleset = covrules.load("medical-massage")
    >>> vary(ruleset, {"plan.units_per_visit": 4, "rules.benefit-exists": None}).title.partition("; ")[2]
    'varied: units paid a visit: 4; Massage is a benefit of the plan (benefit-exists): left out'
    """
    if not isinstance(changes, Mapping):
        raise TypeError(f"vary takes a mapping of facts and rules to what they become, and got {describe(changes)}")
    if not changes and id is None:
        return ruleset
    draft = _Draft(ruleset, f"{ruleset.id}-varied" if id is None else id)
    for key, change in changes.items():
        draft.add(key, change)
    made = draft.read()
    said = "; ".join(changes_between(ruleset, made))
    given = {field.name: getattr(made, field.name) for field in attrs.fields(Ruleset) if field.init}
    given["title"] = printable(f"{ruleset.title}; varied: {said}", MAX_TEXT) if said else ruleset.title
    given["sources"] = tuple(
        dict.fromkeys(source for rule in made.rules if rule.origin == made.id for source in rule.cites)
    )
    before = ruleset.varied if isinstance(ruleset, Variation) else frozenset()
    return Variation(**given, varied=(before | draft.facts.keys()) - draft.freed)


class _Draft:
    """The file that says the changes, each in a line of its own, so that the line of a problem tells the change."""

    def __init__(self, ruleset: Ruleset, id: str) -> None:
        self.ruleset = ruleset
        self.id = id
        self.facts: dict[str, str] = {}
        self.freed: set[str] = set()
        self.rules: dict[str, str] = {}
        self.disabled: dict[str, str] = {}
        self.problems: list[Problem] = []
        if id == ruleset.id:
            self.fail("id", "that of the ruleset which is varied", "another id")

    def fail(self, key: str, message: str, expected: str | None = None, hint: str | None = None) -> None:
        self.problems.append(Problem(path=key, message=message, expected=expected, hint=hint))

    # --- the changes ----------------------------------------------------------------------------------------

    def add(self, key: Any, change: Any) -> None:
        """Add one change; what is wrong is noted."""
        if not isinstance(key, str):
            self.problems.append(Problem(message=f"a key that is {describe(key)}", expected=_KEYS))
        elif key.startswith(_RULES):
            self.add_rule(key, change)
        elif key in self.ruleset.vocabulary:
            self.add_fact(key, change)
        else:
            near = did_you_mean(key, [*self.ruleset.vocabulary, *[_RULES + id for id in self.every_rule]])
            self.fail(printable(key), "there is no such fact", *((None, near) if near else (_KEYS, None)))

    def add_fact(self, key: str, change: Any) -> None:
        kind = self.ruleset.vocabulary[key].kind
        if change is None:
            self.freed.add(key)
            return
        value = self.by_day(key, kind, change) if isinstance(change, Mapping) else self.value(key, kind, change)
        if value is not None:
            self.facts[key] = _json({"value": value})

    def by_day(self, key: str, kind: Kind, change: Mapping[Any, Any]) -> dict[str, Any] | None:
        """Return the values by the days from which they hold as a file has them; None where a day is none."""
        days = [self.value(key, Date(), day, "a day: ") for day in change]
        values = [None if value is None else self.value(key, kind, value) for value in change.values()]
        if None in days:
            return None
        if len({*days}) < len(days):
            self.fail(key, "a day that comes twice", hint="leave one of them out")
        return dict(zip(days, values, strict=True))

    def value(self, key: str, kind: Kind, value: Any, what: str = "") -> Any:
        """Return a value as a file has it; None, with a problem noted, where its kind does not take it."""
        try:
            return kind.plain(kind.parse(value))
        except Unfit as unfit:
            self.fail(key, f"{what}found {unfit.found}", kind.expected, unfit.hint)
            return None

    def add_rule(self, key: str, change: Any) -> None:
        id = key.removeprefix(_RULES)
        if id not in self.every_rule:
            near = did_you_mean(key, [_RULES + each for each in self.every_rule])
            self.fail(printable(key), "there is no such rule", None if near else "the id of a rule", near)
        elif change is None:
            self.disabled[key] = _json(id)
        elif not isinstance(change, Mapping):
            self.fail(key, f"found {describe(change)}", "a mapping of keys of the rule to what they become, or None")
        elif change.get("id", id) != id:
            self.fail(key, "it has the id of another rule", f"{id}, or none")
        else:
            try:
                self.rules[key] = _json(_merged(self.every_rule[id], change))
            except (TypeError, ValueError, RecursionError):
                self.fail(key, "found what no file can say", "mappings, lists, text, numbers, true or false, dates")

    @cached_property
    def every_rule(self) -> dict[str, dict[str, Any]]:
        """The rules by id as files have them, those that are disabled included."""
        rules = (*self.ruleset.rules, *[disabled.rule for disabled in self.ruleset.disabled])
        return {made["id"]: made for made in ruleset_to_data(attrs.evolve(self.ruleset, rules=rules))["rules"]}

    # --- the file -------------------------------------------------------------------------------------------

    def read(self) -> Ruleset:
        """Return the ruleset of the file; raises RulesetError with all that is wrong with the changes."""
        fixed = {path: fixed for path, fixed in self.ruleset.fixed.items() if path not in self.freed}
        parent = attrs.evolve(self.ruleset, fixed=fixed)
        lines = [*self.lines()]
        text = "\n".join(line for line, _ in lines)
        made = None
        try:
            made = read_ruleset(text.encode(), f"variation of {self.ruleset.id}", lambda id, period: parent)
        except RulesetError as error:
            self.problems += [_by_key(problem, [key for _, key in lines]) for problem in error.problems]
        if made is None or self.problems:
            raise RulesetError(self.problems)
        return made

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the lines of the file, each with the key of the change that it says."""
        head = {
            "schema": SCHEMA, "id": self.id, "title": self.ruleset.title, "status": "illustrative",
            "version": self.ruleset.version, "extends": self.ruleset.id, "sources": self.sources(),
        }  # fmt: skip
        for key, value in head.items():
            yield f"{key}: {_json(value)}", key
        yield from _section("facts", {key: f"{_json(key)}: {text}" for key, text in self.facts.items()})
        yield from _section("rules", {key: f"- {text}" for key, text in self.rules.items()})
        yield from _section("disables", {key: f"- {text}" for key, text in self.disabled.items()})

    def sources(self) -> dict[str, dict[str, str]]:
        """Return the sources that a changed rule may cite: those of the ruleset, by the ids its files gave them."""
        cited = [*[source for rule in self.ruleset.rules for source in rule.cites], *self.ruleset.sources]
        return {source.id: _source_to_data(source) for source in cited}


_KEYS: Final = "the path of a fact, such as plan.units_per_visit, or rules. and the id of a rule"


def _merged(rule: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule with what is given in the place of what it has; None is left to tell where it has nothing."""
    asks = [key for key in _ASKS if change.get(key) is not None]
    gone = {*_OF_THE_OLD_RULE, *(_ASKS if asks else ()), *[key for key in rule if key in change]}
    kept = {key: value for key, value in rule.items() if key not in gone}
    given = {key: value for key, value in change.items() if value is not None or key not in rule}
    return kept | given | {"id": rule["id"]}


def _section(name: str, entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if entries:
        yield f"{name}:", name
        yield from ((f"  {text}", key) for key, text in entries.items())


def _by_key(problem: Problem, keys: list[str]) -> Problem:
    """Return a problem of the file as one of the changes, whose authors never see the file."""
    key = keys[(problem.line or 1) - 1]
    message = problem.message.removeprefix(key).lstrip(": ")
    return attrs.evolve(problem, path=key, message=message, file=None, line=None, column=None, source=None)


def _json(value: Any) -> str:
    """Return a value in one line that YAML reads the same; raises TypeError and ValueError where that cannot be."""
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", text)


def _plain(value: Any) -> Any:
    made = dict(value) if isinstance(value, Mapping) else plain(value)
    if made is value:
        raise TypeError(f"found {describe(value)}")
    return made


def _source_to_data(source: Source) -> dict[str, str]:
    said = attrs.asdict(source)
    return {key: str(value) for key, value in said.items() if key != "id" and value is not None}


# --- what differs -----------------------------------------------------------------------------------------------


def changes_between(before: Ruleset, after: Ruleset) -> tuple[str, ...]:
    """Return what differs between two rulesets in plain words, each difference by itself: facts fixed, then rules.

    >>> import covrules
    >>> ruleset = covrules.load("medical-massage")
    >>> changes_between(ruleset, ruleset.vary({"rules.units-per-visit": {"caps": {"visit.units": 3}}}))
    ('Units in one visit (units-per-visit): caps 3 instead of plan.units_per_visit',)
    """
    return (*_facts_changed(before, after), *_rules_changed(before, after))


def _facts_changed(before: Ruleset, after: Ruleset) -> Iterator[str]:
    for path in dict.fromkeys([*before.fixed, *after.fixed]):
        was, now = before.fixed.get(path), after.fixed.get(path)
        if now is None and was is not None:
            yield f"{was.fact.label}: no longer fixed ({_values(was)})"
        elif now is not None and (was is None or was.values != now.values):
            yield f"{now.fact.label}: {_values(now)}" + (f" instead of {_values(was)}" if was is not None else "")


def _values(fixed: Fixed) -> str:
    said = [
        ("not known" if value is None else fixed.fact.kind.words(value)) + (f" from {since}" if since else "")
        for since, value in fixed.values
    ]
    return ", ".join(said)


def _rules_changed(before: Ruleset, after: Ruleset) -> Iterator[str]:
    was_of, now_of = ({rule.id: rule for rule in each.rules} for each in (before, after))
    for id in dict.fromkeys([*was_of, *now_of]):
        was, now = was_of.get(id), now_of.get(id)
        if was is None or now is None:
            rule = was or now
            assert rule is not None, "the id is of one of them"
            yield f"{rule.title} ({id}): {'left out' if now is None else 'added'}"
        elif was != now:
            yield f"{was.title} ({id}): {', '.join(_parts_changed(was, now))}"


def _parts_changed(was: Rule, now: Rule) -> Iterator[str]:
    for field in attrs.fields(Rule):
        name = "from" if field.name == "stage" else field.name
        old, new = getattr(was, field.name), getattr(now, field.name)
        if not field.eq or old == new:
            continue
        if new is None or new == ():
            yield f"no {name}"
        elif name in _SAID:
            yield f"other {name}"
        else:
            yield f"{name} {_part(new)}" + (f" instead of {_part(old)}" if old is not None else "")


def _part(part: Any) -> str:
    """Return a part of a rule in one line, close to the words of the file."""
    match part:
        case Test() | AllOf() | AnyOf() | Not():
            return in_short(part)
        case Cap(limit, less):
            return " less ".join([limit.path if isinstance(limit, Ref) else str(limit), *less])
        case Template(text):
            return f'"{text}"'
        case tuple():
            return " and ".join(part)
    return str(part)

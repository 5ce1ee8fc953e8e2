"""The same ruleset with every rule there many times: as it is, or asking each time about other facts."""

from collections.abc import Callable, Iterable

import attrs

from covrules.conditions import AllOf, AnyOf, Condition, Not, Ref, Test
from covrules.rule import Cap, Rule
from covrules.rulesets import Ruleset

Turn = Callable[[str], str]
"""Gives for a fact the one to be asked about in its place."""


def repeated(ruleset: Ruleset, copies: int) -> Ruleset:
    """Return the ruleset with so many copies of every rule, conditions and all."""
    return _with_rules(ruleset, [_copy(rule, copy) for copy in range(copies) for rule in ruleset.rules])


def turned(ruleset: Ruleset, copies: int) -> Ruleset:
    """Return the ruleset with so many copies of every rule, each of which asks about other facts of the same kinds.

    The facts are those of the ruleset, so no more of them are read; a fact that is the only one of its kind stays.
    """
    by_kind: dict[object, list[str]] = {}
    for path in ruleset.facts:
        if ruleset.vocabulary[path].testable:
            by_kind.setdefault(ruleset.vocabulary[path].kind, []).append(path)
    rules = []
    for copy in range(copies):
        others = {
            path: paths[(place + copy) % len(paths)] for paths in by_kind.values() for place, path in enumerate(paths)
        }
        rules += [_turned(_copy(rule, copy), others.__getitem__) for rule in ruleset.rules]
    return _with_rules(ruleset, rules)


def _with_rules(ruleset: Ruleset, rules: Iterable[Rule]) -> Ruleset:
    return attrs.evolve(ruleset, id=f"{ruleset.id}-more", rules=tuple(rules))


def _copy(rule: Rule, number: int) -> Rule:
    return attrs.evolve(rule, id=f"{rule.id}-{number}")


def _turned(rule: Rule, turn: Turn) -> Rule:
    limit = rule.caps and rule.caps.limit
    return attrs.evolve(
        rule,
        requires=rule.requires and _condition(rule.requires, turn),
        applies=rule.applies and _condition(rule.applies, turn),
        unless=rule.unless and _condition(rule.unless, turn),
        caps=rule.caps
        and Cap(_ref(limit, turn) if isinstance(limit, Ref) else limit, tuple(map(turn, rule.caps.less))),
    )


def _condition(condition: Condition, turn: Turn) -> Condition:
    if isinstance(condition, Test):
        right = _ref(condition.right, turn) if isinstance(condition.right, Ref) else condition.right
        return Test(_ref(condition.fact, turn), condition.op, right)
    if isinstance(condition, Not):
        return Not(_condition(condition.part, turn))
    parts = tuple(_condition(part, turn) for part in condition.parts)
    return AllOf(parts) if isinstance(condition, AllOf) else AnyOf(parts)


def _ref(ref: Ref, turn: Turn) -> Ref:
    return Ref(turn(ref.path), ref.kind)

"""durable_rules as its documentation shows it: facts asserted into a host, actions written in Python.

Its conditions compare a field with a constant only, so every comparison is made in Python first and asserted as a
field that is true or false. It is asked for less than the engines: which rules fail, not the status of each.
"""

import functools
import itertools
import operator
from collections.abc import Callable
from typing import Any

from covrules import Case
from covrules.lowering import And, Form, Or, conjunction
from covrules.rule import Rule, Stage
from covrules.rulesets import Ruleset
from covrules.truth import Writer, facts_of, groups_of, in_case, with_sources

_numbers = itertools.count(1)

Products = list[tuple[Form, ...]]


def failing(ruleset: Ruleset, stage: Stage) -> Callable[[Case], list[str]]:
    """Return what tells the ids of the rules that are unmet or capped, in alphabetical order."""
    from durable import lang

    name = f"{ruleset.id}-{next(_numbers)}"
    fields: dict[Form, str] = {}
    fired: list[str] = []
    with lang.ruleset(name):
        for rule in ruleset.rules:
            for product in _products(_fails(ruleset, rule, stage)):
                names = [fields.setdefault(atom, f"t{len(fields)}") for atom in product]
                tests = [getattr(lang.m, field) == True for field in names]  # noqa: E712
                lang.when_all(functools.reduce(operator.and_, tests))(_noting(fired, rule.id))
    compare = _comparing(ruleset, fields)

    def decide(case: Case) -> list[str]:
        fired.clear()
        fact = compare(case)
        fact["id"] = next(_numbers)
        try:
            lang.assert_fact(name, fact)
        except Exception as error:
            if "MessageNotHandled" not in type(error).__name__:  # which only says that no rule matched
                raise
        else:
            lang.retract_fact(name, fact)
        return sorted(set(fired))

    return decide


def _noting(fired: list[str], id: str) -> Callable[[Any], None]:
    def note(c: Any) -> None:
        fired.append(id)

    return note


def _fails(ruleset: Ruleset, rule: Rule, stage: Stage) -> Form:
    if not rule.decides or rule.starts_after(stage):
        return Or()
    excuse = ruleset.excuse(rule)
    forms = [rule.application.true] if rule.application else []
    forms += [each.false for each in (rule.demand, excuse) if each]
    return conjunction(forms)


def _products(form: Form) -> Products:
    if isinstance(form, Or):
        return [product for part in form.parts for product in _products(part)]
    if not isinstance(form, And):
        return [(form,)]
    return [tuple(dict.fromkeys(itertools.chain(*parts))) for parts in itertools.product(*map(_products, form.parts))]


def _comparing(ruleset: Ruleset, fields: dict[Form, str]) -> Callable[[Case], dict[str, Any]]:
    facts = with_sources([path for atom in fields for path in facts_of(atom)], ruleset.vocabulary)
    write = Writer(bool=bool)
    said = ", ".join(f"{name!r}: bool({write.form(atom)})" for atom, name in fields.items())
    lines = [*groups_of(facts), *write.reading(facts, set(), in_case), f"return {{{said}}}"]
    compare: Callable[[Case], dict[str, Any]] = write.function("compare", "case", lines)
    return compare

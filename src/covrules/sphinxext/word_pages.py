"""The pages of the words that rules and verdicts are made of: the tests of conditions, and the statuses."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from docutils import nodes

from covrules.conditions import OPERATORS, Condition, Test, operators_for, tests_in
from covrules.deciding_words import COVERAGE
from covrules.facts import FACTS
from covrules.rule import STATUS_MEANS, Rule
from covrules.showing import OPERATOR_WORDS, condition_pieces
from covrules.sphinxext.building import (
    Made,
    Said,
    Target,
    fields,
    joined,
    paragraph,
    pieces,
    rule_link,
    section,
)
from covrules.sphinxext.catalogue import Catalogue, Edition
from covrules.verdicts import COVERAGE_MEANS

RIGHT_SIDE: Final[Mapping[str, str]] = {
    "value": "one value, or another fact of the same type",
    "values": "a list of values, or a fact that is a set",
    "element": "one value, or another fact of the type of its elements",
    "prefixes": "codes or beginnings of codes, or a fact that is a set of them",
}
"""What stands on the right of a test."""
_EXAMPLES: Final = 2


def tests_page(catalogue: Catalogue) -> Made:
    """Return what is told of every test of a condition."""
    targets, sections = [], []
    for op, operator in OPERATORS.items():
        id = nodes.make_id(f"test-{op}")
        kinds = dict.fromkeys(fact.kind.name for fact in FACTS.values() if op in operators_for(fact.kind))
        words = f"The fact {OPERATOR_WORDS[op]} what it is compared with."
        targets.append(Target("test", op, id, words))
        sections.append(
            section(
                id,
                op,
                paragraph(words),
                fields(
                    [
                        ("Facts it tests", ", ".join(kinds)),
                        ("Compared with", RIGHT_SIDE[operator.right]),
                        ("For example", joined(islice(_uses(catalogue, op), _EXAMPLES), "; ")),
                    ]
                ),
            )
        )
    words = (
        "What a condition can say of a fact. A test is known to be so, known not to be so, or unknown while a fact "
        "that it needs is unknown."
    )
    return Made(section("covrules-tests", "Tests", paragraph(words), *sections), tuple(targets))


def _uses(catalogue: Catalogue, op: str) -> Iterator[Said]:
    """Yield how rules use a test, the first that each has."""
    for key in catalogue.rules:
        edition = catalogue.rule(key)
        for test in _tests(edition):
            if test.op == op:
                said = pieces(condition_pieces(test, edition.ruleset.vocabulary))
                yield [*said, " (", rule_link(edition.rule), ")"]
                break


def _tests(edition: Edition) -> Iterator[Test]:
    for condition in _conditions(edition.rule):
        yield from tests_in(condition)


def _conditions(rule: Rule) -> list[Condition]:
    conditions = (rule.applies, rule.requires, rule.unless, *[denial.when for denial in rule.denial])
    return [condition for condition in conditions if condition is not None]


def statuses_page(catalogue: Catalogue) -> Made:
    """Return what is told of every status that a rule can have, and of what the insurer owes."""
    targets: list[Target] = []

    def listed(words: Mapping[Any, str], names: Mapping[Any, str]) -> nodes.definition_list:
        made = nodes.definition_list()
        for word, meaning in words.items():
            id = nodes.make_id(f"status-{word}")
            targets.append(Target("status", word, id, meaning))
            title = [nodes.literal("", word), *([nodes.Text(f" ({names[word]})")] if word in names else [])]
            term = nodes.term("", "", *title, ids=[id])
            made += nodes.definition_list_item("", term, nodes.definition("", paragraph(meaning)))
        return made

    of_rules = section("covrules-statuses-of-rules", "What is found of a rule", listed(STATUS_MEANS, {}))
    of_visits = section("covrules-statuses-of-visits", "What the insurer owes", listed(COVERAGE_MEANS, COVERAGE))
    return Made(section("covrules-statuses", "Statuses", of_rules, of_visits), tuple(targets))

"""Conditions, facts and values read from nodes."""

from typing import Any

from covrules import conditions
from covrules.conditions import AllOf, AnyOf, Condition, Mistyped, Not
from covrules.declaring import Fact
from covrules.errors import nearest, one_of
from covrules.facts import FACTS, OWN
from covrules.kinds import Kind, Unfit
from covrules.node_reading import CONTROL, NodeReader, instead, said
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence

_VALUES = "a value, or a list of values"
_CONDITION = "a mapping of facts to tests, or all, any or not"


class ConditionReader(NodeReader):
    """Reads what names facts of a vocabulary; where the ruleset is `orphaned`, some of its facts are not known."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.vocabulary: dict[str, Fact] = dict(FACTS)
        self.orphaned = False

    def condition(self, node: Node, what: str) -> Condition | None:
        """Return the condition a mapping says, or None."""
        table = self.mapping(node, what, expected=_CONDITION)
        if table is None:
            return None
        if not table.items:
            self.fail(node, f"{what} is empty", _CONDITION)
            return None
        words = [key for key, _ in table.items if key.text in ("all", "any", "not")]
        if words and len({key.text for key, _ in table.items}) > 1:
            self.fail(words[0], f"{words[0].text} stands beside other keys", "one of them alone; join them with all")
            return None
        if words:
            return self.joined(words[0].text, table.items[0][1])
        tests: list[Condition | None] = []
        for key, value in _by_key(table):
            path = self.fact(key, key.text)
            tests += self.tests(value, path) if path is not None else [None]
        return _joined(AllOf, tests)

    def joined(self, word: str, node: Node) -> Condition | None:
        """Return the condition of `all`, `any` or `not`."""
        if word == "not":
            part = self.condition(node, "not")
            return Not(part) if part is not None else None
        items = self.sequence(node, word, "a list of conditions")
        if isinstance(node, Sequence) and not items:
            self.fail(node, f"{word} is empty", "at least one condition")
        return _joined(AllOf if word == "all" else AnyOf, [self.condition(item, f"a part of {word}") for item in items])

    def tests(self, node: Node, path: str) -> list[Condition | None]:
        """Return the tests of one fact; None stands for what is wrong."""
        if isinstance(node, Scalar):
            return [self.test(path, "equals", node)]
        if isinstance(node, Sequence):
            return [self.test(path, "in", node)]
        kind = self.vocabulary[path].kind
        usable = conditions.operators_for(kind)
        if not node.items:
            self.fail(node, f"the test of {path} is empty", one_of(usable))
        self.mapping(node, f"the test of {path}")
        tests: list[Condition | None] = []
        for key, value in _by_key(node):
            if key.text in usable:
                tests.append(self.test(path, key.text, value))
            else:
                near = nearest(key.text, usable)
                self.fail(
                    key,
                    f"{path} ({kind.name}) cannot be tested with {said(key.text)}",
                    *instead(near, one_of(usable)),
                )
        return tests

    def test(self, path: str, op: str, node: Node) -> Condition | None:
        """Return one test, or None where it cannot be."""
        if isinstance(node, Scalar) and node.null:
            self.fail(node, f"{path} is compared with nothing", "a value: no rule may test whether a fact is known")
            return None
        try:
            if isinstance(node, Scalar) and node.text.startswith("$"):
                other = self.fact(node, node.text[1:])
                if other is None:
                    return None
                return conditions.make_test(path, op, other, ref=True, vocabulary=self.vocabulary)
            return conditions.make_test(path, op, self.texts(node), vocabulary=self.vocabulary)
        except Mistyped as wrong:
            message = wrong.message if path in wrong.message else f"{path}: {wrong.message}"
            self.fail(node, message, wrong.expected, wrong.hint or self.with_dollar(node))
            return None

    def fact(self, node: Node, path: str) -> str | None:
        """Return the path if there is such a fact."""
        if path in self.vocabulary:
            return path
        if not (self.orphaned and path.startswith(f"{OWN}.")):
            near = nearest(path, self.vocabulary)
            self.fail(node, f"there is no fact {said(path)}", *instead(near, "a fact, such as plan.payer"))
        return None

    def value(self, node: Node, what: str, kind: Kind) -> Any:
        """Return the value of a kind."""
        try:
            return kind.read(self.texts(node))
        except Unfit as unfit:
            self.fail(node, f"{what}: found {unfit.found}", kind.expected, unfit.hint or self.with_dollar(node))
        except Mistyped as wrong:
            self.fail(node, f"{what}: {wrong.message}", kind.expected)
        return None

    def texts(self, node: Node) -> Any:
        """Return the text of a scalar, or the texts of a list; raises Mistyped for anything else."""
        if isinstance(node, Mapping):
            raise Mistyped("found a mapping", _VALUES)
        items = self.listed(node)
        texts = [item.text for item in items if isinstance(item, Scalar) and not item.null]
        if len(texts) < len(items):
            found = "nothing" if isinstance(node, Scalar) else "a list of more than plain values"
            raise Mistyped(f"found {found}", _VALUES)
        if any(CONTROL.search(text) for text in texts):
            raise Mistyped("found a control character", hint="leave it out")
        return texts if isinstance(node, Sequence) else texts[0]

    def with_dollar(self, node: Node) -> str | None:
        """Return a hint where a fact is named in the place of its value."""
        if isinstance(node, Scalar) and node.text in self.vocabulary:
            return f"write ${node.text} for the value of that fact"
        return None

    def listed(self, node: Node) -> list[Node]:
        """Return the items of a list, or the node itself as the only one."""
        return node.items if isinstance(node, Sequence) else [node]


def _by_key(node: Mapping) -> list[tuple[Scalar, Node]]:
    # A mapping has no order, so that of its keys must not reach the digest.
    return sorted(node.items, key=lambda item: item[0].text)


def _joined(join: type[AllOf] | type[AnyOf], parts: list[Condition | None]) -> Condition | None:
    sound = [part for part in parts if part is not None]
    if not sound or len(sound) < len(parts):
        return None
    return sound[0] if len(sound) == 1 else join(tuple(sound))

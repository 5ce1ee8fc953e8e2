"""Rules read from nodes."""

import re
from typing import Any

from covrules.conditions import Ref
from covrules.declaring import PEOPLE
from covrules.errors import one_of
from covrules.fact_reading import FactReader
from covrules.file_format import CAP, DENIAL, EXAMPLE, REMEDY, RULE
from covrules.kinds import Count
from covrules.node_reading import ID
from covrules.rule import (
    LAYERS,
    REQUESTED,
    STAGES,
    STATUSES,
    Cap,
    Denial,
    Example,
    Place,
    Remedy,
    Rule,
    Template,
)
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence

_CARC = re.compile(r"[A-Z]{0,2}[0-9]{1,3}")
_RARC = re.compile(r"[MN]A?[0-9]{1,3}")
_KIND_KEYS = ("requires", "caps", "waives", "advises")


class RuleReader(FactReader):
    """Reads the rules of a ruleset, and keeps where each id and each name in a waiver stands."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.rule_nodes: dict[str, Node] = {}
        self.all_named = True
        self.named_by_waivers: list[tuple[str, str, Node]] = []

    def rules(self, node: Node) -> tuple[Rule, ...]:
        """Return the rules that are sound."""
        return tuple(filter(None, map(self.rule, self.sequence(node, "rules", "a list of rules"))))

    def rule(self, item: Node) -> Rule | None:
        """Return one rule."""
        node = self.mapping(item, "a rule", (*RULE,), f"a mapping with id, title and {one_of(_KIND_KEYS)}")
        if node is None:
            return None
        before = len(self.problems)
        id_ = self.required(node, "id", "a rule", self.rule_id)
        self.all_named = self.all_named and id_ is not None
        name = id_ or "the rule"
        title = self.required(node, "title", name, self.text)
        kinds = [key for key in _KIND_KEYS if node.get(key) is not None]
        if len(kinds) > 1:
            self.fail(node, f"{name} has {' and '.join(kinds)}", f"one of {one_of(_KIND_KEYS)}; write a rule for each")
        elif not kinds and id(node) not in self.misnamed:
            self.fail(node, f"{name} does not say what it asks", f"one of {one_of(_KIND_KEYS)}")
        read: dict[str, Any] = {
            "requires": self.optional(node, "requires", lambda n: self.condition(n, "requires")),
            "caps": self.optional(node, "caps", self.cap),
            "waives": self.optional(node, "waives", lambda n: self.waives(n, id_ or "")),
            "advises": self.optional(node, "advises", lambda n: self.template(n, "advises")),
            "applies": self.optional(node, "applies", lambda n: self.condition(n, "applies")),
            "unless": self.optional(node, "unless", lambda n: self.condition(n, "unless")),
            "layer": self.optional(node, "layer", lambda n: self.choice(n, "a layer", LAYERS)) or "plan",
            "stage": self.optional(node, "from", lambda n: self.choice(n, "a stage", STAGES)) or "planned",
            "because": self.optional(node, "because", lambda n: self.template(n, "because")),
            "remedy": self.optional(node, "remedy", self.remedy),
            "denial": self.optional(node, "denial", self.denials) or (),
            "cites": self.optional(node, "cites", self.cites) or (),
            "examples": self.optional(node, "examples", self.examples) or (),
        }
        for key in ("because", "denial", "remedy", "from"):
            beside = node.get(key)
            if kinds == ["advises"] and key != "from" and read[key] and beside is not None:
                self.fail(beside, f"{name} is advice and has {key}", "advises alone: advice denies nothing")
            if kinds == ["waives"] and beside is not None:
                self.fail(
                    beside, f"{name} is a waiver and has {key}", "waives alone: a waiver denies nothing, at any stage"
                )
        if id_ is None or title is None or len(self.problems) > before or id(node) in self.misnamed:
            return None
        rule = Rule(id=id_, title=title, place=Place(self.file, node.line), origin=self.id, **read)
        self.check_examples(rule, node.get("examples"))
        return rule

    def rule_id(self, node: Node, what: str) -> str | None:
        """Return the id of a rule if no other rule has it."""
        id_ = self.identifier(node, what)
        if id_ is not None and id_ in self.rule_nodes:
            hint = f"ids must differ: the other is in line {self.rule_nodes[id_].line}"
            self.fail(node, f"{id_} is the id of another rule", hint=hint)
        elif id_ is not None:
            self.rule_nodes[id_] = node
        return id_

    def waives(self, node: Node, waiver: str) -> tuple[str, ...]:
        """Return the ids a waiver names."""
        items = self.sequence(node, "waives", "a list of ids of rules")
        named = [
            (waiver, id_, item)
            for id_, item in self.distinct(items, "a rule's id", ID, "the id of a rule")
            if id_ is not None
        ]
        self.named_by_waivers += named
        return tuple(id_ for _, id_, _ in named)

    def check_examples(self, rule: Rule, nodes: Node | None) -> None:
        """Note examples whose status the rule can never have."""
        for example, node in zip(rule.examples, nodes.items if isinstance(nodes, Sequence) else (), strict=True):
            if example.then not in rule.reachable:
                then = node.get("then") if isinstance(node, Mapping) else None
                self.fail(then or node, f"{rule.id} can never be {example.then}", one_of(rule.reachable))

    def cap(self, node: Node) -> Cap | None:
        """Return what bounds the units."""
        table = self.mapping(node, "caps", (*CAP,), f"a mapping such as {{{REQUESTED}: 4}}")
        if table is None:
            return None
        less = table.get("less")
        used = tuple(filter(None, map(self.used, self.listed(less)))) if less is not None else ()
        limit = self.required(table, REQUESTED, "caps", lambda value, _: self.limit(value))
        return None if limit is None else Cap(limit, used)

    def limit(self, node: Node) -> Any:
        """Return a limit: a value, or a fact."""
        if not isinstance(node, Scalar) or not node.text.startswith("$"):
            return self.value(node, REQUESTED, Count(unlimited=True))
        path = self.fact(node, node.text[1:])
        kind = self.vocabulary[path].kind if path is not None else None
        if path is None or isinstance(kind, Count):
            return None if path is None or kind is None else Ref(path, kind)
        self.fail(node, f"{path} ({self.vocabulary[path].kind.name}) is no limit", "a limit or a count")
        return None

    def used(self, node: Node) -> str | None:
        """Return the fact that counts what is used."""
        text = self.text(node, "less", expected="a fact that counts what is used")
        path = self.fact(node, text) if text is not None else None
        if path is None or self.vocabulary[path].kind == Count():
            return path
        self.fail(node, f"{path} ({self.vocabulary[path].kind.name}) does not count what is used", "a count")
        return None

    def template(self, node: Node, what: str) -> Template | None:
        """Return a sentence with facts in it."""
        text = self.text(node, what)
        if text is None:
            return None
        try:
            paths = Template.paths(text)
        except ValueError:
            self.fail(
                node,
                f"the braces in {what} do not fit",
                "facts as {group.name}; {{ and }} for the braces themselves",
            )
            return None
        known = None not in [self.fact(node, path) for path in paths]
        return Template.of(text, self.vocabulary) if known else None

    def remedy(self, node: Node) -> Remedy | None:
        """Return what can be done, and by whom."""
        table = self.mapping(node, "a remedy", (*REMEDY,), 'a mapping such as {who: doctor, action: "..."}')
        if table is None:
            return None
        who = self.required(table, "who", "a remedy", lambda n, what: self.choice(n, what, PEOPLE))
        action = self.required(table, "action", "a remedy", self.text)
        return Remedy(who, action) if who and action else None

    def denials(self, node: Node) -> tuple[Denial, ...]:
        """Return the codes of a denial, the first that fits to be taken."""
        return tuple(filter(None, map(self.denial, self.listed(node))))

    def denial(self, node: Node) -> Denial | None:
        """Return one of them."""
        table = self.mapping(node, "a denial", (*DENIAL,), 'a mapping such as {carc: "184"}')
        if table is None:
            return None
        carc = self.required(
            table, "carc", "a denial", lambda n, what: self.text(n, what, _CARC, "a CARC number, such as 184")
        )
        rarcs = self.listed(rarc) if (rarc := table.get("rarc")) is not None else []
        read = [self.text(n, "a rarc", _RARC, "a RARC number, such as N362") for n in rarcs]
        when: Any = self.optional(table, "when", lambda n: self.condition(n, "when"))
        return Denial(carc, tuple(filter(None, read)), when) if carc else None

    def examples(self, node: Node) -> tuple[Example, ...]:
        """Return the examples that are sound."""
        return tuple(filter(None, map(self.example, self.sequence(node, "examples", "a list of examples"))))

    def example(self, node: Node) -> Example | None:
        """Return one example."""
        table = self.mapping(node, "an example", (*EXAMPLE,), "a mapping such as {given: {}, then: unknown}")
        if table is None:
            return None
        then: Any = self.required(table, "then", "an example", lambda n, what: self.choice(n, what, STATUSES))
        given: dict[str, Any] = {}
        facts = self.required(
            table, "given", "an example", lambda n, what: self.mapping(n, what, expected="a mapping of facts to values")
        )
        for key, value in facts.items if facts else ():
            path = self.fact(key, key.text)
            if path is not None and not (isinstance(value, Scalar) and value.null):
                given[path] = self.value(value, path, self.vocabulary[path].kind)
        return Example(given, then, Place(self.file, node.line)) if then is not None else None

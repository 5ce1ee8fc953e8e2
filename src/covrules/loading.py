"""A ruleset file to a Ruleset, or to one error that lists every problem with its place."""

import re
from collections.abc import Iterable
from typing import Any

import attrs

from covrules import conditions, yaml_nodes
from covrules.conditions import AllOf, AnyOf, Condition, Mistyped, Not, Ref
from covrules.declaring import PEOPLE
from covrules.errors import Problem, RulesetError, nearest, one_of
from covrules.facts import FACTS
from covrules.kinds import Count, Date, Kind, Unfit
from covrules.node_reading import CONTROL, Enough, NodeReader, instead, said
from covrules.rulesets import (
    LAYERS,
    REQUESTED,
    SCHEMA,
    STAGES,
    STANDINGS,
    STATUSES,
    Cap,
    Denial,
    Example,
    Place,
    Remedy,
    Rule,
    Ruleset,
    Source,
    Template,
)
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence

_CARC = re.compile(r"[A-Z]{0,2}[0-9]{1,3}")
_RARC = re.compile(r"[MN]A?[0-9]{1,3}")
_URL = re.compile(r"https?://[^\s\"'<>]+")
_FILE_KEYS = ("schema", "id", "title", "status", "version", "sources", "rules")
_KIND_KEYS = ("requires", "caps", "advises")
_RULE_KEYS = (
    "id", "title", *_KIND_KEYS, "applies", "unless", "layer", "from", "because", "remedy", "denial", "cites",
    "examples",
)  # fmt: skip
_VALUES = "a value, or a list of values"
_CONDITION = "a mapping of facts to tests, or all, any or not"


def read_ruleset(data: bytes, file: str) -> Ruleset:
    """Return the ruleset of a file's bytes; `file` is what errors and findings call it.

    Raises RulesetError listing everything wrong (up to a hundred things), each with line, column and the line itself.
    """
    try:
        root = yaml_nodes.read(yaml_nodes.decode(data, file), file)
    except yaml_nodes.Unreadable as unreadable:
        raise RulesetError(_with_source([unreadable.problem], data)) from None
    reader = _RulesetReader(file)
    try:
        ruleset = reader.ruleset(root)
    except Enough:
        ruleset = None
    if ruleset is None:
        raise RulesetError(_with_source(sorted(reader.problems, key=lambda p: (p.line or 0, p.column or 0)), data))
    return ruleset


def _with_source(problems: Iterable[Problem], data: bytes) -> list[Problem]:
    lines = yaml_nodes.lines(data[: yaml_nodes.MAX_BYTES].decode("utf-8-sig", "replace"))
    return [attrs.evolve(p, source=lines[p.line - 1] if p.line and p.line <= len(lines) else None) for p in problems]


class _RulesetReader(NodeReader):
    """Reads the parts of a ruleset."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.sources: dict[str, Source] | None = {}
        self.rule_lines: dict[str, int] = {}

    # --- the file -------------------------------------------------------------------------------------------

    def ruleset(self, root: Node) -> Ruleset | None:
        node = self.mapping(root, "the ruleset", _FILE_KEYS, f"a mapping with {', '.join(_FILE_KEYS)}")
        if node is None:
            return None
        schema = self.required(node, "schema", "the ruleset", self.text)
        if schema not in (None, SCHEMA):
            self.fail(node.get("schema") or node, f"{said(schema or '')} is not a schema read here", SCHEMA)
        id_ = self.required(node, "id", "the ruleset", self.identifier)
        title = self.required(node, "title", "the ruleset", self.text)
        version = self.required(node, "version", "the ruleset", self.text)
        status: Any = self.required(node, "status", "the ruleset", lambda n, what: self.choice(n, what, STANDINGS))
        self.sources = {} if not self.excused(node, "sources") else None
        self.optional(node, "sources", self.read_sources)
        rules = self.optional(node, "rules", self.rules) or ()
        if status == "sourced":
            self.check_sourced(node.get("rules"))
        if self.problems:
            return None
        return Ruleset(
            id=id_ or "",
            title=title or "",
            version=version or "",
            status=status or "illustrative",
            rules=rules,
            sources=self.sources or {},
            place=Place(self.file, node.line),
        )

    def check_sourced(self, rules: Node | None) -> None:
        for node in rules.items if isinstance(rules, Sequence) else ():
            cites = node.get("cites") if isinstance(node, Mapping) else node
            if cites is None and isinstance(node, Mapping) and self.excused(node, "cites"):
                continue
            if cites is None or (isinstance(cites, Sequence) and not cites.items):
                self.fail(node, "a rule cites nothing", "cites, as the status of the ruleset is sourced")

    def read_sources(self, node: Node) -> None:
        table = self.mapping(node, "sources", expected="a mapping of ids to what was read")
        self.sources = {} if table is not None else None
        for key, value in table.items if table else ():
            self.identifier(key, "a source's id")
            source = self.source(value, key.text)
            if self.sources is not None:
                self.sources[key.text] = source or Source(key.text, "")

    def source(self, node: Node, id: str) -> Source | None:
        what = f"the source {said(id)}"
        fields = self.mapping(node, what, ("title", "section", "url", "read"), 'a mapping such as {title: "..."}')
        if fields is None:
            return None
        title = self.required(fields, "title", what, self.text)
        section = self.optional(fields, "section", lambda n: self.text(n, f"the section of {what}"))
        url = self.optional(fields, "url", lambda n: self.text(n, f"the url of {what}", _URL, "an address from http"))
        read = self.optional(fields, "read", lambda n: self.value(n, f"the read of {what}", Date()))
        return Source(id, title or "", section, url, read)

    def rules(self, node: Node) -> tuple[Rule, ...]:
        return tuple(filter(None, map(self.rule, self.sequence(node, "rules", "a list of rules"))))

    # --- a rule ---------------------------------------------------------------------------------------------

    def rule(self, item: Node) -> Rule | None:
        node = self.mapping(item, "a rule", _RULE_KEYS, f"a mapping with id, title and {one_of(_KIND_KEYS)}")
        if node is None:
            return None
        before = len(self.problems)
        id_ = self.required(node, "id", "a rule", self.rule_id)
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
        for key in ("because", "denial", "remedy"):
            beside = node.get(key)
            if kinds == ["advises"] and read[key] and beside is not None:
                self.fail(beside, f"{name} is advice and has {key}", "advises alone: advice denies nothing")
        if id_ is None or title is None or len(self.problems) > before or id(node) in self.misnamed:
            return None
        rule = Rule(id=id_, title=title, place=Place(self.file, node.line), **read)
        self.check_examples(rule, node.get("examples"))
        return rule

    def rule_id(self, node: Node, what: str) -> str | None:
        id_ = self.identifier(node, what)
        if id_ is not None and id_ in self.rule_lines:
            hint = f"ids must differ: the other is in line {self.rule_lines[id_]}"
            self.fail(node, f"{id_} is the id of another rule", hint=hint)
        elif id_ is not None:
            self.rule_lines[id_] = node.line
        return id_

    def check_examples(self, rule: Rule, nodes: Node | None) -> None:
        for example, node in zip(rule.examples, nodes.items if isinstance(nodes, Sequence) else (), strict=True):
            if example.then not in rule.reachable:
                then = node.get("then") if isinstance(node, Mapping) else None
                self.fail(then or node, f"{rule.id} can never be {example.then}", one_of(rule.reachable))

    def cap(self, node: Node) -> Cap | None:
        table = self.mapping(node, "caps", (REQUESTED, "less"), f"a mapping such as {{{REQUESTED}: 4}}")
        if table is None:
            return None
        less = table.get("less")
        used = tuple(filter(None, map(self.used, self._listed(less)))) if less is not None else ()
        limit = self.required(table, REQUESTED, "caps", lambda value, _: self.limit(value))
        return None if limit is None else Cap(limit, used)

    def limit(self, node: Node) -> Any:
        if not isinstance(node, Scalar) or not node.text.startswith("$"):
            return self.value(node, REQUESTED, Count(unlimited=True))
        path = self.fact(node, node.text[1:])
        if path is None or isinstance(FACTS[path].kind, Count):
            return None if path is None else Ref(path)
        self.fail(node, f"{path} ({FACTS[path].kind.name}) is no limit", "a limit or a count")
        return None

    def _listed(self, node: Node) -> list[Node]:
        return node.items if isinstance(node, Sequence) else [node]

    def used(self, node: Node) -> str | None:
        text = self.text(node, "less", expected="a fact that counts what is used")
        path = self.fact(node, text) if text is not None else None
        if path is None or FACTS[path].kind == Count():
            return path
        self.fail(node, f"{path} ({FACTS[path].kind.name}) does not count what is used", "a count")
        return None

    def template(self, node: Node, what: str) -> Template | None:
        text = self.text(node, what)
        if text is None:
            return None
        template = Template(text)
        try:
            paths = template.facts()
        except ValueError:
            self.fail(
                node,
                f"the braces in {what} do not fit",
                "facts as {group.name}; {{ and }} for the braces themselves",
            )
            return None
        return template if None not in [self.fact(node, path) for path in paths] else None

    def remedy(self, node: Node) -> Remedy | None:
        table = self.mapping(node, "a remedy", ("who", "action"), 'a mapping such as {who: doctor, action: "..."}')
        if table is None:
            return None
        who = self.required(table, "who", "a remedy", lambda n, what: self.choice(n, what, PEOPLE))
        action = self.required(table, "action", "a remedy", self.text)
        return Remedy(who, action) if who and action else None

    def denials(self, node: Node) -> tuple[Denial, ...]:
        return tuple(filter(None, map(self.denial, self._listed(node))))

    def denial(self, node: Node) -> Denial | None:
        table = self.mapping(node, "a denial", ("carc", "rarc", "when"), 'a mapping such as {carc: "184"}')
        if table is None:
            return None
        carc = self.required(
            table, "carc", "a denial", lambda n, what: self.text(n, what, _CARC, "a CARC number, such as 184")
        )
        rarcs = self._listed(rarc) if (rarc := table.get("rarc")) is not None else []
        read = [self.text(n, "a rarc", _RARC, "a RARC number, such as N362") for n in rarcs]
        when: Any = self.optional(table, "when", lambda n: self.condition(n, "when"))
        return Denial(carc, tuple(filter(None, read)), when) if carc else None

    def cites(self, node: Node) -> tuple[str, ...]:
        ids = []
        for item in self.sequence(node, "cites", "a list of ids from sources"):
            text = self.text(item, "a source's id")
            if text is not None and self.sources is not None and text not in self.sources:
                near = nearest(text, self.sources)
                self.fail(item, f"there is no source {said(text)}", *instead(near, "an id from sources"))
            elif text is not None:
                ids.append(text)
        return tuple(ids)

    def examples(self, node: Node) -> tuple[Example, ...]:
        return tuple(filter(None, map(self.example, self.sequence(node, "examples", "a list of examples"))))

    def example(self, node: Node) -> Example | None:
        table = self.mapping(node, "an example", ("given", "then"), "a mapping such as {given: {}, then: unknown}")
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
                given[path] = self.value(value, path, FACTS[path].kind)
        return Example(given, then, Place(self.file, node.line)) if then is not None else None

    # --- conditions -----------------------------------------------------------------------------------------

    def condition(self, node: Node, what: str) -> Condition | None:
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
        if word == "not":
            part = self.condition(node, "not")
            return Not(part) if part is not None else None
        items = self.sequence(node, word, "a list of conditions")
        if isinstance(node, Sequence) and not items:
            self.fail(node, f"{word} is empty", "at least one condition")
        return _joined(AllOf if word == "all" else AnyOf, [self.condition(item, f"a part of {word}") for item in items])

    def tests(self, node: Node, path: str) -> list[Condition | None]:
        if isinstance(node, Scalar):
            return [self.test(path, "equals", node)]
        if isinstance(node, Sequence):
            return [self.test(path, "in", node)]
        kind = FACTS[path].kind
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
        if isinstance(node, Scalar) and node.null:
            self.fail(node, f"{path} is compared with nothing", "a value: no rule may test whether a fact is known")
            return None
        try:
            if isinstance(node, Scalar) and node.text.startswith("$"):
                other = self.fact(node, node.text[1:])
                return conditions.make_test(path, op, other, ref=True) if other is not None else None
            return conditions.make_test(path, op, self.texts(node))
        except Mistyped as wrong:
            message = wrong.message if path in wrong.message else f"{path}: {wrong.message}"
            self.fail(node, message, wrong.expected, wrong.hint or _with_dollar(node))
            return None

    def fact(self, node: Node, path: str) -> str | None:
        if path in FACTS:
            return path
        near = nearest(path, FACTS)
        self.fail(node, f"there is no fact {said(path)}", *instead(near, "a fact, such as plan.payer"))
        return None

    def value(self, node: Node, what: str, kind: Kind) -> Any:
        try:
            return kind.read(self.texts(node))
        except Unfit as unfit:
            self.fail(node, f"{what}: found {unfit.found}", kind.expected, unfit.hint or _with_dollar(node))
        except Mistyped as wrong:
            self.fail(node, f"{what}: {wrong.message}", kind.expected)
        return None

    def texts(self, node: Node) -> Any:
        """Return the text of a scalar, or the texts of a list; raises Mistyped for anything else."""
        if isinstance(node, Mapping):
            raise Mistyped("found a mapping", _VALUES)
        items = self._listed(node)
        texts = [item.text for item in items if isinstance(item, Scalar) and not item.null]
        if len(texts) < len(items):
            found = "nothing" if isinstance(node, Scalar) else "a list of more than plain values"
            raise Mistyped(f"found {found}", _VALUES)
        if any(CONTROL.search(text) for text in texts):
            raise Mistyped("found a control character", hint="leave it out")
        return texts if isinstance(node, Sequence) else texts[0]


def _by_key(node: Mapping) -> list[tuple[Scalar, Node]]:
    # A mapping has no order, so that of its keys must not reach the digest.
    return sorted(node.items, key=lambda item: item[0].text)


def _joined(join: type[AllOf] | type[AnyOf], parts: list[Condition | None]) -> Condition | None:
    sound = [part for part in parts if part is not None]
    if not sound or len(sound) < len(parts):
        return None
    return sound[0] if len(sound) == 1 else join(tuple(sound))


def _with_dollar(node: Node) -> str | None:
    if isinstance(node, Scalar) and node.text in FACTS:
        return f"write ${node.text} for the value of that fact"
    return None

"""A ruleset file to a Ruleset, or to one error that lists every problem with its place."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import attrs

from covrules import conditions, yaml_nodes
from covrules.conditions import AllOf, AnyOf, Condition, Mistyped, Not, Ref
from covrules.errors import Problem, RulesetError, did_you_mean, one_of, printable
from covrules.facts import FACTS, Who
from covrules.kinds import Count, Date, Unfit
from covrules.rulesets import (
    LAYERS,
    REQUESTED,
    STAGES,
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

SCHEMA: Final = "covrules/1"
MAX_TEXT: Final = 2_000
"""The longest text in a ruleset, in characters."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CARC = re.compile(r"[A-Z]{0,2}[0-9]{1,3}")
_RARC = re.compile(r"[MN]A?[0-9]{1,3}")
_URL = re.compile(r"https?://[^\s\"'<>]+")
_WHO: Final[tuple[Who, ...]] = ("patient", "doctor", "clinic", "insurer")
_FILE_KEYS = ("schema", "id", "title", "status", "version", "sources", "rules")
_KIND_KEYS = ("requires", "caps", "advises")
_RULE_KEYS = (
    "id", "title", *_KIND_KEYS, "applies", "unless", "layer", "from", "because", "remedy", "denial", "cites",
    "examples",
)  # fmt: skip

T = TypeVar("T")


def read_ruleset(data: bytes, file: str) -> Ruleset:
    """Return the ruleset of a file's bytes; `file` is what errors and findings call it.

    Raises RulesetError listing everything wrong, each with line, column and the line itself.
    """
    text = ""
    try:
        text = yaml_nodes.decode(data, file)
        root = yaml_nodes.read(text, file)
    except yaml_nodes.Unreadable as unreadable:
        raise RulesetError(_with_source([unreadable.problem], text)) from None
    reader = _Reader(file)
    ruleset = reader.ruleset(root)
    if ruleset is None or reader.problems:
        ordered = sorted(reader.problems, key=lambda p: (p.line or 0, p.column or 0))
        raise RulesetError(_with_source(ordered, text))
    return ruleset


def _with_source(problems: Iterable[Problem], text: str) -> list[Problem]:
    lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)
    return [attrs.evolve(p, source=lines[p.line - 1] if p.line and p.line <= len(lines) else None) for p in problems]


class _Reader:
    """Reads nodes into parts of a ruleset; what is wrong is noted and reading goes on, giving None there."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.sources: dict[str, Source] = {}

    def fail(self, node: Node, message: str, expected: str | None = None, hint: str | None = None) -> None:
        self.problems.append(
            Problem(
                file=self.file,
                line=node.line,
                column=node.column,
                message=message,
                expected=expected,
                hint=hint,
            )
        )

    # --- shapes ---------------------------------------------------------------------------------------------

    def mapping(self, node: Node, what: str, known: tuple[str, ...] | None = None) -> Mapping | None:
        """Return the node if it is a mapping; note keys that come twice or are not known."""
        if not isinstance(node, Mapping):
            self.fail(node, f"{what} is {_shape(node)}", "a mapping")
            return None
        for key, first in yaml_nodes.duplicates(node):
            self.fail(key, f"{printable(key.text)} comes twice", hint=f"it is there first in line {first.line}")
        for key, _ in node.items:
            if known is not None and key.text not in known:
                hint = did_you_mean(key.text, known)
                self.fail(key, f"{what} has no key {printable(key.text)}", None if hint else one_of(known), hint)
        return node

    def sequence(self, node: Node, what: str) -> list[Node]:
        if isinstance(node, Sequence):
            return node.items
        self.fail(node, f"{what} is {_shape(node)}", "a list")
        return []

    def text(self, node: Node, what: str, pattern: re.Pattern[str] | None = None, expected: str = "text") -> str | None:
        if not isinstance(node, Scalar) or node.null or not node.text.strip():
            self.fail(node, f"{what} is {_shape(node)}", expected)
        elif len(node.text) > MAX_TEXT:
            self.fail(node, f"{what} has {len(node.text):,} characters", f"at most {MAX_TEXT:,}")
        elif pattern is not None and not pattern.fullmatch(node.text):
            self.fail(node, f"{printable(node.text)} cannot be {what}", expected)
        else:
            return node.text
        return None

    def choice(self, node: Node, what: str, words: tuple[Any, ...]) -> Any:
        text = self.text(node, what, expected=one_of(words))
        if text is None or text in words:
            return text
        self.fail(node, f"{printable(text)} cannot be {what}", one_of(words), did_you_mean(text, words))
        return None

    def required(self, node: Mapping, key: str, what: str, read: Callable[[Node, str], T | None]) -> T | None:
        value = node.get(key)
        if value is None:
            self.fail(node, f"{what} has no {key}", f"the key {key}")
            return None
        return read(value, f"the {key} of {what}")

    def optional(self, node: Mapping, key: str, read: Callable[[Node], T | None]) -> T | None:
        value = node.get(key)
        return None if value is None else read(value)

    def identifier(self, node: Node, what: str) -> str | None:
        return self.text(node, what, _ID, "lower-case words joined by hyphens, such as units-per-visit")

    # --- the file -------------------------------------------------------------------------------------------

    def ruleset(self, root: Node) -> Ruleset | None:
        node = self.mapping(root, "the ruleset", _FILE_KEYS)
        if node is None:
            return None
        schema = self.required(node, "schema", "the ruleset", self.text)
        if schema not in (None, SCHEMA):
            self.fail(node.get("schema") or node, f"{printable(schema or '')} is not a schema read here", SCHEMA)
        id_ = self.required(node, "id", "the ruleset", self.identifier)
        title = self.required(node, "title", "the ruleset", self.text)
        version = self.required(node, "version", "the ruleset", self.text)
        statuses = ("illustrative", "sourced")
        status: Any = self.required(node, "status", "the ruleset", lambda n, what: self.choice(n, what, statuses))
        self.optional(node, "sources", self.read_sources)
        rules = self.optional(node, "rules", self.rules) or ()
        if status == "sourced":
            self.check_sourced(node, rules)
        if self.problems:
            return None
        return Ruleset(
            id=id_ or "",
            title=title or "",
            version=version or "",
            status=status or "illustrative",
            rules=rules,
            sources=self.sources,
            place=Place(self.file, node.line),
        )

    def check_sourced(self, root: Mapping, rules: tuple[Rule, ...]) -> None:
        nodes = root.get("rules")
        if isinstance(nodes, Sequence) and len(nodes.items) == len(rules):
            for node, rule in zip(nodes.items, rules, strict=True):
                if not rule.cites:
                    self.fail(node, f"{rule.id} cites nothing", "cites, as the ruleset's status is sourced")

    def read_sources(self, node: Node) -> None:
        table = self.mapping(node, "sources")
        for key, value in table.items if table else ():
            self.identifier(key, "a source's id")
            fields = self.mapping(value, f"the source {printable(key.text)}", ("title", "section", "url", "read"))
            if fields is None:
                continue
            title = self.required(fields, "title", f"the source {printable(key.text)}", self.text)
            section = self.optional(fields, "section", lambda n: self.text(n, "a section"))
            url = self.optional(fields, "url", lambda n: self.text(n, "a url", _URL, "an address from http"))
            self.sources[key.text] = Source(
                key.text,
                title or "",
                section,
                url,
                self.optional(fields, "read", lambda n: self.value(n, Date())),
            )

    def rules(self, node: Node) -> tuple[Rule, ...]:
        rules: list[Rule] = []
        lines: dict[str, int] = {}
        for item in self.sequence(node, "rules"):
            rule = self.rule(item)
            if rule is None:
                continue
            if rule.id in lines:
                self.fail(item, f"a second rule {rule.id}", hint=f"the first is in line {lines[rule.id]}")
            lines.setdefault(rule.id, item.line)
            rules.append(rule)
        return tuple(rules)

    # --- a rule ---------------------------------------------------------------------------------------------

    def rule(self, item: Node) -> Rule | None:
        node = self.mapping(item, "a rule", _RULE_KEYS)
        if node is None:
            return None
        id_ = self.required(node, "id", "a rule", self.identifier)
        name = id_ or "the rule"
        title = self.required(node, "title", name, self.text)
        before = len(self.problems)
        kinds = [key for key in _KIND_KEYS if node.get(key) is not None]
        if len(kinds) != 1:
            self.fail(node, f"{name} has {' and '.join(kinds) or 'none of them'}", f"one of {one_of(_KIND_KEYS)}")
        read: dict[str, Any] = {
            "requires": self.optional(node, "requires", self.condition),
            "caps": self.optional(node, "caps", self.cap),
            "advises": self.optional(node, "advises", lambda n: self.template(n, "advises")),
            "applies": self.optional(node, "applies", self.condition),
            "unless": self.optional(node, "unless", self.condition),
            "layer": self.optional(node, "layer", lambda n: self.choice(n, "a layer", LAYERS)) or "plan",
            "stage": self.optional(node, "from", lambda n: self.choice(n, "a stage", STAGES)) or "planned",
            "because": self.optional(node, "because", lambda n: self.template(n, "because")),
            "remedy": self.optional(node, "remedy", self.remedy),
            "denial": self.optional(node, "denial", self.denials) or (),
            "cites": self.optional(node, "cites", self.cites) or (),
        }
        examples = self.optional(node, "examples", self.examples) or ()
        for key in ("because", "denial", "remedy"):
            if "advises" in kinds and node.get(key) is not None:
                self.fail(
                    node.get(key) or node,
                    f"{name} is advice and has {key}",
                    "advice alone: it denies nothing",
                )
        if id_ is None or title is None or len(self.problems) > before:
            return None
        rule = Rule(id=id_, title=title, examples=examples, place=Place(self.file, node.line), **read)
        self.check_examples(rule)
        return rule

    def check_examples(self, rule: Rule) -> None:
        possible = {*rule.reachable, "not-applicable"} if rule.advises else set(rule.reachable)
        for example in rule.examples:
            if example.then not in possible:
                place = Scalar("", True, example.place.line, 1)
                self.fail(place, f"{rule.id} can never be {example.then}", one_of(sorted(possible)))

    def cap(self, node: Node) -> Cap | None:
        table = self.mapping(node, "caps", (REQUESTED, "less"))
        if table is None:
            return None
        less = table.get("less")
        used = tuple(filter(None, map(self.used, self._listed(less)))) if less is not None else ()
        limit = self.required(table, REQUESTED, "caps", lambda value, _: self.limit(value))
        return None if limit is None else Cap(limit, used)

    def limit(self, node: Node) -> Any:
        if not isinstance(node, Scalar) or not node.text.startswith("$"):
            return self.value(node, Count(unlimited=True))
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
        table = self.mapping(node, "remedy", ("who", "action"))
        if table is None:
            return None
        who = self.required(table, "who", "remedy", lambda n, what: self.choice(n, what, _WHO))
        action = self.required(table, "action", "remedy", self.text)
        return Remedy(who, action) if who and action else None

    def denials(self, node: Node) -> tuple[Denial, ...]:
        return tuple(filter(None, map(self.denial, self._listed(node))))

    def denial(self, node: Node) -> Denial | None:
        table = self.mapping(node, "denial", ("carc", "rarc", "when"))
        if table is None:
            return None
        carc = self.required(
            table, "carc", "denial", lambda n, what: self.text(n, what, _CARC, "a CARC number, such as 184")
        )
        rarcs = self._listed(rarc) if (rarc := table.get("rarc")) is not None else []
        read = [self.text(n, "a rarc", _RARC, "a RARC number, such as N362") for n in rarcs]
        when: Any = self.optional(table, "when", self.condition)
        return Denial(carc, tuple(filter(None, read)), when) if carc else None

    def cites(self, node: Node) -> tuple[str, ...]:
        ids = []
        for item in self.sequence(node, "cites"):
            text = self.text(item, "a source's id")
            if text is not None and text not in self.sources:
                hint = did_you_mean(text, self.sources)
                self.fail(
                    item,
                    f"there is no source {printable(text)}",
                    None if hint else "an id under sources",
                    hint,
                )
            elif text is not None:
                ids.append(text)
        return tuple(ids)

    def examples(self, node: Node) -> tuple[Example, ...]:
        return tuple(filter(None, map(self.example, self.sequence(node, "examples"))))

    def example(self, node: Node) -> Example | None:
        table = self.mapping(node, "an example", ("given", "then"))
        if table is None:
            return None
        then = self.required(table, "then", "an example", self.text)
        given: dict[str, Any] = {}
        facts = table.get("given")
        checked = self.mapping(facts, "given") if facts is not None else None
        if facts is None:
            self.fail(node, "an example has no given", "the key given: {} where nothing is known")
        for key, value in checked.items if checked else ():
            path = self.fact(key, key.text)
            if path is None or (isinstance(value, Scalar) and value.null):
                continue
            given[path] = self.value(value, FACTS[path].kind)
        return Example(given, then, Place(self.file, node.line)) if then is not None else None  # type: ignore[arg-type]

    # --- conditions -----------------------------------------------------------------------------------------

    def condition(self, node: Node) -> Condition | None:
        table = self.mapping(node, "a condition")
        if table is None:
            return None
        if not table.items:
            self.fail(node, "a condition is empty", "a mapping of fact to test, or all, any or not")
            return None
        words = [key for key, _ in table.items if key.text in ("all", "any", "not")]
        if words and len(table.items) > 1:
            self.fail(words[0], f"{words[0].text} stands beside other keys", "one of them alone; join them with all")
            return None
        if words:
            return self.joined(words[0].text, table.items[0][1])
        tests: list[Condition | None] = []
        for key, value in table.items:
            path = self.fact(key, key.text)
            tests += self.tests(value, path) if path is not None else [None]
        return _joined(AllOf, tests)

    def joined(self, word: str, node: Node) -> Condition | None:
        if word == "not":
            part = self.condition(node)
            return Not(part) if part is not None else None
        items = self.sequence(node, word)
        if isinstance(node, Sequence) and not items:
            self.fail(node, f"{word} is empty", "at least one condition")
        return _joined(AllOf if word == "all" else AnyOf, [self.condition(item) for item in items])

    def tests(self, node: Node, path: str) -> list[Condition | None]:
        if isinstance(node, Scalar):
            return [self.test(path, "equals", node)]
        if isinstance(node, Sequence):
            return [self.test(path, "in", node)]
        if not node.items:
            self.fail(node, f"the test of {path} is empty", one_of(conditions.operators_for(FACTS[path].kind)))
        self.mapping(node, f"the test of {path}", tuple(conditions.OPERATORS))
        return [self.test(path, key.text, value) for key, value in node.items if key.text in conditions.OPERATORS]

    def test(self, path: str, op: str, node: Node) -> Condition | None:
        if isinstance(node, Scalar) and node.null:
            self.fail(node, f"{path} is compared with nothing", "a value: no rule may test whether a fact is known")
            return None
        ref = isinstance(node, Scalar) and node.text.startswith("$")
        try:
            if ref and isinstance(node, Scalar):
                other = self.fact(node, node.text[1:])
                return conditions.make_test(path, op, other, ref=True) if other is not None else None
            return conditions.make_test(path, op, self.texts(node))
        except Mistyped as wrong:
            self.fail(
                node,
                f"{path}: {wrong.message}" if path not in wrong.message else wrong.message,
                wrong.expected,
                wrong.hint,
            )
            return None

    def fact(self, node: Node, path: str) -> str | None:
        if path in FACTS:
            return path
        hint = did_you_mean(path, FACTS)
        self.fail(node, f"there is no fact {printable(path)}", None if hint else "a fact, such as plan.payer", hint)
        return None

    def value(self, node: Node, kind: Any) -> Any:
        try:
            return kind.read(self.texts(node))
        except (Unfit, Mistyped) as unfit:
            self.fail(
                node,
                f"found {unfit.found}" if isinstance(unfit, Unfit) else unfit.message,
                kind.expected,
                unfit.hint,
            )
            return None

    def texts(self, node: Node) -> Any:
        """Return the text of a scalar, or the texts of a list; raises Mistyped for anything else."""
        if isinstance(node, Scalar):
            return node.text
        if isinstance(node, Sequence) and all(isinstance(item, Scalar) and not item.null for item in node.items):
            return [item.text for item in node.items if isinstance(item, Scalar)]
        raise Mistyped(
            f"found {_shape(node)}" if isinstance(node, Mapping) else "found a list of more than plain values"
        )


def _joined(join: type[AllOf] | type[AnyOf], parts: list[Condition | None]) -> Condition | None:
    sound = [part for part in parts if part is not None]
    if not sound or len(sound) < len(parts):
        return None
    return sound[0] if len(sound) == 1 else join(tuple(sound))


def _shape(node: Node) -> str:
    if isinstance(node, Scalar):
        return "nothing" if node.null else "blank text" if not node.text.strip() else "text"
    return "a list" if isinstance(node, Sequence) else "a mapping"

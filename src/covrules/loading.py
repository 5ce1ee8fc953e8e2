"""A ruleset file to a Ruleset, or to one error that lists every problem with its place."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import attrs

from covrules import conditions, yaml_nodes
from covrules.conditions import AllOf, AnyOf, Condition, Mistyped, Not, Ref
from covrules.declaring import PEOPLE, Fact
from covrules.errors import Problem, RulesetError, nearest, one_of
from covrules.extending import Inheritance, may_replace, why_not_waived
from covrules.facts import FACTS, OWN
from covrules.kinds import Count, Date, Days, Kind, Unfit, kind_of
from covrules.node_reading import CONTROL, ID, Enough, NodeReader, instead, said
from covrules.rulesets import (
    EVER,
    LAYERS,
    REQUESTED,
    SCHEMA,
    STAGES,
    STANDINGS,
    STATUSES,
    Cap,
    Denial,
    Disabled,
    Example,
    Fixed,
    Period,
    Place,
    Remedy,
    Rule,
    Ruleset,
    Source,
    Template,
    Version,
)
from covrules.yaml_nodes import Mapping, Node, Scalar, Sequence

_CARC = re.compile(r"[A-Z]{0,2}[0-9]{1,3}")
_RARC = re.compile(r"[MN]A?[0-9]{1,3}")
_URL = re.compile(r"https?://[^\s\"'<>]+")
_OWN_NAME = re.compile(rf"{OWN}\.[a-z][a-z0-9_]{{0,39}}")
_WORD = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")
_FILE_KEYS = (
    "schema", "id", "title", "status", "version", "extends", "disables", "effective", "sources", "facts", "declares",
    "rules",
)  # fmt: skip
_KIND_KEYS = ("requires", "caps", "waives", "advises")
_RULE_KEYS = (
    "id", "title", *_KIND_KEYS, "applies", "unless", "layer", "from", "because", "remedy", "denial", "cites",
    "examples",
)  # fmt: skip
_VALUES = "a value, or a list of values"
_FILE = "a mapping with schema, id, title, status, version and rules"
_CONDITION = "a mapping of facts to tests, or all, any or not"


class NotFound(Exception):
    """A ruleset to extend that cannot be had; says what is wrong and what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


Find = Callable[[str, Period], Ruleset]
"""Returns the ruleset of an id that is in force in a period; raises NotFound, or its RulesetError."""


def _nowhere(id: str, period: Period) -> Ruleset:
    raise NotFound(f"there is no ruleset {id}", "here a file is read by itself, and can extend none")


def read_ruleset(data: bytes, file: str, find: Find = _nowhere, versions: tuple[Version, ...] = ()) -> Ruleset:
    """Return the ruleset of a file's bytes; `file` is what errors and findings call it.

    `find` returns what it extends; `versions` are those that stand side by side with it. Raises RulesetError listing
    everything wrong (up to a hundred things a file), each with line, column and the line itself.
    """
    try:
        root = nodes(data, file)
    except yaml_nodes.Unreadable as unreadable:
        raise RulesetError(_with_source([unreadable.problem], data)) from None
    reader = _RulesetReader(file, find)
    try:
        ruleset = reader.ruleset(root, versions)
    except Enough:
        ruleset = None
    if ruleset is None:
        problems = _with_source(sorted(reader.problems, key=lambda p: (p.line or 0, p.column or 0)), data)
        raise RulesetError(dict.fromkeys([*problems, *reader.problems_of_parents]))
    return ruleset


@lru_cache(maxsize=16)
def nodes(data: bytes, file: str) -> Node:
    """Return the nodes of a file's bytes; raises yaml_nodes.Unreadable."""
    return yaml_nodes.read(yaml_nodes.decode(data, file), file)


def _with_source(problems: Iterable[Problem], data: bytes) -> list[Problem]:
    lines = yaml_nodes.lines(data[: yaml_nodes.MAX_BYTES].decode("utf-8-sig", "replace"))
    return [attrs.evolve(p, source=lines[p.line - 1] if p.line and p.line <= len(lines) else None) for p in problems]


class _RulesetReader(NodeReader):
    """Reads the parts of a ruleset."""

    def __init__(self, file: str, find: Find) -> None:
        super().__init__(file)
        self.find = find
        self.id = ""
        self.sources: dict[str, Source] | None = {}
        self.rule_nodes: dict[str, Node] = {}
        self.all_named = True
        self.named_by_waivers: list[tuple[str, str, Node]] = []
        self.inherited = Inheritance()
        self.orphaned = False
        self.problems_of_parents: list[Problem] = []
        self.vocabulary: dict[str, Fact] = dict(FACTS)

    # --- the file -------------------------------------------------------------------------------------------

    def ruleset(self, root: Node, versions: tuple[Version, ...]) -> Ruleset | None:
        node = self.mapping(root, "the ruleset", _FILE_KEYS, _FILE)
        if node is None:
            return None
        schema = self.required(node, "schema", "the ruleset", self.text)
        if schema not in (None, SCHEMA):
            self.fail(node.get("schema") or node, f"{said(schema or '')} is not a schema read here", SCHEMA)
        self.id = self.required(node, "id", "the ruleset", self.identifier) or ""
        title = self.required(node, "title", "the ruleset", self.text)
        version = self.required(node, "version", "the ruleset", self.text)
        status: Any = self.required(node, "status", "the ruleset", lambda n, what: self.choice(n, what, STANDINGS))
        self.sources = {} if not self.excused(node, "sources") else None
        self.optional(node, "sources", self.read_sources)
        period = self.optional(node, "effective", self.period) or EVER
        extends = self.optional(node, "extends", lambda n: self.extends(n, period)) or ()
        self.orphaned = self.orphaned or self.excused(node, "extends") or self.excused(node, "declares")
        self.optional(node, "declares", self.declarations)
        fixed = self.optional(node, "facts", self.fixed_facts) or {}
        rules = self.optional(node, "rules", self.rules) or ()
        entries = self.replaced(rules)
        self.optional(node, "disables", lambda n: self.disable(n, entries))
        self.check_waivers(entries)
        if status == "sourced":
            self.check_sourced(node.get("rules"), "a rule")
            self.check_sourced(node.get("facts"), "a fact")
        if self.problems or self.problems_of_parents:
            return None
        return Ruleset(
            id=self.id,
            title=title or "",
            version=version or "",
            status=status or "illustrative",
            rules=tuple(entry for entry in entries.values() if isinstance(entry, Rule)),
            effective=period.meet(self.inherited.effective or EVER) or period,
            fixed=self.inherited.fixed | fixed,
            declares={path: fact for path, fact in self.vocabulary.items() if path not in FACTS},
            extends=extends,
            disabled=tuple(entry for entry in entries.values() if isinstance(entry, Disabled)),
            sources=tuple((self.sources or {}).values()),
            versions=tuple(dict.fromkeys([*versions, *self.inherited.versions])),
            place=Place(self.file, node.line),
        )

    def check_sourced(self, listed: Node | None, what: str) -> None:
        nodes = listed.items if isinstance(listed, Sequence) else ()
        for node in [value for _, value in listed.items] if isinstance(listed, Mapping) else nodes:
            cites = node.get("cites") if isinstance(node, Mapping) else node
            if cites is None and isinstance(node, Mapping) and self.excused(node, "cites"):
                continue
            if cites is None or (isinstance(cites, Sequence) and not cites.items):
                self.fail(node, f"{what} cites nothing", "cites, as the status of the ruleset is sourced")

    def period(self, node: Node) -> Period | None:
        table = self.mapping(node, "effective", ("from", "until"), "a mapping such as {from: 2026-01-01}")
        if table is None:
            return None
        since, until = (
            self.optional(table, key, lambda n, key=key: self.value(n, f"the {key} of effective", Date()))  # type: ignore[misc]
            for key in ("from", "until")
        )
        if since is not None and until is not None and until <= since:
            self.fail(node, "effective ends before it begins", "an until, itself not included, that is after from")
        return Period(since, until)

    # --- what is extended -----------------------------------------------------------------------------------

    def extends(self, node: Node, period: Period) -> tuple[str, ...]:
        ids = {}
        for item in self._listed(node):
            id_ = self.text(item, "the id of a ruleset", ID, "the id of a ruleset, never a path")
            if id_ is None:
                self.orphaned = True
            elif id_ in ids:
                self.fail(item, f"{id_} comes twice", hint="leave one of them out")
            else:
                ids[id_] = item
                self.extend(item, id_, period)
        return tuple(ids)

    def extend(self, node: Node, id_: str, period: Period) -> None:
        try:
            parent = self.find(id_, period)
        except NotFound as missing:
            self.orphaned = True
            self.fail(node, missing.message, hint=missing.hint)
            return
        except RulesetError as error:
            self.orphaned = True
            self.problems_of_parents += error.problems
            return
        for differing in self.inherited.add(parent):
            self.fail(node, differing, hint="extend one of them alone, or have one of them extend the other")
        self.vocabulary |= self.inherited.declares
        if self.inherited.effective is None or period.meet(self.inherited.effective) is None:
            self.fail(
                node,
                f"{id_} is in force {parent.effective}, on no day together with the others",
                hint="see their effective",
            )
            self.inherited.effective = None

    def replaced(self, rules: tuple[Rule, ...]) -> dict[str, Rule | Disabled]:
        """Return what is inherited with the rules written here, each in the place of one of the same id."""
        entries = dict(self.inherited.rules)
        for rule in rules:
            entry = entries.get(rule.id)
            old = entry.rule if isinstance(entry, Disabled) else entry
            if old is not None and not may_replace(rule, old):
                self.fail(
                    self.rule_nodes[rule.id],
                    f"{rule.id} ({rule.layer}) cannot replace that of {old.origin}, which is of the layer {old.layer}",
                    f"the layer {one_of(LAYERS[: LAYERS.index(old.layer) + 1])}",
                )
            entries[rule.id] = attrs.evolve(rule, replaces=entry)
        return entries

    def disable(self, node: Node, entries: dict[str, Rule | Disabled]) -> None:
        for item in self._listed(node):
            id_ = self.text(item, "a rule's id", ID, "the id of a rule that is inherited")
            if id_ is None:
                continue
            entry = entries.get(id_)
            if id_ in self.rule_nodes:
                self.fail(item, f"{id_} is written in this file", "the id of a rule that is inherited")
            elif entry is None:
                if not self.orphaned:
                    near = nearest(id_, self.inherited.rules)
                    self.fail(
                        item, f"there is no rule {said(id_)}", *instead(near, "the id of a rule that is inherited")
                    )
            elif isinstance(entry, Disabled):
                self.fail(item, f"{id_} is disabled already by {entry.origin}", hint="leave it out")
            elif entry.layer == "mandate":
                self.fail(
                    item,
                    f"{id_} is a mandate of {entry.origin}, which is never disabled",
                    hint="write a mandate of the same id in its place",
                )
            else:
                entries[id_] = Disabled(entry, self.id, Place(self.file, item.line))

    def check_waivers(self, entries: dict[str, Rule | Disabled]) -> None:
        rules = {id_: entry for id_, entry in entries.items() if isinstance(entry, Rule)}
        for waiver, id_, node in self.named_by_waivers:
            if id_ not in entries and id_ not in self.rule_nodes and self.all_named and not self.orphaned:
                near = nearest(id_, rules)
                self.fail(node, f"there is no rule {said(id_)}", *instead(near, "the id of a rule"))
            elif id_ in rules and waiver in rules and (why := why_not_waived(rules[waiver], rules[id_])):
                self.fail(node, f"{waiver} cannot waive {id_}: {why}", hint="leave it out")
        for waiver_ in rules.values():
            for id_ in waiver_.waives or () if waiver_.id not in self.rule_nodes else ():
                if id_ in self.rule_nodes and id_ in rules and (why := why_not_waived(waiver_, rules[id_])):
                    said_ = f"{waiver_.id} of {waiver_.origin} waives {id_}, but {why}"
                    self.fail(self.rule_nodes[id_], said_, hint=f"replace or disable {waiver_.id} as well")

    # --- facts ----------------------------------------------------------------------------------------------

    def declarations(self, node: Node) -> None:
        table = self.mapping(node, "declares", expected="a mapping of facts to what they are")
        read = [(key, self.declaration(key, value)) for key, value in table.items] if table else []
        self.orphaned = self.orphaned or table is None or None in [each for _, each in read]
        made = {key.text: fact for key, fact in read if isinstance(fact, Fact)}
        self.vocabulary |= made
        for key, days in read:
            if isinstance(days, Mapping):
                fact = self.days(key.text, days)
                made |= {key.text: fact} if fact is not None else {}
        for key, _ in read:
            if key.text not in made:
                self.orphaned = True
            elif key.text in self.inherited.declares and made[key.text] != self.inherited.declares[key.text]:
                self.fail(key, f"{key.text} is declared otherwise by a ruleset that is extended", "another name")
        self.vocabulary |= made

    def declaration(self, key: Scalar, node: Node) -> Fact | Mapping | None:
        """Return the fact declared; for days the mapping itself, as they are of facts declared beside them."""
        path = self.text(key, "the name of a fact", _OWN_NAME, f"a name such as {OWN}.last_report_on")
        what = f"the fact {said(key.text)}"
        known = ("type", "who", "ask", "label", "unit", "values", "system", "from", "to")
        before = len(self.problems)
        table = self.mapping(node, what, known, "a mapping such as {type: date, who: clinic, ask: ...}")
        if path is None or table is None:
            return None
        type_ = self.required(table, "type", what, self.text)
        if type_ is None:
            return None
        if type_ == "days":
            self.barred(table, ("values", "system", "who", "ask", "unit"), f"{what} is of the type days")
            return table
        values = self.optional(table, "values", self.enum_values)
        system = self.optional(table, "system", lambda n: self.text(n, f"the system of {what}"))
        self.barred(table, ("from", "to"), f"{what} is not of the type days")
        who = self.required(table, "who", what, lambda n, part: self.choice(n, part, PEOPLE))
        ask = self.required(table, "ask", what, self.text)
        label = self.optional(table, "label", lambda n: self.text(n, f"the label of {what}"))
        unit = self.optional(table, "unit", lambda n: self.text(n, f"the unit of {what}"))
        if len(self.problems) > before:
            return None
        try:
            kind = kind_of(type_, values, system)
        except Unfit as unfit:
            self.fail(table.get("type") or table, f"{what}: {unfit.found}", unfit.hint)
            return None
        name = path.removeprefix(f"{OWN}.")
        label = label or name.replace("_", " ")
        return Fact(path=path, name=name, kind=kind, label=label, ask=ask or "", who=who or "clinic", unit=unit)

    def barred(self, table: Mapping, keys: tuple[str, ...], why: str) -> None:
        for key, _ in table.items:
            if key.text in keys:
                self.fail(key, f"{why} and has {key.text}", hint="leave it out")

    def enum_values(self, node: Node) -> tuple[str, ...]:
        words: dict[str, Node] = {}
        for item in self.sequence(node, "values", "a list of words"):
            word = self.text(item, "a word", _WORD, "a word of letters and digits, joined by hyphens")
            if word in words:
                self.fail(item, f"{word} comes twice", hint="leave one of them out")
            elif word is not None:
                words[word] = item
        return tuple(words)

    def days(self, path: str, table: Mapping) -> Fact | None:
        what = f"the fact {path}"
        before = len(self.problems)
        first, last = (self.required(table, end, what, self.day_fact) for end in ("from", "to"))
        label = self.optional(table, "label", lambda n: self.text(n, f"the label of {what}"))
        if first is None or last is None or len(self.problems) > before:
            return None
        return Fact(
            path=path,
            name=path.removeprefix(f"{OWN}."),
            kind=Days(),
            label=label or f"days from the {first.label} to the {last.label}",
            ask=f"How many days lie between the {first.label} and the {last.label}?",
            who=first.who,
            unit="days",
            derived_from=(last.path, first.path),
        )

    def day_fact(self, node: Node, what: str) -> Fact | None:
        text = self.text(node, what, expected="a fact that is a date")
        path = self.fact(node, text) if text is not None else None
        if path is None or self.vocabulary[path].kind == Date():
            return None if path is None else self.vocabulary[path]
        self.fail(
            node, f"{path} ({self.vocabulary[path].kind.name}) is no date", "a fact that is a date, such as visit.date"
        )
        return None

    def fixed_facts(self, node: Node) -> dict[str, Fixed]:
        table = self.mapping(node, "facts", expected="a mapping of facts to what the plan fixes")
        fixed = [self.fixed_fact(key, value) for key, value in table.items] if table else []
        return {each.fact.path: each for each in fixed if each is not None}

    def fixed_fact(self, key: Scalar, node: Node) -> Fixed | None:
        what = f"the fact {said(key.text)}"
        path = self.fact(key, key.text)
        if path == "visit.date":
            self.fail(key, "visit.date is of the visit: no plan can fix it", hint="leave it out")
        table = self.mapping(node, what, ("value", "cites"), "a mapping such as {value: 4}")
        if path is None or table is None:
            return None
        values = self.required(table, "value", what, lambda n, _: self.values_by_day(n, path))
        cites = self.optional(table, "cites", self.cites) or ()
        if not values:
            return None
        replaces = self.inherited.fixed.get(path)
        place = Place(self.file, key.line)
        return Fixed(self.vocabulary[path], values, cites, place, self.id, replaces)

    def values_by_day(self, node: Node, path: str) -> tuple[tuple[dt.date | None, Any], ...]:
        kind = self.vocabulary[path].kind
        if not isinstance(node, Mapping):
            value = self.value(node, path, kind)
            return () if value is None else ((None, value),)
        table = self.mapping(node, path)
        if not node.items:
            self.fail(node, f"{path} has no value", "a value, or values by the day from which they hold")
        read: list[tuple[dt.date | None, Any]] = []
        for key, value in table.items if table else ():
            day = self.value(key, f"a day for {path}", Date())
            read.append((day, self.value(value, path, kind) if day is not None else None))
        return tuple(sorted(read, key=lambda each: each[0] or dt.date.min)) if None not in dict(read) else ()

    def read_sources(self, node: Node) -> None:
        table = self.mapping(node, "sources", expected="a mapping of ids to what was read")
        self.sources = {} if table is not None else None
        for key, value in table.items if table else ():
            self.identifier(key, "a source's id")
            source = self.source(value, key.text)
            if self.sources is not None:
                self.sources[key.text] = source or Source(key.text, "")

    # --- sources --------------------------------------------------------------------------------------------

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
        id_ = self.identifier(node, what)
        if id_ is not None and id_ in self.rule_nodes:
            hint = f"ids must differ: the other is in line {self.rule_nodes[id_].line}"
            self.fail(node, f"{id_} is the id of another rule", hint=hint)
        elif id_ is not None:
            self.rule_nodes[id_] = node
        return id_

    def waives(self, node: Node, waiver: str) -> tuple[str, ...]:
        ids: dict[str, None] = {}
        items = self.sequence(node, "waives", "a list of ids of rules")
        if isinstance(node, Sequence) and not items:
            self.fail(node, "waives is empty", "at least one id of a rule")
        for item in items:
            id_ = self.text(item, "a rule's id", ID, "the id of a rule")
            if id_ in ids:
                self.fail(item, f"{id_} comes twice", hint="leave one of them out")
            elif id_ is not None:
                ids[id_] = None
                self.named_by_waivers.append((waiver, id_, item))
        return tuple(ids)

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
        kind = self.vocabulary[path].kind if path is not None else None
        if path is None or isinstance(kind, Count):
            return None if path is None or kind is None else Ref(path, kind)
        self.fail(node, f"{path} ({self.vocabulary[path].kind.name}) is no limit", "a limit or a count")
        return None

    def _listed(self, node: Node) -> list[Node]:
        return node.items if isinstance(node, Sequence) else [node]

    def used(self, node: Node) -> str | None:
        text = self.text(node, "less", expected="a fact that counts what is used")
        path = self.fact(node, text) if text is not None else None
        if path is None or self.vocabulary[path].kind == Count():
            return path
        self.fail(node, f"{path} ({self.vocabulary[path].kind.name}) does not count what is used", "a count")
        return None

    def template(self, node: Node, what: str) -> Template | None:
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

    def cites(self, node: Node) -> tuple[Source, ...]:
        cited = []
        for item in self.sequence(node, "cites", "a list of ids from sources"):
            text = self.text(item, "a source's id")
            if text is not None and self.sources is not None and text not in self.sources:
                near = nearest(text, self.sources)
                self.fail(item, f"there is no source {said(text)}", *instead(near, "an id from sources"))
            elif text is not None and self.sources is not None:
                cited.append(self.sources[text])
        return tuple(cited)

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
                given[path] = self.value(value, path, self.vocabulary[path].kind)
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
        if path in self.vocabulary:
            return path
        if not (self.orphaned and path.startswith(f"{OWN}.")):
            near = nearest(path, self.vocabulary)
            self.fail(node, f"there is no fact {said(path)}", *instead(near, "a fact, such as plan.payer"))
        return None

    def value(self, node: Node, what: str, kind: Kind) -> Any:
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
        items = self._listed(node)
        texts = [item.text for item in items if isinstance(item, Scalar) and not item.null]
        if len(texts) < len(items):
            found = "nothing" if isinstance(node, Scalar) else "a list of more than plain values"
            raise Mistyped(f"found {found}", _VALUES)
        if any(CONTROL.search(text) for text in texts):
            raise Mistyped("found a control character", hint="leave it out")
        return texts if isinstance(node, Sequence) else texts[0]

    def with_dollar(self, node: Node) -> str | None:
        if isinstance(node, Scalar) and node.text in self.vocabulary:
            return f"write ${node.text} for the value of that fact"
        return None


def _by_key(node: Mapping) -> list[tuple[Scalar, Node]]:
    # A mapping has no order, so that of its keys must not reach the digest.
    return sorted(node.items, key=lambda item: item[0].text)


def _joined(join: type[AllOf] | type[AnyOf], parts: list[Condition | None]) -> Condition | None:
    sound = [part for part in parts if part is not None]
    if not sound or len(sound) < len(parts):
        return None
    return sound[0] if len(sound) == 1 else join(tuple(sound))

"""A ruleset file to a Ruleset, or to one error that lists every problem with its place."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import attrs

from covrules import yaml_nodes
from covrules.errors import Problem, RulesetError, nearest, one_of
from covrules.extending import may_replace, why_not_waived
from covrules.facts import FACTS
from covrules.file_format import EFFECTIVE, FILE
from covrules.kinds import Date
from covrules.node_reading import ID, Enough, instead, said
from covrules.rule import LAYERS, Disabled, Place, Rule
from covrules.rule_reading import RuleReader
from covrules.rulesets import EVER, SCHEMA, STANDINGS, Period, Ruleset, Version
from covrules.yaml_nodes import Mapping, Node, Sequence

_FILE = "a mapping with schema, id, title, status, version and rules"


class NotFound(Exception):
    """A ruleset that cannot be had; says what is wrong and what to do."""

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


def period_of(node: Node | None) -> Period:
    """Return the period that a file's `effective` says; what is wrong there, reading the whole file tells."""
    read = _RulesetReader("", _nowhere).period(node) if node is not None else None
    return EVER if read is None or (read.since and read.until and read.until <= read.since) else read


def _with_source(problems: Iterable[Problem], data: bytes) -> list[Problem]:
    lines = yaml_nodes.lines(data[: yaml_nodes.MAX_BYTES].decode("utf-8-sig", "replace"))
    return [attrs.evolve(p, source=lines[p.line - 1] if p.line and p.line <= len(lines) else None) for p in problems]


class _RulesetReader(RuleReader):
    """Reads a ruleset as a whole, with what it extends."""

    def __init__(self, file: str, find: Find) -> None:
        super().__init__(file)
        self.find = find
        self.problems_of_parents: list[Problem] = []

    # --- the file -------------------------------------------------------------------------------------------

    def ruleset(self, root: Node, versions: tuple[Version, ...]) -> Ruleset | None:
        node = self.mapping(root, "the ruleset", (*FILE,), _FILE)
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
        self.check_waivers(entries, node, node.get("extends"))
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
            effective=period.meet(self.inherited.effective) or period,
            fixed=self.inherited.fixed | fixed,
            declares={path: fact for path, fact in self.vocabulary.items() if path not in FACTS},
            extends=extends,
            disabled=tuple(entry for entry in entries.values() if isinstance(entry, Disabled)),
            sources=tuple((self.sources or {}).values()),
            versions=tuple(
                dict.fromkeys([*versions, *[v for parent in self.inherited.parents for v in parent.versions]])
            ),
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
        table = self.mapping(node, "effective", (*EFFECTIVE,), "a mapping such as {from: 2026-01-01}")
        if table is None:
            return None
        since = self.optional(table, "from", lambda n: self.value(n, "the from of effective", Date()))
        until = self.optional(table, "until", lambda n: self.value(n, "the until of effective", Date()))
        if since is not None and until is not None and until <= since:
            self.fail(node, "effective ends before it begins", "an until, itself not included, that is after from")
        return Period(since, until)

    # --- what is extended -----------------------------------------------------------------------------------

    def extends(self, node: Node, period: Period) -> tuple[str, ...]:
        ids = {}
        items = self.distinct(self.listed(node), "the id of a ruleset", ID, "the id of a ruleset, never a path")
        for id_, item in items:
            if id_ is None:
                self.orphaned = True
            else:
                ids[id_] = item
                self.extend(item, id_, period)
        for id_, differing in self.inherited.settle():
            self.fail(ids[id_], differing, hint="extend one of them alone, or have one of them extend the other")
        self.vocabulary |= self.inherited.declares
        return tuple(ids)

    def extend(self, node: Node, id_: str, period: Period) -> None:
        within = period.meet(self.inherited.effective) or EVER
        try:
            parent = self.find(id_, within)
        except NotFound as missing:
            self.orphaned = True
            self.fail(node, missing.message, hint=missing.hint)
            return
        except RulesetError as error:
            self.orphaned = True
            self.problems_of_parents += error.problems
            return
        effective = within.meet(parent.effective)
        if effective is None:
            message = f"{id_} is in force {parent.effective}, and what it is extended with {within}"
            self.fail(node, message, hint="let them share some days")
        self.inherited.parents.append(parent)
        self.inherited.effective = effective or EVER

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
        for item in self.listed(node):
            id_ = self.text(item, "a rule's id", ID, "the id of a rule that is inherited")
            if id_ is None:
                continue
            entry = entries.get(id_)
            if id_ in self.rule_nodes:
                self.fail(item, f"{id_} is written in this file", "the id of a rule that is inherited")
            elif entry is None:
                if not self.orphaned:
                    near = nearest(id_, self.inherited.rules)
                    instead_ = instead(near, "the id of a rule that is inherited")
                    self.fail(item, f"there is no rule {said(id_)}", *instead_)
            elif isinstance(entry, Disabled):
                self.fail(item, f"{id_} is disabled already by {entry.origin}", hint="leave it out")
            elif entry.layer == "mandate":
                message = f"{id_} is a mandate of {entry.origin}, which is never disabled"
                self.fail(item, message, hint="write a mandate of the same id in its place")
            else:
                entries[id_] = Disabled(entry, self.id, Place(self.file, item.line))

    def check_waivers(self, entries: dict[str, Rule | Disabled], root: Node, extends: Node | None) -> None:
        rules = {id_: entry for id_, entry in entries.items() if isinstance(entry, Rule)}
        for waiver, id_, node in self.named_by_waivers:
            if id_ not in entries and id_ not in self.rule_nodes and self.all_named and not self.orphaned:
                near = nearest(id_, rules)
                self.fail(node, f"there is no rule {said(id_)}", *instead(near, "the id of a rule"))
            elif id_ in rules and waiver in rules and (why := why_not_waived(rules[waiver], rules[id_])):
                self.fail(node, f"{waiver} cannot waive {id_}: {why}", hint="leave it out")
        for inherited in [rule for rule in rules.values() if rule.waives and rule.id not in self.rule_nodes]:
            for id_ in inherited.waives or ():
                if id_ in rules and (why := why_not_waived(inherited, rules[id_])):
                    message = f"{inherited.id} of {inherited.origin} waives {id_}, but {why}"
                    hint = f"replace or disable {inherited.id} as well"
                    self.fail(self.rule_nodes.get(id_, extends or root), message, hint=hint)

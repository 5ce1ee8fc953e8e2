"""The facts of a ruleset read from nodes: what it declares, what its plan fixes, and the sources that are cited."""

import datetime as dt
import re
from typing import Any

from covrules.condition_reading import ConditionReader
from covrules.declaring import PEOPLE, Fact
from covrules.errors import nearest
from covrules.extending import Inheritance
from covrules.facts import OWN
from covrules.file_format import DECLARED, FIXED, SOURCE
from covrules.kinds import Date, Days, Unfit, kind_of
from covrules.node_reading import instead, said
from covrules.rule import Place, Source
from covrules.rulesets import Fixed
from covrules.yaml_nodes import Mapping, Node, Scalar

_URL = re.compile(r"https?://[^\s\"'<>]+")
_OWN_NAME = re.compile(rf"{OWN}\.[a-z][a-z0-9_]{{0,39}}")
_WORD = re.compile(r"[A-Za-z0-9]+([-_][A-Za-z0-9]+)*")


class FactReader(ConditionReader):
    """Reads facts of a ruleset of some id, which adds to what it inherits."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.id = ""
        self.inherited = Inheritance()
        self.sources: dict[str, Source] | None = {}

    # --- sources --------------------------------------------------------------------------------------------

    def read_sources(self, node: Node) -> None:
        """Read the sources into `sources`, which becomes None if not even their ids are sure."""
        table = self.mapping(node, "sources", expected="a mapping of ids to what was read")
        self.sources = {} if table is not None else None
        for key, value in table.items if table else ():
            self.identifier(key, "a source's id")
            source = self.source(value, key.text)
            if self.sources is not None:
                self.sources[key.text] = source or Source(key.text, "")

    def source(self, node: Node, id: str) -> Source | None:
        """Return one source."""
        what = f"the source {said(id)}"
        fields = self.mapping(node, what, (*SOURCE,), 'a mapping such as {title: "..."}')
        if fields is None:
            return None
        title = self.required(fields, "title", what, self.text)
        section = self.optional(fields, "section", lambda n: self.text(n, f"the section of {what}"))
        url = self.optional(fields, "url", lambda n: self.text(n, f"the url of {what}", _URL, "an address from http"))
        read = self.optional(fields, "read", lambda n: self.value(n, f"the read of {what}", Date()))
        return Source(id, title or "", section, url, read)

    def cites(self, node: Node) -> tuple[Source, ...]:
        """Return the sources that a list of ids names."""
        cited = []
        for item in self.sequence(node, "cites", "a list of ids from sources"):
            text = self.text(item, "a source's id")
            if text is not None and self.sources is not None and text not in self.sources:
                near = nearest(text, self.sources)
                self.fail(item, f"there is no source {said(text)}", *instead(near, "an id from sources"))
            elif text is not None and self.sources is not None:
                cited.append(self.sources[text])
        return tuple(cited)

    # --- facts declared -------------------------------------------------------------------------------------

    def declarations(self, node: Node) -> None:
        """Add the facts declared to the vocabulary."""
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
        before = len(self.problems)
        table = self.mapping(node, what, (*DECLARED,), "a mapping such as {type: date, who: clinic, ask: ...}")
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
        """Note keys that do not go with the type of a fact."""
        for key, _ in table.items:
            if key.text in keys:
                self.fail(key, f"{why} and has {key.text}", hint="leave it out")

    def enum_values(self, node: Node) -> tuple[str, ...]:
        """Return the words of an enum."""
        items = self.sequence(node, "values", "a list of words")
        words = self.distinct(items, "a word", _WORD, "a word of letters and digits, joined by hyphens")
        return tuple(word for word, _ in words if word is not None)

    def days(self, path: str, table: Mapping) -> Fact | None:
        """Return the fact that counts the days between two dates."""
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
        """Return the fact named if it is a date."""
        text = self.text(node, what, expected="a fact that is a date")
        path = self.fact(node, text) if text is not None else None
        if path is None or self.vocabulary[path].kind == Date():
            return None if path is None else self.vocabulary[path]
        self.fail(
            node, f"{path} ({self.vocabulary[path].kind.name}) is no date", "a fact that is a date, such as visit.date"
        )
        return None

    # --- facts fixed ----------------------------------------------------------------------------------------

    def fixed_facts(self, node: Node) -> dict[str, Fixed]:
        """Return what the plan fixes, by path."""
        table = self.mapping(node, "facts", expected="a mapping of facts to what the plan fixes")
        fixed = [self.fixed_fact(key, value) for key, value in table.items] if table else []
        return {each.fact.path: each for each in fixed if each is not None}

    def fixed_fact(self, key: Scalar, node: Node) -> Fixed | None:
        """Return what the plan fixes of one fact."""
        what = f"the fact {said(key.text)}"
        path = self.fact(key, key.text)
        if path == "visit.date":
            self.fail(key, "visit.date is of the visit: no plan can fix it", hint="leave it out")
        table = self.mapping(node, what, (*FIXED,), "a mapping such as {value: 4}")
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
        """Return the values of a fact in order, each with the day from which it holds; None says it is not known."""
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
            unknown = day is None or (isinstance(value, Scalar) and value.null)
            read.append((day, None if unknown else self.value(value, path, kind)))
        # A day that could not be read is None here, and noted already.
        return tuple(sorted(read, key=lambda each: each[0] or dt.date.min)) if None not in dict(read) else ()

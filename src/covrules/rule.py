"""What a rule is: a requirement, a cap, a waiver or advice, with where it applies, what it cites and its examples."""

import datetime as dt
import string
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, get_args

import attrs

from covrules.conditions import Condition, Ref, facts_in
from covrules.declaring import Fact, Who
from covrules.facts import FACTS
from covrules.lowering import Forms, conjunction, disjunction, lower, lower_cap

__all__ = [
    "LAYERS",
    "STAGES",
    "STATUSES",
    "Cap",
    "Denial",
    "Disabled",
    "Example",
    "Place",
    "Remedy",
    "Rule",
    "Source",
    "Template",
]

Layer = Literal["mandate", "plan", "policy", "clinic"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
"""Whose rule it is, the highest first. All but the clinic's decide what the insurer owes."""

Stage = Literal["planned", "delivered", "billed"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""How far a visit has come, in order; a rule matters from its own stage on."""

Status = Literal["not-applicable", "met", "waived", "unmet", "capped", "unknown", "later", "advised", "waives"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""What a finding can say of its rule."""
STATUS_MEANS: Final[Mapping[Status, str]] = {
    "not-applicable": "The rule certainly does not apply to this case.",
    "met": "What the rule asks is certainly so, or no more units are asked for than its cap allows.",
    "waived": "The rule is excused, by its own exception or by a rule that waives it.",
    "unmet": "The rule certainly applies, nothing excuses it, and what it asks is certainly not so.",
    "capped": "The rule certainly applies, nothing excuses it, and more units are asked for than its cap allows.",
    "unknown": "Facts are missing that still decide between the others.",
    "later": "The rule matters from a later stage of the visit on, and does not certainly leave the case alone.",
    "advised": "The rule gives its advice, which touches neither coverage nor acceptance.",
    "waives": "The rule certainly applies, so that it excuses the rules it names.",
}
"""What each status means."""
assert tuple(STATUS_MEANS) == STATUSES

REQUESTED: Final = "visit.units"
"""The fact that caps bound."""
_ASKED: Final = Ref(REQUESTED, FACTS[REQUESTED].kind)


@attrs.frozen
class Place:
    """Where something stands: a file as its reader knows it, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@attrs.frozen
class Source:
    """What was read: a document, where in it, where it can be had and when it was read.

    `id` is what `cites` calls it.
    """

    id: str = attrs.field(eq=False)
    title: str
    section: str | None = None
    url: str | None = None
    read: dt.date | None = None


@attrs.frozen
class Template:
    """A sentence with facts in it, each written `{group.name}` in its text; braces themselves are doubled."""

    text: str
    pieces: tuple[tuple[str, Fact | None], ...] = attrs.field(repr=False)
    """Runs of text, each with the fact that follows it (None at the end)."""

    @staticmethod
    def paths(text: str) -> list[str]:
        """Return the facts a text names; raises ValueError where its braces do not fit."""
        pieces = list(string.Formatter().parse(text))
        if any(spec or conversion for _, _, spec, conversion in pieces):
            raise ValueError("a fact in braces takes no format")
        return [path for _, path, _, _ in pieces if path is not None]

    @classmethod
    def of(cls, text: str, vocabulary: Mapping[str, Fact]) -> "Template":
        """Return the template of a text that names facts of the vocabulary."""
        pieces = string.Formatter().parse(text)
        return cls(text, tuple((said, None if path is None else vocabulary[path]) for said, path, _, _ in pieces))

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts named."""
        return tuple(fact.path for _, fact in self.pieces if fact is not None)

    def labelled(self) -> str:
        """Return the sentence with the label of each fact in square brackets."""
        return "".join(said + (f"[{fact.label}]" if fact else "") for said, fact in self.pieces)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the sentence with the values in words, and what stands for those that are unknown."""
        said, one_of = "", ""
        for literal, fact, noun in self._runs:
            said += literal.replace(one_of, one_of[:-1], 1) if one_of else literal
            one_of = ""
            if fact is None:
                continue
            value = values.get(fact.path)
            if value is None:
                word = fact.said(None) + (" of" if noun and fact.unknown is None else "")
                said += word if said else word[:1].upper() + word[1:]
            else:
                said += fact.said(value)
                if noun and value in (1, -1):
                    one_of = noun
        return said

    @cached_property
    def _runs(self) -> tuple[tuple[str, Fact | None, str], ...]:
        """The pieces, each with the noun the text goes on with if it is what a number there counts, else nothing."""
        after = (*[literal for literal, _ in self.pieces[1:]], "")
        return tuple((said, fact, _counted(fact, text)) for (said, fact), text in zip(self.pieces, after, strict=True))


def _counted(fact: Fact | None, text: str) -> str:
    """Return the plural noun a text begins with, with the space before it, if it is what the fact counts."""
    if fact is None or fact.unit is None or fact.kind.family != "number" or not fact.unit.endswith("s"):
        return ""
    noun = f" {fact.unit}"
    return noun if text.startswith(noun) and not text[len(noun) :][:1].isalnum() else ""


@attrs.frozen
class Denial:
    """The X12 codes an insurer denies with, by number; `when` must be certainly true for them to fit."""

    carc: str
    rarc: tuple[str, ...] = ()
    when: Condition | None = None

    @cached_property
    def forms(self) -> Forms | None:
        """The lowered condition, if there is one."""
        return lower(self.when) if self.when is not None else None


@attrs.frozen
class Remedy:
    """What can be done about an unmet rule, and by whom."""

    who: Who
    action: str


@attrs.frozen
class Cap:
    """A bound on the units of the visit: a limit (a value or a fact) less what is already used."""

    limit: Any
    less: tuple[str, ...] = ()


@attrs.frozen
class Example:
    """Facts given to one rule alone, and the status it must then have.

    `place` is where it stands.
    """

    given: Mapping[str, Any] = attrs.field(eq=lambda given: tuple(given.items()))
    then: Status
    place: Place = attrs.field(eq=False)


@attrs.frozen(kw_only=True)
class Rule:
    """One rule: a requirement, a cap, a waiver or a piece of advice, with where and when it applies.

    Exactly one of `requires`, `caps`, `waives` and `advises` is there; it tells the kind. `origin` is the ruleset
    that writes the rule, `replaces` what stood in its place in one that is extended. `stage` is what the file calls
    `from`; `place` is where the rule stands.
    """

    id: str
    title: str
    requires: Condition | None = None
    caps: Cap | None = None
    waives: tuple[str, ...] | None = None
    advises: Template | None = None
    applies: Condition | None = None
    unless: Condition | None = None
    layer: Layer = "plan"
    stage: Stage = "planned"
    because: Template | None = None
    remedy: Remedy | None = None
    denial: tuple[Denial, ...] = ()
    cites: tuple[Source, ...] = attrs.field(default=(), eq=False)
    examples: tuple[Example, ...] = attrs.field(default=(), eq=False)
    place: Place = attrs.field(eq=False)
    origin: str = attrs.field(default="", eq=False)
    replaces: "Rule | Disabled | None" = attrs.field(default=None, eq=False, repr=False)

    @property
    def decides(self) -> bool:
        """Whether the rule has a say of its own in coverage or acceptance; waivers and advice have none."""
        return self.requires is not None or self.caps is not None

    def starts_after(self, stage: Stage) -> bool:
        """Whether the rule does not matter yet at a stage."""
        return STAGES.index(self.stage) > STAGES.index(stage)

    @property
    def concludes(self) -> Literal["unmet", "capped", "waives", "advised"]:
        """What the rule says where it certainly applies, nothing excuses it, and what it asks is certainly not so."""
        if self.caps is not None:
            return "capped"
        return "advised" if self.advises is not None else "unmet" if self.requires is not None else "waives"

    @cached_property
    def demand(self) -> Forms | None:
        """The forms of what is asked; None for waivers and advice."""
        if self.caps is not None:
            return lower_cap(_ASKED, self.caps.limit, self.caps.less)
        return lower(self.requires) if self.requires is not None else None

    @cached_property
    def application(self) -> Forms | None:
        """The forms of `applies`; None where the rule always applies."""
        return lower(self.applies) if self.applies is not None else None

    @cached_property
    def exception(self) -> Forms | None:
        """The forms of `unless`; None where there is no exception."""
        return lower(self.unless) if self.unless is not None else None

    @cached_property
    def waiving(self) -> Forms:
        """The forms of "this waiver excuses what it names"."""
        applies, unless = self.application, self.exception
        return Forms(
            conjunction([forms for forms in (applies and applies.true, unless and unless.false) if forms]),
            disjunction([forms for forms in (applies and applies.false, unless and unless.true) if forms]),
        )

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact the rule's conditions read, once: of `applies`, then of what is asked, then of `unless`."""
        read: list[str] = list(facts_in(self.applies)) if self.applies else []
        read += facts_in(self.requires) if self.requires else []
        if self.caps is not None:
            read += [self.caps.limit.path] if isinstance(self.caps.limit, Ref) else []
            read += [*self.caps.less, REQUESTED]
        read += facts_in(self.unless) if self.unless else []
        return tuple(dict.fromkeys(read))

    @cached_property
    def spoken(self) -> tuple[str, ...]:
        """Every fact the rule's sentences and the conditions of its denial codes need, beside those it reads."""
        said = [path for template in (self.because, self.advises) if template for path in template.facts]
        return (*said, *[path for denial in self.denial if denial.when for path in facts_in(denial.when)])

    @cached_property
    def reachable(self) -> tuple[Status, ...]:
        """The statuses the rule's own conditions can reach at its own stage."""
        if not self.decides:
            silent = self.applies is not None or self.unless is not None
            return (self.concludes, "not-applicable", "unknown") if silent else (self.concludes,)
        reached: list[Status] = ["met", self.concludes, "unknown"]
        reached += ["not-applicable"] if self.applies is not None else []
        reached += ["waived"] if self.unless is not None else []
        return tuple(reached)


@attrs.frozen
class Disabled:
    """A rule that a ruleset takes out of those it extends.

    `origin` is that ruleset, `place` where it says so.
    """

    rule: Rule
    origin: str = attrs.field(eq=False)
    place: Place = attrs.field(eq=False)

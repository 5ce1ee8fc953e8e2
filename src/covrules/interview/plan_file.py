"""The file of a plan that was asked for on the telephone: written with comments, read back, replaced as a whole."""

import datetime as dt
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from covrules import yaml_nodes
from covrules.conditions import Test
from covrules.declaring import Fact
from covrules.errors import Problem, RulesetError, shown
from covrules.facts import FACTS
from covrules.library import File, Files, read_file, resolve
from covrules.loading import nodes
from covrules.rule import Source
from covrules.rulesets import SCHEMA, Ruleset
from covrules.writing import listed, quoted, written_value
from covrules.yaml_nodes import Node, Scalar, Sequence

__all__ = ["VERIFY_AFTER", "Call", "PlanFile", "Said"]

BASE: Final = "medical-massage"
"""The ruleset that every plan extends."""
PAYER: Final = "plan.payer"
MANDATES: Final = "plan.mandates"
VERIFY_AFTER: Final = 180
"""After how many days what the insurer said is to be asked again, unless somebody says otherwise."""
MAX_DAYS: Final = 36_500

_RULE: Final = "verify-again"
_VERIFIED: Final = "own.verified_on"
_AGE: Final = "own.days_since_verified"
_KEYS: Final = (
    "schema", "id", "title", "status", "version", "extends", "sources", "facts", "declares", "rules",
)  # fmt: skip
_NO_VERSION: Final = "nothing said yet"
_OPEN: Final = "# Still open:"
_CLOSED: Final = "# Nothing is still open."
_NOTES: Final = "# Notes that were in this file:"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OPENED: Final = re.compile(r"#   plan\.[a-z_]+: .*")
_COMMENT: Final = re.compile("#[^\r\n\x85\u2028\u2029]*")

PLAN_FACTS: Final = tuple(
    path for path, fact in FACTS.items() if fact.group == "plan" and fact.testable and not fact.derived_from
)
"""What is asked of a plan, in the order of the vocabulary."""


@attrs.frozen
class Call:
    """A telephone call with the insurer: the day, who answered, and the reference number it was given, if any.

    `on` is the day.
    """

    on: dt.date
    who: str | None = None
    reference: str | None = None

    def source(self, payer: str | None, others: Iterable[Source]) -> Source:
        """Return the call as a ruleset cites it, under an id that none of the others has.

        >>> Call(dt.date(2026, 11, 23), "Maria").source("Example Health", []).title
        'Telephone call with Example Health, answered by Maria'
        """
        title = f"Telephone call with {payer or 'the insurer'}" + (f", answered by {self.who}" if self.who else "")
        section = f"Reference number {self.reference}" if self.reference else None
        taken = {source.id: source for source in others}
        id, number = f"call-{self.on}", 1
        while id in taken:
            if taken[id] == Source(id, title, section, None, self.on):
                break  # the same call, gone on with
            number += 1
            id = f"call-{self.on}-{number}"
        return Source(id, title, section, None, self.on)


@attrs.frozen
class Said:
    """What a plan says of a fact, and the call in which the insurer said so.

    `value` is what it says, `source` the call as it is cited.
    """

    value: Any
    source: Source

    @property
    def on(self) -> dt.date:
        """The day of the call."""
        assert self.source.read is not None, "only calls, which have a day, are cited"
        return self.source.read


@attrs.frozen(kw_only=True)
class PlanFile:
    """All that the file of a plan says.

    `facts` are by path; `verified_on` is the day of the oldest call that still counts, `open` are the facts worth
    asking for; `notes` are comments that somebody wrote into the file. `id`,
    `title` and `extends` are as a ruleset has them; `verify_after` is for how many days what was said is good.
    """

    id: str
    title: str
    extends: tuple[str, ...] = (BASE,)
    facts: Mapping[str, Said] = attrs.field(factory=dict)
    verify_after: int = VERIFY_AFTER
    verified_on: dt.date | None = None
    open: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """The calls that are cited, the oldest first."""
        cited = {said.source.id: said.source for said in self.facts.values()}
        return tuple(sorted(cited.values(), key=lambda source: (str(source.read), len(source.id), source.id)))

    def text(self) -> str:
        """Return the file.

        >>> print(PlanFile(id="my-plan", title="My plan").text().partition("schema")[2])
        : covrules/1
        id: my-plan
        title: "My plan"
        status: sourced
        version: "nothing said yet"
        extends: medical-massage
        <BLANKLINE>
        # Nothing is still open.
        <BLANKLINE>
        """
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        yield from _header(self.id)
        yield from (f"schema: {SCHEMA}", f"id: {self.id}", f"title: {quoted(self.title)}", "status: sourced")
        sources = self.sources
        yield f"version: {quoted(str(sources[-1].read) if sources else _NO_VERSION)}"
        yield f"extends: {self.extends[0] if len(self.extends) == 1 else listed(self.extends)}"
        if sources:
            yield from ("", "sources:")
            yield from (line for source in sources for line in _source(source))
            yield from ("", "facts:")
            yield from (line for path in PLAN_FACTS if path in self.facts for line in self._fact(path))
        if self.verified_on is not None:
            yield from self._verifying(self.verified_on)
        yield ""
        yield from [_OPEN, *map(_open, self.open)] if self.open else [_CLOSED]
        if self.notes:
            yield from ("", _NOTES, *self.notes)

    def _fact(self, path: str) -> Iterator[str]:
        said = self.facts[path]
        yield _question(path)
        yield f"  {path}: {{value: {written_value(FACTS[path].kind, said.value)}, cites: [{said.source.id}]}}"

    def _verifying(self, day: dt.date) -> Iterator[str]:
        """Yield the day of the oldest call that counts, and the advice to call again some days later."""
        counting = [source for source in self.sources if str(source.read) >= str(day)]
        yield _VERIFIED_COMMENT
        yield f"  {_VERIFIED}: {{value: {day}, cites: {listed(s.id for s in counting if s.read == day)}}}"
        yield from ("", *_DECLARES, "", "rules:")
        yield from (f"  - id: {_RULE}", "    title: What the insurer said is not too old")
        yield f"    applies: {{{_AGE}: {{above: {self.verify_after}}}}}"
        yield f"    advises: {quoted(_ADVICE.format(self.verify_after))}"
        yield f"    cites: {listed(source.id for source in counting)}"
        yield "    examples:"
        yield f"      - {{given: {{{_AGE}: {self.verify_after + 1}}}, then: advised}}"
        yield f"      - {{given: {{{_AGE}: {self.verify_after}}}, then: not-applicable}}"
        yield "      - {given: {}, then: unknown}"


_ADVICE: Final = (
    "What the insurer said of this plan is more than {} days old: call again before relying on it."
)  # fmt: skip
_VERIFIED_COMMENT: Final = "  # The day of the oldest call that still counts."
_DECLARES: Final = (
    "declares:",
    f"  {_VERIFIED}:",
    "    type: date",
    "    who: insurer",
    '    ask: "When did the insurer last say what this plan pays?"',
    "    label: day of the oldest call that counts",
    f"  {_AGE}:",
    "    type: days",
    f"    from: {_VERIFIED}",
    "    to: visit.date",
    "    label: age of what the insurer said",
)


def _header(id: str) -> tuple[str, ...]:
    return (
        "# A plan as its insurer described it, asked for and written by `covrules new`. The same command on this file",
        "# asks what is still open, and again what was said too long ago. What is wrong here may be corrected by hand;",
        f"# rules and facts of your own go into another file beside it, which says `extends: {id}`: this one is",
        "# written anew each time. Nothing about a patient belongs here.",
    )


def _question(path: str) -> str:
    return f"  # {FACTS[path].ask}"


def _open(path: str) -> str:
    return f"#   {path}: {FACTS[path].ask}"


def _source(source: Source) -> Iterator[str]:
    yield f"  {source.id}:"
    yield f"    title: {quoted(source.title)}"
    yield from [f"    section: {quoted(source.section)}"] if source.section else []
    yield f"    read: {source.read}"


# --- reading it back --------------------------------------------------------------------------------------------


def loaded(plan: PlanFile, path: Path, around: Files) -> Ruleset:
    """Return the ruleset that the text of a plan is, in the place of its file; raises RulesetError."""
    file = File(plan.text().encode(), shown(str(path)))
    return resolve(file, around, (file,), None)


def read_plan(path: Path, around: Files) -> tuple[PlanFile, bytes]:
    """Return what the file of a plan says, and its bytes; what is `open` or `verified_on` is left for others to say.

    Raises RulesetError where it is no ruleset, and where it holds what would be lost if it were written anew.
    """
    data = read_file(path)
    file = File(data, shown(str(path)))
    ruleset = resolve(file, around, (file,), None)
    if ruleset.id != Path(os.path.realpath(path)).stem:
        message = f"the plan in it is {ruleset.id}, and the file is not named so"
        hint = "name the file after the id, or write another id into it"
        raise RulesetError([Problem(file=file.name, message=message, expected=f"{ruleset.id}.yaml", hint=hint)])
    root = nodes(data, file.name)
    plan = PlanFile(
        id=ruleset.id,
        title=ruleset.title,
        extends=ruleset.extends,
        facts=_facts(ruleset),
        verify_after=_verify_after(ruleset),
        notes=_notes(ruleset.id, yaml_nodes.decode(data, file.name)),
    )
    strange = list(_strange(root, ruleset, plan, path, around))
    if strange:
        raise RulesetError([*[_not_ours(file.name, *each) for each in strange], _elsewhere(ruleset.id)])
    return plan, data


def _facts(ruleset: Ruleset) -> dict[str, Said]:
    """Return what is fixed as an interview fixes it."""
    found = {}
    for path, fixed in ruleset.fixed.items():
        (since, value), *more = fixed.values
        if path in PLAN_FACTS and fixed.origin == ruleset.id and since is None and not more and len(fixed.cites) == 1:
            (source,) = fixed.cites
            if source.read is not None:
                found[path] = Said(value, source)
    return found


def _verify_after(ruleset: Ruleset) -> int:
    rules = [rule for rule in ruleset.rules if rule.id == _RULE and rule.origin == ruleset.id]
    test = rules[0].applies if rules else None
    days = test.right if isinstance(test, Test) else None
    return days if isinstance(days, int) and 0 <= days <= MAX_DAYS else VERIFY_AFTER


def _notes(id: str, text: str) -> tuple[str, ...]:
    """Return the comments that no interview writes."""
    ours = {*_header(id), _OPEN, _CLOSED, _NOTES, _VERIFIED_COMMENT.strip()}
    ours |= {comment(path).strip() for comment in (_question, _open) for path in PLAN_FACTS}
    return tuple(comment for comment in _comments(text) if comment not in ours and not _OPENED.fullmatch(comment))


def _comments(text: str) -> Iterator[str]:
    """Yield what YAML passes over as comments: they stand between its tokens."""
    end = 0
    for token in yaml.scan(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        yield from (comment.rstrip() for comment in _COMMENT.findall(text[end : token.start_mark.index]))
        end = token.end_mark.index


def _strange(root: Node, found: Ruleset, plan: PlanFile, path: Path, around: Files) -> Iterator[tuple[Node, str]]:
    """Yield all in a file that would be lost or changed if the plan read from it were written anew."""
    assert isinstance(root, yaml_nodes.Mapping), "it was read as a ruleset"
    days = [said.on for said in plan.facts.values()]
    written = loaded(attrs.evolve(plan, verified_on=min(days, default=None)), path, around)

    def differing(key: str, found: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[tuple[Node, str]]:
        table = root.get(key)
        for name, _ in table.items if isinstance(table, yaml_nodes.Mapping) else ():
            if name.text not in written or found[name.text] != written[name.text]:
                yield name, f"{key}: {name.text}"

    yield from ((key, key.text) for key, _ in root.items if key.text not in _KEYS)
    if found.status != written.status:
        yield root.get("status") or root, f"status: {found.status}"
    if found.version != _NO_VERSION and not _DAY.fullmatch(found.version):
        yield root.get("version") or root, f"version: {found.version}"
    extends = root.get("extends")
    for item in extends.items if isinstance(extends, Sequence) else filter(None, [extends]):
        mandates = plan.facts[MANDATES].value if MANDATES in plan.facts else ()
        if isinstance(item, Scalar) and item.text != BASE and item.text not in mandates:
            yield item, f"extends: {item.text}"
    if BASE not in found.extends:
        yield extends or root, f"it does not extend {BASE}"
    yield from differing("sources", _by_id(found.sources), _by_id(written.sources))
    yield from differing("facts", _fixed(found), _fixed(written))
    yield from differing("declares", _unworded(found.declares), _unworded(written.declares))
    rules = root.get("rules")
    for item in rules.items if isinstance(rules, Sequence) else ():
        id = item.get("id") if isinstance(item, yaml_nodes.Mapping) else None
        if isinstance(id, Scalar) and not (id.text == _RULE and _same_rule(found, written)):
            yield id, f"rules: {id.text}"


def _by_id(sources: Iterable[Source]) -> dict[str, Source]:
    return {source.id: source for source in sources}


def _fixed(ruleset: Ruleset) -> dict[str, Any]:
    """Return what is fixed and cited; of the day of the oldest call, which is worked out anew, only that it is."""
    return {
        path: None if path == _VERIFIED else (fixed.values, [source.id for source in fixed.cites])
        for path, fixed in ruleset.fixed.items()
        if fixed.origin == ruleset.id
    }


def _same_rule(found: Ruleset, written: Ruleset) -> bool:
    """Return whether the advice to call again is as written, but for its sentences and the calls it cites."""
    if _RULE not in [rule.id for rule in written.rules]:
        return False
    one, other = found.rule(_RULE), written.rule(_RULE)
    return other == attrs.evolve(one, title=other.title, advises=other.advises) and one.examples == other.examples


def _unworded(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return facts without their words, which an older version may have put otherwise."""
    return {path: attrs.evolve(fact, ask="", label="") for path, fact in facts.items()}


def _not_ours(file: str, node: Node, what: str) -> Problem:
    message = f"{shown(what)}: no interview writes this, and to go on with one would lose it"
    return Problem(file=file, line=node.line, column=node.column, message=message)


def _elsewhere(id: str) -> Problem:
    hint = f"put it into another file beside this one, which says `extends: {id}`, and take it out here"
    return Problem(message="the file is left as it was", hint=hint)

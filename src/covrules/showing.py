"""A whole ruleset in plain words: every rule, where it comes from, and what replaced, waived or disabled it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from covrules.conditions import OPERATORS, AllOf, AnyOf, Condition, Not, Ref, Test
from covrules.declaring import Fact
from covrules.errors import shown
from covrules.kinds import Bool, Date, SetOf, declaration_of
from covrules.outlines import cited, codes_in_words
from covrules.rendering import wrapped
from covrules.rule import REQUESTED, Cap, Disabled, Rule, Template
from covrules.rulesets import EVER, Fixed, Ruleset

Vocabulary = Mapping[str, Fact]

Piece = tuple[str, Fact | Rule | None]
"""Words, with the fact or the rule that they name, if they name one."""

OPERATOR_WORDS: Final[Mapping[str, str]] = {
    "equals": "is", "in": "is one of", "not_in": "is none of", "has": "includes", "within": "begins as one of",
    "at_most": "is at most", "at_least": "is at least", "below": "is below", "above": "is above",
    "on_or_before": "is on or before", "on_or_after": "is on or after", "before": "is before", "after": "is after",
}  # fmt: skip
"""How each comparing word is said between a fact and what it is compared with."""
_ALONE: Final = {"in": "is", "not_in": "is not", "within": "begins as"}
_PLURALS: Final = {"is": "are", "includes": "include", "begins": "begin"}
assert OPERATOR_WORDS.keys() == OPERATORS.keys()


def ruleset_to_text(ruleset: Ruleset) -> str:
    """Return a whole resolved ruleset in plain words."""
    return "\n".join(map(shown, _lines(ruleset)))


IN_BRIEF: Final = ("id", "version", "payer", "status", "in force", "rules", "sources", "title")
"""What `in_brief` says of a ruleset, in order."""


def in_brief(ruleset: Ruleset) -> tuple[str, ...]:
    """Return what a list of rulesets says of one: every rule counts, and the sources it cites itself."""
    payer = ruleset.fixed.get("plan.payer")
    return (
        ruleset.id,
        ruleset.version,
        fixed_words(payer) if payer else "",
        ruleset.status,
        str(ruleset.effective),
        str(len(ruleset.rules)),
        str(len(ruleset.sources)),
        ruleset.title,
    )


def _lines(ruleset: Ruleset) -> Iterator[str]:
    yield ruleset.title
    yield f"{ruleset.id} {ruleset.version}, {ruleset.status}, {len(ruleset.rules)} rules"
    if ruleset.extends:
        yield f"Extends {', '.join(ruleset.extends)}."
    if ruleset.effective != EVER:
        yield f"In force {ruleset.effective}."
    if ruleset.versions:
        yield from wrapped(f"Versions there are: {', '.join(map(str, ruleset.versions))}.")
    yield ruleset.digest
    if ruleset.fixed:
        yield from ("", "What the plan fixes")
        for path, fixed in ruleset.fixed.items():
            yield from _paragraph(f"{path}: {fixed_words(fixed)}", _about_fixed(fixed))
    if ruleset.declares:
        yield from ("", "Facts of its own")
        for path, fact in ruleset.declares.items():
            yield from _paragraph(f"{path} ({_type(fact)})", _about_fact(fact, ruleset.vocabulary))
    for rule in ruleset.rules:
        yield from ("", f"{rule.id} ({rule.layer}): {rule.title}")
        yield from (line for sentence in _about_rule(ruleset, rule) for line in wrapped(sentence, "  "))
    if ruleset.disabled:
        yield from ("", "Rules left out")
        for disabled in ruleset.disabled:
            rule = disabled.rule
            yield from _paragraph(f"{rule.id}: {rule.title}", [f"{_origin(rule)} {_left_out(disabled)}"])


def _paragraph(head: str, sentences: list[str]) -> Iterator[str]:
    yield from wrapped(head, "  ")
    yield from (line for sentence in sentences for line in wrapped(sentence, "    "))


def fixed_words(fixed: Fixed) -> str:
    """Return what a plan fixes of a fact, each value with the day from which it holds."""
    said = [
        ("not known" if value is None else fixed.fact.kind.words(value))
        + (f" from {Date().words(since)}" if since else "")
        for since, value in fixed.values
    ]
    return "; ".join(said)


def _about_fixed(fixed: Fixed) -> list[str]:
    said = [f"The {fixed.fact.label}, fixed by {fixed.origin} ({fixed.place})."]
    older = fixed.replaces
    while older is not None:
        said.append(f"Replaces what {older.origin} fixed ({older.place}): {fixed_words(older)}.")
        older = older.replaces
    return [*said, *[f"Source: {cited(source)}." for source in fixed.cites]]


def _type(fact: Fact) -> str:
    if fact.derived_from:
        return fact.kind.name
    said = declaration_of(fact.kind)
    return f"{said['type']}: {', '.join(said['values'])}" if "values" in said else str(said["type"])


def _about_fact(fact: Fact, vocabulary: Vocabulary) -> list[str]:
    if fact.derived_from:
        last, first = (vocabulary[path].label for path in fact.derived_from)
        return [f"The days from the {first} to the {last}."]
    return [f"{fact.ask} The {fact.who} can say."]


def _about_rule(ruleset: Ruleset, rule: Rule) -> Iterator[str]:
    known = ruleset.vocabulary
    yield from (in_words(sentence) for sentence in sentences_of(ruleset, rule))
    for waiver in ruleset.waivers(rule):
        yield f"Waived by {waiver.id} of {waiver.origin}{_where(waiver, known)}."
    if rule.because is not None:
        yield f"If not, it says: {rule.because.labelled()}"
    if rule.remedy is not None:
        yield f"What to do ({rule.remedy.who}): {rule.remedy.action}"
    for denial in rule.denial:
        where = f" where {condition_words(denial.when, known)}" if denial.when else ""
        yield f"Denial code{where}: {codes_in_words(denial)}."
    for source in rule.cites:
        yield f"Source: {cited(source)}."
    yield _origin(rule)
    older = rule.replaces
    while older is not None:
        if isinstance(older, Disabled):
            yield f"Stands where there was none: {_left_out(older)}"
            older = older.rule
        else:
            yield _replaced(older, known)
            older = older.replaces


def sentences_of(ruleset: Ruleset, rule: Rule) -> Iterator[list[Piece]]:
    """Yield, a sentence each, what a rule says: its stage, where it applies, what it asks, its exception."""
    known = ruleset.vocabulary
    if rule.stage != "planned":
        yield [(f"Matters once the visit is {rule.stage}.", None)]
    if rule.applies is not None:
        yield [("Applies where ", None), *condition_pieces(rule.applies, known), (".", None)]
    if rule.requires is not None:
        yield [("Requires that ", None), *condition_pieces(rule.requires, known), (".", None)]
    if rule.caps is not None:
        asked = (f"the {known[REQUESTED].label}", known[REQUESTED])
        yield [("Caps ", None), asked, (" at ", None), *cap_pieces(rule.caps, known), (".", None)]
    if rule.waives is not None:
        yield [("Waives ", None), *_waived(ruleset, rule), (".", None)]
    if rule.advises is not None:
        yield [("Advises: ", None), *template_pieces(rule.advises)]
    if rule.unless is not None:
        yield [("Not where ", None), *condition_pieces(rule.unless, known), (".", None)]


def in_words(pieces: Iterable[Piece]) -> str:
    """Return pieces as one text."""
    return "".join(words for words, _ in pieces)


def template_pieces(template: Template) -> Iterator[Piece]:
    """Yield a sentence with the label of each fact in square brackets."""
    for words, fact in template.pieces:
        yield words, None
        if fact is not None:
            yield f"[{fact.label}]", fact


def _waived(ruleset: Ruleset, waiver: Rule) -> Iterator[Piece]:
    rules = ruleset.waived_by(waiver)
    if not rules:
        yield "nothing that is left", None
    for place, rule in enumerate(rules):
        if place:
            yield ", ", None
        yield rule.id, rule


def _where(waiver: Rule, known: Vocabulary) -> str:
    where = f" where {condition_words(waiver.applies, known)}" if waiver.applies is not None else ""
    return where + (f", not where {condition_words(waiver.unless, known)}" if waiver.unless is not None else "")


def _origin(rule: Rule) -> str:
    return f"From {rule.origin} ({rule.place})."


def _left_out(disabled: Disabled) -> str:
    return f"Disabled by {disabled.origin} ({disabled.place})."


def _replaced(older: Rule, known: Vocabulary) -> str:
    said = f"Replaces that of {older.origin} ({older.place}): {older.title}"
    if older.requires is not None:
        return f"{said}, which required that {condition_words(older.requires, known)}."
    if older.caps is not None:
        return f"{said}, which capped at {in_words(cap_pieces(older.caps, known))}."
    return f"{said}."


def cap_pieces(cap: Cap, known: Vocabulary) -> Iterator[Piece]:
    """Yield what a cap bounds the units at."""
    yield _named(known[cap.limit.path]) if isinstance(cap.limit, Ref) else (str(cap.limit), None)
    for path in cap.less:
        yield ", less ", None
        yield _named(known[path])


def _named(fact: Fact) -> Piece:
    return f"the {fact.label}", fact


def condition_words(condition: Condition, known: Vocabulary) -> str:
    """Return a condition as the part of a sentence that follows "where"; `known` are the facts it may name."""
    return in_words(condition_pieces(condition, known))


def condition_pieces(condition: Condition, known: Vocabulary) -> Iterator[Piece]:
    """Yield the pieces of a condition as the part of a sentence that follows "where"."""
    if isinstance(condition, Test):
        fact = known[condition.fact.path]
        verb, _, rest = operator_words(condition).partition(" ")
        if isinstance(fact.kind, Bool):
            yield f'the answer to "{fact.ask}"', fact
        else:
            yield _named(fact)
            verb = _PLURALS[verb] if _plural(fact) else verb
        yield f" {' '.join(filter(None, (verb, rest)))} ", None
        yield compared_with(condition, known)
    elif isinstance(condition, Not):
        yield "it is not so that ", None
        yield from condition_pieces(condition.part, known)
    else:
        join = " and " if isinstance(condition, AllOf) else " or "
        for place, part in enumerate(condition.parts):
            pieces = condition_pieces(part, known)
            if place:
                yield join, None
            yield from [("(", None), *pieces, (")", None)] if isinstance(part, (AllOf, AnyOf)) else pieces


def operator_words(test: Test) -> str:
    """Return how the comparing word of a test is said: of a list with one value, as of that value."""
    alone = isinstance(test.right, frozenset) and len(test.right) == 1
    return _ALONE.get(test.op, OPERATOR_WORDS[test.op]) if alone else OPERATOR_WORDS[test.op]


def compared_with(test: Test, known: Vocabulary) -> Piece:
    """Return what stands on the right of a test, in words."""
    fact, right = known[test.fact.path], test.right
    if isinstance(right, Ref):
        return _named(known[right.path])
    if isinstance(right, frozenset):
        return ", ".join(fact.kind.words(element) for element in sorted(right)), None
    kind = fact.kind.of if isinstance(fact.kind, SetOf) else fact.kind
    return kind.words(right) + _unit(fact, right), None


def _plural(fact: Fact) -> bool:
    """Return whether a fact's label is a plural: that of a list is, and that of a number which says what it counts."""
    return isinstance(fact.kind, SetOf) or (fact.unit is not None and fact.unit in fact.label.split())


def _unit(fact: Fact, number: Any) -> str:
    """Return the unit to say after a number, with the space before it, where the label does not say it."""
    if fact.unit is None or _plural(fact):
        return ""
    return f" {fact.unit.removesuffix('s') if number == 1 else fact.unit}"

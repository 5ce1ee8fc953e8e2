"""The keys of a ruleset file, each with what it says: readers take no others, and the reference is made of this."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from covrules.declaring import PEOPLE
from covrules.errors import one_of
from covrules.facts import OWN
from covrules.rule import LAYERS, REQUESTED, STAGES, STATUSES
from covrules.rulesets import SCHEMA, STANDINGS


class Key(NamedTuple):
    """What a key says, in Markdown, and whether it must be there."""

    says: str
    required: bool = False


Keys = Mapping[str, Key]


def _words(words: tuple[str, ...]) -> str:
    return one_of([f"`{word}`" for word in words])


FILE: Final[Keys] = {
    "schema": Key(f"The version of the format: `{SCHEMA}`.", True),
    "id": Key("What the ruleset is called: lower-case words joined by hyphens, as its file is named.", True),
    "title": Key("The same for people.", True),
    "status": Key(
        f"{_words(STANDINGS)}. In a ruleset that is `sourced`, every rule and every fact cites what was read.", True
    ),
    "version": Key("Which edition of the rules this is, in quotes where it looks like a number.", True),
    "extends": Key("The id of the ruleset that this one builds on, or a list of ids; never a path."),
    "disables": Key("The id of an inherited rule that is left out, or a list of ids. No mandate can be."),
    "effective": Key("The days on which the ruleset is in force; without it, all days."),
    "sources": Key("What was read: a mapping of ids, which `cites` names, to documents."),
    "facts": Key("What the plan fixes: a mapping of facts to their values. A case may leave these out."),
    "declares": Key(f"Facts that no other ruleset has: a mapping of names such as `{OWN}.last_report_on` to types."),
    "rules": Key("The rules, as a list."),
}
EFFECTIVE: Final[Keys] = {
    "from": Key("The first day; without it there is no first."),
    "until": Key("The day after the last; without it there is no last."),
}
SOURCE: Final[Keys] = {
    "title": Key("The document.", True),
    "section": Key("Where in it."),
    "url": Key("Where it can be had, from `http` on."),
    "read": Key("The day on which it was read."),
}
FIXED: Final[Keys] = {
    "value": Key(
        "The value; or a mapping of days to the values that hold from them on. `null` there says that from that day on "
        "nobody has read what holds, and the fact is unknown again.",
        True,
    ),
    "cites": Key("The ids of the sources it was read in."),
}
DECLARED: Final[Keys] = {
    "type": Key("What values it has; see below.", True),
    "who": Key(f"Who can answer: {_words(PEOPLE)}. Not for `days`, where it must be there for all others."),
    "ask": Key("The question that asks for it. Not for `days`, where it must be there for all others."),
    "label": Key('What it is called in a sentence, after "the".'),
    "unit": Key("What a number counts, in the plural: `visits`."),
    "values": Key("The words of an `enum`, in order if it is `ordered`."),
    "system": Key("The system of a `code`."),
    "from": Key("For `days`: the date from which they are counted."),
    "to": Key("For `days`: the date to which they are counted."),
}
RULE: Final[Keys] = {
    "id": Key("What the rule is called; of an inherited rule, it takes that rule's place.", True),
    "title": Key("What it asks, in a few words.", True),
    "requires": Key("A requirement: the condition that must hold."),
    "caps": Key("A cap: what bounds the units of the visit."),
    "waives": Key("A waiver: a list of the rules that it excuses where it applies."),
    "advises": Key("Advice: a sentence that is told, and decides nothing."),
    "applies": Key("Where the rule applies; without it, everywhere."),
    "unless": Key("The exception: where this holds, the rule is waived; a waiver or advice does not apply."),
    "layer": Key(f"Whose rule it is: {_words(LAYERS)}. Without it, `plan`."),
    "from": Key(f"The stage from which it matters: {_words(STAGES)}. Without it, `planned`."),
    "because": Key("The sentence that says why, where the rule is not met. Facts stand in it in braces."),
    "remedy": Key("What can be done then, and by whom."),
    "denial": Key("The codes that an insurer denies with, or a list of which the first that fits is taken."),
    "cites": Key("The ids of the sources it was read in."),
    "examples": Key("Facts and the status that the rule alone must then have, as a list."),
}
CAP: Final[Keys] = {
    REQUESTED: Key("How many units are allowed: a number, `unlimited`, or a fact with a dollar sign before it.", True),
    "less": Key("The fact that counts what is used already, or a list of such facts."),
}
REMEDY: Final[Keys] = {
    "who": Key(f"Who does it: {_words(PEOPLE)}.", True),
    "action": Key("What to do, as a sentence.", True),
}
DENIAL: Final[Keys] = {
    "carc": Key("The number of the claim adjustment reason code.", True),
    "rarc": Key("The number of the remark code that goes with it, or a list of them."),
    "when": Key("A condition without which the codes do not fit."),
}
EXAMPLE: Final[Keys] = {
    "given": Key("What is known: a mapping of facts to values. All else is unknown.", True),
    "then": Key(f"The status: {_words(STATUSES)}; of these, one that the rule can reach.", True),
}

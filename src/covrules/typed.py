"""Answers as they are typed: what may be typed for a fact, and which value it is.

>>> from covrules.facts import FACTS
"""

from contextlib import suppress
from typing import Any, Final

from covrules.kinds import Bool, Enum, Kind, SetOf, Text, Unfit
from covrules.node_reading import CONTROL

MAX_ANSWER: Final = 500
"""The longest text in an answer, in characters."""

_WORDS: Final = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}


def expected(kind: Kind) -> str:
    """Return what may be typed for a value of a kind.

    >>> expected(FACTS["plan.accepted_credentials"].kind)
    'LMT, PT, OT, DC, ND, RN or other; several with commas between; or none; or any'
    """
    if isinstance(kind, Bool):
        return "yes or no"
    if isinstance(kind, SetOf):
        return f"{kind.of.expected}; several with commas between; or none" + ("; or any" if kind.any else "")
    return kind.expected


def typed(kind: Kind, value: Any) -> str:
    """Return a value as it would be typed.

    >>> typed(FACTS["plan.accepted_credentials"].kind, frozenset({"RN", "LMT"}))
    'LMT, RN'
    """
    plain = kind.plain(value)
    if isinstance(plain, list):
        return ", ".join(plain) or "none"
    return kind.words(plain) if isinstance(plain, bool) else str(plain)


def read_answer(kind: Kind, text: str) -> Any:
    """Return the value of an answer, which must not be too long or have control characters in it; raises Unfit."""
    if control := CONTROL.search(text):
        raise Unfit(f"a control character (U+{ord(control[0]):04X})")
    if Text() in (kind, getattr(kind, "of", None)) and len(text) > MAX_ANSWER:
        raise Unfit(f"{len(text):,} characters, and {MAX_ANSWER} are the most")
    return read_typed(kind, text)


def read_typed(kind: Kind, text: str) -> Any:
    """Return the value of a text typed for it, which files write the same way or as a list; raises Unfit.

    >>> read_typed(FACTS["plan.units_per_visit"].kind, "unlimited")
    UNLIMITED
    """
    if isinstance(kind, Bool):
        if text.casefold() not in _WORDS:
            raise Unfit("text that is neither")
        return _WORDS[text.casefold()]
    if not isinstance(kind, SetOf) or (kind.any and text.casefold() == "any"):
        return _in_any_case(kind, text)
    if text.casefold() in ("none", "[]"):
        return frozenset()
    parts = [part for part in map(str.strip, text.split(",")) if part]
    if not parts:
        raise Unfit("nothing", "none says that there are none")
    return frozenset(_in_any_case(kind.of, part) for part in parts)


def _in_any_case(kind: Kind, text: str) -> Any:
    """Return the value of a text, be it written in small letters or capitals; words also as sentences say them."""
    words = {}
    if isinstance(kind, Enum):
        words = {kind.words(word).casefold(): word for word in kind.values}
        words |= {word.casefold(): word for word in kind.values}
    for form in (text, words.get(text.casefold(), text.lower()), text.upper()):
        with suppress(Unfit):
            return kind.read(form)
    return kind.read(text)

"""The types a fact can have: what values they take, how those are read and how they are said."""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, ClassVar, Final

import attrs

from covrules.codes.body_sites import BODY_SITES
from covrules.errors import nearest, one_of, printable

__all__ = ["MAX_COUNT", "Bool", "Code", "Count", "Date", "Days", "Enum", "Kind", "SetOf", "Text", "Unfit"]

MAX_COUNT: Final = 2**31 - 2
"""The largest count; the number after it stands for `unlimited` in typed columns."""


class _Unlimited(int):
    """The answer "no limit": larger than any count, so it compares as a number does."""

    def __repr__(self) -> str:
        return "UNLIMITED"

    def __str__(self) -> str:
        return "unlimited"

    def __reduce__(self) -> str:
        return "UNLIMITED"


class _FarDate(dt.date):
    """A date answered with a word (`open`, `never`): later than any date, so it compares as one."""

    word: str

    def __repr__(self) -> str:
        return self.word.upper()

    def __str__(self) -> str:
        return self.word

    def __reduce__(self) -> str:
        return self.word.upper()


class _Anything(Collection[str]):
    """The answer "any": a set that holds every element."""

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        raise TypeError("`any` cannot be listed: it stands for every element there could be")

    def __len__(self) -> int:
        raise TypeError("`any` has no length: it stands for every element there could be")

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "ANY"

    def __reduce__(self) -> str:
        return "ANY"


def _far(word: str) -> dt.date:
    value = _FarDate(9999, 12, 31)
    value.word = word
    return value


UNLIMITED: Final[int] = _Unlimited(MAX_COUNT + 1)
"""A limit that is known not to exist; different from a limit nobody has asked for."""
OPEN: Final = _far("open")
"""An end date that is known not to be set."""
NEVER: Final = _far("never")
"""A start date that is known not to be set."""
ANY: Final[Collection[str]] = _Anything()
"""A list that leaves nothing out."""
NO_CODE: Final = "none"
"""The diagnosis of a prescription that states no code."""

_WORDS: Final = {"open": OPEN, "never": NEVER}


class Unfit(Exception):
    """A value its kind does not take; says what was found (never the value) and, if clear, the right word.

    Where `telling`, the hint lets the value be guessed, so it is for authors of rulesets only.
    """

    def __init__(self, found: str, hint: str | None = None, telling: bool = False) -> None:
        super().__init__(found)
        self.found = found
        self.hint = hint
        self.telling = telling


def describe(value: object) -> str:
    """Return what sort of value this is, without saying the value."""
    names: dict[type, str] = {
        bool: "true or false", int: "a number", float: "a decimal number", str: "text", list: "a list",
        dict: "a mapping", dt.datetime: "a date with a time", dt.date: "a date", tuple: "a list", set: "a set",
        frozenset: "a set", type(None): "nothing", _Unlimited: "the word unlimited", _FarDate: "the word open or never",
        _Anything: "the word any",
    }  # fmt: skip
    return names.get(type(value)) or f"a value of type {type(value).__name__}"


def plain(value: Any) -> Any:
    """Return a value of any kind as JSON says it."""
    if isinstance(value, (_Unlimited, dt.date)):
        return str(value)
    if value is ANY:
        return "any"
    if isinstance(value, (list, tuple, set, frozenset)):
        elements = [plain(element) for element in value]
        return elements if isinstance(value, (list, tuple)) else sorted(elements, key=str)
    return value


@attrs.frozen
class Kind:
    """A type of fact.

    `parse` takes a value from Python or JSON, `read` one from YAML or CSV, where every scalar is text; both
    return the canonical value or raise `Unfit`. `low` and `high` are the values below and above which no
    value of the kind lies, where there are such: a comparison with one of them can be certain while the
    other side is unknown. `unknown` stands in a sentence for a value that is not known.
    """

    family: ClassVar[str]
    ordered: ClassVar[bool] = False
    unknown: ClassVar[str] = "unknown"

    @property
    def name(self) -> str:
        """The kind in one word, for tables."""
        raise NotImplementedError

    @property
    def expected(self) -> str:
        """What a value must be, as an error says it."""
        raise NotImplementedError

    def parse(self, value: Any) -> Any:
        """Return the canonical value of one given in Python or JSON; raises Unfit."""
        raise NotImplementedError

    def read(self, value: Any) -> Any:
        """Return the canonical value of one written as text (or, for sets, a list of texts); raises Unfit."""
        return self.parse(value)

    def plain(self, value: Any) -> Any:
        """Return the value as JSON says it."""
        return value

    def words(self, value: Any) -> str:
        """Return the value in words, with nothing left out."""
        return str(value)

    def said(self, value: Any, joined: str = "and") -> str:
        """Return the value as a sentence for people says it, `joined` before the last element of a list."""
        return self.words(value)

    @property
    def low(self) -> Any:
        """The least value of the kind, or None."""
        return None

    @property
    def high(self) -> Any:
        """The greatest value of the kind, or None."""
        return None


@attrs.frozen
class Bool(Kind):
    """True or false."""

    family = "bool"
    name = "bool"
    expected = "true or false"

    def parse(self, value: Any) -> bool:
        if type(value) is bool:
            return value
        raise Unfit(describe(value))

    def read(self, value: Any) -> bool:
        if value in ("true", "True", "TRUE"):
            return True
        if value in ("false", "False", "FALSE"):
            return False
        raise Unfit(describe(value), "yes and no are text")

    def words(self, value: Any) -> str:
        return "yes" if value else "no"


@attrs.frozen
class Count(Kind):
    """A whole number that is never negative; with `unlimited=True` also the word `unlimited`: a limit.

    `least` is the smallest number there can be.
    """

    family = "number"
    ordered = True
    unknown = "an unknown number"
    unlimited: bool = False
    least: int = 0

    @property
    def name(self) -> str:
        return "limit" if self.unlimited else "int"

    @property
    def expected(self) -> str:
        return f"a whole number, {self.least} or more" + ("; or unlimited" if self.unlimited else "")

    @property
    def low(self) -> int:
        return 0

    @property
    def high(self) -> int | None:
        return UNLIMITED if self.unlimited else None

    def parse(self, value: Any) -> int:
        if type(value) is int and self.least <= value <= MAX_COUNT:
            return value
        if self.unlimited and (value is UNLIMITED or (type(value) in (int, str) and value in (UNLIMITED, "unlimited"))):
            return UNLIMITED
        if type(value) is not int:
            raise Unfit(describe(value))
        if value < 0:
            raise Unfit("a negative number")
        raise Unfit("a number that is too small" if value < self.least else "a number that is too large")

    def read(self, value: Any) -> int:
        return self.parse(_whole(value))

    def plain(self, value: Any) -> Any:
        return "unlimited" if value is UNLIMITED else value


@attrs.frozen
class Days(Kind):
    """A number of days between two dates; negative where the second comes first."""

    family = "number"
    ordered = True
    unknown = "an unknown number"
    name = "days"
    expected = "a whole number of days"

    def parse(self, value: Any) -> int:
        if type(value) is not int:
            raise Unfit(describe(value))
        if abs(value) > MAX_COUNT:
            raise Unfit("a number that is too large")
        return value

    def read(self, value: Any) -> int:
        return self.parse(_whole(value))


@attrs.frozen
class Text(Kind):
    """Any text; compared for equality only."""

    family = "text"
    name = "text"
    expected = "text"

    def parse(self, value: Any) -> str:
        if type(value) is not str:
            raise Unfit(describe(value))
        if _SURROGATE.search(value):
            raise Unfit("text with half a character (a lone surrogate)")
        return value


@attrs.frozen
class Date(Kind):
    """A calendar date; with a word, also `open` or `never`, which no date comes after."""

    family = "date"
    ordered = True
    unknown = "an unknown date"
    word: str | None = None

    @property
    def name(self) -> str:
        return f"date or {self.word}" if self.word else "date"

    @property
    def expected(self) -> str:
        return "a date such as 2026-06-15" + (f"; or {self.word}" if self.word else "")

    @property
    def high(self) -> dt.date | None:
        return _WORDS[self.word] if self.word else None

    def parse(self, value: Any) -> dt.date:
        if type(value) is str:
            value = self._of_text(value)
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            raise Unfit(describe(value))
        if value != dt.date.max:
            return value
        if self.word is None or (type(value) is _FarDate and value.word != self.word):
            raise Unfit("a date that stands for open or never")
        return _WORDS[self.word]

    def _of_text(self, text: str) -> dt.date:
        if text == self.word:
            return _WORDS[text]
        return _date_of(text)

    def plain(self, value: Any) -> str:
        return str(value)

    def words(self, value: Any) -> str:
        return str(value) if type(value) is _FarDate else f"{_MONTHS[value.month - 1]} {value.day}, {value.year}"


@lru_cache(maxsize=4096)
def _date_of(text: str) -> dt.date:
    if not _DATE.fullmatch(text):
        raise Unfit("text that is not a date")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Unfit("a date that is not in the calendar") from None


@attrs.frozen
class Code(Kind):
    """A code by its number; `none=True` also takes the word `none`: known to be without.

    `system` is what the code is of, such as ICD-10-CM.
    """

    family = "code"
    system: str
    none: bool = False

    @property
    def name(self) -> str:
        return f"{self.system} code"

    @property
    def expected(self) -> str:
        return _CODES[self.system][1] + ("; or none" if self.none else "")

    @property
    def pattern(self) -> str:
        """The regular expression that whole codes fit; `none` is apart from them."""
        return _CODES[self.system][0].pattern

    def parse(self, value: Any) -> str:
        if type(value) is not str:
            raise Unfit(describe(value))
        if (self.none and value == NO_CODE) or _CODES[self.system][0].fullmatch(value):
            return value
        upper = value.upper()
        dotted = f"{upper[:3]}.{upper[3:]}" if "." not in upper and len(upper) > 3 else upper
        fits = _CODES[self.system][0].fullmatch(dotted) is not None
        raise Unfit("text that is not such a code", "codes are upper-case, with the dot" if fits else None)


@attrs.frozen
class Enum(Kind):
    """One of a fixed list of words: if `ranked`, from the least to the greatest; if `people`, what people are."""

    family = "enum"
    values: tuple[str, ...]
    ranked: bool = False
    people: bool = attrs.field(default=False, eq=False)

    @property
    def name(self) -> str:
        return "ordered enum" if self.ranked else "enum"

    @property
    def expected(self) -> str:
        if len(self.values) <= 20:
            return one_of(self.values)
        return f"a {'body site' if self.values is BODY_SITES else 'word'} ({', '.join(self.values[:8])}, ...)"

    @property
    def low(self) -> str | None:
        return self.values[0] if self.ranked else None

    @property
    def high(self) -> str | None:
        return self.values[-1] if self.ranked else None

    def parse(self, value: Any) -> str:
        if type(value) is not str:
            raise Unfit(describe(value))
        if value not in self.values:
            close = nearest(value, self.values)
            raise Unfit("a word that is not among them", f"did you mean {close}?" if close else None, telling=True)
        return value

    def words(self, value: Any) -> str:
        base, _, side = value.rpartition("-") if self.values is BODY_SITES else ("", "", "")
        return f"{side} {base.replace('-', ' ')}" if side in ("left", "right") else value.replace("-", " ")

    def said(self, value: Any, joined: str = "and") -> str:
        if value == "other":
            return "somebody else" if self.people else "something else"
        return self.words(value)


@attrs.frozen
class SetOf(Kind):
    """Several values of one kind, in no order; with `any=True` also the word `any`."""

    family = "set"
    of: Kind
    any: bool = False

    @property
    def name(self) -> str:
        return f"set of {self.of.name}"

    @property
    def expected(self) -> str:
        return f"a list, each of them {self.of.expected}" + ("; or any" if self.any else "")

    def parse(self, value: Any) -> Collection[str]:
        return self._collect(value, self.of.parse)

    def read(self, value: Any) -> Collection[str]:
        return self._collect(value, self.of.read)

    def _collect(self, value: Any, each: Callable[[Any], str]) -> Collection[str]:
        if self.any and (value is ANY or (type(value) is str and value == "any")):
            return ANY
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise Unfit(describe(value))
        try:
            return frozenset([each(element) for element in value])
        except Unfit as unfit:
            raise Unfit(f"a list with {unfit.found}", unfit.hint, unfit.telling) from None

    def plain(self, value: Any) -> Any:
        return "any" if value is ANY else [self.of.plain(element) for element in self._listed(value)]

    def words(self, value: Any) -> str:
        if value is ANY:
            return "any"
        return _joined([self.of.words(element) for element in self._listed(value)], "and") or "(none)"

    def said(self, value: Any, joined: str = "and") -> str:
        of_people = isinstance(self.of, Enum) and self.of.people
        if value is ANY:
            return "anybody" if of_people else "any"
        said = [self.of.said(element) for element in self._listed(value)]
        if len(said) > _MOST_SAID:
            said = [*said[:_FIRST_SAID], f"{len(said) - _FIRST_SAID} others"]
        return _joined(said, joined) or ("nobody" if of_people else "none")

    def _listed(self, value: Collection[str]) -> list[str]:
        if isinstance(self.of, Enum):
            return [element for element in self.of.values if element in value]
        return sorted(value)


# Nobody reads a longer list in the middle of a sentence; data have it whole.
_MOST_SAID: Final = 8
_FIRST_SAID: Final = 6


def _joined(words: list[str], joined: str) -> str:
    return f" {joined} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _whole(value: Any) -> Any:
    if type(value) is str and _NUMBER.fullmatch(value):
        if len(value) > _MAX_DIGITS:
            raise Unfit("a number that is too large")
        return int(value)
    if type(value) is str and value != "unlimited":
        raise Unfit("text that is not a whole number")
    return value


# Not strftime's, which speaks the language of the process.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_MAX_DIGITS = 15
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"-?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODES = {
    "ICD-10-CM": (
        re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?"),
        "an ICD-10-CM code with its dot, such as M54.50",
    ),
    "ICD-10-CM prefix": (
        re.compile(r"[A-Z]([0-9A-Z]([0-9A-Z](\.[0-9A-Z]{0,4})?)?)?"),
        "an ICD-10-CM code or the beginning of one, such as M54",
    ),
    "CPT": (
        re.compile(r"[0-9]{4}[0-9A-Z]|[A-Z][0-9]{4}"),
        "a procedure code of five characters, such as 97124",
    ),
}

PRESCRIBER: Final = Enum(
    ("MD", "DO", "NP", "PA", "DC", "ND", "DPM", "DDS", "PT", "OT", "LAc", "LMT", "other"), people=True
)
CREDENTIAL: Final = Enum(("LMT", "PT", "OT", "DC", "ND", "RN", "other"), people=True)
BODY_SITE: Final = Enum(BODY_SITES)
DIAGNOSIS: Final = Code("ICD-10-CM", none=True)
DIAGNOSIS_PREFIX: Final = Code("ICD-10-CM prefix")
PROCEDURE: Final = Code("CPT")


_NAMED: Final[dict[str, Kind]] = {
    "bool": Bool(), "int": Count(), "limit": Count(unlimited=True), "text": Text(), "date": Date(),
    "date or open": Date(word="open"), "date or never": Date(word="never"), "prescriber": PRESCRIBER,
    "credential": CREDENTIAL, "body site": BODY_SITE,
}  # fmt: skip
_NAMES: Final = {kind: name for name, kind in _NAMED.items()}
_IN_SETS: Final = ("text", "code", "enum", "prescriber", "credential", "body site")
_TYPES: Final = (*_NAMED, "code", "code or none", "enum", "ordered enum")
_SET_OF: Final = "set of "


def kind_of(type_: str, values: tuple[str, ...] | None = None, system: str | None = None) -> Kind:
    """Return the kind of a type as a ruleset writes it, `values` being those of an enum and `system` a code's.

    Raises Unfit, its hint saying what was expected.

    >>> kind_of("set of prescriber or any") == SetOf(PRESCRIBER, any=True)
    True
    """
    element = type_.removeprefix(_SET_OF).removesuffix(" or any") if type_.startswith(_SET_OF) else type_
    if element not in (_IN_SETS if element != type_ else _TYPES):
        many = f"set of {one_of(_IN_SETS)}, to which may be added or any"
        raise Unfit(f"there is no type {printable(type_)}", one_of([*_TYPES, "days", many]))
    if not values and element.endswith("enum"):
        raise Unfit("an enum without values", "values: [...], at least one word")
    if values is not None and not element.endswith("enum"):
        raise Unfit("values, and no enum", "values for an enum alone")
    if system is None and element.startswith("code"):
        raise Unfit("a code without its system", f"system: {one_of([*_CODES])}")
    if system is not None and not element.startswith("code"):
        raise Unfit("a system, and no code", "system for a code alone")
    if system is not None and system not in _CODES:
        raise Unfit(f"there is no system {printable(system)}", one_of([*_CODES]))
    if values is not None:
        kind: Kind = Enum(values, ranked=element == "ordered enum")
    else:
        kind = Code(system, none=element == "code or none") if system is not None else _NAMED[element]
    return kind if element == type_ else SetOf(kind, any=type_.endswith(" or any"))


def declarable() -> dict[str, str]:
    """Return the types that `kind_of` knows, and `days`, each with what its values must be.

    >>> declarable()["limit"]
    'a whole number, 0 or more; or unlimited'
    """
    code = f"a code of its system ({one_of([*_CODES])})"
    said = {name: kind.expected for name, kind in _NAMED.items()}
    said |= {"code": code, "code or none": f"{code}; or none", "enum": "one of its values"}
    said |= {"ordered enum": "one of its values, which stand in order", "days": Days().expected}
    return said | {f"{_SET_OF}{name}": f"a list, each of them of the type {name}" for name in _IN_SETS}


def declaration_of(kind: Kind) -> dict[str, Any]:
    """Return how a ruleset writes a kind: the keys that `kind_of` makes it from.

    >>> declaration_of(SetOf(Enum(("a", "b")), any=True))
    {'type': 'set of enum or any', 'values': ['a', 'b']}
    """
    if isinstance(kind, SetOf):
        said = declaration_of(kind.of)
        return said | {"type": f"{_SET_OF}{said['type']}{' or any' if kind.any else ''}"}
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    if isinstance(kind, Enum):
        return {"type": kind.name, "values": list(kind.values)}
    assert isinstance(kind, Code)
    return {"type": "code or none" if kind.none else "code", "system": kind.system}

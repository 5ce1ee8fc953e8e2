"""SQL as DuckDB and Spark have it: what is asked of every row as expressions, which their engines work out lazily."""

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, get_args
from zlib import crc32

from covrules.codes import icd10cm
from covrules.codes.body_sites import BODY_SITES, lies_in
from covrules.conditions import Ref, Symbol
from covrules.declaring import Fact
from covrules.frames.program import Algebra, SetTest
from covrules.kinds import UNLIMITED, Enum, Kind, SetOf
from covrules.lowering import Member, Size
from covrules.rule import STATUSES, Status
from covrules.rulesets import Ruleset
from covrules.verdicts import Coverage

_PLAIN: Final = re.compile(r"[\w .,:;|@()/-]*", re.ASCII)


class Dialect(ABC):
    """What the SQL of an engine calls the things that others call otherwise."""

    quote: ClassVar[str]
    integer_division: ClassVar[str]
    checks_rows: ClassVar[bool]
    """Whether rows are checked by a condition on them, and not by a column of theirs: whichever does no harm."""
    codes_apart: ClassVar[bool]
    """Whether lists become numbers in a step of their own, as the engine would work them out wherever they are said."""

    def name(self, name: str) -> str:
        """Return the name of a column, as it may stand in SQL."""
        return f"{self.quote}{name.replace(self.quote, 2 * self.quote)}{self.quote}"

    def text(self, text: str) -> str:
        """Return a text as a literal."""
        return f"'{text}'" if _PLAIN.fullmatch(text) else self.odd_text(text.encode().hex())

    def texts(self, texts: Iterable[str]) -> str:
        """Return texts as literals with commas between them."""
        return ", ".join(map(self.text, texts))

    @abstractmethod
    def odd_text(self, hexadecimal: str) -> str:
        """Return a text, given in hexadecimal, that may have quotes in it."""

    @abstractmethod
    def label(self, word: str, words: Sequence[str]) -> str:
        """Return one of the words that a column of results is made of."""

    @abstractmethod
    def list_of(self, texts: Iterable[str]) -> str:
        """Return a list of texts."""

    @abstractmethod
    def null_list(self) -> str:
        """Return a list that is not known."""

    @abstractmethod
    def as_text(self, column: str) -> str:
        """Return a column of words as text."""

    @abstractmethod
    def as_texts(self, column: str) -> str:
        """Return a column of lists of words as lists of text."""

    @abstractmethod
    def size(self, list_: str) -> str:
        """Return how many elements a list has."""

    @abstractmethod
    def has(self, list_: str, element: str) -> str:
        """Return whether a list has an element."""

    @abstractmethod
    def some(self, list_: str, holds: Callable[[str], str]) -> str:
        """Return whether something holds of some element of a list."""

    @abstractmethod
    def begins_with(self, text: str, prefix: str) -> str:
        """Return whether a text begins with another."""

    def begins_with_some(self, text: str, prefixes: str) -> str:
        """Return whether a text begins with one of a list."""
        return f"CASE WHEN {text} IS NOT NULL THEN {self.some(prefixes, lambda each: self.begins_with(text, each))} END"

    @abstractmethod
    def has_null(self, list_: str) -> str:
        """Return whether a list has an element that is null."""

    @abstractmethod
    def place(self, word: str, words: Sequence[str]) -> str:
        """Return the place of a word among words, counted from 1: 0 if it is none of them."""

    @abstractmethod
    def bits(self, list_: str, words: Sequence[str]) -> str:
        """Return a list of words as a number with the bit of each, and bit 0 for what is none of them or null."""

    @abstractmethod
    def shifted(self, places: str) -> str:
        """Return the number that has the bit of a place alone."""

    @abstractmethod
    def alike(self, list_: str, other: str) -> str:
        """Return whether two lists have the same elements."""

    @abstractmethod
    def matches(self, text: str, pattern: str) -> str:
        """Return whether a whole text fits a regular expression."""

    @abstractmethod
    def days_between(self, later: str, earlier: str) -> str:
        """Return the days from the earlier date to the later."""

    @abstractmethod
    def day_of(self, text: str) -> str:
        """Return the date that a text says, null where it says none."""

    @abstractmethod
    def error(self, message: str) -> str:
        """Return what ends the query with an error."""

    @abstractmethod
    def both_lists(self, one: str, other: str) -> str:
        """Return two lists as one; null where both are."""

    @abstractmethod
    def known_of(self, texts: Sequence[str]) -> str:
        """Return the list of those texts that are not null."""

    @abstractmethod
    def one_of(self, text: str, words: Collection[str]) -> str:
        """Return whether a text is one of many words."""


class DuckDb(Dialect):
    """The SQL of DuckDB."""

    quote = '"'
    integer_division = "//"
    checks_rows = True
    codes_apart = True

    def odd_text(self, hexadecimal: str) -> str:
        return f"decode(unhex('{hexadecimal}'))"

    def label(self, word: str, words: Sequence[str]) -> str:
        return f"{self.text(word)}::ENUM({self.texts(words)})"

    def list_of(self, texts: Iterable[str]) -> str:
        return f"[{self.texts(texts)}]::VARCHAR[]"

    def null_list(self) -> str:
        return "CAST(NULL AS VARCHAR[])"

    def as_text(self, column: str) -> str:
        return f"CAST({column} AS VARCHAR)"

    def as_texts(self, column: str) -> str:
        return f"CAST({column} AS VARCHAR[])"

    def size(self, list_: str) -> str:
        return f"len({list_})"

    def has(self, list_: str, element: str) -> str:
        return f"list_contains({list_}, {element})"

    def some(self, list_: str, holds: Callable[[str], str]) -> str:
        return f"(len(list_filter({list_}, lambda e: {holds('e')})) > 0)"

    def begins_with(self, text: str, prefix: str) -> str:
        return f"starts_with({text}, {prefix})"

    def has_null(self, list_: str) -> str:
        return f"(list_count({list_}) < len({list_}))"

    def place(self, word: str, words: Sequence[str]) -> str:
        found = f"enum_code(TRY_CAST({word} AS ENUM({self.texts(words)}))) + 1"
        return f"CASE WHEN {word} IS NOT NULL THEN coalesce({found}, 0) END"

    def bits(self, list_: str, words: Sequence[str]) -> str:
        coded = f"TRY_CAST({list_} AS ENUM({self.texts(words)})[])"
        places = f"list_transform({coded}, lambda e: {self.shifted('coalesce(enum_code(e) + 1, 0)')})"
        return f"CASE WHEN {list_} IS NOT NULL THEN coalesce(list_bit_or({places}), 0) END"

    def shifted(self, places: str) -> str:
        return f"(1::BIGINT << ({places}))"

    def alike(self, list_: str, other: str) -> str:
        return f"list_sort(list_distinct({list_})) = list_sort(list_distinct({other}))"

    def matches(self, text: str, pattern: str) -> str:
        return f"regexp_full_match({text}, '{pattern}')"

    def days_between(self, later: str, earlier: str) -> str:
        return f"({later} - {earlier})"

    def day_of(self, text: str) -> str:
        return f"TRY_CAST({text} AS DATE)"

    def one_of(self, text: str, words: Collection[str]) -> str:
        listed = f"SELECT unnest(string_split('{' '.join(sorted(words))}', ' '))"
        return f"CASE WHEN {text} IS NOT NULL THEN {text} IN ({listed}) END"

    def error(self, message: str) -> str:
        return f"error({self.text(message)})"

    def both_lists(self, one: str, other: str) -> str:
        return f"list_concat({one}, {other})"

    def known_of(self, texts: Sequence[str]) -> str:
        return f"list_filter([{', '.join(texts)}]::VARCHAR[], lambda e: e IS NOT NULL)"


class Spark(Dialect):
    """The SQL of Spark."""

    quote = "`"
    integer_division = "div"
    # From a condition on rows Spark works out what holds of every column after it, until its memory is full.
    checks_rows = False
    codes_apart = False

    def odd_text(self, hexadecimal: str) -> str:
        return f"decode(unhex('{hexadecimal}'), 'UTF-8')"

    def label(self, word: str, words: Sequence[str]) -> str:
        return self.text(word)

    def list_of(self, texts: Iterable[str]) -> str:
        return f"CAST(array({self.texts(texts)}) AS ARRAY<STRING>)"

    def null_list(self) -> str:
        return "CAST(NULL AS ARRAY<STRING>)"

    def as_text(self, column: str) -> str:
        return column

    def as_texts(self, column: str) -> str:
        return column

    def size(self, list_: str) -> str:
        return f"array_size({list_})"

    def has(self, list_: str, element: str) -> str:
        return f"array_contains({list_}, {element})"

    def some(self, list_: str, holds: Callable[[str], str]) -> str:
        return f"exists({list_}, e -> {holds('e')})"

    def begins_with(self, text: str, prefix: str) -> str:
        return f"startswith({text}, {prefix})"

    def has_null(self, list_: str) -> str:
        return f"exists({list_}, e -> e IS NULL)"

    def place(self, word: str, words: Sequence[str]) -> str:
        return f"array_position(array({self.texts(words)}), {word})"

    def bits(self, list_: str, words: Sequence[str]) -> str:
        bit = self.shifted(f"coalesce({self.place('e', words)}, 0)")
        return f"aggregate({list_}, 0L, (bits, e) -> bits | {bit})"

    def shifted(self, places: str) -> str:
        return f"shiftleft(1L, CAST({places} AS INT))"

    def alike(self, list_: str, other: str) -> str:
        return f"array_sort(array_distinct({list_})) = array_sort(array_distinct({other}))"

    def matches(self, text: str, pattern: str) -> str:
        return f"{text} RLIKE '^({pattern})$'"

    def days_between(self, later: str, earlier: str) -> str:
        return f"datediff({later}, {earlier})"

    def day_of(self, text: str) -> str:
        return f"TRY_CAST({text} AS DATE)"

    def one_of(self, text: str, words: Collection[str]) -> str:
        # A join would cost a job before the query; here a word is looked for among those few that hash as it does.
        buckets = [" "] * max(1, len(words) // 4)
        for word in sorted(words):
            buckets[crc32(word.encode()) % len(buckets)] += f"{word} "
        # Of a null Spark would make a place that there is not.
        place = f"CAST(crc32(CAST(coalesce({text}, '') AS BINARY)) % {len(buckets)} AS INT)"
        return f"contains(split('{'|'.join(buckets)}', '[|]')[{place}], concat(' ', {text}, ' '))"

    def error(self, message: str) -> str:
        return f"raise_error({self.text(message)})"

    def both_lists(self, one: str, other: str) -> str:
        return f"CASE WHEN {one} IS NULL THEN {other} WHEN {other} IS NULL THEN {one} ELSE concat({one}, {other}) END"

    def known_of(self, texts: Sequence[str]) -> str:
        return f"array_compact(CAST(array({', '.join(texts)}) AS ARRAY<STRING>))"


class Sql(Algebra[str]):
    """What SQL says of facts, each of which has an expression by its path; what has none is unknown."""

    finds_repeats = True

    def __init__(
        self,
        dialect: Dialect,
        ruleset: Ruleset,
        facts: Mapping[str, str],
        prefix: str,
    ) -> None:
        self.dialect = dialect
        self.vocabulary = ruleset.vocabulary
        self.facts = facts
        self.prefix = prefix

    def fact(self, path: str) -> str:
        return self.facts.get(path) or self.null(path)

    def null(self, path: str) -> str:
        """Return an unknown value of a fact."""
        return null_of(self.dialect, self.vocabulary[path].kind)

    def column(self, name: str) -> str:
        return self.dialect.name(self.prefix + name)

    def value(self, value: Any, like: str | None = None) -> str:
        return literal(self.dialect, value)

    def both(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def either(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def negated(self, part: str) -> str:
        return f"(NOT {part})"

    def known(self, part: str) -> str:
        return f"({part} IS NOT NULL)"

    def compare(self, left: str, symbol: Symbol, right: str) -> str:
        if right in ("TRUE", "FALSE") and symbol in ("==", "!="):
            return left if (right == "TRUE") == (symbol == "==") else self.negated(left)
        return f"({left} {'=' if symbol == '==' else symbol} {right})"

    def rank(self, words: tuple[str, ...], path: str) -> str:
        cases = " ".join(f"WHEN {self.dialect.text(word)} THEN {place}" for place, word in enumerate(words))
        return f"CASE {self.fact(path)} {cases} END"

    def test_of_set(self, test: SetTest) -> str:
        return test_of_set(self, test)

    def rest(self, limit: str, used: Sequence[str]) -> str:
        if not used:
            return limit
        left = f"(CAST({limit} AS BIGINT) - {' - '.join(f'CAST({each} AS BIGINT)' for each in used)})"
        return f"CASE WHEN {left} < 0 THEN 0 ELSE {left} END"

    def least(self, parts: Sequence[str]) -> str:
        return f"least({', '.join(parts)})" if len(parts) > 1 else parts[0]

    def choose(self, cases: Sequence[tuple[str, str]], otherwise: str) -> str:
        said = " ".join(f"WHEN {holds} THEN {value}" for holds, value in cases)
        return f"CASE {said} ELSE {otherwise} END" if said else otherwise

    def status(self, status: Status) -> str:
        return self.dialect.label(status, STATUSES)

    def coverage(self, word: str) -> str:
        return self.dialect.label(word, get_args(Coverage))

    def nothing(self) -> str:
        return "CAST(NULL AS BIGINT)"


_TYPES: Final = {
    "bool": "BOOLEAN", "number": "BIGINT", "date": "DATE", "enum": "STRING", "code": "STRING", "text": "STRING",
}  # fmt: skip


def null_of(d: Dialect, kind: Kind) -> str:
    """Return an unknown value of facts of a kind."""
    if isinstance(kind, SetOf) and not words_of(kind):
        return d.null_list()
    return f"CAST(NULL AS {'BIGINT' if isinstance(kind, SetOf) else _TYPES[kind.family]})"


# --- sets of words as numbers -----------------------------------------------------------------------------------

_MOST_BITS: Final = 61


def words_of(kind: Kind) -> tuple[str, ...]:
    """Return the words of which a set of this kind can have any; none if there is no end of them, or too many.

    A set of a few words is a number, in which the bit of a word's place, counted from 1, says that it has the word.
    """
    if not isinstance(kind, SetOf) or not isinstance(kind.of, Enum):
        return ()
    words = (*kind.of.values, *(("any",) if kind.any else ()))
    return words if len(words) <= _MOST_BITS else ()


def bits_of(words: Sequence[str], of_set: Iterable[str]) -> int:
    """Return a set of words as a number."""
    return sum(1 << words.index(word) + 1 for word in of_set)


def has_bits(number: str, bits: int | str) -> str:
    """Return whether a number has some of the bits that another has."""
    return f"(({number} & {bits}) <> 0)"


def literal(dialect: Dialect, value: Any) -> str:
    """Return a value of a fact that is no set as a literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.date):
        return f"DATE '{dt.date(value.year, value.month, value.day)}'"
    return dialect.text(value) if isinstance(value, str) else str(int(value))


# --- sets and derived facts -------------------------------------------------------------------------------------


def test_of_set(say: Sql, test: SetTest) -> str:
    """Return where a test of a set holds, where it does not, and null where that is unknown."""
    d = say.dialect
    if isinstance(test, Size):
        sets = say.facts.get(test.collection.path)
        if sets is None:
            return _UNKNOWN
        if test.is_ == "any":
            return _is_any(d, sets, test.collection)
        return f"({sets if words_of(test.collection.kind) else d.size(sets)} = 0)"
    element: Any = test.element if isinstance(test, Member) else test.code
    collection: Any = test.collection if isinstance(test, Member) else test.prefixes
    if any(side.path not in say.facts for side in (element, collection) if isinstance(side, Ref)):
        return _UNKNOWN
    word = say.facts[element.path] if isinstance(element, Ref) else d.text(element)
    if not isinstance(collection, Ref):
        return f"({' OR '.join(d.begins_with(word, d.text(prefix)) for prefix in sorted(collection))})"
    sets = say.facts[collection.path]
    words = words_of(collection.kind)
    if words:
        found = has_bits(sets, d.shifted(d.place(word, words)))
    else:
        found = d.has(sets, word) if isinstance(test, Member) else d.begins_with_some(word, sets)
    return f"({found} OR {_is_any(d, sets, collection)})"


_UNKNOWN: Final = "CAST(NULL AS BOOLEAN)"


def _is_any(d: Dialect, sets: str, ref: Ref) -> str:
    if not isinstance(ref.kind, SetOf) or not ref.kind.any:
        return f"({sets} IS NULL AND NULL)"
    words = words_of(ref.kind)
    return has_bits(sets, bits_of(words, ["any"])) if words else d.has(sets, "'any'")


def derived(say: Sql, fact: Fact) -> str:
    """Return a derived fact, worked out of those it is derived from; null where it is unknown."""
    d = say.dialect
    one, *others = [say.facts.get(path) or say.null(path) for path in fact.derived_from]
    match fact.path:
        case "visit.units" | "plan.units_in_longest_visit":
            return _units(d, one, *others)
        case "prescription.age_days":
            return d.days_between(others[0], one)
        case "prescription.specificity":
            cases = [(d.one_of(one, icd10cm.names_of(level)), d.text(level)) for level in ("specific", "regional")]
            return f"CASE WHEN {one} IS NOT NULL THEN {say.choose(cases, d.text('general'))} END"
        case "prescription.diagnosis_valid":
            return _valid(d, one, others[0])
        case "visit.within_prescribed_sites":
            return _within_sites(one, others[0])
        case _:
            return d.days_between(one, others[0])


def _units(d: Dialect, minutes: str, unit: str, rounding: str) -> str:
    done, length = f"CAST({minutes} AS BIGINT)", f"nullif(CAST({unit} AS BIGINT), 0)"
    whole = f"({done} {d.integer_division} {length})"
    halves = f"((2 * {done} + {length} - 1) {d.integer_division} (2 * {length}))"
    return (
        f"CASE WHEN {minutes} = 0 THEN 0 WHEN {minutes} = {int(UNLIMITED)} THEN {done} "
        f"WHEN {rounding} = 'whole' THEN {whole} WHEN {rounding} IS NOT NULL THEN {halves} "
        f"WHEN {whole} = {halves} THEN {whole} END"
    )


def _valid(d: Dialect, code: str, day: str) -> str:
    dated = [
        f"WHEN {code} {'=' if old else 'IN'} {d.text(split.old) if old else f'({d.texts(split.new)})'} "
        f"THEN {day} {'<' if old else '>='} DATE '{split.effective}'"
        for split in icd10cm.DATED
        for old in (True, False)
    ]
    return f"CASE {' '.join(dated)} ELSE {d.one_of(code, icd10cm.complete_codes())} END"


def _within_sites(treated: str, prescribed: str) -> str:
    def bits(sites: Iterable[str]) -> int:
        return bits_of(BODY_SITES, sites)

    inside = {wide: [site for site in BODY_SITES if lies_in(site, wide)] for wide in BODY_SITES}
    parts = " | ".join(
        f"CASE WHEN {has_bits(prescribed, bits([wide]))} THEN {bits(sites)} ELSE 0 END"
        for wide, sites in inside.items()
        if len(sites) > 1
    )
    return (
        f"CASE WHEN {treated} = 0 OR {has_bits(prescribed, bits(['whole-body']))} THEN TRUE "
        f"ELSE ({treated} & ({prescribed} | {parts})) = {treated} END"
    )

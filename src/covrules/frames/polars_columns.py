"""Columns of a Polars frame read as facts: checked, and turned into numbers and masks that are quick to compare.

Words become their places in the list of their kind, sets the masks of their elements: what is asked of a text is asked
once of each text there is, never once a row.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial, reduce
from operator import or_
from typing import Any, Final

import attrs
import numpy as np
import polars as pl

from covrules.codes import body_sites
from covrules.declaring import Fact, problem_with
from covrules.errors import Problem
from covrules.frames.columns import Holds
from covrules.kinds import ANY, MAX_COUNT, UNLIMITED, Count, Date, Enum, Kind, SetOf, Unfit

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Masks = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]
Places = np.ndarray[Any, np.dtype[Any]]

EMPTY_SET: Final = "|"
"""How a cell of a CSV file says that a set has no elements; one that is empty says that it is not known."""

_BITS: Final = 64
_ALL: Final = (1 << _BITS) - 1
_PIECE: Final = 12
"""How many elements are looked up at once."""
_FEW_BITS: Final = 32
"""How many texts there may be for the sets of them to be told by halves of words."""
_FEW: Final = 6
"""How many texts a column may be compared with, one after the other, before it is quicker to look each cell up."""
_HASHES: Final = [1 << bits for bits in range(8, 21)]
"""How many hashes texts may have by which they are looked up: as few as tell them from one another."""
_VERY_FEW: Final = 4
"""How many texts are compared with at once, rather than that those of the first cells are found."""
_FIRST: Final = 500
"""How many cells are looked at to guess which texts there are."""


def holds(dtype: pl.DataType) -> Holds:
    """Return what a column of a type holds."""
    if dtype == pl.Null:
        return "nothing"
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_integer():
        return "number"
    if dtype.is_numeric():
        return "decimal"
    if dtype == pl.Date:
        return "date"
    if isinstance(dtype, pl.Datetime):
        return "moment" if dtype.time_zone is None else "else"
    if _textual(dtype):
        return "text"
    if isinstance(dtype, (pl.List, pl.Array)):
        return "texts" if _textual(dtype.inner) or dtype.inner == pl.Null else "else"
    return "else"


def _textual(dtype: Any) -> bool:
    return dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)) or dtype == pl.Categorical


def type_of(kind: Kind) -> pl.DataType:
    """Return the type of the column in which the values of a kind are worked on."""
    match kind.family:
        case "bool":
            return pl.Boolean()
        case "number":
            return pl.Int64()
        case "date":
            return pl.Date()
        case "enum":
            assert isinstance(kind, Enum)
            return _type_of_places(len(kind.values))
        case _:
            return pl.String()


def place_of(word: str, kind: Enum) -> int:
    """Return the number that stands for a word of an enum."""
    return kind.values.index(word)


def raw(fact: Fact, values: Sequence[Any]) -> pl.Series:
    """Return canonical values of a fact as a column that a frame could have."""
    if isinstance(fact.kind, SetOf):
        listed = [["any"] if value is ANY else None if value is None else sorted(value) for value in values]
        return pl.Series(listed, dtype=pl.List(pl.String))
    if fact.kind.family == "number":
        return pl.Series([None if value is None else int(value) for value in values], dtype=pl.Int64)
    if fact.kind.family == "date":
        days = [None if value is None else dt.date(value.year, value.month, value.day) for value in values]
        return pl.Series(days, dtype=pl.Date)
    return pl.Series(values, dtype=pl.Boolean if fact.kind.family == "bool" else pl.String)


def as_raw(fact: Fact, given: pl.Series, cells: bool) -> pl.Series:
    """Return the values of a column, without those that cannot be used, as a column that `raw` makes."""
    if cells and given.dtype == pl.String:
        return _typed(fact, given)
    if isinstance(fact.kind, SetOf):
        return given.cast(pl.List(pl.String))
    if isinstance(fact.kind, Enum):
        return given.cast(pl.Enum(fact.kind.values), strict=False).cast(pl.String)
    return column_of(fact, given).values


# --- scalars ----------------------------------------------------------------------------------------------------


@attrs.frozen
class Column:
    """The values of a fact in rows, each null where it is unknown or cannot be used, and what cannot be used."""

    fact: Fact
    values: pl.Series
    bad: pl.Series | None = None
    given: pl.Series | None = None
    cells: bool = False
    found: "Vocabulary | None" = None

    @property
    def words(self) -> "Vocabulary":
        """The words there are, and where; those of codes have been found when they were read."""
        if isinstance(self.fact.kind, Enum):
            return Vocabulary(self.fact.kind.values, self.values)
        return self.found or Vocabulary.of(self.values)

    def take(self, index: pl.Series) -> "Column":
        """Return the values by the places of rows."""
        return Column(self.fact, self.values.gather(index))


def wrongs(column: "Column | Sets") -> Iterator[tuple[Problem, pl.Series]]:
    """Yield what is wrong with values that cannot be used, and in which rows."""
    if column.bad is None or column.given is None:
        return
    unfit = _unfit_cell if column.cells else _unfit
    kinds = [unfit(column.fact.kind, value) for value in column.given.filter(column.bad).to_list()]
    found = pl.Series([each.found for each in kinds], dtype=pl.String)
    places = column.bad.arg_true()
    for each in {each.found: each for each in kinds}.values():
        rows = places.filter(found == each.found)
        yield (
            problem_with(column.fact.path, column.fact.kind, each),
            column.bad & pl.int_range(len(column.bad), eager=True).is_in(rows.to_list()),
        )


def _unfit(kind: Kind, value: Any) -> Unfit:
    """Return why a value, as it stands in a column, is not taken."""
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        value = value.date()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        kind.parse(value)
    except Unfit as wrong:
        return wrong
    return Unfit("a date that is not in the calendar" if kind.family == "date" else "a number that is too large")


def _unfit_cell(kind: Kind, cell: str) -> Unfit:
    try:
        _of_cell(kind, cell)
    except Unfit as wrong:
        return wrong
    raise AssertionError("a cell that was not read can be read")


def _of_cell(kind: Kind, cell: str) -> Any:
    """Return what a cell of a CSV file says, which has the elements of a set with `|` between them; raises Unfit."""
    if not isinstance(kind, SetOf) or (kind.any and cell == "any"):
        return kind.read(cell)
    return kind.read([] if cell == EMPTY_SET else cell.split("|"))


def cells_of(fact: Fact, cells: pl.Series) -> "Column | Sets":
    """Return the values of a fact, read from a column of text as a CSV file has it."""
    values = _typed(fact, cells)
    read = sets_of(fact, values) if isinstance(fact.kind, SetOf) else column_of(fact, values)
    bad = cells.is_not_null() & values.is_null()
    return attrs.evolve(read, bad=bad, given=cells, cells=True) if bad.any() else read


def _typed(fact: Fact, cells: pl.Series) -> pl.Series:
    """Return what cells say as a column that `raw` makes, each different cell read once; null where one is no fit."""

    def value(cell: str) -> Any:
        try:
            return _of_cell(fact.kind, cell)
        except Unfit:
            return None

    vocabulary = Vocabulary.of(cells)
    return raw(fact, [*map(value, vocabulary.texts)]).gather(vocabulary.places)


def column_of(fact: Fact, given: pl.Series) -> Column:
    """Return the values of a fact, which is no set, read from a column that holds what it takes."""
    kind = fact.kind
    if kind.family == "code":
        return _codes(fact, given)
    values = _READERS[kind.family](kind, given)
    if values.null_count() == given.null_count():
        return Column(fact, values)
    bad = given.is_not_null() & values.is_null()
    if given.dtype.is_float():
        bad &= given.is_not_nan().fill_null(False)
    return Column(fact, values, bad, given) if bad.any() else Column(fact, values)


def _flags(kind: Kind, given: pl.Series) -> pl.Series:
    return given.cast(pl.Boolean)


def _numbers(kind: Kind, given: pl.Series) -> pl.Series:
    if given.dtype == pl.Null:
        return given.cast(pl.Int64)
    values = given if given.dtype in (pl.Int64, pl.Int32) else given.cast(pl.Int64, strict=False)
    if not given.dtype.is_integer():
        values = values.set(values != given, None)
    if not isinstance(kind, Count):
        return _within(values, -MAX_COUNT, MAX_COUNT)
    return _within(values, kind.least, int(UNLIMITED) if kind.unlimited else MAX_COUNT)


def _within(values: pl.Series, least: int, most: int) -> pl.Series:
    low: Any = values.min()
    high: Any = values.max()
    if low is None or (low >= least and high <= most):
        return values
    return values.set((values < least) | (values > most), None)


def _dates(kind: Kind, given: pl.Series) -> pl.Series:
    if given.dtype == pl.Date:
        values = given
    elif given.dtype == pl.Null:
        return given.cast(pl.Date)
    elif isinstance(given.dtype, pl.Datetime):
        values = given.dt.date()
        values = values.set(values.cast(given.dtype) != given, None)
    else:
        return _by_text(given, lambda text: _parsed_day(kind, text), pl.Date)
    assert isinstance(kind, Date)
    days = values.cast(pl.Int32)
    end = _day_number(dt.date.max) - (kind.word is None)
    return values if (kept := _within(days, _day_number(dt.date.min), end)) is days else kept.cast(pl.Date)


def _day_number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _parsed_day(kind: Kind, text: str) -> dt.date | None:
    try:
        day: dt.date = kind.parse(text)
    except Unfit:
        return None
    return dt.date(day.year, day.month, day.day)


def _places(kind: Kind, given: pl.Series) -> pl.Series:
    assert isinstance(kind, Enum)
    return places_in(kind.values, given)


def places_in(texts: Sequence[str], column: pl.Series, there: Sequence[str] | None = None) -> pl.Series:
    """Return the place of each text of a column among some texts, null where it is none of them.

    Comparing the whole column with a text is many times as quick as looking every cell up, so that is tried first where
    there may be few texts, or few are in the first cells; these may be `there` already.
    """
    dtype = _type_of_places(len(texts))
    if column.dtype == pl.String:
        few = there or (texts if len(texts) <= _VERY_FEW else _first_texts(column))
        if len(few) <= _FEW:
            places = _place(None, dtype).new_from_index(0, len(column))
            for text in few:
                if text in texts:
                    places = _place(texts.index(text), dtype).zip_with(column == text, places)
            if places.null_count() == column.null_count():
                return places
        places_of_hashes = _places_of_hashes(texts)
        if places_of_hashes is not None:
            return _looked_up(texts, places_of_hashes, column)
    return column.cast(pl.Enum(texts), strict=False).to_physical().cast(dtype)


def _places_of_hashes(texts: Sequence[str]) -> Places | None:
    """Return the place of each text by the last bits of its hash, if so few bits tell the texts from one another."""
    hashes = pl.Series(texts, dtype=pl.String).hash().to_list() if 0 < len(texts) < 1 << 8 else []
    for size in _HASHES:
        places = {each % size: place for place, each in enumerate(hashes)}
        if 0 < len(places) == len(texts):
            table = np.zeros(size, np.uint8)
            table[[*places]] = [*places.values()]
            return table
    return None


def _looked_up(texts: Sequence[str], places_of_hashes: Places, column: pl.Series) -> pl.Series:
    """Return the place of each text of a column by its hash, if it is indeed the text of that place."""
    last_bits = column.hash() & (len(places_of_hashes) - 1)
    places = pl.Series(places_of_hashes.take(last_bits.to_numpy()))
    same = column == pl.Series(texts, dtype=pl.String).gather(places)
    return places if same.all(ignore_nulls=False) else places.zip_with(same, _place(None, pl.UInt8()))


@cache
def _place(place: int | None, dtype: pl.DataType) -> pl.Series:
    return pl.Series([place], dtype=dtype)


def _type_of_places(texts: int) -> pl.DataType:
    """Return the type of places among so many texts; there is a number more than there are texts."""
    return pl.UInt8() if texts < 1 << 8 else pl.UInt32()


def _first_texts(column: pl.Series) -> list[str]:
    return sorted({*column.head(_FIRST).to_list()} - {None})


def _vocabulary(
    column: pl.Series, fits: Callable[[str], bool], also: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], pl.Series]:
    """Return the different texts of a column of text that fit, after those there are also, and their places in it."""

    def those_of(there: list[str]) -> tuple[str, ...]:
        return (*also, *[text for text in there if text not in also and fits(text)])

    first = _first_texts(column)
    texts = those_of(first)
    places = places_in(texts, column, first)
    if places.null_count() == column.null_count():
        return texts, places
    texts = those_of(column.unique().drop_nulls().to_list())
    return texts, places_in(texts, column)


def _codes(fact: Fact, given: pl.Series) -> Column:
    texts = given.cast(pl.String)
    words = Vocabulary.of(texts)
    wrong = [place for place, text in enumerate(words.texts) if not _fits(fact.kind, text)]
    if not wrong:
        return Column(fact, texts, found=words)
    bad = words.places.is_in(wrong).fill_null(False)
    return Column(fact, texts.set(bad, None), bad, given)


def _fits(kind: Kind, value: Any) -> bool:
    try:
        kind.parse(value)
    except Unfit:
        return False
    return True


def _texts(kind: Kind, given: pl.Series) -> pl.Series:
    return given.cast(pl.String)


_READERS: Final[dict[str, Callable[[Kind, pl.Series], pl.Series]]] = {
    "bool": _flags, "number": _numbers, "date": _dates, "enum": _places, "text": _texts,
}  # fmt: skip
"""How the values of a family are read; codes are read with their words."""


def _by_text(texts: pl.Series, read: Callable[[str], Any], dtype: Any) -> pl.Series:
    """Return what each text is read as, each text read once."""
    vocabulary = Vocabulary.of(texts)
    return pl.Series([*map(read, vocabulary.texts)], dtype=dtype).gather(vocabulary.places)


@attrs.frozen
class Vocabulary:
    """The different texts of a column, and in each row the place of its own among them."""

    texts: tuple[str, ...]
    places: pl.Series

    @classmethod
    def of(cls, column: pl.Series) -> "Vocabulary":
        """Return the texts of a column of text."""
        return cls(*_vocabulary(column.cast(pl.String), lambda text: True))

    def look_up(self, of: Callable[[str], Any], dtype: Any) -> pl.Series:
        """Return in each row what is so of its text, found out once for each text."""
        return pl.Series([*map(of, self.texts)], dtype=dtype).gather(self.places)


# --- sets -------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Sets:
    """The sets of a fact in rows: the elements of all, one after the other, by their places in a vocabulary.

    What is asked of a set is asked of words of 64 bits, one bit for each text of the vocabulary. `index`, if there is
    one, has for each row the place of its set, null where it has none.
    """

    fact: Fact
    texts: tuple[str, ...]
    places: Places
    sizes: Places
    there: pl.Series | None
    index: pl.Series | None = None
    bad: pl.Series | None = None
    given: pl.Series | None = None
    cells: bool = False
    _words: dict[Any, pl.Series] = attrs.field(factory=dict, repr=False)

    def take(self, index: pl.Series) -> "Sets":
        """Return the sets by the places of rows."""
        return attrs.evolve(self, index=index, bad=None, given=None, words={})

    def is_any(self) -> pl.Series:
        """Return where the set is `any`."""
        return (self._word(0) & self._any) != 0

    def is_empty(self) -> pl.Series:
        """Return where the set is empty."""
        if len(self.texts) <= _BITS:
            return self._word(0) == 0
        return self._in_rows(self._where_there(self.sizes == 0))

    def has(self, element: str) -> pl.Series:
        """Return where the set has an element, or is `any`."""
        if element not in self.texts:
            return self.is_any()
        number, bit = divmod(self.texts.index(element), _BITS)
        found = (self._word(number) & (1 << bit)) != 0
        return found | self.is_any() if self._any else found

    def meets(self, words: Vocabulary, fitting: Callable[[str], Iterable[str]]) -> pl.Series:
        """Return where the set is `any`, or has one of the elements that fit the word in the row."""
        bits = self._bits
        wanted = [_union(1 << bits[text] for text in fitting(word) if text in bits) | self._any for word in words.texts]
        met = None
        for number in range(0, max(1, len(self.texts)), _BITS):
            of_word = [each >> number & _ALL for each in wanted]
            if met is None or any(of_word):
                word = self._word(number // _BITS)
                found = (word & pl.Series(of_word, dtype=word.dtype).gather(words.places)) != 0
                met = found if met is None else met | found
        assert met is not None
        return met

    def lie_within(self, other: "Sets") -> pl.Series:
        """Return where each body site lies in one that the other set has; null where one of them is unknown."""
        bits = {site: 1 << place for site, place in self._bits.items()}
        around = [_union(bit for site, bit in bits.items() if body_sites.lies_in(site, wide)) for wide in other.texts]
        sites = self._word(0)
        theirs = other._unions(around, sites.dtype)
        return (sites | theirs) == theirs

    @property
    def _bits(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.texts)}

    @property
    def _any(self) -> int:
        """The bit of `any` in the first word; none, where the fact does not take it."""
        assert isinstance(self.fact.kind, SetOf)
        return 1 if self.fact.kind.any else 0

    def _word(self, number: int) -> pl.Series:
        """Return one word of each set."""
        if number not in self._words:
            masks = together(len(self.texts), self.places, self.sizes) if len(self.texts) <= _FEW_BITS else None
            if masks is None:
                masks = united(self._bits_of_elements(number), self.sizes)
            self._words[number] = self._in_rows(self._where_there(masks))
        return self._words[number]

    def _bits_of_elements(self, number: int) -> Masks:
        """Return the bit of each element in one word: none, if it is of another."""
        table = np.zeros(max(1, len(self.texts)), np.uint64)
        of_word = table[number * _BITS : (number + 1) * _BITS]
        of_word[:] = np.uint64(1) << np.arange(len(of_word), dtype=np.uint64)
        return table.take(self.places)

    def _unions(self, of_texts: Sequence[int], dtype: pl.DataType) -> pl.Series:
        """Return for each set the union of the bits that each of its elements, of no more than one word, has."""
        word = self._word(0)
        unions = pl.Series([0], dtype=dtype).new_from_index(0, len(word))
        for start in range(0, len(of_texts), _PIECE):
            # What every set of so few elements comes to, so that a set is looked up at once.
            table = np.zeros(1, np.uint64)
            for bits in of_texts[start : start + _PIECE]:
                table = np.concatenate([table, table | np.uint64(bits)])
            piece = word if len(of_texts) <= _PIECE else word // (1 << start) & (len(table) - 1)
            unions |= pl.Series(table, dtype=dtype).gather(piece)
        return unions

    def _where_there(self, of_sets: Places) -> pl.Series:
        values = pl.Series(of_sets)
        return values if self.there is None else values.set(~self.there, None)

    def _in_rows(self, values: pl.Series) -> pl.Series:
        return values if self.index is None else values.gather(self.index)


def _union(bits: Iterable[int]) -> int:
    return reduce(or_, bits, 0)


def united(of_elements: Masks, sizes: Places) -> Masks:
    """Return for each set the union of what is so of its elements, which come one after the other."""
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    filled = sizes > 0
    if len(sizes) and filled.all():
        return np.bitwise_or.reduceat(of_elements, starts)
    all_ = np.zeros(len(sizes), of_elements.dtype)
    if len(of_elements):
        all_[filled] = np.bitwise_or.reduceat(of_elements, starts[filled])
    return all_


def together(texts: int, places: Places, sizes: Places) -> Masks | None:
    """Return for each set the bits of its elements, of so few texts; None where a set has an element twice.

    The bits of a set are those that turn between its beginning and its end, if none turns back: that is several times
    as fast as uniting them.
    """
    turned = np.zeros(len(places) + 1, np.uint32)
    bits = np.uint32(1) << np.arange(max(1, texts), dtype=np.uint32)
    bits.take(places, out=turned[1:], mode="clip")
    np.bitwise_xor.accumulate(turned, out=turned)
    masks = turned.take(np.cumsum(sizes, dtype=np.int64))
    masks[1:] ^= masks[:-1]
    return masks if (np.bitwise_count(masks) == sizes).all() else None


def sets_of(fact: Fact, given: pl.Series) -> Sets:
    """Return the sets of a fact, read from a column of lists of text."""
    kind = fact.kind
    assert isinstance(kind, SetOf)
    lists = given if isinstance(given.dtype, pl.List) else given.cast(pl.List(pl.String))
    there = lists.is_not_null() if lists.null_count() else None
    counts = lists.list.len()
    sizes = (counts if there is None else counts.fill_null(0)).to_numpy()
    texts, places = _elements(kind, lists.explode(empty_as_null=False, keep_nulls=False))
    odd = places == len(texts)
    if odd.any():
        return _without(fact, lists, pl.Series(united(odd, sizes) != 0))
    sets = Sets(fact, texts, places, sizes, there)
    more_than_any = (sets.is_any() & (pl.Series(sizes) > 1)).fill_null(False) if kind.any else None
    return sets if more_than_any is None or not more_than_any.any() else _without(fact, lists, more_than_any)


def _without(fact: Fact, lists: pl.Series, bad: pl.Series) -> Sets:
    """Return the sets of a fact, of which some cannot be used."""
    sets = sets_of(fact, lists.set(bad, None))
    return attrs.evolve(sets, bad=bad if sets.bad is None else bad | sets.bad, given=lists)


def _elements(kind: SetOf, elements: pl.Series) -> tuple[tuple[str, ...], Places]:
    """Return the texts of elements, and of each the place of its own; the number after those is for what is no fit."""
    also = ("any",) if kind.any else ()
    texts, places = _vocabulary(elements.cast(pl.String), partial(_fits, kind.of), also)
    return texts, (places.fill_null(len(texts)) if places.null_count() else places).to_numpy()

"""Values worth trying: few of each kind, chosen so that conditions that differ come out differently on some."""

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, combinations, count, islice
from string import ascii_uppercase
from typing import Any, Final

from covrules.kinds import ANY, NO_CODE, UNLIMITED, Bool, Code, Count, Date, Days, Enum, Kind, SetOf, Unfit

_DAY: Final = dt.date(2026, 6, 15)
_DIAGNOSES: Final = ("M54.50", "G43.909", *[f"{letter}00.0" for letter in ascii_uppercase])
_PROCEDURES: Final = ("97124", "97140", *map(str, range(97010, 97050)))


def element_of(kind: Kind) -> Kind:
    """Return the kind of the elements of a set; of what is no set, the kind itself."""
    return kind.of if isinstance(kind, SetOf) else kind


def near(kind: Kind, value: Any) -> tuple[Any, ...]:
    """Return the values beside one of its kind: the number, day or ranked word before and after, or another word.

    >>> near(Count(), 0), near(Enum(("low", "middle", "high"), ranked=True), "middle"), near(Bool(), True)
    ((1,), ('low', 'high'), (False,))
    """
    match kind:
        case Bool():
            return (not value,)
        case Count() | Days() if value is not UNLIMITED:
            return _taken(kind, (value - 1, value + 1))
        case Date() if type(value) is dt.date:
            days = (value.toordinal() - 1, value.toordinal() + 1)
            return tuple(dt.date.fromordinal(day) for day in days if 0 < day < dt.date.max.toordinal())
        case Enum():
            place = kind.values.index(value)
            words = kind.values[max(0, place - 1) : place + 2] if kind.ranked else kind.values[place - 1 :][:1]
            return tuple(word for word in words if word != value)
    return ()


@lru_cache(maxsize=4096)
def values(kind: Kind, named: frozenset[Any] = frozenset(), reach: int = 1, listed: int = 0) -> tuple[Any, ...]:
    """Return values of a kind that are enough to tell apart conditions that name these (elements of theirs, if sets).

    Beside each named one come as many as `reach` says: of values that are compared in a chain, each needs its place.
    Of up to so many elements as are `listed`, all sets are tried; of more, the smallest and the largest.

    >>> values(Count(unlimited=True), frozenset({6}))
    (5, 6, 7, 0, 1, 2, UNLIMITED)
    >>> values(Date(word="open"))
    (datetime.date(2026, 6, 14), datetime.date(2026, 6, 15), datetime.date(2026, 6, 16), OPEN)
    """
    match kind:
        case Bool():
            return (True, False)
        case Enum():
            return kind.values
        case SetOf():
            return _sets(kind, named, listed)
        case Count() | Days():
            return _around(kind, named, (*range(reach + 2), -1), reach)
        case Date():
            return _around(kind, {day for day in named if type(day) is dt.date} or {_DAY}, (), reach)
        case Code():
            pool = _PROCEDURES if kind.system == "CPT" else _DIAGNOSES
            others = islice((code for code in pool if not code.startswith(tuple(named))), 2)
            return _taken(kind, (*others, *sorted({*named, *chain.from_iterable(map(_completed, named))}), NO_CODE))
        case _:
            others = islice((text for number in count(1) if (text := f"other {number}") not in named), 2)
            return (*sorted(named), *others)


def _around(kind: Kind, named: Iterable[Any], always: Iterable[Any], reach: int) -> tuple[Any, ...]:
    around = {*named}
    for _ in range(reach):
        around |= {each for value in around for each in near(kind, value)}
    return _taken(kind, [*sorted(around), *always, kind.high])


def _sets(kind: SetOf, named: frozenset[Any], most: int) -> tuple[Any, ...]:
    elements = values(kind.of, named)
    listed = [element for element in elements if element in named]
    few = [*listed, *[element for element in elements if element not in named][: 1 if listed else 2]]
    sizes = {0, 1, len(few) - 1, len(few)} if len(few) > most else range(len(few) + 1)
    return _taken(kind, [*[chosen for size in sorted(sizes) for chosen in combinations(few, size)], ANY])


def _completed(prefix: str) -> tuple[str, ...]:
    """Return two codes that begin so."""
    return tuple(prefix.ljust(3, digit) + (digit if prefix.endswith(".") else "") for digit in "01")


def _taken(kind: Kind, found: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values that the kind takes, each once."""
    taken: dict[Any, None] = {}
    for value in found:
        try:
            taken[kind.parse(value)] = None
        except Unfit:
            continue
    return tuple(taken)

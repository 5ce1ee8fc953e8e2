"""A rule as a decision table: which combinations of facts give which status, the first row that fits telling."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, Final, NamedTuple

import attrs

from covrules.conditions import CONTRARY, OPERATORS, AllOf, Condition, Not, Ref, Test
from covrules.kinds import Bool, Enum
from covrules.lowering import ALWAYS, Form, Forms, conjunction, disjunction, lower, lower_cap
from covrules.rule import REQUESTED, Cap, Rule, Status
from covrules.showing import Piece, Vocabulary, cap_pieces, compared_with, operator_words

_MOST: Final = 6
"""How many rows a status may take; where it would be more, it is told in words."""


class _Literal(NamedTuple):
    """A test, and whether it is so."""

    test: Test
    holds: bool

    @property
    def form(self) -> Form:
        """The form that holds where it certainly is as it says."""
        forms = lower(self.test)
        return forms.true if self.holds else forms.false


_Rows = list[tuple[_Literal, ...]]
_ANYWHERE: Final[_Rows] = [()]


@attrs.frozen
class Row:
    """What must be so of the facts, by their paths, for a status, and the form that holds then.

    Where it is too much for cells, it is said in `words`.
    """

    cells: Mapping[str, list[Piece]]
    status: Status
    form: Form
    words: str | None = None


@attrs.frozen
class DecisionTable:
    """Rows over facts; the first that fits tells the status."""

    facts: tuple[str, ...]
    rows: tuple[Row, ...]


def decision_table(rule: Rule, known: Vocabulary) -> DecisionTable:
    """Return the decision table of a rule by itself, at its own stage; `known` are the facts it may read.

    A row says what must certainly be so: what is not known is never taken for "no".
    """
    applies, not_excused = _rows(rule.applies, True), _rows(rule.unless, False)
    rows: list[Row] = []
    if rule.applies is not None:
        rows += _told(_rows(rule.applies, False), "not-applicable", known, "it certainly does not apply")
    if rule.caps is not None:
        rows += _within_cap(rule.caps, known)
    elif rule.requires is not None:
        rows += _told(_rows(rule.requires, True), "met", known, "what it asks is certainly so")
    if rule.unless is not None:
        excused: Status = "waived" if rule.decides else "not-applicable"
        rows += _told(_rows(rule.unless, True), excused, known, "its exception certainly holds")
    failing = _both(applies, not_excused)
    if rule.requires is not None:
        failing = _both(failing, _rows(rule.requires, False))
    words = "it certainly applies and nothing excuses it"
    words += "; what it asks is certainly not so" if rule.decides else ""
    concluded = _told(failing, rule.concludes, known, words)
    rows += concluded if rule.caps is None else [_above_cap(row, rule.caps, known) for row in concluded]
    if len(rows) > 1 or rule.facts:
        rows.append(Row({}, "unknown", ALWAYS, "anything else"))
    used = {path for row in rows for path in row.cells}
    return DecisionTable(tuple(path for path in rule.facts if path in used), tuple(rows))


def _within_cap(cap: Cap, known: Vocabulary) -> list[Row]:
    said: list[Piece] = [("at most ", None), *cap_pieces(cap, known)]
    return [Row({REQUESTED: said}, "met", _cap_forms(cap, known).true)]


def _above_cap(row: Row, cap: Cap, known: Vocabulary) -> Row:
    """Return the row on which, besides, more is asked than a cap allows."""
    cells = row.cells if row.words else {**row.cells, REQUESTED: [("more than ", None), *cap_pieces(cap, known)]}
    return attrs.evolve(row, cells=cells, form=conjunction([row.form, _cap_forms(cap, known).false]))


def _cap_forms(cap: Cap, known: Vocabulary) -> Forms:
    return lower_cap(Ref(REQUESTED, known[REQUESTED].kind), cap.limit, cap.less)


def _told(rows: _Rows, status: Status, known: Vocabulary, words: str) -> list[Row]:
    """Return the rows in cells, or where there are too many the one that says it in words."""
    forms = [conjunction([each.form for each in row]) for row in rows]
    if len(rows) > _MOST:
        return [Row({}, status, disjunction(forms), words)]
    return [Row(_cells(row, known), status, form) for row, form in zip(rows, forms, strict=True)]


def _cells(row: Iterable[_Literal], known: Vocabulary) -> dict[str, list[Piece]]:
    cells: dict[str, list[Piece]] = {}
    for path, literals in _by_fact(row).items():
        said = cells[path] = []
        for literal in _united(literals):
            said += [*([(" and ", None)] if said else []), *_literal_pieces(literal, known)]
    return cells


def _by_fact(row: Iterable[_Literal]) -> dict[str, list[_Literal]]:
    found: dict[str, list[_Literal]] = {}
    for literal in row:
        found.setdefault(literal.test.fact.path, []).append(literal)
    return found


def _united(literals: list[_Literal]) -> list[_Literal]:
    """Return what is so of one fact, without what follows from the rest; the values it is or is not said once."""
    literals = [literal for literal in literals if not any(_implies(other, literal) for other in literals)]
    naming = [literal for literal in literals if _named(literal)]
    holds, values = _values(naming)
    if not values:
        return literals
    (op, right) = ("equals", *values) if len(values) == 1 else ("in", values)
    united = _Literal(attrs.evolve(naming[0].test, op=op, right=right), holds)
    return [united, *[literal for literal in literals if literal not in naming]]


def _implies(one: _Literal, other: _Literal) -> bool:
    """Return whether a bound of a fact is within another on the same side."""
    (side, bound), (same, wider) = _bound(one), _bound(other)
    if side is None or side != same:
        return False
    return bool(bound > wider if side.startswith(">") else bound < wider)


def _bound(literal: _Literal) -> tuple[str | None, Any]:
    """Return the symbol and the value of a test which sets a bound to a number or a day, of another None."""
    test, holds = literal
    symbol = OPERATORS[test.op].symbol
    if symbol in (None, "==") or isinstance(test.right, Ref) or isinstance(test.fact.kind, Enum):
        return None, None
    return symbol if holds or symbol is None else CONTRARY[symbol], test.right


def _named(literal: _Literal) -> tuple[bool, frozenset[Any]] | None:
    """Return whether a fact is one of some values or none of them, where that is what a test says."""
    test, holds = literal
    if test.op not in ("equals", "in", "not_in") or isinstance(test.right, Ref):
        return None
    return holds == (test.op != "not_in"), frozenset([test.right]) if test.op == "equals" else test.right


def _values(literals: list[_Literal]) -> tuple[bool, frozenset[Any]]:
    """Return whether a fact is one of some values or none of them by all that is so of it, in few values."""
    kinds = [literal.test.fact.kind for literal in literals]
    named = list(filter(None, map(_named, literals)))
    barred = frozenset[Any]().union(*(values for among, values in named if not among))
    left = [values - barred for among, values in named if among]
    if not left and kinds and isinstance(kinds[0], Enum) and len(kinds[0].values) <= 2 * len(barred):
        left = [frozenset(kinds[0].values) - barred]
    return (True, left[0].intersection(*left)) if left else (False, barred)


# --- rows ---------------------------------------------------------------------------------------------------------


def _rows(condition: Condition | None, holds: bool) -> _Rows:
    """Return when a condition is so, or is not: in each row all is so, and the rows are the ways there are."""
    if condition is None:
        return _ANYWHERE
    if isinstance(condition, Not):
        return _rows(condition.part, not holds)
    if isinstance(condition, Test):
        return [(_literal(condition, holds),)]
    parts = [_rows(part, holds) for part in condition.parts]
    if isinstance(condition, AllOf) == holds:
        joined = _ANYWHERE
        for part in parts:
            joined = _both(joined, part)
        return joined
    return _distinct(row for part in parts for row in part)


def _literal(test: Test, holds: bool) -> _Literal:
    """Return the literal; that a flag is not yes says that it is no."""
    if isinstance(test.fact.kind, Bool) and not isinstance(test.right, Ref) and test.op == "equals":
        return _Literal(attrs.evolve(test, right=test.right is holds), True)
    return _Literal(test, holds)


def _both(one: _Rows, other: _Rows) -> _Rows:
    rows = (tuple(dict.fromkeys((*first, *second))) for first, second in product(one, other))
    return _distinct(row for row in rows if not _contradicts(row))


def _contradicts(row: tuple[_Literal, ...]) -> bool:
    """Return whether a row can never be: a test is so and not so, or no value is left that a fact could have."""
    if any((test, not holds) in row for test, holds in row):
        return True
    return any(_values(literals) == (True, frozenset()) for literals in _by_fact(row).values())


def _distinct(rows: Iterable[tuple[_Literal, ...]]) -> _Rows:
    """Return rows without those that another, which says less, covers."""
    sets = {frozenset(row): row for row in rows}
    return [row for said, row in sets.items() if not any(other < said for other in sets)]


# --- words --------------------------------------------------------------------------------------------------------


def _contrary(op: str) -> str | None:
    """Return the word that is so where another is not, both sides being known, if there is one."""
    if op in ("in", "not_in"):
        return "not_in" if op == "in" else "in"
    symbol, takes = OPERATORS[op].symbol, OPERATORS[op].takes
    if symbol is None:
        return None
    return next(
        (name for name, other in OPERATORS.items() if other.symbol == CONTRARY[symbol] and other.takes == takes), None
    )


def _literal_pieces(literal: _Literal, known: Vocabulary) -> list[Piece]:
    """Return what a cell says of a fact.

    >>> from covrules.conditions import make_test
    >>> from covrules.facts import FACTS
    >>> from covrules.showing import in_words
    >>> limit = make_test("visit.units", "at_most", "plan.units_per_visit", ref=True)
    >>> [in_words(_literal_pieces(_Literal(limit, holds), FACTS)) for holds in (True, False)]
    ['at most the units paid a visit', 'above the units paid a visit']
    """
    test, holds = literal
    right = compared_with(test, known)
    contrary = None if holds else _contrary(test.op)
    said = operator_words(attrs.evolve(test, op=contrary or test.op)).removeprefix("is").strip()
    refused = {
        "": "not ", "includes": "does not include ", "begins as": "does not begin as ",
        "begins as one of": "begins as none of ",
    }  # fmt: skip
    start = refused[said] if not holds and contrary is None else f"{said} " if said else ""
    return [(start, None), right] if start else [right]

"""What a condition, or one of its forms, says of known values; for explanations, never for deciding."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from covrules.conditions import AnyOf, Condition, Not, Ref, Symbol, Test, facts_in
from covrules.kinds import ANY, UNLIMITED
from covrules.lowering import RANKS, And, Compare, Form, Left, Member, Operand, Or, Size, begins, lower


def operand_value(operand: Operand, values: Mapping[str, Any]) -> Any:
    """Return what an operand stands for among the known values; None where that is unknown."""
    if isinstance(operand, Ref):
        return values.get(operand.path)
    if not isinstance(operand, Left):
        return operand
    limit = operand_value(operand.limit, values)
    used: list[Any] = [values.get(path) for path in operand.used]
    if limit is None or limit is UNLIMITED:
        return limit
    return None if None in used else max(0, limit - sum(used))


def holds(form: Form, values: Mapping[str, Any]) -> bool:
    """Return whether a form holds for the known values; unknown facts are left out of them."""
    if isinstance(form, And):
        return all(holds(part, values) for part in form.parts)
    if isinstance(form, Or):
        return any(holds(part, values) for part in form.parts)
    if isinstance(form, Size):
        collection = values.get(form.collection.path)
        return collection is ANY if form.is_ == "any" else collection is not ANY and collection == frozenset()
    if isinstance(form, Compare):
        left, right = operand_value(form.left, values), operand_value(form.right, values)
        return left is not None and right is not None and compares(left, form.symbol, right)
    element, collection = (form.element, form.collection) if isinstance(form, Member) else (form.code, form.prefixes)
    element, collection = operand_value(element, values), operand_value(collection, values)
    if element is None or collection is None:
        return False
    inside = element in collection if isinstance(form, Member) else begins(element, collection)
    return inside is form.holds


def compares(left: Any, symbol: Symbol, right: Any) -> bool:
    """Return whether two known values compare so; words of an ordered enum by their rank."""
    if isinstance(left, str) and symbol not in ("==", "!="):
        left, right = RANKS[left], RANKS[right]
    return _SYMBOLS[symbol](left, right)


def weigh(condition: Condition, values: Mapping[str, Any]) -> tuple[bool | None, tuple[str, ...]]:
    """Return whether a condition is certainly true or false for the known values, or None and what that hangs on.

    What it hangs on are the facts of its undecided parts, known ones included.
    """
    if isinstance(condition, Test):
        forms = lower(condition)
        if holds(forms.true, values):
            return True, ()
        return (False, ()) if holds(forms.false, values) else (None, tuple(facts_in(condition)))
    if isinstance(condition, Not):
        truth, hanging = weigh(condition.part, values)
        return None if truth is None else not truth, hanging
    parts = [weigh(part, values) for part in condition.parts]
    decisive = isinstance(condition, AnyOf)
    if any(truth is decisive for truth, _ in parts):
        return decisive, ()
    hanging = tuple(path for _, paths in parts for path in paths)
    return (None if hanging else not decisive), hanging


_SYMBOLS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

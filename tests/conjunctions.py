"""Conjunctions of the durable engine tried plainly: what its networks are held against."""

import operator
from collections.abc import Callable, Sequence

from covrules.engines import _network
from covrules.engines._network import Test

COMPARE: dict[_network.Operator, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(test: Test, values: Sequence[int | None]) -> bool:
    left = values[test.attribute]
    right = test.value if test.other is None else values[test.other]
    return left is not None and right is not None and COMPARE[test.op](left, right)

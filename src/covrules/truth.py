"""What a condition, or one of its forms, says of known values: written as Python source, so that no tree is walked.

The compiled engine is made of it, and so are the findings of a verdict.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs

from covrules.conditions import CONTRARY, AnyOf, Condition, Not, Ref, Test, facts_in
from covrules.declaring import Fact
from covrules.derived import derivation
from covrules.facts import OWN
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED
from covrules.lowering import And, Compare, Form, Forms, Left, Member, Operand, Or, Size, Within, lower

_SINGLE: Final = {"ANY": ANY, "NEVER": NEVER, "OPEN": OPEN, "UNLIMITED": UNLIMITED, "True": True, "False": False}
"""The values that are compared by identity, as there is one of each only, by their names in the source."""


Atoms = frozenset[Form]
_NONE: Final[frozenset[Any]] = frozenset()

Values = Mapping[str, Any]
"""Facts by their paths; one that is unknown is None or left out."""


class Writer:
    """Writes tests of forms over local variables; values that have no literal become globals of what is compiled."""

    def __init__(self, **names: Any) -> None:
        self.names = {**_SINGLE, **names}

    def function(self, name: str, arguments: str, lines: Iterable[str]) -> Any:
        """Return the function of which these lines are the body."""
        exec(compile("\n".join([f"def {name}({arguments}):", *indented(lines)]), f"<{name}>", "exec"), self.names)
        return self.names[name]

    def form(self, form: Form, denied: Atoms = _NONE, present: frozenset[str] = _NONE) -> str:
        """Return the test of a form, where some are known not to hold and some facts to be present."""
        if isinstance(form, And):
            said = []
            for part in sorted(form.parts, key=_cost):
                said.append(self.form(part, denied, present))
                present |= _NONE if isinstance(part, (And, Or)) else frozenset(facts_of(part))
            return f"({' and '.join(said)})" if said else "True"
        if isinstance(form, Or):
            said = []
            for part in sorted(form.parts, key=_cost):
                said.append(self.form(part, denied, present))
                denied |= {part}
            return f"({' or '.join(said)})" if said else "False"
        tests = [f"{name_of(path)} is not None" for path in dict.fromkeys(facts_of(form)) if path not in present]
        if contrary_of(form) in denied:
            return f"({' and '.join(tests)})" if tests else "True"
        if isinstance(form, Compare):
            return self.compare(form, tests, denied)
        if isinstance(form, Size):
            name = name_of(form.collection.path)
            if form.is_ == "any":
                return f"{name} is ANY"
            tests += [f"{name} is not ANY"] if Size(form.collection, "any") not in denied else []
            return f"({' and '.join([*tests, f'not {name}'])})"
        return f"({' and '.join([*tests, self.member(form, denied)])})"

    def member(self, form: Member | Within, denied: Atoms) -> str:
        """Return the test of whether something is in a collection."""
        if isinstance(form, Member):
            return f"{self.operand(form.element)} {'in' if form.holds else 'not in'} {self.operand(form.collection)}"
        code, prefixes = self.operand(form.code), self.operand(form.prefixes)
        if not isinstance(form.prefixes, Ref):
            return f"{'' if form.holds else 'not '}{code}.startswith({prefixes})"
        begins = f"{code}.startswith(tuple({prefixes}))"
        if form.holds and Size(form.prefixes, "any") in denied:
            return begins
        return f"{'' if form.holds else 'not '}({prefixes} is ANY or {begins})"

    def compare(self, form: Compare, tests: list[str], denied: Atoms) -> str:
        """Return the test of a comparison, after these of the facts it reads."""
        left, symbol, right = form.left, form.symbol, form.right
        if form.words:
            first, second = self.rank(left, form.words), self.rank(right, form.words)
        elif isinstance(right, Left):
            first, second = self.operand(left), self.left(right.limit, right.used, left, denied)
        else:
            first, second = self.operand(left), self.operand(right)
        word: str = symbol
        if second in _SINGLE:
            word = {"==": "is", "!=": "is not"}.get(symbol, symbol)
        # What equals a value is present, and so is what is one of two values.
        if symbol == "==" and not isinstance(right, (Ref, Left)):
            return f"{first} {word} {second}"
        if symbol == "!=" and isinstance(right, bool):
            return f"{first} is {not right}"
        return f"({' and '.join([*tests, f'{first} {word} {second}'])})"

    def rank(self, side: Any, words: tuple[str, ...]) -> str:
        """Return the expression for the place of a word in an ordered enum."""
        if not isinstance(side, Ref):
            return str(words.index(side))
        return f"{self.constant({word: place for place, word in enumerate(words)})}[{name_of(side.path)}]"

    def operand(self, side: Any) -> str:
        """Return the expression for one side of an atom."""
        if isinstance(side, Ref):
            return name_of(side.path)
        for name, value in _SINGLE.items():
            if side is value:
                return name
        if type(side) in (int, str):
            return repr(side)
        return self.constant(tuple(sorted(side)) if isinstance(side, frozenset) else side)

    def left(self, limit: Operand, used: tuple[str, ...], asked: Any = None, denied: Atoms = _NONE) -> str:
        """Return the expression for what is left of a limit, all it reads being present.

        Without what is asked, it is for where more is asked than is left, so that the limit is not `unlimited`.
        """
        said = self.operand(limit)
        if not used:
            return said
        rest = " - ".join([said, *map(name_of, used)])
        allowed = rest if Compare(asked, "==", 0) in denied else f"max(0, {rest})"
        if asked is None or not isinstance(limit, Ref) or Compare(limit, "==", UNLIMITED) in denied:
            return allowed
        return f"({said} if {said} is UNLIMITED else {allowed})"

    def constant(self, value: Any) -> str:
        """Return the name of a global of this value."""
        name = f"K{len(self.names)}"
        self.names[name] = value
        return name

    # --- facts ----------------------------------------------------------------------------------------------

    def reading(self, facts: Iterable[Fact], known: set[str], given: Callable[[str], str]) -> list[str]:
        """Return the lines that read facts into locals, but for those known, to which they are added.

        `given` is the expression for what is given of a fact. What a fact is derived from must come before it.
        """
        lines = []
        for fact in facts:
            if fact.path in known:
                continue
            known.add(fact.path)
            name = name_of(fact.path)
            lines.append(f"{name} = {given(fact.path)}")
            if fact.derived_from:
                self.names[f"derive_{name}"] = derivation(fact)
                sources = ", ".join(map(name_of, fact.derived_from))
                lines.append(f"if {name} is None: {name} = derive_{name}({sources})")
        return lines


def with_sources(paths: Iterable[str], vocabulary: Mapping[str, Fact]) -> list[Fact]:
    """Return facts, each once, with those they are derived from before them."""
    found: dict[str, Fact] = {}
    for path in paths:
        for fact in (*with_sources(vocabulary[path].derived_from, vocabulary), vocabulary[path]):
            found[fact.path] = fact
    return [*found.values()]


def groups_of(facts: Iterable[Fact]) -> list[str]:
    """Return the lines that make the groups of these facts local."""
    return [f"{group} = case.{group}" for group in dict.fromkeys(fact.group for fact in facts)]


def indented(lines: Iterable[str]) -> list[str]:
    """Return lines one step further to the right."""
    return [f"    {line}" for line in lines]


def facts_of(form: Form) -> Iterator[str]:
    """Yield the facts a form reads (a fact may come twice)."""
    if isinstance(form, (And, Or)):
        for part in form.parts:
            yield from facts_of(part)
        return
    for side in attrs.astuple(form, recurse=False):
        if isinstance(side, Ref):
            yield side.path
        elif isinstance(side, Left):
            yield from (*([side.limit.path] if isinstance(side.limit, Ref) else []), *side.used)


def denied_with(form: Form) -> Atoms:
    """Return the forms that do not hold where this one does not."""
    return frozenset(form.parts if isinstance(form, Or) else [form])


def contrary_of(form: Form) -> Form | None:
    """Return the atom that holds where this one does not and all that it reads is present."""
    if isinstance(form, Compare):
        return attrs.evolve(form, symbol=CONTRARY[form.symbol])
    return attrs.evolve(form, holds=not form.holds) if isinstance(form, (Member, Within)) else None


def _cost(form: Form) -> int:
    """Return how much there is to do to try a form: the least is tried first."""
    if isinstance(form, (And, Or)):
        return 1 + sum(map(_cost, form.parts))
    if isinstance(form, Compare):
        return 0 if form.symbol == "==" and not isinstance(form.right, (Ref, Left)) else 1
    return 2 if isinstance(form, (Member, Within)) else int(form.is_ == "empty")


def name_of(path: str) -> str:
    """Return the local variable of a fact."""
    return path.replace(".", "_")


def in_case(path: str) -> str:
    """Return the expression for a fact as a case gives it, where every group is a local."""
    group, _, name = path.partition(".")
    return f"{OWN}.get({name!r})" if group == OWN else path


def in_values(path: str) -> str:
    """Return the expression for a fact as `values` give it by path."""
    return f"values.get({path!r})"


# --- weighing ---------------------------------------------------------------------------------------------------


class Weighing:
    """Writes lines that weigh conditions.

    `leaves` has, for each test, the expression for its being undecided and having a say, and the facts it reads.
    """

    def __init__(self, write: Writer) -> None:
        self.write = write
        self.lines: list[str] = []
        self.leaves: list[tuple[str, tuple[str, ...]]] = []

    def of(self, condition: Condition) -> str:
        """Write the lines that weigh a condition, and return the local for its truth."""
        if isinstance(condition, Test):
            return self.of_forms(lower(condition), tuple(facts_in(condition)))
        if isinstance(condition, Not):
            part = self.of(condition.part)
            return self.local(f"None if {part} is None else not {part}")
        first = len(self.leaves)
        truths = [self.of(part) for part in condition.parts]
        decisive = isinstance(condition, AnyOf)
        decided = " or ".join(f"{truth} is {decisive}" for truth in truths)
        undecided = " or ".join(f"{truth} is None" for truth in truths)
        truth = self.local(f"{decisive} if {decided} else None if {undecided} else {not decisive}")
        self.leaves[first:] = [(f"{truth} is None and {said}", paths) for said, paths in self.leaves[first:]]
        return truth

    def of_forms(self, forms: Forms, paths: tuple[str, ...]) -> str:
        """Write the line that weighs what has these forms and reads these facts, and return the local for its truth."""
        false = self.write.form(forms.false, denied_with(forms.true))
        truth = self.local(f"True if {self.write.form(forms.true)} else False if {false} else None")
        self.leaves.append((f"{truth} is None", paths))
        return truth

    def local(self, expression: str) -> str:
        """Write the line that makes a local of an expression, and return the local."""
        self.lines.append(f"t{len(self.lines)} = {expression}")
        return f"t{len(self.lines) - 1}"

    def asking(self, vocabulary: Mapping[str, Fact]) -> list[str]:
        """Return the lines that weigh, and make the keys of `asked` the facts to ask for where that is undecided."""
        lines = [*self.lines, "asked = {}"]
        for undecided, paths in self.leaves:
            lines.append(f"if {undecided}:")
            for path in dict.fromkeys(paths):
                sources = vocabulary[path].derived_from
                asking = [f"  if {name_of(source)} is None: asked[{source!r}] = None" for source in sources]
                lines += [f" if {name_of(path)} is None:", *(asking or [f"  asked[{path!r}] = None"])]
        return lines


def _taking(paths: Iterable[str]) -> list[str]:
    return [f"{name_of(path)} = {in_values(path)}" for path in dict.fromkeys(paths)]


@lru_cache(maxsize=10_000)
def tester(form: Form) -> Callable[[Values], bool]:
    """Return the function that says whether a form holds."""
    write = Writer()
    lines = [*_taking(facts_of(form)), f"return {write.form(form)}"]
    holds: Callable[[Values], bool] = write.function("holds", "values", lines)
    return holds


# --- values -----------------------------------------------------------------------------------------------------


def spreader(
    paths: Sequence[str], wanted: Sequence[Sequence[str]]
) -> Callable[[Iterable[Any]], tuple[dict[str, Any], ...]]:
    """Return the function that makes, of values for these facts, what is known of each of those wanted."""
    names, mappings = "".join(f"{name_of(path)}, " for path in paths), "".join(f"{mapping(each)}, " for each in wanted)
    spread: Callable[[Iterable[Any]], tuple[dict[str, Any], ...]]
    spread = Writer(known=known).function("spread", "values", [f"{names} = values", f"return ({mappings})"])
    return spread


def mapping(paths: Sequence[str], said: tuple[str, ...] = ()) -> str:
    """Return the expression for the mapping of what is known of some facts; that of a few is written out whole.

    It needs `known` among the names.
    """
    if len(paths) > 3:
        all_ = "{" + ", ".join(f"{path!r}: {name_of(path)}" for path in paths) + "}"
        return f"({all_} if {' and '.join(f'{name_of(path)} is not None' for path in paths)} else known({all_}))"
    if not paths:
        return "{" + ", ".join(said) + "}"
    path, *others = paths
    with_it = mapping(others, (*said, f"{path!r}: {name_of(path)}"))
    return f"({with_it} if {name_of(path)} is not None else {mapping(others, said)})"


def known(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without those that are unknown."""
    return {path: value for path, value in values.items() if value is not None}

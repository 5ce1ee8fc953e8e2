"""The compiled engine: a ruleset at a stage turned into one Python function, with no tree to walk per case."""

from collections.abc import Callable
from typing import Any, Final

from covrules.conditions import Ref
from covrules.derived import DERIVE
from covrules.facts import FACTS, Case
from covrules.kinds import ANY, UNLIMITED
from covrules.lowering import RANKS, And, Compare, Form, Left, Member, Or, Size, begins
from covrules.rulesets import Cap, Rule, Ruleset, Stage
from covrules.verdicts import Outcome

_INDENT: Final = "    "


def compile_ruleset(ruleset: Ruleset, stage: Stage) -> Callable[[Case], Outcome]:
    """Return the function that decides every rule of a ruleset for a case at a stage."""
    return _Writer(ruleset, stage).function()


class _Writer:
    """Writes the source of one function; values that have no literal become its globals."""

    def __init__(self, ruleset: Ruleset, stage: Stage) -> None:
        self.ruleset = ruleset
        self.stage = stage
        self.names: dict[str, Any] = {
            "Outcome": Outcome,
            "ANY": ANY,
            "UNLIMITED": UNLIMITED,
            "begins": begins,
        }
        self.locals: dict[str, str] = {}
        self.reads: list[str] = []

    def function(self) -> Callable[[Case], Outcome]:
        body: list[str] = []
        for place, rule in enumerate(self.ruleset.rules):
            body += self.rule(place, rule)
        statuses = "".join(f"s{place}, " for place in range(len(self.ruleset.rules)))
        allowed = "".join(f"a{place}, " for place in self.ruleset.caps)
        lines = [
            "def decide(case):",
            *self.reads,
            *body,
            f"{_INDENT}return Outcome(({statuses}), ({allowed}))",
        ]
        source = "\n".join(lines)
        exec(compile(source, f"<ruleset {self.ruleset.id} {self.stage}>", "exec"), self.names)
        decide: Callable[[Case], Outcome] = self.names["decide"]
        return decide

    # --- rules ----------------------------------------------------------------------------------------------

    def rule(self, place: int, rule: Rule) -> list[str]:
        status = f"s{place}"
        branches = self.branches(rule)
        lines: list[str] = []
        for word, said in branches:
            lines.append((f"elif {word}" if lines else f"if {word}") + f": {status} = {said!r}")
        otherwise = "later" if rule.starts_after(self.stage) else "unknown"
        lines += [f"else: {status} = {otherwise!r}"] if lines else [f"{status} = {otherwise!r}"]
        if rule.caps is not None:
            lines.append(f"a{place} = {self.left(rule.caps)} if {status} == 'capped' else None")
        return [_INDENT + line for line in lines]

    def branches(self, rule: Rule) -> list[tuple[str, str]]:
        """Return the tests in the order that decides, each with the status it leads to."""
        applies, unless, demand = rule.application, rule.exception, rule.demand
        branches = [(self.form(applies.false), "not-applicable")] if applies else []
        if rule.starts_after(self.stage):
            return branches
        certain = [self.form(applies.true)] if applies else []
        if demand is None:
            branches += [(self.form(unless.true), "not-applicable")] if unless else []
            certain += [self.form(unless.false)] if unless else []
            return [*branches, (" and ".join(certain) or "True", "advised")]
        branches.append((self.form(demand.true), "met"))
        branches += [(self.form(unless.true), "waived")] if unless else []
        certain += [self.form(demand.false)] + ([self.form(unless.false)] if unless else [])
        return [*branches, (" and ".join(certain), rule.failing)]

    # --- forms ----------------------------------------------------------------------------------------------

    def form(self, form: Form) -> str:
        if isinstance(form, And):
            return f"({' and '.join(map(self.form, form.parts))})" if form.parts else "True"
        if isinstance(form, Or):
            return f"({' or '.join(map(self.form, form.parts))})" if form.parts else "False"
        if isinstance(form, Size):
            local = self.local(form.collection.path)
            if form.is_ == "any":
                return f"{local} is ANY"
            return f"({local} is not None and {local} is not ANY and not {local})"
        if isinstance(form, Compare):
            return self.compare(form)
        sides = (form.element, form.collection) if isinstance(form, Member) else (form.code, form.prefixes)
        present = [f"{self.local(side.path)} is not None" for side in sides if isinstance(side, Ref)]
        first, second = (self.operand(side) for side in sides)
        if isinstance(form, Member):
            test = f"{first} {'in' if form.holds else 'not in'} {second}"
        else:
            test = f"{'' if form.holds else 'not '}begins({first}, {second})"
        return f"({' and '.join([*present, test])})"

    def compare(self, form: Compare) -> str:
        present = [name for side in (form.left, form.right) for name in self.present(side)]
        left, right = self.operand(form.left), self.operand(form.right)
        if form.symbol not in ("==", "!=") and self.ranked(form.left, form.right):
            left, right = (self.rank(side) for side in (form.left, form.right))
        return f"({' and '.join([*present, f'{left} {form.symbol} {right}'])})"

    def ranked(self, *sides: Any) -> bool:
        return any(isinstance(side, Ref) and FACTS[side.path].kind.family == "enum" for side in sides)

    def rank(self, side: Any) -> str:
        if not isinstance(side, Ref):
            return str(RANKS[side])
        self.names["RANKS"] = RANKS
        return f"RANKS[{self.local(side.path)}]"

    def present(self, side: Any) -> list[str]:
        if isinstance(side, Ref):
            return [f"{self.local(side.path)} is not None"]
        if isinstance(side, Left):
            paths = [*([side.limit.path] if isinstance(side.limit, Ref) else []), *side.used]
            return [f"{self.local(path)} is not None" for path in paths]
        return []

    def operand(self, side: Any) -> str:
        if isinstance(side, Ref):
            return self.local(side.path)
        if isinstance(side, Left):
            return self.left(Cap(side.limit, side.used))
        if side is UNLIMITED:
            return "UNLIMITED"
        if type(side) in (bool, int, str):
            return repr(side)
        return self.constant(tuple(sorted(side)) if isinstance(side, frozenset) else side)

    def left(self, cap: Cap) -> str:
        """Return the expression for what a cap allows, all it reads being present."""
        limit = self.operand(cap.limit)
        if not cap.less:
            return limit
        used = " - ".join([limit, *map(self.local, cap.less)])
        return f"({limit} if {limit} == UNLIMITED else max(0, {used}))"

    def constant(self, value: Any) -> str:
        name = f"K{len(self.names)}"
        self.names[name] = value
        return name

    # --- facts ----------------------------------------------------------------------------------------------

    def local(self, path: str) -> str:
        """Return the local variable that holds a fact; the first call writes the line that reads it."""
        if path not in self.locals:
            fact = FACTS[path]
            name = path.replace(".", "_")
            sources = [self.local(source) for source in fact.derived_from]
            self.reads.append(f"{_INDENT}{name} = case.{path}")
            if sources:
                self.names[f"derive_{name}"] = DERIVE[path]
                self.reads.append(f"{_INDENT}if {name} is None: {name} = derive_{name}({', '.join(sources)})")
            self.locals[path] = name
        return self.locals[path]

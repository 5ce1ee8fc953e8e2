"""The compiled engine: a ruleset at a stage turned into one Python function, with no tree to walk per case."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from covrules.declaring import Fact
from covrules.facts import Case
from covrules.lowering import Forms, conjunction
from covrules.rule import Rule, Stage
from covrules.rulesets import Ruleset
from covrules.truth import Writer, denied_with, facts_of, groups_of, in_case, indented, with_sources
from covrules.verdicts import Found, Outcome, accepted_where, coverage_where

_OWED: Final = {"unmet": "unmet", "capped": "capped", "unknown": "undecided"}
_AT_THE_CLINIC: Final = {"unmet": "refused", "capped": "refused", "unknown": "unsure"}


@attrs.frozen
class Decider:
    """Decides every rule for a case; `find` says too what they add up to, which it learns on the way."""

    find: Callable[[Case], Found]

    def __call__(self, case: Case) -> Outcome:
        """Return what is decided of every rule."""
        return self.find(case)[2]


def compile_ruleset(ruleset: Ruleset, stage: Stage) -> Decider:
    """Return what decides every rule of a ruleset for a case at a stage."""
    return Decider(_Compiler(ruleset, stage).function())


class _Compiler:
    """Writes the source of one function; values that have no literal become its globals."""

    def __init__(self, ruleset: Ruleset, stage: Stage) -> None:
        self.ruleset = ruleset
        self.stage = stage
        self.write = Writer(
            Outcome=Outcome,
            tuple_new=tuple.__new__,
            coverage_where=coverage_where,
            accepted_where=accepted_where,
        )

    def function(self) -> Callable[[Case], Found]:
        """Return the function; a fact that several blocks read is read first, another in the block that reads it."""
        blocks = self.blocks()
        read = [self.facts(self.heads(block) + self.bodies(block)) for block in blocks]
        counts = Counter(fact.path for facts in read for fact in facts)
        known: set[str] = set()
        lines = [
            *groups_of(fact for facts in read for fact in facts),
            "unmet = nothing = undecided = capped = refused = unsure = False",
            *[f"a{place} = None" for place in self.ruleset.caps],
            *self.write.reading(self.facts(path for path, count in counts.items() if count > 1), known, in_case),
        ]
        for block in blocks:
            lines += self.block(block, known)
        statuses = "".join(f"s{place}, " for place in range(len(self.ruleset.rules)))
        allowed = "".join(f"a{place}, " for place in self.ruleset.caps)
        lines += [
            f"outcome = tuple_new(Outcome, (({statuses}), ({allowed})))",
            "return coverage_where(unmet, nothing, undecided, capped), accepted_where(refused, unsure), outcome",
        ]
        find: Callable[[Case], Found] = self.write.function("find", "case", lines)
        return find

    def facts(self, paths: Iterable[str]) -> list[Fact]:
        return with_sources(paths, self.ruleset.vocabulary)

    # --- rules ----------------------------------------------------------------------------------------------

    def blocks(self) -> list[list[int]]:
        """Return the places of the rules, those together that apply alike, as that is then asked only once."""
        alike: dict[Any, list[int]] = {}
        for place, rule in enumerate(self.ruleset.rules):
            alike.setdefault(rule.applies or place, []).append(place)
        return list(alike.values())

    def heads(self, block: list[int]) -> list[str]:
        """Return the facts that say whether the rules of a block apply."""
        applies = self.ruleset.rules[block[0]].application
        return [*facts_of(applies.false)] if applies else []

    def bodies(self, block: list[int]) -> list[str]:
        """Return the facts that are read where they do not certainly not apply."""
        rules = [self.ruleset.rules[place] for place in block]
        forms = [form for rule in rules for forms in self.asked(rule) for form in (forms.true, forms.false)]
        return [path for form in forms for path in facts_of(form)]

    def asked(self, rule: Rule) -> list[Forms]:
        """Return the forms of all that is asked once a rule may apply."""
        if rule.starts_after(self.stage):
            return []
        return [forms for forms in (rule.application, rule.demand, self.ruleset.excuse(rule)) if forms]

    def block(self, block: list[int], known: set[str]) -> list[str]:
        """Return the lines that decide the rules of a block, where these facts have been read."""
        applies = self.ruleset.rules[block[0]].application
        lines = self.write.reading(self.facts(self.heads(block)), known, in_case)
        body = self.write.reading(self.facts(self.bodies(block)), known, in_case)
        for place in block:
            body += self.rule(place, self.ruleset.rules[place])
        if applies is None:
            return lines + body
        statuses = " = ".join(f"s{place}" for place in block)
        return [
            *lines,
            f"if {self.write.form(applies.false)}: {statuses} = 'not-applicable'",
            "else:",
            *indented(body),
        ]

    def rule(self, place: int, rule: Rule) -> list[str]:
        """Return the lines that decide a rule where it does not certainly not apply."""
        if rule.starts_after(self.stage):
            return [f"s{place} = 'later'"]
        applies, excuse, demand = rule.application, self.ruleset.excuse(rule), rule.demand
        denied = denied_with(applies.false) if applies else frozenset()
        lines = []
        if demand:
            lines.append(f"if {self.write.form(demand.true, denied)}: s{place} = 'met'")
            denied |= denied_with(demand.true)
        if excuse:
            status = "waived" if demand else "not-applicable"
            lines.append(f"if {self.write.form(excuse.true, denied)}: s{place} = {status!r}")
            denied |= denied_with(excuse.true)
        certain = [applies.true] if applies else []
        certain += [forms.false for forms in (demand, excuse) if forms]
        lines.append(f"if {self.write.form(conjunction(certain), denied)}: {self.conclusion(place, rule)}")
        lines = [f"el{line}" if number else line for number, line in enumerate(lines)]
        return [*lines, f"else: s{place} = 'unknown'{self.flag(rule, 'unknown')}"]

    def conclusion(self, place: int, rule: Rule) -> str:
        said = f"s{place} = {rule.concludes!r}{self.flag(rule, rule.concludes)}"
        if rule.caps is None:
            return said
        said += f"; a{place} = {self.write.left(rule.caps.limit, rule.caps.less)}"
        return said if rule.layer == "clinic" else f"{said}; nothing = nothing or a{place} == 0"

    def flag(self, rule: Rule, status: str) -> str:
        """Return what notes that a rule with a say of its own has come to a status that matters."""
        flags = _AT_THE_CLINIC if rule.layer == "clinic" else _OWED
        return f"; {flags[status]} = True" if rule.decides else ""

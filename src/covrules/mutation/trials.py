"""A rule tried alone, without the others of its ruleset: on its examples, and on facts worth trying."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from covrules.engines.compiled import compile_ruleset
from covrules.facts import Case, by_group, case_of
from covrules.mutation.telling import constants_in, givens
from covrules.rule import Rule, Status
from covrules.rulesets import EVER, Ruleset


@attrs.frozen(eq=False)
class Trial:
    """A rule, and the ruleset that has it alone, at all times and without what is fixed."""

    rule: Rule
    alone: Ruleset

    @classmethod
    def of(cls, ruleset: Ruleset, rule: Rule) -> "Trial":
        """Return the trial of a rule as if it were the only one of a ruleset."""
        return cls(rule, attrs.evolve(ruleset, rules=(rule,), fixed={}, effective=EVER))

    @cached_property
    def status(self) -> Callable[[Case], Status]:
        """Says the status of the rule at its own stage, the case having values of the right kinds."""
        decide = compile_ruleset(self.alone, self.rule.stage)
        return lambda case: decide(case).statuses[0]

    @cached_property
    def examples(self) -> list[Case]:
        """The facts that its examples give."""
        return [case_of(by_group(example.given)) for example in self.rule.examples]

    @cached_property
    def cases(self) -> list[tuple[Mapping[str, Any], Case, Status]]:
        """Facts worth trying of those the rule reads, those with fewer first, and the status that it has on them."""
        return [(given, case, self.status(case)) for given, case in self.trying(self.rule.facts)]

    def trying(self, paths: Iterable[str]) -> Iterator[tuple[Mapping[str, Any], Case]]:
        """Yield facts that are worth trying of these, as they are given and as a case."""
        facts = [self.alone.vocabulary[path] for path in dict.fromkeys(paths)]
        for given in givens(facts, constants_in(self.rule)):
            yield given, case_of(by_group(given))

    def notices(self, mutant: "Trial") -> bool:
        """Return whether an example that is right of the rule is wrong of a mutant of it."""
        pairs = zip(self.examples, self.rule.examples, strict=True)
        right = [(case, example.then) for case, example in pairs if self.status(case) == example.then]
        return any(mutant.status(case) != then for case, then in right)

    def telling(self, mutant: "Trial") -> tuple[Mapping[str, Any], Status] | None:
        """Return the fewest facts found on which a mutant has another status, and that of the rule."""
        found = next((given for given, case, then in self.cases if mutant.status(case) != then), None)
        if found is None:
            return None
        # Where cases were drawn by lot, facts may be among them that do not matter.
        for path in [*found]:
            fewer = {other: value for other, value in found.items() if other != path}
            case = case_of(by_group(fewer))
            found = found if mutant.status(case) == self.status(case) else fewer
        return found, self.status(case_of(by_group(found)))

"""The branches of a rule that no example takes: a test that is never true, or never false, and an unused denial."""

from collections.abc import Iterator

from covrules.conditions import facts_in, in_short
from covrules.derived import value_of
from covrules.facts import Case
from covrules.findings import denial_for
from covrules.lowering import lower
from covrules.mutation.telling import tests_of
from covrules.mutation.trials import Trial
from covrules.rule import Denial
from covrules.truth import Values, tester


def untaken(trial: Trial) -> Iterator[str]:
    """Yield, in words, the branches of a rule that no example takes although there are facts that would."""
    seen = [_known(trial, case) for case in trial.examples]
    for test in tests_of(trial.rule):
        forms = lower(test)
        for truth, form in (("true", forms.true), ("false", forms.false)):
            holds = tester(form)
            if not any(map(holds, seen)) and any(holds(given) for given, _ in trial.trying(facts_in(test))):
                yield f"{in_short(test)} is never {truth}"
    if len(trial.rule.denial) > 1:
        chosen = {_chosen(trial, case) for case in trial.examples}
        read = [*trial.rule.facts, *[path for test in tests_of(trial.rule) for path in facts_in(test)]]
        for denial in trial.rule.denial:
            if denial not in chosen and any(_chosen(trial, case) == denial for _, case in trial.trying(read)):
                yield f"the denial by {denial.carc} is never chosen"


def _known(trial: Trial, case: Case) -> Values:
    return {path: value_of(case, trial.alone.vocabulary[path]) for path in (*trial.rule.facts, *trial.rule.spoken)}


def _chosen(trial: Trial, case: Case) -> Denial | None:
    """Return the codes that a case is denied with, if it is."""
    denied = trial.status(case) in ("unmet", "capped")
    return denial_for(trial.rule, _known(trial, case)) if denied else None

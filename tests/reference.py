"""A plain evaluator, written from the definition of a verdict and from nothing else: slow, and easy to read.

It knows no positive forms: truth is True, False or None, and a comparison with one side unknown is certain when a
special value on the known side gives the same answer for every value the other side could have.
"""

import datetime as dt

from covrules import conditions, kinds
from covrules.conditions import AllOf, AnyOf, Not, Ref, Test
from covrules.derived import derivation
from covrules.kinds import ANY, NEVER, OPEN, UNLIMITED

STAGES = ["planned", "delivered", "billed"]


def both(truths):
    truths = list(truths)
    return False if False in truths else None if None in truths else True


def either(truths):
    truths = list(truths)
    return True if True in truths else None if None in truths else False


def negated(truth):
    return None if truth is None else not truth


# --- a comparison -----------------------------------------------------------------------------------------------


def compare(op, left, right, kind):
    """Compare two known values, the left one of a kind."""
    if op in ("at_most", "at_least", "below", "above") and isinstance(left, str):
        left, right = kind.values.index(left), kind.values.index(right)
    match op:
        case "equals":
            return left == right
        case "in":
            return right is ANY or left in right
        case "not_in":
            return not (right is ANY or left in right)
        case "has":
            return left is ANY or right in left
        case "within":
            return right is ANY or any(left.startswith(prefix) for prefix in right)
        case "at_most" | "on_or_before":
            return left <= right
        case "at_least" | "on_or_after":
            return left >= right
        case "below" | "before":
            return left < right
        case "above" | "after":
            return left > right


def is_special(value, kind):
    """Whether the value is one of those that can decide a comparison by themselves."""
    if value is UNLIMITED or value is OPEN or value is NEVER or value is ANY:
        return True
    if isinstance(value, frozenset):
        return not value
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value == 0
    return isinstance(kind, kinds.Enum) and kind.ranked and value in (kind.values[0], kind.values[-1])


def could_be(kind):
    """Values enough to stand for every value of the kind."""
    if isinstance(kind, kinds.Bool):
        return [True, False]
    if isinstance(kind, kinds.Count):
        return [0, 1, 7, kinds.MAX_COUNT] + ([UNLIMITED] if kind.unlimited else [])
    if isinstance(kind, kinds.Days):
        return [-kinds.MAX_COUNT, -1, 0, 1, kinds.MAX_COUNT]
    if isinstance(kind, kinds.Date):
        ends = {"open": [OPEN], "never": [NEVER], None: []}[kind.word]
        return [dt.date.min, dt.date(2026, 1, 1), dt.date(9999, 12, 30), *ends]
    if isinstance(kind, kinds.Enum):
        return list(kind.values)
    if isinstance(kind, kinds.SetOf):
        return [frozenset(), frozenset(["M54.50"]), frozenset(["97124", "MD", "a"])] + ([ANY] if kind.any else [])
    return ["M54.50", "97124", "none", "a", "something else"]


def truth_of_test(test, known):
    left_kind = test.fact.kind
    left = known.get(test.fact.path)
    if isinstance(test.right, Ref):
        right_kind = test.right.kind
        right = known.get(test.right.path)
    else:
        right_kind, right = left_kind, test.right
    if left is not None and right is not None:
        return compare(test.op, left, right, left_kind)
    if left is None and right is None:
        return None
    alone, its_kind = (left, left_kind) if left is not None else (right, right_kind)
    if not is_special(alone, its_kind):
        return None
    if left is not None:
        answers = {compare(test.op, left, other, left_kind) for other in could_be(right_kind)}
    else:
        answers = {compare(test.op, other, right, left_kind) for other in could_be(left_kind)}
    return answers.pop() if len(answers) == 1 else None


def truth(condition, known):
    match condition:
        case Test():
            return truth_of_test(condition, known)
        case Not(part):
            return negated(truth(part, known))
        case AllOf(parts):
            return both(truth(part, known) for part in parts)
        case AnyOf(parts):
            return either(truth(part, known) for part in parts)


# --- a rule -----------------------------------------------------------------------------------------------------


def limit_of(rule, known):
    limit = rule.caps.limit
    return known.get(limit.path) if isinstance(limit, Ref) else limit


def allowance(rule, known):
    """What a cap allows, where its limit and its use are known."""
    limit = limit_of(rule, known)
    used = [known.get(path) for path in rule.caps.less]
    if limit is UNLIMITED:
        return UNLIMITED
    if limit is None or None in used:
        return None
    return max(0, limit - sum(used))


def demand(rule, known):
    if rule.requires is not None:
        return truth(rule.requires, known)
    asked = known.get("visit.units")
    allowed = allowance(rule, known)
    if allowed is UNLIMITED or asked == 0:
        return True
    if allowed is None or asked is None:
        return None
    return asked <= allowed


def excuses(waiver, known):
    applies = True if waiver.applies is None else truth(waiver.applies, known)
    unless = False if waiver.unless is None else truth(waiver.unless, known)
    return both([applies, negated(unless)])


def waivers_of(ruleset, rule):
    return [waiver for waiver in ruleset.rules if rule.id in (waiver.waives or ())]


def status_of(ruleset, rule, known, stage):
    applies = True if rule.applies is None else truth(rule.applies, known)
    unless = False if rule.unless is None else truth(rule.unless, known)
    if STAGES.index(rule.stage) > STAGES.index(stage):
        return "not-applicable" if applies is False else "later"
    if rule.advises is not None or rule.waives is not None:
        given = excuses(rule, known)
        word = "advised" if rule.advises is not None else "waives"
        return word if given is True else "not-applicable" if given is False else "unknown"
    asked = demand(rule, known)
    waived = either(excuses(waiver, known) for waiver in waivers_of(ruleset, rule))
    s = either([negated(applies), asked, unless, waived])
    if s is True:
        return "not-applicable" if applies is False else "met" if asked is True else "waived"
    if s is False:
        return "capped" if rule.caps is not None else "unmet"
    return "unknown"


def undecided_facts(condition, known):
    if condition is None or truth(condition, known) is not None:
        return []
    match condition:
        case Test(fact, _, right):
            return [fact.path] + ([right.path] if isinstance(right, Ref) else [])
        case Not(part):
            return undecided_facts(part, known)
        case AllOf(parts) | AnyOf(parts):
            return [path for part in parts for path in undecided_facts(part, known)]


def missing_of(ruleset, rule, known):
    paths = undecided_facts(rule.applies, known) + undecided_facts(rule.requires, known)
    if rule.caps is not None and demand(rule, known) is None:
        paths += [rule.caps.limit.path] if isinstance(rule.caps.limit, Ref) else []
        paths += [*rule.caps.less, "visit.units"]
    paths += undecided_facts(rule.unless, known)
    for waiver in waivers_of(ruleset, rule):
        if excuses(waiver, known) is None:
            paths += undecided_facts(waiver.applies, known) + undecided_facts(waiver.unless, known)
    unknown = [path for path in paths if path not in known]
    given = [source for path in unknown for source in ruleset.vocabulary[path].derived_from or (path,)]
    return {path for path in given if path not in known}


# --- the verdict ------------------------------------------------------------------------------------------------


def facts_known(ruleset, case, as_of=None):
    """Return what is known: what the case gives, else what the plan fixes on the day, else what follows from that."""
    day = case.visit.date or as_of
    known = {}
    for path, fact in ruleset.vocabulary.items():
        given = case.get(path)
        if given is not None:
            known[path] = fact.kind.parse(given) if path.startswith("own.") else given
    for path, fixed in ruleset.fixed.items():
        in_force = [value for since, value in fixed.values if since is None or since <= day]
        if in_force and in_force[-1] is not None:
            known.setdefault(path, in_force[-1])
    for path, fact in ruleset.vocabulary.items():
        if path not in known and fact.derived_from:
            derived = derivation(fact)(*[known.get(source) for source in fact.derived_from])
            if derived is not None:
                known[path] = derived
    return known


def verdict(ruleset, case, stage="planned", as_of=None):
    known = facts_known(ruleset, case, as_of)
    statuses = [status_of(ruleset, rule, known, stage) for rule in ruleset.rules]
    judged = [
        (rule, status)
        for rule, status in zip(ruleset.rules, statuses, strict=True)
        if rule.advises is None and rule.waives is None
    ]
    insurers = [(rule, status) for rule, status in judged if rule.layer in ("mandate", "plan", "policy")]
    said = [status for _, status in insurers]
    capped = [(rule.id, allowance(rule, known)) for rule, status in insurers if status == "capped"]
    smallest = min((allowed for _, allowed in capped), default=None)
    binding = next((id for id, allowed in capped if allowed == smallest), None)
    asked = known.get("visit.units")
    if "unmet" in said:
        coverage, covered, bound_by = "not-covered", 0, None
    elif smallest == 0:
        coverage, covered, bound_by = "not-covered", 0, binding
    elif "unknown" in said:
        coverage, covered, bound_by = "undetermined", None, None
    elif capped:
        coverage, covered, bound_by = "partial", smallest, binding
    else:
        coverage, covered, bound_by = "covered", asked, None
    clinics = [status for rule, status in judged if rule.layer == "clinic"]
    accepted = False if {"unmet", "capped"} & set(clinics) else None if "unknown" in clinics else True
    return {
        "statuses": dict(zip([rule.id for rule in ruleset.rules], statuses, strict=True)),
        "missing": {
            rule.id: missing_of(ruleset, rule, known) if status == "unknown" else set()
            for rule, status in zip(ruleset.rules, statuses, strict=True)
        },
        "waived_by": {
            rule.id: [w.id for w in waivers_of(ruleset, rule) if excuses(w, known)] if status == "waived" else []
            for rule, status in zip(ruleset.rules, statuses, strict=True)
        },
        "coverage": coverage,
        "accepted_here": accepted,
        "units": {"requested": asked, "covered": covered, "bound_by": bound_by},
    }


def said_by(verdict_):
    """The same of a verdict of the library."""
    findings, units = verdict_.findings, verdict_.units
    return {
        "statuses": {finding.rule: finding.status for finding in findings},
        "missing": {finding.rule: set(finding.missing) for finding in findings},
        "waived_by": {finding.rule: [*finding.waived_by] for finding in findings},
        "coverage": verdict_.coverage,
        "accepted_here": verdict_.accepted_here,
        "units": {"requested": units.requested, "covered": units.covered, "bound_by": units.bound_by},
    }


assert set(conditions.OPERATORS) == {
    "equals", "in", "not_in", "has", "within", "at_most", "at_least", "below", "above", "on_or_before", "on_or_after",
    "before", "after",
}  # fmt: skip

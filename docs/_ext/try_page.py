"""What the page "Try it" asks of the library: the form for a ruleset, and the answer to a form that is filled in.

It runs in the reader's browser, and knows nothing of browsers. Facts come and go by path, each as it would be typed
(`{"visit.minutes": "90", "plan.units_per_day": "unlimited"}`, see `covrules.typed`); a fact left out is not known.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, get_args
from urllib.parse import parse_qsl, quote, urlencode

import covrules
from covrules.case_reading import looks_like_a_name
from covrules.deciding_words import coverage_word, deciding_words
from covrules.declaring import Fact
from covrules.errors import FactError, did_you_mean
from covrules.facts import FACTS, GROUPS, OWN, Case, by_group, case_of
from covrules.findings import Finding
from covrules.kinds import Bool, Code, Count, Date, Days, Enum, Kind, SetOf, Unfit
from covrules.outlines import ASKED, Mark, barred, headline
from covrules.questions import by_person
from covrules.remedies import Remedy
from covrules.rule import STAGES, Rule, Status
from covrules.rulesets import Ruleset
from covrules.typed import expected, read_answer, typed
from covrules.verdicts import Coverage, Verdict

VERSION: Final = "1"
"""The version of the links: which words stand for what in them."""
MOST_IN_LINK: Final = 300
"""How many facts are read from a link."""

_STATUSES: Final[Mapping[Status, tuple[Mark, str]]] = {
    "unmet": ("no", "not met"), "capped": ("part", "capped"), "unknown": ("open", "not known yet"),
    "met": ("yes", "met"), "waived": ("note", "waived"), "not-applicable": ("note", "not asked here"),
    "later": ("note", "not asked yet"), "advised": ("note", "advice"), "waives": ("note", "waives others"),
}  # fmt: skip
_MARKS: Final[Mapping[Coverage, Mark]] = {
    "covered": "yes",
    "partial": "part",
    "not-covered": "no",
    "undetermined": "open",
}
_ACCEPTANCE: Final[Mapping[bool | None, str]] = {
    True: "This clinic takes the visit.",
    False: "This clinic does not take the visit.",
    None: "Whether this clinic takes it is not known yet.",
}
assert _STATUSES.keys() == {*get_args(Status)}


def respond(request: str) -> str:
    """Return the answer to a request of the page, both JSON: `do` names one of the functions here, the rest is its."""
    given = json.loads(request)
    return json.dumps(_DOES[given.pop("do")](**given))


# --- the form ---------------------------------------------------------------------------------------------------


def form(ruleset: str) -> dict[str, Any]:
    """Return what is to be filled in for a ruleset: its facts by group, each with the control that suits its kind."""
    rules = covrules.load(ruleset)
    groups: dict[str, list[dict[str, Any]]] = {OWN: []} if rules.declares else {}
    for fact in read_by(rules).values():
        groups.setdefault(fact.group, []).append(_field(fact, rules.vocabulary))
    return {
        "ruleset": rules.id,
        "title": rules.title,
        "about": f"{rules.id} {rules.version}, {rules.status}, {len(rules.rules)} rules, in force {rules.effective}",
        "groups": [
            {"name": name, "title": _group_title(name), "about": _group_about(name), "facts": facts}
            for name, facts in groups.items()
            if facts
        ],
    }


def read_by(ruleset: Ruleset) -> dict[str, Fact]:
    """Return the facts that bear on a ruleset by path, with those from which others are derived."""
    known = ruleset.vocabulary
    read = {path for fact in ruleset.facts for path in (fact, *known[fact].derived_from)}
    return {path: fact for path, fact in known.items() if path in read}


def _group_title(name: str) -> str:
    return "This ruleset's own" if name == OWN else name.capitalize()


def _group_about(name: str) -> str:
    return "Facts that no other plan needs." if name == OWN else str(GROUPS[name].__doc__).partition("\n")[0]


def _field(fact: Fact, known: Mapping[str, Fact]) -> dict[str, Any]:
    """Return what is drawn for a fact."""
    derived = " and ".join(f"the {known[path].label}" for path in fact.derived_from)
    return {
        "path": fact.path,
        "label": fact.label[0].upper() + fact.label[1:],
        "ask": fact.ask,
        "unit": fact.unit,
        "unknown": "Worked out" if derived else "Not known",
        "derived": f"Worked out from {derived}, unless you say it." if derived else None,
        **_control(fact.kind),
    }


def _control(kind: Kind) -> dict[str, Any]:
    """Return how a value of a kind is given.

    `choice`: one of the options; `many`: any of the options; `value`: typed. Beside these, `words` are answers that
    stand alone.
    """
    match kind:
        case Bool():
            return {"draw": "choice", "options": [["yes", "Yes"], ["no", "No"]]}
        case Enum():
            return {"draw": "choice", "options": _options(kind)}
        case Count(unlimited=unlimited, least=least):
            words = [["unlimited", "No limit"]] if unlimited else []
            return {"draw": "value", "input": "number", "least": least, "words": words, "given": "This number"}
        case Days():
            return {"draw": "value", "input": "number", "words": [], "given": "This number"}
        case Date(word=word):
            words = [[word, {"open": "No end", "never": "Never"}[word]]] if word else []
            return {"draw": "value", "input": "date", "words": words, "given": "This day"}
        case SetOf(of=of, any=any_):
            words = [["none", "None"], *([["any", "Any"]] if any_ else [])]
            if isinstance(of, Enum):
                return {"draw": "many", "options": _options(of), "words": words, "given": "These"}
            return {"draw": "value", "input": "text", "words": words, "given": "These", "hint": "with commas between"}
        case Code(none=none):
            words = [["none", "States none"]] if none else []
            return {"draw": "value", "input": "text", "words": words, "given": "This code"}
    return {"draw": "value", "input": "text", "words": [], "given": "This text"}


def _options(kind: Enum) -> list[list[str]]:
    return [[value, kind.words(value)] for value in kind.values]


# --- the answer -------------------------------------------------------------------------------------------------


def answer(ruleset: str, stage: str, facts: Mapping[str, str]) -> dict[str, Any]:
    """Return the verdict on a form that is filled in, and all that the page says of it.

    A value that cannot be used counts as not known, and `problems` says so by its fact. Without a verdict (`verdict` is
    None) `problems` says what is in the way.
    """
    rules = covrules.load(ruleset)
    read = read_by(rules)
    values, problems = _values({path: text for path, text in facts.items() if path in read}, read)
    day = values.get("visit.date")
    fixed = rules.fixed_on(day)
    aside = [_label(rules.vocabulary, path) for path in facts if path not in read]
    contrary = [_label(read, path) for path in values if path in fixed and values[path] != fixed[path]]
    because = (("no rule here asks for", aside), ("the plan itself says", contrary))
    notes = [f"Left aside, which {why}: {', '.join(labels)}." for why, labels in because if labels]
    values = {path: value for path, value in values.items() if path not in fixed}
    said: dict[str, Any] = {
        "fixed": {path: _fixed_words(rules, path, fixed[path]) for path in read if path in fixed},
        "problems": problems,
        "notes": notes,
        "link": link(ruleset, stage, {path: _compact(read[path].kind, value) for path, value in values.items()}),
        "verdict": None,
    }
    if rules.dated and day is None:
        problems.setdefault("visit.date", "What these rules say depends on the day. Give the date of the visit.")
        return said
    try:
        verdict = rules.evaluate(case_of(by_group(values)), stage=stage)  # type: ignore[arg-type]
    except FactError as error:
        for problem in error.problems:
            problems[problem.path or "visit.date"] = _sentence(problem.message, problem.expected, problem.hint)
        return said
    return said | _told(verdict)


def _values(facts: Mapping[str, str], known: Mapping[str, Fact]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of facts as they were typed, and what is wrong with those that cannot be used."""
    values, problems = {}, {}
    for path, text in facts.items():
        kind = known[path].kind
        try:
            values[path] = read_answer(kind, text)
        except Unfit as unfit:
            problems[path] = _sentence(f"found {unfit.found}", expected(kind), None if unfit.telling else unfit.hint)
    return values, problems


def _sentence(message: str, wanted: str | None, hint: str | None) -> str:
    parts = [message[0].upper() + message[1:], *([f"expected {wanted}"] if wanted else []), *([hint] if hint else [])]
    return f"{'; '.join(parts)}."


def _label(known: Mapping[str, Fact], path: str) -> str:
    return known[path].label if path in known else path


def _fixed_words(ruleset: Ruleset, path: str, value: Any) -> str:
    fixed = ruleset.fixed[path]
    return f"{fixed.fact.kind.words(value)} (fixed by {fixed.origin})"


def _told(verdict: Verdict) -> dict[str, Any]:
    """Return all that the page says of a verdict."""
    rules = verdict._ruleset
    failed = [finding for finding in verdict.findings if finding.status in ("unmet", "capped")]
    count = len(verdict.questions)
    asked = f"{count} {'question' if count == 1 else 'questions'} open." if count else "Nothing more to ask."
    return {
        "verdict": verdict.to_dict(),
        "mark": _MARKS[verdict.coverage],
        "headline": headline(verdict),
        "tally": _tally(verdict),
        "announced": f"{headline(verdict)} {asked}",
        "acceptance": _ACCEPTANCE[verdict.accepted_here],
        "reasons": [_reason(rules, finding) for finding in failed if finding.layer != "clinic"],
        "clinic": [_reason(rules, finding) for finding in failed if finding.layer == "clinic"],
        "barred": [barred(verdict), *[_because(verdict.finding(id)) for id in verdict.unmendable]]
        if verdict.unmendable
        else [],
        "remedies": [_remedy(rules, verdict, remedy) for remedy in verdict.remedies],
        "asked": [
            {
                "heading": ASKED[who],
                "questions": [
                    {
                        "fact": question.fact,
                        "ask": question.ask,
                        "decides": deciding_words(question, rules.vocabulary[question.fact]),
                        "first": question is verdict.questions[0],
                    }
                    for question in questions
                ],
            }
            for who, questions in by_person(verdict.questions).items()
        ],
        "advice": [*verdict.advice],
        "rules": [_status(rules.rule(finding.rule), finding) for finding in verdict.findings],
        "foot": [*_used(verdict), verdict.disclaimer],
    }


def _tally(verdict: Verdict) -> str:
    """Return how many rules stand how, those that decide nothing left out."""
    rules = verdict._ruleset.rules
    statuses = [finding.status for rule, finding in zip(rules, verdict.findings, strict=True) if rule.decides]
    said = [f"{statuses.count(status)} {words}" for status, (_, words) in _STATUSES.items() if status in statuses]
    return f"Of {len(statuses)} rules: {', '.join(said)}."


def _used(verdict: Verdict) -> list[str]:
    """Return by which rules and how a verdict was reached."""
    rules = verdict.ruleset
    on = f" as of {rules.as_of}" if rules.as_of else ""
    alone = " alone; durable_rules, which checks it elsewhere, does not run in a browser"
    engine = f"the {verdict.engine} engine{alone if verdict.engine == 'compiled' else ''}"
    return [f"Rules: {rules.id} {rules.version}{on}, for a {verdict.stage} visit, decided by {engine}.", rules.digest]


def _because(finding: Finding) -> str:
    return finding.because or f"Not so: {finding.title}."


def _page(rule: Rule) -> str:
    """Return the page of a rule, from the top of the documentation."""
    return f"reference/rules/{rule.origin}/{rule.id}.html"


def _reason(ruleset: Ruleset, finding: Finding) -> dict[str, Any]:
    rule = ruleset.rule(finding.rule)
    return {"mark": _STATUSES[finding.status][0], "text": _because(finding), "title": rule.title, "page": _page(rule)}


def _status(rule: Rule, finding: Finding) -> dict[str, Any]:
    mark, words = _STATUSES[finding.status]
    return {"mark": mark, "status": words, "title": rule.title, "rule": rule.id, "page": _page(rule)}


def _remedy(ruleset: Ruleset, verdict: Verdict, remedy: Remedy) -> dict[str, Any]:
    """Return a remedy in words, and what it makes of the form: the facts typed, None for those no more known."""
    changes: dict[str, str | None] = {}
    for step in remedy.steps:
        for path, value in step.set.items():
            changes[path] = None if value is None else typed(ruleset.vocabulary[path].kind, value)
    here = ""
    if remedy.accepted_here is not None and remedy.accepted_here is not verdict.accepted_here:
        here = ", and this clinic takes it" if remedy.accepted_here else ", but not at this clinic"
    return {
        "steps": [{"who": step.who.capitalize(), "action": step.action.rstrip(".")} for step in remedy.steps],
        "then": f"{coverage_word(remedy.coverage)}{here}",
        "set": changes,
    }


# --- links ------------------------------------------------------------------------------------------------------


def link(ruleset: str, stage: str, facts: Mapping[str, str]) -> str:
    """Return a case as the part of an address after `#`, facts in the order of the vocabulary.

    >>> link("medical-massage", "planned", {"visit.minutes": "90", "plan.units_per_day": "unlimited"})
    'v=1&ruleset=medical-massage&stage=planned&plan.units_per_day=unlimited&visit.minutes=90'
    """
    order = {path: place for place, path in enumerate(FACTS)}
    paths = sorted(facts, key=lambda path: (order.get(path, len(order)), path))
    pairs = [("v", VERSION), ("ruleset", ruleset), ("stage", stage), *[(path, facts[path]) for path in paths]]
    return urlencode(pairs, safe=",", quote_via=quote)


def _compact(kind: Kind, value: Any) -> str:
    text = typed(kind, value)
    return text.replace(", ", ",") if isinstance(kind, SetOf) else text


def read_link(text: str, rulesets: Collection[str]) -> dict[str, Any]:
    """Return the ruleset, the stage and the facts of a link, and `notes` on all that could not be used.

    `ruleset` and `stage` are None where the link names none that there is. No value is repeated.
    """
    notes: list[str] = []
    try:
        pairs = parse_qsl(text.removeprefix("#"), keep_blank_values=True, max_num_fields=MOST_IN_LINK)
    except ValueError:
        return {"ruleset": None, "stage": None, "facts": {}, "notes": ["The link is too long to be read."]}
    said: dict[str, str] = {}
    for name, value in pairs:
        if name in said:
            notes.append(f"The link says {_named(name)} twice: the first is used.")
        said.setdefault(name, value)
    if said.pop("v", VERSION) != VERSION:
        notes.append("The link was made by another version of this page: what could be read of it is used.")
    ruleset = _one_of(said.pop("ruleset", None), rulesets, "ruleset", notes)
    stage = _one_of(said.pop("stage", None), STAGES, "stage", notes)
    known = covrules.load(ruleset).vocabulary if ruleset else FACTS
    notes += _strangers([name for name in said if name not in known], known)
    facts = {path: value for path, value in said.items() if path in known}
    values, problems = _values(facts, known)
    notes += [f"The link's {known[path].label} cannot be used. {problem}" for path, problem in problems.items()]
    usable = {path: typed(known[path].kind, value) for path, value in values.items()}
    return {"ruleset": ruleset, "stage": stage, "facts": usable, "notes": notes}


def _one_of(word: str | None, words: Collection[str], what: str, notes: list[str]) -> str | None:
    if word is None or word in words:
        return word
    near = did_you_mean(word, words)
    notes.append(f"The link names a {what} that there is not{f': {near}' if near else '.'}")
    return None


def _strangers(names: Iterable[str], known: Mapping[str, Fact]) -> Iterator[str]:
    for name in names:
        near = did_you_mean(name, known)
        yield f"The link names a fact that there is not: {_named(name)}.{f' {near.capitalize()}' if near else ''}"


def _named(name: str) -> str:
    return name if looks_like_a_name(name) else "a name that cannot be shown"


def typed_facts(case: Case) -> dict[str, str]:
    """Return what is known in a case by path, as it would be typed; facts of a ruleset's own are not read."""
    known = {path: case.get(path) for path in FACTS}
    return {path: typed(FACTS[path].kind, value) for path, value in known.items() if value is not None}


_DOES: Final[Mapping[str, Callable[..., Any]]] = {"form": form, "answer": answer, "read_link": read_link}

"""What is said of a verdict, and to whom: an outline, before it is given a form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import attrs

from covrules.codes.denials import CARC, RARC
from covrules.deciding_words import COVERAGE, coverage_word, deciding_words
from covrules.declaring import Who
from covrules.errors import one_of, shown
from covrules.findings import Finding
from covrules.questions import by_person
from covrules.rule import Denial, Rule, Source
from covrules.verdicts import Coverage, Verdict

if TYPE_CHECKING:
    from covrules.questions import Question
    from covrules.remedies import Remedy

Mark = Literal["yes", "no", "part", "open", "note"]

_MARKS: Final[Mapping[Coverage, Mark]] = {
    "covered": "yes",
    "partial": "part",
    "not-covered": "no",
    "undetermined": "open",
}
ASKED: Final[Mapping[Who, str]] = {
    "patient": "Ask the patient",
    "doctor": "Ask the doctor's office",
    "clinic": "Look up at the clinic",
    "insurer": "Ask the insurer",
}
_ASKED_OF: Final[Mapping[Who, str]] = {
    "patient": "What we need to know from you",
    "doctor": "What the doctor's office will be asked",
    "clinic": "What the clinic will look up",
    "insurer": "What the insurer will be asked",
}
_WITH: Final[Mapping[Who, str]] = {
    "patient": "",
    "doctor": " (with the doctor's office)",
    "clinic": " (at the clinic)",
    "insurer": " (with the insurer)",
}
_MEANING: Final[Mapping[Coverage, str]] = {
    "covered": "From what is known, the plan pays for this visit.",
    "partial": "From what is known, the plan pays for a part of this visit.",
    "not-covered": "From what is known, the plan does not pay for this visit.",
    "undetermined": "Whether the plan pays can be said once the questions below are answered.",
}
_FEW: Final = 3
"""How many of the questions to others a patient is shown."""
_ENGINES: Final = {
    "checked": "two engines agree",
    "compiled": "decided by the compiled engine alone",
    "durable": "decided by durable_rules alone",
}


@attrs.frozen
class Detail:
    """A smaller thing said; `rule` is the rule it is the finding of, if it is one."""

    text: str = attrs.field(converter=shown)
    rule: Rule | None = None


def _details(said: Iterable[str | Detail]) -> tuple[Detail, ...]:
    return tuple(each if isinstance(each, Detail) else Detail(each) for each in said)


@attrs.frozen
class Line:
    """One thing said, with the smaller things said of it; `rule` is the rule it is the finding of, if it is one."""

    mark: Mark
    text: str = attrs.field(converter=shown)
    details: tuple[Detail, ...] = attrs.field(default=(), converter=_details)
    rule: Rule | None = None


@attrs.frozen
class Section:
    """Lines under a heading."""

    heading: str
    lines: tuple[Line, ...]


@attrs.frozen
class Outline:
    """All that is said, before it is given a form."""

    head: Line
    sections: tuple[Section, ...]
    foot: tuple[str, ...]


def outline(verdict: Verdict, for_: str = "front-desk") -> Outline:
    """Return what is to be said of a verdict to some reader, the most important first.

    Raises ValueError where there is no such reader among `AUDIENCES`.
    """
    if for_ not in AUDIENCES:
        raise ValueError(f"there is no audience {for_!r}: {one_of(AUDIENCES)}")
    return _TELLERS[for_](verdict).outline()


def headline(verdict: Verdict) -> str:
    """Return in a sentence what a verdict comes to."""
    return _Teller(verdict).head().text


def question_line(verdict: Verdict, question: "Question") -> Line:
    """Return a question, and what its answers decide at once."""
    return _Teller(verdict).question(question)


class _Teller:
    """What is said of a verdict to a front desk; others are told more, or less, or otherwise."""

    asked: Mapping[Who, str] = ASKED
    units = "unit"

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def outline(self) -> Outline:
        sections = (Section(heading, tuple(lines)) for heading, lines in self.sections())
        return Outline(self.head(), tuple(section for section in sections if section.lines), self.foot())

    def head(self) -> Line:
        coverage = self.verdict.coverage
        return Line(
            _MARKS[coverage],
            f"{COVERAGE[coverage]}{_amount(self.verdict, self.units)}{_elsewhere(self.verdict)}.",
            (self.summary(),),
        )

    def summary(self) -> str:
        """Return the sentence under the head."""
        return _tally(self.verdict)

    def sections(self) -> Iterator[tuple[str, Iterable[Line]]]:
        """Yield what is said under each heading, in order; a heading without lines is left out."""
        failed = [finding for finding in self.verdict.findings if finding.status in ("unmet", "capped")]
        yield "Why", (self.reason(finding) for finding in failed if finding.layer != "clinic")
        yield "At this clinic", self.acceptance(failed)
        yield "What would change this", _remedies(self.verdict)
        for who, questions in by_person(self.verdict.questions).items():
            yield self.asked[who], self.questions(who, questions)
        yield from self.more()
        yield "Good to know", (Line("note", text, rule=rule) for rule, text in self.verdict.advising)

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        """Yield what is said after the questions."""
        findings = self.verdict.findings
        later = [finding for finding in findings if finding.status == "later"]
        yield "Later", (Line("note", f"{finding.title}.", rule=self.rule(finding)) for finding in later)

    def foot(self) -> tuple[str, ...]:
        return (self.verdict.disclaimer,)

    def reason(self, finding: Finding) -> Line:
        mark: Mark = "part" if finding.status == "capped" else "no"
        rule = self.rule(finding)
        said = rule.remedy if not self.verdict.remedies else None
        details = [self.to_do(said.who, said.action)] if said is not None else []
        return Line(mark, finding.because or f"Not so: {finding.title}.", (*details, *self.evidence(finding)), rule)

    def rule(self, finding: Finding) -> Rule:
        return self.verdict._ruleset.rule(finding.rule)

    def to_do(self, who: Who, action: str) -> str:
        return f"What to do ({who}): {action}"

    def evidence(self, finding: Finding) -> Iterable[str]:
        """Return what backs a reason: nothing that a front desk has to read."""
        return ()

    def acceptance(self, failed: list[Finding]) -> Iterator[Line]:
        if self.verdict.accepted_here is False:
            yield Line("no", "This clinic does not take the visit; that says nothing about what the insurer covers.")
            yield from (self.reason(finding) for finding in failed if finding.layer == "clinic")
        elif self.verdict.accepted_here is None:
            yield Line("open", "We do not know yet whether this clinic takes it.")

    def questions(self, who: Who, questions: Sequence["Question"]) -> Iterable[Line]:
        """Return the questions to one person."""
        return map(self.question, questions)

    def question(self, question: "Question") -> Line:
        return Line("open", question.ask, deciding_words(question, self.verdict._ruleset.vocabulary[question.fact]))


class _PatientTeller(_Teller):
    """What is said to a patient: what it means and what happens next, without what only an office can use."""

    asked = _ASKED_OF
    units = "billing unit"

    def summary(self) -> str:
        return _MEANING[self.verdict.coverage]

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        return iter(())

    def to_do(self, who: Who, action: str) -> str:
        return f"What to do{_WITH[who]}: {action}"

    def questions(self, who: Who, questions: Sequence["Question"]) -> Iterable[Line]:
        if who == "patient":
            return super().questions(who, questions)
        few = [Line("open", question.ask) for question in questions[:_FEW]]
        more = len(questions) - _FEW
        return [*few, Line("open", f"and {more} more, depending on the answers.")] if more > 1 else few


class _BillerTeller(_Teller):
    """What is said to who bills: all of it, with the codes, the rules and what was read."""

    def more(self) -> Iterator[tuple[str, Iterable[Line]]]:
        yield "Waived", _waived(self.verdict)
        yield from super().more()

    def foot(self) -> tuple[str, ...]:
        rules = self.verdict.ruleset
        on = f" as of {rules.as_of}" if rules.as_of else ""
        by = f"for a {self.verdict.stage} visit; {_ENGINES[self.verdict.engine]}"
        return (f"Rules: {rules.id} {rules.version}{on}, {by}.", *super().foot())

    def evidence(self, finding: Finding) -> Iterable[str]:
        if finding.denial is not None:
            yield f"Denial code: {codes_in_words(finding.denial)}"
        yield f"Rule: {finding.rule} ({finding.title})"
        yield from (f"Source: {cited(source)}" for source in finding.cites)


_TELLERS: Final[Mapping[str, type[_Teller]]] = {
    "front-desk": _Teller,
    "patient": _PatientTeller,
    "biller": _BillerTeller,
}
AUDIENCES: Final = tuple(_TELLERS)
"""Who a verdict can be explained to."""


def _amount(verdict: Verdict, noun: str) -> str:
    units = verdict.units
    if units.requested is None or units.covered is None or verdict.coverage == "not-covered":
        return ""
    if verdict.coverage == "partial":
        return f": {units.covered} of {many(units.requested, noun)}"
    return f": {many(units.requested, noun)}"


def _elsewhere(verdict: Verdict) -> str:
    paid = verdict.coverage in ("covered", "partial")
    return ", but not at this clinic" if paid and verdict.accepted_here is False else ""


def many(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> many(1, "unit"), many(2, "unit")
    ('1 unit', '2 units')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tally(verdict: Verdict) -> str:
    names = {
        "unmet": "not met", "capped": "capped", "unknown": "not known yet", "met": "met", "waived": "waived",
        "not-applicable": "not asked here",
        "later": "not asked yet",
    }  # fmt: skip
    findings = zip(verdict._ruleset.rules, verdict.findings, strict=True)
    statuses = [finding.status for rule, finding in findings if rule.decides]
    counts = {word: statuses.count(status) for status, word in names.items()}  # type: ignore[arg-type]
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"Of {many(len(statuses), 'rule')}: {said}."


def codes(denial: Denial) -> str:
    """Return the codes of a denial as they are said."""
    return f"CARC {denial.carc}" + (f", RARC {', '.join(denial.rarc)}" if denial.rarc else "")


def codes_in_words(denial: Denial) -> str:
    """Return the codes of a denial, and in brackets what those mean that are known."""
    meaning = meaning_of(denial)
    return codes(denial) + (f" ({meaning})" if meaning else "")


def meaning_of(denial: Denial) -> str:
    """Return what those codes of a denial mean that are known; nothing if none is."""
    known = [CARC.get(denial.carc), *map(RARC.get, denial.rarc)]
    return "; ".join(code.meaning for code in known if code)


def cited(source: Source) -> str:
    """Return what was read, where in it, and where it can be had."""
    return ", ".join(filter(None, (source.title, source.section, source.url)))


def _waived(verdict: Verdict) -> Iterator[Line]:
    for finding in verdict.findings:
        if finding.waived_by:
            by = ", ".join(verdict._ruleset.rule(id).title for id in finding.waived_by)
            rules = f"Rule: {finding.rule}, waived by {', '.join(finding.waived_by)}"
            rule = verdict._ruleset.rule(finding.rule)
            yield Line("note", f"{finding.title}: not asked. {by}.", (rules,), rule)


def barred(verdict: Verdict) -> str:
    """Return the sentence that nobody can mend what stands in the way."""
    at_the_clinic = all(verdict.finding(rule).layer == "clinic" for rule in verdict.unmendable)
    what = "makes this clinic take the visit" if at_the_clinic else "makes the insurer pay for this visit"
    return f"Nothing that people can still change {what}."


def _remedies(verdict: Verdict) -> Iterator[Line]:
    if verdict.unmendable:
        barring = [(verdict.finding(id), verdict._ruleset.rule(id)) for id in verdict.unmendable]
        told = [Detail(finding.because or finding.title, rule) for finding, rule in barring]
        yield Line("no", f"{barred(verdict)} In the way:", told)
    for remedy in verdict.remedies:
        steps = [f"{step.who.capitalize()}: {step.action.rstrip('.')}." for step in remedy.steps]
        if len(steps) > 1:
            steps = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
        yield Line("note", f"{' '.join(steps)} Then: {coverage_word(remedy.coverage)}{_then_here(verdict, remedy)}.")


def _then_here(verdict: Verdict, remedy: "Remedy") -> str:
    if remedy.accepted_here is False:
        return ", but not at this clinic"
    return ", and this clinic takes it" if remedy.accepted_here and not verdict.accepted_here else ""

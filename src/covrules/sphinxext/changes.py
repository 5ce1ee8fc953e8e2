"""What is different between two rules: from one version to the next, or from what is replaced to what stands there."""

from collections.abc import Iterator
from typing import Final

from covrules.outlines import codes_in_words
from covrules.rule import Rule
from covrules.showing import Piece, Vocabulary, cap_pieces, condition_pieces, condition_words, template_pieces

Change = tuple[str, list[Piece], list[Piece]]
"""What is different, and how it was and is."""

NOTHING: Final[list[Piece]] = [("nothing", None)]
"""What is said where there was, or is, nothing."""


def changes(older: Rule, newer: Rule, known: Vocabulary) -> list[Change]:
    """Return what is different of a rule; sources and examples are not looked at."""
    was, is_ = dict(_aspects(older, known)), dict(_aspects(newer, known))
    return [
        (aspect, was.get(aspect) or NOTHING, is_.get(aspect) or NOTHING)
        for aspect in dict.fromkeys([*was, *is_])
        if was.get(aspect) != is_.get(aspect)
    ]


def _aspects(rule: Rule, known: Vocabulary) -> Iterator[tuple[str, list[Piece]]]:
    yield "title", [(rule.title, None)]
    yield "layer", [(rule.layer, None)]
    yield "stage", [(rule.stage, None)]
    if rule.applies is not None:
        yield "applies where", [*condition_pieces(rule.applies, known)]
    if rule.requires is not None:
        yield "requires that", [*condition_pieces(rule.requires, known)]
    if rule.caps is not None:
        yield "caps the units at", [*cap_pieces(rule.caps, known)]
    if rule.waives is not None:
        yield "waives", [(", ".join(rule.waives), None)]
    if rule.advises is not None:
        yield "advises", [*template_pieces(rule.advises)]
    if rule.unless is not None:
        yield "not where", [*condition_pieces(rule.unless, known)]
    if rule.because is not None:
        yield "if not, it says", [*template_pieces(rule.because)]
    if rule.remedy is not None:
        yield "what to do", [(f"{rule.remedy.action} ({rule.remedy.who})", None)]
    if rule.denial:
        said = (
            codes_in_words(denial) + (f" where {condition_words(denial.when, known)}" if denial.when else "")
            for denial in rule.denial
        )
        yield "denial code", [("; ".join(said), None)]

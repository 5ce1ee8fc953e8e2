"""A verdict that is decided while the documentation is built, with its findings linked to the pages of their rules."""

import datetime as dt

import attrs
from docutils import nodes

from covrules.api import evaluate
from covrules.case_files import placed, read_case, visit_date
from covrules.errors import EngineDisagreement, FactError, Problem, RulesetError, did_you_mean
from covrules.rendering import linked_html
from covrules.rule import Stage
from covrules.rulesets import Ruleset
from covrules.sphinxext.building import Made, drawing
from covrules.sphinxext.catalogue import Catalogue, key_of
from covrules.sphinxext.flow import RULE_ADDRESS


@attrs.frozen
class Asked:
    """A case to be decided: the bytes of its file, what errors call it, by which rules, when, and for whom."""

    case: bytes
    name: str
    ruleset: str
    stage: Stage = "planned"
    as_of: dt.date | None = None
    for_: str = "front-desk"


def embedded_verdict(catalogue: Catalogue, asked: Asked) -> Made:
    """Return the verdict on a case; without one, what is wrong with the case or with the rules."""
    try:
        day = visit_date(asked.case, asked.name) or asked.as_of
        ruleset = _ruleset(catalogue, asked, day)
        case = read_case(asked.case, asked.name, ruleset.declares)
        verdict = evaluate(ruleset, case, stage=asked.stage, as_of=asked.as_of)
    except FactError as error:
        problems = placed(error, asked.case, asked.name).problems
        return Made(nodes.container(), problems=tuple(map(str, problems)))
    except RulesetError as error:
        return Made(nodes.container(), problems=tuple(map(str, error.problems)))
    except EngineDisagreement as error:
        return Made(nodes.container(), problems=(str(error),))
    markup = linked_html(verdict, asked.for_, lambda rule: f"{RULE_ADDRESS}{key_of(rule)}")
    text = verdict.explain(asked.for_)
    return Made(drawing(markup, nodes.literal_block(text, text)))


def _ruleset(catalogue: Catalogue, asked: Asked, day: dt.date | None) -> Ruleset:
    """Return the ruleset asked for, of several versions that of the day; raises RulesetError."""
    versions = catalogue.versions.get(asked.ruleset)
    if versions is None:
        message = f"there is no ruleset {asked.ruleset} in this documentation"
        raise RulesetError([Problem(message=message, hint=did_you_mean(asked.ruleset, catalogue.versions))])
    in_force = [ruleset for ruleset in versions if day is None or ruleset.effective.holds(day)]
    if not in_force:
        hint = "in force are " + ", ".join(f"{each.version} ({each.effective})" for each in versions)
        raise RulesetError([Problem(message=f"no version of {asked.ruleset} is in force on {day}", hint=hint)])
    return in_force[-1]

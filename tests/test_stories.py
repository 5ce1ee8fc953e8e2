"""Stories written from the sources alone, apart from the rules: what a quoted sentence makes of a favourable case."""

from pathlib import Path

import pytest
import yaml

import covrules
from covrules.case_files import read_case
from covrules.derived import value_of
from covrules.facts import FACTS
from covrules.library import shipped

FILES = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in Path(__file__).parent.glob("stories/*.yaml")}
FAVOURABLE = FILES.pop("favourable")
STORIES = [
    pytest.param(id, story, id=f"{id}: {story.get('story')}") for id in sorted(FILES) for story in FILES[id]["stories"]
]


def put_over(facts, changes):
    """Return groups of facts with changes to them; null makes a fact unknown."""
    groups = {group: dict(values) for group, values in facts.items()}
    for group, values in changes.items():
        groups[group] = {**groups.get(group, {}), **values}
    return groups


def favourable(id):
    """Return the favourable case of a file, without what its ruleset says itself."""
    facts = put_over(put_over(FAVOURABLE, FILES[id].get("case", {})), {"own": FILES[id].get("own", {})})
    for path in covrules.load(id).fixed:
        group, _, name = path.partition(".")
        facts[group].pop(name, None)
    return facts


def told(id, given):
    ruleset = covrules.load(id)
    text = yaml.safe_dump(put_over(favourable(id), given))
    return ruleset.evaluate(read_case(text.encode(), f"{id}.yaml", ruleset.declares))


def found(key, said, id, verdict):
    """Return what the verdict says of a key of `then`; of questions and statuses, of those that are said."""
    match key:
        case "coverage":
            return verdict.coverage
        case "accepted_here":
            return verdict.accepted_here
        case "units":
            return verdict.units.covered
        case "asks":
            return [path for path in said if path in {question.fact for question in verdict.questions}]
        case "statuses":
            return {rule: verdict.finding(rule).status for rule in said}
        case "denied_with":
            return sorted({finding.denial.carc for finding in verdict.findings if finding.denial})
        case "advises":
            more = len(verdict.advice) - len(told(id, {}).advice)
            return {0: False, 1: True}.get(more, more)
    raise AssertionError(f"{key} is nothing a story can tell")


@pytest.mark.parametrize(("id", "story"), STORIES)
def test_the_rules_tell_the_story_as_its_source_does(id, story):
    assert story.keys() == {"story", "sentence", "source", "given", "then"}
    assert all(story.values())
    verdict = told(id, story["given"])
    assert {key: found(key, said, id, verdict) for key, said in story["then"].items()} == story["then"]


@pytest.mark.parametrize("id", sorted(FILES))
def test_the_favourable_case_is_covered(id):
    verdict = told(id, {})
    assert (verdict.coverage, verdict.accepted_here, verdict.units.covered) == ("covered", True, 4), verdict.explain()


@pytest.mark.parametrize("id", sorted(FILES))
def test_a_file_tells_at_least_five_stories_of_its_ruleset(id):
    assert {"ruleset", "stories"} <= FILES[id].keys() <= {"ruleset", "own", "case", "stories"}
    assert FILES[id]["ruleset"] == id
    assert len({story["story"] for story in FILES[id]["stories"]}) == len(FILES[id]["stories"]) >= 5


def test_every_sourced_ruleset_has_its_stories():
    sourced = {id for id in shipped() if covrules.load(id).status == "sourced"}
    assert set(FILES) == sourced


def test_in_the_favourable_case_everything_is_known():
    case = read_case(yaml.safe_dump(FAVOURABLE).encode(), "favourable.yaml")
    assert [path for path, fact in FACTS.items() if value_of(case, fact) is None] == []
    verdict = covrules.load("medical-massage").evaluate(case, stage="billed")
    assert (verdict.coverage, verdict.accepted_here, verdict.units.covered) == ("covered", True, 4)
    assert verdict.advice == ()

"""How near the order of the questions comes to the best there could be, and what it spares made-up patients."""

import random
from functools import cache
from itertools import islice
from statistics import fmean

import attrs
import pytest
from benchmarks import asking
from benchmarks.asking import Interview
from benchmarks.patients import POPULATIONS, asked_of, plausible

import covrules
import generators
from covrules import Case
from covrules.answers import answers_of
from covrules.facts import by_group, case_of

BASE = covrules.load("medical-massage")
MOST_ANSWERS = 4
MOST_UNKNOWN = 5
NEAR = 1.03
"""What the order may take more than the best there could be."""
ORDERS = (asking.most_telling, asking.first_in_file, asking.on_a_form)
COVERAGES = ("covered", "partial", "not-covered")


@attrs.frozen(eq=False)
class Game:
    """A case with a few facts unknown, each of which has a few answers that are equally likely."""

    ruleset: object
    given: dict
    answers: dict

    def verdict(self, known):
        return self.ruleset.evaluate(case_of(by_group(self.given | dict(known))), engine="compiled")

    def after(self, known, path):
        """Return what can be known once a fact has been asked for."""
        return [known | {(path, answer)} for answer in self.answers[path]]

    def expected(self, order):
        """Return how many questions are asked on average in an order."""

        @cache
        def asked(known):
            verdict = self.verdict(known)
            if asking.is_determined(verdict):
                return 0
            return 1 + fmean(map(asked, self.after(known, order(verdict))))

        return asked(frozenset())

    def best(self):
        """Return how few questions are enough on average, whatever is asked next at each turn."""

        @cache
        def asked(known):
            if asking.is_determined(self.verdict(known)):
                return 0
            left = self.answers.keys() - {path for path, _ in known}
            return 1 + min(fmean(map(asked, self.after(known, path))) for path in left)

        return asked(frozenset())


def games(seed, count):
    """Return games, as many as are asked for, with generated rulesets that fix nothing and are the same on all days."""
    rnd = random.Random(seed)
    found = []
    while len(found) < count:
        ruleset = generators.resolved([generators.ruleset_data(rnd, rnd.choice([1, 2, 3]))])
        if ruleset.dated or ruleset.fixed:
            continue
        case = rnd.choice([Case(), generators.case_for(rnd, ruleset)])
        verdict = ruleset.evaluate(case, engine="compiled")
        given = {path: value for path in ruleset.vocabulary if (value := verdict._case.get(path)) is not None}
        unknown = [f.path for f in generators.needed(ruleset) if not f.derived_from and f.path not in given]
        if not 2 <= len(unknown) <= MOST_UNKNOWN or len(verdict.questions) < 2:
            continue
        answers = {}
        for path in unknown:
            told_apart = answers_of(ruleset).to(path, given)
            answers[path] = rnd.sample(told_apart, min(MOST_ANSWERS, len(told_apart)))
        found.append(Game(ruleset, given, answers))
    return found


def test_the_order_comes_near_the_best_there_could_be_and_is_better_than_the_order_of_the_file():
    played = games(1, 40)
    best = [game.best() for game in played]
    ours = [game.expected(asking.most_telling) for game in played]
    assert all(one >= least - 1e-9 for one, least in zip(ours, best, strict=True))
    assert fmean(ours) <= NEAR * fmean(best)
    assert fmean(ours) < fmean(game.expected(asking.first_in_file) for game in played)


def test_the_best_leaves_out_what_need_not_be_asked():
    """A plan that needs no paper makes the paper needless; one asked about the paper first learns the same of it."""
    data = {"schema": "covrules/1", "id": "one", "title": "One", "status": "illustrative", "version": "1"}
    rule = {"id": "paper", "title": "Paper", "layer": "plan", "because": "No.", "denial": [{"carc": "50"}]}
    rule |= {"applies": {"plan.referral_required": True}, "requires": {"referral.on_file": True}}
    ruleset = generators.resolved([data | {"rules": [rule]}])
    game = Game(ruleset, {}, {"plan.referral_required": [True, False], "referral.on_file": [True, False]})
    assert game.best() == game.expected(asking.most_telling) == 1.5
    assert game.expected(lambda verdict: [*verdict.questions][-1].fact) == 1.5


def test_patients_are_asked_clearly_less_than_on_a_form():
    patients = [asked_of(BASE, patient) for patient in islice(plausible(1), 24)]
    counts = {order: [Interview(BASE, order).count(patient) for patient in patients] for order in ORDERS}
    ours, in_file, form = map(fmean, counts.values())
    assert ours <= 0.95 * form
    assert ours <= 0.95 * in_file
    assert in_file <= form


def test_what_is_first_in_the_file_is_asked_for():
    rnd = random.Random(5)
    for _ in range(20):
        verdict = BASE.evaluate(generators.case_for(rnd, BASE), engine="compiled")
        if not asking.is_determined(verdict):
            asked = {question.fact for question in verdict.questions}
            first = next(path for path in asking.missed(verdict) if path in asked)
            assert asking.first_in_file(verdict) == first
            assert asking.any_at_all(rnd, verdict) in asked


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=[*POPULATIONS])
def test_patients_are_the_same_for_the_same_seed_and_say_all_that_could_be_asked(population):
    few = [*islice(population(3), 5)]
    assert few == [*islice(population(3), 5)] != [*islice(population(4), 5)]
    for patient in few:
        assert asking.is_determined(asking.verdict_on(BASE, asked_of(BASE, patient)))


def test_most_patients_of_the_plausible_world_are_in_order():
    said = [asking.verdict_on(BASE, asked_of(BASE, patient)) for patient in islice(plausible(2), 400)]
    shares = {each: sum(verdict.coverage == each for verdict in said) / len(said) for each in COVERAGES}
    assert 0.4 <= shares["covered"] <= 0.6
    assert 0.1 <= shares["partial"] <= 0.25
    assert 0.25 <= shares["not-covered"] <= 0.4
    assert sum(verdict.accepted_here for verdict in said) / len(said) >= 0.85


def test_the_benchmark_prints_a_row_for_each_order_and_population(capsys):
    asking.main(["--patients", "2", "--seed", "9"])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "2 plausible patients, seed 9: " in printed.out
    assert "2 uniform patients, seed 9: " in printed.out
    first, second = (text.split("\n\n")[0].strip().split("\n") for text in printed.out.split("\n\n")[1::2])
    for lines in (first, second):
        assert len(lines) == 5
        assert len({len(line) for line in lines}) == 1
        assert lines[1].startswith("the order of the questions")
        assert lines[1].endswith(" 1.00")


def test_the_benchmark_wants_patients_enough_for_quartiles(capsys):
    with pytest.raises(SystemExit):
        asking.main(["--patients", "1"])
    assert "--patients must be at least 2" in capsys.readouterr().err

"""Comparisons and sweeps add up to what evaluating every visit by itself finds; figures show what they say."""

import itertools
import json
import random
import subprocess
import sys
from collections import Counter

import duckdb
import polars as pl
import pytest
from benchmarks.patients import plausible

import covrules
import generators
from covrules import ANY, UNLIMITED, FactError, RulesetError, case_from_dict, kinds
from covrules.comparing import compare
from covrules.deciding_words import COVERAGE
from covrules.facts import FACTS
from covrules.loading import read_ruleset
from covrules.plots import COLOURS
from covrules.sweeping import COVERAGES, sweep

BASE = covrules.load("medical-massage")
WHAT_IF = BASE.vary({"plan.units_per_visit": 3, "plan.visits_per_year": 10, "rules.no-other-payer": None})


# --- visits as frames and as cases ------------------------------------------------------------------------------


def in_column(value):
    """Return a value of a fact as a column has it."""
    if value is ANY:
        return ["any"]
    if value is UNLIMITED:
        return int(value)
    return kinds.plain(value)


def frame_of(visits, vocabulary=FACTS):
    """Return visits, each its facts by path, as a Polars frame."""
    paths = dict.fromkeys(path for visit in visits for path in visit)
    columns = {path: [in_column(visit.get(path)) for visit in visits] for path in paths}
    dates = {path for path in paths if isinstance(vocabulary[path].kind, kinds.Date)}
    return pl.DataFrame({path: pl.Series(values, strict=False) for path, values in columns.items()}).with_columns(
        pl.col(path).cast(pl.String) for path in dates
    )


def decided(ruleset, visit):
    """Return the verdict on one visit by itself, in which what the ruleset fixes stands in the place of the facts."""
    data = {}
    for path, value in visit.items():
        group, _, name = path.partition(".")
        if value is not None and path not in getattr(ruleset, "varied", ()):
            data.setdefault(group, {})[name] = value
    return ruleset.evaluate(case_from_dict(data), engine="compiled")


def patients(many, seed=1, unknown=0.02):
    rnd = random.Random(seed)
    return [
        {path: None if rnd.random() < unknown else value for path, value in patient.items()}
        for patient in itertools.islice(plausible(seed), many)
    ]


VISITS = patients(120)
FRAME = frame_of(VISITS)
PAIRS = [(decided(BASE, visit), decided(WHAT_IF, visit)) for visit in VISITS]


def differs(before, after):
    units = before.units.covered, after.units.covered
    return before.coverage != after.coverage or (None not in units and units[0] != units[1])


def counted(pairs, groups=None):
    """Return how many visits there are of each group, coverage before and after, and whether they change."""
    counts = Counter()
    for number, (before, after) in enumerate(pairs):
        group = () if groups is None else (groups[number],)
        counts[group, before.coverage, after.coverage, differs(before, after)] += 1
    return counts


def flowing(comparison):
    counts = Counter()
    for flow in comparison.flows:
        counts[flow.group, flow.before, flow.after, flow.changes] += flow.visits
    return counts


# --- comparisons ------------------------------------------------------------------------------------------------


def test_counts_are_those_of_every_visit_by_itself():
    comparison = compare(BASE, WHAT_IF, FRAME)
    assert flowing(comparison) == counted(PAIRS)
    assert comparison.total == len(VISITS)
    assert comparison.total_changed == sum(differs(*pair) for pair in PAIRS) > 30
    known = [(b.units.covered, a.units.covered) for b, a in PAIRS if None not in (b.units.covered, a.units.covered)]
    assert comparison.units_gained == sum(max(after - before, 0) for before, after in known) > 0
    assert comparison.units_lost == sum(max(before - after, 0) for before, after in known) > 0


def test_counts_by_group():
    payers = [visit["plan.payer"] for visit in VISITS]
    comparison = compare(BASE, WHAT_IF, FRAME, by="plan.payer")
    assert flowing(comparison) == counted(PAIRS, payers)
    # A fact that is varied is still a column to group by.
    units = [in_column(visit["plan.units_per_visit"]) for visit in VISITS]
    assert flowing(compare(BASE, WHAT_IF, FRAME, by=["plan.units_per_visit"])) == counted(PAIRS, units)
    both = compare(BASE, WHAT_IF, FRAME, by=["plan.payer", "plan.accepted_prescribers"])
    assert all(isinstance(flow.group[1], (tuple, type(None))) for flow in both.flows)
    assert both.total == len(VISITS)
    assert {row[1] for row in both.table().rows} >= {"any", "MD, DO, NP and PA"}
    assert "unlimited" in compare(BASE, WHAT_IF, FRAME, by="plan.units_per_visit").to_text()


def test_the_visits_that_change_are_shown_before_and_after():
    comparison = compare(BASE, WHAT_IF, FRAME.with_columns(number=pl.int_range(pl.len())))
    changed = comparison.changed
    assert changed.columns == [
        *FRAME.columns, "number", "coverage_before", "coverage_after", "units_before", "units_after", "because_of",
    ]  # fmt: skip
    assert changed["number"].to_list() == [number for number, pair in enumerate(PAIRS) if differs(*pair)]
    for row in changed.iter_rows(named=True):
        before, after = PAIRS[row["number"]]
        assert (row["coverage_before"], row["coverage_after"]) == (before.coverage, after.coverage)
        assert (row["units_before"], row["units_after"]) == (before.units.covered, after.units.covered)
        assert row["plan.units_per_visit"] == in_column(VISITS[row["number"]]["plan.units_per_visit"])
        assert turned(before, after, row["because_of"])


def turned(before, after, rule):
    """Return whether a rule differs between two verdicts, or caps in both."""
    statuses = [{finding.rule: finding.status for finding in each.findings}.get(rule) for each in (before, after)]
    return statuses[0] != statuses[1] or statuses == ["capped", "capped"]


def test_random_rulesets_and_what_they_become():
    rnd = random.Random(11)
    changes = 0
    for _ in range(12):
        before = generators.ruleset(rnd, rules=4)
        while before.dated:
            before = generators.ruleset(rnd, rules=4)
        path = rnd.choice([path for path in before.facts if path != "visit.date" and path not in before.fixed])
        free = [rule.id for rule in before.rules if rule.layer != "mandate"]
        value = generators.plain_value(rnd, before.vocabulary[path].kind)
        after = before.vary({path: value, **{f"rules.{id}": None for id in free[:1]}})
        cases = [generators.case_data(rnd, generators.needed(before)) for _ in range(25)]
        visits = [
            {
                f"{group}.{name}": before.vocabulary[f"{group}.{name}"].kind.parse(value)
                for group, facts in case.items()
                for name, value in facts.items()
                if f"{group}.{name}" not in before.fixed
            }
            for case in cases
        ]
        if not any(visits):
            continue
        frame = frame_of(visits, before.vocabulary).with_columns(id=1)
        pairs = [(decided(before, visit), decided(after, visit)) for visit in visits]
        comparison = compare(before, after, frame)
        assert flowing(comparison) == counted(pairs)
        changed = [pair for pair in pairs if differs(*pair)]
        for pair, rule in zip(changed, comparison.changed["because_of"], strict=True):
            assert rule is None or turned(*pair, rule)
        changes += len(changed)
    assert changes > 20


def small(*rules, **more):
    data = {
        "schema": "covrules/1", "id": "small", "title": "Small", "status": "illustrative", "version": "1",
        "rules": list(rules), **more,
    }  # fmt: skip
    return read_ruleset(json.dumps(data).encode(), "small.yaml")


SMALL = small(
    {"id": "clinic", "title": "Of the clinic", "layer": "clinic", "requires": {"provider.network": "in"}},
    {"id": "cap", "title": "A <cap> & more", "caps": {"visit.units": "$plan.units_per_visit"}},
    {"id": "purpose", "title": "Treatment", "requires": {"visit.purpose": "treatment"}},
    {"id": "liability", "title": "No other payer", "requires": {"visit.liability": "none"}},
)
FINE = {"visit.units": 4, "plan.units_per_visit": 4, "visit.purpose": "treatment", "visit.liability": "none"}
REASONS = [
    # What the visit has otherwise, what is varied, coverage before and after, because of which rule.
    ({}, {"plan.units_per_visit": 3}, "covered", "partial", "cap"),
    ({}, {"plan.units_per_visit": 0}, "covered", "not-covered", "cap"),
    ({"plan.units_per_visit": 3}, {"plan.units_per_visit": 2}, "partial", "partial", "cap"),
    ({"plan.units_per_visit": 3}, {"plan.units_per_visit": 0}, "partial", "not-covered", "cap"),
    ({"plan.units_per_visit": 0}, {"rules.cap": None}, "not-covered", "covered", "cap"),
    ({"plan.units_per_visit": 3}, {"rules.cap": {"caps": {"visit.units": 2}}}, "partial", "partial", "cap"),
    ({"visit.purpose": "wellness"}, {"rules.purpose": None}, "not-covered", "covered", "purpose"),
    ({"visit.purpose": None}, {"rules.purpose": None}, "undetermined", "covered", "purpose"),
    # The requirement decides, though the cap comes before it and turns as well.
    (
        {"visit.purpose": "wellness"},
        {"rules.purpose": None, "plan.units_per_visit": 3},
        "not-covered",
        "partial",
        "purpose",
    ),
    ({"visit.purpose": None}, {"rules.purpose": None, "plan.units_per_visit": 3}, "undetermined", "partial", "purpose"),
    # The cap decides, though the requirement turns from unknown.
    ({"visit.purpose": None, "plan.units_per_visit": 0}, {"rules.purpose": None, "plan.units_per_visit": 4},
     "not-covered", "covered", "cap"),
    ({"visit.liability": "auto"}, {"rules.liability": {"requires": {"visit.liability": ["none", "auto"]}}},
     "not-covered", "covered", "liability"),
    ({"visit.purpose": "wellness"},
     {"rules.purpose": None, "rules.liability": {"requires": {"visit.liability": "auto"}}},
     "not-covered", "not-covered", None),
]  # fmt: skip


@pytest.mark.parametrize(("visit", "changes", "before", "after", "rule"), REASONS)
def test_a_change_is_put_down_to_the_rule_that_decides_it(visit, changes, before, after, rule):
    comparison = compare(SMALL, SMALL.vary(changes), frame_of([FINE | visit]))
    (flow,) = comparison.flows
    assert (flow.before, flow.after, flow.because_of) == (before, after, rule)
    assert flow.changes == (rule is not None)
    assert comparison.counts.height == int(flow.changes)
    assert comparison.to_frame().height == 1


def test_what_no_rule_turned_has_no_one_rule_as_its_reason():
    timed = {"visit.minutes": 60, "plan.unit_rounding": "cms", "plan.unit_minutes": 15}
    bare = SMALL.vary({f"rules.{rule.id}": None for rule in SMALL.rules if rule.id != "purpose"}, "bare")
    comparison = compare(bare, bare.vary({"plan.unit_minutes": 30}), frame_of([FINE | timed | {"visit.units": None}]))
    (flow,) = comparison.flows
    assert (flow.changes, flow.because_of, flow.units_lost) == (True, None, 2)
    assert "no one rule" in comparison.to_text()
    assert comparison.changed["because_of"].to_list() == [None]


SMALL_CAP = {"id": "cap", "title": "Cap", "caps": {"visit.units": "$plan.units_per_visit"}}


def test_only_what_is_varied_stands_in_the_place_of_a_column():
    fixed = small(SMALL_CAP, facts={"plan.units_per_visit": {"value": 4}})
    frame = pl.DataFrame({"visit.units": [6], "plan.units_per_visit": [6]})
    with pytest.raises(FactError, match=r"plan\.units_per_visit"):
        compare(fixed, fixed, frame)
    (flow,) = compare(fixed.vary({"plan.units_per_visit": 5}), fixed.vary({"plan.units_per_visit": None}), frame).flows
    assert (flow.before, flow.after, flow.units_gained) == ("partial", "covered", 1)


def test_plans_of_their_own():
    visits = pl.DataFrame({"plan.id": ["a", "b", "a", "c", None], "visit.units": [4, 4, 6, 2, 2]})
    plans = pl.DataFrame({
        "plan.id": ["a", "b", "d"], "plan.units_per_visit": [4, 6, 1], "plan.payer": ["One", "Other", "None"],
        "note": ["x", "x", "y"],
    })  # fmt: skip
    ruleset = small(SMALL_CAP)
    comparison = compare(ruleset, ruleset.vary({"plan.units_per_visit": 3}), visits, plans, by=["plan.payer"])
    assert flowing(comparison) == {
        (("One",), "covered", "partial", True): 1,
        (("One",), "partial", "partial", True): 1,
        (("Other",), "covered", "partial", True): 1,
        ((None,), "undetermined", "covered", True): 2,
    }
    assert comparison.units_lost == 1 + 1 + 1
    assert "unknown" in comparison.to_text()
    by_note = compare(ruleset, ruleset.vary({"plan.units_per_visit": 3}), visits, plans, by=["note", "plan.id"])
    assert {flow.group for flow in by_note.flows} == {("x", "a"), ("x", "b"), (None, "c"), (None, None)}
    # Plans that are grouped alike are counted together.
    flows = compare(ruleset, ruleset.vary({"plan.units_per_visit": 3}), visits, plans, by="note").flows
    assert [(flow.group, flow.before, flow.visits) for flow in flows] == [
        (("x",), "covered", 2), (("x",), "partial", 1), ((None,), "undetermined", 2),
    ]  # fmt: skip
    swept = sweep(ruleset, {"plan.units_per_visit": [None, 1]}, visits, plans)
    assert [point.visits["undetermined"] for point in swept.points] == [2, 0]


def test_every_kind_of_frame():
    what_if = SMALL.vary({"plan.units_per_visit": 3, "rules.purpose": None})
    rows = [FINE, FINE | {"visit.purpose": "wellness"}, FINE | {"visit.units": None}, FINE | {"visit.liability": None}]
    frame = frame_of(rows).with_columns(payer=pl.Series(["x", None, "x", "y"]))
    expected = compare(SMALL, what_if, frame, by="payer")
    assert expected.total_changed == 2
    forms = {
        "lazy": frame.lazy(), "pandas": frame.to_pandas(), "pyarrow": frame.to_arrow(),
        "duckdb": duckdb.from_arrow(frame.to_arrow()),
    }  # fmt: skip
    for name, form in forms.items():
        comparison = compare(SMALL, what_if, form, by="payer")
        assert comparison.flows == expected.flows, name
        assert type(comparison.changed) is type(form)
        points = sweep(SMALL, {"plan.units_per_visit": [2, "unlimited"]}, form).points
        assert points == sweep(SMALL, {"plan.units_per_visit": [2, "unlimited"]}, frame).points
    assert compare(SMALL, what_if, frame.lazy()).changed.collect().equals(compare(SMALL, what_if, frame).changed)


def test_columns_of_any_name_come_back_as_they_were():
    odd = {"a.b": [1], "a․b": [2], "covrules.x": [3], "note": [4]}
    frame = frame_of([FINE]).hstack(pl.DataFrame(odd))
    changed = compare(SMALL, SMALL.vary({"plan.units_per_visit": 3}), frame, by=["a․b", "a.b"]).changed
    assert changed.columns[: len(frame.columns)] == frame.columns
    assert changed.select(*odd).row(0) == (1, 2, 3, 4)


def test_no_visits():
    empty = FRAME.head(0)
    comparison = compare(BASE, WHAT_IF, empty, by="plan.payer")
    assert (comparison.total, comparison.flows, comparison.units_lost) == (0, (), 0)
    assert comparison.counts.height == comparison.changed.height == 0
    assert comparison.to_text().startswith("0 of 0 visits change: ")
    swept = sweep(BASE, {"plan.units_per_visit": [1, 2]}, empty)
    assert swept.to_frame()["share covered"].to_list() == [None, None]
    assert "0 (-)" in swept.to_text()
    for figure in (comparison.plot(), comparison.plot_reasons(), swept.plot()):
        assert figure.axes


def test_what_cannot_be_compared_is_said():
    with pytest.raises(ValueError, match=r"no column 'plan.payr' to group by: did you mean plan\.payer\?"):
        compare(BASE, WHAT_IF, FRAME, by="plan.payr")
    with pytest.raises(FactError, match="units_before: there is a column of this name already"):
        compare(BASE, WHAT_IF, FRAME.with_columns(units_before=1))
    with pytest.raises(TypeError, match="got a list"):
        compare(BASE, WHAT_IF, VISITS)
    with pytest.raises(ValueError, match="stage"):
        compare(BASE, WHAT_IF, FRAME, stage="billing")


def test_the_stage_is_taken():
    later = small({"id": "late", "title": "Late", "requires": {"visit.purpose": "treatment"}, "from": "billed"})
    frame = pl.DataFrame({"visit.purpose": ["wellness"], "visit.units": [2]})
    without = later.vary({"rules.late": None})
    assert compare(later, without, frame).total_changed == 0
    assert compare(later, without, frame, stage="billed").total_changed == 1
    assert sweep(later, {"visit.purpose": ["wellness"]}, frame, stage="billed").points[0].visits["not-covered"] == 1


# --- how they are told ------------------------------------------------------------------------------------------


def test_a_comparison_in_words():
    comparison = compare(
        SMALL, SMALL.vary({"plan.units_per_visit": 3}), frame_of([FINE] * 1500 + [FINE | {"visit.units": 1}])
    )
    assert comparison.to_text().splitlines() == [
        "1,500 of 1,501 visits change (99.9%): 0 units gained, 1,500 lost.",
        "Before: Small.",
        "After: Small; varied: units paid a visit: 3.",
        "",
        "Before   After           Because of      Visits  Share  Units gained  Units lost",
        "Covered  Partly covered  A <cap> & more   1,500  99.9%             0       1,500",
    ]
    said = comparison.to_html()
    assert said == comparison._repr_html_()
    assert "A &lt;cap&gt; &amp; more" in said
    assert "<cap>" not in said
    assert repr(comparison) == "<Comparison of small and small-varied: 1500 of 1501 change>"
    assert comparison.counts.to_dicts() == [
        {
            "changes": True, "before": "covered", "after": "partial", "because_of": "cap", "reason": "A <cap> & more",
            "visits": 1500, "units_gained": 0, "units_lost": 1500,
        }
    ]  # fmt: skip
    assert comparison.to_frame()["visits"].sum() == 1501


def test_names_of_columns_and_groups_are_escaped():
    frame = frame_of([FINE]).with_columns(pl.Series("<b>", ["<i>"]))
    said = compare(SMALL, SMALL.vary({"plan.units_per_visit": 3}), frame, by="<b>").to_html()
    assert "&lt;b&gt;" in said
    assert "&lt;i&gt;" in said
    assert "<i>" not in said


# --- sweeps -----------------------------------------------------------------------------------------------------


def test_a_sweep_is_an_evaluation_at_every_point():
    visits = VISITS[:40]
    grid = {"plan.units_per_visit": [2, "unlimited", None], "plan.visits_per_year": [5, 20]}
    swept = sweep(BASE, grid, frame_of(visits))
    assert [tuple(point.values.values()) for point in swept.points] == [
        (2, 5), (2, 20), (UNLIMITED, 5), (UNLIMITED, 20), (None, 5), (None, 20),
    ]  # fmt: skip
    for point in swept.points:
        ruleset = BASE.vary(point.values)
        verdicts = [decided(ruleset, visit) for visit in visits]
        assert point.visits == {each: [v.coverage for v in verdicts].count(each) for each in COVERAGES}
        assert point.units_covered == sum(verdict.units.covered or 0 for verdict in verdicts)
    frame = swept.to_frame()
    assert frame["plan.units_per_visit"].to_list() == ["2", "2", "unlimited", "unlimited", None, None]
    assert frame["plan.visits_per_year"].to_list() == [5, 20] * 3
    assert frame["visits"].to_list() == [40] * 6
    assert frame["units_more"].to_list() == [p.units_covered - swept.points[0].units_covered for p in swept.points]
    shares = frame.select(f"share {coverage}" for coverage in COVERAGES).sum_horizontal()
    assert shares.to_list() == pytest.approx([1] * 6)


def test_a_sweep_in_words():
    frame = frame_of([FINE, FINE | {"visit.liability": "auto"}])
    swept = sweep(SMALL, {"plan.units_per_visit": (3, UNLIMITED)}, frame)
    assert swept.to_text().splitlines() == [
        "2 visits under: Small.",
        "",
        "Units paid a visit    Covered  Partly covered  Not covered  Not decided yet  Units covered  Difference",
        "3                    0 (0.0%)       1 (50.0%)    1 (50.0%)         0 (0.0%)              3",
        "unlimited           1 (50.0%)        0 (0.0%)    1 (50.0%)         0 (0.0%)              4          +1",
    ]
    assert "<td" in swept._repr_html_()
    assert repr(swept) == "<Sweep of small: 2 points>"
    sets = sweep(
        SMALL, {"plan.accepted_prescribers": [["DO", "MD"], "any"], "plan.prescription_required": [True, False]}, frame
    )
    assert [sets.words(point) for point in sets.points] == [
        ("MD and DO", "yes"), ("MD and DO", "no"), ("any", "yes"), ("any", "no"),
    ]  # fmt: skip


def test_everything_wrong_with_a_grid_is_said_at_once():
    with pytest.raises(RulesetError) as caught:
        sweep(
            BASE,
            {
                "plan.unit_per_visit": [1],
                "plan.units_per_visit": [],
                "plan.units_per_day": 4,
                "plan.visits_per_year": "10",
                "plan.accepted_prescribers": ["any", ["md"]],
            },
            FRAME,
        )
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("plan.unit_per_visit", "there is no such fact"),
        ("plan.units_per_visit", "found a list without values"),
        ("plan.units_per_day", "found a number"),
        ("plan.visits_per_year", "found text"),
        ("plan.accepted_prescribers", "found a list with a word that is not among them"),
    ]
    assert caught.value.problems[0].hint == "did you mean plan.units_per_visit?"
    with pytest.raises(RulesetError, match="a grid without facts"):
        sweep(BASE, {}, FRAME)
    with pytest.raises(RulesetError, match=r"visit\.date: is of the visit"):
        sweep(BASE, {"visit.date": ["2026-01-01"]}, FRAME)


# --- figures ----------------------------------------------------------------------------------------------------


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def drawn(figure):
    """Return a figure, drawn, so that what cannot be drawn is found."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    return figure


def test_the_flows_are_drawn():
    comparison = compare(BASE, WHAT_IF, FRAME)
    figure = drawn(comparison.plot())
    moved = {(flow.before, flow.after) for flow in comparison.flows}
    bars = {before for before, _ in moved}, {after for _, after in moved}
    assert len(figure.axes[0].patches) == len(moved) + len(bars[0]) + len(bars[1])
    said = texts(figure)
    assert sum(text in COVERAGE.values() for text in said) == len(bars[0]) + len(bars[1])
    before = Counter(before.coverage for before, _ in PAIRS)["covered"]
    assert f"{before:,} ({before / len(PAIRS):.1%})" in said
    assert comparison.sentences()[0].rstrip(".") in said
    from matplotlib.colors import to_hex

    assert {to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches} <= {*COLOURS.values()}


def test_the_reasons_are_drawn():
    comparison = compare(BASE, WHAT_IF, FRAME)
    figure = drawn(comparison.plot_reasons())
    reasons = Counter()
    for flow in comparison.flows:
        reasons[comparison.reason(flow)] += flow.visits if flow.changes else 0
    reasons = +reasons
    labels = [label.get_text().replace("\n", " ") for label in figure.axes[0].get_yticklabels()]
    assert labels == [reason for reason, _ in reasons.most_common()]
    assert {f"{many:,}" for many in reasons.values()} <= {*texts(figure)}
    become = {(flow.because_of, flow.after) for flow in comparison.flows if flow.changes}
    assert len(figure.axes[0].patches) == len(become)


def test_many_reasons_are_cut_short():
    rules = [{"id": f"r-{n}", "title": f"Rule {n}", "requires": {"visit.units": {"at_most": n}}} for n in range(20)]
    ruleset = small(*rules)
    frame = pl.DataFrame({"visit.units": [units for units in range(1, 21) for _ in range(units)]})
    rules_off = ruleset.vary({f"rules.r-{n}": {"requires": {"visit.units": {"at_most": 99}}} for n in range(20)})
    comparison = compare(rules_off, ruleset, frame)
    assert len(drawn(comparison.plot_reasons()).axes[0].get_yticklabels()) == min(15, comparison.counts.height)


def test_a_sweep_over_one_fact_is_drawn_as_curves():
    swept = sweep(BASE, {"plan.units_per_visit": [1, 2, 4, 8]}, FRAME)
    figure = drawn(swept.plot())
    shares, units = figure.axes
    present = [each for each in COVERAGES if any(point.visits[each] for point in swept.points)]
    assert len(shares.lines) == len(present) == len(shares.texts)
    assert [text.get_text() for text in units.texts] == [f"{point.units_covered:,}" for point in swept.points]
    assert [label.get_text() for label in units.get_xticklabels()] == ["1", "2", "4", "8"]
    assert [*units.get_xticks()] == [1, 2, 4, 8]
    words = drawn(sweep(BASE, {"plan.units_per_visit": [8, 4, "unlimited", None]}, FRAME).plot())
    assert [label.get_text() for label in words.axes[1].get_xticklabels()] == ["8", "4", "unlimited", "not fixed"]
    assert len(drawn(sweep(BASE, {"plan.units_per_visit": [2]}, FRAME).plot()).axes) == 2


def test_labels_of_curves_never_stand_on_each_other():
    figure = drawn(
        sweep(SMALL, {"plan.units_per_visit": [3, 4]}, frame_of([FINE, FINE | {"visit.liability": "auto"}])).plot()
    )
    places = sorted(text.xy[1] for text in figure.axes[0].texts)
    assert all(after - before > 0.08 for before, after in itertools.pairwise(places))


def test_a_sweep_over_two_facts_is_drawn_as_a_heat_map():
    swept = sweep(BASE, {"plan.units_per_visit": [1, "unlimited"], "plan.visits_per_year": [5, 10, 20]}, FRAME)
    (axes,) = drawn(swept.plot()).axes
    assert len(axes.patches) == 6
    assert len(axes.texts) == 12
    shares = [f"{point.visits['covered'] / point.total:.0%}" for point in swept.points]
    assert [text.get_text() for text in axes.texts][::2] == shares
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "unlimited"]
    three = {path: [1] for path in ("plan.units_per_visit", "plan.units_per_day", "plan.visits_per_year")}
    with pytest.raises(ValueError, match="this sweep varies 3"):
        sweep(BASE, three, FRAME).plot()


def test_without_matplotlib_it_is_said_how_to_get_it(monkeypatch):
    comparison = compare(SMALL, SMALL, frame_of([FINE]))
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'covrules\[plots\]'"):
        comparison.plot()


def test_what_only_figures_and_frames_need_is_imported_when_used():
    code = "import sys, covrules.comparing, covrules.plots; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"matplotlib", "polars", "narwhals", "pandas"} & {*loaded}

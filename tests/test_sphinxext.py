"""The Sphinx extension: small real builds of rulesets, in reST and in MyST, changed and built again."""

import html
import os
import re
import subprocess
import sys
from io import StringIO
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

import covrules
from covrules import truth
from covrules.cli import main
from covrules.codes.denials import CARC, RARC
from covrules.conditions import OPERATORS
from covrules.derived import value_of
from covrules.facts import FACTS
from covrules.mutation.trials import Trial
from covrules.rule import STATUSES
from covrules.showing import in_words
from covrules.sphinxext import catalogue as catalogues
from covrules.sphinxext import stubs
from covrules.sphinxext.decision_table import decision_table
from covrules.sphinxext.flow import picture
from covrules.verdicts import COVERAGE_MEANS

PLAN = """\
schema: covrules/1
id: {id}
title: {title}
status: illustrative
version: "{version}"
{effective}
sources:
  handbook: {{title: The handbook, section: Page 4, url: "https://example.org/handbook", read: 2026-01-02}}
facts:
  plan.payer: {{value: Example Health, cites: [handbook]}}
  plan.visits_per_year: {{value: {{2026-01-01: 12, 2026-07-01: 24}}, cites: [handbook]}}
declares:
  own.last_report_on: {{type: date, who: clinic, ask: When was the last report?, label: day of the last report}}
rules:
  - id: few-visits
    title: {few}
    applies: {{plan.massage_benefit: covered}}
    requires: {{history.visits_this_year: {{below: {most}}}}}
    because: "There were {{history.visits_this_year}} visits."
    remedy: {{who: patient, action: Wait for the new year.}}
    denial: {{carc: "119", rarc: [N362]}}
    cites: [handbook]
    examples:
      - {{given: {{plan.massage_benefit: covered, history.visits_this_year: 3}}, then: met}}
      - {{given: {{plan.massage_benefit: covered, history.visits_this_year: 20}}, then: {then}}}
  - id: emergencies
    title: An emergency needs no count
    applies: {{visit.purpose: treatment}}
    waives: [few-visits]
"""
MANDATE = """\
schema: covrules/1
id: my-mandate
title: My mandate
status: illustrative
version: "1"
extends: my-plan
disables: [emergencies]
rules:
  - id: few-visits
    title: Fewer visits by law
    layer: mandate
    requires: {history.visits_this_year: {below: 5}}
    because: "There were {history.visits_this_year} visits."
    denial: {carc: "151"}
"""


def plan(**changes):
    given = {
        "id": "my-plan", "title": "My plan", "version": "2026", "effective": "", "few": "Few visits", "most": 12,
        "then": "unmet",
    }  # fmt: skip
    return PLAN.format(**(given | changes))


class Site:
    """A folder of sources that is built, again and again."""

    def __init__(self, folder, conf="", **pages):
        self.folder = folder
        (folder / "rules").mkdir(parents=True)
        (folder / "conf.py").write_text(conf)
        for name, text in pages.items():
            self.write(name.replace("__", "/").replace("_md", ".md").replace("_rst", ".rst"), text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(self, builder="html", **settings):
        """Build, and return the pages read, the pages written and the warnings."""
        warnings = StringIO()
        out = self.folder / "_build" / builder
        told = {"nitpicky": True, "exclude_patterns": ["_build"], **settings}
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                self.folder, self.folder, out, self.folder / "_build/doctrees", builder, told, StringIO(), warnings
            )
            read, written = [], set()
            app.connect("env-before-read-docs", lambda app, env, names: read.extend(names))
            app.connect("html-page-context", lambda app, name, *_: written.add(name))
            app.build()
        written -= {"genindex", "search"}
        return sorted(read), written, re.sub("\x1b\\[[0-9;]*m", "", warnings.getvalue())

    def html(self, name, builder="html"):
        return (self.folder / "_build" / builder / f"{name}.html").read_text()

    def links(self, name):
        """Return where a page links to, from the folder of the build."""
        base = os.path.dirname(name)
        hrefs = re.findall(r'href="([^"#:]+)\.html(?:#[^"]*)?"', self.body(name))
        return {os.path.normpath(os.path.join(base, href)) for href in hrefs}

    def said(self, name):
        """Return the words of a page."""
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", html.unescape(self.body(name)))).replace("’", "'")
        return re.sub(r" (?=[.,:;)])", "", words)

    def body(self, name):
        return self.html(name).split('<div class="body" role="main">')[1].split('<div class="sphinxsidebar"')[0]


CONF = """
extensions = ["myst_parser", "covrules.sphinxext"]
covrules_rulesets = ["rules/my-plan.yaml", "rules/my-mandate.yaml"]
html_theme = "basic"
"""
TREE = "reference/rulesets/index\nreference/facts/index\nreference/codes/index\nreference/tests\nreference/statuses\n"
INDEX = f"""\
# My rules

```{{toctree}}
{TREE}
story
```
"""
STORY = """\
Story
=====

Of :covrules:ruleset:`my-plan` the rule :covrules:rule:`emergencies`, :covrules:rule:`the law <my-mandate/few-visits>`,
:covrules:fact:`history.visits_this_year`, :covrules:code:`carc 119`, :covrules:code:`RARC N362`,
:covrules:test:`below` and :covrules:status:`unmet`. Also :any:`plan.payer`.

.. covrules:verdict::
   :ruleset: my-plan
   :for: biller

   plan: {massage_benefit: covered}
   visit: {date: 2026-06-15, purpose: wellness}
   history: {visits_this_year: 15}

.. covrules:verdict:: case.yaml
   :ruleset: my-mandate
   :as-of: 2026-06-15
   :for: patient
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"), CONF, index_md=INDEX, story_rst=STORY)
    made.write("rules/my-plan.yaml", plan())
    made.write("rules/my-mandate.yaml", MANDATE)
    made.write("case.yaml", "history: {visits_this_year: 7}")
    made.first = made.build()
    return made


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_ruleset_of_ones_own_is_documented_without_a_warning(site):
    read, _, warnings = site.first
    assert warnings == ""
    for name in ("rulesets/my-plan", "rules/my-plan/few-visits", "facts/own.last_report_on", "codes/carc-119"):
        assert f"reference/{name}" in read


def test_links_run_both_ways(site):
    rule = "reference/rules/my-plan/few-visits"
    there = {
        "reference/rulesets/my-plan",
        "reference/facts/history.visits_this_year",
        "reference/facts/plan.massage_benefit",
        "reference/codes/carc-119",
        "reference/codes/rarc-n362",
        "reference/rules/my-plan/emergencies",
        "reference/rules/my-mandate/few-visits",
        "reference/statuses",
    }
    assert there <= site.links(rule)
    for page in there - {"reference/statuses", "reference/rulesets/my-plan"}:
        assert rule in site.links(page), page
    assert rule in site.links("reference/rulesets/my-plan")
    assert "reference/rulesets/my-plan" in site.links("reference/rulesets/my-mandate")
    assert "Extended by: my-mandate" in site.said("reference/rulesets/my-plan")


def test_a_rule_is_told_whole(site):
    said = site.said("reference/rules/my-plan/few-visits")
    for words in (
        "Few visits",
        "requirement",
        f"rules/my-plan.yaml:{plan().splitlines().index('  - id: few-visits') + 1}",
        "Wait for the new year. (patient)",
        "visits used this year",
        "at least 12",
        "The handbook, Page 4, read on 2026-01-02",
        "In my-plan since version 2026, in force at all times.",
        CARC["119"].meaning,
        RARC["N362"].meaning,
    ):
        assert words in said, words
    assert 'href="https://example.org/handbook"' in site.body("reference/rules/my-plan/few-visits")


def test_what_is_replaced_says_what_changed(site):
    body = site.body("reference/rules/my-mandate/few-visits")
    assert "It stands in the place of" in body
    rows = re.findall(r"<tr.*?</tr>", body.split("What is different")[1], re.DOTALL)
    said = [re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row)).strip() for row in rows]
    assert "layer plan mandate" in said
    assert re.search(r"requires that .* below 12 .* below 5", "\n".join(said))
    assert "applies where the massage benefit is covered nothing" in said


def test_a_fact_says_who_fixes_it_and_to_what(site):
    said = site.said("reference/facts/plan.visits_per_year")
    assert "12 from January 1, 2026; 24 from July 1, 2026" in said
    assert "No rule tests it." in said
    assert "whole numbers; null where it is unknown" in said


def test_an_own_fact_says_whose_it_is(site):
    assert {"reference/rulesets/my-plan", "reference/rulesets/my-mandate"} <= site.links(
        "reference/facts/own.last_report_on"
    )


def test_words_are_all_told_of(site):
    tests, statuses = site.body("reference/tests"), site.body("reference/statuses")
    for op in OPERATORS:
        assert f'id="test-{op.replace("_", "-")}"' in tests
    for word in (*STATUSES, *COVERAGE_MEANS):
        assert f'id="status-{word}"' in statuses


def test_the_picture_links_its_rules(site):
    drawn = re.findall(r"<svg.*?</svg>", site.html("reference/rulesets/my-mandate"), re.DOTALL)
    assert len(drawn) == 2
    for svg in drawn:
        assert '<a href="../rules/my-mandate/few-visits.html">' in svg
        assert "<desc>Once the visit is planned: 1 rule of the layer mandate.</desc>" in svg
        assert "covrules-rule:" not in svg
    assert "Rules left out" in site.body("reference/rulesets/my-mandate")


def test_roles_lead_to_pages(site):
    links = site.links("story")
    for page in (
        "rulesets/my-plan", "rules/my-plan/emergencies", "rules/my-mandate/few-visits", "codes/carc-119",
        "facts/history.visits_this_year", "codes/rarc-n362", "tests", "statuses", "facts/plan.payer",
    ):  # fmt: skip
        assert f"reference/{page}" in links
    assert 'title="An emergency needs no count"' in site.body("story")
    assert ">the law</span>" in site.body("story")


def test_a_verdict_is_decided_and_its_findings_linked(site):
    body = site.body("story")
    assert '<a href="reference/rules/my-plan/few-visits.html">There were 15 visits.</a>' in body
    assert "CARC 119, RARC N362" in body
    assert '<a href="reference/rules/my-mandate/few-visits.html">There were 7 visits.</a>' in body


def test_others_can_refer_to_all_of_it(site):
    from sphinx.util.inventory import InventoryFile

    with (site.folder / "_build/html/objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", os.path.join)
    assert "my-plan/few-visits" in inventory["covrules:rule"]
    assert "CARC 119" in inventory["covrules:code"]
    assert set(FACTS) <= set(inventory["covrules:fact"])


# --- by hand ------------------------------------------------------------------------------------------------------

HAND = {
    "plan.rst": ".. covrules:ruleset:: my-plan\n\n   What else there is to say.\n",
    "law.md": "```{covrules:ruleset} my-mandate\n```\n",
    "rules.md": "# Rules\n\n```{covrules:rule} my-plan/few-visits\n```\n",
    "emergencies.rst": ".. covrules:rule:: emergencies\n",
    "law-rule.rst": ".. covrules:rule:: my-mandate/few-visits\n",
    "year.rst": ".. covrules:fact:: history.visits_this_year\n",
    "week.md": "```{covrules:fact} history.visits_this_week\n```\n",
    "codes.rst": "Codes\n=====\n\n.. covrules:code:: carc 119\n\n.. covrules:code:: RARC N362\n",
    "words.md": "# Words\n\n```{covrules:tests}\n```\n\n```{covrules:statuses}\n```\n",
    "payer.rst": ".. covrules:fact:: plan.payer\n",
    "story.rst": STORY,
}


@pytest.fixture
def by_hand(tmp_path):
    names = "\n".join(name.partition(".")[0] for name in HAND)
    made = Site(tmp_path / "site", f"{CONF}covrules_pages = None\n", index_md=f"# I\n\n```{{toctree}}\n{names}\n```\n")
    made.write("rules/my-plan.yaml", plan())
    made.write("rules/my-mandate.yaml", MANDATE)
    made.write("case.yaml", "history: {visits_this_year: 7}")
    for name, text in HAND.items():
        made.write(name, text)
    return made


def test_directives_can_be_placed_by_hand_and_built_again(by_hand):
    assert by_hand.build()[2] == ""
    assert not (by_hand.folder / "reference").exists()
    assert "What else there is to say." in by_hand.body("plan")
    assert {"plan", "year", "codes", "law-rule"} <= by_hand.links("rules")
    # What is on no page is said all the same.
    assert "plan.visits_per_year" in by_hand.body("plan")

    assert by_hand.build()[:2] == ([], set())

    # Another limit is said where the rule is told of, and nowhere else.
    by_hand.write("rules/my-plan.yaml", plan(most=13))
    read, _, warnings = by_hand.build()
    assert warnings == ""
    assert read == ["law-rule", "plan", "rules", "words"]
    assert "at least 13" in by_hand.said("rules")

    # Another title is told where the rule is linked, also on pages that are not read again.
    by_hand.write("rules/my-plan.yaml", plan(most=13).replace("An emergency needs no count", "Emergencies first"))
    read, written, _ = by_hand.build()
    assert "story" not in read
    assert "story" in written
    assert 'title="Emergencies first"' in by_hand.body("story")

    # A rule that now tests another fact is on the page of the one and no longer on that of the other.
    assert "rules" not in by_hand.links("week")
    by_hand.write("rules/my-plan.yaml", plan().replace("history.visits_this_year", "history.visits_this_week"))
    read, *_ = by_hand.build()
    assert {"week", "year"} <= set(read)
    assert "rules" in by_hand.links("week")
    assert "rules" not in by_hand.links("year")

    # Where a rule is told of can change as well.
    by_hand.write("rules.md", HAND["rules.md"].split("```")[0])
    by_hand.write("emergencies.rst", f"{HAND['emergencies.rst']}\n.. covrules:rule:: my-plan/few-visits\n")
    read, *_ = by_hand.build()
    assert read == ["emergencies", "rules"]
    assert "emergencies" in by_hand.links("week")

    # Who refers to a rule that is gone is told.
    by_hand.write("rules/my-mandate.yaml", MANDATE.replace("disables: [emergencies]\n", ""))
    by_hand.write("rules/my-plan.yaml", plan().split("  - id: emergencies")[0])
    *_, warnings = by_hand.build()
    assert re.search(r"emergencies\.rst:1: WARNING: there is no rule emergencies", warnings)
    assert re.search(r"story\.rst:4: WARNING: there is no rule emergencies", warnings)


def test_reading_in_parallel_comes_to_the_same(by_hand):
    by_hand.build()
    code = "from sphinx.cmd.build import main; import sys; sys.exit(main(sys.argv[1:]))"
    out = by_hand.folder / "_build/parallel"
    options = ["-q", "-n", "-W", "-j", "2", "-b", "html", "-d", str(out / "doctrees")]
    command = [sys.executable, "-c", code, *options, str(by_hand.folder), str(out)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("year", "rules", "story"):
        assert (out / f"{name}.html").read_text() == by_hand.html(name)


def test_other_builders_have_words(by_hand):
    for builder in ("text", "latex", "man", "texinfo"):
        assert by_hand.build(builder)[2] == "", builder
    text = by_hand.folder / "_build" / "text"
    assert "Not covered." in (text / "story.txt").read_text()
    assert "Once the visit is planned: 2 rules of the layer plan." in (text / "plan.txt").read_text()


# --- what is wrong ------------------------------------------------------------------------------------------------

WRONG = """\
# Wrong

{covrules:rule}`few-visit`, {covrules:fact}`plan.payr`, {covrules:code}`CARC 119`, {covrules:rule}`few-visits`.

```{covrules:rule} my-plan/few-visits
```

```{covrules:rule} few-visist
```

```{covrules:verdict}
:ruleset: my-plan
visit: {date: 2026-06-15}
plan:
  payer: Somebody Else
```

```{covrules:verdict}
:ruleset: my-pla
visit: {minutes: 60}
```

```{covrules:verdict} nowhere.yaml
:ruleset: my-plan
```

```{covrules:rule} my-plan/few-visits
```

```{covrules:verdict}
visit: {minutes: 60}
```

```{covrules:verdict}
:ruleset: my-plan
```
"""


def test_what_is_wrong_is_told_with_its_place(tmp_path):
    made = Site(tmp_path / "site", f"{CONF}covrules_pages = None\n", index_md=WRONG)
    made.write("rules/my-plan.yaml", plan(then="met"))
    made.write("rules/my-mandate.yaml", MANDATE)
    made.write("rules/other.yaml", plan(id="other-plan"))
    rulesets = ["rules/my-plan.yaml", "rules/my-mandate.yaml", "rules/other.yaml"]
    *_, warnings = made.build(covrules_rulesets=rulesets)
    page = str(made.folder / "index.md")
    wrong = (
        plan()
        .splitlines()
        .index("      - {given: {plan.massage_benefit: covered, history.visits_this_year: 20}, then: unmet}")
        + 1
    )
    for place, words in (
        (3, "there is no rule few-visit: did you mean few-visits?"),
        (3, "there is no fact plan.payr: did you mean plan.payer?"),
        (3, "the code CARC 119 is on no page of this documentation"),
        (3, "there are several rules few-visits: my-plan/few-visits, my-mandate/few-visits or other-plan/few-visits"),
        (5, f"rules/my-plan.yaml:{wrong}: my-plan/few-visits should be met and is unmet"),
        (8, "there is no rule few-visist: did you mean few-visits?"),
        (11, "index.md:15:10: plan.payer: contradicts what my-plan fixes"),
        (18, "there is no ruleset my-pla in this documentation"),
        (23, "No such file or directory"),
        (27, "the rule my-plan/few-visits is told of in index already"),
        (30, "a verdict needs a ruleset"),
        (34, "a verdict needs a case"),
    ):
        assert re.search(f"{re.escape(page)}:{place}: WARNING: .*{re.escape(words)}", warnings), (words, warnings)


def test_a_ruleset_that_cannot_be_used_is_told(tmp_path):
    made = Site(tmp_path / "site", 'extensions = ["covrules.sphinxext"]', index_rst="Title\n=====\n")
    made.write("rules/broken.yaml", "schema: covrules/1\nid: broken\n")
    settings = {"covrules_rulesets": ["rules/broken.yaml", "medical-masage"], "covrules_pages": None}
    *_, warnings = made.build(**settings)
    assert "rules/broken.yaml:1:1" in warnings
    assert "there is no shipped ruleset 'medical-masage'" in warnings
    assert "did you mean medical-massage?" in warnings


# --- pages that are written ---------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    (tmp_path / "my-plan.yaml").write_text(plan())

    def write(suffixes=(".rst", ".md")):
        stubs.write(catalogues.read(["./my-plan.yaml"], tmp_path), tmp_path / "reference", "reference", suffixes)
        return tmp_path / "reference"

    return write


def test_pages_of_ones_own_stay(written, tmp_path):
    mine = {tmp_path / f"reference/{name}": name for name in ("rules/my-plan/few-visits.md", "notes.rst")}
    for path, text in mine.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = written()
    assert {path: path.read_text() for path in mine} == mine
    assert not (folder / "rules/my-plan/few-visits.rst").exists()
    assert (folder / "rules/my-plan/emergencies.rst").exists()


def test_pages_are_written_only_where_they_change(written, tmp_path):
    folder = written()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.rst")}
    assert len(times) > 150
    (tmp_path / "my-plan.yaml").write_text(plan().split("  - id: emergencies")[0])
    written()
    now = {path: path.stat().st_mtime_ns for path in folder.rglob("*.rst")}
    assert times.keys() - now.keys() == {folder / "rules/my-plan/emergencies.rst"}
    assert [path for path in now if now[path] != times[path]] == [folder / "rulesets/my-plan.rst"]


def test_pages_are_in_myst_where_there_is_no_rest(written):
    written()
    folder = written((".md",))
    assert not [*folder.rglob("*.rst")]
    said = (folder / "rulesets/my-plan.md").read_text()
    assert "````{covrules:ruleset} my-plan\n```{toctree}" in said
    assert "/reference/rules/my-plan/few-visits\n" in said


# --- versions -----------------------------------------------------------------------------------------------------


def test_versions_of_one_ruleset_say_what_changed(tmp_path):
    pages = ".. covrules:rule:: few-visits\n\n.. covrules:ruleset:: my-plan\n"
    made = Site(tmp_path / "site", f"{CONF}covrules_pages = None\n", index_rst=pages)
    before = plan(version="2025", effective="effective: {until: 2026-01-01}", most=6)
    made.write("rules/my-plan.yaml", plan(effective="effective: {from: 2026-01-01}"))
    made.write("rules/my-plan-2025.yaml", before)
    assert made.build(covrules_rulesets=["rules/my-plan.yaml"])[2] == ""
    said = made.said("index")
    assert "In my-plan since version 2025, in force until 2026-01-01." in said
    rule = said.partition("From version 2025 to version 2026 (from 2026-01-01):")[2]
    was, is_ = re.search(r"requires that (.*? below \d+) (.*? below \d+)", rule).groups()
    assert (was[-7:], is_[-8:]) == ("below 6", "below 12")
    assert "Few visits is otherwise" in said


# --- the shipped rulesets -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    return catalogues.read(None, Path())


def test_shipped_rulesets_are_read_whole(shipped):
    assert shipped.problems == ()
    assert shipped.meant("in-network") == ["medical-massage/in-network"]
    names = [page.name for page in stubs.pages(shipped)]
    assert len(names) == len(set(names))
    assert {f"facts/{path}" for path in FACTS} < set(names)


def test_what_writes_the_pages_is_part_of_what_was_read(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogues, "_SOURCES", tmp_path)
    before = catalogues.read(["ohio-clinic"], tmp_path).fingerprint
    assert catalogues.read(["ohio-clinic"], tmp_path).fingerprint == before
    (tmp_path / "words.py").write_text("words = 1")
    assert catalogues.read(["ohio-clinic"], tmp_path).fingerprint != before


def test_what_is_extended_is_told_of_too():
    read = catalogues.read(["examples/rulesets/limits-by-year.yaml"], Path(__file__).parents[1])
    assert read.problems == ()
    assert {*read.rulesets} == {"medical-massage", "early-visits-mandate", "limits-by-year"}
    assert read.rulesets["early-visits-mandate"].place.file == "examples/rulesets/early-visits-mandate.yaml"


def test_shipped_rulesets_build_without_a_warning(tmp_path):
    # The documentation of covrules has all of them; these have rules of every kind, some replaced and waived.
    ids = ["medical-massage", "uniform-medical-plan", "washington-labor-industries"]
    conf = f"{CONF}covrules_rulesets = {ids}\ncovrules_pages = None\nsmartquotes = False\n"
    made = Site(tmp_path / "site", conf, index_rst="All\n===\n\n.. toctree::\n\n   ruleset\n   rule\n")
    told = [*stubs.pages(catalogues.read(ids, tmp_path))]
    for name in ("ruleset", "rule"):
        all_ = [f".. covrules:{name}:: {page.argument}\n" for page in told if page.directive == name]
        assert len(all_) >= len(ids)
        made.write(f"{name}.rst", f"{name}\n{'=' * len(name)}\n\n" + "\n".join(all_))
    assert made.build("dummy")[2] == ""


def test_a_decision_table_decides_as_the_engines_do(shipped):
    rows = 0
    for key in shipped.rules:
        edition = shipped.rule(key)
        known = edition.ruleset.vocabulary
        table = decision_table(edition.rule, known)
        trial = Trial.of(edition.ruleset, edition.rule)
        cases = [*trial.examples, *[case for _, case in islice(trial.trying(edition.rule.facts), 50)]]
        for case in cases:
            values = {path: value_of(case, known[path]) for path in edition.rule.facts}
            first = next(row for row in table.rows if truth.tester(row.form)(values))
            assert first.status == trial.status(case), (key, values)
            rows += 1
    assert rows > 3_000


def said_of(table, fact, status):
    return [in_words(row.cells[fact]) if fact in row.cells else None for row in table.rows if row.status == status]


def test_a_decision_table_has_no_row_that_cannot_be_and_says_words_of_a_list_once(shipped):
    def of(key):
        edition = shipped.rule(key)
        return decision_table(edition.rule, edition.ruleset.vocabulary)

    office = of("washington-labor-industries/authorized-by-the-right-office")
    assert said_of(office, "own.authorized_by", "unmet") == [
        "hotline", "not self insured employer", "self insured employer", "not claim manager",
    ]  # fmt: skip
    assert said_of(office, "own.visits_on_claim", "unmet") == ["at least 12", "at least 6", "at least 6", "at least 12"]
    payer = of("washington-labor-industries/no-other-payer")
    assert said_of(payer, "visit.liability", "unmet") == ["one of auto, other plan"]
    dated = of("uniform-medical-plan/codes-off-the-list-need-no-authorization")
    assert said_of(dated, "visit.procedure", "not-applicable") == [None, None, "none of 97124, 97140", "97112"]
    assert said_of(dated, "visit.procedure", "waives") == ["one of 97124, 97140", "not 97112"]
    early = of("wa-rcw-48-43-016/six-visits-without-authorization")
    assert said_of(early, "provider.network", "not-applicable") == [None, None, "out"]


def test_a_picture_stays_within_its_frame(shipped):
    for ruleset in shipped.rulesets.values():
        for columns, width in ((3, 700), (1, 340)):
            svg = picture(ruleset, columns, width)
            height = float(re.search(r'height="(\d+)"', svg)[1])
            for x, y, wide, high in re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg):
                assert float(x) + float(wide) <= width
                assert float(y) + float(high) <= height
            assert svg.count("<a href=") == len(ruleset.rules)


# --- alone --------------------------------------------------------------------------------------------------------


def test_without_sphinx_it_says_what_to_install():
    code = (
        "import sys; sys.modules['sphinx'] = None\n"
        "try: import covrules.sphinxext\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "this needs sphinx: pip install 'covrules[docs]'"


def test_a_verdict_links_to_pages_elsewhere():
    case = covrules.case_from_dict({"plan": {"massage_benefit": "excluded"}})
    verdict = covrules.load("medical-massage").evaluate(case, engine="compiled")
    said = verdict.to_html(rule_pages="https://example.org/reference/rules/")
    assert '<a href="https://example.org/reference/rules/medical-massage/benefit-exists.html">' in said
    assert "<a " not in verdict.to_html()
    assert re.sub("</?a[^>]*>", "", said) == verdict.to_html()


def test_the_command_links_html_and_nothing_else(tmp_path):
    case = tmp_path / "case.yaml"
    case.write_text("plan: {massage_benefit: excluded}")
    command = ["evaluate", str(case), "--ruleset", "medical-massage", "--rule-pages", "https://example.org/rules"]
    done = CliRunner().invoke(main, [*command, "--format", "html"])
    assert 'href="https://example.org/rules/medical-massage/benefit-exists.html"' in done.output
    done = CliRunner().invoke(main, [*command, "--format", "json"])
    assert (done.exit_code, "--rule-pages is for HTML" in done.output) == (2, True)

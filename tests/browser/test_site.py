"""The built site: every link leads somewhere, every rule is near, pages bar nobody and keep to the width of a phone."""

from collections import deque
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

from browser.conftest import PHONE, SITE, WIDE, violations

pytestmark = pytest.mark.browser

PLACE = "http://site/"
NARROW = {"width": 360, "height": 740}
LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("light", PHONE), "dark-phone": ("dark", PHONE)}
# One page of each sort: the first in order that fits.
SORTS = {
    "home": "index.html",
    "tutorial": "tutorials/[!i]*.html",
    "rule": "reference/rules/*/*.html",
    "ruleset": "reference/rulesets/[!i]*.html",
    "facts": "reference/facts/index.html",
    "index": "genindex.html",
    "search": "search.html",
}


class _Page(HTMLParser):
    """What a page links to, and the places in it that links can name."""

    def __init__(self, text):
        super().__init__()
        self.links, self.names, self._inert = [], set(), 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        for key in ("href", "src"):
            if given.get(key) is not None and tag != "base":
                self.links.append((tag, given[key]))


@cache
def page_at(path):
    return _Page((SITE / path).read_text(encoding="utf-8"))


def pages():
    """Return every page of the site by its path; what is only served along is none."""
    found = (path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    return sorted(path for path in found if not path.startswith(("_", ".")) and "/_" not in path)


def inside(path):
    """Yield the links of a page to the site itself: tag, path and the place within."""
    for tag, link in page_at(path).links:
        whole, place = urldefrag(urljoin(PLACE + path, link))
        if whole.startswith(PLACE):
            yield tag, unquote(urlparse(whole).path.lstrip("/")) or "index.html", unquote(place)


def of_sort(sort):
    found = sorted(SITE.glob(SORTS[sort]))
    if not found:
        pytest.fail(f"the site has no page of the sort {sort} ({SORTS[sort]})")
    return found[0].relative_to(SITE).as_posix()


# --- without a browser ----------------------------------------------------------------------------------------------


def test_every_link_inside_leads_somewhere(site):
    wrong = []
    for path in pages():
        for tag, target, place in inside(path):
            if target.endswith("/"):
                target += "index.html"
            if not (site / target).is_file():
                wrong.append(f"{path}: there is no {target}")
            elif tag == "a" and place and target.endswith(".html") and place not in page_at(target).names:
                wrong.append(f"{path}: there is no #{place} in {target}")
    assert wrong == []


def test_any_rule_is_three_clicks_from_the_home_page(site):
    rules = {path.relative_to(site).as_posix() for path in site.glob(SORTS["rule"])}
    assert rules
    clicks, waiting = {"index.html": 0}, deque(["index.html"])
    while waiting:
        path = waiting.popleft()
        for tag, target, _ in inside(path) if (site / path).is_file() else ():
            if tag == "a" and target.endswith(".html") and target not in clicks:
                clicks[target] = clicks[path] + 1
                waiting.append(target)
    assert sorted(rule for rule in rules if clicks.get(rule, 99) > 3) == []


def test_no_page_asks_anything_of_others(site):
    asked = []
    for path in pages():
        for tag, link in page_at(path).links:
            if tag != "a" and urlparse(urljoin(PLACE + path, link)).netloc not in ("", "site"):
                asked.append(f"{path}: {tag} {link}")
    assert asked == []


# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LOOKS)
def looked_at(request, context_of):
    scheme, viewport = LOOKS[request.param]
    return context_of(scheme=scheme, viewport=viewport)


@pytest.mark.parametrize("sort", SORTS)
def test_nothing_serious_bars_anybody(looked_at, address, site, sort):
    looked_at.goto(address + of_sort(sort))
    assert violations(looked_at) == []


@pytest.fixture(scope="module")
def narrow(context_of):
    return context_of(viewport=NARROW)


def test_long_names_are_not_cut_off(narrow, address, site):
    longest = max(site.glob(SORTS["rule"]), key=lambda page: len(page.parent.name + page.stem))
    narrow.goto(address + longest.relative_to(site).as_posix())
    ends = "names => names.map((name) => name.getBoundingClientRect().right)"
    found = narrow.locator("dl.covrules-fields code").evaluate_all(ends)
    assert 0 < max(found) <= NARROW["width"]


@pytest.mark.parametrize("sort", [*SORTS])
def test_pages_keep_to_the_width_of_a_phone(narrow, address, site, sort):
    narrow.goto(address + of_sort(sort))
    assert narrow.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_search_finds_a_rule_by_its_id(context_of, address, site):
    rules = sorted(site.glob("reference/rules/medical-massage/*.html"))
    page = context_of()
    for rule in rules[:: max(1, len(rules) // 5)]:
        page.goto(f"{address}search.html?q={rule.stem}")
        link = page.locator(f'#search-results a[href*="rules/medical-massage/{rule.stem}.html"]').first
        link.wait_for()
    assert rules

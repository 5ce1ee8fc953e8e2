"""The built site, served to a real browser that can reach nothing else."""

import functools
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "docs" / "_build"
BUILD = "sphinx-build -n -W -b html docs docs/_build"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder):
    """Yield the address under which a folder is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def chromium():
    """Yield the system's Chromium."""
    # Imported here, as the other tests are collected where there is no playwright.
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"no browser: install Debian's package chromium (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def _told(message):
    return f"{message.text} ({message.location['url']})"


def watched(context, address):
    """Return a page of a context; what it says on the console and what it asks of others is noted in `page.wrong`."""
    page = context.new_page()
    page.wrong = []
    page.on("console", lambda said: page.wrong.append(_told(said)) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.wrong.append(str(error)))

    def only_here(route):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            page.wrong.append(f"asked for {route.request.url}")
            route.abort()

    context.route("**/*", only_here)
    return page


@pytest.fixture(scope="session")
def site():
    """The folder of the built documentation."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"the documentation is not built: {BUILD}")
    return SITE


@pytest.fixture(scope="session")
def address(site):
    with served(site) as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def context_of(browser, address):
    """Make pages in contexts of their own; when all is done, nothing may have gone wrong in them."""
    contexts, pages = [], []

    def made(*, scheme="light", viewport=WIDE, **options):
        context = browser.new_context(color_scheme=scheme, viewport=viewport, **options)
        contexts.append(context)
        pages.append(watched(context, address))
        return pages[-1]

    yield made
    for context in contexts:
        context.close()
    assert [wrong for page in pages for wrong in page.wrong] == []


def violations(page):
    """Return what axe finds that is serious or critical, each with the first element concerned."""
    from axe_playwright_python.sync_playwright import Axe

    # It would fetch style sheets once more, some under wrong addresses.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]

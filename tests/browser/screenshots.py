"""Writes pictures of the built site into a folder, to be looked at: `python tests/browser/screenshots.py FOLDER`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import SITE, chromium, served, watched
from browser.test_site import LOOKS, SORTS

SHOWN = ("home", "tutorial", "rule", "facts")


def main(folder):
    """Write a picture of each page in each look."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {sort: next(iter(sorted(SITE.glob(SORTS[sort]))), None) for sort in SHOWN}
    pages["try"] = SITE / "try.html"
    with served(SITE) as address, chromium() as browser:
        for look, (scheme, viewport) in LOOKS.items():
            context = browser.new_context(color_scheme=scheme, viewport=viewport)
            for sort, path in pages.items():
                if path is None:
                    print(f"no page of the sort {sort}")
                    continue
                page = watched(context, address)
                page.goto(address + path.relative_to(SITE).as_posix())
                if sort == "try":
                    page.locator(".try-headline").wait_for(timeout=60_000)
                page.screenshot(path=folder / f"{sort}-{look}.png")
                page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

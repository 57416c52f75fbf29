"""How does a test look at a page as its user would? A real Chromium, whose complaints fail the test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, ViewportSize, sync_playwright

# Without these it looks for hosts of its own at every start.
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def look_at(url: str, width: int = 1280, height: int = 800) -> Iterator[tuple[Page, list[str]]]:
    """Open `url` and give the page, and the list of what the browser complains about meanwhile."""
    program = shutil.which("chromium")
    assert program, "Chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_QUIET])
        try:
            page = browser.new_page(viewport=ViewportSize(width=width, height=height))
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(said.text) if said.type != "log" else None)
            page.on("pageerror", lambda wrong: complaints.append(str(wrong)))
            page.goto(url)
            yield page, complaints
        finally:
            browser.close()

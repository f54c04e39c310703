"""Chromium, started once for all tests of reports."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from require import require

from report.browser import OPTIONS, Chromium, executable


# Of the package, not of the session: while it is open, a loop of Playwright's runs in this thread, which other tests
# that start one of their own could not bear.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """The system's Chromium, headless."""
    program = executable()
    require("chromium", program)
    require("playwright", find_spec("playwright") and find_spec("axe_playwright_python"))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield Chromium(browser)
        browser.close()

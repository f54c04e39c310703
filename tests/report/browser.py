"""A page looked at in the system's own Chromium: what it said, what it asked for, what axe finds in it.

with chromium.look("report.html", width=390, dark=True) as look:     # the fixture of conftest.py
    look.page.get_by_role("button", name="Zoom in").click()           # Playwright's page
    look.screenshot("phone.png")
look.quiet()      # no error, no dialog, no request but for the page, nothing that its policy refused

chromium.accessible("report.html", dark=True)  ->  []                 # what axe calls serious or critical
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DESKTOP = (1280, 800)
PHONE = (390, 844)
# Milliseconds until what a page should do counts as not done: machines that run tests are busy.
PATIENCE = 60_000
# Runs before the page's own scripts, outside of its policy.
WATCH = """
window.__refused = [];
document.addEventListener("securitypolicyviolation", (told) =>
  window.__refused.push(told.violatedDirective + " " + told.blockedURI + " " + told.sample));
"""
# What would run, or ask for something, if it came into a page unescaped: a policy that holds refuses all of it.
INTRUDERS = """
<script>window.__pwned = 1</script><img src="x" onerror="window.__pwned = 1"><svg onload="window.__pwned = 1"></svg>
<iframe srcdoc="<script>parent.__pwned = 1</script>"></iframe><script src="x.js"></script>
<link rel="stylesheet" href="x.css"><p style="position: fixed">x</p><base href="http://127.0.0.1:9/">
<form action="http://127.0.0.1:9/"><button id="sent">send</button></form>
"""
#: Which rules of a policy these break.
BROKEN = {
    "script-src-elem",
    "script-src-attr",
    "img-src",
    "style-src-elem",
    "style-src-attr",
    "base-uri",
    "form-action",
}
OPTIONS = (
    # As root, which a container's tests are, Chromium has no sandbox; what is opened was made by the tests.
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def executable() -> str | None:
    """The system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Look:
    """One page, and what was seen of it since it was opened."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page, self.path = page, path
        self.console: list[str] = []
        self.dialogs: list[str] = []
        self.requests: list[str] = []
        self.refused: list[str] = []
        self.pwned = False
        page.on("console", lambda told: told.type in ("error", "warning") and self.console.append(told.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", lambda asked: self.requests.append(asked.url))

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def collect(self) -> None:
        """What only the page knows; before it is closed."""
        self.refused = self.page.evaluate("window.__refused || []")
        self.pwned = self.page.evaluate("'__pwned' in window")

    def quiet(self) -> None:
        """Raises AssertionError when a script of somebody else ran, or the page complained or asked for anything."""
        assert not self.pwned, "a payload was executed"
        assert self.dialogs == [] and self.refused == [] and self.console == []
        asked = [url for url in self.requests if not url.startswith(("file://", "data:", "blob:"))]
        assert asked == []

    def refuses_intruders(self) -> bool:
        """Does the page's policy stop what stands in it and is not its own?"""
        self.page.evaluate("document.getElementById('sent').click()")  # not as a person: that waits for a page
        for _ in range(PATIENCE // 100):
            self.collect()
            if self.pwned or {told.partition(" ")[0] for told in self.refused} >= BROKEN:
                break
            self.page.wait_for_timeout(100)
        return not self.pwned and {told.partition(" ")[0] for told in self.refused} >= BROKEN

    def fits(self) -> bool:
        """Is nothing wider than the window, so that the page as a whole does not scroll sideways?"""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))

    def screenshot(self, path: str | Path, *, whole: bool = True) -> None:
        """A PNG of the window, or of the `whole` page."""
        self.page.screenshot(path=str(path), full_page=whole)

    def focused(self) -> str:
        """The tag, role and name of what has the keyboard's focus."""
        return str(
            self.page.evaluate(
                "(() => { const e = document.activeElement; return [e.tagName, e.getAttribute('role') || '', "
                "e.getAttribute('aria-label') || e.id || (e.textContent || '').trim().slice(0, 40)].join(' ') })()"
            )
        )


class Chromium:
    """One browser for many pages."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    @contextmanager
    def look(
        self,
        path: str | Path,
        *,
        width: int = DESKTOP[0],
        height: int = DESKTOP[1],
        dark: bool = False,
        scripts: bool = True,
        anchor: str = "",
        **context: Any,
    ) -> Iterator[Look]:
        """A file's page, without a network; `scripts` False: with JavaScript turned off."""
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": height}
        room = self.browser.new_context(
            viewport=size, color_scheme=scheme, java_script_enabled=scripts, offline=True, **context
        )
        try:
            if scripts:
                room.add_init_script(WATCH)
            look = Look(room.new_page(), Path(path).resolve())
            look.page.set_default_timeout(PATIENCE)
            look.page.goto(look.path.as_uri() + anchor, wait_until="load")
            yield look
            if scripts:
                look.collect()
        finally:
            room.close()

    def accessible(
        self, path: str | Path, *, dark: bool | None = None, width: int = DESKTOP[0], open_all: bool = False
    ) -> list[str]:
        """What axe finds that is serious or critical, with the places: in light or in `dark`; without either in light,
        and then what changes with the colours in dark. `open_all`: of all folded parts too."""
        # axe is a script of its own, which the page's policy would refuse.
        with self.look(path, dark=bool(dark), width=width, bypass_csp=True) as look:
            if open_all:
                look.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
            found = _axe(look)
            if dark is None:
                look.page.emulate_media(color_scheme="dark")
                found += _axe(look, runOnly={"type": "rule", "values": ["color-contrast"]})
        return found

    def print(self, path: str | Path, to: str | Path) -> int:
        """The page as a PDF (A4). How many pages it has."""
        with self.look(path) as look:
            look.page.pdf(path=str(to), format="A4")
        return Path(to).read_bytes().count(b"/Type /Page\n") or Path(to).read_bytes().count(b"/Type /Page")


def _axe(look: Look, **options: Any) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    given = {"resultTypes": ["violations"], "iframes": False} | options
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for rule in Axe().run(look.page, options=given).response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:5]
    ]

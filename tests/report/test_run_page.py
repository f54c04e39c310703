"""The page of one run, in a browser: what it shows and does, that it fits, and that no record gets it to do more."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hpcprov.record import model
from hpcprov.report import assets, run
from report.browser import INTRUDERS, PHONE, Chromium
from report.hostile import hostile, leaves
from report.rich import rich

GOLDEN = Path(__file__).parents[1] / "merge" / "golden"
VOID = {"meta", "link", "br", "input", "line", "rect", "polygon", "polyline"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rich")


@pytest.fixture(scope="module")
def record(place: Path) -> dict[str, Any]:
    return rich(place)


@pytest.fixture(scope="module")
def page(record: dict[str, Any], place: Path) -> Path:
    path = place / "page.html"
    path.write_text(
        run.render(record, directory=str(place), attested=["by SHA256:wq (not checked)"], notes=["imported from x.zip"])
    )
    return path


class Outline(html.parser.HTMLParser):
    """Headings, ids, links within the page, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.attributes |= set(told)
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.ids += [str(told["id"])] if "id" in told else []
        target = str(told.get("href") or "")
        self.targets += [target[1:]] if target.startswith("#") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("p", "li", "tr", "td", "th"):
            while self.open and self.open[-1] in ("p", "li", "tr", "td", "th"):
                self.open.pop()
        assert self.open and self.open.pop() == tag, tag


def golden() -> list[Path]:
    return sorted(GOLDEN.glob("*/record*.json"))


@pytest.mark.parametrize("path", golden(), ids=lambda path: path.parent.name)
def test_old_and_odd_records_have_a_page(path: Path) -> None:
    record = model.parse(path.read_bytes(), name=str(path))
    outline = Outline(run.render(record, directory=str(path.parent)))
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(set(outline.ids)) == len(outline.ids) and set(outline.targets) <= set(outline.ids)
    assert not outline.attributes & {"style", "onclick", "onload", "src"}
    assert outline.open == []


def test_everything_that_is_known_is_on_it(record: dict[str, Any], page: Path) -> None:
    text = page.read_text()
    for _, told, _ in leaves(record["artifacts"], keep=("how", "kind")):
        assert told in text or told.startswith(("20", "/data")), told
    for told in ("AMD EPYC 7763", "gcc/13.2", "libhdf5.so.310", "numpy 2.1.0", "model.sif", "NVIDIA H100", "3f1c" * 10):
        assert told in text, told
    assert "https://example.org/ada/model.git" in text and 'href="https' not in text
    assert "by SHA256:wq (not checked)" in text and "imported from x.zip" in text


def test_a_run_that_goes_on_has_a_page(record: dict[str, Any]) -> None:
    running = {name: value for name, value in record.items() if name != "seal"} | {"revision": 0}
    running["run"] = record["run"] | {"status": "running", "end": None, "duration_s": None, "cause": None}
    text = run.render(running)
    assert "Still running" in text and "not sealed yet" in text and "still going on" in text


def test_its_size_is_bounded_whatever_a_record_holds(record: dict[str, Any]) -> None:
    big = json.loads(json.dumps(record))
    big["run"]["note"] = big["run"]["argv"][0] = "x" * 1_000_000
    big["problems"] = [{"text": "p" * 10_000, "ranks": [[0, 0]] * 100}] * 200
    big["environment"]["common"] |= {f"V{k}": "v" * 10_000 for k in range(300)}
    one = big["artifacts"]["used"][0]
    many = one | {"signature": one["signature"] | {"fields": one["signature"]["fields"] * 250}}
    big["artifacts"]["used"] = [many] * 20 + [one] * 500
    assert len(run.render(big).encode()) < 4_000_000


def test_data_cannot_end_its_element() -> None:
    told = {"x": "</script><script>alert(1)//\u2028<!--", "n": [1, None]}
    text = assets.as_data(told)
    assert "<" not in text and ">" not in text and text.isascii() and json.loads(text) == told


def test_it_is_quiet_and_fits_and_is_accessible(chromium: Chromium, page: Path) -> None:
    for width in (1280, 390):
        with chromium.look(page, width=width, dark=width == 390) as look:
            look.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
            assert look.fits()
        look.quiet()
    assert chromium.accessible(page, open_all=True) == []
    assert chromium.accessible(page, open_all=True, dark=True, width=390) == []


def test_payloads_do_nothing(chromium: Chromium, record: dict[str, Any], place: Path, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    bad = hostile(record)
    text = run.render(bad, directory=str(place), known={"x": bad}, attested=["<script>window.__pwned=1</script>"])
    path.write_text(text)
    assert "\x1b" not in text and "\u202e" not in text and Outline(text).open == []
    with chromium.look(path, width=390) as look:
        look.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
        assert look.fits()  # words of 3,000 letters and all
        assert look.page.locator("main img, main script, main iframe").count() == 0
    look.quiet()


def test_by_keyboard(chromium: Chromium, page: Path) -> None:
    with chromium.look(page) as look:
        look.page.keyboard.press("Tab")
        assert "Skip to the content" in look.focused()
        look.page.keyboard.press("Enter")
        look.page.keyboard.press("Tab")
        assert look.focused().startswith("BUTTON")  # the first thing in the content: copy the command
        summary = look.page.locator("summary", has_text="shared object")
        summary.focus()
        look.page.keyboard.press("Enter")
        assert summary.evaluate("(its) => its.parentElement.open")
    look.quiet()


def test_filters(chromium: Chromium, page: Path) -> None:
    with chromium.look(page) as look:
        lines = look.page.locator("#output-lines > li:not([hidden])")
        assert lines.count() == 4
        look.page.locator("#output-rank").select_option("2")
        assert lines.count() == 2
        look.page.locator("#output-stream").select_option("err")
        assert lines.all_inner_texts()[0].endswith("no convergence")
        look.page.locator("#output-rank").select_option("")
        look.page.locator("#output-stream").select_option("")
        look.page.locator("#output-find").fill("rank 1")
        assert lines.count() == 1
        look.page.locator("summary", has_text="packages of").click()
        look.page.locator("[data-filter=packages-1]").fill("NUM")
        assert look.page.locator("#packages-1 > li:not([hidden])").all_inner_texts() == ["numpy 2.1.0"]
        assert look.page.locator("#packages-1-count").inner_text() == "1 shown"
    look.quiet()


def test_on_a_phone_a_long_line_does_not_move_what_stands_before_it(chromium: Chromium, page: Path) -> None:
    with chromium.look(page, width=PHONE[0], height=PHONE[1]) as look:
        look.page.evaluate("document.querySelector('#output-lines .text').textContent = '1234567890'.repeat(30)")
        lines = look.page.locator("#output-lines > li:has(.to)")
        lefts = {round(one.bounding_box()["x"]) for one in lines.locator(".to").all()}
        assert lines.count() > 1 and len(lefts) == 1 and max(lefts) < PHONE[0] / 2
        assert look.fits()


def test_what_came_in_unescaped_would_not_run(chromium: Chromium, page: Path) -> None:
    bad = page.with_suffix(".bad.html")
    bad.write_text(page.read_text().replace("</main>", f"{INTRUDERS}</main>"))
    with chromium.look(bad) as look:
        assert look.refuses_intruders()


def test_a_digest_is_copied_whole(chromium: Chromium, record: dict[str, Any], page: Path) -> None:
    with chromium.look(page, permissions=["clipboard-read", "clipboard-write"]) as look:
        look.page.locator("#inputs code.digest + button.copy").first.click()
        look.page.locator(".said", has_text="Copied").wait_for()
        digest = record["artifacts"]["used"][0]["signature"]["digest"]
        assert look.page.evaluate("navigator.clipboard.readText()") == digest
    look.quiet()


def test_without_scripts_and_on_paper(chromium: Chromium, page: Path, tmp_path: Path) -> None:
    with chromium.look(page, scripts=False) as look:
        assert not look.page.locator("#output-find").is_visible()  # what would do nothing is not there
        assert look.page.locator("#output-lines > li").count() == 4
    assert chromium.print(page, tmp_path / "page.pdf") >= 2

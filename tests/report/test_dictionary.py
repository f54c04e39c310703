"""The page and the Markdown of a data dictionary: at a desk, on a phone, and when every word in it is an attack."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt
from quality.dictionary.made import dictionary, hostile

from hpcprov.commands.dictionary_told import MOST_FIELDS, told
from hpcprov.report.dictionary import markdown, render
from report.browser import PHONE, Chromium


def test_a_page_to_read(chromium: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "d.html"
    path.write_text(render(told(dictionary([f"field_{k}" for k in range(20)]))))
    with chromium.look(path) as look:
        assert look.page.locator("h1").inner_text() == "flood.nc"
        assert look.page.locator("#fields tbody tr").count() == 20
        look.page.get_by_label("Find").first.fill("field_7")
        assert look.page.locator("#fields tbody tr:visible").count() == 1
        assert look.fits()
    look.quiet()
    with chromium.look(path, width=PHONE[0], height=PHONE[1]) as look:
        assert look.fits()
    assert chromium.accessible(path) == []


def test_payloads_are_text(chromium: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(render(told(hostile())), encoding="utf-8", errors="backslashreplace")
    with chromium.look(path) as look:
        assert "<script>window.__pwned=1</script>" in look.page.locator("main").inner_text()
        assert look.page.locator("main script, main img, main svg, main a").count() == 0
        assert look.fits()
    look.quiet()


def test_markdown_in_which_nothing_is_markup() -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markdown(told(hostile())))
    for tag in ("<script", "<img", "<svg", "<a ", "<h1"):
        assert tag not in html
    assert html.count("<table>") == 6 and "\x1b" not in html


def test_markdown_for_an_appendix() -> None:
    lines = markdown(told(dictionary())).splitlines()
    assert lines[2] == "## flood.nc"
    assert "| `depth` | f4 | 4 x 50 | m | what 0 is |" in lines
    assert "| Path | `/data/flood.nc` |" in lines


def test_very_many_fields_are_counted() -> None:
    found = told(dictionary([f"c{k}" for k in range(MOST_FIELDS + 5)]))
    assert found["more"] == 5 and len(found["tables"][0]["rows"]) == MOST_FIELDS
    assert "… and 5 more fields." in markdown(found)

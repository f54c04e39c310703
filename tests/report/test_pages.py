"""Pages of many runs and of an index in Chromium: at a desk and on a phone, with the keyboard, and under attack."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcprov.catalog import open_catalog
from hpcprov.catalog.graph import Graph
from hpcprov.commands.report_many import graph, read
from hpcprov.merge.find import record_directories
from hpcprov.record import model
from hpcprov.report.index import write_index
from hpcprov.report.many import render_many
from report.browser import INTRUDERS, PHONE, Chromium, Look
from report.hostile import PAYLOADS, hostile
from report.made import a_store, chain

#: Of a sample of a line or box the words behind it, and whether these begin in its line.
WORDS = """(sample) => {
  const words = sample.nextSibling, range = document.createRange();
  range.selectNodeContents(words);
  const a = sample.getBoundingClientRect(), b = range.getClientRects()[0];
  return [words.textContent.trim(), a.bottom > b.top && a.top < b.bottom && a.right <= b.left];
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the pages of a store, and of the same store when every text in its records is an attack."""
    place = tmp_path_factory.mktemp("pages")
    store = a_store(place)
    with open_catalog([store.root]) as catalog:
        rows = catalog.runs()
        lineage = graph(catalog, rows)
        many = render_many(read(rows, []), title="Runs since 2026-11-18", graph=lineage)
        write_index(catalog.each_run, str(place / "index"), title="Runs of ada")
    (place / "many.html").write_text(many)
    (place / "large.html").write_text(render_many([], title="500 nodes", graph=chain(500, window=40)))
    bad = [hostile(model.load(os.path.join(path, "record.json"))) for path in record_directories(store)]
    for k, record in enumerate(bad):
        record["run"]["id"] = f"r{k}"
    attacked = render_many(bad, title=PAYLOADS[0], graph=attacked_graph(lineage), notes=PAYLOADS)
    (place / "attacked.html").write_text(attacked)
    write_index(lambda **_: map(attacked_row, rows), str(place / "attacked"), title=PAYLOADS[2])
    return place


def attacked_graph(good: Graph) -> Graph:
    bad = Graph()
    for k, node in enumerate(good.nodes.values()):
        payload = PAYLOADS[k % len(PAYLOADS)]
        told = {key: payload for key in node if key not in ("id", "kind", "run", "key", "type")}
        bad.nodes[node["id"]] = node | told | {"paths": list(PAYLOADS), "argv": list(PAYLOADS), "name": payload}
    bad.edges = [edge | {"path": PAYLOADS[0]} for edge in good.edges]
    bad.notes = list(PAYLOADS)
    return bad


def attacked_row(row: Any) -> Any:
    bad = copy.copy(row)
    bad.summary = row.summary | {"name": PAYLOADS[0], "status": PAYLOADS[2], "cwd": PAYLOADS[3], "argv": list(PAYLOADS)}
    return bad


PAGES = ("many.html", "large.html", "index/index.html", "index/2026-11.html")
ATTACKED = ("attacked.html", "attacked/index.html", "attacked/2026-11.html")


@pytest.mark.parametrize("name", PAGES + ATTACKED)
def test_a_page_is_quiet_and_fits(chromium: Chromium, pages: Path, name: str) -> None:
    with chromium.look(pages / name) as look:
        look.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
        assert look.fits()
        look.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        assert look.fits()
    look.quiet()


@pytest.mark.parametrize("name", ["many.html", "index/index.html", "index/2026-11.html"])
def test_a_page_is_accessible(chromium: Chromium, pages: Path, name: str) -> None:
    assert chromium.accessible(pages / name, open_all=True) == []


@pytest.fixture
def many(chromium: Chromium, pages: Path) -> Iterator[Look]:
    with chromium.look(pages / "many.html") as look:
        yield look
    look.quiet()


@pytest.fixture
def large(chromium: Chromium, pages: Path) -> Iterator[Look]:
    with chromium.look(pages / "large.html") as look:
        yield look
    look.quiet()


def test_search_finds_and_centres(large: Look) -> None:
    box = large.page.locator("#graph .node", has_text="_0200.h5")
    assert not in_window(box)
    large.page.get_by_label("Find in the picture").fill("_0200.h5")
    assert in_window(box) and "hit" in (box.get_attribute("class") or "")
    assert large.page.locator("#graph .graph-found").text_content() == "found"
    large.page.get_by_label("Find in the picture").fill("no such file")
    assert large.page.locator("#graph .graph-found").text_content() == "not found"
    large.page.get_by_label("Find in the picture").fill("stepa")
    first = view(large)
    large.page.keyboard.press("Enter")
    assert view(large) != first and "2 of" in (large.page.locator("#graph .graph-found").text_content() or "")


def test_the_picture_moves_and_zooms(large: Look) -> None:
    start = view(large)
    window = large.page.locator("#graph .graph-window")
    window.focus()
    large.page.keyboard.press("ArrowRight")
    assert view(large)[0] > start[0] and view(large)[2] == start[2]
    large.page.keyboard.press("+")
    assert view(large)[2] < start[2]
    large.page.get_by_role("button", name="Zoom out").click()
    assert view(large)[2] == pytest.approx(start[2], rel=0.01)
    large.page.get_by_role("button", name="Show the whole picture").click()
    assert view(large)[2] > 4 * start[2]
    whole = view(large)
    place = window.bounding_box()
    assert place is not None
    middle = (place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    large.page.mouse.move(*middle)
    large.page.mouse.wheel(0, -300)
    assert view(large) == whole, "a wheel alone scrolls the page"
    window.scroll_into_view_if_needed()
    large.page.keyboard.down("Control")
    large.page.mouse.wheel(0, -300)
    large.page.keyboard.up("Control")
    large.page.wait_for_function("(w) => document.querySelector('#graph svg').viewBox.baseVal.width < w", arg=whole[2])
    before = view(large)
    large.page.mouse.down()
    large.page.mouse.move(middle[0] - 120, middle[1] - 10, steps=4)
    large.page.mouse.up()
    assert view(large)[0] > before[0] and large.page.locator(".graph-panel").is_hidden()


def test_a_click_tells_of_a_box_and_lights_its_ways(many: Look) -> None:
    many.page.locator("#graph a.node", has_text="flood.h5").click()
    panel = many.page.locator("#graph .graph-panel")
    assert panel.is_visible() and "made by flood" in panel.inner_text()
    assert "hpcprov1:bb" in panel.inner_text()
    near = many.page.locator("#graph .node.near").all_text_contents()
    assert len(near) >= 5 and not any("flood.zarr" in text for text in near)
    panel.get_by_role("link", name="figure").click()
    assert "figure" in panel.locator(".entry-name").inner_text()
    many.page.keyboard.press("Escape")
    assert panel.is_hidden() and many.page.locator("#graph .near").count() == 0


def test_the_picture_can_be_walked_with_keys(many: Look) -> None:
    many.page.locator("#graph .graph-window").focus()
    many.page.keyboard.press("Tab")
    assert many.focused().lower().startswith("a ")
    names = []
    for _ in range(4):
        names.append(many.page.evaluate("document.activeElement.querySelector('title').textContent"))
        many.page.keyboard.press("ArrowRight")
    assert names[0].startswith("run terrain") and names[1].startswith("data ") and names[2].startswith("run flood")
    many.page.keyboard.press("ArrowLeft")
    many.page.keyboard.press("Enter")
    assert many.page.locator("#graph .graph-panel").is_visible()
    assert many.page.evaluate("document.activeElement.className") == "graph-panel"
    many.page.keyboard.press("Escape")
    assert many.page.evaluate("document.activeElement.tagName").lower() == "a"


def test_without_scripts_a_box_leads_to_its_entry(chromium: Chromium, pages: Path) -> None:
    with chromium.look(pages / "many.html", scripts=False) as look:
        box = look.page.locator("#graph a.node", has_text="flood.h5")
        box.scroll_into_view_if_needed()
        box.click()
        number = box.get_attribute("href")
        assert number is not None and look.page.url.endswith(number)
        assert "made by" in (look.page.locator(number).text_content() or "")
        assert look.page.get_by_role("button", name="Zoom in").is_hidden()


def test_the_table_sorts_and_filters(many: Look) -> None:
    names = many.page.locator("#runs-rows tr th a")
    assert names.all_text_contents() == ["broken", "figure", "flood", "terrain", "pipeline"]
    many.page.get_by_role("button", name="Run", exact=True).click()
    assert names.all_text_contents() == sorted(["broken", "figure", "flood", "terrain", "pipeline"])
    many.page.get_by_role("button", name="Took").click()
    assert names.all_text_contents()[0] == "pipeline"
    assert many.page.locator("th", has_text="Took").get_attribute("aria-sort") == "descending"
    many.page.get_by_label("Filter").fill("failed")
    assert many.page.locator("#runs-rows tr:visible").count() == 1
    many.page.get_by_label("Filter").fill("")
    many.page.locator("#runs-rows").get_by_role("link", name="flood", exact=True).click()
    assert many.page.locator("#details details[open]").count() == 1


def test_a_report_can_be_printed(chromium: Chromium, pages: Path, tmp_path: Path) -> None:
    assert 1 <= chromium.print(pages / "many.html", tmp_path / "many.pdf") <= 8


@pytest.mark.parametrize("name", ["many.html", "index/index.html", "index/2026-11.html"])
def test_what_came_in_unescaped_would_not_run(chromium: Chromium, pages: Path, name: str) -> None:
    bad = (pages / name).with_suffix(".bad.html")
    bad.write_text((pages / name).read_text().replace("</main>", f"{INTRUDERS}</main>"))
    with chromium.look(bad) as look:
        assert look.refuses_intruders()


def test_the_days_of_a_calendar_lead_to_their_runs(chromium: Chromium, pages: Path) -> None:
    with chromium.look(pages / "index" / "index.html") as look:
        look.page.locator(".calendar a").first.click()
        look.page.wait_for_url("**/2026-11.html#d-2026-11-18")
        assert look.page.locator("#d-2026-11-18 li").count() == 3
    look.quiet()


def test_on_a_phone_a_calendar_begins_at_its_newest_runs(chromium: Chromium, pages: Path) -> None:
    with chromium.look(pages / "index" / "index.html", width=PHONE[0], height=PHONE[1]) as look:
        last = look.page.locator(".calendar a").last.bounding_box()
        assert last is not None and 0 < last["x"] < PHONE[0] - last["width"]
    look.quiet()


def test_on_a_phone_a_sample_stands_beside_its_word(chromium: Chromium, pages: Path) -> None:
    with chromium.look(pages / "many.html", width=PHONE[0], height=PHONE[1]) as look:
        samples = look.page.locator("#lineage .graph-key .key")
        words = [sample.evaluate(WORDS) for sample in samples.all()]
    assert [text for text, _ in words] == [
        "run",
        "data",
        "recorded, or by equal values",
        "by path and time, or by one field",
    ]
    assert all(beside for _, beside in words)
    look.quiet()


def view(look: Look) -> list[float]:
    """The picture's view box."""
    text = look.page.locator("#graph svg").get_attribute("viewBox")
    return [float(number) for number in str(text).split()]


def in_window(box: Any) -> bool:
    """Is a box of the picture in its window?"""
    return bool(
        box.evaluate(
            "(box) => { const a = box.getBoundingClientRect(), b = box.closest('.graph-window')"
            ".getBoundingClientRect();"
            " return a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom }"
        )
    )

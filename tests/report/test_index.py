"""The index of a store: a page for each month, only changed ones written again, nothing outside of its directory."""

from __future__ import annotations

import os
import re
from calendar import timegm
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from hpcprov.catalog import open_catalog
from hpcprov.record import moment
from hpcprov.record.errors import HpcprovError
from hpcprov.report.index import MOST_OF_A_MONTH, write_index
from hpcprov.report.sessions import days_of, entry_of
from hpcprov.report.year import levels, squares
from report.hostile import PAYLOADS
from report.made import a_store


class Row:
    """What the catalog gives of a run, as far as an index asks; any of it may be given."""

    def __init__(self, run_id: str, start: str | None = "2026-11-21T10:00:00.5Z", **given: Any) -> None:
        self.id, self.start, self.end, self.name, self.status, self.type = (
            run_id,
            start,
            start,
            "n",
            "completed",
            "command",
        )
        self.argv, self.cwd, self.user, self.ranks, self.nodes = ["./model"], "/scratch/ada", "ada", 1, ["n1"]
        self.part_of: list[str] = []
        self.parent, self.sealed = None, True
        self.summary: dict[str, Any] = {"duration_s": 60.0, "revision": 1}
        self.__dict__.update(given)


def giving(*rows: Any) -> Callable[..., Iterator[Any]]:
    """As Catalog.each_run: newest first, from `since` until before `until`."""

    def each(since: float = 0, until: float = 1e12) -> Iterator[Any]:
        for row in sorted(rows, key=lambda row: row.start or "", reverse=True):
            at = moment.ns(row.start) / moment.SECOND if row.start else 0
            if since <= at < until:
                yield row

    return each


def at(day: str, clock: str = "10:00:00") -> str:
    return f"{day}T{clock}.000000000Z"


def test_a_store_has_its_index(tmp_path: Path) -> None:
    a_store(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report-flood-1.html").write_text("a report")
    with open_catalog([str(tmp_path / ".hpcprov")]) as catalog:
        written = write_index(catalog.each_run, str(tmp_path / "out"), title="Runs")
        assert (written.pages, written.changed) == (2, 2)
        again = write_index(catalog.each_run, str(tmp_path / "out"), title="Runs")
        assert (again.pages, again.changed) == (2, 0)
    month = (tmp_path / "out" / "2026-11.html").read_text()
    assert month.count('<section id="d-') == 2 and "workflow pipeline" in month
    assert 'href="report-flood-1.html"' in month and 'href="report-figure-1.html"' not in month


def test_only_changed_months_are_written_again(tmp_path: Path) -> None:
    rows = [Row(f"r{k}", at(f"2026-{k:02d}-11")) for k in range(1, 13)]
    assert write_index(giving(*rows), str(tmp_path), title="Runs").changed == 13
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    rows[4].status = "failed"
    assert write_index(giving(*rows), str(tmp_path), title="Runs").changed == 2
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"index.html", "2026-05.html"}
    (tmp_path / "report-r1.html").write_text("a report")
    assert write_index(giving(*rows), str(tmp_path), title="Runs").changed == 1
    assert 'href="report-r1.html"' in (tmp_path / "2026-01.html").read_text()


def test_a_month_without_runs_loses_its_page_but_no_other_file(tmp_path: Path) -> None:
    write_index(giving(Row("a"), Row("b", at("2026-10-01"))), str(tmp_path), title="Runs")
    (tmp_path / "2025-01.html").write_text("mine")
    write_index(giving(Row("a")), str(tmp_path), title="Runs")
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "2026-11.html", "2025-01.html"}


def test_what_is_no_page_of_ours_is_kept(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("my home page")
    with pytest.raises(HpcprovError, match="is no page of an index"):
        write_index(giving(Row("a")), str(tmp_path), title="Runs")
    assert (tmp_path / "index.html").read_text() == "my home page"
    write_index(giving(Row("a")), str(tmp_path), title="Runs", force=True)
    assert "my home page" not in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_no_link_is_followed(tmp_path: Path, kind: str) -> None:
    target, out = tmp_path / "target", tmp_path / "out"
    out.mkdir()
    if kind == "link":
        target.write_text("precious")
    os.mkfifo(out / "2026-11.html") if kind == "pipe" else (out / "2026-11.html").symlink_to(target)
    with pytest.raises(HpcprovError):
        write_index(giving(Row("a")), str(out), title="Runs")
    write_index(giving(Row("a")), str(out), title="Runs", force=True)
    assert (out / "2026-11.html").is_file() and not (out / "2026-11.html").is_symlink()
    assert target.exists() == (kind == "link") and (kind != "link" or target.read_text() == "precious")


def test_no_link_leaves_the_directory(tmp_path: Path) -> None:
    ids = ["..%2f..%2fetc%2fpasswd", "a~2", "x.y-z_1"]
    (tmp_path / f"report-{ids[0]}.html").write_text("a report")
    write_index(giving(*(Row(one, name=PAYLOADS[0]) for one in ids)), str(tmp_path), title=PAYLOADS[2])
    for page in tmp_path.glob("20*.html"):
        for address in re.findall(r'href="([^"]*)"', page.read_text()):
            assert re.fullmatch(r"#[\w-]+|data:,|[\w.%~-]+", address), address
            assert "/" not in unquote(address) or address == "data:," or unquote(address).endswith("passwd.html")


def test_a_kill_leaves_old_pages_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_index(giving(Row("a")), str(tmp_path), title="Runs")
    before = (tmp_path / "2026-11.html").read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_index(giving(Row("a"), Row("b")), str(tmp_path), title="Runs")
    assert (tmp_path / "2026-11.html").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".draft")]


def test_a_month_with_very_many_runs_says_so(tmp_path: Path) -> None:
    rows = [
        Row(f"r{k}", at("2026-11-21", f"{k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d}")) for k in range(5000)
    ]
    write_index(giving(*rows), str(tmp_path), title="Runs")
    page = (tmp_path / "2026-11.html").read_text()
    assert f"The newest {MOST_OF_A_MONTH:,} of 5,000 runs" in page and len(page) < 2_000_000
    assert "5,000 runs" in (tmp_path / "index.html").read_text()


def test_runs_that_are_not_dated_have_a_page(tmp_path: Path) -> None:
    assert write_index(giving(Row("a", None), Row("b")), str(tmp_path), title="Runs").pages == 3
    assert "undated.html" in (tmp_path / "index.html").read_text()


def test_a_run_that_says_it_began_at_the_end_of_time_has_a_page(tmp_path: Path) -> None:
    assert write_index(giving(Row("a", at("9999-12-31", "23:59:59")), Row("b")), str(tmp_path), title="Runs").pages == 3
    assert 'id="d-9999-12-31"' in (tmp_path / "9999-12.html").read_text()


def test_an_empty_store_has_an_index(tmp_path: Path) -> None:
    assert write_index(giving(), str(tmp_path / "new"), title="Runs").pages == 1
    assert "There is no run yet." in (tmp_path / "new" / "index.html").read_text()


def test_runs_of_one_second_stand_in_their_order() -> None:
    """A job's start may be known to the second only: it stands before its steps all the same."""
    rows = [
        Row("a", "2026-11-21T10:00:00.900000000Z"),
        Row("b", "2026-11-21T10:00:00.100000000Z"),
        Row("job", "2026-11-21T10:00:00Z", type="job"),
    ]
    (told,) = days_of(map(entry_of, rows))
    assert [[one["id"] for one in session["runs"]] for session in told["sessions"]] == [["job"], ["b", "a"]]


def test_sessions_are_what_belongs_together() -> None:
    day = "2026-11-21"
    rows = [
        Row("a", at(day, "09:00:00")),
        Row("b", at(day, "09:20:00")),
        Row("c", at(day, "09:25:00"), cwd="/elsewhere"),
        Row("d", at(day, "11:00:00")),
        Row("w", at(day, "12:00:00"), type="workflow", name="flow"),
        Row("p1", at(day, "12:00:05"), part_of=["w"], cwd="/elsewhere"),
        Row("p2", at(day, "19:00:00"), part_of=["w"]),
        Row("inner", at(day, "09:01:00"), parent="a", cwd="/tmp"),
        Row("stray", at(day, "20:00:00"), part_of=["gone"]),
    ]
    (told,) = days_of(map(entry_of, rows))
    assert [[one["id"] for one in session["runs"]] for session in told["sessions"]] == [
        ["a", "inner", "b"],
        ["c"],
        ["d"],
        ["w", "p1", "p2"],
        ["stray"],
    ]
    assert [session["what"] for session in told["sessions"]] == [
        *("/scratch/ada", "/elsewhere", "/scratch/ada", "workflow flow", "part of gone")
    ]


@pytest.mark.parametrize("year", ["2024", "2026", "1970", "9999"])
def test_a_year_has_a_square_for_each_day(year: str) -> None:
    drawn = squares(year, {f"{year}-11-21": (12, 1)})
    assert len(drawn["cells"]) == (366 if year == "2024" else 365)
    assert len({(cell["x"], cell["y"]) for cell in drawn["cells"]}) == len(drawn["cells"])
    (busy,) = [cell for cell in drawn["cells"] if cell["level"]]
    assert (
        busy["told"] == f"{year}-11-21: 12 runs, 1 not completed" and busy["href"] == f"{year}-11.html#d-{year}-11-21"
    )
    assert max(cell["x"] for cell in drawn["cells"]) < drawn["width"]
    monday = timegm((int(year), 1, 1, 0, 0, 0)) // 86400 % 7 == 4
    assert (drawn["cells"][0]["y"] == 18) == monday


@pytest.mark.parametrize(("numbers", "limits"), [([], []), ([5], [1, 5, 5, 5]), ([1, 2, 3, 4], [1, 2, 3, 4])])
def test_levels_are_quarters(numbers: list[int], limits: list[int]) -> None:
    assert levels(numbers) == limits

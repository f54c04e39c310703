"""The page of many runs as values and text: what it counts, and that it stays small."""

from __future__ import annotations

import copy
import os
from typing import Any

import pytest

from hpcprov.catalog.graph import Graph
from hpcprov.merge.find import record_directories
from hpcprov.record import model, moment
from hpcprov.report.gantt import MOST_ROWS, gantt
from hpcprov.report.line import line_of
from hpcprov.report.many import chosen, facts, lead, node_hours, render_many
from hpcprov.report.many_text import render
from report.hostile import hostile
from report.made import a_store, chain


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    store = a_store(tmp_path_factory.mktemp("store"))
    return {
        os.path.basename(place): model.load(os.path.join(place, "record.json")) for place in record_directories(store)
    }


def many(record: dict[str, Any], number: int) -> Any:
    """Copies of a record, a second apart; one at a time."""
    begin = moment.ns(record["run"]["start"])
    for k in range(number):
        one = copy.copy(record)
        start = moment.iso(begin + k * moment.SECOND)
        end = moment.iso(begin + (k + 5) * moment.SECOND)
        one["run"] = record["run"] | {"id": f"r{k}", "start": start, "end": end, "name": f"step_{k % 30}"}
        yield one


def test_a_page_counts_what_it_tells(records: dict[str, dict[str, Any]]) -> None:
    lines = [line_of(record) for record in records.values()]
    assert lead(lines) == "4 completed, 1 failed."
    told = dict(facts(lines))
    assert told["Kinds"] == "4 commands, 1 workflow" and told["Nodes"] == "n1"
    # The workflow's own 85 s are those of its parts: four runs of 10 s on one node each.
    assert told["Node hours"] == f"{4 * 10 / 3600:.4f}"


def test_node_hours_say_what_they_lack(records: dict[str, dict[str, Any]]) -> None:
    line = line_of(records["flood-1"])
    running = line_of(records["figure-1"]) | {"seconds": None}
    assert node_hours([line | {"seconds": 7200.0, "node_count": 3}, running]) == "6.0 (of 1 run not known)"


def test_the_time_line_has_a_row_for_each_run_and_of_many_for_each_name(records: dict[str, dict[str, Any]]) -> None:
    few = gantt([line_of(record) for record in records.values()])
    assert few is not None and [row["name"] for row in few["rows"]] == [
        "pipeline",
        "terrain",
        "flood",
        "figure",
        "broken",
    ]
    assert few["rows"][-1]["bars"][0]["look"] == "bad" and few["rows"][-1]["said"] == "failed after 10.0 s"
    lines = [line_of(record) for record in many(records["flood-1"], MOST_ROWS * 10)]
    crowd = gantt(lines)
    assert crowd is not None and not crowd["single"] and [row["name"] for row in crowd["rows"]] == ["step_#"]
    for row in [*few["rows"], *crowd["rows"]]:
        assert (
            all(bar["x"] >= 0 and bar["x"] + bar["width"] <= 1000.1 for bar in row["bars"]) and len(row["bars"]) <= 250
        )


def test_runs_without_a_time_are_counted(records: dict[str, dict[str, Any]]) -> None:
    line = line_of(records["flood-1"])
    assert gantt([line | {"start": None}]) is None
    both = gantt([line, line | {"start": None}])
    assert both is not None and both["unknown"] == 1


def test_of_too_many_the_newest_and_the_failed_stay(records: dict[str, dict[str, Any]]) -> None:
    lines = [line_of(record) for record in many(records["flood-1"], 4000)][::-1]
    lines[-1]["status"] = line_of(records["broken-1"])["status"]
    kept = chosen(lines)
    assert len(kept) == 1500 and kept[0] is lines[0] and kept[-1] is lines[-1]


@pytest.mark.parametrize("number", [300, 5000])
def test_a_page_stays_below_two_megabytes(records: dict[str, dict[str, Any]], number: int) -> None:
    page = render_many(many(records["flood-1"], number), title="all", graph=chain(500, window=100))
    assert len(page.encode()) < 2_000_000
    assert ("are too many for one page" in page) == (number > 1500)


def test_a_page_without_runs_is_a_page() -> None:
    page = render_many([], title="none", graph=Graph(), notes=["1 record could not be read."])
    assert "No run fits." in page and "1 record could not be read." in page


@pytest.mark.parametrize("form", ["text", "md"])
def test_a_table_has_a_line_for_each_run(records: dict[str, dict[str, Any]], form: str) -> None:
    from hpcprov.catalog.rows import summary

    told = [summary(record) for record in records.values()]
    lines = render(told, title="Runs", form=form).splitlines()
    for record in records.values():
        assert sum(record["run"]["id"] in line for line in lines) == 1
    bad = render([summary(hostile(record)) for record in records.values()], title="\x1b[31m", form=form)
    assert len(bad.splitlines()) == len(lines) and "\x1b" not in bad
    assert "<script" not in bad.replace("\\<script", "") or form == "text"

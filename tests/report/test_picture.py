"""A graph as values for a page: labels that fit, neighbours, and what becomes of graphs that are too large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hpcprov.catalog.graph import Graph
from hpcprov.report.grouped import grouped, program, title
from hpcprov.report.label import _width, fitted
from hpcprov.report.picture import picture
from hpcprov.report.rules import rules
from report.made import chain


@given(some.text(max_size=2000), some.integers(60, 300))
def test_a_label_fits_and_shows_nothing_invisible(text: str, width: int) -> None:
    label = fitted(text, width)
    assert _width(label) * 12 <= width + 12 and label.isprintable()


@pytest.mark.parametrize(
    ("text", "begin", "end"), [("a" * 80 + "0042.nc", "aaa", "0042.nc"), ("short.nc", "short.nc", "short.nc")]
)
def test_a_label_keeps_both_ends(text: str, begin: str, end: str) -> None:
    assert fitted(text, 140).startswith(begin) and fitted(text, 140).endswith(end)


def test_a_small_graph_is_drawn_node_by_node() -> None:
    graph = chain(40)
    values = picture(graph)
    assert len(values["nodes"]) == len(graph.nodes) and len(values["edges"]) == len(graph.edges)
    assert values["told"] == [] and values["summary"].startswith("20 runs, 20 versions of data")


def test_an_entry_tells_of_its_neighbours() -> None:
    graph = Graph()
    run = graph.add_run("r1", name="flood", status="failed", start="2026-11-21T14:21:58Z", argv=["python", "flood.py"])
    data = graph.add_artifact("hpcprov1:ab", path="/data/flood.h5", paths=["/data/flood.h5", "/data/copy.h5"])
    graph.link(run, data, role="generated", join="record")
    other = graph.add_run("r2", name="figure", status="completed")
    graph.link(data, other, role="used", join="path")
    values = picture(graph, links={"r1": "report-r1.html"})
    flood, stored, figure = sorted(values["entries"], key=lambda entry: entry["number"])
    assert (flood["name"], flood["tone"], flood["href"]) == ("flood", "bad", "report-r1.html")
    assert [(way["word"], [one["name"] for one in way["nodes"]]) for way in stored["ways"]] == [
        ("made by", ["flood"]),
        ("used by", ["figure"]),
    ]
    assert ("also at", "/data/copy.h5") in stored["facts"]
    assert figure["ways"][0]["nodes"][0]["how"] == "by path and time"
    assert [edge["sure"] for edge in values["edges"]] == [True, False]


@pytest.mark.parametrize("names", [1, 7, 26])
def test_a_large_graph_is_summarised_and_says_so(names: int) -> None:
    graph = chain(4000, names=names)
    values = picture(graph, most=300)
    assert len(values["nodes"]) <= 300
    assert "4,000 nodes are too many for a picture" in values["told"][0]
    assert sum(entry["many"] for entry in values["entries"]) == 4000
    assert values["summary"].startswith("2,000 runs")
    called = {(entry["kind"], entry["name"]) for entry in values["entries"] if entry["many"] > 1}
    assert ("data", "stepa_#.h5") in called and ("run", "stepa") in called


@pytest.mark.parametrize("most", [2, 3, 10, 100])
def test_every_graph_can_be_summarised(most: int) -> None:
    graph = Graph()
    for k in range(400):  # a long chain of runs that nobody named alike
        run = graph.add_run(f"r{k}", name=f"{chr(97 + k % 26)}{chr(97 + k // 26)} x", status="completed")
        data = graph.add_artifact(f"d{k}", path=f"/data/{k}/{chr(97 + k % 26)}.{chr(97 + k // 26)}")
        graph.link(run, data, role="generated", join="record")
        graph.link(data, f"run:r{k + 1}", role="used", join="record") if k < 399 else None
    small = grouped(graph, most=most)
    assert len(small.nodes) <= most and sum(node.get("count", 1) for node in small.nodes.values()) == 800


def test_a_file_for_each_time_step_is_one_box() -> None:
    graph = Graph()
    run, plot = (
        graph.add_run("r1", name="model", status="completed"),
        graph.add_run("r2", name="plot", status="completed"),
    )
    for k in range(300):
        made = graph.add_artifact(f"d{k}", path=f"/data/out_{k:04d}.nc", size=1000, format="netcdf3")
        graph.link(run, made, role="generated", join="record")
        graph.link(made, plot, role="used", join="record") if k != 7 else None
    values = picture(graph)
    assert sorted(entry["name"] for entry in values["entries"]) == ["model", "out_#.nc", "out_0007.nc", "plot"]
    (box,) = [node for node in values["nodes"] if node["many"]]
    assert (box["many"], box["below"]) == ("×299", "netcdf3 · 299 kB")
    assert values["told"][0].startswith("Files of one name but for numbers")
    graph.start = ["data:d12"]
    assert len(picture(graph)["nodes"]) == 5, "what was asked for stays by itself"


def test_what_was_cut_is_told() -> None:
    graph = chain(10)
    graph.cut = 1234
    assert picture(graph)["told"] == ["1,234 nodes beyond these left out"]


def test_rules_are_joined_through_data_and_their_copies() -> None:
    graph = Graph()
    for k in range(3):
        made = graph.add_artifact(f"m{k}", path=f"/data/{k}.h5")
        copied = graph.add_artifact(f"c{k}", path=f"/other/{k}.h5")
        graph.link(
            graph.add_run(f"s{k}", name=f"simulate_{k}", status="completed"), made, role="generated", join="record"
        )
        graph.link(made, copied, role="same values", join="field")
        graph.link(copied, graph.add_run("p", name="plot", status="completed"), role="used", join="record")
    small = rules(graph)
    assert {(node["name"], node["count"]) for node in small.nodes.values()} == {("simulate_#", 3), ("plot", 1)}
    assert [(small.nodes[e["from"]]["name"], small.nodes[e["to"]]["name"]) for e in small.edges] == [
        ("simulate_#", "plot")
    ]
    titles = {node["title"].partition(",")[0] for node in picture(small)["nodes"]}
    assert titles == {"3 runs: simulate_#", "1 run: plot"}


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/python3", "-u", "/home/ada/solve.py"], "python3 solve.py"),
        (["./model", "config.nml"], "model"),
        ([], None),
        ("not a list", None),
    ],
)
def test_a_command_has_a_short_name(argv: object, name: str | None) -> None:
    assert program(argv) == name


def test_a_node_of_which_nothing_is_known_has_a_title() -> None:
    assert (
        title({"kind": "run", "run": "r1"}) == "r1" and title({"kind": "data", "key": "hpcprov1:ab"}) == "hpcprov1:ab"
    )
    graph = Graph()
    graph.nodes["x"] = {"id": "x", "kind": "data", "size": float("nan"), "path": None, "paths": None}
    assert len(picture(graph)["nodes"]) == 1


def test_the_source_of_a_copy_is_drawn_before_it() -> None:
    """terrain.py copies /data/raw.npz to /x/terrain.npz: equal values, and still two boxes, the raw one first."""
    graph = Graph()
    for name in ("terrain", "simulate"):
        graph.add_run(name, name=name, status="completed", start="2026-11-21T09:00:00Z")
    values = graph.add_artifact("hpcprov1:aa", path="/data/raw.npz", paths=["/data/raw.npz", "/x/terrain.npz"])
    graph.link(values, "run:terrain", role="used", join="record", path="/data/raw.npz")
    graph.link("run:terrain", values, role="generated", join="record", path="/x/terrain.npz")
    graph.link(values, "run:simulate", role="used", join="signature", path="/x/terrain.npz")
    drawn = picture(graph)
    at = {node["name"]: node["x"] for node in drawn["nodes"]}
    assert at["raw.npz"] < at["terrain"] < at["terrain.npz"] < at["simulate"]
    assert len(drawn["edges"]) == 3 and len(graph.nodes) == 3, "the graph itself stays"

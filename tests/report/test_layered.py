"""The drawing of a graph: nothing overlaps, time goes to the right, cycles and copies are borne."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hpcprov.report.layered import HEIGHT, WIDTH, Drawing, place
from hpcprov.report.layers import layers_of
from report.made import chain

NAMES = [f"n{k}" for k in range(12)]
EDGES = some.lists(some.tuples(some.sampled_from(NAMES), some.sampled_from(NAMES)), max_size=40)


@given(EDGES)
def test_every_node_has_a_place_of_its_own(edges: list[tuple[str, str]]) -> None:
    drawing = place(NAMES, edges)
    assert set(drawing.at) == set(NAMES) and set(drawing.lines) == set(range(len(edges)))
    for one, other in combinations(drawing.at.values(), 2):
        assert abs(one[0] - other[0]) >= WIDTH - 1e-6 or abs(one[1] - other[1]) >= HEIGHT - 1e-6
    for x, y in [*drawing.at.values(), *(point for line in drawing.lines.values() for point in line)]:
        assert 0 <= x <= drawing.width and 0 <= y <= drawing.height


@given(EDGES)
def test_without_cycles_every_edge_goes_right(edges: list[tuple[str, str]]) -> None:
    forward = [(a, b) for a, b in edges if NAMES.index(a) < NAMES.index(b)]
    drawing = place(NAMES, forward)
    for a, b in forward:
        assert drawing.at[a][0] + WIDTH < drawing.at[b][0] + 1e-6
    for line in drawing.lines.values():
        assert all(left[0] <= right[0] for left, right in pairwise(line))


@given(EDGES)
def test_layers_are_the_longest_ways(edges: list[tuple[str, str]]) -> None:
    forward = [(a, b) for a, b in edges if NAMES.index(a) < NAMES.index(b)]
    longest = dict.fromkeys(NAMES, 0)
    for name in NAMES:
        longest[name] = max([longest[a] + 1 for a, b in forward if b == name], default=0)
    assert layers_of(NAMES, forward) == longest


@given(some.randoms(use_true_random=False), EDGES)
def test_the_same_graph_is_drawn_the_same(chance: object, edges: list[tuple[str, str]]) -> None:
    assert place(NAMES, edges).at == place(NAMES, edges).at


def test_a_tree_has_no_crossings() -> None:
    edges = [(f"t{k}", f"t{2 * k + side}") for k in range(1, 16) for side in (0, 1)]
    names = [f"t{k}" for k in (*range(31, 0, -1),)]
    assert crossings(place(names, edges), edges) == 0


def test_a_cycle_begins_where_the_nodes_do() -> None:
    layers = layers_of(["run", "data"], [("data", "run"), ("run", "data")])
    assert layers == {"run": 0, "data": 1}
    drawing = place(["run", "data"], [("data", "run"), ("run", "data")])
    assert drawing.lines[0][0][0] > drawing.lines[0][-1][0], "the edge against time goes left"


def test_what_is_used_late_stands_next_to_it() -> None:
    drawing = place(["a", "b", "c", "late"], [("a", "b"), ("b", "c"), ("late", "c")])
    assert drawing.at["late"][0] == drawing.at["b"][0]


def test_long_edges_bend_around_boxes() -> None:
    drawing = place(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert len(drawing.lines[2]) == 4
    assert abs(drawing.lines[2][1][1] - drawing.at["b"][1]) > HEIGHT / 2


@pytest.mark.parametrize(("nodes", "window"), [(500, 2), (500, 30), (500, 250)])
def test_five_hundred_nodes_are_packed(nodes: int, window: int) -> None:
    graph = chain(nodes, window=window)
    edges = [(edge["from"], edge["to"]) for edge in graph.edges]
    drawing = place(list(graph.nodes), edges)
    assert len(drawing.at) == nodes and drawing.width * drawing.height < nodes * 400_000


def test_no_node_is_no_drawing() -> None:
    assert place([], []).at == {}


def crossings(drawing: Drawing, edges: list[tuple[str, str]]) -> int:
    """How many straight edges between the same layers cross."""
    ends = [(*drawing.at[a], *drawing.at[b]) for a, b in edges]
    return sum((p[1] - q[1]) * (p[3] - q[3]) < 0 for p, q in combinations(ends, 2) if p[0] == q[0] and p[2] == q[2])

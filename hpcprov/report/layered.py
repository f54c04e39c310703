"""Where the nodes of a lineage graph are drawn: layers from left to right, few crossings, straight lines.

The layered drawing of Sugiyama, Tagawa and Toda (IEEE Trans. SMC 11(2), 1981): edges that close a cycle are turned; a
node's layer is its longest way from a beginning; an edge that spans several layers gets a bend in each, which the edges
of one node share; sweeps order every layer by the mean place of its neighbours, and the order with the fewest crossings
stays; then each layer's places are the least squares of what its neighbours want, at their distance from each other
(isotonic regression: pool adjacent violators). Parts that nothing joins are drawn for themselves and packed in rows.

    drawing = place(["a", "b"], [("a", "b")])
    drawing.at["b"]  ->  (342.0, 33.0)       drawing.lines[0]  ->  [(194.0, 33.0), (250.0, 33.0)]
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from itertools import pairwise

from hpcprov.report.layers import layers_of, tightened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Point: TypeAlias = tuple[float, float]
    #: A node's name, or of a bend the node that its edges come from, and its layer.
    Stop: TypeAlias = str | tuple[str, int]

WIDTH, HEIGHT = 184.0, 46.0
BETWEEN_LAYERS, BETWEEN_NODES, BETWEEN_PARTS = 56.0, 16.0, 34.0
BEND = 6.0  # of the height that a bend takes
MARGIN = 10.0
BELOW = 28.0  # where edges against time hang
ORDERINGS, PLACINGS = 12, 10
STIFF = 20.0  # how much more than a node a bend counts, which makes long edges straight
# A few thousand bends are ordered within a second; beyond, long edges go straight.
MOST_BENDS = 4000
SHAPE = 1.8  # width over height that packing aims at


class Drawing:
    """`at`: the middle of each node; `lines`: of each edge the points it goes through; `width` and `height` of all."""

    def __init__(self) -> None:
        self.at: dict[str, Point] = {}
        self.lines: dict[int, list[Point]] = {}
        self.width = self.height = 0.0


def place(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Drawing:
    """A drawing of nodes and edges (pairs of them). A cycle begins at the node that is given first."""
    layers = layers_of(nodes, edges)
    drawn = [_part(part, held, edges, layers) for part, held in _parts(nodes, edges)]
    return _packed(drawn)


def _parts(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[tuple[list[str], list[int]]]:
    """Connected parts, the largest first: nodes as they were given, and numbers of edges."""
    beside: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        beside[source].append(target)
        beside[target].append(source)
    part_of: dict[str, int] = {}
    parts: list[tuple[list[str], list[int]]] = []
    for name in nodes:
        if name in part_of:
            continue
        part_of[name] = len(parts)
        waiting = deque([name])
        while waiting:
            for other in beside[waiting.popleft()]:
                if other not in part_of:
                    part_of[other] = len(parts)
                    waiting.append(other)
        parts.append(([], []))
    for name in nodes:
        parts[part_of[name]][0].append(name)
    for number, (source, _) in enumerate(edges):
        parts[part_of[source]][1].append(number)
    return sorted(parts, key=lambda part: -len(part[0]))


def _part(nodes: list[str], held: list[int], edges: Sequence[tuple[str, str]], given: dict[str, int]) -> Drawing:
    layers = tightened(nodes, [edges[k] for k in held], given)
    paths = _paths(held, edges, layers)
    rows = _rows(nodes, paths, layers)
    before, after = _neighbours(paths)
    rows = _ordered(rows, before, after)
    y = _placed(rows, before, after)
    top = min(y.values()) - HEIGHT / 2
    drawing = Drawing()
    for name in nodes:
        drawing.at[name] = (layers[name] * (WIDTH + BETWEEN_LAYERS) + WIDTH / 2, y[name] - top)
    for number in held:
        drawing.lines[number] = _line(edges[number], paths.get(number, []), layers, y, top)
    drawing.width = (1 + max(layers.values())) * (WIDTH + BETWEEN_LAYERS) - BETWEEN_LAYERS
    turned = any(layers[edges[k][0]] >= layers[edges[k][1]] for k in held)
    drawing.height = max(y.values()) + HEIGHT / 2 - top + (BELOW if turned else 0.0)
    return drawing


def _paths(held: list[int], edges: Sequence[tuple[str, str]], layers: dict[str, int]) -> dict[int, list[Stop]]:
    """Of each edge that goes right its stops: its nodes, and its bends between them."""
    paths: dict[int, list[Stop]] = {}
    bends: set[Stop] = set()
    for number in sorted(held, key=lambda k: layers[edges[k][1]] - layers[edges[k][0]]):
        source, target = edges[number]
        between: list[Stop] = [(source, layer) for layer in range(layers[source] + 1, layers[target])]
        if layers[source] < layers[target] and len(bends) + len(between) <= MOST_BENDS:
            bends.update(between)
            paths[number] = [source, *between, target]
    return paths


def _rows(nodes: list[str], paths: dict[int, list[Stop]], layers: dict[str, int]) -> list[list[Stop]]:
    rows: list[list[Stop]] = [[] for _ in range(1 + max(layers.values()))]
    for name in nodes:
        rows[layers[name]].append(name)
    for bend in dict.fromkeys(bend for path in paths.values() for bend in path[1:-1]):
        rows[int(bend[1])].append(bend)
    return rows


def _neighbours(paths: dict[int, list[Stop]]) -> tuple[dict[Stop, list[Stop]], dict[Stop, list[Stop]]]:
    before: dict[Stop, list[Stop]] = {}
    after: dict[Stop, list[Stop]] = {}
    for left, right in dict.fromkeys(pair for path in paths.values() for pair in pairwise(path)):
        after.setdefault(left, []).append(right)
        before.setdefault(right, []).append(left)
    return before, after


def _ordered(rows: list[list[Stop]], before: dict[Stop, list[Stop]], after: dict[Stop, list[Stop]]) -> list[list[Stop]]:
    """The rows in the best order that a dozen sweeps to and fro meet."""
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(ORDERINGS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        for k in range(1, len(rows)) if forward else range(len(rows) - 2, -1, -1):
            fixed, beside = (rows[k - 1], before) if forward else (rows[k + 1], after)
            rows[k] = _by_mean(rows[k], fixed, beside)
        number = _crossings(rows, after)
        if number < fewest:
            best, fewest = [list(row) for row in rows], number
    return best


def _by_mean(row: list[Stop], fixed: list[Stop], beside: dict[Stop, list[Stop]]) -> list[Stop]:
    where = {stop: k for k, stop in enumerate(fixed)}
    own = len(fixed) / max(1, len(row))

    def wanted(k: int) -> float:
        found = [where[other] for other in beside.get(row[k], ())]
        return sum(found) / len(found) if found else k * own

    return [row[k] for k in sorted(range(len(row)), key=wanted)]


def _crossings(rows: list[list[Stop]], after: dict[Stop, list[Stop]]) -> int:
    number = 0
    for row, following in pairwise(rows):
        where = {stop: k for k, stop in enumerate(following)}
        seen: list[int] = []
        for stop in row:
            ends = [where[other] for other in after.get(stop, ())]
            number += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return number


def _placed(rows: list[list[Stop]], before: dict[Stop, list[Stop]], after: dict[Stop, list[Stop]]) -> dict[Stop, float]:
    """Of each stop its y."""
    y: dict[Stop, float] = {}
    for row in rows:
        _settle(row, [0.0] * len(row), y)
    for sweep in range(PLACINGS):
        forward = sweep % 2 == 0
        for row in rows if forward else rows[::-1]:
            wanted = []
            for stop in row:
                # The last sweeps look to both sides.
                near = before.get(stop, []) if forward else after.get(stop, [])
                if sweep >= PLACINGS - 4 or not near:
                    near = before.get(stop, []) + after.get(stop, [])
                if not isinstance(stop, str):
                    near = [other for other in near if not isinstance(other, str)] or near
                wanted.append(sum(y[other] for other in near) / len(near) if near else y[stop])
            _settle(row, wanted, y)
    return y


def _settle(row: list[Stop], wanted: list[float], y: dict[Stop, float]) -> None:
    """Put a row's stops as near to where they are wanted as their distances allow; bends, which make lines straight,
    count most."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (_height(left) + _height(right)) / 2 + BETWEEN_NODES)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for stop, want, offset in zip(row, wanted, offsets, strict=True):
        mean, weight, number = want - offset, 1.0 if isinstance(stop, str) else STIFF, 1
        while blocks and blocks[-1][0] >= mean:
            other, heavy, more = blocks.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, number = weight + heavy, number + more
        blocks.append((mean, weight, number))
    means = [mean for mean, _, number in blocks for _ in range(number)]
    y.update((stop, mean + offset) for stop, mean, offset in zip(row, means, offsets, strict=True))


def _height(stop: Stop) -> float:
    return HEIGHT if isinstance(stop, str) else BEND


def _line(
    edge: tuple[str, str], path: list[Stop], layers: dict[str, int], y: dict[Stop, float], top: float
) -> list[Point]:
    """The points of one edge: from its source's right border through its bends to its target's left one; of one that
    runs against time, from lower border to lower border."""
    source, target = edge
    step = WIDTH + BETWEEN_LAYERS
    if layers[source] >= layers[target]:
        return [(layers[name] * step + WIDTH / 2, y[name] - top + HEIGHT / 2) for name in edge]
    first = (layers[source] * step + WIDTH, y[source] - top)
    last = (layers[target] * step, y[target] - top)
    bends = [
        (layer * step + side, y[stop] - top) for stop in path[1:-1] for layer in [int(stop[1])] for side in (0.0, WIDTH)
    ]
    return [first, *bends, last]


def _packed(drawn: list[Drawing]) -> Drawing:
    """Drawings in rows, the first one above."""
    area = sum((one.width + BETWEEN_PARTS) * (one.height + BETWEEN_PARTS) for one in drawn)
    widest = max([(area * SHAPE) ** 0.5, *(one.width for one in drawn)], default=0.0)
    whole = Drawing()
    x = y = MARGIN
    tallest = 0.0
    for one in drawn:
        if x > MARGIN and x + one.width > widest + MARGIN:
            x, y, tallest = MARGIN, y + tallest + BETWEEN_PARTS, 0.0
        whole.at |= {name: (x + left, y + up) for name, (left, up) in one.at.items()}
        whole.lines |= {k: [(x + left, y + up) for left, up in line] for k, line in one.lines.items()}
        whole.width, whole.height = max(whole.width, x + one.width), max(whole.height, y + one.height)
        x, tallest = x + one.width + BETWEEN_PARTS, max(tallest, one.height)
    whole.width, whole.height = whole.width + MARGIN, whole.height + MARGIN
    return whole

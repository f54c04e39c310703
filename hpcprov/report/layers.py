"""In which layer of a drawing a node stands: by its longest way from a beginning, and next to what it is for.

layers_of(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")])  ->  {"a": 0, "b": 1, "c": 2}
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def layers_of(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Of each node the longest way to it from a beginning, by edges that close no cycle."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    led_to = set()
    for source, target in edges:
        if source != target:
            after[source].append(target)
            led_to.add(target)
    layers = dict.fromkeys(nodes, 0)
    order, closing = _finished(sorted(nodes, key=led_to.__contains__), after)
    for name in order:
        for target in after[name]:
            if (name, target) in closing:
                continue
            layers[target] = max(layers[target], layers[name] + 1)
    return layers


def _finished(roots: list[str], after: dict[str, list[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """The nodes so that each comes before those after it, and the edges that close a cycle."""
    order: list[str] = []
    closing: set[tuple[str, str]] = set()
    entered: dict[str, bool] = {}  # is it still open?
    for root in roots:
        if root in entered:
            continue
        entered[root] = True
        way = [(root, iter(after[root]))]
        while way:
            name, targets = way[-1]
            for target in targets:
                if target not in entered:
                    entered[target] = True
                    way.append((target, iter(after[target])))
                    break
                if entered[target]:
                    closing.add((name, target))
            else:
                entered[name] = False
                order.append(name)
                way.pop()
    return order[::-1], closing


def tightened(nodes: list[str], edges: list[tuple[str, str]], given: dict[str, int]) -> dict[str, int]:
    """Layers from 0 without gaps, in which what has more edges after it than before it stands next to them."""
    inward = dict.fromkeys(nodes, 0)
    outward: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        if given[source] < given[target]:
            inward[target] += 1
            outward[source].append(target)
    layers = {name: given[name] for name in nodes}
    for name in sorted(nodes, key=lambda name: -given[name]):
        if outward[name] and inward[name] < len(outward[name]):
            layers[name] = min(layers[target] for target in outward[name]) - 1
    number = {layer: k for k, layer in enumerate(sorted(set(layers.values())))}
    return {name: number[layer] for name, layer in layers.items()}

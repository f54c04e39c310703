"""What runs of a lineage belong to, told beside it and not followed: jobs, workflows, runs around them, earlier starts.

run:20261121T142522Z-72ec67d0  --part of-->      run:20261121T142520Z-26462a67
run:slurm-alps-4711            --restart of-->   run:slurm-alps-4711-r1
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.catalog.graph import Node
    from hpcprov.catalog.growth import Growth
    from hpcprov.catalog.versions import Lookups

    Link = tuple[str, str, str]


def surround(growth: Growth, look: Lookups) -> None:
    """Add the wholes of the runs in a graph, what these were started again from, and what they repeat."""
    links = [link for node in [*growth.graph.nodes.values()] if node["kind"] == "run" for link in _links(node)]
    growth.load(run for source, target, _ in links for run in (source, target))
    for source, target, role in links:
        if growth.knows(source) and growth.knows(target):
            nodes = growth.add_run(source), growth.add_run(target)
            if nodes[0] is not None and nodes[1] is not None:
                growth.graph.link(nodes[0], nodes[1], role=role, join="record")


def _links(node: Node) -> Iterator[Link]:
    run = str(node["run"])
    for whole in node.get("part_of") or ():
        yield run, whole, "part of"
    if node.get("previous"):
        yield str(node["previous"]), run, "restart of"
    if node.get("rerun_of"):
        yield str(node["rerun_of"]), run, "rerun of"

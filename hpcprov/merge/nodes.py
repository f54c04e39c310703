"""Node by node: which host it was, what launched ranks there, its agent, and where its facts are in the record's table.

describe(["n1"], ranks, agents, {"n1": {"host": "sha256:..."}})
-> [{"node": "n1", "host": "n1.cluster", "agent": {"pid": 77, ...}, "facts": {"host": "sha256:..."}, "launches": [...]}]
"""

from __future__ import annotations

from hpcprov.record import moment
from hpcprov.record.canonical import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event, Rank


def names(ranks: list[Rank], agents: list[Event], facts: Iterable[str]) -> list[str]:
    """Names of nodes: by their lowest rank, then those of which only an agent spoke, by name."""
    return list(dict.fromkeys([rank.node for rank in ranks] + sorted({*(event["node"] for event in agents), *facts})))


def describe(
    nodes: list[str], ranks: list[Rank], agents: list[Event], facts: dict[str, dict[str, str]]
) -> list[dict[str, Any]]:
    """One entry for each of `nodes`; `facts`: digests of facts by node and kind."""
    starts: dict[str, list[Event]] = {node: [] for node in nodes}
    for rank in ranks:
        starts[rank.node].append(rank.start)
    own: dict[str, list[Event]] = {node: [] for node in nodes}
    for event in agents:
        own[event["node"]].append(event)
    return [node_entry(node, starts[node], own[node], facts.get(node, {})) for node in nodes]


def node_entry(node: str, starts: list[Event], agents: list[Event], facts: dict[str, str]) -> dict[str, Any]:
    """One node, and why it has no facts when no agent spoke from it."""
    agent = min(agents, key=lambda event: (event["time"], canonical(event)), default=None)
    entry = {
        "node": node,
        "host": common(start.get("host") for start in starts),
        "boot_id": common(event.get("boot_id") for event in [*starts, *agents]),
        "launches": launches(starts),
        "agent": None if agent is None else {key: agent.get(key) for key in ("pid", "hpcprov", "python")},
        "facts": facts,
    }
    if agent is None and starts:
        wanted = any(start.get("agent", True) for start in starts)
        entry["unknown"] = "no agent reported from this node" if wanted else "the run was made with --no-agent"
    return entry


def launches(starts: list[Event]) -> list[dict[str, Any]]:
    """The launching processes on one node, with the earliest estimate of when each was started."""
    times: dict[tuple[str, int], list[int]] = {}
    for start in starts:
        times.setdefault((start.get("launch", "unknown"), start.get("n", 0)), []).append(start.get("launch_time", -1))
    return [launch(*key, [time for time in times[key] if time >= 0]) for key in sorted(times)]


def launch(name: str, n: int, times: list[int]) -> dict[str, Any]:
    return {"launch": name, "n": n, "time": moment.iso(min(times)) if times else None}


def common(texts: Iterable[str | None]) -> str | None:
    """The one value of a list; several are joined by commas, sorted; None when there is none."""
    return ",".join(sorted({text for text in texts if text})) or None

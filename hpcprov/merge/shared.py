"""What many ranks or nodes have in common, stored once: commands, environments, facts.

environment({0: {"A": "1", "R": "0"}, 1: {"A": "1", "R": "1"}}, [0, 1])
-> {"common": {"A": "1"}, "varying": {"R": ["0", "1"]}, "unknown": []}
"""

from __future__ import annotations

from hpcprov.record.canonical import canonical, digest
from hpcprov.record.ranges import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event, Rank

COMMAND = ("argv", "cwd", "umask")


def commands(ranks: list[Rank]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The command of the lowest rank, and the different ones of others (MPMD), each with the ranges of its ranks."""
    by_text: dict[tuple[Any, ...], list[int]] = {}
    for rank in ranks:
        key = tuple(rank.start.get("argv") or ()), rank.start.get("cwd"), rank.start.get("umask")
        by_text.setdefault(key, []).append(rank.rank)
    found = [_command(key) | {"ranks": ranges(numbers)} for key, numbers in by_text.items()]
    if not found:
        return dict.fromkeys(COMMAND), []
    return {key: found[0][key] for key in COMMAND}, found[1:]


def _command(key: tuple[Any, ...]) -> dict[str, Any]:
    return {"argv": list(key[0]) or None, "cwd": key[1], "umask": key[2]}


def environments(events: Iterable[Event], ranks: list[Rank]) -> dict[int, dict[str, str]]:
    """Each rank's environment: the one that its own launcher wrote. Two for one launcher are joined."""
    launchers = {rank.rank: rank.start["pid"] for rank in ranks}
    found: dict[int, dict[str, str]] = {}
    for event in events:
        rank = event["rank"]
        if launchers.get(rank) != event.get("pid", launchers.get(rank)):
            continue
        known = found.get(rank)
        found[rank] = event["env"] if known is None or known is event["env"] else _joined(known, event["env"])
    return found


def _joined(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    return {name: max(one.get(name, ""), other.get(name, "")) for name in one.keys() | other.keys()}


def environment(found: dict[int, dict[str, str]], ranks: list[int]) -> dict[str, Any]:
    """Variables with one value in all known environments, and the rest as columns in the order of `ranks`."""
    known = [found[rank] for rank in ranks if rank in found]
    common = dict(known[0]) if known else {}
    names: set[str] = set()
    for env in known:
        names |= env.keys()
        if env.items() < common.items() or not common.items() <= env.items():
            common = dict(common.items() & env.items())
    rows: list[dict[str, str]] = [found.get(rank, {}) for rank in ranks]
    varying = {name: [row.get(name) for row in rows] for name in sorted(names - common.keys())}
    return {"common": common, "varying": varying, "unknown": ranges(rank for rank in ranks if rank not in found)}


def lowest(environment: dict[str, Any]) -> dict[str, str]:
    """The environment of the lowest rank, from a record's `environment`."""
    columns = environment["varying"].items()
    common: dict[str, str] = environment["common"]
    return common | {name: column[0] for name, column in columns if column and column[0] is not None}


def facts(events: Iterable[Event]) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """For each node and kind the digest of its latest fact, and the table of facts by digest."""
    latest: dict[tuple[str, str], Event] = {}
    for event in events:
        key = event["node"], event["kind"]
        latest[key] = _later(latest.get(key, event), event)
    by_node: dict[str, dict[str, str]] = {}
    table: dict[str, Any] = {}
    for (node, kind), event in latest.items():
        entry = {"kind": kind} | ({"error": event["error"]} if "error" in event else {"value": event.get("value")})
        name = digest(entry)
        table[name] = entry
        by_node.setdefault(node, {})[kind] = name
    return by_node, table


def _later(one: Event, other: Event) -> Event:
    return one if one is other else max(one, other, key=lambda event: (event["time"], canonical(event)))

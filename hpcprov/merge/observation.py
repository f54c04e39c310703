"""How a run was observed, and what of it could not be seen: a record's `observation` and the problems that follow.

    observation(by_kind, programs)
    ->  {"how": "preload", "complete": True, "nodes": [...], "programs": [...], "software": [...], "code": [...],
         "counted": [...], "directories": [...]}

What the nodes tell of software and code is nearly the same everywhere: it is joined, not repeated for each of them.
"""

from __future__ import annotations

from hpcprov.record.canonical import canonical
from hpcprov.record.observed import HOWS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.programs import Tree
    from hpcprov.merge.ranks import Event

NODE = ("how", "lost", "cut", "complete", "reasons", "classes")
#: Lists of a record's observation: what makes two entries the same, and the numbers that are then added up.
LISTS = {
    "software": (("prefix", "kind", "name", "version"), ("files",)),
    "code": (("path", "sha256", "size"), ()),
    "counted": (("path", "blind"), ("count",)),
    "directories": (("path",), ("read", "written")),
}
#: The same files on every node: the most that one has met, not the sum.
SHARED = ("files",)
MOST_NAMED = 3
RECORDED = "launcher"  # blind for a good reason


def observation(by_kind: dict[str, list[Event]], programs: Tree) -> dict[str, Any] | None:
    """None for a run that was not observed."""
    starts, told = by_kind["start"], latest(by_kind["observation"])
    words = {start.get("observe") for start in starts} | {value.get("how") for value in told.values()}
    how = [word for word in HOWS if word in words]
    if not how:
        return None
    nodes = {start.get("node", "unknown") for start in starts} | told.keys()
    ended = {event["node"] for event in by_kind["ended"]}
    entries = [node_entry(node, told.get(node), ended=node in ended) for node in sorted(nodes)]
    cut = [{"path": path, "blind": blind, "count": count} for (path, blind), count in programs.counted.items()]
    lists = {name: total(name, [*(value[name] for value in told.values())]) for name in LISTS}
    lists["counted"] = total("counted", [lists["counted"], cut])
    seen = all(entry["complete"] and not entry["lost"] for entry in entries)
    return {
        "how": ", ".join(how),
        "complete": seen and not any(row["blind"] for row in [*lists["counted"], *programs.rows]),
        "nodes": entries,
        "programs": programs.rows,
    } | lists


def latest(events: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """Each node's latest word."""
    found: dict[str, Event] = {}
    for event in events:
        known = found.setdefault(event["node"], event)
        if known is not event:
            found[event["node"]] = max(known, event, key=lambda one: (one["time"], canonical(one)))
    return {node: found[node]["value"] for node in sorted(found)}


def node_entry(node: str, value: dict[str, Any] | None, *, ended: bool) -> dict[str, Any]:
    """One node's word on how well it saw; its last word when its agent lived until its ranks had `ended`."""
    if value is None:
        reason = "what this node saw was not told"
        return {"node": node} | dict.fromkeys(NODE) | {"complete": False, "reasons": [reason], "classes": {}}
    entry = {"node": node} | {key: value.get(key) for key in NODE}
    if not ended:
        entry |= {"complete": False, "reasons": [*value["reasons"], "what it saw later was not told"]}
    return entry


def total(name: str, lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One list of several, sorted; numbers of equal entries are added up."""
    keys, numbers = LISTS[name]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in (entry for entries in lists for entry in entries):
        key = tuple(entry.get(word) for word in keys)
        known = found.setdefault(key, dict(zip(keys, key, strict=True)) | dict.fromkeys(numbers, 0))
        for number in numbers:
            add = max if number in SHARED else int.__add__
            known[number] = add(known[number], entry.get(number, 0))
    return [found[key] for key in sorted(found, key=canonical)]


def problems(told: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What could not be seen, a line each: for the record's list of problems."""
    if told is None:
        return []
    found = []
    for node in told["nodes"]:
        if node["lost"]:
            text = f"{node['lost']:,} events of what was read and written were lost on {node['node']}"
            found.append({"text": text, "node": node["node"], "ranks": []})
    blind = blindness(told)
    if blind:
        text = f"could not look into: {named(blind)}"
        found.append({"text": text, "node": None, "ranks": []})
    return found


def blindness(told: dict[str, Any]) -> list[str]:
    """The programs that could not be looked into, each with the reason, once; a launcher of hpcprov has a record of its
    own."""
    rows = [*told["programs"], *told["counted"]]
    return list(
        dict.fromkeys(f"{row['path']} ({row['blind']})" for row in rows if row["blind"] not in (None, RECORDED))
    )


def named(texts: list[str]) -> str:
    """The first few of many."""
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return ", ".join(texts[:MOST_NAMED]) + more

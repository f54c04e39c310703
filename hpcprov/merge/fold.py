"""Events -> record: a pure fold. Neither the order of events nor their repetition changes a byte of the record.

Nothing here asks for the time, the host or a file. Two mergers of the same logs make the same record.

    fold(events, run_id="x")  ->  {"format": "hpcprov-record", "version": 1, "run": {"id": "x", ...}, ...}
"""

from __future__ import annotations

from hpcprov.merge import accesses, artifacts, definitions, observation, programs, shared, steps, whole
from hpcprov.merge import nodes as nodewise
from hpcprov.merge import ranks as ranking
from hpcprov.merge import witness as witnessing
from hpcprov.merge.status import mark_lost_nodes, signal_name, status
from hpcprov.record import model, moment
from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import gaps, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event, Rank

MOST_PROBLEMS = 1000
# Written after the run itself, perhaps days later: no sign that it was still alive.
AFTERWARDS = frozenset(("artifact", "problem", "fact", "witness", "unsigned"))


def fold(events: Iterable[Event], *, run_id: str, over: bool = True) -> dict[str, Any]:
    """The record of one launch, without revision and seal. `events`: checked ones (`record.event.normal`)."""
    by_kind = gather(events)
    ranks, again = ranking.pair(by_kind["start"], by_kind["exit"], by_kind["lost"])
    mark_lost_nodes(ranks, {event["node"] for event in by_kind["ended"]})
    by_node, table = shared.facts(by_kind["fact"])
    size = max((rank.start["size"] for rank in ranks if rank.start.get("size", 0) > 0), default=None)
    numbers = [rank.rank for rank in ranks]
    # A launch from within a rank need not have been made in every rank.
    nested = any(rank.start.get("parent") for rank in ranks)
    missing = gaps(numbers, size) if size and not nested else []
    nodes = nodewise.names(ranks, by_kind["agent"], by_node)
    origin = min((rank.start["time"] for rank in ranks), default=None)
    kind = whole.kind([rank.start for rank in ranks], by_kind["part"])
    environment = shared.environment(shared.environments(by_kind["env"], ranks), numbers)
    witnesses = witnessing.witnesses(by_kind["witness"])
    word, cause = status(ranks, missing, by_kind["signal"], deadline=deadline(table), over=over)
    told_of = None if kind == "job" else step(environment)
    word, cause = witnessing.judged(word, cause, witnesses, step=told_of, mpi=is_mpi(environment))
    if not over:
        mark_running(ranks)
    tree = programs.tree(by_kind["program"])
    programs.end_with_ranks(tree.rows, ranks)
    found = accesses.join(by_kind["access"])
    listed = artifacts.artifacts(by_kind, found, tree.numbers, over=over)
    seen = observation.observation(by_kind, tree)
    told = steps.steps(by_kind["step"], over=over)
    defined = definitions.definitions(by_kind["definition"])
    return ({"steps": told} if told else {}) | ({"definitions": defined} if defined else {}) | {
        "format": model.FORMAT,
        "version": model.VERSION,
        "run": run(ranks, by_kind, table, run_id=run_id, over=over)
        | {"kind": kind}
        | whole.membership(kind, shared.lowest(environment), scheduler(table), run_id=run_id)
        | whole.rerun(kind, shared.lowest(environment), nested=nested)
        | (witnessing.of_job(witnesses) if kind == "job" else {})
        | {"status": word, "cause": cause},
        "launcher": {"kind": nodewise.common([rank.start.get("launcher") for rank in ranks]), "size": size},
        "nodes": nodewise.describe(nodes, ranks, by_kind["agent"], by_node),
        "ranks": {
            "count": len(ranks),
            "missing": missing,
            "columns": ranking.columns(ranks, nodes, origin or 0),
        },
        "signals": signals(by_kind["signal"]),
        "environment": environment,
        "facts": table,
        "parts": whole.parts(by_kind["part"]),
        "witnesses": witnesses,
        "observation": seen,
        "artifacts": listed,
        "problems": problems(by_kind["problem"], again)
        + observation.problems(seen)
        + (artifacts.untouched(listed, found, seen) if over else [])
        + (vanished(by_kind) + scattered(ranks, missing) if over else []),
    }


def gather(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Events by kind."""
    found: dict[str, list[Event]] = {kind: [] for kind in model.EVENTS}
    for event in events:
        found[event["event"]].append(event)
    return found


def run(
    ranks: list[Rank], by_kind: dict[str, list[Event]], table: dict[str, Any], *, run_id: str, over: bool
) -> dict[str, Any]:
    """What the run was, by whom, when; options and words are those of the lowest rank."""
    first: Event = ranks[0].start if ranks else {}
    command, others = shared.commands(ranks)
    options = {key: first.get(key) for key in ("hash", "forward", "capture_output", "agent")}
    options |= {key: first[key] for key in ("stats", "embed", "constraints") if first.get(key)}
    words = {key: first.get(key) for key in ("name", "note", "parent", "hpcprov", "clock")}
    declared = {key: union(rank.start.get(key, ()) for rank in ranks) for key in ("inputs", "outputs")}
    facts = {"id": run_id, "given": first.get("run"), "tags": first.get("tags", {}), "others": others}
    return (
        facts
        | words
        | command
        | user(first, table)
        | {"options": options, "declared": declared}
        | times(ranks, by_kind, over, told=job_began(by_kind["part"], table))
    )


def user(first: Event, table: dict[str, Any]) -> dict[str, Any]:
    names = sorted(str(fact["value"]["name"]) for fact in values(table, "user") if fact["value"].get("name"))
    return {"user": {"uid": first.get("uid"), "gid": first.get("gid"), "name": names[0] if names else None}}


def values(table: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The facts of one kind whose value is an object."""
    return [fact for fact in table.values() if fact["kind"] == kind and type(fact.get("value")) is dict]


def job_began(parts: list[Event], table: dict[str, Any]) -> int | None:
    """When a job, which has no ranks, began: ns since the epoch, as its parts and its scheduler said while it ran."""
    told = (fact["value"].get("start") for fact in values(table, "job"))
    seconds = whole.began(parts) | {at for at in told if type(at) is int and 0 <= at < whole.LATEST}
    return min(seconds) * moment.SECOND if seconds else None


def times(ranks: list[Rank], by_kind: dict[str, list[Event]], over: bool, *, told: int | None) -> dict[str, Any]:
    """Start, end and duration; no end while it runs or when a rank's end is unknown, only when it was last heard of."""
    start = min((rank.start["time"] for rank in ranks), default=told)
    ends = [rank.ended for rank in ranks]
    end = max((ended for ended in ends if ended is not None), default=None) if over and None not in ends else None
    heard = max((e["time"] for kind, events in by_kind.items() if kind not in AFTERWARDS for e in events), default=None)
    return {
        "start": None if start is None else moment.iso(start),
        "end": None if end is None else moment.iso(end),
        "last_heard": None if heard is None else moment.iso(heard),
        "duration_s": None if start is None or end is None else (end - start) / moment.SECOND,
    }


def step(environment: dict[str, Any]) -> str:
    """The step of a batch job that the run was, as sacct calls it."""
    return shared.lowest(environment).get("SLURM_STEP_ID", "batch")


def is_mpi(environment: dict[str, Any]) -> bool:
    """Were the ranks started in a way in which MPI_Abort of one ends all?"""
    return not shared.lowest(environment).keys().isdisjoint(("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"))


def scheduler(table: dict[str, Any]) -> dict[str, Any]:
    """The scheduler's facts of one node."""
    return min((fact["value"] for fact in values(table, "scheduler")), key=canonical, default={})


def deadline(table: dict[str, Any]) -> int | None:
    """The job's end as its scheduler told it, ns; None when no fact says so."""
    ends = [fact["value"].get("end_time") for fact in values(table, "scheduler")]
    return min((end * moment.SECOND for end in ends if type(end) is int and 0 < end < 1 << 33), default=None)


def mark_running(ranks: list[Rank]) -> None:
    for rank in ranks:
        if rank.exit is None and rank.lost is None:
            rank.state = "running"


def signals(events: list[Event]) -> list[dict[str, Any]]:
    """Signals that launchers got, by signal and sender's user, with the first moment and sender, and the ranks."""
    groups: dict[tuple[int, int | None, bool | None], list[Event]] = {}
    for event in events:
        groups.setdefault((event["signal"], event.get("from_uid"), event.get("forwarded")), []).append(event)
    found = [gathered(key, group) for key, group in groups.items()]
    return sorted(found, key=lambda entry: (entry["first"], entry["signal"], canonical(entry)))


def gathered(key: tuple[int, int | None, bool | None], group: list[Event]) -> dict[str, Any]:
    first = min(group, key=lambda event: (event["time"], event["rank"], event.get("from_pid", 0)))
    return {
        "signal": key[0],
        "name": signal_name(key[0]),
        "from_uid": key[1],
        "from_pid": first.get("from_pid"),
        "forwarded": key[2],
        "first": moment.iso(first["time"]),
        "ranks": ranges(event["rank"] for event in group),
    }


def problems(events: list[Event], again: list[int]) -> list[dict[str, Any]]:
    """What was not recorded, each text once for each node, in order of time."""
    first: dict[tuple[str, str], int] = {}
    ranks: dict[tuple[str, str], set[int]] = {}
    for event in events:
        key = event["text"], event.get("node", "")
        first[key] = min(first.get(key, event["time"]), event["time"])
        ranks.setdefault(key, set()).update([event["rank"]] if "rank" in event else [])
    ordered = sorted(first, key=lambda key: (first[key], key))
    found = [
        {"text": text, "node": node or None, "ranks": ranges(ranks[text, node])}
        for text, node in ordered[:MOST_PROBLEMS]
    ]
    if len(ordered) > MOST_PROBLEMS:
        found.append(
            {"text": f"{len(ordered) - MOST_PROBLEMS} more problems are only in the logs", "node": None, "ranks": []}
        )
    if again:
        text = "these ranks were started more than once in one launch; only their first starts are told here"
        found.append({"text": text, "node": None, "ranks": ranges(again)})
    return found


def vanished(by_kind: dict[str, list[Event]]) -> list[dict[str, Any]]:
    """Agents that spoke and did not end: what they would have found out is not in the record."""
    nodes = {event["node"] for event in by_kind["agent"]} - {event["node"] for event in by_kind["ended"]}
    text = "the agent of node {} vanished: later facts and signatures are missing"
    return [{"text": text.format(node), "node": node, "ranks": []} for node in sorted(nodes)]


def scattered(ranks: list[Rank], missing: list[list[int]]) -> list[dict[str, Any]]:
    """Fewer nodes than were announced, and ranks missing: each node's disk may hold a part of this run."""
    nodes = {rank.node for rank in ranks}
    announced = max((rank.start.get("nodes", 0) for rank in ranks), default=0)
    if not missing or not 0 < len(nodes) < announced:
        return []
    text = f"{len(nodes)} of {announced} nodes wrote to this store; is it on a disk that the others do not see?"
    return [{"text": text, "node": None, "ranks": missing}]


def union(lists: Iterable[Iterable[str]]) -> list[str]:
    """Texts in the order in which ranks name them, each once."""
    return list(dict.fromkeys(text for texts in lists for text in texts))

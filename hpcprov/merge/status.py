"""How a run ended, and why: one word and a cause that names ranks, codes and signals.

    status(ranks, missing, signals, deadline=None, over=True)
    -> ("failed", {"text": "rank 3 ended first, with status 2", "rank": 3, "code": 2, "time": 1795..., ...})

The first rank that ended badly is the cause; its peers are killed for it. What took a rank's launcher with it left no
exit: such a run is `incomplete`, `node lost`, or what its other ranks say.
"""

from __future__ import annotations

from hpcprov.record import moment
from hpcprov.record.ranges import count, ranges, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.merge.ranks import Event, Rank

STATES = (
    "running",
    "completed",
    "failed",
    "signalled",
    "timed out",
    "cancelled",
    "out of memory",
    "preempted",
    "node lost",
    "incomplete",
)
# Signals that ask a process to end; what a rank did afterwards is their consequence.
ASKING = frozenset((1, 2, 3, 15, 24))
SIGKILL = 9
# What people read less easily than the name of the error.
ERRORS = {
    "EACCES": "permission denied (EACCES)",
    "ENOENT": "no such file or directory (ENOENT)",
    "ENOEXEC": "not a program (ENOEXEC)",
}
# Schedulers count in whole seconds.
SLACK = moment.SECOND


def signal_name(number: int) -> str:
    """`SIGTERM` for 15; `SIGRTMIN+3` and `signal 77` for those without a name of their own."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - 34}" if 34 < number < 64 else f"signal {number}"


def mark_lost_nodes(ranks: list[Rank], ended: set[str]) -> None:
    """Give state `node lost` to ranks of a node that fell silent altogether, when other nodes ended."""
    silent = {rank.node for rank in ranks if rank.state == "lost" and rank.lost is None}
    spoke = ended | {rank.node for rank in ranks if rank.lost is not None or rank.exit is not None}
    if silent - spoke and ended:
        for rank in ranks:
            if rank.node in silent - spoke:
                rank.state = "node lost"


def status(
    ranks: list[Rank], missing: list[list[int]], signals: list[Event], *, deadline: int | None, over: bool
) -> tuple[str, dict[str, Any] | None]:
    """The run's status and cause. `missing`: ranges of ranks never seen; `deadline`: the job's end, ns, if known."""
    bad = [rank for rank in ranks if rank.state in ("failed", "signalled")]
    lost = [rank for rank in ranks if rank.exit is None]
    if not over:
        return "running", None
    if bad:
        first = min(bad, key=lambda rank: (rank.ended or 0, rank.rank))
        return _ended_badly(first, bad, lost, _asked(first, signals), deadline)
    if lost or missing or not ranks:
        return _incomplete(lost, missing, bool(ranks))
    return "completed", None


def _asked(rank: Rank, signals: list[Event]) -> Event | None:
    """The last signal that asked this rank to end, before it did."""
    before = [s for s in signals if s["rank"] == rank.rank and s["signal"] in ASKING and s["time"] <= (rank.ended or 0)]
    return max(before, key=lambda s: (s["time"], s["signal"]), default=None)


def _ended_badly(
    first: Rank, bad: list[Rank], lost: list[Rank], asked: Event | None, deadline: int | None
) -> tuple[str, dict[str, Any]]:
    cause: dict[str, Any] = {"rank": first.rank, "time": moment.iso(first.ended or 0)}
    cause |= {"code": first.code, "signal": first.signal, "ranks": ranges(rank.rank for rank in bad)}
    how = _how(first)
    if first.signal is not None:
        cause["name"] = signal_name(first.signal)
    if asked is not None:
        cause["asked"] = _asked_by(asked)
        how += _after(asked, first)
    if lost:
        cause["lost"] = ranges(rank.rank for rank in lost)
    word = "failed" if first.state == "failed" else "signalled"
    killed = (first.exit or {}).get("oom_kills", 0)
    if killed > 0:
        word = "out of memory" if first.signal == SIGKILL else word
        how += f"; the kernel killed {killed} process{'' if killed == 1 else 'es'} of its group for want of memory"
    if asked is not None and deadline is not None and asked["time"] >= deadline - SLACK:
        word, how = "timed out", f"{how}; the job's time had ended at {moment.iso(deadline)}"
    elif word == "signalled" and any(rank.state == "node lost" for rank in lost):
        word, how = "node lost", f"{how}; nothing more was heard of rank {text(cause['lost'])}"
    who = f"rank {first.rank} " if len(bad) + len(lost) == 1 else f"rank {first.rank} was the first to end badly: it "
    return word, cause | {"text": who + how}


def _how(rank: Rank) -> str:
    error = (rank.exit or {}).get("error")
    if error:
        return f"could not be executed: {ERRORS.get(error, error)}"
    if rank.signal is not None:
        return f"was killed by {signal_name(rank.signal)}"
    return f"ended with status {rank.code}" if rank.code is not None else "ended, its status is unknown"


def _asked_by(signal: Event) -> dict[str, Any]:
    return {
        "signal": signal["signal"],
        "name": signal_name(signal["signal"]),
        "pid": signal.get("from_pid"),
        "uid": signal.get("from_uid"),
        "time": moment.iso(signal["time"]),
    }


def _after(asked: Event, rank: Rank) -> str:
    sender = f"process {asked.get('from_pid', '?')} of user {asked.get('from_uid', '?')}"
    if asked.get("from_pid") == 0:
        sender = "the terminal or the kernel"
    if rank.signal == asked["signal"]:
        return f", sent by {sender}"
    return f" after {signal_name(asked['signal'])} from {sender}"


def _incomplete(lost: list[Rank], missing: list[list[int]], started: bool) -> tuple[str, dict[str, Any]]:
    if not started:
        return "incomplete", {"text": "no rank is known to have started"}
    gone = ranges(rank.rank for rank in lost)
    cause: dict[str, Any] = ({"lost": gone} if lost else {}) | ({"missing": missing} if missing else {})
    nodes_lost = any(rank.state == "node lost" for rank in lost)
    parts = (
        [f"{_number(gone)} vanished with {'the node' if nodes_lost else 'the launcher'}, how is unknown"]
        if lost
        else []
    )
    parts += [f"{_number(missing)} never started"] if missing else []
    return "node lost" if nodes_lost else "incomplete", cause | {"text": "; ".join(parts)}


def _number(pairs: list[list[int]]) -> str:
    return f"rank{'' if count(pairs) == 1 else 's'} {text(pairs)}"

"""Is a run over? A run that may still be going on is never settled.

It is over when every process that wrote its logs was of this boot and pid namespace and none of them lives, nor an
agent that has not spoken yet (it holds the log's socket from the start); or when the scheduler says that its job, or
its step, has ended; or, where no scheduler answers, when nothing has been written for 15 minutes by the file server's
clock, while its agents would have written every minute. Where no agent was to write, only a month of silence is taken
for the end. When every rank has told its end, the last words of the agents, or three minutes without any, are enough.
A mistake loses nothing: frames that come after all make a new revision of the record.

    doubt(logs, directory)  ->  None, or "process 4711 on this node is still running"
"""

from __future__ import annotations

import os
import re
from hashlib import sha256

from hpcprov.merge import disk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.merge.read import Log
    from hpcprov.record.job import Answer

SILENCE = 15 * 60
LONG_SILENCE = 30 * 24 * 3600
# All ranks have ended: an agent that still signs writes a beat every minute.
LAST_BEATS = 3 * 60


class Here:
    """This machine, as far as it matters: `boot_id`, `pid_ns`, `node`, and whether a process (pid, ticks) lives."""

    def __init__(self, boot_id: str, pid_ns: str, node: str, lives: Callable[[int, int | None], bool]) -> None:
        self.boot_id, self.pid_ns, self.node, self.lives = boot_id, pid_ns, node, lives

    def can_see(self, event: dict[str, Any]) -> bool:
        """Would the process that wrote this event be seen here if it lived?"""
        if "boot_id" not in event:
            return bool(event.get("node") == self.node)
        return (
            bool(self.boot_id)
            and event.get("boot_id") == self.boot_id
            and event.get("pid_ns", self.pid_ns) == self.pid_ns
        )


def doubt(logs: list[Log], directory: str, answer: Answer | None = None) -> str | None:
    """Why the run in `directory` may still be going on; None when it is over. `answer`: what its scheduler says."""
    place = os.path.realpath(directory)
    return verdict(
        logs, here(), lambda: _silence(directory, logs), answer, lambda log: _is_awaited(os.path.join(place, log.name))
    )


def verdict(
    logs: list[Log],
    here: Here,
    silence: Callable[[], float | None],
    answer: Answer | None = None,
    awaited: Callable[[Log], bool] = lambda log: False,
) -> str | None:
    """The pure core of `doubt`. `silence()`: seconds since the last frame, None when that cannot be told.
    `awaited(log)`: is there an agent for it, even if it has not said a word?"""
    events = [event for log in logs for event in log.events]
    writers = [writer for log in logs if log.kind == "log" for writer in _writers(log)]
    seen = [event for event in writers if here.can_see(event)]
    for event in seen:
        if here.lives(event["pid"], event.get("ticks")):
            return f"process {event['pid']} on this node is still running"
    if writers and len(seen) == len(writers):
        # A run that failed at once is over before its agent can speak, which knows what it read and wrote.
        return "its agent on this node is still starting" if any(awaited(log) for log in logs) else None
    if not writers and {event["kind"] for event in events if event["event"] == "part"} == {"workflow"}:
        return None  # a workflow speaks before its parts do: where it is not, it has been merged
    if answer is not None and answer.over is not None:
        return None if answer.over else answer.reason
    if _all_told(events):
        if _agents_ended(logs):
            return None
        return _heard_lately(silence(), LAST_BEATS)
    return _heard_lately(silence(), SILENCE if _beats(logs) else LONG_SILENCE)


def _writers(log: Log) -> list[dict[str, Any]]:
    """Who wrote a log, as `pid` and `ticks`; where no event tells it, the launching process that names the log."""
    told = [event for event in log.events if event["event"] in ("start", "agent")]
    if not told and any(event["event"] in ("part", "witness") for event in log.events):
        return []  # what a part tells its whole of itself, or what a scheduler said: nobody writes on
    ticks, _, pid = log.launch.partition("-")
    return told or [{"node": log.node, "pid": int(pid), "ticks": int(ticks)}]


def _all_told(events: list[dict[str, Any]]) -> bool:
    """Has each rank of the run told its end, or has an agent seen that it was lost?"""
    starts = {(event["rank"], event["pid"]): event for event in events if event["event"] == "start"}
    exits = {(event["rank"], event["pid"]) for event in events if event["event"] == "exit"}
    lost = {event["rank"] for event in events if event["event"] == "lost"}
    sizes = [event.get("size", -1) for event in starts.values()]
    return (
        bool(starts)
        and all(start in exits or start[0] in lost for start in starts)
        and len({rank for rank, _ in starts}) >= max(sizes) > 0
    )


def _agents_ended(logs: list[Log]) -> bool:
    """Has the agent of each log that tells of ranks written its last frame, where there was to be one?"""
    for log in logs:
        kinds = {event["event"] for event in log.events}
        wanted = any(event["event"] == "start" and event.get("agent") is not False for event in log.events)
        if (wanted or "agent" in kinds) and "ended" not in kinds:
            return False
    return True


def _beats(logs: list[Log]) -> bool:
    """Does each log that tells of ranks have an agent that writes every minute?"""
    kinds = [{event["event"] for event in log.events} for log in logs if log.kind == "log"]
    speakers = [kind for kind in kinds if "start" in kind]
    return all("agent" in kind for kind in speakers) and (bool(speakers) or not any("part" in kind for kind in kinds))


def _heard_lately(silent: float | None, patience: int) -> str | None:
    if silent is None:
        return "it ran on other nodes, and the file server's time is not known: this directory cannot be written to"
    if silent > patience:
        return None
    return f"it ran on other nodes and was heard of {int(max(0, silent))} s ago; after {patience} s it counts as over"


def _silence(directory: str, logs: list[Log]) -> float | None:
    now = disk.server_time(directory)
    return None if now is None else now - max((log.mtime for log in logs), default=0)


def _is_awaited(log: str) -> bool:
    """Does a process on this node hold the abstract socket of the log at this path (as in launcher/agent.c)?"""
    name = f"@hpcprov/{os.geteuid()}/{sha256(os.fsencode(log)).hexdigest()[:32]}"
    try:
        with open("/proc/net/unix", encoding="ascii", errors="replace") as file:
            return any(line.rstrip("\n").endswith(f" {name}") for line in file)
    except OSError:
        return False


def here() -> Here:
    node = re.sub(r"[^A-Za-z0-9._-]", "_", os.uname().nodename)
    return Here(_line("/proc/sys/kernel/random/boot_id"), _link("/proc/self/ns/pid"), node, lives)


def lives(pid: int, ticks: int | None) -> bool:
    """Is there still the process `pid` that started at `ticks` (clock ticks since boot)? A zombie has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[0] not in (b"Z", b"X") and (ticks is None or int(fields[19]) == ticks)
    except (OSError, ValueError, IndexError):
        return _answers(pid)


def _answers(pid: int) -> bool:
    # /proc may hide other users' processes (hidepid); signal 0 still tells that they are there.
    try:
        if 0 < pid < 1 << 31:
            os.kill(pid, 0)
            return True
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False


def _line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""

"""Signing what a run declared, or was seen to use and make, in a child process: the agent stays small, and a reader
that crashes takes only the child with it.

Artifacts are written as they are done; whatever the child did not get to is recorded as not hashed, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from hpcprov.agent import declared
from hpcprov.agent.journal import Journal
from hpcprov.record import frame
from hpcprov.record.artifact import BLANK, WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALONE, LAST, HELPER = "alone", "last", "helper"  # a node's part in the hashing
LOST = 3  # status of a child that could not store everything
GRACE = 2.0  # s for the child to end by itself after its time is up
ENDING = 1.0  # s for it to tidy up, once it was told to end
EVENTS = (*declared.EVENTS, "access")  # the events that `sign` goes by


def sign(part: str, *, root: str, run_id: str, journal: Journal, starts: list[dict[str, Any]], seconds: float) -> None:
    """One `artifact` event in `journal` for every declared input and output and for as much as is signed of what was
    observed; a helper only does its share of the hashing. `starts`: EVENTS of all nodes; that something was observed is
    enough, what it was is looked up by the child."""
    observed = any(event.get("event") == "access" for event in starts)
    if not observed and not declared.patterns(starts):
        return
    reason = reason_to_wait(starts) or sign_in_child(part, root, run_id, journal, seconds)
    if part == HELPER:
        return
    events = events_of(journal.path)
    already = {(event.get("role"), event.get("path")) for event in events if event.get("event") == "artifact"}
    known = [event for event in (*starts, *events) if event.get("event") == "declared"]
    for one in declared.resolve([*starts, *known], tell=journal.write):
        if (one["role"], one["path"]) not in already:
            journal.write("artifact", **(one | left_out(one, reason)))
    if observed:
        from hpcprov.agent.wanted import most

        journal.write("unsigned", most=most(os.environ), reason=reason)


def reason_to_wait(starts: list[dict[str, Any]]) -> str | None:
    """Why nothing is to be hashed now, as the run was told; None when it is."""
    return next((WAIT[str(start["hash"])] for start in starts if start.get("hash") in WAIT), None)


def events_of(log: str) -> list[dict[str, Any]]:
    with open(log, "rb") as file:
        return [event for event in frame.scan(file) if event.get("event") in ("artifact", "declared")]


def left_out(artifact: dict[str, Any], reason: str) -> dict[str, Any]:
    """The facts of an artifact that the child did not get to, or of a pattern that names too much."""
    if "reason" in artifact:
        return BLANK | {"reason": artifact["reason"]}
    return not_hashed(artifact["path"], reason)


def not_hashed(path: str, reason: str) -> dict[str, Any]:
    """What can be said of an artifact without reading it."""
    facts = BLANK | {"reason": reason}
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return facts | {"state": "missing", "reason": "it does not exist"}
    except OSError as error:
        return facts | {"state": "unreadable", "reason": error.strerror or str(error)}
    return facts | {"size": status.st_size, "mtime": status.st_mtime_ns}


def sign_in_child(part: str, root: str, run_id: str, journal: Journal, seconds: float) -> str:
    """Run `hpcprov.agent.hashing`; the reason that holds for the artifacts that it has left out."""
    if seconds <= 0:
        return "time: the job ends too soon"
    words = [
        "--root",
        root,
        "--run",
        run_id,
        "--log",
        journal.path,
        "--node",
        journal.node,
        "--seconds",
        f"{seconds:.1f}",
        "--part",
        part,
    ]
    until = time.monotonic() + seconds + GRACE
    command = [sys.executable, "-P", "-m", "hpcprov.agent.hashing", *words]
    try:
        # numpy's algebra library would reserve memory for every core, and nothing here multiplies matrices.
        environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        null = subprocess.DEVNULL
        child = subprocess.Popen(command, env=environ, stdin=null, stdout=null, stderr=null)
    except OSError as error:
        return f"the hashing process could not be started: {error.strerror}"
    try:
        status = child.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        end(child)
        return "time"
    if status == LOST:
        journal.miss("what the hashing process found")
        return "the hashing process could not store what it found"
    return "time" if status == 0 else f"the hashing process ended with {explain(status)}"


def end(child: subprocess.Popen[bytes]) -> None:
    """End the child: first with the word, upon which it takes away what it was writing beside an output."""
    child.terminate()
    try:
        child.wait(ENDING)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def explain(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"

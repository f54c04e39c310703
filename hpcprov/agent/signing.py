"""Signing what a run declared, in a child process: the agent stays small, and a reader that crashes takes only the
child with it.

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALONE, LAST, HELPER = "alone", "last", "helper"  # a node's part in the hashing
GRACE = 2.0  # s for the child to end by itself after its time is up
REASONS = {"later": "later: run `hpcprov settle` with this run's id", "off": "off: the run was started with --hash off"}


def sign(part: str, *, root: str, run_id: str, journal: Journal, starts: list[dict[str, Any]], seconds: float) -> None:
    """One `artifact` event in `journal` for every declared input and output; a helper only does its share of the
    hashing."""
    artifacts = declared.resolve(starts)
    mode = next((str(start.get("hash")) for start in starts if start.get("hash") in REASONS), "now")
    if not artifacts:
        return
    reason = REASONS.get(mode) or sign_in_child(part, root, run_id, journal, seconds)
    if part == HELPER:
        return
    already = {(event.get("role"), event.get("path")) for event in artifact_events(journal.path)}
    for artifact in artifacts:
        if (artifact["role"], artifact["path"]) not in already:
            journal.write("artifact", **artifact, **not_hashed(artifact["path"], reason))


def artifact_events(log: str) -> list[dict[str, Any]]:
    with open(log, "rb") as file:
        return [event for event in frame.scan(file) if event.get("event") == "artifact"]


def not_hashed(path: str, reason: str) -> dict[str, Any]:
    """What can be said of an artifact without reading it."""
    facts: dict[str, Any] = {
        "state": "not hashed",
        "reason": reason,
        "format": None,
        "size": None,
        "files": None,
        "mtime": None,
    }
    facts |= {"storage": None, "signature": None}
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
        child.kill()
        child.wait()
        return "time"
    return "time" if status == 0 else f"the hashing process ended with {explain(status)}"


def explain(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"

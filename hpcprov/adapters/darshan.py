"""Darshan logs and the runs that they are of: what Darshan counted becomes the fact `darshan` of a run's record.

A log is one of a run when its user, job and time are the run's; a run without a job is known by its program. Darshan
writes one log for each MPI program, and for each process of others.

    content = read("/logs/2026/11/21/ada_solve_id4711-88_11-21-33000-1_2.darshan")
    differences(record, content)  ->  []  or  ["it is of job 4712, the run of job 4711"]
    attach(store, directory, record, [content])  ->  the record's new revision
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
import time

from hpcprov.merge import settler
from hpcprov.merge.publish import check_logs, revise
from hpcprov.record import model, moment
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store

KIND = "darshan"
# What the reading process may take and say.
SECONDS, MOST_BYTES = 180, 64 << 20
MOST_LOG = 4 << 30
# Clocks differ, Darshan's starts in MPI_Init, and its moments are whole seconds.
CLOCKS = 5
KEYS = {"job_id": int, "uid": int, "start": int, "end": int, "processes": int, "command": str, "version": str}
LISTS = {"partial": str, "files": dict}


class MissingDarshan(HpcprovError):
    """PyDarshan is not installed."""


def read(path: str) -> dict[str, Any]:
    """What a log holds (`darshan_log`), with its `log` (absolute path) and `sha256`.

    Raises UnreadableData for what is not a whole Darshan log, OSError, MissingDarshan.
    """
    path = os.path.abspath(path)
    digest = file_digest(path)
    command = [sys.executable, "-W", "ignore", "-m", "hpcprov.adapters.darshan_log", path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, env=quiet())
    except subprocess.TimeoutExpired as error:
        raise unreadable(path, f"it was not read in {SECONDS} s") from error
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if any(line.startswith("ModuleNotFoundError") and "darshan" in line for line in said):
        raise MissingDarshan("PyDarshan is not installed", hint="pip install 'hpcprov[darshan]'")
    # The C library says what it misses, and gives what came before.
    wrong = next((line for line in said if line.startswith("Error")), None)
    if done.returncode or wrong is not None or len(done.stdout) > MOST_BYTES:
        raise unreadable(path, wrong or "it is damaged, or no log of Darshan")
    try:
        content = checked(json.loads(done.stdout))
    except ValueError as error:
        raise unreadable(path, str(error)) from error
    return {"log": path, "sha256": digest} | content


def quiet() -> dict[str, str]:
    """The environment for the reading process: nothing is preloaded there, Darshan itself least of all; numpy, which
    comes along, starts no thread for each core, since their stacks would not fit the limit."""
    left_out = ("LD_PRELOAD", "PYTHONPATH", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | path_of_ours()


def path_of_ours() -> dict[str, str]:
    """Where this package is found when it is not installed for the interpreter."""
    return {"PYTHONPATH": os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))}


def unreadable(path: str, reason: str) -> UnreadableData:
    return UnreadableData(f"{path} cannot be read: {reason}", hint="darshan-parser --show-incomplete may tell more")


def file_digest(path: str) -> str:
    """SHA-256 of a regular file. Raises OSError, UnreadableData."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_LOG:
            raise unreadable(path, "it is no regular file of less than 4 GiB")
        with open(fd, "rb", closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    finally:
        os.close(fd)


def checked(content: Any) -> dict[str, Any]:
    """The content when it has the form that `darshan_log` gives. Raises ValueError."""
    if type(content) is not dict or any(type(content.get(key)) is not kind for key, kind in KEYS.items()):
        raise ValueError("its header is damaged")
    for key, kind in LISTS.items():
        if type(content.get(key)) is not list or any(type(one) is not kind for one in content[key]):
            raise ValueError(f"its {key} are damaged")
    return content


def differences(record: model.Record, content: dict[str, Any]) -> list[str]:
    """Why a log is not of a run; none when it is."""
    run, job = record["run"], model.job_id(record)
    found = []
    if run["user"]["uid"] != content["uid"]:
        found.append(f"it is of the user with id {content['uid']}, the run of {run['user']['uid']}")
    if job is not None and job.split(".")[0] != str(content["job_id"]):
        found.append(f"it is of job {content['job_id']}, the run of job {job}")
    if not during(run, content):
        began = moment.iso(max(0, content["start"]) * moment.SECOND)[:19]
        found.append(f"it begins at {began}Z, when the run did not go on")
    if job is None and not is_program_of(record, content["command"]):
        found.append(f"it is of `{content['command'][:200]}`, which the run did not execute")
    return found


def during(run: dict[str, Any], content: dict[str, Any]) -> bool:
    ended = run["end"] or run["last_heard"]
    if run["start"] is None or ended is None:
        return False
    begins, ends = moment.ns(run["start"]) // moment.SECOND, moment.ns(ended) // moment.SECOND
    return bool(begins - CLOCKS <= content["start"] <= ends + CLOCKS)


def is_program_of(record: model.Record, command: str) -> bool:
    """Is the program, by its name, the run's command, a word of it, or one that was seen?"""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    seen = (record.get("observation") or {}).get("programs") or []
    names = [*(record["run"]["argv"] or ()), *(program["path"] for program in seen if program.get("path"))]
    return bool(words) and os.path.basename(words[0]) in {os.path.basename(name) for name in names}


def attached(record: model.Record) -> list[dict[str, Any]]:
    """The contents of the logs that a record has already."""
    logs = model.fact(record, KIND).get("logs")
    return [log for log in logs if type(log) is dict] if type(logs) is list else []


def attach(store: Store, directory: str, record: model.Record, contents: list[dict[str, Any]]) -> model.Record:
    """Write down what the logs hold, each log once, and make a new revision of the record.

    Raises OSError, BadRecord, and HpcprovError for a run of which no node is known.
    """
    if not record["nodes"]:
        raise HpcprovError(f"no node of {record['run']['id']} is known: there is nothing to attach a log to")
    by_digest = {log.get("sha256"): log for log in [*attached(record), *contents]}
    logs = sorted(by_digest.values(), key=lambda log: (log.get("start", 0), str(log.get("sha256"))))
    if logs == attached(record):
        return record
    check_logs(directory, record)
    settler.append(directory, [event(record["nodes"][0]["node"], logs)])
    return revise(store, directory, old=record)


def event(node: str, logs: list[dict[str, Any]]) -> dict[str, Any]:
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    common = {"event": "fact", "time": time.time_ns(), "boot": boot, "node": node}
    return common | {"kind": KIND, "value": {"logs": logs}}

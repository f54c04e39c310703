"""The record's names and how to look into one (docs/record.md; JSON Schema in `schema/record-v1.json`).

record = load("/scratch/ada/.hpcprov/records/2026/11/21/x/record.json")
fact(record, "scheduler")  ->  {"name": "slurm", "job_id": "4711", ...}
"""

from __future__ import annotations

import json
import os
import stat

from hpcprov.record.errors import BadRecord
from hpcprov.record.event import KINDS
from hpcprov.record.shape import misfit
from hpcprov.record.wording import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Record = dict[str, Any]

FORMAT = "hpcprov-record"
VERSION = 1
EVENTS = tuple(KINDS)
# A record of a run with 1,000,000 ranks is about 250 MB; more is no record.
SIZE_LIMIT = 1 << 30


def parse(text: bytes, *, name: str, loads: Callable[[bytes], Any] = json.loads) -> Record:
    """A record from its JSON, as `loads` reads it. Raises BadRecord, which says `name`, for anything else."""
    try:
        record = loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{name} is not JSON: {error}") from error
    if type(record) is not dict or record.get("format") != FORMAT:
        raise BadRecord(f"{name} is not a record of hpcprov")
    if record.get("version") != VERSION:
        hint = f"this hpcprov reads version {VERSION}; a newer one may read it"
        raise BadRecord(f"{name} is a record of version {record.get('version')!r}", hint=hint)
    wrong = misfit(record)
    if wrong is not None:
        raise BadRecord(f"{name} is damaged: {wrong}")
    return record


def load(path: str) -> Record:
    """The record in a file. Raises OSError, BadRecord."""
    return parse(content(path), name=path)


def content(path: str) -> bytes:
    """The bytes of a record's file. Raises OSError, BadRecord: of what is too large or no file nothing is read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        refuse(os.fstat(fd), name=path)
        return file.read(SIZE_LIMIT)


def refuse(facts: os.stat_result, *, name: str) -> None:
    """Raises BadRecord for what can be no record's file."""
    if not stat.S_ISREG(facts.st_mode):
        raise BadRecord(f"{name} is no regular file")
    if facts.st_size > SIZE_LIMIT:
        raise BadRecord(f"{name} is no record: it has {size(facts.st_size)}")


def facts(record: Record, kind: str) -> list[tuple[list[str], dict[str, Any]]]:
    """The facts of one kind, each with the names of its nodes, in order of the nodes."""
    nodes: dict[str, list[str]] = {}
    for node in record["nodes"]:
        if kind in node["facts"]:
            nodes.setdefault(node["facts"][kind], []).append(node["node"])
    return [(names, record["facts"][digest]) for digest, names in nodes.items()]


def fact(record: Record, kind: str) -> dict[str, Any]:
    """The first node's fact of one kind when that is an object, else {}: what to show when one is enough."""
    names = (node["facts"][kind] for node in record["nodes"] if kind in node["facts"])
    values = (record["facts"][name].get("value") for name in names)
    return next((value for value in values if type(value) is dict), {})


def job_id(record: Record) -> str | None:
    """The batch job's id, from the scheduler's facts or, without an agent, from the environment."""
    told = fact(record, "scheduler").get("job_id")
    common = record["environment"]["common"]
    found = told or common.get("SLURM_JOB_ID") or common.get("PBS_JOBID") or common.get("LSB_JOBID")
    return None if found is None else str(found)

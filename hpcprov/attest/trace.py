"""What a run was seen to do: an in-toto Statement with the predicate "runtime trace" (v0.1), made of its record alone.

https://github.com/in-toto/attestation/blob/main/spec/predicates/runtime-trace.md

    trace(record, data)["predicate"]["monitorLog"]
    -> {"process": [{"eventType": "process", "processBinary": "/usr/bin/python3", "arguments": ["python3", "x.py"], …}],
        "fileAccess": [{"name": "/scratch/ada/in.nc", "digest": {"blake3": "…"}, "annotations": {"access": "read"}}]}

Digests are of the time when the run had ended, as in the record: a file that was overwritten in the meantime has none.
"""

from __future__ import annotations

from urllib.parse import quote

from hpcprov.attest.statement import BUILD, TYPE, described, itself, readable
from hpcprov.record.canonical import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

PREDICATE = "https://in-toto.io/attestation/runtime-trace/v0.1"
MONITOR = "urn:hpcprov:observation:v1"


def encoded(record: Record, data: bytes) -> bytes:
    """The statement's bytes."""
    return canonical(trace(record, data))


def trace(record: Record, data: bytes) -> dict[str, Any]:
    """The statement on a sealed and observed `record` whose file holds `data`."""
    made = [described(one) for one in record["artifacts"]["generated"]]
    return {
        "_type": TYPE,
        "subject": [itself(record, data), *(one for one in made if one["digest"])],
        "predicateType": PREDICATE,
        "predicate": _predicate(record, record["observation"]),
    }


def _predicate(record: Record, observation: dict[str, Any]) -> dict[str, Any]:
    run = record["run"]
    times = {"buildStartedOn": run["start"], "buildFinishedOn": run["end"]}
    seen = [one for role in ("used", "generated") for one in record["artifacts"][role] if one.get("observed")]
    policy = {"how": readable(observation["how"]), "complete": observation["complete"]}
    return {
        "monitor": {"type": MONITOR, "tracePolicy": policy},
        "monitoredProcess": {"hostID": "urn:hpcprov:exec", "type": BUILD, "event": readable(run["id"])},
        "monitorLog": {
            "process": [_process(program) for program in observation["programs"]],
            "fileAccess": [_access(artifact) for artifact in seen],
        },
        "metadata": {name: time for name, time in times.items() if time},
    }


def _process(program: dict[str, Any]) -> dict[str, Any]:
    """A program that was executed, perhaps often: `count` times, in these ranks."""
    known = {"cwd": program["cwd"], "sha256": program["sha256"], "blind": program["blind"]}
    return {
        "eventType": "process",
        "id": program["id"],
        "parent": program["parent"],
        "processBinary": readable(program["path"]),
        "arguments": [readable(word) for word in program["argv"] or ()],
        "count": program["count"],
        "ranks": program["ranks"],
        "exits": {readable(code): number for code, number in program["exits"].items()},
    } | {name: readable(value) for name, value in known.items() if value is not None}


def _access(artifact: dict[str, Any]) -> dict[str, Any]:
    """A file that was read or written; where no digest is known, by its address alone."""
    found = described(artifact) | {"annotations": {"access": readable(artifact["observed"]["access"])}}
    if found["digest"]:
        return found
    path = artifact["path"].encode("utf-8", "surrogateescape" if _is_bytes(artifact["path"]) else "backslashreplace")
    return {key: value for key, value in found.items() if key != "digest"} | {"uri": f"file://{quote(path)}"}


def _is_bytes(text: str) -> bool:
    """Do all lone surrogates of a text stand for bytes that are not UTF-8?"""
    return not any("\ud800" <= letter <= "\udfff" and not "\udc80" <= letter <= "\udcff" for letter in text)

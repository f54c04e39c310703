"""The seal: what a record was folded from, and the digest of the record itself, so that any change shows.

    record["seal"] = {"logs": [{"name": "n1.8123-4711.0.log", "bytes": 8190, "sha256": "…", "frames": 12,
                                "skipped": {"lines": 0, "bytes": 0, "blobs": 0}}],
                      "form": "RFC 8785", "previous": null, "record": "sha256:…"}

`record` is the SHA-256 of the record's canonical JSON without this member, `form` the rules of that JSON (records that
were sealed before there was a choice have none), `previous` that of the revision before.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from hpcprov.merge.pruned import dropped
from hpcprov.record.canonical import FORM, canonical, digest_bytes, former

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.read import Log

# Logs of more bytes than this are not digested again each time that somebody looks.
CHEAP = 64 << 20


def seal(
    record: dict[str, Any], logs: Iterable[Log], *, previous: str | None, dropped: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    """`record` with its seal over `logs`; `dropped`: what an earlier seal has of output that was dropped on purpose."""
    entries = sorted([*map(describe, logs), *dropped], key=lambda entry: str(entry["name"]))
    unsigned = record | {"seal": {"form": FORM, "logs": entries, "previous": previous}}
    return unsigned | {"seal": unsigned["seal"] | {"record": digest_bytes(canonical(unsigned))}}


def describe(log: Log) -> dict[str, Any]:
    skipped = {"lines": log.skipped.lines, "bytes": log.skipped.bytes, "blobs": log.skipped.blobs}
    return {"name": log.name, "bytes": log.size, "sha256": log.sha256, "frames": log.skipped.frames, "skipped": skipped}


def verify_seal(record: dict[str, Any]) -> bool:
    """Is the record what it was when it was sealed?"""
    seal = record.get("seal")
    if type(seal) is not dict:
        return False
    try:
        rest = in_its_form(record | {"seal": {key: value for key, value in seal.items() if key != "record"}})
    except (ValueError, TypeError):
        return False
    return rest is not None and seal.get("record") == digest_bytes(rest)


def verify_written(text: bytes, record: dict[str, Any]) -> bool:
    """Is a record what it was when it was sealed? `text` is its file's content.

    A record is written as the very bytes that its seal is the digest of, the seal's own member aside: where that shows,
    nothing need be written as canonical JSON again.
    """
    seal = record.get("seal")
    claimed = seal.get("record") if type(seal) is dict else None
    if type(claimed) is str and claimed.startswith("sha256:") and claimed.isascii():
        member = f',"record":"{claimed}"'.encode()
        before, found, after = text.rpartition(member)
        if found and sha256(before + after.removesuffix(b"\n")).hexdigest() == claimed.removeprefix("sha256:"):
            return True
    return verify_seal(record)


def in_its_form(record: dict[str, Any]) -> bytes | None:
    """The canonical JSON of a record by the rules that its seal names; None when they are not known here."""
    form = record["seal"].get("form")
    if form is None:
        return former(record)
    return canonical(record) if form == FORM else None


def sealed_sizes(record: dict[str, Any]) -> dict[str, int]:
    """Length of each log, in bytes, as sealed."""
    return {log["name"]: log["bytes"] for log in record["seal"]["logs"]}


def sizes_of(directory: str, names: Iterable[str]) -> dict[str, int]:
    """Length of each of these files by now; what is no regular file is left out, as by who reads logs."""
    found = {name: os.stat(os.path.join(directory, name), follow_symlinks=False) for name in names}
    return {name: facts.st_size for name, facts in found.items() if stat.S_ISREG(facts.st_mode)}


def has_grown(record: dict[str, Any], directory: str, names: Iterable[str]) -> bool:
    """Do the logs beside the record hold more, or are there other ones, than were sealed, and is none poorer?"""
    sealed, now = sealed_sizes(record), sizes_of(directory, names)
    return any(size > sealed.get(name, -1) for name, size in now.items()) and not _losses(record, directory, now)


def losses(record: dict[str, Any], directory: str, names: Iterable[str]) -> list[str]:
    """What logs have lost since they were sealed: a record folded again from them would be poorer."""
    return _losses(record, directory, sizes_of(directory, names))


def _losses(record: dict[str, Any], directory: str, now: dict[str, int]) -> list[str]:
    sealed = sealed_sizes(record)
    lost = [name for name, size in sorted(sealed.items()) if now.get(name, -1) < size]
    on_purpose = {entry["name"] for entry in dropped(record, directory)} if lost else set()
    return [
        f"log {name} is shorter than sealed: {now[name]} of {sealed[name]} bytes"
        if name in now
        else f"log {name} is missing"
        for name in lost
        if name in now or name not in on_purpose
    ]


def changed_logs(record: dict[str, Any], directory: str, names: Iterable[str]) -> list[str] | None:
    """Logs whose sealed part is not what it was; None when looking would take long."""
    now = sizes_of(directory, names)
    logs = [log for log in record["seal"]["logs"] if now.get(log["name"], -1) >= log["bytes"]]
    if sum(log["bytes"] for log in logs) > CHEAP:
        return None
    return [log["name"] for log in logs if not is_as_sealed(log, directory)]


def is_as_sealed(log: dict[str, Any], directory: str) -> bool:
    """Is the sealed part of a log what it was? Raises OSError."""
    return digest_of(os.path.join(directory, log["name"]), log["bytes"]) == str(log["sha256"])


def digest_of(path: str, size: int) -> str:
    """SHA-256 of the first `size` bytes of a file. Raises OSError."""
    digest = sha256()
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        while size > 0 and (block := file.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()

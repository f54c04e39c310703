"""What is recorded of an artifact: how large, what format, its storage digest and its signature.

    >>> describe("out.h5")["signature"]["digest"]
    'hpcprov1:6f0c...'

The keys are those of an `artifact` event in docs/frames.md, from `state` on. Bad data is a result, not an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hpcprov.data.interface import Dataset, Field
from hpcprov.data.open import MissingReader, check_name, format_of, open_data, readable, reason
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import cache, tree
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.deadline import TimeUp
from hpcprov.signature.field import Signed, grid_of
from hpcprov.signature.snapshot import Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import sign_field
from hpcprov.signature.watch import Watch

CHANGED = "changed while it was read"
NO_FIELDS = {"file": "a plain file: it has no fields", "directory": "a plain directory: it has no fields"}
#: A dataset may declare this many tiles, and one more for every so many bytes that it really stores.
FREE_TILES = 1 << 20
BYTES_PER_TILE = 64


def describe(
    path: str,
    *,
    threads: int | None = None,
    deadline: float | None = None,
    cache_dir: str | None = None,
    follow: bool = False,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """The facts about an artifact, read now or taken from the cache; stops at `deadline` (`time.monotonic()`
    seconds)."""
    count = thread_count(threads)
    return describe_with(
        path,
        lambda seen: storage_digest(path, seen, threads=count, deadline=deadline, watch=watch),
        lambda field: sign_field(field, threads=count, deadline=deadline, watch=watch),
        cache_dir=cache_dir,
        follow=follow,
    )


def describe_with(
    path: str,
    digest: Callable[[Snapshot], str],
    sign: Callable[[Field], Signed],
    *,
    cache_dir: str | None = None,
    follow: bool = False,
) -> dict[str, Any]:
    """As `describe`, with the two measurements given as functions."""
    began = time.time_ns()
    before = _look(path)
    if not isinstance(before, Snapshot):
        return before
    known = cache.load(cache_dir, before)
    if known is not None:
        return known
    result = {**_seen(before), **_measured(path, before, digest, sign, follow)}
    if _look(path) != before:
        return {**_seen(before), "state": "unreadable", "reason": CHANGED, "format": result["format"]}
    if result["state"] == "ok" and before.settled(began):
        cache.store(cache_dir, before, result)
    return result


def _look(path: str) -> Snapshot | dict[str, Any]:
    """The artifact's snapshot, or the result that says why there is none."""
    try:
        return look(path)
    except (FileNotFoundError, NotADirectoryError):
        return {**BLANK, "state": "missing", "reason": "there is no such file or directory"}
    except (OSError, ValueError, UnreadableData) as error:
        return {**BLANK, "state": "unreadable", "reason": reason(error)}


BLANK: dict[str, Any] = {
    "state": "ok",
    "reason": None,
    "format": None,
    "size": None,
    "files": None,
    "mtime": None,
    "storage": None,
    "signature": None,
    "unsigned": None,
}


def _seen(snapshot: Snapshot) -> dict[str, Any]:
    return {**BLANK, "size": snapshot.size, "files": snapshot.files, "mtime": snapshot.mtime}


def _measured(
    path: str, seen: Snapshot, digest: Callable[[Snapshot], str], sign: Callable[[Field], Signed], follow: bool
) -> dict[str, Any]:
    """State, reason, format and the two digests, as far as they can be had."""
    found: dict[str, Any] = {"format": "directory" if seen.is_directory else "file"}
    try:
        found["format"] = format_of(path)
        found["storage"] = {"digest": digest(seen), "how": "full"}
        found["signature"] = _signature(path, seen, sign, follow)
    except Unsigned as refusal:
        found["unsigned"] = str(refusal)
    except (TimeUp, MissingReader) as error:
        found.update(state="not hashed", reason=str(error))
    except (UnreadableData, OSError) as error:
        found.update(state="unreadable", reason=reason(error))
    return found


def _signature(path: str, seen: Snapshot, sign: Callable[[Field], Signed], follow: bool) -> dict[str, Any]:
    with readable(path), open_data(path, follow=follow) as data:
        if data.format in NO_FIELDS:
            check_name(path, data.format)
            raise Unsigned(NO_FIELDS[data.format])
        check_declared(data, seen.size)
        fields = [sign(field) for field in data.fields]
    root = tree.dataset_root(data.kind, [(field.path, field.root) for field in fields])
    facts = {"digest": tree.text(root), "how": "full", "kind": data.kind, "fields": [_field(field) for field in fields]}
    if data.links:
        facts["links"] = [{"path": _text(path), "target": _text(target)} for path, target in data.links]
    if data.files:
        facts["followed"] = list(data.files)
    return facts


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _field(signed: Signed) -> dict[str, Any]:
    return {
        "path": _text(signed.path),
        "type": signed.type.text,
        "shape": None if signed.shape is None else list(signed.shape),
        "tile": list(signed.tile),
        "signature": tree.text(signed.root),
        "bytes": signed.size,
    }


def check_declared(data: Dataset, stored: int) -> None:
    """Raises Unsigned for a dataset that declares far more values than it stores: signing its fill values would never
    end."""
    count = 0
    for field in data.fields:
        count += grid_of(field.shape, field.type).count if field.shape is not None else 0
        if count > FREE_TILES + stored // BYTES_PER_TILE:
            raise Unsigned(f"{field.name}: too many fill values ({count} tiles declared, {stored} bytes stored)")

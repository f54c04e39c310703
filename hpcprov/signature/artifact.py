"""What is recorded of an artifact: how large, what format, its storage digest and its signature.

    >>> describe("out.h5")["signature"]["digest"]
    'hpcprov1:6f0c...'

The keys are those of an `artifact` event in docs/frames.md, from `state` on. Bad data is a result, not an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any

from hpcprov.data.interface import Dataset, Field
from hpcprov.data.no_fields import NO_FIELDS
from hpcprov.data.open import MissingReader, check_name, format_of, open_data, readable, reason
from hpcprov.data.opened import opened
from hpcprov.data.types import Unsigned
from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import cache, manifest, tree
from hpcprov.signature.counting import Counter, Counting
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.deadline import TimeUp
from hpcprov.signature.field import Signed, grid_of
from hpcprov.signature.past import Past
from hpcprov.signature.reuse import Reuse
from hpcprov.signature.snapshot import CHANGED, Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import sign_field
from hpcprov.signature.watch import Watch

#: Why there is no signature although there could be one.
BYTES_ONLY = "only the bytes were asked for"
SAME_BYTES = "not computed: the bytes are those of before"
#: A dataset may declare this many tiles, and one more for every so many bytes that it really stores.
FREE_TILES = 1 << 20
BYTES_PER_TILE = 64


def describe(
    path: str,
    *,
    threads: int | None = None,
    deadline: float | None = None,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    follow: bool = False,
    appended: bool = False,
    values: bool = True,
    same_as: str | None = None,
    algorithms: Sequence[str] = (),
    durable: bool = True,
    watch: Watch | None = None,
    tell: Callable[[str], object] | None = None,
    statistics: Counting | None = None,
) -> dict[str, Any]:
    """The facts about an artifact, read now or taken from the cache; stops at `deadline` (`time.monotonic()`
    seconds).

    With `tiles_dir` the tile digests of its fields are kept there, and with both directories what has not changed since
    the last time is not read again; `appended` says that a single file has only got more rows. Without `values`, and
    when the storage digest is `same_as`, there is no signature. The storage digest comes with those of `algorithms`
    (`sha256`, `md5`), for which everything is read. Tile digests that are not `durable` need not outlive a crash of
    the machine. `tell` is told what could not be kept. `statistics` counts what is signed: they stand with each field.
    """
    count, also = thread_count(threads), dict.fromkeys(algorithms, "")
    past = Past.load(cache_dir, path)
    reuse = Reuse(past, tiles_dir, appended)
    work = Work(
        path,
        lambda seen: storage_digest(
            path, seen, threads=count, deadline=deadline, watch=watch, known=past.meet(path, seen), also=also
        ),
        lambda target, counter: reuse.sign(target, threads=count, deadline=deadline, watch=watch, counter=counter),
        follow=follow,
        values=values,
        same_as=same_as,
        reuse=reuse,
        also=also,
        durable=durable,
        deadline=deadline,
        statistics=statistics,
    )
    return work.describe(cache_dir=cache_dir, tiles_dir=tiles_dir, tell=tell)


@dataclass
class Work:
    """One artifact to be described, with the two measurements given as functions.

    `also` has the names of other algorithms, to which `digest` adds what it finds; `signed` has the fields as far as
    they were signed."""

    path: str
    digest: Callable[[Snapshot], str]
    sign: Callable[[Field, Counter | None], Signed]
    follow: bool = False
    values: bool = True
    same_as: str | None = None
    reuse: Reuse | None = None
    also: dict[str, str] = member(default_factory=dict)
    durable: bool = True
    deadline: float | None = None
    statistics: Counting | None = None
    signed: list[Signed] = member(default_factory=list)

    def describe(
        self,
        *,
        cache_dir: str | None = None,
        tiles_dir: str | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> dict[str, Any]:
        """As the function `describe`."""
        began = time.time_ns()
        before = _look(self.path)
        if not isinstance(before, Snapshot):
            return before
        # What is followed lies in files that the fingerprint knows nothing of.
        if not (self.follow or self.also):
            known = cache.load(cache_dir, before, statistics=self.statistics is not None)
            if known is not None:
                return known
        result = {**_seen(before), **self._measured(before)}
        if _look(self.path) != before:
            return {**_seen(before), "state": "unreadable", "reason": CHANGED, "format": result["format"]}
        if result["state"] == "ok":
            self._keep(result, before, began, cache_dir, tiles_dir, tell or (lambda _: None))
        return result

    def _measured(self, seen: Snapshot) -> dict[str, Any]:
        """State, reason, format and the two digests, as far as they can be had."""
        found: dict[str, Any] = {"state": "ok", "format": "directory" if seen.is_directory else "file"}
        try:
            found["format"] = format_of(self.path)
            found["storage"] = {"digest": self.digest(seen), **self._how_stored(seen)}
            if self.also:
                found["storage"]["also"] = dict(self.also)
            found["signature"] = self._signature(seen, found["storage"]["digest"])
        except Unsigned as refusal:
            found["unsigned"] = str(refusal)
        except (TimeUp, MissingReader) as error:
            found.update(state="not hashed", reason=str(error))
        except (UnreadableData, OSError) as error:
            found.update(state="unreadable", reason=reason(error))
        return found

    def _signature(self, seen: Snapshot, storage: str) -> dict[str, Any]:
        if not self.values:
            raise Unsigned(BYTES_ONLY)
        if storage == self.same_as:
            raise Unsigned(SAME_BYTES)
        # Before, since a library may not open one file in two ways.
        counters = self.statistics(self.path) if self.statistics is not None else None
        with readable(self.path), open_data(self.path, follow=self.follow) as data:
            if data.format in NO_FIELDS:
                check_name(self.path, data.format)
                raise Unsigned(NO_FIELDS[data.format])
            check_declared(data, seen.size)
            others = [look(other) for other in data.files]
            self.signed = [self.sign(one, counters(one) if counters is not None else None) for one in data.fields]
            if others != [look(other) for other in data.files]:
                raise UnreadableData(CHANGED)
        root = tree.dataset_root(data.kind, [(one.path, one.root) for one in self.signed])
        fields = [_field(one) for one in self.signed]
        facts = {"digest": tree.text(root), **self._how_signed(), "kind": data.kind, "fields": fields}
        if data.links:
            facts["links"] = [{"path": _text(path), "target": _text(target)} for path, target in data.links]
        if data.files:
            facts["followed"] = list(data.files)
        return facts

    def _how_stored(self, seen: Snapshot) -> dict[str, Any]:
        reused = self.reuse.files if self.reuse is not None and not self.also else 0
        return _how("partly cached", (seen.files or 0) - reused, reused)

    def _how_signed(self) -> dict[str, Any]:
        if self.reuse is None:
            return {"how": "full"}
        return _how("appended" if self.reuse.on_word else "partly cached", self.reuse.read, self.reuse.reused)

    def _keep(
        self,
        result: dict[str, Any],
        seen: Snapshot,
        began: int,
        cache_dir: str | None,
        tiles_dir: str | None,
        tell: Callable[[str], object],
    ) -> None:
        """Keep what was found for later, as far as it says what others may rely on."""
        if tiles_dir is not None:
            missed = manifest.keep_all(tiles_dir, self.signed, durable=self.durable, deadline=self.deadline)
            if missed is not None:
                tell(f"{self.path}: {missed}")
        signature = result["signature"]
        on_word = signature is not None and signature["how"] == "appended"
        if cache_dir is None or self.follow or self.also or result["unsigned"] in (BYTES_ONLY, SAME_BYTES):
            return
        if not on_word:
            cache.store(cache_dir, seen, result, began)
        if tiles_dir is not None and signature is not None and self.reuse is not None:
            self.reuse.past.store(cache_dir, self.path, seen, signature["fields"], began)


def _how(otherwise: str, read: int, reused: int) -> dict[str, Any]:
    """`full` when nothing was reused, else what it is called then, with the numbers of parts."""
    return {"how": otherwise, "parts": {"read": read, "reused": reused}} if reused else {"how": "full"}


def _look(path: str) -> Snapshot | dict[str, Any]:
    """The artifact's snapshot, or the result that says why there is none."""
    try:
        return look(path)
    except (FileNotFoundError, NotADirectoryError):
        return {**BLANK, "state": "missing", "reason": "there is no such file or directory"}
    except (OSError, ValueError, UnreadableData) as error:
        return {**BLANK, "state": "unreadable", "reason": reason(error)}


def describe_values(thing: Any, *, threads: int | None = None) -> dict[str, Any]:
    """The facts about an object in memory (an array, table or dataset, as `hpcprov.signature` takes them): its
    signature is that of a file with these values. Raises Unsigned, TypeError, MissingReader."""
    data = opened(thing)
    signed = [sign_field(one, threads=thread_count(threads)) for one in data.fields]
    root = tree.dataset_root(data.kind, [(one.path, one.root) for one in signed])
    found = {"digest": tree.text(root), "how": "full", "kind": data.kind, "fields": [_field(one) for one in signed]}
    size = sum(one.size for one in signed)
    return BLANK | {"state": "ok", "format": data.format, "size": size, "signature": found}


def _seen(snapshot: Snapshot) -> dict[str, Any]:
    return {**BLANK, "size": snapshot.size, "files": snapshot.files, "mtime": snapshot.mtime}


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _field(signed: Signed) -> dict[str, Any]:
    facts = {
        "path": _text(signed.path),
        "type": signed.type.text,
        "shape": None if signed.shape is None else list(signed.shape),
        "tile": list(signed.tile),
        "signature": tree.text(signed.root),
        "bytes": signed.size,
    }
    return facts if signed.statistics is None else facts | {"statistics": signed.statistics}


def check_declared(data: Dataset, stored: int) -> None:
    """Raises Unsigned for a dataset that declares far more values than it stores: signing its fill values would never
    end."""
    count = 0
    for field in data.fields:
        count += grid_of(field.shape, field.type).count if field.shape is not None else 0
        if count > FREE_TILES + stored // BYTES_PER_TILE:
            raise Unsigned(f"{field.name}: too many fill values ({count} tiles declared, {stored} bytes stored)")

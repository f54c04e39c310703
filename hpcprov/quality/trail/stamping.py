"""Writing into a dataset without touching its values: the copy is signed before it takes the dataset's place.

    embedded("out.nc", Changes({"title": "Flood"}), signature="hpcprov1:6f0c...")
    stamp("out.nc", entry, used, recorded="/data/out.nc", signature="hpcprov1:6f0c...", fields={})

Runs in the process that reads untrusted files (`hpcprov.quality.worker`).
"""

from __future__ import annotations

import os
import time
from typing import Any

from hpcprov.data.attributes import Attributes, Value, read_attributes
from hpcprov.data.embed import Changes, embed, is_supported
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.data.open import format_of
from hpcprov.quality.trail.entries import AUDIT, HISTORY, audit_with, before_of, entries_of, has, history_with, is_list
from hpcprov.signature import cache
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look
from hpcprov.signature.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.quality.trail.entries import Entry

STAMPED, ALREADY = "stamped", "already"


def embedded(
    path: str,
    changes: Changes,
    *,
    signature: str,
    break_links: bool = False,
    watch: Watch | None = None,
    seen: os.stat_result | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Set attributes, when the values are those of the `signature` and stay so. The facts about the artifact as it is
    then, as `artifact.describe` gives them; `settings` as it takes them. Raises NotEmbedded and what `embed` raises."""
    draft = {name: value for name, value in settings.items() if name not in ("cache_dir", "tiles_dir")}
    found: dict[str, Any] = {}
    began, known = time.time_ns(), _known(settings.get("cache_dir"), path)

    def check(copy: str) -> None:
        found.update(describe(copy, watch=watch, **draft), inode=os.stat(copy).st_ino)
        _compare(found, signature)

    embed(path, changes, check=check, break_links=break_links, deadline=settings.get("deadline"), seen=seen)
    if found:
        found["mtime"] = os.stat(path).st_mtime_ns  # the copy got it when it was published
        _keep(settings.get("cache_dir"), path, found.pop("inode"), found | _with_statistics(known, signature), began)
    else:  # a Zarr directory, of which nothing but attributes was written
        found.update(describe(path, watch=watch, **settings))
        try:
            _compare(found, signature)
        except NotEmbedded as error:
            raise NotEmbedded(f"its attributes were written, but {error.message}") from error
    return found


def _compare(found: dict[str, Any], signature: str) -> None:
    if found["state"] != "ok":
        raise NotEmbedded(f"it could not be read again: {found['reason']}")
    if (found["signature"] or {}).get("digest") != signature:
        raise NotEmbedded("its values are no longer those that were signed")


def _known(folder: str | None, path: str) -> dict[str, Any]:
    """What the cache has of a file, or nothing."""
    if folder is None or os.path.isdir(path):
        return {}
    return cache.read(folder, look(path).fingerprint) or {}


def _with_statistics(known: dict[str, Any], signature: str) -> dict[str, Any]:
    """The signature as it was known before, which may have statistics with its fields."""
    match known:
        case {"state": "ok", "signature": {"digest": str(digest)} as signed} if digest == signature:
            return {"signature": signed}
    return {}


def _keep(folder: str | None, path: str, inode: int, facts: dict[str, Any], began: int) -> None:
    """Let nobody read again what was read just before it got its name. What writes to it from then on gives it another
    moment of last change than the one that it kept, which lies well before `began` (ns)."""
    now = look(path)
    if (now.entries[0].inode, now.size, now.mtime) == (inode, facts["size"], facts["mtime"]):
        cache.store(folder, now, facts, began, ours=True)


def stamp(
    path: str,
    entry: Entry,
    used: list[dict[str, Any]],
    *,
    recorded: str,
    signature: str,
    fields: dict[str, dict[str, str]],
    **options: Any,
) -> dict[str, Any]:
    """Append an entry to the trail of the artifact at `path`, which the record calls `recorded`; `used` are what the
    run read, as `entries.used_by` gives it; `fields` are attributes for those of its fields that it has. `status`, the
    number of `entries`, whether there is a line of `history`, and the facts as they are then (`result`; None when
    nothing was to be done). Raises as `embedded` does."""
    if not is_supported(form := format_of(path)):
        embed(path, Changes())  # says why
    seen = None if os.path.isdir(path) else os.stat(path)
    attributes = read_attributes(path)
    if not is_list(text := trail_in(attributes)):
        raise NotEmbedded(f"its attribute {AUDIT} is no list of entries, and would be lost")
    entries = entries_of(text)
    mtime = None if seen is None else seen.st_mtime_ns
    entry = {**entry, "before": before_of(used, recorded, entries), "after": signature, "mtime": mtime}
    told = {"entries": len(entries) + 1, "format": form}
    if has(entries, entry):
        return {**told, "status": ALREADY, "entries": len(entries), "history": False, "result": None}
    line = _history(attributes, entry)
    changes = {AUDIT: audit_with(entries, entry)} | ({HISTORY: line} if line is not None else {})
    names = {name.strip("/"): name for name in attributes.fields}
    more: dict[str, dict[str, Value | None]] = {names[name]: dict(own) for name, own in fields.items() if name in names}
    result = embedded(path, Changes(dict(changes), more), signature=signature, seen=seen, **options)
    return {**told, "status": STAMPED, "history": line is not None, "result": result}


def _history(attributes: Attributes, entry: Entry) -> str | None:
    """The history with a line more; None for one that is too long, or no text: it stays as it is."""
    try:
        return history_with(_text_of(attributes, HISTORY), entry)
    except NotEmbedded:
        return None


def trail_in(attributes: Attributes) -> str | None:
    """The text of the audit trail. Raises NotEmbedded for one that cannot be read as text: it would be lost."""
    return _text_of(attributes, AUDIT)


def _text_of(attributes: Attributes, name: str) -> str | None:
    value = attributes.dataset.get(name)
    left_out = next((reason for field, what, reason in attributes.skipped if not field and what == name), None)
    if left_out is not None:
        raise NotEmbedded(f"its attribute {name} cannot be read: {left_out}")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    raise NotEmbedded(f"its attribute {name} is no text")


def trail(path: str) -> dict[str, Any]:
    """What a dataset tells of itself: the text of its `audit` and `history`, None where it has none, and why one of
    them could not be read."""
    attributes = read_attributes(path)
    told: dict[str, Any] = {"audit": None, "history": None, "problems": [], "format": format_of(path)}
    for name, attribute in (("audit", AUDIT), ("history", HISTORY)):
        try:
            told[name] = _text_of(attributes, attribute)
        except NotEmbedded as error:
            told["problems"].append(error.message)
    return told | {"real": os.path.realpath(path)}

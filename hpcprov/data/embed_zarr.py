"""Attributes written into a Zarr directory: into `.zattrs` (v2) or `zarr.json` (v3) of each node, each by one rename.

Consolidated copies are changed after what they are copies of: a crash in between leaves both readable, the copy with
the attributes of before. When another process changes a document at the same time, it is read and changed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from hpcprov.data.attributes import Value
from hpcprov.data.embed import Changes
from hpcprov.data.embed_draft import Draft
from hpcprov.data.embed_original import NotEmbedded, Original, check_writable
from hpcprov.data.zarr_tree import MAX_METADATA
from hpcprov.record.errors import UnreadableData

Document: TypeAlias = dict[str, Any]
Edit: TypeAlias = Callable[[Document], None]

ATTEMPTS = 10
INDENT = 2


def edit(root: str, changes: Changes, form: str) -> None:
    """Change the attributes of a store. Raises NotEmbedded, UnreadableData, OSError."""
    nodes = {"": changes.dataset} | changes.fields
    nodes[""] = changes.dataset | changes.fields.get("", {})  # the root may be an array
    for key in nodes:
        _check_node(root, key, form)
    edits = _edits3(nodes) if form == "zarr3" else _edits2(nodes)
    for path, edit_one in sorted(edits, key=lambda item: -item[0].count("/")):
        _replace(os.path.join(root, path), edit_one)


def _check_node(root: str, key: str, form: str) -> None:
    """Raises UnreadableData when there is no such node within the store."""
    parts = key.split("/") if key else []
    names = ("zarr.json",) if form == "zarr3" else (".zarray", ".zgroup")
    folder = os.path.join(root, key)
    inside = not any(part in ("", ".", "..") for part in parts) and os.path.realpath(folder) == folder.rstrip("/")
    if not inside or not any(os.path.isfile(os.path.join(folder, name)) for name in names):
        raise UnreadableData(f"it has no field {key!a}")


def _edits3(nodes: dict[str, dict[str, Value | None]]) -> list[tuple[str, Edit]]:
    """Documents and what becomes of them: each node's own, then those of the groups above, which may hold copies."""
    above = {group for key in nodes if key for group in _groups_above(key)}
    return [(_joined(key, "zarr.json"), partial(_edit3, here=key, nodes=nodes)) for key in sorted(above | nodes.keys())]


def _edit3(document: Document, *, here: str, nodes: dict[str, dict[str, Value | None]]) -> None:
    if here in nodes:
        _change(document, "attributes", nodes[here])
    copies, prefix = _copies(document.get("consolidated_metadata")), f"{here}/" if here else ""
    for key, values in nodes.items():
        inner = copies.get(key.removeprefix(prefix))
        if key != here and key.startswith(prefix) and isinstance(inner, dict):
            _change(inner, "attributes", values)


def _copies(consolidated: Any) -> Document:
    """The documents that a consolidated one has copies of, by their keys."""
    copies = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    return copies if isinstance(copies, dict) else {}


def _edits2(nodes: dict[str, dict[str, Value | None]]) -> list[tuple[str, Edit]]:
    own: list[tuple[str, Edit]] = [
        (_joined(key, ".zattrs"), partial(_set_all, values=values)) for key, values in nodes.items() if values
    ]

    def consolidated(document: Document) -> None:
        copies = _copies(document)
        for key, values in nodes.items():
            _change(copies, _joined(key, ".zattrs"), values)

    return [*own, (".zmetadata", consolidated)]


def _groups_above(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:at]) for at in range(len(parts))]


def _joined(key: str, name: str) -> str:
    return f"{key}/{name}" if key else name


def _change(document: Document, member: str, values: dict[str, Value | None]) -> None:
    """Change an object within a document; nothing where nothing changes."""
    if values:
        inner = document.get(member)
        document[member] = dict(inner) if isinstance(inner, dict) else {}
        _set_all(document[member], values)


def _set_all(document: Document, values: dict[str, Value | None]) -> None:
    for name, value in values.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value


def _replace(path: str, edit_one: Edit) -> None:
    """Change one document, as long as it takes until nobody else has changed it meanwhile."""
    for _ in range(ATTEMPTS):
        with Draft(path) as draft:
            before = _content(path)
            if before is None and not path.endswith(".zattrs"):
                return  # there is no such copy
            after = _edited(before, edit_one, path)
            if after is None:
                return
            _write(draft.fd, after)
            if _published(draft, path, before):
                return
    raise NotEmbedded(f"{os.path.basename(path)} is being changed by another process all the time")


def _published(draft: Draft, path: str, before: bytes | None) -> bool:
    """Put the draft in its place, unless the document is no longer what it was."""
    if before is None:
        if _content(path) is not None:
            return False
        os.fchmod(draft.fd, 0o666 & ~_umask())
        draft.publish(None)
        return True
    with Original(path, break_links=True) as original:
        if _content(path) != before:
            return False
        try:
            draft.publish(original)
        except NotEmbedded:
            return False
    return True


def _edited(before: bytes | None, edit_one: Edit, path: str) -> bytes | None:
    """The document after the change; None when that changes nothing."""
    try:
        document = json.loads(before or b"{}")
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"{os.path.basename(path)}: not JSON ({error})") from error
    if not isinstance(document, dict):
        raise UnreadableData(f"{os.path.basename(path)}: not a JSON object")
    old = json.dumps(document, sort_keys=True)
    edit_one(document)
    if json.dumps(document, sort_keys=True) == old:
        return None
    return json.dumps(document, indent=_indent(before)).encode()


def _indent(document: bytes | None) -> int | None:
    """How far the document indents its members; None when it stands on one line."""
    if not document:
        return INDENT
    _, line, rest = document.partition(b"\n")
    return len(rest) - len(rest.lstrip(b" ")) if line else None


def _content(path: str) -> bytes | None:
    """The bytes of a document, or None where there is none. Raises NotEmbedded for a link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
            raise NotEmbedded("its directory is read-only") from None
        return None
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        check_writable(path, facts)
        if facts.st_size > MAX_METADATA:
            raise UnreadableData(f"{os.path.basename(path)}: {facts.st_size} bytes")
        return file.read()


def _write(fd: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(fd, view) :]


def _umask() -> int:
    """The umask, which can only be asked for by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

"""The tree of a Zarr store on a file system, read without trusting it.

Nodes are found by walking directories, so consolidated metadata is not needed (but keys in it that leave the store are
refused). A node counts when it and every node above it have metadata of the store's format. Symbolic links may not
leave the store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData

MAX_METADATA = 256 << 20
MAX_DEPTH = 200


def check_inside(root: str) -> None:
    """Raises UnreadableData at a link that leaves the store, or leads nowhere."""
    top = os.path.realpath(root)
    for folder, folders, files in os.walk(root, onerror=_fail):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                _check_link(path, top, os.path.relpath(path, root))


def _check_link(path: str, top: str, name: str) -> None:
    target = os.path.realpath(path)
    if os.path.commonpath([top, target]) != top:
        raise UnreadableData(f"{name}: a link out of the store is not followed")
    if not os.path.exists(target):
        raise UnreadableData(f"{name}: a link that leads nowhere")


def _fail(error: OSError) -> None:
    raise error


def arrays(root: str, form: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Path and metadata of every array of a store in the format `zarr2` or `zarr3`; the empty path when the root is an
    array."""
    stack = [""]
    while stack:
        path = stack.pop()
        node = READ_NODE[form](os.path.join(root, path), path)
        if node is None and not path:
            raise UnreadableData("no metadata of an array or a group in its root")
        if node is not None and node["node_type"] == "array":
            yield os.fsencode(path), node
        elif node is not None:
            if path.count("/") >= MAX_DEPTH:
                raise UnreadableData(f"groups are nested deeper than {MAX_DEPTH}")
            stack += [os.path.join(path, name) for name in _folders(os.path.join(root, path))]


def _folders(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def _node3(folder: str, path: str) -> dict[str, Any] | None:
    node = _load(folder, "zarr.json", path)
    if node is None:
        return None
    if node.get("zarr_format") != 3 or node.get("node_type") not in ("array", "group"):
        raise UnreadableData(f"{path or 'root'}: zarr.json is not the metadata of a Zarr v3 array or group")
    if isinstance(node.get("consolidated_metadata"), dict):
        _check_keys(node["consolidated_metadata"].get("metadata"))
    return node


def _node2(folder: str, path: str) -> dict[str, Any] | None:
    if not path:
        consolidated = _load(folder, ".zmetadata", path)
        _check_keys(consolidated and consolidated.get("metadata"))
    array = _load(folder, ".zarray", path)
    if array is not None:
        _refuse_pickle(array, path)
        return {**array, "node_type": "array"}
    group = _load(folder, ".zgroup", path)
    return None if group is None else {**group, "node_type": "group"}


READ_NODE = {"zarr2": _node2, "zarr3": _node3}


def _load(folder: str, name: str, path: str) -> dict[str, Any] | None:
    where = f"{path}/{name}".lstrip("/")
    try:
        with open(os.path.join(folder, name), "rb") as file:
            text = file.read(MAX_METADATA + 1)
    except FileNotFoundError:
        return None
    if len(text) > MAX_METADATA:
        raise UnreadableData(f"{where}: metadata longer than {MAX_METADATA} bytes")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"{where}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise UnreadableData(f"{where}: not a JSON object")
    return value


def _check_keys(metadata: Any) -> None:
    for key in metadata if isinstance(metadata, dict) else ():
        if key.startswith("/") or ".." in key.split("/"):
            raise UnreadableData(f"consolidated metadata has a key that leaves the store: {key!r}")


def _refuse_pickle(array: dict[str, Any], path: str) -> None:
    filters = array.get("filters") or []
    for codec in [*(filters if isinstance(filters, list) else []), array.get("compressor")]:
        if isinstance(codec, dict) and codec.get("id") == "pickle":
            raise Unsigned(f"{path or 'root'}: Python objects (pickle) have no signature and are never loaded")

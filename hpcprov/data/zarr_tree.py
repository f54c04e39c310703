"""The tree of a Zarr store, read without trusting it.

Nodes are found by walking directories, so consolidated metadata is not needed (but keys in it that leave the store are
refused). A node counts when it and every node above it have metadata of the store's format.

    for path, metadata in arrays(Folder("out.zarr"), "zarr3"): ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hpcprov.data.types import Unsigned
from hpcprov.data.zarr_place import Place, joined
from hpcprov.record.errors import UnreadableData

MAX_METADATA = 256 << 20
MAX_DEPTH = 200


def arrays(place: Place, form: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and metadata of every array of a store in the format `zarr2` or `zarr3`; the empty path when the root is an
    array."""
    stack = [""]
    while stack:
        path = stack.pop()
        node = READ_NODE[form](place, path)
        if node is None and not path:
            raise UnreadableData("no metadata of an array or a group in its root")
        if node is not None and node["node_type"] == "array":
            yield path, node
        elif node is not None:
            if path.count("/") >= MAX_DEPTH:
                raise UnreadableData(f"groups are nested deeper than {MAX_DEPTH}")
            stack += [joined(path, name) for name in place.folders(path)]


def _node3(place: Place, path: str) -> dict[str, Any] | None:
    node = load(place, path, "zarr.json")
    if node is None:
        return None
    if node.get("zarr_format") != 3 or node.get("node_type") not in ("array", "group"):
        raise UnreadableData(f"{path or 'root'}: zarr.json is not the metadata of a Zarr v3 array or group")
    if isinstance(node.get("consolidated_metadata"), dict):
        _check_keys(node["consolidated_metadata"].get("metadata"))
    return node


def _node2(place: Place, path: str) -> dict[str, Any] | None:
    if not path:
        consolidated = load(place, path, ".zmetadata")
        _check_keys(consolidated and consolidated.get("metadata"))
    array = load(place, path, ".zarray")
    if array is not None:
        _refuse_pickle(array, path)
        return {**array, "node_type": "array"}
    group = load(place, path, ".zgroup")
    return None if group is None else {**group, "node_type": "group"}


READ_NODE = {"zarr2": _node2, "zarr3": _node3}


def load(place: Place, path: str, name: str) -> dict[str, Any] | None:
    """A node's metadata of this name, or None where there is none. Raises UnreadableData."""
    if not place.has(path, name):
        return None
    where = joined(path, name)
    try:
        value = json.loads(place.load(where, MAX_METADATA))
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

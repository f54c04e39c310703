"""Which file of a Zarr directory holds which part of an array, so that a file that is unchanged proves its part to be
unchanged.

    held = held_array("out.zarr/u/zarr.json")
    held.index("c/1/2")      ->  (1, 2): the part of `held.extents` elements at that place of the grid
    held.frame               ->  all metadata that the values depend on, without the shape

Of an array whose layout is not known here nothing can be told: it is read whole.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from typing import Any

#: Name of the file with an array's metadata in each format.
DOCUMENTS = {"zarr2": b".zarray", "zarr3": b"zarr.json"}
#: Files in an array's directory that hold no values.
METADATA = ("zarr.json", ".zarray", ".zattrs")
MAX_DOCUMENT = 64 << 20


@dataclass(frozen=True)
class Held:
    """How an array lies in files: one for each part of `extents` elements (a chunk, or a shard)."""

    extents: tuple[int, ...]
    frame: bytes
    prefix: str
    separator: str

    def index(self, name: str) -> tuple[int, ...] | None:
        """The place in the grid that a file holds, by its path in the array's directory; None for any other file."""
        if not name.startswith(self.prefix):
            return None
        parts = name[len(self.prefix) :].split(self.separator)
        if len(parts) != len(self.extents) or not all(re.fullmatch(r"0|[1-9][0-9]{0,17}", part) for part in parts):
            return None
        return tuple(map(int, parts))


def held_array(document: bytes) -> Held | None:
    """How an array lies in files, by the path of its metadata; None for a group, and where it cannot be told."""
    try:
        metadata = json.loads(_content(document))
        return _held3(metadata) if os.path.basename(document) == DOCUMENTS["zarr3"] else _held2(metadata)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _content(path: bytes) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        return file.read(facts.st_size) if stat.S_ISREG(facts.st_mode) and facts.st_size <= MAX_DOCUMENT else b""


def _held2(metadata: dict[str, Any]) -> Held | None:
    return _checked(metadata["chunks"], metadata, "", metadata.get("dimension_separator", "."))


def _held3(metadata: dict[str, Any]) -> Held | None:
    grid, keys = metadata["chunk_grid"], metadata["chunk_key_encoding"]
    if grid["name"] != "regular" or keys["name"] not in ("default", "v2") or metadata.get("storage_transformers"):
        return None
    usual = {"default": "/", "v2": "."}[keys["name"]]
    separator = (keys.get("configuration") or {}).get("separator", usual)
    prefix = f"c{separator}" if keys["name"] == "default" else ""
    return _checked(grid["configuration"]["chunk_shape"], metadata, prefix, separator)


def _checked(extents: Any, metadata: dict[str, Any], prefix: str, separator: Any) -> Held | None:
    if separator not in ("/", ".") or not extents or not all(type(extent) is int and extent > 0 for extent in extents):
        return None
    kept = {key: value for key, value in metadata.items() if key not in ("shape", "attributes")}
    return Held(tuple(extents), json.dumps(kept, sort_keys=True).encode(), prefix, separator)

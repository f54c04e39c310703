"""What people wrote about data, beside the data: `.hpcprov/annotations/<key>/<version>.json`.

    {"format": "hpcprov-annotations-1", "version": 3, "path": "out/flood.nc", "signature": "hpcprov1:6f0c...",
     "dataset": {"description": {"value": "...", "changed": "2026-11-21T09:30:00Z", "by": "ada"}},
     "fields": {"depth": {"units": {"value": "m", "changed": "...", "by": "ada"}}}}

The key is made of the path (relative to the directory that the store is in, so that both may move together). A file
`signatures/<digest>.json` names the key of what had these values, so that data which was moved, or made again in
another place, is found by them:

    1. what was written of this path with these values      2. what was written of these values, wherever they lay
    3. what was written of this path when it had other values

Of two writers one is first, the other sees it and tries again with what it then finds (`versions`). The last few
versions stay, as the story of who said what.
"""

from __future__ import annotations

import hashlib
import json
import os
import re

from hpcprov.quality.dictionary import versions
from hpcprov.quality.dictionary.versions import Taken as Taken
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store

FORMAT = "hpcprov-annotations-1"
SIGNATURES = "signatures"
#: How annotations were found.
BY_BOTH, BY_SIGNATURE, BY_PATH = "path and values", "values", "path"


class Cell:
    """One word of a person: its `value`, when it was `changed` (ISO, UTC), and `by` whom."""

    __slots__ = ("by", "changed", "value")

    def __init__(self, value: str, changed: str, by: str) -> None:
        self.value, self.changed, self.by = value, changed, by

    def as_json(self) -> dict[str, str]:
        return {"value": self.value, "changed": self.changed, "by": self.by}


class Annotations:
    """Of one dataset: cells by key, of the `dataset` and of each field; which `version` this is (0: nothing is written
    yet), of what `path` and `signature`, and how it was `found`."""

    def __init__(
        self,
        path: str,
        signature: str | None = None,
        *,
        version: int = 0,
        dataset: dict[str, Cell] | None = None,
        fields: dict[str, dict[str, Cell]] | None = None,
        found: str | None = None,
    ) -> None:
        self.path, self.signature, self.version, self.found = path, signature, version, found
        self.dataset, self.fields = dataset or {}, fields or {}

    def cells(self, field: str | None) -> dict[str, Cell]:
        return self.dataset if field is None else self.fields.get(field, {})

    def put(self, field: str | None, key: str, cell: Cell | None) -> None:
        """Set a cell, or take it away."""
        cells = self.dataset if field is None else self.fields.setdefault(field, {})
        cells.pop(key, None)
        if cell is not None:
            cells[key] = cell
        if field is not None and not cells:
            del self.fields[field]

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": self.version,
            "path": self.path,
            "signature": self.signature,
            "dataset": {key: cell.as_json() for key, cell in self.dataset.items()},
            "fields": {
                path: {key: cell.as_json() for key, cell in cells.items()} for path, cells in self.fields.items()
            },
        }


def load(store: Store | None, path: str, signature: str | None) -> Annotations:
    """What is written of the data at `path` with this signature (None: not known), found as the module says."""
    own = relative(store, path)
    if store is None:
        return Annotations(own, signature)
    by_path = _newest(_folder(store, own))
    if by_path is not None and (signature is None or by_path.signature == signature):
        by_path.found = BY_PATH if signature is None else BY_BOTH
        return by_path
    by_values = _of_values(store, signature)
    if by_values is not None:
        by_values.found = BY_SIGNATURE
        return by_values
    if by_path is not None:
        by_path.found = BY_PATH
        return by_path
    return Annotations(own, signature)


def _of_values(store: Store, signature: str | None) -> Annotations | None:
    pointer = _pointer(store, signature)
    told = versions.read(pointer) if pointer is not None else None
    path = told.get("path") if told is not None else None
    return _newest(_folder(store, path)) if type(path) is str else None


def save(store: Store, path: str, signature: str | None, annotations: Annotations) -> Annotations:
    """Write the version that follows the one that `annotations` came from; what was found by its values elsewhere gets
    a place of its own. Raises Taken when somebody was faster: load, and try again. Raises OSError."""
    own = relative(store, path)
    folder = _folder(store, own)
    before = annotations.version if annotations.path == own else (versions.numbers(folder) or [0])[-1]
    known = signature or (annotations.signature if annotations.path == own else None)
    new = Annotations(own, known, version=before + 1, dataset=annotations.dataset, fields=annotations.fields)
    content = json.dumps(new.as_json(), indent=1).encode()
    if len(content) > versions.LARGEST:
        raise HpcprovError(f"annotations of {len(content)} bytes are too large: {versions.LARGEST} at most")
    versions.publish(folder, new.version, content)
    pointer = _pointer(store, new.signature)
    if pointer is not None:
        versions.replace(pointer, json.dumps({"path": new.path}).encode())
    return new


def relative(store: Store | None, path: str) -> str:
    """How a dataset is named: from the directory that the store is in, else by its whole real path."""
    real = os.path.realpath(path)
    if store is None:
        return real
    home = os.path.realpath(os.path.dirname(os.path.abspath(store.root)))
    inner = os.path.relpath(real, home)
    return real if inner.startswith("..") else inner


def _folder(store: Store, path: str) -> str:
    return os.path.join(store.annotations, hashlib.sha256(os.fsencode(path)).hexdigest()[:32])


def _pointer(store: Store, signature: str | None) -> str | None:
    digest = (signature or "").rpartition(":")[2]
    if not re.fullmatch(r"[0-9a-f]{16,128}", digest):
        return None
    return os.path.join(store.annotations, SIGNATURES, f"{digest}.json")


def _newest(folder: str) -> Annotations | None:
    """The newest version that is sound; it is known by the highest number that is there."""
    numbers = versions.numbers(folder)
    for number in reversed(numbers):
        told = versions.read(versions.place(folder, number))
        found = parsed(told) if told is not None else None
        if found is not None:
            found.version = numbers[-1]
            return found
    return None


def parsed(told: dict[str, Any]) -> Annotations | None:
    """What a version says; None when it is none of ours."""
    path, signature, fields = told.get("path"), told.get("signature"), told.get("fields")
    if told.get("format") != FORMAT or type(path) is not str or type(signature) not in (str, type(None)):
        return None
    if type(told.get("version")) is not int or type(told.get("dataset")) is not dict or type(fields) is not dict:
        return None
    cells = {name: dict(_cells(its)) for name, its in fields.items() if type(its) is dict}
    return Annotations(path, signature, version=told["version"], dataset=dict(_cells(told["dataset"])), fields=cells)


def _cells(its: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    for key, one in its.items():
        if type(one) is dict and all(type(one.get(name)) is str for name in Cell.__slots__):
            yield key, Cell(one["value"], one["changed"], one["by"])

"""What people wrote about data, beside the data: `.hpcprov/annotations/<key>/<version>.json`.

    {"format": "hpcprov-annotations-1", "version": 3, "path": "out/flood.nc", "signature": "hpcprov1:6f0c...",
     "dataset": {"description": {"value": "...", "changed": "2026-11-21T09:30:00Z", "by": "ada"}},
     "fields": {"depth": {"units": {"value": "m", "changed": "...", "by": "ada"}}}}

The key is made of the path (relative to the directory that the store is in, so that both may move together). A file
`signatures/<digest>.json` names the key of what had these values, so that data which was moved, or made again in
another place, is found by them:

    1. what was written of this path with these values      2. what was written of these values, wherever they lay
    3. what was written of this path when it had other values

A version is written whole and then gets its name by a hard link: of two writers one is first, the other sees it and
tries again with what it then finds. A kill leaves the version before; the last few stay, as the story of who said what.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store

FORMAT = "hpcprov-annotations-1"
VERSION = re.compile(r"([1-9][0-9]{0,8})\.json")
DRAFT = ".draft-"
LEFT = 24 * 3600  # s after which a draft is nobody's
KEPT = 20  # versions of one dataset
LARGEST = 64 << 20  # bytes of one version
SIGNATURES = "signatures"
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
#: What a file system without hard links says.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
#: How annotations were found.
BY_BOTH, BY_SIGNATURE, BY_PATH = "path and values", "values", "path"


class Taken(HpcprovError):
    """Somebody else has written a version meanwhile."""


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
    told = _read(pointer) if pointer is not None else None
    path = told.get("path") if told is not None else None
    return _newest(_folder(store, path)) if type(path) is str else None


def save(store: Store, path: str, signature: str | None, annotations: Annotations) -> Annotations:
    """Write the version that follows the one that `annotations` came from; what was found by its values elsewhere gets
    a place of its own. Raises Taken when somebody was faster: load, and try again. Raises OSError."""
    own = relative(store, path)
    folder = _folder(store, own)
    before = annotations.version if annotations.path == own else (_versions(folder) or [0])[-1]
    known = signature or (annotations.signature if annotations.path == own else None)
    new = Annotations(own, known, version=before + 1, dataset=annotations.dataset, fields=annotations.fields)
    content = json.dumps(new.as_json(), indent=1).encode()
    if len(content) > LARGEST:
        raise HpcprovError(f"annotations of {len(content)} bytes are too large: {LARGEST} at most")
    os.makedirs(folder, exist_ok=True)
    _publish(folder, f"{new.version}.json", content)
    if _versions(folder)[-1] != new.version:
        _forget(os.path.join(folder, f"{new.version}.json"))
        raise Taken(f"version {new.version} of the annotations of {own!a} was written by somebody else")
    _tidy(folder)
    _point(store, new)
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


def _versions(folder: str) -> list[int]:
    """The versions that are there, the newest last."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(int(match[1]) for match in map(VERSION.fullmatch, names) if match)


def _newest(folder: str) -> Annotations | None:
    """The newest version that is sound; it is known by the highest number that is there."""
    versions = _versions(folder)
    for version in reversed(versions):
        told = _read(os.path.join(folder, f"{version}.json"))
        found = parsed(told) if told is not None else None
        if found is not None:
            found.version = versions[-1]
            return found
    return None


def _read(path: str) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        with open(os.open(path, READ), "rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                return None
            told = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError, MemoryError):
        return None
    return told if type(told) is dict else None


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


def _publish(folder: str, name: str, content: bytes) -> None:
    """Give a complete file its name, unless that is taken. Raises Taken."""
    draft = os.path.join(folder, f"{DRAFT}{os.getpid()}-{os.urandom(6).hex()}")
    try:
        with open(os.open(draft, NEW, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, os.path.join(folder, name))
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with open(os.open(os.path.join(folder, name), NEW, 0o666), "wb") as file:
                file.write(content)
    except FileExistsError as error:
        raise Taken(f"{name} was written by somebody else") from error
    finally:
        _forget(draft)


def _tidy(folder: str) -> None:
    """Let old versions go, and what writers that were killed have left."""
    for old in _versions(folder)[:-KEPT]:
        _forget(os.path.join(folder, f"{old}.json"))
    for name in os.listdir(folder):
        if name.startswith(DRAFT) and _age(os.path.join(folder, name)) > LEFT:
            _forget(os.path.join(folder, name))


def _age(path: str) -> float:
    """Seconds since a file was written; 0 when it is gone."""
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _point(store: Store, new: Annotations) -> None:
    """Let what was written be found by the values."""
    pointer = _pointer(store, new.signature)
    if pointer is None:
        return
    os.makedirs(os.path.dirname(pointer), exist_ok=True)
    draft = f"{pointer}.{os.getpid()}-{os.urandom(6).hex()}"
    try:
        with open(os.open(draft, NEW, 0o666), "wb") as file:
            file.write(json.dumps({"path": new.path}).encode())
        os.rename(draft, pointer)
    except BaseException:
        _forget(draft)
        raise


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass

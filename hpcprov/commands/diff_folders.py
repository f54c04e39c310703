"""Two directories compared file by file: what has the same path below both belongs together.

    pairs("old", "new")  ->  [("a.nc", True, True), ("b.zarr", True, False)]

A Zarr store is one thing, whatever is in it. Links and stores of hpcprov are left out.
"""

from __future__ import annotations

import os

from hpcprov.commands.screen import DIFFERENCES
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import STORE
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Facts = dict[str, Any]
    #: Compares two paths; raises HpcprovError when that cannot be done.
    Compare = Callable[[str, str], Facts]

ZARR = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
MOST = 100_000
WORDS = {status: said for status, (said, _) in DIFFERENCES.items()} | {"missing": "only in A", "new": "only in B"}


def are_folders(one: str, other: str) -> bool:
    """Whether both are directories and neither is a Zarr store."""
    return all(os.path.isdir(path) and not _is_store(path) for path in (one, other))


def _is_store(path: str) -> bool:
    return any(os.path.lexists(os.path.join(path, name)) for name in ZARR)


def pairs(one: str, other: str) -> list[tuple[str, bool, bool]]:
    """The paths below either directory, sorted, and whether each has it. Raises HpcprovError for too many."""
    here, there = set(_below(one)), set(_below(other))
    return [(path, path in here, path in there) for path in sorted(here | there)]


def _below(root: str) -> Iterator[str]:
    count = 0
    for folder, folders, files in os.walk(root):
        stores = [name for name in folders if _is_store(os.path.join(folder, name))]
        folders[:] = [name for name in folders if name not in stores and name != STORE]
        for name in (*files, *stores):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                continue
            count += 1
            if count > MOST:
                raise HpcprovError(f"{root!a} holds more than {MOST:,} files")
            yield os.path.relpath(path, root)


def compare(one: str, other: str, with_: Compare) -> Iterator[Facts]:
    """What differs of each path: `path`, `status` (that of a diff, `missing`, `new` or `unreadable`), and `diff`."""
    for path, here, there in pairs(one, other):
        if not (here and there):
            yield {"path": path, "status": "missing" if here else "new", "reason": None, "diff": None}
            continue
        try:
            found = with_(os.path.join(one, path), os.path.join(other, path))
        except HpcprovError as error:
            yield {"path": path, "status": "unreadable", "reason": error.message, "diff": None}
        else:
            yield {"path": path, "status": found["status"], "reason": None, "diff": found}


def heading(item: Facts) -> str:
    """A path and what is to be said of it in one line."""
    reason = f": {printable(item['reason'])}" if item["reason"] else ""
    return f"{printable(item['path'])}  {WORDS.get(item['status'], item['status'])}{reason}"

"""Writes attributes into data that exists, so that a crash at any moment leaves it readable, old or new.

    embed("out.nc", Changes(dataset={"history": "2026-11-21T10:00:00Z ./model"}, fields={"depth": {"units": "m"}}))

Single files (HDF5 and NetCDF-4, NetCDF-3, Parquet) are copied beside themselves; the copy is edited, checked, synced
and takes the file's place by one rename: same mode, owner, extended attributes and times. Of a Zarr directory the JSON
documents that hold attributes are replaced, each by one rename. Values are never touched: whoever asks may `check` the
copy before it counts.

What would do harm is refused by name: a file with several hard links, one that is read-only or open for writing, one
that changes meanwhile, a full disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from hpcprov.data.attributes import Value
from hpcprov.data.embed_draft import Draft
from hpcprov.data.embed_original import NotEmbedded, Original
from hpcprov.data.open import READERS, MissingReader, format_of, readable

#: format: the module whose `edit(draft, changes)` changes a copy.
EDITORS = {
    "hdf5": "hpcprov.data.embed_hdf5",
    "netcdf3": "hpcprov.data.embed_netcdf3",
    "parquet": "hpcprov.data.embed_parquet",
}
ZARR = ("zarr2", "zarr3")
#: Formats that have a place for attributes in which nothing can be written here.
REFUSED = {
    "file": "a plain file has no place for attributes",
    "directory": "a plain directory has no place for attributes",
    "arrow": "an Arrow file keeps its attributes at both ends: write it again, or as Parquet",
    "csv": "CSV has no place for attributes",
    "npy": "npy has no place for attributes",
    "npz": "npz has no place for attributes",
}


@dataclass(frozen=True)
class Changes:
    """Attributes to be set, of the dataset and of fields by their names; None takes one away.

    Values are text, numbers, or lists of them. Where a format has text only (Parquet) others become JSON."""

    dataset: dict[str, Value | None] = field(default_factory=dict)
    fields: dict[str, dict[str, Value | None]] = field(default_factory=dict)


def is_supported(form: str) -> bool:
    """Whether attributes can be written into this format."""
    return form in EDITORS or form in ZARR


def embed(
    path: str,
    changes: Changes,
    *,
    check: Callable[[str], object] | None = None,
    break_links: bool = False,
    deadline: float | None = None,
    seen: os.stat_result | None = None,
) -> None:
    """Set the attributes of the artifact at `path`, or of what a symbolic link there leads to.

    `check` is called with the path of the edited copy before it takes the file's place, and raises to prevent that (of
    a Zarr directory, in which only attributes are replaced, it is not called). A file with several hard links becomes
    one of its own with `break_links`. No copy is made beyond `deadline` (`time.monotonic()` seconds), and none of a
    file that is no longer the one that was `seen`. Raises NotEmbedded, UnreadableData, MissingReader, OSError; the data
    is then as it was."""
    form, real = format_of(path), os.path.realpath(path)
    if form in ZARR:
        if not os.path.isdir(real):
            raise NotEmbedded("a Zarr store in a ZIP file is not edited: unpack it, or write the attributes before")
        with readable(path):
            _module("hpcprov.data.embed_zarr", form).edit(real, changes, form)
        return
    if form not in EDITORS:
        raise NotEmbedded(REFUSED.get(form, f"a {form} has no place for attributes that is known here"))
    editor = _module(EDITORS[form], form)
    with Original(real, break_links=break_links) as original, Draft(real) as draft:
        original.check_is(seen)
        draft.copy(original, deadline=deadline)
        with readable(path):
            editor.edit(draft.path, changes)
        if check is not None:
            check(draft.path)
        draft.publish(original)


def _module(name: str, form: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingReader(f"to write it, pip install 'hpcprov[{READERS[form][2]}]' ({error})") from error

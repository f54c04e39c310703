"""Entries are appended to what is there, also while others append theirs; what was written is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.data.attributes import Attributes, read_attributes
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.quality.trail import stamping
from hpcprov.quality.trail.entries import AUDIT, entries_of
from hpcprov.signature.artifact import describe


def entry(run: str) -> dict[str, Any]:
    names = ("time", "host", "user", "command", "session", "line", "did")
    return {"run": run} | dict.fromkeys(names)


def stamp(path: Path, run: str, signature: str) -> dict[str, Any]:
    return stamping.stamp(str(path), entry(run), [], recorded=str(path), signature=signature, fields={})


def signature(path: Path) -> str:
    return str(describe(str(path))["signature"]["digest"])


def test_an_entry_that_another_process_adds_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(10.0)
    digest = signature(path)

    def read(name: str) -> Attributes:
        found = read_attributes(name)
        monkeypatch.setattr(stamping, "read_attributes", read_attributes)
        stamp(path, "other", digest)
        return found

    monkeypatch.setattr(stamping, "read_attributes", read)
    with pytest.raises(NotEmbedded, match="changed meanwhile"):
        stamp(path, "mine", digest)
    stamp(path, "mine", digest)
    runs = [one["run"] for one in entries_of(str(read_attributes(str(path)).dataset[AUDIT]))]
    assert runs == ["other", "mine"]


def test_what_is_no_trail_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(10.0)
        file.attrs[AUDIT] = "cut off [{"
    with pytest.raises(NotEmbedded, match="would be lost"):
        stamp(path, "mine", signature(path))
    assert read_attributes(str(path)).dataset[AUDIT] == "cut off [{"


def test_a_store_that_got_other_values_tells_that_it_was_written_to(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w").create_array("u", data=np.arange(10.0))
    with pytest.raises(NotEmbedded, match="attributes were written, but its values are no longer those"):
        stamp(tmp_path / "a.zarr", "mine", "hpcprov1:" + "0" * 64)

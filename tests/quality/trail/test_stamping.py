"""Entries are appended to what is there, also while others append theirs; what was written is told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.data.attributes import Attributes, read_attributes
from hpcprov.data.embed import embed
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.quality.statistics import counting
from hpcprov.quality.trail import stamping
from hpcprov.quality.trail.entries import AUDIT, entries_of
from hpcprov.signature import cache
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look


def entry(run: str) -> dict[str, Any]:
    names = ("time", "host", "user", "command", "session", "line", "did")
    return {"run": run} | dict.fromkeys(names)


def stamp(path: Path, run: str, signature: str, **options: Any) -> dict[str, Any]:
    return stamping.stamp(str(path), entry(run), [], recorded=str(path), signature=signature, fields={}, **options)


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


def written(path: Path) -> str:
    """A file that was last written a minute ago."""
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(10.0)
    moment = time.time_ns() - 60 * 10**9
    os.utime(path, ns=(moment, moment))
    return signature(path)


def test_what_was_signed_before_it_got_its_name_is_not_read_again(tmp_path: Path) -> None:
    """With the statistics that were known of the file of before."""
    path, folder = tmp_path / "a.h5", str(tmp_path / "cache")
    digest = written(path)
    cache.write(folder, look(str(path)).fingerprint, describe(str(path), statistics=counting))
    stamp(path, "mine", digest, cache_dir=folder)
    now = describe(str(path))
    for statistics in (None, counting):
        found = describe(str(path), cache_dir=folder, statistics=statistics)
        assert (found["storage"], found["signature"]["how"]) == (now["storage"] | {"how": "cached"}, "cached")
        assert ("statistics" in found["signature"]["fields"][0]) == (statistics is not None)
    assert {key: found[key] for key in ("size", "mtime")} == {key: now[key] for key in ("size", "mtime")}


def test_what_is_young_or_was_written_to_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tmp_path / "cache")
    young, touched = tmp_path / "young.h5", tmp_path / "touched.h5"
    digest = written(young)
    moment = time.time_ns() + 60 * 10**9  # young, however long this takes
    os.utime(young, ns=(moment, moment))
    stamp(young, "mine", digest, cache_dir=folder)
    assert describe(str(young), cache_dir=folder)["signature"]["how"] == "full"
    digest = written(touched)

    def embed_and_write(*words: Any, **options: Any) -> None:
        embed(*words, **options)
        with h5py.File(touched, "r+") as file:
            file["x"][0] = 7.0

    monkeypatch.setattr(stamping, "embed", embed_and_write)
    stamp(touched, "mine", digest, cache_dir=folder)
    found = describe(str(touched), cache_dir=folder)["signature"]
    assert (found["how"], found["digest"] == digest) == ("full", False)

"""Arrays that grow: only what is new is read, the digests are those of a full reading, and nothing stale is taken."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcprov.signature import snapshot
from hpcprov.signature.artifact import describe

SETTLED = 0.03
ROW = (64, 600)  # 300 KiB of f8: tiles of 512 x 256 in 2-D


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files settle after 30 ms, not 2 s."""
    monkeypatch.setattr(snapshot, "SETTLED_NS", int(SETTLED * 1e9))


class Kept:
    """A place with an array, and what is kept of it from one reading to the next."""

    def __init__(self, top: Path) -> None:
        self.path, self.cache, self.tiles = top / "x", top / "cache", top / "tiles"

    def again(self, *, appended: bool = False, wait: bool = True) -> dict[str, Any]:
        """Described with what is known; checked against a full reading."""
        if wait:
            time.sleep(2 * SETTLED)
        dirs = {"cache_dir": str(self.cache), "tiles_dir": str(self.tiles)}
        found = describe(str(self.path), appended=appended, **dirs)
        full = describe(str(self.path))
        assert found["state"] == full["state"] == "ok"
        for name in ("storage", "signature"):
            assert found[name]["digest"] == full[name]["digest"]
            assert full[name]["how"] == "full" and "parts" not in full[name]
        assert found["signature"]["fields"] == full["signature"]["fields"]
        return found


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def rows(count: int, start: float = 0) -> Any:
    return start + np.arange(float(count * ROW[1])).reshape(count, ROW[1])


def store(place: Path, **options: Any) -> Any:
    array = zarr.create_array(place, shape=(1024, ROW[1]), dtype="f8", **({"chunks": ROW} | options))
    array[...] = rows(1024)
    return array


def how(found: dict[str, Any], name: str = "signature") -> tuple[str, Any]:
    return found[name]["how"], found[name].get("parts")


LAYOUTS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v2 nested": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "v3": {"zarr_format": 3},
    "v3 with dots": {"zarr_format": 3, "chunk_key_encoding": {"name": "default", "separator": "."}},
    "v3 named as v2": {"zarr_format": 3, "chunk_key_encoding": {"name": "v2", "separator": "."}},
    "sharded": {"zarr_format": 3, "chunks": (32, 100), "shards": (128, 600)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_zarr_store_that_has_grown(layout: str, kept: Kept) -> None:
    array = store(kept.path, **LAYOUTS[layout])
    assert how(kept.again()) == ("full", None)
    array.append(rows(300, 5))
    found = kept.again()
    label, parts = how(found)
    assert label == "partly cached"
    assert parts == {"read": 4, "reused": 8}  # tiles of 256 x 512: 4 x 2 of 1,024 rows
    assert how(found, "storage")[0] == "partly cached"
    assert how(kept.again()) == ("cached", None)


def test_growing_again_and_again(kept: Kept) -> None:
    array = store(kept.path)
    kept.again()
    for at in range(5):
        array.append(rows(100, at))
        label, parts = how(kept.again())
        assert label == "partly cached" and parts["read"] <= 4


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_old_chunk_that_has_changed_is_read(layout: str, kept: Kept) -> None:
    array = store(kept.path, **LAYOUTS[layout])
    kept.again()
    array.append(rows(64, 5))
    array[3, 4] = -1
    assert how(kept.again())[1] == {"read": 4, "reused": 6}


def test_a_chunk_that_differs_in_its_change_time_alone_is_read(kept: Kept) -> None:
    store(kept.path, compressors=None)
    kept.again()
    chunk = kept.path / "c" / "0" / "0"
    before = chunk.stat()
    with open(chunk, "r+b") as file:
        file.write(b"\1")
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = chunk.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert how(kept.again())[1] == {"read": 2, "reused": 6}


def test_chunks_that_came_and_went_are_noticed(kept: Kept) -> None:
    store(kept.path)
    kept.again()
    gone = kept.path / "c" / "5" / "0"
    aside = kept.path.parent / "aside"
    gone.rename(aside)
    assert how(kept.again())[0] == "partly cached"
    aside.rename(gone)
    assert how(kept.again())[0] == "partly cached"
    shutil.rmtree(kept.path / "c")
    kept.again()


def test_exchanged_chunks_are_noticed(kept: Kept) -> None:
    store(kept.path)
    kept.again()
    one, other, aside = kept.path / "c" / "0", kept.path / "c" / "9", kept.path / "aside"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    assert how(kept.again())[0] == "partly cached"


def test_young_files_are_read_again_also_when_they_are_gone(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    store(kept.path)
    monkeypatch.setattr(snapshot, "SETTLED_NS", 10**12)
    assert how(kept.again()) == ("full", None)
    assert how(kept.again()) == ("full", None)
    shutil.rmtree(kept.path / "c" / "3")
    monkeypatch.setattr(snapshot, "SETTLED_NS", int(SETTLED * 1e9))
    kept.again()


@pytest.mark.parametrize(
    ("key", "value"), [("fill_value", 7.0), ("codecs", [{"name": "bytes", "configuration": {"endian": "big"}}])]
)
def test_other_metadata_makes_all_values_new(key: str, value: Any, kept: Kept) -> None:
    store(kept.path, compressors=None)
    shutil.rmtree(kept.path / "c" / "3")
    kept.again()
    document = kept.path / "zarr.json"
    metadata = json.loads(document.read_text())
    document.write_text(json.dumps(metadata | {key: value}))
    assert how(kept.again()) == ("full", None)


def test_attributes_are_no_values(kept: Kept) -> None:
    array = store(kept.path)
    kept.again()
    array.attrs["units"] = "m"
    assert how(kept.again()) == ("partly cached", {"read": 0, "reused": 8})


def test_a_link_in_the_store_is_followed_by_reading_all(kept: Kept) -> None:
    store(kept.path)
    inner = kept.path / "c" / "2"
    inner.rename(kept.path / "moved")
    inner.symlink_to("../moved")
    kept.again()
    array = zarr.open_array(kept.path, mode="r+")
    array[130, 5] = -1
    kept.again()


def test_groups_with_several_arrays(kept: Kept) -> None:
    group = zarr.create_group(kept.path)
    for name in ("a", "b", "b-c", "deep/a"):
        array = group.create_array(name, shape=(1024, 600), chunks=ROW, dtype="f8")
        array[...] = rows(1024)
    text = group.create_array("text", shape=(3,), dtype=str)
    text[...] = np.array(["x", "y", "z"])
    kept.again()
    group["b"].append(rows(64))
    assert how(kept.again())[1]["reused"] == 4 * 8
    text[0] = "longer"
    kept.again()


def test_other_tiles_other_type_other_width(kept: Kept) -> None:
    for shape, dtype in [
        ((100, 600), "f8"),
        ((3000, 600), "f8"),
        ((3000, 600), "i8"),
        ((3000, 300), "i8"),
        ((9,), "i8"),
    ]:
        shutil.rmtree(kept.path, ignore_errors=True)
        zarr.create_array(kept.path, shape=shape, chunks=shape, dtype=dtype)[...] = 1
        assert how(kept.again()) == ("full", None)


def test_shrinking(kept: Kept) -> None:
    array = store(kept.path)
    kept.again()
    array.resize((700, 600))
    assert how(kept.again())[1] == {"read": 2, "reused": 4}


def damage_manifest(kept: Kept) -> None:
    for place in kept.tiles.rglob("*"):
        if place.is_file():
            place.chmod(0o644)
            place.write_bytes(place.read_bytes()[:-1] + b"\0")


def remove_tiles(kept: Kept) -> None:
    shutil.rmtree(kept.tiles)


def remove_cache(kept: Kept) -> None:
    shutil.rmtree(kept.cache)


def lie_in_cache(kept: Kept) -> None:
    for place in kept.cache.rglob("*.json"):
        place.write_text(place.read_text().replace('"shape": [1024', '"shape": [1025'))


@pytest.mark.parametrize("harm", [damage_manifest, remove_tiles, remove_cache, lie_in_cache])
def test_what_is_damaged_is_not_used(harm: Callable[[Kept], None], kept: Kept) -> None:
    array = store(kept.path)
    kept.again()
    array.append(rows(64))
    harm(kept)
    assert how(kept.again()) == ("full", None)


def hdf5(place: Path, count: int, *, first: float = 0.0) -> None:
    with h5py.File(place, "w") as file:
        file.create_dataset("u", data=rows(count), chunks=ROW, compression="gzip", compression_opts=1)
        file["u"][0, 0] = first
        file["v"] = np.arange(5)


def npy(place: Path, count: int, *, first: float = 0.0) -> None:
    values = rows(count)
    values[0, 0] = first
    with open(place, "wb") as file:
        np.save(file, values)


@pytest.mark.parametrize("make", [hdf5, npy])
def test_a_single_file_is_reused_only_when_somebody_says_so(make: Callable[..., None], kept: Kept) -> None:
    make(kept.path, 1024)
    kept.again()
    make(kept.path, 1200)
    assert how(kept.again()) == ("full", None)
    make(kept.path, 1500)
    label, parts = how(kept.again(appended=True))
    assert (label, parts["reused"]) == ("appended", 8)
    # It proves nothing: neither is it cached, nor does it count when nobody says so again.
    make(kept.path, 1700)
    label, parts = how(kept.again(appended=True))
    assert (label, parts["reused"]) == ("appended", 10)
    assert how(kept.again()) == ("full", None)
    assert how(kept.again()) == ("cached", None)


def test_who_says_so_wrongly_gets_what_was_said_under_its_own_name(kept: Kept) -> None:
    hdf5(kept.path, 1024)
    kept.again()
    hdf5(kept.path, 1200, first=-1)
    dirs = {"cache_dir": str(kept.cache), "tiles_dir": str(kept.tiles)}
    said, full = describe(str(kept.path), appended=True, **dirs), describe(str(kept.path))
    assert how(said)[0] == "appended" and said["signature"]["digest"] != full["signature"]["digest"]
    assert how(said, "storage") == ("full", None)
    assert describe(str(kept.path), **dirs)["signature"] == full["signature"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_sequence_of_changes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = Kept(tmp_path_factory.mktemp("any"))
    chunks = data.draw(st.tuples(st.integers(20, 300), st.integers(50, 700)))
    array = zarr.create_array(kept.path, shape=(500, 600), chunks=chunks, dtype="f8", fill_value=3)
    for at in range(data.draw(st.integers(2, 6))):
        match data.draw(st.sampled_from(["append", "cell", "shrink", "remove", "grow", "nothing"])):
            case "append":
                array.append(rows(data.draw(st.integers(1, 400)), at))
            case "cell":
                array[data.draw(st.integers(0, array.shape[0] - 1)), data.draw(st.integers(0, 599))] = at
            case "shrink":
                array.resize((max(1, array.shape[0] - data.draw(st.integers(1, 300))), 600))
            case "grow":
                array.resize((array.shape[0] + data.draw(st.integers(1, 300)), 600))
            case "remove":
                for place in sorted(kept.path.glob("c/*/*"))[::3]:
                    place.unlink()
        kept.again(wait=data.draw(st.booleans()))

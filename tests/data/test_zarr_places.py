"""Where Zarr keeps its bytes: shards and their index, ZIP files, directories that are not what they were, keys."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr

from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.data.zarr import open_zarr3
from hpcprov.data.zarr_place import KEPT_OPEN
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.threads import Signer, sign_field

pytestmark = pytest.mark.filterwarnings("ignore")

VALUES = np.arange(48 * 40, dtype="f8").reshape(48, 40)
MISSING = (1 << 64) - 1


def signature(path: Path) -> bytes:
    with open_data(str(path)) as data:
        return sign_field(data.fields[0], threads=2).root


def root_of(values: Any, token: str = "f8") -> bytes:
    return reference.field_root(token, values.shape, reference.elements(values, values.dtype.itemsize))


def shards(path: Path, *, at: Any = "end", index: Any = None, **options: Any) -> Path:
    """Shards of 16 by 20 elements: six inner chunks in each."""
    codec = zarr.codecs.ShardingCodec(
        chunk_shape=(8, 5),
        index_location=at,
        index_codecs=index or [zarr.codecs.BytesCodec(), zarr.codecs.Crc32cCodec()],
        codecs=[zarr.codecs.BytesCodec(), *options.pop("codecs", [zarr.codecs.ZstdCodec(level=1)])],
    )
    array = zarr.create_array(
        path, shape=(48, 40), dtype="f8", chunks=(16, 20), serializer=codec, compressors=None, fill_value=9, **options
    )
    array[...] = VALUES
    return path


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("packed", [True, False])
def test_shards(at: str, checked: bool, endian: Any, packed: bool, tmp_path: Path) -> None:
    index = [zarr.codecs.BytesCodec(endian=endian), *([zarr.codecs.Crc32cCodec()] if checked else [])]
    how: dict[str, Any] = {} if packed else {"codecs": []}
    assert signature(shards(tmp_path / "z", at=at, index=index, **how)) == root_of(VALUES)


def test_few_shards_are_open_however_many_arrays_there_are(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "z", mode="w")
    for number in range(8):
        group.create_array(f"{number}", data=np.arange(800.0), chunks=(10,), shards=(40,))
    with open_data(str(tmp_path / "z")) as data:
        before = len(os.listdir("/proc/self/fd"))
        for field in data.fields:
            sign_field(field)
        assert len(os.listdir("/proc/self/fd")) <= before + KEPT_OPEN
    assert len(os.listdir("/proc/self/fd")) <= before


def index_of(store: Path, name: str = "c/0/0") -> list[int]:
    data = (store / name).read_bytes()
    return list(struct.unpack("<16Q", data[-132:-4]))


def with_index(store: Path, places: list[int], name: str = "c/0/0") -> None:
    data, packed = (store / name).read_bytes(), struct.pack("<16Q", *places)
    (store / name).write_bytes(data[:-132] + packed + google_crc32c.value(packed).to_bytes(4, "little"))


def test_missing_inner_chunks_and_shards(tmp_path: Path) -> None:
    store = shards(tmp_path / "z")
    places = index_of(store)
    places[2:4] = MISSING, MISSING
    with_index(store, places)
    (store / "c/2/1").unlink()
    values = VALUES.copy()
    values[:8, 5:10] = values[32:, 20:] = 9
    assert signature(store) == root_of(values)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ((MISSING, 7), "7 bytes at byte 18446744073709551615"),
        ((0, MISSING), "18446744073709551615 bytes at byte 0"),
        ((1 << 40, 8), "8 bytes at byte 1099511627776 of a shard of"),
        ((MISSING - 3, 8), "8 bytes at byte 18446744073709551612"),
        ((0, 0), "zstd"),
        ((5, 20), "zstd: not a Zstandard frame"),
    ],
)
def test_an_index_that_points_elsewhere(place: tuple[int, int], reason: str, tmp_path: Path) -> None:
    store = shards(tmp_path / "z")
    places = index_of(store)
    places[2:4] = place
    with_index(store, places)
    with pytest.raises(UnreadableData, match=rf"the chunk c/0/0, chunk \[0, 1\] cannot be decoded: {reason}"):
        signature(store)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "crc32c checksum of its index"),
        (lambda data: data[:100], "100 bytes cannot hold the index of 132 bytes"),
        (lambda data: b"", "0 bytes cannot hold the index"),
        (lambda data: data[:-40] + bytes([data[-40] ^ 1]) + data[-39:], "crc32c checksum of its index"),
    ],
)
def test_damaged_shards(change: Callable[[bytes], bytes], reason: str, tmp_path: Path) -> None:
    store = shards(tmp_path / "z")
    (store / "c/0/0").write_bytes(change((store / "c/0/0").read_bytes()))
    with pytest.raises(UnreadableData, match=f"c/0/0 cannot be decoded: .*{reason}"):
        signature(store)


def zipped(path: Path, version: int = 3, **options: Any) -> Path:
    """A store as zarr-python writes it in a ZIP file."""
    with zarr.storage.ZipStore(path, mode="w") as store:
        array = zarr.create_array(store, shape=(48, 40), dtype="f8", chunks=(16, 20), zarr_format=version, **options)
        array[...] = VALUES
    return path


def packed(store: Path, path: Path, method: int, **others: bytes) -> Path:
    """A directory as `zip -r` would pack it, and other entries."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(store.rglob("*")):
            archive.write(file, str(file.relative_to(store)))
        for name, content in others.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("compressed", [True, False])
def test_zip_files(version: int, method: int, compressed: bool, tmp_path: Path) -> None:
    how: dict[str, Any] = {} if compressed else {"compressors": None}
    zarr.create_array(tmp_path / "z", data=VALUES, chunks=(16, 20), zarr_format=version, **how)
    assert signature(packed(tmp_path / "z", tmp_path / "z.zip", method)) == root_of(VALUES)
    assert signature(zipped(tmp_path / "own.zip", version, **how)) == root_of(VALUES)


def test_sharded_zip_files(tmp_path: Path) -> None:
    store = shards(tmp_path / "z")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert signature(packed(store, tmp_path / f"{method}.zip", method)) == root_of(VALUES)


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "c/../../x", "c//0", "c/./0", "a\\..\\b"])
def test_names_that_leave_the_store(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(UnreadableData, match="name leaves the store"):
        signature(path)


def test_the_last_of_several_entries_of_one_name_counts(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", compressors=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c/0/0", VALUES[:16, 20:].tobytes())
    values = VALUES.copy()
    values[:16, :20] = VALUES[:16, 20:]
    assert signature(path) == root_of(values)


def changed(path: Path, at: int, octets: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(octets)


def test_encrypted_entries_and_other_methods(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip")
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    changed(path, at + 8, b"\x01\x00")
    with pytest.raises(UnreadableData, match="encrypted"):
        signature(path)
    changed(path, at + 8, b"\x00\x00")
    changed(path, at + 10, b"\x0e\x00")
    with pytest.raises(UnreadableData, match="ZIP's method 14"):
        signature(path)


def test_entries_that_inflate_to_more_than_a_chunk(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "z", data=VALUES, chunks=(16, 20), compressors=None)
    (tmp_path / "z" / "c/0/0").write_bytes(bytes(50_000_000))
    path = packed(tmp_path / "z", tmp_path / "z.zip", zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(UnreadableData, match="c/0/0: 50000000 bytes, where at most 2560 are expected"):
        signature(path)


def test_declared_sizes_that_are_not_true(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "z", data=np.zeros((48, 40)) + 7, chunks=(48, 40), compressors=None)
    path = packed(tmp_path / "z", tmp_path / "z.zip", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("c/0/0")
    data = path.read_bytes()
    at = data.index(b"c/0/0", data.index(b"PK\x01\x02")) - 46
    for size, reason in ((entry.file_size - 8, "does not inflate"), (1 << 31, "cannot hold the 2147483648")):
        changed(path, at + 24, size.to_bytes(4, "little"))
        with pytest.raises(UnreadableData, match=reason):
            signature(path)


@pytest.mark.parametrize("compressed", [True, False])
def test_damaged_bytes_in_an_archive(compressed: bool, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "z", data=VALUES, chunks=(16, 20), compressors=None)
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    path = packed(tmp_path / "z", tmp_path / "z.zip", method)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("c/1/1")
    at = entry.header_offset + 30 + len("c/1/1") + entry.compress_size // 2
    changed(path, at, bytes([path.read_bytes()[at] ^ 0x10]))
    with pytest.raises(UnreadableData, match="c/1/1"):
        signature(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_archives_cut_short(share: float, tmp_path: Path) -> None:
    """Without its directory, which comes last, it is no archive; a plain file to those who go by the content."""
    path = zipped(tmp_path / "z.zip")
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(UnreadableData, match="not a readable ZIP archive"):
        open_zarr3(str(path))


def plain(path: Path, **options: Any) -> Path:
    zarr.create_array(path, data=VALUES, chunks=(16, 20), **options)
    return path


def test_chunks_that_are_no_files(tmp_path: Path) -> None:
    for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
        store = plain(tmp_path / name)
        (store / "c/1/1").unlink()
        make(store / "c/1/1")
        with pytest.raises(UnreadableData, match="c/1/1: not a regular file"):
            signature(store)


@pytest.mark.parametrize("become", ["nothing", "link", "pipe", "folder"])
@pytest.mark.parametrize("compressed", [True, False])
def test_chunks_that_change_after_the_store_was_opened(become: str, compressed: bool, tmp_path: Path) -> None:
    how: dict[str, Any] = {} if compressed else {"compressors": None}
    store = plain(tmp_path / "z", **how)
    with open_data(str(store)) as data:
        chunk = store / "c/1/1"
        chunk.unlink()
        if become != "nothing":
            {"link": lambda to: to.symlink_to("/etc/passwd"), "pipe": os.mkfifo, "folder": os.mkdir}[become](chunk)
        with pytest.raises(UnreadableData, match="c/1/1"):
            sign_field(data.fields[0], threads=2)


def test_a_store_that_vanishes(tmp_path: Path) -> None:
    store = plain(tmp_path / "z")
    with open_data(str(store)) as data:
        store.rename(tmp_path / "away")
        with pytest.raises(UnreadableData, match="vanished while the store was read"):
            sign_field(data.fields[0])


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(("version", "order"), [(2, "C"), (2, "F"), (3, "C")])
@pytest.mark.parametrize("limit", [1 << 14, 1 << 26])
def test_one_large_chunk_without_codecs_is_read_in_parts(
    mapped: bool, version: int, order: Any, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.arange(90 * 2000, dtype="f4").reshape(90, 2000)
    array = zarr.create_array(
        tmp_path / "z", shape=values.shape, dtype=">f4", chunks=(100, 2100), compressors=None, zarr_format=version,
        **({"order": order} if version == 2 else {"serializer": zarr.codecs.BytesCodec(endian="big")}),
    )  # fmt: skip
    array[...] = values
    monkeypatch.setattr(mapping, "_allowed", [mapped])
    with open_data(str(tmp_path / "z")) as data:
        from hpcprov.signature.field import Leaves, finish, grid_of

        target = data.fields[0]
        assert target.divisible
        grid = grid_of(target.shape or (), target.type)
        leaves = Leaves(bytearray(grid.count * 32))
        Signer(target, grid, threads=2, limit=limit).sign(grid.whole, leaves.put)
        assert finish(target, grid, leaves).root == root_of(values, "f4")


@pytest.mark.parametrize("size", [0, 100, 90 * 2000 * 4 - 1, 90 * 2000 * 4 + 1])
@pytest.mark.parametrize("mapped", [True, False])
def test_chunks_without_codecs_of_a_wrong_size(
    size: int, mapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.arange(90 * 2000, dtype="f4").reshape(90, 2000)
    zarr.create_array(tmp_path / "z", data=values, chunks=values.shape, compressors=None)
    os.truncate(tmp_path / "z" / "c/0/0", size)
    monkeypatch.setattr(mapping, "_allowed", [mapped])
    with pytest.raises(UnreadableData, match="c/0/0"):
        signature(tmp_path / "z")


def edited(store: Path, **changes: Any) -> Path:
    text = json.loads((store / "zarr.json").read_text())
    (store / "zarr.json").write_text(json.dumps({**text, **changes}))
    return store


def test_unknown_keys_of_metadata(tmp_path: Path) -> None:
    """The specification: a reader must fail at keys that it does not know, unless they say that it need not."""
    store = plain(tmp_path / "z")
    assert signature(edited(store, hint={"must_understand": False, "name": "x"})) == root_of(VALUES)
    with pytest.raises(UnreadableData, match="transposed_twice"):
        signature(edited(store, transposed_twice={"name": "x"}))


def test_metadata_of_v2_that_leaves_out_what_there_is_not(tmp_path: Path) -> None:
    store = plain(tmp_path / "z", zarr_format=2, compressors=None)
    text = json.loads((store / ".zarray").read_text())
    assert text.pop("filters") is text.pop("compressor") is None
    (store / ".zarray").write_text(json.dumps(text))
    assert signature(store) == root_of(VALUES)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("shape", [(), (0,), (0, 5), (5, 0), (1, 1, 1, 1, 1)])
def test_few_or_no_elements(version: int, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.arange(int(np.prod(shape)), dtype="i4").reshape(shape) + 3
    chunks = tuple(max(1, extent) for extent in shape)
    zarr.create_array(tmp_path / "z", data=values, chunks=chunks, zarr_format=version)
    assert signature(tmp_path / "z") == root_of(values, "i4")


FILLS = {
    "?": True, "i1": -128, "u8": 2**64 - 1, "i8": -(2**63), "f2": -0.0, "f4": float("-inf"), "f8": 1e-310,
    "c16": complex(1.5, float("nan")), "M8[s]": np.datetime64("NaT"), "m8[ms]": np.timedelta64(-7, "ms"),
}  # fmt: skip


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", FILLS)
def test_fill_values(version: int, dtype: str, tmp_path: Path) -> None:
    zarr.create_array(
        tmp_path / "z", shape=(30,), chunks=(10,), dtype=dtype, fill_value=FILLS[dtype], zarr_format=version
    )
    values = zarr.open_array(tmp_path / "z", mode="r")[...]
    with open_data(str(tmp_path / "z")) as data:
        assert data.fields[0].chunk is not None
        token = data.fields[0].type.text
    elements = reference.elements(values.tobytes(), values.itemsize)
    assert signature(tmp_path / "z") == reference.field_root(token, (30,), elements)


def test_the_checksum_of_an_archive_is_that_of_zlib(tmp_path: Path) -> None:
    """A chunk that was replaced together with its checksum is another value, not damage."""
    path = zipped(tmp_path / "z.zip", compressors=None)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("c/0/0")
    octets = VALUES[16:32, 20:].tobytes()
    data = path.read_bytes()
    changed(path, data.index(VALUES[:16, :20].tobytes(), entry.header_offset), octets)
    with pytest.raises(UnreadableData, match="CRC-32"):
        signature(path)
    changed(path, data.index(b"c/0/0", data.index(b"PK\x01\x02")) - 46 + 16, zlib.crc32(octets).to_bytes(4, "little"))
    values = VALUES.copy()
    values[:16, :20] = VALUES[16:32, 20:]
    assert signature(path) == root_of(values)

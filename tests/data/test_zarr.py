"""Zarr v2 and v3: types, trees, fill values, and stores that are damaged or malicious."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from hpcprov.data.open import format_of, open_data
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning", "ignore::FutureWarning")


def group_at(path: Path, version: int = 3) -> Any:
    return zarr.open_group(path, mode="w", zarr_format=version)


def add(group: Any, name: str, values: Any, dtype: Any = None, **options: Any) -> Any:
    """An array with values, whatever zarr has to say about its type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = group.create_array(name, shape=np.shape(values), dtype=dtype or values.dtype, **options)
        array[...] = values
    return array


def roots(path: Path) -> dict[str, tuple[str, bytes]]:
    with open_data(str(path)) as data:
        return {field.name: (field.type.text, sign_field(field).root) for field in data.fields}


def expected(kind: Any, values: Any, size: int = 0) -> bytes:
    items = reference.elements(values, size) if size else values
    return reference.field_root(kind, (len(items),), items)


NUMBERS = ["bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("token", NUMBERS)
def test_numbers(version: int, token: str, tmp_path: Path) -> None:
    dtype = np.dtype("?" if token == "bool" else token)
    octets = bytes([1, 0, 1] if token == "bool" else range(5, 5 + 3 * dtype.itemsize))
    add(group_at(tmp_path / "z", version), "x", np.frombuffer(octets, dtype))
    assert roots(tmp_path / "z") == {"x": (token, expected(token, octets, dtype.itemsize))}


@pytest.mark.parametrize("version", [2, 3])
def test_text_bytes_times_structs(version: int, tmp_path: Path) -> None:
    group = group_at(tmp_path / "z", version)
    add(group, "fixed", np.array([b"ab", b"", b"a\0b"], "S4"))
    add(group, "wide", np.array(["hé", "", "日本"], "U3"))
    add(group, "text", np.array(["hé", "", "x" * 999], object), "string")
    add(group, "binary", np.array([b"\0", b"", b"x"], object), zarr.dtype.VariableLengthBytes())
    add(group, "time", np.array([1, -2, 3]).astype("M8[25ns]"))
    add(group, "span", np.array([1, -2, 3]).astype("m8[s]"))
    add(group, "struct", np.array([(1, 2.5)], [("a", "<i2"), ("b", "<f8")]))
    add(group, "opaque", np.array([b"abc", b"d\0e"], "V3"))
    found = roots(tmp_path / "z")
    pair = ("struct", ((b"a", "i2"), (b"b", "f8")))
    assert found == {
        "fixed": ("str", expected("str", [b"ab", b"", b"a\0b"])),
        "wide": ("str", expected("str", ["hé".encode(), b"", "日本".encode()])),
        "text": ("str", expected("str", ["hé".encode(), b"", b"x" * 999])),
        "binary": ("bytes", expected("bytes", [b"\0", b"", b"x"])),
        "time": ("M8[25ns]", expected("M8[25ns]", np.array([1, -2, 3]), 8)),
        "span": ("m8[1s]", expected("m8[1s]", np.array([1, -2, 3]), 8)),
        "struct": ("struct(a i2, b f8)", expected(pair, [(b"\1\0", np.float64(2.5).tobytes())])),
        "opaque": ("V3", expected("V3", b"abcd\0e", 3)),
    }


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("fill", [None, 7.5, float("nan")])
def test_missing_chunks_count_as_the_fill_value(version: int, fill: float | None, tmp_path: Path) -> None:
    array = group_at(tmp_path / "z", version).create_array("x", shape=(100,), dtype="f8", chunks=(10,), fill_value=fill)
    array[20:30] = 1.0
    values = np.full(100, 0.0 if fill is None else fill)
    values[20:30] = 1.0
    assert roots(tmp_path / "z") == {"x": ("f8", expected("f8", values, 8))}


@pytest.mark.parametrize("version", [2, 3])
def test_nested_groups_with_and_without_consolidated_metadata(version: int, tmp_path: Path) -> None:
    group = group_at(tmp_path / "z", version)
    for name in ("b", "a/deep/er/x", "a-b"):
        add(group, name, np.arange(3.0))
    plain = roots(tmp_path / "z")
    assert list(plain) == ["a-b", "a/deep/er/x", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(tmp_path / "z")
    assert roots(tmp_path / "z") == plain


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_as_root_has_the_empty_path(version: int, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "z", shape=(), dtype="f4", zarr_format=version)[...] = 2.5
    assert roots(tmp_path / "z") == {"": ("f4", reference.field_root("f4", (), [np.float32(2.5).tobytes()]))}


def test_arrays_below_a_directory_without_metadata_are_no_part_of_the_store(tmp_path: Path) -> None:
    add(group_at(tmp_path / "z"), "x", np.arange(3))
    zarr.create_array(tmp_path / "z" / "loose" / "y", shape=(1,), dtype="f4")
    assert list(roots(tmp_path / "z")) == ["x"]


@pytest.mark.parametrize("sharded", [False, True])
def test_a_large_sparse_array_is_signed_without_reading_it(sharded: bool, tmp_path: Path) -> None:
    how: dict[str, Any] = {"chunks": (250, 250), "shards": (1000, 1000)} if sharded else {"chunks": (1000, 1000)}
    array = group_at(tmp_path / "z").create_array("x", shape=(60_000, 50_000), dtype="f8", fill_value=1.0, **how)
    array[5000:5010, 7:9] = 2.0
    one = roots(tmp_path / "z")["x"]
    array[5000, 7] = 1.0
    assert roots(tmp_path / "z")["x"] != one


def metadata(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _v3(tmp_path: Path) -> Path:
    add(group_at(tmp_path / "z"), "x", np.arange(40.0), chunks=(10,))
    return tmp_path / "z"


def _edit(name: str, **changes: Any) -> Any:
    def change(store: Path) -> None:
        (store / name).write_text(json.dumps({**metadata(store / name), **changes}))

    return change


def _write(name: str, content: bytes) -> Any:
    def change(store: Path) -> None:
        (store / name).write_bytes(content)

    return change


def _link(name: str, target: str) -> Any:
    def change(store: Path) -> None:
        (store / name).unlink(missing_ok=True)
        (store / name).symlink_to(target)

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_write("zarr.json", b"{"), "zarr.json: not JSON"),
        (_write("zarr.json", b"[" * 100_000), "zarr.json: not JSON"),
        (_write("zarr.json", b"[]"), "not a JSON object"),
        (_write("zarr.json", b"\xff\xfe"), "not JSON"),
        (_edit("zarr.json", zarr_format=9), "not the metadata of a Zarr v3"),
        (_edit("zarr.json", node_type="bomb"), "not the metadata of a Zarr v3"),
        (_edit("zarr.json", consolidated_metadata={"metadata": {"../up": {}}}), "key that leaves the store: '../up'"),
        (_edit("zarr.json", consolidated_metadata={"metadata": {"/etc": {}}}), "key that leaves the store: '/etc'"),
        (_edit("x/zarr.json", shape=[-1]), "^x: "),
        (_edit("x/zarr.json", shape="many"), "^x: "),
        (_edit("x/zarr.json", data_type="nothing"), "^x: .*nothing"),
        (_edit("x/zarr.json", codecs=[{"name": "evil", "configuration": {}}]), "^x: .*evil"),
        (_edit("x/zarr.json", codecs=[]), "^x: "),
        (
            _edit("x/zarr.json", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [0]}}),
            "^x: .*chunks of no extent",
        ),
        (_write("x/c/0", b""), "x: the chunk x/c/0 cannot be decoded"),
        (_write("x/c/0", b"garbage"), "x: the chunk x/c/0 cannot be decoded"),
        (_link("x/c/0", "/etc/passwd"), "x/c/0: a link out of the store"),
        (_link("x/c/0", "../../../../away"), "x/c/0: a link out of the store"),
        (_link("x/c/0", "nowhere"), "x/c/0: a link that leads nowhere"),
        (_link("loop", "loop"), "loop: a link that leads nowhere"),
        (_link("etc", "/etc"), "etc: a link out of the store"),
    ],
)
def test_damaged_or_malicious_stores_are_refused(damage: Any, reason: str, tmp_path: Path) -> None:
    store = _v3(tmp_path)
    damage(store)
    with pytest.raises(UnreadableData, match=reason):
        roots(store)


def test_links_within_the_store_are_followed(tmp_path: Path) -> None:
    store = _v3(tmp_path)
    known = roots(store)
    (store / "x/c/0").rename(store / "x/c0")
    (store / "x/c/0").symlink_to("../c0")
    assert roots(store) == known


def _v2(tmp_path: Path) -> Path:
    add(group_at(tmp_path / "z", 2), "x", np.arange(40.0), chunks=(10,))
    return tmp_path / "z"


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    store = _v2(tmp_path)
    _edit("x/.zarray", dtype="|O", filters=[{"id": "pickle"}], fill_value=None)(store)
    (store / "x" / "0").write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(tmp_path / "pwned") + b"'\ntR.")
    with pytest.raises(Unsigned, match="x: Python objects"):
        roots(store)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("fill", [None, ""])
def test_text_of_stores_that_zarr_2_wrote(fill: Any, tmp_path: Path) -> None:
    array = add(group_at(tmp_path / "z", 2), "x", np.array(["hé"] * 2, object), "string", chunks=(2,))
    array.resize((5,))
    _edit("x/.zarray", fill_value=fill)(tmp_path / "z")
    assert metadata(tmp_path / "z/x/.zarray")["filters"] == [{"id": "vlen-utf8"}]
    assert roots(tmp_path / "z") == {"x": ("str", expected("str", ["hé".encode()] * 2 + [b""] * 3))}


def test_chunks_too_large_to_decode_are_said(tmp_path: Path) -> None:
    group_at(tmp_path / "z").create_array("x", shape=(2**31,), dtype="f8", chunks=(2**30,))
    with pytest.raises(Unsigned, match="x: chunks of 8589934592 bytes"):
        roots(tmp_path / "z")


def test_a_store_without_a_root(tmp_path: Path) -> None:
    store = _v2(tmp_path)
    (store / ".zgroup").unlink()
    (store / ".zmetadata").write_text("{}")
    with pytest.raises(UnreadableData, match="no metadata"):
        roots(store)


@pytest.mark.parametrize(("version", "form"), [(2, "zarr2"), (3, "zarr3")])
def test_found_by_content(version: int, form: str, tmp_path: Path) -> None:
    group_at(tmp_path / "x.h5", version)
    assert format_of(str(tmp_path / "x.h5")) == form


def test_no_warning_comes_out(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    add(group_at(tmp_path / "z"), "x", np.array(["a"], "U3"))
    recwarn.clear()
    roots(tmp_path / "z")
    assert not recwarn.list


@pytest.mark.parametrize("version", [2, 3])
def test_a_pipe_in_place_of_a_chunk_that_zarr_decodes_is_refused(version: int, tmp_path: Path) -> None:
    """Text is decoded by zarr-python, which would wait at the pipe for ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(tmp_path / "store", mode="w", zarr_format=version)
        group.create_array("x", shape=(4,), chunks=(2,), dtype=str)[...] = np.array(["a", "b", "c", "d"], object)
    chunk = tmp_path / "store" / "x" / ("1" if version == 2 else "c/1")
    chunk.unlink()
    os.mkfifo(chunk)
    with open_data(str(tmp_path / "store")) as data, pytest.raises(UnreadableData, match="1: not a regular file"):
        data.fields[0].read(((0, 4),))


def small_chunks(tmp_path: Path, **options: Any) -> Path:
    codec = zarr.codecs.ZstdCodec(level=3, checksum=options.pop("checksum", False))
    add(group_at(tmp_path / "z"), "x", np.arange(640.0), chunks=(10,), compressors=codec, **options)
    return tmp_path / "z"


@pytest.mark.parametrize("checksum", [False, True])
def test_small_chunks_are_decoded_in_few_calls(checksum: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from numcodecs import zstd

    decompress, calls = zstd.decompress, []
    store = small_chunks(tmp_path, checksum=checksum)
    monkeypatch.setattr(zstd, "decompress", lambda *data: calls.append(len(data[0])) or decompress(*data))
    assert roots(store) == {"x": ("f8", expected("f8", np.arange(640.0), 8))}
    assert calls == [sum(place.stat().st_size for place in (store / "x/c").iterdir())]


@pytest.mark.parametrize("damage", ["cut", "flipped", "twice", "longer", "empty"])
def test_a_damaged_chunk_among_small_ones_is_named(damage: str, tmp_path: Path) -> None:
    store = small_chunks(tmp_path)
    chunk = store / "x/c/17"
    data = chunk.read_bytes()
    flipped = data[:6] + bytes([data[6] ^ 255]) + data[7:]
    damaged = {"cut": data[:-3], "flipped": flipped, "twice": data * 2, "longer": data + b"rest", "empty": b""}
    chunk.write_bytes(damaged[damage])
    with pytest.raises(UnreadableData, match="x: the chunk x/c/17 cannot be decoded: zstd"):
        roots(store)


def test_no_chunk_takes_bytes_of_the_next(tmp_path: Path) -> None:
    """Joined, the two files are two whole frames of the right size: a raw block goes on in the next file."""
    store = small_chunks(tmp_path)
    head = b"\x28\xb5\x2f\xfd\x20\x50"
    first = head + (80 << 3 | 1).to_bytes(3, "little") + b"\0" * 10
    rest = head + b"\0" * 64 + head + (80 << 3 | 1).to_bytes(3, "little") + b"\0" * 80
    (store / "x/c/20").write_bytes(first)
    (store / "x/c/21").write_bytes(rest)
    with pytest.raises(UnreadableData, match="the chunk x/c/20 cannot be decoded"):
        roots(store)


def test_missing_chunks_among_small_ones(tmp_path: Path) -> None:
    store = small_chunks(tmp_path, fill_value=5.0)
    for gone in (3, 4, 63):
        (store / f"x/c/{gone}").unlink()
    values = np.arange(640.0)
    values[30:50] = values[630:] = 5.0
    assert roots(store) == {"x": ("f8", expected("f8", values, 8))}

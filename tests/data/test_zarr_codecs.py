"""Every codec that numcodecs and zarr ship: the signature is that of the values that zarr-python reads."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs.numcodecs as wrapped

from hpcprov.data.open import open_data
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field

pytestmark = pytest.mark.filterwarnings("ignore")

VALUES = (np.arange(1000) % 97).astype("<f4").reshape(40, 25)
FLAGS = VALUES[:, :] % 2 == 0

#: Of each codec from bytes to bytes one configuration or more.
OCTETS: dict[str, list[dict[str, Any]]] = {
    "adler32": [{}, {"location": "end"}],
    "blosc": [
        {"cname": name, "shuffle": shuffle}
        for name, shuffle in (("lz4", 1), ("zstd", 2), ("zlib", 0), ("blosclz", -1), ("lz4hc", 1))
    ],
    "bz2": [{"level": 1}],
    "crc32": [{}, {"location": "end"}],
    "crc32c": [{}, {"location": "start"}],
    "fletcher32": [{}],
    "gzip": [{"level": 1}],
    "jenkins_lookup3": [{}],
    "lz4": [{}],
    "lzma": [{}, {"format": 2}, {"format": 3, "filters": [{"id": 3, "dist": 4}, {"id": 33, "preset": 1}]}],
    "shuffle": [{"elementsize": 4}, {"elementsize": 2}],
    "zlib": [{"level": 9}],
    "zstd": [{"level": 1}, {"level": 3, "checksum": True}],
}
#: Codecs from arrays to arrays, or to bytes; some lose digits, and then what is read back counts.
ARRAYS: dict[str, dict[str, Any]] = {
    "astype": {"encode_dtype": "<f8", "decode_dtype": "<f4"},
    "bitround": {"keepbits": 5},
    "delta": {"dtype": "<f4"},
    "fixedscaleoffset": {"offset": 0, "scale": 10, "dtype": "<f4", "astype": "<i4"},
    "quantize": {"digits": 1, "dtype": "<f4"},
    "packbits": {},
}
#: Of text and objects (tests/data/test_zarr.py), of text for people, and of code.
OTHERS = {"vlen-utf8", "vlen-bytes", "vlen-array", "categorize", "json2", "msgpack2", "base64", "pickle"}
#: What may be missing from an installation of numcodecs.
OPTIONAL = {"zfpy", "pcodec", "msgpack2"}


def test_no_codec_is_left_out() -> None:
    assert set(numcodecs.registry.codec_registry) - OPTIONAL <= set(OCTETS) | set(ARRAYS) | OTHERS


def signature(path: Path) -> bytes:
    with open_data(str(path)) as data:
        return sign_field(data.fields[0], threads=2).root


def expected(path: Path) -> bytes:
    """The signature of what zarr-python reads."""
    values = np.ascontiguousarray(zarr.open_array(path, mode="r")[...])
    token = "bool" if values.dtype.kind == "b" else f"{values.dtype.kind}{values.dtype.itemsize}"
    return reference.field_root(token, values.shape, reference.elements(values, values.dtype.itemsize))


def by_chunks(path: Path) -> bool:
    with open_data(str(path)) as data:
        return data.fields[0].chunk is not None


EACH = [(name, options) for name, many in OCTETS.items() for options in many]


@pytest.mark.parametrize(("name", "options"), EACH)
def test_codecs_of_bytes_as_compressors_and_filters_of_v2(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    codec = numcodecs.get_codec({"id": name, **options})
    how: dict[str, Any] = {"chunks": (16, 10), "zarr_format": 2}
    zarr.create_array(tmp_path / "last", data=VALUES, compressors=codec, **how)
    assert signature(tmp_path / "last") == expected(tmp_path / "last")
    # lzma with filters of its own is left to zarr-python.
    assert by_chunks(tmp_path / "last") == ("filters" not in options)
    size = numcodecs.Shuffle(4)
    zarr.create_array(tmp_path / "first", data=VALUES, filters=[size], compressors=codec, **how)
    assert signature(tmp_path / "first") == expected(tmp_path / "first") == signature(tmp_path / "last")


V3 = {
    **{"adler32": "Adler32", "bz2": "BZ2", "crc32": "CRC32", "fletcher32": "Fletcher32", "lz4": "LZ4"},
    **{"jenkins_lookup3": "JenkinsLookup3", "lzma": "LZMA", "shuffle": "Shuffle", "zlib": "Zlib", "zstd": "Zstd"},
    **{"blosc": "Blosc", "gzip": "GZip", "crc32c": "CRC32C"},
}


@pytest.mark.parametrize(("name", "options"), EACH)
@pytest.mark.parametrize("sharded", [False, True])
def test_codecs_of_bytes_in_v3(name: str, options: dict[str, Any], sharded: bool, tmp_path: Path) -> None:
    codec = getattr(wrapped, V3[name])(**options)
    how: dict[str, Any] = {"shards": (32, 20)} if sharded else {}
    zarr.create_array(tmp_path / "z", data=VALUES, chunks=(16, 10), compressors=[codec], **how)
    assert signature(tmp_path / "z") == expected(tmp_path / "z")
    assert by_chunks(tmp_path / "z") == ("filters" not in options)


@pytest.mark.parametrize(
    "codecs",
    [
        [zarr.codecs.GzipCodec()],
        [zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle")],
        [zarr.codecs.ZstdCodec(level=1, checksum=True)],
        [zarr.codecs.Crc32cCodec()],
        [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()],
        [zarr.codecs.Crc32cCodec(), zarr.codecs.GzipCodec()],
        [],
    ],
)
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("order", [None, (1, 0)])
@pytest.mark.parametrize("sharded", [False, True])
def test_own_codecs_of_v3(codecs: Any, endian: Any, order: Any, sharded: bool, tmp_path: Path) -> None:
    how: dict[str, Any] = {"shards": (32, 20)} if sharded else {}
    if order:
        how["filters"] = [zarr.codecs.TransposeCodec(order=order)]
    serializer = zarr.codecs.BytesCodec(endian=endian)
    zarr.create_array(
        tmp_path / "z", data=VALUES, chunks=(16, 10), serializer=serializer, compressors=codecs or None, **how
    )
    assert signature(tmp_path / "z") == expected(tmp_path / "z")
    assert by_chunks(tmp_path / "z")


@pytest.mark.parametrize("name", ARRAYS)
def test_codecs_of_arrays(name: str, tmp_path: Path) -> None:
    values = FLAGS if name == "packbits" else VALUES
    codec = numcodecs.get_codec({"id": name, **ARRAYS[name]})
    zarr.create_array(tmp_path / "z", data=values, chunks=(16, 10), filters=[codec], zarr_format=2)
    assert signature(tmp_path / "z") == expected(tmp_path / "z")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f8", ">c16", "|u1", ">M8[us]"])
def test_orders_and_byte_orders_of_v2(order: Any, dtype: str, tmp_path: Path) -> None:
    values = np.arange(1000).reshape(10, 10, 10).astype(dtype)
    array = zarr.create_array(
        tmp_path / "z", shape=values.shape, dtype=dtype, chunks=(3, 4, 5), order=order, zarr_format=2
    )
    array[...] = values
    kind = "M8[1us]" if "M" in dtype else dtype[1:]
    little = values.astype(values.dtype.newbyteorder("<"))
    elements = reference.elements(little.tobytes(), little.itemsize)
    assert signature(tmp_path / "z") == reference.field_root(kind, values.shape, elements)
    assert by_chunks(tmp_path / "z")


COMPRESSED = {"zlib": zlib.compress, "gzip": gzip.compress, "bz2": bz2.compress, "lzma": lzma.compress}


@pytest.mark.parametrize("name", [name for name in OCTETS if name != "shuffle"])
@pytest.mark.parametrize("damage", ["cut", "empty", "one byte", "flipped", "huge"])
def test_damaged_chunks_of_every_codec(name: str, damage: str, tmp_path: Path) -> None:
    codec = numcodecs.get_codec({"id": name, **OCTETS[name][0]})
    values = np.random.default_rng(1).integers(0, 255, 4000).astype("u1")
    zarr.create_array(tmp_path / "z", data=values, chunks=(4000,), compressors=codec, zarr_format=2)
    known, chunk = signature(tmp_path / "z"), tmp_path / "z" / "0"
    data = chunk.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    chunk.write_bytes({"cut": data[:middle], "empty": b"", "one byte": data[:1], "flipped": flipped}.get(damage, data))
    if damage == "huge":
        # It decodes to a thousand times what the metadata says.
        chunk.write_bytes(bytes(codec.encode(np.zeros(4_000_000, "u1"))))
    try:
        found = signature(tmp_path / "z")
    except UnreadableData as error:
        assert "chunk 0 cannot be decoded" in str(error) or "0: " in str(error)
    else:
        # Without a checksum a flipped bit is just another value.
        assert damage == "flipped" and name in ("blosc", "lz4", "zstd") and found != known


@pytest.mark.parametrize("name", COMPRESSED)
def test_streams_that_follow_each_other(name: str, tmp_path: Path) -> None:
    codec = numcodecs.get_codec({"id": name, **OCTETS[name][0]})
    zarr.create_array(tmp_path / "z", data=VALUES.ravel(), chunks=(1000,), compressors=codec, zarr_format=2)
    known, octets = signature(tmp_path / "z"), VALUES.tobytes()
    (tmp_path / "z" / "0").write_bytes(COMPRESSED[name](octets[:999]) + COMPRESSED[name](octets[999:]))
    assert signature(tmp_path / "z") == known


def test_an_unknown_codec_is_named(tmp_path: Path) -> None:
    for version, place in ((2, ".zarray"), (3, "zarr.json")):
        store = tmp_path / str(version)
        zarr.create_array(store, data=VALUES, zarr_format=version)
        text = json.loads((store / place).read_text())
        if version == 2:
            text["compressor"] = {"id": "unheard-of"}
        else:
            text["codecs"].append({"name": "unheard-of"})
        (store / place).write_text(json.dumps(text))
        with pytest.raises(UnreadableData, match="unheard-of"):
            signature(store)

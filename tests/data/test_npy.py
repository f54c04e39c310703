"""NumPy files: every box of every layout, and headers that lie."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data import mapping
from hpcprov.data.interface import slices
from hpcprov.data.npy import open_npy
from hpcprov.data.open import open_data
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 7), max_size=4),
    st.sampled_from("CF"),
    st.sampled_from(["<i2", ">f8", "S3", "?"]),
    st.data(),
)
def test_any_box_reads_as_numpy_does(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], order: Any, dtype: str, data: st.DataObject
) -> None:
    values = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), order=order)
    place = tmp_path_factory.getbasetemp() / "box.npy"
    np.save(place, values)
    mapping.allow(data.draw(st.booleans()))
    box = tuple((a, a + data.draw(st.integers(0, n - a))) for n in shape for a in [data.draw(st.integers(0, n))])
    with open_npy(str(place)) as found:
        read = found.fields[0].read(box)
        assert read.dtype == values.dtype
        assert read.tolist() == values[(*slices(box), ...)].tolist()
    mapping.allow(False)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_header_version(version: tuple[int, int], tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as file:
        np.lib.format.write_array(file, np.arange(5, dtype="<i4"), version)
    with open_data(str(tmp_path / "x")) as data:
        assert sign_field(data.fields[0]).root == reference.field_root(
            "i4", (5,), reference.elements(np.arange(5, dtype="<i4"), 4)
        )


def test_scalar_struct_text_and_time(tmp_path: Path) -> None:
    one = (1).to_bytes(4, "little")
    pair = ("struct", ((b"a", "i4"), (b"b", ("array", (2,), "i4"))))
    cases = [
        (np.array(1, "<i4"), "i4", (), [one]),
        (np.array([(1, 2)], [("a", ">i4"), ("b", "<i4", (2,))]), pair, (1,), [(one, [(2).to_bytes(4, "little")] * 2)]),
        (np.array(["hé"], ">U5"), "str", (1,), ["hé".encode()]),
        (np.array(["", ""], "<U0"), "str", (2,), [b"", b""]),
        (np.array([3], ">M8[D]"), "M8[1D]", (1,), [(3).to_bytes(8, "little")]),
        (np.array([True, False]), "bool", (2,), [b"\1", b"\0"]),
    ]  # fmt: skip
    for values, kind, shape, items in cases:
        np.save(tmp_path / "x.npy", values)
        with open_data(str(tmp_path / "x.npy")) as data:
            assert sign_field(data.fields[0]).root == reference.field_root(kind, shape, items), values


def test_bools_that_are_neither_0_nor_1_count_as_1(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.frombuffer(b"\2\0\xff", "?"))
    with open_data(str(tmp_path / "x.npy")) as data:
        assert sign_field(data.fields[0]).root == reference.field_root("bool", (3,), [b"\1", b"\0", b"\1"])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.array([1, "a"], object), "Python objects"),
        (np.zeros(2, np.longdouble), "long double"),
        (np.zeros(2, np.clongdouble), "long double"),
        (np.zeros(2, [("a", "f4"), ("b", object)]), "Python objects"),
        (np.zeros(2, "M8"), "times without a unit"),
    ],
)
def test_refused_by_name(values: Any, reason: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values, allow_pickle=True)
    with pytest.raises(Unsigned, match=reason):
        open_data(str(tmp_path / "x.npy"))


def header(text: str, version: bytes = b"\1\0", length: int | None = None) -> bytes:
    body = text.encode("latin-1")
    return b"\x93NUMPY" + version + (len(body) if length is None else length).to_bytes(2, "little") + body


GOOD = "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header(GOOD), "truncated: 32 bytes of values declared, 0 stored"),
        (header(GOOD) + bytes(31), "truncated"),
        (header(GOOD.replace("(4,)", "(1152921504606846976,)")), "truncated"),
        (header(GOOD.replace("(4,)", "(-4,)")) + bytes(99), "header: shape"),
        (header(GOOD.replace("(4,)", "(True,)")) + bytes(99), "header: shape"),
        (header(GOOD.replace("(4,)", "[4]")) + bytes(99), "header: shape"),
        (header(GOOD.replace("<f8", "<f9")) + bytes(99), "header"),
        (header(GOOD.replace("'<f8'", "('<f8', (2,))")) + bytes(99), "header: shape"),
        (header(GOOD.replace("'<f8'", "__import__('os')")) + bytes(99), "header"),
        (header("(" * 9000), "header"),
        (header(GOOD, b"\7\0"), "header: neither"),
        (header(GOOD, length=60000), "header: 60000 bytes long"),
        (b"\x93NUMPY", "header: neither"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff", "header: 4294967295 bytes long"),
    ],
)
def test_headers_that_lie(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UnreadableData, match=reason):
        open_data(str(tmp_path / "x"))


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    place = tmp_path / "x.npy"
    np.save(place, np.zeros(1000))
    with open_npy(str(place)) as data:
        os.truncate(place, 4000)
        with pytest.raises(UnreadableData, match="truncated"):
            data.fields[0].read(((0, 1000),))


def test_descriptors_are_closed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        open_data(str(tmp_path / "x.npy")).close()
        with pytest.raises(UnreadableData):
            open_data(str(tmp_path / "bad.npy"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_numpy_reads_the_same(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12).reshape(3, 4))
    (tmp_path / "x").write_bytes(buffer.getvalue() + b"trailing bytes are not looked at")
    with open_data(str(tmp_path / "x")) as data:
        assert data.fields[0].read(((1, 3), (0, 4))).tolist() == [[4, 5, 6, 7], [8, 9, 10, 11]]

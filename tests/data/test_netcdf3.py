"""NetCDF-3: the same values as in NetCDF-4 have the same signatures, and every box is what scipy reads."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

from hpcprov.data.interface import slices
from hpcprov.data.open import format_of, open_data
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field

CLASSIC = ["i1", "S1", "i2", "i4", "f4", "f8"]
LATER = ["u1", "u2", "u4", "i8", "u8"]
FORMS = {"NETCDF3_CLASSIC": CLASSIC, "NETCDF3_64BIT_OFFSET": CLASSIC, "NETCDF3_64BIT_DATA": CLASSIC + LATER}
DIMENSIONS = [(), ("x",), ("t",), ("t", "x"), ("t", "x", "y")]
EXTENTS = {"t": 7, "x": 5, "y": 3}


def values_of(kind: str, dims: tuple[str, ...]) -> Any:
    shape = tuple(EXTENTS[dim] for dim in dims)
    numbers = np.random.default_rng(len(dims)).integers(0, 10, shape)
    return np.array(numbers).astype("S1" if kind == "S1" else kind)


def write(path: Path, form: str, *, unlimited: bool, kinds: list[str] | None = None) -> None:
    with netCDF4.Dataset(path, "w", format=form) as file:
        for name, extent in EXTENTS.items():
            file.createDimension(name, None if name == "t" and unlimited else extent)
        file.createDimension("without a variable", 9)
        file.setncattr("history", "made by a test")
        for kind in kinds or FORMS[form]:
            for dims in DIMENSIONS:
                variable = file.createVariable("_".join((kind, *dims)), kind, dims)
                variable.setncattr("units", "m s-1")
                variable.set_auto_maskandscale(False)
                variable.set_auto_chartostring(False)
                variable[...] = values_of(kind, dims)


def roots(path: Path, threads: int = 2) -> dict[str, bytes]:
    with open_data(str(path)) as data:
        return {field.name: sign_field(field, threads=threads).root for field in data.fields}


@pytest.mark.parametrize("unlimited", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_as_in_netcdf4_and_as_the_reference_says(form: str, unlimited: bool, tmp_path: Path) -> None:
    write(tmp_path / "3", form, unlimited=unlimited)
    write(tmp_path / "4", "NETCDF4", unlimited=unlimited, kinds=FORMS[form])
    assert format_of(str(tmp_path / "3")) == "netcdf3"
    expected = {
        "_".join((kind, *dims)): reference.field_root(*as_reference(values_of(kind, dims)))
        for kind in FORMS[form]
        for dims in DIMENSIONS
    }
    assert roots(tmp_path / "3") == expected
    assert roots(tmp_path / "4") == expected


def as_reference(values: Any) -> tuple[str, tuple[int, ...], list[bytes]]:
    if values.dtype.kind == "S":
        return "str", values.shape, values.reshape(-1).tolist()
    return values.dtype.str[1:], values.shape, reference.elements(values.tobytes(), values.dtype.itemsize)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 5), max_size=2), st.integers(0, 6), st.integers(1, 3), st.integers(0, 9000), st.data())
def test_any_box_of_records_reads_as_scipy_does(
    tmp_path_factory: pytest.TempPathFactory,
    inner: list[int],
    records: int,
    variables: int,
    between: int,
    data: st.DataObject,
) -> None:
    """Alone, near each other or far apart: `between` bytes of another variable lie between a variable's records."""
    place = tmp_path_factory.getbasetemp() / "records.nc"
    kinds = [data.draw(st.sampled_from(["b", "h", "f", "d"])) for _ in range(variables)]
    with netcdf_file(place, "w", version=data.draw(st.sampled_from([1, 2]))) as file:
        file.createDimension("t", None)
        for at, extent in enumerate([*inner, between or 1]):
            file.createDimension(f"x{at}", extent)
        dims = tuple(f"x{at}" for at in range(len(inner)))
        for at, kind in enumerate(kinds):
            values = np.arange(records * int(np.prod(inner, dtype=int)), dtype=kind).reshape((records, *inner))
            file.createVariable(f"v{at}", kind, ("t", *dims))[:records] = values
        if between:
            file.createVariable("w", "b", ("t", f"x{len(inner)}"))[:records] = np.ones((records, between), "b")
    with open_data(str(place)) as found, netcdf_file(place, mmap=False) as truth:
        for field in found.fields:
            expected = truth.variables[field.name].data
            assert field.shape == expected.shape
            starts = [data.draw(st.integers(0, extent)) for extent in expected.shape]
            box = tuple((a, data.draw(st.integers(a, n))) for a, n in zip(starts, expected.shape, strict=True))
            assert field.read(box).tolist() == expected[slices(box)].tolist()


def single(records: int, values: bytes) -> bytes:
    """A classic file with one record variable `v` of three bytes, written by hand."""
    text = struct.pack(">I", 1) + b"v\0\0\0"
    x = struct.pack(">I", 1) + b"x\0\0\0" + struct.pack(">I", 3)
    t = struct.pack(">I", 1) + b"t\0\0\0" + struct.pack(">I", 0)
    head = b"CDF\1" + struct.pack(">I", records) + struct.pack(">2I", 10, 2) + t + x + bytes(8)
    variable = text + struct.pack(">3I", 2, 0, 1) + bytes(8) + struct.pack(">2I", 1, 4)
    start = len(head) + 8 + len(variable) + 4
    return head + struct.pack(">2I", 11, 1) + variable + struct.pack(">I", start) + values


@pytest.mark.parametrize("records", [4, 0xFFFFFFFF])
def test_one_record_variable_has_no_padding_and_a_stream_says_by_its_size(records: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(single(records, bytes(range(12))))
    with open_data(str(tmp_path / "x")) as data:
        assert data.fields[0].shape == (4, 3)
        assert data.fields[0].read(((1, 3), (0, 3))).tolist() == [[3, 4, 5], [6, 7, 8]]


def test_cut_anywhere(tmp_path: Path) -> None:
    write(tmp_path / "x", "NETCDF3_CLASSIC", unlimited=True)
    content = (tmp_path / "x").read_bytes()
    for length in [*range(4, 200), *range(200, len(content) - 8, 41)]:
        (tmp_path / "x").write_bytes(content[:length])
        with pytest.raises(UnreadableData, match=r"truncated|not a valid"):
            open_data(str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("at", "number", "reason"),
    [
        (4, 5, r"the values of v would end at byte \d+ of"),
        (8, 99, "tag 99 where a list of dimensions begins"),
        (12, 2**31, "2147483648 dimensions in a file of"),
        (16, 2**30, "a name of 1073741824 bytes"),
        (36, 0, "more than one record dimension"),
        (64, 2000, "a variable of 2000 dimensions"),
        (68, 7, "dimension 7 of 2"),
        (84, 7, "a variable of type 7"),
        (92, 2**32 - 1, "would end at byte"),
    ],
)
def test_headers_that_lie(at: int, number: int, reason: str, tmp_path: Path) -> None:
    content = bytearray(single(4, bytes(12)))
    content[at : at + 4] = struct.pack(">I", number)
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UnreadableData, match=reason):
        open_data(str(tmp_path / "x"))


def test_variables_that_lie_upon_each_other(tmp_path: Path) -> None:
    """A small file may not declare the same bytes as the values of many variables."""
    x = struct.pack(">I", 1) + b"x\0\0\0" + struct.pack(">I", 1000)
    head = b"CDF\1" + struct.pack(">3I", 0, 10, 1) + x + bytes(8) + struct.pack(">2I", 11, 4)
    for name in (b"a", b"b", b"c", b"d"):
        head += struct.pack(">I", 1) + name + bytes(3) + struct.pack(">2I", 1, 0) + bytes(8)
        head += struct.pack(">3I", 6, 8000, 500)
    (tmp_path / "x").write_bytes(head + bytes(10000))
    with pytest.raises(UnreadableData, match="32000 bytes of values declared in a file of"):
        open_data(str(tmp_path / "x"))

"""HDF5: every type as the specification has it, the tree of links, fill values, and what is refused by name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hpcprov.data.open import format_of, open_data
from hpcprov.data.types import Unsigned
from hpcprov.data.values import encode
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference, tree
from hpcprov.signature.threads import sign_field


def raw(path: Path, name: bytes, kind: Any, values: bytes, count: int) -> None:
    """A one-dimensional dataset of an HDF5 type whose memory is given byte by byte."""
    with h5py.File(path, "a") as file:
        space = h5s.create_simple((count,))
        memory = np.frombuffer(values, f"V{kind.get_size()}").copy()
        h5d.create(file.id, name, kind, space).write(space, space, memory, kind)


def encoded(path: Path) -> dict[str, tuple[str, bytes]]:
    """Type and canonical bytes of each field of a file."""
    with open_data(str(path)) as data:
        return {field.name: (field.type.text, _whole(field)) for field in data.fields}


def _whole(field: Any) -> bytes:
    box = tuple((0, extent) for extent in field.shape)
    return bytes(encode(field.read(box), field.type, int(np.prod(field.shape, dtype=int))))


def s(text: bytes) -> bytes:
    return reference.s(text)


NUMBERS = {
    "i1": h5t.STD_I8BE, "i2": h5t.STD_I16BE, "i4": h5t.STD_I32LE, "i8": h5t.STD_I64BE,
    "u1": h5t.STD_U8LE, "u2": h5t.STD_U16LE, "u4": h5t.STD_U32BE, "u8": h5t.STD_U64LE,
    "f2": h5t.IEEE_F16LE, "f4": h5t.IEEE_F32BE, "f8": h5t.IEEE_F64LE,
}  # fmt: skip


@pytest.mark.parametrize("token", NUMBERS)
def test_numbers_keep_every_bit(token: str, tmp_path: Path) -> None:
    kind = NUMBERS[token]
    stored = bytes(range(3, 3 + 4 * kind.get_size())) + b"\xff" * kind.get_size()
    raw(tmp_path / "x", b"x", kind, stored, 5)
    size = kind.get_size()
    parts = [stored[at : at + size] for at in range(0, len(stored), size)]
    little = [part[::-1] if kind.get_order() == h5t.ORDER_BE else part for part in parts]
    assert encoded(tmp_path / "x")["x"] == (token, b"".join(little))


@pytest.mark.parametrize("base", [h5t.IEEE_F16LE, h5t.IEEE_F16BE])
def test_bfloat16(base: Any, tmp_path: Path) -> None:
    kind = base.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    raw(tmp_path / "x", b"x", kind, b"\x80\x3f\x01\x7f", 2)
    expected = b"\x80\x3f\x01\x7f" if base.get_order() == h5t.ORDER_LE else b"\x3f\x80\x7f\x01"
    assert encoded(tmp_path / "x")["x"] == ("bf16", expected)


def test_integers_of_an_odd_precision_are_widened(tmp_path: Path) -> None:
    kind = h5t.STD_I16LE.copy()
    kind.set_precision(12)
    with h5py.File(tmp_path / "x", "w") as file:
        space = h5s.create_simple((3,))
        h5d.create(file.id, b"x", kind, space).write(space, space, np.array([-5, 7, -2048], "<i2"))
    assert encoded(tmp_path / "x")["x"] == ("i2", np.array([-5, 7, -2048], "<i2").tobytes())


def test_bool_and_enum(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["bool"] = np.array([True, False])
        file.create_dataset("enum", data=[0, 5], dtype=h5py.enum_dtype({"A": 0, "B": 5}, basetype=">i4"))
        file.create_dataset("wide bool", data=[0, 1], dtype=h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, basetype="<i2"))
        file.create_dataset("half a bool", data=[0], dtype=h5py.enum_dtype({"FALSE": 0}, basetype="u1"))
    assert encoded(tmp_path / "x") == {
        "bool": ("bool", b"\1\0"),
        "enum": ("i4", b"\0\0\0\0\5\0\0\0"),
        "wide bool": ("i2", b"\0\0\1\0"),
        "half a bool": ("u1", b"\0"),
    }


@pytest.mark.parametrize(
    ("pad", "expected"), [(h5t.STR_NULLTERM, b"a"), (h5t.STR_NULLPAD, b"a\0b"), (h5t.STR_SPACEPAD, b"a\0b\0")]
)
@pytest.mark.parametrize("charset", [h5t.CSET_ASCII, h5t.CSET_UTF8])
def test_fixed_text_by_its_padding(pad: int, charset: int, expected: bytes, tmp_path: Path) -> None:
    kind = h5t.C_S1.copy()
    kind.set_size(6)
    kind.set_strpad(pad)
    kind.set_cset(charset)
    tail = b"\0  " if pad == h5t.STR_SPACEPAD else b"\0\0\0"
    raw(tmp_path / "x", b"x", kind, b"a\0b" + tail, 1)
    assert encoded(tmp_path / "x")["x"] == ("str", s(expected))


def test_variable_text_and_lists_in_both_byte_orders(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        text = file.create_dataset("text", (3,), h5py.string_dtype())
        text[0], text[1] = "hé", ""
        for name, base in (("big", ">i2"), ("little", "<i2"), ("bool", bool), ("float", ">f8")):
            lists = file.create_dataset(name, (2,), h5py.vlen_dtype(base))
            lists[0] = np.array([1, 0], base)
        words = file.create_dataset("words", (2,), h5py.vlen_dtype(h5py.string_dtype()))
        words[1] = np.array(["a", "bb"], object)
    two, none = (2).to_bytes(8, "little"), bytes(8)
    assert encoded(tmp_path / "x") == {
        "text": ("str", s("hé".encode()) + s(b"") + s(b"")),
        "big": ("list(i2)", two + b"\1\0\0\0" + none),
        "little": ("list(i2)", two + b"\1\0\0\0" + none),
        "bool": ("list(bool)", two + b"\1\0" + none),
        "float": ("list(f8)", two + np.array([1.0, 0]).tobytes() + none),
        "words": ("list(str)", none + two + s(b"a") + s(b"bb")),
    }


def test_compound_complex_array_opaque(tmp_path: Path) -> None:
    padded = np.dtype({"names": ["a", "b"], "formats": [">i2", "<f8"], "offsets": [2, 8], "itemsize": 24})
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("padded", data=np.array([(1, 2.5)], padded))
        file["complex"] = np.array([1 + 2j], ">c8")
        file["half complex"] = np.array([(1, 2)], [("r", "f2"), ("i", "f2")])
        file.create_dataset("grid", (2,), np.dtype((">u2", (2, 2))))[...] = np.arange(8).reshape(2, 2, 2)
        file["opaque"] = np.array([b"abc", b"d"], "V3")
        file["time"] = np.array([5], "M8[ns]").astype(h5py.opaque_dtype("M8[ns]"))
        mixed = file.create_dataset(
            "mixed", (1,), np.dtype([("t", h5py.string_dtype()), ("v", ">i4"), ("l", h5py.vlen_dtype(">i2"))])
        )
        mixed[0] = ("x", 7, np.array([1], ">i2"))
    one = (1).to_bytes(8, "little")
    assert encoded(tmp_path / "x") == {
        "padded": ("struct(a i2, b f8)", b"\1\0" + np.array([2.5]).tobytes()),
        "complex": ("c8", np.array([1, 2], "<f4").tobytes()),
        "half complex": ("struct(r f2, i f2)", np.array([1, 2], "<f2").tobytes()),
        "grid": ("array[2,2](u2)", np.arange(8, dtype="<u2").tobytes()),
        "opaque": ("V3", b"abcd\0\0"),
        "time": ("M8[1ns]", (5).to_bytes(8, "little")),
        "mixed": ("struct(t str, v i4, l list(i2))", s(b"x") + b"\7\0\0\0" + one + b"\1\0"),
    }


@pytest.mark.skipif(not hasattr(h5t, "COMPLEX"), reason="HDF5 before 2.0 has no complex class")
@pytest.mark.parametrize("name", ["COMPLEX_IEEE_F32BE", "COMPLEX_IEEE_F64LE", "COMPLEX_IEEE_F16LE"])
def test_complex_class(name: str, tmp_path: Path) -> None:
    kind = getattr(h5t, name)
    stored = bytes(range(kind.get_size()))
    raw(tmp_path / "x", b"x", kind, stored, 1)
    half = kind.get_size() // 2
    parts = [stored[:half], stored[half:]] if name.endswith("LE") else [stored[:half][::-1], stored[half:][::-1]]
    text = {8: "c8", 16: "c16"}.get(kind.get_size(), "struct(r f2, i f2)")
    assert encoded(tmp_path / "x")["x"] == (text, b"".join(parts))


def test_references_are_the_smallest_path_of_their_target(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w", userblock_size=512) as file:
        file["z"] = 1
        file["g/x"] = file["z"]
        file["g-x"] = file["z"]
        file["g/back"] = file["/"]
        refs = file.create_dataset("refs", (4,), h5py.ref_dtype)
        refs[0], refs[1], refs[2] = file["z"].ref, file["g"].ref, file["/"].ref
    found = encoded(tmp_path / "x")
    assert list(found) == ["g-x", "refs"]
    assert found["refs"] == ("str", s(b"g-x") + s(b"g") + s(b"/") + s(b""))


def test_hard_links_cycles_and_soft_links(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["a/b/data"] = 1
        file["a/b/again"] = file["a/b/data"]
        file["a/b/up"] = file["a"]
        file["soft"] = h5py.SoftLink("/a/b/data")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["kind"] = np.dtype("f4")
    assert list(encoded(tmp_path / "x")) == ["a/b/again"]


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"\xff\xfe", h5t.STD_I8LE, h5s.create_simple((1,)))
    with open_data(str(tmp_path / "x")) as data:
        assert [(field.path, field.name) for field in data.fields] == [(b"\xff\xfe", "\udcff\udcfe")]


def test_netcdf_dimensions_and_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        bare = file.create_dataset("time", (3,), "f4")
        bare.make_scale("This is a netCDF dimension but not a netCDF variable.         3")
        scale = file.create_dataset("lat", data=[1.0, 2.0])
        scale.make_scale("lat")
        file.create_dataset("g/_nc4_non_coord_time", data=[1, 2])
    assert list(encoded(tmp_path / "x")) == ["g/time", "lat"]


def test_a_prefix_that_hides_another_dataset_is_said(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["x"], file["_nc4_non_coord_x"] = 1, 2
    with pytest.raises(Unsigned, match="x: two datasets"):
        open_data(str(tmp_path / "x"))


@pytest.mark.parametrize("chunks", [None, (4,), (64,)])
@pytest.mark.parametrize("when", ["alloc", "never", "ifset"])
@pytest.mark.parametrize("fill", [None, 7.5])
def test_what_was_never_written_counts_as_the_fill_value(
    chunks: tuple[int] | None, when: str, fill: float | None, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        written = file.create_dataset("x", (64,), ">f8", chunks=chunks, fillvalue=fill, fill_time=when)
        if chunks == (4,):
            written[8:12] = 1
    expected = np.full(64, fill or 0.0)
    if chunks == (4,):
        expected[8:12] = 1
    assert encoded(tmp_path / "x")["x"] == ("f8", expected.tobytes())


def test_an_undefined_fill_value_counts_as_zeros_or_empty(tmp_path: Path) -> None:
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((4,))
    creation.set_fill_time(h5d.FILL_TIME_NEVER)
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"n", h5t.STD_I32LE, h5s.create_simple((6,)), creation)
        file.create_dataset("t", (6,), h5py.string_dtype(), chunks=(4,))
    assert encoded(tmp_path / "x") == {"n": ("i4", bytes(24)), "t": ("str", bytes(48))}


def test_null_scalar_and_empty(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["null"], file["one"], file["none"] = h5py.Empty("f4"), 2.5, np.zeros((0, 3))
        file["text"] = "abc"
    with open_data(str(tmp_path / "x")) as data:
        roots = {field.name: sign_field(field).root for field in data.fields}
    assert roots == {
        "null": reference.field_root("f4", None, []),
        "one": reference.field_root("f8", (), [np.float64(2.5).tobytes()]),
        "none": reference.field_root("f8", (0, 3), []),
        "text": reference.field_root("str", (), [b"abc"]),
    }


def _external_link(file: h5py.File) -> None:
    file["g/away"] = h5py.ExternalLink("other.h5", "/x")


def _external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def _region(file: h5py.File) -> None:
    file["d"] = [1, 2]
    file.create_dataset("x", (1,), h5py.regionref_dtype)


def _long_double(file: h5py.File) -> None:
    file["x"] = np.zeros(2, np.longdouble)


def _in_a_struct(file: h5py.File) -> None:
    file["x"] = np.zeros(2, [("a", "f4"), ("b", np.longdouble)])


def _deep(file: h5py.File) -> None:
    kind: Any = np.dtype("f4")
    for _ in range(40):
        kind = np.dtype([("x", kind)])
    file["x"] = np.zeros(1, kind)


def _huge_chunk(file: h5py.File) -> None:
    file.create_dataset("x", (2**30,), "f4", chunks=(2**29 + 1,), compression="gzip")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_external_link, "g/away: an external link"),
        (_external_storage, "x: its values lie in the external file '/etc/passwd'"),
        (_virtual, "x: a virtual dataset"),
        (_region, "x: region references"),
        (_long_double, "x: long double"),
        (_in_a_struct, "x: long double"),
        (_deep, "x: a type nested deeper"),
        (_huge_chunk, "x: chunks of 2147483652 bytes"),
    ],
)
def test_refused_by_name(make: Any, reason: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        make(file)
    with pytest.raises(Unsigned, match=reason):
        open_data(str(tmp_path / "x"))


def test_a_filter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((4,))
        creation.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5s.create_simple((4,))
        h5d.create(file.id, b"x", h5t.STD_I32LE, space, creation).write(space, space, np.arange(4, dtype="<i4"))
        _claim_filter(file)
    with pytest.raises(UnreadableData, match="x: needs the HDF5 filter 32099"):
        open_data(str(tmp_path / "x"))


def _claim_filter(file: h5py.File) -> None:
    """The optional filter was skipped when the chunk was written; the pipeline names it all the same."""
    assert file["x"].id.get_create_plist().get_filter(0)[0] == 32099


def test_groups_nested_too_deep(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_group("/".join("g" * 1100))
    with pytest.raises(UnreadableData, match="nested deeper"):
        open_data(str(tmp_path / "x"))


def test_found_by_content(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.npy", "w", userblock_size=4096) as file:
        file["x"] = 1
    assert format_of(str(tmp_path / "x.npy")) == "hdf5"


def test_dataset_root_is_that_of_its_fields(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["b/x"], file["b-x"] = 1, 2
    with open_data(str(tmp_path / "x")) as data:
        fields = [(field.path, sign_field(field).root) for field in data.fields]
    assert [path for path, _ in fields] == [b"b-x", b"b/x"]
    assert tree.dataset_root("tree", fields) == reference.dataset_root("tree", fields[::-1])


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("order", ["LE", "BE"])
def test_bit_fields_are_unsigned_integers(size: int, order: str, tmp_path: Path) -> None:
    kind = getattr(h5t, f"STD_B{8 * size}{order}")
    stored = bytes(range(1, size + 1))
    raw(tmp_path / "x", b"x", kind, stored, 1)
    assert encoded(tmp_path / "x")["x"] == (f"u{size}", stored if order == "LE" else stored[::-1])


def test_a_bit_field_of_an_odd_size_is_refused(tmp_path: Path) -> None:
    kind = h5t.STD_B32LE.copy()
    kind.set_size(3)
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"x", kind, h5s.create_simple((1,)))
    with pytest.raises(Unsigned, match="x: bit fields of an odd precision"):
        open_data(str(tmp_path / "x"))


def test_time_types_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"x", h5t.UNIX_D32LE, h5s.create_simple((1,)))
    with pytest.raises(Unsigned, match="x: HDF5 time types have no signature"):
        open_data(str(tmp_path / "x"))


@pytest.mark.parametrize("userblock", [0, 2048])
def test_contiguous_values_are_read_beside_the_library(userblock: int, tmp_path: Path) -> None:
    """h5py's lock is held meanwhile: whoever needs it would wait for ever."""
    grid = np.arange(24, dtype=">u2").reshape(4, 6)
    pair = np.zeros(5, [("a", ">i2"), ("b", "S3")])
    pair["a"] = np.arange(5)
    with h5py.File(tmp_path / "x", "w", userblock_size=userblock) as file:
        file["grid"], file["one"], file["pair"] = grid, 2.5, pair
        file.create_dataset("inner", (2,), np.dtype((">f4", (2, 3))))[...] = np.arange(12).reshape(2, 2, 3)
    with open_data(str(tmp_path / "x")) as data:
        fields = {field.name: field for field in data.fields}
        boxes = {"grid": ((1, 3), (2, 5)), "one": (), "pair": ((1, 4),), "inner": ((1, 2),)}
        found: dict[str, Any] = {}

        def work() -> None:
            found.update({name: fields[name].read(box) for name, box in boxes.items()})

        thread = threading.Thread(target=work, daemon=True)
        with h5py._objects.phil:
            thread.start()
            thread.join(20)
    assert found["grid"].tolist() == grid[1:3, 2:5].tolist()
    assert found["one"].tolist() == 2.5
    assert found["pair"].tobytes() == pair[1:4].tobytes()
    assert found["inner"].tolist() == [[[6, 7, 8], [9, 10, 11]]]


def test_contiguous_values_outside_of_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["x"] = np.full(100, -1)
        at = file["x"].id.get_offset().to_bytes(8, "little")
    content = (tmp_path / "x").read_bytes()
    assert content.count(at) >= 1
    (tmp_path / "x").write_bytes(content.replace(at, (1 << 40).to_bytes(8, "little")))
    with pytest.raises(UnreadableData, match=r"x: truncated|cannot be decoded"):
        open_data(str(tmp_path / "x"))


def test_any_type_with_a_fill_value_that_is_never_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        for name, kind, fill in (("fixed", "S4", b"ab"), ("flag", "?", True), ("odd", "f2", 1.5)):
            file.create_dataset(name, (3,), kind, chunks=(2,), fillvalue=fill, fill_time="never")
    assert encoded(tmp_path / "x") == {
        "fixed": ("str", s(b"ab") * 3),
        "flag": ("bool", b"\1" * 3),
        "odd": ("f2", np.full(3, 1.5, "<f2").tobytes()),
    }


def test_threads_may_ask_for_fill_values_at_once_and_of_one_file_opened_twice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("x", (64,), "f4", chunks=(4,), fillvalue=7.5, fill_time="never")[0] = 1
    with ExitStack() as stack, ThreadPoolExecutor(6) as threads:
        for _ in range(50):
            twice = [stack.enter_context(open_data(str(tmp_path / "x"))) for _ in range(2)]
            boxes = [((4 * at, 4 * at + 4),) for at in range(1, 6)]
            found = threads.map(lambda one: one[0].fields[0].read(one[1]), product(twice, boxes))
            assert all((values == 7.5).all() for values in found)

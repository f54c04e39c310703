"""`hpcprov.signature(...)` in one process: paths, arrays in memory, and objects that other libraries hold open."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
import zarr
from hypothesis import given
from hypothesis import strategies as st

import hpcprov
from hpcprov.data.interface import Box
from hpcprov.data.types import Unsigned, opaque, plain
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference, tree
from hpcprov.signature.api import signature
from hpcprov.signature.artifact import describe
from hpcprov.signature.blocks import BadBlocks, check, gap, split
from hpcprov.signature.field import grid_of
from hpcprov.signature.plan import boxes as parts


def test_the_help_of_the_package_says_what_it_takes() -> None:
    takes = [name for name in inspect.signature(signature).parameters if name != "thing"]
    told = re.search(r"hpcprov\.signature\(thing, \*, (.*)\)", hpcprov.signature.__doc__ or "")
    assert told is not None and re.findall(r"(\w+)=", told[1]) == takes


def test_the_package_can_be_called_and_imported() -> None:
    program = """
import sys, hpcprov
assert "hpcprov.signature" not in sys.modules and "numpy" not in sys.modules
called = hpcprov.signature(5)
import hpcprov.signature.tree
from hpcprov.signature import tree
assert hpcprov.signature.tree is tree and hpcprov.signature(5) == called
try:
    hpcprov.signatures
except AttributeError as error:
    assert "signatures" in str(error)
else:
    raise SystemExit(1)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["g/x"], file["g/y/n"], file["top"] = np.arange(5000.0).reshape(50, 100), 3, np.arange(4, dtype=">i2")
        file["none"], file["text"] = h5py.Empty("f4"), ["a", "é", ""]
        file["link"] = h5py.SoftLink("/top")
        file["ref"] = np.array([file["g/x"].ref, file["g"].ref], dtype=h5py.ref_dtype)
    return tmp_path


def test_a_path_gives_what_the_command_prints(place: Path) -> None:
    for path in (place / "out.h5", str(place / "out.h5")):
        found, known = hpcprov.signature(path), describe(str(path))["signature"]
        assert str(found) == found.digest == known["digest"] and found.kind == "tree"
        assert [(one.path, one.type, one.digest, one.bytes) for one in found.fields] == [
            (one["path"], one["type"], one["signature"], one["bytes"]) for one in known["fields"]
        ]
        assert [one.shape for one in found.fields] == [
            None if one["shape"] is None else tuple(one["shape"]) for one in known["fields"]
        ]


def test_open_hdf5_objects_have_the_signatures_of_the_file(place: Path) -> None:
    known = signature(place / "out.h5")
    fields = {one.path: one.digest for one in known.fields}
    with h5py.File(place / "out.h5") as file:
        assert signature(file) == known
        for path in ("g/x", "g/y/n", "top", "none", "text", "ref"):
            assert signature(file[path]).digest == fields[path]
        inner = signature(file["g"])
        assert {one.path: one.digest for one in inner.fields} == {"x": fields["g/x"], "y/n": fields["g/y/n"]}
        with pytest.raises(TypeError, match=r"h5py\.Datatype has no signature"):
            file_type = h5py.Datatype(h5py.h5t.STD_I8LE)
            signature(file_type)


def test_a_path_whose_file_and_datasets_the_program_has_open(place: Path) -> None:
    known = signature(place / "out.h5")
    for mode, locking in (("r", None), ("r", False), ("r+", None)):
        with h5py.File(place / "out.h5", mode, locking=locking) as file:
            top, group = file["top"], file["g"]
            assert signature(place / "out.h5") == signature(file) == known
            assert top[1] == 1 and "x" in group


def test_values_that_open_hdf5_objects_never_wrote_are_the_fill_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("x", (6,), "f4", chunks=(4,), fillvalue=7.5, fill_time="never")[0] = 1
        file.create_dataset("n", (6,), "f4", fillvalue=7.5, fill_time="never")
    known = signature(tmp_path / "x")
    assert known.fields[0].digest == signature(np.full(6, 7.5, "f4")).digest
    with h5py.File(tmp_path / "x") as file:
        assert signature(file) == known


def test_damaged_chunks_of_open_hdf5_objects_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("g/x", data=np.arange(100), chunks=(100,), compression="gzip")
        at = file["g/x"].id.get_chunk_info(0).byte_offset
    with open(tmp_path / "x", "r+b") as raw:
        raw.seek(at)
        raw.write(bytes(20))
    with h5py.File(tmp_path / "x") as file, pytest.raises(UnreadableData, match="g/x: cannot be decoded"):
        signature(file)


def test_what_was_written_but_not_flushed_is_seen(tmp_path: Path) -> None:
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        file["x"] = np.arange(10)
        assert signature(file["x"]) == signature(np.arange(10))
        file["x"][3] = 77
        assert signature(file["x"]) == signature(np.where(np.arange(10) == 3, 77, np.arange(10)))


def test_open_zarr_objects(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((30, 40))
    for version in (2, 3):
        group = zarr.create_group(zarr.storage.MemoryStore(), zarr_format=version)
        group.create_array("g/x", shape=values.shape, chunks=(7, 11), dtype="f8")[:] = values
        group.create_array("n", shape=(), dtype="i4")[...] = 5
        found = signature(group)
        assert [one.path for one in found.fields] == ["g/x", "n"]
        assert signature(group["g/x"]).digest == found.fields[0].digest == signature(values).digest
        assert signature(group["n"]) == signature(np.int32(5))
        assert {one.path: one.digest for one in signature(group["g"]).fields} == {"x": signature(values).digest}


def test_damaged_chunks_of_open_zarr_objects_are_named(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "x")
    group.create_array("g/x", data=np.arange(100), chunks=(100,))
    (tmp_path / "x" / "g" / "x" / "c" / "0").write_bytes(b"damage")
    with pytest.raises(UnreadableData, match="g/x: cannot be decoded"):
        signature(group)


def test_xarray_objects(tmp_path: Path) -> None:
    values, times = np.random.default_rng(1).random((3, 4)), np.arange(3).astype("M8[ns]")
    array = xarray.DataArray(values, dims=("t", "x"), coords={"t": times})
    assert signature(array) == signature(values)
    assert signature(array.variable) == signature(values)
    found = signature(array.to_dataset(name="wind"))
    assert {one.path: one.digest for one in found.fields} == {
        "t": signature(times).digest, "wind": signature(values).digest
    }  # fmt: skip
    with pytest.raises(Unsigned, match="Python objects"):
        signature(xarray.DataArray(np.array([None])))


def test_a_netcdf_file_that_xarray_opens_undecoded_agrees(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["wind"] = np.arange(12.0).reshape(3, 4)
        for axis, name in enumerate(("y", "x")):
            file[name] = np.arange(file["wind"].shape[axis])
            file[name].make_scale(name)
            file["wind"].dims[axis].attach_scale(file[name])
    known = signature(tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc", decode_cf=False, engine="netcdf4") as data:
        assert signature(data).digest == known.digest


@pytest.mark.parametrize(
    "values",
    [np.zeros((0, 3)), np.float32(1.5), True, 3, 2.5, 1j, np.array("text"), np.zeros(3, [("a", "<i4"), ("b", ">f8")]),
     np.array([b"ab", b"c"]), np.arange(3).astype("M8[D]"), np.arange(10)[::-2], np.asfortranarray(np.ones((3, 4)))],
    ids=repr,
)  # fmt: skip
def test_arrays_in_memory_have_the_signature_of_their_file(values: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values)
    assert signature(values).digest == signature(tmp_path / "x.npy").fields[0].digest


def test_masked_arrays_count_as_missing_values() -> None:
    values = np.ma.masked_array(np.arange(5, dtype="i4"), [0, 1, 0, 0, 1])
    elements = [bytes(4) if gone else int(at).to_bytes(4, "little") for at, gone in enumerate(values.mask)]
    leaf = tree.leaf_null([True, False, True, True, False], b"".join(elements))
    assert signature(values).digest == tree.text(tree.field_root(plain("i4").token, (5,), (8,), leaf))
    assert signature(np.ma.masked_array(np.arange(5), False)) == signature(np.arange(5))


@pytest.mark.parametrize(
    ("thing", "kind", "message"),
    [
        (object(), TypeError, "builtins.object has no signature: give a path, or an array"),
        ([1, 2], TypeError, "builtins.list has no signature"),
        (np.dtype("f4"), TypeError, "has no signature"),
        (np.array([object()]), Unsigned, "Python objects have no signature"),
        ("nothing here", UnreadableData, "^nothing here: cannot be read: No such file"),
        ("/proc/self", Unsigned, "^/proc/self: a plain directory: it has no fields"),
    ],
    ids=["object", "list", "type", "array of objects", "nothing", "plain directory"],
)
def test_what_has_no_signature(thing: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        signature(thing)


def test_a_block_needs_all_of_comm_offset_and_shape() -> None:
    for given_ in ({"offset": (0,)}, {"shape": (3,)}, {"offset": (0,), "shape": (3,)}):
        with pytest.raises(TypeError, match="needs comm, offset and shape"):
            signature(np.zeros(3), **given_)  # type: ignore[arg-type]


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcprov.signature import api

    path = tmp_path / "x.npy"
    np.save(path, np.zeros(10))

    def touching(field: Any, **how: Any) -> Any:
        with open(path, "ab") as file:
            file.write(b"more")
        return honest(field, **how)

    honest = api.sign_field
    monkeypatch.setattr(api, "sign_field", touching)
    with pytest.raises(UnreadableData, match="changed while it was read"):
        signature(path)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Box]]:
    """A shape, and boxes that fill it."""
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=3)))
    boxes: list[Box] = [tuple((0, extent) for extent in shape)]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(boxes) - 1))
        axis = draw(st.integers(0, len(shape) - 1))
        box = boxes.pop(at)
        middle = draw(st.integers(*box[axis]))
        boxes += [(*box[:axis], span, *box[axis + 1 :]) for span in ((box[axis][0], middle), (middle, box[axis][1]))]
    return shape, boxes


def full(boxes: list[Box]) -> list[int]:
    return [at for at, box in enumerate(boxes) if all(start < stop for start, stop in box)]


@given(cuts(), st.data())
def test_blocks_that_fill_the_array_are_accepted_and_others_refused(
    cut: tuple[tuple[int, ...], list[Box]], data: st.DataObject
) -> None:
    shape, boxes = cut
    check(boxes, shape)
    assert gap(tuple((0, extent) for extent in shape), boxes) is None
    at = data.draw(st.sampled_from(full(boxes)))
    missing = boxes[:at] + boxes[at + 1 :]
    with pytest.raises(BadBlocks, match="no rank holds"):
        check(missing, shape)
    found = gap(tuple((0, extent) for extent in shape), missing)
    assert found is not None
    assert all(a <= c < d <= b for (a, b), (c, d) in zip(boxes[at], found, strict=True))
    with pytest.raises(BadBlocks, match=f"the ranks {at} and {len(boxes)} both hold"):
        check([*boxes, boxes[at]], shape)


@given(cuts(), st.sampled_from([1, 100, 70000, 300000]))
def test_every_tile_has_one_owner(cut: tuple[tuple[int, ...], list[Box]], size: int) -> None:
    shape, boxes = cut
    grid = grid_of(shape, opaque(size))
    owned: list[int] = []
    for box in boxes:
        inner, rest = split(box, grid)
        for outer in [*([inner] if inner is not None else []), *rest]:
            for tile in parts(outer, grid.tile):
                owned.append(grid.number(tile))
                assert all(start % step == 0 for (start, _), step in zip(tile, grid.tile, strict=True))
                within = all(a <= c and d <= b for (a, b), (c, d) in zip(box, tile, strict=True))
                assert within == (outer is inner)
    assert sorted(owned) == list(range(grid.count))


def test_an_empty_array_has_no_leaves() -> None:
    assert reference.field_root("u1", (0,), []).hex() == signature(np.zeros(0, "u1")).digest.partition(":")[2]

"""Data held against constraints: counts and places, whatever the format, chunks and threads; coordinates; detection."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.attributes import Attributes
from hpcprov.data.interface import Dataset
from hpcprov.data.open import open_data
from hpcprov.data.opened import array_field, opened
from hpcprov.quality.constraints import blocks, checks, duplicates
from hpcprov.quality.constraints.child import verify_file
from hpcprov.quality.constraints.file import parse
from hpcprov.quality.constraints.verify import verify
from hpcprov.record.errors import HpcprovError, UnreadableData
from hpcprov.signature.deadline import TimeUp
from hpcprov.signature.watch import Watch

OPTIONS = {"type_checking": "sloppy", "epsilon": 0.0}


def result(values: Any, kind: str, value: Any, **attributes: Any) -> dict[str, Any]:
    """What becomes of one constraint of one array."""
    data = Dataset("numpy", (array_field(np.asanyarray(values), b"x"),))
    raw = {"fields": {"x": {kind: value}}}
    found = verify(data, parse(raw), attributes=Attributes(fields={"x": attributes}))
    one: dict[str, Any] = found["fields"][0]["constraints"][0]
    return one


def places(values: Any, kind: str, value: Any, **attributes: Any) -> list[Any]:
    return [place["index"] for place in result(values, kind, value, **attributes)["places"]]


NAN = np.nan
DAYS = np.array(["2024-01-31", "2024-02-01", "2024-02-04", "NaT"], "M8[D]")


@pytest.mark.parametrize(
    ("values", "kind", "value", "expected"),
    [
        ([[1, 2], [3, -4]], "min", 0, [[1, 1]]),
        ([1.5, NAN, -0.5], "min", 0, [[2]]),
        ([0.1], "max", 0.1, []),
        (np.array([0.1], "f4"), "max", 0.1, [[0]]),  # as a float it lies above
        (np.array([2**64 - 1, 5], "u8"), "max", 2**63, [[0]]),
        (np.array([-(2**63), 5]), "min", -(2**63), []),
        (np.array([1, 200], "u1"), "max", 300, []),
        (np.array([1, 200], "u1"), "min", 300, [[0], [1]]),
        (np.array([1, 200], "u1"), "max", 1.5, [[1]]),
        (np.array([0.1], "f4"), "min", {"value": 0.1, "precision": "open"}, []),
        (np.array([0.0, -1.0], "f2"), "min", {"value": -1e-320, "precision": "open"}, [[1]]),
        (np.array([np.inf, 1.0], "f2"), "min", {"value": 1e300, "precision": "open"}, [[1]]),
        (np.array([2.0**53 + 2, 2.0**53]), "max", {"value": 2**53 + 1, "precision": "open"}, [[0]]),
        ([1.0, -1e308, np.inf], "max", {"value": 10**400, "precision": "open"}, [[2]]),
        ([1.0], "max_nulls", 10**300, []),
        ([1.0, np.inf, -np.inf], "finite", True, [[1], [2]]),
        ([1.0, 3.0], "max", {"value": 3, "precision": "open"}, [[1]]),
        ([1, 2, 3], "min", {"value": 1, "precision": "open"}, [[0]]),
        ([1.0, NAN, NAN], "max_nulls", 1, [[1], [2]]),
        ([5, 7, 9], "allowed_values", [5, 9, "nine", 1e300], [[1]]),
        ([5.5, 7.25], "allowed_values", [5.5], [[1]]),
        (["a", "bb", "ccc"], "max_length", 2, [[2]]),
        (["a", "b", "c"], "rex", ["[ab]"], [[2]]),
        (["a", "b"], "min", "b", [[0]]),
        (["x", "x", "y", "x"], "no_duplicates", True, [[0], [1], [3]]),
        ([[1, 2], [3, 2]], "no_duplicates", True, [[0, 1], [1, 1]]),
        ([0.0, -0.0], "no_duplicates", True, [[0], [1]]),
        ([1 + 2j, 1 + 2j, 3], "no_duplicates", True, [[0], [1]]),
        ([1, 2, 2, 3], "order", "increasing", [[2]]),
        ([1, 2, 2, 1], "order", "non-decreasing", [[3]]),
        ([3.0, NAN, 2.0, 2.5], "order", "decreasing", [[3]]),
        (["a", "c", "b"], "order", "increasing", [[2]]),
        ([0, 6, 12, 20], "step", 6, [[3]]),
        ([0.0, 0.1, 0.2, 0.3, 0.5], "step", 0.1, [[4]]),
        ([0, 5, 10, 20], "step", True, [[3]]),
        (np.array([2**63 - 1, -(2**63)]), "step", -1, [[1]]),
        (DAYS, "step", "1 D", [[2]]),
        (DAYS, "step", "86400 s", [[2]]),
        (DAYS, "max_gap", "48 h", [[2]]),
        ([0, 6, 13], "max_gap", 6.5, [[2]]),
        (DAYS, "max", "2024-02-01T12:00", [[2]]),
        (DAYS, "min", "2024-02-01 01:00:00+02:00", [[0]]),
        (DAYS, "max_nulls", 0, [[3]]),
        ([True, False], "min", True, [[1]]),
        (np.array([1, 5], "m8[h]"), "max", "100 m", [[1]]),
    ],
)
def test_elements_that_violate_a_constraint_are_placed(values: Any, kind: str, value: Any, expected: Any) -> None:
    assert places(values, kind, value) == expected
    assert result(values, kind, value)["ok"] == (not expected)


@pytest.mark.parametrize(
    ("values", "kind", "value", "ok"),
    [
        (np.zeros((4, 721, 1440), "i1"), "shape", [None, 721, 1440], True),
        (np.zeros((4, 721)), "shape", ["*", 722], False),
        (np.zeros(4), "shape", [4, 1], False),
        (np.float64(3), "shape", [], True),
        (np.zeros(4, "f4"), "dtype", "f8", False),
        (np.zeros(4, ">f4"), "dtype", "f4", True),
        (np.zeros((2, 2)), "order", "increasing", False),
        (np.zeros(3), "rex", ["."], False),
        (["a"], "step", 1, False),
        (["a"], "sign", "positive", False),
        ([1, 2], "min", "2024-01-01", False),
        ([NAN], "min", "text", True),  # nothing is there that could violate it
        (np.zeros(0), "max", 3, True),
        ([1 + 1j], "min", 0, False),
        ([1, 1], "no_duplicates", False, True),
        ([np.inf], "finite", False, True),
    ],
)
def test_type_and_shape_decide(values: Any, kind: str, value: Any, ok: bool) -> None:
    assert result(values, kind, value)["ok"] == ok


@pytest.mark.parametrize(
    ("kind", "bound", "ok"), [("max", 10**400, True), ("min", 10**400, False), ("max", "-inf", False)]
)
def test_bounds_that_no_float_holds_have_no_fuzzy_part(kind: str, bound: Any, ok: bool) -> None:
    found = verify(opened(np.array([1.0])), parse({"fields": {"": {kind: bound}}}), epsilon=0.01)
    assert found["fields"][0]["constraints"][0]["ok"] is ok


def test_attributes_say_units_and_what_is_missing() -> None:
    assert result([1.0], "units", "m", units="m")["ok"] and not result([1.0], "units", "m", units="km")["ok"]
    assert not result([1.0], "units", "m")["ok"]
    assert places([1, -9999, 3], "min", 0, _FillValue=-9999) == []
    assert result([1, -9999, 3], "max_nulls", 0, _FillValue=-9999)["count"] == 1
    assert places(["", "x"], "min_length", 1, missing_value="") == []


def test_fields_that_are_missing_or_not_allowed() -> None:
    data = Dataset("numpy", (array_field(np.zeros(2), b"x"), array_field(np.zeros(2), b"tmp/y")))
    raw: dict[str, Any] = {"fields": {"x": {"min": 0}, "z": {"min": 0}}}

    def told(**dataset: Any) -> tuple[list[tuple[str, str]], int]:
        found = verify(data, parse(raw | {"dataset": dataset}))
        return [(one["path"], one["status"]) for one in found["fields"]], found["failures"]

    assert told() == ([("x", "OK"), ("z", "MISSING")], 1)
    assert told(required_fields=[]) == ([("x", "OK")], 0)
    assert told(required_fields=["x", "w"]) == ([("x", "OK"), ("w", "MISSING")], 1)
    assert told(required_fields=["*"], allowed_fields=[])[0][1:] == [("z", "MISSING"), ("tmp/y", "NOT ALLOWED")]
    assert told(allowed_fields=["tmp/*"], required_fields=["x"]) == ([("x", "OK")], 0)


def bad_field() -> np.ndarray:
    rng = np.random.default_rng(11)
    values = rng.random((50, 60, 7)).astype("f4")
    values[rng.random(values.shape) < 0.001] = 5
    values[3, 4, 5], values[30, :2, 0] = -1, np.nan
    return values


LIMITS = {
    "fields": {
        "u": {"type": "real", "min": 0, "max": 1, "sign": "positive", "max_nulls": 1, "finite": True},
        "t": {"order": "increasing", "no_duplicates": True, "max_nulls": 0},
    }
}


def test_formats_chunks_threads_and_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    values, t = bad_field(), np.array([*range(40), 39, 41])
    np.savez(tmp_path / "a.npz", u=values, t=t)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("u", data=values, chunks=(7, 11, 3), compression="gzip")
        file["t"] = t
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("u", shape=values.shape, chunks=(25, 60, 7), dtype=">f4")[:] = values
    group.create_array("t", shape=t.shape, chunks=(5,), dtype="i8")[:] = t

    def verdict(name: str, threads: int) -> dict[str, Any]:
        return verify_file(str(tmp_path / name), LIMITS, OPTIONS, threads=threads, watch=Watch())

    whole = verdict("a.npz", 1)
    by_name = {one["path"]: one for one in whole["fields"]}
    (top,) = [one for one in by_name["u"]["constraints"] if one["constraint"] == "max"]
    assert top["count"] == int((values > 1).sum()) and top["found"] == 5.0
    assert [place["index"] for place in top["places"]] == np.argwhere(values > 1)[:10].tolist()
    assert by_name["t"]["constraints"][2]["places"] == [{"index": [40], "value": 39}]

    def same(found: dict[str, Any]) -> bool:
        return sorted(found["fields"], key=lambda one: one["path"]) == sorted(
            whole["fields"], key=lambda one: one["path"]
        )

    monkeypatch.setattr(blocks, "SMALL_CHUNK", 1)
    for size in (1 << 24, 3000):
        monkeypatch.setattr(blocks, "LIMIT", size)
        monkeypatch.setattr(blocks, "AT_ONCE", max(7, size >> 6))
        for name in ("a.npz", "a.h5", "a.zarr"):
            assert same(verdict(name, 1)) and same(verdict(name, 3)), (name, size)


def test_chunks_that_are_not_stored_cost_nothing(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(1 << 15, 1 << 15), chunks=(512, 512), dtype="f8", fill_value=7
    )
    array[3, 4] = 1
    found = verify_file(str(tmp_path / "a.zarr"), {"fields": {"": {"max": 5}}}, OPTIONS, threads=2, watch=Watch())
    (one,) = found["fields"][0]["constraints"]
    assert one["count"] == (1 << 30) - 1 and [place["index"] for place in one["places"]][:2] == [[0, 0], [0, 1]]


def test_duplicates_are_counted_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 40_000, 20_000)
    whole = result(values, "no_duplicates", True)
    assert whole["count"] == len(values) - len(np.unique(values))
    counts = np.bincount(values)
    assert counts[values[whole["places"][0]["index"][0]]] > 1
    monkeypatch.setattr(duplicates.NoDuplicates.__init__, "__kwdefaults__", {"held": 1000})
    parted = result(values, "no_duplicates", True)
    assert parted["count"] == whole["count"] and parted["places"]
    assert result(np.arange(20_000), "no_duplicates", True)["ok"]


def test_the_first_error_ends_all_threads(tmp_path: Path) -> None:
    def read(box: Any) -> Any:
        raise OSError("the disk is gone")

    field = array_field(np.zeros((1000, 1000)), b"x")
    broken = Dataset("x", (type(field)(field.path, field.type, field.shape, None, 8, read),))
    before = threading.active_count()
    with pytest.raises(OSError, match="disk is gone"):
        verify(broken, parse({"fields": {"x": {"min": 0}}}), threads=4)
    assert threading.active_count() == before


def test_time_can_be_up() -> None:
    data = Dataset("numpy", (array_field(np.zeros(10), b"x"),))
    with pytest.raises(TimeUp):
        verify(data, parse({"fields": {"x": {"min": 0}}}), deadline=0.0)


def test_data_that_changes_while_it_is_read_has_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.arange(9))

    def look(self: checks.Check, block: Any) -> None:
        os.utime(tmp_path / "a.npy", ns=(1, 1))

    monkeypatch.setattr(checks.Check, "look", look)
    with pytest.raises(UnreadableData, match="changed while it was read"):
        verify_file(str(tmp_path / "a.npy"), {"fields": {"": {"min": 0}}}, OPTIONS, threads=1, watch=Watch())


def detected(path: Path, raw: dict[str, Any], out: Path, **more: Any) -> dict[str, Any]:
    options = OPTIONS | {"output": str(out), "replace": False} | more
    return verify_file(str(path), raw, options, threads=2, watch=Watch())


def test_rows_of_a_table_are_detected(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = 1000
    names = [None if at == 7 else f"n{at % 990}" for at in range(rows)]
    table = pa.table({"row": pa.array(range(rows)), "x": pa.array([*[1.5] * 998, -1.0, None]), "name": names})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    raw = {"fields": {"x": {"min": 0, "max_nulls": 0, "type": "int"}, "name": {"no_duplicates": True, "max_nulls": 1}}}
    out = tmp_path / "bad.parquet"
    found = detected(tmp_path / "a.parquet", raw, out)
    bad = parquet.read_table(out).to_pydict()
    assert found["detected"] == len(bad["row"]) == len(bad["n_failures"])
    assert bad["row"] == bad["row_2"] and bad["row_2"][-2:] == [998, 999] and bad["row"][0] == 0
    assert bad["x"][-2:] == [-1.0, None] and bad["name"][-1] == "n9"
    assert bad["x_min_ok"][-2:] == [False, True] and bad["x_nonnull_ok"][-2:] == [True, False]
    assert "name_nonnull_ok" not in bad and bad["name_nodups_ok"][:3] == [False] * 3
    with pytest.raises(HpcprovError, match="is there already"):
        detected(tmp_path / "a.parquet", raw, out)
    with pytest.raises(HpcprovError, match="rows of a table"):
        detected(tmp_path / "a.parquet", raw, tmp_path / "bad.zarr")
    nothing = detected(tmp_path / "a.parquet", {"fields": {"row": {"min": 0}}}, tmp_path / "none.csv")
    assert nothing["detected"] == 0 and not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize("name", ["bad.csv", "bad.zarr/", "bad.h5"])
def test_what_was_detected_before_is_not_left_where_nothing_is_wrong(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow" if name == "bad.csv" else "zarr" if name == "bad.zarr/" else "h5py")
    np.save(tmp_path / "a.npy", np.array([1.0, -1.0]))
    out, kept = Path(f"{tmp_path}/{name}"), {"fields": {"": {"min": -1}}}
    assert detected(tmp_path / "a.npy", {"fields": {"": {"min": 0}}}, out)["detected"] == 1
    with pytest.raises(HpcprovError, match="is there already"):
        detected(tmp_path / "a.npy", kept, out)
    found = [detected(tmp_path / "a.npy", kept, out, replace=True) for _ in range(2)]
    assert [(one["detected"], one["removed"]) for one in found] == [(0, True), (0, False)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_elements_of_arrays_are_detected(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    pytest.importorskip("pyarrow")
    values = bad_field()
    np.savez(tmp_path / "a.npz", **{"g/u": values, "t": np.array([1, 2, 2, 9])})
    raw = {"fields": {"g/u": {"max": 1, "max_nulls": 0}, "t": {"order": "increasing"}}}
    found = detected(tmp_path / "a.npz", raw, tmp_path / "bad.zarr")
    wrong = (values > 1) | np.isnan(values)
    assert found["detected"] == wrong.sum() + 1
    with open_data(str(tmp_path / "bad.zarr")) as data:
        masks = {one.name: one.read(tuple((0, extent) for extent in one.shape or ())) for one in data.fields}
    assert (masks["g/u"] == wrong).all() and masks["t"].tolist() == [False, False, True, False]
    found = detected(tmp_path / "a.npz", raw, tmp_path / "bad.csv")
    lines = (tmp_path / "bad.csv").read_text().splitlines()
    assert len(lines) == found["detected"] + 1
    assert '"t","order","[2]","2"' in lines and '"g/u","max_nulls","[30, 0, 0]",""' in lines


def test_a_table_in_memory_is_verified_too() -> None:
    pd = pytest.importorskip("pandas")
    found = verify(opened(pd.DataFrame({"x": [1, 2, 300]})), parse({"fields": {"x": {"max": 255}}}))
    assert found["fields"][0]["constraints"][0]["places"] == [{"index": [2], "value": 300}]

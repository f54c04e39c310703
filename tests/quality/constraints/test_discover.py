"""What is discovered from data: that data always keeps it; arrays, coordinates, growing axes, outliers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hpcprov.data.attributes import Attributes
from hpcprov.data.interface import Dataset
from hpcprov.data.open import open_data
from hpcprov.data.opened import array_field, opened
from hpcprov.quality.constraints import closer, rex
from hpcprov.quality.constraints.child import discover_file
from hpcprov.quality.constraints.discover import Found, Options, discover
from hpcprov.quality.constraints.file import parse, text_of
from hpcprov.quality.constraints.verify import verify
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.watch import Watch

NO_REX = Options(rex=False)


def dataset(**arrays: Any) -> Dataset:
    """Arrays in memory as the fields of one dataset."""
    return Dataset("numpy", tuple(array_field(np.asanyarray(values), name.encode()) for name, values in arrays.items()))


def verdict(data: Dataset, found: Found, attributes: Attributes | None = None) -> dict[str, Any]:
    """The verdict on data of what was found, by way of a file's text."""
    return verify(data, parse(json.loads(text_of({"fields": found.fields}))), attributes=attributes)


def failures(data: Dataset, found: Found, attributes: Attributes | None = None) -> list[tuple[str, str]]:
    return [
        (field["path"], one["constraint"])
        for field in verdict(data, found, attributes)["fields"]
        for one in field["constraints"]
        if not one["ok"]
    ]


TYPES = st.one_of(
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.boolean_dtypes(),
    npst.complex_number_dtypes(sizes=(64, 128)),
    npst.datetime64_dtypes(max_period="Y", min_period="ns").filter(lambda dtype: dtype != np.dtype("M8")),
    npst.timedelta64_dtypes(max_period="h", min_period="ns").filter(lambda dtype: dtype != np.dtype("m8")),
    npst.unicode_string_dtypes(max_len=6),
    npst.byte_string_dtypes(max_len=6),
)
ARRAYS = npst.arrays(TYPES, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))


@settings(max_examples=100, deadline=None)
@given(ARRAYS)
@example(np.array([0, 10**14, -(10**14)], "M8[D]"))
@example(np.array([2**62, -(2**62)], "M8[Y]"))
def test_data_keeps_what_was_discovered_from_it(values: np.ndarray) -> None:
    data = dataset(x=values)
    assert failures(data, discover(data, options=NO_REX)) == []


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(
        st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=30),
        st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=30),
        st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=30),
    )
)
def test_tables_keep_what_was_discovered_from_them(columns: tuple[list[Any], ...]) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = min(map(len, columns))
    types = (pa.float32(), pa.string(), pa.int64())
    table = pa.table({f"c{at}": pa.array(column[:rows], types[at]) for at, column in enumerate(columns)})
    data = opened(table)
    assert failures(data, discover(data, options=NO_REX)) == []


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["f4", "f8", "i2", "i8"]), st.integers(2, 300), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3),
    st.booleans(),
)  # fmt: skip
def test_axes_keep_their_steps(kind: str, count: int, begin: float, step: float, noisy: bool) -> None:
    rng = np.random.default_rng(count)
    axis = begin + step * (np.arange(count) + (0.4 * rng.random(count) if noisy else 0))
    axis = axis.clip(np.iinfo(kind).min, np.iinfo(kind).max) if kind[0] == "i" else axis
    data = dataset(axis=axis.astype(kind))
    assert failures(data, discover(data)) == []


def test_arrays_have_their_own_constraints() -> None:
    rng = np.random.default_rng(1)
    attributes = Attributes(fields={"depth": {"units": "m", "_FillValue": -9999.0}})
    depth = rng.random((24, 10, 12)).astype("f4")
    depth[3, 4, 5] = -9999
    data = dataset(
        depth=depth, time=np.arange(24) * 3600, y=np.array([0.0, 1.5, 4.0]), t=np.array("2024-01-31", "M8[s]")
    )
    axes = {"depth": ["time", "y", "x"], "time": ["time"]}
    found = discover(data, attributes=attributes, dimensions=axes, options=Options(growing=("time",))).fields
    assert found["depth"]["shape"] == [None, 10, 12] and found["depth"]["max_nulls"] == 1
    assert found["depth"]["units"] == "m" and found["depth"]["finite"] and found["depth"]["dtype"] == "f4"
    assert 0 <= found["depth"]["min"] < found["depth"]["max"] < 1 and found["depth"]["sign"] == "positive"
    assert found["time"] == {
        "type": "int", "min": 0, "sign": "non-negative", "max_nulls": 0, "no_duplicates": True, "dtype": "i8",
        "shape": [None], "order": "increasing", "step": 3600,
    }  # fmt: skip
    assert (found["y"]["order"], found["y"]["max_gap"]) == ("increasing", 2.5) and "step" not in found["y"]
    assert found["t"] == {
        "type": "date", "min": "2024-01-31 00:00:00", "max": "2024-01-31 00:00:00", "max_nulls": 0,
        "dtype": "M8[1s]", "shape": [],
    }  # fmt: skip


def test_an_axis_that_grows_keeps_its_constraints() -> None:
    first, later = (dataset(t=np.arange(n) * 6, u=np.ones((n, 3))) for n in (4, 9))
    found = discover(first, options=Options(growing=("0",)))
    assert failures(later, found) == []
    assert ("u", "shape") in failures(later, discover(first))
    assert ("t", "step") in failures(dataset(t=np.array([0, 6, 18]), u=np.ones((3, 3))), found)


@pytest.mark.parametrize("axis", ["tiem", "2", "-1"])
def test_an_axis_that_no_field_has_cannot_grow(tmp_path: Path, axis: str) -> None:
    np.save(tmp_path / "u.npy", np.ones((4, 3)))
    asked = {"rex": False, "exclude_outliers": False, "fields": [], "growing": [axis]}
    with pytest.raises(HpcprovError, match=f"no field of it has an axis '{axis}': there are numbers below 2"):
        discover_file(str(tmp_path / "u.npy"), asked, threads=1, watch=Watch())


def test_only_some_fields_are_asked_for() -> None:
    data = dataset(**{"a/x": np.arange(3), "a/y": np.arange(3), "b": np.arange(3)})
    assert list(discover(data, options=Options(fields=("a/*",))).fields) == ["a/x", "a/y"]


def test_infinite_bounds_are_none() -> None:
    found = discover(dataset(x=np.array([1.0, np.inf, 2.0]))).fields["x"]
    assert found["min"] == 1.0 and "max" not in found and "finite" not in found


def test_outliers_are_left_out_and_told() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(10, 1, 20_000)
    values[[17, 400]] = 1e6, -1e6
    data = dataset(x=values, same=np.where(np.arange(20_000) < 3, 5, 1))
    found = discover(data, options=Options(exclude_outliers=True))
    assert 4 < found.fields["x"]["min"] < 10 < found.fields["x"]["max"] < 16 and found.fields["x"]["sign"] == "positive"
    assert found.fields["same"]["max"] == 5  # half of it is equal: nothing lies far outside
    (told,) = found.excluded
    assert (told["path"], told["count"]) == ("x", 2)
    assert told["places"] == [{"index": [17], "value": 1e6}, {"index": [400], "value": -1e6}]
    assert failures(data, found) == [("x", "min"), ("x", "max"), ("x", "sign")]


def test_fences_of_a_sample_are_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closer, "SAMPLED", 500)
    values = np.random.default_rng(2).normal(0, 1, 50_000)
    one, other = (discover(dataset(x=values), options=Options(exclude_outliers=True), threads=n) for n in (1, 4))
    assert one.fields == other.fields and one.excluded == other.excluded
    quartiles = np.quantile(values, [0.25, 0.75])
    outside = np.sum((values < quartiles[0] - 3.6) | (values > quartiles[1] + 4.4))
    assert sum(told["count"] for told in one.excluded) >= outside


def test_texts_get_lists_patterns_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tdda")
    codes = np.array([f"{chr(65 + at % 26)}-{at:04d}" for at in range(500)])
    data = dataset(kind=np.array(["a", "b", "a"]), code=codes)
    found = discover(data).fields
    assert found["kind"]["allowed_values"] == ["a", "b"] and "no_duplicates" not in found["kind"]
    assert found["code"]["no_duplicates"] and "allowed_values" not in found["code"]
    assert [pattern.replace("\\", "") for pattern in found["code"]["rex"]] == ["^([A-Z])-([0-9]{4})$"]
    monkeypatch.setattr(closer, "MOST_DISTINCT", 100)  # all are held against the patterns of those that were kept
    assert discover(data).fields["code"]["rex"] == found["code"]["rex"]
    odd = dataset(code=np.array([*codes, "?"]))
    assert "rex" not in discover(odd).fields["code"]


def test_without_tdda_there_are_no_patterns_and_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise rex.NoRexpy(rex.MISSING)

    monkeypatch.setattr(rex, "_rexpy", missing)
    found = discover(dataset(a=np.array(["x", "yy"]), b=np.array(["x", "yy"])))
    assert "rex" not in found.fields["a"] and found.notes == [rex.MISSING]


def test_an_empty_cell_of_csv_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "a.csv").write_text("name,n\nbob,1\n,2\neve,\n")
    with open_data(str(tmp_path / "a.csv")) as data:
        found = discover(data, options=NO_REX)
        assert found.fields["name"]["max_nulls"] == 1 and found.fields["name"]["min_length"] == 3
        assert found.fields["name"]["no_duplicates"] and found.fields["n"]["max_nulls"] == 1
        assert failures(data, found) == []


def test_a_table_of_many_columns() -> None:
    data = dataset(**{f"c{at}": np.array([at, at + 1]) for at in range(1000)})
    found = discover(data, threads=2)
    assert found.fields["c999"]["max"] == 1000
    assert verdict(data, found)["failures"] == 0

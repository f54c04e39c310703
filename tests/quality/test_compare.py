"""Files compared field by field in any two formats, block by block, and in a child process."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hpcprov.data.open import open_data
from hpcprov.quality.compare import compare
from hpcprov.quality.diff import walk
from hpcprov.quality.isolated import Comparing
from hpcprov.signature.isolated import Refused
from hpcprov.signature.watch import Watch


def saved(path: Path, values: np.ndarray) -> str:
    np.save(path, values)
    return str(path)


def fields(one: str, other: str, **tolerances: float) -> list[dict[str, object]]:
    with open_data(one) as left, open_data(other) as right:
        return compare(left, right, **tolerances)


def test_the_largest_difference_and_the_first_one_are_told(tmp_path: Path) -> None:
    right = np.linspace(1, 2, 60).reshape(6, 10)
    wrong = right.copy()
    wrong[1, 2] += 1e-9
    wrong[4, 7] -= 0.5
    (found,) = fields(saved(tmp_path / "a.npy", wrong), saved(tmp_path / "b.npy", right), atol=1e-6)
    assert found["status"] == "different" and (found["count"], found["differing"], found["outside"]) == (60, 2, 1)
    assert found["max_abs"] == 0.5 and found["where"] == found["first"] == [4, 7]
    (found,) = fields(str(tmp_path / "a.npy"), str(tmp_path / "b.npy"))
    assert found["first"] == [1, 2] and found["outside"] == 2
    (found,) = fields(str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), atol=1.0)
    assert found["status"] == "within"


def test_blocks_of_any_size_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    right = rng.random((17, 13, 5))
    wrong = np.where(rng.random(right.shape) < 0.01, right + 1, right)
    names = saved(tmp_path / "a.npy", wrong), saved(tmp_path / "b.npy", right)
    whole = fields(*names)
    assert whole[0]["differing"]
    for size in (1, 100, 1000):
        monkeypatch.setattr(walk, "TARGET", size)
        assert fields(*names) == whole


def test_formats_and_chunks_do_not_matter(tmp_path: Path) -> None:
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    values = np.arange(1000.0).reshape(20, 50)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("g/x", data=values, chunks=(3, 7))
    zarr.create_group(tmp_path / "b.zarr").create_array("g/x", data=values, chunks=(11, 50))
    (found,) = fields(str(tmp_path / "a.h5"), str(tmp_path / "b.zarr"))
    assert (found["path"], found["status"], found["count"]) == ("g/x", "same", 1000)


def test_missing_new_and_unlike_fields_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", here=1.0, longer=np.zeros(3), word=np.zeros(2))
    np.savez(tmp_path / "b.npz", gone=1.0, longer=np.zeros(2), word=np.array([b"a", b"b"]))
    found = {one["path"]: (one["status"], one["reason"]) for one in fields(*(str(tmp_path / f"{n}.npz") for n in "ab"))}
    assert found["gone"] == ("missing", "it is not there") and found["here"] == ("new", "it was not there")
    assert found["longer"] == ("different", "its shape is 3, was 2")
    assert found["word"][0] == "different" and "type" in str(found["word"][1])


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1)])
def test_scalars_and_empty_arrays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    name = saved(tmp_path / "a.npy", np.zeros(shape))
    (found,) = fields(name, name)
    assert found["status"] == "same" and found["count"] == int(np.prod(shape))


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = saved(tmp_path / "a.npy", np.zeros((4096, 1024)))  # 32 MiB
    monkeypatch.setattr(walk, "TARGET", 1 << 18)
    watch = Watch()
    tracemalloc.start()
    with open_data(name) as one, open_data(name) as other:
        compare(one, other, watch=watch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20 and watch.done == watch.total == 32 << 20


def test_a_child_compares_and_says_why_it_cannot(tmp_path: Path) -> None:
    name = saved(tmp_path / "a.npy", np.arange(3.0))
    other = saved(tmp_path / "b.npy", np.array([0.0, 1.0, np.inf]))
    damaged = tmp_path / "c.npy"
    damaged.write_bytes(Path(name).read_bytes()[:-4])
    with Comparing({"threads": 1}, memory=2 << 30) as child:
        assert child.compare(name, other)[0]["first"] == [2]
        with pytest.raises(Refused):
            child.compare(name, str(damaged))
        with pytest.raises(Refused):
            child.compare(name, os.fspath(tmp_path / "none.npy"))
        assert child.compare(name, name)[0]["status"] == "same"
        assert child.describe(name).result["state"] == "ok"

"""The same statistics for any format, chunking, number of threads, parts and nodes: to the last digit."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.data.interface import Box, Field, part
from hpcprov.data.open import open_data
from hpcprov.data.types import Text, plain
from hpcprov.quality.statistics import Counter, counting, statistics_of
from hpcprov.signature import cache, groups, nodes, plan
from hpcprov.signature.artifact import describe
from hpcprov.signature.field import grid_of
from hpcprov.signature.snapshot import look

from .made import counted

SHAPE = (30, 120, 130)


@pytest.fixture(scope="module")
def values() -> np.ndarray[Any, Any]:
    """Several tiles of floats of all sizes, with NaN, infinities and a fill value."""
    chance = np.random.default_rng(5)
    values = chance.normal(size=SHAPE) * 10.0 ** chance.integers(-8, 9, SHAPE)
    values[3, 4:90] = np.nan
    values[7, :, 5] = -9999.0
    values[0, 0, :2] = np.inf, -np.inf
    return values


@pytest.fixture(scope="module")
def whole(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    return counted(Field(b"", plain("f8"), SHAPE, None, 8, lambda box: values[part(box)]), [-9999.0])


def test_what_is_counted_is_right(values: np.ndarray[Any, Any], whole: dict[str, Any]) -> None:
    present = values[np.isfinite(values) & (values != -9999.0)]
    assert whole["missing"] == int(np.isnan(values).sum()) + 120 and whole["infinite"] == 2
    assert whole["mean"] == pytest.approx(present.mean(), rel=1e-9)
    assert whole["std"] == pytest.approx(present.std(), rel=1e-12)
    assert (whole["min"], whole["max"], whole["positive"]) == ("-inf", "inf", int((present > 0).sum()) + 1)


@pytest.mark.parametrize("chunks", [None, (30, 120, 130), (1, 120, 130), (7, 50, 33), (30, 10, 10)])
@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_and_threads_do_not_matter(
    values: np.ndarray[Any, Any], whole: dict[str, Any], chunks: tuple[int, ...] | None, threads: int
) -> None:
    def chunk(index: tuple[int, ...]) -> Any:
        assert chunks is not None
        found = np.zeros(chunks)
        taken = values[tuple(slice(at * step, (at + 1) * step) for at, step in zip(index, chunks, strict=True))]
        found[tuple(slice(0, extent) for extent in taken.shape)] = taken
        return found.astype(">f8")

    field = Field(
        b"", plain("f8"), SHAPE, chunks, 8, lambda box: values[part(box)],
        chunk=chunk if chunks else None, fill=np.float64(0),
    )  # fmt: skip
    assert counted(field, [-9999.0], threads=threads) == whole


@pytest.mark.parametrize("limit", [1, 100_000])
def test_parts_of_tiles_do_not_matter(values: np.ndarray[Any, Any], whole: dict[str, Any], limit: int) -> None:
    field = Field(b"", plain("f8"), SHAPE, None, 8, lambda box: values[part(box)])
    if limit > 1:
        assert counted(field, [-9999.0], limit=limit) == whole
    masked = np.ma.masked_array(np.arange(300.0), np.arange(300) % 7 == 3)
    line = Field(b"", plain("f8"), (300,), None, 8, lambda box: masked[part(box)])
    assert counted(line, limit=limit) == counted(line)


@pytest.mark.parametrize("gap", [False, True])
def test_text_in_parts_is_text_as_a_whole(gap: bool) -> None:
    names: Any = np.array([f"n{at // 3:05d}" for at in range(2000)])
    if gap:
        names = np.ma.masked_array(names, np.arange(2000) == 1999)
    field = Field(b"", Text(), (2000,), None, 64, lambda box: names[part(box)])
    found = counted(field, limit=5000)
    assert found == counted(field)
    assert (found["distinct"], found["missing"], found["order"]) == (667, int(gap), None if gap else "non-decreasing")


def test_formats_do_not_matter(tmp_path: Path, values: np.ndarray[Any, Any]) -> None:
    np.save(tmp_path / "a.npy", values)
    zarr.create_array(tmp_path / "a.zarr", data=values, chunks=(30, 120, 20), shards=(30, 120, 40))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=(7, 50, 60), compression="gzip", shuffle=True)
    found = []
    for name in ("a.npy", "a.zarr", "a.h5"):
        with open_data(str(tmp_path / name)) as data:
            found += statistics_of(data, threads=2).values()
    assert found[0] == found[1] == found[2]


def test_tiles_that_nobody_wrote_are_counted_unread(tmp_path: Path) -> None:
    path = str(tmp_path / "sparse.h5")
    with h5py.File(path, "w") as file:
        kept = file.create_dataset("x", (5000, 5000), "f4", chunks=(500, 500), fillvalue=2.5)
        kept[:10, :10] = 1
        line = file.create_dataset("line", (9_000_000,), "i4", chunks=(1000,), fillvalue=7)
        line[8_999_999] = 8
    with open_data(path) as data:
        found = statistics_of(data)
    assert found["x"]["values"] == [[1.0, 100], [2.5, 24_999_900]]
    assert found["x"]["mean"] == (100 + 2.5 * 24_999_900) / 25e6
    assert found["line"]["values"] == [[7, 8_999_999], [8, 1]] and found["line"]["order"] == "non-decreasing"


@pytest.fixture
def artifact(tmp_path: Path, values: np.ndarray[Any, Any]) -> Iterator[str]:
    path = str(tmp_path / "out.h5")
    with h5py.File(path, "w") as file:
        kept = file.create_dataset("x", data=values, chunks=(7, 50, 60), compression="gzip", compression_opts=1)
        kept.attrs["_FillValue"] = -9999.0
        file["keys"] = np.random.default_rng(7).integers(0, 99, 300_000)
        file["none"] = h5py.Empty("f8")
        file.create_dataset("names", data=["a", "b", "a"], dtype=h5py.string_dtype())
    yield path


def fields(facts: dict[str, Any]) -> dict[str, Any]:
    return {one["path"]: one.get("statistics") for one in facts["signature"]["fields"]}


def test_nodes_share_the_counting(tmp_path: Path, artifact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = describe(artifact, statistics=counting)
    assert fields(alone)["x"]["missing"] == 120 + 86 * 130 and fields(alone)["none"]["count"] == 0
    parts: dict[str, Any] = {"large": 100_000, "group": 2 << 20, "statistics": counting}
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        place.mkdir()
    nodes.share([(artifact, "used")], shared_dir=str(one), node="a", **parts)
    (shared,) = nodes.combine([(artifact, "used")], shared_dir=str(one), group=2 << 20, statistics=counting)
    # A node that died leaves gaps, one that cannot claim does again what was done.
    monkeypatch.setattr(nodes, "claim", lambda *_: random.random() < 0.7)
    for name in ("a", "b"):
        nodes.share([(artifact, "used")], shared_dir=str(other), node=name, **parts)
    (patched,) = nodes.combine([(artifact, "used")], shared_dir=str(other), group=2 << 20, statistics=counting)
    assert fields(shared) == fields(patched) == fields(alone)
    assert json.loads(json.dumps(alone)) == alone


def test_a_note_that_says_nonsense_is_counted_anew(tmp_path: Path, artifact: str) -> None:
    kept = groups.leaves_of

    def broken(signer: Any, box: Box, counter: Any = None) -> bytes:
        return kept(signer, box, counter)[:-3]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "leaves_of", broken)
        nodes.share(
            [(artifact, "used")], shared_dir=str(tmp_path), node="a", large=1, group=2 << 20, statistics=counting
        )
    (found,) = nodes.combine([(artifact, "used")], shared_dir=str(tmp_path), group=2 << 20, statistics=counting)
    assert fields(found) == fields(describe(artifact, statistics=counting))


def test_a_column_is_counted_by_one_process_a_field_of_many_axes_by_several() -> None:
    line = Field(b"", plain("f8"), (1 << 22,), None, 8, lambda box: np.zeros(1))
    cube = Field(b"", plain("f8"), (64, 256, 256), None, 8, lambda box: np.zeros(1))
    for field, several in ((line, False), (cube, True)):
        grid = grid_of(field.shape or (), field.type)
        found = list(groups.groups(field, grid, 2 << 20, Counter(field)))
        assert (len(found) > 1) == several
        assert sum(len(list(plan.boxes(box, grid.tile))) for box in found) == grid.count


def test_what_is_kept_serves_both_who_wants_statistics_and_who_does_not(tmp_path: Path, artifact: str) -> None:
    os.utime(artifact, (1e9, 1e9))
    folder = str(tmp_path / "cache")
    began = describe(artifact, cache_dir=folder)
    assert began["signature"]["how"] == "full" and fields(began)["x"] is None
    seen = look(artifact)
    kept = {**describe(artifact, statistics=counting)}
    cache.write(folder, seen.fingerprint, kept)
    again = describe(artifact, cache_dir=folder, statistics=counting)
    assert again["signature"]["how"] == "cached" and fields(again) == fields(kept)
    plain_again = describe(artifact, cache_dir=folder)
    assert plain_again["signature"]["how"] == "cached" and fields(plain_again)["x"] is None
    cache.write(folder, seen.fingerprint, plain_again)
    assert describe(artifact, cache_dir=folder, statistics=counting)["signature"]["how"] == "full"

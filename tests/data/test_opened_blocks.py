"""Arrays of dask in objects of xarray: computed block by block, each block once, whatever boxes are asked for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hpcprov
from hpcprov.data import opened_blocks
from hpcprov.data.interface import slices
from hpcprov.data.opened import opened
from hpcprov.data.opened_blocks import Blocks
from tests.require import require

xarray = pytest.importorskip("xarray")
pytest.importorskip("hpcprov.xarray")
require("dask", find_spec("dask"))
dask: Any = pytest.importorskip("dask.array")
#: Edges of blocks that are no multiples of those of tiles, as months are; the first is not the largest.
MONTHS = (28, 31, 30, 7)


def lazy(values: Any, chunks: Any, computed: list[tuple[int, ...]]) -> Any:
    """The values as an array of dask that notes the shape of each block that it computes."""

    def noted(block: Any, block_info: Any = None) -> Any:
        computed.append(block.shape)
        return block

    return dask.from_array(values, chunks=chunks).map_blocks(noted, dtype=values.dtype, meta=values[:0, :0, :0])


def test_each_block_is_computed_once_for_each_call() -> None:
    values = np.arange(sum(MONTHS) * 250 * 500, dtype="f4").reshape(-1, 250, 500)
    computed: list[tuple[int, ...]] = []
    here = xarray.Dataset({"t": (("time", "y", "x"), values)})
    there = xarray.Dataset({"t": (("time", "y", "x"), lazy(values, (MONTHS, (120, 130), (500,)), computed))})
    calls = (there.hpcprov.signature, there.hpcprov.statistics, lambda: there.hpcprov.diff(here))
    signature, counted, difference = (call() for call in calls)
    assert len(computed) == len(calls) * len(MONTHS) * 2
    assert max(map(np.prod, computed)) == 31 * 130 * 500
    assert signature == here.hpcprov.signature()
    assert (counted["t"]["max"], difference.status) == (float(values[-1, -1, -1]), "same")


def test_the_signature_is_that_of_the_store(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    values = np.random.default_rng(1).random((21, 33, 40))
    stored = {"t": {"chunks": (7, 11, 40)}}
    xarray.Dataset({"t": (("time", "y", "x"), values)}).to_zarr(
        tmp_path / "t.zarr", consolidated=False, encoding=stored
    )
    with xarray.open_zarr(tmp_path / "t.zarr", consolidated=False, chunks={"time": 14, "y": 11}) as lazily:
        assert hpcprov.signature(lazily) == hpcprov.signature(tmp_path / "t.zarr")


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_blocks, "KEPT", 4000)
    monkeypatch.setattr(opened_blocks, "AT_ONCE", 2000)
    values: Any = np.arange(20 * 15 * 9, dtype="i4").reshape(20, 15, 9)
    blocks = Blocks(xarray.Variable(("a", "b", "c"), lazy(values, ((3, 10, 7), (8, 7), (4, 0, 5)), [])))
    assert blocks.extents() == (10, 8, 5)
    random = np.random.default_rng(2)
    for _ in range(60):
        box = tuple((int(a), int(b)) for a, b in (sorted(random.integers(0, n + 1, 2)) for n in values.shape))
        assert np.array_equal(blocks.read(box), values[slices(box)])
        assert blocks.held <= 4000 or len(blocks.kept) <= opened_blocks.LEAST
        assert blocks.held == sum(blocks._size(blocks._box(index)) for index in blocks.kept)


def test_what_cannot_be_computed_says_so_each_time() -> None:
    def broken(block: Any) -> Any:
        raise ValueError("no such file")

    array = dask.zeros((4, 4), chunks=2).map_blocks(broken, dtype="f8", meta=np.zeros((0, 0)))
    (field,) = opened(xarray.DataArray(array)).fields
    for _ in range(2):
        with pytest.raises(ValueError, match="no such file"):
            field.read(((0, 3), (0, 3)))

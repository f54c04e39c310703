"""Stores of arrays that take the place of others: for the same readers, and the old one is never lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import zarr

from hpcprov.data.types import plain
from hpcprov.data.write_arrays import write_arrays
from hpcprov.record.errors import HpcprovError


def write(path: Path, number: int) -> None:
    with write_arrays(str(path), replace=True) as out:
        out.create("x", plain("i8"), (3,))(((0, 3),), np.full(3, number))


@pytest.mark.parametrize("name", ["a.zarr", "a.h5"])
def test_a_file_of_mine_alone_stays_that(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, 1)
    mode = 0o700 if name == "a.zarr" else 0o600
    os.chmod(tmp_path / name, mode)
    write(tmp_path / name, 2)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert os.listdir(tmp_path) == [name]


def test_a_store_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rename = tmp_path / "a.zarr", os.rename
    write(path, 1)

    def fails(one: str, other: str) -> None:
        if ".draft-" in one:
            raise OSError(5, "Input/output error")
        rename(one, other)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(HpcprovError, match="Input/output"):
        write(path, 2)
    assert os.listdir(tmp_path) == ["a.zarr"]
    assert zarr.open_group(str(path), mode="r")["x"][:].tolist() == [1, 1, 1]

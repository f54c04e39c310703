"""What differs besides the values: attributes, types, storage; what only formats write in two ways does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options

h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")


def test_attributes_types_and_storage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["title"] = "one"
        made = file.create_dataset("t", data=np.arange(6, dtype="f8"), chunks=(2,), compression="gzip")
        made.attrs.update({"units": "K", "_FillValue": np.nan, "valid_range": [0.0, 400.0], "flag": True, "gone": 1})
    group = zarr.create_group(tmp_path / "b.zarr")
    group.attrs["title"] = "x" * 1000
    array = group.create_array("t", data=np.arange(6, dtype="f4"), chunks=(3,))
    array.attrs.update(
        {"units": "degC", "_FillValue": "AAAAAAAA+H8=", "valid_range": [0.0, 400.0], "flag": 1, "new": [1] * 50}
    )
    found = diff_files(str(tmp_path / "a.h5"), str(tmp_path / "b.zarr"), Options())
    assert found["status"] == "same"
    told = {(one["field"], one["what"], one["name"]): (one["one"], one["other"]) for one in found["structure"]}
    assert told.pop(("", "attribute", "title"))[1] == "x" * 199 + "…"
    assert told.pop(("t", "type", None)) == ("f8", "f4")
    assert told.pop(("t", "attribute", "units")) == ("K", "degC")
    assert told.pop(("t", "attribute", "gone")) == (1, None)
    assert told.pop(("t", "attribute", "new"))[1] == [*[1] * 20, "… 30 more"]
    assert told.pop(("t", "storage", "chunks")) == ([2], [3])
    assert told.pop(("t", "storage", "codec"))[0] == "deflate(4)"
    told.pop(("t", "attribute", "flag"), None)  # HDF5 has no bool of its own
    assert told == {}

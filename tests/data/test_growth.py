"""Which file of a Zarr directory holds which part of an array: known layouts exactly, all others not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from hpcprov.data.growth import DOCUMENTS, Held, held_array

V3: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [10, 10],
    "data_type": "float64",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 4]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    "fill_value": 0,
    "attributes": {"units": "m"},
}


def held(folder: Path, metadata: Any, name: str = "zarr.json") -> Held | None:
    (folder / name).write_text(metadata if isinstance(metadata, str) else json.dumps(metadata))
    return held_array(os.fsencode(folder / name))


OPTIONS: list[dict[str, Any]] = [
    {"zarr_format": 2},
    {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    {"zarr_format": 3},
    {"zarr_format": 3, "chunk_key_encoding": {"name": "default", "separator": "."}},
    {"zarr_format": 3, "chunk_key_encoding": {"name": "v2", "separator": "."}},
    {"zarr_format": 3, "shards": (6, 8)},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_file_that_zarr_writes_is_known(options: dict[str, Any], tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "x", data=np.arange(100.0).reshape(10, 10), chunks=(3, 4), **options)
    document = tmp_path / "x" / os.fsdecode(DOCUMENTS[f"zarr{options['zarr_format']}"])
    found = held_array(os.fsencode(document))
    assert found is not None and found.extents == options.get("shards", (3, 4))
    files = [place for place in (tmp_path / "x").rglob("*") if place.is_file() and place.suffix != ".json"]
    names = [str(place.relative_to(tmp_path / "x")) for place in files if not place.name.startswith(".z")]
    counts = [-(-10 // extent) for extent in found.extents]
    assert sorted(found.index(name) or () for name in names) == list(np.ndindex(*counts))


@pytest.mark.parametrize(
    "name",
    ["", "c", "c/1", "c/1/2/3", "c/-1/2", "c/01/2", "c/1/2/", "/c/1/2", "c/1.2", "1/2", "c/1/x", "c/1/ 2", "c/1/²",
     "c/1/" + "9" * 19, "zarr.json", "d/1/2", "c/1/2.tmp"],
)  # fmt: skip
def test_names_that_are_no_chunk_s(name: str, tmp_path: Path) -> None:
    found = held(tmp_path, V3)
    assert found is not None and found.index("c/1/2") == (1, 2)
    assert found.index(name) is None


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in V3.items() if name != key}


@pytest.mark.parametrize(
    "metadata",
    [
        "", "[]", "null", "{", "[" * 100_000, "{}",
        {**V3, "chunk_grid": {"name": "rectilinear", "configuration": {"chunk_shapes": [[3], [4]]}}},
        {**V3, "chunk_key_encoding": {"name": "fanout"}},
        {**V3, "chunk_key_encoding": {"name": "default", "configuration": {"separator": ""}}},
        {**V3, "chunk_key_encoding": {"name": "default", "configuration": {"separator": "x"}}},
        {**V3, "chunk_key_encoding": "default"},
        {**V3, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 0]}}},
        {**V3, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [3, 4.5]}}},
        {**V3, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": []}}},
        {**V3, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": "34"}}},
        {**V3, "storage_transformers": [{"name": "other"}]},
        without("chunk_grid"), without("chunk_key_encoding"),
    ],
)  # fmt: skip
def test_layouts_that_are_not_known_here_say_nothing(metadata: Any, tmp_path: Path) -> None:
    assert held(tmp_path, metadata) is None
    assert held(tmp_path, metadata, ".zarray") is None


def test_what_is_no_file_says_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "zarr.json")
    assert held_array(os.fsencode(tmp_path / "zarr.json")) is None
    (tmp_path / "target").write_text(json.dumps(V3))
    (tmp_path / ".zarray").symlink_to("target")
    assert held_array(os.fsencode(tmp_path / ".zarray")) is None
    (tmp_path / "x").mkdir()
    large = tmp_path / "x" / "zarr.json"
    large.write_text(json.dumps(V3))
    os.truncate(large, 1 << 40)
    assert held_array(os.fsencode(large)) is None


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("shape", [99, 10], True),
        ("attributes", {}, True),
        ("fill_value", 1, False),
        ("data_type", "int64", False),
        ("codecs", [], False),
        ("chunk_grid", {"name": "regular", "configuration": {"chunk_shape": [3, 5]}}, False),
        ("dimension_names", ["a", "b"], False),
    ],
)
def test_what_the_values_depend_on(key: str, value: Any, same: bool, tmp_path: Path) -> None:
    one, other = held(tmp_path, V3), held(tmp_path, V3 | {key: value})
    assert one is not None and other is not None
    assert (one.frame == other.frame) == same

"""Files compared in any two formats; what is known of them is not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.commands import diff_page
from hpcprov.data.interface import Box, Dataset, Field, lengths
from hpcprov.data.open import open_data
from hpcprov.quality.diff import files
from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options
from hpcprov.record.errors import HpcprovError
from hpcprov.signature import snapshot
from hpcprov.signature.artifact import describe

h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")

SHAPE = (64, 256, 256)  # 16 MiB of f4: 16 tiles
VALUES = np.random.default_rng(5).random(SHAPE, dtype="f4")


@pytest.fixture
def stores(tmp_path: Path) -> tuple[str, str]:
    """An HDF5 file and a Zarr store with one cell and the chunks different, and one field the same."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("u", data=VALUES, chunks=(16, 64, 64)).attrs["units"] = "m s-1"
        file["same"] = np.arange(300_000.0)
    other = VALUES.copy()
    other[40, 100, 200] += 1
    group = zarr.create_group(tmp_path / "b.zarr")
    group.create_array("u", data=other, chunks=(32, 128, 128)).attrs["units"] = "cm s-1"
    group.create_array("same", data=np.arange(300_000.0))
    return str(tmp_path / "a.h5"), str(tmp_path / "b.zarr")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """The elements that `Field.read` was asked for, by the names of fields."""
    asked: list[tuple[str, int]] = []

    def opened(path: str, **options: Any) -> Dataset:
        data = open_data(path, **options)
        return replace(data, fields=tuple(map(counting, data.fields)))

    def counting(field: Field) -> Field:
        def read(box: Box) -> Any:
            asked.append((field.name, prod(lengths(box))))
            return field.read(box)

        return replace(field, read=read)

    monkeypatch.setattr(files, "open_data", opened)
    yield asked


def places(tmp_path: Path) -> dict[str, Any]:
    return {"cache_dir": str(tmp_path / "cache"), "tiles_dir": str(tmp_path / "tiles")}


def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *paths: str) -> dict[str, Any]:
    """Sign files, so that a store knows them."""
    monkeypatch.setattr(snapshot, "SETTLED_NS", -(10**12))
    for path in paths:
        assert describe(path, **places(tmp_path))["state"] == "ok"
    return places(tmp_path)


def test_one_cell_between_formats(stores: tuple[str, str]) -> None:
    found = diff_files(*stores, Options(threads=2))
    same, field = found["fields"]
    assert (same["path"], same["status"], field["how"]) == ("same", "same", "values")
    assert (field["differing"], field["first"]["at"]) == (1, [40, 100, 200])
    assert found["format"] == ["hdf5", "zarr3"] and found["status"] == "different"
    told = {(one["field"], one["what"], one["name"]) for one in found["structure"]}
    assert ("u", "attribute", "units") in told and ("u", "storage", "chunks") in told


def test_of_known_files_only_the_differing_tile_is_read(
    stores: tuple[str, str], reads: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = known(monkeypatch, tmp_path, *stores)
    reads.clear()
    found = diff_files(*stores, Options(), **kept)
    same, field = found["fields"]
    assert found["known"] == ["cached", "cached"] and same["how"] == "signature"
    assert (field["how"], field["tiles"], field["differing"]) == ("tiles", [1, 16], 1)
    assert {name for name, _ in reads} == {"u"}
    tile = 1 << 18  # elements
    assert sum(count for _, count in reads if count > 1) == 2 * tile and field["read"] == 2 * 4 * tile


def test_when_one_is_known_the_other_is_signed_and_equal_fields_are_read_once(
    stores: tuple[str, str], reads: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = known(monkeypatch, tmp_path, stores[0])
    reads.clear()
    found = diff_files(*stores, Options(), **kept)
    assert found["known"] == ["cached", "full"] and found["fields"][1]["tiles"] == [1, 16]
    assert sum(count for _, count in reads) < 2 * (1 << 18) + 10


def test_nan_that_differs_is_looked_for_in_what_is_known_to_be_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, np.nan]))
    np.save(tmp_path / "b.npy", np.array([1.0, np.nan]))
    pair = str(tmp_path / "a.npy"), str(tmp_path / "b.npy")
    kept = known(monkeypatch, tmp_path, *pair)
    assert diff_files(*pair, Options(), **kept)["fields"][0]["how"] == "signature"
    assert diff_files(*pair, Options(nan_differs=True), **kept)["fields"][0]["differing"] == 1


def test_other_types_of_equal_numbers_have_no_tiles_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    np.save(tmp_path / "b.npy", VALUES.astype("f8"))
    kept = known(monkeypatch, tmp_path, str(tmp_path / "a.npy"), str(tmp_path / "b.npy"))
    found = diff_files(str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), Options(), **kept)
    assert found["status"] == "same" and found["fields"][0]["how"] == "values"
    assert [one["what"] for one in found["structure"]] == ["type"]


def test_a_fill_value_is_missing_and_no_distance(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    one = np.arange(24, dtype="f4").reshape(2, 3, 4)
    other = one.copy()
    one[0, 0, :2], other[0, 0, 1:3], other[1, 2, 3] = -999, -1e20, 24
    one[1, 0, 0], other[1, 0, 0] = np.nan, -1e20  # as converters do: missing all the time
    for name, values, fill in (("a.h5", one, -999), ("b.h5", other, -1e20)):
        with h5py.File(tmp_path / name, "w") as file:
            file["u"] = values
            file["u"].attrs["_FillValue"] = np.float32(fill)
    found = diff_files(str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), Options(picture=True))
    (field,) = found["fields"]
    assert (field["differing"], field["missing"]) == (5, {"appeared": 1, "vanished": 1, "both": 2})
    assert field["nan"] == {"appeared": 0, "vanished": 0}
    assert diff_page.notes(found)["u"] == ["missing: 1 appeared, 1 vanished, 2 on both sides, as other values"]
    assert (field["first"]["at"], field["largest"]["at"], field["largest"]["value"]) == ([0, 0, 0], [1, 2, 3], 1.0)
    assert field["picture"]["levels"] and max(field["picture"]["levels"]) <= 1
    (rough,) = diff_files(str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), Options(atol=1e30))["fields"]
    assert (rough["status"], rough["outside"]) == ("different", 4)


def test_one_array_against_a_store_of_one(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES[0])
    zarr.create_group(tmp_path / "b.zarr").create_array("deep/name", data=VALUES[0])
    found = diff_files(str(tmp_path / "a.npy"), str(tmp_path / "b.zarr"), Options())
    assert found["status"] == "same" and found["fields"][0]["other_path"] == "deep/name"


def test_a_field_of_a_store_against_one_array(tmp_path: Path, stores: tuple[str, str]) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    for pair in ((str(tmp_path / "a.npy"), stores[0]), (stores[0], str(tmp_path / "a.npy"))):
        found = diff_files(*pair, Options(fields=("u",)))
        assert found["status"] == "same" and len(found["fields"]) == 1
    assert {one["status"] for one in diff_files(*stores, Options(fields=("s*", "u=u")))["fields"]} == {
        "same",
        "different",
    }


def test_fields_that_are_not_asked_for_are_no_obstacle(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["x"] = np.arange(3)
            file.create_dataset("bomb", shape=(10**6, 10**6), chunks=(1000, 1000), dtype="f8")
    pair = str(tmp_path / "a.h5"), str(tmp_path / "b.h5")
    with pytest.raises(HpcprovError, match="too many fill values"):
        diff_files(*pair, Options())
    assert diff_files(*pair, Options(fields=("x",)))["status"] == "same"


def test_files_without_fields_are_compared_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    (tmp_path / "b").write_bytes(b"x" * 99)
    found = diff_files(str(tmp_path / "a"), str(tmp_path / "b"), Options())
    assert found["status"] == "different" and found["bytes"] == {"sizes": [100, 99], "first": 99}
    assert diff_files(str(tmp_path / "a"), str(tmp_path / "a"), Options())["status"] == "same"


def test_whatever_cannot_be_compared_is_named(tmp_path: Path, stores: tuple[str, str]) -> None:
    (tmp_path / "plain").write_text("hello")
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(Path(stores[0]).read_bytes()[:5000])
    for path in (tmp_path / "plain", tmp_path / "none", damaged, tmp_path):
        for pair in ((stores[0], str(path)), (str(path), stores[0])):
            with pytest.raises(HpcprovError) as failure:
                diff_files(*pair, Options())
            assert str(path) in failure.value.message


def test_a_store_on_which_somebody_writes_is_refused(
    stores: tuple[str, str], reads: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = files.diff

    def meanwhile(*words: Any, **options: Any) -> Any:
        zarr.open_group(stores[1], mode="a")["u"][0, 0, 0] = 7
        return asked(*words, **options)

    monkeypatch.setattr(files, "diff", meanwhile)
    with pytest.raises(HpcprovError, match="changed while it was read"):
        diff_files(*stores, Options())


@pytest.mark.parametrize("known", [None, 0, 1])
def test_what_cannot_be_read_is_told_with_its_file(tmp_path: Path, known: int | None) -> None:
    paths = [str(tmp_path / name) for name in ("a.zarr", "b.zarr")]
    for path in paths:
        array = zarr.open_group(path, mode="w").create_array("x", shape=(8,), chunks=(4,), dtype="f8")
        array[:] = np.arange(8.0)
    if known is not None:
        describe(paths[known], threads=1, cache_dir=str(tmp_path / "cache"))
    damaged = 1 - (known or 0)
    (Path(paths[damaged]) / "x" / "c" / "1").write_bytes(b"no chunk")
    with pytest.raises(HpcprovError, match=f"^{paths[damaged]}: x: .* cannot be decoded"):
        diff_files(paths[0], paths[1], Options(threads=2), cache_dir=str(tmp_path / "cache"))

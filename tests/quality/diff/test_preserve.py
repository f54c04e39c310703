"""Both versions and their differences, written as HDF5 or Zarr and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpcprov.data.open import open_data
from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.sound import is_sound
from hpcprov.record.errors import HpcprovError

pytest.importorskip("h5py")
pytest.importorskip("zarr")

ONE = {
    "deep.x": np.random.default_rng(2).random((30, 40)).astype("f4"),
    "n": np.arange(10, dtype="u1"),
    "when": np.array(["2020-01-01", "2021-01-01"], "M8[ns]"),
    "word": np.array(["a", "bé"]),
    "equal": np.arange(4),
}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    other = {name: values.copy() for name, values in ONE.items()}
    other["deep.x"][3, 4] += 1
    other["n"][3] = 200
    other["when"][1] = np.datetime64("2022-01-01")
    other["word"][0] = "zz"
    np.savez(tmp_path / "a.npz", **ONE)
    np.savez(tmp_path / "b.npz", **other)
    return str(tmp_path / "a.npz"), str(tmp_path / "b.npz")


@pytest.mark.parametrize("form", ["zarr", "h5"])
def test_both_versions_and_their_difference(pair: tuple[str, str], tmp_path: Path, form: str) -> None:
    out = str(tmp_path / f"out.{form}")
    found = diff_files(*pair, Options(preserve=out))
    assert found["preserved"] == {"path": out, "fields": ["deep.x", "n", "when", "word"], "left_out": []}
    with open_data(out) as data:
        fields = {field.name: field for field in data.fields}
        assert set(fields) == {f"{a}{b}" for a in ("deep.x", "n", "when", "word") for b in ("", "-2")} | {
            f"diff-{a}" for a in ("deep.x", "n", "when", "word")
        }
        assert fields["n"].type.text == "u1" and fields["when-2"].type.text == "M8[1ns]"
        apart = fields["diff-deep.x"].read(((0, 30), (0, 40)))
        assert np.argwhere(apart).tolist() == [[3, 4]] and apart[3, 4] == pytest.approx(1)
        assert fields["diff-n"].read(((0, 10),)).tolist() == [0, 0, 0, 197, 0, 0, 0, 0, 0, 0]
        assert fields["diff-word"].type.text == "bool" and fields["diff-when"].type.text == "bool"
    names = [field.name for field in fields.values() if not field.name.startswith("diff") and field.name[-2:] != "-2"]
    again = diff_files(pair[0], out, Options(fields=tuple(names)))
    assert {field["path"]: field["status"] for field in again["fields"]} == dict.fromkeys(names, "same")


def test_fields_of_one_shape_have_one_mask(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(5), y=np.zeros(5))
    np.savez(tmp_path / "b.npz", x=np.array([0, 1, 0, 0, 0.1]), y=np.array([2.0, 0, 0, 0, 0]))
    out = str(tmp_path / "o.h5")
    diff_files(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), Options(preserve=out, atol=0.5))
    with open_data(out) as data:
        (mask,) = (field for field in data.fields if field.name == "diff")
        assert np.asarray(mask.read(((0, 5),))).astype(bool).tolist() == [True, True, False, False, False]


def test_nothing_is_replaced_unless_it_is_told_to_and_nothing_else_ever(pair: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    diff_files(*pair, Options(preserve=str(out)))
    with pytest.raises(HpcprovError, match="is there already"):
        diff_files(*pair, Options(preserve=str(out)))
    diff_files(*pair, Options(preserve=str(out), force=True))
    mine = tmp_path / "mine.zarr"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    with pytest.raises(HpcprovError, match="not replaced"):
        diff_files(*pair, Options(preserve=str(mine), force=True))
    assert (mine / "thesis.txt").read_text() == "years"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_compared_is_not_overwritten(tmp_path: Path, pair: tuple[str, str]) -> None:
    out = str(tmp_path / "o.h5")
    diff_files(*pair, Options(preserve=out))
    before = Path(out).read_bytes()
    with pytest.raises(HpcprovError, match="is compared"):
        diff_files(out, pair[1], Options(preserve=out, force=True))
    assert Path(out).read_bytes() == before


def test_equal_data_leave_nothing(pair: tuple[str, str], tmp_path: Path) -> None:
    found = diff_files(pair[0], pair[0], Options(preserve=str(tmp_path / "out.h5")))
    assert found["preserved"]["path"] is None and not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("name", ["out.h5", "out.zarr"])
def test_nothing_is_left_of_an_earlier_diff(name: str, pair: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / name
    diff_files(*pair, Options(preserve=str(out)))
    with pytest.raises(HpcprovError, match="is there already"):
        diff_files(pair[0], pair[0], Options(preserve=str(out)))
    for removed in (True, False):
        found = diff_files(pair[0], pair[0], Options(preserve=str(out), force=True))
        assert found["preserved"]["removed"] is removed and is_sound(found) and not out.exists()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.zarr"])
def test_nothing_is_left_of_an_earlier_diff_of_tables(name: str, tmp_path: Path) -> None:
    tables = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    for table, end in zip(tables, ("3\n", "4\n", "3.0\n"), strict=True):
        table.write_text("id,x\n1,2\n2," + end)
    one, other, same = map(str, tables)
    out = tmp_path / name
    diff_files(one, other, Options(preserve=str(out)))
    assert out.exists()
    found = diff_files(one, same, Options(preserve=str(out), force=True, rtol=0.1))
    assert found["preserved"]["removed"] is True and is_sound(found) and not out.exists()

"""HDF5 data in other files: read there with `follow`, refused by name without, and nothing missing is a value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from hpcprov.data.open import open_data
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData


def fields(path: Path) -> dict[str, Any]:
    """The values of every field, other files followed."""
    with open_data(str(path), follow=True) as data:
        return {
            field.name: field.read(tuple((0, extent) for extent in field.shape or ())).tolist() for field in data.fields
        }


def refused(path: Path, kind: type[Exception], match: str, *, follow: bool = True) -> None:
    with pytest.raises(kind, match=match):
        open_data(str(path), follow=follow)


def linked(folder: Path, target: str = "other.h5", inside: str = "/g/x") -> Path:
    with h5py.File(folder / "x", "w") as file:
        file["own"] = 1
        file["away"] = h5py.ExternalLink(target, inside)
    return folder / "x"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["g/x"] = [1, 2, 3]
        file["g/y"] = [4]
    return tmp_path / "other.h5"


def test_an_external_link_to_a_dataset(other: Path, tmp_path: Path) -> None:
    path = linked(tmp_path)
    assert fields(path) == {"away": [1, 2, 3], "own": 1}
    with open_data(str(path), follow=True) as data:
        assert data.files == (str(other),)
    refused(
        path, Unsigned, "away: an external link leads to the file 'other.h5', which only --follow reads", follow=False
    )


def test_an_external_link_to_a_group_and_to_a_root(other: Path, tmp_path: Path) -> None:
    assert fields(linked(tmp_path, inside="/g")) == {"away/x": [1, 2, 3], "away/y": [4], "own": 1}
    assert list(fields(linked(tmp_path, inside="/"))) == ["away/g/x", "away/g/y", "own"]
    assert list(fields(linked(tmp_path, target=str(other)))) == ["away", "own"]


def test_files_that_link_to_each_other(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a", "w") as a, h5py.File(tmp_path / "b", "w") as b:
        a["x"], b["y"] = 1, 2
        a["to b"], b["to a"], a["to me"] = (h5py.ExternalLink(name, "/") for name in ("b", "a", "a"))
    assert fields(tmp_path / "a") == {"to b/y": 2, "x": 1}
    assert fields(tmp_path / "b") == {"to a/x": 1, "y": 2}


def test_a_path_over_soft_and_external_links(other: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "middle", "w") as file:
        file["group/soft"] = h5py.SoftLink("../there")
        file["group/up"] = h5py.SoftLink("/there/")
        file["there"] = h5py.ExternalLink("other.h5", "g")
    assert fields(linked(tmp_path, "middle", "/group/up/x")) == {"away": [1, 2, 3], "own": 1}


@pytest.mark.parametrize(
    ("target", "inside", "reason"),
    [
        ("nowhere.h5", "/x", "away: the file '.*nowhere.h5' that it leads to cannot be read: No such file"),
        ("other.h5", "/g/nope", "away: '/g/nope' is not there in '.*other.h5'"),
        ("other.h5", "/g/x/deeper", "away: '/g/x/deeper' is not there"),
        ("pipe", "/x", "away: '.*pipe', which it leads to, is not a regular file"),
        ("/dev/zero", "/x", "away: '/dev/zero', which it leads to, is not a regular file"),
        (".", "/x", "is not a regular file"),
        ("text", "/x", "away: the file '.*text' that it leads to cannot be opened"),
        ("x", "/away", "away: leads over more than 100 links"),
        ("ring", "/a", "away: leads over more than 100 links"),
    ],
)
def test_what_a_link_leads_to_is_looked_at_first(
    target: str, inside: str, reason: str, other: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("no HDF5")
    with h5py.File(tmp_path / "ring", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
    refused(linked(tmp_path, target, inside), UnreadableData, reason)


def test_many_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        for number in range(202):
            with h5py.File(tmp_path / f"n{number}", "w") as part:
                part["x"] = number
            file[f"n{number:03}"] = h5py.ExternalLink(f"n{number}", "x")
    refused(tmp_path / "x", Unsigned, "more than 200 other files")
    with h5py.File(tmp_path / "x", "a") as file:
        del file["n200"], file["n201"]
    assert list(fields(tmp_path / "x").values()) == list(range(200))


def stored_outside(folder: Path, parts: list[tuple[str, int, int]]) -> Path:
    with h5py.File(folder / "x", "w") as file:
        file.create_dataset("x", (4,), "<i4", external=parts)
    return folder / "x"


def test_external_storage(tmp_path: Path) -> None:
    content = np.arange(6, dtype="<i4").tobytes()
    (tmp_path / "a.raw").write_bytes(content[:12])
    (tmp_path / "b.raw").write_bytes(content[12:])
    path = stored_outside(tmp_path, [("a.raw", 4, 8), (str(tmp_path / "b.raw"), 0, 8)])
    assert fields(path) == {"x": [1, 2, 3, 4]}
    with open_data(str(path), follow=True) as data:
        assert data.files == (str(tmp_path / "a.raw"), str(tmp_path / "b.raw"))
    refused(path, Unsigned, "x: its values lie in the external file 'a.raw', which only --follow", follow=False)
    (tmp_path / "b.raw").write_bytes(content[12:16])
    refused(path, UnreadableData, "x: the external file '.*b.raw' is too short: 4 bytes")
    (tmp_path / "b.raw").unlink()
    refused(path, UnreadableData, "x: the file '.*b.raw' that it leads to cannot be read")
    refused(stored_outside(tmp_path, [("/dev/zero", 0, 16)]), UnreadableData, "'/dev/zero', which it leads to")


def virtual(folder: Path, sources: list[tuple[str, str]], name: str = "x", length: int = 3) -> Path:
    layout = h5py.VirtualLayout((len(sources), length), "<i8")
    for at, (file, path) in enumerate(sources):
        layout[at] = h5py.VirtualSource(file, path, (length,))
    with h5py.File(folder / name, "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-9)
        file["own"] = [7, 8, 9]
    return folder / name


def test_virtual_datasets(other: Path, tmp_path: Path) -> None:
    path = virtual(tmp_path, [("other.h5", "g/x"), (".", "own")])
    assert fields(path) == {"own": [7, 8, 9], "v": [[1, 2, 3], [7, 8, 9]]}
    with open_data(str(path), follow=True) as data:
        assert data.files == (str(other),)
    refused(path, Unsigned, "v: a virtual dataset reads other files, which only --follow reads", follow=False)


def test_a_virtual_dataset_over_a_virtual_dataset(other: Path, tmp_path: Path) -> None:
    virtual(tmp_path, [("other.h5", "g/x")], "lower")
    layout = h5py.VirtualLayout((1, 3), "<i8")
    layout[...] = h5py.VirtualSource("lower", "v", (1, 3))
    with h5py.File(tmp_path / "upper", "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-9)
    assert fields(tmp_path / "upper") == {"v": [[1, 2, 3]]}
    other.unlink()
    refused(tmp_path / "upper", UnreadableData, "v: the file '.*other.h5' that it leads to")


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        (("nowhere.h5", "x"), UnreadableData, "v: the file '.*nowhere.h5' that it leads to"),
        (("other.h5", "nope"), UnreadableData, "v: 'nope' is not there in '.*other.h5'"),
        (("other.h5", "g"), UnreadableData, "v: 'g' in '.*other.h5' is no dataset"),
        (("other.h5", "g/y"), UnreadableData, "v: 'g/y' in '.*other.h5' has fewer values"),
        (("x", "v"), UnreadableData, "v: .* (has fewer values|reads itself)"),
        (("/dev/zero", "x"), UnreadableData, "v: '/dev/zero', which it leads to, is not a regular file"),
    ],
)
def test_virtual_datasets_whose_source_is_missing(
    source: tuple[str, str], kind: type[Exception], reason: str, other: Path, tmp_path: Path
) -> None:
    refused(virtual(tmp_path, [source]), kind, reason)


def test_a_virtual_dataset_over_a_numbered_series(tmp_path: Path) -> None:
    kind, creation = h5t.STD_I64LE, h5p.create(h5p.DATASET_CREATE)
    whole = h5s.create_simple((0, 3), (h5s.UNLIMITED, 3))
    whole.select_hyperslab((0, 0), (h5s.UNLIMITED, 1), (1, 3), (1, 3))
    creation.set_virtual(whole, b"part-%b.h5", b"x", h5s.create_simple((1, 3)))
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"v", kind, whole, creation)
    refused(tmp_path / "x", Unsigned, "v: a virtual dataset over a numbered series")


def test_virtual_datasets_that_read_each_other(tmp_path: Path) -> None:
    for name, source in (("a", "b"), ("b", "a")):
        layout = h5py.VirtualLayout((3,), "<i8")
        layout[...] = h5py.VirtualSource(source, "v", (3,))
        with h5py.File(tmp_path / name, "w") as file:
            file.create_virtual_dataset("v", layout)
            assert file["v"].shape == (3,)
    refused(tmp_path / "a", UnreadableData, "v: a virtual dataset that reads itself")


def test_soft_links_are_told_and_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["data"], file["g/data"] = 1, 2
        file["soft"], file["g/dangling"] = h5py.SoftLink("/data"), h5py.SoftLink("../nowhere")
        file["g/self"] = h5py.SoftLink("self")
    with open_data(str(tmp_path / "x")) as data:
        assert [field.name for field in data.fields] == ["data", "g/data"]
        assert data.links == ((b"g/dangling", b"../nowhere"), (b"g/self", b"self"), (b"soft", b"/data"))
        assert data.files == ()

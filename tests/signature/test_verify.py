"""The verdict on an artifact: every state that was recorded, against every state that is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpcprov.record import layout
from hpcprov.record.artifact import BLANK
from hpcprov.signature import verify
from hpcprov.signature.artifact import describe
from hpcprov.signature.verify import Tiles, compare, compare_fields

A, B = "blake3:" + "a" * 64, "blake3:" + "b" * 64


def facts(storage: str | None = None, signature: str | None = None, **more: Any) -> dict[str, Any]:
    """Facts of an artifact; the signature is a letter, of a dataset with one field."""
    field = {"path": "u", "type": "f8", "shape": [3], "tile": [4], "signature": f"hpcprov1:{signature}", "bytes": 24}
    signed = {"digest": f"hpcprov1:{signature}", "how": "full", "kind": "tree", "fields": [field]}
    stored = {"digest": storage, "how": "full"}
    return BLANK | {
        "state": "ok", "storage": stored if storage else None, "signature": signed if signature else None, **more,
    }  # fmt: skip


UNSIGNED = {"unsigned": "long double"}
LATER = {"state": "not hashed", "reason": "later"}
GONE = {"state": "missing", "reason": "there is no such file or directory"}
TORN = {"state": "unreadable", "reason": "truncated"}

CASES = [
    (facts(A, "x"), facts(A), "OK", "the same bytes"),
    (facts(A, "x"), facts(A, "x"), "OK", None),
    (facts(A, "x"), facts(B, "x"), "OK", "the same values, other bytes"),
    (facts(A, "x"), facts(B, "y"), "CHANGED", None),
    (facts(A, "x"), facts(B, **UNSIGNED), "CHANGED", "long double"),
    (facts(A, "x"), facts(**GONE), "MISSING", "no such file"),
    (facts(A, "x"), facts(B, **TORN), "UNREADABLE", "truncated"),
    (facts(A, "x"), facts(**TORN), "UNREADABLE", "truncated"),
    (facts(A, "x"), facts(B, state="not hashed", reason="pip install"), "CHANGED", "pip install"),
    (facts(A), facts(A), "OK", "the same bytes"),
    (facts(A), facts(B, "y"), "CHANGED", "other bytes"),
    (facts(A, **TORN), facts(A, **TORN), "OK", "the same bytes"),
    (facts(A, **TORN), facts(B), "CHANGED", "other bytes"),
    (facts(**LATER), facts(A, "x"), "NOT CHECKED", "not hashed when it was recorded: later"),
    (facts(**GONE), facts(**GONE), "NOT CHECKED", "no such file"),
    (facts(None, "x"), facts(B, "x"), "OK", None),
    (facts(None, "x"), facts(B, "y"), "CHANGED", None),
    (facts(None, "x"), facts(B, state="not hashed", reason="pip install"), "NOT CHECKED", "pip install"),
]


def test_bytes_that_nobody_compared_are_not_called_other_bytes() -> None:
    found = facts(B, **UNSIGNED)
    assert compare(facts(A, "x"), found, no_place)["reason"] == "other bytes; its values were not compared: long double"
    assert compare(facts(None, "x"), found, no_place)["reason"] == "its values were not compared: long double"


def no_place(one: Any, other: Any) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(("recorded", "found", "status", "reason"), CASES)
def test_states(recorded: dict[str, Any], found: dict[str, Any], status: str, reason: str | None) -> None:
    verdict = compare(recorded, found, lambda one, other: {})
    assert verdict["status"] == status
    assert (reason is None and verdict["reason"] is None) or str(reason) in verdict["reason"]


def named(path: str, signature: str) -> dict[str, Any]:
    return {"path": path, "signature": signature}


def test_fields() -> None:
    old = [named("same", "1"), named("other", "2"), named("gone", "3")]
    new = [named("new", "4"), named("other", "5"), named("same", "1")]
    found = {one["path"]: one["status"] for one in compare_fields(old, new, lambda one, other: {"boxes": []})}
    assert found == {"same": "OK", "other": "CHANGED", "gone": "MISSING", "new": "NEW"}


def test_a_new_field_alone_is_a_change() -> None:
    new = facts(B, "y")
    new["signature"]["fields"] = [*facts(A, "x")["signature"]["fields"], named("v", "z")]
    verdict = compare(facts(A, "x"), new, lambda one, other: {})
    assert [one["status"] for one in verdict["fields"]] == ["OK", "NEW"]
    assert verdict["status"] == "CHANGED"


def test_columns_in_another_order_are_said() -> None:
    old, new = facts(A, "x"), facts(B, "y")
    new["signature"]["fields"] = old["signature"]["fields"]
    assert "in another order" in compare(old, new, lambda one, other: {})["reason"]


def test_ten_thousand_fields() -> None:
    old = [named(f"f{at}", str(at)) for at in range(10_000)]
    new = [named(f"f{at}", str(at if at % 100 else -1)) for at in reversed(range(10_000))]
    found = [one["status"] for one in compare_fields(old, new, lambda one, other: {})]
    assert (found.count("OK"), found.count("CHANGED")) == (9_900, 100)


class Versions:
    """Two versions of one array, and their manifests."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.tiles = Tiles(str(top / "old"), str(top / "new"))

    def field(self, name: str, values: Any) -> dict[str, Any]:
        with h5py.File(self.top / "x.h5", "w") as file:
            file["u"] = values
        found = describe(str(self.top / "x.h5"), tiles_dir=str(self.top / name))
        field: dict[str, Any] = found["signature"]["fields"][0]
        return field

    def compare(self, old: Any, new: Any) -> dict[str, Any]:
        return self.tiles.locate(self.field("old", old), self.field("new", new))


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path)


def changed(shape: tuple[int, ...], *cells: tuple[int, ...]) -> tuple[Any, Any]:
    old = np.arange(float(np.prod(shape))).reshape(shape)
    new = old.copy()
    for cell in cells:
        new[cell] = -1
    return old, new


@pytest.mark.parametrize(
    ("shape", "cells", "boxes"),
    [
        ((1000, 700), [(0, 0)], [[[0, 256], [0, 512]]]),
        ((1000, 700), [(999, 699)], [[[768, 1000], [512, 700]]]),
        ((1000, 700), [(0, 0), (300, 511)], [[[0, 512], [0, 512]]]),
        ((20, 100, 300), [(3, 99, 299)], [[[0, 20], [96, 100], [256, 300]]]),
        ((300_000,), [(140_000,)], [[[131_072, 262_144]]]),
        ((10,), [(3,)], [[[0, 10]]]),
    ],
)
def test_one_cell_is_one_tile(
    shape: tuple[int, ...], cells: list[tuple[int, ...]], boxes: list[Any], versions: Versions
) -> None:
    found = versions.compare(*changed(shape, *cells))
    assert found["boxes"] == boxes
    assert found["reason"].startswith(f"{len(cells)} of ")


def test_types_and_shapes_are_said(versions: Versions) -> None:
    assert versions.compare(np.zeros(3, "f8"), np.zeros(3, "f4")) == {"reason": "its type is f4, was f8"}
    assert versions.compare(np.zeros((3, 4)), np.zeros((4, 3))) == {"reason": "its shape is 4 x 3, was 3 x 4"}
    assert versions.compare(h5py.Empty("f8"), np.zeros(3)) == {"reason": "its shape is 3, was null"}


def test_of_a_longer_array_what_both_have_is_compared(versions: Versions) -> None:
    old, new = changed((1000, 700), (600, 600))
    longer = np.concatenate([old, np.ones((50, 700))])
    said = "its shape is 1050 x 700, was 1000 x 700"
    assert versions.compare(old, longer) == {"reason": f"{said}; the first 768 of axis 0 are the same", "boxes": []}
    found = versions.compare(old, np.concatenate([new, np.ones((50, 700))]))
    assert found["boxes"] == [[[512, 768], [512, 700]]]
    assert found["reason"] == f"{said}; and in what both have, 1 of 6 tiles"


def remove(place: Path) -> None:
    place.unlink()


def flip(place: Path) -> None:
    content = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def empty(place: Path) -> None:
    place.chmod(0o644)
    place.write_bytes(b"")


@pytest.mark.parametrize("harm", [remove, flip, empty])
@pytest.mark.parametrize("name", ["old", "new"])
def test_without_a_sound_manifest_the_place_is_unknown(
    harm: Callable[[Path], None], name: str, versions: Versions
) -> None:
    old, new = changed((1000, 700), (0, 0))
    one, other = versions.field("old", old), versions.field("new", new)
    root = (one if name == "old" else other)["signature"].removeprefix("hpcprov1:")
    harm(Path(layout.manifest(str(versions.top / name), root)))
    assert versions.tiles.locate(one, other) == {"reason": verify.UNKNOWN if name == "old" else verify.UNKNOWN_NOW}


def test_tiles_of_values_from_a_cache_were_kept_when_they_were_read(versions: Versions) -> None:
    old, new = changed((1000, 700), (0, 0))
    one, other = versions.field("old", old), versions.field("old", new)
    assert versions.tiles.locate(one, other)["boxes"] == [[[0, 256], [0, 512]]]


@pytest.mark.parametrize("tile", [None, [], [0], [4, 4]])
def test_a_field_that_no_reader_gives_is_located_nowhere(tile: Any, tmp_path: Path) -> None:
    one, other = facts(A, "x")["signature"]["fields"][0], facts(B, "y")["signature"]["fields"][0]
    found = Tiles(str(tmp_path), str(tmp_path)).locate(one, other | {"tile": tile})
    assert found == {"reason": verify.UNKNOWN}

"""Two tables of which not all can be read: a difference is one, and nothing else is proven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpcprov.commands.diff_page import render
from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.sound import is_sound
from hpcprov.record.errors import HpcprovError
from tests.data.test_partial import ROWS, table, written

pa = pytest.importorskip("pyarrow")
NAMES = {"x": [0.5, 1.0, 0.5, 0.5], "price": [0.0] * ROWS}


def diffed(tmp_path: Path, other: Any, **options: Any) -> dict[str, Any]:
    one, two = written(tmp_path / "a.parquet", table()), written(tmp_path / "b.arrow", other)
    found = diff_files(str(one), str(two), Options(**options))
    assert is_sound(json.loads(json.dumps(found)))
    return found


@pytest.mark.parametrize(
    ("other", "status", "unread"),
    [
        (table(), "unproven", ["price", "at"]),
        (table(x=pa.array(NAMES["x"])), "different", ["price", "at"]),
        (table(price=pa.array(NAMES["price"])), "unproven", ["price", "at"]),
        (table().drop_columns(["at"]), "different", ["price", "at"]),
        (table(more=pa.nulls(ROWS, pa.time64("us"))), "different", ["price", "at", "more"]),
        (table().select(["price", "id", "name", "x"]), "different", ["price", "at"]),
    ],
)
def test_the_status(tmp_path: Path, other: Any, status: str, unread: list[str]) -> None:
    found = diffed(tmp_path, other)
    assert (found["status"], [one["field"] for one in found["unread"]]) == (status, unread)
    lines = [line for line in render(found) if line.startswith("not compared: ")]
    assert len(lines) == len(unread)


def test_only_what_is_asked_for_counts(tmp_path: Path) -> None:
    assert diffed(tmp_path, table(), fields=("x", "i*"))["status"] == "same"
    assert [one["field"] for one in diffed(tmp_path, table(), fields=("x", "*e"))["unread"]] == ["price"]
    with pytest.raises(HpcprovError, match=r"'price' cannot be compared: the type decimal128"):
        diffed(tmp_path, table(), fields=("pr*",))


def test_copies_are_equal_in_what_cannot_be_read_too(tmp_path: Path) -> None:
    paths = [str(written(tmp_path / name, table())) for name in ("a.parquet", "b.parquet")]
    found = diff_files(paths[0], paths[1], Options())
    assert (found["status"], found["unread"]) == ("same", [])


def test_nothing_can_be_read(tmp_path: Path) -> None:
    one = written(tmp_path / "a.parquet", table().select(["at"]))
    two = written(tmp_path / "b.arrow", table().select(["at"]))
    found = diff_files(str(one), str(two), Options())
    assert found["status"] == "unproven"
    assert "equal in what could be compared: 0 fields: none" in list(render(found))

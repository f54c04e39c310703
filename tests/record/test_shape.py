"""The fast test of a record's shape says what the slow one says, of whatever becomes of a record."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcprov.record import shape

GOLDEN = sorted((Path(__file__).parent.parent / "merge" / "golden").glob("*/record.golden.json"))
VALUES = [None, 5, -1.5, True, "x", "", [], {}, [5], [None], [[1, 2]], [[1, "2"]], {"a": None}, {"a": 1}, {"a": "1"}]
TIMES = ["2026-02-30T00:00:00Z", "2026-02-28T00:00:00.5Z", "1969-12-31T23:59:59Z", "2026-02-28T24:00:00Z", "2026-02-28"]


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*way, key)
        yield from ways(item, (*way, key))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_both_say_the_same(path: Path) -> None:
    text = path.read_text()
    chance = random.Random(1)
    every = list(ways(json.loads(text)))
    assert shape.FITS(json.loads(text))
    refused = 0
    for _ in range(400):
        record = json.loads(text)
        *way, last = chance.choice(every)
        holder = record
        for key in way:
            holder = holder[key]
        if chance.random() < 0.2:
            del holder[last]
        else:
            holder[last] = chance.choice(VALUES + TIMES)
        slow = shape._misfit(record, shape.RECORD, "the record")
        assert shape.FITS(record) == (slow is None), (way, last, slow)
        refused += slow is not None
    assert 20 < refused < 380


@pytest.mark.parametrize("values", [[float("nan")], [float("inf")], [10**400], [-(10**400), 0.5], [1e308, 1e308]])
@pytest.mark.parametrize("name", ["utime", "stime", "maxrss"])
def test_what_no_process_can_have_used_is_damage(name: str, values: list[float]) -> None:
    record = json.loads(next(path for path in GOLDEN if path.parent.name == "mpi").read_text())
    columns = record["ranks"]["columns"]
    columns[name] = (values + columns[name])[: len(columns[name])]
    assert shape.misfit(record) == "a column of ranks holds what no process can have used"

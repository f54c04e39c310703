"""Times and durations as text: the same wherever a value of data is told."""

from __future__ import annotations

import numpy as np
import pytest

from hpcprov.data.types import time
from hpcprov.quality.diff.plain import plain
from hpcprov.quality.statistics.result import shown_as
from hpcprov.quality.tables.cells import told


@pytest.mark.parametrize(
    ("kind", "count", "text"),
    [
        (time("M8", "s"), 86400, "1970-01-02T00:00:00"),
        (time("M8", "ms", utc=True), -1, "1969-12-31T23:59:59.999Z"),
        (time("M8", "D", count=7), 1, "1970-01-08"),
        (time("m8", "s"), 86400, "86400 s"),
        (time("m8", "D", count=2), -3, "-6 D"),
    ],
)
def test_diff_tables_and_statistics_agree(kind: object, count: int, text: str) -> None:
    values = np.array([count], np.int64)
    assert plain(values, kind) == told(values, kind)[0] == shown_as(kind.text, "time")(count) == text


def test_no_time_is_no_value() -> None:
    none = np.array([np.iinfo(np.int64).min])
    assert (plain(none, time("M8", "s")), told(none, time("M8", "s"))) == ("NaT", [None])

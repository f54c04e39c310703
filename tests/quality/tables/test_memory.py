"""Tables of millions of rows take bounded memory: by number a byte a row, by content some hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

ROWS = 2_000_000
CHILD = """
import json, resource, sys
from hpcprov.data.open import open_data
from hpcprov.quality.tables.compare import compare_tables
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_data(sys.argv[1]) as one, open_data(sys.argv[2]) as other:
    found = compare_tables(one, other, rows=sys.argv[3], threads=2)["counts"]
print(json.dumps([found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10]))
"""


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    one = pa.table({"a": np.arange(ROWS), "x": rng.normal(size=ROWS), "y": rng.normal(size=ROWS)})
    parquet.write_table(one, tmp_path / "one.parquet")
    other = pa.concat_tables([one[:1000], one[1010:1_500_000], one[:7], one[1_500_000:]])
    parquet.write_table(other, tmp_path / "other.parquet")

    def compared(rows: str) -> tuple[dict[str, int], int]:
        words = [sys.executable, "-c", CHILD, tmp_path / "one.parquet", tmp_path / "other.parquet", rows]
        counts, mebibytes = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
        return counts, mebibytes

    counts, mebibytes = compared("content")
    assert counts == {"same": ROWS - 10, "changed": 0, "deleted": 10, "inserted": 7, "moved": 0}
    assert mebibytes < 600
    counts, mebibytes = compared("number")
    assert counts["changed"] > ROWS // 2 and mebibytes < 300

"""Records for tests of exports: a record folded from a committed log, with members of `run` set to other values.

a_record(status="failed", cause={"text": "rank 3 ended with status 1"})
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent.parent / "merge" / "golden"


def a_record(**run: Any) -> dict[str, Any]:
    """An MPI run on two nodes that completed, with facts and a signed output; a new one at each call."""
    record: dict[str, Any] = json.loads((GOLDEN / "mpi" / "record.golden.json").read_text())
    record["run"] |= {"status": "completed", "cause": None} | run
    return record

"""The Python API that records: blocks and functions of a program as runs and steps (docs/python.md).

with hpcprov.run("calibrate", outputs=["model.npz"]): ...

@hpcprov.track
def smooth(field, width): ...
"""

from __future__ import annotations

from hpcprov.tracking.blocks import Run, run
from hpcprov.tracking.functions import track
from hpcprov.tracking.record import Record, open_record
from hpcprov.tracking.trouble import ProvenanceWarning

__all__ = ["ProvenanceWarning", "Record", "Run", "open_record", "run", "track"]

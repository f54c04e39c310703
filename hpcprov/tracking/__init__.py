"""The Python API that records: blocks and functions of a program as runs and steps (docs/python.md).

with hpcprov.run("calibrate", outputs=["model.npz"]): ...

@hpcprov.track
def smooth(field, width): ...

hpcprov.define("out.h5/depth", "h * (h > 0.01)", inputs=["flood.h5/h"])
"""

from __future__ import annotations

from hpcprov.tracking.blocks import Run, run
from hpcprov.tracking.defining import define
from hpcprov.tracking.functions import track
from hpcprov.tracking.record import Record, open_record
from hpcprov.tracking.trouble import ProvenanceWarning

__all__ = ["ProvenanceWarning", "Record", "Run", "define", "open_record", "run", "track"]

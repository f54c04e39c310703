"""What the records of an event area say that a command did to files, in the words of the oracle.

told = tell(area.records(), root)
assert told.written == {b"out"}
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .area_tool import EXCHANGED, READ, SYMBOLIC, WRITE, Record
from .oracle import Told, below


def tell(records: Iterable[Record], root: Path) -> Told:
    """What happened below `root`, by all the records of an area that nobody writes to any more."""
    told = Told.nothing()
    top = os.fsencode(os.path.realpath(root))
    started: dict[int, bytes] = {}
    for record in records:
        if record.kind == "program":
            started[record.instance] = os.path.realpath(record.path)
        elif record.kind == "not run":
            started.pop(record.instance, None)
        else:
            put(told, record, top)
    told.programs.extend(started.values())
    return told


def put(told: Told, record: Record, top: bytes) -> None:
    """Puts one record that is not about a program into `told`."""
    inside = [below(path, top) for path in record.strings]
    if record.kind == "access":
        path = below(os.path.realpath(record.path), top)
        told.read.update({path} - {b""} if record.flags & READ else ())
        told.written.update({path} - {b""} if record.flags & WRITE else ())
    elif record.kind == "rename":
        pairs = {(inside[0], inside[1])} | ({(inside[1], inside[0])} if record.flags & EXCHANGED else set())
        told.renamed.update(pair for pair in pairs if any(pair))
    elif record.kind == "link":
        pair = (b"" if record.flags & SYMBOLIC else inside[0], inside[1])
        told.linked.update({pair} if any(pair) else ())
    elif record.kind == "unlink":
        told.removed.update({inside[0]} - {b""})

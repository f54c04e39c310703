"""Observed input and output: from what processes wrote into a node's event area to the bodies of log events.

Pure: bytes in, events out; what must be asked of the file system is asked through `Questions`.

    seen = Observed(cwd="/home/ada/run", environ=os.environ, questions=Questions())
    consumed = seen.feed(0, data, position)
    for body in seen.events(final=False):
        journal.write(body.pop("event"), **body)
"""

from __future__ import annotations

from hpcprov.capture.observed.questions import Questions
from hpcprov.capture.observed.seen import Observed

__all__ = ["Observed", "Questions"]

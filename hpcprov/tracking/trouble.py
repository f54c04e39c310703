"""What becomes of trouble with recording: one warning, and the program goes on.

with sheltered("the end of the run"):
    launch.end(code=0)          # whatever it raises, the program does not see it
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

MOST = 20  # different warnings of one process


class ProvenanceWarning(UserWarning):
    """Something could not be recorded; the program itself is not affected."""


told: set[str] = set()


class sheltered:
    """Turns what is raised within into a warning. Requests to end (KeyboardInterrupt, SystemExit) are let through."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        warn(f"{self.what} could not be recorded: {type(error).__name__}: {str(error)[:300]}")
        return True


def warn(text: str) -> None:
    """Say it once. Where warnings are errors it is printed instead: recording never ends a program."""
    if text in told or len(told) >= MOST:
        return
    told.add(text)
    try:
        warnings.warn(text, ProvenanceWarning, stacklevel=4)
    except Warning:
        print(f"hpcprov: {text}", file=sys.stderr)

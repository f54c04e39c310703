"""Work done by several threads, unit by unit, whatever field a unit is of.

work_off(iter(units), threads=4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from hpcprov.signature import turns

#: A part of the work that any thread can do.
Unit: TypeAlias = Callable[[], None]


def work_off(units: Iterator[Unit], threads: int) -> None:
    """Do all units, the caller being one of the threads. Raises the first error of any."""
    turns.work_off(units, lambda: lambda unit: unit(), threads=threads)

"""What the engine asks of whoever counts values while they are signed; it knows nothing of what is counted.

    counter = counting(path)(field)      # `counting` comes from outside, as hpcprov.quality.statistics.counting
    sign_field(field, counter=counter).statistics

A thread counts into a tally of its own: the canonical bytes of each tile, as they are hashed. Tallies are merged in any
order, so nothing of a result may depend on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Field

#: Canonical bytes in C order: of all elements where they have one size, else a list of those of each.
Content: TypeAlias = bytes | bytearray | memoryview | list[bytes]


class Tally(Protocol):
    """What one thread has counted."""

    def add(self, content: Content, box: Box, missing: NDArray[np.bool_] | None) -> None:
        """Count the elements of a box: a tile, or of elements that differ in length a part of one."""

    def empty(self) -> Any:
        """Another one, that has counted nothing."""

    def again(self, other: Any, box: Box) -> None:
        """Count a tile that has the values which another tally has counted."""

    def merge(self, other: Any) -> None:
        """Add what another tally has counted."""


class Counter(Protocol):
    """Counts the values of one field."""

    @property
    def whole(self) -> bool:
        """Whether one process must count all of the field."""

    def tally(self) -> Any:
        """An empty tally."""

    def take(self, tally: Any) -> None:
        """Add what a thread has counted; called from several threads."""

    def pack(self) -> bytes:
        """What has been counted, for another process."""

    def unpack(self, packed: bytes) -> None:
        """Add what another process has counted. Raises ValueError for what is none."""

    def result(self) -> dict[str, Any]:
        """The statistics of the field, as they stand in JSON."""


#: Gives a field's counter.
Counters: TypeAlias = Callable[[Field], Counter]
#: Gives that for the artifact at a path, before it is opened.
Counting: TypeAlias = Callable[[str], Counters]

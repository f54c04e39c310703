"""What has been found of the differences between two fields: counted block by block, added up in any order.

    tally = compare_block(box, shape, ...)       # of quality.diff.block
    total.merge(tally)
    total.largest  ->  Extreme(value=0.5, at=1703)

Places are numbers of elements in C order of the whole array, so that the first place and that of the largest difference
are the same for any blocks and any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths

#: Of the elements at hand by their number -> the place in the array.
Place: TypeAlias = Callable[[int], int]


@dataclass
class Extreme:
    """The largest value and the first place that has it."""

    value: float | int | None = None
    at: int = 0

    def offer(self, value: float | int, at: int) -> None:
        if self.value is None or value > self.value or (value == self.value and at < self.at):
            self.value, self.at = value, at


@dataclass
class Tally:
    """Of elements that differ how many there are, how many of them lie `outside` the tolerance; `bits` counts those
    that are equal as values and not in their bits (-0.0, other NaNs); `missing_both` those that are missing on both
    sides, as other values (two fill values, or one and NaN)."""

    differing: int = 0
    outside: int = 0
    bits: int = 0
    nan_appeared: int = 0
    nan_vanished: int = 0
    infinite_appeared: int = 0
    infinite_vanished: int = 0
    missing_appeared: int = 0
    missing_vanished: int = 0
    missing_both: int = 0
    first: int | None = None
    first_outside: int | None = None
    largest: Extreme = field(default_factory=Extreme)
    relative: Extreme = field(default_factory=Extreme)
    ulps: Extreme = field(default_factory=Extreme)

    def merge(self, other: Tally) -> None:
        """Add what another has counted elsewhere in the array."""
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Extreme):
                if theirs.value is not None:
                    mine.offer(theirs.value, theirs.at)
            elif one.name.startswith("first"):
                setattr(self, one.name, min((at for at in (mine, theirs) if at is not None), default=None))
            else:
                setattr(self, one.name, mine + theirs)

    def count(self, outside: NDArray[np.bool_], place: Place) -> None:
        """Elements that differ, and which of them lie outside; `place` gives the place of each in the array, which
        ascends."""
        self.differing += len(outside)
        self.outside += int(np.count_nonzero(outside))
        self.first = _least(self.first, place(0))
        at = int(outside.argmax())
        if outside[at]:
            self.first_outside = _least(self.first_outside, place(at))

    def measure(self, apart: Any, relative: Any, ulps: Any, place: Place) -> None:
        """How far they are apart; NaN where that has no meaning."""
        for extreme, values in ((self.largest, apart), (self.relative, relative), (self.ulps, ulps)):
            if values is not None:
                _offer(extreme, values, place)


def _least(known: int | None, place: int) -> int:
    return place if known is None else min(known, place)


def _offer(extreme: Extreme, values: NDArray[Any], place: Place) -> None:
    at = int(values.argmax())
    if values[at] != values[at]:  # NaN counts as the largest
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            return
        at = int(known[values[known].argmax()])
    if extreme.value is None or values[at] >= extreme.value:
        extreme.offer(values[at].item(), place(at))


def place_in(box: Box, shape: tuple[int, ...], inner: int) -> int:
    """The place in the whole array of an element of a box that is counted in its own C order."""
    place, index = 0, index_of(inner, lengths(box))
    for (begin, _), at, extent in zip(box, index, shape, strict=True):
        place = place * extent + begin + at
    return place


def places_in(box: Box, shape: tuple[int, ...], inner: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `place_in`, of many elements."""
    if not box:
        return inner
    index = np.unravel_index(inner, lengths(box))
    place = np.zeros(len(inner), np.int64)
    for axis, ((begin, _), extent) in enumerate(zip(box, shape, strict=True)):
        place = place * extent + (index[axis] + begin)
    return place


def index_of(place: int, shape: tuple[int, ...]) -> list[int]:
    """A place as one number for each axis."""
    index = []
    for extent in reversed(shape):
        place, at = divmod(place, extent)
        index.append(at)
    return index[::-1]

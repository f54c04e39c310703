"""What has been found of the differences between two fields: counted block by block, added up in any order.

    tally = Tally()
    tally.add(block_of(box, shape, found, ...))
    tally.facts(shape)["max_abs"]  ->  {"value": 0.5, "at": [17, 3]}

Places are numbers of elements in C order of the whole array, so that the first place and that of the largest difference
are the same for any blocks and any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths

Facts: TypeAlias = dict[str, Any]

#: The counts of a Tally; all others are extremes with their places.
COUNTS = ("differing", "outside", "bits", "nan_appeared", "nan_vanished", "missing_appeared", "missing_vanished")


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
    that are equal as values and not in their bits (-0.0, other NaNs)."""

    differing: int = 0
    outside: int = 0
    bits: int = 0
    nan_appeared: int = 0
    nan_vanished: int = 0
    missing_appeared: int = 0
    missing_vanished: int = 0
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

    def count(self, places: NDArray[np.int64], outside: NDArray[np.bool_]) -> None:
        """Elements that differ, by their places, and which of them lie outside."""
        self.differing += len(places)
        self.outside += int(outside.sum())
        self.first = _least(self.first, places)
        self.first_outside = _least(self.first_outside, places[outside])

    def measure(self, places: NDArray[np.int64], apart: Any, relative: Any, ulps: Any) -> None:
        """How far they are apart; NaN where that has no meaning."""
        for extreme, values in ((self.largest, apart), (self.relative, relative)):
            known = ~np.isnan(values)
            if known.any():
                _offer(extreme, values[known], places[known])
        if ulps is not None and len(ulps):
            _offer(self.ulps, ulps, places)


def _least(known: int | None, places: NDArray[np.int64]) -> int | None:
    found = [] if known is None else [known]
    return min([*found, int(places.min())]) if len(places) else known


def _offer(extreme: Extreme, values: NDArray[Any], places: NDArray[np.int64]) -> None:
    top = values.max()
    extreme.offer(top.item(), int(places[values == top].min()))


def places_in(box: Box, shape: tuple[int, ...], inner: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places in the whole array of elements of a box that are counted in its own C order."""
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

"""One block of two fields compared: what differs in it goes into a tally.

    tally = compare_block(box, shape, one.read(box), one.type, other.read(box), other.type, within)

Equal bits are passed over without a look at the numbers; only what differs is measured. `one` is what counts as right,
`other` what is compared with it.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths
from hpcprov.data.types import Type
from hpcprov.data.values import Values
from hpcprov.quality.diff.tally import Tally, place_in, places_in
from hpcprov.quality.elements import Compared, Tolerance, compared, is_number, measured, numbers_of, present, unequal
from hpcprov.quality.ulps import unit_of

#: Elements that are looked at together: they stay in the processor's cache.
PIECE = 1 << 15

Flags = NDArray[np.bool_]
#: What `_FillValue` and `missing_value` declare to be missing, on both sides.
Declared: TypeAlias = tuple[list[Any], list[Any]]
NOTHING: Declared = ([], [])


def compare_block(
    box: Box, shape: tuple[int, ...], one: Values, kind: Type, other: Values, other_kind: Type, within: Tolerance
) -> Tally:
    """How the elements of a box differ. Both kinds are equal, or both are numbers."""
    return Block(box, shape, kind, other_kind, within).compare(one, other)


class Block:
    """One box of an array of `shape`; with `seen`, a function that is told the places and distances of what differs,
    and the values that are `declared` to be missing in the one and in the other."""

    def __init__(
        self,
        box: Box,
        shape: tuple[int, ...],
        kind: Type,
        other_kind: Type,
        within: Tolerance,
        seen: Any = None,
        declared: Declared = NOTHING,
    ) -> None:
        self.box, self.shape, self.within, self.seen, self.declared = box, shape, within, seen, declared
        self.kind, self.other_kind, self.unit = kind, other_kind, unit_of(kind, other_kind)
        self.tally = Tally()

    def compare(self, one: Values, other: Values) -> Tally:
        """The tally of two arrays of the box's extents."""
        count = prod(lengths(self.box))
        if count and is_number(self.kind) and is_number(self.other_kind):
            self._numbers(one, other, count)
        elif count:
            found = compared(other, self.other_kind, one, self.kind, count, **self.within._asdict())
            at = np.flatnonzero(found.differs)
            if len(at):
                self._found(at, _taken(found, at))
        return self.tally

    def _numbers(self, one: Values, other: Values, count: int) -> None:
        right, gone = present(one, count)
        left, lost = present(other, count)
        old, new = numbers_of(right, self.kind), numbers_of(left, self.other_kind)
        for start in range(0, count, PIECE):
            piece = slice(start, start + PIECE)
            masks = None if gone is None and lost is None else (_part(gone, piece), _part(lost, piece))
            self._piece(start, old[piece], new[piece], masks)

    def _piece(self, start: int, old: Any, new: Any, masks: Any) -> None:
        """A stretch of numbers in C order of the box."""
        differs = self._candidates(old, new)
        if masks is not None:
            gone, lost = (np.zeros(len(old), np.bool_) if mask is None else mask for mask in masks)
            self._missing(start, gone, lost)
            differs &= ~(gone | lost)
        if not differs.any():
            return
        at = np.flatnonzero(differs)
        if len(at) < len(old):
            old, new = old[at], new[at]
        really = unequal(new, old, nan_differs=self.within.nan_differs)
        if not really.all():
            self.tally.bits += int(np.count_nonzero(~really))
            at, old, new = at[really], old[really], new[really]
        if len(at) and any(self.declared):
            at, old, new = self._filled(start, at, old, new)
        if len(at):
            self._not_finite(old, new)
            self._found(at + start, measured(new, old, self.within, self.unit))

    def _candidates(self, old: Any, new: Any) -> Flags:
        """Where values may differ: equal bits need no look at them."""
        if old.dtype != new.dtype:
            return unequal(new, old, nan_differs=self.within.nan_differs)
        differs = _other_bits(old, new)
        if self.within.nan_differs and old.dtype.kind in "fc":
            differs |= np.isnan(old)
        return differs

    def _not_finite(self, old: Any, new: Any) -> None:
        """NaN and infinities on one side only: these are no part of the largest difference."""
        if np.isfinite(old).all() and np.isfinite(new).all():
            return
        was, is_now = np.isnan(old), np.isnan(new)
        self.tally.nan_appeared += int((is_now & ~was).sum())
        self.tally.nan_vanished += int((was & ~is_now).sum())
        was, is_now = np.isinf(old), np.isinf(new)
        self.tally.infinite_appeared += int((is_now & ~was).sum())
        self.tally.infinite_vanished += int((was & ~is_now).sum())

    def _filled(self, start: int, at: Any, old: Any, new: Any) -> tuple[Any, Any, Any]:
        """Of elements that differ those that are not declared to be missing; a fill value has no distance."""
        gone, lost = (
            np.isin(values, np.array(fills, values.dtype))
            for values, fills in zip((old, new), self.declared, strict=True)
        )
        filled = gone | lost
        if not filled.any():
            return at, old, new
        was, is_now = gone | (old != old), lost | (new != new)  # NaN is missing, too
        self.tally.missing_appeared += int((lost & ~was).sum())
        self.tally.missing_vanished += int((gone & ~is_now).sum())
        self.tally.missing_both += int((filled & was & is_now).sum())
        every = np.ones(int(filled.sum()), np.bool_)
        self._found(at[filled] + start, Compared(every, every))
        return at[~filled], old[~filled], new[~filled]

    def _missing(self, start: int, gone: Flags, lost: Flags) -> None:
        """Elements that are missing on one side only differ, whatever the tolerance."""
        at = np.flatnonzero(gone != lost)
        self.tally.missing_appeared += int((lost & ~gone).sum())
        self.tally.missing_vanished += int((gone & ~lost).sum())
        if len(at):
            every = np.ones(len(at), np.bool_)
            self._found(at + start, Compared(every, every))

    def _found(self, at: NDArray[np.int64], found: Compared) -> None:
        """Elements `at`, counted in C order of the box, that differ, and what is known of these."""

        def place(number: int) -> int:
            return place_in(self.box, self.shape, int(at[number]))

        self.tally.count(found.outside, place)
        self.tally.measure(found.apart, found.relative, found.ulps, place)
        if self.seen is not None:
            self.seen(places_in(self.box, self.shape, at), found.apart)


def _taken(found: Compared, at: NDArray[np.int64]) -> Compared:
    """Of all elements those `at`."""
    taken = Compared(found.differs[at], found.outside[at])
    taken.apart = None if found.apart is None else found.apart[at]
    taken.relative = None if found.relative is None else found.relative[at]
    taken.ulps = None if found.ulps is None else found.ulps[at]
    return taken


def _part(mask: Flags | None, piece: slice) -> Flags | None:
    return None if mask is None else mask[piece]


def _other_bits(old: Any, new: Any) -> Flags:
    if old.dtype.itemsize == 16:
        return np.asarray((old.view("<u8").reshape(-1, 2) != new.view("<u8").reshape(-1, 2)).any(axis=1))
    unsigned = f"<u{old.dtype.itemsize}"
    return np.asarray(old.view(unsigned) != new.view(unsigned))

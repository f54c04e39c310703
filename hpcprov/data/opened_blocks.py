"""Lazy arrays of blocks, as xarray holds those of dask: a block is computed once and kept while it is read next.

    Blocks(ds["depth"].variable).read(((0, 10), (0, 500)))

Whoever reads asks for boxes of its own, and a block that several boxes touch would be computed anew for each of them.
What is kept is bounded: by KEPT bytes, or by two blocks where those are larger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import accumulate, product
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from hpcprov.data.interface import Box, Index, lengths, slices
from hpcprov.data.values import Values

#: Bytes of blocks that are kept, and of small blocks that are computed at once.
KEPT, AT_ONCE = 128 << 20, 64 << 20
#: So many blocks are kept, however large they are.
LEAST = 2


class Blocks:
    """The blocks of one variable of xarray. Threads may read at the same time: one computes a block, others wait."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.edges = [[0, *accumulate(axis)] for axis in variable.chunks]
        self.kept: OrderedDict[Index, Future[Values]] = OrderedDict()
        self.held = 0
        self.lock = Lock()

    def extents(self) -> tuple[int, ...]:
        """Those of the largest block: the first, as the last, may be smaller."""
        return tuple(max(1, *axis) if axis else 1 for axis in self.variable.chunks)

    def read(self, box: Box) -> Values:
        """The values of a box. Raises what computing raises."""
        if not prod(lengths(box)):
            return self._computed(box)
        spans = [_touched(edges, *ends) for edges, ends in zip(self.edges, box, strict=True)]
        found: Values | None = None
        for outer, values in self._blocks(spans):
            if outer == box:
                return values
            shared = tuple((max(a[0], b[0]), min(a[1], b[1])) for a, b in zip(outer, box, strict=True))
            found = np.empty(lengths(box), values.dtype) if found is None else found
            found[_within(shared, box)] = values[_within(shared, outer)]
        assert found is not None
        return found

    def _blocks(self, spans: list[range]) -> Iterator[tuple[Box, Values]]:
        """The blocks of these numbers along each axis, with their boxes, one after the other."""
        indices = list(product(*spans))
        self._compute_together(indices)
        for index in indices:
            yield self._box(index), self._block(index)

    def _compute_together(self, indices: list[Index]) -> None:
        """Compute small blocks at once where those that are not there fill a box: that takes one call for all."""
        with self.lock:
            missing = [index for index in indices if index not in self.kept]
            if len(missing) < 2:
                return
            first, last = (tuple(map(end, zip(*missing, strict=True))) for end in (min, max))
            hull = self._box(first, tuple(at + 1 for at in last))
            if prod(b - a + 1 for a, b in zip(first, last, strict=True)) != len(missing) or self._size(hull) > AT_ONCE:
                return
            claimed = {index: self._claim(index) for index in missing}
        try:
            values = self._computed(hull)
        except BaseException as error:
            self._give_up(claimed, error)
            raise
        for index, future in claimed.items():
            future.set_result(values[_within(self._box(index), hull)].copy())

    def _block(self, index: Index) -> Values:
        with self.lock:
            future = self.kept.get(index)
            mine = future is None
            if future is None:
                future = self._claim(index)
            else:
                self.kept.move_to_end(index)
        if mine:
            try:
                future.set_result(self._computed(self._box(index)))
            except BaseException as error:
                self._give_up({index: future}, error)
        return future.result()

    def _claim(self, index: Index) -> Future[Values]:
        """A block that is going to be computed; what was used longest ago makes room for it."""
        future: Future[Values] = Future()
        self.kept[index] = future
        self.held += self._size(self._box(index))
        while self.held > KEPT and len(self.kept) > LEAST:
            oldest, _ = self.kept.popitem(last=False)
            self.held -= self._size(self._box(oldest))
        return future

    def _give_up(self, claimed: dict[Index, Future[Values]], error: BaseException) -> None:
        with self.lock:
            for index in claimed:
                if self.kept.pop(index, None) is not None:
                    self.held -= self._size(self._box(index))
        for future in claimed.values():
            future.set_exception(error)

    def _size(self, box: Box) -> int:
        return prod(lengths(box)) * int(self.variable.dtype.itemsize)

    def _box(self, index: Index, end: Index | None = None) -> Box:
        """The box of a block, or from one block up to another."""
        ends = end or tuple(at + 1 for at in index)
        return tuple((edges[at], edges[to]) for edges, at, to in zip(self.edges, index, ends, strict=True))

    def _computed(self, box: Box) -> Values:
        return np.asarray(self.variable[slices(box)].values).reshape(lengths(box))


def _touched(edges: list[int], start: int, stop: int) -> range:
    """The numbers of the blocks that a range has elements of."""
    return range(bisect_right(edges, start) - 1, bisect_right(edges, stop - 1))


def _within(inner: Box, outer: Box) -> tuple[slice, ...]:
    """Where a box lies in another one."""
    return tuple(slice(a - start, b - start) for (a, b), (start, _) in zip(inner, outer, strict=True))

"""Memory that values are read into: a thread's own, used again once nobody holds what it held before.

A new array of some megabytes costs a page fault for every 4 KiB, which is half of what reading it costs.

    memory = Memory()
    values = memory.empty((1024, 512), np.dtype("<f4"))      # not zeroed
"""

from __future__ import annotations

import sys
import threading
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.values import Values

#: References to a block that only `Memory` itself holds: its attribute, and the argument of `getrefcount`.
OWN = 2


class Memory(threading.local):
    """One block for each thread; an array that outlives its turn keeps its block, and the thread gets a new one."""

    def __init__(self) -> None:
        self.block: NDArray[np.uint8] = np.empty(0, np.uint8)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Values:
        """A C-ordered array with whatever was there before; of its own when it has Python objects."""
        size = prod(shape) * dtype.itemsize
        if dtype.hasobject or not size:
            return np.zeros(shape, dtype)
        if sys.getrefcount(self.block) > OWN or len(self.block) < size:
            self.block = np.empty(0, np.uint8)
            self.block = np.empty(size, np.uint8)
        return self.block[:size].view(dtype).reshape(shape)

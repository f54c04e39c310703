"""Reading files through the page cache itself, in a process that may be killed by it.

A mapped file needs no copy, which for values that are not compressed is a third of the time. But when another process
makes the file shorter meanwhile, the kernel ends the reader with SIGBUS, and nothing can be caught in Python. So only a
process that was started for reading and whose end somebody else reports may do it; all others read copies:

    mapping.allow()                            # first thing in such a process
    window = mapping.window(fd, 4096, 1 << 20)      # None where it is not allowed or does not work
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from hpcprov.record.errors import UnreadableData

_allowed = [False]


def allow(yes: bool = True) -> None:
    """This process may be ended by a file that becomes shorter while it is read."""
    _allowed[0] = yes


def window(fd: int, start: int, size: int) -> NDArray[np.uint8] | None:
    """`size` bytes of the file from `start` on, mapped for as long as the array lives; None when this process may not
    do it, or the file system or the memory limit does not let it. Raises UnreadableData for a file that ends before."""
    if not _allowed[0] or not size:
        return None
    before = start % mmap.ALLOCATIONGRANULARITY
    try:
        mapped = mmap.mmap(fd, before + size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ, offset=start - before)
    except OSError:
        return None
    except ValueError as error:
        raise UnreadableData(f"truncated: the file ends before byte {start + size}") from error
    return np.frombuffer(mapped, np.uint8, size, before)

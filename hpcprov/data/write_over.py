"""What was written to a path before: whether it may be replaced, and taking it away where nothing comes in its place.

check_place("bad.parquet", replace=True)
clear("bad.parquet")  ->  True: there was such a file, and it is gone
"""

from __future__ import annotations

import os

from hpcprov.data import write_arrays, write_table
from hpcprov.record.drafts import withdraw


def is_arrays(path: str) -> bool:
    """Whether arrays would be written to this path, not a table."""
    return path.rstrip("/").lower().endswith(tuple(write_arrays.FORMS))


def check_place(path: str, *, replace: bool) -> None:
    """Raises HpcprovError when nothing can be written there: a name that no table has, or something is there."""
    if is_arrays(path):
        write_arrays.check_place(path.rstrip("/"), replace=replace)
    else:
        write_table.check_place(path, replace=replace)


def clear(path: str) -> bool:
    """Remove what was to be replaced, since it would look like what is so now; whether there was anything. Raises
    HpcprovError."""
    if not os.path.lexists(path.rstrip("/")):
        return False
    check_place(path, replace=True)
    withdraw(path.rstrip("/"))
    return True

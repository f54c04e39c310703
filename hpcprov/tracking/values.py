"""What of a function's arguments and results is data: values in memory, and paths of files.

    kind_of(numpy.zeros(3)), kind_of("in.nc"), kind_of(3.5)   ->  "values", "path", None

Values that are not in memory yet (lazy tables, arrays of dask, HDF5 datasets that are only open) are no data here: to
sign them would be to compute or read them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES, PATH = "values", "path"
# By library: what distinguishes its objects that hold values in memory.
LIBRARIES = ("numpy", "pandas", "polars", "pyarrow", "xarray")
MOST_ITEMS = 16  # of a list, tuple or dict that are looked at
LONGEST = 4096  # characters of a path


def kind_of(thing: Any) -> str | None:
    """`values`, `path` (that it may be one; whether there is such a file is another question), or None."""
    if isinstance(thing, str):
        return PATH if 0 < len(thing) <= LONGEST and "\0" not in thing and "\n" not in thing else None
    if isinstance(thing, os.PathLike):
        return PATH
    return VALUES if holds_values(thing) else None


def holds_values(thing: Any) -> bool:
    """Is this an array, a table or a dataset of a library that we know, in memory?"""
    library = next((name for kind in type(thing).__mro__ if (name := root(kind)) in LIBRARIES), None)
    if library == "numpy":
        return bool(getattr(thing, "ndim", 0)) and hasattr(thing, "__array_interface__")
    if library == "xarray":
        return in_memory(thing)
    if library == "pandas":
        return hasattr(thing, "iloc")
    if library == "polars":
        return hasattr(thing, "to_arrow")
    return library == "pyarrow" and hasattr(thing, "schema") and hasattr(thing, "num_rows") and hasattr(thing, "nbytes")


def root(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def in_memory(thing: Any) -> bool:
    """Has xarray loaded all values of this?"""
    if hasattr(thing, "data_vars"):
        return bool(thing.variables) and all(map(in_memory, thing.variables.values()))
    variable = getattr(thing, "variable", thing)
    return bool(getattr(variable, "_in_memory", False)) and hasattr(thing, "dims")


def items(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """An argument, or what is in it when it is a short list, tuple or dict, each with its name."""
    if type(thing) in (list, tuple):
        if len(thing) <= MOST_ITEMS:
            yield from ((f"{name}[{at}]", item) for at, item in enumerate(thing))
    elif type(thing) is dict:
        if len(thing) <= MOST_ITEMS:
            yield from ((f"{name}[{key}]", item) for key, item in thing.items() if type(key) is str)
    else:
        yield name, thing


def path_of(thing: str | os.PathLike[Any]) -> str | None:
    """The absolute path; None for what is none."""
    try:
        path = os.path.abspath(os.fsdecode(os.fspath(thing)))
    except (TypeError, ValueError, OSError):
        return None
    return path if "\0" not in path and len(path) <= LONGEST else None


def is_named_like_a_file(thing: Any) -> bool:
    """Could a text that names a directory have been meant as one? `out.zarr` and `data/` could, `mean` is a word."""
    return not isinstance(thing, str) or os.sep in thing or "." in thing

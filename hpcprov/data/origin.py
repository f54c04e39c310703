"""Where values lie: the path of the artifact and the field in it, of a text `PATH/FIELD` and of open objects.

    split("/data/out.zarr/ocean/t")           ->  ("/data/out.zarr", "ocean/t")
    origin_of(h5py.File("out.h5")["g/x"])     ->  ("/data/out.h5", "g/x")
    origin_of(numpy.zeros(3))                 ->  None: only in memory

Nothing is opened and no library is imported, numpy neither: of objects only what they say themselves is asked.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: How names of data end that may not be there yet.
PROMISING = (
    *(".h5", ".hdf5", ".nc", ".nc4", ".cdf", ".zarr", ".npy", ".npz"),
    *(".parquet", ".arrow", ".feather", ".csv", ".tsv", ".txt"),
)
STORE = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")  # what a directory has in it that is a Zarr store


def split(path: str) -> tuple[str, str]:
    """The artifact that a path names, and the field in it, "" for all of it: the first file or Zarr store on the way
    down; of what is not there yet the first name that ends as those of data do."""
    names = path.rstrip("/").split("/")
    places = ["/".join(names[: count + 1]) for count in range(len(names)) if names[count]]
    found = next((place for place in places if _is_artifact(place)), None)
    if found is None and not os.path.lexists(path):
        found = next((place for place in places if not os.path.isdir(place) and _promises(place)), None)
    found = path.rstrip("/") or path if found is None else found
    return found, path[len(found) :].strip("/")


def _is_artifact(place: str) -> bool:
    return os.path.isfile(place) or any(os.path.isfile(os.path.join(place, name)) for name in STORE)


def _promises(place: str) -> bool:
    return os.path.splitext(place)[1].lower() in PROMISING


def looks_like_path(text: str) -> bool:
    """Is a text meant as a path, and not as the name of a field (which may have slashes, too)?"""
    place, _ = split(os.path.abspath(text))
    there = os.path.lexists(place) if os.sep in text else _is_artifact(place)
    return there or _promises(place) or text.startswith(("/", "./", "../"))


def origin_of(thing: Any) -> tuple[str, str] | None:
    """Where the values of an open object of h5py, zarr, netCDF4 or xarray lie; None for what is only in memory, and for
    what does not say."""
    library = type(thing).__module__.partition(".")[0]
    find = {"h5py": _of_h5py, "zarr": _of_zarr, "netCDF4": _of_netcdf4, "xarray": _of_xarray}.get(library)
    try:
        found = find(thing) if find is not None else None
    except Exception:  # a file that is closed, an object of another version
        return None
    return found


def _of_h5py(thing: Any) -> tuple[str, str]:
    return os.path.abspath(os.fsdecode(thing.file.filename)), str(thing.name).strip("/")


def _of_zarr(thing: Any) -> tuple[str, str] | None:
    root = getattr(thing.store, "root", None) or getattr(thing.store, "path", None)
    if not isinstance(root, str | os.PathLike):
        return None
    # A store may have been opened below its root.
    return split(os.path.join(os.path.abspath(os.fsdecode(os.fspath(root))), str(thing.path).strip("/")))


def _of_netcdf4(thing: Any) -> tuple[str, str]:
    group = thing.group() if hasattr(thing, "group") else thing
    name = f"{group.path}/{thing.name}" if hasattr(thing, "group") else group.path
    return os.path.abspath(group.filepath()), name.strip("/")


def _of_xarray(thing: Any) -> tuple[str, str] | None:
    """xarray keeps where a variable was read from until something is computed from it."""
    source = thing.encoding.get("source")
    if not isinstance(source, str) or "://" in source:
        return None
    return os.path.abspath(source), "" if hasattr(thing, "data_vars") else str(thing.name or "").strip("/")

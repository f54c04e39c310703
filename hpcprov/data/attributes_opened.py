"""Attributes of objects that a program holds open, told by the library that they come from, which is not imported here.

attributes(xarray.open_dataset("out.nc")).fields["depth"]["units"]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpcprov.data.attributes import Attributes


def attributes(thing: Any) -> Attributes:
    """As `hpcprov.data.attributes.attributes_of`."""
    for kind in type(thing).__mro__:
        gather = GATHERERS.get(kind.__module__.partition(".")[0])
        if gather is not None:
            found = Attributes()
            gather(thing, found)
            return found
    return Attributes()


def _of_xarray(thing: Any, found: Attributes) -> None:
    if not hasattr(thing, "data_vars"):
        _add(found, "", thing.attrs)
        return
    _add(found, None, thing.attrs)
    for name, variable in thing.variables.items():
        _add(found, str(name), variable.attrs)


def _of_h5py(thing: Any, found: Attributes) -> None:
    from hpcprov.data.attributes_hdf5 import gather

    if hasattr(thing, "dtype"):
        found.fields[""] = {}
        gather(thing.id, found, "")
        return
    gather(thing.id, found, None)

    def visit(path: str, member: Any) -> None:
        if hasattr(member, "dtype"):
            found.fields[path] = {}
            gather(member.id, found, path)

    thing.visititems(visit)


def _of_zarr(thing: Any, found: Attributes) -> None:
    if hasattr(thing, "dtype"):
        _add(found, "", dict(thing.attrs))
        return
    _add(found, None, dict(thing.attrs))
    for path, member in thing.members(max_depth=None):
        if hasattr(member, "dtype"):
            _add(found, path, dict(member.attrs))


def _of_pandas(thing: Any, found: Attributes) -> None:
    is_table = hasattr(thing, "columns")
    _add(found, None if is_table else "", thing.attrs)
    if is_table:
        for name in thing.columns:
            _add(found, str(name), {})


def _of_pyarrow(thing: Any, found: Attributes) -> None:
    from hpcprov.data.attributes_tables import of_schema

    if hasattr(thing, "schema"):
        whole = of_schema(thing.schema)
        found.dataset, found.fields, found.skipped = whole.dataset, whole.fields, whole.skipped


def _add(found: Attributes, where: str | None, attributes: Any) -> None:
    if where is not None:
        found.fields.setdefault(where, {})
    for name, value in attributes.items():
        found.add(where, str(name), value)


#: first part of the name of a type's module: what gathers its attributes
GATHERERS: dict[str, Callable[[Any, Attributes], None]] = {
    "xarray": _of_xarray,
    "h5py": _of_h5py,
    "zarr": _of_zarr,
    "pandas": _of_pandas,
    "pyarrow": _of_pyarrow,
}

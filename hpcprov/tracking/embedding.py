"""A definition written into the attributes of the field that it is of, as `hpcprov.define(..., embed=True)` asks.

embed_definition(h5py_dataset, {"path": "/data/out.h5", "field": "depth", "expression": "h * 2", ...}, run="2026...")

What the program has open itself is written to through that object; else the file at the path, atomically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcprov.record.artifact import is_memory
from hpcprov.record.definition import CONTEXT, EXPRESSION

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTRIBUTED = ("h5py", "zarr", "xarray")  # libraries whose objects have `attrs` that are written with the values


def texts(entry: Mapping[str, Any], run: str | None) -> dict[str, Any]:
    """The attributes, as `quality.definitions.attributes` reads them."""
    import json

    told = {key: entry[key] for key in ("language", "context", "step") if entry.get(key)} | ({"by": run} if run else {})
    inputs = [{key: value for key, value in one.items() if value} for one in entry["inputs"]]
    return {EXPRESSION: entry["expression"], CONTEXT: json.dumps(told | {"inputs": inputs})}


def embed_definition(field: Any, entry: Mapping[str, Any], run: str | None) -> None:
    """Raises what the library raises that cannot write there."""
    attributes = texts(entry, run)
    library = type(field).__module__.partition(".")[0]
    if library in ATTRIBUTED:
        field.attrs.update(attributes)
    elif library == "netCDF4":
        field.setncatts(attributes)
    elif is_memory(entry["path"]):
        raise TypeError(f"values of {library} in memory have no attributes")
    else:
        from hpcprov.data.embed import Changes, embed

        embed(entry["path"], Changes(fields={entry["field"]: attributes}))

"""Attributes of a dataset and of its fields, whatever the format, made plain: text, numbers and lists of them.

    found = read_attributes("out.nc")
    found.dataset["history"]             ->  '2026-11-21T10:00:00Z ./model config.nml'
    found.fields["depth"]["units"]       ->  'm'
    cf(found.fields["depth"])            ->  {'units': 'm', 'long_name': 'depth of the flood'}
    storage_of("out.nc")["depth"].codec  ->  'shuffle, deflate(4)'

They are untrusted: a value takes at most 64 KiB, there are at most 10,000, and what a reader leaves out is in `skipped`
with the reason. What a format keeps for itself (NetCDF-4's dimension lists, Arrow's schema) is none of the user's
attributes and is left out without a word. The names of fields are those of `Field.name`.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.open import READERS, MissingReader, format_of, readable
from hpcprov.data.types import Plain, Text, Type

Value: TypeAlias = str | int | float | bool | list[Any]

#: Bytes of one value, and attributes of one dataset with all its fields.
MOST_OCTETS, MOST_ATTRIBUTES = 64 << 10, 10_000
#: What is noted of those that are left out.
MOST_SKIPPED = 100

#: format: the module whose `attributes(path)` and `storage(path)` read it. Other formats have none.
MODULES = {
    "hdf5": "hpcprov.data.attributes_hdf5",
    "netcdf3": "hpcprov.data.attributes_netcdf3",
    "zarr2": "hpcprov.data.attributes_zarr",
    "zarr3": "hpcprov.data.attributes_zarr",
    "parquet": "hpcprov.data.attributes_tables",
    "arrow": "hpcprov.data.attributes_tables",
}
#: The attributes of a field that the CF conventions (and NUG, ACDD) give a meaning for a reader of it.
CF = (
    *("units", "long_name", "standard_name", "short_name", "description", "comment", "cell_methods", "calendar"),
    *("positive", "axis", "coordinates", "grid_mapping", "valid_range", "valid_min", "valid_max", "flag_values"),
    *("flag_meanings", "scale_factor", "add_offset", "references", "source"),
)
MISSING = ("_FillValue", "missing_value")


class LeftOut(Exception):
    """A value that is not made plain; the message says why."""


@dataclass
class Attributes:
    """What `dataset` and `fields` (by name) have; `skipped`: field (empty for the dataset), name and reason."""

    dataset: dict[str, Value] = field(default_factory=dict)
    fields: dict[str, dict[str, Value]] = field(default_factory=dict)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, where: str | None, name: str, raw: Any) -> None:
        """Take an attribute of a field, or of the dataset for None. Text as bytes is UTF-8."""
        home = self.dataset if where is None else self.fields.setdefault(where, {})
        try:
            if self.count >= MOST_ATTRIBUTES:
                raise LeftOut(f"more than {MOST_ATTRIBUTES} attributes")
            if len(name) > MOST_OCTETS:
                raise LeftOut(f"a name of {len(name)} characters")
            home[name] = plain(raw)
            self.count += 1
        except LeftOut as reason:
            self.skip(where, name, str(reason))
        except RecursionError:
            self.skip(where, name, "nested too deeply")

    def skip(self, where: str | None, name: str, reason: str) -> None:
        """Note one that is left out."""
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append((where or "", name[:1000], reason))


@dataclass(frozen=True)
class Storage:
    """How a field lies in its file: extents of a chunk and of a shard, the codecs in the order in which they are
    applied (`shuffle, deflate(4)`), what elements are that were never written, the names of its axes. None: has none,
    or it cannot be told."""

    chunks: list[int] | None = None
    shards: list[int] | None = None
    codec: str | None = None
    fill: Value | None = None
    dimensions: list[str] | None = None


def read_attributes(path: str, *, follow: bool = False) -> Attributes:
    """The attributes of the artifact at `path`; none for formats that have no place for them. Raises UnreadableData for
    damaged data, MissingReader. (What lies in other files has its attributes there: `follow` changes nothing yet.)"""
    form = format_of(path)
    if form not in MODULES:
        return Attributes()
    with readable(path):
        found: Attributes = _module(form).attributes(path)
        return found


def storage_of(path: str) -> dict[str, Storage]:
    """How each field is stored, as far as the format can tell. Raises what `read_attributes` raises."""
    form = format_of(path)
    if form not in MODULES:
        return {}
    with readable(path):
        found: dict[str, Storage] = _module(form).storage(path)
        return found


def attributes_of(thing: Any) -> Attributes:
    """The attributes of an open object of xarray, h5py, zarr, pandas or pyarrow; an array's own are those of the field
    with the empty name. Objects of other kinds have none."""
    from hpcprov.data import attributes_opened

    return attributes_opened.attributes(thing)


def _module(form: str) -> Any:
    try:
        return import_module(MODULES[form])
    except ImportError as error:
        raise MissingReader(f"to read it, pip install 'hpcprov[{READERS[form][2]}]' ({error})") from error


def cf(attributes: dict[str, Value]) -> dict[str, Value]:
    """Those attributes of a field that tell a reader what it is, in a fixed order."""
    return {name: attributes[name] for name in CF if name in attributes}


def missing_values(attributes: dict[str, Value], kind: Type) -> list[Value]:
    """The values of a field that `_FillValue` and `missing_value` declare to be missing, as elements of its type are in
    Python (a float rounded to the type's precision, so that it compares equal). NaN, which is missing in any case, and
    what the type cannot hold are left out."""
    declared = [item for name in MISSING for item in _listed(attributes.get(name))]
    found = [value for item in declared for value in _element(item, kind)]
    return list(dict.fromkeys(found))


def _listed(value: Value | None) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _element(value: Any, kind: Type) -> Iterable[Value]:
    """The value as an element, or nothing."""
    if isinstance(kind, Text):
        return [value] if isinstance(value, str) else []
    if not isinstance(kind, Plain):
        return []
    family = kind.text[:1]
    if family == "f" and kind.text[1:].isdigit():
        value = of_base64(value) if isinstance(value, str) else value
        return [] if isinstance(value, str) else _float(value, kind)
    if family in "iu" and kind.text[1:].isdigit() and not isinstance(value, str):
        return _integer(value, kind)
    return []


def _float(value: float, kind: Plain) -> list[Value]:
    with np.errstate(all="ignore"):
        try:
            rounded = float(np.dtype(kind.text).type(value))
        except OverflowError:
            return []
    return [] if math.isnan(rounded) else [rounded]


def _integer(value: float, kind: Plain) -> list[Value]:
    if isinstance(value, float) and not value.is_integer():
        return []
    bounds, number = np.iinfo(kind.text), int(value)
    return [number] if bounds.min <= number <= bounds.max else []


def of_base64(text: str) -> float | str:
    """xarray writes the fill value of floats in Zarr v3 as the base64 of a little-endian double."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text
    return float(np.frombuffer(octets, "<f8")[0]) if len(octets) == 8 else text


def plain(raw: Any) -> Value:
    """A value as plain Python: a number, a text, or a list of them; one element is no list. Raises LeftOut."""
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "surrogateescape")
    if isinstance(raw, str):
        _check_size(len(raw))
        return raw
    if isinstance(raw, bool | int | float):
        return raw
    if isinstance(raw, np.generic):
        return _item(raw.item(), raw.dtype)
    if isinstance(raw, np.ndarray):
        _check_size(raw.nbytes)
        return _of_items([_item(item, raw.dtype) for item in raw.reshape(-1).tolist()])
    if isinstance(raw, list | tuple):
        if len(raw) > MOST_OCTETS:
            raise LeftOut(f"a list of {len(raw)} elements")
        return _of_items([plain(item) for item in raw])
    raise LeftOut(f"a value of the kind {type(raw).__name__}")


def _of_items(items: list[Value]) -> Value:
    _check_size(sum(len(item) for item in items if isinstance(item, str)))
    return items[0] if len(items) == 1 else items


def _item(item: Any, dtype: np.dtype[Any]) -> Value:
    """One element as `tolist` gives it."""
    if dtype.kind in "mM":
        return str(np.asarray(item, dtype)) if not isinstance(item, int) else item
    if isinstance(item, bool | int | float | str | bytes):
        return plain(item)
    raise LeftOut(f"a value of the type {dtype}"[:100])


def _check_size(octets: int) -> None:
    if octets > MOST_OCTETS:
        raise LeftOut(f"{octets} bytes, and at most {MOST_OCTETS} are taken")

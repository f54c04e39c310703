"""What the metadata of a Zarr array says of its chunks: `.zarray` (v2) and the array's `zarr.json` (v3).

`layout_of(node, "zarr3")` is None for arrays that are legal and not understood here (codecs from arrays to arrays other
than transpose, codecs of objects, extensions): zarr-python reads those. What no reader may accept is refused by name.

    layout = layout_of({"shape": [40], "chunks": [10], "dtype": "<f8", ...}, "zarr2")
    layout.key((3,))           # ("", "3"): directory and name of a chunk
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Index
from hpcprov.data.types import Type
from hpcprov.data.values import Values
from hpcprov.data.zarr_codecs import Step, are_joinable, decoded, decoded_together, most_encoded, steps
from hpcprov.data.zarr_types import dtype2, dtype3, fill2, fill3, named
from hpcprov.record.errors import UnreadableData

Extents = tuple[int, ...]
#: Extents are 64-bit numbers.
MAX_EXTENT = (1 << 63) - 1
MAX_RANK = 64
#: The chunks of one shard, each of which has 16 bytes in its index.
MAX_IN_SHARD = 1 << 22
#: And `compressor` and `filters`, which some writers leave out when there are none.
V2_KEYS = {"zarr_format", "shape", "chunks", "dtype", "fill_value", "order"}
V3_KEYS = {"zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "codecs", "fill_value"}
#: Without meaning for the values, or looked at apart.
V3_ALSO = {"attributes", "dimension_names", "storage_transformers"}


@dataclass(frozen=True)
class Encoding:
    """How one chunk of `extents` becomes bytes: its axes in the order `axes`, its elements as `dtype`, then codecs."""

    extents: Extents
    dtype: np.dtype[Any]
    axes: Extents
    steps: list[tuple[Step, int | None]]

    @cached_property
    def size(self) -> int:
        """Bytes of a chunk's values."""
        return prod(self.extents) * self.dtype.itemsize

    @cached_property
    def most(self) -> int:
        """Encoded chunks are not longer."""
        return most_encoded(self.steps, self.size)

    @cached_property
    def stored_extents(self) -> Extents:
        """The chunk's extents in the order in which its axes are stored."""
        return tuple(self.extents[axis] for axis in self.axes)

    @cached_property
    def places(self) -> list[int] | None:
        """Where each axis of the chunk lies among the stored ones; None when they are stored in order."""
        places = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        return None if places == list(range(len(self.axes))) else places

    def decode(self, data: Any) -> Values:
        """The values of a chunk. Raises Damaged."""
        return self.shaped(np.frombuffer(decoded(data, self.steps, self.size), self.dtype))

    @cached_property
    def joinable(self) -> bool:
        """Whether several chunks may be decoded in one call."""
        return are_joinable(self.steps)

    def decode_together(self, chunks: list[bytes]) -> list[Values] | None:
        """The values of several chunks; None when one is damaged or cannot be joined to others."""
        octets = decoded_together(chunks, self.size) if self.joinable and chunks else None
        if octets is None:
            return None
        return [self.shaped(flat) for flat in octets.view(self.dtype).reshape(len(chunks), -1)]

    def shaped(self, flat: Values) -> Values:
        """Elements in the order in which they are stored, as a chunk."""
        values = flat.reshape(self.stored_extents)
        return values if self.places is None else values.transpose(self.places)


@dataclass(frozen=True)
class Sharding:
    """Where a shard keeps its index: for each of `counts` inner chunks, its offset and length as u64 of `endian`."""

    counts: Extents
    at_end: bool
    checked: bool
    endian: str

    @property
    def index_size(self) -> int:
        return 16 * prod(self.counts) + (4 if self.checked else 0)


@dataclass(frozen=True)
class Layout:
    """An array as it is stored. `grid` are the extents of what one file holds: a chunk, or a shard of chunks."""

    shape: Extents
    type: Type
    fill: Values
    grid: Extents
    encoding: Encoding
    sharding: Sharding | None
    prefix: str
    separator: str

    def key(self, index: Index) -> tuple[str, str]:
        """Directory, relative to the array, and name of a chunk's file."""
        parts = self.separator.join(map(str, index))
        if not self.prefix:
            parts = parts or "0"
        elif index:
            parts = f"{self.prefix}{self.separator}{parts}"
        else:
            parts = self.prefix
        folder, _, name = parts.rpartition("/")
        return folder, name


def layout_of(node: dict[str, Any], form: str) -> Layout | None:
    """The layout that an array's metadata declares, or None. Raises UnreadableData, naming the key and its value, and
    Unsigned for types without signature."""
    return _layout2(node) if form == "zarr2" else _layout3(node)


def _layout2(node: dict[str, Any]) -> Layout | None:
    if V2_KEYS - set(node):
        raise UnreadableData(f".zarray has no {', '.join(sorted(V2_KEYS - set(node)))}")
    if node["zarr_format"] != 2:
        raise UnreadableData(f"zarr_format is {_shown(node['zarr_format'])} in .zarray")
    shape, chunks = _extents(node, "shape"), _extents(node, "chunks", least=1)
    _check_rank(shape, chunks)
    order, separator = _one_of(node, "order", "CF"), _one_of({"dimension_separator": ".", **node}, *SEPARATOR)
    dtype = dtype2(node["dtype"])
    fill = fill2(node["fill_value"], dtype) if dtype is not None else None
    if dtype is None or fill is None:
        return None
    found = _steps2(node, prod(chunks) * dtype.itemsize)
    if found is None:
        return None
    axes = tuple(range(len(shape)))
    encoding = Encoding(chunks, dtype, axes[::-1] if order == "F" else axes, found)
    return Layout(shape, type_of(dtype), fill, chunks, encoding, None, "", separator)


SEPARATOR = ("dimension_separator", "./")


def _steps2(node: dict[str, Any], size: int) -> list[tuple[Step, int | None]] | None:
    filters, compressor = node.get("filters"), node.get("compressor")
    filters = filters if filters is not None else []
    if not isinstance(filters, list):
        raise UnreadableData(f"filters is {_shown(filters)}, which is not a list")
    codecs = [*filters, *([compressor] if compressor is not None else [])]
    for codec in codecs:
        if not isinstance(codec, dict) or not isinstance(codec.get("id"), str):
            raise UnreadableData(f"a codec is {_shown(codec)}, which has no id")
    return _known([(codec["id"], {key: codec[key] for key in codec if key != "id"}) for codec in codecs], size)


def _known(codecs: list[tuple[str, dict[str, Any]]], size: int) -> list[tuple[Step, int | None]] | None:
    try:
        return steps(codecs, size)
    except ImportError:
        raise
    except Exception:
        # The configuration is wrong: zarr-python says what is.
        return None


def _layout3(node: dict[str, Any]) -> Layout | None:
    if V3_KEYS - set(node):
        raise UnreadableData(f"zarr.json has no {', '.join(sorted(V3_KEYS - set(node)))}")
    shape, grid = _extents(node, "shape"), _grid3(node)
    keys = _keys3(node)
    dtype = dtype3(node["data_type"])
    if any(_must_be_understood(node[key]) for key in set(node) - V3_KEYS - V3_ALSO):
        return None
    if grid is None or keys is None or dtype is None or node.get("storage_transformers"):
        return None
    _check_rank(shape, grid)
    fill = fill3(node["fill_value"], dtype)
    codecs = _codecs3(node["codecs"])
    stored = _sharded(codecs, grid, dtype) if _is_sharded(codecs) else _plain(codecs, grid, dtype)
    if fill is None or stored is None:
        return None
    encoding, sharding = stored
    return Layout(shape, type_of(dtype), fill, grid, encoding, sharding, *keys)


def _must_be_understood(extension: Any) -> bool:
    """Whether no reader may pass over an extension of the metadata: unless it says so, that is."""
    return not (isinstance(extension, dict) and extension.get("must_understand") is False)


def _grid3(node: dict[str, Any]) -> Extents | None:
    name, options = named(node["chunk_grid"])
    if not name:
        raise UnreadableData(f"chunk_grid is {_shown(node['chunk_grid'])}")
    return _extents(options, "chunk_shape", least=1) if name == "regular" else None


def _keys3(node: dict[str, Any]) -> tuple[str, str] | None:
    """Prefix and separator of chunk keys."""
    name, options = named(node["chunk_key_encoding"])
    if name not in ("default", "v2"):
        return None
    separator = _one_of({"separator": "/" if name == "default" else ".", **options}, "separator", "./")
    return ("c" if name == "default" else ""), separator


def _codecs3(declared: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(declared, list) or not declared:
        raise UnreadableData(f"codecs is {_shown(declared)}, which is not a list of codecs")
    found = [named(codec) for codec in declared]
    for (name, _), codec in zip(found, declared, strict=True):
        if not name:
            raise UnreadableData(f"a codec is {_shown(codec)}, which has no name")
    return found


def _is_sharded(codecs: list[tuple[str, dict[str, Any]]]) -> bool:
    return len(codecs) == 1 and codecs[0][0] == "sharding_indexed"


def _plain(
    codecs: list[tuple[str, dict[str, Any]]], extents: Extents, dtype: np.dtype[Any]
) -> tuple[Encoding, None] | None:
    """The encoding of chunks by transpose, any number of times, then bytes, then codecs of bytes."""
    axes, at = tuple(range(len(extents))), 0
    while at < len(codecs) and codecs[at][0] == "transpose":
        order = codecs[at][1].get("order")
        if not isinstance(order, list) or sorted(map(_number, order)) != list(range(len(extents))):
            return None
        axes, at = tuple(axes[axis] for axis in order), at + 1
    if at == len(codecs) or codecs[at][0] != "bytes":
        return None
    order = codecs[at][1].get("endian", "little" if dtype.itemsize == 1 or dtype.kind in "VS" else None)
    if order not in ("little", "big"):
        return None
    found = _known([(_short(name), options) for name, options in codecs[at + 1 :]], _size(extents, dtype))
    if found is None:
        return None
    return Encoding(extents, dtype.newbyteorder("<" if order == "little" else ">"), axes, found), None


#: Codecs from bytes to bytes that v3 has under names of its own; numcodecs' others begin with `numcodecs.` there.
OWN = ("gzip", "blosc", "zstd", "crc32c")


def _short(name: str) -> str:
    """numcodecs' name of one of v3's codecs; empty for one that v3 does not have, as numcodecs' bare names."""
    if name.startswith("numcodecs."):
        return name.removeprefix("numcodecs.")
    return name if name in OWN else ""


def _sharded(
    codecs: list[tuple[str, dict[str, Any]]], shard: Extents, dtype: np.dtype[Any]
) -> tuple[Encoding, Sharding] | None:
    options = codecs[0][1]
    inner = _extents(options, "chunk_shape", least=1)
    if len(inner) != len(shard) or any(whole % part for whole, part in zip(shard, inner, strict=True)):
        raise UnreadableData(f"chunks of {_shown(list(inner))} do not fill shards of {_shown(list(shard))}")
    counts = tuple(whole // part for whole, part in zip(shard, inner, strict=True))
    if prod(counts) > MAX_IN_SHARD:
        raise UnreadableData(f"a shard holds {prod(counts)} chunks, and at most {MAX_IN_SHARD} are read")
    location = _one_of({"index_location": "end", **options}, "index_location", ("start", "end"))
    index = _codecs3(options.get("index_codecs"))
    stored = _plain(_codecs3(options.get("codecs")), inner, dtype)
    if stored is None or [name for name, _ in index] not in (["bytes"], ["bytes", "crc32c"]):
        return None
    endian = {"little": "<", "big": ">"}.get(index[0][1].get("endian", ""))
    if endian is None:
        return None
    return stored[0], Sharding(counts, location == "end", len(index) == 2, endian)


def _size(extents: Extents, dtype: np.dtype[Any]) -> int:
    return prod(extents) * dtype.itemsize


def _extents(node: dict[str, Any], key: str, *, least: int = 0) -> Extents:
    value = node.get(key)
    if not isinstance(value, list) or len(value) > MAX_RANK:
        raise UnreadableData(f"{key} is {_shown(value)}, which is not a list of extents")
    if any(not least <= _number(extent) <= MAX_EXTENT for extent in value):
        zero = " (chunks of no extent)" if least and 0 in value else ""
        raise UnreadableData(f"{key} is {_shown(value)}: each extent is a number from {least} on{zero}")
    return tuple(value)


def _number(value: Any) -> int:
    return value if type(value) is int else -1


def _check_rank(shape: Extents, chunks: Extents) -> None:
    if len(shape) != len(chunks):
        raise UnreadableData(f"chunks of {len(chunks)} axes in an array of {len(shape)}")


def _one_of(node: dict[str, Any], key: str, values: Any) -> str:
    value = node.get(key)
    if not isinstance(value, str) or value not in tuple(values):
        raise UnreadableData(f"{key} is {_shown(value)}, which is none of {', '.join(values)}")
    return value


def _shown(value: Any) -> str:
    return repr(value)[:100]

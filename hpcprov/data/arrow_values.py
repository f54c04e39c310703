"""Arrow arrays as numpy arrays, as `hpcprov.data.values` takes them: numbers without copying, text as byte strings.

Missing values of a column are masked; inside of lists, structs and arrays they have no signature.

    >>> numpy_of(pa.array([1, None, 3]))
    masked_array(data=[1, --, 3], mask=[False, True, False], fill_value=999999)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from hpcprov.data.arrow_types import BINARIES, LISTS, TEXTS
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values


def numpy_of(column: Any) -> Values:
    """The values of an array: a masked array when some are missing. The elements of fixed-size lists come as further
    axes. Raises Unsigned for missing values below the top."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_null(column.type):
        column = column.cast(pa.string())
    if not column.null_count:
        return _present(column)
    missing = np.asarray(column.is_null())
    values = _scattered(column, missing) if types.is_nested(column.type) else _present(column)
    return np.ma.MaskedArray(values, mask=_spread(missing, values))


def _scattered(column: Any, missing: Values) -> Values:
    """Nested values with blanks for the missing ones: what lies below those is no part of the column."""
    there = _present(column.drop_null())
    values = np.zeros((len(column), *there.shape[1:]), there.dtype)
    values[~missing] = there
    return values


def _spread(missing: Values, values: Values) -> Any:
    """The mask with the axes and members that the values have."""
    full = np.zeros(values.shape, np.ma.make_mask_descr(values.dtype))
    full[missing] = True if values.dtype.names is None else np.ones((), full.dtype)
    return full


def _inner(column: Any) -> Values:
    """The values of what lies in a list, struct or array, where none may be missing."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count:
        raise Unsigned("missing values inside of lists, structs or arrays have no signature")
    return _present(column)


def _present(column: Any) -> Values:
    """The values; what stands for a missing number or text has no meaning."""
    kind = column.type
    if kind in TEXTS or kind in BINARIES:
        return _texts(column)
    if types.is_boolean(kind):
        return np.asarray(column.cast(pa.uint8()).fill_null(0))
    if types.is_temporal(kind):
        return _numbers(column.cast(pa.int32()).cast(pa.int64()) if types.is_date32(kind) else column.cast(pa.int64()))
    if any(is_list(kind) for is_list in LISTS):
        return _lists(column)
    if types.is_fixed_size_list(kind):
        return _arrays(column)
    if types.is_struct(kind):
        return _structs(column)
    return _numbers(column)


def _numbers(column: Any) -> Values:
    """Elements of fixed size, straight from the column's buffer."""
    size = column.type.byte_width
    dtype = np.dtype(f"V{size}") if types.is_fixed_size_binary(column.type) else column.type.to_pandas_dtype()
    buffer = column.buffers()[1]
    if not len(column) or not size or buffer is None:
        return np.zeros(len(column), dtype)
    return np.frombuffer(buffer, dtype, len(column), column.offset * size)


def _texts(column: Any) -> Values:
    values = np.empty(len(column), object)
    values[:] = column.cast(pa.large_binary()).to_pylist()
    return values


def _lists(column: Any) -> Values:
    values = np.empty(len(column), object)
    offsets = np.asarray(column.offsets)
    first = int(offsets[0]) if len(offsets) else 0
    inner = _inner(column.values.slice(first, int(offsets[-1]) - first if len(offsets) else 0))
    for at in range(len(column)):
        values[at] = inner[offsets[at] - first : offsets[at + 1] - first]
    return values


def _arrays(column: Any) -> Values:
    size = column.type.list_size
    inner = column.values.slice(column.offset * size, len(column) * size)
    flat = _inner(inner)
    return flat.reshape((len(column), size, *flat.shape[1:]))


def _structs(column: Any) -> Values:
    parts = [_inner(column.field(at)) for at in range(column.type.num_fields)]
    dtype = np.dtype([(f"m{at}", part.dtype, part.shape[1:]) for at, part in enumerate(parts)])
    values = np.empty(len(column), dtype)
    for at, part in enumerate(parts):
        values[f"m{at}"] = part
    return values

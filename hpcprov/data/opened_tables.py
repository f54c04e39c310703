"""Tables and columns in memory: objects of pandas, polars and pyarrow, by way of Arrow.

    opened(pandas.DataFrame({"t": [1.5, None]})).fields[0].type.text   ->  'f8'

A table is what a Parquet file written from it would be, with the same signature: pandas' NaN and None are missing
values, its index is a column unless it only counts rows; polars' NaN is a value. A column on its own (a Series) is one
field with the empty path: where nothing is missing that of the numpy array with these values.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from hpcprov.data.interface import Dataset
from hpcprov.data.open import MissingReader
from hpcprov.data.types import Unsigned

MISSING = "tables in memory are signed with pyarrow: pip install 'hpcprov[tables]'"


def of_pandas(thing: Any) -> Dataset:
    """A DataFrame or a Series. Raises Unsigned, TypeError, MissingReader."""
    arrow = _arrow()
    try:
        if hasattr(thing, "columns") and hasattr(thing, "iloc"):
            return _dataset(arrow.Table.from_pandas(thing), "pandas")
        if hasattr(thing, "iloc"):
            return _column(arrow.array(thing, from_pandas=True), "pandas")
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError, ValueError) as error:
        raise Unsigned(_first_line(error)) from error
    raise _refusal(thing, "a DataFrame or a Series")


def of_polars(thing: Any) -> Dataset:
    """A DataFrame or a Series. Raises Unsigned, TypeError, MissingReader."""
    arrow = _arrow()
    if not hasattr(thing, "to_arrow"):
        raise _refusal(thing, "a DataFrame or a Series; a LazyFrame when it has been collected")
    kinds = thing.dtypes if hasattr(thing, "dtypes") else [thing.dtype]
    if any("Object" in str(kind) for kind in kinds):
        raise Unsigned("Python objects have no signature")  # polars would give where they lie in memory
    found = thing.to_arrow()
    return _dataset(found, "polars") if isinstance(found, arrow.Table) else _column(found, "polars")


def of_pyarrow(thing: Any) -> Dataset:
    """A Table, RecordBatch, Array or ChunkedArray. Raises Unsigned, TypeError."""
    arrow = _arrow()
    if isinstance(thing, arrow.RecordBatch):
        return _dataset(arrow.Table.from_batches([thing]), "arrow")
    if isinstance(thing, arrow.Table):
        return _dataset(thing, "arrow")
    if isinstance(thing, arrow.Array | arrow.ChunkedArray):
        return _column(thing, "arrow")
    raise _refusal(thing, "a Table, a RecordBatch or an Array")


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingReader(MISSING) from error
    return pyarrow


def _refusal(thing: Any, expected: str) -> TypeError:
    return TypeError(f"{type(thing).__module__}.{type(thing).__qualname__} has no signature: give {expected}")


def _dataset(table: Any, form: str) -> Dataset:
    """All columns, in their order."""
    from hpcprov.data.arrow_types import check_names, column_type

    check_names(table.schema.names)
    kinds = [(item.name, column_type(item.name, item.type)) for item in table.schema]
    return Dataset(form, tuple(_field(table.column(at), *kinds[at]) for at in range(len(kinds))), kind="table")


def _column(values: Any, form: str) -> Dataset:
    from hpcprov.data.arrow_types import column_type

    return Dataset(form, (_field(values, "", column_type("", values.type)),))


def _field(column: Any, name: str, kind: Any) -> Any:
    """A column, which lies in memory in one or several chunks, as a field."""
    from hpcprov.data.table import Table

    chunks = [chunk for chunk in getattr(column, "chunks", [column]) if len(chunk)]

    def arrays(_: int, group: int) -> Iterator[Any]:
        yield chunks[group]

    starts = [0, *accumulate(map(len, chunks))][:-1]
    length = 0 if kind.size is not None else column.nbytes // max(1, len(column))
    return Table(starts, len(column), arrays, lambda _: _arrow().array([], column.type)).field(
        name, 0, kind, length=length
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]

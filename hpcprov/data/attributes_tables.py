"""Attributes of Parquet and Arrow files: the key-value metadata of the schema, and of each column's field.

    attributes("trans.parquet").fields["amount"]["units"]

What Arrow, pandas and polars keep there for themselves is left out.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import parquet

from hpcprov.data.attributes import Attributes, Storage
from hpcprov.data.open import format_of
from hpcprov.data.parquet import MOST_ITEMS, MOST_TEXT

#: Arrow's schema in Parquet, how pandas and polars note their types, and Parquet's numbers of fields.
OWN = {b"ARROW:schema", b"pandas", b"PARQUET:field_id", b"_PL_ENUM_VALUES", b"_PL_CATEGORICAL"}


def attributes(path: str) -> Attributes:
    """Of the schema and of each column. Raises what pyarrow raises for damaged files."""
    with pa.OSFile(path) as source:
        if format_of(path) == "arrow":
            return of_schema(pa.ipc.open_file(source).schema)
        file = _parquet(source)
        # The Arrow schema has the file's own metadata only where no Arrow schema is stored in it.
        return of_schema(file.schema_arrow, file.metadata.metadata or {})


def of_schema(schema: Any, more: dict[bytes, bytes] | None = None) -> Attributes:
    """Of an Arrow schema, with what else its file says of the whole."""
    found = Attributes()
    for name, value in {**(more or {}), **(schema.metadata or {})}.items():
        if name not in OWN:
            found.add(None, _text(name), value)
    for item in schema:
        found.fields[item.name] = {}
        for name, value in (item.metadata or {}).items():
            if name not in OWN:
                found.add(item.name, _text(name), value)
    return found


def storage(path: str) -> dict[str, Storage]:
    """Of each column: the rows of the first row group, and its codec."""
    if format_of(path) == "arrow":
        return {}
    with pa.OSFile(path) as source:
        file = _parquet(source)
        metadata, codecs = file.metadata, _codecs(file.metadata)
        rows = [metadata.row_group(0).num_rows] if metadata.num_row_groups > 1 else None
        return {name: Storage(rows, None, codecs.get(name)) for name in file.schema_arrow.names}


def _codecs(metadata: Any) -> dict[str, str]:
    """The codec of each column, by the first of its leaves."""
    found: dict[str, str] = {}
    if not metadata.num_row_groups:
        return found
    group = metadata.row_group(0)
    for at in range(metadata.num_columns):
        column = group.column(at)
        codec = column.compression.lower()
        for name in (column.path_in_schema, column.path_in_schema.partition(".")[0]):
            if codec != "uncompressed":
                found.setdefault(name, codec)
    return found


def _parquet(source: Any) -> Any:
    return parquet.ParquetFile(
        source, pre_buffer=False, thrift_string_size_limit=MOST_TEXT, thrift_container_size_limit=MOST_ITEMS
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")

"""Attributes written into the copy of a Parquet file: its footer, which lies at the end, is written anew; no page is
touched.

The footer is a Thrift struct; of its fields only `key_value_metadata` is changed, all others are copied byte by byte.
Attributes of columns stand in the Arrow schema, which is one of the keys there (`ARROW:schema`).
"""

from __future__ import annotations

import base64
import json
import os

import pyarrow as pa
from pyarrow import parquet

from hpcprov.data.attributes import Value
from hpcprov.data.embed import Changes
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.data.parquet import MOST_ITEMS, MOST_TEXT
from hpcprov.data.thrift import Fields, join_pairs, join_struct, split_pairs, split_struct
from hpcprov.record.errors import UnreadableData

MAGIC = b"PAR1"
TAIL = 8  # the footer's length and the magic
#: Fields of FileMetaData, https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
KEY_VALUES, ENCRYPTION = 5, 8
ARROW_SCHEMA = b"ARROW:schema"
MOST_FOOTER = 1 << 30


def edit(draft: str, changes: Changes) -> None:
    """Change a file that is nobody else's. Raises NotEmbedded, UnreadableData."""
    before = _schema(draft)
    with open(draft, "r+b") as file:
        start, fields = _footer(file.fileno())
        pairs = split_pairs(fields.get(KEY_VALUES))
        _set_all(pairs, changes.dataset)
        if ARROW_SCHEMA in pairs or changes.fields:
            pairs[ARROW_SCHEMA] = _stored_schema(_arrow_schema(pairs.get(ARROW_SCHEMA), before), changes)
        fields[KEY_VALUES] = join_pairs(pairs)
        footer = join_struct(fields)
        file.seek(start)
        file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
        file.truncate()
    if not _schema(draft).equals(before):
        raise NotEmbedded("the columns would no longer be read as they are now")


def _footer(fd: int) -> tuple[int, Fields]:
    """Where the footer begins, and its fields."""
    size = os.fstat(fd).st_size
    tail = os.pread(fd, TAIL, size - TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or not 0 < length <= min(MOST_FOOTER, size - TAIL - len(MAGIC)):
        raise UnreadableData(f"a footer of {length} bytes in a file of {size}")
    start = size - TAIL - length
    fields = split_struct(os.pread(fd, length, start), signed_by=ENCRYPTION)
    if ENCRYPTION in fields:
        raise NotEmbedded("its footer is signed with a key, as encrypted columns need it")
    return start, fields


def _schema(path: str) -> pa.Schema:
    with pa.OSFile(path) as source:
        file = parquet.ParquetFile(
            source, pre_buffer=False, thrift_string_size_limit=MOST_TEXT, thrift_container_size_limit=MOST_ITEMS
        )
        return file.schema_arrow


def _arrow_schema(stored: bytes | None, found: pa.Schema) -> pa.Schema:
    """The Arrow schema that is stored, else the one that was found, without what its reader has noted."""
    if stored is not None:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored)))
    return pa.schema([item.remove_metadata() for item in found])


def _stored_schema(schema: pa.Schema, changes: Changes) -> bytes:
    """The Arrow schema with the attributes changed, as Parquet keeps it."""
    whole = dict(schema.metadata or {})
    _set_all(whole, changes.dataset)
    fields = list(schema)
    for name, values in changes.fields.items():
        at = schema.get_field_index(name)
        if at < 0:
            raise UnreadableData(f"it has no field {name!a}, or several")
        own = dict(fields[at].metadata or {})
        _set_all(own, values)
        fields[at] = fields[at].with_metadata(own or None)
    return base64.b64encode(pa.schema(fields, whole or None).serialize().to_pybytes())


def _set_all(pairs: dict[bytes, bytes], values: dict[str, Value | None]) -> None:
    for name, value in values.items():
        key = _encoded(name)
        if value is None:
            pairs.pop(key, None)
        else:
            pairs[key] = _encoded(value if isinstance(value, str) else json.dumps(value))


def _encoded(text: str) -> bytes:
    """Strings of Thrift are UTF-8: what is not is escaped."""
    return text.encode("utf-8", "backslashreplace")

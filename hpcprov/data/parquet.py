"""Parquet files, through pyarrow: a column is a field, read in batches, so that a row group may be larger than memory.

    open_parquet("run.parquet").fields[0].read(((0, 1000),))

Directories of Parquet files are plain directories: each file is an artifact of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from threading import local
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from hpcprov.data.arrow_types import check_names, column_types
from hpcprov.data.interface import Dataset
from hpcprov.data.table import Table
from hpcprov.data.types import Type
from hpcprov.record.errors import UnreadableData

#: Pages are read from the file through a buffer of this size, not a column of a row group at once.
BUFFER = 1 << 20
#: Rows of one batch, and the bytes that it should take.
ROWS = 1 << 17
BATCH = 4 << 20
#: The footer is untrusted, too.
MOST_TEXT, MOST_ITEMS = 256 << 20, 1 << 22


def open_parquet(path: str, *, partial: bool = False) -> Dataset:
    """All columns of the file, in their order, with `partial` those that have a signature. Raises Unsigned, or what
    pyarrow raises for damaged files."""
    source = pa.OSFile(path)
    try:
        return _dataset(_File(source), partial)
    except BaseException:
        source.close()
        raise


def _dataset(file: _File, partial: bool) -> Dataset:
    schema, metadata = file.reader().schema_arrow, file.metadata
    check_names(schema.names)
    counts = [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)]
    if any(count < 0 for count in counts) or sum(counts) != metadata.num_rows:
        raise UnreadableData(f"{metadata.num_rows} rows declared, {sum(counts)} in the row groups")
    table = Table(
        [0, *accumulate(counts)][:-1], metadata.num_rows, file.arrays, lambda at: pa.array([], schema.field(at).type)
    )
    file.kinds, unread = column_types(schema, metadata.num_rows, partial=partial)
    file.leaves = _leaves(schema, metadata.num_columns)
    length = max(map(file.variable, range(len(counts))), default=0)
    fields = [table.field(schema.names[at], at, kind, length=length) for at, kind in file.kinds.items()]
    return Dataset("parquet", tuple(fields), file.source.close, kind="table", unread=unread)


def _leaves(schema: Any, total: int) -> list[list[int]]:
    """For each column, the numbers of the leaf columns that Parquet keeps it in."""
    counts = [_leaf_count(item.type) for item in schema]
    if sum(counts) != total:
        raise UnreadableData(f"{total} columns are stored, and {sum(counts)} are in the schema")
    ends = list(accumulate(counts))
    return [list(range(end - count, end)) for end, count in zip(ends, counts, strict=True)]


def _leaf_count(kind: Any) -> int:
    return sum(_leaf_count(kind.field(at).type) for at in range(kind.num_fields)) if kind.num_fields else 1


class _File:
    """An open file: one reader for each thread, which share the footer."""

    def __init__(self, source: Any) -> None:
        self.source, self.readers = source, local()
        self.metadata: Any = None
        self.kinds: dict[int, Type] = {}
        self.leaves: list[list[int]] = []
        self.metadata = self.reader().metadata

    def reader(self) -> Any:
        if not hasattr(self.readers, "mine"):
            self.readers.mine = parquet.ParquetFile(
                self.source,
                metadata=self.metadata,
                buffer_size=BUFFER,
                pre_buffer=False,
                thrift_string_size_limit=MOST_TEXT,
                thrift_container_size_limit=MOST_ITEMS,
            )
        return self.readers.mine

    def arrays(self, column: int, group: int) -> Iterator[Any]:
        size = self.kinds[column].size
        count = BATCH // max(1, self.variable(group) if size is None else size)
        # By number: by name a column `a.b` could not be told from the member b of a.
        batches = self.reader().reader.iter_batches(
            max(1, min(ROWS, count)), row_groups=[group], column_indices=self.leaves[column], use_threads=False
        )
        for batch in batches:
            yield batch.column(0)

    def variable(self, group: int) -> int:
        """Bytes that the columns of variable length have together in a row, on average, as far as the footer tells
        (without what dictionaries save).

        The footer tells it for each column, too, but pyarrow ends the process over some that are damaged there."""
        found = self.metadata.row_group(group)
        fixed = sum(kind.size or 0 for kind in self.kinds.values())
        size: int = found.total_byte_size // max(1, found.num_rows) - fixed
        return max(0, size)

"""Arrow IPC files, which Feather 2 files are, through pyarrow: a column is a field, read record batch by record batch.

    open_arrow("run.feather").fields[0].read(((0, 1000),))

The file does not say how many rows a batch has, so the narrowest column of each is read when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from threading import local
from typing import Any

import pyarrow as pa

from hpcprov.data.arrow_types import check_names, column_types
from hpcprov.data.interface import MAX_CHUNK, Dataset
from hpcprov.data.table import Table
from hpcprov.data.types import Type, Unsigned


def open_arrow(path: str, *, partial: bool = False) -> Dataset:
    """All columns of the file, in their order, with `partial` those that have a signature. Raises Unsigned, or what
    pyarrow raises for damaged files."""
    source = pa.OSFile(path)
    try:
        return _dataset(source, partial)
    except BaseException:
        source.close()
        raise


def open_feather1(path: str) -> Dataset:
    """Feather 1, which pyarrow reads no more in full: refused."""
    raise Unsigned("Feather version 1 is not read: write the file again as version 2 (Arrow IPC)")


def _dataset(source: Any, partial: bool) -> Dataset:
    reader = pa.ipc.open_file(source)
    schema, batches = reader.schema, reader.num_record_batches
    check_names(schema.names)
    rows = reader.count_rows() if batches else 0
    kinds, unread = column_types(schema, rows, partial=partial)
    file = _File(source)
    for at, kind in kinds.items():
        if rows // max(1, batches) * kind.nominal > MAX_CHUNK:
            told = f"record batches of {rows // batches} rows are larger than this version reads"
            raise Unsigned(f"{schema.names[at]}: {told}")
    counts = _batch_rows(file, kinds, batches) if kinds else []
    table = Table(
        [0, *accumulate(counts)][:-1], sum(counts), file.arrays, lambda at: pa.array([], schema.field(at).type)
    )
    fields = [table.field(schema.names[at], at, kind) for at, kind in kinds.items()]
    return Dataset("arrow", tuple(fields), source.close, kind="table", unread=unread)


def _batch_rows(file: _File, kinds: dict[int, Type], batches: int) -> list[int]:
    narrowest = min(kinds, key=lambda at: (kinds[at].size is None, kinds[at].nominal))
    return [len(array) for at in range(batches) for array in file.arrays(narrowest, at)]


class _File:
    """An open file: for each thread a reader of the column that it is at."""

    def __init__(self, source: Any) -> None:
        self.source, self.readers = source, local()

    def arrays(self, column: int, batch: int) -> Iterator[Any]:
        yield self._reader(column).get_batch(batch).column(0)

    def _reader(self, column: int) -> Any:
        now = getattr(self.readers, "mine", None)
        if now is None or now[0] != column:
            options = pa.ipc.IpcReadOptions(included_fields=[column], use_threads=False)
            self.readers.mine = now = (column, pa.ipc.open_file(self.source, options=options))
        return now[1]

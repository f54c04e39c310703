"""Tables of delimited text (CSV): parsed by pyarrow, with the types that docs/signature.md gives their columns.

The file is read once when it is opened, to know the columns' types and where its blocks begin. A column is then parsed
out of each block anew, unless the file is small enough to be kept.

    open_csv("stations.csv").fields[0].read(((0, 100),))
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from hpcprov.data.arrow_types import check_names
from hpcprov.data.csv_blocks import MAX_RECORD, Block, blocks
from hpcprov.data.csv_cells import Guess, Kind
from hpcprov.data.csv_rule import delimiter_of, sample_of
from hpcprov.data.interface import Dataset
from hpcprov.data.table import Table
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData

#: Parsed blocks are kept while they take no more than this.
KEPT = 64 << 20


def open_csv(path: str, *, keep: int | None = None) -> Dataset:
    """All columns of the table, in their order; `keep` is how many bytes of parsed blocks may be kept. Raises Unsigned
    for text that turns out to be none."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _dataset(fd, KEPT if keep is None else keep)
    except BaseException:
        os.close(fd)
        raise


def _dataset(fd: int, keep: int) -> Dataset:
    sample, whole = sample_of(fd, os.fstat(fd).st_size)
    mark = delimiter_of(sample, whole=whole)
    if mark is None:
        raise UnreadableData("not a table of delimited text any more")
    header, *rest = blocks(fd, mark)
    names = next(filter(None, csv.reader(io.StringIO(_text(fd, header), newline=""), delimiter=mark)))
    check_names(names)
    file = _File(fd, mark, names, rest, keep)
    table = Table(file.starts, file.rows, file.arrays, lambda at: file.kinds[at].values(pa.array([], pa.string())))
    fields = [table.field(name, at, kind.type) for at, (name, kind) in enumerate(zip(names, file.kinds, strict=True))]
    return Dataset("csv", tuple(fields), lambda: os.close(fd), kind="table")


def _text(fd: int, block: Block) -> str:
    return os.pread(fd, block.size, block.start).decode("utf-8")


@dataclass
class _File:
    """An open file, the blocks of its records and what kinds of values its columns have."""

    fd: int
    mark: str
    names: list[str]
    blocks: list[Block]
    keep: int
    kept: dict[int, Any] = field(default_factory=dict)
    starts: list[int] = field(init=False)
    rows: int = field(init=False)
    kinds: list[Kind] = field(init=False)

    def __post_init__(self) -> None:
        guesses = [Guess() for _ in self.names]
        counts, room = [0], self.keep
        for at in range(len(self.blocks)):
            cells = self._parsed(at, self.names, sum(counts))
            for guess, column in zip(guesses, cells.columns, strict=True):
                for part in column.chunks:
                    guess.meet(part)
            counts.append(cells.num_rows)
            room -= cells.nbytes
            if room >= 0:
                self.kept[at] = cells
        self.starts, self.rows = list(accumulate(counts))[:-1], sum(counts)
        self.kinds = [guess.kind for guess in guesses]

    def arrays(self, column: int, block: int) -> Iterator[Any]:
        """The values of a column in one block."""
        name = self.names[column]
        cells = self.kept[block] if block in self.kept else self._parsed(block, [name], self.starts[block])
        for part in cells.column(name).chunks:
            yield self.kinds[column].values(part)

    def _parsed(self, at: int, names: list[str], before: int) -> Any:
        block = self.blocks[at]
        data = os.pread(self.fd, block.size, block.start)
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(data),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=min(MAX_RECORD, len(data)) + 1, column_names=self.names
                ),
                parse_options=arrow_csv.ParseOptions(delimiter=self.mark, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=names,
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                    null_values=[],
                ),
            )
        except pa.ArrowInvalid as error:
            raise Unsigned(self._told(data, before, str(error))) from error

    def _told(self, data: bytes, before: int, error: str) -> str:
        """Why a block is not part of a table, with the number of the record (the header is 0)."""
        try:
            lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=self.mark)
            for at, record in enumerate(filter(None, lines), before + 1):
                if len(record) != len(self.names):
                    return f"record {at} has {len(record)} fields and the header {len(self.names)}"
        except UnicodeDecodeError as wrong:
            return f"not UTF-8 after record {before}: {wrong.reason}"
        except csv.Error as wrong:
            return f"not a table after record {before}: {wrong}"
        return f"not a table after record {before}: {error.splitlines()[0][:300]}"

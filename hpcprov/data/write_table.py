"""Writes a table block by block as Parquet, CSV or Arrow, from values as readers give them; masked ones are missing.

    write_table("bad.parquet", [("row", plain("i8")), ("name", Text())], [[np.array([3, 7]), names]])

The file appears whole or not at all: it is written beside its name, synced and renamed. Values that have no column type
of their own there (structs, lists, arrays, complex numbers) are written as text. Cells of CSV stay what they are, also
those that a spreadsheet would take for a formula: this is data, to be read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.open import MissingReader
from hpcprov.data.types import Plain, Text, Type
from hpcprov.data.values import NOT_A_TIME, Values, emptied, missing_of, text_of
from hpcprov.record.drafts import drafted, take_mode
from hpcprov.record.errors import HpcprovError

#: A column's name and the type of its values.
Column: TypeAlias = tuple[str, Type]
Block: TypeAlias = Sequence[Values]

MISSING = "tables are written with pyarrow: pip install 'hpcprov[tables]'"
#: suffix of a name: how the table is written
FORMS = {".parquet": "parquet", ".csv": "csv", ".arrow": "arrow", ".feather": "arrow"}
NUMBERS = {
    **{f"{kind}{size}": f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{"f2": "f4", "f4": "f4", "f8": "f8"},
}
ARROW_UNITS = ("s", "ms", "us", "ns")


def form_of(path: str) -> str:
    """How a table of this name is written. Raises HpcprovError for other names."""
    form = FORMS.get(os.path.splitext(path)[1].lower())
    if form is None:
        raise HpcprovError(f"{path!a}: a table is written as {', '.join(FORMS)}")
    return form


def check_place(path: str, *, replace: bool, form: str | None = None) -> None:
    """Raises HpcprovError for a name that no table has, and when something is there that may not be replaced: only
    files may, and no links."""
    form = form or form_of(path)
    if not os.path.lexists(path):
        return
    if not replace:
        raise HpcprovError(f"{path!a} is there already", hint="--force replaces it")
    if os.path.islink(path) or not os.path.isfile(path):
        raise HpcprovError(f"{path!a} is no {form} file: it is not replaced")


def write_table(
    path: str, columns: Sequence[Column], blocks: Iterable[Block], *, form: str | None = None, replace: bool = False
) -> int:
    """Write the table; the number of its rows. Every block has one array per column, all of one length, in one axis
    beside those of an array type. Raises HpcprovError when there is such a file already, or it cannot be written."""
    form = form or form_of(path)
    check_place(path, replace=replace, form=form)
    with drafted(path, replace=replace) as draft:
        return _write(draft, form, columns, blocks, path if replace else draft)


def _write(draft: str, form: str, columns: Sequence[Column], blocks: Iterable[Block], path: str) -> int:
    """Write the table that is to take the place of the one at `path`."""
    arrow = _arrow()
    kinds = [_column_of(arrow, kind) for _, kind in columns]
    schema = arrow.schema([(_name(name), kind) for (name, _), (kind, _) in zip(columns, kinds, strict=True)])
    rows = 0
    with open(draft, "xb") as file, _writer(arrow, form, file, schema) as writer:
        take_mode(draft, path)
        for block in blocks:
            arrays = [make(values) for values, (_, make) in zip(block, kinds, strict=True)]
            writer.write_batch(arrow.record_batch(arrays, schema=schema))
            rows += len(arrays[0]) if arrays else 0
    return rows


def _writer(arrow: Any, form: str, file: Any, schema: Any) -> Any:
    if form == "parquet":
        from pyarrow import parquet

        return parquet.ParquetWriter(file, schema, compression="zstd")
    if form == "csv":
        from pyarrow import csv

        return csv.CSVWriter(file, schema)
    return arrow.ipc.new_file(file, schema)


def _name(name: str) -> str:
    """A column's name as UTF-8 can hold it."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _column_of(arrow: Any, kind: Type) -> tuple[Any, Callable[[Values], Any]]:
    """The Arrow type that a column is written as, and what makes arrays of it."""
    if isinstance(kind, Plain) and kind.text in NUMBERS:
        dtype = NUMBERS[kind.text]
        target = arrow.from_numpy_dtype(np.dtype(dtype))
        return target, lambda values: _array(arrow, values, target, lambda flat: flat.astype(dtype))
    if kind.text == "bool":
        return arrow.bool_(), lambda values: _array(arrow, values, arrow.bool_(), lambda flat: flat.astype(np.bool_))
    if kind.text.startswith(("M8", "m8")):
        return _times(arrow, kind.text)
    target = arrow.binary() if kind.text == "bytes" else arrow.string()
    return target, lambda values: _texts(arrow, values, kind, target)


def _times(arrow: Any, text: str) -> tuple[Any, Callable[[Values], Any]]:
    """Times in a unit that Arrow has: days as dates, others as the unit that loses nothing."""
    dtype = np.dtype(f"<{text.replace(',UTC', '')}")
    unit, count = np.datetime_data(dtype)
    if text == "M8[1D]":
        target, stored = arrow.date32(), dtype
    else:
        near = unit if unit in ARROW_UNITS else ("ns" if unit in ("ps", "fs", "as") else "s")
        zone = "UTC" if text.endswith(",UTC]") else None
        target = arrow.timestamp(near, zone) if text.startswith("M8") else arrow.duration(near)
        stored = dtype if (unit, count) == (near, 1) else np.dtype(f"<{text[:2]}[{near}]")

    def make(values: Values) -> Any:
        raw, missing = _present(values)
        counts = raw.view(dtype) if raw.dtype.itemsize == 8 else raw.astype("<i8").view(dtype)
        numbers = counts.astype(stored).view("<i8")
        gone = numbers == NOT_A_TIME if missing is None else missing | (numbers == NOT_A_TIME)
        if target == arrow.date32():
            return arrow.array(np.where(gone, 0, numbers).astype("<i4"), mask=gone).cast(target)
        return arrow.array(numbers, mask=gone).cast(target)

    return target, make


def _array(arrow: Any, values: Values, target: Any, change: Callable[[Values], Values]) -> Any:
    flat, missing = _present(values)
    return arrow.array(change(flat), target, mask=missing)


def _texts(arrow: Any, values: Values, kind: Type, target: Any) -> Any:
    flat, missing = _present(values)
    texts: list[Any] = list(_words(flat, kind))
    if missing is not None:
        texts = [None if gone else text for text, gone in zip(texts, missing.tolist(), strict=True)]
    return arrow.array(texts, target)


def _words(flat: Values, kind: Type) -> Iterator[bytes | str]:
    if isinstance(kind, Text):
        raw = (kind.decode or text_of)(flat)
        if kind.text == "bytes":
            return iter(raw)
        return (item.decode("utf-8", "backslashreplace") for item in raw)
    return (str(item) for item in flat.tolist())


def _present(values: Values) -> tuple[Values, Any]:
    """The elements along the first axis, little-endian, and which of them are missing (None: none)."""
    missing = missing_of(values, len(values))
    flat = np.ma.getdata(values) if missing is None else emptied(values, missing)
    return (flat.astype(flat.dtype.newbyteorder("<")) if flat.dtype.kind in "iufcmM" else flat), missing


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingReader(MISSING) from error
    return pyarrow

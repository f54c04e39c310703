"""Writes what violates constraints: the rows of a table, the elements of arrays, or masks of arrays.

    detect(data, checked, "bad.parquet")      # after verify.run(checked, ...); the number of rows that were written

A table's rows are written whole, with their number (from 0), how many constraints they violate, and a column for each
constraint that is violated somewhere, as TDDA has them: `fare_max_ok`. Of arrays a table has an element in each row:
field, constraint, index, value; .zarr and .h5 get masks instead, true where an element violates anything. What type or
shape violate is no row's fault, and in none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Dataset, lengths
from hpcprov.data.types import Text, plain
from hpcprov.data.values import Values
from hpcprov.data.write_arrays import write_arrays
from hpcprov.data.write_over import is_arrays
from hpcprov.data.write_table import write_table
from hpcprov.quality.constraints.checks import Check
from hpcprov.quality.constraints.field_check import FieldCheck
from hpcprov.quality.constraints.places import index_of

Flags = NDArray[np.bool_]

#: Bytes of a table's rows that are held at once.
LIMIT = 32 << 20
#: constraint: what TDDA calls it in the name of a column.
SUFFIXES = {"max_nulls": "nonnull", "no_duplicates": "nodups", "allowed_values": "values"}
ELEMENTS = [("field", Text()), ("constraint", Text()), ("index", Text()), ("value", Text())]


def detect(data: Dataset, checked: list[FieldCheck], path: str, *, replace: bool = False) -> int:
    """Write what violates a constraint; the number of rows, or of elements. Nothing is written where there is none.
    Raises HpcprovError, what the data's readers raise."""
    failing = [(one, violated) for one in checked if (violated := one.violated())]
    if not failing:
        return 0
    for _, violated in failing:
        for check in violated:
            check.rewind()
    if is_arrays(path):
        return _masks(failing, path, replace)
    if data.kind == "table":
        return _rows(data, failing, path, replace)
    return write_table(path, ELEMENTS, _elements(failing), replace=replace)


def _masks(failing: list[tuple[FieldCheck, list[Check]]], path: str, replace: bool) -> int:
    """An array of flags for each field; the number of elements that are flagged."""
    count = 0
    with write_arrays(path, replace=replace) as out:
        for one, violated in failing:
            kinds = {"violated": json.dumps([check.kind for check in violated])}
            put = out.create(one.field.name or "array", plain("bool"), one.field.shape or (), attributes=kinds)
            for box in one.reader.boxes():
                flags = np.logical_or.reduce(list(_flags(one, violated, box).values()))
                if flags.any():
                    put(box, flags.reshape(lengths(box)))
                    count += int(np.count_nonzero(flags))
    return count


def _flags(one: FieldCheck, violated: list[Check], box: Box) -> dict[str, Flags]:
    """For each constraint which elements of a box violate it, in C order of the box's pieces."""
    found: dict[str, list[Flags]] = {check.kind: [] for check in violated}
    for block in one.reader.blocks(box):
        size = block.count * block.weight
        for check in violated:
            flags = check.flags(block)
            spread = np.zeros(size, np.bool_) if flags is None else np.broadcast_to(flags, (size,))
            found[check.kind].append(spread)
    return {kind: np.concatenate(parts) for kind, parts in found.items()}


def _elements(failing: list[tuple[FieldCheck, list[Check]]]) -> Iterator[list[Values]]:
    """Blocks of a table with a row for each violation."""
    for one, violated in failing:
        for box in one.reader.boxes():
            for block in one.reader.blocks(box):
                for check in violated:
                    flags = check.flags(block)
                    if flags is not None and flags.any():
                        yield from _told(one, check, block, flags)


def _told(one: FieldCheck, check: Check, block: Any, flags: Flags) -> Iterator[list[Values]]:
    at = np.arange(block.weight) if block.blank else np.flatnonzero(flags)
    for begin in range(0, len(at), 1 << 16):
        steps = at[begin : begin + (1 << 16)].tolist()
        values = [check.shown(check.tally.value_of(block, 0 if block.blank else step)) for step in steps]
        yield [
            _texts([one.field.name] * len(steps)),
            _texts([check.kind] * len(steps)),
            _texts([str(index_of(block.box, step)) for step in steps]),
            _texts(["" if value is None else value if type(value) is str else json.dumps(value) for value in values]),
        ]


def _texts(texts: list[str]) -> Values:
    values = np.empty(len(texts), object)
    values[:] = [text.encode("utf-8", "surrogateescape") for text in texts]
    return values


def _rows(data: Dataset, failing: list[tuple[FieldCheck, list[Check]]], path: str, replace: bool) -> int:
    names = {field.name for field in data.fields}
    row, failures = _free("row", names), _free("n_failures", names)
    columns = [(row, plain("i8")), *((field.name, field.type) for field in data.fields)]
    columns += [(_free(f"{one.field.name}_{SUFFIXES.get(check.kind, check.kind)}_ok", names), plain("bool"))
                for one, violated in failing for check in violated]  # fmt: skip
    return write_table(path, [*columns, (failures, plain("i4"))], _row_blocks(data, failing), replace=replace)


def _free(name: str, names: set[str]) -> str:
    """The name, or one like it that no column has yet."""
    found, number = name, 2
    while found in names:
        found, number = f"{name}_{number}", number + 1
    names.add(found)
    return found


def _row_blocks(data: Dataset, failing: list[tuple[FieldCheck, list[Check]]]) -> Iterator[list[Values]]:
    """The rows that violate anything, in their order."""
    rows = next((field.shape[0] for field in data.fields if field.shape), 0)
    step = max(1, LIMIT // max(1, sum(field.width for field in data.fields)))
    for begin in range(0, rows, step):
        box = ((begin, min(rows, begin + step)),)
        flags = [part for one, violated in failing for part in _flags(one, violated, box).values()]
        count: NDArray[np.int32] = np.asarray(np.sum(flags, axis=0, dtype=np.int32))
        chosen = np.flatnonzero(count)
        if chosen.size:
            kept = [field.read(box)[chosen] for field in data.fields]
            yield [chosen + begin, *kept, *(~part[chosen] for part in flags), count[chosen]]

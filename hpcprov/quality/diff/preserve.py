"""Both versions of the fields that differ, and their differences, written as a dataset of its own.

    preserve("out.zarr", one, other, report["fields"], options)

For a field `amount` there are `amount` (of the first), `amount-2` (of the second) and `diff-amount`: second minus first
for numbers, else whether they differ. `diff` says of each place whether any field differs there beyond the tolerance,
when all of them have one shape.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.interface import Box, Dataset, Field, lengths, part
from hpcprov.data.types import Type, plain
from hpcprov.data.values import Values
from hpcprov.data.write_arrays import ArrayFile, NotWritable, Put, write_arrays
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.walk import block_extents, blocks
from hpcprov.quality.elements import compared, is_number, numbers_of
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

NOTHING = "nothing differs that could be written"


def preserve(path: str, one: Dataset, other: Dataset, fields: list[Facts], options: Options, *, watch: Watch) -> Facts:
    """Write what differs; `fields` that were written, and `left_out` with reasons. Raises HpcprovError when nothing can
    be, or something is at `path` already. Nothing is written when nothing differs."""
    wanted = [field for field in fields if field["differing"]]
    pairs = [(field["path"], _field(one, field["path"]), _field(other, field["other_path"])) for field in wanted]
    shapes = {_common(mine, theirs) for _, mine, theirs in pairs}
    written: list[str] = []
    left_out: list[list[str]] = []
    for _, mine, theirs in pairs:
        watch.expect(2 * (mine.octets + theirs.octets))
    if not pairs:
        return {"path": None, "fields": [], "left_out": []}
    with write_arrays(path, replace=options.force) as out:
        shape = shapes.pop() if len(shapes) == 1 else None
        overall = out.create("diff", plain("bool"), shape) if shape is not None else None
        for name, mine, theirs in pairs:
            try:
                _write(out, name, (mine, theirs), options, overall, watch)
                written.append(name)
            except NotWritable as refusal:
                left_out.append([name, refusal.message])
        if not written:
            raise HpcprovError(f"{NOTHING}: {left_out[0][0]}: {left_out[0][1]}")
    return {"path": path, "fields": written, "left_out": left_out}


def _write(
    out: ArrayFile, name: str, pair: tuple[Field, Field], options: Options, overall: Put | None, watch: Watch
) -> None:
    name = name or "array"
    folder, slash, last = name.rpartition("/")
    for field, suffix in zip(pair, ("", "-2"), strict=True):
        put = out.create(f"{name}{suffix}", field.type, field.shape or ())
        for box in _boxes(field, field, field.shape or ()):
            put(box, field.read(box))
            watch.add(prod(lengths(box)) * field.width)
    one, other = pair
    kind = difference_type(one.type, other.type)
    put = out.create(f"{folder}{slash}diff-{last}", kind, _common(one, other))
    for box in _boxes(one, other, _common(one, other)):
        old, new = one.read(box), other.read(box)
        count = prod(lengths(box))
        found = compared(new, other.type, old, one.type, count, **options.tolerance._asdict())
        amount = found.outside if kind.text == "bool" else subtracted(old, one.type, new, other.type, kind, count)
        put(box, amount.reshape(lengths(box)))
        if overall is not None:
            held = overall.array  # type: ignore[attr-defined]
            overall(box, np.asarray(held[part(box)]) | found.outside.reshape(lengths(box)))
        watch.add(count * (one.width + other.width))


def difference_type(one: Type, other: Type) -> Type:
    """What a difference is: of numbers a number that holds it, else whether there is one."""
    if not (is_number(one) and is_number(other)):
        return plain("bool")
    names = {one.text, other.text}
    if names & {"c8", "c16"}:
        return plain("c16")
    if names <= {"bool", "i1", "i2", "i4", "u1", "u2", "u4"}:
        return plain("i8")
    return plain("f4" if names <= {"f2", "bf16", "f4"} else "f8")


def subtracted(old: Values, kind: Type, new: Values, other: Type, result: Type, count: int) -> Values:
    """Second minus first, NaN where one of them is missing; of integers exact where the result can hold it."""
    values = []
    for side, its in ((new, other), (old, kind)):
        wide = numbers_of(np.ma.getdata(side).reshape(count), its).astype(result.text)
        if np.ma.isMaskedArray(side) and result.text[0] in "fc":
            wide[np.ma.getmaskarray(side).reshape(count)] = np.nan
        values.append(wide)
    with np.errstate(all="ignore"):
        return np.asarray(values[0] - values[1])


def _boxes(one: Field, other: Field, shape: tuple[int, ...]) -> list[Box]:
    whole = tuple((0, extent) for extent in shape)
    return list(blocks([whole], block_extents(one, other, shape))) if prod(shape) else []


def _common(one: Field, other: Field) -> tuple[int, ...]:
    return tuple(min(pair) for pair in zip(one.shape or (), other.shape or (), strict=True))


def _field(dataset: Dataset, name: str) -> Field:
    return next(field for field in dataset.fields if field.name == name)

"""Which column of one table is which of the other, and how their cells are compared.

    found = pair_columns(one.fields, other.fields)
    [pair.name for pair in found.pairs], found.only_one, found.only_other

Columns belong together by their names. Of those that are on one side only, two with the same cells in the same order
are one column with a new name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hpcprov.data.interface import Field
from hpcprov.quality.elements import Tolerance
from hpcprov.quality.tables.hashing import GOLDEN, Hasher, mixed
from hpcprov.quality.tables.walk import rows_of, walk
from hpcprov.quality.tables.words import words_of
from hpcprov.signature.watch import Watch

#: Columns without a counterpart that are read to find new names.
MOST_RENAMED = 64


@dataclass(frozen=True)
class Pair:
    """A column of both tables; `hasher` is None when their types cannot be compared."""

    one: Field
    other: Field
    hasher: Hasher | None
    renamed: bool = False

    @property
    def name(self) -> str:
        return self.one.name


@dataclass
class Columns:
    """The pairs in the order of the first table, and what stands on one side only."""

    pairs: list[Pair]
    only_one: list[Field] = field(default_factory=list)
    only_other: list[Field] = field(default_factory=list)
    reordered: bool = False

    @property
    def compared(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.hasher is not None]


def pair_columns(
    one: Sequence[Field],
    other: Sequence[Field],
    within: Tolerance | None = None,
    *,
    untyped: bool = False,
    watch: Watch | None = None,
) -> Columns:
    """The columns of two tables side by side; `untyped` when one of them is text. Reads columns that are on one side
    only, when there are as many rows."""
    right = {item.path: item for item in other}
    pairs = [
        Pair(mine, right[mine.path], words_of(mine.type, right[mine.path].type, within, untyped=untyped))
        for mine in one
        if mine.path in right
    ]
    left = {item.path for item in one}
    only_one = [item for item in one if item.path not in right]
    only_other = [item for item in other if item.path not in left]
    order = [item.path for item in other if item.path in left]
    found = Columns(pairs, only_one, only_other, order != [pair.one.path for pair in pairs])
    _find_renamed(found, watch)
    return found


def _find_renamed(found: Columns, watch: Watch | None) -> None:
    if not found.only_one or not found.only_other or len(found.only_one) + len(found.only_other) > MOST_RENAMED:
        return
    if rows_of(found.only_one[0]) != rows_of(found.only_other[0]) or not rows_of(found.only_one[0]):
        return
    there = {digest: item for item in found.only_other if (digest := _digest(item, watch)) is not None}
    for mine in list(found.only_one):
        digest = _digest(mine, watch)
        twin = there.pop(digest, None) if digest is not None else None
        if twin is not None:
            found.pairs.append(Pair(mine, twin, words_of(mine.type, twin.type), renamed=True))
            found.only_one.remove(mine)
            found.only_other.remove(twin)


def _digest(item: Field, watch: Watch | None) -> tuple[str, int] | None:
    """One number for all cells in their order; None for a column whose cells are all the same, which says nothing."""
    hasher = words_of(item.type, item.type)
    if hasher is None:
        return None
    total, first, varied = 0, None, False
    for start, values in walk(item, watch):
        words = hasher.one(values)
        first = words[0] if first is None else first
        varied = varied or bool((words != first).any())
        place = np.arange(start, start + len(words), dtype=np.uint64) * np.uint64(GOLDEN)
        total = (total + int(mixed(mixed(words) + place).sum(dtype=np.uint64))) % 2**64
    return (item.type.text, total) if varied else None

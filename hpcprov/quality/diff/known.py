"""What is known of two fields without reading them: their signatures, and the tiles in which they differ.

    Known(one_fields, other_fields, tiles_dir).regions("u", "u", shape)  ->  [((64, 128), (0, 512))]

Signatures come from what was found out of the files before (`signature.cache`), tiles from the manifests that are kept
by the names of the signatures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from hpcprov.data.interface import Box
from hpcprov.signature import manifest, tree
from hpcprov.signature.field import Grid
from hpcprov.signature.manifest import Manifest
from hpcprov.signature.regions import differing, regions
from hpcprov.signature.tiles import grid_of

Facts: TypeAlias = dict[str, Any]

#: When so much of an array differs, or in so many places, it is read whole: tiles are not chunks.
WHOLE, MOST_BOXES = 0.5, 4096


@dataclass(frozen=True)
class Places:
    """Boxes in which two fields differ, and how many `tiles` of how many these are."""

    boxes: list[Box]
    tiles: int
    of: int


@dataclass(frozen=True)
class Known:
    """What is known of the fields of both datasets, by their paths; where tile digests are kept."""

    one: dict[str, Facts] = field(default_factory=dict)
    other: dict[str, Facts] = field(default_factory=dict)
    tiles_dir: str | None = None

    def equal(self, path: str, other: str) -> bool | None:
        """Whether two fields have the same signature; None when that is not known."""
        mine, theirs = self.one.get(path), self.other.get(other)
        if mine is None or theirs is None:
            return None
        return bool(mine["signature"] == theirs["signature"])

    def renamed(self, gone: list[str], new: list[str]) -> dict[str, str]:
        """Of fields on one side only: names in the first -> names in the second with the same values."""
        left = {self.other[name]["signature"]: name for name in reversed(new) if name in self.other}
        found = {}
        for name in gone:
            other = left.pop(self.one[name]["signature"], None) if name in self.one else None
            if other is not None:
                found[name] = other
        return found

    def places(self, path: str, other: str) -> Places | None:
        """Where two fields of one type and shape differ; None when that is not known."""
        mine, theirs = self.one.get(path), self.other.get(other)
        if mine is None or theirs is None or self.tiles_dir is None or mine["shape"] != theirs["shape"]:
            return None
        before, after = _load(self.tiles_dir, mine), _load(self.tiles_dir, theirs)
        if before is None or after is None or _frame(before) != _frame(after):
            return None
        grid = Grid(after.shape, after.tile, grid_of(after.shape, after.tile))
        numbers = differing(before.leaves, after.leaves)
        if len(numbers) > WHOLE * grid.count:
            return Places([grid.whole], len(numbers), grid.count)
        boxes = regions(grid, numbers)
        return Places(boxes if len(boxes) <= MOST_BOXES else [grid.whole], len(numbers), grid.count)


def _load(folder: str, facts: Facts) -> Manifest | None:
    shape, tile = tuple(facts["shape"] or ()), tuple(facts["tile"])
    if len(shape) != len(tile) or not all(tile):
        return None
    root = str(facts["signature"]).removeprefix(tree.PREFIX)
    return manifest.load(folder, root, most=prod(grid_of(shape, tile)))


def _frame(found: Manifest) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    return found.token, found.shape, found.tile

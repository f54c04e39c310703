"""Two fields compared: how many of their elements differ, where first, and by how much at most.

    diff_field(one, other, options)["largest"]  ->  {"value": 0.5, "at": [17, 3], "values": [1.0, 1.5]}

The first counts as right. Fields of two shapes are compared in what both have; numbers of two types as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from hpcprov.data.interface import Box, Field, lengths
from hpcprov.quality.diff.block import NOTHING, Block, Declared
from hpcprov.quality.diff.known import Places
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.plain import number, plain
from hpcprov.quality.diff.tally import Extreme, Tally, index_of
from hpcprov.quality.diff.walk import block_extents, blocks, walk
from hpcprov.quality.elements import is_number
from hpcprov.record.wording import extents
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]
#: Is told the places of elements that differ, and how far apart they are (or None).
Seen: TypeAlias = Callable[[Any, Any], None]

SAME, WITHIN, DIFFERENT, MISSING, NEW = "same", "within", "different", "missing", "new"
SIGNATURE, TILES, VALUES = "signature", "tiles", "values"


@dataclass
class Compared:
    """Two fields, the part of both that is compared, and what was found in it."""

    one: Field
    other: Field
    common: tuple[int, ...]
    tally: Tally
    read: int = 0


def blank(one: Field | None, other: Field | None, status: str, reason: str | None = None) -> Facts:
    """The facts about a field of which nothing has been compared."""
    both = (one, other)
    here = one or other
    assert here is not None
    return {
        "path": here.name, "other_path": (other or here).name, "status": status, "reason": reason, "how": None,
        "type": [None if field is None else field.type.text for field in both],
        "shape": [None if field is None or field.shape is None else list(field.shape) for field in both],
        "count": None, "differing": None, "outside": None, "bits": None, "first": None, "largest": None,
        "relative": None, "ulps": None, "nan": None, "infinite": None, "missing": None, "tiles": None, "read": 0,
        "common": None, "shift": None, "picture": None, "dimensions": None,
    }  # fmt: skip


def equal(one: Field, other: Field) -> Facts:
    """The facts about two fields with the same signature, which need not be read."""
    return blank(one, other, SAME) | {"how": SIGNATURE, "count": prod(one.shape or ()), "differing": 0, "outside": 0}


def diff_field(
    one: Field,
    other: Field,
    options: Options,
    *,
    places: Places | None = None,
    watch: Watch | None = None,
    seen: Seen | None = None,
    declared: Declared = NOTHING,
) -> Facts:
    """How the values of two fields differ; `declared` are those that are missing in the one and in the other. Raises
    what their readers raise."""
    reason = _unlike(one, other)
    if reason is not None:
        return blank(one, other, DIFFERENT, reason)
    if one.shape is None:
        return blank(one, other, SAME) | {"how": VALUES, "count": 0, "differing": 0, "outside": 0}
    found = compare(one, other, options, places=places, watch=watch, seen=seen, declared=declared)
    return _facts(found, places)


def _unlike(one: Field, other: Field) -> str | None:
    """Why two fields cannot be compared element by element."""
    if one.type.token != other.type.token and not (is_number(one.type) and is_number(other.type)):
        return f"types that cannot be compared: {one.type.text} and {other.type.text}"
    if one.shape == other.shape:
        return None
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return f"shapes that cannot be compared: {extents(one.shape)} and {extents(other.shape)}"
    return None


def compare(
    one: Field,
    other: Field,
    options: Options,
    *,
    places: Places | None,
    watch: Watch | None,
    seen: Seen | None,
    declared: Declared = NOTHING,
) -> Compared:
    """Both fields read once, in what both have; only `places` of it where these are known."""
    common = tuple(min(pair) for pair in zip(one.shape or (), other.shape or (), strict=True))
    whole = tuple((0, extent) for extent in common)
    found = Compared(one, other, common, Tally())

    def work(box: Box) -> Tally:
        block = Block(box, common, one.type, other.type, options.tolerance, seen, declared)
        tally = block.compare(one.read(box), other.read(box))
        if watch is not None:
            watch.add(prod(lengths(box)) * one.width)
        return tally

    if not prod(common):
        return found
    wanted = [whole] if places is None else places.boxes
    found.read = sum(prod(lengths(box)) for box in wanted) * (one.width + other.width)
    for tally in walk(blocks(wanted, block_extents(one, other, common)), work, threads=options.threads):
        found.tally.merge(tally)
    return found


def _facts(found: Compared, places: Places | None) -> Facts:
    one, other, tally = found.one, found.other, found.tally
    grown = one.shape != other.shape
    status = DIFFERENT if tally.outside or grown else WITHIN if tally.differing else SAME
    first = tally.first if tally.first_outside is None else tally.first_outside
    return blank(one, other, status) | {
        "how": VALUES if places is None else TILES,
        "count": prod(found.common),
        "differing": tally.differing,
        "outside": tally.outside,
        "bits": tally.bits,
        "first": None if first is None else _at(found, first),
        "largest": _extreme(found, tally.largest),
        "relative": _extreme(found, tally.relative),
        "ulps": _extreme(found, tally.ulps) if tally.ulps.value else None,
        "nan": {"appeared": tally.nan_appeared, "vanished": tally.nan_vanished},
        "infinite": {"appeared": tally.infinite_appeared, "vanished": tally.infinite_vanished},
        "missing": {
            "appeared": tally.missing_appeared,
            "vanished": tally.missing_vanished,
            "both": tally.missing_both,
        },
        "tiles": None if places is None else [places.tiles, places.of],
        "read": found.read,
        "common": list(found.common) if grown else None,
    }


def _extreme(found: Compared, extreme: Extreme) -> Facts | None:
    return None if extreme.value is None else {"value": number(extreme.value), **_at(found, extreme.at)}


def _at(found: Compared, place: int) -> Facts:
    """A place, and what both have there."""
    index = index_of(place, found.common)
    box = tuple((at, at + 1) for at in index)
    return {"at": index, "values": [plain(field.read(box), field.type) for field in (found.one, found.other)]}

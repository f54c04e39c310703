"""Blocks shifted along an axis: a field that moved by some rows or columns is reported as that.

    find_shift(one, other, [[0, 17, 3]], Tolerance, options)
    ->  {"kind": "shifted", "axis": 1, "by": 3, "runs": [[0, 3, 357]], "compared": ..., "differing": 0}

Candidates come from planes across each axis, cut down to a window around a place that differs, so that little is read
and held; the best candidate is then verified by comparing everything that it covers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hpcprov.data.interface import Box, Field, lengths
from hpcprov.data.types import Array
from hpcprov.data.values import encode_each, pack
from hpcprov.quality.diff.block import compare_block
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.runs import Run, runs_of
from hpcprov.quality.diff.tally import Tally
from hpcprov.quality.diff.walk import block_extents, blocks, walk

Facts: TypeAlias = dict[str, Any]

#: Elements of a plane's window, planes that are looked at, and bytes that are decoded for one axis.
WINDOW, MOST_PLANES, LEAST_OCTETS, MOST_OCTETS = 4096, 1 << 17, 16 << 20, 256 << 20
#: All windows together take at most this part of the array.
PART = 4
#: The planes that must be found elsewhere, and the share of elements that may differ there.
LEAST_FOUND, MOST_OTHER = 0.5, 0.1
#: Of fewer elements nobody can tell whether they moved.
LEAST_COMPARED = 16


class Candidate(NamedTuple):
    """Runs of planes along an axis, and the share of the planes that they cover."""

    axis: int
    runs: list[Run]
    covered: float


def find_shift(
    one: Field, other: Field, places: Sequence[Sequence[int]], differing: int, options: Options
) -> Facts | None:
    """The shift that explains nearly all of `differing` elements, if there is one; `places` are some of these. Fields
    of one type and rank; of another length along the axis of the shift only."""
    if one.type.token != other.type.token or not one.shape or other.shape is None:
        return None
    axes = _axes(one.shape, other.shape)
    part = prod(one.shape) * one.width // (PART * max(1, len(axes) * len(places)))
    most = max(LEAST_OCTETS, min(MOST_OCTETS, part))
    found = [candidate for axis in axes for candidate in _candidates(one, other, axis, places, most)]
    for candidate in sorted(found, key=lambda item: -item.covered)[:2]:
        tally, compared = _verified(one, other, candidate, options)
        if compared >= LEAST_COMPARED and tally.outside <= MOST_OTHER * compared and tally.outside < differing:
            for rest in _around_the_edge(candidate, one.shape[candidate.axis], other.shape[candidate.axis]):
                more, beside = _verified(one, other, rest, options)
                if more.outside <= MOST_OTHER * beside:
                    tally.merge(more)
                    candidate, compared = rest._replace(runs=sorted(candidate.runs + rest.runs)), compared + beside
            return _told(one, other, candidate, tally, compared)
    return None


def _around_the_edge(shifted: Candidate, one: int, other: int) -> Iterator[Candidate]:
    """What a shift drove over the edge, on the other side, where a roll has it: too few planes to be found alone."""
    run = shifted.runs[0]
    if len(shifted.runs) == 1 and one == other and run.length == one - abs(run.offset):
        edge = Run(run.length, 0, run.offset) if run.offset > 0 else Run(0, one + run.offset, -run.offset)
        yield shifted._replace(runs=[edge])


def _axes(one: tuple[int, ...], other: tuple[int, ...]) -> list[int]:
    """Axes along which something may have moved: a longer or shorter one, else any with several planes."""
    unlike = [axis for axis, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(unlike) > 1:
        return []
    return unlike or [axis for axis, extent in enumerate(one) if extent > 1]


def _candidates(one: Field, other: Field, axis: int, places: Sequence[Sequence[int]], most: int) -> Iterator[Candidate]:
    assert one.shape is not None and other.shape is not None
    for place in places:
        box = _window(one, axis, place, most)
        start, stop = box[axis]
        end = other.shape[axis] if (start, stop) == (0, one.shape[axis]) else min(stop, other.shape[axis])
        beside = (*box[:axis], (min(start, end), end), *box[axis + 1 :])
        runs = [
            Run(run.start + start, run.there + start, run.length)
            for run in runs_of(_planes(one, box, axis), _planes(other, beside, axis))
        ]
        covered = sum(run.length for run in runs) / max(1, stop - start)
        if covered >= LEAST_FOUND and any(run.offset for run in runs):
            runs = _stretched(runs, one.shape[axis], other.shape[axis], (start, stop))
            if one.shape[axis] == other.shape[axis]:
                runs = _closed(runs, one.shape[axis])
            yield Candidate(axis, runs, covered)


def _window(field: Field, axis: int, place: Sequence[int], most_octets: int) -> Box:
    """A box around a place: as far along the axis as may be decoded, and a small window across it."""
    assert field.shape is not None
    shape, chunks = field.shape, field.chunks or (1,) * len(field.shape)
    most = max(1, int(WINDOW ** (1 / max(1, len(shape) - 1))))
    spans = [_around(place[at], min(extent, most), extent) for at, extent in enumerate(shape)]
    across = prod(
        -(-(stop - start) // chunk + 1) * chunk if field.chunks else stop - start
        for at, ((start, stop), chunk) in enumerate(zip(spans, chunks, strict=True))
        if at != axis
    )
    planes = min(MOST_PLANES, max(2 * chunks[axis], most_octets // max(1, across * field.width)))
    spans[axis] = _around(place[axis], min(shape[axis], planes), shape[axis])
    return tuple(spans)


def _around(at: int, length: int, extent: int) -> tuple[int, int]:
    start = max(0, min(at - length // 2, extent - length))
    return start, start + length


def _planes(field: Field, box: Box, axis: int) -> list[bytes]:
    """What each plane of a box across the axis holds, as bytes."""
    count, size = lengths(box)[axis], prod(lengths(box))
    if not size:
        return []
    inner = field.type.shape if isinstance(field.type, Array) else ()
    values = np.ma.getdata(field.read(box)).reshape((*lengths(box), *inner))
    flat = np.ascontiguousarray(np.moveaxis(values, axis, 0)).reshape((size, *inner))
    if field.type.size is None:
        cells = encode_each(flat, field.type)
        each = size // count
        return [b"".join(cells[at * each : (at + 1) * each]) for at in range(count)]
    octets = pack(flat, field.type).tobytes()
    width = len(octets) // count
    return [octets[at * width : (at + 1) * width] for at in range(count)]


def _stretched(runs: list[Run], one: int, other: int, seen: tuple[int, int]) -> list[Run]:
    """The first and the last run as far as the arrays go, when the window did not."""
    first, last = runs[0], runs[-1]
    if seen[0] > 0 and first.start == seen[0]:
        back = min(first.start, first.there)
        runs[0] = Run(first.start - back, first.there - back, first.length + back)
    if seen[1] < one:
        last = runs[-1]
        on = min(one - last.start, other - last.there)
        runs[-1] = last._replace(length=max(last.length, on))
    return runs


def _closed(runs: list[Run], extent: int) -> list[Run]:
    """With the few planes at either end of a run that stand nowhere else: a value in them has changed, too."""
    few = max(1, int(MOST_OTHER * sum(run.length for run in runs)))
    runs = list(runs)
    for at, run in enumerate(runs):
        ends = (
            (run.start + run.length, [one.start for one in runs]),
            (run.there + run.length, [one.there for one in runs]),
        )
        on = min(min(start for start in (*starts, extent) if start >= end) - end for end, starts in ends)
        runs[at] = run = run._replace(length=run.length + (on if on <= few else 0))
        begins = (
            (run.start, [one.start + one.length for one in runs]),
            (run.there, [one.there + one.length for one in runs]),
        )
        back = min(begin - max(end for end in (*ends, 0) if end <= begin) for begin, ends in begins)
        if back <= few:
            runs[at] = Run(run.start - back, run.there - back, run.length + back)
    return runs


def _verified(one: Field, other: Field, candidate: Candidate, options: Options) -> tuple[Tally, int]:
    """What differs between the runs, compared element by element, and how many elements were."""
    total, compared = Tally(), 0
    for run in candidate.runs:
        left, right = (
            _part(field, candidate.axis, start, run.length) for field, start in ((one, run.start), (other, run.there))
        )
        shape = left.shape or ()

        def work(box: Box, left: Field = left, right: Field = right, shape: tuple[int, ...] = shape) -> Tally:
            values = left.read(box), right.read(box)
            return compare_block(box, shape, values[0], left.type, values[1], right.type, options.tolerance)

        whole = tuple((0, extent) for extent in shape)
        for tally in walk(blocks([whole], block_extents(left, right, shape)), work, threads=options.threads):
            total.merge(tally)
        compared += prod(shape)
    return total, compared


def _part(field: Field, axis: int, start: int, length: int) -> Field:
    """`length` planes of a field as a field of their own."""
    assert field.shape is not None
    shape = (*field.shape[:axis], length, *field.shape[axis + 1 :])

    def read(box: Box) -> Any:
        begin, stop = box[axis]
        return field.read((*box[:axis], (begin + start, stop + start), *box[axis + 1 :]))

    return replace(field, shape=shape, read=read, chunk=None, several=None, stored=lambda: None)


def _told(one: Field, other: Field, candidate: Candidate, tally: Tally, compared: int) -> Facts:
    assert one.shape is not None and other.shape is not None
    extents = one.shape[candidate.axis], other.shape[candidate.axis]
    kind, by = kind_of(candidate.runs, *extents)
    return {
        "kind": kind,
        "axis": candidate.axis,
        "by": by,
        "runs": [list(run) for run in candidate.runs],
        "compared": compared,
        "differing": tally.differing,
        "outside": tally.outside,
    }


def kind_of(runs: list[Run], one: int, other: int) -> tuple[str, int]:
    """What has happened to an axis of `one` planes that has `other` now, and by how many planes."""
    moved = [run for run in runs if run.offset]
    ends = runs[0], runs[-1]
    if len(runs) == 1 and one == other:
        return "shifted", ends[0].offset
    if len(runs) == 2 and one == other and ends[0].offset - ends[1].offset in (one, -one):
        by = min((run.offset for run in ends), key=abs)
        return "rolled", by
    if one != other and {run.offset for run in runs} <= {0, other - one}:
        return ("inserted", other - one) if other > one else ("removed", one - other)
    return "moved", sum(run.length for run in moved)

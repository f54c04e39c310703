"""An MPI program: arrays cut into blocks at random have the signature of the whole array.

    mpiexec -n 4 python -m tests.signature.decompositions SEED NUMBER

Every rank draws the same arrays and cuts, keeps its own blocks only, and the first one prints how many tiles straddled.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
from mpi4py import MPI

import hpcprov
from hpcprov.data.arrays import type_of
from hpcprov.signature import reference
from hpcprov.signature.field import grid_of
from hpcprov.signature.threads import sign_field
from tests.signature.build import field_over, numpy_values, reference_type, reference_values

KINDS: list[Any] = [
    "u1", "i2", "f4", "c16", "V1000", "V70000", "V300000", "M8[1ns]", ["struct", [["61", "f4"], ["62", "V70000"]]]
]  # fmt: skip


def array_of(dice: random.Random) -> tuple[Any, list[int], dict[str, Any]]:
    """A type, a shape and values of at most about 4 MB."""
    kind = dice.choice(KINDS)
    size = reference.nominal(reference_type(kind))
    room, shape = (4 << 20) // size, []
    for _ in range(dice.randrange(1, 5)):
        shape.append(dice.randint(0 if dice.random() < 0.05 else 1, max(1, min(room, 2000 if size < 20 else 40))))
        room //= max(1, shape[-1])
    return kind, shape, {"repeat": int(np.prod(shape)) * size}


def cut(box: list[tuple[int, int]], number: int, dice: random.Random) -> list[list[tuple[int, int]]]:
    """`number` boxes that fill a box, some of them perhaps empty."""
    if number == 1:
        return [box]
    axis, first = dice.randrange(len(box)), dice.randint(1, number - 1)
    start, stop = box[axis]
    at = dice.randint(start, stop)
    parts = [[*box[:axis], span, *box[axis + 1 :]] for span in ((start, at), (at, stop))]
    return [*cut(parts[0], first, dice), *cut(parts[1], number - first, dice)]


def check(dice: random.Random, comm: Any) -> int:
    """One array in blocks; the number of its tiles."""
    kind, shape, content = array_of(dice)
    values = numpy_values(kind, shape, content)
    if dice.random() < 0.3 and isinstance(kind, str) and kind[0] in "ifcM":
        values = values.astype(values.dtype.newbyteorder(">"))
    boxes = cut([(0, extent) for extent in shape], comm.size, dice)
    dice.shuffle(boxes)
    own = boxes[comm.rank]
    block = values[tuple(slice(*span) for span in own)].copy()
    found = hpcprov.signature(block, comm=comm, offset=tuple(start for start, _ in own), shape=tuple(shape))
    type_ = type_of(values.dtype)
    whole = sign_field(field_over(type_, values, tuple(shape)))
    assert found.digest == f"hpcprov1:{whole.root.hex()}", (kind, shape, boxes)
    if values.size <= 20000 and isinstance(kind, str):
        known = reference.field_root(reference_type(kind), shape, reference_values(kind, shape, content))
        assert whole.root == known, (kind, shape)
    return grid_of(tuple(shape), type_).count


def main(seed: int, number: int) -> None:
    comm, dice = MPI.COMM_WORLD, random.Random(seed)
    try:
        tiles = sum(check(dice, comm) for _ in range(number))
    except BaseException:
        import traceback

        traceback.print_exc()
        comm.Abort(1)
    if comm.rank == 0:
        print(number, tiles)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

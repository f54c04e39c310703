"""One signature for any chunking, plan and number of threads: the law that the whole project stands on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.interface import Box, Field
from hpcprov.data.types import Text, plain
from hpcprov.data.values import null_padded, space_padded
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference, tree
from hpcprov.signature.deadline import TimeUp
from hpcprov.signature.field import Leaves, finish, grid_of
from hpcprov.signature.threads import Signer, sign_field

from .build import dtype_of, field_over, reference_type, reference_values, signer_type

KINDS = st.sampled_from(
    [
        "u1",
        "i2",
        "f4",
        "c16",
        "V1000",
        "V60000",
        "V300000",
        ["struct", [["61", "f4"], ["62", "V70000"]]],
        ["array", [3], "V99999"],
    ]
)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Any, list[int], dict[str, Any]]:
    """A type, a shape and values: elements so wide that small arrays have many tiles."""
    kind = draw(KINDS)
    size = reference.nominal(reference_type(kind))
    shape: list[int] = []
    for _ in range(draw(st.integers(0, 4))):
        room = max(1, (6 << 20) // size // max(1, prod(shape)))
        shape.append(draw(st.integers(0, min(room, 40))))
    return kind, shape, {"repeat": prod(shape) * size}


def signed_with(field: Field, **how: Any) -> bytes:
    """The root of a field signed under a given plan."""
    assert field.shape is not None
    grid = grid_of(field.shape, field.type)
    leaves = Leaves(bytearray(grid.count * tree.DIGEST))
    Signer(field, grid, **how).sign(grid.whole, leaves.put)
    return finish(field, grid, leaves).root


@settings(max_examples=150, deadline=None)
@given(arrays(), st.integers(1, 5), st.integers(1, 2**25), st.sampled_from("<>"), st.data())
def test_one_signature(
    array: tuple[Any, list[int], dict[str, Any]], threads: int, limit: int, order: str, data: st.DataObject
) -> None:
    kind, shape, values = array
    expected = reference.field_root(reference_type(kind), shape, reference_values(kind, shape, values))
    chunks = tuple(data.draw(st.integers(1, 50)) for _ in shape) if data.draw(st.booleans()) else None
    stored = _stored(kind, shape, values).astype(_flat(kind, order))
    field = field_over(signer_type(kind), stored, tuple(shape), chunks)
    assert signed_with(field, threads=threads, limit=limit) == expected


def _flat(kind: Any, order: str) -> np.dtype[Any]:
    dtype = dtype_of(kind, order)
    return dtype.subdtype[0] if dtype.subdtype else dtype


def _stored(kind: Any, shape: list[int], values: dict[str, Any]) -> Any:
    from .build import numpy_values

    return numpy_values(kind, shape, values)


@pytest.mark.parametrize("limit", [1, 1000, 10**6, 10**9])
def test_text_wide_in_memory_is_read_in_pieces(limit: int) -> None:
    texts = [b"x" * (n % 300) for n in range(5000)]
    values = np.array(texts, "S300").reshape(50, 100)
    field = field_over(Text(null_padded), values, (50, 100))
    assert signed_with(field, limit=limit) == reference.field_root("str", (50, 100), texts)


def test_space_padded_text() -> None:
    field = field_over(Text(space_padded), np.array([b"a  ", b"   ", b" b "], "V3"), (3,))
    assert sign_field(field).root == reference.field_root("str", (3,), [b"a", b"", b" b"])


@pytest.mark.parametrize("values", [np.array([b"ab", "hé", None], object), np.array(["ab", "hé", ""], "U7")])
def test_text_of_any_width_is_utf8(values: Any) -> None:
    expected = reference.field_root("str", (3,), [b"ab", "hé".encode(), b""])
    assert sign_field(field_over(Text(), values, (3,))).root == expected


def sparse(shape: tuple[int, ...], stored: list[Box], reads: list[Box]) -> Field:
    """A field of fill values 7 with threes in the boxes `stored`; it notes what is read."""

    def read(box: Box) -> Any:
        reads.append(box)
        values = np.full([stop - start for start, stop in box], 7, "<f8")
        for chunk in stored:
            inner = tuple(
                slice(max(a, start) - start, max(0, min(b, stop) - start))
                for (a, b), (start, stop) in zip(chunk, box, strict=True)
            )
            values[inner] = 3
        return values

    def boxes() -> Iterator[Box]:
        return iter(stored)

    return Field(b"x", plain("f8"), shape, (100, 100), 8, read, boxes)


def test_tiles_without_stored_chunks_are_read_once_for_each_shape() -> None:
    reads: list[Box] = []
    stored: list[Box] = [((300, 400), (500, 600))]
    found = sign_field(sparse((5000, 5000), stored, reads)).root
    dense = sparse((5000, 5000), stored, [])
    whole = field_over(plain("f8"), dense.read(((0, 5000), (0, 5000))), (5000, 5000))
    assert found == sign_field(whole).root
    assert len(reads) <= 5
    assert found != sign_field(sparse((5000, 5000), [], [])).root


def test_the_first_error_ends_all_threads() -> None:
    def read(box: Box) -> Any:
        raise UnreadableData("broken")

    with pytest.raises(UnreadableData, match="broken"):
        sign_field(Field(b"x", plain("f8"), (10**7,), (1000,), 8, read), threads=4)


def test_an_interrupt_while_waiting_for_threads_leaves_none_behind() -> None:
    """A thread that still reads would read from files that are closed by then."""
    before, ended = threading.active_count(), []
    begun, interrupted = threading.Event(), threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.set()

    def read(box: Box) -> Any:
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(60) and not interrupted.is_set()
            threading.Timer(0.3, interrupt).start()
        else:
            begun.set()
            assert interrupted.wait(60)
            time.sleep(0.3)
            ended.append(box)
        return np.zeros(box[0][1] - box[0][0])

    with pytest.raises(KeyboardInterrupt):
        sign_field(Field(b"x", plain("f8"), (2 * 10**6,), None, 8, read), threads=2)
    assert ended
    assert threading.active_count() <= before + 1  # the last one may be on its way out


def test_a_deadline_stops_in_the_middle() -> None:
    def read(box: Box) -> Any:
        time.sleep(0.02)
        return np.zeros(box[0][1] - box[0][0])

    began = time.monotonic()
    with pytest.raises(TimeUp):
        sign_field(Field(b"x", plain("f8"), (10**9,), None, 8, read), threads=2, deadline=began + 0.2)
    assert time.monotonic() - began < 30

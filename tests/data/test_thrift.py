"""The footer of a Parquet file is taken apart and put together again byte by byte; damage is refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.data.thrift import LIST, Piece, join_pairs, join_struct, split_pairs, split_struct
from hpcprov.record.errors import UnreadableData

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def footer(columns: int = 3, *, groups: int = 2) -> bytes:
    file = io.BytesIO()
    table = pa.table({f"c{at}": np.arange(10 * groups) for at in range(columns)})
    pq.write_table(table, file, row_group_size=10, write_page_index=True, store_schema=True)
    octets = file.getvalue()
    return octets[-8 - int.from_bytes(octets[-8:-4], "little") : -8]


@pytest.mark.parametrize("columns", [1, 3, 40])
def test_a_footer_is_what_it_was(columns: int) -> None:
    octets = footer(columns)
    fields = split_struct(octets)
    assert {1, 2, 3, 4, 5, 6} <= set(fields)
    assert join_struct(fields) == octets
    assert join_pairs(split_pairs(fields[5])) == fields[5]


@given(st.dictionaries(st.binary(max_size=300), st.binary(max_size=300), max_size=40))
def test_pairs_survive(pairs: dict[bytes, bytes]) -> None:
    piece = join_pairs(pairs)
    assert split_pairs(piece) == pairs
    assert split_pairs(split_struct(join_struct({5: piece, 70000: piece}))[70000]) == pairs


def test_no_list_is_no_pairs() -> None:
    assert split_pairs(None) == {}


@pytest.mark.parametrize("length", range(0, 600, 7))
def test_a_footer_that_is_cut(length: int) -> None:
    octets = footer()
    assert length < len(octets)
    with pytest.raises(UnreadableData):
        split_struct(octets[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_refused(octets: bytes) -> None:
    try:
        assert split_struct(join_struct(split_struct(octets))) == split_struct(octets)
    except UnreadableData:
        pass


@pytest.mark.parametrize(
    "octets",
    [
        b"\x1c" * 200,  # structs within structs
        b"\x19\xf5\xff\xff\xff\xff\x0f\x00",  # a list of 4 billion numbers
        b"\x19\xf1\xff\xff\xff\xff\x0f\x00",  # a list of 4 billion booleans
        b"\x18\xff\xff\xff\xff\x0fa\x00",  # a text of 4 gigabytes
        b"\x18" + b"\xff" * 20,  # a length of 140 bits
        b"\x1e\x00\x00",  # a type that there is not
        b"\x00\x00",  # bytes behind the end
    ],
)
def test_hostile_footers(octets: bytes) -> None:
    with pytest.raises(UnreadableData, match="damaged"):
        split_struct(octets)


def test_pairs_of_other_things() -> None:
    with pytest.raises(UnreadableData, match="pairs"):
        split_pairs(Piece(LIST, b"\x15\x02"))
    with pytest.raises(UnreadableData, match="pairs"):
        split_pairs(Piece(LIST, b"\x1c\x15\x02\x00"))

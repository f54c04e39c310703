"""Parquet and Arrow: one table has one signature in every file format, that of the slow reference."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from hpcprov.data.open import format_of, open_data
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import reference
from hpcprov.signature.artifact import describe
from hpcprov.signature.threads import sign_field

Store = Callable[[Any, Path], None]

WAYS: dict[str, Store] = {
    "parquet": lambda table, path: parquet.write_table(table, path),
    "parquet, small row groups": lambda table, path: parquet.write_table(
        table, path, row_group_size=3, compression="gzip", use_dictionary=False, data_page_version="2.0"
    ),
    "feather, zstd": lambda table, path: feather.write_feather(table, path, compression="zstd", chunksize=4),
    "feather, lz4": lambda table, path: feather.write_feather(table, path, compression="lz4"),
    "arrow, plain": lambda table, path: feather.write_feather(table, path, compression="uncompressed"),
}


def little(form: str, *numbers: Any) -> list[bytes]:
    return [np.array(number, f"<{form}").tobytes() for number in numbers]


PAIR = pa.struct([("a.b", pa.string()), ("n", pa.list_(pa.int8()))])
PAIR_AS_REFERENCE = ("struct", ((b"a.b", "str"), (b"n", ("list", "i1"))))
#: Arrow type, values, the reference's type and values; a missing value is None.
CASES: dict[str, tuple[Any, list[Any], Any, list[Any]]] = {
    "bool": (pa.bool_(), [True, None, False], "bool", [b"\1", None, b"\0"]),
    **{
        f"i{n}": (
            getattr(pa, f"int{8 * n}")(), [-1, None, 5], f"i{n}", [*little(f"i{n}", -1), None, *little(f"i{n}", 5)]
        )
        for n in (1, 2, 4, 8)
    },
    **{f"u{n}": (getattr(pa, f"uint{8 * n}")(), [1, 0, 5], f"u{n}", little(f"u{n}", 1, 0, 5)) for n in (1, 2, 4, 8)},
    "f2": (pa.float16(), [np.float16(1.5)], "f2", little("f2", 1.5)),
    "f4": (pa.float32(), [1.5, None, -0.0], "f4", [*little("f4", 1.5), None, *little("f4", -0.0)]),
    "NaN is not missing": (pa.float64(), [float("nan"), None], "f8", [*little("f8", np.nan), None]),
    "text": (pa.string(), ["", None, "hé"], "str", [b"", None, "hé".encode()]),
    "large text": (pa.large_string(), ["a", "b"], "str", [b"a", b"b"]),
    "bytes": (pa.binary(), [b"", None, b"\0\xff"], "bytes", [b"", None, b"\0\xff"]),
    "fixed bytes": (pa.binary(3), [b"abc", None], "V3", [b"abc", None]),
    "time": (pa.timestamp("ms"), [1, None, -1], "M8[1ms]", [*little("i8", 1), None, *little("i8", -1)]),
    "time, zone": (pa.timestamp("us", "Europe/Berlin"), [7], "M8[1us,UTC]", little("i8", 7)),
    "date": (pa.date32(), [19000, None], "M8[1D]", [*little("i8", 19000), None]),
    "duration": (pa.duration("ns"), [5], "m8[1ns]", little("i8", 5)),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["x", None, "x"], "str", [b"x", None, b"x"]),
    "list": (pa.list_(pa.int16()), [[1, 2], None, []], ("list", "i2"), [little("i2", 1, 2), None, []]),
    "list of text": (pa.large_list(pa.string()), [["a", ""], []], ("list", "str"), [[b"a", b""], []]),
    "array": (pa.list_(pa.float32(), 2), [[1, 2], None], ("array", (2,), "f4"), [little("f4", 1, 2), None]),
    "complex": (pa.struct([("r", pa.float32()), ("i", pa.float32())]), [{"r": 1, "i": 2}], "c8", little("c8", 1 + 2j)),
    "struct": (PAIR, [{"a.b": "x", "n": [3]}, None], PAIR_AS_REFERENCE, [(b"x", [b"\3"]), None]),
    "nothing in it": (pa.int32(), [], "i4", []),
}  # fmt: skip


def signed(path: Path, threads: int = 2) -> dict[str, bytes]:
    with open_data(str(path)) as data:
        return {field.name: sign_field(field, threads=threads).root for field in data.fields}


def root_of(kind: Any, values: list[Any]) -> bytes:
    missing = frozenset(at for at, value in enumerate(values) if value is None)
    return reference.field_root(kind, (len(values),), values, missing)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_every_type_as_the_reference_says(case: str, way: str, tmp_path: Path) -> None:
    arrow, values, kind, elements = CASES[case]
    times = 3
    column = pa.array(values * times, arrow)
    WAYS[way](pa.table({"a.b": column, "other": pa.array(range(len(column)), pa.int64())}), tmp_path / "x")
    found = signed(tmp_path / "x")
    assert found["a.b"] == root_of(kind, elements * times)
    assert list(found) == ["a.b", "other"]


def test_date64_is_milliseconds(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"x": pa.array([86_400_000], pa.date64())}), tmp_path / "x")
    assert signed(tmp_path / "x")["x"] == root_of("M8[1ms]", little("i8", 86_400_000))


def test_formats_and_order(tmp_path: Path) -> None:
    table = pa.table({"b": [1], "a": [2]})
    digests = set()
    for way, store in WAYS.items():
        store(table, tmp_path / "x.nc")
        assert format_of(str(tmp_path / "x.nc")) == ("parquet" if "parquet" in way else "arrow")
        found = describe(str(tmp_path / "x.nc"), threads=1)
        assert [field["path"] for field in found["signature"]["fields"]] == ["b", "a"]
        assert found["signature"]["kind"] == "table"
        digests.add(found["signature"]["digest"])
    parquet.write_table(table.select(["a", "b"]), tmp_path / "other")
    assert len(digests) == 1
    assert describe(str(tmp_path / "other"), threads=1)["signature"]["digest"] not in digests


def test_a_column_is_the_same_field_as_a_one_dimensional_array(tmp_path: Path) -> None:
    values = np.sin(np.arange(300_000))
    np.save(tmp_path / "x.npy", values)
    parquet.write_table(pa.table({"x": values}), tmp_path / "x.parquet", row_group_size=70_001)
    assert signed(tmp_path / "x.parquet", 3)["x"] == signed(tmp_path / "x.npy")[""]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text(max_size=3)), max_size=30),
    st.sampled_from(sorted(WAYS)),
    st.integers(1, 3),
)
def test_any_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]], way: str, threads: int
) -> None:
    place = tmp_path_factory.getbasetemp() / "any"
    numbers, texts = [row[0] for row in rows], [row[1] for row in rows]
    WAYS[way](pa.table({"n": pa.array(numbers, pa.int64()), "t": pa.array(texts, pa.string())}), place)
    found = signed(place, threads)
    assert found["n"] == root_of("i8", [None if n is None else little("i8", n)[0] for n in numbers])
    assert found["t"] == root_of("str", [None if t is None else t.encode() for t in texts])


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("way", WAYS)
def test_a_box_of_no_rows(way: str, rows: int, tmp_path: Path) -> None:
    case = {name: pa.array((values * 3)[:rows], arrow) for name, (arrow, values, _, _) in CASES.items() if values}
    length = min(map(len, case.values()))
    WAYS[way](pa.table({name: column.slice(0, length) for name, column in case.items()}), tmp_path / "x")
    with open_data(str(tmp_path / "x")) as data:
        for field in data.fields:
            assert field.shape == (length,)
            assert field.read(((0, 0),)).shape[0] == len(field.read(((length, length),))) == 0


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([[None]], pa.list_(pa.null())), "x: the type null has no signature"),
        (pa.array([1, 2], pa.time32("s")), "x: the type time32"),
        (pa.array([1, 2], pa.decimal128(5, 2)), "x: the type decimal128"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), "x: the type map"),
    ],
)
def test_types_refused_by_name(column: Any, reason: str, tmp_path: Path) -> None:
    feather.write_feather(pa.table({"x": column}), tmp_path / "x")
    with pytest.raises(Unsigned, match=reason):
        open_data(str(tmp_path / "x"))


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("way", WAYS)
def test_a_column_of_nothing_is_text_that_is_missing(way: str, rows: int, tmp_path: Path) -> None:
    WAYS[way](pa.table({"x": pa.nulls(rows), "y": pa.nulls(rows, pa.string())}), tmp_path / "x")
    nothing, text = describe(str(tmp_path / "x"), threads=1)["signature"]["fields"]
    assert nothing["type"] == "str" and nothing["signature"] == text["signature"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, None]], pa.list_(pa.int8())),
        pa.array([[1, None]], pa.list_(pa.int8(), 2)),
        pa.array([{"a": None}], pa.struct([("a", pa.string())])),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_missing_values_below_the_top_are_refused(column: Any, way: str, tmp_path: Path) -> None:
    WAYS[way](pa.table({"x": column}), tmp_path / "x")
    found = describe(str(tmp_path / "x"), threads=1)
    assert (found["state"], found["unsigned"]) == (
        "ok",
        "x: missing values inside of lists, structs or arrays have no signature",
    )


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    with pa.OSFile(str(tmp_path / "x"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(Unsigned, match="x: two columns have this name"):
        open_data(str(tmp_path / "x"))


def test_feather_1_and_directories_of_parts(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"FEA1" + bytes(20) + b"FEA1")
    with pytest.raises(Unsigned, match="Feather version 1"):
        open_data(str(tmp_path / "x"))
    (tmp_path / "x.parquet").mkdir()
    parquet.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet" / "part-0.parquet")
    found = describe(str(tmp_path / "x.parquet"))
    assert (found["state"], found["format"]) == ("ok", "directory")


@pytest.mark.parametrize("way", ["parquet", "feather, zstd"])
def test_cut_anywhere(way: str, tmp_path: Path) -> None:
    WAYS[way](pa.table({"x": range(1000), "t": [str(n) for n in range(1000)]}), tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    for length in range(12, len(content) - 8, len(content) // 30):
        (tmp_path / "x").write_bytes(content[:length] + content[-8:])
        assert describe(str(tmp_path / "x"), threads=1)["state"] in ("unreadable", "ok")
        (tmp_path / "x").write_bytes(content[:length])
        found = describe(str(tmp_path / "x"), threads=1)
        assert found["signature"] is None
        assert found["storage"] is not None


FLIP = """
import random, sys
from hpcprov.signature.artifact import describe
sound = open(sys.argv[1], "rb").read()
for seed in range(300):
    chance, content = random.Random(seed), bytearray(sound)
    for _ in range(chance.choice((1, 1, 4, 30))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    open(sys.argv[1], "wb").write(content)
    found = describe(sys.argv[1], threads=1)
    print(found["state"], found["storage"] is not None, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_flipped_bits_never_end_the_process(way: str, tmp_path: Path) -> None:
    """pyarrow's size statistics of a column in a damaged footer did."""
    nested = pa.array([[n] * (n % 3) for n in range(50)], pa.list_(pa.int32()))
    table = pa.table({"x": range(50), "t": pa.array([None, *map(str, range(49))]), "l": nested})
    WAYS[way](table, tmp_path / "x")
    words = [sys.executable, "-c", FLIP, str(tmp_path / "x")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (0, 300), done.stderr[-500:]
    assert set(lines) == {"ok True", "unreadable True"}


MEMORY = """
import re, sys
from hpcprov.data.open import open_data
from hpcprov.signature.threads import sign_field
def peak():
    return int(re.search("VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
with open_data(sys.argv[1]) as data:
    before = peak()
    print([sign_field(field, threads=2).size for field in data.fields][0])
print((peak() - before) // 1024)
"""


@pytest.mark.slow
def test_one_large_row_group_takes_little_memory(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(1 << 26)
    parquet.write_table(
        pa.table({"x": values}), tmp_path / "x", row_group_size=1 << 26, use_dictionary=False, compression="none"
    )
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    size, grown = map(int, done.stdout.split())
    assert size == 1 << 29
    assert grown < 250, f"{grown} MiB for 512 MiB"


def test_an_index_that_points_outside(tmp_path: Path) -> None:
    """Offsets in an Arrow file are looked at before they are followed."""
    target = io.BytesIO()
    table = pa.table({"t": pa.array(["abcdefgh"] * 4)})
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    content = target.getvalue()
    offsets = np.array([0, 8, 16, 24, 32], "<i4").tobytes()
    assert content.count(offsets) == 1
    (tmp_path / "x").write_bytes(content.replace(offsets, np.array([0, 8, 1 << 30, 24, 32], "<i4").tobytes()))
    with open_data(str(tmp_path / "x")) as data, pytest.raises(UnreadableData, match="t: cannot be decoded"):
        sign_field(data.fields[0])

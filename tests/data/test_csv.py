"""Delimited text: what is a table and what is not, types by the written rule, and blocks cut anywhere."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hpcprov.data import csv_blocks, csv_table
from hpcprov.data.csv_rule import SAMPLE, WIDEST, delimiter_of, sample_of
from hpcprov.data.open import format_of, open_data
from hpcprov.data.types import Unsigned
from hpcprov.signature import reference
from hpcprov.signature.artifact import describe
from hpcprov.signature.threads import sign_field


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\r\n1,5;2\r\n", ";"),
        ("a\tb\rx\ty\rz\tw\r", "\t"),
        ("a|b\n1|2", "|"),
        ("\ufeffa,b\n1,2\n", ","),
        ("\n\na,b\n\n1,2\n", ","),
        ('"a ""1""",b\n1,2\n', None),  # a quote in a name
        ('a,b\n"x\ny, z",2\n"",3\n', ","),
        ("T (K),u [m/s]\n1,2\n", ","),
        ("a,b\n", None),  # a header alone
        ("a\n1\n2\n", None),  # one column
        ("a,a\n1,2\n", None),
        ("a,\n1,2\n", None),
        ("a,2\n1,2\n", None),  # a number is no name
        ("a,b\n1,2\n3\n", None),
        ("a,b\n1,2,3\n", None),
        ("a,b\nx,y\n", None),  # two lines of prose
        ("import a, b\nfrom c import d, e\n", None),
        ('{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', None),
        ("int a, b;\nint c, d;\nint e, f;\n", None),
        ("a,b\n1,\0\n", None),
        ("root:x:0:0\n", None),
        ("", None),
        ("a,b\n1,\"2\n", None),  # a quote that never closes
    ],
)  # fmt: skip
def test_what_is_a_table(text: str, mark: str | None, tmp_path: Path) -> None:
    assert delimiter_of(text.encode(), whole=True) == mark
    (tmp_path / "x.h5").write_bytes(text.encode())
    assert format_of(str(tmp_path / "x.h5")) == ("csv" if mark else "file")


def test_a_record_cut_by_the_end_of_the_sample() -> None:
    text = b"a,b\n" + b'1,"x, \xc3\xa9"\n' * SAMPLE
    for length in range(SAMPLE - 30, SAMPLE):
        assert delimiter_of(text[:length], whole=False) == ","
    assert delimiter_of(b"a,b\n1,2\n\xff,3\n4,5", whole=False) is None


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_header_longer_than_the_sample(end: str, tmp_path: Path) -> None:
    names = [f"a_rather_long_name_{at}" for at in range(10_000)]
    (tmp_path / "x").write_text(end.join([",".join(names), *[",".join(["1"] * len(names))] * 2]), newline="")
    with open_data(str(tmp_path / "x")) as data:
        assert (data.format, len(data.fields), data.fields[-1].shape) == ("csv", 10_000, (2,))


@pytest.mark.parametrize("text", [b"a,b" * (3 << 20), b"a,b\n" + b"\0" * SAMPLE], ids=["one line", "NUL"])
def test_what_has_no_lines_is_not_looked_at_to_its_end(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(text)
    with open(tmp_path / "x", "rb") as file:
        sample, whole = sample_of(file.fileno(), len(text))
    assert (len(sample) <= WIDEST, whole) == (True, False)
    assert delimiter_of(sample, whole=whole) is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_alike_in_files_longer_than_the_sample(end: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(end.join(["a,b", *["1,2"] * SAMPLE]), newline="")
    with open_data(str(tmp_path / "x")) as data:
        assert (data.format, [field.shape for field in data.fields]) == ("csv", [(SAMPLE,)] * 2)


def test_a_stray_quote_in_the_sample_makes_it_no_table() -> None:
    text = b'a,b\n1,2\n3,4\n"x"y,5\n' + b"1,2\n" * SAMPLE
    assert delimiter_of(text[:SAMPLE], whole=False) is None


def test_numbers_have_the_ten_digits_only() -> None:
    assert delimiter_of("١,b\n1,2\n".encode(), whole=True) == ","
    assert delimiter_of("a,b\nx,١\n".encode(), whole=True) is None


# The rule of docs/signature.md once more, in plain Python.
PATTERNS = {
    "bool": r"true|false|True|False|TRUE|FALSE",
    "i8": r"-?(0|[1-9][0-9]{0,17})",
    "f8": r"-?(0|[1-9][0-9]{0,17})|[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?[0-9]+[eE][+-]?[0-9]+"
    r"|[+-]?(inf|Inf|INF|infinity|Infinity|INFINITY)|nan|NaN|NAN",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?",
    "utc": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?Z",
}


def as_reference(cells: list[str]) -> tuple[str, list[bytes | None]]:
    """The type of a column and its elements, None for the missing ones."""
    filled = [cell.strip(" ") for cell in cells if cell.strip(" ")]
    for name, pattern in PATTERNS.items():
        if filled and all(re.fullmatch(pattern, cell) for cell in filled):
            try:
                return converted(name, cells, filled)
            except (ValueError, OverflowError):
                break
    return "str", [cell.encode() for cell in cells]


def converted(name: str, cells: list[str], filled: list[str]) -> tuple[str, list[bytes | None]]:
    fractions = [cell.rstrip("Z").partition(".")[2] for cell in filled] if name in ("time", "utc") else [""]
    digits = max(map(len, fractions))
    per_second, unit = {0: (1, "s"), 1: (1000, "ms"), 2: (10**6, "us"), 3: (10**9, "ns")}[-(-digits // 3)]

    def seconds(cell: str) -> int:
        whole, _, fraction = cell.rstrip("Z").partition(".")
        stamp = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        return int(stamp.timestamp()) * per_second + int(fraction.ljust(9, "0")) * per_second // 10**9

    kinds: dict[str, tuple[str, Any]] = {
        "bool": ("bool", lambda cell: bytes([cell.lower() == "true"])),
        "i8": ("i8", lambda cell: signed8(int(cell))),
        "f8": ("f8", lambda cell: np.array(float(cell), "<f8").tobytes()),
        "date": ("M8[1D]", lambda cell: signed8((date.fromisoformat(cell) - date(1970, 1, 1)).days)),
        "time": (f"M8[1{unit}]", lambda cell: signed8(seconds(cell))),
        "utc": (f"M8[1{unit},UTC]", lambda cell: signed8(seconds(cell))),
    }  # fmt: skip
    token, convert = kinds[name]
    stripped = [cell.strip(" ") for cell in cells]
    return token, [convert(cell) if cell else None for cell in stripped]


def signed8(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def root_of(cells: list[str]) -> bytes:
    kind, values = as_reference(cells)
    missing = frozenset(at for at, value in enumerate(values) if value is None)
    return reference.field_root(kind, (len(values),), values, missing)


def signed(path: Path, threads: int = 1) -> dict[str, bytes]:
    with open_data(str(path)) as data:
        assert (data.format, data.kind) == ("csv", "table")
        return {field.name: sign_field(field, threads=threads).root for field in data.fields}


COLUMNS = {
    "bool": (["true", "", "FALSE", " True "], "bool"),
    "integers": (["0", "-5", "123456789012345678", " 7"], "i8"),
    "nineteen digits": (["1234567890123456789"], "str"),
    "a leading zero": (["1", "007"], "str"),
    "minus zero": (["-0"], "i8"),
    "numbers": (["1", "+2.5", ".5", "5.", "1E5", "-1e-400", "1e999", "", "nan", "-Infinity"], "f8"),
    "many digits": (["0.1000000000000000055511151231257827021181583404541015625", "2.2250738585072011e-308"], "f8"),
    "no sign before nan": (["1.5", "-nan"], "str"),
    "names of missing values are text": (["1", "NA"], "str"),
    "days": (["2020-02-29", "", "0001-01-01"], "M8[1D]"),
    "no such day": (["2021-02-29"], "str"),
    "times": (["2020-01-01T00:00", "2020-01-01 23:59:59", "1969-12-31T23:59:59"], "M8[1s]"),
    "milliseconds": (["2020-01-01T00:00:00.5", "1969-12-31T23:59:59.001", ""], "M8[1ms]"),
    "microseconds": (["2020-01-01T00:00:00.5", "2020-01-01T00:00:00.1234"], "M8[1us]"),
    "nanoseconds": (["2020-01-01T00:00:00.123456789Z"], "M8[1ns,UTC]"),
    "no such nanosecond": (["1500-01-01T00:00:00.123456789", "2020-01-01T00:00"], "str"),
    "times of two kinds": (["2020-01-01T00:00", "2020-01-01T00:00Z"], "str"),
    "days and times": (["2020-01-01T00:00", "2020-01-01"], "str"),
    "no such hour": (["2020-01-01T24:00:00"], "str"),
    "text keeps its blanks": ([" a ", "", "b"], "str"),
    "nothing": (["", " "], "str"),
    "delimiters and quotes": (['x,"y"', "a\nb", "é\r\n"], "str"),
}  # fmt: skip


@pytest.mark.parametrize("case", COLUMNS)
def test_every_type(case: str, tmp_path: Path) -> None:
    cells, kind = COLUMNS[case]
    assert as_reference(cells)[0] == kind
    rows = [[cell, str(at)] for at, cell in enumerate(cells)]
    write(tmp_path / "x", [["c", "number"], *rows, *rows])
    with open_data(str(tmp_path / "x")) as data:
        assert data.fields[0].type.token == kind.encode()
    assert signed(tmp_path / "x")["c"] == root_of(cells * 2)


def write(
    path: Path, rows: list[list[str]], delimiter: str = ",", end: str = "\n", quote: int = csv.QUOTE_MINIMAL
) -> None:
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter, lineterminator=end, quoting=quote).writerows(rows)  # type: ignore[arg-type]
    path.write_bytes(target.getvalue().encode())


CELLS = {
    "numbers": st.integers(-99, 99).map(str) | st.just(""),
    "floats": st.floats().map(lambda x: "nan" if math.isnan(x) else repr(x)) | st.just(""),
    "days": st.dates().map(date.isoformat) | st.just(""),
    "times": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(datetime.isoformat),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5),
}


@settings(deadline=None, max_examples=30)
@given(
    st.data(),
    st.integers(2, 30),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_any_table_cut_into_blocks_anywhere(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    rows: int,
    mark: str,
    end: str,
    quote: bool,
    keep: bool,
) -> None:
    columns = {name: data.draw(st.lists(cells, min_size=rows, max_size=rows)) for name, cells in CELLS.items()}
    place = tmp_path_factory.getbasetemp() / "any.csv"
    table = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    write(place, table, mark, end, csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK", data.draw(st.integers(1, 200)))
        patch.setattr(csv_table, "KEPT", 1 << 20 if keep else 0)
        assert signed(place, 2) == {name: root_of(cells) for name, cells in columns.items()}


def test_the_same_signature_as_in_parquet(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random(200_000)
    names = [f"n{at}" for at in range(len(numbers))]
    write(
        tmp_path / "x", [["value", "name"], *([repr(float(n)), name] for n, name in zip(numbers, names, strict=True))]
    )
    parquet.write_table(pa.table({"value": numbers, "name": names}), tmp_path / "y")
    digests = [describe(str(tmp_path / name), threads=2)["signature"]["digest"] for name in "xy"]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (b"1,2,3\n", f"record {SAMPLE + 1} has 3 fields and the header 2"),
        (b"1\n", f"record {SAMPLE + 1} has 1 fields and the header 2"),
        (b"1,\xff\n", "not UTF-8 after record"),
        (b'1,x"y\n', f"the quote at byte {4 * SAMPLE + 4 + 3} does not stand around a whole cell"),
        (b'1,"x"y\n', "the quote at byte"),
        (b'1,"x\n', "the quote at byte"),
    ],
)
def test_text_that_turns_out_to_be_no_table_has_a_storage_digest(ending: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a,b\n" + b"1,2\n" * SAMPLE + ending)
    found = describe(str(tmp_path / "x"), threads=1)
    assert (found["state"], found["format"], found["signature"]) == ("ok", "csv", None)
    assert found["storage"]["digest"].startswith("blake3:")
    assert found["unsigned"].startswith(reason)


def test_a_record_longer_than_memory_may_hold(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK", 64)
        patch.setattr(csv_blocks, "MAX_RECORD", 128)
        (tmp_path / "x").write_bytes(b"a,b\n1,2\n" + b"x" * 200 + b",1\n")
        with pytest.raises(Unsigned, match=r"the record at byte 8 is longer than 128 bytes"):
            open_data(str(tmp_path / "x"))

"""What is said of files and directories without fields."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcprov.data.no_fields import EMPTY, NO_FIELDS, NO_ROWS, NO_TABLE, why
from hpcprov.data.open import format_of


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", b"a,b\n", NO_ROWS),
        ("t.CSV", b"\xef\xbb\xbf\r\na;b;c\r\n\r\n", NO_ROWS),
        ("t.csv", b'"the id",b', NO_ROWS),
        ("t.csv", b"", EMPTY),
        ("t", b"", EMPTY),
        ("t.csv", b"a\n1\n2\n", NO_TABLE),
        ("t.csv", b"a,a\n", NO_TABLE),
        ("t.csv", b"a,\xff\n", NO_TABLE),
        ("t.tsv", b"a\tb\n1\t2\t3\n", NO_TABLE),
        ("t.csv", b'a,"b\n', NO_ROWS),
        ("notes.txt", b"a,b\n", NO_FIELDS["file"]),
    ],
)
def test_a_file_without_fields_says_why(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    path = str(tmp_path / name)
    assert (format_of(path), why(path, "file")) == ("file", told)


def test_a_directory_has_none(tmp_path: Path) -> None:
    assert why(str(tmp_path), "directory") == NO_FIELDS["directory"]

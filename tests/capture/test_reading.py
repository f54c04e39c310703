"""Bounded reading: nothing blocks, nothing goes beyond its limit."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from hpcprov.capture import reading
from hpcprov.record.errors import HpcprovError


def test_text_keeps_foreign_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\xff\n")
    text = reading.read_text(str(tmp_path / "file"))
    assert text == "a\udcff\n" and os.fsencode(text) == b"a\xff\n"


def test_reading_stops_at_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert reading.read_bytes(str(tmp_path / "file"), 4) == b"0123"


@pytest.mark.parametrize(("text", "line"), [("a b \nc", "a b"), ("", None), ("\n", None), (" \nx", None), ("x", "x")])
def test_read_line(tmp_path: Path, text: str, line: str | None) -> None:
    (tmp_path / "file").write_text(text)
    assert reading.read_line(str(tmp_path / "file")) == line


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12\n", 12),
        ("-1", -1),
        ("max", None),
        ("1.5", None),
        ("", None),
        ("²", None),
        ("9" * 20, None),
        ("+3", 3),
        ("-", None),
    ],
)
def test_read_number(tmp_path: Path, text: str, number: int | None) -> None:
    (tmp_path / "file").write_text(text)
    assert reading.read_number(str(tmp_path / "file")) == number


def test_what_is_not_there() -> None:
    assert reading.read_line("/nonexistent") is None
    assert reading.read_number("/nonexistent") is None
    assert reading.list_names("/nonexistent") == []


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert reading.read_line(str(tmp_path / "fifo")) is None
    with pytest.raises(HpcprovError, match="fifo' is not a regular file"):
        reading.digest_file(str(tmp_path / "fifo"))


def test_digest(tmp_path: Path) -> None:
    data = os.urandom(3 * reading.BLOCK + 1)
    (tmp_path / "file").write_bytes(data)
    assert reading.digest_file(str(tmp_path / "file")) == (hashlib.sha256(data).hexdigest(), len(data))


def test_digest_refuses_what_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert reading.digest_file(str(tmp_path / "file"), 5)[1] == 5
    with pytest.raises(HpcprovError, match="has 5 bytes, more than the 4"):
        reading.digest_file(str(tmp_path / "file"), 4)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    before = set(os.listdir("/proc/self/fd"))
    reading.read_text(str(tmp_path / "file"))
    reading.digest_file(str(tmp_path / "file"))
    for limit, path in ((2, "file"), (None, "."), (None, "absent")):
        with pytest.raises((HpcprovError, OSError)):
            reading.digest_file(str(tmp_path / path), limit)
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "No such file or directory"),
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
        (HpcprovError("said so"), "said so"),
    ],
)
def test_explain(error: OSError | HpcprovError, text: str) -> None:
    assert reading.explain(error) == text

"""Choosing a reader by content, missing libraries, and what is not data at all."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hpcprov.data import open as opening
from hpcprov.data.open import MissingReader, check_name, format_of, open_data, readable, reason
from hpcprov.record.errors import UnreadableData


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"", "file"),
        (b"\x93NUMPX", "file"),
        (b"\x93NUMPY", "npy"),
        (b"\x89HDF\r\n\x1a\n", "hdf5"),
        (bytes(512) + b"\x89HDF\r\n\x1a\n", "hdf5"),
        (bytes(8192) + b"\x89HDF\r\n\x1a\n", "hdf5"),
        (bytes(513) + b"\x89HDF\r\n\x1a\n", "file"),
        (b"CDF\1", "netcdf3"),
        (b"CDF\2", "netcdf3"),
        (b"CDF\5", "netcdf3"),
        (b"CDF\3", "file"),
        (b"PAR1" + bytes(4) + b"PAR1", "parquet"),
        (b"PAR1" + bytes(9), "file"),
        (b"ARROW1\0\0", "arrow"),
        (b"FEA1" + bytes(4) + b"FEA1", "feather1"),
        (b"PK\5\6" + bytes(18), "file"),
    ],
)
def test_files_by_content(content: bytes, form: str, tmp_path: Path) -> None:
    (tmp_path / "x.zarr").write_bytes(content)
    assert format_of(str(tmp_path / "x.zarr")) == form


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "x.h5").mkdir()
    assert format_of(str(tmp_path / "x.h5")) == "directory"
    assert open_data(str(tmp_path / "x.h5")).fields == ()
    (tmp_path / "x.h5" / "zarr.json").symlink_to("nowhere")
    assert format_of(str(tmp_path / "x.h5")) == "zarr3"


def test_pipes_sockets_and_devices_are_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for place in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(UnreadableData, match="neither a file nor a directory"):
                format_of(str(place))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="No such file"):
        format_of(str(tmp_path / "x"))


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".arrow", ".npz", ".nc"])
def test_a_name_that_promises_what_is_not_there(suffix: str, tmp_path: Path) -> None:
    place = tmp_path / f"x{suffix}"
    place.write_bytes(b"junk")
    with pytest.raises(UnreadableData, match=rf"its name ends in \{suffix}, but it is a file of another kind"):
        check_name(str(place), format_of(str(place)))
    (tmp_path / "x.csv").write_bytes(b"junk")
    check_name(str(tmp_path / "x.csv"), "file")


@pytest.mark.parametrize(
    ("form", "extra"),
    [("hdf5", "hdf5"), ("zarr3", "zarr"), ("parquet", "tables"), ("arrow", "tables"), ("csv", "tables")],
)
def test_a_missing_library_names_the_extra(form: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(opening.READERS, form, ("hpcprov.data.no_such_library", "open", extra))
    with pytest.raises(MissingReader, match=rf"pip install 'hpcprov\[{extra}\]'"):
        opening._reader(form)


def test_without_the_libraries(tmp_path: Path) -> None:
    """In an interpreter that has no h5py and no zarr, the two formats are named and npy is read."""
    program = f"""
import sys
sys.modules["h5py"] = sys.modules["zarr"] = None
from hpcprov.signature.artifact import describe
import numpy as np
np.save({str(tmp_path / "a.npy")!r}, np.arange(3))
open({str(tmp_path / "b")!r}, "wb").write(b"\\x89HDF\\r\\n\\x1a\\n")
print(describe({str(tmp_path / "a.npy")!r})["state"])
found = describe({str(tmp_path / "b")!r})
print(found["state"], found["storage"]["how"], found["reason"])
"""
    lines = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0] == "ok"
    assert lines[1].startswith("not hashed full to read it, pip install 'hpcprov[hdf5]'")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), "cannot be decoded: 'x'"),
        (ValueError("one\ntwo"), "cannot be decoded: one"),
        (ValueError(""), "cannot be decoded: ValueError"),
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (MemoryError(), "cannot be read: not enough memory"),
        (RecursionError("deep"), "cannot be decoded: deep"),
    ],
)
def test_the_border_turns_everything_into_one_error(error: Exception, message: str) -> None:
    with pytest.raises(UnreadableData) as caught, readable("x"):
        raise error
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("\n first\nsecond"), "first"),
        (ValueError(" \n"), "ValueError"),
        (ValueError(), "ValueError"),
        (PermissionError(13, "Permission denied", "x"), "Permission denied"),
        (ValueError("long" * 1000), ("long" * 1000)[:300]),
    ],
)
def test_the_reason_is_one_short_line(error: Exception, text: str) -> None:
    assert reason(error) == text


def test_the_formats_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "frames.md").read_text(encoding="utf-8")
    told = re.search(r"`format` \(([^)]*), or null\)", text)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) == {*opening.READERS, "file", "directory"}


def test_the_beginnings_are_those_of_the_specification() -> None:
    text = (Path(__file__).parents[2] / "docs" / "signature.md").read_text(encoding="utf-8")
    table = text.partition("### What is read as what")[2].partition("###")[0]
    words = [re.sub(rb"[\x00-\x06]", b"", magic) for magic in (*opening.BEGINNINGS, *opening.MAGICS, opening.PARQUET)]
    assert [word for word in words if repr(word)[2:-1] not in table] == []
    assert [name for name in opening.ZARR_NAMES if f"`{name}`" not in table] == []

"""`hpcprov hash`: what a person sees, what a program gets, and what happens to bad paths."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpcprov.commands import bar
from hpcprov.commands import hash as command
from hpcprov.signature.artifact import describe


def hashed(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["wind/u"], file["n"], file["none"] = np.zeros((3, 4)), 5, h5py.Empty("f4")
    here = os.getcwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(here)


def test_text(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hashed("out.h5") == 0
    known = describe("out.h5")
    roots = {field["path"]: field["signature"] for field in known["signature"]["fields"]}
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines() == [
        f"out.h5  hdf5, {command.size(known['size'])}",
        f"  storage    {known['storage']['digest']}",
        f"  signature  {known['signature']['digest']}",
        f"    {roots['n']}  n       i8  scalar",
        f"    {roots['none']}  none    f4  null",
        f"    {roots['wind/u']}  wind/u  f8  3 x 4",
    ]


def test_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hashed("--json", "out.h5", "nothing") == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out) == [{"path": name, **describe(name)} for name in ("out.h5", "nothing")]
    assert shown.err == "hpcprov hash: nothing: there is no such file or directory\n"


def test_other_algorithms(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = Path("out.h5").read_bytes()
    known = {name: hashlib.new(name, content).hexdigest() for name in ("sha256", "md5")}
    assert hashed("--json", "--algorithm", "md5", "--algorithm", "sha256", "--algorithm", "md5", "out.h5") == 0
    assert json.loads(capsys.readouterr().out)[0]["storage"]["also"] == known
    assert hashed("--algorithm", "md5", "out.h5") == 0
    assert f"  md5        {known['md5']}\n" in capsys.readouterr().out


def test_a_store_keeps_what_was_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkdir(".hpcprov")
    os.utime("out.h5", (1e9, 1e9))
    time.sleep(2.1)  # younger files may change without a trace
    assert hashed("out.h5") == 0
    first = capsys.readouterr().out
    assert "(cached)" not in first
    assert hashed("out.h5") == 0
    assert capsys.readouterr().out.replace("  (cached)", "") == first
    assert hashed("--no-cache", "out.h5") == 0
    assert capsys.readouterr().out == first
    assert hashed("out.h5") == 0
    assert capsys.readouterr().out.count("  (cached)") == 2


def test_a_bad_file_does_not_stop_the_others(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.npy").write_bytes(b"\x93NUMPY")
    Path("plain").write_bytes(b"abc")
    assert hashed("bad.npy", "plain") == 2
    shown = capsys.readouterr()
    assert shown.err == "hpcprov hash: bad.npy: not a valid npy header: neither version 1, 2 nor 3\n"
    assert "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" in shown.out
    assert "signature  none: a plain file: it has no fields" in shown.out
    assert shown.out.startswith("bad.npy  unreadable, npy, 6 B\n  storage    blake3:")


def test_names_cannot_act_on_a_terminal(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[31m\u202ex" + os.fsdecode(b"\xff")
    with h5py.File(name, "w") as file:
        file["\x1b]0;title\x07"] = np.zeros(1, [("\x1b[2J", "f4")])
    assert hashed(name, "\x1b[0m") == 2
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert text.isprintable() or all(line.isprintable() for line in text.splitlines())
        text.encode()


@pytest.mark.parametrize("words", [[], ["--threads", "0", "x"], ["--threads", "two", "x"], ["--no-such-option", "x"]])
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        hashed(*words)
    assert end.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345_678, "12.3 MB"),
        (999_600, "1 MB"),
        (10**18, "1 EB"),
        (10**30, "1e+12 EB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert command.size(size) == text


def on_terminal(program: str, *words: str) -> str:
    """What a program of ours writes to a terminal on its stderr."""
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", program, *words], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    found = b""
    try:
        while block := os.read(master, 4096):
            found += block
    except OSError:  # the other end was closed
        pass
    process.wait()
    os.close(master)
    return found.decode()


PROGRAM = """
import sys
from hpcprov.cli import main
from hpcprov.commands import bar
bar.QUIET_FOR = float(sys.argv[1])
sys.exit(main(["hash", sys.argv[2]]))
"""


@pytest.mark.parametrize(("quiet", "shown"), [("3600", False), ("0", True)])
def test_progress_on_a_terminal_only_when_it_takes_long(quiet: str, shown: bool, place: Path) -> None:
    with open("big", "wb") as file:
        file.truncate(3 << 30)
    text = on_terminal(PROGRAM, quiet, "big")
    assert ("big  " in text) == shown
    assert not text or text.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("done", "total", "width", "text"),
    [
        (0, 0, 80, "out.zarr  10.0 s"),
        (500, 1000, 80, "out.zarr   50 %  500 B of 1 kB  50 B/s  10.0 s left"),
        (1000, 1000, 80, "out.zarr  100 %  1 kB of 1 kB  100 B/s"),
        (2000, 1000, 80, "out.zarr  100 %  1 kB of 1 kB  100 B/s"),
        (0, 1000, 80, "out.zarr    0 %  0 B of 1 kB  0 B/s"),
        (0, 0, 10, "out.zarr "),
        (500, 1000, 50, "out.zarr   50 %  50 B/s  10.0 s left"),
        (500, 1000, 40, "out.zarr   50 %  50 B/s  10.0 s left"),
        (500, 1000, 34, "out.zarr   50 %  10.0 s left"),
        (500, 1000, 20, "out.zarr   50 %"),
    ],
)
def test_the_bar(done: int, total: int, width: int, text: str) -> None:
    assert bar.line("out.zarr", done, total, 10.0, width) == text


def test_the_bar_fits_the_terminal_and_shows_no_control_characters() -> None:
    for width in range(1, 120):
        assert len(bar.line("\x1b[31m" * 50, 5, 10, 3.0, width)) < max(2, width)
    assert bar.line("\x1b[31m", 5, 10, 3.0, 120).isprintable()


def test_help_loads_nothing_heavy() -> None:
    program = """
import sys
from hpcprov.commands import hash as command
heavy = {"numpy", "h5py", "zarr", "blake3", "hpcprov.signature.artifact"} & set(sys.modules)
assert not heavy, heavy
assert command.__doc__.splitlines()[0].endswith(".") and command.EXAMPLE.startswith("hpcprov hash ")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def lines(result: dict[str, Any]) -> list[str]:
    return list(command.lines(result))


def test_states_are_shown() -> None:
    blank = {
        "path": "x",
        "format": None,
        "files": None,
        "size": None,
        "storage": None,
        "signature": None,
        "unsigned": None,
    }
    assert lines({**blank, "state": "missing"}) == ["x  missing"]
    assert lines({**blank, "state": "ok", "format": "directory", "files": 3, "size": 5}) == [
        "x  directory, 3 files, 5 B"
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.h5", b"", "its name ends in .h5, but it is empty, not HDF5 data"),
        ("a.HDF5", b"x", "of another kind (or its beginning is damaged), not HDF5 data"),
        ("a.nc", b"HDF", "not NetCDF data"),
        ("a.npy", b"\x93NUM", "not npy data"),
        ("a.zarr", b"{}", "not Zarr data"),
        ("b.zarr", None, "it is an empty directory, not Zarr data"),
    ],
)
def test_a_name_that_promises_other_data(
    place: Path, name: str, content: bytes | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        Path(name).mkdir()
    else:
        Path(name).write_bytes(content)
    assert hashed(name) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"hpcprov hash: {name}: ") and reason in shown.err
    assert "storage    blake3:" in shown.out
    assert describe(name)["state"] == "unreadable"


def test_an_empty_name_is_seen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hashed("") == 2
    assert capsys.readouterr().err == "hpcprov hash: '' (an empty name): there is no such file or directory\n"


def test_one_file_is_no_files(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("d").mkdir()
    Path("d/x").write_bytes(b"abc")
    assert hashed("d") == 0
    assert capsys.readouterr().out.startswith("d  directory, 1 file, 3 B\n")

"""What languages do with files: the probes in Fortran, C++ and Rust, and `probe/scripts/`. See pattern.py."""

from __future__ import annotations

import sys
from pathlib import Path

from .pattern import Pattern

SCRIPTS = Path(__file__).with_name("probe") / "scripts"


def python(script: str, read: str = "", written: str = "", **more: str) -> Pattern:
    """A row that runs a script with the Python of the tests."""
    argv = (sys.executable, "-I", str(SCRIPTS / f"{script}.py"))
    return Pattern(f"python {script}", argv, read, written, **more)  # type: ignore[arg-type]


def script(interpreter: str, suffix: str, read: str, written: str, **more: str) -> Pattern:
    """A row that runs `files.SUFFIX`."""
    argv = (interpreter, str(SCRIPTS / f"files.{suffix}"))
    return Pattern(interpreter, argv, read, written, needs=interpreter, **more)  # type: ignore[arg-type]


MOVED = {"renamed": "old>new", "removed": "old2"}
LANGUAGES = (
    script("perl", "pl", "in in2 dir/in", "out out2 out3", **MOVED),
    Pattern("perl -i", ("perl", "-pi", "-e", "s/1/one/", "in"), "in"),
    script("node", "js", "in in2 dir/in", "out old out3 out4", renamed="old2>new", removed="x"),
    script("lua", "lua", "in in2", "out out2", **MOVED),
    script("tclsh", "tcl", "in in2", "out out3", **MOVED),
    Pattern("Fortran", ("fortran",), "in old", "out unformatted old shell", removed="old2", needs="gfortran"),
    Pattern("C++", ("streams",), "in old in2", "out old copy", renamed="old2>new", removed="copy", needs="g++"),
    Pattern("Rust", ("rusty",), "in in2", "out old", renamed="old2>new", removed="dir/in", needs="rustc"),
)

PYTHON = (
    python("open", "in old", "out old in2"),
    python("os", "dir/in", "old2 dir/out dir/sent", renamed="old>new", linked="in>hard >soft", removed="in2"),
    python(
        "trees",
        "in in2 dir/in tree/in",
        "out tree/in a.tar",
        renamed="old>dir/new in>renamed",
        removed="dir/in dir",
    ),
    python("temporary", "out"),
    python("children", "in in2 old dir/in old2", "out out2 out3"),
    python("pool", "in in2 old", "a b c"),
    python("threads", "in", "0 39"),
    python("mapped", "old", "old"),
    python("database", "a.db", "a.db", removed="a.db-wal"),
    python("archives", "in in2 dir/in a.zip", "a.zip a.tar a.gz x/in"),
    python("imports", "module.py"),
    python("exec", "in"),
    python("arrays", "in a.npy m", "a.npy a.npz m t a.h5"),
    python("stores", "a.zarr/zarr.json"),
)

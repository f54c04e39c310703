"""What one access pattern is: a command in a prepared directory, and names that it must touch.

Format: `Pattern(name, command, read=..., written=..., ...)`, names as words, relative to the directory; `renamed` and
`linked` as `old>new`. They are what the oracle must have seen at the least, so that a pattern that did nothing fails.
`unseen` is what strace sees and the library can not.

    Pattern("cp", sh("cp in out"), read="in", written="out")

The directory holds `in`, `in2`, `old`, `old2` and `dir/in` with the same three lines, the empty directories `dir/deep`
and `dir/empty`, and a `script` that runs `cat in`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

LINES = "1\n2\n3\n"


class Pattern(NamedTuple):
    """`needs` names the program without which the pattern is skipped; `status` is what the command ends with."""

    name: str
    command: tuple[str, ...]
    read: str = ""
    written: str = ""
    renamed: str = ""
    linked: str = ""
    removed: str = ""
    unseen: str = ""
    status: int = 0
    needs: str = ""


def sh(text: str) -> tuple[str, ...]:
    """The command line that hands `text` to dash."""
    return ("dash", "-c", text)


def bash(text: str) -> tuple[str, ...]:
    return ("bash", "-c", text)


def prepare(directory: Path) -> Path:
    """Makes the files that every pattern may use."""
    for name in ("dir/deep", "dir/empty"):
        (directory / name).mkdir(parents=True)
    for name in ("in", "in2", "old", "old2", "dir/in"):
        (directory / name).write_text(LINES)
    script = directory / "script"
    script.write_text("#!/bin/sh\ncat in\n")
    script.chmod(0o755)
    return directory


def names(words: str) -> set[bytes]:
    """The names of a word list."""
    return {os.fsencode(word) for word in words.split()}


def pairs(words: str) -> set[tuple[bytes, bytes]]:
    """`a>b` as ("a", "b"); `>b` as ("", "b")."""
    return {(old, new) for old, _, new in (name.partition(b">") for name in names(words))}

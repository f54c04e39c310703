"""Writing an export, whole or not at all: a file, a ZIP file, or a directory of files.

    write("digraph {}", "lineage.dot", force=False)
    write({"record.json": b"{}", "data/out.nc": Copied("/scratch/out.nc", 4711)}, "run.zip", force=False)

What is written gets its name when it is complete, so that a kill or a full disk leaves nothing that looks finished.
ZIP files hold no clock: their members bear the earliest date that the format knows.
"""

from __future__ import annotations

import os
import stat
import zipfile

from hpcprov.export.formats import Copied
from hpcprov.record.drafts import discard, draft_of, publish, take_mode
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Any, BinaryIO

    from hpcprov.export.formats import Content

BLOCK = 1 << 20
EARLIEST = (1980, 1, 1, 0, 0, 0)
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def to_stream(content: Content, stream: BinaryIO) -> None:
    """Write one file to a stream; several as a ZIP file."""
    if isinstance(content, str | bytes):
        stream.write(encoded(content))
    else:
        _zip(content, stream if _is_file(stream) else OneWay(stream))
    stream.flush()


class OneWay:
    """A stream that is only written to: a pipe, or a device that says where it is and is not."""

    def __init__(self, stream: BinaryIO) -> None:
        self.write, self.flush = stream.write, stream.flush


def _is_file(stream: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False


def write(content: Content, place: str, *, force: bool) -> None:
    """Write to a path; several files to a ZIP file where it ends in .zip, else to a directory. Raises HpcprovError when
    something is there and may not be replaced, OSError."""
    state = _state(place)
    if state is not None and not stat.S_ISREG(state) and not stat.S_ISDIR(state):
        with open(place, "wb") as file:  # a device or a pipe
            to_stream(content, file)
    elif isinstance(content, str | bytes) or place.endswith(".zip"):
        _check_file(place, state, force=force)
        _write_file(content, place, force=force)
    else:
        _check_directory(place, state)
        _write_directory(content, place)


def encoded(content: str | bytes) -> bytes:
    """UTF-8; what no Unicode text can hold (bytes of names that are not UTF-8) becomes an escape like \\udcff."""
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _state(place: str) -> int | None:
    try:
        return os.stat(place).st_mode
    except FileNotFoundError:
        return None


def _check_file(place: str, state: int | None, *, force: bool) -> None:
    if state is not None and stat.S_ISDIR(state):
        raise HpcprovError(f"{place!a} is a directory", hint="name a file in it")
    if state is not None and not force:
        raise HpcprovError(f"{place!a} is there already", hint="--force overwrites it")


def _check_directory(place: str, state: int | None) -> None:
    if state is not None and (not stat.S_ISDIR(state) or os.listdir(place)):
        hint = "name another one: a directory with something in it is never overwritten; FILE.zip makes a ZIP file"
        raise HpcprovError(f"{place!a} is there already", hint=hint)


def _write_file(content: Content, place: str, *, force: bool) -> None:
    draft = draft_of(place)
    try:
        with open(os.open(draft, NEW, 0o666), "wb") as file:
            if force:
                take_mode(draft, place)
            to_stream(content, file)
        publish(draft, place, replace=force)
    except OSError as error:
        raise _named(error, draft, place) from None
    finally:
        discard(draft)


def _write_directory(files: Mapping[str, str | bytes | Copied], place: str) -> None:
    draft = draft_of(place.rstrip("/"))
    try:
        os.mkdir(draft)
    except OSError as error:
        raise _named(error, draft, place) from None
    try:
        for name in sorted(files):
            path = os.path.join(draft, *name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(os.open(path, NEW, 0o666), "wb") as file:
                _fill(file, files[name])
        os.rename(draft, place)  # onto nothing, or onto an empty directory
    except BaseException:
        discard(draft)
        raise


def _named(error: OSError, draft: str, place: str) -> OSError:
    """The error with the name that was asked for, where it has that of the draft, which tells nobody anything."""
    if error.filename == draft:
        error.filename = place
    return error


def _zip(files: Mapping[str, str | bytes | Copied], stream: Any) -> None:
    folders = {name[: at + 1] for name in files for at, letter in enumerate(name) if letter == "/"}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({*files, *folders}):
            entry = zipfile.ZipInfo(name, EARLIEST)
            if name in folders:
                entry.external_attr = (0o40755 << 16) | 0x10
                archive.writestr(entry, b"")
                continue
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                _fill(file, files[name])


def _fill(file: IO[bytes], content: str | bytes | Copied) -> None:
    if not isinstance(content, Copied):
        file.write(encoded(content))
        return
    fd = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(fd, "rb") as origin:
        left = content.size
        while left and (block := origin.read(min(BLOCK, left))):
            file.write(block)
            left -= len(block)
        facts = os.fstat(origin.fileno())
    if left or (content.mtime is not None and (facts.st_size, facts.st_mtime_ns) != (content.size, content.mtime)):
        raise HpcprovError(
            f"{content.path!a} changed while it was copied", hint="export again when nobody writes to it"
        )

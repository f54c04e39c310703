"""An event area made by hand, and the records that observed programs leave in it: the library.

Neither launcher nor agent is needed:

    with Area.make(tmp_path / "area") as area:
        subprocess.run(["cp", "a", "b"], env=os.environ | area.environment(library()))
        for record in area.records():
            print(record.kind, record.strings)

The format is described in hpcprov/launcher/area.h.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HEADER, CHUNK, CAPACITY = 4096, 65536, 1 << 24
KINDS = ("pad", "program", "access", "rename", "link", "unlink", "end", "not run", "mounts")
READ, WRITE, CREATE, TRUNCATE, UNCONFIRMED, EXCHANGED, SYMBOLIC, OF_DIRECTORY, CUT = (1 << bit for bit in range(9))
BLIND = ("seen", "static", "set-id", "other abi", "sanitizer", "go", "launcher", "unreadable", "off", "container")
TAIL, HEAD, ALLOCATED, LOST, CUTS, INSTANCES, STOPPED = 64, 128, 192, 256, 264, 320, 324
RESERVED, COMMITTED = 0x52, 0x43


def library() -> Path:
    """The observer library: `HPCPROV_OBSERVE_LIBRARY`, else the installed one, else that of an editable install."""
    given = os.environ.get("HPCPROV_OBSERVE_LIBRARY")
    installed = Path(sys.prefix, "lib", "hpcprov", "libhpcprov-observe.so")
    built = sorted((Path(__file__).parents[2] / "build").glob("**/libhpcprov-observe.so"), key=os.path.getmtime)
    found = [Path(given)] if given else [installed, *reversed(built)]
    return next((path for path in found if path.is_file()), installed)


class Record(NamedTuple):
    """One committed record; `numbers` are the 16 bytes that depend on the kind, as four of 32 bits."""

    kind: str
    flags: int
    instance: int
    pid: int
    time: int
    numbers: tuple[int, int, int, int]
    strings: list[bytes]

    @property
    def blind(self) -> str:
        """Of a program."""
        return BLIND[self.numbers[2]]

    @property
    def parent(self) -> int:
        """Of a program."""
        return self.numbers[0]

    @property
    def path(self) -> bytes:
        """The first string."""
        return self.strings[0]


class Area:
    """The file of one area."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    @contextmanager
    def make(cls, path: Path, capacity: int = CAPACITY) -> Iterator[Area]:
        """A fresh area, removed at the end."""
        header = b"hpcprov1" + struct.pack("<IIQQ", HEADER, 1, capacity, CHUNK)
        with open(path, "xb") as file:
            file.write(header.ljust(HEADER, b"\0"))
            file.truncate(HEADER + capacity)
        try:
            yield cls(path)
        finally:
            path.unlink(missing_ok=True)

    def environment(self, preload: Path, *, others: str = "", rank: int = 0, flags: str = "") -> dict[str, str]:
        """The two variables; `others` are libraries of the program's own."""
        listed = f"{others}:{preload}" if others else str(preload)
        return {"LD_PRELOAD": listed, "HPCPROV_IO": f"1:{rank}:0:{flags}:{self.path}"}

    def number(self, offset: int, code: str = "Q") -> int:
        """A field of the header."""
        with open(self.path, "rb") as file:
            header = file.read(HEADER)
        return int(struct.unpack_from("<" + code, header, offset)[0])

    def put(self, offset: int, value: int, code: str = "Q") -> None:
        """Sets a field of the header."""
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(struct.pack("<" + code, value))

    def records(self) -> list[Record]:
        """All committed records of an area that was never read and never came round."""
        with open(self.path, "rb") as file:
            file.seek(HEADER)
            return list(decode(file.read(self.number(TAIL))))


def decode(data: bytes) -> Iterator[Record]:
    """The committed records in `data`; what is none is passed over."""
    place = 0
    while place + 16 <= len(data):
        state, kind, flags = struct.unpack_from("<IHH", data, place)
        size = state >> 8 if state & 255 in (RESERVED, COMMITTED) and state >> 8 else 16
        if state & 255 == COMMITTED and kind:
            instance, pid, moment, *numbers = struct.unpack_from("<IIq4I", data, place + 8)
            strings = data[place + 40 : place + size].rstrip(b"\0").split(b"\0")
            first, second, third, fourth = numbers
            yield Record(KINDS[kind], flags, instance, pid, moment, (first, second, third, fourth), strings)
        place += size

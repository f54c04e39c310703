"""Let a program built against GNU libc 2.38 run on 2.36, when it needs 2.38 only for the renamed strtol and its kin.

    python3 older_glibc.py PROGRAM...

Since 2.38 compilers call `__isoc23_strtol` for `strtol`. Each such name among the dynamic symbols is cut to the old one
(its string's end stays where it is), and what the file needs of version GLIBC_2.38 becomes GLIBC_2.2.5. Little-endian
64-bit ELF only. Source: System V ABI, "Dynamic Linking"; Linux Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import struct
import sys

DYNAMIC_SYMBOLS, VERSION_NEEDS = 11, 0x6FFFFFFE
RENAMED, NEWER, OLDER = b"__isoc23_", b"GLIBC_2.38", b"GLIBC_2.2.5"


def elf_hash(name: bytes) -> int:
    """The hash by which the dynamic linker compares versions."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value & 0xFFFFFFFF


def sections(data: bytes) -> list[tuple[int, ...]]:
    """Headers: name, type, flags, address, offset, size, link, info, alignment, size of an entry."""
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return [struct.unpack_from("<IIQQQQIIQQ", data, offset + number * size) for number in range(count)]


def text(data: bytes, offset: int) -> bytes:
    return bytes(data[offset : data.index(0, offset)])


def rename_symbols(data: bytearray, symbols: tuple[int, ...], strings: int) -> int:
    """How many undefined symbols got their old name."""
    renamed = 0
    for offset in range(symbols[4], symbols[4] + symbols[5], 24):
        name, _, _, section = struct.unpack_from("<IBBH", data, offset)
        if section == 0 and text(data, strings + name).startswith(RENAMED):
            struct.pack_into("<I", data, offset, name + len(RENAMED))
            renamed += 1
    return renamed


def lower_needs(data: bytearray, offset: int, strings: int, older: int) -> None:
    """Of every library that the file needs, 2.38 becomes 2.2.5; `older`: where that name stands in the strings."""
    while True:
        _, count, _, first, following = struct.unpack_from("<HHIII", data, offset)
        entry = offset + first
        for _ in range(count):
            _, flags, other, name, step = struct.unpack_from("<IHHII", data, entry)
            if text(data, strings + name) == NEWER:
                struct.pack_into("<IHHI", data, entry, elf_hash(OLDER), flags, other, older)
            entry += step
        if not following:
            return
        offset += following


def lower(path: str) -> int:
    """Change one file in place; how many symbols were renamed."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"older_glibc.py: {path} is not a little-endian 64-bit ELF file")
    headers = sections(data)
    symbols = next(header for header in headers if header[1] == DYNAMIC_SYMBOLS)
    needs = next(header for header in headers if header[1] == VERSION_NEEDS)
    strings = headers[symbols[6]][4]
    older = data.find(OLDER + b"\0", strings, strings + headers[symbols[6]][5]) - strings
    if older < 0:
        sys.exit(f"older_glibc.py: {path} does not name {OLDER.decode()}")
    renamed = rename_symbols(data, symbols, strings)
    lower_needs(data, needs[4], strings, older)
    with open(path, "wb") as file:
        file.write(data)
    return renamed


if __name__ == "__main__":
    for program in sys.argv[1:]:
        print(program, lower(program), "symbols renamed")

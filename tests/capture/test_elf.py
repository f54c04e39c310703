"""ELF headers: real files, compiled ones, and damaged ones."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from require import require

from hpcprov.capture import elf
from hpcprov.record.errors import HpcprovError

CC = shutil.which("cc")
READELF = shutil.which("readelf")


def make(*, bits: int = 64, order: str = "<", note: bytes | None = None, interpreter: bool = True) -> bytes:
    """A small ELF file with these segments, put together by hand from the specification."""
    kind = 2 if bits == 64 else 1
    identity = b"\x7fELF" + bytes([kind, 1 if order == "<" else 2, 1]) + bytes(9)
    header_size, entry = (64, 56) if bits == 64 else (52, 32)
    segments = ([(3, b"/lib/ld.so\0")] if interpreter else []) + ([(4, note)] if note is not None else [])
    place = header_size + entry * len(segments)
    table, data = b"", b""
    for type_, content in segments:
        at = place + len(data)
        if bits == 64:
            table += struct.pack(order + "IIQQQQQQ", type_, 4, at, 0, 0, len(content), len(content), 4)
        else:
            table += struct.pack(order + "IIIIIIII", type_, at, 0, 0, len(content), len(content), 4, 4)
        data += content
    layout = "HHIQQQIHHH" if bits == 64 else "HHIIIIIHHH"
    header = struct.pack(order + layout, 2, 62, 1, 0, header_size, 0, 0, header_size, entry, len(segments))
    return identity + header + bytes(header_size - 16 - len(header)) + table + data


def build_note(order: str = "<", identity: bytes = bytes(range(20))) -> bytes:
    """Two notes: an ABI tag, and the build id."""
    tag = struct.pack(order + "III", 4, 16, 1) + b"GNU\0" + bytes(16)
    return tag + struct.pack(order + "III", 4, len(identity), 3) + b"GNU\0" + identity


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_classes_and_byte_orders(tmp_path: Path, bits: int, order: str) -> None:
    (tmp_path / "x").write_bytes(make(bits=bits, order=order, note=build_note(order)))
    assert elf.inspect(str(tmp_path / "x")) == {"build_id": bytes(range(20)).hex(), "linking": "dynamic"}


def test_without_interpreter_or_build_id(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(make(interpreter=False))
    assert elf.inspect(str(tmp_path / "x")) == {"reason": "the file has no build id", "linking": "static"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fELF" + bytes(60), "class 0"),
        (b"\x7fELF\x02\x03" + bytes(60), "encoding 3"),
        (make()[:40], "header is cut off"),
        (make()[:70], "program headers are cut off"),
        (make()[:54] + b"\x01\x00" + make()[56:], "not believable"),
        (make()[:56] + b"\xff\xff" + make()[58:], "not believable"),
    ],
)
def test_damage(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(elf.NotElf, match=reason):
        elf.inspect(str(tmp_path / "x"))


@given(data=st.data())
@settings(max_examples=300)
def test_any_damage_gives_our_own_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    content = bytearray(make(note=build_note()))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        facts = elf.inspect(str(path))
    except HpcprovError:
        return
    assert facts["linking"] in ("static", "dynamic")


@given(st.binary(max_size=200), st.sampled_from("<>"), st.sampled_from([4, 8]))
def test_any_notes(notes: bytes, order: str, alignment: int) -> None:
    found = elf.parse_notes(notes, order, alignment)
    assert found is None or bytes.fromhex(found) in notes


@pytest.mark.parametrize("size", [1, 8, 16, 20, 64])
def test_build_ids_of_any_length(size: int) -> None:
    assert elf.parse_notes(build_note("<", bytes(range(size))), "<", 4) == bytes(range(size)).hex()


def test_a_build_id_that_is_too_long_is_not_one() -> None:
    assert elf.parse_notes(build_note("<", bytes(65)), "<", 4) is None


@pytest.mark.parametrize(
    "options", [[], ["-static"], ["-static-pie"], ["-Wl,--build-id=none"], ["-Wl,--build-id=0xabcdef"]]
)
def test_against_the_compiler(tmp_path: Path, options: list[str]) -> None:
    require("cc", CC)
    (tmp_path / "x.c").write_text("int main(void) { return 0; }\n")
    command = [str(CC), "-Wl,--build-id", *options, "-o", str(tmp_path / "x"), str(tmp_path / "x.c")]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"this compiler can not link with {options}")
    facts = elf.inspect(str(tmp_path / "x"))
    assert facts["linking"] == ("static" if "static" in "".join(options) else "dynamic")
    assert ("reason" in facts) == ("-Wl,--build-id=none" in options)
    assert facts.get("build_id") == ("abcdef" if "-Wl,--build-id=0xabcdef" in options else facts.get("build_id"))


@pytest.mark.parametrize(
    "path", [os.path.realpath(sys.executable), shutil.which("sh") or "", shutil.which("git") or ""]
)
def test_against_readelf(path: str) -> None:
    require("readelf", READELF and path)
    notes = subprocess.run([str(READELF), "-n", path], capture_output=True, text=True, check=True).stdout
    known = [line.split(":")[1].strip() for line in notes.splitlines() if "Build ID:" in line]
    assert elf.inspect(path).get("build_id") == (known[0] if known else None)

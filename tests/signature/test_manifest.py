"""Tile manifests: they prove themselves, are written whole or not at all, and cost a run nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hpcprov.data.types import plain
from hpcprov.record import layout
from hpcprov.signature import manifest, reference
from hpcprov.signature.artifact import describe
from hpcprov.signature.field import Signed
from hpcprov.signature.manifest import HEAD, keep_all, load

SHAPE = (700, 600)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An array of 3 x 2 tiles."""
    np.save(tmp_path / "x.npy", np.arange(700.0 * 600).reshape(SHAPE))
    return tmp_path / "x.npy"


@pytest.fixture
def tiles(data: Path) -> str:
    """The directory with its manifest."""
    folder = str(data.parent / "tiles")
    assert describe(str(data), tiles_dir=folder)["state"] == "ok"
    return folder


def root_of(data: Path) -> str:
    digest: str = describe(str(data))["signature"]["fields"][0]["signature"]
    return digest.removeprefix("hpcprov1:")


def test_a_manifest_is_the_message_of_rule_8_under_its_own_digest(data: Path, tiles: str) -> None:
    root = root_of(data)
    content = Path(layout.manifest(tiles, root)).read_bytes()
    assert content.startswith(HEAD)
    assert reference.h("field", content[len(HEAD) :]).hex() == root
    found = load(tiles, root, most=6)
    assert found is not None
    assert (found.token, found.shape, found.tile, len(found.leaves)) == (b"f8", SHAPE, (256, 512), 6 * 32)
    assert content.endswith(found.leaves)
    assert load(tiles, root, most=5) is None


def test_only_fields_of_several_tiles_have_one(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(10))
    describe(str(tmp_path / "x.npy"), tiles_dir=str(tmp_path / "tiles"))
    assert not (tmp_path / "tiles").exists()


def test_what_does_not_prove_itself_is_refused(data: Path, tiles: str) -> None:
    root = root_of(data)
    place = Path(layout.manifest(tiles, root))
    sound = place.read_bytes()
    place.chmod(0o644)
    bad = [b"", HEAD, sound[:-1], sound + b"\0", b"X" + sound[1:]]
    bad += [sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :] for at in range(len(HEAD), len(sound), 7)]
    for content in bad:
        place.write_bytes(content)
        assert load(tiles, root, most=100) is None
    place.write_bytes(sound)
    assert load(tiles, root, most=100) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 8,
        bytes(8) + b"\xff" * 8,
        bytes(8) + (1 << 20).to_bytes(8, "little"),
        bytes(8) + b"\1" + bytes(7) + b"\5" + bytes(7) + bytes(8) + bytes(64),  # tiles of no extent
        bytes(8) + b"\1" + bytes(7) + b"\5" + bytes(7) + b"\1" + bytes(7) + bytes(64),  # 5 tiles, 2 leaves
        bytes(8) + b"\2" + bytes(7) + b"\xff" * 16 + (b"\1" + bytes(7)) * 2 + bytes(32),  # 2^128 tiles
    ],
)
def test_nonsense_under_its_right_name_is_refused(body: bytes, tmp_path: Path) -> None:
    root = reference.h("field", body).hex()
    place = Path(layout.manifest(str(tmp_path), root))
    place.parent.mkdir()
    place.write_bytes(HEAD + body)
    assert load(str(tmp_path), root, most=1000) is None


@pytest.mark.parametrize("root", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "\0" * 64, "0" * 64 + "\n"])
def test_a_root_that_is_none_names_no_file(root: str, tmp_path: Path) -> None:
    assert load(str(tmp_path), root, most=10) is None


def test_pipes_links_and_large_files_are_refused_at_once(data: Path, tiles: str) -> None:
    root = root_of(data)
    place = Path(layout.manifest(tiles, root))
    sound = data.parent / "sound"
    place.rename(sound)
    began = time.monotonic()
    os.mkfifo(place)
    assert load(tiles, root, most=10) is None
    place.unlink()
    place.symlink_to(sound)
    assert load(tiles, root, most=10) is None
    place.unlink()
    place.write_bytes(HEAD)
    os.truncate(place, 1 << 42)
    assert load(tiles, root, most=10) is None
    assert time.monotonic() - began < 30


def test_one_that_is_there_stays_and_a_damaged_one_is_replaced(data: Path, tiles: str) -> None:
    place = Path(layout.manifest(tiles, root_of(data)))
    before = place.stat()
    describe(str(data), tiles_dir=tiles)
    assert place.stat().st_ino == before.st_ino, "it has not been written again"
    assert place.stat().st_mtime_ns >= before.st_mtime_ns, "it looks as young as its latest use"
    sound = place.read_bytes()
    place.chmod(0o644)
    for damaged in (b"", sound[:-1], sound[:-1] + bytes([sound[-1] ^ 1]), b"x" + sound[1:], sound + b"x"):
        place.write_bytes(damaged)
        describe(str(data), tiles_dir=tiles)
        assert place.read_bytes() == sound
        place.chmod(0o644)
    other = data.parent / "other"
    other.write_bytes(b"x" * len(sound))
    place.unlink()
    place.symlink_to(other)
    describe(str(data), tiles_dir=tiles)
    assert place.read_bytes() == sound and not place.is_symlink()
    assert other.read_bytes() == b"x" * len(sound)


WRITER = """
import sys
from hpcprov.data.types import plain
from hpcprov.signature import tree
from hpcprov.signature.field import Signed
from hpcprov.signature.manifest import keep
leaves = bytearray(20000 * 32)
for number in range(int(sys.argv[2]), 1 << 30):
    leaves[:8] = number.to_bytes(8, "little")
    root = tree.field_root(b"f8", (20000,), (1,), leaves)
    keep(sys.argv[1], Signed(b"x", plain("f8"), (20000,), (1,), root, 0, leaves))
    if number == int(sys.argv[2]):
        print("begun", flush=True)
"""


def test_a_kill_at_any_moment_leaves_nothing_half(tmp_path: Path) -> None:
    chance = random.Random(1)
    for at in range(15):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(at * 10**6)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            time.sleep(chance.uniform(0, 0.02))
            process.send_signal(signal.SIGKILL)
    names = [place.name for place in tmp_path.rglob("*") if place.is_file()]
    whole = [name for name in names if not name.startswith(manifest.DRAFT)]
    assert len(whole) >= 15
    assert all(load(str(tmp_path), name, most=20000) is not None for name in whole)


def test_drafts_of_killed_processes_grow_old_and_go(data: Path, tiles: str) -> None:
    old, young = Path(tiles, f"{manifest.DRAFT}1-old"), Path(tiles, f"{manifest.DRAFT}1-young")
    for draft in (old, young):
        draft.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    np.save(data, np.ones(SHAPE))
    describe(str(data), tiles_dir=tiles)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_full_disk_is_said_and_costs_nothing_else(data: Path) -> None:
    program = (
        "import resource, signal, sys\nfrom hpcprov.signature.artifact import describe\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "found = describe(sys.argv[1], tiles_dir=sys.argv[2], tell=lambda text: print(text))\n"
        "print(found['state'], found['signature']['how'])"
    )
    folder = data.parent / "full"
    shown = subprocess.run(
        [sys.executable, "-c", program, str(data), str(folder)], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"{data}: tile digests were not kept: File too large\nok full\n"
    assert not [place for place in folder.rglob("*") if place.is_file()]


def test_a_directory_that_cannot_be_made_is_said(data: Path) -> None:
    told: list[str] = []
    assert describe(str(data), tiles_dir=str(data / "below"), tell=told.append)["state"] == "ok"
    assert told == [f"{data}: tile digests were not kept: Not a directory"]


def test_fields_of_one_root_share_a_manifest(tmp_path: Path) -> None:
    values = np.arange(700.0 * 600).reshape(SHAPE)
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, values)
        describe(str(tmp_path / name), tiles_dir=str(tmp_path / "tiles"))
    assert sum(place.is_file() for place in (tmp_path / "tiles").rglob("*")) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_only_what_must_outlive_a_crash_is_synced(
    durable: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    describe(str(data), tiles_dir=str(tmp_path / "tiles"), durable=durable)
    assert len(synced) == int(durable)
    assert load(str(tmp_path / "tiles"), root_of(data), most=6) is not None


def test_keeping_ends_with_the_time(tmp_path: Path) -> None:
    field = Signed(b"x", plain("f8"), (2,), (1,), bytes(32), 16, bytes(64))
    assert keep_all(str(tmp_path), [field], deadline=time.monotonic()) == "tile digests were not kept: time"
    assert not list(tmp_path.iterdir())

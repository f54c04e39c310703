"""Storage digests: whatever the size, the number of threads and the way of reading, the bytes decide."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from hpcprov.data import mapping
from hpcprov.signature import source, storage
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.watch import Watch

SIZES = [0, 1, storage.LARGE - 1, storage.LARGE, storage.LARGE + 1, 2 * source.BLOCK, 3 * source.BLOCK + 7]


@pytest.fixture(params=[False, True], ids=["read", "mapped"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    mapping.allow(request.param)
    yield
    mapping.allow(False)


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("size", SIZES)
def test_all_digests_of_a_file_in_one_pass(size: int, threads: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content(size))
    also, watch = {"sha256": "", "md5": ""}, Watch()
    seen = look(str(tmp_path / "x"))
    found = storage_digest(str(tmp_path / "x"), seen, threads=threads, watch=watch, also=also)
    assert found == f"blake3:{blake3(content(size)).hexdigest()}"
    assert also == {
        "sha256": hashlib.sha256(content(size)).hexdigest(),
        "md5": hashlib.md5(content(size), usedforsecurity=False).hexdigest(),
    }
    assert watch.done == watch.total == size


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_directory_of_small_and_large_files(threads: int, tmp_path: Path) -> None:
    for at, size in enumerate([*SIZES, *([10] * 600)]):
        place = tmp_path / "d" / str(at % 7) / f"f{at}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content(size))
    (tmp_path / "d" / "link").symlink_to("f3")
    os.mkfifo(tmp_path / "d" / "pipe")
    seen = look(str(tmp_path / "d"))
    also, watch = {"sha256": ""}, Watch()
    found = storage_digest(str(tmp_path / "d"), seen, threads=threads, watch=watch, also=also)
    entries = sorted((path.relative_to(tmp_path / "d").as_posix(), path) for path in (tmp_path / "d").rglob("*"))
    listed = {
        name: b"".join(_line(path, shown, new) for shown, path in entries)
        for name, new in {"blake3": blake3, "sha256": hashlib.sha256}.items()
    }
    assert found == f"blake3:{blake3(listed['blake3']).hexdigest()}"
    assert also["sha256"] == hashlib.sha256(listed["sha256"]).hexdigest()
    assert watch.done == watch.total == sum(SIZES) + 6000


def _line(path: Path, shown: str, new: object) -> bytes:
    assert callable(new)
    if path.is_symlink():
        return f"link {new(os.readlink(path).encode()).hexdigest()} {shown}\0".encode()
    if path.is_file():
        return f"file {new(path.read_bytes()).hexdigest()} {shown}\0".encode()
    return f"{'dir' if path.is_dir() else 'other'} - {shown}\0".encode()


def test_known_digests_are_not_read_again_but_for_another_algorithm(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    known = {b"a": "0" * 64}
    seen = look(str(tmp_path))
    assert storage_digest(str(tmp_path), seen, known=known) != storage_digest(str(tmp_path), seen)
    also = {"md5": ""}
    assert storage_digest(str(tmp_path), seen, known=known, also=also) == storage_digest(str(tmp_path), seen)


def test_describe_tells_the_other_digests_and_reads_for_them(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    os.utime(tmp_path / "x", (1, 1))
    cache = str(tmp_path / "cache")
    for _ in range(2):
        found = describe(str(tmp_path / "x"), algorithms=("sha256",), cache_dir=cache)
        assert found["storage"]["also"] == {"sha256": hashlib.sha256(b"abc").hexdigest()}
        assert found["storage"]["how"] == "full"
    assert "also" not in describe(str(tmp_path / "x"), cache_dir=cache)["storage"]


def test_a_file_that_grows_is_read_to_its_end(tmp_path: Path) -> None:
    """Bytes beyond the size that was seen count as well: what is wrong with them, the snapshots tell."""
    (tmp_path / "x").write_bytes(b"abc")
    seen = look(str(tmp_path / "x"))
    (tmp_path / "x").write_bytes(b"abcdef")
    assert storage_digest(str(tmp_path / "x"), seen) == f"blake3:{blake3(b'abcdef').hexdigest()}"


SHRINKING = """
import os, sys
from hpcprov.data import mapping
mapping.allow(sys.argv[2] == "mapped")
from hpcprov.data.open import open_data
with open_data(sys.argv[1]) as data:
    values = data.fields[0].read(((0, 1 << 20),))
    os.truncate(sys.argv[1], 4096)
    print(values.sum())
"""


@pytest.mark.parametrize(("how", "status"), [("read", 0), ("mapped", -signal.SIGBUS)])
def test_only_a_process_that_may_be_killed_maps_files(how: str, status: int, tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "x.npy", np.ones(1 << 20))
    command = [sys.executable, "-c", SHRINKING, str(tmp_path / "x.npy"), how]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == status


def test_no_thread_is_left(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content(3 * source.BLOCK))
    before = threading.active_count()
    storage_digest(str(tmp_path / "x"), look(str(tmp_path / "x")), threads=4)
    assert threading.active_count() == before


def test_a_process_without_memory_for_a_thread_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a limit on memory leaves no room for another stack."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "file").write_bytes(b"abc")

    def none(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", none)
    found = describe(str(tmp_path / "x"), threads=2)
    assert (found["state"], found["storage"]) == ("unreadable", None)
    assert "memory" in found["reason"] or "thread" in found["reason"]

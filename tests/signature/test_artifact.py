"""What is said of an artifact in every state; the storage digest; the cache and its honesty."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from blake3 import blake3

from hpcprov.data.interface import Box, Dataset, Field
from hpcprov.data.types import Unsigned, plain
from hpcprov.signature import artifact, cache, reference, snapshot
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look

KEYS = ["state", "reason", "format", "size", "files", "mtime", "storage", "signature", "unsigned"]

#: Digests that `b3sum` prints.
B3SUM = {
    b"": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    b"abc": "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
}


def digest(found: dict[str, Any], name: str = "storage") -> str:
    """A digest in a result, without its prefix."""
    text: str = found[name]["digest"]
    return text.split(":")[1]


@pytest.mark.parametrize("content", B3SUM)
def test_storage_digest_of_a_file_is_that_of_b3sum(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    found = describe(str(tmp_path / "x"))
    assert list(found) == KEYS
    assert found["storage"] == {"digest": f"blake3:{B3SUM[content]}", "how": "full"}
    assert (found["state"], found["format"], found["size"], found["files"]) == ("ok", "file", len(content), None)
    assert found["signature"] is None and found["unsigned"] == "a plain file: it has no fields"


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("size", [4 * 2**20 - 1, 4 * 2**20, 4 * 2**20 + 1, 9 * 2**20])
def test_storage_digest_of_large_files(size: int, threads: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "x").write_bytes(content)
    assert digest(describe(str(tmp_path / "x"), threads=threads)) == blake3(content).hexdigest()


def test_storage_digest_of_a_directory_is_that_of_its_listing(tmp_path: Path) -> None:
    top = tmp_path / "d"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "sub" / "f").write_bytes(b"abc")
    (top / "sub-a").write_bytes(b"")
    os.mkfifo(top / "pipe")
    (top / "link").symlink_to("/etc/passwd")
    (top / os.fsdecode(b"\xff\n")).write_bytes(b"")
    none, abc = B3SUM[b""], B3SUM[b"abc"]
    link = blake3(b"/etc/passwd").hexdigest()
    lines = [
        f"link {link} link", "other - pipe", "dir - sub", f"file {none} sub-a", "dir - sub/empty",
        f"file {abc} sub/f",
    ]  # fmt: skip
    listing = b"".join(line.encode() + b"\0" for line in lines) + f"file {none} ".encode() + b"\xff\n\0"
    found = describe(str(top))
    assert digest(found) == blake3(listing).hexdigest()
    assert (found["format"], found["files"], found["size"]) == ("directory", 3, 3)
    assert found["unsigned"] == "a plain directory: it has no fields"


def test_signature_and_fields(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["g/t"], file["n"] = np.arange(6.0).reshape(2, 3), h5py.Empty("i4")
    found = describe(str(tmp_path / "x"))["signature"]
    root = reference.field_root("f8", (2, 3), reference.elements(np.arange(6.0), 8))
    null = reference.field_root("i4", None, [])
    assert found["fields"] == [
        {
            "path": "g/t",
            "type": "f8",
            "shape": [2, 3],
            "tile": [2, 4],
            "signature": f"hpcprov1:{root.hex()}",
            "bytes": 48,
        },
        {"path": "n", "type": "i4", "shape": None, "tile": [], "signature": f"hpcprov1:{null.hex()}", "bytes": 0},
    ]
    assert digest({"x": found}, "x") == reference.dataset_root("tree", [(b"g/t", root), (b"n", null)]).hex()
    assert (found["how"], found["kind"]) == ("full", "tree")


@pytest.mark.parametrize("name", ["nothing", "file/below", "\0", "x" * 300])
def test_what_is_not_there(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = describe(str(tmp_path / name))
    assert list(found) == KEYS
    assert found["state"] in ("missing", "unreadable")
    assert found["reason"] and found["storage"] is None


def test_pipes_are_unreadable_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    assert describe(str(tmp_path / "x"))["reason"] == "neither a file nor a directory"


def test_damaged_data_still_has_a_storage_digest(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x89HDF\r\n\x1a\n" + b"junk")
    found = describe(str(tmp_path / "x"))
    assert (found["state"], found["format"], found["signature"]) == ("unreadable", "hdf5", None)
    assert digest(found) == blake3(b"\x89HDF\r\n\x1a\njunk").hexdigest()


def test_unsigned_data_is_ok_and_says_why(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file["x"] = np.zeros(2, np.longdouble)
    found = describe(str(tmp_path / "x"))
    assert (found["state"], found["signature"]) == ("ok", None)
    assert found["unsigned"].startswith("x: long double has no signature")


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"\xff.h5")
    with h5py.File(place, "w") as file:
        file["x"] = 1
    assert describe(str(place))["state"] == "ok"


def test_the_deadline(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(10**7))
    found = describe(str(tmp_path / "x"), deadline=time.monotonic())
    assert (found["state"], found["reason"], found["storage"]) == ("not hashed", "time", None)


def test_the_deadline_stops_inside_of_a_large_field(tmp_path: Path) -> None:
    write_alike(tmp_path / "x", (2**15, 2**13), (512, 512))
    with h5py.File(tmp_path / "small", "w") as file:
        file["x"] = 1.0
    assert describe(str(tmp_path / "small"))["state"] == "ok"  # importing takes time of its own
    for seconds in (0.1, 0.2, 0.4, 0.8):  # on a busy machine the file as it is stored takes longer, too
        found = describe(str(tmp_path / "x"), threads=1, deadline=time.monotonic() + seconds)
        assert (found["state"], found["reason"]) == ("not hashed", "time")
        if found["storage"] is not None:
            break
    assert found["storage"] is not None


def write_alike(place: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    """A compressed field, all of whose chunks hold the same: compressed once."""
    chunk = zlib.compress(np.ones(chunks).tobytes(), 1)
    with h5py.File(place, "w") as file:
        field = file.create_dataset("x", shape, "f8", chunks=chunks, compression="gzip", compression_opts=1)
        for at in product(*(range(0, extent, step) for extent, step in zip(shape, chunks, strict=True))):
            field.id.write_direct_chunk(at, chunk)


def test_a_file_that_changes_while_it_is_read_is_said(
    impatient: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "x"
    place.write_bytes(b"before")
    honest = artifact.storage_digest

    def changing(*given: Any, **named: Any) -> str:
        found = honest(*given, **named)
        place.write_bytes(b"after!")
        return found

    monkeypatch.setattr(artifact, "storage_digest", changing)
    _age(place)
    found = describe(str(place), cache_dir=str(tmp_path / "cache"))
    assert (found["state"], found["reason"], found["storage"]) == ("unreadable", "changed while it was read", None)
    assert not (tmp_path / "cache").exists()


def test_a_declared_size_far_over_the_stored_one_is_refused_at_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("bomb", (2**60,), "f8", chunks=(2**20,))
    began = time.monotonic()
    found = describe(str(tmp_path / "x"))
    assert found["unsigned"].startswith("bomb: too many fill values")
    assert time.monotonic() - began < 30


def test_many_small_bombs_count_together() -> None:
    def read(box: Box) -> Any:
        raise AssertionError

    fields = tuple(Field(b"%d" % at, plain("f8"), (2**36,), None, 8, read) for at in range(3))
    with pytest.raises(Unsigned, match=r"^2: too many fill values"):
        artifact.check_declared(Dataset("hdf5", fields), 100)
    artifact.check_declared(Dataset("hdf5", fields), 2**27)


def test_memory_stays_in_its_budget(tmp_path: Path) -> None:
    """1 GiB of values in 64 MiB chunks, on four threads, below 300 MiB and two chunks a thread."""
    write_alike(tmp_path / "x", (1024, 1024, 128), (1024, 64, 128))
    program = (
        "import re, sys\nfrom hpcprov.signature.artifact import describe\n"
        "assert describe(sys.argv[1], threads=4)['state'] == 'ok'\n"
        "print(re.search('VmHWM:\\\\s+(\\\\d+) kB', open('/proc/self/status').read())[1])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x")], capture_output=True, text=True, check=True
    )
    assert int(shown.stdout) * 1024 < (300 + 2 * 4 * 64) * 2**20


def _age(place: Path) -> None:
    """Make a file look old; its change time cannot be set, so the rule's time is waited for."""
    os.utime(place, (1e9, 1e9))
    time.sleep(2 * snapshot.SETTLED_NS / 1e9)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files settle after 30 ms, not 2 s."""
    monkeypatch.setattr(snapshot, "SETTLED_NS", 30_000_000)


@pytest.fixture
def cached(impatient: None, tmp_path: Path) -> tuple[Path, str]:
    """An old file that has been described, and the cache that holds the result."""
    place = tmp_path / "x.npy"
    np.save(place, np.arange(5.0))
    _age(place)
    folder = str(tmp_path / "cache")
    assert describe(str(place), cache_dir=folder)["storage"]["how"] == "full"
    return place, folder


def test_a_cached_result_says_so_and_is_the_same(cached: tuple[Path, str]) -> None:
    place, folder = cached
    full, again = describe(str(place)), describe(str(place), cache_dir=folder)
    assert again["storage"]["how"] == again["signature"]["how"] == "cached"
    assert digest(again) == digest(full)
    assert digest(again, "signature") == digest(full, "signature")
    assert {**again, "storage": 0, "signature": 0} == {**full, "storage": 0, "signature": 0}


@pytest.mark.parametrize("change", ["touch", "same times", "replace"])
def test_any_change_is_a_miss(change: str, cached: tuple[Path, str]) -> None:
    place, folder = cached
    content = place.read_bytes()
    if change == "touch":
        os.utime(place)
    elif change == "same times":
        place.write_bytes(content[:-1] + b"\1")
        os.utime(place, (1e9, 1e9))
    else:
        (place.parent / "new").write_bytes(content)
        os.utime(place.parent / "new", (1e9, 1e9))
        os.rename(place.parent / "new", place)
    assert describe(str(place), cache_dir=folder)["storage"]["how"] == "full"


def test_every_damage_to_an_entry_is_a_miss(cached: tuple[Path, str]) -> None:
    place, folder = cached
    (entry,) = Path(folder).rglob("*.json")
    sound = entry.read_bytes()
    found = json.loads(sound)
    bad: list[bytes] = [b"", b"[]", b"null", b"\xff", b"[" * 10**5, sound[:-1], sound.replace(b'"full"', b'"none"', 1)]
    bad += [json.dumps({**found, key: None}).encode() for key in found]
    bad += [json.dumps({**found, "result": {**found["result"], "size": 1}}).encode()]
    for content in bad:
        entry.write_bytes(content)
        assert describe(str(place), cache_dir=folder)["storage"]["how"] == "full"
        entry.write_bytes(content)
        assert cache.load(folder, look(str(place))) is None
    entry.write_bytes(sound)
    assert describe(str(place), cache_dir=folder)["storage"]["how"] == "cached"


def test_young_files_are_not_stored(tmp_path: Path) -> None:
    assert snapshot.SETTLED_NS == 2 * 10**9
    (tmp_path / "x").write_bytes(b"abc")
    describe(str(tmp_path / "x"), cache_dir=str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_damaged_data_is_not_stored(impatient: None, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x93NUMPY")
    _age(tmp_path / "x")
    assert describe(str(tmp_path / "x"), cache_dir=str(tmp_path / "cache"))["state"] == "unreadable"
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_costs_nothing_else(
    cached: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = cached
    (place.parent / "file").write_bytes(b"")
    assert describe(str(place), cache_dir=str(place.parent / "file" / "cache"))["state"] == "ok"

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    assert describe(str(place), cache_dir=str(place.parent / "new"))["state"] == "ok"
    assert not list((place.parent / "new").rglob("*.json*"))


def test_damaged_files_are_results_and_never_crash(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    with h5py.File(tmp_path / "sound" / "x", "w") as file:
        file.create_dataset(
            "a/c", data=np.arange(2000.0).reshape(40, 50), chunks=(7, 9), compression="gzip", shuffle=True
        )
        file["plain"] = np.arange(100, dtype=">i2")
        file.create_dataset("text", (5,), h5py.string_dtype())[0] = "abc"
        file.create_dataset("list", (5,), h5py.vlen_dtype(">i4"))[0] = np.arange(3)
    command = [sys.executable, "-m", "signature.damage", str(tmp_path / "sound"), "0", "150", "100"]
    shown = subprocess.run(
        command, cwd=Path(__file__).parent.parent, env=_path(), capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in shown.stdout.splitlines()][1::2]
    assert (shown.returncode, shown.stderr, len(lines)) == (0, "", 150)
    assert {state for _, _, state, *_ in lines} == {"ok", "unreadable"}
    assert all(stored and (state == "ok" or reason) for _, _, state, reason, _, stored in lines)


def _path() -> dict[str, str]:
    root = str(Path(__file__).parent.parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}


def test_the_tools_own_store_is_no_part_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_bytes(b"abc")
    before = describe(str(tmp_path))
    for store in (tmp_path / ".hpcprov", tmp_path / "sub" / ".hpcprov"):
        (store / "runs").mkdir(parents=True)
        (store / "runs" / "n.log").write_bytes(b"grows")
    after = describe(str(tmp_path))
    assert after["storage"]["digest"] == before["storage"]["digest"]
    assert (after["files"], after["size"]) == (before["files"], before["size"]) == (1, 3)

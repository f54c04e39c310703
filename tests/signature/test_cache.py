"""The cache is sound where clocks differ, stays small, and nothing that lies in it does harm."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hpcprov.record.errors import UnreadableData
from hpcprov.signature import cache, snapshot
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look

HOUR = 3600 * 10**9


def key(number: int, folder: int = 0) -> str:
    return f"{folder:02x}{number:062x}"


@pytest.mark.parametrize("ahead", [0, HOUR])
def test_a_young_file_is_young_by_the_clock_that_gave_it_its_time(
    ahead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server's clock that is an hour behind this machine's makes every new file look an hour old."""
    honest = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: honest() + ahead)
    np.save(tmp_path / "x.npy", np.arange(5))
    folder = str(tmp_path / "cache")
    describe(str(tmp_path / "x.npy"), cache_dir=folder)
    assert describe(str(tmp_path / "x.npy"), cache_dir=folder)["storage"]["how"] == "full"
    monkeypatch.setattr(snapshot, "SETTLED_NS", 30_000_000)
    time.sleep(0.06)
    describe(str(tmp_path / "x.npy"), cache_dir=folder)
    assert describe(str(tmp_path / "x.npy"), cache_dir=folder)["storage"]["how"] == "cached"


def test_the_server_s_clock_counts_only_when_it_is_behind_and_the_same(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    seen, folder = look(str(tmp_path / "x")), str(tmp_path / "cache")
    now = time.time_ns()
    assert abs(cache.server_time(folder, seen, now) - now) < 10**10
    assert cache.server_time(folder, seen, now) <= now
    assert cache.server_time("/dev/shm", seen, now) == now or seen.entries[0].device == os.stat("/dev/shm").st_dev
    assert cache.server_time(str(tmp_path / "x" / "below"), seen, now) == now
    assert not list((tmp_path / "cache").iterdir())


def fifo(place: Path) -> None:
    os.mkfifo(place)


def link(place: Path) -> None:
    target = place.with_name("target")
    target.write_text("{}")
    place.symlink_to(target)


def huge(place: Path) -> None:
    place.write_bytes(b"{")
    os.truncate(place, 1 << 40)


def folder(place: Path) -> None:
    place.mkdir()


@pytest.mark.parametrize("harm", [fifo, link, huge, folder])
def test_what_is_no_entry_is_a_miss_at_once(harm: Callable[[Path], None], tmp_path: Path) -> None:
    cache.write(str(tmp_path), key(1), {"a": 1})
    assert cache.read(str(tmp_path), key(1)) == {"a": 1}
    (place,) = tmp_path.rglob("*.json")
    place.unlink()
    harm(place)
    began = time.monotonic()
    assert cache.read(str(tmp_path), key(1)) is None
    assert time.monotonic() - began < 30


def test_an_entry_under_another_key_is_a_miss(tmp_path: Path) -> None:
    cache.write(str(tmp_path), key(1), {"a": 1})
    (place,) = tmp_path.rglob("*.json")
    place.rename(place.with_name(f"{key(2)}.json"))
    assert cache.read(str(tmp_path), key(2)) is None


def test_the_oldest_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FOLDER_ENTRIES", 10)
    for number in range(25):
        cache.write(str(tmp_path), key(number), {"n": number})
        os.utime(tmp_path / "00" / f"{key(number)}.json", (number, number))
    left = [number for number in range(25) if cache.read(str(tmp_path), key(number)) is not None]
    assert left == list(range(15, 25))
    cache.write(str(tmp_path), key(1, folder=1), {})
    assert len(list(tmp_path.rglob("*.json"))) == 11


def test_large_entries_push_others_out_and_the_newest_always_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "FOLDER_BYTES", 10_000)
    for number in range(5):
        cache.write(str(tmp_path), key(number), {"text": "x" * 3000})
        os.utime(tmp_path / "00" / f"{key(number)}.json", (number, number))
    assert cache.read(str(tmp_path), key(0)) is None and cache.read(str(tmp_path), key(2)) is not None
    cache.write(str(tmp_path), key(9), {"text": "x" * 50_000})
    assert cache.read(str(tmp_path), key(9)) is not None


def test_what_follows_other_files_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprint knows nothing of the other file."""
    monkeypatch.setattr(snapshot, "SETTLED_NS", 30_000_000)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["v"] = np.arange(3)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "/v")
    time.sleep(0.06)
    options: dict[str, Any] = {"cache_dir": str(tmp_path / "cache"), "tiles_dir": str(tmp_path / "tiles")}
    plain = describe(str(tmp_path / "x.h5"), **options)
    for _ in range(2):
        found = describe(str(tmp_path / "x.h5"), follow=True, **options)
        assert found["signature"] is None or found["signature"]["how"] == "full"
        assert found["storage"]["how"] == "full"
    assert describe(str(tmp_path / "x.h5"), **options)["signature"] == plain["signature"]


def test_a_directory_that_loses_a_file_while_it_is_looked_at_has_changed(tmp_path: Path) -> None:
    """As Zarr stores do while they are written: libraries write chunks under other names, and rename them."""
    names = [tmp_path / f"{k}.partial" for k in range(3)]
    for name in names:
        name.touch()
    entries = snapshot._walk(os.fsencode(tmp_path))
    left = {os.fsencode(name) for name in names} - {os.path.join(os.fsencode(tmp_path), next(entries).path)}
    for name in left:
        os.remove(name)
    with pytest.raises(UnreadableData, match="changed while"):
        list(entries)
    with pytest.raises(FileNotFoundError):  # what is not there at all has not changed
        look(os.fspath(tmp_path / "gone"))

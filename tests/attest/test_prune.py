"""`hpcprov prune`: what goes, what never goes, and that it can be told from what was taken away."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from merge.build import BEGAN, HERE, SECOND, Launch, encoded
from record_check import read_record

from attest.conftest import Call, Key, edit, made
from hpcprov.attest import intact
from hpcprov.merge import prune, pruned
from hpcprov.merge.publish import revise
from hpcprov.record import model
from hpcprov.record.layout import Store

LATER = BEGAN / SECOND + 400 * 86400
OUTPUTS = ["n1.100-4999000.0.out", "n2.101-4999001.0.out"]
BY = {"uid": 1000, "name": "ada"}


def outputs(place: str) -> list[str]:
    return sorted(name for name in os.listdir(place) if name.endswith(".out"))


def manifests(store: Store) -> list[str]:
    return sorted(path.name for path in Path(store.tiles).rglob("*") if path.is_file())


def age(place: str | Path, days: float) -> None:
    """Let the files of a record, or a file, be so old."""
    paths = [Path(place), *Path(place).iterdir()] if Path(place).is_dir() else [Path(place)]
    for path in paths:
        when = path.stat().st_mtime - days * 86400
        os.utime(path, (when, when))


def test_it_shows_first(call: Call, store: Store, place: str) -> None:
    status, out, err = call("prune", "--older-than", "1min")
    assert (status, err) == (0, "") and "r1  2 output logs, " in out and "nothing was dropped: --yes does it" in out
    assert outputs(place) == OUTPUTS and not list(Path(place).glob("pruned*"))


def test_output_goes_and_the_record_stays(
    call: Call, store: Store, place: str, keys: dict[str, Key], signers: Path
) -> None:
    call("attest", "r1", "--key", str(keys["ada"].path))
    before = Path(place, "record.json").read_bytes()
    status, out, _ = call("prune", "--older-than", "1min", "--yes", "--outputs")
    assert status == 0 and "dropped output of 1 run (2 logs, " in out and "1 record is kept" in out
    assert outputs(place) == [] and Path(place, "record.json").read_bytes() == before
    (listed,) = pruned.lists(place)
    assert [log["name"] for log in listed["logs"]] == OUTPUTS and listed["by"]["uid"] == os.geteuid()
    status, out, _ = call("verify", "r1", "--attested-by", str(signers), "--refold")
    assert status == 0 and "output n1.100-4999000.0.out (" in out and "was pruned on " in out
    assert "was pruned on " in call("show", "r1")[1] and "missing" not in call("show", "r1")[1]
    status, out, err = call("log", "r1", "--output")
    assert (status, out) == (0, "") and "was pruned on " in err
    assert "nothing to drop" in call("prune", "--older-than", "1min")[1]


def test_what_comes_late_keeps_what_was_pruned(store: Store, place: str) -> None:
    drop(store)
    old = model.load(os.path.join(place, "record.json"))
    beat = {"v": 1, "event": "beat", "time": BEGAN, "boot": 1, "node": "n1"}
    with open(os.path.join(place, "n1.100-4999000.0.log"), "ab") as file:
        file.write(encoded([beat]))
    new = revise(store, place, old=old)
    assert new["revision"] == 2 and new["output"] == old["output"]
    assert [log for log in new["seal"]["logs"] if log["name"] in OUTPUTS] == [
        log for log in old["seal"]["logs"] if log["name"] in OUTPUTS
    ]


def drop(store: Store, before: float = LATER, **kinds: bool) -> prune.Plan:
    found = prune.plan(store, before=before, **kinds)
    return prune.drop(store, found, before=before, by=BY, now=int(before) * SECOND)


def test_only_what_is_old_goes(call: Call, store: Store, place: str) -> None:
    assert "nothing to drop: 1 record, none of which has anything older than 90 days" in call("prune")[1]
    ended = BEGAN / SECOND + 10
    age(place, 0)
    assert prune.plan(store, before=ended - 1).outputs == []
    assert [one.names for one in prune.plan(store, before=ended + 1).outputs] == [OUTPUTS]


def test_output_that_was_changed_is_evidence(call: Call, store: Store, place: str) -> None:
    with open(os.path.join(place, OUTPUTS[0]), "r+b") as file:
        file.seek(50)
        file.write(b"x")
    with open(os.path.join(place, OUTPUTS[1]), "ab") as file:
        file.write(b"x")
    status, _, err = call("prune", "--older-than", "1min", "--yes")
    assert status == 0 and outputs(place) == OUTPUTS
    assert f"{OUTPUTS[0]} is not what was sealed" in err


def test_what_cannot_be_dropped_is_not_called_none(
    call: Call, store: Store, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: str, data: bytes) -> None:
        raise OSError(30, "Read-only file system", path)

    monkeypatch.setattr(prune.disk, "write_new", read_only)
    status, out, err = call("prune", "--older-than", "1min", "--yes", "--outputs")
    assert (status, out) == (0, "nothing was dropped of 1 record\n") and outputs(place) == OUTPUTS
    assert "r1: Read-only file system" in err


def test_nothing_goes_beside_a_forged_record(call: Call, store: Store, place: str) -> None:
    edit(os.path.join(place, "record.json"), b'"why not"', b'"why now"')
    _, _, err = call("prune", "--older-than", "1min", "--yes", "--outputs")
    assert outputs(place) == OUTPUTS and "changed since it was sealed" in err


def test_tile_digests_stay_as_long_as_a_record_needs_them(store: Store, place: str, tmp_path: Path) -> None:
    (kept,) = manifests(store)
    path = Path(store.tiles, kept[:2], kept)
    age(path, 900)
    now = path.stat().st_mtime + 901 * 86400
    assert drop(store, before=BEGAN / SECOND + 1).tiles == [], "its run is not that old"
    assert manifests(store) == [kept]
    age(place, 900)
    assert [os.path.basename(each) for each, _ in drop(store, before=now - 800 * 86400).tiles] == [kept]
    assert manifests(store) == []


def test_tile_digests_of_runs_in_progress_stay(store: Store, place: str) -> None:
    record = read_record(place)
    age(place, 900)
    (kept,) = manifests(store)
    age(Path(store.tiles, kept[:2], kept), 900)
    facts = record["artifacts"]["generated"][0] | {"role": "generated", "node": "n1", "declared": []}
    Launch(launch="5-5").start().add("artifact", 5, **facts).write(store.run("going-on"))
    assert drop(store, before=BEGAN / SECOND + 86400).tiles == []
    os.rename(store.run("going-on"), os.path.join(store.root, "elsewhere"))
    assert len(drop(store, before=BEGAN / SECOND + 86400).tiles) == 1


def test_a_record_that_cannot_be_read_keeps_all_tile_digests(call: Call, store: Store, place: str) -> None:
    Path(place, "record.json").write_text("{}")
    found = prune.plan(store, before=LATER)
    assert found.tiles == [] and found.outputs == [] and any("cannot be read" in text for text in found.left)
    status, out, err = call("prune", "--older-than", "1min", "--json")
    assert status == 0 and json.loads(out)["left"] and err == ""


def test_a_run_that_was_merged_just_now_and_is_still_written_to(store: Store, place: str) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    alive = {"boot_id": HERE, "pid": os.getpid(), "ticks": ticks, "pid_ns": os.stat("/proc/self/ns/pid").st_ino}
    Launch("n1").start(7, **alive).write(place)
    now = os.stat(os.path.join(place, "record.json")).st_mtime
    found = prune.plan(store, before=LATER)
    done = prune.drop(store, found, before=LATER, by=BY, now=int(now) * SECOND)
    assert done.outputs == [] and outputs(place) == OUTPUTS


class Killed(BaseException):
    """A kill, as far as a test in one process can have it."""


@pytest.mark.parametrize("nth", range(6))
def test_a_kill_leaves_what_the_next_call_finishes(
    store: Store, place: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def dying(real: Any) -> Any:
        def once(*words: Any, **keys: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > nth:
                raise Killed
            return real(*words, **keys)

        return once

    with monkeypatch.context() as patch, pytest.raises(Killed):
        for name in ("link", "unlink", "fsync"):
            patch.setattr(os, name, dying(getattr(os, name)))
        drop(store, tiles=False)
        assert nth > 4, "so many calls are made"
        raise Killed
    assert intact.problems(place, *intact.read(place)) == []
    drop(store, tiles=False)
    assert outputs(place) == [] and intact.problems(place, *intact.read(place)) == []


def test_two_at_once_list_both(store: Store, place: str) -> None:
    one, other = prune.plan(store, before=LATER), prune.plan(store, before=LATER)
    other.outputs[0].names = [OUTPUTS[1]]
    prune.drop(store, other, before=LATER, by=BY, now=int(LATER) * SECOND)
    done = prune.drop(store, one, before=LATER, by=BY, now=int(LATER) * SECOND)
    assert done.outputs[0].names == [OUTPUTS[0]] and outputs(place) == []
    record = model.load(os.path.join(place, "record.json"))
    assert sorted(log["name"] for log in pruned.dropped(record, place)) == OUTPUTS
    assert len(list(Path(place).glob("pruned.*.json"))) == 2


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 99999,
        b'{"format":"hpcprov-pruned","version":2,"time":"","by":{},"logs":[]}',
        b'{"format":"hpcprov-pruned","version":1,"time":"","by":{},"logs":[{"name":1}]}',
        b'{"format":"hpcprov-pruned","version":1,"time":7,"by":{},"logs":[]}',
        b'{"format":"hpcprov-pruned","version":1,"time":"","by":[],"logs":[]}',
    ],
)
def test_what_is_no_list_excuses_nothing(place: str, said: bytes) -> None:
    Path(place, "pruned.1.json").write_bytes(said)
    os.unlink(os.path.join(place, OUTPUTS[0]))
    assert f"log {OUTPUTS[0]} is missing" in intact.problems(place, *intact.read(place))


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "1e3d", "٣d", "9999999d", "90 d"])
def test_what_is_no_age(call: Call, store: Store, age: str) -> None:
    status, _, err = call("prune", f"--older-than={age}")
    assert status == 2 and "is not an age" in err


def test_many_runs(call: Call, store: Store, place: str, tmp_path: Path) -> None:
    for k in range(2, 26):
        made(store, tmp_path, f"r{k}")
    status, out, _ = call("prune", "--older-than", "1min", "--outputs")
    assert status == 0 and "... and of 5 more runs" in out and "would drop output of 25 runs (50 logs, " in out
    assert max(map(len, out.splitlines())) <= 110

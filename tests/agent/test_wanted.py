"""Signing what was observed: which of it, in which order, and what is never signed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.agent import signing, wanted
from hpcprov.agent.journal import Journal
from hpcprov.merge.accesses import CHANGED, OVERWROTE, REMOVED
from hpcprov.merge.fold import fold
from hpcprov.merge.read import read_run
from hpcprov.record.layout import Store
from hpcprov.signature.share import read_all


class Place:
    """A run in a store of its own whose agent has told what was seen."""

    def __init__(self, cwd: Path, **start: Any) -> None:
        self.cwd, self.store = cwd, Store(str(cwd / ".hpcprov"))
        os.makedirs(self.store.run("r"))
        self.journal = Journal(self.store.log("r", "n.1-1.0.log"), "n")
        told = {"rank": 0, "pid": 1, "cwd": str(cwd), "inputs": [], "outputs": [], "nodes": 1, "hash": "now"} | start
        self.starts = [{"event": "start", "observe": "preload"} | told]
        self.journal.write("start", **told, observe="preload")

    def saw(self, *entries: Any) -> Place:
        self.journal.write("access", entries=list(entries))
        return self

    def sign(self, part: str = "alone", seconds: float = 60) -> dict[str, dict[str, dict[str, Any]]]:
        """The artifacts of the record after signing: by role and name."""
        starts: Any = [*self.starts, {"event": "access", "entries": []}]
        signing.sign(part, root=self.store.root, run_id="r", journal=self.journal, starts=starts, seconds=seconds)
        events = [event for log in read_run(self.store.run("r")) for event in log.events]
        found = fold(events, run_id="r")["artifacts"]
        return {role: {os.path.basename(one["path"]): one for one in found[role]} for role in found}


def file(path: Path, size: int = 8) -> tuple[str, list[int]]:
    """A new file, and what its first reader found."""
    np.save(path, np.zeros(size))
    status = path.stat()
    return str(path), [status.st_size, status.st_mtime_ns]


def read(path: Path, **keys: Any) -> dict[str, Any]:
    name, stamp = file(path)
    return {"path": name, "read": True, "began": stamp, "ended": stamp} | keys


def written(path: Path, size: int = 8, **keys: Any) -> dict[str, Any]:
    name, stamp = file(path, size)
    return {"path": name, "written": True, "ended": stamp} | keys


@pytest.mark.parametrize("part", ["alone", "last"])
def test_what_was_seen_is_signed_without_being_declared(tmp_path: Path, part: str) -> None:
    place = Place(tmp_path).saw(read(tmp_path / "a.npy"), written(tmp_path / "b.npy"))
    found = place.sign(part)
    for role, name in (("used", "a.npy"), ("generated", "b.npy")):
        one = found[role][name]
        assert (one["state"], one["format"], one["declared"]) == ("ok", "npy", [])
        assert one["signature"] is not None and one["observed"] is not None


def test_nodes_share_what_either_of_them_saw(tmp_path: Path) -> None:
    names = [tmp_path / f"{k}.npy" for k in range(6)]
    place = Place(tmp_path).saw(*map(written, names[:3]))
    other = Journal(place.store.log("r", "m.2-2.0.log"), "m")
    other.write("access", entries=[*map(written, names[3:]), written(names[0])])
    starts: Any = [*place.starts, {"event": "access", "entries": []}]
    signing.sign("helper", root=place.store.root, run_id="r", journal=other, starts=starts, seconds=60)
    assert [note.head["kind"] for note in read_all(place.store.run("r"))] == ["whole"] * 6
    found = place.sign("last")["generated"]
    assert len(found) == 6 and {one["state"] for one in found.values()} == {"ok"}
    events = [event for log in read_run(place.store.run("r")) for event in log.events if log.node == "m"]
    assert {event["event"] for event in events} == {"access"}, "a helper tells nothing of itself"


@pytest.mark.parametrize("part", ["alone", "last"])
def test_what_is_not_as_it_was_read_is_not_signed(tmp_path: Path, part: str) -> None:
    entries = [read(tmp_path / name) for name in ("changed.npy", "overwritten.npy", "removed.npy", "kept.npy")]
    entries[1] |= {"written": True, "overwritten": True}
    entries[2] |= {"gone": True}
    for name in ("changed.npy", "overwritten.npy"):
        file(tmp_path / name, 9)
    os.unlink(tmp_path / "removed.npy")
    found = Place(tmp_path).saw(*entries).sign(part)
    used = {name: (one["state"], one["reason"]) for name, one in found["used"].items()}
    assert used == {
        "changed.npy": ("not hashed", CHANGED),
        "overwritten.npy": ("not hashed", OVERWROTE),
        "removed.npy": ("not hashed", REMOVED),
        "kept.npy": ("ok", None),
    }
    assert found["used"]["changed.npy"]["size"] == entries[0]["began"][0], "as the run has read it"
    assert list(found["generated"]) == ["overwritten.npy"] and found["generated"]["overwritten.npy"]["state"] == "ok"


def test_a_declared_input_that_changed_is_not_signed_either(tmp_path: Path) -> None:
    entry = read(tmp_path / "a.npy")
    file(tmp_path / "a.npy", 9)
    (found,) = Place(tmp_path, inputs=["a.npy"]).saw(entry).sign()["used"].values()
    assert (found["state"], found["reason"], found["declared"]) == ("not hashed", CHANGED, ["a.npy"])


def test_beyond_a_limit_the_largest_are_signed_and_all_that_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").write_text("observe_files = 2\n")
    monkeypatch.setenv("HPCPROV_CONFIG", str(tmp_path / "conf"))
    entries = [written(tmp_path / f"{size}.npy", size) for size in (5000, 10, 2000, 100, 1)]
    found = Place(tmp_path, outputs=["1.npy"]).saw(*entries).sign()["generated"]
    assert {name for name, one in found.items() if one["state"] == "ok"} == {"5000.npy", "2000.npy", "1.npy"}
    assert {one["reason"] for one in found.values()} == {None, "more than 2 observed files: see observe_files"}


def test_what_lies_in_a_declared_directory_is_not_signed_once_more(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    entries = [written(tmp_path / "out" / f"{k}.npy") for k in range(3)]
    found = Place(tmp_path, outputs=["out"]).saw(*entries).sign()["generated"]
    assert list(found) == ["out"] and (found["out"]["state"], found["out"]["files"]) == ("ok", 3)


def test_a_declared_link_and_what_was_seen_behind_it_are_one(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    entry = read(tmp_path / "archive" / "a.npy")
    (tmp_path / "in.npy").symlink_to("archive/a.npy")
    found = Place(tmp_path, inputs=["in.npy"]).saw(entry).sign()["used"]
    assert list(found) == ["in.npy"] and found["in.npy"]["state"] == "ok"
    assert found["in.npy"]["observed"]["access"] == "read"


@pytest.mark.parametrize(
    ("start", "seconds", "reason"),
    [({"hash": "off"}, 60, "off: "), ({"hash": "later"}, 60, "later: "), ({}, -1, "time: the job ends too soon")],
)
def test_what_is_not_signed_now_says_why(tmp_path: Path, start: dict[str, Any], seconds: float, reason: str) -> None:
    (found,) = Place(tmp_path, **start).saw(read(tmp_path / "a.npy")).sign(seconds=seconds)["used"].values()
    assert found["state"] == "not hashed" and found["reason"].startswith(reason)
    assert found["size"] == (tmp_path / "a.npy").stat().st_size


def test_nonsense_in_a_log_keeps_nothing_from_being_signed(tmp_path: Path) -> None:
    place = Place(tmp_path).saw(None, 5, {}, {"path": 5}, {"path": "/nul\0byte", "read": True, "began": [1, 1]})
    place.saw({"path": "/" + "x" * 9000, "written": True, "ended": [1, 1]}, {"path": "/dev/null", "written": True})
    place.saw(written(tmp_path / "a.npy"), {"path": "/\udcff", "read": True, "began": [1, 2]})
    place.journal.write("access", entries="none")
    found = place.sign()["generated"]
    assert found["a.npy"]["state"] == "ok"
    assert {found["null"]["state"], found["x" * 9000]["state"]} <= {"unreadable", "missing"}


def test_very_many_files_are_stat_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").write_text("observe_files = 1\n")
    monkeypatch.setenv("HPCPROV_CONFIG", str(tmp_path / "conf"))
    place = Place(tmp_path).saw(written(tmp_path / "big.npy", 5000))
    for part in range(100):
        names = [f"/nowhere/{part}/{k}" for k in range(200)]
        place.saw(*({"path": name, "written": True, "ended": [1, 1]} for name in names))
    before = os.path.getsize(place.journal.path)
    found = place.sign()["generated"]
    assert found["big.npy"]["state"] == "ok" and len(found) == 201  # by the last parts of their names
    assert os.path.getsize(place.journal.path) < before + 5000, "nothing is written of each that is left"


def test_the_limit_is_a_sites_or_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("observe_files = 0\n")
    assert wanted.most({"HPCPROV_CONFIG": str(tmp_path / "conf")}) == 0
    assert wanted.most({"HPCPROV_CONFIG": str(tmp_path / "none")}) == wanted.MOST

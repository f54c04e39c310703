"""`hpcprov settle`: what it says, and signing what was left."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from merge.build import Launch
from record_check import check_record
from require import require

from hpcprov.agent import embedding
from hpcprov.commands import later_stamps
from hpcprov.data.embed_draft import Draft, draft_of
from hpcprov.merge.find import find_record, run_ids
from hpcprov.record import layout
from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look

from .conftest import Call, publish


def test_settle_one_and_all(call: Call, runs: Store) -> None:
    Launch(launch="9-9").start().write(runs.run("other"))
    assert call("settle", "lost", "--no-hash") == (0, "settled lost-run\n", "")
    assert call("settle", "--all") == (0, "settled other\n", "")
    assert call("settle", "--all") == (0, "nothing to settle\n", "")
    assert call("settle", "first", "--no-hash") == (0, "nothing left to do\n", "")


def test_one_that_lives_is_refused(call: Call, store: Store) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch().start(pid=os.getpid(), ticks=ticks).write(store.run("r1"))
    status, out, err = call("settle", "r1")
    assert (status, out) == (2, "") and "r1 may still be running: process" in err
    assert call("settle", "--all")[1].startswith("left r1 may still be running")
    assert run_ids(store) == ["r1"]


def unsigned(store: Store, path: Path, reason: str = "later: run `hpcprov settle`") -> str:
    ended = (time.time_ns() - 1_795_000_000 * 10**9) / 10**9
    launch = (
        Launch(hash="later", inputs=[], outputs=["*"])
        .start()
        .exit(at=ended)
        .add("artifact", ended, role="generated", path=str(path), declared=["*"])
    )
    launch.events[-1] |= {
        "state": "not hashed",
        "reason": reason,
        "size": path.stat().st_size,
        "mtime": path.stat().st_mtime_ns,
    }
    return publish(store, "r1", launch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "out.txt"
    path.write_text("values")
    return path


def record(call: Call) -> dict[str, object]:
    found: dict[str, object] = check_record(json.loads(call("show", "r1", "--json")[1]))
    return found


def test_what_was_left_for_later_is_signed(call: Call, store: Store, data: Path) -> None:
    place = unsigned(store, data)
    assert call("settle", "r1") == (0, f"{data}: ok\n", "")
    found = record(call)
    assert found["revision"] == 2
    (artifact,) = found["artifacts"]["generated"]  # type: ignore[index]
    assert artifact["storage"]["digest"].startswith("blake3:") and artifact["declared"] == ["*"]
    assert sorted(name.split(".")[0] for name in os.listdir(place)) == ["n1", "record", "record", "settle"]
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_what_has_changed_since_is_not_signed(call: Call, store: Store, data: Path) -> None:
    unsigned(store, data)
    os.utime(data, ns=(1, 1))
    assert call("settle", "r1") == (0, f"{data}: not hashed: it has changed since the run ended\n", "")


def test_what_was_not_to_be_hashed_is_not(call: Call, store: Store, data: Path) -> None:
    unsigned(store, data, reason="off: the run was started with --hash off")
    assert call("settle", "r1") == (0, "nothing left to do\n", "") and record(call)["revision"] == 1


def test_what_nobody_looked_at_is_signed(call: Call, store: Store, data: Path) -> None:
    """The agent was killed: the start events tell what was declared."""
    ended = (time.time_ns() - 1_795_000_000 * 10**9) / 10**9
    declared = {"cwd": str(data.parent), "inputs": ["gone.nc"], "outputs": ["*.txt"]}
    publish(store, "r1", Launch(**declared).start().exit(at=ended))
    assert call("settle", "r1")[1].splitlines() == [
        f"{data}: ok",
        f"{data.parent}/gone.nc: missing: there is no such file or directory",
    ]
    assert call("settle", "r1") == (0, "nothing left to do\n", "")
    data.write_text("other values")
    os.utime(data, (time.time() + 100,) * 2)
    publish(store, "r2", Launch(launch="3-3", **declared).start(run="r2").exit(at=ended))
    assert f"{data}: not hashed: it has changed since the run ended" in call("settle", "r2")[1]


def test_what_was_never_to_be_hashed_is_not_looked_for(call: Call, store: Store, data: Path) -> None:
    publish(store, "r1", Launch(hash="off", cwd=str(data.parent), outputs=["*.txt"]).start().exit())
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_no_hash(call: Call, store: Store, data: Path) -> None:
    unsigned(store, data)
    assert call("settle", "r1", "--no-hash") == (0, "nothing left to do\n", "") and record(call)["revision"] == 1


def test_a_directory_is_signed_unless_something_in_it_is_newer(call: Call, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("x")
    unsigned(store, folder)
    os.utime(folder / "a", ns=(time.time_ns() + 10**11,) * 2)
    assert "it has changed" in call("settle", "r1")[1]
    os.utime(folder / "a", ns=(1, 1))
    assert call("settle", "r1")[1] == f"{folder}: ok\n"


def test_what_has_changed_is_written_down_once_and_not_offered(call: Call, store: Store, data: Path) -> None:
    place = unsigned(store, data)
    assert "hpcprov settle r1" in call("show", "r1")[1]
    os.utime(data, ns=(1, 1))
    call("settle", "r1")
    files = sorted(os.listdir(place))
    assert call("settle", "r1") == (0, "nothing left to do\n", "") and sorted(os.listdir(place)) == files
    assert "hpcprov settle r1" not in call("show", "r1")[1]


def test_signing_is_not_offered_where_hashing_was_off(call: Call, store: Store) -> None:
    publish(store, "r1", Launch(hash="off").start().exit())
    publish(store, "r2", Launch(launch="2-2").start().exit())
    assert "hpcprov settle" not in call("show", "r1")[1] and "hpcprov settle r2" in call("show", "r2")[1]


def test_all_ends_with_1_when_one_cannot_be_settled(call: Call, store: Store) -> None:
    os.makedirs(store.run("r1"))
    Path(store.run("r1"), "notes.txt").write_text("mine")
    assert call("settle", "--all") == (1, "left r1 holds no log\n", "")


def watched(store: Store, data: Path, *entries: dict[str, object], **common: object) -> str:
    """A run of which only checkpoints of what was seen are left: its agent was killed."""
    ended = (time.time_ns() - 1_795_000_000 * 10**9) / 10**9
    common = {"cwd": str(data.parent), "inputs": [], "outputs": [], "observe": "preload"} | common
    log = Launch(**common).start().exit(at=ended)  # type: ignore[arg-type]
    log.add("access", 5, node="n1", entries=list(entries))
    return publish(store, "r1", log)


def test_what_was_seen_of_a_killed_run_is_signed(call: Call, store: Store, data: Path) -> None:
    status = data.stat()
    other = data.parent / "made.bin"
    other.write_bytes(b"12345")
    read = {"path": str(data), "read": True, "began": [status.st_size, status.st_mtime_ns]}
    overwritten = {"path": "/gone", "read": True, "written": True, "overwritten": True, "began": [1, 1]}
    watched(store, data, read, overwritten, {"path": str(other), "written": True}, outputs=["*.bin"])
    assert "hpcprov settle r1" in call("show", "r1")[1]
    assert sorted(call("settle", "r1")[1].splitlines()) == sorted(
        ["/gone: missing: there is no such file or directory", f"{data}: ok", f"{other}: ok"]
    )
    found = json.loads(call("show", "r1", "--json")[1])["artifacts"]
    check_record(json.loads(call("show", "r1", "--json")[1]))
    used = {one["path"]: (one["state"], one["reason"]) for one in found["used"]}
    assert used == {str(data): ("ok", None), "/gone": ("not hashed", "this run overwrote it")}
    (made,) = [one for one in found["generated"] if one["path"] == str(other)]
    assert made["declared"] == ["*.bin"] and made["observed"]["access"] == "written"
    assert call("settle", "r1") == (0, "nothing left to do\n", "")


def test_an_input_that_changed_since_it_was_read_is_not_signed(call: Call, store: Store, data: Path) -> None:
    watched(store, data, {"path": str(data), "read": True, "began": [1, 1]})
    assert call("settle", "r1") == (0, f"{data}: not hashed: it has changed since the run ended\n", "")
    assert "hpcprov settle r1" not in call("show", "r1")[1]


def test_as_many_observed_files_are_signed_later_as_a_site_wants(
    call: Call, store: Store, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [data.parent / f"{k}.bin" for k in range(4)]
    for k, name in enumerate(names):
        name.write_bytes(b"x" * (k + 1))
    entries = [{"path": str(name), "written": True, "ended": [k + 1, 0]} for k, name in enumerate(names)]
    for entry, name in zip(entries, names, strict=True):
        entry["ended"] = [name.stat().st_size, name.stat().st_mtime_ns]
    watched(store, data, *entries, hash="later")
    configuration = data.parent / "conf"
    monkeypatch.setenv("HPCPROV_CONFIG", str(configuration))
    configuration.write_text("observe_files = 2\n")
    assert call("settle", "r1")[1].splitlines() == [f"{names[3]}: ok", f"{names[2]}: ok"]
    assert call("settle", "r1")[1] == "nothing left to do\n"
    configuration.write_text("observe_files = 10\n")
    assert call("settle", "r1")[1].splitlines() == [f"{names[1]}: ok", f"{names[0]}: ok"]


def left_to_stamp(store: Store, *paths: Path) -> None:
    """A run with `--hash later --embed` that wrote these."""
    ended = (time.time_ns() - 1_795_000_000 * 10**9) / 10**9
    launch = Launch(hash="later", embed=True, inputs=[], outputs=["*"]).start().exit(at=ended)
    for path in paths:
        seen = look(str(path))
        launch.add("artifact", ended, role="generated", path=str(path), declared=["*"], state="not hashed")
        launch.events[-1] |= {"reason": "later", "size": seen.size, "mtime": seen.mtime, "files": seen.files}
    publish(store, "r1", launch)


def test_what_is_signed_later_gets_its_trail_then(call: Call, store: Store, tmp_path: Path) -> None:
    """Once, told by the record; what takes none is named, and what a stamping that was killed left is removed."""
    file, table, folder = tmp_path / "a.h5", tmp_path / "b.csv", tmp_path / "c.zarr"
    with h5py.File(file, "w") as data:
        data["u"] = np.arange(10.0)
    table.write_text("a,b\n1,2\n3,4\n5,6\n")
    zarr.open_group(str(folder), mode="w").create_array("u", data=np.arange(10.0))
    drafts = [tmp_path / ".a.h5.hpcprov~", folder / "u" / ".zarr.json.hpcprov~"]
    left_to_stamp(store, file, table, folder)
    assert call("settle", "r1", "--no-hash")[1] == "nothing left to do\n"
    drafts[0].write_bytes(b"half of it")
    status, out, _ = call("settle", "r1")
    assert status == 0
    none = f"{embedding.NO_PLACE} (`hpcprov trail` tells it from the records): {table}"
    assert out.splitlines()[3:] == [
        f"removed {drafts[0]}, which a stamping that was ended had left", none, f"{file}: stamped", f"{folder}: stamped"
    ]  # fmt: skip
    found = check_record(json.loads(call("show", "r1", "--json")[1]))
    one, _, other = found["artifacts"]["generated"]
    assert (one["embedded"]["entries"], other["embedded"]["entries"], len(found["problems"])) == (1, 1, 1)
    assert one["storage"]["digest"] == describe(str(file))["storage"]["digest"]
    drafts[1].write_bytes(b"half of it")
    assert call("settle", "r1")[1] == f"removed {drafts[1]}, which a stamping that was ended had left\n"
    assert call("settle", "r1")[1] == "nothing left to do\n"
    assert call("trail", str(file), str(folder))[0] == 0


def test_what_was_imported_stays_as_it_came(call: Call, store: Store, tmp_path: Path) -> None:
    """Its paths mean other files here, which may have the names, times and values that somebody wrote there."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as data:
        data["u"] = np.arange(10.0)
    left_to_stamp(store, path)
    record = find_record(store, "r1")
    assert record is not None
    (Path(record) / layout.IMPORTED).write_text("{}")
    before = path.read_bytes(), sorted(os.listdir(record))
    assert call("settle", "r1")[:2] == (0, "r1 was imported: it stays as it came\n")
    assert (path.read_bytes(), sorted(os.listdir(record))) == before
    (Path(record) / layout.IMPORTED).unlink()
    assert f"{path}: stamped" in call("settle", "r1")[1]


def test_what_another_user_recorded_is_not_stamped(call: Call, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as data:
        data["u"] = np.arange(10.0)
    left_to_stamp(store, path)
    record, before = find_record(store, "r1"), path.read_bytes()
    require("root", os.geteuid() == 0)
    os.chown(record or "", 12345, -1)
    assert "stamped" not in call("settle", "r1")[1] and path.read_bytes() == before
    os.chown(record or "", 0, -1)
    assert f"{path}: stamped" in call("settle", "r1")[1]


def test_what_cannot_be_stamped_later_is_told_once(call: Call, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as data:
        data["u"] = np.arange(10.0)
    os.link(path, tmp_path / "second.h5")
    left_to_stamp(store, path)
    for _ in range(2):
        assert f"{path}: not stamped: it has 2 names (hard links)" in call("settle", "r1")[1]
        found = check_record(json.loads(call("show", "r1", "--json")[1]))
        assert [problem["text"].partition(": it")[0] for problem in found["problems"]] == [f"{path}: not stamped"]


def test_only_own_copies_that_nobody_writes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    draft_path = Path(draft_of(str(path)))
    record = {"artifacts": {"generated": [{"path": str(path), "format": "hdf5", "signature": None}]}}
    with Draft(str(path)) as draft:
        assert (later_stamps.sweep(record), os.path.exists(draft.path)) == ([], True)
    (tmp_path / "elsewhere").write_text("data")
    draft_path.symlink_to("elsewhere")
    assert (later_stamps.sweep(record), draft_path.read_text()) == ([], "data")
    draft_path.unlink()
    draft_path.write_text("of another user")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 4_000_000)
        assert (later_stamps.sweep(record), draft_path.exists()) == ([], True)
    assert (len(later_stamps.sweep(record)), draft_path.exists()) == (1, False)
    hostile = {"path": "a\0b", "format": None, "signature": {"fields": [{"path": "../../x"}, {"path": "u\0"}]}}
    folder = {"path": str(tmp_path), "format": "zarr2", "signature": hostile["signature"]}
    assert later_stamps.sweep({"artifacts": {"generated": [hostile, folder]}}) == []

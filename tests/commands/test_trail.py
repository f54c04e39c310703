"""`hpcprov stamp` and `hpcprov trail`: what is stamped, what is not, and what is shown of what anybody wrote."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from merge.build import Launch, publish

from commands.conftest import Call
from hpcprov.commands.screen import Screen
from hpcprov.commands.trail import lines
from hpcprov.quality.trail.chain import chain
from hpcprov.quality.trail.entries import DROPPED, entries_of
from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe

VALUES = np.arange(10.0)


def write(path: Path, values: Any = VALUES, **attributes: Any) -> str:
    with h5py.File(path, "w") as file:
        file["depth"] = values
        file.attrs.update(attributes)
    return str(path)


def a_run(store: Store, run_id: str, second: int, *told: tuple[str, str, dict[str, Any]]) -> None:
    """A finished run of `run_id`; `told`: role, path and facts of what it used and generated."""
    launch = Launch().start(0, second, note=f"did {run_id}").exit(0, second + 1)
    for role, path, facts in told:
        launch.add("artifact", second + 2, role=role, path=path, declared=[], **facts)
    publish(store, run_id, launch)


def test_a_file_is_stamped_once_and_travels(store: Store, call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "out.h5", history="2020 born")
    a_run(store, "one", 0, ("generated", path, describe(path)))
    status, out, _ = call("stamp", "out.h5", "--run", "one", "--did", "calibrated")
    assert (status, "stamped, 1 entry; values unchanged" in out) == (0, True)
    status, out, _ = call("stamp", path, "--run", "one")
    assert (status, "already" in out) == (0, True)
    (tmp_path / "away").mkdir()
    shutil.move(path, tmp_path / "away" / "moved.h5")
    shutil.rmtree(store.root)
    status, out, _ = call("trail", "--json", "away/moved.h5")
    (found,) = json.loads(out)
    shown = "\n".join(lines(found, Screen(colour=False, width=80)))
    for text in ("calibrated", "./model -v", "@n1.cluster", "/one", "OK"):
        assert text in shown
    assert found["entries"][0]["after"] == found["signature"] == describe("away/moved.h5")["signature"]["digest"]
    assert (status, found["told_by"], found["status"]) == (0, "itself", "same")


@pytest.mark.slow
def test_only_what_the_run_made_is_stamped(store: Store, call: Call, tmp_path: Path) -> None:
    made, read, other = (write(tmp_path / f"{name}.h5", VALUES + at) for at, name in enumerate(("a", "b", "c")))
    a_run(store, "one", 0, ("generated", made, describe(made)), ("used", read, describe(read)))
    shutil.copy(made, tmp_path / "copy.h5")
    status, out, err = call("stamp", read, other, "copy.h5", "--run", "one")
    assert (status, "only read it" in err, "did not make it" in err) == (1, True, True)
    assert "copy.h5  stamped" in out  # known by its values
    write(Path(made), VALUES + 7)
    status, _, err = call("stamp", made, "--run", "one")
    assert (status, "no longer those" in err) == (1, True)
    os.link(made, tmp_path / "second.h5")
    status, out, err = call("stamp", made, "nowhere.h5", "--run", "one", "--anyway", "--json")
    assert (status, [one["status"] for one in json.loads(out)]) == (2, ["failed", "failed"])
    assert "--break-links" in json.loads(out)[0]["reason"]
    assert call("stamp", made, "--run", "one", "--anyway", "--break-links")[0] == 0


@pytest.mark.slow
def test_a_trail_shows_where_it_is_broken(store: Store, call: Call, tmp_path: Path) -> None:
    path = write(tmp_path / "out.h5")
    first = describe(path)
    a_run(store, "one", 0, ("generated", path, first))
    call("stamp", path, "--run", "one")
    with h5py.File(path, "r+") as file:
        file["depth"][0] = 5.0
        file.attrs["history"] = "Sat Nov 21 19:04:06 2026: cdo addc\x1b,1 a b\n" + file.attrs["history"].decode()
    status, out, _ = call("trail", path)
    assert (status, "CHANGED since" in out) == (1, True)
    assert out.splitlines()[-2:] == [
        "  its history attribute has since then:",
        "    Sat Nov 21 19:04:06 2026: cdo addc\\x1b,1 a b",
    ]
    changed = describe(path)
    with h5py.File(path, "r+") as file:
        file["depth"][1] = 5.0
    a_run(store, "two", 20, ("used", path, changed), ("generated", path, describe(path)))
    assert call("stamp", path, "--run", "two")[0] == 0
    status, out, _ = call("trail", path)
    assert (status, "! changed by something that left no entry" in out, "OK" in out) == (1, True, True)


@pytest.mark.slow
def test_records_tell_of_what_tells_nothing_itself(store: Store, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("a,b\n1,2\n3,4\n5,6\n")
    first = describe(str(path))
    a_run(store, "one", 0, ("generated", str(path), first))
    path.write_text("a,b\n1,2\n3,4\n5,7\n")
    second = describe(str(path))
    a_run(store, "two", 20, ("used", str(path), first), ("generated", str(path), second))
    a_run(store, "elsewhere", 40, ("generated", str(tmp_path / "x.csv"), first))
    status, out, _ = call("trail", "--json", "out.csv")
    (found,) = json.loads(out)
    assert (status, found["told_by"]) == (0, store.root)
    told = [(entry["did"], entry["link"]) for entry in found["entries"]]
    assert told == [("did one", "first"), ("did two", "follows")]
    path.write_text("a,b\n1,2\n3,4\n5,8\n")
    (tmp_path / "other.csv").write_text("c,d\n1,2\n3,4\n5,8\n")
    status, out, err = call("trail", "out.csv", "other.csv", "nowhere.csv")
    assert (status, "CHANGED since" in out) == (2, True)
    assert f"no record in {store.root} tells of it" in " ".join(out.split())
    assert f"as the records in {store.root} tell" in out
    assert "nowhere.csv" in err


def test_what_takes_no_trail_is_named_with_where_it_is_told(store: Store, call: Call, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("c,d\n1,2\n3,4\n5,8\n")
    (tmp_path / "plain").mkdir()
    zarr.save_group(zarr.storage.ZipStore(tmp_path / "a.zip", mode="w"), u=VALUES)
    a_run(store, "one", 0)
    status, out, err = call("stamp", "out.csv", "plain", "a.zip", "--run", "one")
    assert (status, out, "--anyway" in err) == (2, "", False)
    for name, word in (("out.csv", "CSV"), ("plain", "a plain directory"), ("a.zip", "a Zarr store in a ZIP file")):
        assert f"{name}: {word} takes no trail" in err
        assert f"hpcprov trail {name}" in err


def test_where_nothing_is_known_the_trail_says_what_was_asked(store: Store, call: Call, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("c,d\n1,2\n3,4\n5,8\n")
    status, out, _ = call("trail", "other.csv")
    assert (status, max(map(len, out.splitlines())) <= 100) == (1, True)
    assert f"it has no trail, and no record in {store.root} tells of it" in " ".join(out.split())
    assert json.loads(call("trail", "--json", "other.csv")[1])[0]["searched"] == [store.root]
    Path(store.runs).rmdir()
    Path(store.root).rename(tmp_path / "gone")
    assert "there are no records (.hpcprov) near it" in " ".join(call("trail", "other.csv")[1].split())


def test_hostile_trails_are_shown_and_nothing_more(store: Store, call: Call, tmp_path: Path) -> None:
    bad = "\x1b[31m\n\u202e<script>=cmd|' /C calc'!A0"
    audit = [{"run": bad, "time": bad, "host": bad, "user": bad, "command": bad, "session": bad, "did": bad, "line": 1}]
    path = write(tmp_path / "a.h5", history=f"{bad}\nline two", hpcprov_audit=json.dumps(audit))
    other = write(tmp_path / "b.h5", history=f"{bad}\nline two", hpcprov_audit="[1, 2")
    numbers = write(tmp_path / "c.h5", hpcprov_audit=[1, 2])
    damaged = tmp_path / "d.h5"
    damaged.write_bytes(Path(path).read_bytes()[:700])
    status, out, err = call("trail", path, other, numbers, str(damaged))
    assert (status, "\x1b" in out + err, "\u202e" in out + err) == (2, False, False)
    assert "line two" in out
    assert "c.h5: its attribute hpcprov_audit is no text" in err
    assert "d.h5: " in err


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit(width: int) -> None:
    entries = entries_of(
        json.dumps(
            [
                {"time": "2026-11-21T09:30:00Z", "command": "./model " * 50, "did": "long " * 50, "after": "a"},
                {DROPPED: 2},
                {"user": "ada", "host": "n1", "session": "2026/11/21/x", "line": 3, "before": "b", "after": "c"},
            ]
        )
    )
    links = chain(entries, "c")
    one = {
        "path": "out.h5", "format": "hdf5", "told_by": "itself", "status": links.now, "reason": None, "history": [],
        "entries": [{**entry, "link": link} for entry, link in zip(entries, links.links, strict=True)],
    }  # fmt: skip
    found = list(lines(one, Screen(colour=False, width=width)))
    assert all(len(line) <= max(width, 80) for line in found)
    assert any("2 entries were dropped" in line for line in found)
    assert len(found) == 9

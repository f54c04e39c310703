"""The hashing child: its limits, and what it leaves when it, or the process that reads for it, is killed or hangs."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.agent import hashing, signing
from hpcprov.agent.journal import Journal
from hpcprov.capture import cgroup
from hpcprov.record import frame
from hpcprov.record.layout import Store


def a_run(tmp_path: Path, outputs: list[str]) -> tuple[Store, Journal, list[dict[str, object]]]:
    store = Store(str(tmp_path / ".hpcprov"))
    os.makedirs(store.run("r"))
    journal = Journal(store.log("r", "n.1-1.0.log"), "n")
    journal.write("start", rank=0, cwd=str(tmp_path), inputs=[], outputs=outputs, nodes=1, hash="now")
    return store, journal, [{"cwd": str(tmp_path), "outputs": outputs, "hash": "now"}]


def told(journal: Journal) -> dict[str, tuple[str, str | None]]:
    events = frame.scan(Path(journal.path).read_bytes())
    return {os.path.basename(e["path"]): (e["state"], e["reason"]) for e in events if e["event"] == "artifact"}


def test_memory_is_limited() -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with hashing.reader(Store("/nothing/here"), 60, time.monotonic() + 60) as reading:
        reading.describe("/nothing/here")
        assert reading.child is not None
        limit, _ = resource.prlimit(reading.child.pid, resource.RLIMIT_AS)
    assert 1 << 30 <= limit <= max(1 << 30, physical // 2)


def test_memory_that_cannot_be_found_out_is_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> int:
        raise OSError("no /proc/meminfo")

    monkeypatch.setattr(cgroup, "free_memory", unknown)
    with hashing.reader(Store("/nothing/here"), 60, time.monotonic() + 60) as reading:
        assert reading.memory == 4 << 30


def test_time_runs_out_between_and_inside_artifacts(tmp_path: Path) -> None:
    """On a busy machine there must be more of it for the first artifact."""
    for seconds in (2, 8, 32):
        place = tmp_path / str(seconds)
        place.mkdir()
        np.save(place / "a.npy", np.zeros(10))
        with open(place / "big.bin", "wb") as file:
            file.truncate(1 << 42)
        store, journal, starts = a_run(place, ["*.npy", "*.bin"])
        signing.sign("alone", root=store.root, run_id="r", journal=journal, starts=starts, seconds=seconds)
        state, reason = told(journal)["big.bin"]
        assert state == "not hashed" and str(reason).startswith("time")
        if told(journal)["a.npy"] == ("ok", None):
            break
    assert told(journal)["a.npy"] == ("ok", None)


def test_a_killed_child_leaves_what_it_has_done(tmp_path: Path) -> None:
    """A parser that crashes on a malicious file takes the child with it, and nothing else."""
    np.save(tmp_path / "a.npy", np.zeros(10))
    with open(tmp_path / "big.bin", "wb") as file:
        file.truncate(200 << 30)
    store, journal, starts = a_run(tmp_path, ["a.npy", "big.bin"])
    killer = subprocess.Popen([sys.executable, "-c", KILL, str(os.getpid()), journal.path])
    signing.sign("alone", root=store.root, run_id="r", journal=journal, starts=starts, seconds=60)
    assert killer.wait() == 0
    assert told(journal)["a.npy"] == ("ok", None)
    assert told(journal)["big.bin"] == ("not hashed", f"the hashing process ended with signal {signal.SIGKILL:d}")


KILL = """
import os, sys, time
parent, log = sys.argv[1:]
while b'"artifact"' not in open(log, "rb").read():
    time.sleep(0.05)
tasks = os.listdir(f"/proc/{parent}/task")
for pid in "".join(open(f"/proc/{parent}/task/{task}/children").read() for task in tasks).split():
    if int(pid) != os.getpid() and b"hpcprov.agent.hashing" in open(f"/proc/{pid}/cmdline", "rb").read():
        os.kill(int(pid), 9)
"""


#: Does something to the first process that opens bad.npy, as a damaged file does to the library that parses it.
BAD_FILE = """
import os, sys
def hook(event, args):
    if event == "open" and "bad.npy" in str(args[0]):
        try:
            os.close(os.open(os.environ["MARKER"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        {deed}
sys.addaudithook(hook)
"""
CRASH = "os.kill(os.getpid(), 11)"
HANG = """
        while True:
            pass
"""


#: The hashing process, which waits for a reader that gets nowhere for two seconds of work only.
IMPATIENT = """#!{python}
import sys
from hpcprov.agent import hashing
hashing.LEAST_PATIENCE, hashing.PATIENCE = 2.0, 0.0
sys.exit(hashing.main(sys.argv[sys.argv.index("hpcprov.agent.hashing") + 1 :]))
"""


@pytest.mark.parametrize("part", ["alone", "last"])
@pytest.mark.parametrize(
    ("deed", "reason"), [(CRASH, "crashed: signal 11 (SIGSEGV)"), (HANG, "was ended: it got nowhere for more than 2 s")]
)
def test_a_file_that_ends_its_reader_costs_the_others_nothing(
    deed: str, reason: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.npy", "bad.npy", "c.npy"):
        np.save(tmp_path / name, np.zeros(10))
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(BAD_FILE.format(deed=deed))
    (code / "impatient").write_text(IMPATIENT.format(python=sys.executable))
    (code / "impatient").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(code / "impatient"))
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    store, journal, starts = a_run(tmp_path, ["*.npy"])
    signing.sign(part, root=store.root, run_id="r", journal=journal, starts=starts, seconds=300)
    assert (tmp_path / "marker").exists()
    found = facts(journal)
    assert found["a.npy"]["state"] == found["c.npy"]["state"] == "ok"
    assert found["a.npy"]["signature"] == found["c.npy"]["signature"]
    if found["bad.npy"]["state"] == "ok":  # read again by the one that puts shares together
        assert part == "last"
    else:
        assert found["bad.npy"]["state"] == "unreadable" and reason in str(found["bad.npy"]["reason"])
        assert found["bad.npy"]["storage"] == found["a.npy"]["storage"]


def facts(journal: Journal) -> dict[str, dict[str, Any]]:
    events = frame.scan(Path(journal.path).read_bytes())
    return {os.path.basename(event["path"]): event for event in events if event["event"] == "artifact"}


def test_a_child_that_could_not_store_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, journal, starts = a_run(tmp_path, ["a.npy"])
    np.save(tmp_path / "a.npy", np.zeros(10))
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexit {signing.LOST}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    signing.sign("alone", root=str(tmp_path / ".hpcprov"), run_id="r", journal=journal, starts=starts, seconds=60)
    assert told(journal)["a.npy"] == ("not hashed", "the hashing process could not store what it found")
    journal.tell_lost()
    assert problems(journal) == ["1 event could not be stored: what the hashing process found"]


def test_a_full_disk_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    _, journal, _ = a_run(tmp_path, [])
    room, full = journal.fd, os.open("/dev/full", os.O_WRONLY)
    journal.fd = full
    assert not journal.write("beat") and not journal.write("beat")
    journal.fd = room
    os.close(full)
    journal.tell_lost()
    assert problems(journal) == ["2 events could not be stored: No space left on device"]


def problems(journal: Journal) -> list[str]:
    events = frame.scan(Path(journal.path).read_bytes())
    return [event["text"] for event in events if event["event"] == "problem"]


def test_a_pattern_that_names_too_much_is_told_once(tmp_path: Path) -> None:
    store, journal, starts = a_run(tmp_path, ["*.npy"])
    reason = "more than 100000 names: not looked at"
    known = {"role": "generated", "cwd": str(tmp_path), "pattern": "*.npy", "paths": [], "reason": reason}
    journal.write("declared", **known)
    signing.sign("alone", root=store.root, run_id="r", journal=journal, starts=starts, seconds=60)
    assert told(journal) == {"*.npy": ("not hashed", reason)}

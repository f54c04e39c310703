"""Reading in a child process: the same results, and a result when the child crashes, is killed, hangs or lies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.record.artifact import BLANK
from hpcprov.signature import wire
from hpcprov.signature.artifact import describe
from hpcprov.signature.isolated import Isolated, Refused, sound

MEMORY = 8 << 30


@pytest.fixture
def path(tmp_path: Path) -> str:
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["x"] = np.arange(1000.0)
    return str(tmp_path / "out.h5")


def reader(**options: Any) -> Isolated:
    return Isolated({"threads": 1}, memory=MEMORY, **options)


def pid_of(isolated: Isolated) -> int:
    assert isolated.child is not None
    return isolated.child.pid


def strike(isolated: Isolated, number: int) -> None:
    """Stop the child now, and let a signal end it when somebody waits for it."""
    pid, asked = pid_of(isolated), isolated.asked
    os.kill(pid, signal.SIGSTOP)

    def later() -> None:
        while isolated.asked == asked:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)

    Thread(target=later).start()


def test_the_same_as_without_a_child(path: str, tmp_path: Path) -> None:
    with reader() as isolated:
        for one in (path, str(tmp_path), str(tmp_path / "nothing"), "", "a\0b", os.fsdecode(b"\xff")):
            assert isolated.describe(one).result == describe(one)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, "the process that reads it crashed: signal 11 (SIGSEGV)"),
        (signal.SIGABRT, "the process that reads it crashed: signal 6 (SIGABRT)"),
        (signal.SIGKILL, "the process that reads it was killed (signal 9), most likely for lack of memory"),
    ],
)
def test_a_crash_is_a_result_with_the_storage_digest(path: str, number: int, reason: str) -> None:
    with reader() as isolated:
        known = isolated.describe(path).result
        first = pid_of(isolated)
        strike(isolated, number)
        found = isolated.describe(path).result
        assert (found["state"], found["reason"]) == ("unreadable", reason)
        assert found["storage"] == known["storage"] and found["format"] == "hdf5" and found["signature"] is None
        assert isolated.describe(path).result == known
        assert pid_of(isolated) != first


def test_a_child_that_is_interrupted_interrupts(path: str) -> None:
    with reader() as isolated:
        isolated.describe(path)
        strike(isolated, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            isolated.describe(path)


def test_the_child_ends_with_its_parent(path: str) -> None:
    program = f"""
import os, signal
from hpcprov.signature.isolated import Isolated
isolated = Isolated({{"threads": 1}}, memory={MEMORY})
isolated.describe({path!r})
print(isolated.child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    until = time.monotonic() + 60
    while alive(int(done.stdout)):
        assert time.monotonic() < until
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_limits_of_the_child(path: str) -> None:
    with Isolated({"threads": 1}, memory=3 << 30, files=0) as isolated:
        isolated.describe(path)
        limits = Path(f"/proc/{pid_of(isolated)}/limits").read_text().splitlines()
    rows = {line[:26].strip(): line[26:].split()[:2] for line in limits}
    assert rows["Max address space"] == [str(3 << 30)] * 2
    assert rows["Max file size"] == ["0", "0"]
    assert rows["Max core file size"] == ["0", "0"]


@pytest.mark.parametrize("form", ["h5", "npy", "npz", "parquet"])
def test_little_memory_costs_threads_not_the_signature(form: str, tmp_path: Path) -> None:
    """Each thread takes much address space: sixteen had more than there is, and sound files were unreadable."""
    values = np.random.default_rng(0).integers(0, 9, (64, 512, 512), dtype="i4")
    path = str(tmp_path / f"a.{form}")
    if form == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=values, chunks=(16, 128, 128), compression="gzip", compression_opts=1)
    elif form == "npy":
        np.save(path, values)
    elif form == "npz":
        np.savez(path, values)
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pytest.importorskip("pyarrow").table({"x": values.ravel()}), path)
    with Isolated({"threads": 64}, memory=1 << 30) as isolated:
        found = isolated.describe(path).result
    assert found["state"] == "ok", found["reason"]
    assert found["signature"] == describe(path)["signature"]


def test_what_is_left_of_earlier_files_takes_no_memory_from_later_ones(path: str) -> None:
    """A stand-in holds nearly all address space and says that memory is short; a fresh one is asked then."""
    with reader() as isolated:
        known = isolated.describe(path).result
        first, real = pid_of(isolated), isolated.stream
        ours, theirs = socket.socketpair()
        isolated.stream = ours
        short = {**BLANK, "state": "unreadable", "reason": "can't start new thread"}
        wire.send(theirs, {"is": "answer", "result": short, "tight": True})
        assert isolated.describe(path).result == known
        assert pid_of(isolated) != first
        assert real is not None
        real.close()
        theirs.close()


def test_a_reader_of_many_formats_within_little_memory(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    values = np.random.default_rng(0).integers(0, 9, 1 << 22, dtype="i4")
    np.save(tmp_path / "a.npy", values)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=(1 << 17,), compression="gzip", compression_opts=1)
    parquet.write_table(arrow.table({"x": values}), tmp_path / "a.parquet")
    names = ["a.parquet", "a.h5", "a.npy"] * 3
    with Isolated({"threads": 64}, memory=1 << 30) as isolated:
        found = [isolated.describe(str(tmp_path / name)).result for name in names]
    assert [one["reason"] for one in found] == [None] * 9


FIELD = {"path": "x", "type": "f8", "shape": [2, 3], "tile": [2, 3], "signature": "hpcprov1:0", "bytes": 48}
SIGNATURE = {"digest": "hpcprov1:0", "how": "full", "kind": "tree", "fields": [FIELD, {**FIELD, "shape": None}]}
LIES: list[Any] = [
    None,
    [],
    {},
    {**BLANK, "state": "fine"},
    {**BLANK, "state": "ok", "size": "large"},
    {**BLANK, "state": "ok", "size": True},
    {**BLANK, "state": "ok", "signature": {"digest": 5}},
    {**BLANK, "state": "ok", "more": 1},
    {**BLANK, "state": "ok", "storage": {"digest": "blake3:0", "how": 5}},
    {**BLANK, "state": "ok", "storage": {"digest": "blake3:0", "how": "full", "also": []}},
    *(
        {**BLANK, "state": "ok", "signature": {**SIGNATURE, **lie}}
        for lie in (
            {"fields": None},
            {"fields": [{}]},
            {"fields": [FIELD, 5]},
            {"fields": [{**FIELD, "shape": "x"}]},
            {"fields": [{**FIELD, "shape": [[]]}]},
            {"fields": [{**FIELD, "tile": [None]}]},
            {"links": [{"path": "x"}]},
            {"links": {}},
            {"how": None},
        )
    ),
]


def test_what_a_reader_says_is_believed_when_it_is_whole() -> None:
    truth = {**BLANK, "state": "ok", "signature": {**SIGNATURE, "links": [{"path": "a", "target": "b"}]}}
    assert sound(truth) == truth


@pytest.mark.parametrize("lie", LIES, ids=repr)
def test_answers_are_not_trusted(lie: Any) -> None:
    with pytest.raises(Refused):
        sound(lie)


def test_a_child_that_talks_nonsense_is_ended(path: str) -> None:
    with reader() as isolated:
        isolated.describe(path)
        ours, theirs = socket.socketpair()
        assert isolated.stream is not None
        isolated.stream.close()
        isolated.stream = ours
        theirs.sendall(b"\xff" * 100)
        found = isolated.describe(path).result
        theirs.close()
        assert found["state"] == "unreadable" and "ended: a message of" in found["reason"]
        assert isolated.describe(path).result["state"] == "ok"


def test_a_child_that_gets_nowhere_is_ended(path: str) -> None:
    """A stand-in that computes for ever and counts the same again and again."""
    with reader() as isolated:
        isolated.describe(path)
        isolated.patience = 0.3
        ours, theirs = socket.socketpair()
        spin = "import os, sys\nwhile True: pass"
        assert isolated.stream is not None and isolated.child is not None
        isolated.stream.close()
        isolated.child.wait(60)
        isolated.child, isolated.stream = subprocess.Popen([sys.executable, "-c", spin]), ours

        def count() -> None:
            try:
                while True:
                    wire.send(theirs, {"is": "progress", "done": 5, "total": 10})
                    time.sleep(0.05)
            except (wire.Ended, OSError):
                pass

        counting = Thread(target=count)
        counting.start()
        found = isolated.describe(path).result
        counting.join()
        theirs.close()
    assert found["state"] == "unreadable" and "got nowhere" in found["reason"]
    assert found["storage"] is not None


@given(st.dictionaries(st.text(), st.integers() | st.text(st.characters(codec=None))), st.binary())
def test_messages_arrive_as_they_were_sent(head: dict[str, Any], body: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        wire.send(one, head, body)
        assert wire.receive(other) == (head, body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(data)
        one.shutdown(socket.SHUT_WR)
        try:
            head, _ = wire.receive(other)
            assert isinstance(head, dict)
        except (wire.Ended, wire.BadMessage):
            pass


def test_the_parent_needs_no_heavy_library(path: str) -> None:
    program = f"""
import sys
from hpcprov.cli import main
assert main(["hash", {path!r}]) == 0
heavy = {{"numpy", "h5py", "zarr", "mpi4py"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_ctrl_c_ends_parent_and_child_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as file:
        file.truncate(1 << 40)
    command = [sys.executable, "-m", "hpcprov", "hash", str(tmp_path / "big")]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until = time.monotonic() + 60
    while not (found := children.read_text().split()):
        assert time.monotonic() < until
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert not any(alive(int(pid)) for pid in found)

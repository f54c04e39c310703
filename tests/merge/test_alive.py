"""Is a run over? One that may still be going on must never be taken for ended."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcprov.merge import alive
from hpcprov.merge.read import read_run

from .build import DEAD_PID, HERE, Launch

ELSE = {"boot_id": "another boot"}
RUNNING, GONE = True, False


def verdict(tmp_path: Path, *launches: Launch, living: set[int], silent: float | None) -> str | None:
    for launch in launches:
        launch.write(tmp_path)
    here = alive.Here(HERE, "pid:[1]", "n1", lambda pid, ticks: pid in living)
    return alive.verdict(read_run(str(tmp_path)), here, lambda: silent)


CASES: dict[str, tuple[list[Launch], set[int], float | None, bool]] = {
    # logs, living processes, seconds of silence, is it over?
    "launcher lives": ([Launch().start()], {DEAD_PID}, 1e9, False),
    "launcher lives after its exit": ([Launch().start().exit()], {DEAD_PID}, 1e9, False),
    "agent lives": ([Launch().start().exit().agent()], {DEAD_PID - 1}, 1e9, False),
    "all gone": ([Launch().start().agent()], set(), 0, True),
    "another boot, just heard": ([Launch(**ELSE).start().agent()], set(), 899, False),
    "another boot, silent": ([Launch(**ELSE).start().agent()], set(), 901, True),
    "another boot, no agent was started": ([Launch(**ELSE).start(agent=False)], set(), 86400, False),
    "another boot, its agent never spoke": ([Launch(**ELSE).start()], set(), 86400, False),
    "another boot, a month": ([Launch(**ELSE).start()], set(), 31 * 86400, True),
    "another boot, all has been told": ([Launch(**ELSE).start(agent=False).exit()], set(), 0, True),
    "another boot, one rank not heard of": ([Launch(size=2, **ELSE).start(agent=False).exit()], set(), 0, False),
    "another boot, its agent may be hashing": ([Launch(**ELSE).start().agent().exit()], set(), 0, False),
    "another boot, all told, agent ended": ([Launch(**ELSE).start().agent().exit().ended(1)], set(), 0, True),
    "another boot, all told and its agent silent": ([Launch(**ELSE).start().agent().exit()], set(), 181, True),
    "another boot, all lost": ([Launch(**ELSE).start().agent().add("lost", 3, rank=0).ended(1)], set(), 0, True),
    "another boot, one of two agents ended": (
        [Launch("n1", size=2, **ELSE).start(0).agent().exit(0).ended(1), Launch("n2", size=2, **ELSE).start(1).exit(1)],
        set(),
        0,
        False,
    ),
    "another boot, agents ended and a rank not heard of": (
        [Launch(size=2, **ELSE).start().agent().exit().ended(1)],
        set(),
        181,
        False,
    ),
    "this boot, another pid namespace": ([Launch().start(pid_ns="pid:[2]").agent()], set(), 0, False),
    "this boot and pid namespace": ([Launch().start(pid_ns="pid:[1]").agent(pid_ns="pid:[1]")], set(), 0, True),
    "two nodes, one seen and gone": (
        [Launch("n1").start(0).agent(), Launch("n2", **ELSE).start(1).agent()],
        set(),
        60,
        False,
    ),
    "two nodes, one seen and living": (
        [Launch("n1").start(0).agent(), Launch("n2", **ELSE).start(1).agent()],
        {DEAD_PID},
        1e9,
        False,
    ),
    "two nodes, one without an agent": (
        [Launch("n1").start(0).agent(), Launch("n2", **ELSE).start(1)],
        set(),
        901,
        False,
    ),
    "unknown boot": ([Launch(boot_id="").start().agent()], set(), 0, False),
    "empty log, its launching process gone": ([Launch("n1")], set(), 0, True),
    "empty log, its launching process lives": ([Launch("n1", "100-77")], {77}, 1e9, False),
    "empty log of another node": ([Launch("n2")], set(), 0, False),
    "empty log of another node, silent": ([Launch("n2")], set(), 901, True),
    "no clock": ([Launch(**ELSE).start().agent()], set(), None, False),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str, tmp_path: Path) -> None:
    launches, living, silent, over = CASES[name]
    doubt = verdict(tmp_path, *launches, living=living, silent=silent)
    assert (doubt is None) == over, doubt
    assert over or doubt


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin
    process.stdin.close()


def ticks_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_real_process_lives_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    ticks = ticks_of(child.pid)
    assert alive.lives(child.pid, ticks) and alive.lives(child.pid, None)
    assert not alive.lives(child.pid, ticks + 1), "another process with this number"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive.lives(child.pid, ticks), "a zombie has ended"
    child.wait()
    assert not alive.lives(child.pid, ticks)


@pytest.mark.parametrize("pid", [0, -1, DEAD_PID, 2**40, 2**63])
def test_numbers_that_are_no_process(pid: int) -> None:
    assert not alive.lives(pid, 1)


def test_doubt_of_a_real_run(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    keys: dict[str, Any] = {"pid": child.pid, "ticks": ticks_of(child.pid)}
    Launch().start(0, **keys).write(tmp_path)
    assert alive.doubt(read_run(str(tmp_path)), str(tmp_path)) == f"process {child.pid} on this node is still running"
    child.kill()
    child.wait()
    assert alive.doubt(read_run(str(tmp_path)), str(tmp_path)) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


def test_silence_is_measured_by_the_file_servers_clock(tmp_path: Path) -> None:
    Launch(**ELSE).start().agent().write(tmp_path)
    assert "0 s ago" in (alive.doubt(read_run(str(tmp_path)), str(tmp_path)) or "")
    (log,) = tmp_path.iterdir()
    past = log.stat().st_mtime - 1000
    os.utime(log, (past, past))
    assert alive.doubt(read_run(str(tmp_path)), str(tmp_path)) is None


def test_an_agent_that_has_not_spoken_yet_is_waited_for(tmp_path: Path) -> None:
    Launch().start().exit(code=3).write(tmp_path)
    log = os.path.realpath(tmp_path / Launch().name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        digest = hashlib.sha256(os.fsencode(log)).hexdigest()
        listening.bind(f"\0hpcprov/{os.geteuid()}/{digest[:32]}")
        assert alive.doubt(read_run(str(tmp_path)), str(tmp_path)) == "its agent on this node is still starting"
    assert alive.doubt(read_run(str(tmp_path)), str(tmp_path)) is None

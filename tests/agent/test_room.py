"""An agent that would use up the job's memory leaves: in a real control group with a limit, beside an application."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from launcher.test_memory import group  # a fixture

from hpcprov.agent.room import LONGEST, MARGIN, SHORTEST, Room

from .conftest import Site, until

__all__ = ["group"]

MB = 1 << 20
# Takes so many MB bit by bit, as programs do, and ends well.
TAKES = "import sys, time\na = []\nfor _ in range({}): a.append(bytearray(1 << 20)); time.sleep(0.005)"

# Opens a file, and goes on when the agent has told of it; the file's name is not in the command itself.
EARLY = """import glob, time
name = "ear" + "ly"
open(name, "w").close()
while not any(name.encode() in open(log, "rb").read() for log in glob.glob(".hpcprov/runs/*/*.log")): time.sleep(0.1)"""


def version_1(root: Path, *, limit: int, used: int, inactive: int = 0, active: int = 0) -> str:
    """A machine whose files say this."""
    group = root / "sys/fs/cgroup/memory/job"
    group.mkdir(parents=True, exist_ok=True)
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/cgroup").write_text("4:memory:/job\n")
    mount = "30 20 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    (root / "proc/self/mountinfo").write_text(mount)
    (group / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (group / "memory.usage_in_bytes").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"total_inactive_file {inactive}\ntotal_active_file {active}\n")
    return str(root)


@pytest.mark.parametrize(
    ("used", "inactive", "active", "enough"),
    [(10, 0, 0, True), (69, 0, 0, False), (100, 0, 0, False), (100, 20, 20, True), (100, 20, 10, False)],
)
def test_what_is_enough(tmp_path: Path, used: int, inactive: int, active: int, enough: bool) -> None:
    """Page cache is no reason to leave: the kernel drops it before it kills."""
    root = version_1(tmp_path, limit=100 * MB, used=used * MB, inactive=inactive * MB, active=active * MB)
    assert Room(root).enough() is enough
    assert MARGIN == 32 * MB


def test_the_less_is_left_the_sooner_it_looks_again(tmp_path: Path) -> None:
    pauses = []
    for used in (0, 60_000, 99_900, 99_960):
        room = Room(version_1(tmp_path, limit=100_000 * MB, used=used * MB))
        assert room.enough()
        pauses.append(round(room.due - time.monotonic(), 1))
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[0] == LONGEST and pauses[-1] == round(SHORTEST, 1)


def test_between_looks_it_does_not_look(tmp_path: Path) -> None:
    root = version_1(tmp_path, limit=100_000 * MB, used=0)
    room = Room(root)
    assert room.enough()
    version_1(tmp_path, limit=100_000 * MB, used=100_000 * MB)
    assert room.enough()
    room.due = 0
    assert not room.enough()


def test_without_a_limit_it_never_looks(tmp_path: Path) -> None:
    assert Room(version_1(tmp_path, limit=1 << 62, used=1)).due == float("inf")
    assert Room(str(tmp_path / "nothing")).due == float("inf")


def run_in(group: Path, site: Site, *command: str) -> subprocess.CompletedProcess[bytes]:
    enter = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
    words = ["sh", "-c", enter, "sh", str(site.launcher), "exec", "--hash", "off", "--", *command]
    done = subprocess.run(words, cwd=site.cwd, env=site.env, capture_output=True, timeout=60)
    until(lambda: not (group / "cgroup.procs").read_text(), "processes stay in the group")
    return done


def limited(group: Path, size: int) -> Path:
    for name in ("memory.limit_in_bytes", "memory.max"):
        if (group / name).exists():
            (group / name).write_text(str(size))
    return group


def kills(group: Path) -> int:
    """How many processes of a group the kernel has killed for want of memory."""
    found = [group / name for name in ("memory.oom_control", "memory.events") if (group / name).exists()]
    lines = dict(line.split() for line in found[0].read_text().splitlines())
    return int(lines["oom_kill"])


def test_an_application_that_fits_alone_is_not_ended_by_its_agent(site: Site, group: Path) -> None:
    """Most of the limit is the application's: nobody is killed, it ends well, and the record says what is missing."""
    limited(group, 100 * MB)
    done = run_in(group, site, sys.executable, "-S", "-E", "-c", TAKES.format(89))
    assert done.returncode == 0 and kills(group) == 0
    assert b"the agent of this node did not start or has ended" in done.stderr
    logs = b"".join(file.read_bytes() for file in site.cwd.glob(".hpcprov/r*/**/*.log"))
    assert b"less than 32 MB of the job's memory were free" in logs


def test_with_room_it_stays(site: Site, group: Path) -> None:
    limited(group, 300 * MB)
    done = run_in(group, site, sys.executable, "-S", "-E", "-c", TAKES.format(75))
    assert (done.returncode, done.stderr, kills(group)) == (0, b"", 0)
    assert os.listdir(site.cwd / ".hpcprov" / "runs") == []


def test_what_was_seen_until_the_agent_left_is_told(site: Site, group: Path) -> None:
    """And the application goes on opening files into an area that nobody reads any more."""
    limited(group, 100 * MB)
    work = f"{EARLY}\n{TAKES.format(89)}\nfor i in range(1000): open('late-%d' % i, 'w').close()"
    done = run_in(group, site, sys.executable, "-S", "-E", "-c", work)
    assert done.returncode == 0 and kills(group) == 0
    site.call(site.launcher, "settle", "--all")
    record = site.record()
    assert "early" in {os.path.basename(one["path"]) for one in record["artifacts"]["generated"]}
    assert not record["observation"]["complete"]
    assert any("left before" in reason for node in record["observation"]["nodes"] for reason in node["reasons"])

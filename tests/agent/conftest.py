"""Whole runs by the installed launcher, each test with a store of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import check_record


class Site:
    """A working directory with a store, the launcher, and what a user does there."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.launcher = os.environ.get("HPCPROV_LAUNCHER") or str(Path(sys.executable).with_name("hpcprov"))
        self.mpiexec = str(Path(sys.executable).with_name("mpiexec"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("HPCPROV_DIR", "SLURM_", "PMI"))}
        self.env |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HPCPROV_DIR": str(cwd / ".hpcprov"),
        }

    def call(self, *words: object, check: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in words]
        done = subprocess.run(command, cwd=self.cwd, env=self.env | env, capture_output=True, text=True, timeout=120)
        assert check is None or done.returncode == check, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done

    def run(self, *words: object, check: int | None = 0, **env: str) -> dict[str, Any]:
        """`hpcprov exec WORDS`, and its record when the agent has written it."""
        self.call(self.launcher, "exec", *words, check=check, **env)
        return self.record()

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        """`hpcprov exec WORDS` in the background."""
        command = [self.launcher, "exec", *map(str, words)]
        return subprocess.Popen(command, cwd=self.cwd, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def record(self) -> dict[str, Any]:
        """The newest record, checked against the published schema."""
        until(lambda: not list(self.cwd.glob(".hpcprov/runs/*")), "the run was not merged")
        record: dict[str, Any] = json.loads(self.call(self.launcher, "show", "last", "--json").stdout)
        check_record(record)
        return record

    def agents(self) -> list[int]:
        return agents_of(self.cwd)


def agents_of(cwd: Path) -> list[int]:
    """Process ids of the agents that serve the store in a directory."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"hpcprov.agent" in words and os.fsencode(cwd / ".hpcprov") in words:
            found.append(int(name))
    return found


# A shell's word for: when the node's agent has looked at the declared inputs, and tells what else it knows.
SPOKEN = """until grep -qs '"event":"fact"' .hpcprov/runs/*/*.log; do sleep 0.02; done"""


def until(true: Any, otherwise: str, seconds: float = 100) -> None:
    """Poll for a state."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    cwd = tmp_path / 'it\'s a "place"'
    cwd.mkdir()
    return Site(cwd)

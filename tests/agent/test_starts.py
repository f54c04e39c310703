"""Which launching processes have ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hpcprov.agent import starts


def counter(pid: int, ticks: int) -> str:
    return f"{starts.pid_namespace().translate(starts.PLAIN)}-{pid}-{ticks}"


def test_the_living_and_the_dead() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    ticks = starts.ticks_of(gone.pid) or 1
    gone.wait()
    own = starts.own_ticks()
    assert own is not None
    assert not starts.ended(counter(os.getpid(), own))
    assert starts.ended(counter(os.getpid(), own + 1))
    assert starts.ended(counter(gone.pid, ticks))
    assert not starts.ended("other-1-1") and not starts.ended("x")


def test_a_process_that_proc_hides_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2 the processes of others, like a system's slurmstepd, are not in /proc."""

    def refuse(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    assert not starts.ended(counter(4_194_305, 1))

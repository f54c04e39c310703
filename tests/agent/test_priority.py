"""Idle beside the application, and back to normal after it, without any privilege."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from hpcprov.agent.priority import Worker

PROGRAM = """
import os, subprocess, sys
from hpcprov.agent.priority import Worker, idle
worker = Worker()
idle()
show = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0), flush=True)"]
print(os.sched_getscheduler(0), flush=True)
worker.do(lambda: subprocess.run(show, check=True))
"""


@pytest.mark.skipif(os.sched_getscheduler(0) != os.SCHED_OTHER, reason="the tests themselves have another priority")
def test_what_the_worker_starts_has_normal_priority() -> None:
    """As a user who may not raise priorities."""
    drop = []
    if os.geteuid() == 0 and shutil.which("setpriv") is not None:
        drop = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]
    done = subprocess.run([*drop, sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [str(os.SCHED_IDLE), str(os.SCHED_OTHER)], done.stderr


def test_an_error_comes_through() -> None:
    def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        Worker().do(fail)

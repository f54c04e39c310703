"""Commands that a signal ends leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, signal, sys, tempfile
from hpcprov.commands.ending import tidy
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[2]))
with tidy(), tempfile.TemporaryDirectory(dir=sys.argv[1]):
    os.kill(os.getpid(), int(sys.argv[3]))
    print("went on")
"""


@pytest.mark.parametrize(
    ("hup", "number", "status", "printed"),
    [
        ("SIG_DFL", signal.SIGTERM, 143, ""),
        ("SIG_DFL", signal.SIGHUP, 129, ""),
        ("SIG_IGN", signal.SIGTERM, 143, ""),
        ("SIG_IGN", signal.SIGHUP, 0, "went on\n"),  # nohup
    ],
)
def test_a_signal_leaves_nothing_behind(tmp_path: Path, hup: str, number: int, status: int, printed: str) -> None:
    command = [sys.executable, "-c", CODE, tmp_path, hup, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (status, printed, "")
    assert list(tmp_path.iterdir()) == []

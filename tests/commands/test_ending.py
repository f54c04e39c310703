"""Commands that a signal ends leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpcprov.record.layout import Store

from .conftest import Launch, publish

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


WRITING = """
import os, signal, sys
real = os.fsync
def fsync(fd):
    os.kill(os.getpid(), signal.SIGTERM)
    real(fd)
os.fsync = fsync
from hpcprov.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", [["export", "--to", "prov-json"], ["export", "--to", "neo4j"], ["report"]])
def test_a_report_or_an_export_is_written_whole_or_not_at_all(store: Store, tmp_path: Path, words: list[str]) -> None:
    publish(store, "one", Launch().start().exit())
    folder = tmp_path / "pages"
    folder.mkdir()
    command = [sys.executable, "-c", WRITING, words[0], "one", *words[1:], "-o", folder / "it.zip"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=os.path.dirname(store.root))
    assert (done.returncode, done.stdout, done.stderr, os.listdir(folder)) == (143, "", "", [])

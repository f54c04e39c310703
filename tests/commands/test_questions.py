"""docs/questions.md: its commands, run again, answer as it says."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.require import require

ROOT = Path(__file__).parent.parent.parent
RUN_ID = re.compile(r"\b(?:[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}|mpi-[\w.-]+-[0-9]+-[0-9]+\.[0-9]+)\b")


def asked(page: str) -> list[str]:
    """The questions and commands of a page, without what differs from run to run."""
    lines = [line for line in page.splitlines() if line.startswith(("## ", "$ ", "(exit status"))]
    return [RUN_ID.sub("RUN", line) for line in lines]


@pytest.mark.slow
@pytest.mark.mpi
def test_the_page_of_questions_is_what_the_commands_say() -> None:
    require("git", shutil.which("git"))
    require("ssh-keygen", shutil.which("ssh-keygen"))
    require("mpi", Path(sys.executable).with_name("mpiexec").exists())
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None
    terrain = Path(found.origin).parent / "mpl-data" / "sample_data" / "jacksboro_fault_dem.npz"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "workflows.flood.questions", terrain],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert asked(done.stdout) == asked((ROOT / "docs" / "questions.md").read_text(encoding="utf-8"))

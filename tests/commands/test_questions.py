"""Pages of commands and what they print: the commands, run again, answer as the pages say."""

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
@pytest.mark.parametrize(("module", "page"), [("flood.questions", "questions.md"), ("transactions.page", "data.md")])
def test_a_page_is_what_its_commands_say(module: str, page: str) -> None:
    require("git", shutil.which("git"))
    require("ssh-keygen", shutil.which("ssh-keygen"))
    require("mpi", Path(sys.executable).with_name("mpiexec").exists())
    require("snakemake", importlib.util.find_spec("snakemake"))
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None
    terrain = Path(found.origin).parent / "mpl-data" / "sample_data" / "jacksboro_fault_dem.npz"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", f"workflows.{module}", terrain],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    assert asked(done.stdout) == asked((ROOT / "docs" / page).read_text(encoding="utf-8"))

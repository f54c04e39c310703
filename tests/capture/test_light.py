"""What the agent loads: a gate on modules, not on time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "dataclasses", "typing", "pathlib", "logging", "importlib.metadata", "subprocess", "threading", "re", "json",
    "hashlib", "shlex", "pwd", "grp", "psutil", "socket", "inspect", "tempfile", "shutil",
}  # fmt: skip
# Slurm is asked by settling commands, and by one agent of a job in a thread that nobody waits for.
OF_SLURM = {"scontrol": {"re"}, "sacct": {"re"}, "slurm": {"re", "typing"}, "slurm_words": {"re", "typing"}}
ALLOWED = {"python_packages": {"re"}, "software": {"re"}} | OF_SLURM
FOLDER = Path(__file__).parents[2] / "hpcprov" / "capture"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__init__", "sampler"))


@pytest.mark.parametrize("name", [*MODULES, "container", "container.inside", "container.outside", "observed"])
def test_importing_a_module_stays_light(name: str) -> None:
    program = (
        f"import sys; old = set(sys.modules); import hpcprov.capture.{name}; print(*sorted(set(sys.modules) - old))"
    )
    command = [sys.executable, "-S", "-c", program]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FOLDER.parents[1]).stdout
    assert set(output.split()) & HEAVY <= ALLOWED.get(name, set())


def test_only_the_sampler_imports_psutil() -> None:
    users = [path.name for path in FOLDER.rglob("*.py") if "import psutil" in path.read_text()]
    assert users == ["sampler.py"]

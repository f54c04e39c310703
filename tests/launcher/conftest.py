"""What the launcher's tests share: the installed command, probe programs compiled once, and a clean world per test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.require import require

from .observe import ENVIRONMENT, PROBES, World


@pytest.fixture(scope="session")
def hpcprov() -> str:
    """The native command: `HPCPROV_LAUNCHER`, else `hpcprov` beside the running Python."""
    path = os.environ.get("HPCPROV_LAUNCHER") or str(Path(sys.executable).with_name("hpcprov"))
    assert os.access(path, os.X_OK), f"no launcher at {path}: pip install the project, or set HPCPROV_LAUNCHER"
    return path


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the compiled programs of `probe/`."""
    directory = tmp_path_factory.mktemp("probes")
    source = Path(__file__).with_name("probe")
    for name in PROBES:
        warnings = ["-Wall", "-Wextra", "-Werror"]
        subprocess.run(["cc", "-O1", *warnings, "-o", directory / name, source / f"{name}.c"], check=True)
    return directory


@pytest.fixture
def world(hpcprov: str, probes: Path, tmp_path: Path) -> World:
    """A working directory that holds its own store, so that no store above it is found."""
    cwd = tmp_path / "work"
    (cwd / ".hpcprov").mkdir(parents=True)
    return World(hpcprov, probes, cwd, dict(ENVIRONMENT))


@pytest.fixture
def as_root() -> None:
    """Skips where the test needs to mount, to own files of others, or to make namespaces."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def strace() -> str:
    """The path of strace, which must be able to trace here."""
    path = shutil.which("strace")
    traces = path and subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    require("strace", traces)
    return str(path)

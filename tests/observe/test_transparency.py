"""Everything that the launcher's tests ask of a perfect wrapper holds as well while it observes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[1] / "launcher"
ASKED = ("inherited", "status", "streams", "signals", "terminal", "family")


@pytest.mark.slow
def test_observing_is_as_transparent_as_not_observing() -> None:
    tests = [str(LAUNCHER / f"test_{name}.py") for name in ASKED]
    environment = os.environ | {"HPCPROV_EXEC_OPTIONS": "--observe preload"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests]
    done = subprocess.run(
        command, cwd=LAUNCHER.parents[1], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-5000:]

"""What the tests of observation share: strace, and whole runs by the installed launcher."""

from __future__ import annotations

from tests.agent.conftest import site
from tests.launcher.conftest import as_root, strace

__all__ = ["as_root", "site", "strace"]

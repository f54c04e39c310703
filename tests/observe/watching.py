"""What the tests of `--observe notify` share: the launcher's own code without a launcher, and static programs.

def test_it(watch: str, static_programs: Path) -> None:
    subprocess.run([watch, area.path, static_programs / "opens", "open"])
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.require import require

PROBE = Path(__file__).with_name("probe")
LAUNCHER = Path(__file__).parents[2] / "hpcprov" / "launcher"
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
STATIC = ("opens", "names", "processes", "plain")
LINKED = ("descriptors.c", "command.c")


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`probe/watch.c` with the launcher's `notify/`."""
    require("cc", shutil.which("cc"))
    path = tmp_path_factory.mktemp("watch") / "watch"
    sources = [PROBE / "watch.c", *sorted((LAUNCHER / "notify").glob("*.c")), *(LAUNCHER / name for name in LINKED)]
    subprocess.run(["cc", *FLAGS, f"-I{LAUNCHER}", "-o", path, *sources], check=True)
    works = subprocess.run([path, "--possible"], capture_output=True, text=True)
    require("seccomp-notify", works.returncode == 0)
    return str(path)


@pytest.fixture(scope="session")
def static_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C probes, linked statically."""
    require("cc", shutil.which("cc"))
    directory = tmp_path_factory.mktemp("static")
    running = [
        subprocess.Popen(["cc", *FLAGS, "-static", "-w", "-o", directory / name, PROBE / f"{name}.c"])
        for name in STATIC
    ]
    assert [child.wait(60) for child in running] == [0] * len(running)
    return directory


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`probe/plain.c` of 32 bits."""
    path = tmp_path_factory.mktemp("narrow") / "narrow"
    done = subprocess.run(["cc", "-m32", "-o", path, PROBE / "plain.c"], capture_output=True)
    require("gcc-multilib", done.returncode == 0)
    return path

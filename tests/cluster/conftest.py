"""The real programs of a cluster, for tests with the marker `cluster`; `make test-cluster` sets all of them up.

| fixture | is | needs |
|---|---|---|
| `slurm` | a bed that all tests share: do not fail its nodes, do not change its settings | root, Debian's Slurm |
| `slurm_bed` | `slurm_bed(extra)`: a bed with other settings, one for each text; its nodes may fail | the same |
| `installed` | bin directory of a virtual environment that has hpcprov from its wheel, mpi4py, MPICH, Snakemake | |
| `site` | a user's directory with a store of its own, seen from all nodes: run, submit, records | slurm, installed |
| `apptainer`, `podman`, `charliecloud` | the program's path, when it can run here | |
| `modules_tcl`, `modules_lmod` | the shell file to source before `module` | |

A program that `HPCPROV_REQUIRE` names must be there (tests/require.py); its tests are skipped otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import check_record
from tests.require import require

from .bed.slurm import Slurm, missing, until

ROOT = Path(__file__).parents[2]
# Where install.sh puts the module system that apt refuses to install beside the other.
PRIVATE = Path("/opt/hpcprov-bed")
# What two processes would wait for at the end.
LONGEST = ("test_snakemake.py", "test_examples.py")
BedMaker = Callable[..., Slurm]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this directory is a test of a cluster; those that take longest come first."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
    items.sort(key=lambda item: item.path.parent != here or item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def slurm_bed() -> Iterator[BedMaker]:
    """`slurm_bed(extra="", nodes=4, cpus=8)`: the bed with these lines in slurm.conf, brought up when first asked for.

    Tests that fail nodes ask for a bed that nobody else has: `slurm_bed("# nodes fail here\\n")`.
    """
    lacks = missing()
    require("slurm", not lacks)
    with contextlib.ExitStack() as beds:
        up: dict[tuple[str, int, int], Slurm] = {}

        def bed(extra: str = "", *, nodes: int = 4, cpus: int = 8) -> Slurm:
            key = (extra, nodes, cpus)
            if key not in up:
                up[key] = beds.enter_context(Slurm.up(extra, nodes=nodes, cpus=cpus))
            return up[key]

        yield bed


@pytest.fixture(scope="session")
def slurm(slurm_bed: BedMaker) -> Slurm:
    """The bed that all tests share."""
    return slurm_bed()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin of a virtual environment with hpcprov as users have it; HPCPROV_CLUSTER_VENV names one that is there."""
    given = os.environ.get("HPCPROV_CLUSTER_VENV")
    if given:
        assert Path(given, "bin/hpcprov").exists(), f"HPCPROV_CLUSTER_VENV={given} holds no bin/hpcprov"
        return Path(given).resolve() / "bin"
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, f"{ROOT}[workflows]"], check=True)
    return folder / "bin"


class Site:
    """What a user does: a directory that all nodes see, with a store, hpcprov on the PATH, and commands run there."""

    def __init__(self, slurm: Slurm, installed: Path, cwd: Path) -> None:
        self.slurm, self.cwd, self.bin = slurm, cwd, installed
        self.hpcprov = str(installed / "hpcprov")
        self.store = cwd / ".hpcprov"
        path = f"{slurm.directory / 'bin'}:{installed}:{slurm.env['PATH']}"
        self.env = slurm.env | {"PATH": path, "HPCPROV_DIR": str(self.store)}

    def run(
        self, *argv: object, check: int | None = 0, timeout: float = 120, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command here; `env` is added to the environment."""
        words = [str(word) for word in argv]
        return self.slurm.run(words, cwd=self.cwd, env=self.env | (env or {}), check=check, timeout=timeout)

    def submit(self, script: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """`sbatch ARGUMENTS` of a script here; the job's id."""
        return self.slurm.submit(script, *arguments, cwd=self.cwd, env=self.env | (env or {}))

    def output(self, job: str) -> str:
        """What a batch job printed so far."""
        return (self.cwd / f"slurm-{job}.out").read_text(errors="replace")

    def runs(self) -> list[dict[str, Any]]:
        """`hpcprov runs --json`, newest first; settles what can be settled."""
        listed: list[dict[str, Any]] = json.loads(self.run(self.hpcprov, "runs", "--json").stdout)
        return listed

    def record(self, run: str = "last") -> dict[str, Any]:
        """One record, checked against the published schema, as soon as it is written: revision 0 is what `show` tells
        of a run before."""
        until(
            lambda: self._shown(run)["revision"] > 0, lambda: f"{run} has no record yet: {self._shown(run)['problems']}"
        )
        record = self._shown(run)
        check_record(record)
        return record

    def _shown(self, run: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run(self.hpcprov, "show", run, "--json").stdout)
        return shown


@pytest.fixture
def site(slurm: Slurm, installed: Path, tmp_path: Path) -> Site:
    """A place of its own on the shared bed; `Site(slurm_bed(...), installed, tmp_path)` for another one."""
    return Site(slurm, installed, tmp_path)


def works(*command: str) -> bool:
    """Whether a command ends with status 0."""
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def apptainer() -> str:
    path = shutil.which("apptainer")
    require("apptainer", path and works(path, "--version"))
    return str(path)


@pytest.fixture(scope="session")
def podman() -> str:
    path = shutil.which("podman")
    require("podman", path and os.geteuid() == 0 and works(path, "info"))
    return str(path)


@pytest.fixture(scope="session")
def charliecloud() -> str:
    """ch-run; the other programs of Charliecloud lie beside it."""
    path = shutil.which("ch-run")
    require("charliecloud", path and works("env", "USER=root", path, "--version"))  # it wants a user's name
    return str(path)


def module_system(name: str, path: str) -> Path:
    """The shell file of a module system, from the package or from the private place."""
    found = [place for place in (Path("/", path), PRIVATE / name / path) if place.exists()]
    require(name, found)
    return found[0]


@pytest.fixture(scope="session")
def modules_tcl() -> Path:
    return module_system("tcl", "usr/share/modules/init/bash")


@pytest.fixture(scope="session")
def modules_lmod() -> Path:
    return module_system("lmod", "usr/share/lmod/lmod/init/bash")


__all__ = ["BedMaker", "Site", "until"]

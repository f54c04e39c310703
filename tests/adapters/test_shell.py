"""Where the shell for Snakemake puts hpcprov into a line that starts ranks. Programs that print their arguments stand
for srun and hpcprov here; tests/cluster/test_snakemake.py runs it in front of the real ones."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from hpcprov.capture.container.runtimes import SRUN_PLAIN

ROOT = Path(__file__).parents[2]
SHELL = ROOT / "workflows/shell/bash"
WRAPPER = ROOT / "slurm/bin/srun"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with a srun that prints its arguments, a hpcprov that runs its command, and a program."""
    texts = {
        "srun": 'printf "%s\\n" "$*"',
        "hpcprov": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
        "model": ":",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")  # dash would lose bash's functions
        (tmp_path / name).chmod(0o755)
    return tmp_path


def started(programs: Path, line: str) -> str:
    """What srun is called with in a rule's command."""
    environ = {"PATH": f"{programs}:/usr/bin:/bin"}
    done = subprocess.run([SHELL, "-c", line], env=environ, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("options", ["-n 4", "--mpi=pmi2 -n4", "--compress", "--quit-on-interrupt -lu", "--nice", "--"])
def test_hpcprov_stands_before_the_program(programs: Path, options: str) -> None:
    line = f"srun {options} env model x"
    recorded = f"srun {options} {programs}/hpcprov exec --hash=off -- env model x"
    assert f"srun {started(programs, line)}" == recorded


@pytest.mark.parametrize("options", ["--multi-prog", "--bcast", "--bcast=/tmp/model", "-n1 model : -n2"])
def test_what_cannot_be_told_for_certain_stays(programs: Path, options: str) -> None:
    assert f"srun {started(programs, f'srun {options} env model x')}" == f"srun {options} env model x"


def test_all_who_read_lines_of_srun_know_the_same_options_without_a_value() -> None:
    """The wrapper in slurm/bin, this shell, and the facts on containers: what one forgot, it takes a program for."""
    wrapper, shell = WRAPPER.read_text(), SHELL.read_text()
    tables = [re.search(rf'{name}="([^"]*)"', wrapper) for name in ("plain_long", "optional_long")]
    known = {f"--{word}" for table in tables if table is not None for word in table[1].split()}
    assert len(known) > 30
    alone = {"--multi-prog", "--bcast"}  # lines with these stay as they are
    assert known - alone == set(re.findall(r"srun:(--[a-z0-9-]+)", shell))
    assert known - set(SRUN_PLAIN.split()) == set()

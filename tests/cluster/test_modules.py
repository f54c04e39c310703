"""Environment modules in jobs, both systems: loaded in the job script, seen on all nodes by `srun hpcprov exec`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site

# The same modules for each system: a solver that needs an MPI, one hidden by its name, one that refuses that MPI.
TCL = {
    "mpi/4.2": "#%Module\nsetenv MPI_HOME /mpi\n",
    "solver/1.0": "#%Module\nprereq mpi/4.2\n",
    "tools/.0.9": "#%Module\nsetenv TOOLS 1\n",
    "site/1": "#%Module\nsetenv SITE 1\n",
    "othermpi/1": "#%Module\nconflict mpi\n",
    ".modulerc": "#%Module\nmodule-hide --hidden-loaded site/1\n",
}
LMOD = {
    "mpi/4.2.lua": "setenv('MPI_HOME', '/mpi')\n",
    "solver/1.0.lua": "depends_on('mpi/4.2')\n",
    "tools/.0.9.lua": "setenv('TOOLS', '1')\n",
    "site/1.lua": "setenv('SITE', '1')\n",
    "othermpi/1.lua": "conflict('mpi')\n",
}


class Modules:
    """One module system, with module files of its own, as a job script uses it."""

    def __init__(self, kind: str, init: Path, folder: Path, files: dict[str, str]) -> None:
        self.kind, self.folder = kind, folder
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        self.setup = f"source {init}\nmodule use {folder}\n"
        self.load = "module load --auto" if kind == "tcl" else "module load"

    def digest(self, name: str) -> str:
        file = self.folder / (name if self.kind == "tcl" else f"{name}.lua")
        return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(params=["tcl", "lmod"])
def modules(request: pytest.FixtureRequest, tmp_path: Path) -> Modules:
    init: Path = request.getfixturevalue(f"modules_{request.param}")
    return Modules(request.param, init, tmp_path / "modulefiles", TCL if request.param == "tcl" else LMOD)


def seen(site: Site, name: str) -> list[dict[str, Any]]:
    """The facts of kind `modules` in the record of the run with this name, one for each different node."""
    (run,) = [run for run in site.runs() if run["name"] == name]
    record = site.record(run["id"])
    return [record["facts"][node["facts"]["modules"]]["value"] for node in record["nodes"]]


def names(fact: dict[str, Any]) -> list[str]:
    return [module["name"] for module in fact["loaded"]]


def test_modules_of_a_job_script(site: Site, modules: Modules) -> None:
    step = f"srun -N2 -n2 {site.hpcprov} exec --hash off --name"
    job = site.submit(
        f"""{modules.setup}
{modules.load} solver/1.0
{modules.load} tools/.0.9 site/1
{step} first -- true
{modules.load} othermpi/1
echo "conflict: $?"
{step} second -- bash -c 'type module >/dev/null; module unload solver tools; exit 0'
module unload tools
{step} third -- true
""",
        "-N2",
    )
    assert site.slurm.ended(job)["ExitCode"] == "0:0", site.output(job)
    assert "conflict: 1" in site.output(job)

    first = seen(site, "first")
    assert len(first) == 2 and first[0] == first[1], "two nodes, one environment"
    fact = first[0]
    assert fact["kind"] == modules.kind and fact["path"][0] == str(modules.folder) and "reason" not in fact
    automatic = {"mpi/4.2"}
    hidden = {"tools/.0.9", "site/1"} if modules.kind == "tcl" else {"tools/.0.9"}
    expected = ["mpi/4.2", "solver/1.0", "tools/.0.9", "site/1"]
    assert names(fact) == expected
    assert [module["name"] for module in fact["loaded"] if module["auto"]] == sorted(automatic)
    assert {module["name"] for module in fact["loaded"] if module["hidden"]} == hidden
    assert [module["sha256"] for module in fact["loaded"]] == [modules.digest(name) for name in expected]

    # A refused module changes nothing, and neither does what the wrapped script does to its own environment.
    assert [names(fact) for fact in seen(site, "second")] == [expected] * 2
    assert [names(fact) for fact in seen(site, "third")] == [["mpi/4.2", "solver/1.0", "site/1"]] * 2


def test_modules_of_the_submitting_shell(site: Site, modules: Modules) -> None:
    """sbatch hands the environment on: what was loaded before it is seen in a script that loads nothing."""
    script = f"#!/bin/sh\nsrun {site.hpcprov} exec --hash off --name inherited -- true\n"
    (site.cwd / "inherits.sh").write_text(script)
    submit = "sbatch --parsable --wait inherits.sh"
    done = site.run("bash", "-c", f"{modules.setup}{modules.load} solver/1.0\n{submit}")
    assert site.slurm.ended(done.stdout.split()[-1])["ExitCode"] == "0:0"
    (fact,) = seen(site, "inherited")
    assert names(fact) == ["mpi/4.2", "solver/1.0"] and fact["kind"] == modules.kind

"""`hpcprov why` on runs of real commands that differ in one thing: a flag, a cell, a module, a commit.

An image: tests/cluster/test_why.py.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.agent.conftest import Site
from tests.require import require

SOLVER = """
#include <stdio.h>
int main(void) {
    FILE *file = fopen("out.csv", "w");
#ifdef __OPTIMIZE_SIZE__
    fprintf(file, "x,y\\n1,2.5\\n");
#else
    fprintf(file, "x,y\\n1,1.5\\n");
#endif
    return fclose(file);
}
"""
USE = "import sys, numpy; numpy.save('out.npy', numpy.load(sys.argv[1]) * 2)"


def why(site: Site, *words: object, check: int = 1) -> str:
    return site.call(site.launcher, "why", *words, check=check).stdout


def numbered(output: str) -> list[str]:
    """The lines of causes."""
    return [line.split(None, 1)[1] for line in output.splitlines() if line[:3].strip().isdigit()]


CC, MAKE = ["cc", "{}", "-o", "solver", "solver.c"], ["make", "CFLAGS={}"]


@pytest.mark.parametrize("build", [CC, pytest.param(MAKE, marks=pytest.mark.slow)], ids=["cc", "make"])
def test_a_compiler_flag_is_found_through_the_program(site: Site, build: list[str]) -> None:
    require("cc", shutil.which("cc") and shutil.which("make"))
    (site.cwd / "solver.c").write_text(SOLVER)
    (site.cwd / "Makefile").write_text("solver: solver.c\n\tcc $(CFLAGS) -o solver solver.c\n")
    runs = []
    for flag in ("-O2", "-Os"):
        (site.cwd / "solver").unlink(missing_ok=True)
        site.run("--", *(word.format(flag) for word in build))
        runs.append(site.run("--", "./solver")["run"]["id"])
    output = why(site, *runs)
    (cause,) = numbered(output)
    assert cause.startswith("program solver: sha256:")
    assert "solver was compiled with -Os instead of -O2 (run " in output
    assert "out.csv: changed" in output and "field y, tile [0:1]" in output
    found = json.loads(site.call(site.launcher, "why", *runs, "--json", check=1).stdout)
    assert found["causes"][0]["because"]["causes"][0]["kind"] == "argument" and not found["same"]


def test_one_cell_of_an_input_is_named_in_one_line(site: Site) -> None:
    values = np.zeros((600, 300))
    for name in ("a", "b"):
        (site.cwd / name).mkdir()
        np.save(site.cwd / name / "in.npy", values)
        values[400, 30] = 0.5
    runs = [site.run("--", "sh", "-c", f"cd {name} && '{sys.executable}' -c \"{USE}\" in.npy") for name in ("a", "b")]
    output = why(site, *(run["run"]["id"] for run in runs))
    # In two directories the command names each: that is what was changed first.
    assert "input a/in.npy / b/in.npy changed" in output
    told = "tile [256:512, 0:300] (1 of 3 tiles): 1 of 180,000 values, the first at [400, 30], largest difference 0.5"
    assert f"the array, {told}" in output
    assert "largest difference 1" in why(site, site.cwd / "a/out.npy", site.cwd / "b/out.npy")
    assert "the first at" not in why(site, "--records-only", *(run["run"]["id"] for run in runs))


def test_a_module_is_named_in_one_line(site: Site, tmp_path: Path) -> None:
    init = next(
        (path for path in ("/usr/share/modules/init/bash", "/usr/share/lmod/lmod/init/bash") if Path(path).exists()), ""
    )
    require("modules", init)
    for version in ("12.2", "13.1"):
        place = tmp_path / "modulefiles" / "gcc"
        place.mkdir(parents=True, exist_ok=True)
        (place / version).write_text(f"#%Module\nprepend-path PATH /opt/gcc-{version}/bin\nsetenv OMP_STACKSIZE 4M\n")
    runs = []
    for version in ("12.2", "13.1"):
        load = f"source {init}; module use '{tmp_path}/modulefiles'; module load gcc/{version}"
        site.call("bash", "-c", f"{load}; exec '{site.launcher}' exec -- sh -c 'echo 1 > out.dat'")
        runs.append(site.record()["run"]["id"])
    output = why(site, *runs)
    assert numbered(output) == ["module gcc 12.2 -> 13.1"] and "even so, the outputs are equal" in output
    done = site.call(site.launcher, "rerun", runs[0])
    assert "reproduced bit for bit" in done.stdout
    again = site.record()
    assert [
        one["name"] for fact in again["facts"].values() if fact["kind"] == "modules" for one in fact["value"]["loaded"]
    ] == ["gcc/12.2"]
    (tmp_path / "modulefiles/gcc/12.2").unlink()
    refused = site.call(site.launcher, "rerun", runs[0], check=2).stdout
    assert "module gcc/12.2: its file" in refused and "modules cannot be loaded" in refused


@pytest.mark.slow
def test_a_commit_is_told_with_what_it_changed(site: Site) -> None:
    require("git", shutil.which("git"))
    runs = []
    for number in (1, 2):
        (site.cwd / "model.sh").write_text(f"echo {number} > out.dat\n")
        for words in (
            ["init", "-q"],
            ["add", "model.sh"],
            ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *words], cwd=site.cwd, env=site.env, check=True)
        runs.append(site.run("--", "sh", "model.sh")["run"]["id"])
    output = why(site, *runs)
    assert [cause.split()[0] for cause in numbered(output)] == ["commit", "script"]
    assert "-echo 1 > out.dat" in output and "+echo 2 > out.dat" in output


def test_answers_that_are_no_comparison(site: Site) -> None:
    first = site.run("--", "true")["run"]["id"]
    assert "are of one run" in site.call(site.launcher, "why", first, "last", check=2).stderr
    assert "no run" in site.call(site.launcher, "why", "nonesuch", "last", check=2).stderr
    assert "no run is known to have made" in site.call(site.launcher, "why", "./x", "last", check=2).stderr
    second = site.run("--", "true")["run"]["id"]
    assert "nothing differs" in why(site, first, second, check=0)

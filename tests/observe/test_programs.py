"""Real programs under `hpcprov exec`, unchanged: what they print, how they end and what they leave is as without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Site
from tests.require import require

from .pattern import prepare
from .whole import below, compare, ran, refill, run

SAMPLE = r"""
seq 1 50 > numbers; sort -rn numbers | head -5 | tee top | wc -l; cut -c1 numbers | uniq -c | sort -n > counts
paste in in2 > both; join in in2 | md5sum; split -n 3 numbers part-; cat part-* | cmp - numbers && echo same
mkdir -p a/b; cp -r a c; mv part-aa a/; ln -s ../in a/link; stat -c %s a/link; ls -1 a
du -b numbers; od -c in | tail -1
install -m 700 in a/tool; chmod 600 in2; touch -d @0 in2; stat -c '%a %Y' in2; expr 3 + 4
printf '%s\n' x y | tac; factor 60
rm -r c; basename $PWD/x; dirname a/b; readlink a/link; sha256sum both; test -e nothing || echo none; nproc > /dev/null
dd if=numbers of=copy bs=7 status=none; truncate -s 10 copy; tr 0-9 a-j < copy
shuf -i 1-1; fold -w 5 both; ls nothing; exit 5
"""
LIBRARY = {"setup.py": "", "greet/__init__.py": "def hello():\n    return 'hello'\n"}
METADATA = {
    "greet-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n",
    "greet-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "greet-1.0.dist-info/entry_points.txt": "[console_scripts]\ngreet = greet:hello\n",
    "greet-1.0.dist-info/RECORD": "",
}
SOURCES = {
    "Makefile": "app: main.o part.o\n\tcc -o $@ $^\n%.o: %.c part.h\n\tcc -O1 -c $<\n",
    "part.h": "int part(int);\n",
    "part.c": '#include "part.h"\nint part(int x) { return x * 2; }\n',
    "main.c": '#include <stdio.h>\n#include "part.h"\nint main(void) { return !printf("%d\\n", part(21)); }\n',
}
JOB = """
import sys
from mpi4py import MPI
import h5py, numpy
comm = MPI.COMM_WORLD
field = h5py.File("in.h5")["field"][:]
with h5py.File(f"part-{comm.rank}.h5", "w", track_order=False) as file:
    file["field"] = field * comm.rank
comm.barrier()
if comm.rank == 0:
    parts = [h5py.File(f"part-{rank}.h5")["field"][:] for rank in range(comm.size)]
    numpy.save("sum.npy", numpy.sum(parts, axis=0))
    print(numpy.load("sum.npy").sum())
comm.barrier()
"""


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def exits(record: dict[str, Any]) -> list[dict[str, int]]:
    return [program["exits"] for program in record["observation"]["programs"]]


@pytest.mark.parametrize("how", ["preload", "notify"])
def test_programs_that_execute_others_in_their_place_end_as_those_do(site: Site, how: str) -> None:
    script = site.cwd / "tool"
    script.write_text("#!/usr/bin/env sh\nexec env sh -c 'exit 3'\n")
    script.chmod(0o700)
    inner = site.run("--observe", how, "--", "sh", "-c", "./tool; exit 0", check=0)
    assert exits(inner) == [{"0": 1}, {"3": 1}, {"3": 1}, {"3": 1}, {"3": 1}]
    assert exits(site.run("--observe", how, "--", "./tool", check=3)) == [{"3": 1}] * 4


def test_coreutils(site: Site) -> None:
    record = compare(site, ["sh", "-c", SAMPLE])
    assert record["run"]["status"] == "failed"
    assert below(site, record, "used") == {"in", "in2"}
    assert below(site, record, "generated") >= {"numbers", "top", "counts", "both", "a/part-aa", "a/tool", "copy"}
    assert not {"part-aa", "c"} & below(site, record, "generated")
    assert ran(record)["sort"] == 2


def test_git_clone_of_a_local_repository(site: Site) -> None:
    require("git", shutil.which("git"))
    origin = site.cwd.parent / "origin"
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main")
    prepare(origin)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=origin, check=True)
    clone_it = f"git clone -q --no-hardlinks '{origin}' copy && cd copy"
    commands = f"{clone_it} && git fsck && git log --format=%s && git status --short"
    clone = site.cwd / "copy"
    refill(site.cwd, lambda _: None)
    bare = run(site, ["sh", "-c", commands])
    assert bare.status == 0
    refill(site.cwd, lambda _: None)
    assert run(site, [site.launcher, "exec", "--", "sh", "-c", commands]) == bare
    assert (clone / "dir" / "in").read_bytes() == (origin / "dir" / "in").read_bytes()
    record = site.record()
    assert below(site, record, "generated") == {
        "copy/in",
        "copy/in2",
        "copy/old",
        "copy/old2",
        "copy/dir/in",
        "copy/script",
    }


def test_pip_install_into_a_virtual_environment(site: Site) -> None:
    def make(directory: Path) -> None:
        with zipfile.ZipFile(directory / "greet-1.0-py3-none-any.whl", "w") as wheel:
            for name, text in (LIBRARY | METADATA).items():
                wheel.writestr(zipfile.ZipInfo(name), text)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory / "venv"], check=True)

    pip = [sys.executable, "-m", "pip", "--python", "venv/bin/python", "install", "--no-index", "-q", "--no-compile"]
    python = "venv/bin/python -c 'import greet; print(greet.hello())'; venv/bin/greet; echo $?"
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    command = ["sh", "-c", f'"$@" && {python}', "sh", *pip, "greet-1.0-py3-none-any.whl"]
    record = compare(site, command, env=quiet, make=make)
    assert record["run"]["status"] == "completed"
    assert (site.cwd / "venv" / "bin" / "greet").exists()
    assert not [path for path in below(site, record, "generated") if "site-packages" in path]


def test_a_build_with_make_and_gcc(site: Site) -> None:
    require("cc", shutil.which("cc"))
    record = compare(site, ["sh", "-c", "make && ./app && make -q"], make=lambda directory: write(directory, SOURCES))
    assert record["run"]["status"] == "completed"
    programs = ran(record)
    assert programs["make"] == 2 and programs["app"] == 1 and sum("ld" in name for name in programs) >= 1
    assert {"main.o", "part.o"} <= below(site, record, "generated")
    assert not [path for path in below(site, record, "generated") if path.endswith(".s")]


@pytest.mark.mpi
def test_an_mpi_job_with_hdf5(site: Site) -> None:
    import h5py
    import numpy

    def make(directory: Path) -> None:
        with h5py.File(directory / "in.h5", "w") as file:
            file["field"] = numpy.arange(100.0)
        (directory / "job.py").write_text(JOB)

    job = [sys.executable, "job.py"]
    refill(site.cwd, make)
    bare = run(site, [site.mpiexec, "-n", "3", *job])
    assert bare.status == 0 and bare.err == b""
    refill(site.cwd, make)
    assert run(site, [site.mpiexec, "-n", "3", site.launcher, "exec", "--", *job]) == bare
    record = site.record()
    assert record["run"]["status"] == "completed"
    assert below(site, record, "used") == {"in.h5"}
    assert below(site, record, "generated") == {"part-0.h5", "part-1.h5", "part-2.h5", "sum.npy"}
    by_name = {Path(one["path"]).name: one for role in ("used", "generated") for one in record["artifacts"][role]}
    assert by_name["part-1.h5"]["observed"]["ranks"] == [[0, 1]]  # the first rank reads them all
    assert by_name["in.h5"]["observed"]["ranks"] == [[0, 2]]
    assert {one["state"] for one in by_name.values()} == {"ok"}


LOOKS = """
import os
file = os.open("in", os.O_RDWR)  # as HDF5 does before it empties a file
os.close(file)
file = os.open("in", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(file, b"new")
"""


@pytest.mark.parametrize("how", ["preload", "notify"])
def test_a_file_that_was_only_looked_for_is_no_input(site: Site, how: str) -> None:
    record = compare(site, [sys.executable, "-c", LOOKS], options=["--observe", how])
    assert (below(site, record, "used"), below(site, record, "generated")) == (set(), {"in"})


@pytest.mark.parametrize("how", ["preload", "notify"])
def test_a_link_that_is_made_again_makes_no_output(site: Site, how: str) -> None:
    record = compare(site, ["sh", "-c", "ln -s in2 link; ln -sf in link; cat link"], options=["--observe", how])
    assert (below(site, record, "used"), below(site, record, "generated")) == ({"in"}, set())

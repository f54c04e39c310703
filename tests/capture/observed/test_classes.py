"""The tables: which class a path belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hpcprov
from hpcprov.capture.observed import area
from hpcprov.capture.observed.classes import Places
from tests.capture.observed.records import CWD, ENVIRON, READ, WRITE, Disk, access, latest, observed, program, unlink

HDF5 = {"LOADEDMODULES": "gcc/12:hdf5/1.14.3", "EBROOTFFTW": "/apps/fftw"}

READ_ONLY = [
    ("system", "/usr/lib/x86_64-linux-gnu/libm.so.6"),
    ("system", "/etc/passwd"),
    ("system", "/proc/meminfo"),
    ("system", "/dev/urandom"),
    ("system", "/lib64/ld-linux-x86-64.so.2"),
    ("system", "/var/lib/misc/x"),
    ("system", "/usr/share/proj/proj.db"),
    ("system", "/usr/share/data.csv"),
    ("system", "/run/user/7/x"),
    ("software", "/opt/app/share/table.txt"),
    ("software", "/usr/local/share/x.txt"),
    ("software", "/usr/lib/python3/dist-packages/numpy/x.csv"),
    ("software", "/venv/lib/python3.12/site-packages/numpy/core/x.pyc"),
    ("software", "/venv/lib/python3.12/json/__init__.py"),
    ("software", "/venv/bin/activate"),
    ("software", "/home/ada/run/.venv/lib/python3.12/site-packages/a.py"),
    ("software", str(Path(hpcprov.__file__).parent / "capture" / "secrets.txt")),
    ("software", "/apps/fftw/lib/wisdom"),
    ("software", "/home/ada/.pyenv/shims/python"),
    ("software", "/home/ada/.julia/packages/Plots/aB1/src/Plots.jl"),
    ("software", "/home/ada/run/node_modules/left-pad/index.js"),
    ("software", "/home/ada/run/.git/HEAD"),
    ("software", "/home/ada/run/.snakemake/metadata/x"),
    ("software", "/home/ada/run/libmodel.so"),
    ("software", "/home/ada/run/libmodel.so.3"),
    ("configuration", "/home/ada/.config/matplotlib/matplotlibrc"),
    ("configuration", "/home/ada/.bashrc"),
    ("configuration", "/home/ada/run/matplotlibrc"),
    ("configuration", "/home/ada/run/.gitignore"),
    ("configuration", "/home/ada/run/.cache/fontlist.json"),
    ("code", "/home/ada/run/solve.py"),
    ("code", "/home/ada/run/__pycache__/solve.cpython-312.pyc"),
    ("code", "/home/ada/run/plot.R"),
    ("code", "/home/ada/run/Snakefile"),
    ("code", "/home/ada/run/launch"),
    ("data", "/home/ada/run/config.nml"),
    ("data", "/home/ada/run/settings.yaml"),
    ("data", "/home/ada/run/.hidden.nc"),
    ("data", "/home/ada/run/train.log"),
    ("data", "/home/ada/run/main.c"),
    ("data", "/lustre/data/x"),
    ("configuration", "/tmp/hydra_hwloc_xmlfile_Ab12"),
    ("configuration", "/tmp/ompi.n1.1000/pid.811/pmix_dstor_ds12_811/dstore_sm.lock"),
    ("configuration", "/scratch/tmp/prte.n1.811.0/schizo"),
    ("data", "/home/ada/run/pmix-bench/in.txt"),
    ("data", "/tmp/given.txt"),
    ("data", "/scratch/tmp/given.txt"),
    ("data", "/opt/tables/soil.nc"),
    ("data", "/home/ada/.cache/climate/era5.nc"),
    ("data", "/venv/lib/python3.12/site-packages/sklearn/datasets/data/iris.csv"),
    ("data", "/usr/local/share/x.h5"),
]

WRITTEN = [
    ("data", "/home/ada/run/out.txt"),
    ("data", "/home/ada/run/make.py"),
    ("data", "/home/ada/run/libmodel.so"),
    ("data", "/home/ada/run/.hidden"),
    ("data", "/lustre/out/x"),
    ("logs", "/home/ada/run/run.log"),
    ("logs", "/home/ada/run/job.err"),
    ("logs", "/home/ada/run/slurm-4711.out"),
    ("logs", "/home/ada/run/logs/rule_a.txt"),
    ("scratch", "/tmp/x.nc"),
    ("scratch", "/var/tmp/x"),
    ("scratch", "/dev/shm/segment"),
    ("scratch", "/scratch/tmp/x.nc"),
    ("software", "/home/ada/run/__pycache__/solve.cpython-312.pyc"),
    ("software", "/home/ada/run/.git/index"),
    ("software", "/venv/lib/python3.12/site-packages/new/x.py"),
    ("software", "/venv/bin/pip"),
    ("system", "/dev/null"),
    ("configuration", "/home/ada/.config/app/state"),
    ("configuration", "/home/ada/run/.cache/fontlist.json"),
]

LEARN = access(b"/venv/lib/python3.12/site-packages/numpy/__init__.py", READ)
BASH = program(1, b"bash", b"launch")


def class_of(path: str, flags: int, **more: Any) -> list[str]:
    """The classes of what one access adds."""
    settings = {"environ": ENVIRON | HDF5} | more
    before = observed(BASH, LEARN, **settings).observation()["classes"]
    seen = observed(BASH, LEARN, access(path.encode(), flags), **settings)
    after = seen.observation()["classes"]
    found = [label for label in after if after[label]["files"] > before[label]["files"]]
    assert (path in latest(seen.events(True))) is (found == ["data"])
    return found


@pytest.mark.parametrize(("label", "path"), READ_ONLY)
def test_a_file_that_was_read(label: str, path: str) -> None:
    assert class_of(path, READ) == [label]


@pytest.mark.parametrize(("label", "path"), WRITTEN)
def test_a_file_that_was_written(label: str, path: str) -> None:
    assert class_of(path, WRITE) == [label]


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada/run/.hpcprov/runs/x", "/lustre/.hpcprov/x", "/dev/shm/hpcprov-7-0a/area",
        "/scratch/tmp/hpcprov-7-0a/area", "/venv/lib/hpcprov/python/sitecustomize.py",
    ],
)  # fmt: skip
@pytest.mark.parametrize("flags", [READ, WRITE])
def test_what_hpcprov_does_itself_is_not_counted(path: str, flags: int) -> None:
    assert class_of(path, flags) == []


@pytest.mark.parametrize(
    "cwd", ["/opt/model/run", "/tmp/job", "/var/spool/job", "/usr/local/run", "/home/ada/.work/run"]
)
def test_where_the_job_works_is_data(cwd: str) -> None:
    assert class_of(f"{cwd}/in.txt", READ, cwd=cwd) == ["data"]
    assert class_of(f"{cwd}/out.txt", WRITE, cwd=cwd) == ["data"]


@pytest.mark.parametrize(
    ("cwd", "label", "path"),
    [
        ("/opt/model/run", "software", "/opt/intel/x.txt"),
        ("/usr/local/run", "system", "/usr/lib/libm.so.6"),
        ("/usr", "system", "/usr/lib/libm.so.6"),
        ("/", "system", "/etc/passwd"),
        ("/opt", "software", "/opt/intel/x.txt"),
        ("/home/ada", "configuration", "/home/ada/.config/x"),
        ("/home/ada", "data", "/home/ada/in.txt"),
    ],
)
def test_what_lies_beside_it_is_not(cwd: str, label: str, path: str) -> None:
    assert class_of(path, READ, cwd=cwd) == [label]


def test_a_temporary_directory_of_the_job_is_not() -> None:
    inside = {"environ": {"TMPDIR": f"{CWD}/tmp"}}
    assert class_of(f"{CWD}/tmp/x", WRITE, **inside) == ["scratch"]
    assert class_of("/tmp/x", WRITE, cwd="/") == ["scratch"]


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        (f"{CWD}/solve.py", f"{CWD}/solve.py"),
        ("/opt/tables", "/opt/tables/soil.txt"),
        ("/opt/tables/", "/opt/tables/deep/soil.txt"),
        (f"{CWD}/*.log", f"{CWD}/run.log"),
        (f"{CWD}/**/x.sh", f"{CWD}/a/b/x.sh"),
        (f"{CWD}/r[0-9]?.py", f"{CWD}/r12.py"),
        ("/tmp/out", "/tmp/out"),
        ("/usr/share/proj/proj.db", "/usr/share/proj/proj.db"),
    ],
)
@pytest.mark.parametrize("flags", [READ, WRITE])
def test_what_was_declared_is_data(declared: str, path: str, flags: int) -> None:
    assert class_of(path, flags, declared=[declared]) == ["data"]


@pytest.mark.parametrize("declared", ["/opt/tab", f"{CWD}/*.txt", f"{CWD}/[", "", "/"])
def test_what_was_not_declared_is_not(declared: str) -> None:
    assert class_of("/opt/tables/soil.txt", READ, declared=[declared]) == ["software"]


def test_a_temporary_file_is_counted_once() -> None:
    records = [access(b"a", WRITE), unlink(b"a"), access(b"/tmp/b", WRITE)]
    seen = observed(*records)
    assert seen.observation()["classes"]["scratch"] == {"files": 2}


def test_the_code_is_named_with_its_digest() -> None:
    seen = observed(BASH, access(b"launch", READ), access(b"m.py", READ), access(b"made.py", WRITE), disk=Disk())
    assert seen.observation()["code"] == [
        {"path": f"{CWD}/{name}", "sha256": f"digest of {CWD}/{name}", "size": 9} for name in ("launch", "m.py")
    ]


def test_the_working_directory_is_never_software() -> None:
    places = Places(cwd=CWD, environ=ENVIRON | {"VIRTUAL_ENV": "/home/ada", "CONDA_PREFIX": CWD, "EBROOTX": "/"})
    assert places.prefixes == ()


@pytest.mark.parametrize("flags", [READ, WRITE, area.WRITE | area.CREATE])
def test_a_file_of_the_image_is_no_artifact(flags: int) -> None:
    seen = observed()
    seen.index.file(b"image:/opt/x.csv", flags)
    classes = seen.observation()["classes"]
    assert {label for label in classes if classes[label]["files"]} == {"software" if flags == READ else "scratch"}


def test_an_environment_that_is_made_in_the_run_is_software() -> None:
    made = [access(b"new/pyvenv.cfg", WRITE), access(b"new/bin/activate", WRITE), access(b"new/table.csv", WRITE)]
    seen = observed(*made)
    assert latest(seen.events(True)).keys() == {f"{CWD}/new/table.csv"}
    assert seen.observation()["classes"]["software"] == {"files": 2}

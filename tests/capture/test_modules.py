"""Loaded modules: captured environments, and the real Environment Modules."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from require import require

from hpcprov.capture import modules


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name in ("gcc", "hdf5"):
        (tmp_path / name).write_text(f"#%Module\n# {name}\n")
    return [str(tmp_path / "gcc"), str(tmp_path / "hdf5")]


# What Lmod 8.6.19 keeps after `module load hdf5`, where hdf5 has depends_on("mpi").
TABLE = """_ModuleTable_ = {
MTversion = 3,
depthT = {},
mT = {
hdf5 = {
fn = "/m/hdf5/1.14.lua",
fullName = "hdf5/1.14",
loadOrder = 2,
propT = {},
stackDepth = 0,
status = "active",
userName = "hdf5",
},
mpi = {
fn = "/m/mpi/4.2.lua",
fullName = "mpi/4.2",
loadOrder = 1,
propT = {},
ref_count = 1,
stackDepth = 1,
status = "active",
userName = "mpi/4.2",
},
},
}
"""


def table(text: str) -> dict[str, str]:
    """A module table as Lmod puts it into the environment."""
    coded = base64.b64encode(text.encode()).decode()
    pieces = [coded[start : start + 256] for start in range(0, len(coded), 256)]
    return {f"_ModuleTable{number:03}_": piece for number, piece in enumerate(pieces, 1)}


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_no_module_system() -> None:
    assert modules.collect({"PATH": "/bin"}) == {
        "kind": "none",
        "loaded": [],
        "reason": "no module system is set up in the environment",
    }


def test_set_up_but_nothing_loaded() -> None:
    facts = modules.collect({"MODULES_CMD": "/usr/lib/modulecmd.tcl", "MODULEPATH": "/a::/b:"})
    assert facts == {"kind": "tcl", "path": ["/a", "/b"], "command": "/usr/lib/modulecmd.tcl", "loaded": []}


def test_tcl(files: list[str]) -> None:
    environ = {
        "LOADEDMODULES": "gcc/13:hdf5/1.14",
        "_LMFILES_": ":".join(files),
        "__MODULES_LMTAG": "gcc/13&auto-loaded&keep-loaded:hdf5/1.14&sticky",
    }
    assert modules.collect(environ)["loaded"] == [
        {"name": "gcc/13", "auto": True, "hidden": False, "file": files[0], "sha256": digest(files[0])},
        {"name": "hdf5/1.14", "auto": False, "hidden": False, "file": files[1], "sha256": digest(files[1])},
    ]


def test_lmod(files: list[str]) -> None:
    environ = {
        "LMOD_VERSION": "8.7.14",
        "LMOD_CMD": "/opt/lmod/libexec/lmod",
        "MODULEPATH": "/opt/modulefiles",
        "LOADEDMODULES": "hdf5/1.14",
        "_LMFILES_": files[1],
    } | table(TABLE)
    assert modules.collect(environ) == {
        "kind": "lmod",
        "version": "8.7.14",
        "command": "/opt/lmod/libexec/lmod",
        "path": ["/opt/modulefiles"],
        "loaded": [{"name": "hdf5/1.14", "auto": False, "hidden": False, "file": files[1], "sha256": digest(files[1])}],
    }


def test_environment_modules_4_names_what_no_user_asked_for() -> None:
    facts = modules.collect({"LOADEDMODULES": "gcc/9:hdf5/1.10", "MODULES_LMNOTUASKED": "gcc/9"})
    assert [entry["auto"] for entry in facts["loaded"]] == [True, False]


@pytest.mark.parametrize("name", [".gcc/13", "gcc/.13", "core/.gcc/13"])
def test_names_with_a_dot_are_hidden(name: str) -> None:
    facts = modules.collect({"LOADEDMODULES": f"{name}:gcc/1.3:g.c/1"})
    assert [entry["hidden"] for entry in facts["loaded"]] == [True, False, False]


def test_what_tcl_does_not_list_is_hidden() -> None:
    facts = modules.collect(
        {"LOADEDMODULES": "gcc/13:hdf5/1.14", "__MODULES_LMTAG": "gcc/13&hidden-loaded&auto-loaded"}
    )
    assert [(entry["hidden"], entry["auto"]) for entry in facts["loaded"]] == [(True, True), (False, False)]


def test_what_lmod_loads_for_another_is_automatic() -> None:
    facts = modules.collect({"LMOD_VERSION": "8.6.19", "LOADEDMODULES": "mpi/4.2:hdf5/1.14"} | table(TABLE))
    assert [entry["auto"] for entry in facts["loaded"]] == [True, False]


@pytest.mark.parametrize(
    "pieces",
    [
        {},
        {"_ModuleTable002_": "X01vZHVsZVRhYmxlXyA9IHsK"},
        {"_ModuleTable001_": "not base64!"},
        {"_ModuleTable001_": "\udcff"},
        {"_ModuleTable001_": "X01v", "_ModuleTable002_": "Z"},
    ],
)
def test_a_damaged_table_of_lmod_tells_nothing(pieces: dict[str, str]) -> None:
    facts = modules.collect({"LMOD_VERSION": "8", "LOADEDMODULES": "a", "_LMFILES_": "/nowhere/a"} | pieces)
    assert "auto" not in facts["loaded"][0] and "table is missing or damaged" in facts["reason"]


def test_a_table_with_floods_of_letters_and_digits_is_read_all_the_same() -> None:
    flood = 'fullName = "' + "a" * 300_000 + "\n" + "stackDepth = " + "9" * 300_000 + ",\n"
    assert modules.loaded_by_lmod(table(flood + TABLE)) == {"mpi/4.2"}


def test_lists_that_do_not_fit_are_said(files: list[str]) -> None:
    facts = modules.collect({"LOADEDMODULES": "a:b:c", "_LMFILES_": ":".join(files)})
    assert [entry["name"] for entry in facts["loaded"]] == ["a", "b", "c"]
    assert not any("file" in entry for entry in facts["loaded"])
    assert facts["reason"] == "LOADEDMODULES names 3 modules and _LMFILES_ 2 files: files are not recorded"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (lambda path: os.mkfifo(path), "is not a regular file"),
        (lambda path: path.write_bytes(bytes(modules.MODULE_FILE_LIMIT + 1)), "bytes, more than the"),
    ],
)
def test_module_files_that_can_not_be_read(tmp_path: Path, make: Any, reason: str) -> None:
    make(tmp_path / "odd")
    facts = modules.collect({"LOADEDMODULES": "odd", "_LMFILES_": str(tmp_path / "odd")})
    assert reason in facts["loaded"][0]["reason"] and "sha256" not in facts["loaded"][0]


def test_a_flood_of_modules_is_bounded() -> None:
    facts = modules.collect({"LOADEDMODULES": ":".join(f"m{number}" for number in range(1500))})
    assert len(facts["loaded"]) == modules.MOST_MODULES and "1500 modules" in facts["reason"]


def test_names_that_are_not_utf8(files: list[str]) -> None:
    facts = modules.collect({"LOADEDMODULES": "\udcff", "_LMFILES_": files[0]})
    assert json.loads(json.dumps(facts))["loaded"][0]["name"] == "\udcff"


def test_what_environment_modules_5_2_really_sets(tmp_path: Path) -> None:
    # Captured after `module use DIR; module load --auto a`, where a has `prereq b`.
    for name in ("a", "b"):
        (tmp_path / name).write_text("#%Module\n")
    environ = {
        "MODULESHOME": "/usr/share/modules",
        "MODULES_CMD": "/usr/lib/x86_64-linux-gnu/modulecmd.tcl",
        "MODULEPATH": f"{tmp_path}:/etc/environment-modules/modules:/usr/share/modules/$MODULE_VERSION/modulefiles",
        "LOADEDMODULES": "b:a",
        "_LMFILES_": f"{tmp_path}/b:{tmp_path}/a",
        "__MODULES_LMPREREQ": "a&b",
        "__MODULES_LMTAG": "b&auto-loaded",
    }
    facts = modules.collect(environ)
    assert facts["kind"] == "tcl" and "reason" not in facts
    assert [(entry["name"], entry["auto"], "sha256" in entry) for entry in facts["loaded"]] == [
        ("b", True, True),
        ("a", False, True),
    ]


# kind, file to source, module files, how to load. tests/cluster/test_modules.py has both at once, in jobs.
REAL = {
    "tcl": (
        "/usr/share/modules/init/bash",
        {"mpi/4.2": "#%Module\n", "solver/1.0": "#%Module\nprereq mpi/4.2\n"},
        "--auto",
    ),
    "lmod": (
        "/usr/share/lmod/lmod/init/bash",
        {"mpi/4.2.lua": "setenv('MPI', '1')\n", "solver/1.0.lua": "depends_on('mpi/4.2')\n"},
        "",
    ),
}


def test_real_modules(tmp_path: Path) -> None:
    kind = next((kind for kind, (init, *_) in REAL.items() if Path(init).exists()), None)
    require("modules", kind)
    init, files, option = REAL[str(kind)]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = f"source {init}; module use '{tmp_path}'; module load {option} solver/1.0; {show}"
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=clean)
    facts = modules.collect(json.loads(output.stdout.splitlines()[-1]))
    assert facts["kind"] == kind and str(tmp_path) in facts["path"] and "reason" not in facts
    assert [entry["name"] for entry in facts["loaded"]] == ["mpi/4.2", "solver/1.0"]
    assert [entry["auto"] for entry in facts["loaded"]] == [True, False]
    assert [entry["sha256"] for entry in facts["loaded"]] == [digest(str(tmp_path / name)) for name in sorted(files)]


def test_no_secret_gets_through() -> None:
    """As in the environment, where the same variables are scrubbed."""
    variables = {"MODULEPATH": "/a:https://ada:hunter2@h", "LMOD_CMD": "/x --token hunter2"}
    facts = modules.collect(variables | {"LMOD_VERSION": "token=hunter2", "LOADEDMODULES": "gcc/13:token=hunter2"})
    assert "hunter2" not in json.dumps(facts) and [one["name"] for one in facts["loaded"]] == ["gcc/13", "token=***"]

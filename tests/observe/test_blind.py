"""Programs that the preloaded library does not reach: marked blind with name and digest, never silently absent; what
they start is seen again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Site
from tests.require import require

from .watching import PROBE, narrow, static_programs
from .whole import below, compare

__all__ = ["narrow", "static_programs"]
NOBODY = 65534


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`probe/plain.c`, linked as usual."""
    path = tmp_path_factory.mktemp("plain") / "plain"
    subprocess.run(["cc", "-o", path, PROBE / "plain.c"], check=True)
    return path


def row(record: dict[str, Any], program: Path) -> dict[str, Any]:
    """A program's row in the record."""
    rows: list[dict[str, Any]] = record["observation"]["programs"]
    (found,) = (one for one in rows if one["path"] == os.path.realpath(program))
    return found


def check_marked(record: dict[str, Any], program: Path, why: str) -> None:
    """A blind program stands there with its digest, and nobody believes that all was seen."""
    found = row(record, program)
    assert (found["blind"], found["exits"]) == (why, {"0": 1})
    assert found["sha256"] == hashlib.sha256(program.read_bytes()).hexdigest()
    assert not record["observation"]["complete"]
    assert f"could not look into: {os.path.realpath(program)} ({why})" in [one["text"] for one in record["problems"]]


@pytest.mark.parametrize("way", ["first", "child"])
def test_a_static_program_is_marked(site: Site, static_programs: Path, way: str) -> None:
    program = static_programs / "plain"
    argv = [program] if way == "first" else ["sh", "-c", f"'{program}' && cat in2 > copy"]
    record = compare(site, argv)
    check_marked(record, program, "static")
    assert below(site, record, "used") == (set() if way == "first" else {"in2"})
    assert below(site, record, "generated") == (set() if way == "first" else {"copy"})


def test_what_a_static_program_starts_is_seen(site: Site, static_programs: Path, plain: Path) -> None:
    record = compare(site, ["sh", "-c", f"'{static_programs}/processes' system && '{static_programs}/processes' vfork"])
    assert below(site, record, "used") == {"in"}
    (cat, *more) = [one for one in record["observation"]["programs"] if os.path.basename(one["argv"][0]) == "cat"]
    assert cat["blind"] is None
    parents = {one["id"]: one for one in record["observation"]["programs"]}
    assert {parents[one["parent"]]["blind"] for one in (cat, *more)} <= {"static", None}


def test_a_program_of_32_bits_is_marked(site: Site, narrow: Path) -> None:
    """The loader's complaint about a library of 64 bits must not reach stderr: `compare` looks."""
    record = compare(site, ["sh", "-c", f"'{narrow}' && cat in2 > copy"])
    check_marked(record, narrow, "other abi")
    assert below(site, record, "used") == {"in2"} and below(site, record, "generated") == {"copy"}


def test_a_set_user_id_program_is_marked(site: Site, plain: Path, tmp_path: Path, as_root: None) -> None:
    """The loader drops what is preloaded for one whose user is another than ours."""
    program = tmp_path / "privileged"
    shutil.copy(plain, program)
    os.chown(program, NOBODY, NOBODY)
    program.chmod(0o4755)
    for directory in (site.cwd, *site.cwd.parents[:3]):
        directory.chmod(0o777)
    record = compare(site, ["sh", "-c", f"chmod 666 in; rm -f out; '{program}' && cat in2 > copy"])
    check_marked(record, program, "set-id")
    assert below(site, record, "used") == {"in2"} and below(site, record, "generated") == {"copy"}


@pytest.mark.parametrize("way", ["first", "child"])
def test_a_set_user_id_program_sees_its_environment_as_without(
    site: Site, tmp_path: Path, as_root: None, way: str
) -> None:
    """Its children would not load the library, so nobody would take the variables out of sight."""
    program = tmp_path / "env"
    shutil.copy(shutil.which("env") or "/usr/bin/env", program)
    os.chown(program, NOBODY, NOBODY)
    program.chmod(0o4755)
    words = [str(program), "-u", "HPCPROV_RUN", "LANG=C"]
    record = compare(site, words if way == "first" else ["sh", "-c", f"'{program}' -u HPCPROV_RUN LANG=C"])
    assert row(record, program)["blind"] == "set-id"


def test_busybox_is_marked(site: Site) -> None:
    path = shutil.which("busybox")
    static = path and b"interpreter" not in subprocess.run(["file", "-L", path], capture_output=True).stdout
    require("busybox-static", path and static)
    assert path
    record = compare(site, [path, "sh", "-c", "cp in out; cat out"])
    check_marked(record, Path(path), "static")

"""Which script a command runs, and where its code comes from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from require import require

from hpcprov.capture import code

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "solve.py").write_text("print(1)\n")
    (tmp_path / "model").write_text("#!/bin/sh\n")
    (tmp_path / "model").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "python solve.py in.nc",
        "/usr/bin/python3.11 -u solve.py",
        "python3 -W ignore -X dev solve.py",
        "python3 -Wignore -OO -- solve.py",
        "python3.13t ./solve.py",
        "python -Wexec solve.py",
        "bash -e solve.py",
        "bash -o pipefail -x solve.py",
        "Rscript --vanilla solve.py",
        "julia -t 4 --project=. solve.py",
        "perl -w solve.py",
    ],
)
def test_scripts(folder: Path, line: str) -> None:
    assert code.find_script(line.split(), str(folder), ENVIRON) == str(folder / "solve.py")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("python -c print(1)", "the command gives its program with -c, not as a file"),
        ("python -m pytest solve.py", "the command gives its program with -m, not as a file"),
        ("python -mpytest", "the command gives its program with -mpytest, not as a file"),
        ("python -Im pytest", "the command gives its program with -Im, not as a file"),
        ("bash -lc ls", "the command gives its program with -lc, not as a file"),
        ("perl -ne 1 x", "the command gives its program with -ne, not as a file"),
        ("python -", "the command gives its program with -, not as a file"),
        ("python", "python is given no script"),
        ("python -u --", "python is given no script"),
        ("python -W", "python is given no script"),
        ("python gone.py", "'gone.py' is not a file"),
        ("python .", "'.' is not a file"),
        ("./gone", "the command './gone' was not found"),
        ("surely-not-there", "the command 'surely-not-there' was not found"),
        ("pythonize solve.py", "the command 'pythonize' was not found"),
        ("", "the command is empty"),
    ],
)
def test_no_script(folder: Path, line: str, reason: str) -> None:
    assert code.describe_script(line.split(), str(folder), ENVIRON) == {"reason": reason}


def test_a_program_is_its_own_file(folder: Path) -> None:
    assert code.find_script(["./model", "solve.py"], str(folder), ENVIRON) == str(folder / "model")
    assert code.find_script(["sort"], "/", ENVIRON) == shutil.which("sort")


def test_digest(folder: Path) -> None:
    facts = code.describe_script(["python", "solve.py"], str(folder), ENVIRON)
    digest = hashlib.sha256(b"print(1)\n").hexdigest()
    assert facts == {"path": str(folder / "solve.py"), "sha256": digest, "size": 9}


def test_a_script_that_may_not_be_read(folder: Path) -> None:
    if os.getuid() == 0:
        (folder / "solve.py").unlink()
        (folder / "solve.py").symlink_to("/proc/self/mem")
    else:
        (folder / "solve.py").chmod(0)
    assert "reason" in code.describe_script(["python", "solve.py"], str(folder), ENVIRON)


def git(folder: Path, *args: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *identity, *args], cwd=folder, env=ENVIRON, capture_output=True, check=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    require("git", shutil.which("git"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Start")
    return folder


def test_directory_and_script_in_one_repository(repository: Path) -> None:
    (repository / "deep").mkdir()
    (repository / "deep" / "s.py").write_text("")
    facts = code.collect(["python", "deep/s.py"], str(repository), ENVIRON)
    assert facts["directory"]["path"] == str(repository)
    assert facts["directory"]["git"] == facts["script"]["git"] and facts["script"]["git"]["untracked"] == 1


def test_a_script_elsewhere(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    facts = code.collect(["python", str(repository / "solve.py")], str(elsewhere), ENVIRON)
    assert facts["directory"]["git"] == {"reason": "not a git repository"}
    assert facts["script"]["git"]["branch"] == "main"


def test_a_repository_within_a_repository(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()
    (inner / "s.py").write_text("")
    git(inner, "init", "-q", "-b", "other")
    facts = code.collect(["python", "inner/s.py"], str(repository), ENVIRON)
    assert facts["directory"]["git"]["branch"] == "main" and facts["script"]["git"]["branch"] == "other"


def test_no_script_no_repository(tmp_path: Path) -> None:
    facts = code.collect(["python", "-c", "1"], str(tmp_path), {"PATH": ""})
    assert facts["script"] == {"reason": "the command gives its program with -c, not as a file"}
    assert facts["directory"]["git"]["reason"].startswith("git is not installed")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python3.11", "python"),
        ("/x/bash", "bash"),
        ("R", "R"),
        ("Rscript", "Rscript"),
        ("pythonize", None),
        ("pythont", None),
    ],
)
def test_find_interpreter(command: str, name: str | None) -> None:
    row = code.find_interpreter(command)
    assert (row[0] if row else None) == name

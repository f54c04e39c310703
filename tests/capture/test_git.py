"""Git facts: the pure parts, and real repositories, some of which mean harm."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from require import require

from hpcprov.capture import git

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
QUIET = ENVIRON | {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
}  # fmt: skip


def call(folder: Path, *args: str, text: bool = True) -> str:
    return subprocess.run(["git", *args], cwd=folder, env=QUIET, capture_output=True, text=text, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, in a folder whose name needs quoting."""
    require("git", shutil.which("git"))
    folder = tmp_path / "my 'model'\n"
    folder.mkdir()
    call(folder, "init", "-q", "-b", "main")
    (folder / "solve.py").write_text("print(1)\n")
    call(folder, "add", ".")
    call(folder, "commit", "-q", "-m", "Start")
    return folder


def test_clean(repository: Path) -> None:
    facts = git.describe(str(repository), ENVIRON)
    assert facts == {
        "root": str(repository),
        "commit": call(repository, "rev-parse", "HEAD").strip(),
        "branch": "main",
        "dirty": False,
        "untracked": 0,
    }


def test_dirty_with_tag_remote_and_untracked(repository: Path) -> None:
    call(repository, "tag", "v1.2")
    call(repository, "remote", "add", "origin", "https://ada:hunter2@example.org/model.git")
    (repository / "solve.py").write_bytes(b"print(2)\xff\0\n")
    (repository / "new").write_text("x")
    facts = git.describe(str(repository), ENVIRON)
    diff = subprocess.run(
        ["git", "diff", "--binary", "--full-index", "HEAD"], cwd=repository, env=QUIET, capture_output=True, check=True
    ).stdout
    assert facts["dirty"] is True and facts["untracked"] == 1 and facts["describe"] == "v1.2"
    assert facts["diff"] == {"sha256": hashlib.sha256(diff).hexdigest(), "size": len(diff)}
    assert facts["remote"] == {"name": "origin", "url": "https://***@example.org/model.git"}
    assert "hunter2" not in json.dumps(facts)


def test_staged_changes_are_dirty_too(repository: Path) -> None:
    (repository / "solve.py").write_text("print(3)\n")
    call(repository, "add", ".")
    facts = git.describe(str(repository), ENVIRON)
    assert facts["dirty"] is True and facts["diff"]["size"] > 0


def test_the_diff_does_not_depend_on_the_users_taste(repository: Path) -> None:
    (repository / "solve.py").write_text("print(2)\n")
    plain = git.describe(str(repository), ENVIRON)["diff"]
    for setting in (
        "diff.noprefix=true",
        "diff.algorithm=histogram",
        "color.ui=always",
        "diff.context=9",
        "diff.mnemonicPrefix=true",
    ):
        call(repository, "config", *setting.split("="))
    assert git.describe(str(repository), ENVIRON)["diff"] == plain


def test_inside_a_folder_of_it(repository: Path) -> None:
    (repository / "deep").mkdir()
    assert git.describe(str(repository / "deep"), ENVIRON)["root"] == str(repository)


def test_detached(repository: Path) -> None:
    call(repository, "checkout", "-q", "--detach")
    facts = git.describe(str(repository), ENVIRON)
    assert facts["detached"] is True and "branch" not in facts


def test_no_commit_yet(tmp_path: Path) -> None:
    require("git", shutil.which("git"))
    call(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "file").write_text("x")
    facts = git.describe(str(tmp_path), ENVIRON)
    assert facts["reason"] == "no commit yet" and facts["branch"] == "main" and "commit" not in facts


def test_no_repository(tmp_path: Path) -> None:
    require("git", shutil.which("git"))
    assert git.describe(str(tmp_path), ENVIRON) == {"reason": "not a git repository"}


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    require("git", shutil.which("git"))
    assert "No such file" in git.describe(str(tmp_path / "gone"), ENVIRON)["reason"]


def test_no_git(tmp_path: Path) -> None:
    facts = git.describe(str(tmp_path), {"PATH": str(tmp_path)})
    assert facts == {"reason": "git is not installed (not found on PATH)"}


def test_a_repository_of_another_user(repository: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    facts = git.describe(str(repository), ENVIRON)
    assert facts["reason"].startswith("git refuses a repository of another user") and "commit" not in facts


HARM = (
    ("core.fsmonitor", "{0}"),
    ("diff.external", "{0}"),
    ("core.pager", "{0}"),
    ("pager.status", "{0}"),
    ("pager.diff", "{0}"),
    ("core.hooksPath", "{1}"),
    ("core.sshCommand", "{0}"),
    ("diff.evil.textconv", "{0}"),
    ("diff.evil.command", "{0}"),
    ("filter.evil.clean", "{0}"),
    ("filter.evil.smudge", "{0}"),
    ("filter.evil.process", "{0}"),
    ("filter.evil.required", "true"),
    ("filter.sub.name.clean", "{0}"),
    ("gpg.program", "{0}"),
    ("log.showSignature", "true"),
    ("credential.helper", "!{0}"),
    ("core.editor", "{0}"),
)


def arm(repository: Path, tmp_path: Path) -> Path:
    """Make a repository that runs a program wherever git lets one; the file that it would leave."""
    mark, program, hooks = tmp_path / "ran", tmp_path / "evil", tmp_path / "hooks"
    program.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{mark}'\ncat\n")
    program.chmod(0o755)
    hooks.mkdir()
    for name in ("post-index-change", "pre-auto-gc", "fsmonitor-watchman", "query-watchman"):
        shutil.copy(program, hooks / name)
        shutil.copy(program, repository / ".git" / "hooks" / name)
    for name, value in HARM:
        call(repository, "config", name, value.format(program, hooks))
    (repository / ".git" / "info" / "attributes").write_text("*.py diff=evil filter=evil\n*.nc filter=sub.name\n")
    return mark


def test_a_repository_can_not_make_us_run_anything(repository: Path, tmp_path: Path) -> None:
    (repository / "data.nc").write_text("1\n")
    call(repository, "add", ".")
    call(repository, "commit", "-q", "-m", "Data")
    commit = call(repository, "rev-parse", "HEAD").strip()
    mark = arm(repository, tmp_path)
    for name in ("solve.py", "data.nc"):
        (repository / name).write_text("changed\n")
    facts = git.describe(str(repository), ENVIRON)
    assert not mark.exists(), mark.read_text()
    assert facts["commit"] == commit and facts["dirty"] is True and facts["diff"]["size"] > 0
    assert facts["filters_off"] == ["evil", "sub.name"]


def test_the_trap_of_the_test_above_works(repository: Path, tmp_path: Path) -> None:
    mark = arm(repository, tmp_path)
    (repository / "solve.py").write_text("changed\n")
    subprocess.run(["git", "diff", "HEAD"], cwd=repository, env=QUIET, capture_output=True, check=False)
    assert mark.exists()


def test_a_filter_of_the_included_configuration_is_switched_off_too(repository: Path, tmp_path: Path) -> None:
    (repository / ".git" / "more").write_text('[filter "evil"]\n\tclean = touch ran; cat\n')
    call(repository, "config", "include.path", "more")
    (repository / ".git" / "info" / "attributes").write_text("*.py filter=evil\n")
    (repository / "solve.py").write_text("changed\n")
    assert git.describe(str(repository), ENVIRON)["filters_off"] == ["evil"]
    assert not (repository / "ran").exists()


def test_a_submodule_can_not_make_us_run_anything(repository: Path, tmp_path: Path) -> None:
    # Git's own submodule script does not bear the name of the fixture's folder.
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    shutil.copytree(repository, inner)
    repository = Path(shutil.copytree(repository, outer))
    call(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    call(repository, "commit", "-q", "-m", "Submodule")
    folder = repository / ".git" / "modules" / "sub"
    mark = tmp_path / "ran"
    for name in ("filter.evil.clean", "core.fsmonitor", "diff.external"):
        call(repository / "sub", "config", name, f"touch '{mark}'; cat")
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "attributes").write_text("*.py filter=evil\n")
    (repository / "sub" / "solve.py").write_text("changed\n")
    facts = git.describe(str(repository), ENVIRON)
    assert facts["dirty"] is False and not mark.exists()


def test_the_callers_git_variables_stay_behind(repository: Path, tmp_path: Path) -> None:
    other = ENVIRON | {"GIT_DIR": str(tmp_path), "GIT_EXTERNAL_DIFF": "false", "GIT_TRACE": str(tmp_path / "trace")}
    assert git.describe(str(repository), other)["root"] == str(repository)
    assert not (tmp_path / "trace").exists()


def test_the_index_is_not_written(repository: Path) -> None:
    os.utime(repository / "solve.py", (1, 1))
    before = (repository / ".git" / "index").read_bytes()
    assert git.describe(str(repository), ENVIRON)["dirty"] is False
    assert (repository / ".git" / "index").read_bytes() == before


def test_time_is_limited(repository: Path, tmp_path: Path) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    real = shutil.which("git")
    (slow / "git").write_text(f'#!/bin/sh\ncase "$*" in *status*) sleep 300;; *) exec {real} "$@";; esac\n')
    (slow / "git").chmod(0o755)
    for timeout in (0.5, 5, 50):  # on a busy machine what answers may need longer
        facts = git.describe(str(repository), ENVIRON | {"PATH": f"{slow}:{ENVIRON['PATH']}"}, timeout=timeout)
        if "root" in facts:
            break
    assert facts == {"root": str(repository), "reason": f"git did not answer within {timeout} s"}


def test_a_damaged_repository(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("garbage")
    assert git.describe(str(repository), ENVIRON) == {"reason": "not a git repository"}


@pytest.mark.parametrize(
    ("listing", "branch", "remote"),
    [
        ("", "main", None),
        ("remote.origin.url\nU\0", "main", {"name": "origin", "url": "U"}),
        ("remote.up.url\nU\0remote.origin.url\nO\0branch.main.remote\nup\0", "main", {"name": "up", "url": "U"}),
        ("remote.up.url\nU\0remote.two.url\nO\0", "main", {"name": "up", "url": "U"}),
        ("remote.up.url\nU\0branch.main.remote\n.\0", "main", {"name": "up", "url": "U"}),
        ("remote.a.b.url\nssh://git@h/x\0", "x", {"name": "a.b", "url": "ssh://git@h/x"}),
        (
            "remote.origin.url\nhttps://h/x?private_token=t0k\0",
            "x",
            {"name": "origin", "url": "https://h/x?private_token=***"},
        ),
        ("remote.origin.url\nhttps://t0k@h/x\0", "x", {"name": "origin", "url": "https://***@h/x"}),
    ],
)
def test_choose_remote(listing: str, branch: str, remote: dict[str, str] | None) -> None:
    assert git.choose_remote(listing, {"branch": branch}) == remote


def test_parse_status() -> None:
    text = "# branch.oid 4f2a\0# branch.head a b\0# branch.ab +1 -0\x001 .M N... 1 1 1 a b c\0? x\0? y/\0"
    assert git.parse_status(text) == {"commit": "4f2a", "branch": "a b", "dirty": True, "untracked": 2}


@given(st.text())
def test_parsers_take_any_text(text: str) -> None:
    json.dumps([git.parse_status(text), git.filter_names(text), git.choose_remote(text, {})])

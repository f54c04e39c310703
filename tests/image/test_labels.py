"""Labels: which are allowed, and what a repository, a run and an image give."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch

from hpcprov.capture import git
from hpcprov.capture.container import sif
from hpcprov.image import labels
from hpcprov.merge.publish import merge_run
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import Store

from . import build

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def test_the_last_of_one_key_counts() -> None:
    assert labels.parse(["a=1", "b= x=y ", "a=2", "c="]) == {"a": "2", "b": "x=y", "c": ""}


@pytest.mark.parametrize("text", ["a", "", "password=x", "api_key=1", "url=https://ada:pw@host/x", "x=ghp_" + "a" * 36])
def test_what_is_no_label_or_a_secret_is_refused(text: str) -> None:
    with pytest.raises(HpcprovError, match="label"):
        labels.parse([text])


@pytest.mark.parametrize(
    "label",
    [
        {"": "x"}, {"a b": "x"}, {"a=b": "x"}, {"#a": "x"}, {"%a": "x"}, {"a\n": "x"}, {"k" * 300: "x"}, {"ä": "x"},
        {"a": "x\x1b[31m"}, {"a": "one\ntwo"}, {"a": "\u202eevil"}, {"a": "\udcff"}, {"a": "x" * (1 << 20)},
    ],
    ids=range(13),
)  # fmt: skip
def test_what_cannot_be_shown_or_kept_is_refused(label: dict[str, str]) -> None:
    with pytest.raises(HpcprovError) as caught:
        labels.check(label)
    assert caught.value.message.isprintable() and len(caught.value.message) < 300


def repository(folder: Path, *commands: str) -> dict[str, Any]:
    for command in ("git init -q -b main", "git commit -q --allow-empty -m x", *commands):
        words = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command.split()[1:]]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return git.describe(str(folder), ENVIRON)


def test_from_a_repository(tmp_path: Path) -> None:
    facts = repository(tmp_path, "git tag v1.2", "git remote add origin https://ada:s3cr3t@host.example/model.git")
    assert labels.from_git(facts) == {
        "org.opencontainers.image.revision": facts["commit"],
        "org.opencontainers.image.source": "https://host.example/model.git",
        "org.opencontainers.image.version": "v1.2",
    }


def test_from_a_working_tree_with_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    repository(tmp_path, "git add a", "git commit -q -m a")
    (tmp_path / "a").write_text("2")
    facts = git.describe(str(tmp_path), ENVIRON)
    found = labels.from_git(facts)
    assert found["io.hpcprov.dirty"] == "true" and found["io.hpcprov.diff"] == f"sha256:{facts['diff']['sha256']}"


def test_without_a_commit(tmp_path: Path) -> None:
    with pytest.raises(HpcprovError, match="not a git repository"):
        labels.from_git(git.describe(str(tmp_path), ENVIRON))


def record_of(folder: Path, launch: Launch) -> dict[str, Any]:
    store = Store(str(folder / ".hpcprov"))
    launch.write(store.run("build-run"))
    (place,) = merge_run(store, "build-run")
    return model.load(f"{place}/record.json")


def test_from_a_run(tmp_path: Path) -> None:
    code = {"directory": {"git": {"commit": "3f1c", "dirty": False, "remote": {"name": "o", "url": "https://h/m"}}}}
    argv = ["apptainer", "build", "x y.sif", "x.def"]
    record = record_of(tmp_path, Launch().start(argv=argv).exit().agent().fact("code", code))
    assert labels.from_run(record) == {
        "io.hpcprov.run": "build-run",
        "io.hpcprov.record": record["seal"]["record"],
        "io.hpcprov.command": "apptainer build 'x y.sif' x.def",
        "org.opencontainers.image.revision": "3f1c",
        "org.opencontainers.image.source": "https://h/m",
    }


@pytest.mark.parametrize(
    "code", [None, 3, {}, {"directory": 1}, {"directory": {"git": []}}, {"directory": {"git": {}}}]
)
def test_from_a_run_whose_code_is_not_known(tmp_path: Path, code: Any) -> None:
    found = labels.from_run(record_of(tmp_path, Launch().start().exit().agent().fact("code", code)))
    assert {key for key in found if key.startswith(labels.OCI)} == set()


def test_commands_that_cannot_be_shown_become_labels_that_can(tmp_path: Path) -> None:
    argv = ["build", "a\x1b[31m\n", "\udcff", "x" * 100_000]
    found = labels.from_run(record_of(tmp_path, Launch().start(argv=argv).exit()))
    labels.check(found)
    assert "\\x1b" in found["io.hpcprov.command"]


def test_a_run_that_is_not_over() -> None:
    with pytest.raises(HpcprovError, match="no sealed record"):
        labels.from_run({"run": {"id": "x", "argv": []}})


def test_from_an_image(tmp_path: Path) -> None:
    things = build.plain({"org.label-schema.usage.apptainer.version": "1.4.5"})
    with sif.opened(build.written(tmp_path, build.image(things))) as image:
        assert labels.from_image(image) == {
            "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
            "io.hpcprov.built-with": "apptainer 1.4.5",
            "io.hpcprov.definition": build.sha(build.DEFINITION_TEXT),
        }


@pytest.mark.parametrize("created", [-62135596800, 0, (1 << 63) - 1])
def test_an_image_without_times(tmp_path: Path, created: int) -> None:
    with sif.opened(build.written(tmp_path, build.image([build.partition(b"x")], created=created))) as image:
        assert labels.from_image(image) == {}

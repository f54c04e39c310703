"""Patterns of inputs and outputs -> artifacts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcprov.agent.declared import changes, matches, resolve, stamps


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("a.npy", "b.npy", "sub/c.npy", "with [brackets].npy", "new\nline.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.npy", ["a.npy"]),
        ("./sub/../a.npy", ["a.npy"]),
        ("?.npy", ["a.npy", "b.npy"]),
        ("**/c.npy", ["sub/c.npy"]),
        ("with [brackets].npy", ["with [brackets].npy"]),
        ("with *.npy", ["with [brackets].npy"]),
        ("new*", ["new\nline.npy"]),
        ("nothing.npy", ["nothing.npy"]),
        ("nothing*.npy", ["nothing*.npy"]),
    ],
)
def test_a_pattern_names_files_or_itself(data: Path, pattern: str, names: list[str]) -> None:
    assert matches(str(data), pattern) == [str(data / name) for name in names]


def test_a_working_directory_is_no_pattern(tmp_path: Path) -> None:
    odd = tmp_path / "run[1]*"
    odd.mkdir()
    (odd / "x.npy").touch()
    assert matches(str(odd), "*.npy") == [str(odd / "x.npy")]


def test_absolute_patterns(data: Path) -> None:
    assert matches("/", f"{data}/?.npy") == [str(data / "a.npy"), str(data / "b.npy")]


def test_ranks_declare_together_and_each_once(data: Path) -> None:
    starts = [
        {"cwd": str(data), "inputs": ["a.npy"], "outputs": ["?.npy"]},
        {"cwd": str(data / "sub"), "outputs": ["../a.npy", "c.npy"]},
    ]
    found = resolve(starts)
    assert [(f["role"], os.path.basename(f["path"]), f["declared"]) for f in found] == [
        ("generated", "a.npy", ["?.npy", "../a.npy"]),
        ("generated", "b.npy", ["?.npy"]),
        ("generated", "c.npy", ["c.npy"]),
        ("used", "a.npy", ["a.npy"]),
    ]
    assert [f["path"] for f in resolve(reversed(starts))] == [f["path"] for f in found]


def test_foreign_starts_declare_nothing() -> None:
    assert resolve([{}, {"inputs": None}, {"inputs": [3, None, {"a": 1}], "cwd": None}]) == []


def test_an_input_that_changed_is_told(data: Path) -> None:
    artifacts = resolve([{"cwd": str(data), "inputs": ["?.npy"], "outputs": ["sub/c.npy"]}])
    before = stamps(artifacts)
    assert changes(before, stamps(artifacts)) == []
    (data / "a.npy").write_bytes(b"more")
    (data / "b.npy").unlink()
    (data / "sub" / "c.npy").write_bytes(b"outputs may change")
    assert changes(before, stamps(artifacts)) == [
        f"the input {data}/a.npy changed while the run was going on",
        f"the input {data}/b.npy was removed while the run was going on",
    ]

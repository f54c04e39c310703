"""Patterns of inputs and outputs -> artifacts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent import walking
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


def test_links_that_lead_back_are_not_followed(data: Path) -> None:
    for name in ("one", "two", "three"):
        (data / "sub" / name).symlink_to(data)
    began = time.monotonic()
    assert matches(str(data), "**/c.npy") == [str(data / "sub" / "c.npy")]
    assert time.monotonic() - began < 20
    assert matches(str(data), "sub/one/?.npy") == [str(data / "sub" / "one" / name) for name in ("a.npy", "b.npy")]


def test_the_tools_own_store_is_named_by_no_pattern(data: Path) -> None:
    (data / ".hpcprov").mkdir()
    (data / ".hpcprov" / "x.npy").touch()
    for pattern in ("**", "**/x.npy", ".*/x.npy", ".*"):
        assert not [path for path in matches(str(data), pattern) if "hpcprov" in path]


@pytest.mark.parametrize(
    ("limit", "value", "reason"), [("MOST_NAMES", 2, "more than 2 names"), ("SECONDS", -1.0, "too long to look for")]
)
def test_a_pattern_that_names_too_much_is_one_artifact(
    data: Path, limit: str, value: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, limit, value)
    (found,) = resolve([{"cwd": str(data), "outputs": ["**/*.npy"]}])
    assert (found["path"], found["declared"]) == (str(data / "**" / "*.npy"), ["**/*.npy"])
    assert found["reason"].startswith(reason) and found["reason"].endswith("not looked at")


def test_what_was_looked_up_is_not_looked_up_again(data: Path) -> None:
    start = {"event": "start", "cwd": str(data), "inputs": ["?.npy"], "outputs": ["sub/*.npy"]}
    told: list[dict[str, Any]] = []
    before = resolve([start], role="used", tell=lambda event, **keys: told.append({"event": event, "time": 1} | keys))
    (data / "n.npy").touch()
    (data / "sub" / "n.npy").touch()
    late = {**told[0], "time": 2, "paths": []}
    found = resolve([late, start, *told])
    assert [one for one in found if one["role"] == "used"] == before
    assert [os.path.basename(one["path"]) for one in found if one["role"] == "generated"] == ["c.npy", "n.npy"]

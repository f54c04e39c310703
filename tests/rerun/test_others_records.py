"""A record that somebody else made, or edited: nothing that it names is run before that was asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands.conftest import Call, publish
from commands.conftest import call as call
from commands.conftest import store as store
from merge.build import Launch

from hpcprov.record import layout
from hpcprov.record.layout import Store


@pytest.fixture
def mark(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What exists as soon as something that the run `theirs` names was run: a shell's start file, git, modules."""
    mark = tmp_path / "mark"
    (tmp_path / "modules/init").mkdir(parents=True)
    (tmp_path / "modules/init/bash").write_text('module() { [ "$1" = purge ] || LOADEDMODULES="$2"; }\n')
    monkeypatch.setenv("MODULESHOME", str(tmp_path / "modules"))
    (tmp_path / "bin").mkdir()
    for name in ("git", "bash"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {mark}\n")
        program.chmod(0o755)
    (tmp_path / "start").write_text(f"touch {mark}\n")
    variables = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "BASH_ENV": str(tmp_path / "start")}
    launch = Launch().start(argv=["touch", str(mark)], cwd=str(tmp_path)).env(**variables).exit().agent()
    git = {"root": str(tmp_path), "commit": "0" * 40, "dirty": False}
    launch.fact("modules", {"loaded": [{"name": "gcc/13.2"}]}).fact("code", {"directory": {"git": git}}).ended(1)
    publish(store, "theirs", launch)
    return mark


def test_what_this_user_ran_may_be_looked_at_with_its_modules(call: Call, mark: Path) -> None:
    call("rerun", "theirs", "--check")
    assert mark.exists(), "else the tests below could not fail"


def test_git_is_this_users_own(call: Call, mark: Path) -> None:
    Path(mark.parent, "start").write_text("")
    call("rerun", "theirs", "--check")
    assert not mark.exists()


@pytest.mark.parametrize("how", ["imported", "edited", "another user's"])
@pytest.mark.parametrize("words", [["--check"], [], ["--in", "elsewhere"]])
def test_nothing_that_it_names_is_run(
    how: str, words: list[str], call: Call, store: Store, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,) = Path(store.root).glob("records/*/*/*/theirs")
    if how == "imported":
        (place / layout.IMPORTED).write_text("{}")
    elif how == "edited":
        record = json.loads((place / layout.RECORD).read_text())
        (place / layout.RECORD).write_text(json.dumps(record | {"problems": []} | {"revision": 7}))
    else:
        monkeypatch.setattr(layout, "is_ours", lambda path: False)
        monkeypatch.setenv("HPCPROV_TRUST_STORE", "1")
    status, out, _ = call("rerun", "theirs", *words)
    assert status == 2 and not mark.exists()
    assert {"imported": "was imported", "edited": "CHANGED", "another user's": "another user's"}[how] in out

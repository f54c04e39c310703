"""Programs that track what they do: in this process with a log alone, or in one of their own with all there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent.journal import Journal
from hpcprov.merge.groups import Group
from hpcprov.merge.publish import compose
from hpcprov.merge.read import read_run
from hpcprov.tracking import session, trouble
from hpcprov.tracking.recorder import Recorder
from tests.merge.build import Launch
from tests.record_check import check_folded, check_record

Record = dict[str, Any]


class Going:
    """A run that goes on in this process, whose record can be folded at any time."""

    def __init__(self, directory: Path, *, observed: bool = False) -> None:
        self.directory = directory
        launch = Launch(size=1).start(agent=False, inputs=[], outputs=[]).write(directory)
        self.journal = Journal(str(directory / launch.name), "n1")
        self.recorder = Recorder(self.journal, run_id="r1", rank=0, observed=observed)
        session.state.recorder = self.recorder

    def record(self, *, over: bool = True) -> Record:
        self.recorder.flush()
        record = compose(Group(read_run(str(self.directory))), run_id="r1", over=over)
        check_folded({key: value for key, value in record.items() if key != "output"})
        return record

    def steps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.record().get("steps", [])
        return found

    def artifacts(self, role: str) -> dict[str, dict[str, Any]]:
        return {one["path"]: one for one in self.record()["artifacts"][role]}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test inherits a run, or leaves one behind."""
    for name in ("HPCPROV_RUN", "HPCPROV", "HPCPROV_DIR", "SLURM_SUBMIT_DIR"):
        monkeypatch.delenv(name, raising=False)
    trouble.told.clear()
    yield
    session.state.recorder = session.state.launch = session.state.looked = None
    session.state.implicit = session.state.failed = False


@pytest.fixture
def going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Going]:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    found = Going(tmp_path / "r1")
    descriptor = found.journal.fd
    yield found
    os.close(descriptor)


class Place:
    """A directory in which programs run that use hpcprov."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        left = ("HPCPROV_RUN", "HPCPROV_DIR", "SLURM_", "PMI", "OMPI_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(left)}
        self.env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def call(self, *words: str, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(words, cwd=self.cwd, env=self.env | env, capture_output=True, text=True, timeout=120)
        assert status is None or done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done

    def python(self, code: str, *before: str, status: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        (self.cwd / "program.py").write_text(code)
        return self.call(*before, sys.executable, "program.py", status=status, **env)

    def records(self, count: int = 1) -> list[Record]:
        """The records, oldest first, when there are so many and nothing goes on any more."""
        until = time.monotonic() + 120
        while True:
            paths = sorted(self.cwd.glob(".hpcprov/records/*/*/*/*/record.json"))
            if len(paths) >= count and not list(self.cwd.glob(".hpcprov/runs/*")):
                break
            assert time.monotonic() < until, f"{len(paths)} records of {count}"
            time.sleep(0.05)
        found = [check_record(json.loads(path.read_text()), str(path.parent)) for path in paths]
        assert len(found) == count
        return sorted(found, key=lambda record: record["run"]["start"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)

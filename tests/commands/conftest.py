"""A store with a few runs in it, and the command line called in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from merge.build import Launch
from merge.build import publish as publish

from hpcprov.cli import main
from hpcprov.record.layout import Store

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store in the working directory."""
    for name in ("HPCPROV_DIR", "SLURM_SUBMIT_DIR", "HPCPROV_DEBUG", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    store = Store(str(tmp_path / ".hpcprov"))
    os.makedirs(store.runs)
    return store


@pytest.fixture
def call(store: Store, capsys: pytest.CaptureFixture[str]) -> Call:
    return calling(capsys)


def calling(capsys: pytest.CaptureFixture[str]) -> Call:
    """A function that calls `hpcprov WORDS`: exit status, standard output, standard error."""

    def called(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(list(words))
        out, err = capsys.readouterr()
        return status, out, err

    return called


@pytest.fixture
def runs(store: Store) -> Store:
    """Three finished runs on three days, and one that is lost and not settled."""
    publish(store, "first", Launch().start(name="spin-up", tags={"case": "a"}).exit())
    job = (
        Launch(launcher="slurm", size=2)
        .start(0, day(1), name="ocean", tags={"case": "b", "x": "1"})
        .start(1, day(1))
        .exit(0, day(1) + 3)
    )
    publish(
        store,
        "slurm-alps-4711.0",
        job.exit(1, day(1) + 4, code=9)
        .agent(day(1))
        .fact("scheduler", {"name": "slurm", "job_id": "4711", "step_id": "0"}),
    )
    publish(
        store,
        "slurm-alps-4711.1",
        Launch(launch="7-7")
        .start(at=day(2))
        .exit(at=day(2) + 1)
        .agent(day(2))
        .fact("scheduler", {"job_id": "4711", "step_id": "1"}),
    )
    Launch(launch="8-8").start(at=day(3), name="lost").write(store.run("lost-run"))
    return store


def day(number: int) -> float:
    return 86400.0 * number

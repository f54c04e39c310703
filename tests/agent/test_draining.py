"""When what was seen is told while a run goes on."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpcprov.agent import draining
from hpcprov.agent.journal import Journal


@pytest.mark.parametrize(("told", "seconds"), [(0, 60), (12_000, 60), (60_000, 300), (1 << 30, 3600)])
def test_the_more_was_told_the_later_is_the_next_telling(told: int, seconds: float) -> None:
    assert draining.interval(told) == seconds


def test_a_run_of_days_tells_some_bytes_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 kB at each telling, looked for every second of a day."""
    journal = Journal(str(tmp_path / "log"), "n1")
    nobody: Any = SimpleNamespace(areas=[])
    made = draining.Draining(nobody, journal, nobody)
    idle: Any = SimpleNamespace(feed=lambda seen: 0, area=SimpleNamespace(identity=(0, 0)))
    made.readers, made.seen, clock = [idle], nobody, [made.began]
    monkeypatch.setattr(made, "tell", lambda digests: os.write(journal.fd, bytes(20_000)))
    monkeypatch.setattr(draining, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for _ in range(86400):
        clock[0] += 1
        made.look()
    assert os.path.getsize(journal.path) == 20_000 * (3 + (86400 - 15) // 100)

"""Nothing slow stands between the agent's start and its answers to launchers."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent import facts, opening
from hpcprov.agent.journal import Journal
from hpcprov.agent.opening import Opening


def test_a_large_log_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.txt").write_text("before")
    go_on = threading.Event()

    def slow(log: str) -> list[dict[str, Any]]:
        go_on.wait(20)
        return [{"event": "start", "cwd": str(tmp_path), "inputs": ["in.*"]}]

    monkeypatch.setattr(opening, "own_starts", slow)
    monkeypatch.setattr(facts, "KINDS", ())
    journal = Journal(str(tmp_path / "n.log"), "n")
    began = time.monotonic()
    found = Opening(journal, None)
    found.wait(0.1)
    assert time.monotonic() - began < 5 and found.first == {} and found.changes() == []
    go_on.set()
    found.wait(20)
    (tmp_path / "in.txt").write_text("after this")
    assert found.first["inputs"] == ["in.*"]
    assert found.changes() == [f"the input {tmp_path}/in.txt changed while the run was going on"]
    assert b'"declared"' in (tmp_path / "n.log").read_bytes()
    os.close(journal.fd)

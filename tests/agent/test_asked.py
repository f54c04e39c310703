"""What launch lines asked for beyond signatures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hpcprov.agent.asked import Asked, asked
from hpcprov.agent.journal import Journal
from hpcprov.record.layout import Store


def run_of(tmp_path: Path, *starts: dict[str, Any]) -> str:
    store = Store(str(tmp_path))
    os.makedirs(store.run("r"))
    journal = Journal(store.log("r", "n.1-1.0.log"), "n")
    for rank, start in enumerate(starts):
        journal.write("start", rank=rank, pid=rank + 1, cwd="/data", **start)
    return store.run("r")


def test_nothing_was_asked_for(tmp_path: Path) -> None:
    assert asked(run_of(tmp_path, {}, {})) == Asked(False, False, [])


def test_what_any_rank_asked_for_counts_once(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"stats": True, "constraints": ["c.json", "/etc/c.json"]}, {"constraints": ["c.json"]})
    assert asked(run) == Asked(True, False, ["/data/c.json", "/etc/c.json"])


def test_words_of_other_types_ask_for_nothing(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"stats": "yes", "embed": 1, "constraints": "c.json"}, {"constraints": [5, "", None]})
    assert asked(run) == Asked(False, False, [])

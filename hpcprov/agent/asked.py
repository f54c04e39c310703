"""What a run's launch line asked for beyond signatures: statistics, an audit trail, constraints.

asked("/data/.hpcprov/runs/x")  ->  Asked(stats=True, embed=False, constraints=["/data/limits.json"])
"""

from __future__ import annotations

import os
from typing import NamedTuple

from hpcprov.agent import meeting


class Asked(NamedTuple):
    """Any rank's word counts; the paths of files of constraints are absolute, each once, in the order given."""

    stats: bool
    embed: bool
    constraints: list[str]


def asked(run: str) -> Asked:
    """What was asked for by the ranks of the run in a directory."""
    stats = embed = False
    paths: dict[str, None] = {}
    for start in meeting.read_events(run, kinds=("start",)):
        stats |= start.get("stats") is True
        embed |= start.get("embed") is True
        given = start.get("constraints")
        for path in given if isinstance(given, list) else ():
            if isinstance(path, str) and path:
                paths[os.path.join(str(start.get("cwd") or "/"), path)] = None
    return Asked(stats, embed, list(paths))

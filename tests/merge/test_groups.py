"""Which logs of one directory are one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpcprov.merge.groups import groups
from hpcprov.merge.read import Log, read_run

from .build import BEGAN, SECOND, Launch


def at(seconds: float) -> dict[str, int]:
    return {"launch_time": BEGAN + int(seconds * SECOND)}


A1 = Launch("a", "100-1").start(0, **at(0))
B1 = Launch("b", "200-2").start(1, **at(5))
A2 = Launch("a", "300-3").start(0, **at(60))
B2 = Launch("b", "400-4").start(1, **at(70))
B_OLD = Launch("b", "200-2").start(1, **at(-3600))
A_AGAIN = Launch("a", "100-1", n=1).start(0, **at(0))
B_AGAIN = Launch("b", "200-2", n=1).start(1, **at(5))
B_SAME_RANK = Launch("b", "200-2").start(0, **at(5))
AGENT_ONLY = Launch("c", "500-5").agent(at=6)
EMPTY = Launch("c", "500-5")
SELF = [Launch("a", f"{100 + k}-{70 + k}").start(k, pid=70 + k, size=3, **at(k)) for k in range(3)]
SELF_AGAIN = [
    Launch("a", f"{500 + k}-{90 + k}").start(k, pid=90 + k, ticks=500 + k, size=3, **at(100 + k)) for k in range(2)
]
OWN = [Launch("a", f"{100 + k}-{70 + k}", launcher="none").start(k, pid=70 + k, **at(k)) for k in range(2)]

PART = Launch("a", "100-1").add("part", 1, node="a", kind="job", run="slurm-alps-17.0.0")
KILLED_PART = Launch("a", "200-2")

CASES = {
    "one": ([A1], [[A1]]),
    "two nodes": ([B1, A1], [[A1, B1]]),
    "one id twice": ([A1, A2], [[A1], [A2]]),
    "one id twice on two nodes": ([B2, A2, B1, A1], [[A1, B1], [A2, B2]]),
    "another node, an hour before": ([A1, B_OLD], [[B_OLD], [A1]]),
    "two starts in one launch": ([A1, A_AGAIN, B1, B_AGAIN], [[A1, B1], [A_AGAIN, B_AGAIN]]),
    "the same rank on two nodes": ([A1, B_SAME_RANK], [[A1], [B_SAME_RANK]]),
    "only an agent spoke": ([A1, AGENT_ONLY], [[A1, AGENT_ONLY]]),
    "an empty log": ([A1, EMPTY], [[A1, EMPTY]]),
    "nothing but an empty log": ([EMPTY], [[EMPTY]]),
    "ranks that cannot see what launched them": (SELF, [SELF]),
    "and again": ([*SELF, *SELF_AGAIN], [SELF, SELF_AGAIN]),
    "a part that was killed before it wrote a word": ([PART, KILLED_PART], [[PART, KILLED_PART]]),
    "processes without a launcher": (OWN, [[OWN[0]], [OWN[1]]]),
}


@pytest.mark.parametrize("name", CASES)
def test_groups(name: str, tmp_path: Path) -> None:
    launches, expected = CASES[name]
    for launch in launches:
        launch.write(tmp_path)
    found = [[log.name for log in group.logs] for group in groups(read_run(str(tmp_path)))]
    assert found == [sorted(launch.name for launch in group) for group in expected]


def test_outputs_and_late_logs_stay_with_their_log(tmp_path: Path) -> None:
    A1.write(tmp_path)
    Launch("a", "100-1").print(0, 1, "x").write(tmp_path)
    (tmp_path / "a.100-1.0.late1.log").write_bytes(Launch().exit(0).data)
    A2.write(tmp_path)
    found = [[log.name for log in group.logs] for group in groups(read_run(str(tmp_path)))]
    assert found == [["a.100-1.0.late1.log", "a.100-1.0.log", "a.100-1.0.out"], ["a.300-3.0.log"]]


def test_logs_of_a_job_s_many_steps_are_not_looked_at_again_for_each() -> None:
    class Seen(Log):
        looks = 0

        def __getattribute__(self, name: str) -> object:
            Seen.looks += name == "name"
            return super().__getattribute__(name)

    logs: list[Log] = [Seen(f"n1.{number}-1.0.log") for number in range(300)]
    for log in logs:
        log.events = [{"event": "part", "kind": "job", "run": log.launch, "time": BEGAN}]
    assert [len(group.logs) for group in groups(logs)] == [300] and Seen.looks < 10 * 300

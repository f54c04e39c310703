"""What a run's page tells of inputs, outputs, programs and code."""

from __future__ import annotations

from typing import Any

import pytest
from merge.build import Launch, normal

from hpcprov.commands import artifact_page
from hpcprov.commands.screen import Screen
from hpcprov.merge.fold import fold

BEGAN = 1_795_000_000 * 10**9
SCREEN = Screen(colour=False, width=120)


def entry(path: str, **keys: Any) -> dict[str, Any]:
    told = {"path": path, "read": False, "written": False, "first": BEGAN, "last": BEGAN, "ranks": [[0, 0]]}
    told |= {"programs": [1], "from": None, "began": None, "ended": None, "gone": False, "overwritten": False}
    return told | {"store": None, "files": 1} | keys


def written(*paths: str) -> list[dict[str, Any]]:
    return [entry(path, written=True, ended=[1000, BEGAN]) for path in paths]


def record(*entries: dict[str, Any], blind: str | None = None, **value: Any) -> Any:
    log = Launch(observe="preload").start(cwd="/data", inputs=[], outputs=[]).agent()
    log.add("access", 5, node="n1", entries=list(entries))
    program = {"id": 1, "parent": 0, "path": "/bin/sh", "argv": ["sh"]} | ({"blind": blind} if blind else {})
    log.add("program", 5, node="n1", entries=[program])
    told = {"how": "preload", "lost": 0, "complete": True, "reasons": [], "code": [], "directories": []} | value
    log.add("observation", 5, node="n1", value=told).exit().ended(1)
    return fold(normal(log), run_id="r1", over=True)


def lines(found: Any, label: str) -> list[str]:
    told = [*artifact_page.programs(found, SCREEN), *artifact_page.artifacts(found, SCREEN)]
    return [text for name, text in told if name == label]


def test_many_files_of_a_directory_are_one_line() -> None:
    tiles = [f"/data/tiles/{row}/{number}.bin" for row in range(3) for number in range(10)]
    elsewhere = [f"/scratch/x/{number}.bin" for number in range(5)]
    found = record(*written(*tiles, *elsewhere, "/data/sum.txt", "/data/a/one.bin", "/data/a/two.bin"))
    assert [line.split("  ")[:4] for line in lines(found, "outputs")] == [
        ["a/one.bin", "observed", "1 kB", "not hashed: the run's end left nobody to do it"],
        ["a/two.bin", "observed", "1 kB", "not hashed: the run's end left nobody to do it"],
        ["sum.txt", "observed", "1 kB", "not hashed: the run's end left nobody to do it"],
        ["tiles/", "observed", "30 files", "30 kB"],
        ["/scratch/x/", "observed", "5 files", "5 kB"],
    ]


def test_few_files_have_a_line_each() -> None:
    assert len(lines(record(*written(*(f"/data/d/{number}" for number in range(12)))), "outputs")) == 12


def test_where_there_are_too_many_files_is_told() -> None:
    beyond = [{"path": "/data/many", "read": 2700, "written": 0}]
    (line,) = lines(record(directories=beyond), "inputs")
    assert "only counted: /data/many/ (2,700 read)" in line
    assert not lines(record(directories=beyond), "outputs")


def test_the_users_own_code_is_named() -> None:
    code = [{"path": path, "sha256": None, "size": None} for path in ("/data/solve.py", "/home/ada/lib/flow.py")]
    assert lines(record(code=code), "code") == ["solve.py, /home/ada/lib/flow.py"]
    many = [{"path": f"/data/m{number}.py", "sha256": None, "size": None} for number in range(10)]
    (line,) = lines(record(code=many), "code")
    assert line.endswith("m7.py and 2 more")


def test_why_not_all_was_seen_is_told() -> None:
    found = record(complete=False, reasons=["the event area was removed while the job ran"])
    assert lines(found, "observed") == ["not all: the event area was removed while the job ran"]
    assert lines(found, "programs") == ["1 program, executed 1 time"]
    found = record(blind="static", complete=False, reasons=["1 programs could not be looked into"])
    assert not lines(found, "observed")
    assert lines(found, "programs") == ["1 program, executed 1 time, 1 could not be looked into"]


@pytest.mark.parametrize(
    ("path", "width", "shown"), [("a/b", 3, "a/b"), ("/home/ada/u.nc", 8, "…da/u.nc"), ("a\nb", 20, "a\\nb")]
)
def test_of_a_long_path_the_end_is_shown(path: str, width: int, shown: str) -> None:
    assert artifact_page.end_of(path, width) == shown


def test_a_verdict_is_told_in_full_where_it_is_narrow() -> None:
    found = record(*written("/data/out.h5"))
    violated = {
        "constraint": "max",
        "value": "4.436933517456055",
        "found": "5.936930179595947",
        "count": 3,
        "first": [1],
    }
    fields = [{"path": "anomaly", "status": "FAILED", "constraints": [violated]}]
    known = {"file": "/data/limits.json", "digest": None, "reason": None, "passes": 15, "failures": 1, "fields": fields}
    (artifact,) = found["artifacts"]["generated"]
    artifact["constraints"] = [known]
    told = [text for _, text in artifact_page.artifacts(found, Screen(colour=False, width=80))]
    words = "1 of 16 constraints in limits.json violated: anomaly: max 4.43693352, found 5.93693018"
    assert words in " ".join(" ".join(told).split())
    assert all(len(line) <= 67 for line in told[-2:])

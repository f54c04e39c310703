"""Records that hold anything at all where their readers do not rely on a type: a report is made of each."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from hpcprov.record.shape import misfit
from hpcprov.report import markdown, run, text
from report.rich import rich

ODD: list[Any] = [None, True, 0, -1, 10**30, 10**400, 1e308, float("nan"), float("inf"), ""]
ODD += ["x", "\udcff", [], {}, [None], [[0, 0]], {"a": None}, [1, "a", {}], [[]], {"x": [{}]}]
FACTS: dict[str, Any] = {
    "workflow": {"engine": "snakemake", "counts": {"completed": 1}, "jobs": [{"rule": "a", "wildcards": {"x": "1"}}]},
    "job": {"job_name": "solve", "time_limit_s": 3600, "node_list": "n[0-1]"},
}

STATISTICS: dict[str, Any] = {
    "count": 3, "missing": 0, "min": -1.5, "max": "inf", "mean": 1.0, "std": 2.0, "distinct": 2,
    "values": [[1.5, 1], ["x", 2]], "order": "none", "uncounted": {"duplicates": "many"},
}  # fmt: skip
RESULT = {"constraint": "min", "value": "0", "found": "-1.5", "count": 1, "first": [0]}
VERDICT: dict[str, Any] = {
    "file": "/c.json", "digest": None, "reason": None, "passes": 1, "failures": 1,
    "fields": [{"path": "u", "status": "FAILED", "constraints": [RESULT]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rich")


@pytest.fixture(scope="module")
def record(place: Path) -> dict[str, Any]:
    whole = rich(place)
    for kind, value in FACTS.items():
        whole["facts"][kind] = {"kind": kind, "value": value}
        whole["nodes"][0]["facts"][kind] = kind
    steps = [{"id": 1, "parent": None, "name": "a", "status": "completed", "duration_s": 1.0, "count": 1, "failed": 0}]
    common = {
        "function": None,
        "code": None,
        "ranks": [[0, 0]],
        "began": None,
        "ended": None,
        "error": "no",
        "note": None,
    }
    whole["steps"] = [steps[0] | common | {"parameters": {"n": 1}, "tags": {}, "used": [], "generated": ["/data/x"]}]
    told = {"path": "/data/x", "real": None, "field": "u", "expression": "v", "language": "text", "context": None}
    told |= {"inputs": [{"path": "/data/y", "field": "v"}], "step": None, "ranks": [[0, 0]]}
    whole["definitions"] = [told | {"time": "2026-11-21T10:00:00.0Z"}]
    whole["parts"] = [{"run": "r2", "name": "x", "tags": {}, "argv": ["a"], "cwd": "/", "inputs": [], "outputs": ["b"]}]
    whole["witnesses"] = [{"source": "sacct", "value": {"state": "FAILED", "steps": [{"id": "0", "state": "FAILED"}]}}]
    for one in whole["artifacts"]["generated"]:
        one["constraints"] = [copy.deepcopy(VERDICT)]
        one["embedded"] = {"entries": 1, "before": "blake3:" + 64 * "0"}
        for signed in (one.get("signature") or {"fields": []})["fields"]:
            signed["statistics"] = copy.deepcopy(STATISTICS)
    assert misfit(whole) is None
    return whole


def slots(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [pair for key in keys for pair in [(value, key), *slots(value[key])]]


def spoilt(record: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """A copy with odd values in many places, as far as it is still a record."""
    bad: dict[str, Any] = copy.deepcopy(record)
    bad["run"]["kind"] = dice.choice(["command", "job", "workflow"])
    places = slots(bad)
    for container, key in dice.sample(places, dice.randrange(len(places) // 4)):
        before = container[key]
        container[key] = copy.deepcopy(dice.choice(ODD))
        if misfit(bad) is not None:
            container[key] = before
    return bad


@pytest.mark.parametrize("seed", range(24))
def test_a_report_of_anything(record: dict[str, Any], place: Path, seed: int) -> None:
    bad = spoilt(record, random.Random(seed))
    values = run.values(bad, str(place), {"r2": bad})
    for told in (
        run.render(bad, directory=str(place), known={"r2": bad}),
        text.render(values),
        markdown.render(values),
    ):
        assert told.encode()

"""What a workflow's page says of its jobs."""

from __future__ import annotations

from typing import Any

import pytest
from merge.build import Launch, normal

from hpcprov.commands import page
from hpcprov.commands.screen import Screen
from hpcprov.merge.fold import fold

FAILED = {"rule": "solve", "status": "failed", "wildcards": {"x": "3"}, "output": ["u.h5"], "runs": ["r1", "r2"]}


def shown(fact: Any) -> list[str]:
    """The page of a workflow with this fact, whose run r2 ended with status 7."""
    workflow = fold(normal(Launch().start(kind="workflow").exit(code=1).fact("workflow", fact)), run_id="w1")
    workflow |= {"revision": 1, "output": {"files": [], "lost_bytes": 0}}
    run = fold(normal(Launch().start().exit(code=7)), run_id="r2")
    return page.render(workflow, "/nowhere", Screen(width=200, colour=False), (), {"r2": run})


def test_a_failed_job_says_what_it_was_to_make_and_why_it_did_not() -> None:
    job = FAILED | {"log": ["log/solve.log"], "slurm": "17"}
    fact = {
        "engine": "snakemake",
        "version": "9.27.1",
        "final": True,
        "snakefile": {"path": "/home/ada/Snakefile"},
        "counts": {"completed": 1200, "failed": 1, "cached": 0, "unfinished": 1},
        "jobs": [job, {"rule": "plot", "status": "unfinished"}, {"rule": "forcing", "status": "completed"}],
    }
    lines = shown(fact)
    assert "workflow   snakemake 9.27.1, /home/ada/Snakefile: 1,200 completed, 1 failed, 1 unfinished" in lines
    told = "solve x=3 -> u.h5: rank 0 ended with status 7  (run r2, log log/solve.log, Slurm job 17)"
    assert f"failed     {told}" in lines and "unfinished plot" in lines
    assert not any("forcing" in line for line in lines)


def test_of_many_failed_jobs_some_are_told() -> None:
    lines = shown({"engine": "snakemake", "version": "9", "jobs": [FAILED] * 100})
    assert sum("solve x=3" in line for line in lines) == 12 and f"{'':11}... and 88 more" in lines
    assert any(line.endswith("when it was last written down") for line in lines)


@pytest.mark.parametrize(
    "fact",
    [
        {"jobs": 3, "counts": []},
        {"jobs": [None, 3, {"status": "failed", "wildcards": 1, "output": [{}], "runs": [[]], "log": "x"}]},
        {"counts": {"failed": "many"}, "snakefile": "x", "engine": ["\x1b[2J"]},
    ],
)
def test_a_fact_of_any_shape_is_shown(fact: Any) -> None:
    assert all(line.isprintable() for line in shown(fact))

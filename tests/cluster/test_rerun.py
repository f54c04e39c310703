"""A Slurm step run again: by srun, with as many tasks."""

from __future__ import annotations

import pytest

from .conftest import Site

pytestmark = pytest.mark.cluster


def test_a_step_is_run_again_by_srun(site: Site) -> None:
    program = "import os; open('out.%s.dat' % os.environ['SLURM_PROCID'], 'w').write('x' * 100)"
    site.run("srun", "-n", 3, site.hpcprov, "exec", "--", "python", "-c", program)
    original = site.record()
    done = site.run(site.hpcprov, "rerun", original["run"]["id"])
    assert "on 3 ranks, by srun" in done.stdout and "reproduced bit for bit: 3 outputs" in done.stdout
    again = site.record()
    assert again["run"]["rerun_of"] == original["run"]["id"]
    assert again["launcher"] == {"kind": "slurm", "size": 3} and again["ranks"]["count"] == 3
    assert "nothing differs" in site.run(site.hpcprov, "why", original["run"]["id"], again["run"]["id"]).stdout


def test_a_batch_job_is_run_again_step_by_step(site: Site) -> None:
    steps = (
        f"srun {site.hpcprov} exec -- sh -c 'echo 1 > a.dat'\nsrun {site.hpcprov} exec -- sh -c 'sort a.dat > b.dat'\n"
    )
    job = site.submit(f"#!/bin/sh\n{steps}", "--wait")
    done = site.run(site.hpcprov, "rerun", job)
    assert done.stdout.count("reproduced bit for bit: 1 output") == 2
    assert (site.cwd.parent / f"{site.cwd.name}.rerun-1" / "b.dat").read_text() == "1\n"

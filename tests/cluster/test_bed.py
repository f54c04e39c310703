"""The bed of these tests: a whole Slurm that comes, works, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from .bed.slurm import Slurm


def test_four_nodes_and_accounting(slurm: Slurm, tmp_path: Path) -> None:
    job = slurm.submit(
        "srun -N4 -n8 sh -c 'echo $SLURMD_NODENAME'\nexit 3\n", "-N4", "--ntasks-per-node=2", cwd=tmp_path
    )
    row = slurm.ended(job)
    assert (row["State"], row["ExitCode"]) == ("FAILED", "3:0")
    printed = (tmp_path / f"slurm-{job}.out").read_text().split()
    assert sorted(printed) == sorted(slurm.nodes * 2)
    assert [step["JobID"] for step in slurm.sacct(job)] == [job, f"{job}.batch", f"{job}.0"]

"""The bed of these tests: a whole Slurm that comes, works, does not meet another one, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .bed.slurm import FINAL, Slurm, until
from .conftest import BedMaker

# A job that does not let itself be ended: it ignores TERM, and so does a process that it has left behind.
STUBBORN = """trap '' TERM
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
srun sh -c "trap '' TERM; echo started; while :; do sleep 1; done"
"""


@pytest.fixture(scope="module")
def other(slurm_bed: BedMaker) -> Slurm:
    """A second bed, of one node, with other settings."""
    return slurm_bed("ProctrackType=proctrack/linuxproc\nKillWait=3\n", nodes=1)


def remains(slurm: Slurm) -> list[str]:
    """What is still there of a bed: its directory, processes that know it, control groups of its nodes."""
    marks = [os.fsencode(slurm.directory), *(f"SLURMD_NODENAME={name}".encode() for name in slurm.nodes)]
    found = [str(slurm.directory)] if slurm.directory.exists() else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if any(mark in text for mark in marks):
            found.append(f"{process.name}: {(process / 'cmdline').read_bytes()!r}")
    groups = [group for name in slurm.nodes for group in Path("/sys/fs/cgroup").glob(f"*/slurm_{name}")]
    return found + [str(group) for group in groups]


def start_stubborn(slurm: Slurm, cwd: Path) -> str:
    job = slurm.submit(STUBBORN, cwd=cwd)
    until(lambda: (cwd / f"slurm-{job}.out").exists() and "started" in (cwd / f"slurm-{job}.out").read_text(), job)
    return job


def test_four_nodes_and_accounting(slurm: Slurm, tmp_path: Path) -> None:
    """Slurm's commands are found without SLURM_CONF, in a job too."""
    script = "unset SLURM_CONF\nsrun -N4 -n8 sh -c 'echo $SLURMD_NODENAME'\nsqueue -h -j $SLURM_JOB_ID -o %T\nexit 3\n"
    job = slurm.submit(script, "-N4", "--ntasks-per-node=2", cwd=tmp_path)
    row = slurm.ended(job)
    assert (row["State"], row["ExitCode"]) == ("FAILED", "3:0")
    *printed, state = (tmp_path / f"slurm-{job}.out").read_text().split()
    assert sorted(printed) == sorted(slurm.nodes * 2) and state == "RUNNING"
    assert [step["JobID"] for step in slurm.sacct(job)] == [job, f"{job}.batch", f"{job}.0"]


def test_two_beds_do_not_meet(slurm: Slurm, other: Slurm, tmp_path: Path) -> None:
    assert not set(slurm.nodes) & set(other.nodes)
    names = {
        bed: bed.submit("sleep 60\n", "--hold", f"--job-name=on-{bed.nodes[0]}", cwd=tmp_path) for bed in (slurm, other)
    }
    for bed, job in names.items():
        assert bed.run(["squeue", "-h", "-o", "%j"]).stdout.split() == [f"on-{bed.nodes[0]}"]
        bed.run(["scancel", job])
        assert bed.ended(job)["State"].startswith("CANCELLED")


def test_settings_of_a_bed(slurm: Slurm, other: Slurm) -> None:
    def setting(bed: Slurm, name: str) -> str:
        lines = bed.run(["scontrol", "show", "config"]).stdout.splitlines()
        return next(line.split("=", 1)[1].strip() for line in lines if line.split("=")[0].strip() == name)

    assert setting(other, "ProctrackType") == "proctrack/linuxproc"
    assert setting(other, "KillWait") == "3 sec" and setting(slurm, "KillWait") == "5 sec"
    other.reconfigure("ProctrackType=proctrack/linuxproc\nKillWait=7\n")
    until(lambda: setting(other, "KillWait") == "7 sec", "scontrol reconfigure changed nothing")


def test_a_failed_node_takes_its_processes_along(other: Slurm, tmp_path: Path) -> None:
    job = start_stubborn(other, tmp_path)
    other.fail_node(other.nodes[0])
    assert not [line for line in remains(other) if "sleep" in line or "trap" in line]
    other.restart_node(other.nodes[0])
    other.run(["scancel", "--full", job], check=None)
    assert other.wait(job) in FINAL
    assert other.run(["srun", "hostname"], cwd=tmp_path).returncode == 0


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cluster.bed.slurm import Slurm
from cluster.test_bed import start_stubborn
with Slurm.up(nodes=1) as bed:
    start_stubborn(bed, Path(sys.argv[2]))
    print(bed.directory, *bed.nodes, flush=True)
    time.sleep(1000)
"""


# SIGINT: the bed's own way out, as at the end of all tests. SIGKILL: slurm.sh sees the end of its pipe.
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_of_a_bed_whose_tests_were_killed(how: signal.Signals, slurm: Slurm, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        assert killed.stdout is not None
        directory, *nodes = killed.stdout.readline().split()
        bed = Slurm(Path(directory), port=int(nodes[0][1:].split("-")[0]), nodes=1)
        assert bed.nodes == nodes and remains(bed)
        killed.send_signal(how)
    until(lambda: not remains(bed), lambda: f"left: {remains(bed)}")
    assert slurm.run(["sinfo", "-h", "-o", "%T"]).stdout.split() == ["idle"], "another bed does not notice"

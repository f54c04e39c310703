"""Runs that end badly on a real Slurm: the record tells how and why, and sacct tells the same as without hpcprov.

Every case runs twice, bare and under `hpcprov exec`, with an application that writes its output before it ends
(ending.sh, ending.c). All jobs are submitted at once, because Slurm takes its time (a time limit fires after 60 to
75 s); then this module does to them what has to be done, and each test looks at the end of one case.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hpcprov.record.frame import scan

from .bed.slurm import Slurm, until
from .conftest import BedMaker, Site

HERE = Path(__file__).parent
# Nodes of this bed fail, and jobs in it are preempted; nobody else's are.
SETTINGS = """# nodes fail here
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE
PartitionName=cheap Nodes=ALL PriorityTier=1 PreemptMode=CANCEL
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""
WRAPPER = "hpcprov exec --output out.dat --"
SENT_TO_ALL = ("CANCELLED", "PREEMPTED", "TIMEOUT", "NODE_FAIL")
SMALL = ("-n1", "--mem=100")
ONE_NODE = ("-N1", "-n4", "--mem=200")
FOUR = ("-N2", "-n4", "--mem=200")


class Case(NamedTuple):
    """A job script (`$W` is the wrapper, or nothing), how to submit it, and what its record says."""

    script: str
    status: str
    state: str
    text: str
    options: tuple[str, ...] = SMALL
    rank: int | None = 0


# What happens by itself, or because the module does it to jobs of this name.
CASES = {
    "job cancelled": Case("srun $W ./ending.sh wait", "cancelled", "CANCELLED", "by user 0"),
    "step cancelled": Case("srun $W ./ending.sh wait; exit 0", "cancelled", "COMPLETED", "by user 0", rank=None),
    "out of memory": Case("srun $W ./ending.sh greedy", "out of memory", "FAILED", "want of memory"),
    "failing rank": Case("srun --kill-on-bad-exit=1 $W ./ending.sh fail", "failed", "FAILED", "status 3", FOUR, rank=1),
    "crashing rank": Case(
        "srun --kill-on-bad-exit=1 $W ./ending.sh segv", "signalled", "FAILED", "SIGSEGV", FOUR, rank=1
    ),
    "failing rank, pmi2": Case(
        "srun --mpi=pmi2 -K1 $W ./ending exit out.dat", "failed", "FAILED", "status 3", FOUR, rank=1
    ),
    "crashing rank, pmi2": Case(
        "srun --mpi=pmi2 -K1 $W ./ending segv out.dat", "signalled", "FAILED", "SIGSEGV", FOUR, rank=1
    ),
    "MPI_Abort, pmi2": Case(
        "srun --mpi=pmi2 $W ./ending abort out.dat", "failed", "FAILED", "MPI_Abort", FOUR, rank=None
    ),
    "failing rank, hydra": Case(
        "mpiexec -n 4 $W ./ending exit out.dat", "failed", "FAILED", "status 3", ONE_NODE, rank=1
    ),
    "MPI_Abort, hydra": Case(
        "mpiexec -n 4 $W ./ending abort out.dat", "failed", "FAILED", "sacct: FAILED", FOUR, rank=None
    ),
    "preempted, cancelled": Case("srun $W ./ending.sh wait", "preempted", "PREEMPTED", "PREEMPTED", ()),
    "node lost": Case("srun $W ./ending.sh wait", "node lost", "NODE_FAIL", "NODE_FAIL", (), rank=None),
    # Looked at last, because Slurm takes longest for these.
    "time limit": Case("srun $W ./ending.sh wait", "timed out", "TIMEOUT", "SIGTERM", (*SMALL, "-t1")),
    "time limit, TERM ignored": Case(
        "srun $W ./ending.sh ignore", "timed out", "TIMEOUT", "sacct: TIMEOUT", (*SMALL, "-t1"), None
    ),
}


class Job(NamedTuple):
    """One submitted job and its place."""

    site: Site
    id: str

    def row(self) -> dict[str, str]:
        """sacct's row of the job when it has ended."""
        return self.site.slurm.ended(self.id)

    def ready(self, start: int = 0, rank: int = 0) -> bool:
        """Whether this start's rank has written its output."""
        return (self.site.cwd / f"ready.{start}.{rank}").exists()

    def wait_ready(self, start: int = 0, rank: int = 0) -> None:
        until(lambda: self.ready(start, rank), lambda: self.site.slurm.about(self.id))

    def told(self, *, by_mpiexec: bool = False) -> set[tuple[str, str, str]]:
        """What sacct says of the job and its steps: step, state, exit code where it is the same each time."""
        until(self.steps_ended, lambda: self.site.slurm.about(self.id))
        rows = {row["JobID"].partition(".")[2]: row for row in self.site.slurm.sacct(self.id)}
        # Of a signal to the whole job sometimes the script dies first, and sometimes its srun, which tells it.
        rows.pop("batch", None)
        # And mpiexec tells the status of the rank it sees end first: that which failed, or one that it then killed.
        if rows[""]["State"].split()[0] in SENT_TO_ALL or by_mpiexec:
            rows[""]["ExitCode"] = "one of two"
        return {(step, row["State"].split()[0], row["ExitCode"]) for step, row in rows.items()}

    def steps_ended(self) -> bool:
        return all(row["End"] != "Unknown" for row in self.site.slurm.sacct(self.id))

    def runs(self) -> list[str]:
        """The ids of the runs of this job that were commands, in progress or finished."""
        ways = ("runs/*", "records/*/*/*/*")
        found = {path.name for way in ways for path in self.site.store.glob(way)}
        return sorted(name for name in found if name.startswith(f"slurm-bed-{self.id}."))

    def record(self, run: str | None = None) -> dict[str, Any]:
        """The record of the only run, or of the one named, settled."""
        (name,) = self.runs() if run is None else (run,)
        self.site.run(self.site.hpcprov, "settle", name)
        return self.site.record(name)


class Both(NamedTuple):
    bare: Job
    wrapped: Job


class Bed:
    """Where jobs are made: the bed, and programs for them."""

    def __init__(self, slurm: Slurm, installed: Path, factory: pytest.TempPathFactory) -> None:
        self.slurm, self.installed, self.factory = slurm, installed, factory
        self.ending = factory.mktemp("programs") / "ending"
        subprocess.run([installed / "mpicc", "-O1", "-Wall", "-o", self.ending, HERE / "ending.c"], check=True)

    def site(self) -> Site:
        site = Site(self.slurm, self.installed, self.factory.mktemp("job"))
        for file in (self.ending, HERE / "ending.sh"):
            shutil.copy(file, site.cwd)
        return site

    def submit(self, script: str, *options: str, wrapper: str = WRAPPER, env: Mapping[str, str] | None = None) -> Job:
        site = self.site()
        more = {"W": wrapper, "PYTHON": sys.executable} | dict(env or {})
        return Job(site, site.submit(script, *options, env=more))

    def both(self, script: str, *options: str) -> Both:
        return Both(self.submit(script, *options, wrapper=""), self.submit(script, *options))


@pytest.fixture(scope="module")
def bed(slurm_bed: BedMaker, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Bed:
    return Bed(slurm_bed(SETTINGS, nodes=6, cpus=32), installed, tmp_path_factory)


@pytest.fixture(scope="module")
def jobs(bed: Bed) -> dict[str, Both]:
    """All jobs, most of them on their way to their ends."""
    nodes = bed.slurm.nodes
    quiet, victims, failing = (f"-w{nodes[0]},{nodes[1]}", nodes[2], f"-x{','.join(nodes[:3])}")
    places = {
        "preempted, cancelled": ("-pcheap", f"-w{victims}", *SMALL),
        "node lost": (failing, "--no-requeue", "-N2"),
    }
    found = {}
    for name, case in reversed(CASES.items()):
        options = case.options or places[name]
        where = () if name in places else (quiet,) if "-N2" in options else (f"-w{nodes[len(found) % 2]}",)
        found[name] = bed.both(case.script, *options, *where)
    found["requeued"] = bed.both("srun $W ./ending.sh wait", *SMALL, f"-w{nodes[0]}")
    found["preempted"] = bed.both("srun $W ./ending.sh wait", "-plow", f"-w{victims}", *SMALL)
    found["node lost, requeued"] = bed.both("srun $W ./ending.sh wait", failing, "-N2")
    found["launcher killed"] = bed.both("srun $W ./ending.sh parent", *SMALL, f"-w{nodes[1]}")
    found["agent killed"] = bed.both("srun $W ./ending.sh go", *SMALL, f"-w{nodes[0]}")
    act(bed, found)
    return found


def act(bed: Bed, found: Mapping[str, Both]) -> None:
    """Do to the jobs what their names say."""
    slurm = bed.slurm
    ready = ("job cancelled", "step cancelled", "requeued", "preempted", "preempted, cancelled")
    for job in (job for name in ready for job in found[name]):
        job.wait_ready()
    for job in found["job cancelled"]:
        slurm.run(["scancel", job.id])
    for job in found["step cancelled"]:
        slurm.run(["scancel", f"{job.id}.0"])
    for job in found["requeued"]:
        slurm.run(["scontrol", "requeue", job.id])
    slurm.run(
        ["sbatch", "-phigh", "--exclusive", "--mem=100", f"-w{slurm.nodes[2]}", "--wrap", "sleep 5"],
        cwd=bed.factory.getbasetemp(),
    )
    for name in ("node lost", "node lost, requeued"):
        for job in found[name]:
            job.wait_ready(rank=0)
            job.wait_ready(rank=1)
    slurm.fail_node(slurm.nodes[4])
    for job in found["agent killed"]:
        job.wait_ready()
    os.kill(agent_of(found["agent killed"].wrapped), signal.SIGKILL)
    for job in found["agent killed"]:
        (job.site.cwd / "go").touch()


def restart_controller(slurm: Slurm) -> None:
    """End slurmctld in the middle of its work, so that it saves what it knows, and start it again."""
    old = int((slurm.directory / "run/slurmctld.pid").read_text())
    os.kill(old, signal.SIGTERM)
    with (slurm.directory / "log.txt").open("ab") as log:
        command = ["slurmctld", "-f", str(slurm.directory / "slurm.conf")]
        until(lambda: not is_there(old), "slurmctld does not end")
        subprocess.run(command, env=slurm.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    until(lambda: slurm.run(["scontrol", "ping"], check=None).returncode == 0, slurm.logs)


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def agent_of(job: Job) -> int:
    """The process id of the agent, as the log of the step tells it."""
    found: list[int] = []

    def look() -> list[int]:
        for log in job.site.store.glob(f"runs/slurm-bed-{job.id}.*/*.log"):
            found.extend(event["pid"] for event in scan(log.read_bytes()) if event["event"] == "agent")
        return found

    until(look, "no agent has told of itself")
    return found[0]


def assert_output_is_told(record: Mapping[str, Any], job: Job) -> None:
    """The output that was written before the end has a digest."""
    assert (job.site.cwd / "out.dat").exists()
    generated = {artifact["path"]: artifact for artifact in record["artifacts"]["generated"]}
    artifact = generated[str(job.site.cwd / "out.dat")]
    assert artifact["state"] == "ok" and artifact["storage"]["digest"].startswith("blake3:"), artifact


@pytest.mark.parametrize(
    ("name", "status", "state", "text"),
    [
        ("requeued", "cancelled", "REQUEUED", "SIGTERM"),
        ("preempted", "preempted", "PREEMPTED", "PREEMPTED"),
        ("node lost, requeued", "node lost", "NODE_FAIL", "NODE_FAIL"),
    ],
)
def test_both_starts_of_a_requeued_job(jobs: Mapping[str, Both], name: str, status: str, state: str, text: str) -> None:
    """Two records: the first with what ended it, the second names the first as its job's earlier start."""
    both = jobs[name]
    for job in both:
        job.wait_ready(start=1)
        job.site.slurm.run(["scancel", job.id])
        job.row()
    starts = [[row["State"].split()[0] for row in job.site.slurm.sacct(job.id, "-X", "--duplicates")] for job in both]
    assert starts == [[state, "CANCELLED"]] * 2
    job = both.wrapped
    first, second = sorted(job.runs(), key=len)
    assert second == first.removesuffix(".0") + "-r1.0"
    record = job.record(first)
    assert record["run"]["status"] == status and text in record["run"]["cause"]["text"], record["run"]["cause"]
    assert record["run"]["part_of"]["job"] == f"slurm-bed-{job.id}"
    record = job.record(second)
    assert record["run"]["status"] == "cancelled", record["run"]["cause"]
    assert record["run"]["part_of"]["job"] == f"slurm-bed-{job.id}-r1"
    whole = job.site.record(f"slurm-bed-{job.id}-r1")
    assert whole["run"]["previous"] == f"slurm-bed-{job.id}"
    assert_output_is_told(record, job)


@pytest.mark.parametrize("name", CASES)
def test_how_it_ended_and_why(jobs: Mapping[str, Both], name: str) -> None:
    case, (bare, wrapped) = CASES[name], jobs[name]
    assert wrapped.row()["State"].split()[0] == bare.row()["State"].split()[0] == case.state
    by_mpiexec = case.script.startswith("mpiexec")
    assert wrapped.told(by_mpiexec=by_mpiexec) == bare.told(by_mpiexec=by_mpiexec)
    record = wrapped.record()
    assert record["run"]["status"] == case.status, record["run"]["cause"]
    cause = record["run"]["cause"]
    assert case.text in cause["text"], (cause, record["witnesses"])
    assert case.rank is None or cause["rank"] == case.rank, cause
    assert_output_is_told(record, wrapped)


def test_a_killed_launcher(jobs: Mapping[str, Both]) -> None:
    """The application goes with it, as it would have without the launcher."""
    bare, wrapped = jobs["launcher killed"]
    assert wrapped.row()["ExitCode"] == "9:0" and bare.row()["ExitCode"] == "0:0"
    record = wrapped.record()
    assert record["run"]["status"] == "signalled", (record["run"]["cause"], record["witnesses"])
    assert record["run"]["cause"]["lost"] == [[0, 0]]
    assert_output_is_told(record, wrapped)


def test_a_killed_agent(jobs: Mapping[str, Both]) -> None:
    bare, wrapped = jobs["agent killed"]
    assert wrapped.row()["State"] == "COMPLETED" and wrapped.told() == bare.told()
    record = wrapped.record()
    assert record["run"]["status"] == "completed"
    assert any("agent" in problem["text"] for problem in record["problems"])
    assert_output_is_told(record, wrapped)


@pytest.fixture(params=["full", "read-only"])
def bad_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of its own, which is full or read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
    try:
        (place / "filler").write_bytes(bytes(1 << 16 if request.param == "full" else 0))
        if request.param == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_store_that_cannot_be_written(bed: Bed, bad_store: Path) -> None:
    """The job is as without hpcprov; one line tells that it is not recorded."""
    job = bed.submit("srun $W ./ending.sh end", *SMALL, env={"HPCPROV_DIR": str(bad_store / ".hpcprov")})
    assert (job.row()["State"], job.row()["ExitCode"]) == ("COMPLETED", "0:0")
    lines = [line for line in job.site.output(job.id).splitlines() if line.startswith("hpcprov")]
    assert len(lines) == 1 and "recorded" in lines[0], lines
    assert (job.site.cwd / "out.dat").exists()


def test_the_controller_may_restart(bed: Bed) -> None:
    """The last one here: a new controller has forgotten who cancelled the jobs before."""
    bare, wrapped = bed.both("srun $W ./ending.sh go", *SMALL, f"-w{bed.slurm.nodes[1]}")
    for job in (bare, wrapped):
        job.wait_ready()
    restart_controller(bed.slurm)
    for job in (bare, wrapped):
        (job.site.cwd / "go").touch()
    assert wrapped.row()["State"] == "COMPLETED" and wrapped.told() == bare.told()
    record = wrapped.record()
    assert record["run"]["status"] == "completed" and record["problems"] == []
    assert_output_is_told(record, wrapped)

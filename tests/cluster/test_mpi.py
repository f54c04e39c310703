"""MPI on a real Slurm: however ranks are started, one launch is one record, and the application notices nothing.

Two implementations: MPICH with mpi4py beside the installed hpcprov (`srun --mpi=pmi2`, hydra's mpiexec), and Debian's
Open MPI with Debian's mpi4py (`srun --mpi=pmix`, its own mpiexec), whose Python has no hpcprov.
"""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.require import require

from .bed.slurm import until
from .conftest import Site, works

DEBIAN_PYTHON, DEBIAN_MPIEXEC = "/usr/bin/python3", "/usr/bin/mpiexec.openmpi"
WRAP = ("hpcprov", "exec", "--hash", "off", "--")
# One write each, so that ranks' lines do not mix.
HELLO = (
    "import os; from mpi4py import MPI; c = MPI.COMM_WORLD; os.write(1, b'rank %d of %d\\n' % (c.rank, c.allreduce(1)))"
)
# The bed's nodes share a local disk, of which hpcprov cannot know that they do.
NOT_SHARED = "may be on a file system that other nodes do not see"
# Rank 0 makes the store; each rank writes the chunks that are its own.
FIELDS = """
import numpy, zarr
from mpi4py import MPI
world = MPI.COMM_WORLD
if world.rank == 0:
    zarr.create_array("field.zarr", shape=(8 * world.size, 16), chunks=(8, 16), dtype="f8")
world.Barrier()
rows = slice(8 * world.rank, 8 * world.rank + 8)
zarr.open_array("field.zarr", mode="r+")[rows] = world.rank + numpy.arange(128.0).reshape(8, 16)
world.Barrier()
"""
# As root, and with more ranks than the machine has cores.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_btl": "self,tcp",
}


@pytest.fixture
def open_mpi() -> Mapping[str, str]:
    """The environment in which Debian's Open MPI runs here."""
    there = works(DEBIAN_PYTHON, "-c", "import mpi4py") and os.access(DEBIAN_MPIEXEC, os.X_OK)
    require("openmpi", there)
    return OPEN_MPI


def hello(size: int) -> list[str]:
    """What HELLO prints on so many ranks, sorted."""
    return sorted(f"rank {rank} of {size}" for rank in range(size))


def lines(text: str) -> list[str]:
    return sorted(line for line in text.splitlines() if NOT_SHARED not in line)


def ranks_by_node(record: Mapping[str, Any]) -> dict[str, list[int]]:
    """Node name -> its ranks."""
    found: dict[str, list[int]] = {}
    columns = record["ranks"]["columns"]
    for rank, node in zip(columns["rank"], columns["node"], strict=True):
        found.setdefault(record["nodes"][node]["node"], []).append(rank)
    return found


def steps(site: Site) -> list[dict[str, Any]]:
    """The records of what ran, without those of the jobs that they ran in, which may not be over; oldest first."""
    return [site.record(run["id"]) for run in reversed(site.runs()) if run["kind"] == "command"]


def only(site: Site) -> dict[str, Any]:
    (record,) = steps(site)
    return record


def assert_whole(record: Mapping[str, Any], site: Site, *, nodes: int, ranks: int) -> None:
    """Every rank of a run ended well, on so many nodes, which have Slurm's names and not the host's."""
    assert record["run"]["status"] == "completed", record["problems"]
    by_node = ranks_by_node(record)
    assert len(by_node) == nodes and set(by_node) <= set(site.slurm.nodes)
    assert sorted(rank for on_node in by_node.values() for rank in on_node) == list(range(ranks))
    assert (record["launcher"]["size"], record["ranks"]["missing"]) == (ranks, [])


def test_four_nodes_and_eight_ranks_are_one_record_with_signed_output(site: Site) -> None:
    (site.cwd / "fields.py").write_text(FIELDS)
    wrapped = ("hpcprov", "exec", "--output", "field.zarr", "--", "python", "fields.py")
    done = site.run("srun", "--mpi=pmi2", "-N4", "-n8", "--ntasks-per-node=2", *wrapped)
    assert (done.stdout, lines(done.stderr)) == ("", [])
    record = only(site)
    assert_whole(record, site, nodes=4, ranks=8)
    assert ranks_by_node(record) == {name: [2 * at, 2 * at + 1] for at, name in enumerate(site.slurm.nodes)}
    (artifact,) = record["artifacts"]["generated"]
    (field,) = artifact["signature"]["fields"]
    assert (artifact["state"], artifact["format"], field["shape"]) == ("ok", "zarr3", [64, 16])
    # Signed from the bytes of all nodes: the same as reading it again afterwards, and not what rank 0 alone wrote.
    again = json.loads(site.run("hpcprov", "hash", "--json", "field.zarr").stdout)
    assert field["signature"] in json.dumps(again)
    assert site.run("hpcprov", "verify", record["run"]["id"]).stdout


def test_open_mpi_with_pmix(site: Site, open_mpi: Mapping[str, str]) -> None:
    """The application runs under Debian's Python, which knows nothing of hpcprov."""
    command = ("srun", "--mpi=pmix", "-N2", "-n4", *WRAP, DEBIAN_PYTHON, "-c", HELLO)
    assert lines(site.run(*command, env=open_mpi).stdout) == hello(4)
    record = only(site)
    assert_whole(record, site, nodes=2, ranks=4)
    assert not [one for one in record["problems"] if "world of its own" in one["text"]]


def test_tasks_that_mpi_was_not_told_of(site: Site) -> None:
    """`--mpi=none`: worlds of one rank each, status 0, wrong results. The record asks; the job is left as it is.

    Debian's Open MPI refuses to start there, and says so itself.
    """
    command = ("srun", "--mpi=none", "-N2", "-n4", *WRAP, "python", "-c", f"{HELLO}; import time; time.sleep(1)")
    assert lines(site.run(*command).stdout) == ["rank 0 of 1"] * 4
    (text,) = {one["text"] for one in only(site)["problems"] if "world of its own" in one["text"]}
    assert "its 4 tasks, and libmpi.so." in text


@pytest.mark.parametrize("allocate", ["salloc", "sbatch"])
@pytest.mark.parametrize("family", ["hydra", "openmpi"])
def test_mpiexec_in_an_allocation(site: Site, allocate: str, family: str, open_mpi: Mapping[str, str]) -> None:
    """All ranks of a node have the SLURM_PROCID of the daemon that mpiexec started there: it is not theirs."""
    mpiexec = (str(site.bin / "mpiexec"), "python") if family == "hydra" else (DEBIAN_MPIEXEC, DEBIAN_PYTHON)
    command = (mpiexec[0], "-n", "4", *WRAP, mpiexec[1], "-c", HELLO)
    allocation = ("-N2", "-n4", "--ntasks-per-node=2")
    if allocate == "salloc":
        printed = site.run("salloc", "-Q", *allocation, *command, env=open_mpi).stdout
    else:
        job = site.submit(shlex.join(command), *allocation, env=open_mpi)
        assert site.slurm.ended(job)["State"] == "COMPLETED", site.output(job)
        printed = site.output(job)
    assert lines(printed) == hello(4)
    assert_whole(only(site), site, nodes=2, ranks=4)


def test_exec_around_mpiexec_is_one_process_of_the_batch_script(site: Site) -> None:
    job = site.submit(shlex.join([*WRAP, "mpiexec", "-n", "4", "python", "-c", HELLO]), "-N2", "-n4")
    assert site.slurm.ended(job)["State"] == "COMPLETED", site.output(job)
    assert lines(site.output(job)) == hello(4)
    record = only(site)
    assert (record["ranks"]["count"], record["run"]["argv"][0]) == (1, "mpiexec")
    assert record["run"]["part_of"]["job"] == f"slurm-bed-{job}"


def test_steps_at_once_in_one_allocation(site: Site) -> None:
    """Four steps of two ranks each, side by side: four records, each with its own ranks, all of one job."""
    wrap = shlex.join(WRAP)
    step = f"srun --exact -N1 -n2 --mem=100 {wrap} sh -c 'echo $0 $SLURM_PROCID' $i &"
    job = site.submit(f"for i in 1 2 3 4; do {step} done; wait\n", "-N2", "-n8")
    assert site.slurm.ended(job)["State"] == "COMPLETED", site.output(job)
    records = steps(site)
    assert Counter(record["run"]["argv"][-1] for record in records) == Counter("1234")
    assert sorted(record["run"]["id"] for record in records) == [f"slurm-bed-{job}.{step}.0" for step in range(4)]
    for record in records:
        assert_whole(record, site, nodes=1, ranks=2)
    parts = site.record(f"slurm-bed-{job}")["parts"]
    assert {part["run"] for part in parts} == {record["run"]["id"] for record in records}


def test_labels_and_output_are_as_without(site: Site) -> None:
    script = "printf 'a\\tb %s\\n' $SLURM_PROCID; printf 'no end' >&2"
    bare, wrapped = (site.run("srun", "--label", "-n3", *wrap, "sh", "-c", script) for wrap in ((), WRAP))
    assert lines(wrapped.stdout) == lines(bare.stdout) == [f"{rank}: a\tb {rank}" for rank in range(3)]
    assert lines(wrapped.stderr) == lines(bare.stderr)


def test_programs_that_differ_between_ranks(site: Site) -> None:
    """MPMD: the lowest rank's command is the run's, the others stand beside it."""
    wrap = shlex.join(WRAP)
    (site.cwd / "programs").write_text(f"0 {wrap} echo ocean %t\n1-2 {wrap} echo atmosphere\n3 {wrap} echo ice\n")
    done = site.run("srun", "-N2", "-n4", "--multi-prog", "programs")
    assert lines(done.stdout) == ["atmosphere", "atmosphere", "ice", "ocean 0"]
    record = only(site)
    assert_whole(record, site, nodes=2, ranks=4)
    assert record["run"]["argv"] == ["echo", "ocean", "0"]
    others = {tuple(other["argv"]): other["ranks"] for other in record["run"]["others"]}
    assert others == {("echo", "atmosphere"): [[1, 2]], ("echo", "ice"): [[3, 3]]}


def test_standard_input_reaches_all_tasks(site: Site) -> None:
    (site.cwd / "input").write_bytes(bytes(range(256)) * 300)
    for wrap in ((), WRAP):
        done = site.run("srun", "-N2", "-n4", "--input=input", *wrap, "sh", "-c", "cksum")
        assert len(done.stdout.splitlines()) == 4 and len(set(done.stdout.splitlines())) == 1
        assert done.stdout.split()[1] == str(256 * 300)


def test_a_terminal_of_its_own(site: Site) -> None:
    """`srun --pty`: the application is in the foreground of a terminal, with and without."""
    script = "test -t 0 && test -t 1 && ps -o tpgid=,pgid= -p $$ | awk '{print $1 == $2}'; stty size; exit 7"
    seen = [on_terminal(site, "srun", "--pty", *wrap, "sh", "-c", script) for wrap in ((), WRAP)]
    assert seen[0] == seen[1] == (7, ["1", "0 0"])


def on_terminal(site: Site, *argv: str) -> tuple[int, list[str]]:
    """The status of a command on a terminal of its own, and what it printed there; not what srun itself says."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(argv, stdin=theirs, stdout=theirs, stderr=theirs, cwd=site.cwd, env=site.env, timeout=60)
        os.close(theirs)
        theirs = -1
        return done.returncode, [line for line in everything(ours).splitlines() if not line.startswith("srun:")]
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def everything(terminal: int) -> str:
    """What stands in a terminal that nobody else has open any more."""
    found = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            return found.decode()
        if not part:
            return found.decode()
        found += part


# How a task ends, on how many tasks it is tried, and what srun itself says of it.
ENDINGS = {
    "well": ("exit 0", 1),
    "three": ("exit 3", 1),
    "highest": ("exit 255", 1),
    "crash": ("ulimit -c 0; kill -SEGV $$", 1),
    "terminated": ("kill -TERM $$", 1),
    "killed": ('[ "$SLURM_PROCID" = 0 ] && kill -KILL $$; exit 0', 2),
    "one-of-two": ('exit "$SLURM_PROCID"', 2),
    "not-executable": ("exec ./data", 1),
    "not-found": ("exec ./missing", 1),
}


def test_sacct_tells_the_same_endings_as_without(site: Site) -> None:
    """The row of each step in the accounting, and srun's own status, are the same with and without hpcprov."""
    (site.cwd / "data").write_text("not a program\n")
    (site.cwd / "data").chmod(0o644)
    script = []
    for name, (end, tasks) in ENDINGS.items():
        for kind, wrap in (("bare", ()), ("wrapped", WRAP)):
            command = (*wrap, "sh", "-c", end)
            if name.startswith("not-"):  # the wrapper itself meets what cannot be started
                command = (*wrap, end.split()[1])
            step = shlex.join(["srun", "--exact", f"-n{tasks}", "--mem=100", "-J", f"{kind}.{name}", *command])
            script.append(f"({step} 2>/dev/null; echo {kind}.{name} $? >>statuses) &")
    job = site.submit("\n".join([*script, "wait", "exit 0"]), "-N4", "-n32")
    assert site.slurm.ended(job)["State"] == "COMPLETED", site.output(job)
    wanted = {f"{kind}.{name}" for kind in ("bare", "wrapped") for name in ENDINGS}

    def ended() -> dict[str, tuple[str, str]]:
        rows = [row for row in site.slurm.sacct(job) if row["JobName"] in wanted and row["End"] != "Unknown"]
        return {row["JobName"]: (row["State"], row["ExitCode"]) for row in rows}

    until(lambda: set(ended()) == wanted, lambda: site.slurm.about(job))
    statuses = dict(line.split() for line in (site.cwd / "statuses").read_text().splitlines())
    for name in ENDINGS:
        bare, wrapped = ((ended()[f"{kind}.{name}"], statuses[f"{kind}.{name}"]) for kind in ("bare", "wrapped"))
        if name.startswith("not-"):
            assert wrapped[0][0] == bare[0][0] == "FAILED"
            continue
        assert wrapped == bare, name

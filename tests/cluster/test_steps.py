"""Shapes of steps on a real Slurm beside test_mpi.py's: arrays, heterogeneous jobs, nested and repeated commands, and
what srun does with streams; and `hpcprov hash` shared out between the nodes of a step.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .bed.slurm import Slurm, until
from .conftest import Site

# The jobs are submitted before the first test, whichever it is, and looked at last.
pytestmark = pytest.mark.usefixtures("jobs")
WRAP = ("hpcprov", "exec", "--hash", "off", "--")
DATA = """
import h5py, numpy, zarr
numbers = numpy.random.default_rng(4).standard_normal((96, 64, 32))
zarr.create_array("field.zarr", shape=numbers.shape, chunks=(16, 64, 32), dtype="f8")[:] = numbers
with h5py.File("field.h5", "w") as file:
    file.create_dataset("field", data=numbers, chunks=(16, 64, 32), compression="gzip")
numpy.save("field.npy", numbers)
"""


class Job(NamedTuple):
    """A job in a directory of its own, and its id."""

    site: Site
    id: str

    def ended(self) -> None:
        assert self.site.slurm.ended(self.id)["ExitCode"] == "0:0", self.site.slurm.about(self.id)

    def records(self) -> dict[str, dict[str, Any]]:
        """All records of that directory's store, by their ids."""
        self.ended()
        found = {run["id"]: self.site.record(run["id"]) for run in self.site.runs()}
        assert {record["run"]["status"] for record in found.values()} == {"completed"}
        return found


def named(*names: str) -> list[str]:
    """Commands that print a name, whose runs have it."""
    return [shlex.join(["hpcprov", "exec", "--hash", "off", "--name", name, "--", "echo", name]) for name in names]


def heterogeneous() -> str:
    """Two components, each with a step of its own, and then one step over both."""
    one, other, both = named("one", "other", "both")
    head = "#!/bin/bash\n#SBATCH -N1 -n1 --mem=100\n#SBATCH hetjob\n#SBATCH -N1 -n2 --mem=100\n"
    return f"{head}srun --het-group=0 {one} &\nsrun --het-group=1 {other} &\nwait\nsrun {both} : {both} too\n"


def many_in_one() -> str:
    """A step whose tasks run commands one after the other, the second with another command inside."""
    exec_ = "hpcprov exec --hash off --name"
    return f"srun sh -c '{exec_} first -- true; {exec_} second -- {exec_} inner -- true'\n"


def environments() -> str:
    command = "env -0 >seen.$SLURM_STEP_ID.$SLURM_PROCID"
    return "\n".join(shlex.join(["srun", *wrap, "sh", "-c", command]) for wrap in ((), WRAP))


SCRIPTS = {
    "heterogeneous": (heterogeneous(), ()),
    "array": (many_in_one(), ("-n2", "--mem=200", "--array=3,7")),
    "around srun": (shlex.join([*WRAP, "srun", "-n2", *WRAP, "true"]), ("-n2", "--mem=200")),
    "environments": (environments(), ("-N2", "-n2", "--mem=100")),
}


@pytest.fixture(scope="module")
def jobs(slurm: Slurm, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    found = {}
    for name, (script, options) in SCRIPTS.items():
        site = Site(slurm, installed, tmp_path_factory.mktemp("job"))
        found[name] = Job(site, site.submit(script, *options))
    return found


def by_name(found: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    (record,) = [record for record in found.values() if record["run"]["name"] == name]
    return record


def parts(record: Mapping[str, Any]) -> list[str]:
    return sorted(part["run"] for part in record["parts"])


def test_sixty_four_ranks_are_one_record(site: Site) -> None:
    site.run("srun", "-N4", "-n64", "--overcommit", "--mem=200", *WRAP, "true")
    (record,) = [site.record(run["id"]) for run in site.runs() if run["kind"] == "command"]
    assert (record["run"]["status"], record["ranks"]["count"], record["ranks"]["missing"]) == ("completed", 64, [])
    assert [node["node"] for node in record["nodes"]] == site.slurm.nodes


def environment(file: Path) -> dict[str, str]:
    """What `env -0` wrote."""
    return dict(entry.split("=", 1) for entry in file.read_text().split("\0") if entry)


def test_standard_input_for_one_task_or_none(site: Site) -> None:
    (site.cwd / "input").write_text("the input")
    script = shlex.join(["sh", "-c", 'echo "$SLURM_PROCID $(cat)"'])
    for way, reader in (("1", 1), ("none", None)):
        for wrap in ((), WRAP):
            command = f"srun -n3 --input={way} {shlex.join([*wrap])} {script} <input"
            printed = sorted(site.run("bash", "-c", command).stdout.splitlines())
            assert printed == [f"{rank} {'the input' if rank == reader else ''}" for rank in range(3)], (way, wrap)


def test_files_of_output_are_the_same_to_the_byte(site: Site) -> None:
    """Bytes of every value, without line feeds at the end, to files for each task."""
    (site.cwd / "bytes").write_bytes(bytes(range(256)) * 100)
    for name, wrap in (("bare", ()), ("wrapped", WRAP)):
        out = (f"--output={name}.%t.out", f"--error={name}.%t.err")
        script = "cat bytes; printf %s $SLURM_PROCID; cat bytes >&2"
        site.run("srun", "-N2", "-n3", *out, *wrap, "sh", "-c", script, env={"HPCPROV_QUIET": "1"})
    for rank in range(3):
        for end in ("out", "err"):
            bare, wrapped = ((site.cwd / f"{name}.{rank}.{end}").read_bytes() for name in ("bare", "wrapped"))
            assert bare == wrapped and len(bare) == 25_600 + (end == "out")


def test_hashing_is_shared_out_between_nodes(site: Site) -> None:
    """`hpcprov hash` as an MPI step prints what one process does; without MPI it refuses, in one voice."""
    site.run("python", "-c", DATA)
    (site.cwd / "plain").write_bytes(bytes(range(256)) * 20_000)
    command = ("hpcprov", "hash", "--json", "field.zarr", "field.h5", "field.npy", "plain")
    alone = json.loads(site.run(*command).stdout)
    shared = json.loads(site.run("srun", "--mpi=pmi2", "-N2", "-n4", *command).stdout)
    assert shared == alone
    assert json.dumps(alone).count('"ok"') >= 3
    refused = site.run("srun", "--mpi=none", "-N2", "-n4", *command, check=None)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("4 ranks were launched, but each is alone in its MPI world") == 1
    assert "srun --mpi=pmi2" in refused.stderr


def test_the_environment_has_one_variable_more(jobs: Mapping[str, Job]) -> None:
    site, job = jobs["environments"]
    jobs["environments"].ended()
    for rank in range(2):
        bare, wrapped = (environment(site.cwd / f"seen.{step}.{rank}") for step in range(2))
        assert set(wrapped) - set(bare) == {"HPCPROV_RUN"} and set(bare) <= set(wrapped)
        assert wrapped["HPCPROV_RUN"] == f"slurm-bed-{job}.1.0/{rank}"
        differ = {name for name in bare if bare[name] != wrapped[name]}
        assert all(name.startswith(("SLURM_", "SRUN_")) for name in differ), differ


def test_a_step_knows_the_command_that_started_it(jobs: Mapping[str, Job]) -> None:
    """`hpcprov exec` around srun in the batch script, and again inside."""
    found, job = jobs["around srun"].records(), jobs["around srun"].id
    step = found[f"slurm-bed-{job}.0.0"]
    outside = found[step["run"]["parent"]["run"]]
    assert (outside["run"]["argv"][0], outside["ranks"]["count"]) == ("srun", 1)
    assert parts(found[f"slurm-bed-{job}"]) == sorted([outside["run"]["id"], step["run"]["id"]])


def ids_of_tasks(site: Site, array: str) -> dict[str, str]:
    """`4711_3` -> the job's own id, of the tasks that accounting knows of."""
    rows = site.slurm.sacct(array, "-X", fields="JobID,JobIDRaw")
    return {row["JobID"]: row["JobIDRaw"] for row in rows}


def test_a_heterogeneous_job_is_one_job(jobs: Mapping[str, Job]) -> None:
    found = jobs["heterogeneous"].records()
    job = jobs["heterogeneous"].id
    whole = found[f"slurm-bed-{job}"]
    steps = [by_name(found, name) for name in ("one", "other", "both")]
    assert [step["ranks"]["count"] for step in steps] == [1, 2, 3]
    assert [len(step["nodes"]) for step in steps] == [1, 1, 2]
    assert [step["run"]["part_of"]["job"] for step in steps] == [whole["run"]["id"]] * 3
    assert parts(whole) == [f"slurm-bed-{job}.{step}.0" for step in range(3)]
    (sacct,) = (said["value"] for said in whole["witnesses"] if said["source"] == "sacct")
    assert {step["id"].rpartition(".")[2] for step in sacct["steps"]} == {"batch", "0", "1", "2"}
    (rest,) = steps[2]["run"]["others"]
    assert (rest["argv"], rest["ranks"]) == (["echo", "both", "too"], [[1, 2]])


def test_tasks_of_an_array_are_jobs_of_one_array(jobs: Mapping[str, Job]) -> None:
    site, array = jobs["array"]
    site.slurm.wait(array)
    tasks = {f"{array}_3", f"{array}_7"}
    until(lambda: set(ids_of_tasks(site, array)) == tasks, lambda: site.slurm.about(array))
    ids = ids_of_tasks(site, array)
    for job in ids.values():
        Job(site, job).ended()
    found = jobs["array"].records()
    assert {record["run"]["part_of"]["array"] for record in found.values()} == {f"slurm-bed-{array}"}
    for job in ids.values():
        runs = [f"slurm-bed-{job}.0.{start}" for start in range(3)]
        assert parts(found[f"slurm-bed-{job}"]) == runs
        assert [found[run]["run"]["name"] for run in runs] == ["first", "second", "inner"]
        assert [found[run]["ranks"]["count"] for run in runs] == [2, 2, 2]
        assert found[runs[2]]["run"]["parent"] == {"run": runs[1], "rank": 0}

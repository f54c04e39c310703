"""What Slurm says of jobs ends up in records: arrays, requeues, dependencies, heterogeneous jobs, steps side by side.

All jobs are submitted when the first test asks for one; each test then looks at the end of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .bed.slurm import Slurm, until
from .conftest import Site

EXEC = "hpcprov exec --hash off"
# (script, options); `{first}` is the id of the job `steps`.
JOBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "steps": (
        f"""#SBATCH --comment="a=b JobState=FAILED"
{EXEC} --name prepare -- true
for n in 1 2 3; do srun -N1 -n1 --exact {EXEC} --name "beside $n" -- sleep 1 & done
wait
srun -N2 -n2 --job-name=both {EXEC} --name both -- true
srun -n1 {EXEC} --name fails -- sh -c 'exit 3'
exit 0""",
        ("-N2", "-n4", "--mem=400", "-t7", "--job-name", "a |name= of\nours"),
    ),
    "array": (f"srun -n1 {EXEC} -- sh -c 'exit $SLURM_ARRAY_TASK_ID'", ("--array=0,1,3", "-n1", "--mem=100")),
    "again": (
        f"""srun -n1 {EXEC} -- sh -c '[ "$SLURM_RESTART_COUNT" ] || {{ touch began; exec sleep 600; }}'""",
        ("-n1", "--mem=100", "--requeue"),
    ),
    "after": (f"srun -n1 {EXEC} -- true", ("-n1", "--mem=100", "-d", "afterany:{first}")),
    "het": (f"srun --het-group=0,1 {EXEC} -- true", ("-n1", "--mem=100", ":", "-n1", "--mem=100")),
}


class Jobs:
    """The jobs of this module: their ids, and their site."""

    def __init__(self, site: Site) -> None:
        self.site, self.ids = site, dict[str, str]()
        for name, (script, options) in JOBS.items():
            words = [word.format(first=self.ids.get("steps", "")) for word in options]
            self.ids[name] = site.submit(script, *words)

    def record(self, run: str) -> dict[str, Any]:
        return self.site.record(run)

    def ended(self, name: str) -> str:
        """The id of a job that has ended, for accounting too."""
        job, slurm = self.ids[name], self.site.slurm
        slurm.wait(job)
        command = ["sacct", "-n", "-P", "-X", "-j", job, "-o", "End,State"]  # the name of one job holds `|`
        until(lambda: not {"Unknown", ""} & set(slurm.run(command).stdout.replace("|", "\n").split("\n")[:-1]), job)
        return job

    def is_settled(self, run: str) -> Callable[[], bool]:
        """Is there a record of a job and no run in progress?"""

        def settled() -> bool:
            listed = json.loads(self.site.run(self.site.hpcprov, "runs", "--job", run, "--json").stdout)
            return bool(listed) and all(one["status"] != "running" for one in listed)

        return settled


@pytest.fixture(scope="module")
def jobs(slurm: Slurm, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    found = Jobs(Site(slurm, installed, tmp_path_factory.mktemp("facts")))
    yield found
    for job in found.ids.values():
        slurm.run(["scancel", job], check=None)


def settled(jobs: Jobs, name: str) -> str:
    job = jobs.ended(name)
    until(jobs.is_settled(job), lambda: jobs.site.run(jobs.site.hpcprov, "runs").stdout)
    return job


def test_a_job_has_a_record_with_all_its_steps(jobs: Jobs) -> None:
    job = settled(jobs, "steps")
    record = jobs.record(job)
    names = {part["name"]: part["run"] for part in record["parts"]}
    assert set(names) == {"prepare", "beside 1", "beside 2", "beside 3", "both", "fails"}
    assert len(set(names.values())) == 6 and record["run"]["kind"] == "job"
    for name, run in names.items():
        part = jobs.record(run)
        assert part["run"]["part_of"]["job"] == record["run"]["id"] and part["run"]["name"] == name
        assert part["run"]["status"] == ("failed" if name == "fails" else "completed")
    assert len(jobs.record(names["both"])["nodes"]) == 2
    assert record["run"]["status"] == "completed"


def test_the_facts_of_a_job_are_those_of_scontrol(jobs: Jobs) -> None:
    job = settled(jobs, "steps")
    record = jobs.record(job)
    (fact,) = [fact["value"] for fact in record["facts"].values() if fact["kind"] == "job"]
    script = (jobs.site.cwd / "job-0.sh").read_bytes()
    assert fact["script_sha256"] == hashlib.sha256(script).hexdigest()
    assert fact["job_id"] == job and fact["time_limit_s"] == 420 and fact["nodes"] == 2
    assert fact["partition"] == "main" and fact["work_dir"] == str(jobs.site.cwd)
    assert fact["deadline"] == fact["start"] + 420 and fact["allocated"].startswith("cpu=")
    (scheduler,) = [fact["value"] for fact in record["facts"].values() if fact["kind"] == "scheduler"]
    assert scheduler["job_id"] == job and "step_id" not in scheduler


def test_accounting_is_the_witness(jobs: Jobs) -> None:
    record = jobs.record(settled(jobs, "steps"))
    (said,) = [one["value"] for one in record["witnesses"] if one["source"] == "sacct"]
    states = {step["id"].partition(".")[2]: (step["state"], step["exit_code"]) for step in said["steps"]}
    assert said["state"] == "COMPLETED" and states["4"] == ("FAILED", "3:0") and len(states) == 6
    assert said["job_name"] == "a |name= of\nours" and "sbatch --parsable" in said["submit_line"]
    fails = next(part["run"] for part in record["parts"] if part["name"] == "fails")
    (about,) = [one["value"] for one in jobs.record(fails)["witnesses"] if one["source"] == "sacct"]
    assert [step["exit_code"] for step in about["steps"]] == ["3:0"]


def test_a_job_is_found_by_its_number_and_shown_with_its_steps(jobs: Jobs) -> None:
    job = settled(jobs, "steps")
    out = jobs.site.run(jobs.site.hpcprov, "show", job).stdout
    assert "what       job: " in out and "sbatch --parsable -N2" in out and "sacct: job COMPLETED, exit 0:0" in out
    assert sum(" completed " in line or " failed " in line for line in out.splitlines()) >= 6
    step = jobs.site.run(jobs.site.hpcprov, "show", f"{job}.4").stdout
    assert f"part of    job slurm-bed-{job}" in step and "step " + job + ".4 FAILED, exit 3:0" in step
    kinds = jobs.site.run(jobs.site.hpcprov, "runs", "--job", job, "--kind", "job", env={"COLUMNS": "120"}).stdout
    assert "[job of 6 runs]" in kinds


def test_tasks_of_an_array_name_it(jobs: Jobs) -> None:
    array = settled(jobs, "array")
    until(jobs.is_settled(f"{array}_3"), "the last task was not settled")
    for task, status in ((0, "completed"), (1, "failed"), (3, "failed")):
        record = jobs.record(f"{array}_{task}")
        assert record["run"]["kind"] == "job" and record["run"]["status"] == status
        assert record["run"]["part_of"]["array"] == f"slurm-bed-{array}"
        (part,) = record["parts"]
        assert jobs.record(part["run"])["run"]["status"] == status
        assert jobs.record(f"{array}_{task}.0")["run"]["part_of"]["array"] == f"slurm-bed-{array}"
    listed = json.loads(jobs.site.run(jobs.site.hpcprov, "runs", "--job", array, "--json").stdout)
    assert len(listed) == 6


def test_a_requeued_job_has_two_records_and_they_are_linked(jobs: Jobs) -> None:
    job, slurm = jobs.ids["again"], jobs.site.slurm
    until((jobs.site.cwd / "began").exists, lambda: slurm.about(job))
    slurm.run(["scontrol", "requeue", job])
    settled(jobs, "again")
    latest = jobs.record(job)
    assert latest["run"]["id"] == f"slurm-bed-{job}-r1" and latest["run"]["status"] == "completed"
    assert latest["run"]["previous"] == f"slurm-bed-{job}"
    first = jobs.record(f"slurm-bed-{job}")
    (said,) = [one["value"] for one in first["witnesses"] if one["source"] == "sacct"]
    assert said["state"] == "REQUEUED" and first["run"]["status"] != "completed"
    (part,), (again,) = first["parts"], latest["parts"]
    assert part["run"] == f"slurm-bed-{job}.0.0" and again["run"] == f"slurm-bed-{job}.0-r1.0"
    assert jobs.record(part["run"])["run"]["part_of"]["job"] == f"slurm-bed-{job}"


def test_what_a_job_waited_for_is_told(jobs: Jobs) -> None:
    record = jobs.record(settled(jobs, "after"))
    (scheduler,) = [fact["value"] for fact in record["facts"].values() if fact["kind"] == "scheduler"]
    assert scheduler["dependency"] == f"afterany:{jobs.ids['steps']}"


def test_a_step_across_the_components_of_a_heterogeneous_job_is_one_run(jobs: Jobs) -> None:
    job = settled(jobs, "het")
    record = jobs.record(job)
    (part,) = record["parts"]
    step = jobs.record(part["run"])
    assert step["run"]["status"] == "completed" and step["ranks"]["count"] == 2
    (scheduler,) = [fact["value"] for fact in record["facts"].values() if fact["kind"] == "scheduler"]
    assert scheduler["het_size"] == 2 and [one["job_id"] for one in scheduler["components"]] == [job, str(int(job) + 1)]
    (fact,) = [fact["value"] for fact in record["facts"].values() if fact["kind"] == "job"]
    assert fact["het_job_id"] == job


def test_settling_a_job_that_was_killed(site: Site) -> None:
    job = site.submit(f"srun -n1 {EXEC} -- sh -c 'touch began; exec sleep 600'", "-n1", "--mem=100")
    until((site.cwd / "began").exists, lambda: site.slurm.about(job))
    running = site.run(site.hpcprov, "settle", "--job", job)
    assert "may still be running" in running.stdout and "settled" not in running.stdout
    site.slurm.run(["scancel", job])
    site.slurm.ended(job)
    until(lambda: settles(site, job), lambda: site.run(site.hpcprov, "settle", "--job", job).stdout)
    assert {run["status"] for run in site.runs()} == {"cancelled"}
    assert site.record(job)["run"]["status"] == site.record(f"{job}.0")["run"]["status"] == "cancelled"


def settles(site: Site, job: str) -> bool:
    """Nothing of a job is left to settle."""
    left = site.run(site.hpcprov, "settle", "--job", job).stdout
    return "may still be running" not in left and not list(site.store.glob("runs/slurm-*"))

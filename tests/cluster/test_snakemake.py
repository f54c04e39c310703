"""Snakemake on the real Slurm, with 4 jobs at once: the wrapper, the shell and the logger plugin, as installed.

The workflows of all tests run beside each other; each test then looks at one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import check_record

from .bed.slurm import Slurm, until
from .conftest import ROOT, Site

EXAMPLES = ROOT / "workflows"
ON_SLURM = "--executor slurm --jobs 4 --slurm-init-seconds-before-status-checks 1"
OFTEN = "--seconds-between-status-checks 1 --latency-wait 20"
NEEDS = "--default-resources mem_mb=500 runtime=5"
LIMIT = 600  # s for one workflow, on two cores beside the others

# A workflow as people write it: nothing in it is hpcprov's. One rule starts ranks, one fails, one is a Python script.
PLAIN = """
rule all:
    input: "ranks.txt", "script.txt", "bad.txt"
rule ranks:
    output: "ranks.txt"
    resources: mpi="srun --mpi=pmi2", tasks=4, nodes=2, mem_mb_per_cpu=200
    shell: "{resources.mpi} -n {resources.tasks} python app.py {output}"
rule script:
    input: "ranks.txt"
    output: "script.txt"
    script: "script.py"
rule bad:
    output: "bad.txt"
    shell: "exit 3"
localrules: all
"""
APP = """
import sys
from mpi4py import MPI
names = MPI.COMM_WORLD.gather(MPI.COMM_WORLD.rank)
if names is not None:
    open(sys.argv[1], "w").write(str(names))
"""
SLOW = """
rule slow:
    output: "slow.txt"
    shell: "touch started; sleep 600; touch {output}"
"""


class Workflow(Site):
    """A place where one Snakemake runs in the background."""

    def begin(self, *words: object, **env: str) -> Workflow:
        """`snakemake --logger hpcprov WORDS`."""
        command = ["snakemake", "--logger", "hpcprov", *map(str, words)]
        self.log = (self.cwd / "snakemake.log").open("ab")
        # A Snakemake that is killed leaves its directories for temporary files.
        own = {"HOME": self.cwd, "XDG_CACHE_HOME": self.cwd / ".cache", "TMPDIR": self.cwd / ".tmp"}
        own["TMPDIR"].mkdir(exist_ok=True)
        self.env |= env | {name: str(place) for name, place in own.items()}
        self.process = subprocess.Popen(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        return self

    def on_slurm(self, *words: object, **env: str) -> Workflow:
        return self.begin(*f"{ON_SLURM} {OFTEN}".split(), *words, **env)

    def end(self, status: int = 0) -> dict[str, dict[str, Any]]:
        """Wait for it; the records by the names of their runs, the workflow's as `workflow`."""
        assert self.process.wait(LIMIT) == status, self.printed()
        until(lambda: not list(self.store.glob("runs/*/*.log")) or not self.unsettled(), self.printed)
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.store.glob("records/*/*/*/*/record.json")):
            record = check_record(json.loads(path.read_text()))
            kind, name = record["run"]["kind"], record["run"]["name"]
            found["workflow" if kind == "workflow" else f"job {name}" if kind == "job" else str(name)] = record
        return found

    def unsettled(self) -> list[str]:
        """Runs that may still be going on."""
        said = self.run(self.hpcprov, "settle", "--all", check=None).stdout.splitlines()
        return [line for line in said if line.startswith("left")]

    def printed(self) -> str:
        return (self.cwd / "snakemake.log").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def workflows(slurm: Slurm, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workflow]]:
    """All workflows, begun at once."""
    share = installed.parent / "share" / "hpcprov" / "workflows"
    shell = ["--default-resources", "mem_mb=500", "runtime=5", f"shell_exec='{share / 'shell' / 'bash'}'"]
    found = {
        name: Workflow(slurm, installed, tmp_path_factory.mktemp(f"workflow-{name}"))
        for name in ("flood", "iris", "plain", "killed", "local-flood", "local-iris")
    }
    flood, iris = ("--snakefile", EXAMPLES / "flood/Snakefile"), ("--snakefile", EXAMPLES / "iris/Snakefile")
    for name, files in (("plain", {"Snakefile": PLAIN, "app.py": APP}), ("killed", {"Snakefile": SLOW})):
        for file, text in files.items():
            (found[name].cwd / file).write_text(textwrap.dedent(text))
    (found["plain"].cwd / "script.py").write_text("open(snakemake.output[0], 'w').write('done')\n")
    try:
        found["killed"].on_slurm(*shell)
        found["flood"].on_slurm(*NEEDS.split(), *flood, "--config", "hours=0.2", "mpi=srun --mpi=pmi2", "nodes=2")
        path = f"{share / 'shell'}:{found['plain'].env['PATH']}"
        found["plain"].on_slurm(*NEEDS.split(), "--keep-going", PATH=path)
        found["iris"].on_slurm(*shell, *iris)
        yield found
    finally:
        for workflow in found.values():
            if hasattr(workflow, "process"):
                workflow.stop()


def fact(record: dict[str, Any]) -> dict[str, Any]:
    (found,) = (fact["value"] for fact in record["facts"].values() if fact["kind"] == "workflow")
    return dict(found)


def jobs(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {job["rule"]: job for job in fact(record)["jobs"]}


def check_links(found: dict[str, dict[str, Any]], rules: set[str]) -> None:
    """One workflow record whose parts are the rules' runs; each names its workflow, and its job on Slurm."""
    whole = found["workflow"]
    assert {name: found[name]["run"]["part_of"]["workflow"] for name in rules} == dict.fromkeys(
        rules, whole["run"]["id"]
    )
    runs = {part["run"] for part in whole["parts"]}
    for name in rules:
        assert found[name]["run"]["id"] in runs
        assert found[name]["run"]["id"] in jobs(whole)[name]["runs"]


def check_observed(found: dict[str, dict[str, Any]], rules: set[str]) -> None:
    """Whatever a rule declares was seen as well, and nothing else but what lies in an installed package: without the
    declarations the records would name the same files."""
    for name in rules:
        assert found[name]["observation"]["complete"], found[name]["observation"]["nodes"]
        for one in [*found[name]["artifacts"]["used"], *found[name]["artifacts"]["generated"]]:
            assert one["observed"], (name, one["path"])
            assert one["declared"] or "/site-packages/" in one["path"], (name, one["path"], one["observed"])


def signatures(record: dict[str, Any], path: str) -> dict[str, str]:
    """Signatures of the fields of an output."""
    (found,) = (one for one in record["artifacts"]["generated"] if one["path"].endswith(path))
    assert found["state"] == "ok", found
    return {field["path"]: field["signature"] for field in found["signature"]["fields"]}


def test_the_simulation_by_the_wrapper(workflows: dict[str, Workflow], slurm: Slurm) -> None:
    found = workflows["flood"].end()
    check_links(found, {"terrain", "simulate", "summarize", "figure"})
    check_observed(found, {"terrain", "simulate", "summarize", "figure"})
    whole, simulate = found["workflow"], found["simulate"]
    assert whole["run"]["status"] == "completed" and whole["problems"] == []
    assert simulate["ranks"]["count"] == 4 and simulate["ranks"]["missing"] == []
    assert len(simulate["nodes"]) == 2 and {node["node"] for node in simulate["nodes"]} < set(slurm.nodes)
    assert simulate["run"]["id"].startswith(f"slurm-bed-{jobs(whole)['simulate']['slurm']}.")
    assert fact(whole)["counts"]["completed"] == 5
    told = [("simulate", "figure"), ("simulate", "summarize"), ("terrain", "figure"), ("terrain", "simulate")]
    assert {tuple(edge) for edge in fact(whole)["edges"]} == {*told, ("figure", "all"), ("summarize", "all")}
    assert signatures(simulate, "flood.h5")["max_depth"] == signatures(simulate, "flood.zarr")["max_depth"]


def test_again_nothing_is_to_be_done(workflows: dict[str, Workflow]) -> None:
    first = workflows["flood"].end()["workflow"]["run"]["id"]
    again = Workflow(workflows["flood"].slurm, workflows["flood"].bin, workflows["flood"].cwd)
    arguments = ("--snakefile", EXAMPLES / "flood/Snakefile", "--config", "hours=0.2", "mpi=srun --mpi=pmi2", "nodes=2")
    again.on_slurm(*NEEDS.split(), *arguments)
    try:
        whole = again.end()["workflow"]
    finally:
        again.stop()
    assert whole["run"]["id"] != first
    assert {job["status"] for job in fact(whole)["jobs"]} == {"cached"} and whole["parts"] == []


def test_the_irises_by_the_shell(workflows: dict[str, Workflow]) -> None:
    found = workflows["iris"].end()
    check_links(found, {"data", "process", "train"})
    check_observed(found, {"data", "process", "train"})
    train = found["train"]
    assert train["run"]["tags"]["params.folds"] == "5"
    assert [Path(one["path"]).name for one in train["artifacts"]["used"]] == ["processed.csv"]
    assert set(signatures(train, "model.npz")) == {"classes", "coefficients", "intercepts"}
    accuracy = (workflows["iris"].cwd / "accuracy.csv").read_text().splitlines()[-1]
    assert accuracy == "mean,0.960000"


def test_ranks_a_script_and_a_failure_by_the_shell(workflows: dict[str, Workflow]) -> None:
    workflow = workflows["plain"]
    found = workflow.end(status=1)
    whole = found["workflow"]
    assert {rule: job["status"] for rule, job in jobs(whole).items()} == {
        "all": "not run",
        "ranks": "completed",
        "script": "completed",
        "bad": "failed",
    }
    assert (workflow.cwd / "ranks.txt").read_text() == "[0, 1, 2, 3]"
    # The job's own run, and within it that of its four ranks.
    outer, inner = jobs(whole)["ranks"]["runs"]
    records = {
        record["run"]["id"]: record
        for path in workflow.store.glob("records/*/*/*/*/record.json")
        for record in [json.loads(path.read_text())]
    }
    counts = {records[run]["ranks"]["count"]: records[run] for run in (outer, inner)}
    assert set(counts) == {1, 4}
    assert counts[4]["run"]["parent"] == {"run": counts[1]["run"]["id"], "rank": 0}
    assert len(counts[4]["nodes"]) == 2
    # Snakemake gives a script a name of the moment: only the job's id on Slurm tells whose run it was.
    assert len(jobs(whole)["script"]["runs"]) == 1
    assert (found["bad"]["run"]["status"], found["bad"]["run"]["cause"]["code"]) == ("failed", 3)
    assert whole["run"]["status"] == "failed"


def test_a_killed_snakemake(workflows: dict[str, Workflow], slurm: Slurm) -> None:
    workflow = workflows["killed"]
    until((workflow.cwd / "started").exists, workflow.printed)
    os.killpg(workflow.process.pid, signal.SIGKILL)
    for job in slurm.run(["squeue", "-h", "-o", "%A %Z"]).stdout.splitlines():
        if job.partition(" ")[2] == str(workflow.cwd):
            slurm.run(["scancel", job.partition(" ")[0]])
    found = workflow.end(status=-signal.SIGKILL)
    slow = found["slow"]["run"]["id"]
    assert found["workflow"]["run"]["status"] == "incomplete"
    assert [part["run"] for part in found["workflow"]["parts"]] == [slow]
    workflow.run(workflow.hpcprov, "settle", slow)
    until(lambda: workflow.record(slow)["run"]["status"] == "cancelled", lambda: str(workflow.record(slow)["run"]))


def test_the_examples_on_one_machine_give_the_same(workflows: dict[str, Workflow]) -> None:
    flood, iris = workflows["local-flood"], workflows["local-iris"]
    flood.begin("--cores", 4, "--snakefile", EXAMPLES / "flood/Snakefile", "--config", "hours=0.2")
    shell = flood.bin.parent / "share/hpcprov/workflows/shell/bash"
    arguments = ("--cores", 2, "--snakefile", EXAMPLES / "iris/Snakefile", "--default-resources")
    iris.begin(*arguments, f"shell_exec='{shell}'")
    found = flood.end()
    check_links(found, {"terrain", "simulate", "summarize", "figure"})
    assert found["simulate"]["ranks"]["count"] == 4
    elsewhere = workflows["flood"].end()
    assert signatures(found["simulate"], "flood.h5") == signatures(elsewhere["simulate"], "flood.h5")
    trained = iris.end()
    check_links(trained, {"data", "process", "train"})
    assert signatures(trained["train"], "model.npz") == signatures(workflows["iris"].end()["train"], "model.npz")

"""Real workflows of a real Snakemake, on this machine: the wrapper, the shell and the logger plugin."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import check_record
from tests.require import require

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / "workflows"
SHELL = WORKFLOWS / "shell" / "bash"
WRAPPER = f"file:{WORKFLOWS / 'wrapper'}"
USE_SHELL = ("--default-resources", f"shell_exec='{SHELL}'")
STATES = ("completed", "failed", "cached", "not run", "unfinished")


class Workflow:
    """A directory with a Snakefile and a store, and what a user does there."""

    def __init__(self, cwd: Path) -> None:
        self.cwd, self.store = cwd, cwd / ".hpcprov"
        self.bin = Path(sys.executable).parent
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("HPCPROV", "SLURM_", "PMI", "SNAKEMAKE"))}
        self.env = outside | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(WORKFLOWS),  # where the wheel's top-level package comes from
            "XDG_CACHE_HOME": str(cwd / ".cache"),
        }
        self.store.mkdir()

    def write(self, snakefile: str) -> None:
        (self.cwd / "Snakefile").write_text(textwrap.dedent(snakefile))

    def call(self, *words: object, **env: str) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in words]
        return subprocess.run(command, cwd=self.cwd, env=self.env | env, capture_output=True, text=True, timeout=120)

    def snakemake(self, *words: object, check: int | None = 0, **env: str) -> str:
        """`snakemake --logger hpcprov WORDS`; what it printed."""
        done = self.call(sys.executable, "-m", "snakemake", "--logger", "hpcprov", "--cores", "2", *words, **env)
        assert check is None or done.returncode == check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def records(self) -> list[dict[str, Any]]:
        """All records, checked; the workflows' first, the newest before the others."""
        until(self.settled, lambda: self.call("hpcprov", "settle", "--all").stdout)
        paths = self.store.glob("records/*/*/*/*/record.json")
        found = [check_record(json.loads(path.read_text()), str(path.parent)) for path in paths]
        return sorted(found, key=lambda r: (r["run"]["kind"] == "workflow", r["run"]["start"]), reverse=True)

    def settled(self) -> bool:
        """Is every run merged, those that tell late of themselves too?"""
        return not list(self.store.glob("runs/*")) or not self.call("hpcprov", "settle", "--all").stdout.count("left")

    def workflows(self) -> list[dict[str, Any]]:
        return [record for record in self.records() if record["run"]["kind"] == "workflow"]


def until(true: Any, otherwise: Any, seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)


def fact(record: dict[str, Any]) -> dict[str, Any]:
    """The fact `workflow` of a workflow's record."""
    (found,) = (fact["value"] for fact in record["facts"].values() if fact["kind"] == "workflow")
    return dict(found)


def jobs(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Jobs by rule and wildcards: `map a`."""
    return {" ".join([job["rule"], *job.get("wildcards", {}).values()]): job for job in fact(record)["jobs"]}


def statuses(record: dict[str, Any]) -> dict[str, str]:
    return {name: job["status"] for name, job in jobs(record).items()}


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    require("snakemake", importlib.util.find_spec("snakemake"))
    cwd = tmp_path / "it's a place"
    cwd.mkdir()
    return Workflow(cwd)


PLAIN = """
    configfile: "config.yaml"
    rule all:
        input: "out/all.txt"
    rule map:
        input: "in.txt"
        output: "out/{s}.txt"
        log: "log/{s}.log"
        params: word=lambda wildcards: wildcards.s * 2, password="hunter2"
        shell: "(cat {input}; echo {params.word}) > {output} 2> {log}"
    rule join:
        input: expand("out/{s}.txt", s=config["samples"])
        output: "out/all.txt"
        shell: "cat {input} > {output}"
"""


@pytest.fixture
def plain(workflow: Workflow) -> Workflow:
    """Two maps and a join, as people write them, with nothing of hpcprov's."""
    workflow.write(PLAIN)
    (workflow.cwd / "config.yaml").write_text("samples: [a, b]\n")
    (workflow.cwd / "in.txt").write_text("some data\n")
    return workflow


def test_an_unmodified_workflow_by_the_shell(plain: Workflow) -> None:
    plain.snakemake(*USE_SHELL)
    whole, *rules = plain.records()
    assert (whole["run"]["status"], whole["run"]["name"], whole["problems"]) == ("completed", "it's a place", [])
    assert {run["run"]["part_of"]["workflow"] for run in rules} == {whole["run"]["id"]}
    assert {part["run"] for part in whole["parts"]} == {run["run"]["id"] for run in rules}
    by_name = {run["run"]["tags"].get("wildcards.s", run["run"]["name"]): run for run in rules}
    assert by_name.keys() == {"a", "b", "join"}
    one = by_name["a"]
    assert one["run"]["tags"] | {"params.word": "aa", "params.password": "***", "rule": "map"} == one["run"]["tags"]
    assert one["run"]["argv"][1:] == ["-c", "set -euo pipefail;  (cat in.txt; echo aa) > out/a.txt 2> log/a.log"]
    (output,) = one["artifacts"]["generated"]
    assert output["path"].endswith("out/a.txt") and output["state"] == "ok"
    assert {job: len(found["runs"]) for job, found in jobs(whole).items()} == {
        "all": 0,
        "map a": 1,
        "map b": 1,
        "join": 1,
    }
    assert jobs(whole)["map b"]["runs"] == [by_name["b"]["run"]["id"]]


def test_what_a_workflow_is_made_of(plain: Workflow) -> None:
    plain.snakemake("--config", "extra=1")
    (whole,) = plain.records()
    told = fact(whole)
    assert told["edges"] == [["join", "all"], ["map", "join"]]
    assert {rule["name"]: rule["how"] for rule in told["rules"]} == {"all": "nothing", "map": "shell", "join": "shell"}
    assert told["snakefile"]["path"].endswith("/Snakefile") and len(told["snakefile"]["sha256"]) == 64
    (config,) = told["config"]["files"]
    assert config["path"].endswith("/config.yaml") and told["config"]["digest"].startswith("sha256:")
    assert told["counts"] == dict.fromkeys(STATES, 0) | {"completed": 4}
    assert "hunter2" not in json.dumps(whole)
    document = (ROOT / "docs" / "facts.md").read_text().partition("## workflow")[2].partition("\n## ")[0]
    names = {*told, *told["rules"][0], *(key for job in told["jobs"] for key in job), *told["config"]}
    assert {name for name in names if f"`{name}`" not in document} == set()


def test_quiet_elsewhere_and_with_a_checkpoint(workflow: Workflow) -> None:
    """Nothing is printed, the working directory is another, and jobs come up while the workflow runs."""
    place = workflow.cwd / "elsewhere"
    (place / ".hpcprov").mkdir(parents=True)
    workflow.write("""
        def found(wildcards):
            folder = checkpoints.split.get().output[0]
            return expand("sorted/{k}.txt", k=glob_wildcards(f"{folder}/{{k}}.txt").k)
        rule all:
            input: found
        checkpoint split:
            output: directory("parts")
            shell: "mkdir {output}; touch {output}/1.txt {output}/2.txt"
        rule order:
            input: "parts/{k}.txt"
            output: "sorted/{k}.txt"
            shell: "sort {input} > {output}"
    """)
    printed = workflow.snakemake(*USE_SHELL, "--quiet", "all", "--directory", place)
    assert "hpcprov" not in printed
    assert list(workflow.store.iterdir()) == []
    workflow.store = place / ".hpcprov"
    workflow.env["HPCPROV_DIR"] = str(workflow.store)
    (whole, *rules) = workflow.records()
    assert statuses(whole) == {"all": "completed", "split": "completed", "order 1": "completed", "order 2": "completed"}
    assert len(rules) == 3 and all(len(job["runs"]) == (job["rule"] != "all") for job in jobs(whole).values())


def test_up_to_date_jobs_are_cached(plain: Workflow) -> None:
    plain.snakemake()
    plain.snakemake()
    (plain.cwd / "out" / "all.txt").unlink()
    plain.snakemake()
    third, second, first = plain.workflows()
    assert set(statuses(first).values()) == {"completed"}
    assert set(statuses(second).values()) == {"cached"}
    assert statuses(third) == {"all": "completed", "join": "completed", "map a": "cached", "map b": "cached"}
    assert {one["run"]["status"] for one in (first, second, third)} == {"completed"}


def test_outputs_of_the_cache_between_workflows(plain: Workflow) -> None:
    plain.write(PLAIN.replace('output: "out/all.txt"', 'output: "out/all.txt"\n        cache: True'))
    cache = {"SNAKEMAKE_OUTPUT_CACHE": str(plain.cwd / "cache")}
    (plain.cwd / "cache").mkdir()
    plain.snakemake("--cache", "join", **cache)
    (plain.cwd / "out" / "all.txt").unlink()
    plain.snakemake("--cache", "join", **cache)
    second, first = plain.workflows()
    assert statuses(first)["join"] == "completed"
    assert statuses(second)["join"] == "cached"


def test_a_failing_rule_and_what_was_not_run(plain: Workflow) -> None:
    plain.write(PLAIN.replace("cat {input}; echo", "cat {input}; test {wildcards.s} = a; echo"))
    printed = plain.snakemake(*USE_SHELL, "--keep-going", check=1)
    whole, *rules = plain.records()
    assert (whole["run"]["status"], whole["run"]["cause"]["code"]) == ("failed", 1)
    assert statuses(whole) == {"all": "not run", "join": "not run", "map a": "completed", "map b": "failed"}
    assert sorted(run["run"]["status"] for run in rules) == ["completed", "failed"]
    assert "hpcprov:" not in printed
    (failed,) = jobs(whole)["map b"]["runs"]
    assert [run["run"]["id"] for run in rules if run["run"]["status"] == "failed"] == [failed]


def test_a_retry_that_succeeds(plain: Workflow) -> None:
    plain.write(PLAIN.replace("cat {input}; echo", "cat {input}; test -e x || (touch x; false); echo"))
    plain.snakemake(*USE_SHELL, "--retries", "2", "--cores", "1")
    whole = plain.workflows()[0]
    assert whole["run"]["status"] == "completed"
    attempts = [job.get("failed_attempts", 0) for job in jobs(whole).values()]
    assert sorted(attempts) == [0, 0, 0, 1] and set(statuses(whole).values()) == {"completed"}
    assert sorted(len(job.get("runs", [])) for job in jobs(whole).values()) == [0, 1, 1, 2]


def test_strict_bash_is_kept(workflow: Workflow) -> None:
    workflow.write("""
        rule pipe:
            output: "out.txt"
            shell: "false | cat > {output}"
    """)
    workflow.snakemake(*USE_SHELL, check=1)
    whole, rule = workflow.records()
    assert (whole["run"]["status"], rule["run"]["status"]) == ("failed", "failed")


def test_parameters_of_ranks_are_words_and_never_code(workflow: Workflow) -> None:
    """Bash 5.2 puts what was matched in place of a `&` in a replacement, quoted or not."""
    workflow.write("""
        rule one:
            output: "out.txt"
            params:
                word="a & touch taken; b $(touch taken) `touch taken` ' \\\" \\n x",
                **{f"p{k}": "\u00e9\x01" * 400 for k in range(190)},
            shell: "mpiexec -n 2 true; touch {output}"
    """)
    programs = workflow.cwd / "bin"
    programs.mkdir()
    (programs / "mpiexec").write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    (programs / "mpiexec").chmod(0o755)
    workflow.snakemake(*USE_SHELL, PATH=f"{programs}:{workflow.env['PATH']}")
    ranks = [record["run"] for record in workflow.records() if record["run"]["parent"]]
    assert [run["argv"] for run in ranks] == [["true"]]
    assert ranks[0]["tags"]["params.word"].startswith("a & touch taken; b $(touch taken)")
    assert not (workflow.cwd / "taken").exists()


def test_the_command_runs_where_hpcprov_cannot(workflow: Workflow) -> None:
    """More words than the system takes, or a program for another machine."""
    workflow.write(f"""
        rule all:
            input: "shell.txt", "wrapper.txt"
        rule shell:
            output: "shell.txt"
            shell: "touch {{output}}"
        rule wrapper:
            output: "wrapper.txt"
            params: cmd="touch wrapper.txt"
            wrapper: "{WRAPPER}"
    """)
    programs = workflow.cwd / "bin"
    programs.mkdir()
    (programs / "hpcprov").write_bytes(b"\x7fELF of another kind")
    (programs / "hpcprov").chmod(0o755)
    path = f"{programs}:{workflow.env['PATH']}"
    workflow.snakemake("shell.txt", *USE_SHELL, PATH=path)
    workflow.snakemake("wrapper.txt", PATH=path)
    assert {"shell.txt", "wrapper.txt"} <= {place.name for place in workflow.cwd.iterdir()}


def test_the_wrapper(workflow: Workflow) -> None:
    workflow.write(
        """
        rule all:
            input: "b/out.txt", "plain.txt", "own.txt"
        rule ordered:
            input: a="in 1.txt", b="in.txt"
            output: "{s}/out.txt"
            log: "log/{s}.log"
            threads: 2
            resources: mem_mb=100
            params:
                "positional",
                limit=3,
                cmd=lambda wildcards: "sort {input:q} | head -n {params.limit} | awk '{print $1}' > {output};"
                    " echo {wildcards.s} {threads} {resources.mem_mb} {input.b} {output[0]}; echo told >&2",
            wrapper: "WRAPPER"
        rule plain:
            output: "plain.txt"
            params: cmd="touch plain.txt"
            wrapper: "WRAPPER"
        rule own:
            output: "own.txt"
            log: "log/own.log"
            params: cmd=lambda wildcards: "echo said > {log}; touch own.txt"
            wrapper: "WRAPPER"
    """.replace("WRAPPER", WRAPPER)
    )
    (workflow.cwd / "in 1.txt").write_text("3 x\n1 x\n")
    (workflow.cwd / "in.txt").write_text("2 x\n4 x\n")
    workflow.snakemake()
    whole, *rules = workflow.records()
    by_name = {run["run"]["name"]: run for run in rules}
    assert (workflow.cwd / "b/out.txt").read_text() == "1\n2\n3\n"
    assert (workflow.cwd / "log/b.log").read_text() == "b 2 100 in.txt b/out.txt\ntold\n"
    assert (workflow.cwd / "log/own.log").read_text() == "said\n"
    run = by_name["ordered"]["run"]
    expected = {"rule": "ordered", "threads": "2", "log": "log/b.log", "wildcards.s": "b", "params.limit": "3"}
    assert run["tags"] | expected | {"resources.mem_mb": "100", "params.0": "positional"} == run["tags"]
    assert run["declared"] == {"inputs": ["in 1.txt", "in.txt"], "outputs": ["b/out.txt"]}
    assert run["argv"][:2] == ["bash", "-c"] and run["argv"][2].startswith("set -euo pipefail; sort 'in 1.txt' in.txt")
    assert by_name["plain"]["run"]["argv"] == ["touch", "plain.txt"]
    assert {job: len(found["runs"]) for job, found in jobs(whole).items()} == {
        "all": 0,
        "ordered b": 1,
        "plain": 1,
        "own": 1,
    }


@pytest.mark.parametrize(
    ("cmd", "status"),
    [('"false | cat"', 1), ('"exit 7"', 1), ("3", 1), ('""', 1), ('"touch out.txt; no-such-program"', 1), ("None", 1)],
)
def test_the_wrapper_keeps_the_status(workflow: Workflow, cmd: str, status: int) -> None:
    workflow.write(f"""
        rule one:
            output: "out.txt"
            params: cmd={cmd}
            wrapper: "{WRAPPER}"
    """)
    printed = workflow.snakemake(check=status)
    assert statuses(workflow.workflows()[0]) == {"one": "failed"}
    assert "Traceback" not in printed or "params.cmd must be a command" in printed


def test_the_wrapper_without_hpcprov_runs_the_command(workflow: Workflow) -> None:
    workflow.write(f"""
        rule one:
            output: "out.txt"
            params: cmd=lambda wildcards: "touch {{output}}"
            wrapper: "{WRAPPER}"
    """)
    programs = workflow.cwd / "bin"
    programs.mkdir()
    for name in ("bash", "sh", "touch", "python", "which", "git"):
        (programs / name).symlink_to(str(shutil.which(name) or sys.executable))
    printed = workflow.snakemake(PATH=str(programs))
    assert (workflow.cwd / "out.txt").exists() and "there is no hpcprov in PATH" in printed


APP = """
import sys
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 0:
    open(sys.argv[1], "w").write(str(MPI.COMM_WORLD.size))
"""


@pytest.mark.mpi
def test_mpi_rules(workflow: Workflow) -> None:
    """The wrapper puts exec behind the launch line; the shell records ranks within the job."""
    require("mpi", (workflow.bin / "mpiexec").exists() and importlib.util.find_spec("mpi4py"))
    (workflow.cwd / "app.py").write_text(APP)
    workflow.write(f"""
        rule all:
            input: "wrapped.txt", "plain.txt"
        rule wrapped:
            output: "wrapped.txt"
            resources: mpi="mpiexec", tasks=3
            params: cmd=lambda wildcards: "python app.py {{output}}"
            wrapper: "{WRAPPER}"
        rule plain:
            output: "plain.txt"
            resources: mpi="mpiexec", tasks=2
            shell: "{{resources.mpi}} -n {{resources.tasks}} python app.py {{output}}"
    """)
    workflow.snakemake(PATH=f"{SHELL.parent}:{workflow.env['PATH']}")
    assert [(workflow.cwd / name).read_text() for name in ("wrapped.txt", "plain.txt")] == ["3", "2"]
    whole, *rules = workflow.records()
    ranks = sorted((run["run"]["name"] or "", run["ranks"]["count"]) for run in rules)
    # The wrapper is a Python script, and the shell records that too, without knowing its rule.
    assert ranks == [("", 1), ("plain", 1), ("plain", 2), ("wrapped", 3)]
    assert len(jobs(whole)["plain"]["runs"]) == 2 and len(jobs(whole)["wrapped"]["runs"]) == 1
    assert {run["run"]["part_of"]["workflow"] for run in rules} == {whole["run"]["id"]}


def test_what_makes_no_record(plain: Workflow) -> None:
    for word in ("-n", "--unlock", "--lint", "--list-rules", "--summary", "--touch"):
        plain.snakemake(word, check=int(word == "--lint"))  # which finds something in it
    plain.snakemake(HPCPROV="off")
    assert list(plain.store.iterdir()) == [] and not (plain.cwd / ".snakemake" / "hpcprov").exists()


def test_nothing_of_hpcprov_fails_the_workflow(plain: Workflow) -> None:
    plain.store.rmdir()
    plain.store.write_text("not a directory")
    printed = plain.snakemake()
    lines = [line for line in printed.splitlines() if line.startswith("hpcprov:")]
    assert len(lines) == 1 and "not recorded" in lines[0], printed
    assert (plain.cwd / "out" / "all.txt").exists()


def test_without_cards_commands_are_recorded(plain: Workflow) -> None:
    (plain.cwd / ".snakemake").mkdir()
    (plain.cwd / ".snakemake" / "hpcprov").write_text("not a directory")
    printed = plain.snakemake(*USE_SHELL)
    assert printed.count("hpcprov:") == 1 and "the shell is not told" in printed
    whole, *rules = plain.records()
    assert whole["run"]["status"] == "completed" and {run["run"]["name"] for run in rules} == {None}
    # The commands tell whose runs they are.
    assert [len(job["runs"]) for job in jobs(whole).values()].count(1) == 3


def test_a_workflow_that_cannot_begin(plain: Workflow) -> None:
    (plain.cwd / "in.txt").unlink()
    plain.snakemake(check=1)
    (whole,) = plain.records()
    assert whole["run"]["status"] == "failed"


# The shell itself writes `started`: where Ctrl-C comes while a `touch` ends well, bash goes on to the next command.
SLOW = PLAIN.replace("cat {input} > {output}", ": > started; sleep 60; cat {input} > {output}")


@contextmanager
def begun(plain: Workflow, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A workflow whose last rule sleeps, when it does."""
    plain.write(SLOW)
    command = [sys.executable, "-m", "snakemake", "--logger", "hpcprov", "--cores", "2", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=plain.cwd, env=plain.env, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    with process:
        try:
            until((plain.cwd / "started").exists, lambda: "the last rule did not start")
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_workflow_is_settled(plain: Workflow) -> None:
    with begun(plain, *USE_SHELL) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    until(lambda: not plain.call("hpcprov", "settle", "--all").stdout.startswith("left"), lambda: "not settled")
    whole, *rules = plain.records()
    assert (whole["run"]["status"], len(whole["parts"]), len(rules)) == ("incomplete", 3, 3)
    assert fact(whole)["final"] is False and len(fact(whole)["jobs"]) == 4


def test_ctrl_c(plain: Workflow) -> None:
    with begun(plain, *USE_SHELL) as process:
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=100)[0]
    assert process.returncode != 0
    whole = plain.workflows()[0]
    assert whole["run"]["status"] == "failed", printed
    assert statuses(whole)["join"] in ("unfinished", "failed") and fact(whole)["final"] is True

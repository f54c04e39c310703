"""Plans from records: command lines, streams, outputs outside, and records that do not say enough."""

from __future__ import annotations

from typing import Any

import pytest
from merge.build import Launch, normal

from hpcprov.merge.fold import fold
from hpcprov.rerun.checks import differences
from hpcprov.rerun.launch import command, environment
from hpcprov.rerun.plan import NotRunnable, make

NEW = "/runs/one.rerun-1"


def record(size: int = 1, launcher: str = "none", *commands: list[str], **start: Any) -> dict[str, Any]:
    made = Launch(size=size, launcher=launcher)
    for rank in range(size):
        argv = commands[rank] if commands else ["./model", "in.nc", "/runs/one/out.nc"]
        told = {"argv": argv, "cwd": "/runs/one", "name": None, "note": None, "tags": {}, "inputs": [], "outputs": []}
        made.start(rank, **(told | start)).exit(rank)
    folded: dict[str, Any] = fold(normal(made), run_id="original")
    return folded


def artifact(path: str, **known: Any) -> dict[str, Any]:
    blank = {"storage": None, "signature": None, "declared": [], "observed": {"programs": [1]}, "reason": None}
    return {"path": path, "state": "ok", "format": "file", "size": 1, "mtime": 1, "files": None} | blank | known


def test_one_process_is_run_by_exec_alone() -> None:
    plan = make(record(name="solve", note="why", tags={"a": "b"}, outputs=["/runs/one/*.nc"]), NEW)
    assert command(plan, "hpcprov", "new") == [
        "hpcprov", "exec", "--run-id", "new", "--name", "solve", "--note", "why", "--tag", "a=b",
        "--output", f"{NEW}/*.nc", "--", "./model", "in.nc", f"{NEW}/out.nc",
    ]  # fmt: skip


@pytest.mark.parametrize(("launcher", "starter"), [("mpich", "mpiexec"), ("openmpi", "mpiexec"), ("slurm", "srun")])
def test_ranks_are_started_as_they_were(launcher: str, starter: str) -> None:
    words = command(make(record(3, launcher), NEW), "/v/hpcprov", "new")
    assert words[:7] == [starter, "-n", "3", "/v/hpcprov", "exec", "--run-id", "new"]


def test_programs_of_ranks_that_differ_are_started_side_by_side() -> None:
    words = command(make(record(3, "mpich", ["./a"], ["./b"], ["./b"]), NEW), "h", "new")
    assert words == ["mpiexec", "-n", "1", "h", "exec", "--run-id", "new", "--", "./a",
                     ":", "-n", "2", "h", "exec", "--run-id", "new", "--", "./b"]  # fmt: skip


def test_an_image_goes_around_the_command_and_within_exec() -> None:
    words = command(make(record(), NEW), "h", "new", image="/i/x.sif")
    assert words[4:11] == ["--", "apptainer", "exec", "--bind", NEW, "--pwd", NEW]


def test_results_outside_of_the_directory_are_named() -> None:
    told = record()
    told["artifacts"]["generated"] = [artifact("/runs/one/out.nc"), artifact("/scratch/big.nc")]
    assert make(told, NEW).unmapped() == ["/scratch/big.nc"]


def test_standard_streams_are_what_no_program_opened() -> None:
    told = record()
    told["artifacts"]["used"] = [artifact("/runs/one/in.nml", observed={"programs": []}), artifact("/runs/one/x")]
    told["artifacts"]["generated"] = [artifact("/runs/one/out.txt", observed={"programs": []})]
    plan = make(told, NEW)
    assert (plan.stdin, plan.stdout) == ("/runs/one/in.nml", "/runs/one/out.txt")
    told["artifacts"]["used"].append(artifact("/runs/one/y", observed={"programs": []}))
    assert make(told, NEW).stdin is None


def test_the_environment_says_whose_rerun_it_is_and_where_results_go() -> None:
    plan = make(record(), NEW)
    given = {"OUT": "/runs/one/x", "PATH": "/runs/one/bin", "PWD": "/"}
    assert environment(plan, given, "/s/.hpcprov") == {
        "OUT": f"{NEW}/x", "PATH": "/runs/one/bin", "PWD": NEW, "HPCPROV_DIR": "/s/.hpcprov",
        "HPCPROV_RERUN_OF": "original",
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"argv": None}, {"cwd": None}, {"kind": "job"}, {"status": "running"}])
def test_what_cannot_be_run_is_said(change: dict[str, Any]) -> None:
    told = record()
    told["run"] |= change
    with pytest.raises(NotRunnable):
        make(told, NEW)


@pytest.mark.parametrize("name", ["/runs/one/a\0b", "/runs/one/\ud800"])
@pytest.mark.parametrize("role", ["used", "generated"])
def test_names_that_no_file_can_have_are_refused(name: str, role: str) -> None:
    told = record()
    told["artifacts"][role] = [artifact(name)]
    with pytest.raises(NotRunnable, match="which no file can be called"):
        make(told, NEW)


@pytest.mark.parametrize(
    "python", [7, [7], [{"path": 7}], [{"path": [7, "\ud800", "a\0b", "/nowhere"], "packages": [["x", "1"]]}]]
)
def test_facts_of_any_shape_are_looked_at(python: object) -> None:
    told = record()
    facts = {
        "software": {"python": python},
        "modules": {"loaded": [7, {"name": None, "file": "a\0", "sha256": "x"}]},
        "container": {"containers": [7, {"image": "x.sif", "path": "\ud800"}]},
    }
    told["facts"] |= {kind: {"kind": kind, "value": value} for kind, value in facts.items()}
    told["nodes"] = [{"node": "n1", "host": None, "facts": {kind: kind for kind in facts}}]
    found = differences(make(told, NEW), {}, lambda artifact: {"status": "OK", "fields": []})
    assert ("module", "module None: its file a\0 is not the one that was loaded: no file can have this name") in [
        (one["kind"], one["text"]) for one in found
    ]

"""The demo and the pipelines without one `--input` or `--output`: what is observed is what would be declared."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.test_snakemake import SHELL, WORKFLOWS, Workflow, workflow
from tests.require import require

__all__ = ["workflow"]  # a fixture
pytestmark = pytest.mark.slow

# `hpcprov`, first in PATH: whatever a workflow declares is left out.
UNDECLARED = """#!/bin/bash
kept=()
while [ $# -gt 0 ]; do
    case $1 in
        --) break ;;
        --input | --output) shift 2 ;;
        --input=* | --output=*) shift ;;
        *) kept+=("$1"); shift ;;
    esac
done
exec {launcher} "${{kept[@]}}" "$@"
"""
Artifacts = dict[tuple[str, str], str]


def terrain() -> Path:
    """The elevation model that matplotlib's wheel carries."""
    library = find_spec("matplotlib")
    require("mpi", library and find_spec("mpi4py") and Path(sys.executable).with_name("mpiexec").exists())
    assert library is not None and library.origin is not None
    return Path(library.origin).parent / "mpl-data/sample_data/jacksboro_fault_dem.npz"


def without_declarations(cwd: Path) -> Workflow:
    """A place where nothing is ever declared."""
    cwd.mkdir()
    place = Workflow(cwd)
    (cwd / "bin").mkdir()
    launcher = cwd / "bin/hpcprov"
    launcher.write_text(UNDECLARED.format(launcher=place.bin / "hpcprov"))
    launcher.chmod(0o755)
    place.env["PATH"] = f"{cwd / 'bin'}:{place.env['PATH']}"
    return place


def artifacts(record: dict[str, Any], cwd: Path, *, declared: bool) -> Artifacts:
    """Signature, or digest where there are no fields, by role and path."""
    found = {}
    for role in ("used", "generated"):
        for one in record["artifacts"][role]:
            assert one["state"] == "ok" and one["observed"], (one["path"], one["reason"], one["observed"])
            assert declared or not one["declared"], one
            path = Path(one["path"])
            name = str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)
            found[role, name] = (one["signature"] or one["storage"])["digest"]
    return found


def names(found: Artifacts, role: str) -> set[str]:
    return {path for kind, path in found if kind == role}


def check_observation(record: dict[str, Any]) -> None:
    assert record["observation"]["complete"] and not record["problems"], (record["observation"], record["problems"])


@pytest.mark.mpi
def test_the_demo(workflow: Workflow) -> None:
    model = terrain()
    application = ("python", WORKFLOWS / "flood/flood.py", "--terrain", model, "--hours", 0.1)
    declared = ("--input", model, "--output", "flood.zarr", "--output", "flood.h5")
    found = []
    for options in (declared, ()):
        done = workflow.call("mpiexec", "-n", 4, "hpcprov", "exec", *options, "--", *application, "--out", ".")
        assert done.returncode == 0, done.stderr
        record = workflow.records()[0]
        check_observation(record)
        assert record["ranks"]["count"] == 4
        found.append(artifacts(record, workflow.cwd, declared=bool(options)))
    assert found[0] == found[1]
    assert names(found[1], "used") == {str(model)} and names(found[1], "generated") == {"flood.zarr", "flood.h5"}
    assert [Path(one["path"]).name for one in record["observation"]["code"]] == ["flood.py"]


def by_rule(place: Workflow, *, declared: bool) -> dict[str, Artifacts]:
    """What each rule's run used and generated."""
    records = [record for record in place.records() if record["run"]["kind"] != "workflow"]
    for record in records:
        check_observation(record)
    return {record["run"]["name"]: artifacts(record, place.cwd, declared=declared) for record in records}


def links(rules: dict[str, Artifacts]) -> set[tuple[str, str]]:
    """Which rule's file another one used, the file being the same."""
    made = {
        (path, digest): rule
        for rule, found in rules.items()
        for (role, path), digest in found.items()
        if role == "generated"
    }
    used = [
        (rule, path, digest)
        for rule, found in rules.items()
        for (role, path), digest in found.items()
        if role == "used"
    ]
    return {(made[path, digest], rule) for rule, path, digest in used if (path, digest) in made}


def compare(workflow: Workflow, *snakemake: object) -> dict[str, Artifacts]:
    """The same workflow twice, with what it declares and without: the same artifacts, by rule."""
    bare = without_declarations(workflow.cwd.parent / "undeclared")
    for place in (workflow, bare):
        place.snakemake("--directory", place.cwd, *snakemake)
    found, expected = by_rule(bare, declared=False), by_rule(workflow, declared=True)
    for rule in expected:
        assert found[rule] == expected[rule], rule
    return found


@pytest.mark.mpi
def test_the_flood(workflow: Workflow) -> None:
    model = terrain()
    found = compare(workflow, "--snakefile", WORKFLOWS / "flood/Snakefile", "--config", "hours=0.05", "tasks=2")
    assert names(found["terrain"], "used") == {str(model)}
    assert names(found["simulate"], "generated") == {"sim/flood.zarr", "sim/flood.h5"}
    assert names(found["summarize"], "generated") == {"summary.csv"}
    assert names(found["figure"], "generated") == {"flood.png"}
    assert links(found) == {
        ("terrain", "simulate"),
        ("terrain", "figure"),
        ("simulate", "summarize"),
        ("simulate", "figure"),
    }


def test_the_irises(workflow: Workflow) -> None:
    require("scikit-learn", find_spec("sklearn"))
    shell = ("--default-resources", f"shell_exec='{SHELL}'")
    found = compare(workflow, "--snakefile", WORKFLOWS / "iris/Snakefile", *shell)
    assert {Path(path).name for path in names(found["data"], "used")} == {"iris.csv"}
    assert names(found["process"], "generated") == {"processed.csv"}
    assert names(found["train"], "generated") == {"model.npz", "accuracy.csv"}
    assert links(found) == {("data", "process"), ("process", "train")}

"""Steps of Python programs in exports: a real program's record as RO-Crate and OpenLineage, by others' validators."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hpcprov.commands.copying import snakefiles
from hpcprov.export import openlineage, rocrate
from hpcprov.export.formats import Run
from hpcprov.export.place import write
from hpcprov.export.steps import MOST_STEPS, steps_of
from tests.export.crate_check import violations
from tests.export.made import runs_of, workflow
from tests.export.official import structured
from tests.tracking.conftest import Place

PROGRAM = """
import hpcprov, numpy

@hpcprov.track
def anomaly(field, window=3, *, api_token=None):
    if field is None:
        raise ValueError("nothing")
    return field - field.mean()

@hpcprov.track
def both(count):
    numpy.save("field.npy", anomaly(numpy.arange(12.0), api_token="s3cret"))
    try:
        anomaly(None)
    except ValueError:
        pass

with hpcprov.run("process", outputs=["field.npy"]):
    both(3)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = Place(tmp_path_factory.mktemp("program"))
    place.python(PROGRAM)
    (record,) = place.records()
    (path,) = place.cwd.glob(".hpcprov/records/*/*/*/*/record.json")
    return Run(record, str(path.parent))


def graph(content: Any) -> dict[str, dict[str, Any]]:
    return {one["@id"]: one for one in json.loads(content["ro-crate-metadata.json"])["@graph"]}


def test_calls_are_actions_of_functions(run: Run) -> None:
    found = graph(rocrate.render([run]))
    steps = {number: found[f"#step-of-{run.id}.{number}"] for number in range(1, 5)}
    assert [step["isPartOf"]["@id"] for step in steps.values()] == [
        f"#run-{run.id}",
        *(f"#step-of-{run.id}.{around}" for around in (1, 2, 2)),
    ]
    made, failed = steps[3], steps[4]
    assert (made["@type"], failed["@type"]) == ("CreateAction", "ActivateAction")
    assert failed["error"] == "ValueError" and failed["actionStatus"].endswith("/FailedActionStatus")
    tool = found[made["instrument"]["@id"]]
    assert tool["name"] == "__main__:anomaly" and tool["softwareVersion"].startswith("sha256:")
    assert tool["isPartOf"] == found[f"#run-{run.id}"]["instrument"] == steps[1]["instrument"]
    assert made["result"] in found[f"#run-{run.id}"]["result"]
    given = [found[one["@id"]] for one in made["object"]]
    assert {one["name"]: one["value"] for one in given if one["@type"] == "PropertyValue"} == {
        "api_token": "***",
        "window": "3",
    }
    assert {one["@id"] for one in found["./"]["mentions"]} == {
        f"#run-{run.id}",
        *(one["@id"] for one in steps.values()),
    }


@pytest.mark.slow
def test_a_workflow_whose_jobs_have_steps_keeps_its_profile(run: Run, tmp_path: Path) -> None:
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text("rule all: ...\n")
    store = workflow(tmp_path, str(snakefile), sha256(snakefile.read_bytes()).hexdigest())
    runs = runs_of(store, "flow", "prepare", "solve", "plot")
    runs[1].record["steps"] = run.record["steps"]
    content = rocrate.render(runs, copy=snakefiles(runs))
    assert graph(content)["#step-of-prepare.2"]["isPartOf"] == {"@id": "#step-of-prepare.1"}
    write(content, str(tmp_path / "crate"), force=False)
    assert violations(tmp_path / "crate", "provenance-run-crate") == []


def test_calls_are_runs_below_their_run(run: Run) -> None:
    events = [json.loads(line) for line in openlineage.render([run]).splitlines()]
    for event in events:
        structured(event)
    ends = {event["run"]["runId"]: event for event in events if event["eventType"] != "START"}
    whole, block, both, *calls = sorted(ends.values(), key=lambda event: depth(event, ends))
    assert [event["job"]["name"] for event in (whole, block, both)] == [
        "process",
        "process.process",
        "process.__main__:both",
    ]
    assert {event["job"]["name"] for event in calls} == {"process.__main__:anomaly"}
    assert {root(event) for event in (block, both, *calls)} == {whole["run"]["runId"]}
    failed, made = sorted(calls, key=lambda event: event["eventType"], reverse=True)
    assert failed["run"]["facets"]["errorMessage"]["message"] == "ValueError"
    assert [one["namespace"] for one in made["outputs"]] == ["memory"] and made["eventType"] == "COMPLETE"
    version = made["outputs"][0]["facets"]["version"]["datasetVersion"]
    assert version in {one["facets"]["version"]["datasetVersion"] for one in whole["outputs"]}
    assert made["run"]["facets"]["hpcprov_step"]["parameters"] == {"api_token": "***", "window": 3}
    starts = [event["run"]["runId"] for event in events if event["eventType"] == "START"]
    assert starts[0] == whole["run"]["runId"] and set(starts) == set(ends) and events[-1] == whole


def parent(event: dict[str, Any]) -> str | None:
    found: str | None = event["run"]["facets"].get("parent", {}).get("run", {}).get("runId")
    return found


def root(event: dict[str, Any]) -> str:
    return str(event["run"]["facets"]["parent"]["root"]["run"]["runId"])


def depth(event: dict[str, Any], events: dict[str, dict[str, Any]]) -> int:
    above = parent(event)
    return 0 if above is None else 1 + depth(events[above], events)


def test_steps_of_a_run_that_goes_on_have_only_started(run: Run) -> None:
    steps = [step | {"status": "running", "ended": None} for step in run.record["steps"][:1]]
    record = run.record | {"run": run.record["run"] | {"status": "running", "end": None}, "steps": steps}
    events = [json.loads(line) for line in openlineage.render([Run(record, run.directory)]).splitlines()]
    assert [event["eventType"] for event in events] == ["START", "START"]


def test_odd_rows_are_bounded_and_have_a_place(run: Run) -> None:
    one = run.record["steps"][0] | {"generated": ["gone", "gone"]}
    rows = [one | {"id": number, "parent": number + 1} for number in (1, 1, 2)]
    rows += [one | {"id": number, "parent": number - 1} for number in range(3, 2 * MOST_STEPS)]
    record = run.record | {"steps": rows}
    found = list(steps_of(record))
    assert [(step.number, step.around) for step in found[:3]] == [(1, None), (2, None), (3, 2)]
    assert len(found) == MOST_STEPS - 1 and found[0].data("generated") == []
    assert len(openlineage.render([Run(record, run.directory)]).splitlines()) == 2 * MOST_STEPS
    assert f"#step-of-{run.id}.{MOST_STEPS - 1}" in graph(rocrate.render([Run(record, run.directory)]))

"""Runs as OpenLineage 2-0-2 events, one JSON object a line: START, and COMPLETE, FAIL or ABORT when the run is over.

    {"eventType": "START", "eventTime": "2026-11-21T09:30:00.123456Z", "run": {"runId": "…", "facets": {…}}, "job": …}

A job's namespace is the cluster's (`slurm://alps`) or the host's, its name the run's; a dataset's is `file` and its
path, as OpenLineage names local files, or `memory` where only a program held the values. What has no standard facet is
in `hpcprov_run` and `hpcprov_data`, whose JSON Schema is `hpcprov/export/schema/openlineage-facets-v1.json`. `runId` is
the UUID (version 5, URL) of `urn:hpcprov:run:<run id>`.

https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

import json
import os

from hpcprov import __version__
from hpcprov.export.openlineage_facets import dataset, event, facet, identity, own
from hpcprov.export.openlineage_steps import step_events
from hpcprov.record import model
from hpcprov.record.inside import inner, objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hpcprov.export.formats import Run
    from hpcprov.export.openlineage_facets import Json
    from hpcprov.record.model import Record

ENDS = {"completed": "COMPLETE", "cancelled": "ABORT", "preempted": "ABORT"}  # any other status is FAIL


def render(runs: list[Run]) -> str:
    """The events of runs, in order of time, a line each."""
    names = {run.id: job_name(run.record) for run in runs}
    found = [event for run in runs for event in events(run.record, names)]
    found.sort(key=lambda event: (event["eventTime"], event["eventType"] != "START"))
    return "".join(json.dumps(event, sort_keys=True) + "\n" for event in found)


def events(record: Record, names: Mapping[str, str]) -> Iterator[Json]:
    """The events of one run and its steps; none when nothing is known of its start. `names`: the jobs of other runs, by
    run id."""
    run = record["run"]
    began = run["start"] or run["end"] or run["last_heard"]
    if began is None:
        return
    yield _event("START", began, record, names)
    yield from step_events(record, _known_as(record, run["id"], job_name(record)), _parent(record, names))
    if run["status"] != "running":
        ended = max(began, run["end"] or run["last_heard"] or began)
        yield _event(ENDS.get(run["status"], "FAIL"), ended, record, names)


def _event(kind: str, time: str, record: Record, names: Mapping[str, str]) -> Json:
    outputs = [] if kind == "START" else record["artifacts"]["generated"]
    job = {"namespace": _namespace(record), "name": job_name(record)}
    return event(
        kind,
        time,
        run={"runId": run_uuid(record["run"]["id"]), "facets": dict(_run_facets(kind, record, names))},
        job=job | {"facets": dict(_job_facets(record))},
        inputs=[dataset(one, "input") for one in record["artifacts"]["used"]],
        outputs=[dataset(one, "output") for one in outputs],
    )


def run_uuid(run_id: str) -> str:
    """The UUID that stands for a run's id: the same wherever and whenever it is exported."""
    return identity(f"urn:hpcprov:run:{run_id}")


def _run_facets(kind: str, record: Record, names: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    run = record["run"]
    yield "hpcprov_run", own("RunFacet", _about(record))
    if parent := _parent(record, names):
        yield "parent", facet("ParentRunFacet", parent)
    if kind in ("FAIL", "ABORT"):
        message = (run["cause"] or {}).get("text") or run["status"]
        yield "errorMessage", facet("ErrorMessageRunFacet", {"message": message, "programmingLanguage": "unknown"})
    variables = [{"name": name, "value": value} for name, value in sorted(record["environment"]["common"].items())]
    yield "environmentVariables", facet("EnvironmentVariablesRunFacet", {"environmentVariables": variables})
    engine = {"name": "hpcprov", "version": run["hpcprov"] or "unknown", "openlineageAdapterVersion": __version__}
    yield "processing_engine", facet("ProcessingEngineRunFacet", engine)
    if run["tags"]:
        tags = [{"key": key, "value": value, "source": "USER"} for key, value in sorted(run["tags"].items())]
        yield "tags", facet("TagsRunFacet", {"tags": tags})


def _job_facets(record: Record) -> Iterator[tuple[str, Json]]:
    run = record["run"]
    kind = {"processingType": "BATCH", "integration": "HPCPROV", "jobType": run["kind"].upper()}
    yield "jobType", facet("JobTypeJobFacet", kind)
    if run["note"]:
        yield "documentation", facet("DocumentationJobFacet", {"description": run["note"]})
    if code := _code(record):
        yield "sourceCodeLocation", facet("SourceCodeLocationJobFacet", code)


def _about(record: Record) -> Json:
    """What a run is, in the words of its record."""
    run = record["run"]
    kept = ("id", "kind", "name", "argv", "cwd", "status", "start", "end", "duration_s")
    containers = objects(model.fact(record, "container"), "containers")
    return {key: run[key] for key in kept} | {
        "user": run["user"]["name"],
        "ranks": record["ranks"]["count"],
        "nodes": [node["host"] or node["node"] for node in record["nodes"]],
        "images": [str(one["image"]) for one in containers if one.get("image") not in (None, "unknown")],
        "modules": [str(one.get("name")) for one in objects(model.fact(record, "modules"), "loaded")],
        "seal": (record.get("seal") or {}).get("record"),
    }


def _parent(record: Record, names: Mapping[str, str]) -> Json | None:
    """The run that started this one, else its workflow, else its batch job; by its id where no name is known."""
    run = record["run"]
    of = run["part_of"] or {}
    parent = (run["parent"] or {}).get("run") or of.get("workflow") or of.get("job")
    if parent is None:
        return None
    return _known_as(record, parent, names.get(parent, parent))


def _known_as(record: Record, run_id: str, name: str) -> Json:
    """A run and its job as a parent facet names them."""
    return {"run": {"runId": run_uuid(run_id)}, "job": {"namespace": _namespace(record), "name": name}}


def job_name(record: Record) -> str:
    """What OpenLineage calls the job that this is a run of: its name, else its program's."""
    run = record["run"]
    program = os.path.basename(run["argv"][0]) if run["argv"] else ""
    return str(run["name"] or program or run["id"])


def _namespace(record: Record) -> str:
    scheduler = model.fact(record, "scheduler")
    if type(scheduler.get("cluster")) is str:
        return f"{scheduler.get('name') or 'cluster'}://{scheduler['cluster']}"
    hosts = [node["host"] or node["node"] for node in record["nodes"][:1]]
    return f"host://{hosts[0] if hosts else 'unknown'}"


def _code(record: Record) -> Json | None:
    """The commit that the script, else the working directory, was of, when its repository has a remote."""
    fact = model.fact(record, "code")
    for place in (inner(fact, "script"), inner(fact, "directory")):
        url, commit = inner(place, "git", "remote", "url"), inner(place, "git", "commit")
        if type(url) is str and type(commit) is str:
            return {"type": "git", "url": url, "repoUrl": url, "version": commit} | _place_in_code(place)
    return None


def _place_in_code(place: Json) -> Json:
    root, path, branch = inner(place, "git", "root"), place.get("path"), inner(place, "git", "branch")
    told = {"branch": branch} if type(branch) is str else {}
    if type(root) is str and type(path) is str:
        told["path"] = os.path.relpath(path, root)
    return told

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
import uuid

from hpcprov import __version__
from hpcprov.record import model
from hpcprov.record.artifact import is_memory
from hpcprov.record.inside import inner, objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hpcprov.export.formats import Run
    from hpcprov.record.model import Record

    Json = dict[str, Any]

SPEC = "https://openlineage.io/spec/"
CORE = f"{SPEC}2-0-2/OpenLineage.json#/$defs/RunEvent"
OWN = "urn:hpcprov:openlineage-facets:v1#/$defs/"
PRODUCER = f"urn:hpcprov:version:{__version__}"
#: The versions of the standard facets that are written.
FACETS = {
    "ParentRunFacet": "1-2-0",
    "ErrorMessageRunFacet": "1-0-1",
    "EnvironmentVariablesRunFacet": "1-0-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "TagsRunFacet": "1-0-0",
    "DocumentationJobFacet": "1-1-0",
    "JobTypeJobFacet": "2-0-4",
    "SourceCodeLocationJobFacet": "1-1-0",
    "SchemaDatasetFacet": "1-2-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
}
ENDS = {"completed": "COMPLETE", "cancelled": "ABORT", "preempted": "ABORT"}  # any other status is FAIL
#: A receiver need not take a dataset of a million arrays.
MOST_FIELDS = 1000


def render(runs: list[Run]) -> str:
    """The events of runs, in order of time, a line each."""
    names = {run.id: job_name(run.record) for run in runs}
    found = [event for run in runs for event in events(run.record, names)]
    found.sort(key=lambda event: (event["eventTime"], event["eventType"] != "START"))
    return "".join(json.dumps(event, sort_keys=True) + "\n" for event in found)


def events(record: Record, names: Mapping[str, str]) -> Iterator[Json]:
    """The events of one run; none when nothing is known of its start. `names`: the jobs of other runs, by run id."""
    run = record["run"]
    began = run["start"] or run["end"] or run["last_heard"]
    if began is None:
        return
    yield _event("START", began, record, names)
    if run["status"] != "running":
        ended = max(began, run["end"] or run["last_heard"] or began)
        yield _event(ENDS.get(run["status"], "FAIL"), ended, record, names)


def _event(kind: str, time: str, record: Record, names: Mapping[str, str]) -> Json:
    is_start = kind == "START"
    outputs = [] if is_start else record["artifacts"]["generated"]
    event = {
        "eventType": kind,
        "eventTime": _micro(time),
        "producer": PRODUCER,
        "schemaURL": CORE,
        "run": {"runId": run_uuid(record["run"]["id"]), "facets": dict(_run_facets(kind, record, names))},
        "job": {
            "namespace": _namespace(record),
            "name": job_name(record),
            "facets": dict(_job_facets(record)),
        },
        "inputs": [_dataset(one, "input") for one in record["artifacts"]["used"]],
        "outputs": [_dataset(one, "output") for one in outputs],
    }
    return dict(_plain(event))


def run_uuid(run_id: str) -> str:
    """The UUID that stands for a run's id: the same wherever and whenever it is exported."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:hpcprov:run:{_text(run_id)}"))


def _run_facets(kind: str, record: Record, names: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    run = record["run"]
    yield "hpcprov_run", _own("RunFacet", _about(record))
    if parent := _parent(record, names):
        yield "parent", _facet("ParentRunFacet", parent)
    if kind in ("FAIL", "ABORT"):
        message = (run["cause"] or {}).get("text") or run["status"]
        yield "errorMessage", _facet("ErrorMessageRunFacet", {"message": message, "programmingLanguage": "unknown"})
    variables = [{"name": name, "value": value} for name, value in sorted(record["environment"]["common"].items())]
    yield "environmentVariables", _facet("EnvironmentVariablesRunFacet", {"environmentVariables": variables})
    engine = {"name": "hpcprov", "version": run["hpcprov"] or "unknown", "openlineageAdapterVersion": __version__}
    yield "processing_engine", _facet("ProcessingEngineRunFacet", engine)
    if run["tags"]:
        tags = [{"key": key, "value": value, "source": "USER"} for key, value in sorted(run["tags"].items())]
        yield "tags", _facet("TagsRunFacet", {"tags": tags})


def _job_facets(record: Record) -> Iterator[tuple[str, Json]]:
    run = record["run"]
    kind = {"processingType": "BATCH", "integration": "HPCPROV", "jobType": run["kind"].upper()}
    yield "jobType", _facet("JobTypeJobFacet", kind)
    if run["note"]:
        yield "documentation", _facet("DocumentationJobFacet", {"description": run["note"]})
    if code := _code(record):
        yield "sourceCodeLocation", _facet("SourceCodeLocationJobFacet", code)


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
    return {
        "run": {"runId": run_uuid(parent)},
        "job": {"namespace": _namespace(record), "name": names.get(parent, parent)},
    }


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


def _dataset(artifact: Json, role: str) -> Json:
    name = {"input": "InputStatisticsInputDatasetFacet", "output": "OutputStatisticsOutputDatasetFacet"}[role]
    counts = {"size": artifact["size"], "fileCount": artifact["files"]}
    statistics = {key: value for key, value in counts.items() if value is not None}
    return {
        "namespace": "memory" if is_memory(artifact["path"]) else "file",
        "name": artifact["path"],
        "facets": dict(_dataset_facets(artifact)),
        f"{role}Facets": {f"{role}Statistics": _facet(name, statistics)} if statistics else {},
    }


def _dataset_facets(artifact: Json) -> Iterator[tuple[str, Json]]:
    signature, storage = artifact["signature"] or {}, artifact["storage"] or {}
    fields = signature.get("fields") or []
    kept = ("state", "reason", "format", "mtime")
    own = {key: artifact[key] for key in kept} | {
        "signature": signature.get("digest"),
        "storage": storage.get("digest"),
        "fields": [_field(field) for field in fields[:MOST_FIELDS]],
        "fieldsLeftOut": max(0, len(fields) - MOST_FIELDS),
    }
    yield "hpcprov_data", _own("DataFacet", own)
    if version := signature.get("digest") or storage.get("digest"):
        yield "version", _facet("DatasetVersionDatasetFacet", {"datasetVersion": version})
    if fields:
        columns = [{"name": one["path"], "type": one["type"]} for one in fields[:MOST_FIELDS]]
        yield "schema", _facet("SchemaDatasetFacet", {"fields": columns})


def _field(field: Json) -> Json:
    return {"name": field["path"]} | {key: field[key] for key in ("type", "shape", "signature")}


def _facet(name: str, content: Json) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}facets/{FACETS[name]}/{name}.json#/$defs/{name}"} | content


def _own(name: str, content: Json) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{OWN}{name}"} | content


def _micro(time: str) -> str:
    """A record's moment to the microsecond: not every reader of ISO 8601 takes nine digits."""
    whole, point, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}{point}{fraction[:6]}Z"


def _plain(value: Any) -> Any:
    """`value` with text that any reader of JSON takes: bytes of names that are not UTF-8 are shown as escapes."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

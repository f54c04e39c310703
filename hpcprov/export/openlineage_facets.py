"""The parts of OpenLineage events: standard facets by name and version, own ones, datasets, events themselves.

facet("ErrorMessageRunFacet", {"message": "..."})   ->  {"_producer": ..., "_schemaURL": ..., "message": "..."}
dataset(artifact, "output")                         ->  {"namespace": "file", "name": "/data/out.nc", ...}
"""

from __future__ import annotations

import uuid

from hpcprov import __version__
from hpcprov.record.artifact import is_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    #: An object of JSON.
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
#: A receiver need not take a dataset of a million arrays.
MOST_FIELDS = 1000


def event(kind: str, time: str, *, run: Json, job: Json, inputs: list[Json], outputs: list[Json]) -> Json:
    """An event of a run of a job at a moment of a record, in text that any reader of JSON takes."""
    about = {"eventType": kind, "eventTime": _micro(time), "producer": PRODUCER, "schemaURL": CORE}
    return dict(plain(about | {"run": run, "job": job, "inputs": inputs, "outputs": outputs}))


def identity(name: str) -> str:
    """The UUID (version 5, URL) that stands for a name: the same wherever and whenever it is exported."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, _text(name)))


def dataset(artifact: Json, role: str, *, brief: bool = False) -> Json:
    """A dataset as `input` or `output`; `brief`: only which one, since another event describes it."""
    if brief:
        return _named(artifact, dict(_version(artifact)))
    name = {"input": "InputStatisticsInputDatasetFacet", "output": "OutputStatisticsOutputDatasetFacet"}[role]
    counts = {"size": artifact["size"], "fileCount": artifact["files"]}
    statistics = {key: value for key, value in counts.items() if value is not None}
    facets = {f"{role}Statistics": facet(name, statistics)} if statistics else {}
    return _named(artifact, dict(_dataset_facets(artifact))) | {f"{role}Facets": facets}


def _named(artifact: Json, facets: Json) -> Json:
    namespace = "memory" if is_memory(artifact["path"]) else "file"
    return {"namespace": namespace, "name": artifact["path"], "facets": facets}


def _dataset_facets(artifact: Json) -> Iterator[tuple[str, Json]]:
    signature, storage = artifact["signature"] or {}, artifact["storage"] or {}
    fields = signature.get("fields") or []
    kept = ("state", "reason", "format", "mtime")
    known = {key: artifact[key] for key in kept} | {
        "signature": signature.get("digest"),
        "storage": storage.get("digest"),
        "fields": [_field(field) for field in fields[:MOST_FIELDS]],
        "fieldsLeftOut": max(0, len(fields) - MOST_FIELDS),
    }
    yield "hpcprov_data", own("DataFacet", known)
    yield from _version(artifact)
    if fields:
        columns = [{"name": one["path"], "type": one["type"]} for one in fields[:MOST_FIELDS]]
        yield "schema", facet("SchemaDatasetFacet", {"fields": columns})


def _version(artifact: Json) -> Iterator[tuple[str, Json]]:
    if version := (artifact["signature"] or {}).get("digest") or (artifact["storage"] or {}).get("digest"):
        yield "version", facet("DatasetVersionDatasetFacet", {"datasetVersion": version})


def _field(field: Json) -> Json:
    return {"name": field["path"]} | {key: field[key] for key in ("type", "shape", "signature")}


def facet(name: str, content: Json) -> Json:
    """A facet of the standard."""
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}facets/{FACETS[name]}/{name}.json#/$defs/{name}"} | content


def own(name: str, content: Json) -> Json:
    """A facet of schema/openlineage-facets-v1.json."""
    return {"_producer": PRODUCER, "_schemaURL": f"{OWN}{name}"} | content


def _micro(time: str) -> str:
    """A record's moment to the microsecond: not every reader of ISO 8601 takes nine digits."""
    whole, point, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}{point}{fraction[:6]}Z"


def plain(value: Any) -> Any:
    """`value` with text that any reader of JSON takes: bytes of names that are not UTF-8 are shown as escapes."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

"""A record -> what the catalog's tables hold of it. Pure: records are untrusted, and their numbers may be of any size.

rows = rows_of(record, Before(), sealed=True)
rows.run["status"], rows.facets[0]  ->  "completed", ("tag", "case", "b1")
"""

from __future__ import annotations

import json

from hpcprov.catalog.facets import Known, commits, facets_of, lists_of
from hpcprov.catalog.image_facets import image_names
from hpcprov.catalog.schema import LARGEST, maybe_stored, stored
from hpcprov.merge import jobs
from hpcprov.record import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.before import Before
    from hpcprov.catalog.facets import Facet, Lists

KEPT = (
    *("id", "kind", "name", "status", "start", "end", "duration_s", "argv", "cwd", "tags", "note", "user", "parent"),
    *("part_of", "previous"),
)
ROLES = ("used", "generated")
ENCODER = json.JSONEncoder(separators=(",", ":"))


class Rows:
    """Of one record: columns of `run`; its `summary` and the sealed length of its `logs`, both as JSON; `artifacts` and
    `fields` (each with its artifact's place in the list) as tuples; `facets`; `lists` by their digest."""

    __slots__ = ("artifacts", "facets", "fields", "lists", "logs", "run", "summary")

    def __init__(
        self,
        run: dict[str, Any],
        about: tuple[str, str],
        artifacts: list[tuple[Any, ...]],
        fields: list[tuple[Any, ...]],
        facets: list[Facet],
        lists: Lists,
    ) -> None:
        self.run, self.artifacts, self.fields, self.facets, self.lists = run, artifacts, fields, facets, lists
        self.summary, self.logs = about


def rows_of(record: model.Record, before: Before, *, sealed: bool) -> Rows:
    """All rows of a record that `model.parse` took. Members of a list are told once, as `before` knows. `sealed`: the
    record is what it was when it was sealed."""
    known = Known(record)
    artifacts: list[tuple[Any, ...]] = []
    fields: list[tuple[Any, ...]] = []
    for role in ROLES:
        for artifact in record["artifacts"][role]:
            signed = artifact["signature"]
            found = signed["fields"] if signed is not None else ()
            fields += [_field(field, len(artifacts), role) for field in found]
            artifacts.append(_artifact(artifact, role, len(found)))
    lists: Lists = {}
    facets = list(dict.fromkeys((*facets_of(record, known), *lists_of(known, lists, before))))
    return Rows(_run(record, known, sealed), _about(record), artifacts, fields, facets, lists)


def summary(record: model.Record) -> dict[str, Any]:
    """What is told about one run in a list of many; values as in the record."""
    about, ranks = record["run"], record["ranks"]
    return {key: about[key] for key in KEPT} | {
        "ranks": ranks["count"],
        "missing": sum(last - first + 1 for first, last in ranks["missing"]),
        "nodes": [node["node"] for node in record["nodes"]],
        "cause": about["cause"]["text"] if about["cause"] else None,
        "job": _job(record),
        "array_task": array_task(model.fact(record, "scheduler")),
        "parts": len(record["parts"]),
        "revision": record["revision"],
        "rerun_of": about.get("rerun_of"),
    }


def array_task(job: dict[str, Any]) -> str | None:
    """`4711_3`: what Slurm calls a task of an array. `job`: a scheduler's facts."""
    array, task = job.get("array_job_id"), job.get("array_task_id")
    return None if array is None or task is None else f"{array}_{task}"


def _job(record: model.Record) -> str | None:
    """The id of a run's job, or of the job that it is."""
    itself = jobs.job_of_record(record) if record["run"]["kind"] == "job" else None
    return model.job_id(record) if itself is None else itself.job_id


def _run(record: model.Record, known: Known, sealed: bool) -> dict[str, Any]:
    run = record["run"]
    user, part_of = run["user"], run["part_of"]
    return {
        "kind": stored(run["kind"]),
        "name": maybe_stored(run["name"]),
        "status": stored(run["status"]),
        "began": run["start"] or "",
        "ended": run["end"] or run["last_heard"] or run["start"] or "",
        "duration": _number(run["duration_s"]),
        "account": maybe_stored(user["name"]),
        "uid": _number(user["uid"]),
        "directory": maybe_stored(run["cwd"]),
        "ranks": _number(record["ranks"]["count"]),
        "code_commit": next((maybe_stored(commit) for commit, _ in commits(known)), None),
        "image": next((maybe_stored(image) for image in image_names(known)), None),
        "parent": maybe_stored(run["parent"]["run"] if run["parent"] else None),
        "job": maybe_stored(part_of["job"]),
        "workflow": maybe_stored(part_of["workflow"]),
        "previous": maybe_stored(run["previous"]),
        "sealed": int(sealed),
    }


def _about(record: model.Record) -> tuple[str, str]:
    logs = {log["name"]: log["bytes"] for log in record["seal"]["logs"]} if "seal" in record else {}
    return ENCODER.encode(summary(record)), ENCODER.encode(logs)


def _artifact(artifact: dict[str, Any], role: str, fields: int) -> tuple[Any, ...]:
    """In the order of schema.ARTIFACT_COLUMNS from `role` on."""
    signature, storage = artifact["signature"], artifact["storage"]
    seen = artifact.get("observed")
    return (
        role,
        stored(artifact["path"]),
        stored(artifact["state"]),
        maybe_stored(artifact["reason"]),
        maybe_stored(artifact["format"]),
        _number(artifact["size"]),
        _number(artifact["mtime"]),
        stored(signature["digest"]) if signature is not None else None,
        stored(storage["digest"]) if storage is not None else None,
        seen["first"] if seen is not None else None,
        seen["last"] if seen is not None else None,
        maybe_stored(seen["renamed_from"]) if seen is not None else None,
        ("observed" if not artifact["declared"] else "both") if seen is not None else "declared",
        fields,
    )


def _field(field: dict[str, Any], artifact: int, role: str) -> tuple[Any, ...]:
    """The artifact's place in the record, then schema.py's columns from `path` to `role`."""
    shape = None if field["shape"] is None else ",".join(map(str, field["shape"]))
    size = field.get("bytes")
    return (
        artifact,
        stored(field["path"]),
        stored(field["type"]),
        shape,
        _number(size) if type(size) is int else None,
        stored(field["signature"]),
        role,
    )


def _number(value: Any) -> Any:
    """A number that a column can hold, else null."""
    if type(value) is float:
        return value if value - value == 0 else None  # neither infinite nor NaN, which PostgreSQL alone would keep
    return value if type(value) is int and -LARGEST <= value <= LARGEST else None

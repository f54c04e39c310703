"""A record -> what the catalog's tables hold of it. Pure: records are untrusted, and their numbers may be of any size.

rows = rows_of(record)
rows.run["status"], rows.facets[0]  ->  "completed", ("tag", "case", "b1")
"""

from __future__ import annotations

import json
import marshal
from hashlib import sha256

from hpcprov.catalog.schema import LARGEST, maybe_stored, stored
from hpcprov.merge import jobs
from hpcprov.record import model
from hpcprov.record.inside import inner, objects, part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Facet = tuple[str, str, str | None]
    Member = tuple[str, Any]
    Lists = dict[str, list[tuple[str, str | None]]]

#: Kinds of facets: `name` and `value` of each.
FACETS = {
    "tag": "the tag's key; its value",
    "node": "a node's name, and its host's",
    "module": "name/version",
    "image": "its path, the name it was called by, a digest; what this is",
    "label": "an image label's key; its value",
    "commit": "a git commit; the working tree's top",
    "job": "what its scheduler calls the run's job, task and step",
    "array": "the array that its job is a task of",
    "part": "the id of a run that is a part of this one",
    "packages": "a list of installed Python packages (table lists)",
    "libraries": "a list of loaded libraries (table lists)",
}
MOST = 20_000  # facets of one kind, members of one list: more is left out
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


def rows_of(record: model.Record, told: set[str], *, sealed: bool) -> Rows:
    """All rows of a record that `model.parse` took. `told`: the names of lists whose members were told already; it
    grows. `sealed`: the record is what it was when it was sealed."""
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
    facets = list(dict.fromkeys((*_facets(record, known), *_lists(known, lists, told))))
    return Rows(_run(record, known, sealed), _about(record), artifacts, fields, facets, lists)


class Known:
    """The values of a record's facts by kind, each once."""

    def __init__(self, record: model.Record) -> None:
        by_kind: dict[str, dict[str, Any]] = {}
        for node in record["nodes"]:
            for kind, digest in node["facts"].items():
                by_kind.setdefault(kind, {}).setdefault(digest, record["facts"][digest].get("value"))
        self.by_kind = by_kind

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [value for value in self.by_kind.get(kind, {}).values() if type(value) is dict]


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


def job_names(record: model.Record) -> set[str]:
    """What a run's job is called: its id, that of its task in an array, and both with the step."""
    fact, common = model.fact(record, "scheduler"), record["environment"]["common"]
    array = [fact.get(f"array_{key}", common.get(f"SLURM_ARRAY_{key.upper()}")) for key in ("job_id", "task_id")]
    if record["run"]["kind"] == "job":
        itself = jobs.job_of_record(record)
        job, step = None if itself is None else itself.job_id, None
    else:
        job, step = model.job_id(record), fact.get("step_id", common.get("SLURM_STEP_ID"))
    names = {job, f"{array[0]}_{array[1]}" if None not in array else None} - {None}
    return {str(name) for name in names} | {f"{name}.{step}" for name in names if step is not None}


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
        "code_commit": next((maybe_stored(commit) for commit, _ in _commits(known)), None),
        "image": next((maybe_stored(image) for image in _image_names(known)), None),
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


def _facets(record: model.Record, known: Known) -> Iterator[Facet]:
    run = record["run"]
    for key, value in [*run["tags"].items()][:MOST]:
        yield "tag", stored(key), stored(value)
    for node in record["nodes"][:MOST]:
        yield "node", stored(node["node"]), None
        if type(node.get("host")) is str:
            yield "node", stored(node["host"]), None
    for name in dict.fromkeys(_modules(known)):
        yield "module", stored(name), None
    for commit, root in _commits(known):
        yield "commit", stored(commit), maybe_stored(root)
    yield from _images(known)
    for name in sorted(job_names(record)):
        yield "job", stored(name), None
    if run["part_of"]["array"] is not None:
        yield "array", stored(run["part_of"]["array"].rpartition("-")[2]), stored(run["part_of"]["array"])
    for one in record["parts"]:
        yield "part", stored(one["run"]), None


def _modules(known: Known) -> Iterator[str]:
    for fact in known.of("modules"):
        for module in objects(fact, "loaded")[:MOST]:
            if type(module.get("name")) is str:
                yield module["name"]


def _commits(known: Known) -> Iterator[tuple[str, str | None]]:
    for fact in known.of("code"):
        for key in ("script", "directory"):
            git = part(fact, key, "git")
            if type(git.get("commit")) is str:
                yield git["commit"], git["root"] if type(git.get("root")) is str else None


def _image_names(known: Known) -> Iterator[str]:
    """Names of images, the best known first."""
    for one in _image_entries(known):
        for name in (one.get("path"), one.get("image")):
            if type(name) is str and name not in ("", "unknown"):
                yield name


def _image_entries(known: Known) -> list[dict[str, Any]]:
    images = [one for fact in known.of("image") for one in objects(fact, "images")]
    containers = [one for fact in known.of("container") for one in objects(fact, "containers")]
    return (images + containers)[:MOST]


def _images(known: Known) -> Iterator[Facet]:
    for one in _image_entries(known):
        for key in ("path", "image"):
            name = one.get(key)
            if type(name) is str and name not in ("", "unknown"):
                yield "image", stored(name), key
        for what, holder in (("identity", "identity"), ("bytes", "storage")):
            digest = inner(one, holder, "digest")
            if type(digest) is str:
                yield "image", stored(digest), what
        config = inner(one, "identity", "config")
        if type(config) is str:
            yield "image", stored(config), "configuration"
        for key, value in [*part(one, "labels").items()][:64]:
            if type(value) is str:
                yield "label", stored(key), stored(value)


def _lists(known: Known, lists: Lists, told: set[str]) -> Iterator[Facet]:
    """Packages and libraries, as lists that other runs may have, too."""
    for fact in known.of("software"):
        for python in objects(fact, "python"):
            yield from _list("packages", python.get("packages"), _packages, lists, told)
        yield from _list("libraries", fact.get("libraries"), _libraries, lists, told)


def _list(
    kind: str, found: Any, members: Callable[[list[Any]], Iterator[Member]], lists: Lists, told: set[str]
) -> Iterator[Facet]:
    """A list's facet; its members, unless they were told before."""
    if type(found) is not list or not found:
        return
    # Version 0 of marshal gives equal values the same bytes, several times faster than JSON.
    name = sha256(marshal.dumps((kind, found[:MOST]), 0)).hexdigest()[:32]
    if name not in told:
        told.add(name)
        lists[name] = [(stored(one), maybe_stored(word(value))) for one, value in members(found[:MOST])]
    yield kind, name, None


def _packages(found: list[Any]) -> Iterator[Member]:
    return ((pair[0], pair[1]) for pair in found if type(pair) is list and len(pair) == 2 and type(pair[0]) is str)


def _libraries(found: list[Any]) -> Iterator[Member]:
    return ((one["path"], one.get("build_id")) for one in objects(found) if _has_path(one))


def _has_path(value: dict[str, Any]) -> bool:
    return type(value.get("path")) is str


def word(value: Any) -> str | None:
    return value if type(value) is str else None


def _number(value: Any) -> Any:
    """A number that a column can hold, else null."""
    if type(value) is float:
        return value if value - value == 0 else None  # neither infinite nor NaN, which PostgreSQL alone would keep
    return value if type(value) is int and -LARGEST <= value <= LARGEST else None

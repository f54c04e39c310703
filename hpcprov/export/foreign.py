"""An RO-Crate that another tool has made: its actions as records, with what a crate says and nothing else.

    for arrival, record in foreign(package): ...

Of each CreateAction, UpdateAction and ActivateAction: name, description (as note), start, end, status, error, who, and
the entities that it used and made. Of a workflow (the instrument is a ComputationalWorkflow) the other actions are its
parts. A crate knows no command line, ranks, nodes, environment, programs or signatures: those members are null or
empty, and `problems` says so. Data is named by the crate: `crate:<digest of its metadata>/<@id>`, a file's own path
where it has one; nobody has looked at it, so its state is `not hashed`.
"""

from __future__ import annotations

import json
import re
from calendar import timegm
from datetime import datetime
from hashlib import sha256

from hpcprov.export.package import BadPackage
from hpcprov.merge.fold import fold
from hpcprov.merge.seal import seal
from hpcprov.record import moment
from hpcprov.record.artifact import BLANK
from hpcprov.record.inside import inner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.export.package import Package
    from hpcprov.record.model import Record

    Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
LARGEST = 64 << 20
ACTIONS = ("CreateAction", "UpdateAction", "ActivateAction")
DATA = ("File", "Dataset", "Collection", "MediaObject")
#: Everything else that is asked of an entity's types.
OTHERS = ("ComputationalWorkflow", "PropertyValue")
MOST_ACTIONS = 10_000
#: Characters of all names of data that actions refer to, each action's counted: one entity may be named by all of them.
MOST_TEXT = 4 * LARGEST
MOST_NAMED = 20
LONGEST = 10_000
REASON = "an RO-Crate names it; its data was not looked at"
PROBLEM = "taken from an RO-Crate that another tool made: it tells no command, ranks, nodes, environment or signatures"
ROLES = {"used": "object", "generated": "result"}
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9:]{2,6})?)?")


def is_crate(package: Package) -> bool:
    """Is a package an RO-Crate, by its name for metadata, in it or in its only directory?"""
    return _metadata(package) is not None


def foreign(package: Package) -> Iterator[Record]:
    """The sealed records of a crate's actions. Raises BadPackage."""
    name = _metadata(package)
    assert name is not None
    text = package.read_json(name, most=LARGEST)
    entities = _entities(text, f"{name!a} in {package.path!a}")
    digest = sha256(text).hexdigest()[:16]
    actions = [one for one in entities.values() if _types(one) & set(ACTIONS)][:MOST_ACTIONS]
    _check_extent(actions, entities, name)
    whole = next((one for one in actions if _is_workflow(one, entities)), None)
    for action in actions:
        yield _record(action, entities, digest, whole, actions)


def _metadata(package: Package) -> str | None:
    found = [name for name in package.sizes if name.rpartition("/")[2] == METADATA and name.count("/") < 2]
    return min(found, key=len, default=None)


def _entities(text: bytes, name: str) -> dict[str, Entity]:
    try:
        graph = inner(json.loads(text), "@graph")
    except (ValueError, RecursionError) as error:
        raise BadPackage(f"{name} is not JSON: {error}") from error
    if type(graph) is not list:
        raise BadPackage(f"{name} has no @graph, which every RO-Crate has")
    found = {one["@id"]: one for one in graph if type(one) is dict and type(one.get("@id")) is str}
    for entity in found.values():  # what is asked of each, however often, is looked up once
        types = _types(entity)
        entity["@type"] = [kind for kind in (*ACTIONS, *DATA, *OTHERS) if kind in types]
        if "PropertyValue" in types:
            entity["value"] = [{"@id": one} for one in dict.fromkeys(_references(entity.get("value")))]
    return found


def _check_extent(actions: list[Entity], entities: dict[str, Entity], name: str) -> None:
    """Refuse a small file of which large records would be made. Raises BadPackage."""
    left = MOST_TEXT
    for action in actions:
        for key in ROLES.values():
            for one in _data(action.get(key), entities):
                left -= len(one[:LONGEST]) + 100
                if left < 0:
                    raise BadPackage(f"{name!a} refers to more data than any tool would write")


def _record(
    action: Entity, entities: dict[str, Entity], digest: str, whole: Entity | None, actions: list[Entity]
) -> Record:
    record = fold([], run_id=_run_id(digest, action), over=True)
    start, end = _moment(action.get("startTime")), _moment(action.get("endTime"))
    agents = _names(action.get("agent"), entities)
    tools = _names(action.get("instrument"), entities)
    record["run"] |= {
        "name": _text(action.get("name")),
        "note": _text(action.get("description")),
        "tags": {"crate.action": action["@id"][:LONGEST]} | ({"crate.instrument": tools} if tools else {}),
        "user": record["run"]["user"] | {"name": agents},
        "start": start,
        "end": end,
        "last_heard": end or start,
        "duration_s": _seconds(start, end),
        "kind": "workflow" if action is whole else "command",
    }
    record["run"] |= _outcome(action)
    if whole is not None and action is not whole:
        record["run"]["part_of"]["workflow"] = _run_id(digest, whole)
    if action is whole:
        record["parts"] = [_part(one, digest) for one in actions if one is not whole]
    record["artifacts"] = {role: _artifacts(action.get(key), entities, digest) for role, key in ROLES.items()}
    record["problems"] = [{"node": None, "text": PROBLEM, "ranks": []}]
    return seal(record | {"revision": 1, "output": {"files": [], "lost_bytes": 0}}, [], previous=None)


def _outcome(action: Entity) -> dict[str, Any]:
    """Status and cause. Without a status an action has succeeded, as the profile says."""
    told = str(inner(action, "actionStatus", "@id") or action.get("actionStatus") or "CompletedActionStatus")
    word = re.split(r"[/#:]", told)[-1]
    if word == "CompletedActionStatus":
        return {"status": "completed", "cause": None}
    text = _text(action.get("error")) or f"its crate says {word}"
    return {"status": "failed" if word == "FailedActionStatus" else "incomplete", "cause": {"text": text}}


def _part(action: Entity, digest: str) -> dict[str, Any]:
    return {
        "run": _run_id(digest, action),
        "name": _text(action.get("name")),
        "tags": {},
        "argv": None,
        "cwd": None,
        "inputs": [],
        "outputs": [],
    }


def _artifacts(value: Any, entities: dict[str, Entity], digest: str) -> list[dict[str, Any]]:
    """What an action used or made, as far as it is data: files, directories and collections of them."""
    found: dict[str, dict[str, Any]] = {}
    for one in _data(value, entities):
        entity = entities.get(one, {})
        if _types(entity) & set(DATA) or not entity:
            path = _path(one, digest)
            known: dict[str, Any] = {
                "path": path,
                "declared": [],
                "observed": None,
                "reason": REASON,
                "size": _size(entity),
            }
            found[path] = BLANK | known
    return [found[path] for path in sorted(found)]


def _data(value: Any, entities: dict[str, Entity]) -> Iterator[str]:
    """What is referred to, and what a value of a parameter refers to in its place."""
    for one in _references(value):
        entity = entities.get(one, {})
        if "PropertyValue" in _types(entity):
            yield from _references(entity.get("value"))
        else:
            yield one


def _path(identifier: str, digest: str) -> str:
    from urllib.parse import unquote

    address = identifier.partition("#")[0] if identifier.startswith("file:") else identifier
    if address.startswith("file:///") and "%00" not in address:
        return unquote(address[7:], errors="surrogateescape")[:LONGEST]
    is_elsewhere = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", identifier) is not None
    return (identifier if is_elsewhere else f"crate:{digest}/{identifier}")[:LONGEST]


def _run_id(digest: str, action: Entity) -> str:
    return f"crate-{digest}-{sha256(action['@id'].encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _is_workflow(action: Entity, entities: dict[str, Entity]) -> bool:
    used = _references(action.get("instrument"))
    return any("ComputationalWorkflow" in _types(entities.get(one, {})) for one in used)


def _types(entity: Entity) -> set[str]:
    value = entity.get("@type")
    return {one for one in (value if type(value) is list else [value]) if type(one) is str}


def _references(value: Any) -> list[str]:
    values = value if type(value) is list else [value]
    found = [one.get("@id") if type(one) is dict else None for one in values]
    return [one for one in found if type(one) is str]


def _names(value: Any, entities: dict[str, Entity]) -> str | None:
    """The names of who or what is referred to, as far as there are a few."""
    few = list(dict.fromkeys(_references(value)))[:MOST_NAMED]
    return _text(", ".join(_text(entities.get(one, {}).get("name")) or one[:LONGEST] for one in few))


def _text(value: Any) -> str | None:
    """A text, bounded; of several the first."""
    value = value[0] if type(value) is list and value else value
    return value[:LONGEST] if type(value) is str and value else None


def _size(entity: Entity) -> int | None:
    told = str(entity.get("contentSize", ""))
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None


def _moment(value: Any) -> str | None:
    """A record's moment of an ISO 8601 time; without an offset it is taken for UTC."""
    if type(value) is not str or MOMENT.fullmatch(value) is None:
        return None
    try:
        known = datetime.fromisoformat(value)
        offset = known.utcoffset()
        whole = timegm(known.timetuple()) - (round(offset.total_seconds()) if offset else 0)
        return moment.iso(whole * moment.SECOND + known.microsecond * 1000) if whole >= 0 else None
    except (ValueError, OverflowError):
        return None


def _seconds(start: str | None, end: str | None) -> float | None:
    return None if start is None or end is None else (moment.ns(end) - moment.ns(start)) / moment.SECOND

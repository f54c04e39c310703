"""Software: modules, containers and images, programs, shared libraries, Python packages, and the environment.

Nodes differ rarely: what they have in common is listed once, and a list says on how many nodes it was found where that
is not all of them.

    software(record)["packages"][0]  ->  {"title": "Python 3.11: /opt/venv/bin/python", "entries": ["numpy 2.1.0", …]}
"""

from __future__ import annotations

from hpcprov.record import model
from hpcprov.record.inside import items, objects, part
from hpcprov.report.told import bytes_of, number, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record
    from hpcprov.report.told import Rows

MOST = 3000  # entries of one list
MOST_LISTS = 12
MOST_VALUE = 2000  # characters of a variable's value


def software(record: Record) -> dict[str, Any]:
    """The lists of the section."""
    return {
        "modules": modules(record),
        "containers": containers(record)[:MOST_LISTS],
        "executables": listed(record, "executables", executable),
        "libraries": listed(record, "libraries", library),
        "packages": packages(record)[:MOST_LISTS],
        "used": used(record),
    }


def modules(record: Record) -> dict[str, Any]:
    """Loaded modules in order of loading; `reason` where none could be."""
    fact = model.fact(record, "modules")
    rows = [
        {"name": word(one, "name"), "file": word(one, "file"), "sha256": word(one, "sha256"), "auto": one.get("auto")}
        for one in objects(fact, "loaded")[:MOST]
    ]
    rows = [row | {"auto": row["auto"] is True} for row in rows]
    return {"loaded": rows, "system": f"{word(fact, 'kind')} {word(fact, 'version')}".strip(), "reason": _reason(fact)}


def _reason(fact: dict[str, Any]) -> str:
    return word(fact, "reason")


def containers(record: Record) -> list[dict[str, Any]]:
    """Containers, each once, with what is known of its image."""
    images = {word(one, "image"): one for _, fact in model.facts(record, "image") for one in _images(fact)}
    found: dict[str, dict[str, Any]] = {}
    for _, fact in model.facts(record, "container"):
        for one in objects(fact.get("value"), "containers"):
            name = word(one, "path") or word(one, "image")
            key = f"{word(one, 'runtime')} {name}"
            if key not in found:
                found[key] = {"title": key.strip(), "rows": container(one, images.get(word(one, "image"), {}))}
    return list(found.values())


def _images(fact: dict[str, Any]) -> list[dict[str, Any]]:
    return objects(fact.get("value"), "images")


def container(one: dict[str, Any], image: dict[str, Any]) -> Rows:
    """What is known of a container and its image."""
    identity, storage = part(image, "identity"), part(image, "storage")
    size = number(one.get("size"))
    known = {
        "inside": "the run was in it",
        "argv": "the command started it",
        "seen": "its processes were seen",
        "environment": "its environment tells",
    }
    labels = [f"{key}: {value}" for key, value in list(part(image, "labels").items())[:64] if type(value) is str]
    rows = [
        ("Known because", known.get(word(one, "how"), word(one, "how"))),
        ("Image", word(one, "image")),
        ("Digest", word(identity, "digest")),
        ("Digest is of", word(identity, "of")),
        ("Storage digest", word(storage, "digest")),
        ("Format", word(image, "format")),
        ("Size", bytes_of(size) if size is not None else ""),
        ("Labels", "; ".join(labels)),
        ("Not known", word(one, "reason") or _reason(image)),
    ]
    return [(label, text) for label, text in rows if text]


def executable(one: dict[str, Any]) -> tuple[str, str]:
    digest = f"sha256:{word(one, 'sha256')}" if word(one, "sha256") else ""
    build = f"build {word(one, 'build_id')}" if word(one, "build_id") else ""
    return word(one, "path"), digest or build or word(one, "reason")


def library(one: dict[str, Any]) -> tuple[str, str]:
    return word(one, "path"), f"build {word(one, 'build_id')}" if word(one, "build_id") else ""


def listed(record: Record, key: str, row: Any) -> dict[str, Any]:
    """The union over all nodes, sorted by path: `rows` of (path, what identifies it), `more` that are left out."""
    found = {row(one) for _, fact in model.facts(record, "software") for one in objects(fact.get("value"), key)}
    rows = sorted(found)
    return {"rows": rows[:MOST], "more": max(0, len(rows) - MOST)}


def packages(record: Record) -> list[dict[str, Any]]:
    """The packages of each Python that ran."""
    found: dict[str, set[str]] = {}
    for _, fact in model.facts(record, "software"):
        for python in objects(fact.get("value"), "python"):
            title = f"Python {word(python, 'version')}: {word(python, 'executable')}"
            names = found.setdefault(title, set())
            for one in items(python, "packages"):
                if type(one) is list and len(one) == 2 and all(type(text) is str for text in one):
                    names.add(" ".join(one))
    return [{"title": title, "entries": sorted(names)[:MOST], "count": len(names)} for title, names in found.items()]


def used(record: Record) -> list[dict[str, str]]:
    """Software whose files the run was seen to open."""
    observation: dict[str, Any] = record.get("observation") or {}
    rows = [
        {"name": word(one, "name") or word(one, "prefix"), "version": word(one, "version")}
        | {"kind": word(one, "kind"), "prefix": word(one, "prefix"), "files": word(one, "files")}
        for one in objects(observation, "software")
    ]
    return sorted(rows, key=lambda row: (row["kind"], row["name"]))[:MOST]


def environment(record: Record) -> dict[str, Any]:
    """The allow-listed variables: those that all ranks share, and the names of those that differ from rank to rank."""
    common, varying = record["environment"]["common"], record["environment"]["varying"]
    rows = [(name, value[:MOST_VALUE] + ("…" if len(value) > MOST_VALUE else "")) for name, value in common.items()]
    return {"common": sorted(rows)[:MOST], "varying": sorted(map(str, varying))[:MOST]}

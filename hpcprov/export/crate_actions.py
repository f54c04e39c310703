"""Runs in an RO-Crate, as Process Run Crate 0.5 wants them: actions with instrument, agent, data, image, environment.

act(crate, data, record)  ->  {"@id": "#run-20261121T093000Z-1f2e3d4c"}
"""

from __future__ import annotations

import os

from hpcprov.export.crate import ADDRESS, TERMS, when, word
from hpcprov.record import model
from hpcprov.record.inside import inner, objects
from hpcprov.record.wording import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.export.crate import Crate, Reference
    from hpcprov.export.crate_data import Data
    from hpcprov.record.model import Record

#: The word of schema.org for a status; all others are failures.
STATUS = {"completed": "CompletedActionStatus", "running": "ActiveActionStatus"}
IMAGE_TYPES = {"sif": "SIFImage", "squashfs": "SIFImage", "oci": "DockerImage", "archive": "DockerImage"}
#: Where units of measurement are named, and the amounts that are measured here.
UNITS = "https://qudt.org/vocab/unit/"
RESOURCES = "https://w3id.org/ro/terms/hpcprov#"


def act(crate: Crate, data: Data, record: Record, instrument: Reference | None = None) -> Reference:
    """The action of a run; `instrument`: what it executed, where the caller knows better than its command line."""
    run = record["run"]
    used = [data.add(record, "used", artifact) for artifact in record["artifacts"]["used"]]
    made = [data.add(record, "generated", artifact) for artifact in record["artifacts"]["generated"]]
    return crate.add(
        identifier(run["id"]),
        "CreateAction" if made else "ActivateAction",
        identifier=run["id"],
        name=run["name"] or f"Run of {words(run['argv'])[:200]}",
        description=words(run["argv"]) + (f"  # {run['note']}" if run["note"] else ""),
        startTime=when(run["start"]),
        endTime=when(run["end"] or run["last_heard"]),
        actionStatus=status(run["status"]),
        error=run["cause"]["text"] if run["cause"] and run["status"] not in STATUS else None,
        instrument=instrument or program(crate, record),
        agent=agent(crate, run["user"]),
        object=used,
        result=made,
        containerImage=list(images(crate, record)),
        environment=list(environment(crate, record)),
        resourceUsage=list(resources(crate, record)),
    )


def identifier(run_id: str) -> str:
    return word("run", run_id)


def status(state: str) -> str:
    return "http://schema.org/" + STATUS.get(state, "FailedActionStatus")


def agent(crate: Crate, user: dict[str, Any]) -> Reference | None:
    """The person who started a run, as far as the system knows."""
    name = user["name"] or (f"uid {user['uid']}" if user["uid"] is not None else None)
    return None if name is None else crate.add(word("user", name), "Person", name=name)


def program(crate: Crate, record: Record) -> Reference:
    """What a run executed: its script with the commit that it was of, else its command."""
    code, argv = model.fact(record, "code"), record["run"]["argv"] or ["(unknown)"]
    script, git = inner(code, "script"), inner(code, "script", "git") or {}
    path = inner(script, "path") if type(inner(script, "path")) is str else argv[0]
    digest = inner(script, "sha256")
    commit = inner(git, "commit") or inner(code, "directory", "git", "commit")
    address = inner(git, "remote", "url") or inner(code, "directory", "git", "remote", "url")
    version = inner(git, "describe") or commit or (f"sha256:{digest}" if digest else None)
    return crate.add(
        word("program", path, digest or "", commit or ""),
        "SoftwareApplication",
        name=os.path.basename(path.rstrip("/")) or path,
        alternateName=path,
        softwareVersion=version,
        url=address if type(address) is str and ADDRESS.fullmatch(address) else None,
        identifier=f"sha256:{digest}" if digest else None,
    )


def images(crate: Crate, record: Record) -> Iterator[Reference]:
    """The container images that a run used."""
    for _, entry in model.facts(record, "image"):
        for image in objects(entry, "value", "images"):
            name, digest = inner(image, "image"), inner(image, "identity", "digest")
            registry, repository, tag = _parts(str(name))
            yield crate.add(
                word("image", name, digest or ""),
                "ContainerImage",
                additionalType={"@id": f"{TERMS}#{IMAGE_TYPES.get(str(inner(image, 'format')), 'DockerImage')}"},
                registry=registry,
                name=repository,
                tag=tag,
                sha256=digest[7:] if type(digest) is str and digest.startswith("sha256:") else None,
                identifier=inner(image, "storage", "digest"),
                alternateName=inner(image, "path"),
            )


def environment(crate: Crate, record: Record) -> Iterator[Reference]:
    """The variables that all ranks had, of those that are recorded."""
    for name, value in sorted(record["environment"]["common"].items()):
        yield crate.value(word("env", record["run"]["id"], name), name, value)


def resources(crate: Crate, record: Record) -> Iterator[Reference]:
    """What a run took, over all ranks."""
    columns, number = record["ranks"]["columns"], len(record["ranks"]["columns"]["rank"])
    cpu = [value for name in ("utime", "stime") for value in columns[name] if value is not None]
    peak = [value for value in columns["maxrss"] if value is not None]
    amounts = [
        ("duration", record["run"]["duration_s"], "SEC"),
        ("cpuTime", round(sum(cpu), 6) if cpu else None, "SEC"),
        ("largestResidentSize", max(peak) * 1024 if peak else None, "BYTE"),
        ("ranks", number or None, "NUM"),
        ("nodes", len(record["nodes"]) or None, "NUM"),
    ]
    for name, amount, unit in amounts:
        if amount is not None:
            place = word("used", record["run"]["id"], name)
            yield crate.value(place, name, amount, propertyID=RESOURCES + name, unitCode=UNITS + unit)


def _parts(image: str) -> tuple[str, str, str | None]:
    """Registry, name and tag of `docker://ghcr.io/org/image:tag`; of a file the place where it lies."""
    rest = image.partition("://")[2] or image
    if rest.startswith(("/", ".")):
        return "file", rest, None
    head, slash, tail = rest.partition("/")
    registry = head if slash and ("." in head or ":" in head) else "docker.io"
    name = tail if slash and registry == head else rest
    name = name.partition("@")[0]
    stem, colon, tag = name.rpartition(":")
    return (registry, stem, tag) if colon and "/" not in tag else (registry, name, None)

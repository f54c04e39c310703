"""The software that runs were seen to use, as a CycloneDX 1.6 bill of materials in JSON.

    {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "numpy", "version": "2.1.0", "purl": "pkg:pypi/numpy@2.1.0", …}, …]}

Components: executables with their SHA-256, shared libraries with their build id, Python packages and other software
that was observed, environment modules, container images, the user's own code. Several runs give the union of theirs.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import os
import re
import uuid
from datetime import datetime

from hpcprov import __version__
from hpcprov.export.library import needed
from hpcprov.export.wording import told
from hpcprov.record.inside import inner, objects
from hpcprov.record.model import facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.export.formats import Run
    from hpcprov.record.model import Record

    #: Type, name, version, and what else is told of it: its `sha256`, the `purl` type, and named properties.
    Found = tuple[str, str, Any, dict[str, Any]]
    Key = tuple[str, str, str | None, tuple[tuple[str, str], ...]]

SHA256 = re.compile(r"[0-9a-f]{64}")
#: What PyPI takes for the name of a package.
PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def render(runs: list[Run]) -> str:
    """The bill of materials of runs; the first of them is what it is about. Raises HpcprovError without the library."""
    model = needed("cyclonedx.model.bom")
    about = runs[0].record["run"]
    found = {key: None for run in runs for key in map(_frozen, software(run.record))}
    bom = model.Bom(components=[_component(*key) for key in sorted(found, key=str)])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hpcprov:cyclonedx:" + "|".join(run.id for run in runs))
    bom.metadata.component = _component(
        "application", about["name"] or about["id"], None, (("hpcprov:run", about["id"]),)
    )
    bom.metadata.tools.components.add(_component("application", "hpcprov", __version__, ()))
    bom.register_dependency(bom.metadata.component, bom.components)
    moment = max((run.record["run"][key] or "" for run in runs for key in ("start", "end", "last_heard")), default="")
    # Else it would be the time of the export, and two exports of one run would differ.
    bom.metadata.timestamp = datetime.fromisoformat(f"{(moment or '1970-01-01T00:00:00')[:19]}+00:00")
    output = needed("cyclonedx.output.json").JsonV1Dot6(bom)
    return str(output.output_as_string(indent=1)) + "\n"


def software(record: Record) -> Iterator[Found]:
    """What a record knows of software: type, name, version and properties of each component."""
    for value in _values(record, "software"):
        for one in objects(value, "executables"):
            yield "application", _base(one), None, _of_file(one)
        for one in objects(value, "libraries"):
            yield "library", _base(one), None, _of_file(one)
        for python in [*objects(value, "python"), inner(value, "python")]:
            yield from _python(python)
    for value in _values(record, "modules"):
        for one in objects(value, "loaded"):
            name, _, version = str(one.get("name")).partition("/")
            yield "library", name, version or None, {"hpcprov:module": one.get("name"), "sha256": one.get("sha256")}
    for value in _values(record, "image"):
        for one in objects(value, "images"):
            digest = {"hpcprov:identity": inner(one, "identity", "digest")}
            yield "container", str(one.get("image") or one.get("path") or "unknown"), None, digest
    yield from _observed(record.get("observation"))


def _values(record: Record, kind: str) -> Iterator[Any]:
    return (entry.get("value") for _, entry in facts(record, kind))


def _python(python: Any) -> Iterator[Found]:
    if type(python) is dict:
        yield "platform", "python", python.get("version"), {"hpcprov:path": python.get("executable")}
        packages = python.get("packages")
        for one in packages if type(packages) is list else []:
            if type(one) is list and len(one) == 2:
                yield "library", str(one[0]), one[1], {"purl": "pypi"}


def _observed(observation: Any) -> Iterator[Found]:
    for one in objects(observation, "software"):
        if one.get("name"):
            of_python = one.get("kind") == "python package"
            told = {"purl": "pypi"} if of_python else {"hpcprov:kind": one.get("kind")}
            yield "library", str(one["name"]), one.get("version"), told
    for one in objects(observation, "code"):
        yield "file", _base(one), None, {"sha256": one.get("sha256"), "hpcprov:path": one.get("path")}


def _base(one: dict[str, Any]) -> str:
    path = str(one.get("path"))
    return os.path.basename(path) or path


def _of_file(one: dict[str, Any]) -> dict[str, Any]:
    named = {"hpcprov:path": "path", "hpcprov:build_id": "build_id", "sha256": "sha256"}
    return {name: one.get(key) for name, key in named.items()}


def _frozen(found: Found) -> Key:
    kind, name, version, told = found
    known = sorted((key, str(value)) for key, value in told.items() if value)
    return kind, name, str(version) if version else None, tuple(known)


def _component(kind: str, name: str, version: str | None, properties: tuple[tuple[str, str], ...]) -> Any:
    model, component = needed("cyclonedx.model"), needed("cyclonedx.model.component")
    known = dict(properties)
    sha256, purl = known.pop("sha256", ""), known.pop("purl", None)
    shown, release = told(name), told(version) if version else None
    return component.Component(
        type=component.ComponentType(kind),
        name=shown,
        version=release,
        purl=needed("packageurl").PackageURL(purl, None, shown, release) if purl and PACKAGE.fullmatch(shown) else None,
        bom_ref=str(
            uuid.uuid5(uuid.NAMESPACE_URL, told(f"urn:hpcprov:component:{(kind, name, version, properties)!r}"))
        ),
        hashes=[model.HashType(alg=model.HashAlgorithm.SHA_256, content=sha256)] if SHA256.fullmatch(sha256) else [],
        properties=[model.Property(name=key, value=told(value)) for key, value in sorted(known.items())],
    )

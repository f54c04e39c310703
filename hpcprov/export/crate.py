"""An RO-Crate that is being filled: the library's crate with what is said of everything in it.

    crate = Crate("flood", "Runs of flood", license=None, published="2026-11-21T09:30:00.123+00:00")
    run = crate.add("#run-1", "CreateAction", name="flood", instrument=crate.add("#flood", "SoftwareApplication"))
    crate.content()  ->  {"ro-crate-metadata.json": '{"@context": [...], "@graph": [...]}', ...}

An entity is known by its @id; who adds it again gets the one that is there. All text is made printable and bounded.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from hpcprov.export.library import needed
from hpcprov.export.wording import local, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from hpcprov.export.formats import Copied

    #: `{"@id": ...}`: how one entity points at another.
    Reference: TypeAlias = dict[str, str]

SPECIFICATION = "1.1"  # what the profiles of version 0.5 extend
TERMS = "https://w3id.org/ro/terms/workflow-run"
UNKNOWN_LICENSE = "Not stated: ask whoever made the data before you use them."
ADDRESS = re.compile(r"https?://[^\s\"<>\\^`{|}]+")
ISO = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.([0-9]{3})[0-9]*Z?")


class Crate:
    """`root`: the entity of the whole crate; `files`: what lies in it beside its metadata, by name."""

    def __init__(self, name: str, description: str, *, license: str | None, published: str) -> None:
        self._crate = needed("rocrate.rocrate").ROCrate(version=SPECIFICATION)
        self._crate.metadata.extra_contexts.append(f"{TERMS}/context")
        self.root = self._crate.root_dataset
        self.files: dict[str, str | bytes | Copied] = {}
        self._known: dict[str, Any] = {}
        self.describe(name=name, description=description, datePublished=published)
        self.describe(license=self._terms(license) if license else UNKNOWN_LICENSE)

    def add(self, identifier: str, kind: str | list[str], /, *, data: bool = False, **facts: Any) -> Reference:
        """An entity; of `data` one that is a part of the crate. What is None or empty is not said."""
        from rocrate.model.contextentity import ContextEntity
        from rocrate.model.data_entity import DataEntity

        if identifier not in self._known:
            known = {key: _only(plain(value)) for key, value in facts.items() if value not in (None, [], {})}
            make = DataEntity if data else ContextEntity
            self._known[identifier] = self._crate.add(make(self._crate, identifier, {"@type": kind} | known))
        return {"@id": identifier}

    def _terms(self, license: str) -> Reference | str:
        """A licence: an entity of its own where it has an address."""
        return self.add(license, "CreativeWork", name=license) if ADDRESS.fullmatch(license) else license

    def value(self, identifier: str, name: str, value: Any, /, **facts: Any) -> Reference:
        """A named value: an environment variable, a field, a measured amount."""
        return self.add(identifier, "PropertyValue", name=name, value=told(value), **facts)

    def say(self, subject: Reference, key: str, value: Any) -> None:
        """One more value of a property of an entity that was added; each once."""
        entity = self._known[subject["@id"]]
        there = entity.properties().get(key, [])
        if plain(value) not in (there if type(there) is list else [there]):
            entity.append_to(key, plain(value), compact=True)

    def conform(self, *profiles: tuple[str, str, str]) -> None:
        """Say which profiles the crate keeps: address, name, version."""
        self.root["conformsTo"] = _only(
            [self.add(address, "CreativeWork", name=name, version=version) for address, name, version in profiles]
        )

    def kind(self, subject: Reference) -> str:
        """The type of an entity that was added."""
        return str(self._known[subject["@id"]].type)

    def describe(self, **facts: Any) -> None:
        """What is said of the crate as a whole."""
        for key, value in facts.items():
            if value not in (None, [], {}):
                self.root[key] = _only(plain(value))

    def conform_descriptor(self, address: str) -> None:
        """A specification that the metadata file keeps beside RO-Crate's own."""
        descriptor = self._crate.metadata
        descriptor["conformsTo"] = [{"@id": descriptor.profile}, {"@id": address}]

    def content(self) -> dict[str, str | bytes | Copied]:
        """All files of the crate."""
        text = json.dumps(self._crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False)
        return self.files | {"ro-crate-metadata.json": text + "\n"}


def _only(value: Any) -> Any:
    """The one value of a list that holds no other, as the specification recommends."""
    return value[0] if type(value) is list and len(value) == 1 else value


def plain(value: Any) -> Any:
    """A property's value: references and numbers as they are, text printable."""
    if type(value) is list:
        return [plain(one) for one in value]
    return told(value) if type(value) is str else value


def when(moment: str | None) -> str | None:
    """A record's moment to the millisecond with an offset, as the profiles' examples and their validator have it."""
    found = ISO.fullmatch(moment or "")
    return f"{found[1]}.{found[2]}+00:00" if found else None


def uri(path: str) -> str:
    """The file URI (RFC 8089) of an absolute path; bytes that are not UTF-8 stay the same bytes."""
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no path of any file, but somebody wrote it into a record
        data = path.encode("utf-8", "surrogatepass")
    return "file://" + quote(data)


def within(path: str) -> str:
    """A name within a crate as its @id."""
    return quote(path)


def word(*parts: object) -> str:
    """A local identifier: `#run-<id>`."""
    return "#" + "-".join(local(str(part)) for part in parts)

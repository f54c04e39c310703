"""The data of runs in an RO-Crate: files, directories and values in memory, each version once.

    entities = Data(crate, records, {})
    entities.add(record, "used", artifact)  ->  {"@id": "file:///scratch/ada/out.nc"}

Data that is not in the crate has the URI of the file where it lay, as the specification allows for data that its reader
may not be able to reach; of several versions of one path, each has the version behind a `#`. Data that is in the crate
has its name there, and the path as `alternateName`. Signature and storage digest are `identifier`, fields are
`variableMeasured`.
"""

from __future__ import annotations

import mimetypes
import os

from hpcprov.export.crate import uri, within, word
from hpcprov.export.versions import Versions, digests_of
from hpcprov.export.wording import local
from hpcprov.record import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.export.crate import Crate, Reference
    from hpcprov.export.formats import Copied
    from hpcprov.record.model import Record

    Copies = Mapping[tuple[str, str], dict[str, Copied]]

MOST_FIELDS = 500
ANY = "application/octet-stream"
REWRITTEN = "The values are as recorded; the bytes were written anew since."
#: Python's own table of endings: that of a system would give other bytes elsewhere.
ENDINGS = mimetypes.MimeTypes(filenames=())
#: What readers of crates know of formats (https://www.iana.org/assignments/media-types/).
MEDIA_TYPES = {
    "hdf5": "application/x-hdf5",
    "zarr2": "application/vnd+zarr",
    "zarr3": "application/vnd+zarr",
    "netcdf3": "application/x-netcdf",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file",
}


class Data:
    """The versions of all artifacts of some records, in a crate. `copies`: by path and digest (of the bytes, or of the
    values where only these are as recorded), the files that are taken into the crate, by their names within the
    artifact (`""`: the artifact is that file)."""

    def __init__(self, crate: Crate, records: list[Record], copies: Copies) -> None:
        self.crate, self.copies = crate, copies
        self.versions = Versions(records)
        self._made = {
            self.versions.name(record, "generated", artifact): artifact
            for record in records
            for artifact in record["artifacts"]["generated"]
        }
        self._of_path: dict[str, str] = {}  # the version that has the plain URI
        self._names: set[str] = set()

    def add(self, record: Record, role: str, artifact: dict[str, Any]) -> Reference:
        """The entity of an artifact of a record."""
        version = self.versions.name(record, role, artifact)
        if not digests_of(artifact):  # written over after it had been read: who made it knows more
            artifact = self._made.get(version, artifact)
        path, digests = artifact["path"], digests_of(artifact)
        held = next((digest for digest in reversed(digests) if (path, digest) in self.copies), None)
        rewritten = held is not None and held != digests[-1]
        facts = {
            "name": os.path.basename(path.rstrip("/")) or path,
            "alternateName": path,
            "contentSize": None if artifact["size"] is None or rewritten else str(artifact["size"]),
            "dateModified": _modified(artifact["mtime"]),
            "encodingFormat": MEDIA_TYPES.get(artifact["format"] or "") or ENDINGS.guess_type(path)[0] or ANY,
            "identifier": [held] if rewritten else digests,
            "description": REWRITTEN if rewritten else artifact["reason"],
        }
        if not path.startswith("/"):  # a value in a program's memory (record.artifact)
            found = self.crate.add(word("data", version), "CreativeWork", **facts)
        elif held is None:
            found = self.crate.add(self._place(path, version, artifact), _kind(artifact), data=True, **facts)
        else:
            place = self._include(path, version, self.copies[path, held])
            found = self.crate.add(place, _kind(artifact), data=True, **facts)
        self._describe_fields(found, version, artifact)
        return found

    def _place(self, path: str, version: str, artifact: dict[str, Any]) -> str:
        plain = self._of_path.setdefault(path, version) == version
        place = uri(path).rstrip("/") + ("/" if _kind(artifact) == "Dataset" else "")
        return place if plain else f"{place}#{version}"

    def _include(self, path: str, version: str, files: dict[str, Copied]) -> str:
        """Take files into the crate, under the artifact's own name where nothing has it yet; its @id."""
        name = local(os.path.basename(path.rstrip("/")) or "data")
        place = f"data/{name}" if f"data/{name}" not in self._names else f"data/{version}/{name}"
        known = self._of_path.setdefault(f"included {path} {version}", place)
        self._names.add(known)
        for inner, copied in files.items():
            self.crate.files[f"{known}/{inner}" if inner else known] = copied
        return within(known) + ("" if "" in files else "/")

    def _describe_fields(self, found: Reference, version: str, artifact: dict[str, Any]) -> None:
        fields = artifact["signature"]["fields"] if artifact["signature"] else []
        for number, field in enumerate(fields[:MOST_FIELDS]):
            shape = " x ".join(map(str, field["shape"])) if field["shape"] else ""
            about = {"identifier": field["signature"], "description": "hpcprov signature of the values"}
            one = self.crate.value(word(version, number), field["path"], f"{field['type']} {shape}".strip(), **about)
            self.crate.say(found, "variableMeasured", one)
        if len(fields) > MOST_FIELDS:
            text = f"{len(fields) - MOST_FIELDS} more fields: see record.json"
            self.crate.say(found, "description", text)


def _kind(artifact: dict[str, Any]) -> str:
    return "Dataset" if artifact["files"] is not None else "File"


def _modified(mtime: int | None) -> str | None:
    try:
        return None if mtime is None else moment.iso(mtime)[:23] + "+00:00"
    except (ValueError, OverflowError, OSError):
        return None

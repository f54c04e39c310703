"""Definitions that a program told of while it ran: the member `definitions` of its record, joined with the signatures
of what the run used and made.

    definitions(record, "/data/out.h5")["depth"]["inputs"]
    ->  [{"path": "/data/flood.h5", "field": "h", "signature": "hpcprov1:...", "dataset": "hpcprov1:..."}]
"""

from __future__ import annotations

from hpcprov.quality.definitions.context import rendered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.model import Record

    Definition = dict[str, Any]


def definitions(record: Record, path: str) -> dict[str, Definition]:
    """Of one dataset that the run made or used, by field."""
    names = names_of(record, path)
    known = Known(record)
    found: dict[str, Definition] = {}
    for entry in record.get("definitions", ()):
        if entry["path"] in names or entry["real"] in names:
            inputs = [known.input(one["path"] or path, one["field"]) for one in entry["inputs"]]
            found[entry["field"].strip("/")] = {
                "expression": entry["expression"],
                "language": entry["language"],
                "inputs": inputs,
                "context": rendered(entry["expression"], entry["context"], inputs, own=names),
                **who(record, entry["time"], entry["step"]),
                "how": "told",
            }
    return found


def who(record: Record, when: str | None = None, step: str | None = None) -> dict[str, Any]:
    """The run that a record is of, as a definition names it."""
    run = record["run"]
    return {"by": run["id"], "name": run["name"], "step": step, "when": when or run["end"] or run["start"]}


def names_of(record: Record, path: str) -> set[str]:
    """The names that a run knew an artifact by: also the one that it had before it was renamed."""
    names = {path}
    for one in every_artifact(record):
        before = (one.get("observed") or {}).get("renamed_from")
        if one["path"] == path and before:
            names.add(before)
    return names


def every_artifact(record: Record) -> Iterator[dict[str, Any]]:
    yield from record["artifacts"]["generated"]
    yield from record["artifacts"]["used"]


class Known:
    """The signatures in one record, by path."""

    def __init__(self, record: Record) -> None:
        self.signatures: dict[str, dict[str, Any]] = {}
        self.fields: dict[str, dict[str, str]] = {}
        for one in every_artifact(record):
            # What was used stands last: the version that a run read, where it wrote the file over.
            if one["signature"]:
                self.signatures[one["path"]] = one["signature"]

    def input(self, path: str, field: str) -> dict[str, Any]:
        """An input with the signature of the field, and that of the dataset; None where they are not known."""
        field, dataset = field.strip("/"), (self.signatures.get(path) or {}).get("digest")
        signature = self._fields(path).get(field) if field else dataset
        return {"path": path, "field": field, "signature": signature, "dataset": dataset}

    def _fields(self, path: str) -> dict[str, str]:
        if path not in self.fields:
            fields = (self.signatures.get(path) or {}).get("fields", ())
            self.fields[path] = {one["path"].strip("/"): one["signature"] for one in fields}
        return self.fields[path]

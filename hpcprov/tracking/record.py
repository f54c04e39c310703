"""A record to look at: typed, read-only, with a page of its own in notebooks.

record = hpcprov.open_record("last")
record.status, record.outputs[0].path    ->  "completed", "/data/model.npz"
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hpcprov.record import model, moment
from hpcprov.record.artifact import is_memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


# What the record of a run lacks as long as it goes on.
GOING_ON = {"revision": 0, "seal": {"logs": [], "record": ""}}


@dataclass(frozen=True)
class Artifact:
    """A file, directory, store, or values in memory that a run used or generated. `signature`, `storage`: digests, None
    where there are none; `reason` says why. `fields`: digests of the arrays or columns in it, by path."""

    path: str
    role: str
    state: str
    reason: str | None
    format: str | None
    size: int | None
    signature: str | None
    storage: str | None
    fields: Mapping[str, str]

    @property
    def in_memory(self) -> bool:
        """Are these values that only a program held?"""
        return is_memory(self.path)


@dataclass(frozen=True)
class RecordedStep:
    """A function call or block of a run, or several equal ones (`count`). `parent`: the id of the step that it was a
    part of; `duration_s`: seconds, of all of them together; `used`, `generated`: paths of artifacts."""

    id: int
    parent: int | None
    name: str
    function: str | None
    status: str
    count: int
    failed: int
    duration_s: float | None
    error: str | None
    parameters: Mapping[str, Any]
    used: tuple[str, ...]
    generated: tuple[str, ...]


class Record:
    """What is known of one run. Raises BadRecord for what is no record."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        from hpcprov.record.errors import BadRecord
        from hpcprov.record.shape import misfit

        wrong = misfit(GOING_ON | dict(record))
        if wrong is not None:
            raise BadRecord(f"this is no record: {wrong}")
        self._record: Any = record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Record:
        """The record in a file, or in the directory of a finished run. Raises OSError, BadRecord."""
        place = os.fspath(path)
        return cls(model.load(os.path.join(place, "record.json") if os.path.isdir(place) else place))

    @property
    def json(self) -> dict[str, Any]:
        """The whole record (docs/record.md): a copy."""
        found: dict[str, Any] = copy.deepcopy(self._record)
        return found

    @property
    def id(self) -> str:
        return str(self._record["run"]["id"])

    @property
    def name(self) -> str | None:
        return self._text("name")

    @property
    def note(self) -> str | None:
        return self._text("note")

    @property
    def status(self) -> str:
        """`completed`, `failed`, `running`, ...: docs/record.md, "Status and cause"."""
        return str(self._record["run"]["status"])

    @property
    def cause(self) -> str | None:
        """Why it did not complete."""
        cause = self._record["run"]["cause"]
        return str(cause["text"]) if cause else None

    @property
    def argv(self) -> tuple[str, ...] | None:
        argv = self._record["run"]["argv"]
        return None if argv is None else tuple(argv)

    @property
    def cwd(self) -> str | None:
        return self._text("cwd")

    @property
    def tags(self) -> Mapping[str, str]:
        return MappingProxyType(dict(self._record["run"]["tags"]))

    @property
    def start(self) -> datetime | None:
        """When it began, UTC."""
        return self._moment("start")

    @property
    def end(self) -> datetime | None:
        """When it ended, UTC; None while it goes on, or where nobody knows."""
        return self._moment("end")

    @property
    def duration_s(self) -> float | None:
        """Seconds."""
        found = self._record["run"]["duration_s"]
        return None if found is None else float(found)

    @property
    def ranks(self) -> int:
        """How many ranks started."""
        return int(self._record["ranks"]["count"])

    @property
    def environment(self) -> Mapping[str, str]:
        """Allow-listed variables that all ranks had in common."""
        return MappingProxyType(dict(self._record["environment"]["common"]))

    @property
    def problems(self) -> tuple[str, ...]:
        """What was not recorded, and why."""
        return tuple(str(one["text"]) for one in self._record["problems"])

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        return self._artifacts("used")

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        return self._artifacts("generated")

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Inputs, then outputs."""
        return self.inputs + self.outputs

    @property
    def steps(self) -> tuple[RecordedStep, ...]:
        """What Python programs of the run told of their parts, parents before their children."""
        return tuple(map(step, self._record.get("steps") or ()))

    def fact(self, kind: str) -> Mapping[str, Any]:
        """What the first node told: `host`, `software`, `code`, `container`, ... (docs/facts.md); empty where nothing
        is known."""
        return MappingProxyType(model.fact(self._record, kind))

    def __repr__(self) -> str:
        from hpcprov.record.wording import count

        name = f" {self.name!r}" if self.name else ""
        has = {"input": self.inputs, "output": self.outputs, "step": self.steps}
        counts = ", ".join(count(len(found), noun) for noun, found in has.items())
        return f"<hpcprov record {self.id}{name}: {self.status}, {counts}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and bool(self._record == other._record)

    def __hash__(self) -> int:
        return hash((self.id, self._record.get("revision")))

    def _repr_html_(self) -> str:
        from hpcprov.tracking.html import card

        return card(self, self._record)

    def _text(self, key: str) -> str | None:
        found = self._record["run"][key]
        return None if found is None else str(found)

    def _moment(self, key: str) -> datetime | None:
        from datetime import UTC, datetime, timedelta

        text = self._record["run"][key]
        if text is None:
            return None
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment.ns(text) // 1000)

    def _artifacts(self, role: str) -> tuple[Artifact, ...]:
        return tuple(artifact(role, one) for one in self._record["artifacts"][role])


def artifact(role: str, told: dict[str, Any]) -> Artifact:
    signature, storage = told["signature"], told["storage"]
    fields = {one["path"]: one["signature"] for one in signature["fields"]} if signature else {}
    return Artifact(
        path=told["path"],
        role=role,
        state=told["state"],
        reason=told["reason"],
        format=told["format"],
        size=told["size"],
        signature=signature["digest"] if signature else None,
        storage=storage["digest"] if storage else None,
        fields=MappingProxyType(fields),
    )


def step(told: dict[str, Any]) -> RecordedStep:
    return RecordedStep(
        **{key: told[key] for key in ("id", "parent", "name", "function", "status", "count", "failed", "duration_s")},
        error=told["error"],
        parameters=MappingProxyType(dict(told["parameters"])),
        used=tuple(told["used"]),
        generated=tuple(told["generated"]),
    )


def open_record(run: str = "last", *, root: str | os.PathLike[str] | None = None) -> Record:
    """The record of a run: an id or the unambiguous beginning of one, `last`, or what Slurm calls it. `root`: a
    `.hpcprov` directory, instead of that of the working directory. Raises NoStore, NoSuchRun, AmbiguousRun."""
    from hpcprov.catalog import open_catalog

    with open_catalog(None if root is None else [os.fspath(root)]) as catalog:
        return Record(catalog.record(catalog.run(run).id))

"""What the catalog gives: runs, artifacts and fields as small values.

row.id, row.status, row.argv  ->  "20261121T093000Z-1f2e3d4c", "completed", ["./model", "config.nml"]
"""

from __future__ import annotations

import json
import os

from hpcprov.catalog.schema import maybe_told, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class RunRow:
    """One run. `summary` is what `hpcprov runs --json` prints of it; the rest is taken from there:

    `id`, `root` (its store), `directory` (of its record, or of its logs while it goes on), `type` (command, job,
    workflow), `name`, `note`, `status`, `start`, `end` (ISO text or None), `duration_s`, `user` (name, else number, as
    text), `cwd`, `argv`, `tags`, `ranks`, `missing`, `nodes`, `job`, `commit`, `image`, `parent` (the run that it was
    started in), `part_of` (ids of its job and workflow), `previous`, `parts` (how many); `sealed`: False when its
    record was changed since it was sealed, None while it goes on.
    """

    __slots__ = ("commit", "directory", "id", "image", "key", "place", "root", "sealed", "stamp", "summary")

    def __init__(self, root: str, columns: tuple[Any, ...]) -> None:
        """`columns`: those of COLUMNS."""
        self.key, self.id, self.place, self.stamp, sealed, self.commit, self.image, text = columns
        self.commit, self.image = maybe_told(self.commit), maybe_told(self.image)
        self.root, self.directory = root, os.path.join(root, self.place)
        self.sealed: bool | None = None if self.place.startswith("runs/") else bool(sealed)
        self.summary: dict[str, Any] = json.loads(text) | {"id": self.id, "directory": self.directory}

    COLUMNS = "r.number, r.id, r.place, r.stamp, r.sealed, r.code_commit, r.image, s.summary"

    def __repr__(self) -> str:
        return f"<RunRow {self.id} {self.status}>"

    @property
    def type(self) -> str:
        return str(self.summary["kind"])

    @property
    def name(self) -> str | None:
        return self._word("name")

    @property
    def note(self) -> str | None:
        return self._word("note")

    @property
    def status(self) -> str:
        return str(self.summary["status"])

    @property
    def start(self) -> str | None:
        return self._word("start")

    @property
    def end(self) -> str | None:
        return self._word("end")

    @property
    def duration_s(self) -> float | None:
        told = self.summary["duration_s"]
        return None if told is None else float(told)

    @property
    def user(self) -> str | None:
        told = self.summary["user"]
        return next((str(told[key]) for key in ("name", "uid") if told[key] is not None), None)

    @property
    def cwd(self) -> str | None:
        return self._word("cwd")

    @property
    def argv(self) -> list[str]:
        return self.summary["argv"] or []

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.summary["tags"])

    @property
    def ranks(self) -> int:
        return int(self.summary["ranks"])

    @property
    def missing(self) -> int:
        return int(self.summary["missing"])

    @property
    def nodes(self) -> list[str]:
        return list(self.summary["nodes"])

    @property
    def job(self) -> str | None:
        return self._word("job")

    @property
    def parent(self) -> str | None:
        return str(self.summary["parent"]["run"]) if self.summary["parent"] else None

    @property
    def part_of(self) -> list[str]:
        part_of = self.summary["part_of"]
        return [part_of[whole] for whole in ("job", "workflow") if part_of[whole] is not None]

    @property
    def previous(self) -> str | None:
        return self._word("previous")

    @property
    def parts(self) -> int:
        return int(self.summary["parts"])

    def _word(self, key: str) -> str | None:
        told = self.summary[key]
        return None if told is None else str(told)


class ArtifactRow:
    """What one run used or generated: `run` (id), `root`, `role`, `path`, `state`, `reason`, `format`, `size`, `mtime`
    (ns), `signature`, `storage` (digests), `first`, `last` (ISO text or None), `renamed_from`, `how` (`declared`,
    `observed`, `both`), how many fields it has (`number`), when its run `began` (text, "" where unknown), and the row
    number `key`. `fields()` looks its fields up."""

    __slots__ = (
        *(
            "_ask",
            "began",
            "first",
            "format",
            "how",
            "key",
            "last",
            "mtime",
            "number",
            "path",
            "reason",
            "renamed_from",
            "role",
        ),
        *("root", "run", "signature", "size", "state", "storage"),
    )
    COLUMNS = (
        "r.id, a.number, a.began, a.role, a.path, a.state, a.reason, a.format, a.size, a.mtime, a.signature, "
        "a.storage, a.first, a.last, a.renamed_from, a.how, a.fields"
    )

    def __init__(self, root: str, columns: tuple[Any, ...], ask: Callable[[str, tuple[Any, ...]], list[Any]]) -> None:
        """`columns`: those of COLUMNS; `ask(sql, parameters)` gives rows."""
        self.root, self._ask = root, ask
        (self.run, self.key, self.began, self.role, path, self.state, self.reason, self.format, *rest) = columns
        self.path: str = told(path)
        self.size, self.mtime, self.signature, self.storage, self.first, self.last, *rest = rest
        self.renamed_from, self.how, self.number = maybe_told(rest[0]), rest[1], rest[2]

    def __repr__(self) -> str:
        return f"<ArtifactRow {self.path!a} {self.role} by {self.run}>"

    def fields(self) -> list[FieldRow]:
        """Its arrays or columns, in order of the record."""
        asked = "SELECT path, type, shape, bytes, signature FROM fields WHERE artifact = ?"
        return [FieldRow(columns) for columns in self._ask(asked, (self.key,))]


class Match:
    """Where something that was looked for is: in which `role` of a run, at which `path`, in which `field` of it (None:
    the artifact itself), and its `signature` and `storage` digest."""

    __slots__ = ("field", "path", "role", "signature", "storage")

    def __init__(self, columns: tuple[Any, ...]) -> None:
        self.role, path, field, self.signature, self.storage = columns
        self.path, self.field = told(path), maybe_told(field)

    def __repr__(self) -> str:
        return f"<Match {self.role} {self.path!a} {self.field!a}>"

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("role", "path", "field", "signature", "storage")}


class FieldRow:
    """One array: `path` in its dataset, `type`, `shape` (None: no plain one), `bytes` (None: not told), `signature`."""

    __slots__ = ("bytes", "path", "shape", "signature", "type")

    def __init__(self, columns: tuple[Any, ...]) -> None:
        path, kind, shape, self.bytes, self.signature = columns
        self.path, self.type = told(path), told(kind)
        self.shape: list[int] | None = None if shape is None else [int(n) for n in shape.split(",") if n]

    def __repr__(self) -> str:
        return f"<FieldRow {self.path!a} {self.signature}>"

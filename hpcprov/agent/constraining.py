"""`exec --constraints FILE`: each output that a file is about is held against it, once it is signed.

    holding = Holding(reading, ["/data/limits.json"])
    holding.verdicts({"path": "out.nc", "role": "generated"}, facts)  ->  [{"file": ..., "failures": 1, ...}]
    holding.problems()  ->  ["constraints /data/limits.json: no output has one of its fields"]

A file is about the outputs that its `dataset: {"files": [...]}` names; without these, about those that have one of its
fields. Whatever is violated or cannot be checked is written down, and changes nothing of how the job ended.
"""

from __future__ import annotations

from hpcprov.record.errors import HpcprovError
from hpcprov.record.verdicts import MOST_FILES, unchecked, verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.quality.constraints.file import Constraints
    from hpcprov.quality.isolated import Comparing

#: As the command `hpcprov constraints verify` has it.
OPTIONS = {"type_checking": "sloppy", "epsilon": 0.0}


class Holding:
    """The files that were asked for, read once."""

    def __init__(self, reading: Comparing, files: list[str]) -> None:
        self.reading = reading
        self.constraints: dict[str, Constraints] = {}
        self.digests: dict[str, str | None] = {}
        self.refused: dict[str, str] = {}
        self.about: set[str] = set()
        for path in files[:MOST_FILES]:
            self._read(path)

    def _read(self, path: str) -> None:
        from hpcprov.quality.constraints.file import read

        try:
            self.constraints[path] = read(path)
            self.digests[path] = (self.reading.bytes_only(path, "").result["storage"] or {}).get("digest")
        except (HpcprovError, OSError) as error:
            self.refused[path] = str(getattr(error, "strerror", None) or error)

    def verdicts(self, one: dict[str, Any], facts: dict[str, Any]) -> list[dict[str, Any]]:
        """What an output violates, by file."""
        if one["role"] != "generated" or facts["signature"] is None:
            return []
        names = [field["path"] for field in facts["signature"]["fields"]]
        found = []
        for path, constraints in self.constraints.items():
            if constraints.is_about(one["path"], names):
                self.about.add(path)
                found.append(self._verdict(path, constraints, one["path"]))
        return found

    def _verdict(self, path: str, constraints: Constraints, output: str) -> dict[str, Any]:
        digest = self.digests[path]
        try:
            return verdict(path, digest, self.reading.constrain(output, constraints.raw, OPTIONS))
        except HpcprovError as error:
            return unchecked(path, digest, error.message)

    def problems(self) -> list[str]:
        """What came of nothing, once all outputs were seen."""
        told = [f"constraints {path}: {reason}" for path, reason in self.refused.items()]
        for path, constraints in self.constraints.items():
            if path not in self.about:
                what = "has a name that it is about" if constraints.files else "has one of its fields"
                told.append(f"constraints {path}: no output {what}")
        return told

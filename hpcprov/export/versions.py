"""Which version of an artifact is which, among several runs: one name for what one run made and another one read.

    versions = Versions(records)
    versions.name(record, "used", artifact)      ->  "hpcprov1-cce8105d..."

The name is the signature of the values, else the storage digest, else path and run; so files that were exported apart
still meet. Equal values that came twice are two versions: the first to have them bears the plain name, what another run
made again `<name>.<run id>`; of one run they are one. Who read equal values has those that were there when it began: at
the same path rather than elsewhere, the latest rather than an earlier one. What was read without a digest is what was
left at that path last.
"""

from __future__ import annotations

from hpcprov.export.wording import local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.record.model import Record


class Versions:
    """The versions of all artifacts of some records. Pure."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._made: dict[tuple[str, str], str] = {}  # (run, path): name
        # Who made what, by digest and by path, in order of their start: (start, path, name).
        self._by_digest: dict[str, list[tuple[str, str, str]]] = {}
        self._by_path: dict[str, list[tuple[str, str, str]]] = {}
        self.equals: list[tuple[str, str]] = []  # a version made again, and the one whose values it has
        known: set[str] = set()
        for record in sorted(records, key=_start):
            known.update(name for artifact in record["artifacts"]["used"] for name in _names(artifact))
            own: dict[str, str] = {}
            for artifact in record["artifacts"]["generated"]:
                self._add(record, artifact, known, own)

    def name(self, record: Record, role: str, artifact: dict[str, Any]) -> str:
        """The name of an artifact of one of the records; a plain word."""
        path, start = artifact["path"], _start(record)[0]
        if role == "generated":
            return self._made[record["run"]["id"], path]
        for digest in digests_of(artifact):
            made = [one for one in self._by_digest.get(digest, []) if one[0] < start]
            if made:
                return next((one for one in reversed(made) if one[1] == path), made[-1])[2]
        left = [one for one in self._by_path.get(path, []) if one[0] < start]
        names = _names(artifact)
        return left[-1][2] if left and not names else (names or [local(path)])[0]

    def _add(self, record: Record, artifact: dict[str, Any], known: set[str], own: dict[str, str]) -> None:
        run, path, names = record["run"]["id"], artifact["path"], _names(artifact)
        plain = names[0] if names else local(f"{path}@{run}")
        name = own.get(plain) or (f"{plain}.{local(run)}" if plain in known else plain)
        if plain != name and plain not in own:
            self.equals.append((name, plain))
        own[plain] = name
        known.update((name, *names))
        self._made[run, path] = name
        entry = (_start(record)[0], path, name)
        self._by_path.setdefault(path, []).append(entry)
        for digest in digests_of(artifact):
            self._by_digest.setdefault(digest, []).append(entry)


def _names(artifact: dict[str, Any]) -> list[str]:
    return [local(digest.replace(":", "-", 1)) for digest in digests_of(artifact)]


def digests_of(artifact: dict[str, Any]) -> list[str]:
    """The signature of an artifact's values and its storage digest, as far as there are any."""
    found = (artifact[member] for member in ("signature", "storage"))
    return [one["digest"] for one in found if one is not None]


def _start(record: Record) -> tuple[str, str]:
    return record["run"]["start"] or "", record["run"]["id"]

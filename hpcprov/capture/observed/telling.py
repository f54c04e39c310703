"""What is told of a node's files: entries of `access` events, and the counts by class of the `observation` event.

Entries of a path are cumulative, the latest counts; one that was neither read nor written takes back what was told
before (a part of what turned out to be a store, a temporary file).
"""

from __future__ import annotations

from hpcprov.capture.observed import packages, stores
from hpcprov.capture.observed.classes import (
    CLASSES,
    is_code_name,
    is_data_name,
    is_library_name,
    is_log_name,
)
from hpcprov.capture.observed.index import Index, decoded
from hpcprov.capture.observed.programs import Programs, blind_word
from hpcprov.capture.observed.scripts import script_paths
from hpcprov.capture.observed.tree import DECLARED, GONE, LOOKED, OLD, READ, REPLACED, WRITTEN, File, Folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_CODE = 2000
MOST_CROWDS = 500


class Telling:
    """Turns the state of one node's files into entries."""

    def __init__(self, index: Index, programs: Programs) -> None:
        self.index, self.programs = index, programs
        self.places, self.questions = index.places, index.questions
        self.versions: dict[str, dict[str, tuple[str, str]]] = {}

    def entries(self, *, final: bool) -> Iterator[dict[str, Any]]:
        """What is new since the last time, in order of the paths; at the end compared with what is there."""
        index, scripts = self.index, script_paths(self.programs)
        if final:
            for file in index.top.all_files():
                index.mark(file)
        for folder in index.moved:
            for file in folder.all_files():
                index.mark(file)
        changed = sorted((file.path(), number, file) for number, file in enumerate(index.changed) if file.first)
        for file in index.changed:
            file.changed = False
        index.changed, index.moved = {}, {}
        told = set()
        for path, _, file in changed:
            entry = self.told(file, path, scripts, final=final)
            if entry is not None:
                told.add(file.told)
                if self.is_new(file) or final:
                    yield entry
        withdrawn, index.withdrawn = index.withdrawn, []
        yield from (withdrawal(path) for path in sorted(set(withdrawn) - told))

    def is_new(self, file: File) -> bool:
        """Whether more can be told of a file than that it was touched again: that can wait for the end."""
        before, file.said = file.said, hash((file.told, file.state, file.ranks, file.programs, file.origin))
        return file.said != before

    def told(self, file: File, path: bytes, scripts: frozenset[bytes], *, final: bool) -> dict[str, Any] | None:
        """The entry of one file, None when it does not count; what was told under another name is taken back."""
        name = decoded(path)
        ended = self.settle(file, name) if final else None
        counts = file.state & (READ | WRITTEN) and self.class_of(file, path, scripts) == "data"
        if file.told is not None and (file.told != name or not counts):
            self.index.withdrawn.append(file.told)
            file.told = None
        if not counts:
            return None
        file.told = name
        return self.entry(file, name, ended)

    def settle(self, file: File, name: str) -> list[int] | None:
        """Correct by what is there in the end what openings alone suggest: size (bytes) and time (ns) of a file."""
        status = self.questions.status(name)
        if status is None:
            file.state = (file.state | GONE) & ~(WRITTEN | REPLACED if file.state & OLD else 0)
            return None
        kind, size, mtime = status
        if kind == "directory" and file.name and (form := stores.named_form(file.name)):
            file.folder.files.pop(file.name, None)
            folder = file.folder.folders[file.name] = Folder(file.folder, file.name)
            folder.store, folder.form, file.folder, file.name = file, form, folder, b""
        if (kind == "directory") is bool(file.name) or kind == "other":
            file.state &= DECLARED
            return None
        if file.state & GONE and not file.state & WRITTEN:
            file.state &= ~GONE
        if not file.name:
            return None
        if not file.state & REPLACED and (size, mtime) == (file.size, file.mtime):
            file.state &= ~(WRITTEN if file.state & LOOKED else WRITTEN | READ)
        return [size, mtime]

    def entry(self, file: File, name: str, ended: list[int] | None) -> dict[str, Any]:
        state = file.state
        return {
            "path": name,
            "read": bool(state & READ),
            "written": bool(state & WRITTEN),
            "first": file.first,
            "last": file.last,
            "ranks": self.programs.ranges(file.ranks),
            "programs": sorted(file.programs),
            "from": self.origin(file),
            "began": [file.size, file.mtime] if file.mtime >= 0 and file.name else None,
            "ended": ended,
            "gone": bool(state & GONE),
            "overwritten": state & (OLD | WRITTEN) == OLD | WRITTEN,
            "store": file.folder.form if not file.name else None,
            "files": 1 if file.name else file.count,
        }

    def origin(self, file: File) -> str | None:
        """The name that a file had before it, or a directory above it, was renamed."""
        if file.origin is not None:
            return decoded(file.origin)
        below = [file.name] if file.name else []
        folder: Folder | None = file.folder
        while folder is not None:
            if folder.origin is not None and file.first < folder.moved:
                return decoded(b"/".join([folder.origin, *reversed(below)]))
            below.append(folder.name)
            folder = folder.parent
        return None

    def class_of(self, file: File, path: bytes, scripts: frozenset[bytes]) -> str:
        """The class of a file that is kept, by what was done to it."""
        state, (folder, _, name) = file.state, path.rpartition(b"/")
        if state & DECLARED:
            return "data"
        if state & GONE and not state & OLD:
            return "scratch"
        if state & WRITTEN and self.places.is_temporary(path):
            return "scratch"
        if is_data_name(name):
            return "data"
        place = self.places.find(folder) if self.places.prefixes else None
        if place is not None:
            return place.label
        if state & WRITTEN:
            return "logs" if is_log_name(folder, name) else "data"
        if path in scripts or is_code_name(name):
            return "code"
        if is_library_name(name):
            return "software"
        return "configuration" if self.places.is_settings(folder, name) else "data"

    # Counts

    def observation(self) -> dict[str, Any]:
        """Files by class, packages of software, the user's own code, and what is only counted."""
        counts = dict.fromkeys(CLASSES, 0) | self.index.counts.classes
        code: dict[str, dict[str, Any]] = {}
        scripts = script_paths(self.programs)
        for file in self.index.top.all_files():
            if file.first and file.state & (READ | WRITTEN):
                label = self.class_of(file, path := file.path(), scripts)
                counts[label] = counts.get(label, 0) + 1
                if label == "code" and len(code) < MOST_CODE:
                    code[decoded(path)] = self.code(decoded(path))
        counts["data"] += sum(crowd.read + crowd.written for crowd in self.index.crowds.values())
        return {
            "classes": {label: {"files": counts[label]} for label in CLASSES},
            "software": self.software(),
            "code": [code[path] for path in sorted(code)],
            "counted": self.counted(),
            "directories": self.directories(),
        }

    def code(self, path: str) -> dict[str, Any]:
        status = self.questions.status(path)
        return {"path": path, "sha256": self.questions.digest(path), "size": status[1] if status else None}

    def counted(self) -> list[dict[str, Any]]:
        """Programs beyond the limit."""
        rows = self.programs.counted
        return [{"path": path, "blind": blind_word(blind), "count": rows[path, blind]} for path, blind in sorted(rows)]

    def directories(self) -> list[dict[str, Any]]:
        """Directories with files beyond the limit, those with most first."""
        crowds = sorted(
            self.index.crowds.values(), key=lambda crowd: (-crowd.read - crowd.written, crowd.folder.path())
        )
        return [
            {"path": decoded(crowd.folder.path()) or "/", "read": crowd.read, "written": crowd.written}
            for crowd in crowds[:MOST_CROWDS]
        ]

    def software(self) -> list[dict[str, Any]]:
        """The packages of which files were read."""
        found: dict[tuple[str, str, str, str | None], int] = {}
        for (kind, prefix, name, version), files in self.index.counts.packages.items():
            if name:
                key = (kind, prefix, *self.named(kind, prefix, name, version))
                found[key] = found.get(key, 0) + files
        rows = sorted(found.items(), key=lambda row: tuple(word or "" for word in row[0]))
        return [
            {"prefix": prefix, "kind": kind, "name": name, "version": version, "files": files}
            for (kind, prefix, name, version), files in rows
        ]

    def named(self, kind: str, prefix: str, name: str, version: str | None) -> tuple[str, str | None]:
        """A package's name and version; of Python, those of the distribution that brought what was imported."""
        if kind != packages.PYTHON:
            return name, version
        if prefix not in self.versions:
            self.versions[prefix] = packages.versions(prefix, self.questions)
        top = name.removesuffix(".libs").removesuffix(".data")
        own, number = packages.distribution(name)
        key = packages.imported(own) if own else packages.imported(top)
        return self.versions[prefix].get(key) or (own or top, number)


def withdrawal(path: str) -> dict[str, Any]:
    """The entry that takes back all that was told of a path."""
    return {
        "path": path, "read": False, "written": False, "first": 0, "last": 0, "ranks": [], "programs": [], "from": None,
        "began": None, "ended": None, "gone": True, "overwritten": False, "store": None, "files": 0,
    }  # fmt: skip

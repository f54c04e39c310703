"""Which programs, shared libraries and Python packages two runs ran with.

    executables(one, other)  ->  [{"kind": "program", "text": "program solver: sha256:34f9057612ab -> 1a2b3c4d5e6f"}]

A library that only one of them was seen to load is no cause by itself: libraries are looked for now and then.
"""

from __future__ import annotations

import os
import re

from hpcprov.catalog.causes.told import cause, cut, near, short, values
from hpcprov.record.inside import objects, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

#: So many lines of one kind; the rest is counted.
MOST_LINES = 10
SONAME = re.compile(r"(.+?\.so)(?:\.[0-9.]+)?")


def executables(one: Record, other: Record) -> Iterator[Cause]:
    """Programs of one name with other contents."""
    left, right = digests(one), digests(other)
    found = []
    for name in left.keys() & right.keys():
        (before, path), (after, elsewhere) = left[name], right[name]
        if before != after:
            said = f"program {cut(name)}: sha256:{short(before)} -> {short(after)}"
            found.append(cause("program", said, before, after, name=name, paths=[path, elsewhere]))
    yield from first(sorted(found, key=lambda cause: cause["name"]), "program", "programs")


def digests(record: Record) -> dict[str, tuple[str, str]]:
    """SHA-256 and path of each program, by its path as seen from the working directory or, of those installed
    elsewhere, by its name."""
    found = {}
    seen = record.get("observation")
    rows: list[dict[str, Any]] = list(seen["programs"]) if seen else []
    rows += [row for fact in values(record, "software") for row in objects(fact, "executables")]
    for row in rows:
        path, digest = text(row, "path"), text(row, "sha256")
        if path and digest:
            path = os.path.normpath(path)
            name = near(path, record)
            found[os.path.basename(path) if os.path.isabs(name) else name] = digest, path
    return found


def libraries(one: Record, other: Record) -> Iterator[Cause]:
    """Libraries of one name whose build ids differ."""
    left, right = build_ids(one), build_ids(other)
    found = []
    for name in sorted(left.keys() & right.keys()):
        if left[name].keys().isdisjoint(right[name]):
            (before, path), (after, elsewhere) = next(iter(left[name].items())), next(iter(right[name].items()))
            names = f"{os.path.basename(path)} -> {os.path.basename(elsewhere)}, " if _differ(path, elsewhere) else ""
            said = f"library {cut(name)}: {cut(names)}build id {short(before)} -> {short(after)}"
            found.append(cause("library", said, before, after, paths=[path, elsewhere]))
    yield from first(found, "library", "libraries")


def _differ(path: str, other: str) -> bool:
    return os.path.basename(path) != os.path.basename(other)


def build_ids(record: Record) -> dict[str, dict[str, str]]:
    """Build ids of shared libraries, each with a path, by the libraries' names without their versions."""
    found: dict[str, dict[str, str]] = {}
    for fact in values(record, "software"):
        for row in objects(fact, "libraries"):
            path, number = text(row, "path"), text(row, "build_id")
            name = SONAME.fullmatch(os.path.basename(path or ""))
            if path and number and name:
                found.setdefault(name[1], {})[number] = path
    return found


def packages(one: Record, other: Record) -> Iterator[Cause]:
    """The version of Python, and of packages that the runs were seen to read (all, where that is not known)."""
    left, right = versions(one), versions(other)
    read = used(one) | used(other) if one.get("observation") and other.get("observation") else None
    found = []
    for name in sorted(left.keys() | right.keys()):
        before, after = left.get(name), right.get(name)
        if before != after and left and right and (read is None or name == "python" or name in read):
            what = "Python" if name == "python" else f"Python package {cut(name)}"
            said = f"{what} {cut(before or 'not installed')} -> {cut(after or 'not installed')}"
            found.append(cause("package", said, before, after, name=name))
    yield from first(found, "package", "Python packages")


def versions(record: Record) -> dict[str, str]:
    """Versions of installed packages by name, and of `python`."""
    found: dict[str, str] = {}
    for fact in values(record, "software"):
        for interpreter in objects(fact, "python"):
            if version := text(interpreter, "version"):
                found["python"] = version
            rows = interpreter.get("packages")
            for row in rows if type(rows) is list else []:
                if type(row) is list and len(row) == 2 and all(type(item) is str for item in row):
                    found[plain(row[0])] = row[1]
    return found


def used(record: Record) -> set[str]:
    """Names of the packages of which a run was seen to read a file."""
    return {plain(row["name"]) for row in record["observation"]["software"] if row["name"]}


def plain(name: str) -> str:
    """A distribution's name by PEP 503; folders write it with underscores."""
    return re.sub(r"[-_.]+", "-", name).lower()


def first(found: list[Cause], kind: str, plural: str) -> Iterator[Cause]:
    """The first few causes, and how many more there are."""
    yield from found[:MOST_LINES]
    if len(found) > MOST_LINES:
        yield cause(
            kind, f"and {len(found) - MOST_LINES} more {plural} that differ (--json names all)", more=found[MOST_LINES:]
        )

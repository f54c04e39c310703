"""The file of constraints: TDDA's JSON (`.tdda`), read with suspicion and written.

    constraints = read("c.json")
    constraints.fields["depth"]["min"]          ->  Constraint(value=0.0, precision=None)
    constraints.required, constraints.allowed   ->  ['*'], []          globs, as TDDA has them

A constraint of a kind that is not known counts for nothing, is not refused, and is named in `ignored`: TDDA does the
same. A value that its kind cannot have is refused: a check that quietly does nothing is worse than none. null is no
constraint. A kind that begins with # is a comment.

Of "dataset", `required_fields` and `allowed_fields` are TDDA's. Three keys are ours: `files`, globs of the names of
the outputs that `exec --constraints` is to hold against the file; `format` and `version`.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from hpcprov.quality.constraints.kinds import CHECKS, PRECISIONS, BadConstraint, check_value
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

FORMAT, VERSION = "hpcprov-constraints", 1
#: Bytes of a file, and fields in it.
LARGEST, MOST_FIELDS = 16 << 20, 100_000
WITH_PRECISION = ("min", "max")
BESIDE = ("value", "comment")


class BadFile(HpcprovError):
    """What is no file of constraints; the message says where and why."""


@dataclass(frozen=True)
class Constraint:
    """The value of one constraint; `precision` is TDDA's, of min and max: open, closed, or fuzzy (None, too)."""

    value: Any
    precision: str | None = None


@dataclass
class Constraints:
    """A file. `required` and `allowed` are globs of names, None where the file does not say; `raw` is its JSON."""

    fields: dict[str, dict[str, Constraint]]
    required: list[str] | None = None
    allowed: list[str] | None = None
    files: list[str] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def missing_of(self, names: list[str]) -> list[str]:
        """The fields that must be there and are not. Without a word in the file all that have constraints must be."""
        there = set(names)
        wanted = ["*"] if self.required is None else self.required
        return [name for name in self._wanted(wanted) if name not in there]

    def _wanted(self, patterns: list[str]) -> Iterator[str]:
        """The constrained fields that a pattern names, and names that are none: what must be there may be anything."""
        yield from (name for name in self.fields if any(fnmatchcase(name, pattern) for pattern in patterns))
        yield from (name for name in patterns if name not in self.fields and not set("*?[") & set(name))

    def extra_of(self, names: list[str]) -> list[str]:
        """The fields that are there and may not be. Without a word in the file any may."""
        if self.allowed is None:
            return []
        known = self.fields.keys() | set(self.allowed)
        globs = [pattern for pattern in self.allowed if set("*?[") & set(pattern)]
        return [name for name in names if name not in known and not any(fnmatchcase(name, one) for one in globs)]

    def is_about(self, path: str, names: list[str]) -> bool:
        """Whether an output is one that the file is about: its name or path is one of `files`; without these, it has
        one of the constrained fields."""
        if self.files:
            ends = path.rstrip("/")
            return any(fnmatchcase(ends, one) or fnmatchcase(os.path.basename(ends), one) for one in self.files)
        return not self.fields.keys().isdisjoint(names)


def read(path: str) -> Constraints:
    """The constraints in a file. Raises BadFile, OSError."""
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe could keep whoever reads it for ever
        raise BadFile(f"{path!a} is no file")
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        octets = file.read(LARGEST + 1) or b""
    if len(octets) > LARGEST:
        raise BadFile(f"{path!a} is larger than {LARGEST >> 20} MiB: no file of constraints")
    try:
        found = json.loads(octets.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path!a} is not JSON: {str(error)[:200]}") from error
    try:
        return parse(found)
    except BadFile as error:
        raise BadFile(f"{path!a}: {error.message}", hint=error.hint) from error


def parse(found: Any) -> Constraints:
    """The constraints that JSON says. Raises BadFile."""
    if type(found) is not dict or not ("fields" in found or "dataset" in found):
        raise BadFile(
            "no file of constraints: it has no object `fields`", hint="`hpcprov constraints discover` makes one"
        )
    fields, dataset = _object(found, "fields"), _object(found, "dataset")
    if len(fields) > MOST_FIELDS:
        raise BadFile(f"more than {MOST_FIELDS} fields")
    _check_version(dataset)
    ignored: list[tuple[str, str]] = []
    return Constraints(
        {name: _field(name, members, ignored) for name, members in fields.items()},
        _names(dataset, "required_fields"),
        _names(dataset, "allowed_fields"),
        _names(dataset, "files") or [],
        ignored,
        found,
    )


def _object(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    if value is not None and type(value) is not dict:
        raise BadFile(f"{name} is no object")
    return value or {}


def _check_version(dataset: dict[str, Any]) -> None:
    version = dataset.get("version")
    if dataset.get("format") == FORMAT and type(version) is int and version > VERSION:
        raise BadFile(f"version {version} of its format: this hpcprov knows version {VERSION}")


def _names(dataset: dict[str, Any], key: str) -> list[str] | None:
    value = dataset.get(key)
    if value is None:
        return None
    names = [value] if type(value) is str else value
    if type(names) is not list or len(names) > MOST_FIELDS or any(type(one) is not str for one in names):
        raise BadFile(f"dataset: {key} is no list of names")
    return names


def _field(name: str, members: Any, ignored: list[tuple[str, str]]) -> dict[str, Constraint]:
    if type(members) is not dict:
        raise BadFile(f"field {printable(name)}: its constraints are no object")
    found = {}
    for kind, value in members.items():
        if kind in CHECKS:
            constraint = _constraint(name, kind, value)
            if constraint is not None:
                found[kind] = constraint
        elif not kind.startswith("#"):
            ignored.append((name, kind))
    return found


def _constraint(name: str, kind: str, given: Any) -> Constraint | None:
    value, precision = given, None
    where = f"field {printable(name)}: {kind}"
    if type(given) is dict:
        known = (*BESIDE, "precision") if kind in WITH_PRECISION else BESIDE
        if unknown := next((key for key in given if key not in known and not key.startswith("#")), None):
            raise BadFile(f"{where} has {printable(unknown)}, which is none of {', '.join(known)}")
        value, precision = given.get("value"), given.get("precision")
        if precision is not None and precision not in PRECISIONS:
            raise BadFile(f"{where}: precision must be one of {', '.join(PRECISIONS)}")
    if value is None or (kind == "type" and value == [None]):
        return None
    try:
        check_value(kind, value)
    except BadConstraint as error:
        raise BadFile(f"{where} {error.message}") from error
    return Constraint(value, precision)


def text_of(raw: dict[str, Any]) -> str:
    """The file's text: JSON, indented as TDDA does it. Bytes of names that are not UTF-8 stay as escapes."""
    try:
        text = json.dumps(raw, indent=4, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(raw, indent=4)
    return text + "\n"

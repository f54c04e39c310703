"""What runs are looked for by -> a condition in SQL, with its parameters.

    condition({"tag": ["case=b1"], "status": ["failed"]})
    ->  Condition("r.status IN (?) AND r.number IN (SELECT run FROM facets WHERE kind = 'tag' ...)", ["failed", ...])

Texts are globs (see patterns.py).
"""

from __future__ import annotations

import re

from hpcprov.catalog.artifact_filters import roles, wanted_roles
from hpcprov.catalog.patterns import (
    AFTER,
    DIGEST,
    FEWEST,
    digest_ranges,
    like,
    marks,
    path_condition,
    several,
)
from hpcprov.catalog.schema import stored
from hpcprov.record import moment
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

UNION = " UNION ALL "


class Condition:
    """`text` in SQL on runs `r`, its `parameters`, and whether more must be checked in Python (`checks`)."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.parameters: list[Any] = []
        self.checks: list[Callable[[Any, Any], bool]] = []

    @property
    def text(self) -> str:
        return " AND ".join(self.parts) or "1 = 1"

    def add(self, text: str, *parameters: Any) -> None:
        self.parts.append(text)
        self.parameters += parameters

    def facets(self, *wanted: tuple[str, str, list[Any]]) -> None:
        """A run has a facet of a kind for which a text holds: any of those `wanted`, each looked up by itself."""
        texts = [f"SELECT run FROM facets WHERE kind = '{kind}' AND {text}" for kind, text, _ in wanted]
        self.add(f"r.number IN ({UNION.join(texts)})", *[one for _, _, parameters in wanted for one in parameters])


def condition(filters: Mapping[str, Any]) -> Condition:
    """All filters that are given, joined by `and`; several values of one by `or`, but tags by `and`.
    Raises HpcprovError for what cannot be looked for."""
    found = Condition()
    for name, value in filters.items():
        if name not in FILTERS:
            raise HpcprovError(f"runs cannot be looked for by {name!a}", hint=f"by {', '.join(sorted(FILTERS))}")
        if value is not None and value != []:
            FILTERS[name](found, value, filters)
    return found


# Each with its own range, so that each is looked up in an index.
WITH_DIGEST = (
    "SELECT a.run FROM artifacts a WHERE a.signature >= ? AND a.signature < ?",
    "SELECT a.run FROM artifacts a WHERE a.storage >= ? AND a.storage < ?",
    "SELECT a.run FROM fields f JOIN artifacts a ON a.number = f.artifact WHERE f.signature >= ? AND f.signature < ?",
)
WITH_IMAGE = "SELECT run FROM facets WHERE kind = 'image' AND name >= ? AND name < ?"


def _digest(found: Condition, value: Any, filters: Mapping[str, Any]) -> None:
    role = roles(filters, "a.role")
    asked = [one + role for one in WITH_DIGEST] + ([] if role else [WITH_IMAGE])
    ranges = [one for text in several(value) for one in digest_ranges(text)]
    texts = [text for _ in ranges for text in asked]
    found.add(f"r.number IN ({UNION.join(texts)})", *[end for one in ranges for _ in asked for end in one])


def _path(found: Condition, value: Any, filters: Mapping[str, Any]) -> None:
    conditions = [path_condition(pattern) for pattern in several(value)]
    text = " OR ".join(text for text, _ in conditions)
    parameters = [one for _, ones in conditions for one in ones]
    role = roles(filters, "a.role")
    found.add(f"r.number IN (SELECT a.run FROM artifacts a WHERE ({text}){role})", *parameters)
    if any("[" in pattern for pattern in several(value)):
        found.checks.append(
            lambda catalog, row: _has_path(catalog.artifacts(row.id), several(value), wanted_roles(filters))
        )


def _has_path(artifacts: list[Any], patterns: list[str], wanted: list[str]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(one.path, glob) for one in artifacts if one.role in wanted for glob in patterns)


def _image(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    wanted = []
    for image in several(value):
        wanted += [("image", *like("name", image)), ("image", *like("name", f"*/{image}"))]
        if (match := DIGEST.fullmatch(image)) is not None and len(match["hex"]) >= FEWEST:
            wanted += [("image", "name >= ? AND name < ?", [*ends]) for ends in digest_ranges(image)]
        key, equals, label = image.partition("=")
        if equals:
            wanted.append(("label", "name = ? AND value = ?", [stored(key), stored(label)]))
    found.facets(*wanted)


def _module(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.facets(*[("module", *like("name", form)) for name in several(value) for form in (name, f"{name}/*")])


def _commit(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    begin = [stored(text.lower()) for text in several(value)]
    found.facets(*[("commit", "name >= ? AND name < ?", [text, text + AFTER]) for text in begin])


def _user(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    names = [str(name) for name in several(value)]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 11]
    text = f"(r.account IN ({marks(names)})" + (f" OR r.uid IN ({marks(numbers)}))" if numbers else ")")
    found.add(text, *map(stored, names), *numbers)


def _node(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.facets(*[("node", *like("name", form)) for name in several(value) for form in (name, f"{name}.*")])


def _tag(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    tags = [f"{key}={text}" for key, text in value.items()] if hasattr(value, "items") else several(value)
    for wanted in tags:
        key, equals, text = wanted.partition("=")
        if equals:
            found.facets(("tag", "name = ? AND value = ?", [stored(key), stored(text)]))
        else:
            found.facets(("tag", "name = ?", [stored(key)]))


def _since(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.add("r.began >= ?", _moment(value))


def _until(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.add("r.began < ?", _moment(value))


def _moment(seconds: float) -> str:
    return moment.iso(min(max(int(seconds * moment.SECOND), 0), (1 << 63) - 1))


def _status(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.add(f"r.status IN ({marks(several(value))})", *several(value))


def _name(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    from fnmatch import fnmatchcase

    patterns = several(value)
    conditions = [like("coalesce(r.name, '')", pattern) for pattern in patterns]
    found.add(f"({' OR '.join(text for text, _ in conditions)})", *[p for _, ones in conditions for p in ones])
    if any("[" in pattern for pattern in patterns):
        found.checks.append(lambda _, row: any(fnmatchcase(row.name or "", pattern) for pattern in patterns))


def _type(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    found.add(f"r.kind IN ({marks(several(value))})", *several(value))


def _job(found: Condition, value: Any, _: Mapping[str, Any]) -> None:
    names = several(value)
    text = f"SELECT run FROM facets WHERE kind IN ('job', 'array') AND name IN ({marks(names)})"
    found.add(f"r.number IN ({text})", *map(stored, names))


def _package(found: Condition, value: Any, __: Mapping[str, Any]) -> None:
    for wanted in several(value):
        name, _, version = wanted.replace("==", "=").partition("=")
        name = re.sub(r"[-_.]+", "-", name).lower()
        _of_list(found, "packages", *like("l.name", name), version)


def _library(found: Condition, value: Any, __: Mapping[str, Any]) -> None:
    for wanted in several(value):
        name, _, build = wanted.partition("=")
        one, other = like("l.name", name), like("l.name", f"*/{name}")
        _of_list(found, "libraries", f"({one[0]} OR {other[0]})", [*one[1], *other[1]], build)


def _of_list(found: Condition, kind: str, text: str, parameters: list[str], value: str) -> None:
    text = f"f.kind = '{kind}' AND {text}" + (" AND l.value = ?" if value else "")
    inner = f"SELECT f.run FROM facets f JOIN lists l ON l.list = f.name WHERE {text}"
    found.add(f"r.number IN ({inner})", *parameters, *([stored(value)] if value else []))


def _nothing(_: Condition, __: Any, ___: Mapping[str, Any]) -> None:
    """Said elsewhere: `used` and `generated` with digest and path, `limit` with the query."""


FILTERS: dict[str, Callable[[Condition, Any, Mapping[str, Any]], None]] = {
    "digest": _digest,
    "path": _path,
    "image": _image,
    "module": _module,
    "commit": _commit,
    "user": _user,
    "node": _node,
    "tag": _tag,
    "since": _since,
    "until": _until,
    "status": _status,
    "name": _name,
    "type": _type,
    "job": _job,
    "package": _package,
    "library": _library,
    "used": _nothing,
    "generated": _nothing,
    "limit": _nothing,
}

"""What runs are looked for by -> a condition in SQL, with its parameters.

    condition({"tag": ["case=b1"], "status": ["failed"]})
    ->  Condition("r.status IN (?) AND r.number IN (SELECT run FROM facets WHERE kind = 'tag' ...)", ["failed", ...])

A glob has `*`, `?` and `[...]`; `*` goes over `/`, too. LIKE says the same in SQLite and PostgreSQL, but for `[...]`,
which is checked afterwards.
"""

from __future__ import annotations

import re

from hpcprov.catalog.schema import stored
from hpcprov.record import moment
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

SIGNATURE, STORAGE = "hpcprov1:", ("blake3:", "sha256:")
DIGEST = re.compile(r"(?:(?P<algorithm>[a-z][a-z0-9]*):)?(?P<hex>[0-9a-fA-F]{1,128})")
ROLES = ("used", "generated")
UNION = " UNION ALL "
FEWEST = 6  # hex digits that begin a digest
AFTER = "\U0010ffff"  # comes after every text with the same beginning
GLOB = re.compile(r"[*?[]")
CLASS = re.compile(r"\[!?+\]?+[^\]]*\]")


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


def several(value: Any) -> list[Any]:
    return [value] if isinstance(value, (str, int, float)) else list(value)


def like(column: str, pattern: str) -> tuple[str, list[str]]:
    """A condition that a column fits a glob: exact but for `[...]`, where it is wider."""
    if not GLOB.search(pattern):
        return f"{column} = ?", [stored(pattern)]
    plain = _literal(CLASS.sub("?", pattern)).replace("*", "%").replace("?", "_")
    begin = stored(GLOB.split(pattern, maxsplit=1)[0])
    text = f"{column} LIKE ? ESCAPE '\\'"
    if not begin:
        return text, [plain]
    # A range can be looked up in an index.
    return f"({column} >= ? AND {column} < ? AND {text})", [begin, begin + AFTER, plain]


def ends_with(column: str, end: str) -> tuple[str, list[str]]:
    """A condition that a column ends with some text."""
    return f"{column} LIKE ? ESCAPE '\\'", [f"%{_literal(end)}"]


def _literal(text: str) -> str:
    """Text in which LIKE sees no pattern."""
    return re.sub(r"([\\%_])", r"\\\1", stored(text))


def digest_ranges(text: str) -> list[tuple[str, str]]:
    """The digests that begin with `text`, as ranges from (with) to (without). Raises HpcprovError."""
    match = DIGEST.fullmatch(text.strip())
    if match is None or len(match["hex"]) < FEWEST:
        hint = f"give at least {FEWEST} of its hexadecimal digits, with or without `hpcprov1:`, `blake3:` or `sha256:`"
        raise HpcprovError(f"{text!a} is not the beginning of a digest", hint=hint)
    names = (f"{match['algorithm']}:",) if match["algorithm"] else (SIGNATURE, *STORAGE)
    return [(name + match["hex"].lower(), name + match["hex"].lower() + "g") for name in names]


def in_ranges(column: str, ranges: Iterable[tuple[str, str]]) -> tuple[str, list[str]]:
    ranges = list(ranges)
    text = " OR ".join(f"({column} >= ? AND {column} < ?)" for _ in ranges)
    return f"({text})", [end for one in ranges for end in one]


def roles(filters: Mapping[str, Any], column: str) -> str:
    """`used` or `generated` limits which artifacts count."""
    wanted = _wanted_roles(filters)
    return f" AND {column} = '{wanted[0]}'" if len(wanted) == 1 else ""


def _wanted_roles(filters: Mapping[str, Any]) -> list[str]:
    return [role for role in ROLES if filters.get(role)] or list(ROLES)


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


def path_condition(pattern: str, column: str = "a.path") -> tuple[str, list[str]]:
    """Artifacts whose path fits; of a path that is no glob itself also what lies below it."""
    text, parameters = like(column, pattern)
    if GLOB.search(pattern):
        return text, parameters
    below = stored(pattern.rstrip("/")) + "/"
    return f"({text} OR ({column} >= ? AND {column} < ?))", [*parameters, below, below + AFTER]


def _path(found: Condition, value: Any, filters: Mapping[str, Any]) -> None:
    conditions = [path_condition(pattern) for pattern in several(value)]
    text = " OR ".join(text for text, _ in conditions)
    parameters = [one for _, ones in conditions for one in ones]
    role = roles(filters, "a.role")
    found.add(f"r.number IN (SELECT a.run FROM artifacts a WHERE ({text}){role})", *parameters)
    if any("[" in pattern for pattern in several(value)):
        found.checks.append(
            lambda catalog, row: _has_path(catalog.artifacts(row.id), several(value), _wanted_roles(filters))
        )


def matching(run: int, filters: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """Queries for what in one run fits the filters `digest` and `path`: columns of found.Match."""
    role = roles(filters, "a.role")
    begin = f"SELECT a.role, a.path, NULL, a.signature, a.storage FROM artifacts a WHERE a.run = ?{role} AND "
    inside = "SELECT a.role, a.path, f.path, f.signature, NULL FROM artifacts a JOIN fields f ON f.artifact = a.number "
    found: list[tuple[str, list[Any]]] = []
    for pattern in several(filters.get("path") or []):
        text, parameters = path_condition(pattern)
        found.append((f"{begin}{text} ORDER BY a.number", [run, *parameters]))
    for digest in several(filters.get("digest") or []):
        ranges = digest_ranges(digest)
        (one, ends), (other, more) = in_ranges("a.signature", ranges), in_ranges("a.storage", ranges)
        found.append((f"{begin}({one} OR {other}) ORDER BY a.number", [run, *ends, *more]))
        text, ends = in_ranges("f.signature", ranges)
        found.append((f"{inside}WHERE a.run = ?{role} AND {text} ORDER BY a.number", [run, *ends]))
    return found


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


def marks(values: Iterable[Any]) -> str:
    return ", ".join("?" for _ in values)


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

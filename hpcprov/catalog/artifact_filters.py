"""What artifacts are looked for by -> conditions and queries in SQL on `a`, with their parameters.

versions_condition(path="/data/*.h5", role="used", ...)
->  ("(a.path >= ? AND a.path < ? AND a.path LIKE ? ESCAPE '\\\\') AND a.role = ?", ["/data/", ..., "used"])
"""

from __future__ import annotations

from hpcprov.catalog.patterns import digest_ranges, in_ranges, path_condition, several
from hpcprov.catalog.schema import stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ROLES = ("used", "generated")


def roles(filters: Mapping[str, Any], column: str) -> str:
    """`used` or `generated` limits which artifacts count."""
    wanted = wanted_roles(filters)
    return f" AND {column} = '{wanted[0]}'" if len(wanted) == 1 else ""


def wanted_roles(filters: Mapping[str, Any]) -> list[str]:
    return [role for role in ROLES if filters.get(role)] or list(ROLES)


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


def versions_condition(
    *,
    path: str | None,
    signature: str | None,
    storage: str | None,
    prefix: str | None,
    field: str | None,
    role: str | None,
) -> tuple[str, list[Any]]:
    """A condition on artifacts `a`: see Catalog.versions. Raises HpcprovError."""
    conditions: list[tuple[str, list[Any]]] = []
    if path is not None:
        conditions.append(path_condition(path))
    if signature is not None:
        conditions.append(("a.signature = ?", [stored(signature)]))
    if storage is not None:
        conditions.append(("a.storage = ?", [stored(storage)]))
    if prefix is not None:
        conditions.append(_of_beginning(prefix))
    if field is not None:
        inner = "SELECT f.artifact FROM fields f WHERE f.signature = ?"
        conditions.append((f"a.number IN ({inner})", [stored(field)]))
    if role is not None:
        conditions.append(("a.role = ?", [role]))
    text = " AND ".join(text for text, _ in conditions) or "1 = 1"
    return text, [one for _, parameters in conditions for one in parameters]


def _of_beginning(prefix: str) -> tuple[str, list[Any]]:
    """Artifacts of which some digest, of a field too, begins so."""
    ranges = digest_ranges(prefix)
    (one, ends), (other, more), (inside, most) = (
        in_ranges(column, ranges) for column in ("b.signature", "b.storage", "f.signature")
    )
    inner = [f"SELECT b.number FROM artifacts b WHERE {text}" for text in (one, other)]
    inner.append(f"SELECT f.artifact FROM fields f WHERE {inside}")
    return f"a.number IN ({' UNION '.join(inner)})", [*ends, *more, *most]

"""Globs and beginnings of digests -> conditions in SQL on one column, with their parameters.

    like("name", "ocean*")                      ->  ("(name >= ? AND name < ? AND name LIKE ? ESCAPE '\\\\')", [...])
    digest_ranges("3e9e62")                     ->  [("hpcprov1:3e9e62", "hpcprov1:3e9e62g"), ...]

A glob has `*`, `?` and `[...]`; `*` goes over `/`, too. LIKE says the same in SQLite and PostgreSQL, but for `[...]`,
which is checked afterwards.
"""

from __future__ import annotations

import re

from hpcprov.catalog.schema import stored
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

SIGNATURE, STORAGE = "hpcprov1:", ("blake3:", "sha256:")
DIGEST = re.compile(r"(?:(?P<algorithm>[a-z][a-z0-9]*):)?(?P<hex>[0-9a-fA-F]{1,128})")
FEWEST = 6  # hex digits that begin a digest
AFTER = "\U0010ffff"  # comes after every text with the same beginning
GLOB = re.compile(r"[*?[]")
CLASS = re.compile(r"\[!?+\]?+[^\]]*\]")


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


def path_condition(pattern: str, column: str = "a.path") -> tuple[str, list[str]]:
    """Artifacts whose path fits; of a path that is no glob itself also what lies below it."""
    text, parameters = like(column, pattern)
    if GLOB.search(pattern):
        return text, parameters
    below = stored(pattern.rstrip("/")) + "/"
    return f"({text} OR ({column} >= ? AND {column} < ?))", [*parameters, below, below + AFTER]


def marks(values: Iterable[Any]) -> str:
    return ", ".join("?" for _ in values)

"""How a cause is told: its words cut, its digests shortened, its paths as seen from where the run was.

short("sha256:3e9e62c9e3798da5723f...")  ->  "sha256:3e9e62c9e379"
"""

from __future__ import annotations

import os
import re

from hpcprov.record import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.model import Record

    #: `kind`, `text` (one line for a person), `before`, `after`; of a program or input also `path`, `paths`, `fields`.
    Cause = dict[str, Any]

MOST_CHARACTERS = 100
SHORT_DIGEST = 12


def cause(kind: str, text: str, before: Any = None, after: Any = None, **more: Any) -> Cause:
    """One difference between two runs that may explain what came of them."""
    return {"kind": kind, "text": text, "before": before, "after": after} | more


def values(record: Record, kind: str) -> Iterator[dict[str, Any]]:
    """The facts of one kind that are objects, those of each node once."""
    for _, fact in model.facts(record, kind):
        if type(fact.get("value")) is dict:
            yield fact["value"]


def short(digest: str | None) -> str:
    """Enough of a digest to tell two apart by eye."""
    if digest is None:
        return "unknown"
    head, colon, rest = digest.rpartition(":")
    return f"{head}{colon}{rest[:SHORT_DIGEST]}"


def cut(word: object) -> str:
    """A value on one line, not too long."""
    shown = str(word)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[:MOST_CHARACTERS]}…"


def near(path: str, record: Record) -> str:
    """A path as seen from the run's working directory, so that two runs in two places can be compared."""
    cwd = record["run"]["cwd"]
    path = os.path.normpath(path)
    if cwd and cwd != "/" and (path == cwd or path.startswith(f"{cwd}/")):
        return os.path.relpath(path, cwd)
    return path


def from_here(word: str, record: Record) -> str:
    """A word of a command with the run's working directory written as a dot."""
    cwd = (record["run"]["cwd"] or "/").rstrip("/")
    if not cwd or cwd not in word:
        return word
    return re.sub(rf"(?<![\w./-]){re.escape(cwd)}(?![\w.-])", ".", word)

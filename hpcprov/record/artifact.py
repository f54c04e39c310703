"""The facts about an artifact, all of them unknown: the keys of an `artifact` event from `state` on (docs/frames.md).

BLANK | {"state": "missing", "reason": "there is no such file or directory"}
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLANK: dict[str, Any] = {
    "state": "not hashed",
    "reason": None,
    "format": None,
    "size": None,
    "files": None,
    "mtime": None,
    "storage": None,
    "signature": None,
    "unsigned": None,
}
#: What is told of some artifacts beside: that attributes were written into it, after which it has other bytes; what
#: became of it when it was held against constraints.
MORE = ("embedded", "constraints")
# How a digest was obtained (docs/signature.md, section 11).
HOW = ("full", "cached", "partly cached", "appended")
#: Why nothing is hashed now, by the option --hash.
WAIT = {"later": "later: run `hpcprov settle` with this run's id", "off": "off: the run was started with --hash off"}
#: Of a path that is no file's: values that a program held in memory, `memory:smooth()#1b7d2a3c4e5f`.
MEMORY = "memory:"


def is_memory(path: str) -> bool:
    """Are these values that only a program held, which nobody can look at again?"""
    return path.startswith(MEMORY)

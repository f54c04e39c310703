"""Which paths the user declared: data, whatever else their names say.

    Declared(["/home/ada/run/*.log", "/opt/tables"]).has(b"/opt/tables/soil.txt")  ->  True

Patterns are those of a shell, with `**` for any number of directories.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

WILD = "*?["
MOST = 10_000


class Declared:
    """Absolute paths, directories with all below them, and patterns of names (`**` for any number of directories)."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        chosen = list(dict.fromkeys(paths))[:MOST]
        self.paths = {path.encode("utf-8", "surrogateescape").rstrip(b"/") for path in chosen}
        self.patterns = [pattern(path) for path in chosen if any(letter in path for letter in WILD)]

    def has(self, path: bytes) -> bool:
        """Whether a path was declared, or is below one that was."""
        if not self.paths:
            return False
        above = path
        while above:
            if above in self.paths:
                return True
            above = above.rpartition(b"/")[0]
        return any(one.match(path) is not None for one in self.patterns)


def pattern(text: str) -> re.Pattern[bytes]:
    """A shell pattern as a regular expression; what it matches may be a directory."""
    import re

    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?|\[[^]/]+\])", text.rstrip("/"))
    found = "".join(
        words.get(part) or (part.replace("[!", "[^", 1) if index % 2 else re.escape(part))
        for index, part in enumerate(parts)
    )
    try:
        return re.compile(f"{found}(?:/|$)".encode("utf-8", "surrogateescape"), re.DOTALL)
    except re.error:
        return re.compile(re.escape(text.encode("utf-8", "surrogateescape")))

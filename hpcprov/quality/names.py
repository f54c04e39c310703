"""Fields that are meant by names and patterns, as options give them.

matches("ocean/u", ["ocean/*"])  ->  True
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of them is the name, letter by letter, or a pattern that it fits."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)

"""What is only counted: files of the system, of software and of settings, by class and by package.

    counts = Counts()
    counts.add("system", b"/usr/lib/libm.so.6")
    counts.classes  ->  {"system": 1}

The rest of a run's files has an entry each (tree.py).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.packages import Package

MOST_FILES = 30_000  # that are told apart
MOST_PACKAGES = 2000


class Counts:
    """Numbers of files; each counts once, as far as so many are told apart."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.classes: dict[str, int] = {}
        self.packages: dict[Package, int] = {}

    def add(self, label: str, path: bytes, package: Package | None = None) -> None:
        """Count a file that was not counted yet."""
        key = hash(path)
        if key in self.seen or self.is_full():
            return
        self.seen.add(key)
        self.again(label)
        if package is not None and (package in self.packages or len(self.packages) < MOST_PACKAGES):
            self.packages[package] = self.packages.get(package, 0) + 1

    def again(self, label: str) -> None:
        """Count one more file of a class."""
        self.classes[label] = self.classes.get(label, 0) + 1

    def is_full(self) -> bool:
        """Whether files were no longer counted."""
        return len(self.seen) >= MOST_FILES

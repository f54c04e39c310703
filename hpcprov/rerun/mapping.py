"""Paths of a recorded run -> those of its rerun in another directory.

paths = Paths("/scratch/ada/run", "/scratch/ada/run.rerun-1", keep={"/scratch/ada/run/forcing.nc"})
paths.word("--out=/scratch/ada/run/out.zarr")   ->  "--out=/scratch/ada/run.rerun-1/out.zarr"
paths.word("--in=/scratch/ada/run/forcing.nc")  ->  as it is: what is only read can be read where it lies
paths.word("../grid.nc")                        ->  "/scratch/ada/grid.nc", when that is kept
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: What ends a path within a word: a shell's line in one argument holds several.
AFTER = r"""[^\s'"`;:,&|<>(){}=*?\[\]]*"""


class Paths:
    """`old` and `new`: the two working directories; `keep`: paths that are only read."""

    def __init__(self, old: str, new: str, keep: Iterable[str] = ()) -> None:
        self.old, self.new, self.keep = old.rstrip("/"), new.rstrip("/"), frozenset(keep)
        self.here = re.compile(rf"(?<![\w./~-]){re.escape(self.old)}(?=/|$|[^\w.-])(?P<rest>{AFTER})")

    def inside(self, path: str) -> bool:
        """Whether a path is the old working directory or lies below it; one that leads out of it again does not."""
        is_below = path == self.old or path.startswith(f"{self.old}/")
        return bool(self.old) and is_below and "/../" not in f"{path}/"

    def path(self, path: str) -> str:
        """Where something that lay below the old directory is now; elsewhere it stays."""
        return self.new + path[len(self.old) :] if self.inside(path) else path

    def word(self, word: str) -> str:
        """A word of the command with every path in it that the run may write to in the new directory."""
        if not self.old:
            return word
        if word.startswith("..") or "=.." in word:
            return self._from_outside(word)
        return self.here.sub(self._moved, word)

    def _moved(self, found: re.Match[str]) -> str:
        path = os.path.normpath(self.old + found["rest"])
        return found[0] if self._is_kept(path) else self.new + found["rest"]

    def _is_kept(self, path: str) -> bool:
        return any(path == one or path.startswith(f"{one}/") for one in self.keep if self.inside(one))

    def _from_outside(self, word: str) -> str:
        """A relative path that leads out of the directory to something that is only read: by its full name."""
        head, sign, path = word.rpartition("=")
        full = os.path.normpath(os.path.join(self.old, path))
        return f"{head}{sign}{full}" if full in self.keep else word

"""Lineage held against the truth: random histories of files that know who really wrote what lies where.

Runs compute, copy, convert, merge, keep fields and update in place; between them somebody copies, moves, edits and
downloads files, and takes fields out of them, which no record tells. Values are names, so equal names are equal values.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from typing import Any

import pytest

from hpcprov.catalog.makers import Made, find_makers
from hpcprov.catalog.versions import Version
from hpcprov.record.moment import SECOND, ns

from .memory import World, moment

RUNS = ("compute", "compute", "again", "copy", "convert", "extract", "merge", "keep", "update")
OUTSIDE = ("copied", "moved", "edited", "downloaded", "taken out")


class File:
    """Its fields' values by name, the run that `wrote` them (None: nobody's), and where: its `place`."""

    def __init__(self, fields: dict[str, str], wrote: str | None, place: str, mtime: int) -> None:
        self.fields, self.wrote, self.place, self.mtime = fields, wrote, place, mtime

    def signature(self) -> str:
        return ",".join(f"{name}={value}" for name, value in sorted(self.fields.items()))


class History:
    """A `world` of records, and of each used version the file that it `was`."""

    def __init__(self, seed: int, steps: int = 25) -> None:
        self.chance = random.Random(seed)
        self.world = World()
        self.second = 0
        self.number = 0
        self.computed: dict[str, str] = {}
        self.was: dict[tuple[str, str], File] = {}
        self.files = {f"/raw/{k}.nc": self._file(f"/raw/{k}.nc", {"t": f"t{k}", "e": f"e{k}"}) for k in range(3)}
        for _ in range(steps):
            self.second += 1
            if self.chance.random() < 0.4:
                self._outside(self.chance.choice(OUTSIDE))
            else:
                self._run(self.chance.choice(RUNS))

    def _new(self) -> str:
        self.number += 1
        return f"v{self.number}"

    def _file(self, place: str, fields: dict[str, str], wrote: str | None = None) -> File:
        return File(fields, wrote, place, ns(moment(self.second)) + SECOND // 4)

    def _place(self) -> str:
        return f"/{self.chance.choice('ab')}/{self.chance.choice('xyz')}.{self.chance.choice(('h5', 'zarr', 'csv'))}"

    def _outside(self, what: str) -> None:
        """What no record tells. Who copies, moves or edits a file has not written it."""
        source, place = self.chance.choice(sorted(self.files)), self._place()
        file = self.files[source]
        name = self.chance.choice(sorted(file.fields))
        if what == "moved" and not source.startswith("/raw"):
            self.files[place] = self.files.pop(source)
        elif what == "copied":
            self.files[place] = copy.copy(file)
            self.files[place].mtime = self.chance.choice((file.mtime, ns(moment(self.second))))
        elif what == "edited":
            self.files[source] = self._file(file.place, file.fields | {name: self._new()}, file.wrote)
        elif what == "downloaded":
            self.files[place] = self._file(place, {"d": self._new()})
        elif what == "taken out":
            self.files[place] = self._file(file.place, {name: file.fields[name]}, file.wrote)

    def _run(self, what: str) -> None:
        run, place = f"r{self.second:02}", self._place()
        self.world.run(run, self.second)
        used = self.chance.sample(sorted(self.files), self.chance.choice((1, 2)) if what in ("merge", "compute") else 1)
        first = self.files[used[0]].fields
        fields = {"c": self._new()}
        if what == "again":
            fields = {"c": self.computed.setdefault(self.files[used[0]].signature(), self._new())}
        elif what in ("copy", "convert"):
            fields = first
        elif what == "extract":
            fields = dict([self.chance.choice(sorted(first.items()))])
        elif what == "merge":
            fields = {f"{k}{name}"[:9]: v for k, path in enumerate(used) for name, v in self.files[path].fields.items()}
        elif what in ("keep", "update"):
            fields = first | {self._new(): self._new()}
            place = used[0] if what == "update" else place
        made = self._file(place, fields, run)
        for path in used:
            self.was[run, path] = self.files[path]
            known = {"state": "not hashed"} if path == place else self._known(self.files[path])
            self.world.used(path, mtime=self.files[path].mtime, size=4800 * len(self.files[path].fields), **known)
        self.world.made(place, mtime=made.mtime, size=4800 * len(fields), **self._known(made))
        self.files[place] = made

    def _known(self, file: File) -> dict[str, Any]:
        return {"signature": file.signature(), "fields": file.fields}


def contents(world: World, run: str, role: str) -> set[str | None]:
    """The signatures of all that a run used or made, and of their fields."""
    found: set[str | None] = set()
    for version in world.versions:
        if (version.run, version.role) == (run, role):
            found |= {version.signature} | {field.signature for field in world.of[version.number]}
    return found


def is_false(history: History, used: Version, link: Made) -> bool:
    """Is a maker named that did not write the file, nor anything at its path, nor came to the same values by itself?"""
    if link.maker.run == history.was[used.run, used.path].wrote or link.maker.path == used.path:
        return False
    own = contents(history.world, link.maker.run, "generated") - contents(history.world, link.maker.run, "used")
    its = {used.signature} | {field.signature for field in history.world.of[used.number]}
    return not its & own


@pytest.mark.parametrize("begin", range(0, 90, 30))
def test_lineage_is_true(begin: int) -> None:
    told: Counter[str] = Counter()
    for seed in range(begin, begin + 30):
        history = History(seed)
        for used in [version for version in history.world.versions if version.role == "used"]:
            links, file = find_makers(history.world, [used]), history.was[used.run, used.path]
            false = [link for link in links if is_false(history, used, link)]
            assert not false, (seed, used.run, used.path, used.key, [(link.maker.run, link.join) for link in false])
            if file.wrote is not None and file.place == used.path:
                assert links, (seed, used.run, used.path, used.key)
            told.update({link.join for link in links})
    assert {*told} == {"signature", "field", "path"}

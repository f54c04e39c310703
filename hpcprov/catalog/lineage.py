"""Lineage: what led to data or a run (`up`), and what came of it (`down`), as a graph.

    graph = lineage(lookups, Start(versions=[version]), up=True)

Generation by generation, all of one at once: of the runs what they used, of that who made it, by the rules in
`makers`. Each run is looked into once, so nothing that is updated in place or copied to and fro makes an endless way.
Of more than `most` nodes the nearest are given, and how many more were met is counted.
"""

from __future__ import annotations

from hpcprov.catalog.around import surround
from hpcprov.catalog.focus import Focus
from hpcprov.catalog.growth import Growth
from hpcprov.catalog.makers import find_makers
from hpcprov.catalog.users import find_users
from hpcprov.catalog.versions import EXECUTED, RENAMED, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeVar

    from hpcprov.catalog.graph import Graph
    from hpcprov.catalog.versions import Lookups

    T = TypeVar("T")

MOST = 10_000
CHUNK = 200  # runs, or versions, that are asked for at once


class Start:
    """What is asked for: `versions` of data, with the `field` of them that is meant (its path and its signature), or
    `runs`: of a job or workflow (`whole`) its parts. `notes`: what is to be said about how it was found."""

    def __init__(
        self,
        *,
        versions: Iterable[Version] = (),
        field: tuple[str, str] | None = None,
        runs: Iterable[str] = (),
        whole: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        self.versions, self.field, self.runs, self.whole = list(versions), field, list(runs), whole
        self.notes = list(notes)


def lineage(
    look: Lookups, start: Start, *, up: bool = True, down: bool = False, depth: int | None = None, most: int = MOST
) -> Graph:
    """The graph around a start. `depth`: so many runs on each way; `most`: so many nodes."""
    growth = Growth(look, most)
    if start.field is not None and not up:
        # Below a field is also what came of it before later runs kept it.
        focus = Focus(look, growth, start.field)
        start.versions = [focus.first(version) for version in start.versions]
    if start.field is not None:
        growth.focused |= {version.number: start.field[0] for version in start.versions}
        growth.followed = start.field[1]
    growth.begin(start.versions, start.runs, start.whole)
    if up:
        _Walk(look, growth, start, depth).up()
    if down:
        _Walk(look, growth, start, depth).down()
    surround(growth, look)
    return growth.finished(start.notes)


class _Walk:
    """One way from a start, up or down."""

    def __init__(self, look: Lookups, growth: Growth, start: Start, depth: int | None) -> None:
        self.look, self.growth, self.start, self.depth = look, growth, start, depth
        self.focus = Focus(look, growth, start.field)
        self.seen = {*start.runs}
        self.asked = {version.key for version in start.versions}

    def up(self) -> None:
        """What led to the start."""
        runs = self.focus.makers_of([version for version in self.start.versions if version.role == "generated"])
        used = [version for version in self.start.versions if version.role == "used"]
        used += self._used_by(self.start.runs)
        if self.start.whole is not None:
            self._made_by(self.start.runs)
        for _ in self._levels():
            runs += [run for chunk in _chunks(used) for run in self._makers_of(chunk)]
            used = self._used_by(self._fresh(runs))
            if not used:
                return
            runs = []
        used = [version for version in used if version.state != EXECUTED]
        for version in used:
            self.growth.link_used(version)
        self._stop(used)

    def down(self) -> None:
        """What came of the start."""
        made = [*self.start.versions, *self._made_by(self.start.runs)]
        for _ in self._levels():
            runs = [run for chunk in _chunks(made) for run in self._users_of(chunk)]
            made = self._made_by(self._fresh(runs))
            if not made:
                return
        self._stop(made)

    def _levels(self) -> Iterator[int]:
        level = 0
        while self.depth is None or level < self.depth:
            yield level
            level += 1

    def _fresh(self, runs: Iterable[str]) -> list[str]:
        """The runs that were not looked into yet."""
        fresh = [run for run in dict.fromkeys(runs) if run not in self.seen]
        self.seen |= {*fresh}
        return fresh

    def _makers_of(self, used: list[Version]) -> Iterator[str]:
        """Link used versions to their makers; the ids of these, as far as there was room."""
        links = self.focus.of_links(find_makers(self.look, used))
        self.growth.load([link.maker.run for link in links])
        found = {id(link.used) for link in links}
        for version in used:
            if id(version) not in found and version.state not in (RENAMED, EXECUTED):
                self.growth.link_used(version)
        return (link.maker.run for link in links if self.growth.link(link))

    def _users_of(self, made: list[Version]) -> Iterator[str]:
        """Link versions to the runs that used them; the ids of these, as far as there was room."""
        if not self.growth.room:
            return
        links, bare, more = find_users(self.look, made, self.growth.room, asked=self.asked)
        links = self.focus.of_users(links)
        self.growth.graph.cut += more
        self.growth.load([*(link.used.run for link in links), *(version.run for version in bare)])
        for link in links:
            if self.growth.add_run(link.used.run) and self.growth.link(link, maker=False):
                yield link.used.run
        for version in bare:
            if self.growth.add_run(version.run):
                self.growth.link_used(version)
                yield version.run

    def _used_by(self, runs: list[str]) -> list[Version]:
        """What runs used, what they renamed and had not made themselves, and the programs that they executed."""
        found: list[Version] = []
        for chunk in self._affordable(runs, found):
            made = self.look.artifacts(chunk, "generated")
            own = {(version.run, version.path) for version in made}
            renamed = [_before_renaming(version) for version in made if version.renamed_from is not None]
            used = self.look.artifacts(chunk, "used") + [one for one in renamed if (one.run, one.path) not in own]
            found += self.focus.of_runs(used)
            found += self.look.programs(chunk)
        return found

    def _made_by(self, runs: list[str]) -> list[Version]:
        """What runs generated, linked to them."""
        found: list[Version] = []
        for chunk in self._affordable(runs, found):
            made = self.focus.of_runs(self.look.artifacts(chunk, "generated"))
            found += [version for version in made if self.growth.link_made(version)]
        return found

    def _affordable(self, runs: list[str], found: list[Version]) -> Iterator[list[str]]:
        """Runs to look into as long as there is room for what may be found; the others are counted."""
        for place, chunk in enumerate(_chunks(runs)):
            if not self.growth.room or len(found) > 4 * self.growth.most:
                self.growth.graph.cut += len(runs) - place * CHUNK
                return
            yield chunk

    def _stop(self, left: Sequence[Version]) -> None:
        for version in left:
            self.growth.leave_open(version)
        if left:
            number = f"{self.depth} run{'' if self.depth == 1 else 's'}"
            self.growth.note(f"not followed further than {number} away (--depth)")


def _before_renaming(version: Version) -> Version:
    """What a run must have had under the name that its output had before."""
    before = Version(version.run, "used", version.renamed_from or "", root=version.root)
    before.began, before.ended, before.parent, before.state = version.began, version.ended, version.parent, RENAMED
    return before


def _chunks(values: list[T]) -> Iterator[list[T]]:
    for first in range(0, len(values), CHUNK):
        yield values[first : first + CHUNK]

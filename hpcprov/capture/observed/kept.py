"""What is kept of a node's files and directories: how much there is room for, and what is to be told.

    kept = Kept(places)
    kept.has_room(b"out.nc")    ->  True, and the room is taken
    kept.mark(file)             ->  it is among kept.changed
    kept.drop(file)             ->  it is not, its room is free, and what was told of it is in kept.withdrawn

Beyond MOST_ENTRIES, and some more for what matters most, there are only counts by directory.
"""

from __future__ import annotations

from hpcprov.capture.observed.counts import Counts
from hpcprov.capture.observed.tree import DECLARED, OLD, WRITTEN, Crowd, File, Folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.classes import Places

MOST_ENTRIES = 20_000  # files and directories that are kept
MOST_NAMES = 4 << 20  # bytes of their names
FOR_WRITTEN = 5000  # entries more for what is written, but in crowded directories
CROWDED = 1000  # files
RESERVE = 2000  # and for what was declared and for stores
MOST_SHEDDING = 20


class Kept:
    """The tree of what is kept."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.counts = Counts()
        self.top = Folder(None, b"")
        self.known: dict[bytes, File | None] = {}  # by path; None: only counted
        self.crowds: dict[int, Crowd] = {}
        self.left, self.names_left = MOST_ENTRIES, MOST_NAMES
        self.floor = 0  # what may be left at least, for what is looked up now
        self.shedding = MOST_SHEDDING
        self.changed: dict[File, None] = {}  # in order
        self.moved: dict[Folder, None] = {}
        self.withdrawn: list[str] = []  # names that were told and mean nothing any more

    def has_room(self, name: bytes, *, reserved: bool = False, crowded: bool = False) -> bool:
        """Take the room for one more file or directory; False when there is none."""
        floor = -FOR_WRITTEN - RESERVE if reserved else 0 if crowded else self.floor
        if self.left <= floor and self.shedding > 0:
            self.shedding -= 1
            self.shed()
        if self.names_left <= 0 or self.left <= floor:
            return False
        self.left -= 1
        self.names_left -= len(name)
        return True

    def make_way(self, *, written: bool, declared: bool) -> None:
        """Say for what room will be asked: what was read could fill all of it before the first output is written."""
        self.floor = -FOR_WRITTEN - RESERVE if declared else -FOR_WRITTEN if written else 0

    def give_room(self, name: bytes) -> None:
        self.left += 1
        self.names_left += len(name)

    def shed(self) -> None:
        """Keep nothing of temporary files that nobody was told of."""
        files = [file for file in self.top.all_files() if file.name and file.told is None]
        for file in files:
            if file.state & (WRITTEN | OLD | DECLARED) == WRITTEN and self.places.is_temporary(file.path()):
                self.counts.again("scratch")
                self.known.pop(file.path(), None)
                del file.folder.files[file.name]
                self.drop(file)

    def crowd_of(self, folder: Folder) -> Crowd:
        if folder.crowd is None:
            folder.crowd = Crowd(folder)
            self.crowds[id(folder)] = folder.crowd
        return folder.crowd

    def mark(self, file: File) -> None:
        """Remember to tell of a file."""
        if not file.changed:
            file.changed = True
            self.changed[file] = None

    def drop(self, file: File) -> None:
        """A file's entry means nothing any more."""
        if file.told is not None:
            self.withdrawn.append(file.told)
        file.told, file.state, file.first = None, 0, 0
        self.changed.pop(file, None)
        self.give_room(file.name)

    def forget(self, thing: File | Folder | None) -> None:
        """Keep nothing of what went where files are only counted, or was replaced."""
        if isinstance(thing, File):
            self.drop(thing)
        if not isinstance(thing, Folder):
            return
        for file in list(thing.all_files()):
            self.drop(file)
        for part in thing.walk():
            self.crowds.pop(id(part), None)
            self.moved.pop(part, None)
            self.give_room(part.name)

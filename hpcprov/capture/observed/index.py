"""From the path in a record to the file that it means: links followed, stores recognised, memory bounded.

    index = Index(places, questions, declared)
    index.file(b"/home/ada/run/u.zarr/c/0/0", area.WRITE)   ->  the File of /home/ada/run/u.zarr
    index.file(b"/usr/lib/libm.so.6", area.READ)            ->  None, and it is counted

What belongs to the system, to software or to settings is only counted. A store is one entry, whatever is in it.
"""

from __future__ import annotations

from hpcprov.capture.observed import area, stores
from hpcprov.capture.observed.classes import OWN, Place, Places, is_data_name
from hpcprov.capture.observed.kept import CROWDED, Kept
from hpcprov.capture.observed.spelling import Spelling, joined
from hpcprov.capture.observed.tree import DECLARED, Crowd, File, Folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.declared import Declared
    from hpcprov.capture.observed.questions import Questions

MOST_KNOWN = 8192  # names whose file or directory is remembered between two records
MOST_REMEMBERED = 4 << 20  # bytes of the names of such directories
LONG = 1024  # bytes; a longer name of a file is not remembered
MOST_LINKS = 40  # on the way to a file, as in Linux
LONGEST = 16384  # bytes of a path
DEEPEST = 256  # directories of a path; below that there are only counts
BYTECODE = (b".pyc", b".pyo")
ENVIRONMENT = b"pyvenv.cfg"  # of Python, at its top

Where = Place | Folder | Crowd


class Index(Kept):
    """The files and directories of one node by name."""

    def __init__(self, places: Places, questions: Questions, declared: Declared) -> None:
        super().__init__(places)
        self.questions, self.declared = questions, declared
        self.spelling = Spelling(questions)
        self.where: dict[bytes, Where] = {b"": self.top}
        self.remembered = 0  # bytes of their names
        self.aliases: set[bytes] = set()  # directories that are reached through a link
        self.links = 0  # that are being followed

    # Files

    def file(self, path: bytes, flags: int) -> File | None:
        """The file or store that a path of a record means, made when it is new; None for what is only counted."""
        if path in self.known:
            return self.known[path]
        if not path.startswith(b"/") or len(path) > LONGEST:
            if path.startswith(b"image:"):
                self.counts.add("scratch" if flags & area.WRITE else "software", path)
            return None
        if path.count(b"/") > DEEPEST:
            self.crowd_of(self.top).add(flags & area.WRITE)
            return None
        path = self.spelling.plain(path)
        if path == b"/":
            return None
        if flags & area.UNCONFIRMED and not self.is_there(path, flags):
            return None
        return self.look_up(path, flags, declared=self.declared.has(path))

    def is_there(self, path: bytes, flags: int) -> bool:
        """Whether an access that was seen without its result can have succeeded."""
        if flags & area.WRITE and flags & area.CREATE:
            return True
        status = self.questions.status(decoded(path))
        return status is not None and status[0] != "directory"

    def look_up(self, path: bytes, flags: int, *, declared: bool) -> File | None:
        """As `file`, for a path in plain spelling."""
        directory, _, name = path.rpartition(b"/")
        if name.endswith(BYTECODE) and directory.endswith(b"/__pycache__") and not flags & area.WRITE:
            # What Python reads of a module that it has compiled before is the module.
            return self.look_up(directory[:-11] + name.partition(b".")[0] + b".py", flags, declared=declared)
        self.make_way(written=bool(flags & area.WRITE), declared=declared)
        where = self.where.get(directory) or self.find(directory)
        if isinstance(where, Crowd) and self.floor < min(self.left, 0) and self.names_left > 0:
            where = self.find_again(directory)
        if isinstance(where, Place):
            if not self.keeps(where, name, declared):
                self.ignore(path, where)
                return None
            where = self.folder(directory)
        if isinstance(where, Crowd):
            where.add(flags & area.WRITE)
            return None
        return where.store or where.files.get(name) or self.new_file(where, path, name, flags, declared=declared)

    def keeps(self, place: Place, name: bytes, declared: bool) -> bool:
        """Whether a file counts although its place says otherwise."""
        return place.label != OWN and (declared or (place.data and is_data_name(name)))

    def new_file(self, folder: Folder, path: bytes, name: bytes, flags: int, *, declared: bool) -> File | None:
        """A file that was not known: behind a link, the first one of a store, or plainly new."""
        target = self.questions.link(path) if self.links < MOST_LINKS else None
        if target is not None and len(target) <= LONGEST:
            return self.follow(joined(folder.path(), target), flags, declared=declared)
        if name == ENVIRONMENT:
            self.places.learn(folder.path() + b"/")
        form = stores.form_by_file(name)
        top = self.store_top(folder, form, name)
        if top is not None:
            return self.make_store(top, form or stores.PARQUET)
        if not self.has_room(name, crowded=len(folder.files) >= CROWDED and not declared):
            self.crowd_of(folder).add(flags & area.WRITE)
            return None
        if name in folder.folders:  # what was a directory is a file now
            self.forget(self.take(folder, name))
        file = folder.files[name] = File(folder, name, DECLARED if declared else 0)
        if directory_of(path) not in self.aliases:
            self.remember(path, file)
        return file

    def follow(self, path: bytes, flags: int, *, declared: bool) -> File | None:
        """The file that a link leads to."""
        if path == b"/" or path.count(b"/") > DEEPEST:
            return None
        self.links += 1
        try:
            return self.look_up(path, flags, declared=declared)
        finally:
            self.links -= 1

    def remember(self, path: bytes, file: File | None) -> None:
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        if len(path) <= LONG:
            self.known[path] = file

    def ignore(self, path: bytes, place: Place) -> None:
        """Count a file that is no data, once."""
        if place.label != OWN:
            self.counts.add(place.label, path, place.package)
        self.remember(path, None)

    # Directories

    def find(self, directory: bytes) -> Where:
        """What a directory is: a place, a folder of the tree (the store's, within a store), or beyond the limit."""
        if (len(self.where) > MOST_KNOWN or self.remembered > MOST_REMEMBERED) and not self.links:
            self.forget_directories()
        stack, above = [], directory
        while above not in self.where:
            stack.append(above)
            above = above.rpartition(b"/")[0]
        found = self.where[above]
        while stack:
            path = stack.pop()
            if isinstance(found, Crowd):  # nothing is kept of what lies between
                found, stack = self.places.find(directory) or found, []
                path = directory
            else:
                found = self.below(found, path)
            self.where[path] = found
            self.remembered += len(path)
        return found

    def find_again(self, directory: bytes) -> Where:
        """What a directory is that was beyond the limit, now that more is kept."""
        path = directory
        while isinstance(self.where.get(path), Crowd):
            del self.where[path]
            self.remembered -= len(path)
            path = directory_of(path)
        return self.find(directory)

    def below(self, found: Where, path: bytes) -> Where:
        """What a directory is, whose parent is `found`."""
        if isinstance(found, Folder) and found.store is not None:
            return found
        if isinstance(found, Place) and found.label == OWN:
            return found
        above, _, name = path.rpartition(b"/")
        if above in self.aliases:
            self.aliases.add(path)
        place = self.places.find(path)
        if place is not None:
            return place
        folder = self.folder(above) if isinstance(found, Place) else found
        return folder if isinstance(folder, Crowd) else self.step(folder, name, path)

    def folder(self, directory: bytes) -> Folder | Crowd:
        """The tree's folder for a directory, whatever place it is; the store's, within a store."""
        found: Folder | Crowd = self.top
        for name in directory.split(b"/")[1:]:
            if isinstance(found, Crowd) or found.store is not None:
                return found
            found = found.folders.get(name) or self.new_folder(found, name)
        return found

    def step(self, folder: Folder, name: bytes, directory: bytes) -> Where:
        """The directory `name` in a folder, made when it is new; where it leads to when it is a link."""
        if name in folder.folders:
            return folder.folders[name]
        if self.left <= self.floor and not stores.named_form(name):
            return self.crowd_of(folder)
        target = self.questions.link(folder.path() + b"/" + name) if self.links < MOST_LINKS else None
        if target is None or len(target) > LONGEST:
            return self.new_folder(folder, name)
        path = joined(folder.path(), target)
        if path.count(b"/") > DEEPEST:
            return self.crowd_of(folder)
        self.aliases.add(directory)
        self.links += 1
        try:
            return self.where.get(path) or self.find(path)
        finally:
            self.links -= 1

    def new_folder(self, folder: Folder, name: bytes) -> Folder | Crowd:
        form = stores.named_form(name)
        if not self.has_room(name, reserved=bool(form)):
            return self.crowd_of(folder)
        made = folder.folders[name] = Folder(folder, name)
        if form:
            self.make_store(made, form)
        return made

    def parent(self, path: bytes) -> tuple[Folder | None, bytes]:
        """The folder that a name is in, None where files are only counted; and the name."""
        directory, _, name = path.rpartition(b"/")
        if not name or path.count(b"/") > DEEPEST:
            return None, name
        self.make_way(written=True, declared=False)
        where = self.where.get(directory) or self.find(directory)
        if isinstance(where, Place) and self.keeps(where, name, self.declared.has(path)):
            where = self.folder(directory)
        return (where if isinstance(where, Folder) else None), name

    # Stores

    def is_part(self, folder: Folder, path: bytes) -> bool:
        """Whether a file in a folder is, or makes it, a part of a store."""
        name = path.rpartition(b"/")[2]
        return folder.store is not None or self.store_top(folder, stores.form_by_file(name), name) is not None

    def store_top(self, folder: Folder, form: str, name: bytes) -> Folder | None:
        """The directory that is a store because a file of this name lies in `folder`."""
        top: Folder | None = folder
        if form == stores.PARQUET or (not form and stores.is_part(name) and stores.is_partition(folder.name)):
            while top is not None and stores.is_partition(top.name):
                top = top.parent
        elif not form:
            return None
        return top if top is not None and self.places.may_be_store(top.path() + b"/") else None

    def make_store(self, folder: Folder, form: str) -> File:
        """Take a directory with all that is in it as one entry."""
        store = File(folder, b"", DECLARED if self.declared.has(folder.path()) else 0)
        below = [part for part in folder.walk() if part is not folder]
        parts = list(folder.all_files())
        for part in parts:
            store.absorb(part)
            self.drop(part)
        for lower in [folder, *below]:
            self.crowds.pop(id(lower), None)
        for lower in below:
            self.moved.pop(lower, None)
            self.give_room(lower.name)
        if folder.parent is not None and folder.name in folder.parent.files:  # what was a file is a directory now
            self.drop(folder.parent.files.pop(folder.name))
            self.forget_names()
        self.left -= 1
        folder.files, folder.folders, folder.store, folder.form = {}, {}, store, form
        if below or parts:
            self.forget_names()
        if store.first:
            self.mark(store)
        return store

    # Names that change

    def take(self, folder: Folder | None, name: bytes) -> File | Folder | None:
        """Remove what is known under a name, and return it."""
        if folder is None or folder.store is not None:
            return None
        self.forget_name(folder.path() + b"/" + name)
        if name in folder.folders:
            self.forget_names()
            if name in folder.files:  # what was a file was replaced by a directory that nobody told of
                self.drop(folder.files.pop(name))
            return folder.folders.pop(name)
        return folder.files.pop(name, None)

    def forget_name(self, path: bytes) -> None:
        """What a name leads to may have changed."""
        self.known.pop(path, None)
        if path in self.where:
            self.forget_names()

    def forget_names(self) -> None:
        """What many names lead to may have changed."""
        self.known.clear()
        self.forget_directories()
        self.spelling.forget()

    def forget_directories(self) -> None:
        self.where.clear()
        self.where[b""] = self.top
        self.remembered = 0
        self.aliases.clear()


def directory_of(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")

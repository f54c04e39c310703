"""What was done to files: records of accesses, renames, links and removals folded into a tree of names.

    accesses = Accesses(places, questions, declared)
    accesses.access(b"/home/ada/run/u.nc", area.WRITE | area.CREATE | area.TRUNCATE, 0, 0, moment=5, bit=1, row=7)
    accesses.rename(b"/home/ada/run/u.nc.tmp", b"/home/ada/run/u.nc", moment=6, bit=1, row=7)

What belongs to the system, to software or to settings is only counted. Of the rest MOST_ENTRIES files and directories
are kept; beyond that there are counts by directory. A store is one entry, whatever is in it.
"""

from __future__ import annotations

from hpcprov.capture.observed import area, stores
from hpcprov.capture.observed.classes import OWN, Place, Places, is_data_name
from hpcprov.capture.observed.tree import (
    DECLARED, GONE, LOOKED, OLD, READ, REPLACED, WRITTEN, Crowd, File, Folder,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.declared import Declared
    from hpcprov.capture.observed.questions import Questions

MOST_ENTRIES = 20_000  # files and directories that are kept
MOST_NAMES = 4 << 20  # bytes of their names
MOST_KNOWN = 8192  # names whose file or directory is remembered between two records
MOST_COUNTED = 30_000  # files that are told apart when they are counted
MOST_PACKAGES = 2000
MOST_LINKS = 40  # on the way to one directory, as in Linux
LONGEST = 4096  # bytes of a path, PATH_MAX

Where = Place | Folder | Crowd


class Accesses:
    """All that is known of the files of one node."""

    def __init__(self, places: Places, questions: Questions, declared: Declared, *, begin: int = 0) -> None:
        """`begin`: when the job began (ns): what was changed since was not there before."""
        self.places, self.questions, self.declared, self.begin = places, questions, declared, begin
        self.top = Folder(None, b"")
        self.known: dict[bytes, File | None] = {}  # by path as written in records; None: only counted
        self.where: dict[bytes, Where] = {b"": self.top}
        self.counted: set[int] = set()
        self.counts: dict[str, int] = {}
        self.packages: dict[tuple[str, str, str, str | None], int] = {}
        self.crowds: dict[int, Crowd] = {}
        self.left, self.names_left = MOST_ENTRIES, MOST_NAMES
        self.links = 0  # that are being followed
        self.changed: list[File] = []
        self.moved: list[Folder] = []
        self.withdrawn: list[str] = []  # names that were told and mean nothing any more

    # Accesses

    def access(self, path: bytes, flags: int, size: int, mtime: int, *, moment: int, bit: int, row: int) -> None:
        """A file was opened, made or truncated. `flags`: of the record; `size`, `mtime`: as it was then, 0 not known."""
        file = self.file(path, flags)
        if file is None:
            return
        old = not flags & area.TRUNCATE and (size > 0 or (flags & area.READ and not flags & area.CREATE))
        if flags & area.WRITE == 0 or old:
            self.read(file, old and self.is_older(file, mtime), size, mtime)
        state = file.state & ~GONE
        if flags & area.READ:
            state |= LOOKED
        if flags & area.WRITE:
            state |= WRITTEN | (0 if old else REPLACED)
        file.state = state
        file.count += 1
        file.touch(moment, bit, row)
        self.mark(file)

    def read(self, file: File, older: bool, size: int, mtime: int) -> None:
        """A file's content was read, by an earlier state of it when `older`."""
        if older and not file.state & OLD:
            file.state |= OLD
            if not file.first and mtime:
                file.size, file.mtime = size, mtime
        file.state |= READ

    def is_older(self, file: File, mtime: int) -> bool:
        """Whether what is read now was not written by this run."""
        if file.state & GONE:
            return False
        if not file.state & WRITTEN:
            return True
        return not file.name and 0 < mtime < self.begin

    def mark(self, file: File) -> None:
        if not file.changed:
            file.changed = True
            self.changed.append(file)

    # Finding

    def file(self, path: bytes, flags: int) -> File | None:
        """The file or store that a path of a record means, made when it is new; None for what is only counted."""
        if path in self.known:
            return self.known[path]
        if not path.startswith(b"/") or len(path) > LONGEST:
            if path.startswith(b"image:"):
                self.count("scratch" if flags & area.WRITE else "software", path, None)
            return None
        if b"/." in path or b"//" in path:
            path = tidy(path)
        if flags & area.UNCONFIRMED and not self.is_there(path, flags):
            return None
        return self.look_up(path, flags)

    def is_there(self, path: bytes, flags: int) -> bool:
        """Whether an access that was seen without its result can have succeeded."""
        if flags & area.WRITE and flags & area.CREATE:
            return True
        status = self.questions.status(decoded(path))
        return status is not None and status[0] != "directory"

    def look_up(self, path: bytes, flags: int, links: int = 0) -> File | None:
        """As `file`, for a path without dots."""
        directory, _, name = path.rpartition(b"/")
        if directory.endswith(b"/__pycache__") and not flags & area.WRITE and name.endswith(b".pyc"):
            directory, name = directory[:-12], name.partition(b".")[0] + b".py"
        where = self.where.get(directory)
        if where is None:
            where = self.find(directory)
        if isinstance(where, Place) and not self.keeps(where, path, name):
            return self.ignore(path, where)
        folder = self.folder(directory) if isinstance(where, Place) else where
        if isinstance(folder, Crowd):
            return self.crowd(folder, flags)
        if folder.store is not None:
            return folder.store
        return folder.files.get(name) or self.new_file(folder, path, name, flags, links)

    def keeps(self, place: Place, path: bytes, name: bytes) -> bool:
        """Whether a file counts although its place says otherwise."""
        return place.label != OWN and (place.data and is_data_name(name) or self.declared.has(path))

    def new_file(self, folder: Folder, path: bytes, name: bytes, flags: int, links: int) -> File | None:
        """A file that was not known: behind a link, the first one of a store, or plainly new."""
        target = self.questions.link(path) if links < MOST_LINKS else None
        if target is not None and len(target) <= LONGEST:
            return self.look_up(joined(folder.path(), target), flags, links + 1)
        form = stores.form_by_file(name)
        top = self.store_top(folder, form, name)
        if top is not None:
            return self.make_store(top, form or stores.PARQUET)
        if self.left <= 0 or self.names_left <= 0:
            return self.crowd(self.crowd_of(folder), flags)
        self.left -= 1
        self.names_left -= len(name)
        file = folder.files[name] = File(folder, name, DECLARED if self.declared.has(path) else 0)
        self.remember(path, file)
        return file

    def remember(self, path: bytes, file: File | None) -> None:
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[path] = file

    def ignore(self, path: bytes, place: Place) -> None:
        """Count a file that is no data, once."""
        if place.label != OWN:
            self.count(place.label, path, place.package)
        self.remember(path, None)

    def count(self, label: str, path: bytes, package: tuple[str, str, str, str | None] | None) -> None:
        key = hash(path)
        if key in self.counted or len(self.counted) >= MOST_COUNTED:
            return
        self.counted.add(key)
        self.counts[label] = self.counts.get(label, 0) + 1
        if package is not None and (package in self.packages or len(self.packages) < MOST_PACKAGES):
            self.packages[package] = self.packages.get(package, 0) + 1

    def crowd(self, crowd: Crowd, flags: int) -> None:
        """Count an access beyond the limit."""
        if flags & area.WRITE:
            crowd.written += 1
        else:
            crowd.read += 1

    def crowd_of(self, folder: Folder) -> Crowd:
        if folder.crowd is None:
            folder.crowd = Crowd(folder)
            self.crowds[id(folder)] = folder.crowd
        return folder.crowd

    # Directories

    def find(self, directory: bytes) -> Where:
        """What a directory is: a place, a folder of the tree (the store's, within a store), or beyond the limit."""
        stack, above = [], directory
        while above not in self.where:
            stack.append(above)
            above = above.rpartition(b"/")[0]
        found = self.where[above]
        if len(self.where) + len(stack) > MOST_KNOWN and not self.links:
            self.where.clear()
            self.where[b""] = self.top
        for path in reversed(stack):
            found = self.where[path] = self.below(found, path)
        return found

    def below(self, found: Where, path: bytes) -> Where:
        """What a directory is, whose parent is `found`."""
        if isinstance(found, Folder) and found.store is not None:
            return found
        if isinstance(found, Place) and found.label == OWN:
            return found
        place = self.places.find(path)
        if place is not None:
            return place
        if isinstance(found, Crowd):
            return found
        folder = self.folder(path.rpartition(b"/")[0]) if isinstance(found, Place) else found
        return self.step(folder, path.rpartition(b"/")[2])

    def folder(self, directory: bytes) -> Folder | Crowd:
        """The tree's folder for a directory, whatever place it is."""
        found: Folder | Crowd = self.top
        for name in directory.split(b"/")[1:]:
            if isinstance(found, Crowd) or found.store is not None:
                return found
            found = self.step(found, name, follow=False)
        return found

    def step(self, folder: Folder, name: bytes, *, follow: bool = True) -> Where:
        """The directory `name` in a folder, made when it is new; where it leads to when it is a link."""
        if name in folder.folders:
            return folder.folders[name]
        linked = self.linked(folder, name) if follow and self.links < MOST_LINKS else None
        if linked is not None:
            return linked
        if self.left <= 0 or self.names_left <= 0:
            return self.crowd_of(folder)
        self.left -= 1
        self.names_left -= len(name)
        made = folder.folders[name] = Folder(folder, name)
        if form := stores.named_form(name):
            self.make_store(made, form)
        return made

    def linked(self, folder: Folder, name: bytes) -> Where | None:
        """What a directory leads to when it is a link."""
        target = self.questions.link(folder.path() + b"/" + name)
        if target is None:
            return None
        path = joined(folder.path(), target)
        self.links += 1
        try:
            return self.where.get(path) or self.find(path) if len(path) <= LONGEST else None
        finally:
            self.links -= 1

    # Stores

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
        parts = list(folder.all_files())
        for part in parts:
            store.absorb(part)
            self.drop(part)
        self.left += len(parts) + sum(1 for _ in folder.walk()) - 1
        if folder.folders or parts:
            self.forget_names()
        folder.files, folder.folders, folder.store, folder.form = {}, {}, store, form
        if store.first:
            self.mark(store)
        return store

    # Names that change

    def unlink(self, path: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was removed."""
        path = tidy(path)
        folder, name = self.parent(path)
        if folder is None:
            return
        if folder.store is not None:
            self.write(folder.store, moment, bit, row)
        elif flags & area.OF_DIRECTORY:
            self.remove_folder(folder, name, moment)
        elif name in folder.files:
            self.remove_file(folder.files[name], moment, bit, row)

    def remove_file(self, file: File, moment: int, bit: int, row: int) -> None:
        """A file is gone; when this run had made it and nobody has been told, nothing of it is kept."""
        if file.state & OLD or file.told is not None:
            file.state = (file.state | GONE) & ~(WRITTEN | REPLACED)
            file.touch(moment, bit, row)
            self.mark(file)
            return
        self.counts["scratch"] = self.counts.get("scratch", 0) + 1
        self.take(file.folder, file.name)
        self.left += 1
        self.names_left += len(file.name)
        self.drop(file)

    def remove_folder(self, folder: Folder, name: bytes, moment: int) -> None:
        """A directory is gone: it was empty."""
        gone = folder.folders.get(name)
        if gone is None:
            return
        if gone.store is not None:
            gone.store.state = (gone.store.state | GONE) & ~(WRITTEN | REPLACED)
            gone.store.touch(moment, 0, 0)
            self.mark(gone.store)
        elif not gone.files and not gone.folders and gone.crowd is None:
            del folder.folders[name]
            self.left += 1
            self.names_left += len(name)
            self.forget_names()

    def link(self, old: bytes, new: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was given to what another name means (a hard link), or leads to another one."""
        new = tidy(new)
        if flags & area.SYMBOLIC:
            self.forget_name(new)
            return
        source = self.file(old, area.READ)
        if source is not None:
            self.read(source, self.is_older(source, 0), 0, 0)
            source.touch(moment, bit, row)
            self.mark(source)
        self.arrive(new, tidy(old), moment, bit, row)

    def arrive(self, path: bytes, origin: bytes, moment: int, bit: int, row: int) -> File | None:
        """A name that has come to mean content that was there under another one."""
        file = self.file(path, area.WRITE | area.CREATE)
        if file is None:
            return None
        file.state = (file.state | WRITTEN | REPLACED) & ~GONE
        file.touch(moment, bit, row)
        if file.name:
            file.origin = origin
        self.mark(file)
        return file

    def rename(self, old: bytes, new: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was changed, or two were exchanged."""
        old, new = tidy(old), tidy(new)
        if old == new:
            return
        above_old, old_name = self.parent(old)
        above_new, new_name = self.parent(new)
        if flags & area.EXCHANGED:
            first, second = self.take(above_old, old_name), self.take(above_new, new_name)
            self.put(first, above_new, new, old, moment, bit, row)
            self.put(second, above_old, old, new, moment, bit, row)
            return
        if above_old is not None and above_old.store is not None:
            self.write(above_old.store, moment, bit, row)
        moved = self.take(above_old, old_name)
        if isinstance(moved, File) or moved is None:
            self.leave(moved, above_old, old_name, moment, bit, row)
        self.put(moved, above_new, new, old, moment, bit, row)

    def take(self, folder: Folder | None, name: bytes) -> File | Folder | None:
        """Remove what is known under a name."""
        if folder is None or folder.store is not None:
            return None
        found: File | Folder | None = folder.files.pop(name, None)
        path = folder.path() + b"/" + name
        self.known.pop(path, None)
        if found is None and name in folder.folders:
            found = folder.folders.pop(name)
            self.forget_names()
        self.forget_name(path)
        return found

    def leave(self, moved: File | None, folder: Folder | None, name: bytes, moment: int, bit: int, row: int) -> None:
        """What was there before this run and has been moved away was used, and is gone."""
        if folder is None or folder.store is not None or (moved is not None and not moved.state & OLD):
            return
        if moved is None and (self.left <= 0 or self.names_left <= 0):
            return
        left = folder.files[name] = File(folder, name, READ | OLD | GONE)
        self.left -= 1
        self.names_left -= len(name)
        if moved is not None:
            left.absorb(moved)
            left.state = (READ | OLD | GONE) | moved.state & (LOOKED | DECLARED)
            left.told, moved.told = moved.told, None
            moved.state &= ~OLD
            moved.size = moved.mtime = -1
        left.touch(moment, bit, row)
        self.mark(left)

    def put(
        self,
        moved: File | Folder | None,
        folder: Folder | None,
        path: bytes,
        origin: bytes,
        moment: int,
        bit: int,
        row: int,
    ) -> None:
        """Give what was taken a new name, over whatever had it."""
        name = path.rpartition(b"/")[2]
        if isinstance(moved, Folder):
            self.put_folder(moved, folder, name, origin, moment)
            return
        if moved is None or folder is None or folder.store is not None:
            if moved is not None:
                self.let_go(moved)
            self.arrive(path, origin, moment, bit, row)
            return
        replaced = self.take(folder, name)
        if isinstance(replaced, File):
            self.replace(moved, replaced)
        moved.folder, moved.name = folder, name
        folder.files[name] = moved
        moved.origin = moved.origin or origin
        moved.state = (moved.state | WRITTEN | REPLACED) & ~GONE
        if self.declared.has(path):
            moved.state |= DECLARED
        moved.touch(moment, bit, row)
        self.mark(moved)

    def put_folder(self, moved: Folder, folder: Folder | None, name: bytes, origin: bytes, moment: int) -> None:
        """Give a directory a new name with all that is in it."""
        above = folder
        while above is not None and above is not moved:
            above = above.parent
        if folder is None or above is moved or folder.store is not None:
            for file in moved.all_files():
                self.let_go(file)
            return
        replaced = self.take(folder, name)
        for file in replaced.all_files() if isinstance(replaced, Folder) else ():
            self.let_go(file)
        moved.parent, moved.name, moved.origin, moved.moved = folder, name, moved.origin or origin, moment
        folder.folders[name] = moved
        if moved.store is None and (form := stores.named_form(name)):
            self.make_store(moved, form)
        self.moved.append(moved)

    def replace(self, moved: File, replaced: File) -> None:
        """Take over what is known of the file that had this name before."""
        if replaced.state & OLD:
            moved.state |= OLD | READ
            moved.size, moved.mtime = replaced.size, replaced.mtime
            moved.touch(replaced.first, replaced.ranks, 0)
        moved.state |= replaced.state & DECLARED
        self.left += 1
        self.drop(replaced)

    def let_go(self, file: File) -> None:
        """Keep nothing of a file that has gone where files are only counted."""
        self.left += 1
        self.names_left += len(file.name)
        self.drop(file)

    def drop(self, file: File) -> None:
        """A file's entry means nothing any more."""
        if file.told is not None:
            self.withdrawn.append(file.told)
        file.told, file.state, file.first = None, 0, 0

    def write(self, store: File, moment: int, bit: int, row: int) -> None:
        """Something in a store was renamed or removed."""
        store.state = (store.state | WRITTEN) & ~GONE
        store.touch(moment, bit, row)
        self.mark(store)

    def parent(self, path: bytes) -> tuple[Folder | None, bytes]:
        """The folder that a name is in, None where files are only counted; and the name."""
        directory, _, name = path.rpartition(b"/")
        where = self.where.get(directory) or self.find(directory)
        if isinstance(where, Place) and self.keeps(where, path, name):
            where = self.folder(directory)
        return (where if isinstance(where, Folder) else None), name

    def forget_name(self, path: bytes) -> None:
        """What a name leads to may have changed."""
        self.known.pop(path, None)
        if path in self.where:
            self.forget_names()

    def forget_names(self) -> None:
        self.known.clear()
        self.where.clear()
        self.where[b""] = self.top


def joined(folder: bytes, target: bytes) -> bytes:
    """Where a link in a folder leads to."""
    return tidy(target if target.startswith(b"/") else folder + b"/" + target)


def tidy(path: bytes) -> bytes:
    """An absolute path without `.`, `..` and double slashes, by its text."""
    if b"/." not in path and b"//" not in path and not path.endswith(b"/"):
        return path
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/" + b"/".join(parts)


def decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")

"""What was done to files: accesses, removals, links and renames folded into the state of each file.

    accesses = Accesses(Index(places, questions, declared))
    accesses.access(b"/home/ada/run/u.nc", area.WRITE | area.CREATE | area.TRUNCATE, 0, 0, moment=5, bit=1, row=7)
    accesses.rename(b"/home/ada/run/u.nc", b"/home/ada/run/v.nc", 0, moment=6, bit=1, row=7)

A file that is read before this run writes it is used as an older version; one that is opened for writing without being
truncated is read too, because its old content stays. `moment`: ns; `bit`: of the rank; `row`: of the program.
"""

from __future__ import annotations

from hpcprov.capture.observed import area, stores
from hpcprov.capture.observed.index import Index
from hpcprov.capture.observed.tree import DECLARED, GONE, LOOKED, OLD, READ, REPLACED, TENTATIVE, WRITTEN, File, Folder

MOST_SYMLINKS = 10_000  # made by this run
LOOK = 20_000_000  # ns between two looks of a library at a file that it is going to empty


class Accesses:
    """The records of one node's files, folded one after the other."""

    def __init__(self, index: Index, *, begin: int = 0) -> None:
        """`begin`: when the job began (ns): what was changed since was not there before."""
        self.index, self.begin = index, begin
        self.symlinks: set[bytes] = set()

    def access(self, path: bytes, flags: int, size: int, mtime: int, *, moment: int, bit: int, row: int) -> None:
        """A file was opened, made or truncated. `size`, `mtime` (ns): as it was then, 0 when not known."""
        file = self.index.file(path, flags)
        if file is None:
            return
        old = not flags & area.TRUNCATE and (size > 0 or flags & (area.READ | area.CREATE) == area.READ)
        if flags & area.TRUNCATE:
            self.empty(file, row)
        if old or not flags & (area.WRITE | area.CREATE):
            self.read(file, size, mtime, old=old)
            if not flags & area.WRITE:
                file.state &= ~TENTATIVE
            elif self.only_looks(file, moment):
                file.state |= TENTATIVE
        state = file.state & ~GONE
        if flags & area.READ and (old or flags & area.WRITE or not flags & area.CREATE):
            state |= LOOKED | READ  # else it was empty, and opened to be locked
        if flags & area.WRITE:
            state |= WRITTEN if old else WRITTEN | REPLACED
        file.state = state
        file.count += 1
        file.touch(moment, bit, row)
        self.index.mark(file)

    def read(self, file: File, size: int, mtime: int, *, old: bool) -> None:
        """A file's content was read; `old`: something was there."""
        if old and not file.first and mtime:
            file.size, file.mtime = size, mtime
        if old and not file.state & OLD and self.is_older(file, mtime):
            file.state |= OLD
        file.state |= READ

    def only_looks(self, file: File, moment: int) -> bool:
        """Whether an opening for reading and writing can be one that only looks whether the file is there.

        HDF5 does that before it empties a file; netCDF looks before that, reading.
        """
        return bool(file.state & OLD) and (file.count == 0 or (file.count == 1 and moment - file.first < LOOK))

    def empty(self, file: File, row: int) -> None:
        """A file is emptied: when its program had only looked whether it was there, nothing of it was read."""
        if file.state & TENTATIVE and file.programs in ((), (row,)):
            file.state &= ~(OLD | READ | TENTATIVE)
            file.size = file.mtime = -1

    def is_older(self, file: File, mtime: int) -> bool:
        """Whether what is read now was not written by this run."""
        if file.state & GONE or mtime >= self.begin > 0:  # changed since the job began: by it, on another node perhaps
            return False
        return not file.state & WRITTEN or (not file.name and 0 < mtime < self.begin)

    def unlink(self, path: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was removed."""
        path = self.index.spelling.plain(path)
        self.symlinks.discard(path)
        folder, name = self.index.parent(path)
        self.index.forget_name(path)
        if folder is None:
            return
        if folder.store is not None:
            self.change(folder.store, moment, bit, row)
        elif name in folder.files:
            self.remove_file(folder.files[name], moment, bit, row)
        elif name in folder.folders:
            self.remove_folder(folder, folder.folders[name], moment, bit, row)

    def remove_file(self, file: File, moment: int, bit: int, row: int) -> None:
        """A file is gone; when this run had made it, nothing of it is kept."""
        if file.state & (OLD | DECLARED):
            self.gone(file, moment, bit, row)
        else:
            self.index.counts.again("scratch")
            self.index.forget_name(file.path())
            del file.folder.files[file.name]  # a directory may have the name by now
            self.index.drop(file)

    def gone(self, file: File, moment: int, bit: int, row: int) -> None:
        """A file or store that is kept is no longer there, nor what this run wrote to it."""
        file.state = (file.state | GONE) & ~(WRITTEN | REPLACED)
        file.touch(moment, bit, row)
        self.index.mark(file)

    def remove_folder(self, folder: Folder, removed: Folder, moment: int, bit: int, row: int) -> None:
        """A directory is gone: it was empty."""
        if removed.store is not None:
            self.gone(removed.store, moment, bit, row)
        elif not removed.files and not removed.folders and removed.crowd is None:
            self.index.take(folder, removed.name)
            self.index.moved.pop(removed, None)
            self.index.give_room(removed.name)

    def change(self, store: File, moment: int, bit: int, row: int) -> None:
        """Something in a store was renamed or removed."""
        store.state = (store.state | WRITTEN) & ~GONE
        store.touch(moment, bit, row)
        self.index.mark(store)

    def link(self, old: bytes, new: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was given to what another name means (a hard link), or leads to another one."""
        new = self.index.spelling.plain(new)
        self.index.forget_name(new)
        if flags & area.SYMBOLIC:
            if len(self.symlinks) < MOST_SYMLINKS:
                self.symlinks.add(new)
            return
        source = self.index.file(old, area.READ)
        if source is not None:
            self.read(source, 0, 0, old=True)
            source.touch(moment, bit, row)
            self.index.mark(source)
        self.arrive(new, self.index.spelling.plain(old), moment, bit, row)

    def arrive(self, path: bytes, origin: bytes, moment: int, bit: int, row: int) -> None:
        """A name has come to mean content that was there under another one."""
        file = self.index.file(path, area.WRITE | area.CREATE)
        if file is None:
            return
        file.state = (file.state | WRITTEN | REPLACED) & ~GONE
        file.touch(moment, bit, row)
        if file.name:
            file.origin = origin
        self.index.mark(file)

    def rename(self, old: bytes, new: bytes, flags: int, *, moment: int, bit: int, row: int) -> None:
        """A name was changed, or two were exchanged."""
        index = self.index
        old, new = index.spelling.plain(old), index.spelling.plain(new)
        if old == new:
            return
        (from_folder, from_name), (to_folder, to_name) = index.parent(old), index.parent(new)
        if flags & area.EXCHANGED:
            first, second = index.take(from_folder, from_name), index.take(to_folder, to_name)
            self.put(first, to_folder, new, old, moment, bit, row)
            from_folder, _ = index.parent(old)  # by now it may lie in a store
            self.put(second, from_folder, old, new, moment, bit, row)
            return
        if from_folder is not None and from_folder.store is not None:
            self.change(from_folder.store, moment, bit, row)
        moved = index.take(from_folder, from_name)
        if moved is None and self.moves_link(old, new):
            return
        if not isinstance(moved, Folder):
            self.leave(moved, from_folder, from_name, moment, bit, row)
        elif moved.store is not None:
            self.leave(moved.store, from_folder, from_name, moment, bit, row)
            self.change(moved.store, moment, bit, row)
        self.put(moved, to_folder, new, old, moment, bit, row)

    def moves_link(self, old: bytes, new: bytes) -> bool:
        """Whether what has a new name is a symbolic link, as `ln -sf` makes one: no file is read or written by that."""
        made = old in self.symlinks
        if made:
            self.symlinks.remove(old)
            self.symlinks.add(new)
        elif self.index.questions.link(new) is None:
            return False
        self.index.forget_name(old)
        self.index.forget_name(new)
        return True

    def leave(self, moved: File | None, folder: Folder | None, name: bytes, moment: int, bit: int, row: int) -> None:
        """What was there before this run and has been moved away was used, and is gone."""
        if folder is None or folder.store is not None or (moved is not None and not moved.state & OLD):
            return
        if not self.index.has_room(name):
            return
        left = folder.files[name] = File(folder, name, READ | OLD | GONE)
        if moved is not None:
            left.absorb(moved)
            left.state = READ | OLD | GONE | moved.state & (LOOKED | DECLARED)
            left.told, moved.told = moved.told, None
            moved.state &= ~(OLD | READ | LOOKED)
            moved.size = moved.mtime = -1
        left.touch(moment, bit, row)
        self.index.mark(left)

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
        if isinstance(moved, Folder):
            self.put_folder(moved, folder, path, origin, moment)
        elif moved is None or folder is None or self.index.is_part(folder, path):
            self.index.forget(moved)
            self.arrive(path, origin, moment, bit, row)
        else:
            self.put_file(moved, folder, path, origin)
            moved.touch(moment, bit, row)
            self.index.mark(moved)

    def put_file(self, moved: File, folder: Folder, path: bytes, origin: bytes) -> None:
        """Give a file a new name; what was read of the one that had it stays read."""
        name = path.rpartition(b"/")[2]
        replaced = self.index.take(folder, name)
        if isinstance(replaced, File):
            if replaced.state & OLD:
                moved.state |= OLD | READ
                moved.size, moved.mtime = replaced.size, replaced.mtime
                moved.touch(replaced.first, replaced.ranks, 0)
            moved.state |= replaced.state & DECLARED
        self.index.forget(replaced)
        moved.folder, moved.name = folder, name
        folder.files[name] = moved
        moved.origin = moved.origin or origin
        moved.state = (moved.state | WRITTEN | REPLACED) & ~GONE
        if self.index.declared.has(path):
            moved.state |= DECLARED

    def put_folder(self, moved: Folder, folder: Folder | None, path: bytes, origin: bytes, moment: int) -> None:
        """Give a directory a new name with all that is in it."""
        name = path.rpartition(b"/")[2]
        if folder is None or folder.store is not None or folder.is_within(moved):
            self.index.forget(moved)
            return
        self.index.forget(self.index.take(folder, name))
        moved.parent, moved.name, moved.origin, moved.moved = folder, name, moved.origin or origin, moment
        folder.folders[name] = moved
        if moved.store is None and (form := stores.named_form(name)):
            self.index.make_store(moved, form)
        self.index.moved[moved] = None

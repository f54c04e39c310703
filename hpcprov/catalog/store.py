"""The catalog's file: `.hpcprov/catalog.sqlite`, which can be deleted at any time and is then made again.

    connection, note = opened(place_of(Store("/scratch/ada/.hpcprov"), os.environ))

Of another user's store, and of one that may not be written to, the index is a file of the asking user:
`~/.cache/hpcprov/<digest of the store's path>.sqlite`. Where neither can be written, a private copy that goes with the
process takes its place, and `note` says so.

SQLite's write-ahead log needs memory that all its users share, which a network file system has not
(https://sqlite.org/wal.html): it is used on local file systems only.
"""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256
from urllib.parse import quote

from hpcprov.catalog.schema import INDEXES, TABLES, VERSION
from hpcprov.record.layout import is_ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpcprov.record.layout import Store

#: File systems of one machine, as mountinfo names them; on any other one, and on unknown ones, no write-ahead log.
LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "overlay"}
MOUNTS = "/proc/self/mountinfo"
PATIENCE = 30.0  # s that one who writes waits for another
BESIDE = ("", "-wal", "-shm", "-journal")
SETTINGS: dict[str, int | str] = {
    "cache_size": -64_000,  # KiB, as SQLite wants it
    "threads": 2,  # that sort
    "wal_autocheckpoint": 10_000,  # pages
    "case_sensitive_like": "ON",  # as in PostgreSQL
}
SORTED = -16_000  # KiB that are sorted at once


class Newer(Exception):
    """The file was made by a newer hpcprov, which goes on using it."""


def place_of(store: Store, environ: Mapping[str, str]) -> str:
    """Where the index of a store is: in it, when it is ours. What another user has put there is not believed, and a
    file of ours would be in the way of its owner's: also in a store that is trusted. In a group's store somebody may
    have put a link where SQLite would write."""
    files = [store.catalog + ending for ending in BESIDE]
    ours = is_ours(store.root) and all(is_ours(path) or not os.path.lexists(path) for path in files)
    if ours and os.access(store.root, os.W_OK):
        return store.catalog
    caches = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = sha256(os.fsencode(os.path.realpath(store.root))).hexdigest()[:32]
    return os.path.join(caches, "hpcprov", f"{name}.sqlite")


def opened(path: str) -> tuple[sqlite3.Connection, str | None]:
    """A connection to the catalog at `path`, and what is to be told when it is another one."""
    try:
        _make(os.path.dirname(os.path.dirname(path)))
        _make(os.path.dirname(path))
        if os.path.islink(path):
            raise OSError(None, "it is a link")
    except OSError as error:
        return private(None), f"{path} cannot be written ({error.strerror}): an index is kept in memory instead"
    try:
        return _open(path), None
    except Newer:
        return private(None), f"{path} was made by a newer hpcprov: an index is kept in memory instead"
    except sqlite3.DatabaseError as error:
        if not is_corrupt(error):
            return private(path), f"{path} cannot be written ({error}): an index is kept in memory instead"
    discard(path)
    try:
        return _open(path), f"{path} was damaged, and is made again from the records"
    except (sqlite3.DatabaseError, Newer) as error:
        return private(None), f"{path} cannot be written ({error}): an index is kept in memory instead"


def _make(directory: str) -> None:
    """Make a directory in one that is there. Raises OSError."""
    if not os.path.isdir(directory):
        os.mkdir(directory, mode=0o700)


def private(path: str | None) -> sqlite3.Connection:
    """A catalog of this process alone: begun from the file at `path` as far as that can be read, else empty.

    SQLite keeps it in memory, and what is too much for that in a temporary file without a name.
    """
    connection = sqlite3.connect("", isolation_level=None)
    for options in ("mode=ro", "immutable=1") if path is not None else ():
        try:
            with _closing(sqlite3.connect(f"file:{quote(os.fsencode(path or ''))}?{options}", uri=True)) as source:
                if _version(source) == VERSION:
                    source.backup(connection)
                    break
        except sqlite3.DatabaseError:
            connection.close()
            connection = sqlite3.connect("", isolation_level=None)
    _prepare(connection)
    return connection


def discard(path: str) -> None:
    """Remove a catalog's file; whoever has it open goes on with what is no longer there. The first goes first: what is
    beside it is of no use without it."""
    for ending in BESIDE:
        try:
            os.unlink(path + ending)
        except OSError:
            continue


def is_corrupt(error: sqlite3.DatabaseError) -> bool:
    """Is the file itself to blame, and not the disk, a lock or a right?"""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH)


def make_indexes(connection: sqlite3.Connection) -> None:
    """Where they are not there yet. What fits into the cache is sorted by one thread, after all has been read; of more,
    one part is sorted while the next is read."""
    connection.execute(f"PRAGMA cache_size = {SORTED}")
    for statement in INDEXES:
        connection.execute(statement)
    connection.execute(f"PRAGMA cache_size = {SETTINGS['cache_size']}")


def is_local(path: str, mounts: str = MOUNTS) -> bool:
    """Does a directory lie on a file system of this machine alone, as far as the kernel tells?"""
    try:
        device = os.stat(path).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}".encode()
        with open(mounts, "rb") as file:
            lines = [line.split(b" - ", 1) for line in file if line.split(b" ", 3)[2] == wanted]
        return bool(lines) and all(line[1].split(b" ", 1)[0].decode() in LOCAL for line in lines)
    except (OSError, IndexError, UnicodeDecodeError):
        return False


def _open(path: str) -> sqlite3.Connection:
    local = is_local(os.path.dirname(path))
    _keep_private(path)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        if not local:
            # Without this a file that was in use with a write-ahead log would be opened with it once more.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE" if _has_log(path) else "PRAGMA locking_mode = NORMAL")
        connection.execute(f"PRAGMA journal_mode = {'WAL' if local else 'DELETE'}")
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection) not in (None, VERSION):
            connection = _again(connection, path)
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_private(path: str) -> None:
    """Let nobody else read an index, which holds what records hold that nobody else may read. Its log and its journal
    have the rights that it has."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        pass  # it is there; or SQLite says that it cannot be made


def _again(connection: sqlite3.Connection, path: str) -> sqlite3.Connection:
    """A new file in the place of one with older tables. Raises Newer."""
    if (_version(connection) or 0) > VERSION:
        raise Newer
    connection.close()
    discard(path)
    return _open(path)


def _has_log(path: str) -> bool:
    """Was a database last used with a write-ahead log? https://sqlite.org/fileformat.html, bytes 18 and 19."""
    try:
        with open(path, "rb") as file:
            return file.read(20)[18:] == b"\x02\x02"
    except OSError:
        return False


def _version(connection: sqlite3.Connection) -> int | None:
    """The version of a catalog's tables; None in an empty file. Raises DatabaseError for what is no catalog."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()
    if not tables:
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    return int(row[0]) if row is not None and str(row[0]).isdigit() else 0


def _prepare(connection: sqlite3.Connection) -> None:
    for setting, value in SETTINGS.items():
        connection.execute(f"PRAGMA {setting} = {value}")
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("DELETE FROM meta WHERE name = 'version'")
        connection.execute("INSERT INTO meta (name, value) VALUES ('version', ?)", (str(VERSION),))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


class _closing:
    """`contextlib.closing` without contextlib."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> sqlite3.Connection:
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()

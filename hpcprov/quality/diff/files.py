"""Two files or stores compared: what is known of them first, then only what must be read.

    diff_files("a.h5", "b.zarr", Options(), cache_dir=store.cache, tiles_dir=store.tiles)

When the signatures of both are known (the files look as they did when they were read), equal fields are not read, and
of the others only the tiles that differ. When those of one are known, the other is signed: that reads it once, and the
first not at all where they agree. When neither is known, both are compared directly, in one reading of each.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

from hpcprov.data.attributes import read_attributes
from hpcprov.data.interface import Box, Dataset
from hpcprov.data.no_fields import NO_FIELDS, why
from hpcprov.data.open import open_data, reason
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values
from hpcprov.data.write_over import check_place, clear
from hpcprov.quality.diff.datasets import chosen, diff, selected
from hpcprov.quality.diff.fields import blank
from hpcprov.quality.diff.known import Known
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.preserve import preserve
from hpcprov.quality.diff.structure import structure
from hpcprov.quality.diff.unread import set_apart, status_with
from hpcprov.record.errors import HpcprovError, UnreadableData
from hpcprov.signature import cache
from hpcprov.signature.artifact import check_declared, describe
from hpcprov.signature.snapshot import CHANGED, Snapshot, look
from hpcprov.signature.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Facts: TypeAlias = dict[str, Any]
BLOCK = 1 << 20
#: Bytes of parsed text that are kept, of each table: it is read several times, column by column.
KEPT = 256 << 20
#: Options that a comparison of tables takes, too.
TABLE_WISHES = ("key", "rows", "rtol", "atol", "ulp", "nan_differs", "context", "preserve", "force", "threads")


def diff_files(
    path: str,
    other: str,
    options: Options,
    *,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    watch: Watch | None = None,
) -> Facts:
    """As `datasets.diff`, with what could not be read (`unread`), the two `paths`, their `format`s, and how their
    values were `known`. Raises HpcprovError with the path that it is about."""
    paths = (path, other)
    watch = watch or Watch()
    before = [_look(one) for one in paths]
    _check_place(options, paths)
    if options.nan_differs:
        cache_dir = None  # equal signatures may hold NaN
    signatures = _signatures(paths, before, options, cache_dir, tiles_dir, watch)
    with _both(paths, threads=options.threads) as (one, two):
        for name, dataset, seen in zip(paths, (one, two), before, strict=True):
            with _about(name):
                check_declared(chosen(dataset, options.fields), seen.size)
        found = _bytes(paths, before) if one.format in NO_FIELDS and two.format in NO_FIELDS else None
        if found is None:
            _check_fields(paths, (one, two))
            (one, two), unread = set_apart((one, two), options.fields)
            known = Known(_by_path(signatures[0]), _by_path(signatures[1]), tiles_dir)
            said = [read_attributes(name) for name in paths]
            found = diff_tables(one, two, options, known, watch) or diff(
                one, two, options, known=known, watch=watch, attributes=said
            )
            unread = [] if unread and _are_same_bytes(paths, before) else unread
            found |= {"status": status_with(found["status"], unread), "unread": unread}
            if options.preserve is not None and found["table"] is None:
                found["preserved"] = preserve(options.preserve, one, two, found["fields"], options, watch=watch)
        if options.preserve is not None and options.force:
            found["preserved"] = _cleared(options.preserve, found.get("preserved"))
        formats = [one.format, two.format]
        shared = found["fields"] if found["table"] is None else _columns(one, two)
    found["structure"] = structure(path, other, shared)
    for name, seen in zip(paths, before, strict=True):
        if _look(name) != seen:
            raise UnreadableData(f"{name}: {CHANGED}")
    how = ["cached" if signature is not None and signature["how"] != "full" else
           "full" if signature is not None else None for signature in signatures]  # fmt: skip
    return {"paths": list(paths), "format": formats, "known": how, "bytes": None, "preserved": None, **found}


def _cleared(path: str, preserved: Facts | None) -> Facts:
    """What was `preserved`; when that is nothing, what an earlier call wrote to the path is `removed`."""
    preserved = preserved or {"path": None, "fields": [], "left_out": []}
    return preserved if preserved["path"] is not None else preserved | {"removed": clear(path)}


def diff_tables(one: Dataset, other: Dataset, options: Options, known: Known, watch: Watch) -> Facts | None:
    """Two tables compared row by row; None for what is no table, and for tables that are known to be equal."""
    from hpcprov.quality.tables import compare as tables

    wanted = bool(options.key) or options.rows != "auto"
    if not (one.kind == other.kind == "table" or (wanted and tables.is_table(one) and tables.is_table(other))):
        if wanted:
            raise HpcprovError("they are no tables: --key and --rows are for columns of one length")
        return None
    left, right = selected(one, other, options.fields, also=options.key)
    names = {field.name for field in left.fields} & {field.name for field in right.fields}
    same = frozenset(field.path for field in left.fields if field.name in names and known.equal(field.name, field.name))
    if len(same) == len(left.fields) == len(right.fields):
        return None
    wishes = {name: getattr(options, name) for name in TABLE_WISHES}
    table = tables.compare_tables(left, right, same=same, watch=watch, **wishes)
    preserved = table.pop("preserved")
    kind = [one.kind, other.kind]
    return {"status": table["status"], "kind": kind, "fields": [], "table": table, "preserved": preserved}


def _columns(one: Dataset, other: Dataset) -> list[Facts]:
    """The columns that both tables have, as fields without a word on their values or types: those the table tells."""
    names = {field.name for field in other.fields}
    return [blank(field, field, "same") for field in one.fields if field.name in names]


def _signatures(
    paths: tuple[str, str],
    seen: list[Snapshot],
    options: Options,
    cache_dir: str | None,
    tiles_dir: str | None,
    watch: Watch,
) -> list[Facts | None]:
    """The signatures of both when at least one is known, else none."""
    found = [(cache.load(cache_dir, one) or {}).get("signature") for one in seen]
    if found.count(None) != 1 or seen[0] == seen[1]:
        return found
    at = found.index(None)
    with _about(paths[at]):
        result = describe(paths[at], threads=options.threads, cache_dir=cache_dir, tiles_dir=tiles_dir, watch=watch)
    found[at] = result["signature"]
    return found


def _by_path(signature: Facts | None) -> dict[str, Facts]:
    return {} if signature is None else {field["path"]: field for field in signature["fields"]}


def _check_place(options: Options, paths: tuple[str, str]) -> None:
    """Raises HpcprovError when what is to be written would replace what is read, or may replace nothing."""
    place = options.preserve
    if place is not None and os.path.lexists(place):
        if any(os.path.exists(place) and os.path.samefile(place, path) for path in paths):
            raise HpcprovError(f"{place!a} is compared: write to another place")
        check_place(place, replace=options.force)


def _check_fields(paths: tuple[str, str], datasets: tuple[Dataset, Dataset]) -> None:
    for path, dataset in zip(paths, datasets, strict=True):
        if dataset.format in NO_FIELDS:
            with _about(path):
                raise UnreadableData(why(path, dataset.format))


def _look(path: str) -> Snapshot:
    with _about(path):
        try:
            return look(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnreadableData("there is no such file or directory") from error


@contextmanager
def _about(path: str) -> Iterator[None]:
    """Whatever is wrong, the message begins with the path."""
    try:
        yield
    except Unsigned as error:
        raise UnreadableData(f"{path}: {error}") from error
    except HpcprovError as error:
        raise UnreadableData(f"{path}: {error.message}") from error
    except (OSError, ValueError) as error:
        raise UnreadableData(f"{path}: cannot be read: {reason(error)}") from error


@contextmanager
def _opened(path: str) -> Iterator[Dataset]:
    with _about(path):
        data = open_data(path, keep=KEPT, partial=True)
    with data:
        yield replace(data, fields=tuple(replace(field, read=_named(field.read, path)) for field in data.fields))


def _named(read: Callable[[Box], Values], path: str) -> Callable[[Box], Values]:
    """A field's reader whose errors tell which of the two files they are about."""

    def named(box: Box) -> Values:
        with _about(path):
            return read(box)

    return named


@contextmanager
def _both(paths: tuple[str, str], *, threads: int) -> Iterator[list[Dataset]]:
    """Both datasets, opened at once: text is read whole to find out what types its columns have."""
    managers = [_opened(path) for path in paths]
    with ExitStack() as stack:
        with ThreadPoolExecutor(max_workers=max(1, min(2, threads))) as pool:
            opening = [pool.submit(manager.__enter__) for manager in managers]
        failed = [error for one in opening if (error := one.exception()) is not None]
        for manager, one in zip(managers, opening, strict=True):
            if one.exception() is None:
                stack.push(manager)
        if failed:
            raise failed[0]
        yield [one.result() for one in opening]


def _bytes(paths: tuple[str, str], seen: list[Snapshot]) -> Facts:
    """Two files without fields are the same when their bytes are."""
    if seen[0].is_directory or seen[1].is_directory:
        raise UnreadableData("directories without fields are compared file by file by the command")
    sizes = [one.size for one in seen]
    first = _first_other_byte(*paths)
    same = first is None and sizes[0] == sizes[1]
    status = "same" if same else "different"
    told = {"sizes": sizes, "first": first}
    return {"status": status, "kind": [None, None], "fields": [], "table": None, "unread": [], "bytes": told}


def _are_same_bytes(paths: tuple[str, str], seen: list[Snapshot]) -> bool:
    """Whether two files are copies: what cannot be read of them is the same, too."""
    files = not (seen[0].is_directory or seen[1].is_directory)
    return files and seen[0].size == seen[1].size and _first_other_byte(*paths) is None


def _first_other_byte(path: str, other: str) -> int | None:
    """Where two files first differ; the end of the shorter one counts."""
    at = 0
    with open(_fd(path), "rb") as one, open(_fd(other), "rb") as two:
        while True:
            left, right = one.read(BLOCK), two.read(BLOCK)
            if left != right:
                pairs = zip(left, right, strict=False)
                return at + next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
            if not left:
                return None
            at += len(left)


def _fd(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

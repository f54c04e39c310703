"""What a person asks the lineage of -> where it starts: a path, a field below one, a digest, or a run.

    find_start(catalog, look, "out.zarr/temperature", cwd="/scratch/ada")
    ->  Start(versions=[the newest version of out.zarr], field=("temperature", "hpcprov1:6f0c..."))

A path's version is the one that lies there now, as far as size and time tell, else the newest that was recorded; a note
says so when they differ. Records hold absolute paths: where a store was moved or copied together with its directory, a
path is also looked for at the same place relative to the store.
"""

from __future__ import annotations

import os
import stat

from hpcprov.catalog.lineage import Start
from hpcprov.catalog.makers import above
from hpcprov.catalog.near import not_found
from hpcprov.catalog.patterns import DIGEST, FEWEST, digest_ranges, in_ranges
from hpcprov.catalog.schema import told
from hpcprov.record.errors import HpcprovError, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.lookups import TableLookups
    from hpcprov.catalog.query import Catalog
    from hpcprov.catalog.versions import Version

MOST_VERSIONS = 200  # of one path, looked through
MOST_PLACES = 1000  # working directories of runs, from which a moved path is looked for
MOST_CANDIDATES = 12
WHOLES = ("job", "workflow")


def find_start(catalog: Catalog, look: TableLookups, text: str, *, cwd: str) -> Start:
    """Raises NoSuchRun, AmbiguousRun, and HpcprovError when nothing is known of it."""
    path = os.path.normpath(os.path.join(cwd, text))
    if text.startswith(("hpcprov1:", "blake3:", "sha256:")):
        return _of_digest(look, text)
    if "/" in text or os.path.lexists(path):
        return _of_path(catalog, look, path) or not_found(catalog, path)
    if start := _of_path(catalog, look, path):
        return start
    try:
        return of_runs(catalog, [catalog.run(text).id])
    except NoSuchRun:
        match = DIGEST.fullmatch(text)
        if match is not None and len(match["hex"]) >= FEWEST:
            return _of_digest(look, text)
        return not_found(catalog, path)


def of_runs(catalog: Catalog, ids: list[str]) -> Start:
    """The start at runs; at a job or workflow, at its parts."""
    found = {row.id: row for row in catalog.by_id(ids)}
    if missing := [run for run in ids if run not in found]:
        raise NoSuchRun(f"there is no run {missing[0]!a}", hint="`hpcprov runs` lists what there is")
    wholes = [run for run in ids if found[run].type in WHOLES]
    parts = [part.id for whole in wholes for part in catalog.parts(whole)]
    runs = [run for run in ids if run not in wholes]
    if len(wholes) == len(ids) == 1:
        return Start(runs=parts, whole=ids[0])
    return Start(runs=dict.fromkeys([*runs, *parts]))


def _of_path(catalog: Catalog, look: TableLookups, path: str) -> Start | None:
    places = list(dict.fromkeys((path, os.path.realpath(path), *_moved(catalog, path))))
    for place in places:
        if versions := look.at(place, MOST_VERSIONS):
            return _version_at(versions, path)
    for place in places:
        if start := _inside(look, place):
            return start
    return None


def _version_at(versions: list[Version], path: str) -> Start:
    """The version that is meant by a path, of those that were recorded there, newest first."""
    size, mtime = _facts(path)
    there = [version for version in versions if size is not None and (version.size, version.mtime) == (size, mtime)]
    chosen = _made(there or versions)
    notes = []
    if None not in (size, chosen.size) and size != chosen.size:
        notes.append(
            f"{printable(path)} is not as it was recorded last: {size:,} bytes now, {chosen.size:,} then (--now)"
        )
    known = {version.key for version in versions if version.digest is not None or version.role == "generated"}
    others = len(known - {chosen.key})
    if others:
        number = f"{others} other version{'' if others == 1 else 's'}"
        notes.append(f"{number} of {printable(chosen.path)} {'was' if others == 1 else 'were'} recorded")
    return Start(versions=[chosen], notes=notes)


def _made(versions: list[Version]) -> Version:
    """The newest version; as who generated it knows it, where one of them did, or where nothing tells who else did."""
    newest = versions[0]
    generated = [version for version in versions if version.role == "generated"]
    same = [version for version in generated if version.key == newest.key or newest.digest is None]
    return next(iter(same), newest)


def _facts(path: str) -> tuple[int | None, int | None]:
    """Size and mtime (ns) of a file that is there; of a directory or a store they tell nothing."""
    try:
        facts = os.stat(path)
    except OSError:
        return None, None
    return (facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else (None, None)


def _inside(look: TableLookups, path: str) -> Start | None:
    """A field of the dataset that the longest recorded beginning of a path names; or a file in a recorded directory."""
    base = path
    while (base := os.path.dirname(base)) not in ("/", ""):
        if versions := look.at(base, MOST_VERSIONS):
            name = path[len(base) + 1 :]
            return _field_of(look, versions, base, name)
    return None


def _field_of(look: TableLookups, versions: list[Version], base: str, name: str) -> Start:
    fields = look.fields(version for version in versions if version.fields)
    for version in [_made(versions), *versions]:
        for field in fields.get(version.number, []):
            if field.path.strip("/") == name:
                return Start(versions=[version], field=(field.path, field.signature))
    chosen = _made(versions)
    if chosen.format in ("directory", None):
        return Start(versions=[chosen], notes=[f"{printable(name)} lies in {printable(base)}, recorded as a whole"])
    names = [printable(field.path) for field in fields.get(chosen.number, [])[:MOST_CANDIDATES]]
    hint = f"its fields are {', '.join(names)}" if names else "no field of it was signed"
    raise HpcprovError(f"{base!a} is recorded, and has no field {name!a}", hint=hint)


def _moved(catalog: Catalog, path: str) -> list[str]:
    """Where a path may have been recorded if its directory was moved or copied together with a store."""
    found = []
    for root in catalog.roots:
        home = os.path.dirname(root)
        if path.startswith(f"{home}/"):
            places = {told(row[0]) for _, row in catalog.select(CWDS, (MOST_PLACES,)) if row[0]}
            around = {one for place in places for one in _around(place)} - {home}
            found += sorted((one.rstrip("/") + path[len(home) :] for one in around), key=len, reverse=True)
    return found


CWDS = "SELECT DISTINCT directory FROM runs LIMIT ?"


def _around(directory: str) -> list[str]:
    return [directory, *above(directory), "/"]


def _of_digest(look: TableLookups, text: str) -> Start:
    """The versions that have a digest, or a field with it. Raises HpcprovError when it names none, or several."""
    ranges = digest_ranges(text)
    found: dict[str, str] = {}
    for by, table, column in (
        ("field", "fields", "signature"),
        ("storage", "artifacts", "storage"),
        ("signature", "artifacts", "signature"),
    ):
        condition, ends = in_ranges(column, ranges)
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE {condition} LIMIT {MOST_CANDIDATES + 1}"
        found |= {told(row[0]): by for source in look.sources for row in source.connection.execute(sql, ends)}
    if len(found) > 1:
        hint = "\n".join(["one of:", *sorted(found)[:MOST_CANDIDATES]])
        raise HpcprovError(f"{text!a} is the beginning of several digests", hint=hint)
    if not found:
        runs = sum(row[0] for source in look.sources for row in source.connection.execute("SELECT count(*) FROM runs"))
        places = ", ".join(dict.fromkeys(source.root for source in look.sources))
        raise HpcprovError(f"no record knows the digest {text!a}", hint=f"looked in: {places} ({runs:,} runs)")
    ((digest, by),) = found.items()
    return _with_digest(look, digest, by)


def _with_digest(look: TableLookups, digest: str, by: str) -> Start:
    """The newest version that was generated with a digest, and the first that was used, which may be older."""
    versions = look.latest(by, digest, "") if by != "field" else []
    versions = versions or [version for _, version in look.found(by, [digest], "generated", MOST_VERSIONS)]
    made = sorted(versions, key=lambda version: version.began, reverse=True)[:1]
    used = [version for _, version in look.found(by, [digest], "used", MOST_VERSIONS)]
    first = sorted(used, key=lambda version: version.began)[:1]
    if by != "field":
        return Start(versions=[*made, *first])
    chosen = [*made, *first][0]
    path = next(one.path for one in look.fields([chosen])[chosen.number] if one.signature == digest)
    return Start(versions=[chosen], field=(path, digest))

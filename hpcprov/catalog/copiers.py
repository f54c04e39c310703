"""Who only passed values on: of data that lies elsewhere a copier is no origin.

    had = inputs_of(lookups, {"prepare"})
    is_origin(version, maker, "hpcprov1:6f0c...", had)      ->  False: `prepare` had these values as an input

`prepare` read raw.nc, and wrote all of it and more into clean.nc. Whoever reads raw.nc after that, or a copy of it that
he has from somewhere else, has nothing of clean.nc. Not so where his file was clearly the copier's and was only moved:
then it has its moment of last change, and the copier's own input does not have that.
"""

from __future__ import annotations

from hpcprov.record.artifact import is_memory
from hpcprov.record.moment import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.catalog.versions import Lookups, Version

    #: By run: digests, signatures of fields and moments of last change of what it used; paths where these are unknown.
    Inputs = dict[str, set[object]]


def inputs_of(look: Lookups, runs: Iterable[str]) -> Inputs:
    """What runs had before they made anything: neither values in memory nor what they read back after writing it."""
    wanted = list(dict.fromkeys(runs))
    if not wanted:
        return {}
    own = {(version.run, version.path, version.digest) for version in look.artifacts(wanted, "generated")}
    used = [
        version
        for version in look.artifacts(wanted, "used")
        if not is_memory(version.path) and (version.run, version.path, version.digest) not in own
    ]
    known = {id(version): _identified(look, version) for version in used}
    fields = look.fields(version for version in known.values() if version.fields)
    found: Inputs = {}
    for version in used:
        one = known[id(version)]
        told = {one.signature, one.storage} if one.digest is not None else {one.path}
        signatures = {field.signature for field in fields.get(one.number, ())}
        found.setdefault(version.run, set()).update(told, signatures, (version.mtime,))
    return found


def is_origin(version: Version, maker: Version, value: str, had: Inputs) -> bool:
    """Can data come from a maker of the same value at another path? Not when it was there before, as the moment of its
    last change says, nor when the maker had the value, or may have had it, as an input."""
    its = had.get(maker.run, set())
    if is_moved(version, maker) and maker.mtime not in its:
        return True
    asked = {version.storage, version.path, maker.path} - {None}
    if version.storage is None or version.storage != maker.storage:  # else the maker put the values into these bytes
        asked |= {value, version.signature}
    return its.isdisjoint(asked) and not _is_older(version, maker.began)


def _is_older(version: Version, moment: str) -> bool:
    mtime = version.mtime
    return mtime is not None and mtime >= 0 and moment != "" and iso(mtime) < moment


def is_moved(version: Version, maker: Version) -> bool:
    """Has it the same moment of last change? Who moves a file keeps that."""
    return version.mtime is not None and version.mtime == maker.mtime


def is_left(version: Version, maker: Version) -> bool:
    """Is it what the maker left at this path, as far as size and moment of last change tell?"""
    return version.path == maker.path and version.size == maker.size and is_moved(version, maker)


def _identified(look: Lookups, version: Version) -> Version:
    """What was written over after it had been read, as who wrote it before knows it."""
    if version.digest is not None:
        return version
    before = look.latest("path", version.path, version.began)
    return next((maker for maker in before if is_left(version, maker)), version)

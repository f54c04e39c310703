"""What the records say an artifact should be: the newest run that made it, else the newest that used it.

    of_path(stores, "/scratch/ada/out.zarr")   ->  [Expected(run="20261121T093000Z-1f2e3d4c", role="generated", ...)]

Records hold absolute paths. When a directory was moved together with its store, an artifact is looked for where it lies
relative to the store now, and `place` says so.
"""

from __future__ import annotations

import os

from hpcprov.catalog import open_catalog
from hpcprov.commands.choose import Run, choose, every_run, open_run, parts_of, tell, tell_unread
from hpcprov.record import layout
from hpcprov.record.artifact import BLANK, is_memory
from hpcprov.record.errors import HpcprovError, NoStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from hpcprov.catalog.query import Catalog
    from hpcprov.record.layout import Store

ROLES = ("generated", "used")
DECLARED = {"generated": "outputs", "used": "inputs"}


class Expected:
    """One artifact of one run: what was recorded (`facts`), in which role, and the `place` where it should lie now."""

    def __init__(self, store: Store, run: Run, role: str, facts: dict[str, Any]) -> None:
        self.store, self.role, self.facts = store, role, facts
        self.run, self.time, self.cwd = run.id, _time(run), run.record["run"]["cwd"] or "/"
        self.directory = run.directory
        self.recorded: str = facts["path"]
        self.place = self.recorded

    def move(self) -> None:
        """Set `place` to where the artifact lies when its directory was moved together with the store."""
        if not os.path.lexists(self.recorded):
            self.place = moved(self.recorded, self.cwd, os.path.dirname(self.store.root)) or self.recorded


def stores(environ: Mapping[str, str], cwd: str, path: str | None = None) -> list[Store]:
    """The stores that may know of `path`: that of the working directory, those above it, and those above the path."""
    found: dict[str, Store] = {}
    try:
        nearest = layout.find_store(environ, cwd)
        found[os.path.realpath(nearest.root)] = nearest
    except NoStore:
        pass
    for start in (cwd, os.path.dirname(path) if path is not None else cwd):
        for store in layout.stores_above(environ, start):
            found.setdefault(os.path.realpath(store.root), store)
    return list(found.values())


def others_stores(environ: Mapping[str, str], cwd: str, path: str) -> list[str]:
    """The stores there that belong to other users, and are not searched."""
    places = [root for start in (cwd, os.path.dirname(path)) for root in layout.others_stores_above(environ, start)]
    return list(dict.fromkeys(places))


def of_path(known: Iterable[Store], path: str) -> list[Expected]:
    """The one that `path` (absolute) should be, if any record knows it."""
    known = list(known)
    with open_catalog([store.root for store in known], tell=tell) as catalog:
        tell_unread(catalog.problems)
        for role in ROLES:
            found = [one for store in known for one in _newest(catalog, store, role, path)]
            if found:
                return [max(found, key=lambda one: one.time)]
    return []


def _newest(catalog: Catalog, store: Store, role: str, path: str) -> list[Expected]:
    """The newest version of `path` in this role that a store's records know."""
    names = list(dict.fromkeys((path, os.path.realpath(path))))
    inner = os.path.relpath(path, os.path.dirname(store.root))
    for place, recorded, cwd in catalog.places_of(store.root, names, inner, role):
        if recorded in names or _is_moved(recorded, cwd or "/", store, path):
            try:
                run = open_run(store, os.path.join(store.root, place))
            except (HpcprovError, OSError):
                continue
            for one in _of(store, run):
                if one.role == role and one.recorded == recorded:
                    one.place = path
                    return [one]
    return []


def of_run(store: Store, text: str) -> list[Expected]:
    """All artifacts of a run, of a job or workflow those of its runs; one in both roles once, as generated, by the last
    run that did; and what was declared and never looked at. Raises NoSuchRun, AmbiguousRun."""
    run = choose(store, text)
    runs = sorted([run, *parts_of(store, run.record)], key=_time, reverse=True)
    found = [one for run in runs for one in (*_of(store, run), *_unseen(store, run))]
    return _once(sorted(found, key=lambda one: ROLES.index(one.role)))


def of_all(store: Store) -> list[Expected]:
    """The newest version of everything that any run of a store has generated."""
    newest = sorted(every_artifact([store]), key=lambda one: one.time, reverse=True)
    return _once(one for one in newest if one.role == "generated")


def every_artifact(known: Iterable[Store]) -> Iterator[Expected]:
    for store in known:
        for run in every_run(store):
            yield from _of(store, run)


def _of(store: Store, run: Run) -> Iterator[Expected]:
    for role in ROLES:
        for facts in run.record["artifacts"][role]:
            if not is_memory(facts["path"]):
                yield Expected(store, run, role, facts)


def _unseen(store: Store, run: Run) -> Iterator[Expected]:
    """What was declared, by pattern, in a role of which the record has no artifact."""
    reason = f"not looked at: `hpcprov settle {run.id}` signs what was left"
    if run.record["run"]["status"] == "running":
        reason = "the run is still going on"
    for role in ROLES:
        if not run.record["artifacts"][role]:
            for pattern in run.record["run"]["declared"][DECLARED[role]]:
                path = os.path.normpath(os.path.join(run.record["run"]["cwd"] or "/", pattern))
                yield Expected(store, run, role, BLANK | {"path": path, "reason": reason})


def _once(found: Iterable[Expected]) -> list[Expected]:
    """The first of each path, sorted by path, each where it lies now."""
    first: dict[str, Expected] = {}
    for one in found:
        first.setdefault(one.recorded, one)
    for one in first.values():
        one.move()
    return [first[path] for path in sorted(first)]


def _time(run: Run) -> str:
    facts = run.record["run"]
    return str(facts["end"] or facts["last_heard"] or facts["start"] or "")


def moved(recorded: str, cwd: str, home: str) -> str | None:
    """Where something recorded by a run in `cwd` lies when its store's directory is `home` now; None when nowhere."""
    for old in above(cwd):
        inner = os.path.relpath(recorded, old)
        place = os.path.join(home, inner)
        if not inner.startswith("..") and place != recorded and os.path.lexists(place):
            return place
    return None


def _is_moved(recorded: str, cwd: str, store: Store, path: str) -> bool:
    """Is `path` what a run in `cwd` recorded under another name, before the store's directory was moved?"""
    home = os.path.dirname(store.root)
    inner = os.path.relpath(path, home)
    if inner.startswith("..") or not recorded.endswith(f"/{inner}"):
        return False
    return recorded[: -len(inner) - 1] in [old.rstrip("/") for old in above(cwd)]


def above(directory: str) -> list[str]:
    """The directories from the root down to this one."""
    found = [directory]
    while (upper := os.path.dirname(found[-1])) != found[-1]:
        found.append(upper)
    return found[::-1]

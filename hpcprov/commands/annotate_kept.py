"""Keeping what was written: merged with what is there by now, again when somebody else was faster.

keep(seen, [Edit("depth", "units", "m")], args).version  ->  4
"""

from __future__ import annotations

import os
import time

from hpcprov.commands.dictionary_made import stores_of
from hpcprov.quality.dictionary.annotations import Annotations, Taken, load, save
from hpcprov.quality.dictionary.columns import tag_list
from hpcprov.quality.dictionary.merge import Edit, Merged, apply, merge
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from hpcprov.commands.dictionary_made import Seen

#: How often somebody else may be faster, and how long to wait then (s).
TRIES, PAUSE = 50, 0.02


class Kept:
    """What came of it: the `annotations` by now, what was `merged`, the `store`."""

    def __init__(self, store: Store, annotations: Annotations, merged: Merged) -> None:
        self.store, self.annotations, self.merged = store, annotations, merged

    @property
    def conflicts(self) -> list[dict[str, Any]]:
        return self.merged.conflicts

    @property
    def version(self) -> int:
        return self.annotations.version

    def as_json(self) -> dict[str, Any]:
        changes = [
            {"field": field, "key": key, "value": None if cell is None else cell.value}
            for (field, key), cell in self.merged.changes.items()
        ]
        written = [] if self.conflicts else changes
        return {"version": self.version, "written": written, "conflicts": self.conflicts, "store": self.store.root}


def keep(seen: Seen, edits: Sequence[Edit], args: argparse.Namespace) -> Kept:
    """Write a new version, when there is anything new and no conflict. Raises HpcprovError, OSError."""
    store, by = home_of(seen), user()
    for _ in range(TRIES):
        found = load(store, seen.path, seen.signature)
        wanted = [*edits, *tags(args, found, seen)]
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        merged = merge(found, seen.own, wanted, when=when, by=by, take=args.take)
        if merged.conflicts or not (merged.changes or _is_new_place(found, store, seen)):
            return Kept(store, found, merged)
        apply(found, merged)
        try:
            return Kept(store, save(store, seen.path, seen.signature, found), merged)
        except Taken:
            time.sleep(PAUSE)
    raise HpcprovError("others write annotations of the same data all the time", hint="try again")


def _is_new_place(found: Annotations, store: Store, seen: Seen) -> bool:
    """Was it written of data that lay elsewhere, or had other values? Then it is kept for these, too."""
    from hpcprov.quality.dictionary.annotations import relative

    moved = found.path != relative(store, seen.path)
    return found.version > 0 and (moved or (seen.signature is not None and found.signature != seen.signature))


def home_of(seen: Seen) -> Store:
    """The store to write to: the one that has something of this data, else the nearest above it, else one here."""
    known = stores_of(seen.path)
    having = next((store for store in known if load(store, seen.path, seen.signature).version), None)
    return having or (known[0] if known else layout.new_store(os.environ, os.getcwd()))


def tags(args: argparse.Namespace, found: Annotations, seen: Seen) -> list[Edit]:
    """--tag and --untag: what there is, with words added and taken away."""
    if not args.tag and not args.untag:
        return []
    from hpcprov.commands.annotate import field_of

    field = field_of(args.field, seen)
    cell = found.cells(field).get("tags")
    now = tag_list(cell.value if cell is not None else seen.own.get(field, {}).get("tags", ""))
    words = list(dict.fromkeys([*now, *(one.strip() for one in args.tag)]))
    away = {one.strip() for one in args.untag}
    return [Edit(field, "tags", ", ".join(word for word in words if word not in away), outright=True)]


def user() -> str:
    """Who is writing: the name that the user database gives, else the number."""
    from hpcprov.capture.user import collect

    found = collect(os.environ)
    return str(found.get("name") or found.get("login") or found["uid"])

"""The stores that a command asks: `--root DIR`, repeatable, else the store of the working directory, settled first, and
those of the paths that it was given.

with catalog_of(args.root, near=[args.target]) as catalog: ...
"""

from __future__ import annotations

import argparse
import os
from itertools import islice

from hpcprov.commands.choose import store_here, tell, tell_unread
from hpcprov.record import layout
from hpcprov.record.errors import NoStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpcprov.catalog.query import Catalog


def add_roots(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        metavar="DIR",
        action="append",
        default=[],
        help=f"ask this store, or that in this directory ({layout.STORE}); repeatable: all of them; "
        "default: the stores of the working directory and of a path",
    )


def catalog_of(roots: Sequence[str] = (), near: Sequence[str] = ()) -> Catalog:
    """The catalog of these stores, else of the working directory's and of those that lie nearest to the paths among
    the words `near`; says what could not be read. Raises NoStore."""
    from hpcprov.catalog import open_catalog

    places = [root_of(name) for name in roots] or _usual(near)
    catalog = open_catalog(places, tell=tell)
    for note in catalog.notes:
        tell(note)
    tell_unread(catalog.problems)
    return catalog


def _usual(near: Sequence[str]) -> list[str]:
    paths = [os.path.abspath(word) for word in near if os.sep in word]
    beside = [store.root for path in paths for store in islice(layout.stores_above(os.environ, path), 1)]
    try:
        known = [store_here().root, *beside]
    except NoStore:
        if not beside:
            raise
        known = beside
    return list({os.path.realpath(root): root for root in reversed(known)}.values())[::-1]


def root_of(name: str) -> str:
    """The store that a user means: it itself, or the one in a directory. Raises NoStore."""
    inner = os.path.join(name, layout.STORE)
    for place in (inner, name):
        store = layout.Store(os.path.abspath(place))
        if os.path.isdir(store.records) or os.path.isdir(store.runs):
            return store.root
    raise NoStore(f"{name!a} is no store and has none in it", hint=f"--root names a {layout.STORE} directory")

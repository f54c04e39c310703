"""What to say when nothing is known of a path: where it was looked for, and which recorded names are like it.

not_found(catalog, "/scratch/ada/flod.h5")
->  HpcprovError("no record knows '/scratch/ada/flod.h5'", hint="... did you mean /scratch/ada/flood.h5 ...")
"""

from __future__ import annotations

import os

from hpcprov.catalog.patterns import like
from hpcprov.catalog.schema import told
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from hpcprov.catalog.query import Catalog

MOST = 5
LONGEST = 255  # characters of a file's name
NEWEST = 5000  # paths that are compared
RECENT = "SELECT path FROM artifacts ORDER BY number DESC LIMIT ?"


def not_found(catalog: Catalog, path: str) -> NoReturn:
    """Raises HpcprovError, which says what was searched."""
    number = catalog.count()
    runs = f"{number:,} run{'' if number == 1 else 's'}"
    lines = [f"looked in: {', '.join(catalog.roots)} ({runs})"]
    lines += [f"not read: {problem}" for problem in catalog.problems[:MOST]]
    near = names_like(catalog, path)
    lines += ["recorded under a like name:", *map(printable, near)] if near else []
    there = os.path.lexists(path)
    lines += ["--now signs what is there and looks for its values under any name"] if there else []
    raise HpcprovError(f"no record knows {path!a}" if there else f"no record knows {path!a}, and it does not exist",
                       hint="\n".join(lines))  # fmt: skip


def names_like(catalog: Catalog, path: str) -> list[str]:
    """Recorded paths with the same last name, else with a like one."""
    from difflib import get_close_matches

    name = os.path.basename(path)
    if len(name) > LONGEST:
        return []
    text, parameters = like("path", "*/" + name.replace("*", "?").replace("[", "?"))
    sql = f"SELECT DISTINCT path FROM artifacts WHERE {text} LIMIT {MOST}"
    same = [told(row[0]) for _, row in catalog.select(sql, parameters)]
    if same:
        return same[:MOST]
    recent = dict.fromkeys(told(row[0]) for _, row in catalog.select(RECENT, (NEWEST,)))
    by_name = {os.path.basename(one): one for one in recent}
    return [by_name[one] for one in get_close_matches(name, by_name, MOST, cutoff=0.6)]

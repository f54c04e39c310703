"""What two runs were told to do: their arguments, and those of the programs that they started.

    arguments(one, other)  ->  [{"kind": "argument", "text": "compiler flag -O2 -> -O3 in argument 1", ...}]

A word that names an artifact of its own run in the same role is no cause: it is the data that counts.
"""

from __future__ import annotations

import os

from hpcprov.catalog.causes.code import scripts
from hpcprov.catalog.causes.told import cause, cut, from_here, near
from hpcprov.catalog.causes.words import Change, changes, narrowed, told, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

#: Programs whose commands are compared.
MOST_PROGRAMS = 2000


def arguments(one: Record, other: Record) -> Iterator[Cause]:
    """The words that differ, then the commands of ranks that have one of their own."""
    left, right = argv_of(one), argv_of(other)
    if not left or not right:
        if left != right:
            yield cause("argument", "the command of one of them is not known", left, right)
        return
    left[0], right[0] = near_program(left[0], one), near_program(right[0], other)
    for change in changes(left, right):
        if not names_the_same(change, one, other):
            before, after = narrowed(change)
            yield cause("argument", told(change, left), before, after, at=change.at)
    mpmd = [[(entry["argv"], entry["ranks"]) for entry in record["run"]["others"]] for record in (one, other)]
    if mpmd[0] != mpmd[1]:
        yield cause("argument", "the commands of other ranks differ", mpmd[0], mpmd[1])


def argv_of(record: Record) -> list[str]:
    return [from_here(word, record) for word in record["run"]["argv"] or []]


def near_program(word: str, record: Record) -> str:
    """A command's first word: `./solver` is `solver` in its directory."""
    return near(word, record) if "/" in word else word


def names_the_same(change: Change, one: Record, other: Record) -> bool:
    """Whether all words that differ name an artifact of their run in the same role, or equal files of code."""
    return all(
        len(inner.before) == len(inner.after) == 1 and roles(inner.before[0], one) & roles(inner.after[0], other)
        for inner in within(change)
    )


def roles(word: str, record: Record) -> set[str]:
    """In which roles a word (or what stands behind its `=`) names an artifact of the run, or its directory; of a file
    of code its digest."""
    path = os.path.normpath(os.path.join(record["run"]["cwd"] or "/", word.rpartition("=")[2]))
    script = scripts(record).get(near(path, record))
    return ({script} if script else set()) | {
        role
        for role in ("used", "generated")
        for artifact in record["artifacts"][role]
        if artifact["path"] == path or (role == "generated" and artifact["path"].startswith(f"{path}/"))
    }


def programs(one: Record, other: Record, known: list[Cause]) -> Iterator[Cause]:
    """Programs that were started with other words; what `known` causes, or their starters' words, tell already is left
    out."""
    said = {(str(cause["before"]), str(cause["after"])) for cause in known}
    for left, right in paired(rows(one), rows(other)):
        words = [from_here(word, one) for word in left["argv"]], [from_here(word, other) for word in right["argv"]]
        for change in changes(*words):
            pair = narrowed(change)
            if change.at == 0 or pair in said or names_the_same(change, one, other) or _are_paths(*pair):
                continue
            said.add(pair)
            name = cut(os.path.basename(left["path"]))
            yield cause("argument", f"{told(change, words[0])} of {name}, which it started", *pair, at=change.at)


def _are_paths(before: str, after: str) -> bool:
    """Paths in the words of inner programs follow from elsewhere: the data or the program counts."""
    return before.startswith("/") and after.startswith("/")


def rows(record: Record) -> list[dict[str, Any]]:
    """Programs below the application, with known words."""
    seen = record.get("observation")
    found = seen["programs"][:MOST_PROGRAMS] if seen else []
    return [row for row in found if row["parent"] is not None and row["argv"]]


def paired(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Programs of the same file in the order in which they were started, where both have as many."""
    by_path: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    for side, found in enumerate((left, right)):
        for row in found:
            by_path.setdefault(row["path"], ([], []))[side].append(row)
    for ones, others in by_path.values():
        if len(ones) == len(others):
            yield from zip(ones, others, strict=True)

"""Which code two runs ran: commits, changes that were not committed, scripts.

code(one, other)  ->  [{"kind": "code", "text": "commit 3f1c3f1c3f1c -> 9b0e9b0e9b0e in /home/ada/model",
                        "root": "/home/ada/model", ...}]
"""

from __future__ import annotations

import os

from hpcprov.catalog.causes.told import cause, cut, near, short, values
from hpcprov.record.inside import objects, part, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record


def code(one: Record, other: Record) -> Iterator[Cause]:
    """Commits first, then what was not committed, then files of code."""
    ones, others = scripts(one), scripts(other)
    left, right = repositories(one), repositories(other)
    if ones == others and ones and _is_seen(one) and _is_seen(other):
        left = right = {}  # what the commits changed was not read
    for root, name, before, after in matched(left, right):
        if before["commit"] != after["commit"]:
            said = f"commit {short(before['commit'])} -> {short(after['commit'])} in {cut(name)}"
            places = {"roots": [before["root"], after["root"]], "files": _files(ones, others, other)}
            yield cause("code", said, before["commit"], after["commit"], root=root, **places)
        elif uncommitted(before) != uncommitted(after):
            said = f"changes that were not committed in {cut(name)}: {_changes(before)} -> {_changes(after)}"
            yield cause("code", said, uncommitted(before), uncommitted(after), root=root)
    for path in sorted(ones.keys() & others.keys()):
        if ones[path] != others[path]:
            said = f"script {cut(path)}: sha256:{short(ones[path])} -> {short(others[path])}"
            yield cause("script", said, ones[path], others[path], path=path)


def _is_seen(record: Record) -> bool:
    """Whether all files that a run read are known."""
    seen = record.get("observation")
    return bool(seen and seen["complete"])


def _files(ones: dict[str, str], others: dict[str, str], record: Record) -> list[str]:
    """Full paths of the files of code that differ."""
    differ = [path for path in sorted(ones.keys() & others.keys()) if ones[path] != others[path]]
    return [os.path.join(record["run"]["cwd"] or "/", path) for path in differ]


def repositories(record: Record) -> dict[str, dict[str, Any]]:
    """What is known of the git working trees that the command's directory and its script lie in, by their roots."""
    found = {}
    for fact in values(record, "code"):
        for place in ("script", "directory"):
            git = part(part(fact, place), "git")
            if text(git, "commit") and text(git, "root"):
                found[str(git["root"])] = git
    return found


def matched(
    left: dict[str, dict[str, Any]], right: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """The same working trees, or two copies of one when there is one each: root, name for people, both sides."""
    if len(left) == len(right) == 1 and left.keys() != right.keys():
        ((root, before),), ((elsewhere, after),) = left.items(), right.items()
        yield elsewhere, f"{root}, {elsewhere}", before, after
    for root in left.keys() & right.keys():
        yield root, root, left[root], right[root]


def uncommitted(git: dict[str, Any]) -> str | None:
    """The digest of what differed from the commit; None when nothing did."""
    return text(part(git, "diff"), "sha256") or "of unknown digest" if git.get("dirty") else None


def _changes(git: dict[str, Any]) -> str:
    digest = uncommitted(git)
    return "none" if digest is None else f"sha256:{short(digest)}"


def scripts(record: Record) -> dict[str, str]:
    """Digests of the files of code, and of a workflow's own, by their paths as seen from the working directory."""
    found: dict[str, str] = {}
    for fact in values(record, "code"):
        script = part(fact, "script")
        path, digest = text(script, "path"), text(script, "sha256")
        if path and digest and digest not in _programs(record):
            found[near(path, record)] = digest
    for fact in values(record, "workflow"):
        for one in (part(fact, "snakefile"), *objects(fact, "included"), *objects(part(fact, "config"), "files")):
            path, digest = text(one, "path"), text(one, "sha256")
            if path and digest:
                found[near(path, record)] = digest
    seen = record.get("observation")
    found |= {near(row["path"], record): row["sha256"] for row in (seen["code"] if seen else []) if row["sha256"]}
    return found


def _programs(record: Record) -> set[str]:
    """Digests of compiled programs, which are told as such."""
    seen = record.get("observation")
    rows: list[Any] = list(seen["programs"]) if seen else []
    rows += [row for fact in values(record, "software") for row in objects(fact, "executables")]
    return {row["sha256"] for row in rows if text(row, "sha256")}

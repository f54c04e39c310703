"""The code that ran: the script and its repository, and files of the user's own that the run was seen to read.

code(record)["places"][0]["rows"]  ->  [("Commit", "3f1c…"), ("Branch", "main"), ("State", "as committed"), …]
"""

from __future__ import annotations

from hpcprov.record import model
from hpcprov.record.inside import objects, part
from hpcprov.report.told import bytes_of, number, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record
    from hpcprov.report.told import Rows

MOST_FILES = 500
PLACES = (("script", "Script"), ("directory", "Working directory"))


def code(record: Record) -> dict[str, Any]:
    """`places`: script and working directory with their repositories; `files` of the user's own code."""
    fact = model.fact(record, "code")
    places = [(label, part(fact, key)) for key, label in PLACES]
    found = [{"label": label, "path": word(one, "path"), "rows": place(one)} for label, one in places if one]
    observation: dict[str, Any] = record.get("observation") or {}
    files = [(word(one, "path"), word(one, "sha256")) for one in objects(observation, "code")]
    return {"places": found, "files": files[:MOST_FILES], "more": max(0, len(files) - MOST_FILES)}


def place(one: dict[str, Any]) -> Rows:
    """A file or folder and the commit that it is at."""
    git = part(one, "git")
    size = number(one.get("size"))
    rows = [
        ("Path", word(one, "path")),
        ("SHA-256", word(one, "sha256")),
        ("Size", bytes_of(size) if size is not None else ""),
        ("Repository", word(git, "root")),
        ("Remote", word(part(git, "remote"), "url")),
        ("Commit", word(git, "commit")),
        ("Branch", word(git, "branch") or ("detached" if git.get("detached") else "")),
        ("Version", word(git, "describe")),
        ("State", state(git)),
        ("Not known", word(git, "reason") or word(one, "reason")),
    ]
    return [(label, text) for label, text in rows if text]


def state(git: dict[str, Any]) -> str:
    """`as committed`, or what differs from the commit."""
    if not word(git, "commit") or type(git.get("dirty")) is not bool:
        return ""
    untracked = number(git.get("untracked")) or 0
    beside = f"; {untracked:,.0f} files are not tracked" if untracked else ""
    if not git["dirty"]:
        return f"as committed{beside}"
    diff = word(part(git, "diff"), "sha256")
    return f"changed since the commit{f' (sha256 of the diff {diff})' if diff else ''}{beside}"

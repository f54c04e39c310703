"""What every reader of a record relies on: members that must be there, with their types. The schema says more.

misfit({"revision": "1", ...})  ->  "revision is not what it must be"
"""

from __future__ import annotations

import re
from math import isfinite

from hpcprov.record import moment
from hpcprov.record.event import is_umask
from hpcprov.record.fitting import Shapes
from hpcprov.record.statistics import is_statistics
from hpcprov.record.verdicts import is_verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What `moment.iso` writes: no need to look further.
PLAIN_TIME = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]+)?Z"
)
SINCE_EPOCH = "1970"


def number(value: Any) -> bool:
    return type(value) in (int, float)


def whole(value: Any) -> bool:
    return type(value) is int


def text(value: Any) -> bool:
    return type(value) is str


def flag(value: Any) -> bool:
    return type(value) is bool


def anything(value: Any) -> bool:
    return True


def table(value: Any) -> bool:
    return type(value) is dict


def time(value: Any) -> bool:
    try:
        if type(value) is not str:
            return False
        return (PLAIN_TIME.fullmatch(value) is not None and value >= SINCE_EPOCH) or moment.ns(value) >= 0
    except ValueError:
        return False


def pair(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and type(value[0]) is int and type(value[1]) is int


def texts_by_name(value: Any) -> bool:
    return type(value) is dict and {str}.issuperset(map(type, value.values()))


def counts_by_name(value: Any) -> bool:
    return type(value) is dict and {int}.issuperset(map(type, value.values()))


class Maybe:
    """The shape, or null."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


class Since(Maybe):
    """The shape, or null; records that were made before there was such a member lack it."""


# A shape is a test of a value; a list, an object or a Maybe with the shapes of what is in it.
WORD, WHOLE, NUMBER = Maybe(text), Maybe(whole), Maybe(number)
FIELD = {"path": text, "type": text, "shape": Maybe([whole]), "signature": text, "statistics": Since(is_statistics)}
ACCESS = {"access": text, "first": Maybe(time), "last": Maybe(time), "ranks": [pair], "programs": [whole]}
ARTIFACT = {
    "path": text,
    "observed": Since(ACCESS | {"renamed_from": WORD}),
    "constraints": Since(is_verdicts),
    "state": text,
    "declared": [text],
    "storage": Maybe({"digest": text}),
    "signature": Maybe({"digest": text, "fields": [FIELD]}),
} | {"reason": WORD, "format": WORD, "size": WHOLE, "files": WHOLE, "mtime": WHOLE}
COMMAND = {"argv": Maybe([text]), "cwd": WORD, "umask": Maybe(is_umask)}
RUN = {
    "id": text,
    "status": text,
    "cause": Maybe({"text": text}),
    "tags": texts_by_name,
    "others": [COMMAND | {"ranks": [pair]}],
    "parent": Maybe({"run": text, "rank": whole}),
    "kind": text,
    "part_of": {"job": WORD, "array": WORD, "workflow": WORD},
    "previous": WORD,
    "rerun_of": Since(text),
    "user": {"uid": WHOLE, "gid": WHOLE, "name": WORD},
    "options": table,
    "declared": {"inputs": [text], "outputs": [text]},
    "duration_s": NUMBER,
} | {
    "name": WORD,
    "note": WORD,
    "given": WORD,
    "hpcprov": WORD,
    "start": Maybe(time),
    "end": Maybe(time),
    "last_heard": Maybe(time),
}
SIGNAL = {"signal": whole, "name": text, "from_uid": WHOLE, "from_pid": WHOLE, "first": time, "ranks": [pair]}
LOG = {"name": text, "bytes": whole, "sha256": text, "frames": whole, "skipped": {"lines": whole, "blobs": whole}}
PART = {
    "run": text,
    "name": WORD,
    "tags": Maybe(texts_by_name),
    "argv": Maybe([text]),
    "inputs": Since([text]),
    "outputs": Since([text]),
}
COLUMNS = {"rank": [whole], "state": [text], "utime": [NUMBER], "stime": [NUMBER], "maxrss": [NUMBER]}
PROGRAM = {
    "id": whole,
    "parent": WHOLE,
    "path": text,
    "argv": Maybe([text]),
    "count": whole,
    "ranks": [pair],
    "exits": counts_by_name,
    "began": Maybe(time),
    "ended": Maybe(time),
} | dict.fromkeys(("cwd", "sha256", "blind"), WORD)
STEP = {
    "id": whole,
    "parent": WHOLE,
    "name": text,
    "count": whole,
    "failed": whole,
    "ranks": [pair],
    "began": Maybe(time),
    "ended": Maybe(time),
    "duration_s": NUMBER,
    "status": text,
    "parameters": table,
    "tags": texts_by_name,
    "used": [text],
    "generated": [text],
} | dict.fromkeys(("function", "code", "error", "note"), WORD)
DEFINITION = {
    **dict.fromkeys(("path", "field", "expression", "language"), text),
    **dict.fromkeys(("real", "context", "step"), WORD),
    "inputs": [{"path": text, "field": text}],
    "time": time,
    "ranks": [pair],
}
OBSERVATION = {
    "how": text,
    "complete": flag,
    "nodes": [{"node": text, "complete": flag, "lost": WHOLE, "cut": WHOLE, "reasons": [text], "classes": table}],
    "programs": [PROGRAM],
    "software": [{"prefix": text, "name": WORD, "version": WORD, "files": whole}],
    "code": [{"path": text, "sha256": WORD}],
    "counted": [{"path": text, "blind": WORD, "count": whole}],
    "directories": [{"path": text, "read": whole, "written": whole}],
}
RECORD = {
    "revision": whole,
    "run": RUN | COMMAND,
    "launcher": {"kind": WORD, "size": WHOLE},
    "nodes": [{"node": text, "host": WORD, "unknown": Since(text), "facts": texts_by_name}],
    "ranks": {"count": whole, "missing": [pair], "columns": COLUMNS},
    "signals": [SIGNAL],
    "environment": {"common": texts_by_name, "varying": table},
    "facts": table,
    "observation": Since(OBSERVATION),
    "steps": Since([STEP]),
    "definitions": Since([DEFINITION]),
    "artifacts": {"used": [ARTIFACT], "generated": [ARTIFACT]},
    "parts": [PART],
    "witnesses": [{"source": text, "value": table}],
    "problems": [{"text": text, "ranks": [pair]}],
    "output": {"files": [anything], "lost_bytes": whole},
    "seal": {"logs": [LOG], "record": text},
}


TYPES: dict[Any, set[type]] = {number: {int, float}, whole: {int}, text: {str}, flag: {bool}, table: {dict}}
FITS = Shapes(Maybe, Since, {test: frozenset(types) for test, types in TYPES.items()}).test_of(RECORD)


def misfit(record: Any) -> str | None:
    """What is missing or of another type in a record; None when its readers can rely on it."""
    where = None if FITS(record) else _misfit(record, RECORD, "the record")
    if where is not None:
        return f"{where} is not what it must be, or missing"
    count = record["ranks"]["count"]
    if any(len(record["ranks"]["columns"][name]) != count for name in COLUMNS):
        return "the columns of ranks differ in length"
    if not all(_countable(record["ranks"]["columns"][name]) for name in COLUMNS if COLUMNS[name] == [NUMBER]):
        return "a column of ranks holds what no process can have used"
    known = record["facts"]
    if not all(type(known.get(name)) is dict for node in record["nodes"] for name in node["facts"].values()):
        return "a fact is missing"
    return None


def _countable(column: list[float | None]) -> bool:
    """Are these finite numbers, and not larger than sums of them can be?"""
    try:
        return isfinite(sum(filter(None, column), 0.0))
    except OverflowError:
        return False


def _misfit(value: Any, shape: Any, where: str) -> str | None:
    if isinstance(shape, Maybe):
        return None if value is None else _misfit(value, shape.shape, where)
    if isinstance(shape, dict):
        return _first_member(value, shape, where)
    if isinstance(shape, list):
        return _first_item(value, shape[0], where)
    return None if shape(value) else where


def _first_member(value: Any, shape: dict[str, Any], where: str) -> str | None:
    if type(value) is not dict:
        return where
    path = "" if shape is RECORD else f"{where}."
    there = ((key, inner) for key, inner in shape.items() if key in value or not isinstance(inner, Since))
    found = (_misfit(value[key], inner, path + key) if key in value else path + key for key, inner in there)
    return next((wrong for wrong in found if wrong is not None), None)


def _first_item(value: Any, shape: Any, where: str) -> str | None:
    if type(value) is not list:
        return where
    found = (_misfit(item, shape, where) for item in value)
    return next((wrong for wrong in found if wrong is not None), None)

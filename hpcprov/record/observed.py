"""What observed programs did, checked at the border: the entries of `access` and `program` events and the value of an
`observation` (docs/frames.md, "Observation"). What an application can scribble on ends up in them.

    access({"path": "/data/a.nc", "read": True, "ranks": [[0, 3]], "files": "many"})
    ->  {"path": "/data/a.nc", "read": True, "ranks": [[0, 3]]}
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Checks = dict[str, Callable[[Any], bool]]

LONGEST_PATH = 1 << 14  # characters
MOST_WORDS = 1 << 12  # of one argv
MOST_RANGES = 1 << 16
MOST_ITEMS = 1 << 14  # of one list in an observation
MOST_PROGRAMS = 8  # named by one access
LIMIT = 1 << 63
RANK_LIMIT = 1 << 31
HOWS = ("preload", "notify")
STORES = ("zarr", "parquet")
BLIND = ("static", "set-id", "other abi", "sanitizer", "go", "launcher", "unreadable", "off", "container")
# What a path is, by its name and place (docs/observing.md).
CLASSES = ("system", "software", "configuration", "scratch", "logs", "code", "data")


def is_path(value: Any) -> bool:
    return type(value) is str and value[:1] == "/" and len(value) <= LONGEST_PATH


def is_text(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_PATH


def is_flag(value: Any) -> bool:
    return type(value) is bool


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LIMIT


def is_status(value: Any) -> bool:
    return type(value) is int and abs(value) < RANK_LIMIT


def is_sha256(value: Any) -> bool:
    return type(value) is str and len(value) == 64 and not value.strip("0123456789abcdef")


def is_words(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_WORDS and all(type(word) is str for word in value)


def is_ranges(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_RANGES and all(map(is_range, value))


def is_range(value: Any) -> bool:
    return type(value) is list and len(value) == 2 and all(map(is_count, value)) and value[0] <= value[1] < RANK_LIMIT


def is_programs(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_PROGRAMS and all(map(is_count, value))


def is_stamp(value: Any) -> bool:
    """A file's size in bytes and modification time, ns since the epoch."""
    return type(value) is list and len(value) == 2 and is_count(value[0]) and type(value[1]) is int


def is_exits(value: Any) -> bool:
    """Exit codes, and signals with a minus, as text, each with how many ended so."""
    if type(value) is not dict:
        return False
    codes = (name.removeprefix("-") for name in value)
    return all(code.isascii() and code.isdigit() and len(code) < 11 for code in codes) and all(
        map(is_count, value.values())
    )


def is_how(value: Any) -> bool:
    return value in HOWS


def is_store(value: Any) -> bool:
    return value in STORES


def is_blind(value: Any) -> bool:
    return value in BLIND


ACCESS: Checks = (
    dict.fromkeys(("path", "from"), is_path)
    | dict.fromkeys(("read", "written", "gone", "overwritten"), is_flag)
    | dict.fromkeys(("first", "last", "files"), is_count)
    | dict.fromkeys(("began", "ended"), is_stamp)
    | {"ranks": is_ranges, "programs": is_programs, "store": is_store}
)
PROGRAM: Checks = (
    dict.fromkeys(("path", "cwd"), is_text)
    | dict.fromkeys(("id", "parent", "began", "ended", "count", "rank"), is_count)
    | {"argv": is_words, "ranks": is_ranges, "exits": is_exits, "status": is_status}
    | {"sha256": is_sha256, "blind": is_blind}
)
LISTS: dict[str, tuple[str, Checks]] = {
    "software": ("prefix", dict.fromkeys(("prefix", "kind", "name", "version"), is_text) | {"files": is_count}),
    "code": ("path", {"path": is_path, "sha256": is_sha256, "size": is_count}),
    "counted": ("path", {"path": is_text, "blind": is_blind, "count": is_count}),
    "directories": ("path", {"path": is_path, "read": is_count, "written": is_count}),
}


def access(entry: Any) -> dict[str, Any] | None:
    """An entry of an `access` event; None for one without a path."""
    return checked(entry, ACCESS, "path")


def program(entry: Any) -> dict[str, Any] | None:
    """An entry of a `program` event; None for one without a number or path."""
    kept = checked(entry, PROGRAM, "id")
    return kept if kept is not None and "path" in kept else None


def observation(value: Any) -> dict[str, Any]:
    """The value of an `observation`: each member that is what it must be; lists are there in any case."""
    value = value if type(value) is dict else {}
    kept: dict[str, Any] = {key: entries(value.get(key), *rule) for key, rule in LISTS.items()}
    kept |= {key: value[key] for key in ("lost", "cut") if is_count(value.get(key))}
    kept |= {"how": value["how"]} if is_how(value.get("how")) else {}
    kept |= {"complete": value.get("complete") is True, "classes": classes(value.get("classes"))}
    return kept | {"reasons": value["reasons"][:MOST_ITEMS] if is_words(value.get("reasons")) else []}


def entries(value: Any, needed: str, checks: Checks) -> list[dict[str, Any]]:
    found = (checked(item, checks, needed) for item in (value[:MOST_ITEMS] if type(value) is list else ()))
    return [item for item in found if item is not None]


def classes(value: Any) -> dict[str, dict[str, int]]:
    """How many files of each class were met."""
    told = value if type(value) is dict else {}
    counts = {name: told[name].get("files") for name in CLASSES if type(told.get(name)) is dict}
    return {name: {"files": count} for name, count in counts.items() if is_count(count)}


def checked(entry: Any, checks: Checks, needed: str) -> dict[str, Any] | None:
    """What of an entry may be relied on; None when it lacks what it cannot do without. There may be hundreds of
    thousands of them: what says nothing (null, false) is left out."""
    if type(entry) is not dict:
        return None
    told = ((key, value) for key, value in entry.items() if value is not None and value is not False)
    kept = {key: value for key, value in told if key in checks and checks[key](value)}
    return kept if needed in kept else None

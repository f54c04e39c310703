"""Entries of an audit trail: the attributes `hpcprov_audit` (a JSON list) and CF's `history` (lines of text).

    entry = entry_of(record, artifact)       # of a run's record and one of the artifacts that it generated
    audit_with(old, entry)                   ->  '[{"run": "20261121T...", "time": "2026-11-21T09:30:00Z", ...}]'
    history_with(old, entry)                 ->  '2026-11-21T09:30:00Z ./model config.nml (hpcprov 20261121T...)\\n...'

Both are read as what they are: text that anybody may have written. Only the standard library is imported here.
"""

from __future__ import annotations

import json
import shlex

from hpcprov.quality.definitions.derived import shell_text
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Entry: TypeAlias = dict[str, Any]

AUDIT, HISTORY = "hpcprov_audit", "history"
#: The formats that a trail can be written into.
FORMATS = ("hdf5", "netcdf3", "parquet", "zarr2", "zarr3")
PLACES = "HDF5, NetCDF, Parquet and Zarr directories"
#: The members of an entry that are text, in the order in which they are written.
TEXTS = ("run", "time", "host", "user", "command", "session", "did", "before", "after")
#: Which command of its session it was; when the data was last changed (ns), which stamping it does not change.
NUMBERS = ("line", "mtime")
#: An HDF5 attribute takes 64,000 bytes; a little is left for whoever edits by hand.
MOST_OCTETS = 60_000
MOST_COMMAND, MOST_DID, MOST_TEXT = 4_000, 500, 4_000
#: What a trail that was written by others may hold.
MOST_ENTRIES = 10_000
#: Stands for the entries that were dropped, oldest first but for the very first one.
DROPPED = "dropped"
LONGEST_MARK = len('{"dropped": 12345678901234567890}, ')


def has_place(artifact: dict[str, Any]) -> bool:
    """Whether a trail can be written into an artifact, as its facts tell: not into a Zarr store in a ZIP file."""
    zipped = str(artifact["format"]).startswith("zarr") and artifact["files"] is None
    return artifact["format"] in FORMATS and not zipped


def entry_of(record: dict[str, Any], path: str, *, did: str | None = None) -> Entry:
    """What an entry says of the run that left the artifact at `path` as it is, without the signatures."""
    run = record["run"]
    return {
        "run": run["id"],
        "time": f"{run['start'][:19]}Z" if run["start"] else None,
        "host": _hosts(record),
        "user": (run["user"] or {}).get("name"),
        "command": _cut(shlex.join(run["argv"] or []), MOST_COMMAND),
        "session": _session(run),
        "line": line_of(run["id"]),
        "did": _cut(did or said_by(record, path), MOST_DID),
    }


def _hosts(record: dict[str, Any]) -> str | None:
    """The first node, and how many more there are."""
    hosts = [node["host"] for node in record["nodes"] if node["host"]]
    more = f" and {len(hosts) - 1} more" if len(hosts) > 1 else ""
    return f"{hosts[0]}{more}" if hosts else None


def _session(run: dict[str, Any]) -> str | None:
    """Where the record lies below a store's `records`."""
    return "/".join((*run["start"][:10].split("-"), run["id"])) if run["start"] else None


def line_of(run_id: str) -> int:
    """Which command of its launch (a job step, an `mpiexec`) a run was: the number behind its id's last dot."""
    number = run_id.partition("~")[0].rpartition(".")[2]
    return int(number) + 1 if number.isascii() and number.isdigit() and len(number) < 7 else 1


def said_by(record: dict[str, Any], path: str) -> str:
    """What the run did to the artifact: definitions of its fields, else its note, name, rule, or program."""
    told = [one for one in record.get("definitions") or () if path in (one.get("path"), one.get("real"))]
    if told:
        return "; ".join(f"{one['field']} = {one['expression']}" for one in told)
    run = record["run"]
    rule = (run.get("tags") or {}).get("rule")
    named = run["note"] or run["name"] or (f"rule {rule}" if rule else None)
    return str(named or f"written by {_program(run['argv'] or ['a run'])}")


def _program(argv: list[str]) -> str:
    """The program's name, and of an interpreter's the script's; of `bash -c TEXT` those that the text begins with."""
    text = shell_text(argv)
    argv = text.split() or argv if text != " ".join(argv) else argv
    script = [argv[1]] if len(argv) > 1 and not argv[1].startswith("-") else []
    return " ".join(word.rpartition("/")[2] for word in [argv[0], *script])


def before_of(used: list[dict[str, Any]], path: str, entries: list[Entry]) -> str | None:
    """The signature that the data had when the run began with it: of the version of the artifact that it read, or of
    another one that it read and that brought the entries along; None when it was made anew. A version that the run
    wrote over before anybody could sign it is that of the last entry when it was last changed at the same moment.
    `used`: as `used_by` gives it."""
    last = entries[-1] if entries else {"after": None, "mtime": None}
    own = next((one for one in used if one["path"] == path), None)
    if own is not None and own["digest"] is not None:
        return str(own["digest"])
    if own is not None and own["mtime"] is not None and own["mtime"] == last["mtime"]:
        return str(last["after"])
    return last["after"] if last["after"] in [one["digest"] for one in used] else None


def used_by(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Path, signature (None where it has none) and moment of last change (ns) of what a run read."""
    return [
        {"path": one["path"], "digest": (one["signature"] or {}).get("digest"), "mtime": one["mtime"]}
        for one in record["artifacts"]["used"]
    ]


def entries_of(text: str | None) -> list[Entry]:
    """The entries in an attribute, as far as they are sound: text is text, a number a number, all else None. One that
    stands for others that were dropped has their count as `dropped`. Nothing is taken from what is no JSON list."""
    return [_sound(one) for one in (_listed_in(text) or [])[:MOST_ENTRIES] if isinstance(one, dict)]


def is_list(text: str | None) -> bool:
    """Whether an attribute has nothing that would be lost when it is written anew: no text, or a JSON list."""
    return text is None or _listed_in(text) is not None


def _listed_in(text: str | None) -> list[Any] | None:
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _sound(one: dict[str, Any]) -> Entry:
    entry: Entry = {name: _text(one.get(name)) for name in TEXTS}
    for name in NUMBERS:
        value = one.get(name)
        entry[name] = value if type(value) is int and abs(value) < 1 << 63 else None
    dropped = one.get(DROPPED)
    return entry | ({DROPPED: dropped} if type(dropped) is int and 0 < dropped < 1 << 53 else {})


def _text(value: Any) -> str | None:
    return _cut(value, MOST_TEXT) if isinstance(value, str) else None


def audit_with(entries: list[Entry], entry: Entry) -> str:
    """The attribute with one entry more. Where it gets too long, entries from the second one on are dropped and
    counted: the first one says where the data is from."""
    kept = [one for one in entries if DROPPED not in one]
    dropped = sum(one[DROPPED] for one in entries if DROPPED in one)
    sizes = [len(json.dumps(one)) + len(", ") for one in [*kept, entry]]
    size, gone = sum(sizes), 0
    while size + (LONGEST_MARK if dropped + gone else 0) > MOST_OCTETS and gone < len(kept) - 1:
        gone += 1
        size -= sizes[gone]
    return json.dumps(_listed([*kept[:1], *kept[1 + gone :], entry], dropped + gone))


def _listed(entries: list[Entry], dropped: int) -> list[Entry]:
    return [entries[0], {DROPPED: dropped}, *entries[1:]] if dropped else entries


def history_with(old: str | None, entry: Entry) -> str | None:
    """CF's history with one line more: the moment first, then the command, the newest line first, as NCO writes it.
    None where that would be longer than an attribute may be: then it stays as it is."""
    line = printable(f"{entry['time']} {entry['command']} (hpcprov {entry['run']})")
    text = f"{line}\n{old}" if old else line
    return text if len(text.encode("utf-8", "surrogatepass")) <= MOST_OCTETS else None


def has(entries: list[Entry], entry: Entry) -> bool:
    """Whether there is an entry of the same run for the same values."""
    return any((one["run"], one["after"]) == (entry["run"], entry["after"]) for one in entries)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

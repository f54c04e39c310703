"""Is a record what was sealed? Its bytes, its seal, its logs one by one; and would its logs give it again?

problems(directory, record, data)  ->  ["log n1.8123-4711.0.log is missing"]; [] when all is as it was sealed
dropped_output(directory, record)  ->  ["output n1.8123-4711.0.out (1.2 MB) was pruned 2027-02-21 by ada"]
"""

from __future__ import annotations

import os
import stat

from hpcprov.merge import pruned
from hpcprov.merge.groups import Group
from hpcprov.merge.publish import compose
from hpcprov.merge.read import log_names, read_run
from hpcprov.merge.seal import in_its_form, is_as_sealed, sealed_sizes, verify_seal
from hpcprov.record import layout, model
from hpcprov.record.canonical import FORM, canonical
from hpcprov.record.errors import BadRecord
from hpcprov.record.wording import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

EDITED = f"{layout.RECORD} was changed since it was sealed"


def read(directory: str) -> tuple[Record, bytes]:
    """A record and the bytes of its file. Raises OSError, BadRecord."""
    path = os.path.join(directory, layout.RECORD)
    data = model.content(path)
    return model.parse(data, name=path), data


def problems(directory: str, record: Record, data: bytes, *, most: int | None = None) -> list[str]:
    """What is not as it was sealed, in plain words; of logs with more than `most` bytes only lengths are compared.
    Raises OSError when the directory cannot be read."""
    if verify_seal(record):
        found = [*_place(directory, record), *_spelling(record, data), *_earlier(directory, record)]
    else:
        form = record["seal"].get("form")
        found = [EDITED if form in (None, FORM) else f"its seal has the form {form!r}, which is not known here"]
    return found + logs(directory, record, most)


def _place(directory: str, record: Record) -> list[str]:
    """A record that lies where another run's should."""
    name, run_id = os.path.basename(directory), record["run"]["id"]
    return [] if run_id == name else [f"this is the record of {run_id!a}, in the place of {name!a}"]


def _spelling(record: Record, data: bytes) -> list[str]:
    """Other bytes with the same meaning: nobody but an editor writes them."""
    if "form" not in record["seal"] or data == (in_its_form(record) or b"") + b"\n":
        return []
    return [f"{layout.RECORD} says what was sealed, in other bytes: it was written anew"]


def logs(directory: str, record: Record, most: int | None = None) -> list[str]:
    """Logs that are missing, cut, changed, longer than sealed, or were not there when the record was made."""
    names, excused = log_names(directory), {log["name"] for log in pruned.dropped(record, directory)}
    entries = {log["name"]: log for log in record["seal"]["logs"] if log["name"] not in excused}
    reads = most is None or sum(log["bytes"] for log in entries.values()) <= most
    found = [text for log in entries.values() if (text := _wrong(directory, log, reads=reads)) is not None]
    if len(entries) + len(excused) != len(record["seal"]["logs"]):
        found.append("the seal names a log twice")
    return found + [f"log {name} is not sealed" for name in names if name not in sealed_sizes(record)]


def _wrong(directory: str, log: dict[str, Any], *, reads: bool) -> str | None:
    name = log["name"]
    if layout.LOG_NAME.fullmatch(name) is None:
        return f"the seal names {name!a}, which is no log"
    try:
        facts = os.stat(os.path.join(directory, name), follow_symlinks=False)
    except FileNotFoundError:
        return f"log {name} is missing"
    if not stat.S_ISREG(facts.st_mode):
        return f"log {name} is no file"
    if facts.st_size < log["bytes"]:
        return f"log {name} is shorter than sealed: {facts.st_size} of {log['bytes']} bytes"
    if reads and not is_as_sealed(log, directory):
        return f"log {name} has changed"
    return (
        f"log {name} has {facts.st_size - log['bytes']} bytes more than sealed" * (facts.st_size > log["bytes"]) or None
    )


def _earlier(directory: str, record: Record) -> list[str]:
    """The revision before, as far as it is still there."""
    name = layout.old_record(record["revision"] - 1)
    path = os.path.join(directory, name)
    if record["seal"].get("previous") is None or not os.path.lexists(path):
        return []
    try:
        before = model.load(path)
    except (OSError, BadRecord):
        return [f"{name} cannot be read"]
    sound = verify_seal(before) and before["seal"]["record"] == record["seal"]["previous"]
    return [] if sound else [f"{name} is not the revision that this one took the place of"]


def dropped_output(directory: str, record: Record) -> list[str]:
    """What was dropped on purpose of a run's output, when, and by whom: as the lists beside the record say."""
    told = {log["name"]: one for one in reversed(pruned.lists(directory)) for log in one["logs"]}
    return [
        f"output {log['name']} ({size(log['bytes'])}) was pruned {_when_and_by(told[log['name']])}"
        for log in pruned.dropped(record, directory)
    ]


def _when_and_by(one: dict[str, Any]) -> str:
    who = one["by"].get("name") or one["by"].get("uid")
    return f"on {one['time'][:10]}" + (f" by {who}" if who is not None else "")


def folded_otherwise(directory: str, record: Record) -> list[str]:
    """The members of a record that its logs would not give again. Raises OSError.

    Another version of hpcprov may fold the same logs to other members: this is a question, not a proof."""
    again = compose(Group(read_run(directory)), run_id=record["run"]["id"])
    gone = pruned.captured(pruned.dropped(record, directory))
    again["output"]["files"] = sorted(again["output"]["files"] + gone, key=lambda file: str(file["name"]))
    names = sorted((again.keys() | record.keys()) - {"revision", "seal"})
    return [name for name in names if _text(again, name) != _text(record, name)]


def _text(record: Record, name: str) -> bytes | None:
    try:
        return canonical(record[name]) if name in record else None
    except ValueError:  # no logs give what has no canonical form
        return b""

"""Whether a record is still what was sealed, and its logs beside it: checked when a page is made.

seal(record, directory)  ->  {"state": "intact", "text": "The record is as it was sealed; 2 logs are as …", ...}
"""

from __future__ import annotations

import os

from hpcprov.merge.read import log_names
from hpcprov.merge.seal import changed_logs, losses, verify_seal
from hpcprov.record.wording import count
from hpcprov.report.told import bytes_of, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

MOST_LOGS = 200


def seal(record: Record, directory: str | None) -> dict[str, Any]:
    """`state` (intact, changed, none), `text`, `doubts` (what is wrong), `digest`, and the `logs`."""
    if "seal" not in record:
        text = "There is no seal yet: the record is made and sealed when the run is over."
        return {"state": "none", "text": text, "doubts": [], "digest": "", "logs": [], "more": 0, "revision": 0}
    doubts = [] if verify_seal(record) else ["this record was CHANGED after it was sealed: do not rely on it"]
    wrong, unchecked = _logs(record, directory)
    doubts += wrong
    logs = record["seal"]["logs"]
    frames = sum(log["frames"] for log in logs)
    whole = f"{count(len(logs), 'log')} with {count(frames, 'frame')}"
    beside = unchecked or f"and so {'is' if len(logs) == 1 else 'are'} its {whole}"
    text = "; ".join(doubts) if doubts else f"The record is as it was sealed, {beside}."
    rows = [{"name": log["name"], "size": bytes_of(log["bytes"]), "sha256": log["sha256"]} for log in logs[:MOST_LOGS]]
    return {
        "state": "changed" if doubts else "intact",
        "text": text[:1].upper() + text[1:],
        "doubts": doubts,
        "digest": word(record["seal"], "record"),
        "logs": rows,
        "more": max(0, len(logs) - MOST_LOGS),
        "revision": record["revision"],
    }


def _logs(record: Record, directory: str | None) -> tuple[list[str], str]:
    """What is wrong with the logs, and why they were not looked at."""
    if directory is None or not os.path.isdir(directory):
        return [], "but its logs are not at hand and were not checked"
    try:
        names = log_names(directory)
        wrong = losses(record, directory, names)
        changed = changed_logs(record, directory, names)
    except OSError as error:
        return [], f"but its logs could not be checked: {error.strerror or error}"
    if changed is None:
        return wrong, "but its logs are large, so that only their lengths were checked"
    return wrong + [f"log {name} has CHANGED since it was sealed" for name in changed], ""

"""One run among many: a row of a table, and as much of what is known of it as a page of many has room for.

line = line_of(record)            # small, whatever the record holds
line["name"], line["status"]["word"], line["start"]  ->  "flood", "completed", "2026-11-21T14:21:58.123456789Z"
"""

from __future__ import annotations

from hpcprov.record.text import printable
from hpcprov.record.wording import words
from hpcprov.report.artifacts import artifacts
from hpcprov.report.summary import about, lead, status, title_of
from hpcprov.report.told import number, took
from hpcprov.report.trouble import troubles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

    Line = dict[str, Any]

LONGEST_WORD, LONGEST_NAME, LONGEST_COMMAND, LONGEST_VALUE = 20, 80, 160, 400
MOST_ARTIFACTS = 12
MOST_TROUBLES = 5
MOST_PARTS = 1000


def line_of(record: Record) -> Line:
    """Texts are cut, and not yet escaped for a page; `seconds`: how long, None when unknown."""
    run = record["run"]
    return {
        "id": run["id"],
        "kind": brief(run["kind"], LONGEST_WORD),
        "name": brief(run["name"] or title_of(record), LONGEST_NAME),
        "status": status(brief(run["status"], LONGEST_WORD)),
        "start": run["start"],
        "end": run["end"] or run["last_heard"],
        "seconds": number(run["duration_s"]),
        "took": took(run["duration_s"]) if run["duration_s"] is not None else "",
        "ranks": record["ranks"]["count"],
        "nodes": [brief(node["node"], LONGEST_NAME) for node in record["nodes"][:64]],
        "node_count": len(record["nodes"]),
        "user": brief(run["user"]["name"] or "", LONGEST_NAME),
        "command": brief(words(run["argv"]), LONGEST_COMMAND) if run["argv"] else "",
        "inside": run["parent"] is not None,
        "part_of": [whole for whole in (run["part_of"]["job"], run["part_of"]["workflow"]) if whole],
        "parts": len(record["parts"]),
        "holds": [part["run"] for part in record["parts"][:MOST_PARTS]],
        "cause": brief(run["cause"]["text"], LONGEST_VALUE) if run["cause"] else "",
        "details": None,
    }


def details_of(record: Record) -> dict[str, Any]:
    """What stands folded below the table."""
    return {
        "lead": brief(lead(record), LONGEST_VALUE),
        "note": brief(record["run"]["note"] or "", LONGEST_VALUE),
        "tags": [(brief(key, 60), brief(value, 120)) for key, value in sorted(record["run"]["tags"].items())[:20]],
        "troubles": [one | {"text": brief(one["text"], LONGEST_VALUE)} for one in troubles(record)[:MOST_TROUBLES]],
        "about": [(label, brief(value, LONGEST_VALUE)) for label, value in about(record)[:10]],
        "artifacts": [
            (word, *_artifacts(record, role)) for word, role in (("Inputs", "used"), ("Outputs", "generated"))
        ],
    }


def brief(text: str, most: int) -> str:
    """Untrusted text, visible, on at most `most` characters."""
    shown = printable(text[:most])
    return shown if len(shown) <= most and len(text) <= most else f"{shown[: most - 1]}…"


def weight(value: Any) -> int:
    """About how many characters a value takes in a page."""
    if isinstance(value, dict):
        return sum(map(weight, value.values()))
    if isinstance(value, (list, tuple)):
        return sum(map(weight, value))
    return 45 + len(str(value))


def _artifacts(record: Record, role: str) -> tuple[list[dict[str, str]], int]:
    """The first few, and how many more there are."""
    found = artifacts(record, role)
    shown = [
        {key: brief(str(one[key]), LONGEST_VALUE) for key in ("path", "format", "size", "digest", "storage", "state")}
        for one in found["entries"][:MOST_ARTIFACTS]
    ]
    return shown, found["count"] - len(shown)

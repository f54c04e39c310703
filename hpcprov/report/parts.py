"""The runs of a job or workflow, in order of time, each with its end; and the jobs that a workflow system tells of.

parts(record, {"20261121T142522Z-72ec67d0": row})["rows"][0]  ->  {"name": "terrain", "status": {...}, "took": "1.2 s"}
"""

from __future__ import annotations

from hpcprov.record import model
from hpcprov.record.inside import items, objects, part
from hpcprov.record.wording import words
from hpcprov.report.summary import status
from hpcprov.report.told import took, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.record.model import Record

MOST = 500
MOST_JOBS = 200
LOOKS = {"completed": "completed", "cached": "completed", "failed": "failed", "unfinished": "incomplete"}


def runs(record: Record, known: Mapping[str, Record]) -> dict[str, Any]:
    """The parts; `known`: records of parts by their ids."""
    rows = [row(one, known.get(one["run"])) for one in record["parts"][:MOST]]
    counts: dict[str, int] = {}
    for one in rows:
        counts[one["status"]["word"]] = counts.get(one["status"]["word"], 0) + 1
    return {"rows": rows, "more": max(0, len(record["parts"]) - MOST), "counts": sorted(counts.items())}


def row(one: dict[str, Any], record: Record | None) -> dict[str, Any]:
    run = record["run"] if record else {}
    made = [text for text in items(one, "outputs") if type(text) is str]
    return {
        "run": one["run"],
        "name": one["name"] or words(one["argv"]),
        "status": status(run.get("status", "no record")),
        "took": took(run["duration_s"]) if record else "",
        "start": run.get("start"),
        "outputs": ", ".join(made[:5]) + (f" and {len(made) - 5:,} more" if len(made) > 5 else ""),
        "cause": run["cause"]["text"] if record and run["cause"] else "",
    }


def workflow(record: Record) -> dict[str, Any] | None:
    """What the workflow system tells: None for what is no workflow."""
    fact = model.fact(record, "workflow")
    if not fact:
        return None
    jobs = objects(fact, "jobs")
    counts = [(name, number) for name, number in part(fact, "counts").items() if type(number) is int and number]
    file = part(fact, "snakefile")
    rows = [
        ("System", f"{word(fact, 'engine')} {word(fact, 'version')}".strip()),
        ("Workflow file", word(file, "path")),
        ("Its SHA-256", word(file, "sha256")),
        ("Configuration's digest", word(part(fact, "config"), "digest")),
        ("Jobs", ", ".join(f"{number:,} {name}" for name, number in counts)),
        ("Not known", word(fact, "reason")),
    ]
    return {
        "rows": [(label, text) for label, text in rows if text],
        "jobs": [job(one) for one in jobs[:MOST_JOBS]],
        "more": max(0, len(jobs) - MOST_JOBS),
        "final": fact.get("final") is not False,
    }


def job(one: dict[str, Any]) -> dict[str, Any]:
    told = status(LOOKS.get(word(one, "status"), "no record")) | {"word": word(one, "status") or "unknown"}
    return {
        "rule": word(one, "rule"),
        "status": told,
        "wildcards": ", ".join(f"{key}={value}" for key, value in list(part(one, "wildcards").items())[:20]),
        "output": ", ".join(str(text) for text in items(one, "output")[:10]),
        "runs": ", ".join(str(text) for text in items(one, "runs")[:10]),
    }

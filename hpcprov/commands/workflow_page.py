"""What a workflow's page says of its jobs: how many ended how, and of those that did not complete each one.

    workflow   snakemake 9.27.1, /home/ada/flood/Snakefile: 5 completed, 1 failed, 2 not run
    failed     solve x=3 -> u.h5: rank 2 ended with status 7  (run 20261121T093000Z-1f2e3d4c, log log/solve.log)

The fact `workflow` holds what a log held: nothing in here trusts it.
"""

from __future__ import annotations

from hpcprov.commands.screen import cut
from hpcprov.record import model
from hpcprov.record.inside import inner, items, objects, part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

MOST_JOBS = 12
# In this order: what ended badly, and what was interrupted.
BAD = ("failed", "unfinished")


def workflow_rows(record: Record, parts: Mapping[str, Record], screen: Screen) -> Iterator[tuple[str, str]]:
    """Labelled lines; `parts`: records of the workflow's runs, by run id."""
    fact = model.fact(record, "workflow")
    if not fact:
        return
    counts = part(fact, "counts")
    told = [f"{number:,} {word}" for word, number in counts.items() if type(number) is int and number]
    file = inner(fact, "snakefile", "path")
    where = f", {file}" if file else ""
    jobs = ", ".join(told) or str(fact.get("reason") or "no jobs")
    as_of = "" if fact.get("final") else " when it was last written down"
    yield "workflow", cut(f"{fact.get('engine')} {fact.get('version')}{where}: {jobs}{as_of}", 2 * screen.width)
    for state in BAD:
        bad = [job for job in objects(fact, "jobs") if job.get("status") == state]
        for job in bad[:MOST_JOBS]:
            yield state, cut(_line(job, parts), 3 * screen.width)
        if len(bad) > MOST_JOBS:
            yield state, f"... and {len(bad) - MOST_JOBS:,} more"


def _line(job: dict[str, Any], parts: Mapping[str, Record]) -> str:
    """`solve x=3 -> u.h5: rank 2 ended with status 7  (run ..., log log/solve.log)`."""
    wildcards = "".join(f" {name}={value}" for name, value in part(job, "wildcards").items())
    outputs = _words(job.get("output"))
    made = f" -> {', '.join(outputs)}" if outputs else ""
    runs = _words(job.get("runs"))
    causes = [parts[run]["run"]["cause"] for run in reversed(runs) if run in parts]
    why = next((f": {cause['text']}" for cause in causes if cause), "")
    places = [f"run {run}" for run in runs[-1:]] + [f"log {log}" for log in _words(job.get("log"))]
    places += [f"Slurm job {job['slurm']}"] if job.get("slurm") else []
    return f"{job.get('rule')}{wildcards}{made}{why}" + (f"  ({', '.join(places)})" if places else "")


def _words(value: Any) -> list[str]:
    return [one for one in items(value) if type(one) is str]

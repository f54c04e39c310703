"""The page of one run: each section's values from the module of its name, put together by the template run.html.

html = render(record, directory="/scratch/ada/.hpcprov/records/2026/11/21/x", known={...})
"""

from __future__ import annotations

from hpcprov.report import artifacts, ask, code, nodes, parts, programs, sealing, software, summary, trouble
from hpcprov.report.counted import logs
from hpcprov.report.curves import curves
from hpcprov.report.definitions import definitions
from hpcprov.report.output import output
from hpcprov.report.page import compose
from hpcprov.report.picture import picture
from hpcprov.report.steps import steps
from hpcprov.report.timeline import timeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hpcprov.catalog.graph import Graph
    from hpcprov.record.model import Record

MOST_LOGS = 50  # of Darshan's


def render(
    record: Record,
    *,
    directory: str | None = None,
    known: Mapping[str, Record] | None = None,
    attested: Sequence[str] = (),
    notes: Sequence[str] = (),
    graph: Graph | None = None,
) -> str:
    """The page. `directory` holds the run's logs (None: they are not at hand); `known` are records of a job's or
    workflow's parts by id; `attested` tells in words who vouches for the record, `notes` what else there is to know of
    it: where it was imported from, what was dropped; `graph` is its lineage. Raises MissingTemplates."""
    told = values(record, directory, known or {}, attested=attested, notes=notes)
    drawn = picture(graph) if graph is not None and len(graph.nodes) > 1 else None
    styles, scripts = (["graph.css"], ["run.js", "graph.js"]) if drawn else ([], ["run.js"])
    return compose("run.html", styles=styles, scripts=scripts, lineage=drawn, **told)


def values(
    record: Record,
    directory: str | None,
    known: Mapping[str, Record],
    *,
    attested: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """What all forms of the report say."""
    sealed = sealing.seal(record, directory)
    head = summary.heading(record)
    return {
        "title": f"{head['title']} · {head['status']['word']}",
        "head": head,
        "about": summary.about(record),
        "troubles": trouble.troubles(record, sealed["doubts"], notes),
        "timeline": timeline(record),
        "definitions": definitions(record),
        "steps": steps(record),
        "curves": curves(record),
        "darshan": logs(record)[:MOST_LOGS],
        "outputs": artifacts.artifacts(record, "generated"),
        "inputs": artifacts.artifacts(record, "used"),
        "parts": parts.runs(record, known),
        "workflow": parts.workflow(record),
        "hosts": nodes.hosts(record),
        "devices": nodes.devices(record),
        "job": nodes.job(record),
        "job_steps": nodes.steps(record),
        "software": software.software(record),
        "environment": software.environment(record),
        "code": code.code(record),
        "programs": programs.programs(record),
        "output": output(record, directory),
        "seal": sealed,
        "attested": list(attested),
        "hpcprov": record["run"].get("hpcprov"),
        "ask": ask.ask(record),
    }

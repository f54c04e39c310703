"""Steps of Python programs as OpenLineage events: runs of jobs of their own below the step or run around them.

    step_events(record, {"run": {"runId": "…"}, "job": {"namespace": "…", "name": "process"}}, None)
    ->  START and COMPLETE of the job `process.__main__:anomaly`, with inputs and outputs, parameters in `hpcprov_step`

`runId` is the UUID (version 5, URL) of `urn:hpcprov:step:<run id>:<number>`. Equal calls that are one row of the record
are one run. What a dataset is, the run's own events say; here is only which version of it.
"""

from __future__ import annotations

from hpcprov.export.openlineage_facets import dataset, event, facet, identity, own
from hpcprov.export.steps import steps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.export.openlineage_facets import Json
    from hpcprov.export.steps import Step
    from hpcprov.record.model import Record

ENDS = {"completed": "COMPLETE"}  # any other status is FAIL
KEPT = ("function", "code", "count", "failed", "status", "parameters", "note", "duration_s")


def step_events(record: Record, run: Json, above: Json | None) -> Iterator[Json]:
    """The events of the steps of a run. `run`: how a parent facet names it, `above`: what started it."""
    around: dict[int | None, Json] = {None: run}
    for step in steps_of(record):
        around[step.number] = _known_as(record, step, run["job"])
        yield from _events(record, step, around[step.number], around[step.around] | {"root": above or run})


def _known_as(record: Record, step: Step, job: Json) -> Json:
    """A step as a parent facet names it: a function is one job, wherever the run called it."""
    name = f"{job['name']}.{step.function or step.facts['name']}"
    run_id = identity(f"urn:hpcprov:step:{record['run']['id']}:{step.number}")
    return {"run": {"runId": run_id}, "job": job | {"name": name}}


def _events(record: Record, step: Step, known: Json, parent: Json) -> Iterator[Json]:
    run, facts = record["run"], step.facts
    began = facts["began"] or run["start"] or run["last_heard"]
    if began is None:
        return
    yield _event("START", began, step, known, parent)
    if facts["status"] != "running":
        ended = facts["ended"] or run["end"] or run["last_heard"] or began
        yield _event(ENDS.get(facts["status"], "FAIL"), max(began, ended), step, known, parent)


def _event(kind: str, time: str, step: Step, known: Json, parent: Json) -> Json:
    facts = step.facts
    facets = {"parent": facet("ParentRunFacet", parent)}
    facets["hpcprov_step"] = own("StepFacet", {"name": facts["name"]} | {key: facts.get(key) for key in KEPT})
    if kind == "FAIL":
        message = {"message": facts.get("error") or facts["status"], "programmingLanguage": "Python"}
        facets["errorMessage"] = facet("ErrorMessageRunFacet", message)
    job = {"processingType": "BATCH", "integration": "HPCPROV", "jobType": "STEP"}
    made = [] if kind == "START" else step.data("generated")
    return event(
        kind,
        time,
        run=known["run"] | {"facets": facets},
        job=known["job"] | {"facets": {"jobType": facet("JobTypeJobFacet", job)}},
        inputs=[dataset(one, "input", brief=True) for _, one in step.data("used")],
        outputs=[dataset(one, "output", brief=True) for _, one in made],
    )

"""Steps of Python programs in an RO-Crate: an action for each call of a tracked function and for each block.

add_steps(crate, data, record, run)  ->  [{"@id": "#step-of-20261121T093000Z-1f2e3d4c.1"}, ...]

`instrument` is the function, a part of the program that the run executed; of a block that program itself. `object`
holds the parameters beside the data. An action `isPartOf` that of the step around it, or that of the run.
"""

from __future__ import annotations

import json

from hpcprov.export import crate_actions as actions
from hpcprov.export.crate import when, word
from hpcprov.export.steps import steps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.export.crate import Crate, Reference
    from hpcprov.export.crate_data import Data
    from hpcprov.export.steps import Step
    from hpcprov.record.model import Record


def add_steps(
    crate: Crate, data: Data, record: Record, run: Reference, instrument: Reference | None = None
) -> list[Reference]:
    """The actions of a run's steps. `run`: the run's own; `instrument`: what that has, where it was given one."""
    found: dict[int | None, Reference] = {None: run}
    for step in steps_of(record):
        tool = instrument or actions.program(crate, record)
        found[step.number] = _act(crate, data, record, step, found[step.around], tool)
    return list(found.values())[1:]


def _act(crate: Crate, data: Data, record: Record, step: Step, around: Reference, tool: Reference) -> Reference:
    facts = step.facts
    made = [data.add(record, role, artifact) for role, artifact in step.data("generated")]
    used = [data.add(record, role, artifact) for role, artifact in step.data("used")]
    return crate.add(
        _place("step-of", record, step),
        "CreateAction" if made else "ActivateAction",
        name=f"{facts['name']} ({facts['count']} calls)" if facts["count"] > 1 else facts["name"],
        description=facts.get("note"),
        startTime=when(facts["began"]),
        endTime=when(facts["ended"]),
        actionStatus=actions.status(facts["status"]),
        error=facts["error"] if facts["status"] == "failed" else None,
        instrument=_function(crate, record, step, tool),
        agent=actions.agent(crate, record["run"]["user"]),
        object=used + _parameters(crate, record, step),
        result=made,
        isPartOf=around,
    )


def _function(crate: Crate, record: Record, step: Step, tool: Reference) -> Reference:
    """The function that was called; the same in all runs as long as its text is."""
    function, code = step.function, step.facts.get("code")
    if function is None:
        return tool
    found = crate.add(
        word("function", function, code or record["run"]["id"]),
        "SoftwareApplication",
        name=function,
        softwareVersion=f"sha256:{code}" if code else None,
    )
    crate.say(found, "isPartOf", tool)
    return found


def _parameters(crate: Crate, record: Record, step: Step) -> list[Reference]:
    found: dict[str, Any] = step.facts.get("parameters") or {}
    return [
        crate.value(_place("parameter", record, step, name), name, value if type(value) is str else json.dumps(value))
        for name, value in sorted(found.items())
    ]


def _place(kind: str, record: Record, step: Step, *more: str) -> str:
    return word(kind, f"{record['run']['id']}.{step.number}", *more)

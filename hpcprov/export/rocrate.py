"""Runs as an RO-Crate (https://w3id.org/ro/crate/1.1) that keeps the profiles of Workflow Run RO-Crate 0.5.

    render([run])  ->  {"ro-crate-metadata.json": "...", "records/20261121T093000Z-1f2e3d4c/record.json": Copied(...)}

A run is a Process Run Crate; a workflow with its runs a Provenance Run Crate. The records are always in the crate, with
their logs and signatures, so that their seals can be checked and `hpcprov import` takes them back. Data is in it only
where the caller gives `copy`; else the crate says where it lay, and its digests.
"""

from __future__ import annotations

import hashlib
import os

from hpcprov.export import bundle
from hpcprov.export.crate import Crate, when, within
from hpcprov.export.crate_actions import act, agent, identifier
from hpcprov.export.crate_data import Data
from hpcprov.export.crate_steps import add_steps
from hpcprov.export.crate_workflow import Workflow, is_workflow
from hpcprov.export.wording import told
from hpcprov.record import layout, model
from hpcprov.record.inside import inner
from hpcprov.record.wording import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.crate import Reference
    from hpcprov.export.crate_data import Copies
    from hpcprov.export.formats import Copied, Run

RECORDS = "records"
EARLIEST = "1970-01-01"  # a date must be given, and nothing in the records has one
WORKFLOW_RO_CRATE = ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0")
PROFILES = [
    (f"https://w3id.org/ro/wfrun/{name}/0.5", f"{name.capitalize()} Run Crate", "0.5")
    for name in ("process", "workflow", "provenance")
]


def render(
    runs: list[Run], *, copy: Copies | None = None, license: str | None = None
) -> dict[str, str | bytes | Copied]:
    """The files of the crate. `copy`: what of the data and of the workflow's file is taken in (see crate_data.Data; a
    snakefile under its path and `sha256:...`); `license`: the terms under which others may use it."""
    runs = list({run.id: run for run in runs}.values())
    records, copies = [run.record for run in runs], copy or {}
    first = records[0]
    title = first["run"]["name"] or first["run"]["id"]
    published = max((when(record["run"]["end"] or record["run"]["last_heard"]) or "" for record in records), default="")
    what = f"{len(runs)} run{'' if len(runs) == 1 else 's'} recorded by hpcprov, with their records"
    crate = Crate(f"Runs of {title}", what, license=license, published=published or EARLIEST)
    data = Data(crate, records, copies)
    if is_workflow(first):
        crate.conform(*PROFILES, WORKFLOW_RO_CRATE)
        crate.conform_descriptor(WORKFLOW_RO_CRATE[0])
        mentions = Workflow(crate, data, first, records[1:]).add(_snakefile(first, copies))
    else:
        crate.conform(PROFILES[0])
        acts = [(record, act(crate, data, record)) for record in records]
        steps = [step for record, run in acts for step in add_steps(crate, data, record, run)]
        mentions = [run for _, run in acts] + steps
    people = [one for one in (agent(crate, record["run"]["user"]) for record in records) if one is not None]
    crate.describe(mentions=mentions, author=list({one["@id"]: one for one in people}.values()))
    for run in runs:
        _include_record(crate, run)
    _include_readme(crate, records)
    return crate.content()


def _snakefile(record: model.Record, copies: Copies) -> Copied | None:
    known = inner(model.fact(record, "workflow"), "snakefile") or {}
    return copies.get((str(known.get("path")), f"sha256:{known.get('sha256')}"), {}).get("")


def _include_record(crate: Crate, run: Run) -> Reference | None:
    """Take a run's record and what its seal is over into the crate."""
    if "seal" not in run.record:
        return None
    place = f"{RECORDS}/{os.path.basename(run.directory)}"
    for name, copied in bundle.files(run.directory):
        crate.files[f"{place}/{name}"] = copied
    about = {"about": {"@id": identifier(run.id)}, "encodingFormat": "application/json"}
    text = "The record of a run, and the logs that it was folded from"
    crate.add(f"{within(place)}/", "Dataset", data=True, name=f"Record of {run.id}", description=text)
    name = f"Record of {run.id}"
    return crate.add(within(f"{place}/{layout.RECORD}"), "File", data=True, name=name, **_digest(run), **about)


def _digest(run: Run) -> dict[str, str]:
    """Of the file as it is taken into the crate, where it is still there. The seal
    inside of it is the digest of what stands around it."""
    try:
        with open(os.path.join(run.directory, layout.RECORD), "rb") as file:
            return {"identifier": f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"}
    except FileNotFoundError:
        return {}


def _include_readme(crate: Crate, records: list[model.Record]) -> None:
    """A page for who opens the crate without tools."""
    lines = [f"# {crate.root['name']}", "", "Recorded by hpcprov: what was run, with what, and what came of it.", ""]
    lines += [f"    {told(record['run']['id'])}  {told(words(record['run']['argv']))[:200]}" for record in records]
    lines += ["", "`ro-crate-metadata.json` says it for programs (https://w3id.org/ro/crate/1.1); `records/` has the"]
    lines += ["records themselves, sealed, and their logs. `hpcprov import` reads them into a store of your own.", ""]
    crate.files["README.md"] = "\n".join(lines)
    facts = {"name": "README", "encodingFormat": "text/markdown", "about": {"@id": "./"}}
    crate.add("README.md", "File", data=True, **facts)

"""A workflow's record in an RO-Crate, as Provenance Run Crate 0.5 wants it: the plan, and beside it what happened.

snakefile     ComputationalWorkflow, HowTo: `step` its rules, `hasPart` what they execute
rule          HowToStep `#step-<rule>`, and its tool `#rule-<rule>` with FormalParameters, input and output
Snakemake     OrganizeAction; each job a ControlAction, whose `object` are the actions of its runs
workflow run  CreateAction: from what no run of it made to what no run of it read again
"""

from __future__ import annotations

import os

from hpcprov.export import crate_actions as actions
from hpcprov.export.crate import uri, when, within, word
from hpcprov.export.crate_steps import add_steps
from hpcprov.record import model
from hpcprov.record.inside import inner, objects
from hpcprov.record.wording import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.export.crate import Crate, Reference
    from hpcprov.export.crate_data import Data
    from hpcprov.export.formats import Copied
    from hpcprov.record.model import Record

LANGUAGES = "https://w3id.org/workflowhub/workflow-ro-crate#"
PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
MOST_PARAMETERS = 1000


def is_workflow(record: Record) -> bool:
    """Does a record tell of a workflow's plan?"""
    plan = model.fact(record, "workflow")
    return record["run"]["kind"] == "workflow" and type(inner(plan, "snakefile", "path")) is str


class Workflow:
    """One workflow and its runs, in a crate."""

    def __init__(self, crate: Crate, data: Data, record: Record, parts: list[Record]) -> None:
        self.crate, self.data, self.record = crate, data, record
        self.parts = {part["run"]["id"]: part for part in parts}
        self.plan = model.fact(record, "workflow")
        self.jobs = objects(self.plan, "jobs")
        self.rules = {str(rule.get("name")): rule for rule in objects(self.plan, "rules")}
        self.rule_of = {run: str(job.get("rule")) for job in self.jobs for run in _texts(job.get("runs"))}
        self.jobs_of: dict[str, list[dict[str, Any]]] = {}
        for job in self.jobs:
            if _texts(job.get("runs")):
                self.jobs_of.setdefault(str(job.get("rule")), []).append(job)

    def add(self, copied: Copied | None) -> list[Reference]:
        """Everything; the actions that the crate's root mentions. `copied`: the workflow's file, to be included."""
        main = self._describe_plan(copied)
        tools = {name: self._describe_rule(name, position) for name, position in self._positions().items()}
        for tool in tools.values():
            self.crate.say(main, "hasPart", tool)
        acts = {
            run_id: actions.act(self.crate, self.data, part, tools.get(self.rule_of.get(run_id, "")))
            for run_id, part in self.parts.items()
        }
        whole = self._act(main)
        steps = [step for run_id in acts for step in self._add_steps(run_id, acts[run_id], tools)]
        return [whole, *acts.values(), *steps, *self._organize(whole, acts)]

    def _add_steps(self, run_id: str, run: Reference, tools: dict[str, Reference]) -> list[Reference]:
        tool = tools.get(self.rule_of.get(run_id, ""))
        return add_steps(self.crate, self.data, self.parts[run_id], run, tool)

    def _describe_plan(self, copied: Copied | None) -> Reference:
        path, engine = self.plan["snakefile"]["path"], str(self.plan.get("engine") or "snakemake")
        name, digest = os.path.basename(path) or "Snakefile", inner(self.plan, "snakefile", "sha256")
        if copied is not None:
            self.crate.files[f"workflow/{name}"] = copied
        language = self.crate.add(
            LANGUAGES + engine, "ComputerLanguage", name=engine.capitalize(), url=f"https://{engine}.readthedocs.io"
        )
        main = self.crate.add(
            uri(path) if copied is None else within(f"workflow/{name}"),
            ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            data=True,
            name=self.record["run"]["name"] or name,
            alternateName=path,
            programmingLanguage=language,
            encodingFormat="text/plain",
            conformsTo={"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
            version=f"sha256:{digest}" if digest else None,
        )
        self.crate.describe(mainEntity=main)
        for name in self._positions():
            self.crate.say(main, "step", {"@id": word("step", name)})
        return main

    def _describe_rule(self, name: str, position: int) -> Reference:
        rule = self.rules[name]
        how = str(rule.get("how") or "")
        tool = self.crate.add(
            word("rule", name),
            "SoftwareApplication",
            name=name,
            description=f"{how}: {rule.get(how) or ''}".strip(": "),
        )
        self.crate.add(word("step", name), "HowToStep", name=name, position=str(position), workExample=tool)
        for role, member in (("used", "input"), ("generated", "output")):
            for number, pattern in enumerate(_texts(rule.get(member))[:MOST_PARAMETERS]):
                self._parameter(tool, member, number, pattern, self._examples(name, role, member, number))
        return tool

    def _parameter(self, owner: Reference, member: str, number: int, name: str, values: list[Reference]) -> None:
        """A parameter of a tool or workflow, and the data that took its place."""
        kind = "Dataset" if values and self.crate.kind(values[0]) == "Dataset" else "File"
        facts: dict[str, Any] = {
            "name": name,
            "additionalType": kind,
            "conformsTo": {"@id": PARAMETER},
            "workExample": values,
        }
        stem = owner["@id"][1:] if owner["@id"].startswith("#") else "workflow"
        facts["conformsTo"] = {"@id": PARAMETER}
        parameter = self.crate.add(word(stem, member, number), "FormalParameter", **facts)
        self.crate.say(owner, member, parameter)
        for value in values:
            self.crate.say(value, "exampleOfWork", parameter)

    def _examples(self, rule: str, role: str, member: str, number: int) -> list[Reference]:
        """The data that was the rule's n-th input or output in some job."""
        found: dict[str, Reference] = {}
        for job in self.jobs_of.get(rule, []):
            paths = _texts(job.get(member))
            if number < len(paths):
                path = os.path.normpath(os.path.join(self.record["run"]["cwd"] or "/", paths[number]))
                for part in (self.parts[run] for run in _texts(job.get("runs")) if run in self.parts):
                    for artifact in part["artifacts"][role]:
                        if artifact["path"] == path:
                            one = self.data.add(part, role, artifact)
                            found[one["@id"]] = one
        return list(found.values())

    def _act(self, main: Reference) -> Reference:
        """The action of the workflow as a whole."""
        used = dict(self._versions("used"))
        made = dict(self._versions("generated"))
        ends = [self.data.add(*made[version]) for version in made if version not in used]
        begins = [self.data.add(*used[version]) for version in used if version not in made]
        for member, values in (("input", begins), ("output", ends)):
            for number, value in enumerate(values[:MOST_PARAMETERS]):
                name = os.path.basename(value["@id"].rstrip("/"))
                self._parameter(main, member, number, name, [value])
        run = self.record["run"]
        return self.crate.add(
            actions.identifier(run["id"]),
            "CreateAction",
            identifier=run["id"],
            name=f"Run of workflow {run['name'] or ''}".strip(),
            description=words(run["argv"]),
            startTime=when(run["start"]),
            endTime=when(run["end"] or run["last_heard"]),
            actionStatus=actions.status(run["status"]),
            error=run["cause"]["text"] if run["cause"] and run["status"] not in actions.STATUS else None,
            instrument=main,
            agent=actions.agent(self.crate, run["user"]),
            object=begins,
            result=ends,
        )

    def _versions(self, role: str) -> list[tuple[str, tuple[Record, str, dict[str, Any]]]]:
        return [
            (self.data.versions.name(part, role, artifact), (part, role, artifact))
            for part in self.parts.values()
            for artifact in part["artifacts"][role]
        ]

    def _organize(self, whole: Reference, acts: dict[str, Reference]) -> list[Reference]:
        """The engine's action and those of its jobs, as far as they have runs."""
        controls = []
        for job in self.jobs:
            runs = [acts[run] for run in _texts(job.get("runs")) if run in acts]
            if runs and str(job.get("rule")) in self.rules:
                state = "completed" if job.get("status") == "completed" else str(job.get("status"))
                controls.append(
                    self.crate.add(
                        word("job", self.record["run"]["id"], job.get("id")),
                        "ControlAction",
                        name=f"job {job.get('id')} of rule {job.get('rule')}",
                        instrument={"@id": word("step", str(job.get("rule")))},
                        object=runs,
                        actionStatus=actions.status(state),
                    )
                )
        if not controls:
            return []
        engine, version = str(self.plan.get("engine") or "snakemake"), self.plan.get("version")
        tool = self.crate.add(
            word("engine", engine, version),
            "SoftwareApplication",
            name=engine.capitalize(),
            softwareVersion=None if version is None else str(version),
            url=f"https://{engine}.readthedocs.io",
        )
        facts: dict[str, Any] = {
            "instrument": tool,
            "object": controls,
            "result": whole,
            "name": f"Run of {engine} {version or ''}",
        }
        return [self.crate.add(word("organize", self.record["run"]["id"]), "OrganizeAction", **facts)]

    def _positions(self) -> dict[str, int]:
        """The rules that execute something, each with the length of the longest way to it."""
        executed = [name for name in self.rules if name in self.jobs_of]
        edges = [pair for pair in (inner(self.plan, "edges") or []) if type(pair) is list and len(pair) == 2]
        place = dict.fromkeys(executed, 0)
        for _ in executed:  # as often as the longest way is long; a cycle ends too
            for source, target in edges:
                if type(source) is str and type(target) is str and source in place and target in place:
                    place[target] = max(place[target], min(place[source] + 1, len(executed)))
        return place


def _texts(value: Any) -> list[str]:
    return [one for one in value if type(one) is str] if type(value) is list else []

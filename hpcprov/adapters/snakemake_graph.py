"""What a workflow of Snakemake is made of: its rules and their order, its files with their digests.

sources = Sources()
graph_facts(workflow, table, sources)
->  {"snakefile": {"path": "/data/Snakefile", "sha256": "9f86..."}, "included": [], "config": {...},
     "rules": [{"name": "map", "how": "shell", "shell": "sort {input} > {output}", ...}], "edges": [["map", "all"]]}
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from hpcprov.adapters.job_table import MOST_JOBS, Job, short
from hpcprov.adapters.rule_options import cut
from hpcprov.adapters.snakemake_job import paths, texts
from hpcprov.capture import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.adapters.job_table import JobTable

MOST_FILES = 1000
MOST_RULES = 5000
MOST_EDGES = 20_000
MOST_BYTES = 64 << 20  # of one snakefile or configuration file


def graph_facts(workflow: Any, table: JobTable, sources: Sources) -> dict[str, Any]:
    """Rules, edges and files of Snakemake's workflow; jobs of which nothing was logged are added to the table."""
    graph = workflow.dag
    edges: set[tuple[str, str]] = set()
    for job in list(graph.jobs):
        number = graph.jobid(job)
        if number not in table.jobs:
            known = table.add(Job(number, job.rule.name, output=paths(job.output)))
            known.facts = {"wildcards": texts(job.wildcards_dict)} if len(table.jobs) <= MOST_JOBS else {}
        if not graph.needrun(job) and table.jobs[number].state == "not run":
            table.cached(number)
        edges |= {(earlier.rule.name, job.rule.name) for earlier in list(graph.job_dependencies(job))}
    counts = table.by_rule()
    rules = [rule_facts(rule, counts) for rule in list(workflow.rules)[:MOST_RULES] if rule.name in counts]
    return sources.facts(workflow) | {"rules": rules, "edges": [list(edge) for edge in sorted(edges)[:MOST_EDGES]]}


def rule_facts(rule: Any, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
    """A rule as the snakefile has it: patterns with their wildcards, and what is run."""
    codes = {"shell": rule.shellcmd, "script": rule.script, "wrapper": rule.wrapper, "notebook": rule.notebook}
    how = next((word for word, code in codes.items() if code), "nothing" if rule.norun else "run")
    entry = {"name": rule.name, "jobs": counts[rule.name], "how": how}
    entry |= {"input": patterns(rule.input), "output": patterns(rule.output)}
    return entry | ({how: cut(redact.scrub_word(str(codes[how])))} if how in codes else {})


def patterns(files: Any) -> list[str]:
    """The patterns of a rule's inputs or outputs; a function stands for what is only known of each job."""
    return short([item if isinstance(item, str) else "a function" for item in files or ()])


class Sources:
    """The files that make a workflow. Their digests are taken once: they may be edited while it runs."""

    def __init__(self) -> None:
        self.digests: dict[str, str | None] = {}

    def facts(self, workflow: Any) -> dict[str, Any]:
        """The snakefiles and configuration files with their digests, and the digest of the whole configuration."""
        from hpcprov.record.canonical import canonical, digest_bytes

        included = [str(source.get_path_or_uri(secret_free=True)) for source in list(workflow.included)[:MOST_FILES]]
        config = [str(path) for path in list(workflow.configfiles)[:MOST_FILES]]
        try:
            # JSON first: YAML knows names that are numbers.
            whole: str | None = digest_bytes(canonical(json.loads(json.dumps(workflow.config))))
        except (TypeError, ValueError):
            whole = None
        return {
            "snakefile": self.file(included[0]) if included else None,
            "included": [self.file(path) for path in included[1:]],
            "config": {"files": [self.file(path) for path in dict.fromkeys(config)], "digest": whole},
        }

    def file(self, path: str) -> dict[str, Any]:
        """Path and digest of a file."""
        where = os.path.abspath(path) if "://" not in path else redact.scrub_word(path)
        if where not in self.digests:
            self.digests[where] = file_digest(where)
        return {"path": where, "sha256": self.digests[where]}


def file_digest(path: str) -> str | None:
    """SHA-256 of a regular file of at most 64 MiB; None when it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError):
        return None
    return sha256(data).hexdigest() if len(data) <= MOST_BYTES else None

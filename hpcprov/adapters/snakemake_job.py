"""What Snakemake tells of one job: facts for the workflow's record, and the card for the shell that runs it.

own = own_job(3)                 Snakemake's own object, None when it cannot be found
job_facts(record, own)      ->  {"wildcards": {"sample": "a"}, "input": ["a.csv"], "threads": 1, ...}
card(own)                   ->  ["--name=map", "--tag=rule=map", "--tag=job=3", "--input=a.csv", ...]
"""

from __future__ import annotations

import sys

from hpcprov.adapters.job_table import short
from hpcprov.adapters.rule_options import cut, rule_options, text
from hpcprov.capture import redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import LogRecord
    from types import FrameType
    from typing import Any


def own_job(number: int) -> Any:
    """Snakemake's own object for a job, from the caller that tells of it; None when it cannot be found."""
    frame = caller("snakemake.jobs", "Job")
    return frame["self"] if frame is not None and frame["self"].jobid == number else None


def caller(module: str, name: str) -> dict[str, Any] | None:
    """The variables of the nearest method of a class among the functions that are being called; None without one.

    Snakemake hands its objects to nobody who only listens to its log.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(60):
        if frame is None:
            return None
        one = type(frame.f_locals.get("self"))
        if one.__module__ == module and one.__name__ == name:
            return frame.f_locals
        frame = frame.f_back
    return None


def job_facts(record: LogRecord, own: Any) -> dict[str, Any]:
    """What is told of a job beside its state: values as text, lists cut short."""
    facts: dict[str, Any] = {"wildcards": texts(getattr(record, "wildcards", None))}
    facts["resources"] = {
        key: value for key, value in texts(getattr(record, "resources", None)).items() if key[0] != "_"
    }
    facts["input"] = short(paths(own.input if own is not None else getattr(record, "input", None)))
    facts["log"] = short(paths(own.log if own is not None else getattr(record, "log", None)))
    facts["threads"] = getattr(record, "threads", None)
    facts["reason"] = cut(str(getattr(record, "reason", "") or ""))
    if own is not None:
        facts["params"] = texts(dict(own.params.items())) | positional(own.params)
    return {key: value for key, value in facts.items() if value}


def positional(params: Any) -> dict[str, str]:
    """Parameters without a name, by their places."""
    named = {id(value) for _, value in params.items()}
    return {str(k): cut(redact.scrub_word(text(value))) for k, value in enumerate(params) if id(value) not in named}


def card(own: Any) -> list[str]:
    """The options with which a job's command is recorded when it is run by hpcprov's own shell."""
    resources = {key: value for key, value in own.resources.items() if not key.startswith("_")}
    return rule_options(
        own.rule.name,
        input=paths(own.input),
        output=paths(own.output),
        log=paths(own.log),
        threads=own.threads,
        job=own.jobid,
        wildcards=own.wildcards_dict,
        params=dict(own.params.items()),
        resources=resources,
    )


def shell_command(own: Any, command: str) -> tuple[str | None, str]:
    """The shell that a job's command will be given to, and the text that it will be given (snakemake/shell.py)."""
    from snakemake.shell import shell

    executable = own.resources.get("shell_exec") or shell.get_executable()
    words = (shell._get_process_prefix(executable), command, shell._process_suffix)
    return executable, " ".join(words).strip()


def paths(files: Any) -> list[str]:
    """The paths of a job's inputs, outputs or logs."""
    return [str(path) for path in files or ()]


def texts(table: Any) -> dict[str, str]:
    """Names and values of wildcards, resources or parameters as text, without secrets."""
    found = table.items() if table else ()
    pairs = [(str(key)[:100], redact.scrub_word(f"{key}={text(value)}").partition("=")[2]) for key, value in found]
    return {key: cut(value) for key, value in pairs[:100]}

"""The parts of a run's page that come from facts: where it ran, in what surroundings.

    nodes      n1: AMD EPYC 7763, 128 threads, 270 GB
    code       /home/ada/model at 3f1c3f1c3f1c on main

Facts are values of any shape that a log held: nothing in here trusts one.
"""

from __future__ import annotations

from hpcprov.catalog.rows import array_task
from hpcprov.commands.artifact_page import short
from hpcprov.commands.screen import count, cut, duration, size
from hpcprov.record import model
from hpcprov.record.inside import objects, part, text
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

SHORT = 12  # hex digits of a commit: enough to tell two apart by eye


def where(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    job = record["run"]["kind"] == "job"
    yield "where", printable(record["run"]["cwd"] or (said(record, "work_dir") if job else None) or "(unknown)")
    if job and (node_list := said(record, "node_list")):
        yield "nodes", cut(node_list, screen.width)
    hosts = model.facts(record, "host")
    for names, fact in hosts[:3]:
        yield "nodes", cut(f"{', '.join(names)}: {_host(fact)}", screen.width)
    told = sum(len(names) for names, _ in hosts[:3])
    if told < len(record["nodes"]) and not job:
        rest = [node["node"] for node in record["nodes"]][told:]
        yield "nodes", cut(f"{'and ' if told else ''}{', '.join(rest)}", screen.width)
    yield from _job(model.fact(record, "scheduler"), screen)
    yield from _limits(model.fact(record, "job"), screen)


def said(record: Record, key: str) -> str | None:
    """What the scheduler says of a job: at its end, else while it was running."""
    values = [witness["value"] for witness in record["witnesses"]]
    values += [model.fact(record, "job"), model.fact(record, "scheduler")]
    return next((value[key] for value in values if type(value.get(key)) is str), None)


def _host(fact: dict[str, Any]) -> str:
    value = fact.get("value")
    if type(value) is not dict:
        return str(fact.get("error", "unknown"))
    cpu, memory = part(value, "cpu"), part(value, "memory")
    parts = [str(cpu.get("model", "")), count(cpu["threads"], "thread") if type(cpu.get("threads")) is int else ""]
    parts += [
        size(memory["total"]) if type(memory.get("total")) is int else "",
        str(part(value, "os").get("pretty_name") or ""),
    ]
    return ", ".join(word for word in parts if word)


def _job(job: dict[str, Any], screen: Screen) -> Iterator[tuple[str, str]]:
    if job.get("job_id") is not None:
        keys = ("cluster", "step_id", "partition", "account", "qos")
        rest = "".join(f", {key.removesuffix('_id')} {job[key]}" for key in keys if job.get(key) is not None)
        task = array_task(job)
        which = f", array task {task}" if task else ""
        restarts = job.get("restart_count")
        which += f", start {restarts + 1}" if type(restarts) is int and restarts > 0 else ""
        yield "job", cut(f"{job.get('name')} {job['job_id']}{which}{rest}", screen.width)


def _limits(job: dict[str, Any], screen: Screen) -> Iterator[tuple[str, str]]:
    """Of a job's own record: its time limit and resources."""
    limit = job.get("time_limit_s")
    parts = [f"at most {duration(limit)}"] if type(limit) is int else []
    parts += [str(job[key]) for key in ("allocated", "dependency") if job.get(key) is not None]
    if parts:
        yield "limits", cut(", ".join(parts), screen.width)


def surroundings(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    """Modules, containers, code and graphics processors, as the first node tells them."""
    names = " ".join(str(module.get("name")) for module in objects(model.fact(record, "modules"), "loaded"))
    if names:
        yield "modules", cut(names, 2 * screen.width)
    for container in objects(model.fact(record, "container"), "containers"):
        yield "container", cut(_container(container, objects(model.fact(record, "image"), "images")), screen.width)
    code = model.fact(record, "code")
    for tree in dict.fromkeys(filter(None, (_git(part(code, key)) for key in ("script", "directory")))):
        yield "code", cut(tree, screen.width)
    for device in objects(model.fact(record, "gpu"), "devices"):
        yield "gpu", cut(str(device.get("name")), screen.width)


def _container(container: dict[str, Any], images: list[dict[str, Any]]) -> str:
    """Runtime, image and, where its bytes were read, the image's identity."""
    image = container.get("path") or container.get("image")
    if image in (None, "unknown"):
        return f"{container.get('runtime')} ({container.get('how') or 'inside'}; image unknown)"
    known = next((one for one in images if one.get("image") == container.get("image")), {})
    digest = text(known, "identity", "digest")
    if digest is not None:
        return f"{container.get('runtime')} {short(digest)} {image}"
    why = f"  (not known which: {known['reason']})" if known.get("reason") else ""
    return f"{container.get('runtime')} {image}{why}"


def _git(place: dict[str, Any]) -> str:
    git = part(place, "git")
    if not git.get("commit"):
        return ""
    dirty = " with changes that are not committed" if git.get("dirty") else ""
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{git.get('root', '')} at {str(git['commit'])[:SHORT]}{branch}{dirty}"

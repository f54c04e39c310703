"""The machines of a run, and what its batch system says: equal nodes are one row.

hosts(record)[0]  ->  {"nodes": "nid00001, nid00002", "count": 2, "rows": [("Processor", "AMD EPYC 7763, …"), …]}
"""

from __future__ import annotations

from hpcprov.record import model
from hpcprov.record.inside import items, objects, part
from hpcprov.record.wording import count
from hpcprov.report.told import bytes_of, number, took, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record
    from hpcprov.report.told import Rows

MOST_KINDS = 16
MOST_NAMES = 64
MOST_STEPS = 50
MOST_DEVICES = 16
#: Keys of the scheduler's facts (docs/facts.md) and what they are called.
JOB = (
    ("name", "System"),
    ("cluster", "Cluster"),
    ("job_id", "Job"),
    ("job_name", "Job's name"),
    ("array_job_id", "Job array"),
    ("array_task_id", "Task of the array"),
    ("step_id", "Step"),
    ("restart_count", "Restarts"),
    ("partition", "Partition or queue"),
    ("account", "Account"),
    ("qos", "Quality of service"),
    ("reservation", "Reservation"),
    ("constraints", "Constraints"),
    ("nodes", "Nodes"),
    ("node_list", "Node list"),
    ("tasks", "Tasks"),
    ("cpus_per_task", "Processors per task"),
    ("memory_per_node", "Memory per node (MiB)"),
    ("gpus", "Graphics processors"),
    ("submit_dir", "Submitted from"),
    ("submit_line", "Submitted as"),
    ("script", "Script"),
    ("script_sha256", "Script's SHA-256"),
    ("requested", "Requested"),
    ("allocated", "Allocated"),
    ("dependency", "Dependency"),
)


def hosts(record: Record) -> list[dict[str, Any]]:
    """Kinds of nodes: those whose facts are equal but for their own name stand together."""
    kinds: dict[str, dict[str, Any]] = {}
    for names, fact in model.facts(record, "host"):
        rows = host(fact.get("value")) or [("Not known", str(fact.get("error", "")))]
        kind = kinds.setdefault(repr(rows), {"names": [], "rows": rows})
        kind["names"] += names
    known = {name for kind in kinds.values() for name in kind["names"]}
    rest = [node["node"] for node in record["nodes"] if node["node"] not in known]
    found = [*kinds.values(), *([{"names": rest, "rows": []}] if rest else [])]
    return [{"nodes": names_of(kind["names"]), "count": len(kind["names"]), "rows": kind["rows"]} for kind in found][
        :MOST_KINDS
    ]


def names_of(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def host(value: Any) -> Rows:
    """What a node is."""
    cpu, memory, group = part(value, "cpu"), part(value, "memory"), part(value, "cgroup")
    counts = [(cpu.get(f"{noun}s"), noun) for noun in ("socket", "core", "thread")]
    told = [word(cpu, "model"), *(count(number, noun) for number, noun in counts if type(number) is int)]
    affinity = part(cpu, "affinity")
    links = [word(one, "name") for one in objects(part(value, "interconnect"), "infiniband")]
    links += [word(one, "name") for one in objects(part(value, "interconnect"), "fabric")]
    kernel = part(value, "kernel")
    rows = [
        ("Processor", ", ".join(text for text in told if text)),
        ("Bound to", f"{word(affinity, 'list')} ({word(affinity, 'count')} threads)" if word(affinity, "list") else ""),
        ("Instruction sets", ", ".join(str(one) for one in items(cpu, "isa"))),
        ("Memory", bytes_of(memory["total"]) if number(memory.get("total")) is not None else ""),
        ("Limits", limits(group)),
        ("System", word(part(value, "os"), "pretty_name")),
        ("Kernel", f"{word(kernel, 'name')} {word(kernel, 'release')}".strip()),
        ("Machine", f"{word(part(value, 'machine'), 'vendor')} {word(part(value, 'machine'), 'product')}".strip()),
        ("Fast network", ", ".join(text for text in links if text)),
        ("Architecture", word(value, "architecture")),
    ]
    return [(label, text) for label, text in rows if text]


def limits(group: dict[str, Any]) -> str:
    """What a control group leaves, where it limits anything."""
    cpus, memory = number(group.get("cpus")), number(group.get("memory"))
    told = [f"{cpus:g} processors"] if cpus is not None else []
    return ", ".join(told + ([f"{bytes_of(memory)} of memory"] if memory is not None else []))


def devices(record: Record) -> list[str]:
    """Graphics processors: each kind once, with how many there are."""
    kinds: dict[str, int] = {}
    for names, fact in model.facts(record, "gpu"):
        value = fact.get("value")
        driver = f", driver {word(value, 'driver')}" if word(value, "driver") else ""
        for device in objects(value, "devices"):
            text = f"{word(device, 'name')}{driver}"
            kinds[text] = kinds.get(text, 0) + len(names)
    return [f"{number:,} × {text}" for text, number in list(kinds.items())[:MOST_DEVICES]]


def job(record: Record) -> Rows:
    """What the batch system says; empty where there is none."""
    fact = model.fact(record, "job") | model.fact(record, "scheduler")
    ended: dict[str, Any] = next((one["value"] for one in record["witnesses"] if one["value"].get("state")), {})
    if not ended and word(fact, "name") in ("", "none") and not model.job_id(record):
        return []
    rows = [(label, word(ended | fact, key)) for key, label in JOB]
    limit = number(model.fact(record, "job").get("time_limit_s"))
    rows += [("Time limit", took(limit))] if limit is not None else []
    told = ", ".join(f"{word(ended, key)}" for key in ("state", "exit_code", "reason") if word(ended, key))
    return [(label, text) for label, text in [*rows, ("Its end", told)] if text]


def steps(record: Record) -> list[dict[str, str]]:
    """The steps of a job as its scheduler lists them."""
    found = [step for witness in record["witnesses"] for step in objects(witness["value"], "steps")]
    keys = ("id", "name", "state", "exit_code", "node_list", "tasks")
    rows = [{key: word(step, key) for key in keys} for step in found[:MOST_STEPS]]
    left = len(found) - MOST_STEPS
    return rows + ([dict.fromkeys(keys, "") | {"id": f"… {count(left, 'more step')}"}] if left > 0 else [])

"""Events checked at the border: what a fold may rely on (docs/frames.md, "Event").

A log is untrusted input: an event keeps only the keys that its kind knows, with values of the right type; a value of
another type counts as unknown. An event without what its kind cannot do without is no event.

    normal({"v": 1, "event": "exit", "time": 5, "boot": 1, "rank": 0, "pid": 7, "code": "0", "x": 1})
    -> {"event": "exit", "time": 5, "boot": 1, "rank": 0, "pid": 7}
"""

from __future__ import annotations

import re
from math import isfinite

from hpcprov.record import definition, observed, step
from hpcprov.record.artifact import HOW
from hpcprov.record.layout import is_run_id
from hpcprov.record.statistics import is_statistics
from hpcprov.record.verdicts import is_verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOMENT_LIMIT = 1 << 63
RANK_LIMIT = 1 << 31
UMASK = re.compile(r"[0-7]{3,4}")
DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{64}")
# Runs that have parts: the steps of a batch job, the rules of a workflow.
WHOLES = ("job", "workflow")
WITNESSES = ("sacct", "scontrol")


def is_integer(value: Any) -> bool:
    return type(value) is int and -MOMENT_LIMIT <= value < MOMENT_LIMIT


def is_moment(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOMENT_LIMIT


def is_rank(value: Any) -> bool:
    return type(value) is int and 0 <= value < RANK_LIMIT


def is_number(value: Any) -> bool:
    return is_integer(value) or (type(value) is float and isfinite(value))


def is_text(value: Any) -> bool:
    return type(value) is str


def is_flag(value: Any) -> bool:
    return type(value) is bool


def is_object(value: Any) -> bool:
    return type(value) is dict


def is_texts(value: Any) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def is_text_by_name(value: Any) -> bool:
    return type(value) is dict and all(type(item) is str for item in value.values())


def is_anything(value: Any) -> bool:
    return True


def is_list(value: Any) -> bool:
    return type(value) is list


def is_parent(value: Any) -> bool:
    return type(value) is dict and value.keys() == {"run", "rank"} and is_text(value["run"]) and is_rank(value["rank"])


def is_role(value: Any) -> bool:
    return value in ("used", "generated")


def is_state(value: Any) -> bool:
    return value in ("ok", "missing", "unreadable", "not hashed")


def is_whole(value: Any) -> bool:
    return value in WHOLES


def is_source(value: Any) -> bool:
    return value in WITNESSES


def is_run(value: Any) -> bool:
    return type(value) is str and is_run_id(value)


def is_umask(value: Any) -> bool:
    return type(value) is str and UMASK.fullmatch(value) is not None


def is_digest(value: Any, algorithm: str) -> bool:
    return type(value) is str and DIGEST.fullmatch(value) is not None and value.startswith(f"{algorithm}:")


def is_storage(value: Any) -> bool:
    return type(value) is dict and is_digest(value.get("digest"), "blake3") and value.get("how") in HOW


def is_embedded(value: Any) -> bool:
    if type(value) is not dict or value.keys() != {"entries", "before"}:
        return False
    return is_rank(value["entries"]) and is_digest(value["before"], "blake3")


def is_signature(value: Any) -> bool:
    if type(value) is not dict or not is_digest(value.get("digest"), "hpcprov1") or value.get("how") not in HOW:
        return False
    fields = value.get("fields")
    return value.get("kind") in ("tree", "table") and type(fields) is list and all(map(is_field, fields))


def is_field(value: Any) -> bool:
    if (
        type(value) is not dict
        or not is_digest(value.get("signature"), "hpcprov1")
        or not is_integer(value.get("bytes"))
    ):
        return False
    return (
        is_text(value.get("path"))
        and is_text(value.get("type"))
        and all(is_extents(value.get(key, "")) for key in ("shape", "tile"))
        and ("statistics" not in value or is_statistics(value["statistics"]))
    )


def is_extents(value: Any) -> bool:
    return value is None or (type(value) is list and all(is_integer(extent) and extent >= 0 for extent in value))


RANKED = {"rank": is_rank, "pid": is_integer}
RUSAGE = ("utime", "stime", "maxrss", "minflt", "majflt", "inblock", "oublock", "nvcsw", "nivcsw")

# kind -> (keys that it cannot do without, all keys with what they must be)
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Callable[[Any], bool]]]] = {
    "start": (
        ("rank", "pid"),
        RANKED
        | dict.fromkeys(("run", "node", "host", "boot_id", "launch", "launcher", "cwd", "name", "note"), is_text)
        | dict.fromkeys(("hash", "forward", "hpcprov", "clock", "pid_ns", "observe"), is_text)
        | dict.fromkeys(("n", "ticks", "size", "local_rank", "local_size", "nodes", "uid", "gid"), is_integer)
        | dict.fromkeys(("argv", "inputs", "outputs", "constraints"), is_texts)
        | dict.fromkeys(("capture_output", "agent", "stats", "embed"), is_flag)
        | {"umask": is_umask, "launch_time": is_moment, "tags": is_text_by_name, "parent": is_parent, "kind": is_whole},
    ),
    "env": (("rank", "env"), RANKED | {"env": is_text_by_name}),
    "signal": (
        ("rank", "signal"),
        RANKED | dict.fromkeys(("signal", "from_pid", "from_uid"), is_integer) | {"forwarded": is_flag},
    ),
    "exit": (
        ("rank", "pid"),
        RANKED
        | dict.fromkeys(("code", "signal", "duration", "lost_output", "oom_kills"), is_integer)
        | {"core": is_flag, "error": is_text, "rusage": is_object},
    ),
    "output": (("rank", "stream", "data"), RANKED | {"stream": is_integer, "data": is_text}),
    "agent": (
        ("node", "pid"),
        dict.fromkeys(("node", "boot_id", "hpcprov", "python", "pid_ns"), is_text)
        | {"pid": is_integer, "ticks": is_integer},
    ),
    "fact": (("node", "kind"), {"node": is_text, "kind": is_text, "value": is_anything, "error": is_text}),
    "beat": (("node",), {"node": is_text}),
    "lost": (("rank",), {"node": is_text, "rank": is_rank}),
    "artifact": (
        ("role", "path"),
        dict.fromkeys(("path", "reason", "format", "unsigned"), is_text)
        | dict.fromkeys(("size", "files", "mtime"), is_integer)
        | {"role": is_role, "state": is_state, "declared": is_texts, "storage": is_storage, "signature": is_signature}
        | {"embedded": is_embedded, "constraints": is_verdicts},
    ),
    "declared": (
        ("role", "paths"),
        dict.fromkeys(("node", "cwd", "pattern", "reason"), is_text)
        | {"role": is_role, "paths": is_texts, "real": is_text_by_name},
    ),
    "access": (("node", "entries"), {"node": is_text, "entries": is_list}),
    "program": (("node", "entries"), {"node": is_text, "entries": is_list}),
    "observation": (("node", "value"), {"node": is_text, "value": is_object}),
    "unsigned": (("node",), {"node": is_text, "reason": is_text, "most": is_rank}),
    "part": (
        ("node", "kind", "run"),
        dict.fromkeys(("node", "name", "cwd"), is_text)
        | dict.fromkeys(("argv", "inputs", "outputs"), is_texts)
        | {"kind": is_whole, "run": is_run, "began": is_moment, "tags": is_text_by_name},
    ),
    "witness": (("source", "value"), {"node": is_text, "source": is_source, "value": is_object}),
    "step": (("rank", "pid", "entries"), RANKED | {"node": is_text, "ticks": is_integer, "entries": is_list}),
    "definition": (("rank", "pid", "entries"), RANKED | {"node": is_text, "ticks": is_integer, "entries": is_list}),
    "problem": (("text",), {"text": is_text, "node": is_text, "rank": is_rank}),
    "ended": (("node",), {"node": is_text, "ranks": is_integer}),
}

# Kinds whose entries are checked one by one.
ENTRIES: dict[str, Callable[[Any], dict[str, Any] | None]] = {
    "access": observed.access,
    "program": observed.program,
    "step": step.step,
    "definition": definition.definition,
}


def normal(event: dict[str, Any]) -> dict[str, Any] | None:
    """The event with what may be relied on; None for a kind that is not known or an event that says too little."""
    kind = event.get("event")
    moment = event.get("time")
    if type(kind) is not str or kind not in KINDS or not is_moment(moment):
        return None
    needed, checks = KINDS[kind]
    kept = {key: value for key, value in event.items() if key in checks and value is not None and checks[key](value)}
    if not all(key in kept for key in needed):
        return None
    if kind in ENTRIES:
        kept["entries"] = [entry for entry in map(ENTRIES[kind], kept["entries"]) if entry is not None]
    elif kind == "observation":
        kept["value"] = observed.observation(kept["value"])
    boot = event.get("boot")
    return {"event": kind, "time": moment, "boot": boot if is_moment(boot) else 0} | kept


def rusage(event: dict[str, Any]) -> dict[str, int | float]:
    """The resource usage in an `exit` event: the known counters that are numbers."""
    usage = event.get("rusage") or {}
    return {key: usage[key] for key in RUSAGE if is_number(usage.get(key))}

"""What `scontrol show job` prints about one job -> facts, by the names that a record has for them.

    JobId=4711 JobName=solve                    {"job_id": "4711", "job_name": "solve", "state": "TIMEOUT",
       JobState=TIMEOUT Reason=TimeLimit ...  ->  "exit_code": "0:15", "reason": "TimeLimit",
       TimeLimit=01:00:00 ...                      "time_limit_s": 3600, ...}

A line of its own is kept for each value that may hold spaces. Names and comments are the user's: they may hold line
feeds and so look like other keys. A key that comes twice with different values is not believed. Tried with the output
of Slurm 22.05; the names of 23.02 to 25.05 (ReqTRES, AllocTRES, SubmitLine) are known. JSON is not asked for: its form
has changed with nearly every release.
"""

from __future__ import annotations

import re

from hpcprov.capture.reading import is_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

# Keys whose value goes to the end of the line.
LONG = frozenset(("JobName", "Command", "WorkDir", "Comment", "AdminComment", "SystemComment", "SubmitLine", "StdErr",
                  "StdIn", "StdOut", "Container"))  # fmt: skip
NAME = re.compile(r"(?:^|(?<= ))([A-Za-z][A-Za-z0-9_:/]*)=")
CLUSTER = re.compile(r"^ClusterName\s*=\s*(\S+)\s*$", re.MULTILINE)
# Values with which Slurm says that there is none.
NOTHING = frozenset(("", "(null)", "N/A", "None", "Unknown", "UNLIMITED", "INVALID", "Partition_Limit", "NONE"))
LONGEST_TEXT = 8192
YEAR_3000 = 1 << 35


def text(value: str) -> str:
    """Any value, cut when it is very long."""
    return value[:LONGEST_TEXT]


def count(value: str) -> int | None:
    """`4`, or the lower end of `4-8`."""
    first = value.partition("-")[0]
    return int(first) if is_integer(first) else None


def moment(value: str) -> int | None:
    """Seconds since the epoch, as SLURM_TIME_FORMAT=%s makes Slurm write them."""
    return int(value) if is_integer(value) and 0 < int(value) < YEAR_3000 else None


def period(value: str) -> int | None:
    """Seconds of `[days-]hours:minutes:seconds`, minutes:seconds or minutes (slurm.conf(5), squeue(1))."""
    days, dash, rest = value.rpartition("-")
    parts = rest.split(":")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in [*parts, *([days] if dash else [])]):
        return None
    numbers = [int(part) for part in parts]
    if len(numbers) == 1 and not dash:
        return numbers[0] * 60
    if len(numbers) > 3 or (len(numbers) != 3 and dash):
        return None
    seconds = 0
    for number in numbers:
        seconds = seconds * 60 + number
    return seconds + int(days or 0) * 86400


# scontrol's key -> ours, and how its text is read; of keys for the same fact the first counts.
KEYS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("JobId", "job_id", text),
    ("ArrayJobId", "array_job_id", text),
    ("ArrayTaskId", "array_task_id", text),
    ("HetJobId", "het_job_id", text),
    ("HetJobOffset", "het_offset", text),
    ("HetJobIdSet", "het_job_ids", text),
    ("Restarts", "restarts", count),
    ("JobState", "state", text),
    ("ExitCode", "exit_code", text),
    ("Reason", "reason", text),
    ("JobName", "job_name", text),
    ("Partition", "partition", text),
    ("Account", "account", text),
    ("QOS", "qos", text),
    ("UserId", "user", text),
    ("TimeLimit", "time_limit_s", period),
    ("SubmitTime", "submit", moment),
    ("StartTime", "start", moment),
    ("EndTime", "end", moment),
    ("NodeList", "node_list", text),
    ("NumNodes", "nodes", count),
    ("NumTasks", "tasks", count),
    ("ReqTRES", "requested", text),
    ("AllocTRES", "allocated", text),
    ("TRES", "allocated", text),
    ("TresPerNode", "tres_per_node", text),
    ("TresPerJob", "tres_per_job", text),
    ("TresPerTask", "tres_per_task", text),
    ("Features", "constraints", text),
    ("Licenses", "licenses", text),
    ("Reservation", "reservation", text),
    ("Dependency", "dependency", text),
    ("SubmitLine", "submit_line", text),
    ("Command", "script", text),
    ("WorkDir", "work_dir", text),
)


def job(printed: str, job_id: str) -> dict[str, Any] | None:
    """The facts of one job in the output, which may tell of other tasks of its array; None when it has no state."""
    told = pairs(lines_of(printed, job_id))
    found: dict[str, Any] = {}
    for name, key, read in KEYS:
        value = None if told.get(name) is None or told[name] in NOTHING else read(told[name] or "")
        if value is not None:
            found.setdefault(key, value)
    if "state" not in found:
        return None
    user = found.get("user", "").partition("(")[0]
    return found | ({"user": user} if user else {})


def lines_of(printed: str, job_id: str) -> list[str]:
    """The lines of one job: from its id to the next line that begins with an id."""
    found, inside = [], False
    for line in printed.split("\n"):
        if line.startswith("JobId="):
            inside = line.split(" ", 1)[0] == f"JobId={job_id}"
        if inside:
            found.append(line.strip(" "))
    return found


def pairs(lines: list[str]) -> dict[str, str | None]:
    """The values by key; None for one that is told twice, and differently."""
    told: dict[str, str | None] = {}
    for key, value in (pair for line in lines for pair in pairs_of_line(line)):
        told[key] = value if told.get(key, value) == value else None
    return told


def pairs_of_line(line: str) -> Iterator[tuple[str, str]]:
    """`Requeue=1 Restarts=0` -> ("Requeue", "1"), ("Restarts", "0"); a long value goes to the end of the line."""
    names = list(NAME.finditer(line))
    for number, name in enumerate(names):
        if name[1] in LONG:
            yield name[1], line[name.end() :]
            return
        end = names[number + 1].start() if number + 1 < len(names) else len(line)
        yield name[1], line[name.end() : end].strip(" ")


def cluster(config: str) -> str | None:
    """The name of the cluster in the output of `scontrol show config`."""
    found = CLUSTER.search(config)
    return None if found is None or found[1] in NOTHING else found[1]

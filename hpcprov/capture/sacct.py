"""What `sacct --parsable2 --duplicates` prints about one job -> its starts, each with its steps.

    starts(rows("alps|7f3a|4711|7f3a|4711|7f3a|TIMEOUT|7f3a|...", "|7f3a|"), "4711")
    -> [{"job_id": "4711", "state": "TIMEOUT", "exit_code": "0:0", "steps": [{"id": "4711.0", ...}], ...}]

A job that was requeued has one row for each start. Names and command lines are the user's and may hold `|` and line
feeds: cells are separated by what nobody can guess, and a row ends when it has all of its cells.
"""

from __future__ import annotations

from hpcprov.capture.scontrol import NOTHING, count, moment, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

MINUTE = 60
MOST_STEPS = 10_000
LONGEST_ROW = 1 << 20


def minutes(value: str) -> int | None:
    number = count(value)
    return None if number is None else number * MINUTE


def state(value: str) -> str:
    """`CANCELLED by 1000` -> `CANCELLED`; who did it is told apart."""
    return text(value.partition(" ")[0].rstrip("+"))


# sacct's field -> our key and how its text is read. Slurm before 21.08 does not know those that are NEWER. The last
# one must not be of the user's making: a row ends with it.
FIELDS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("Cluster", "cluster", text),
    ("JobID", "name_of_id", text),
    ("JobIDRaw", "id", text),
    ("State", "state", state),
    ("Partition", "partition", text),
    ("Account", "account", text),
    ("QOS", "qos", text),
    ("User", "user", text),
    ("TimelimitRaw", "time_limit_s", minutes),
    ("Submit", "submit", moment),
    ("Start", "start", moment),
    ("End", "end", moment),
    ("NodeList", "node_list", text),
    ("NNodes", "nodes", count),
    ("NTasks", "tasks", count),
    ("ReqTRES", "requested", text),
    ("AllocTRES", "allocated", text),
    ("JobName", "job_name", text),
    ("SubmitLine", "submit_line", text),
    ("WorkDir", "work_dir", text),
    ("Reason", "reason", text),
    ("ExitCode", "exit_code", text),
)
NEWER = ("SubmitLine",)
STEP = ("id", "state", "by", "exit_code", "start", "end", "node_list", "tasks")
OF_A_JOB = ("cluster", "job_id", "array_job_id", "array_task_id", "het_job_id", "het_offset", "state", "by",
            "exit_code", "reason", "job_name", "partition", "account", "qos", "user", "time_limit_s", "submit",
            "start", "end", "node_list", "nodes", "requested", "allocated", "submit_line", "work_dir")  # fmt: skip


def fields(*, old: bool = False) -> list[str]:
    """What to ask for; of an `old` sacct less."""
    return [name for name, _, _ in FIELDS if not (old and name in NEWER)]


def rows(printed: str, separator: str, *, old: bool = False) -> Iterator[dict[str, Any]]:
    """The rows, each with the values by our keys that it tells; rows that do not fit are left out."""
    names = set(fields(old=old))
    columns = [(key, read) for name, key, read in FIELDS if name in names]
    parts: list[str] = []
    separators = size = 0
    for line in printed.split("\n"):
        parts.append(line)
        separators, size = separators + line.count(separator), size + len(line)
        if separators < len(columns) - 1 and size < LONGEST_ROW:
            continue
        cells = "\n".join(parts).split(separator)
        parts, separators, size = [], 0, 0
        if len(cells) == len(columns):
            yield _values(cells, columns)


def _values(cells: list[str], columns: list[tuple[str, Callable[[str], Any]]]) -> dict[str, Any]:
    read = {
        key: reading(cell) for (key, reading), cell in zip(columns, cells, strict=True) if cell.strip() not in NOTHING
    }
    word = dict(zip((key for key, _ in columns), cells, strict=True))["state"].split(" ")
    by = {"by": word[2]} if len(word) == 3 and word[1] == "by" else {}
    return {key: value for key, value in read.items() if value is not None} | by


def starts(found: Iterable[dict[str, Any]], job_id: str) -> list[dict[str, Any]]:
    """The starts of one job, in the order in which they began; one that waits comes last.

    The first component of a heterogeneous job stands for the job: it has the steps of the others too.
    """
    groups: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    steps: list[dict[str, Any]] = []
    for row in found:
        number, _, step = str(row.get("id", "")).partition(".")
        if step:
            if number in seen and len(steps) < MOST_STEPS:
                steps.append(_step(row))
            continue
        steps = []
        if number == job_id:
            groups.append(_job(row) | {"steps": steps})
        elif _names(str(row.get("name_of_id", ""))).get("het_job_id") == job_id:
            steps = groups[seen.get(number, 0)]["steps"] if seen.get(number, 0) < len(groups) else []
        else:
            continue
        seen[number] = seen.get(number, 0) + 1
    return sorted(groups, key=lambda group: (group.get("start", 1 << 62), group.get("submit", 1 << 62)))


def _job(row: dict[str, Any]) -> dict[str, Any]:
    job = row | {"job_id": row["id"]} | _names(str(row.get("name_of_id", "")))
    return {key: job[key] for key in OF_A_JOB if key in job} | {"steps": []}


def _names(name: str) -> dict[str, str]:
    """What the name of a job's id says: `4711_3` is a task of an array, `4711+1` a component."""
    for sign, keys in (("_", ("array_job_id", "array_task_id")), ("+", ("het_job_id", "het_offset"))):
        first, found, second = name.partition(sign)
        if found and first.isdigit() and second.isdigit():
            return dict(zip(keys, (first, second), strict=True))
    return {}


def _step(row: dict[str, Any]) -> dict[str, Any]:
    named = {"name": row["job_name"]} if "job_name" in row else {}
    return {key: row[key] for key in STEP if key in row} | named

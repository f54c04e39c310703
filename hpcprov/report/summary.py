"""The head of a run's page: what ran, by whom, where, when, and how it ended.

heading(record)["lead"]   ->  "Completed after 5.6 s: 4 ranks on 1 node, started by mpich."
about(record)[0]          ->  ("Command", "python solve.py")
"""

from __future__ import annotations

from hpcprov.record import model
from hpcprov.record.inside import part
from hpcprov.record.wording import count, words
from hpcprov.report.assets import utc
from hpcprov.report.told import ranks, took, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record
    from hpcprov.report.told import Rows

#: status: how it looks (a class of the style), and the sign before it, which tells it without colour.
LOOKS = {
    "completed": ("good", "✓"),
    "running": ("busy", "●"),
    "incomplete": ("warn", "?"),
    "cancelled": ("warn", "–"),
    "preempted": ("warn", "–"),
    "no record": ("warn", "?"),
}
BAD = ("bad", "✕")
MOST_OTHERS = 20
VERBS = {
    "completed": "Completed",
    "failed": "Failed",
    "running": "Still running",
    "signalled": "Killed by a signal",
    "timed out": "Ran out of time",
    "out of memory": "Ran out of memory",
    "node lost": "Lost a node",
}


def status(name: str) -> dict[str, str]:
    """How a status looks: `word`, `look`, `sign`."""
    look, sign = LOOKS.get(name, BAD)
    return {"word": name, "look": look, "sign": sign}


def heading(record: Record) -> dict[str, Any]:
    """`title`, `kind`, `id`, `status`, `lead` (one sentence), `note`, `tags`."""
    run = record["run"]
    return {
        "title": run["name"] or title_of(record),
        "kind": run["kind"],
        "id": run["id"],
        "status": status(run["status"]),
        "lead": lead(record),
        "note": run["note"],
        "tags": sorted(run["tags"].items()),
    }


def title_of(record: Record) -> str:
    """What a run without a name is called: its program and what follows, or its job's name."""
    argv = record["run"]["argv"]
    if argv:
        text = words(argv)
        return text if len(text) <= 60 else f"{text[:60]}…"
    return word(model.fact(record, "job"), "job_name") or str(record["run"]["id"])


def lead(record: Record) -> str:
    """How the run ended, after what time, on what, in one sentence."""
    run = record["run"]
    verb = VERBS.get(run["status"], str(run["status"]).capitalize())
    time = f" after {took(run['duration_s'])}" if run["duration_s"] is not None else ""
    return f"{verb}{time}: {size(record)}."


def size(record: Record) -> str:
    """`4 ranks on 1 node, started by mpich`; of a job or workflow its runs."""
    if record["run"]["kind"] != "command":
        return count(len(record["parts"]), "run")
    table, launcher = record["ranks"], record["launcher"]
    announced = f" of {launcher['size']:,}" if launcher["size"] and launcher["size"] != table["count"] else ""
    ran = f"{table['count']:,}{announced} rank{'' if table['count'] == 1 and not announced else 's'}"
    by = f", started by {launcher['kind']}" if launcher["kind"] not in (None, "none") else ""
    return f"{ran} on {count(len(record['nodes']), 'node')}{by}"


def about(record: Record) -> Rows:
    """Labelled texts: command, who, where, when, the cause of its end, what it belongs to."""
    run = record["run"]
    rows = [("Command", words(run["argv"]))] if run["argv"] else []
    rows += [(f"Rank {ranks(one['ranks'])}", words(one["argv"])) for one in run["others"][:MOST_OTHERS]]
    if len(run["others"]) > MOST_OTHERS:
        rows.append(("Other ranks", f"{len(run['others']) - MOST_OTHERS:,} more commands"))
    rows += [("Ended", run["cause"]["text"])] if run["cause"] else []
    rows += [("Who", who(record)), ("Where", run["cwd"] or _submitted(record) or "unknown"), ("When", when(record))]
    return rows + belongs(run)


def who(record: Record) -> str:
    """`ada (uid 1000, group climate)`."""
    user, fact = record["run"]["user"], model.fact(record, "user")
    name = user["name"] or word(fact, "name") or word(model.fact(record, "job"), "user")
    group = word(fact, "group")
    number = [f"uid {user['uid']}"] if user["uid"] is not None else []
    beside = ", ".join([*number, *([f"group {group}"] if group else [])])
    return f"{name} ({beside})" if name and beside else name or beside or "unknown"


def when(record: Record) -> str:
    """From when to when, in UTC."""
    run = record["run"]
    if run["end"] is None:
        heard = f"; last heard of {utc(run['last_heard'])}" if run["last_heard"] else ""
        return f"{utc(run['start'])}{heard}"
    return f"{utc(run['start']).removesuffix(' UTC')} to {utc(run['end'])} ({took(run['duration_s'])})"


def belongs(run: dict[str, Any]) -> Rows:
    """The run that started it, the job and workflow that it is a part of, its earlier start."""
    rows = [("Started in", f"run {run['parent']['run']}, rank {run['parent']['rank']}")] if run["parent"] else []
    rows += [(f"Part of {kind}", run["part_of"][kind]) for kind in ("job", "array", "workflow") if run["part_of"][kind]]
    rows += [("Earlier start", run["previous"])] if run["previous"] else []
    again = run.get("rerun_of")
    return rows + ([("Rerun of", again if type(again) is str else word(again, "run"))] if again else [])


def _submitted(record: Record) -> str:
    return word(model.fact(record, "job"), "work_dir") or word(part(record, "run"), "cwd")

"""A run's page: a record as lines for a terminal. Pure: record and screen in, lines out.

status     completed
what       python solve.py
ranks      4 of 4 on 1 node, started by mpich
"""

from __future__ import annotations

import collections

from hpcprov.commands import later
from hpcprov.commands.artifact_page import artifacts, programs
from hpcprov.commands.counted import counted
from hpcprov.commands.definition_page import definitions
from hpcprov.commands.screen import count, cut, duration, size, when, words
from hpcprov.commands.step_page import steps
from hpcprov.commands.surroundings import said, surroundings, where
from hpcprov.commands.workflow_page import workflow_rows
from hpcprov.merge.seal import verify_seal
from hpcprov.record import ranges as rank_ranges
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

INDENT = 11
MOST_RANK_LINES = 8
MOST_PROBLEMS = 6
MOST_PARTS = 40
MOST_RECORDS = 1000  # of parts, looked into for how they ended


def render(
    record: Record,
    directory: str,
    screen: Screen,
    notes: Sequence[str] = (),
    parts: Mapping[str, Record] | None = None,
    attested: Sequence[str] = (),
) -> list[str]:
    """The lines of the page; `notes`: what is wrong with the logs beside the record; `parts`: records of the parts of a
    job or workflow, by run id; `attested`: who says to vouch for it."""
    run = record["run"]
    title = screen.paint(printable(run["id"]), "bold") + (f"  {cut(run['name'], screen.width)}" if run["name"] else "")
    rows = [row for part in PARTS for row in part(record, screen)]
    rows += workflow_rows(record, parts or {}, screen)
    rows += [("runs", line) for line in part_lines(record["parts"], parts or {}, screen)]
    rows += [("logs", printable(note)) for note in notes] + [("attested", printable(text)) for text in attested]
    is_attested = any(text.startswith("by ") for text in attested)
    what_next = next_steps(record, directory, screen, parts or {}, is_attested=is_attested)
    return [title, "", *lay_out(rows, screen), "", *what_next]


def lay_out(rows: list[tuple[str, str]], screen: Screen) -> list[str]:
    """Labels on the left, once; text beside them."""
    lines = []
    for k, (label, text) in enumerate(rows):
        shown = label if not k or rows[k - 1][0] != label else ""
        lines.append(screen.paint(f"{shown:<{INDENT}}", "dim") + text)
    return lines


def status(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    run = record["run"]
    cause = f": {printable(run['cause']['text'])}" if run["cause"] else ""
    yield "status", screen.status(run["status"]) + cause
    yield from (("witness", cut(_witness(entry), 2 * screen.width)) for entry in record["witnesses"])
    yield from (("signals", _signal(entry)) for entry in record["signals"][:MOST_RANK_LINES])


def _witness(entry: dict[str, Any]) -> str:
    """`sacct: job TIMEOUT, exit 0:0; step 4711.0 CANCELLED by user 0, exit 0:15`."""
    value = entry["value"]
    steps = value.get("steps")
    steps = [step for step in steps if type(step) is dict] if type(steps) is list else []
    told = [_ending("job", value)] if value.get("state") else []
    told += [_ending(f"step {step.get('id')}", step) for step in steps[:MOST_RANK_LINES]]
    told += [f"and {len(steps) - MOST_RANK_LINES} more steps"] if len(steps) > MOST_RANK_LINES else []
    return f"{entry['source']}: {'; '.join(told) or 'nothing about its end'}"


def _ending(who: str, value: dict[str, Any]) -> str:
    by = f" by user {value['by']}" if value.get("by") else ""
    code = f", exit {value['exit_code']}" if value.get("exit_code") else ""
    return f"{who} {value.get('state', 'unknown')}{by}{code}"


def _signal(entry: dict[str, Any]) -> str:
    ranks = rank_ranges.text(entry["ranks"])
    process = f"process {entry['from_pid']} of user {entry['from_uid']}"
    sender = {0: "the terminal or the kernel", None: "an unknown sender"}.get(entry["from_pid"], process)
    return f"{entry['name']} from {sender} to rank {ranks} at {when(entry['first'])}"


def what(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    run = record["run"]
    width = 3 * screen.width
    if run["kind"] == "job":
        line = said(record, "submit_line") or said(record, "script") or said(record, "job_name") or "(unknown)"
        yield "what", cut(f"job: {line}", width)
    else:
        yield "what", cut(words(run["argv"]), width)
    for other in run["others"][:MOST_RANK_LINES]:
        yield "what", cut(f"rank {rank_ranges.text(other['ranks'])}: {words(other['argv'])}", width)
    if run["note"]:
        yield "why", cut(run["note"], width)
    if run["tags"]:
        yield "tags", cut(", ".join(f"{key}={value}" for key, value in sorted(run["tags"].items())), width)
    if run["parent"]:
        yield "parent", printable(f"{run['parent']['run']}, rank {run['parent']['rank']}")
    for kind in ("job", "array", "workflow"):
        if run["part_of"][kind]:
            yield "part of", printable(f"{kind} {run['part_of'][kind]}")
    if run["previous"]:
        yield "before", printable(f"{run['previous']}: this job was started again")
    if run.get("rerun_of"):
        yield "rerun of", printable(run["rerun_of"])


def part_lines(parts: list[dict[str, Any]], records: Mapping[str, Record], screen: Screen) -> Iterator[str]:
    """The parts of a job or workflow in order of time, each with its end as far as its record is at hand; of many those
    that did not complete, and how the others ended."""
    ends = [records[part["run"]]["run"]["status"] if part["run"] in records else "no record" for part in parts]
    chosen = [k for k in range(len(parts)) if len(parts) <= MOST_PARTS or ends[k] not in ("completed", "no record")]
    width = max((len(printable(parts[k]["run"])) for k in chosen[:MOST_PARTS]), default=0)
    for k in chosen[:MOST_PARTS]:
        yield _part_line(parts[k], records.get(parts[k]["run"]), width, screen)
    rest = collections.Counter(ends[k] for k in sorted({*range(len(parts))} - {*chosen[:MOST_PARTS]}))
    if rest:
        yield f"... and {', '.join(f'{number:,} {word}' for word, number in rest.most_common())}"


def _part_line(part: dict[str, Any], record: Record | None, width: int, screen: Screen) -> str:
    word, took = (record["run"]["status"], record["run"]["duration_s"]) if record else ("no record", None)
    end = f"{screen.status(word)}{' ' * max(0, 13 - len(word))}  {duration(took):>10}"
    made = f" -> {', '.join(part['outputs'])}" if part.get("outputs") else ""
    what = cut(part["name"] + made if part["name"] else words(part["argv"]), max(24, screen.width - width - 40))
    return f"{printable(part['run']):<{width}}  {end}  {what}"


def who_and_when(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    run = record["run"]
    user = run["user"]
    name = user["name"] or (said(record, "user") if run["kind"] == "job" else None)
    number = f"({user['uid']})" if name else f"uid {user['uid']}"
    yield "who", printable(" ".join([*([name] if name else []), *([number] if user["uid"] is not None else [])]) or "?")
    took = (
        f", took {duration(run['duration_s'])}"
        if run["duration_s"] is not None
        else f", last heard of {when(run['last_heard'])}"
    )
    yield "when", when(run["start"]) + took


def ranks(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    table, launcher = record["ranks"], record["launcher"]
    if record["run"]["kind"] == "job" and not table["count"]:
        return
    announced = f" of {launcher['size']}" if launcher["size"] else ""
    by = f", started by {launcher['kind']}" if launcher["kind"] not in (None, "none") else ""
    yield "ranks", printable(f"{table['count']}{announced} on {count(len(record['nodes']), 'node')}{by}")
    for state in ("failed", "signalled", "lost", "node lost", "running"):
        numbers = [
            number
            for number, its in zip(table["columns"]["rank"], table["columns"]["state"], strict=True)
            if its == state
        ]
        if numbers and len(numbers) < table["count"]:
            yield "ranks", cut(f"{screen_word(state)}: {rank_ranges.text(rank_ranges.ranges(numbers))}", screen.width)
    if table["missing"]:
        yield "ranks", cut(f"never started: {rank_ranges.text(table['missing'])}", screen.width)
    yield from _usage(record)


def screen_word(state: str) -> str:
    return {"signalled": "killed by a signal", "lost": "vanished", "node lost": "vanished with the node"}.get(
        state, state
    )


def _usage(record: Record) -> Iterator[tuple[str, str]]:
    columns = record["ranks"]["columns"]
    cpu = sum((user or 0) + (system or 0) for user, system in zip(columns["utime"], columns["stime"], strict=True))
    peak = max((value for value in columns["maxrss"] if value is not None), default=None)
    if peak is not None:
        yield "used", f"{duration(cpu)} of CPU time, at most {size(peak * 1024)} of memory in one process"


def problems(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    entries = record["problems"]
    for problem in entries[:MOST_PROBLEMS]:
        who = f"rank {rank_ranges.text(problem['ranks'])}: " if problem["ranks"] else ""
        yield "problems", cut(who + problem["text"], 2 * screen.width)
    if len(entries) > MOST_PROBLEMS:
        yield "problems", f"... and {len(entries) - MOST_PROBLEMS} more"
    if record["output"]["lost_bytes"]:
        yield "problems", f"{size(record['output']['lost_bytes'])} of output could not be stored"
    unknown = {node["unknown"] for node in record["nodes"] if "unknown" in node}
    yield from (("problems", printable(f"no facts of the nodes: {reason}")) for reason in sorted(unknown))


def seal(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    if "seal" not in record:
        state = "still going on" if record["run"]["status"] == "running" else "over and could not be settled"
        state = "over, and its last facts are being gathered" if _all_ended(record) else state
        yield "record", f"not made yet: the run is {state}"
        return
    logs = record["seal"]["logs"]
    frames, skipped = (
        sum(log["frames"] for log in logs),
        sum(log["skipped"]["lines"] + log["skipped"]["blobs"] for log in logs),
    )
    damage = screen.paint(f", {count(skipped, 'damaged line')} skipped", "yellow") if skipped else ""
    fits = "sealed" if verify_seal(record) else screen.paint("CHANGED since it was sealed", "red")
    revision = f", revision {record['revision']}" if record["revision"] > 1 else ""
    yield "record", f"{fits}{revision}: {count(frames, 'frame')} in {count(len(logs), 'log')}{damage}"


def _all_ended(record: Record) -> bool:
    """Have all ranks of a run that has no record yet told how they ended?"""
    states = record["ranks"]["columns"]["state"]
    ended = bool(states) and not record["ranks"]["missing"] and "running" not in states
    return ended and record["run"]["status"] == "running"


def next_steps(
    record: Record, directory: str, screen: Screen, parts: Mapping[str, Record], *, is_attested: bool = False
) -> list[str]:
    """What one may want to type next."""
    name = record["run"]["id"]
    steps = [(f"hpcprov show {name} --json", "the record itself")]
    if record["run"]["argv"] or record["parts"]:
        again = "the command again" if record["run"]["argv"] else "its commands again"
        steps.append((f"hpcprov log {name}", f"{again}, as a script"))
    if record["output"]["files"]:
        steps.append((f"hpcprov log {name} --output", "what it printed"))
    if (record.get("observation") or {}).get("programs"):
        steps.append((f"hpcprov show {name} --tree", "the programs that it executed"))
    if is_attested:
        steps.append((f"hpcprov verify {name} --attested-by FILE", "check who vouches for it"))
    steps += _whole_job(record)
    if any(map(later.can_sign, (record, *parts.values()))):
        steps.append((f"hpcprov settle {name}", "sign what was left"))
    width = max(len(command) for command, _ in steps)
    return [f"{printable(command):<{width}}  {screen.paint(text, 'dim')}" for command, text in steps]


def _whole_job(record: Record) -> list[tuple[str, str]]:
    """Where the other tasks and starts of a job are."""
    if record["run"]["kind"] != "job":
        return []
    array, number = said(record, "array_job_id"), said(record, "job_id")
    if array is not None:
        return [(f"hpcprov runs --job {array}", "all tasks of the array")]
    again = record["run"]["previous"] or said(record, "state") == "REQUEUED"
    return [(f"hpcprov runs --job {number}", "all starts of the job")] if again and number else []


PARTS = (
    status,
    what,
    where,
    who_and_when,
    ranks,
    surroundings,
    programs,
    artifacts,
    definitions,
    steps,
    counted,
    problems,
    seal,
)

"""What a reader must know before believing a page: what went wrong in the run, and what the record does not know.

troubles(record)  ->  [{"text": "Rank 2 ended with status 7.", "look": "bad"}, ...]
"""

from __future__ import annotations

from hpcprov.record import ranges
from hpcprov.record.inside import objects
from hpcprov.record.verdicts import line
from hpcprov.report.told import number, ranks, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hpcprov.record.model import Record

    Trouble = dict[str, str]

MOST = 40
GOOD = ("completed", "running")


def troubles(record: Record, doubts: Sequence[str] = (), notes: Sequence[str] = ()) -> list[Trouble]:
    """Plain sentences, the worst first; `doubts`: what is wrong with the seal and the logs; `notes`: what else there is
    to know of the record."""
    found = [*_doubts(doubts), *_end(record), *map(_mild, notes)]
    found += [*_violated(record), *_unknown(record), *_told(record), *_unseen(record)]
    more = [_mild(f"… and {len(found) - MOST:,} more: `hpcprov show --json` has all.")] if len(found) > MOST else []
    return found[:MOST] + more


def _doubts(doubts: Sequence[str]) -> Iterator[Trouble]:
    yield from ({"text": f"{text[:1].upper()}{text[1:]}", "look": "bad"} for text in doubts)


def _end(record: Record) -> Iterator[Trouble]:
    run = record["run"]
    if run["cause"]:
        text = run["cause"]["text"]
        yield {"text": f"The run {_ended(run['status'])}: {text}", "look": "bad"}
    elif run["status"] not in GOOD:
        yield {"text": f"The run {_ended(run['status'])}.", "look": "bad"}
    for witness in record["witnesses"][:8]:
        state = word(witness["value"], "state")
        if state and state not in ("COMPLETED", "RUNNING"):
            yield _mild(f"{witness['source']} says that the job was {state}.")


def _violated(record: Record) -> Iterator[Trouble]:
    """Outputs that are not what the run was told that they should be."""
    for one in record["artifacts"]["generated"]:
        for verdict in one.get("constraints") or []:
            if verdict["failures"] or verdict["reason"] is not None:
                yield {"text": f"{one['path']}: {line(verdict)}.", "look": "bad" if verdict["failures"] else "mild"}


def _ended(status: str) -> str:
    return {"signalled": "was killed by a signal", "incomplete": "did not end as far as is known"}.get(status, status)


def _unknown(record: Record) -> Iterator[Trouble]:
    if record["run"]["status"] == "running":
        yield _mild("The run is still going on: this page tells what was known when it was made.")
    missing = record["ranks"]["missing"]
    if missing:
        counted = ranges.count(missing)
        yield _mild(f"{counted:,} of the announced ranks never started: {ranks(missing)}.")
    lost = record["output"]["lost_bytes"]
    if lost:
        yield _mild(f"{lost:,} bytes of captured output could not be stored.")
    reasons: dict[str, int] = {}
    for node in record["nodes"]:
        if node.get("unknown"):
            reasons[str(node["unknown"])] = reasons.get(str(node["unknown"]), 0) + 1
    for reason, nodes in reasons.items():
        yield _mild(f"Nothing is known of {nodes:,} node{'' if nodes == 1 else 's'}: {reason}.")
    skipped = sum(log["skipped"]["lines"] + log["skipped"]["blobs"] for log in record.get("seal", {}).get("logs", []))
    if skipped:
        yield _mild(f"{skipped:,} damaged lines of the logs were skipped when the record was made.")


def _told(record: Record) -> Iterator[Trouble]:
    for problem in record["problems"][: MOST + 1]:
        who = f" (rank {ranks(problem['ranks'])})" if problem["ranks"] else ""
        yield _mild(f"{problem['text']}{who}")


def _unseen(record: Record) -> Iterator[Trouble]:
    observation: dict[str, Any] = record.get("observation") or {}
    lost = sum(number(node.get("lost")) or 0 for node in objects(observation, "nodes"))
    if lost:
        yield _mild(f"{lost:,.0f} events of what the run read and wrote were lost: inputs or outputs may be missing.")
    left = [one for role in ("used", "generated") for one in record["artifacts"][role] if one["state"] != "ok"]
    if left:
        reasons: dict[str, int] = {}
        for one in left:
            reason = one["reason"] or one["state"]
            reasons[reason] = reasons.get(reason, 0) + 1
        common, times = max(reasons.items(), key=lambda item: item[1])
        all_of = "" if len(reasons) == 1 else f" for {times:,} of them"
        plural = "input or output has" if len(left) == 1 else "inputs and outputs have"
        yield _mild(f"{len(left):,} {plural} no signature{all_of}: {common}.")


def _mild(text: str) -> Trouble:
    return {"text": text, "look": "warn"}

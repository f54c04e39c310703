"""The page of many runs: how they went, when, what came of what, and each in as much detail as two megabytes allow.

    html = render_many(map(model.load, paths), title="Runs since 2026-11-01", graph=graph)

Records are read one at a time and not kept. What there was no room for is said on the page.
"""

from __future__ import annotations

from collections import Counter

from hpcprov.record.wording import count
from hpcprov.report.assets import utc
from hpcprov.report.gantt import gantt
from hpcprov.report.line import details_of, line_of, weight
from hpcprov.report.page import compose
from hpcprov.report.picture import picture
from hpcprov.report.rules import rules
from hpcprov.report.summary import status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from hpcprov.catalog.graph import Graph
    from hpcprov.record.model import Record
    from hpcprov.report.line import Line

MOST_ROWS = 1500
MOST_STATUSES = 12
MOST_WHOLES = 20
MOST_BAD = 500  # of them, runs that did not complete, however old
DETAILS = 450_000  # characters, about


def render_many(
    records: Iterable[Record], *, title: str, graph: Graph, asked: str = "", notes: Sequence[str] = ()
) -> str:
    """The page of these runs, newest first where there is not room for all. `graph`: their lineage. `notes`: what the
    reader must know, such as records that could not be read; it may grow while `records` is read.
    Raises MissingTemplates."""
    lines, left = [], DETAILS
    for record in records:
        line = line_of(record)
        if left > 0:
            line["details"] = details_of(record)
            left -= weight(line["details"])
        lines.append(line)
    lines.sort(key=lambda line: (line["start"] or "", line["id"]), reverse=True)
    shown = chosen(lines)
    numbers = {line["id"]: k for k, line in enumerate(shown)}
    # A run's details, else its row.
    here = {line["id"]: f"#{'run' if line['details'] else 'row'}-{k}" for k, line in enumerate(shown)}
    wholes = [line for line in lines if line["kind"] != "command"]
    small = rules(graph)
    return compose(
        "many.html",
        title=title,
        styles=["graph.css", "many.css"],
        scripts=["graph.js", "many.js"],
        asked=asked,
        lead=lead(lines),
        facts=facts(lines),
        statuses=statuses(lines),
        notes=list(notes),
        wholes=[line for line in wholes if line["id"] in numbers][:MOST_WHOLES],
        more_wholes=max(0, len(wholes) - MOST_WHOLES),
        rules=picture(small) if _telling(small, lines, wholes) else None,
        times=gantt(lines),
        picture=picture(graph, links=here) if graph.nodes else None,
        lines=shown,
        here=here,
        numbers=numbers,
        total=len(lines),
        detailed=sum(line["details"] is not None for line in shown),
    )


def chosen(lines: list[Line]) -> list[Line]:
    """Those that the table has room for: the newest, and older ones that did not complete. Newest first."""
    if len(lines) <= MOST_ROWS:
        return lines
    bad = [line for line in lines if line["status"]["look"] in ("bad", "warn")][:MOST_BAD]
    kept = {id(line) for line in bad}
    kept |= {id(line) for line in [line for line in lines if id(line) not in kept][: MOST_ROWS - len(bad)]}
    return [line for line in lines if id(line) in kept]


def _telling(small: Graph, lines: list[Line], wholes: list[Line]) -> bool:
    """Does the graph of names tell more than that of runs does?"""
    commands = len(lines) - len(wholes)
    return len(small.nodes) > 1 and (len(small.nodes) < commands or any(one["kind"] == "workflow" for one in wholes))


def lead(lines: list[Line]) -> str:
    """How they went, in one sentence."""
    if not lines:
        return "No run fits."
    words = Counter(line["status"]["word"] for line in lines).most_common()
    if len(words) == 1:
        return f"All {words[0][0]}." if len(lines) > 1 else f"{words[0][0].capitalize()}."
    return f"{', '.join(f'{number:,} {word}' for word, number in words[:8])}."


def statuses(lines: list[Line]) -> list[dict[str, Any]]:
    """Each status with its number, the commonest first."""
    found = Counter(line["status"]["word"] for line in lines).most_common(MOST_STATUSES)
    return [status(word) | {"count": number} for word, number in found]


def facts(lines: list[Line]) -> list[tuple[str, str]]:
    """Label and text: when, who, how much."""
    starts = [line["start"] for line in lines if line["start"]]
    ends = [line["end"] for line in lines if line["end"]]
    rows = [("When", f"{utc(min(starts))} to {utc(max([*starts, *ends]))}")] if starts else []
    rows += [("Who", _commonest(line["user"] for line in lines if line["user"]))]
    rows += [("Nodes", _commonest(node for line in lines for node in line["nodes"]))]
    rows += [("Node hours", node_hours(lines))]
    kinds = Counter(line["kind"] for line in lines)
    if set(kinds) - {"command"}:
        rows += [("Kinds", ", ".join(count(number, kind) for kind, number in kinds.most_common(4)))]
    return [(label, text) for label, text in rows if text]


def node_hours(lines: list[Line]) -> str:
    """Nodes times hours of all; of what ran inside of another one here, only the inner runs count."""
    here = {line["id"] for line in lines}
    outer = {whole for line in lines for whole in line["part_of"]}
    outer |= {line["id"] for line in lines if not here.isdisjoint(line["holds"])}
    own = [line for line in lines if line["id"] not in outer and not line["inside"]]
    hours = sum((line["seconds"] or 0.0) * max(1, line["node_count"]) for line in own) / 3600
    unknown = sum(line["seconds"] is None for line in own)
    text = f"{hours:,.1f}" if hours >= 0.1 else f"{hours:.4f}"
    return text + (f" (of {count(unknown, 'run')} not known)" if unknown else "")


def _commonest(values: Iterable[str]) -> str:
    found = Counter(values).most_common()
    named = ", ".join(f"{value} ({number:,})" if len(found) > 1 else value for value, number in found[:5])
    return named + (f" and {len(found) - 5:,} more" if len(found) > 5 else "")

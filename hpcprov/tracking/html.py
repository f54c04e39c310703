"""A record as a card for a notebook: one self-contained piece of HTML, readable on light and dark pages.

Everything in a record is untrusted: every text is escaped, and there are neither links nor scripts.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from hpcprov.record.step import in_tree
from hpcprov.record.text import printable
from hpcprov.record.wording import duration, size, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from hpcprov.tracking.record import Artifact, Record

MOST, MOST_STEPS, DEEPEST = 12, 20, 8  # rows; indents
LONGEST = 120  # characters of one text
DIGITS = 12
# The page's own colours, with shades of its text colour: right on light and on dark pages. Signs tell a status as well.
STYLE = (
    ".hpcprov{font:13px/1.5 system-ui,sans-serif;color:inherit;border:1px solid color-mix(in srgb,currentColor 25%,"
    "transparent);border-radius:6px;padding:.7em 1em;max-width:60em;overflow-x:auto}"
    ".hpcprov table{border-collapse:collapse;margin:.3em 0;font-size:inherit;color:inherit;background:none}"
    ".hpcprov td,.hpcprov th{text-align:left;vertical-align:top;padding:.1em 1em .1em 0;border:0;background:none;"
    "color:inherit;white-space:nowrap}"
    ".hpcprov th{font-weight:600}.hpcprov .long{font-weight:400;white-space:normal;overflow-wrap:anywhere;"
    "min-width:8em}.hpcprov code{font:12px ui-monospace,monospace;background:none;"
    "color:inherit;padding:0}.hpcprov .soft{opacity:.75}.hpcprov summary{cursor:pointer;font-weight:600}"
    ".hpcprov header{margin-bottom:.3em}"
)
SIGNS = {"completed": "✓", "running": "…", "failed": "✗", "unfinished": "?"}


def card(record: Record, raw: dict[str, Any]) -> str:
    """The card; `raw`: the record itself."""
    head = f"<header><strong>{text(record.name or record.id)}</strong> {badge(record.status)}</header>"
    parts = [head, table(facts(record, raw["run"])), artifacts("inputs", record.inputs, record.cwd)]
    parts += [artifacts("outputs", record.outputs, record.cwd)]
    parts += [steps(raw.get("steps") or []), problems(record.problems)]
    return f'<style>{STYLE}</style><div class="hpcprov" role="group">{"".join(filter(None, parts))}</div>'


def text(value: object) -> str:
    """An untrusted text, visible as it is and cut."""
    shown = printable(str(value))
    return escape(shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…", quote=True)


def badge(status: str) -> str:
    return f"<span>{SIGNS.get(status, '✗')} {text(status)}</span>"


def facts(record: Record, told: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    took = f", took {duration(record.duration_s)}" if record.duration_s is not None else ""
    yield "run", f"<code>{text(record.id)}</code>"
    if record.cause:
        yield "why", long(text(record.cause))
    if record.argv:
        yield "what", long(f"<code>{text(' '.join(record.argv))}</code>")
    if record.note:
        yield "note", long(text(record.note))
    if record.tags:
        yield "tags", long(text(", ".join(f"{key}={value}" for key, value in sorted(record.tags.items()))))
    yield "when", text(when(told["start"]) + took)
    if record.ranks > 1:
        yield "ranks", text(record.ranks)


def table(rows: Iterable[tuple[str, ...]], below: str = "") -> str:
    """Rows whose first cell is their head; cells are HTML."""
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f"<table><tbody>{body}</tbody></table>{below}"


def long(inner: str) -> str:
    """A text that may be broken anywhere."""
    return f'<div class="long">{inner}</div>'


def folded(name: str, count: int, inner: str, *, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary>{name} ({count:,})</summary>{inner}</details>"


def more(count: int, shown: int) -> str:
    return f'<div class="soft">... and {count - shown:,} more</div>' if count > shown else ""


def artifacts(name: str, found: tuple[Artifact, ...], cwd: str | None) -> str:
    here = (cwd or "/").rstrip("/") + "/"
    rows = (
        (
            long(f"<code>{text(one.path.removeprefix(here))}</code>"),
            text(one.format or ""),
            text(size(one.size)) if one.size is not None else "",
            digest(one),
        )
        for one in found[:MOST]
    )
    return folded(name, len(found), table(rows, more(len(found), MOST)), is_open=len(found) <= MOST) if found else ""


def digest(one: Artifact) -> str:
    told = one.signature or one.storage
    if told is None:
        return f'<span class="soft">{text(f"{one.state}: {one.reason}" if one.reason else one.state)}</span>'
    kind, _, digits = told.partition(":")
    return f'<code title="{text(told)}">{text(kind)}:{text(digits[:DIGITS])}</code>'


def steps(found: list[dict[str, Any]]) -> str:
    rows = []
    for one, depth in in_tree(found, MOST_STEPS):
        times = f" × {one['count']:,}" if one["count"] != 1 else ""
        took = duration(one["duration_s"]) if one["duration_s"] is not None else ""
        name = f'<span style="padding-left:{min(depth, DEEPEST)}em">{text(one["name"])}{times}</span>'
        rows.append((name, text(took), f"{SIGNS.get(one['status'], '✗')} {text(one['error'] or one['status'])}"))
    inner = table(rows, more(len(found), MOST_STEPS))
    return folded("steps", len(found), inner, is_open=len(found) <= MOST_STEPS) if found else ""


def problems(found: tuple[str, ...]) -> str:
    if not found:
        return ""
    lines = "".join(f"<div>{text(one)}</div>" for one in found[:MOST])
    return folded("problems", len(found), lines + more(len(found), MOST), is_open=False)

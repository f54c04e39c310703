"""What is in the fields of an artifact, a row for each: as `hpcprov hash --stats` prints it.

print("\\n".join(lines(facts["signature"]["fields"], screen(os.environ))))
"""

from __future__ import annotations

from hpcprov.commands.screen import cut, extents
from hpcprov.record.statistics import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen

HEAD = ("field", "type", "shape", "min", "max", "mean", "missing", "zeros", "distinct", "order")
#: Columns of text, which give way where the screen is narrow, down to so many characters.
NARROWEST = {0: 8, 1: 4, 2: 6, 9: 12}
#: Columns that are left out, one after the other, where that is not enough; type and shape stand above the table.
LEFT_OUT = (2, 1, 7, 5)
#: Digits of a float; characters of any value, and of text.
DIGITS, LONGEST, LONGEST_TEXT = 5, 20, 10
ORDERS = {
    "increasing": "rises",
    "non-decreasing": "never falls",
    "decreasing": "falls",
    "non-increasing": "never rises",
    "constant": "constant",
}
INDENT, GAP = "    ", "  "


def lines(fields: list[dict[str, Any]], screen: Screen) -> Iterator[str]:
    """A table with a row for each field that has statistics; columns that say nothing are left out."""
    rows = [_row(field) for field in fields if field.get("statistics")]
    kept = [at for at in range(len(HEAD)) if any(row[at] for row in rows)]
    widest = [max(len(line[at]) for line in (HEAD, *rows)) for at in range(len(HEAD))]
    widths = _fitting(kept, widest, screen.width)
    for column in LEFT_OUT:
        if sum(widths) + len(GAP) * (len(kept) - 1) + len(INDENT) > screen.width and column in kept:
            kept.remove(column)
            widths = _fitting(kept, widest, screen.width)
    yield screen.paint(_line(HEAD, kept, widths), "dim")
    for row in rows:
        yield _line(row, kept, widths)


def _row(field: dict[str, Any]) -> tuple[str, ...]:
    found = field["statistics"]
    return (
        cut(field["path"] or "(the array)", 40),
        cut(field["type"], 24),
        extents(field["shape"], "x"),
        *(_value(found.get(name), field["type"]) for name in ("min", "max", "mean", "missing", "zeros")),
        _distinct(found),
        _order(found),
    )


def _value(value: Any, kind: str) -> str:
    if value is None:
        return ""
    most = LONGEST_TEXT if kind == "str" else LONGEST
    return "''" if value == "" else cut(short(value, DIGITS, most), most)


def _distinct(found: dict[str, Any]) -> str:
    if found.get("distinct") is not None:
        return str(found["distinct"])
    return ">20" if str((found.get("uncounted") or {}).get("distinct")).startswith("more than 20 ") else ""


def _order(found: dict[str, Any]) -> str:
    order, step = ORDERS.get(found.get("order", ""), ""), found.get("step")
    return order if step is None else cut(f"{order} by {short(step, DIGITS, LONGEST).lstrip('-')}", 40)


def _fitting(kept: list[int], widest: list[int], width: int) -> list[int]:
    """The widths of the columns, those of text made smaller, the widest first, until the line fits."""
    widths, room = [widest[at] for at in kept], width - len(INDENT) - len(GAP) * (len(kept) - 1)
    while sum(widths) > room:
        able = [at for at, column in enumerate(kept) if widths[at] > NARROWEST.get(column, widths[at])]
        if not able:
            break
        widths[max(able, key=lambda at: widths[at])] -= 1
    return widths


def _line(cells: tuple[str, ...], kept: list[int], widths: list[int]) -> str:
    parts = []
    for column, width in zip(kept, widths, strict=True):
        text = cells[column] if len(cells[column]) <= width else f"{cells[column][: width - 1]}…"
        parts.append(text.ljust(width) if column in NARROWEST else text.rjust(width))
    return f"{INDENT}{GAP.join(parts)}".rstrip()

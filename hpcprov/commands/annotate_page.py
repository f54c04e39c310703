"""What `hpcprov annotate` prints: what was written, what is kept, and what two people have changed.

FIELD  CELL   THE SHEET SAYS  THE STORE SAYS  SINCE                 BY
depth  units  cm              m               2026-11-21T09:30:00Z  ada
"""

from __future__ import annotations

from hpcprov.commands.screen import count, cut, screen
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hpcprov.commands.annotate_kept import Kept
    from hpcprov.commands.dictionary_made import Seen
    from hpcprov.quality.dictionary.annotations import Annotations

GAP = "  "
LEAST = 8  # characters of a column that is made narrower
MOST_ROWS = 200
OF_DATASET = "(dataset)"
EMPTY = "(nothing)"
#: What a definition was made from, for programs; its context says it to people.
INPUTS = "inputs"


def conflicts(kept: Kept, environ: Mapping[str, str]) -> Iterator[str]:
    """The cells that both sides have changed."""
    rows = [["FIELD", "CELL", "THE SHEET SAYS", "THE STORE SAYS", "SINCE", "BY"]]
    for one in kept.conflicts[:MOST_ROWS]:
        who = [one["since"] or "", one["by"] or "the file itself"]
        rows.append([_named(one["field"]), one["key"], one["sheet"] or EMPTY, one["store"] or EMPTY, *who])
    number = count(len(kept.conflicts), "cell")
    yield f"{number} changed in the sheet, and by others since it was made; nothing was written:"
    yield from table(rows, environ)
    yield from _more(len(kept.conflicts))
    yield "`--take sheet` writes what the sheet says, `--take store` keeps what is there; all other cells are taken."


def kept(found: Kept, embedded: dict[str, Any] | None, environ: Mapping[str, str]) -> Iterator[str]:
    """What was written."""
    changes = found.merged.changes
    if changes:
        rows = [["FIELD", "CELL", "IS NOW"]]
        for (field, key), cell in list(changes.items())[:MOST_ROWS]:
            rows.append([_named(field), key, "(what the file says)" if cell is None else cell.value or EMPTY])
        yield f"{count(len(changes), 'cell')} written to {printable(found.store.root)}, version {found.version}:"
        yield from table(rows, environ)
        yield from _more(len(changes))
    else:
        yield "nothing new: all is as it was written"
    if embedded is not None:
        yield printable(str(embedded["told"]))


def listing(found: Annotations, seen: Seen, environ: Mapping[str, str]) -> Iterator[str]:
    """What is kept, since when, and by whom."""
    if not found.version:
        yield f"nothing is written about {printable(seen.path)}"
        return
    known = {field["path"] for field in seen.layout["fields"]}
    rows = [["FIELD", "CELL", "TEXT", "SINCE", "BY"]]
    for field, cells in [(None, found.dataset), *found.fields.items()]:
        gone = "" if field is None or field in known else " (not in the data now)"
        shown = {key: cell for key, cell in cells.items() if key != INPUTS}
        rows += [[_named(field) + gone, key, cell.value or EMPTY, cell.changed, cell.by] for key, cell in shown.items()]
    yield f"{printable(seen.path)}  version {found.version}, found by its {found.found}"
    if found.found == "values":
        yield f"  written when it was {printable(found.path)}"
    elif seen.signature is not None and found.signature != seen.signature:
        yield "  written when this path had other values"
    yield from table(rows, environ)


def _named(field: str | None) -> str:
    return OF_DATASET if field is None else field or "(the array)"


def _more(number: int) -> list[str]:
    return [f"... and {number - MOST_ROWS:,} more"] if number > MOST_ROWS else []


def table(rows: list[list[str]], environ: Mapping[str, str]) -> Iterator[str]:
    """Columns under their heads; the widest are cut until the whole fits."""
    shown = screen(environ)
    safe = [[cut(" ".join(text.split()), shown.width) for text in row] for row in rows]
    widths = [max(len(row[at]) for row in safe) for at in range(len(safe[0]))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > shown.width - 2 and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
    for k, row in enumerate(safe):
        texts = (cut(text, width).ljust(width) for text, width in zip(row, widths, strict=True))
        line = f"  {GAP.join(texts).rstrip()}"
        yield shown.paint(line, "dim") if k == 0 else line

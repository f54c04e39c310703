"""What `diff` found between two tables, as text: a line for each column that differs, where rows were deleted, inserted
or moved, and the first changed rows with both values of a cell.

column  differ  of  first row  largest  relative
amount       2  10          4      4.5         1

  A   B    id  amount
  4   4 ~   3  4.5 -> 9.0
"""

from __future__ import annotations

from hpcprov.commands import screen as sight
from hpcprov.commands.screen import count, cut
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hpcprov.commands.screen import Screen

    Facts = dict[str, Any]

#: Lines of each kind, places in a line, characters of a name and of a cell.
MOST_COLUMNS, MOST_LINES, MOST_PLACES, NAME, CELL = 40, 30, 8, 24, 28
#: So many rows of a table moved before it is said that they are in another order.
MANY = 0.3
HEADS = ("column", "differ", "of", "first row", "largest", "relative")
WAYS = {"number": "by their number", "content": "by what is in them"}
COLOURS = {"~": "yellow", "-": "red", "+": "green", "<": "blue", ">": "blue"}
WITHOUT = {"missing": "missing", "nan": "NaN", "empty": "empty text"}


def lines(facts: Facts, names: Sequence[str], screen: Screen) -> Iterator[str]:
    """The page of two tables that are called `names`, without a byte in it that a terminal would obey."""
    yield from _summary(facts, names, screen)
    differing = [one for one in facts["fields"] if one["differing"]]
    if differing:
        yield ""
        yield from sight.columns([HEADS, *map(_column, differing[:MOST_COLUMNS])], screen, text={0})
        yield from sight.more(len(differing), MOST_COLUMNS, "column")
    told = [line for one in facts["fields"] for line in _told(one, names)]
    told += ["the columns are in another order"] if facts["reordered"] else []
    if told:
        yield ""
        yield from told[:MOST_COLUMNS]
        yield from sight.more(len(told), MOST_COLUMNS, "such line")
    places = list(_places(facts, names))
    if places:
        yield ""
        yield from places
    yield from _hunks(facts["context"], names, screen)


def _summary(facts: Facts, names: Sequence[str], screen: Screen) -> Iterator[str]:
    counts, key = facts["counts"], facts["key"]
    rows = " and ".join(f"{count(number, 'row')} in {name}" for number, name in zip(facts["rows"], names, strict=True))
    how = f"by the key {', '.join(map(printable, key['columns']))}" if key else WAYS[facts["by"]]
    yield f"{screen.difference(facts['status'])}: {rows}, matched {how}"
    words = {
        "same": "the same", "changed": "changed", "deleted": f"only in {names[0]}", "inserted": f"only in {names[1]}",
        "moved": "moved",
    }  # fmt: skip
    if facts["fields"] and all(one["status"] in ("missing", "new", "incomparable") for one in facts["fields"]):
        yield "  no column of one can be compared with one of the other"
    else:
        yield f"  {', '.join(f'{counts[name]:,} {words[name]}' for name in words if counts[name]) or 'no rows'}"
    for (keys, repeated), name in zip(key["repeated"] if key else (), names, strict=bool(key)):
        if keys:
            stand = f"{count(keys, 'key')} in {count(repeated, 'row')}"
            yield f"  {name} has {stand}: the first of a key was paired with the first, and so on"


def _column(one: Facts) -> tuple[str, ...]:
    first = one["first"] or []
    place = " / ".join(f"{row:,}" for row in dict.fromkeys(first))
    return (
        cut(one["path"], NAME), f"{one['differing']:,}", f"{one['count']:,}", place, _number(one["max_abs"]),
        _number(one["max_rel"]),
    )  # fmt: skip


def _told(one: Facts, names: Sequence[str]) -> Iterator[str]:
    """What is to be said of a column beside its numbers."""
    name = cut(one["path"], NAME)
    if one["other_path"] is not None:
        yield f"{name}: is called {cut(one['other_path'], NAME)} in {names[1]}"
    if one["status"] in ("missing", "new"):
        yield f"{name}: only in {names[0] if one['status'] == 'missing' else names[1]}"
        return
    if one["reason"]:
        yield f"{name}: {printable(one['reason'])}"
    if one["shift"]:
        by, way = abs(one["shift"]), "down" if one["shift"] > 0 else "up"
        yield f"{name}: its cells are those of {names[0]}, moved {way} by {count(by, 'row')}"
    if one["differing"] and one["outside"] != one["differing"]:
        within = one["differing"] - one["outside"]
        yield f"{name}: {one['outside']:,} outside the tolerance, {within:,} within it"
    for kind, sides in one["without"].items():
        parts = [f"{number:,} in {side} only" for number, side in zip(sides, names, strict=True) if number]
        yield f"{name}: {WITHOUT[kind]} in {' and '.join(parts)}".replace(" in ", ": ", 1)


def _places(facts: Facts, names: Sequence[str]) -> Iterator[str]:
    """Where rows were deleted, inserted and moved."""
    for kind, name in (("deleted", names[0]), ("inserted", names[1])):
        total, found = facts["counts"][kind], facts[kind]
        if total:
            told = [_run(*run) for run in found[:MOST_PLACES]]
            left = total - sum(last - first + 1 for first, last in found[:MOST_PLACES])
            more = f" and {left:,} more" if left > 0 else ""
            yield f"only in {name}: {'rows' if total > 1 else 'row'} {', '.join(told)}{more}"
    for number, name, other in zip(facts["copies"], names, reversed(names), strict=True):
        if number:
            yield f"only in {name}: {count(number, 'row')} that {other} has, too, but not as often"
    left = facts["counts"]["moved"]
    if left > MANY * max(facts["rows"]) and len(facts["moved"]) > MOST_PLACES:
        yield f"moved: {left:,} rows, which are in another order (--key pairs rows in any order)"
        return
    for first, last, to in facts["moved"][:MOST_PLACES]:
        size = last - first + 1
        left -= size
        yield f"moved: {'rows' if size > 1 else 'row'} {_run(first, last)} of {names[0]} to {_run(to, to + size - 1)}"
    if facts["moved"] and left > 0:
        yield f"moved: {left:,} more"


def _run(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,}-{last:,}"


def _hunks(context: Facts, names: Sequence[str], screen: Screen) -> Iterator[str]:
    """The first rows that differ, old and new values side by side."""
    hunks = _whole(context["hunks"])
    shown = [row for hunk in hunks for row in hunk]
    if not shown or not context["columns"]:
        return
    numbers = [_row_numbers(row) for row in shown]
    widths = [max(len(name), *(len(pair[at]) for pair in numbers)) for at, name in enumerate(names)]
    head = f"{names[0]:>{widths[0]}} {names[1]:>{widths[1]}}  "
    cells = [[_cell(cell) for cell in row["cells"]] for row in shown]
    columns, room = _fitting(context["columns"], cells, screen.width - len(head))
    left = len(context["columns"]) - len(columns) + context["more"]
    yield ""
    titles = "".join(f"  {cut(context['columns'][at], room[at]):<{room[at]}}" for at in columns)
    yield screen.paint(f"{head}{titles}".rstrip(), "bold")
    ends = {id(hunk[-1]) for hunk in hunks}
    for row, pair, values in zip(shown, numbers, cells, strict=True):
        body = "".join(f"  {cut(values[at], room[at]):<{room[at]}}" for at in columns)
        sign = " " if row["sign"] == "=" else row["sign"]
        line = f"{pair[0]:>{widths[0]}} {pair[1]:>{widths[1]}} {sign}{body}".rstrip()
        yield screen.paint(line, COLOURS[sign]) if sign in COLOURS else line
        if id(row) in ends and row is not shown[-1]:
            yield f"{'.':>{widths[0]}} {'.':>{widths[1]}}"
    if left:
        yield f"({count(left, 'more column')})"
    if len(shown) < sum(map(len, context["hunks"])):
        yield "(more rows differ: -o PAGE.html and --json show more of them)"
    yield ", ".join(word for sign, word in _legend(names) if any(row["sign"] == sign for row in shown))


def _whole(hunks: list[list[Facts]]) -> list[list[Facts]]:
    """As many places as there is room for, each with all of its rows; only the first one may be cut."""
    shown = [hunk[:MOST_LINES] for hunk in hunks[:1]]
    for hunk in hunks[1:]:
        if sum(map(len, shown)) + len(hunk) > MOST_LINES:
            break
        shown.append(hunk)
    return shown


def _legend(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    changed, moved = ("~", "~ changed"), (("<", "< moved away"), (">", "> moved here"))
    return changed, ("-", f"- only in {names[0]}"), ("+", f"+ only in {names[1]}"), *moved


def _row_numbers(row: Facts) -> tuple[str, str]:
    one, other = (f"{row[side]:,}" if row[side] is not None else "" for side in ("one", "other"))
    return one, other


def _cell(values: list[Any]) -> str:
    return " -> ".join(cut(shown(value), CELL) for value in values)


def shown(value: Any) -> str:
    """A cell as it stands in the data."""
    if value is None:
        return "(missing)"
    if value is True or value is False:
        return str(value).lower()
    if value == "":
        return "(empty)"
    return repr(value) if isinstance(value, float) else printable(str(value))


def _fitting(titles: list[str], cells: list[list[str]], width: int) -> tuple[list[int], list[int]]:
    """Which columns have room, those with changed cells first, and how wide each is."""
    room = [
        max([min(len(printable(title)), NAME)] + [len(row[at]) for row in cells]) for at, title in enumerate(titles)
    ]
    changed = [any(" -> " in row[at] for row in cells) for at in range(len(titles))]
    order = [0, *sorted(range(1, len(titles)), key=lambda at: not changed[at])]
    chosen: list[int] = []
    for at in order:
        if width >= room[at] + 2 or not chosen:
            chosen.append(at)
            room[at] = max(4, min(room[at], width - 2))
            width -= room[at] + 2
    return sorted(chosen), room


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else printable(str(value))

"""The page of a diff: what differs, field by field, with maps of where and how much.

    page(report)      # report: as hpcprov.quality.diff.files gives it  ->  HTML

Maps are drawn here from what the child that read the data has counted; it is not trusted with more than numbers.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from hpcprov.record.wording import count
from hpcprov.report.page import compose
from hpcprov.report.png import data_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Facts = dict[str, Any]

#: Equal; nine levels, whose lightness falls (matplotlib's magma, read backwards); different without a distance.
EQUAL, NO_DISTANCE = (233, 231, 226), (0, 126, 136)
LEVELS = (
    *((254, 207, 146), (254, 159, 109), (247, 112, 92), (222, 73, 104), (182, 54, 121)),
    *((140, 41, 129), (100, 26, 128), (59, 15, 112), (21, 14, 55)),
)
COLOURS = (EQUAL, *LEVELS, NO_DISTANCE)
#: Fields with a section of their own, and differences besides the values: `--json` has all.
MOST_FIELDS, MOST_BESIDES = 60, 500
SECOND = {
    "different": "bad",
    "within": "warn",
    "same": "good",
    "missing": "bad",
    "new": "bad",
    "renamed": "warn",
    "unproven": "warn",
}
WORDS = {
    "missing": "only in A",
    "new": "only in B",
    "within": "within the tolerance",
    "same": "equal",
    "unproven": "equal in what could be compared",
}


def page(found: Facts, besides: list[str], notes: dict[str, list[str]], asked: str) -> str:
    """The page; `besides` and `notes` (of fields, by their paths) are as the terminal has them, `asked` is the
    tolerance in words. Raises MissingTemplates."""
    fields = [section(field, notes.get(field["path"], [])) for field in found["fields"]]
    shown = [field for field in fields if field["differs"]][:MOST_FIELDS]
    return compose(
        "diff.html",
        title=f"{found['paths'][0]} and {found['paths'][1]}",
        styles=["diff.css"],
        found=found,
        sides=list(zip("AB", found["paths"], found["format"], found["known"], strict=True)),
        status=status(found["status"]),
        fields=fields,
        shown=shown,
        more=max(0, sum(field["differs"] for field in fields) - MOST_FIELDS),
        besides=besides[:MOST_BESIDES],
        more_besides=max(0, len(besides) - MOST_BESIDES),
        asked=asked,
        table=found["table"],
    )


def status(word: str) -> dict[str, str]:
    """A status as the page's templates show one."""
    look = SECOND[word]
    return {"look": look, "sign": {"good": "✓", "bad": "✗", "warn": "≈"}[look], "word": WORDS.get(word, word)}


def section(field: Facts, notes: list[str]) -> Facts:
    """What the page says of one field."""
    return {
        "name": field["path"] or "(the array)",
        "status": status(field["status"]),
        "differs": bool(field["differing"]),
        "facts": field,
        "notes": notes,
        "picture": picture(field) if field["picture"] is not None else None,
    }


def picture(field: Facts) -> Facts:
    """The maps of a field, their scale, and the profile across its other axes."""
    drawn = field["picture"]
    names = field["dimensions"] or [f"axis {axis}" for axis in range(len(field["shape"][0] or ()))]
    axes = [names[axis] for axis in drawn["axes"]]
    rows, columns = ("", axes[0] if axes else "") if len(axes) < 2 else axes
    others = [name for axis, name in enumerate(names) if axis not in drawn["axes"]]
    maps = [_map(one, drawn, others) for one in drawn["maps"]]
    return {
        "rows": rows,
        "columns": columns,
        "last": [extent - 1 for extent in drawn["extents"]],
        "block": _block(drawn),
        "maps": [one for one in maps if one is not None],
        "scale": [(number, short(bound)) for number, bound in enumerate(drawn["levels"])],
        "bars": _bars(drawn["bars"]),
        "leading": " × ".join(
            f"{name} = 0–{extent - 1}" for name, extent in zip(others, drawn["leading"], strict=False)
        ),
    }


def _map(one: Facts, drawn: Facts, others: list[str]) -> Facts | None:
    rows, columns = drawn["cells"]
    pixels = unpacked(one["cells"], rows * columns)
    if pixels is None:
        return None
    at = one["at"]
    where = "" if at is None else ", ".join(f"{name} = {index}" for name, index in zip(others, at, strict=False))
    several = bool(others) and any(extent > 1 for extent in drawn["leading"])
    return {
        "uri": data_uri(columns, rows, pixels, COLOURS),
        "title": where or ("all slices: the largest difference of any" if several else ""),
        "differing": one["differing"],
        "flat": rows * 12 < columns,
        "width": columns,
        "height": rows,
    }


def short(bound: float) -> str:
    """`0.013`, `1.3e-4`: two digits, and few characters."""
    if 0.01 <= bound < 1000:
        return f"{bound:.2g}" if bound < 100 else f"{bound:.0f}"
    digits, _, power = f"{bound:.1e}".partition("e")
    return f"{digits}e{int(power)}"


def unpacked(text: str, size: int) -> bytes | None:
    """The levels of a map, one byte for each cell; None when that is not what they are."""
    try:
        packed = base64.b64decode(text, validate=True)
        unpacking = zlib.decompressobj()
        pixels = unpacking.decompress(packed, size + 1)
    except (binascii.Error, ValueError, zlib.error):
        return None
    sound = unpacking.eof and len(pixels) == size and size and max(pixels) < len(COLOURS)
    return pixels if sound else None


def _block(drawn: Facts) -> str:
    """How many elements a cell stands for."""
    sizes = [-(-extent // cells) for extent, cells in zip(drawn["extents"], drawn["cells"], strict=True)]
    return "" if sizes == [1, 1] else f"{sizes[0]} × {sizes[1]}"


def _bars(counts: list[int]) -> Facts | None:
    """The profile as a polygon of 100 times 30 units."""
    top = max(counts, default=0)
    if not top:
        return None
    step = 100 / len(counts)
    tops = ((at * step, 30 - 28 * number / top) for at, number in enumerate(counts))
    points = " ".join(f"{x:.2f},{y:.2f} {x + step:.2f},{y:.2f}" for x, y in tops)
    return {"points": f"0,30 {points} 100,30", "top": count(top, "value")}

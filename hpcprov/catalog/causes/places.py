"""Where in its fields an artifact differs from another one: by what records say of both, and by tile digests.

    lines(differing(artifact, other, locate))  ->  "field t2m, tile [64:128, 0:512] (1 of 3 tiles)", ...

`locate` gives the boxes of two versions of a field (`hpcprov.signature.verify.Tiles.locate`).
"""

from __future__ import annotations

from hpcprov.catalog.causes.told import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Field = dict[str, Any]
    Locate = Callable[[Field, Field], dict[str, Any]]

#: Boxes of a field, and fields, that are named.
MOST_BOXES = 3
MOST_FIELDS = 5


def differing(one: dict[str, Any], other: dict[str, Any], locate: Locate) -> Iterator[dict[str, Any]]:
    """Of two artifacts' signatures each field that differs: `path`, `reason` and `boxes` (None: not known where)."""
    left = {field["path"]: field for field in (one["signature"] or {"fields": ()})["fields"]}
    right = {field["path"]: field for field in (other["signature"] or {"fields": ()})["fields"]}
    for path in dict.fromkeys([*left, *right]):
        if path not in left or path not in right:
            which = "first" if path in left else "second"
            yield {"path": path, "reason": f"is in the {which} only", "boxes": None}
        elif left[path]["signature"] != right[path]["signature"]:
            yield {"path": path, "reason": None, "boxes": None} | locate(left[path], right[path])


def lines(fields: list[dict[str, Any]]) -> Iterator[str]:
    """Fields that differ, a line each; of many the first."""
    for field in fields[:MOST_FIELDS]:
        name, boxes = cut(field["path"]), field["boxes"] or []
        title = f"field {name}" if name else "the array"
        if not boxes:
            yield f"{title}: {field['reason'] or 'other values'}"
            continue
        shown = ", ".join(f"[{', '.join(f'{begin}:{end}' for begin, end in box)}]" for box in boxes[:MOST_BOXES])
        more = f" and {len(boxes) - MOST_BOXES} more" if len(boxes) > MOST_BOXES else ""
        plural = "tile" if len(boxes) == 1 else "tiles"
        yield f"{title}, {plural} {shown}{more} ({field['reason']})"
    if len(fields) > MOST_FIELDS:
        yield f"and {len(fields) - MOST_FIELDS} more fields (--json names all)"

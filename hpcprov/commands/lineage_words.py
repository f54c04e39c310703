"""What the tree of a lineage says in words, by the way that is gone: "up" to the origins, "down" to what came of it.

NOTHING["data", "up"]  ->  "no run is known to have made it"
"""

from __future__ import annotations

from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.graph import Edge

#: What is said of data that stands in another relation to what is above it than being used or made.
RELATIONS = {
    ("same values", "up"): "the same values, in",
    ("same values", "down"): "the same values, in",
    ("changed", "up"): "before it was changed outside of any recorded run:",
    ("changed", "down"): "as it was changed outside of any recorded run:",
    ("holds", "up"): "made as a part of",
    ("holds", "down"): "a part of it:",
    ("part of", "up"): "a part of it:",
    ("part of", "down"): "used as a part of",
}
JOINED = {"bytes": "by equal bytes", "path": "by path and time"}
PROGRAM = "the program, by path and time"
ENDS = {"up": "to", "down": "from"}
OPEN = "not followed further"
NOTHING = {
    ("data", "up"): "no run is known to have made it",
    ("data", "down"): "no run is known to have used it",
    ("run", "up"): "it is not known to have used anything",
    ("run", "down"): "it is not known to have generated anything",
}
TITLES = {
    ("data", "up"): "where it came from",
    ("data", "down"): "what came of it",
    ("run", "up"): "what it used",
    ("run", "down"): "what it generated",
}


def fields_of(via: Edge, way: str) -> str:
    """` field max_depth of`: which fields are equal."""
    pairs = via.get("fields") or []
    names = [printable(pair[0 if way == "up" else 1]) or "the array" for pair in pairs[:3]]
    more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return f" field{'s' if len(pairs) > 1 else ''} {', '.join(names)}{more} of" if names else ""

"""The definitions that a run's record has of an artifact's fields, as attributes to be written beside the trail.

    attributes_of(record, "/data/out.h5")  ->  {"depth": {"hpcprov_definition": "h * 2", "hpcprov_context": "{...}"}}

What a program told of a field, or what was kept of an input, is written in any case; what is only derived (the rule or
command that made them all) where there are not too many fields. Only the standard library is imported here.
"""

from __future__ import annotations

from hpcprov.quality.definitions import definitions_of
from hpcprov.quality.definitions.attributes import attributes
from hpcprov.quality.trail.entries import MOST_OCTETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.model import Record

#: Of more fields what is derived would be the same words in each.
MOST_DERIVED = 256
DERIVED = "derived"


def attributes_of(record: Record, path: str) -> dict[str, dict[str, str]]:
    """The attributes of each field, by its name; what does not fit into an attribute is left out."""
    found = definitions_of(path, record)
    many = len(found) > MOST_DERIVED
    written = {name: attributes(made) for name, made in found.items() if not (many and made["how"] == DERIVED)}
    return {name: own for name, own in written.items() if max(map(_size, own.values())) <= MOST_OCTETS}


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))

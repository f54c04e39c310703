"""How each field was made: its definition (an expression over inputs) and its context (what that is evaluated over).

    definitions_of("/data/out.h5", record)
    ->  {"depth": {"expression": "h * (h > 0.01)", "language": "python", "context": "[in flood.h5 @ hpcprov1:5c0e61a…]",
                   "inputs": [{"path": "/data/flood.h5", "field": "h", "signature": "hpcprov1:...", "dataset": ...}],
                   "by": "20261121T...", "name": "simulate", "when": "2026-11-21T10:00:00Z", "how": "told"}}

What a program told comes from the run's record (`told`), or from the field's attributes where the file has travelled
without its record (`attribute`). Of fields that nobody defined the record says which have the values of an input's
field (`kept`), and what made all others: a step, a rule or a command (`derived`). Only the standard library is imported
here.
"""

from __future__ import annotations

from hpcprov.quality.definitions import attributes as embedded
from hpcprov.quality.definitions import derived, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.record.model import Record

    Definition = dict[str, Any]


def definitions_of(
    path: str,
    record: Record | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    fields: Iterable[str] = (),
) -> dict[str, Definition]:
    """The definitions of the fields of a dataset, by the field's path; `path` as the record of the run that made it has
    it. `attributes`: those of each field (data.attributes). `fields`: others whose definitions are to be derived. What
    the record says counts before what the file says: attributes may have come with a copy of another field."""
    found = embedded.definitions(attributes or {})
    if record is not None:
        told_of = told.definitions(record, path)
        names = [*fields, *derived.field_names(record, path)]
        made = derived.definition(record, path)
        found = {name: made for name in names if made is not None} | derived.kept(record, path) | found | told_of
    return found

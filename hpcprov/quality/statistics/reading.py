"""Statistics of files and of objects in memory.

    statistics_of(opened(numpy.arange(3)))[""]["max"]  ->  2
    describe("out.nc", statistics=counting)            # with the signatures, in one read

What is missing is declared by the attributes `_FillValue` and `missing_value` of a field.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hpcprov.data.attributes import Attributes, missing_values, read_attributes
from hpcprov.data.interface import Dataset, Field
from hpcprov.data.open import MissingReader, open_data, readable, reason
from hpcprov.data.types import Unsigned
from hpcprov.quality.statistics.counter import Counter
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import tree
from hpcprov.signature.artifact import check_declared
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.snapshot import look
from hpcprov.signature.threads import sign_field
from hpcprov.signature.watch import Watch

#: Characters of a reason.
MOST_REASON = 300


def counting(path: str) -> Callable[[Field], Counter]:
    """What counts the fields of the artifact at `path`, whose attributes are read now."""
    try:
        attributes = read_attributes(path)
    except (UnreadableData, MissingReader, OSError) as error:
        why = f"its attributes cannot be read: {reason(error)}"
        return lambda field: Counter(field, unknown=why)
    return lambda field: counter_for(field, attributes)


def counter_for(field: Field, attributes: Attributes | None) -> Counter:
    """What counts a field of a dataset with these attributes."""
    own = attributes.fields.get(field.name, {}) if attributes is not None else {}
    return Counter(field, missing_values(own, field.type))


def counted(path: str, *, threads: int | None, watch: Watch | None = None) -> list[dict[str, Any]]:
    """Path, signature and statistics of each field that can be read, of a file that has no signature as a whole; of one
    whose values turn out to have none, None and why (`not_read`). Raises what its reader raises."""
    count_with = counting(path)
    with readable(path), open_data(path, partial=True) as data:
        check_declared(data, look(path).size)
        found = []
        for field in data.fields:
            told: dict[str, Any] = {"path": field.name, "signature": None, "statistics": None, "not_read": None}
            try:
                one = sign_field(field, threads=thread_count(threads), watch=watch, counter=count_with(field))
                told |= {"signature": tree.text(one.root), "statistics": one.statistics or {}}
            except Unsigned as refusal:
                told["not_read"] = str(refusal).removeprefix(f"{field.name}: ")[:MOST_REASON]
            found.append(told)
        return found


def statistics_of(
    dataset: Dataset, attributes: Attributes | None = None, *, threads: int | None = None, watch: Watch | None = None
) -> dict[str, dict[str, Any]]:
    """The statistics of each field of an open dataset, by its name. Raises what its reader raises."""
    found = {}
    for field in dataset.fields:
        signed = sign_field(field, threads=thread_count(threads), watch=watch, counter=counter_for(field, attributes))
        found[field.name] = signed.statistics or {}
    return found

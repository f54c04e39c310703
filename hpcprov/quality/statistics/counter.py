"""What the signing engine counts with (`hpcprov.signature.counting`): the statistics of one field.

counter = Counter(field, missing=[-9999.0])
tally = counter.tally()                       # for each thread
tally.add(octets, box, None)
counter.take(tally)
counter.result()  ->  {"count": 1000, "missing": 3, ...}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from hpcprov.data.interface import Field
from hpcprov.quality.statistics.numbers import ComplexTally, NumberTally
from hpcprov.quality.statistics.result import result
from hpcprov.quality.statistics.subject import Subject
from hpcprov.quality.statistics.tally import Tally
from hpcprov.quality.statistics.texts import ListTally, OpaqueTally, TextTally

#: family of types: what counts its values
TALLIES: dict[str, Callable[[Subject], Tally]] = {
    **dict.fromkeys(("bool", "integer", "float", "time"), NumberTally),
    **{"complex": ComplexTally, "opaque": OpaqueTally, "list": ListTally},
    **dict.fromkeys(("text", "bytes"), TextTally),
}


class Counter:
    """Counts the values of a field; `missing` are those that its attributes declare to be none, and `unknown` says why
    that could not be found out."""

    def __init__(self, field: Field, missing: Iterable[Any] = (), *, unknown: str | None = None) -> None:
        self.subject, self.unknown = Subject.of(field, missing), unknown
        self.total, self.lock = self.tally(), Lock()

    @property
    def whole(self) -> bool:
        """Whether one process must count all of the field: distinct values are not sent around."""
        return self.subject.keyed

    def tally(self) -> Tally:
        """An empty one, for one thread."""
        return TALLIES.get(self.subject.family, Tally)(self.subject)

    def take(self, tally: Tally) -> None:
        """Add what a thread has counted."""
        with self.lock:
            self.total.merge(tally)

    def pack(self) -> bytes:
        """What has been counted, for another process."""
        self.total.settle()
        return json.dumps(self.total.as_json()).encode()

    def unpack(self, packed: bytes) -> None:
        """Add what another process has counted. Raises ValueError for what is none."""
        tally = self.tally()
        try:
            tally.take(json.loads(packed))
            self.take(tally)
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise ValueError(f"no statistics: {type(error).__name__}") from error

    def result(self) -> dict[str, Any]:
        """The statistics, once all has been counted."""
        self.total.settle()
        found = result(self.total)
        if self.unknown is not None:
            found["uncounted"] = {**found.get("uncounted", {}), "missing": self.unknown}
        return found

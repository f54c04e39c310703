"""The steps of a run's Python programs, as exports take them: not too many, with the artifacts that they name.

for step in steps_of(record):
    step.facts["name"], step.around, step.data("used")    ->  "anomaly", 1, [("used", {"path": ...})]

`around` is the number of the step that it is a part of, None where that is the run itself. Every step comes after the
one around it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.model import Record

    #: The artifacts of a record by role and path.
    Known = dict[tuple[str, str], dict[str, Any]]

#: Rows of a record; those nearest to the root come first.
MOST_STEPS = 1000


class Step:
    """One row of a record's steps: its `facts`, its `number`, and the number of the step `around` it."""

    def __init__(self, facts: dict[str, Any], around: int | None, known: Known) -> None:
        self.facts, self.around, self._known = facts, around, known
        self.number: int = facts["id"]

    @property
    def function(self) -> str | None:
        """`module:qualified name`; None of a block."""
        return self.facts.get("function")

    def data(self, role: str) -> list[tuple[str, dict[str, Any]]]:
        """What it used or generated: artifacts, with the role in which the record has them. What one step made and
        another one used is nothing that the run as a whole used."""
        homes = ("used", "generated") if role == "used" else ("generated",)
        return [
            (home, self._known[home, path])
            for path in sorted({*self.facts[role]})
            for home in [one for one in homes if (one, path) in self._known][:1]
        ]


def steps_of(record: Record) -> Iterator[Step]:
    """The steps of a run, those nearest to the root; none of a run that told of none."""
    artifacts = record["artifacts"]
    known = {(role, one["path"]): one for role in ("used", "generated") for one in artifacts[role]}
    told: set[int] = set()
    for facts in (record.get("steps") or [])[:MOST_STEPS]:
        if facts["id"] not in told:
            yield Step(facts, facts["parent"] if facts["parent"] in told else None, known)
            told.add(facts["id"])

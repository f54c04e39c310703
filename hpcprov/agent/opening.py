"""What an agent does beside the ranks when they have started: look up the declared inputs and collect the facts of the
node.

All of it may be slow (large logs, large directories), and launchers wait for the agent's first answers: it has a thread
of its own.
"""

from __future__ import annotations

import threading

from hpcprov.agent import declared, facts
from hpcprov.record import frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.agent.journal import Journal


class Opening:
    """`starts` and `inputs` (as they were) fill up while the thread goes on."""

    def __init__(self, journal: Journal, application: int | None) -> None:
        self.journal, self.application = journal, application
        self.starts: list[dict[str, Any]] = []
        self.inputs: list[dict[str, Any]] = []
        self.stamps: dict[str, tuple[int, int, int]] = {}
        self.thread = threading.Thread(target=self._work, daemon=True)  # it never keeps the agent alive
        self.thread.start()

    @property
    def first(self) -> dict[str, Any]:
        """The start event of the node's first rank."""
        return self.starts[0] if self.starts else {}

    def wait(self, seconds: float) -> None:
        self.thread.join(seconds)

    def changes(self) -> list[str]:
        """One line for every input that is not what it was."""
        return declared.changes(self.stamps, declared.stamps(self.inputs))

    def _work(self) -> None:
        self.starts = own_starts(self.journal.path)
        self.inputs = declared.resolve(self.starts, role="used", tell=self.journal.write)
        self.stamps = declared.stamps(self.inputs)
        facts.collect(self.journal, facts.Context(self.first, self.application))


def own_starts(log: str) -> list[dict[str, Any]]:
    """The start events of this node so far, by rank."""
    with open(log, "rb") as file:
        found = [event for event in frame.scan(file) if event.get("event") == "start"]
    return sorted(found, key=lambda e: (e.get("rank", 0), e.get("time", 0)))

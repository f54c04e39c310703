"""What an agent does beside the ranks when they have started: tell the run's job or workflow of it, look up the
declared inputs and collect the facts of the node.

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
    from hpcprov.agent.membership import Membership


class Opening:
    """`starts` and `inputs` (as they were) fill up while the thread goes on."""

    def __init__(self, journal: Journal, application: int | None, membership: Membership | None = None) -> None:
        self.journal, self.application, self.membership = journal, application, membership
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

    def look_again(self) -> None:
        """Tell the wholes of this run now if its first rank had not spoken before."""
        if self.membership is not None and not self.membership.told:
            self.tell_wholes(own_starts(self.journal.path))

    def wait_for_scheduler(self) -> None:
        if self.membership is not None:
            self.membership.wait()

    def changes(self) -> list[str]:
        """One line for every input that is not what it was."""
        return declared.changes(self.stamps, declared.stamps(self.inputs))

    def tell_wholes(self, starts: list[dict[str, Any]]) -> None:
        """Tell the job or workflow of this run, if these ranks are on its first node and it is not told already."""
        try:
            if self.membership is not None:
                self.membership.tell(starts)
        except OSError as error:
            why = error.strerror or str(error)
            self.journal.write("problem", text=f"the record of its job or workflow does not list this run: {why}")

    def _work(self) -> None:
        self.starts = own_starts(self.journal.path)
        self.tell_wholes(self.starts)
        self.inputs = declared.resolve(self.starts, role="used", tell=self.journal.write)
        self.stamps = declared.stamps(self.inputs)
        facts.collect(self.journal, facts.Context(self.first, self.application))


def own_starts(log: str) -> list[dict[str, Any]]:
    """The start events of this node so far, by rank."""
    with open(log, "rb") as file:
        found = [event for event in frame.scan(file) if event.get("event") == "start"]
    return sorted(found, key=lambda e: (e.get("rank", 0), e.get("time", 0)))

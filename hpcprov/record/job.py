"""A batch job as one asks its scheduler for it, and the answer.

ask(Job("alps", "4711", restarts=0, began=None, step="0"))
->  Answer(True, "job 4711 has ended", [("sacct", {"state": "TIMEOUT", "exit_code": "0:15", ...})])
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Job(NamedTuple):
    """Which start of which job, and which of its steps: `0`, `batch`, or None for the job itself.

    `restarts` counts requeues; `began` is the start in seconds since the epoch where it is known; where it is not,
    `seen` is when a process of it ran, by the clock of its node.
    """

    cluster: str | None
    job_id: str
    restarts: int = 0
    began: int | None = None
    step: str | None = None
    seen: int | None = None


class Answer(NamedTuple):
    """Is the job, or its step, `over` (None: the scheduler does not tell)? `reason`: how that is known, in one line.

    `words`: what each source says, as values of `witness` events; only final ones where it is over.
    """

    over: bool | None
    reason: str
    words: list[tuple[str, dict[str, Any]]]


if TYPE_CHECKING:
    Ask = Callable[[Job], Answer]

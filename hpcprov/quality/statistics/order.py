"""The order of a one-dimensional field: runs of its elements that follow each other, joined as they come.

    order = Order()
    order.add(Run(0, 3, first=1, last=5, up=True, down=False, level=False, least=2, most=2))
    order.add(Run(3, 4, ...))                             # in any order: joined where one ends and the other begins
    order.name(4)  ->  'increasing'

`least` and `most` are the smallest and largest step from one element to the next.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

#: (some step up, some down, some level): what that is called.
NAMES = {
    (True, False, False): "increasing",
    (True, False, True): "non-decreasing",
    (False, True, False): "decreasing",
    (False, True, True): "non-increasing",
    (False, False, True): "constant",
}
#: Steps of floats count as equal within that part of the step, and what rounding to the type makes of them.
TOLERANCE = 1e-9
#: Rounding that is more than that part of a step says nothing about it.
ROUNDING = 1e-2


@dataclass(frozen=True)
class Run:
    """The elements from `start` to before `stop`: numbers (of times, their counts), or text as bytes, without steps."""

    start: int
    stop: int
    first: Any
    last: Any
    up: bool = False
    down: bool = False
    level: bool = False
    least: Any = None
    most: Any = None

    def joined(self, after: Run) -> Run:
        """This run and the one that begins where it ends."""
        up, level = after.first > self.last, after.first == self.last
        steps = [step for run in (self, after) for step in (run.least, run.most) if step is not None]
        if not isinstance(self.last, bytes):
            steps.append(after.first - self.last)
        return Run(
            self.start, after.stop, self.first, after.last,
            up=self.up or after.up or up,
            down=self.down or after.down or not (up or level),
            level=self.level or after.level or level,
            least=min(steps, default=None),
            most=max(steps, default=None),
        )  # fmt: skip


class Order:
    """Runs that do not touch each other yet; `mixed` once some step goes up and some down, which ends the counting."""

    def __init__(self) -> None:
        self.mixed = False
        self.starts: dict[int, Run] = {}
        self.stops: dict[int, Run] = {}

    def add(self, run: Run) -> None:
        if self.mixed:
            return
        before, after = self.stops.pop(run.start, None), self.starts.pop(run.stop, None)
        if before is not None:
            del self.starts[before.start]
            run = before.joined(run)
        if after is not None:
            del self.stops[after.stop]
            run = run.joined(after)
        if run.up and run.down:
            self.mix()
        else:
            self.starts[run.start] = self.stops[run.stop] = run

    def mix(self) -> None:
        """The order is none, whatever comes."""
        self.mixed, self.starts, self.stops = True, {}, {}

    def merge(self, other: Order) -> None:
        if other.mixed:
            self.mix()
        for run in other.starts.values():
            self.add(run)

    def moved(self, start: int) -> Order:
        """The order of the same values where the first of them is the element `start`."""
        order = Order()
        order.mixed = self.mixed
        for run in self.starts.values():
            order.add(replace(run, start=start, stop=start + run.stop - run.start))
        return order

    def whole(self, count: int) -> Run | None:
        """The run of all elements, of which there are at least two; None where the order is none or parts lack."""
        run = self.starts.get(0)
        return run if run is not None and run.stop == count > 1 else None

    def name(self, count: int) -> str | None:
        if self.mixed:
            return "none"
        run = self.whole(count)
        return None if run is None else NAMES.get((run.up, run.down, run.level), "none")

    def step(self, count: int, rounding: float) -> int | float | None:
        """From each element to the next, where that is always the same; `rounding` is by how much elements may be off,
        0 for integers and times."""
        run = self.whole(count)
        if run is None or run.level or run.least is None:
            return None
        if isinstance(run.least, int):
            return run.least if run.least == run.most else None
        step: float = (run.last - run.first) / (count - 1)
        room = TOLERANCE * abs(step) + rounding
        even = step - run.least <= room and run.most - step <= room and rounding <= ROUNDING * abs(step)
        return step if even else None

    def as_json(self) -> dict[str, Any]:
        return {"mixed": self.mixed, "runs": [asdict(_hex(run)) for run in self.starts.values()]}

    @classmethod
    def from_json(cls, found: dict[str, Any], *, text: bool) -> Order:
        order = cls()
        if found["mixed"]:
            order.mix()
        for one in found["runs"]:
            run = Run(**one)
            order.add(replace(run, first=bytes.fromhex(run.first), last=bytes.fromhex(run.last)) if text else run)
        return order


def _hex(run: Run) -> Run:
    return replace(run, first=run.first.hex(), last=run.last.hex()) if isinstance(run.first, bytes) else run

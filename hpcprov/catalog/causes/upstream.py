"""Why two programs or inputs differ: the runs that made them, compared in turn. The first cause found there counts.

    Upstream(maker, record).explain(cause, one, other)
    ->  ["./solver was compiled with -O3 instead of -O2 (run 20261121T143426Z-65afd19c)"]

`maker` finds the run that left an artifact (`hpcprov.catalog.causes.made`), `record` opens it.
"""

from __future__ import annotations

import os

from hpcprov.catalog.causes import causes
from hpcprov.catalog.causes.told import cut
from hpcprov.catalog.causes.words import is_compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

    #: Facts of an artifact (`path`, `signature`, `storage`), the run that read it -> the id of the run that made it.
    Maker = Callable[[dict[str, Any], Record], str | None]

#: Programs that call compilers.
BUILDERS = ("make", "gmake", "ninja", "cmake", "meson", "scons", "bazel", "cargo")
#: Links that are followed upwards.
DEPTH = 5


class Upstream:
    """Follows programs and inputs up to what made them different."""

    def __init__(self, maker: Maker, record: Callable[[str], Record | None], *, depth: int = DEPTH) -> None:
        self.maker, self.record, self.depth = maker, record, depth
        self.met: set[tuple[str, str]] = set()

    def explain(self, cause: Cause, one: Record, other: Record) -> dict[str, Any] | None:
        """`text` and `runs` of what made a program or an input differ, and its own `causes`; None when that is not
        known, or is no other run."""
        return self._explain(cause, one, other, self.depth)

    def _explain(self, cause: Cause, one: Record, other: Record, depth: int) -> dict[str, Any] | None:
        sides = _artifacts(cause)
        if sides is None or depth < 1:
            return None
        left, right = self.maker(sides[0], one), self.maker(sides[1], other)
        if left is None and right is None:
            return None
        name = cut(cause["name"])
        if left is None or right is None:
            made, which = (left, "first") if right is None else (right, "second")
            return {"text": f"the {which} {name} was made by run {made}; of the other one no run is known",
                    "runs": [left, right], "causes": []}  # fmt: skip
        if left == right or (left, right) in self.met:
            return None
        self.met.add((left, right))
        before, after = self.record(left), self.record(right)
        if before is None or after is None:
            return {"text": f"{name} was made by runs {left} and {right}", "runs": [left, right], "causes": []}
        found = causes(before, after)
        for inner in found:
            inner["because"] = self._explain(inner, before, after, depth - 1)
        return {"text": _told(name, found, after, right), "runs": [left, right], "causes": found}


def _artifacts(cause: Cause) -> list[dict[str, Any]] | None:
    """What of both runs differs, as artifacts; of programs only the path is known."""
    if cause["kind"] == "input" and "artifacts" in cause:
        return list(cause["artifacts"])
    if cause["kind"] == "program" and "paths" in cause:
        return [{"path": path, "signature": None, "storage": None} for path in cause["paths"]]
    return None


def _told(name: str, found: list[Cause], after: Record, run: str) -> str:
    """The first cause of a difference in one line, as a person would say it."""
    if not found:
        return f"{name} was made again by run {run}, which does not differ from the one before"
    # Of a build tool's words and those of the compiler that it started, the compiler's say more.
    first = next((cause for cause in found if cause["text"].startswith("compiler flag")), found[0])
    if first["kind"] == "argument" and first["before"] and first["after"]:
        verb = _verb(first, after["run"]["argv"] or [""])
        return f"{name} was {verb} with {cut(first['after'])} instead of {cut(first['before'])} (run {run})"
    if first.get("because"):
        return f"{name} was made from other data (run {run}): {first['because']['text']}"
    return f"{name} was made with another {first['kind']} (run {run}): {first['text']}"


def _verb(flag: Cause, argv: list[str]) -> str:
    if flag["text"].startswith("compiler flag"):
        return "compiled"
    return "built" if os.path.basename(argv[0]) in BUILDERS or is_compiler(argv[0]) else "made"

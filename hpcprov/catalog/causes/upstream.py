"""Why two programs or inputs differ: the runs that made them, compared in turn. The first cause found there counts.

    Upstream(maker, record).explain(cause, one, other)
    ->  {"text": "solver was compiled with -O3 instead of -O2 (run 20261121T143426Z-65afd19c)",
         "through": ["solver", "state.nc"], "origin": {...}, "runs": [...], "causes": [...]}

when the solver made state.nc, of which the input was made that was asked about.
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
DEPTH = 50


class Upstream:
    """Follows programs and inputs up to what made them different."""

    def __init__(self, maker: Maker, record: Callable[[str], Record | None], *, depth: int = DEPTH) -> None:
        self.maker, self.record, self.depth = maker, record, depth
        self.met: dict[tuple[str, str], list[Cause] | None] = {}

    def explain(self, cause: Cause, one: Record, other: Record) -> dict[str, Any] | None:
        """What made a program or an input differ; None when that is not known, or is no other run. `text` says it in
        one line; `origin` is that first difference itself, a cause with the two `runs` that it is of; `through` names
        what was made of it, each from the one before, the last just before what is asked about; `runs` made this and
        differ by `causes`."""
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
            return _known(f"the {which} {name} was made by run {made}; of the other one no run is known", left, right)
        if left == right:
            return None
        if (left, right) in self.met:  # told in full where it was met first; None: it is on the way up to itself
            again = self.met[left, right]
            return None if again is None else _told(name, again, left, right, []) | {"causes": []}
        before, after = self.record(left), self.record(right)
        if before is None or after is None:
            return _known(f"{name} was made by runs {left} and {right}", left, right)
        self.met[left, right] = None
        found = causes(before, after)
        for inner in found:
            inner["because"] = self._explain(inner, before, after, depth - 1)
        self.met[left, right] = found
        return _told(name, found, left, right, after["run"]["argv"] or [])


def _known(text: str, left: str | None, right: str | None) -> dict[str, Any]:
    return {"text": text, "through": [], "origin": None, "runs": [left, right], "causes": []}


def _artifacts(cause: Cause) -> list[dict[str, Any]] | None:
    """What of both runs differs, as artifacts; of programs only the path is known."""
    if cause["kind"] == "input" and "artifacts" in cause:
        return list(cause["artifacts"])
    if cause["kind"] == "program" and "paths" in cause:
        return [{"path": path, "signature": None, "storage": None} for path in cause["paths"]]
    return None


def _told(name: str, found: list[Cause], left: str, right: str, argv: list[str]) -> dict[str, Any]:
    """The first of these differences, as a person would say it; that behind it where one is known."""
    if not found:
        text = f"{name} was made again by run {right}, which does not differ from the one before"
        return _known(text, left, right)
    # Of a build tool's words and those of the compiler that it started, the compiler's say more.
    first = next((cause for cause in found if cause["text"].startswith("compiler flag")), found[0])
    because = first.get("because")
    if because:
        told = {"text": because["text"], "origin": because["origin"]}
        return told | {"through": [*because["through"], cut(first["name"])], "runs": [left, right], "causes": found}
    if first["kind"] == "argument" and first["before"] and first["after"]:
        verb = _verb(first, argv)
        text = f"{name} was {verb} with {cut(first['after'])} instead of {cut(first['before'])} (run {right})"
    elif first["kind"] == "input":
        text = f"{first['text']}, of which {name} was made (run {right})"
    else:
        text = f"{name} was made with another {first['kind']} (run {right}): {first['text']}"
    return _known(text, left, right) | {"origin": first | {"runs": [left, right]}, "causes": found}


def _verb(flag: Cause, argv: list[str]) -> str:
    if flag["text"].startswith("compiler flag"):
        return "compiled"
    tool = argv[0] if argv else ""
    return "built" if os.path.basename(tool) in BUILDERS or is_compiler(tool) else "made"

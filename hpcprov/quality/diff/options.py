"""What a diff is asked for.

    Options(rtol=1e-6, fields=("depth", "u=velocity"))

It stands in a message between processes as the dictionary of its members.
"""

from __future__ import annotations

from typing import NamedTuple

from hpcprov.quality.elements import Tolerance


class Options(NamedTuple):
    """Tolerances as in `elements.Tolerance`, the first dataset being the one that counts as right. `fields` are names
    or patterns, or `OLD=NEW` for a field that has another name in the second; none of them: all. `picture` asks for
    maps of where the differences are. `key`, `rows` (auto, number, content) and `context` are for tables. `preserve` is
    a path to write both versions of what differs to, which may be there already with `force`."""

    rtol: float = 0.0
    atol: float = 0.0
    ulp: int | None = None
    nan_differs: bool = False
    fields: tuple[str, ...] = ()
    threads: int = 1
    picture: bool = False
    key: tuple[str, ...] = ()
    rows: str = "auto"
    context: int = 3
    preserve: str | None = None
    force: bool = False

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(self.rtol, self.atol, self.ulp, self.nan_differs)


def from_message(found: dict[str, object]) -> Options:
    """The options that a message holds."""
    told = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return Options(**told)  # type: ignore[arg-type]

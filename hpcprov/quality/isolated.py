"""Comparing in a child process, as `hpcprov.signature.isolated` reads: files are untrusted, and so is what it answers.

with Comparing({"threads": 1}, memory=1 << 30) as comparing:
    comparing.compare("new/out.h5", "out.h5", rtol=1e-6)    # a list as compare.compare gives it
"""

from __future__ import annotations

from hpcprov.signature.isolated import UNSOUND, Isolated, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("same", "within", "different", "missing", "new")
NUMBERS = ("count", "differing", "outside")
MEASURES = ("max_abs", "max_rel")
PLACES = ("where", "first")


class Comparing(Isolated):
    """A child process that compares, and reads as any other."""

    module = "hpcprov.quality.worker"

    def compare(self, path: str, other: str, *, rtol: float = 0.0, atol: float = 0.0) -> list[dict[str, Any]]:
        """How the fields of two files differ; `other` is the one that counts as right. Raises Refused with what the
        reader says, Crashed."""
        head, _ = self.ask({"do": "compare", "path": path, "other": other, "rtol": rtol, "atol": atol})
        fields = head.get("fields")
        if type(fields) is not list or not all(map(_is_sound, fields)):
            raise Refused(UNSOUND)
        return fields


def _is_sound(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and one.get("status") in STATUSES
        and type(one.get("reason")) in (str, type(None))
        and all(type(one.get(name)) in (int, type(None)) for name in NUMBERS)
        and all(type(one.get(name)) in (int, float, type(None)) for name in MEASURES)
        and all(_is_index(one.get(name)) for name in PLACES)
    )


def _is_index(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(number) is int for number in value))

"""A shape (record/shape.py) made into one fast test: does a value fit, or not? Where it does not, `shape.misfit` looks.

    fits = Shapes(Maybe, Since, types).test_of({"path": text, "size": Maybe(whole)})

Most of a shape are plain types: those of all members of an object are compared in one loop, those of a list at once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Test = Callable[[Any], bool]
    #: The types that a test of a value takes, where these are all that it looks at.
    Types = Mapping[Test, frozenset[type]]

NOTHING = type(None)
MISSING = object()


class Shapes:
    """The words that shapes are made of: `maybe` and `since` (classes with a `shape`), and `types` of plain tests."""

    def __init__(self, maybe: type[Any], since: type[Any], types: Types) -> None:
        self.maybe, self.since, self.types = maybe, since, types

    def test_of(self, shape: Any) -> Test:
        """The test that a shape makes."""
        if isinstance(shape, self.maybe):
            inner = self.test_of(shape.shape)
            return lambda value: value is None or inner(value)
        if isinstance(shape, dict):
            return self._of_object(shape)
        if isinstance(shape, list):
            return self._of_list(shape[0])
        test: Test = shape
        return test

    def plain(self, shape: Any) -> frozenset[type] | None:
        """The types that a shape takes, when it looks at nothing else."""
        if isinstance(shape, self.maybe):
            inner = self.plain(shape.shape)
            return None if inner is None else inner | {NOTHING}
        return None if isinstance(shape, (dict, list)) else self.types.get(shape)

    def _of_list(self, shape: Any) -> Test:
        types = self.plain(shape)
        if types is not None:
            return lambda value: type(value) is list and types.issuperset(map(type, value))
        inner = self.test_of(shape)
        return lambda value: type(value) is list and all(map(inner, value))

    def _of_object(self, shape: dict[str, Any]) -> Test:
        plain, rest = [], []
        for key, inner in shape.items():
            types, late = self.plain(inner), isinstance(inner, self.since)
            if types is not None:
                plain.append((key, types | {object} if late else types))
            else:
                rest.append((key, self.test_of(inner), late))

        def fits(value: Any) -> bool:
            if type(value) is not dict:
                return False
            get = value.get
            for key, types in plain:  # MISSING is an `object`
                if type(get(key, MISSING)) not in types:
                    return False
            for key, test, late in rest:
                found = get(key, MISSING)
                if found is MISSING:
                    if not late:
                        return False
                elif not test(found):
                    return False
            return True

        return fits

"""A function that is tracked: its name, its source, and what its parameters are called.

Tracked(smooth, None, frozenset(), frozenset()).arguments((field,), {})  ->  {"field": field, "width": 3}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any


class Tracked:
    """A function, with what its calls are told by."""

    def __init__(self, function: Any, name: str | None, inputs: frozenset[str], outputs: frozenset[str]) -> None:
        self.call: Callable[..., Any] = function
        qualified = str(getattr(function, "__qualname__", type(function).__qualname__))
        self.name = name or qualified.rpartition("<locals>.")[2]
        self.function = f"{getattr(function, '__module__', None) or '?'}:{qualified}"[:1000]
        self.key = f"{self.function} {self.name}"  # functions made in one place may have one name
        self.inputs, self.outputs = inputs, outputs
        try:
            self.signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self.signature = None  # functions written in C need not tell
        self.check()
        self.digest: str | None = None
        self.read = False

    def check(self) -> None:
        """Raises ValueError for names that no parameter has."""
        known = self.signature.parameters if self.signature is not None else {}
        if self.signature is None or any(one.kind is one.VAR_KEYWORD for one in known.values()):
            return
        unknown = sorted((self.inputs | self.outputs) - known.keys())
        if unknown:
            raise ValueError(f"{self.name} has no parameter {', '.join(unknown)}: it has {', '.join(known) or 'none'}")

    @property
    def code(self) -> str | None:
        """SHA-256 of the function's source text, where there is one."""
        if not self.read:
            self.read = True
            try:
                self.digest = sha256(inspect.getsource(self.call).encode("utf-8", "surrogatepass")).hexdigest()
            except (OSError, TypeError, SyntaxError, IndexError):
                pass
        return self.digest

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """By name; by number where that is not known, or where the call is wrong and the function will say so."""
        if self.signature is not None:
            try:
                bound = self.signature.bind(*args, **kwargs)
            except TypeError:
                bound = None
            if bound is not None:
                bound.apply_defaults()
                return self.flat(bound.arguments)
        return {str(at): value for at, value in enumerate(args)} | kwargs

    def flat(self, bound: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments that were gathered, each by its own name."""
        assert self.signature is not None
        gathered = next((n for n, one in self.signature.parameters.items() if one.kind is one.VAR_KEYWORD), None)
        return {n: v for n, v in bound.items() if n != gathered} | dict(bound.get(gathered or "", {}))

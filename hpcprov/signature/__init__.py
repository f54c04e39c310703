"""The digest of an array's values (docs/signature.md): tiles, digests, plans, and the runners that compute them.

The package can be called: `hpcprov.signature("out.h5")` is `hpcprov.signature.api.signature("out.h5")`.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Callable(ModuleType):
    """A module that is also the function of its name."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        from hpcprov.signature.api import signature

        return signature(*given, **named)


sys.modules[__name__].__class__ = _Callable

"""The digest of an array's values (docs/signature.md): tiles, digests, plans, and the runners that compute them.

The package can be called:

    hpcprov.signature(thing, *, comm=None, threads=None, offset=None, shape=None, follow=False)

`thing` is the path of a file or store, or an open object of numpy, h5py, zarr, xarray, pandas, polars or pyarrow. It
gives a `Signature`: `digest`, `kind`, and `fields`, each with `path`, `type`, `shape` and `digest`.
`hpcprov.signature.api` has the rest. It raises UnreadableData, Unsigned and MissingReader, all of them
`hpcprov.record.errors.HpcprovError`, and TypeError.
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

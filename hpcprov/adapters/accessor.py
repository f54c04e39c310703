"""What `import hpcprov.xarray`, `.pandas` and `.polars` put on the objects of these libraries: `thing.hpcprov`.

    import hpcprov.xarray
    ds.hpcprov.signature()                 # as hpcprov.signature(ds)
    ds.hpcprov.dictionary()                # shows itself in a notebook
    ds.hpcprov.statistics()["depth"]["max"]
    print(ds.hpcprov.diff("yesterday.nc"))
    ds["depth"].hpcprov.define("h * (h > 0.01)", inputs=["flood.h5/h"])

Values are read where they are, block by block: of arrays of dask each block is computed once for each call, and few are
kept.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.adapters.difference import Difference
    from hpcprov.quality.dictionary.api import Dictionary
    from hpcprov.signature.api import Signature


class Accessor:
    """What all of them have. `thing` is the object that it was asked of."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def signature(self, *, threads: int | None = None) -> Signature:
        """The signature of the values, as `hpcprov.signature` gives it. Raises Unsigned."""
        from hpcprov.signature.api import signature

        return signature(self._thing, threads=threads)

    def statistics(self, *, threads: int | None = None) -> dict[str, dict[str, Any]]:
        """Count, missing, min, max, mean, ... of each field, by its name; of an array on its own the name is empty."""
        from hpcprov.data.attributes import attributes_of
        from hpcprov.data.opened import opened
        from hpcprov.quality.statistics.reading import statistics_of

        return statistics_of(opened(self._thing), attributes_of(self._thing), threads=threads)

    def dictionary(self, *, stats: bool = True, threads: int | None = None) -> Dictionary:
        """A row for each field; without `stats` no values are read. It shows itself in a notebook."""
        from hpcprov.quality.dictionary.api import dictionary

        return dictionary(self._thing, stats=stats, threads=threads)

    def diff(self, other: Any, **options: Any) -> Difference:
        """What differs in `other`, an object of any of these libraries or a path. Options are those of `hpcprov diff`:
        rtol, atol, ulp, nan_differs, fields; of tables key, rows, context. Raises TypeError, ValueError."""
        from hpcprov.adapters.difference import difference

        return difference(self._thing, other, **options)

    def __repr__(self) -> str:
        return f"<hpcprov of {type(self._thing).__name__}: signature, statistics, dictionary, diff, define>"


class OfArray(Accessor):
    """Of an array or a column."""

    def define(
        self, expression: str, inputs: Iterable[Any] = (), *, context: str | None = None, embed: bool | None = None
    ) -> None:
        """How these values were made, as `hpcprov.define` tells it; an array of xarray gets attributes that say so,
        too, unless `embed` is False: they are written with it."""
        from hpcprov.tracking import define

        define(self._thing, expression, inputs, context=context, embed=keeps(self._thing, embed))


class OfDataset(Accessor):
    """Of a dataset or a table."""

    def define(
        self,
        field: str,
        expression: str,
        inputs: Iterable[Any] = (),
        *,
        context: str | None = None,
        embed: bool | None = None,
    ) -> None:
        """How one of its fields was made; `inputs` may name others of them. The rest as of an array. Raises KeyError
        for a field that is not there."""
        from hpcprov.tracking import define

        if field not in names(self._thing):
            raise KeyError(field)
        define(self._thing, expression, inputs, column=field, context=context, embed=keeps(self._thing, embed))


def names(thing: Any) -> set[Any]:
    return {*getattr(thing, "variables", getattr(thing, "columns", ()))}


def keeps(thing: Any, embed: bool | None) -> bool:
    """Are attributes of this object written with its values? Those of tables are not, by all writers."""
    return type(thing).__module__.partition(".")[0] == "xarray" if embed is None else embed


def path_of(thing: Any) -> str | None:
    return os.path.abspath(os.fsdecode(os.fspath(thing))) if isinstance(thing, str | os.PathLike) else None

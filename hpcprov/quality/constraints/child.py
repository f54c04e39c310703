"""What the reading child does with constraints: it opens the file, and looks at it as its bounds allow.

discover_file("out.nc", {"rex": True, "growing": ["time"]}, threads=2, watch=Watch())    # Found, as JSON
verify_file("out.nc", {"fields": {...}}, {}, threads=2, watch=Watch())                   # as verify.verify gives it
"""

from __future__ import annotations

from typing import Any

from hpcprov.data.attributes import read_attributes, storage_of
from hpcprov.data.interface import Dataset
from hpcprov.data.open import open_data
from hpcprov.quality.constraints.discover import Options, discover
from hpcprov.quality.constraints.file import parse
from hpcprov.quality.constraints.verify import verify
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.artifact import check_declared
from hpcprov.signature.snapshot import look
from hpcprov.signature.watch import Watch

NO_FIELDS = "it has no fields: constraints are about arrays and tables"


def discover_file(path: str, options: dict[str, Any], *, threads: int, watch: Watch) -> dict[str, Any]:
    """The constraints that the data keeps. Raises what its readers raise, HpcprovError where there are no fields."""
    wanted = Options(
        rex=options["rex"],
        exclude_outliers=options["exclude_outliers"],
        fields=tuple(options["fields"]),
        growing=tuple(options["growing"]),
    )
    with open_data(path) as data:
        check(data, path)
        axes = {name: found.dimensions or [] for name, found in storage_of(path).items()} if wanted.growing else {}
        attributes = read_attributes(path)
        found = discover(
            data, attributes=attributes, dimensions=axes, options=wanted, threads=threads, watch=watch
        )  # fmt: skip
        return found.as_json() | {"kind": data.kind}


def verify_file(
    path: str, raw: Any, options: dict[str, Any], *, threads: int, watch: Watch, deadline: float | None = None
) -> dict[str, Any]:
    """The verdict on the data. Raises what its readers raise, TimeUp."""
    constraints = parse(raw)
    with open_data(path) as data:
        check(data, path)
        attributes = read_attributes(path)
        limits: dict[str, Any] = {"threads": threads, "watch": watch, "deadline": deadline}
        return verify(data, constraints, attributes=attributes, **limits, **options)


def check(data: Dataset, path: str) -> None:
    """Raises what `check_declared` raises, HpcprovError for what has no fields."""
    check_declared(data, look(path).size)
    if data.format in ("file", "directory"):
        raise HpcprovError(NO_FIELDS)

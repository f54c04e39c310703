"""A store in a temporary directory, with runs whose records are made as those of real ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from merge.build import BEGAN, SECOND, Launch

from hpcprov.merge.publish import merge_run
from hpcprov.record.layout import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "home" / ".hpcprov"))
    os.makedirs(made.runs)
    return made


def digest(seed: str) -> str:
    return (seed.encode().hex() * 64)[:64]


def field(path: str, seed: str, size: int = 4000) -> dict[str, Any]:
    return {"path": path, "type": "f8", "shape": [10, 50], "tile": [10, 50], "bytes": size} | {
        "signature": f"hpcprov1:{digest(seed)}"
    }


def launched(number: int, run_id: str, node: str = "n1", *, at: float | None = None, **keys: Any) -> Launch:
    """A run of one rank that began `at` (s; otherwise a day after the one with the number before it)."""
    at = 86400.0 * number if at is None else at
    return Launch(node, launch=f"{number + 1}-4999000").start(
        at=at, run=run_id, launch_time=BEGAN + int(at * SECOND), **keys
    )


def with_artifact(
    launch: Launch, role: str, path: str, seed: str, *fields: dict[str, Any], at: float = 0, **keys: Any
) -> Launch:
    """Add an artifact whose digests are made of `seed`."""
    told = {
        "state": "ok",
        "format": "zarr",
        "size": 10,
        "storage": {"digest": f"blake3:{digest('s' + seed)}", "how": "full"},
    }
    signature = {"digest": f"hpcprov1:{digest(seed)}", "how": "full", "kind": "tree", "fields": list(fields)}
    return launch.add(
        "artifact", at + 2, role=role, path=path, declared=["x"], **(told | {"signature": signature} | keys)
    )


def publish(store: Store, run_id: str, launch: Launch) -> str:
    """The directory of the record."""
    launch.write(store.run(run_id))
    (place,) = merge_run(store, run_id)
    return place


@pytest.fixture
def three(store: Store) -> Store:
    """Three runs on three days: `a` makes x.zarr, `b` uses it and fails, `c` makes y.h5 of the same values of u."""
    facts = {
        "modules": {"kind": "lmod", "loaded": [{"name": "gcc/12.2"}, {"name": "netcdf/4.9"}]},
        "code": {"directory": {"git": {"root": "/src", "commit": "ab" * 20}}},
        "image": {
            "images": [
                {"path": "/images/model.sif", "image": "model.sif", "labels": {"version": "3"}}
                | {"identity": {"digest": "sha256:" + "cd" * 32, "of": "primary partition"}}
            ]
        },
        "software": {
            "python": [{"packages": [["numpy", "2.1.0"], ["zarr", "3.0"]]}],
            "libraries": [{"path": "/usr/lib/libhdf5.so.310", "build_id": "beef"}],
        },
    }
    a = launched(0, "a", name="spin-up", tags={"case": "b1", "year": "1850"}).exit(0, 5)
    for kind, value in facts.items():
        a.fact(kind, value)
    publish(store, "a", with_artifact(a, "generated", "/data/x.zarr", "x", field("u", "u"), field("t", "t")))
    b = launched(1, "b", name="Ocean", tags={"case": "b2"}, uid=1234).exit(0, 86405, code=3)
    publish(store, "b", with_artifact(b, "used", "/data/x.zarr", "x", field("u", "u"), field("t", "t"), at=86400))
    c = launched(2, "c", "n2", name="ocean", tags={}).exit(0, 2 * 86400 + 5)
    publish(store, "c", with_artifact(c, "generated", "/data/sub/y[1].h5", "y", field("g/u", "u"), at=2 * 86400))
    return store

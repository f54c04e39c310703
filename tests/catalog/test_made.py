"""Who made what a run used, as `why` asks: by the rules of lineage, from a record's artifact or a program's path."""

from __future__ import annotations

from typing import Any

from hpcprov.catalog import open_catalog
from hpcprov.catalog.causes.made import maker
from hpcprov.record.layout import Store

from .conftest import field, launched, publish, with_artifact

DAY = 86400.0
BIG = {"size": 4096}


def add(store: Store, number: int, name: str, *artifacts: tuple[str, str, str]) -> None:
    """A run on day `number`, with the role, path and values of what it used and made."""
    run = launched(number, name)
    for role, path, values in artifacts:
        with_artifact(run, role, path, values, field("u", values), at=number * DAY, **BIG)
    publish(store, name, run.exit(0, number * DAY + 10))


def asked(store: Store, user: str, path: str, *, program: bool = False) -> str | None:
    with open_catalog([store.root]) as catalog:
        record = catalog.record(user)
        artifact: dict[str, Any] = {"path": path, "signature": None, "storage": None}
        if not program:
            artifact = next(one for one in record["artifacts"]["used"] if one["path"] == path)
        return maker(catalog)(artifact, record)


def test_a_program_is_of_who_wrote_there_last_before(store: Store) -> None:
    for number in (0, 1, 3):
        add(store, number, f"build{number}", ("generated", "/src/solver", f"v{number}"))
    add(store, 2, "use")
    assert asked(store, "use", "/src/solver", program=True) == "build1"
    assert asked(store, "use", "/src/other", program=True) is None


def test_data_is_of_who_made_the_values_wherever(store: Store) -> None:
    add(store, 0, "make", ("generated", "/a/out.zarr", "x"))
    add(store, 1, "use", ("used", "/b/copy.zarr", "x"))
    assert asked(store, "use", "/b/copy.zarr") == "make"


def test_who_only_passed_values_on_explains_nothing(store: Store) -> None:
    add(store, 0, "tidy", ("used", "/a/raw.zarr", "x"), ("generated", "/a/clean.zarr", "x"))
    add(store, 1, "use", ("used", "/b/raw.zarr", "x"))
    assert asked(store, "use", "/b/raw.zarr") is None


def test_what_was_changed_by_hand_was_made_by_nobody(store: Store) -> None:
    add(store, 0, "make", ("generated", "/a/out.zarr", "x"))
    add(store, 1, "use", ("used", "/a/out.zarr", "edited"))
    assert asked(store, "use", "/a/out.zarr") is None

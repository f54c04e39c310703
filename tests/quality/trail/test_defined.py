"""Which definitions are written into a dataset beside its trail."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.quality.trail import defined


def test_too_many_derived_and_too_long_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, dict[str, Any]] = {
        name: {"expression": text, "language": "text", "inputs": [], "context": None, "how": how}
        for name, text, how in (
            ("a", "x", "told"),
            ("b", "y", "kept"),
            ("c", "z", "derived"),
            ("d", "é" * 40_000, "told"),
        )
    }
    monkeypatch.setattr(defined, "definitions_of", lambda path, record: made)
    record: Any = {}
    assert set(defined.attributes_of(record, "/data/out.h5")) == {"a", "b", "c"}
    monkeypatch.setattr(defined, "MOST_DERIVED", 3)
    found = defined.attributes_of(record, "/data/out.h5")
    assert {name: own["hpcprov_definition"] for name, own in found.items()} == {"a": "x", "b": "y"}

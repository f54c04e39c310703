"""What a child answers is a report down to its last number, or it is refused."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.diff.datasets import diff
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.sound import is_sound

WHOLE = diff(
    opened(np.arange(60.0).reshape(3, 4, 5)), opened(np.arange(60.0)[::-1].reshape(3, 4, 5)), Options(picture=True)
)
WHOLE |= {"paths": ["a", "b"], "format": ["npy", "npy"], "known": [None, "cached"], "bytes": None, "preserved": None}
WHOLE["unread"] = [{"field": "price", "type": ["decimal128(10, 2)", "f8"], "reason": ["no signature", None]}]
WHOLE["structure"] = [{"field": "", "what": "attribute", "name": "x", "one": 1, "other": "2"}]


def test_a_report_is_sound() -> None:
    assert is_sound(WHOLE)
    moved = diff(opened(np.arange(50.0)), opened(np.roll(np.arange(50.0), 3)))
    assert moved["fields"][0]["shift"] is not None and is_sound(WHOLE | {"fields": moved["fields"]})


@pytest.mark.parametrize("wrong", [7.5, "x", [1, "2"], {"a": None}, True])
def test_anything_else_is_not(wrong: Any) -> None:
    free = {"values", "value", "one", "other", "name", "reason", "how", "path", "other_path", "paths"}
    for keys in paths_in(WHOLE):
        if free & set(map(str, keys)) or (keys[-1:] == ["known"] and wrong == "x"):
            continue
        broken = copy.deepcopy(WHOLE)
        place: Any = broken
        for key in keys[:-1]:
            place = place[key]
        if type(place[keys[-1]]) is type(wrong):
            continue
        place[keys[-1]] = wrong
        assert not is_sound(broken) or is_optional(keys, wrong), keys


def is_optional(keys: list[Any], wrong: Any) -> bool:
    """Texts may stand where a text may or may not."""
    return isinstance(wrong, str) and any(key in ("known", "kind", "format", "type") for key in keys)


def paths_in(value: Any, before: tuple[Any, ...] = ()) -> list[list[Any]]:
    """The keys that lead to every member of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, member in inner:
        found += [[*before, key], *paths_in(member, (*before, key))]
    return found

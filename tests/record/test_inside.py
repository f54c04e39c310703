"""Looking into values of any shape."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.record.inside import inner, items, objects, part, text

SHAPES: list[Any] = [None, True, 7, 1.5, "text", [], [{"a": 1}], {}, {"a": None}, {"a": {"b": [1, {"c": "d"}, None]}}]


def test_what_is_there_is_given() -> None:
    value = {"a": {"b": [1, {"c": "d"}, None]}}
    assert inner(value, "a", "b") == [1, {"c": "d"}, None] and inner(value) is value
    assert part(value, "a") == value["a"] and part(value) is value
    assert items(value, "a", "b") == value["a"]["b"] and objects(value, "a", "b") == [{"c": "d"}]
    assert text(value["a"]["b"][1], "c") == "d"


@pytest.mark.parametrize("value", SHAPES, ids=repr)
def test_any_shape_gives_the_kind_that_is_asked_for(value: Any) -> None:
    for keys in ((), ("a",), ("a", "b"), ("a", "b", "c")):
        assert type(part(value, *keys)) is dict and type(items(value, *keys)) is list
        assert all(type(one) is dict for one in objects(value, *keys))
        assert type(text(value, *keys)) in (str, type(None))
    assert inner(value, "a", "nothing", "c") is None

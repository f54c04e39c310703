"""What records have in common is decoded once, and what comes out is what `json.loads` gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.catalog import before
from hpcprov.catalog.before import Before

WHITE = b' {"facts": {"a": 1}}'
ODD = (
    *(b"", b"{", b"{}", b"[]", b'"facts"', b'{"facts":{}}', b'{"facts":[]}', b"{}\n", b"{}x", b'{"facts":{"a":1}'),
    *(WHITE, b"{} \x0b", b"\xef\xbb\xbf{}", '{"facts":{"a":{}}}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}', b"{1:2}"),
    *(b'{"facts":{"a":{"b":1},"a":{"b":2}},"facts":{}}', b'{"facts":{"a":{"b":1},}}', b'{"facts":{"a":NaN}}', b"\xff"),
    *(b'{"facts":{"a":1}}', b'{"facts":{"a":12}}', b'{"facts":{"a":' + b"[" * 100_000 + b"}}", b'{"a"}', b'{"a":1;'),
)
VALUES = (
    None,
    1,
    12,
    "",
    "}",
    {},
    {"value": {}},
    {"value": {"x": 1}},
    {"value": {"x": 12}},
    {"value": 1, "y": "\ud800"},
)


def outcome(loads: Any, data: bytes) -> Any:
    try:
        return loads(data)
    except (ValueError, RecursionError) as error:
        return type(error), str(error)


def test_odd_texts_are_read_as_json_is() -> None:
    seen = Before()
    for data in ODD * 3:
        assert repr(outcome(seen.loads, data)) == repr(outcome(json.loads, data))


@settings(max_examples=50)
@given(st.lists(st.tuples(*[st.sampled_from(VALUES)] * 2), max_size=6), st.integers(0, 99))
def test_facts_of_one_name_and_other_values_are_told_apart(values: list[tuple[Any, Any]], left_out: int) -> None:
    seen = Before()
    for one, other in values * 3:
        record = {"a": "b", "facts": {"1": one, "2": other}, "z": {"facts": 1}}
        text = json.dumps(record, separators=(",", ":")).encode()
        for data in (text, text[: max(0, len(text) - left_out)]):
            assert outcome(seen.loads, data) == outcome(json.loads, data)


def test_a_fact_that_comes_again_is_the_same_object_and_what_it_makes_is_made_once() -> None:
    seen, made = Before(), []

    def make(value: dict[str, Any]) -> list[Any]:
        made.append(value)
        return [*value]

    values = [seen.loads(b'{"facts":{"sha256:1":{"value":{"x":1}}}}')["facts"]["sha256:1"]["value"] for _ in range(4)]
    assert values[1] is values[2] is values[3] and values[0] is not values[1]
    assert [seen.made_of(value, make) for value in values] == [["x"]] * 4 and len(made) == 2
    assert seen.loads(b'{"facts":{"sha256:1":{"value":{"x":2}}}}')["facts"]["sha256:1"]["value"] == {"x": 2}


def test_no_more_facts_are_kept_than_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before, "MOST", 1000)
    monkeypatch.setattr(before, "MOST_MET", 10)
    seen = Before()
    for number in range(100):
        for length in (30, 2000):
            text = json.dumps({"facts": {f"{number} {length}": {"value": {"x": "y" * length}}}}, separators=(",", ":"))
            for _ in range(3):
                assert seen.loads(text.encode()) == json.loads(text)
        assert sum(len(text) for text, _ in seen._facts.values()) <= 1000
        assert len(seen._facts) == len(seen._made) and len(seen._met) <= 10

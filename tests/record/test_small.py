"""Text for terminals, ranges, moments, canonical JSON, events at the border."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.record import canonical, event, moment, ranges, wording
from hpcprov.record.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("é日本 ok", "é日本 ok"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x07\x7f\x9b", "\\x07\\x7f\\x9b"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("\ufeff\u200b\u2028", "\\ufeff\\u200b\\u2028"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_can_always_be_written_and_never_acts(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert printable(shown) == shown


@given(st.sets(st.integers(0, 60)), st.integers(0, 60))
def test_ranges_and_gaps_are_a_partition(numbers: set[int], size: int) -> None:
    def members(pairs: list[list[int]]) -> set[int]:
        return {n for first, last in pairs for n in range(first, last + 1)}

    assert members(ranges.ranges(numbers)) == numbers
    assert ranges.count(ranges.ranges(numbers)) == len(numbers)
    inside = {n for n in numbers if n < size}
    assert members(ranges.gaps(inside, size)) == set(range(size)) - inside


def test_gaps_of_a_huge_size_are_few() -> None:
    assert ranges.gaps([0, 5], 10**15) == [[1, 4], [6, 10**15 - 1]]
    assert ranges.text([[0, 2], [7, 7]]) == "0-2,7"


@given(st.integers(0, 2**63 - 1))
def test_moments_come_back(ns: int) -> None:
    assert moment.ns(moment.iso(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "1970-01-01T00:00:00.000000000Z"), (1795000000123456789, "2026-11-18T11:06:40.123456789Z")]
)
def test_iso(ns: int, text: str) -> None:
    assert moment.iso(ns) == text


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00.xZ"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError):
        moment.ns(text)


START = {"event": "start", "time": 1, "boot": 2, "rank": 0, "pid": 7}


@pytest.mark.parametrize(
    ("given_keys", "kept"),
    [
        ({"v": 1, "unknown": 5}, {}),
        ({"argv": ["a"], "cwd": "/x"}, {"argv": ["a"], "cwd": "/x"}),
        ({"argv": ["a", 1]}, {}),
        ({"argv": "a b"}, {}),
        ({"size": True}, {}),
        ({"size": None}, {}),
        ({"size": 2**70}, {}),
        ({"tags": {"a": "b"}}, {"tags": {"a": "b"}}),
        ({"tags": {"a": 1}}, {}),
        ({"parent": {"run": "x", "rank": 0}}, {"parent": {"run": "x", "rank": 0}}),
        ({"parent": {"run": "x"}}, {}),
        ({"launch_time": -1}, {}),
    ],
)
def test_an_event_keeps_only_what_fits(given_keys: dict[str, Any], kept: dict[str, Any]) -> None:
    assert event.normal(START | given_keys) == START | kept


@pytest.mark.parametrize(
    "broken",
    [
        {"event": "unheard of"},
        {"event": ["start"]},
        {"time": None},
        {"time": -1},
        {"time": 2**63},
        {"time": 1.5},
        {"rank": -1},
        {"rank": "0"},
        {"rank": True},
        {"rank": 2**31},
        {"pid": None},
    ],
)
def test_what_says_too_little_is_no_event(broken: dict[str, Any]) -> None:
    assert event.normal(START | broken) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(event.KINDS)), st.data())
def test_no_value_of_any_key_raises(kind: str, data: st.DataObject) -> None:
    keys = sorted(event.KINDS[kind][1])
    made = data.draw(st.fixed_dictionaries({"time": JSON}, optional=dict.fromkeys(keys, JSON)))
    kept = event.normal({"event": kind} | made)
    assert kept is None or set(event.rusage(kept)) <= set(event.RUSAGE)


def test_bytes_that_are_not_utf8_survive_the_way_to_a_record() -> None:
    name = os.fsdecode(b"/data/\xff\xfe")
    assert os.fsencode(json.loads(canonical.canonical(name))) == b"/data/\xff\xfe"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["a", "b c"], "a 'b c'"),
        (["python", "-c", "f('x')"], "python -c \"f('x')\""),
        (["sh", "-c", "echo '$x'"], "sh -c 'echo '\"'\"'$x'\"'\"''"),
        (["x", ""], "x ''"),
        ([], "(unknown)"),
        (None, "(unknown)"),
    ],
)
def test_a_command_for_people(argv: list[str] | None, shown: str) -> None:
    assert wording.words(argv) == shown


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 10**400, -(10**400), 1e308])
def test_what_no_record_can_mean_is_unknown(number: float) -> None:
    assert (wording.size(number), wording.duration(number)) == ("?", "?")

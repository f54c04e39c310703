"""What an application may have scribbled on, at the border: entries of access and program events, observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.record import event, observed, site
from hpcprov.record.ranges import count, joined

GOOD = {"path": "/data/a.nc", "read": True, "first": 5, "ranks": [[0, 3]], "programs": [1], "began": [10, -5]}


def test_a_good_access_is_kept_and_what_says_nothing_is_left_out() -> None:
    assert observed.access(GOOD | {"written": False, "from": None, "store": "zarr"}) == GOOD | {"store": "zarr"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read", 1),
        ("first", -1),
        ("first", 1 << 64),
        ("last", 1.5),
        ("ranks", [[3, 0]]),
        ("ranks", [[0, 1 << 31]]),
        ("ranks", [[0]]),
        ("programs", list(range(9))),
        ("programs", [True]),
        ("began", [10]),
        ("began", ["10", 5]),
        ("store", "tar"),
        ("from", "relative"),
        ("from", "/" + "x" * observed.LONGEST_PATH),
        ("nonsense", 1),
    ],
)
def test_what_is_not_what_it_must_be_counts_as_unknown(key: str, value: Any) -> None:
    kept = observed.access({"path": "/a"} | {key: value})
    assert kept == {"path": "/a"}


@pytest.mark.parametrize("entry", [None, 5, [], {}, {"path": 5}, {"path": "relative"}, {"read": True}])
def test_no_access_without_a_path(entry: Any) -> None:
    assert observed.access(entry) is None


@pytest.mark.parametrize(
    "entry",
    [{"id": 1}, {"path": "/a"}, {"id": -1, "path": "/a"}, {"id": True, "path": "/a"}, {"id": "1", "path": "/a"}],
)
def test_no_program_without_a_number_and_path(entry: Any) -> None:
    assert observed.program(entry) is None


@pytest.mark.parametrize("exits", [{"x": 1}, {"0": -1}, {"-": 1}, {"0": "1"}, {"٣": 1}, {"1" * 5000: 1}, [1]])
def test_exits_are_numbers_by_code(exits: Any) -> None:
    assert observed.program({"id": 1, "path": "/a", "exits": exits}) == {"id": 1, "path": "/a"}


def test_an_observation_of_nonsense_is_an_empty_one() -> None:
    nonsense = {"how": "magic", "lost": -1, "classes": {"data": 5, "x": {"files": 1}}, "software": 5, "code": [5, {}]}
    empty: dict[str, Any] = {"software": [], "code": [], "counted": [], "directories": [], "classes": {}}
    expected = empty | {"complete": False, "reasons": []}
    assert observed.observation(nonsense) == observed.observation(None) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["/a", "zarr"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*observed.ACCESS, "id"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(["access", "program", "observation"]), st.lists(JSON, max_size=4), JSON)
def test_anything_passes_the_border_once(kind: str, entries: list[Any], value: Any) -> None:
    raw = {"event": kind, "time": 1, "node": "n", "entries": entries, "value": value}
    once = event.normal(raw)
    if once is not None:
        assert event.normal(once) == once


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=6))
def test_joined_ranges_hold_the_same_numbers(pairs: list[tuple[int, int]]) -> None:
    given = [[first, first + more] for first, more in pairs]
    numbers = {n for first, last in given for n in range(first, last + 1)}
    whole = joined(given)
    assert {n for first, last in whole for n in range(first, last + 1)} == numbers
    assert count(whole) == len(numbers) and joined(reversed(whole)) == whole


def test_huge_ranges_stay_ranges() -> None:
    assert joined([[0, 1 << 30], [5, 1 << 31]]) == [[0, 1 << 31]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("observe_files = 50\n", 50),
        ("# observe_files = 50\n", 7),
        (" observe_files=5 \nobserve_files = 6", 6),
        ("observe_files = many", 7),
        ("observe_files = -5", 7),
        ("observe_files = " + "9" * 30, 7),
        ("observe_files = 99999999999", site.LARGEST),
        ("\xff\0=\n==\nobserve_files", 7),
        ("", 7),
    ],
)
def test_what_a_site_sets(tmp_path: Path, text: str, found: int) -> None:
    (tmp_path / "conf").write_text(text, encoding="latin-1")
    environ = {"HPCPROV_CONFIG": str(tmp_path / "conf")}
    assert site.number("observe_files", environ, otherwise=7) == found


def test_a_configuration_that_cannot_be_read_sets_nothing(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing", "/dev/zero"):
        assert site.value("observe", {"HPCPROV_CONFIG": str(place)}) is None

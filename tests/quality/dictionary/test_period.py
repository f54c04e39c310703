"""Time axes as dates: held against what cftime says of them, and what is no time axis."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.quality.dictionary.period import period


@pytest.mark.parametrize(
    ("units", "low", "high", "told"),
    [
        ("days since 1850-01-01", 55152, 55241, "2001-01-01 to 2001-03-31"),
        ("hours since 1900-01-01 00:00:00.0", 1042464, 1042470, "2018-12-04 00:00:00 to 2018-12-04 06:00:00"),
        ("minutes since 2024-01-01 00:00:00", 0.0, 300.0, "2024-01-01 00:00:00 to 2024-01-01 05:00:00"),
        ("seconds since 1970-01-01T00:00:00Z", 1.7e9, 1.7e9, "2023-11-14 22:13:20"),
        ("days since 2000-1-1 12:00 +01:00", 0.5, 1.5, "2000-01-01 23:00:00 to 2000-01-02 23:00:00"),
        ("Days since 2001-01-01", 1 / 24, 2 / 24, "2001-01-01 01:00:00 to 2001-01-01 02:00:00"),
        ("milliseconds since 2001-01-01", 1000, 86400000, "2001-01-01 00:00:01 to 2001-01-02 00:00:00"),
    ],
)
def test_numbers_become_dates(units: str, low: Any, high: Any, told: str) -> None:
    assert period({"units": units}, low, high) == told
    cftime = pytest.importorskip("cftime")
    dates = cftime.num2date([low, high], units.lower(), only_use_cftime_datetimes=False)
    seconds = [f"{date:%Y-%m-%d %H:%M:%S}" for date in dates]
    assert [word.ljust(19)[:10] for word in told.split(" to ")] == [word[:10] for word in dict.fromkeys(seconds)]


@pytest.mark.parametrize(
    "attributes",
    [
        {}, {"units": "m"}, {"units": "months since 2000-01-01"}, {"units": "days since 2000-13-01"},
        {"units": "days since 0000-01-01"}, {"units": "days since 1500-01-01"}, {"units": 7},
        {"units": "days since 2000-01-01", "calendar": "noleap"}, {"units": "days since 2000-01-01", "calendar": 7},
        {"units": "days since 2000-01-01 00:00:00 +99:99x"}, {"units": "days since 9999-12-31"},
        {"units": "day" * 1000}, {"units": "days since 2000-01-01\x1b[31m"},
    ],
)  # fmt: skip
def test_what_is_no_such_axis_has_no_dates(attributes: dict[str, Any]) -> None:
    assert period(attributes, 1, 2) is None


@pytest.mark.parametrize(
    "ends", [(None, None), ("a", "b"), (True, False), (float("nan"), 1), (1, float("inf")), (0, 10**400)]
)
def test_ends_that_are_no_moments(ends: tuple[Any, Any]) -> None:
    assert period({"units": "days since 2000-01-01"}, *ends) is None


def test_the_proleptic_calendar_has_no_reform() -> None:
    attributes = {"units": "days since 1500-01-01", "calendar": "proleptic_gregorian"}
    assert period(attributes, 0, 1) == "1500-01-01 to 1500-01-02"

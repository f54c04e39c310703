"""First and last moment of a CF time axis: `days since 1850-01-01` and numbers become dates that people read.

    period({"units": "days since 1850-01-01"}, 55152, 55241)  ->  "2001-01-01 to 2001-03-31"

Of the Gregorian calendars only; the standard one from 1582-10-15 on, before which it is the Julian one. What cannot be
told (months, which CF discourages; other calendars; years that Python's dates do not have) is None. Moments are UTC.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

GREGORIAN = ("standard", "gregorian", "proleptic_gregorian")
REFORM = datetime(1582, 10, 15)
#: Names of a unit (UDUNITS), without the plural's s: its seconds.
SECONDS = {
    **dict.fromkeys(("millisecond", "millisec", "msec", "ms"), 1e-3),
    **dict.fromkeys(("second", "sec", "s"), 1),
    **dict.fromkeys(("minute", "min"), 60),
    **dict.fromkeys(("hour", "hr", "h"), 3600),
    **dict.fromkeys(("day", "d"), 86400),
}
SINCE = re.compile(
    r"(?P<unit>[a-z]{1,12}) since (?P<y>\d{1,4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:[ t] ?(?P<H>\d{1,2}):(?P<M>\d{1,2})(?::(?P<S>\d{1,2})(?P<f>\.\d{1,9})?)?)?"
    r" ?(?:z|utc|gmt|(?P<sign>[+-])(?P<oh>\d{1,2}):?(?P<om>\d\d)?)?",
    re.ASCII,
)


def period(attributes: Mapping[str, Any], low: Any, high: Any) -> str | None:
    """The moments of the least and the greatest value of a field with these attributes."""
    units, calendar = attributes.get("units"), attributes.get("calendar", "standard")
    if type(units) is not str or type(low) not in (int, float) or type(high) not in (int, float):
        return None
    if type(calendar) is not str or calendar.lower() not in GREGORIAN:
        return None
    try:
        began, seconds = _epoch(units)
        moments = [_rounded(began + timedelta(seconds=value * seconds)) for value in (low, high)]
    except (ValueError, OverflowError):
        return None
    if calendar.lower() != GREGORIAN[-1] and min(began, *moments) < REFORM:
        return None
    whole = all(moment.time() == moment.min.time() for moment in moments)
    first, last = (moment.date().isoformat() if whole else moment.isoformat(" ") for moment in moments)
    return first if first == last else f"{first} to {last}"


def _rounded(moment: datetime) -> datetime:
    """To the second: hours are often floats of days."""
    return (moment + timedelta(seconds=0.5)).replace(microsecond=0)


def _epoch(units: str) -> tuple[datetime, float]:
    """The moment from which units count, and their length in seconds. Raises ValueError."""
    found = SINCE.fullmatch(" ".join(units[:200].lower().split()))
    unit = found["unit"] if found is not None else ""
    seconds = SECONDS.get(unit) or SECONDS.get(unit.removesuffix("s"))
    if found is None or seconds is None:
        raise ValueError(units)
    year, month, day, hour, minute, second = (int(found[part] or 0) for part in "ymdHMS")
    offset = timedelta(hours=int(found["oh"] or 0), minutes=int(found["om"] or 0))
    moment = datetime(year, month, day, hour, minute, second)
    moment += timedelta(seconds=float(found["f"] or 0))
    return moment + (offset if found["sign"] == "-" else -offset), seconds

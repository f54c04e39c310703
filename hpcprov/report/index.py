"""The log of all runs as pages: a calendar of years, and for each month its days, sessions and runs.

written = write_index(catalog.each_run, "hpcprov-index", title="Runs of /scratch/ada")
written.first, written.pages, written.changed  ->  "hpcprov-index/index.html", 13, 2

A month's page bears a digest of what it was made from; one that is still right is not made again. Pages get their names
when they are complete. Only pages of ours are replaced, and nothing is written outside of the directory.
"""

from __future__ import annotations

import hashlib
import os
from calendar import timegm
from itertools import islice

from hpcprov import __version__
from hpcprov.record.wording import count
from hpcprov.report import assets
from hpcprov.report.index_place import Place
from hpcprov.report.page import SCRIPT, STYLE, compose
from hpcprov.report.sessions import days_of, entry_of
from hpcprov.report.summary import status
from hpcprov.report.told import number as usable
from hpcprov.report.year import squares

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from hpcprov.catalog.found import RunRow
    from hpcprov.report.sessions import Entry

FIRST, UNDATED, BEYOND = "index.html", "undated", "2262"
MOST_LATEST = 10
MOST_OF_A_MONTH = 4000


class Written:
    """`first`: the path of index.html; how many `pages` there are, and how many of them were `changed` or removed."""

    def __init__(self, first: str) -> None:
        self.first, self.pages, self.changed = first, 0, 0


class Month:
    """What is told of a month on the first page, and a digest of all that its own page is made from."""

    def __init__(self) -> None:
        self.days: dict[str, tuple[int, int]] = {}
        self.count = self.bad = 0
        self.hours = 0.0
        self.digest = hashlib.sha256()

    def add(self, row: RunRow, linked: str | None) -> None:
        """One more run. `linked`: the address of its report."""
        told, day, word = row.summary, (row.start or "")[:10], row.status
        bad = status(word)["look"] in ("bad", "warn")
        number, failed = self.days.get(day, (0, 0))
        self.days[day] = (number + 1, failed + bad)
        self.count, self.bad = self.count + 1, self.bad + bad
        seconds = told["duration_s"]
        if row.type == "command":
            self.hours += (usable(seconds) or 0.0) * max(1, len(row.nodes)) / 3600
        known = (row.id, word, row.end, seconds, row.sealed, told.get("revision"), linked)
        self.digest.update(repr(known).encode("utf-8", "surrogatepass"))


def write_index(
    each_run: Callable[..., Iterable[RunRow]], directory: str, *, title: str, force: bool = False
) -> Written:
    """Write the pages into a directory, which is made when it is missing. `each_run(since=, until=)` (seconds since the
    epoch) gives runs, newest first: `Catalog.each_run`. A run is linked to its own report where `report-<id>.html` lies
    there. `force` replaces files that are no pages of ours. Raises HpcprovError, OSError, MissingTemplates."""
    os.makedirs(directory, exist_ok=True)
    place = Place(directory, force=force)
    months: dict[str, Month] = {}
    latest: list[Entry] = []
    for row in each_run():
        months.setdefault(_month_of(row), Month()).add(row, place.report(row.id))
        if len(latest) < MOST_LATEST:
            latest.append(entry_of(row))
    written = Written(os.path.join(directory, FIRST))
    names = sorted(months)
    for k, name in enumerate(names):
        near = (names[k - 1] if k else None, names[k + 1] if k + 1 < len(names) else None)
        written.changed += _write_month(place, name, months[name], near, title, each_run)
    written.changed += place.put(FIRST, _first(months, latest, title, place))
    written.changed += place.remove_others({f"{name}.html" for name in names})
    written.pages = len(names) + 1
    return written


def _month_of(row: RunRow) -> str:
    return row.start[:7] if row.start else UNDATED


def _write_month(
    place: Place,
    name: str,
    month: Month,
    near: tuple[str | None, str | None],
    title: str,
    each_run: Callable[..., Iterable[RunRow]],
) -> bool:
    """Write a month's page unless the one that is there is right."""
    month.digest.update(repr((_look(), __version__, near, title)).encode("utf-8", "surrogatepass"))
    file, digest = f"{name}.html", month.digest.hexdigest()
    if place.made_from(file) == digest:
        return False
    rows = each_run(**_bounds(name))
    entries = [entry_of(row) for row in islice((row for row in rows if _month_of(row) == name), MOST_OF_A_MONTH)]
    days = days_of(entries)
    for day in days:
        day["count"], day["bad"] = month.days.get(day["day"], (0, 0))
    page = compose(
        "month.html",
        title=f"{name}: {count(month.count, 'run')}",
        styles=["index.css"],
        month=name,
        whole=title,
        made_from=digest,
        total=month.count,
        shown=len(entries),
        bad=month.bad,
        days=days,
        before=near[0],
        after=near[1],
        report=place.report,
    )
    return place.put(file, page)


def _look() -> str:
    """What a page is made with, beside its values."""
    return "".join(assets.read(name) for name in ("base.html", "month.html", STYLE, "index.css", SCRIPT))


def _bounds(name: str) -> dict[str, int]:
    """A month's first second and that of the next month; none of what is undated, or later than 64 bits of ns count."""
    if name == UNDATED or name >= BEYOND:
        return {}
    year, month = int(name[:4]), int(name[5:7])
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return {"since": timegm((year, month, 1, 0, 0, 0)), "until": timegm((*following, 1, 0, 0, 0))}


def _first(months: dict[str, Month], latest: list[Entry], title: str, place: Place) -> str:
    years: dict[str, list[str]] = {}
    for name in sorted(months, reverse=True):
        years.setdefault(name[:4] if name != UNDATED else "", []).append(name)
    return compose(
        "index.html",
        title=title,
        styles=["index.css"],
        total=sum(month.count for month in months.values()),
        years=[_year(year, names, months) for year, names in years.items() if year],
        undated=months[UNDATED].count if UNDATED in months else 0,
        latest=[entry | {"look": status(entry["status"])} for entry in latest],
        report=place.report,
    )


def _year(year: str, names: list[str], months: dict[str, Month]) -> dict[str, Any]:
    days = {day: numbers for name in names for day, numbers in months[name].days.items()}
    return {
        "year": year,
        "count": sum(months[name].count for name in names),
        "squares": squares(year, days) if year != "0000" else None,
        "months": [
            {
                "name": name,
                "count": months[name].count,
                "bad": months[name].bad,
                "days": len(months[name].days),
                "hours": months[name].hours,
            }
            for name in names
        ],
    }

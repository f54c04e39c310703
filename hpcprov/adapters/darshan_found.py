"""Darshan logs of a finished run, where the environment that it ran in says that they are.

DARSHAN_LOGFILE=/scratch/ada/run.darshan        the log itself
DARSHAN_LOGPATH=/logs                           /logs/2026/11/21/ada_solve_id4711-88_11-21-33000-1_2.darshan
"""

from __future__ import annotations

import os
import re
import time

from hpcprov.adapters import darshan
from hpcprov.merge import shared
from hpcprov.record import model, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = ("DARSHAN_LOGFILE",)
# What sites name in Darshan's `configure --with-log-path-by-env`.
DIRECTORIES = ("DARSHAN_LOGPATH", "DARSHAN_LOG_DIR_PATH", "DARSHAN_LOG_PATH", "DARSHAN_LOGDIR")
MOST_DAYS, MOST_NAMES, MOST_LOGS = 32, 100000, 64
DAY = 86400


def logs(record: model.Record) -> list[str]:
    """Paths of logs that may be of the run and are not attached yet, as far as its environment leads to them."""
    environ = shared.lowest(record["environment"])
    known = {log.get("log") for log in darshan.attached(record)}
    named = [environ[name] for name in FILES if environ.get(name, "").startswith("/")]
    places = [environ[name] for name in DIRECTORIES if environ.get(name, "").startswith("/")]
    found = [*filter(os.path.isfile, named), *(path for place in places for path in in_directory(place, record))]
    return [path for path in dict.fromkeys(found) if path not in known][:MOST_LOGS]


def in_directory(place: str, record: model.Record) -> Iterator[str]:
    """Logs in a directory, or in those of the run's days in it, which have the job's id in their names."""
    job = model.job_id(record)
    days = days_of(record)
    if job is None or not days:
        return
    name = re.compile(rf".*_id{re.escape(job.split('.')[0])}[-_].*\.darshan", re.DOTALL)
    for directory in (place, *(os.path.join(place, day) for day in days)):
        yield from (os.path.join(directory, one) for one in names(directory) if name.fullmatch(one))


def names(directory: str) -> list[str]:
    """The first names in a directory, sorted; a site's may hold a log of every job of the day."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(MOST_NAMES), strict=False))
    except OSError:
        return []


def days_of(record: model.Record) -> list[str]:
    """The days on which the run's programs may have begun, as Darshan names them in the local time of its node."""
    run = record["run"]
    ended = run["end"] or run["last_heard"]
    if run["start"] is None or ended is None:
        return []
    first, last = (moment.ns(text) // moment.SECOND for text in (run["start"], ended))
    moments = range(first - DAY, min(last, first + MOST_DAYS * DAY) + 2 * DAY, DAY)
    return ["{0.tm_year}/{0.tm_mon}/{0.tm_mday}".format(time.gmtime(at)) for at in moments]

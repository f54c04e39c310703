"""The catalog's tables, in SQL that SQLite and PostgreSQL both know (docs/catalog.md has each column).

    for statement in TABLES: connection.execute(statement)

Text is kept as `stored` writes it: neither SQLite nor PostgreSQL takes lone surrogates (bytes of a name that are not
UTF-8, PEP 383), and PostgreSQL takes no NUL. `told` gives the text back.

    stored("a\\udcff")  ->  "a\\x1adcff"           told("a\\x1adcff")  ->  "a\\udcff"
"""

from __future__ import annotations

import re

#: Another number: the tables are made anew from the records.
VERSION = 3

TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # A day's directory and its mtime when it was last listed; 0: it may have changed since within the same tick.
    "CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, changed BIGINT NOT NULL)",
    # Records that could not be read; `stamp` as in runs.
    """CREATE TABLE IF NOT EXISTS unread (
        place TEXT PRIMARY KEY, day TEXT NOT NULL, stamp TEXT NOT NULL, problem TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS runs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        place TEXT NOT NULL,
        day TEXT NOT NULL,
        stamp TEXT NOT NULL,
        made BIGINT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT,
        status TEXT NOT NULL,
        began TEXT NOT NULL,
        ended TEXT NOT NULL,
        duration DOUBLE PRECISION,
        account TEXT,
        uid BIGINT,
        directory TEXT,
        ranks BIGINT,
        code_commit TEXT,
        image TEXT,
        parent TEXT,
        job TEXT,
        workflow TEXT,
        previous TEXT,
        sealed INTEGER NOT NULL
    )""",
    # Apart from the columns that are searched: JSON of rows.summary, and the sealed length of each log.
    "CREATE TABLE IF NOT EXISTS summaries (run INTEGER PRIMARY KEY, summary TEXT NOT NULL, logs TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS artifacts (
        number INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        began TEXT NOT NULL,
        role TEXT NOT NULL,
        path TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        format TEXT,
        size BIGINT,
        mtime BIGINT,
        signature TEXT,
        storage TEXT,
        first TEXT,
        last TEXT,
        renamed_from TEXT,
        how TEXT NOT NULL,
        fields INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS fields (
        artifact INTEGER NOT NULL,
        path TEXT NOT NULL,
        type TEXT NOT NULL,
        shape TEXT,
        bytes BIGINT,
        signature TEXT NOT NULL,
        role TEXT NOT NULL,
        began TEXT NOT NULL
    )""",
    # What a run is looked for by: see facets.FACETS.
    "CREATE TABLE IF NOT EXISTS facets (run INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT)",
    # Lists that many runs have in common: installed packages, loaded libraries. A facet of their kind names one.
    "CREATE TABLE IF NOT EXISTS lists (list TEXT NOT NULL, name TEXT NOT NULL, value TEXT)",
    # These two are needed while rows are added.
    "CREATE UNIQUE INDEX IF NOT EXISTS runs_place ON runs (place)",
    "CREATE INDEX IF NOT EXISTS lists_list ON lists (list)",
)
#: Made after the first rows have been added: that is several times faster.
INDEXES = (
    "CREATE INDEX IF NOT EXISTS runs_id ON runs (id)",
    "CREATE INDEX IF NOT EXISTS runs_began ON runs (began, id)",
    "CREATE INDEX IF NOT EXISTS runs_made ON runs (made)",
    "CREATE INDEX IF NOT EXISTS runs_day ON runs (day)",
    "CREATE INDEX IF NOT EXISTS artifacts_run ON artifacts (run)",
    "CREATE INDEX IF NOT EXISTS artifacts_path ON artifacts (path, role, began)",
    "CREATE INDEX IF NOT EXISTS artifacts_signature ON artifacts (signature, role, began)",
    "CREATE INDEX IF NOT EXISTS artifacts_storage ON artifacts (storage, role, began)",
    "CREATE INDEX IF NOT EXISTS fields_artifact ON fields (artifact)",
    "CREATE INDEX IF NOT EXISTS fields_signature ON fields (signature, role, began)",
    "CREATE INDEX IF NOT EXISTS facets_run ON facets (run)",
    "CREATE INDEX IF NOT EXISTS facets_name ON facets (kind, name)",
    "CREATE INDEX IF NOT EXISTS lists_name ON lists (name)",
)
RUN_COLUMNS = (
    *("number", "id", "place", "day", "stamp", "made", "kind", "name", "status", "began", "ended", "duration"),
    *(
        "account",
        "uid",
        "directory",
        "ranks",
        "code_commit",
        "image",
        "parent",
        "job",
        "workflow",
        "previous",
        "sealed",
    ),
)
ARTIFACT_COLUMNS = (
    *("number", "run", "began", "role", "path", "state", "reason", "format", "size", "mtime", "signature", "storage"),
    *("first", "last", "renamed_from", "how", "fields"),
)
ESCAPE = "\x1a"
_UNFIT = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([0-9a-f]{4})")
LARGEST = 2**63 - 1


def stored(text: str) -> str:
    """Text as the database can hold it."""
    if text.isprintable():
        return text
    return _UNFIT.sub(lambda found: f"{ESCAPE}{ord(found[0]):04x}", text)


def told(text: str) -> str:
    """The text that `stored` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if ESCAPE in text else text


def maybe_stored(text: str | None) -> str | None:
    return None if text is None else stored(text)


def maybe_told(text: str | None) -> str | None:
    return None if text is None else told(text)

"""The catalog's SQL on a real PostgreSQL: the same tables, the same answers."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from require import require

from hpcprov.catalog import open_catalog
from hpcprov.catalog.filters import condition
from hpcprov.catalog.schema import INDEXES, TABLES
from hpcprov.record.layout import Store

from .conftest import digest

pytestmark = pytest.mark.slow
QUERIES: list[dict[str, Any]] = [
    {},
    {"digest": digest("x")[:8]},
    {"digest": f"hpcprov1:{digest('u')}", "used": True},
    {"path": "/data"},
    {"path": "/DATA/*"},
    {"path": "*.h5"},
    {"path": "/data/?.zarr"},
    {"image": "version=3"},
    {"image": "model.sif"},
    {"module": "gcc"},
    {"commit": "abab"},
    {"package": "numpy==2.1.0"},
    {"library": "libhdf5*"},
    {"user": "1234"},
    {"node": "n*"},
    {"tag": ["case=b1", "year"]},
    {"since": 1_795_086_400, "until": 1_800_000_000},
    {"status": ["failed", "completed"], "name": ["o*", "spin_up"]},
    {"type": "command", "job": "4711"},
]


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def filled(sql: str, parameters: list[Any]) -> str:
    first, *rest = sql.split("?")
    return first + "".join(literal(value) + part for value, part in zip(parameters, rest, strict=True))


@pytest.fixture
def psql() -> Iterator[Any]:
    """Run SQL in a server of its own, which listens on a socket in a temporary directory only."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
    require("postgresql", os.path.exists(os.path.join(found[-1], "initdb")))
    directory = tempfile.mkdtemp(prefix="pg-")
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if account:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)

    def call(program: str, *words: str, text: str | None = None) -> str:
        command = [os.path.join(found[-1], program), *words]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=60, cwd=directory, check=False, **account
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = os.path.join(directory, "data")
    call("initdb", "-D", data, "--locale=C", "--encoding=UTF8", "-A", "trust")
    options = f"-k {directory} -c listen_addresses= -c fsync=off"
    log = os.path.join(directory, "log")
    call("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
    try:
        words = ("-h", directory, "-d", "postgres", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1")
        yield lambda text: call("psql", *words, text=text).split()
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(directory)


def test_the_same_answers(three: Store, psql: Any) -> None:
    with open_catalog([three.root]) as catalog:
        psql(";\n".join(TABLES) + ";")
        for table in ("runs", "summaries", "artifacts", "fields", "facets", "lists", "days"):
            rows = [f"({', '.join(map(literal, row))})" for _, row in catalog.select(f"SELECT * FROM {table}")]
            psql(f"INSERT INTO {table} VALUES {', '.join(rows)};")
        psql(";\n".join(INDEXES) + ";")
        for filters in QUERIES:
            wanted = condition(filters)
            text = filled(
                f"SELECT r.id FROM runs r WHERE {wanted.text} ORDER BY r.began DESC, r.id DESC", wanted.parameters
            )
            assert psql(text + ";") == [row.id for row in catalog.runs(**filters)], filters

"""The same histories in the catalog's tables and in memory give the same lineage."""

from __future__ import annotations

import json
import sqlite3

import pytest
from hypothesis import given, settings

from hpcprov.catalog import makers
from hpcprov.catalog.lineage import Start, lineage
from hpcprov.catalog.lookups import TableLookups
from hpcprov.catalog.schema import INDEXES, TABLES, stored
from hpcprov.catalog.sources import Source

from .memory import World
from .test_lineage import histories

SUMMARY = {"kind": "command", "duration_s": 0.5, "cwd": "/", "argv": ["./x"], "tags": {}, "ranks": 1, "missing": 0}
EMPTY = {"nodes": [], "job": None, "user": {"name": None, "uid": None}, "part_of": {"job": None, "workflow": None}}


def tables(world: World) -> TableLookups:
    connection = sqlite3.connect(":memory:")
    for statement in (*TABLES, *INDEXES):
        connection.execute(statement)
    numbers = {run: number for number, run in enumerate(world.known, 1)}
    for run, number in numbers.items():
        known = world.known[run]
        told = {"number": number, "id": run, "place": f"records/{run}", "day": "", "stamp": "", "kind": "command"}
        told |= {"status": "completed", "began": known["start"], "ended": known["end"], "sealed": 1}
        insert(connection, "runs", told)
        summary = SUMMARY | EMPTY | {"name": run, "start": known["start"], "end": known["end"], "status": "completed"}
        summary |= {"parent": None, "previous": None, "note": None, "parts": 0}
        insert(connection, "summaries", {"run": number, "summary": json.dumps(summary)})
    for version in world.versions:
        names = ("role", "path", "state", "format", "size", "signature", "storage", "renamed_from", "fields", "began")
        told = {name: getattr(version, name) for name in names}
        told |= {"number": version.number, "run": numbers[version.run], "how": "declared", "path": stored(version.path)}
        insert(connection, "artifacts", told)
        for field in world.of[version.number]:
            shape = None if field.shape is None else ",".join(map(str, field.shape))
            told = {"artifact": version.number, "path": field.path, "type": "f8", "shape": shape, "bytes": field.bytes}
            insert(
                connection,
                "fields",
                told | {"signature": field.signature, "role": version.role, "began": version.began},
            )
    for program in world.ran:
        told = {"run": numbers[program.run], "kind": "program", "name": stored(program.path)}
        insert(connection, "facets", told)
    return TableLookups([Source("/s", connection)])


def insert(connection: sqlite3.Connection, table: str, values: dict[str, object]) -> None:
    columns = {row[1]: row for row in connection.execute(f"PRAGMA table_info({table})")}
    needed = {name: "" if row[2] == "TEXT" else 0 for name, row in columns.items() if row[3] and name not in values}
    values = {name: value for name, value in (values | needed).items() if name in columns}
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def shape(look: object, start: Start) -> tuple[set[str], set[tuple[object, ...]]]:
    graph = lineage(look, start, up=True, down=True)  # type: ignore[arg-type]
    return set(graph.nodes), {(edge["from"], edge["to"], edge["role"], edge["join"]) for edge in graph.edges}


@settings(max_examples=30, deadline=None)
@given(histories())
def test_tables_and_memory_agree(world: World) -> None:
    look = tables(world)
    for run in world.known:
        assert shape(look, Start(runs=[run])) == shape(world, Start(runs=[run]))


@pytest.mark.parametrize("hot", [1, 64])
def test_what_everybody_makes_is_asked_for_one_user_at_a_time(hot: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers, "HOT", hot)
    world = World()
    for k in range(70):
        world.run(f"r{k:02}", k).made(f"/case{k % 35}/mask", "1").made("/same", "2")
    world.run("user", 50.2).used("/case7/mask", "1").used("/same", "2").used("/same2", "2").used("/never", "3")
    look = tables(world)
    graph = lineage(look, Start(runs=["user"]))
    made = {edge["to"]: edge["from"] for edge in graph.edges if edge["role"] == "generated"}
    assert made == {"data:1": "run:r42", "data:2": "run:r50"}
    assert graph.nodes["data:2"]["others"] >= 49
    assert shape(look, Start(runs=["user"])) == shape(world, Start(runs=["user"]))


def test_paths_that_are_no_text_are_found() -> None:
    world = World().run("a", 1).made("/d/\udcff\x00", "1").run("b", 2).used("/d/\udcff\x00", state="not hashed")
    graph = lineage(tables(world), Start(runs=["b"]))
    assert "run:a" in graph.nodes and graph.nodes["data:1"]["path"] == "/d/\udcff\x00"


def test_a_program_leads_to_who_made_it_or_the_directory_that_it_lies_in() -> None:
    world = World().run("build", 1).made("/bin/solve", "1").run("install", 2).made("/opt/app", "2", format="directory")
    world.run("one", 3).executed_program("/bin/solve").run("other", 4).executed_program("/opt/app/bin/solve")
    for look in (world, tables(world)):
        for maker, user in (("build", "one"), ("install", "other")):
            for run, up in ((user, True), (maker, False)):
                graph = lineage(look, Start(runs=[run]), up=up, down=not up)
                assert {f"run:{maker}", f"run:{user}"} == {node for node in graph.nodes if node.startswith("run:")}

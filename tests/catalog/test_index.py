"""The index follows the records, whatever becomes of either."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch

from hpcprov.catalog import crew, index, open_catalog
from hpcprov.catalog.query import Catalog
from hpcprov.merge.publish import refresh
from hpcprov.merge.seal import seal, verify_written
from hpcprov.record import model
from hpcprov.record.canonical import canonical
from hpcprov.record.layout import Store

from .conftest import launched, publish, with_artifact


def ids(store: Store) -> list[str]:
    with open_catalog([store.root]) as catalog:
        return [row.id for row in catalog.runs()]


def content(store: Store) -> dict[str, list[Any]]:
    """All that the tables hold but for numbers of rows, which depend on the order of reading."""
    asked = {
        "runs": "SELECT place, stamp, name, status, began, ended, duration, account, sealed FROM runs",
        "summaries": "SELECT r.place, s.summary, s.logs FROM summaries s JOIN runs r ON r.number = s.run",
        "artifacts": "SELECT r.place, a.role, a.path, a.signature, a.storage, a.fields FROM artifacts a "
        "JOIN runs r ON r.number = a.run",
        "fields": "SELECT a.path, f.path, f.signature, f.role FROM fields f JOIN artifacts a ON a.number = f.artifact",
        "facets": "SELECT r.place, f.kind, f.name, f.value FROM facets f JOIN runs r ON r.number = f.run",
        "lists": "SELECT list, name, value FROM lists",
    }
    with open_catalog([store.root]) as catalog:
        return {name: sorted(map(repr, catalog.select(sql))) for name, sql in asked.items()}


def test_a_second_look_changes_nothing_and_a_new_index_says_the_same(three: Store) -> None:
    first = content(three)
    assert content(three) == first and first["lists"]
    os.unlink(three.catalog)
    assert content(three) == first


def test_added_revised_and_removed(three: Store) -> None:
    assert ids(three) == ["c", "b", "a"]
    place = publish(three, "d", launched(2, "d", at=2 * 86400 + 9).exit(0, 2 * 86400 + 10))
    assert ids(three) == ["d", "c", "b", "a"]
    shutil.rmtree(place)
    assert ids(three) == ["c", "b", "a"]
    with open_catalog([three.root], update=False) as catalog:
        late = with_artifact(Launch("n2", launch="3-4999000"), "generated", "/data/late", "late")
        late.write(catalog.run("c").directory)
    with open_catalog([three.root]) as catalog:
        assert catalog.run("c").summary["revision"] == 2, "frames that came late are folded"
        assert [one.run for one in catalog.versions(path="/data/late")] == ["c"]
        assert len(catalog.artifacts("c")) == 2


def test_a_whole_day_that_goes(three: Store) -> None:
    assert ids(three) == ["c", "b", "a"]
    (day,) = {path.parent for path in Path(three.records).glob("*/*/*/b")}
    shutil.rmtree(day)
    assert ids(three) == ["c", "a"]


def test_damaged_newer_and_mended(three: Store) -> None:
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    whole = path.read_bytes()
    for text, told in ((b"{", "is not JSON"), (whole.replace(b'"version":1,', b'"version":9,'), "record of version 9")):
        path.write_bytes(text)
        with open_catalog([three.root]) as catalog:
            assert [row.id for row in catalog.runs()] == ["c", "b"]
            (problem,) = catalog.problems
            assert told in problem and str(path) in problem
            assert catalog.directories("a") == {"a": str(path.parent)}, "it can still be named"
    path.write_bytes(whole)
    with open_catalog([three.root]) as catalog:
        assert [row.id for row in catalog.runs()] == ["c", "b", "a"] and catalog.problems == []


def test_a_record_that_was_moved_away_is_folded_again(three: Store) -> None:
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    path.write_text("{")
    assert ids(three) == ["c", "b"]
    path.unlink()
    assert ids(three) == ["c", "b", "a"] and path.exists()


def test_what_is_shown_is_looked_at_again(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(three) == ["c", "b", "a"]
    monkeypatch.setattr(index, "NEWEST", 0)
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    path.write_text(path.read_text().replace("spin-up", "spun"))
    with open_catalog([three.root]) as catalog:
        assert [row.name for row in catalog.checked(catalog.runs())] == ["ocean", "Ocean", "spun"]
        assert [row.sealed for row in catalog.runs()] == [True, True, False]


def test_all_are_looked_at_once_a_day(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(three) == ["c", "b", "a"]
    monkeypatch.setattr(index, "NEWEST", 0)
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    for day in Path(three.records).glob("*/*/*"):
        os.utime(day, (1_700_000_000, 1_700_000_000))
    ids(three)
    path.write_text(path.read_text().replace("spin-up", "spun"))
    with open_catalog([three.root]) as catalog:
        assert catalog.run("a").name == "spin-up"
    monkeypatch.setattr(index, "ONCE", 0)
    with open_catalog([three.root]) as catalog:
        assert catalog.run("a").name == "spun"


def test_a_run_in_progress_is_listed_and_not_stored(three: Store) -> None:
    running = launched(3, "live", pid=os.getpid(), ticks=None, name="live")
    with_artifact(running, "generated", "/data/live", "live", at=3 * 86400).write(three.run("live"))
    with open_catalog([three.root]) as catalog:
        row = catalog.run("last")
        assert (row.id, row.sealed) == ("live", None) and row.directory == three.run("live")
        assert [one.path for one in catalog.artifacts("live")] == ["/data/live"]
        assert catalog.record("live")["revision"] == 0 and catalog.count() == 4
    with sqlite3.connect(three.catalog) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (3,)
    connection.close()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:4096] + os.urandom(path.stat().st_size - 4096)), "damaged"),
        (lambda path: path.write_bytes(b""), None),
        (lambda path: path.unlink(), None),
        (lambda path: (path.unlink(), path.mkdir()), "in memory"),
        (lambda path: execute(path, "UPDATE meta SET value = '999' WHERE name = 'version'"), "newer"),
        (lambda path: execute(path, "UPDATE meta SET value = '0' WHERE name = 'version'"), None),
        (lambda path: execute(path, "DROP TABLE artifacts"), None),
    ],
)
def test_whatever_becomes_of_its_file(three: Store, damage: Any, told: str | None) -> None:
    before = content(three)
    damage(Path(three.catalog))
    with open_catalog([three.root]) as catalog:
        assert [row.id for row in catalog.runs()] == ["c", "b", "a"]
        assert len(catalog.notes) <= 1 and (told is None or told in catalog.notes[0])
    assert content(three) == before


def execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


def test_a_full_disk(three: Store) -> None:
    code = """
import resource, sys
from hpcprov.catalog import open_catalog
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with open_catalog([sys.argv[1]]) as catalog:
    print([row.id for row in catalog.runs()], catalog.notes)
"""
    for size in (0, 5000, 30_000):
        done = subprocess.run(
            [sys.executable, "-c", code, three.root, str(size)], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.startswith("['c', 'b', 'a'] [") and "in memory" in done.stdout, (size, done.stdout)
    assert ids(three) == ["c", "b", "a"]


def many(store: Store, number: int) -> None:
    """Copies of one record, each sealed anew."""
    (path,) = Path(store.records).glob("*/*/*/a/record.json")
    record = model.load(str(path))
    for k in range(number):
        name = f"n{k:05d}"
        directory = path.parent.parent / name
        directory.mkdir()
        record["run"]["id"] = name
        (directory / "record.json").write_bytes(canonical(seal(record, [], previous=None)) + b"\n")
        os.utime(directory / "record.json", (1_700_000_000, 1_700_000_000))


INDEXING = """
import sys
from hpcprov.catalog import index, open_catalog
index.BATCH = 5
with open_catalog([sys.argv[1]]) as catalog:
    print(catalog.count(), len(catalog.problems), catalog.notes)
"""


def test_killed_at_any_moment_the_next_call_completes_it(three: Store) -> None:
    many(three, 150)
    seen = []
    for fraction in (0.1, 0.5, 0.9):
        child = subprocess.Popen([sys.executable, "-c", INDEXING, three.root], stdout=subprocess.PIPE)
        until = time.monotonic() + 100
        while rows(three) < 153 * fraction and child.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        seen.append(rows(three))
    assert seen == sorted(seen) and seen[0] > 0
    before = content(three)
    assert len(before["runs"]) == 153
    os.unlink(three.catalog)
    assert content(three) == before


def rows(store: Store) -> int:
    try:
        connection = sqlite3.connect(f"file:{store.catalog}?mode=ro", uri=True, timeout=5)
        try:
            return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0


def test_several_at_once(three: Store) -> None:
    many(three, 100)
    command = [sys.executable, "-c", INDEXING, three.root]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {child.communicate(timeout=60)[0] for child in children} == {"103 0 []\n"}
    assert len(content(three)["artifacts"]) == 103


def test_a_reader_goes_on_while_another_process_writes(three: Store) -> None:
    with open_catalog([three.root]) as reader:
        stream = reader.each_run()
        assert next(stream).id == "c"
        publish(three, "d", launched(3, "d").exit(0, 3 * 86400 + 1))
        with open_catalog([three.root]) as other:
            assert other.count() == 4
        assert [row.id for row in stream] == ["b", "a"]


def test_workers_say_what_one_process_says(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    many(three, 30)
    before = content(three)
    os.unlink(three.catalog)
    monkeypatch.setattr(crew, "PAYS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert content(three) == before
    os.unlink(three.catalog)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert content(three) == before, "workers that end at once leave it to this process"


def test_hostile_values(three: Store) -> None:
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    record = json.loads(path.read_bytes())
    record["run"] |= {
        "name": "\udcff\x00\x1a<b>",
        "id": "../../x",
        "duration_s": 1e400,
        "user": {"uid": 2**70, "gid": None, "name": None},
    }
    record["run"]["tags"] = {"\x00": "\udc80", "'; DROP TABLE runs; --": "%_*"}
    artifact = record["artifacts"]["generated"][0]
    artifact |= {"path": "/data/\udcff\x1a00\n", "size": 10**30, "mtime": -(10**30)}
    artifact["signature"]["fields"][0] |= {"shape": [10**40], "bytes": "many"}
    record["facts"] = {"f": {"kind": "modules", "value": {"loaded": [5, {"name": None}, {"name": "\udcfe"}]}}}
    record["nodes"][0]["facts"] = {"modules": "f", "image": "f", "code": "f", "software": "f", "container": "f"}
    path.write_text(json.dumps(record))
    with open_catalog([three.root]) as catalog:
        row = catalog.run("a")
        assert row.name == "\udcff\x00\x1a<b>" and row.sealed is False and row.tags["\x00"] == "\udc80"
        assert row.directory == str(path.parent), "a record's word on its own id leads nowhere"
        (one,) = catalog.versions(path="/data/\udcff\x1a00\n")
        assert (one.path, one.size, one.mtime) == ("/data/\udcff\x1a00\n", None, None)
        assert one.fields()[0].shape == [10**40] and one.fields()[0].bytes is None
        for filters in ({"tag": "'; DROP TABLE runs; --=%_*"}, {"module": "\udcfe"}, {"path": "/data/\udcff*"}):
            assert [found.id for found in catalog.runs(**filters)] == ["a"], filters


def test_the_seal_shows_in_the_bytes_or_by_the_long_way(three: Store) -> None:
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    text = path.read_bytes()
    record = model.parse(text, name="a")
    assert verify_written(text, record) and verify_written(json.dumps(record, indent=1).encode(), record)
    changed = text.replace(b"spin-up", b"spin-uq")
    assert not verify_written(changed, model.parse(changed, name="a"))
    assert not verify_written(text, record | {"seal": None}) and not verify_written(
        text, record | {"seal": {"record": 5}}
    )


def test_a_revision_shows_in_its_day(three: Store) -> None:
    (path,) = Path(three.records).glob("*/*/*/a/record.json")
    day = path.parent.parent
    os.utime(day, (1_700_000_000, 1_700_000_000))
    Launch(launch="1-4999000").add("problem", 9, node="n1", text="late", rank=None).write(path.parent)
    assert refresh(three, str(path.parent))["revision"] == 2
    assert day.stat().st_mtime > 1_700_000_000


def test_a_catalog_is_closed_when_a_store_is_missing(three: Store, tmp_path: Path) -> None:
    from hpcprov.record.errors import NoStore

    with pytest.raises(NoStore, match="is not a directory"):
        Catalog([three.root, str(tmp_path / "nothing")])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_the_index_of_another_users_store_is_a_file_of_ours(
    three: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    os.chown(three.root, 12345, 12345)
    for _ in range(2):
        with open_catalog([three.root]) as catalog:
            assert [row.id for row in catalog.runs()] == ["c", "b", "a"] and catalog.notes == []
    (ours,) = (tmp_path / "cache" / "hpcprov").iterdir()
    assert ours.stat().st_size > 0 and not os.path.exists(three.catalog)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nothing")
    with open_catalog([three.root]) as catalog:
        assert catalog.count() == 3 and "in memory" in catalog.notes[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["store", "index", "journal"])
def test_an_index_of_others_is_neither_used_nor_made(
    given: str, three: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HPCPROV_TRUST_STORE", "1")
    mine = tmp_path / "mine"
    mine.write_bytes(b"of another user")
    path = Path(three.catalog + ("-journal" if given == "journal" else ""))
    os.symlink(mine, path)
    os.chown(three.root if given == "store" else path, 12345, 12345, follow_symlinks=given == "store")
    assert ids(three) == ["c", "b", "a"] and path.is_symlink() and mine.read_bytes() == b"of another user"
    assert (tmp_path / "cache" / "hpcprov").is_dir()


def test_nobody_else_may_read_the_index(three: Store) -> None:
    before = os.umask(0o002)
    try:
        with open_catalog([three.root]):
            files = [path for path in Path(three.root).iterdir() if path.name.startswith("catalog.sqlite")]
            assert files and {path.stat().st_mode & 0o777 for path in files} == {0o600}
    finally:
        os.umask(before)


@pytest.mark.parametrize("level", range(4))
def test_what_may_not_be_listed_is_named_and_stays_known(
    level: int, three: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(ids(three)) == 3
    place = Path(three.records)
    for _ in range(level):
        place = min(place.iterdir())
    os.utime(place)
    access, listdir, scandir = os.access, os.listdir, os.scandir

    def refusing(call: Any, answer: Any) -> Any:
        return lambda path, *rest: answer() if os.path.abspath(path) == str(place) else call(path, *rest)

    def denied() -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "access", refusing(access, lambda: False))
    monkeypatch.setattr(os, "listdir", refusing(listdir, denied))
    monkeypatch.setattr(os, "scandir", refusing(scandir, denied))
    for _ in range(2):
        with open_catalog([three.root]) as catalog:
            assert catalog.count() == 3 and catalog.notes[0].startswith(f"{place}: Permission denied")
    monkeypatch.undo()
    with open_catalog([three.root]) as catalog:
        assert catalog.count() == 3 and catalog.notes == []


def test_a_link_is_not_followed(three: Store, tmp_path: Path) -> None:
    mine = tmp_path / "mine.sqlite"
    execute(mine, "CREATE TABLE diary (entry TEXT)")
    before = mine.read_bytes()
    os.symlink(mine, three.catalog)
    with open_catalog([three.root]) as catalog:
        assert catalog.count() == 3 and "it is a link" in catalog.notes[0]
    assert mine.read_bytes() == before and os.path.islink(three.catalog)


def test_damage_that_shows_only_in_a_query(three: Store) -> None:
    from hpcprov.record.errors import HpcprovError

    with open_catalog([three.root]) as catalog:
        (page,) = [row[0] for _, row in catalog.select("SELECT rootpage FROM sqlite_schema WHERE name = 'fields'")]
    with open(three.catalog, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    with pytest.raises(HpcprovError, match="was damaged, and has been removed"), open_catalog([three.root]) as catalog:
        catalog.versions(path="/data/x.zarr")[0].fields()
    with open_catalog([three.root]) as catalog:
        assert len(catalog.versions(path="/data/x.zarr")[0].fields()) == 2


def test_what_another_has_indexed_meanwhile_is_not_written_again(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = index.read_places

    def after_another(store: Store, places: list[str]) -> Any:
        found = list(reading(store, places))
        monkeypatch.undo()
        open_catalog([store.root]).close()
        with sqlite3.connect(three.catalog) as other:
            other.execute("UPDATE runs SET name = 'of the other'")
        other.close()
        return found

    monkeypatch.setattr(index, "read_places", after_another)
    with open_catalog([three.root]) as catalog:
        assert [row[0] for _, row in catalog.select("SELECT name FROM runs")] == ["of the other"] * 3

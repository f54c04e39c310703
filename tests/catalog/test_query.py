"""What the catalog answers: filters, names, several stores."""

from __future__ import annotations

import os
import shutil
import sqlite3
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.catalog import open_catalog
from hpcprov.catalog.patterns import like
from hpcprov.catalog.schema import stored, told
from hpcprov.catalog.store import SETTINGS, is_local
from hpcprov.record.errors import AmbiguousRun, HpcprovError, NoSuchRun
from hpcprov.record.layout import Store

from .conftest import digest, launched, publish

DAY = 86400
BEGAN = 1_795_000_000


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "cba"),
        ({"limit": 2}, "cb"),
        ({"digest": f"hpcprov1:{digest('x')}"}, "ba"),
        ({"digest": digest("x")[:6].upper()}, "ba"),
        ({"digest": f"blake3:{digest('sx')}"}, "ba"),
        ({"digest": digest("u")[:20]}, "cba"),
        ({"digest": digest("u")[:20], "used": True}, "b"),
        ({"digest": digest("u")[:20], "generated": True}, "ca"),
        ({"digest": digest("u")[:20], "used": True, "generated": True}, "cba"),
        ({"digest": [digest("x"), digest("y")]}, "cba"),
        ({"digest": f"blake3:{digest('x')}"}, ""),
        ({"digest": "sha256:" + "cd" * 10}, "a"),
        ({"path": "/data/x.zarr"}, "ba"),
        ({"path": "/data"}, "cba"),
        ({"path": "/data/x"}, ""),
        ({"path": "/data/sub"}, "c"),
        ({"path": "*.zarr"}, "ba"),
        ({"path": "*.ZARR"}, ""),
        ({"path": "/data/?.zarr", "generated": True}, "a"),
        ({"path": "/data/*/y[[]1].h5"}, "c"),
        ({"path": "/data/*/[xyz]*"}, "c"),
        ({"path": "/data/[!y].zarr", "used": True}, "b"),
        ({"path": ["/data/x.zarr", "*.h5"]}, "cba"),
        ({"image": "model.sif"}, "a"),
        ({"image": "/images/*"}, "a"),
        ({"image": "cdcdcd"}, "a"),
        ({"image": "version=3"}, "a"),
        ({"image": "version=4"}, ""),
        ({"module": "gcc"}, "a"),
        ({"module": "gcc/12.2"}, "a"),
        ({"module": "gcc/13*"}, ""),
        ({"module": "net*"}, "a"),
        ({"commit": "ABAB"}, "a"),
        ({"commit": "ba"}, ""),
        ({"package": "numpy"}, "a"),
        ({"package": "NumPy==2.1.0"}, "a"),
        ({"package": "numpy==2.2"}, ""),
        ({"library": "libhdf5.so*"}, "a"),
        ({"library": "/usr/lib/libhdf5.so.310"}, "a"),
        ({"user": "1234"}, "b"),
        ({"user": "nobody at all"}, ""),
        ({"node": "n1"}, "ba"),
        ({"node": "n?"}, "cba"),
        ({"tag": "case"}, "ba"),
        ({"tag": ["case=b1", "year=1850"]}, "a"),
        ({"tag": {"case": "b2"}}, "b"),
        ({"tag": ["case=b1", "year=1851"]}, ""),
        ({"since": BEGAN + DAY}, "cb"),
        ({"since": BEGAN + 1.5 * DAY, "until": BEGAN + 9 * DAY}, "c"),
        ({"until": BEGAN + DAY}, "a"),
        ({"since": -1e30, "until": 1e30}, "cba"),
        ({"status": "failed"}, "b"),
        ({"status": ["failed", "completed"], "name": "[Oo]cean"}, "cb"),
        ({"name": "ocean"}, "c"),
        ({"name": ["spin*", "O?ean"]}, "ba"),
        ({"type": "command"}, "cba"),
        ({"type": "job"}, ""),
        ({"job": "4711"}, ""),
        ({"name": "%"}, ""),
        ({"name": "_cean"}, ""),
    ],
    ids=str,
)
def test_filters(three: Store, filters: dict[str, Any], expected: str) -> None:
    with open_catalog([three.root]) as catalog:
        assert "".join(row.id for row in catalog.runs(**filters)) == expected
        if "limit" not in filters:
            assert catalog.count(**filters) == len(expected)
        for row in catalog.runs(**filters):
            assert bool(catalog.matches(row, **filters)) == bool(
                filters.keys() & {"digest", "path"} and "sha256" not in str(filters)
            )


@pytest.mark.parametrize("filters", [{"digest": "abcde"}, {"digest": "xyz123"}, {"colour": "red"}])
def test_what_cannot_be_looked_for(three: Store, filters: dict[str, Any]) -> None:
    with open_catalog([three.root]) as catalog, pytest.raises(HpcprovError) as caught:
        catalog.runs(**filters)
    assert caught.value.hint


def test_versions_and_fields(three: Store) -> None:
    with open_catalog([three.root]) as catalog:
        (one,) = catalog.versions(path="/data/x.zarr", role="generated")
        assert (one.run, one.signature, one.storage) == ("a", f"hpcprov1:{digest('x')}", f"blake3:{digest('sx')}")
        assert [(field.path, field.shape, field.bytes) for field in one.fields()] == [
            ("u", [10, 50], 4000),
            ("t", [10, 50], 4000),
        ]
        assert [found.run for found in catalog.versions(field=f"hpcprov1:{digest('u')}")] == ["c", "b", "a"]
        assert [found.run for found in catalog.versions(prefix=digest("x")[:8], limit=1)] == ["b"]
        assert [found.run for found in catalog.versions(signature=one.signature, storage=one.storage)] == ["b", "a"]
        assert [found.path for found in catalog.versions(path="/data/sub/[a-z][[]1].h5")] == ["/data/sub/y[1].h5"]
        assert [(found.role, found.number) for found in catalog.artifacts("b")] == [("used", 2)]


def test_names_of_runs(three: Store) -> None:
    publish(three, "bb", launched(5, "bb").exit(0, 5 * DAY + 1))
    with open_catalog([three.root]) as catalog:
        assert [catalog.run(text).id for text in ("last", "b", "bb", "c")] == ["bb", "b", "bb", "c"]
        with pytest.raises(NoSuchRun, match="is called"):
            catalog.run("d")
        with pytest.raises(NoSuchRun):
            catalog.run("")
        assert catalog.record("a")["run"]["name"] == "spin-up"
        with pytest.raises(NoSuchRun) as caught:
            catalog.run("spin-up")
        assert caught.value.hint == "spin-up is the name of runs; one of:\na"
        assert "is the name" not in catalog.called("spin-*") + catalog.called("")
    publish(three, "bc", launched(6, "bc").exit(0, 6 * DAY + 1))
    shutil.rmtree(next(Path(three.records).glob("*/*/*/b")))
    with open_catalog([three.root]) as catalog, pytest.raises(AmbiguousRun, match="names 2 runs"):
        catalog.run("b")


def test_an_empty_store(store: Store) -> None:
    with open_catalog([store.root]) as catalog:
        assert catalog.runs() == [] and catalog.versions() == [] and catalog.parts("x") == []
        with pytest.raises(NoSuchRun, match="no run yet"):
            catalog.run("last")


def test_several_stores(three: Store, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other" / ".hpcprov"))
    os.makedirs(other.runs)
    publish(other, "d", launched(1, "d", at=1.5 * DAY).exit(0, 1.5 * DAY + 1))
    shutil.copytree(next(Path(three.records).glob("*/*/*/a")), Path(other.records, "2026/11/18/a"))
    with open_catalog([three.root, other.root, three.root]) as catalog:
        assert catalog.roots == [three.root, other.root]
        assert [row.id for row in catalog.runs()] == ["c", "d", "b", "a", "a"]
        assert [row.root for row in catalog.runs(name="spin-up")] == [three.root, other.root]
        assert [row.id for row in catalog.runs(limit=2)] == ["c", "d"]
        assert catalog.run("d").root == other.root
        with pytest.raises(AmbiguousRun) as caught:
            catalog.run("a")
        assert caught.value.hint and other.root in caught.value.hint


@pytest.mark.parametrize("limit", [1, 3, None])
def test_the_same_query_twice_at_once(three: Store, limit: int | None) -> None:
    with open_catalog([three.root]) as catalog:
        pairs = list(zip(catalog.each_run(limit=limit), catalog.each_run(limit=limit), strict=True))
        assert all(one.id == other.id for one, other in pairs) and len(pairs) == (limit or 3)


@given(st.text(st.characters()))
def test_text_comes_back(text: str) -> None:
    assert told(stored(text)) == text
    stored(text).encode()  # what databases take
    assert "\x00" not in stored(text)


@given(st.text("aAb*?[]!-%_\\/", max_size=8), st.text("aAb[]!-%_\\/", max_size=8))
def test_globs(pattern: str, text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"PRAGMA case_sensitive_like = {SETTINGS['case_sensitive_like']}")
    connection.execute("CREATE TABLE t (c TEXT)")
    connection.execute("INSERT INTO t VALUES (?)", (stored(text),))
    condition, parameters = like("c", pattern)
    found = connection.execute(f"SELECT 1 FROM t WHERE {condition}", parameters).fetchone() is not None
    connection.close()
    if "[" in pattern:
        assert found or not fnmatchcase(text, pattern), "wider, never narrower"
    else:
        assert found == fnmatchcase(text, pattern)


def test_file_systems(tmp_path: Path) -> None:
    device = os.stat(tmp_path).st_dev
    line = f"22 1 {os.major(device)}:{os.minor(device)} / /x rw,relatime shared:1 - %s /dev/x rw\n"
    mounts = tmp_path / "mountinfo"
    for kind, expected in (("ext4", True), ("xfs", True), ("nfs4", False), ("lustre", False), ("gpfs", False)):
        mounts.write_text("21 1 0:999 / /y rw - ext4 y rw\n" + line % kind)
        assert is_local(str(tmp_path), str(mounts)) is expected
    for text in ("", "nonsense\n", "21 1 0:999 / /y rw - ext4 y rw\n"):
        mounts.write_text(text)
        assert not is_local(str(tmp_path), str(mounts)), "what is not known is taken for a network's"
    assert not is_local(str(tmp_path / "nothing"))


def test_no_write_ahead_log_where_memory_is_not_shared(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for local, mode in ((True, b"\x02\x02"), (False, b"\x01\x01"), (True, b"\x02\x02")):
        monkeypatch.setattr("hpcprov.catalog.store.is_local", lambda _, local=local: local)
        with open_catalog([three.root]) as catalog:
            assert catalog.count() == 3
        assert Path(three.catalog).read_bytes()[18:20] == mode


def test_who_reads_slowly_keeps_nobody_from_writing(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcprov.catalog import store as file

    monkeypatch.setattr(file, "is_local", lambda path: False)
    monkeypatch.setattr(file, "PATIENCE", 0.1)
    with open_catalog([three.root]) as catalog:
        rows = catalog.each_run()
        assert next(rows).id == "c"
        os.rename(*(os.path.join(three.records, *names) for names in (["2026"], ["2025"])))
        with open_catalog([three.root]) as other:
            assert other.notes == [] and other.count() == 3
        assert len(list(rows)) <= 2

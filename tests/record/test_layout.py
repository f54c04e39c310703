"""Names under .hpcprov, and which .hpcprov."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpcprov.record import layout
from hpcprov.record.errors import BadRunId, NoStore
from hpcprov.record.layout import Store
from hpcprov.tracking.launch import store_of


@pytest.mark.parametrize("run_id", ["a", "20261121T093000Z-1f2e3d4c", "slurm-alps-4711.0-r1", "_x", "x~2", "A" * 128])
def test_good_run_ids(run_id: str) -> None:
    assert layout.check_run_id(run_id) == run_id
    assert Store("/s").run(run_id) == f"/s/runs/{run_id}"


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", ".x", "-x", "a/b", "a..b", "../x", "a b", "a\n", "é", "\0", "x~", "x~y", "~2", "A" * 129]
)
def test_bad_run_ids_are_named(run_id: str) -> None:
    with pytest.raises(BadRunId) as caught:
        Store("/s").run(run_id)
    assert repr(run_id) in caught.value.message or ascii(run_id) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("n1.8123-4711.0.log", ("n1", "8123-4711", "0", None, "log")),
        ("n1.cluster.8123-4711.12.out", ("n1.cluster", "8123-4711", "12", None, "out")),
        ("n1.8123-4711.0.late3.log", ("n1", "8123-4711", "0", "3", "log")),
        ("a.1-2.3.1-2.3.log", ("a.1-2.3", "1-2", "3", None, "log")),
    ],
)
def test_log_names_come_apart(name: str, parts: tuple[str, ...]) -> None:
    match = layout.LOG_NAME.fullmatch(name)
    assert match is not None and match.group("node", "launch", "n", "late", "kind") == parts


@pytest.mark.parametrize(
    "name",
    [
        "record.json",
        "n1.log",
        "n1.8123.0.log",
        "n1.8123-4711.log",
        "n1.8123-4711.0.log.tmp",
        ".8123-4711.0.log",
        "share-n1.bin",
    ],
)
def test_other_names_are_no_logs(name: str) -> None:
    assert layout.LOG_NAME.fullmatch(name) is None


def test_late_names_are_logs_of_the_same_unit() -> None:
    name = layout.log_name("n1", "8-9", 0)
    assert layout.late_name(name, 1) == "n1.8-9.0.late1.log"
    assert layout.late_name(layout.late_name(name, 1), 2) == "n1.8-9.0.late2.log"


def test_a_record_lies_under_the_utc_day_of_its_start() -> None:
    assert Store("/s").record("x", 1795000000) == "/s/records/2026/11/18/x"


def test_numbers_of_one_id() -> None:
    assert [layout.next_id("x", k) for k in (1, 2, 3)] == ["x", "x~2", "x~3"]
    assert layout.first_id("x~3") == "x"


def test_the_nearest_store_upwards(tmp_path: Path) -> None:
    (tmp_path / ".hpcprov").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert layout.find_store({}, str(inner)).root == str(tmp_path / ".hpcprov")
    (tmp_path / "a" / ".hpcprov").mkdir()
    assert layout.find_store({}, str(inner)).root == str(tmp_path / "a" / ".hpcprov")


def test_where_the_store_is_told_or_submitted(tmp_path: Path) -> None:
    (tmp_path / "sub" / ".hpcprov").mkdir(parents=True)
    (tmp_path / "told").mkdir()
    assert layout.find_store({"HPCPROV_DIR": "told"}, str(tmp_path)).root == str(tmp_path / "told")
    assert layout.find_store({"SLURM_SUBMIT_DIR": str(tmp_path / "sub")}, "/").root == str(
        tmp_path / "sub" / ".hpcprov"
    )
    assert layout.find_store({"SLURM_SUBMIT_DIR": "relative"}, str(tmp_path / "sub")).root == str(
        tmp_path / "sub" / ".hpcprov"
    )


def test_no_store_is_said_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match="HPCPROV_DIR='x'"):
        layout.find_store({"HPCPROV_DIR": "x"}, str(tmp_path))
    assert layout.new_store({"HPCPROV_DIR": "x"}, str(tmp_path)).root == str(tmp_path / "x")


def test_a_file_of_that_name_is_no_store(tmp_path: Path) -> None:
    (tmp_path / ".hpcprov").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".hpcprov").write_text("")
    assert layout.find_store({}, str(tmp_path / "a")).root == str(tmp_path / ".hpcprov")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_store_of_another_user_is_not_used_unless_trusted(tmp_path: Path) -> None:
    (tmp_path / ".hpcprov").mkdir()
    (tmp_path / "a" / ".hpcprov").mkdir(parents=True)
    os.chown(tmp_path / "a" / ".hpcprov", 12345, 12345)
    assert layout.find_store({}, str(tmp_path / "a")).root == str(tmp_path / ".hpcprov")
    assert layout.find_store({"HPCPROV_TRUST_STORE": "1"}, str(tmp_path / "a")).root == str(tmp_path / "a" / ".hpcprov")
    os.chown(tmp_path / ".hpcprov", 12345, 12345)
    with pytest.raises(NoStore) as caught:
        layout.find_store({}, str(tmp_path / "a"))
    assert f"{tmp_path}/a/.hpcprov' belongs to another user" in caught.value.message
    assert "HPCPROV_TRUST_STORE=1" in str(caught.value.hint)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_store_of_ours_behind_anothers_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / layout.STORE).symlink_to("private")
    os.chown(tmp_path / layout.STORE, 4711, 4711, follow_symlinks=False)
    with pytest.raises(NoStore, match="belongs to another user"):
        layout.find_store({}, str(tmp_path))
    with pytest.raises(NoStore, match="belongs to another user"):
        store_of({}, str(tmp_path))

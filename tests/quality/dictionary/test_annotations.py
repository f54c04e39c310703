"""What people wrote is kept beside the data, found by path and by values, whole after a kill, and lost by no writer."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpcprov.quality.dictionary import annotations, versions
from hpcprov.quality.dictionary.annotations import Annotations, Cell, Taken, load, parsed, save
from hpcprov.quality.dictionary.mark import digest
from hpcprov.quality.dictionary.merge import Edit, apply, merge
from hpcprov.record.layout import Store

ONE, TWO = f"hpcprov1:{'1' * 64}", f"hpcprov1:{'2' * 64}"
WHEN = "2026-11-21T09:30:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / ".hpcprov"))


def write(store: Store, path: str, signature: str | None, units: str, *, by: str = "ada") -> Annotations:
    found = load(store, path, signature)
    found.put("depth", "units", Cell(units, WHEN, by))
    return save(store, path, signature, found)


def units(found: Annotations) -> str | None:
    return found.cells("depth")["units"].value if "units" in found.cells("depth") else None


def test_nothing_is_written_yet(store: Store, tmp_path: Path) -> None:
    found = load(store, str(tmp_path / "a.nc"), ONE)
    assert (found.version, found.found, found.fields) == (0, None, {}) and load(None, "a.nc", ONE).version == 0


def test_what_is_written_is_found_by_path_by_values_or_by_both(store: Store, tmp_path: Path) -> None:
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert write(store, a, ONE, "m").version == 1
    assert [load(store, a, ONE).found, load(store, a, None).found] == ["path and values", "path"]
    moved = load(store, b, ONE)
    assert (moved.found, units(moved), moved.path) == ("values", "m", "a")
    again = load(store, a, TWO)
    assert (again.found, units(again)) == ("path", "m")
    assert load(store, c, TWO).version == 0 and load(store, c, None).version == 0


def test_data_that_was_moved_gets_a_place_of_its_own(store: Store, tmp_path: Path) -> None:
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    write(store, a, ONE, "m")
    assert write(store, b, ONE, "cm").version == 1
    assert [units(load(store, path, ONE)) for path in (a, b)] == ["m", "cm"]


def test_values_that_a_path_has_again_are_known(store: Store, tmp_path: Path) -> None:
    a = str(tmp_path / "a")
    write(store, a, ONE, "m")
    write(store, a, TWO, "cm")
    found = load(store, a, ONE)
    assert (found.found, units(found), found.version) == ("values", "cm", 2)


def test_a_store_and_its_data_may_move_together(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "out").mkdir(parents=True)
    write(Store(str(old / ".hpcprov")), str(old / "out" / "a"), None, "m")
    old.rename(tmp_path / "new")
    assert units(load(Store(str(tmp_path / "new" / ".hpcprov")), str(tmp_path / "new" / "out" / "a"), None)) == "m"


def test_the_second_of_two_writers_is_told(store: Store, tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    first, second = load(store, path, ONE), load(store, path, ONE)
    first.put("depth", "units", Cell("m", WHEN, "ada"))
    second.put("depth", "tags", Cell("wet", WHEN, "bob"))
    save(store, path, ONE, first)
    with pytest.raises(Taken):
        save(store, path, ONE, second)
    assert load(store, path, ONE).fields.keys() == {"depth"} and units(load(store, path, ONE)) == "m"


def test_many_writers_lose_nothing(store: Store, tmp_path: Path) -> None:
    path = str(tmp_path / "a")

    def add(k: int) -> None:
        while True:
            found = load(store, path, ONE)
            found.put(f"field {k}", "units", Cell("m", WHEN, "ada"))
            try:
                save(store, path, ONE, found)
                return
            except Taken:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    found = load(store, path, ONE)
    assert len(found.fields) == 40 and found.version >= 40
    assert len(versions.numbers(annotations._folder(store, "a"))) <= versions.KEPT + 8


@pytest.mark.parametrize(
    "content", [b"", b'{"format": "hpcprov-annotations-1", "vers', b"[]", b"\xff", b'{"format": "other"}']
)
def test_a_version_that_was_torn_is_passed_over(store: Store, tmp_path: Path, content: bytes) -> None:
    path = str(tmp_path / "a")
    write(store, path, ONE, "m")
    Path(annotations._folder(store, "a"), "2.json").write_bytes(content)
    found = load(store, path, ONE)
    assert (units(found), found.version) == ("m", 2)
    assert write(store, path, ONE, "cm").version == 3 and units(load(store, path, ONE)) == "cm"


@pytest.mark.parametrize("call", ["fsync", "link", "rename"])
def test_a_failure_leaves_the_version_before(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = str(tmp_path / "a")
    write(store, path, ONE, "m")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions.os, call, fail)
    with pytest.raises(OSError, match="No space"):
        write(store, path, TWO, "cm")
    monkeypatch.undo()
    # The pointer by values is written last: without it the new version is found by its path.
    assert units(load(store, path, ONE)) == ("cm" if call == "rename" else "m")
    assert not [name for name in os.listdir(annotations._folder(store, "a")) if name.startswith(".")]


def test_a_file_system_without_hard_links(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(versions.errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(versions.os, "link", refuse)
    path = str(tmp_path / "a")
    write(store, path, ONE, "m")
    write(store, path, ONE, "cm")
    assert units(load(store, path, ONE)) == "cm" and load(store, path, ONE).version == 2


def test_what_killed_writers_have_left_goes_after_a_day(store: Store, tmp_path: Path) -> None:
    folder = Path(annotations._folder(store, "a"))
    folder.mkdir(parents=True)
    for name, age in ((".draft-1", versions.LEFT + 60), (".draft-2", 60)):
        (folder / name).write_text("{")
        moment = time.time() - age
        os.utime(folder / name, (moment, moment))
    for _ in range(versions.KEPT + 2):
        write(store, str(tmp_path / "a"), ONE, "m")
    assert not (folder / ".draft-1").exists() and (folder / ".draft-2").exists()
    assert len(list(folder.glob("*.json"))) == versions.KEPT


def test_what_is_none_of_ours() -> None:
    good = Annotations("a", ONE, version=1).as_json()
    assert parsed(good) is not None
    bad = [{"format": "x"}, {"path": 5}, {"signature": 5}, {"version": "1"}, {"dataset": []}, {"fields": []}]
    assert [parsed(good | one) for one in bad] == [None] * len(bad)
    odd = parsed(good | {"fields": {"a": 5, "b": {"units": {"value": 5}}, "c": {"units": Cell("m", "", "").as_json()}}})
    assert odd is not None and units(odd) is None and odd.cells("c")["units"].value == "m" and not odd.cells("b")


def test_links_are_not_followed(store: Store, tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    folder = Path(annotations._folder(store, "a"))
    folder.mkdir(parents=True)
    (tmp_path / "other.json").write_text(json.dumps(Annotations("a", None, version=1).as_json()))
    (folder / "1.json").symlink_to(tmp_path / "other.json")
    assert load(store, path, None).version == 0


OWN = {"depth": {"units": "m"}, None: {"description": "A flood"}}


def merged(
    annotated: str | None, edit: Edit, *, take: str | None = None
) -> tuple[Annotations, list[dict[str, object]]]:
    """What an edit of depth's units comes to, when they are annotated so by now."""
    found = Annotations("a", version=1)
    if annotated is not None:
        found.put("depth", "units", Cell(annotated, WHEN, "bob"))
    result = merge(found, OWN, [edit], when="now", by="ada", take=take)
    apply(found, result)
    return found, result.conflicts


@pytest.mark.parametrize(
    ("annotated", "seen", "wanted", "becomes"),
    [
        (None, "m", "cm", "cm"),  # edited
        (None, "m", "m", None),  # not edited
        ("cm", "m", "m", "cm"),  # not edited, and changed by somebody since
        ("cm", "cm", "m", None),  # back to what the file says: no annotation is needed
        ("cm", "cm", "", ""),  # emptied, although the file says something
        ("cm", "m", "cm", "cm"),  # both have changed it to the same
        (None, None, "", None),  # without a mark an empty cell says nothing
        (None, None, "cm", "cm"),
    ],
)
def test_merging(annotated: str | None, seen: str | None, wanted: str, becomes: str | None) -> None:
    edit = Edit("depth", "units", wanted, seen=None if seen is None else digest(seen))
    found, conflicts = merged(annotated, edit)
    assert conflicts == [] and units(found) == becomes


@pytest.mark.parametrize(
    ("annotated", "seen"), [("inch", "m"), ("inch", None), (None, "mm")], ids=["by bob", "no mark", "by the file"]
)
def test_what_both_have_changed_is_a_conflict(annotated: str | None, seen: str | None) -> None:
    edit = Edit("depth", "units", "cm", seen=None if seen is None else digest(seen))
    found, conflicts = merged(annotated, edit)
    by = {"since": WHEN, "by": "bob"} if annotated else {"since": None, "by": None}
    assert conflicts == [{"field": "depth", "key": "units", "sheet": "cm", "store": annotated or "m", **by}]
    assert units(found) == annotated
    assert [units(merged(annotated, edit, take=side)[0]) for side in ("sheet", "store")] == ["cm", annotated]
    assert merged(annotated, edit, take="store")[1] == []


def test_a_word_for_one_cell_is_what_is_wanted() -> None:
    assert units(merged("inch", Edit("depth", "units", "cm", outright=True))[0]) == "cm"
    assert units(merged("inch", Edit("depth", "units", "", outright=True))[0]) == ""
    assert units(merged("inch", Edit("depth", "units", "m", outright=True))[0]) is None

"""Packages that come from elsewhere: taken whole or not at all, believed in nothing, written over nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from commands.conftest import Call, calling
from record_check import read_record

from hpcprov.export import arrivals, bundle, package, rocrate
from hpcprov.export.package import BadPackage, check_name, open_package
from hpcprov.export.place import write
from hpcprov.merge.find import find_record, run_ids
from hpcprov.merge.seal import seal
from hpcprov.record import layout
from hpcprov.record.canonical import canonical
from hpcprov.record.layout import Store

from .made import chain, going_on, runs_of


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `hpcprov WORDS` in an empty directory: exit status, standard output, standard error."""
    for name in ("HPCPROV_DIR", "SLURM_SUBMIT_DIR", "HPCPROV_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return calling(capsys)


@pytest.fixture
def here(tmp_path: Path) -> Store:
    """The store that imports go to."""
    return Store(str(tmp_path / "here/.hpcprov"))


def there(tmp_path: Path) -> Path:
    """Where packages come from: not above the directory that they are imported in."""
    (tmp_path / "there").mkdir(exist_ok=True)
    return tmp_path / "there"


def made(tmp_path: Path, content: Any, name: str = "package.zip") -> str:
    place = str(tmp_path / name)
    write(content, place, force=False)
    return place


def contents(directory: str) -> dict[str, bytes]:
    return {name: Path(directory, name).read_bytes() for name in sorted(os.listdir(directory))}


@pytest.mark.parametrize("name", ["package.zip", "package"])
@pytest.mark.parametrize("form", [bundle, rocrate], ids=["bundle", "rocrate"])
def test_records_arrive_as_they_were(form: Any, name: str, tmp_path: Path, call: Call, here: Store) -> None:
    runs = runs_of(chain(there(tmp_path)), "solve", "broken")
    status, out, _ = call("import", made(tmp_path, form.render(runs), name))
    assert (status, [line.split() for line in out.splitlines()]) == (
        0,
        [["imported", "broken", "broken"], ["imported", "solve", "solve"]],
    )
    for run in runs:
        place = find_record(here, run.id)
        assert place is not None and os.path.relpath(place, here.root) == f"records/2026/11/18/{run.id}"
        arrived = contents(place)
        note = json.loads(arrived.pop(layout.IMPORTED))
        assert (
            note["from"] == name and note["doubts"] == [] and (len(note["sha256"] or "") == 64) == (name[-4:] == ".zip")
        )
        assert arrived == contents(run.directory)
        read_record(place)
    assert "solve" in call("runs")[1]
    assert call("show", "solve")[1].splitlines()[1].startswith(f"imported from {name} at ")
    assert json.loads(call("show", "solve", "--json")[1])["seal"] == runs[0].record["seal"]


def test_a_store_and_a_record_of_it_can_be_imported_as_they_lie(tmp_path: Path, call: Call, here: Store) -> None:
    store = chain(there(tmp_path))
    place = find_record(store, "plot")
    assert place is not None and call("import", place)[0] == 0 and os.listdir(here.records)
    status, out, _ = call("import", store.root, "--json")
    outcomes = {one["run"]: one["outcome"] for one in json.loads(out)}
    assert status == 0
    assert outcomes == {"prepare": "imported", "solve": "imported", "plot": "is here", "broken": "imported"}


def test_the_same_package_again_changes_nothing(tmp_path: Path, call: Call, here: Store) -> None:
    place = made(tmp_path, bundle.render(runs_of(chain(there(tmp_path)), "solve")))
    assert call("import", place)[0] == 0
    record = find_record(here, "solve")
    assert record is not None
    before = contents(record)
    assert call("import", place) == (0, "is here    solve  solve\n", "")
    assert contents(record) == before


def test_another_record_of_the_same_id_stays(tmp_path: Path, call: Call, here: Store) -> None:
    (tmp_path / "other").mkdir()
    chain(tmp_path / "here")
    record = find_record(here, "solve")
    assert record is not None
    before = contents(record)
    sealed = runs_of(chain(tmp_path / "other"), "solve")[0].record
    sealed = {key: value for key, value in sealed.items() if key != "seal"} | {"revision": 7}
    place = made(tmp_path, {"solve/record.json": canonical(seal(sealed, [], previous=None))})
    status, out, _ = call("import", place)
    assert status == 1 and "refused    solve" in out and "another record of 'solve', which stays" in out
    assert contents(record) == before
    status, out, _ = call("import", place, "--into", str(tmp_path / "other"))
    assert status == 1  # there, too
    (tmp_path / "third").mkdir()
    assert call("import", place, "--into", str(tmp_path / "third"))[0] == 0
    assert find_record(Store(str(tmp_path / "third/.hpcprov")), "solve") is not None


def test_a_run_in_progress_here_is_not_touched(tmp_path: Path, call: Call, here: Store) -> None:
    going_on(tmp_path / "here")
    record = seal({"revision": 1} | bare("now"), [], previous=None)
    place = made(tmp_path, {"now/record.json": canonical(record)})
    before = contents(here.run("now"))
    assert call("import", place)[0] == 1
    assert contents(here.run("now")) == before and find_record(here, "now") is None


def bare(run_id: str) -> dict[str, Any]:
    from hpcprov.merge.fold import fold

    return fold([], run_id=run_id) | {"output": {"files": [], "lost_bytes": 0}}


FORGED = {
    "record": lambda files: files | {"solve/record.json": files["solve/record.json"].replace(b"solve", b"solvE", 1)},
    "log": lambda files: files | {log(files): files[log(files)].replace(b"model", b"modem", 1)},
    "shorter log": lambda files: files | {log(files): files[log(files)][:-1]},
    "longer log": lambda files: files | {log(files): files[log(files)] + b"x"},
    "another log": lambda files: files | {"solve/n9.1-1.0.log": b"x"},
}


def log(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.endswith(".log"))


@pytest.mark.parametrize("what", FORGED)
def test_what_was_changed_is_refused_or_marked(what: str, tmp_path: Path, call: Call, here: Store) -> None:
    (run,) = runs_of(chain(there(tmp_path)), "solve")
    files = {f"solve/{name}": data for name, data in contents(run.directory).items()}
    place = made(tmp_path, FORGED[what](files))
    status, out, _ = call("import", place)
    assert status == 1 and out.startswith("refused    solve") and "--anyway" in out
    assert not os.path.exists(here.records)
    assert call("import", place, "--anyway")[0] == 0
    directory = find_record(here, "solve")
    assert directory is not None and json.loads(contents(directory)[layout.IMPORTED])["doubts"]
    assert "  doubted: " in call("show", "solve")[1]


def test_what_is_missing_or_none_of_a_record_is_told(tmp_path: Path, call: Call, here: Store) -> None:
    (run,) = runs_of(chain(there(tmp_path)), "solve")
    record = contents(run.directory)["record.json"]
    place = made(tmp_path, {"solve/record.json": record, "solve/run.sh": b"rm -rf ~", "solve/.bashrc": b"x"})
    status, out, _ = call("import", place)
    assert status == 0 and "not taken, since no record has it: run.sh" in out and "is not in the package" in out
    directory = find_record(here, "solve")
    assert directory is not None and sorted(contents(directory)) == ["imported.json", "record.json"]
    assert call("show", "solve")[0] == 0


REFUSED = {
    "newer": lambda record: record | {"version": 2},
    "not one of ours": lambda record: record | {"format": "x"},
    "damaged": lambda record: record | {"ranks": 1},
    "of another run": lambda record: record | {"run": record["run"] | {"id": "other"}},
    "with a name that leads out": lambda record: record | {"run": record["run"] | {"id": "../../x"}},
    "in progress": lambda record: {key: value for key, value in record.items() if key != "seal"} | {"revision": 0},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_record_is_refused_and_the_others_are_taken(
    what: str, tmp_path: Path, call: Call, here: Store
) -> None:
    (run,) = runs_of(chain(there(tmp_path)), "solve")
    content = dict(bundle.render(runs_of(Store(str(there(tmp_path) / ".hpcprov")), "plot")))
    content["solve/record.json"] = canonical(REFUSED[what](run.record))
    status, out, err = call("import", made(tmp_path, content), "--anyway")
    assert status == 1 and "imported   plot" in out and "refused" in out and "internal error" not in out + err
    assert [entry for entry in Path(here.records).rglob("record.json") if entry.parent.name != "plot"] == []


BAD_NAMES = (
    *(
        "../x",
        "a/../../x",
        "/etc/x",
        "a//x",
        "a/./x",
        "..",
        "a\\..\\x",
        "C:x",
        "a\n",
        "a\x1b[31m",
        "a\u202ex",
        "x" * 5000,
    ),
    "a/" + "b" * 256,
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path, call: Call, here: Store) -> None:
    with pytest.raises(BadPackage):
        check_name(name, "p.zip")
    place = tmp_path / "bad.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for member in ("solve/record.json", name):
            archive.writestr(zipfile.ZipInfo(member), b"{}")
    status, out, err = call("import", str(place))
    assert status == 2 and not out and ("leads out of it" in err or "reads alike" in err)
    assert not os.path.exists(here.root) and sorted(os.listdir(tmp_path)) == ["bad.zip", "here"]


def archive_of(tmp_path: Path, *infos: tuple[zipfile.ZipInfo, bytes]) -> str:
    place = tmp_path / "bad.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for info, data in infos:
            archive.writestr(info, data)
    return str(place)


def info(name: str, mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr, found.compress_type = mode << 16, method
    return found


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    with (
        pytest.raises(BadPackage, match="a link or a device"),
        open_package(archive_of(tmp_path, (info("x", kind | 0o777), b"/etc/passwd"))),
    ):
        pass


def test_what_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    bomb = (info("solve/record.json", method=zipfile.ZIP_DEFLATED), b"\0" * (65 << 20))
    with (
        pytest.raises(BadPackage, match="which grows to 68157440 bytes from"),
        open_package(archive_of(tmp_path, bomb)),
    ):
        pass


def test_members_that_grow_beyond_measure_together_are_refused(tmp_path: Path) -> None:
    """Each of them alone is small enough, and could be anybody's log."""
    bombs = [(info(f"r1/n1.{k}-1.0.out", method=zipfile.ZIP_DEFLATED), b"\0" * (20 << 20)) for k in range(1, 14)]
    with pytest.raises(BadPackage, match="grows to 272629760 bytes from"), open_package(archive_of(tmp_path, *bombs)):
        pass


def test_a_document_that_would_fill_the_memory_is_not_parsed(
    tmp_path: Path, call: Call, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many.json").mkdir()
    (tmp_path / "many.json/record.json").write_text(json.dumps({"format": "hpcprov-record", "x": [[]] * 3000}))
    monkeypatch.setattr(package, "MOST_NESTED", 3000)
    status, out, _ = call("import", str(tmp_path / "many.json"))
    assert status == 1 and "holds more than 3000 lists and objects" in out


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(BadPackage, match="twice"),
        open_package(archive_of(tmp_path, (info("x"), b"1"), (info("./x"), b"2"))),
    ):
        pass


def test_unusual_packing_and_encryption_are_refused(tmp_path: Path) -> None:
    place = archive_of(tmp_path, (info("x", method=zipfile.ZIP_BZIP2), b"1"))
    with pytest.raises(BadPackage, match="packed in an unusual way"), open_package(place):
        pass
    data = bytearray(Path(archive_of(tmp_path, (info("x"), b"1"))).read_bytes())
    at = data.rfind(b"PK\1\2")
    data[at + 8] |= 1
    Path(tmp_path, "bad.zip").write_bytes(data)
    with pytest.raises(BadPackage, match="encrypted"), open_package(str(tmp_path / "bad.zip")):
        pass


def test_members_that_lie_on_top_of_each_other_are_refused(tmp_path: Path) -> None:
    """As in a bomb whose members share what they are packed in."""
    data = bytearray(Path(archive_of(tmp_path, (info("a"), b"1" * 900), (info("b"), b"2" * 900))).read_bytes())
    at = data.find(b"PK\1\2")
    struct.pack_into("<I", data, at + 20, 5000)
    Path(tmp_path, "bad.zip").write_bytes(data)
    with pytest.raises(BadPackage, match="on top of each other"), open_package(str(tmp_path / "bad.zip")):
        pass


def test_too_many_members_and_too_long_a_table_of_contents_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = archive_of(tmp_path, *((info(f"x{k}"), b"") for k in range(20)))
    monkeypatch.setattr(package, "MOST_MEMBERS", 10)
    with pytest.raises(BadPackage, match="20 members"), open_package(place):
        pass
    monkeypatch.setattr(package, "MOST_DIRECTORY", 100)
    with pytest.raises(BadPackage, match="table of contents of 970 bytes"), open_package(place):
        pass


def test_damage_anywhere_in_a_zip_file_is_told_without_a_traceback(tmp_path: Path, call: Call, here: Store) -> None:
    """Cut at, and changed in, many places: what then arrives is what was sent, or it is refused."""
    (run,) = runs_of(chain(there(tmp_path)), "broken")
    whole = Path(made(tmp_path, bundle.render([run]))).read_bytes()
    place = tmp_path / "damaged.zip"
    for k in range(0, len(whole), max(1, len(whole) // 30)):
        for data in (whole[:k], whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :]):
            place.write_bytes(data)
            status, out, err = call("import", str(place))
            assert "internal error" not in err and status in (0, 1, 2)
            if status == 0 and "imported" in out:
                directory = find_record(here, "broken")
                assert directory is not None
                assert contents(directory)["record.json"] == contents(run.directory)["record.json"]
                shutil.rmtree(here.root)


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, b"PK\5\6" + b"\xff" * 18, b"{}"])
def test_what_is_no_package_is_refused(content: bytes, tmp_path: Path, call: Call) -> None:
    (tmp_path / "x").write_bytes(content)
    status, out, err = call("import", str(tmp_path / "x"))
    assert status == 2 and not out and "internal error" not in err
    (tmp_path / "empty").mkdir()
    status, _, err = call("import", str(tmp_path / "empty"))
    assert status == 2 and "holds neither a record nor an RO-Crate" in err
    assert call("import", str(tmp_path / "nowhere"))[0] == 2


def test_links_in_a_directory_are_not_followed(tmp_path: Path, call: Call, here: Store) -> None:
    (run,) = runs_of(chain(there(tmp_path)), "solve")
    folder = tmp_path / "package/solve"
    folder.mkdir(parents=True)
    for name in contents(run.directory):
        (folder / name).symlink_to(os.path.join(run.directory, name))
    (tmp_path / "package/all").symlink_to(run.directory)
    os.mkfifo(folder / "n3.1-1.0.log")
    status, _, err = call("import", str(tmp_path / "package"))
    assert status == 2 and "holds neither a record" in err and not os.path.exists(here.records)


def test_a_directory_that_is_exchanged_for_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "p/solve").mkdir(parents=True)
    (tmp_path / "p/solve/record.json").write_text("{}")
    with open_package(str(tmp_path / "p")) as found:
        shutil.move(tmp_path / "p/solve", tmp_path / "elsewhere")
        (tmp_path / "p/solve").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OSError):
            found.read("solve/record.json", most=10)


def test_dry_run_writes_nothing(tmp_path: Path, call: Call, here: Store) -> None:
    place = made(tmp_path, bundle.render(runs_of(chain(there(tmp_path)), "solve")))
    assert call("import", place, "--dry-run") == (0, "new        solve  solve\n", "")
    assert not os.path.exists(here.root)


KILLED = """
import os, signal, sys
from hpcprov.merge import disk
from hpcprov.export import intake
from hpcprov.cli import main
number = int(sys.argv[1])
calls = 0
def counted(function):
    def call(*args, **keys):
        global calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keys)
    return call
for name in ("mkdir", "makedirs", "fsync", "rename", "open"):
    setattr(os, name, counted(getattr(os, name)))
sys.exit(main(["import", sys.argv[2]]))
"""


def test_a_kill_at_any_step_leaves_whole_runs_only(tmp_path: Path, call: Call, here: Store) -> None:
    runs = runs_of(chain(there(tmp_path)), "solve", "broken")
    place = made(tmp_path, bundle.render(runs))
    number, statuses = 0, set()
    while 0 not in statuses:
        number += 10
        done = subprocess.run([sys.executable, "-c", KILLED, str(number), place], capture_output=True, text=True)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        statuses.add(done.returncode)
        for directory in Path(here.root).glob("records/*/*/*/*"):
            read_record(str(directory))
            assert (directory / layout.IMPORTED).is_file()
        assert run_ids(here) == []
        if done.returncode:
            assert call("import", place)[0] == 0 and find_record(here, "solve") and find_record(here, "broken")
            shutil.rmtree(here.root)
    assert statuses == {0, -signal.SIGKILL} and number > 8


def test_what_a_killed_import_left_is_removed_a_day_later(tmp_path: Path, call: Call, here: Store) -> None:
    left, fresh = Path(here.runs, ".draft-1-aa"), Path(here.runs, ".draft-2-bb")
    for draft in (left, fresh):
        draft.mkdir(parents=True)
        (draft / "record.json").write_text("{}")
    os.utime(left, (time.time() - 90_000,) * 2)
    call("import", made(tmp_path, bundle.render(runs_of(chain(there(tmp_path)), "solve"))))
    assert not left.exists() and fresh.exists()


def test_a_full_disk_leaves_nothing(tmp_path: Path, call: Call, here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    place = made(tmp_path, bundle.render(runs_of(chain(there(tmp_path)), "solve")))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    status, _, err = call("import", place)
    assert status == 2 and "No space left" in err and os.listdir(here.runs) == []
    assert find_record(here, "solve") is None


def test_a_record_that_is_exchanged_after_it_was_checked_is_not_taken(
    tmp_path: Path, call: Call, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs_of(chain(there(tmp_path)), "solve")
    folder = tmp_path / "package/solve"
    shutil.copytree(run.directory, folder)
    check = arrivals._compare

    def exchange(package: package.Package, arrival: arrivals.Arrival) -> None:
        check(package, arrival)
        text = (folder / "record.json").read_bytes()
        (folder / "record.json").write_bytes(text.replace(b'"solve"', b'"SOLVE"'))

    monkeypatch.setattr(arrivals, "_compare", exchange)
    status, out, _ = call("import", str(tmp_path / "package"))
    assert status == 1 and "changed while it was imported" in out and find_record(here, "solve") is None

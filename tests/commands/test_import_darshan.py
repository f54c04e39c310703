"""`hpcprov import-darshan` on real logs: those that come with PyDarshan."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from merge.build import BEGAN, SECOND, Launch
from record_check import check_record
from require import require

from hpcprov.commands import choose, import_darshan
from hpcprov.record.layout import Store

from .conftest import Call, publish

FOUND = importlib.util.find_spec("darshan")
require("darshan", FOUND is not None)
LOGS = Path(str(FOUND and FOUND.origin)).parent / "examples" if FOUND else Path()
# An MPI program of 2,048 processes in job 4478544, of the user with id 69615, from 1490000867 to 1490000983.
VPIC = LOGS / "example_logs" / "example.darshan"
# A program without a job, of the user with id 1000, at 1596152057: ./app_write B
ALONE = LOGS / "darshan-graph" / "pq_app_write_id71303_7-31-5657-2037904274838284930_55623.darshan"
HDF5 = LOGS / "example_logs" / "ior_hdf5_example.darshan"


def run_of_job(store: Store, name: str = "vpic", *, at: int = 1490000860, job: str = "4478544", **keys: Any) -> str:
    """A run of the VPIC log's user, in its job and at its time."""
    begins = at - BEGAN // SECOND
    words = {"uid": 69615, "argv": ["./vpicio_uni", "32"]} | keys
    launch = Launch(launch=f"{at}-7").start(at=begins, **words).exit(at=begins + 130).agent(begins)
    return publish(store, name, launch.fact("scheduler", {"name": "slurm", "job_id": job}))


def record_of(call: Call, name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(call("show", name, "--json")[1])
    check_record(record)
    return record


def logs_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    found = [fact["value"]["logs"] for fact in record["facts"].values() if fact["kind"] == "darshan"]
    return found[0] if found else []


def test_a_log_finds_its_run_and_gives_it_a_new_revision(call: Call, store: Store) -> None:
    run_of_job(store)
    run_of_job(store, "other", job="4478545")
    status, out, err = call("import-darshan", str(VPIC))
    assert (status, out, err) == (0, "vpic: example.darshan, 3 files, revision 2\n", "")
    record = record_of(call, "vpic")
    (log,) = logs_of(record)
    assert record["revision"] == 2 and logs_of(record_of(call, "other")) == []
    # What darshan-parser prints of this log.
    files = {file["path"]: file["modules"] for file in log["files"]}
    assert "darshan    example.darshan: 3 files, 0 B read, 2.2 TB written by 2,048 processes" in call("show", "vpic")[1]
    posix = files["/scratch2/scratchdirs/glock/tokioabc-s.4478544/vpicio/vpicio.hdf5"]["POSIX"]
    assert (posix["opens"], posix["writes"], posix["bytes_written"]) == (2049, 16402, 2199023259968)
    assert (log["job_id"], log["processes"], log["unnamed"], "differences" in log) == (4478544, 2048, 0, False)


def test_the_same_log_again_changes_nothing(call: Call, store: Store) -> None:
    run_of_job(store)
    first, second = call("import-darshan", str(VPIC)), call("import-darshan", str(VPIC))
    assert first == second and record_of(call, "vpic")["revision"] == 2


def test_records_of_other_users_and_times_are_not_read(
    call: Call, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of_job(store, "other", uid=7)
    run_of_job(store, "before", at=1490000500)
    run_of_job(store, "later", at=1490010000)
    run_of_job(store)
    call("runs")
    opened = []
    monkeypatch.setattr(import_darshan, "open_run", lambda *args: (opened.append(args[1]), choose.open_run(*args))[1])
    assert call("import-darshan", str(VPIC))[1] == "vpic: example.darshan, 3 files, revision 2\n"
    assert [os.path.basename(directory) for directory in opened] == ["vpic"]


def test_a_run_without_a_job_is_known_by_its_program(call: Call, store: Store) -> None:
    begins = 1596152056 - BEGAN // SECOND
    for name, word in (("reads", "./app_read"), ("writes", "./app_write")):
        launch = Launch(launch=f"{len(name)}-7").start(at=begins, uid=1000, argv=[word, "B"])
        publish(store, name, launch.exit(at=begins + 3))
    assert call("import-darshan", str(ALONE))[:2] == (0, f"writes: {ALONE.name}, 2 files, revision 2\n")


def test_several_logs_of_one_run_are_kept(call: Call, store: Store) -> None:
    run_of_job(store)
    call("import-darshan", str(VPIC))
    assert call("import-darshan", "--run", "vpic", "--force", str(HDF5), str(ALONE))[0] == 0
    logs = logs_of(record_of(call, "vpic"))
    assert [Path(log["log"]).name for log in logs] == [VPIC.name, HDF5.name, ALONE.name]
    assert ["differences" in log for log in logs] == [False, True, True]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"uid": 7}, "it is of the user with id 69615, the run of 7"),
        ({"job": "11"}, "it is of job 4478544, the run of job 11"),
        ({"at": 1490010000}, "it begins at 2017-03-20T09:07:47Z, when the run did not go on"),
    ],
)
def test_a_log_of_something_else_is_refused_unless_forced(
    call: Call, store: Store, keys: dict[str, Any], reason: str
) -> None:
    run_of_job(store, **keys)
    status, out, err = call("import-darshan", str(VPIC))
    assert (status, out) == (2, "") and "no run here is what" in err
    status, out, err = call("import-darshan", str(VPIC), "--run", "vpic")
    assert (status, out) == (2, "") and reason in err and "--force" in err
    assert call("import-darshan", str(VPIC), "--run", "vpic", "--force")[0] == 0
    assert logs_of(record_of(call, "vpic"))[0]["differences"] == [reason]


def test_two_steps_at_once_need_a_name(call: Call, store: Store) -> None:
    run_of_job(store, "one")
    run_of_job(store, "two", at=1490000861)
    status, _, err = call("import-darshan", str(VPIC))
    assert status == 2 and "may be of 2 runs" in err and "one\n" in err


def test_the_program_tells_two_steps_at_once_apart(call: Call, store: Store) -> None:
    run_of_job(store, "one")
    run_of_job(store, "two", at=1490000861, argv=["./other"])
    assert call("import-darshan", str(VPIC))[1] == "one: example.darshan, 3 files, revision 2\n"


def test_force_without_a_run_is_refused(call: Call, store: Store) -> None:
    assert "--force needs --run" in call("import-darshan", "--force", str(VPIC))[2]


def test_a_run_that_goes_on_is_refused(call: Call, store: Store) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch().start(pid=os.getpid(), ticks=ticks).write(store.run("r1"))
    status, _, err = call("import-darshan", str(VPIC), "--run", "r1")
    assert status == 2 and "r1 has no record yet" in err


def log_directory(tmp_path: Path) -> Path:
    """As darshan-mk-log-dirs makes it, with a log of the run's job, and one of another's, in its day's directory."""
    day = tmp_path / "logs" / "2017" / "3" / "20"
    day.mkdir(parents=True)
    for job, source in ((4478544, VPIC), (32324925, HDF5)):
        (day / f"glock_vpicio_uni_id{job}-811_3-20-8867-173_1.darshan").write_bytes(source.read_bytes())
    return tmp_path / "logs"


def settled_with(call: Call, store: Store, variable: str, value: str) -> list[str]:
    """What settling says of a run whose environment names a place for logs."""
    begins = 1490000860 - BEGAN // SECOND
    launch = Launch().start(at=begins, uid=69615, argv=["./vpicio_uni"]).exit(at=begins + 130).agent(begins)
    launch.add("env", begins, rank=0, env={variable: value, "SLURM_JOB_ID": "4478544"})
    publish(store, "vpic", launch)
    status, out, err = call("settle", "vpic", "--no-hash")
    assert status == 0
    return (out + err).splitlines()


@pytest.mark.parametrize("variable", ["DARSHAN_LOGPATH", "DARSHAN_LOG_DIR_PATH"])
def test_settling_looks_where_the_environment_says(call: Call, store: Store, tmp_path: Path, variable: str) -> None:
    name = "glock_vpicio_uni_id4478544-811_3-20-8867-173_1.darshan"
    lines = settled_with(call, store, variable, str(log_directory(tmp_path)))
    assert lines == [f"vpic: {name}, 3 files, revision 2"]
    assert call("settle", "vpic", "--no-hash")[1] == "nothing left to do\n"


def test_settling_reads_the_log_that_the_environment_names(call: Call, store: Store) -> None:
    assert settled_with(call, store, "DARSHAN_LOGFILE", str(VPIC)) == ["vpic: example.darshan, 3 files, revision 2"]


@pytest.mark.parametrize("damage", ["cut", "other", "missing"])
def test_settling_passes_over_logs_that_are_damaged_or_of_others(
    call: Call, store: Store, tmp_path: Path, damage: str
) -> None:
    log = tmp_path / "x.darshan"
    if damage != "missing":
        log.write_bytes(HDF5.read_bytes() if damage == "other" else VPIC.read_bytes()[:5000])
    lines = settled_with(call, store, "DARSHAN_LOGFILE", str(log))
    assert lines[0] == "nothing left to do" and record_of(call, "vpic")["revision"] == 1
    assert len(lines) == (2 if damage == "cut" else 1)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "cut late", "flipped", "directory", "missing", "fifo"])
def test_what_is_no_whole_log(call: Call, store: Store, tmp_path: Path, damage: str) -> None:
    run_of_job(store)
    bad, whole = tmp_path / "bad\n.darshan", VPIC.read_bytes()
    texts = {"empty": b"", "text": b"hello\n" * 1000, "cut": whole[:5000], "cut late": whole[:-1500]}
    texts["flipped"] = whole[:6000] + bytes(255 - byte for byte in whole[6000:6400]) + whole[6400:]
    if damage == "directory":
        bad.mkdir()
    elif damage == "fifo":
        os.mkfifo(bad)
    elif damage != "missing":
        bad.write_bytes(texts[damage])
    status, out, err = call("import-darshan", str(bad))
    assert (status, out) == (2, "") and "internal error" not in err and r"bad\n.darshan" in err
    assert record_of(call, "vpic")["revision"] == 1


def test_without_pydarshan_the_extra_is_named(store: Store, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "darshan.py").write_text("raise ModuleNotFoundError(\"No module named 'darshan'\")")
    program = """
import sys
from hpcprov.adapters import darshan
darshan.path_of_ours = lambda: {"PYTHONPATH": sys.argv[2]}
darshan.read(sys.argv[1])
"""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(VPIC), f"{tmp_path / 'site'}:{root}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert "MissingDarshan: PyDarshan is not installed" in done.stderr

"""`hpcprov show`: which run is meant, and what its page says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merge.build import Launch, normal
from record_check import check_record

from hpcprov.commands import page
from hpcprov.commands.screen import Screen
from hpcprov.merge.find import record_directories
from hpcprov.merge.fold import fold
from hpcprov.record.layout import Store

from .conftest import Call, publish


def shown(call: Call, name: str) -> str:
    status, out, err = call("show", name, "--json")
    assert (status, err) == (0, "")
    return str(check_record(json.loads(out))["run"]["id"])


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("first", "first"),
        ("fi", "first"),
        ("last", "lost-run"),
        ("lost", "lost-run"),
        ("slurm-alps-4711.1", "slurm-alps-4711.1"),
        ("4711.0", "slurm-alps-4711.0"),
    ],
)
def test_which_run_is_meant(call: Call, runs: Store, name: str, run_id: str) -> None:
    assert shown(call, name) == run_id


def test_an_exact_id_wins_over_longer_ones(call: Call, store: Store) -> None:
    for name in ("a", "ab", "abc"):
        publish(store, name, Launch().start().exit())
    assert shown(call, "a") == "a" and shown(call, "ab") == "ab"


@pytest.mark.parametrize(
    ("name", "message"), [("4711", "job '4711' has 2 runs"), ("slurm", "'slurm' is the beginning of 2 runs")]
)
def test_ambiguity_lists_the_candidates(call: Call, runs: Store, name: str, message: str) -> None:
    status, out, err = call("show", name)
    assert (status, out) == (2, "") and message in err
    assert "slurm-alps-4711.0" in err and "slurm-alps-4711.1" in err


def test_a_run_in_progress_is_shown_as_far_as_it_is_known(call: Call, store: Store) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch(size=2).start(0, pid=os.getpid(), ticks=ticks).start(1).exit(1).write(store.run("r1"))
    _, out, _ = call("show", "r1")
    assert "running" in out and "2 of 2" in out and "not made yet" in out
    record = json.loads(call("show", "last", "--json")[1])
    assert record["run"]["status"] == "running" and record["revision"] == 0 and "seal" not in record
    assert os.listdir(store.runs) == ["r1"]


SIGNATURE = {
    "digest": "hpcprov1:" + "ab" * 32,
    "how": "full",
    "kind": "tree",
    "fields": [
        {
            "path": "ocean/u",
            "type": "f8",
            "shape": [721, 1440],
            "tile": [256, 512],
            "signature": "hpcprov1:" + "cd" * 32,
            "bytes": 800,
        }
    ],
}


def rich() -> Launch:
    launch = (
        Launch(launcher="mpich", size=4)
        .start(0, argv=["python", "solve.py", "two words"])
        .start(1)
        .exit(0)
        .exit(1, code=2)
        .agent()
    )
    launch.fact("host", {"cpu": {"model": "EPYC 7763", "threads": 128}, "memory": {"total": 256 * 10**9}})
    launch.fact("user", {"name": "ada"}).fact("modules", {"loaded": [{"name": "gcc/13"}, {"name": "hdf5/1.14"}]})
    launch.fact("container", {"containers": [{"runtime": "apptainer", "path": "/data/step.sif"}]})
    launch.fact(
        "code",
        {"directory": {"git": {"commit": "3f1c" * 10, "branch": "main", "dirty": True, "root": "/home/ada/model"}}},
    )
    launch.fact("scheduler", {"name": "slurm", "job_id": "4711", "partition": "debug", "cluster": "alps"})
    launch.add(
        "artifact",
        11,
        role="generated",
        path="/data/out/u.h5",
        declared=["out/*"],
        state="ok",
        format="hdf5",
        size=8_300_000,
        signature=SIGNATURE,
    )
    launch.add(
        "artifact",
        11,
        role="used",
        path="/data/in.nc",
        declared=["in.nc"],
        state="missing",
        reason="there is no such file",
    )
    launch.add("artifact", 11, role="used", path="/b", declared=["/b"], state="not hashed", reason="later", mtime=5)
    return launch.add("problem", 3, text="the disk is nearly full", node="n1", rank=1)


def test_the_page_says_what_happened(call: Call, store: Store) -> None:
    publish(store, "r1", rich())
    status, out, err = call("show", "r1")
    assert (status, err) == (0, "")
    for text in (
        "r1  spin",
        "rank 1 ended with status 2",
        "python solve.py 'two words'",
        "why not",
        "case=b1",
        "/data",
        "n1: EPYC 7763, 128 threads, 256 GB",
        "slurm 4711, cluster alps, partition debug",
        "ada (1000)",
        "took",
        "2 of 4 on 1 node, started by mpich",
        "failed: 1",
        "never started: 2-3",
        "rank 1: ./model -v",
        "gcc/13 hdf5/1.14",
        "apptainer /data/step.sif",
        "3f1c3f1c3f1c on main with changes that are not committed",
        "out/u.h5  hdf5  8.3 MB  hpcprov1:abababababab",
        "ocean/u",
        "721x1440",
        "hpcprov1:cdcdcdcdcdcd",
        "in.nc  missing: there is no such file",
        "rank 1: the disk is nearly full",
        "sealed",
        "hpcprov log r1",
        "hpcprov settle r1",
    ):
        assert text in out, text
    assert max(map(len, out.splitlines())) < 200


def test_a_changed_record_is_told(call: Call, store: Store) -> None:
    place = Path(publish(store, "r1", Launch().start().exit()), "record.json")
    place.write_text(place.read_text().replace('"spin"', '"spun"'))
    assert "CHANGED since it was sealed" in call("show", "r1")[1]


def test_colours_only_where_wanted() -> None:
    assert Screen(colour=True, width=80).status("failed") == "\x1b[31mfailed\x1b[0m"
    assert Screen(colour=False, width=80).status("\x1b[2J\0") == "\\x1b[2J\\x00", "a record may have been edited"
    assert Screen(colour=False, width=80).status("failed") == "failed"


def test_colours_on_a_real_terminal(runs: Store, tmp_path: Path) -> None:
    import pty
    import sys

    def on_terminal(**environ: str) -> bytes:
        pid, fd = pty.fork()
        if not pid:
            root = str(Path(__file__).parent.parent.parent)
            os.chdir(tmp_path)
            os.execve(
                sys.executable,
                [sys.executable, "-m", "hpcprov", "show", "first"],
                {"PYTHONPATH": root, "TERM": "xterm"} | environ,
            )
        seen = b""
        try:
            while block := os.read(fd, 65536):
                seen += block
        except OSError:
            pass  # how a terminal ends
        os.close(fd)
        os.waitpid(pid, 0)
        return seen

    assert b"\x1b[32mcompleted\x1b[0m" in on_terminal()
    assert b"\x1b" not in on_terminal(NO_COLOR="1") and b"completed" in on_terminal(NO_COLOR="1")


def test_every_record_of_the_store_has_a_page(runs: Store) -> None:
    for place in record_directories(runs):
        record = json.loads(Path(place, "record.json").read_bytes())
        assert len(page.render(record, place, Screen(colour=True, width=40))) > 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cpu", "memory", "threads", "total", "git", "commit", "name", "path"]), inner
        )
    ),
    max_leaves=8,
)
KEYS = ("cpu", "memory", "os", "loaded", "containers", "script", "directory", "devices", "job_id", "name", "end_time")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["host", "modules", "container", "code", "gpu", "scheduler", "user", "workflow"]), st.data())
def test_no_value_of_a_fact_breaks_the_page(kind: str, data: st.DataObject) -> None:
    value = data.draw(JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
    record = fold(normal(Launch().start().agent().fact(kind, value).exit()), run_id="r1")
    record |= {"revision": 1, "output": {"files": [], "lost_bytes": 0}}
    assert page.render(record, "/x", Screen(colour=False, width=60))


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_record_outlives_its_logs(call: Call, store: Store, damage: str) -> None:
    place = Path(publish(store, "r1", Launch().start().exit()))
    (log,) = place.glob("*.log")
    before = (place / "record.json").read_bytes()
    log.write_bytes(b"") if damage == "truncated" else log.unlink()
    _, out, _ = call("show", "r1")
    assert ("is shorter than sealed" if damage == "truncated" else "is missing") in out and "completed" in out
    assert (place / "record.json").read_bytes() == before and not list(place.glob("record.1*"))


def test_a_log_that_was_changed_is_told(call: Call, store: Store) -> None:
    place = Path(publish(store, "r1", Launch().start().exit()))
    (log,) = place.glob("*.log")
    log.write_bytes(log.read_bytes().replace(b"spin", b"spun"))
    assert "has CHANGED" in call("show", "r1")[1]


def test_what_facts_are_called_and_what_a_zero_means(call: Call, store: Store) -> None:
    launch = Launch().start(name="n" * 100_000).killed(signal=2)
    launch.add("signal", 5, rank=0, signal=2, from_pid=0, from_uid=0)
    launch.agent().fact("host", {"os": {"pretty_name": "Rocky Linux 9"}})
    launch.fact("container", {"containers": [{"runtime": "docker", "image": "unknown"}]})
    publish(store, "r1", launch)
    out = call("show", "r1")[1]
    assert "Rocky Linux 9" in out and "docker (inside; image unknown)" in out
    assert "sent by the terminal or the kernel" in out and "process 0" not in out
    assert max(map(len, out.splitlines())) < 300


def test_what_was_declared_and_not_looked_at_says_why(call: Call, store: Store) -> None:
    publish(store, "killed", Launch().start(outputs=["u.h5"]).killed(signal=9))
    Launch(boot_id="of another machine").start(outputs=["u.h5"]).write(store.run("going"))
    assert "u.h5  (not hashed: the run's end left nobody to do it)" in call("show", "killed")[1]
    assert "u.h5  (looked at when the run has ended)" in call("show", "going")[1]


def test_a_run_whose_ranks_have_ended_is_not_said_to_go_on() -> None:
    def told(launch: Launch) -> str:
        record = fold(normal(launch), run_id="r1", over=False) | {"output": {"files": [], "lost_bytes": 0}}
        lines = page.render(record, "/nowhere", Screen(colour=False, width=100))
        return next(line for line in lines if line.startswith("record"))

    pair = Launch(size=2).start(0).start(1).exit(0)
    assert "still going on" in told(pair)
    assert "the run is over, and its last facts are being gathered" in told(pair.exit(1, code=3))


def test_a_name_leads_to_the_ids_of_its_runs(call: Call, runs: Store) -> None:
    status, out, err = call("show", "spin-up")
    assert (status, out) == (2, "") and "spin-up is the name of runs; one of:\n" in err and "  first\n" in err
    assert "is the name of runs" not in call("show", "spin-*")[2] + call("show", "")[2]


def test_who_asks_for_what_is_not_there_is_told_where_it_was_looked_for(call: Call, runs: Store) -> None:
    """Jobs that are pending, or were made in another directory."""
    status, _, err = call("show", "99")
    assert status == 2 and f"lists what there is in {runs.root}" in err

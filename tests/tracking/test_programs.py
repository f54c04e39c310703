"""Whole programs: runs of their own, runs within `hpcprov exec`, children, kills, MPI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.conftest import agents_of
from tests.require import require
from tests.tracking.conftest import Place

OWN = """
import numpy as np, hpcprov, os
@hpcprov.track
def load(path): return np.load(path)
@hpcprov.track
def save(field, path): np.save(path, field)
np.save("in.npy", np.arange(6.0))
with hpcprov.run("calibrate", inputs=["in.npy"], outputs=["o*.npy"], tags={"k": "v"}, note="why") as run:
    save(load("in.npy"), "out.npy")
    inside = os.environ["HPCPROV_RUN"]
assert "HPCPROV_RUN" not in os.environ and inside == run.id + "/0"
print(run.record.status, run.record.inputs[0].signature == hpcprov.signature("in.npy").digest)
with hpcprov.run("second") as other:
    pass
assert other.id != run.id
"""


def test_a_run_of_its_own(place: Place) -> None:
    assert place.python(OWN).stdout == "completed True\n"
    record, second = place.records(2)
    run = record["run"]
    assert (run["name"], run["note"], run["tags"], run["kind"]) == ("calibrate", "why", {"k": "v"}, "command")
    assert run["declared"] == {"inputs": ["in.npy"], "outputs": ["o*.npy"]}
    kinds = {fact["kind"] for fact in record["facts"].values()}
    assert {"host", "user", "code"} <= kinds
    used, generated = record["artifacts"]["used"], record["artifacts"]["generated"]
    assert [(Path(one["path"]).name, one["state"]) for one in used] == [("in.npy", "ok")]
    assert used[0]["declared"] == ["in.npy"]
    files = [one for one in generated if not one["path"].startswith("memory:")]
    assert [(Path(one["path"]).name, one["declared"]) for one in files] == [("out.npy", ["o*.npy"])]
    assert [step["name"] for step in record["steps"]] == ["calibrate", "load", "save"]
    assert record["problems"] == []
    assert second["run"]["name"] == "second"


WISHING = """
import h5py, json, numpy as np, hpcprov
json.dump({"fields": {"x": {"max": 3.0}}}, open("limits.json", "w"))
with hpcprov.run("wishing", outputs=["out.h5"], stats=True, embed=True, constraints=["limits.json"]):
    with h5py.File("out.h5", "w") as file:
        file["x"] = np.arange(6.0)
with h5py.File("out.h5") as file:
    print("hpcprov_audit" in file.attrs)
"""


def test_a_run_of_its_own_counts_checks_and_embeds_where_it_is_asked_to(place: Place) -> None:
    assert place.python(WISHING).stdout == "True\n"
    (record,) = place.records()
    wishes = {key: record["run"]["options"][key] for key in ("stats", "embed", "constraints")}
    assert wishes == {"stats": True, "embed": True, "constraints": ["limits.json"]}
    (made,) = [one for one in record["artifacts"]["generated"] if one["path"].endswith("out.h5")]
    assert made["signature"]["fields"][0]["statistics"]["max"] == 5
    assert made["constraints"][0]["failures"] == 1
    assert record["problems"] == []


@pytest.mark.parametrize(
    ("ending", "status", "code"), [("raise ValueError", "failed", 1), ("raise KeyboardInterrupt", "signalled", -2)]
)
def test_a_block_that_ends_badly(place: Place, ending: str, status: str, code: int) -> None:
    done = place.python(f"import hpcprov\nwith hpcprov.run('x'):\n    {ending}\n", status=None)
    assert done.returncode == code
    (record,) = place.records()
    assert record["run"]["status"] == status
    assert record["steps"][0]["error"] == ending.removeprefix("raise ")


def test_tracked_functions_alone_make_one_run_of_the_program(place: Place) -> None:
    place.python("import hpcprov\nf = hpcprov.track(lambda k: k, name='f')\nfor k in range(3): f(k)\n")
    (record,) = place.records()
    assert (record["run"]["name"], record["run"]["status"]) == ("program.py", "completed")
    assert [step["name"] for step in record["steps"]] == ["f"] * 3


KILLED = """
import hpcprov, os, sys
with hpcprov.run("killed"):
    hpcprov.track(lambda k: k, name="before")(1)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


def begun(place: Place) -> subprocess.Popen[bytes]:
    """The program, waiting in its run."""
    (place.cwd / "program.py").write_text(KILLED)
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "program.py"], cwd=place.cwd, env=place.env, stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_killed_it_leaves_what_was_told(place: Place) -> None:
    with begun(place) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
    (record,) = place.records()
    assert record["run"]["status"] == "incomplete"
    assert [(step["name"], step["status"]) for step in record["steps"]] == [
        ("killed", "unfinished"),
        ("before", "completed"),
    ]


def test_killed_with_its_agent_it_is_settled(place: Place) -> None:
    with begun(place) as child:
        while not (agents := agents_of(place.cwd)):
            time.sleep(0.01)  # a process has no words while it becomes another program
        for pid in agents:
            os.kill(pid, signal.SIGKILL)
        child.send_signal(signal.SIGKILL)
        child.wait()
    deadline = time.monotonic() + 30
    while agents_of(place.cwd) and time.monotonic() < deadline:
        time.sleep(0.02)
    settled = place.call("hpcprov", "settle", "--all")
    assert "settled" in settled.stdout, settled.stdout + settled.stderr
    (record,) = place.records()
    assert record["run"]["status"] == "incomplete"
    assert [step["name"] for step in record["steps"]] == ["killed", "before"]


WITHIN = """
import multiprocessing, os, subprocess, sys
import numpy as np, hpcprov
f = hpcprov.track(lambda k: k, name="f")
def work(k): return f(k)
if __name__ == "__main__":
    os.chdir("/")
    with hpcprov.run("block", tags={"k": "v"}) as run:
        run.output(np.arange(100.0), name="field")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(work, [1, 2, 3])
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.map(work, [4])
    assert run.id == os.environ["HPCPROV_RUN"].partition("/")[0]
"""


def test_within_exec_it_is_a_part_of_that_run(place: Place) -> None:
    place.python(WITHIN, "hpcprov", "exec", "--name", "outer", "--")
    (record,) = place.records()
    assert record["run"]["name"] == "outer"
    assert record["run"]["status"] == "completed"
    calls = {step["parameters"]["k"]: step for step in record["steps"] if step["name"] == "f"}
    block = record["steps"][0]
    assert (block["name"], block["tags"]) == ("block", {"k": "v"})
    assert sorted(calls) == [1, 2, 3, 4]
    assert {calls[k]["parent"] for k in (1, 2, 3)} == {block["id"]}
    (path,) = block["generated"]
    (field,) = (one for one in record["artifacts"]["generated"] if one["path"] == path)
    assert field["signature"]["fields"][0]["bytes"] == 800


def test_a_program_that_is_told_of_a_run_that_is_over_makes_its_own(place: Place) -> None:
    place.python("import hpcprov\nwith hpcprov.run('x'): pass\n", HPCPROV_RUN="20200101T000000Z-00000000/0")
    (record,) = place.records()
    assert record["run"]["parent"] == {"run": "20200101T000000Z-00000000", "rank": 0}


def test_a_store_that_cannot_be_written_is_one_warning(place: Place) -> None:
    (place.cwd / "file").write_text("")
    code = (
        "import hpcprov\nf = hpcprov.track(lambda k: k)\nwith hpcprov.run('x'):\n    print(f(1))\nprint(f(2), f(3))\n"
    )
    done = place.python(code, HPCPROV_DIR=str(place.cwd / "file" / "store"))
    assert done.stdout == "1\n2 3\n"
    assert done.stderr.count("ProvenanceWarning") == 2
    assert not list(place.cwd.glob(".hpcprov"))


FORKED = """
import os, sys, hpcprov
f = hpcprov.track(lambda k: k, name="f")
with hpcprov.run("outer") as run:
    pid = os.fork()
    if pid == 0:
        f(1)
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    f(2)
"""


def test_a_forked_child_that_leaves_the_block_does_not_end_it(place: Place) -> None:
    place.python(FORKED)
    (record,) = place.records()
    assert record["run"]["status"] == "completed"
    told = [(step["name"], step["status"], step["parent"], step["parameters"]) for step in record["steps"]]
    assert told == [
        ("outer", "completed", None, {}),
        ("f", "completed", 1, {"k": 1}),
        ("f", "completed", 1, {"k": 2}),
    ]


def test_without_an_agent_there_is_a_record_all_the_same(place: Place) -> None:
    place.python("import sys, hpcprov\nsys.executable = ''\nwith hpcprov.run('x', outputs=['program.py']): pass\n")
    (record,) = place.records()
    assert record["run"]["status"] == "completed"
    assert any("no agent" in problem["text"] for problem in record["problems"])
    place.call("hpcprov", "settle", record["run"]["id"])
    (record,) = place.records()
    assert [one["state"] for one in record["artifacts"]["generated"]] == ["ok"]


PRINTS = """
import hpcprov, os
with hpcprov.run("closed"):
    for fd in (0, 1, 2):
        try:
            os.write(fd, b"garbage")
        except OSError:
            pass
"""


def test_where_the_standard_streams_are_closed_they_stay_so(place: Place) -> None:
    (place.cwd / "program.py").write_text(PRINTS)
    place.call("sh", "-c", f"exec {sys.executable} program.py <&- >&- 2>&-")
    (record,) = place.records()
    assert (record["run"]["status"], record["problems"]) == ("completed", [])
    assert [log["skipped"]["lines"] for log in record["seal"]["logs"]] == [0]


MPI = """
import os, time
import hpcprov
with hpcprov.run("ranks") as run:
    hpcprov.track(lambda: None, name="same")()
    hpcprov.track(lambda rank: None, name="own")(os.environ["PMI_RANK"])
with hpcprov.run("again") as again:
    pass
assert run.record.id == run.id and run.record.status in ("running", "completed")
print(run.id, again.id)
"""


@pytest.mark.mpi
def test_ranks_are_one_run_without_a_word_between_them(place: Place) -> None:
    mpiexec = Path(sys.executable).with_name("mpiexec")
    require("mpi", mpiexec.exists())
    (place.cwd / "program.py").write_text(MPI)
    script = f"hpcprov exec true; exec {sys.executable} program.py"
    done = place.call(str(mpiexec), "-n", "2", "sh", "-c", script)
    assert len(set(done.stdout.splitlines())) == 1
    records = place.records(3)
    assert [record["run"]["name"] for record in records] == [None, "ranks", "again"]
    assert [record["run"]["id"].rpartition(".")[2] for record in records] == ["0", "1", "2"]
    ranks = records[1]
    assert ranks["launcher"] == {"kind": "mpich", "size": 2}
    assert (ranks["run"]["status"], ranks["ranks"]["count"]) == ("completed", 2)
    told = {(step["name"], step["count"], str(step["ranks"])) for step in ranks["steps"]}
    assert told == {
        ("ranks", 2, "[[0, 1]]"),
        ("same", 2, "[[0, 1]]"),
        ("own", 1, "[[0, 0]]"),
        ("own", 1, "[[1, 1]]"),
    }

"""`exec --embed`: outputs tell what made them, the record is of the files as they are then, and no failure hurts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from agent.conftest import Site
from hpcprov.agent import embedding, hashing, signing
from hpcprov.agent.journal import Journal
from hpcprov.data.attributes import read_attributes
from hpcprov.quality.trail.entries import entries_of
from hpcprov.record import frame
from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe

MAKE = """
import h5py, zarr, numpy, sys, hpcprov
values = numpy.arange(1000.0)
with h5py.File("out.h5", "w") as file:
    file["depth"] = values
    file.attrs["history"] = "2020-01-01T00:00:00Z born"
zarr.open_group("out.zarr", mode="w").create_array("u", data=values)
open("out.csv", "w").write("a,b\\n" + "1,2\\n" * 50)
hpcprov.define("out.h5/depth", "rain * 2", inputs=["in.h5/rain"])
"""


def trail_of(path: Path) -> list[dict[str, Any]]:
    return entries_of(str(read_attributes(str(path)).dataset.get("hpcprov_audit", "[]")))


def test_outputs_tell_what_made_them(site: Site) -> None:
    (site.cwd / "make.py").write_text(MAKE)
    record = site.run("--embed", "--", sys.executable, "make.py")
    generated = {os.path.basename(one["path"]): one for one in record["artifacts"]["generated"]}
    for name in ("out.h5", "out.zarr"):
        (entry,) = trail_of(site.cwd / name)
        digest = generated[name]["signature"]["digest"]
        assert (entry["run"], entry["before"], entry["after"]) == (record["run"]["id"], None, digest)
        assert Path(site.cwd / ".hpcprov" / "records" / entry["session"] / "record.json").exists()
        assert describe(str(site.cwd / name))["storage"]["digest"] == generated[name]["storage"]["digest"]
        assert generated[name]["embedded"]["entries"] == 1
        assert generated[name]["embedded"]["before"] != generated[name]["storage"]["digest"]
    assert "embedded" not in generated["out.csv"]
    (told,) = [one["text"] for one in record["problems"]]
    assert told.startswith(embedding.NO_PLACE) and told.endswith(f": {site.cwd}/out.csv")
    found = read_attributes(str(site.cwd / "out.h5"))
    first, second = str(found.dataset["history"]).splitlines()
    assert (first.startswith(record["run"]["start"][:19]), second) == (True, "2020-01-01T00:00:00Z born")
    assert found.fields["depth"]["hpcprov_definition"] == "rain * 2"
    assert site.call(site.launcher, "verify", "last").stdout.count("the same bytes") >= 3

    shutil.rmtree(site.cwd / ".hpcprov")  # it has travelled away from its records
    shown = site.call(site.launcher, "trail", "out.h5", "out.zarr").stdout
    assert shown.count("OK") == 2
    assert "depth = rain * 2" in shown


def test_a_run_that_fails_writes_nothing(site: Site) -> None:
    code = "import numpy, h5py; h5py.File('out.h5', 'w')['x'] = numpy.arange(9.0); raise SystemExit(3)"
    site.run("--embed", "--output", "out.h5", "--", sys.executable, "-c", code, check=3)
    assert trail_of(site.cwd / "out.h5") == []


class Made:
    """A run that has ended, its outputs signed, as the hashing child leaves it."""

    def __init__(self, cwd: Path, names: list[str], **told: Any) -> None:
        self.store, self.cwd = Store(str(cwd / ".hpcprov")), cwd
        os.makedirs(self.store.run("r"))
        self.journal = Journal(self.store.log("r", "n.1-1.0.log"), "n")
        start = {"rank": 0, "pid": 1, "cwd": str(cwd), "argv": ["./model"], "size": 1, "nodes": 1, "host": "n"} | told
        self.journal.write("start", **start, embed=True, launch="1-1", ticks=1, launcher="none")
        self.journal.write("exit", rank=0, pid=1, code=0)
        for name in names:
            facts = describe(str(cwd / name))
            self.journal.write("artifact", role="generated", path=str(cwd / name), declared=[], **facts)

    def embed(self, *, seconds: float = 60) -> dict[str, list[str]]:
        """What the problems are, by file."""
        until = time.monotonic() + seconds
        embedding.embed_all(self.store, "r", self.journal, deadline=until, memory=1 << 31, patience=60)
        told = [
            event["text"] for event in frame.scan(Path(self.journal.path).read_bytes()) if event["event"] == "problem"
        ]
        return {name: [text for text in told if name in text] for name in os.listdir(self.cwd)}


def write(path: Path) -> str:
    if path.suffix == ".zarr":
        zarr.open_group(str(path), mode="w").create_array("u", data=np.arange(10.0))
    else:
        with h5py.File(path, "w") as file:
            file["u"] = np.arange(10.0)
    return path.name


def test_what_cannot_be_stamped_is_a_problem_and_stays(tmp_path: Path) -> None:
    names = [write(tmp_path / name) for name in ("good.h5", "linked.h5", "locked.h5", "touched.h5", "changed.zarr")]
    made = Made(tmp_path, names)
    os.link(tmp_path / "linked.h5", tmp_path / "other.h5")
    os.chmod(tmp_path / "locked.h5", 0o444)
    with h5py.File(tmp_path / "touched.h5", "r+") as file:
        file["u"][0] = 5.0
    problems = made.embed()
    assert {name: len(trail_of(tmp_path / name)) for name in names} == {
        "good.h5": 1, "linked.h5": 0, "locked.h5": 0, "touched.h5": 0, "changed.zarr": 1
    }  # fmt: skip
    assert "hard links" in problems["linked.h5"][0]
    assert "read-only" in problems["locked.h5"][0]
    assert problems["good.h5"] == problems["touched.h5"] == []
    assert made.embed()["good.h5"] == []
    assert len(trail_of(tmp_path / "good.h5")) == 1


def test_values_that_are_no_longer_those_are_not_vouched_for(tmp_path: Path) -> None:
    write(tmp_path / "out.h5")
    made = Made(tmp_path, ["out.h5"])
    facts = os.stat(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        file["u"][0] = 5.0
    os.utime(tmp_path / "out.h5", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert "no longer those that were signed" in made.embed()["out.h5"][0]
    assert trail_of(tmp_path / "out.h5") == []


@pytest.mark.parametrize("part", ["alone", "last"])
def test_one_node_stamps(tmp_path: Path, part: str) -> None:
    write(tmp_path / "out.h5")
    made = Made(tmp_path, [], outputs=["*.h5"], inputs=[], hash="now")
    words = {"root": made.store.root, "run": "r", "log": made.journal.path, "node": "n", "seconds": "60", "part": part}
    assert hashing.main([word for name, value in words.items() for word in (f"--{name}", value)]) == 0
    told = [one for one in frame.scan(Path(made.journal.path).read_bytes()) if one["event"] == "artifact"]
    assert [("embedded" in one) for one in told] == [False, True]
    assert told[1]["storage"]["digest"] == describe(str(tmp_path / "out.h5"))["storage"]["digest"]


def test_no_time_is_left(tmp_path: Path) -> None:
    write(tmp_path / "out.h5")
    assert "not stamped: time" in Made(tmp_path, ["out.h5"]).embed(seconds=-1)["out.h5"][0]


def test_a_hashing_process_that_is_ended_leaves_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second of copying and signing; it is ended as soon as the copy is there."""
    monkeypatch.setattr(signing, "ENDING", 60.0)
    with h5py.File(tmp_path / "out.h5", "w") as file:
        file["u"] = np.random.default_rng(1).random(16 << 20)
    made = Made(tmp_path, [], outputs=["*.h5"], inputs=[], hash="now")
    words = {"root": made.store.root, "run": "r", "log": made.journal.path, "node": "n", "seconds": 60, "part": "alone"}
    command = [sys.executable, "-P", "-m", "hpcprov.agent.hashing"]
    before, draft = os.stat(tmp_path / "out.h5").st_ino, tmp_path / ".out.h5.hpcprov~"
    with subprocess.Popen(
        [*command, *(str(word) for pair in words.items() for word in (f"--{pair[0]}", pair[1]))]
    ) as child:
        while not draft.exists() and child.poll() is None:
            time.sleep(0.001)
        signing.end(child)
    assert child.returncode == 128 + signal.SIGTERM
    assert not draft.exists()
    told = [one for one in frame.scan(Path(made.journal.path).read_bytes()) if one["event"] == "problem"]
    assert [one["text"] for one in told] == [f"{tmp_path}/out.h5: not stamped: time"]
    assert os.stat(tmp_path / "out.h5").st_ino == before


def test_an_attribute_that_is_no_trail_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5", "r+") as file:
        file.attrs["hpcprov_audit"] = 5
    assert "is no text" in Made(tmp_path, ["out.h5"]).embed()["out.h5"][0]


@pytest.mark.mpi
def test_ranks_that_write_one_file_leave_one_entry(site: Site) -> None:
    only_first = "if MPI.COMM_WORLD.rank == 0: h5py.File('o.h5', 'w')['x'] = numpy.ones(9)"
    code = f"from mpi4py import MPI; import numpy, h5py\n{only_first}"
    words = [site.launcher, "exec", "--embed", "--output", "o.h5", "--", sys.executable, "-c", code]
    site.call(site.mpiexec, "-n", "3", *words)
    record = site.record()
    (entry,) = trail_of(site.cwd / "o.h5")
    assert (entry["run"], record["ranks"]["count"]) == (record["run"]["id"], 3)
    assert json.dumps(record).count('"embedded"') == 1

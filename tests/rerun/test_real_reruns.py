"""`hpcprov exec`, then `hpcprov rerun`: through the real commands, in a directory with an odd name."""

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

import numpy as np
import pytest

from tests.agent.conftest import Site, until
from tests.require import require

MODEL = """
import os, sys
import numpy
values = numpy.load("forcing.npy")
numpy.save(sys.argv[1], values * float(os.environ.get("OMP_SCHEDULE", "2")))
with open("log/model.log", "w") as log:
    log.write("done")
"""


def rerun(site: Site, *words: object, check: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
    return site.call(site.launcher, "rerun", *words, check=check, **env)


@pytest.fixture
def made(site: Site) -> dict[str, Any]:
    """A run that has made out.npy in the site's directory, by an absolute path; its record."""
    np.save(site.cwd / "forcing.npy", np.arange(1000.0))
    (site.cwd / "model.py").write_text(MODEL)
    (site.cwd / "log").mkdir()
    return site.run("--tag", "case=b1", "--", sys.executable, "model.py", site.cwd / "out.npy", OMP_SCHEDULE="3")


def test_a_run_is_reproduced_beside_itself(site: Site, made: dict[str, Any]) -> None:
    (before,) = made["artifacts"]["generated"]
    stamp = os.stat(site.cwd / "out.npy")
    done = rerun(site, "last", OMP_SCHEDULE="5", OMP_NUM_THREADS="7")
    assert "reproduced bit for bit: 1 output" in done.stdout and not done.stderr
    new = Path(f"{site.cwd}.rerun-1")
    assert (new / "out.npy").exists() and (new / "log/model.log").exists()
    assert (new / "forcing.npy").is_symlink() and (new / "model.py").is_symlink()
    again = site.record()
    assert again["run"]["rerun_of"] == made["run"]["id"] and again["run"]["cwd"] == str(new)
    assert again["run"]["tags"] == {"case": "b1"} and "rerun_of" not in made["run"]
    assert (
        again["environment"]["common"]["OMP_SCHEDULE"] == "3"
        and "OMP_NUM_THREADS" not in again["environment"]["common"]
    )
    (after,) = again["artifacts"]["generated"]
    assert after["path"] == str(new / "out.npy") and after["signature"]["digest"] == before["signature"]["digest"]
    now = os.stat(site.cwd / "out.npy")
    assert (now.st_mtime_ns, now.st_ino) == (stamp.st_mtime_ns, stamp.st_ino)
    same = site.call(site.launcher, "why", made["run"]["id"], "last")
    assert "nothing differs" in same.stdout


def test_what_has_changed_is_named_and_nothing_is_run(site: Site, made: dict[str, Any]) -> None:
    np.save(site.cwd / "forcing.npy", np.arange(1000.0) + 1)
    with open(site.cwd / "model.py", "a") as file:
        file.write("# changed\n")
    done = rerun(site, "last", check=2)
    assert f"\n  input {site.cwd}/forcing.npy: the array CHANGED" in done.stdout
    assert f"script {site.cwd}/model.py is not the one that ran" in done.stdout and "nothing was run" in done.stdout
    assert not Path(f"{site.cwd}.rerun-1").exists() and site.record()["run"]["id"] == made["run"]["id"]
    (told,) = json.loads(rerun(site, "last", "--check", "--json", check=2).stdout)
    assert [one["kind"] for one in told["differences"]] == ["input", "code"]
    (told,) = json.loads(rerun(site, "last", "--anyway", "--json", check=1).stdout)
    ((output,),) = [told["outputs"]]
    assert output["status"] == "different"
    (field,) = output["fields"]
    assert (field["count"], field["differing"], field["max_abs"], field["first"]) == (1000, 1000, 3.0, [0])
    np.save(site.cwd / "forcing.npy", np.arange(1000.0) + 1e-9)
    done = rerun(site, made["run"]["id"], "--anyway", "--atol", "1e-6")
    assert "reproduced within the tolerance" in done.stdout and "by at most 3e-09" in done.stdout


@pytest.mark.slow
def test_a_directory_can_be_given_and_must_be_empty(site: Site, made: dict[str, Any], tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    assert rerun(site, "last", "--in", place).stdout and (place / "out.npy").exists()
    done = rerun(site, made["run"]["id"], "--in", place, check=2)
    assert "is not empty" in done.stderr


@pytest.mark.slow
def test_results_outside_of_the_directory_are_not_overwritten(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "results"
    other.mkdir()
    site.run("--output", other / "out.dat", "--", "sh", "-c", f"date +%N > '{other}/out.dat'")
    before = (other / "out.dat").read_text()
    done = rerun(site, "last", check=2)
    assert f"output {other}/out.dat lies outside of the working directory" in done.stdout
    assert (other / "out.dat").read_text() == before


@pytest.mark.slow
def test_an_input_that_the_run_changed_is_said_to_be_gone(site: Site) -> None:
    np.save(site.cwd / "state.npy", np.zeros(50))
    site.run("--", sys.executable, "-c", "import numpy; a = numpy.load('state.npy'); numpy.save('state.npy', a + 1)")
    done = rerun(site, "last", check=2)
    assert f"input {site.cwd}/state.npy is not there as it was" in done.stdout


@pytest.mark.slow
def test_standard_streams_are_the_files_that_they_were(site: Site) -> None:
    (site.cwd / "in.nml").write_text("3\n1\n2\n")
    command = f"'{site.launcher}' exec -- sort < in.nml > sorted.dat"
    site.call("bash", "-c", command)
    site.record()
    assert "reproduced bit for bit: 1 output" in rerun(site, "last").stdout
    assert Path(f"{site.cwd}.rerun-1", "sorted.dat").read_text() == "1\n2\n3\n"


@pytest.mark.slow
def test_a_run_that_failed_fails_again(site: Site) -> None:
    site.run("--", "sh", "-c", "echo one > a.dat; exit 3", check=3)
    assert "reproduced" in rerun(site, "last").stdout
    site.run("--", "sh", "-c", "test -e mark && exit 4; touch mark", check=0)
    (site.cwd / "mark").unlink()
    run = site.record()["run"]["id"]
    assert rerun(site, run).returncode == 0


@pytest.mark.slow
def test_the_rerun_of_a_rerun_and_a_moved_original(site: Site, made: dict[str, Any]) -> None:
    rerun(site, "last")
    rerun(site, "last")
    assert site.record()["run"]["cwd"] == f"{site.cwd}.rerun-2"
    shutil.rmtree(f"{site.cwd}.rerun-1")
    (site.cwd / "forcing.npy").unlink()
    done = rerun(site, "last", check=2)
    assert f"input {site.cwd}/forcing.npy: the array MISSING" in done.stdout


@pytest.mark.slow
def test_the_script_is_the_one_of_log(site: Site, made: dict[str, Any]) -> None:
    assert rerun(site, "last", "--script").stdout == site.call(site.launcher, "log", "last").stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_rerun_and_then_the_command(site: Site, number: signal.Signals) -> None:
    (site.cwd / "nap").write_text("0")
    site.run("--", "sh", "-c", "echo here > out.dat; exec sleep $(cat nap)")
    (site.cwd / "nap").write_text("600")
    words = [site.launcher, "rerun", "last", "--anyway"]
    child = subprocess.Popen(words, cwd=site.cwd, env=site.env, stdout=subprocess.PIPE, start_new_session=True)
    new = Path(f"{site.cwd}.rerun-1")
    until(lambda: (new / "out.dat").exists(), "the rerun does not start")
    os.killpg(child.pid, number) if number == signal.SIGINT else child.send_signal(number)
    output, _ = child.communicate(timeout=100)
    assert child.returncode == 128 + number, output
    time.sleep(0.1)
    left = [name for name in os.listdir("/proc") if name.isdigit() and f"{new}" in cwd_of(name)]
    until(lambda: not [name for name in left if f"{new}" in cwd_of(name)], "processes of the rerun are left")


def cwd_of(process: str) -> str:
    try:
        return os.readlink(f"/proc/{process}/cwd")
    except OSError:
        return ""


@pytest.mark.mpi
def test_ranks_are_run_again_as_one_run(site: Site) -> None:
    require("mpi", Path(site.mpiexec).exists())
    program = "import os; open('out.%s.dat' % os.environ['PMI_RANK'], 'w').write('x' * 100)"
    site.call(site.mpiexec, "-n", 3, site.launcher, "exec", "--", sys.executable, "-c", program)
    site.record()
    assert "reproduced bit for bit: 3 outputs" in rerun(site, "last").stdout
    again = site.record()
    assert again["ranks"]["count"] == 3 and again["launcher"]["kind"] == "mpich" and again["run"]["rerun_of"]


def test_what_makes_no_sense_is_refused(site: Site, made: dict[str, Any]) -> None:
    assert "no run" in rerun(site, "nonesuch", check=2).stderr
    assert "not a number" in rerun(site, "last", "--rtol", "nan", check=2).stderr
    assert "no image is recorded" in rerun(site, "last", "--container", check=2).stderr
    assert not Path(f"{site.cwd}.rerun-1").exists()


@pytest.mark.slow
def test_links_to_inputs_and_their_directories_are_made_again(site: Site, tmp_path: Path) -> None:
    for name in ("data", "grids"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "in.npy", np.ones(50))
    (site.cwd / "forcing.npy").symlink_to(tmp_path / "data/in.npy")
    (site.cwd / "grids").symlink_to("../grids")
    program = "import numpy as n; n.save('out.npy', n.load('forcing.npy') + n.load('grids/in.npy'))"
    site.run("--", sys.executable, "-c", program)
    assert "reproduced bit for bit: 1 output" in rerun(site, "last", "--in", tmp_path / "new").stdout

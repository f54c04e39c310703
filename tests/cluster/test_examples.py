"""What slurm/ offers users and sites, run on a real Slurm: batch scripts, prolog, epilog, srun wrapper, modules."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import images
from .bed.slurm import Slurm, until
from .conftest import BedMaker, Site

SLURM = Path(__file__).parents[2] / "slurm"
HEAT = "python heat.py --steps 20 --output heat.zarr"


def place(slurm: Slurm, installed: Path, folder: Path) -> Site:
    """A user's directory with a copy of the example program."""
    folder.mkdir()
    shutil.copy(SLURM / "heat.py", folder)
    return Site(slurm, installed, folder)


def submit(site: Site, name: str, *options: str, **env: str) -> str:
    return site.submit((SLURM / name).read_text(), *options, env=env)


def steps(site: Site) -> list[dict[str, Any]]:
    """The records of the runs that are commands, oldest first."""
    records = [site.record(run["id"]) for run in site.runs() if run["kind"] == "command"]
    return sorted(records, key=lambda one: one["run"]["start"])


def signatures(record: dict[str, Any]) -> dict[str, str]:
    return {Path(one["path"]).name: one["signature"]["digest"] for one in record["artifacts"]["generated"]}


class Examples:
    """The batch scripts, all submitted at once: each has a directory of its own, and ends when it ends."""

    def __init__(self, slurm: Slurm, installed: Path, folder: Path) -> None:
        self.slurm = slurm
        self.sites = {script.stem: place(slurm, installed, folder / script.stem) for script in SLURM.glob("*.sbatch")}
        self.jobs = {name: submit(site, f"{name}.sbatch") for name, site in self.sites.items() if name not in LATER}

    def ended(self, name: str) -> Site:
        ended = self.slurm.ended(self.jobs[name])
        site = self.sites[name]
        said = "\n".join(file.read_text() for file in site.cwd.glob("slurm-*.out"))
        assert (ended["State"], ended["ExitCode"]) == ("COMPLETED", "0:0"), said
        return site


LATER = ("container", "requeue")  # these need something of their test


@pytest.fixture(scope="module")
def examples(slurm: Slurm, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return Examples(slurm, installed, tmp_path_factory.mktemp("examples"))


def test_there_is_no_example_without_a_test(examples: Examples) -> None:
    assert sorted(examples.sites) == ["array", "container", "mpi", "requeue", "serial", "steps"]


def test_requeue(examples: Examples) -> None:
    """First of all: it takes longest. Both starts have records, linked; the second goes on from the checkpoint."""
    site = examples.sites["requeue"]
    job = submit(site, "requeue.sbatch", STEPS="300", PAUSE="0.02")
    until((site.cwd / "saved.npz").exists, lambda: examples.slurm.about(job))
    site.run("scontrol", "requeue", job)
    examples.slurm.ended(job)
    assert "going on from step" in site.output(job)
    cluster = examples.slurm.cluster
    first, second = steps(site)
    assert first["run"]["status"] in ("signalled", "cancelled") and second["run"]["status"] == "completed"
    assert [one["run"]["part_of"]["job"] for one in (first, second)] == [
        f"slurm-{cluster}-{job}",
        f"slurm-{cluster}-{job}-r1",
    ]
    assert site.record(f"slurm-{cluster}-{job}-r1")["run"]["previous"] == f"slurm-{cluster}-{job}"
    assert list(signatures(second)) == ["heat.zarr", "saved.npz"]


def test_serial(examples: Examples) -> None:
    (record,) = steps(examples.ended("serial"))
    assert record["ranks"]["count"] == 1 and list(signatures(record)) == ["heat.zarr"]


def test_mpi(examples: Examples) -> None:
    site = examples.ended("mpi")
    (record,) = steps(site)
    assert (record["ranks"]["count"], len(record["nodes"])) == (4, 2)
    (serial,) = steps(examples.ended("serial"))
    (field,) = record["artifacts"]["generated"][0]["signature"]["fields"]
    assert field["shape"] == [64, 64] and signatures(record)["heat.zarr"] in site.output(examples.jobs["mpi"])
    # The bands of rows are computed side by side: the same values, whatever the number of ranks and chunks.
    assert signatures(record) == signatures(serial)


def test_array(examples: Examples) -> None:
    site, job = examples.ended("array"), examples.jobs["array"]
    records = steps(site)
    assert sorted(one["run"]["tags"]["warmth"] for one in records) == ["100", "150", "50"]
    assert {one["run"]["part_of"]["array"] for one in records} == {f"slurm-{examples.slurm.cluster}-{job}"}
    assert len({signatures(one).popitem()[1] for one in records}) == 3


def test_steps(examples: Examples) -> None:
    site = examples.ended("steps")
    records = steps(site)
    assert [one["run"]["name"] for one in records][2] == "cooling" and len(records) == 3
    made = {path: digest for one in records for path, digest in signatures(one).items()}
    (used,) = records[2]["artifacts"]["used"]
    assert used["signature"]["digest"] == made["heat-50.zarr"]
    job = site.record(f"slurm-{examples.slurm.cluster}-{examples.jobs['steps']}")
    assert sorted(part["run"] for part in job["parts"]) == sorted(one["run"]["id"] for one in records)
    assert (job["run"]["status"], job["run"]["name"]) == ("completed", "heat-steps")


def test_container(examples: Examples, apptainer: str, tmp_path: Path) -> None:
    image = tmp_path / "step.sif"
    build = [apptainer, "build", str(image), str(images.folder(tmp_path / "root"))]
    subprocess.run(build, check=True, capture_output=True, env=examples.slurm.env | images.environment())
    site = examples.sites["container"]
    examples.jobs["container"] = submit(site, "container.sbatch", IMAGE=str(image), **images.environment())
    (record,) = steps(examples.ended("container"))
    assert {Path(one["path"]).name for one in record["artifacts"]["generated"]} == {"accounts-0.txt", "accounts-1.txt"}
    used = site.run(site.hpcprov, "image", "used-by", image).stdout
    assert record["run"]["id"] in used


# --- what a site sets up


@pytest.fixture(scope="module")
def prepared(slurm_bed: BedMaker, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A bed with the task prolog and the epilog. A site writes its paths into them; here an own epilog calls it."""
    folder = tmp_path_factory.mktemp("site")
    epilog = folder / "epilog.sh"
    epilog.write_text(
        f'#!/bin/sh\nenv >"{folder}/epilog-$SLURMD_NODENAME-$SLURM_JOB_ID"\nPATH={{bin}}:$PATH '
        f"HPCPROV_LAUNCHER={installed}/hpcprov {SLURM}/epilog.sh\nstatus=$?\n"
        f'echo $status >"{folder}/ended-$SLURMD_NODENAME-$SLURM_JOB_ID"\nexit $status\n'
    )
    epilog.chmod(0o755)
    bed = slurm_bed(f"TaskProlog={SLURM}/taskprolog.sh\nEpilog={epilog}\n", nodes=2)
    epilog.write_text(epilog.read_text().replace("{bin}", str(bed.directory / "bin")))
    yield bed


def test_a_task_prolog_records_what_nobody_has_changed(prepared: Slurm, installed: Path, tmp_path: Path) -> None:
    site = place(prepared, installed, tmp_path / "user")
    script = f"#!/bin/bash\nsrun -n2 --mpi=pmi2 {HEAT}\n"
    job = site.submit(script, "-n2", env={"HPCPROV_SLURM": str(SLURM)})
    assert prepared.ended(job)["ExitCode"] == "0:0", site.output(job)
    (record,) = steps(site)
    assert record["ranks"]["count"] == 2 and record["run"]["argv"][0] == "python"
    assert f"{SLURM}/bin" in record["environment"]["common"]["PATH"] and site.output(job) == ""


KILLED = """#!/bin/bash
srun -N2 -n2 hpcprov exec --output out.txt -- sh -c 'echo $SLURM_PROCID >>out.txt; sleep 300'
"""


def test_an_epilog_settles_what_was_killed(prepared: Slurm, installed: Path, tmp_path: Path) -> None:
    """Nobody calls hpcprov here but the epilog, until the record is there."""
    site = place(prepared, installed, tmp_path / "user")
    job = site.submit(KILLED, "-N2", env={"HPCPROV_DIR": ""})
    out = site.cwd / "out.txt"
    until(lambda: out.exists() and out.read_text().count("\n") == 2, lambda: prepared.about(job))
    site.run("scancel", job)
    prepared.ended(job)
    name = f"slurm-{prepared.cluster}-{job}.0.0"
    until(lambda: list(site.store.glob(f"records/*/*/*/{name}/record.json")), lambda: prepared.about(job))
    until(lambda: set(ended(prepared, job)) == {"0"} and len(ended(prepared, job)) == 2, lambda: prepared.about(job))
    record = site.record(name)
    assert record["run"]["status"] == "cancelled" and record["run"]["cause"]["witness"]["source"] == "sacct"
    # Most often its agents were killed before they could look: then the record has only what was declared.
    shown = site.run(site.hpcprov, "show", name).stdout
    assert record["artifacts"]["generated"] or "out.txt  (not hashed: the run's end left nobody" in shown
    site.run(site.hpcprov, "settle", name)
    (output,) = site.record(name)["artifacts"]["generated"]
    assert output["state"] == "ok" and output["storage"]["digest"].startswith("blake3:")
    assert {prepared.node_state(node) for node in prepared.nodes} == {"idle"}


def ended(slurm: Slurm, job: str) -> list[str]:
    """The exit statuses of the epilogs of a job."""
    config = slurm.run(["scontrol", "show", "config"]).stdout
    match = re.search(r"^Epilog\s+= (\S+)$", config, re.MULTILINE)
    assert match is not None
    return [file.read_text().strip() for file in Path(match[1]).parent.glob(f"ended-*-{job}")]


def test_an_epilog_that_finds_nothing_or_nobody_succeeds(prepared: Slurm, installed: Path, tmp_path: Path) -> None:
    site = Site(prepared, installed, tmp_path)
    job = site.submit("#!/bin/sh\nexit 3\n", env={"HPCPROV_DIR": ""})
    prepared.ended(job)
    until(lambda: ended(prepared, job) == ["0"], lambda: prepared.about(job))
    strange = {"SLURM_JOB_USER": "nobody-of-that-name", "SLURM_JOB_WORK_DIR": "/no/where", "SLURM_JOB_ID": "1"}
    launcher = {"HPCPROV_LAUNCHER": site.hpcprov}
    for env in ({}, strange, strange | launcher, strange | launcher | {"SLURM_JOB_USER": "root"}):  # without a PATH
        done = subprocess.run(["/bin/bash", SLURM / "epilog.sh"], env=env, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not site.store.exists()


@pytest.mark.parametrize("kind", ["tcl", "lmod"])
def test_a_module_records_what_is_started_by_srun(
    kind: str, request: pytest.FixtureRequest, slurm: Slurm, installed: Path, tmp_path: Path
) -> None:
    init = request.getfixturevalue(f"modules_{kind}")
    root = tmp_path / "opt"
    root.mkdir()
    for entry in installed.parent.iterdir():  # pyvenv.cfg too, without which its Python finds no packages
        (root / entry.name).symlink_to(entry)
    shutil.copytree(SLURM, root / "slurm")
    (root / "slurm/bin/hpcprov").symlink_to("../../bin/hpcprov")
    site = place(slurm, installed, tmp_path / "user")
    script = f"#!/bin/bash\nset -e\nsource {init}\npython=$(command -v python)\n"
    script += f"module use {root}/slurm/modulefiles\nmodule load hpcprov/0.1\n"
    script += f'[ $(command -v hpcprov) = {root}/slurm/bin/hpcprov ]; [ "$(command -v python)" = "$python" ]\n'
    script += f"srun {HEAT}\nHPCPROV=off srun {HEAT}\nmodule unload hpcprov/0.1\nsrun {HEAT}\n"
    job = site.submit(script, env={"HPCPROV_ROOT": str(root)})
    assert slurm.ended(job)["ExitCode"] == "0:0", site.output(job)
    (record,) = steps(site)
    assert record["run"]["part_of"]["job"] == f"slurm-{slurm.cluster}-{job}"
    assert [one["name"] for one in modules(record)["loaded"]] == ["hpcprov/0.1"]


def modules(record: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = record["facts"][record["nodes"][0]["facts"]["modules"]]["value"]
    return value


def test_the_wrapper_knows_every_option_of_this_srun(site: Site, tmp_path: Path) -> None:
    said = site.run("srun", "--help").stdout
    options = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", said))
    assert len(options) > 100
    printing = tmp_path / "bin" / "srun"
    printing.parent.mkdir()
    printing.write_text("#!/bin/sh\n")
    printing.chmod(0o755)
    path = f"{SLURM}/bin:{printing.parent}:{site.bin}:/usr/bin:/bin"
    unknown = {name for name in options if "not known" in stderr_of(path, f"--{name}")}
    assert unknown == set()


def test_copies_of_the_wrapper_do_not_call_each_other(tmp_path: Path) -> None:
    """A module and the task prolog may each put one on PATH."""
    for folder in ("a", "b", "real"):
        (tmp_path / folder).mkdir()
    for folder in ("a", "b"):
        shutil.copy(SLURM / "bin/srun", tmp_path / folder)
    (tmp_path / "real/srun").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "real/srun").chmod(0o755)
    (tmp_path / "real/hpcprov").symlink_to("/bin/true")
    path = ":".join([*(str(tmp_path / name) for name in ("a", "b", "real", "a")), "/usr/bin", "/bin"])
    done = subprocess.run(["srun", "-n2", "x"], env={"PATH": path}, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"-n2 {tmp_path}/real/hpcprov exec -- x\n", "")
    without = subprocess.run(["srun", "x"], env={"PATH": f"{tmp_path}/a:/usr/bin-x"}, capture_output=True, timeout=60)
    assert without.returncode == 127


def stderr_of(path: str, option: str) -> str:
    return subprocess.run(["srun", option, "x", "y"], env={"PATH": path}, capture_output=True, text=True).stderr


def test_stores_on_disks_of_their_own_are_told(slurm: Slurm, installed: Path, tmp_path: Path) -> None:
    """Two nodes that do not see the same store: each has half of the run, and asks why."""
    site = Site(slurm, installed, tmp_path)
    (tmp_path / "exec.sh").write_text("HPCPROV_DIR=$PWD/$SLURMD_NODENAME exec hpcprov exec --hash off -- true\n")
    site.run("srun", "-N2", "-n2", "sh", "exec.sh")
    for store in tmp_path.glob("n*"):
        site.env["HPCPROV_DIR"] = str(store)
        (run,) = [run for run in site.runs() if run["kind"] == "command"]
        record = site.record(run["id"])
        assert (record["run"]["status"], record["ranks"]["count"]) == ("incomplete", 1)
        assert "1 of 2 nodes wrote to this store" in record["problems"][-1]["text"]

"""Containers: from command lines, from inside, and with the real Apptainer."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from require import require

from capture import machines
from hpcprov.capture import container
from hpcprov.capture.container import inside, outside, runtimes
from hpcprov.capture.container.image import describe

APPTAINER = shutil.which("apptainer")


def named(line: str) -> tuple[str, str] | None:
    """Action and image that a command line names, or None."""
    fact = outside.from_argv(line.split(), "/nowhere")
    return None if fact is None else (fact.get("action", ""), fact["image"])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("apptainer exec step.sif ./model", ("exec", "step.sif")),
        ("apptainer run step.sif", ("run", "step.sif")),
        ("/opt/bin/singularity shell step.sif", ("shell", "step.sif")),
        ("apptainer -d -c my.conf exec step.sif true", ("exec", "step.sif")),
        ("apptainer --config=my.conf --quiet exec step.sif true", ("exec", "step.sif")),
        ("apptainer exec -B /a:/b --nv -CeW /w step.sif true", ("exec", "step.sif")),
        ("apptainer exec -CeW/w step.sif true", ("exec", "step.sif")),
        ("apptainer exec --bind=/a --env A=1 -- step.sif true", ("exec", "step.sif")),
        ("apptainer exec --no-mount home step.sif python --bind x", ("exec", "step.sif")),
        ("apptainer instance start --pid-file p step.sif name arg", ("instance start", "step.sif")),
        ("apptainer exec instance://name true", ("exec", "instance://name")),
        ("apptainer exec docker://debian:12 true", ("exec", "docker://debian:12")),
        ("apptainer shell -s /bin/zsh step.sif", ("shell", "step.sif")),
        ("apptainer exec", ("exec", "unknown")),
        ("apptainer exec -B", ("exec", "unknown")),
        ("apptainer build out.sif in.def", None),
        ("apptainer", None),
        ("apptainer instance list", None),
        ("podman run --rm -it -v /a:/b docker.io/library/debian:12 ls", ("run", "docker.io/library/debian:12")),
        ("podman --runtime runc run --ulimit nofile=1:1 --network=none debian:12 ls", ("run", "debian:12")),
        ("docker --context c container run -e A=1 --gpus all img cmd", ("container run", "img")),
        ("docker -D run -dp 80:80 --name n img", ("run", "img")),
        ("docker build .", None),
        ("podman exec name ls", None),
        ("ch-run -b /a:/b -w ./img -- ls", ("", "./img")),
        ("ch-run --cd /x --set-env=f img.sqfs -- ls", ("", "img.sqfs")),
        ("shifter --image=docker:debian:12 ls", ("", "docker:debian:12")),
        ("shifter --volume=/a:/b --image docker:debian:12 ls --image x", ("", "docker:debian:12")),
        ("shifter ls", ("", "unknown")),
        ("sarus run --mount=type=bind,src=/a,dst=/b ethcscs/mpich ls", ("run", "ethcscs/mpich")),
        ("enroot start -m /a:/b debian.sqsh ls", ("start", "debian.sqsh")),
        ("env -u B A=1 apptainer exec step.sif app", ("exec", "step.sif")),
        ("env -S apptainer exec step.sif", None),
        ("/usr/bin/time -v -o t.txt nice -n 5 numactl -N 0 -m 0 apptainer run step.sif", ("run", "step.sif")),
        ("taskset -c 0-3 timeout -k 5 60 ch-run ./img -- ls", ("", "./img")),
        ("srun -n 4 --mpi=pmi2 -l -c2 apptainer exec step.sif app", ("exec", "step.sif")),
        ("srun --container-image=nvcr.io#nvidia/x:1 -n 2 app", ("", "nvcr.io#nvidia/x:1")),
        ("srun --container-image nvcr.io#nvidia/x:1 -n 2 app --container-image y", ("", "nvcr.io#nvidia/x:1")),
        ("srun --container /oci/bundle app", ("", "/oci/bundle")),
        ("srun -n 2 app --container /oci/bundle", None),
        ("env", None),
        ("nice nice nice", None),
        ("apptainer exec oci-archive:x.tar:v1 true", ("exec", "oci-archive:x.tar:v1")),
        ("python apptainer exec step.sif", None),
        ("./model", None),
    ],
)
def test_command_lines(line: str, found: tuple[str, str] | None) -> None:
    assert named(line) == found


@pytest.mark.parametrize(
    ("line", "image"),
    [
        ("apptainer exec step.sif app", "step.sif"),
        ("exec apptainer exec 'my step.sif' app", "my step.sif"),
        ('A=1 apptainer exec "my step.sif" app > out', None),
        ('A=1 apptainer exec "my step.sif" app', "my step.sif"),
        ("apptainer exec $IMAGE app", None),
        ("apptainer exec step.sif app; rm -r x", None),
        ("set -e\napptainer exec step.sif app", None),
        ("", None),
        ("'", None),
    ],
)
def test_only_a_simple_command_of_a_shell_is_followed(line: str, image: str | None) -> None:
    fact = outside.from_argv(["bash", "-c", line], "/nowhere")
    assert (fact and fact["image"]) == image


def test_no_command() -> None:
    assert outside.from_argv([], "/") is None


def test_the_state_of_an_image_file(tmp_path: Path) -> None:
    (tmp_path / "step.sif").write_bytes(b"x" * 100)
    status = (tmp_path / "step.sif").stat()
    assert outside.from_argv(["apptainer", "run", "step.sif"], str(tmp_path)) == {
        "runtime": "apptainer",
        "how": "argv",
        "action": "run",
        "image": "step.sif",
        "path": f"{tmp_path}/step.sif",
        "exists": True,
        "type": "file",
        "size": 100,
        "mtime": status.st_mtime_ns,
        "device": status.st_dev,
        "inode": status.st_ino,
    }


def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    fact = outside.from_argv(["apptainer", "run", "step.sif"], str(tmp_path))
    assert fact is not None and fact["exists"] is False and fact["reason"] == "No such file or directory"


@pytest.mark.parametrize("line", ["podman run ./debian", "apptainer run docker://debian", "sarus run debian"])
def test_references_are_no_paths(tmp_path: Path, line: str) -> None:
    (tmp_path / "debian").mkdir()
    fact = outside.from_argv(line.split(), str(tmp_path))
    assert fact is not None and "path" not in fact


def test_charliecloud_takes_folders_and_names(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    here = outside.from_argv(["ch-run", "img", "--", "ls"], str(tmp_path))
    stored = outside.from_argv(["ch-run", "debian", "--", "ls"], str(tmp_path))
    assert here is not None and here["type"] == "directory"
    assert stored is not None and "path" not in stored


@given(st.lists(st.text(max_size=10) | st.sampled_from(["--", "-B", "exec", "-", "--x=", "-=", "run"]), max_size=8))
def test_any_command_line(args: list[str]) -> None:
    for runtime in runtimes.RUNTIMES:
        json.dumps(outside.from_argv([runtime, *args], "/nowhere"))


SIF = {"APPTAINER_CONTAINER": "/data/step.sif", "APPTAINER_NAME": "step.sif", "SINGULARITY_CONTAINER": "/data/step.sif"}


@pytest.mark.parametrize(
    ("environ", "files", "found"),
    [
        ({}, {}, None),
        (SIF, {}, None),  # leaked to the host
        (SIF, {".singularity.d/labels.json": "{}"}, ("apptainer", "/data/step.sif")),
        ({"SINGULARITY_CONTAINER": "/d/x.sif"}, {".singularity.d/x": ""}, ("singularity", "/d/x.sif")),
        ({}, {".singularity.d/x": ""}, ("apptainer", "unknown")),
        ({"container": "podman"}, {"run/.containerenv": ""}, ("podman", "unknown")),
        ({}, {"run/.containerenv": 'engine="podman-4"\nimage="docker.io/x:1"\n'}, ("podman", "docker.io/x:1")),
        ({}, {".dockerenv": ""}, ("docker", "unknown")),
        ({"CH_RUNNING": "yes"}, {}, ("charliecloud", "unknown")),
        (
            {"CH_RUNNING": "yes"},
            {"proc/self/mountinfo": "1 0 8:1 /var/tmp/img\\040a / ro - ext4 sda rw\n2 1 0:5 / /proc rw - proc p rw\n"},
            ("charliecloud", "/var/tmp/img a"),
        ),
        (
            {"CH_RUNNING": "yes"},
            {"proc/self/mountinfo": "1 0 0:1 / / ro - fuse.squashfuse_ll squashfuse_ll ro\n"},
            ("charliecloud", "squashfuse_ll"),
        ),
        (
            {"CH_RUNNING": "yes"},
            {"proc/self/mountinfo": "1 0 0:39 / / ro,nosuid - fuse /dev/fuse rw,user_id=0\n"},
            ("charliecloud", "unknown"),
        ),
        ({"SHIFTER_IMAGEREQUEST": "docker:debian:12", "SHIFTER_IMAGE": "4f2a"}, {}, ("shifter", "docker:debian:12")),
        ({"SLURM_CONTAINER": "/oci/bundle"}, {}, ("slurm", "/oci/bundle")),
        ({"PYXIS_CONTAINER_IMAGE": "nvcr.io#x"}, {}, ("pyxis", "nvcr.io#x")),
        ({"CH_RUNNING": ""}, {}, None),
    ],
)
def test_inside(tmp_path: Path, environ: dict[str, str], files: dict[str, str], found: tuple[str, str] | None) -> None:
    fact = inside.inside(environ, machines.write(tmp_path, files))
    assert (None if fact is None else (fact["runtime"], fact["image"])) == found
    assert fact is None or ("reason" in fact) == (fact["image"] == "unknown")


@pytest.mark.parametrize("path", ["/a\0b", "/a/../b\0", "/" + "x" * 5000, "/a/../" + "x" * 5000])
def test_a_path_that_cannot_be(path: str) -> None:
    """A record may name any."""
    found = describe(path)
    assert not found["exists"] and found["reason"]


@pytest.mark.parametrize("variable", ["PYXIS_CONTAINER_IMAGE", "SHIFTER_IMAGE", "CH_RUNNING"])
def test_names_from_the_environment_are_scrubbed_and_paths_stay(tmp_path: Path, variable: str) -> None:
    machines.write(tmp_path, {"run/.containerenv": 'image="https://ada:hunter2@h/x"\n'})
    url = {variable: "docker://ada:hunter2@h/x?token=abc" + "y" * 9999}
    for environ in (url, url | {"APPTAINER_NAME": "token=abc"}):
        text = json.dumps([inside.inside(environ, str(tmp_path)), inside.claimed(environ)])
        assert "hunter2" not in text and "abc" not in text and len(text) < 10_000
    path = inside.claimed({"SLURM_CONTAINER": "/data/key=7/bundle"})
    assert path is not None and path["image"] == "/data/key=7/bundle"


def test_both_and_neither(tmp_path: Path) -> None:
    root = machines.write(tmp_path, {".dockerenv": ""})
    both = container.collect({}, ["apptainer", "run", "x.sif"], "/nowhere", root=root)
    assert [fact["how"] for fact in both["containers"]] == ["inside", "argv"] and "reason" not in both
    neither = container.collect({}, ["./model"], "/", root=str(tmp_path / "empty"))
    assert neither == {"containers": [], "reason": "not in a container, and the command starts none"}


def help_flags(*words: str) -> dict[str, bool]:
    """Flags that the installed Apptainer knows, and whether each takes a value."""
    text = subprocess.run([str(APPTAINER), *words, "--help"], capture_output=True, text=True, check=True).stdout
    flags = {}
    for short, long, kind in re.findall(r"^  (?:(-\w), |    )(--[\w-]+)(?: (\w+))?(?=\s)", text, re.MULTILINE):
        flags.update(dict.fromkeys(filter(None, (short, long)), bool(kind)))
    return flags


@pytest.mark.parametrize("action", [("exec",), ("run",), ("shell",), ("instance", "start")])
def test_our_table_of_flags_is_the_real_one(action: tuple[str, ...]) -> None:
    require("apptainer", APPTAINER)
    flags = help_flags(*action)
    assert len(flags) > 40
    table = runtimes.RUNTIMES["apptainer"]["flags"]
    assert {flag: table(flag) for flag in flags} == flags


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sandbox image that borrows this machine's programs by binding them."""
    require("apptainer", APPTAINER)
    root = tmp_path_factory.mktemp("image") / "sand box"
    for name in (
        "bin",
        "usr",
        "lib",
        "lib64",
        "etc",
        "proc",
        "sys",
        "dev",
        "tmp",
        "var",
        "root",
        "home",
        ".singularity.d",
    ):
        (root / name).mkdir(parents=True)
    yield root


def run_inside(image: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run our own code in the container; it prints the container fact."""
    binds = [word for path in ("/usr", "/lib", "/lib64", "/bin", "/etc") for word in ("-B", f"{path}:{path}")]
    source = Path(__file__).parents[2]
    program = (
        "import json, os, sys; from hpcprov.capture import container;"
        "print(json.dumps(container.collect(os.environ, [], os.getcwd())))"
    )
    python = [os.path.realpath(sys.executable), "-c", program]
    prefix = str(Path(os.path.realpath(sys.executable)).parents[1])
    binds += ["-B", f"{prefix}:{prefix}", "-B", f"{source}:{source}"]
    environ = {"PATH": os.environ["PATH"], "HOME": "/tmp", "APPTAINERENV_PYTHONPATH": str(source)}
    # A root without this capability (nested virtual machines) can not start a container that asks for all of its own.
    environ |= {"APPTAINER_DROP_CAPS": "CAP_SYS_RESOURCE"} if os.getuid() == 0 else {}
    command = [str(APPTAINER), "exec", "-C", *options, *binds, str(image), *python]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)


def test_inside_a_real_apptainer(image: Path) -> None:
    done = run_inside(image)
    if done.returncode and re.search(r"CAP_|capabilit|namespace|Operation not permitted", done.stderr):
        require("apptainer", False)
    assert done.returncode == 0, done.stderr
    fact: dict[str, Any] = json.loads(done.stdout)["containers"][0]
    named = {key: fact[key] for key in ("runtime", "how", "sign", "image", "name", "path")}
    wanted = {"runtime": "apptainer", "how": "inside", "sign": "file", "image": str(image), "name": image.name}
    assert named == wanted | {"path": str(image)}

"""Which image ran, on the real runtimes: the launcher outside and inside, and what a second run costs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.record_check import check_record

from . import images
from .conftest import ROOT, Site, until

#: podman wants less of limits and networks than some machines give.
PODMAN_RUN = ("--runtime", "runc", "run", "--rm", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096",
              "--network=none")  # fmt: skip
BAKED = "localhost/hpcprov-test-baked:1"
OLD = time.time() - 100


class Place:
    """A directory with a store, hpcprov on the PATH, and commands run there."""

    def __init__(self, cwd: Path, installed: Path) -> None:
        self.cwd, self.hpcprov = cwd, str(installed / "hpcprov")
        foreign = ("HPCPROV", "SLURM_", "PMI", "APPTAINER", "SINGULARITY", "CH_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env |= images.environment() | {"PATH": f"{installed}:{os.environ['PATH']}"}
        self.env |= {"HPCPROV_DIR": str(cwd / ".hpcprov"), "APPTAINER_CACHEDIR": str(cwd / "cache")}

    def call(self, *argv: object, check: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in argv]
        done = subprocess.run(words, cwd=self.cwd, env=self.env | env, capture_output=True, text=True, timeout=120)
        assert check is None or done.returncode == check, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def run(self, *argv: object, **env: str) -> dict[str, Any]:
        """`hpcprov exec -- ARGV`, and its record."""
        self.call(self.hpcprov, "exec", "--", *argv, **env)
        return self.record()

    def record(self, run: str = "last") -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.call(self.hpcprov, "show", run, "--json").stdout)
        check_record(record)
        return record


def facts(record: dict[str, Any], kind: str, key: str) -> list[dict[str, Any]]:
    """The list in a record's fact of that kind."""
    found = [fact["value"][key] for fact in record["facts"].values() if fact["kind"] == kind]
    return [one for many in found for one in many]


def only_image(record: dict[str, Any]) -> dict[str, Any]:
    (found,) = facts(record, "image", "images")
    return found


def containers(record: dict[str, Any], *how: str) -> list[dict[str, Any]]:
    """The containers of a run, those left out that this machine itself may be in."""
    return [one for one in facts(record, "container", "containers") if one["how"] in (how or ("argv", "seen"))]


@pytest.fixture
def place(tmp_path: Path, installed: Path) -> Place:
    cwd = tmp_path / "it's a place"
    cwd.mkdir()
    return Place(cwd, installed)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root directory."""
    root = images.folder(tmp_path_factory.mktemp("images") / "sand box")
    os.utime(root, (OLD, OLD))
    return root


def build(apptainer: str, image: Path, source: Path) -> Path:
    command = [apptainer, "build", str(image), str(source)]
    subprocess.run(command, env=os.environ | images.environment(), check=True, capture_output=True, timeout=120)
    os.utime(image, (OLD, OLD))
    return image


@pytest.fixture(scope="session")
def sif(apptainer: str, sandbox: Path) -> Path:
    return build(apptainer, sandbox.parent / "step.sif", sandbox)


@pytest.fixture(scope="session")
def oci_image(podman: str, sandbox: Path) -> Iterator[str]:
    """A reference that podman knows."""
    containerfile = sandbox.parent / "Containerfile"
    containerfile.write_text("FROM scratch\nCOPY . /\nLABEL org.opencontainers.image.version=1.2\n")
    name = "localhost/hpcprov-test:1"
    command = [podman, "build", "--isolation", "chroot", "-q", "-t", name, "-f", str(containerfile), str(sandbox)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    yield name
    subprocess.run([podman, "rmi", "-f", name, BAKED], capture_output=True, timeout=120)


@pytest.fixture(scope="session")
def image_id(podman: str, oci_image: str) -> str:
    told = subprocess.run([podman, "image", "inspect", oci_image], capture_output=True, check=True, timeout=60).stdout
    return f"sha256:{json.loads(told)[0]['Id']}"


def partition_digest(apptainer: str, image: Path) -> str:
    """SHA-256 of the primary partition, as Apptainer itself hands it out."""
    listed = subprocess.run([apptainer, "sif", "list", str(image)], capture_output=True, text=True, check=True).stdout
    number = next(line.split()[0] for line in listed.splitlines() if "*System" in line)
    data = subprocess.run([apptainer, "sif", "dump", number, str(image)], capture_output=True, check=True).stdout
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_an_image_file_from_outside(place: Place, apptainer: str, sif: Path) -> None:
    (place.cwd / "link.sif").symlink_to(sif)
    record = place.run(apptainer, "exec", "link.sif", "sh", "-c", "echo from inside")
    found = only_image(record)
    assert found["identity"] == {"digest": partition_digest(apptainer, sif), "of": "primary partition"}
    assert found["how"] == "full" and found["format"] == "sif" and found["signatures"] == []
    assert found["labels"]["org.label-schema.build-arch"]
    (container,) = containers(record, "argv")
    assert container["path"] == str(place.cwd / "link.sif") and container["size"] == sif.stat().st_size
    told = place.call(place.hpcprov, "show", "last").stdout
    assert f"apptainer {found['identity']['digest'][:19]} " in told
    again: list[dict[str, Any]] = []  # what was touched less than 2 s ago is read again

    def cached() -> bool:
        again.append(only_image(place.run("env", "A=1", apptainer, "exec", "link.sif", "true")))
        return bool(again[-1]["how"] == "cached")

    until(cached, "the image was read each time")
    assert again[-1] == found | {"how": "cached"}


@pytest.mark.parametrize("code", [0, 7])
def test_the_status_is_that_of_the_program_inside(place: Place, apptainer: str, sif: Path, code: int) -> None:
    command = [place.hpcprov, "exec", "--", apptainer, "exec", str(sif), "sh", "-c", f"exit {code}"]
    place.call(*command, check=code)
    until(lambda: not os.listdir(place.cwd / ".hpcprov/runs"), "the run was not merged")
    assert only_image(place.record())["identity"]


def test_a_sandbox_an_instance_and_a_script(place: Place, apptainer: str, sif: Path, sandbox: Path) -> None:
    (place.cwd / "job.sh").write_text(f"#!/bin/sh\n'{apptainer}' exec '{sif}' sleep 4\n")
    os.chmod(place.cwd / "job.sh", 0o755)
    script = subprocess.Popen([place.hpcprov, "exec", "--run-id", "script", "./job.sh"], cwd=place.cwd, env=place.env)
    shutil.copytree(sandbox, place.cwd / "sandbox", symlinks=True)
    folder = only_image(place.run(apptainer, "exec", "sandbox", "true"))
    assert folder["identity"]["of"] == "directory tree" and folder["identity"]["digest"].startswith("blake3:")
    name = f"hpcprov-{os.getpid()}"
    place.call(apptainer, "instance", "start", sif, name)
    try:
        instance = place.run(apptainer, "exec", f"instance://{name}", "true")
    finally:
        place.call(apptainer, "instance", "stop", name)
    assert only_image(instance).get("path") == str(sif), instance["facts"]
    assert only_image(instance)["identity"]["digest"] == partition_digest(apptainer, sif)
    assert script.wait(60) == 0
    record = place.record("script")
    (seen,) = containers(record)
    assert seen["how"] == "seen" and seen["path"] == str(sif) and only_image(record)["identity"]


def test_archives(place: Place, apptainer: str, podman: str, oci_image: str, image_id: str) -> None:
    for kind in ("oci-archive", "docker-archive"):
        place.call(podman, "save", "-q", "--format", kind, "-o", f"{kind}.tar", oci_image)
        found = only_image(place.run(apptainer, "exec", f"{kind}:{kind}.tar", "true"))
        assert found["format"] == "archive" and found["identity"]["config"] == image_id
        assert found["labels"]["org.opencontainers.image.version"] == "1.2"
    place.call("mkdir", "layout")
    place.call("tar", "-C", "layout", "-xf", "oci-archive.tar")
    layout = only_image(place.run(apptainer, "exec", "oci:layout", "true"))
    assert layout["format"] == "oci" and layout["identity"]["config"] == image_id


def test_podman_tells_its_image(place: Place, podman: str, oci_image: str, image_id: str) -> None:
    record = place.run(podman, *PODMAN_RUN, oci_image, "true")
    found = only_image(record)
    assert found["how"] == "asked" and found["identity"]["config"] == image_id
    place.call(
        place.hpcprov, "exec", "--", podman, *PODMAN_RUN, "--pull=never", "localhost/no-such:1", "true", check=125
    )
    until(lambda: not os.listdir(place.cwd / ".hpcprov/runs"), "the run was not merged")
    missing = only_image(place.record())
    assert missing["identity"] is None and "no-such" in missing["reason"]


def test_charliecloud(place: Place, charliecloud: str, sandbox: Path) -> None:
    shutil.copytree(sandbox, place.cwd / "image", symlinks=True)
    place.call("mksquashfs", sandbox, "image.sqfs", "-quiet", "-no-progress")
    folder = only_image(place.run(charliecloud, "./image", "--", "/bin/true"))
    assert folder["identity"]["of"] == "directory tree"
    (place.cwd / "store/img").mkdir(parents=True)
    shutil.copytree(sandbox, place.cwd / "store/img/step+1", symlinks=True)
    named = only_image(place.run(charliecloud, "-s", place.cwd / "store", "step:1", "--", "/bin/true"))
    assert named["identity"] == folder["identity"]
    squashed = only_image(place.run(charliecloud, "image.sqfs", "--", "/bin/true"))
    assert squashed["format"] == "squashfs" and squashed["identity"] == {
        "digest": squashed["storage"]["digest"],
        "of": "file",
    }


def test_the_launcher_alone_inside(place: Place, apptainer: str, sif: Path) -> None:
    """An image without Python: the run is recorded, and settling outside tells which image it was."""
    script = str(ROOT / "containers/inside.sh")
    done = place.call(script, sif, "sh", "-c", 'echo "$1"; exit 5', "x", "a  b", check=5)
    assert done.stdout == "a  b\n"
    record = place.record()
    assert record["run"]["status"] == "failed" and record["run"]["argv"][:2] == ["sh", "-c"]
    assert "ok" in place.call(place.hpcprov, "settle", "last").stdout
    settled = place.record()
    assert only_image(settled)["identity"]["digest"] == partition_digest(apptainer, sif)
    (container,) = containers(settled, "environment")
    assert container["image"] == str(sif) and container["sign"] == "environment"
    assert place.call(place.hpcprov, "settle", "last").stdout == "nothing left to do\n"


def lent(installed: Path) -> list[str]:
    """What to bind into an image for a Python with hpcprov: this machine's own, and what it lies in."""
    prefixes = {str(installed.parent), str(Path(os.path.realpath(sys.executable)).parents[1]), str(ROOT)}
    return ["/usr", "/lib", "/lib64", "/bin", "/etc", *sorted(prefixes)]


def test_launcher_and_agent_inside_podman(place: Place, podman: str, oci_image: str, installed: Path) -> None:
    binds = [word for path in (*lent(installed), place.cwd) for word in ("-v", f"{path}:{path}")]
    env = ["-e", f"HPCPROV_DIR={place.cwd}/.hpcprov", "-w", str(place.cwd)]
    place.call(podman, *PODMAN_RUN, *binds, *env, oci_image, place.hpcprov, "exec", "--", "/bin/sleep", "0.1")
    (container,) = containers(place.record(), "inside")
    assert container["runtime"] == "podman" and container["sign"] == "file" and container["image"] == "unknown"


def test_launcher_and_agent_inside(place: Place, apptainer: str, sif: Path, installed: Path) -> None:
    """Python and hpcprov bound into the image; its file is not visible inside at first, then it is."""
    binds = [word for path in (*lent(installed), place.cwd) for word in ("-B", path)]
    command = [apptainer, "exec", "-c", *binds, "--pwd", place.cwd]
    inside = ["--env", f"HPCPROV_DIR={place.cwd}/.hpcprov", sif, place.hpcprov, "exec", "--", "/bin/sleep", "0.1"]
    place.call(*command, *inside)
    hidden = place.record()
    (container,) = containers(hidden, "inside")
    assert container["runtime"] == "apptainer" and container["sign"] == "file" and container["exists"] is False
    assert container["labels"]["org.label-schema.build-arch"] and container["definition"]["size"] > 0
    assert only_image(hidden)["reason"].startswith("its file cannot be seen from here")
    place.call(*command, "-B", sif, *inside)
    assert only_image(place.record())["identity"]["digest"] == partition_digest(apptainer, sif)


def test_variables_that_leaked_to_the_host(place: Place, sif: Path) -> None:
    record = place.run("sh", "-c", "sleep 0.1", APPTAINER_CONTAINER=str(sif), APPTAINER_NAME="step.sif")
    assert not [one for one in facts(record, "container", "containers") if one["runtime"] == "apptainer"]


def test_an_image_that_was_replaced_while_it_ran(place: Place, apptainer: str, sif: Path) -> None:
    shutil.copy2(sif, place.cwd / "x.sif")
    (place.cwd / "swap").write_text("#!/bin/sh\ncp x.sif y.sif && mv y.sif x.sif\n")
    os.chmod(place.cwd / "swap", 0o755)
    replaced = place.run(apptainer, "exec", "-B", place.cwd, "--pwd", place.cwd, "x.sif", "./swap")
    assert only_image(replaced)["reason"] == "it was changed or replaced after the run began"
    place.call(place.hpcprov, "exec", "--hash", "later", "--", apptainer, "exec", "x.sif", "true")
    assert only_image(place.record())["reason"].startswith("later")
    os.utime(place.cwd / "x.sif", (OLD, OLD))
    assert "changed or replaced" in place.call(place.hpcprov, "settle", "last").stdout


@pytest.fixture
def bakery(place: Place, installed: Path) -> Iterator[Callable[[str], Path]]:
    """A directory with the launcher and one of `containers/`."""
    folder = place.cwd / "bakery"
    folder.mkdir()
    shutil.copy(installed / "hpcprov", folder)
    yield lambda name: Path(shutil.copy(ROOT / "containers" / name, folder))


def test_an_apptainer_image_with_the_launcher(
    place: Place, apptainer: str, sandbox: Path, bakery: Callable[[str], Path]
) -> None:
    definition = bakery("hpcprov.def")
    (definition.parent / "base").symlink_to(sandbox)
    subprocess.run([apptainer, "build", "--build-arg", "BASE=base", "prov.sif", definition], cwd=definition.parent,
                   env=place.env, check=True, capture_output=True, timeout=120)  # fmt: skip
    place.call(apptainer, "run", "-B", place.cwd, definition.parent / "prov.sif", "sh", "-c", "exit 4", check=4)
    assert place.record()["run"]["argv"] == ["sh", "-c", "exit 4"]


def test_an_oci_image_with_the_launcher(
    place: Place, podman: str, charliecloud: str, oci_image: str, bakery: Callable[[str], Path]
) -> None:
    file = bakery("Containerfile")
    name = BAKED
    command = [podman, "build", "--isolation", "chroot", "-q", "--build-arg", f"BASE={oci_image}", "-t", name]
    place.call(*command, "-f", file, file.parent)
    store = ["-e", f"HPCPROV_DIR={place.cwd}/.hpcprov", "-v", f"{place.cwd}:{place.cwd}", "-w", str(place.cwd)]
    place.call(podman, *PODMAN_RUN, *store, name, "sh", "-c", "exit 6", check=6)
    place.call("mkdir", "baked")
    place.call("sh", "-c", f"'{podman}' create --name baked-{os.getpid()} {name} true >/dev/null")
    place.call(
        "sh", "-c", f"'{podman}' export baked-{os.getpid()} | tar -C baked -xf - && '{podman}' rm baked-{os.getpid()}"
    )
    inside = ["--", "/usr/local/bin/hpcprov", "exec", "--", "sh", "-c", "exit 9"]
    place.call(charliecloud, "-b", place.cwd, "-c", place.cwd, "./baked", *inside, check=9)
    assert place.record()["run"]["argv"] == ["sh", "-c", "exit 9"]


def test_on_several_nodes(site: Site, apptainer: str, sif: Path) -> None:
    """srun outside, and the launcher outside of Apptainer or inside it: one record for four ranks on two nodes."""
    env = images.environment()
    layout = ("srun", "-N2", "-n4", "--mpi=none")
    site.run(*layout, site.hpcprov, "exec", "--", apptainer, "exec", sif, "sh", "-c", "sleep 0.5", env=env)
    record = site.record()
    assert record["run"]["status"] == "completed" and len(record["nodes"]) == 2 and record["ranks"]["count"] == 4
    found = only_image(record)
    assert found["identity"]["digest"] == partition_digest(apptainer, sif) and "other_on" not in found
    (site.cwd / "seen").touch()
    bound = env | {"APPTAINER_BIND": f"{site.cwd}:/mnt"}
    site.run(*layout, ROOT / "containers/inside.sh", sif, "sh", "-c", "test -f /mnt/seen", env=bound)
    until(lambda: "running" not in {run["status"] for run in site.runs()}, "the step was not settled", 60)
    inside = site.record()
    assert inside["ranks"]["count"] == 4 and inside["run"]["status"] == "completed"

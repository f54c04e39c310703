"""What a container runtime is given, by its command line, its environment and the site's configuration: a table."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.require import require

HERE = Path(__file__).parent
LAUNCHER = HERE.parents[1] / "hpcprov/launcher"
SPOOL = "hpcprov-7-00ff"
CONFIGURATION = "mount dev = yes\nmount tmp = yes\nuser bind control = yes\n"
SAME = ["APPTAINERENV_LD_PRELOAD={spool}/libhpcprov-observe.so", "APPTAINERENV_HPCPROV_IO=1:3:7::{spool}/area"]
BOUND = ["APPTAINERENV_LD_PRELOAD={inside}/libhpcprov-observe.so", "APPTAINERENV_HPCPROV_IO=1:3:7::{inside}/area"]
BIND = ["APPTAINER_BINDPATH={spool}:{inside}"]
LIKE_BEFORE = ["APPTAINERENV_APPTAINER_BIND=", "APPTAINERENV_SINGULARITY_BIND="]
CONTAINED = BIND + LIKE_BEFORE + BOUND
DARK, CARRIED = "dark", "carried"

# The words after `apptainer`, variables, and what comes of them: the assignments, or the way.
ROWS: list[tuple[str, dict[str, str], list[str] | str]] = [
    ("exec x.sif app", {}, SAME),
    ("run x.sif", {}, SAME),
    ("-q exec --nv -e x.sif app --contain", {}, SAME),
    ("exec -eB /data x.sif app", {}, SAME),
    ("exec --bind=/a:/b:ro,/c x.sif app", {}, SAME),
    ("exec --pwd /w --env A=1 x.sif", {}, SAME),
    ("exec -B /dev/shm x.sif", {}, SAME),
    ("exec -B /other:/dev/shm x.sif", {}, DARK),
    ("exec -B /other:/dev x.sif", {}, DARK),
    ("exec -B/other:/ x.sif", {}, DARK),
    ("exec x.sif", {"APPTAINER_BIND": "/a:/dev/shm"}, DARK),
    ("exec x.sif", {"SINGULARITY_BINDPATH": "/a:/b"}, SAME),
    ("exec --contain x.sif", {}, CONTAINED),
    ("exec -C x.sif", {}, CONTAINED),
    ("exec --compat x.sif", {}, CONTAINED),
    ("exec --contain=false x.sif", {}, SAME),
    ("exec x.sif", {"APPTAINER_CONTAINALL": "1"}, CONTAINED),
    ("exec x.sif", {"SINGULARITY_CONTAIN": "0"}, SAME),
    ("exec -C -B /data:/in x.sif", {}, BIND + BOUND),
    ("exec -C -B /data:/tmp x.sif", {}, DARK),
    ("exec -C -B /tmp x.sif", {}, DARK),
    ("exec -C -S /tmp x.sif", {}, DARK),
    ("exec -C x.sif", {"APPTAINER_BIND": "/a"}, ["APPTAINER_BIND=/a,{spool}:{inside}", *BOUND]),
    ("exec -C x.sif", {"APPTAINER_BIND": "/a", "SINGULARITY_BIND": "/b"}, DARK),
    ("exec --no-mount dev x.sif", {}, DARK),
    ("exec --fakeroot x.sif", {}, DARK),
    ("exec x.sif", {"APPTAINER_WORKDIR": "/w"}, DARK),
    ("exec instance://mine app", {}, DARK),
    ("-c other.conf exec x.sif", {}, DARK),
    ("instance start x.sif mine", {}, DARK),
    ("build x.sif x.def", {}, DARK),
    ("--version", {}, CARRIED),
    ("pull docker://debian", {}, CARRIED),
    ("", {}, CARRIED),
    ("exec", {}, CARRIED),
    ("exec x.sif", {"LD_PRELOAD": "/d.so"}, [SAME[0].replace("=", "=/d.so:"), SAME[1]]),
    ("exec -e x.sif", {"LD_PRELOAD": "/d.so"}, SAME),
    ("exec -e x.sif", {"APPTAINERENV_LD_PRELOAD": "/d.so"}, [SAME[0].replace("=", "=/d.so:"), SAME[1]]),
    (
        "exec x.sif",
        {"SINGULARITYENV_LD_PRELOAD": "/d.so"},
        ["SINGULARITYENV_LD_PRELOAD=/d.so:{spool}/libhpcprov-observe.so", SAME[1]],
    ),
    ("exec x.sif", {"LD_PRELOAD": "/d" * 4000}, DARK),
]


class Site:
    """An Apptainer of a site's own: PREFIX/bin/apptainer and its configuration; a spool in shared memory."""

    def __init__(self, probe: Path, prefix: Path, spool: Path) -> None:
        self.probe, self.spool = probe, str(spool)
        self.program = prefix / "bin/apptainer"
        self.configuration = prefix / "etc/apptainer/apptainer.conf"
        for place in (self.program, self.configuration):
            place.parent.mkdir(parents=True)
        shutil.copy(probe, self.program)
        self.configuration.write_text(CONFIGURATION)
        spool.mkdir()
        (spool / "libhpcprov-observe.so").touch()

    def told(self, words: str, env: dict[str, str], *, program: Path | None = None) -> tuple[str, list[str]]:
        """The way and the assignments."""
        runtime = program or self.program
        command = [str(self.probe), str(runtime), self.spool, runtime.name, *words.split()]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
        way, *assignments = done.stdout.splitlines()
        return way, assignments

    def filled(self, assignments: list[str]) -> list[str]:
        inside = f"/tmp/.{os.path.basename(self.spool)}"
        return [one.format(spool=self.spool, inside=inside) for one in assignments]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher's own files with a main around them."""
    compiler = shutil.which("cc")
    require("cc", compiler)
    program = tmp_path_factory.mktemp("containers") / "probe"
    sources = [HERE / "containers.c", LAUNCHER / "containers.c", LAUNCHER / "apptainer.c"]
    subprocess.run(
        [str(compiler), "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{LAUNCHER}", "-o", program, *sources], check=True
    )
    return program


@pytest.fixture
def site(probe: Path, tmp_path: Path) -> Iterator[Site]:
    shared = Path("/dev/shm")
    spool = shared / f"{SPOOL}-{os.getpid()}"
    try:
        yield Site(probe, tmp_path / "apps", spool)
    finally:
        shutil.rmtree(spool, ignore_errors=True)


@pytest.mark.parametrize(("words", "env", "expected"), ROWS)
def test_words(site: Site, words: str, env: dict[str, str], expected: list[str] | str) -> None:
    way, assignments = site.told(words, env)
    if isinstance(expected, str):
        assert (way, assignments) == (expected, [])
    else:
        assert (way, assignments) == (CARRIED, site.filled(expected))


@pytest.mark.parametrize(
    ("line", "open_way", "contained_way"),
    [
        ("mount dev = minimal", DARK, CARRIED),
        ("mount tmp=no", CARRIED, DARK),
        ("user bind control = no", CARRIED, DARK),
        ("# mount dev = no", CARRIED, CARRIED),
        ("max loop devices = 256" + " " * 5000, CARRIED, CARRIED),
    ],
)
def test_what_the_site_says(site: Site, line: str, open_way: str, contained_way: str) -> None:
    site.configuration.write_text(f"{CONFIGURATION}{line}\n")
    assert site.told("exec x.sif", {})[0] == open_way
    assert site.told("exec -C x.sif", {})[0] == contained_way


def test_without_a_copy_of_the_library(site: Site) -> None:
    os.unlink(f"{site.spool}/libhpcprov-observe.so")
    assert site.told("exec x.sif", {}) == (DARK, [])


def test_singularity_may_be_apptainer(site: Site) -> None:
    link = site.program.with_name("singularity")
    link.symlink_to("apptainer")
    assert site.told("exec x.sif", {}, program=link) == (CARRIED, site.filled(SAME))


def test_a_script_of_that_name_is_a_script(site: Site) -> None:
    site.program.write_text("#!/bin/sh\n")
    assert site.told("exec x.sif", {})[0] == "none"


ASKED = "run -v /dev/shm:/dev/shm -e HPCPROV_IO -e LD_PRELOAD image app"


def test_podman_takes_what_its_command_line_says(site: Site) -> None:
    podman = site.program.with_name("podman")
    shutil.copy(site.program, podman)
    assert site.told("run image app", {}, program=podman) == (DARK, [])
    assert site.told(ASKED.replace("-v /dev/shm:/dev/shm", ""), {}, program=podman) == (DARK, [])
    expected = [f"LD_PRELOAD={site.spool}/libhpcprov-observe.so", f"HPCPROV_IO=1:3:7:v:{site.spool}/area"]
    assert site.told(ASKED, {}, program=podman) == (CARRIED, expected)
    assert site.told(ASKED.replace("-e ", "--env="), {}, program=podman) == (CARRIED, expected)


@pytest.mark.parametrize("words", ["-d", "-itd", "--detach"])
def test_podman_in_the_background(site: Site, words: str) -> None:
    """The container may still run when the spool is gone."""
    podman = site.program.with_name("podman")
    shutil.copy(site.program, podman)
    assert site.told(ASKED.replace("run ", f"run {words} "), {}, program=podman) == (DARK, [])
    assert site.told(ASKED.replace("run ", "create "), {}, program=podman) == (DARK, [])
    assert site.told(ASKED.replace("run ", "run -it "), {}, program=podman)[0] == CARRIED

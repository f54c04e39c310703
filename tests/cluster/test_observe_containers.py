"""What programs in containers read and write, named as outside: Apptainer in its ways, Charliecloud, podman, musl; and
that those programs notice nothing of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.require import require

from . import images
from .test_containers import PODMAN_RUN, Place, build, lent, oci_image, place, sandbox, sif

__all__ = ["oci_image", "place", "sandbox", "sif"]  # fixtures

# Reads what is bound and what the image holds, writes into the working directory and where nothing stays.
WORK = "cat /data/in.csv > out.csv; cat /etc/group > /dev/null; echo gone > /tmp/scratch.csv"


@pytest.fixture
def data(place: Place) -> Path:
    """A file in a directory that is bound as /data."""
    folder = place.cwd.parent / "data of all"
    folder.mkdir()
    (folder / "in.csv").write_text("1,2\n")
    return folder


def touched(record: dict[str, Any], role: str) -> dict[str, str]:
    """What a run used or generated: how it was seen, by path."""
    return {one["path"]: one["observed"]["access"] for one in record["artifacts"][role] if one["observed"]}


def programs(record: dict[str, Any]) -> dict[str, str | None]:
    """Whether the programs of a run were seen, by name."""
    rows = record["observation"]["programs"]
    return {os.path.basename(one["path"]): one["blind"] for one in rows}


def check_work(record: dict[str, Any], place: Place, data: Path) -> None:
    assert touched(record, "used") == {str(data / "in.csv"): "read"}
    assert touched(record, "generated") == {str(place.cwd / "out.csv"): "written"}
    assert programs(record)["cat"] is None
    assert record["observation"]["complete"], record["observation"]


@pytest.mark.parametrize("flags", ["", "--cleanenv", "--contain --writable-tmpfs", "--containall", "--compat", "-u -e"])
def test_apptainer(place: Place, apptainer: str, sif: Path, data: Path, flags: str) -> None:
    here = ["-B", f"{data}:/data,{place.cwd}:/work", "--pwd", "/work"]
    record = place.run(apptainer, "exec", *flags.split(), *here, sif, "sh", "-c", WORK)
    check_work(record, place, data)
    assert programs(record)["apptainer"] is None
    (cat,) = {(row["path"], row["sha256"]) for row in record["observation"]["programs"] if row["path"].endswith("/cat")}
    assert cat == ("image:/bin/cat", None)


def test_apptainer_in_a_script(place: Place, apptainer: str, sandbox: Path, data: Path) -> None:
    (place.cwd / "job.sh").write_text(
        f'#!/bin/sh\n{apptainer} exec -C -B "{data}:/data,$PWD:/w" --pwd /w "$1" sh -c "$2"\n'
    )
    record = place.run("sh", "job.sh", sandbox, WORK)
    check_work(record, place, data)
    (shell,) = (row for row in record["observation"]["programs"] if row["argv"][1:] == ["job.sh", str(sandbox), WORK])
    (runtime,) = (row for row in record["observation"]["programs"] if row["path"] == os.path.realpath(apptainer))
    assert runtime["parent"] == shell["id"]


@pytest.mark.parametrize("flags", ["", "--containall"])
def test_programs_inside_notice_nothing(place: Place, apptainer: str, sif: Path, flags: str) -> None:
    command = [apptainer, "exec", *flags.split(), sif, "sh", "-c", "env; ls -l /proc/self/fd; echo $0 $$ >&2; exit 3"]
    ours = place.call(place.hpcprov, "exec", "--", *command, check=3)
    bare = place.call(*command, check=3)
    own = ("HPCPROV_RUN=", "PWD=", "OLDPWD=", "_=")

    def said(text: str) -> list[str]:
        lines = (line for line in text.splitlines() if not line.startswith(own))
        return sorted(line.split()[-1] if "->" not in line else "fd" for line in lines)

    assert said(ours.stdout) == said(bare.stdout)
    assert len(ours.stderr.splitlines()) == len(bare.stderr.splitlines()), ours.stderr


@pytest.mark.parametrize("flags", ["--no-mount dev", "-B /var:/dev/shm", "--containall -S /tmp"])
def test_where_nothing_of_ours_gets_in(place: Place, apptainer: str, sif: Path, flags: str) -> None:
    command = [apptainer, "exec", *flags.split(), sif, "sh", "-c", "echo out; echo err >&2"]
    ours, bare = place.call(place.hpcprov, "exec", "--", *command), place.call(*command)
    assert (ours.stdout, ours.stderr) == (bare.stdout, bare.stderr)
    record = place.record()
    assert programs(record) == {"apptainer": "container"}
    assert not record["observation"]["complete"]


def test_charliecloud(place: Place, charliecloud: str, sandbox: Path, data: Path) -> None:
    (sandbox / "data").mkdir(exist_ok=True)
    record = place.run(
        charliecloud, "-b", f"{data}:/data", "-b", f"{place.cwd}:/mnt", "-c", "/mnt", sandbox, "--", "sh", "-c", WORK
    )
    check_work(record, place, data)


def test_charliecloud_where_the_area_is_not_seen(place: Place, charliecloud: str, sandbox: Path) -> None:
    """The spool lies below /tmp, and the container has a /tmp of its own: not even the loader says a word."""
    command = [charliecloud, "-t", sandbox, "--", "cat", "/etc/group"]
    shell = f'mount -t tmpfs -o ro none /dev/shm; exec {place.hpcprov} exec -- "$@"'
    ours = place.call("unshare", "-m", "sh", "-c", shell, "sh", *command)
    bare = place.call(*command)
    assert (ours.stdout, ours.stderr) == (bare.stdout, bare.stderr)


def test_podman(place: Place, podman: str, oci_image: str, data: Path) -> None:
    mounts = ["-v", f"{data}:/data", "-v", f"{place.cwd}:/work", "-w", "/work"]
    dark = place.run(podman, *PODMAN_RUN, *mounts, oci_image, "sh", "-c", WORK)
    assert programs(dark) == {"podman": "container"} and not touched(dark, "generated")
    asked = ["-v", "/dev/shm:/dev/shm", "-e", "HPCPROV_IO", "-e", "LD_PRELOAD"]
    record = place.run(podman, *PODMAN_RUN, *mounts, *asked, oci_image, "sh", "-c", WORK)
    assert touched(record, "used").get(str(data / "in.csv")) == "read"
    assert touched(record, "generated").get(str(place.cwd / "out.csv")) == "written"
    assert programs(record)["cat"] is None


MUSL = r"""
#include <stdio.h>
int main(void) {
    FILE *in = fopen("/data/in.csv", "r"), *out = fopen("out.csv", "w");
    for (int c; (c = getc(in)) != EOF;) putc(c, out);
    return fclose(out);
}
"""


def test_an_image_with_another_c_library(place: Place, apptainer: str, data: Path, tmp_path: Path) -> None:
    compiler = shutil.which("musl-gcc")
    require("musl-gcc", compiler)
    root = tmp_path / "musl"
    for name in ("bin", "lib", *images.FOLDERS):
        (root / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "cat.c").write_text(MUSL)
    subprocess.run([str(compiler), "-o", root / "bin/cat", tmp_path / "cat.c"], check=True, timeout=60)
    told = subprocess.run(["readelf", "-l", root / "bin/cat"], capture_output=True, text=True, check=True).stdout
    loader = told.split("interpreter: ")[1].split("]")[0]
    shutil.copy(os.path.realpath(loader), root / loader.lstrip("/"))
    image = build(apptainer, tmp_path / "musl.sif", root)
    record = place.run(
        apptainer, "exec", "-C", "-B", f"{data}:/data,{place.cwd}:/work", "--pwd", "/work", image, "/bin/cat"
    )
    check_work(record, place, data)


def test_hpcprov_inside(place: Place, apptainer: str, sif: Path, installed: Path, data: Path) -> None:
    """The launcher, its agent and the application run in the container: names are those of inside."""
    binds = [*lent(installed), f"{data}:/data", f"{place.cwd}:/srv"]
    command = [apptainer, "exec", "-c", *(word for bind in binds for word in ("-B", bind)), "--pwd", "/srv"]
    inside = ["--env", "HPCPROV_DIR=/srv/.hpcprov", sif, place.hpcprov, "exec", "--", "sh", "-c", WORK]
    place.call(*command, *inside)
    record = place.record()
    assert touched(record, "used") == {"/data/in.csv": "read"}
    assert touched(record, "generated") == {"/srv/out.csv": "written"}

"""SIF images that Apptainer makes, read and labelled by hpcprov; what it made, shown and verified by Apptainer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hpcprov.capture.container import sif, sif_content
from hpcprov.capture.container.sif_types import PARTITION, SBOM, SIGNATURE
from tests.require import require

LABEL = "import sys; from hpcprov.cli import main; sys.exit(main(sys.argv[1:]))"
PROGRAM = """#include <stdio.h>
#include <unistd.h>
int main(void) { puts("alive"); fflush(stdout); sleep(%d); return 0; }
"""
FOREIGN_ARCHITECTURE = "10"  # mips64le


class Bench:
    """A folder with an image `x.sif`, Apptainer with keys of its own, and hpcprov."""

    def __init__(self, apptainer: str, folder: Path, env: Mapping[str, str]) -> None:
        self.apptainer, self.folder, self.env = apptainer, folder, dict(env)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *words: str, status: int = 0) -> str:
        """Apptainer with these words, in the folder; what it says, on both channels."""
        return self.command(self.apptainer, *words, status=status)

    def hpcprov(self, *words: str, status: int = 0) -> str:
        return self.command(sys.executable, "-c", LABEL, *words, status=status)

    def command(self, *words: str, status: int) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert (done.returncode == 0) == (status == 0), (
            f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        )
        return done.stdout + done.stderr

    def bytes(self, *words: str) -> bytes:
        return subprocess.run(
            [self.apptainer, *words], cwd=self.folder, env=self.env, check=True, capture_output=True, timeout=120
        ).stdout

    def labels(self, name: str) -> dict[str, str]:
        """What `apptainer inspect` shows."""
        found: dict[str, str] = json.loads(self.bytes("inspect", "--json", name))["data"]["attributes"]["labels"]
        return found

    def identity(self, name: str) -> dict[str, Any]:
        with sif.opened(self.path(name)) as image:
            return sif_content.identity(image)


@pytest.fixture(scope="module")
def workshop(apptainer: str, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Images that are made once: plain.sif, and signed.sif by a key of this bench."""
    require("cc", shutil.which("cc"))
    folder = tmp_path_factory.mktemp("workshop")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("APPTAINER", "SINGULARITY"))}
    for name in ("cache", "keys", "tmp"):
        (folder / name).mkdir(mode=0o700)
    env |= {"APPTAINER_CACHEDIR": str(folder / "cache"), "APPTAINER_KEYSDIR": str(folder / "keys")}
    env |= {"APPTAINER_TMPDIR": str(folder / "tmp"), "APPTAINER_DROP_CAPS": "CAP_SYS_RESOURCE"}
    bench = Bench(apptainer, folder, env)
    for name, seconds in (("sh", 0), ("wait", 30)):
        build_program(folder, name, seconds)
    (folder / "x.def").write_text("Bootstrap: localimage\nFrom: root/\n\n%labels\n    maker Ada L\n    a 1\n")
    bench.run("build", "plain.sif", "x.def")
    new_key(bench, "Ada")
    shutil.copy(bench.path("plain.sif"), bench.path("signed.sif"))
    bench.run("sign", "signed.sif")
    return bench


def build_program(folder: Path, name: str, seconds: int) -> None:
    root = folder / "root" / "bin"
    root.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.c"
    source.write_text(PROGRAM % seconds)
    subprocess.run(["cc", "-static", "-o", root / name, source], check=True)


def new_key(bench: Bench, name: str) -> None:
    words = ["--name", name, "--email", f"{name}@example.org", "--comment", "c", "--password", "", "--push=false"]
    bench.run("key", "newpair", *words)


@pytest.fixture
def bench(workshop: Bench, tmp_path: Path) -> Bench:
    """A folder of its own with copies of both images."""
    for name in ("plain.sif", "signed.sif", "x.def"):
        shutil.copy(workshop.path(name), tmp_path)
    for name in ("root", "keys"):
        shutil.copytree(workshop.folder / name, tmp_path / name)
    env = {name: value for name, value in workshop.env.items() if not name.startswith(("HPCPROV", "SLURM"))}
    return Bench(workshop.apptainer, tmp_path, env | {"APPTAINER_KEYSDIR": str(tmp_path / "keys")})


def overlay(bench: Bench) -> None:
    (bench.folder / "overlay.img").write_bytes(os.urandom(5000))
    partition = ["--datatype", "4", "--partfs", "2", "--parttype", "4", "--partarch", "2", "--groupid", "1"]
    bench.run("sif", "add", *partition, "plain.sif", "overlay.img")


def several(bench: Bench) -> None:
    overlay(bench)
    (bench.folder / "note.txt").write_text("a note")
    partition = ["--datatype", "4", "--partfs", "4", "--parttype", "3", "--partarch", FOREIGN_ARCHITECTURE]
    bench.run("sif", "add", *partition, "--groupid", "2", "plain.sif", "note.txt")
    bench.run("sif", "add", "--datatype", "7", "--link", "3", "plain.sif", "note.txt")
    bench.run("sif", "add", "--datatype", "9", "--sbomformat", "cyclonedx-json", "plain.sif", "note.txt")
    bench.run("sif", "del", "5", "plain.sif")


def system(bench: Bench) -> None:
    """Another partition is the primary one, of another architecture."""
    (bench.folder / "other.img").write_bytes(b"other" * 100)
    partition = ["--datatype", "4", "--partfs", "1", "--parttype", "1", "--partarch", FOREIGN_ARCHITECTURE]
    bench.run("sif", "add", *partition, "--groupid", "1", "plain.sif", "other.img")
    bench.run("sif", "setprim", "4", "plain.sif")


def sign_twice(bench: Bench) -> None:
    bench.run("sign", "plain.sif")
    bench.run("sign", "plain.sif")


def labelled(bench: Bench) -> None:
    bench.hpcprov("image", "label", "plain.sif", "--label", "b=2")


def as_built(bench: Bench) -> None:
    pass


MAKERS = [as_built, overlay, several, system, sign_twice, labelled]


@pytest.mark.parametrize("make", MAKERS)
def test_images_are_read_as_apptainer_reads_them(bench: Bench, make: Callable[[Bench], None]) -> None:
    make(bench)
    with sif.opened(bench.path("plain.sif")) as image:
        assert listed(image.sif) == bench.run("sif", "list", "plain.sif")
        assert head(image.sif) in bench.run("sif", "header", "plain.sif")
        for item in image.sif.objects:
            told = bench.run("sif", "info", str(item.id), "plain.sif")
            assert not [line for line in details(item) if line not in [words(text) for text in told.splitlines()]], told
            assert sif.data(image, item, 1 << 26) == bench.bytes("sif", "dump", str(item.id), "plain.sif")
        primary = image.sif.primary
        assert primary is not None
        found = sif_content.identity(image)
        dumped = bench.bytes("sif", "dump", str(primary.id), "plain.sif")
        assert found["digest"] == f"sha256:{hashlib.sha256(dumped).hexdigest()}"
        assert len(found["others"]) == len(image.sif.partitions) - 1
        if make is not system:  # whose partition is none that can be mounted
            assert sif_content.labels(image)["labels"] == bench.labels("plain.sif")


def words(line: str) -> str:
    return " ".join(line.split())


def listed(image: sif.Sif) -> str:
    """The lines of `apptainer sif list`."""
    rule = "-" * 78
    lines = [rule, "ID   |GROUP   |LINK    |SIF POSITION (start-end)  |TYPE", rule]
    for item in image.objects:
        link = "NONE" if item.link is None else f"{item.link:<4}{'(G)' if item.linked_to_group else ''}"
        place = f"{item.offset}-{item.offset + item.size}"
        lines.append(f"{item.id:<5}|{item.group or 'NONE':<8}|{link:<8}|{place:<26}|{kind(item)}")
    return "\n".join([*lines, ""])


def kind(item: sif.Object) -> str:
    about = item.about
    if item.kind == PARTITION:
        return f"FS ({about['file_system']}/{role(about)}/{about['arch']})"
    if item.kind == SIGNATURE:
        return f"Signature ({about['hash']})"
    return f"SBOM ({about['format']})" if item.kind == SBOM else item.type


def role(about: dict[str, Any]) -> str:
    return {"primary": "*System", "system": "System", "data": "Data", "overlay": "Overlay"}[about["role"]]


def head(image: sif.Sif) -> str:
    """Lines of `apptainer sif header`."""
    stamps = [time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(at)) for at in (image.created, image.modified)]
    rows = [("Version:", image.version), ("Primary Architecture:", image.arch), ("ID:", image.uuid)]
    rows += [("Created At:", stamps[0]), ("Modified At:", stamps[1]), ("Descriptors Free:", image.free)]
    rows += [("Descriptors Total:", image.total), ("Descriptors Offset:", image.table_offset)]
    return "\n".join(f"{name:<22}{value}" for name, value in rows)


def details(item: sif.Object) -> list[str]:
    """Lines of `apptainer sif info`."""
    lines = [f"ID: {item.id}", f"Group ID: {item.group or 'NONE'}", f"Offset: {item.offset}", f"Size: {item.size}"]
    lines += [f"Name: {item.name}"] if item.name else []
    if item.kind == PARTITION:
        lines += [f"Partition Type: {role(item.about)}", f"Architecture: {item.about['arch']}"]
    if item.kind == SIGNATURE:
        lines += [f"Hash Type: {item.about['hash']}", f"Entity: {item.about['fingerprint']}"]
    return lines


def test_labels_are_shown_and_the_image_runs(bench: Bench) -> None:
    before = bench.identity("plain.sif")
    bench.hpcprov("image", "label", "plain.sif", "--label", "a=two words", "--label", "org.x=ü")
    assert bench.labels("plain.sif").items() >= {"a": "two words", "org.x": "ü", "maker": "Ada L"}.items()
    assert "alive" in bench.run("exec", "plain.sif", "/bin/sh")
    assert bench.identity("plain.sif") == before
    assert "Bootstrap: localimage" in bench.run("inspect", "--deffile", "plain.sif")
    bench.run("sign", "plain.sif")
    assert bench.run("verify", "--local", "plain.sif")


def test_a_signed_image_keeps_verifying_and_shows_its_labels(bench: Bench) -> None:
    before = Path(bench.path("signed.sif")).read_bytes()
    assert "--resign" in bench.hpcprov("image", "label", "signed.sif", "--label", "a=2", status=2)
    assert Path(bench.path("signed.sif")).read_bytes() == before
    signature = bench.bytes("sif", "dump", "4", "signed.sif")
    for value in ("2", "3"):
        bench.hpcprov("image", "label", "signed.sif", "--label", f"a={value}", "--resign")
        assert bench.labels("signed.sif")["a"] == value
        told = bench.run("verify", "--local", "signed.sif")
        assert "Verified signature(s)" in told and told.count("Objects verified") == 2
        assert bench.bytes("sif", "dump", "4", "signed.sif") == signature
    assert "alive" in bench.run("exec", "signed.sif", "/bin/sh")
    shown = bench.hpcprov("image", "show", "signed.sif")
    assert "group 1 by" in shown and "group 2 by" in shown and "CHANGED" not in shown


def test_labels_in_a_group_that_the_user_signs(bench: Bench) -> None:
    told = bench.hpcprov("image", "label", "signed.sif", "--label", "a=2", "--group", "2")
    assert "apptainer sign --group-id 2" in told
    assert bench.labels("signed.sif")["a"] == "2"
    bench.run("verify", "--local", "--group-id", "1", "signed.sif")
    bench.run("verify", "--local", "signed.sif", status=255)
    bench.run("sign", "--group-id", "2", "signed.sif")
    bench.run("verify", "--local", "signed.sif")


def test_signatures_of_several_people(bench: Bench) -> None:
    """The labels are signed by who labels; what others have signed stays."""
    new_key(bench, "Bob")
    bench.run("sign", "--keyidx", "1", "signed.sif")
    bench.hpcprov("image", "label", "signed.sif", "--label", "a=2", "--resign", "--key-index", "0")
    assert bench.run("verify", "--local", "signed.sif").count("Objects verified") == 3
    told = bench.hpcprov(
        "image", "label", "signed.sif", "--label", "a=3", "--resign", "--key-index", "0", "--group", "1"
    )
    assert "takes the place of that of" in told and told.count(",") >= 1
    assert bench.run("verify", "--local", "signed.sif").count("Objects verified") == 2
    assert bench.labels("signed.sif")["a"] == "3"


def test_a_key_in_a_file(bench: Bench) -> None:
    require("openssl", shutil.which("openssl"))
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]
    bench.command(*make, status=0)
    bench.command("openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "key.pub", status=0)
    bench.run("sign", "--key", "key.pem", "plain.sif")
    bench.hpcprov("image", "label", "plain.sif", "--label", "a=2", "--resign", "--key", "key.pem")
    assert bench.run("verify", "--key", "key.pub", "plain.sif").count("Objects verified") == 2
    assert bench.labels("plain.sif")["a"] == "2"


def test_without_a_key_nothing_changes(bench: Bench) -> None:
    before = Path(bench.path("signed.sif")).read_bytes()
    (bench.folder / "none").mkdir(mode=0o700)
    bench.env["APPTAINER_KEYSDIR"] = bench.path("none")
    told = bench.hpcprov("image", "label", "signed.sif", "--label", "a=2", "--resign", status=2)
    assert "did not sign group 2" in told
    assert Path(bench.path("signed.sif")).read_bytes() == before
    assert not list(bench.folder.glob(".hpcprov-label*"))


def test_apptainer_can_go_on_editing(bench: Bench) -> None:
    """Numbers of objects are given once, also by Apptainer after us."""
    bench.hpcprov("image", "label", "signed.sif", "--label", "a=2", "--resign")
    (bench.folder / "note.txt").write_text("a note")
    for _ in range(2):
        bench.run("sif", "add", "--datatype", "7", "--groupid", "3", "signed.sif", "note.txt")
    with sif.opened(bench.path("signed.sif")) as image:
        numbers = [item.id for item in image.sif.objects]
    assert sorted(numbers) == list(range(1, 9))
    bench.run("sif", "del", "8", "signed.sif")
    bench.run("sif", "del", "7", "signed.sif")
    bench.run("verify", "--local", "signed.sif")


def test_an_image_whose_labels_are_inside(bench: Bench) -> None:
    bench.run("sif", "del", "2", "plain.sif")
    bench.hpcprov("image", "label", "plain.sif", "--label", "a=2")
    assert bench.labels("plain.sif")["a"] == "2"
    assert "Bootstrap: localimage" in bench.run("inspect", "--deffile", "plain.sif")


def test_an_image_in_use(bench: Bench) -> None:
    """The container goes on with the file that it has; who starts it anew gets the labelled one."""
    running = subprocess.Popen(
        [bench.apptainer, "exec", "plain.sif", "/bin/wait"],
        cwd=bench.folder, env=bench.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        assert running.stdout is not None and running.stdout.readline() == b"alive\n"
        bench.hpcprov("image", "label", "plain.sif", "--label", "a=2")
        assert running.poll() is None and bench.labels("plain.sif")["a"] == "2"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def test_labels_in_a_definition_file_are_built_in(bench: Bench) -> None:
    definition = bench.folder / "x.def"
    definition.write_text(definition.read_text() + "\n%labels\n  # more\n  b 1\n\n%help\n  a 5\n")
    words = ["--def", "x.def", "--label", "a=two words", "--label", "b=", "--label", "c=x # y"]
    bench.hpcprov("image", "label", *words)
    text = definition.read_text()
    bench.hpcprov("image", "label", *words)
    assert definition.read_text() == text and "# more" in text and "  a 5\n" in text
    bench.run("build", "new.sif", "x.def")
    assert bench.labels("new.sif").items() >= {"a": "two words", "b": "", "c": "x # y", "maker": "Ada L"}.items()


def test_the_runs_that_used_an_image(bench: Bench, installed: Path) -> None:
    shutil.copy(bench.path("plain.sif"), bench.path("other.sif"))
    hpcprov = str(installed / "hpcprov")
    bench.command(hpcprov, "exec", "--name", "with", "--", bench.apptainer, "exec", "plain.sif", "/bin/sh", status=0)
    bench.command(hpcprov, "exec", "--name", "without", "--", "true", status=0)
    bench.hpcprov("image", "label", "other.sif", "--from-run", "last", "--label", "a=2")
    for name in ("plain.sif", "other.sif", bench.identity("plain.sif")["digest"]):
        found = json.loads(bench.hpcprov("image", "used-by", name, "--json"))
        assert [run["name"] for run in found] == ["with"], name
    assert bench.labels("other.sif")["io.hpcprov.run"]


def test_a_full_disk(bench: Bench) -> None:
    """Root's own small file system: the image is refused before anything is written, and goes elsewhere."""
    small = bench.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        shutil.copy(bench.path("plain.sif"), small)
        told = bench.hpcprov("image", "label", "small/plain.sif", "--label", "a=2", status=2)
        assert "bytes free" in told and "--output" in told
        assert os.listdir(small) == ["plain.sif"]
        bench.hpcprov("image", "label", "small/plain.sif", "--label", "a=2", "--output", "labelled.sif")
        assert bench.labels("labelled.sif")["a"] == "2" and bench.labels("small/plain.sif")["a"] == "1"
    finally:
        subprocess.run(["umount", small], check=True)

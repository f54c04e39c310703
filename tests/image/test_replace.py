"""A labelled copy takes the image's place: killed, refused, raced, without room, on links; it is whole after all."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcprov.capture.container import sif, sif_content
from hpcprov.image.relabel import Options, relabel
from hpcprov.image.replace import replacement
from hpcprov.record.errors import HpcprovError

from . import build

LABEL = "import sys; from hpcprov.cli import main; sys.exit(main(['image', 'label', *sys.argv[1:]]))"
PARTITION = random.Random(4).randbytes(48 << 20)


def large() -> bytes:
    things = build.plain()
    things[2] = build.partition(PARTITION)
    return build.image(things)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "images" / "x.sif"
    path.parent.mkdir()
    path.write_bytes(build.image(build.plain()))
    path.chmod(0o755)
    return path


@pytest.fixture
def public() -> Iterator[Path]:
    """An image where every user can see it."""
    with tempfile.TemporaryDirectory(prefix="hpcprov-test-") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "x.sif"
        path.write_bytes(build.image(build.plain()))
        yield path


def label(path: Path, **values: str) -> None:
    relabel(str(path), values, Options())


def labels_of(path: Path) -> dict[str, str]:
    with sif.opened(str(path)) as image:
        found: dict[str, str] = sif_content.labels(image)["labels"]
        return found


def alone(path: Path) -> bool:
    """Whether no draft is left beside the image."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_labels_are_added_and_changed(image: Path) -> None:
    label(image, a="2", b="3")
    label(image, c="4")
    assert labels_of(image) == {"a": "2", "b": "3", "c": "4"}
    assert alone(image) and stat.S_IMODE(image.stat().st_mode) == 0o755


def test_everything_else_in_the_metadata_stays(image: Path) -> None:
    with sif.opened(str(image)) as before:
        old = sif_content.document(before, before.sif.objects[1])
    label(image, a="2")
    with sif.opened(str(image)) as after:
        assert after.sif.metadata is not None
        new = sif_content.document(after, after.sif.metadata)
    assert new["data"]["attributes"].pop("labels") == {"a": "2"}
    assert old["data"]["attributes"].pop("labels") == {"a": "1"}
    assert new == old


def test_labels_that_are_there_are_not_written_again(image: Path) -> None:
    before = image.stat()
    label(image, a="1")
    assert image.stat() == before


def test_labels_of_a_signed_image_that_are_there_break_nothing(tmp_path: Path) -> None:
    things = build.plain()
    path = tmp_path / "x.sif"
    path.write_bytes(build.image([*things, build.signature(things)]))
    label(path, a="1")
    with pytest.raises(HpcprovError, match="signature"):
        label(path, a="2")
    assert alone(path)


def test_killed_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(large())
    command = [sys.executable, "-c", LABEL, str(path), "--label"]
    began = time.monotonic()
    subprocess.run([*command, "n=0"], check=True, capture_output=True)
    whole, at = time.monotonic() - began, 0
    chance = random.Random(int(os.environ.get("HPCPROV_FUZZ_SEED", "0")))
    for number in range(1, 13):
        process = subprocess.Popen([*command, f"n={number}"], stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, whole))
        process.kill()
        process.wait()
        found = labels_of(path)
        assert found in ({"a": "1", "n": str(at)}, {"a": "1", "n": str(number)})
        at = int(found["n"])
        with sif.opened(str(path)) as image:
            assert sif_content.identity(image)["digest"] == build.sha(PARTITION)
    subprocess.run([*command, "n=last"], check=True, capture_output=True)
    assert labels_of(path)["n"] == "last" and alone(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_draft(tmp_path: Path, number: int) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(large())
    process = subprocess.Popen([sys.executable, "-c", LABEL, str(path), "--label", "n=1"], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while alone(path) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(number)
    process.wait(60)
    assert alone(path) and labels_of(path)["a"] == "1"


def test_many_at_once(image: Path) -> None:
    """Each of them is refused until it is alone; no label that was written is lost."""
    again = "until \"$@\" 2>$0; do grep -q 'try again' $0 || exit 1; done"
    command = [sys.executable, "-c", LABEL, image]
    processes = [
        subprocess.Popen(
            ["sh", "-c", again, image.parent.parent / f"told-{number}", *command, "--label", f"k{number}=1"],
            stdout=subprocess.DEVNULL,
        )
        for number in range(6)
    ]
    assert [process.wait(120) for process in processes] == [0] * 6
    assert labels_of(image) == {"a": "1"} | {f"k{number}": "1" for number in range(6)}
    assert alone(image)


def test_one_that_another_process_is_labelling(image: Path) -> None:
    with image.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(HpcprovError, match="is being labelled"):
            label(image, a="2")
    label(image, a="2")


def test_one_that_a_container_writes_to(image: Path) -> None:
    """Apptainer locks the part of the file that an embedded overlay is in."""
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX, 100, 40000); print(flush=True)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.stdin.read()", str(image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    with pytest.raises(HpcprovError, match="written to by a container"):
        label(image, a="2")
    writer.communicate(timeout=60)
    label(image, a="2")


def test_one_that_is_changed_meanwhile(image: Path) -> None:
    with pytest.raises(HpcprovError, match="changed by another process"), replacement(str(image)):
        other = image.with_name("other")
        other.write_bytes(b"another image")
        other.rename(image)
    assert image.read_bytes() == b"another image" and alone(image)


def test_by_a_link_the_image_itself_is_labelled(image: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.sif"
    link.symlink_to(image)
    label(link, a="2")
    assert link.is_symlink() and labels_of(image) == {"a": "2"} and alone(image)


def test_a_program_that_has_it_open_keeps_the_old_one(image: Path) -> None:
    before = image.read_bytes()
    with image.open("rb") as file:
        label(image, a="2")
        assert file.read() == before


def test_extended_attributes_stay(image: Path) -> None:
    try:
        os.setxattr(image, "user.origin", b"registry")
    except OSError:
        pytest.skip("the file system of temporary files keeps no extended attributes")
    label(image, a="2")
    assert os.getxattr(image, "user.origin") == b"registry"


def test_holes_stay_holes(tmp_path: Path) -> None:
    things = build.plain()
    things.append(build.partition(bytes(32 << 20), build.OVERLAY))
    path = tmp_path / "x.sif"
    data = build.image(things)
    path.write_bytes(data)
    label(path, a="2")
    assert path.stat().st_blocks * 512 < 8 << 20
    assert path.read_bytes()[-(32 << 20) - 5000 :].count(0) > 32 << 20


def test_into_another_file(image: Path) -> None:
    before, output = image.read_bytes(), image.with_name("labelled.sif")
    relabel(str(image), {"a": "2"}, Options(output=str(output)))
    assert image.read_bytes() == before and labels_of(output) == {"a": "2"}
    with pytest.raises(HpcprovError, match="exists already"):
        relabel(str(image), {"a": "3"}, Options(output=str(output)))
    assert labels_of(output) == {"a": "2"}


def test_a_file_that_may_not_grow(image: Path) -> None:
    before = image.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        with pytest.raises(OSError):
            label(image, a="2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert image.read_bytes() == before and alone(image)


def as_nobody(path: Path) -> str:
    """Label as a user who has no rights, in a child that has loaded everything: Python may lie where none may read."""
    label(path, a="1")
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            label(path, a="2")
            text = "labelled"
        except HpcprovError as error:
            text = f"{error.message} | {error.hint}"
        finally:
            os.write(theirs, text.encode())
            os._exit(0)
    os.waitpid(child, 0)
    return os.read(ours, 4096).decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_in_a_folder_of_others(public: Path) -> None:
    image = public
    told = as_nobody(image)
    assert "Permission denied" in told and "--output" in told
    assert alone(image)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_image_of_others_in_a_folder_for_all(public: Path) -> None:
    image = public
    image.parent.chmod(0o777)
    told = as_nobody(image)
    assert "belongs to 0:0" in told and "--output" in told
    assert alone(image) and image.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_stays(image: Path) -> None:
    os.chown(image, 12345, 54321)
    label(image, a="2")
    assert (image.stat().st_uid, image.stat().st_gid) == (12345, 54321)


CALLS = ("open", "pread", "pwrite", "ftruncate", "fsync", "rename", "fchmod", "fstat", "stat", "listdir", "statvfs")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE], ids=errno.errorcode.get)
def test_every_call_failing_once(image: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Whichever call fails: the error is one for people, the image is the old one or the new one, no draft stays."""
    before, survived = image.read_bytes(), 0
    for failing in range(1, 500):
        image.write_bytes(before)
        made = 0

        def counted(call: Any, failing: int = failing) -> Any:
            def counting(*words: Any, **named: Any) -> Any:
                nonlocal made
                made += 1
                if made == failing:
                    raise OSError(number, os.strerror(number))
                return call(*words, **named)

            return counting

        with monkeypatch.context() as patched:
            for name in CALLS:
                patched.setattr(os, name, counted(getattr(os, name)))
            try:
                label(image, a="2")
                done = True
            except (OSError, HpcprovError):
                done = False
        if made < failing:
            break
        survived += done
        assert labels_of(image) == {"a": "2"} or (not done and image.read_bytes() == before)
        assert alone(image)
    else:
        pytest.fail("labelling makes more calls than were tried")
    assert failing > 20 and survived < failing / 2

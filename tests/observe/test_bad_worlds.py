"""Worlds that are hard to observe in: the application does what it does without hpcprov, byte for byte, and the record
says what could not be seen. For programs that are hard to observe see test_bad_programs.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.agent.conftest import Site
from tests.require import require

from .pattern import prepare
from .whole import below, compare, refill, run

COPY = ("sh", "-c", "cat in > out; cat in2")
SHM = {
    "missing": "umount -l /dev/shm",
    "full": "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/x",
    "small": "mount -t tmpfs -o size=256k none /dev/shm",
    "read-only": "mount -t tmpfs -o ro none /dev/shm",
    "noexec": "mount -t tmpfs -o noexec none /dev/shm",
}


def within(script: str) -> list[str]:
    """The words that run a command in a mount namespace that `script` prepared."""
    return ["unshare", "-m", "sh", "-c", f'mount --make-rprivate / && {script} && exec "$@"', "sh"]


@pytest.mark.parametrize("shm", SHM)
def test_shared_memory(site: Site, as_root: None, shm: str) -> None:
    """Without it the node's temporary directory serves; what is too small is counted, never waited for."""
    record = compare(site, COPY, before=within(SHM[shm]))
    assert below(site, record, "used") == {"in", "in2"} and below(site, record, "generated") == {"out"}


def test_nowhere_to_write_events(site: Site, as_root: None) -> None:
    here = f"mount --bind '{site.cwd}' '{site.cwd}'".replace("it's", "it'\\''s")
    nowhere = f"mount -t tmpfs -o ro none /dev/shm && mount --bind /tmp /tmp && {here} && mount -o remount,bind,ro /tmp"
    record = compare(site, COPY, before=within(nowhere))
    assert not record["observation"]["complete"] and not below(site, record, "used")
    assert any("observ" in problem["text"] for problem in record["problems"])


def limited(words: str) -> list[str]:
    """The words that run a command under limits of the shell's `ulimit`."""
    return ["sh", "-c", f'ulimit {words}; exec "$@"', "sh"]


@pytest.mark.parametrize("limit", ["-n 32", "-v 400000", "-f 4000", "-s 256", "-d 400000"])
def test_limits(site: Site, limit: str) -> None:
    record = compare(site, COPY, before=limited(limit))
    assert below(site, record, "used") == {"in", "in2"}


@pytest.mark.parametrize("limit", ["-S -n 8", "-v 80000", "-f 100"])
def test_limits_that_leave_hardly_any_room(site: Site, limit: str) -> None:
    """What was not seen is not passed off as all there was."""
    record = compare(site, ("cat", "in", "in2"), before=limited(limit))
    assert below(site, record, "used") == {"in", "in2"} or not record["observation"]["complete"]


def test_descriptors_for_a_record_and_no_more(site: Site) -> None:
    few = ["sh", "-c", 'exec 6<&0 7<&0; ulimit -S -n 9; exec "$@"', "sh"]
    record = compare(site, ("cat", "in", "in2"), before=few)
    assert record["run"]["status"] == "completed"
    assert [problem["text"] for problem in record["problems"]] == ["not observed: too few descriptors or processes"]


def test_no_file_can_be_written(site: Site) -> None:
    """No record either."""
    command = ("sh", "-c", "cat in; cat in2; exit 3")
    refill(site.cwd, prepare)
    wrapped = run(site, [*limited("-f 0"), site.launcher, "exec", "--", *command])
    assert wrapped[:2] == run(site, [*limited("-f 0"), *command])[:2]
    assert len(wrapped.err.splitlines()) <= 1


@pytest.mark.parametrize("outer", [True, False])
def test_a_user_namespace(site: Site, outer: bool) -> None:
    """hpcprov inside of it, and the application only."""
    unshare = ["unshare", "-U", "-r", "-m"]
    require("user namespaces", subprocess.run([*unshare, "true"], capture_output=True).returncode == 0)
    record = compare(site, COPY, before=unshare) if outer else compare(site, [*unshare, *COPY])
    assert below(site, record, "used") == {"in", "in2"} and below(site, record, "generated") == {"out"}


def test_a_chroot(site: Site, as_root: None) -> None:
    """What it reads is named by where it stands outside, or the record says that it can not be named."""

    def make(directory: Path) -> None:
        prepare(directory)
        root = directory / "root"
        program = root / "bin" / "cat"
        program.parent.mkdir(parents=True)
        shutil.copy(shutil.which("cat") or "/bin/cat", program)
        for word in subprocess.run(["ldd", program], capture_output=True, text=True).stdout.split():
            if word.startswith("/"):
                (root / word[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, root / word[1:])
        (root / "inside").write_text("inside\n")

    record = compare(site, ["sh", "-c", "chroot root /bin/cat /inside; cat in"], make=make)
    assert "in" in below(site, record, "used")
    used = {artifact["path"] for artifact in record["artifacts"]["used"]}
    assert "/inside" not in used
    assert below(site, record, "used") == {"in", "root/inside"} or not record["observation"]["complete"]

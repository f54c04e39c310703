"""Names in a container as names outside: mount tables as the runtimes make them, damaged ones, this machine's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture.observed.mounts import IMAGE, Mounts, parse

OUTSIDE = rb"""20 1 254:0 / / rw - ext4 /dev/vda rw
21 20 0:5 / /dev rw - devtmpfs dev rw
22 21 0:27 / /dev/shm rw - tmpfs tmpfs rw
23 20 8:1 / /scratch rw - xfs /dev/sda1 rw
24 23 8:2 /exports/home /scratch/home\040of\040all rw - xfs /dev/sdb rw
25 20 9:1 / /old rw - xfs /dev/sdc rw
26 25 8:1 /ada /old rw - xfs /dev/sda1 rw
"""
CONTAINER = rb"""44 66 0:90 / / ro - overlay overlay ro,lowerdir=/var/lib/apptainer/mnt/session/underlay
45 44 0:5 / /dev rw - devtmpfs dev rw
46 45 0:27 / /dev/shm rw - tmpfs tmpfs rw
47 44 8:1 /ada/in /data rw - xfs /dev/sda1 rw
48 47 0:91 / /data/private rw - tmpfs tmpfs rw
49 44 254:0 /root /root rw - ext4 /dev/vda rw
50 44 8:2 /exports/home/ada /home rw - xfs /dev/sdb rw
51 44 8:1 /ada/notes.txt /opt/notes.txt ro - xfs /dev/sda1 ro
52 44 254:0 /tmp/passwd.x//deleted /etc/passwd rw - ext4 /dev/vda rw
53 44 7:1 / /image-data rw - ext4 /dev/loop1 rw
54 44 8:1 /in /hidden/below rw - xfs /dev/sda1 rw
55 44 8:1 /above /hidden rw - xfs /dev/sda1 rw
56 55 8:1 /again /hidden rw - xfs /dev/sda1 rw
"""
NAMES = {
    "/opt/app/table.csv": "image:/opt/app/table.csv",
    "/data": "/scratch/ada/in",
    "/data/a b.csv": "/scratch/ada/in/a b.csv",
    "/data/private/x": "image:/data/private/x",
    "/database.csv": "image:/database.csv",
    "/dev/shm/hpcprov/area": "/dev/shm/hpcprov/area",
    "/root/x": "/root/x",
    "/home/x": "/scratch/home of all/ada/x",
    "/opt/notes.txt": "/scratch/ada/notes.txt",
    "/etc/passwd": "image:/etc/passwd",
    "/image-data/x.h5": "image:/image-data/x.h5",
    "/hidden/below/x": "/scratch/again/below/x",
    "/": "image:/",
}


@pytest.mark.parametrize(("inside", "outside"), NAMES.items())
def test_names_in_a_container(inside: str, outside: str) -> None:
    assert Mounts(CONTAINER, OUTSIDE).outside(inside) == outside


@pytest.mark.parametrize("path", ["/", "/scratch/ada/x", "/dev/shm/x", "/old/x", "/home/ada/x.csv"])
def test_without_other_mounts_names_stay(path: str) -> None:
    assert Mounts(OUTSIDE, OUTSIDE).outside(path) == path


def test_a_private_mount_of_the_same_root() -> None:
    mounts = Mounts(OUTSIDE + b"30 20 8:1 /ada /mnt rw - xfs /dev/sda1 rw\n", OUTSIDE)
    assert mounts.outside("/mnt/x") == "/scratch/ada/x"  # the first that shows that directory
    assert mounts.outside("/tmp/x") == "/tmp/x"


def test_a_directory_as_root_and_a_chroot() -> None:
    sandbox = Mounts(b"44 66 254:0 /images/step / rw - ext4 /dev/vda rw\n", OUTSIDE)
    assert sandbox.outside("/opt/x") == "image:/opt/x"
    # In a chroot the kernel shows only the mounts below it, and none for its root.
    chroot = Mounts(b"70 20 8:1 /ada /data rw - xfs /dev/sda1 rw\n", OUTSIDE)
    assert chroot.outside("/data/x") == "/scratch/ada/x"
    assert chroot.outside("/opt/x") == "image:/opt/x"


def test_nothing_known() -> None:
    assert Mounts(b"", b"").outside("/a") == "image:/a"
    assert parse(b"1 2\n\n1 2 3:4 relative /x rw\n\xff\xfe") == []


def test_a_loop_of_mounts_ends() -> None:
    text = b"1 2 8:1 / / rw - xfs a rw\n2 1 8:1 / / rw - xfs a rw\n"
    assert Mounts(text, text).outside("/a").endswith("/a")


lines = st.lists(st.sampled_from(CONTAINER.splitlines() + OUTSIDE.splitlines()) | st.binary(max_size=60), max_size=12)


@given(lines.map(b"\n".join), lines.map(b"\n".join), st.text(max_size=20).map(lambda text: "/" + text))
def test_any_text(inside: bytes, outside: bytes, path: str) -> None:
    found = Mounts(inside, outside).outside(path)
    assert found.startswith("/") or found == IMAGE + path


def test_this_machine(tmp_path: Path) -> None:
    """What the kernel shows a process with a mount of its own; without the right to make one, names stay."""
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    script = f"mount --bind {tmp_path}/source {tmp_path}/target 2>/dev/null; cat /proc/self/mountinfo"
    inside = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, timeout=20).stdout
    own = Path("/proc/self/mountinfo").read_bytes()
    mounts = Mounts(inside or own, own)
    bound = str(tmp_path / "target").encode() in inside
    assert mounts.outside(f"{tmp_path}/target/x") == f"{tmp_path}/{'source' if bound else 'target'}/x"
    assert mounts.outside(os.path.realpath("/etc/hostname")) == os.path.realpath("/etc/hostname")

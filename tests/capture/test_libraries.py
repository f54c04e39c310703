"""Mapped files: captured maps, and real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from require import require

from hpcprov.capture import libraries

MAPS = """\
55ab39a90000-55ab39a92000 r--p 00000000 fe:00 260131                     /usr/bin/cat
55ab39a92000-55ab39a97000 r-xp 00002000 fe:00 260131                     /usr/bin/cat
55ab469ca000-55ab469eb000 rw-p 00000000 00:00 0                          [heap]
7f275e078000-7f275e0cf000 r--p 00000000 fe:00 329635                     /usr/lib/locale/C.utf8/LC_CTYPE
7f275e101000-7f275e257000 r-xp 00026000 fe:00 339380                     /usr/lib/x86_64-linux-gnu/libc.so.6
7f275e300000-7f275e301000 r-xp 00000000 00:2a 77                         /scratch/my lib/lib a.so (deleted)
7f275e302000-7f275e303000 r-xp 00000000 00:2a 78                         /scratch/new\\012line.so
7f275e304000-7f275e305000 rwxp 00000000 00:01 79                         /memfd:jit (deleted)
7f275e306000-7f275e307000 rwxp 00000000 00:05 80                         /dev/zero (deleted)
7fff0b5d6000-7fff0b5d8000 r-xp 00000000 00:00 0                          [vdso]
garbage
"""


def test_parse_maps() -> None:
    assert [libraries.plain_path(path) for path in libraries.parse_maps(MAPS) if not libraries.is_pseudo(path)] == [
        "/usr/bin/cat",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/scratch/my lib/lib a.so",
        "/scratch/new\nline.so",
    ]


@given(st.text())
def test_parse_maps_takes_any_text(text: str) -> None:
    assert all(path.startswith("/") for path in libraries.parse_maps(text))


def test_a_deleted_library_says_so() -> None:
    entry = libraries.library(("/gone/lib.so (deleted)", "0:1", "5"), "")
    assert entry == {"path": "/gone/lib.so", "reason": "the file was deleted or replaced while it ran"}


def test_a_library_that_is_no_elf_file(tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_text("text")
    assert libraries.library((str(tmp_path / "lib.so"), "x", "1"), "")["reason"] == "not an ELF file"
    assert libraries.library((str(tmp_path / "no.so"), "x", "2"), "")["reason"] == "No such file or directory"


def test_each_file_is_opened_once(tmp_path: Path) -> None:
    shutil.copy(os.path.realpath(sys.executable), tmp_path / "x")
    key = (str(tmp_path / "x"), "only-here", "3")
    first = libraries.library(key, "")
    (tmp_path / "x").unlink()
    assert libraries.library(key, "") == first and "build_id" in first


@contextmanager
def waiting(*command: str) -> Iterator[int]:
    """A process that has started and waits for its standard input to end."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.communicate()


def test_a_real_process() -> None:
    with waiting(sys.executable, "-c", "import _ctypes, sys; print(flush=True); sys.stdin.read()") as pid:
        found = libraries.snapshot(pid)
    names = {os.path.basename(path).partition(".")[0] for path in found}
    assert {"libc", "_ctypes"} <= names
    assert all(entry["path"] == path and len(entry) == 2 for path, entry in found.items())


def test_a_library_that_is_deleted_while_it_runs(tmp_path: Path) -> None:
    require("cc", shutil.which("cc"))
    (tmp_path / "x.c").write_text("int x(void) { return 1; }\n")
    library = tmp_path / "lib x.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "x.c"], check=True)
    program = f"import ctypes, sys; ctypes.CDLL({str(library)!r}); print(flush=True); sys.stdin.read()"
    with waiting(sys.executable, "-c", program) as pid:
        library.unlink()
        found = libraries.snapshot(pid)
    assert found[str(library)]["reason"] == "the file was deleted or replaced while it ran"


def test_a_process_that_is_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(OSError):
        libraries.snapshot(process.pid)


def test_files_of_another_mount_namespace(tmp_path: Path) -> None:
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare")
    script = f"mount -t tmpfs none {tmp_path} && cp /bin/cat {tmp_path}/cat && echo && exec {tmp_path}/cat"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces are closed here")
    with waiting("unshare", "-m", "sh", "-c", f"({script})") as parent:
        pid = parent
        for _ in range(3000):
            if os.readlink(f"/proc/{pid}/exe") == f"{tmp_path}/cat":
                break
            time.sleep(0.02)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[0]) if children else pid
        assert libraries.file_root(pid) == f"/proc/{pid}/root"
        found = libraries.snapshot(pid)
    assert not (tmp_path / "cat").exists()
    assert "build_id" in found[f"{tmp_path}/cat"]

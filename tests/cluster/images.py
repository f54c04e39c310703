"""Small images made on the spot, without a network: a folder with a few of this machine's programs, and what is built
from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

PROGRAMS = ("sh", "cat", "env", "sleep", "true", "ls", "mkdir", "cp", "mv")
FOLDERS = ("usr/local/bin", "lib", "lib64", "etc", "proc", "sys", "dev", "tmp", "var/tmp", "root", "home", "run", "mnt")


def folder(root: Path) -> Path:
    """A root directory with these programs and their libraries at `root`."""
    for name in ("bin", *FOLDERS):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        program = os.path.realpath(str(shutil.which(name)))
        shutil.copy(program, root / "bin" / name)
        told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"/\S+\.so\S*", told):
            place = root / library.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(library), place)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/resolv.conf").write_text("")
    return root


def environment() -> dict[str, str]:
    """What Apptainer and ch-run need on machines whose root lacks a capability, or whose environment has no user."""
    return {"APPTAINER_DROP_CAPS": "CAP_SYS_RESOURCE", "USER": "root"} if os.geteuid() == 0 else {}

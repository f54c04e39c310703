"""Every access pattern of the tables: the library must tell what strace saw, and change nothing that its parent sees.

Each command runs twice, bare and under strace with the library, so that both name the same files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hpcprov.capture.observed import Observed
from hpcprov.capture.observed.questions import Questions
from tests.require import require

from .area_tool import CUT, HEADER, TAIL, Area, library
from .oracle import Told, read_trace
from .pattern import Pattern, names, pairs, prepare
from .patterns_c import NAMES, OPENS, PROCESSES
from .patterns_languages import LANGUAGES, PYTHON
from .patterns_shell import SHELLS, TOOLS
from .strace import OPTIONS
from .told import tell

PATTERNS = (*OPENS, *NAMES, *PROCESSES, *SHELLS, *TOOLS, *LANGUAGES, *PYTHON)
PROBE = Path(__file__).with_name("probe")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
COMPILERS = {
    "opens.c": ("cc", *FLAGS, "-D_FORTIFY_SOURCE=2"),
    "names.c": ("cc", *FLAGS),
    "processes.c": ("cc", *FLAGS),
    "fortran.f90": ("gfortran", "-O1"),
    "streams.cpp": ("g++", "-std=c++17", "-O1"),
    "rusty.rs": ("rustc", "-C", "prefer-dynamic=no"),
}
# Nothing of the user's own world: no startup files, no Python path, no terminal.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
}
LIMIT_S = 30
LONGEST_PATH = 4095  # bytes; what is longer may only be counted as cut
# What is left in the end is here not what a run is said to have used and generated, and why.
NOT_ARTIFACTS = {
    "opens dlopen": "the loader opens libraries by itself",
    "opens raw": "not seen at all",
    "names rename_directory": "nobody touched the files that moved with their directory",
    "processes cwd_renamed": "the same",
    "names link": "a file that has two names is told under the one that was written",
    "processes exec_script": "a script is code",
    "dash script": "a script is code",
    "processes off": "not seen at all",
    "gzip": "what is unpacked looks as if it had never gone",
    "flock": "a lock is opened for reading and made by that",
    "git": "its own files are not data",
    "python imports": "modules are code",
    "python stores": "a store is one artifact",
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every probe that can be compiled here, and `library.so`."""
    directory = tmp_path_factory.mktemp("programs")
    require("cc", shutil.which("cc"))
    running = [
        subprocess.Popen([*words, "-o", directory / Path(source).stem, PROBE / source])
        for source, words in COMPILERS.items()
        if shutil.which(words[0])
    ]
    running.append(subprocess.Popen(["cc", "-shared", "-fPIC", "-xc", "/dev/null", "-o", directory / "library.so"]))
    assert [child.wait(60) for child in running] == [0] * len(running)
    return directory


def run(argv: list[str], directory: Path, environment: dict[str, str]) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S
    )
    return done.returncode, done.stdout, done.stderr


def lay_out(directory: Path, programs: Path) -> Path:
    """The directory of one run: the files of every pattern, and those that a few need."""
    prepare(directory)
    shutil.copy(programs / "library.so", directory)
    (directory / "module.py").write_text("value = 1\n")
    return directory


def only_files(told: Told, directory: Path) -> Told:
    """`told` without the directories and pipes that were opened."""
    root = os.fsencode(directory)

    def keep(name: bytes) -> bool:
        path = os.path.join(root, name)
        return os.path.isfile(path) or not (os.path.lexists(path) or name in told.directories)

    return told._replace(read=set(filter(keep, told.read)), written=set(filter(keep, told.written)))


def versions(directory: Path) -> dict[bytes, tuple[int, int, int]]:
    """Inode, size and time of every file."""
    found = {}
    root = os.fsencode(directory)
    for top, _, files in os.walk(root):
        for path in (os.path.join(top, file) for file in files if len(top) + len(file) < 4095):
            if os.path.isfile(path) and not os.path.islink(path):
                status = os.stat(path)
                found[os.path.relpath(path, root)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def fold(area: Area, directory: Path) -> tuple[set[bytes], set[bytes]]:
    """The data files below `directory` that a run would be said to have used and to have generated."""
    seen = Observed(cwd=str(directory), environ=ENVIRONMENT, questions=Questions())
    seen.feed(0, area.path.read_bytes()[HEADER : HEADER + area.number(TAIL)], 0, final=True)
    told = [event["entries"] for event in seen.events(final=True) if event["event"] == "access"]
    top = os.fsencode(directory) + b"/"
    found: tuple[set[bytes], set[bytes]] = (set(), set())
    for entry in (entry for entries in told for entry in entries):
        name = os.fsencode(entry["path"]).removeprefix(top)
        if entry["read"] and (entry["overwritten"] or not entry["written"]):
            found[0].add(name)
        if entry["written"] and not entry["gone"]:
            found[1].add(name)
    return found


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_library_tells_what_strace_sees(pattern: Pattern, programs: Path, tmp_path: Path, strace: str) -> None:
    if pattern.needs:
        require(pattern.needs, shutil.which(pattern.needs))
    argv = [str(programs / pattern.command[0]), *pattern.command[1:]]
    if not os.path.exists(argv[0]):
        argv = list(pattern.command)
    bare = run(argv, lay_out(tmp_path / "bare", programs), ENVIRONMENT)
    assert bare[0] == pattern.status, bare

    watched = lay_out(tmp_path / "watched", programs)
    before = versions(watched)
    with Area.make(tmp_path / "area") as area:
        given = [f"--env={name}={value}" for name, value in area.environment(library()).items()]
        trace = tmp_path / "trace"
        seen = run([strace, *OPTIONS, "-o", str(trace), *given, *argv], watched, ENVIRONMENT)
        records = area.records()
        used, generated = fold(area, watched)
    assert seen == bare
    expected = only_files(read_trace(trace.read_text("latin-1"), watched), watched)
    assert names(pattern.read) <= expected.read | expected.written
    assert names(pattern.written) <= expected.written
    assert pairs(pattern.renamed) <= expected.renamed
    assert pairs(pattern.linked) <= expected.linked
    assert names(pattern.removed) <= expected.removed
    told = tell(records, watched)
    long = {name for name in expected.written if len(os.fsencode(watched)) + len(name) >= LONGEST_PATH}
    unnamed = long - told.written
    assert sum(record.kind == "access" and record.flags & CUT > 0 for record in records) == len(unnamed)
    hidden = names(pattern.unseen) | unnamed
    ran = [path for path in expected.programs if os.path.basename(path) not in hidden]
    assert told.read == expected.read - hidden
    assert told.written == expected.written - hidden
    assert told.renamed == expected.renamed
    assert told.linked == expected.linked
    assert told.removed == expected.removed
    assert sorted(told.programs) == sorted(ran)
    if pattern.name not in NOT_ARTIFACTS:
        after = versions(watched)
        assert generated - long == {name for name in after if after[name] != before.get(name)} - long
        assert used >= set(before) & expected.read

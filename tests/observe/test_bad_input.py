"""Worlds and programs that are hard to observe: the application does what it does without hpcprov, byte for byte, and
the record says what could not be seen.
"""

from __future__ import annotations

import ctypes.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Site
from tests.require import require

from .pattern import LINES, prepare
from .whole import below, blind, compare, ran, refill, run

PROBE = Path(__file__).with_name("probe")
COPY = ("sh", "-c", "cat in > out; cat in2")
SHM = {
    "missing": "umount -l /dev/shm",
    "full": "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/x",
    "small": "mount -t tmpfs -o size=256k none /dev/shm",
    "read-only": "mount -t tmpfs -o ro none /dev/shm",
    "noexec": "mount -t tmpfs -o noexec none /dev/shm",
}


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled probes: `processes` and `opens`, as they are, static, with the address sanitizer, and of 32 bits."""
    require("cc", shutil.which("cc"))
    directory = tmp_path_factory.mktemp("bad-input")
    ways = {
        "processes": ("processes.c",),
        "opens": ("opens.c",),
        "static": ("names.c", "-static"),
        "sanitized": ("names.c", "-fsanitize=address"),
        "narrow": ("names.c", "-m32"),
    }
    started = {
        name: subprocess.Popen(
            ["cc", "-O1", "-pthread", "-o", directory / name, PROBE / words[0], *words[1:]], stderr=subprocess.DEVNULL
        )
        for name, words in ways.items()
    }
    assert {name: child.wait(60) for name, child in started.items()}["processes"] == 0
    return directory


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


@pytest.mark.parametrize("limit", ["-n 32", "-v 400000", "-f 4000", "-s 256", "-d 65536"])
def test_limits(site: Site, limit: str) -> None:
    record = compare(site, COPY, before=limited(limit))
    assert below(site, record, "used") == {"in", "in2"}


@pytest.mark.parametrize("limit", ["-n 8", "-v 80000", "-f 100"])
def test_limits_that_leave_hardly_any_room(site: Site, limit: str) -> None:
    """What was not seen is not passed off as all there was."""
    record = compare(site, ("cat", "in", "in2"), before=limited(limit))
    assert below(site, record, "used") == {"in", "in2"} or not record["observation"]["complete"]


def test_no_file_can_be_written(site: Site) -> None:
    """No record either."""
    command = ("sh", "-c", "cat in; cat in2; exit 3")
    refill(site.cwd, prepare)
    wrapped = run(site, [*limited("-f 0"), site.launcher, "exec", "--", *command])
    assert wrapped[:2] == run(site, [*limited("-f 0"), *command])[:2]
    assert len(wrapped.err.splitlines()) <= 1


@pytest.mark.parametrize("way", ["odd_names", "long_names"])
def test_names(site: Site, probes: Path, way: str) -> None:
    record = compare(site, [probes / "opens", way])
    names = below(site, record, "generated")
    if way == "odd_names":
        assert "new\nline" in names and 'a b\t"<>,\\' in names and len(names) == 3
    else:
        assert any(name.endswith("/out") for name in names)
    shown = site.call(site.launcher, "show", "last").stdout
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("way", "read", "written"),
    [
        ("close_all", {"in"}, {"out"}),
        ("close_each", {"in"}, {"out"}),
        ("few_descriptors", {"in"}, {"out"}),
        ("exit_at_once", {"in"}, {"out"}),
        ("abort", {"in"}, {"out"}),
        ("killed", {"in"}, {"out"}),
        ("child_killed", {"in"}, {"out"}),
        ("clearenv", {"in"}, set()),
        ("no_environ", {"in"}, {"out"}),
        ("own_preload", {"in"}, set()),
        ("unset", {"in"}, {"out"}),
        ("threads_spawn", {"in"}, {f"out{number}" for number in range(8)}),
        ("thread_elsewhere", {"in", "dir/in"}, {"out", "dir/out"}),
        ("fork_storm", {"in"}, {"out"}),
    ],
)
def test_programs_that_are_hard_to_follow(
    site: Site, probes: Path, way: str, read: set[str], written: set[str]
) -> None:
    record = compare(site, ["sh", "-c", 'ulimit -c 0; exec "$@"', "sh", probes / "processes", way])
    assert below(site, record, "used") == read and below(site, record, "generated") == written
    assert record["observation"]["complete"]


def test_a_storm_of_programs_is_counted(site: Site, probes: Path) -> None:
    record = compare(site, [probes / "processes", "exec_storm"])
    assert ran(record) == {"processes": 1, "true": 2000}
    assert len(record["observation"]["programs"]) < 100


def test_a_program_that_asks_not_to_be_observed(site: Site, probes: Path) -> None:
    record = compare(site, [probes / "processes", "off"])
    assert below(site, record, "used") == set() and below(site, record, "generated") == {"out"}
    assert not record["observation"]["complete"]


@pytest.mark.parametrize("library", ["jemalloc", "tcmalloc_minimal"])
def test_other_memory_allocators(site: Site, library: str) -> None:
    found = ctypes.util.find_library(library)
    require(library.removesuffix("_minimal"), found)
    record = compare(
        site, [sys.executable, "-c", "open('out', 'w').write(open('in').read())"], env={"LD_PRELOAD": str(found)}
    )
    assert below(site, record, "used") == {"in"} and below(site, record, "generated") == {"out"}


@pytest.mark.parametrize(
    ("program", "why", "needs"),
    [("static", "static", "cc"), ("sanitized", "sanitizer", "cc"), ("narrow", "other abi", "gcc-multilib")],
)
def test_programs_that_can_not_be_seen(site: Site, probes: Path, program: str, why: str, needs: str) -> None:
    """They run as always; the record names them, and their children are seen."""
    require(needs, (probes / program).exists())
    record = compare(site, ["sh", "-c", '"$0" again; cat in', probes / program])
    assert blind(record) == {why: {program}}
    assert "in" in below(site, record, "used")
    assert not record["observation"]["complete"]
    assert any(program in problem["text"] for problem in record["problems"])


def test_a_preloaded_sanitizer(site: Site, probes: Path) -> None:
    require("cc", (probes / "sanitized").exists())
    library = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    compare(site, [probes / "sanitized", "again"], env={"LD_PRELOAD": library})


@pytest.mark.parametrize("outer", [True, False])
def test_a_user_namespace(site: Site, outer: bool) -> None:
    """hpcprov inside of it, and the application only."""
    unshare = ["unshare", "-U", "-r", "-m"]
    require("user namespaces", subprocess.run([*unshare, "true"], capture_output=True).returncode == 0)
    record = compare(site, COPY, before=unshare) if outer else compare(site, [*unshare, *COPY])
    assert below(site, record, "used") == {"in", "in2"} and below(site, record, "generated") == {"out"}


def test_a_chroot(site: Site, as_root: None, probes: Path) -> None:
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


@pytest.mark.parametrize("first", [0, 64, 4096], ids=["magic", "header", "ring"])
def test_an_application_that_scribbles_on_its_events(site: Site, first: int) -> None:
    scribble = [sys.executable, "-I", PROBE / "scripts" / "scribble.py", first + 1, first]
    record = compare(site, ["sh", "-c", '"$@"; cat in2', "sh", *scribble])
    assert record["run"]["status"] == "completed"
    assert below(site, record, "used") == {"in", "in2"} or not record["observation"]["complete"]


def test_a_job_that_cleans_up_shared_memory(site: Site) -> None:
    """What starts afterwards is not seen, and the record says so."""
    find = "grep -o '/dev/shm/hpcprov[^ ]*/area' /proc/self/maps | head -1"
    record = compare(site, ["sh", "-c", f'area=$({find}); cat in; rm -rf "${{area%/area}}"; cat in2 > out; exit 4'])
    assert "in" in below(site, record, "used") and not record["observation"]["complete"]


def test_a_run_within_a_run(site: Site) -> None:
    """The inner one has a record of its own; the outer one names the launcher and does not know what was done."""
    inner = f"'{site.launcher}' exec --run-id inner -- sh -c 'cat in2 > inner-out'"
    record = compare_outer(site, inner)
    assert blind(record) == {"launcher": {"hpcprov"}}
    assert below(site, record, "used") == {"in"} and below(site, record, "generated") == {"out"}
    inside = json.loads(site.call(site.launcher, "show", "inner", "--json").stdout)
    assert below(site, inside, "used") == {"in2"} and below(site, inside, "generated") == {"inner-out"}


def compare_outer(site: Site, inner: str) -> dict[str, Any]:
    """The record of a run that starts another."""
    refill(site.cwd, prepare)
    command = [site.launcher, "exec", "--run-id", "outer", "--", "sh", "-c", f"cat in > out; {inner}; cat out"]
    assert run(site, command) == (0, LINES.encode(), b"")
    site.record()
    return dict(json.loads(site.call(site.launcher, "show", "outer", "--json").stdout))


def test_off(site: Site) -> None:
    record = compare(site, COPY, options=["--observe", "off"])
    assert record["observation"] is None and not below(site, record, "used")


def test_nothing_of_it_is_seen_by_the_application(site: Site) -> None:
    libraries = "ldd /bin/cat | sed 's/(0x.*//'"
    compare(site, ("sh", "-c", f"env | grep -v ^HPCPROV_RUN= | sort; ls /proc/self/fd; ulimit -a; {libraries}"))

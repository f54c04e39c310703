"""Programs that are hard to observe: they do what they do without it, byte for byte, and the record says what could
not be seen. For worlds that are hard to observe in see test_bad_worlds.py.
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


@pytest.mark.parametrize("way", ["odd_names", "long_names", "long_directory"])
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
    record = compare(site, ("sh", "-c", "cat in > out; cat in2"), options=["--observe", "off"])
    assert record["observation"] is None and not below(site, record, "used")


def test_nothing_of_it_is_seen_by_the_application(site: Site) -> None:
    libraries = "ldd /bin/cat | sed 's/(0x.*//'"
    compare(site, ("sh", "-c", f"env | grep -v ^HPCPROV_RUN= | sort; ls /proc/self/fd; ulimit -a; {libraries}"))

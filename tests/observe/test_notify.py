"""`--observe notify`: static programs are seen, nothing but no_new_privs changes for them, and no call ever hangs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.agent.conftest import Site, until
from tests.launcher.observe import comparable_status

from .area_tool import CAPACITY, HEAD, LOST, TAIL, UNCONFIRMED, Area
from .pattern import prepare
from .watching import narrow, static_programs, watch
from .whole import below, blind, compare, ran

__all__ = ["narrow", "static_programs", "watch"]
NOTIFY = ("--observe", "notify")
CHANGED = ("NoNewPrivs", "Seccomp", "Seccomp_filters")
REFUSED = "observed by preload, not by notify as asked: "


@pytest.fixture
def notified(site: Site, watch: str) -> Site:
    """A site where the kernel can watch."""
    return site


def texts(record: dict[str, object]) -> list[str]:
    """What the record's problems say."""
    problems = record["problems"]
    assert isinstance(problems, list)
    return [problem["text"] for problem in problems]


def keepers() -> set[int]:
    """The processes that answer when a launcher does not; not those that only wait to be reaped."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, state = path.read_text().partition("(")[2].rpartition(")")[::2]
        except OSError:
            continue
        if name == "hpcprov-keeper" and state.split()[0] != "Z":
            found.add(int(path.parent.name))
    return found


def state_of(pid: int) -> str:
    """As in proc(5): T for stopped, Z for ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def watched(watch: str, area: Area, how: str, *argv: object, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command under the launcher's part alone, to which `how` happens; ended when the block is left."""
    words = [watch, str(area.path), *map(str, argv)]
    process = subprocess.Popen(words, cwd=cwd, env=os.environ | {"WATCH": how}, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


# What is seen


def test_a_static_program_is_seen(notified: Site, static_programs: Path) -> None:
    way = (static_programs / "opens", "checked")
    record = compare(notified, way)
    assert blind(record) == {"static": {"opens"}} and not record["observation"]["complete"]
    assert below(notified, record, "used") == below(notified, record, "generated") == set()

    record = compare(notified, way, options=NOTIFY)
    assert record["observation"]["how"] == "notify" and record["observation"]["complete"]
    assert blind(record) == {}
    assert below(notified, record, "used") == {"in", "in2", "old"}
    assert below(notified, record, "generated") == {"old"}
    (program,) = record["observation"]["programs"]
    assert program["argv"] == [*map(str, way)] and program["exits"] == {"0": 1} and program["sha256"]
    assert any("no_new_privs" in text for text in texts(record))


def test_a_tree_of_static_and_other_programs_is_seen(notified: Site, static_programs: Path) -> None:
    script = f'"{static_programs}/opens" open && sh -c "cat out > copy" && "{static_programs}/processes" fork'
    record = compare(notified, ["sh", "-c", script], options=NOTIFY)
    assert below(notified, record, "generated") == {"out", "copy"}
    assert ran(record) == {os.path.basename(os.path.realpath("/bin/sh")): 2, "opens": 1, "cat": 1, "processes": 1}


def test_a_program_of_32_bits_is_seen(notified: Site, narrow: Path) -> None:
    record = compare(notified, [narrow], options=NOTIFY)
    assert blind(record) == {}
    assert below(notified, record, "used") == {"in"} and below(notified, record, "generated") == {"out"}


def test_every_process_of_a_storm_is_seen(watch: str, static_programs: Path, tmp_path: Path) -> None:
    with Area.make(tmp_path / "area") as area:
        argv = [watch, str(area.path), str(static_programs / "processes"), "exec_storm"]
        assert subprocess.run(argv, cwd=tmp_path, timeout=60).returncode == 0
        kinds = [record.kind for record in area.records()]
        assert (kinds.count("program"), kinds.count("end"), area.number(LOST)) == (2001, 2001, 0)


@pytest.mark.parametrize("way", ["chroot", "mounts"])
def test_names_elsewhere_are_told_as_ours(
    watch: str, static_programs: Path, tmp_path: Path, as_root: None, way: str
) -> None:
    """In a chroot; where other things are mounted they come with these mounts."""
    jail = prepare(tmp_path / "jail")
    shutil.copy(static_programs / "opens", jail)
    words = ["chroot", jail, "/opens", "fopen"]
    if way == "mounts":
        words = ["unshare", "-m", "sh", "-c", f"mount --bind '{jail}' /mnt && cd /mnt && exec ./opens fopen"]
    with Area.make(tmp_path / "area") as area:
        assert subprocess.run([watch, area.path, *words], timeout=60).returncode == 0
        records = area.records()
    seen = {record.path: record for record in records if record.kind == "access"}
    top = b"/mnt" if way == "mounts" else bytes(jail)
    assert {top + b"/in", top + b"/out", top + b"/old"} <= seen.keys()
    assert seen[top + b"/in"].numbers[0] == len("1\n2\n3\n") and seen[top + b"/in"].flags & UNCONFIRMED
    assert any(b" /mnt " in record.path for record in records if record.kind == "mounts") == (way == "mounts")


# What changes


def test_only_what_is_documented_changes(notified: Site) -> None:
    command = ("sh", "-c", "env -u HPCPROV_RUN -u PPID; cat /proc/self/status")
    bare, seen = (
        comparable_status(notified.call(*words).stdout)
        for words in (command, [notified.launcher, "exec", *NOTIFY, *command])
    )
    assert {key for key in bare.keys() | seen.keys() if bare.get(key) != seen.get(key)} == set(CHANGED)


@pytest.mark.parametrize(
    ("words", "status"),
    [(("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -9 $$"), -9), (("nonexistent",), 127), (("/",), 126)],
)
def test_the_status_stands(notified: Site, words: tuple[str, ...], status: int) -> None:
    notified.call(notified.launcher, "exec", *NOTIFY, "--", *words, check=status)


# When it must not be


def test_a_command_with_privileges_is_preloaded(notified: Site, static_programs: Path, as_root: None) -> None:
    program = notified.cwd / "privileged"
    shutil.copy(static_programs / "opens", program)
    program.chmod(0o4755)
    (notified.cwd / "in").write_text("1\n")
    done = notified.call(notified.launcher, "exec", *NOTIFY, "--", program, "open")
    assert done.stderr.startswith("hpcprov: --observe notify is not possible") and done.stderr.count("\n") == 1
    record = notified.record()
    assert record["observation"]["how"] == "preload"
    assert any(text.startswith(REFUSED + "the command is a set-user-id program") for text in texts(record))


def test_a_container_runtime_with_a_privileged_starter_is_preloaded(notified: Site, as_root: None) -> None:
    for name in ("bin/apptainer", "libexec/apptainer/bin/starter-suid"):
        path = notified.cwd / "prefix" / name
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\nexit 5\n")
        path.chmod(0o4755 if "starter" in name else 0o755)
    notified.call(notified.launcher, "exec", *NOTIFY, "--", notified.cwd / "prefix/bin/apptainer", "--version", check=5)
    assert REFUSED + "the command starts a set-user-id program" in texts(notified.record())


def test_a_run_within_a_watched_one_is_preloaded(notified: Site) -> None:
    (notified.cwd / "in").write_text("1\n")
    inner = f'"{notified.launcher}" exec --observe notify --name inner -- cp in out'
    done = notified.call(notified.launcher, "exec", *NOTIFY, "--name", "outer", "--", "sh", "-c", inner)
    assert "another supervisor watches already" in done.stderr
    notified.record()
    records = [json.loads(path.read_text()) for path in notified.cwd.glob(".hpcprov/records/**/record.json")]
    record = next(one for one in records if one["run"]["name"] == "outer")
    assert len(records) == 2 and record["observation"]["how"] == "notify"
    assert below(notified, record, "used") == {"in"} and below(notified, record, "generated") == {"out"}
    assert not any("hpcprov.agent" in " ".join(program["argv"]) for program in record["observation"]["programs"])


# When the launcher does not answer


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_application_goes_on_without_the_launcher(watch: str, tmp_path: Path, how: str) -> None:
    work = "i=0; while [ $i -lt 20 ]; do i=$((i + 1)); : > file; cat file > copy || exit 1; done; echo all > done"
    script = "until [ -e go ]; do sleep 0.02; done; " + work
    with Area.make(tmp_path / "area") as area, watched(watch, area, how, "sh", "-c", script, cwd=tmp_path) as process:
        until(lambda: state_of(process.pid) in "TZ", "nothing happened to the launcher")
        (tmp_path / "go").touch()
        until((tmp_path / "done").exists, "the application did not go on")
        if how == "stop":
            process.send_signal(signal.SIGCONT)
            assert process.wait(60) == 0
            assert area.number(LOST) > 0
        else:
            assert process.wait(60) == -signal.SIGKILL
    until(lambda: not keepers(), "the keeper did not end")


def test_what_outlives_the_run_goes_on(notified: Site) -> None:
    script = "(until [ -e go ]; do sleep 0.02; done; echo $(cat in) > late) > /dev/null 2>&1 &"
    (notified.cwd / "in").write_text("1\n")
    notified.call(notified.launcher, "exec", *NOTIFY, "--", "sh", "-c", script)
    (notified.cwd / "go").touch()
    until((notified.cwd / "late").exists, "what outlived the run did not go on")
    until(lambda: (notified.cwd / "late").read_text() == "1\n", "what outlived the run could not read")
    until(lambda: not keepers(), "the keeper did not end")


def test_a_full_area_holds_up_nobody(watch: str, static_programs: Path, tmp_path: Path) -> None:
    with Area.make(tmp_path / "area", capacity=1 << 17) as area:
        argv = [watch, str(area.path), str(static_programs / "processes"), "exec_storm"]
        assert subprocess.run(argv, cwd=tmp_path, timeout=60).returncode == 0
        told = len(area.records())
        assert told > 0 and area.number(LOST) > 0 and told + area.number(LOST) >= 2001 + 2001


FAR = 1 << 62  # a multiple of the ring's size
SCRIBBLES = [{16: 0}, {16: 1 << 40, TAIL: 1 << 39, HEAD: 1 << 39}, {TAIL: CAPACITY - 1}, {TAIL: FAR, HEAD: FAR}]


@pytest.mark.parametrize("numbers", SCRIBBLES, ids=str)
def test_an_application_that_writes_into_the_header(watch: str, tmp_path: Path, numbers: dict[int, int]) -> None:
    with Area.make(tmp_path / "area") as area:
        writes = [f"os.pwrite(fd, struct.pack('<Q', {value}), {at})" for at, value in numbers.items()]
        script = ["import os, struct", f"fd = os.open({str(area.path)!r}, os.O_RDWR)", *writes]
        opens = "for i in range(50): os.close(os.open(f'file{i}', os.O_CREAT | os.O_WRONLY))"
        words = [watch, str(area.path), sys.executable, "-c", "\n".join([*script, opens])]
        assert subprocess.run(words, cwd=tmp_path, timeout=60).returncode == 0

"""Standard streams: every byte of them, not re-buffered, and kept only when asked."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .observe import FAST, LONG, Seen, World, running, wait_until

CAPTURED = ("--no-agent", "--capture-output")
BOTH = pytest.mark.parametrize("options", [FAST, CAPTURED], ids=["plain", "captured"])
TEN_MEGABYTES = 10_000_000


@BOTH
@pytest.mark.parametrize("size", [0, 1, 999, 65_537, TEN_MEGABYTES])
def test_output_is_byte_identical_on_each_stream(world: World, options: tuple[str, ...], size: int) -> None:
    assert world.wrapped("act", "spew", str(size), options=options) == world.bare("act", "spew", str(size))


@BOTH
def test_output_to_files(world: World, options: tuple[str, ...], tmp_path: Path) -> None:
    found = []
    for chosen in (None, options):
        with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
            argv = world.argv("act", "spew", "100000", options=chosen)
            done = subprocess.run(argv, stdout=out, stderr=err, cwd=world.cwd)
        found.append(Seen(done.returncode, (tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes()))
    assert found[0] == found[1]


@BOTH
def test_both_streams_to_one_file_lose_nothing(world: World, options: tuple[str, ...], tmp_path: Path) -> None:
    target = tmp_path / "both"
    script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done"
    argv = world.argv("sh", "-c", script, options=options)
    with target.open("wb") as file:
        subprocess.run(argv, stdout=file, stderr=file, cwd=world.cwd, check=True)
    lines = target.read_text().splitlines()
    assert [line for line in lines if line.startswith("out")] == [f"out {i}" for i in range(1, 6)]
    assert [line for line in lines if line.startswith("err")] == [f"err {i}" for i in range(1, 6)]


@BOTH
def test_stdin_is_not_read_ahead(world: World, options: tuple[str, ...]) -> None:
    """What the application leaves in a pipe is there for whoever reads next."""
    reader, writer = os.pipe()
    os.write(writer, b"firstsecond")
    os.close(writer)
    argv = world.argv("act", "take", "5", options=options)
    done = subprocess.run(argv, stdin=reader, stdout=subprocess.PIPE, cwd=world.cwd, check=True)
    assert (done.stdout, os.read(reader, 100)) == (b"first", b"second")
    os.close(reader)


def test_stdin_arrives_whole(world: World) -> None:
    data = os.urandom(1_000_000)
    assert world.wrapped("cat", stdin=data).out == data


@BOTH
@pytest.mark.parametrize("setup", [(), ("ignore=13",)], ids=["default", "SIGPIPE ignored"])
def test_a_closed_reader_kills_as_without(world: World, options: tuple[str, ...], setup: tuple[str, ...]) -> None:
    statuses = []
    for chosen in (None, options):
        reader, writer = os.pipe()
        os.close(reader)
        argv = world.argv("act", "spew", str(TEN_MEGABYTES), setup=setup, options=chosen)
        done = subprocess.run(argv, stdout=writer, stderr=subprocess.DEVNULL, cwd=world.cwd, timeout=LONG)
        os.close(writer)
        statuses.append(done.returncode)
    assert statuses == [91 if setup else -signal.SIGPIPE] * 2


@BOTH
def test_a_reader_that_leaves_midway(world: World, options: tuple[str, ...]) -> None:
    for chosen in (None, options):
        process = world.start(world.argv("act", "spew", str(TEN_MEGABYTES), options=chosen), stderr=subprocess.DEVNULL)
        assert process.stdout and process.stdin
        assert len(process.stdout.read(100_000)) == 100_000
        process.stdout.close()
        process.stdin.close()
        assert process.wait(LONG) == -signal.SIGPIPE


@BOTH
def test_a_slow_reader_gets_everything(world: World, options: tuple[str, ...]) -> None:
    process = world.start(world.argv("act", "spew", "300000", options=options), stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    out, _ = process.communicate(timeout=LONG)
    assert out == world.bare("act", "spew", "300000").out


@BOTH
def test_output_comes_while_the_application_runs(world: World, options: tuple[str, ...]) -> None:
    process = world.start(world.argv("sh", "-c", 'printf prompt; read answer; printf "got $answer"', options=options))
    assert process.stdout
    assert process.stdout.read(6) == b"prompt"
    assert process.communicate(b"yes\n", timeout=LONG)[0] == b"got yes"


@BOTH
def test_a_child_left_behind_with_stdout_delays_nothing(world: World, options: tuple[str, ...]) -> None:
    """The application ends, its background child keeps the pipe: the parent learns of the end at once."""
    with running(world, world.argv("sh", "-c", "sleep 300 & echo $!", options=options)) as process:
        assert process.wait(LONG) == 0
        assert process.stdout
        os.kill(int(process.stdout.readline()), signal.SIGKILL)


@BOTH
def test_nothing_of_its_own_on_the_streams(world: World, options: tuple[str, ...]) -> None:
    assert world.wrapped("true", options=options) == Seen(0, b"", b"")
    assert world.wrapped("true", options=()) == Seen(0, b"", b"")


def test_without_the_option_no_output_is_kept(world: World) -> None:
    world.wrapped("echo", "a-word-that-is-printed")
    world.wrapped("sh", "-c", "echo A-WORD-THAT-IS-PRINTED | tr A-Z a-z")
    kept = b"".join(path.read_bytes() for path in world.cwd.glob(".hpcprov/**/*.out"))
    assert kept == b""


def test_a_full_store_does_not_hold_output_back(world: World) -> None:
    limit = f"rlimit={resource.RLIMIT_FSIZE}:20000:20000"
    seen = world.wrapped("act", "spew", "200000", setup=[limit], options=CAPTURED)
    bare = world.bare("act", "spew", "200000")
    assert (seen.status, seen.out) == (bare.status, bare.out)
    assert len(seen.err) - len(bare.err) < 400


def test_python_line_buffering_is_its_own(world: World) -> None:
    """A program that asks whether its output is a terminal hears the same."""
    command = (sys.executable, "-c", "import sys; print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty())")
    assert world.wrapped(*command) == world.bare(*command)


@pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
@pytest.mark.parametrize("fd", [1, 37])
def test_what_the_application_closes_is_closed(world: World, fd: int, options: tuple[str, ...]) -> None:
    """A reader sees end-of-file when the application has closed its end, not when it ends."""
    for chosen in (None, options):
        reader, writer = os.pipe()
        script = f"import os, time; os.close({fd}); time.sleep(20)"
        command = world.argv(sys.executable, "-c", script, options=chosen)
        # The shell gives the writing end its number and keeps none itself.
        shell = ["/bin/bash", "-c", f'exec {fd}>&{writer} {writer}>&-; exec "$@"', "bash", *command]
        with running(world, shell, pass_fds=(writer,), stdout=subprocess.DEVNULL) as process:
            os.close(writer)
            assert os.read(reader, 1) == b""
            os.close(reader)
            assert process.poll() is None, "hpcprov holds the descriptor"


@pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
def test_a_writer_learns_that_stdin_was_closed(world: World, options: tuple[str, ...]) -> None:
    for chosen in (None, options):
        with running(world, world.argv("sh", "-c", "exec <&-; echo closed; exec sleep 20", options=chosen)) as process:
            assert process.stdout and process.stdin
            assert process.stdout.readline() == b"closed\n"
            stdin = process.stdin.fileno()
            # The launcher closes it, too, as soon as it sees that the application runs.
            wait_until(lambda fd=stdin: is_broken(fd), what="the end of the pipe")
            assert process.poll() is None


def is_broken(fd: int) -> bool:
    try:
        return os.write(fd, b"x") < 0
    except BrokenPipeError:
        return True

"""The command line of exec: what it refuses, how, and what it says of itself."""

from __future__ import annotations

import time

import pytest

from .log import events, of_kind
from .observe import FAST, LONG, World

USAGE = 125  # as env(1), nohup(1) and timeout(1)

REFUSED = {
    "unknown option": (["--no-such-option"], "--no-such-option"),
    "unknown option with value": (["--colour=red"], "--colour"),
    "unknown short option": (["-x"], "-x"),
    "option of another word": (["--names", "x"], "--names"),
    "empty run id": (["--run-id", ""], "empty"),
    "run id with dots": (["--run-id", ".."], ".."),
    "run id that climbs": (["--run-id", "../../etc/passwd"], "../../etc/passwd"),
    "run id with dots inside": (["--run-id", "a..b"], "a..b"),
    "run id with a slash": (["--run-id", "a/b"], "a/b"),
    "absolute run id": (["--run-id", "/tmp/x"], "/tmp/x"),
    "hidden run id": (["--run-id", ".hidden"], ".hidden"),
    "run id like an option": (["--run-id", "-rf"], "-rf"),
    "run id with a newline": (["--run-id", "a\nb"], "a?b"),
    "run id with a space": (["--run-id", "a b"], "a b"),
    "run id too long": (["--run-id", "x" * 129], "xxxx"),
    "run id that fills a name": (["--run-id", "x" * 5000], "xxxx"),
    "run id not ASCII": (["--run-id", "r\u00fcn"], "n"),
    "tag without equals": (["--tag", "novalue"], "novalue"),
    "tag without key": (["--tag", "=value"], "=value"),
    "forward": (["--forward", "sometimes"], "sometimes"),
    "forward in capitals": (["--forward", "AUTO"], "AUTO"),
    "hash": (["--hash", "maybe"], "maybe"),
    "empty hash": (["--hash="], "--hash"),
    "value for a flag": (["--no-agent=yes"], "--no-agent"),
    "empty input": (["--input", ""], "--input"),
    "empty output": (["--output="], "--output"),
    "empty constraints": (["--constraints="], "--constraints"),
    "value for statistics": (["--stats=yes"], "--stats"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_line_that_names_the_value(world: World, name: str) -> None:
    options, named = REFUSED[name]
    seen = world.run([world.hpcprov, "exec", *options, "--", "touch", "it-ran"])
    assert (seen.status, seen.out) == (USAGE, b"")
    assert len(seen.err.splitlines()) == 1 and len(seen.err) < 400
    assert seen.err.startswith(b"hpcprov") and named.encode() in seen.err
    assert not (world.cwd / "it-ran").exists()
    assert list((world.cwd / ".hpcprov").iterdir()) == []


MISSING = [[], ["--"], ["--no-agent"], ["--no-agent", "--"], ["--name", "x", "--"], ["--name"], ["--run-id"]]


@pytest.mark.parametrize("argv", MISSING, ids=str)
def test_missing_command_or_value(world: World, argv: list[str]) -> None:
    seen = world.run([world.hpcprov, "exec", *argv])
    assert (seen.status, seen.out, len(seen.err.splitlines())) == (USAGE, b"", 1)
    assert b"Traceback" not in seen.err


def test_what_is_refused_cannot_steer_a_terminal(world: World) -> None:
    seen = world.run([world.hpcprov, "exec", "--\x1b[2J\x07\x9b31m", "--", "true"])
    assert seen.status == USAGE
    assert all(byte >= 32 for byte in seen.err.rstrip(b"\n"))


@pytest.mark.parametrize("off", ["off", ""])
def test_a_wrong_option_is_told_with_hpcprov_off_too(world: World, off: str) -> None:
    assert world.run([world.hpcprov, "exec", "--hash", "maybe", "--", "true"], env={"HPCPROV": off}).status == USAGE


GOOD = {
    "separate": ["--name", "x", "--tag", "a=b", "--note", "why", "--hash", "later", "--forward", "never"],
    "joined": ["--name=x", "--tag=a=b", "--note=why: it = that", "--hash=off", "--forward=always"],
    "repeated": ["--input", "a", "--input", "b", "--output", "c*", "--output", "d", "--tag", "a=", "--tag", "a=2"],
    "the last one counts": ["--name", "a", "--name", "b"],
    "longest run id": ["--run-id", "x" * 128],
    "run id with dots": ["--run-id", "a.b-c_D.9"],
    "what is to be found out and written": ["--stats", "--constraints", "c.json", "--constraints=d.json"],
    "empty texts": ["--name", "", "--note", ""],
    "not UTF-8": ["--name", "\udcff", "--note", "\udcfe", "--tag", "\udcfd=\udcfc", "--input", "\udcfb"],
    "long": ["--note", "n" * 100_000],
    "value like an option": ["--note", "--hash"],
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(world: World, name: str) -> None:
    assert world.wrapped("act", "exit", "6", options=(*FAST, *GOOD[name])) == world.bare("act", "exit", "6")


WISHES = {
    "none": ([], {}, {}),
    "options": (["--stats", "--constraints", "c.json"], {}, {"stats": True, "constraints": ["c.json"]}),
    "environment": ([], {"HPCPROV_STATS": "1", "HPCPROV_EMBED": "on"}, {"stats": True, "embed": True}),
    "switched off": ([], {"HPCPROV_STATS": "off", "HPCPROV_EMBED": ""}, {}),
    "both": (["--embed"], {"HPCPROV_EMBED": "0"}, {"embed": True}),
}


@pytest.mark.parametrize("name", WISHES)
def test_what_was_asked_for_is_told_to_the_agent(world: World, name: str) -> None:
    options, env, told = WISHES[name]
    world.run([world.hpcprov, "exec", "--no-agent", *options, "--", "true"], env=env)
    start = of_kind(events(world), "start")[0]
    assert {key: start[key] for key in ("stats", "embed", "constraints") if key in start} == told


@pytest.mark.parametrize(
    "options", [["--hash", "off", "--no-agent"], ["--no-agent"], ["--hash=later", "--no-agent"]], ids=str
)
def test_a_trail_that_nobody_will_write_is_told(world: World, options: list[str]) -> None:
    """Once, and in the record; not where a site asks for trails and the user for no hashing."""
    seen = world.run([world.hpcprov, "exec", "--embed", *options, "--", "true"])
    (line,) = seen.err.decode().splitlines()
    assert line.startswith("hpcprov: --embed writes nothing with --") and "afterwards" in line
    assert [event["text"] for event in of_kind(events(world), "problem")] == [line.removeprefix("hpcprov: ")]
    assert world.run([world.hpcprov, "exec", *options, "--", "true"], env={"HPCPROV_EMBED": "1"}).err == b""


@pytest.mark.parametrize("command", [["true"], ["echo", "--hash", "maybe"], ["sh", "-c", "exit 3"]], ids=str)
def test_two_dashes_may_be_left_out(world: World, command: list[str]) -> None:
    assert world.run([world.hpcprov, "exec", "--no-agent", *command]) == world.bare(*command)


def test_a_second_pair_of_dashes_belongs_to_the_command(world: World) -> None:
    assert world.run([world.hpcprov, "exec", "--no-agent", "--", "printf", "%s", "--", "x"]).out == b"--x"


OPTIONS = ("input", "output", "tag", "note", "name", "run-id", "capture-output", "forward", "hash", "no-agent", "help")
OPTIONS += ("stats", "embed", "constraints")


@pytest.mark.parametrize("argv", [["exec", "--help"], ["exec", "-h"], ["exec", "--name", "x", "--help"]], ids=str)
def test_help_is_quick_and_shows_an_example(world: World, argv: list[str]) -> None:
    durations = []
    for _ in range(5):
        started = time.monotonic()
        seen = world.run([world.hpcprov, *argv])
        durations.append(time.monotonic() - started)
    text = seen.out.decode()
    assert seen.status == 0 and seen.err == b""
    assert "example" in text and "hpcprov exec" in text and "125" in text
    assert all(f"  --{option}" in text for option in OPTIONS)
    assert all(len(line) <= 120 for line in text.splitlines())
    # Native code takes a millisecond or two: the budget itself would only catch a Python that has crept in.
    assert min(durations) < 0.1


def test_version_is_one_line(world: World) -> None:
    seen = world.run([world.hpcprov, "--version"])
    assert seen.status == 0 and seen.err == b""
    assert seen.out.startswith(b"hpcprov 0.") and seen.out.count(b"\n") == 1


@pytest.mark.parametrize("argv", [["exec", "--help"], ["--version"]], ids=str)
def test_a_closed_or_full_stdout_is_an_error(world: World, argv: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        process = world.start([world.hpcprov, *argv], stdout=full)
        assert process.stdin
        process.communicate(timeout=LONG)
    assert process.returncode not in (0, None)

"""The launcher's logs obey docs/frames.md: frames, bytes, places, captured output; secrets are never in them."""

from __future__ import annotations

import os
import re

import pytest

from hpcprov.record.frame import Skipped, scan

from .log import events, log_paths, only, wrapped_events
from .observe import FAST, World


def test_the_logs_name_and_place(world: World) -> None:
    start = only(wrapped_events(world, "true", options=(*FAST, "--run-id", "r1")), "start")
    (path,) = log_paths(world)
    assert path.parent == world.cwd / ".hpcprov/runs/r1"
    assert path.name == f"{start['node']}.{start['launch']}.{start['n']}.log"
    assert start["launch"] == f"{start['ticks']}-{start['pid']}"


UTF8 = ["caf\u00e9 \U0001f600".encode(), b'a\nb\x01\x7f"\\', b""]
NOT_UTF8 = [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf8\x88", b"\xe2\x82", b"\xf4\x90\x80\x80"]
ARGUMENTS = [*UTF8, *NOT_UTF8]


def test_arguments_come_back_as_bytes(world: World) -> None:
    start = only(wrapped_events(world, "true", *ARGUMENTS), "start")
    assert [os.fsencode(word) for word in start["argv"][1:]] == ARGUMENTS


def test_a_working_directory_that_is_not_utf8(world: World) -> None:
    directory = os.fsencode(world.cwd) + b"/caf\xe9 \xff\n"
    os.mkdir(directory)
    world.wrapped("true", setup=[b"chdir=" + directory])  # type: ignore[list-item]
    assert os.fsencode(only(events(world), "start")["cwd"]) == directory


@pytest.mark.parametrize("size", [3000, 3300, 3400, 3500, 3600, 4000, 8000, 100_000])
def test_long_arguments_are_written_in_parts(world: World, size: int) -> None:
    word = ('ab"\\\n\u00e9' * size)[:size]
    start = only(wrapped_events(world, "true", word, word[::-1]), "start")
    assert start["argv"] == ["true", word, word[::-1]]


def test_every_frame_is_one_write(world: World, strace: str) -> None:
    trace = world.path("trace")
    tracer = [strace, "-f", "-y", "-e", "trace=write,writev,pwrite64", "-s", "20", "-o", str(trace)]
    world.run([*tracer, *world.argv("true", "x" * 50_000, options=FAST)])
    sizes = [int(size) for size in re.findall(r"write\(\d+<[^>]*\.log>, .*?, (\d+)\) = \1\n", trace.read_text())]
    assert len(sizes) > 25 and max(sizes) <= 4096
    assert sum(sizes) == sum(path.stat().st_size for path in log_paths(world))
    assert "writev(" not in trace.read_text().replace("writev(2", "")


def test_start_is_stored_before_the_application_runs(world: World) -> None:
    seen = world.wrapped("sh", "-c", "cat .hpcprov/runs/*/*.log")
    assert seen.out.count(b'"event":"start"') == seen.out.count(b'"event":"env"') == 1
    assert b'"event":"exit"' not in seen.out


SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-in-env-1",
    "GITHUB_TOKEN": "ghp_in-env-2",
    "DB_PASSWORD": "hunter-in-env-3",
    "MY_OWN_VARIABLE": "private-in-env-4",
    "SLURM_JWT": "jwt-in-env-5",
    "SSH_AUTH_SOCK": "/sock-in-env-6",
    "https_proxy": "http://u:pw-in-env-7@proxy:1",
    "OMP_API_KEY": "key-in-env-8",
    "PYTHON_TOKEN": "token-in-env-9",
}


@pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
def test_secrets_of_the_environment_are_never_written(world: World, options: tuple[str, ...]) -> None:
    seen = world.run(world.argv("true", options=options), env=SECRETS | {"OMP_NUM_THREADS": "7"})
    assert seen.status == 0
    stored = b"".join(path.read_bytes() for path in world.cwd.glob(".hpcprov/**/*") if path.is_file())
    assert b"in-env-" not in stored
    assert b"OMP_NUM_THREADS" in stored


def test_allowed_environment_is_told(world: World) -> None:
    world.run(world.argv("true", options=FAST), env={"OMP_NUM_THREADS": "7", "SLURM_JOB_ID": "12"})
    env = only(events(world), "env")["env"]
    assert (env["OMP_NUM_THREADS"], env["PATH"], env["SLURM_JOB_ID"]) == ("7", world.env["PATH"], "12")


ARGV_SECRETS = [
    *("--password=argv-secret-1", "--api-key", "argv-secret-2", "https://user:argv-secret-3@host/x"),
    *("--token", "argv-secret-4", "PASSWORD=argv-secret-5"),
]


def test_secrets_of_the_command_line_are_scrubbed(world: World) -> None:
    world.wrapped("true", *ARGV_SECRETS, "--steps=100")
    start = only(events(world), "start")
    assert not re.findall(r"argv-secret-\d", " ".join(start["argv"]))
    assert len(start["argv"]) == len(ARGV_SECRETS) + 2 and start["argv"][-1] == "--steps=100"


def test_captured_output_is_stored_as_it_came(world: World) -> None:
    world.wrapped("act", "spew", "20000", options=(*FAST, "--capture-output"))
    bare = world.bare("act", "spew", "20000")
    stored = events(world, "out")
    for stream, expected in ((1, bare.out), (2, bare.err)):
        found = b"".join(os.fsencode(event["data"]) for event in stored if event["stream"] == stream)
        assert found == expected
    assert "lost_output" not in only(events(world), "exit")


def test_captured_bytes_that_are_not_utf8_come_back(world: World) -> None:
    world.wrapped("printf", r"\377\303\251\303", options=(*FAST, "--capture-output"))
    assert b"".join(os.fsencode(event["data"]) for event in events(world, "out")) == b"\xff\xc3\xa9\xc3"


def test_the_projects_reader_agrees(world: World) -> None:
    world.wrapped("true", "x" * 9000, *ARGUMENTS)
    (path,) = log_paths(world)
    skipped = Skipped()
    assert list(scan(path.read_bytes(), skipped)) == events(world)
    assert not skipped


def test_the_store_of_a_directory_above_is_used(world: World) -> None:
    below = world.cwd / "a/b"
    below.mkdir(parents=True)
    world.wrapped("true", setup=[f"chdir={below}"])
    assert len(log_paths(world)) == 1 and not (below / ".hpcprov").exists()


def test_the_store_is_made_where_none_is(world: World) -> None:
    (world.cwd / ".hpcprov").rmdir()
    assert world.wrapped("true").err == b""
    assert len(log_paths(world)) == 1


@pytest.mark.parametrize("relative", [False, True])
def test_hpcprov_dir_is_used_and_made(world: World, relative: bool) -> None:
    value = "sub/../chosen" if relative else str(world.path("chosen/deep"))
    (world.cwd / "sub").mkdir()
    seen = world.run(world.argv("true", options=FAST), env={"HPCPROV_DIR": value})
    assert seen.status == 0 and seen.err == b""
    assert len(list((world.cwd / value).glob("runs/*/*.log"))) == 1
    assert log_paths(world) == [] or relative

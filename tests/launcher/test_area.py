"""The event area and the two variables: where they are made, what the application can tell of them, what is left."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from .log import events, frames, joined, log_paths, of_kind, only
from .observe import LONG, World, children, marked, running, wait_until
from .test_faults_kill import MARK, agents, end_input, mark

AGENT: tuple[str, ...] = ("--hash", "off")
SHARED_MEMORY = Path("/dev/shm")


def spools(world: World, place: Path = SHARED_MEMORY) -> set[Path]:
    """The spools of this world's runs that are there."""
    logs = {world.cwd / ".hpcprov/runs" / run_of(path) / path.name for path in log_paths(world)}
    digests = (hashlib.sha256(os.fsencode(path)).hexdigest()[:32] for path in logs)
    found = (place / f"hpcprov-{os.geteuid()}-{digest}" for digest in digests)
    return {path for path in found if path.exists()}


def run_of(log: Path) -> str:
    """The run that a log, running or finished, is of."""
    starts = of_kind(joined(frames(log.read_bytes())), "start")
    return str(starts[0]["run"])


@pytest.fixture
def own_memory(as_root: None, world: World) -> Iterator[list[str]]:
    """A command prefix that runs what follows with a /dev/shm that nobody else sees."""
    yield ["unshare", "--mount", "--propagation", "private", "--"]


def told(world: World) -> dict[str, Any]:
    """The latest `observation`."""
    value: dict[str, Any] = of_kind(events(world), "observation")[-1]["value"]
    return value


def paths(world: World) -> set[str]:
    """What the log says was read or written."""
    return {entry["path"] for event in of_kind(events(world), "access") for entry in event["entries"]}


def problems(world: World) -> list[str]:
    return [event["text"] for event in of_kind(events(world), "problem")]


def test_what_is_read_and_written_is_in_the_log(world: World) -> None:
    (world.cwd / "a").write_text("1")
    assert world.wrapped("cp", "a", "b", options=AGENT) == world.bare("cp", "a", "b")
    assert paths(world) == {str(world.cwd / "a"), str(world.cwd / "b")}
    value = told(world)
    assert (value["how"], value["lost"], value["complete"], value["reasons"]) == ("preload", 0, True, [])
    wait_until(lambda: not spools(world), what="the removal of the spool")


def test_environ_is_as_without(world: World) -> None:
    preloads = ({}, {"LD_PRELOAD": ""}, {"LD_PRELOAD": "/nonexistent/liba.so:/nonexistent/libb.so"})
    for env in (*preloads, {"HPCPROV_IO": "1:0"}):
        bare, wrapped = (world.run(world.argv("env", options=options), env=env) for options in (None, AGENT))
        kept = [line for line in bare.out.splitlines() if not line.startswith(b"HPCPROV_IO=")]
        assert sorted(less_ours(wrapped.out)) == sorted(kept), env
        assert wrapped.err == bare.err


def less_ours(environment: bytes) -> list[bytes]:
    return [line for line in environment.splitlines() if not line.startswith(b"HPCPROV_RUN=")]


def ours_in(path: Path) -> list[str]:
    """What of ours a program left in a file that holds its environment."""
    return [line for line in path.read_text().splitlines() if line.startswith(("LD_PRELOAD", "HPCPROV_IO"))]


def test_a_nested_run_is_observed_by_itself(world: World) -> None:
    (world.cwd / "a").write_text("1")
    inner = [world.hpcprov, "exec", *AGENT, "--", "sh", "-c", "env >seen; cp a b"]
    world.wrapped(*inner, options=AGENT)
    assert ours_in(world.cwd / "seen") == []
    runs = {event["run"]: event.get("parent") for event in of_kind(events(world), "start")}
    assert len(runs) == 2
    told_by = [[entry["path"] for entry in event["entries"]] for event in of_kind(events(world), "access")]
    assert sum(str(world.cwd / "b") in listed for listed in told_by) == 1


def test_an_outer_run_goes_on_observing_where_the_inner_does_not(world: World) -> None:
    (world.cwd / "a").write_text("1")
    inner = [world.hpcprov, "exec", "--no-agent", "--", "sh", "-c", "env >seen; cp a b"]
    world.wrapped(*inner, options=AGENT)
    assert ours_in(world.cwd / "seen") == []
    assert str(world.cwd / "b") in paths(world)


@pytest.mark.parametrize(
    ("option", "variable", "site", "word"),
    [
        (None, None, None, "preload"),
        (None, None, "off", "off"),
        (None, "preload", "off", "preload"),
        (None, "off", None, "off"),
        ("preload", "off", "off", "preload"),
        ("off", "preload", "preload", "off"),
    ],
)
def test_who_has_the_last_word(
    world: World, option: str | None, variable: str | None, site: str | None, word: str
) -> None:
    config = world.cwd / "site.conf"
    if site is not None:
        config.write_text(f"# what our users get\n\n  observe=  {site}\t\r\nobserved = nonsense\n")
    env = {"HPCPROV_CONFIG": str(config)} | ({"HPCPROV_OBSERVE": variable} if variable else {})
    options = [*AGENT, *(["--observe", option] if option else [])]
    assert world.wrapped("true", options=options, env=env).status == 0
    assert only(events(world), "start")["observe"] == word
    if word == "off":
        assert of_kind(events(world), "observation") == [] and not spools(world)


def test_an_option_overrules_the_variable_for_what_is_started(world: World) -> None:
    (world.cwd / "a").write_text("1")
    world.wrapped("sh", "-c", "cp a b; true", options=[*AGENT, "--observe", "preload"], env={"HPCPROV_OBSERVE": "off"})
    assert str(world.cwd / "b") in paths(world)


@pytest.mark.parametrize("env", [{"HPCPROV_OBSERVE": "nonsense"}, {"HPCPROV_CONFIG": "site.conf"}])
def test_what_is_none_of_the_words_is_told(world: World, env: dict[str, str]) -> None:
    (world.cwd / "site.conf").write_text("observe = nonsense\n")
    assert world.wrapped("true", options=AGENT, env=env).err == b""
    assert only(events(world), "start")["observe"] == "preload"
    assert [text for text in problems(world) if "none of preload, notify, off" in text]


def in_memory(world: World, prefix: Sequence[str], mount: str, *, env: dict[str, str] | None = None) -> None:
    """`cp a b` under hpcprov where /dev/shm is what the shell command `mount` makes of it."""
    (world.cwd / "a").write_text("1")
    command = [str(word) for word in world.argv("cp", "a", "b", options=AGENT)]
    script = f'{mount}\nexec "$@"'
    done = world.run([*prefix, "sh", "-ec", script, "sh", *command], env=env or {})
    assert (done.status, done.out, done.err) == (0, b"", b"")
    assert (world.cwd / "b").read_text() == "1"


UNUSABLE = {
    "full": "mount -t tmpfs -o size=64k tmpfs /dev/shm; dd if=/dev/zero of=/dev/shm/x bs=4k 2>/dev/null || true",
    "read-only": "mount -t tmpfs -o ro tmpfs /dev/shm",
    "missing": "mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3",
    "not a directory": "mount -t tmpfs tmpfs /dev; touch /dev/shm; mknod -m 666 /dev/null c 1 3",
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_without_shared_memory_it_is_the_temporary_directory(
    world: World, own_memory: list[str], what: str, tmp_path: Path
) -> None:
    temporary = tmp_path / "node"
    temporary.mkdir()
    in_memory(world, own_memory, UNUSABLE[what], env={"TMPDIR": str(temporary)})
    assert str(world.cwd / "b") in paths(world)
    wait_until(lambda: not spools(world, temporary), what="the removal of the spool")


@pytest.mark.parametrize("what", UNUSABLE)
def test_with_no_place_at_all_the_run_is_not_observed(world: World, own_memory: list[str], what: str) -> None:
    """Nor is anything else different: /tmp is read-only but for the working directory."""
    read_only = "mount --bind /tmp /tmp; mount -o remount,ro,bind /tmp"
    writable = 'mount --bind "$PWD" "$PWD"; mount -o remount,rw,bind "$PWD"; cd "$PWD"'
    in_memory(world, own_memory, f"{UNUSABLE[what]}; {read_only}; {writable}", env={"TMPDIR": "/proc"})
    assert [text for text in problems(world) if text.startswith("not observed: no place for events")]


def test_memory_that_is_full_later_loses_events_and_nothing_else(world: World, own_memory: list[str]) -> None:
    (world.cwd / "many.sh").write_text('i=0; while [ $i -lt 3000 ]; do : >"$1$i"; i=$((i+1)); done')
    (world.cwd / "d").mkdir()
    command = [str(word) for word in world.argv("sh", "many.sh", "d/" + "x" * 200, options=AGENT)]
    done = world.run(
        [*own_memory, "sh", "-ec", 'mount -t tmpfs -o size=256k tmpfs /dev/shm\nexec "$@"', "sh", *command]
    )
    assert (done.status, done.out, done.err) == (0, b"", b"")
    assert len(list((world.cwd / "d").iterdir())) == 3000
    assert told(world)["lost"] > 0 and told(world)["complete"] is False


def install(world: World, prefix: Path) -> str:
    """The launcher and its library once more, below `prefix`."""
    source = Path(world.hpcprov).resolve()
    (prefix / "bin").mkdir(parents=True)
    shutil.copy(source, prefix / "bin/hpcprov")
    library = source.parent.parent / "lib/hpcprov"
    if not library.is_dir():
        pytest.skip("no installed library beside this launcher")
    shutil.copytree(library, prefix / "lib/hpcprov")
    return str(prefix / "bin/hpcprov")


def test_a_library_that_the_loader_cannot_name_is_copied(world: World, tmp_path: Path) -> None:
    (world.cwd / "a").write_text("1")
    launcher = install(world, tmp_path / "a b:c $ORIGIN")
    python = shutil.which("python3", path=str(Path(world.hpcprov).parent)) or shutil.which("python3")
    seen = world._replace(hpcprov=launcher).wrapped("cp", "a", "b", options=AGENT, env={"HPCPROV_PYTHON": str(python)})
    assert (seen.status, seen.out, seen.err) == (0, b"", b"")
    assert str(world.cwd / "b") in paths(world)


def test_without_the_library_nothing_is_preloaded(world: World, tmp_path: Path) -> None:
    launcher = install(world, tmp_path / "other")
    shutil.rmtree(tmp_path / "other/lib")
    python = shutil.which("python3", path=str(Path(world.hpcprov).parent)) or shutil.which("python3")
    env = {"HPCPROV_PYTHON": str(python), "HPCPROV_OBSERVE_LIBRARY": "/nonexistent/x.so"}
    seen = world._replace(hpcprov=launcher).wrapped("true", options=AGENT, env=env)
    if of_kind(events(world), "observation"):
        pytest.skip("this launcher was built with the library's place in it")
    assert (seen.status, seen.out, seen.err) == (0, b"", b"")
    assert [text for text in problems(world) if text.startswith("not observed: no observer library")]
    assert not spools(world)


def test_a_library_that_is_not_there(world: World) -> None:
    seen = world.wrapped("true", options=AGENT, env={"HPCPROV_OBSERVE_LIBRARY": "/nonexistent/x.so"})
    assert (seen.status, seen.out, seen.err) == (0, b"", b"")


def test_the_spool_is_closed_to_others(world: World) -> None:
    with running(world, world.argv("sleep", "30", options=AGENT)) as process:
        wait_until(lambda: children(process.pid) and spools(world), what="a spool")
        (spool,) = spools(world)
        assert spool.stat().st_mode & 0o7777 == 0o700
        assert {path.stat().st_mode & 0o7777 for path in spool.iterdir()} == {0o600}
        process.send_signal(signal.SIGTERM)
        process.wait(LONG)
    wait_until(lambda: not spool.exists(), what="the removal of the spool")


@pytest.mark.parametrize("umask", ["0777", "0000"])
def test_any_umask(world: World, umask: str) -> None:
    (world.cwd / "a").write_text("1")
    script = f'umask {umask}; exec "$@"'
    argv = [str(word) for word in world.argv("cp", "a", "/dev/null", options=AGENT)]
    assert world.run(["sh", "-c", script, "sh", *argv]).status == 0
    if os.geteuid() == 0 or umask == "0000":
        assert str(world.cwd / "a") in paths(world)


def test_a_program_that_no_library_is_loaded_into_is_told(world: World, tmp_path: Path) -> None:
    source = tmp_path / "still.c"
    source.write_text("int main(void) { return 0; }\n")
    still = tmp_path / "still"
    subprocess.run(["cc", "-static", "-o", still, source], check=True)
    assert world.wrapped(still, options=AGENT).status == 0
    rows = [entry for event in of_kind(events(world), "program") for entry in event["entries"]]
    assert {(row["path"], row["blind"]) for row in rows} == {(str(still), "static")}
    assert rows[-1]["sha256"]


def test_a_killed_launcher_leaves_its_spool_to_the_agent(world: World) -> None:
    with running(world, world.argv("sleep", "30", options=AGENT)) as process:
        wait_until(lambda: log_paths(world) and of_kind(events(world), "fact"), what="an agent that knows the launcher")
        process.kill()
        process.wait(LONG)
    wait_until(lambda: not spools(world), what="the removal of the spool")


def test_a_killed_agent_leaves_its_spool_to_the_last_launcher(world: World) -> None:
    world.env[MARK] = str(world.cwd)
    with running(world, world.argv("cat", options=AGENT)) as process:
        wait_until(lambda: spools(world) and agents(world), what="the agent")
        for pid in agents(world):
            os.kill(pid, signal.SIGKILL)
        end_input(process)
        assert process.wait(LONG) == 0
        assert not spools(world)


@pytest.mark.parametrize("code", [0, 3])
def test_a_scheduler_may_end_the_agent_with_the_last_launcher(world: World, code: int) -> None:
    """As Slurm does when a task has failed: what the agent cannot come to do has been done."""
    world.env[MARK] = str(world.cwd)
    argv = world.argv("sh", "-c", f"cat; exit {code}", options=AGENT)
    with running(world, argv) as process:
        wait_until(lambda: spools(world) and agents(world), what="the agent")
        stopped = agents(world)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            end_input(process)
            wait_until(lambda: not spools(world), what="the removal of the spool")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert process.wait(LONG) == code
    wait_until(lambda: of_kind(events(world), "observation"), what="the agent's last words")
    assert told(world)["complete"]


def test_what_both_left_is_swept_by_the_next_agent(world: World) -> None:
    world.env[MARK] = str(world.cwd)
    with running(world, world.argv("sleep", "30", options=AGENT)) as process:
        wait_until(lambda: spools(world) and agents(world), what="the agent")
        for pid in (*agents(world), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(LONG)
    left = spools(world)
    assert len(left) == 1
    for path in left:
        os.utime(path / "area", (1, 1))  # a young one may be on its way from a launcher to its agent
    wait_until(lambda: not marked(mark(world)), what="the end of the application")
    world.wrapped("true", options=AGENT)
    wait_until(lambda: not any(path.exists() for path in left), what="the sweep")

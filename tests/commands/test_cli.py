"""The command line's own manners: help, refusals, quiet ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpcprov import __version__, cli
from hpcprov.record.layout import Store

from .conftest import Call

ROOT = str(Path(__file__).parent.parent.parent)
VERBS = [verb for verb in cli.VERBS if verb not in cli.NATIVE]


def test_help_shows_each_verb_in_one_line(call: Call) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        status, out, err = call(*words)
        assert (status, err) == (0, "")
        lines = out.splitlines()
        for verb, text in cli.VERBS.items():
            assert sum(line.split()[:1] == [verb] and line.endswith(text) for line in lines) == 1
        assert max(map(len, lines)) <= 104


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"hpcprov {__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_an_example(call: Call, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as left:
        call(verb, "--help")
    out = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 0 and cli.VERBS[verb] in out and f"example: hpcprov {verb}" in out


@pytest.mark.parametrize("action", ["discover", "verify", "diff", "export"])
def test_help_of_what_constraints_are_for_has_an_example(
    call: Call, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    with pytest.raises(SystemExit):
        call("constraints", action, "--help")
    assert f"example: hpcprov constraints {action} " in capsys.readouterr().out


@pytest.mark.parametrize("width", [50, 80])
@pytest.mark.parametrize("verb", VERBS)
def test_help_is_as_wide_as_the_terminal(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        call(verb, "--help")
    told = capsys.readouterr().out.partition("\nexample: ")[0]
    assert max(map(len, told.splitlines())) <= width


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["shwo"], "hpcprov: unknown verb 'shwo'", "did you mean `hpcprov show`?"),
        (["xyzzy"], "hpcprov: unknown verb 'xyzzy'", "the verbs are"),
        (["a\x1b[31m"], "hpcprov: unknown verb 'a\\x1b[31m'", ""),
        (["show"], "hpcprov show: the following arguments are required: RUN", "hpcprov show --help"),
        (["show", "--nope", "x"], "hpcprov show: unrecognized arguments: --nope", "hpcprov show --help"),
        (["runs", "--limit", "0"], "hpcprov runs: argument --limit: '0' is not a number of runs", ""),
        (["runs", "--since", "yesterday"], "hpcprov runs: argument --since: 'yesterday' is neither a date", ""),
        (["runs", "--status", "great"], "invalid choice: 'great'", "hpcprov runs --help"),
        (["settle"], "hpcprov settle: settle takes one of RUN, --job JOB and --all", ""),
        (["settle", "x", "--all"], "hpcprov settle: settle takes one of RUN, --job JOB and --all", ""),
        (["show", "zzz"], "hpcprov show: no run and no job is called 'zzz'", "`hpcprov runs` lists"),
        (["show", ""], "no run and no job is called ''", ""),
        (["show", "../x"], "no run and no job is called '../x'", ""),
        (["show", "last"], "there is no run yet", "hpcprov exec -- COMMAND makes one"),
    ],
)
def test_refusals_name_the_value_and_the_way_out(call: Call, words: list[str], message: str, hint: str) -> None:
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert message in err and hint in err and "Traceback" not in err and "\x1b" not in err


def test_no_store(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HPCPROV_DIR", str(tmp_path / "nothing"))
    status, _, err = call("runs")
    assert status == 2 and f"HPCPROV_DIR='{tmp_path}/nothing' is not a directory" in err


def run_in(directory: Path, *words: str, **keys: Any) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT} | keys.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "hpcprov", *words], cwd=directory, capture_output=True, text=True, env=environ, **keys
    )


def test_a_store_that_may_not_be_read_is_said(store: Store, tmp_path: Path) -> None:
    Path(store.records).write_text("")
    assert run_in(tmp_path, "runs").stdout == "no runs\n"


def test_a_reader_that_has_gone_ends_it_quietly(runs: Store, tmp_path: Path) -> None:
    script = f"{sys.executable} -m hpcprov runs --json | true; echo ${{PIPESTATUS[0]}}"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT}
    for _ in range(3):
        done = subprocess.run(
            ["bash", "-c", f"for k in 1; do {script}; done"], cwd=tmp_path, capture_output=True, text=True, env=environ
        )
        assert done.stderr == "" and done.stdout.strip() in ("141", "0")
    closed = subprocess.run(
        ["bash", "-c", f"sleep 0.01; {sys.executable} -m hpcprov --help >&-"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert "Traceback" not in closed.stderr


def test_a_broken_pipe_is_141(runs: Store, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-m", "hpcprov", "runs"], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, env=environ
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_said(runs: Store, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT}
        done = subprocess.run(
            [sys.executable, "-m", "hpcprov", "runs"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
    assert done.returncode != 0 and "No space left on device" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("runs >&-", "standard output is closed"),
        ("--help >&-", "standard output is closed"),
        ("show --help >/dev/full", "No space left on device"),
        ("help show >/dev/full", "No space left on device"),
    ],
)
def test_output_that_goes_nowhere_is_an_error(runs: Store, tmp_path: Path, line: str, told: str) -> None:
    done = run_line(tmp_path, line)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_a_removed_directory_is_named(store: Store, tmp_path: Path) -> None:
    done = run_line(tmp_path, "runs", before="mkdir gone; cd gone; rmdir ../gone; ")
    assert done.returncode == 2 and "cd to a directory that exists" in done.stderr


def test_help_of_a_verb(tmp_path: Path) -> None:
    assert run_line(tmp_path, "help show").stdout == run_line(tmp_path, "show --help").stdout != ""


def run_line(folder: Path, line: str, before: str = "") -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "PYTHONSAFEPATH": "1"}
    command = f"{before}{sys.executable} -m hpcprov {line}"
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, env=environ)


def test_a_terminal_that_knows_only_ascii(runs: Store, tmp_path: Path) -> None:
    done = run_in(tmp_path, "show", "first", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (ZeroDivisionError("x"), 70),
        (OSError(28, "No space", "/p"), 2),
    ],
)
def test_exit_statuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, status: int
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "dispatch", fail)
    monkeypatch.setattr(cli, "_drop_output", lambda: None)
    assert cli.main(["runs"]) == status
    assert "Traceback" not in capsys.readouterr().err


EXEC = (
    "import sys; sys.executable = '/nowhere/python'; from hpcprov.cli import entry; "
    "sys.argv = ['hpcprov', 'exec', '--', 'true']; entry()"
)


def native(folder: Path) -> Path:
    """A native program named `hpcprov`: `echo`, which tells what it was given."""
    import shutil

    folder.mkdir()
    shutil.copy(shutil.which("echo") or "/bin/echo", folder / "hpcprov")
    return folder


def test_exec_is_handed_to_the_native_launcher(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.mkdir()
    (script / "hpcprov").write_text("#!/bin/sh\necho a script\n")
    (script / "hpcprov").chmod(0o755)
    path = os.pathsep.join([str(script), str(native(tmp_path / "native")), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-c", EXEC], capture_output=True, text=True, env={"PATH": path, "PYTHONPATH": ROOT}
    )
    assert done.stdout == "exec -- true\n"


def test_exec_without_a_native_launcher_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXEC], capture_output=True, text=True, env={"PATH": str(tmp_path), "PYTHONPATH": ROOT}
    )
    assert done.returncode == 2 and "the native launcher, which serves `exec`, was not found" in done.stderr

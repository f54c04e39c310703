"""The Python audit's hook by itself: what it writes down, and that the program sees none of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hpcprov.capture import python_audit

HOOK = Path(__file__).parents[2] / "hpcprov/launcher/python"
# What a program could tell the hook by.
LOOK = """
import os, sys
print(sys.path, sorted(set(sys.modules) - {"_json", "atexit"}), sys.argv, len(sys.meta_path), sys.flags)
print({name: value for name, value in os.environ.items() if name != "LINES"})
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / python_audit.LOG).touch()
    (tmp_path / "work").mkdir()
    return tmp_path / "spool" / python_audit.LOG


def environment(log: Path, before: str | None = None) -> dict[str, str]:
    """As launcher/audit.c makes it for a program whose PYTHONPATH was `before`."""
    places = f"{HOOK}:{before}" if before else str(HOOK)
    flags = "e" if before == "" else ""
    return plain(before) | {"PYTHONPATH": places, "HPCPROV_AUDIT": f"{flags}:{log}"}


def plain(before: str | None = None) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "HPCPROV"))}
    return own | ({} if before is None else {"PYTHONPATH": before})


def run(log: Path, *words: str, status: int = 0, before: str | None = None) -> str:
    """What Python printed, run in the directory `work`."""
    command = [sys.executable, *words]
    done = subprocess.run(
        command, env=environment(log, before), cwd=work(log), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def work(log: Path) -> Path:
    return log.parents[1] / "work"


def write(log: Path, name: str, text: str) -> str:
    path = work(log) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def seen(log: Path) -> dict[str, str]:
    """What was told, by its path below `work`; paths elsewhere as they are."""
    return {os.path.relpath(one["path"], work(log)): one["as"] for one in python_audit.read(str(log.parent))}


def test_script_and_own_modules_are_named_and_no_others(log: Path) -> None:
    write(log, "model/__init__.py", "")
    write(log, "model/flow.py", "import json, numpy")
    write(log, "space/inner.py", "")
    main = write(log, "solve.py", "import model.flow, space.inner, email")
    run(log, main)
    expected = {"model/__init__.py": "module", "model/flow.py": "module", "space/inner.py": "module"}
    assert seen(log) == expected | {"solve.py": "script"}


def test_a_module_run_as_a_program(log: Path) -> None:
    write(log, "model/__init__.py", "")
    write(log, "model/__main__.py", "import sys; print(sys.argv[1:])")
    assert run(log, "-m", "model", "x") == "['x']\n"
    assert seen(log) == {"model/__init__.py": "module", "model/__main__.py": "module"}


def test_a_zip_file_run_as_a_program(log: Path) -> None:
    with zipfile.ZipFile(work(log) / "model.pyz", "w") as archive:
        archive.writestr("__main__.py", "import flow")
        archive.writestr("flow.py", "")
    run(log, "model.pyz")
    assert seen(log) == {"model.pyz": "script"}


def test_words_on_the_command_line_name_no_script(log: Path) -> None:
    write(log, "flow.py", "")
    run(log, "-c", "import flow")
    assert seen(log) == {"flow.py": "module"}


def test_a_notebook_that_is_executed(log: Path) -> None:
    write(log, "plot.ipynb", "{}")
    run(log, "-c", "pass", "plot.ipynb", "missing.ipynb")
    assert seen(log) == {"plot.ipynb": "notebook"}


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(log: Path, way: str) -> None:
    write(log, "task.py", "def work(n):\n    import inner\n    return n\n")
    write(log, "inner.py", "")
    text = """
import multiprocessing, task
if __name__ == "__main__":
    with multiprocessing.get_context("{way}").Pool(1) as pool:
        assert pool.map(task.work, [1]) == [1]
"""
    run(log, write(log, "main.py", text.replace("{way}", way)))
    assert seen(log) == {"main.py": "script", "task.py": "module", "inner.py": "module"}


def test_a_child_process_that_gets_the_environment(log: Path) -> None:
    write(log, "child.py", "")
    run(log, write(log, "main.py", "import subprocess, sys; subprocess.run([sys.executable, 'child.py'], check=True)"))
    assert seen(log) == {"main.py": "script", "child.py": "script"}


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_was_imported_before_a_sudden_end(log: Path, end: str) -> None:
    write(log, "flow.py", "")
    status = 3 if "_exit" in end else -signal.SIGKILL
    run(log, write(log, "main.py", f"import os, flow; {end}"), status=status)
    assert seen(log) == {"main.py": "script", "flow.py": "module"}


def test_a_module_that_no_finder_found(log: Path) -> None:
    write(log, "plugins/one.py", "")
    text = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("one", "plugins/one.py")
sys.modules["one"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
    run(log, write(log, "main.py", text))
    assert seen(log) == {"main.py": "script", "plugins/one.py": "module"}


@pytest.mark.parametrize("before", [None, "", "/nowhere", "lib:/elsewhere"])
@pytest.mark.parametrize("own", [None, "print('own', __name__)", "raise ValueError('own')", "import not_there"])
def test_the_program_sees_nothing_of_the_hook(log: Path, before: str | None, own: str | None) -> None:
    if own is not None:
        write(log, "lib/sitecustomize.py", own)
    program = write(log, "main.py", LOOK)
    runs = [
        subprocess.run([sys.executable, program], env=env, cwd=work(log), capture_output=True, timeout=60)
        for env in (plain(before), environment(log, before))
    ]
    assert runs[0].returncode == runs[1].returncode == 0
    assert (runs[1].stdout, runs[1].stderr) == (runs[0].stdout, runs[0].stderr)
    assert "main.py" in seen(log)


def test_what_a_job_script_put_in_front_stays(log: Path) -> None:
    program = write(log, "main.py", "import os; print(os.environ['PYTHONPATH'])")
    env = environment(log) | {"PYTHONPATH": f"/more:{HOOK}:/old"}
    done = subprocess.run([sys.executable, program], env=env, cwd=work(log), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("/more:/old\n", "")
    assert seen(log) == {"main.py": "script"}


@pytest.mark.parametrize("damage", ["unlink", "directory", "link"])
def test_a_log_that_cannot_be_written(log: Path, damage: str) -> None:
    log.unlink()
    if damage == "directory":
        log.mkdir()
    if damage == "link":
        log.symlink_to(work(log) / "victim")
        (work(log) / "victim").touch()
    assert run(log, write(log, "main.py", "print(1)")) == "1\n"
    assert seen(log) == {}
    assert damage != "link" or (work(log) / "victim").read_bytes() == b""


def test_a_working_directory_that_is_gone(log: Path) -> None:
    text = f"cd {work(log)}/gone && rmdir ../gone && exec {sys.executable} -c 'print(1)'"
    (work(log) / "gone").mkdir()
    done = subprocess.run(["sh", "-c", text], env=environment(log), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_names_of_any_bytes(log: Path) -> None:
    name = os.fsdecode(b'caf\xe9 "two\nlines".py')
    write(log, name, "")
    run(log, name)
    assert seen(log) == {name: "script"}


GOOD = {"path": "/a/b.py", "as": "module", "size": 3, "mtime": 5}


@pytest.mark.parametrize(
    "line",
    [
        b" ", b"\xff\xfe", b"[]", b"[" * 50000, b'{"path":1}', b'{"path":"/a","as":"module"}', b"{" * 40000,
        json.dumps(GOOD | {"path": "relative"}).encode(), json.dumps(GOOD | {"path": "/nul\0"}).encode(),
        json.dumps(GOOD | {"as": "other"}).encode(), json.dumps(GOOD | {"size": -1}).encode(),
        json.dumps(GOOD | {"mtime": True}).encode(), json.dumps(GOOD | {"size": 1 << 63}).encode(),
        json.dumps(GOOD).encode()[:-3],
    ],
)  # fmt: skip
def test_lines_that_the_hook_does_not_write_are_left_out(line: bytes) -> None:
    good = json.dumps(GOOD).encode()
    assert python_audit.entries([line + b"\n", good + b"\n", line]) == [GOOD]


def test_each_file_is_told_once_in_its_latest_state() -> None:
    later = GOOD | {"mtime": 9, "as": "script"}
    lines = [json.dumps(one).encode() for one in (GOOD, later, GOOD)]
    assert python_audit.entries(lines) == python_audit.entries(reversed(lines)) == [later]


def test_more_files_than_are_kept() -> None:
    lines = [json.dumps(GOOD | {"path": f"/a/{n}.py"}).encode() for n in range(python_audit.MOST_FILES + 5)]
    assert len(python_audit.entries(lines)) == python_audit.MOST_FILES


def test_what_an_application_puts_in_the_logs_place(tmp_path: Path) -> None:
    log = tmp_path / python_audit.LOG
    log.write_bytes(b"x" * (python_audit.MOST_LINE * 3) + b"\n" + json.dumps(GOOD).encode())
    assert python_audit.read(str(tmp_path)) == [GOOD]
    with open(log, "wb") as file:
        file.truncate(1 << 40)
    assert python_audit.read(str(tmp_path)) == []
    log.unlink()
    os.mkfifo(log)
    assert python_audit.read(str(tmp_path)) == []
    log.unlink()
    log.symlink_to("/etc/passwd")
    assert python_audit.read(str(tmp_path)) == []

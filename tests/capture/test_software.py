"""What really ran: snapshots of real processes, their union, and the digests at the end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from require import require

from capture.test_libraries import waiting
from hpcprov.capture import software

WAIT = "import sys; print(flush=True); sys.stdin.read()"


def copy_of_cat(folder: Path) -> Path:
    """A program of our own that waits for the end of its standard input, after one line."""
    shutil.copy(os.path.realpath(shutil.which("sh") or ""), folder / "waiter")
    return folder / "waiter"


def test_a_compiled_program(tmp_path: Path) -> None:
    program = copy_of_cat(tmp_path)
    with waiting(str(program), "-c", "echo; read x") as pid:
        seen = software.snapshot(pid)
    facts = software.finish(seen)
    entry = facts["executables"][0]
    assert entry["path"] == str(program) and entry["linking"] == "dynamic"
    assert entry["sha256"] == hashlib.sha256(program.read_bytes()).hexdigest()
    assert entry["size"] == program.stat().st_size and "interpreter" not in entry and "fingerprint" not in entry
    assert any("libc" in library["path"] for library in facts["libraries"])
    assert not any(library["path"] == str(program) for library in facts["libraries"])
    assert facts["python"] == []


def test_a_python_program() -> None:
    with waiting(sys.executable, "-c", WAIT) as pid:
        facts = software.finish(software.snapshot(pid))
    assert facts["executables"][0]["interpreter"] == "python"
    assert "pytest" in dict(facts["python"][0]["packages"])
    json.dumps(facts)


def test_a_program_replaced_while_it_runs(tmp_path: Path) -> None:
    program = copy_of_cat(tmp_path)
    content = program.read_bytes()
    with waiting(str(program), "-c", "echo; read x") as pid:
        program.unlink()
        program.write_text("something else")
        facts = software.finish(software.snapshot(pid))
    assert facts["executables"][0]["path"] == str(program)
    assert facts["executables"][0]["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_text("new"), "the file was replaced after it ran"),
        (lambda path: path.unlink(), "No such file"),
    ],
)
def test_a_program_changed_after_it_ran(tmp_path: Path, change: Any, reason: str) -> None:
    program = copy_of_cat(tmp_path)
    with waiting(str(program), "-c", "echo; read x") as pid:
        seen = software.snapshot(pid)
    change(program)
    entry = software.finish(seen)["executables"][0]
    assert reason in entry["reason"] and "sha256" not in entry


def test_a_statically_linked_program_has_no_libraries(tmp_path: Path) -> None:
    require("cc", shutil.which("cc"))
    (tmp_path / "x.c").write_text(
        '#include <stdio.h>\nint main(void) { puts(""); fflush(stdout); return getchar() == 0; }\n'
    )
    command = ["cc", "-static", "-o", str(tmp_path / "x"), str(tmp_path / "x.c")]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("there is no static C library here")
    with waiting(str(tmp_path / "x")) as pid:
        facts = software.finish(software.snapshot(pid))
    assert facts["executables"][0]["linking"] == "static" and facts["libraries"] == []


def test_a_process_that_is_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(OSError):
        software.snapshot(process.pid)


def snap(**kinds: Any) -> dict[str, Any]:
    return {"executables": {}, "libraries": {}, "python": {}} | kinds


def test_union() -> None:
    first = snap(libraries={"/a": {"path": "/a", "reason": "no"}, "/b": {"path": "/b", "build_id": "1"}})
    second = snap(
        libraries={"/a": {"path": "/a", "build_id": "2"}, "/b": {"path": "/b", "reason": "no"}, "/c": {"path": "/c"}}
    )
    joined = software.union(first, second)
    assert joined["libraries"] == {
        "/a": {"path": "/a", "build_id": "2"},
        "/b": {"path": "/b", "build_id": "1"},
        "/c": {"path": "/c"},
    }
    assert software.union(joined, first, second) == joined
    assert software.union() == snap()


def test_finish_is_sorted_and_bounded() -> None:
    entries = {f"/x{number:03}": {"path": f"/x{number:03}"} for number in reversed(range(100))}
    facts = software.finish(snap(executables=entries))
    assert [entry["path"] for entry in facts["executables"]] == [f"/x{number:03}" for number in range(64)]
    assert facts["reason"] == "100 executables ran, the first 64 are recorded"


@pytest.mark.parametrize(
    ("path", "mapped", "kind"),
    [
        ("/usr/bin/python3.11", [], {"interpreter": "python"}),
        ("/usr/bin/bash (deleted)", [], {"interpreter": "bash"}),
        ("/usr/lib/R/bin/exec/R", [], {"interpreter": "R"}),
        ("/opt/x/solver", ["/usr/lib/libjvm.so"], {"interpreter": "java"}),
        ("/opt/x/solver", ["/usr/lib/libc.so.6"], {}),
    ],
)
def test_interpreter(path: str, mapped: list[str], kind: dict[str, str]) -> None:
    assert software.interpreter(path, mapped) == kind


def test_both_reasons_stay() -> None:
    assert software.join({"a": 1, "reason": "x"}, {"reason": "y"}) == {"a": 1, "reason": "x; y"}
    assert software.join({"a": 1}, {"sha256": "y"}) == {"a": 1, "sha256": "y"}

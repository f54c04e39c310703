"""A plan is run: the recorded launcher with the recorded ranks, each of them under `hpcprov exec`.

    command(plan, "/opt/venv/bin/hpcprov", "20261121T093000Z-1f2e3d4c")
    ->  ["mpiexec", "-n", "4", "/opt/venv/bin/hpcprov", "exec", "--run-id", "2026112...", "--", "./solver", "in.nc"]

Output goes where this process's goes. A signal ends the rerun first, then this process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import check_run_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Literal

    from hpcprov.rerun.plan import Plan

RERUN_OF = "HPCPROV_RERUN_OF"
CLOSING = 10.0  # s for the run to end by itself after a signal


def new_id(now: float) -> str:
    """A run id as launchers make them; all ranks are given the same."""
    return check_run_id(f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(4).hex()}")


def command(plan: Plan, program: str, run_id: str, *, image: str | None = None) -> list[str]:
    """The whole command line. `program`: the launcher of hpcprov; `image`: what to run it in."""
    around = [program, "exec", *_options(plan, run_id), "--"]
    inside = ["apptainer", "exec", "--bind", plan.directory, "--pwd", plan.directory, image] if image else []
    if plan.starter is None:
        return [*around, *inside, *plan.argv]
    rest = plan.size - sum(number for _, number in plan.others)
    words = [plan.starter, "-n", str(rest), *around, *inside, *plan.argv]
    for argv, number in plan.others:
        words += [":", "-n", str(number), *around, *inside, *argv]
    return words


def _options(plan: Plan, run_id: str) -> list[str]:
    """What the original was started with, for the rerun."""
    run = plan.record["run"]
    words = ["--run-id", run_id]
    for name in ("name", "note"):
        words += [f"--{name}", run[name]] if run[name] else []
    for key, value in sorted(run["tags"].items()):
        words += ["--tag", f"{key}={value}"]
    for option, patterns in (("--input", run["declared"]["inputs"]), ("--output", run["declared"]["outputs"])):
        words += [word for pattern in patterns for word in (option, plan.paths.word(pattern))]
    if run["options"].get("capture_output"):
        words.append("--capture-output")
    words += [f"--{name}" for name in ("stats", "embed") if run["options"].get(name)]
    words += [
        word for path in run["options"].get("constraints") or () for word in ("--constraints", plan.paths.word(path))
    ]
    seen = plan.record.get("observation")
    if seen and seen["how"] in ("preload", "notify"):
        words += ["--observe", seen["how"]]
    return words


def environment(plan: Plan, environ: Mapping[str, str], store: str) -> dict[str, str]:
    """The variables of the rerun: `environ` as it was set for it, with its store and whose rerun it is."""
    # Lists of directories are where programs are found, not where results go.
    inner = {name: value if name.endswith("PATH") else plan.paths.word(value) for name, value in environ.items()}
    return inner | {"PWD": plan.directory, "HPCPROV_DIR": os.path.abspath(store), RERUN_OF: plan.id}


def run(words: list[str], plan: Plan, environ: Mapping[str, str], *, output: int | None = None) -> int:
    """Run a command line in the plan's directory until it ends; its exit status, minus the signal. `output`: the
    descriptor that it prints to, instead of this process's. Raises HpcprovError when it cannot be started;
    KeyboardInterrupt and SystemExit when the rerun has ended of them."""
    streams: list[IO[bytes] | None] = []
    try:
        streams = [_opened(plan.stdin and plan.paths.path(plan.stdin), "rb"), _opened(_output(plan), "wb")]
        umask = plan.record["run"]["umask"]
        child = subprocess.Popen(
            words, cwd=plan.directory, env=dict(environ), stdin=streams[0],
            stdout=streams[1] if streams[1] is not None else output,
            umask=int(umask, 8) if umask else -1,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise HpcprovError(f"{words[0]!a} cannot be started: {error}") from error
    finally:
        for stream in streams:
            if stream is not None:
                stream.close()
    try:
        return child.wait()
    except (KeyboardInterrupt, SystemExit) as end:
        _end(child, signal.SIGINT if isinstance(end, KeyboardInterrupt) else signal.SIGTERM)
        raise


def _end(child: subprocess.Popen[bytes], number: int) -> None:
    """End the rerun as this process was asked to. A terminal's Ctrl-C has reached it already."""
    try:
        if number != signal.SIGINT or not os.isatty(0):
            child.send_signal(number)
        child.wait(CLOSING)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.terminate()
        try:
            child.wait(CLOSING)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.kill()
            child.wait()


def _output(plan: Plan) -> str | None:
    """Where the original's standard output went, when that was one file of its own."""
    return plan.paths.path(plan.stdout) if plan.stdout and plan.paths.inside(plan.stdout) else None


def _opened(path: str | None, mode: Literal["rb", "wb"]) -> IO[bytes] | None:
    return open(path, mode) if path is not None else None

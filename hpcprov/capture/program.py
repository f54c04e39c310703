"""Asking another program (git, nvidia-smi) for facts: no stdin, no terminal, a time limit, bounded output.

The program gets a session of its own, so that what it started ends with it when its time is over.

    ask(["git", "--version"], environ={"PATH": "/usr/bin"}, timeout=5) == b"git version 2.39.5\\n"
"""

from __future__ import annotations

import os
import time

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from select import poll
    from subprocess import Popen

OUTPUT_LIMIT = 4 << 20
COMPLAINT_LIMIT = 4096
PIPE_BLOCK = 1 << 16


class ProgramFailed(HpcprovError):
    """A program could not be started, took too long, said too much, or ended with an error."""


class ProgramTimeout(ProgramFailed):
    """A program did not answer in time."""


def ask(argv: list[str], *, environ: Mapping[str, str], timeout: float, cwd: str | None = None) -> bytes:
    """What a program writes to its standard output, at most 4 MiB. Raises ProgramFailed. `timeout` in seconds."""
    blocks: list[bytes] = []
    stream(argv, bounded(argv[0], blocks.append), environ=environ, timeout=timeout, cwd=cwd)
    return b"".join(blocks)


def bounded(name: str, consume: Callable[[bytes], object], limit: int = OUTPUT_LIMIT) -> Callable[[bytes], object]:
    """`consume`, but raising ProgramFailed once it has been given more than `limit` bytes."""
    taken = 0

    def take(block: bytes) -> None:
        nonlocal taken
        taken += len(block)
        if taken > limit:
            raise ProgramFailed(f"{name} wrote more than {limit} bytes")
        consume(block)

    return take


def stream(
    argv: list[str],
    consume: Callable[[bytes], object],
    *,
    environ: Mapping[str, str],
    timeout: float,
    cwd: str | None = None,
) -> None:
    """Hand a program's standard output to `consume`, block by block. Raises ProgramFailed. `timeout` in seconds."""
    process = start(argv, environ, cwd)
    try:
        complaint = follow(process, consume, time.monotonic() + timeout)
    except BaseException as error:
        stop(process)
        if isinstance(error, TimeoutError):
            raise ProgramTimeout(f"{argv[0]} did not answer within {timeout:g} s") from error
        raise
    finally:
        close(process)
    if process.returncode:
        raise ProgramFailed(explain_status(argv[0], process.returncode, complaint))


def start(argv: list[str], environ: Mapping[str, str], cwd: str | None) -> Popen[bytes]:
    """The started program. Raises ProgramFailed."""
    from subprocess import DEVNULL, PIPE, Popen

    try:
        return Popen(argv, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=dict(environ), cwd=cwd, start_new_session=True)
    except (OSError, ValueError) as error:
        raise ProgramFailed(f"{argv[0]} could not be started: {error}") from error


def follow(process: Popen[bytes], consume: Callable[[bytes], object], deadline: float) -> bytes:
    """Read both pipes until they end, wait for the program; its complaint. Raises TimeoutError after `deadline`."""
    from subprocess import TimeoutExpired

    complaint = drain(process, consume, deadline)
    try:
        process.wait(max(0.1, deadline - time.monotonic()))
    except TimeoutExpired as error:
        raise TimeoutError from error
    return complaint


def drain(process: Popen[bytes], consume: Callable[[bytes], object], deadline: float) -> bytes:
    """Read both pipes until they end; the last 4 KiB of standard error. Raises TimeoutError after `deadline`."""
    import select

    complaint, pipes, watch = b"", pipe_numbers(process), select.poll()
    for descriptor in pipes:
        watch.register(descriptor, select.POLLIN)
    while pipes:
        for descriptor, _ in wait_readable(watch, deadline):
            block = os.read(descriptor, PIPE_BLOCK)
            if not block:
                watch.unregister(descriptor)
                del pipes[descriptor]
            elif pipes[descriptor] == "stderr":
                complaint = (complaint + block)[-COMPLAINT_LIMIT:]
            else:
                consume(block)
    return complaint


def pipe_numbers(process: Popen[bytes]) -> dict[int, str]:
    """The descriptors of our ends of a program's pipes."""
    pipes = {"stdout": process.stdout, "stderr": process.stderr}
    return {pipe.fileno(): name for name, pipe in pipes.items() if pipe is not None}


def wait_readable(watch: poll, deadline: float) -> list[tuple[int, int]]:
    """Descriptors with something to read. Raises TimeoutError when the deadline (time.monotonic) passes first."""
    left = deadline - time.monotonic()
    ready = watch.poll(int(left * 1000) + 1) if left > 0 else []
    if not ready:
        raise TimeoutError
    return ready


def stop(process: Popen[bytes]) -> None:
    """End a program and its process group."""
    import signal

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def close(process: Popen[bytes]) -> None:
    """Close our ends of a program's pipes."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def explain_status(name: str, status: int, complaint: bytes) -> str:
    """One line about a program that failed: its first complaint, else how it ended."""
    lines = complaint.decode("utf-8", "surrogateescape").strip().splitlines()
    ending = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
    if not lines:
        return f"{name}: {ending}"
    from hpcprov.capture.redact import scrub  # not before it is needed

    return f"{name}: {scrub(lines[0][:500])}"


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """The first executable regular file of that name on the environment's PATH (absolute folders only), or None."""
    folders = [folder for folder in environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]
    paths = (os.path.join(folder, name) for folder in folders)
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)

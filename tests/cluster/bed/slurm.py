"""A real Slurm for tests: brought up by slurm.sh, asked and waited for from here.

    with Slurm.up() as slurm:
        job = slurm.submit("#!/bin/sh\nsrun hostname\n", "-N2", cwd=tmp_path)
        assert slurm.ended(job)["ExitCode"] == "0:0"

All waits poll for a state and end with an AssertionError that shows what Slurm says; none is a fixed time. The bed ends
with the process that started it, whatever ends that one: slurm.sh waits for the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("slurm.sh")
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "srun", "sbatch", "sacct")
# What a job, an MPI launch or a user's settings would tell the commands of another Slurm.
FOREIGN = re.compile(
    r"(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SACCT|SINFO|SCANCEL|SCONTROL|SPANK|PMI|PMIX|OMPI|MPI|HPCPROV)_.*"
)
# Ports below those that the kernel hands out by itself.
PORTS = range(20_000, 32_000, 16)
# The socket of the database must stay below the kernel's 108 bytes.
LONGEST_PATH = 60
ENDINGS = "COMPLETED FAILED TIMEOUT CANCELLED OUT_OF_MEMORY NODE_FAIL PREEMPTED DEADLINE BOOT_FAIL REVOKED"
FINAL = frozenset(ENDINGS.split())
PATIENCE = 120.0


def missing() -> list[str]:
    """Programs and rights that a bed needs and this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    lacks = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return lacks if os.geteuid() == 0 else ["root", *lacks]


def until(true: Callable[[], object], otherwise: Callable[[], str] | str, seconds: float = PATIENCE) -> None:
    """Poll for a state, five times a second."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            said = otherwise if isinstance(otherwise, str) else otherwise()
            raise AssertionError(f"not within {seconds:g} s: {said}")
        time.sleep(0.2)


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports on which nothing listens; chosen by chance, so that beds do not race."""
    for first in random.sample(PORTS, len(PORTS)):
        with contextlib.ExitStack() as sockets:
            try:
                for port in range(first, first + count):
                    sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first
    raise AssertionError(f"no {count} neighbouring ports between {PORTS.start} and {PORTS.stop} are free")


class Slurm:
    """One bed: its directory, its nodes' names, the environment in which its commands are found."""

    def __init__(self, directory: Path, *, port: int, nodes: int = 4, cpus: int = 8) -> None:
        self.directory = directory
        self.cluster = "bed"
        self.nodes = [f"n{port}-{number}" for number in range(1, nodes + 1)]
        settings = {"BED": directory, "PORT": port, "NODES": nodes, "CPUS": cpus, "EXTRA": directory / "extra.conf"}
        outside = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
        system = f"{outside.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
        self._script = outside | {name: str(value) for name, value in settings.items()} | {"PATH": system}
        self.env = outside | {"PATH": f"{directory / 'bin'}:{system}"}
        self._bed: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextlib.contextmanager
    def up(cls, extra: str = "", *, nodes: int = 4, cpus: int = 8) -> Iterator[Slurm]:
        """A running bed. `extra`: lines for slurm.conf, which stand instead of the bed's own settings of that name."""
        parent = tempfile.gettempdir()
        directory = Path(tempfile.mkdtemp(prefix="bed-", dir=parent if len(parent) < LONGEST_PATH - 12 else "/tmp"))
        slurm = cls(directory, port=free_ports(nodes + 2), nodes=nodes, cpus=cpus)
        try:
            slurm.start(extra)
            yield slurm
        finally:
            slurm.stop()
            shutil.rmtree(directory, ignore_errors=True)

    # --- the bed itself

    def start(self, extra: str = "") -> None:
        """Bring the bed up; an AssertionError says what the script and the daemons logged."""
        (self.directory / "extra.conf").write_text(extra)
        command = ["bash", str(SCRIPT), "hold"]
        self._bed = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._script, start_new_session=True
        )
        assert self._bed.stdout is not None
        if self._bed.stdout.readline() != b"ready\n":
            said = self.logs()
            self.stop()
            raise AssertionError(f"the bed did not come up:\n{said}")

    def stop(self) -> None:
        """End all that the bed started. May be called twice."""
        if self._bed is None:
            return
        assert self._bed.stdin is not None and self._bed.stdout is not None
        self._bed.stdin.close()
        self._bed.wait(PATIENCE)
        self._bed.stdout.close()
        self._bed = None

    def script(self, *words: str) -> None:
        """One verb of slurm.sh."""
        with (self.directory / "log.txt").open("ab") as log:
            command = ["bash", str(SCRIPT), *words]
            done = subprocess.run(command, env=self._script, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert done.returncode == 0, f"slurm.sh {' '.join(words)}: {done.returncode}\n{self.logs()}"

    def reconfigure(self, extra: str) -> None:
        """Other `extra` settings, for what `scontrol reconfigure` can change while the daemons run."""
        (self.directory / "extra.conf").write_text(extra)
        self.script("reconfigure")

    def fail_node(self, name: str) -> None:
        """Kill a node: its slurmd, and with SIGKILL all that runs on it. Slurm notices after SlurmdTimeout, 10 s."""
        self.script("fail", name)

    def restart_node(self, name: str) -> None:
        """Start a killed node again, and wait until Slurm gives it jobs."""
        self.script("restart", name)
        ready = ("idle", "mixed", "allocated")
        until(lambda: self.node_state(name) in ready, lambda: f"{name} is {self.node_state(name)}")

    def node_state(self, name: str) -> str:
        """Slurm's word for a node: idle, allocated, down, ..."""
        return self.run(["sinfo", "-h", "-p", "main", "-n", name, "-o", "%T"]).stdout.strip()

    def logs(self, lines: int = 15) -> str:
        """The ends of all logs, for a message."""
        found = [self.directory / "log.txt", *sorted(self.directory.glob("log/*.log"))]
        return "\n".join(f"{file}:\n{tail(file, lines)}" for file in found if file.exists())

    # --- what tests do with it

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: int | None = 0,
        timeout: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """A command with this Slurm's own on its PATH; `env` replaces `self.env`, `check=None` allows any status."""
        words = [os.fspath(word) for word in argv]
        chosen = dict(self.env if env is None else env)
        # Looked up on the PATH that the command gets, not on this process's own.
        program = shutil.which(words[0], path=chosen["PATH"]) or words[0]
        done = subprocess.run(
            [program, *words[1:]],
            cwd=cwd,
            env=chosen,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
        )
        assert check is None or done.returncode == check, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def submit(self, script: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """`sbatch ARGUMENTS` of a script written into `cwd`; the job's id. Output goes to `cwd`/slurm-ID.out."""
        number = len(list(cwd.glob("job-*.sh")))
        file = cwd / f"job-{number}.sh"
        file.write_text(script if script.startswith("#!") else f"#!/bin/bash\n{script}")
        output = self.run(["sbatch", "--parsable", *arguments, file], cwd=cwd, env=env).stdout
        return output.strip().split(";")[0]

    def states(self, job: str) -> set[str]:
        """Slurm's words for a job (of an array: for its tasks), as long as it remembers; CANCELLED without `by UID`."""
        done = self.run(["squeue", "-h", "-t", "all", "-j", job, "-o", "%T"], check=None)
        return set(done.stdout.split())

    def wait(self, job: str, *states: str, timeout: float = PATIENCE) -> str:
        """Wait until a job, or each task of an array, has one of `states` (none given: one that is final)."""
        wanted = set(states) or FINAL
        until(lambda: (seen := self.states(job)) and seen <= wanted, lambda: self.about(job), timeout)
        return " ".join(sorted(self.states(job)))

    def ended(self, job: str, timeout: float = PATIENCE) -> dict[str, str]:
        """sacct's row of a job that has ended, when accounting knows of the end too: State, ExitCode, Start, ..."""
        self.wait(job, timeout=timeout)
        until(lambda: self.final(job), lambda: self.about(job), timeout)
        return self.final(job)

    def final(self, job: str) -> dict[str, str]:
        rows = [row for row in self.sacct(job, "-X") if row["State"].split()[:1] and row["End"] != "Unknown"]
        return next((row for row in rows[-1:] if row["State"].split()[0] in FINAL), {})

    def sacct(self, job: str, *options: str, fields: str = "") -> list[dict[str, str]]:
        """sacct's rows of a job and its steps, all of one field list; `--duplicates` shows earlier starts too."""
        names = fields or "JobID,JobIDRaw,JobName,State,ExitCode,Start,End,NNodes,NTasks,NodeList"
        done = self.run(["sacct", "-n", "-P", "-j", job, "-o", names, *options])
        return [dict(zip(names.split(","), line.split("|"), strict=False)) for line in done.stdout.splitlines()]

    def about(self, job: str) -> str:
        """All that Slurm says of a job, for a message."""
        job_said = self.run(["scontrol", "show", "job", job], check=None)
        nodes = self.run(["sinfo", "-N", "-h", "-o", "%N %T %E"], check=None).stdout
        return f"{job_said.stdout}{job_said.stderr}\n{nodes}\n{self.sacct(job)}\n{self.logs()}"


def tail(file: Path, lines: int) -> str:
    text = file.read_text(errors="replace")
    return "\n".join(text.splitlines()[-lines:])

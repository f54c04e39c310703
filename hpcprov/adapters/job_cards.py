"""Cards for jobs that are about to start: what their commands are to be recorded with.

A shell that is handed a command text knows neither rule nor outputs. The workflow's own process does: it leaves a file,
named by the digest of that text, with the words to put between `hpcprov exec` and `--`, each ended by a NUL.

    JobCards("/data/.snakemake/hpcprov/x").put(3, ("/opt/shell/bash", "set -euo pipefail; cp a b"), ["--name=copy"])
    -> /data/.snakemake/hpcprov/x/<sha256 of the command>
"""

from __future__ import annotations

import os
from hashlib import sha256

MARK = b"HPCPROV_JOBS"  # a shell that looks for cards names their directory


class JobCards:
    """The cards of jobs that are running, in a directory of their own. Methods raise OSError."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.names: dict[int, str] = {}
        self.jobs: dict[str, set[int]] = {}
        self.shells: dict[str, bool] = {}

    def put(self, job: int, command: tuple[str | None, str], options: list[str]) -> None:
        """Leave a card for a job, if its shell looks for one. Two jobs with one text have none: which is which?"""
        shell, text = command
        if shell is None or not self.looks(shell):
            return
        self.drop(job)
        name = sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        self.names[job] = name
        jobs = self.jobs.setdefault(name, set())
        jobs.add(job)
        if len(jobs) > 1:
            self.remove(name)
            return
        os.makedirs(self.directory, exist_ok=True)
        draft = os.path.join(self.directory, f".{name}")
        # A parameter may be a secret that no rule of ours knows.
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in options))
        os.rename(draft, os.path.join(self.directory, name))

    def drop(self, job: int) -> None:
        """Take a job's card back."""
        name = self.names.pop(job, None)
        if name is None:
            return
        self.jobs[name].discard(job)
        if not self.jobs[name]:
            del self.jobs[name]
            self.remove(name)

    def remove(self, name: str) -> None:
        try:
            os.unlink(os.path.join(self.directory, name))
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Take all cards back; what cannot be removed stays."""
        try:
            for name in list(self.jobs):
                self.remove(name)
            os.rmdir(self.directory)
            os.rmdir(os.path.dirname(self.directory))
        except OSError:
            pass  # others' cards, or nothing was ever written

    def looks(self, shell: str) -> bool:
        """Is this a shell that looks for cards?"""
        if shell not in self.shells:
            try:
                with open(shell, "rb") as file:
                    head = file.read(4096)
            except OSError:
                head = b""
            self.shells[shell] = head.startswith(b"#!") and MARK in head
        return self.shells[shell]

"""The state of a git working tree: commit, branch, tag, remote, and whether and how it differs from the commit.

The repository may belong to anybody, so nothing that its configuration names is run: no hooks, file system monitor,
filters of its own, external diff, text conversion, pager, transport. No file of it is written (no index refresh).

    {"root": "/home/ada/model", "commit": "3f1c...", "branch": "main", "describe": "v1.2-3-g3f1c0de", "dirty": True,
     "diff": {"sha256": "9b0e...", "size": 812}, "untracked": 2,
     "remote": {"name": "origin", "url": "https://host/model.git"}}

`diff` is of what `git diff HEAD` prints with the options in `DIFF`. Sources: git(1), git-config(1), git-status(1)
"Porcelain Format Version 2".
"""

from __future__ import annotations

import os
import time

from hpcprov.capture.program import ProgramFailed, ProgramTimeout, ask, find_program, stream
from hpcprov.capture.redact import scrub_word
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TIMEOUT = 20.0
# What of the caller's environment git gets: all of GIT_* (external diff, traces, another GIT_DIR) stays behind.
KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME", "TMPDIR")
ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A partial clone would otherwise fetch objects over a transport that its configuration chooses.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
}
# Configuration that runs programs or changes how differences are printed; the command line wins over the repository.
SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.quotePath=true",
    "credential.helper=",
    "diff.external=",
    "diff.suppressBlankEmpty=false",
    "log.showSignature=false",
    "submodule.recurse=false",
)
# The same bytes whatever the user's configuration says; renames and submodules' own changes are not looked for.
DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--binary", "--full-index", "--unified=3",
    "--inter-hunk-context=0", "--diff-algorithm=myers", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
    "--ignore-submodules=dirty", "-O/dev/null", "HEAD", "--",
)  # fmt: skip
STATUS = (
    "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=dirty",
    "--no-renames",
)  # fmt: skip
HEAD = "# branch."
NO_REPOSITORY = "not a git repository"
FILTERS = ("--includes", "--name-only", "-z", "--get-regexp", r"^filter\.")
REMOTES = ("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$")


class Git:
    """`git` in one folder, within one time limit for all its calls. Raises ProgramFailed."""

    def __init__(self, folder: str, environ: Mapping[str, str], timeout: float = TIMEOUT) -> None:
        self.folder = folder
        self.environ = {name: environ[name] for name in KEPT if name in environ} | ENVIRONMENT
        self.deadline = time.monotonic() + timeout
        self.settings: tuple[str, ...] = SETTINGS
        self.program = find_program("git", environ)

    def command(self, args: tuple[str, ...]) -> list[str]:
        """The whole command line. Raises ProgramFailed without git."""
        if self.program is None:
            raise ProgramFailed("git is not installed (not found on PATH)")
        options = [word for setting in self.settings for word in ("-c", setting)]
        return [self.program, "--no-pager", *options, *args]

    def left(self) -> float:
        """Seconds left of the time limit."""
        return max(0.0, self.deadline - time.monotonic())

    def text(self, *args: str) -> str:
        """What git prints, without the last newline."""
        output = ask(self.command(args), environ=self.environ, timeout=self.left(), cwd=self.folder)
        return output.decode("utf-8", "surrogateescape").removesuffix("\n")

    def optional(self, *args: str) -> str | None:
        """The same, or None when git has no answer (no tag, no such setting)."""
        try:
            return self.text(*args)
        except ProgramTimeout:
            raise
        except ProgramFailed:
            return None

    def digest(self, *args: str) -> dict[str, Any]:
        """SHA-256 and size in bytes of what git prints."""
        import hashlib

        state, size = hashlib.sha256(), 0

        def take(block: bytes) -> None:
            nonlocal size
            size += len(block)
            state.update(block)

        stream(self.command(args), take, environ=self.environ, timeout=self.left(), cwd=self.folder)
        return {"sha256": state.hexdigest(), "size": size}


def describe(folder: str, environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Facts about the working tree that a folder is in; in part, with a reason, when git refuses or takes too long."""
    git = Git(folder, environ, timeout)
    facts: dict[str, Any] = {}
    try:
        facts["root"] = git.text("rev-parse", "--show-toplevel")
        facts |= disable_filters(git)
        facts |= parse_status(git.text(*STATUS))
        facts |= history(git, facts)
        if facts["dirty"] and "commit" in facts:
            facts["diff"] = git.digest(*DIFF)
    except ProgramTimeout:
        facts["reason"] = f"git did not answer within {timeout:g} s"
    except HpcprovError as error:
        facts["reason"] = explain_refusal(str(error))
    return facts


def explain_refusal(text: str) -> str:
    """A reason that says what to do, for the refusals that have a way out."""
    if "not a git repository" in text:
        return NO_REPOSITORY
    if "dubious ownership" in text or "unsafe repository" in text:
        return "git refuses a repository of another user (`git config --global --add safe.directory FOLDER` trusts it)"
    return text


def disable_filters(git: Git) -> dict[str, Any]:
    """Switch off the content filters that the repository itself defines; which, when there are any.

    A filter from the user's own configuration (Git LFS, usually) stays on. Raises ProgramFailed.
    """
    listings = [git.optional("config", scope, *FILTERS) or "" for scope in ("--local", "--worktree")]
    names = filter_names("\0".join(listings))
    git.settings += tuple(f"filter.{name}.{key}" for name in names for key in ("clean=", "process=", "required=false"))
    return {"filters_off": names} if names else {}


def filter_names(listing: str) -> list[str]:
    """`filter.lfs.clean` -> `lfs`, for NUL separated names of settings."""
    parts = (entry.strip("\n").split(".") for entry in listing.split("\0"))
    return sorted({".".join(words[1:-1]) for words in parts if len(words) > 2})


def parse_status(text: str) -> dict[str, Any]:
    """Commit, branch, dirty flag and number of untracked files from porcelain version 2, NUL separated."""
    entries = text.split("\0")
    heads = dict(entry[len(HEAD) :].partition(" ")[::2] for entry in entries if entry.startswith(HEAD))
    commit, branch = heads.get("oid", "(initial)"), heads.get("head", "(detached)")
    facts: dict[str, Any] = {"commit": commit} if commit != "(initial)" else {"reason": "no commit yet"}
    facts |= {"branch": branch} if branch != "(detached)" else {"detached": True}
    facts["dirty"] = any(entry[:2] in ("1 ", "2 ", "u ") for entry in entries)
    return facts | {"untracked": sum(entry.startswith("? ") for entry in entries)}


def history(git: Git, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The nearest tag and the remote, where there are any."""
    tag = git.optional("describe", "--tags") if "commit" in facts else None
    remote = choose_remote(git.optional(*REMOTES) or "", facts)
    return ({"describe": tag} if tag else {}) | ({"remote": remote} if remote else {})


def choose_remote(listing: str, facts: Mapping[str, Any]) -> dict[str, str] | None:
    """The branch's remote, else `origin`, else the first; its URL without credentials. `listing`: `git config -z`."""
    settings = dict(entry.split("\n", 1) for entry in listing.split("\0") if "\n" in entry)
    urls = {key[len("remote.") : -len(".url")]: url for key, url in settings.items() if key.startswith("remote.")}
    wanted = (settings.get(f"branch.{facts.get('branch')}.remote"), "origin", next(iter(urls), None))
    name = next((name for name in wanted if name in urls), None)
    return {"name": name, "url": scrub_word(urls[name])} if name else None


def working_folder(path: str) -> str:
    """The folder in which to ask git about a file or folder."""
    return path if os.path.isdir(path) else os.path.dirname(path) or "."

"""Pages of commands and what they print: each command is run when the page is made, so that none of it is made up.

    page = Page(folder, home="/scratch/ada/flood", introduction="# Questions ...")
    page.run("mpiexec -n 4 ...")                             # shown with what it prints
    page.ask(Question("What was run here?", "The newest run first.", "hpcprov runs"))
    printed(page)                                            # 1 where a command ended otherwise than expected

What differs from run to run, ids and times, is left as it is; the folder is called `home`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

MOST_LINES = 40
#: Of the environment, so that a page shows nothing of whoever makes it.
KEPT = ("HOME", "LANG", "LD_LIBRARY_PATH")


class Question:
    """A question, a sentence on the answer, the commands that give it, and the exit status of the last of them.
    `before` is run first, and shown; its output is not."""

    def __init__(self, text: str, says: str, *commands: str, status: int = 0, before: str = "") -> None:
        self.text, self.says, self.commands, self.status, self.before = text, says, commands, status, before


class Page:
    """A page in the making; `{name}` in a command stands for the id of the run of that name."""

    def __init__(self, folder: Path, *, home: str, introduction: str) -> None:
        self.folder, self.home = folder, home
        self.lines, self.wrong, self.words = [introduction.rstrip()], list[str](), dict[str, str]()

    def run(self, *commands: str) -> None:
        """Run commands in one block, without what they print."""
        self.lines += ["", "```console"]
        for command in commands:
            self.lines += [self.asking(command)]
            self.answer(command, 0)
        self.lines += ["```"]

    def say(self, text: str) -> None:
        self.lines += ["", text.strip()]

    def ask(self, question: Question, *, level: int = 2) -> None:
        self.name_runs()
        self.lines += ["", f"{'#' * level} {question.text}", "", question.says, "", "```console"]
        if question.before:
            self.lines += [self.asking(question.before)]
            self.answer(question.before, 0)
        for command in question.commands:
            status = question.status if command == question.commands[-1] else 0
            self.lines += [self.asking(command), *self.answer(command, status)]
        self.lines += [f"(exit status {question.status})"] if question.status else []
        self.lines += ["```"]

    def asking(self, command: str) -> str:
        return f"$ {self.shown(command.format(**self.words))}"

    def answer(self, command: str, status: int) -> list[str]:
        """What a command prints, as the page shows it."""
        path = os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"))
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"PATH": path}
        environment |= {"COLUMNS": "110", "NO_COLOR": "1", "TZ": "UTC"}
        done = subprocess.run(
            ["bash", "-c", command.format(**self.words)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            timeout=300,
        )
        if done.returncode != status:
            self.wrong.append(f"{command}: exit status {done.returncode} instead of {status}\n{done.stdout}")
        lines = self.shown(done.stdout).rstrip().splitlines()
        more = [f"... {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        return [line.rstrip() for line in lines[:MOST_LINES]] + more

    def name_runs(self) -> None:
        """Let the names of runs stand for their ids."""
        listed = subprocess.run(
            ["hpcprov", "runs", "--json"], cwd=self.folder, stdout=subprocess.PIPE, check=False
        ).stdout
        self.words |= {run["name"]: run["id"] for run in json.loads(listed or "[]") if run["name"]}

    def shown(self, text: str) -> str:
        """Text with the places of this machine called as a user's would be."""
        places = {
            str(self.folder): self.home,
            sys.prefix: "/opt/python",
            sys.base_prefix: "/usr",
            platform.release(): "6.1.0",
            str(Path.home()): "/home/ada",
        }
        for place, name in places.items():
            text = text.replace(place, name) if len(place) > 1 else text
        return text


def printed(page: Page) -> int:
    """Print a page; the exit status is 1 when a command did not end as expected."""
    print("\n".join(page.lines))
    for problem in page.wrong:
        print(problem, file=sys.stderr)
    return 1 if page.wrong else 0


def model(folder: Path, terrain: str, *names: str) -> None:
    """In an empty directory: an empty store, these programs of the flood in a repository of their own, the terrain."""
    (folder / ".hpcprov").mkdir()
    (folder / "model").mkdir()
    for name in names:
        shutil.copy(Path(__file__).parent / "flood" / name, folder / "model")
    shutil.copy(terrain, folder / "terrain.npz")
    ada = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*ada, "commit", "-q", "-m", "Model a flood"]):
        subprocess.run(["git", "-C", "model", *words], cwd=folder, check=True)

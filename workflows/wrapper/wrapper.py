"""Snakemake rule wrapper: runs `params.cmd` under `hpcprov exec`, which records all that the rule says.

    rule map:
        input: "a.csv"
        output: "b.csv"
        params: cmd=lambda wildcards: "sort {input} > {output}"
        wrapper: "file:///opt/hpcprov/share/hpcprov/workflows/wrapper"

With a resource `mpi` ("srun --mpi=pmi2", "mpiexec"), cmd is what every rank runs, and `-n <resources.tasks>` is added.
Manual: docs/snakemake.md. Where hpcprov is missing, the command runs without it.
"""

import os
import re
import shlex
import shutil
import sys

FIELD = re.compile(r"\{(input|output|params|wildcards|resources|log|threads|rule)((?:\.\w+|\[\w+\])*)(:q)?\}")
STRICT = "set -euo pipefail; "
# A command without any of these is a program and its arguments, and needs no shell.
SHELL_SYNTAX = re.compile(r"[|&;<>()$`\\\"'*?\[\]#~=%!{}\n]")


def value_of(job: object, match: re.Match[str]) -> str:
    """`{input}`, `{input[0]}`, `{wildcards.sample}`, `{params.name:q}` as in a `shell:` command."""
    found = getattr(job, match[1])
    for part in re.findall(r"\.(\w+)|\[(\w+)\]", match[2]):
        name = part[0] or part[1]
        found = found[int(name)] if name.isdigit() else getattr(found, name)
    words = [str(word) for word in found] if isinstance(found, (list, tuple)) else [str(found)]
    return " ".join(map(shlex.quote, words) if match[3] else words)


def command_of(job: object) -> str:
    """`params.cmd` with its fields filled in; all other braces stay. Raises ValueError without a command."""
    text = job.params.get("cmd")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"rule {job.rule}: params.cmd must be a command, not {text!r}")
    return FIELD.sub(lambda match: value_of(job, match), text)


def options_of(job: object) -> list[str]:
    """What stands between `hpcprov exec` and `--`."""
    from hpcprov.adapters.rule_options import rule_options

    params = {key: value for key, value in named(job.params).items() if key != "cmd"}
    tables = {"wildcards": named(job.wildcards), "params": params, "resources": named(job.resources)}
    return rule_options(job.rule, input=job.input, output=job.output, log=job.log, threads=job.threads, **tables)


def named(values: object) -> dict[str, object]:
    """The named ones of Snakemake's lists, and the others by their places."""
    found = dict(values.items())
    known = {id(value) for value in found.values()}
    return found | {str(k): value for k, value in enumerate(values) if id(value) not in known}


def words_of(command: str) -> list[str]:
    """The command as a program's arguments: itself where it needs no shell, else strict bash."""
    plain = not SHELL_SYNTAX.search(command) and shutil.which(command.split()[0])
    return command.split() if plain else ["bash", "-c", STRICT + command]


def launch_line(job: object) -> list[str]:
    """What starts the ranks of an MPI rule: `resources.mpi` with `-n <resources.tasks>`; nothing for other rules."""
    mpi = job.resources.get("mpi")
    if not isinstance(mpi, str) or not mpi.strip():
        return []
    tasks = job.resources.get("tasks")
    return shlex.split(mpi) + (["-n", str(tasks)] if tasks else [])


def recorder(job: object) -> list[str]:
    """`hpcprov exec ... --`, or nothing and a line on stderr."""
    try:
        launcher = shutil.which("hpcprov")
        if launcher is None:
            raise FileNotFoundError("there is no hpcprov in PATH")
        return [launcher, "exec", *options_of(job), "--"]
    # Whatever is wrong with hpcprov: the rule runs.
    except Exception as error:
        print(f"hpcprov: nothing is recorded: {error}", file=sys.stderr, flush=True)
        return []


def redirect(job: object, template: str) -> None:
    """Standard output and error go to the rule's first log, unless the command says itself what goes there."""
    if not job.log or "{log" in template:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(str(job.log[0]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def main(job: object) -> None:
    """Become the command: its exit status is the rule's."""
    command = command_of(job)
    starter, words, recording = launch_line(job), words_of(command), recorder(job)
    redirect(job, str(job.params.get("cmd")))
    if recording:
        try:
            os.execvp((starter + recording)[0], starter + recording + words)
        # More arguments than the system takes, perhaps: the rule runs without.
        except OSError as error:
            print(f"hpcprov: nothing is recorded: {error.strerror}", file=sys.stderr, flush=True)
    try:
        os.execvp((starter + words)[0], starter + words)
    except OSError as error:
        sys.exit(f"{(starter + words)[0]}: {error.strerror}")


main(snakemake)  # noqa: F821  (Snakemake puts it there)

"""Records -> a POSIX shell script that does again what they tell. Pure: text in, text out.

    quote("it's")  ->  'it'"'"'s'         quote("a\\x1b")  ->  'a'"$(printf '\\033')"

Only printable characters stand in the script, so that looking at it on a terminal is safe too; whatever else an
argument holds is made again by printf when the script runs.
"""

from __future__ import annotations

import os
import re
from itertools import groupby

from hpcprov.commands.screen import when
from hpcprov.merge.seal import verify_seal
from hpcprov.record.ranges import count, text
from hpcprov.record.text import printable
from hpcprov.rerun.environment import kept
from hpcprov.rerun.plan import REDACTED, is_parallel, starter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

HEAD = """#!/bin/sh
# What hpcprov recorded, to be run again: `sh THIS_FILE`. Each command has its own directory, umask and environment.
# Set LAUNCH to start a parallel command another way, for example LAUNCH='srun -n 4'; not where programs differ.
"""
PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def script(records: list[Record]) -> str:
    """One script for several runs, in the order given."""
    return HEAD + "".join(f"\n{_one(record)}" for record in records)


def _one(record: Record) -> str:
    run = record["run"]
    lines = [f"# {line}" for line in _about(record)]
    body = [*_setting(run), *_environment(record["environment"]["common"]), *_commands(record)]
    return "\n".join([*lines, "(", *body, ")", ""])


def _about(record: Record) -> list[str]:
    run, ranks, kind = record["run"], record["ranks"]["count"], record["launcher"]["kind"] or "?"
    user = run["user"]["name"] or run["user"]["uid"]
    told = [
        f"{run['id']}: {run['status']}, started {when(run['start'])} by {user}",
        run["note"] and f"note: {run['note']}",
    ]
    if "seal" in record and not verify_seal(record):
        told.append("WARNING: this record was CHANGED since it was sealed: look at each line before it is run")
    if run["argv"] and any(REDACTED in word for word in run["argv"]):
        told.append(f"secrets were not recorded: {REDACTED} stands for them")
    if is_parallel(record):
        told.append(
            f"{ranks} ranks, launched by {kind}; its launch line was not recorded, the one below starts as many"
        )
    if record["environment"]["varying"]:
        told.append(f"different on each rank, and not set here: {' '.join(record['environment']['varying'])}")
    return [printable(line) for line in told if line]


def _setting(run: dict[str, Any]) -> list[str]:
    cwd = f"cd {quote(run['cwd'])} || exit" if run["cwd"] else "# the working directory is not known"
    return [cwd, *([f"umask {run['umask']}"] if run["umask"] else [])]


def _environment(common: dict[str, str]) -> list[str]:
    return [f"export {name}={quote(value)}" for name, value in kept(common).items()]


def _commands(record: Record) -> list[str]:
    run = record["run"]
    if not run["argv"]:
        return [":  # the command is not known"]
    if not is_parallel(record):
        return [f"exec {_words(run['argv'])}"]
    if not run["others"]:
        return [f"exec ${{LAUNCH-{starter(record)} -n {_size(record)}}} {_words(run['argv'])}"]
    return _several(record, starter(record))


def _several(record: Record, program: str) -> list[str]:
    """MPMD: `mpiexec -n 1 a : -n 3 b` where each command has neighbouring ranks and the same directory."""
    run = record["run"]
    rest = _size(record) - sum(count(other["ranks"]) for other in run["others"])
    parts = [f"-n {rest} {_words(run['argv'])}"]
    parts += [f"-n {count(other['ranks'])} {_words(other['argv'] or ['?'])}" for other in run["others"]]
    notes = [
        printable(f"# rank {text(other['ranks'])} in {quote(other['cwd'] or '?')}, umask {other['umask']}")
        for other in run["others"]
    ]
    return [*notes, f"exec {program} {' : '.join(parts)}"]


def _size(record: Record) -> int:
    return int(record["launcher"]["size"] or record["ranks"]["count"])


def _words(argv: list[str]) -> str:
    return " ".join(map(quote, argv))


def quote(word: str) -> str:
    """A word for a POSIX shell that gives back exactly its bytes; nothing in it is special, all of it is printable."""
    if PLAIN.fullmatch(word):
        return word
    return "".join(_quoted(part) for part in re.findall(r"'+|[^']+", word)) or "''"


def _quoted(part: str) -> str:
    if part[0] == "'":
        return f'"{part}"'
    runs = groupby(part, key=lambda character: character == "\n" or printable(character) == character)
    return "".join(f"'{''.join(run)}'" if safe else _printf("".join(run)) for safe, run in runs)


def _printf(part: str) -> str:
    # $(...) drops newlines at the end only, and there is none in here.
    octal = "".join(f"\\{byte:03o}" for byte in _encoded(part))
    return f"\"$(printf '{octal}')\""


def _encoded(part: str) -> bytes:
    """The bytes of a word; of what no word of a command can hold, those that come nearest."""
    try:
        return os.fsencode(part)
    except UnicodeEncodeError:
        return part.encode("utf-8", "surrogatepass")

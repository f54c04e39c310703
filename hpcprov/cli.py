"""The command line: a verb -> its module, which is imported only when it is called. Nothing else in hpcprov exits.

A command module has a docstring whose first line is its help, EXAMPLE, `add_arguments(parser)` and `run(args) -> int`.

    hpcprov runs --since 2d      ->  hpcprov/commands/runs.py
"""

from __future__ import annotations

import os
import sys

from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import ModuleType
    from typing import NoReturn

# A test keeps these equal to the first lines of the modules' docstrings.
VERBS = {
    "exec": "Run a command and record what made its results.",
    "hash": "Print the storage digest of files and stores, and the signature of each field in them.",
    "verify": "Check that data is what was recorded, and say which fields are not, and where.",
    "settle": "Finish the record of a run that nobody finished.",
    "runs": "List the runs of this directory's store.",
    "show": "Show one run on one screen: what, where, when, who, how it ended, inputs and outputs.",
    "lineage": "Show what led to data or to a run, and what came of it.",
    "find": "Find runs by what they used, made and ran with.",
    "why": "Say how two runs, or the data that they made, differ: causes first, then outputs.",
    "rerun": "Run a recorded command again, and say whether it makes the same.",
    "dictionary": "Show what is in a dataset: a row for each field, with units, values, descriptions.",
    "annotate": "Write about data, beside it: descriptions, tags, names and units of its fields.",
    "stamp": "Write into a dataset what run made it, so that it tells wherever it goes.",
    "trail": "Show what a dataset itself tells of the runs that made it.",
    "fields": "List the fields of data: what each is, how it was made, from what, by whom.",
    "define": "Write down how a field was made, or have a SQL query tell of all columns.",
    "constraints": "Find out what data keeps, hold data against it, and compare, export such constraints.",
    "diff": "Say what exactly differs between two datasets: which values, where, and by how much.",
    "report": "Make a page of a run, or of many, that needs no network: to read, print and keep.",
    "export": "Write runs, or the lineage of data, in other people's formats.",
    "import": "Take runs that were recorded elsewhere into this directory's store.",
    "attest": "Vouch for the records of runs with your SSH key.",
    "prune": "Drop captured output of old runs, and tile digests that no recent record needs.",
    "image": "Show what a container image is, label it, and list the runs that used it.",
    "import-darshan": "Attach what Darshan counted, file by file, to the run that its log is of.",
    "log": "Print the commands of runs again as a shell script, or what they printed.",
}
NATIVE = ("exec",)
USAGE_ERROR = 2
INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130
BROKEN_PIPE = 141


def entry() -> NoReturn:
    """The process's entrance and its only way out."""
    sys.exit(main(sys.argv[1:]))


def main(words: list[str]) -> int:
    """Run one verb; the exit status. Ends quietly when the reader of its output has gone, or on Ctrl-C."""
    if words[:1] == ["help"] and len(words) > 1:
        words = [words[1], "--help"]
    verb = words[0] if words else "--help"
    if sys.stdout is None and verb not in NATIVE:
        return complain(verb, "standard output is closed", "send it to a file, a pipe or /dev/null", USAGE_ERROR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = dispatch(verb, words[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except HpcprovError as error:
        return complain(verb, error.message, error.hint, error.exit_code)
    except OSError as error:
        _flush_or_drop()
        where = f"{printable(os.fsdecode(error.filename))}: " if isinstance(error.filename, (str, bytes)) else ""
        return complain(verb, f"{where}{error.strerror or error}", None, USAGE_ERROR)
    except Exception as error:
        if os.environ.get("HPCPROV_DEBUG"):
            raise
        hint = "this is a bug; HPCPROV_DEBUG=1 shows where"
        return complain(verb, f"internal error: {type(error).__name__}: {error}", hint, INTERNAL_ERROR)


def dispatch(verb: str, words: list[str]) -> int:
    """Answer `--help` and `--version`, hand `exec` to the native launcher, and run every other verb's module."""
    if verb in ("--help", "-h", "help"):
        print(overview())
        return 0
    if verb in ("--version", "-V"):
        print(f"hpcprov {_version()}")
        return 0
    if verb not in VERBS:
        raise HpcprovError(f"unknown verb {verb!a}", hint=_suggestion(verb))
    if verb in NATIVE:
        return run_native(verb, words)
    _check_directory()
    module = command(verb)
    try:
        status = module.run(parser_of(verb, module).parse_args(words))
    except SystemExit:
        sys.stdout.flush()  # --help on a full disk is an error
        raise
    return int(status)


def _check_directory() -> None:
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise HpcprovError("the working directory is gone", hint="cd to a directory that exists") from error


def overview() -> str:
    """The text of `hpcprov --help`: each verb in one line."""
    lines = [f"  {verb:<16}{text}" for verb, text in VERBS.items()]
    example = "mpiexec -n 4 hpcprov exec --output 'out/*.zarr' -- python solve.py && hpcprov show last"
    head = "usage: hpcprov VERB [OPTION]...\n\nProvenance for high-performance computing.\n"
    return "\n".join([head, *lines, "", "`hpcprov VERB --help` tells more.", f"example: {example}"])


def command(verb: str) -> ModuleType:
    """The module of a verb; one that is a word of Python's own has a `_` behind it."""
    from importlib import import_module
    from keyword import iskeyword

    return import_module(f"hpcprov.commands.{verb.replace('-', '_')}{'_' if iskeyword(verb) else ''}")


def parser_of(verb: str, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of a verb; a refusal names the value and the way to the help."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise HpcprovError(printable(message), hint=f"hpcprov {verb} --help")

    parser = Parser(
        prog=f"hpcprov {verb}",
        description=_wrapped(module.__doc__ or ""),
        epilog=f"example: {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser


def _wrapped(text: str) -> str:
    """Paragraphs as wide as argparse makes the options; indented ones as they are."""
    from shutil import get_terminal_size
    from textwrap import fill

    width = max(20, get_terminal_size().columns - 2)
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(one if "\n " in f"\n{one}" else fill(one, width) for one in paragraphs)


def run_native(verb: str, words: list[str]) -> int:
    """Become the native launcher: only it is transparent. Raises HpcprovError when there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "hpcprov")
    on_path = (os.path.join(folder, "hpcprov") for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    for candidate in (beside, *on_path):
        if _is_program(candidate):
            os.execv(candidate, [candidate, verb, *words])
    hint = "install hpcprov with a C compiler at hand (pip install .), or put the directory of its `hpcprov` on PATH"
    raise HpcprovError(
        f"the native launcher, which serves `{verb}`, was not found beside {sys.executable} or on PATH", hint=hint
    )


def complain(verb: str, message: str, hint: str | None, status: int) -> int:
    """Say what is wrong on standard error, and the way out."""
    name = f"hpcprov {verb}" if verb in VERBS else "hpcprov"
    lines = [f"{name}: {printable(message)}"] + ([f"  {printable(line)}" for line in hint.split("\n")] if hint else [])
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody is listening
    return status


def _suggestion(verb: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(verb, VERBS, 1)
    return f"did you mean `hpcprov {near[0]}`?" if near else f"the verbs are {', '.join(VERBS)}"


def _is_program(path: str) -> bool:
    # A script of the same name, as some installers make, would only call this module again.
    try:
        with open(path, "rb") as file:
            return os.access(path, os.X_OK) and file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _flush_or_drop() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        _drop_output()


def _drop_output() -> None:
    # Python flushes standard output once more when it ends, and would complain.
    if sys.stdout is None:
        return
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # it is no file
    finally:
        os.close(devnull)


def _version() -> str:
    from hpcprov import __version__

    return __version__

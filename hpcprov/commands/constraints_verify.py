"""`hpcprov constraints verify PATH FILE`, and `hpcprov verify PATH FILE`: the child holds data against constraints."""

from __future__ import annotations

import json
import os

from hpcprov.commands.bar import Bar
from hpcprov.commands.constraints_page import render
from hpcprov.commands.ending import tidy
from hpcprov.commands.outputs import check_not_read, swept
from hpcprov.commands.reading import comparer
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from hpcprov.quality.isolated import Comparing

#: What the name of a file of constraints ends in, where `hpcprov verify` is given one.
SUFFIXES = (".json", ".tdda")


def run(args: argparse.Namespace) -> int:
    """Verify; the exit status."""
    found = verdict(args)
    print(json.dumps(found, indent=1) if args.json else "\n".join(render(found, whole=args.all)))
    return 0 if found["status"] == "OK" else 1


def of_two(args: argparse.Namespace) -> int:
    """`hpcprov verify PATH FILE`; the exit status. Raises HpcprovError for options that are about records."""
    if not args.constraints.endswith(SUFFIXES):
        hint = f"a file of constraints ends in {' or '.join(SUFFIXES)}; hpcprov constraints verify takes any"
        raise HpcprovError(f"one TARGET, or a PATH and a file of constraints: {args.constraints!a}", hint=hint)
    others = ("all", "storage", "against", "field", "cached", "upstream", "attested_by", "refold")
    if given := next((name for name in others if getattr(args, name, None)), None):
        raise HpcprovError(
            f"--{given.replace('_', '-')} is about records, not constraints", hint="hpcprov verify --help"
        )
    args.path, args.strict, args.epsilon, args.detect, args.output = args.target, False, 0.0, False, None
    return run(args)


def verdict(args: argparse.Namespace) -> dict[str, Any]:
    """What has become of it all, with the paths of both. Raises HpcprovError."""
    from hpcprov.quality.constraints.file import read

    if args.detect != (args.output is not None):
        raise HpcprovError("--detect and -o OUT go together", hint="hpcprov constraints verify --help")
    check_not_read(args.output, args.path, args.constraints)
    constraints = read(args.constraints)
    options = {
        "type_checking": "strict" if args.strict else "sloppy", "epsilon": args.epsilon,
        "output": os.path.abspath(args.output) if args.detect else None, "replace": args.detect and args.force,
    }  # fmt: skip
    found = read_by_child(args, lambda reading: reading.constrain(args.path, constraints.raw, options))
    found |= {"output": args.output} if args.detect else {}
    status = "FAILED" if found["failures"] else "OK"
    return {"path": os.path.abspath(args.path), "file": os.path.abspath(args.constraints), "status": status, **found}


def read_by_child(args: argparse.Namespace, ask: Callable[[Comparing], dict[str, Any]]) -> dict[str, Any]:
    """What the child answers, with a line that says how far it is. Raises HpcprovError that names the path."""
    bar = Bar()
    writes = getattr(args, "detect", False)
    place = args.output if writes else None
    with swept(place) as pids, tidy(), comparer({"threads": args.threads}, bar, copies=writes) as reading:
        reading.start()
        pids.extend([reading.child.pid] if reading.child is not None else [])
        bar.begin(args.path)
        try:
            return ask(reading)
        except HpcprovError as error:
            raise HpcprovError(f"{args.path!a}: {error.message}", hint=error.hint) from error
        finally:
            bar.clear()

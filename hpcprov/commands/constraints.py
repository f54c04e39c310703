"""Find out what data keeps, hold data against it, and compare, export such constraints.

A file of constraints says of each field what is to be so: type, bounds, sign, missing values, lengths, allowed values,
regular expressions; of arrays shape, units, order and steps of coordinates. For tables it is a file of TDDA. Discover
one from data that is right, read and correct it, keep it with the code, and hold every new version of the data against
it: `hpcprov verify PATH c.json`, or at the end of each run `hpcprov exec --constraints c.json`.

The exit status is 0 when all is kept (diff: nothing differs), 1 when not, and 2 when it cannot be told.
"""

from __future__ import annotations

import argparse

from hpcprov.commands.reading import thread_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = """hpcprov constraints discover iris.csv -o iris.json
         hpcprov constraints verify new.csv iris.json"""

#: action: its line of help, and examples of it.
ACTIONS = {
    "discover": (
        "find the constraints that data keeps",
        "hpcprov constraints discover flood.nc --growing time -o flood.json",
    ),
    "verify": (
        "hold data against a file of constraints (hpcprov verify PATH FILE does the same)",
        """hpcprov constraints verify new.nc flood.json
         hpcprov constraints verify new.csv iris.json --detect -o bad.csv

exit status: 0 all is kept; 1 not; 2 it cannot be told""",
    ),
    "diff": (
        "what a second file of constraints says otherwise: tightened, loosened, added, removed",
        """hpcprov constraints diff year1.json year2.json

exit status: 0 they say the same; 1 not; 2 one cannot be read""",
    ),
    "export": (
        "write a file of constraints in other people's formats",
        "hpcprov constraints export iris.json --to pandera -o iris_schema.py",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `hpcprov constraints`."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    arguments = {
        "discover": _discover_arguments, "verify": _verify_arguments, "diff": _diff_arguments,
        "export": _export_arguments,
    }  # fmt: skip
    for action, (text, example) in ACTIONS.items():
        arguments[action](
            verbs.add_parser(
                action,
                help=text,
                description=f"{text[0].upper()}{text[1:]}.",
                epilog=f"example: {example}",
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )


def _discover_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="data that is as it should be")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument("--field", metavar="GLOB", action="append", default=[], help="only these fields; repeatable")
    parser.add_argument(
        "--growing", metavar="AXIS", action="append", default=[], help="an axis of any extent: its name or number"
    )
    parser.add_argument(
        "--exclude-outliers", action="store_true", help="bounds that leave out what lies far beyond the quartiles"
    )
    parser.add_argument("--no-rex", action="store_true", help="look for no regular expressions")
    parser.add_argument("--force", action="store_true", help="overwrite FILE")
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="data")
    parser.add_argument("constraints", metavar="FILE", help="constraints, of hpcprov or TDDA")
    add_verifying(parser)
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything")


def add_verifying(parser: argparse.ArgumentParser) -> None:
    """The options of holding data against constraints."""
    parser.add_argument("--all", action="store_true", help="print every constraint, also those that are kept")
    parser.add_argument("--strict", action="store_true", help="no whole floats where the type should be int")
    parser.add_argument(
        "--epsilon", metavar="E", type=epsilon, default=0.0, help="let bounds be passed by that part of them (0.01)"
    )
    parser.add_argument("--detect", action="store_true", help="write what violates a constraint to OUT")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="with --detect: .parquet, .csv or .arrow; of arrays .zarr or .h5, too"
    )
    parser.add_argument("--force", action="store_true", help="with --detect: overwrite OUT")


def _diff_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="a file of constraints")
    parser.add_argument("second", metavar="B", help="another one")
    parser.add_argument("--json", action="store_true", help="print one JSON list")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("constraints", metavar="FILE", help="constraints, of hpcprov or TDDA")
    parser.add_argument("--to", choices=["pandera"], required=True, help="a Python script that makes a Pandera schema")
    parser.add_argument("-o", "--output", metavar="OUT", help="where to (default: standard output)")
    parser.add_argument("--force", action="store_true", help="overwrite OUT")


def epsilon(text: str) -> float:
    """The value of `--epsilon`."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part between 0 and 1")
    return number


def run(args: argparse.Namespace) -> int:
    """Do one of them; the exit status."""
    from hpcprov.commands import constraints_discover, constraints_files, constraints_verify

    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "discover": constraints_discover.run,
        "verify": constraints_verify.run,
        "diff": constraints_files.diff,
        "export": constraints_files.export,
    }
    return actions[args.action](args)

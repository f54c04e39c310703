"""Show what a container image is, label it, and list the runs that used it.

Labels say which commit and which run an image is of. They are written without a rebuild, into a copy that then takes
the image's place; the image's contents and its identity stay, and no signature is broken. See docs/images.md.
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.commands import screen as sight
from hpcprov.commands.bar import progress
from hpcprov.commands.choose import HELP
from hpcprov.commands.ending import tidy
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXAMPLE = "hpcprov image label step.sif --from-git --from-run last"
MOST_GROUP = (1 << 28) - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `hpcprov image`."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _show_arguments(verbs.add_parser("show", help=SHOW, description=SHOW, allow_abbrev=False))
    _label_arguments(verbs.add_parser("label", help=LABEL, description=LABEL, allow_abbrev=False))
    _used_arguments(verbs.add_parser("used-by", help=USED, description=USED, allow_abbrev=False))


SHOW = "what built an image, from what, its labels, signatures and identity"
LABEL = "write labels into an image, without a rebuild, or into a definition file"
USED = "the runs of this directory's store that used an image"


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", metavar="IMAGE", help="a SIF file, a folder, an OCI layout or archive, a squashfs file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything")


def _label_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="a SIF file; not needed with --def")
    parser.add_argument("--label", metavar="K=V", action="append", default=[], help="a label; repeatable")
    parser.add_argument(
        "--from-git", action="store_true", help="revision, source and version of the working directory's git repository"
    )
    parser.add_argument("--from-run", metavar="RUN", help=f"the run that built the image: {HELP}")
    parser.add_argument("--def", metavar="FILE", dest="definition", help="write the labels into its %%labels, too")
    parser.add_argument("--output", metavar="FILE", help="write a labelled copy, and leave the image as it is")
    parser.add_argument(
        "--resign", action="store_true", help="of a signed image: sign its labels with your key (`apptainer sign`)"
    )
    parser.add_argument("--key", metavar="FILE", help="sign with this PEM key")
    parser.add_argument("--key-index", metavar="N", type=_number, help="sign with this key of `apptainer key list -s`")
    parser.add_argument("--group", metavar="N", type=_group, help="put the labels into this group of objects")


def _used_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="an image of any kind, or its identity: sha256:...")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per run")


def run(args: argparse.Namespace) -> int:
    """Show, label, or list."""
    with tidy():
        return ACTIONS[args.action](args)


def show(args: argparse.Namespace) -> int:
    """Print an image's page, or everything as JSON."""
    from hpcprov.capture.container.content import format_of
    from hpcprov.commands.image_page import render

    kind = format_of(args.image)
    if kind == "file":
        raise HpcprovError(f"{args.image}: not a container image")
    facts = _sif(args.image) if kind == "sif" else _other(args.image)
    if args.json:
        print(json.dumps(facts, indent=1, sort_keys=True))
    else:
        print("\n".join(render(facts, sight.screen(os.environ))))
    return 0


def _sif(path: str) -> dict[str, Any]:
    from hpcprov.capture.container import sif
    from hpcprov.image.describe import describe, work

    with sif.opened(path) as image, progress(path, work(image)) as pulse:
        return {"format": "sif"} | describe(image, pulse=pulse)


def _other(path: str) -> dict[str, Any]:
    """A folder, an archive, a squashfs file: what runs that use it say of it."""
    from hpcprov.agent.image_child import identified

    found = identified({"path": os.path.abspath(path), "tag": None}, None, None)
    return {"path": path, "format": "unknown", "labels": None} | found


def label(args: argparse.Namespace) -> int:
    """Label an image, a definition file, or both."""
    from hpcprov.commands import image_label

    return image_label.label(args)


def used_by(args: argparse.Namespace) -> int:
    """Print the runs that used an image."""
    from hpcprov.commands import image_users

    return image_users.used_by(args)


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"show": show, "label": label, "used-by": used_by}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _group(text: str) -> int:
    number = _number(text)
    if not 1 <= number <= MOST_GROUP:
        raise argparse.ArgumentTypeError(f"{text!r} is not a group: 1 or more")
    return number

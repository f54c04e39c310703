"""Show what a container image is, label it, and list the runs that used it.

Labels say which commit and which run an image is of. They are written without a rebuild, into a copy that then takes
the image's place; the image's contents and its identity stay, and no signature is broken. See docs/images.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from contextlib import contextmanager

from hpcprov.commands import screen as sight
from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import HELP, tell
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

    from hpcprov.record.model import Record

EXAMPLE = "hpcprov image label step.sif --from-git --from-run last"
DEFINITION_LIMIT = 1 << 20
ENDS = (signal.SIGTERM, signal.SIGHUP)
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
    with _tidy():
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

    with sif.opened(path) as image, _progress(path, work(image)) as pulse:
        return {"format": "sif"} | describe(image, pulse=pulse)


def _other(path: str) -> dict[str, Any]:
    """A folder, an archive, a squashfs file: what runs that use it say of it."""
    from hpcprov.agent.image_child import identified

    found = identified({"path": os.path.abspath(path), "tag": None}, None, None)
    return {"path": path, "format": "unknown", "labels": None} | found


def label(args: argparse.Namespace) -> int:
    """Label an image, a definition file, or both."""
    from hpcprov.image import labels

    if args.image is None and args.definition is None:
        raise HpcprovError("give an IMAGE to label, or --def FILE", hint="hpcprov image label --help")
    if (args.key or args.key_index is not None) and not args.resign:
        raise HpcprovError("a key is for --resign", hint="hpcprov image label --help")
    given = labels.parse(args.label)
    common = _from_run(args) | _from_git(args) | given
    labels.check(common)
    if not common:
        raise HpcprovError("no labels are given", hint="--label K=V, --from-git or --from-run RUN")
    if args.image is not None:
        _label_image(args, common, given)
    if args.definition is not None:
        _label_definition(args.definition, common)
    return 0


def _from_run(args: argparse.Namespace) -> dict[str, str]:
    from hpcprov.commands.choose import choose, store_here
    from hpcprov.image import labels

    if args.from_run is None:
        return {}
    store = store_here()
    record = choose(store, args.from_run).record
    if args.image is not None and _only_used(record, args.image, store.cache):
        hint = "--from-run names the run that built it: hpcprov exec --output IMAGE -- apptainer build IMAGE ..."
        raise HpcprovError(f"the run {record['run']['id']} used {args.image!a} and did not build it", hint=hint)
    return labels.from_run(record)


def _only_used(record: Record, path: str, cache: str) -> bool:
    """Did the run use this image, and not declare it as what it made?"""
    from hpcprov.commands.image_users import identity_of, uses

    made = {os.path.realpath(artifact["path"]) for artifact in record["artifacts"]["generated"]}
    if not model.fact(record, "image") or os.path.realpath(path) in made:
        return False
    return any(one["identity"] is not None for one in uses(record, path, identity_of(path, cache)))


def _from_git(args: argparse.Namespace) -> dict[str, str]:
    from hpcprov.capture import git
    from hpcprov.image import labels

    if not args.from_git:
        return {}
    found = labels.from_git(git.describe(os.getcwd(), os.environ))
    if f"{labels.OURS}dirty" in found:
        tell("the working tree differs from the commit: the image gets the label io.hpcprov.dirty=true")
    return found


def _label_definition(path: str, common: dict[str, str]) -> None:
    from hpcprov.capture.reading import open_regular, read_descriptor
    from hpcprov.image.definition import labelled
    from hpcprov.image.replace import replacement, write

    descriptor = open_regular(path, DEFINITION_LIMIT)
    try:
        old = read_descriptor(descriptor, DEFINITION_LIMIT)
    finally:
        os.close(descriptor)
    new = os.fsencode(labelled(os.fsdecode(old), common))
    if new == old:
        print(printable(f"{path}: has these labels already"))
        return
    with replacement(path) as draft:
        file = os.open(draft.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.pread(file, DEFINITION_LIMIT + 1, 0) != old:
                raise HpcprovError(f"{path!a} was changed by another process meanwhile", hint="try again")
            write(file, new, 0)
            os.ftruncate(file, len(new))
        finally:
            os.close(file)
    print(printable(f"{path}: {sight.count(len(common), 'label')} in %labels"))


def _label_image(args: argparse.Namespace, common: dict[str, str], given: dict[str, str]) -> None:
    from hpcprov.capture.container import sif
    from hpcprov.image import labels
    from hpcprov.image.relabel import Options, relabel

    with sif.opened(args.image) as image:
        told = labels.from_image(image) if args.from_git or args.from_run is not None else {}
        wanted = told | common | given
        size = image.sif.size
    labels.check(wanted)
    with _progress(args.image, 2 * size) as pulse:
        done = relabel(
            args.image,
            wanted,
            Options(group=args.group, output=args.output, resign=args.resign, key=_key(args), pulse=pulse),
        )
    _report(done, args)


def _key(args: argparse.Namespace) -> list[str]:
    """The words for `apptainer sign`."""
    file = ["--key", args.key] if args.key is not None else []
    return file + (["--keyidx", str(args.key_index)] if args.key_index is not None else [])


def _report(done: dict[str, Any], args: argparse.Namespace) -> None:
    if not done["changed"]:
        print(printable(f"{done['path']}: has these labels already"))
        return
    number = sight.count(len(done["set"]), "label")
    signed = ", signed by you" if done["signed"] else ""
    print(printable(f"{done['path']}: {number} written to group {done['group']}{signed}"))
    if done["replaced"]:
        keys = ", ".join(name or "a key without a fingerprint" for name in done["replaced"])
        tell(f"your signature of group {done['group']} takes the place of that of {keys}")
    if done["unsigned"]:
        way = f"apptainer sign --group-id {done['group']} {done['path']}"
        tell(f"the image is signed and its labels are not: `apptainer verify` fails until `{way}`")
    if args.resign and not done["signed"]:
        tell("the image is not signed, so --resign had nothing to do: `apptainer sign` signs it")


def used_by(args: argparse.Namespace) -> int:
    """Print the runs that used an image."""
    from hpcprov.commands import image_users

    return image_users.used_by(args)


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"show": show, "label": label, "used-by": used_by}


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for so many bytes; told of each block."""
    bar, done = Bar(), 0
    bar.begin(name)

    def pulse(number: int) -> None:
        nonlocal done
        done += number
        bar.show(done, total)

    try:
        yield pulse
    finally:
        bar.clear()


@contextmanager
def _tidy() -> Iterator[None]:
    """Batch systems end jobs by SIGTERM: then, too, leave no draft beside the image."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    wanted = [number for number in ENDS if signal.getsignal(number) == signal.SIG_DFL]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, end) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _group(text: str) -> int:
    number = _number(text)
    if not 1 <= number <= MOST_GROUP:
        raise argparse.ArgumentTypeError(f"{text!r} is not a group: 1 or more")
    return number

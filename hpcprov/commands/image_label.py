"""Labelling an image, a definition file, or both: `hpcprov image label`.

label(args): labels from --from-run, --from-git and --label, the latter first, into args.image and args.definition
"""

from __future__ import annotations

import argparse
import os

from hpcprov.capture import git
from hpcprov.capture.container import sif
from hpcprov.capture.reading import open_regular, read_descriptor
from hpcprov.catalog.facets import Known
from hpcprov.catalog.image_facets import used_images
from hpcprov.commands import screen as sight
from hpcprov.commands.bar import progress
from hpcprov.commands.choose import choose, store_here, tell
from hpcprov.image import labels
from hpcprov.image.definition import labelled
from hpcprov.image.relabel import Options, relabel
from hpcprov.image.replace import replacement, write
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

DEFINITION_LIMIT = 1 << 20


def label(args: argparse.Namespace) -> int:
    """Label an image, a definition file, or both."""
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
    from hpcprov.commands.image_users import identity_of  # with it come libraries that hash

    made = {os.path.realpath(artifact["path"]) for artifact in record["artifacts"]["generated"]}
    if not model.fact(record, "image") or os.path.realpath(path) in made:
        return False
    image = used_images(Known(record)).get(identity_of(path, cache)["digest"])
    return image is not None and image["identity"] is not None


def _from_git(args: argparse.Namespace) -> dict[str, str]:
    if not args.from_git:
        return {}
    found = labels.from_git(git.describe(os.getcwd(), os.environ))
    if f"{labels.OURS}dirty" in found:
        tell("the working tree differs from the commit: the image gets the label io.hpcprov.dirty=true")
    return found


def _label_definition(path: str, common: dict[str, str]) -> None:
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
    with sif.opened(args.image) as image:
        told = labels.from_image(image) if args.from_git or args.from_run is not None else {}
        wanted = told | common | given
        size = image.sif.size
    labels.check(wanted)
    with progress(args.image, 2 * size) as pulse:
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

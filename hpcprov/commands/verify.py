"""Check that data is what was recorded, and say which fields are not, and where.

TARGET is a path, which should be what the newest run that made it (else the newest that used it) has recorded, or a
run, whose inputs and outputs are all checked; of a job or workflow, those of its runs. Everything is read again, the
records themselves and their logs as well. With --attested-by, somebody in that list of signers (as ssh-keygen has it,
ALLOWED SIGNERS) must have vouched for the record: `hpcprov attest`. The exit status is 0 when what could be checked is
as it was, 1 when anything is changed, missing, unreadable or not attested, and 2 when there was nothing to check.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import tempfile

from hpcprov.commands import expected, verify_record
from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import HELP, listed, store_here, tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import reader, thread_number
from hpcprov.record import layout
from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import HpcprovError, NoSuchRun
from hpcprov.record.event import is_signature
from hpcprov.record.text import printable
from hpcprov.signature.isolated import UNSOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from hpcprov.commands.expected import Expected
    from hpcprov.signature.isolated import Isolated

EXAMPLE = "hpcprov verify out.zarr"

#: So many boxes of a field, and fields of an artifact that tell nothing new, are printed; --json has all.
MOST_BOXES = 20
MOST_ALIKE = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov verify`."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=f"a path, or {HELP}")
    parser.add_argument("--all", action="store_true", help="everything that the runs of this store have generated")
    parser.add_argument("--storage", action="store_true", help="compare the bytes only")
    parser.add_argument("--against", metavar="DIGEST", help="blake3:... or hpcprov1:..., instead of what was recorded")
    parser.add_argument("--field", metavar="NAME", help="with --against: the field that has this signature")
    parser.add_argument("--cached", action="store_true", help="trust what is known of files that look untouched")
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each artifact")
    verify_record.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check each artifact; the exit status."""
    _check_usage(args)
    results = []
    with tidy(), tempfile.TemporaryDirectory(prefix="hpcprov-") as folder:
        bar = Bar()
        with reader({"threads": args.threads, "tiles_dir": folder, "durable": False}, bar) as reading:
            for verdict in _verdicts(args, _Reader(reading, bar, folder)):
                results.append(verdict)
                if not args.json:
                    print("\n".join(lines(verdict)), flush=True)
    if args.json:
        print(json.dumps(results, indent=2))
    elif len(artifacts := [verdict for verdict in results if verdict["role"] != "record"]) > 1:
        print(_summary(artifacts))
    return _status(results)


def _check_usage(args: argparse.Namespace) -> None:
    def refuse(message: str) -> NoReturn:
        raise HpcprovError(message, hint="hpcprov verify --help")

    if bool(args.target) == args.all:
        refuse("give a TARGET or --all, not both" if args.all else "a TARGET is needed, or --all")
    if args.all and args.against is not None:
        refuse("--against compares one TARGET, not --all")
    values = args.against is not None and args.against.startswith(SIGNATURE)
    if args.field is not None and not values:
        refuse("--field goes with --against hpcprov1:..., the signature that the field should have")
    if args.storage and values:
        refuse("--storage compares bytes, and hpcprov1:... is a signature of values: use one of them")
    verify_record.check_usage(args)


class _Reader:
    """Reads artifacts in another process, which keeps tile digests in `tiles`, away from those that were recorded."""

    def __init__(self, reading: Isolated, bar: Bar, tiles: str) -> None:
        self.reading, self.bar, self.tiles = reading, bar, tiles

    def read(self, path: str, **settings: Any) -> dict[str, Any]:
        """The artifact's facts by now."""
        usual = {"cache_dir": None, "follow": False, "values": True, "same_as": None}
        self.reading.configure(**(usual | settings))
        self.bar.begin(path)
        try:
            found = self.reading.describe(path)
        finally:
            self.bar.clear()
        for text in found.told:
            tell(text)
        if found.result["signature"] is not None and not is_signature(found.result["signature"]):
            return BLANK | {"state": "unreadable", "reason": UNSOUND}
        return found.result


def _verdicts(args: argparse.Namespace, reads: _Reader) -> Iterator[dict[str, Any]]:
    if args.against is not None:
        yield _against(args, reads)
        return
    found = _wanted(args)
    records = list(verify_record.verdicts(found, args))
    if not found and not records:
        _nothing(f"{args.target!a} has no inputs or outputs")
    yield from records
    for one in found:
        yield _checked(one, args, reads)


def _status(results: list[dict[str, Any]]) -> int:
    from hpcprov.signature.verify import BAD, OK

    found = {verdict["status"] for verdict in results}
    return 1 if found & {*BAD, *verify_record.BAD} else (0 if OK in found else 2)


def _wanted(args: argparse.Namespace) -> list[Expected]:
    """What is to be checked. Raises HpcprovError when nothing is known of the target."""
    if args.all:
        store = store_here()
        return expected.of_all(store) or _nothing(f"no run in {store.root!a} has generated anything")
    named = os.path.lexists(args.target) or "/" in args.target
    subject = "no record knows"
    if not named:
        try:
            return expected.of_run(store_here(), args.target)
        except NoSuchRun:  # a file that is gone is a target, too
            subject = f"there is no run {args.target!a}, and no record knows"
    path = os.path.abspath(args.target)
    searched = expected.stores(os.environ, os.getcwd(), path)
    found = expected.of_path(searched, path)
    if not found:
        for root in expected.others_stores(os.environ, os.getcwd(), path):
            tell(f"not searched: {root}, which belongs to another user; {layout.TRUST}")
        places = ", ".join(store.root for store in searched) or "no .hpcprov of yours here, above, or above the path"
        hint = "`hpcprov verify PATH --against DIGEST` compares it with a digest that you have"
        raise HpcprovError(f"{subject} {path!a} (looked in: {places})", hint=hint)
    return found


def _nothing(reason: str) -> NoReturn:
    hint = "hpcprov exec --input PATH --output PATH -- COMMAND records them"
    raise HpcprovError(f"nothing to check: {reason}", hint=hint)


def _checked(one: Expected, args: argparse.Namespace, reads: _Reader) -> dict[str, Any]:
    from hpcprov.signature.verify import Tiles, compare

    recorded = one.facts | ({"signature": None} if args.storage else {})
    found = _found(one, recorded, args, reads)
    about = {"path": one.place, "recorded_path": one.recorded, "run": one.run, "role": one.role}
    return about | compare(recorded, found, Tiles(one.store.tiles, reads.tiles).locate) | _digests(recorded, found)


def _found(one: Expected, recorded: dict[str, Any], args: argparse.Namespace, reads: _Reader) -> dict[str, Any]:
    """What is there now; nothing is read when there is nothing to compare it with."""
    storage, signature = recorded.get("storage"), recorded.get("signature")
    if storage is None and signature is None:
        return BLANK
    follow = bool((signature or {}).get("followed"))
    return reads.read(
        one.place,
        cache_dir=one.store.cache if args.cached else None,
        values=signature is not None,
        same_as=None if follow else _digest(storage),
        follow=follow,
    )


def _against(args: argparse.Namespace, reads: _Reader) -> dict[str, Any]:
    """The artifact compared with a digest that was given."""
    from hpcprov.signature.verify import CHANGED, compare

    facts, path = _given(args.against), os.path.abspath(args.target)
    found = reads.read(path, values=facts["signature"] is not None)
    about = {"path": path, "recorded_path": path, "run": None, "role": None}
    if args.field is not None and found["signature"] is not None:
        return about | _field_against(args.field, args.against, found["signature"]) | _digests(facts, found)
    verdict = compare(facts, found, lambda one, other: {}) | {"fields": []}
    if verdict["status"] == CHANGED and (known := found["signature"] if facts["signature"] else found["storage"]):
        verdict["reason"] = _instead(args.against, known)
    return about | verdict | _digests(facts, found)


SIGNATURE, STORAGE = "hpcprov1:", "blake3:"


def _given(text: str) -> dict[str, Any]:
    """Facts of an artifact of which only this digest is known. Raises HpcprovError."""
    head, _, digits = text.partition(":")
    if head + ":" not in (SIGNATURE, STORAGE) or len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise HpcprovError(f"{text!a} is not a digest", hint="blake3: or hpcprov1: and 64 hexadecimal digits")
    known = {"digest": text, "fields": []}
    return {"storage": None, "signature": None} | {"storage" if head + ":" == STORAGE else "signature": known}


def _instead(digest: str, found: dict[str, Any]) -> str:
    """What was found instead of a digest; it may be that of a field, and nobody said so."""
    is_signature = digest.startswith(SIGNATURE)
    alike = [one["path"] for one in found["fields"] if one["signature"] == digest] if is_signature else []
    if alike:
        return f"that is the signature of {_called(alike[0])} alone: add --field {shlex.quote(alike[0])}"
    return f"its {'signature' if is_signature else 'storage digest'} is {found['digest']}"


def _called(name: str) -> str:
    return f"the field {name!r}" if name else "the array"


def _field_against(name: str, digest: str, signature: dict[str, Any]) -> dict[str, Any]:
    from hpcprov.signature.verify import CHANGED, MISSING, OK

    field = next((one for one in signature["fields"] if one["path"] == name), None)
    if field is None:
        there = listed([repr(one["path"]) for one in signature["fields"]]) or "none"
        return {"status": MISSING, "reason": f"there is no field {name!r}; the fields are {there}", "fields": []}
    status = OK if field["signature"] == digest else CHANGED
    return {"status": status, "reason": f"the signature of {_called(name)} is {field['signature']}", "fields": []}


def _digests(recorded: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Both digests, as recorded and as found, and how the latter were obtained."""
    return {name: {"recorded": _digest(recorded.get(name)), "found": found[name] and {
        key: value for key, value in found[name].items() if key in ("digest", "how", "parts")
    }} for name in ("storage", "signature")}  # fmt: skip


def _digest(facts: dict[str, Any] | None) -> str | None:
    return facts["digest"] if facts is not None else None


def lines(verdict: dict[str, Any]) -> Iterator[str]:
    """A verdict as text: a line for the artifact, then one for each field."""
    if verdict["role"] == "record":
        yield from verify_record.lines(verdict)
        return
    yield f"{verdict['status']:<11}  {printable(verdict['path'])}{_whence(verdict)}"
    if verdict["reason"] is not None:
        yield f"  {printable(verdict['reason'])}"
    if "cached" in _hows(verdict):
        yield "  taken from the cache: no file has another size or time than when it was read"
    fields = verdict["fields"]
    alike = [field for field in fields if _is_said(field, verdict)]
    for field in alike[:MOST_ALIKE]:
        yield f"  {field['status']:<11}  {_name(field)}"
    if len(alike) > MOST_ALIKE:
        yield f"  {alike[0]['status']:<11}  ... and {len(alike) - MOST_ALIKE} more fields"
    for field in fields:
        if not _is_said(field, verdict):
            yield from _field_lines(field)


def _is_said(field: dict[str, Any], verdict: dict[str, Any]) -> bool:
    """Whether a field's verdict tells nothing that the artifact's does not."""
    return field["status"] in ("OK", "NOT CHECKED") or field["status"] == verdict["status"] == "MISSING"


def _whence(verdict: dict[str, Any]) -> str:
    if verdict["run"] is None:
        return ""
    moved = verdict["path"] != verdict["recorded_path"]
    was = f", recorded as {printable(verdict['recorded_path'])}" if moved else ""
    return f"  ({verdict['role']} by {printable(verdict['run'])}{was})"


def _hows(verdict: dict[str, Any]) -> list[str]:
    found = (verdict[name]["found"] for name in ("storage", "signature"))
    return [one["how"] for one in found if one is not None]


def _field_lines(field: dict[str, Any]) -> Iterator[str]:
    reason = f"  {printable(field['reason'])}" if field["reason"] else ""
    yield f"  {field['status']:<11}  {_name(field)}{reason}"
    boxes = field["boxes"] or []
    for box in boxes[:MOST_BOXES]:
        yield f"    {_name(field)}[{', '.join(f'{begin}:{end}' for begin, end in box)}]"
    if len(boxes) > MOST_BOXES:
        yield f"    ... and {len(boxes) - MOST_BOXES} more ranges"


def _name(field: dict[str, Any]) -> str:
    return printable(field["path"]) or "(the array)"


def _summary(results: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for verdict in results:
        counts[verdict["status"]] = counts.get(verdict["status"], 0) + 1
    number = "1 artifact" if len(results) == 1 else f"{len(results)} artifacts"
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{number}: {told}" if told else number

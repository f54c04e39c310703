"""`hpcprov verify`: the record itself. Is it what was sealed, are its logs, and who vouches for it?

    verdict = check(store, "…/records/2026/11/21/x", allowed="allowed_signers")
    -> {"path": "…/record.json", "role": "record", "status": "OK", "attested_by": ["ada@example.org"], ...}

A verdict has the keys of an artifact's, and `problems`, `notes`, `attested_by`.
"""

from __future__ import annotations

import os

from hpcprov.attest import beside, intact
from hpcprov.commands.choose import choose, parts_of, store_here
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError, NoStore, NoSuchRun
from hpcprov.record.text import printable
from hpcprov.record.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import Any

    from hpcprov.commands.expected import Expected
    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

OK, CHANGED, NOT_ATTESTED = "OK", "CHANGED", "NOT ATTESTED"
#: What verification fails for, beside what it fails for in data.
BAD = (CHANGED, NOT_ATTESTED)
MOST_PROBLEMS = 20
#: Logs of more bytes than this are read only for --attested-by and --refold; else their lengths are compared.
CHEAP = 1 << 30
BLANK = {"storage": {"recorded": None, "found": None}, "signature": {"recorded": None, "found": None}, "fields": []}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `hpcprov verify` is told of records."""
    parser.add_argument("--attested-by", metavar="FILE", help="the record must be attested by somebody in this list")
    parser.add_argument("--attestation", metavar="FILE", help="with --attested-by: the envelope, if not in record.sig")
    parser.add_argument("--refold", action="store_true", help="fold the logs again: do they give the same record?")


def check_usage(args: argparse.Namespace) -> None:
    """Raises HpcprovError for options that do not go together."""
    asked = [name for name in ("attested_by", "attestation", "refold") if getattr(args, name)]
    if asked and args.against is not None:
        raise HpcprovError("--against compares data with a digest, not with a record", hint="hpcprov verify --help")
    if args.attestation is not None and args.attested_by is None:
        raise HpcprovError("--attestation goes with --attested-by FILE", hint="hpcprov verify --help")
    if args.attested_by is not None:
        with open(args.attested_by, "rb"):
            pass  # said at once when it cannot be read


def verdicts(found: Iterable[Expected], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """On the record of every run that artifacts are expected of; of one that is in order only when that was asked."""
    known = [*_named(args), *((one.directory, one.store) for one in found)]
    runs = dict(known)
    asked = args.attested_by is not None or args.refold
    if args.all and not asked:
        return  # the logs of all runs of a store may be much to read, and nobody asked
    if args.attestation is not None and len(runs) > 1:
        raise HpcprovError(f"--attestation is of one run, and these are {len(runs)}", hint="name one run")
    for directory, store in runs.items():
        verdict = check(store, directory, allowed=args.attested_by, envelope=args.attestation, refold=args.refold)
        if asked or verdict["status"] != OK:
            yield verdict


def _named(args: argparse.Namespace) -> list[tuple[str, Store]]:
    """The directories of the run that was asked for, and of its parts: they may have no artifacts."""
    if args.all or os.path.lexists(args.target) or "/" in args.target:
        return []
    try:
        store = store_here()
        run = choose(store, args.target)
        return [(one.directory, store) for one in (run, *parts_of(store, run.record))]
    except (NoStore, NoSuchRun):
        return []  # it is a path that is gone


def check(
    store: Store, directory: str, *, allowed: str | None = None, envelope: str | None = None, refold: bool = False
) -> dict[str, Any]:
    """The verdict on the record in `directory`. `allowed`: the file of signers, one of whom must vouch for it."""
    path, run_id = os.path.join(directory, layout.RECORD), os.path.basename(directory)
    if os.path.dirname(directory) == store.runs:
        return _verdict(path, run_id, OK if allowed is None else NOT_ATTESTED, ["the run has no record yet"])
    try:
        record, data = intact.read(directory)
        most = None if allowed is not None or refold else CHEAP
        problems = [*intact.problems(directory, record, data, most=most), *damaged_tiles(store, record)]
        notes = intact.dropped_output(directory, record)
    except (HpcprovError, OSError) as error:
        return _verdict(path, run_id, CHANGED, [beside.reason(error)])
    if refold and (names := intact.folded_otherwise(directory, record)):
        problems.append(f"its logs do not give this record: {', '.join(names)} would be others")
    by, doubts, unknown = (
        _attested(envelope or directory, record, data, allowed) if allowed is not None else ([], [], [])
    )
    status = CHANGED if problems else NOT_ATTESTED if allowed is not None and (doubts or not by) else OK
    said = f"sealed, {count(len(record['seal']['logs']), 'log')}" + (", folded again" if refold else "")
    return _verdict(path, run_id, status, problems + doubts, [*notes, *unknown], by) | {"said": said}


def _verdict(
    path: str, run_id: str, status: str, problems: list[str], notes: Iterable[str] = (), by: Iterable[str] = ()
) -> dict[str, Any]:
    about = {"path": path, "recorded_path": path, "run": run_id, "role": "record", "status": status}
    told = {"reason": problems[0] if problems else None, "problems": problems, "notes": [*notes]}
    return about | told | {"attested_by": [*by], "said": "", **BLANK}


def _attested(place: str, record: Record, data: bytes, allowed: str) -> tuple[list[str], list[str], list[str]]:
    """Who vouches for the record; why nobody, or not all who claim to; and signatures of keys that nobody knows."""
    path = os.path.join(place, layout.SIGNATURE) if os.path.isdir(place) else place
    try:
        found = beside.load(path)
    except FileNotFoundError:
        return [], [f"it is not attested: there is no {path}"], []
    except (HpcprovError, OSError) as error:
        return [], [f"{os.path.basename(path)}: {beside.reason(error)}"], []
    if (misfit := beside.misfit(found, record, data)) is not None:
        return [], [misfit], []
    names, wrong, unknown = beside.signers(found, allowed)
    return (names, wrong, unknown) if names or wrong else (names, unknown, [])


def damaged_tiles(store: Store, record: Record) -> list[str]:
    """Tile digests of the run's fields that are kept and are not what their names say."""
    from hpcprov.signature import manifest

    found = []
    for root in sorted({digits for artifacts in record["artifacts"].values() for digits in _roots(artifacts)}):
        try:
            size = os.lstat(layout.manifest(store.tiles, root)).st_size
        except OSError:
            continue  # none was kept, or it was pruned
        if manifest.load(store.tiles, root, most=size // 32 + 1) is None:
            found.append(
                f"the tile digests of {root[:16]}… are damaged: where that field changes is not known any more"
            )
    return found


def _roots(artifacts: list[dict[str, Any]]) -> Iterator[str]:
    for artifact in artifacts:
        for field in (artifact["signature"] or {"fields": []})["fields"]:
            digits = str(field["signature"]).removeprefix("hpcprov1:")
            if len(digits) == 64 and digits.isalnum():
                yield digits


def lines(verdict: dict[str, Any]) -> Iterator[str]:
    """A verdict as text: a line for the record, then what is wrong and what is worth knowing."""
    by = f"; attested by {', '.join(map(printable, verdict['attested_by']))}" if verdict["attested_by"] else ""
    said = f"  ({verdict['said']}{by})" if verdict["said"] else ""
    yield f"{verdict['status']:<11}  record of {printable(verdict['run'])}{said}"
    for text in verdict["problems"][:MOST_PROBLEMS]:
        yield f"  {printable(text)}"
    if len(verdict["problems"]) > MOST_PROBLEMS:
        yield f"  ... and {len(verdict['problems']) - MOST_PROBLEMS} more"
    yield from (f"  {printable(text)}" for text in verdict["notes"])

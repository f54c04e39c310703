"""The runs that a package brings, each checked before anything of it is written.

    with open_package("run.zip") as package:
        for arrival in arrivals(package):
            arrival.id, arrival.doubts, arrival.notes  ->  "20261121T093000Z-1f2e3d4c", [], []

A run is a directory, wherever in the package, that is named by its id and holds record.json; of what lies beside it
only what a record's directory has is taken: logs, captured output, earlier revisions, signatures. A `doubt` is a reason
not to believe the record: its seal does not fit, or a log is not what was sealed. A `note` says what is not there.
"""

from __future__ import annotations

from hashlib import sha256

from hpcprov.export.bundle import OWN_NAME
from hpcprov.merge.seal import verify_seal
from hpcprov.record import layout, model
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.export.package import Package
    from hpcprov.record.model import Record

LARGEST_RECORD = 256 << 20  # a run of 1,000,000 ranks
MOST_RUNS = 10_000


class Arrival:
    """A run in a package: its `id`, its `record`, and of its `files` the names in the package by the names here.
    `refused`: why it cannot be taken at all."""

    def __init__(self, run_id: str, record: Record | None, files: dict[str, str]) -> None:
        self.id, self.record, self.files = run_id, record, files
        self.refused: str | None = None
        self.doubts: list[str] = []
        self.notes: list[str] = []


def arrivals(package: Package) -> Iterator[Arrival]:
    """The runs with records in a package, in order of their names. Raises BadPackage when there are too many."""
    found = sorted(name for name in package.sizes if name.rpartition("/")[2] == layout.RECORD)
    if len(found) > MOST_RUNS:
        raise HpcprovError(
            f"{package.path!a} holds {len(found)} records; {MOST_RUNS} is the most that is taken at once"
        )
    beside: dict[str, list[str]] = {}
    for name in package.sizes:
        beside.setdefault(name.rpartition("/")[0], []).append(name)
    for name in found:
        folder = name.rpartition("/")[0]
        yield _arrival(package, name, folder, sorted(beside[folder]))


def _arrival(package: Package, name: str, folder: str, beside: list[str]) -> Arrival:
    try:
        record = model.parse(package.read_json(name, most=LARGEST_RECORD), name=name)
    except HpcprovError as error:
        told = error.message + (f"; {error.hint}" if error.hint else "")
        return _refuse(Arrival(folder.rpartition("/")[2] or name, None, {}), told)
    run_id = str(record["run"]["id"])
    arrival = Arrival(run_id, record, {})
    if not layout.is_run_id(run_id) or (folder and folder.rpartition("/")[2] != run_id):
        return _refuse(arrival, f"{name!a} says that it is of the run {run_id[:100]!a}")
    if "seal" not in record or record["revision"] < 1:
        return _refuse(arrival, "it is what was known of a run in progress, and no record")
    files = {full.rpartition("/")[2]: full for full in beside}
    arrival.files = {short: full for short, full in files.items() if _is_taken(short)}
    left = sorted(set(files) - set(arrival.files))
    arrival.notes += [f"not taken, since no record has it: {short}" for short in left if short != layout.IMPORTED]
    _compare(package, arrival)
    return arrival


def _refuse(arrival: Arrival, reason: str) -> Arrival:
    arrival.refused = reason
    return arrival


def _is_taken(name: str) -> bool:
    return OWN_NAME.fullmatch(name) is not None or layout.LOG_NAME.fullmatch(name) is not None


def _compare(package: Package, arrival: Arrival) -> None:
    """Whether the seal fits the record, and the logs the seal."""
    assert arrival.record is not None
    if not verify_seal(arrival.record):
        arrival.doubts.append("the record has been changed since it was sealed")
    sealed = {str(log["name"]): log for log in arrival.record["seal"]["logs"]}
    for name, log in sorted(sealed.items()):
        if name not in arrival.files:
            arrival.notes.append(f"log {name} is not in the package")
        elif _digest(package, arrival.files[name]) != log["sha256"]:
            arrival.doubts.append(f"log {name} is not what was sealed")
    logs = [name for name in arrival.files if layout.LOG_NAME.fullmatch(name)]
    arrival.doubts += [f"log {name} is in no seal" for name in sorted(logs) if name not in sealed]


def _digest(package: Package, name: str) -> str:
    found = sha256()
    for block in package.blocks(name):
        found.update(block)
    return found.hexdigest()

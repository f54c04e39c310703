"""Every name under `.hpcprov` (docs/design.md, "On disk"), and where that directory is. Nobody else joins these paths.

The launcher's `store.c` spells the few names that it writes. Example:

    store = Store("/scratch/ada/.hpcprov")
    store.log("20261121T093000Z-1f2e3d4c", "n1.8123-4711.0.log")
    -> "/scratch/ada/.hpcprov/runs/20261121T093000Z-1f2e3d4c/n1.8123-4711.0.log"
"""

from __future__ import annotations

import os
import re
import time

from hpcprov.record.errors import BadRunId, NoStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STORE = ".hpcprov"
TRUST = "HPCPROV_TRUST_STORE=1 uses it all the same"
RECORD = "record.json"
SIGNATURE = "record.sig"  # who vouches for the record: a DSSE envelope
UNATTESTED = "record.unattested"  # why a record that should have been attested by itself was not
IMPORTED = "imported.json"  # beside a record that was made elsewhere: from what package it came, and when
DONE = "done"
CLAIMS = "claims"
PLAN = ".plan"
SETTLER = "settle"  # stands for the node in the name of a settling process's log
# <node>.<start ticks of the launching process>-<its pid>.<earlier starts>[.late<k>].log; a node's name may hold dots.
LOG_NAME = re.compile(
    r"(?P<node>.+?)\.(?P<launch>[0-9]+-[0-9]+)\.(?P<n>[0-9]+)(?:\.late(?P<late>[0-9]+))?\.(?P<kind>log|out)"
)
# `~` starts the number that settling gives to the second and later runs of one id; no id given by a user holds it.
RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:~[0-9]+)?")


class Store:
    """Spells the paths of one `.hpcprov`; touches no file."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.runs = os.path.join(root, "runs")
        self.records = os.path.join(root, "records")
        self.cache = os.path.join(root, "cache")
        self.tiles = os.path.join(root, "tiles")
        self.annotations = os.path.join(root, "annotations")
        self.catalog = os.path.join(root, "catalog.sqlite")

    def run(self, run_id: str) -> str:
        """The directory of a run in progress."""
        return os.path.join(self.runs, check_run_id(run_id))

    def log(self, run_id: str, name: str) -> str:
        return os.path.join(self.run(run_id), name)

    def done(self, run_id: str) -> str:
        return os.path.join(self.run(run_id), DONE)

    def ticket(self, run_id: str, k: int) -> str:
        return os.path.join(self.done(run_id), str(k))

    def claims(self, run_id: str) -> str:
        return os.path.join(self.run(run_id), CLAIMS)

    def plan(self, run_id: str) -> str:
        """Which log of a directory with several launches goes where."""
        return os.path.join(self.run(run_id), PLAN)

    def share(self, run_id: str, node: str) -> str:
        return os.path.join(self.run(run_id), f"share-{node}.bin")

    def day(self, seconds: int) -> str:
        """The directory of the records of one UTC day; `seconds` since the epoch."""
        when = time.gmtime(seconds)
        return os.path.join(self.records, f"{when.tm_year:04d}", f"{when.tm_mon:02d}", f"{when.tm_mday:02d}")

    def record(self, run_id: str, seconds: int) -> str:
        """The directory of a finished run that started at `seconds`."""
        return os.path.join(self.day(seconds), check_run_id(run_id))


def log_name(node: str, launch: str, n: int, kind: str = "log") -> str:
    """The name of a node's log (`kind` "log") or of its captured output ("out")."""
    return f"{node}.{launch}.{n}.{kind}"


def late_name(name: str, k: int) -> str:
    """Another name for a log that came late, when its own is taken in the record's directory."""
    stem, _, kind = name.rpartition(".")
    return f"{re.sub(r'[.]late[0-9]+$', '', stem)}.late{k}.{kind}"


def old_record(revision: int) -> str:
    """The name that a record keeps when a later revision takes its place."""
    return f"record.{revision}.json"


def old_signature(revision: int) -> str:
    """The name that an attestation keeps when a later revision is attested."""
    return f"record.{revision}.sig"


def pruned(k: int) -> str:
    """The k-th list of output logs that were dropped on purpose, beside their record."""
    return f"pruned.{k}.json"


def manifest(tiles: str, root: str) -> str:
    """The file with the tile digests of the field whose root is `root` (hexadecimal), in the directory `tiles`."""
    return os.path.join(tiles, root[:2], root)


def is_share(name: str) -> bool:
    return name.startswith("share-") and name.endswith(".bin")


def is_run_id(name: str) -> bool:
    """Can this be the name of a run's directory?"""
    return RUN_ID.fullmatch(name) is not None and ".." not in name


def check_run_id(run_id: str) -> str:
    """`run_id`, when it can be the name of a directory. Raises BadRunId."""
    if is_run_id(run_id):
        return run_id
    hint = "a run id starts with a letter or digit and holds at most 128 letters, digits, `.`, `_` and `-`"
    raise BadRunId(f"{run_id!a} cannot be a run id", hint=hint)


def job_id(cluster: str | None, job: str, restarts: int = 0) -> str:
    """The id of a Slurm job's own record, with which those of its steps begin (as in launcher/place.c)."""
    name = f"slurm-{(cluster or 'cluster')[:64]}-{job[:40]}" + (f"-r{restarts}" if restarts > 0 else "")
    return re.sub(r"[^A-Za-z0-9._-]|[.](?=[.]|$)", "_", name)


def next_id(run_id: str, k: int) -> str:
    """The k-th run of one id: `run_id` itself, then `run_id~2`, `run_id~3`."""
    return run_id if k < 2 else f"{run_id}~{k}"


def first_id(run_id: str) -> str:
    """The id that was given, without the number that a later run of the same id got."""
    return run_id.partition("~")[0]


def find_store(environ: Mapping[str, str], cwd: str) -> Store:
    """The store that `hpcprov exec` would write to in `cwd`. Raises NoStore when there is none yet."""
    given = environ.get("HPCPROV_DIR")
    root = os.path.join(cwd, given) if given else _nearest(_start(environ, cwd), environ)
    if root is not None and os.path.isdir(root):
        return Store(root)
    if given:
        raise NoStore(f"HPCPROV_DIR={given!a} is not a directory", hint="nothing has been recorded there yet")
    if others := others_stores_above(environ, _start(environ, cwd)):
        raise NoStore(f"{others[0]!a} belongs to another user", hint=TRUST)
    hint = "hpcprov exec makes one; HPCPROV_DIR names one that lies elsewhere"
    raise NoStore(f"there is no {STORE} in {_start(environ, cwd)!a} or above it", hint=hint)


def new_store(environ: Mapping[str, str], cwd: str) -> Store:
    """The store to write to: that of `find_store`, else one in the working directory, which may not exist yet."""
    try:
        return find_store(environ, cwd)
    except NoStore:
        return Store(os.path.join(cwd, environ.get("HPCPROV_DIR") or STORE))


def _start(environ: Mapping[str, str], cwd: str) -> str:
    submitted = environ.get("SLURM_SUBMIT_DIR", "")
    return submitted if submitted.startswith("/") else cwd


def _nearest(directory: str, environ: Mapping[str, str]) -> str | None:
    return next((store.root for store in stores_above(environ, directory)), None)


def stores_above(environ: Mapping[str, str], directory: str) -> Iterator[Store]:
    """The stores in `directory` (absolute) and above it that may be used, the nearest first."""
    return (Store(root) for root in _roots_above(directory) if _trusting(environ) or is_ours(root))


def others_stores_above(environ: Mapping[str, str], directory: str) -> list[str]:
    """The stores there that are not used, since they belong to other users."""
    return [root for root in _roots_above(directory) if not _trusting(environ) and not is_ours(root)]


def _roots_above(directory: str) -> Iterator[str]:
    while True:
        if os.path.isdir(candidate := os.path.join(directory, STORE)):
            yield candidate
        if os.path.dirname(directory) == directory:
            return
        directory = os.path.dirname(directory)


def _trusting(environ: Mapping[str, str]) -> bool:
    return environ.get("HPCPROV_TRUST_STORE", "0") not in ("", "0")


def is_ours(path: str) -> bool:
    """Is this ours, and behind a link of ours (as in launcher/store.c)? Somebody else's could lead anywhere."""
    try:
        return {os.lstat(path).st_uid, os.stat(path).st_uid} == {os.geteuid()}
    except OSError:
        return False


def is_imported(directory: str) -> bool:
    """Was a record made elsewhere? Its paths and job ids are not those of this place."""
    return os.path.lexists(os.path.join(directory, IMPORTED))


def temporary(store: Store) -> str:
    """A new name for a file that will be renamed into place; it starts with a dot, which no run does."""
    return os.path.join(store.runs, f".draft-{os.getpid()}-{os.urandom(6).hex()}")


def is_temporary(name: str) -> bool:
    return name.startswith(".draft-")

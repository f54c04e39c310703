"""Attesting a record by itself, where a site or a user wants every run attested (attest/keys.py): by who merges it.

It never asks for anything, takes two seconds at most, and never fails: why there is no signature is kept in a file
beside the record, which `hpcprov show` tells.
"""

from __future__ import annotations

import os

from hpcprov.merge import disk
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hpcprov.record.layout import Store

PATIENCE = 2.0  # s: a job's last launcher may be waiting
LONGEST = 500


def attest_new(store: Store, directories: Iterable[str], environ: Mapping[str, str]) -> None:
    """Attest records that have just been made, if that is wanted and nobody has vouched for them. Never raises."""
    from hpcprov.attest.keys import configured

    key = configured(environ)
    for directory in directories if key is not None else ():
        if key is not None and layout.is_ours(directory):
            _attest(store, directory, key)


def _attest(store: Store, directory: str, key: str) -> None:
    from hpcprov.attest import beside, intact

    try:
        is_new = not os.path.lexists(os.path.join(directory, layout.SIGNATURE))
        if is_new or not (beside.state(directory, *intact.read(directory)) or {}).get("fits"):
            beside.vouch(store, directory, key, ask=False, patience=PATIENCE)
    except (HpcprovError, OSError, ValueError) as error:
        _tell(store, directory, beside.reason(error))


def _tell(store: Store, directory: str, reason: str) -> None:
    try:
        disk.put(store, os.path.join(directory, layout.UNATTESTED), f"{reason}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody can be told


def why_not(directory: str) -> str | None:
    """Why a record that should have been attested by itself was not."""
    path = os.path.join(directory, layout.UNATTESTED)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(LONGEST).decode("utf-8", "replace").strip() or None
    except OSError:
        return None

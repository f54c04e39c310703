"""The attestation beside a record: `record.sig`, a DSSE envelope with a statement and the signatures of who vouches.

vouch(store, directory, key)                ->  the Envelope, with one signature more
state(directory, record, data)              ->  {"keys": ["SHA256:…"], "fits": True, "reason": None}, or None
signers(envelope, "allowed_signers")        ->  ([["ada@example.org"]], ["what is wrong with one of them"])
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import contextmanager

from hpcprov.attest import envelope as dsse
from hpcprov.attest import intact, ssh, statement
from hpcprov.attest.envelope import BadEnvelope, Envelope
from hpcprov.merge import disk
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

OTHER = "the attestation is not of this record"


def vouch(store: Store, directory: str, key: str, *, ask: bool = True, patience: float | None = None) -> Envelope:
    """Sign the record in `directory` with `key` and keep that beside it. Raises HpcprovError, OSError."""
    payload = payload_of(directory)
    text = ssh.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload), key, ask=ask, patience=patience)
    with _alone(directory):
        whole = Envelope(payload, [*_others(store, directory, payload, text), (ssh.fingerprint(text), text)])
        disk.put(store, os.path.join(directory, layout.SIGNATURE), whole.encoded())
    disk.forget(os.path.join(directory, layout.UNATTESTED))
    return whole


def signed(directory: str, key: str) -> Envelope:
    """An envelope with one signature, kept nowhere. Raises HpcprovError, OSError."""
    payload = payload_of(directory)
    text = ssh.sign(dsse.pae(dsse.PAYLOAD_TYPE, payload), key)
    return Envelope(payload, [(ssh.fingerprint(text), text)])


def payload_of(directory: str) -> bytes:
    """The statement on a record that is as it was sealed. Raises HpcprovError for another, OSError."""
    record, data = intact.read(directory)
    if wrong := intact.problems(directory, record, data):
        hint = "nobody should vouch for it; `hpcprov verify` says more"
        raise HpcprovError(f"{record['run']['id']} is not what was sealed: {'; '.join(wrong[:3])}", hint=hint)
    return statement.encoded(record, data)


def _others(store: Store, directory: str, payload: bytes, text: str) -> list[tuple[str, str]]:
    """The signatures of other keys over the same statement. One of an earlier revision gets a name of its own."""
    path = os.path.join(directory, layout.SIGNATURE)
    try:
        before = load(path)
    except (OSError, BadEnvelope):
        return []  # there is none, or none that could be added to: it is replaced
    if before.payload != payload:
        disk.keep(store, path, layout.old_signature(revision_of(before)))
        return []
    return [one for one in before.signatures if one[0] != ssh.fingerprint(text)][: dsse.MOST_SIGNATURES - 1]


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Let two people who sign at once sign one after the other, where the file system has locks."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(fd)


def load(path: str) -> Envelope:
    """The envelope in a file. Raises OSError, BadEnvelope."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadEnvelope("it is no file")
    with open(fd, "rb") as file:
        data = file.read(dsse.SIZE_LIMIT)
    found = dsse.parse(data)
    if found.encoded() != data:
        raise BadEnvelope("it was written anew: these are not the bytes that hpcprov writes")
    return found


def state(directory: str, record: Record, data: bytes) -> dict[str, Any] | None:
    """What `record.sig` claims: the `keys` that signed and whether it `fits` the record, else the `reason`. No
    signature is checked: that takes a list of allowed signers."""
    try:
        found = load(os.path.join(directory, layout.SIGNATURE))
        keys = [ssh.fingerprint(text) for _, text in found.signatures]
    except FileNotFoundError:
        return None
    except (OSError, HpcprovError) as error:
        return {"keys": [], "fits": False, "reason": f"{layout.SIGNATURE}: {reason(error)}"}
    wrong = misfit(found, record, data)
    return {"keys": keys, "fits": wrong is None, "reason": wrong}


def reason(error: Exception) -> str:
    """An error in the words of a sentence."""
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def misfit(found: Envelope, record: Record, data: bytes) -> str | None:
    """Why an envelope is not one of this record; None when it is."""
    if found.kind != dsse.PAYLOAD_TYPE:
        return f"its payload is {found.kind!a}, not an in-toto statement"
    if found.payload == statement.encoded(record, data):
        return None
    revision = revision_of(found)
    if 0 < revision < record["revision"]:
        return f"the attestation is of revision {revision}, and the record is revision {record['revision']} by now"
    return OTHER


def revision_of(found: Envelope) -> int:
    """The revision that a statement says it is of; 0 when it says none."""
    try:
        told = json.loads(found.payload)["predicate"]["buildDefinition"]["internalParameters"]["revision"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return 0
    return told if type(told) is int and 0 < told < 1 << 31 else 0


def signers(found: Envelope, allowed: str) -> tuple[list[str], list[str], list[str]]:
    """Who signed, as `allowed` names them; what is wrong with signatures; and keys that it does not know."""
    names: dict[str, None] = {}
    wrong, unknown = [], []
    for keyid, text in found.signatures:
        try:
            if keyid != ssh.fingerprint(text):
                raise ssh.BadSignature("a signature is not by the key that the envelope says")
            names |= dict.fromkeys(ssh.identities(found.message(), text, allowed))
        except ssh.BadSignature as error:
            wrong.append(error.message)
        except ssh.UnknownKey as error:
            unknown.append(error.message)
    return list(names), wrong, unknown

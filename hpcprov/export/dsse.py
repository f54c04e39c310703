"""The attestation of a run as it lies beside its record: a DSSE envelope with an in-toto statement and its signatures.

render(Run(record, directory))  ->  '{"payload":"…","payloadType":"application/vnd.in-toto+json","signatures":[…]}'
"""

from __future__ import annotations

import os

from hpcprov.attest import beside, intact
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Run


def render(run: Run) -> str:
    """The envelope, as one line of JSON. Raises HpcprovError when nobody has signed this record."""
    hint = f"`hpcprov attest {run.id}` signs it"
    try:
        found = beside.load(os.path.join(run.directory, layout.SIGNATURE))
        wrong = beside.misfit(found, *intact.read(run.directory))
    except FileNotFoundError as error:
        raise HpcprovError(f"{run.id} is not attested", hint=hint) from error
    if wrong is not None:
        raise HpcprovError(f"{run.id}: {wrong}", hint=hint)
    return found.encoded().decode("ascii")
